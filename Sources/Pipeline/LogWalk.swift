import LinuxIO
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
    /// Counts the lines of the walk from 1.
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

    private let zone: ZoneRules
    private var scanner: LogScanner
    /// A scanner that has seen no line yet: it tells the time of each that has a stamp.
    private let pristine: LogScanner
    private var joiner = LineJoiner(seed: .constant)
    private var sequence: UInt64 = 0
    private var lastTime: Int64?

    /// - Parameters:
    ///   - settings: zone, dialect and account domain; its rules do not count.
    public init(_ settings: EngineSettings) {
        zone = settings.timeZone.rules()
        pristine = LogScanner(
            seed: .constant,
            accountDomain: Array((settings.accountDomain ?? "").utf8),
            dialect: settings.dialect
        )
        self.scanner = pristine
        files = FileTable()
    }

    /// Calls `body` for each line of one source's inputs, in their order, until it says false.
    ///
    /// - Parameters:
    ///   - chain: one source: its stamps are read in this order.
    ///   - firstYear: of the first record, for stamps without a year.
    ///   - progress: told after each batch how many bytes of text were read.
    /// - Throws: ``ReplayError/unknownYear(path:offset:)``, or when the source fails.
    public mutating func forEachLine(
        of chain: InputChain,
        firstYear: Int? = nil,
        progress: (UInt64) -> Void = { _ in },
        _ body: (Span<UInt8>, inout WalkedLine) -> Bool
    ) throws(ReplayError) {
        let source = ReplaySource(inputs: chain.inputs, files: files, threadCount: 0)
        try forEachLine(
            of: source,
            firstYear: chain.firstYear ?? firstYear,
            progress: progress,
            body
        )
    }

    /// The same for any source, until it has nothing more.
    mutating func forEachLine(
        of source: consuming some RecordSource & ~Copyable,
        firstYear: Int? = nil,
        progress: (UInt64) -> Void = { _ in },
        _ body: (Span<UInt8>, inout WalkedLine) -> Bool
    ) throws(ReplayError) {
        var batch = Batch(byteCapacity: 1 << 20, lineCapacity: 8_192)
        var line = WalkedLine()
        var resolver = TimeResolver(zone: zone, firstYear: firstYear)
        lastTime = nil
        var isFirst = true
        while true {
            let fill: Fill
            do {
                fill = try source.fill(&batch)
            } catch {
                throw .source(error)
            }
            notes += source.takeNotes()
            guard fill == .lines else { return }
            if isFirst || batch.file != line.file {
                isFirst = false
                line.file = batch.file
                line.number = 0
                resolver.beginFile(hint(of: batch.file))
            }
            guard try take(batch, &line, &resolver, body) else { return }
            byteCount += UInt64(batch.byteCount)
            progress(byteCount)
            if batch.end == .endOfInput { return }
        }
    }

    /// The path of the file that was begun as the `index`-th.
    public func path(ofFile index: Int) -> String? { files[FileNumber(UInt32(index))]?.path }

    private func hint(of file: FileNumber) -> TimeHint {
        guard let description = files[file], !hintless.contains(description.path) else {
            return .none
        }
        return description.timeHint
    }

    /// - Returns: whether to go on.
    private mutating func take(
        _ batch: borrowing Batch,
        _ line: inout WalkedLine,
        _ resolver: inout TimeResolver,
        _ body: (Span<UInt8>, inout WalkedLine) -> Bool
    ) throws(ReplayError) -> Bool {
        let bytes = batch.bytes.span
        for index in batch.lines.indices {
            let text = bytes.extracting(batch.lines[index].indices)
            line.number += 1
            sequence += 1
            line.sequence = sequence
            line.offset = batch.offset(ofLine: index)
            line.facts.removeAll(keepingCapacity: true)
            scanner.scanLine(text, line: 0, into: &line.facts)
            if let stamp = line.facts.first?.stamp ?? ownStamp(of: text) {
                let time = resolver.resolve(stamp, observed: batch.observedMicroseconds)
                guard let time else {
                    throw .unknownYear(path: files[batch.file]?.path ?? "-", offset: line.offset)
                }
                line.microseconds = time
            } else if isThorough {
                line.microseconds = nil
            }
            lastTime = line.microseconds ?? lastTime
            guard isInside(lastTime) else {
                if isThorough { _ = scanner.takeCounters() }
                continue
            }
            if let time = line.microseconds {
                firstMicroseconds = min(firstMicroseconds ?? time, time)
                lastMicroseconds = max(lastMicroseconds ?? time, time)
            }
            lineCount += 1
            if isThorough {
                let ofLine = scanner.takeCounters()
                line.outcome = WalkedOutcome(ofLine)
                counters += ofLine
            }
            if joinsParts, let whole = join(text, line) {
                line.facts = whole.facts
                guard body(whole.text.span, &line) else { return false }
            } else {
                guard body(text, &line) else { return false }
            }
        }
        if !isThorough { counters += scanner.takeCounters() }
        return true
    }

    private mutating func join(
        _ text: Span<UInt8>,
        _ line: WalkedLine
    ) -> (text: [UInt8], facts: [LineFact])? {
        guard let time = line.microseconds, let part = line.facts.first(where: { $0.kind == .part })
        else { return nil }
        return joiner.take(part, text, microseconds: time)
    }

    /// The stamp of a line that gave no facts: the scanner says nothing of a second that it has
    /// spoken of before.
    private func ownStamp(of text: Span<UInt8>) -> Stamp? {
        guard isThorough else { return nil }
        var probe = pristine
        var facts: [LineFact] = []
        probe.scanLine(text, line: 0, into: &facts)
        return facts.first?.stamp
    }

    private func isInside(_ microseconds: Int64?) -> Bool {
        guard let microseconds else { return window.start == .min }
        return microseconds >= window.start && microseconds < window.end
    }
}
