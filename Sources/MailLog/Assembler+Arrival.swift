import MailEvents
import Records

/// What servers other than Postfix write: one line that says all of a message, lines of its
/// connection.
extension Assembler {
    /// Takes a fact of a connection in.
    mutating func takeSession(_ fact: LineFact, _ line: Span<UInt8>, _ microseconds: Int64) {
        func text(_ piece: LineFact.Piece) -> [UInt8] {
            piece.indices.prefix(SessionTable.textBytesMax).map { line[$0] }
        }
        switch fact.kind {
        case .session, .login:
            if fact.kind == .session { sessions.open(fact.key, microseconds: microseconds) }
            // What a closure that escapes nothing may not read twice.
            let (clientIP, clientName) = (text(fact.a), text(fact.c))
            let login = LoginText.plain(line.extracting(fact.b.indices), fact.form)
            sessions.update(fact.key, microseconds: microseconds) { session in
                if fact.a.isPresent { session.clientIP = clientIP }
                if fact.c.isPresent { session.clientName = clientName }
                if fact.b.isPresent { session.login = login }
            }
        case .sessionEnd:
            sessions.remove(fact.key)
        default:
            break
        }
    }

    // MARK: Lines in parts

    /// Takes a part of a line in; with the last one, what the whole line says (Exim's, the only one
    /// that cuts its lines in a way that can be undone).
    mutating func takePart(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ record: RecordID,
        _ microseconds: Int64
    ) {
        let host = line.extracting(fact.host.indices)
        let part = SplitLines.Part(
            record: record,
            sequence: sequence,
            line: line.indices.map { line[$0] }
        )
        let whole = splitLines.take(
            part,
            line.extracting(fact.a.indices),
            number: UInt32(truncatingIfNeeded: fact.domain >> 32),
            of: UInt32(truncatingIfNeeded: fact.domain),
            key: fact.key,
            microseconds: microseconds
        )
        guard let whole else { return }
        let (text, facts, outcome) = whole.read(as: fact, host: host, seed: queueKeys.seed)
        if case .unparsed = outcome { counters.splitLinesUnparsed += 1 }
        parts = whole.parts
        for fact in facts where fact.kind != .part { join(fact, text.span, record, microseconds) }
        parts.removeAll()
    }

    /// Keeps the lines that a line's parts stood on, once for all its facts.
    mutating func keepParts(in index: Int) {
        guard let last = parts.last, slots[index].lines.last?.sequence != last.sequence else {
            return
        }
        for part in parts {
            _ = keepAnother(part.line.span, part.record, part.sequence, in: index)
        }
    }

    // MARK: Arrivals

    /// A message was taken in, by a line that names its client.
    mutating func accept(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ record: RecordID,
        _ microseconds: Int64
    ) {
        var slot: Int32?
        if let known = openSlot(of: fact, line) {
            // Lines of the same ID that came before belong to it.
            if slots[Int(known)].isProvisional {
                slot = known
            } else if fact.dialect.isTable,
                slots[Int(known)].isSubmission || !fact.b.isPresent
            {
                // Another server of the organisation took it from the first.
                return
            } else if fact.dialect == .openSMTPD {
                // An ID is of one message as long as it is in the queue (queue_fs.c); versions before
                // 6.6 say of each recipient that it was taken in.
                return takeAgain(fact, line, in: Int(known))
            } else {
                close(known, slots[Int(known)].lastMicroseconds)
            }
        }
        let opened = slot ?? openAssembly(fact, line, microseconds)
        accepted = (sequence, fact.key, opened)
        markChanged(opened)
        let index = Int(opened)
        if slots[index].isProvisional {
            slots[index].isProvisional = false
            // Whoever waits behind it may be due.
            expectExpiry(at: .min)
        }
        slots[index].dialect = fact.dialect
        slots[index].isAmbiguous = fact.isAmbiguous
        if fact.isAmbiguous { counters.ambiguousHeaders += 1 }
        slots[index].lastMicroseconds = microseconds
        let session = self.session(of: fact, line, microseconds)
        let login = fact.b.isPresent ? nil : self.login(of: fact, line, session, in: index)
        let hasLogin = fact.b.isPresent || login != nil
        let isLoopback =
            fact.a.isPresent
            ? Self.isLoopbackAddress(line, fact.a.indices)
            : session.map { Self.isLoopbackAddress($0.clientIP.span, $0.clientIP.indices) } ?? false
        slots[index].isFromLoopback = isLoopback && !hasLogin
        if hasLogin {
            counters.submissions += 1
            slots[index].isSubmission = true
        }
        let base = keep(line, record, in: index)
        slots[index].queueID = place(of: fact.queueID, line, base, in: index)
        if let digits = Self.number(line, fact.d) { slots[index].recipientsExpected = digits }
        guard slots[index].keepsLines else { return }
        slots[index].host = place(of: fact.host, line, base, in: index)
        slots[index].clientIP = place(of: fact.a, line, base, in: index)
        slots[index].clientName = place(of: fact.c, line, base, in: index)
        if let session {
            if !fact.a.isPresent {
                slots[index].clientIP = slots[index].appendText(session.clientIP)
            }
            if !fact.c.isPresent {
                slots[index].clientName = slots[index].appendText(session.clientName)
            }
        }
        if fact.b.isPresent {
            slots[index].login = place(of: fact.b, line, base, in: index)
        } else if let login {
            slots[index].login = slots[index].append(login.span)
        }
    }

    /// What the connection was by which a message came; nil if the log does not tell.
    private mutating func session(
        of fact: LineFact,
        _ line: Span<UInt8>,
        _ microseconds: Int64
    ) -> Session? {
        let ageMax =
            fact.dialect == .sendmail
            ? Self.idleSessionMicroseconds : limits.idleMicrosecondsMax
        guard let session = sessions.find(fact.account, now: microseconds, ageMax: ageMax) else {
            return nil
        }
        guard isClient(of: session, fact, line, microseconds) else {
            sessions.remove(fact.account)
            return nil
        }
        sessions.touch(fact.account, microseconds: microseconds)
        return session
    }

    /// Whether a message came by a session. Where a process names the session, it may serve another
    /// client by now: then the name or the address differs, or, of Sendmail, the process began later
    /// than the session was last heard of (which only clocks that agree can tell).
    private func isClient(
        of session: Session,
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ microseconds: Int64
    ) -> Bool {
        func isSame(_ piece: LineFact.Piece, _ text: [UInt8]) -> Bool {
            line.equals(piece.indices, text.span, 0..<text.count)
        }
        guard fact.a.isPresent else { return true }
        guard isSame(fact.a, session.clientIP), isSame(fact.c, session.clientName) else {
            return false
        }
        guard fact.dialect == .sendmail,
            let first = SendmailGrammar.firstTime(
                line,
                fact.queueID.indices,
                now: microseconds
            ), first <= microseconds
        else { return true }
        return first <= session.microseconds + Self.firstIDMicroseconds
    }

    /// How much later than a login the process may have given out its first queue ID: none does so
    /// since 8.12, and no number of a process comes back as soon.
    private static let firstIDMicroseconds: Int64 = 2_000_000

    /// No connection to Sendmail is idle for so long: it waits an hour for a command, and an hour for
    /// more of a message (`Timeout.command`, `Timeout.datablock`).
    private static let idleSessionMicroseconds: Int64 = 2 * 3_600_000_000

    /// The login of a message: its line's, or what a line before said of it, or its connection's.
    private func login(
        of fact: LineFact,
        _ line: Span<UInt8>,
        _ session: Session?,
        in index: Int
    ) -> [UInt8]? {
        // Only what came by a connection has one.
        let own = slots[index].ownLogin
        if own.isPresent, fact.a.isPresent {
            return own.count == 0 ? nil : Array(slots[index].text[own.indices])
        }
        guard let session, !session.login.isEmpty else { return nil }
        return session.login
    }

    /// A further recipient of a message was taken in: copies of its own, where the line counts them.
    private mutating func takeAgain(_ fact: LineFact, _ line: Span<UInt8>, in index: Int) {
        guard slots[index].recipientsExpected > 0, let more = Self.number(line, fact.d) else {
            return
        }
        slots[index].recipientsExpected &+= more
        markChanged(Int32(index))
    }

    /// Whether a line may come before the one that takes its message in.
    static func opensMessage(_ fact: LineFact) -> Bool {
        switch fact.kind {
        case .contentType, .receiptRequest: true
        case .subject, .messageLogin, .messageID:
            fact.dialect == .sendmail || fact.dialect == .openSMTPD
        default: false
        }
    }

    /// Whether a line says what it cannot at this time. Sendmail and OpenSMTPD take a message in after
    /// its header was read and before it is delivered. What comes too early is not of it. Header lines
    /// of Sendmail that come too late are of a part of it; OpenSMTPD's filter reads no parts, but its
    /// lines go another way than smtpd's.
    func isUntimely(_ fact: LineFact, in index: Int) -> Bool {
        guard fact.dialect == .sendmail || fact.dialect == .openSMTPD else { return false }
        return switch fact.kind {
        case .subject, .contentType, .receiptRequest, .messageLogin:
            fact.dialect == .sendmail && !slots[index].isProvisional
        case .delivery, .held, .released, .removed, .expired, .discarded, .copied, .recipient,
            .queued, .sender:
            slots[index].isProvisional
        default: false
        }
    }

    /// Some recipients of a message go on under another ID: opens it with what is known.
    mutating func copy(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ microseconds: Int64,
        of index: Int
    ) {
        var other = fact
        other.key = fact.account
        other.queueID = fact.a
        if let known = openSlot(of: other, line) { close(known, microseconds) }
        let slot = openAssembly(other, line, microseconds)
        slots[Int(slot)].copy(slots[index])
        slots[Int(slot)].queueID = slots[Int(slot)].append(line.extracting(fact.a.indices))
    }

    /// A line of a message whose arrival was not logged yet (Exim's `logwrite` comes before `<=`). If it
    /// never is, since the message was refused after all, it is soon forgotten.
    mutating func openProvisional(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ microseconds: Int64
    ) -> Int32 {
        let slot = openAssembly(fact, line, microseconds)
        slots[Int(slot)].isProvisional = true
        slots[Int(slot)].dialect = fact.dialect
        slots[Int(slot)].queueID = slots[Int(slot)].append(line.extracting(fact.queueID.indices))
        giveUpLater(slot, microseconds)
        return slot
    }

    /// Takes in what a line says besides that the message came.
    mutating func takeArrival(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ base: Int?,
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) {
        // What another server says of a message that is on its way.
        if slots[index].hasAllRecipients { return }
        switch fact.kind {
        case .sender:
            slots[index].senderDomain = fact.domain
            slots[index].hasNullSender = fact.a.isPresent && fact.a.count == 0
            slots[index].sender = place(of: fact.a, line, base, in: index)
        case .subject:
            guard !slots[index].subject.isPresent else { return }
            slots[index].isRead = false
            slots[index].subject = place(of: fact.a, line, base, in: index)
            slots[index].subjectForm = fact.form
        case .contentType:
            guard slots[index].keepsLines, !slots[index].contentType.isPresent else { return }
            slots[index].isRead = false
            slots[index].contentType = place(of: fact.a, line, base, in: index)
        case .receiptRequest:
            guard !slots[index].request.isPresent else { return }
            slots[index].request = place(of: fact.a, line, base, in: index)
        case .messageLogin:
            guard !slots[index].ownLogin.isPresent else { return }
            let login = LoginText.plain(line.extracting(fact.b.indices), fact.form)
            slots[index].ownLogin = slots[index].append(login.span)
        case .recipient:
            guard slots[index].keepsLines else { return }
            let hash = addressHash(line, fact.a.indices)
            guard slots[index].recipient(fact.a.indices, of: line, hash: hash) == nil else {
                return
            }
            guard slots[index].recipients.count < limits.recipientsMax else {
                counters.recipientsLeftOut += 1
                return
            }
            let address = place(of: fact.a, line, base, in: index)
            addRecipient(
                address,
                hash,
                domain: fact.domain,
                submits: false,
                record,
                microseconds,
                in: index
            )
        case .queued:
            slots[index].isActive = true
            for recipient in slots[index].recipients.indices {
                submit(recipient, record, microseconds, in: index)
                settleEarly(recipient, in: index)
            }
        default:
            break
        }
    }

    /// Takes a fact in whose address stands in the line with its apostrophes doubled.
    mutating func takeUnquoted(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ record: RecordID,
        _ microseconds: Int64,
        _ slot: Int32
    ) {
        // A piece of a line never starts at 0.
        var bytes: [UInt8] = [0]
        TableText.unquoteMember(line.extracting(fact.a.indices), into: &bytes)
        var plain = fact
        plain.form = .plain
        plain.a = LineFact.Piece(1, bytes.count)
        take(plain, bytes.span, nil, record, microseconds, slot)
    }

    /// Takes a fact in whose addresses Sendmail wrote with escapes: as if they stood without them
    /// behind the line.
    mutating func takeUnescaped(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ record: RecordID,
        _ microseconds: Int64,
        _ slot: Int32
    ) {
        var bytes = line.indices.map { line[$0] }
        var address: [UInt8] = []
        func append(_ piece: LineFact.Piece) -> LineFact.Piece {
            guard piece.isPresent else { return .absent }
            SendmailText.unescape(line.extracting(piece.indices), into: &address)
            bytes += address
            return LineFact.Piece(bytes.count - address.count, bytes.count)
        }
        var plain = fact
        plain.form = .plain
        plain.a = append(fact.a)
        plain.b = append(fact.b)
        // A piece begins and ends below 64 KiB.
        guard bytes.count <= Int(UInt16.max) else { return }
        take(plain, bytes.span, nil, record, microseconds, slot)
    }

    /// Takes in that a recipient's copy goes elsewhere.
    mutating func takeChange(
        of fact: LineFact,
        _ line: Span<UInt8>,
        _ base: Int?,
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) {
        if fact.kind == .expanded, let members = Self.number(line, fact.d) {
            // Each of them gets a copy, in place of the group.
            let expected = UInt64(slots[index].recipientsExpected) + UInt64(members)
            slots[index].recipientsExpected = UInt32(clamping: expected - min(expected, 1))
        }
        guard slots[index].isSubmission else { return }
        let before = fact.kind == .expanded ? fact.a : fact.b
        let hash = addressHash(line, before.indices)
        var found = slots[index].recipient(before.indices, of: line, hash: hash)
        if found == nil {
            found = slots[index].recipient(withTarget: before.indices, of: line)
        }
        guard let recipient = found else { return }
        if fact.kind == .expanded {
            take(.sent, for: recipient, record, microseconds, in: index)
        } else {
            slots[index].recipients[recipient].target = place(of: fact.a, line, base, in: index)
        }
    }

    /// Closes a message of which no line will say that it left the queue, once all its recipients
    /// have their outcome.
    ///
    /// - Parameter isOutcome: whether what came was the outcome of one copy.
    mutating func closeIfSettled(_ slot: Int32, _ microseconds: Int64, isOutcome: Bool) {
        let index = Int(slot)
        let expected = Int(slots[index].recipientsExpected)
        guard expected > 0, slots[index].state == .open else { return }
        if isOutcome { slots[index].recipientsDone &+= 1 }
        // Where all recipients are known, copies that groups made do not count.
        let isDone =
            slots[index].hasAllRecipients && slots[index].isSubmission
            || Int(slots[index].recipientsDone) >= expected
        guard isDone, slots[index].recipients.allSatisfy(\.isSettled) else { return }
        close(slot, microseconds)
    }

    private static func number(_ line: Span<UInt8>, _ piece: LineFact.Piece) -> UInt32? {
        guard piece.isPresent, piece.count > 0, piece.count <= 9 else { return nil }
        var value: UInt32 = 0
        for index in piece.indices {
            guard isDigit(line[index]) else { return nil }
            value = value * 10 + UInt32(line[index] - UInt8(ascii: "0"))
        }
        return value
    }

    /// The message ID at the end of another Exim's reply, which a filter may have passed on:
    /// `… 250 OK id=1xVVVq-0007Kx-3A` (receive.c).
    static func eximID(_ line: Span<UInt8>, _ reply: LineFact.Piece) -> Range<Int>? {
        guard reply.isPresent else { return nil }
        let end = min(reply.indices.upperBound, line.count)
        for count in [16, 23] {
            let start = end - count
            guard start - 4 >= reply.indices.lowerBound, line.has(" id=", at: start - 4),
                EximGrammar.endOfMessageID(line, from: start) == end
            else { continue }
            return start..<end
        }
        return nil
    }

    /// Whether an address is this machine's own (RFC 6890: 127.0.0.0/8 and ::1).
    static func isLoopbackAddress(_ line: Span<UInt8>, _ address: Range<Int>) -> Bool {
        line.has("127.", at: address.lowerBound)
            || address.count == 3 && line.has("::1", at: address.lowerBound)
    }
}
