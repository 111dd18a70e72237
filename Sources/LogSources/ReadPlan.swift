import LinuxIO
import Records

/// What one thread reads at a time, in the order of the inputs.
enum ReadPart: Sendable {
    /// A whole compressed file: the input's index.
    case file(Int, InputFile, Encoding)
    /// Whole frames of a zstd file, from one offset to another, or to the file's end.
    case frames(Int, SharedFile, from: UInt64, to: UInt64?)
    /// Members of one archive, one behind the other: each an input's index and its number.
    case members(ArchiveFile, [(input: Int, number: Int)])
}

/// Cuts a chain of inputs into parts that can be decompressed beside each other.
///
/// What needs no decompression is in none of them.
struct ReadPlan: ~Copyable {
    private let inputs: [Input]
    private var nextInput = 0
    /// The zstd file that is being cut.
    private var frames: Frames?

    private struct Frames: ~Copyable {
        let input: Int
        let file: SharedFile
        var finder: ZstdFrames
        var offset: UInt64 = 0
    }

    init(_ inputs: [Input]) { self.inputs = inputs }

    /// Whether the input is read through the plan.
    static func covers(_ input: Input) -> Bool {
        switch input.place {
        case .file: input.encoding != .plain
        case .member: true
        case .stream, .archiveStream, .journal: false
        }
    }

    mutating func next() -> ReadPart? {
        if let part = nextFrames() { return part }
        while nextInput < inputs.count {
            let index = nextInput
            nextInput += 1
            guard Self.covers(inputs[index]) else { continue }
            switch inputs[index].place {
            case .file(let file): return begin(file, index)
            case .member(let member): return members(from: member, index)
            case .stream, .archiveStream, .journal: continue
            }
        }
        return nil
    }

    private mutating func begin(_ file: InputFile, _ index: Int) -> ReadPart? {
        let encoding = inputs[index].encoding
        if encoding == .zstd, file.size > ReadAheadLimits.framesBytesMin,
            let shared = try? file.openShared()
        {
            frames = Frames(input: index, file: shared, finder: ZstdFrames(shared))
            return nextFrames()
        }
        return .file(index, file, encoding)
    }

    /// The next frames of the file that is being cut: so many that a thread has something to do.
    private mutating func nextFrames() -> ReadPart? {
        guard var cut = frames.take() else { return nil }
        let start = cut.offset
        let whole = start + ReadAheadLimits.framesBytesMin
        while cut.offset < whole, cut.offset < cut.file.size {
            let end = cut.finder.end(
                ofFrameAt: cut.offset,
                bytesMax: ReadAheadLimits.frameBytesMax
            )
            guard let end else {
                return .frames(cut.input, cut.file, from: start, to: nil)
            }
            cut.offset = end
        }
        // To the very end, so that what was added meanwhile is not left out.
        if cut.offset >= cut.file.size {
            return .frames(cut.input, cut.file, from: start, to: nil)
        }
        let part = ReadPart.frames(cut.input, cut.file, from: start, to: cut.offset)
        frames = consume cut
        return part
    }

    /// As many members as can be read in one pass.
    private mutating func members(from first: Input.Member, _ index: Int) -> ReadPart {
        var members = [(input: index, number: first.number)]
        while nextInput < inputs.count, case .member(let next) = inputs[nextInput].place,
            next.archive == first.archive, next.number > members[members.count - 1].number
        {
            members.append((nextInput, next.number))
            nextInput += 1
        }
        return .members(first.archive, members)
    }
}
