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
    private var hasEnded = false
    private var notes: [SourceNote] = []

    /// The input that is being read.
    private struct Reading: ~Copyable {
        var reader: InputReader
        var splitter = LineSplitter(offset: 0)
        let file: FileNumber
        let input: Input
    }

    /// - Parameters:
    ///   - inputs: from ``openInputs(_:calls:)``, in the order in which they are to be read.
    ///   - source: stands in each batch.
    ///   - readBytes: bytes of one read, at least 1.
    public init(
        inputs: [Input],
        source: SourceNumber = SourceNumber(0),
        readBytes: Int = ReplayLimits.readBytes,
        files: FileTable = FileTable()
    ) {
        precondition(readBytes > 0)
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
            guard var current = reading.take() ?? nextReading() else {
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
        while current.splitter.wantsMore(batch, room: roomMin) {
            if isStream, !batch.lines.isEmpty { return false }
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

    private mutating func nextReading() -> Reading? {
        while nextInput < inputs.count {
            let input = inputs[nextInput]
            nextInput += 1
            do {
                let reader = try input.open(readBytes: readBytes)
                let file = files.append(
                    FileDescription(
                        path: input.path.string,
                        identity: input.identity,
                        timeHint: input.timeHint
                    )
                )
                return Reading(reader: reader, file: file, input: input)
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
        return nil
    }
}
