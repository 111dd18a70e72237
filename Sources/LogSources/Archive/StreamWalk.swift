import Records
import SystemPackage

/// The logs of an archive that can be read only once, in its own order.
struct StreamWalk: Sendable {
    enum Step: Sendable {
        case leaf(Leaf, isOutOfOrder: Bool)
        case damaged(FilePath, SourceProblem.Damage)
        case skipped(SkippedInput)
        case end
    }

    private var walk: ArchiveWalk
    private let firstStamp: Input.FirstStamp?
    private var latest: Int64?

    init(_ input: Input, _ stream: FileStream, readBytes: Int) {
        walk = ArchiveWalk(
            stream,
            path: input.path,
            file: nil,
            timeHint: input.timeHint,
            readBytes: readBytes,
            isLive: true
        )
        firstStamp = input.firstStamp
    }

    /// How many bytes of the stream were used.
    var fileOffset: UInt64 { walk.fileOffset }

    mutating func next() -> Step {
        switch walk.next() {
        case .leaf(let leaf):
            if leaf.isDoubtful {
                return .skipped(
                    SkippedInput(path: leaf.path, reason: .notALog("binary data"), isNamed: false)
                )
            }
            return .leaf(leaf, isOutOfOrder: isOutOfOrder(leaf))
        case .damaged(let path, let damage): return .damaged(path, damage)
        case .skipped(let skipped): return .skipped(skipped)
        case .end: return .end
        }
    }

    private mutating func isOutOfOrder(_ leaf: Leaf) -> Bool {
        guard let firstStamp else { return false }
        var summary = TextSummary()
        summary.append(leaf.stream.head[...])
        guard let stamp = firstStamp(summary.firstLines, leaf.timeHint) else { return false }
        defer { latest = max(latest ?? stamp, stamp) }
        return latest.map { stamp < $0 } ?? false
    }
}
