public import Records
import Synchronization

/// The files of one source by their ``FileNumber``: the source adds them, and whoever prints a
/// place or commits a cursor looks them up, on any thread.
///
/// It keeps an entry of about 150 bytes for every file that was read in this run.
public final class FileTable: Sendable {
    private let files = Mutex<[FileDescription]>([])

    public init() {}

    public var count: Int { files.withLock { $0.count } }

    /// The file behind `number`, or nil when the source has not come to it.
    public subscript(number: FileNumber) -> FileDescription? {
        files.withLock { files in
            let index = Int(number.rawValue)
            return files.indices.contains(index) ? files[index] : nil
        }
    }

    /// Where reading goes on when all lines before `offset` of a file are done with.
    ///
    /// - Returns: nil for a file that is unknown or has no identity, as standard input, and for one
    ///   that has no bytes: nothing would tell it from others, and nothing of it need be told.
    public func cursor(of number: FileNumber, offset: UInt64) -> FileCursor? {
        guard let file = self[number], let identity = file.identity, identity.headByteCount > 0
        else { return nil }
        return FileCursor(
            identity: identity,
            offset: offset,
            modifiedMicroseconds: file.modifiedMicroseconds
        )
    }

    /// The cursor for what comes after `batch`.
    public func cursor(after batch: borrowing Batch) -> FileCursor? {
        cursor(of: batch.file, offset: batch.nextOffset)
    }

    func append(_ file: FileDescription) -> FileNumber {
        files.withLock { files in
            files.append(file)
            return FileNumber(UInt32(files.count - 1))
        }
    }

    /// A file has grown: it was written later, and the identity of a young one covers more of it.
    func update(_ number: FileNumber, identity: FileIdentity, modifiedMicroseconds: Int64) {
        files.withLock {
            $0[Int(number.rawValue)].identity = identity
            $0[Int(number.rawValue)].modifiedMicroseconds = modifiedMicroseconds
        }
    }
}
