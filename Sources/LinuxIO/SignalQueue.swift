import CLinux
import Glibc
import SystemPackage

/// Signals as something to read: a signalfd.
///
/// Make it before the first thread starts: threads inherit the mask that keeps the signals from
/// being delivered the other way (signalfd(2)).
public struct SignalQueue: ~Copyable, Sendable {
    let descriptor: Descriptor

    /// For waiting on it beside others: readable when a signal came.
    public var fileDescriptor: CInt { descriptor.number }

    /// - Parameter signals: their numbers, as `SIGTERM`.
    public init(
        _ signals: [Int32],
        calls: SystemCalls = SystemCalls()
    ) throws(SystemCallError) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals {
            let result = unsafe sigaddset(&set, signal)
            precondition(result == 0, "no such signal")
        }
        let masked = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        precondition(masked == 0)
        let number = try calls.perform(.signalfd, nil) { _ in
            unsafe Int(
                signalfd(
                    -1,
                    &set,
                    CInt(SFD_CLOEXEC | SFD_NONBLOCK)
                )
            )
        }
        descriptor = Descriptor(owning: CInt(number), calls: calls, path: nil)
    }

    /// The next signal that came, or nil when there is none; never waits.
    public func next() throws(SystemCallError) -> Int32? {
        // struct signalfd_siginfo has 128 bytes and begins with the signal's number.
        var info = [UInt8](repeating: 0, count: 128)
        do {
            guard try descriptor.read(into: &info, 0..<info.count) == info.count else { return nil }
        } catch  where error.cause == .wouldBlock {
            return nil
        }
        let raw =
            UInt32(info[0]) | UInt32(info[1]) << 8 | UInt32(info[2]) << 16 | UInt32(info[3]) << 24
        return Int32(truncatingIfNeeded: UInt32(littleEndian: raw))
    }
}
