import Foundation
import GRDB
import SystemPackage

/// The connection to a state file, and the way from SQLite's errors to ours.
///
/// Used by one thread at a time: `StateStore` and `StateReader` are not `Sendable`.
final class StateDatabase {
    static let fileName = "postern.sqlite"

    let file: FilePath
    let queue: DatabaseQueue
    private let gauge = WALGauge()

    /// Opens the file, which must be there, and looks whose it is. Changes nothing.
    init(folder: FilePath, readOnly: Bool) throws(StateError) {
        file = folder.appending(Self.fileName)
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.foreignKeysEnabled = false
        // A reader's recovery of the log after a crash holds the file for moments.
        configuration.busyMode = .timeout(5)
        // GRDB stops the program when a transaction is open at the end of an access. Ours may be,
        // after a ROLLBACK that failed; the next access ends it before it begins its own.
        configuration.allowsUnsafeTransactions = true
        configuration.prepareDatabase { database in
            // Against damaged files: <https://www.sqlite.org/security.html>, part 1.2.
            try database.execute(
                sql: """
                    PRAGMA trusted_schema = OFF;
                    PRAGMA cell_size_check = ON;
                    PRAGMA cache_size = -4096;
                    """
            )
        }
        do {
            queue = try DatabaseQueue(path: file.string, configuration: configuration)
        } catch {
            throw Self.translate(error, file, "open the state")
        }
    }

    func close() { try? queue.close() }

    /// Pages in the write-ahead log after the latest commit.
    var logPages: Int { gauge.pages }

    // MARK: Access

    func read<Result>(
        _ operation: String,
        _ body: (GRDB.Database) throws -> Result
    ) throws(StateError) -> Result {
        do {
            return try queue.writeWithoutTransaction { database in
                if database.isInsideTransaction { try database.rollback() }
                // One snapshot for all that `body` reads, also while another process writes.
                defer { try? database.rollback() }
                try database.beginTransaction(.deferred)
                return try body(database)
            }
        } catch {
            throw Self.translate(error, file, operation)
        }
    }

    /// Runs `body` in one transaction: all of it is written, or nothing.
    ///
    /// - Parameter durable: waits until the disk has it, else a power cut may take this commit and
    ///   later ones back (never a part, never an earlier one):
    ///   <https://www.sqlite.org/pragma.html#pragma_synchronous>.
    func write<Result>(
        _ operation: String,
        durable: Bool,
        _ body: (GRDB.Database) throws -> Result
    ) throws(StateError) -> Result {
        do {
            return try queue.writeWithoutTransaction { database in
                if database.isInsideTransaction { try database.rollback() }
                try synchronise(database, durable: durable)
                // Nothing to do after COMMIT; else the error to tell is the first one, and the next
                // access ends what a failed ROLLBACK leaves open.
                defer { try? database.rollback() }
                try database.beginTransaction(.immediate)
                let result = try body(database)
                try database.commit()
                return result
            }
        } catch {
            throw Self.translate(error, file, operation)
        }
    }

    private var isDurable: Bool?

    /// Outside of a transaction only: "the safety level may not be changed inside a transaction".
    private func synchronise(_ database: GRDB.Database, durable: Bool) throws {
        guard isDurable != durable else { return }
        isDurable = nil
        try database.execute(sql: "PRAGMA synchronous = \(durable ? "FULL" : "NORMAL")")
        isDurable = durable
    }

    /// Moves the log's pages into the file. False if that failed: nothing is lost, the log stays,
    /// and the next checkpoint tries again.
    func checkpoint() -> Bool {
        do {
            try queue.writeWithoutTransaction { database in
                _ = try database.checkpoint(.passive)
            }
            return true
        } catch {
            return false
        }
    }

    /// Makes the file ready to be written: write-ahead log, and tables as `schema` wants them.
    ///
    /// Called after `version` found that the file is ours.
    ///
    /// - Parameter create: needed when `version` is 0.
    func prepare(
        _ schema: Schema,
        from version: Int,
        create: StateStore.Creation?
    ) throws(StateError) {
        do {
            try queue.writeWithoutTransaction { database in
                // 64 MiB: what a burst leaves of the log on disk for later ones to write over.
                try database.execute(
                    sql: "PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 67108864"
                )
                gauge.watch(database)
            }
        } catch {
            throw Self.translate(error, file, "open the state")
        }
        guard version < schema.version else { return }
        try write("bring the state from version \(version) to \(schema.version)", durable: true) {
            database in
            for step in schema.steps[version...] { try database.execute(sql: step) }
            // Both lie in the file's header and are part of the transaction.
            try database.execute(
                sql: """
                    PRAGMA application_id = \(Schema.applicationID);
                    PRAGMA user_version = \(schema.version);
                    """
            )
            guard version == 0, let create else { return }
            var random = SystemRandomNumberGenerator()
            let seed = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            try Self.setMeta(database, StateReader.seedKey, seed)
            let created = String(create.nowMicroseconds)
            try Self.setMeta(database, StateReader.createdKey, Array(created.utf8))
            try Self.setMeta(database, StateReader.hostKey, Array(create.host.utf8))
        }
    }

    static func setMeta(_ database: GRDB.Database, _ key: String, _ value: [UInt8]) throws {
        let put = try Prepared(database, "INSERT OR REPLACE INTO meta VALUES (?, ?, ?)")
        try put.bind(key, at: 1)
        try put.bind(RowDigest.named(key, value.span), at: 2)
        try put.bind(value.span, at: 3)
        try put.run()
    }

    /// The file's schema version, 0 if it is empty; refuses a foreign or a newer one.
    func version(_ schema: Schema) throws(StateError) -> Int {
        let (owner, found, tables) = try read("open the state") { database in
            (
                try Self.number(database, "PRAGMA application_id"),
                try Self.number(database, "PRAGMA user_version"),
                try Self.number(database, "SELECT count(*) FROM sqlite_master")
            )
        }
        if owner == 0, found == 0, tables == 0 { return 0 }
        guard owner == Schema.applicationID else {
            let text = "it is the SQLite file of another program (application_id \(owner))"
            throw StateError(.foreign, file, "open the state", .found(text))
        }
        guard found <= schema.version else {
            let text =
                "its version is \(found), this postern knows versions up to \(schema.version)"
            let code = StateError.Code.newer(found: Int(found), known: schema.version)
            throw StateError(code, file, "open the state", .found(text))
        }
        guard found > 0 else {
            throw damaged("open the state", "its version is \(found)")
        }
        return Int(found)
    }

    static func number(_ database: GRDB.Database, _ sql: String) throws -> Int64 {
        let statement = try Prepared(database, sql)
        defer { statement.reset() }
        return try statement.next() ? statement.int(0) : 0
    }

    // MARK: Errors

    /// What SQLite finds wrong in the whole file (<https://www.sqlite.org/pragma.html#pragma_quick_check>).
    func findings(limit: Int) throws(StateError) -> [String] {
        try read("check the state") { database in
            let rows = try Prepared(database, "PRAGMA quick_check(\(limit))")
            defer { rows.reset() }
            var findings: [String] = []
            while try rows.next() {
                let text = rows.text(0)
                if text != "ok" { findings.append(text) }
            }
            return findings
        }
    }

    /// A report of damage, with the first thing that a check of the whole file finds.
    ///
    /// Only opening does this: there the program stops anyway, and may take the time.
    func explained(_ error: StateError) -> StateError {
        guard error.code == .corrupt else { return error }
        guard case .sqlite(_, let message) = error.cause else { return error }
        guard let finding = try? findings(limit: 1).first else { return error }
        return StateError(.corrupt, error.path, error.operation, .found("\(message): \(finding)"))
    }

    func damaged(_ operation: String, _ text: String) -> StateError {
        StateError(.corrupt, file, operation, .found(text))
    }

    /// GRDB's and our own errors as ours.
    private static func translate(
        _ error: any Error,
        _ file: FilePath,
        _ operation: String
    ) -> StateError {
        if let error = error as? StateError { return error }
        guard let error = error as? DatabaseError else {
            return StateError(.unexpected, file, operation, .found("\(error)"))
        }
        let message = error.message ?? "no message"
        let code: StateError.Code =
            switch error.extendedResultCode {
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: .corrupt
            // "No such table", "no such column": SQLite has one code for all of them. Our SQL is
            // right (the tests run all of it), so the file is not as its version says.
            case .SQLITE_ERROR where message.hasPrefix("no such"): .corrupt
            case .SQLITE_ERROR where message.hasPrefix("malformed"): .corrupt
            case .SQLITE_FULL: .full
            case .SQLITE_READONLY: .readOnly
            case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH: .permissionDenied
            case .SQLITE_IOERR: .io
            case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_PROTOCOL: .busy
            case .SQLITE_TOOBIG: .tooLarge
            default: .unexpected
            }
        let cause = StateError.Cause.sqlite(
            code: error.extendedResultCode.rawValue,
            message: message
        )
        return StateError(code, file, operation, cause)
    }
}
