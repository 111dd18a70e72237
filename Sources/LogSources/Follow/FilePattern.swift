public import LinuxIO
public import SystemPackage

/// Which logs a settings line like `/var/log/mail*.log` or `/var/log/exim4/mainlog*` means: each
/// file that matches is a source of its own, and what a rotation made of one is none.
///
/// Any part of the path may be a pattern, as a shell has it (fnmatch(3): `*`, `?`, `[…]`; a leading
/// dot is matched by a dot only). A matching name is left out when it is that of a rotation of
/// another name that matches too, whether that file is there or not: between the two steps of a
/// rotation `mainlog` is not, and `mainlog.1` does not become a source. So are compressed files and
/// what editors and package managers leave (`~`, `.bak`, `.old`, `.dpkg-old` …).
public struct FilePattern: Hashable, Sendable {
    /// As it stands in the settings.
    public let pattern: FilePath
    private let root: FilePath
    private let parts: [NamePattern]
    private let names: [FilePath.Component]

    /// - Parameter pattern: with a name at its end.
    public init(_ pattern: FilePath) {
        precondition(pattern.lastComponent != nil, "a file's path has a name at its end")
        self.pattern = pattern
        let all = Array(pattern.components)
        // What comes before the first pattern is a folder as it is.
        let first = all.firstIndex { NamePattern($0).isPattern } ?? all.count - 1
        let fixed = FilePath(root: pattern.root, all[..<first])
        root = fixed.isEmpty ? "." : fixed
        names = Array(all[first...])
        parts = names.map { NamePattern($0) }
    }

    /// Whether it can match more than one path. If not, it is a path to follow as it is.
    public var isPattern: Bool { parts.contains(where: \.isPattern) }

    /// More files than this are not followed by one pattern: each has a thread and buffers.
    public static let filesMax = 64

    /// What matches now, and which folders could get more.
    public struct Matches: Hashable, Sendable {
        /// Regular files, and links to such, each path once, by their bytes; at most
        /// ``FilePattern/filesMax``.
        public var files: [FilePath] = []
        /// How many more there are.
        public var leftOut = 0
        /// Every folder that was looked into: when one of them changes, so may the files.
        public var folders: [FilePath] = []
    }

    /// Looks what matches now. A folder that is not there matches nothing.
    ///
    /// - Throws: when a folder is there and cannot be read.
    public func matches(_ calls: SystemCalls = SystemCalls()) throws(SourceError) -> Matches {
        var matches = Matches()
        do throws(SystemCallError) {
            var folders = [root]
            for index in parts.indices.dropLast() {
                var below: [FilePath] = []
                for folder in folders { below += try self.folders(in: folder, index, calls) }
                matches.folders += folders
                folders = below
            }
            for folder in folders { matches.files += try files(in: folder, calls) }
            matches.folders += folders
        } catch {
            throw SourceError(error)
        }
        matches.leftOut = max(0, matches.files.count - Self.filesMax)
        matches.files.removeLast(matches.leftOut)
        return matches
    }

    private func folders(
        in folder: FilePath,
        _ index: Int,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> [FilePath] {
        guard parts[index].isPattern else { return [below(folder, names[index])] }
        var found: [FilePath] = []
        for name in try list(folder, calls) where parts[index].matches(name) {
            let path = below(folder, name)
            if try kind(of: path, calls) == .folder { found.append(path) }
        }
        return found
    }

    private func files(
        in folder: FilePath,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> [FilePath] {
        guard let last = parts.last, let name = names.last else { return [] }
        guard last.isPattern else {
            let path = below(folder, name)
            return try kind(of: path, calls) == .regular ? [path] : []
        }
        var found: [FilePath] = []
        for name in try list(folder, calls) where last.matches(name) {
            if isLeftover(name.bytes, last) { continue }
            let path = below(folder, name)
            if try kind(of: path, calls) == .regular { found.append(path) }
        }
        return found
    }

    private static let leftovers = [
        "~", ".bak", ".old", ".orig", ".save", ".swp", ".tmp", ".offset", ".dpkg-old",
        ".dpkg-new", ".dpkg-dist", ".rpmsave", ".rpmnew",
    ].map { Array($0.utf8) }

    /// Whether `name` is what was made of a log: rotated, compressed, or saved beside it.
    private func isLeftover(_ name: [UInt8], _ last: NamePattern) -> Bool {
        if RotatedName.withoutCompression(name).count < name.count { return true }
        if Self.leftovers.contains(where: {
            name.count > $0.count && name.suffix($0.count) == $0[...]
        }) {
            return true
        }
        return RotatedName.bases(of: name).contains { base in
            FilePath.Component(bytes: base).map { last.matches($0) } ?? false
        }
    }

    private func below(_ folder: FilePath, _ name: FilePath.Component) -> FilePath {
        pattern.isAbsolute || folder != "."
            ? folder.appending(name) : FilePath(root: nil, components: name)
    }

    private func list(
        _ folder: FilePath,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> [FilePath.Component] {
        do throws(SystemCallError) {
            return try calls.names(inFolder: folder)
        } catch  where error.cause == .noSuchFileOrDirectory || error.cause == .notDirectory {
            return []
        }
    }

    /// - Returns: nil for what is not there, as a link that leads nowhere.
    private func kind(
        of path: FilePath,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> FileStatus.Kind? {
        do throws(SystemCallError) {
            return try calls.status(of: path).kind
        } catch
            where error.cause == .noSuchFileOrDirectory || error.cause == .notDirectory
            || error.cause == .tooManySymbolicLinkLevels
        {
            return nil
        }
    }
}
