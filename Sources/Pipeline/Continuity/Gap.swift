/// Lines of a source that were not read, or may not have been.
public struct Gap: Sendable, Hashable {
    /// Why. The numbers are stored and the names are printed: neither changes.
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// A file or an entry could not be read: damaged, or no permission.
        case unreadable = 1
        /// journald removed entries before they were read.
        case vacuumed = 2
        /// Whoever writes the log left messages out and said so.
        case suppressed = 3
        /// Gone before it was read, as a rotated file that was deleted.
        case lost = 4
        /// Cut away by a truncation before it was read.
        case truncated = 5
        /// Written while Postern was not running, and not there any more when it came back.
        case daemonDown = 6
        /// Read, perhaps for the second time: where reading had stopped was in doubt. Nothing is
        /// missing.
        case readAgain = 7

        public var name: String {
            switch self {
            case .unreadable: "unreadable"
            case .vacuumed: "vacuumed"
            case .suppressed: "suppressed"
            case .lost: "lost"
            case .truncated: "truncated"
            case .daemonDown: "daemon-down"
            case .readAgain: "read-again"
            }
        }

        /// Whether lines are missing.
        public var isLoss: Bool { self != .readAgain }
    }

    public var kind: Kind
    /// Name of the source.
    public var source: String
    /// The time of the last line before the gap, and of the first one after it: µs since 1970; nil
    /// if that is not known.
    public var startMicroseconds: Int64?
    public var endMicroseconds: Int64?
    /// Lines and bytes that are missing, where that is known.
    public var lines: Int?
    public var bytes: Int?
    /// What an operator has to know besides: a path, an error. Text of any origin.
    public var detail: String
    /// The gaps that this one stands for; more than 1 when a day had too many to keep each.
    public internal(set) var count = 1

    public init(
        _ kind: Kind,
        source: String,
        startMicroseconds: Int64? = nil,
        endMicroseconds: Int64? = nil,
        lines: Int? = nil,
        bytes: Int? = nil,
        detail: String = ""
    ) {
        self.kind = kind
        self.source = source
        self.startMicroseconds = startMicroseconds
        self.endMicroseconds = endMicroseconds
        self.lines = lines
        self.bytes = bytes
        self.detail = detail
    }

    /// Takes another one of the same kind, source and day in: afterwards this one covers the time of
    /// both and all between. Of lines and bytes, what is unknown of one is unknown of both.
    mutating func merge(_ other: Gap, day: Int) {
        let mine = span(day: day)
        let others = other.span(day: day)
        startMicroseconds = min(mine.lowerBound, others.lowerBound)
        endMicroseconds = max(mine.upperBound, others.upperBound)
        lines = Self.sum(lines, other.lines)
        bytes = Self.sum(bytes, other.bytes)
        count = saturatingSum(count, other.count)
    }

    private static func sum(_ left: Int?, _ right: Int?) -> Int? {
        guard let left, let right else { return nil }
        return saturatingSum(left, right)
    }

    /// The time in which lines may be missing, both ends included.
    ///
    /// An end that is not known lies at most a day from the other one; with neither known, it is the
    /// whole day in every zone of the world (UTC−12 to UTC+14).
    ///
    /// - Parameter day: the local day that the gap is filed under.
    func span(day: Int) -> ClosedRange<Int64> {
        let hour: Int64 = 3_600_000_000
        switch (startMicroseconds, endMicroseconds) {
        case (let start?, let end?):
            return min(start, end)...max(start, end)
        case (let start?, nil):
            return start...saturatingSum(start, 24 * hour)
        case (nil, let end?):
            return saturatingSum(end, -24 * hour)...end
        case (nil, nil):
            return Self.earliestMoment(
                ofDay: day
            )...saturatingSum(Self.earliestMoment(ofDay: day), 50 * hour)
        }
    }

    /// When a day begins in the zone in which it does so first, UTC+14; it ends 50 hours later, in
    /// UTC−12.
    static func earliestMoment(ofDay day: Int) -> Int64 {
        let hour: Int64 = 3_600_000_000
        let (midnight, isTooLarge) = Int64(day).multipliedReportingOverflow(by: 24 * hour)
        guard !isTooLarge else { return day < 0 ? .min : .max }
        return saturatingSum(midnight, -14 * hour)
    }
}

/// The sum, or the nearest number that there is.
func saturatingSum<T: FixedWidthInteger>(_ left: T, _ right: T) -> T {
    let (sum, isTooLarge) = left.addingReportingOverflow(right)
    guard isTooLarge else { return sum }
    return right < 0 ? .min : .max
}
