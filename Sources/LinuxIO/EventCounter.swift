import CLinux
import Glibc
import SystemPackage

/// Wakes a thread that waits: an eventfd.
///
/// Any thread may ring it; who waits on it in a ``PollSet`` wakes and clears it.
public struct EventCounter: ~Copyable, Sendable {
    let descriptor: Descriptor

    public init(calls: SystemCalls = SystemCalls()) throws(SystemCallError) {
        let number = try calls.perform(.eventfd, nil) { _ in
            Int(eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK)))
        }
        descriptor = Descriptor(owning: CInt(number), calls: calls, path: nil)
    }

    /// Makes it readable until it is cleared. Never blocks, and costs one system call.
    public func ring() {
        // The only failure is EAGAIN at 2^64 − 2 unanswered rings, and then it is readable.
        try? descriptor.writeAll([1, 0, 0, 0, 0, 0, 0, 0])
    }

    /// Takes the rings so far away.
    ///
    /// - Returns: whether there were any.
    @discardableResult
    public func clear() throws(SystemCallError) -> Bool {
        var count = [UInt8](repeating: 0, count: 8)
        do {
            return try descriptor.read(into: &count, 0..<8) == 8
        } catch  where error.cause == .wouldBlock {
            return false
        }
    }
}
