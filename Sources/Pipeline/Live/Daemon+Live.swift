import Alerting
import Detection
import Findings
import LinuxIO
import LogSources
import MailLog
import Memory
import SafeText

/// What the daemon keeps for those who look, besides what the engine knows.
struct LiveNotes: Sendable {
    /// Something changed since the figures were last published.
    var isStale = true
    /// Monotonic nanoseconds.
    var nextPublish: UInt64 = 0
    var startedMicroseconds: Int64 = 0
    /// Lines of earlier runs.
    var linesBefore: UInt64 = 0
    /// By the names of sources: why they cannot be read, and when that was heard last.
    var failures: [String: (words: String, nanoseconds: UInt64)] = [:]
    var sinks: [String: LiveFigures.Sink] = [:]
    var commitsFailed: UInt64 = 0
}

extension Daemon {
    private static let publishNanoseconds: UInt64 = 1_000_000_000
    /// A source that fails says so every second.
    private static let failureNanoseconds: UInt64 = 5_000_000_000
    private static let accountsShown = 40
    /// Lines so young are those that come as they are written, though some of them wait just now.
    private static let freshMicroseconds: Int64 = 10_000_000

    /// Puts fresh figures on the board, at most once a second and only when something changed.
    mutating func publishIfDue(_ merger: borrowing Merger) {
        guard live.isStale else { return }
        let now = Clocks.monotonicNanoseconds()
        guard now >= live.nextPublish else { return }
        live.nextPublish = now &+ Self.publishNanoseconds
        let before = live.failures.count
        live.failures = live.failures.filter {
            now &- $0.value.nanoseconds < Self.failureNanoseconds
        }
        // Whether one that failed is heard of again shows later.
        live.isStale = before > 0
        configuration.board.publish(figures(merger), at: now)
    }

    /// Gives all accounts to who asked for them.
    mutating func answerBoard() {
        guard configuration.board.isAsked else { return }
        let time = engine.detector.now
        if time > 0 { engine.activity.move(to: time) }
        configuration.board.put(
            LiveAccounts(
                nanoseconds: Clocks.monotonicNanoseconds(),
                accounts: engine.activity.accounts.map(LiveFigures.Account.init),
                sendsOfOthers: engine.activity.sendsOfOthers
            )
        )
    }

    private mutating func figures(_ merger: borrowing Merger) -> LiveFigures {
        var figures = LiveFigures()
        figures.version = configuration.posternVersion
        figures.host = configuration.host
        figures.startedMicroseconds = live.startedMicroseconds
        figures.publishedMicroseconds = Clocks.realtimeMicroseconds()
        let time = engine.detector.now
        if time > 0 {
            engine.activity.move(to: time)
            figures.logMicroseconds = time
        }
        figures.openMessages = engine.assembler.openCount
        figures.openAlerts = output.open.count
        figures.accountsKnown = engine.detector.memory.accountCount
        figures.pairsKnown = engine.detector.memory.pairCount
        let fresh = figures.publishedMicroseconds - Self.freshMicroseconds
        figures.isCaughtUp = merger.isCaughtUp || time > fresh
        figures.commitFailure = healthFailure
        figures.totals = totals()
        for (index, source) in configuration.sources.enumerated() {
            let last = engine.latestTime(lane: index)
            figures.sources.append(
                LiveFigures.Source(
                    name: source.name,
                    kind: source.kind.word,
                    isCaughtUp: merger.isCaughtUp(index) || last > fresh,
                    lastMicroseconds: last > 0 ? last : nil,
                    failure: live.failures[source.name]?.words
                )
            )
        }
        figures.minutes = engine.activity.lastMinutes.map {
            LiveFigures.Minute(
                sends: Int($0.sends),
                unseen: Int($0.unseen),
                receipts: Int($0.receipts)
            )
        }
        figures.accounts = engine.activity.busiest(Self.accountsShown).map(LiveFigures.Account.init)
        figures.activeAccounts = engine.activity.accounts.count
        figures.seen = engine.seen
        figures.sinks = configuration.sinks.map { sink in
            live.sinks[sink.name]
                ?? LiveFigures.Sink(name: sink.name, label: label(ofSink: sink.name))
        }
        figures.notices = output.lastNotices
        return figures
    }

    private func totals() -> LiveFigures.Totals {
        let run = engine.activity.total
        var totals = LiveFigures.Totals()
        totals.lines = engine.lineCount
        totals.linesOfRun = engine.lineCount - min(engine.lineCount, live.linesBefore)
        totals.messages = run.messages
        totals.sends = run.sends
        totals.receipts = run.receipts
        totals.unseen = run.unseen
        totals.alerts = output.alertCounts
        totals.notices = output.noticeCounts
        totals.commitsFailed = live.commitsFailed
        return totals
    }

    private func label(ofSink name: String) -> String { configuration.sinkLabels[name] ?? "sink" }

    /// A source cannot be read, for the board.
    mutating func noteLive(_ failure: SourceError, ofSource name: String) {
        live.failures[name] = (shown("\(failure.cause)"), Clocks.monotonicNanoseconds())
        live.isStale = true
    }

    /// What a sink did, for the board.
    mutating func noteLive(_ event: SinkEvent) {
        func change(_ name: String, _ body: (inout LiveFigures.Sink) -> Void) {
            var sink =
                live.sinks[name] ?? LiveFigures.Sink(name: name, label: label(ofSink: name))
            body(&sink)
            live.sinks[name] = sink
        }
        live.isStale = true
        switch event {
        case .failed(let name, let error):
            change(name) {
                $0.state = .failing
                $0.failures = 1
                $0.error = error
            }
        case .dead(let name, let failures, let error):
            change(name) {
                $0.state = .dead
                $0.failures = failures
                $0.error = error
            }
        case .recovered(let name, _):
            change(name) {
                $0.state = .working
                $0.failures = 0
                $0.error = nil
            }
        case .abandoned(let name, _, _, let error), .outboxUnreadable(let name, let error):
            change(name) { $0.error = error }
        }
    }
}

extension Engine {
    /// Whether the log tells what is needed.
    fileprivate var seen: LiveFigures.Seen {
        var seen = LiveFigures.Seen()
        seen.submissions = Int(coverage.windowCounts.submissions)
        seen.subjects = Int(coverage.windowCounts.parts[Coverage.Part.subject.rawValue])
        seen.recipients = Int(coverage.windowCounts.parts[Coverage.Part.recipient.rawValue])
        for minute in activity.lastMinutes {
            seen.outcomes += Int(minute.settled)
            seen.ended += Int(minute.settled &+ minute.unsettled)
        }
        seen.lastSubmissionMicroseconds = coverage.lastSubmission
        seen.missing = Coverage.Part.allCases.filter { coverage.isBlind[$0.rawValue] }
            .map(\.name)
        if coverage.silenceIsTold { seen.missing.append("silence") }
        return seen
    }
}

extension LiveFigures.Account {
    fileprivate init(_ account: Activity.Account) {
        name = account.name
        sends = Int(account.hour.sends)
        unseen = Int(account.hour.unseen)
        receipts = Int(account.hour.receipts)
        lastMicroseconds = account.lastMicroseconds
    }
}

extension FollowedSource.Kind {
    fileprivate var word: String {
        switch self {
        case .file: "file"
        case .journal: "journal"
        }
    }
}
