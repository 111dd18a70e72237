/// Detection rules taken apart into their single tests, for whoever is to tell which of them failed.
///
/// Each test stands for a rule of its own in ``probes``, so it can be asked by the same matcher as
/// the rules, and nothing has to be known twice.
public struct RuleOutline: Sendable {
    /// What must hold, as a tree over tests.
    public indirect enum Node: Sendable {
        /// An index into ``RuleOutline/tests``, and into the detections of ``RuleOutline/probes``.
        case test(Int)
        case all([Node])
        case any([Node])
        case not(Node)
        /// A search under its name in the rule.
        case search(String, Node)
    }

    public private(set) var tests: [FieldTest] = []
    /// For each test, a rule that matches when it holds.
    public private(set) var probes = RuleSet()
    /// For each detection rule of the set: its condition, and those of its filters.
    public private(set) var nodes: [Node] = []

    public init(_ rules: RuleSet) {
        for rule in rules.detections {
            var parts = [node(rule.condition, rule.searches, in: rule)]
            for filter in rule.filters {
                let filter = rules.filters[filter]
                parts.append(node(filter.condition, filter.searches, in: rule))
            }
            nodes.append(parts.count == 1 ? parts[0] : .all(parts))
        }
    }

    private mutating func node(
        _ condition: Condition,
        _ searches: [Search],
        in rule: DetectionRule
    ) -> Node {
        switch condition {
        case .search(let index):
            .search(searches[index].name, node(searches[index].clause, searches[index], in: rule))
        case .all(let parts): .all(parts.map { node($0, searches, in: rule) })
        case .any(let parts): .any(parts.map { node($0, searches, in: rule) })
        case .not(let part): .not(node(part, searches, in: rule))
        }
    }

    private mutating func node(
        _ clause: Clause,
        _ search: Search,
        in rule: DetectionRule
    ) -> Node {
        switch clause {
        case .all(let parts): return .all(parts.map { node($0, search, in: rule) })
        case .any(let parts): return .any(parts.map { node($0, search, in: rule) })
        case .test(let test):
            var probe = rule
            probe.searches = [Search(name: search.name, place: search.place, clause: clause)]
            probe.condition = .search(0)
            probe.filters = []
            tests.append(test)
            probes.detections.append(probe)
            return .test(tests.count - 1)
        }
    }
}

extension FieldTest {
    /// What the field must be, as in `not-read` or `2 or more`. Values stand as in a rule file; of
    /// many, the first three.
    public var demand: String {
        let words = values.prefix(3).map { $0.alternatives.first?.demand ?? "anything" }
        let conjunction = demandsAll ? " and " : " or "
        var text = words.joined(separator: conjunction)
        if values.count > 3 { text += conjunction + "\(values.count - 3) more" }
        return isNegated ? "not " + text : text
    }
}

extension Predicate {
    /// As ``FieldTest/demand``, of one value.
    fileprivate var demand: String {
        switch self {
        case .text(let pattern, _): pattern.sigma
        case .number(let number): number.text
        case .boolean(let value): "\(value)"
        case .null: "missing"
        case .regex(let regex): "text that matches /\(regex.pattern)/"
        case .network(let network): "in \(network.address.text)/\(network.prefixLength)"
        case .exists(let isThere): isThere ? "there" : "missing"
        case .comparison(let comparison, let number): comparison.demand(number.text)
        case .field(let reference): reference.relation.words + " " + reference.field
        case .timePart(let part, let comparison, let number):
            "a time whose \(part.rawValue) is \(comparison.demand(String(number)))"
        }
    }
}

extension Comparison {
    fileprivate func demand(_ number: String) -> String {
        switch self {
        case .less: "less than \(number)"
        case .lessOrEqual: "\(number) or less"
        case .greater: "more than \(number)"
        case .greaterOrEqual: "\(number) or more"
        case .equal: number
        case .notEqual: "not \(number)"
        }
    }
}

extension FieldReference.Relation {
    fileprivate var words: String {
        switch self {
        case .equal: "equal to the field"
        case .startsWith: "beginning with the field"
        case .endsWith: "ending with the field"
        case .contains: "containing the field"
        }
    }
}

extension TextPattern {
    /// The pattern as a rule file has it; `''` for the empty text.
    fileprivate var sigma: String {
        guard !parts.isEmpty else { return "''" }
        return parts.map { part in
            switch part {
            case .literal(let bytes): String(decoding: bytes, as: UTF8.self)
            case .anyText: "*"
            case .anyCharacter: "?"
            }
        }.joined()
    }
}
