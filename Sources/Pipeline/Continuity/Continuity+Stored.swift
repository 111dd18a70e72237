public import Records

extension Continuity {
    /// One piece of the ledger in its stored form. Version 1.
    public struct Piece: Sendable, Equatable {
        public enum Kind: UInt8, Sendable { case day, gap }
        public var kind: Kind
        /// Names the piece among those of its kind.
        public var key: [UInt8]
        /// Nil: the piece is to be removed.
        public var body: [UInt8]?

        public init(kind: Kind, key: [UInt8], body: [UInt8]?) {
            self.kind = kind
            self.key = key
            self.body = body
        }
    }

    /// The pieces that changed since the last call: first those that left, then the others in the
    /// order of their sources and days.
    public mutating func takeChanges() -> [Piece] {
        var pieces: [Piece] = []
        let (removed, changed) = takeChangedDays()
        for removal in removed {
            if removal.isWholeDay {
                pieces.append(Piece(kind: .day, key: Self.key(removal.key), body: nil))
            }
            for index in removal.gaps {
                pieces.append(Piece(kind: .gap, key: Self.key(removal.key, gap: index), body: nil))
            }
        }
        for (key, day) in changed {
            pieces.append(Piece(kind: .day, key: Self.key(key), body: Self.body(day.counts)))
            for index in day.changedGaps.sorted() {
                pieces.append(
                    Piece(
                        kind: .gap,
                        key: Self.key(key, gap: index),
                        body: Self.body(day.gaps[index])
                    )
                )
            }
        }
        return pieces
    }

    /// Takes the stored pieces in, all of them at once and in any order, in place of what is here.
    ///
    /// - Throws: when they are not what ``takeChanges()`` gave; then nothing has changed.
    public mutating func restore(_ pieces: [Piece]) throws(BinaryReadError) {
        var stored: [Key: Day] = [:]
        var gaps: [Key: [Int: Gap]] = [:]
        for piece in pieces {
            guard let bytes = piece.body else { continue }
            var key = BinaryReader(piece.key)
            var body = BinaryReader(bytes)
            let place = Key(source: try key.readString(), day: Int(try key.read(Int32.self)))
            guard try body.read(UInt8.self) == 1 else {
                throw BinaryReadError(offset: 0, expected: "version 1")
            }
            switch piece.kind {
            case .day:
                stored[place, default: Day()].counts = try Self.readCounts(&body)
            case .gap:
                let index = Int(try key.read(UInt32.self))
                gaps[place, default: [:]][index] = try Self.readGap(&body, source: place.source)
            }
            try key.finish()
            try body.finish()
        }
        for (place, found) in gaps {
            guard stored[place] != nil else {
                throw BinaryReadError(offset: 0, expected: "the day of a gap")
            }
            for (count, index) in found.keys.sorted().enumerated() {
                guard count == index, let gap = found[index] else {
                    throw BinaryReadError(offset: 0, expected: "all gaps of a day")
                }
                stored[place]?.gaps.append(gap)
            }
        }
        replaceAll(with: stored)
    }

    // MARK: Keys

    private static func key(_ key: Key, gap: Int? = nil) -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(key.source)
        writer.write(Int32(clamping: key.day))
        if let gap { writer.write(UInt32(clamping: gap)) }
        return writer.bytes
    }

    // MARK: Bodies

    private static func body(_ counts: ContinuityCounts) -> [UInt8] {
        var writer = BinaryWriter(reserving: 80)
        writer.write(UInt8(1))
        writer.write(counts.bytes)
        writer.write(counts.lines)
        write(counts.firstMicroseconds, to: &writer)
        write(counts.lastMicroseconds, to: &writer)
        writer.write(counts.rotations)
        writer.write(counts.cut)
        writer.write(counts.late)
        writer.write(counts.forged)
        return writer.bytes
    }

    private static func readCounts(
        _ reader: inout BinaryReader
    ) throws(BinaryReadError) -> ContinuityCounts {
        var counts = ContinuityCounts()
        counts.bytes = try readCount(&reader)
        counts.lines = try readCount(&reader)
        counts.firstMicroseconds = try readOptional(&reader)
        counts.lastMicroseconds = try readOptional(&reader)
        counts.rotations = try readCount(&reader)
        counts.cut = try readCount(&reader)
        counts.late = try readCount(&reader)
        counts.forged = try readCount(&reader)
        return counts
    }

    private static func body(_ gap: Gap) -> [UInt8] {
        var writer = BinaryWriter(reserving: 96)
        writer.write(UInt8(1))
        writer.write(gap.kind.rawValue)
        write(gap.startMicroseconds, to: &writer)
        write(gap.endMicroseconds, to: &writer)
        write(gap.lines.map(Int64.init), to: &writer)
        write(gap.bytes.map(Int64.init), to: &writer)
        writer.write(gap.count)
        writer.write(gap.detail)
        return writer.bytes
    }

    private static func readGap(
        _ reader: inout BinaryReader,
        source: String
    ) throws(BinaryReadError) -> Gap {
        guard let kind = Gap.Kind(rawValue: try reader.read(UInt8.self)) else {
            throw BinaryReadError(offset: 1, expected: "a kind of gap")
        }
        var gap = Gap(kind, source: source)
        gap.startMicroseconds = try readOptional(&reader)
        gap.endMicroseconds = try readOptional(&reader)
        let lines = try readOptional(&reader)
        let bytes = try readOptional(&reader)
        guard lines ?? 0 >= 0, bytes ?? 0 >= 0 else {
            throw BinaryReadError(offset: 2, expected: "counts that are not negative")
        }
        gap.lines = lines.map(Int.init)
        gap.bytes = bytes.map(Int.init)
        gap.count = try readCount(&reader)
        gap.detail = try reader.readString()
        return gap
    }

    private static func write(_ value: Int64?, to writer: inout BinaryWriter) {
        writer.write(value != nil)
        writer.write(value ?? 0)
    }

    private static func readOptional(
        _ reader: inout BinaryReader
    ) throws(BinaryReadError) -> Int64? {
        let isThere = try reader.readBool()
        let value = try reader.read(Int64.self)
        return isThere ? value : nil
    }

    private static func readCount(_ reader: inout BinaryReader) throws(BinaryReadError) -> Int {
        let count = try reader.read(Int.self)
        guard count >= 0 else {
            throw BinaryReadError(offset: 0, expected: "a count that is not negative")
        }
        return count
    }
}
