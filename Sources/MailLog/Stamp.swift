/// The time stamp of a line, before the year and the zone are known.
@frozen
public struct Stamp: Sendable, Hashable {
    /// Without marks: microseconds since 1970, UTC. With ``localMark``: the same, as if the log's zone
    /// were UTC. With ``yearlessMark``: month (1…12), day (1…31) and
    /// seconds of the day, as `month << 22 | day << 17 | second`.
    @usableFromInline let bits: UInt64

    @inlinable
    public static func == (left: Self, right: Self) -> Bool { left.bits == right.bits }

    @usableFromInline static var yearlessMark: UInt64 { 1 << 63 }

    @usableFromInline static var localMark: UInt64 { 1 << 62 }

    /// A stamp that names its moment.
    @inlinable
    public init(microseconds: Int64) {
        bits =
            UInt64(truncatingIfNeeded: max(0, microseconds)) & ~(Self.yearlessMark | Self.localMark)
    }

    /// A stamp with its year, but without a zone: it is of the zone in which the log was written.
    ///
    /// - Parameter local: microseconds since 1970 as if that zone were UTC.
    @inlinable
    public init(localMicroseconds local: Int64) {
        bits = Stamp(microseconds: local).bits | Self.localMark
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

    @inlinable
    public var isLocal: Bool { bits & (Self.yearlessMark | Self.localMark) == Self.localMark }

    /// The stamp without its marks: below 2⁶², so every conversion holds.
    @inlinable
    var value: Int { Int(truncatingIfNeeded: bits & ~(Self.yearlessMark | Self.localMark)) }

    /// Microseconds since 1970, of the zone's clock if ``isLocal``; only of a stamp that is not
    /// yearless.
    @inlinable
    public var microseconds: Int64 { Int64(truncatingIfNeeded: value) }

    /// Tells the second from every other one of the same form.
    @inlinable
    public var second: UInt64 { isYearless ? bits : bits / 1_000_000 }

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
