import CArchive
import CZstd
import SafeText

// The fence around libarchive and libzstd: arrays go in, arrays or a refusal come out. Each function
// owns its handle from making to freeing, and no pointer outlives the call that it is given to.

/// A plain file in an archive.
struct ArchiveEntry: Hashable {
    var name: String
    var bytes: [UInt8]
}

/// How many bytes ``tarArchive(of:microseconds:)`` gives: a header and whole blocks for each entry,
/// two blocks at the end (POSIX pax, "ustar Interchange Format").
func archiveByteCount(_ entries: [ArchiveEntry]) -> Int {
    entries.reduce(2 * tarBlock) { sum, entry in
        sum + tarBlock + (entry.bytes.count + tarBlock - 1) / tarBlock * tarBlock
    }
}

private let tarBlock = 512

/// A POSIX ustar archive of plain files that everyone may read and nobody write, of user and group
/// 0, in the given order.
///
/// - Parameters:
///   - entries: their names are ASCII and short enough for the header (100 bytes).
///   - microseconds: the time of all of them, since 1970, UTC; held to what a header can say: 1970
///     to 2242.
func tarArchive(of entries: [ArchiveEntry], microseconds: Int64) -> [UInt8] {
    let secondsMax: Int64 = 0o777_7777_7777
    let seconds = min(max(0, floorDivide(microseconds, by: 1_000_000).quotient), secondsMax)
    var tar = [UInt8](repeating: 0, count: archiveByteCount(entries))
    unsafe tar.withUnsafeMutableBytes { buffer in
        guard let archive = unsafe archive_write_new(), let entry = unsafe archive_entry_new()
        else {
            preconditionFailure("out of memory")
        }
        defer {
            unsafe archive_entry_free(entry)
            unsafe archive_write_free(archive)
        }
        // SAFETY: the archive is closed before the buffer's pointer ends; libarchive checks that it
        // writes at most `buffer.count` bytes. NULL: nobody asks how many bytes were used.
        var isFine = unsafe archive_write_set_format_ustar(archive) == ARCHIVE_OK
        isFine = unsafe archive_write_add_filter_none(archive) == ARCHIVE_OK && isFine
        isFine = unsafe archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK && isFine
        isFine =
            unsafe archive_write_open_memory(archive, buffer.baseAddress, buffer.count, nil)
            == ARCHIVE_OK && isFine
        precondition(isFine, "libarchive refused to write ustar")
        for file in entries {
            unsafe archive_entry_clear(entry)
            unsafe archive_entry_set_pathname(entry, file.name)
            unsafe archive_entry_set_filetype(entry, regularFile)
            unsafe archive_entry_set_perm(entry, 0o444)
            unsafe archive_entry_set_mtime(entry, time_t(seconds), 0)
            unsafe archive_entry_set_size(entry, Int64(file.bytes.count))
            let status = unsafe archive_write_header(archive, entry)
            precondition(status == ARCHIVE_OK, "a header that ustar cannot hold")
            let written = unsafe file.bytes.withUnsafeBytes {
                unsafe archive_write_data(archive, $0.baseAddress, $0.count)
            }
            precondition(written == file.bytes.count, "more bytes than were counted")
        }
        let status = unsafe archive_write_close(archive)
        precondition(status == ARCHIVE_OK, "more bytes than were counted")
    }
    return tar
}

/// `AE_IFREG`, a macro with a cast that Swift does not import.
private let regularFile: UInt32 = 0o100000

/// The members of a tar archive that a stranger may have made, in the order of the archive.
///
/// Only plain files with the names of ``BundleMember``, each at most once, with what ``BundleLimits``
/// allows; and nothing but zeros after the end mark.
func members(
    ofTar tar: [UInt8],
    limits: BundleLimits
) -> Result<[(member: BundleMember, bytes: [UInt8])], BundleRefusal> {
    unsafe tar.withUnsafeBytes { buffer in
        guard let archive = unsafe archive_read_new() else {
            preconditionFailure("out of memory")
        }
        defer { unsafe archive_read_free(archive) }
        // SAFETY: the archive is freed before the buffer's pointer ends, and libarchive only reads
        // the bytes that it was given.
        var status = unsafe archive_read_support_format_tar(archive)
        precondition(status == ARCHIVE_OK, "libarchive refused to read tar")
        status = unsafe archive_read_open_memory(archive, buffer.baseAddress, buffer.count)
        guard status == ARCHIVE_OK else {
            return .failure(unsafe damage(archive))
        }
        var members: [(member: BundleMember, bytes: [UInt8])] = []
        while true {
            var header: OpaquePointer?
            status = unsafe archive_read_next_header(archive, &header)
            if status == ARCHIVE_EOF { break }
            guard status == ARCHIVE_OK, let header = unsafe header else {
                return .failure(unsafe damage(archive))
            }
            switch unsafe plainMember(header, limits: limits) {
            case .failure(let refusal): return .failure(refusal)
            case .success(let (member, byteCount)):
                guard !members.contains(where: { $0.member == member }) else {
                    return .failure(
                        BundleRefusal(.duplicateMember, member: member.rawValue, found: "")
                    )
                }
                // A header can say more than there is: nothing is reserved for it.
                guard byteCount <= tar.count else {
                    return .failure(
                        BundleRefusal(.truncated, member: member.rawValue, found: "the archive")
                    )
                }
                guard let bytes = unsafe data(of: archive, byteCount: byteCount) else {
                    return .failure(unsafe damage(archive, in: member))
                }
                members.append((member, bytes))
            }
        }
        // "Retrieve the byte offset in UNCOMPRESSED data where last-read header started": at the
        // end, where the end mark starts.
        let end = unsafe Int(clamping: archive_read_header_position(archive))
        guard (0...tar.count).contains(end), tar.count - end >= 2 * tarBlock else {
            return .failure(BundleRefusal(.truncated, found: "no end mark in the archive"))
        }
        guard tar[end...].allSatisfy({ $0 == 0 }) else {
            return .failure(BundleRefusal(.trailingBytes, found: "in the archive"))
        }
        return .success(members)
    }
}

/// Which member a header speaks of, and how many bytes it has.
@unsafe
private func plainMember(
    _ header: OpaquePointer,
    limits: BundleLimits
) -> Result<(BundleMember, Int), BundleRefusal> {
    // SAFETY: libarchive's strings end with a NUL and live until the next header is read.
    guard let rawName = unsafe archive_entry_pathname(header) else {
        return .failure(BundleRefusal(.unknownMember, found: "a name that is no text"))
    }
    let name = unsafe String(cString: rawName)
    guard let member = BundleMember(rawValue: name), member.rawValue.utf8.elementsEqual(name.utf8)
    else {
        return .failure(BundleRefusal(.unknownMember, member: name, found: ""))
    }
    guard unsafe archive_entry_filetype(header) == regularFile,
        unsafe archive_entry_hardlink(header) == nil,
        unsafe archive_entry_symlink(header) == nil,
        unsafe archive_entry_sparse_count(header) == 0,
        unsafe archive_entry_size_is_set(header) != 0
    else {
        return .failure(BundleRefusal(.notAPlainMember, member: name, found: ""))
    }
    let byteCount = unsafe archive_entry_size(header)
    guard byteCount >= 0, byteCount <= Int64(limits.bytesMax(of: member)) else {
        return .failure(BundleRefusal(.tooLarge, member: name, found: "\(byteCount) bytes"))
    }
    return .success((member, Int(byteCount)))
}

/// The bytes of the entry whose header was read; nil when there are fewer.
@unsafe
private func data(of archive: OpaquePointer, byteCount: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    var filled = 0
    while filled < byteCount {
        let got = unsafe bytes.withUnsafeMutableBytes { buffer in
            // SAFETY: `filled` is less than the buffer's count.
            unsafe archive_read_data(
                archive,
                buffer.baseAddress.map { unsafe $0 + filled },
                byteCount - filled
            )
        }
        guard got > 0 else { return nil }
        filled += got
    }
    return bytes
}

@unsafe
private func damage(_ archive: OpaquePointer, in member: BundleMember? = nil) -> BundleRefusal {
    // SAFETY: the string ends with a NUL and lives until the next call on the archive.
    let text = unsafe archive_error_string(archive).map { unsafe String(cString: $0) }
    return BundleRefusal(.damaged, member: member?.rawValue, found: text ?? "the archive")
}

/// One zstd frame (RFC 8878) with a checksum of its content, of a fixed level and by one thread, so
/// that the same bytes give the same frame.
func zstdFrame(of bytes: [UInt8]) -> [UInt8] {
    guard let context = unsafe ZSTD_createCCtx() else {
        preconditionFailure("out of memory")
    }
    defer { _ = unsafe ZSTD_freeCCtx(context) }
    let parameters = unsafe [
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1),
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1),
    ]
    precondition(parameters.allSatisfy { ZSTD_isError($0) == 0 })
    var frame = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
    let used = unsafe frame.withUnsafeMutableBytes { output in
        unsafe bytes.withUnsafeBytes { input in
            // SAFETY: both pointers go with the counts of their buffers.
            unsafe ZSTD_compress2(
                context,
                output.baseAddress,
                output.count,
                input.baseAddress,
                input.count
            )
        }
    }
    precondition(ZSTD_isError(used) == 0, "libzstd refused to compress")
    frame.removeLast(frame.count - used)
    return frame
}

/// The content of exactly one zstd frame that a stranger may have made.
///
/// Memory grows with what is really there: a frame that claims more costs at most a window.
///
/// - Parameter bytesMax: a frame with more content is refused as soon as it shows.
func content(
    ofZstdFrame frame: [UInt8],
    bytesMax: Int
) throws(BundleRefusal) -> [UInt8] {
    // "Magic_Number 4 Bytes, little-endian format. Value: 0xFD2FB528" (RFC 8878, 3.1.1). Neither
    // skippable frames nor those of libzstd's early versions.
    guard frame.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) else {
        throw BundleRefusal(.notZstd, found: "\(frame.count) bytes")
    }
    guard let context = unsafe ZSTD_createDCtx() else {
        preconditionFailure("out of memory")
    }
    defer { _ = unsafe ZSTD_freeDCtx(context) }
    let status = unsafe ZSTD_DCtx_setParameter(
        context,
        ZSTD_d_windowLogMax,
        CInt(BundleLimits.zstdWindowLogMax)
    )
    precondition(ZSTD_isError(status) == 0)
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 256 << 10)
    var consumed = 0
    while true {
        var produced = 0
        let result = unsafe frame.withUnsafeBytes { input in
            unsafe chunk.withUnsafeMutableBytes { output in
                // SAFETY: both pointers go with the counts of their buffers, and `consumed` is at
                // most the input's.
                var from = unsafe ZSTD_inBuffer(
                    src: input.baseAddress,
                    size: input.count,
                    pos: consumed
                )
                var to = unsafe ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
                let result = unsafe ZSTD_decompressStream(context, &to, &from)
                consumed = unsafe from.pos
                produced = unsafe to.pos
                return result
            }
        }
        guard ZSTD_isError(result) == 0 else {
            // An error is its negated code, and "error codes _values_ are pinned down since v1.3.1"
            // (zstd_errors.h): 16 is frameParameter_windowTooLarge.
            let code: BundleRefusal.Code = 0 &- result == 16 ? .windowTooLarge : .damaged
            throw BundleRefusal(code, found: unsafe String(cString: ZSTD_getErrorName(result)))
        }
        guard content.count + produced <= bytesMax else {
            throw BundleRefusal(.tooLarge, found: "more than \(bytesMax) bytes")
        }
        content.append(contentsOf: chunk[..<produced])
        if result == 0 { break }
        guard produced > 0 || consumed < frame.count else {
            throw BundleRefusal(.truncated, found: "the zstd frame")
        }
    }
    guard consumed == frame.count else {
        throw BundleRefusal(.trailingBytes, found: "\(frame.count - consumed) of them")
    }
    return content
}
