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
    /// How long a message from a filter waits for the line that links it.
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

    var state = State.free
    var key: UInt64 = 0
    var instance: UInt32 = 0
    /// Tells this use of the slot from earlier ones; also the order of opening.
    var serial: UInt64 = 0
    var lastMicroseconds: Int64 = 0

    var text: [UInt8] = []
    var lines: [Line] = []
    var linesLeftOut = 0
    var recipients: [Recipient] = []

    /// The queue ID that it has now.
    var queueID = TextRange.absent
    /// The one that the client was told, if it has got another since; else absent.
    var givenID = TextRange.absent
    var host = TextRange.absent
    /// `HOST[IP]` of the `client=` line: of the client itself where a filter forwarded it.
    var client = TextRange.absent
    var login = TextRange.absent
    var sender = TextRange.absent
    var messageID = TextRange.absent
    /// The raw subject; absent while ``subjectRest`` is there.
    var subject = TextRange.absent
    /// The whole rest of the first Subject line, while several readings of it are possible.
    var subjectRest = TextRange.absent
    var contentType = TextRange.absent
    /// The first recipient, by a header line that can be read in one way only.
    var firstRecipient = TextRange.absent

    /// Identity of the envelope sender's domain, see ``NameReader``; 0 for none.
    var senderDomain: UInt64 = 0

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

    var isActive = false
    var isHeld = false
    /// What smtpd decided about it before its content came: held, discarded, or unknown.
    var decided = Delivery.unknown
    var isAmbiguous = false
    /// An event of it is kept by a window or an alert: its lines are wanted.
    var isHeldAsProof = false
    /// It is among ``Assembler/changedSlots``.
    var isChanged = false
    /// For a message from a filter: the slot of the message that went into it; -1 if none.
    var outer: Int32 = -1
    /// The serial of that message; 0 if none. It stays when that message is gone.
    var outerSerial: UInt64 = 0
    /// For a message that went into a filter: the slot of the first that said so when it came back;
    /// -1 if none did.
    var forwardedTo: Int32 = -1
    /// ``lastMicroseconds`` when it was put at the end of the list of idle assemblies.
    var idleMicroseconds: Int64 = 0
    /// Where the list of idle assemblies goes on.
    var idlePrevious: Int32 = -1
    var idleNext: Int32 = -1

    var isSubmission: Bool { login.isPresent }

    /// No message, but a session that will hand one in which is to be held.
    var isHolding: Bool { isProxied && decided == .held }

    /// Whether it is known which message a filter made it of.
    var isLinked: Bool { outerSerial != 0 }

    /// Came over loopback, or from one of the filters of the settings, without a login: it may be what
    /// a filter made of another message.
    var isFromLoopback = false
    /// No message, but a session of smtpd that hands one to a before-queue filter: its key is that of
    /// the session.
    var isProxied = false
    /// Its key in ``Assembler/clients``; 0 if it is not there.
    var clientKey: UInt64 = 0
    /// For a message from a before-queue filter: serial of the one session that had its client when it
    /// came; 0 if there was none, or if there were several.
    var session: UInt64 = 0

    /// Lines of it came, but not yet the one that says where it came from.
    var isProvisional = false
    var dialect = Dialect.postfix
    /// How the text at ``subject`` is written.
    var subjectForm = LineFact.TextForm.header
    /// Recipients after whose outcomes the message is over; 0: a line says when it is.
    var recipientsExpected: UInt32 = 0
    /// How many outcomes came.
    var recipientsDone: UInt32 = 0

    /// Whether its raw lines are worth keeping.
    var keepsLines: Bool { isSubmission || isFromLoopback || isProvisional }

    /// Forgets everything but the storage.
    mutating func reset() {
        var text = self.text
        var lines = self.lines
        var recipients = self.recipients
        self.text = []
        self.lines = []
        self.recipients = []
        text.removeAll(keepingCapacity: text.capacity <= 16_384)
        if !lines.isEmpty { lines.removeAll(keepingCapacity: true) }
        if !recipients.isEmpty {
            recipients.removeAll(keepingCapacity: recipients.capacity <= 64)
        }
        self = Assembly()
        self.text = text
        self.lines = lines
        self.recipients = recipients
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

    /// Whether its queue ID equals the bytes at `range`.
    @inline(__always)
    func hasQueueID(_ line: Span<UInt8>, _ range: Range<Int>) -> Bool {
        text.span.equals(queueID.indices, line, range)
    }

    /// The readings of a header line with this message's client as its origin.
    func headerTails(_ line: Span<UInt8>, from start: Int) -> PostfixGrammar.HeaderTails {
        let all = text.span
        return PostfixGrammar.headerTails(
            line,
            from: start,
            origin: all.extracting(client.indices),
            sender: sender.isPresent ? all.extracting(sender.indices) : nil
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
        let tails = headerTails(text.span.extracting(rest.indices), from: 0)
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

    /// The index of the recipient with this address; nil if there is none.
    func recipient(_ address: Range<Int>, of line: Span<UInt8>, hash: UInt32) -> Int? {
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
