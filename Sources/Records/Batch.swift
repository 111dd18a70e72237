/// Where one line lies within a batch's bytes.
@frozen
public struct LineRange: Sendable, Equatable {
    /// Index of the line's first byte in ``Batch/bytes``.
    public var start: UInt32
    /// Number of bytes, without the newline; at most ``SourceLimits/lineBytesMax``.
    public var length: UInt32

    /// The indices of the line's bytes in ``Batch/bytes``.
    @inlinable
    public var indices: Range<Int> { Int(start)..<(Int(start) &+ Int(length)) }

    @inlinable
    public init(start: UInt32, length: UInt32) {
        self.start = start
        self.length = length
    }
}

/// A pooled buffer of whole lines of one file, with their places.
///
/// A source fills it, the engine reads it, and it goes back to the source to be filled again, so
/// following a log allocates nothing. It is moved, never shared: who holds it may change it.
///
/// Invariant: every range of ``lines`` lies within `bytes[0..<byteCount]`, ranges ascend and do not
/// overlap. All lines belong to `file`. ``positions`` is empty or has one position for each line.
public struct Batch: ~Copyable, Sendable {
    /// Storage; its count is the capacity, of which the first ``byteCount`` bytes are filled.
    public var bytes: [UInt8]
    /// How many of ``bytes`` are filled.
    public var byteCount: Int
    /// The lines, in the order of the file. Reserved once to ``lineCapacity``.
    public var lines: [LineRange]
    /// A batch ends early rather than hold more lines than this.
    public let lineCapacity: Int
    /// The source that filled it.
    public var source: SourceNumber
    /// The file within the source's run, see ``FileNumber``.
    public var file: FileNumber
    /// Offset in the (decompressed) file of `bytes[0]`.
    public var firstOffset: UInt64
    /// Offset in the (decompressed) file of the first line that is in no batch yet.
    public var nextOffset: UInt64
    /// When the bytes were read: microseconds since 1970, UTC.
    public var observedMicroseconds: Int64
    /// What comes after this batch.
    public var end: BatchEnd
    /// How many of its lines were cut at ``SourceLimits/lineBytesMax``.
    public var linesCut: Int
    /// Where each line stands in its file, when that does not follow from where it stands in
    /// ``bytes``: the lines of a journal are made from its entries, and have the entries' sequence
    /// numbers, those of an export the offsets of the entries. Empty otherwise.
    public var positions: [UInt64]
    /// Where reading can go on after this batch, if its source is a journal that is followed. It may
    /// have moved although there is no line: entries that were passed over are done with too.
    public var journalCursor: JournalCursor?
    /// How many journal entries were passed over because they claim to be the mail server's and are
    /// not: their trusted fields say otherwise.
    public var forgedCount: Int

    /// An empty batch.
    ///
    /// - Parameters:
    ///   - byteCapacity: bytes of storage, at least 1.
    ///   - lineCapacity: lines that it holds at most, at least 1.
    public init(byteCapacity: Int, lineCapacity: Int) {
        precondition(byteCapacity > 0)
        precondition(lineCapacity > 0)
        bytes = [UInt8](repeating: 0, count: byteCapacity)
        byteCount = 0
        lines = []
        lines.reserveCapacity(lineCapacity)
        self.lineCapacity = lineCapacity
        source = SourceNumber(0)
        file = FileNumber(0)
        firstOffset = 0
        nextOffset = 0
        observedMicroseconds = 0
        end = .more
        linesCut = 0
        positions = []
        journalCursor = nil
        forgedCount = 0
    }

    /// Forgets the lines and keeps the storage.
    public mutating func removeAll() {
        byteCount = 0
        lines.removeAll(keepingCapacity: true)
        end = .more
        linesCut = 0
        positions.removeAll(keepingCapacity: true)
        journalCursor = nil
        forgedCount = 0
    }

    /// The offset in the file of the line at `index`; in a journal, its sequence number.
    @inlinable
    public func offset(ofLine index: Int) -> UInt64 {
        if !positions.isEmpty { return positions[index] }
        return firstOffset &+ UInt64(lines[index].start)
    }
}

/// What follows a batch in its source.
public enum BatchEnd: UInt8, Sendable {
    /// More of the same file, now or later.
    case more
    /// The file ended with this batch; the next batch is of another file.
    case endOfFile
    /// The source has ended; no batch follows.
    case endOfInput
}

/// Bounds of what a source reads.
public enum SourceLimits {
    /// A longer line is cut here, counted, and the rest of it skipped (architecture §6).
    public static let lineBytesMax = 65_536
}
