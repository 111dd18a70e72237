import CISAL
import CZstd
import Glibc
import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport

/// A folder of its own for one test, gone afterwards.
struct ScratchFolder: ~Copyable {
    let path: FilePath

    init() throws {
        var template = Array("/tmp/postern-sources-XXXXXX".utf8CString)
        let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe mkdtemp(buffer.baseAddress.unsafelyUnwrapped).map {
                unsafe FilePath(platformString: $0)
            }
        }
        guard let made else {
            throw SystemCallError(call: .mkdirat, path: nil, cause: Errno(rawValue: errno))
        }
        path = made
    }

    deinit { Self.removeAll(path) }

    private static func removeAll(_ folder: FilePath) {
        let calls = SystemCalls()
        for name in (try? calls.names(inFolder: folder)) ?? [] {
            let path = folder.appending(name)
            if (try? calls.status(of: path, followingLinks: false))?.kind == .folder {
                removeAll(path)
            } else {
                try? calls.remove(path)
            }
        }
        _ = unsafe folder.withPlatformString { unsafe rmdir($0) }
    }

    func file(_ name: String, _ bytes: some Collection<UInt8>) throws -> FilePath {
        let path = self.path.appending(name)
        let file = try SystemCalls().open(path, [.write, .create, .truncate], mode: 0o644)
        try file.writeAll(bytes)
        return path
    }
}

func append(_ bytes: some Collection<UInt8>, to path: FilePath) throws {
    try SystemCalls().open(path, [.write, .create, .append], mode: 0o644).writeAll(bytes)
}

/// One line as a source gave it.
struct GivenLine: Hashable {
    var file: UInt32
    var offset: UInt64
    var bytes: [UInt8]
}

/// Everything that a source gave.
struct Given: Hashable {
    var lines: [GivenLine] = []
    var linesCut = 0
    var ends: [BatchEnd] = []
    var notes: [SourceNote] = []

    var texts: [String] { lines.map { String(decoding: $0.bytes, as: UTF8.self) } }

    /// Takes what is in `batch`, and checks what every batch promises.
    mutating func take(_ batch: borrowing Batch) {
        var end: UInt32 = 0
        for (index, line) in batch.lines.enumerated() {
            precondition(line.start >= end, "lines overlap")
            end = line.start + line.length
            precondition(Int(end) <= batch.byteCount, "a line is outside the batch")
            lines.append(
                GivenLine(
                    file: batch.file.rawValue,
                    offset: batch.offset(ofLine: index),
                    bytes: Array(batch.bytes[Int(line.start)..<Int(end)])
                )
            )
        }
        precondition(batch.lines.count <= batch.lineCapacity)
        precondition(batch.nextOffset >= batch.firstOffset + UInt64(end))
        linesCut += batch.linesCut
        if batch.end != .more { ends.append(batch.end) }
    }
}

/// Reads `paths` to their end.
func replay(
    _ paths: [FilePath],
    readBytes: Int = ReplayLimits.readBytes,
    lineCapacity: Int = 1_000,
    calls: SystemCalls = SystemCalls()
) throws -> Given {
    let opened = try openInputs(paths, calls: calls)
    var source = ReplaySource(inputs: opened.inputs, readBytes: readBytes)
    var batch = Batch(byteCapacity: LineSplitter.batchBytesMin, lineCapacity: lineCapacity)
    var given = Given()
    while try source.fill(&batch) == .lines { given.take(batch) }
    given.notes = source.takeNotes()
    return given
}

/// What reading `text` as one finished file gives: the oracle.
func expectedLines(_ text: [UInt8], file: UInt32 = 0) -> (lines: [GivenLine], cut: Int) {
    var lines: [GivenLine] = []
    var cut = 0
    var start = 0
    while start < text.count {
        let end = text[start...].firstIndex(of: 10) ?? text.count
        let line = text[start..<end]
        if line.count > SourceLimits.lineBytesMax { cut += 1 }
        let kept = Array(line.prefix(SourceLimits.lineBytesMax))
        lines.append(GivenLine(file: file, offset: UInt64(start), bytes: kept))
        start = end + 1
    }
    return (lines, cut)
}

/// A text with all that may be in a log: empty lines, CRLF, NUL, bytes that are no UTF-8, lines
/// around the limit and far above it.
func hostileText(seed: UInt64, lines count: Int, endsWithNewline: Bool) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    var text: [UInt8] = []
    let limit = SourceLimits.lineBytesMax
    for index in 0..<count {
        var length: Int
        switch Int.random(in: 0..<60, using: &random) {
        case 0: length = limit - 1
        case 1: length = limit
        case 2: length = limit + 1
        case 3: length = Int.random(in: limit...(5 * limit), using: &random)
        case 4...15: length = 0
        default: length = Int.random(in: 1..<300, using: &random)
        }
        if index == 0 { length = min(length, 100) }
        let fill = UInt8.random(in: 32...126, using: &random)
        var line = [UInt8](repeating: fill, count: length)
        if length > 4 {
            line[1] = [0, 13, 0xff, 0xc3, 9].randomElement(using: &random) ?? 0
            line[length - 1] = 13
        }
        text += line
        if index < count - 1 || endsWithNewline { text.append(10) }
    }
    return text
}

// MARK: Compressed fixtures

/// One gzip member, made by ISA-L.
func gzip(_ plain: [UInt8], time: UInt32 = 0, name: String? = nil) -> [UInt8] {
    var stream = unsafe isal_zstream()
    unsafe isal_deflate_init(&stream)
    var output = [UInt8](repeating: 0, count: plain.count + plain.count / 8 + 512)
    var level = [UInt8](repeating: 0, count: 1 << 20)
    var input = plain
    var nameBytes = Array((name ?? "").utf8CString)
    let count = unsafe output.withUnsafeMutableBufferPointer { out in
        unsafe input.withUnsafeMutableBufferPointer { source in
            unsafe level.withUnsafeMutableBufferPointer { level in
                unsafe nameBytes.withUnsafeMutableBufferPointer { nameBuffer in
                    var header = unsafe isal_gzip_header()
                    unsafe isal_gzip_header_init(&header)
                    unsafe header.time = time
                    if name != nil {
                        unsafe header.name = nameBuffer.baseAddress
                        unsafe header.name_buf_len = UInt32(nameBuffer.count)
                    }
                    unsafe stream.next_out = out.baseAddress
                    unsafe stream.avail_out = UInt32(out.count)
                    unsafe isal_write_gzip_header(&stream, &header)
                    unsafe stream.level = 1
                    unsafe stream.level_buf = level.baseAddress
                    unsafe stream.level_buf_size = UInt32(level.count)
                    unsafe stream.gzip_flag = UInt16(IGZIP_GZIP_NO_HDR)
                    unsafe stream.end_of_stream = 1
                    unsafe stream.next_in = source.baseAddress
                    unsafe stream.avail_in = UInt32(source.count)
                    precondition(unsafe isal_deflate(&stream) == COMP_OK)
                    precondition(unsafe stream.avail_in == 0)
                    return out.count - Int(unsafe stream.avail_out)
                }
            }
        }
    }
    return Array(output.prefix(count))
}

/// One zstd frame with a checksum.
func zstd(_ plain: [UInt8], windowLog: Int32? = nil) -> [UInt8] {
    let context = unsafe ZSTD_createCCtx()
    defer { _ = unsafe ZSTD_freeCCtx(context) }
    _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    if let windowLog {
        _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, windowLog)
        _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)
    }
    var output = [UInt8](repeating: 0, count: ZSTD_compressBound(plain.count))
    let count = unsafe output.withUnsafeMutableBytes { out in
        unsafe plain.withUnsafeBytes { source in
            // As a stream, so that the window does not shrink to the content.
            var from = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
            var to = unsafe ZSTD_outBuffer(dst: out.baseAddress, size: out.count, pos: 0)
            _ = unsafe ZSTD_compressStream2(context, &to, &from, ZSTD_e_continue)
            let left = unsafe ZSTD_compressStream2(context, &to, &from, ZSTD_e_end)
            precondition(left == 0)
            return unsafe to.pos
        }
    }
    return Array(output.prefix(count))
}

/// A frame that readers pass over (RFC 8878, 3.1.2).
func skippableFrame(_ content: [UInt8]) -> [UInt8] {
    let count = UInt32(content.count)
    return [0x53, 0x2a, 0x4d, 0x18]
        + (0..<4).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) } + content
}
