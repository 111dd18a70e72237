import Glibc
import SystemPackage

/// The door to the kernel: whoever opens something does it through a value of this type, and what
/// was opened keeps it.
///
/// The program has one made with ``init()``. A test gives a ``FaultScript`` and so decides which
/// call fails or reads short; all other calls reach the real kernel.
public struct SystemCalls: Sendable {
    private let faults: FaultScript?

    /// The kernel as it is.
    public init() { faults = nil }

    /// The kernel with faults on purpose.
    public init(faults: FaultScript) { self.faults = faults }

    /// Makes one call, repeats it while a signal interrupts it, and names what failed.
    ///
    /// - Parameters:
    ///   - count: how many bytes it moves at most; 0 for calls that move none.
    ///   - body: the call; gets the number of bytes to move and returns −1 with `errno` set when it
    ///     failed.
    func perform(
        _ call: SystemCall,
        _ path: FilePath?,
        count: Int = 0,
        _ body: (Int) -> Int
    ) throws(SystemCallError) -> Int {
        while true {
            var allowed = count
            switch faults?.next(call, path: path) {
            case .fail(.interrupted): continue
            case .fail(let cause): throw SystemCallError(call: call, path: path, cause: cause)
            case .shorten(let bytes): allowed = min(count, bytes)
            case nil: break
            }
            let result = body(allowed)
            if result >= 0 { return result }
            let cause = Errno(rawValue: errno)
            if cause == .interrupted { continue }
            precondition(cause != .badFileDescriptor, "a closed descriptor was used")
            precondition(cause != .badAddress, "a buffer was outside our memory")
            throw SystemCallError(call: call, path: path, cause: cause)
        }
    }
}
