import LinuxIO
import Records
import SystemPackage

/// A regular file that was looked at, and is opened again when its turn comes.
struct InputFile: Hashable, Sendable {
    let path: FilePath
    let identity: FileIdentity
    let size: UInt64
    /// `st_mtime`: microseconds since 1970, UTC.
    let modifiedMicroseconds: Int64
    private let calls: CallsBox

    /// - Parameter head: the file's first bytes, at least ``FileIdentity/headBytesMax`` of them
    ///   unless it is shorter.
    init(_ path: FilePath, _ status: FileStatus, head: [UInt8], calls: SystemCalls) {
        let head = head.prefix(FileIdentity.headBytesMax)
        self.path = path
        identity = FileIdentity(
            device: status.device,
            inode: status.inode,
            headDigest: FileIdentity.digest(ofHead: head),
            headByteCount: UInt32(head.count)
        )
        size = status.size
        modifiedMicroseconds = status.modifiedMicroseconds
        self.calls = CallsBox(calls: calls)
    }

    /// Opens it, wherever in its folder it is by now.
    func open() throws(SourceProblem.Damage) -> Descriptor {
        let calls = calls.calls
        do {
            let descriptor = try calls.open(path, [.read, .nonBlocking])
            if try isSame(descriptor) { return descriptor }
        } catch  where error.cause != .noSuchFileOrDirectory {
            throw .unreadable(error)
        } catch {
            // It may have been renamed, like a file whose name is another's now.
        }
        let folder = path.removingLastComponent()
        do {
            let here: FilePath = folder.isEmpty ? "." : folder
            for name in try calls.names(inFolder: here) {
                let candidate = folder.appending(name)
                guard let status = try? calls.status(of: candidate, followingLinks: false),
                    status.kind == .regular, status.inode == identity.inode
                else { continue }
                let descriptor = try calls.open(candidate, [.read, .nonBlocking])
                if try isSame(descriptor) { return descriptor }
            }
        } catch {
            throw .unreadable(error)
        }
        throw .replaced
    }

    /// Opens it for reading at any place.
    func openShared() throws(SourceProblem.Damage) -> SharedFile {
        let descriptor = try open()
        do {
            let size = try descriptor.status().size
            return SharedFile(descriptor, size: size)
        } catch {
            throw .unreadable(error)
        }
    }

    private func isSame(_ descriptor: borrowing Descriptor) throws(SystemCallError) -> Bool {
        let status = try descriptor.status()
        guard status.device == identity.device, status.inode == identity.inode else { return false }
        let head = try descriptor.readFully(count: Int(identity.headByteCount), at: 0)
        return head.count == Int(identity.headByteCount)
            && FileIdentity.digest(ofHead: head) == identity.headDigest
    }

    /// The door to the kernel does not tell files apart.
    private struct CallsBox: Hashable, Sendable {
        let calls: SystemCalls
        static func == (left: Self, right: Self) -> Bool { true }
        func hash(into hasher: inout Hasher) {}
    }
}
