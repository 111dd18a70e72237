public import LinuxIO
public import Records
public import SystemPackage

/// Something that gives log lines in batches: a chain of files, a followed file.
///
/// One thread calls it. Batches come from outside and go back to be filled again, so a source
/// holds no more memory than its read buffers, however much it reads.
public protocol RecordSource: ~Copyable {
    /// Fills `batch` with what comes next.
    ///
    /// - Parameter batch: of at least ``LineSplitter/batchBytesMin`` bytes; what it held is
    ///   forgotten.
    /// - Throws: when the source cannot go on now. It may be called again, and then tries again.
    mutating func fill(_ batch: inout Batch) throws(SourceError) -> Fill

    /// Waits until there may be something new, after ``fill(_:)`` said ``Fill/idle``.
    ///
    /// - Parameters:
    ///   - stop: ends the wait when it is rung; it is not cleared here.
    ///   - nanoseconds: how long at most; nil: as long as the source sees fit.
    mutating func wait(
        stop: borrowing EventCounter,
        atMost nanoseconds: UInt64?
    ) throws(SourceError) -> Wake

    /// What there is to tell of since the last call, in order.
    mutating func takeNotes() -> [SourceNote]
}

/// What ``RecordSource/fill(_:)`` did.
public enum Fill: Hashable, Sendable {
    /// The batch holds at least one line, or says that a file or the source has ended, or, of a
    /// journal, that entries were passed over: its cursor tells how far.
    case lines
    /// Nothing is new; the batch is empty. Call `wait`.
    case idle
    /// The source has ended, and its last batch said so.
    case end
}

/// Why a wait ended.
public enum Wake: Hashable, Sendable {
    /// Something changed.
    case changed
    /// The time is over; the periodic look is due.
    case timeout
    /// The stop counter was rung.
    case stopped
}

/// A source could not go on. What to do depends on ``code``; the rest is for the operator.
public struct SourceError: Error, Hashable, Sendable {
    public enum Code: Hashable, Sendable { case notFound, permissionDenied, io }

    public let code: Code
    /// Which call failed on which path, and why.
    public let cause: SystemCallError
    /// What to do about it, in a sentence for the operator, where that is known.
    public let advice: String?

    public init(_ cause: SystemCallError, advice: String? = nil) {
        self.cause = cause
        self.advice = advice
        code =
            switch cause.cause {
            case .noSuchFileOrDirectory, .notDirectory: .notFound
            case .permissionDenied, .notPermitted: .permissionDenied
            default: .io
            }
    }
}

/// Something that happened to a source and that an operator may have to hear of.
public enum SourceNote: Hashable, Sendable {
    /// A part of an input could not be read; what came before it was given.
    case damaged(SourceProblem)
    /// Reading goes on where the cursor said. The file may have another name by now.
    case resumed(FilePath, offset: UInt64)
    /// A rotated file is read whose lines were not: at a first start with ``Backfill/rotated``,
    /// after an outage, or because the log was rotated more than once between two looks.
    case readsRotated(FilePath)
    /// Lines were not given and cannot be any more, or it cannot be told that there were none.
    case lost(FileGap)
    /// The path names another file; `old` is read to its end first.
    case rotated(FilePath)
    /// The path names nothing.
    case disappeared(FilePath)
    /// The file became shorter, or other than it was, and is read from its first byte.
    case truncated(FilePath, Truncation)
    /// The path names something that cannot be followed, or cannot be opened. It is tried again.
    case cannotOpen(SystemCallError)
    /// A text grew more than ``ArchiveLimits/ratioTold`` times out of its compressed form. All of it
    /// was read.
    case expanded(FilePath, textBytes: UInt64, fileBytes: UInt64)
    /// A member of an archive that is read from a stream is no log; see ``SkippedInput``.
    case leftOut(SkippedInput)
    /// An archive is read from a stream, in its own order, and this log in it begins before the one
    /// that was read before it.
    case notInTimeOrder(FilePath)
    /// No events come, as when the user's inotify watches are used up: the file is looked at often.
    case notWatched(SystemCallError)
    /// Journal entries were passed over that claim to be the mail server's and are not.
    case forged(ForgedEntries)
    /// journald left out messages of a unit because it wrote too many (`RateLimitBurst=` in
    /// journald.conf(5)).
    case suppressed(SuppressedMessages)
    /// Journal entries were removed before they were read.
    case vacuumed(VacuumedEntries)
}

/// Journal entries that claimed to be the mail server's. What stands in them, strangers chose.
public struct ForgedEntries: Hashable, Sendable {
    /// How many since this was last told of.
    public var count: Int
    /// The first one: what it calls itself, and what its trusted fields say of its writer.
    public var identifier: String
    public var unit: String?
    public var userID: UInt32?
    public var command: String?
    /// Microseconds since 1970, UTC.
    public var microseconds: Int64
}

/// Messages that journald did not store.
public struct SuppressedMessages: Hashable, Sendable {
    /// The unit that wrote them; empty when journald does not say.
    public var unit: String
    /// How many; at least one.
    public var count: UInt64
    /// When journald said so, at the end of the interval in which they were left out:
    /// microseconds since 1970, UTC.
    public var microseconds: Int64
}

/// The part of a journal that is gone: what was read and what is there do not meet.
public struct VacuumedEntries: Hashable, Sendable {
    /// The time of the last entry that was read: microseconds since 1970, UTC.
    public var fromMicroseconds: Int64
    /// The time of the first entry that is there: microseconds since 1970, UTC.
    public var toMicroseconds: Int64
}

/// How a followed file became shorter.
public struct Truncation: Hashable, Sendable {
    /// Offset up to which its lines were given.
    public var offset: UInt64
    /// The copy that was made of it before (copytruncate), from which the rest is read. Without
    /// one, a ``SourceNote/lost(_:)`` follows.
    public var copy: FilePath?
}

/// Lines of a followed file that were not given, as far as it is known.
public struct FileGap: Hashable, Sendable {
    public enum Cause: Hashable, Sendable {
        /// The file in which the cursor stands is not there any more, under any name, compressed or
        /// not. What was written to it behind the cursor is gone; files that were written later are
        /// all read, from their first byte.
        case cursorFileGone
        /// It was truncated, or written anew, and no copy of it was found. What was written to it
        /// after the last look is gone.
        case truncated
        /// It is compressed in a way that is not read here.
        case unknownCompression
        /// It could not be opened or read for ``FollowLimits/drainNanosecondsMax``, while others
        /// waited behind it.
        case unreadable(SystemCallError)
        /// It was still written after its successor had been for
        /// ``FollowLimits/drainNanosecondsMax``; it was left, and what comes to it from now on is
        /// not read.
        case leftWhileWritten
    }

    public var cause: Cause
    /// The file as it was named when it was opened; for ``Cause/cursorFileGone``, the followed path.
    public var path: FilePath
    /// Offset up to which its lines were given.
    public var offset: UInt64
    /// How many bytes are gone at least, where that is known: those of a line whose end is gone
    /// count too.
    public var bytes: UInt64?
    /// The lines that are gone were written after this time, where that is known: microseconds
    /// since 1970, UTC.
    public var sinceMicroseconds: Int64?
    /// And before this one, where that is known.
    public var untilMicroseconds: Int64?
}

/// A part of an input that could not be read.
public struct SourceProblem: Hashable, Sendable {
    public enum Damage: Error, Hashable, Sendable {
        /// A compressed file ends before its end mark.
        case truncated
        /// A compressed file is not what its format says; in the words of the library.
        case corrupt(String)
        /// What follows the last gzip member or zstd frame is neither.
        case trailingBytes
        /// A zstd frame asks for a window above ``ReplayLimits/zstdWindowLogMax``, or an xz stream
        /// for more than ``ReplayLimits/xzMemoryBytesMax``.
        case windowTooLarge
        /// The kernel could not read it.
        case unreadable(SystemCallError)
        /// Another file has its name now, and it was not found beside it.
        case replaced
        /// A journal file is shorter than its header says; what is there was read.
        case journalTruncated
        /// So many entries of a journal could not be read.
        case entriesUnreadable(UInt64)
        /// A journal export breaks off within an entry, or is none from here on.
        case exportBroken
    }

    public var path: FilePath
    public var damage: Damage
    /// How many bytes of the file, as it lies on the disk, had been used.
    public var fileOffset: UInt64
    /// How many bytes of its text had come out.
    public var textOffset: UInt64
    /// How many of those belong to a line whose end is lost, and were not given: half a line could
    /// be read as something that it never said.
    public var withheldBytes: Int
}

/// Bounds of a replay.
public enum ReplayLimits {
    /// Bytes of one read.
    public static let readBytes = 131_072
    /// Base-2 logarithm of the largest zstd window: 128 MiB, the default bound of `zstd -d` too. A
    /// file made with `--long=28` or more needs more memory than a log reader should take.
    public static let zstdWindowLogMax = 27
    /// Bytes that liblzma may take for one xz stream: a dictionary of 128 MiB and what goes with
    /// it. `xz -9` needs 65 MiB.
    public static let xzMemoryBytesMax: UInt64 = 130 << 20
}

/// What is read before the present file at a first start, when there is no cursor.
public enum Backfill: Hashable, Sendable {
    /// Nothing.
    case none
    /// The rotated files beside it, compressed or not, oldest first.
    case rotated
}

/// Bounds of following a file.
public struct FollowLimits: Hashable, Sendable {
    /// Bytes of one read.
    public var readBytes = 131_072
    /// Bytes of one read of a compressed file.
    public var compressedReadBytes = 131_072
    /// Without any event, the path and its file are looked at this often.
    public var lookNanoseconds: UInt64 = 5_000_000_000
    /// As ``lookNanoseconds``, where inotify cannot be had.
    public var lookUnwatchedNanoseconds: UInt64 = 250_000_000
    /// A rotated file is at its end when nobody closed it but nothing was added for so long.
    public var quietNanoseconds: UInt64 = 2_000_000_000
    /// A rotated file that never gets quiet is left when its successor has had lines for so long;
    /// one that cannot be read when it could not for so long.
    public var drainNanosecondsMax: UInt64 = 60_000_000_000
    /// Files held open: the one being read and those that come after it. At most 8; when more wait
    /// to be read, the newest are opened later.
    public static let heldFilesMax = 8
    /// Bytes of text in one step to a place within a compressed file.
    static let skipBytes = 262_144
    /// How often a folder is read anew that changes while it is read; then it is let be until the
    /// next look.
    static let listingsMax = 8
    /// Then it is let be for so long.
    static let restNanoseconds: UInt64 = 20_000_000

    public init() {}
}
