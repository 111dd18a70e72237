public import LogSources
import MailLog
import Records

/// A source as the engine is told of it.
public struct LaneSource: Sendable {
    /// Names it in records, cursors and messages; also its place among sources whose lines have one
    /// time.
    public var name: String
    /// Where the source enters the files that it reads.
    public var table: FileTable

    public init(name: String, table: FileTable) {
        self.name = name
        self.table = table
    }
}

/// One source's way into the engine: its files, the moments of its stamps, and its lines whose stamps
/// are in doubt.
struct Lane: Sendable {
    let name: String
    /// Stands in the records; the state keeps it for the name for ever.
    var number: SourceNumber
    var files: FileList
    var resolver: TimeResolver
    /// The file of the batch that is being taken.
    var file: FileNumber?
    /// The last stamp of the file and its time: lines of one second follow each other.
    private var lastStamp: Stamp?
    private(set) var lastTime: Int64 = .min
    /// The second that the last fact was of, see ``Stamp/second``.
    var lastSecond: UInt64 = .max
    /// The latest time that was believed.
    var believed: Int64 = 0
    /// Lines that were taken so far.
    var lineCount: UInt64 = 0
    /// Lines of the present batch that were taken.
    var linesTaken = 0
    /// What was read and is not in the ledger yet.
    var tally = Tally()
    /// Lines whose stamps lie more than a day ahead, until three more lines agree with them.
    var doubtful: [DoubtfulLine] = []
    /// ``lineCount`` at the first of them.
    var firstDoubtfulLine: UInt64 = 0

    init(_ source: LaneSource, number: SourceNumber, resolver: TimeResolver) {
        name = source.name
        self.number = number
        files = FileList(table: source.table)
        self.resolver = resolver
    }

    /// A new batch is to be taken.
    mutating func begin(_ batch: borrowing Batch) {
        linesTaken = 0
        tally.nextLine = 0
        tally.counts.cut += batch.linesCut
        tally.counts.forged += batch.forgedCount
        let next = files.number(batch.file)
        guard next != file else { return }
        file = next
        lastStamp = nil
        resolver.beginFile(files[next]?.timeHint ?? .none)
    }

    /// The moment of a stamp; nil if its year cannot be known. Stamps are asked for in their order.
    @inline(__always)
    mutating func time(of stamp: Stamp, observed: Int64) -> Int64? {
        if stamp == lastStamp { return lastTime }
        guard let time = resolver.resolve(stamp, observed: observed) else { return nil }
        lastStamp = stamp
        lastTime = time
        return time
    }

    /// Names the line at `index` of the present batch.
    func record(_ batch: borrowing Batch, line index: Int) -> RecordID {
        RecordID(
            source: number,
            file: file ?? FileNumber(0),
            offset: batch.offset(ofLine: index)
        )
    }

    /// Lines of one day that are to go into the ledger.
    struct Tally: Sendable {
        var counts = ContinuityCounts()
        /// The day, in the log's zone, and where it lies: microseconds since 1970.
        var day: Int?
        var span: Range<Int64> = 0..<0
        /// The first line of the present batch that was not counted.
        var nextLine = 0

        /// Counts the lines of the batch up to `end`.
        mutating func count(_ batch: borrowing Batch, to end: Int) {
            guard nextLine < end else { return }
            let first = batch.lines[nextLine]
            let last = batch.lines[end - 1]
            counts.lines += end - nextLine
            // With the newline of the last one.
            counts.bytes += Int(last.start) + Int(last.length) + 1 - Int(first.start)
            nextLine = end
        }

        /// A line's event time: microseconds.
        @inline(__always)
        mutating func saw(_ time: Int64) {
            counts.firstMicroseconds = min(counts.firstMicroseconds ?? time, time)
            counts.lastMicroseconds = max(counts.lastMicroseconds ?? time, time)
        }
    }

    // MARK: Stored form

    func write(to writer: inout BinaryWriter) {
        writer.write(UInt8(1))
        resolver.write(to: &writer)
        writer.write(believed)
        writer.write(lineCount)
    }

    mutating func restore(from reader: inout BinaryReader) throws(BinaryReadError) {
        guard try reader.read(UInt8.self) == 1 else {
            throw BinaryReadError(offset: 0, expected: "a source's clock of version 1")
        }
        try resolver.restore(from: &reader)
        believed = try reader.read(Int64.self)
        lineCount = try reader.read(UInt64.self)
    }
}

/// A line whose stamp lies more than a day ahead, until the next three of its source agree with it.
struct DoubtfulLine: Sendable {
    var fact: LineFact
    var bytes: [UInt8]
    var record: RecordID
    var sequence: UInt64
    var microseconds: Int64
}
