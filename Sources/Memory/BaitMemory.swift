public import MailEvents
public import Records

/// Bounds of the memory of messages that came to mailboxes.
public enum BaitLimits {
    /// Messages that asked for a receipt; the oldest leave. Others have as many places of their own,
    /// so that no flood of mail makes the memory forget who asked.
    public static let messagesMax = 65_536
    /// Messages of one mailbox that a receipt is compared with, the newest first.
    public static let comparedMax = 256
    /// Longer texts are left out (queue ID, sender) or cut (subject).
    public static let textBytesMax = 255
}

/// A message as it came to a mailbox, for ``BaitMemory/add(_:_:)``: identities are keyed hashes.
public struct InboundMessage: Sendable {
    /// The mailbox, as an account.
    public var mailbox: UInt64
    /// The address that it asks a receipt for; 0 if it does not ask.
    public var requestedAddress: UInt64
    /// Whether that address is at another domain than the envelope sender.
    public var isThirdParty: Bool
    /// When it came to the mailbox: microseconds since 1970, UTC.
    public var microseconds: Int64
    /// How ``LoggedTexts/subject`` is written; the caller's own number.
    public var subjectForm: UInt8

    public init(
        mailbox: UInt64,
        requestedAddress: UInt64,
        isThirdParty: Bool,
        microseconds: Int64,
        subjectForm: UInt8
    ) {
        self.mailbox = mailbox
        self.requestedAddress = requestedAddress
        self.isThirdParty = isThirdParty
        self.microseconds = microseconds
        self.subjectForm = subjectForm
    }
}

/// Which messages came to which mailbox, to find the bait that a receipt answers (rules.md,
/// `postern.bait`): the one that asked for a receipt to where it went, else one whose subject is the
/// receipt's payload.
///
/// Subjects are kept as they were logged, and decoded when a receipt asks, once each: ordinary mail
/// costs a copy of its subject.
public struct BaitMemory: Sendable {
    private var requests = InboundRing()
    private var others = InboundRing()

    public init() {}

    /// How many messages are remembered.
    public var count: Int { requests.count + others.count }

    /// A message came to a mailbox.
    ///
    /// - Parameters:
    ///   - message: what is known of it.
    ///   - queueID, sender, subject: its texts; the subject as the log has it.
    public mutating func add(
        _ message: InboundMessage,
        queueID: Span<UInt8>,
        sender: Span<UInt8>,
        subject: Span<UInt8>
    ) {
        guard queueID.count <= BaitLimits.textBytesMax else { return }
        if message.requestedAddress != 0 {
            requests.add(message, queueID, sender, subject)
        } else if !subject.isEmpty {
            others.add(message, queueID, sender, subject)
        }
    }

    /// The newest message that a receipt answers, among those that came to the mailbox before it.
    ///
    /// - Parameters:
    ///   - mailbox: the account that sent the receipt.
    ///   - address: identity of its recipient.
    ///   - payload: identity of its payload; 0 for none.
    ///   - before: when it was sent: microseconds.
    ///   - payloadOf: the identity of the payload that a logged subject gives, by its text and form.
    public mutating func find(
        mailbox: UInt64,
        address: UInt64,
        payload: UInt64,
        before: Int64,
        payloadOf: (Span<UInt8>, UInt8) -> UInt64
    ) -> Bait? {
        let asked = requests.newest(of: mailbox, before: before) { message, _, _ in
            message.requestedAddress == address
        }
        if let asked { return requests.bait(asked, evidence: .request) }
        guard payload != 0 else { return nil }
        let isSame = { (message: InboundMessage, known: inout UInt64, subject: Span<UInt8>) in
            if known == 0 { known = payloadOf(subject, message.subjectForm) }
            return known == payload
        }
        let first = requests.newest(of: mailbox, before: before, where: isSame)
        if let first { return requests.bait(first, evidence: .subject) }
        let other = others.newest(of: mailbox, before: before, where: isSame)
        return other.map { others.bait($0, evidence: .subject) }
    }

    /// Forgets what came to a mailbox.
    public mutating func forget(mailbox: UInt64) {
        requests.forget(mailbox)
        others.forget(mailbox)
    }

    // MARK: Stored form

    /// What was added since the last call, as bodies by a number that never comes again, and the
    /// numbers of earlier ones of which nothing is left.
    public mutating func takeChanges() -> [(number: UInt64, body: [UInt8]?)] {
        var changes: [(number: UInt64, body: [UInt8]?)] = []
        // The lowest bit tells the two apart.
        requests.takeChanges { number, body in changes.append((number << 1, body)) }
        others.takeChanges { number, body in changes.append((number << 1 | 1, body)) }
        return changes
    }

    /// Takes the bodies in, all of them, in the order of their numbers.
    public mutating func restore(number: UInt64, _ body: [UInt8]) throws(BinaryReadError) {
        if number & 1 == 0 {
            try requests.restore(number >> 1, body)
        } else {
            try others.restore(number >> 1, body)
        }
    }
}

/// The newest messages, up to ``BaitLimits/messagesMax``, each linked to the one before it of the same
/// mailbox.
struct InboundRing: Sendable {
    struct Record: Sendable {
        var message: InboundMessage
        /// Serial of the message before it of the same mailbox; 0 for none.
        var previous: UInt64 = 0
        /// Identity of its subject's payload, once somebody asked; 0 before that.
        var payload: UInt64 = 0
        /// Its texts, one behind the other: queue ID, sender, subject.
        var texts: TextPlace
    }

    /// Where texts stand in a ring of bytes, and how many bytes of text came before them: they stay
    /// until ``textBytesMax`` more have come.
    struct TextPlace: Sendable {
        var start: UInt64 = 0
        var before: UInt64 = 0
        var queueIDCount: UInt8 = 0
        var senderCount: UInt8 = 0
        var subjectCount: UInt8 = 0
    }

    /// Bytes of texts; beyond them the oldest are written over, and their messages are gone.
    private static let textBytesMax = 8 << 20
    /// The ring has a little more, since no text goes over its end.
    private static let ringBytes = textBytesMax + 65_536

    /// Grows up to ``BaitLimits/messagesMax``; then a serial's place is its remainder.
    private var records: [Record] = []
    private var bytes: [UInt8] = []
    /// Where the next text goes, counted through all turns of the ring; and the bytes of all texts.
    private var bytesWritten: UInt64 = 0
    private var textBytes: UInt64 = 0
    /// The last serial; the first is 1.
    private var lastSerial: UInt64 = 0
    /// By mailbox: the place of the newest message.
    private var newest = HashIndex()
    /// The last serial that was stored, and the numbers of the bodies, each with its last serial.
    private var storedSerial: UInt64 = 0
    private var bodies: [(number: UInt64, last: UInt64)] = []
    /// The numbers of those that are to be stored once more.
    private var changedBodies: Set<UInt64> = []

    var count: Int { records.count }

    private static func place(_ serial: UInt64) -> Int {
        Int((serial - 1) % UInt64(BaitLimits.messagesMax))
    }

    /// The serial of the message at a place.
    private func serial(ofPlace place: UInt32) -> UInt64 {
        let last = UInt64(Self.place(lastSerial))
        let turn = UInt64(BaitLimits.messagesMax)
        let back = (last + turn - UInt64(place)) % turn
        return lastSerial - back
    }

    /// Whether the message of a serial is still there, with its texts.
    private func isThere(_ serial: UInt64) -> Bool {
        guard serial > 0, lastSerial - serial < UInt64(records.count) else { return false }
        return textBytes - records[Self.place(serial)].texts.before <= UInt64(Self.textBytesMax)
    }

    mutating func add(
        _ message: InboundMessage,
        _ queueID: Span<UInt8>,
        _ sender: Span<UInt8>,
        _ subject: Span<UInt8>
    ) {
        var texts = TextPlace(start: bytesWritten, before: textBytes)
        let senderCount = sender.count <= BaitLimits.textBytesMax ? sender.count : 0
        let subjectCount = min(subject.count, BaitLimits.textBytesMax)
        // Texts of one message do not go over the end of the ring.
        let whole = queueID.count + senderCount + subjectCount
        let rest = Self.ringBytes - Int(bytesWritten % UInt64(Self.ringBytes))
        if whole > rest {
            bytesWritten += UInt64(rest)
            texts.start = bytesWritten
        }
        texts.queueIDCount = UInt8(queueID.count)
        texts.senderCount = UInt8(senderCount)
        texts.subjectCount = UInt8(subjectCount)
        textBytes += UInt64(whole)
        write(queueID)
        write(sender.extracting(first: senderCount))
        write(subject.extracting(first: subjectCount))
        var record = Record(message: message, texts: texts)
        record.previous = newest[message.mailbox].map(serial(ofPlace:)) ?? 0
        append(record)
    }

    private mutating func append(_ record: Record) {
        lastSerial += 1
        let place = Self.place(lastSerial)
        if place < records.count {
            let old = records[place].message.mailbox
            if newest[old] == UInt32(place) { newest.remove(old) }
            records[place] = record
        } else {
            records.append(record)
        }
        newest.set(record.message.mailbox, number: UInt32(place))
    }

    private mutating func write(_ text: Span<UInt8>) {
        let start = Int(bytesWritten % UInt64(Self.ringBytes))
        if bytes.count < start + text.count {
            let more = max(4_096, bytes.count / 2)
            bytes.append(contentsOf: repeatElement(0, count: more))
        }
        // The ring has room for the text at that place, as was just made sure of; no pointer leaves.
        unsafe bytes.withUnsafeMutableBytes { ring in
            unsafe text.withUnsafeBytes { text in
                unsafe UnsafeMutableRawBufferPointer(rebasing: ring[start..<(start + text.count)])
                    .copyMemory(from: text)
            }
        }
        bytesWritten += UInt64(text.count)
    }

    /// The serial of the newest message of a mailbox, among those that may be compared, for which
    /// `matches` holds.
    ///
    /// - Parameter matches: gets the message, the identity of its subject's payload (0 until it has
    ///   been set), and its subject as logged.
    mutating func newest(
        of mailbox: UInt64,
        before: Int64,
        where matches: (InboundMessage, inout UInt64, Span<UInt8>) -> Bool
    ) -> UInt64? {
        var serial = newest[mailbox].map(serial(ofPlace:)) ?? 0
        var compared = 0
        while isThere(serial), compared < BaitLimits.comparedMax {
            compared += 1
            let place = Self.place(serial)
            let record = records[place]
            guard record.message.mailbox == mailbox else { return nil }
            var payload = record.payload
            let subject = texts(record.texts).subject
            let isMatch = matches(record.message, &payload, bytes.span.extracting(subject))
            records[place].payload = payload
            if isMatch, record.message.microseconds <= before { return serial }
            serial = record.previous
        }
        return nil
    }

    private func texts(
        _ place: TextPlace
    ) -> (queueID: Range<Int>, sender: Range<Int>, subject: Range<Int>) {
        let start = Int(place.start % UInt64(Self.ringBytes))
        let queueIDEnd = start + Int(place.queueIDCount)
        let senderEnd = queueIDEnd + Int(place.senderCount)
        return (
            start..<queueIDEnd, queueIDEnd..<senderEnd,
            senderEnd..<(senderEnd + Int(place.subjectCount))
        )
    }

    func bait(_ serial: UInt64, evidence: BaitEvidence) -> Bait {
        let record = records[Self.place(serial)]
        let texts = self.texts(record.texts)
        return Bait(
            queueID: Array(bytes[texts.queueID]),
            sender: Array(bytes[texts.sender]),
            evidence: evidence,
            microseconds: record.message.microseconds,
            isThirdParty: evidence == .request ? record.message.isThirdParty : nil
        )
    }

    /// Empties the places of a mailbox's messages.
    mutating func forget(_ mailbox: UInt64) {
        let oldest = lastSerial - min(lastSerial, UInt64(records.count))
        for serial in (oldest + 1)..<(lastSerial + 1) {
            let place = Self.place(serial)
            guard records[place].message.mailbox == mailbox else { continue }
            if isThere(serial) {
                let texts = self.texts(records[place].texts)
                for index in texts.queueID.lowerBound..<texts.subject.upperBound {
                    bytes[index] = 0
                }
            }
            var empty = Record(message: Self.nobody, texts: records[place].texts)
            empty.texts.queueIDCount = 0
            empty.texts.senderCount = 0
            empty.texts.subjectCount = 0
            records[place] = empty
            for body in bodies where body.number <= serial && serial <= body.last {
                changedBodies.insert(body.number)
            }
        }
        if newest[mailbox] != nil { newest.remove(mailbox) }
    }

    private static let nobody = InboundMessage(
        mailbox: 0,
        requestedAddress: 0,
        isThirdParty: false,
        microseconds: 0,
        subjectForm: 0
    )

    // MARK: Stored form

    /// All messages since the last call as one body, named by the first serial in it.
    mutating func takeChanges(_ give: (UInt64, [UInt8]?) -> Void) {
        let oldest = lastSerial - min(lastSerial, UInt64(records.count))
        while let body = bodies.first, body.last <= oldest {
            bodies.removeFirst()
            changedBodies.remove(body.number)
            give(body.number, nil)
        }
        for (number, last) in bodies where changedBodies.contains(number) {
            give(number, body(number...last, oldest: oldest))
        }
        changedBodies.removeAll()
        let first = max(storedSerial, oldest) + 1
        guard first <= lastSerial else { return }
        give(first, body(first...lastSerial, oldest: oldest))
        bodies.append((first, lastSerial))
        storedSerial = lastSerial
    }

    /// - Parameter oldest: serials up to it have been written over.
    private func body(_ serials: ClosedRange<UInt64>, oldest: UInt64) -> [UInt8] {
        var writer = BinaryWriter(reserving: 128 * serials.count)
        writer.write(UInt8(1))
        writer.write(UInt32(serials.count))
        for serial in serials {
            let record =
                serial > oldest
                ? records[Self.place(serial)] : Record(message: Self.nobody, texts: TextPlace())
            writer.write(record.message.mailbox)
            writer.write(record.message.requestedAddress)
            writer.write(record.message.isThirdParty)
            writer.write(record.message.microseconds)
            writer.write(record.message.subjectForm)
            let isThere = serial > oldest && isThere(serial)
            let texts = isThere ? self.texts(record.texts) : (0..<0, 0..<0, 0..<0)
            writer.write(Array(bytes[texts.0]))
            writer.write(Array(bytes[texts.1]))
            writer.write(Array(bytes[texts.2]))
        }
        return writer.bytes
    }

    mutating func restore(_ number: UInt64, _ body: [UInt8]) throws(BinaryReadError) {
        var reader = BinaryReader(body)
        guard try reader.read(UInt8.self) == 1, number > lastSerial else {
            throw BinaryReadError(offset: 0, expected: "inbound messages of version 1, in order")
        }
        // What lay between was written over.
        lastSerial = max(lastSerial, number - 1)
        let count = try reader.readCount(ofSize: 30)
        for _ in 0..<count {
            let message = InboundMessage(
                mailbox: try reader.read(UInt64.self),
                requestedAddress: try reader.read(UInt64.self),
                isThirdParty: try reader.readBool(),
                microseconds: try reader.read(Int64.self),
                subjectForm: try reader.read(UInt8.self)
            )
            let queueID = try reader.readBytes()
            let sender = try reader.readBytes()
            let subject = try reader.readBytes()
            guard queueID.count <= BaitLimits.textBytesMax else {
                throw BinaryReadError(offset: 0, expected: "a queue ID")
            }
            if records.isEmpty, lastSerial > 0 { begin(after: lastSerial) }
            add(message, queueID.span, sender.span, subject.span)
        }
        try reader.finish()
        bodies.append((number, lastSerial))
        storedSerial = lastSerial
    }

    /// Fills the places before the first message that is restored, which belong to none.
    private mutating func begin(after serial: UInt64) {
        let used = min(serial, UInt64(BaitLimits.messagesMax))
        records = [Record](
            repeating: Record(message: Self.nobody, texts: TextPlace()),
            count: Int(used)
        )
    }
}
