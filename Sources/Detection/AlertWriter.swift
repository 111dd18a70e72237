import Findings
import MailEvents
import SafeText
import Sigma

/// Writes an alert from its episode: who, where, what it means, in words and fields.
struct AlertWriter {
    let correlation: Correlation
    let episode: Episode
    let events: [SendEvent]

    func alert(_ action: AlertAction, at time: Int64, group: [[UInt8]]) -> Alert {
        let head = correlation.head
        var alert = Alert(
            id: episode.id,
            sequence: episode.sequence,
            action: action,
            microseconds: time,
            severity: Severity(name: head.level.rawValue) ?? .medium,
            ruleID: head.id,
            ruleName: head.name ?? head.title
        )
        alert.ruleDescription = head.description ?? head.title
        alert.startMicroseconds = episode.start
        alert.endMicroseconds = episode.end
        var seenAccounts: Set<[UInt8]> = []
        var seenHosts: Set<[UInt8]> = []
        for event in events {
            count(event, in: &alert.outcomes)
            let account = Array(event.text[event.account.indices])
            if seenAccounts.insert(account).inserted, let user = event.string(event.user) {
                alert.accounts.append(user)
            }
            guard event.domain.isPresent,
                seenHosts.insert(Array(event.text[event.domain.indices])).inserted
            else { continue }
            if alert.hosts.count < Alert.hostsMax {
                alert.hosts.append(event.string(event.domain) ?? "")
            } else {
                alert.hostsLeftOut += 1
            }
        }
        if correlation.isByAccount { alert.account = alert.accounts.first }
        alert.group = group.map { String(decoding: $0, as: UTF8.self) }
        alert.count = episode.count
        alert.threshold = correlation.threshold
        alert.remediation = head.postern.remediation.map(Remediation.text)
        alert.diagnosis = (head.postern.diagnosis ?? .unclear).rawValue
        alert.diagnosisFacts = facts
        alert.degraded = episode.degraded
        alert.message = message(alert, action)
        return alert
    }

    private func count(_ event: SendEvent, in outcomes: inout OutcomeCounts) {
        switch event.delivery {
        case .sent: outcomes.sent += 1
        case .deferred: outcomes.deferred += 1
        case .bounced, .expired: outcomes.bounced += 1
        case .unknown, .held, .discarded, .filtered: outcomes.pending += 1
        }
    }

    /// What decided, each as a short sentence.
    private var facts: [String] {
        let receipts = events.filter { $0.receipt == .notRead }.count
        let proven = events.filter {
            $0.receiptEvidence == .both || $0.receiptEvidence == .contentType
        }.count
        let unseen = events.filter(\.facts.isDomainUnseen).count
        var facts: [String] = []
        if receipts > 0 {
            facts.append("\(receipts) of \(events.count) sends are \"Not read:\" receipts")
        }
        if proven > 0 { facts.append("\(proven) are receipts by their content type") }
        if unseen > 0 {
            facts.append("\(unseen) went to domains that the account had not written to before")
        }
        let ambiguous = events.filter(\.isAmbiguous).count
        if ambiguous > 0 {
            facts.append("\(ambiguous) have a log line that can be read in two ways")
        }
        return facts
    }

    private var verdict: String {
        switch correlation.head.postern.diagnosis ?? .unclear {
        case .outlookReceipts: "Sent by the user's own Outlook, login not shown stolen"
        case .stolenLogin: "Login probably stolen"
        case .unclear: "Unclear whether by the user or by somebody else"
        }
    }

    /// One sentence that begins with the verdict. Text from the log is escaped.
    private func message(_ alert: Alert, _ action: AlertAction) -> String {
        let who =
            alert.account.map(shown)
            ?? (alert.accounts.count == 1
                ? shown(alert.accounts[0]) : "\(alert.accounts.count) accounts")
        let hosts = alert.hosts.count + alert.hostsLeftOut
        let receipts = events.filter { $0.receipt == .notRead }.count
        let what =
            receipts == events.count
            ? "\"Not read:\" receipt\(events.count == 1 ? "" : "s")"
            : "message\(events.count == 1 ? "" : "s")"
        let total = events.count + episode.eventsLeftOut
        let start = shortTime(alert.startMicroseconds)
        let end = shortTime(alert.endMicroseconds)
        let period = start == end ? "at \(start)" : "between \(start) and \(end)"
        let state = action == .resolved ? "; nothing more since then" : ""
        return "\(verdict): \(who) sent \(total) \(what) to \(hosts) "
            + "domain\(hosts == 1 ? "" : "s") \(period) UTC\(state)."
    }

    private func shortTime(_ microseconds: Int64) -> String {
        let text = rfc3339(microseconds: microseconds)
        return text.prefix(10) + " " + text.dropFirst(11).prefix(8)
    }
}
