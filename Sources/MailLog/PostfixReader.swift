import MailEvents
import Records

/// Reads what Postfix's programs write after the tag.
struct PostfixReader: Sendable {
    private var names: NameReader

    init(names: NameReader) { self.names = names }

    /// Appends the fact of a line, if it has one.
    ///
    /// - Parameters:
    ///   - text: the line.
    ///   - start: where the program's own text begins.
    ///   - context: what stands before it.
    @inline(__always)
    mutating func read(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        let end = text.count
        var index = start
        var alphabets: UInt8 = 3
        while index < end {
            // `index` is below `end`, the span's count.
            let alphabet = PostfixGrammar.queueIDClass(unsafe text[unchecked: index])
            if alphabet == 0 { break }
            alphabets &= alphabet
            index &+= 1
        }
        let queueCount = index &- start
        guard alphabets != 0, queueCount >= 5, queueCount <= 24, index &+ 2 < end,
            text[index] == UInt8(ascii: ":"), text[index &+ 1] == UInt8(ascii: " ")
        else { return .ignored }
        var fact = LineFact(kind: .time, stamp: context.stamp, line: context.line)
        fact.agent = context.agent
        let outcome = readBody(text, from: index &+ 2, into: &fact)
        guard outcome == .read else { return outcome }
        fact.key = queueKey(text.extracting(start..<index), hostHash: context.hostHash)
        fact.instance = context.instance
        fact.queueID = LineFact.Piece(start, index)
        fact.host = LineFact.Piece(context.host)
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
        case .cleanup:
            return readCleanup(text, from: start, into: &fact)
        case .queueManager:
            if text.has("from=<", at: start) {
                return readActive(text, from: start + 6, into: &fact)
            }
            if text.has("removed", at: start), start + 7 == text.count {
                fact.kind = .removed
                return .read
            }
        case .smtp, .lmtp, .mailbox, .error, .discard, .other:
            if text.has("to=<", at: start) {
                return readDelivery(text, from: start + 4, into: &fact)
            }
        case .operator:
            return readOperator(text, from: start, into: &fact)
        case .pickup:
            break
        }
        return .ignored
    }

    private func give(_ fact: inout LineFact, _ kind: LineFact.Kind) -> LineOutcome {
        fact.kind = kind
        return .read
    }

    /// `client=HOST[IP]`, then optional fields in the order in which smtpd.c writes them.
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
            return .read
        }
        if let end = PostfixGrammar.endOfQueueField(text, from: index) {
            fact.c = LineFact.Piece(index + 16, end)
            index = end
        }
        if text.has(", orig_client=", at: index) {
            guard let end = PostfixGrammar.endOfClient(text, from: index + 14) else {
                return .unparsed(.arrival)
            }
            index = end
        }
        guard index == text.count else { return .unparsed(.arrival) }
        return .read
    }

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
            // milter-hold:, milter-discard: (cleanup_milter.c).
            if text.has("milter-hold: ", at: start) { return give(&fact, .held) }
            if text.has("milter-discard: ", at: start) { return give(&fact, .discarded) }
            return .ignored
        }
        let kind: LineFact.Kind
        switch actionEnd - start {
        case 4 where text.has("info", at: start): kind = .headerLine
        case 4 where text.has("hold", at: start): kind = .held
        case 7 where text.has("discard", at: start): kind = .discarded
        case 6 where text.has("reject", at: start):
            return .ignored
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

    /// `from=<S>, size=N, nrcpt=N (queue active)` or `from=<S>, status=expired, …`.
    private mutating func readActive(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        guard let end = PostfixGrammar.endOfAddress(text, from: start) else {
            return .unparsed(.sender)
        }
        if text.has(">, size=", at: end) {
            fact.kind = .active
            fact.a = LineFact.Piece(start, end)
            fact.domain = names.domain(ofAddress: text.extracting(start..<end))
            return .read
        }
        // qmgr_active.c: `status=expired`, 3.x also `status=force-expired`.
        if text.has(">, status=expired", at: end) || text.has(">, status=force-expired", at: end) {
            fact.kind = .expired
            return .read
        }
        return .unparsed(.sender)
    }

    /// log_adhoc.c: `to=<R>[, orig_to=<O>], relay=…[, conn_use=N], delay=…, delays=…, dsn=…,
    /// status=WORD (REPLY)`.
    private mutating func readDelivery(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        guard let end = PostfixGrammar.endOfAddress(text, from: start) else {
            return .unparsed(.delivery)
        }
        fact.kind = .delivery
        fact.a = LineFact.Piece(start, end)
        var index = end + 1
        if text.has(", orig_to=<", at: index) {
            guard let origEnd = PostfixGrammar.endOfAddress(text, from: index + 11) else {
                return .unparsed(.delivery)
            }
            fact.b = LineFact.Piece(index + 11, origEnd)
            index = origEnd + 1
        }
        guard text.has(", relay=", at: index) else {
            return .unparsed(.delivery)
        }
        let relayStart = index + 8
        let comma = text.first(UInt8(ascii: ","), from: relayStart, to: text.count) ?? text.count
        index = text.first(UInt8(ascii: " "), from: relayStart, to: comma) ?? comma
        fact.c = LineFact.Piece(relayStart, index)
        while !text.has(", status=", at: index) {
            guard
                text.has(", delay=", at: index) || text.has(", delays=", at: index)
                    || text.has(", dsn=", at: index) || text.has(", conn_use=", at: index)
            else {
                return .unparsed(.delivery)
            }
            index = text.first(UInt8(ascii: ","), from: index + 2, to: text.count) ?? text.count
        }
        index += 9
        let statusStart = index
        while index < text.count, text[index] != UInt8(ascii: " ") { index += 1 }
        switch index - statusStart {
        case 4 where text.has("sent", at: statusStart): fact.status = .sent
        case 8 where text.has("deferred", at: statusStart): fact.status = .deferred
        case 7 where text.has("bounced", at: statusStart): fact.status = .bounced
        case 7 where text.has("expired", at: statusStart): fact.status = .expired
        default: fact.status = .other
        }
        if text.has(" (", at: index) {
            fact.d = LineFact.Piece(index + 2, text.count)
        }
        if fact.status != .other {
            let recipient = text.extracting(start..<end)
            fact.domain = names.domain(ofAddress: recipient)
            // Only a copy that came to a mailbox teaches whose it is.
            if fact.status == .sent, fact.agent == .lmtp || fact.agent == .mailbox {
                fact.account = names.mailbox(recipient)
            }
        }
        return .read
    }

    /// postsuper.c: `QID: removed`, `placed on hold`, `released from hold`, `requeued`.
    private mutating func readOperator(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> LineOutcome {
        func isAll(_ words: StaticString) -> Bool {
            text.count - start == words.utf8CodeUnitCount && text.has(words, at: start)
        }
        if isAll("removed") { return give(&fact, .removed) }
        if isAll("placed on hold") { return give(&fact, .held) }
        if isAll("released from hold") { return give(&fact, .released) }
        return .ignored
    }
}
