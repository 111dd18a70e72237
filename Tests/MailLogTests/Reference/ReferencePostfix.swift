import MailEvents

@testable import MailLog

/// Postfix's lines as architecture §6, master(5), header_checks(5), postsuper(1) and the sources of
/// Postfix describe them, by regular expressions.
enum ReferencePostfix {
    /// postconf(5), `enable_long_queue_ids`: upper-case hexadecimal, or digits and consonants.
    static let queueID = "(?:[0-9A-F]{5,24}|[0-9BCDFGHJ-NP-TV-Zbcdfghj-np-tv-z]{5,24})"
    /// Name and address of a client; the port comes with `smtpd_client_port_logging`.
    static let client = #"[A-Za-z0-9_.:\x80-\xff-]++\[[A-Za-z0-9_.:%/-]++\](?::[0-9]++)?"#
    /// Between angle brackets: blanks and brackets stand only in a quoted local part (RFC 5321).
    static let address = #"(?:[^ <>"]++|"(?:[^"\\]++|\\.)*+")*+"#

    private static let line = Pattern(#"\A(?<queue>"# + queueID + #"): (?<body>.+)\z"#)

    // smtpd.c. The login is the shortest that leaves only optional fields behind it; an empty one
    // is none.
    private static let authenticated = Pattern(
        #"\Aclient=(?<client>"# + client
            + #"), (?:sasl_method=[^, ]*+, )?sasl_username=(?<login>.*?)"#
            + #"(?:, sasl_sender=.*|(?:, orig_queue_id="# + queueIDLetters
            + #"++)?(?:, orig_client="# + client + #")?)\z"#
    )
    private static let anonymous = Pattern(
        #"\Aclient=(?<client>"# + client
            + #")(?:, sasl_method=[^, ]*+)?(?:, orig_queue_id=(?<outer>"#
            + queueIDLetters + #"++))?(?:, orig_client="# + client + #")?\z"#
    )
    private static let queueIDLetters = "[0-9A-FBCDFGHJ-NP-TV-Zbcdfghj-np-tv-z]"

    // cleanup_message.c, cleanup_milter.c
    private static let messageID = Pattern(#"\Amessage-id=(?<id>.*)\z"#)
    private static let hold = Pattern(
        #"\A(?:hold: (?:header (?<name>[^ :]++):(?<text>.*)|.*)|milter-hold: .*)\z"#
    )
    private static let discard = Pattern(
        #"\A(?:discard: (?:header (?<name>[^ :]++):(?<text>.*)|.*)|milter-discard: .*)\z"#
    )
    private static let header = Pattern(
        #"\A(?!hold:|discard:|reject:)[a-z]++: header (?<name>[^ :]++):(?<text>.*)\z"#
    )

    // qmgr.c, qmgr_active.c
    private static let active = Pattern(#"\Afrom=<(?<sender>"# + address + #")>, size=.*\z"#)
    private static let expired = Pattern(
        #"\Afrom=<"# + address + #">, status=(?:force-)?expired.*\z"#
    )
    private static let removed = Pattern(#"\Aremoved\z"#)

    // log_adhoc.c
    private static let delivery = Pattern(
        #"\Ato=<(?<to>"# + address + #")>(?:, orig_to=<(?<orig>"# + address
            + #")>)?, relay=(?<relay>[^, ]*+)"#
            + #"(?:, (?:conn_use|delay|delays|dsn)=[^,]*+)*+, status=(?<status>[^ ]*+)"#
            + #"(?: \((?<reply>.*))?.*\z"#
    )

    // postsuper.c
    private static let operated = Pattern(
        #"\A(?<what>removed|placed on hold|released from hold)\z"#
    )

    /// What a line says.
    ///
    /// - Parameters:
    ///   - text: the line.
    ///   - range: the program's own text.
    ///   - agent: the program.
    static func read(_ text: LineText, _ range: Range<Int>, _ agent: LineFact.Agent) -> [Said] {
        guard let found = line.match(text, range), let body = found["body"] else { return [] }
        let said: Said?
        switch agent {
        case .smtpd: said = readClient(text, body)
        case .cleanup: said = readCleanup(text, body)
        case .queueManager: said = readQueueManager(text, body)
        case .operator: said = readOperator(text, body)
        case .pickup: said = nil
        case .smtp, .lmtp, .mailbox, .error, .discard, .other: said = readDelivery(text, body)
        }
        guard var said else { return [] }
        said.queueID = found["queue"]
        return [said]
    }

    private static func readClient(_ text: LineText, _ body: Range<Int>) -> Said? {
        var said = Said(.client, .postfix)
        if let match = authenticated.match(text, body) {
            said.a = match["client"]
            said.b = match["login"]
            return match.text("login").isEmpty ? nil : said
        }
        guard let match = anonymous.match(text, body) else { return nil }
        said.a = match["client"]
        said.c = match["outer"]
        return said
    }

    private static func readCleanup(_ text: LineText, _ body: Range<Int>) -> Said? {
        if let match = messageID.match(text, body) {
            var said = Said(.messageID, .postfix)
            said.a = match["id"]
            return said
        }
        for (pattern, kind) in [
            (hold, LineFact.Kind.held), (discard, .discarded), (header, .headerLine),
        ] {
            guard let match = pattern.match(text, body) else { continue }
            var said = Said(kind, .postfix)
            guard let name = match["name"] else { return said }
            said.header =
                switch text.string(name).lowercased() {
                case "subject": .subject
                case "content-type": .contentType
                case "disposition-notification-to": .dispositionNotificationTo
                default: .other
                }
            said.a = match["text"]
            return said
        }
        return nil
    }

    private static func readQueueManager(_ text: LineText, _ body: Range<Int>) -> Said? {
        if let match = active.match(text, body) {
            var said = Said(.active, .postfix)
            said.a = match["sender"]
            return said
        }
        if expired.match(text, body) != nil { return Said(.expired, .postfix) }
        if removed.match(text, body) != nil { return Said(.removed, .postfix) }
        return nil
    }

    private static func readOperator(_ text: LineText, _ body: Range<Int>) -> Said? {
        guard let what = operated.match(text, body)?["what"] else { return nil }
        switch text.string(what) {
        case "removed": return Said(.removed, .postfix)
        case "placed on hold": return Said(.held, .postfix)
        default: return Said(.released, .postfix)
        }
    }

    private static func readDelivery(_ text: LineText, _ body: Range<Int>) -> Said? {
        guard let match = delivery.match(text, body), let word = match["status"] else { return nil }
        var said = Said(.delivery, .postfix)
        said.a = match["to"]
        said.b = match["orig"]
        said.c = match["relay"]
        said.d = match["reply"]
        said.status =
            switch text.string(word) {
            case "sent": .sent
            case "deferred": .deferred
            case "bounced": .bounced
            case "expired": .expired
            default: .other
            }
        return said
    }

    // MARK: Headers

    /// A logged header read as its text and what cleanup appends to it.
    struct Tail: Equatable {
        var textEnd: Int
        var sender: Range<Int>
        var recipient: Range<Int>?

        init(textEnd: Int, sender: Range<Int>, recipient: Range<Int>?) {
            self.textEnd = textEnd
            self.sender = sender
            self.recipient = recipient
        }

        init(_ tail: PostfixGrammar.HeaderTail) {
            self.init(textEnd: tail.textEnd, sender: tail.sender, recipient: tail.recipient)
        }
    }

    private static let tail = Pattern(
        #"\A; from=<(?<sender>"# + address + #")>(?: to=<(?<to>"# + address
            + #")>)?(?: proto=[^ :]++)?(?: helo=<[^ <>]*+>)?(?:\z|: )"#
    )

    /// All readings of a header's text, the shortest text first: those whose tail names this origin
    /// and goes to the line's end (cleanup_message.c, `cleanup_act_log`).
    static func tails(_ text: LineText, from start: Int, origin: String) -> [Tail] {
        let mark = Array((" from " + origin).utf16)
        let units = Array(text.text.utf16)
        var found: [Tail] = []
        // An empty text leaves two blanks: the mark's own may be the one behind the colon.
        for index in max(start - 1, 0)..<units.count where units[index...].starts(with: mark) {
            let rest = index + mark.count..<units.count
            guard let match = tail.match(text, rest), let sender = match["sender"] else { continue }
            found.append(
                Tail(textEnd: max(index, start), sender: sender, recipient: match["to"])
            )
        }
        return found
    }
}
