import LinuxIO
import Records

/// Bytes from front to back: a file, what a decoder makes of another stream, a member of an archive.
///
/// A stream belongs to one thread at a time, which may change: it is made where the input is opened
/// and read where there is time for it, and the hand-over goes through a lock. That is why each
/// implementation is `@unchecked Sendable` although it has no lock of its own.
protocol ByteStream: AnyObject, Sendable {
    /// How much room ``read(into:_:)`` needs at least.
    var roomMin: Int { get }
    /// How many bytes of the file, as it lies on the disk, were used.
    var fileOffset: UInt64 { get }
    /// Whether its bytes are the file's own, so that those which wait in a buffer were not used.
    var isRaw: Bool { get }

    /// Puts the next bytes into `output[room]`.
    ///
    /// - Returns: how many; 0 at the end, and then again 0.
    /// - Throws: once, at damage, when all that could be read before it has been returned; then it
    ///   is at its end.
    func read(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int
}

/// The bytes of a descriptor, behind those that were read from it before.
final class FileStream: ByteStream, @unchecked Sendable {
    private let descriptor: Descriptor
    private var head: [UInt8]
    private var headStart = 0
    private var isAtEnd = false
    private(set) var fileOffset: UInt64 = 0

    init(_ descriptor: consuming Descriptor, head: [UInt8] = []) {
        descriptor.willReadSequentially()
        self.descriptor = descriptor
        self.head = head
    }

    var roomMin: Int { 1 }
    var isRaw: Bool { true }

    func read(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        if isAtEnd { return 0 }
        var count = min(head.count - headStart, room.count)
        if count > 0 {
            let target = room.lowerBound..<(room.lowerBound + count)
            output.replaceSubrange(target, with: head[headStart..<(headStart + count)])
            headStart += count
            if headStart == head.count {
                head = []
                headStart = 0
            }
        } else {
            do {
                count = try descriptor.read(into: &output, room)
            } catch {
                isAtEnd = true
                throw .unreadable(error)
            }
        }
        fileOffset += UInt64(count)
        return count
    }
}

/// A file that several streams read from, each at its own place.
final class SharedFile: Sendable {
    let descriptor: Descriptor
    let size: UInt64

    init(_ descriptor: consuming Descriptor, size: UInt64) {
        self.descriptor = descriptor
        self.size = size
    }
}

/// The bytes of a file from one offset to another, or to its end.
final class RangeStream: ByteStream, @unchecked Sendable {
    private let file: SharedFile
    private let end: UInt64?
    private var isAtEnd = false
    private(set) var fileOffset: UInt64

    init(_ file: SharedFile, from start: UInt64, to end: UInt64?) {
        self.file = file
        self.end = end
        fileOffset = start
    }

    var roomMin: Int { 1 }
    var isRaw: Bool { true }

    func read(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        var count = room.count
        if let end { count = min(count, Int(clamping: end - fileOffset)) }
        if isAtEnd || count == 0 { return 0 }
        do {
            let target = room.lowerBound..<(room.lowerBound + count)
            count = try file.descriptor.read(into: &output, target, at: fileOffset)
        } catch {
            isAtEnd = true
            throw .unreadable(error)
        }
        fileOffset += UInt64(count)
        return count
    }
}

/// What a decoder makes of another stream.
final class DecodedStream: ByteStream, @unchecked Sendable {
    private let upstream: any ByteStream
    private var decoder: Decoder
    /// Bytes of `upstream` that were not used yet: `buffer[start..<end]`.
    private var buffer: [UInt8]
    private var start = 0
    private var end = 0
    private var isUpstreamAtEnd = false
    private var isAtEnd = false
    /// Damage behind bytes that have come out already.
    private var damage: SourceProblem.Damage?

    /// - Parameters:
    ///   - readBytes: bytes of one read of `upstream`.
    ///   - continues: it does not begin with the file, so that other frames stand before it.
    init(
        _ upstream: any ByteStream,
        _ encoding: Encoding,
        readBytes: Int,
        continues: Bool = false
    ) {
        precondition(readBytes > 0)
        self.upstream = upstream
        decoder = Decoder(encoding, continues: continues)
        buffer = [UInt8](repeating: 0, count: max(readBytes, upstream.roomMin))
    }

    var roomMin: Int { decoder.roomMin }

    var fileOffset: UInt64 {
        upstream.fileOffset - (upstream.isRaw ? UInt64(end - start) : 0)
    }

    var isRaw: Bool { false }

    func read(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        if let damage { throw finish(damage) }
        while !isAtEnd {
            let step = decoder.decode(buffer, start..<end, into: &output, room)
            start += step.consumed
            if let found = step.damage {
                guard step.produced > 0 else { throw finish(found) }
                damage = found
            }
            if step.produced > 0 { return step.produced }
            if step.consumed > 0 { continue }
            if isUpstreamAtEnd {
                isAtEnd = true
                return 0
            }
            try refill()
            if isUpstreamAtEnd, !decoder.mayEnd { throw finish(.truncated) }
        }
        return 0
    }

    private func finish(_ found: SourceProblem.Damage) -> SourceProblem.Damage {
        damage = nil
        isAtEnd = true
        return found
    }

    /// Reads more behind what is not used yet, of which there is little: a decoder takes all that
    /// it is given, but for a few bytes.
    private func refill() throws(SourceProblem.Damage) {
        if start == end {
            start = 0
            end = 0
        } else if buffer.count - end < upstream.roomMin {
            let rest = Array(buffer[start..<end])
            buffer.replaceSubrange(0..<rest.count, with: rest)
            start = 0
            end = rest.count
            let missing = max(upstream.roomMin, end) - (buffer.count - end)
            if missing > 0 { buffer.append(contentsOf: repeatElement(0, count: missing)) }
        }
        do {
            let count = try upstream.read(into: &buffer, end..<buffer.count)
            end += count
            if count == 0 { isUpstreamAtEnd = true }
        } catch {
            throw finish(error)
        }
    }
}

/// A stream whose first bytes can be seen before they are read.
final class PeekedStream: ByteStream, @unchecked Sendable {
    private let upstream: any ByteStream
    /// What was peeked at, until it is read.
    private(set) var head: [UInt8] = []
    private var headStart = 0
    private var damage: SourceProblem.Damage?
    private var isAtEnd = false

    init(_ upstream: any ByteStream) { self.upstream = upstream }

    var roomMin: Int { upstream.roomMin }
    var isRaw: Bool { upstream.isRaw }

    var fileOffset: UInt64 {
        upstream.fileOffset - (isRaw ? UInt64(head.count - headStart) : 0)
    }

    /// Whether it ends with damage behind the bytes that were peeked at.
    var isDamaged: Bool { damage != nil }

    /// The first bytes, `count` of them if there are so many, or fewer if those are enough. To be
    /// called once, before the first read.
    func peek(
        _ count: Int,
        isEnough: (ArraySlice<UInt8>) -> Bool = { _ in false }
    ) -> ArraySlice<UInt8> {
        var filled = 0
        head = [UInt8](repeating: 0, count: count + upstream.roomMin)
        while filled < count, !isAtEnd, damage == nil, filled == 0 || !isEnough(head[..<filled]) {
            do {
                let got = try upstream.read(into: &head, filled..<head.count)
                if got == 0 { isAtEnd = true }
                filled += got
            } catch {
                damage = error
            }
        }
        head.removeLast(head.count - filled)
        return head.prefix(count)
    }

    func read(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        let count = min(head.count - headStart, room.count)
        if count > 0 {
            let target = room.lowerBound..<(room.lowerBound + count)
            output.replaceSubrange(target, with: head[headStart..<(headStart + count)])
            headStart += count
            return count
        }
        if let found = damage {
            damage = nil
            isAtEnd = true
            throw found
        }
        if isAtEnd { return 0 }
        head = []
        headStart = 0
        return try upstream.read(into: &output, room)
    }
}
