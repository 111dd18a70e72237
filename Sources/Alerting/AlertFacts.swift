public import Findings
import SafeText

/// What an alert or notice says, as the sinks for people need it. Text is as it was logged:
/// hostile until it is escaped.
public struct AlertFacts: Sendable, Hashable {
    /// `opened`, `updated`, `reopened`, `resolved`, `notice`, `digest` or `report`.
    public var action: String
    public var id: String
    public var sequence: Int64
    /// RFC 3339, UTC.
    public var time: String
    public var start: String?
    public var end: String?
    /// 1…99.
    public var severity: Int
    public var rule: String
    public var message: String
    public var account: String?
    public var accounts: [String] = []
    public var hosts: [String] = []
    public var hostsLeftOut = 0
    public var diagnosis: String?
    public var diagnosisFacts: [String] = []
    public var count: Int?
    public var threshold: Int?
    public var outcomes: OutcomeCounts?
    /// How many different addresses the events went to.
    public var recipients: Int?
    public var blocklists: [String] = []
    /// IDs of other alerts of the same accounts.
    public var related: [String] = []
    /// For a shell of the mail server, each a line of its own.
    public var commands: [String] = []
    public var remediation: String?
    public var degraded: [String] = []
    public var reason: String?
    /// File name of the evidence bundle.
    public var bundle: String?
    /// Of a digest: each alert in it, in one line.
    public var digest: [String] = []
    /// Of a report: its Markdown, and its page.
    public var reportText: String?
    public var reportPage: String?

    /// Reads the JSON that ``Alert/json(withEvidence:)`` or ``Notice/json()`` writes.
    ///
    /// - Throws: when it is no JSON object, or action, ID, time, severity, rule or message is
    ///   missing; what else is missing is left out.
    public init(json: [UInt8]) throws(UnreadableAlert) {
        let object: JSONObject
        do {
            object = try JSONObjectReader.read(json)
        } catch {
            throw UnreadableAlert(description: "JSON: \(error)")
        }
        func text(_ name: String) throws(UnreadableAlert) -> String {
            guard let text = object[name]?.string else {
                throw UnreadableAlert(description: "`\(name)` is missing")
            }
            return text
        }
        func count(_ name: String, in object: JSONObject) -> Int? {
            (object[name]?.integer).map { Int($0) }
        }
        guard let severity = count("event.severity", in: object) else {
            throw UnreadableAlert(description: "`event.severity` is missing")
        }
        self.severity = severity
        action = try text("event.action")
        id = try text("event.id")
        sequence = object["event.sequence"]?.integer ?? 0
        time = try text("@timestamp")
        start = object["event.start"]?.string
        end = object["event.end"]?.string
        rule = try text("rule.name")
        message = try text("message")
        account = object["user.name"]?.string
        accounts = object["related.user"]?.strings ?? []
        hosts = object["related.hosts"]?.strings ?? []
        hostsLeftOut = count("postern.related_hosts_left_out", in: object) ?? 0
        diagnosis = object["postern.diagnosis"]?.string
        diagnosisFacts = object["postern.diagnosis_facts"]?.strings ?? []
        self.count = count("postern.count", in: object)
        threshold = count("postern.threshold", in: object)
        if let counts = object["postern.outcomes"]?.object {
            var outcomes = OutcomeCounts()
            outcomes.sent = count("sent", in: counts) ?? 0
            outcomes.deferred = count("deferred", in: counts) ?? 0
            outcomes.bounced = count("bounced", in: counts) ?? 0
            outcomes.pending = count("pending", in: counts) ?? 0
            self.outcomes = outcomes
        }
        recipients = count("postern.recipients", in: object)
        blocklists = object["postern.blocklists"]?.strings ?? []
        related = object["postern.related_alerts"]?.strings ?? []
        commands = object["postern.commands"]?.strings ?? []
        remediation = object["postern.remediation"]?.string
        degraded = object["postern.degraded"]?.strings ?? []
        reason = object["postern.reason"]?.string
        bundle = object["postern.evidence"]?.string
        if isReport {
            reportText = object["postern.report_text"]?.string
            reportPage = object["postern.report_page"]?.string
        }
        digest = (object["postern.digest_alerts"]?.objects ?? []).map(Self.line)
        let others = (object["postern.digest"]?.strings?.count ?? 0) - digest.count
        if others > 0 { digest.append("and \(others) more") }
    }

    /// `high opened receipt_burst alice@example.com: … (ID.0)`
    private static func line(_ entry: JSONObject) -> String {
        let severity = Int(entry["event.severity"]?.integer ?? 0)
        let level = Severity.allCases.last { $0.rawValue <= severity } ?? .informational
        let words = [
            level.name, entry["event.action"]?.string, entry["rule.name"]?.string,
            entry["user.name"]?.string,
        ]
        let name = "\(entry["event.id"]?.string ?? "").\(entry["event.sequence"]?.integer ?? 0)"
        return words.compactMap(\.self).joined(separator: " ") + ": "
            + "\(entry["message"]?.string ?? "") (\(name))"
    }

    /// The same facts without the way through JSON.
    public init(_ alert: Alert) {
        action = alert.action.name
        id = alert.id.description
        sequence = Int64(alert.sequence)
        time = rfc3339(microseconds: alert.microseconds)
        start = rfc3339(microseconds: alert.startMicroseconds)
        end = rfc3339(microseconds: alert.endMicroseconds)
        severity = alert.severity.rawValue
        rule = alert.ruleName
        message = alert.message
        account = alert.account
        accounts = alert.accounts
        hosts = alert.hosts
        hostsLeftOut = max(0, alert.hostsLeftOut)
        diagnosis = alert.diagnosis
        diagnosisFacts = alert.diagnosisFacts
        count = alert.count
        threshold = alert.threshold
        outcomes = alert.outcomes
        recipients = alert.recipientCount
        blocklists = alert.blocklists
        related = alert.related.map(\.description)
        commands = alert.commands
        remediation = alert.remediation
        degraded = alert.degraded
        reason = alert.reason
        bundle = alert.evidence?.bundle
    }

    /// Sigma's level for ``severity``: the highest that it reaches.
    public var level: Severity {
        Severity.allCases.last { $0.rawValue <= severity } ?? .informational
    }

    /// It tells of the days before, and of no alert alone.
    public var isReport: Bool { action == ReportDispatch.action }

    /// The transition was the alert's end.
    public var isResolved: Bool { action == AlertAction.resolved.name }
}

/// Bytes of the outbox that are no alert.
public struct UnreadableAlert: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
}
