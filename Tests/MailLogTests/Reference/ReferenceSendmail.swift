import Foundation
import MailEvents

@testable import MailLog

/// Sendmail's lines as srvrsmtp.c, headers.c and deliver.c of 8.17 write them, by regular expressions.
enum ReferenceSendmail {
    /// queue.c, `assign_queueid`: eight letters and digits of the time, then the process.
    private static let queueID = "(?<id>[0-9A-Za-z]{8}[0-9]{5,}|[A-Z]{3}[0-9]{5})"
    private static let line = Pattern(#"\A"# + queueID + ": (?<body>.+)" + #"\z"#)

    /// In angle brackets; blanks and commas stand only in quotes.
    private static let path = #"<(?:[^ ,<>"()\\]|\\.|"(?:[^"\\]|\\.)*+")*+>"#
    private static let bare = #"[^ ,<>"()]++"#
    private static let address = "(?:" + path + "|" + bare + ")"
    /// `NAME [IP]`, `[IP]` or a name alone.
    private static let before = #"(?:[^ ,@\[]*+@)?"#
    private static let ip = "[0-9A-Fa-f.:]++"
    private static let forged = #"(?: \(may be forged\))?"#
    private static let relay =
        before + #"(?:(?:(?<name>[^ ,\["@]++)|\[[^ ,"\]]++\]) )?\[(?:IPv6:)?(?<ip>"# + ip + #")\]"#
        + forged
    private static let origin = "(?:" + relay + #"|[^ ,\[]++)"#

    // srvrsmtp.c. Before 8.14.5 the login may be any text.
    private static let login = Pattern(
        #"\AAUTH=server, relay="# + origin
            + #", authid=(?<login>.+), mech=[^ ,]*+, bits=[0-9]++\z"#
    )
    // headers.c, `logsender`: what stands before the Message-ID and what stands behind it are
    // Sendmail's.
    private static let arrival = Pattern(
        #"\Afrom=(?<from>"# + address
            + #"), size=(?<size>[0-9]++), class=-?[0-9]++, nrcpts=(?<count>[0-9]++)"#
            + "(?:, msgid=(?<msgid>.*?))?(?:, bodytype=[^ ,]*+)?(?:, proto=[^ ,]*+)?"
            + "(?:, daemon=[^ ,]*+)?(?:, (?:tls_verify|tls_version|cipher|auth)=[^ ,]*+)*+, relay="
            + origin + #"\z"#
    )
    // deliver.c, `logdelivery`.
    private static let delivery = Pattern(
        #"\Ato=(?<to>"# + address + "(?:," + address + #")*+)(?:, \[more\])?(?:, ctladdr=(?<given>"#
            + address
            + #")(?: \([0-9]++/[0-9]++\))?)?, delay=[0-9:+]++(?:, xdelay=[0-9:+]++)?"#
            + "(?:, mailer=(?<mailer>[^ ,]++))?, pri=[0-9]++(?:, relay=(?:"
            + before + #"(?:[^ ,"@]++ )?\[(?:IPv6:)?(?<ip>"# + ip + #")\]"# + forged
            + #"|[^ ,]*+))?(?:, quarantine=(?<quarantine>.*))?(?:, dsn=[0-9.]++)?(?:, reply=(?<reply>[^,]*+(?:,.*)?))?, stat=(?<stat>.*)\z"#
    )
    private static let one = Pattern("(?<one>" + address + ")(?:,|$)")
    /// The shipped header rules'.
    private static let header = Pattern(
        #"\Apostern login=<(?<login>[^<> ]*+)> (?<name>subject|content-type|receipt-request)="#
            + #"(?<text>.*)\z"#
    )

    /// What a line says of logins, messages, headers and deliveries.
    static func read(_ text: LineText, _ range: Range<Int>) -> [Said] {
        if let match = login.match(text, range) {
            var said = Said(.login, .sendmail)
            said.b = match["login"]
            return [said]
        }
        guard let found = line.match(text, range), let body = found["body"] else { return [] }
        let said = readArrival(text, body) ?? readDelivery(text, body) ?? readHeader(text, body)
        return (said ?? []).map { said in
            var said = said
            said.queueID = found["id"]
            return said
        }
    }

    /// Without its angle brackets.
    private static func inner(_ text: LineText, _ range: Range<Int>) -> Range<Int> {
        text.units[range.lowerBound] == 0x3c
            ? range.lowerBound + 1..<range.upperBound - 1 : range
    }

    private static func readArrival(_ text: LineText, _ body: Range<Int>) -> [Said]? {
        guard let match = arrival.match(text, body), let from = match["from"] else { return nil }
        // An envelope without a message.
        guard match.text("count") != "0", match.text("size") != "0" || match["msgid"] != nil else {
            return []
        }
        var accepted = Said(.accepted, .sendmail)
        accepted.a = match["ip"]
        accepted.c = match["name"]
        accepted.d = match["count"]
        var sender = Said(.sender, .sendmail)
        sender.a = inner(text, from)
        guard let id = match["msgid"] else { return [accepted, sender] }
        var messageID = Said(.messageID, .sendmail)
        messageID.a = id
        return [accepted, sender, messageID]
    }

    private static func readDelivery(_ text: LineText, _ body: Range<Int>) -> [Said]? {
        guard let match = delivery.match(text, body), let to = match["to"] else { return nil }
        let stat = match.text("stat")
        let status: LineFact.Status?
        if match["reply"] != nil {
            guard let failure = failure(text.string(body)) else { return [] }
            status = failure
        } else if stat == "quarantined" {
            status = nil
        } else if match["mailer"] == nil {
            // Nothing was tried.
            guard stat == "discarded" else { return [] }
            status = .discarded
        } else {
            guard let outcome = outcome(stat) else { return [] }
            status = outcome
        }
        let agent: LineFact.Agent =
            if match["ip"] != nil {
                .smtp
            } else if ["local", "lmtp", "cyrus", "procmail", "dovecot", "maildrop"]
                .contains(where: match.text("mailer").hasPrefix)
            {
                .mailbox
            } else {
                .other
            }
        let copies = one.matches(text, to).compactMap { found -> Said? in
            guard let address = found["one"] else { return nil }
            // A user, a program or a file that an alias names, if not.
            let isAddress =
                text.string(address).contains("@") || text.string(address).hasPrefix("<")
            var said = Said(status == nil ? .recipient : .delivery, .sendmail)
            said.a = isAddress ? inner(text, address) : nil
            guard let status else { return isAddress ? said : nil }
            said.b = match["given"].map { inner(text, $0) }
            said.status = status
            said.agent = agent
            return said
        }
        return status == nil ? copies + [Said(.queued, .sendmail)] : copies
    }

    /// What a `stat=` says that goes on to the line's end; nil if that is nothing to be sure of.
    private static func outcome(_ stat: String) -> LineFact.Status? {
        if stat == "Sent" || stat.hasPrefix("Sent (") && stat.hasSuffix(")") { return .sent }
        if stat == "Deferred" || stat.hasPrefix("Deferred: ") || stat == "queued" {
            return .deferred
        }
        return stat.hasPrefix("Sent") ? nil : .bounced
    }

    /// A line with a reply is of a failure: the code of the reply is the reason. Without a code, all
    /// that may be the outcome has to say the same.
    private static func failure(_ body: String) -> LineFact.Status? {
        guard let reply = body.range(of: ", reply=") else { return nil }
        let text = body[reply.upperBound...]
        if text.hasPrefix("4") { return .deferred }
        if text.hasPrefix("5") { return .bounced }
        var rest = text
        var outcomes: Set<LineFact.Status?> = []
        while let stat = rest.range(of: ", stat=") {
            rest = rest[stat.upperBound...]
            outcomes.insert(outcome(String(rest)))
        }
        guard outcomes.count == 1, let one = outcomes.first, one != .sent else { return nil }
        return one
    }

    private static func readHeader(_ text: LineText, _ body: Range<Int>) -> [Said]? {
        guard let match = header.match(text, body) else { return nil }
        var login = Said(.messageLogin, .sendmail)
        login.b = match["login"]
        let kind: LineFact.Kind =
            switch match.text("name") {
            case "subject": .subject
            case "content-type": .contentType
            default: .receiptRequest
            }
        var header = Said(kind, .sendmail)
        header.a = match["text"]
        if kind == .subject { header.form = .sendmail }
        return [login, header]
    }
}
