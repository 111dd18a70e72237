import MailEvents
import Records

/// Bounds of the assembler (architecture §6). Each has a counter in ``AssemblerCounters``.
public struct AssemblyLimits: Sendable {
    /// Open assemblies; at the limit the idlest one closes as incomplete.
    public var openMax = 200_000
    /// An assembly without a line for this long closes as incomplete.
    public var idleMicrosecondsMax: Int64 = 8 * 3_600_000_000
    /// Recipients of one message; further ones give no events.
    public var recipientsMax = 10_000
    /// Raw lines kept of one assembly, and bytes of each.
    public var keptLinesMax = 32
    public static let keptLineBytesMax = 4_096
    /// How long a message from a filter waits for the line that links it, and lines that came before
    /// their message was taken in for that.
    public var unlinkedMicrosecondsMax: Int64 = 600_000_000

    public init() {}
}

/// The lines of one queue ID, joined.
///
/// Invariant: every `TextRange` is within ``text``; ``lines`` ascend in sequence.
struct Assembly: Sendable {
    /// What can still come.
    enum State: UInt8, Sendable {
        /// The slot is free.
        case free
        /// Its lines may come.
        case open
        /// It left the queue; the line that links it to its outer message may come.
        case unlinked
        /// It left the queue; outcomes of the messages that a filter made of it may come.
        case awaitingInner
        /// It ended; its slot becomes free once what it gave was taken.
        case closing
    }

    /// Where a raw line lies in ``text``.
    struct Line: Sendable {
        var record: RecordID
        var sequence: UInt64
        var place: TextRange
        var isShortened: Bool
    }

    /// One recipient of the message.
    struct Recipient: Sendable {
        /// As the client gave it.
        var address: TextRange
        /// As the last delivery line has it, after aliases.
        var target: TextRange
        /// Identity of the address' domain, see ``NameReader``; 0 for none, or until the event was
        /// asked for.
        var domainHash: UInt64 = 0
        /// Hash of ``address`` without regard to ASCII case, to find it among many.
        var hash: UInt32
        var delivery = Delivery.unknown
        var isSubmitted = false
        var isSettled = false
        /// The slot of the message that a filter made of it; -1 if none did.
        var inner: Int32 = -1
        var record: RecordID
        var microseconds: Int64
        var facts = DerivedFacts()
    }

    // What nearly every line looks at comes first.
    var state = State.free
    var isSubmission = false
    /// Came over loopback without a login: it may be what a filter made of another message.
    var isFromLoopback = false
    /// Lines of it came, but not yet the one that says where it came from.
    var isProvisional = false
    var isActive = false
    /// It is among ``Assembler/changedSlots``.
    var isChanged = false
    var instance: UInt32 = 0
    var words = ShortTextWords()
    var lastMicroseconds: Int64 = 0
    /// Identity of the envelope sender's domain, see ``NameReader``; 0 for none.
    var senderDomain: UInt64 = 0
    /// A line says that it has the null sender, as bounces have.
    var hasNullSender = false
    /// Recipients after whose outcomes the message is over; 0: a line says when it is.
    var recipientsExpected: UInt32 = 0
    /// For a message from a filter: the slot of the message that went into it, and the serial that
    /// the slot had then (``Assembler/outer(of:)``); -1 if there is none.
    var outer: Int32 = -1
    var outerSerial: UInt64 = 0
    var key: UInt64 = 0
    /// ``lastMicroseconds`` when it was put at the end of the list of idle assemblies.
    var idleMicroseconds: Int64 = 0
    /// Its place in that list: places ascend.
    var idleOrder: UInt64 = 0
    /// Where the list of idle assemblies goes on.
    var idlePrevious: Int32 = -1
    var idleNext: Int32 = -1
    /// Tells this use of the slot from earlier ones; also the order of opening.
    var serial: UInt64 = 0

    var text: [UInt8] = []
    var lines: [Line] = []
    var linesLeftOut = 0
    var recipients: [Recipient] = []
    /// A bit for each of the recipients, by its hash: who is not there is mostly known at once.
    private var recipientBits: UInt64 = 0

    /// The queue ID that it has now.
    var queueID = TextRange.absent
    /// The one that the client was told, if it has got another since; else absent.
    var givenID = TextRange.absent
    var host = TextRange.absent
    /// `HOST[IP]` of the `client=` line: of the client itself where a filter forwarded it.
    var client = TextRange.absent
    var login = TextRange.absent { didSet { isSubmission = login.isPresent } }
    var sender = TextRange.absent
    var messageID = TextRange.absent
    /// The raw subject; absent while ``subjectRest`` is there.
    var subject = TextRange.absent
    /// The whole rest of the first Subject line, while several readings of it are possible.
    var subjectRest = TextRange.absent
    var contentType = TextRange.absent
    /// The address for which the message asks a receipt.
    var request = TextRange.absent
    /// Its request was told, for its first recipient.
    var isAwaited = false
    /// The baits of its recipients' events, by the recipient's index; empty but for receipts.
    var baits: [(recipient: Int, bait: Bait)] = []
    /// The first recipient, by a header line that can be read in one way only.
    var firstRecipient = TextRange.absent

    /// Whether what follows was made of the header lines and the `client=` line.
    var isRead = false
    /// Identity of the account.
    var accountHash: UInt64 = 0
    var account = TextRange.absent
    var clientIP = TextRange.absent
    var clientName = TextRange.absent
    var decodedSubject = TextRange.absent
    var payload = TextRange.absent
    var receipt = Receipt.none
    var receiptEvidence = ReceiptEvidence.none
    /// How much of ``text`` there was when an event borrowed it.
    var lentTextCount = 0

    var isHeld = false
    /// What smtpd decided about it before its content came: held, discarded, or unknown.
    var decided = Delivery.unknown
    var isAmbiguous = false
    /// An event of it is kept by a window or an alert: its lines are wanted.
    var isHeldAsProof = false
    /// Its place among those that wait for a line (``Assembler/giveUpLater(_:_:)``), and until when it
    /// waits; 0 if it does not.
    var waitOrder: UInt64 = 0
    var waitsUntil: Int64 = 0
    /// For a message that went into a filter: the slot of the first that said so when it came back;
    /// -1 if none did.
    var forwardedTo: Int32 = -1
    /// No message, but a session that will hand one in which is to be held.
    var isHolding: Bool { isProxied && decided == .held }

    /// No message, but a session of smtpd that hands one to a before-queue filter: its key is that of
    /// the session.
    var isProxied = false
    /// Its key in ``Assembler/clients``; 0 if it is not there.
    var clientKey: UInt64 = 0
    /// The login that a line of the message itself named; empty if that said that there was none.
    var ownLogin = TextRange.absent
    /// For a message from a before-queue filter: serial of the one session that had its client when it
    /// came; 0 if there was none, or if there were several.
    var session: UInt64 = 0
    var dialect = Dialect.postfix
    /// How the text at ``subject`` is written.
    var subjectForm = LineFact.TextForm.header
    /// How many outcomes came.
    var recipientsDone: UInt32 = 0

    /// Its recipients were all named when it was taken in; other addresses are what became of them.
    ///
    /// Mutating, so that the compiler does not copy so large a value to ask it.
    var hasAllRecipients: Bool { mutating get { dialect.isTable && isActive } }

    /// Whether its raw lines are worth keeping.
    var keepsLines: Bool { isSubmission || isFromLoopback || isProvisional }

    /// Forgets everything but the storage. What ``Assembler`` sets whenever it opens a message stays: key, words, serial, times.
    mutating func reset() {
        if text.capacity > Self.textBytesKept { text = [] }
        if recipients.capacity > Self.recipientsKept { recipients = [] }
        // Shortened from the end, an array costs less than emptied.
        if !text.isEmpty { text.removeLast(text.count) }
        if !lines.isEmpty { lines.removeLast(lines.count) }
        if !recipients.isEmpty { recipients.removeLast(recipients.count) }
        // Field by field: to assign a whole of this size takes two copies.
        state = State.free
        isSubmission = false
        isFromLoopback = false
        isProvisional = false
        isActive = false
        isChanged = false
        senderDomain = 0
        hasNullSender = false
        recipientsExpected = 0
        outer = -1
        outerSerial = 0
        waitOrder = 0
        waitsUntil = 0
        idlePrevious = -1
        idleNext = -1
        linesLeftOut = 0
        recipientBits = 0
        queueID = TextRange.absent
        givenID = TextRange.absent
        decided = Delivery.unknown
        ownLogin = TextRange.absent
        forwardedTo = -1
        session = 0
        isProxied = false
        clientKey = 0
        host = TextRange.absent
        client = TextRange.absent
        login = TextRange.absent
        sender = TextRange.absent
        messageID = TextRange.absent
        subject = TextRange.absent
        subjectRest = TextRange.absent
        contentType = TextRange.absent
        request = TextRange.absent
        isAwaited = false
        if !baits.isEmpty { baits = [] }
        firstRecipient = TextRange.absent
        isRead = false
        accountHash = 0
        account = TextRange.absent
        clientIP = TextRange.absent
        clientName = TextRange.absent
        decodedSubject = TextRange.absent
        payload = TextRange.absent
        receipt = Receipt.none
        receiptEvidence = ReceiptEvidence.none
        lentTextCount = 0
        isHeld = false
        isAmbiguous = false
        isHeldAsProof = false
        dialect = Dialect.postfix
        subjectForm = LineFact.TextForm.header
        recipientsDone = 0
    }

    /// Larger storage than this is given back.
    private static let textBytesKept = 16_384
    private static let recipientsKept = 64
    /// Takes over what is known of a message, but for its recipients.
    mutating func copy(_ other: Assembly) {
        text = other.text
        lines = other.lines
        linesLeftOut = other.linesLeftOut
        host = other.host
        login = other.login
        sender = other.sender
        messageID = other.messageID
        subject = other.subject
        subjectForm = other.subjectForm
        contentType = other.contentType
        request = other.request
        senderDomain = other.senderDomain
        hasNullSender = other.hasNullSender
        clientIP = other.clientIP
        clientName = other.clientName
        isActive = other.isActive
        isHeld = other.isHeld
        isAmbiguous = other.isAmbiguous
        isFromLoopback = other.isFromLoopback
        dialect = other.dialect
    }

    mutating func append(_ bytes: Span<UInt8>) -> TextRange {
        let start = text.count
        // The pointer does not leave the call.
        unsafe bytes.withUnsafeBufferPointer { unsafe text.append(contentsOf: $0) }
        return TextRange(start: start, count: bytes.count)
    }

    /// Appends a text of another place; absent if it is empty.
    mutating func appendText(_ bytes: [UInt8]) -> TextRange {
        bytes.isEmpty ? .absent : append(bytes.span)
    }

    /// Whether its queue ID, at ``queueID``, equals the bytes at `range`, whose words are `words`.
    @inline(__always)
    func hasQueueID(_ words: ShortTextWords, _ line: Span<UInt8>, _ range: Range<Int>) -> Bool {
        words == self.words && (words.isWhole || text.span.equals(queueID.indices, line, range))
    }

    func isFirstRecipient(_ line: Span<UInt8>, _ range: Range<Int>) -> Bool {
        text.span.equalsIgnoringCase(firstRecipient.indices, line, range)
    }

    func isLogin(_ line: Span<UInt8>, _ range: Range<Int>) -> Bool {
        text.span.equals(login.indices, line, range)
    }

    /// Whether the queue ID is wanted as text, too.
    var keepsQueueID: Bool { keepsLines || !words.isWhole }

    /// The readings of a header line with a message's client as its origin.
    ///
    /// It is no method: to lend so large a value as an assembly, the compiler copies it.
    static func headerTails(
        _ line: Span<UInt8>,
        from start: Int,
        text: [UInt8],
        client: TextRange,
        sender: TextRange
    ) -> PostfixGrammar.HeaderTails {
        PostfixGrammar.headerTails(
            line,
            from: start,
            origin: text.span.extracting(client.indices),
            sender: sender.isPresent ? text.span.extracting(sender.indices) : nil
        )
    }

    /// Decides between several readings of the Subject line (architecture §6): the one whose sender
    /// is qmgr's; else the shortest text.
    ///
    /// - Returns: whether the message became ambiguous.
    mutating func settleSubject() -> Bool {
        let rest = subjectRest
        guard rest.isPresent else { return false }
        isRead = false
        subjectRest = .absent
        let tails = Self.headerTails(
            text.span.extracting(rest.indices),
            from: 0,
            text: text,
            client: client,
            sender: sender
        )
        let chosen = tails.firstOfSender ?? tails.first
        subject = TextRange(start: Int(rest.start), count: chosen?.textEnd ?? Int(rest.count))
        guard tails.countOfSender == 1 else {
            isAmbiguous = true
            return true
        }
        if let recipient = chosen?.recipient {
            firstRecipient = TextRange(
                start: Int(rest.start) + recipient.lowerBound,
                count: recipient.count
            )
        }
        return false
    }

    /// ``addressHash(_:_:)`` of a part of the text.
    func hash(ofAddress range: TextRange) -> UInt32 {
        addressHash(text.span, range.indices)
    }

    /// Whether a part of the text is this address, without regard to ASCII case.
    func isAddress(_ range: TextRange, _ address: Span<UInt8>) -> Bool {
        text.span.equalsIgnoringCase(range.indices, address, 0..<address.count)
    }

    mutating func add(_ recipient: Recipient) {
        recipients.append(recipient)
        recipientBits |= 1 << UInt64(recipient.hash & 63)
    }

    /// The index of the recipient with this address; nil if there is none.
    ///
    /// Changes nothing; of a large structure, a method that may not would be given a copy.
    mutating func recipient(_ address: Range<Int>, of line: Span<UInt8>, hash: UInt32) -> Int? {
        guard recipientBits & 1 << UInt64(hash & 63) != 0 else { return nil }
        for index in recipients.indices
        where recipients[index].hash == hash && recipients[index].address.count == address.count
            && text.span.equalsIgnoringCase(
                recipients[index].address.indices,
                line,
                address
            )
        {
            return index
        }
        return nil
    }
}

extension Assembly {
    /// The index of the recipient whose copy goes to this address now; nil if there is none. Changes
    /// nothing.
    mutating func recipient(withTarget address: Range<Int>, of line: Span<UInt8>) -> Int? {
        for index in recipients.indices
        where text.span.equalsIgnoringCase(recipients[index].target.indices, line, address) {
            return index
        }
        return nil
    }
}

/// A hash of an address without regard to ASCII case. Only a filter before a comparison.
func addressHash(_ line: Span<UInt8>, _ range: Range<Int>) -> UInt32 {
    var mixed = UInt64(range.count)
    var index = range.lowerBound
    while index &+ 8 <= range.upperBound {
        // Bit 5 is what tells the cases apart; of other bytes the hash may forget it too.
        let word = line.word(at: index) | 0x2020_2020_2020_2020
        mixed = (mixed ^ word) &* 0x9e37_79b9_7f4a_7c15
        mixed ^= mixed >> 32
        index &+= 8
    }
    while index < range.upperBound {
        mixed = (mixed ^ UInt64(line[index] | 0x20)) &* 0x9e37_79b9_7f4a_7c15
        mixed ^= mixed >> 32
        index &+= 1
    }
    return UInt32(truncatingIfNeeded: mixed ^ mixed >> 32)
}
