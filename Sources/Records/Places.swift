/// A source within one run: a followed file, a journal, or the chain of inputs of a replay.
///
/// Numbers follow the order of the source names, so that "order by source" means the same on every
/// machine.
@frozen
public struct SourceNumber: Hashable, Comparable, Sendable {
    public var rawValue: UInt16

    @inlinable
    public init(_ rawValue: UInt16) { self.rawValue = rawValue }

    @inlinable
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A file within one run of a source, counted from 0 in the order of reading.
///
/// ``FileTable`` knows the path and the identity behind the number.
@frozen
public struct FileNumber: Hashable, Comparable, Sendable {
    public var rawValue: UInt32

    @inlinable
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }

    @inlinable
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Which file it is, across a rename and a restart.
///
/// Device and inode alone are not enough: a file system gives the inode of a deleted file to the
/// next one. So the first bytes count as well, as many as there were when it was looked at.
///
/// Of a compressed file that is followed, the first bytes are those of its text. A rotated log that
/// is compressed gets another inode, and keeps this digest. (Inputs of a replay are read where they
/// lie, and their digest is that of the bytes on the disk.)
public struct FileIdentity: Hashable, Sendable {
    /// `st_dev`.
    public var device: UInt64
    /// `st_ino`.
    public var inode: UInt64
    /// FNV-1a (64 bit) of the text's first ``headByteCount`` bytes.
    public var headDigest: UInt64
    /// How many bytes ``headDigest`` covers: at most 1,024, fewer if the file was shorter.
    public var headByteCount: UInt32

    public init(device: UInt64, inode: UInt64, headDigest: UInt64, headByteCount: UInt32) {
        self.device = device
        self.inode = inode
        self.headDigest = headDigest
        self.headByteCount = headByteCount
    }

    /// How many of a file's first bytes the digest covers at most.
    public static let headBytesMax = 1_024

    /// The digest that ``headDigest`` holds.
    public static func digest(ofHead bytes: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return hash
    }
}

/// Where reading of one file can go on: its identity and the start of the first unread line.
public struct FileCursor: Hashable, Sendable {
    public var identity: FileIdentity
    /// Offset of the first unread line in the (decompressed) file.
    public var offset: UInt64
    /// `st_mtime` of the file when it was last read: microseconds since 1970, UTC; 0: not known.
    ///
    /// Files that were rotated after it have been written later. So when it is not found any more,
    /// this tells which of the others are surely older.
    public var modifiedMicroseconds: Int64

    public init(identity: FileIdentity, offset: UInt64, modifiedMicroseconds: Int64 = 0) {
        self.identity = identity
        self.offset = offset
        self.modifiedMicroseconds = modifiedMicroseconds
    }
}

/// Where reading of a journal can go on: behind this entry.
public struct JournalCursor: Hashable, Sendable {
    /// `__CURSOR` of the last entry that is done with (systemd.journal-fields(7)).
    public var text: String
    /// Its `__REALTIME_TIMESTAMP`, for when the entry is not there any more: microseconds since
    /// 1970, UTC.
    public var realtimeMicroseconds: Int64

    public init(text: String, realtimeMicroseconds: Int64) {
        self.text = text
        self.realtimeMicroseconds = realtimeMicroseconds
    }
}

/// Where reading of one source can go on.
public enum Cursor: Hashable, Sendable {
    case file(FileCursor)
    case journal(JournalCursor)
}

/// Names one record within a run: source, file and offset of its first byte; of a journal's entry,
/// its sequence number.
///
/// Records of one source compare in the order in which they were read.
@frozen
public struct RecordID: Hashable, Comparable, Sendable {
    public var source: SourceNumber
    public var file: FileNumber
    public var offset: UInt64

    @inlinable
    public init(source: SourceNumber, file: FileNumber, offset: UInt64) {
        self.source = source
        self.file = file
        self.offset = offset
    }

    @inlinable
    public static func < (left: Self, right: Self) -> Bool {
        (left.source, left.file, left.offset) < (right.source, right.file, right.offset)
    }
}

/// What stands behind a ``FileNumber``: filled by the source, read by whoever prints a place.
///
/// The entries of a journal count as one file for each *sequence number ID*: that is what their
/// numbers are unique in, in whatever journal files they lie (systemd.journal-fields(7),
/// `__SEQNUM_ID`). A place in it is written `journal:SEQNUMID:SEQNUM`.
public struct FileDescription: Sendable, Hashable {
    /// As the user named it, or as it was found below a folder; of a journal, `journal:` and the
    /// sequence number ID.
    public var path: String
    /// Absent for standard input and for journals.
    public var identity: FileIdentity?
    /// What the file says of its own time: see ``TimeHint``.
    public var timeHint: TimeHint
    /// `st_mtime` when it was last read, for the cursor; 0: not known.
    public var modifiedMicroseconds: Int64 = 0

    public init(path: String, identity: FileIdentity?, timeHint: TimeHint) {
        self.path = path
        self.identity = identity
        self.timeHint = timeHint
    }
}

/// From what a year-less stamp can get its year, best first (architecture §6, *Time*).
public enum TimeHint: Sendable, Hashable {
    /// A date in the file's name, as in `mail.log-20260301`: seconds since 1970 at its end (UTC).
    case nameDate(Int64)
    /// MTIME of a gzip header (RFC 1952): seconds since 1970, UTC.
    case gzipTime(Int64)
    /// The file's `st_mtime`: seconds since 1970, UTC.
    case modified(Int64)
    /// Live: when the line was read, given with each batch.
    case observed
    /// Nothing, as with a pipe.
    case none
}
