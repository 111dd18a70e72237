import LinuxIO
import SystemPackage

/// Reads the text of one input, whatever its encoding, from front to back.
struct InputReader: ~Copyable, Sendable {
    private let descriptor: Descriptor
    private var decoder: Decoder
    private let isPlain: Bool
    /// Bytes that were read from the descriptor and not used yet: `buffer[start..<end]`.
    private var buffer: [UInt8]
    private var start = 0
    private var end = 0
    private var isAtEnd = false
    /// Damage behind bytes that have come out already.
    private var damage: SourceProblem.Damage?
    /// How many bytes of the file, as it lies on the disk, were used.
    private(set) var fileOffset: UInt64 = 0

    /// - Parameters:
    ///   - head: bytes that were already read from `descriptor`.
    ///   - readBytes: bytes of one read of a compressed file.
    init(
        _ descriptor: consuming Descriptor,
        _ encoding: Encoding,
        head: [UInt8] = [],
        readBytes: Int
    ) {
        precondition(readBytes > 0)
        descriptor.willReadSequentially()
        self.descriptor = descriptor
        decoder = Decoder(encoding)
        isPlain = encoding == .plain
        buffer = head
        end = head.count
        if !isPlain, buffer.count < readBytes {
            buffer.append(contentsOf: repeatElement(0, count: readBytes - buffer.count))
        }
    }

    /// How much room ``read(into:_:)`` needs at least.
    var roomMin: Int { decoder.roomMin }

    /// Puts the next bytes of the text into `output[room]`.
    ///
    /// - Returns: how many; 0 at the end of the input, and then again 0.
    /// - Throws: once, at damage, when all that could be read before it has been returned.
    mutating func read(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        if let found = damage {
            damage = nil
            isAtEnd = true
            start = end
            throw found
        }
        return isPlain ? try readPlain(into: &output, room) : try decode(into: &output, room)
    }

    private mutating func readPlain(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        if isAtEnd { return 0 }
        if start < end {
            let count = min(end - start, room.count)
            let target = room.lowerBound..<(room.lowerBound + count)
            output.replaceSubrange(target, with: buffer[start..<(start + count)])
            start += count
            fileOffset += UInt64(count)
            return count
        }
        do {
            let count = try descriptor.read(into: &output, room)
            fileOffset += UInt64(count)
            return count
        } catch {
            isAtEnd = true
            throw .unreadable(error)
        }
    }

    private mutating func decode(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        while true {
            let step = decoder.decode(buffer, start..<end, into: &output, room)
            start += step.consumed
            fileOffset += UInt64(step.consumed)
            if let found = step.damage {
                if step.produced == 0 {
                    isAtEnd = true
                    start = end
                    throw found
                }
                damage = found
            }
            if step.produced > 0 { return step.produced }
            if step.consumed > 0 { continue }
            if isAtEnd { return 0 }
            do {
                try refill()
            } catch {
                isAtEnd = true
                throw .unreadable(error)
            }
            if isAtEnd, !decoder.mayEnd { throw .truncated }
        }
    }

    /// Reads more behind what is not used yet, of which there is little: a decoder takes all that
    /// it is given, but for a few bytes.
    private mutating func refill() throws(SystemCallError) {
        if start == end {
            start = 0
            end = 0
        } else if end == buffer.count {
            let rest = Array(buffer[start..<end])
            buffer.replaceSubrange(0..<rest.count, with: rest)
            start = 0
            end = rest.count
            if end == buffer.count { buffer.append(contentsOf: repeatElement(0, count: end)) }
        }
        let count = try descriptor.read(into: &buffer, end..<buffer.count)
        end += count
        if count == 0 { isAtEnd = true }
    }
}
