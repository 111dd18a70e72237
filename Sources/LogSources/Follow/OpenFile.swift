import LinuxIO
import Records
import SystemPackage

/// A file that a ``FollowSource`` holds open, and how far its text was read.
///
/// A plain file is read where it has grown. A compressed one, which is a rotated log, is read once
/// from front to back by a ``ByteStream``; offsets and the head are those of its text.
struct OpenFile: ~Copyable, Sendable {
    let descriptor: Descriptor
    let key: FileKey
    /// Its name when it was opened.
    let path: FilePath
    let encoding: Encoding
    /// What it says of its own time: see ``TimeHint``.
    let timeHint: TimeHint
    var splitter: LineSplitter
    /// Its number, once it was begun.
    var number: FileNumber?
    /// The first bytes of its text, at most ``FileIdentity/headBytesMax``, as they were when they
    /// were read.
    private(set) var head: [UInt8] = []
    private(set) var identity: FileIdentity
    /// How many bytes of it, as it lies on the disk, its reader has used.
    private(set) var fileOffset: UInt64 = 0
    /// `st_mtime` when it was last looked at.
    private(set) var modifiedMicroseconds: Int64
    /// What it was when copies of it were last looked for; nil: never.
    var searchedAt: Int64?
    var watch: FileWatch.ID?
    /// When it last grew: monotonic nanoseconds.
    var grownAt: UInt64
    /// When it was first seen to have bytes, for a file that waits for its turn.
    var filledAt: UInt64?
    /// When all of it had been read for the last time: microseconds since 1970, UTC.
    var endSeenAt: Int64?
    /// Since when reading it fails: monotonic nanoseconds.
    var failingSince: UInt64?
    /// How long it was when a writer last closed it.
    var closedSize: UInt64?
    /// Whether no more can be read of it, whatever comes: it is compressed and was read to its end,
    /// or it is damaged.
    private(set) var isDone = false
    private(set) var isGivenUp = false
    /// How much room ``read(into:_:)`` needs at least.
    let roomMin: Int
    /// Bytes of one read of a compressed file.
    private let readBytes: Int
    /// Of a compressed file, while it is read: stands at the splitter's `readOffset`.
    private var reader: TextReader?

    /// The file that the path names, or named when it was opened.
    init(_ descriptor: consuming Descriptor, _ status: FileStatus, path: FilePath, clock: Clock) {
        self.init(descriptor, status, path: path, .plain, .observed, clock, readBytes: 1)
    }

    private init(
        _ descriptor: consuming Descriptor,
        _ status: FileStatus,
        path: FilePath,
        _ encoding: Encoding,
        _ timeHint: TimeHint,
        _ clock: Clock,
        readBytes: Int
    ) {
        self.descriptor = descriptor
        self.path = path
        self.encoding = encoding
        self.timeHint = timeHint
        self.readBytes = readBytes
        roomMin = Decoder(encoding).roomMin
        key = FileKey(status)
        identity = FileIdentity(
            device: status.device,
            inode: status.inode,
            headDigest: FileIdentity.digest(ofHead: []),
            headByteCount: 0
        )
        modifiedMicroseconds = status.modifiedMicroseconds
        splitter = LineSplitter(offset: 0)
        grownAt = clock.monotonicNanoseconds()
        // Nobody writes to a log that is compressed.
        isComplete = encoding != .plain
    }

    /// A rotated file: it may be compressed.
    ///
    /// - Returns: nil when it is compressed in a way that nobody here reads.
    static func rotated(
        _ descriptor: consuming Descriptor,
        _ status: FileStatus,
        of sibling: Sibling,
        path: FilePath,
        readBytes: Int,
        clock: Clock
    ) throws(SystemCallError) -> OpenFile? {
        let head = try descriptor.readFully(count: Content.headBytes, at: 0)
        let encoding: Encoding
        switch Content(head: head) {
        // What is followed is UTF-8; only what has ended is converted.
        case .text(let found): encoding = found.isCompression ? found : .plain
        case .empty: encoding = .plain
        case .other, .journal, .archive:
            // A log may begin with zeros, or whatever its writer put there.
            guard !sibling.isCompressed else { return nil }
            encoding = .plain
        }
        let modified = status.modifiedMicroseconds
        let hint: TimeHint =
            endOfDay(inName: sibling.name).map { .nameDate($0) }
            ?? .modified(modified / 1_000_000 - (modified % 1_000_000 < 0 ? 1 : 0))
        return OpenFile(
            descriptor,
            status,
            path: path,
            encoding,
            hint,
            clock,
            readBytes: readBytes
        )
    }

    /// A writer closed it, and it has not grown since.
    var isClosed: Bool { closedSize.map { splitter.readOffset <= $0 } ?? false }

    /// Nothing can come to it any more.
    private(set) var isComplete = false

    // MARK: What it is

    /// Takes more of the text's first bytes into its identity, if there are more by now.
    ///
    /// - Returns: whether the identity changed.
    @discardableResult
    mutating func extendHead() throws(SystemCallError) -> Bool {
        guard head.count < FileIdentity.headBytesMax else { return false }
        if encoding != .plain, !head.isEmpty { return false }
        let now = try readHead()
        // Another head is that of another text: ``isWhole()`` will tell.
        guard now.count > head.count, now.starts(with: head) else { return false }
        setHead(now)
        return true
    }

    private func readHead() throws(SystemCallError) -> [UInt8] {
        let count = FileIdentity.headBytesMax
        if encoding == .plain { return try descriptor.readFully(count: count, at: 0) }
        var probe = try makeReader(readBytes: min(readBytes, 8_192))
        var text = [UInt8](repeating: 0, count: count + roomMin)
        var filled = 0
        while filled < count {
            do {
                let got = try probe.read(into: &text, filled..<text.count)
                if got == 0 { break }
                filled += got
            } catch .unreadable(let error) {
                throw error
            } catch {
                break
            }
        }
        return Array(text.prefix(min(filled, count)))
    }

    /// A reader at the first byte. There is one at a time: they share the descriptor's position.
    private func makeReader(readBytes: Int) throws(SystemCallError) -> TextReader {
        let twin = try descriptor.duplicate()
        try twin.rewind()
        return TextReader(
            Input.text(of: FileStream(twin), encoding, readBytes)
        )
    }

    private mutating func setHead(_ bytes: [UInt8]) {
        head = bytes
        identity.headDigest = FileIdentity.digest(ofHead: bytes)
        identity.headByteCount = UInt32(bytes.count)
    }

    /// Whether it still has the bytes that were read from it: it is as long, and begins alike.
    mutating func isWhole() throws(SystemCallError) -> Bool {
        guard encoding == .plain else { return true }
        let status = try descriptor.status()
        modifiedMicroseconds = status.modifiedMicroseconds
        guard status.size >= splitter.readOffset else { return false }
        if head.isEmpty { return true }
        return try descriptor.readFully(count: head.count, at: 0) == head
    }

    /// Whether it has bytes that were not read.
    func hasMore() throws(SystemCallError) -> Bool {
        let size = try descriptor.status().size
        return encoding == .plain ? size > splitter.readOffset : size > 0
    }

    /// Whether the text begins with what `identity` has the digest of.
    mutating func hasHead(of identity: FileIdentity) throws(SystemCallError) -> Bool {
        // A stored count that no identity has is a doubt like any other.
        guard identity.headByteCount <= UInt32(FileIdentity.headBytesMax) else { return false }
        try extendHead()
        let count = Int(identity.headByteCount)
        return head.count >= count
            && FileIdentity.digest(ofHead: head.prefix(count)) == identity.headDigest
    }

    /// Goes to `cursor` if that stands in this text, apart from which inode it is: the head is the
    /// same, the text is long enough, and a line starts there.
    ///
    /// A compressed file is read up to there.
    mutating func seek(to cursor: FileCursor) throws(SystemCallError) -> Bool {
        guard try hasHead(of: cursor.identity) else { return false }
        if encoding == .plain {
            let size = try descriptor.status().size
            guard cursor.offset <= size else { return false }
            // The last line of a file that was left has no newline.
            if cursor.offset > 0, cursor.offset < size {
                let before = try descriptor.readFully(count: 1, at: cursor.offset - 1)
                guard before == [UInt8(ascii: "\n")] else { return false }
            }
        } else {
            var text = try makeReader(readBytes: readBytes)
            guard let before = try text.skip(to: cursor.offset) else { return false }
            if cursor.offset > 0, before != UInt8(ascii: "\n") {
                // The end is told by what comes: nothing.
                var next = [UInt8](repeating: 0, count: roomMin)
                do {
                    guard try text.read(into: &next, 0..<roomMin) == 0 else { return false }
                } catch .unreadable(let error) {
                    throw error
                } catch {
                    return false
                }
            }
            reader = consume text
        }
        splitter = LineSplitter(offset: cursor.offset)
        return true
    }

    // MARK: Reading

    /// Why nothing came out.
    enum Failure: Error {
        case failed(SystemCallError)
        case damaged(SourceProblem.Damage)
    }

    /// Puts the next bytes of the text into `bytes[range]`, which has room for ``roomMin`` at least;
    /// whoever gets them appends them to the splitter.
    ///
    /// - Returns: how many; 0 at the end as it is now.
    mutating func read(into bytes: inout [UInt8], _ range: Range<Int>) throws(Failure) -> Int {
        if isDone { return 0 }
        if encoding == .plain {
            do {
                return try descriptor.read(into: &bytes, range, at: splitter.readOffset)
            } catch {
                throw .failed(error)
            }
        }
        var text = try takeReader()
        do {
            let count = try text.read(into: &bytes, range)
            fileOffset = text.fileOffset
            if count > 0 { reader = consume text } else { isDone = true }
            return count
        } catch .unreadable(let error) {
            // The next try begins with a new reader.
            throw .failed(error)
        } catch {
            fileOffset = text.fileOffset
            isDone = true
            throw .damaged(error)
        }
    }

    /// The reader that was there, or a new one that has read up to the splitter's `readOffset`.
    private mutating func takeReader() throws(Failure) -> TextReader {
        if let text = reader.take() { return text }
        do throws(SystemCallError) {
            if let text = try readerAtOffset() { return text }
        } catch {
            throw .failed(error)
        }
        isDone = true
        throw .damaged(.truncated)
    }

    private func readerAtOffset() throws(SystemCallError) -> TextReader? {
        var text = try makeReader(readBytes: readBytes)
        guard try text.skip(to: splitter.readOffset) != nil else { return nil }
        return text
    }

    // MARK: Its end

    /// Begins again at the first byte, as another file.
    mutating func restart() {
        splitter = LineSplitter(offset: 0)
        number = nil
        setHead([])
        closedSize = nil
        filledAt = nil
        endSeenAt = nil
    }

    /// Nobody writes to it.
    mutating func isCopy() { isComplete = true }

    /// No more is read of it, though there may be more.
    mutating func giveUp() {
        isDone = true
        isComplete = true
        isGivenUp = true
    }
}

/// Reads a compressed text, from any offset on.
private struct TextReader: ~Copyable, Sendable {
    private let reader: any ByteStream
    /// What came out behind the place that was wanted.
    private var surplus: ArraySlice<UInt8> = []

    init(_ reader: any ByteStream) { self.reader = reader }

    var fileOffset: UInt64 { reader.fileOffset }

    /// As ``ByteStream/read(into:_:)``.
    mutating func read(
        into bytes: inout [UInt8],
        _ range: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        if surplus.isEmpty { return try reader.read(into: &bytes, range) }
        let part = surplus.prefix(range.count)
        bytes.replaceSubrange(range.lowerBound..<(range.lowerBound + part.count), with: part)
        surplus = surplus.dropFirst(part.count)
        return part.count
    }

    /// Reads from the start of the text up to `offset`.
    ///
    /// - Returns: the byte before it, or a newline at the start of the text; nil when the text does
    ///   not reach that far.
    mutating func skip(to offset: UInt64) throws(SystemCallError) -> UInt8? {
        var scratch = [UInt8](repeating: 0, count: FollowLimits.skipBytes + reader.roomMin)
        var position: UInt64 = 0
        var before = UInt8(ascii: "\n")
        while position < offset {
            let count: Int
            do {
                count = try reader.read(into: &scratch, 0..<scratch.count)
            } catch .unreadable(let error) {
                throw error
            } catch {
                return nil
            }
            if count == 0 { return nil }
            let used = Int(min(UInt64(count), offset - position))
            before = scratch[used - 1]
            if used < count { surplus = scratch[used..<count] }
            position += UInt64(used)
        }
        return before
    }
}
