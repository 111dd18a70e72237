import Records
import SystemPackage

/// One pass over an archive that finds the logs in it, and keeps of each what ordering needs.
///
/// Memory is bounded by ``ArchiveLimits/membersMax`` times what a ``TextSummary`` holds.
struct ArchiveSurvey {
    private(set) var opened = OpenedInputs()
    private let archive: ArchiveFile
    private let encoding: Encoding
    /// See ``ArchiveReader``.
    private var number = 0

    init(_ archive: ArchiveFile, _ encoding: Encoding) {
        self.archive = archive
        self.encoding = encoding
    }

    mutating func run() {
        guard var walk = try? archive.walk(readBytes: ReplayLimits.readBytes) else {
            // Reading it will tell why.
            add(archive.file.path, archive.timeHint, TextSummary())
            return
        }
        var buffer = [UInt8](repeating: 0, count: 4 * 65_536)
        while true {
            switch walk.next() {
            case .leaf(let leaf): take(leaf, &buffer)
            // It is found, and told of, again when it is read.
            case .damaged(let path, _): add(path, archive.timeHint, TextSummary())
            case .skipped(let skipped): opened.skipped.append(skipped)
            case .end: return
            }
        }
    }

    private mutating func take(_ leaf: Leaf, _ buffer: inout [UInt8]) {
        var summary = TextSummary()
        summary.append(contentsOf: leaf.stream, buffer: &buffer)
        if leaf.isDoubtful, !Content.isLogBehindZeros(head: summary.head, tail: summary.tail) {
            opened.skipped.append(
                SkippedInput(path: leaf.path, reason: .notALog("binary data"), isNamed: false)
            )
            number += 1
            return
        }
        add(leaf.path, leaf.timeHint, summary)
    }

    private mutating func add(_ path: FilePath, _ hint: TimeHint, _ summary: TextSummary) {
        let member = Input.Member(archive: archive, number: number, summary: summary)
        opened.inputs.append(Input(path, encoding, hint, member))
        number += 1
    }
}
