import Alerting
import SafeText

extension Incident {
    /// Domains that an abuse report is written for, and messages that one names.
    private static let reportsMax = 50
    private static let reportMessagesMax = 20

    /// A letter for each domain that receipts went to: to whom it may concern there, with what they
    /// need to find the mailbox. Plain text; every name in it comes from the log and is escaped.
    ///
    /// The accounts of ours are not in it: what the other side needs is its own address, the time
    /// and the message's ID.
    ///
    /// - Returns: empty when none of the messages is a receipt.
    public func abuseReports() -> String {
        var text = ""
        var receipts = self
        receipts.events = events.filter { $0.receipt != "none" }
        let rows = receipts.domainRows()
        for (index, row) in rows.prefix(Self.reportsMax).enumerated() {
            if index > 0 { text += "\n" + String(repeating: "-", count: 72) + "\n\n" }
            let own = receipts.events.filter { $0.domain == row.domain }
            let domain = shown(row.domain)
            // RFC 2142, 4.
            text += "To: abuse@\(domain)\n"
            text += "Subject: Mailbox at \(domain) collects read receipts by unsolicited mail\n\n"
            text +=
                "Unsolicited mail to users of our server asks for read receipts that are to go to\n"
            text += "the addresses below, which are yours to look after. \(own.count) "
            text += own.count == 1 ? "receipt was" : "receipts were"
            text +=
                " sent there\nbecause of it between \(moment(own.first?.microseconds ?? 0)) and "
            text += "\(moment(own.last?.microseconds ?? 0)) (UTC).\n"
            text +=
                "Whoever reads these mailboxes learns which addresses exist and are read. Please\n"
            text += "look into it.\n\n"
            for event in own.prefix(Self.reportMessagesMax) {
                text += "  Time:        \(rfc3339(microseconds: event.microseconds))\n"
                text += "  Address:     \(shown(event.recipient))\n"
                if let messageID = event.messageID {
                    text += "  Message-ID:  \(shown(messageID))\n"
                }
                if let subject = event.subject { text += "  Subject:     \(shown(subject))\n" }
                if let sender = event.baitSender, !sender.isEmpty {
                    text += "  Answers mail of the envelope sender: \(shown(sender))\n"
                }
                text += "  Outcome:     \(event.outcome.name)\n\n"
            }
            if own.count > Self.reportMessagesMax {
                text += "  … and \(own.count - Self.reportMessagesMax) more.\n\n"
            }
            text += "Reference: \(shown(facts.id))"
            if let seal = seals.last { text += ", evidence SHA-256 \(seal.manifestDigest)" }
            text += "\nThe log lines are kept, and can be asked for under this reference.\n"
        }
        if rows.count > Self.reportsMax {
            text += "\n\(rows.count - Self.reportsMax) more domains are in the bundle.\n"
        }
        return text
    }
}
