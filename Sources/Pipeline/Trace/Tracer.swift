public import LogSources
import MailLog
import Records

/// What a trace came to.
public struct TraceResult: Sendable {
    /// Each with all messages that belong together, the newest last.
    public var traces: [Trace] = []
    /// Messages that met the conditions, also those that are not shown.
    public var foundCount = 0
    /// What the logs cover: microseconds since 1970, UTC; nil if no line has a stamp.
    public var firstMicroseconds: Int64?
    public var lastMicroseconds: Int64?
    public var lineCount: UInt64 = 0
    public var isOfNoLog = false
    public var notes: [SourceNote] = []

    public init() {}
}

/// Messages that belong together: what a user handed in, what filters and further instances made of
/// it, and what came back.
public struct Trace: Sendable {
    /// In the order in which they began; the first is the one that all come from, as far as the log
    /// tells.
    public var messages: [TracedMessage]
    /// Lines of other programs that name them.
    public var mentions: [TracedLine]
    /// Of a bounce: what the log knows of the message that it is about.
    public var original: BounceOriginal?

    /// All lines in the order of their time, each once.
    public var lines: [TracedLine] {
        var seen: Set<UInt64> = []
        let all = messages.flatMap(\.lines) + mentions
        return all.filter { seen.insert($0.sequence).inserted }
            .sorted { ($0.microseconds, $0.sequence) < ($1.microseconds, $1.sequence) }
    }
}

/// What a log knows of the message that a bounce from elsewhere is about.
public enum BounceOriginal: Sendable, Equatable {
    /// The bounce's lines do not say what it is about.
    case unnamed
    /// A message with this subject was handed in with a login before.
    case sent(subject: String, queueID: String)
    /// None was, though the log has the subjects of what users hand in.
    case neverPassed(subject: String)
    /// The log does not have the subjects of what users hand in, so it cannot tell.
    case untold(subject: String)
}

/// Finds messages in logs and all that is said of them: `postern trace`.
///
/// The logs are read several times: first for the messages that meet the conditions, then for their
/// lines, and again as long as these name further messages. Memory does not grow with the logs.
public struct Tracer: Sendable {
    public var window = TimeWindow()
    /// Paths whose files say nothing of their time.
    public var hintless: Set<String> = []
    private let settings: EngineSettings

    private static let passesMax = 6
    /// A bounce's original is looked for under so many subjects.
    private static let subjectsMax = 4

    public init(_ settings: EngineSettings) { self.settings = settings }

    /// - Parameters:
    ///   - chains: each the inputs of one source; they must be such that can be read again.
    ///   - progress: told after each batch how many bytes of text were read in this pass, and which
    ///     pass it is.
    public func trace(
        _ query: TraceQuery,
        in chains: [InputChain],
        progress: (UInt64, Int) -> Void = { _, _ in }
    ) throws(ReplayError) -> TraceResult {
        var result = TraceResult()
        let finder = try find(query, chains) {
            progress($0, 1)
        } report: { walk in
            result.firstMicroseconds = walk.firstMicroseconds
            result.lastMicroseconds = walk.lastMicroseconds
            result.lineCount = walk.lineCount
            result.isOfNoLog = walk.counters.isOfNoLog
            result.notes = walk.notes
        }
        result.foundCount = finder.foundCount
        guard !finder.hits.isEmpty else { return result }
        var wanted = TraceGroups(hits: finder.hits)
        var pass = 2
        repeat {
            try collect(&wanted, chains) { progress($0, pass) }
            pass += 1
        } while wanted.needsAnotherPass && pass <= Self.passesMax
        result.traces = wanted.traces()
        try judgeBounces(&result, chains, finder) { progress($0, pass) }
        return result
    }

    // MARK: Passes

    private func find(
        _ query: TraceQuery,
        _ chains: [InputChain],
        _ progress: (UInt64) -> Void,
        report: (LogWalk) -> Void = { _ in }
    ) throws(ReplayError) -> TraceFinder {
        let conditions = TraceConditions(query, accountDomain: settings.accountDomain)
        var finder = TraceFinder(conditions, limit: query.limit)
        var walk = LogWalk(settings)
        walk.window = window
        walk.hintless = hintless
        walk.joinsParts = true
        try walk.forEachLine(of: chains, firstYear: settings.firstYear, progress: progress) {
            (text, line) in
            finder.take(text, line)
            return true
        }
        report(walk)
        finder.finish()
        return finder
    }

    private func collect(
        _ wanted: inout TraceGroups,
        _ chains: [InputChain],
        _ progress: (UInt64) -> Void
    ) throws(ReplayError) {
        var collector = wanted.collector()
        var walk = LogWalk(settings)
        walk.window = window
        walk.hintless = hintless
        walk.joinsParts = true
        walk.isThorough = true
        let files = walk.files
        try walk.forEachLine(of: chains, firstYear: settings.firstYear, progress: progress) {
            (text, line) in
            collector.take(text, line, path: files[line.file]?.path ?? "-")
            return true
        }
        wanted.take(&collector)
    }

    // MARK: Bounces

    /// Bounces that came in from elsewhere: looks for the message that they are about.
    private func judgeBounces(
        _ result: inout TraceResult,
        _ chains: [InputChain],
        _ finder: borrowing TraceFinder,
        _ progress: (UInt64) -> Void
    ) throws(ReplayError) {
        let tellsSubjects =
            finder.submissionCount > 0 && finder.subjectCount * 10 >= finder.submissionCount * 9
        var looked = 0
        for index in result.traces.indices where result.traces[index].isBounceFromElsewhere {
            guard let subject = result.traces[index].messages[0].attachedSubjects.first else {
                result.traces[index].original = .unnamed
                continue
            }
            guard tellsSubjects, looked < Self.subjectsMax else {
                result.traces[index].original = .untold(subject: subject)
                continue
            }
            looked += 1
            var query = TraceQuery()
            query.subject = subject
            query.wantsWholeSubject = true
            query.limit = 1_000
            let found = try find(query, chains, progress)
            let bounce = result.traces[index].messages[0].firstMicroseconds
            let original = found.hits.values
                .filter { $0.isSubmission && $0.microseconds <= bounce }
                .max { $0.isBefore($1) }
            result.traces[index].original =
                original.map {
                    .sent(
                        subject: subject,
                        queueID: String(decoding: $0.queueID, as: UTF8.self)
                    )
                } ?? .neverPassed(subject: subject)
        }
    }
}
