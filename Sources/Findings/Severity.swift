/// How much an alert matters: Sigma's levels with the numbers of `event.severity` (architecture §9).
public enum Severity: Int, Sendable, Comparable, CaseIterable {
    case informational = 1
    case low = 21
    case medium = 47
    case high = 73
    case critical = 99

    public static func < (left: Severity, right: Severity) -> Bool {
        left.rawValue < right.rawValue
    }

    public var name: String {
        switch self {
        case .informational: "informational"
        case .low: "low"
        case .medium: "medium"
        case .high: "high"
        case .critical: "critical"
        }
    }

    /// The next higher level; the highest stays.
    public var raised: Severity { Self.allCases.first { $0 > self } ?? self }

    public init?(name: String) {
        guard let match = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }
}
