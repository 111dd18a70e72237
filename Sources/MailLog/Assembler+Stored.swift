import MailEvents
public import Records

/// One piece of the assembler's state in its stored form.
public struct AssemblerPiece: Sendable, Equatable {
    public enum Kind: UInt8, Sendable { case assembly, clock }
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
        var writer = BinaryWriter()
        writer.write(UInt8(1))
        writer.write(nextSerial)
        writer.write(UInt32(instancesWithQueue.count))
        for instance in instancesWithQueue.sorted() { writer.write(instance) }
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
        writer.write(UInt8(1))
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
        writer.write(serial(of: assembly.outer))
        return writer.bytes
    }

    private static func write(_ range: TextRange, to writer: inout BinaryWriter) {
        writer.write(range.start)
        writer.write(range.count)
    }

    /// Takes stored pieces in, all of them; the assembler must be empty.
    public mutating func restore(_ pieces: [AssemblerPiece]) throws(BinaryReadError) {
        precondition(slots.isEmpty)
        var slotOfSerial: [UInt64: Int32] = [:]
        var links: [(slot: Int32, outer: UInt64, inner: [UInt64])] = []
        for piece in pieces {
            guard let body = piece.body else { continue }
            var reader = BinaryReader(body)
            guard try reader.read(UInt8.self) == 1 else {
                throw BinaryReadError(offset: 0, expected: "an assembly of version 1")
            }
            switch piece.kind {
            case .clock:
                nextSerial = try reader.read(UInt64.self)
                for _ in 0..<(try reader.readCount(ofSize: 4)) {
                    instancesWithQueue.insert(try reader.read(UInt32.self))
                }
            case .assembly:
                let (assembly, outer, inner) = try Self.readAssembly(&reader)
                let slot = Int32(slots.count)
                slotOfSerial[assembly.serial] = slot
                slots.append(assembly)
                links.append((slot, outer, inner))
            }
            try reader.finish()
        }
        for (slot, outer, inner) in links {
            slots[Int(slot)].outer = slotOfSerial[outer] ?? -1
            for (index, serial) in inner.enumerated() {
                slots[Int(slot)].recipients[index].inner = slotOfSerial[serial] ?? -1
            }
        }
        let byIdleness = slots.indices.sorted {
            (slots[$0].idleMicroseconds, slots[$0].serial)
                < (slots[$1].idleMicroseconds, slots[$1].serial)
        }
        for index in byIdleness { resume(Int32(index)) }
    }

    private static func readRange(
        _ reader: inout BinaryReader,
        within count: Int
    ) throws(BinaryReadError) -> TextRange {
        let start = try reader.read(UInt32.self)
        let length = try reader.read(UInt32.self)
        guard start != .max else { return .absent }
        guard UInt64(start) + UInt64(length) <= UInt64(count) else {
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

    private static func readAssembly(
        _ reader: inout BinaryReader
    ) throws(BinaryReadError) -> (Assembly, outer: UInt64, inner: [UInt64]) {
        var assembly = Assembly()
        guard let state = Assembly.State(rawValue: try reader.read(UInt8.self)),
            state != .free, state != .closing
        else { throw BinaryReadError(offset: 1, expected: "the state of an open assembly") }
        assembly.state = state
        assembly.key = try reader.read(UInt64.self)
        guard assembly.key != 0 else { throw BinaryReadError(offset: 2, expected: "a key") }
        assembly.instance = try reader.read(UInt32.self)
        assembly.serial = try reader.read(UInt64.self)
        assembly.lastMicroseconds = try reader.read(Int64.self)
        assembly.idleMicroseconds = try reader.read(Int64.self)
        assembly.text = try reader.readBytes()
        let count = assembly.text.count
        for _ in 0..<(try reader.readCount(ofSize: 30)) {
            let record = try readRecord(&reader)
            let sequence = try reader.read(UInt64.self)
            let place = try readRange(&reader, within: count)
            let isShortened = try reader.readBool()
            assembly.lines.append(
                Assembly.Line(
                    record: record,
                    sequence: sequence,
                    place: place,
                    isShortened: isShortened
                )
            )
        }
        assembly.linesLeftOut = Int(try reader.read(UInt32.self))
        var inner: [UInt64] = []
        for _ in 0..<(try reader.readCount(ofSize: 56)) {
            let address = try readRange(&reader, within: count)
            let target = try readRange(&reader, within: count)
            let hash = try reader.read(UInt32.self)
            guard let delivery = Delivery(rawValue: try reader.read(UInt8.self)) else {
                throw BinaryReadError(offset: 0, expected: "a delivery")
            }
            let isSubmitted = try reader.readBool()
            let isSettled = try reader.readBool()
            inner.append(try reader.read(UInt64.self))
            let record = try readRecord(&reader)
            let microseconds = try reader.read(Int64.self)
            var recipient = Assembly.Recipient(
                address: address,
                target: target,
                hash: hash,
                record: record,
                microseconds: microseconds
            )
            recipient.delivery = delivery
            recipient.isSubmitted = isSubmitted
            recipient.isSettled = isSettled
            recipient.facts = try DerivedFacts(from: &reader)
            assembly.recipients.append(recipient)
        }
        assembly.queueID = try readRange(&reader, within: count)
        assembly.host = try readRange(&reader, within: count)
        assembly.client = try readRange(&reader, within: count)
        assembly.login = try readRange(&reader, within: count)
        assembly.sender = try readRange(&reader, within: count)
        assembly.messageID = try readRange(&reader, within: count)
        assembly.subject = try readRange(&reader, within: count)
        assembly.subjectRest = try readRange(&reader, within: count)
        assembly.contentType = try readRange(&reader, within: count)
        assembly.firstRecipient = try readRange(&reader, within: count)
        assembly.isActive = try reader.readBool()
        assembly.isHeld = try reader.readBool()
        assembly.isAmbiguous = try reader.readBool()
        assembly.isHeldAsProof = try reader.readBool()
        assembly.isFromLoopback = try reader.readBool()
        let outer = try reader.read(UInt64.self)
        return (assembly, outer, inner)
    }
}
