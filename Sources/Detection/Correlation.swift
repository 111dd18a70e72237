import Records
import Sigma

/// One correlation rule, ready to run; or a rule that is no correlation and raises alerts, as the
/// correlation that it stands for (rules.md: grouped by `user.name`, 1 h, threshold 1).
struct Correlation: Sendable {
    enum Base: Sendable, Hashable {
        case detection(Int)
        case correlation(Int)
    }

    let head: RuleHead
    let kind: CorrelationRule.Kind
    let trigger: CorrelationRule.Trigger
    let bases: [Base]
    let timespan: Int64
    let raisesAlert: Bool
    /// The group-by fields, for each base by its position.
    let groupFields: [[FieldIndex]]
    /// The counted fields; empty for `event_count` and the temporal kinds.
    let valueFields: [FieldIndex]
    /// The group is one account and nothing else.
    let isByAccount: Bool
    /// The groups are of one payload each: of one template of junk mail.
    let isByPayload: Bool
    /// Digest of the text of the rule and of all it builds on: equal text, same windows.
    let closure: [UInt8]
    /// All text that the bundle's `rule.yml` needs.
    let closureText: String

    var resolve: Int64 { (head.postern.resolveSeconds ?? timespan / 1_000_000) * 1_000_000 }
    var silence: Int64 { (head.postern.silenceSeconds ?? 0) * 1_000_000 }

    /// The number that `postern.threshold` shows: the least figure that holds for the comparisons
    /// that grow, the rule's own number otherwise.
    var threshold: Int {
        guard case .figure(let comparison, let number, _, _) = trigger,
            case .integer(let value) = number.form
        else { return bases.count }
        return Int(clamping: comparison == .greater ? value + 1 : value)
    }

    /// Whether a window's last event makes a match.
    func holds(_ window: Window, endingAt index: Int) -> Bool {
        switch trigger {
        case .figure(let comparison, let number, _, let percentile):
            guard
                let figure = window.figure(
                    kind,
                    percentile: percentile,
                    endingAt: index,
                    timespan: timespan
                )
            else { return false }
            return comparison.holds(figure, number)
        case .everyRule:
            return kind == .temporalOrdered
                ? window.isOrdered(bases.count, endingAt: index, timespan: timespan)
                : window.rules(endingAt: index, timespan: timespan).count == bases.count
        case .condition(let condition):
            let present = window.rules(endingAt: index, timespan: timespan)
            guard Self.holds(condition, present) else { return false }
            return kind == .temporal || isOrdered(window, present, endingAt: index)
        }
    }

    private static func holds(_ condition: RuleCondition, _ present: Set<UInt8>) -> Bool {
        switch condition {
        case .rule(let position): present.contains(UInt8(truncatingIfNeeded: position))
        case .all(let parts): parts.allSatisfy { holds($0, present) }
        case .any(let parts): parts.contains { holds($0, present) }
        case .not(let part): !holds(part, present)
        }
    }

    /// For `temporal_ordered` with a condition: the rules that are there came in the order in which
    /// the correlation names them.
    private func isOrdered(_ window: Window, _ present: Set<UInt8>, endingAt index: Int) -> Bool {
        var wanted = present.sorted()[...]
        for entry in window.entries[window.range(endingAt: index, timespan: timespan)]
        where entry.rule == wanted.first {
            wanted = wanted.dropFirst()
        }
        return wanted.isEmpty
    }
}
