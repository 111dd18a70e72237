public import Records

extension LineKeeper {
    /// A part of what is kept, in its stored form. Version 1.
    public struct Piece: Sendable, Hashable {
        public enum Kind: UInt8, Sendable {
            /// Who holds an assembly: small, and changes often.
            case hold
            /// Its lines: large, and written once or twice.
            case lines
        }

        public var kind: Kind
        /// Names the piece among those of its kind: the serial number.
        public var key: [UInt8]
        /// Nil: the piece is gone from the store.
        public var body: [UInt8]?

        public init(kind: Kind, key: [UInt8], body: [UInt8]?) {
            self.kind = kind
            self.key = key
            self.body = body
        }
    }

    /// The pieces that changed since the last call, in the order of their first change.
    public mutating func takeChanges() -> [Piece] {
        var pieces: [Piece] = []
        for serial in changed {
            var key = BinaryWriter(reserving: 8)
            key.write(serial)
            let entry = entries[serial]
            if let entry, entry.isHoldChanged {
                pieces.append(Piece(kind: .hold, key: key.bytes, body: Self.holdBody(entry)))
                storedHolds.insert(serial)
            } else if entry == nil, storedHolds.remove(serial) != nil {
                pieces.append(Piece(kind: .hold, key: key.bytes, body: nil))
            }
            let lines = entry?.lines ?? []
            if lines.isEmpty, storedLines.remove(serial) != nil {
                pieces.append(Piece(kind: .lines, key: key.bytes, body: nil))
            } else if !lines.isEmpty, entry?.areLinesChanged ?? false {
                pieces.append(Piece(kind: .lines, key: key.bytes, body: Self.linesBody(lines)))
                storedLines.insert(serial)
            }
            entries[serial]?.isHoldChanged = false
            entries[serial]?.areLinesChanged = false
        }
        changed.removeAll(keepingCapacity: true)
        changedSerials.removeAll(keepingCapacity: true)
        return pieces
    }

    /// Takes a stored piece in; pieces may come in any order, and after the last of them
    /// ``dropUnheld()``.
    ///
    /// - Throws: when the piece is not what ``takeChanges()`` gave; then nothing is taken in.
    public mutating func restore(_ piece: Piece) throws(BinaryReadError) {
        var key = BinaryReader(piece.key)
        let serial = try key.read(UInt64.self)
        try key.finish()
        guard let bytes = piece.body else {
            throw BinaryReadError(offset: 0, expected: "a body")
        }
        var body = BinaryReader(bytes)
        guard try body.read(UInt8.self) == 1 else {
            throw BinaryReadError(offset: 0, expected: "version 1")
        }
        switch piece.kind {
        case .hold:
            let holdCount = try body.read(UInt32.self)
            let isIncomplete = try body.readBool()
            try body.finish()
            restore(serial) {
                $0.holdCount = holdCount
                $0.isIncomplete = isIncomplete
            }
            storedHolds.insert(serial)
        case .lines:
            let lines = try Self.readLines(&body)
            try body.finish()
            restore(serial) { $0.lines = lines }
            storedLines.insert(serial)
        }
    }

    private static func holdBody(_ entry: Entry) -> [UInt8] {
        var body = BinaryWriter(reserving: 6)
        body.write(UInt8(1))
        body.write(entry.holdCount)
        body.write(entry.isIncomplete)
        return body.bytes
    }

    private static func linesBody(_ lines: [KeptLine]) -> [UInt8] {
        var body = BinaryWriter(reserving: lines.reduce(5) { $0 + $1.bytes.count + lineBytesMin })
        body.write(UInt8(1))
        body.write(UInt32(lines.count))
        for line in lines {
            body.write(line.record.source.rawValue)
            body.write(line.record.file.rawValue)
            body.write(line.record.offset)
            body.write(line.sequence)
            body.write(line.isShortened)
            body.write(line.bytes)
        }
        return body.bytes
    }

    /// Bytes of an empty line: source, file, offset, sequence, mark and the count of its bytes.
    private static let lineBytesMin = 2 + 4 + 8 + 8 + 1 + 4

    private static func readLines(
        _ body: inout BinaryReader
    ) throws(BinaryReadError) -> [KeptLine] {
        let count = try body.readCount(ofSize: lineBytesMin)
        var lines: [KeptLine] = []
        lines.reserveCapacity(count)
        for _ in 0..<count {
            let record = RecordID(
                source: SourceNumber(try body.read(UInt16.self)),
                file: FileNumber(try body.read(UInt32.self)),
                offset: try body.read(UInt64.self)
            )
            let sequence = try body.read(UInt64.self)
            guard lines.last.map({ $0.sequence < sequence }) ?? true else {
                throw BinaryReadError(offset: 0, expected: "lines in ascending order")
            }
            let isShortened = try body.readBool()
            lines.append(
                KeptLine(
                    record: record,
                    sequence: sequence,
                    bytes: try body.readBytes(),
                    isShortened: isShortened
                )
            )
        }
        return lines
    }
}
