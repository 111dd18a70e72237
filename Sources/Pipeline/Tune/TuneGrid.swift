public import Evidence
public import Findings
public import MailEvents
import SafeText
public import Sigma

/// One setting of a rule: how many, within what time.
public struct TuneVariant: Sendable, Hashable {
    /// The rule that it is a variant of: ID, and its name or else its title.
    public var ruleID: String
    public var ruleName: String
    public var threshold: Int64
    public var timespanSeconds: Int64
    /// The rule as it is.
    public var isCurrent: Bool
}

/// Variants of correlation rules, to be run beside each other in one pass over the logs.
public struct TuneGrid: Sendable {
    /// By the ID that a variant has as a rule of its own.
    public private(set) var variants: [String: TuneVariant] = [:]
    /// The rules with all their variants.
    public private(set) var rules: RuleSet
    /// Alert rules that have no threshold that could be another, with the reason.
    public private(set) var leftOut: [(rule: String, reason: String)] = []

    /// Rules of their own at most; each costs a window for each account that it looks at.
    public static let variantsMax = 2_000

    /// - Parameters:
    ///   - names: names or IDs of the rules to be varied; empty: all alert rules.
    ///   - thresholds: empty: from a quarter to six times the rule's own.
    ///   - timespans: seconds; empty: half, once and twice the rule's own.
    /// - Returns: nil when there would be more than ``variantsMax``.
    public init?(
        _ rules: RuleSet,
        names: [String] = [],
        thresholds: [Int64] = [],
        timespans: [Int64] = []
    ) {
        self.rules = rules
        // What others build on stays; no rule raises an alert but the variants.
        for index in self.rules.detections.indices {
            self.rules.detections[index].head.level = .informational
        }
        var referenced: Set<Int> = []
        for rule in rules.correlations {
            for case .correlation(let base) in rule.rules where !rule.generate {
                referenced.insert(base)
            }
        }
        for (index, rule) in rules.correlations.enumerated() {
            self.rules.correlations[index].head.level = .informational
            self.rules.correlations[index].generate = false
            let isWanted =
                names.isEmpty || names.contains(rule.id) || rule.name.map(names.contains) ?? false
            guard isWanted, rule.level > .informational, !referenced.contains(index) else {
                continue
            }
            guard
                case .figure(let bounds, let fields, let percentile) = rule.trigger,
                bounds.first.comparison == .greater
                    || bounds.first.comparison == .greaterOrEqual,
                case .integer(let own) = bounds.first.number.form, own > 0
            else {
                let reason: String
                if case .ruleCount = rule.trigger {
                    reason = "it counts its rules, of which there are \(rule.rules.count)"
                } else {
                    reason = "it has no number that it must reach"
                }
                leftOut.append((rule.name ?? rule.title, reason))
                continue
            }
            let grid = Set(thresholds.isEmpty ? Self.thresholds(around: own) : thresholds)
                .union([own]).sorted().filter { !bounds.reaching(from: $0).isEmptyRange }
            let spans = Set(timespans.isEmpty ? Self.timespans(around: rule) : timespans)
                .union([rule.timespanSeconds]).sorted()
            for span in spans {
                for threshold in grid {
                    var copy = rule
                    copy.timespanSeconds = span
                    copy.trigger = .figure(
                        bounds.reaching(from: threshold),
                        fields: fields,
                        percentile: percentile
                    )
                    copy.head.id = "\(rule.id) \(threshold) in \(span) s"
                    copy.head.name = nil
                    copy.generate = false
                    variants[copy.head.id] = TuneVariant(
                        ruleID: rule.id,
                        ruleName: rule.name ?? rule.title,
                        threshold: threshold,
                        timespanSeconds: span,
                        isCurrent: threshold == own && span == rule.timespanSeconds
                    )
                    self.rules.correlationOrder.append(self.rules.correlations.count)
                    self.rules.correlations.append(copy)
                }
            }
            guard variants.count <= Self.variantsMax else { return nil }
        }
        for rule in rules.detections
        where rule.level > .informational
            && (names.isEmpty || names.contains(rule.id) || rule.name.map(names.contains) ?? false)
            && !rules.correlations.contains(where: { $0.refers(to: rule, in: rules) })
        {
            leftOut.append((rule.name ?? rule.title, "each match is an alert"))
        }
    }

    private static func thresholds(around own: Int64) -> [Int64] {
        [(1, 4), (1, 3), (1, 2), (2, 3), (1, 1), (4, 3), (3, 2), (2, 1), (3, 1), (4, 1), (6, 1)]
            .map { up, down in max(1, (own * up + down / 2) / down) }
    }

    private static func timespans(around rule: CorrelationRule) -> [Int64] {
        [max(1, rule.timespanSeconds / 2), rule.timespanSeconds, rule.timespanSeconds * 2]
    }
}

extension FigureBounds {
    /// The same with another number that is to be reached; the upper bound of a range stays.
    fileprivate func reaching(from threshold: Int64) -> FigureBounds {
        var bounds = self
        bounds.first.number = Number(threshold)
        return bounds
    }
}

extension CorrelationRule {
    fileprivate func refers(to rule: DetectionRule, in rules: RuleSet) -> Bool {
        self.rules.contains { reference in
            if case .detection(let index) = reference {
                return rules.detections[index].id == rule.id
            }
            return false
        }
    }
}

/// How many alerts are wanted at most.
public struct AlertBudget: Sendable, Hashable {
    public var alerts: Int
    public var days: Int

    /// `1/week`, `3/day`, `2/month` (30 days).
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let units = ["day": 1, "week": 7, "month": 30]
        guard parts.count == 2, let alerts = Int(parts[0]), (0...1_000_000).contains(alerts),
            let days = units[String(parts[1])]
        else { return nil }
        self.alerts = alerts
        self.days = days
    }

    /// Whether so many alerts in so many days keep to it.
    func holds(_ count: Int, days other: Int) -> Bool {
        count * days <= alerts * other
    }
}

/// What came of one variant.
public struct TuneRow: Sendable, Hashable {
    public var variant: TuneVariant
    /// Alerts opened or reopened.
    public var alerts = 0
    /// Accounts that they name, in the order of their first alert.
    public var accounts: [String] = []
    /// Those that the rule as it is does not name.
    public var newAccounts: [String] = []
    /// The lowest threshold of its rule and timespan that keeps to the budget.
    public var isChosen = false

    /// Thousandths of alerts a day.
    public func perDayThousandths(days: Int) -> Int {
        (alerts * 1_000 + days / 2) / max(1, days)
    }
}

/// Collects what the variants raise.
public struct TuneOutput: EngineOutput {
    private let variants: [String: TuneVariant]
    private var rows: [String: TuneRow] = [:]
    private var seen: [String: Set<String>] = [:]
    public private(set) var notices: [Notice] = []

    /// Accounts remembered of one variant.
    static let accountsMax = 100_000

    public init(_ grid: TuneGrid) { variants = grid.variants }

    public mutating func finished(_ event: SendEvent, record: String) {}

    public mutating func changed(_ alert: Alert, bundle: BundleContents?) {
        guard let variant = variants[alert.ruleID] else { return }
        var row = rows[alert.ruleID] ?? TuneRow(variant: variant)
        if alert.action == .opened || alert.action == .reopened { row.alerts += 1 }
        for account in alert.accounts {
            let name = canonicalAccount(account)
            guard row.accounts.count < Self.accountsMax,
                seen[alert.ruleID, default: []].insert(name).inserted
            else { continue }
            row.accounts.append(name)
        }
        rows[alert.ruleID] = row
    }

    public mutating func raised(_ notice: Notice) { notices.append(notice) }

    /// All variants: by rule, timespan and threshold.
    ///
    /// - Parameter days: of the log, from 1.
    public func rows(budget: AlertBudget?, days: Int) -> [TuneRow] {
        var all = variants.map { id, variant in rows[id] ?? TuneRow(variant: variant) }
        all.sort { left, right in
            let (a, b) = (left.variant, right.variant)
            return (a.ruleName, a.ruleID, a.timespanSeconds, a.threshold)
                < (b.ruleName, b.ruleID, b.timespanSeconds, b.threshold)
        }
        var current: [String: Set<String>] = [:]
        for row in all where row.variant.isCurrent {
            current[row.variant.ruleID] = Set(row.accounts)
        }
        var last: (rule: String, span: Int64)?
        for index in all.indices {
            let variant = all[index].variant
            let known = current[variant.ruleID] ?? []
            all[index].newAccounts = all[index].accounts.filter { !known.contains($0) }
            guard let budget, budget.holds(all[index].alerts, days: days) else { continue }
            if let last, last == (variant.ruleID, variant.timespanSeconds) { continue }
            all[index].isChosen = true
            last = (variant.ruleID, variant.timespanSeconds)
        }
        return all
    }
}

extension TuneRow {
    /// One flat object.
    public func json(days: Int) -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("rule.id", variant.ruleID)
        object.member("rule.name", variant.ruleName)
        object.member("postern.threshold", variant.threshold)
        object.member("postern.timespan_seconds", variant.timespanSeconds)
        object.member("postern.is_current", variant.isCurrent)
        object.member("postern.is_chosen", isChosen)
        object.member("postern.alerts", alerts)
        object.member("postern.days", days)
        object.member(
            "postern.alerts_per_day",
            json: Array(thousandths(perDayThousandths(days: days)).utf8)
        )
        object.member("postern.accounts", accounts.count)
        object.member("postern.new_accounts", newAccounts)
        return object.finished()
    }
}

/// `0.143`.
public func thousandths(_ number: Int) -> String {
    let rest = String(number % 1_000)
    return "\(number / 1_000)." + String(repeating: "0", count: 3 - rest.count) + rest
}

/// `90 m`, `1 h`, `7 d`: the largest unit that gives a whole number.
public func spanText(_ seconds: Int64) -> String {
    for (unit, size) in [("d", Int64(86_400)), ("h", 3_600), ("m", 60)]
    where seconds >= size && seconds % size == 0 {
        return "\(seconds / size) \(unit)"
    }
    return "\(seconds) s"
}
