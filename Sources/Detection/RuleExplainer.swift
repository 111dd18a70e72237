import MailEvents
public import Sigma

/// Why a detection rule matched an event, or did not.
public struct RuleExplanation: Sendable, Equatable {
    /// The rule's name, or its ID if it has none.
    public var rule: String
    public var matches: Bool
    /// The first condition that failed, in words; of a match, empty. It quotes the event: every
    /// output escapes it.
    public var reason: String
    /// For a match: how far the correlations are that count it.
    public var counts: [CorrelationState] = []
}

/// How far a correlation is, after an event of one of its groups.
public struct CorrelationState: Sendable, Equatable {
    public var rule: String
    /// What it counted in the window of this event; nil for rules that count nothing, and when the
    /// event takes no part (it lacks a field of the group, or came too late).
    public var figure: String?
    /// What the figure must be.
    public var threshold: Int
    /// The same of a range, as the rule has it: `gt: 100, lte: 200`; nil for others.
    public var range: String?
    /// Whether its alert is open.
    public var isOpen: Bool
}

/// Tells why rules match and do not: asks each of their tests alone. Off the hot path; it goes with
/// one ``Detector``.
public struct RuleExplainer: ~Copyable, Sendable {
    private let outline: RuleOutline
    private var matcher: RuleMatcher
    let table: FieldTable
    private let names: [String]
    /// By rule: whether it names the outcome, and so is evaluated once that is known.
    private let isSettled: [Bool]
    private var held: [Int] = []

    /// - Parameter rules: those of the detector.
    public init(_ rules: RuleSet) {
        outline = RuleOutline(rules)
        names = rules.detections.map { $0.name ?? $0.id }
        var table = EventField.table
        // Mistakes of regular expressions were found when the detector was made.
        var ignored: [Mistake] = []
        let plan = MatchPlan(outline.probes, fields: &table, mistakes: &ignored)
        let settled: Set<FieldIndex> = [EventField.outcome.index, EventField.delivery.index]
        var isOfOutcome: [Bool] = []
        for index in outline.tests.indices {
            isOfOutcome.append(plan.fieldsUsed(by: index).contains { settled.contains($0) })
        }
        isSettled = outline.nodes.map { node in node.tests.contains { isOfOutcome[$0] } }
        self.table = table
        matcher = RuleMatcher(plan)
    }

    /// What each rule of the event's phase says of it.
    mutating func explain(
        _ fields: borrowing EventFields,
        _ phase: Phase
    ) -> [(rule: Int, explanation: RuleExplanation)] {
        matcher.evaluate(fields, into: &held)
        let holding = Set(held)
        var explanations: [(rule: Int, explanation: RuleExplanation)] = []
        for (index, node) in outline.nodes.enumerated()
        where isSettled[index] == (phase == .settled) {
            let reason = failure(of: node, holding, fields)
            explanations.append(
                (
                    index,
                    RuleExplanation(
                        rule: names[index],
                        matches: reason == nil,
                        reason: reason ?? ""
                    )
                )
            )
        }
        return explanations
    }

    // MARK: Words

    /// The first thing that keeps a node from holding; nil when it holds.
    private func failure(
        of node: RuleOutline.Node,
        _ holding: Set<Int>,
        _ fields: borrowing EventFields
    ) -> String? {
        switch node {
        case .test(let index):
            return holding.contains(index)
                ? nil : "\(stated(index, fields)), wanted: \(outline.tests[index].demand)"
        case .search(let name, let part):
            return failure(of: part, holding, fields).map { "\(name): \($0)" }
        case .all(let parts):
            for part in parts {
                if let reason = failure(of: part, holding, fields) { return reason }
            }
            return nil
        case .any(let parts):
            var reasons: [String] = []
            for part in parts {
                guard let reason = failure(of: part, holding, fields) else { return nil }
                reasons.append(reason)
            }
            let more = reasons.count > 3 ? "; and \(reasons.count - 3) more" : ""
            return reasons.prefix(3).joined(separator: "; nor ") + more
        case .not(let part):
            return failure(of: part, holding, fields) == nil
                ? "excluded: " + success(of: part, holding, fields) : nil
        }
    }

    /// What makes a node hold, of one that does.
    private func success(
        of node: RuleOutline.Node,
        _ holding: Set<Int>,
        _ fields: borrowing EventFields
    ) -> String {
        switch node {
        case .test(let index): return stated(index, fields)
        case .search(let name, let part):
            return "\(name): " + success(of: part, holding, fields)
        case .all(let parts):
            var reasons: [String] = []
            for part in parts.prefix(3) { reasons.append(success(of: part, holding, fields)) }
            return reasons.joined(separator: ", ")
        case .any(let parts):
            for part in parts where failure(of: part, holding, fields) == nil {
                return success(of: part, holding, fields)
            }
            return ""
        case .not(let part): return failure(of: part, holding, fields) ?? ""
        }
    }

    /// A field and what the event has in it.
    private func stated(_ test: Int, _ fields: borrowing EventFields) -> String {
        guard let name = outline.tests[test].field else { return "the words stand in no field" }
        guard let index = table.index(of: name) else { return "\(name) is missing" }
        switch fields.value(at: index.position) {
        case .absent, .null: return "\(name) is missing"
        case .list: return "\(name) has several values"
        case .bool(let value): return "\(name) is \(value)"
        case .integer(let value): return "\(name) is \(value)"
        case .number(let value): return "\(name) is \(value)"
        case .text(let range):
            let text = String(decoding: fields.bytes[range], as: UTF8.self)
            return "\(name) is " + (text.isEmpty ? "empty" : text)
        }
    }
}

extension RuleOutline.Node {
    /// The tests below it.
    fileprivate var tests: [Int] {
        switch self {
        case .test(let index): [index]
        case .all(let parts), .any(let parts): parts.flatMap(\.tests)
        case .not(let part), .search(_, let part): part.tests
        }
    }
}
