import LinuxIO
import Records
import SystemPackage

/// Finds the logs of one archive again by their numbers, and goes on where it stands when the next
/// one lies behind.
///
/// A number counts what ``ArchiveWalk`` gives: logs and damage.
final class ArchiveReader: @unchecked Sendable {
    let archive: ArchiveFile
    private let readBytes: Int
    private var walk: ArchiveWalk?
    /// Number of what the walk gives next.
    private var number = 0

    /// - Parameter archive: is not opened before the first log is asked for.
    init(_ archive: ArchiveFile, readBytes: Int) {
        self.archive = archive
        self.readBytes = readBytes
    }

    /// How many bytes of the file were used.
    var fileOffset: UInt64 { walk?.fileOffset ?? 0 }

    /// The text of a log. It is to be read before the next one is asked for.
    func open(_ wanted: Int) throws(SourceProblem.Damage) -> any ByteStream {
        if walk == nil || wanted < number {
            walk = try archive.walk(readBytes: readBytes)
            number = 0
        }
        while true {
            switch walk?.next() ?? .end {
            case .leaf(let leaf):
                number += 1
                if number > wanted { return leaf.stream }
            case .damaged(_, let damage):
                number += 1
                if number > wanted { throw damage }
            case .skipped: continue
            case .end: throw .replaced
            }
        }
    }
}

/// An archive on the disk.
struct ArchiveFile: Hashable, Sendable {
    var file: InputFile
    var timeHint: TimeHint

    func walk(readBytes: Int) throws(SourceProblem.Damage) -> ArchiveWalk {
        let shared = try file.openShared()
        return ArchiveWalk(
            RangeStream(shared, from: 0, to: nil),
            path: file.path,
            file: shared,
            timeHint: timeHint,
            readBytes: readBytes
        )
    }
}
