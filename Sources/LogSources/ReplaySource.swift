public import LinuxIO
public import Records
import SystemPackage

/// A chain of inputs, read one after the other as one source.
///
/// Damage in one input ends that input: what could be read of it has been given, a
/// ``SourceNote/damaged(_:)`` tells the rest, and the next input follows.
///
/// Exactly one batch ends with ``BatchEnd/endOfInput``, the last one, which may have no lines.
public struct ReplaySource: RecordSource, ~Copyable, Sendable {
    /// The files that were begun so far.
    public let files: FileTable
    private let source: SourceNumber
    private let inputs: [Input]
    private let readBytes: Int
    private let threadCount: Int
    /// Index of the first input that was not begun.
    private var nextInput = 0
    private var reading: Reading?
    /// The archive that is being read from a stream; the log in it is ``reading``.
    private var walk: StreamWalk?
    /// Made when the first input needs it.
    private var ahead: ReadAhead?
    /// Without threads: the archive of the last member, from which the next one may follow.
    private var archive: ArchiveReader?
    private var hasEnded = false
    private var notes: [SourceNote] = []

    /// What is being read.
    private struct Reading: ~Copyable {
        let stream: any ByteStream
        var splitter = LineSplitter(offset: 0)
        let file: FileNumber
        let path: FilePath
        /// It may let us wait.
        let isLive: Bool
        /// How many bytes of the file were used before it began.
        let startOffset: UInt64
    }

    /// - Parameters:
    ///   - inputs: from ``openInputs(_:calls:)``, in the order in which they are to be read.
    ///   - source: stands in each batch.
    ///   - readBytes: bytes of one read, at least 1.
    ///   - threadCount: how many threads decompress files and archives ahead, see ``ReadAhead``; 0:
    ///     who calls ``fill(_:)`` does it. What comes out is the same.
    public init(
        inputs: [Input],
        source: SourceNumber = SourceNumber(0),
        readBytes: Int = ReplayLimits.readBytes,
        files: FileTable = FileTable(),
        threadCount: Int = min(onlineProcessorCount(), ReadAheadLimits.threadsMax)
    ) {
        precondition(readBytes > 0)
        precondition(threadCount >= 0)
        self.inputs = inputs
        self.source = source
        self.readBytes = readBytes
        self.files = files
        self.threadCount = threadCount
    }

    /// How many bytes of the inputs, as they lie on the disk, were used so far: for a progress bar,
    /// against the sum of ``Input/size``.
    public private(set) var usedBytes: UInt64 = 0

    public mutating func takeNotes() -> [SourceNote] {
        defer { notes = [] }
        return notes
    }

    /// Never needed: a replay is never idle.
    public mutating func wait(
        stop: borrowing EventCounter,
        atMost nanoseconds: UInt64?
    ) throws(SourceError) -> Wake { .changed }

    public mutating func fill(_ batch: inout Batch) throws(SourceError) -> Fill {
        if hasEnded { return .end }
        batch.source = source
        batch.observedMicroseconds = Clocks.realtimeMicroseconds()
        while true {
            guard var current = reading.take() ?? nextReading() else {
                // All that were left could not be opened, or there was none.
                batch.removeAll()
                hasEnded = true
                batch.end = .endOfInput
                return .lines
            }
            let usedBefore = current.stream.fileOffset
            let isDone = fill(&batch, from: &current)
            usedBytes += current.stream.fileOffset - min(usedBefore, current.stream.fileOffset)
            if isDone {
                hasEnded = nextInput == inputs.count && walk == nil
                batch.end = hasEnded ? .endOfInput : .endOfFile
                return .lines
            }
            reading = consume current
            if !batch.lines.isEmpty { return .lines }
        }
    }

    /// Fills `batch` from one input.
    ///
    /// - Returns: whether the input is done with.
    private mutating func fill(_ batch: inout Batch, from current: inout Reading) -> Bool {
        batch.file = current.file
        current.splitter.begin(&batch)
        defer { current.splitter.end(&batch) }
        let roomMin = current.stream.roomMin
        while current.splitter.wantsMore(batch, room: roomMin) {
            // It may let us wait: lines that are here go on first.
            if current.isLive, !batch.lines.isEmpty { return false }
            let start = batch.byteCount
            let end = min(batch.bytes.count, start + max(readBytes, roomMin))
            do {
                let count = try current.stream.read(into: &batch.bytes, start..<end)
                if count == 0 {
                    current.splitter.finishInput(&batch)
                    noteRatio(current)
                    return true
                }
                current.splitter.append(count, to: &batch)
            } catch {
                note(error, &current, &batch)
                return true
            }
        }
        return false
    }

    private mutating func note(
        _ damage: SourceProblem.Damage,
        _ current: inout Reading,
        _ batch: inout Batch
    ) {
        let withheld: Int
        if damage == .trailingBytes {
            // The text before it is whole.
            current.splitter.finishInput(&batch)
            withheld = 0
        } else {
            withheld = current.splitter.dropUnfinished(&batch)
        }
        let problem = SourceProblem(
            path: current.path,
            damage: damage,
            fileOffset: current.stream.fileOffset,
            textOffset: current.splitter.readOffset,
            withheldBytes: withheld
        )
        notes.append(.damaged(problem))
        noteRatio(current)
    }

    private mutating func noteRatio(_ current: borrowing Reading) {
        let text = current.splitter.readOffset
        let start = (current.stream as? AheadStream)?.startOffset ?? current.startOffset
        let used = current.stream.fileOffset - min(start, current.stream.fileOffset)
        if text > ArchiveLimits.ratioTextBytesMin,
            text / max(used, 1) > ArchiveLimits.ratioTold
        {
            notes.append(.expanded(current.path, textBytes: text, fileBytes: used))
        }
    }

    private mutating func nextReading() -> Reading? {
        while true {
            if walk != nil {
                if let next = nextOfStream() { return next }
                continue
            }
            guard nextInput < inputs.count else { return nil }
            let index = nextInput
            nextInput += 1
            if case .archiveStream(let held) = inputs[index].place {
                walk = StreamWalk(inputs[index], held.take(), readBytes: readBytes)
                continue
            }
            do {
                return begin(inputs[index], try open(index))
            } catch {
                note(error, of: inputs[index].path, fileOffset: 0)
            }
        }
    }

    private mutating func open(_ index: Int) throws(SourceProblem.Damage) -> any ByteStream {
        guard threadCount > 0, ReadPlan.covers(inputs[index]) else {
            guard case .member(let member) = inputs[index].place else {
                return try inputs[index].open(readBytes: readBytes)
            }
            let reader =
                archive.flatMap { $0.archive == member.archive ? $0 : nil }
                ?? ArchiveReader(member.archive, readBytes: readBytes)
            archive = reader
            return try reader.open(member.number)
        }
        let ahead =
            self.ahead ?? ReadAhead(inputs, readBytes: readBytes, threadCount: threadCount)
        self.ahead = ahead
        return ahead.stream(ofInput: index)
    }

    private func begin(_ input: Input, _ stream: any ByteStream) -> Reading {
        let file = files.append(
            FileDescription(
                path: input.path.string,
                identity: input.identity,
                timeHint: input.timeHint
            )
        )
        return Reading(
            stream: stream,
            file: file,
            path: input.path,
            isLive: input.identity == nil,
            startOffset: stream.fileOffset
        )
    }

    /// The next log in the archive that is a stream; nil at its end, or when there is something to
    /// tell first.
    private mutating func nextOfStream() -> Reading? {
        guard var walk = walk.take() else { return nil }
        let step = walk.next()
        let fileOffset = walk.fileOffset
        switch step {
        case .leaf(let leaf, let isOutOfOrder):
            self.walk = walk
            if isOutOfOrder { notes.append(.notInTimeOrder(leaf.path)) }
            let file = files.append(
                FileDescription(path: leaf.path.string, identity: nil, timeHint: leaf.timeHint)
            )
            return Reading(
                stream: leaf.stream,
                file: file,
                path: leaf.path,
                isLive: true,
                startOffset: fileOffset
            )
        case .damaged(let path, let damage):
            self.walk = walk
            note(damage, of: path, fileOffset: fileOffset)
        case .skipped(let skipped):
            self.walk = walk
            notes.append(.leftOut(skipped))
        case .end: break
        }
        return nil
    }

    private mutating func note(
        _ damage: SourceProblem.Damage,
        of path: FilePath,
        fileOffset: UInt64
    ) {
        let problem = SourceProblem(
            path: path,
            damage: damage,
            fileOffset: fileOffset,
            textOffset: 0,
            withheldBytes: 0
        )
        notes.append(.damaged(problem))
    }
}
