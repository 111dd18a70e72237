public import MailEvents
public import MailText
public import Records

/// What reading headers needs, and what the settings say about it: the decoder with its open
/// charsets, the table of receipt prefixes, the domain that completes bare logins.
public struct HeaderReader: ~Copyable, Sendable {
    var decoder = HeaderDecoder()
    let receipts: ReceiptTable
    let accountDomain: [UInt8]
    var scratch: [UInt8] = []
    /// Whether events get their payload; receipts always do.
    public var wantsPayload = false

    /// - Parameters:
    ///   - receipts: the prefixes of read receipts.
    ///   - accountDomain: `account_domain:`; nil to complete nothing.
    public init(receipts: ReceiptTable, accountDomain: String?) {
        self.receipts = receipts
        self.accountDomain = Array((accountDomain ?? "").utf8)
    }
}

extension Assembler {
    /// Fills `event` with what is known of one recipient's copy now. The storage of `event` is used
    /// again; an event of ASCII text allocates nothing.
    public mutating func fill(
        _ event: inout SendEvent,
        slot: Int32,
        recipient recipientIndex: Int,
        reader: inout HeaderReader
    ) {
        event.reset()
        let index = Int(slot)
        let recipient = slots[index].recipients[recipientIndex]
        slots[index].copyTexts(to: &event, recipient: recipient.address)
        event.submittedMicroseconds = recipient.microseconds
        event.settledMicroseconds = recipient.microseconds
        event.record = recipient.record
        event.delivery = recipient.delivery
        event.isAmbiguous = slots[index].isAmbiguous
        event.facts = recipient.facts
        slots[index].copySubject(to: &event, reader: &reader)

        Canonical.account(
            event.text.span.extracting(event.user.indices),
            domain: reader.accountDomain,
            into: &reader.scratch
        )
        event.account = event.append(reader.scratch.span)
        let address = MailAddress(event.text.span.extracting(event.recipient.indices))
        if let domain = address.domain {
            let start = Int(event.recipient.start)
            _ = Canonical.domain(
                event.text.span.extracting(
                    (start + domain.lowerBound)..<(start + domain.upperBound)
                ),
                into: &reader.scratch
            )
            event.domain = event.append(reader.scratch.span)
        }
    }

    /// The facts of an earlier recipient of the same message at the same domain: what was known
    /// before a submission does not change within it.
    public func earlierFacts(slot: Int32, recipient: Int) -> DerivedFacts? {
        recipient == 0 ? nil : slots[Int(slot)].earlierFacts(recipient: recipient)
    }

    /// Keeps the derived facts of an event until it has settled.
    public mutating func freeze(_ facts: DerivedFacts, slot: Int32, recipient: Int) {
        slots[Int(slot)].recipients[recipient].facts = facts
        markChanged(slot)
    }

    /// The name under which an event is known during the run.
    public func key(slot: Int32, recipient: Int) -> EventKey {
        EventKey(serial: slots[Int(slot)].serial, recipient: UInt32(recipient))
    }

    /// Says that an event of this assembly became proof: its lines are wanted when it closes.
    public mutating func markAsProof(slot: Int32) {
        slots[Int(slot)].isHeldAsProof = true
        markChanged(slot)
    }

    public func isProof(slot: Int32) -> Bool { slots[Int(slot)].isHeldAsProof }

    public func serial(slot: Int32) -> UInt64 { slots[Int(slot)].serial }

    /// The raw lines of an assembly and of the messages that a filter made of it, in their order.
    public func lines(slot: Int32) -> [KeptLine] {
        var lines = slots[Int(slot)].keptLines
        var seen: Set<Int32> = []
        for recipient in slots[Int(slot)].recipients
        where recipient.inner >= 0 && seen.insert(recipient.inner).inserted {
            lines += slots[Int(recipient.inner)].keptLines
        }
        if !seen.isEmpty { lines.sort { $0.sequence < $1.sequence } }
        return lines
    }

    /// Lines of an assembly that were not kept for lack of room.
    public func linesLeftOut(slot: Int32) -> Int { slots[Int(slot)].linesLeftOut }

    /// Puts the canonical domain of a message's envelope sender into `domain`; false if it has none.
    public func appendSenderDomain(slot: Int32, to domain: inout [UInt8]) -> Bool {
        slots[Int(slot)].canonicalDomain(ofAddress: slots[Int(slot)].sender, into: &domain)
    }

    /// Gives an address within a message as an account name and as a domain, in canonical form.
    public func canonical(
        slot: Int32,
        address: TextRange,
        account: inout [UInt8],
        domain: inout [UInt8]
    ) -> Bool {
        slots[Int(slot)].canonicalAccount(ofAddress: address, into: &account)
        return slots[Int(slot)].canonicalDomain(ofAddress: address, into: &domain)
    }
}

extension Assembly {
    fileprivate func earlierFacts(recipient: Int) -> DerivedFacts? {
        guard let domain = domain(of: recipients[recipient].address) else { return nil }
        let all = text.span
        for index in 0..<recipient {
            guard let other = self.domain(of: recipients[index].address),
                all.equalsIgnoringCase(other.indices, all, domain.indices)
            else { continue }
            return recipients[index].facts
        }
        return nil
    }

    fileprivate func canonicalDomain(ofAddress address: TextRange, into out: inout [UInt8]) -> Bool
    {
        guard let range = domain(of: address) else { return false }
        _ = Canonical.domain(text.span.extracting(range.indices), into: &out)
        return !out.isEmpty
    }

    fileprivate func canonicalAccount(ofAddress address: TextRange, into out: inout [UInt8]) {
        Canonical.account(text.span.extracting(address.indices), domain: [], into: &out)
    }

    fileprivate func copyTexts(to event: inout SendEvent, recipient: TextRange) {
        func copy(_ range: TextRange) -> TextRange {
            range.isPresent ? event.append(text.span.extracting(range.indices)) : .absent
        }
        event.user = copy(login)
        event.host = copy(host)
        event.queueID = copy(queueID)
        event.messageID = copy(messageID)
        event.sender = copy(sender)
        event.recipient = copy(recipient)
        guard client.isPresent else { return }
        let all = text.span
        let range = client.indices
        guard let open = all.first(UInt8(ascii: "["), from: range.lowerBound, to: range.upperBound),
            let close = all.first(UInt8(ascii: "]"), from: open, to: range.upperBound)
        else { return }
        event.sourceIP = event.append(all.extracting((open + 1)..<close))
        let name = all.extracting(range.lowerBound..<open)
        if !(name.count == 7 && name.has("unknown", at: 0)) {
            event.sourceDomain = event.append(name)
        }
    }

    /// Decodes the subject into the event, and finds out once whether the message is a receipt.
    fileprivate mutating func copySubject(to event: inout SendEvent, reader: inout HeaderReader) {
        var payloadStart = 0
        var verdict: ReceiptVerdict?
        var subjectVerdict: ReceiptSubject?
        if subject.isPresent {
            let raw = text.span.extracting(trimmed(subject.indices))
            if HeaderDecoder.isPlain(raw) {
                event.subject = event.append(raw)
            } else {
                _ = reader.decoder.decode(raw, into: &reader.scratch)
                event.subject = event.append(reader.scratch.span)
            }
            subjectVerdict = reader.receipts.classify(
                event.text.span.extracting(event.subject.indices)
            )
        }
        if subjectVerdict != nil || contentType.isPresent {
            let report =
                contentType.isPresent
                ? ReportType(contentType: text.span.extracting(contentType.indices)) : nil
            verdict = ReceiptVerdict(subject: subjectVerdict, reportType: report)
        }
        if let verdict {
            payloadStart = verdict.payloadStart
            switch verdict.kind {
            case .notRead: event.receipt = .notRead
            case .read: event.receipt = .read
            case .unknown: event.receipt = .unknown
            }
            switch verdict.evidence {
            case .subject: event.receiptEvidence = .subject
            case .contentType: event.receiptEvidence = .contentType
            case .both: event.receiptEvidence = .both
            }
        }
        guard event.subject.isPresent, verdict != nil || reader.wantsPayload else { return }
        Canonical.payload(
            event.text.span.extracting(event.subject.indices),
            from: payloadStart,
            into: &reader.scratch
        )
        event.payload = event.append(reader.scratch.span)
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
