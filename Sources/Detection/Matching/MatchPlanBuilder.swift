import Sigma

/// Compiles rules to a `MatchPlan`.
struct MatchPlanBuilder {
    /// A rule over predicates, by index.
    indirect enum Formula {
        case test(Int)
        case all([Formula])
        case any([Formula])
        case not(Formula)
    }

    /// What makes two predicates the same.
    private struct Question: Hashable {
        enum Form: Hashable {
            case one(Predicate)
            /// Folded literals, sorted.
            case oneOf([[UInt8]])
            /// Folded literals and where they stand, in order.
            case grams([GramIndex.Literal])
            case networks([Network])
        }
        let field: Int
        let form: Form
    }

    var fields: FieldTable
    var mistakes: [Mistake] = []
    private var plan = Tables()
    private var indices: [Question: Int] = [:]
    private var regexIndices: [RegexPattern: Int] = [:]
    /// How many rules use each predicate: what many rules share tells little.
    private var useCounts: [Int] = []
    /// By predicate: what the guard index can find it by.
    private var handles: [Handle] = []
    private var formulas: [Formula?] = []
    private var fieldsOfRule: [[FieldIndex]] = []
    private var keywordsOfRule: [Bool] = []
    private var regexesOfRule: [[Int]] = []
    /// By field: whether it is one by which rules are better brought into question.
    private var isPreferred: [Bool] = []

    /// The parts of a plan that grow with its predicates.
    private struct Tables {
        var predicates: [CompiledPredicate] = []
        var literals: [UInt8] = []
        var globs: [Glob] = []
        var literalSets: [LiteralSet] = []
        var regexes: [CompiledRegex] = []
        var networks: [Network] = []
        var gramIndexes: [GramIndex] = []
        var networkSets: [NetworkSet] = []
    }

    /// How a guard is found without looking at it.
    private enum Handle {
        /// The folded text equals one of these.
        case equal([[UInt8]])
        /// The folded text contains this.
        case contains([UInt8])
        /// Only by looking.
        case none
    }

    /// A list of this many equal texts becomes one predicate.
    private static let setCountMin = 4
    /// The same of texts that contain, begin or end with one of many.
    private static let gramCountMin = 64
    /// And of networks.
    private static let networkCountMin = 8

    init(fields: FieldTable) {
        self.fields = fields
    }

    /// Keeps the indices of a rule that is left out.
    mutating func addNothing() {
        formulas.append(nil)
        fieldsOfRule.append([])
        keywordsOfRule.append(false)
        regexesOfRule.append([])
    }

    mutating func add(_ rule: DetectionRule, filters: [FilterRule]) {
        let mistakesBefore = mistakes.count
        var parts = [formula(rule.condition, rule.searches)]
        for filter in rule.filters {
            parts.append(formula(filters[filter].condition, filters[filter].searches))
        }
        let formula = Formula.all(parts)
        var used: Set<Int> = []
        Self.collect(formula, into: &used)
        for index in used { useCounts[index] += 1 }

        var positions: Set<Int> = []
        var hasKeywords = false
        var regexes: Set<Int> = []
        for index in used {
            let predicate = plan.predicates[index]
            if predicate.field == CompiledPredicate.keyword {
                hasKeywords = true
            } else {
                positions.insert(predicate.field)
            }
            switch predicate.kind {
            case .fieldEqual, .fieldPrefix, .fieldSuffix, .fieldContains:
                positions.insert(predicate.argument)
            case .regex: regexes.insert(predicate.argument)
            default: break
            }
        }
        fieldsOfRule.append(positions.sorted().map(FieldIndex.init(position:)))
        keywordsOfRule.append(hasKeywords)
        regexesOfRule.append(regexes.sorted())
        formulas.append(mistakes.count == mistakesBefore ? formula : nil)
    }

    private static func collect(_ formula: Formula, into used: inout Set<Int>) {
        switch formula {
        case .test(let index): used.insert(index)
        case .all(let parts), .any(let parts): for part in parts { collect(part, into: &used) }
        case .not(let inner): collect(inner, into: &used)
        }
    }

    // MARK: Formulas

    private mutating func formula(_ condition: Condition, _ searches: [Search]) -> Formula {
        switch condition {
        case .search(let index): return formula(searches[index].clause)
        case .all(let parts): return .all(parts.map { formula($0, searches) })
        case .any(let parts): return .any(parts.map { formula($0, searches) })
        case .not(let inner): return .not(formula(inner, searches))
        }
    }

    private mutating func formula(_ clause: Clause) -> Formula {
        switch clause {
        case .all(let clauses): return .all(clauses.map { formula($0) })
        case .any(let clauses): return .any(clauses.map { formula($0) })
        case .test(let test): return formula(test)
        }
    }

    private mutating func formula(_ test: FieldTest) -> Formula {
        let field = test.field.map { fields.add($0).position } ?? CompiledPredicate.keyword
        let result: Formula
        if test.demandsAll {
            result = .all(test.values.map { any(of: $0.alternatives, at: $0.place, field) })
        } else {
            // One list for all values, so that a long list becomes one set.
            var literals: [[UInt8]] = []
            var parts: [Formula] = []
            let predicates = test.values.flatMap(\.alternatives)
            let grams = predicates.compactMap(Self.gram)
            let hasGrams = grams.count >= Self.gramCountMin
            if hasGrams { parts.append(.test(gramsIndex(grams, field))) }
            let networks = predicates.compactMap { predicate -> Network? in
                if case .network(let network) = predicate { network } else { nil }
            }
            let hasNetworks = networks.count >= Self.networkCountMin
            if hasNetworks { parts.append(.test(networksIndex(networks, field))) }
            for value in test.values {
                var others: [Predicate] = []
                for predicate in value.alternatives {
                    if hasGrams, Self.gram(predicate) != nil { continue }
                    if hasNetworks, case .network = predicate { continue }
                    if field != CompiledPredicate.keyword, let literal = Self.equalText(predicate) {
                        literals.append(literal)
                    } else {
                        others.append(predicate)
                    }
                }
                if !others.isEmpty { parts.append(any(of: others, at: value.place, field)) }
            }
            if literals.count >= Self.setCountMin {
                parts.append(.test(setIndex(literals, field)))
            } else {
                for literal in literals {
                    let pattern = TextPattern(literal: literal)
                    parts.append(.test(index(.text(pattern, cased: false), field)))
                }
            }
            result = parts.count == 1 ? parts[0] : .any(parts)
        }
        return test.isNegated ? .not(result) : result
    }

    private mutating func any(of predicates: [Predicate], at place: Place, _ field: Int) -> Formula
    {
        let tests = predicates.compactMap { predicate -> Formula? in
            if case .regex(let regex) = predicate, !compile(regex, at: place) { return nil }
            return .test(index(predicate, field))
        }
        return tests.count == 1 ? tests[0] : .any(tests)
    }

    /// The folded text that a field must have for `predicate` to hold, if that is all it says.
    private static func equalText(_ predicate: Predicate) -> [UInt8]? {
        switch predicate {
        case .text(let pattern, cased: false): pattern.literal.map(CaseFolding.folded)
        // A number has one decimal text, and a number field is compared by it.
        case .number(let number): Array(number.text.utf8)
        default: nil
        }
    }

    // MARK: Predicates

    /// False, with a mistake, when PCRE2 refuses the expression.
    private mutating func compile(_ regex: RegexPattern, at place: Place) -> Bool {
        if regexIndices[regex] != nil { return true }
        do {
            let compiled = try CompiledRegex(regex)
            regexIndices[regex] = plan.regexes.count
            plan.regexes.append(compiled)
            return true
        } catch {
            mistakes.append(Mistake(error.words, at: place))
            return false
        }
    }

    private mutating func index(_ predicate: Predicate, _ field: Int) -> Int {
        var predicate = predicate
        if field != CompiledPredicate.keyword, let literal = Self.equalText(predicate) {
            predicate = .text(TextPattern(literal: literal), cased: false)
        }
        let question = Question(field: field, form: .one(predicate))
        if let known = indices[question] { return known }
        let (compiled, handle) = compiled(predicate, field)
        return add(compiled, handle, question)
    }

    private mutating func setIndex(_ literals: [[UInt8]], _ field: Int) -> Int {
        let sorted = Set(literals).sorted { $0.lexicographicallyPrecedes($1) }
        let question = Question(field: field, form: .oneOf(sorted))
        if let known = indices[question] { return known }
        var predicate = CompiledPredicate(kind: .textSet, field: field)
        predicate.argument = plan.literalSets.count
        let entries = sorted.map { (hash: $0.span.matchHash, literal: store($0)) }
        plan.literalSets.append(LiteralSet(entries))
        return add(predicate, .equal(sorted), question)
    }

    /// The folded literal that a field must contain, begin or end with for `predicate` to hold, if
    /// that is all it says.
    private static func gram(_ predicate: Predicate) -> GramIndex.Literal? {
        guard case .text(let pattern, cased: false) = predicate else { return nil }
        let anchor: GramIndex.Anchor
        let part: TextPattern.Part
        switch (pattern.parts.count, pattern.parts.first, pattern.parts.last) {
        case (3, .anyText?, .anyText?): (anchor, part) = (.anywhere, pattern.parts[1])
        case (2, let first?, .anyText?): (anchor, part) = (.start, first)
        case (2, .anyText?, let last?): (anchor, part) = (.end, last)
        default: return nil
        }
        guard case .literal(let bytes) = part, String(validating: bytes, as: UTF8.self) != nil
        else {
            return nil
        }
        return GramIndex.Literal(bytes: CaseFolding.folded(bytes), anchor: anchor)
    }

    private mutating func gramsIndex(_ literals: [GramIndex.Literal], _ field: Int) -> Int {
        let question = Question(field: field, form: .grams(literals))
        if let known = indices[question] { return known }
        var predicate = CompiledPredicate(kind: .textGrams, field: field)
        predicate.argument = plan.gramIndexes.count
        plan.gramIndexes.append(GramIndex(literals))
        return add(predicate, .none, question)
    }

    private mutating func networksIndex(_ networks: [Network], _ field: Int) -> Int {
        let question = Question(field: field, form: .networks(networks))
        if let known = indices[question] { return known }
        var predicate = CompiledPredicate(kind: .networkSet, field: field)
        predicate.argument = plan.networkSets.count
        plan.networkSets.append(NetworkSet(networks))
        return add(predicate, .none, question)
    }

    private mutating func add(
        _ predicate: CompiledPredicate,
        _ handle: Handle,
        _ question: Question
    ) -> Int {
        let index = plan.predicates.count
        plan.predicates.append(predicate)
        handles.append(handle)
        useCounts.append(0)
        indices[question] = index
        return index
    }

    private mutating func store(_ bytes: [UInt8]) -> Range<Int> {
        let start = plan.literals.count
        plan.literals += bytes
        return start..<plan.literals.count
    }

    private mutating func compiled(
        _ predicate: Predicate,
        _ field: Int
    ) -> (CompiledPredicate, Handle) {
        var compiled = CompiledPredicate(kind: .null, field: field)
        var handle = Handle.none
        switch predicate {
        case .text(let pattern, let cased):
            handle = text(pattern, cased: cased, &compiled)
        case .number(let number):
            // For a field, `index` has made it a text; a keyword never is a number (`ValueReader`).
            handle = text(TextPattern(literal: Array(number.text.utf8)), cased: false, &compiled)
        case .boolean(let flag):
            compiled.kind = .boolean
            compiled.flag = flag
        case .null:
            compiled.kind = .null
        case .regex(let regex):
            compiled.kind = .regex
            compiled.argument = regexIndices[regex] ?? 0
        case .network(let network):
            compiled.kind = .network
            compiled.argument = plan.networks.count
            plan.networks.append(network)
        case .exists(let flag):
            compiled.kind = .exists
            compiled.flag = flag
        case .comparison(let comparison, let number):
            compiled.kind = .comparison
            compiled.comparison = comparison
            compiled.number = number
        case .field(let reference):
            compiled.kind =
                switch reference.relation {
                case .equal: .fieldEqual
                case .startsWith: .fieldPrefix
                case .endsWith: .fieldSuffix
                case .contains: .fieldContains
                }
            compiled.isCased = reference.isCased
            compiled.argument = fields.add(reference.field).position
        case .timePart(let part, let comparison, let value):
            compiled.kind = .time
            compiled.timePart = part
            compiled.comparison = comparison
            compiled.number = Number(value)
        }
        return (compiled, handle)
    }

    private mutating func text(
        _ pattern: TextPattern,
        cased: Bool,
        _ compiled: inout CompiledPredicate
    ) -> Handle {
        compiled.isCased = cased
        func form(_ bytes: [UInt8]) -> [UInt8] { cased ? bytes : CaseFolding.folded(bytes) }
        switch pattern.parts.count {
        case 0:
            compiled.kind = .textEqual
            return .equal([[]])
        case 1:
            if case .literal(let bytes) = pattern.parts[0] {
                compiled.kind = .textEqual
                compiled.literal = store(form(bytes))
                return .equal([CaseFolding.folded(bytes)])
            }
            if pattern.parts[0] == .anyText {
                compiled.kind = .textAny
                return .none
            }
        case 2:
            if case .literal(let bytes) = pattern.parts[0], pattern.parts[1] == .anyText {
                compiled.kind = .textPrefix
                compiled.literal = store(form(bytes))
                return Self.containing(bytes)
            }
            if case .literal(let bytes) = pattern.parts[1], pattern.parts[0] == .anyText {
                compiled.kind = .textSuffix
                compiled.literal = store(form(bytes))
                return Self.containing(bytes)
            }
        case 3:
            if case .literal(let bytes) = pattern.parts[1], pattern.parts[0] == .anyText,
                pattern.parts[2] == .anyText
            {
                compiled.kind = .textContains
                compiled.literal = store(form(bytes))
                return Self.containing(bytes)
            }
        default: break
        }
        compiled.kind = .textGlob
        compiled.argument = plan.globs.count
        plan.globs.append(Glob(pattern, fold: !cased))
        var longest: [UInt8] = []
        for case .literal(let bytes) in pattern.parts where bytes.count > longest.count {
            longest = bytes
        }
        return Self.containing(longest)
    }

    /// Folding a text folds what it contains, as long as that is UTF-8; `wide` may make other bytes.
    private static func containing(_ bytes: [UInt8]) -> Handle {
        guard !bytes.isEmpty, String(validating: bytes, as: UTF8.self) != nil else { return .none }
        return .contains(CaseFolding.folded(bytes))
    }

    // MARK: Guards and code

    /// Predicates of which one must hold, and what that costs and tells.
    private struct Guard {
        var predicates: [Int]
        var cost: Int
    }

    /// The best guard of `formula`, or of its negation; nil when it may hold with every predicate
    /// false.
    private func bestGuard(_ formula: Formula, isNegated: Bool) -> Guard? {
        switch formula {
        case .test(let index):
            return isNegated ? nil : Guard(predicates: [index], cost: guardCost(index))
        case .not(let inner):
            return bestGuard(inner, isNegated: !isNegated)
        case .all(let parts) where !isNegated, .any(let parts) where isNegated:
            return parts.compactMap { bestGuard($0, isNegated: isNegated) }
                .min { $0.cost < $1.cost }
        case .all(let parts), .any(let parts):
            var all = Guard(predicates: [], cost: 0)
            for part in parts {
                guard let one = bestGuard(part, isNegated: isNegated) else { return nil }
                all.predicates += one.predicates
                all.cost += one.cost
            }
            return all
        }
    }

    /// How much work a guard is and how often it will hold in vain: a guess in no unit. Looking it
    /// up in an index is cheap, looking at it for every event is not, and what many rules ask for
    /// holds often.
    private func guardCost(_ index: Int) -> Int {
        let predicate = plan.predicates[index]
        let base: Int
        switch handles[index] {
        case .equal: base = 2
        case .contains(let literal): base = literal.count > 2 ? 5 : 15
        case .none:
            base =
                switch predicate.kind {
                case .boolean, .comparison, .fieldEqual, .fieldPrefix, .fieldSuffix, .time: 15
                case .network, .networkSet, .fieldContains, .textGrams: 20
                case .textAny, .null, .exists: 40
                default: 60
                }
        }
        let usesLog = Int.bitWidth - max(1, useCounts[index]).leadingZeroBitCount
        if predicate.field == CompiledPredicate.keyword { return base + 2 * usesLog + 100 }
        return base + 2 * usesLog + (isPreferred[predicate.field] ? 0 : 30)
    }

    mutating func finish(_ result: inout MatchPlan, _ prefersGuard: (FieldIndex) -> Bool) {
        isPreferred = (0..<fields.count).map { prefersGuard(FieldIndex(position: $0)) }
        result.predicates = plan.predicates
        result.literals = plan.literals
        result.globs = plan.globs
        result.literalSets = plan.literalSets
        result.regexes = plan.regexes
        result.networks = plan.networks
        result.gramIndexes = plan.gramIndexes
        result.networkSets = plan.networkSets
        result.fieldsOfRule = fieldsOfRule
        result.hasKeywords = keywordsOfRule
        result.regexesOfRule = regexesOfRule
        result.fieldCount = fields.count

        var rulesOfGuard: [Int: [Int32]] = [:]
        for (rule, formula) in formulas.enumerated() {
            guard let formula else {
                result.entries.append(MatchPlan.Step.failed)
                continue
            }
            result.entries.append(
                emit(
                    formula,
                    onTrue: MatchPlan.Step.matched,
                    onFalse: MatchPlan.Step.failed,
                    into: &result.steps
                )
            )
            if let best = bestGuard(formula, isNegated: false) {
                for predicate in best.predicates {
                    rulesOfGuard[predicate, default: []].append(Int32(rule))
                }
            } else {
                result.unguarded.append(Int32(rule))
            }
        }
        index(rulesOfGuard, into: &result)
    }

    /// Emits `formula` from its end to its beginning, so that every target is known; gives the first
    /// step. What is cheap to look at comes first.
    private func emit(
        _ formula: Formula,
        onTrue: Int32,
        onFalse: Int32,
        into steps: inout [MatchPlan.Step]
    ) -> Int32 {
        switch formula {
        case .test(let index):
            let predicate = Int32(index)
            steps.append(
                MatchPlan.Step(predicate: predicate, onTrue: onTrue, onFalse: onFalse)
            )
            return Int32(steps.count - 1)
        case .not(let inner):
            return emit(inner, onTrue: onFalse, onFalse: onTrue, into: &steps)
        case .all(let parts):
            var entry = onTrue
            for part in inOrderOfCost(parts).reversed() {
                entry = emit(part, onTrue: entry, onFalse: onFalse, into: &steps)
            }
            return entry
        case .any(let parts):
            var entry = onFalse
            for part in inOrderOfCost(parts).reversed() {
                entry = emit(part, onTrue: onTrue, onFalse: entry, into: &steps)
            }
            return entry
        }
    }

    private func inOrderOfCost(_ parts: [Formula]) -> [Formula] {
        parts.enumerated()
            .map { (part: $0.element, cost: lookCost($0.element), position: $0.offset) }
            .sorted { ($0.cost, $0.position) < ($1.cost, $1.position) }
            .map(\.part)
    }

    private func lookCost(_ formula: Formula) -> Int {
        switch formula {
        case .test(let index):
            let predicate = plan.predicates[index]
            if predicate.field == CompiledPredicate.keyword { return 200 }
            switch predicate.kind {
            case .boolean, .null, .exists, .comparison: return 1
            case .textEqual, .textPrefix, .textSuffix, .textAny, .textSet: return 2
            case .network, .networkSet, .time, .fieldEqual, .fieldPrefix, .fieldSuffix: return 4
            case .textContains, .textGlob, .textGrams, .fieldContains: return 8
            case .regex: return 40
            }
        case .not(let inner): return lookCost(inner)
        case .all(let parts), .any(let parts):
            return parts.reduce(0) { min(1_000_000, $0 + lookCost($1)) }
        }
    }

    // MARK: The index

    private func index(_ rulesOfGuard: [Int: [Int32]], into result: inout MatchPlan) {
        struct Equal: Hashable {
            let field: Int
            let hash: UInt64
        }
        var equals: [Equal: [Int32]] = [:]
        var byField: [Int: MatchPlan.FieldGuards] = [:]
        var literalsByField: [Int: [(bytes: [UInt8], predicate: Int)]] = [:]
        var equalsByField: [Int: [[UInt8]]] = [:]
        // Sorted, so that the same rules always make the same plan.
        for (predicate, rules) in rulesOfGuard.sorted(by: { $0.key < $1.key }) {
            let field = plan.predicates[predicate].field
            let direct = MatchPlan.GuardedRules(predicate: Int32(predicate), rules: rules)
            if field == CompiledPredicate.keyword {
                result.keywordGuards.append(direct)
                continue
            }
            var guards = byField[field] ?? MatchPlan.FieldGuards(field: field)
            switch handles[predicate] {
            case .equal(let literals):
                equalsByField[field, default: []] += literals
                for literal in literals {
                    guards.equalLengths |= 1 << UInt64(literal.count & 63)
                    equals[Equal(field: field, hash: literal.span.matchHash), default: []] += rules
                }
            case .contains(let literal):
                literalsByField[field, default: []].append((literal, predicate))
            case .none:
                if Self.mayHoldForNull(plan.predicates[predicate]) {
                    guards.directWhenNull.append(direct)
                }
                guards.direct.append(direct)
            }
            byField[field] = guards
        }
        for (field, literals) in literalsByField.sorted(by: { $0.key < $1.key }) {
            var guards = byField[field] ?? MatchPlan.FieldGuards(field: field)
            let marked = literals.map {
                (bytes: $0.bytes, outputs: rulesOfGuard[$0.predicate] ?? [])
            }
            if let automaton = LiteralAutomaton(marked, cellsMax: result.limits.automatonCellsMax) {
                guards.automaton = result.automata.count
                result.automata.append(automaton)
            } else {
                guards.grams = result.gramIndexes.count
                var all: [GramIndex.Literal] = []
                for (bytes, rules) in marked {
                    for rule in rules {
                        all.append(
                            GramIndex.Literal(bytes: bytes, anchor: .anywhere, output: rule)
                        )
                    }
                }
                result.gramIndexes.append(GramIndex(all))
            }
            byField[field] = guards
        }
        for (field, guards) in byField.sorted(by: { $0.key < $1.key }) {
            let direct = guards.direct.map { plan.predicates[Int($0.predicate)] }
            let sets = direct.filter { $0.kind == .networkSet }
            let single = direct.filter { $0.kind == .network }
            guard sets.count + single.count == direct.count,
                let filter = TextFilter(
                    contained: (literalsByField[field] ?? []).map(\.bytes),
                    equal: equalsByField[field] ?? [],
                    networks: direct.isEmpty
                        ? nil
                        : NetworkSet(
                            joining: sets.map { plan.networkSets[$0.argument] },
                            single.map { plan.networks[$0.argument] }
                        )
                )
            else { continue }
            byField[field]?.filter = result.filters.count
            result.filters.append(filter)
        }
        result.guards = byField.sorted { $0.key < $1.key }.map(\.value)

        guard !equals.isEmpty else { return }
        var slotCount = 4
        while slotCount < equals.count * 2 { slotCount *= 2 }
        result.equalSlots = [MatchPlan.EqualSlot](repeating: .init(), count: slotCount)
        let sorted = equals.sorted { ($0.key.field, $0.key.hash) < ($1.key.field, $1.key.hash) }
        for (key, rules) in sorted {
            var slot = result.slot(field: key.field, hash: key.hash)
            while result.equalSlots[slot].field >= 0 { slot = (slot + 1) & (slotCount - 1) }
            result.equalSlots[slot] = MatchPlan.EqualSlot(
                field: Int32(key.field),
                hash: key.hash,
                rules: rules
            )
        }
    }

    private static func mayHoldForNull(_ predicate: CompiledPredicate) -> Bool {
        predicate.kind == .null || predicate.kind == .exists
    }
}
