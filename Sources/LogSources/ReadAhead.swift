import LinuxIO
import Records
import Synchronization

/// Bounds of reading ahead.
public enum ReadAheadLimits {
    /// Threads that decompress, if the machine has so many processors.
    public static let threadsMax = 4
    /// Bytes of text that wait at most, over all parts; a part that is not the next to be read stops
    /// there. Half of a part must fit for two threads to be twice as fast as one.
    static let waitingBytesMax = 64 << 20
    /// Bytes of text that wait at most of the part that is being read: few, so that they are still
    /// in the processor's cache.
    static let nextBytesMax = 2 << 20
    /// Bytes of one buffer.
    static let bufferBytes = 262_144
    /// Buffers kept for use again.
    static let spareMax = 16
    /// Compressed bytes that make a part of a zstd file, in whole frames.
    static let framesBytesMin: UInt64 = 1 << 20
    /// How far is looked for the end of a zstd frame. A frame that is longer is read, with all that
    /// follows it, by one thread.
    static let frameBytesMax: UInt64 = 32 << 20
}

/// Decompresses the inputs of a chain on threads of its own, in order: each thread takes the next
/// part of the ``ReadPlan``, and what comes out waits until its turn.
///
/// Memory is bounded by ``ReadAheadLimits``, whatever the inputs say. The threads end when this
/// object does, and it waits for them.
final class ReadAhead: Sendable {
    private let work: ReadAheadWork
    private let threads: [WorkerThread]

    /// - Parameter threadCount: at least 1.
    init(_ inputs: [Input], readBytes: Int, threadCount: Int) {
        precondition(threadCount > 0)
        let work = ReadAheadWork(inputs, readBytes: readBytes)
        self.work = work
        threads = (0..<threadCount).map { _ in WorkerThread { work.run() } }
    }

    deinit {
        work.stop()
        for thread in threads { thread.join() }
    }

    /// The text of an input; each is asked for once, in their order, and read to its end.
    func stream(ofInput index: Int) -> AheadStream { AheadStream(self, index) }

    /// The next buffer of an input.
    fileprivate func next(ofInput index: Int, _ old: [UInt8]) -> ReadAheadWork.Chunk {
        work.next(ofInput: index, givingBack: old)
    }
}

/// What the threads of a ``ReadAhead`` share with it.
private final class ReadAheadWork: Sendable {
    /// A buffer of text, or how an input ended.
    struct Chunk: Sendable {
        enum Mark: Sendable {
            case text
            case end
            case damaged(SourceProblem.Damage)
        }

        let input: Int
        var bytes: [UInt8] = []
        var count = 0
        /// How many bytes of the file were used, and how many before the input began.
        var fileOffset: UInt64 = 0
        var startOffset: UInt64 = 0
        var mark = Mark.text
    }

    /// What waits of a part.
    private struct Part: Sendable {
        var chunks: [Chunk] = []
        /// Index of the first chunk that was not taken.
        var first = 0
        var waitingBytes = 0
        var isDone = false

        mutating func takeFirst() -> Chunk {
            let chunk = chunks[first]
            chunks[first] = Chunk(input: chunk.input)
            first += 1
            waitingBytes -= chunk.bytes.count
            if first == chunks.count || first > 64 {
                chunks.removeFirst(first)
                first = 0
            }
            return chunk
        }
    }

    private struct State: Sendable {
        /// Those that were begun and not read to their end; the first is the one being read.
        var parts: [Part] = []
        /// Number of the first of ``parts``.
        var firstPart = 0
        var waitingBytes = 0
        var spare: [[UInt8]] = []
        /// Inputs up to this one are done with.
        var doneInput = -1
        var isStopped = false
        /// Parts that may still be begun.
        var hasMore = true

        /// What there is for the reader; nil: nothing yet. Whatever was changed on the way wakes the
        /// threads, since one may wait for just that.
        mutating func answer(forInput input: Int) -> (Answer, wakes: Bool)? {
            guard !parts.isEmpty else {
                return hasMore ? nil : (.chunk(Chunk(input: input, mark: .end)), wakes: false)
            }
            guard parts[0].first < parts[0].chunks.count else {
                guard parts[0].isDone else { return nil }
                parts.removeFirst()
                firstPart += 1
                return (.goOn, wakes: true)
            }
            let chunk = parts[0].takeFirst()
            waitingBytes -= chunk.bytes.count
            guard chunk.input == input else { return (.goOn, wakes: true) }
            if case .text = chunk.mark {} else { doneInput = input }
            return (.chunk(chunk), wakes: true)
        }
    }

    private let state = Monitor(State())
    private let plan: Mutex<ReadPlan>
    private let readBytes: Int

    init(_ inputs: [Input], readBytes: Int) {
        plan = Mutex(ReadPlan(inputs))
        self.readBytes = readBytes
    }

    func stop() {
        state.change { state in
            state.isStopped = true
            return ((), wakes: true)
        }
    }

    // MARK: The reader's side

    /// What asking for a chunk came to.
    private enum Answer {
        case chunk(Chunk)
        /// Others may have waited for what was dropped or has ended.
        case goOn
    }

    /// The next chunk of an input. What is left of those before it is dropped.
    func next(ofInput input: Int, givingBack old: [UInt8]) -> Chunk {
        if !old.isEmpty {
            state.change { state in
                if state.spare.count < ReadAheadLimits.spareMax { state.spare.append(old) }
                return ((), wakes: false)
            }
        }
        while true {
            let answer = state.wait { state in state.answer(forInput: input) }
            if case .chunk(let chunk) = answer { return chunk }
        }
    }

    // MARK: The threads' side

    func run() {
        while let (part, number) = begin() {
            read(part, number)
            state.change { state in
                state.parts[number - state.firstPart].isDone = true
                return ((), wakes: true)
            }
        }
    }

    /// Takes the next part of the plan. The plan is held meanwhile, so parts are entered in order.
    private func begin() -> (ReadPart, Int)? {
        plan.withLock { plan in
            let isStopped = state.change { ($0.isStopped, wakes: false) }
            let part = isStopped ? nil : plan.next()
            return state.change { state in
                guard let part else {
                    state.hasMore = false
                    return (nil, wakes: true)
                }
                state.parts.append(Part())
                return ((part, state.firstPart + state.parts.count - 1), wakes: true)
            }
        }
    }

    private func read(_ part: ReadPart, _ number: Int) {
        switch part {
        case .file(let input, let file, let encoding):
            var end = Chunk(input: input, mark: .end)
            do {
                let raw = FileStream(try file.open())
                let text = DecodedStream(raw, encoding, readBytes: readBytes)
                guard try pump(text, &end, number) else { return }
            } catch {
                end.mark = .damaged(error)
            }
            give(end, number)
        case .frames(let input, let file, let start, let stop):
            var end = Chunk(input: input, fileOffset: start, mark: .end)
            let raw = RangeStream(file, from: start, to: stop)
            let text = DecodedStream(raw, .zstd, readBytes: readBytes, continues: start > 0)
            do {
                guard try pump(text, &end, number) else { return }
                // Others follow.
                if stop != nil { return }
            } catch {
                end.mark = .damaged(error)
            }
            give(end, number)
        case .members(let archive, let members):
            let reader = ArchiveReader(archive, readBytes: readBytes)
            for member in members {
                var end = Chunk(input: member.input, mark: .end)
                do {
                    let text = try reader.open(member.number)
                    end.startOffset = reader.fileOffset
                    guard try pump(text, &end, number) else { return }
                } catch {
                    end.fileOffset = reader.fileOffset
                    end.mark = .damaged(error)
                }
                guard give(end, number) else { return }
            }
        }
    }

    /// Reads a text to its end.
    ///
    /// - Parameter end: what will be given behind it; gets the offset.
    /// - Returns: whether it is still wanted.
    private func pump(
        _ text: any ByteStream,
        _ end: inout Chunk,
        _ number: Int
    ) throws(SourceProblem.Damage) -> Bool {
        while true {
            var chunk = Chunk(input: end.input, bytes: takeBuffer(), startOffset: end.startOffset)
            var damage: SourceProblem.Damage?
            var isAtEnd = false
            while !isAtEnd, damage == nil, chunk.bytes.count - chunk.count >= text.roomMin {
                do {
                    let room = chunk.count..<chunk.bytes.count
                    let count = try text.read(into: &chunk.bytes, room)
                    chunk.count += count
                    isAtEnd = count == 0
                } catch {
                    damage = error
                }
            }
            chunk.fileOffset = text.fileOffset
            end.fileOffset = chunk.fileOffset
            if chunk.count > 0, !give(chunk, number) { return false }
            if let damage { throw damage }
            if isAtEnd { return true }
        }
    }

    private func takeBuffer() -> [UInt8] {
        state.change { ($0.spare.popLast(), wakes: false) }
            ?? [UInt8](repeating: 0, count: ReadAheadLimits.bufferBytes)
    }

    /// Puts a chunk behind those of its part, as soon as there is room.
    ///
    /// - Returns: whether more of it is wanted.
    @discardableResult
    private func give(_ chunk: Chunk, _ number: Int) -> Bool {
        state.wait { state in
            if state.isStopped { return (false, wakes: false) }
            let index = number - state.firstPart
            // It is damaged further in front.
            if chunk.input <= state.doneInput { return (false, wakes: false) }
            let isNext = index == 0
            let waiting = isNext ? state.parts[0].waitingBytes : state.waitingBytes
            let most =
                isNext ? ReadAheadLimits.nextBytesMax : ReadAheadLimits.waitingBytesMax
            guard waiting == 0 || chunk.bytes.isEmpty || waiting + chunk.bytes.count <= most else {
                return nil
            }
            state.parts[index].chunks.append(chunk)
            state.parts[index].waitingBytes += chunk.bytes.count
            state.waitingBytes += chunk.bytes.count
            return (true, wakes: isNext)
        }
    }
}

/// The text of one input, as the threads of a ``ReadAhead`` give it.
final class AheadStream: ByteStream, @unchecked Sendable {
    private let ahead: ReadAhead
    private let input: Int
    private var bytes: [UInt8] = []
    private var start = 0
    private var end = 0
    private var isAtEnd = false
    private(set) var fileOffset: UInt64 = 0
    /// How many bytes of the file were used before the input began.
    private(set) var startOffset: UInt64 = 0

    fileprivate init(_ ahead: ReadAhead, _ input: Int) {
        self.ahead = ahead
        self.input = input
    }

    var roomMin: Int { 1 }
    var isRaw: Bool { false }

    func read(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        if isAtEnd { return 0 }
        if start == end {
            let old = bytes
            bytes = []
            let chunk = ahead.next(ofInput: input, old)
            bytes = chunk.bytes
            start = 0
            end = chunk.count
            fileOffset = chunk.fileOffset
            startOffset = chunk.startOffset
            switch chunk.mark {
            case .text: break
            case .end:
                isAtEnd = true
                return 0
            case .damaged(let damage):
                isAtEnd = true
                throw damage
            }
        }
        let count = min(end - start, room.count)
        let target = room.lowerBound..<(room.lowerBound + count)
        output.replaceSubrange(target, with: bytes[start..<(start + count)])
        start += count
        return count
    }
}
