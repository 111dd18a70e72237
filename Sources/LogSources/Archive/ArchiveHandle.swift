import CArchive
import LinuxIO
import Records

/// What a header says of a member. Names and times are a stranger's.
struct MemberHeader: Sendable {
    enum Kind: Hashable, Sendable {
        case file, folder, link, sparse, encrypted, special
        /// A compression that is not read, by its name.
        case method(String)
    }

    /// Any bytes; nil when libarchive can make none of it.
    var name: [UInt8]?
    var kind: Kind
    /// Seconds since 1970, UTC; absent when the header has none.
    var modified: Int64?
}

/// libarchive reading a tar or zip from a stream of ours, member by member.
///
/// It is the fence around libarchive: the handle is owned here and freed at the end. libarchive's
/// callbacks get a pointer to ``ArchiveFeed``, which this object keeps alive longer than the handle.
/// What ``pending`` points to is libarchive's, valid until the next call on the handle, and every
/// call that is made clears it first.
@safe
final class ArchiveHandle: @unchecked Sendable {
    private let handle: OpaquePointer
    private let feed: ArchiveFeed
    private let format: ArchiveFormat
    private var pending: UnsafeRawBufferPointer?
    /// No member can follow.
    private(set) var isBroken = false

    init(_ format: ArchiveFormat, feed: ArchiveFeed) {
        guard let made = unsafe archive_read_new() else { preconditionFailure("out of memory") }
        unsafe handle = made
        self.feed = feed
        self.format = format
        unsafe pending = nil
        var results: [CInt] = []
        switch format {
        case .tar: results.append(unsafe archive_read_support_format_tar(made))
        case .zip:
            results.append(unsafe archive_read_support_format_zip_streamable(made))
            if feed.isSeekable {
                results.append(unsafe archive_read_support_format_zip_seekable(made))
                results.append(
                    unsafe archive_read_set_seek_callback(made) { _, data, offset, whence in
                        unsafe ArchiveFeed.from(data).seek(offset, whence)
                    }
                )
            }
        }
        precondition(results.allSatisfy { $0 == ARCHIVE_OK }, "libarchive has no such format")
        let result = unsafe archive_read_open2(
            made,
            Unmanaged.passUnretained(feed).toOpaque(),
            nil,
            { _, data, buffer in
                guard let buffer = unsafe buffer else { return 0 }
                return unsafe ArchiveFeed.from(data).next(buffer)
            },
            { _, data, count in unsafe ArchiveFeed.from(data).skip(count) },
            nil
        )
        // A stream that breaks off at once: the first header tells.
        if result < ARCHIVE_WARN { isOpenFailed = true }
    }

    private var isOpenFailed = false

    deinit { _ = unsafe archive_read_free(handle) }

    /// The next member; what is left of the one before is passed over.
    ///
    /// - Returns: nil at the end of the archive.
    /// - Throws: at damage; then ``isBroken`` is set.
    func nextHeader() throws(SourceProblem.Damage) -> MemberHeader? {
        unsafe pending = nil
        if isOpenFailed {
            isBroken = true
            throw damage()
        }
        var entry: OpaquePointer?
        var result = unsafe archive_read_next_header(handle, &entry)
        // "Operation failed, but the archive is still usable": a header or two to go past.
        var retries = 0
        while result == ARCHIVE_RETRY, retries < 100 {
            retries += 1
            result = unsafe archive_read_next_header(handle, &entry)
        }
        if result == ARCHIVE_EOF { return nil }
        guard result == ARCHIVE_OK || result == ARCHIVE_WARN, let entry = unsafe entry else {
            isBroken = true
            throw damage()
        }
        return unsafe header(entry)
    }

    @unsafe
    private func header(_ entry: OpaquePointer) -> MemberHeader {
        // SAFETY: libarchive's strings end with a NUL and live until the next header is read.
        let name = unsafe archive_entry_pathname(entry) ?? archive_entry_pathname_utf8(entry)
        var bytes: [UInt8]?
        if let name = unsafe name {
            bytes = unsafe Array(UnsafeRawBufferPointer(start: name, count: strlen(name)))
        }
        let hasTime = unsafe archive_entry_mtime_is_set(entry) != 0
        return MemberHeader(
            name: bytes,
            kind: unsafe kind(entry),
            modified: hasTime ? Int64(unsafe archive_entry_mtime(entry)) : nil
        )
    }

    @unsafe
    private func kind(_ entry: OpaquePointer) -> MemberHeader.Kind {
        // AE_IFMT, AE_IFREG and so on are macros with casts that Swift does not import.
        let type = unsafe archive_entry_filetype(entry)
        if unsafe archive_entry_hardlink(entry) != nil || type == 0o120000 { return .link }
        if type == 0o040000 { return .folder }
        guard type == 0o100000 else { return .special }
        if unsafe archive_entry_is_encrypted(entry) != 0 { return .encrypted }
        if unsafe archive_entry_sparse_count(entry) > 0 { return .sparse }
        if format == .zip, let method = zipMethod() { return .method(method) }
        return .file
    }

    /// The zip method of the member, if it is none of those whose decoders are bounded in memory: for
    /// LZMA, XZ and PPMd libarchive sets no limit.
    private func zipMethod() -> String? {
        // "ZIP 2.0 (deflation)": archive_read_support_format_zip.c, compression_name.
        guard let text = unsafe archive_format_name(handle) else { return "unknown" }
        let name = unsafe String(cString: text)
        guard let start = name.lastIndex(of: "("), name.last == ")" else { return name }
        let method = name[name.index(after: start)...].dropLast()
        return ["uncompressed", "deflation", "bzip", "zstd"].contains(method)
            ? nil : String(method)
    }

    /// The next bytes of the member whose header was read.
    ///
    /// Of a deflated member, what came out of the last ``ArchiveFeed/zipBlockBytes`` before damage is
    /// lost: libarchive keeps it to itself.
    func readData(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        precondition(!room.isEmpty)
        precondition(room.upperBound <= output.count)
        while true {
            if let block = unsafe pending, unsafe !block.isEmpty {
                let count = min(block.count, room.count)
                unsafe output.withUnsafeMutableBytes { buffer in
                    // SAFETY: `count` bytes from the start of `room` lie within the buffer.
                    unsafe UnsafeMutableRawBufferPointer(
                        rebasing: buffer[room.lowerBound..<(room.lowerBound + count)]
                    ).copyMemory(from: UnsafeRawBufferPointer(rebasing: block[..<count]))
                }
                unsafe pending = UnsafeRawBufferPointer(rebasing: block[count...])
                return count
            }
            guard try nextBlock() else { return 0 }
        }
    }

    private func nextBlock() throws(SourceProblem.Damage) -> Bool {
        unsafe pending = nil
        var start: UnsafeRawPointer?
        var count = 0
        var offset: Int64 = 0
        let result = unsafe archive_read_data_block(handle, &start, &count, &offset)
        switch result {
        case ARCHIVE_OK:
            unsafe pending = UnsafeRawBufferPointer(start: start, count: count)
            return true
        case ARCHIVE_EOF: return false
        default:
            // Of a stream that has ended no header can follow.
            if feed.damage != nil || feed.isAtEnd { isBroken = true }
            throw damage()
        }
    }

    /// Reads what stands behind the last member, so that damage there is found.
    ///
    /// - Throws: damage of the stream; ``SourceProblem/Damage/trailingBytes`` when anything but the
    ///   zeros of a tar's end follows; ``SourceProblem/Damage/truncated`` for a tar without an end
    ///   mark, which breaks off between two members.
    func finish() throws(SourceProblem.Damage) {
        unsafe pending = nil
        isBroken = true
        guard format == .tar else {
            if !feed.isSeekable { _ = try feed.drain() }
            return
        }
        // "Retrieve the byte offset in UNCOMPRESSED data where last-read header started": at the
        // end, where the end mark starts.
        let end = UInt64(max(0, unsafe archive_read_header_position(handle)))
        let hasMark = feed.offset > end
        let isClean = try feed.drain(from: end)
        if !hasMark { throw .truncated }
        if !isClean { throw .trailingBytes }
    }

    /// What went wrong: in the stream below, else in libarchive's words.
    private func damage() -> SourceProblem.Damage {
        if let found = feed.damage { return found }
        if feed.isAtEnd { return .truncated }
        // SAFETY: the string ends with a NUL and lives until the next call on the archive.
        let text = unsafe archive_error_string(handle).map { unsafe String(cString: $0) }
        return .corrupt(text ?? "libarchive gives no reason")
    }
}

@unsafe
private func strlen(_ text: UnsafePointer<CChar>) -> Int {
    var count = 0
    while unsafe text[count] != 0 { count += 1 }
    return count
}
