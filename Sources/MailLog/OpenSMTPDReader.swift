import MailEvents
import Records

/// Reads lines that OpenSMTPD wrote, of three generations:
///
/// - 5.x: `smtp-in: Accepted message 1ef1c203 on session 7641df9771b4ed00: from=<…>, …`
/// - 6.0 to 6.5: `7641df9771b4ed00 smtp event=message msgid=1ef1c203 from=<…> …`
/// - 6.6 and later: `7641df9771b4ed00 smtp message msgid=1ef1c203 …`, then `… smtp envelope …`
///
/// Sources: OpenSMTPD 5.7, 6.0, 6.4, 6.8 and 7.6, whose files are named at each. A connection has an
/// ID of its own, which all its lines begin with; a message has one of eight digits, and each of its
/// envelopes one of sixteen that begins with those (queue_backend.c, `queue_generate_evpid`).
///
/// What strangers write here is narrow: a mail address holds letters, digits and some marks
/// (util.c, `valid_localpart`), a login is written by vis(3), a client's name is a host name
/// (libasr, `res_hnok`). A remote reply is the last field of its line, and `result=` stands before.
struct OpenSMTPDReader: Sendable {
    private var names: NameReader

    init(names: NameReader) { self.names = names }

    /// Appends the facts of a line that came by syslog.
    ///
    /// - Parameters:
    ///   - text: the line.
    ///   - start: where the program's own text begins.
    ///   - context: what stands before it.
    /// - Returns: nil if OpenSMTPD writes no such line.
    mutating func read(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome? {
        if let session = Self.hexadecimal(text, from: start, count: 16),
            text.has(" ", at: session.upperBound)
        {
            return readSessionLine(text, session, context, into: &facts)
        }
        if text.has("postern: msgid=", at: start) {
            return readHeader(text, from: start &+ 15, context, into: &facts)
        }
        if text.has("smtp-in: ", at: start) {
            return readFirstGeneration(text, from: start &+ 9, context, into: &facts)
        }
        if text.has("relay: ", at: start) {
            return readQueueLine(text, from: start &+ 7, .smtp, context, into: &facts)
        }
        if text.has("delivery: ", at: start) {
            return readQueueLine(text, from: start &+ 10, .mailbox, context, into: &facts)
        }
        let isOther =
            text.has("smtp-out: ", at: start) || text.has("info: ", at: start)
            || text.has("warn: ", at: start) || text.has("debug: ", at: start)
            || text.has("queue: ", at: start) || text.has("Exiting", at: start)
        return isOther ? .ignored : nil
    }

    /// A number of lower-case hexadecimal digits, and no more.
    private static func hexadecimal(
        _ text: Span<UInt8>,
        from start: Int,
        count: Int
    ) -> Range<Int>? {
        let end = start &+ count
        guard start >= 0, end <= text.count else { return nil }
        for index in start..<end {
            let byte = text[index]
            guard isDigit(byte) || byte &- UInt8(ascii: "a") < 6 else { return nil }
        }
        if end < text.count {
            let byte = text[end]
            if isDigit(byte) || byte &- UInt8(ascii: "a") < 6 { return nil }
        }
        return start..<end
    }

    // MARK: Facts

    private func sessionFact(
        _ kind: LineFact.Kind,
        _ session: Range<Int>,
        _ text: Span<UInt8>,
        _ context: LineContext
    ) -> LineFact {
        var fact = LineFact(kind: kind, stamp: context.stamp, line: context.line)
        fact.dialect = .openSMTPD
        fact.key = context.sessionKey(session, in: text)
        return fact
    }

    private func addSession(
        _ session: Range<Int>,
        address: Range<Int>,
        name: Range<Int>,
        _ text: Span<UInt8>,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) {
        var fact = sessionFact(.session, session, text, context)
        // `local`: by the socket, from a user of this machine.
        if !text.has("local", at: address.lowerBound) {
            fact.a = LineFact.Piece(Self.withoutBrackets(text, address))
        }
        if !text.has("<", at: name.lowerBound) { fact.c = LineFact.Piece(name) }
        facts.append(fact)
    }

    private func addLogin(
        _ session: Range<Int>,
        _ login: Range<Int>,
        _ text: Span<UInt8>,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) {
        var fact = sessionFact(.login, session, text, context)
        fact.b = LineFact.Piece(login)
        fact.form = .visible
        facts.append(fact)
    }

    private func addAccepted(
        _ session: Range<Int>,
        _ message: Range<Int>,
        copies: Range<Int>,
        _ text: Span<UInt8>,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) {
        var fact = context.fact(.accepted, of: .openSMTPD, message, in: text)
        fact.account = context.sessionKey(session, in: text)
        fact.d = LineFact.Piece(copies)
        facts.append(fact)
    }

    private mutating func addEnvelope(
        _ message: Range<Int>,
        sender: Range<Int>,
        recipient: Range<Int>?,
        _ text: Span<UInt8>,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) {
        var from = context.fact(.sender, of: .openSMTPD, message, in: text)
        from.a = LineFact.Piece(sender)
        from.domain = names.domain(ofAddress: text.extracting(sender))
        facts.append(from)
        guard let recipient else { return }
        var to = context.fact(.recipient, of: .openSMTPD, message, in: text)
        to.a = LineFact.Piece(recipient)
        to.domain = names.domain(ofAddress: text.extracting(recipient))
        facts.append(to)
        facts.append(context.fact(.queued, of: .openSMTPD, message, in: text))
    }

    // MARK: Fields

    /// A value without blanks and commas behind `name`; nil if the name does not stand there.
    private static func word(
        _ text: Span<UInt8>,
        _ name: StaticString,
        at index: Int
    ) -> Range<Int>? {
        guard text.has(name, at: index) else { return nil }
        let start = index &+ name.utf8CodeUnitCount
        var end = start
        while end < text.count, text[end] != UInt8(ascii: " "), text[end] != UInt8(ascii: ",") {
            end &+= 1
        }
        return end > start ? start..<end : nil
    }

    /// An address in angle brackets behind `name`; the range is without them.
    private static func path(
        _ text: Span<UInt8>,
        _ name: StaticString,
        at index: Int
    ) -> Range<Int>? {
        guard text.has(name, at: index) else { return nil }
        let start = index &+ name.utf8CodeUnitCount
        var end = start
        while end < text.count {
            switch text[end] {
            case UInt8(ascii: ">"): return start..<end
            case UInt8(ascii: " "), UInt8(ascii: "<"), UInt8(ascii: "\""): return nil
            default: end &+= 1
            }
        }
        return nil
    }

    /// A text in quotes behind `name`, without them; it holds none.
    private static func quoted(
        _ text: Span<UInt8>,
        _ name: StaticString,
        at index: Int
    ) -> Range<Int>? {
        guard text.has(name, at: index) else { return nil }
        let start = index &+ name.utf8CodeUnitCount
        return text.first(UInt8(ascii: "\""), from: start, to: text.count).map { start..<$0 }
    }

    /// An IP address alone: of IPv6 it stands in brackets (to.c, `sa_to_text`), or behind `IPv6:`.
    private static func withoutBrackets(_ text: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        if end &- start > 2, text[start] == UInt8(ascii: "["), text[end &- 1] == UInt8(ascii: "]") {
            start &+= 1
            end &-= 1
        }
        if text.hasIgnoringCase("ipv6:", at: start) { start &+= 5 }
        return start..<max(start, end)
    }

    // MARK: Lines of a session

    /// `SESSION smtp …`, `SESSION mta …`, `SESSION mda …`; before 6.6 with `event=`.
    private mutating func readSessionLine(
        _ text: Span<UInt8>,
        _ session: Range<Int>,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome? {
        let agent: LineFact.Agent
        if text.has(" smtp ", at: session.upperBound) {
            agent = .smtpd
        } else if text.has(" mta ", at: session.upperBound) {
            agent = .smtp
        } else if text.has(" mda ", at: session.upperBound) {
            agent = .mailbox
        } else {
            return nil
        }
        var index = session.upperBound &+ (agent == .smtpd ? 6 : 5)
        if text.has("event=", at: index) { index &+= 6 }
        guard agent == .smtpd else {
            guard text.has("delivery evpid=", at: index) else { return .ignored }
            return readDelivery(text, from: index &+ 15, agent, context, into: &facts)
        }
        if text.has("message ", at: index) {
            return readMessage(text, session, from: index &+ 8, context, into: &facts)
        }
        if text.has("envelope evpid=", at: index) {
            return readEnvelope(text, from: index &+ 15, context, into: &facts)
        }
        if text.has("connected address=", at: index) {
            guard let address = Self.word(text, "connected address=", at: index),
                let name = Self.word(text, " host=", at: address.upperBound)
            else { return .unparsed(.arrival) }
            addSession(session, address: address, name: name, text, context, into: &facts)
            return .read
        }
        if text.has("authentication user=", at: index) {
            return readLogin(text, session, from: index, context, into: &facts)
        }
        if text.has("disconnected ", at: index) || text.has("closed ", at: index) {
            facts.append(sessionFact(.sessionEnd, session, text, context))
            return .read
        }
        return .ignored
    }

    /// smtp_session.c: `authentication user=U [address=A host=H ]result=ok`. A blank in U is written
    /// `\040`.
    private func readLogin(
        _ text: Span<UInt8>,
        _ session: Range<Int>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard text.has("authentication user=", at: start) else { return .ignored }
        let loginStart = start &+ 20
        let loginEnd = text.first(UInt8(ascii: " "), from: loginStart, to: text.count) ?? text.count
        let index = Self.afterClient(text, from: loginEnd)
        guard text.has(" result=", at: index) else { return .unparsed(.arrival) }
        guard text.has("ok", at: index &+ 8), index &+ 10 == text.count, loginEnd > loginStart
        else { return .ignored }
        addLogin(session, loginStart..<loginEnd, text, context, into: &facts)
        return .read
    }

    /// Behind ` address=A host=H`, which 6.4 writes with each line of a session.
    private static func afterClient(_ text: Span<UInt8>, from start: Int) -> Int {
        guard let address = word(text, " address=", at: start),
            let name = word(text, " host=", at: address.upperBound)
        else { return start }
        return name.upperBound
    }

    /// smtp_session.c: `message msgid=M size=N nrcpt=N proto=P`; before 6.6, for each recipient:
    /// `event=message [address=A host=H ]msgid=M from=<F> to=<T> size=N ndest=N proto=P`.
    private mutating func readMessage(
        _ text: Span<UInt8>,
        _ session: Range<Int>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        var index = Self.afterClient(text, from: start &- 1)
        guard text.has(" msgid=", at: index),
            let message = Self.hexadecimal(text, from: index &+ 7, count: 8)
        else { return .unparsed(.arrival) }
        index = message.upperBound
        var envelope: (sender: Range<Int>, recipient: Range<Int>)?
        if text.has(" from=<", at: index) {
            guard let sender = Self.path(text, " from=<", at: index),
                let recipient = Self.path(text, " to=<", at: sender.upperBound &+ 1)
            else { return .unparsed(.sender) }
            envelope = (sender, recipient)
            index = recipient.upperBound &+ 1
        }
        guard let size = Self.word(text, " size=", at: index),
            let copies = Self.word(text, " nrcpt=", at: size.upperBound)
                ?? Self.word(text, " ndest=", at: size.upperBound),
            let proto = Self.word(text, " proto=", at: copies.upperBound),
            proto.upperBound == text.count
        else { return .unparsed(.arrival) }
        addAccepted(session, message, copies: copies, text, context, into: &facts)
        if let envelope {
            addEnvelope(
                message,
                sender: envelope.sender,
                recipient: envelope.recipient,
                text,
                context,
                into: &facts
            )
        }
        return .read
    }

    /// smtp_session.c: `envelope evpid=E from=<F> to=<T>`, after the message's line.
    private mutating func readEnvelope(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let envelope = Self.hexadecimal(text, from: start, count: 16),
            let sender = Self.path(text, " from=<", at: envelope.upperBound),
            let recipient = Self.path(text, " to=<", at: sender.upperBound &+ 1),
            recipient.upperBound &+ 1 == text.count
        else { return .unparsed(.sender) }
        addEnvelope(
            envelope.lowerBound..<(envelope.lowerBound &+ 8),
            sender: sender,
            recipient: recipient,
            text,
            context,
            into: &facts
        )
        return .read
    }

    /// The shipped filter's lines (`deploy/snippets/opensmtpd-filter`): `postern: msgid=M NAME=TEXT`,
    /// where the name before the colon is the filter's in smtpd.conf (lka_filter.c,
    /// `processor_errfd`). No other line of smtpd begins so.
    private func readHeader(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let message = Self.hexadecimal(text, from: start, count: 8) else {
            return .unparsed(.arrival)
        }
        let index = message.upperBound
        let kind: LineFact.Kind
        let textStart: Int
        if text.has(" subject=", at: index) {
            (kind, textStart) = (.subject, index &+ 9)
        } else if text.has(" message-id=", at: index) {
            (kind, textStart) = (.messageID, index &+ 12)
        } else if text.has(" content-type=", at: index) {
            (kind, textStart) = (.contentType, index &+ 14)
        } else if text.has(" disposition-notification-to=", at: index) {
            (kind, textStart) = (.receiptRequest, index &+ 29)
        } else {
            return .unparsed(.arrival)
        }
        var fact = context.fact(kind, of: .openSMTPD, message, in: text)
        fact.a = LineFact.Piece(textStart, text.count)
        facts.append(fact)
        return .read
    }

    // MARK: 5.x

    /// smtp_session.c of 5.7.
    private mutating func readFirstGeneration(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        if text.has("Accepted message ", at: start) {
            return readAcceptedMessage(text, from: start &+ 17, context, into: &facts)
        }
        if let session = Self.id(text, "New session ", at: start) {
            // `from host NAME [IP]`; the address is the last.
            guard let name = Self.word(text, " from host ", at: session.upperBound),
                text.has(" [", at: name.upperBound), text[text.count &- 1] == UInt8(ascii: "]")
            else { return .unparsed(.arrival) }
            let address = (name.upperBound &+ 2)..<max(name.upperBound &+ 2, text.count &- 1)
            addSession(session, address: address, name: name, text, context, into: &facts)
            return .read
        }
        if text.has("Accepted authentication for user ", at: start) {
            let loginStart = start &+ 33
            guard
                let end = text.first(UInt8(ascii: " "), from: loginStart, to: text.count),
                let session = Self.id(text, " on session ", at: end),
                session.upperBound == text.count, end > loginStart
            else { return .unparsed(.arrival) }
            addLogin(session, loginStart..<end, text, context, into: &facts)
            return .read
        }
        let ended =
            Self.id(text, "Closing session ", at: start)
            ?? Self.id(text, "Disconnecting session ", at: start)
            ?? Self.id(text, "Received disconnect from session ", at: start)
        guard let ended else { return .ignored }
        facts.append(sessionFact(.sessionEnd, ended, text, context))
        return .read
    }

    private static func id(
        _ text: Span<UInt8>,
        _ words: StaticString,
        at index: Int
    ) -> Range<Int>? {
        guard text.has(words, at: index) else { return nil }
        return hexadecimal(text, from: index &+ words.utf8CodeUnitCount, count: 16)
    }

    /// `M on session S: from=<F>, to=<T>, size=N, ndest=N, proto=P` for each recipient; 5.3 wrote
    /// once, without `to=`, `nrcpts=N`.
    private mutating func readAcceptedMessage(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let message = Self.hexadecimal(text, from: start, count: 8),
            let session = Self.id(text, " on session ", at: message.upperBound),
            let sender = Self.path(text, ": from=<", at: session.upperBound)
        else { return .unparsed(.arrival) }
        var index = sender.upperBound &+ 1
        let recipient = Self.path(text, ", to=<", at: index)
        if let recipient { index = recipient.upperBound &+ 1 }
        guard let size = Self.word(text, ", size=", at: index),
            let copies = Self.word(text, ", ndest=", at: size.upperBound)
                ?? Self.word(text, ", nrcpts=", at: size.upperBound),
            let proto = Self.word(text, ", proto=", at: copies.upperBound),
            proto.upperBound == text.count
        else { return .unparsed(.arrival) }
        addAccepted(session, message, copies: copies, text, context, into: &facts)
        addEnvelope(message, sender: sender, recipient: recipient, text, context, into: &facts)
        return .read
    }

    // MARK: Delivery

    /// mta.c, `mta_log`: `delivery evpid=E from=<F> to=<T> rcpt=<R> source="S" relay="IP (NAME)"
    /// delay=D result="W" stat="TEXT"`; mda.c, `mda_log`: `delivery evpid=E from=<F> to=<T>
    /// [rcpt=<R> ]user=U [method=M ]delay=D result=W stat=TEXT`.
    private mutating func readDelivery(
        _ text: Span<UInt8>,
        from start: Int,
        _ agent: LineFact.Agent,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let envelope = Self.hexadecimal(text, from: start, count: 16),
            let sender = Self.path(text, " from=<", at: envelope.upperBound),
            let recipient = Self.path(text, " to=<", at: sender.upperBound &+ 1)
        else { return .unparsed(.delivery) }
        var fact = delivery(envelope, recipient, agent, context, text)
        var index = recipient.upperBound &+ 1
        if let given = Self.path(text, " rcpt=<", at: index) {
            setGiven(&fact, given, text)
            index = given.upperBound &+ 1
        }
        let isQuoted = agent == .smtp
        if isQuoted {
            guard let source = Self.quoted(text, " source=\"", at: index),
                let relay = Self.quoted(text, " relay=\"", at: source.upperBound &+ 1)
            else { return .unparsed(.delivery) }
            setRelay(&fact, relay, text)
            index = relay.upperBound &+ 1
        } else {
            guard let user = Self.word(text, " user=", at: index) else {
                return .unparsed(.delivery)
            }
            index = Self.word(text, " method=", at: user.upperBound)?.upperBound ?? user.upperBound
        }
        guard let delay = Self.word(text, " delay=", at: index) else {
            return .unparsed(.delivery)
        }
        index = delay.upperBound
        let result =
            isQuoted
            ? Self.quoted(text, " result=\"", at: index) : Self.word(text, " result=", at: index)
        guard let result else { return .unparsed(.delivery) }
        index = isQuoted ? result.upperBound &+ 1 : result.upperBound
        guard text.has(isQuoted ? " stat=\"" : " stat=", at: index) else {
            return .unparsed(.delivery)
        }
        fact.d = LineFact.Piece(index &+ (isQuoted ? 7 : 6), text.count)
        return finish(fact, result, text, into: &facts)
    }

    /// mta.c and mda.c of 5.7: `relay: W for E: [session=S, ]from=<F>, to=<T>, [rcpt=<R>, ]
    /// [source=S, ]relay=IP (NAME)[,] delay=D, stat=TEXT`, `delivery: W for E: from=<F>, to=<T>,
    /// [rcpt=<R>, ]user=U, method=M, delay=D, stat=TEXT`; queue.c of all versions, `queue_log`:
    /// the same without relay or user, W being `Expire` or `Remove`.
    private mutating func readQueueLine(
        _ text: Span<UInt8>,
        from start: Int,
        _ agent: LineFact.Agent,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let result = Self.word(text, "", at: start),
            text.has(" for ", at: result.upperBound),
            let envelope = Self.hexadecimal(text, from: result.upperBound &+ 5, count: 16)
        else { return .unparsed(.delivery) }
        var index = envelope.upperBound
        if let session = Self.word(text, ": session=", at: index) { index = session.upperBound }
        guard
            let sender = Self.path(text, ": from=<", at: index)
                ?? Self.path(text, ", from=<", at: index),
            let recipient = Self.path(text, ", to=<", at: sender.upperBound &+ 1)
        else { return .unparsed(.delivery) }
        var fact = delivery(envelope, recipient, agent, context, text)
        index = recipient.upperBound &+ 1
        if let given = Self.path(text, ", rcpt=<", at: index) {
            setGiven(&fact, given, text)
            index = given.upperBound &+ 1
        }
        if let source = Self.word(text, ", source=", at: index) { index = source.upperBound }
        if let relay = Self.word(text, ", relay=", at: index) { setRelay(&fact, relay, text) }
        if let reply = text.first(", stat=", from: index) {
            fact.d = LineFact.Piece(reply &+ 7, text.count)
        }
        return finish(fact, result, text, into: &facts)
    }

    private mutating func delivery(
        _ envelope: Range<Int>,
        _ recipient: Range<Int>,
        _ agent: LineFact.Agent,
        _ context: LineContext,
        _ text: Span<UInt8>
    ) -> LineFact {
        let message = envelope.lowerBound..<(envelope.lowerBound &+ 8)
        var fact = context.fact(.delivery, of: .openSMTPD, message, in: text)
        fact.agent = agent
        fact.a = LineFact.Piece(recipient)
        fact.domain = names.domain(ofAddress: text.extracting(recipient))
        return fact
    }

    /// `rcpt=<R>`: what the client gave, where an alias made another address of it; else `-`.
    private func setGiven(_ fact: inout LineFact, _ given: Range<Int>, _ text: Span<UInt8>) {
        let isSame = given.count == 1 && text[given.lowerBound] == UInt8(ascii: "-")
        if !isSame { fact.b = LineFact.Piece(given) }
    }

    private func setRelay(_ fact: inout LineFact, _ relay: Range<Int>, _ text: Span<UInt8>) {
        let end = text.first(UInt8(ascii: " "), from: relay.lowerBound, to: relay.upperBound)
        let address = relay.lowerBound..<(end ?? relay.upperBound)
        fact.c = LineFact.Piece(Self.withoutBrackets(text, address))
    }

    private mutating func finish(
        _ fact: LineFact,
        _ result: Range<Int>,
        _ text: Span<UInt8>,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        func isWord(_ word: StaticString) -> Bool {
            result.count == word.utf8CodeUnitCount && text.has(word, at: result.lowerBound)
        }
        var fact = fact
        if isWord("Ok") {
            fact.status = .sent
        } else if isWord("TempFail") {
            fact.status = .deferred
        } else if isWord("PermFail") || isWord("Loop") {
            fact.status = .bounced
        } else if isWord("Expire") {
            fact.status = .expired
        } else if isWord("Remove") {
            fact.status = .discarded
        } else {
            return .unparsed(.delivery)
        }
        // Only a copy that came to a mailbox teaches whose it is.
        if fact.status == .sent, fact.agent == .mailbox {
            fact.account = names.mailbox(text.extracting(fact.a.indices))
        }
        facts.append(fact)
        return .read
    }
}
