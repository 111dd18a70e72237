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
    /// Index of the first input that was not begun.
    private var nextInput = 0
    private var reading: Reading?
    /// Or the journal, or the export of one.
    private var journal: JournalReplay?
    private var export: ExportReplay?
    private let selection: JournalSelection
    private var sequences = JournalSequences()
    private var hasEnded = false
    private var notes: [SourceNote] = []

    /// The input that is being read.
    fileprivate struct Reading: ~Copyable {
        var reader: InputReader
        var splitter = LineSplitter(offset: 0)
        let file: FileNumber
        let input: Input
        /// The first bytes of the text, read to know what it is, and damage behind them.
        var ahead: [UInt8]
        var aheadDamage: SourceProblem.Damage?
    }

    /// - Parameters:
    ///   - inputs: from ``openInputs(_:calls:)``, in the order in which they are to be read.
    ///   - source: stands in each batch.
    ///   - readBytes: bytes of one read, at least 1.
    ///   - journals: which entries of journals and exports become lines; its place means nothing
    ///     here.
    public init(
        inputs: [Input],
        source: SourceNumber = SourceNumber(0),
        readBytes: Int = ReplayLimits.readBytes,
        files: FileTable = FileTable(),
        journals: JournalSelection = JournalSelection()
    ) {
        precondition(readBytes > 0)
        selection = journals
        self.inputs = inputs
        self.source = source
        self.readBytes = readBytes
        self.files = files
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
            if journal == nil, export == nil, reading == nil { openNext() }
            if let isDone = fillFromEntries(&batch) {
                if isDone {
                    hasEnded = nextInput == inputs.count
                    batch.end = hasEnded ? .endOfInput : .endOfFile
                }
                if isDone || !batch.lines.isEmpty { return .lines }
                continue
            }
            guard var current = reading.take() else {
                // All that were left could not be opened, or there was none.
                batch.removeAll()
                hasEnded = true
                batch.end = .endOfInput
                return .lines
            }
            let usedBefore = current.reader.fileOffset
            let isDone = fill(&batch, from: &current)
            usedBytes += current.reader.fileOffset - usedBefore
            if isDone {
                hasEnded = nextInput == inputs.count
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
        let roomMin = current.reader.roomMin
        // What can be read only once may let us wait: lines that are here go on first.
        let isStream = current.input.identity == nil
        current.giveAhead(&batch)
        while current.splitter.wantsMore(batch, room: roomMin) {
            if isStream, !batch.lines.isEmpty { return false }
            if let damage = current.aheadDamage {
                note(damage, &current, &batch)
                return true
            }
            let start = batch.byteCount
            let end = min(batch.bytes.count, start + max(readBytes, roomMin))
            do {
                let count = try current.reader.read(into: &batch.bytes, start..<end)
                if count == 0 {
                    current.splitter.finishInput(&batch)
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
            path: current.input.path,
            damage: damage,
            fileOffset: current.reader.fileOffset,
            textOffset: current.splitter.readOffset,
            withheldBytes: withheld
        )
        notes.append(.damaged(problem))
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
            let usedBefore = current.reader.fileOffset
            let isDone = current.fill(&batch, notes: &notes)
            usedBytes += current.reader.fileOffset - usedBefore
            if !isDone { export = consume current }
            return isDone
        }
        return nil
    }

    /// Opens the next input that can be opened.
    private mutating func openNext() {
        while nextInput < inputs.count, reading == nil, journal == nil, export == nil {
            let input = inputs[nextInput]
            nextInput += 1
            if !input.journalFiles.isEmpty {
                journal = input.openJournal(selection, notes: &notes)
                continue
            }
            do {
                let reader = try input.open(readBytes: readBytes)
                begin(input, reader)
            } catch {
                let problem = SourceProblem(
                    path: input.path,
                    damage: error,
                    fileOffset: 0,
                    textOffset: 0,
                    withheldBytes: 0
                )
                notes.append(.damaged(problem))
            }
        }
    }

    /// Begins a text: its first bytes tell whether it is an export.
    private mutating func begin(_ input: Input, _ reader: consuming InputReader) {
        let file = files.append(
            FileDescription(
                path: input.path.string,
                identity: input.identity,
                timeHint: input.timeHint
            )
        )
        var ahead: [UInt8] = []
        var damage: SourceProblem.Damage?
        var buffer = [UInt8](repeating: 0, count: max(reader.roomMin, 4_096))
        do {
            while ExportParser.mayBecomeExport(ahead) {
                let count = try reader.read(into: &buffer, 0..<buffer.count)
                if count == 0 { break }
                ahead.append(contentsOf: buffer[..<count])
            }
        } catch {
            damage = error
        }
        usedBytes += reader.fileOffset
        if ExportParser.isExport(ahead) {
            export = ExportReplay(
                reader,
                input,
                file: file,
                ahead: ahead,
                damage: damage,
                selection: selection
            )
        } else {
            reading = Reading(
                reader: reader,
                file: file,
                input: input,
                ahead: ahead,
                aheadDamage: damage
            )
        }
    }
}

extension ReplaySource.Reading {
    /// Puts what was read ahead into the batch, as far as it takes it.
    fileprivate mutating func giveAhead(_ batch: inout Batch) {
        while !ahead.isEmpty, splitter.wantsMore(batch, room: 1) {
            let start = batch.byteCount
            let count = min(ahead.count, batch.bytes.count - start)
            batch.bytes.replaceSubrange(start..<(start + count), with: ahead[..<count])
            ahead.removeFirst(count)
            splitter.append(count, to: &batch)
        }
    }
}
