import LinuxIO
import SystemPackage

/// A regular file beside a followed one.
struct Sibling: Hashable {
    let folder: FilePath
    let name: [UInt8]
    let key: FileKey
    /// Absent when the name is not that of a rotation.
    let rotated: RotatedName?
    let modifiedMicroseconds: Int64
    let size: UInt64
}

/// The files beside a followed one, as they were at one moment.
struct Siblings: Equatable {
    /// Those whose names are of a rotation, oldest first.
    let rotated: [Sibling]
    /// The others, in any order; none where they were not asked for.
    let others: [Sibling]

    init(_ all: [Sibling]) {
        rotated = Self.oldestFirst(all.filter { $0.rotated != nil })
        others = all.filter { $0.rotated == nil }
    }

    /// By their names where all of these tell, else by when they were last written: an order of
    /// both kinds would contradict itself.
    private static func oldestFirst(_ siblings: [Sibling]) -> [Sibling] {
        let ages = siblings.compactMap(\.rotated)
        let tell = ages.first.map { first in
            ages.allSatisfy { first.isNewer(than: $0) != nil }
        }
        return siblings.sorted { left, right in
            if tell == true, let age = left.rotated, let other = right.rotated, age.age != other.age
            {
                return other.isNewer(than: age) ?? false
            }
            if tell != true, left.modifiedMicroseconds != right.modifiedMicroseconds {
                return left.modifiedMicroseconds < right.modifiedMicroseconds
            }
            // What stays when a compression is done comes first; see `newer(than:)`.
            if left.isCompressed != right.isCompressed { return left.isCompressed }
            return left.name.lexicographicallyPrecedes(right.name)
        }
    }

    var all: [Sibling] { rotated + others }

    /// Rotated files that are newer than the one at `index`; not what it is being compressed to.
    func newer(thanRotatedAt index: Int) -> [Sibling] {
        let plainName = rotated[index].rotated?.plainName
        return Self.withoutTwins(
            rotated[(index + 1)...].filter { $0.rotated?.plainName != plainName }
        )
    }

    /// Rotated files that were written at `microseconds` or later, as far as the kernel knows.
    func writtenSince(_ microseconds: Int64) -> [Sibling] {
        Self.withoutTwins(rotated.filter { $0.modifiedMicroseconds >= microseconds })
    }

    /// All rotated files.
    var toBackfill: [Sibling] { Self.withoutTwins(rotated) }

    /// While a file is compressed both forms are there, and the new one is not whole.
    private static func withoutTwins(_ siblings: [Sibling]) -> [Sibling] {
        let plain = Set(siblings.filter { !$0.isCompressed }.compactMap(\.rotated?.plainName))
        var seen: Set<[UInt8]> = []
        return siblings.filter { sibling in
            guard sibling.isCompressed, let name = sibling.rotated?.plainName else { return true }
            // Of two compressed forms, the one that was there first is whole.
            return !plain.contains(name) && seen.insert(name).inserted
        }
    }
}

extension Sibling {
    var path: FilePath {
        FilePath.Component(bytes: name).map { folder.appending($0) } ?? folder
    }

    var isCompressed: Bool { rotated?.isCompressed == true }
}

/// Where the files of a followed path lie: its own folder and name, and those that its links lead
/// to.
struct LogPlace: Hashable {
    /// Each folder once; the last is where the file itself is, or would be.
    private(set) var folders: [FilePath] = []
    /// Names that the file has there; rotated ones begin with one of them.
    private(set) var names: [[UInt8]] = []
    private var links: [Link] = []

    private struct Link: Hashable {
        var path: FilePath
        var target: FilePath
    }

    /// Links after which the kernel gives up as well (path_resolution(7)).
    private static let linksMax = 40

    /// Follows the links at the end of `path`.
    ///
    /// - Parameter known: what it came to the last time; it is the same if the links are.
    init(of path: FilePath, known: LogPlace?, calls: SystemCalls) throws(SystemCallError) {
        var links: [Link] = []
        var end = path
        while let target = try Self.target(of: end, calls) {
            guard links.count < Self.linksMax else {
                throw SystemCallError(
                    call: .readlinkat,
                    path: path,
                    cause: .tooManySymbolicLinkLevels
                )
            }
            links.append(Link(path: end, target: target))
            end = target.isAbsolute ? target : end.removingLastComponent().pushing(target)
        }
        if let known, known.links == links {
            self = known
            return
        }
        self.links = links
        for link in links { add(link.path) }
        add(end)
    }

    /// - Returns: nil for what is no link, or is not there.
    private static func target(
        of path: FilePath,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> FilePath? {
        do throws(SystemCallError) {
            return try calls.linkTarget(of: path)
        } catch  where error.cause == .noSuchFileOrDirectory || error.cause == .notDirectory {
            return nil
        }
    }

    private mutating func add(_ path: FilePath) {
        let parent = path.removingLastComponent()
        let folder: FilePath = parent.isEmpty ? "." : parent
        folders.removeAll { $0 == folder }
        folders.append(folder)
        if let name = path.lastComponent?.bytes, !names.contains(name) { names.append(name) }
    }

    /// The files in these folders, without links and what bears the path's own names.
    ///
    /// Names that move while a folder is read may be missed (readdir(3)), so it is read until two
    /// readings are alike.
    ///
    /// - Parameter onlyRotated: leave out what has no name of a rotation; of those, there may be many.
    /// - Returns: nil when they never were.
    func siblings(
        onlyRotated: Bool,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> Siblings? {
        var last = try list(onlyRotated: onlyRotated, calls)
        for _ in 0..<FollowLimits.listingsMax {
            let again = try list(onlyRotated: onlyRotated, calls)
            if last.elementsEqual(again, by: { $0.key == $1.key && $0.name == $1.name }) {
                return Siblings(again)
            }
            last = again
        }
        return nil
    }

    private func list(
        onlyRotated: Bool,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> [Sibling] {
        var siblings: [Sibling] = []
        for folder in folders {
            for name in try nameBytes(in: folder, calls) where !names.contains(name) {
                // Rotated files lie beside the file itself; beside a link lies what was moved.
                let rotated =
                    folder == folders.last
                    ? names.lazy.compactMap { RotatedName(name, of: $0) }.first : nil
                if onlyRotated, rotated == nil { continue }
                // What goes away meanwhile is none any more.
                guard let status = try status(ofName: name, in: folder, calls),
                    status.kind == .regular
                else { continue }
                siblings.append(
                    Sibling(
                        folder: folder,
                        name: name,
                        key: FileKey(status),
                        rotated: rotated,
                        modifiedMicroseconds: status.modifiedMicroseconds,
                        size: status.size
                    )
                )
            }
        }
        return siblings
    }

    /// - Returns: nil for what has gone away meanwhile.
    private func status(
        ofName name: [UInt8],
        in folder: FilePath,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> FileStatus? {
        do throws(SystemCallError) {
            return try calls.status(ofName: name, in: folder)
        } catch  where error.cause == .noSuchFileOrDirectory {
            return nil
        }
    }

    private func nameBytes(
        in folder: FilePath,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> [[UInt8]] {
        do throws(SystemCallError) {
            return try calls.nameBytes(inFolder: folder)
        } catch  where error.cause == .noSuchFileOrDirectory || error.cause == .notDirectory {
            return []
        }
    }
}
