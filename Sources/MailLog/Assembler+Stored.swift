import MailEvents
public import Records

/// One piece of the assembler's state in its stored form.
public struct AssemblerPiece: Sendable, Equatable {
    public enum Kind: UInt8, Sendable { case assembly, clock, session }
    public var kind: Kind
    public var key: [UInt8]
    /// Nil: the piece is gone.
    public var body: [UInt8]?

    public init(kind: Kind, key: [UInt8], body: [UInt8]?) {
        self.kind = kind
        self.key = key
        self.body = body
    }
}

extension Assembler {
    /// What changed since the last call; only if ``tracksChanges`` was set from the beginning.
    public mutating func takeChanges() -> [AssemblerPiece] {
        var pieces: [AssemblerPiece] = []
        for serial in releasedSerials {
            pieces.append(AssemblerPiece(kind: .assembly, key: Self.key(serial), body: nil))
        }
        releasedSerials.removeAll(keepingCapacity: true)
        for slot in changedSlots where slots[Int(slot)].isChanged {
            slots[Int(slot)].isChanged = false
            pieces.append(
                AssemblerPiece(
                    kind: .assembly,
                    key: Self.key(slots[Int(slot)].serial),
                    body: stored(slot)
                )
            )
        }
        changedSlots.removeAll(keepingCapacity: true)
        pieces += sessions.takeChanges()
        var writer = BinaryWriter()
        writer.write(UInt8(2))
        writer.write(nextSerial)
        writer.write(UInt32(instancesWithQueue.count))
        for instance in instancesWithQueue.sorted() { writer.write(instance) }
        writer.write(tellsProxyEnds)
        splitLines.write(to: &writer)
        pieces.append(AssemblerPiece(kind: .clock, key: [], body: writer.bytes))
        return pieces
    }

    private static func key(_ serial: UInt64) -> [UInt8] {
        var writer = BinaryWriter(reserving: 8)
        writer.write(serial)
        return writer.bytes
    }

    /// Links are stored as serials: slots are of one run.
    private func stored(_ slot: Int32) -> [UInt8] {
        func serial(of other: Int32) -> UInt64 { other < 0 ? 0 : slots[Int(other)].serial }
        let assembly = slots[Int(slot)]
        var writer = BinaryWriter(reserving: assembly.text.count + 256)
        writer.write(UInt8(5))
        writer.write(assembly.state.rawValue)
        writer.write(assembly.key)
        writer.write(assembly.instance)
        writer.write(assembly.serial)
        writer.write(assembly.lastMicroseconds)
        writer.write(assembly.idleMicroseconds)
        writer.write(assembly.text)
        writer.write(UInt32(assembly.lines.count))
        for line in assembly.lines {
            writer.write(line.record.source.rawValue)
            writer.write(line.record.file.rawValue)
            writer.write(line.record.offset)
            writer.write(line.sequence)
            Self.write(line.place, to: &writer)
            writer.write(line.isShortened)
        }
        writer.write(UInt32(assembly.linesLeftOut))
        writer.write(UInt32(assembly.recipients.count))
        for recipient in assembly.recipients {
            Self.write(recipient.address, to: &writer)
            Self.write(recipient.target, to: &writer)
            writer.write(recipient.hash)
            writer.write(recipient.delivery.rawValue)
            writer.write(recipient.isSubmitted)
            writer.write(recipient.isSettled)
            writer.write(serial(of: recipient.inner))
            writer.write(recipient.record.source.rawValue)
            writer.write(recipient.record.file.rawValue)
            writer.write(recipient.record.offset)
            writer.write(recipient.microseconds)
            recipient.facts.write(to: &writer)
            writer.write(recipient.facts.isKnown)
            writer.write(recipient.facts.isUnseenKnown)
            writer.write(recipient.facts.isAwaited)
            writer.write(recipient.domainHash)
        }
        for range in [
            assembly.queueID, assembly.host, assembly.client, assembly.login, assembly.sender,
            assembly.messageID, assembly.subject, assembly.subjectRest, assembly.contentType,
            assembly.firstRecipient,
        ] {
            Self.write(range, to: &writer)
        }
        for flag in [
            assembly.isActive, assembly.isHeld, assembly.isAmbiguous, assembly.isHeldAsProof,
            assembly.isFromLoopback,
        ] {
            writer.write(flag)
        }
        writer.write(serial(of: outer(of: Int(slot))))
        writer.write(assembly.senderDomain)
        writer.write(assembly.hasNullSender)
        writer.write(assembly.dialect.rawValue)
        writer.write(assembly.subjectForm.rawValue)
        writer.write(assembly.isProvisional)
        writer.write(assembly.recipientsExpected)
        writer.write(assembly.recipientsDone)
        Self.write(assembly.clientIP, to: &writer)
        Self.write(assembly.clientName, to: &writer)
        Self.write(assembly.request, to: &writer)
        writer.write(assembly.isAwaited)
        writer.write(UInt32(assembly.baits.count))
        for (recipient, bait) in assembly.baits {
            writer.write(UInt32(recipient))
            Bait.write(bait, to: &writer)
        }
        writer.write(assembly.words.first)
        writer.write(assembly.words.middle)
        writer.write(assembly.words.last)
        writer.write(UInt32(truncatingIfNeeded: assembly.words.count))
        Self.write(assembly.givenID, to: &writer)
        writer.write(assembly.decided.rawValue)
        writer.write(assembly.isProxied)
        writer.write(assembly.clientKey)
        writer.write(assembly.session)
        writer.write(serial(of: assembly.forwardedTo))
        writer.write(assembly.idleOrder)
        writer.write(assembly.waitOrder)
        writer.write(assembly.waitsUntil)
        Self.write(assembly.ownLogin, to: &writer)
        return writer.bytes
    }

    private static func write(_ range: TextRange, to writer: inout BinaryWriter) {
        writer.write(range.start)
        writer.write(range.count)
    }

    /// What an assembly was linked to, by serials: its slot and theirs are of another run.
    private struct Links {
        var slot: Int32
        var outer: UInt64
        var forwardedTo: UInt64
        /// For each recipient.
        var inner: [UInt64]
    }

    /// Takes stored pieces in, all of them; the assembler must be empty.
    public mutating func restore(_ pieces: [AssemblerPiece]) throws(BinaryReadError) {
        precondition(slots.isEmpty)
        var links: [Links] = []
        try sessions.restore(pieces.compactMap { $0.kind == .session ? $0.body : nil })
        for piece in pieces {
            guard let body = piece.body else { continue }
            switch piece.kind {
            case .clock: try restoreClock(body)
            case .assembly: links.append(try restoreAssembly(body))
            case .session: break
            }
        }
        relink(links)
        resume()
    }

    private mutating func restoreClock(_ body: [UInt8]) throws(BinaryReadError) {
        var reader = BinaryReader(body)
        let version = try reader.read(UInt8.self)
        guard (1...2).contains(version) else {
            throw BinaryReadError(offset: 0, expected: "the assembler's clock of version 1 or 2")
        }
        nextSerial = try reader.read(UInt64.self)
        let count = try reader.readCount(ofSize: 4)
        for _ in 0..<count { instancesWithQueue.insert(try reader.read(UInt32.self)) }
        if version >= 2 { tellsProxyEnds = try reader.readBool() }
        if version >= 2 { try splitLines.restore(from: &reader) }
        try reader.finish()
    }

    private mutating func restoreAssembly(_ body: [UInt8]) throws(BinaryReadError) -> Links {
        var reader = BinaryReader(body)
        let version = try reader.read(UInt8.self)
        guard (1...5).contains(version) else {
            throw BinaryReadError(offset: 0, expected: "an assembly of version 1 to 5")
        }
        var (assembly, outer, inner) = try Self.readAssembly(&reader, version)
        // Version 1 kept the sender itself; what a message of then delivers teaches nothing.
        if version >= 2 { assembly.senderDomain = try reader.read(UInt64.self) }
        if version >= 5 { assembly.hasNullSender = try reader.readBool() }
        if version >= 3 { try assembly.readArrival(&reader) }
        var forwardedTo: UInt64 = 0
        if version >= 4 {
            forwardedTo = try assembly.readDetours(&reader)
            assembly.idleOrder = try reader.read(UInt64.self)
            assembly.waitOrder = try reader.read(UInt64.self)
            assembly.waitsUntil = try reader.read(Int64.self)
            try assembly.readOwnLogin(&reader)
        } else {
            // The order of opening is nearly that of idleness.
            assembly.idleOrder = assembly.serial
            if assembly.state == .unlinked {
                assembly.waitOrder = assembly.serial
                assembly.waitsUntil = assembly.lastMicroseconds + limits.unlinkedMicrosecondsMax
            }
        }
        try reader.finish()
        slots.append(assembly)
        return Links(
            slot: Int32(slots.count - 1),
            outer: outer,
            forwardedTo: forwardedTo,
            inner: inner
        )
    }

    private mutating func relink(_ links: [Links]) {
        var slotOfSerial: [UInt64: Int32] = [:]
        for index in slots.indices { slotOfSerial[slots[index].serial] = Int32(index) }
        for link in links {
            let index = Int(link.slot)
            slots[index].outer = slotOfSerial[link.outer] ?? -1
            slots[index].outerSerial = link.outer
            slots[index].forwardedTo = slotOfSerial[link.forwardedTo] ?? -1
            for (recipient, serial) in link.inner.enumerated() {
                slots[index].recipients[recipient].inner = slotOfSerial[serial] ?? -1
            }
        }
    }

    private static func readAssembly(
        _ reader: inout BinaryReader,
        _ version: UInt8
    ) throws(BinaryReadError) -> (Assembly, outer: UInt64, inner: [UInt64]) {
        var assembly = Assembly()
        guard let state = Assembly.State(rawValue: try reader.read(UInt8.self)),
            state != .free, state != .closing
        else { throw BinaryReadError(offset: 1, expected: "the state of an open assembly") }
        assembly.state = state
        try assembly.readHead(&reader)
        try assembly.readLines(&reader)
        let inner = try assembly.readRecipients(&reader, version)
        try assembly.readTexts(&reader)
        let outer = try reader.read(UInt64.self)
        return (assembly, outer, inner)
    }
}

extension Assembly {
    fileprivate mutating func readHead(_ reader: inout BinaryReader) throws(BinaryReadError) {
        key = try reader.read(UInt64.self)
        guard key != 0 else { throw BinaryReadError(offset: 2, expected: "a key") }
        instance = try reader.read(UInt32.self)
        serial = try reader.read(UInt64.self)
        lastMicroseconds = try reader.read(Int64.self)
        idleMicroseconds = try reader.read(Int64.self)
        text = try reader.readBytes()
    }

    fileprivate mutating func readLines(_ reader: inout BinaryReader) throws(BinaryReadError) {
        let count = try reader.readCount(ofSize: 30)
        for _ in 0..<count {
            let record = try Self.readRecord(&reader)
            let sequence = try reader.read(UInt64.self)
            let place = try readRange(&reader)
            let isShortened = try reader.readBool()
            lines.append(
                Line(record: record, sequence: sequence, place: place, isShortened: isShortened)
            )
        }
        linesLeftOut = Int(try reader.read(UInt32.self))
    }

    /// - Returns: for each recipient, the serial of the message that a filter made of it; 0 if none.
    fileprivate mutating func readRecipients(
        _ reader: inout BinaryReader,
        _ version: UInt8
    ) throws(BinaryReadError) -> [UInt64] {
        var inner: [UInt64] = []
        let count = try reader.readCount(ofSize: 56)
        for _ in 0..<count {
            inner.append(try readRecipient(&reader, version))
        }
        return inner
    }

    private mutating func readRecipient(
        _ reader: inout BinaryReader,
        _ version: UInt8
    ) throws(BinaryReadError) -> UInt64 {
        let address = try readRange(&reader)
        let target = try readRange(&reader)
        _ = try reader.read(UInt32.self)
        guard let delivery = Delivery(rawValue: try reader.read(UInt8.self)) else {
            throw BinaryReadError(offset: 0, expected: "a delivery")
        }
        let isSubmitted = try reader.readBool()
        let isSettled = try reader.readBool()
        let inner = try reader.read(UInt64.self)
        let record = try Self.readRecord(&reader)
        let microseconds = try reader.read(Int64.self)
        var recipient = Recipient(
            address: address,
            target: target,
            // Made anew: how it is computed belongs to the program, not to the stored form.
            hash: hash(ofAddress: address),
            record: record,
            microseconds: microseconds
        )
        recipient.delivery = delivery
        recipient.isSubmitted = isSubmitted
        recipient.isSettled = isSettled
        recipient.facts = try DerivedFacts(from: &reader, version: version < 5 ? 1 : 2)
        recipient.facts.isKnown = version < 3 ? true : try reader.readBool()
        recipient.facts.isUnseenKnown =
            version < 5 ? recipient.facts.isKnown : try reader.readBool()
        recipient.facts.isAwaited = version < 5 ? false : try reader.readBool()
        if version >= 2 { recipient.domainHash = try reader.read(UInt64.self) }
        add(recipient)
        return inner
    }

    fileprivate mutating func readTexts(_ reader: inout BinaryReader) throws(BinaryReadError) {
        queueID = try readRange(&reader)
        words = ShortTextWords(text.span, queueID.indices)
        host = try readRange(&reader)
        client = try readRange(&reader)
        login = try readRange(&reader)
        isSubmission = login.isPresent
        sender = try readRange(&reader)
        messageID = try readRange(&reader)
        subject = try readRange(&reader)
        subjectRest = try readRange(&reader)
        contentType = try readRange(&reader)
        firstRecipient = try readRange(&reader)
        isActive = try reader.readBool()
        isHeld = try reader.readBool()
        isAmbiguous = try reader.readBool()
        isHeldAsProof = try reader.readBool()
        isFromLoopback = try reader.readBool()
    }

    fileprivate mutating func readArrival(_ reader: inout BinaryReader) throws(BinaryReadError) {
        guard let dialect = Dialect(rawValue: try reader.read(UInt8.self)),
            let form = LineFact.TextForm(rawValue: try reader.read(UInt8.self))
        else { throw BinaryReadError(offset: 0, expected: "a dialect and the form of a text") }
        self.dialect = dialect
        subjectForm = form
        isProvisional = try reader.readBool()
        recipientsExpected = try reader.read(UInt32.self)
        recipientsDone = try reader.read(UInt32.self)
        clientIP = try readRange(&reader)
        clientName = try readRange(&reader)
        request = try readRange(&reader)
        isAwaited = try reader.readBool()
        let baitCount = try reader.readCount(ofSize: 5)
        for _ in 0..<baitCount {
            let recipient = Int(try reader.read(UInt32.self))
            if let bait = try Bait.read(&reader) { baits.append((recipient, bait)) }
        }
        words.first = try reader.read(UInt64.self)
        words.middle = try reader.read(UInt64.self)
        words.last = try reader.read(UInt64.self)
        words.count = Int(try reader.read(UInt32.self))
    }

    /// What holds, filters and postsuper did to it.
    ///
    /// - Returns: the serial of the message that a filter made of it; 0 if none said so.
    fileprivate mutating func readDetours(
        _ reader: inout BinaryReader
    ) throws(BinaryReadError) -> UInt64 {
        givenID = try readRange(&reader)
        guard let decided = Delivery(rawValue: try reader.read(UInt8.self)) else {
            throw BinaryReadError(offset: 0, expected: "a decision")
        }
        self.decided = decided
        isProxied = try reader.readBool()
        clientKey = try reader.read(UInt64.self)
        session = try reader.read(UInt64.self)
        return try reader.read(UInt64.self)
    }

    fileprivate mutating func readOwnLogin(_ reader: inout BinaryReader) throws(BinaryReadError) {
        ownLogin = try readRange(&reader)
    }

    /// A range of ``text``, which must have been read before.
    private func readRange(_ reader: inout BinaryReader) throws(BinaryReadError) -> TextRange {
        let start = try reader.read(UInt32.self)
        let length = try reader.read(UInt32.self)
        guard start != .max else { return .absent }
        guard UInt64(start) + UInt64(length) <= UInt64(text.count) else {
            throw BinaryReadError(offset: 0, expected: "a range within the assembly's text")
        }
        return TextRange(start: Int(start), count: Int(length))
    }

    private static func readRecord(
        _ reader: inout BinaryReader
    ) throws(BinaryReadError) -> RecordID {
        let source = SourceNumber(try reader.read(UInt16.self))
        let file = FileNumber(try reader.read(UInt32.self))
        return RecordID(source: source, file: file, offset: try reader.read(UInt64.self))
    }
}
