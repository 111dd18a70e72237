/// Writes the serialised form of a room's state: fixed little-endian integers, byte strings with
/// their length. What reads it is ``BinaryReader``.
public struct BinaryWriter: Sendable {
    @usableFromInline
    var written: [UInt8]

    @inlinable public var bytes: [UInt8] { written }

    @inlinable
    public init(reserving count: Int = 64) {
        written = []
        written.reserveCapacity(count)
    }

    @inlinable
    public mutating func removeAll() { written.removeAll(keepingCapacity: true) }

    @inlinable
    public mutating func write<T: FixedWidthInteger>(_ value: T) {
        var rest = value
        for _ in 0..<(T.bitWidth / 8) {
            written.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    @inlinable
    public mutating func write(_ value: Bool) { written.append(value ? 1 : 0) }

    @inlinable
    public mutating func write(_ value: some Collection<UInt8>) {
        write(UInt32(value.count))
        written.append(contentsOf: value)
    }

    @inlinable
    public mutating func write(_ value: String) { write(Array(value.utf8)) }
}

/// Why stored bytes could not be read back: they are not what this program wrote.
public struct BinaryReadError: Error, Sendable, Equatable {
    /// Where in the bytes.
    public var offset: Int
    /// What was expected there.
    public var expected: String

    @inlinable
    public init(offset: Int, expected: String) {
        self.offset = offset
        self.expected = expected
    }
}

/// Reads what ``BinaryWriter`` wrote; bytes that are too short or too long are an error, never a
/// trap, since a disk may have changed them.
public struct BinaryReader: Sendable {
    @usableFromInline
    let bytes: [UInt8]
    @usableFromInline
    var position: Int

    @inlinable
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        position = 0
    }

    @inlinable
    public var isAtEnd: Bool { position == bytes.endIndex }

    @inlinable
    public mutating func read<T: FixedWidthInteger>(
        _ type: T.Type = T.self
    ) throws(BinaryReadError) -> T {
        let count = T.bitWidth / 8
        guard bytes.endIndex - position >= count else {
            throw BinaryReadError(offset: position, expected: "an integer of \(count) bytes")
        }
        var value: T = 0
        for index in (0..<count).reversed() {
            value = value << 8 | T(truncatingIfNeeded: bytes[position + index])
        }
        position += count
        return value
    }

    @inlinable
    public mutating func readBool() throws(BinaryReadError) -> Bool {
        let value = try read(UInt8.self)
        guard value < 2 else {
            throw BinaryReadError(offset: position - 1, expected: "0 or 1")
        }
        return value == 1
    }

    @inlinable
    public mutating func readBytes() throws(BinaryReadError) -> [UInt8] {
        let count = Int(try read(UInt32.self))
        guard bytes.endIndex - position >= count else {
            throw BinaryReadError(offset: position, expected: "\(count) bytes")
        }
        defer { position += count }
        return Array(bytes[position..<(position + count)])
    }

    @inlinable
    public mutating func readString() throws(BinaryReadError) -> String {
        String(decoding: try readBytes(), as: UTF8.self)
    }

    /// A count of things that take at least `size` bytes each: refuses what cannot be there.
    @inlinable
    public mutating func readCount(ofSize size: Int) throws(BinaryReadError) -> Int {
        let count = Int(try read(UInt32.self))
        guard count * max(size, 1) <= bytes.endIndex - position else {
            throw BinaryReadError(offset: position, expected: "\(count) entries")
        }
        return count
    }

    @inlinable
    public func finish() throws(BinaryReadError) {
        guard isAtEnd else {
            throw BinaryReadError(offset: position, expected: "the end")
        }
    }
}
