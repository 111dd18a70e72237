import GRDB
public import SystemPackage

/// Reads a state folder, also while a daemon writes to it.
///
/// For commands such as `postern alerts list`. It takes no lock and changes nothing; each call sees
/// one committed state. One thread at a time; it is not `Sendable`, and may move in a `Mutex`.
public class StateReader {
    static let ownMetaPrefix = "state."
    static let seedKey = ownMetaPrefix + "hash-seed"
    static let createdKey = ownMetaPrefix + "created"
    static let hostKey = ownMetaPrefix + "host"
    static let cursorsPlacedKey = ownMetaPrefix + "cursors-placed"

    public let folder: FilePath
    /// What the folder is: made once, never changed.
    public let origin: StateOrigin
    let database: StateDatabase

    /// Opens the state in `folder` for reading.
    ///
    /// - Throws: `missing` when there is none; `foreign`, `newer`, `older` or `corrupt` when it is
    ///   not ours to read; `permissionDenied`, `io`, `busy`.
    public convenience init(folder: FilePath) throws(StateError) {
        let file = folder.appending(StateDatabase.fileName)
        guard try FolderLock.exists(file) else {
            throw StateError(.missing, file, "open the state", .found("there is no such file"))
        }
        let schema = Schema.current
        let database = try StateDatabase(folder: folder, readOnly: true)
        let version = try database.version(schema)
        guard version > 0 else {
            throw StateError(.missing, file, "open the state", .found("the file is empty"))
        }
        guard version == schema.version else {
            let text = "its version is \(version), this postern works with \(schema.version)"
            let code = StateError.Code.older(found: version, known: schema.version)
            throw StateError(code, file, "open the state", .found(text))
        }
        try self.init(folder: folder, database: database)
    }

    /// Takes over an open database of the current version.
    init(folder: FilePath, database: StateDatabase) throws(StateError) {
        self.folder = folder
        self.database = database
        origin = try database.read("open the state") { connection in
            let seed = try Self.meta(connection, database, Self.seedKey)
            let created = try Self.meta(connection, database, Self.createdKey)
            let host = try Self.meta(connection, database, Self.hostKey)
            guard let seed, let created, let host, seed.count == 16,
                let microseconds = Int64(String(decoding: created, as: UTF8.self))
            else {
                throw database.damaged("open the state", "its seed, age or host is missing")
            }
            return StateOrigin(
                hashSeed: seed,
                createdMicroseconds: microseconds,
                host: String(decoding: host, as: UTF8.self)
            )
        }
    }

    deinit { database.close() }

    // MARK: Named values and cursors

    /// Whether cursors were ever committed. Until then every start is a first start.
    public func cursorsWerePlaced() throws(StateError) -> Bool {
        try meta(Self.cursorsPlacedKey) != nil
    }

    /// The value set by `Changes.setMeta`.
    public func meta(_ key: String) throws(StateError) -> [UInt8]? {
        try database.read("read \(key)") { connection in
            try Self.meta(connection, database, key)
        }
    }

    /// Where reading each source resumes, by source name in the order of its bytes.
    public func cursors() throws(StateError) -> [(source: String, body: [UInt8])] {
        try database.read("read the cursors") { connection in
            let rows = try Prepared(
                connection,
                "SELECT source, digest, body FROM cursor ORDER BY source"
            )
            defer { rows.reset() }
            var cursors: [(source: String, body: [UInt8])] = []
            while try rows.next() {
                let source = rows.text(0)
                let body = rows.bytes(2)
                guard RowDigest.named(source, body.span) == rows.int(1) else {
                    throw database.damaged("read the cursors", "the cursor of \(source) changed")
                }
                cursors.append((source, body))
            }
            return cursors
        }
    }

    private static func meta(
        _ connection: GRDB.Database,
        _ database: StateDatabase,
        _ key: String
    ) throws -> [UInt8]? {
        let rows = try Prepared(connection, "SELECT digest, value FROM meta WHERE key = ?")
        defer { rows.reset() }
        try rows.bind(key, at: 1)
        guard try rows.next() else { return nil }
        let value = rows.bytes(1)
        guard RowDigest.named(key, value.span) == rows.int(0) else {
            throw database.damaged("read \(key)", "its value changed")
        }
        return value
    }

    /// What SQLite finds wrong in the whole file, at most `limit` findings; empty when it is sound.
    ///
    /// Reads the whole file: seconds for a gigabyte.
    public func findings(limit: Int) throws(StateError) -> [String] {
        precondition(limit > 0)
        return try database.findings(limit: limit)
    }
}
