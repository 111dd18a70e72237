import MailEvents
import Sigma

/// Which events the rules can match at all, by what is known of each without asking the memory: most
/// mail is passed over by it.
struct EventTriage: Sendable {
    /// The fields that bring rules into question, and the others that rules test.
    let guardFields: [EventField]
    let furtherFields: [EventField]
    /// The same where the facts of the event are not known yet: the first are known of each event.
    let ordinaryGuardFields: [EventField]
    let ordinaryFurtherFields: [EventField]
    /// Whether rules of settled events may match one that no such rule awaits since its submission.
    let settlesEveryEvent: Bool
    /// Whether any event may be matched, whatever is known of it without its facts.
    let asksAllFacts: Bool
    /// The rules that are left out of what follows match only an event whose account reached so many
    /// unseen domains within the hour; 0: there are none.
    let unseenDomainsMin: Int
    /// And only if the domain of the event itself is unseen.
    let needsUnseenDomain: Bool
    /// Whether all others pass over mail that is no receipt, to a domain that was seen, and to one
    /// that was not, if they pass over each of ``texts``.
    let passesSeen: Bool
    let passesUnseen: Bool
    let texts: [GuardedText]

    /// A field whose text may bring rules into question, and what tells that it does not.
    struct GuardedText: Sendable {
        var field: EventField
        /// For rules of submitted events; nil: they do not ask.
        var submitted: TextFilter?
        /// For those of settled events.
        var settled: TextFilter?
    }

    /// - Parameters:
    ///   - isSettled: by detection rule: whether it matches settled events.
    ///   - tested: the fields that rules test.
    init(
        _ rules: RuleSet,
        submitted: MatchPlan,
        settled: MatchPlan,
        isSettled: [Bool],
        tested: [EventField],
        fields table: inout FieldTable
    ) {
        let known = Set(EventField.allCases.filter(\.isAlwaysKnown).map(\.rawValue))
        let submittedGuards = Self.positions(submitted)
        let settledGuards = Self.positions(settled)
        let isGuard = { (field: EventField) in
            submittedGuards?.contains(field.rawValue) ?? true
                || settledGuards?.contains(field.rawValue) ?? true
        }
        guardFields = tested.filter(isGuard)
        furtherFields = tested.filter { !isGuard($0) }
        ordinaryGuardFields = guardFields.filter(\.isAlwaysKnown)
        ordinaryFurtherFields = tested.filter { !isGuard($0) || !$0.isAlwaysKnown }

        let unusual = rules.detections.map { rule in
            (rule.requiredMinimum(of: EventField.unseenDomainsHour.name) ?? 0) > 0
        }
        let left = rules.detections.indices.filter { !isSettled[$0] && unusual[$0] }
        // Their mistakes were told.
        var told: [Mistake] = []
        let others = MatchPlan(
            rules,
            fields: &table,
            mistakes: &told,
            only: { !isSettled[$0] && !unusual[$0] },
            prefersGuard: { EventField(rawValue: $0.position)?.isAlwaysKnown ?? false }
        )
        unseenDomainsMin =
            left.compactMap { index in
                rules.detections[index].requiredMinimum(of: EventField.unseenDomainsHour.name)
            }.min().map { Int(clamping: $0) } ?? 0
        needsUnseenDomain = left.allSatisfy { index in
            rules.detections[index].requiresTrue(EventField.domainUnseen.name)
        }
        let isSettledKnown = settledGuards.map(known.isSuperset) ?? false
        settlesEveryEvent = isSettled.contains(true) && !isSettledKnown
        let isKnown = Self.positions(others).map(known.isSuperset) ?? false
        asksAllFacts = settlesEveryEvent || !isKnown

        let telling: Set<Int> = [EventField.receipt.rawValue, EventField.domainUnseen.rawValue]
        let otherGuards = Self.positions(others) ?? known
        let guards = otherGuards.union(settledGuards ?? []).subtracting(telling)
        texts = EventField.allCases.filter { guards.contains($0.rawValue) }.compactMap { field in
            guard Detector.text(field, of: SendEvent()) != nil else { return nil }
            let submitted = others.filter(at: field.index)
            let awaited = settled.filter(at: field.index)
            // Who asks for the field must have a filter for it.
            guard submitted != nil || !otherGuards.contains(field.rawValue),
                awaited != nil || settledGuards?.contains(field.rawValue) != true
            else { return nil }
            return GuardedText(field: field, submitted: submitted, settled: awaited)
        }
        guard !asksAllFacts, texts.count == guards.count else {
            passesSeen = false
            passesUnseen = false
            return
        }
        var matcher = RuleMatcher(others)
        var settledMatcher = RuleMatcher(settled)
        var event = EventFields(fieldCount: table.count)
        func passes(_ isUnseen: Bool) -> Bool {
            event.reset()
            event.set(.bool(isUnseen), at: EventField.domainUnseen.index)
            return !matcher.findCandidates(event) && !settledMatcher.findCandidates(event)
        }
        passesSeen = passes(false)
        passesUnseen = passes(true)
    }

    private static func positions(_ plan: MatchPlan) -> Set<Int>? {
        plan.guardFields.map { Set($0.map(\.position)) }
    }
}

extension DetectionRule {
    /// The least that an integer field must hold for the rule to match, as far as its condition
    /// plainly says so (`field|gte: N` in a search that must hold); nil when it does not.
    func requiredMinimum(of field: String) -> Int64? {
        required(field).compactMap { predicate in
            guard case .comparison(.greaterOrEqual, let number) = predicate,
                case .integer(let value) = number.form
            else { return nil }
            return value
        }.max()
    }

    /// Whether a boolean field must be true for the rule to match, as far as its condition plainly
    /// says so.
    func requiresTrue(_ field: String) -> Bool { required(field).contains(.boolean(true)) }

    /// What must hold of a field in any case.
    private func required(_ field: String) -> [Predicate] { required(field, condition) }

    private func required(_ field: String, _ condition: Condition) -> [Predicate] {
        switch condition {
        case .search(let index): Self.required(field, searches[index].clause)
        case .all(let parts): parts.flatMap { required(field, $0) }
        case .any(let parts): parts.count == 1 ? required(field, parts[0]) : []
        case .not: []
        }
    }

    private static func required(_ field: String, _ clause: Clause) -> [Predicate] {
        switch clause {
        case .all(let parts): return parts.flatMap { required(field, $0) }
        case .any(let parts): return parts.count == 1 ? required(field, parts[0]) : []
        case .test(let test):
            guard test.field == field, !test.isNegated, test.values.count == 1,
                test.values[0].alternatives.count == 1
            else { return [] }
            return test.values[0].alternatives
        }
    }
}
