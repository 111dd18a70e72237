import MailEvents

@testable import MailLog

/// Postfix's lines as architecture §6, master(5), header_checks(5), postsuper(1) and the sources of
/// Postfix describe them, by regular expressions.
enum ReferencePostfix {
    /// postconf(5), `enable_long_queue_ids`: upper-case hexadecimal, or digits and consonants.
    private static let queueID =
        "(?:[0-9A-F]{5,24}|[0-9BCDFGHJ-NP-TV-Zbcdfghj-np-tv-z]{5,24})"
    private static let queueIDLetters = "[0-9A-HJ-NP-TV-Zb-df-hj-np-tv-zE]"
    /// Name and address of a client; the port comes with `smtpd_client_port_logging`.
    private static let client =
        #"[A-Za-z0-9_.:\x80-\xff-]++\[[A-Za-z0-9_.:%/-]++\](?::[0-9]++)?"#
    /// Between angle brackets, in external form (`info_log_address_format`): blanks and brackets stand
    /// only in a local part that is quoted as a whole (RFC 5321).
    private static let external = #"(?:"(?:[^"\\]|\\.)*+"[^ <>"]*+|[^ <>"]*+)"#
    /// Without brackets.
    private static let bare = #"[^ ,<>"();:\\]++"#

    private static let line = Pattern(#"\A(?<queue>"# + queueID + #"): (?<body>.+)\z"#)
    // rsyslog, $RepeatedMsgReduction
    private static let repeated = Pattern(
        #"\Amessage repeated [0-9]+ times: \[ ?(?<text>.*)\]\z"#
    )

    /// What a line says.
    ///
    /// - Parameters:
    ///   - text: the line.
    ///   - range: the program's own text.
    ///   - agent: the program.
    ///   - hasProcess: whether the line names its process.
    static func read(
        _ text: LineText,
        _ range: Range<Int>,
        _ agent: LineFact.Agent,
        hasProcess: Bool
    ) -> [Said] {
        guard let found = line.match(text, range), let body = found["body"] else {
            if let inner = repeated.match(text, range)?["text"] {
                return read(text, inner, agent, hasProcess: hasProcess).map { said in
                    var said = said
                    if said.kind == .client { said.kind = .clientAgain }
                    return said
                }
            }
            return readWithoutID(text, range, agent, hasProcess).map { [$0] } ?? []
        }
        let said: Said?
        switch agent {
        case .smtpd: said = readClient(text, body) ?? readDecision(text, body)
        case .cleanup: said = readCleanup(text, body)
        case .queueManager: said = readQueueManager(text, body) ?? readDelivery(text, body)
        case .operator: said = readOperator(text, body)
        case .pickup: said = readPickup(text, body)
        case .smtp, .lmtp, .mailbox, .error, .discard, .other: said = readDelivery(text, body)
        case .namelessLogin: said = nil
        }
        guard var said else { return [] }
        said.queueID = found["queue"]
        said.agent = agent
        return [said]
    }

    // MARK: Arrival

    // smtpd.c. The login is the shortest that leaves only optional fields behind it; an empty one
    // is none. Who has not logged in may give AUTH= all the same.
    private static let origin =
        "(?:, orig_queue_id=(?<outer>" + queueIDLetters + "++))?(?:, orig_client=(?<first>" + client
        + "))?"
    private static let authenticated = Pattern(
        #"\A(?:NOQUEUE: )?client=(?<client>"# + client
            + #")(?:, sasl_method=[^, ]*+)?, sasl_username=(?<login>.*?)"#
            + "(?:, sasl_sender=.*|" + origin + #")\z"#
    )
    private static let anonymous = Pattern(
        #"\A(?:NOQUEUE: )?client=(?<client>"# + client + #")(?:, sasl_method=[^, ]*+)?"#
            + "(?!, sasl_username=)" + origin + #"(?:, sasl_sender=.*)?\z"#
    )

    private static func readClient(_ text: LineText, _ body: Range<Int>) -> Said? {
        guard let match = authenticated.match(text, body) ?? anonymous.match(text, body),
            match["login"]?.isEmpty != true
        else { return nil }
        var said = Said(.client, .postfix)
        said.a = match["client"]
        said.b = match["login"]
        said.c = match["outer"]
        said.d = match["first"]
        return said
    }

    // smtpd_check.c, access(5): of the message; a recipient or a command refused is not its end.
    private static let decision = Pattern(
        #"\A(?:milter-)?(?:(?<hold>hold: )|(?<discard>discard: )|reject: END-OF-MESSAGE from )"#
    )

    private static func readDecision(_ text: LineText, _ body: Range<Int>) -> Said? {
        guard let match = decision.match(text, body) else { return nil }
        if match["hold"] != nil { return Said(.held, .postfix) }
        return Said(match["discard"] == nil ? .refused : .discarded, .postfix)
    }

    // pickup.c
    private static let pickedUp = Pattern(
        #"\Auid=(?:(?! from=).)*+ from=(?:.* orig_id=(?<old>"# + queueID + #")|<(?<sender>.*)>)\z"#
    )

    private static func readPickup(_ text: LineText, _ body: Range<Int>) -> Said? {
        guard let match = pickedUp.match(text, body) else { return nil }
        var said = Said(match["old"] == nil ? .local : .requeued, .postfix)
        said.a = match["old"] ?? match["sender"]
        return said
    }

    // MARK: Content

    // cleanup_message.c, cleanup_milter.c
    private static let messageID = Pattern(#"\Amessage-id=(?<id>.*)\z"#)
    private static let header = Pattern(
        #"\A(?<action>[a-z]++): (?:header (?<name>[^ :]++):(?<text>.*)|.*)\z"#
    )
    private static let milter = Pattern(
        #"\Amilter-(?<detail>(?:header-)?(?:body-)?)(?<action>hold|discard|reject): "#
    )
    /// The milter's own words; what stands behind them is the envelope.
    private static let envelope = Pattern(
        #"\A(?>.*?\]: milter triggers )[^;]*+; from=<(?<sender>"# + external + #")>(?: to=<(?<to>"#
            + external
            + #")>)?(?: proto=[^ :]++)?(?: helo=<[^ <>]*+>)?(?:\z|: (?!.* (?:proto|helo)=))"#
    )

    private static func readCleanup(_ text: LineText, _ body: Range<Int>) -> Said? {
        if let match = messageID.match(text, body) {
            var said = Said(.messageID, .postfix)
            said.a = match["id"]
            return said
        }
        if let match = header.match(text, body) { return readHeader(text, match) }
        guard let match = milter.match(text, body) else { return readDelivery(text, body) }
        if match.text("action") == "reject" { return Said(.refused, .postfix) }
        var said = Said(match.text("action") == "hold" ? .held : .discarded, .postfix)
        if match.text("detail").isEmpty, let tail = envelope.match(text, body) {
            said.b = tail["sender"]
            said.c = tail["to"]
        }
        return said
    }

    private static func readHeader(_ text: LineText, _ match: Pattern.Match) -> Said? {
        let kind: LineFact.Kind =
            switch match.text("action") {
            case "reject": .refused
            case "hold": .held
            case "discard": .discarded
            default: .headerLine
            }
        var said = Said(kind, .postfix)
        guard let name = match["name"], kind != .refused else {
            return kind == .headerLine ? nil : said
        }
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

    // MARK: Queue

    // qmgr.c, qmgr_active.c: behind the sender everything is Postfix's own.
    private static let activeTail = #", size=[0-9]*+, nrcpt=[0-9]*+ \(queue active\)\z"#
    private static let active = [
        Pattern(#"\Afrom=<(?<sender>"# + external + ")>" + activeTail),
        Pattern(#"\Afrom=<(?<sender>.*?)>"# + activeTail),
        Pattern(#"\Afrom=(?<sender>"# + bare + ")" + activeTail),
    ]
    private static let expired = Pattern(
        #"\Afrom=.*, status=(?:force-)?expired, returned to sender\z"#
    )
    private static let removed = Pattern(#"\Aremoved\z"#)

    private static func readQueueManager(_ text: LineText, _ body: Range<Int>) -> Said? {
        for form in active {
            guard let match = form.match(text, body) else { continue }
            var said = Said(.active, .postfix)
            said.a = match["sender"]
            return said
        }
        if expired.match(text, body) != nil { return Said(.expired, .postfix) }
        if removed.match(text, body) != nil { return Said(.removed, .postfix) }
        return nil
    }

    // log_adhoc.c. Where the addresses could end later too, the line is ambiguous.
    private static let deliveryTail =
        #", relay=(?<relay>[^, ]*+)(?:, (?!status=)[_-z]++=[^, ]*+)*+, status=(?<status>[^ ]++)"#
        + #"(?: \((?<reply>.*)|\z)"#
    private static let delivery = [
        Pattern(
            #"\Ato=<(?<to>"# + external + #")>(?:, orig_to=<(?<orig>"# + external + ")>)?"
                + deliveryTail
        ),
        Pattern(#"\Ato=<(?<to>.*?)>(?:, orig_to=<(?<orig>.*?)>)?"# + deliveryTail),
        Pattern(#"\Ato=(?<to>"# + bare + ")(?:, orig_to=(?<orig>" + bare + "))?" + deliveryTail),
    ]
    private static let later = Pattern(
        #">, relay=[^, ]*+(?:, (?!status=)[_-z]++=[^, ]*+)*+, status=[^ ]++(?: \(|\z)"#
    )

    private static func readDelivery(_ text: LineText, _ body: Range<Int>) -> Said? {
        for (index, form) in delivery.enumerated() {
            guard let match = form.match(text, body), let word = match["status"] else { continue }
            var said = Said(.delivery, .postfix)
            said.a = match["to"]
            said.b = match["orig"]
            said.c = match["relay"]
            said.d = match["reply"]
            let rest = word.upperBound..<body.upperBound
            said.isAmbiguous = index < 2 && later.match(text, rest) != nil
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
        return nil
    }

    // postsuper.c
    private static let operated = Pattern(
        #"\A(?<what>removed|placed on hold|released from hold)\z"#
    )

    private static func readOperator(_ text: LineText, _ body: Range<Int>) -> Said? {
        guard let what = operated.match(text, body)?["what"] else { return nil }
        switch text.string(what) {
        case "removed": return Said(.removed, .postfix)
        case "placed on hold": return Said(.held, .postfix)
        default: return Said(.released, .postfix)
        }
    }

    // MARK: Without a queue ID

    // smtpd.c: before a proxy filter there is none. The reply is the filter's, up to the sender.
    private static let proxyEnd = Pattern(
        #"\Aproxy-(?:(?<accept>accept)|reject): END-OF-MESSAGE: "#
            + #"(?:(?<reply>.*?); from=<(?:(?<sender>"# + external + #")>)?|(?!.*; from=<))"#
    )
    private static let queued = Pattern("queued as (?<id>" + queueID + #")\z"#)
    // smtpd_check.c, `log_whatsup`; smtpd.c, `check_milter_reply`: at a command, whose name is a
    // word, the queue file may not be open yet.
    private static let sessionHeld = Pattern(
        #"\ANOQUEUE: (?:milter-)?hold: [A-Z]++ from (?<client>"# + client + "): "
    )
    // MailScanner's Postfix.pm
    private static let requeue = Pattern(
        #"\ARequeue: (?<old>"# + queueID + #")(?:\.[^ ]*+)? to (?<new>"# + queueID + #")\z"#
    )

    private static func readWithoutID(
        _ text: LineText,
        _ range: Range<Int>,
        _ agent: LineFact.Agent,
        _ hasProcess: Bool
    ) -> Said? {
        var said: Said?
        if agent == .smtpd, hasProcess, text.string(range).hasPrefix("NOQUEUE: ") {
            if let match = sessionHeld.match(text, range) {
                said = Said(.sessionHeld, .postfix)
                said?.a = match["client"]
            } else {
                said = readClient(text, range)
                said?.kind = .proxied
            }
        } else if agent == .smtpd, hasProcess, let match = proxyEnd.match(text, range) {
            said = Said(.proxyEnd, .postfix)
            said?.status = match["accept"] == nil ? .bounced : .sent
            said?.a = match["reply"].flatMap { queued.match(text, $0)?["id"] }
            said?.b = match["sender"]
        } else if agent == .operator, let match = requeue.match(text, range) {
            said = Said(.requeued, .postfix)
            said?.queueID = match["new"]
            said?.a = match["old"]
        }
        said?.agent = agent
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

    private static let own = #"(?:\z|(?!.* (?:proto|helo)=): )"#
    private static let externalTail = Pattern(
        #"\A; from=<(?<sender>"# + external + #")>(?: to=<(?<to>"# + external
            + #")>)?(?: proto=[^ :]++)?(?: helo=<[^ <>]*+>)?"# + own
    )
    private static let bareTail = Pattern(
        #"\A; from=(?<sender>"# + bare + ")(?: to=(?<to>" + bare
            + #"))?(?: proto=[^ :]++)?(?: helo=<[^ <>]*+>| helo=[^ ,]*+)?"# + own
    )

    /// All readings of a header's text, the shortest text first: those whose tail names this origin
    /// and goes to the line's end (cleanup_message.c, `cleanup_act_log`). Other forms of addresses
    /// count only where there is no reading with the external one.
    static func tails(
        _ text: LineText,
        from start: Int,
        origin: String,
        sender: String
    ) -> [Tail] {
        // In internal form the sender is known from qmgr, and protocol and HELO are Postfix's own
        // words, so what stands between is the recipient.
        let internalTail = Pattern(
            #"\A; from=<(?<sender>"# + Pattern.escaped(sender)
                + #")> to=<(?<to>.*)> proto=[^ :]++(?: helo=<[^ <>]*+>)?\z"#
        )
        let mark = Array((" from " + origin).utf8)
        for form in [externalTail, bareTail, internalTail] {
            var found: [Tail] = []
            // An empty text leaves two blanks: the mark's own may be the one behind the colon.
            for index in max(start - 1, 0)..<text.count
            where text.units[index...].starts(with: mark) {
                guard let match = form.match(text, index + mark.count..<text.count),
                    let sender = match["sender"]
                else { continue }
                found.append(
                    Tail(textEnd: max(index, start), sender: sender, recipient: match["to"])
                )
            }
            if !found.isEmpty { return found }
        }
        return []
    }
}
