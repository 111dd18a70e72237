/// Bounds on what matching one event may cost.
public struct MatchLimits: Sendable, Equatable {
    /// PCRE2's match limit: how often its inner `match()` may be called for one search (JIT counts
    /// differently, but is bounded by it too). A search that reaches it matches nothing and is
    /// counted. Ordinary rules on a subject of 1,000 bytes take some thousands.
    public var regexMatchLimit: UInt32 = 200_000
    /// Memory of one search, for the interpreter's heap and for the JIT stack.
    public var regexHeapKiBMax: UInt32 = 1_024
    /// Cells of one field's literal automaton, 4 bytes each. Literals that no longer fit are
    /// looked for one by one.
    public var automatonCellsMax = 4_000_000

    public init() {}
}
