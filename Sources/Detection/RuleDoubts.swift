import MailEvents
public import Sigma

/// Warnings about rules that can never match, or correlations that can never hold.
///
/// Says nothing where it is not certain: a rule is doubted only when, in each of the ways in which its
/// condition could hold, some field would need a value that cannot be. Fields are taken to hold one
/// value each.
///
/// - Parameters:
///   - rules: without mistakes, also in their regular expressions.
///   - knowsEvents: whether the events are the mail server's, so that the values of some fields are
///     known; otherwise any JSON objects.
///   - limits: how many events a window holds.
/// - Returns: in the order of the rules.
public func doubts(
    about rules: RuleSet,
    knowsEvents: Bool,
    limits: DetectionLimits = DetectionLimits()
) -> [Mistake] {
    var doubter = Doubter(rules, knowsEvents: knowsEvents)
    var doubts: [Mistake] = []
    for index in rules.detections.indices {
        if let doubt = doubter.doubt(aboutRule: index) { doubts.append(doubt) }
    }
    for rule in rules.correlations {
        if let doubt = doubt(about: rule, limits) { doubts.append(doubt) }
    }
    return doubts
}

/// What PCRE2 refuses in regular expressions, in their order.
public func regexMistakes(in expressions: [WrittenExpression]) -> [Mistake] {
    // Many rules have the same ones.
    var messages: [RegexPattern: String?] = [:]
    var mistakes: [Mistake] = []
    var seen: Set<Mistake> = []
    for expression in expressions {
        let known = messages[expression.pattern]
        let message = known ?? CompiledRegex.mistake(in: expression.pattern)
        if known == nil { messages[expression.pattern] = .some(message) }
        guard let message else { continue }
        let mistake = Mistake(message, at: expression.place)
        if seen.insert(mistake).inserted { mistakes.append(mistake) }
    }
    return mistakes
}

/// Of a correlation that counts: whether its figure can ever be what it asks for.
private func doubt(about rule: CorrelationRule, _ limits: DetectionLimits) -> Mistake? {
    guard case .figure(let bounds, _, _) = rule.trigger,
        rule.kind == .eventCount || rule.kind == .valueCount
    else { return nil }
    // The event itself is in its window; its value may be missing.
    let least: Int64 = rule.kind == .eventCount ? 1 : 0
    let most = Int64(max(limits.windowEventsMax, limits.largeWindowEventsMax))
    guard !bounds.holdsForCount(from: least, to: most) else { return nil }
    return Mistake(
        "the correlation can never hold: it counts from \(least) to \(most), and asks for"
            + " `\(bounds.text)`",
        at: rule.head.place
    )
}

private struct Doubter: ~Copyable {
    /// A test that must hold, or must not.
    private struct Demand {
        var test: Int
        var isNegated: Bool
    }

    /// A value that a field may have.
    private enum Candidate {
        case absent, null
        case bool(Bool)
        case text([UInt8])
    }

    /// So many ways to hold are looked at, and so many values of a field.
    private static let branchesMax = 64
    private static let candidatesMax = 20_000

    private let outline: RuleOutline
    private var matcher: RuleMatcher
    private let table: FieldTable
    private var event: EventFields
    private var found: [Int] = []
    private let knowsEvents: Bool

    init(_ rules: RuleSet, knowsEvents: Bool) {
        outline = RuleOutline(rules)
        self.knowsEvents = knowsEvents
        var table = EventField.table
        var ignored: [Mistake] = []
        let plan = MatchPlan(outline.probes, fields: &table, mistakes: &ignored)
        self.table = table
        event = EventFields(fieldCount: table.count)
        matcher = RuleMatcher(plan)
    }

    mutating func doubt(aboutRule index: Int) -> Mistake? {
        guard let branches = branches(outline.nodes[index], isNegated: false) else { return nil }
        var first: Mistake?
        for branch in branches {
            guard let doubt = doubt(about: branch) else { return nil }
            first = first ?? doubt
        }
        return first
    }

    /// The ways in which a node can hold: in each, all demands must be met. Nil when there are too
    /// many.
    private func branches(_ node: RuleOutline.Node, isNegated: Bool) -> [[Demand]]? {
        switch node {
        case .test(let test): return [[Demand(test: test, isNegated: isNegated)]]
        case .search(_, let part): return branches(part, isNegated: isNegated)
        case .not(let part): return branches(part, isNegated: !isNegated)
        case .all(let parts) where !isNegated, .any(let parts) where isNegated:
            var all: [[Demand]] = [[]]
            for part in parts {
                guard let some = branches(part, isNegated: isNegated),
                    all.count * some.count <= Self.branchesMax
                else { return nil }
                all = all.flatMap { left in some.map { left + $0 } }
            }
            return all
        case .all(let parts), .any(let parts):
            var all: [[Demand]] = []
            for part in parts {
                guard let some = branches(part, isNegated: isNegated),
                    all.count + some.count <= Self.branchesMax
                else { return nil }
                all += some
            }
            return all
        }
    }

    /// Why the demands cannot be met together.
    private mutating func doubt(about branch: [Demand]) -> Mistake? {
        var seen: Set<String> = []
        for demand in branch {
            guard let field = outline.tests[demand.test].field, seen.insert(field).inserted else {
                continue
            }
            let ofField = branch.filter { outline.tests[$0.test].field == field }
            if let doubt = doubt(about: field, ofField) { return doubt }
        }
        return nil
    }

    private mutating func doubt(about field: String, _ demands: [Demand]) -> Mistake? {
        guard let index = table.index(of: field) else { return nil }
        // What a field reference asks depends on another field.
        let asksOthers = demands.contains { demand in
            predicates(demand).contains { predicate in
                if case .field = predicate { true } else { false }
            }
        }
        guard !asksOthers else { return nil }
        let known = knowsEvents ? EventField(rawValue: index.position)?.values : nil
        if let known {
            let candidates =
                [Candidate.absent, .null] + known.map { .text(Array($0.utf8)) }
            guard !areMet(demands, by: candidates, index) else { return nil }
            return mistake(field, demands, known: known)
        }
        let isTrivial =
            demands.count == 1 && !(outline.tests[demands[0].test].demandsAll)
        guard !isTrivial, let candidates = candidates(demands),
            candidates.count <= Self.candidatesMax
        else { return nil }
        return areMet(demands, by: candidates, index) ? nil : mistake(field, demands, known: nil)
    }

    private func mistake(
        _ field: String,
        _ demands: [Demand],
        known: [String]?
    ) -> Mistake {
        let words = demands.map { demand in
            let words = outline.tests[demand.test].demand
            return demand.isNegated ? "not " + words : words
        }
        var message =
            "the rule can never match: no value of `\(field)` is "
            + words.joined(separator: ", and ")
        if let known {
            message += "; it is one of " + known.map { "`\($0)`" }.joined(separator: ", ")
        }
        return Mistake(message, at: outline.tests[demands.last?.test ?? 0].place)
    }

    /// Whether one of the values meets all demands.
    private mutating func areMet(
        _ demands: [Demand],
        by candidates: [Candidate],
        _ field: FieldIndex
    ) -> Bool {
        for candidate in candidates {
            event.reset()
            switch candidate {
            case .absent: break
            case .null: event.set(.null, at: field)
            case .bool(let flag): event.set(.bool(flag), at: field)
            case .text(let text): event.setText(text.span, at: field)
            }
            matcher.evaluate(event, into: &found)
            // Both are ascending and short beside the rules.
            let holding = Set(found)
            if demands.allSatisfy({ holding.contains($0.test) != $0.isNegated }) { return true }
        }
        return false
    }

    private func predicates(_ demand: Demand) -> [Predicate] {
        outline.tests[demand.test].values.flatMap(\.alternatives)
    }

    // MARK: Candidates

    /// Values of which one meets the demands if any value does; nil when there are no such.
    private func candidates(_ demands: [Demand]) -> [Candidate]? {
        var finite: [Candidate] = []
        var hasFinite = false
        for demand in demands where isPositive(demand) {
            if let values = finiteValues(predicates(demand)) {
                hasFinite = true
                finite += values
            }
        }
        if hasFinite {
            // Text that ignores case has more values than one can list, so what looks at case, or
            // may, is left alone.
            let looksAtCase = demands.contains { predicates($0).contains(where: Self.looksAtCase) }
            return looksAtCase ? nil : finite
        }
        let all = demands.flatMap { predicates($0) }
        let isNumeric = all.allSatisfy { predicate in
            switch predicate {
            case .comparison, .number, .exists, .null: true
            default: false
            }
        }
        if isNumeric { return numbers(all) }
        let isOfNetworks = all.allSatisfy { predicate in
            switch predicate {
            case .network, .exists, .null: true
            default: false
            }
        }
        let excluded = demands.count { !isPositive($0) }
        return isOfNetworks && excluded <= 1 ? addresses(all) : nil
    }

    private func isPositive(_ demand: Demand) -> Bool {
        demand.isNegated == outline.tests[demand.test].isNegated
    }

    /// All values for which one of the predicates holds; nil when they cannot be listed.
    private func finiteValues(_ predicates: [Predicate]) -> [Candidate]? {
        var values: [Candidate] = []
        for predicate in predicates {
            switch predicate {
            case .text(let pattern, _):
                guard let literal = pattern.literal else { return nil }
                values.append(.text(literal))
            case .number(let number): values.append(.text(Array(number.text.utf8)))
            case .boolean(let flag): values.append(.bool(flag))
            case .null: values += [.absent, .null]
            case .exists(false): values.append(.absent)
            case .exists, .comparison, .regex, .network, .field, .timePart: return nil
            }
        }
        return values
    }

    private static func looksAtCase(_ predicate: Predicate) -> Bool {
        switch predicate {
        case .text(_, let cased): cased
        case .regex: true
        default: false
        }
    }

    /// The numbers that are compared with, those beside them and those between them.
    private func numbers(_ predicates: [Predicate]) -> [Candidate] {
        var points: [Double] = []
        for predicate in predicates {
            let number: Number
            switch predicate {
            case .comparison(_, let compared), .number(let compared): number = compared
            default: continue
            }
            switch number.form {
            case .integer(let value): points.append(Double(value))
            case .real(let value): points.append(value)
            }
        }
        points.sort()
        let between = zip(points, points.dropFirst()).map { ($0 + $1) / 2 }
        let values = points + points.map { $0 - 1 } + points.map { $0 + 1 } + between
        return [.absent, .null] + values.map { .text(Array(Number($0).text.utf8)) }
    }

    /// The first and the last address of each network.
    private func addresses(_ predicates: [Predicate]) -> [Candidate] {
        var values: [Candidate] = [.absent, .null]
        for case .network(let network) in predicates {
            values.append(.text(Array(network.address.text.utf8)))
            values.append(.text(Array(network.lastAddress.text.utf8)))
        }
        return values
    }
}
