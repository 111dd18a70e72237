import Findings
import SafeText

/// The forms in which a webhook gets alerts.
public enum WebhookFormat: String, Sendable, Hashable, CaseIterable {
    /// The ECS JSON object, as it is kept.
    case ecs
    /// Prometheus Alertmanager, API v2 (`POST /api/v2/alerts`).
    case alertmanager
    /// A Slack incoming webhook.
    case slack
    /// A Microsoft Teams workflow that takes an adaptive card.
    case teams
    /// ntfy: the URL names the topic.
    case ntfy
    /// PagerDuty, Events API v2.
    case pagerduty

    /// What is posted, and to where.
    struct Request: Sendable, Hashable {
        var url: String
        var body: [UInt8]
    }

    /// - Parameters:
    ///   - body: the ECS JSON.
    ///   - url: of the settings.
    ///   - key: PagerDuty's routing key.
    ///   - nowMicroseconds: when the alert is sent.
    func request(
        _ facts: AlertFacts,
        body: [UInt8],
        url: String,
        key: String?,
        nowMicroseconds: Int64
    ) -> Request {
        switch self {
        case .ecs: Request(url: url, body: body)
        case .alertmanager:
            Request(url: url, body: Alertmanager.body(facts, nowMicroseconds: nowMicroseconds))
        case .slack: Request(url: url, body: Slack.body(facts))
        case .teams: Request(url: url, body: Teams.body(facts))
        case .ntfy: Ntfy.request(facts, url: url)
        case .pagerduty: Request(url: url, body: PagerDuty.body(facts, body, key: key ?? ""))
        }
    }
}

/// What people in a chat need to know, in lines of a label and a text.
///
/// Text of a log must neither call anybody nor become a link: names of domains get `[.]` for their
/// dots, and `://` becomes `[:]//`, as incident responders write such names.
private func chatLines(_ facts: AlertFacts) -> [(label: String, text: String)] {
    var lines: [(label: String, text: String)] = []
    func add(_ label: String, _ text: String?) {
        guard let text, !text.isEmpty else { return }
        lines.append((label, harmless(shown(text, bytesMax: 1_000))))
    }
    func domains(_ names: [String]) -> String {
        let first = names.prefix(10).map { $0.replacing(".", with: "[.]") }
        let others = names.count - first.count + facts.hostsLeftOut
        return first.joined(separator: ", ") + (others > 0 ? " and \(others) more" : "")
    }
    // The headline tells what there is to know at once.
    if facts.isReport {
        add("All of it", "postern report --since \(facts.start ?? facts.time)")
        return lines
    }
    add("Level", facts.level.name)
    // Slack takes 50 blocks, Teams 28 KiB.
    for line in facts.digest.prefix(20) { add("Alert", shown(line, bytesMax: 300)) }
    if facts.digest.count > 20 { add("Others", "\(facts.digest.count - 20)") }
    if !facts.digest.isEmpty { return lines }
    add("Rule", facts.rule)
    if let account = facts.account {
        add("Account", account)
    } else if !facts.accounts.isEmpty {
        let others = facts.accounts.count - 10
        add(
            "Accounts",
            facts.accounts.prefix(10).joined(separator: ", ")
                + (others > 0 ? " and \(others) more" : "")
        )
    }
    add("Domains", domains(facts.hosts))
    add("Why", facts.diagnosisFacts.joined(separator: "; "))
    add("What to do", facts.remediation)
    add("Incomplete", facts.degraded.joined(separator: "; "))
    add("Evidence", facts.bundle)
    add("Alert", "\(facts.id).\(facts.sequence)")
    return lines
}

private func harmless(_ text: String) -> String { text.replacing("://", with: "[:]//") }

private func headline(_ facts: AlertFacts) -> String {
    let state =
        facts.action == "notice"
        ? "Postern" : facts.action.prefix(1).uppercased() + facts.action.dropFirst()
    return harmless("\(state): \(shown(facts.message, bytesMax: 2_000))")
}

/// A JSON array of values that are JSON already.
private func array(_ values: [[UInt8]]) -> [UInt8] {
    var bytes = [UInt8(ascii: "[")]
    for (index, value) in values.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        bytes += value
    }
    bytes.append(UInt8(ascii: "]"))
    return bytes
}

private func object(_ fill: (inout JSONObjectWriter) -> Void) -> [UInt8] {
    var writer = JSONObjectWriter()
    fill(&writer)
    return writer.finished()
}

private enum Alertmanager {
    /// How long an alert stays without another word of it: Alertmanager ends what has no `endsAt` after
    /// its `resolve_timeout`, five minutes. Every alert is resolved by its last transition.
    private static let openSeconds: Int64 = 7 * 86_400

    static func body(_ facts: AlertFacts, nowMicroseconds: Int64) -> [UInt8] {
        let isOver = facts.isResolved
        let end = nowMicroseconds + (isOver ? 0 : Self.openSeconds * 1_000_000)
        // The labels name the alert: they may not change from one transition to the next.
        let labels = object { labels in
            labels.member("alertname", facts.rule)
            labels.member("alert_id", facts.id)
            labels.member("service", "postern")
        }
        let annotations = object { texts in
            texts.member("summary", facts.message)
            texts.member("severity", facts.level.name)
            texts.member("action", facts.action)
            texts.member("sequence", "\(facts.sequence)")
            texts.member("account", facts.account)
            texts.member("diagnosis", facts.diagnosis)
            texts.member("why", facts.diagnosisFacts.joined(separator: "; "))
            texts.member("remediation", facts.remediation)
            texts.member("evidence", facts.bundle)
        }
        let alert = object { alert in
            alert.member("labels", json: labels)
            alert.member("annotations", json: annotations)
            // Not when it began in the log: Alertmanager refuses an alert that ends before it starts.
            alert.member("startsAt", start(facts, end: end))
            alert.member("endsAt", rfc3339(microseconds: end))
        }
        return array([alert])
    }

    private static func start(_ facts: AlertFacts, end: Int64) -> String {
        let latest = rfc3339(microseconds: end)
        let start = facts.start ?? facts.time
        // Both are RFC 3339 in UTC with three digits of a fraction.
        return min(start, latest)
    }
}

private enum Slack {
    /// Blocks of plain text: nothing in them is markup, a mention or an emoji (Slack, Block Kit, "text
    /// object").
    static func body(_ facts: AlertFacts) -> [UInt8] {
        func plain(_ text: String) -> [UInt8] {
            object {
                $0.member("type", "plain_text")
                $0.member("text", text)
                $0.member("emoji", false)
            }
        }
        func section(_ text: String) -> [UInt8] {
            object {
                $0.member("type", "section")
                $0.member("text", json: plain(text))
            }
        }
        let rows = chatLines(facts).map { section("\($0.label): \($0.text)") }
        return object {
            // For notifications, where the text is markup: its three marks are escaped.
            $0.member("text", escaped(headline(facts)))
            $0.member("unfurl_links", false)
            $0.member("unfurl_media", false)
            $0.member("blocks", json: array([section(headline(facts))] + rows))
        }
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            .replacing(">", with: "&gt;")
    }
}

private enum Teams {
    /// An adaptive card of rich text blocks, whose runs are no markup (Adaptive Cards 1.4, `TextRun`).
    static func body(_ facts: AlertFacts) -> [UInt8] {
        func run(_ text: String, weight: String? = nil) -> [UInt8] {
            object {
                $0.member("type", "TextRun")
                $0.member("text", text)
                $0.member("weight", weight)
            }
        }
        func block(_ runs: [[UInt8]]) -> [UInt8] {
            object {
                $0.member("type", "RichTextBlock")
                $0.member("inlines", json: array(runs))
            }
        }
        let rows = chatLines(facts).map {
            block([run("\($0.label): ", weight: "bolder"), run($0.text)])
        }
        let card = object {
            $0.member("$schema", "http://adaptivecards.io/schemas/adaptive-card.json")
            $0.member("type", "AdaptiveCard")
            $0.member("version", "1.4")
            $0.member(
                "body",
                json: array([block([run(headline(facts), weight: "bolder")])] + rows)
            )
        }
        let attachment = object {
            $0.member("contentType", "application/vnd.microsoft.card.adaptive")
            $0.member("content", json: card)
        }
        return object {
            $0.member("type", "message")
            $0.member("attachments", json: array([attachment]))
        }
    }
}

private enum Ntfy {
    /// Published as JSON, so that no header has to carry text of a log: to the server's root, with the
    /// topic in the body (ntfy, "Publish as JSON").
    static func request(_ facts: AlertFacts, url: String) -> WebhookFormat.Request {
        let path = url.split(separator: "?", maxSplits: 1)[0]
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let topic = String(path[slash...].dropFirst())
        let text = chatLines(facts).map { "\($0.label): \($0.text)" }.joined(separator: "\n")
        let body = object {
            $0.member("topic", topic)
            $0.member("title", headline(facts))
            $0.member("message", text)
            $0.member("priority", priority(facts))
            $0.member("tags", [tag(facts)])
        }
        return WebhookFormat.Request(url: String(path[...slash]), body: body)
    }

    private static func tag(_ facts: AlertFacts) -> String {
        if facts.isReport { return "bar_chart" }
        return facts.isResolved ? "white_check_mark" : "warning"
    }

    private static func priority(_ facts: AlertFacts) -> Int {
        if facts.isResolved { return 2 }
        return switch facts.level {
        case .critical: 5
        case .high: 4
        case .medium: 3
        case .low: 2
        case .informational: 1
        }
    }
}

private enum PagerDuty {
    /// PD-CEF: the key of an incident is the alert's ID, so that its end ends the incident. A summary
    /// has at most 1,024 characters.
    static func body(_ facts: AlertFacts, _ ecs: [UInt8], key: String) -> [UInt8] {
        let payload = object {
            $0.member("summary", shown(facts.message, bytesMax: 1_000))
            $0.member("source", "postern")
            $0.member("severity", severity(facts.level))
            $0.member("timestamp", facts.time)
            $0.member("class", facts.rule)
            $0.member("custom_details", json: ecs)
        }
        return object {
            $0.member("routing_key", key)
            $0.member("event_action", facts.isResolved ? "resolve" : "trigger")
            $0.member("dedup_key", facts.id)
            $0.member("client", "Postern")
            $0.member("payload", json: payload)
        }
    }

    private static func severity(_ level: Severity) -> String {
        switch level {
        case .critical: "critical"
        case .high: "error"
        case .medium: "warning"
        case .low, .informational: "info"
        }
    }
}
