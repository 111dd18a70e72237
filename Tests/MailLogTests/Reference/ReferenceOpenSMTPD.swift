import MailEvents

@testable import MailLog

/// OpenSMTPD's lines of three generations, as smtp_session.c, mta.c, mda.c and queue.c of 5.7, 6.4 and
/// 7.6 write them, by regular expressions.
enum ReferenceOpenSMTPD {
    private static let message = "(?<id>[0-9a-f]{8})"
    private static let envelope = message + "[0-9a-f]{8}"
    /// util.c, `valid_localpart`, `valid_domainpart`: no blank, comma, quote or bracket.
    private static let address = #"[^ ,<>"]*+"#
    private static let from = "from=<(?<from>" + address + ")>"
    private static let to = "to=<(?<to>" + address + ")>"
    private static let rcpt = "rcpt=<(?:-|(?<rcpt>" + address + "))>"
    private static let word = "[^ ,]++"
    /// 6.4 names the client on each line.
    private static let client = "(?:address=" + word + " host=" + word + " )?"
    private static let relay = #"(?<relay>[^ ,"]++)(?: \([^()]*\))?"#

    private static let logins = [
        Pattern(
            #"\A[0-9a-f]{16} smtp (?:event=)?authentication user=(?<login>[^ ]++) "# + client
                + #"result=ok\z"#
        ),
        Pattern(
            #"\Asmtp-in: Accepted authentication for user (?<login>[^ ]++) on session [0-9a-f]{16}\z"#
        ),
    ]
    /// With sender and recipient, for each recipient, until 6.5; without, then.
    private static let arrivals = [
        Pattern(
            #"\A[0-9a-f]{16} smtp event=message "# + client + "msgid=" + message + " " + from + " "
                + to + " size=" + word + " ndest=(?<count>[0-9]++) proto=" + word + #"\z"#
        ),
        Pattern(
            #"\A[0-9a-f]{16} smtp message msgid="# + message + " size=" + word
                + " nrcpt=(?<count>[0-9]++) proto=" + word + #"\z"#
        ),
        Pattern(
            #"\Asmtp-in: Accepted message "# + message + " on session [0-9a-f]{16}: " + from + ", "
                + to + ", size=" + word + ", ndest=(?<count>[0-9]++), proto=" + word + #"\z"#
        ),
    ]
    private static let envelopes = Pattern(
        #"\A[0-9a-f]{16} smtp envelope evpid="# + envelope + " " + from + " " + to + #"\z"#
    )
    private static let deliveries = [
        Pattern(
            #"\A[0-9a-f]{16} (?<remote>mta) (?:event=)?delivery evpid="# + envelope + " " + from
                + " " + to + " " + rcpt + #" source="[^"]*+" relay=""# + relay + #"" delay="# + word
                + #" result="(?<result>[A-Za-z]++)" stat=".*\z"#
        ),
        Pattern(
            #"\A[0-9a-f]{16} mda (?:event=)?delivery evpid="# + envelope + " " + from + " " + to
                + "(?: " + rcpt + ")? user=" + word + "(?: method=" + word + ")? delay=" + word
                + #" result=(?<result>[A-Za-z]++) stat=.*\z"#
        ),
        Pattern(
            #"\A(?<remote>relay): (?<result>[A-Za-z]++) for "# + envelope
                + ": (?:session=[0-9a-f]{16}, )?" + from + ", " + to + ", (?:" + rcpt
                + ", )?(?:source=" + word + ", )?relay=" + relay + ",? delay=" + word
                + #", stat=.*\z"#
        ),
        Pattern(
            #"\A(?:delivery|relay): (?<result>[A-Za-z]++) for "# + envelope + ": " + from + ", "
                + to
                + "(?:, " + rcpt + ")?(?:, user=" + word + ")?(?:, method=" + word + ")?, delay="
                + word + #", stat=.*\z"#
        ),
    ]
    /// The shipped filter's; "postern" is its name.
    private static let filter = Pattern(
        #"\Apostern: msgid="# + message
            + " (?<name>subject|content-type|disposition-notification-to|message-id)=(?<text>.*)"
            + #"\z"#
    )

    /// What a line says of logins, messages, envelopes and deliveries.
    static func read(_ text: LineText, _ range: Range<Int>) -> [Said] {
        func said(_ kind: LineFact.Kind, _ match: Pattern.Match) -> Said {
            var said = Said(kind, .openSMTPD)
            said.queueID = match["id"]
            return said
        }
        for form in logins {
            guard let match = form.match(text, range) else { continue }
            var one = said(.login, match)
            one.b = match["login"]
            return [one]
        }
        func parties(_ match: Pattern.Match) -> [Said] {
            guard let from = match["from"], let to = match["to"] else { return [] }
            var (sender, recipient) = (said(.sender, match), said(.recipient, match))
            sender.a = from
            recipient.a = to
            return [sender, recipient, said(.queued, match)]
        }
        for form in arrivals {
            guard let match = form.match(text, range) else { continue }
            var one = said(.accepted, match)
            one.d = match["count"]
            return [one] + parties(match)
        }
        if let match = envelopes.match(text, range) { return parties(match) }
        for form in deliveries {
            guard let match = form.match(text, range) else { continue }
            var one = said(.delivery, match)
            one.a = match["to"]
            one.b = match["rcpt"]
            switch match.text("result") {
            case "Ok": one.status = .sent
            case "TempFail": one.status = .deferred
            case "PermFail": one.status = .bounced
            case "Expire": one.status = .expired
            default: return []
            }
            if one.status == .sent { one.agent = match["remote"] == nil ? .mailbox : .smtp }
            return [one]
        }
        if let match = filter.match(text, range) {
            let kind: LineFact.Kind =
                switch match.text("name") {
                case "subject": .subject
                case "content-type": .contentType
                case "message-id": .messageID
                default: .receiptRequest
                }
            var one = said(kind, match)
            one.a = match["text"]
            return [one]
        }
        return []
    }
}
