import Sigma

/// Reads one file named `t.yml`.
func read(_ text: String, placeholders: [String: [String]] = [:]) -> RuleReading {
    RuleReading([RuleFile(name: "t.yml", bytes: Array(text.utf8))], placeholders: placeholders)
}

/// A rule with these lines under `detection:`; the first of them is line 5 of the file.
func rule(_ detection: String, id: String = "r1", name: String? = nil) -> String {
    let indented = detection.split(separator: "\n", omittingEmptySubsequences: false)
        .map { "    " + $0 }.joined(separator: "\n")
    let named = name.map { "name: \($0)\n" } ?? ""
    return
        "title: T\nid: \(id)\n\(named)logsource: {category: mail}\ndetection:\n\(indented)\nlevel: low\n"
}

/// A rule with one search of one line, `sel: {LINE}`.
func line(_ line: String) -> String { rule("sel:\n    \(line)\ncondition: sel") }

/// The alternatives of the only value of the only line of the only rule.
func predicates(_ text: String, placeholders: [String: [String]] = [:]) -> [Predicate] {
    let reading = read(line(text), placeholders: placeholders)
    guard reading.mistakes.isEmpty, let rule = reading.rules.detections.first,
        case .all(let clauses) = rule.searches[0].clause, case .test(let test)? = clauses.first
    else { return [] }
    return test.values.flatMap(\.alternatives)
}

/// The literal texts among `predicates`.
func literals(_ predicates: [Predicate]) -> [String] {
    predicates.compactMap { predicate in
        guard case .text(let pattern, _) = predicate else { return nil }
        return pattern.parts.map { part in
            switch part {
            case .literal(let bytes): String(decoding: bytes, as: UTF8.self)
            case .anyText: "*"
            case .anyCharacter: "?"
            }
        }
        .joined()
    }
}

let burst = """
    title: Burst
    id: 0d7c51b2-6a35-4f0e-8d0a-3f6f3f0a6f52
    name: receipt_burst
    status: experimental
    description: One account.
    author: A
    tags: [attack.t1534]
    unknown: [1, {a: b}]
    correlation:
        type: value_count
        rules:
            - receipt_unseen_domain
        group-by:
            - user.name
        timespan: 1h
        condition:
            field: destination.domain
            gte: 3
    level: high
    postern:
        silence: 6h
        resolve: 30m
        remediation: outlook-read-receipts
        diagnosis: outlook-receipts
    ---
    # the base
    title: Base
    id: 6f1f2f5e-0a51-4c43-9a7e-4c1d2f0f8a11
    name: receipt_unseen_domain
    logsource: {product: postern}
    detection:
        receipt:
            postern.receipt: not-read
            user.name|exists: true
        known_heard:
            postern.domain_heard_days|gte: 2
        known_internal:
            postern.domain_internal: true
        condition: receipt and not 1 of known_*
    level: informational
    ---
    title: Leave out the boss
    id: f
    logsource: {}
    filter:
        rules: receipt_unseen_domain
        sel:
            user.name: boss
        condition: not sel

    """
