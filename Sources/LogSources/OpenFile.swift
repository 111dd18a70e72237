import LinuxIO
import Records
import SystemPackage

/// A file that a ``FollowSource`` holds open, and how far it was read.
struct OpenFile: ~Copyable, Sendable {
    let descriptor: Descriptor
    let key: FileKey
    /// Its name when it was opened.
    let path: FilePath
    var splitter: LineSplitter
    /// Its number, once it was begun.
    var number: FileNumber?
    /// Its first bytes, at most ``FileIdentity/headBytesMax``, as they were when they were read.
    private var head: [UInt8] = []
    private(set) var identity: FileIdentity
    var watch: FileWatch.ID?
    /// When it last grew: monotonic nanoseconds.
    var grownAt: UInt64
    /// When it was first seen to have bytes, for a file that waits for its turn.
    var filledAt: UInt64?
    /// How long it was when a writer last closed it.
    var closedSize: UInt64?

    /// - Parameter offset: of the first line to read.
    init(
        _ descriptor: consuming Descriptor,
        _ status: FileStatus,
        path: FilePath,
        offset: UInt64 = 0
    ) {
        self.descriptor = descriptor
        self.path = path
        key = FileKey(status)
        identity = FileIdentity(
            device: status.device,
            inode: status.inode,
            headDigest: FileIdentity.digest(ofHead: []),
            headByteCount: 0
        )
        splitter = LineSplitter(offset: offset)
        let age = max(0, Clocks.realtimeMicroseconds() - status.modifiedMicroseconds)
        let now = Clocks.monotonicNanoseconds()
        grownAt = now - min(now, UInt64(age) * 1_000)
    }

    /// A writer closed it, and it has not grown since.
    var isClosed: Bool { closedSize.map { splitter.readOffset <= $0 } ?? false }

    /// Takes more of the file's first bytes into its identity, if there are more by now.
    ///
    /// - Returns: whether the identity changed.
    mutating func extendHead() throws(SystemCallError) -> Bool {
        guard head.count < FileIdentity.headBytesMax else { return false }
        let now = try descriptor.readFully(count: FileIdentity.headBytesMax, at: 0)
        guard now.count > head.count else { return false }
        setHead(now)
        return true
    }

    private mutating func setHead(_ bytes: [UInt8]) {
        head = bytes
        identity.headDigest = FileIdentity.digest(ofHead: bytes)
        identity.headByteCount = UInt32(bytes.count)
    }

    /// Whether it still has the bytes that were read from it: it is as long, and begins alike.
    func isWhole() throws(SystemCallError) -> Bool {
        guard try descriptor.status().size >= splitter.readOffset else { return false }
        if head.isEmpty { return true }
        return try descriptor.readFully(count: head.count, at: 0) == head
    }

    /// Begins again at the first byte, as another file.
    mutating func restart() {
        splitter = LineSplitter(offset: 0)
        number = nil
        setHead([])
        closedSize = nil
        filledAt = nil
    }
}

extension Descriptor {
    /// Whether the file's first `byteCount` bytes have this digest.
    func hasHead(digest: UInt64, byteCount: Int) throws(SystemCallError) -> Bool {
        guard byteCount > 0 else { return true }
        let head = try readFully(count: byteCount, at: 0)
        return head.count == byteCount && FileIdentity.digest(ofHead: head) == digest
    }

    /// Whether reading can go on where `cursor` says, apart from which inode it is: the head is the
    /// same, the file is long enough, and a line starts there.
    func fits(_ cursor: FileCursor, _ status: FileStatus) throws(SystemCallError) -> Bool {
        guard status.kind == .regular, status.size >= cursor.offset else { return false }
        // A stored count that no identity has is a doubt like any other.
        guard cursor.identity.headByteCount <= UInt32(FileIdentity.headBytesMax) else {
            return false
        }
        let isAlike = try hasHead(
            digest: cursor.identity.headDigest,
            byteCount: Int(cursor.identity.headByteCount)
        )
        guard isAlike else { return false }
        // The last line of a file that was left has no newline.
        if cursor.offset == 0 || cursor.offset == status.size { return true }
        return try readFully(count: 1, at: cursor.offset - 1) == [UInt8(ascii: "\n")]
    }
}
