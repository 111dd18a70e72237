import LinuxIO
import Records

/// Cuts what is read into lines, within the batch that it was read into.
///
/// The caller opens a batch with ``begin(_:)``, reads behind the batch's bytes as long as
/// ``wantsMore(_:room:)``, tells each time how much came, and closes it with ``end(_:)``. What
/// stands behind the last newline is held and comes first in the next batch.
///
/// What comes out does not depend on how the reads fall. A line is bytes up to a newline, and any
/// other byte is just a byte. One that is longer than ``SourceLimits/lineBytesMax`` is cut, counted,
/// and read over up to its newline; it takes no more memory than that.
///
/// Invariant: ``nextOffset`` is the start of a line. Between batches, `held` has the bytes from
/// there to ``readOffset`` — or, of a line that is too long, the first ``SourceLimits/lineBytesMax``.
public struct LineSplitter: Sendable {
    /// A batch must have room for a line at its longest and for one read of a decompressor.
    public static let batchBytesMin = 4 * SourceLimits.lineBytesMax

    /// Offset of the first line that is in no batch yet.
    private(set) var nextOffset: UInt64
    /// Offset of the first byte that was not read yet.
    private(set) var readOffset: UInt64

    private var held: [UInt8] = []
    /// Where in `held` the bytes begin that are in no batch.
    private var heldStart = 0
    /// How long the line at the front is so far, if it is too long and its end has not come. Then
    /// the batch, or `held` between batches, has only its first bytes.
    private var longLineLength: UInt64?

    // While a batch is open:
    /// Where in the batch the first unfinished line starts.
    private var lineStart = 0
    private var isFull = false

    /// - Parameter offset: where in the file the first byte stands that will be read: the start of
    ///   a line.
    init(offset: UInt64) {
        nextOffset = offset
        readOffset = offset
    }

    /// How many bytes of an unfinished line were read. Only between batches.
    var heldCount: Int { held.count - heldStart }

    /// Opens a batch and puts what is held into it.
    mutating func begin(_ batch: inout Batch) {
        precondition(batch.bytes.count >= Self.batchBytesMin)
        precondition(batch.bytes.count <= Int(UInt32.max))
        batch.removeAll()
        batch.firstOffset = nextOffset
        lineStart = 0
        isFull = false
        // A line too long begins again as what it was: its first bytes in front.
        if longLineLength != nil { takeHeld(into: &batch, heldCount, isNew: false) }
        // In steps, since hostile lines of one byte each fill a batch long before it has taken all.
        while heldCount > 0, !isFull {
            takeHeld(into: &batch, min(heldCount, SourceLimits.lineBytesMax), isNew: true)
        }
    }

    private mutating func takeHeld(into batch: inout Batch, _ count: Int, isNew: Bool) {
        let end = batch.byteCount + count
        batch.bytes.replaceBytes(batch.byteCount..<end, from: held, heldStart)
        heldStart += count
        if isNew { scan(&batch, count) } else { batch.byteCount = end }
    }

    /// Whether more should be read into the open batch.
    ///
    /// - Parameter room: how many bytes the next read needs; at most ``batchBytesMin`` less
    ///   ``SourceLimits/lineBytesMax``.
    func wantsMore(_ batch: borrowing Batch, room: Int) -> Bool {
        !isFull && batch.bytes.count - batch.byteCount >= room
    }

    /// `count` bytes have been read to `batch.bytes[batch.byteCount...]`.
    mutating func append(_ count: Int, to batch: inout Batch) {
        readOffset += UInt64(count)
        scan(&batch, count)
    }

    /// Finds the lines in `count` new bytes behind the batch's.
    private mutating func scan(_ batch: inout Batch, _ count: Int) {
        if let length = longLineLength {
            skip(&batch, count, after: length)
            return
        }
        let bytes = batch.bytes
        let searchStart = batch.byteCount
        let end = searchStart + count
        batch.byteCount = end
        var start = lineStart
        var cut = 0
        let linesMax = batch.lineCapacity
        // One access for all the lines: appending one by one to the array took a third longer.
        batch.lines.append(addingCapacity: linesMax - batch.lines.count) { lines in
            var position = searchStart
            while !lines.isFull {
                guard
                    let newline = firstIndex(of: UInt8(ascii: "\n"), in: bytes.span, position..<end)
                else { return }
                if newline - start > SourceLimits.lineBytesMax { cut += 1 }
                lines.append(Self.line(from: start, to: newline))
                start = newline + 1
                position = start
            }
        }
        lineStart = start
        batch.linesCut += cut
        if batch.lines.count == linesMax {
            isFull = true
        } else if batch.byteCount - lineStart > SourceLimits.lineBytesMax {
            // Only a batch of its own has the room to read over the rest of it.
            guard batch.lines.isEmpty else {
                isFull = true
                return
            }
            longLineLength = UInt64(batch.byteCount)
            batch.byteCount = SourceLimits.lineBytesMax
        }
    }

    /// Reads over a line that is too long. When its end is among the new bytes it is given, alone
    /// in its batch, as those behind it no longer stand where the offsets say.
    private mutating func skip(_ batch: inout Batch, _ count: Int, after length: UInt64) {
        let start = batch.byteCount
        let newline = firstIndex(
            of: UInt8(ascii: "\n"),
            in: batch.bytes.span,
            start..<(start + count)
        )
        guard let newline else {
            longLineLength = length + UInt64(count)
            return
        }
        giveLongLine(&batch, length: length + UInt64(newline - start) + 1)
        giveBack(batch, newline + 1, start + count)
    }

    private mutating func giveLongLine(_ batch: inout Batch, length: UInt64) {
        batch.lines.append(LineRange(start: 0, length: UInt32(SourceLimits.lineBytesMax)))
        batch.linesCut += 1
        lineStart = SourceLimits.lineBytesMax
        nextOffset = batch.firstOffset + length
        longLineLength = nil
        isFull = true
    }

    /// The line in `start..<end`, or as much of it as a line may be.
    private static func line(from start: Int, to end: Int) -> LineRange {
        LineRange(
            start: UInt32(start),
            length: UInt32(min(end - start, SourceLimits.lineBytesMax))
        )
    }

    /// Holds `batch.bytes[start..<end]`, which stand before what is held already.
    private mutating func giveBack(_ batch: borrowing Batch, _ start: Int, _ end: Int) {
        if heldCount > 0 {
            // They came from there, and are the last that did.
            heldStart -= end - start
        } else {
            held.removeAll(keepingCapacity: true)
            held.append(contentsOf: batch.bytes[start..<end])
            heldStart = 0
        }
    }

    /// The input has ended and will not grow: what stands behind the last newline is a line too.
    /// Only while the batch wants more.
    mutating func finishInput(_ batch: inout Batch) {
        precondition(!isFull)
        if let length = longLineLength {
            giveLongLine(&batch, length: length)
        } else if batch.byteCount > lineStart {
            batch.lines.append(Self.line(from: lineStart, to: batch.byteCount))
            lineStart = batch.byteCount
        }
    }

    /// Closes the batch; its bytes end with its last line.
    mutating func end(_ batch: inout Batch) {
        if longLineLength != nil {
            giveBack(batch, 0, batch.byteCount)
            batch.byteCount = 0
        } else if lineStart < batch.byteCount {
            giveBack(batch, lineStart, batch.byteCount)
            batch.byteCount = lineStart
        }
        // After a long line was given, the offset is set already.
        let offset = batch.firstOffset + UInt64(lineStart)
        if offset > nextOffset { nextOffset = offset }
        batch.nextOffset = nextOffset
    }

    /// Forgets the unfinished line at the end of the open batch, into which all that was held has
    /// gone.
    ///
    /// - Returns: how many bytes of it were read.
    mutating func dropUnfinished(_ batch: inout Batch) -> Int {
        precondition(!isFull)
        let count = longLineLength.map { Int(clamping: $0) } ?? (batch.byteCount - lineStart)
        longLineLength = nil
        batch.byteCount = lineStart
        nextOffset = readOffset
        return count
    }
}

extension [UInt8] {
    /// Copies `range.count` bytes from `source`, beginning at `start`, to `range`.
    fileprivate mutating func replaceBytes(_ range: Range<Int>, from source: [UInt8], _ start: Int)
    {
        replaceSubrange(range, with: source[start..<(start + range.count)])
    }
}
