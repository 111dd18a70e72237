/// A rule's condition over its searches, with `1 of x*` and the like already resolved.
///
/// Invariant: `all` and `any` are not empty, and every index is one of the rule's searches.
public indirect enum Condition: Hashable, Sendable {
    case search(Int)
    case all([Condition])
    case any([Condition])
    case not(Condition)
}

/// A correlation's boolean condition over its rules (`temporal` types only); indices are into
/// `CorrelationRule.rules`.
public indirect enum RuleCondition: Hashable, Sendable {
    case rule(Int)
    case all([RuleCondition])
    case any([RuleCondition])
    case not(RuleCondition)
}

/// One named search of a rule's `detection`.
public struct Search: Sendable, Equatable {
    public let name: String
    public let place: Place
    public let clause: Clause
}

/// What a search asks: maps are `all`, lists are `any`. Neither is ever empty.
public indirect enum Clause: Sendable, Equatable {
    case all([Clause])
    case any([Clause])
    case test(FieldTest)
}

/// One line of a search, `field|modifiers: values`.
public struct FieldTest: Sendable, Equatable {
    /// Nil for keywords, which look at the text of every field.
    public let field: String?
    /// Where the field's name stands.
    public let place: Place
    /// `|all`: every value must hold; otherwise one suffices.
    public let demandsAll: Bool
    /// `|neq`: holds when the rest does not.
    public let isNegated: Bool
    /// Never empty.
    public let values: [ValueTest]
}

/// One value of a search with its modifiers applied.
public struct ValueTest: Sendable, Equatable {
    /// One of them must hold; several come from `windash`, `base64offset` and `expand`. Never empty.
    public let alternatives: [Predicate]
    /// Where the value stands.
    public let place: Place
}
