import LinuxIO
public import Records
import Synchronization
public import SystemPackage

/// One input of a replay: a file, or standard input or a pipe, known by its content to be a log.
///
/// Files are not kept open; ``ReplaySource`` opens them when their turn comes and makes sure that
/// they are still the same. What can be read only once stays open in here, together with the bytes
/// that were already read from it.
public struct Input: Sendable {
    /// As it was named, or as it was found below a folder; `-` for standard input; of several journal
    /// files, their folder.
    public private(set) var path: FilePath
    public let encoding: Encoding
    /// Absent for journals and for what is no regular file. Of a compressed file, the digest is that of the
    /// compressed bytes.
    public let identity: FileIdentity?
    /// Bytes on the disk; absent for journals and for what is no regular file.
    public let size: UInt64?
    /// `st_mtime`: microseconds since 1970, UTC; absent for what is no regular file.
    public private(set) var modifiedMicroseconds: Int64?
    public let timeHint: TimeHint
    /// The files of a journal, which are opened by libsystemd; empty for all other inputs.
    private(set) var journalFiles: [FilePath] = []
    /// What can be read only once, and was begun.
    private let stream: HeldStream?
    private let calls: SystemCalls

    /// A regular file.
    init(
        _ path: FilePath,
        _ encoding: Encoding,
        _ status: FileStatus,
        head: [UInt8],
        calls: SystemCalls
    ) {
        let head = head.prefix(FileIdentity.headBytesMax)
        self.path = path
        self.encoding = encoding
        identity = FileIdentity(
            device: status.device,
            inode: status.inode,
            headDigest: FileIdentity.digest(ofHead: head),
            headByteCount: UInt32(head.count)
        )
        size = status.size
        modifiedMicroseconds = status.modifiedMicroseconds
        timeHint =
            endOfDay(inName: path).map { .nameDate($0) }
            ?? Self.gzipTime(encoding, head)
            ?? .modified(status.modifiedMicroseconds.dividedDown(by: 1_000_000))
        stream = nil
        self.calls = calls
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
        journalFiles = [path]
        stream = nil
        self.calls = calls
    }

    mutating func addJournalFile(_ path: FilePath, _ status: FileStatus) {
        let folder = path.removingLastComponent()
        self.path = folder.isEmpty ? "." : folder
        modifiedMicroseconds = max(modifiedMicroseconds ?? .min, status.modifiedMicroseconds)
        journalFiles.append(path)
    }

    /// Opens a journal for its one reading.
    ///
    /// - Returns: nil when nothing of it can be read; `notes` say why.
    func openJournal(
        _ selection: JournalSelection,
        notes: inout [SourceNote]
    ) -> JournalReplay? {
        JournalReplay(journalFiles, selection, calls: calls, notes: &notes)
    }

    private func journalLine(isLast: Bool) -> [UInt8]? {
        var notes: [SourceNote] = []
        guard var journal = openJournal(JournalSelection(), notes: &notes) else { return nil }
        return journal.line(isLast: isLast)
    }

    /// A stream of which `head` was read.
    init(
        _ path: FilePath,
        _ encoding: Encoding,
        stream: consuming Descriptor,
        head: [UInt8],
        calls: SystemCalls
    ) {
        self.path = path
        self.encoding = encoding
        identity = nil
        size = nil
        modifiedMicroseconds = nil
        timeHint = Self.gzipTime(encoding, head[...]) ?? .none
        self.stream = HeldStream(stream, head: head)
        self.calls = calls
    }

    /// RFC 1952, 2.3.1: bytes 4 to 7 are MTIME, seconds since 1970; 0 means that there is none.
    private static func gzipTime(_ encoding: Encoding, _ head: ArraySlice<UInt8>) -> TimeHint? {
        guard encoding == .gzip, head.count >= 8 else { return nil }
        let seconds = head[4...7].reversed().reduce(Int64(0)) { $0 << 8 | Int64($1) }
        return seconds == 0 ? nil : .gzipTime(seconds)
    }

    /// Opens it for its one reading.
    func open(readBytes: Int) throws(SourceProblem.Damage) -> InputReader {
        if let stream {
            guard let reader = stream.takeReader(encoding, readBytes: readBytes) else {
                preconditionFailure("a stream is read once")
            }
            return reader
        }
        do {
            let descriptor = try calls.open(path, [.read, .nonBlocking])
            if try isSame(descriptor) {
                return InputReader(descriptor, encoding, readBytes: readBytes)
            }
        } catch  where error.cause != .noSuchFileOrDirectory {
            throw .unreadable(error)
        } catch {
            // It may have been renamed, like a file whose name is another's now.
        }
        let folder = path.removingLastComponent()
        do {
            let here: FilePath = folder.isEmpty ? "." : folder
            for name in try calls.names(inFolder: here) {
                let candidate = folder.appending(name)
                guard let status = try? calls.status(of: candidate, followingLinks: false),
                    status.kind == .regular, status.inode == identity?.inode
                else { continue }
                let descriptor = try calls.open(candidate, [.read, .nonBlocking])
                if try isSame(descriptor) {
                    return InputReader(descriptor, encoding, readBytes: readBytes)
                }
            }
        } catch {
            throw .unreadable(error)
        }
        throw .replaced
    }

    private func isSame(_ descriptor: borrowing Descriptor) throws(SystemCallError) -> Bool {
        guard let identity else { return false }
        let status = try descriptor.status()
        guard status.device == identity.device, status.inode == identity.inode else { return false }
        let head = try descriptor.readFully(count: Int(identity.headByteCount), at: 0)
        return FileIdentity.digest(ofHead: head) == identity.headDigest
            && head.count == identity.headByteCount
    }

    /// The first whole lines, without newlines, as far as they fit into `maxBytes` of text; for
    /// ordering inputs by their first stamp. Of a compressed file only the head is decompressed. Of a
    /// journal, the line of its first entry.
    ///
    /// What cannot be read ends the list; it is told of when the input is read.
    ///
    /// - Parameter maxBytes: of text; at most 16 MiB are looked at.
    public func peekFirstLines(maxBytes: Int) -> [[UInt8]] {
        if !journalFiles.isEmpty { return journalLine(isLast: false).map { [$0] } ?? [] }
        let limit = min(max(maxBytes, 1), 1 << 24)
        if let stream {
            stream.readAhead(limit)
            return lines(stream.head, limit)
        }
        do {
            var reader = try open(readBytes: 65_536)
            return Self.firstLines(&reader, limit)
        } catch {
            return []
        }
    }

    private func lines(_ head: [UInt8], _ limit: Int) -> [[UInt8]] {
        // A pipe whose head is read: /dev/null ends it where the head does.
        guard let nothing = try? SystemCalls().open("/dev/null") else { return [] }
        var reader = InputReader(nothing, encoding, head: head, readBytes: 65_536)
        return Self.firstLines(&reader, limit)
    }

    private static func firstLines(_ reader: inout InputReader, _ limit: Int) -> [[UInt8]] {
        var text = [UInt8](repeating: 0, count: limit + reader.roomMin)
        var count = 0
        var isWhole = false
        while count < limit, !isWhole {
            guard let got = try? reader.read(into: &text, count..<text.count) else { break }
            count += got
            isWhole = got == 0
        }
        text.removeLast(text.count - min(count, limit))
        if ExportParser.isExport(text) {
            return ExportReplay.firstLine(of: text).map { [$0] } ?? []
        }
        let newline = UInt8(ascii: "\n")
        // Only the end of the input makes a line of what has no newline.
        if !isWhole { text.removeLast(text.count - 1 - (text.lastIndex(of: newline) ?? -1)) }
        if text.last == newline { text.removeLast() } else if text.isEmpty { return [] }
        return text.split(separator: newline, omittingEmptySubsequences: false).map(Array.init)
    }

    /// The first bytes of its text, at most ``Content/headBytes``.
    func peekHead() -> [UInt8] {
        guard stream == nil, var reader = try? open(readBytes: 16_384) else { return [] }
        var text = [UInt8](repeating: 0, count: max(Content.headBytes, reader.roomMin))
        let count = (try? reader.read(into: &text, 0..<text.count)) ?? 0
        return Array(text.prefix(min(count, Content.headBytes)))
    }

    /// The last line of a plain file, with or without its newline, if it is not longer than
    /// ``SourceLimits/lineBytesMax``, or that of a journal's last entry; nil for everything that would
    /// have to be read through.
    public func peekLastLine() -> [UInt8]? {
        if !journalFiles.isEmpty { return journalLine(isLast: true) }
        guard stream == nil, encoding == .plain, let size else { return nil }
        let count = min(Int(clamping: size), SourceLimits.lineBytesMax + 2)
        guard let descriptor = try? calls.open(path, [.read, .nonBlocking]),
            (try? isSame(descriptor)) == true,
            var tail = try? descriptor.readFully(count: count, at: size - UInt64(count))
        else { return nil }
        if tail.last == UInt8(ascii: "\n") { tail.removeLast() }
        if let newline = tail.lastIndex(of: UInt8(ascii: "\n")) {
            tail.removeFirst(newline + 1)
        } else if UInt64(count) < size {
            return nil
        }
        return tail.isEmpty ? nil : tail
    }
}

/// A descriptor that can be read only once, and what was read from it in advance.
private final class HeldStream: Sendable {
    private struct State: ~Copyable {
        var descriptor: Descriptor?
        var head: [UInt8]
    }

    private let state: Mutex<State>

    init(_ descriptor: consuming Descriptor, head: [UInt8]) {
        state = Mutex(State(descriptor: descriptor, head: head))
    }

    var head: [UInt8] { state.withLock { $0.head } }

    /// Reads until the head has `count` bytes, or the stream ends or fails; failing is told of when
    /// it is read.
    func readAhead(_ count: Int) {
        state.withLock { state in
            guard let descriptor = state.descriptor.take() else { return }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while state.head.count < count,
                let got = try? descriptor.read(into: &buffer, 0..<buffer.count), got > 0
            {
                state.head.append(contentsOf: buffer[..<got])
            }
            state.descriptor = consume descriptor
        }
    }

    /// Gives it away; nil the second time.
    func takeReader(_ encoding: Encoding, readBytes: Int) -> InputReader? {
        state.withLock { state in
            guard let descriptor = state.descriptor.take() else { return nil }
            let head = state.head
            state.head = []
            return InputReader(descriptor, encoding, head: head, readBytes: readBytes)
        }
    }
}

extension Int64 {
    fileprivate func dividedDown(by divisor: Int64) -> Int64 {
        self / divisor - (self % divisor < 0 ? 1 : 0)
    }
}
