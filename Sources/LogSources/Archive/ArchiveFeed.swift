import CArchive
import LinuxIO
import Records

/// What libarchive reads from: a stream, or a file in which it may jump.
///
/// It owns the block that libarchive looks at, which stays as it is until the next one is asked for
/// (archive_read_open(3)). Only the thread that works with the ``ArchiveHandle`` gets here.
@safe
final class ArchiveFeed: @unchecked Sendable {
    /// How much of a zip libarchive gets at once: little, since of a deflated member it loses what it
    /// inflated from one block when it finds damage in it.
    static let zipBlockBytes = 4_096
    static let blockBytes = 131_072

    enum Source {
        case stream(any ByteStream)
        case file(SharedFile)
    }

    private let source: Source
    private let block: UnsafeMutableRawBufferPointer
    private var buffer: [UInt8]
    /// What of `buffer` was read and not handed out: of a stream.
    private var start = 0
    private var end = 0
    /// How many bytes were handed out, or where in the file the next ones stand.
    private(set) var offset: UInt64 = 0
    /// How many bytes of the block were handed out last.
    private var blockCount = 0
    /// Why the stream ended, if it was for damage.
    private(set) var damage: SourceProblem.Damage?
    private(set) var isAtEnd = false

    init(_ source: Source, format: ArchiveFormat) {
        self.source = source
        let blockBytes = format == .zip ? Self.zipBlockBytes : Self.blockBytes
        unsafe block = .allocate(byteCount: blockBytes, alignment: 16)
        switch source {
        case .stream(let stream):
            buffer = [UInt8](repeating: 0, count: max(Self.blockBytes, stream.roomMin))
        case .file: buffer = [UInt8](repeating: 0, count: blockBytes)
        }
    }

    deinit { unsafe block.deallocate() }

    @unsafe
    static func from(_ data: UnsafeMutableRawPointer?) -> ArchiveFeed {
        guard let data = unsafe data else { preconditionFailure("a callback without its data") }
        // SAFETY: ArchiveHandle gave this pointer and keeps the object.
        return unsafe Unmanaged<ArchiveFeed>.fromOpaque(data).takeUnretainedValue()
    }

    var isSeekable: Bool {
        switch source {
        case .stream: false
        case .file: true
        }
    }

    /// How many bytes of the file, as it lies on the disk, were used.
    var fileOffset: UInt64 {
        switch source {
        case .stream(let stream): stream.fileOffset - (stream.isRaw ? UInt64(end - start) : 0)
        case .file: offset
        }
    }

    /// archive_read_callback: the next block, 0 at the end. Damage looks like the end to libarchive,
    /// which so gives what it has before.
    @unsafe
    func next(_ result: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
        let count = fill()
        unsafe block.copyBytes(from: buffer[start..<(start + count)])
        blockCount = count
        start += count
        offset += UInt64(count)
        unsafe result.pointee = UnsafeRawPointer(block.baseAddress)
        return count
    }

    /// Reads on if all that was read is handed out. Gives how many bytes there are to hand out.
    private func fill() -> Int {
        if start == end, damage == nil, !isAtEnd || isSeekable {
            start = 0
            end = 0
            do {
                switch source {
                case .stream(let stream):
                    end = try stream.read(into: &buffer, 0..<buffer.count)
                case .file(let file):
                    end = try file.descriptor.read(into: &buffer, 0..<buffer.count, at: offset)
                }
                isAtEnd = end == 0
            } catch let error as SourceProblem.Damage {
                damage = error
            } catch let error as SystemCallError {
                damage = .unreadable(error)
            } catch {
                preconditionFailure("all errors of a stream are typed")
            }
        }
        return unsafe min(end - start, block.count)
    }

    /// archive_skip_callback: how many bytes were skipped; 0 lets libarchive read over them.
    func skip(_ count: Int64) -> Int64 {
        guard case .file(let file) = source, count > 0, start == end else { return 0 }
        let skipped = min(UInt64(count), file.size - min(offset, file.size))
        offset += skipped
        return Int64(skipped)
    }

    /// archive_seek_callback: where the next block will begin.
    func seek(_ target: Int64, _ whence: CInt) -> Int64 {
        guard case .file(let file) = source else { return Int64(ARCHIVE_FATAL) }
        let base: Int64 =
            switch whence {
            case 0: 0
            case 1: Int64(clamping: offset)
            default: Int64(clamping: file.size)
            }
        let (sum, overflows) = base.addingReportingOverflow(target)
        guard !overflows, sum >= 0 else { return Int64(ARCHIVE_FATAL) }
        start = 0
        end = 0
        offset = UInt64(sum)
        isAtEnd = false
        return sum
    }

    /// Reads what is left. Gives whether it was nothing but zeros from the byte at `begin` on, as far
    /// as that is not older than the last block.
    func drain(from begin: UInt64 = 0) throws(SourceProblem.Damage) -> Bool {
        let blockStart = offset - UInt64(blockCount)
        let passed = Int(clamping: max(begin, blockStart) - blockStart)
        var isZero = unsafe block[..<blockCount].dropFirst(passed).allSatisfy { $0 == 0 }
        while true {
            let count = fill()
            if let damage { throw damage }
            if count == 0 { return isZero }
            if isZero { isZero = buffer[start..<end].allSatisfy { $0 == 0 } }
            offset += UInt64(end - start)
            start = end
        }
    }
}
