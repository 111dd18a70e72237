import MailEvents
import Records

/// Reads what Postfix's programs write after the tag.
///
/// The formats are those of the source of Postfix 3.7, with what older and newer releases (up to
/// 3.11) write differently; the functions name the files.
struct PostfixReader: Sendable {
    private var names: NameReader
    /// Queue IDs that were seen last, by a hash.
    private var queueIDs = [ShortTextWords](repeating: ShortTextWords(), count: 64)

    init(names: NameReader) { self.names = names }

    /// Appends the fact of a line, if it has one.
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
        readWithID(text, from: start, context, into: &facts)
            ?? readWithoutID(text, from: start, context, into: &facts)
    }

    /// The same for a line whose text begins with a queue ID, as nearly all do that say something of a
    /// message.
    ///
    /// - Returns: nil if it begins with none.
    @inline(__always)
    mutating func readWithID(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome? {
        let end = text.count
        let limit = min(end, start &+ PostfixGrammar.queueIDCounts.upperBound &+ 1)
        guard let index = text.first(UInt8(ascii: ":"), from: start, to: limit),
            index &- start >= PostfixGrammar.queueIDCounts.lowerBound, index &+ 2 < end,
            text[index &+ 1] == UInt8(ascii: " ")
        else { return nil }
        var fact = LineFact(kind: .time, stamp: context.stamp, line: context.line)
        fact.agent = context.agent
        let outcome = readBody(text, from: index &+ 2, into: &fact)
        let words = ShortTextWords(text, start..<index)
        let key = words.key(hostHash: context.hostHash)
        // Lines of one message stand close together: an ID that was looked at is mostly known.
        let place = Int(truncatingIfNeeded: key >> 58)
        if queueIDs[place] != words {
            guard PostfixGrammar.isQueueID(text, start..<index) else { return nil }
            if words.isWhole { queueIDs[place] = words }
        }
        guard outcome == .read else { return outcome }
        fact.key = key
        fact.instance = context.instance
        fact.queueID = LineFact.Piece(start, index)
        fact.host = LineFact.Piece(context.host)
        if fact.kind == .client, !context.processID.isEmpty {
            fact.account = context.sessionKey(nil, in: text)
        }
        facts.append(fact)
        return .read
    }

    private mutating func readBody(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        switch fact.agent {
        case .smtpd:
            if text.has("client=", at: start) {
                return readClient(text, from: start + 7, into: &fact)
            }
            return readDecision(text, from: start, into: &fact)
        case .cleanup:
            return readCleanup(text, from: start, into: &fact)
        case .queueManager:
            if text.has("from=", at: start) {
                return readActive(text, from: start + 5, into: &fact)
            }
            if text.has("removed", at: start), start + 7 == text.count {
                fact.kind = .removed
                return .read
            }
            // qmgr_defer.c, qmgr_bounce.c: what no delivery agent was asked for.
            if text.has("to=", at: start) {
                return readDelivery(text, from: start + 3, into: &fact)
            }
        case .smtp, .lmtp, .mailbox, .error, .discard, .other:
            if text.has("to=", at: start) {
                return readDelivery(text, from: start + 3, into: &fact)
            }
            if fact.agent == .error { return readNotification(text, from: start, into: &fact) }
        case .operator:
            return readOperator(text, from: start, into: &fact)
        case .pickup:
            return readPickup(text, from: start, into: &fact)
        case .namelessLogin:
            // Of Exim's alone.
            break
        }
        return .ignored
    }

    @inline(__always)
    private func give(_ fact: inout LineFact, _ kind: LineFact.Kind) -> LineOutcome {
        fact.kind = kind
        return .read
    }

    // MARK: Arrival

    /// `client=HOST[IP]`, then optional fields in the order in which smtpd.c (`mail_open_stream`)
    /// writes them.
    ///
    /// A client that has not logged in may still give `AUTH=` (RFC 4954, 5), which smtpd_sasl_proto.c
    /// takes: `sasl_sender=` and any text, which may name a login.
    private mutating func readClient(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        guard let clientEnd = PostfixGrammar.endOfClient(text, from: start) else {
            return .unparsed(.arrival)
        }
        fact.kind = .client
        fact.a = LineFact.Piece(start, clientEnd)
        var index = clientEnd
        if text.has(", sasl_method=", at: index) {
            index += 14
            while index < text.count, text[index] != UInt8(ascii: ","),
                text[index] != UInt8(ascii: " ")
            { index += 1 }
        }
        if text.has(", sasl_username=", at: index) {
            index += 16
            let loginEnd = PostfixGrammar.endOfLogin(text, from: index)
            // An empty login is no login.
            guard loginEnd > index else {
                return .unparsed(.arrival)
            }
            fact.b = LineFact.Piece(index, loginEnd)
            if loginEnd < text.count { readOrigin(text, from: loginEnd, into: &fact) }
            return .read
        }
        index = readOrigin(text, from: index, into: &fact)
        guard index == text.count || text.has(", sasl_sender=", at: index) else {
            return .unparsed(.arrival)
        }
        return .read
    }

    /// `, orig_queue_id=ID, orig_client=HOST[IP]`, both optional: what an XFORWARD command said.
    ///
    /// - Returns: the index behind them.
    @discardableResult
    private func readOrigin(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> Int {
        var index = start
        if let end = PostfixGrammar.endOfQueueField(text, from: index) {
            fact.c = LineFact.Piece(index + 16, end)
            index = end
        }
        if text.has(", orig_client=", at: index),
            let end = PostfixGrammar.endOfClient(text, from: index + 14)
        {
            fact.d = LineFact.Piece(index + 14, end)
            index = end
        }
        return index
    }

    /// What smtpd decides about a message that has a queue ID (smtpd_check.c `log_whatsup`, smtpd.c
    /// `check_milter_reply`): `hold: RCPT from …`, `milter-discard: DATA from …`.
    ///
    /// A rejected recipient, or a rejected DATA command, is not the end of the message: the client may
    /// go on.
    private func readDecision(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        let verb = text.has("milter-", at: start) ? start + 7 : start
        if text.has("hold: ", at: verb) { return give(&fact, .held) }
        if text.has("discard: ", at: verb) { return give(&fact, .discarded) }
        if text.has("reject: END-OF-MESSAGE from ", at: verb) { return give(&fact, .refused) }
        return .ignored
    }

    /// pickup.c: `uid=N from=<S>`, and for what postsuper requeued ` orig_id=ID`.
    private mutating func readPickup(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        guard text.has("uid=", at: start), let blank = text.first(" from=", from: start) else {
            return .ignored
        }
        // The sender may hold anything; the ID stands behind it, at the line's end.
        var idStart = text.count
        while idStart > blank, PostfixGrammar.queueIDClass(text[idStart - 1]) != 0 { idStart -= 1 }
        if PostfixGrammar.queueIDCounts.contains(text.count - idStart), idStart >= blank + 9,
            text.has(" orig_id=", at: idStart - 9)
        {
            fact.a = LineFact.Piece(idStart, text.count)
            return give(&fact, .requeued)
        }
        let end = text.count - 1
        guard text.has("<", at: blank + 6), end > blank + 6, text[end] == UInt8(ascii: ">") else {
            return .unparsed(.arrival)
        }
        fact.a = LineFact.Piece(blank + 7, end)
        return give(&fact, .local)
    }

    // MARK: Content

    private mutating func readCleanup(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        if text.has("message-id=", at: start) {
            fact.kind = .messageID
            fact.a = LineFact.Piece(start + 11, text.count)
            return .read
        }
        // `ACTION: header NAME: TEXT from …` (cleanup_message.c).
        var index = start
        while index < text.count, text[index] >= UInt8(ascii: "a"), text[index] <= UInt8(ascii: "z")
        { index += 1 }
        let actionEnd = index
        guard index > start, text.has(": ", at: index) else {
            if text.has("milter-", at: start) { return readMilter(text, from: start + 7, &fact) }
            // cleanup_bounce.c: a recipient that the maps turned down.
            if text.has("to=", at: start) {
                return readDelivery(text, from: start + 3, into: &fact)
            }
            return .ignored
        }
        let kind: LineFact.Kind
        switch actionEnd - start {
        case 4 where text.has("info", at: start): kind = .headerLine
        case 4 where text.has("hold", at: start): kind = .held
        case 7 where text.has("discard", at: start): kind = .discarded
        // Also `reject: mime-error …`, `reject: body …`.
        case 6 where text.has("reject", at: start): return give(&fact, .refused)
        default: kind = .headerLine
        }
        index = actionEnd + 2
        fact.kind = kind
        guard text.has("header ", at: index) else {
            // Body checks and content: no header, but a hold or a discard all the same.
            if kind != .headerLine { return .read }
            return .ignored
        }
        index += 7
        let nameStart = index
        while index < text.count, text[index] != UInt8(ascii: ":"), text[index] != UInt8(ascii: " ")
        { index += 1 }
        guard index < text.count, text[index] == UInt8(ascii: ":"), index > nameStart else {
            if kind != .headerLine { return .read }
            return .ignored
        }
        switch index - nameStart {
        case 7 where text.hasIgnoringCase("subject", at: nameStart): fact.header = .subject
        case 12 where text.hasIgnoringCase("content-type", at: nameStart):
            fact.header = .contentType
        case 27 where text.hasIgnoringCase("disposition-notification-to", at: nameStart):
            fact.header = .dispositionNotificationTo
        default: fact.header = .other
        }
        fact.a = LineFact.Piece(index + 1, text.count)
        return .read
    }

    /// cleanup_milter.c: `milter-hold: END-OF-MESSAGE from HOST[IP]: milter triggers HOLD action;
    /// from=<S> to=<R> proto=P helo=<H>`, and `milter-header-hold: header …` of
    /// `milter_header_checks`.
    ///
    /// - Parameter start: where the verb begins.
    private func readMilter(
        _ text: Span<UInt8>,
        from start: Int,
        _ fact: inout LineFact
    ) -> LineOutcome {
        var verb = start
        if text.has("header-", at: verb) { verb += 7 }
        if text.has("body-", at: verb) { verb += 5 }
        if text.has("reject: ", at: verb) { return give(&fact, .refused) }
        if text.has("hold: ", at: verb) {
            fact.kind = .held
        } else if text.has("discard: ", at: verb) {
            fact.kind = .discarded
        } else {
            return .ignored
        }
        // A header's text is a stranger's; the milter's own words are not.
        guard verb == start, let colon = text.first("]: milter triggers ", from: verb),
            let semicolon = text.first(UInt8(ascii: ";"), from: colon, to: text.count),
            text.has("; from=<", at: semicolon),
            let tail = PostfixGrammar.envelope(text, from: semicolon + 7)
        else { return .read }
        fact.b = LineFact.Piece(tail.sender)
        if let recipient = tail.recipient { fact.c = LineFact.Piece(recipient) }
        return .read
    }

    // MARK: Queue

    /// qmgr_active.c: `from=<S>, size=N, nrcpt=N (queue active)` or `from=<S>, status=expired,
    /// returned to sender`.
    private mutating func readActive(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        if let sender = PostfixGrammar.activeSender(text, from: start) {
            fact.kind = .active
            fact.a = LineFact.Piece(sender)
            fact.domain = names.domain(ofAddress: text.extracting(sender))
            return .read
        }
        // 3.x also `status=force-expired`.
        if PostfixGrammar.isExpiry(text, from: start) { return give(&fact, .expired) }
        return .unparsed(.sender)
    }

    /// log_adhoc.c: `to=<R>[, orig_to=<O>], relay=…[, conn_use=N], delay=…, delays=…, dsn=…,
    /// status=WORD (REPLY)`; before 2.3 without `delays=` and `dsn=`, in 3.11 with `tls=`.
    private mutating func readDelivery(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        guard let line = PostfixGrammar.delivery(text, from: start) else {
            return .unparsed(.delivery)
        }
        fact.kind = .delivery
        fact.a = LineFact.Piece(line.recipient)
        if let original = line.original { fact.b = LineFact.Piece(original) }
        fact.c = LineFact.Piece(line.relay)
        fact.isAmbiguous = line.isAmbiguous
        switch line.status.count {
        case 4 where text.has("sent", at: line.status.lowerBound): fact.status = .sent
        case 8 where text.has("deferred", at: line.status.lowerBound): fact.status = .deferred
        case 7 where text.has("bounced", at: line.status.lowerBound): fact.status = .bounced
        case 7 where text.has("expired", at: line.status.lowerBound): fact.status = .expired
        // soft_bounce = yes: it stays in the queue (bounce.c).
        case 10 where text.has("SOFTBOUNCE", at: line.status.lowerBound): fact.status = .deferred
        default: fact.status = .other
        }
        if text.has(" (", at: line.status.upperBound) {
            fact.d = LineFact.Piece(line.status.upperBound + 2, text.count)
        }
        if fact.status != .other {
            let recipient = text.extracting(line.recipient)
            fact.domain = names.domain(ofAddress: recipient)
            // Only a copy that came to a mailbox teaches whose it is.
            if fact.status == .sent, fact.agent == .lmtp || fact.agent == .mailbox {
                fact.account = names.mailbox(recipient)
            }
        }
        return .read
    }

    /// bounce_notify_service.c, bounce_warn_service.c and the like: `sender non-delivery
    /// notification: ID`, `postmaster delay notification: ID`.
    private func readNotification(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        guard text.has("sender ", at: start) || text.has("postmaster ", at: start),
            text.first("notification: ", from: start) != nil
        else { return .ignored }
        return give(&fact, .note)
    }

    /// postsuper.c: `removed`, `placed on hold`, `released from hold`, `requeued`, `expired`. What is
    /// requeued gets another ID, which pickup logs; what is expired, qmgr gives up.
    private func readOperator(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        switch text.count - start {
        case 7 where text.has("removed", at: start): give(&fact, .removed)
        case 14 where text.has("placed on hold", at: start): give(&fact, .held)
        case 18 where text.has("released from hold", at: start): give(&fact, .released)
        case 8 where text.has("requeued", at: start): give(&fact, .note)
        case 7 where text.has("expired", at: start): give(&fact, .note)
        default: .ignored
        }
    }

    // MARK: Lines without a queue ID

    /// Whether a text that begins with no queue ID may say something all the same.
    @inline(__always)
    static func mayBeRead(_ text: Span<UInt8>, from start: Int) -> Bool {
        guard start < text.count else { return false }
        return switch text[start] {
        case UInt8(ascii: "N"):
            text.has("NOQUEUE: client=", at: start) || text.has("NOQUEUE: hold: ", at: start)
                || text.has("NOQUEUE: milter-hold: ", at: start)
        case UInt8(ascii: "p"), UInt8(ascii: "R"), UInt8(ascii: "m"), UInt8(ascii: "["): true
        default: false
        }
    }

    private mutating func readWithoutID(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard Self.mayBeRead(text, from: start) else { return .ignored }
        switch (text[start], context.agent) {
        case (UInt8(ascii: "N"), .smtpd):
            if text.has("NOQUEUE: client=", at: start) {
                return readProxied(text, from: start, context, into: &facts)
            }
            return readSessionHeld(text, from: start, context, into: &facts)
        case (UInt8(ascii: "p"), .smtpd):
            return readProxyEnd(text, from: start, context, into: &facts)
        case (UInt8(ascii: "R"), .operator):
            return readRequeue(text, from: start, context, into: &facts)
        case (UInt8(ascii: "m"), _):
            return readRepeated(text, from: start, context, into: &facts)
        default:
            return .ignored
        }
    }

    /// rsyslog's `message repeated N times: [ TEXT]` (its runtime/ruleset or action, option
    /// `$RepeatedMsgReduction`): the text counts as if it stood there.
    private mutating func readRepeated(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard text.has("message repeated ", at: start) else { return .ignored }
        var index = start + 17
        while index < text.count, isDigit(text[index]) { index += 1 }
        guard index > start + 17, text.has(" times: [", at: index),
            text[text.count - 1] == UInt8(ascii: "]")
        else { return .ignored }
        index += 9
        if text.has(" ", at: index) { index += 1 }
        let before = facts.count
        let outcome = read(
            text.extracting(0..<(text.count - 1)),
            from: index,
            context,
            into: &facts
        )
        if facts.count > before, facts[before].kind == .client {
            facts[before].kind = .clientAgain
        }
        return outcome
    }

    /// smtpd.c, before-queue filters: `NOQUEUE: client=HOST[IP]` with the fields of a `client=` line.
    private mutating func readProxied(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        var fact = sessionFact(.proxied, text, context)
        let outcome = readClient(text, from: start + 16, into: &fact)
        guard outcome == .read else { return outcome }
        // Without a process ID nothing tells one session from another.
        guard !context.processID.isEmpty else { return .unparsed(.arrival) }
        fact.kind = .proxied
        facts.append(fact)
        return .read
    }

    /// smtpd_check.c, `log_whatsup`: `NOQUEUE: hold: RCPT from HOST[IP]: TEXT`. smtpd opens the queue
    /// file only when the first recipient is accepted (`smtpd_delay_open_until_valid_rcpt`), and holds
    /// the message then.
    private func readSessionHeld(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let verb = text.first("hold: ", from: start) else { return .ignored }
        var index = verb + 6
        while index < text.count, text[index] &- UInt8(ascii: "A") < 26 { index += 1 }
        guard index > verb + 6, text.has(" from ", at: index),
            let end = PostfixGrammar.endOfClient(text, from: index + 6), text.has(": ", at: end),
            !context.processID.isEmpty
        else { return .ignored }
        var fact = sessionFact(.sessionHeld, text, context)
        fact.a = LineFact.Piece(index + 6, end)
        facts.append(fact)
        return .read
    }

    /// smtpd.c, `common_post_message_handling`: `proxy-accept: END-OF-MESSAGE: REPLY; from=<S> to=<R>
    /// proto=P helo=<H>`, from 3.2 on with ` sasl_username=<L>`.
    ///
    /// The reply is the filter's; it ends at the first `; from=<`, since what a client may choose comes
    /// behind that.
    private mutating func readProxyEnd(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        let isAccepted = text.has("proxy-accept: END-OF-MESSAGE: ", at: start)
        guard isAccepted || text.has("proxy-reject: END-OF-MESSAGE: ", at: start),
            !context.processID.isEmpty
        else { return .ignored }
        var fact = sessionFact(.proxyEnd, text, context)
        fact.status = isAccepted ? .sent : .bounced
        if let end = text.first("; from=<", from: start + 30) {
            if let id = PostfixGrammar.queuedAs(text, in: (start + 30)..<end) {
                fact.a = LineFact.Piece(id)
            }
            if let senderEnd = PostfixGrammar.endOfAddress(text, from: end + 8) {
                fact.b = LineFact.Piece(end + 8, senderEnd)
            }
        }
        facts.append(fact)
        return .read
    }

    private func sessionFact(
        _ kind: LineFact.Kind,
        _ text: Span<UInt8>,
        _ context: LineContext
    ) -> LineFact {
        var fact = LineFact(kind: kind, stamp: context.stamp, line: context.line)
        fact.agent = context.agent
        fact.instance = context.instance
        fact.key = context.sessionKey(nil, in: text)
        fact.host = context.host.isEmpty ? .absent : LineFact.Piece(context.host)
        return fact
    }

    /// MailScanner's Postfix.pm: `Requeue: A.XXXXX to B`: what Postfix held under the ID A goes on
    /// under B; XXXXX tells it from a later message of the same ID.
    private func readRequeue(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard text.has("Requeue: ", at: start) else { return .ignored }
        let oldStart = start + 9
        let oldEnd = PostfixGrammar.endOfQueueID(text, from: oldStart)
        var index = oldEnd
        if text.has(".", at: index) {
            index += 1
            while index < text.count, text[index] != UInt8(ascii: " ") { index += 1 }
        }
        guard PostfixGrammar.queueIDCounts.contains(oldEnd - oldStart), text.has(" to ", at: index)
        else { return .ignored }
        let newStart = index + 4
        guard PostfixGrammar.endOfQueueID(text, from: newStart) == text.count,
            PostfixGrammar.queueIDCounts.contains(text.count - newStart)
        else { return .ignored }
        var fact = context.fact(.requeued, of: .postfix, newStart..<text.count, in: text)
        fact.a = LineFact.Piece(oldStart, oldEnd)
        facts.append(fact)
        return .read
    }
}
