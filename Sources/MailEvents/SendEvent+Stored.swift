public import Records

extension SendEvent {
    /// Appends the stored form. Version 3.
    public func write(to writer: inout BinaryWriter) {
        writer.write(UInt8(3))
        writer.write(text)
        for range in ranges {
            writer.write(range.start)
            writer.write(range.count)
        }
        writer.write(submittedMicroseconds)
        writer.write(settledMicroseconds)
        writer.write(phase == .settled)
        writer.write(receipt.rawValue)
        writer.write(receiptEvidence.rawValue)
        writer.write(delivery.rawValue)
        writer.write(isAmbiguous)
        writer.write(record.source.rawValue)
        writer.write(record.file.rawValue)
        writer.write(record.offset)
        facts.write(to: &writer)
        writer.write(dialect.rawValue)
        Bait.write(bait, to: &writer)
    }

    private var ranges: [TextRange] {
        [
            user, account, sourceIP, sourceDomain, queueID, messageID, sender, recipient, domain,
            subject, payload, host,
        ]
    }

    /// Reads what ``write(to:)`` wrote.
    public init(from reader: inout BinaryReader) throws(BinaryReadError) {
        self.init()
        let version = try reader.read(UInt8.self)
        guard (1...3).contains(version) else {
            throw BinaryReadError(offset: 0, expected: "an event of version 1 to 3")
        }
        text = try reader.readBytes()
        var ranges: [TextRange] = []
        for _ in 0..<12 {
            let start = try reader.read(UInt32.self)
            let count = try reader.read(UInt32.self)
            if start == .max {
                ranges.append(.absent)
                continue
            }
            guard UInt64(start) + UInt64(count) <= UInt64(text.count) else {
                throw BinaryReadError(offset: 0, expected: "a range within the event's text")
            }
            ranges.append(TextRange(start: Int(start), count: Int(count)))
        }
        user = ranges[0]
        account = ranges[1]
        sourceIP = ranges[2]
        sourceDomain = ranges[3]
        queueID = ranges[4]
        messageID = ranges[5]
        sender = ranges[6]
        recipient = ranges[7]
        domain = ranges[8]
        subject = ranges[9]
        payload = ranges[10]
        host = ranges[11]
        submittedMicroseconds = try reader.read(Int64.self)
        settledMicroseconds = try reader.read(Int64.self)
        phase = try reader.readBool() ? .settled : .submitted
        receipt = try Self.known(Receipt(rawValue: try reader.read(UInt8.self)), "a receipt")
        receiptEvidence = try Self.known(
            ReceiptEvidence(rawValue: try reader.read(UInt8.self)),
            "evidence of a receipt"
        )
        delivery = try Self.known(Delivery(rawValue: try reader.read(UInt8.self)), "a delivery")
        isAmbiguous = try reader.readBool()
        let source = SourceNumber(try reader.read(UInt16.self))
        let file = FileNumber(try reader.read(UInt32.self))
        record = RecordID(source: source, file: file, offset: try reader.read(UInt64.self))
        facts = try DerivedFacts(from: &reader, version: version < 3 ? 1 : 2)
        facts.isKnown = true
        facts.isUnseenKnown = true
        guard version >= 2 else { return }
        dialect = try Self.known(Dialect(rawValue: try reader.read(UInt8.self)), "a dialect")
        bait = try Bait.read(&reader)
    }

    private static func known<Value>(
        _ value: Value?,
        _ expected: String
    ) throws(BinaryReadError) -> Value {
        guard let value else { throw BinaryReadError(offset: 0, expected: expected) }
        return value
    }
}
