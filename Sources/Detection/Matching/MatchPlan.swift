public import Sigma

/// Detection rules compiled against a table of fields: immutable, to be shared by matchers.
///
/// Rules that ask the same of the same field share one predicate, which is looked at once for an
/// event. And most rules are not looked at at all: each has a *guard*, predicates of which at least
/// one must hold for the rule to match, and only rules with a guard that holds are evaluated. Equal
/// texts are found by one hash lookup for a field, literals inside texts by one automaton for a
/// field, so that neither depends on the number of rules.
public struct MatchPlan: Sendable {
    /// One step of a rule: which predicate, and where to go on. Short-circuit code for a boolean
    /// expression; targets are later steps' indices, `matched` or `failed`.
    struct Step: Sendable {
        let predicate: Int32
        let onTrue: Int32
        let onFalse: Int32

        static let matched: Int32 = -1
        static let failed: Int32 = -2
    }

    /// How one field brings rules into question.
    struct FieldGuards: Sendable {
        let field: Int
        /// Bit `length & 63` for each literal that the field may equal; 0: none.
        var equalLengths: UInt64 = 0
        /// Guards that are looked at one by one when the field is there, and their rules.
        var direct: [GuardedRules] = []
        /// The same when the field is missing or null.
        var directWhenNull: [GuardedRules] = []
        /// Index into `automata` of the one whose bits are rules; negative: none.
        var automaton = -1
        /// The same in `gramIndexes`, for literals that are too many for an automaton.
        var grams = -1
        /// Index into `filters` of the one that passes over texts which bring nothing into question;
        /// negative: the field asks for more than its text, or for too short a one.
        var filter = -1
    }

    struct GuardedRules: Sendable {
        let predicate: Int32
        var rules: [Int32]
    }

    /// A slot of the hash table over (field, folded text).
    struct EqualSlot: Sendable {
        var field: Int32 = -1
        var hash: UInt64 = 0
        var rules: [Int32] = []
    }

    var predicates: [CompiledPredicate] = []
    var literals: [UInt8] = []
    var globs: [Glob] = []
    var literalSets: [LiteralSet] = []
    var regexes: [CompiledRegex] = []
    var networks: [Network] = []
    var gramIndexes: [GramIndex] = []
    var networkSets: [NetworkSet] = []

    var steps: [Step] = []
    /// First step of each rule, `Step.matched` or `Step.failed`.
    var entries: [Int32] = []
    /// Rules that have no guard.
    var unguarded: [Int32] = []
    var guards: [FieldGuards] = []
    var automata: [LiteralAutomaton] = []
    var filters: [TextFilter] = []
    /// Guards that are keywords.
    var keywordGuards: [GuardedRules] = []
    /// Open addressing, a power of two in size, at most half full.
    var equalSlots: [EqualSlot] = []

    /// Fields that the plan names have positions below this.
    var fieldCount = 0
    var fieldsOfRule: [[FieldIndex]] = []
    var hasKeywords: [Bool] = []
    var regexesOfRule: [[Int]] = []
    let limits: MatchLimits

    /// Compiles the detection rules of `rules`, each with its filters.
    ///
    /// Names that `fields` does not know are added to it. Regular expressions that PCRE2 refuses
    /// are added to `mistakes`, with the place of the value and the offset (in bytes) inside it;
    /// rules with such a mistake never match. `only` leaves rules out; indices stay those of `rules`.
    /// Where a rule has the choice, fields that `prefersGuard` likes bring it into question.
    public init(
        _ rules: RuleSet,
        fields: inout FieldTable,
        mistakes: inout [Mistake],
        limits: MatchLimits = MatchLimits(),
        only isWanted: (Int) -> Bool = { _ in true },
        prefersGuard: (FieldIndex) -> Bool = { _ in true }
    ) {
        self.limits = limits
        var builder = MatchPlanBuilder(fields: fields)
        for (index, rule) in rules.detections.enumerated() {
            if isWanted(index) {
                builder.add(rule, filters: rules.filters)
            } else {
                builder.addNothing()
            }
        }
        builder.finish(&self, prefersGuard)
        fields = builder.fields
        mistakes += builder.mistakes
    }

    /// How many rules there are, matching or left out.
    public var ruleCount: Int { entries.count }

    /// The fields that the rule at `index` and its filters name, each once.
    public func fieldsUsed(by index: Int) -> [FieldIndex] { fieldsOfRule[index] }

    /// The fields by which an event brings rules into question, each once, or nil when that takes all
    /// that rules name: no rule matches an event which ``RuleMatcher/findCandidates(_:)`` refuses
    /// with these fields alone.
    public var guardFields: [FieldIndex]? {
        guard unguarded.isEmpty, keywordGuards.isEmpty else { return nil }
        var positions: [Int] = []
        for guardsOfField in guards {
            positions.append(guardsOfField.field)
            for rule in guardsOfField.direct {
                let predicate = predicates[Int(rule.predicate)]
                switch predicate.kind {
                case .fieldEqual, .fieldPrefix, .fieldSuffix, .fieldContains:
                    positions.append(Int(predicate.argument))
                default: break
                }
            }
        }
        return Set(positions).sorted().map { FieldIndex(position: $0) }
    }

    /// What tells of a text in `field` that it brings no rule into question, so that
    /// ``RuleMatcher/findCandidates(_:)`` finds the same without it; nil when nothing tells it.
    func filter(at field: FieldIndex) -> TextFilter? {
        // Keywords look at each field.
        guard keywordGuards.isEmpty,
            let guarded = guards.first(where: { $0.field == field.position }),
            guarded.filter >= 0
        else { return nil }
        let isRelated = guards.contains { other in
            (other.direct + other.directWhenNull).contains { rule in
                let predicate = predicates[Int(rule.predicate)]
                switch predicate.kind {
                case .fieldEqual, .fieldPrefix, .fieldSuffix, .fieldContains:
                    return predicate.argument == field.position
                default: return false
                }
            }
        }
        return isRelated ? nil : filters[guarded.filter]
    }

    /// Whether no rule is brought into question by an event that has no value in `field`.
    public func isQuestionedOnly(by field: FieldIndex) -> Bool {
        unguarded.isEmpty && keywordGuards.isEmpty
            && guards.allSatisfy { $0.field == field.position && $0.directWhenNull.isEmpty }
    }

    /// Whether the rule at `index` or a filter of it searches for keywords, and so in every field.
    public func searchesEveryField(_ index: Int) -> Bool { hasKeywords[index] }

    /// Where a lookup of (field, hash) begins in `equalSlots`.
    func slot(field: Int, hash: UInt64) -> Int {
        let mixed = (hash ^ UInt64(truncatingIfNeeded: field) &* 0x9e37_79b9_7f4a_7c15)
        return Int(truncatingIfNeeded: mixed &* 0xd6e8_feb8_6659_fd93 >> 32)
            & (equalSlots.count - 1)
    }
}
