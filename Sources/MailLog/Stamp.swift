/// The time stamp of a line, before the year and the zone are known.
@frozen
public struct Stamp: Sendable, Hashable {
    /// Without ``yearlessMark``: microseconds since 1970, UTC. With it: month (1…12), day (1…31) and
    /// seconds of the day, as `month << 22 | day << 17 | second`.
    @usableFromInline let bits: UInt64

    @inlinable
    public static func == (left: Self, right: Self) -> Bool { left.bits == right.bits }

    @usableFromInline static var yearlessMark: UInt64 { 1 << 63 }

    /// A stamp that names its moment.
    @inlinable
    public init(microseconds: Int64) {
        bits = UInt64(truncatingIfNeeded: max(0, microseconds)) & ~Self.yearlessMark
    }

    /// A stamp without year and zone, as RFC 3164 has it.
    @inlinable
    public init(month: Int, day: Int, secondOfDay: Int) {
        bits =
            Self.yearlessMark
            | UInt64(truncatingIfNeeded: month << 22 | day << 17 | secondOfDay)
    }

    @inlinable
    public var isYearless: Bool { bits & Self.yearlessMark != 0 }

    /// The stamp without its mark: below 2⁶³, so every conversion holds.
    @inlinable
    var value: Int { Int(truncatingIfNeeded: bits & ~Self.yearlessMark) }

    /// Microseconds since 1970; only of a stamp that is not yearless.
    @inlinable
    public var microseconds: Int64 { Int64(truncatingIfNeeded: value) }

    /// Month and day in one number; only of a yearless stamp.
    @inlinable
    var date: Int { value >> 17 }

    @inlinable
    public var month: Int { value >> 22 }

    @inlinable
    public var day: Int { value >> 17 & 31 }

    @inlinable
    public var secondOfDay: Int { value & 0x1_ffff }
}
