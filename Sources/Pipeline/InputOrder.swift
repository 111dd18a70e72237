public import LogSources
import MailEvents
import MailLog
import Records
import SafeText
import SystemPackage

/// The inputs in the order of their log's time (architecture §8): by their first stamp, then their
/// last, both in whole seconds, then by what rotation put behind their names: a higher number or an
/// earlier date is older. The name alone orders only what nothing else does.
///
/// An input with the text of another one, or with its beginning, is left out: its lines would count
/// twice. A text within one second is not, since a flood of equal lines can be rotated within it.
///
/// The last stamp of a compressed file, which costs reading it through, is looked at only where the
/// first ones are equal; so are texts.
///
/// - Parameter firstYear: `--year`.
public func ordered(
    _ opened: OpenedInputs,
    timeZone: TimeZoneSetting,
    firstYear: Int?
) -> OpenedInputs {
    let clock = LogClock(zone: timeZone.rules(), firstYear: firstYear)
    var result = opened
    for index in result.inputs.indices where result.inputs[index].identity == nil {
        result.inputs[index].firstStamp = { clock.firstStamp(in: $0, hint: $1) }
    }
    var dated = result.inputs.enumerated().map { DatedInput($1, $0, clock) }
    result.backwards = dated.filter { $0.isBackwards(clock) }.map(\.input.path)
    guard result.inputs.count > 1 else { return result }
    if firstYear != nil { ignoreMisleadingDates(&dated, clock) }
    var groups: [Int64: [DatedInput]] = [:]
    for input in dated { groups[input.first, default: []].append(input) }
    result.inputs = []
    for first in groups.keys.sorted() {
        guard var group = groups[first] else { continue }
        if group.count > 1 {
            for index in group.indices { group[index].findLast(clock) }
            result.skipped += removeCopies(from: &group)
            group.sort { $0.isBefore($1) }
        }
        result.inputs += group.map(\.input)
    }
    result.keptInOrder = result.inputs.boundRestarts()
    return result
}

/// An input and what orders it among others.
private struct DatedInput {
    /// No stamp was found.
    static let never = Int64.max

    let input: Input
    /// Among the inputs as they were named.
    let index: Int
    /// Seconds since 1970 of the first stamp.
    var first: Int64
    /// The same of the last one, when it was looked for.
    var last = Self.never
    private let firstMicroseconds: Int64?
    /// It is an export of a message trace.
    private let isTrace: Bool

    init(_ input: Input, _ index: Int, _ clock: LogClock) {
        self.input = input
        self.index = index
        let lines = input.peekFirstLines(maxBytes: 65_536)
        isTrace = LogClock.isTrace(lines)
        firstMicroseconds = clock.firstStamp(in: lines, hint: input.timeHint)
        first = firstMicroseconds.map { $0 / 1_000_000 } ?? Self.never
    }

    mutating func findLast(_ clock: LogClock) {
        let stamp = clock.lastStamp(
            in: input.peekLastLines(),
            after: firstMicroseconds,
            head: input.peekFirstLines(maxBytes: 65_536),
            hint: input.timeHint
        )
        last = stamp.map { $0 / 1_000_000 } ?? Self.never
    }

    /// Whether its log cannot be the same as another's by chance.
    var isUnmistakable: Bool { first == Self.never || last != Self.never && last != first }

    /// Whether its log goes from the latest to the earliest, as exports of message traces do: results
    /// of `Get-MessageTraceV2` are "sorted by Received in descending order".
    func isBackwards(_ clock: LogClock) -> Bool {
        guard isTrace, first != Self.never else { return false }
        var copy = self
        copy.findLast(clock)
        return copy.last < first
    }

    func isBefore(_ other: DatedInput) -> Bool {
        if last != other.last { return last < other.last }
        let age = RotationAge(input.path)
        let otherAge = RotationAge(other.input.path)
        if age != otherAge { return age < otherAge }
        return (input.path.string, index) < (other.input.path.string, other.index)
    }
}

/// With `--year` a year-less log needs no date in a name, and a name may mislead: where dates would
/// pull the inputs far apart, they are laid into one year, if they follow each other there without
/// overlapping. Logs of more than a year overlap, and keep their dates.
private func ignoreMisleadingDates(_ inputs: inout [DatedInput], _ clock: LogClock) {
    let firsts = inputs.map(\.first).filter { $0 != DatedInput.never }
    guard let earliest = firsts.min(), let latest = firsts.max(),
        latest - earliest > 180 * daySeconds,
        inputs.contains(where: { if case .nameDate = $0.input.timeHint { true } else { false } }),
        inputs.allSatisfy({ clock.isYearless($0.input) })
    else { return }
    for index in inputs.indices { inputs[index].findLast(clock) }
    // A leap year, so that each day has its place.
    let year = 366 * daySeconds
    var spans = inputs.indices.map { index -> (start: Int64, length: Int64, index: Int) in
        let input = inputs[index]
        let length = input.last == DatedInput.never ? 0 : max(0, input.last - input.first)
        return (clock.secondOfLeapYear(input.first), length, index)
    }
    spans.sort { ($0.start, $0.length) < ($1.start, $1.length) }
    // The year begins behind the longest time of which there is nothing.
    let gaps = spans.indices.map { index -> Int64 in
        let next = (index + 1) % spans.count
        let start = spans[next].start + (next == 0 ? year : 0)
        return start - spans[index].start - spans[index].length
    }
    let overlapMax: Int64 = 3_600
    guard gaps.allSatisfy({ $0 >= -overlapMax }), let longest = gaps.max(),
        let end = gaps.firstIndex(of: longest)
    else { return }
    for step in spans.indices {
        let place = (end + 1 + step) % spans.count
        let shift = place <= end ? year : 0
        inputs[spans[place].index].first = spans[place].start + shift
    }
}

private let daySeconds: Int64 = 86_400

/// How old a rotated log is by its name: smaller is older.
private struct RotationAge: Comparable {
    private var number = 0
    private var date = Int64.max

    /// `mail.log.2.gz` has number 2, `mail.log-20260301` a date, `mail.log` neither.
    init(_ path: FilePath) {
        if let day = endOfDay(inName: path) {
            date = day
            return
        }
        for part in (path.lastComponent?.string ?? "").split(separator: ".").reversed() {
            if let value = Int(part), value >= 0, value < 100_000 {
                number = value
                return
            }
            // `gz`, `bz2`, `zst` may stand behind it.
            guard part.utf8.count <= 3 else { return }
        }
    }

    static func < (left: Self, right: Self) -> Bool {
        (-left.number, left.date) < (-right.number, right.date)
    }
}

/// Takes those out of inputs with one first stamp whose text is another's, or its beginning.
private func removeCopies(from group: inout [DatedInput]) -> [SkippedInput] {
    var skipped: [SkippedInput] = []
    /// Indices of those that stay, by how their text begins.
    var kept: [[UInt8]: [Int]] = [:]
    var dropped: Set<Int> = []
    for index in group.indices {
        guard let head = group[index].input.comparableHead, !head.isEmpty else { continue }
        // Who prepares thousands of logs that begin alike gets no more than this.
        for other in (kept[head] ?? []).prefix(comparisonsMax) where !dropped.contains(other) {
            let drop: (index: Int, reason: SkippedInput.Reason)
            switch group[other].input.compareText(with: group[index].input) {
            case .different: continue
            case .same: drop = (index, .sameText(as: group[other].input.path))
            case .secondIsBeginning: drop = (index, .beginning(of: group[other].input.path))
            case .firstIsBeginning: drop = (other, .beginning(of: group[index].input.path))
            }
            guard group[drop.index].isUnmistakable else { continue }
            dropped.insert(drop.index)
            skipped.append(
                SkippedInput(
                    path: group[drop.index].input.path,
                    reason: drop.reason,
                    isNamed: false
                )
            )
            if drop.index == index { break }
        }
        if !dropped.contains(index) { kept[head, default: []].append(index) }
    }
    group = group.indices.filter { !dropped.contains($0) }.map { group[$0] }
    return skipped
}

private let comparisonsMax = 32

/// Reads stamps from lines as the engine would.
private struct LogClock: Sendable {
    let zone: ZoneRules
    let firstYear: Int?

    /// The first stamp in a file's first lines: microseconds since 1970, UTC.
    func firstStamp(in lines: [[UInt8]], hint: TimeHint) -> Int64? {
        var resolver = resolver(hint)
        var scanner = LogScanner(seed: .constant)
        for line in lines {
            if let stamp = Self.stamp(of: line, &scanner) {
                return resolver.resolve(stamp, observed: 0)
            }
        }
        return nil
    }

    /// The last stamp in a file's last lines, given its first.
    ///
    /// - Parameter head: the file's first lines, which may say what the columns of the last ones are.
    func lastStamp(
        in lines: [[UInt8]],
        after first: Int64?,
        head: [[UInt8]],
        hint: TimeHint
    ) -> Int64? {
        var ofHead = LogScanner(seed: .constant)
        for line in head {
            var next = ofHead
            // A line with a stamp is no head, and another of the same second would give no stamp.
            if Self.stamp(of: line, &next) != nil { break }
            ofHead = next
        }
        for line in lines.reversed() {
            var scanner = ofHead
            guard let stamp = Self.stamp(of: line, &scanner) else { continue }
            var resolver = resolver(hint)
            if stamp.isYearless, let first {
                // The year goes on from the first stamp's: what is not a year later is at most a
                // day earlier.
                resolver = TimeResolver(zone: zone, firstYear: nil)
                resolver.beginFile(.modified(first / 1_000_000 + 363 * 86_400))
            }
            return resolver.resolve(stamp, observed: 0)
        }
        return nil
    }

    /// Whether the first stamp of the input leaves the year out.
    func isYearless(_ input: Input) -> Bool {
        var scanner = LogScanner(seed: .constant)
        for line in input.peekFirstLines(maxBytes: 65_536) {
            if let stamp = Self.stamp(of: line, &scanner) { return stamp.isYearless }
        }
        return false
    }

    /// Whether a file that begins so is an export of a message trace.
    static func isTrace(_ lines: [[UInt8]]) -> Bool {
        var scanner = LogScanner(seed: .constant)
        var facts: [LineFact] = []
        for line in lines.prefix(2) { scanner.scanLine(line.span, line: 0, into: &facts) }
        return scanner.counters[.microsoft365].lines > 0
    }

    /// Where in a leap year a moment lies, by its month, day and time, UTC.
    func secondOfLeapYear(_ seconds: Int64) -> Int64 {
        let (days, second) = floorDivide(seconds, by: daySeconds)
        let date = civilDate(daysSince1970: Int(days))
        let day = daysSince1970(year: 2024, month: date.month, day: date.day)
        return Int64(day - daysSince1970(year: 2024, month: 1, day: 1)) * daySeconds + second
    }

    private static func stamp(of line: [UInt8], _ scanner: inout LogScanner) -> Stamp? {
        var facts: [LineFact] = []
        scanner.scanLine(line.span, line: 0, into: &facts)
        return facts.first?.stamp
    }

    /// `--year` is the year of the first record of all; for comparing, every file gets the year that
    /// it would have alone, so that New Year does not turn the order around.
    private func resolver(_ hint: TimeHint) -> TimeResolver {
        var resolver = TimeResolver(zone: zone, firstYear: hint == .none ? firstYear : nil)
        resolver.beginFile(hint)
        return resolver
    }
}

/// The inputs of one source of a replay, in the order in which they are read.
public struct InputChain: Sendable {
    /// Names the source in records.
    public var name: String
    public var inputs: [Input]
    /// The year of its first record, for stamps without one; nil: the inputs tell.
    public var firstYear: Int?

    public init(name: String = "log", inputs: [Input], firstYear: Int? = nil) {
        self.name = name
        self.inputs = inputs
        self.firstYear = firstYear
    }
}
