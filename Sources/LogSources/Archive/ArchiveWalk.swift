import LinuxIO
import Records
import SystemPackage

/// Bounds of what is read from archives (architecture §6).
public enum ArchiveLimits {
    /// How deep archives may lie in each other; a compression counts as one, a compression around a
    /// tar as one with it.
    public static let nestingMax = 2
    /// Members of one named file that are looked at, in all archives within it.
    public static let membersMax = 20_000
    /// Bytes kept of a member's name.
    static let nameBytesMax = 1_024
    /// A text that has grown more than so many times out of its compressed form is told of.
    public static let ratioTold: UInt64 = 1_000
    /// A text that is not longer than this is not told of, however small it was.
    static let ratioTextBytesMin: UInt64 = 8 << 20
    /// How often one archive is begun again to read its members in the order of their time; each
    /// beginning reads over all that stands before the member.
    public static let restartsMax = 64
}

/// A log within an archive.
struct Leaf: Sendable {
    let path: FilePath
    let stream: PeekedStream
    let timeHint: TimeHint
    /// It begins with zeros: whether it is a log only its end can tell, see
    /// ``Content/isLogBehindZeros(head:tail:)``.
    let isDoubtful: Bool
}

/// Goes through an archive and those in it, in their order, and gives the logs.
///
/// The same bytes give the same steps, so a log can be found again by its number; see ``ArchiveReader``.
/// Nothing is held in memory but a few buffers for each level.
struct ArchiveWalk: Sendable {
    enum Step: Sendable {
        /// Read it, or go on without it.
        case leaf(Leaf)
        /// What of an archive could not be read. Logs may follow, from archives around it.
        case damaged(FilePath, SourceProblem.Damage)
        case skipped(SkippedInput)
        case end
    }

    /// An archive that is being read; those within it follow in ``levels``.
    private struct Level: Sendable {
        let handle: ArchiveHandle
        let feed: ArchiveFeed
        let path: FilePath
        /// Layers around its members.
        let depth: Int
        /// Where a member gets its time from that has none.
        let timeHint: TimeHint
        let format: ArchiveFormat
        var memberCount = 0
        var isBundle = false
    }

    private var levels: [Level] = []
    private var memberCount = 0
    private var first: Step?
    private let readBytes: Int
    private let isLive: Bool

    /// - Parameters:
    ///   - stream: the file, not begun.
    ///   - path: its name.
    ///   - file: the same file, if it can be read at any place.
    ///   - timeHint: what it says of its time.
    ///   - isLive: the stream may let us wait, so no more is read than is needed to go on.
    init(
        _ stream: any ByteStream,
        path: FilePath,
        file: SharedFile?,
        timeHint: TimeHint,
        readBytes: Int,
        isLive: Bool = false
    ) {
        self.readBytes = readBytes
        self.isLive = isLive
        first = enter(stream, path, depth: 0, timeHint, file: file)
    }

    /// How many bytes of the file, as it lies on the disk, were used.
    var fileOffset: UInt64 { levels.last?.feed.fileOffset ?? 0 }

    /// The next thing there is. The stream of the leaf before must not be used any more.
    mutating func next() -> Step {
        if let step = first {
            first = nil
            return step
        }
        while !levels.isEmpty {
            if let step = nextOfInnermost() { return step }
        }
        return .end
    }

    private mutating func nextOfInnermost() -> Step? {
        let index = levels.count - 1
        let level = levels[index]
        if level.handle.isBroken {
            levels.removeLast()
            return nil
        }
        do {
            guard let header = try level.handle.nextHeader() else {
                try level.handle.finish()
                return nil
            }
            memberCount += 1
            guard memberCount <= ArchiveLimits.membersMax else {
                levels = []
                return .skipped(
                    SkippedInput(path: level.path, reason: .tooManyMembers, isNamed: false)
                )
            }
            levels[index].memberCount += 1
            return member(header, of: index)
        } catch {
            return .damaged(level.path, error)
        }
    }

    /// What to make of the member whose header was just read; nil to pass over it.
    private mutating func member(_ header: MemberHeader, of index: Int) -> Step? {
        let level = levels[index]
        let name = header.name ?? Array("member \(level.memberCount)".utf8)
        let path = level.path.appendingMember(name)
        func skip(_ reason: SkippedInput.Reason) -> Step {
            .skipped(SkippedInput(path: path, reason: reason, isNamed: false))
        }
        switch header.kind {
        case .folder: return nil
        case .link: return skip(.memberLink)
        case .special: return skip(.notAFile)
        case .sparse: return skip(.sparseMember)
        case .encrypted: return skip(.encrypted)
        case .method(let method): return skip(.unknownMethod(method))
        case .file: break
        }
        if name.split(separator: UInt8(ascii: "/")).contains(Array("..".utf8)[...]) {
            return skip(.leadsOutside)
        }
        let stream = MemberStream(level.handle, level.feed)
        if level.format == .tar, isBundleMember(name, &levels[index]) {
            guard levels[index].memberCount == 2 else { return nil }
            let text = PeekedStream(EvidenceText(stream, readBytes: readBytes))
            return .leaf(
                Leaf(path: path, stream: text, timeHint: level.timeHint, isDoubtful: false)
            )
        }
        let modified = header.modified.flatMap { $0 > 0 ? TimeHint.modified($0) : nil }
        let hint = endOfDay(inName: path).map { .nameDate($0) } ?? modified ?? level.timeHint
        return enter(stream, path, depth: level.depth, hint, file: nil)
    }

    /// Whether the member belongs to an evidence bundle (architecture §9), which begins with the
    /// alert, and then its lines.
    private func isBundleMember(_ name: [UInt8], _ level: inout Level) -> Bool {
        switch level.memberCount {
        case 1: level.isBundle = name == Array("alert.json".utf8)
        case 2: level.isBundle = level.isBundle && name == Array("lines.log".utf8)
        default: break
        }
        return level.isBundle
    }

    /// Looks at what a stream is: a log, an archive to go into, or neither.
    ///
    /// - Parameter depth: layers around it.
    private mutating func enter(
        _ stream: any ByteStream,
        _ path: FilePath,
        depth: Int,
        _ hint: TimeHint,
        file: SharedFile?
    ) -> Step? {
        var stream = PeekedStream(stream)
        var depth = depth
        var hint = hint
        var isCompressed = false
        while true {
            let head = Array(
                stream.peek(Content.headBytes) { isLive && Content.isDecided(by: Array($0)) }
            )
            let content = Content(head: head)
            switch content {
            case .text(.plain):
                return .leaf(Leaf(path: path, stream: stream, timeHint: hint, isDoubtful: false))
            case .empty where stream.isDamaged:
                return .leaf(Leaf(path: path, stream: stream, timeHint: hint, isDoubtful: false))
            case .empty:
                return .skipped(SkippedInput(path: path, reason: .empty, isNamed: false))
            case .text(let encoding):
                if encoding.isCompression {
                    guard depth < ArchiveLimits.nestingMax else { return tooDeep(path) }
                    depth += 1
                    isCompressed = true
                }
                hint = hint.unlessNamed(gzipTime(encoding, head[...]))
                stream = PeekedStream(DecodedStream(stream, encoding, readBytes: readBytes))
            case .archive(let format):
                if !isCompressed {
                    guard depth < ArchiveLimits.nestingMax else { return tooDeep(path) }
                    depth += 1
                }
                let source = isCompressed ? nil : file.map { ArchiveFeed.Source.file($0) }
                push(format, source ?? .stream(stream), path, depth, hint)
                return nil
            case .journal:
                let words = "a journal, which can only be read unpacked"
                return .skipped(
                    SkippedInput(path: path, reason: .notALog(words), isNamed: false)
                )
            case .other(let words):
                if head.allSatisfy({ $0 == 0 }) {
                    return .leaf(Leaf(path: path, stream: stream, timeHint: hint, isDoubtful: true))
                }
                return .skipped(
                    SkippedInput(path: path, reason: .notALog(words), isNamed: false)
                )
            }
        }
    }

    private func tooDeep(_ path: FilePath) -> Step {
        .skipped(SkippedInput(path: path, reason: .nestedTooDeep, isNamed: false))
    }

    private mutating func push(
        _ format: ArchiveFormat,
        _ source: ArchiveFeed.Source,
        _ path: FilePath,
        _ depth: Int,
        _ hint: TimeHint
    ) {
        let feed = ArchiveFeed(source, format: format)
        levels.append(
            Level(
                handle: ArchiveHandle(format, feed: feed),
                feed: feed,
                path: path,
                depth: depth,
                timeHint: hint,
                format: format
            )
        )
    }
}

/// The bytes of one member.
private final class MemberStream: ByteStream, @unchecked Sendable {
    private let handle: ArchiveHandle
    private let feed: ArchiveFeed
    private var isAtEnd = false

    init(_ handle: ArchiveHandle, _ feed: ArchiveFeed) {
        self.handle = handle
        self.feed = feed
    }

    var roomMin: Int { 1 }
    var isRaw: Bool { false }
    var fileOffset: UInt64 { feed.fileOffset }

    func read(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        if isAtEnd { return 0 }
        do {
            let count = try handle.readData(into: &output, room)
            if count == 0 { isAtEnd = true }
            return count
        } catch {
            isAtEnd = true
            throw error
        }
    }
}

extension TimeHint {
    /// A date in the name counts before a time in a gzip header.
    fileprivate func unlessNamed(_ other: TimeHint?) -> TimeHint {
        if case .nameDate = self { return self }
        return other ?? self
    }
}

extension FilePath {
    /// For showing: this path with a member's name behind it, whatever bytes that has. It names
    /// nothing on the disk.
    fileprivate func appendingMember(_ name: [UInt8]) -> FilePath {
        var path = self
        for part in name.prefix(ArchiveLimits.nameBytesMax).split(separator: UInt8(ascii: "/"))
        where part != [UInt8(ascii: ".")] {
            let terminated = part.map { CChar(bitPattern: $0) } + [0]
            let component = unsafe terminated.withUnsafeBufferPointer { buffer in
                // SAFETY: the buffer ends with a NUL.
                unsafe buffer.baseAddress.flatMap {
                    unsafe FilePath.Component(platformString: $0)
                }
            }
            if let component { path.append(component) }
        }
        return path
    }
}
