import Crypto
import Sigma

/// Turns checked correlation rules, and the alert rules that are none, into ``Correlation``s.
struct CorrelationCompiler {
    private(set) var correlations: [Correlation] = []
    private(set) var wokenByDetection: [[(correlation: Int, position: Int)]]
    private(set) var wokenByCorrelation: [[(correlation: Int, position: Int)]] = []

    /// Correlations stand after those that they build on, so that one pass carries matches upwards.
    ///
    /// - Parameter alertRules: whether rules that raise alerts by themselves count too.
    init(rules: RuleSet, alertRules: Bool = true, fields: inout FieldTable) {
        wokenByDetection = rules.detections.map { _ in [] }
        var placeOf: [Int: Int] = [:]
        let referenced = Self.referenced(rules)

        for index in rules.correlationOrder {
            let rule = rules.correlations[index]
            let bases = rule.rules.map { reference -> Correlation.Base in
                switch reference {
                case .detection(let detection): .detection(detection)
                case .correlation(let correlation): .correlation(placeOf[correlation] ?? 0)
                }
            }
            var valueFields: [FieldIndex] = []
            if case .figure(_, let names, _) = rule.trigger {
                valueFields = names.map { fields.add($0) }
            }
            let groupFields = rule.rules.indices.map { position in
                rule.groupBy.map { fields.add(rule.field(for: $0, ofRule: position)) }
            }
            let text = Self.closureText(of: rule, rules)
            let isQuiet = referenced.correlations[index] ?? false
            placeOf[index] = correlations.count
            add(
                Correlation(
                    head: rule.head,
                    kind: rule.kind,
                    trigger: rule.trigger,
                    bases: bases,
                    timespan: rule.timespanSeconds * 1_000_000,
                    raisesAlert: !isQuiet && rule.level > .informational
                        || rule.generate && isQuiet,
                    groupFields: groupFields,
                    valueFields: valueFields,
                    isByAccount: rule.groupBy == ["user.name"],
                    isByPayload: rule.groupBy.contains("postern.payload"),
                    closure: Self.closure(of: text, rules),
                    closureText: text
                )
            )
        }
        guard alertRules else { return }
        let user = fields.add("user.name")
        for (index, rule) in rules.detections.enumerated() {
            let isQuiet = referenced.detections[index].map { !$0 } ?? false
            guard rule.level > .informational, !isQuiet else { continue }
            let text = Self.closureText(ofDetection: index, rules)
            add(
                Correlation(
                    head: rule.head,
                    kind: .eventCount,
                    trigger: .figure(
                        FigureBounds(.greaterOrEqual, Number(Int64(1))),
                        fields: [],
                        percentile: nil
                    ),
                    bases: [.detection(index)],
                    timespan: 3_600_000_000,
                    raisesAlert: true,
                    groupFields: [[user]],
                    valueFields: [],
                    isByAccount: true,
                    isByPayload: false,
                    closure: Self.closure(of: text, rules),
                    closureText: text
                )
            )
        }
    }

    private mutating func add(_ correlation: Correlation) {
        let place = correlations.count
        correlations.append(correlation)
        wokenByCorrelation.append([])
        for (position, base) in correlation.bases.enumerated() {
            switch base {
            case .detection(let index): wokenByDetection[index].append((place, position))
            case .correlation(let index): wokenByCorrelation[index].append((place, position))
            }
        }
    }

    /// Which rules others build on; the value tells whether one of those says `generate`.
    private static func referenced(
        _ rules: RuleSet
    ) -> (detections: [Int: Bool], correlations: [Int: Bool]) {
        var detections: [Int: Bool] = [:]
        var correlations: [Int: Bool] = [:]
        for rule in rules.correlations {
            for reference in rule.rules {
                switch reference {
                case .detection(let index):
                    detections[index] = (detections[index] ?? false) || rule.generate
                case .correlation(let index):
                    correlations[index] = (correlations[index] ?? false) || rule.generate
                }
            }
        }
        return (detections, correlations)
    }

    /// The documents of a rule and of all that it builds on, each once.
    private static func closureText(of rule: CorrelationRule, _ rules: RuleSet) -> String {
        var texts: [String] = []
        var seen: Set<RuleReference> = []
        func visit(_ reference: RuleReference) {
            guard seen.insert(reference).inserted else { return }
            switch reference {
            case .detection(let index): texts += documents(ofDetection: index, rules)
            case .correlation(let index):
                for base in rules.correlations[index].rules { visit(base) }
                texts.append(rules.correlations[index].head.text)
            }
        }
        for reference in rule.rules { visit(reference) }
        texts.append(rule.head.text)
        return join(texts)
    }

    private static func closureText(ofDetection index: Int, _ rules: RuleSet) -> String {
        join(documents(ofDetection: index, rules))
    }

    private static func documents(ofDetection index: Int, _ rules: RuleSet) -> [String] {
        [rules.detections[index].head.text]
            + rules.detections[index].filters.map { rules.filters[$0].head.text }
    }

    /// Digest of a closure's text and of the values of the placeholders in it.
    private static func closure(of text: String, _ rules: RuleSet) -> [UInt8] {
        var whole = text
        for (name, values) in rules.placeholders.sorted(by: { $0.key < $1.key })
        where text.contains("%\(name)%") {
            whole += "\0%\(name)%"
            for value in values { whole += "\0" + value }
        }
        return Array(SHA256.hash(data: Array(whole.utf8)))
    }

    private static func join(_ texts: [String]) -> String {
        var whole = ""
        for (index, text) in texts.enumerated() {
            if index > 0 { whole += "---\n" }
            whole += text
            if !text.hasSuffix("\n") { whole += "\n" }
        }
        return whole
    }
}
