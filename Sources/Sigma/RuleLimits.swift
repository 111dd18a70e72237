/// Bounds on what rule files may make us hold. Every one of them ends in a mistake with its place.
public struct RuleLimits: Sendable, Equatable {
    /// Bytes of one rule file.
    public var fileBytesMax = 4 << 20
    /// Nesting of YAML collections (architecture §6), the document's own map being 1.
    public var depthMax = 32
    /// Nesting of parentheses and `not` in a condition.
    public var conditionDepthMax = 64
    /// What one value may become through `expand`, `windash` and `base64offset`.
    public var alternativesMax = 100_000

    public init() {}
}
