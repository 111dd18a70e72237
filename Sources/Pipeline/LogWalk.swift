public import LogSources
public import MailEvents
public import MailLog
public import Records

/// One line of a log, and what it says by itself.
public struct WalkedLine: Sendable {
    /// The facts, in their order; a line that says nothing may have one of kind `time`.
    public var facts: [LineFact] = []
    /// What the scanner made of it; only if ``LogWalk/isThorough`` is set.
    public var outcome = WalkedOutcome.foreign
    /// Event time: microseconds since 1970, UTC. Of a line without facts it is that of the last line
    /// that had some, which is right to the second; with ``LogWalk/isThorough``, it is its own, and
    /// nil if it has no stamp.
    public var microseconds: Int64?
    public var file = FileNumber(0)
    /// Counts the lines of its file from 1.
    public var number = 0
    /// Where the line begins in the text of its file; of a journal, the entry's sequence number.
    public var offset: UInt64 = 0
    /// Which of the chains it is of.
    public var chain = 0
    /// Names the line within the walk, whatever the other chains say: the chain above bit 40, below it
    /// the line's number in the chain.
    public var sequence: UInt64 = 0
}

/// What a scanner made of one line.
public enum WalkedOutcome: Sendable, Equatable {
    /// It gave facts.
    case read(Dialect)
    /// It is understood, and says nothing of a submission.
    case ignored(Dialect)
    /// Not understood; with the dialect, if the line told as much.
    case unparsed(UnparsedReason, Dialect?)
    /// No mail server's line.
    case foreign

    /// - Parameter counters: of this line alone.
    init(_ counters: ScanCounters) {
        let dialect = Dialect.allCases.first { counters[$0].lines > 0 }
        if let reason = UnparsedReason.allCases.first(where: { counters[$0] > 0 }) {
            self = .unparsed(reason, dialect)
        } else if let dialect {
            self = counters[dialect].read > 0 ? .read(dialect) : .ignored(dialect)
        } else {
            self = .foreign
        }
    }
}

/// Goes through inputs line by line, on the caller's thread: for the commands that tell of lines and
/// not of events. What they print must be found again, so lines have numbers here.
///
/// Chains are merged by event time, as a replay does; of one time the first chain comes first.
public struct LogWalk: Sendable {
    /// Lines outside are passed over; so are lines without a stamp before the first that has one, if
    /// the window has a start.
    public var window = TimeWindow()
    /// Whether the outcome and the own time of every line are wanted, also of those that say nothing.
    /// It makes the walk several times slower.
    public var isThorough = false
    /// Whether lines that were cut into parts are to be joined: the last part is given with the facts
    /// and the text of the whole line. Without it each part has a fact of its own.
    public var joinsParts = false
    /// Paths whose files say nothing of their time: what was copied from a pipe.
    public var hintless: Set<String> = []
    public private(set) var notes: [SourceNote] = []
    public private(set) var lineCount: UInt64 = 0
    /// Bytes of text that were read.
    public private(set) var byteCount: UInt64 = 0
    /// What the scanner made of the lines; with ``isThorough``, of those inside the window alone.
    public private(set) var counters = ScanCounters()
    /// The first and the last time of the lines inside the window.
    public private(set) var firstMicroseconds: Int64?
    public private(set) var lastMicroseconds: Int64?
    /// The files that were begun.
    public let files: FileTable

    fileprivate let zone: ZoneRules
    /// A scanner that has seen no line yet.
    fileprivate let pristine: LogScanner
    private var joiner = LineJoiner(seed: .constant)

    /// - Parameters:
    ///   - settings: zone, dialect and account domain; its rules do not count.
    public init(_ settings: EngineSettings) {
        zone = settings.timeZone.rules()
        pristine = LogScanner(
            seed: .constant,
            accountDomain: Array((settings.accountDomain ?? "").utf8),
            dialect: settings.dialect
        )
        files = FileTable()
    }

    /// Calls `body` for each line, until it says false.
    ///
    /// - Parameters:
    ///   - chains: each the inputs of one source; its stamps are read in their order.
    ///   - firstYear: of the first record, for stamps without a year.
    ///   - progress: told now and then how many bytes of text were read.
    /// - Throws: ``ReplayError/unknownYear(path:offset:)``, or when a source fails.
    public mutating func forEachLine(
        of chains: [InputChain],
        firstYear: Int? = nil,
        progress: (UInt64) -> Void = { _ in },
        _ body: (Span<UInt8>, inout WalkedLine) -> Bool
    ) throws(ReplayError) {
        let readers = chains.enumerated().map { index, chain in
            LineReader(
                ReplaySource(inputs: chain.inputs, files: files, threadCount: 0),
                self,
                chain: index,
                firstYear: chain.firstYear ?? firstYear
            )
        }
        try forEachLine(of: readers, progress: progress, body)
    }

    /// The same for any source, until it has nothing more.
    mutating func forEachLine<Source: RecordSource & ~Copyable>(
        of source: consuming Source,
        _ body: (Span<UInt8>, inout WalkedLine) -> Bool
    ) throws(ReplayError) {
        let reader = LineReader(consume source, self, chain: 0, firstYear: nil)
        try forEachLine(of: [reader], progress: { _ in }, body)
    }

    private mutating func forEachLine<Source: RecordSource & ~Copyable>(
        of readers: [LineReader<Source>],
        progress: (UInt64) -> Void,
        _ body: (Span<UInt8>, inout WalkedLine) -> Bool
    ) throws(ReplayError) {
        defer { for reader in readers { take(reader) } }
        var open = readers
        for index in open.indices.reversed() where try !open[index].advance() {
            open.remove(at: index)
        }
        var told: UInt64 = 0
        while let first = earliest(open) {
            let reader = open[first]
            lineCount += 1
            if let time = reader.line.microseconds {
                firstMicroseconds = min(firstMicroseconds ?? time, time)
                lastMicroseconds = max(lastMicroseconds ?? time, time)
            }
            guard call(reader, body) else { return }
            if try !reader.advance() { open.remove(at: first) }
            let count = byteCount + readers.reduce(0) { $0 + $1.byteCount }
            guard count - told >= 1 << 20 else { continue }
            told = count
            progress(count)
        }
    }

    private func earliest<Source: RecordSource & ~Copyable>(
        _ readers: [LineReader<Source>]
    ) -> Int? {
        guard readers.count > 1 else { return readers.isEmpty ? nil : 0 }
        return readers.indices.min { readers[$0].time < readers[$1].time }
    }

    private mutating func call<Source: RecordSource & ~Copyable>(
        _ reader: LineReader<Source>,
        _ body: (Span<UInt8>, inout WalkedLine) -> Bool
    ) -> Bool {
        // A second reference to the storage while the line is looked at; nothing is copied.
        let bytes = reader.bytes
        let text = bytes.span.extracting(reader.range)
        guard joinsParts, let time = reader.line.microseconds,
            let part = reader.line.facts.first(where: { $0.kind == .part }),
            let whole = joiner.take(part, text, microseconds: time)
        else { return body(text, &reader.line) }
        reader.line.facts = whole.facts
        return body(whole.text.span, &reader.line)
    }

    private mutating func take<Source: RecordSource & ~Copyable>(_ reader: LineReader<Source>) {
        notes += reader.notes
        byteCount += reader.byteCount
        counters += reader.counters
    }

    /// The path of the file that was begun as the `index`-th.
    public func path(ofFile index: Int) -> String? { files[FileNumber(UInt32(index))]?.path }

    fileprivate func hint(of file: FileNumber) -> TimeHint {
        guard let description = files[file], !hintless.contains(description.path) else {
            return .none
        }
        return description.timeHint
    }

    fileprivate func isInside(_ microseconds: Int64?) -> Bool {
        guard let microseconds else { return window.start == .min }
        return microseconds >= window.start && microseconds < window.end
    }
}

/// Gives the lines of one source one after the other.
private final class LineReader<Source: RecordSource & ~Copyable> {
    private var source: Source
    private let walk: LogWalk
    private var batch = Batch(byteCapacity: 1 << 20, lineCapacity: 8_192)
    /// The next line of the batch.
    private var next = 0
    private var scanner: LogScanner
    private var resolver: TimeResolver
    private var hasBegun = false
    private var lastTime: Int64?
    private(set) var byteCount: UInt64 = 0
    private(set) var counters = ScanCounters()
    private(set) var notes: [SourceNote] = []
    /// The present line, and where it stands in ``bytes``.
    var line = WalkedLine()
    private(set) var range = 0..<0

    init(_ source: consuming Source, _ walk: LogWalk, chain: Int, firstYear: Int?) {
        self.source = source
        self.walk = walk
        scanner = walk.pristine
        resolver = TimeResolver(zone: walk.zone, firstYear: firstYear)
        line.chain = chain
        line.sequence = UInt64(chain) << 40
    }

    var bytes: [UInt8] { batch.bytes }

    /// The time by which the present line has its place among those of other sources.
    var time: Int64 { lastTime ?? .min }

    /// Goes to the next line inside the window; false at the end.
    func advance() throws(ReplayError) -> Bool {
        while true {
            while next < batch.lines.count {
                let index = next
                next += 1
                if try read(index) { return true }
            }
            if !walk.isThorough { counters += scanner.takeCounters() }
            guard try fill() else { return false }
        }
    }

    private func fill() throws(ReplayError) -> Bool {
        // The last batch of a replay says so, and the source is not to be asked again.
        if hasBegun, batch.end == .endOfInput { return false }
        let fill: Fill
        do {
            fill = try source.fill(&batch)
        } catch {
            throw .source(error)
        }
        notes += source.takeNotes()
        next = 0
        guard fill == .lines else { return false }
        byteCount += UInt64(batch.byteCount)
        if !hasBegun || batch.file != line.file {
            hasBegun = true
            line.file = batch.file
            line.number = 0
            resolver.beginFile(walk.hint(of: batch.file))
        }
        return true
    }

    /// - Returns: whether the line lies inside the window.
    private func read(_ index: Int) throws(ReplayError) -> Bool {
        range = batch.lines[index].indices
        // A second reference to the storage; nothing is copied.
        let bytes = batch.bytes
        let text = bytes.span.extracting(range)
        line.number += 1
        line.sequence += 1
        line.offset = batch.offset(ofLine: index)
        line.facts.removeAll(keepingCapacity: true)
        scanner.scanLine(text, line: 0, into: &line.facts)
        if let stamp = line.facts.first?.stamp ?? ownStamp(of: text) {
            let time = resolver.resolve(stamp, observed: batch.observedMicroseconds)
            guard let time else {
                throw .unknownYear(path: walk.files[batch.file]?.path ?? "-", offset: line.offset)
            }
            line.microseconds = time
        } else if walk.isThorough {
            line.microseconds = nil
        }
        lastTime = line.microseconds ?? lastTime
        let isInside = walk.isInside(lastTime)
        if walk.isThorough {
            let ofLine = scanner.takeCounters()
            line.outcome = WalkedOutcome(ofLine)
            if isInside { counters += ofLine }
        }
        return isInside
    }

    /// The stamp of a line that gave no facts: the scanner says nothing of a second that it has
    /// spoken of before.
    private func ownStamp(of text: Span<UInt8>) -> Stamp? {
        guard walk.isThorough else { return nil }
        var probe = walk.pristine
        var facts: [LineFact] = []
        probe.scanLine(text, line: 0, into: &facts)
        return facts.first?.stamp
    }
}
