import Findings
import MailEvents
import SafeText
import Sigma

/// Writes an alert from its episode: who, where, what it means, in words and fields.
struct AlertWriter {
    let correlation: Correlation
    let episode: Episode
    let events: [SendEvent]
    /// The blocklists because of which servers refused some of them, each once.
    let blocklists: [String]
    /// IDs of the alerts that share accounts with this one.
    let related: [AlertID]

    func alert(_ action: AlertAction, at time: Int64, group: [[UInt8]]) -> Alert {
        let head = correlation.head
        let proposed = head.postern.diagnosis ?? .unclear
        let verdict = Verdict(events, proposed: proposed, blocklists: blocklists)
        var severity = Severity(name: head.level.rawValue) ?? .medium
        // A blocklist takes the mail of everybody.
        if !blocklists.isEmpty { severity = severity.raised }
        var alert = Alert(
            id: episode.id,
            sequence: episode.sequence,
            action: action,
            microseconds: time,
            severity: severity,
            ruleID: head.id,
            ruleName: head.name ?? head.title
        )
        alert.ruleDescription = head.description ?? head.title
        alert.startMicroseconds = episode.start
        alert.endMicroseconds = episode.end
        var seenAccounts: Set<[UInt8]> = []
        var seenHosts: Set<[UInt8]> = []
        var recipients: Set<[UInt8]> = []
        for event in events {
            count(event, in: &alert.outcomes)
            if event.recipient.isPresent {
                recipients.insert(Array(event.text[event.recipient.indices]))
            }
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
        alert.recipientCount = recipients.count
        alert.diagnosis = verdict.name
        alert.diagnosisFacts = verdict.facts
        alert.degraded = episode.degraded
        alert.blocklists = blocklists
        alert.related = related
        // Nobody should stop the mail of a user for what is only worth knowing.
        if action != .resolved, severity >= .medium {
            alert.commands =
                ServerCommands(
                    events,
                    accounts: alert.accounts,
                    isStolen: verdict.name == Diagnosis.stolenLogin.rawValue
                ).commands
        }
        alert.message = message(alert, action, verdict)
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

    /// One sentence that begins with the verdict. Text from the log is escaped.
    private func message(_ alert: Alert, _ action: AlertAction, _ verdict: Verdict) -> String {
        let hosts = alert.hosts.count + alert.hostsLeftOut
        let receipts = events.filter { $0.receipt == .notRead }.count
        let total = events.count + episode.eventsLeftOut
        let noun = receipts == events.count ? "\"Not read:\" receipt" : "message"
        let what = Self.number(total, noun)
        let domains = Self.number(hosts, "domain")
        let start = shortTime(alert.startMicroseconds)
        let end = shortTime(alert.endMicroseconds)
        let period = start == end ? "at \(start)" : "between \(start) and \(end)"
        let who =
            alert.account.map(shown)
            ?? (alert.accounts.count == 1 ? shown(alert.accounts[0]) : nil)
        var sentence = "\(verdict.sentence): "
        if let who {
            sentence += "\(who) sent \(what) to \(domains) \(period) UTC"
        } else {
            let mailboxes = Self.number(alert.accounts.count, "mailbox", "mailboxes")
            let template = correlation.isByPayload ? "one template, " : ""
            sentence += "\(template)\(mailboxes), \(domains): \(what) \(period) UTC"
        }
        if let bait = verdict.bait {
            let sender =
                bait.sender.isEmpty
                ? "the null sender" : shown(String(decoding: bait.sender, as: UTF8.self))
            sentence +=
                "; Outlook answered mail that came on "
                + "\(shortTime(bait.microseconds).prefix(10)) from \(sender)"
        }
        if !blocklists.isEmpty {
            sentence += "; servers refuse mail because of a blocklist"
        }
        if action == .resolved { sentence += "; nothing more since then" }
        return sentence + "."
    }

    private static func number(_ count: Int, _ noun: String, _ nouns: String? = nil) -> String {
        "\(count) \(count == 1 ? noun : nouns ?? noun + "s")"
    }

    private func shortTime(_ microseconds: Int64) -> String {
        let text = rfc3339(microseconds: microseconds)
        return text.prefix(10) + " " + text.dropFirst(11).prefix(8)
    }
}
