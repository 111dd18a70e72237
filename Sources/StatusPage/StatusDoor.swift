import LinuxIO
import SafeText
import SystemPackage

/// The socket file of the page, and who waits there for the first connection.
///
/// Until then there are no tasks: with the first, libdispatch begins to wake up once a second to look
/// at its threads (`_dispatch_workq_monitor_pools` in its `src/event/workqueue.c`), for as long as the
/// process lives, whether anybody looks at the page or not.
final class StatusDoor: Sendable {
    private let listener: UnixListener
    private let stopped: EventCounter
    private static let pauseNanoseconds: UInt64 = 1_000_000_000

    /// Makes the socket: for the user and the group of the daemon.
    ///
    /// - Parameter path: its folder is there, and nobody listens on a socket of that name.
    init(_ path: FilePath) throws(StatusServerError) {
        guard let name = path.lastComponent else {
            throw StatusServerError(description: "\(shown(path.string)): the socket has no name")
        }
        do {
            stopped = try EventCounter()
            listener = try UnixListener(
                folder: path.removingLastComponent(),
                name: name,
                mode: 0o660
            )
            // Whatever the umask took of it.
            try SystemCalls().setMode(of: path, 0o660)
        } catch {
            throw StatusServerError(description: shown("\(error)"))
        }
    }

    /// Waits until somebody connects.
    ///
    /// - Returns: false once ``stop()`` was called.
    func awaitsConnection() -> Bool {
        var set = PollSet()
        let end = set.add(stopped)
        let connection = set.add(listener)
        while true {
            // Only a lack of memory can make it fail.
            guard (try? set.wait(atMost: nil)) != nil else { return false }
            if set.isReady(end) { return false }
            if set.isReady(connection) { return true }
        }
    }

    /// A descriptor of the socket, of the caller's.
    func socket() throws(StatusServerError) -> CInt {
        do {
            return try listener.duplicate()
        } catch {
            throw StatusServerError(description: shown("\(error)"))
        }
    }

    /// Hangs up on one who waits, and lets a second pass, so that nobody keeps the processor busy.
    func refuse() {
        do {
            _ = try listener.accept()
        } catch {}
        var set = PollSet()
        _ = set.add(stopped)
        _ = try? set.wait(atMost: Self.pauseNanoseconds)
    }

    func stop() { stopped.ring() }
}
