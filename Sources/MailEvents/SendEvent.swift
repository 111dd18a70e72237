public import Records

/// Where a text lies within ``SendEvent/text``; absent if the log did not say.
@frozen
public struct TextRange: Sendable, Hashable {
    public var start: UInt32
    public var count: UInt32

    @inlinable
    public init(start: Int, count: Int) {
        self.start = UInt32(truncatingIfNeeded: start)
        self.count = UInt32(truncatingIfNeeded: count)
    }

    @inlinable
    init(absentMark: Void) {
        start = .max
        count = 0
    }

    /// The log did not say.
    public static let absent = TextRange(absentMark: ())

    @inlinable
    public var isPresent: Bool { start != .max }

    /// The last bytes of it.
    ///
    /// - Precondition: it is present and has so many.
    func tail(_ bytes: UInt32) -> TextRange {
        TextRange(start: Int(start) + Int(count - bytes), count: Int(bytes))
    }

    /// The indices; empty when absent.
    @inlinable
    public var indices: Range<Int> {
        isPresent ? Int(start)..<(Int(start) + Int(count)) : 0..<0
    }
}

/// One submission and one recipient, as the client gave it.
///
/// The texts are bytes as logged (decoded where noted), all in one buffer, which the assembly of the
/// event's message lends for the time of an evaluation: an ordinary event copies and allocates
/// nothing. ``compacted()`` gives an event that can be kept.
public struct SendEvent: Sendable {
    /// Holds all texts, and may hold more: what its message's lines say.
    public var text: [UInt8] = []

    /// The login, as logged.
    public var user = TextRange.absent
    /// The login in canonical form: case-folded, completed by `account_domain`.
    public var account = TextRange.absent
    /// The client's address.
    public var sourceIP = TextRange.absent
    /// The client's name, if it was not `unknown`.
    public var sourceDomain = TextRange.absent
    public var queueID = TextRange.absent
    public var messageID = TextRange.absent
    /// Envelope sender; present and empty for the null sender.
    public var sender = TextRange.absent
    /// Recipient, as the client gave it.
    public var recipient = TextRange.absent
    /// The recipient's domain in canonical form (architecture §7).
    public var domain = TextRange.absent
    /// Decoded subject: UTF-8.
    public var subject = TextRange.absent
    /// The subject without its receipt prefix, normalised.
    public var payload = TextRange.absent
    /// The name of the host in the line.
    public var host = TextRange.absent
    /// Keyed hashes of ``account`` and ``domain``, as the memory knows them; 0 when absent. They are
    /// of one run and not stored.
    public var accountHash: UInt64 = 0
    public var domainHash: UInt64 = 0

    /// Event time of the submission: microseconds since 1970, UTC.
    public var submittedMicroseconds: Int64 = 0
    /// Event time of the first final outcome; equal to the submission's before that.
    public var settledMicroseconds: Int64 = 0
    public var dialect = Dialect.postfix
    public var phase = Phase.submitted
    public var receipt = Receipt.none
    public var receiptEvidence = ReceiptEvidence.none
    public var delivery = Delivery.unknown
    /// The line allowed several readings; the event holds the one that the rules of architecture §6
    /// prefer.
    public var isAmbiguous = false
    /// The line at which the event was submitted.
    public var record = RecordID(source: SourceNumber(0), file: FileNumber(0), offset: 0)
    /// What was known of account and domain before this submission.
    public var facts = DerivedFacts()
    /// For a receipt: the message that it answers, if that was logged.
    public var bait: Bait?

    public init() {}

    /// The same event with no text but its own, one behind the other. What another text ends with, as
    /// the recipient with its domain, is kept once: very many events may be held.
    public func compacted() -> SendEvent {
        var copy = self
        let isAccountShared = isTail(account, of: user)
        let isSenderShared = isTail(sender, of: account)
        let isDomainShared = isTail(domain, of: recipient)
        let isPayloadShared = isTail(payload, of: subject)
        // Exactly: an array that grows takes up to twice as much.
        var count = user.indices.count + sourceIP.indices.count + sourceDomain.indices.count
        count += queueID.indices.count + messageID.indices.count + recipient.indices.count
        count += subject.indices.count + host.indices.count
        if !isAccountShared { count += account.indices.count }
        if !isSenderShared { count += sender.indices.count }
        if !isDomainShared { count += domain.indices.count }
        if !isPayloadShared { count += payload.indices.count }
        var kept: [UInt8] = []
        kept.reserveCapacity(count)
        func keep(_ range: TextRange) -> TextRange {
            guard range.isPresent else { return .absent }
            let start = kept.count
            kept += text[range.indices]
            return TextRange(start: start, count: Int(range.count))
        }
        copy.user = keep(user)
        copy.account = isAccountShared ? copy.user.tail(account.count) : keep(account)
        copy.sender = isSenderShared ? copy.account.tail(sender.count) : keep(sender)
        copy.sourceIP = keep(sourceIP)
        copy.sourceDomain = keep(sourceDomain)
        copy.queueID = keep(queueID)
        copy.messageID = keep(messageID)
        copy.recipient = keep(recipient)
        copy.domain = isDomainShared ? copy.recipient.tail(domain.count) : keep(domain)
        copy.subject = keep(subject)
        copy.payload = isPayloadShared ? copy.subject.tail(payload.count) : keep(payload)
        copy.host = keep(host)
        copy.text = kept
        return copy
    }

    /// Whether a text is what another ends with.
    private func isTail(_ range: TextRange, of other: TextRange) -> Bool {
        guard range.isPresent, other.isPresent, range.count <= other.count else { return false }
        let (start, tail) = (Int(range.start), Int(other.start) + Int(other.count - range.count))
        for index in 0..<Int(range.count) where text[start + index] != text[tail + index] {
            return false
        }
        return true
    }

    /// Appends a text and gives its place.
    public mutating func append(_ bytes: Span<UInt8>) -> TextRange {
        let start = text.count
        // The pointer does not leave the call.
        unsafe bytes.withUnsafeBufferPointer { unsafe text.append(contentsOf: $0) }
        return TextRange(start: start, count: bytes.count)
    }

    /// The text at `range` as a `String`; nil when absent.
    public func string(_ range: TextRange) -> String? {
        range.isPresent ? String(decoding: text[range.indices], as: UTF8.self) : nil
    }

    /// Event time of the phase that the event is in.
    public var microseconds: Int64 {
        phase == .settled ? settledMicroseconds : submittedMicroseconds
    }
}

/// The derived fields of an event (rules.md): what was known before this submission.
///
/// They are made once, at submission, and carried along unchanged until the event has settled.
@frozen
public struct DerivedFacts: Sendable, Hashable {
    /// The account has not written to this domain within the memory.
    public var isDomainUnseen = true
    /// On how many days mail from this domain came to a mailbox of the account; nil when the
    /// account's mailboxes are not known.
    public var domainHeardDays: UInt8?
    /// The server hosts the domain.
    public var isDomainInternal = false
    /// Whole days since the account was first seen.
    public var accountAgeDays: UInt32 = 0
    /// Whole days since the log was first seen.
    public var memoryDays: UInt32 = 0
    /// How many accounts of this server wrote to the domain; receipts do not count.
    public var domainAccounts: UInt32 = 0
    /// Domains that were neither seen nor heard and that the account sent to within an hour and
    /// within 24 hours, up to this event.
    public var unseenDomainsHour: UInt16 = 0
    public var unseenDomainsDay: UInt16 = 0
    /// Not-read receipts of the account within 24 hours, up to this event.
    public var receiptsDay: UInt16 = 0
    /// Null-sender mail that came for the account within 24 hours after one of its receipts.
    public var returnsDay: UInt16 = 0
    /// How unusual ``unseenDomainsHour`` and ``receiptsDay`` are for this account: tenths of −log10
    /// of their chance.
    public var unseenSurpriseTenths: UInt16 = 0
    public var receiptSurpriseTenths: UInt16 = 0
    /// Whether anybody asked the memory; otherwise ``isDomainUnseen`` alone says something, and only
    /// if ``isUnseenKnown``. Not part of the stored form, like that: what is stored by itself is known.
    public var isKnown = false
    public var isUnseenKnown = false
    /// Whether a rule may match the event when it has settled. Not part of the stored form.
    public var isAwaited = false

    public init() {}

    /// No account of this server has written to the domain.
    public var isDomainUnseenByServer: Bool { domainAccounts == 0 }

    /// Appends the stored form. Version 2.
    public func write(to writer: inout BinaryWriter) {
        writer.write(isDomainUnseen)
        writer.write(domainHeardDays != nil)
        writer.write(domainHeardDays ?? 0)
        writer.write(isDomainInternal)
        writer.write(accountAgeDays)
        writer.write(memoryDays)
        writer.write(domainAccounts)
        writer.write(unseenDomainsHour)
        writer.write(unseenDomainsDay)
        writer.write(receiptsDay)
        writer.write(returnsDay)
        writer.write(unseenSurpriseTenths)
        writer.write(receiptSurpriseTenths)
    }

    /// Reads what ``write(to:)`` wrote.
    ///
    /// - Parameter version: of the facts: 1 ended before ``domainAccounts``.
    public init(from reader: inout BinaryReader, version: Int) throws(BinaryReadError) {
        isDomainUnseen = try reader.readBool()
        let isHeardKnown = try reader.readBool()
        let heard = try reader.read(UInt8.self)
        domainHeardDays = isHeardKnown ? heard : nil
        isDomainInternal = try reader.readBool()
        accountAgeDays = try reader.read(UInt32.self)
        memoryDays = try reader.read(UInt32.self)
        guard version >= 2 else { return }
        domainAccounts = try reader.read(UInt32.self)
        unseenDomainsHour = try reader.read(UInt16.self)
        unseenDomainsDay = try reader.read(UInt16.self)
        receiptsDay = try reader.read(UInt16.self)
        returnsDay = try reader.read(UInt16.self)
        unseenSurpriseTenths = try reader.read(UInt16.self)
        receiptSurpriseTenths = try reader.read(UInt16.self)
    }
}
