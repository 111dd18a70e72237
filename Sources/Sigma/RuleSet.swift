/// Sigma's five levels, from the least to the most severe.
public enum Level: String, Sendable, Hashable, CaseIterable, Comparable {
    case informational, low, medium, high, critical

    public static func < (left: Level, right: Level) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int {
        switch self {
        case .informational: 0
        case .low: 1
        case .medium: 2
        case .high: 3
        case .critical: 4
        }
    }
}

public enum Status: String, Sendable, Hashable, CaseIterable {
    case stable, test, experimental, deprecated, unsupported
}

/// What a rule says its alerts to mean (`postern.diagnosis`).
public enum Diagnosis: String, Sendable, Hashable, CaseIterable {
    case outlookReceipts = "outlook-receipts"
    case stolenLogin = "stolen-login"
    case unclear
}

/// The keys under `postern:`, which are ours and not Sigma's.
public struct PosternKeys: Sendable, Hashable {
    /// A match within this time after resolution reopens the same alert.
    public var silenceSeconds: Int64?
    /// Quiet time after which an alert resolves; nil: the rule's timespan.
    public var resolveSeconds: Int64?
    /// The name of a text of the program, or a free sentence.
    public var remediation: String?
    public var diagnosis: Diagnosis?

    public init() {}
}

public struct LogSource: Sendable, Hashable {
    public var category: String?
    public var product: String?
    public var service: String?

    public init() {}

    /// As in `product windows, service security`.
    var words: String {
        let parts = [("category", category), ("product", product), ("service", service)]
        let words = parts.compactMap { name, value in value.map { "\(name) `\($0)`" } }
        return words.isEmpty ? "no log source" : words.joined(separator: ", ")
    }

    /// Whether a filter for this log source is meant for a rule of `other`: what is named here is
    /// the same there.
    func covers(_ other: LogSource) -> Bool {
        (category == nil || category == other.category)
            && (product == nil || product == other.product)
            && (service == nil || service == other.service)
    }
}

/// What detection rules, correlations and filters have in common.
public struct RuleHead: Sendable, Equatable {
    /// The `id`; for a document without one its name, or else its title. Unique in a rule set.
    public var id: String
    /// The name by which other rules may refer to this one. Unique in a rule set.
    public var name: String?
    public var title: String
    public var description: String?
    public var level: Level
    public var status: Status?
    public var author: String?
    public var tags: [String]
    public var postern: PosternKeys
    /// Where the document begins (its first key).
    public var place: Place
    /// The document's own YAML text, for evidence.
    public var text: String
}

public struct DetectionRule: Sendable, Equatable {
    public var head: RuleHead
    public var logsource: LogSource
    public var searches: [Search]
    public var condition: Condition
    /// The filters that apply to this rule, as indices into `RuleSet.filters`, ascending. The rule
    /// matches when its own condition and that of every filter hold.
    public var filters: [Int]
    /// The placeholders that its `expand` modifiers name, sorted, each once.
    public var placeholders: [String]

    public var id: String { head.id }
    public var name: String? { head.name }
    public var title: String { head.title }
    public var level: Level { head.level }
}

/// A filter: a condition that is added to the rules it names.
public struct FilterRule: Sendable, Equatable {
    public var head: RuleHead
    public var logsource: LogSource
    public var searches: [Search]
    public var condition: Condition
    /// As in `DetectionRule`.
    public var placeholders: [String]

    public var id: String { head.id }
    public var name: String? { head.name }
    public var title: String { head.title }
}

/// A rule that another one builds on, as an index into the array of its kind.
public enum RuleReference: Sendable, Hashable {
    case detection(Int)
    case correlation(Int)
}

/// A field under one name for all rules of a correlation.
public struct FieldAlias: Sendable, Hashable {
    public var name: String
    /// The field that stands for it, for each of `CorrelationRule.rules` by position; nil where the
    /// alias does not say: the field of the alias's own name.
    public var fields: [String?]
    public var place: Place
}

public struct CorrelationRule: Sendable, Equatable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case eventCount = "event_count"
        case valueCount = "value_count"
        case temporal
        case temporalOrdered = "temporal_ordered"
        case valueSum = "value_sum"
        case valueAverage = "value_avg"
        case valuePercentile = "value_percentile"
        case valueMedian = "value_median"

        public var isTemporal: Bool { self == .temporal || self == .temporalOrdered }
    }

    /// When a window is a match.
    public enum Trigger: Sendable, Equatable {
        /// The kind's figure is within the bounds. `fields` is empty for `event_count`, one or more fields
        /// for `value_count`, one field for the other kinds; `percentile` (0…100) is there for
        /// `value_percentile` alone.
        case figure(FigureBounds, fields: [String], percentile: Int?)
        /// `temporal`: so many different rules have an event in the window.
        case ruleCount(FigureBounds)
        /// `temporal` kinds: every rule has an event in the window (in the order of `rules` for
        /// `temporal_ordered`).
        case everyRule
        /// `temporal` kinds: this holds of the rules that have an event in the window.
        case condition(RuleCondition)

        /// What is compared with a number; nil for the others.
        public var bounds: FigureBounds? {
            switch self {
            case .figure(let bounds, _, _), .ruleCount(let bounds): bounds
            case .everyRule, .condition: nil
            }
        }
    }

    public var head: RuleHead
    public var kind: Kind
    /// The rules it builds on, in the order of the file, each once. Never empty.
    public var rules: [RuleReference]
    /// The names or ids by which the file refers to `rules`, by position.
    public var ruleNames: [String]
    /// Fields or aliases; empty: one group for all events.
    public var groupBy: [String]
    public var groupByPlaces: [Place]
    public var timespanSeconds: Int64
    public var trigger: Trigger
    /// Where the fields of the trigger stand, by position.
    public var fieldPlaces: [Place]
    public var aliases: [FieldAlias]
    /// Whether the rules it builds on raise alerts of their own all the same.
    public var generate: Bool

    public var id: String { head.id }
    public var name: String? { head.name }
    public var title: String { head.title }
    public var level: Level { head.level }

    /// The field of an event that matched the rule at `position` which stands for `name`, a
    /// `group-by` entry: the alias's field, or `name` itself. O(aliases).
    public func field(for name: String, ofRule position: Int) -> String {
        for alias in aliases where alias.name == name {
            return alias.fields[position] ?? name
        }
        return name
    }
}

/// All rules of some files, checked, with every reference resolved.
///
/// Rules stand in the order of the files and, in a file, of its documents.
public struct RuleSet: Sendable, Equatable {
    public var detections: [DetectionRule] = []
    public var correlations: [CorrelationRule] = []
    public var filters: [FilterRule] = []
    /// The values that placeholders had, of those that some rule names.
    public var placeholders: [String: [String]] = [:]
    /// Every index into `correlations` once, a correlation after those that it builds on.
    public var correlationOrder: [Int] = []

    public init() {}

    /// Where each field is named, in rule order: searches, `fieldref`, `group-by` (not an alias),
    /// condition fields and alias targets.
    public func fieldMentions() -> [(field: String, place: Place)] {
        var mentions: [(field: String, place: Place)] = []
        func visit(_ clause: Clause) {
            switch clause {
            case .all(let clauses), .any(let clauses):
                for clause in clauses { visit(clause) }
            case .test(let test):
                if let field = test.field { mentions.append((field, test.place)) }
                for value in test.values {
                    for case .field(let reference) in value.alternatives {
                        mentions.append((reference.field, value.place))
                    }
                }
            }
        }
        for rule in detections { for search in rule.searches { visit(search.clause) } }
        for filter in filters { for search in filter.searches { visit(search.clause) } }
        for rule in correlations {
            for (field, place) in zip(rule.groupBy, rule.groupByPlaces)
            where !rule.aliases.contains(where: { $0.name == field }) {
                mentions.append((field, place))
            }
            if case .figure(_, let fields, _) = rule.trigger {
                for (field, place) in zip(fields, rule.fieldPlaces) {
                    mentions.append((field, place))
                }
            }
            for alias in rule.aliases {
                for case .some(let field) in alias.fields { mentions.append((field, alias.place)) }
            }
        }
        return mentions
    }

    /// A warning for every mention of a field that is not among `known`, with the nearest name.
    public func warnings(forFieldsOtherThan known: [String]) -> [Mistake] {
        let knownFields = Set(known)
        return fieldMentions().compactMap { mention in
            guard !knownFields.contains(mention.field) else { return nil }
            let nearest = hint(for: mention.field, among: known)
            return Mistake("no event has a field `\(mention.field)`\(nearest)", at: mention.place)
        }
    }
}
