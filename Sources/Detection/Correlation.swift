import Records
import Sigma

/// One correlation rule, ready to run; or a rule that is no correlation and raises alerts, as the
/// correlation that it stands for (rules.md: grouped by `user.name`, 1 h, threshold 1).
///
/// A class, since it is looked at for each event, and a struct of so many parts costs more to pass on
/// than to look at.
final class Correlation: Sendable {
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

    init(
        head: RuleHead,
        kind: CorrelationRule.Kind,
        trigger: CorrelationRule.Trigger,
        bases: [Base],
        timespan: Int64,
        raisesAlert: Bool,
        groupFields: [[FieldIndex]],
        valueFields: [FieldIndex],
        isByAccount: Bool,
        isByPayload: Bool,
        closure: [UInt8],
        closureText: String
    ) {
        self.head = head
        self.kind = kind
        self.trigger = trigger
        self.bases = bases
        self.timespan = timespan
        self.raisesAlert = raisesAlert
        self.groupFields = groupFields
        self.valueFields = valueFields
        self.isByAccount = isByAccount
        self.isByPayload = isByPayload
        self.closure = closure
        self.closureText = closureText
    }

    var resolve: Int64 { (head.postern.resolveSeconds ?? timespan / 1_000_000) * 1_000_000 }
    var silence: Int64 { (head.postern.silenceSeconds ?? 0) * 1_000_000 }

    /// The number that `postern.threshold` shows: the least figure that holds for the comparisons
    /// that grow, the rule's own number otherwise.
    var threshold: Int {
        guard let bound = trigger.bounds?.first, case .integer(let value) = bound.number.form else {
            return bases.count
        }
        let (next, overflows) = value.addingReportingOverflow(1)
        return Int(clamping: bound.comparison == .greater && !overflows ? next : value)
    }

    /// How many events a window of one group holds: enough for twice the figure that the rule asks
    /// for (of a range, the upper bound: the window must hold more to be beyond it), within reason.
    func windowEventsMax(_ limits: DetectionLimits) -> Int {
        guard kind == .eventCount || kind == .valueCount, let bounds = trigger.bounds else {
            return limits.windowEventsMax
        }
        let wanted = min(max(0, bounds.countMax), limits.largeWindowEventsMax / 2) * 2
        return max(limits.windowEventsMax, wanted)
    }
}
