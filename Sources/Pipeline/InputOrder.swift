public import LogSources
import MailLog
import Records
import SystemPackage

extension Input {
    /// What orders the input among others: its first and last stamp, then the number that rotation
    /// gave it (higher is older), then its name (architecture §8).
    fileprivate func orderKey(_ zone: ZoneRules, _ firstYear: Int?) -> InputOrderKey {
        let first = peekFirstLines(maxBytes: 65_536)
        let last = peekLastLine()
        var times: [Int64] = []
        var scanner = PostfixScanner(seed: .constant)
        var resolver = TimeResolver(zone: zone, firstYear: firstYear)
        resolver.beginFile(timeHint)
        func time(of line: [UInt8]) -> Int64? {
            var facts: [LineFact] = []
            scanner.scanLine(line.span, line: 0, into: &facts)
            return facts.first.flatMap { resolver.resolve($0.stamp, observed: 0) }
        }
        for line in first {
            if let moment = time(of: line) {
                times.append(moment)
                break
            }
        }
        if let last, let moment = time(of: last) { times.append(moment) }
        return InputOrderKey(
            first: times.first ?? .max,
            last: times.last ?? .max,
            rotation: -rotationNumber,
            name: path.string
        )
    }

    /// `mail.log.2.gz` has 2, `mail.log` 0.
    private var rotationNumber: Int {
        guard let name = path.lastComponent?.string else { return 0 }
        for part in name.split(separator: ".").reversed() {
            if let number = Int(part), number >= 0, number < 100_000 { return number }
            guard part.utf8.count <= 3 else { return 0 }
        }
        return 0
    }
}

private struct InputOrderKey: Comparable {
    var first: Int64
    var last: Int64
    var rotation: Int
    var name: String

    static func < (left: Self, right: Self) -> Bool {
        (left.first, left.last, left.rotation, left.name)
            < (right.first, right.last, right.rotation, right.name)
    }
}

/// The inputs in the order of their log's time.
public func ordered(_ inputs: [Input], timeZone: TimeZoneSetting, firstYear: Int?) -> [Input] {
    guard inputs.count > 1 else { return inputs }
    let zone = timeZone.rules()
    // `--year` is the year of the first record of all; for comparing, every file gets the year that
    // it would have alone, so that New Year does not turn the order around.
    return
        inputs
        .map { ($0, $0.orderKey(zone, $0.timeHint == .none ? firstYear : nil)) }
        .sorted { $0.1 < $1.1 }
        .map(\.0)
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
