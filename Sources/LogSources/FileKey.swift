public import LinuxIO

/// An inode, as long as somebody has it open: only then is it not given to another file.
public struct FileKey: Hashable, Sendable {
    /// `st_dev`.
    public var device: UInt64
    /// `st_ino`.
    public var inode: UInt64

    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    public init(_ status: FileStatus) {
        self.init(device: status.device, inode: status.inode)
    }
}
