import Findings
import SafeText

/// Watches what nobody else in the daemon can tell the sinks: that the state could not be written, and
/// that reading falls behind what is written. Times are microseconds of the wall clock.
struct HealthWatch: Sendable {
    /// So far behind, for so long without being read to the end: reading lags.
    static let lagMin: Int64 = 300_000_000
    static let lagForMin: Int64 = 60_000_000

    private var failingSince: Int64?
    private var cause = ""
    private var behindSince: Int64?
    /// All that was there at the start was read: what waits from now on comes while it runs.
    private var hasCaughtUp = false
    private var isLagTold = false

    /// Whether the last commit failed.
    var isFailing: Bool { failingSince != nil }

    /// Why it failed; nil when it did not.
    var failure: String? { isFailing ? cause : nil }

    /// A commit failed.
    mutating func failed(_ why: String, at now: Int64) {
        if failingSince == nil { failingSince = now }
        cause = why
    }

    /// A commit succeeded.
    ///
    /// - Returns: a notice if those before it did not: while the state cannot be written, none can
    ///   leave.
    mutating func succeeded(at now: Int64) -> Notice? {
        guard let since = failingSince else { return nil }
        failingSince = nil
        return Notice(
            name: "postern_state",
            id: "postern_state:\(since)",
            microseconds: now,
            severity: .high,
            message: "The state could not be written from \(rfc3339(microseconds: since)) to "
                + "\(rfc3339(microseconds: now)) (\(cause)); alerts of that time come only "
                + "now, and nothing that the logs still hold was lost."
        )
    }

    /// Looks at how far the sources are read.
    ///
    /// - Parameters:
    ///   - isCaughtUp: whether all of them are, to their ends.
    ///   - eventTime: the time of the latest line.
    mutating func saw(isCaughtUp: Bool, eventTime: Int64, at now: Int64) -> Notice? {
        guard !isCaughtUp else {
            hasCaughtUp = true
            behindSince = nil
            isLagTold = false
            return nil
        }
        guard hasCaughtUp, !isLagTold else { return nil }
        guard let since = behindSince, since <= now else {
            behindSince = now
            return nil
        }
        guard now - since >= Self.lagForMin, now - eventTime >= Self.lagMin else { return nil }
        isLagTold = true
        return Notice(
            name: "postern_lag",
            id: "postern_lag:\(since)",
            microseconds: now,
            severity: .medium,
            message:
                "Reading is \((now - eventTime) / 60_000_000) minutes behind what the mail server "
                + "writes, and alerts come as late: more lines come than this machine reads, or the "
                + "disk is slow."
        )
    }
}
