import LinuxIO
public import Records
import Synchronization
public import SystemPackage

/// One input of a replay, known by its content to be a log: a file, a member of an archive, or
/// standard input or a pipe.
///
/// Files are not kept open; ``ReplaySource`` opens them when their turn comes and makes sure that
/// they are still the same. What can be read only once stays open in here, together with the bytes
/// that were already read from it.
public struct Input: Sendable {
    /// As it was named, or as it was found below a folder; `-` for standard input; of several journal
    /// files, their folder. A member of an archive has the archive's path with its own name behind it,
    /// for showing.
    public private(set) var path: FilePath
    /// Of the file, or of the archive that it is in; `plain` for a bare tar and for a zip.
    public let encoding: Encoding
    /// Absent for journals and for what is no regular file. Of a compressed file, the digest is that of the
    /// compressed bytes; a member has the identity of its archive.
    public let identity: FileIdentity?
    /// Bytes on the disk; absent for journals, for what is no regular file, and for a member of an
    /// archive.
    public let size: UInt64?
    /// `st_mtime` of the file: microseconds since 1970, UTC; absent for what is no regular file.
    public private(set) var modifiedMicroseconds: Int64?
    public let timeHint: TimeHint
    private(set) var place: Place

    /// The first stamp in the first lines of a log with such a hint: microseconds since 1970, UTC.
    public typealias FirstStamp = @Sendable ([[UInt8]], TimeHint) -> Int64?

    /// With it, logs of an archive that is a stream are told of when they are not in the order of
    /// their time. This room knows no stamps.
    public var firstStamp: FirstStamp?

    enum Place: Sendable {
        case file(InputFile)
        case member(Member)
        /// What can be read only once, and was begun.
        case stream(HeldStream)
        /// As ``stream(_:)``, and an archive.
        case archiveStream(HeldStream)
        /// The files of a journal, which are opened by libsystemd.
        case journal([FilePath], SystemCalls)
    }

    /// A log in an archive.
    struct Member: Sendable {
        let archive: ArchiveFile
        /// See ``ArchiveReader``.
        let number: Int
        let summary: TextSummary
    }

    /// A regular file.
    init(_ file: InputFile, _ encoding: Encoding, head: [UInt8]) {
        path = file.path
        self.encoding = encoding
        identity = file.identity
        size = file.size
        modifiedMicroseconds = file.modifiedMicroseconds
        timeHint = Self.timeHint(of: file, encoding, head: head)
        place = .file(file)
    }

    /// A member of an archive.
    init(_ path: FilePath, _ encoding: Encoding, _ hint: TimeHint, _ member: Member) {
        self.path = path
        self.encoding = encoding
        identity = member.archive.file.identity
        size = nil
        modifiedMicroseconds = member.archive.file.modifiedMicroseconds
        timeHint = hint
        place = .member(member)
    }

    /// A journal file, and those of its folder that are added.
    init(journalFile path: FilePath, _ status: FileStatus, calls: SystemCalls) {
        self.path = path
        encoding = .plain
        identity = nil
        size = nil
        modifiedMicroseconds = status.modifiedMicroseconds
        // Its stamps have a year.
        timeHint = .none
        place = .journal([path], calls)
    }

    mutating func addJournalFile(_ path: FilePath, _ status: FileStatus) {
        guard case .journal(let files, let calls) = place else { return }
        let folder = path.removingLastComponent()
        self.path = folder.isEmpty ? "." : folder
        modifiedMicroseconds = max(modifiedMicroseconds ?? .min, status.modifiedMicroseconds)
        place = .journal(files + [path], calls)
    }

    private func journalLine(isLast: Bool) -> [UInt8]? {
        guard case .journal(let files, let calls) = place else { return nil }
        var notes: [SourceNote] = []
        let journal = JournalReplay(files, JournalSelection(), calls: calls, notes: &notes)
        guard var journal else { return nil }
        return journal.line(isLast: isLast)
    }

    /// A stream of which `head` was read.
    init(
        _ path: FilePath,
        _ encoding: Encoding,
        stream: consuming Descriptor,
        head: [UInt8],
        isArchive: Bool
    ) {
        self.path = path
        self.encoding = encoding
        identity = nil
        size = nil
        modifiedMicroseconds = nil
        timeHint = gzipTime(encoding, head[...]) ?? .none
        let held = HeldStream(stream, head: head)
        place = isArchive ? .archiveStream(held) : .stream(held)
    }

    /// What a file says of its time: see ``TimeHint``.
    static func timeHint(of file: InputFile, _ encoding: Encoding, head: [UInt8]) -> TimeHint {
        endOfDay(inName: file.path).map { .nameDate($0) }
            ?? gzipTime(encoding, head[...])
            ?? .modified(file.modifiedMicroseconds.dividedDown(by: 1_000_000))
    }

    /// The text of what is no member of an archive, for its one reading.
    func open(readBytes: Int) throws(SourceProblem.Damage) -> any ByteStream {
        switch place {
        case .file(let file):
            Self.text(of: FileStream(try file.open()), encoding, readBytes)
        case .member(let member):
            try ArchiveReader(member.archive, readBytes: readBytes).open(member.number)
        case .stream(let held), .archiveStream(let held):
            Self.text(of: held.take(), encoding, readBytes)
        case .journal: preconditionFailure("the entries of a journal are no text")
        }
    }

    static func text(
        of stream: any ByteStream,
        _ encoding: Encoding,
        _ readBytes: Int
    ) -> any ByteStream {
        encoding == .plain ? stream : DecodedStream(stream, encoding, readBytes: readBytes)
    }

    /// The first lines, without newlines, as far as they fit into `maxBytes` of text; for ordering
    /// inputs by their first stamp. Of a compressed file only the head is decompressed; of a member
    /// of an archive there are the first ``TextSummary/headBytesMax`` bytes, and the last line may
    /// be the beginning of one.
    ///
    /// What cannot be read ends the list; it is told of when the input is read. An archive that is
    /// a stream has none.
    ///
    /// - Parameter maxBytes: of text; at most 16 MiB are looked at.
    public func peekFirstLines(maxBytes: Int) -> [[UInt8]] {
        let limit = min(max(maxBytes, 1), 1 << 24)
        switch place {
        case .journal: return journalLine(isLast: false).map { [$0] } ?? []
        case .file:
            guard let stream = try? open(readBytes: 65_536) else { return [] }
            return Self.firstLines(stream, limit)
        case .member(let member): return member.summary.firstLines
        case .stream(let held), .archiveStream(let held):
            // What was read so far: /dev/null ends it where the head does.
            guard let nothing = try? SystemCalls().open("/dev/null") else { return [] }
            let head = FileStream(nothing, head: held.readAhead(limit))
            let text = PeekedStream(Self.text(of: head, encoding, 65_536))
            guard Content(head: Array(text.peek(Content.headBytes))) == .text(.plain) else {
                return []
            }
            return Self.firstLines(text, limit)
        }
    }

    private static func firstLines(_ stream: any ByteStream, _ limit: Int) -> [[UInt8]] {
        var text = [UInt8](repeating: 0, count: limit + stream.roomMin)
        var count = 0
        var isWhole = false
        while count < limit, !isWhole {
            guard let got = try? stream.read(into: &text, count..<text.count) else { break }
            count += got
            isWhole = got == 0
        }
        text.removeLast(text.count - min(count, limit))
        if ExportParser.isExport(text) {
            return ExportReplay.firstLine(of: text).map { [$0] } ?? []
        }
        // Only the end of the input makes a line of what has no newline.
        if !isWhole { text.removeLast(text.count - 1 - (text.lastIndex(of: newline) ?? -1)) }
        if text.last == newline { text.removeLast() } else if text.isEmpty { return [] }
        return text.split(separator: newline, omittingEmptySubsequences: false).map(Array.init)
    }

    /// The last lines, without newlines: whole ones within the last ``SourceLimits/lineBytesMax`` of
    /// a plain file, or within the last ``TextSummary/tailBytesMax`` of any other.
    ///
    /// A compressed file is decompressed to its end for it. A stream has none.
    public func peekLastLines() -> [[UInt8]] {
        switch place {
        case .file(let file):
            if encoding == .plain { return lastLines(of: file) }
            guard let stream = try? open(readBytes: ReplayLimits.readBytes) else { return [] }
            var buffer = [UInt8](repeating: 0, count: 4 * 65_536)
            var summary = TextSummary()
            summary.append(contentsOf: stream, buffer: &buffer)
            return summary.lastLines
        case .member(let member): return member.summary.lastLines
        case .stream, .archiveStream: return []
        case .journal: return journalLine(isLast: true).map { [$0] } ?? []
        }
    }

    private func lastLines(of file: InputFile) -> [[UInt8]] {
        let count = min(Int(clamping: file.size), SourceLimits.lineBytesMax + 2)
        guard let descriptor = try? file.open(),
            var tail = try? descriptor.readFully(count: count, at: file.size - UInt64(count))
        else { return [] }
        if tail.last == newline { tail.removeLast() }
        if UInt64(count) < file.size {
            guard let start = tail.firstIndex(of: newline) else { return [] }
            tail.removeFirst(start + 1)
        }
        if tail.isEmpty { return [] }
        return tail.split(separator: newline, omittingEmptySubsequences: false).map(Array.init)
    }

    /// The first bytes of its text, at most ``Content/headBytes``; empty if they cannot be read.
    static func head(of file: InputFile, _ encoding: Encoding) -> [UInt8] {
        guard let descriptor = try? file.open() else { return [] }
        let text = PeekedStream(text(of: FileStream(descriptor), encoding, 16_384))
        return Array(text.peek(Content.headBytes))
    }
}

/// RFC 1952, 2.3.1: bytes 4 to 7 are MTIME, seconds since 1970; 0 means that there is none.
func gzipTime(_ encoding: Encoding, _ head: ArraySlice<UInt8>) -> TimeHint? {
    guard encoding == .gzip, head.count >= 8 else { return nil }
    let seconds = head.dropFirst(4).prefix(4).reversed().reduce(Int64(0)) { $0 << 8 | Int64($1) }
    return seconds == 0 ? nil : .gzipTime(seconds)
}

/// A descriptor that can be read only once, and what was read from it in advance.
final class HeldStream: Sendable {
    private struct State: ~Copyable {
        var descriptor: Descriptor?
        var head: [UInt8]
    }

    private let state: Mutex<State>

    init(_ descriptor: consuming Descriptor, head: [UInt8]) {
        state = Mutex(State(descriptor: descriptor, head: head))
    }

    /// Reads until the head has `count` bytes, or the stream ends or fails; failing is told of when
    /// it is read. Gives the head.
    func readAhead(_ count: Int) -> [UInt8] {
        state.withLock { state in
            guard let descriptor = state.descriptor.take() else { return [] }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while state.head.count < count,
                let got = try? descriptor.read(into: &buffer, 0..<buffer.count), got > 0
            {
                state.head.append(contentsOf: buffer[..<got])
            }
            state.descriptor = consume descriptor
            return state.head
        }
    }

    /// Gives it away, once.
    func take() -> FileStream {
        let stream = state.withLock { state -> FileStream? in
            guard let descriptor = state.descriptor.take() else { return nil }
            let head = state.head
            state.head = []
            return FileStream(descriptor, head: head)
        }
        guard let stream else { preconditionFailure("a stream is read once") }
        return stream
    }
}

extension Int64 {
    fileprivate func dividedDown(by divisor: Int64) -> Int64 {
        self / divisor - (self % divisor < 0 ? 1 : 0)
    }
}
