import MailEvents
public import Records

/// How often the assembler met its limits, and how much it holds.
public struct AssemblerCounters: Sendable, Equatable {
    /// Authenticated messages that were opened.
    public var submissions = 0
    /// Assemblies closed because ``AssemblyLimits/openMax`` was reached.
    public var closedForSpace = 0
    /// Assemblies closed because nothing came for ``AssemblyLimits/idleMicrosecondsMax``.
    public var closedIdle = 0
    /// Recipients beyond ``AssemblyLimits/recipientsMax``.
    public var recipientsLeftOut = 0
    /// Lines that were not kept because ``AssemblyLimits/keptLinesMax`` was reached.
    public var linesLeftOut = 0
    /// Lines of queue IDs whose beginning was not seen.
    public var strayLines = 0
    /// Lines that syslog's limit had cut into parts, and that could not be read when they were joined.
    public var splitLinesUnparsed = 0
    /// Header lines, or lines that take a message in, that can be read in several ways.
    public var ambiguousHeaders = 0

    public init() {}
}

/// Joins the lines of each message by queue ID and tells when something is known.
///
/// A pure state machine: facts come in with their resolved time, ``Happening``s go out. It must be
/// emptied (``takePending(_:)``) after each fact, before the next comes in: what a happening says
/// lies in the assembly's storage.
///
/// Cost: O(1) a line, but O(recipients) for the deliveries of a message with many.
public struct Assembler: ~Copyable, Sendable {
    /// What a line brought to light.
    public enum Happening: Sendable {
        /// Account, subject and this recipient are known: the event's first evaluation.
        case submitted(slot: Int32, recipient: Int)
        /// The first final outcome: its second evaluation.
        case settled(slot: Int32, recipient: Int)
        /// The message is gone without a final outcome for this recipient.
        case unsettled(slot: Int32, recipient: Int)
        /// A delivery was put off, and an event is kept as proof: its latest outcome.
        case deferred(slot: Int32, recipient: Int)
        /// A copy for a domain came to a mailbox of this server (`isLocal`) or to another server.
        case delivered(domain: UInt64, isLocal: Bool)
        /// A copy of a message from a domain came to a mailbox of this server: `name` in the line.
        ///
        /// `domain` is the recipient's, `sender` the envelope sender's, 0 for the null sender; `isNews`
        /// unless ``awaited(slot:)`` has told of this recipient.
        case heard(
            slot: Int32,
            mailbox: UInt64,
            name: LineFact.Piece,
            domain: UInt64,
            sender: UInt64,
            isNews: Bool
        )
        /// A message came for the mailbox `name` in the line, and went to a filter or was discarded.
        case received(slot: Int32, name: LineFact.Piece)
        /// A message that asks for a receipt was taken in for its first recipient.
        case awaited(slot: Int32)
        /// The assembly is closed: its slot becomes free after this.
        case closed(slot: Int32)
    }

    public let limits: AssemblyLimits
    public internal(set) var counters = AssemblerCounters()

    var slots: [Assembly] = []
    private var freeSlots: [Int32] = []
    var table = QueueTable()
    /// Before-queue filters: sessions that hand messages to one, and messages that came from one, by
    /// the client that both name.
    var clients = QueueTable()
    /// Sessions that hold the message which they will hand in.
    var holdingCount = 0
    /// Whether the log tells when a before-queue filter has answered.
    var tellsProxyEnds = false
    /// Assemblies roughly by the time of their last line, the idlest first: a line does not move its
    /// assembly; who comes to the front and was not idle goes to the end again.
    private var idleFirst: Int32 = -1
    private var idleLast: Int32 = -1
    /// Messages from a filter that wait for the line which links them, and provisional ones that wait
    /// for the line which takes them in, the oldest first.
    private var unlinked: [(slot: Int32, order: UInt64, until: Int64)] = []
    private var unlinkedFirst = 0
    private var nextOrder: UInt64 = 1
    var nextSerial: UInt64 = 1
    /// Instances that wrote lines of qmgr or cleanup: a `client=` line under another tag may belong
    /// to them (`-o syslog_name=submission`).
    var instancesWithQueue: Set<UInt32> = []
    /// The one that was entered last, which is mostly the only one.
    private var lastInstanceWithQueue: UInt32?
    var happenings: [Happening] = []
    private var closing: [Int32] = []
    /// The last time at which ``expire(now:)`` was called: at one time, one call is enough, unless
    /// the front of the list of idle assemblies left it since.
    private var lastExpiry = Int64.min
    /// The message that the last `accepted` fact opened, and on which line: the facts that follow on it
    /// are of the same message.
    var accepted: (sequence: UInt64, key: UInt64, slot: Int32) = (0, 0, -1)
    /// What the other server said, in the line whose delivery was taken in last.
    public internal(set) var reply = LineFact.Piece.absent
    /// Number of the line that is being read, counted over all sources.
    var sequence: UInt64 = 0

    /// Assemblies to be stored again; empty unless ``tracksChanges``.
    var changedSlots: [Int32] = []
    var releasedSerials: [UInt64] = []
    private let tracksChanges: Bool
    let queueKeys: QueueKeys
    private let filters: FilterList
    var sessions: SessionTable
    var splitLines = SplitLines()
    /// The lines that the facts stand on which are being taken in, if they are parts of one.
    var parts: [SplitLines.Part] = []

    /// - Parameters:
    ///   - filters: the content filters that are not on loopback.
    ///   - seed: of the scanners whose facts come in.
    ///   - tracksChanges: whether ``takeChanges()`` will be asked what to store.
    public init(
        limits: AssemblyLimits = AssemblyLimits(),
        filters: FilterList = FilterList(),
        seed: HashSeed,
        tracksChanges: Bool = false
    ) {
        self.limits = limits
        self.filters = filters
        queueKeys = QueueKeys(seed: seed)
        self.tracksChanges = tracksChanges
        sessions = SessionTable(tracksChanges: tracksChanges)
        slots.reserveCapacity(1_024)
    }

    /// How many assemblies are open or wait.
    public var openCount: Int { table.count }

    /// Gives what the last fact brought to light, in order, in exchange for an empty array. The slots
    /// stay valid until ``clearHappenings()``.
    public mutating func takePending(_ pending: inout [Happening]) {
        precondition(pending.isEmpty)
        swap(&pending, &happenings)
    }

    /// Frees what the last happenings needed. To be called before the next fact.
    public mutating func clearHappenings() {
        // They are few: one by one costs less than all at once.
        while !happenings.isEmpty { happenings.removeLast() }
        guard !closing.isEmpty else { return }
        for slot in closing { release(slot) }
        while !closing.isEmpty { closing.removeLast() }
    }

    // MARK: Lines

    /// Takes one fact in.
    ///
    /// - Parameters:
    ///   - fact: what the scanner found.
    ///   - line: the line's bytes, to which the fact's pieces refer.
    ///   - record: where the line was read.
    ///   - sequence: the number of the line in the run.
    ///   - microseconds: its event time.
    /// - Returns: whether it brought something to light: ``pending``.
    public mutating func take(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        record: RecordID,
        sequence: UInt64,
        microseconds: Int64
    ) -> Bool {
        precondition(happenings.isEmpty)
        self.sequence = sequence
        if microseconds != lastExpiry { expire(now: microseconds) }
        join(fact, line, record, microseconds)
        return !happenings.isEmpty
    }

    mutating func join(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ record: RecordID,
        _ microseconds: Int64
    ) {
        switch fact.kind {
        case .time, .canary:
            return
        case .client, .clientAgain:
            if fact.kind == .client || !isOpen(fact, line) {
                open(fact, line, record, microseconds)
            }
            return
        case .local:
            openLocal(fact, line, microseconds)
            return
        case .requeued:
            requeue(fact, line, record, microseconds)
            return
        case .proxied, .proxyEnd, .sessionHeld:
            takeProxy(fact, line, record, microseconds)
            return
        case .accepted:
            accept(fact, line, record, microseconds)
            return
        case .session, .login, .sessionEnd:
            takeSession(fact, line, microseconds)
            return
        case .part:
            takePart(fact, line, record, microseconds)
            return
        case .headerLine, .messageID, .active, .delivery, .held, .released, .removed, .expired,
            .discarded, .sender, .subject, .contentType, .receiptRequest, .recipient, .queued,
            .refused, .note, .cancelled, .redirected, .expanded, .messageLogin, .copied:
            break
        }
        let agent = fact.agent
        if agent == .cleanup || agent == .queueManager, fact.instance != lastInstanceWithQueue {
            lastInstanceWithQueue = fact.instance
            instancesWithQueue.insert(fact.instance)
        }
        var found =
            sequence == accepted.sequence && fact.key == accepted.key
            ? accepted.slot : openSlot(of: fact, line)
        if found == nil, fact.opensMessage || Self.opensMessage(fact) {
            found = openProvisional(fact, line, microseconds)
        }
        guard let slot = found else {
            counters.strayLines &+= 1
            return
        }
        let index = Int(slot)
        if slots[index].instance != fact.instance,
            fact.agent == .cleanup || fact.agent == .queueManager
        {
            // From now on it belongs to the queue of this instance, whatever its smtpd is called.
            slots[index].instance = fact.instance
        }
        guard fact.dialect == .postfix || !isUntimely(fact, in: index) else {
            counters.strayLines &+= 1
            return
        }
        slots[index].lastMicroseconds = microseconds
        markChanged(slot)
        let base = keep(line, record, in: index)
        if fact.form == .listQuoted {
            takeUnquoted(fact, line, record, microseconds, slot)
        } else if fact.form == .sendmail, fact.kind != .subject {
            takeUnescaped(fact, line, record, microseconds, slot)
        } else {
            take(fact, line, base, record, microseconds, slot)
        }
    }

    /// Takes a fact of a known message in.
    ///
    /// - Parameter base: where the line was kept, see ``keep(_:_:in:)``.
    mutating func take(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ base: Int?,
        _ record: RecordID,
        _ microseconds: Int64,
        _ slot: Int32
    ) {
        let index = Int(slot)
        switch fact.kind {
        case .time, .canary, .client, .accepted, .session, .login, .sessionEnd, .part, .clientAgain,
            .local,
            .requeued, .proxied, .proxyEnd, .sessionHeld, .note:
            break
        case .sender, .subject, .contentType, .receiptRequest, .recipient, .queued, .messageLogin:
            takeArrival(fact, line, base, record, microseconds, in: index)
        case .redirected, .expanded:
            takeChange(of: fact, line, base, record, microseconds, in: index)
            closeIfSettled(slot, microseconds, isOutcome: false)
        case .copied:
            copy(fact, line, microseconds, of: index)
        case .headerLine:
            takeHeader(fact, line, base, in: index)
            if fact.header == .subject, slots[index].decided != .unknown {
                carryOut(slots[index].decided, record, microseconds, in: index)
            }
        case .messageID:
            if !slots[index].messageID.isPresent, slots[index].keepsLines {
                slots[index].messageID = place(of: fact.a, line, base, in: index)
            }
        case .active:
            takeActive(fact, line, base, record, microseconds, in: index)
        case .delivery:
            takeDelivery(fact, line, base, record, microseconds, in: index)
            closeIfSettled(slot, microseconds, isOutcome: fact.status.isFinal)
            let outer = self.outer(of: index)
            if outer >= 0 { closeIfSettled(outer, microseconds, isOutcome: false) }
        case .held, .discarded:
            takeHeader(fact, line, base, in: index)
            takeEnvelope(fact, line, base, in: index)
            let decision = fact.kind == .held ? Delivery.held : .discarded
            if fact.kind == .held { slots[index].isHeld = true }
            if fact.agent == .smtpd, !slots[index].subject.isPresent {
                // Its content is not known yet.
                slots[index].decided = decision
            } else {
                carryOut(decision, record, microseconds, in: index)
            }
        case .released:
            release(from: index)
        case .refused:
            settleAll(.bounced, record, microseconds, in: index)
            giveUp(slot)
        case .expired:
            settleAll(.expired, record, microseconds, in: index)
        case .cancelled:
            settleAll(.bounced, record, microseconds, in: index)
        case .removed:
            if fact.agent == .operator { settleAll(.discarded, record, microseconds, in: index) }
            close(slot, microseconds)
        }
    }

    /// Closes everything: the input has ended. Events without a final outcome come out as
    /// ``Happening/unsettled(slot:recipient:)``, in the order of their opening.
    public mutating func finish() {
        precondition(happenings.isEmpty)
        let open = slots.indices
            .filter { slots[$0].state != .free && slots[$0].state != .closing }
            .sorted { slots[$0].serial < slots[$1].serial }
        for index in open { giveUp(Int32(index)) }
    }

    // MARK: Opening and finding

    private mutating func open(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ record: RecordID,
        _ microseconds: Int64
    ) {
        // A `client=` line always starts a new message: short queue IDs come back.
        if let old = openSlot(of: fact, line) { close(old, slots[Int(old)].lastMicroseconds) }
        let slot = openAssembly(fact, line, microseconds)
        let index = Int(slot)
        let hasLogin = fact.b.isPresent
        let isFromFilter = !hasLogin && isFilter(line, client: fact.a.indices)
        slots[index].isFromLoopback = isFromFilter
        if hasLogin {
            counters.submissions += 1
            slots[index].isSubmission = true
        }
        let base = keep(line, record, in: index)
        if slots[index].keepsQueueID {
            slots[index].queueID = place(of: fact.queueID, line, base, in: index)
        }
        if holdingCount > 0 { takeHold(fact, line, in: index) }
        if !slots[index].keepsLines {
            // By it the text of a header is told from what follows.
            slots[index].client = slots[index].append(line.extracting(fact.a.indices))
        } else {
            slots[index].host = place(of: fact.host, line, base, in: index)
            // What cleanup logs as the origin is the forwarded client (smtpd.h, FORWARD_NAMADDR).
            let client = fact.d.isPresent ? fact.d : fact.a
            slots[index].client = place(of: client, line, base, in: index)
        }
        if fact.b.isPresent {
            slots[index].login = place(of: fact.b, line, base, in: index)
        } else if isFromFilter, fact.c.isPresent {
            // XFORWARD's IDENT names the outer message (postconf(5),
            // smtpd_authorized_xforward_hosts).
            let outerID = line.extracting(fact.c.indices)
            let key = queueKeys.key(outerID, hostBytes: line.extracting(fact.host.indices))
            if let outer = slotOpen(key, outerID, isOuter: true) {
                link(inner: slot, to: outer)
                if slots[Int(outer)].forwardedTo < 0 { slots[Int(outer)].forwardedTo = slot }
                markChanged(outer)
            }
        } else if isFromFilter, fact.d.isPresent {
            // A before-queue filter has no outer ID; what it forwards is the client.
            awaitProxy(slot, line.extracting(fact.host.indices), line.extracting(fact.d.indices))
        }
    }

    /// Whether the message that a `client=` line opened is open.
    private mutating func isOpen(_ fact: LineFact, _ line: Span<UInt8>) -> Bool {
        guard let slot = openSlot(of: fact, line) else { return false }
        guard slots[Int(slot)].isSubmission else { return !fact.b.isPresent }
        return slots[Int(slot)].isLogin(line, fact.b.indices)
    }

    /// A message of a program on this machine: no submission, but where it is delivered tells whose
    /// domains are whose.
    private mutating func openLocal(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ microseconds: Int64
    ) {
        if let old = openSlot(of: fact, line) { close(old, slots[Int(old)].lastMicroseconds) }
        let index = Int(openAssembly(fact, line, microseconds))
        slots[index].queueID = slots[index].append(line.extracting(fact.queueID.indices))
    }

    /// A message goes on under another queue ID.
    private mutating func requeue(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ record: RecordID,
        _ microseconds: Int64
    ) {
        let oldID = line.extracting(fact.a.indices)
        let key = queueKeys.key(oldID, hostBytes: line.extracting(fact.host.indices))
        guard let slot = slotOpen(key, oldID, isOuter: true) else {
            openLocal(fact, line, microseconds)
            return
        }
        if let other = openSlot(of: fact, line), other != slot {
            close(other, slots[Int(other)].lastMicroseconds)
        }
        let index = Int(slot)
        table.remove(slots[index].key, slot: slot)
        table.insert(fact.key, slot: slot)
        slots[index].key = fact.key
        slots[index].words = ShortTextWords(line, fact.queueID.indices)
        slots[index].lastMicroseconds = microseconds
        markChanged(slot)
        let base = keep(line, record, in: index)
        if !slots[index].givenID.isPresent { slots[index].givenID = slots[index].queueID }
        slots[index].queueID = place(of: fact.queueID, line, base, in: index)
        release(from: index)
    }

    /// A held message is held no more.
    private mutating func release(from index: Int) {
        slots[index].isHeld = false
        slots[index].decided = .unknown
        for recipient in slots[index].recipients.indices
        where slots[index].recipients[recipient].delivery == .held {
            slots[index].recipients[recipient].delivery = .unknown
        }
    }

    /// What was decided about a message before it reached the queue.
    private mutating func carryOut(
        _ decision: Delivery,
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) {
        settleSubject(in: index)
        submitFirstRecipient(record, microseconds, in: index)
        if decision == .discarded {
            settleAll(.discarded, record, microseconds, in: index)
            close(Int32(index), microseconds)
            return
        }
        for recipient in slots[index].recipients.indices
        where !slots[index].recipients[recipient].delivery.isFinal {
            slots[index].recipients[recipient].delivery = .held
        }
    }

    /// Takes a slot for a message and enters it.
    mutating func openAssembly(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ microseconds: Int64
    ) -> Int32 {
        if table.count >= limits.openMax { closeIdlest() }
        let slot = freeSlots.popLast() ?? newSlot()
        let index = Int(slot)
        slots[index].state = .open
        slots[index].key = fact.key
        slots[index].words = ShortTextWords(line, fact.queueID.indices)
        slots[index].instance = fact.instance
        slots[index].serial = nextSerial
        slots[index].lastMicroseconds = microseconds
        nextSerial += 1
        table.insert(fact.key, slot: slot)
        appendToIdle(slot)
        markChanged(slot)
        return slot
    }

    private mutating func newSlot() -> Int32 {
        slots.append(Assembly())
        return Int32(slots.count - 1)
    }

    /// The open assembly that a line belongs to.
    ///
    /// It is mutating although it changes nothing, like what else is called for many lines: to lend
    /// the whole assembler, the compiler copies it.
    mutating func openSlot(of fact: LineFact, _ line: Span<UInt8>) -> Int32? {
        // What closures use of the fact by itself, so that they need no copy of it.
        let (queueID, instance) = (fact.queueID.indices, fact.instance)
        let isOfSmtpd = fact.agent == .smtpd
        let words = ShortTextWords(line, queueID)
        var others = false
        let exact = table.find(fact.key) { slot in
            let isSame =
                slots[Int(slot)].state == .open
                && slots[Int(slot)].hasQueueID(words, line, queueID)
            if isSame, slots[Int(slot)].instance == instance { return true }
            others = others || isSame
            return false
        }
        if exact != nil || !others { return exact }
        // `-o syslog_name=submission` gives smtpd a tag of its own; it belongs to the instance whose
        // queue its message comes to.
        return table.find(fact.key) { slot in
            slots[Int(slot)].state == .open && slots[Int(slot)].hasQueueID(words, line, queueID)
                && (isOfSmtpd
                    ? !instancesWithQueue.contains(instance)
                    : !instancesWithQueue.contains(slots[Int(slot)].instance))
        }
    }

    @inline(__always)
    private func hasQueueID(_ slot: Int32, _ line: Span<UInt8>) -> Bool {
        let whole = 0..<line.count
        return slots[Int(slot)].hasQueueID(ShortTextWords(line, whole), line, whole)
    }

    /// The open assembly of a queue ID, of whatever instance: an outer message, or (`isOuter`
    /// false) one that came from a filter and is not linked yet.
    mutating func slotOpen(_ key: UInt64, _ queueID: Span<UInt8>, isOuter: Bool) -> Int32? {
        var oldest: Int32?
        _ = table.find(key) { slot in
            let assembly = slots[Int(slot)]
            let fits =
                isOuter
                ? assembly.state == .open
                : (assembly.state == .open || assembly.state == .unlinked
                    || assembly.state == .awaitingInner)
                    && assembly.isFromLoopback && self.outer(of: Int(slot)) < 0
            if fits, hasQueueID(slot, queueID),
                oldest.map({ assembly.serial < slots[Int($0)].serial }) ?? true
            {
                oldest = slot
            }
            return false
        }
        return oldest
    }

    // MARK: Keeping text

    /// Keeps the raw line where it may be proof. Gives the place in the assembly's text at which it
    /// starts, or nil if it was not kept whole.
    mutating func keep(_ line: Span<UInt8>, _ record: RecordID, in index: Int) -> Int? {
        guard slots[index].keepsLines else { return nil }
        guard parts.isEmpty else {
            keepParts(in: index)
            return nil
        }
        if let last = slots[index].lines.last, last.sequence == sequence, last.record == record {
            // A line of several facts is kept once.
            return Int(last.place.start)
        }
        return keepAnother(line, record, sequence, in: index)
    }

    /// The same for a line that is known not to be kept yet.
    mutating func keepAnother(
        _ line: Span<UInt8>,
        _ record: RecordID,
        _ sequence: UInt64,
        in index: Int
    ) -> Int? {
        guard slots[index].lines.count < limits.keptLinesMax else {
            slots[index].linesLeftOut += 1
            counters.linesLeftOut += 1
            return nil
        }
        let isShortened = line.count > AssemblyLimits.keptLineBytesMax
        let kept = isShortened ? line.extracting(0..<AssemblyLimits.keptLineBytesMax) : line
        let place = slots[index].append(kept)
        slots[index].lines.append(
            Assembly.Line(
                record: record,
                sequence: sequence,
                place: place,
                isShortened: isShortened
            )
        )
        return Int(place.start)
    }

    /// Where a piece of the line lies in the assembly's text: within the kept line, or behind it.
    mutating func place(
        of piece: LineFact.Piece,
        _ line: Span<UInt8>,
        _ base: Int?,
        in index: Int
    ) -> TextRange {
        guard piece.isPresent else { return .absent }
        if let base, piece.indices.upperBound <= AssemblyLimits.keptLineBytesMax {
            return TextRange(start: base + Int(piece.start), count: Int(piece.count))
        }
        return slots[index].append(line.extracting(piece.indices))
    }

    // MARK: Headers

    private mutating func takeHeader(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ base: Int?,
        in index: Int
    ) {
        guard fact.a.isPresent else { return }
        guard slots[index].keepsLines, fact.header != .dispositionNotificationTo else {
            takeInboundHeader(fact, line, in: index)
            return
        }
        let isFirst: Bool
        switch fact.header {
        case .subject:
            isFirst = !slots[index].subject.isPresent && !slots[index].subjectRest.isPresent
        case .contentType: isFirst = !slots[index].contentType.isPresent
        case .dispositionNotificationTo, .other, .none: isFirst = false
        }
        guard isFirst else { return }
        slots[index].isRead = false
        let tails = Assembly.headerTails(
            line,
            from: Int(fact.a.start),
            text: slots[index].text,
            client: slots[index].client,
            sender: slots[index].sender
        )
        let rest = place(of: fact.a, line, base, in: index)
        if fact.header == .contentType {
            // A forged tail can only shorten or lengthen the parameters.
            let end = tails.first?.textEnd ?? line.count
            slots[index].contentType = Self.part(of: rest, at: fact.a, Int(fact.a.start)..<end)
            return
        }
        if tails.count == 1, let tail = tails.first {
            slots[index].subject = Self.part(of: rest, at: fact.a, Int(fact.a.start)..<tail.textEnd)
            // Until qmgr names it; it never does for a message that stays on hold.
            if !slots[index].sender.isPresent {
                slots[index].sender = Self.part(of: rest, at: fact.a, tail.sender)
            }
            if let recipient = tail.recipient {
                slots[index].firstRecipient = Self.part(of: rest, at: fact.a, recipient)
            }
        } else {
            // Settled once the sender is known, at the latest when the event is.
            slots[index].subjectRest = rest
        }
    }

    /// What may make a message a bait: its subject, and for whom it asks a receipt. Only what can be
    /// read in one way counts.
    private mutating func takeInboundHeader(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        in index: Int
    ) {
        let asks = fact.header == .dispositionNotificationTo
        let isFirst =
            asks ? !slots[index].request.isPresent : !slots[index].subject.isPresent
        guard isFirst, asks || fact.header == .subject else { return }
        let tails = Assembly.headerTails(
            line,
            from: Int(fact.a.start),
            text: slots[index].text,
            client: slots[index].client,
            sender: slots[index].sender
        )
        guard tails.count == 1, let tail = tails.first else { return }
        let header = Int(fact.a.start)..<tail.textEnd
        if !slots[index].queueID.isPresent {
            slots[index].queueID = slots[index].append(line.extracting(fact.queueID.indices))
        }
        if !slots[index].sender.isPresent {
            slots[index].sender = slots[index].append(line.extracting(tail.sender))
        }
        if !asks {
            slots[index].subject = slots[index].append(line.extracting(header))
        } else if let address = PostfixGrammar.requestedAddress(line, header) {
            slots[index].request = slots[index].append(line.extracting(address))
            if let recipient = tail.recipient, !slots[index].firstRecipient.isPresent {
                slots[index].firstRecipient = slots[index].append(line.extracting(recipient))
            }
        }
    }

    /// The place in the assembly's text of a range of the line, given the place of a piece.
    private static func part(
        of place: TextRange,
        at piece: LineFact.Piece,
        _ range: Range<Int>
    ) -> TextRange {
        TextRange(
            start: Int(place.start) + range.lowerBound - Int(piece.start),
            count: range.count
        )
    }

    /// Sender and first recipient of a line that names them without doubt, where no other did.
    private mutating func takeEnvelope(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ base: Int?,
        in index: Int
    ) {
        guard slots[index].keepsLines else { return }
        if fact.b.isPresent, !slots[index].sender.isPresent {
            slots[index].sender = place(of: fact.b, line, base, in: index)
        }
        if fact.c.isPresent, !slots[index].firstRecipient.isPresent {
            slots[index].firstRecipient = place(of: fact.c, line, base, in: index)
        }
    }

    private mutating func settleSubject(in index: Int) {
        if slots[index].settleSubject() { counters.ambiguousHeaders += 1 }
    }

    // MARK: Queue manager

    private mutating func takeActive(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ base: Int?,
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) {
        guard !slots[index].isActive else { return }
        slots[index].isActive = true
        if slots[index].isHeld { release(from: index) }
        slots[index].senderDomain = fact.domain
        slots[index].hasNullSender = fact.a.isPresent && fact.a.count == 0
        if slots[index].request.isPresent, slots[index].firstRecipient.isPresent,
            !slots[index].isSubmission
        {
            slots[index].isAwaited = true
            happenings.append(.awaited(slot: Int32(index)))
        }
        // Of ordinary inbound mail no more than the sender's domain is asked for.
        guard slots[index].keepsLines else { return }
        slots[index].sender = place(of: fact.a, line, base, in: index)
        settleSubject(in: index)
        submitFirstRecipient(record, microseconds, in: index)
    }

    private mutating func submitFirstRecipient(
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) {
        guard slots[index].keepsLines, slots[index].firstRecipient.isPresent,
            slots[index].recipients.isEmpty
        else { return }
        let address = slots[index].firstRecipient
        let hash = slots[index].hash(ofAddress: address)
        addRecipient(address, hash, record, microseconds, in: index)
    }

    /// - Parameter domain: identity of the address' domain; 0 if it is not known yet.
    mutating func addRecipient(
        _ address: TextRange,
        _ hash: UInt32,
        domain: UInt64 = 0,
        submits: Bool = true,
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) {
        var recipient = Assembly.Recipient(
            address: address,
            target: address,
            hash: hash,
            record: record,
            microseconds: microseconds
        )
        recipient.domainHash = domain
        if slots[index].isHeld { recipient.delivery = .held }
        slots[index].add(recipient)
        if submits { submit(slots[index].recipients.count - 1, record, microseconds, in: index) }
    }

    /// All is known of a recipient that its event needs.
    mutating func submit(
        _ recipient: Int,
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) {
        guard slots[index].isSubmission, !slots[index].recipients[recipient].isSubmitted else {
            return
        }
        slots[index].recipients[recipient].isSubmitted = true
        slots[index].recipients[recipient].record = record
        slots[index].recipients[recipient].microseconds = microseconds
        happenings.append(.submitted(slot: Int32(index), recipient: recipient))
    }

    // MARK: Deliveries

    private mutating func takeDelivery(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ base: Int?,
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) {
        guard fact.status != .other, fact.status != .none else { return }
        reply = fact.d
        settleSubject(in: index)
        if fact.isAmbiguous {
            slots[index].isAmbiguous = true
            // A recipient that holds the end of such a line looks like another's line with a reply that
            // holds one. It names nobody who is not known already.
            if fact.dialect == .postfix, !isKnownRecipient(fact, line, in: index) { return }
        }

        var inner: Int32 = -1
        var isToFilter = false
        var isLocalRelay = false
        if fact.status == .sent {
            isToFilter = filters.has(line, fact.c.indices)
            isLocalRelay = Self.isLocalRelay(line, fact)
            if isToFilter || isLocalRelay { inner = innerSlot(of: fact, line, outer: index) }
        }
        if inner >= 0 { link(inner: inner, to: Int32(index)) }

        var recipientIndex: Int?
        if slots[index].keepsLines {
            recipientIndex = findOrAddRecipient(fact, line, base, record, microseconds, in: index)
        }
        if inner >= 0 || isToFilter {
            noteReceived(fact, line, in: index)
        } else if fact.status == .sent, fact.domain != 0, !fact.isAmbiguous {
            noteDelivered(fact, line, isLocalRelay: isLocalRelay, in: index)
        }
        guard let recipientIndex else { return }
        if inner >= 0 {
            slots[index].recipients[recipientIndex].inner = inner
            takeOutcomeOfInner(inner, for: recipientIndex, record, microseconds, in: index)
            return
        }
        let delivery: Delivery =
            switch fact.status {
            case .sent: isToFilter ? .filtered : .sent
            case .deferred: .deferred
            case .bounced: .bounced
            case .expired: .expired
            case .discarded: .discarded
            case .none, .other: .unknown
            }
        take(delivery, for: recipientIndex, record, microseconds, in: index)
        tellOuter(of: index, recipientIndex, record, microseconds)
    }

    private mutating func isKnownRecipient(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        in index: Int
    ) -> Bool {
        let given = (fact.b.isPresent ? fact.b : fact.a).indices
        let hash = addressHash(line, given)
        return slots[index].recipient(given, of: line, hash: hash) != nil
    }

    /// The recipient of a delivery line. Aliases add deliveries, no recipients: `orig_to=` is what
    /// the client gave.
    private mutating func findOrAddRecipient(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ base: Int?,
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) -> Int? {
        // The address that Sendmail names beside the recipient's may be the sender's own.
        let isGiven =
            fact.b.isPresent
            && !(fact.dialect == .sendmail
                && slots[index].isAddress(slots[index].sender, line.extracting(fact.b.indices)))
        let given = isGiven ? fact.b : fact.a
        // A copy of a recipient that is not named.
        guard given.isPresent else { return nil }
        let hash = addressHash(line, given.indices)
        var found = slots[index].recipient(given.indices, of: line, hash: hash)
        if found == nil, slots[index].hasAllRecipients {
            found = slots[index].recipient(withTarget: given.indices, of: line)
            if found == nil { return nil }
        }
        if found == nil, slots[index].recipients.count >= limits.recipientsMax {
            counters.recipientsLeftOut += 1
            return nil
        }
        if found == nil {
            let address = place(of: given, line, base, in: index)
            addRecipient(
                address,
                hash,
                domain: isGiven ? 0 : fact.domain,
                record,
                microseconds,
                in: index
            )
        }
        let recipientIndex = found ?? slots[index].recipients.count - 1
        submit(recipientIndex, record, microseconds, in: index)
        if isGiven {
            slots[index].recipients[recipientIndex].target = place(
                of: fact.a,
                line,
                base,
                in: index
            )
        }
        return recipientIndex
    }

    mutating func take(
        _ delivery: Delivery,
        for recipient: Int,
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) {
        guard !slots[index].recipients[recipient].isSettled else { return }
        slots[index].recipients[recipient].delivery = delivery
        markChanged(Int32(index))
        guard delivery.isFinal else {
            if slots[index].isHeldAsProof, delivery == .deferred {
                happenings.append(.deferred(slot: Int32(index), recipient: recipient))
            }
            return
        }
        slots[index].recipients[recipient].isSettled = true
        guard slots[index].isSubmission else { return }
        happenings.append(.settled(slot: Int32(index), recipient: recipient))
    }

    /// Tells of an outcome that came before the message was known to be a submission.
    mutating func settleEarly(_ recipient: Int, in index: Int) {
        guard slots[index].isSubmission, slots[index].recipients[recipient].isSettled else {
            return
        }
        happenings.append(.settled(slot: Int32(index), recipient: recipient))
    }

    private mutating func settleAll(
        _ delivery: Delivery,
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) {
        for recipient in slots[index].recipients.indices {
            take(delivery, for: recipient, record, microseconds, in: index)
            tellOuter(of: index, recipient, record, microseconds)
        }
    }

    /// Tells who hosts a domain, and whose mail came to which mailbox. Relays on loopback say
    /// neither: they may be filters whose second half was not seen.
    private mutating func noteDelivered(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        isLocalRelay: Bool,
        in index: Int
    ) {
        switch fact.agent {
        case .mailbox, .lmtp:
            // A filter by LMTP; a mailbox does not queue.
            if fact.agent == .lmtp, isLocalRelay, Self.queuedAs(line, fact.d) != nil { return }
            let sender = slots[index].senderDomain
            happenings.append(
                // Of a line that was cut, no piece lies in the one that comes with the happening.
                fact.account == 0 || !parts.isEmpty
                    ? .delivered(domain: fact.domain, isLocal: true)
                    : .heard(
                        slot: Int32(index),
                        mailbox: fact.account,
                        name: fact.a,
                        domain: fact.domain,
                        sender: sender,
                        isNews: !isAwaited(fact, line, in: index)
                    )
            )
        case .smtp:
            guard !isLocalRelay else { return }
            happenings.append(.delivered(domain: fact.domain, isLocal: false))
        case .discard: noteReceived(fact, line, in: index)
        case .other, .smtpd, .cleanup, .queueManager, .error, .operator, .pickup, .namelessLogin:
            return
        }
    }

    /// Tells that mail came for somebody, by a way that says nothing of whose domain it is: it may be a
    /// bait.
    private mutating func noteReceived(_ fact: LineFact, _ line: Span<UInt8>, in index: Int) {
        guard fact.status == .sent, !slots[index].isSubmission, parts.isEmpty else { return }
        guard slots[index].subject.isPresent || slots[index].request.isPresent else { return }
        guard !isAwaited(fact, line, in: index) else { return }
        happenings.append(.received(slot: Int32(index), name: fact.a))
    }

    /// Whether a delivery is to the recipient of whom ``Happening/awaited(slot:)`` has told.
    private mutating func isAwaited(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        in index: Int
    ) -> Bool {
        guard slots[index].isAwaited else { return false }
        let given = fact.b.isPresent ? fact.b : fact.a
        return slots[index].isFirstRecipient(line, given.indices)
    }

    // MARK: Filters

    /// The message that a filter made of this one: named by the filter's reply, come over loopback
    /// without a login, opened while this one was active.
    private mutating func innerSlot(
        of fact: LineFact,
        _ line: Span<UInt8>,
        outer: Int
    ) -> Int32 {
        let named =
            switch fact.dialect {
            case .exim: Self.eximID(line, fact.d)
            case .sendmail, .openSMTPD: Self.acceptedAs(line, fact.d)
            case .postfix, .exchange, .microsoft365: Self.queuedAs(line, fact.d)
            }
        // Else a reply of the filter's own; what it made may have named its outer message.
        guard let reply = named else { return slots[outer].forwardedTo }
        let queueID = line.extracting(reply)
        let key = queueKeys.key(queueID, hostBytes: line.extracting(fact.host.indices))
        // XFORWARD may have linked it already, to this message or to the first of all.
        let first = self.outer(of: outer)
        let linked = table.find(key) { slot in
            let known = self.outer(of: Int(slot))
            return known >= 0 && (known == Int32(outer) || known == first)
                && Int(slot) != outer && hasQueueID(slot, queueID)
        }
        if let linked { return linked }
        guard let inner = slotOpen(key, queueID, isOuter: false), Int(inner) != outer,
            slots[Int(inner)].serial > slots[outer].serial
        else { return -1 }
        return inner
    }

    /// The slot of the message that a filter made this one of; -1 if there is none, or none any more:
    /// another message may have its slot.
    func outer(of index: Int) -> Int32 {
        let outer = slots[index].outer
        guard outer >= 0, slots[Int(outer)].serial == slots[index].outerSerial,
            slots[Int(outer)].state != .closing, slots[Int(outer)].state != .free
        else { return -1 }
        return outer
    }

    /// Of filters one behind the other, XFORWARD names the first message each time (qmgr_message.c
    /// passes `log_ident` on): the reply of the one before says of which message this one was made.
    private mutating func link(inner: Int32, to outer: Int32) {
        guard inner != outer else { return }
        let before = self.outer(of: Int(inner))
        guard before < 0 || before == self.outer(of: Int(outer)) else { return }
        slots[Int(inner)].outer = outer
        slots[Int(inner)].outerSerial = slots[Int(outer)].serial
        markChanged(inner)
    }

    /// An outcome that the inner message had before the link was known.
    private mutating func takeOutcomeOfInner(
        _ inner: Int32,
        for recipient: Int,
        _ record: RecordID,
        _ microseconds: Int64,
        in index: Int
    ) {
        let target = slots[index].recipients[recipient].target
        let address = Array(slots[index].text[target.indices])
        guard
            let innerRecipient = slots[Int(inner)].recipient(
                0..<address.count,
                of: address.span,
                hash: slots[index].hash(ofAddress: target)
            )
        else { return }
        let delivery = slots[Int(inner)].recipients[innerRecipient].delivery
        guard delivery != .unknown else { return }
        take(delivery, for: recipient, record, microseconds, in: index)
        tellOuter(of: index, recipient, record, microseconds)
    }

    /// Carries an outcome of an inner message to the outer one, and on to that one's own.
    private mutating func tellOuter(
        of inner: Int,
        _ recipient: Int,
        _ record: RecordID,
        _ microseconds: Int64
    ) {
        guard outer(of: inner) >= 0 else { return }
        var untold = [(inner: inner, recipient: recipient)]
        while let (inner, recipient) = untold.popLast() {
            let outer = Int(self.outer(of: inner))
            // An outer message is the older one: no way leads back.
            guard outer >= 0, slots[outer].serial < slots[inner].serial else { continue }
            let address = Array(
                slots[inner].text[slots[inner].recipients[recipient].address.indices]
            )
            let delivery = slots[inner].recipients[recipient].delivery
            for candidate in slots[outer].recipients.indices
            where !slots[outer].recipients[candidate].isSettled
                && slots[outer].isAddress(slots[outer].recipients[candidate].target, address.span)
            {
                take(delivery, for: candidate, record, microseconds, in: outer)
                untold.append((outer, candidate))
            }
        }
    }

    /// Whether a recipient's outcome may still come from the message that a filter made.
    private func awaitsInner(_ recipient: Assembly.Recipient, in slot: Int32) -> Bool {
        guard !recipient.isSettled, recipient.inner >= 0 else { return false }
        let state = slots[Int(recipient.inner)].state
        return (state == .open || state == .awaitingInner)
            && outer(of: Int(recipient.inner)) == slot
    }

    // MARK: Closing

    /// The message left the queue.
    mutating func close(_ slot: Int32, _ microseconds: Int64) {
        let index = Int(slot)
        guard slots[index].state == .open else { return }
        markChanged(slot)
        if slots[index].recipients.contains(where: { awaitsInner($0, in: slot) }) {
            slots[index].state = .awaitingInner
            return
        }
        if slots[index].isFromLoopback, outer(of: index) < 0 {
            slots[index].state = .unlinked
            giveUpLater(slot, microseconds)
            return
        }
        giveUp(slot)
    }

    /// Ends an assembly after a while, if it still waits then.
    mutating func giveUpLater(_ slot: Int32, _ microseconds: Int64) {
        slots[Int(slot)].waitOrder = takeOrder()
        slots[Int(slot)].waitsUntil = microseconds + limits.unlinkedMicrosecondsMax
        expectExpiry(at: slots[Int(slot)].waitsUntil)
        markChanged(slot)
        unlinked.append((slot, slots[Int(slot)].waitOrder, slots[Int(slot)].waitsUntil))
    }

    /// Ends an assembly now, whatever may still come, and those that waited only for it.
    mutating func giveUp(_ slot: Int32) {
        var next: Int32? = slot
        while let slot = next { next = end(slot) }
    }

    /// - Returns: the outer message if it waits, and for nothing any more.
    private mutating func end(_ slot: Int32) -> Int32? {
        let index = Int(slot)
        guard slots[index].state != .free, slots[index].state != .closing else { return nil }
        if slots[index].isHeld { tellOfHeld(index) }
        slots[index].state = .closing
        if slots[index].isSubmission {
            for recipient in slots[index].recipients.indices
            where !slots[index].recipients[recipient].isSettled {
                if slots[index].recipients[recipient].inner >= 0,
                    slots[index].recipients[recipient].delivery == .unknown
                {
                    slots[index].recipients[recipient].delivery = .filtered
                }
                happenings.append(.unsettled(slot: slot, recipient: recipient))
            }
        }
        happenings.append(.closed(slot: slot))
        closing.append(slot)
        let outer = outer(of: index)
        guard outer >= 0, slots[Int(outer)].state == .awaitingInner else { return nil }
        let waitsOn = slots[Int(outer)].recipients.contains { awaitsInner($0, in: outer) }
        return waitsOn ? nil : outer
    }

    /// What is on hold never came to the queue manager, and will not any more.
    private mutating func tellOfHeld(_ index: Int) {
        guard slots[index].isSubmission, let last = slots[index].lines.last else { return }
        settleSubject(in: index)
        submitFirstRecipient(last.record, slots[index].lastMicroseconds, in: index)
    }

    private mutating func release(_ slot: Int32) {
        let index = Int(slot)
        table.remove(slots[index].key, slot: slot)
        removeFromIdle(slot)
        // Nothing may point to a slot that another message will use.
        let outer = Int(outer(of: index))
        if outer >= 0 {
            markChanged(Int32(outer))
            if slots[outer].forwardedTo == slot { slots[outer].forwardedTo = -1 }
            for recipient in slots[outer].recipients.indices
            where slots[outer].recipients[recipient].inner == slot {
                slots[outer].recipients[recipient].inner = -1
                if slots[outer].recipients[recipient].delivery == .unknown {
                    slots[outer].recipients[recipient].delivery = .filtered
                }
                markChanged(Int32(outer))
            }
        }
        if tracksChanges { releasedSerials.append(slots[index].serial) }
        if slots[index].clientKey != 0 { clients.remove(slots[index].clientKey, slot: slot) }
        // Stored properties, one by one: for a computed one the whole assembly would be copied.
        if slots[index].isProxied, slots[index].decided == .held { holdingCount -= 1 }
        slots[index].reset()
        freeSlots.append(slot)
    }

    /// Says that an assembly is to be stored again.
    mutating func markChanged(_ slot: Int32) {
        guard tracksChanges, slot >= 0, !slots[Int(slot)].isChanged else { return }
        slots[Int(slot)].isChanged = true
        changedSlots.append(slot)
    }

    /// Puts restored assemblies back into the table and the lists, in the order that they had there.
    mutating func resume() {
        for index in slots.indices.sorted(by: { slots[$0].idleOrder < slots[$1].idleOrder }) {
            table.insert(slots[index].key, slot: Int32(index))
            let clientKey = slots[index].clientKey
            if clientKey != 0 { clients.insert(clientKey, slot: Int32(index)) }
            if slots[index].isHolding { holdingCount += 1 }
            linkToIdle(Int32(index))
        }
        let waiting = slots.indices.filter { slots[$0].waitOrder > 0 }
        for index in waiting.sorted(by: { slots[$0].waitOrder < slots[$1].waitOrder }) {
            unlinked.append((Int32(index), slots[index].waitOrder, slots[index].waitsUntil))
        }
        let orders = slots.map { max($0.idleOrder, $0.waitOrder) }
        nextOrder = (orders.max() ?? 0) + 1
    }

    private mutating func takeOrder() -> UInt64 {
        defer { nextOrder += 1 }
        return nextOrder
    }

    /// Ends what was idle too long, and what waited in vain for its link.
    private mutating func expire(now: Int64) {
        while unlinkedFirst < unlinked.count {
            let (slot, order, until) = unlinked[unlinkedFirst]
            // One that waits no more holds up nobody.
            let waits =
                slots[Int(slot)].waitOrder == order
                && (slots[Int(slot)].state == .unlinked || slots[Int(slot)].isProvisional)
            guard !waits || until <= now else { break }
            unlinkedFirst += 1
            if waits { giveUp(slot) }
        }
        if unlinkedFirst > 1_024 {
            unlinked.removeSubrange(0..<unlinkedFirst)
            unlinkedFirst = 0
        }
        while idleFirst >= 0,
            slots[Int(idleFirst)].idleMicroseconds + limits.idleMicrosecondsMax <= now
        {
            let slot = idleFirst
            removeFromIdle(slot)
            if slots[Int(slot)].lastMicroseconds + limits.idleMicrosecondsMax <= now {
                counters.closedIdle += 1
                giveUp(slot)
            } else {
                appendToIdle(slot)
            }
        }
        lastExpiry = now
    }

    /// Makes room for another assembly.
    private mutating func closeIdlest() {
        while idleFirst >= 0 {
            let slot = idleFirst
            removeFromIdle(slot)
            if slots[Int(slot)].lastMicroseconds <= slots[Int(slot)].idleMicroseconds {
                counters.closedForSpace += 1
                giveUp(slot)
                return
            }
            appendToIdle(slot)
        }
    }

    // MARK: The list of idle assemblies

    private mutating func appendToIdle(_ slot: Int32) {
        slots[Int(slot)].idleOrder = takeOrder()
        slots[Int(slot)].idleMicroseconds = slots[Int(slot)].lastMicroseconds
        expectExpiry(at: slots[Int(slot)].idleMicroseconds + limits.idleMicrosecondsMax)
        markChanged(slot)
        linkToIdle(slot)
    }

    /// What is due already, since its line came late, ends at the next line.
    mutating func expectExpiry(at microseconds: Int64) {
        if microseconds <= lastExpiry { lastExpiry = .min }
    }

    private mutating func linkToIdle(_ slot: Int32) {
        slots[Int(slot)].idlePrevious = idleLast
        slots[Int(slot)].idleNext = -1
        if idleLast >= 0 { slots[Int(idleLast)].idleNext = slot } else { idleFirst = slot }
        idleLast = slot
    }

    private mutating func removeFromIdle(_ slot: Int32) {
        let previous = slots[Int(slot)].idlePrevious
        let next = slots[Int(slot)].idleNext
        guard previous >= 0 || next >= 0 || idleFirst == slot else { return }
        if previous >= 0 {
            slots[Int(previous)].idleNext = next
        } else {
            idleFirst = next
            // Who is at the front now may have been idle too long, if lines came late.
            lastExpiry = .min
        }
        if next >= 0 { slots[Int(next)].idlePrevious = previous } else { idleLast = previous }
        slots[Int(slot)].idlePrevious = -1
        slots[Int(slot)].idleNext = -1
    }

    // MARK: Relays

    /// Whether the client of a `client=` line may be a filter.
    private func isFilter(_ line: Span<UInt8>, client: Range<Int>) -> Bool {
        Self.isLoopback(line, client) || filters.has(line, client)
    }

    /// Whether the client of a `client=` line is on this machine (RFC 6890: 127.0.0.0/8 and ::1).
    static func isLoopback(_ line: Span<UInt8>, _ client: Range<Int>) -> Bool {
        guard
            let bracket = line.first(
                UInt8(ascii: "["),
                from: client.lowerBound,
                to: client.upperBound
            )
        else { return false }
        return line.has("127.", at: bracket + 1) || line.has("::1]", at: bracket + 1)
    }

    /// Whether the relay is on loopback or a Unix socket, so that it may be a filter.
    static func isLocalRelay(_ line: Span<UInt8>, _ fact: LineFact) -> Bool {
        let relay = fact.c.indices
        if fact.dialect == .sendmail || fact.dialect == .openSMTPD {
            // What they say of a relay's address is read already.
            return isLoopbackAddress(line, relay)
        }
        guard
            let bracket = line.first(
                UInt8(ascii: "["),
                from: relay.lowerBound,
                to: relay.upperBound
            )
        else { return false }
        return line.has("127.", at: bracket + 1) || line.has("::1]", at: bracket + 1)
            || line.has("private/", at: bracket + 1) || line.has("public/", at: bracket + 1)
            || line.has("/", at: bracket + 1)
    }

    /// The queue ID in a reply of Sendmail or OpenSMTPD, which a filter may have passed on: `QID Message
    /// accepted for delivery` (srvrsmtp.c, smtp_session.c).
    static func acceptedAs(_ line: Span<UInt8>, _ reply: LineFact.Piece) -> Range<Int>? {
        guard reply.isPresent else { return nil }
        let end = min(reply.indices.upperBound, line.count)
        let first = min(reply.indices.lowerBound, end)
        guard let words = line.first(" Message accepted for delivery", from: first), words < end
        else { return nil }
        var start = words
        while start > first, SendmailGrammar.isLetterOrDigit(line[start - 1]) { start -= 1 }
        return start < words ? start..<words : nil
    }

    /// The queue ID at the end of a reply: `… queued as 4jY8Gq5M1Bz2NRpQ)`.
    static func queuedAs(_ line: Span<UInt8>, _ reply: LineFact.Piece) -> Range<Int>? {
        guard reply.isPresent else { return nil }
        var end = min(reply.indices.upperBound, line.count)
        let first = reply.indices.lowerBound
        if end > first, line[end - 1] == UInt8(ascii: ")") { end -= 1 }
        return PostfixGrammar.queuedAs(line, in: first..<max(first, end))
    }
}
