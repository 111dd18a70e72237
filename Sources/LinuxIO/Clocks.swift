import Glibc
import Synchronization

/// The machine's clocks. Only the edges read them: logic gets its time passed in.
public enum Clocks {
    /// `CLOCK_REALTIME`: microseconds since 1970, UTC.
    public static func realtimeMicroseconds() -> Int64 {
        let now = read(CLOCK_REALTIME)
        return Int64(now.tv_sec) &* 1_000_000 &+ Int64(now.tv_nsec) / 1_000
    }

    /// `CLOCK_MONOTONIC`: nanoseconds since some moment before the program began; never steps.
    public static func monotonicNanoseconds() -> UInt64 {
        let now = read(CLOCK_MONOTONIC)
        return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        let result = unsafe clock_gettime(clock, &time)
        precondition(result == 0)
        return time
    }
}

/// Where a room that must know the time has it from: the machine, or a test.
///
/// Like ``SystemCalls`` it is a door: the program has one made with ``init()``.
public struct Clock: Sendable {
    private let manual: ManualClock?

    /// The machine's clocks.
    public init() { manual = nil }

    /// A clock that goes when the test says so.
    public init(manual: ManualClock) { self.manual = manual }

    /// As ``Clocks/realtimeMicroseconds()``.
    public func realtimeMicroseconds() -> Int64 {
        manual?.realtimeMicroseconds ?? Clocks.realtimeMicroseconds()
    }

    /// As ``Clocks/monotonicNanoseconds()``.
    public func monotonicNanoseconds() -> UInt64 {
        manual?.monotonicNanoseconds ?? Clocks.monotonicNanoseconds()
    }
}

/// The double behind a ``Clock``: it stands still until it is moved.
public final class ManualClock: Sendable {
    private let microseconds: Atomic<Int64>

    /// - Parameter microseconds: since 1970, UTC; not negative.
    public init(microseconds: Int64) {
        precondition(microseconds >= 0)
        self.microseconds = Atomic(microseconds)
    }

    public var realtimeMicroseconds: Int64 { microseconds.load(ordering: .relaxed) }

    public var monotonicNanoseconds: UInt64 { UInt64(realtimeMicroseconds) * 1_000 }

    /// Moves both clocks.
    public func advance(microseconds step: Int64) {
        precondition(step >= 0)
        microseconds.add(step, ordering: .relaxed)
    }
}
