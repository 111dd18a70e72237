import Glibc

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
