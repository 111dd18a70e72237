import LinuxIO
import SystemPackage

/// A regular file beside a followed one.
struct Sibling: Hashable {
    let path: FilePath
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
    /// The others, in any order.
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
            return left.path.string < right.path.string
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
    var isCompressed: Bool { rotated?.isCompressed == true }
}

/// Where the files of a followed path lie: its own folder and name, and those that its links lead
/// to.
struct LogPlace: Hashable {
    /// Each folder once; the last is where the file itself is, or would be.
    private(set) var folders: [FilePath] = []
    /// Names that the file has there; rotated ones begin with one of them.
    private(set) var names: [[UInt8]] = []

    /// Links after which the kernel gives up as well (path_resolution(7)).
    private static let linksMax = 40

    /// Follows the links at the end of `path`.
    init(of path: FilePath, calls: SystemCalls) throws(SystemCallError) {
        var path = path
        for _ in 0...Self.linksMax {
            add(path)
            let target: FilePath?
            do throws(SystemCallError) {
                target = try calls.linkTarget(of: path)
            } catch  where error.cause == .noSuchFileOrDirectory || error.cause == .notDirectory {
                return
            }
            guard let target else { return }
            path =
                target.isAbsolute ? target : path.removingLastComponent().pushing(target)
        }
        throw SystemCallError(call: .readlinkat, path: path, cause: .tooManySymbolicLinkLevels)
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
    /// - Returns: nil when they never were.
    func siblings(_ calls: SystemCalls) throws(SystemCallError) -> Siblings? {
        var last = try list(calls)
        for _ in 0..<FollowLimits.listingsMax {
            let again = try list(calls)
            if last.map(\.key) == again.map(\.key), last.map(\.path) == again.map(\.path) {
                return Siblings(again)
            }
            last = again
        }
        return nil
    }

    private func list(_ calls: SystemCalls) throws(SystemCallError) -> [Sibling] {
        var siblings: [Sibling] = []
        for folder in folders {
            for component in try names(in: folder, calls) {
                let bytes = component.bytes
                let path = folder.appending(component)
                guard !names.contains(bytes), let status = try status(of: path, calls),
                    status.kind == .regular
                else { continue }
                let rotated = names.lazy.compactMap { RotatedName(bytes, of: $0) }.first
                siblings.append(
                    Sibling(
                        path: path,
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
        of path: FilePath,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> FileStatus? {
        do throws(SystemCallError) {
            return try calls.status(of: path, followingLinks: false)
        } catch  where error.cause == .noSuchFileOrDirectory {
            return nil
        }
    }

    private func names(
        in folder: FilePath,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> [FilePath.Component] {
        do throws(SystemCallError) {
            return try calls.names(inFolder: folder)
        } catch  where error.cause == .noSuchFileOrDirectory || error.cause == .notDirectory {
            return []
        }
    }
}
