public import Findings
import SafeText

/// How it goes with the daemon, at one moment: what its engine publishes about once a second, and
/// what pages, metrics and terminals are made of.
public struct LiveFigures: Sendable {
    /// A source, as far as it is read.
    public struct Source: Sendable, Hashable {
        public var name: String
        /// `file` or `journal`.
        public var kind: String
        /// Nothing that is there waits to be read.
        public var isCaughtUp: Bool
        /// Event time of its latest line: microseconds; nil before the first.
        public var lastMicroseconds: Int64?
        /// Why it cannot be read now, in words.
        public var failure: String?
    }

    /// What an account did in the last hour of the log.
    public struct Account: Sendable, Hashable {
        public var name: String
        public var sends: Int
        /// Sends to domains that it had neither written to nor heard from.
        public var unseen: Int
        public var receipts: Int
        public var lastMicroseconds: Int64
    }

    /// A minute of the log.
    public struct Minute: Sendable, Hashable {
        public var sends = 0
        public var unseen = 0
        public var receipts = 0
    }

    /// Whether the log tells what is needed: of the last submissions, how many had it.
    public struct Seen: Sendable, Hashable {
        public var submissions = 0
        public var subjects = 0
        public var recipients = 0
        /// Events of the last hour that ended with an outcome, and all that ended.
        public var outcomes = 0
        public var ended = 0
        /// Event time of the last submission: microseconds.
        public var lastSubmissionMicroseconds: Int64?
        /// What has become rare, or stopped: `subject`, `recipient`, `silence`.
        public var missing: [String] = []
    }

    /// A sink since the start.
    public struct Sink: Sendable, Hashable {
        public enum State: String, Sendable, Hashable { case working, failing, dead }
        public var name: String
        /// A word for metrics that tells nothing of where it sends: `webhook`, `mail-2`.
        public var label: String
        public var state = State.working
        public var failures = 0
        public var error: String?
    }

    /// Of this run, except for ``lines``.
    public struct Totals: Sendable, Hashable {
        /// Lines read in all runs on this state.
        public var lines: UInt64 = 0
        public var linesOfRun: UInt64 = 0
        public var messages: UInt64 = 0
        public var sends: UInt64 = 0
        public var receipts: UInt64 = 0
        public var unseen: UInt64 = 0
        /// Changes of alerts by their words: `opened`, `updated`, `reopened`, `resolved`.
        public var alerts: [String: UInt64] = [:]
        /// Notices by their names.
        public var notices: [String: UInt64] = [:]
        public var commitsFailed: UInt64 = 0
    }

    public var version = ""
    public var host = ""
    /// Wall clock: microseconds.
    public var startedMicroseconds: Int64 = 0
    public var publishedMicroseconds: Int64 = 0
    /// The log's time: microseconds; nil before the first line.
    public var logMicroseconds: Int64?
    public var openMessages = 0
    public var openAlerts = 0
    public var accountsKnown = 0
    public var pairsKnown = 0
    public var isCaughtUp = false
    /// Why the last commit failed; nil when it did not.
    public var commitFailure: String?
    public var totals = Totals()
    public var sources: [Source] = []
    public var minutes: [Minute] = []
    /// The busiest of the last hour, by sends.
    public var accounts: [Account] = []
    /// How many accounts sent something in the last hour.
    public var activeAccounts = 0
    public var seen = Seen()
    public var sinks: [Sink] = []
    /// The latest notices as JSON, the newest first.
    public var notices: [[UInt8]] = []

    public init() {}

    /// The whole as one JSON object.
    ///
    /// - Parameters:
    ///   - linesPerSecond: as the reader of the board knows it.
    ///   - pseudonyms: names are exchanged for these, if given.
    ///   - accountsMax: at most so many accounts.
    public func json(
        linesPerSecond: Int,
        pseudonyms: Pseudonyms? = nil,
        accountsMax: Int = 40
    ) -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("version", version)
        object.member("host", host)
        object.member("started", rfc3339(microseconds: startedMicroseconds))
        object.member("published", rfc3339(microseconds: publishedMicroseconds))
        object.member("log_time", logMicroseconds.map { rfc3339(microseconds: $0) })
        object.member("lines", totals.lines)
        object.member("lines_of_run", totals.linesOfRun)
        object.member("lines_per_second", linesPerSecond)
        object.member("caught_up", isCaughtUp)
        object.member("open_messages", openMessages)
        object.member("open_alerts", openAlerts)
        object.member("accounts_known", accountsKnown)
        object.member("pairs_known", pairsKnown)
        object.member("active_accounts", activeAccounts)
        object.member("commit_failure", commitFailure)
        object.member("hour", json: hourJSON())
        object.member("sources", json: Self.list(sources.map { $0.json() }))
        object.member("accounts", json: accountsJSON(pseudonyms, max: accountsMax))
        object.member("coverage", json: seen.json())
        object.member("sinks", json: Self.list(sinks.map { $0.json() }))
        let told = pseudonyms.map { names in notices.map { names.alert($0) } } ?? notices
        object.member("notices", json: Self.list(told))
        return object.finished()
    }

    /// The accounts alone, as a JSON array.
    public func accountsJSON(_ pseudonyms: Pseudonyms?, max: Int) -> [UInt8] {
        Self.list(accounts.prefix(max).map { $0.json(pseudonyms) })
    }

    /// A JSON array of values that are JSON already.
    public static func list(_ values: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "[")]
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += value
        }
        bytes.append(UInt8(ascii: "]"))
        return bytes
    }

    private func hourJSON() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("sends", minutes.reduce(0) { $0 + $1.sends })
        object.member("unseen", minutes.reduce(0) { $0 + $1.unseen })
        object.member("receipts", minutes.reduce(0) { $0 + $1.receipts })
        func series(_ name: String, _ value: (Minute) -> Int) {
            let text = minutes.map { String(value($0)) }.joined(separator: ",")
            object.member(name, json: Array("[\(text)]".utf8))
        }
        series("sends_by_minute") { $0.sends }
        series("unseen_by_minute") { $0.unseen }
        series("receipts_by_minute") { $0.receipts }
        return object.finished()
    }
}

extension LiveFigures.Source {
    func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("name", name)
        object.member("kind", kind)
        object.member("caught_up", isCaughtUp)
        object.member("last", lastMicroseconds.map { rfc3339(microseconds: $0) })
        object.member("failure", failure)
        return object.finished()
    }
}

extension LiveFigures.Account {
    public func json(_ pseudonyms: Pseudonyms?) -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("user.name", pseudonyms?.address(name) ?? name)
        object.member("sends", sends)
        object.member("unseen", unseen)
        object.member("receipts", receipts)
        object.member("last", rfc3339(microseconds: lastMicroseconds))
        return object.finished()
    }
}

extension LiveFigures.Seen {
    func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("submissions", submissions)
        object.member("subjects", subjects)
        object.member("recipients", recipients)
        object.member("outcomes", outcomes)
        object.member("ended", ended)
        object.member(
            "last_submission",
            lastSubmissionMicroseconds.map { rfc3339(microseconds: $0) }
        )
        object.member("missing", missing)
        return object.finished()
    }
}

extension LiveFigures.Sink {
    func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("name", name)
        object.member("state", state.rawValue)
        object.member("failures", failures)
        object.member("error", error)
        return object.finished()
    }
}
