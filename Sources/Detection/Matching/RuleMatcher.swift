import Sigma

/// Tells which rules of a plan match an event. One matcher serves one thread.
///
/// Everything it needs from event to event it keeps, so that an event which matches nothing
/// allocates nothing once its buffers have grown to the largest event seen.
public struct RuleMatcher: ~Copyable, Sendable {
    public let plan: MatchPlan
    private var scratch: RegexScratch
    /// Searches that reached a limit, by regular expression.
    private var limitedSearches: [UInt64]

    /// Number of the present event, so that memos need no clearing; never 0.
    private var generation: UInt32 = 0
    /// By predicate: the event's number and, in the lowest bit, whether it holds.
    private var memos: [UInt32]
    /// Rules in question, one bit each.
    private var candidates: [UInt64]
    /// Folded texts and the decimal texts of numbers, of this event.
    private var texts: [UInt8] = []
    /// By field: its folded text, when the stamp is this event's number.
    private var foldedRanges: [Range<Int>]
    private var foldedStamps: [UInt32]

    public init(_ plan: MatchPlan) {
        self.plan = plan
        scratch = RegexScratch(plan.limits)
        limitedSearches = [UInt64](repeating: 0, count: plan.regexes.count)
        toldSearches = limitedSearches
        memos = [UInt32](repeating: 0, count: plan.predicates.count)
        candidates = [UInt64](repeating: 0, count: (plan.ruleCount + 63) / 64)
        foldedRanges = [Range<Int>](repeating: 0..<0, count: plan.fieldCount)
        foldedStamps = [UInt32](repeating: 0, count: plan.fieldCount)
    }

    /// How many searches for regular expressions ended at a limit and so matched nothing.
    public private(set) var regexLimitCount: UInt64 = 0
    /// The same at the last call of ``takeLimitedRules()``, by regular expression.
    private var toldSearches: [UInt64]

    /// The rules of which a search ended at a limit since the last call, and how many did.
    public mutating func takeLimitedRules() -> [(rule: Int, searches: UInt64)] {
        guard toldCount != regexLimitCount else { return [] }
        toldCount = regexLimitCount
        var limited: [(rule: Int, searches: UInt64)] = []
        for (rule, regexes) in plan.regexesOfRule.enumerated() {
            let count = regexes.reduce(0) { $0 &+ limitedSearches[$1] &- toldSearches[$1] }
            if count > 0 { limited.append((rule, count)) }
        }
        toldSearches = limitedSearches
        return limited
    }

    /// Whether ``takeLimitedRules()`` would give some.
    public var hasLimitedRules: Bool { toldCount != regexLimitCount }
    private var toldCount: UInt64 = 0

    /// The same for those that the rule at `index` uses, so that a counter can name it.
    public func regexLimitCount(ofRule index: Int) -> UInt64 {
        plan.regexesOfRule[index].reduce(0) { $0 &+ limitedSearches[$1] }
    }

    /// Puts the indices of the rules that match into `matches`, ascending, in place of what it held.
    public mutating func evaluate(_ event: borrowing EventFields, into matches: inout [Int]) {
        _ = findCandidates(event)
        evaluateCandidates(event, into: &matches)
    }

    /// Whether some rule is in question. It asks for no field but ``MatchPlan/guardFields``, so the
    /// others need to be set only if it says yes.
    public mutating func findCandidates(_ event: borrowing EventFields) -> Bool {
        begin()
        for rule in plan.unguarded { mark(rule) }
        for index in plan.guards.indices {
            let filter = plan.guards.span[index].filter
            if filter >= 0,
                case .text(let range) = event.value(at: plan.guards.span[index].field),
                plan.filters.span[filter].passes(event.bytes.span.extracting(range))
            {
                continue
            }
            lookUp(index, event)
        }
        for index in plan.keywordGuards.indices
        where holds(plan.keywordGuards.span[index].predicate, event) {
            for rule in plan.keywordGuards.span[index].rules { mark(rule) }
        }
        for word in candidates where word != 0 { return true }
        return false
    }

    /// Puts those of the rules in question that match into `matches`, ascending, in place of what it
    /// held. To be called after ``findCandidates(_:)``, with every field set.
    public mutating func evaluateCandidates(
        _ event: borrowing EventFields,
        into matches: inout [Int]
    ) {
        matches.removeAll(keepingCapacity: true)
        for word in candidates.indices where candidates[word] != 0 {
            var bits = candidates[word]
            candidates[word] = 0
            while bits != 0 {
                let rule = word << 6 + bits.trailingZeroBitCount
                bits &= bits - 1
                if matchesRule(rule, event) { matches.append(rule) }
            }
        }
    }

    private mutating func begin() {
        if !texts.isEmpty { texts.removeAll(keepingCapacity: true) }
        // Half of the numbers, since a memo keeps one bit for its answer.
        generation += 1
        if generation == 1 << 31 {
            generation = 1
            for index in memos.indices { memos[index] = 0 }
            for index in foldedStamps.indices { foldedStamps[index] = 0 }
        }
    }

    private mutating func mark(_ rule: Int32) {
        candidates[Int(rule) >> 6] |= 1 << UInt64(rule & 63)
    }

    /// Marks the rules that this field brings into question.
    private mutating func lookUp(_ index: Int, _ event: borrowing EventFields) {
        let field = plan.guards.span[index].field
        switch event.value(at: field) {
        case .absent, .null:
            for position in plan.guards.span[index].directWhenNull.indices
            where holds(plan.guards.span[index].directWhenNull[position].predicate, event) {
                for rule in plan.guards.span[index].directWhenNull[position].rules { mark(rule) }
            }
            return
        case .list(let first):
            lookUpList(index, first, event)
            return
        case .bool, .integer, .number, .text: break
        }
        let equalLengths = plan.guards.span[index].equalLengths
        if equalLengths != 0, let text = foldedText(field, event),
            equalLengths & 1 << UInt64(text.count & 63) != 0
        {
            markEqual(field, text)
        }
        let automaton = plan.guards.span[index].automaton
        if automaton >= 0, let text = foldedText(field, event) {
            markContained(automaton, text)
        }
        let grams = plan.guards.span[index].grams
        if grams >= 0, let text = foldedText(field, event) { markGrams(grams, text) }
        for position in plan.guards.span[index].direct.indices
        where holds(plan.guards.span[index].direct[position].predicate, event) {
            for rule in plan.guards.span[index].direct[position].rules { mark(rule) }
        }
    }

    /// The same of a field of several values: what one of them brings into question is.
    private mutating func lookUpList(
        _ index: Int,
        _ first: Int,
        _ event: borrowing EventFields
    ) {
        let field = plan.guards.span[index].field
        let automaton = plan.guards.span[index].automaton
        let grams = plan.guards.span[index].grams
        var next = first
        while next >= 0 {
            let element = event.elements[next]
            next = element.next
            guard element.value != .null else { continue }
            let text = appendFolded(element.value, event)
            if plan.guards.span[index].equalLengths & 1 << UInt64(text.count & 63) != 0 {
                markEqual(field, text)
            }
            if automaton >= 0 { markContained(automaton, text) }
            if grams >= 0 { markGrams(grams, text) }
        }
        for position in plan.guards.span[index].direct.indices
        where holds(plan.guards.span[index].direct[position].predicate, event) {
            for rule in plan.guards.span[index].direct[position].rules { mark(rule) }
        }
    }

    /// Marks the rules that ask for this text, a range of `texts`.
    private mutating func markEqual(_ field: Int, _ text: Range<Int>) {
        let hash = texts.span.extracting(text).matchHash
        var slot = plan.slot(field: field, hash: hash)
        while plan.equalSlots.span[slot].field >= 0 {
            if plan.equalSlots.span[slot].hash == hash,
                plan.equalSlots.span[slot].field == Int32(field)
            {
                for rule in plan.equalSlots.span[slot].rules { mark(rule) }
                break
            }
            slot = (slot + 1) & (plan.equalSlots.count - 1)
        }
    }

    /// Marks the rules that ask for what this text contains.
    private mutating func markContained(_ automaton: Int, _ text: Range<Int>) {
        // Taken out of `self`, from which the text is borrowed; nothing is copied.
        var marks: [UInt64] = []
        swap(&marks, &candidates)
        plan.automata.span[automaton].search(texts.span.extracting(text), marking: &marks)
        swap(&marks, &candidates)
    }

    private mutating func markGrams(_ index: Int, _ text: Range<Int>) {
        // As above.
        var marks: [UInt64] = []
        swap(&marks, &candidates)
        plan.gramIndexes.span[index].search(texts.span.extracting(text), marking: &marks)
        swap(&marks, &candidates)
    }

    private mutating func matchesRule(_ rule: Int, _ event: borrowing EventFields) -> Bool {
        var step = plan.entries[rule]
        while step >= 0 {
            let current = plan.steps[Int(step)]
            step = holds(current.predicate, event) ? current.onTrue : current.onFalse
        }
        return step == MatchPlan.Step.matched
    }

    // MARK: Predicates

    /// Whether a predicate holds; looked at once for an event.
    private mutating func holds(_ index: Int32, _ event: borrowing EventFields) -> Bool {
        let memo = memos[Int(index)]
        if memo >> 1 == generation { return memo & 1 == 1 }
        let predicate = plan.predicates[Int(index)]
        let answer =
            predicate.field == CompiledPredicate.keyword
            ? holdsSomewhere(predicate, event)
            : holds(predicate, event)
        memos[Int(index)] = generation << 1 | (answer ? 1 : 0)
        return answer
    }

    private mutating func holds(
        _ predicate: CompiledPredicate,
        _ event: borrowing EventFields
    ) -> Bool {
        let value = event.value(at: predicate.field)
        if case .list(let first) = value { return holdsOfList(predicate, first, event) }
        switch predicate.kind {
        case .null:
            return value == .absent || value == .null
        case .exists:
            return (value != .absent) == predicate.flag
        case .boolean:
            return value == .bool(predicate.flag)
        case .comparison:
            guard let number = number(value, event) else { return false }
            return predicate.comparison.holds(number, predicate.number)
        case .time:
            return holds(predicate, timeOf: value, event)
        case .fieldEqual, .fieldPrefix, .fieldSuffix, .fieldContains:
            if case .list = event.value(at: predicate.argument) {
                return elementsRelate(predicate, value, event)
            }
            return fieldsRelate(predicate, event)
        case .textEqual, .textPrefix, .textSuffix, .textContains, .textGlob, .textSet,
            .textGrams:
            if predicate.isCased {
                guard let text = writtenText(predicate.field, event) else { return false }
                return text.isOfEvent
                    ? fits(predicate, event.bytes.span.extracting(text.range))
                    : fits(predicate, texts.span.extracting(text.range))
            }
            guard let text = foldedText(predicate.field, event) else { return false }
            return fits(predicate, texts.span.extracting(text))
        case .textAny:
            return value != .absent && value != .null
        case .network, .networkSet:
            guard let text = writtenText(predicate.field, event) else { return false }
            return text.isOfEvent && fits(predicate, event.bytes.span.extracting(text.range))
        case .regex:
            guard let text = writtenText(predicate.field, event) else { return false }
            return text.isOfEvent
                ? search(predicate, event.bytes.span.extracting(text.range))
                : searchOwnText(predicate, text.range)
        }
    }

    /// Whether the predicate holds for one of several values. A list or an object that is there is
    /// not null, whatever is in it.
    private mutating func holdsOfList(
        _ predicate: CompiledPredicate,
        _ first: Int,
        _ event: borrowing EventFields
    ) -> Bool {
        switch predicate.kind {
        case .exists: return predicate.flag
        case .null: return false
        default: break
        }
        var next = first
        while next >= 0 {
            let element = event.elements[next]
            next = element.next
            let isMatch: Bool =
                switch predicate.kind {
                case .null: false
                case .exists: predicate.flag
                case .boolean: element.value == .bool(predicate.flag)
                case .comparison:
                    number(element.value, event).map {
                        predicate.comparison.holds($0, predicate.number)
                    } ?? false
                case .time: holds(predicate, timeOf: element.value, event)
                case .fieldEqual, .fieldPrefix, .fieldSuffix, .fieldContains:
                    elementsRelate(predicate, element.value, event)
                case .network, .networkSet:
                    if case .text = element.value {
                        holds(predicate, element.value, field: nil, event)
                    } else {
                        false
                    }
                case .textEqual, .textPrefix, .textSuffix, .textContains, .textGlob, .textSet,
                    .textGrams, .textAny, .regex:
                    holds(predicate, element.value, field: nil, event)
                }
            if isMatch { return true }
        }
        return false
    }

    private func holds(
        _ predicate: CompiledPredicate,
        timeOf value: FieldValue,
        _ event: borrowing EventFields
    ) -> Bool {
        guard let time = time(value, event) else { return false }
        return predicate.comparison.holds(
            Number(time.part(predicate.timePart)),
            predicate.number
        )
    }

    /// Whether a value stands to one of another field's values as a field reference asks.
    private mutating func elementsRelate(
        _ predicate: CompiledPredicate,
        _ value: FieldValue,
        _ event: borrowing EventFields
    ) -> Bool {
        let end = texts.count
        defer { texts.removeLast(texts.count - end) }
        guard let first = appendText(of: value, isCased: predicate.isCased, event) else {
            return false
        }
        var next = -1
        var other = event.value(at: predicate.argument)
        if case .list(let list) = other {
            guard list >= 0 else { return false }
            other = event.elements[list].value
            next = event.elements[list].next
        }
        while true {
            if let second = appendText(of: other, isCased: predicate.isCased, event),
                Self.relate(
                    predicate.kind,
                    texts.span.extracting(first),
                    texts.span.extracting(second)
                )
            {
                return true
            }
            guard next >= 0 else { return false }
            other = event.elements[next].value
            next = event.elements[next].next
        }
    }

    /// Appends a value's text to `texts`, folded unless `isCased`; nil when it has none.
    private mutating func appendText(
        of value: FieldValue,
        isCased: Bool,
        _ event: borrowing EventFields
    ) -> Range<Int>? {
        switch value {
        case .absent, .null, .list: return nil
        case .text(let range) where isCased:
            let start = texts.count
            for index in range { texts.append(event.bytes[index]) }
            return start..<texts.count
        case .text, .bool, .integer, .number: return appendFolded(value, event)
        }
    }

    /// A keyword: whether the predicate holds for the text of any field.
    private mutating func holdsSomewhere(
        _ predicate: CompiledPredicate,
        _ event: borrowing EventFields
    ) -> Bool {
        for position in event.values.indices {
            if case .list(let first) = event.values[position] {
                if holdsOfList(predicate, first, event) { return true }
            } else if holds(predicate, event.values[position], field: position, event) {
                return true
            }
        }
        for position in event.unnamed.indices
        where holds(predicate, event.unnamed[position], field: nil, event) {
            return true
        }
        return false
    }

    /// `field` is nil for values that have none, whose folded text is not kept.
    private mutating func holds(
        _ predicate: CompiledPredicate,
        _ value: FieldValue,
        field: Int?,
        _ event: borrowing EventFields
    ) -> Bool {
        guard value != .absent, value != .null else { return false }
        let needsWrittenText: Bool =
            switch predicate.kind {
            case .regex, .network, .networkSet: true
            default: predicate.isCased
            }
        let end = texts.count
        defer {
            // What belongs to no field in the plan's table would only grow the buffer.
            if field.map({ $0 >= foldedStamps.count }) ?? true {
                texts.removeLast(texts.count - end)
            }
        }
        if needsWrittenText {
            if case .text(let range) = value {
                return predicate.kind == .regex
                    ? search(predicate, event.bytes.span.extracting(range))
                    : fits(predicate, event.bytes.span.extracting(range))
            }
            let range = appendText(of: value)
            return predicate.kind == .regex
                ? searchOwnText(predicate, range)
                : fits(predicate, texts.span.extracting(range))
        }
        let range: Range<Int>
        if let field, field < foldedStamps.count {
            guard let known = foldedText(field, event) else { return false }
            range = known
        } else {
            range = appendFolded(value, event)
        }
        return fits(predicate, texts.span.extracting(range))
    }

    /// Whether a text predicate or a network fits `text`, which is folded as the predicate asks.
    private func fits(_ predicate: CompiledPredicate, _ text: Span<UInt8>) -> Bool {
        let literal = plan.literals.span.extracting(predicate.literal)
        switch predicate.kind {
        case .textEqual: return text.count == literal.count && text.hasBytes(of: literal, at: 0)
        case .textPrefix: return text.hasBytes(of: literal, at: 0)
        case .textSuffix:
            return text.count >= literal.count
                && text.hasBytes(of: literal, at: text.count - literal.count)
        case .textContains: return text.contains(literal)
        case .textAny: return true
        case .textGlob: return plan.globs[predicate.argument].matches(text)
        case .textSet:
            let hash = text.matchHash
            return plan.literalSets[predicate.argument]
                .contains(text, hash: hash, literals: plan.literals.span)
        case .textGrams: return plan.gramIndexes.span[predicate.argument].isAny(in: text)
        case .networkSet:
            return IPAddress(text).map(plan.networkSets[predicate.argument].contains) ?? false
        case .network:
            return IPAddress(text).map(plan.networks[predicate.argument].contains) ?? false
        case .regex, .null, .exists, .boolean, .comparison, .time, .fieldEqual, .fieldPrefix,
            .fieldSuffix, .fieldContains:
            preconditionFailure("only texts and networks are asked here")
        }
    }

    private mutating func search(_ predicate: CompiledPredicate, _ text: Span<UInt8>) -> Bool {
        switch scratch.search(plan.regexes[predicate.argument], in: text) {
        case .match: return true
        case .noMatch: return false
        case .limit:
            limitedSearches[predicate.argument] &+= 1
            regexLimitCount &+= 1
            return false
        }
    }

    private mutating func searchOwnText(
        _ predicate: CompiledPredicate,
        _ range: Range<Int>
    ) -> Bool {
        // A second reference to the buffer, for the search may change `self` but never the buffer.
        let texts = texts
        return search(predicate, texts.span.extracting(range))
    }

    private mutating func fieldsRelate(
        _ predicate: CompiledPredicate,
        _ event: borrowing EventFields
    ) -> Bool {
        let kind = predicate.kind
        guard predicate.isCased else {
            guard let first = foldedText(predicate.field, event),
                let second = foldedText(predicate.argument, event)
            else { return false }
            return Self.relate(kind, texts.span.extracting(first), texts.span.extracting(second))
        }
        guard let first = writtenText(predicate.field, event),
            let second = writtenText(predicate.argument, event)
        else { return false }
        switch (first.isOfEvent, second.isOfEvent) {
        case (true, true):
            return Self.relate(
                kind,
                event.bytes.span.extracting(first.range),
                event.bytes.span.extracting(second.range)
            )
        case (true, false):
            return Self.relate(
                kind,
                event.bytes.span.extracting(first.range),
                texts.span.extracting(second.range)
            )
        case (false, true):
            return Self.relate(
                kind,
                texts.span.extracting(first.range),
                event.bytes.span.extracting(second.range)
            )
        case (false, false):
            return Self.relate(
                kind,
                texts.span.extracting(first.range),
                texts.span.extracting(second.range)
            )
        }
    }

    private static func relate(
        _ kind: CompiledPredicate.Kind,
        _ text: Span<UInt8>,
        _ other: Span<UInt8>
    ) -> Bool {
        switch kind {
        case .fieldPrefix: return text.hasBytes(of: other, at: 0)
        case .fieldSuffix:
            return text.count >= other.count
                && text.hasBytes(of: other, at: text.count - other.count)
        case .fieldContains: return text.contains(other)
        default: return text.count == other.count && text.hasBytes(of: other, at: 0)
        }
    }

    // MARK: Values

    /// The number that a value is, or whose decimal text it is.
    func number(_ value: FieldValue, _ event: borrowing EventFields) -> Number? {
        switch value {
        case .integer(let value): Number(value)
        case .number(let value): Number(value)
        case .text(let range): Number(decimal: event.bytes.span.extracting(range))
        case .absent, .null, .bool, .list: nil
        }
    }

    /// The point in time that a value is: microseconds since 1970.
    func microseconds(_ value: FieldValue, _ event: borrowing EventFields) -> Int64? {
        time(value, event)?.microseconds
    }

    private func time(_ value: FieldValue, _ event: borrowing EventFields) -> FieldTime? {
        switch value {
        case .integer(let value): FieldTime(epoch: value)
        case .text(let range): FieldTime(event.bytes.span.extracting(range))
        case .absent, .null, .bool, .number, .list: nil
        }
    }

    /// The field's text as written: a range of the event's bytes, or of `texts` for what has a text
    /// only by its value. Nil when the field is missing or null.
    private mutating func writtenText(
        _ field: Int,
        _ event: borrowing EventFields
    ) -> (isOfEvent: Bool, range: Range<Int>)? {
        switch event.value(at: field) {
        case .text(let range): (true, range)
        // Decimal texts and `true` have no capitals, so they are their own folded form.
        case .bool, .integer, .number: foldedText(field, event).map { (false, $0) }
        case .absent, .null, .list: nil
        }
    }

    /// The field's folded text as a range of `texts`, made once for an event.
    private mutating func foldedText(_ field: Int, _ event: borrowing EventFields) -> Range<Int>? {
        if foldedStamps[field] == generation { return foldedRanges[field] }
        let value = event.value(at: field)
        guard value != .absent, value != .null else { return nil }
        if case .list = value { return nil }
        let range = appendFolded(value, event)
        foldedStamps[field] = generation
        foldedRanges[field] = range
        return range
    }

    private mutating func appendFolded(
        _ value: FieldValue,
        _ event: borrowing EventFields
    ) -> Range<Int> {
        guard case .text(let range) = value else { return appendText(of: value) }
        let start = texts.count
        CaseFolding.fold(event.bytes.span.extracting(range), into: &texts)
        return start..<texts.count
    }

    private mutating func appendText(of value: FieldValue) -> Range<Int> {
        let start = texts.count
        switch value {
        case .absent, .null, .text, .list: break
        case .bool(let flag): texts.append(contentsOf: (flag ? "true" : "false").utf8)
        case .integer(let value): appendDecimal(value)
        case .number(let value):
            switch Number(value).form {
            case .integer(let value): appendDecimal(value)
            case .real(let value): texts.append(contentsOf: value.description.utf8)
            }
        }
        return start..<texts.count
    }

    private mutating func appendDecimal(_ value: Int64) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = 20
        var rest = value.magnitude
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if value < 0 { texts.append(UInt8(ascii: "-")) }
        for index in first..<20 { texts.append(digits[index]) }
    }
}

extension EventFields {
    /// A field beyond what the event knows is absent.
    @inline(__always)
    func value(at position: Int) -> FieldValue {
        position < values.count ? values[position] : .absent
    }
}
