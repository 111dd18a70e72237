import Alerting
import Crypto
import Findings
import SafeText

/// What the settings say of the canary.
public struct CanarySettings: Sendable, Hashable {
    /// From one to the next.
    public var everyNanoseconds: UInt64
    /// Where the syslog daemon of this machine listens.
    public var socket: String

    /// Longest time from a line's being written to its being read, and from then to the answers of
    /// the sinks.
    static let waitNanosecondsMax: UInt64 = 120_000_000_000

    public init(everyNanoseconds: UInt64, socket: String) {
        precondition(everyNanoseconds > 0)
        self.everyNanoseconds = everyNanoseconds
        self.socket = socket
    }

    var waitNanoseconds: UInt64 { min(Self.waitNanosecondsMax, everyNanoseconds / 2) }
}

/// A line that the daemon has logged to see whether alerts would come: it must be read from a source
/// again, a rule must raise an alert because of it, and the outbox must take that to sinks that could
/// send it.
///
/// Pure: times and what happened come in. Times are monotonic nanoseconds.
///
/// Nobody else can make such a line: it bears an HMAC under a key that lives in this process alone, and
/// only the one that is on its way counts, once. The key is not kept: what a former run wrote, and what
/// somebody copies, is no canary of this one.
struct Canary {
    enum State: Equatable {
        case resting
        /// A line is on its way to a source.
        case written(text: String, microseconds: Int64, until: UInt64)
        /// The line has come, and its alert is in the outbox.
        case dispatched(id: String, waiting: [String], until: UInt64)
    }

    /// What of the way is broken.
    enum Break: Equatable {
        case notWritten(String)
        case notRead(since: Int64)
        case notRaised
        /// Sinks, and what each says.
        case notReached([String])
    }

    static let tag = "postern-canary"

    let settings: CanarySettings
    private let key = SymmetricKey(size: .bits256)
    private(set) var state = State.resting
    private(set) var number: UInt64 = 0
    private var nextAt: UInt64
    private var failures: [String] = []
    /// It was told that the way is broken, and nothing has come through since.
    private var isBroken = false

    init(_ settings: CanarySettings, now: UInt64) {
        self.settings = settings
        // Not before the daemon has settled.
        nextAt = now &+ min(settings.everyNanoseconds, 10_000_000_000)
    }

    func isDue(_ now: UInt64) -> Bool { state == .resting && now >= nextAt }

    /// When there is something to do.
    var wakeAt: UInt64 {
        switch state {
        case .resting: nextAt
        case .written(_, _, let until), .dispatched(_, _, let until): until
        }
    }

    /// Begins: a new line.
    ///
    /// - Returns: its text.
    mutating func begin(_ now: UInt64, microseconds: Int64) -> String {
        number += 1
        nextAt = now &+ settings.everyNanoseconds
        let head = "canary \(number) of \(rfc3339(microseconds: microseconds))"
        let code = HMAC<SHA256>.authenticationCode(for: Array(head.utf8), using: key)
        let text = head + " " + hex(Array(code))
        state = .written(
            text: text,
            microseconds: microseconds,
            until: now &+ settings.waitNanoseconds
        )
        return text
    }

    /// The line has come, and its alert goes to these sinks.
    mutating func dispatched(_ id: String, to sinks: [String], _ now: UInt64) {
        failures = []
        state = .dispatched(id: id, waiting: sinks, until: now &+ settings.waitNanoseconds)
    }

    /// A sink has answered.
    mutating func answered(_ answer: DispatchMarks.Answer) {
        guard case .dispatched(let id, var waiting, let until) = state, id == answer.alert else {
            return
        }
        waiting.removeAll { $0 == answer.sink }
        if !answer.isTaken { failures.append("\(shown(answer.sink)) (\(shown(answer.words)))") }
        state = .dispatched(id: id, waiting: waiting, until: until)
    }

    /// What it came to, if it has ended: then the next is waited for.
    mutating func end(_ now: UInt64) -> (broken: Break?, id: String?)? {
        switch state {
        case .resting: return nil
        case .written(_, let microseconds, let until):
            guard now >= until else { return nil }
            state = .resting
            return (.notRead(since: microseconds), nil)
        case .dispatched(let id, let waiting, let until):
            guard waiting.isEmpty || now >= until else { return nil }
            state = .resting
            let silent = waiting.map { "\(shown($0)) (no answer)" }
            let broken = failures + silent
            return (broken.isEmpty ? nil : .notReached(broken), id)
        }
    }

    /// It goes no further.
    mutating func fail() { state = .resting }

    /// - Returns: the notice of a way that is broken, the first time only; whether it is whole again.
    mutating func note(
        _ broken: Break?,
        microseconds: Int64
    ) -> (notice: Notice?, isWhole: Bool) {
        guard let broken else {
            defer { isBroken = false }
            return (nil, isBroken)
        }
        guard !isBroken else { return (nil, false) }
        isBroken = true
        let notice = Notice(
            name: "postern_canary",
            id: "postern_canary:\(microseconds)",
            microseconds: microseconds,
            severity: .high,
            message: broken.words(settings)
        )
        return (notice, false)
    }
}

extension Canary.Break {
    func words(_ settings: CanarySettings) -> String {
        switch self {
        case .notWritten(let why):
            "The canary, with which Postern tries whether alerts would come, could not be logged: "
                + "\(shown(why)). Is the syslog daemon running?"
        case .notRead(let since):
            "The canary that was logged to \(settings.socket) at \(rfc3339(microseconds: since)) was "
                + "read from no source: what the mail server logs may not be read either. Look at the "
                + "syslog daemon, and with postern doctor at the sources."
        case .notRaised:
            "The canary was read, and its rule raised no alert: this program is not as it should be. "
                + "Restart it, and tell those who made it."
        case .notReached(let sinks):
            "The canary came as far as the outbox; these sinks could not be reached: "
                + sinks.joined(separator: ", ") + ". Alerts for them wait; try postern sinks test."
        }
    }
}
