public import Records

extension Coverage {
    /// One piece of the watch in its stored form. Version 1.
    public struct Piece: Sendable, Equatable {
        public enum Kind: UInt8, Sendable {
            /// The window, the present slot, and what was told.
            case clock
            /// An hour before the window.
            case hour
            /// The slots of one of the seven days.
            case day
        }
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

    /// The pieces that changed since the last call.
    public mutating func takeChanges() -> [Piece] {
        defer { changes = Changed() }
        var pieces: [Piece] = []
        if changes.isClock { pieces.append(Piece(kind: .clock, key: [], body: clock)) }
        for hour in changes.hours.sorted() {
            var key = BinaryWriter(reserving: 8)
            key.write(hour)
            let entry = past.last { $0.hour == hour }
            pieces.append(Piece(kind: .hour, key: key.bytes, body: entry.map { body($0.counts) }))
        }
        for day in changes.days.sorted() {
            pieces.append(Piece(kind: .day, key: [UInt8(day)], body: body(ofDay: day)))
        }
        return pieces
    }

    /// Takes the stored pieces in, all of them at once and in any order; nothing was seen before.
    ///
    /// - Throws: when they are not what ``takeChanges()`` gave.
    public mutating func restore(_ pieces: [Piece]) throws(BinaryReadError) {
        for piece in pieces {
            guard let bytes = piece.body else { continue }
            var key = BinaryReader(piece.key)
            var body = BinaryReader(bytes)
            guard try body.read(UInt8.self) == 1 else {
                throw BinaryReadError(offset: 0, expected: "version 1")
            }
            switch piece.kind {
            case .clock: try readClock(&body)
            case .hour:
                let hour = try Self.readHour(&key)
                past.append((hour, try Self.readCounts(&body)))
            case .day:
                let day = Int(try key.read(UInt8.self))
                guard day < 7 else { throw BinaryReadError(offset: 0, expected: "a day below 7") }
                let first = day * Int(Self.slotsOfDay)
                for index in first..<(first + Int(Self.slotsOfDay)) {
                    slots[index] = try body.read(UInt32.self)
                }
            }
            try key.finish()
            try body.finish()
        }
        past.sort { $0.hour < $1.hour }
        for entry in past { pastCounts.add(entry.counts) }
        for entry in window { windowCounts.add(entry.counts) }
    }

    // MARK: Bodies

    private var clock: [UInt8] {
        var writer = BinaryWriter(reserving: 64 + 9 * window.count)
        writer.write(UInt8(1))
        writer.write(slot != nil)
        writer.write(slot?.local ?? 0)
        writer.write(slot?.utc ?? 0)
        writer.write(slotNorm)
        writer.write(silence)
        writer.write(silenceIsTold)
        writer.write(lastSubmission != nil)
        writer.write(lastSubmission ?? 0)
        for isTold in isBlind { writer.write(isTold) }
        writer.write(UInt16(oldest))
        writer.write(UInt32(window.count))
        for entry in window {
            writer.write(entry.hour)
            writer.write(entry.parts)
        }
        return writer.bytes
    }

    private mutating func readClock(_ reader: inout BinaryReader) throws(BinaryReadError) {
        let hasSlot = try reader.readBool()
        let local = try reader.read(Int64.self)
        let utc = try reader.read(Int64.self)
        // Within what microseconds can count.
        let slotMax = Int64.max / Self.slotMicroseconds - 1
        guard (-slotMax...slotMax).contains(local), (-slotMax...slotMax).contains(utc) else {
            throw BinaryReadError(offset: 2, expected: "the number of a slot")
        }
        if hasSlot {
            slot = (local, utc)
            slotEnd = (utc + 1) * Self.slotMicroseconds
        }
        slotNorm = try reader.read(UInt64.self)
        silence = try reader.read(UInt64.self)
        guard slotNorm < 1 << 48, silence < 1 << 60 else {
            throw BinaryReadError(offset: 18, expected: "counts of a week")
        }
        silenceIsTold = try reader.readBool()
        let hasLast = try reader.readBool()
        let last = try reader.read(Int64.self)
        guard (0...slotMax).contains(last / Self.slotMicroseconds) else {
            throw BinaryReadError(offset: 35, expected: "the time of a submission")
        }
        lastSubmission = hasLast ? last : nil
        for index in isBlind.indices { isBlind[index] = try reader.readBool() }
        oldest = Int(try reader.read(UInt16.self))
        let count = try reader.readCount(ofSize: 9)
        guard count <= Self.windowCount, oldest < max(1, count) else {
            throw BinaryReadError(offset: 40, expected: "a window of \(Self.windowCount)")
        }
        for _ in 0..<count {
            let hour = try Self.readHour(&reader)
            window.append(Entry(hour: hour, parts: try reader.read(UInt8.self)))
        }
    }

    private static func readHour(_ reader: inout BinaryReader) throws(BinaryReadError) -> Int64 {
        let hour = try reader.read(Int64.self)
        guard (0..<1 << 40).contains(hour) else {
            throw BinaryReadError(offset: 0, expected: "an hour since 1970")
        }
        return hour
    }

    private func body(_ counts: Counts) -> [UInt8] {
        var writer = BinaryWriter(reserving: 16)
        writer.write(UInt8(1))
        writer.write(counts.submissions)
        for part in counts.parts { writer.write(part) }
        return writer.bytes
    }

    private static func readCounts(_ reader: inout BinaryReader) throws(BinaryReadError) -> Counts {
        var counts = Counts()
        counts.submissions = try reader.read(UInt32.self)
        for index in counts.parts.indices { counts.parts[index] = try reader.read(UInt32.self) }
        return counts
    }

    private func body(ofDay day: Int) -> [UInt8] {
        let first = day * Int(Self.slotsOfDay)
        var writer = BinaryWriter(reserving: 1 + 4 * Int(Self.slotsOfDay))
        writer.write(UInt8(1))
        for index in first..<(first + Int(Self.slotsOfDay)) { writer.write(slots[index]) }
        return writer.bytes
    }
}
