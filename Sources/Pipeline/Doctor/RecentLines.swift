import LinuxIO
import LogSources
import MailLog
import Records
import SystemPackage

/// Bounds of what is read of a source that a daemon would follow.
public enum RecentLimits {
    /// Bytes at the end of a file.
    public static let fileBytesMax: UInt64 = 64 << 20
    /// A file with less than this does not tell enough: the one before it is read too.
    public static let fileBytesMin: UInt64 = 1 << 20
    /// Of a journal, the last day.
    public static let journalMicroseconds: Int64 = 86_400_000_000
}

extension LogWalk {
    /// Calls `body` for the latest lines of a source as the daemon would read it, as far as they are
    /// written: a file's last ``RecentLimits/fileBytesMax``, a journal's last day.
    ///
    /// - Parameter since: `--since`: a journal is read from here; microseconds since 1970.
    public mutating func forEachRecentLine(
        of source: FollowedSource,
        since: Int64?,
        _ body: (Span<UInt8>, inout WalkedLine) -> Bool
    ) throws(ReplayError) {
        switch source.kind {
        case .file(let path, _): try forEachRecentLine(ofFile: path, body)
        case .journal(let selection):
            let day = Clocks.realtimeMicroseconds() - RecentLimits.journalMicroseconds
            // No entry has such a cursor, so the time tells where to begin.
            let start = JournalCursor(text: "", realtimeMicroseconds: since ?? day)
            try forEachLine(
                of: JournalSource(selection, cursor: start, files: files),
                body
            )
        }
    }

    private mutating func forEachRecentLine(
        ofFile path: FilePath,
        _ body: (Span<UInt8>, inout WalkedLine) -> Bool
    ) throws(ReplayError) {
        var cursor: FileCursor?
        do throws(SystemCallError) {
            let file = try SystemCalls().open(path, [.read, .nonBlocking])
            let size = try file.status().size
            if size < RecentLimits.fileBytesMin { try readPredecessor(of: path, body) }
            if size > RecentLimits.fileBytesMax {
                cursor = try Self.cursor(in: file, before: size - RecentLimits.fileBytesMax)
            }
        } catch {
            throw .source(SourceError(error))
        }
        try forEachLine(of: FollowSource(path: path, cursor: cursor, files: files), body)
    }

    /// The file that was rotated last, under the name that logrotate(8) gives it; there may be none.
    private mutating func readPredecessor(
        of path: FilePath,
        _ body: (Span<UInt8>, inout WalkedLine) -> Bool
    ) throws(SystemCallError) {
        guard let name = path.lastComponent,
            let rotated = FilePath.Component(name.string + ".1"),
            let opened = try? openInputs([path.removingLastComponent().appending(rotated)])
        else { return }
        // What cannot be read of an old file is no reason not to read the present one.
        try? forEachLine(of: [InputChain(inputs: opened.inputs)], body)
    }

    /// The start of the first line behind an offset.
    private static func cursor(
        in file: borrowing Descriptor,
        before offset: UInt64
    ) throws(SystemCallError) -> FileCursor? {
        let status = try file.status()
        let head = try file.readFully(count: FileIdentity.headBytesMax, at: 0)
        let text = try file.readFully(count: SourceLimits.lineBytesMax, at: offset)
        guard let newline = text.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        return FileCursor(
            identity: FileIdentity(
                device: status.device,
                inode: status.inode,
                headDigest: FileIdentity.digest(ofHead: head),
                headByteCount: UInt32(head.count)
            ),
            offset: offset + UInt64(newline) + 1
        )
    }
}
