import Glibc
import SystemPackage

/// The state folder, ours alone for as long as this lives.
///
/// The lock is `flock`, which the kernel drops with the process: a killed daemon leaves none. The
/// file stays, with the process ID of its latest holder.
final class FolderLock {
    static let fileName = "lock"
    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit {
        // Closing is not enough while a child has a copy of the descriptor, as it does between its
        // fork and its exec; "released … by an explicit LOCK_UN operation on any of these duplicate
        // file descriptors" (flock(2)).
        _ = flock(descriptor, LOCK_UN)
        _ = close(descriptor)
    }

    /// Makes `folder` (0700, missing parents 0755) when `create`, refuses one that others may
    /// write to, takes the lock, and sees that `fileName` is there (0600, empty when new).
    ///
    /// A folder that is there already becomes 0700 if it is ours: owned by us, and empty or with
    /// that file in it. Any other is left as it is; `--state /tmp` must not close `/tmp`.
    static func take(
        _ folder: FilePath,
        for fileName: String,
        create: Bool
    ) throws(StateError) -> FolderLock {
        if create { try make(folder, mode: 0o700) }
        let directory = try openFolder(folder, "open the state folder")
        defer { _ = close(directory) }
        let file = folder.appending(fileName)
        let isThere = try exists(file)
        guard create || isThere else {
            throw StateError(.missing, file, "open the state", .found("there is no such file"))
        }
        let owner = try makePrivate(folder, directory, hasState: isThere)
        let lock = try lock(folder, directory, owner)
        if !isThere {
            // SQLite gives its own files the mode of this one, whatever the umask says.
            let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW
            let made = try call("openat", file, "make the state") {
                unsafe openat(directory, fileName, flags, 0o600)
            }
            defer { _ = close(made) }
            try own(made, owner, file)
            _ = try call("fsync", folder, "make the state") { fsync(directory) }
        }
        return lock
    }

    /// Moves the state's files into a new folder beside them, and syncs both.
    ///
    /// - Parameter name: of the folder; it must not be there.
    /// - Returns: how many files were moved.
    func setAside(_ folder: FilePath, files: [String], into name: String) throws(StateError) -> Int
    {
        let operation = "set the state aside"
        let directory = try Self.openFolder(folder, operation)
        defer { _ = close(directory) }
        let target = folder.appending(name)
        _ = try Self.call("mkdirat", target, operation) { unsafe mkdirat(directory, name, 0o700) }
        let inside = try Self.openFolder(target, operation)
        defer { _ = close(inside) }
        var count = 0
        for file in files where try Self.exists(folder.appending(file)) {
            _ = try Self.call("renameat", folder.appending(file), operation) {
                unsafe renameat(directory, file, inside, file)
            }
            count += 1
        }
        _ = try Self.call("fsync", target, operation) { fsync(inside) }
        _ = try Self.call("fsync", folder, operation) { fsync(directory) }
        return count
    }

    /// Whether there is a file; an error when that cannot be told.
    static func exists(_ file: FilePath) throws(StateError) -> Bool {
        do {
            _ = try call("access", file, "look for the state") {
                unsafe file.withPlatformString { path in unsafe access(path, F_OK) }
            }
            return true
        } catch {
            guard error.code == .missing else { throw error }
            return false
        }
    }

    // MARK: Steps

    private static func make(_ folder: FilePath, mode: mode_t) throws(StateError) {
        do {
            _ = try call("mkdir", folder, "make the state folder") {
                unsafe folder.withPlatformString { path in unsafe mkdir(path, mode) }
            }
        } catch {
            let parent = folder.removingLastComponent()
            switch error.cause {
            case .system(_, .fileExists):
                return
            case .system(_, .noSuchFileOrDirectory) where !parent.isEmpty && parent != folder:
                try make(parent, mode: 0o755)
                return try make(folder, mode: mode)
            default:
                throw error
            }
        }
        // A new folder lasts when its name in the parent does.
        let parent = folder.removingLastComponent()
        let above = try openFolder(parent.isEmpty ? "." : parent, "make the state folder")
        defer { _ = close(above) }
        _ = try call("fsync", parent, "make the state folder") { fsync(above) }
    }

    private static func openFolder(
        _ folder: FilePath,
        _ operation: String
    ) throws(StateError)
        -> Int32
    {
        try call("open", folder, operation) {
            unsafe folder.withPlatformString { path in
                unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            }
        }
    }

    /// The folder's owner, after the folder was made 0700 or found to be safe as it is.
    private static func makePrivate(
        _ folder: FilePath,
        _ directory: Int32,
        hasState: Bool
    ) throws(StateError) -> stat {
        var status = stat()
        _ = try call("fstat", folder, "open the state folder") { unsafe fstat(directory, &status) }
        guard status.st_mode & 0o077 != 0 else { return status }
        if status.st_uid == geteuid() {
            let isOurs = hasState ? true : try isEmpty(folder)
            if isOurs {
                _ = try call("fchmod", folder, "close the state folder to others") {
                    fchmod(directory, 0o700)
                }
                return status
            }
        }
        guard status.st_mode & 0o022 == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw StateError(
                .unsafeFolder,
                folder,
                "use the folder for state",
                .found("its mode is 0\(mode): others may write in it")
            )
        }
        return status
    }

    private static func isEmpty(_ folder: FilePath) throws(StateError) -> Bool {
        guard let stream = unsafe folder.withPlatformString({ path in unsafe opendir(path) }) else {
            throw failure(Errno(rawValue: errno), "opendir", folder, "open the state folder")
        }
        defer { _ = unsafe closedir(stream) }
        var entries = 0
        while unsafe readdir(stream) != nil {
            entries += 1
            // "." and ".." are always there.
            if entries > 2 { return false }
        }
        return true
    }

    private static func lock(
        _ folder: FilePath,
        _ directory: Int32,
        _ owner: stat
    ) throws(StateError) -> FolderLock {
        let path = folder.appending(fileName)
        let descriptor = try call("openat", path, "open the lock") {
            unsafe openat(directory, fileName, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        }
        let lock = FolderLock(descriptor)
        do {
            _ = try call("flock", path, "lock the state folder") {
                flock(descriptor, LOCK_EX | LOCK_NB)
            }
        } catch {
            guard case .system(_, .wouldBlock) = error.cause else { throw error }
            let holder = processID(in: descriptor)
            throw StateError(
                .locked(byPID: holder),
                path,
                "lock the state folder",
                .found("another postern holds it" + (holder.map { ", process \($0)" } ?? ""))
            )
        }
        try own(descriptor, owner, path)
        let text = Array("\(getpid())\n".utf8)
        _ = try call("ftruncate", path, "write the lock") { ftruncate(descriptor, 0) }
        _ = try call("pwrite", path, "write the lock") {
            Int32(clamping: unsafe pwrite(descriptor, text, text.count, 0))
        }
        return lock
    }

    /// The process ID in a lock file, if it holds one.
    private static func processID(in descriptor: Int32) -> Int32? {
        var text = [UInt8](repeating: 0, count: 16)
        let count = unsafe pread(descriptor, &text, text.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: text[..<count].prefix { $0 != 0x0a }, as: UTF8.self))
    }

    /// Gives a file to the folder's owner when root made it, as SQLite does with its own files
    /// (`robustFchown` in os_unix.c): the daemon, run as its own user, must be able to open it.
    private static func own(
        _ descriptor: Int32,
        _ owner: stat,
        _ path: FilePath
    )
        throws(StateError)
    {
        guard geteuid() == 0, owner.st_uid != 0 else { return }
        _ = try call("fchown", path, "give the file to the folder's owner") {
            fchown(descriptor, owner.st_uid, owner.st_gid)
        }
    }

    // MARK: System calls

    /// The result of `body`, which returns -1 and sets errno when it fails; again after EINTR.
    private static func call(
        _ name: String,
        _ path: FilePath,
        _ operation: String,
        _ body: () -> Int32
    ) throws(StateError) -> Int32 {
        while true {
            let result = body()
            if result >= 0 { return result }
            let errno = Errno(rawValue: errno)
            if errno == .interrupted { continue }
            throw failure(errno, name, path, operation)
        }
    }

    private static func failure(
        _ errno: Errno,
        _ call: String,
        _ path: FilePath,
        _ operation: String
    ) -> StateError {
        let code: StateError.Code =
            switch errno {
            case .noSuchFileOrDirectory, .notDirectory: .missing
            case .permissionDenied, .notPermitted: .permissionDenied
            case .readOnlyFileSystem: .readOnly
            case .noSpace, .diskQuotaExceeded: .full
            case .ioError: .io
            default: .unexpected
            }
        return StateError(code, path, operation, .system(call: call, errno))
    }
}
