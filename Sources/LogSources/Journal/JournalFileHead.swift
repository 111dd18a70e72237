import Glibc
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

/// A journal file that is about to be read.
///
/// libsystemd refuses a file that is shorter than its header says (`-ENODATA` of
/// `journal_file_verify_header`), such as one that was copied halfway or from a full disk. What is
/// there can be read all the same when zeros stand for the rest: libsystemd passes over entries
/// whose objects are not valid. So such a file is copied, made as long, and the copy is read. It has
/// to have a name while it is opened (`-EIDRM` of `journal_file_fstat`), and no longer.
struct ReadableJournalFile: Sendable {
    let path: FilePath
    let head: JournalFileHead
    let isTruncated: Bool

    /// journald makes no file above 4 GiB (`JOURNAL_COMPACT_SIZE_MAX`), and one of 128 MiB unless
    /// `SystemMaxFileSize=` says otherwise. A header that asks for more is not believed.
    static let copyBytesMax: UInt64 = 1 << 32

    init(_ path: FilePath, calls: SystemCalls) throws(SystemCallError) {
        let file = try calls.open(path, [.read, .nonBlocking])
        let bytes = try file.readFully(count: JournalFileHead.byteCount, at: 0)
        guard let head = JournalFileHead(bytes) else {
            throw SystemCallError(call: .journalOpen, path: path, cause: .badMessage)
        }
        self.path = path
        self.head = head
        isTruncated = try file.status().size < head.bytes
        guard !isTruncated || head.bytes <= Self.copyBytesMax else {
            throw SystemCallError(call: .journalOpen, path: path, cause: .fileTooLarge)
        }
    }

    /// Opens the files as one journal.
    static func open(
        _ files: [ReadableJournalFile],
        calls: SystemCalls
    ) throws(SystemCallError) -> JournalHandle {
        var paths: [FilePath] = []
        var copies: [FilePath] = []
        defer { for copy in copies { try? calls.remove(copy) } }
        for file in files {
            guard file.isTruncated else {
                paths.append(file.path)
                continue
            }
            let copy = temporaryFolder.appending("postern-\(UInt64.random(in: 0...(.max))).journal")
            // Before it is there: a copy that breaks off is removed as well.
            copies.append(copy)
            try file.copy(to: copy, calls: calls)
            paths.append(copy)
        }
        return try JournalHandle(files: paths)
    }

    private func copy(to target: FilePath, calls: SystemCalls) throws(SystemCallError) {
        let file = try calls.open(path, [.read, .nonBlocking])
        let copy = try calls.open(target, [.write, .create, .exclusive, .noFollow])
        var offset: UInt64 = 0
        while true {
            let bytes = try file.readFully(count: 1 << 20, at: offset)
            if bytes.isEmpty { break }
            try copy.writeAll(bytes)
            offset += UInt64(bytes.count)
        }
        try copy.truncate(to: head.bytes)
    }

    /// `TMPDIR`, else `/var/tmp`, which is for what may be large (file-hierarchy(7)).
    private static var temporaryFolder: FilePath {
        guard let name = unsafe getenv("TMPDIR") else { return "/var/tmp" }
        // SAFETY: getenv(3) gives a string that ends with NUL; nobody here changes the environment.
        let path = unsafe FilePath(platformString: name)
        return path.isAbsolute ? path : "/var/tmp"
    }
}
