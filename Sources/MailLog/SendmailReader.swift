import MailEvents
import Records

/// Reads lines that Sendmail wrote. Sources: sendmail 8.17.1, whose files are named at each.
///
/// A login stands on a line of its own, without a queue ID: `AUTH=server, relay=R, authid=U, …`. What
/// joins it with a message is the process, which serves one connection, whose end is not logged (below
/// LogLevel 20). Another process may get the same number later, so the queue ID is asked too: it has
/// in it when its process gave out the first (queue.c, `assign_queueid`), which is before the login if
/// it is the same process, and after it if it is another. `proto=` need not be asked: up to 8.15 it
/// is `ESMTP` for all, and after HELO `SMTP` always; but since 8.16 `ESMTPS` denies a login.
///
/// The shipped header rules (`deploy/snippets/sendmail-subject.mc`) log the login with each header,
/// which is more certain still.
struct SendmailReader: Sendable {
    private var names: NameReader
    /// An address without the log's escapes.
    private var plain: [UInt8] = []

    init(names: NameReader) { self.names = names }

    /// Appends the facts of a line that came by syslog.
    ///
    /// - Parameters:
    ///   - text: the line.
    ///   - start: where the program's own text begins.
    ///   - context: what stands before it.
    mutating func read(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        if text.has("AUTH=server, relay=", at: start) {
            return readLogin(text, from: start &+ 19, context, into: &facts)
        }
        if text.has("NOQUEUE: ", at: start) {
            return readConnection(text, from: start &+ 9, context, into: &facts)
        }
        guard let end = SendmailGrammar.endOfQueueID(text, from: start) else { return .ignored }
        guard text.has(": ", at: end) else {
            // conf.c, `sm_syslog`: a line over SYSLOG_BUFSIZE comes in parts, `QID[1]: …`.
            guard text.has("[", at: end) else { return .ignored }
            if text.has("[1]: from=", at: end) { return .unparsed(.arrival) }
            return text.has("[1]: to=", at: end) ? .unparsed(.delivery) : .ignored
        }
        return readBody(text, start..<end, from: end &+ 2, context, into: &facts)
    }

    private mutating func readBody(
        _ text: Span<UInt8>,
        _ queueID: Range<Int>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        func give(_ kind: LineFact.Kind) -> LineOutcome {
            facts.append(context.fact(kind, of: .sendmail, queueID, in: text))
            return .read
        }
        if text.has("to=", at: start) {
            return readDelivery(text, queueID, from: start &+ 3, context, into: &facts)
        }
        if text.has("from=", at: start) {
            return readArrival(text, queueID, from: start &+ 5, context, into: &facts)
        }
        if text.has("postern login=<", at: start) {
            return readHeader(text, queueID, from: start &+ 15, context, into: &facts)
        }
        // deliver.c, `sendall`: a rule said `$#discard`.
        if text.has("discarded", at: start), start &+ 9 == text.count { return give(.discarded) }
        // queue.c, `quarantine_queue_item`.
        if text.has("quarantine=", at: start) { return give(.held) }
        if text.has("unquarantine", at: start), start &+ 12 == text.count {
            return give(.released)
        }
        // envelope.c, `dropenvelope`, LogLevel 10.
        if text.has("done; delay=", at: start) { return give(.removed) }
        if text.has("split: ", at: start) {
            return readSplit(text, queueID, from: start &+ 7, context, into: &facts)
        }
        if isExpiry(text, from: start) {
            _ = give(.expired)
            return give(.removed)
        }
        return readConnection(text, from: start, context, into: &facts)
    }

    // MARK: Connections

    /// srvrsmtp.c: `AUTH=server, relay=%s, authid=%.128s, mech=%.16s, bits=%d`. The login is xtext
    /// since 8.14.5; before, it may hold anything, so what follows it is read from the line's end.
    private func readLogin(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let relay = SendmailGrammar.relay(text, from: start), let address = relay.address,
            text.has(", authid=", at: relay.end), let end = Self.endOfLogin(text)
        else { return .unparsed(.arrival) }
        let login = (relay.end &+ 9)..<max(end, relay.end &+ 9)
        var session = sessionFact(.session, text, context)
        session.a = LineFact.Piece(address)
        session.c = relay.name.map { LineFact.Piece($0) } ?? .absent
        facts.append(session)
        guard !login.isEmpty else { return .read }
        var fact = sessionFact(.login, text, context)
        fact.b = LineFact.Piece(login)
        fact.form = .xtext
        facts.append(fact)
        return .read
    }

    /// Where `, mech=WORD, bits=N` begins, which ends the line.
    private static func endOfLogin(_ text: Span<UInt8>) -> Int? {
        var index = text.count
        while index > 0, isDigit(text[index &- 1]) { index &-= 1 }
        guard index < text.count, index >= 7, text.has(", bits=", at: index &- 7) else {
            return nil
        }
        index &-= 7
        let end = index
        while index > 0,
            SendmailGrammar.isLetterOrDigit(text[index &- 1])
                || text[index &- 1] == UInt8(ascii: "-") || text[index &- 1] == UInt8(ascii: "_")
        { index &-= 1 }
        guard index < end, index >= 7, text.has(", mech=", at: index &- 7) else { return nil }
        return index &- 7
    }

    private func sessionFact(
        _ kind: LineFact.Kind,
        _ text: Span<UInt8>,
        _ context: LineContext
    ) -> LineFact {
        var fact = LineFact(kind: kind, stamp: context.stamp, line: context.line)
        fact.dialect = .sendmail
        fact.key = context.sessionKey(nil, in: text)
        return fact
    }

    /// Lines that say that the process begins or ends a connection: `connect from R` (main.c,
    /// LogLevel 10), `R did not issue MAIL/EXPN/VRFY/ETRN during connection to D`, `lost input channel
    /// from R to D after C` (srvrsmtp.c), `timeout waiting for input from H during C` (util.c).
    private func readConnection(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        let isEnd: Bool
        if text.has("lost input channel from ", at: start)
            || text.has("timeout waiting for input from ", at: start)
            || text.has("connect from ", at: start)
        {
            isEnd = true
        } else if let relay = SendmailGrammar.relay(text, from: start) {
            isEnd = text.has(" did not issue MAIL/EXPN/VRFY/ETRN during connection", at: relay.end)
        } else {
            isEnd = false
        }
        guard isEnd, !context.processID.isEmpty else { return .ignored }
        facts.append(sessionFact(.sessionEnd, text, context))
        return .read
    }

    // MARK: Arrival

    /// headers.c, `logsender`: `from=%.200s, size=N, class=N, nrcpts=N[, msgid=%.100s]` and the fields
    /// of ``SendmailGrammar/ArrivalTail``. Also written of envelopes without a message, which say
    /// nothing: they have no Message-ID, and size 0 or no recipients.
    private mutating func readArrival(
        _ text: Span<UInt8>,
        _ queueID: Range<Int>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        var sender: Range<Int>?
        var index = start
        if text.has("<", at: start) {
            let limit = SendmailGrammar.endOfBytes(text, from: start, count: Self.senderBytesMax)
            switch SendmailGrammar.path(text, from: start &+ 1, limit: limit) {
            case .closed(let end):
                sender = (start &+ 1)..<end
                index = end &+ 1
            case .open: index = limit
            case .broken: return .unparsed(.sender)
            }
        } else if let end = SendmailGrammar.endOfBareAddress(text, from: start) {
            sender = SendmailGrammar.withoutPhrase(text, start..<end)
            index = end
        }
        guard text.has(", size=", at: index),
            let sizeEnd = SendmailGrammar.endOfDigits(text, from: index &+ 7),
            text.has(", class=", at: sizeEnd)
        else { return .unparsed(.sender) }
        let isEmpty = sizeEnd == index &+ 8 && text[index &+ 7] == UInt8(ascii: "0")
        index = sizeEnd &+ 8
        if text.has("-", at: index) { index &+= 1 }
        guard let classEnd = SendmailGrammar.endOfDigits(text, from: index),
            text.has(", nrcpts=", at: classEnd),
            let countEnd = SendmailGrammar.endOfDigits(text, from: classEnd &+ 9),
            let tail = SendmailGrammar.arrivalTail(text, from: countEnd)
        else { return .unparsed(.sender) }
        var messageID: Range<Int>?
        if tail.start > countEnd {
            guard text.has(", msgid=", at: countEnd) else { return .unparsed(.sender) }
            messageID = (countEnd &+ 8)..<max(tail.start, countEnd &+ 8)
        }
        let count = (classEnd &+ 9)..<countEnd
        let hasRecipients = count.count > 1 || text[count.lowerBound] != UInt8(ascii: "0")
        guard hasRecipients, !isEmpty || messageID != nil else { return .ignored }

        addAccepted(text, queueID, tail, count, context, into: &facts)
        if let sender {
            var fact = context.fact(.sender, of: .sendmail, queueID, in: text)
            setAddress(&fact, sender, text)
            facts.append(fact)
        }
        if let messageID {
            var fact = context.fact(.messageID, of: .sendmail, queueID, in: text)
            fact.a = LineFact.Piece(messageID)
            facts.append(fact)
        }
        return .read
    }

    /// headers.c: `from=%.200s`.
    private static let senderBytesMax = 200

    /// The fact that a message was taken in; before it, where `proto=` denies a login, that the one
    /// that the process may have had is over.
    private func addAccepted(
        _ text: Span<UInt8>,
        _ queueID: Range<Int>,
        _ tail: SendmailGrammar.ArrivalTail,
        _ count: Range<Int>,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) {
        var fact = context.fact(.accepted, of: .sendmail, queueID, in: text)
        fact.d = LineFact.Piece(count)
        if let address = tail.relay.address {
            fact.a = LineFact.Piece(address)
            fact.c = tail.relay.name.map { LineFact.Piece($0) } ?? .absent
            if let proto = tail.proto, Self.deniesLogin(text, proto) {
                facts.append(sessionFact(.sessionEnd, text, context))
            } else if !context.processID.isEmpty {
                fact.account = context.sessionKey(nil, in: text)
            }
        }
        facts.append(fact)
    }

    /// srvrsmtp.c, `GET_PROTOCOL`, since 8.16: `ESMTP`, with `S` for TLS and `A` for a login (RFC
    /// 3848), and the same with `UTF8SMTP` (RFC 6531).
    private static func deniesLogin(_ text: Span<UInt8>, _ proto: Range<Int>) -> Bool {
        func isWord(_ word: StaticString) -> Bool {
            proto.count == word.utf8CodeUnitCount && text.has(word, at: proto.lowerBound)
        }
        return isWord("ESMTPS") || isWord("UTF8SMTP") || isWord("UTF8SMTPS")
    }

    /// `postern login=<LOGIN> NAME=TEXT`, which the shipped header rules log. No other line begins so:
    /// a recipient's text, with which some begin, ends at its first blank outside quotes, brackets
    /// and comments (srvrsmtp.c, `parseaddr(…, ' ', …)`).
    private func readHeader(
        _ text: Span<UInt8>,
        _ queueID: Range<Int>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let end = text.first(UInt8(ascii: ">"), from: start, to: text.count) else {
            return .unparsed(.arrival)
        }
        var fact = context.fact(.subject, of: .sendmail, queueID, in: text)
        var index = end &+ 1
        if text.has(" subject=", at: index) {
            index &+= 9
            fact.form = .sendmail
        } else if text.has(" content-type=", at: index) {
            index &+= 14
            fact.kind = .contentType
        } else if text.has(" receipt-request=", at: index) {
            index &+= 17
            fact.kind = .receiptRequest
        } else {
            return .unparsed(.arrival)
        }
        fact.a = LineFact.Piece(index, text.count)
        var login = context.fact(.messageLogin, of: .sendmail, queueID, in: text)
        login.b = LineFact.Piece(start, end)
        login.form = .xtext
        facts.append(login)
        facts.append(fact)
        return .read
    }

    // MARK: The queue

    /// queue.c, `split_by_recipient`: `split: count=N, ids=QID; QID`, `split_within_queue`: `split:
    /// maxrcpts=N, rcpts=N, count=N, id=QID`. Some of the message's recipients go on under those.
    ///
    /// `clone: owner=…` (deliver.c) is another matter: those are members of a list.
    private func readSplit(
        _ text: Span<UInt8>,
        _ queueID: Range<Int>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        var index = start
        while index < text.count, !text.has(", id", at: index) { index &+= 1 }
        index &+= text.has(", ids=", at: index) ? 6 : 5
        let before = facts.count
        while index < text.count, let end = SendmailGrammar.endOfQueueID(text, from: index) {
            var fact = context.fact(.copied, of: .sendmail, queueID, in: text)
            fact.a = LineFact.Piece(index, end)
            fact.account = queueKey(text.extracting(index..<end), hostHash: context.hostHash)
            facts.append(fact)
            index = text.has("; ", at: end) ? end &+ 2 : text.count
        }
        return facts.count > before ? .read : .ignored
    }

    /// savemail.c, `returntosender`: `QID: LABEL: TEXT`, where dropenvelope() wrote the text because
    /// the message was too long in the queue (envelope.c).
    private func isExpiry(_ text: Span<UInt8>, from start: Int) -> Bool {
        guard let end = SendmailGrammar.endOfQueueID(text, from: start) else { return false }
        let index: Int
        if text.has(": DSN: ", at: end) {
            index = end &+ 7
        } else if text.has(": sender notify: ", at: end) {
            // Where a warning went before.
            index = end &+ 17
        } else if text.has(": postmaster notify: ", at: end) {
            index = end &+ 21
        } else if text.has(": return to sender: ", at: end) {
            index = end &+ 20
        } else {
            return false
        }
        return text.has("Cannot send message for ", at: index)
            || text.has("delivery time expired ", at: index)
    }

    // MARK: Delivery

    /// What a `to=` line says besides its recipients.
    private struct Outcome {
        var controller: Range<Int>?
        var mailer: Range<Int>?
        var relay: Range<Int>?
        var reply: Range<Int>?
        /// Nil: it is no outcome of a delivery.
        var status: LineFact.Status?
        var isQuarantined = false
    }

    /// deliver.c, `logdelivery`: `to=A,B[, [more]][, ctladdr=…], delay=…[, xdelay=…][, mailer=…], pri=N
    /// [, relay=…][, dsn=…][, reply=…], stat=…`. Addresses are joined by a comma, fields by a comma
    /// and a blank, which an address has in quotes only.
    private mutating func readDelivery(
        _ text: Span<UInt8>,
        _ queueID: Range<Int>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let listEnd = endOfList(text, from: start),
            let outcome = readOutcome(text, from: listEnd)
        else { return .unparsed(.delivery) }
        if outcome.isQuarantined {
            addRecipients(text, queueID, start..<listEnd, nil, context, into: &facts)
            facts.append(context.fact(.queued, of: .sendmail, queueID, in: text))
            facts.append(context.fact(.held, of: .sendmail, queueID, in: text))
        } else if outcome.status == nil {
            facts.append(context.fact(.removed, of: .sendmail, queueID, in: text))
        } else {
            addRecipients(text, queueID, start..<listEnd, outcome, context, into: &facts)
        }
        return .read
    }

    /// Where the list of addresses ends: at the comma before its first field.
    private func endOfList(_ text: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while let end = endOfMember(text, from: index) {
            if text.has(", ", at: end) {
                return text.has(", [more], ", at: end) ? end &+ 8 : end
            }
            guard text.has(",", at: end) else { return nil }
            index = end &+ 1
        }
        return nil
    }

    private func endOfMember(_ text: Span<UInt8>, from start: Int) -> Int? {
        guard text.has("<", at: start) else {
            return SendmailGrammar.endOfBareAddress(text, from: start)
        }
        return SendmailGrammar.endOfPath(text, from: start &+ 1).map { $0 &+ 1 }
    }

    /// A fact for each address of a list: a delivery with its outcome, or (nil) a recipient.
    private mutating func addRecipients(
        _ text: Span<UInt8>,
        _ queueID: Range<Int>,
        _ list: Range<Int>,
        _ outcome: Outcome?,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) {
        var index = list.lowerBound
        while index < list.upperBound, let end = endOfMember(text, from: index) {
            let address = SendmailGrammar.withoutPhrase(text, index..<end)
            index = end &+ 1
            if text.has(" [more]", at: index) { index &+= 7 }
            var fact = context.fact(
                outcome == nil ? .recipient : .delivery,
                of: .sendmail,
                queueID,
                in: text
            )
            // A user, a program or a file that an alias names, which is not logged itself: it is
            // none of the recipients that the client gave.
            let isUser =
                !text.has("<", at: address.lowerBound &- 1)
                && text.first(UInt8(ascii: "@"), from: address.lowerBound, to: end) == nil
            if !isUser { setAddress(&fact, address, text) }
            if let outcome { finish(&fact, outcome, text) }
            if outcome != nil || !isUser { facts.append(fact) }
        }
    }

    /// Enters the address that a fact is about. UTF-8 and backslashes stand in the log as escapes.
    private mutating func setAddress(
        _ fact: inout LineFact,
        _ address: Range<Int>,
        _ text: Span<UInt8>
    ) {
        fact.a = LineFact.Piece(address)
        let logged = text.extracting(address)
        guard logged.first(UInt8(ascii: "\\"), from: 0, to: logged.count) != nil else {
            fact.domain = names.domain(ofAddress: logged)
            return
        }
        fact.form = .sendmail
        var unescaped: [UInt8] = []
        swap(&unescaped, &plain)
        SendmailText.unescape(logged, into: &unescaped)
        fact.domain = names.domain(ofAddress: unescaped.span)
        swap(&unescaped, &plain)
    }

    private mutating func finish(_ fact: inout LineFact, _ outcome: Outcome, _ text: Span<UInt8>) {
        fact.status = outcome.status ?? .other
        fact.agent = Self.agent(text, outcome)
        if let controller = outcome.controller {
            fact.b = LineFact.Piece(controller)
            let hasEscape =
                text.first(
                    UInt8(ascii: "\\"),
                    from: controller.lowerBound,
                    to: controller.upperBound
                ) != nil
            if hasEscape { fact.form = .sendmail }
        }
        fact.c = outcome.relay.map { LineFact.Piece($0) } ?? .absent
        fact.d = outcome.reply.map { LineFact.Piece($0) } ?? .absent
        // Only a copy that came to a mailbox teaches whose it is.
        if fact.status == .sent, fact.agent == .mailbox, fact.a.isPresent, fact.form == .header {
            fact.account = names.mailbox(text.extracting(fact.a.indices))
        }
    }

    /// The mailers that cf/mailer and its users name so.
    private static func agent(_ text: Span<UInt8>, _ outcome: Outcome) -> LineFact.Agent {
        guard outcome.relay == nil else { return .smtp }
        guard outcome.status != .discarded, let mailer = outcome.mailer else { return .discard }
        let start = mailer.lowerBound
        let isMailbox =
            text.has("local", at: start) || text.has("lmtp", at: start)
            || text.has("cyrus", at: start) || text.has("procmail", at: start)
            || text.has("dovecot", at: start) || text.has("maildrop", at: start)
        return isMailbox ? .mailbox : .other
    }

    private func readOutcome(_ text: Span<UInt8>, from start: Int) -> Outcome? {
        var outcome = Outcome()
        var index = start
        if text.has(", ctladdr=", at: index) {
            guard let (controller, end) = Self.controller(text, from: index &+ 10) else {
                return nil
            }
            outcome.controller = controller
            index = end
        }
        guard text.has(", delay=", at: index),
            let delayEnd = SendmailGrammar.endOfInterval(text, from: index &+ 8)
        else { return nil }
        index = delayEnd
        if text.has(", xdelay=", at: index) {
            guard let end = SendmailGrammar.endOfInterval(text, from: index &+ 9) else {
                return nil
            }
            index = end
        }
        if text.has(", mailer=", at: index) {
            guard let end = SendmailGrammar.endOfWord(text, from: index &+ 9) else { return nil }
            outcome.mailer = (index &+ 9)..<end
            index = end
        }
        while text.has(", tls_", at: index) || text.has(", cipher=", at: index) {
            guard let end = SendmailGrammar.endOfWord(text, from: index &+ 2) else { return nil }
            index = end
        }
        guard text.has(", pri=", at: index),
            let end = SendmailGrammar.endOfDigits(text, from: index &+ 6)
        else { return nil }
        return readRelayAndStatus(text, from: end, &outcome) ? outcome : nil
    }

    /// `ctladdr=A[ (UID/GID)]`: the address for which the delivery is made: an alias, the user whose
    /// `.forward` said so, or a sender of this machine. Longer ones are cut in the middle, to 83
    /// bytes: they tell nothing.
    private static func controller(
        _ text: Span<UInt8>,
        from start: Int
    ) -> (Range<Int>?, end: Int)? {
        var controller: Range<Int>?
        var index = start
        if text.has("...", at: start &+ 40) {
            index = start &+ 83
        } else if text.has("<", at: start) {
            guard let end = SendmailGrammar.endOfPath(text, from: start &+ 1) else { return nil }
            controller = (start &+ 1)..<end
            index = end &+ 1
        } else {
            guard let end = SendmailGrammar.endOfWord(text, from: start) else { return nil }
            controller = start..<end
            index = end
        }
        if text.has(" (", at: index) {
            guard let user = SendmailGrammar.endOfDigits(text, from: index &+ 2),
                text.has("/", at: user),
                let group = SendmailGrammar.endOfDigits(text, from: user &+ 1),
                text.has(")", at: group)
            else { return nil }
            index = group &+ 1
        }
        return (controller, index)
    }

    /// `[, relay=R][, quarantine=WHY][, dsn=D.D.D][, ntries=N][, stage=S][, reply=REPLY], stat=…`.
    private func readRelayAndStatus(
        _ text: Span<UInt8>,
        from start: Int,
        _ outcome: inout Outcome
    ) -> Bool {
        var index = start
        if text.has(", relay=", at: index) {
            guard let relay = SendmailGrammar.relay(text, from: index &+ 8) else { return false }
            outcome.relay = relay.address
            index = relay.end
        } else if text.has(", quarantine=", at: index) {
            outcome.isQuarantined = text.has(", stat=quarantined", at: text.count &- 18)
            return outcome.isQuarantined
        }
        while text.has(", dsn=", at: index) || text.has(", ntries=", at: index)
            || text.has(", stage=", at: index)
        {
            guard let end = SendmailGrammar.endOfWord(text, from: index &+ 2) else { return false }
            index = end
        }
        if text.has(", reply=", at: index) {
            outcome.status = Self.failure(text, from: index &+ 8)
            return outcome.status != nil
        }
        guard text.has(", stat=", at: index) else { return false }
        index &+= 7
        if text.has("quarantined", at: index), index &+ 11 == text.count {
            outcome.isQuarantined = true
            return true
        }
        // Without a mailer nothing was tried: a rule threw the message away, or a milter or the
        // client itself gave it up (srvrsmtp.c, `logundelrcpts`).
        guard outcome.mailer != nil else {
            if text.has("discarded", at: index), index &+ 9 == text.count {
                outcome.status = .discarded
            }
            return index < text.count
        }
        outcome.status = SendmailGrammar.outcome(text, from: index)
        if outcome.status == .sent, index &+ 6 < text.count {
            outcome.reply = (index &+ 6)..<text.count
        }
        return outcome.status != nil
    }

    /// `reply=REPLY, stat=…`, which is logged of failures only (deliver.c). REPLY is another server's
    /// text and may hold a `, stat=` of its own; its first digit is the class of its code, by which
    /// Sendmail decided.
    private static func failure(_ text: Span<UInt8>, from start: Int) -> LineFact.Status? {
        guard text.first(", stat=", from: start) != nil else { return nil }
        if text.has("4", at: start) { return .deferred }
        if text.has("5", at: start) { return .bounced }
        var found: LineFact.Status?
        var index = start
        while let field = text.first(", stat=", from: index) {
            guard let status = SendmailGrammar.outcome(text, from: field &+ 7), status != .sent,
                found == nil || found == status
            else { return nil }
            found = status
            index = field &+ 7
        }
        return found
    }
}
