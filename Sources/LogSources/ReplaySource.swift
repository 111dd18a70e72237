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
    /// Or the journal, or the export of one.
    private var journal: JournalReplay?
    private var export: ExportReplay?
    private let selection: JournalSelection
    private var sequences = JournalSequences()
    /// Made when the first input needs it.
    private var ahead: ReadAhead?
    /// Without threads: the archive of the last member, from which the next one may follow.
    private var archive: ArchiveReader?
    private var hasEnded = false
    private var notes: [SourceNote] = []

    /// What is being read.
    private struct Reading: ~Copyable {
        let stream: PeekedStream
        /// Where the stream's bytes come from.
        let origin: any ByteStream
        var splitter = LineSplitter(offset: 0)
        let file: FileNumber
        let path: FilePath
        /// It may let us wait.
        let isLive: Bool
        /// How many bytes of the file were used before it began.
        let startOffset: UInt64
    }

    /// As many threads as there are processors, up to ``ReadAheadLimits/threadsMax``.
    public static var threadCountDefault: Int {
        min(onlineProcessorCount(), ReadAheadLimits.threadsMax)
    }

    /// - Parameters:
    ///   - inputs: from ``openInputs(_:calls:)``, in the order in which they are to be read.
    ///   - source: stands in each batch.
    ///   - readBytes: bytes of one read, at least 1.
    ///   - threadCount: how many threads decompress files and archives ahead, see ``ReadAhead``; 0:
    ///     who calls ``fill(_:)`` does it. What comes out is the same.
    ///   - journals: which entries of journals and exports become lines; its place means nothing
    ///     here.
    public init(
        inputs: [Input],
        source: SourceNumber = SourceNumber(0),
        readBytes: Int = ReplayLimits.readBytes,
        files: FileTable = FileTable(),
        threadCount: Int = ReplaySource.threadCountDefault,
        journals: JournalSelection = JournalSelection()
    ) {
        precondition(readBytes > 0)
        precondition(threadCount >= 0)
        self.inputs = inputs
        self.source = source
        self.readBytes = readBytes
        self.files = files
        self.threadCount = threadCount
        selection = journals
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
            if let isDone = fillFromEntries(&batch) {
                if isDone { end(&batch) }
                if isDone || !batch.lines.isEmpty { return .lines }
                continue
            }
            guard var current = reading.take() ?? nextReading() else {
                if journal != nil || export != nil { continue }
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
                end(&batch)
                return .lines
            }
            reading = consume current
            if !batch.lines.isEmpty { return .lines }
        }
    }

    /// An input is done with.
    private mutating func end(_ batch: inout Batch) {
        hasEnded = nextInput == inputs.count && walk == nil
        batch.end = hasEnded ? .endOfInput : .endOfFile
    }

    /// Fills `batch` from a journal or an export, if one is being read.
    ///
    /// - Returns: whether it is done with.
    private mutating func fillFromEntries(_ batch: inout Batch) -> Bool? {
        if var current = journal.take() {
            let isDone = current.fill(&batch, &sequences, files, notes: &notes)
            if !isDone { journal = consume current }
            return isDone
        }
        if var current = export.take() {
            let usedBefore = current.stream.fileOffset
            let isDone = current.fill(&batch, notes: &notes)
            usedBytes += current.stream.fileOffset - min(usedBefore, current.stream.fileOffset)
            if !isDone { export = consume current }
            return isDone
        }
        return nil
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
        let start = (current.origin as? AheadStream)?.startOffset ?? current.startOffset
        let used = current.stream.fileOffset - min(start, current.stream.fileOffset)
        if text > ArchiveLimits.ratioTextBytesMin,
            text / max(used, 1) > ArchiveLimits.ratioTold
        {
            notes.append(.expanded(current.path, textBytes: text, fileBytes: used))
        }
    }

    /// The next text; nil at the end of all, or when a journal or an export comes.
    private mutating func nextReading() -> Reading? {
        while journal == nil, export == nil {
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
            if case .journal(let paths, let calls) = inputs[index].place {
                journal = JournalReplay(paths, selection, calls: calls, notes: &notes)
                continue
            }
            do {
                if let next = begin(inputs[index], try open(index)) { return next }
            } catch {
                note(error, of: inputs[index].path, fileOffset: 0)
            }
        }
        return nil
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

    private mutating func begin(_ input: Input, _ stream: any ByteStream) -> Reading? {
        let description = FileDescription(
            path: input.path.string,
            identity: input.identity,
            timeHint: input.timeHint
        )
        return begin(stream, description, input.path, startOffset: stream.fileOffset)
    }

    /// Begins a text. Its first bytes tell whether it is the export of a journal, which then is the
    /// one that is read; nil.
    private mutating func begin(
        _ origin: any ByteStream,
        _ description: FileDescription,
        _ path: FilePath,
        startOffset: UInt64
    ) -> Reading? {
        let file = files.append(description)
        let stream = PeekedStream(origin)
        let head = stream.peek(ExportParser.markBytesMax) { !ExportParser.mayBecomeExport($0) }
        let isLive = description.identity == nil
        guard !ExportParser.isExport(head) else {
            export = ExportReplay(stream, path, file, isStream: isLive, selection: selection)
            return nil
        }
        return Reading(
            stream: stream,
            origin: origin,
            file: file,
            path: path,
            isLive: isLive,
            startOffset: startOffset
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
            let description = FileDescription(
                path: leaf.path.string,
                identity: nil,
                timeHint: leaf.timeHint
            )
            return begin(leaf.stream, description, leaf.path, startOffset: fileOffset)
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
