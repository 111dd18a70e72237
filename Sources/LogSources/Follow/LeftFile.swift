import LinuxIO
import Records

/// A file that was read to its end and left; or that is taken for one, as the newest rotated file
/// when the present one is read first. What is newer comes after it.
struct LeftFile: Hashable, Sendable {
    var identity: FileIdentity
    /// Offset in its text up to which it was read.
    var endOffset: UInt64
    /// `st_mtime` when it was last looked at; 0: not known.
    var modifiedMicroseconds: Int64

    /// So many first bytes are those of one log only: they hold a stamp, and most of a line.
    private static let headBytesToTell = 64

    init(_ file: borrowing OpenFile) {
        identity = file.identity
        endOffset = file.splitter.readOffset
        modifiedMicroseconds = file.modifiedMicroseconds
    }

    /// Stands for a file that is held.
    init(held file: inout OpenFile) throws(SystemCallError) {
        // One that was truncated before it was begun is another from now on.
        if file.number == nil, try !file.isWhole() { file.restart() }
        try file.extendHead()
        self.init(file)
        // For the comparison of short texts, which are known from end to end.
        if file.encoding == .plain { endOffset = try file.descriptor.status().size }
    }

    /// The file in which `cursor` stands, which is not found any more.
    init(_ cursor: FileCursor) {
        identity = cursor.identity
        endOffset = cursor.offset
        modifiedMicroseconds = cursor.modifiedMicroseconds
    }

    /// A file of which only its status is known.
    init(_ sibling: Sibling) {
        identity = FileIdentity(
            device: sibling.key.device,
            inode: sibling.key.inode,
            headDigest: FileIdentity.digest(ofHead: []),
            headByteCount: 0
        )
        endOffset = sibling.size
        modifiedMicroseconds = sibling.modifiedMicroseconds
    }

    /// Whether it is the very file, as it was: an inode that was given to another file has been
    /// written since.
    func isUnchanged(_ sibling: Sibling) -> Bool {
        FileKey(identity) == sibling.key && modifiedMicroseconds == sibling.modifiedMicroseconds
    }

    /// Whether `head` begins as this text did.
    func hasHead(_ head: [UInt8]) -> Bool {
        let count = Int(identity.headByteCount)
        return count > 0 && head.count >= count
            && FileIdentity.digest(ofHead: head.prefix(count)) == identity.headDigest
    }

    /// Whether a text that begins with `head` is this one's, copied, compressed, or under another
    /// name.
    ///
    /// - Parameter head: its first ``FileIdentity/headBytesMax`` bytes, all if it is shorter.
    func isSameText(head: [UInt8]) -> Bool {
        guard hasHead(head) else { return false }
        let count = Int(identity.headByteCount)
        // A few bytes may be alike by chance; then the whole text tells.
        return count >= Self.headBytesToTell
            || head.count == count && endOffset == UInt64(count)
    }
}
