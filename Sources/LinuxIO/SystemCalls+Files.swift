import Glibc
public import SystemPackage

/// How a file is opened. Close-on-exec always holds, and a terminal never becomes ours.
public struct OpenFlags: OptionSet, Sendable {
    public var rawValue: CInt
    public init(rawValue: CInt) { self.rawValue = rawValue }

    public static let read = OpenFlags(rawValue: O_RDONLY)
    public static let write = OpenFlags(rawValue: O_WRONLY)
    public static let readWrite = OpenFlags(rawValue: O_RDWR)
    public static let create = OpenFlags(rawValue: O_CREAT)
    public static let exclusive = OpenFlags(rawValue: O_EXCL)
    public static let truncate = OpenFlags(rawValue: O_TRUNC)
    public static let append = OpenFlags(rawValue: O_APPEND)
    public static let noFollow = OpenFlags(rawValue: O_NOFOLLOW)
    public static let folder = OpenFlags(rawValue: O_DIRECTORY)
    public static let nonBlocking = OpenFlags(rawValue: O_NONBLOCK)
}

extension SystemCalls {
    /// Opens `path`, relative to the working folder if it is relative.
    ///
    /// - Parameter mode: permission bits of a file that this call creates, less the umask.
    public func open(
        _ path: FilePath,
        _ flags: OpenFlags = .read,
        mode: UInt32 = 0o600
    ) throws(SystemCallError) -> Descriptor {
        let number = try perform(.openat, path) { _ in
            unsafe path.withPlatformString { name in
                unsafe Int(
                    Glibc.openat(AT_FDCWD, name, flags.rawValue | O_CLOEXEC | O_NOCTTY, mode)
                )
            }
        }
        return Descriptor(owning: CInt(number), calls: self, path: path)
    }

    /// Standard input, as a descriptor of its own.
    public func standardInput() throws(SystemCallError) -> Descriptor {
        let number = try perform(.openat, "-") { _ in Int(fcntl(0, F_DUPFD_CLOEXEC, 3)) }
        return Descriptor(owning: CInt(number), calls: self, path: "-")
    }

    /// What the kernel says of what `path` names, or of the link itself.
    public func status(
        of path: FilePath,
        followingLinks: Bool = true
    ) throws(SystemCallError) -> FileStatus {
        var raw = stat()
        _ = try perform(.fstatat, path) { _ in
            unsafe path.withPlatformString { name in
                unsafe Int(
                    fstatat(AT_FDCWD, name, &raw, followingLinks ? 0 : AT_SYMLINK_NOFOLLOW)
                )
            }
        }
        return FileStatus(raw)
    }

    /// What the kernel says of the file or link that has this name in `folder`.
    ///
    /// - Parameter name: bytes without NUL and `/`, as from ``nameBytes(inFolder:)``.
    public func status(
        ofName name: [UInt8],
        in folder: FilePath
    ) throws(SystemCallError) -> FileStatus {
        var raw = stat()
        var path = unsafe folder.withPlatformString { folder in
            // SAFETY: a platform string ends with a NUL.
            unsafe Array(UnsafeBufferPointer(start: folder, count: strlen(folder)))
        }
        path.append(CChar(bitPattern: UInt8(ascii: "/")))
        for byte in name { path.append(CChar(bitPattern: byte)) }
        path.append(0)
        _ = try perform(.fstatat, folder) { _ in
            unsafe Int(fstatat(AT_FDCWD, path, &raw, AT_SYMLINK_NOFOLLOW))
        }
        return FileStatus(raw)
    }

    /// What the symbolic link `path` says, which need not exist.
    ///
    /// - Returns: nil when `path` names something that is no link.
    public func linkTarget(of path: FilePath) throws(SystemCallError) -> FilePath? {
        // PATH_MAX with its NUL; a target that long was cut, and then is too long to be opened.
        var target = [CChar](repeating: 0, count: 4_096)
        do throws(SystemCallError) {
            _ = try perform(.readlinkat, path) { _ in
                unsafe path.withPlatformString { name in
                    unsafe target.withUnsafeMutableBufferPointer { buffer in
                        // SAFETY: one byte less than the buffer has, so that a NUL stays behind.
                        unsafe buffer.baseAddress.map {
                            unsafe readlinkat(AT_FDCWD, name, $0, buffer.count - 1)
                        } ?? -1
                    }
                }
            }
        } catch  where error.cause == .invalidArgument {
            return nil
        }
        return unsafe target.withUnsafeBufferPointer { buffer in
            // SAFETY: the last byte is NUL.
            unsafe buffer.baseAddress.map { unsafe FilePath(platformString: $0) }
        }
    }

    /// Gives `old` the name `new` in one step; what had that name is gone.
    public func rename(_ old: FilePath, to new: FilePath) throws(SystemCallError) {
        _ = try perform(.renameat, old) { _ in
            unsafe old.withPlatformString { oldName in
                unsafe new.withPlatformString { newName in
                    unsafe Int(renameat(AT_FDCWD, oldName, AT_FDCWD, newName))
                }
            }
        }
    }

    /// Removes a file's name.
    public func remove(_ path: FilePath) throws(SystemCallError) {
        _ = try perform(.unlinkat, path) { _ in
            unsafe path.withPlatformString { unsafe Int(unlinkat(AT_FDCWD, $0, 0)) }
        }
    }

    /// Sets the permission bits of a file by its name, whatever the umask.
    public func setMode(of path: FilePath, _ mode: UInt32) throws(SystemCallError) {
        _ = try perform(.chmodAt, path) { _ in
            unsafe path.withPlatformString { unsafe Int(fchmodat(AT_FDCWD, $0, mode, 0)) }
        }
    }

    /// Makes one folder.
    ///
    /// - Returns: false when a folder of that name was there before; its mode stays.
    @discardableResult
    public func makeFolder(_ path: FilePath, mode: UInt32) throws(SystemCallError) -> Bool {
        do {
            _ = try perform(.mkdirat, path) { _ in
                unsafe path.withPlatformString { unsafe Int(mkdirat(AT_FDCWD, $0, mode)) }
            }
            return true
        } catch  where error.cause == .fileExists {
            guard try status(of: path).kind == .folder else { throw error }
            return false
        }
    }

    /// Makes a folder and those above it that are missing, all with `mode`.
    public func makeFolders(_ path: FilePath, mode: UInt32) throws(SystemCallError) {
        do {
            try makeFolder(path, mode: mode)
        } catch  where error.cause == .noSuchFileOrDirectory {
            let parent = path.removingLastComponent()
            guard parent != path, !parent.isEmpty else { throw error }
            try makeFolders(parent, mode: mode)
            try makeFolder(path, mode: mode)
        }
    }

    /// The names in a folder, without `.` and `..`, sorted by their bytes.
    public func names(inFolder path: FilePath) throws(SystemCallError) -> [FilePath.Component] {
        try nameBytes(inFolder: path).compactMap { FilePath.Component(bytes: $0) }
    }

    /// As ``names(inFolder:)``, as bytes: any but NUL and `/`, UTF-8 or not.
    public func nameBytes(inFolder path: FilePath) throws(SystemCallError) -> [[UInt8]] {
        var stream: OpaquePointer?
        _ = try perform(.listFolder, path) { _ in
            unsafe stream = path.withPlatformString { unsafe opendir($0) }
            return unsafe stream == nil ? -1 : 0
        }
        // SAFETY: `perform` returned, so `opendir` gave a stream; it is closed on every way out.
        guard let stream = unsafe stream else { return [] }
        defer { unsafe closedir(stream) }
        var names: [[UInt8]] = []
        while true {
            var isAtEnd = false
            _ = try perform(.listFolder, path) { _ in
                errno = 0
                guard let entry = unsafe readdir(stream) else {
                    isAtEnd = errno == 0
                    return isAtEnd ? 0 : -1
                }
                // SAFETY: readdir(3) ends `d_name` with a NUL, and the entry is valid until the
                // next call on this stream.
                let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { buffer in
                    unsafe Array(buffer.prefix { $0 != 0 })
                }
                if name != [UInt8(ascii: ".")], name != Array("..".utf8) { names.append(name) }
                return 0
            }
            if isAtEnd { break }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Waits until the names in a folder are on the disk.
    public func syncFolder(_ path: FilePath) throws(SystemCallError) {
        try open(path.isEmpty ? "." : path, [.read, .folder]).sync()
    }

    /// Makes `path` hold `bytes` so that after a crash, at whatever moment, it holds either all of
    /// them or what it held before.
    ///
    /// They are written beside it under the name with `.new` at its end, synced, renamed, and the
    /// folder is synced. Only one process may do this to a path at a time. When it throws, `path`
    /// is as it was, unless the sync of the folder failed: then a power cut may bring either.
    public func replaceDurably(
        _ path: FilePath,
        with bytes: some Collection<UInt8>,
        mode: UInt32 = 0o600
    ) throws(SystemCallError) {
        let folder = path.removingLastComponent()
        var fresh = path
        guard let name = path.lastComponent,
            let freshName = FilePath.Component(name.string + ".new")
        else {
            throw SystemCallError(call: .openat, path: path, cause: .isDirectory)
        }
        fresh.removeLastComponent()
        fresh.append(freshName)
        do {
            let file = try open(fresh, [.write, .create, .truncate, .noFollow], mode: mode)
            try file.setMode(mode)
            try file.writeAll(bytes)
            try file.sync()
            try rename(fresh, to: path)
        } catch {
            // The first error is the one to tell; a leftover is overwritten the next time.
            try? remove(fresh)
            throw error
        }
        try syncFolder(folder)
    }
}

extension FilePath.Component {
    /// A name of these bytes; nil for what is none, as one with a `/`.
    public init?(bytes: [UInt8]) {
        let terminated = bytes.map { CChar(bitPattern: $0) } + [0]
        let made = unsafe terminated.withUnsafeBufferPointer { buffer in
            // SAFETY: it ends with a NUL.
            unsafe buffer.baseAddress.flatMap { unsafe Self(platformString: $0) }
        }
        guard let made else { return nil }
        self = made
    }

    /// The name as the kernel has it: any bytes but NUL and `/`, UTF-8 or not.
    public var bytes: [UInt8] {
        unsafe withPlatformString { name in
            // SAFETY: a platform string ends with a NUL.
            unsafe Array(UnsafeRawBufferPointer(start: name, count: strlen(name)))
        }
    }
}
