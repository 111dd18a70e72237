import CSystemd
import Glibc

/// Who started this process and wants to hear how it goes: systemd, or whoever else listens at
/// `NOTIFY_SOCKET`, a path or an abstract name (sd_notify(3)).
///
/// A manager that cannot be told is not told: it draws its own conclusions, and the work goes on.
public struct ServiceManager: Sendable {
    /// What there is to tell.
    public enum State: Sendable, Hashable {
        /// The start, or a reload, is done.
        case ready
        /// A reload begins now. `Type=notify-reload` wants to know when that was.
        case reloading(monotonicNanoseconds: UInt64)
        case stopping
        /// For the watchdog.
        case alive
        /// One line for people, without text from a log.
        case status(String)

        fileprivate var assignments: String {
            switch self {
            case .ready: "READY=1\n"
            case .reloading(let nanoseconds):
                "RELOADING=1\nMONOTONIC_USEC=\(nanoseconds / 1_000)\n"
            case .stopping: "STOPPING=1\n"
            case .alive: "WATCHDOG=1\n"
            case .status(let words): "STATUS=\(words)\n"
            }
        }
    }

    /// Whether there is one.
    public let isThere: Bool
    /// When it has not heard ``State/alive`` for so long it ends the process (`WatchdogSec=`); nil: it
    /// never does.
    public let watchdogNanoseconds: UInt64?

    /// That of this process, as its environment says.
    public init() {
        isThere = unsafe getenv("NOTIFY_SOCKET") != nil
        var microseconds: UInt64 = 0
        // Also looks whether `WATCHDOG_PID` means this process.
        let isWatched = unsafe sd_watchdog_enabled(0, &microseconds) > 0
        watchdogNanoseconds =
            isWatched && microseconds <= UInt64.max / 1_000 ? microseconds * 1_000 : nil
    }

    /// Tells it all of that at once. Any thread may.
    public func tell(_ states: [State]) {
        guard isThere else { return }
        _ = unsafe sd_notify(0, states.map(\.assignments).joined())
    }
}
