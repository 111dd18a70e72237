import LinuxIO
import SystemPackage

/// What the header of a journal file says (systemd.io/JOURNAL_FILE_FORMAT, *Header*).
struct JournalFileHead: Hashable, Sendable {
    /// How long the file is at least: `header_size` and `arena_size`.
    var bytes: UInt64
    var entryCount: UInt64

    static let signature = Array("LPKSHHRH".utf8)
    static let byteCount = 208

    /// - Returns: nil for what is no journal file.
    init?(_ head: [UInt8]) {
        guard head.count >= Self.byteCount, head.starts(with: Self.signature) else { return nil }
        func number(at index: Int) -> UInt64 {
            head[index..<(index + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        let (bytes, isTooLarge) = number(at: 88).addingReportingOverflow(number(at: 96))
        guard !isTooLarge else { return nil }
        self.bytes = bytes
        entryCount = number(at: 152)
    }
}

/// A journal file that is about to be read: itself, or a copy that libsystemd accepts.
///
/// libsystemd refuses a file that is shorter than its header says (`-ENODATA` of
/// `journal_file_verify_header`), such as one that was copied halfway or from a full disk. What is
/// there can be read all the same when zeros stand for the rest: libsystemd passes over entries
/// whose objects are not valid. So such a file is copied into memory and made as long.
struct ReadableJournalFile: Sendable {
    /// What to open.
    let openPath: FilePath
    let head: JournalFileHead
    let isTruncated: Bool
    /// Keeps the copy.
    private let copy: HeldFile?

    /// Journal files have at most 128 MiB unless `SystemMaxFileSize=` says otherwise; a header that
    /// asks for more than this is not believed.
    static let copyBytesMax: UInt64 = 1 << 30

    init(_ path: FilePath, calls: SystemCalls) throws(SystemCallError) {
        let file = try calls.open(path, [.read, .nonBlocking])
        let size = try file.status().size
        let bytes = try file.readFully(count: JournalFileHead.byteCount, at: 0)
        guard let head = JournalFileHead(bytes) else {
            throw SystemCallError(call: .journalOpen, path: path, cause: .badMessage)
        }
        self.head = head
        isTruncated = size < head.bytes
        guard isTruncated else {
            openPath = path
            copy = nil
            return
        }
        guard head.bytes <= Self.copyBytesMax else {
            throw SystemCallError(call: .journalOpen, path: path, cause: .fileTooLarge)
        }
        let held = try HeldFile(copying: file, size: head.bytes, calls: calls)
        openPath = held.descriptor.linkPath
        copy = held
    }
}

/// A file in memory, for as long as it is needed.
private final class HeldFile: Sendable {
    let descriptor: Descriptor

    init(
        copying file: borrowing Descriptor,
        size: UInt64,
        calls: SystemCalls
    ) throws(SystemCallError) {
        descriptor = try calls.memoryFile("journal")
        try Self.copy(file, descriptor)
        try descriptor.truncate(to: size)
    }

    private static func copy(
        _ file: borrowing Descriptor,
        _ target: borrowing Descriptor
    ) throws(SystemCallError) {
        var offset: UInt64 = 0
        while true {
            let bytes = try file.readFully(count: 1 << 20, at: offset)
            if bytes.isEmpty { return }
            try target.writeAll(bytes)
            offset += UInt64(bytes.count)
        }
    }
}
