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
    /// - Returns: nil for a file that is unknown or has no identity, as standard input.
    public func cursor(of number: FileNumber, offset: UInt64) -> FileCursor? {
        self[number]?.identity.map { FileCursor(identity: $0, offset: offset) }
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

    /// A young file has grown, and its identity covers more of it.
    func setIdentity(of number: FileNumber, to identity: FileIdentity) {
        files.withLock { $0[Int(number.rawValue)].identity = identity }
    }
}
