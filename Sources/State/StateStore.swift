public import SystemPackage

/// The state folder: one SQLite file that holds what must outlive the process.
///
/// One owner: the process holds a lock on the folder, and inside it one thread at a time uses the
/// store. It is not `Sendable`; hand it over, or keep it in a `Mutex`. Nothing here reads a clock.
///
/// Files in the folder: `postern.sqlite` with its `-wal` and `-shm`, and `lock`, each 0600.
public final class StateStore: StateReader {
    let limits: StateLimits
    /// How full the outbox is.
    public internal(set) var outbox: OutboxTotals
    /// Checkpoints that failed, as on a full disk. Nothing is lost by one: the write-ahead log
    /// stays and grows until a later checkpoint works.
    public private(set) var checkpointsFailed = 0
    var cursorsPlaced: Bool
    private let lock: FolderLock

    /// What a new folder is given.
    public struct Creation: Sendable {
        public var nowMicroseconds: Int64
        public var host: String

        /// - Parameters:
        ///   - nowMicroseconds: µs since 1970, kept as the folder's age.
        ///   - host: kept as the name of the host it was made on.
        public init(nowMicroseconds: Int64, host: String) {
            self.nowMicroseconds = nowMicroseconds
            self.host = host
        }
    }

    /// Opens the state in `folder` for writing and takes its lock.
    ///
    /// - Parameters:
    ///   - folder: made with mode 0700 if missing, with its parents.
    ///   - create: what a new state starts with; nothing: a missing one is an error.
    /// - Throws: `locked` while another process has it; `missing`, `unsafeFolder`,
    ///   `permissionDenied`, `foreign`, `newer`, `corrupt`, `full`, `io`, `readOnly`, `busy`. The
    ///   files are then as they were.
    public convenience init(
        folder: FilePath,
        create: Creation?,
        limits: StateLimits = StateLimits()
    ) throws(StateError) {
        try self.init(folder: folder, create: create, limits: limits, schema: .current)
    }

    /// - Parameter schema: tests bring steps that have not been needed yet.
    init(
        folder: FilePath,
        create: Creation?,
        limits: StateLimits,
        schema: Schema
    ) throws(StateError) {
        precondition(limits.waitingMax >= 0)
        precondition(limits.abandonedMax >= 0)
        precondition(limits.acknowledgedMax >= 0)
        let lock = try FolderLock.take(
            folder,
            for: StateDatabase.fileName,
            create: create != nil
        )
        let database = try StateDatabase(folder: folder, readOnly: false)
        do throws(StateError) {
            let version = try database.version(schema)
            if version == 0, create == nil {
                throw StateError(
                    .missing,
                    database.file,
                    "open the state",
                    .found("the file is empty")
                )
            }
            try database.prepare(schema, from: version, create: create)
        } catch {
            throw database.explained(error)
        }
        self.lock = lock
        self.limits = limits
        outbox = OutboxTotals()
        cursorsPlaced = false
        try super.init(folder: folder, database: database)
        outbox = try countOutbox()
        cursorsPlaced = try cursorsWerePlaced()
    }

    /// Moves a state that cannot be used, or is not wanted any more, into a folder beside it, so that
    /// the next start is a first start. Evidence and keys stay where they are.
    ///
    /// - Parameters:
    ///   - folder: the state folder.
    ///   - name: of the folder within it, which must not be there.
    /// - Throws: `locked` while another process has it; `missing` when there is no state.
    public static func setAside(_ folder: FilePath, into name: String) throws(StateError) {
        let lock = try FolderLock.take(folder, for: StateDatabase.fileName, create: false)
        // The log's index is made anew from the log; without its file it means nothing.
        let files = ["", "-wal", "-shm"].map { StateDatabase.fileName + $0 }
        _ = try lock.setAside(folder, files: files, into: name)
    }

    /// Moves the write-ahead log into the file when it has grown enough.
    ///
    /// A checkpoint syncs twice, so it follows a commit that nobody waits for, unless the log
    /// outgrows all patience: 4 MiB after the former, 64 MiB after a durable commit.
    func checkpointIfDue(afterDurable: Bool) {
        guard database.logPages >= (afterDurable ? 16_384 : 1_024) else { return }
        if !database.checkpoint() { checkpointsFailed += 1 }
    }
}
