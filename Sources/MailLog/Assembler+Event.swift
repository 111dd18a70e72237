public import MailEvents
public import MailText
public import Records

/// What reading headers needs, and what the settings say about it: the decoder with its open
/// charsets, the table of receipt prefixes, the domain that completes bare logins.
public struct HeaderReader: ~Copyable, Sendable {
    var decoder = HeaderDecoder()
    let receipts: ReceiptTable
    let accountDomain: [UInt8]
    var names: NameReader
    var scratch: [UInt8] = []
    /// A text after the log's own escapes were undone, before it is decoded.
    var unescaped: [UInt8] = []
    /// Whether events get their payload; receipts always do.
    public var wantsPayload = false

    /// - Parameters:
    ///   - receipts: the prefixes of read receipts.
    ///   - accountDomain: `account_domain:`; empty to complete nothing.
    ///   - seed: of the memory that will be asked about the names.
    public init(receipts: ReceiptTable, accountDomain: [UInt8], seed: HashSeed) {
        self.receipts = receipts
        self.accountDomain = accountDomain
        names = NameReader(seed: seed, accountDomain: accountDomain)
    }
}

extension Assembler {
    /// Makes `event` what is known of one recipient's copy now. The event gets the assembly's text
    /// itself, without a copy: until ``takeBack(_:slot:)`` nothing else may be asked of the assembly.
    ///
    /// - Parameter event: without text.
    public mutating func lend(
        _ event: inout SendEvent,
        slot: Int32,
        recipient recipientIndex: Int,
        reader: inout HeaderReader
    ) {
        precondition(event.text.isEmpty)
        slots[Int(slot)].lend(&event, recipientIndex, &reader)
    }

    /// Takes the text back that ``lend(_:slot:recipient:reader:)`` gave.
    public mutating func takeBack(_ event: inout SendEvent, slot: Int32) {
        slots[Int(slot)].takeBack(&event)
    }

    /// The facts of an earlier recipient of the same message at the same domain: what was known
    /// before a submission does not change within it.
    ///
    /// - Parameter domain: the domain's identity; 0 for none.
    public mutating func earlierFacts(slot: Int32, recipient: Int, domain: UInt64) -> DerivedFacts?
    {
        guard recipient > 0, domain != 0 else { return nil }
        let earlier = slots[Int(slot)].recipients[..<recipient]
        return earlier.first { $0.domainHash == domain && $0.facts.isUnseenKnown }?.facts
    }

    /// Whether a rule may match a recipient's event when it has settled.
    public mutating func isAwaited(slot: Int32, recipient: Int) -> Bool {
        slots[Int(slot)].recipients[recipient].facts.isAwaited
    }

    /// Whether the log says that the message has the null sender, as bounces do.
    public mutating func hasNullSender(slot: Int32) -> Bool {
        slots[Int(slot)].hasNullSender
    }

    /// Keeps the derived facts of an event until it has settled.
    public mutating func freeze(
        _ facts: DerivedFacts,
        domain: UInt64,
        slot: Int32,
        recipient: Int
    ) {
        slots[Int(slot)].recipients[recipient].facts = facts
        slots[Int(slot)].recipients[recipient].domainHash = domain
        markChanged(slot)
    }

    /// Keeps the bait of an event until it has settled.
    public mutating func freeze(_ bait: Bait, slot: Int32, recipient: Int) {
        slots[Int(slot)].baits.append((recipient, bait))
        markChanged(slot)
    }

    /// Gives what was logged of a message that came to a mailbox: its queue ID, envelope sender,
    /// subject with its form, the address for which it asks a receipt, and its first recipient as far
    /// as a header line names it. Nothing is called if the log has neither its subject nor a request.
    public mutating func readInbound(
        slot: Int32,
        _ body: (
            _ queueID: Span<UInt8>,
            _ sender: Span<UInt8>,
            _ subject: Span<UInt8>,
            _ form: LineFact.TextForm,
            _ request: Span<UInt8>,
            _ firstRecipient: Span<UInt8>
        ) -> Void
    ) {
        // What a filter made of another message is that message.
        guard outer(of: Int(slot)) < 0 else { return }
        slots[Int(slot)].readInbound(body)
    }

    /// Lends the envelope sender as it was logged; empty when it is not known.
    public mutating func readSender(slot: Int32, _ body: (Span<UInt8>) -> Void) {
        slots[Int(slot)].readSender(body)
    }

    /// Says that an event of this assembly became proof: its lines are wanted when it closes.
    public mutating func markAsProof(slot: Int32) {
        slots[Int(slot)].isHeldAsProof = true
        markChanged(slot)
    }

    /// Whether ``markAsProof(slot:)`` was said of it. Mutating, like what is asked for each event: to
    /// lend so large a value, the compiler copies it.
    public mutating func isProof(slot: Int32) -> Bool { slots[Int(slot)].isHeldAsProof }

    public mutating func serial(slot: Int32) -> UInt64 { slots[Int(slot)].serial }

    /// The raw lines of an assembly and of the messages that filters made of it, in their order.
    public func lines(slot: Int32) -> [KeptLine] {
        var lines = slots[Int(slot)].keptLines
        var seen: Set<Int32> = [slot]
        var next = [slot]
        while let slot = next.popLast() {
            for recipient in slots[Int(slot)].recipients
            where recipient.inner >= 0 && seen.insert(recipient.inner).inserted {
                lines += slots[Int(recipient.inner)].keptLines
                next.append(recipient.inner)
            }
        }
        if seen.count > 1 { lines.sort { $0.sequence < $1.sequence } }
        return lines
    }

    /// Lines of an assembly that were not kept for lack of room.
    public func linesLeftOut(slot: Int32) -> Int { slots[Int(slot)].linesLeftOut }
}

extension HeaderReader {
    /// The identity of an address, as of a mailbox.
    public mutating func identity(ofAddress address: Span<UInt8>) -> UInt64 {
        names.mailbox(address)
    }

    /// The identities of an event's recipient and of its payload, 0 for none.
    public mutating func identities(
        of event: SendEvent,
        seed: HashSeed
    ) -> (address: UInt64, payload: UInt64) {
        let text = event.text.span
        let payload = text.extracting(event.payload.indices)
        return (
            identity(ofAddress: text.extracting(event.recipient.indices)),
            payload.isEmpty ? 0 : keyedHash(payload, seed: seed) | 1
        )
    }

    /// Whether two addresses are at different domains, or one at none.
    public mutating func areOfDifferentDomains(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
        let domain = names.domain(ofAddress: one)
        return domain == 0 || domain != names.domain(ofAddress: other)
    }

    /// Replaces `out` by the canonical domain of an address; nothing when it has none.
    public func domain(ofAddress address: Span<UInt8>, into out: inout [UInt8]) {
        out.removeAll(keepingCapacity: true)
        guard let range = MailAddress(address).domain, !range.isEmpty else { return }
        _ = Canonical.domain(address.extracting(range), into: &out)
    }

    /// The identity of the payload that a logged subject would give a receipt for it; 0 if it has
    /// none.
    public mutating func payload(
        ofSubject subject: Span<UInt8>,
        _ form: LineFact.TextForm,
        seed: HashSeed
    ) -> UInt64 {
        var text: [UInt8] = []
        switch form {
        case .eximQuoted: EximText.unescape(subject, into: &text)
        case .sendmail: SendmailText.unescape(subject, into: &text)
        case .tableQuoted: TableText.unquote(subject, into: &text)
        case .header, .plain, .listQuoted, .xtext, .visible:
            for index in subject.indices { text.append(subject[index]) }
        }
        var decoded: [UInt8] = []
        // What needs no decoding is not copied.
        if decoder.decode(text.span, into: &decoded) == .plain { swap(&decoded, &text) }
        Canonical.payload(decoded.span, from: 0, into: &scratch)
        return scratch.isEmpty ? 0 : keyedHash(scratch.span, seed: seed) | 1
    }
}

extension Assembly {
    fileprivate mutating func readSender(_ body: (Span<UInt8>) -> Void) {
        let all = text.span
        body(all.extracting(sender.isPresent ? sender.indices : 0..<0))
    }

    fileprivate mutating func readInbound(
        _ body: (
            Span<UInt8>, Span<UInt8>, Span<UInt8>, LineFact.TextForm, Span<UInt8>, Span<UInt8>
        ) -> Void
    ) {
        guard subject.isPresent || request.isPresent, queueID.isPresent else { return }
        let all = text.span
        body(
            all.extracting(queueID.indices),
            all.extracting(sender.indices),
            all.extracting(trimmed(subject.indices)),
            subjectForm,
            all.extracting(request.indices),
            all.extracting(firstRecipient.indices)
        )
    }

    fileprivate mutating func lend(
        _ event: inout SendEvent,
        _ recipientIndex: Int,
        _ reader: inout HeaderReader
    ) {
        if !isRead || reader.wantsPayload && !payload.isPresent { readHeaders(&reader) }
        let recipient = recipients[recipientIndex]
        precondition(event.text.isEmpty)
        // Field by field: to assign a whole of this size takes two copies.
        event.phase = .submitted
        event.dialect = dialect
        event.user = login
        event.account = account
        event.sourceIP = clientIP
        event.sourceDomain = clientName
        event.queueID = givenID.isPresent ? givenID : queueID
        event.messageID = messageID
        event.sender = sender
        event.recipient = recipient.address
        event.subject = decodedSubject
        event.payload = payload
        event.host = host
        event.submittedMicroseconds = recipient.microseconds
        event.settledMicroseconds = recipient.microseconds
        event.receipt = receipt
        event.receiptEvidence = receiptEvidence
        event.delivery = recipient.delivery
        event.isAmbiguous = isAmbiguous
        event.record = recipient.record
        event.facts = recipient.facts
        event.bait =
            baits.isEmpty ? nil : baits.first { $0.recipient == recipientIndex }?.bait
        event.accountHash = accountHash
        lentTextCount = text.count
        swap(&event.text, &text)
        addDomain(of: recipient, to: &event, &reader)
    }

    fileprivate mutating func takeBack(_ event: inout SendEvent) {
        precondition(text.isEmpty)
        swap(&event.text, &text)
        if text.count > lentTextCount { text.removeLast(text.count - lentTextCount) }
    }

    /// The recipient's domain in canonical form: mostly a part of the address as it stands.
    private func addDomain(
        of recipient: Recipient,
        to event: inout SendEvent,
        _ reader: inout HeaderReader
    ) {
        let (place, hash) = Self.canonicalDomain(
            event.text.span,
            recipient.address.indices,
            hash: recipient.domainHash,
            &reader
        )
        event.domainHash = hash
        event.domain = place ?? (hash == 0 ? .absent : event.append(reader.scratch.span))
    }

    /// The identity of an address' domain, 0 if it has none, and where its canonical form stands:
    /// in the text, or (nil) in the reader's scratch.
    ///
    /// - Parameter known: the identity, if it is known already; otherwise 0.
    private static func canonicalDomain(
        _ text: Span<UInt8>,
        _ address: Range<Int>,
        hash known: UInt64,
        _ reader: inout HeaderReader
    ) -> (place: TextRange?, hash: UInt64) {
        guard let domain = MailAddress(text.extracting(address)).domain else { return (.absent, 0) }
        let start = address.lowerBound + domain.lowerBound
        let name = text.extracting(start..<(start + domain.count))
        let hash = known != 0 ? known : reader.names.domain(name)
        if name.isCanonicalASCII, name.count <= Canonical.domainBytesMax {
            return (TextRange(start: start, count: domain.count), hash)
        }
        _ = Canonical.domain(name, into: &reader.scratch)
        return (nil, hash)
    }

    /// Reads what the message's header lines and its `client=` line say: once for a message, unless
    /// more header lines come. What has to be decoded stands behind the lines in ``text``.
    private mutating func readHeaders(_ reader: inout HeaderReader) {
        isRead = true
        readClient()
        readAccount(&reader)
        decodedSubject = .absent
        payload = .absent
        receipt = .none
        receiptEvidence = .none
        let subjectVerdict = readSubject(&reader)
        var verdict: ReceiptVerdict?
        if subjectVerdict != nil || contentType.isPresent {
            let report = contentType.isPresent ? reportType : nil
            verdict = ReceiptVerdict(subject: subjectVerdict, reportType: report)
        }
        if let verdict {
            receipt =
                switch verdict.kind {
                case .notRead: .notRead
                case .read: .read
                case .unknown: .unknown
                }
            receiptEvidence =
                switch verdict.evidence {
                case .subject: .subject
                case .contentType: .contentType
                case .both: .both
                }
        }
        guard decodedSubject.isPresent, verdict != nil || reader.wantsPayload else { return }
        Canonical.payload(
            text.span.extracting(decodedSubject.indices),
            from: verdict?.payloadStart ?? 0,
            into: &reader.scratch
        )
        payload = append(reader.scratch.span)
    }

    /// What the text at ``contentType`` says: a header's; of a table, a MAPI class; of Exim's ACL, the
    /// type of a report alone.
    private var reportType: ReportType {
        let type = text.span.extracting(contentType.indices)
        if dialect.isTable { return ReportType(messageClass: type) }
        let isAlone =
            dialect == .exim && type.first(UInt8(ascii: "/"), from: 0, to: type.count) == nil
        return isAlone ? ReportType(reportType: type) : ReportType(contentType: type)
    }

    /// Where address and name stand in the client's `HOST[IP]`, unless another line told them.
    private mutating func readClient() {
        guard client.isPresent, !clientIP.isPresent else { return }
        setClient(client)
    }

    /// Takes the client's address and name from a `HOST[IP]` in the text.
    mutating func setClient(_ client: TextRange) {
        guard let (open, close) = Self.brackets(text.span, client.indices) else { return }
        clientIP = TextRange(start: open + 1, count: close - open - 1)
        let start = Int(client.start)
        let isUnknown = open - start == 7 && text.span.has("unknown", at: start)
        clientName = isUnknown ? .absent : TextRange(start: start, count: open - start)
    }

    private static func brackets(_ text: Span<UInt8>, _ client: Range<Int>) -> (Int, Int)? {
        guard
            let open = text.first(
                UInt8(ascii: "["),
                from: client.lowerBound,
                to: client.upperBound
            ), let close = text.first(UInt8(ascii: "]"), from: open, to: client.upperBound)
        else { return nil }
        return (open, close)
    }

    /// The login in canonical form: mostly as it stands.
    private mutating func readAccount(_ reader: inout HeaderReader) {
        guard !account.isPresent else { return }
        let (isAsItStands, hash) = Self.canonicalAccount(
            text.span.extracting(login.indices),
            &reader
        )
        accountHash = hash
        account = isAsItStands ? login : append(reader.scratch.span)
    }

    /// The identity of a login, and whether its canonical form is the login itself; otherwise it is
    /// in the reader's scratch.
    private static func canonicalAccount(
        _ login: Span<UInt8>,
        _ reader: inout HeaderReader
    ) -> (isAsItStands: Bool, hash: UInt64) {
        let hash = reader.names.account(login)
        let isWhole =
            reader.accountDomain.isEmpty
            || login.first(UInt8(ascii: "@"), from: 0, to: login.count) != nil
        if isWhole, login.isCanonicalASCII, login.count <= Canonical.accountBytesMax {
            return (true, hash)
        }
        Canonical.account(login, domain: reader.accountDomain, into: &reader.scratch)
        return (false, hash)
    }

    /// Decodes the subject, and finds out whether it is a receipt's.
    private mutating func readSubject(_ reader: inout HeaderReader) -> ReceiptSubject? {
        guard subject.isPresent else { return nil }
        let range = trimmed(subject.indices)
        var isAsItStands = false
        switch subjectForm {
        case .header:
            isAsItStands = HeaderDecoder.isPlain(text.span.extracting(range))
            if !isAsItStands {
                _ = reader.decoder.decode(text.span.extracting(range), into: &reader.scratch)
            }
        case .eximQuoted, .tableQuoted, .sendmail:
            var unescaped: [UInt8] = []
            swap(&unescaped, &reader.unescaped)
            switch subjectForm {
            case .eximQuoted: EximText.unescape(text.span.extracting(range), into: &unescaped)
            case .sendmail: SendmailText.unescape(text.span.extracting(range), into: &unescaped)
            default: TableText.unquote(text.span.extracting(range), into: &unescaped)
            }
            if reader.decoder.decode(unescaped.span, into: &reader.scratch) == .plain {
                swap(&unescaped, &reader.scratch)
            }
            swap(&unescaped, &reader.unescaped)
        case .plain, .listQuoted, .xtext, .visible:
            isAsItStands =
                reader.decoder.decode(text.span.extracting(range), into: &reader.scratch) == .plain
        }
        decodedSubject =
            isAsItStands
            ? TextRange(start: range.lowerBound, count: range.count) : append(reader.scratch.span)
        return reader.receipts.classify(text.span.extracting(decodedSubject.indices))
    }

    /// Blanks around a header's text are the line's, not the text's.
    private func trimmed(_ range: Range<Int>) -> Range<Int> {
        let all = text.span
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, all[start] == 0x20 || all[start] == 0x09 { start += 1 }
        while end > start, all[end - 1] == 0x20 || all[end - 1] == 0x09 { end -= 1 }
        return start..<end
    }

    /// The domain of an address in the text; nil if it has none.
    func domain(of address: TextRange) -> TextRange? {
        guard address.isPresent else { return nil }
        let parts = MailAddress(text.span.extracting(address.indices))
        guard let domain = parts.domain, !domain.isEmpty else { return nil }
        return TextRange(start: Int(address.start) + domain.lowerBound, count: domain.count)
    }

    var keptLines: [KeptLine] {
        lines.map { line in
            KeptLine(
                record: line.record,
                sequence: line.sequence,
                bytes: Array(text[line.place.indices]),
                isShortened: line.isShortened
            )
        }
    }
}
