public import LinuxIO
public import Records
public import SystemPackage

extension FileCursor {
    /// The cursor with which only what is written from now on is read: behind the last whole line of
    /// the file that a path names.
    ///
    /// - Returns: nil if the path names nothing, or a file without text: all that comes there is new.
    public init?(
        endOf path: FilePath,
        calls: SystemCalls = SystemCalls()
    ) throws(SystemCallError) {
        let file: Descriptor
        do {
            file = try calls.open(path, [.read, .nonBlocking])
        } catch  where error.cause == .noSuchFileOrDirectory {
            return nil
        }
        let status = try file.status()
        let head = try file.readFully(count: FileIdentity.headBytesMax, at: 0)
        guard status.kind == .regular, !head.isEmpty else { return nil }
        self.init(
            identity: FileIdentity(
                device: status.device,
                inode: status.inode,
                headDigest: FileIdentity.digest(ofHead: head),
                headByteCount: UInt32(head.count)
            ),
            offset: try Self.endOfLastLine(file, size: status.size),
            modifiedMicroseconds: status.modifiedMicroseconds
        )
    }

    /// Where the last whole line ends; 0 if there is none.
    private static func endOfLastLine(
        _ file: borrowing Descriptor,
        size: UInt64
    ) throws(SystemCallError) -> UInt64 {
        let blockBytes: UInt64 = 65_536
        var end = size
        while end > 0 {
            let start = end - min(end, blockBytes)
            let block = try file.readFully(count: Int(end - start), at: start)
            if let last = block.lastIndex(of: newline) { return start + UInt64(last) + 1 }
            end = start
        }
        return 0
    }
}
