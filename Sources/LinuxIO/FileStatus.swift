import Glibc

/// What the kernel says of a file: the part of `struct stat` that this program looks at.
public struct FileStatus: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case regular, folder, link, pipe, socket, device
    }

    /// `st_dev`.
    public var device: UInt64
    /// `st_ino`.
    public var inode: UInt64
    public var kind: Kind
    /// Bytes; meaningful for regular files.
    public var size: UInt64
    /// `st_mtime`: microseconds since 1970, UTC.
    public var modifiedMicroseconds: Int64
    /// Permission bits (`07777`).
    public var mode: UInt32
    /// `st_uid`.
    public var owner: UInt32
    /// `st_nlink`: 0 when the last name is gone.
    public var linkCount: UInt64

    init(_ raw: stat) {
        device = UInt64(raw.st_dev)
        inode = UInt64(raw.st_ino)
        kind =
            switch raw.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .folder
            case S_IFLNK: .link
            case S_IFIFO: .pipe
            case S_IFSOCK: .socket
            default: .device
            }
        size = UInt64(max(0, raw.st_size))
        modifiedMicroseconds =
            Int64(raw.st_mtim.tv_sec) &* 1_000_000 &+ Int64(raw.st_mtim.tv_nsec) / 1_000
        mode = raw.st_mode & 0o7777
        owner = raw.st_uid
        linkCount = UInt64(raw.st_nlink)
    }
}
