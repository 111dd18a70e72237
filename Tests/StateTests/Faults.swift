import GRDB
import GRDBSQLite

@testable import State

/// Breaks one statement off at a certain call of SQLite's progress handler.
///
/// SQLite asks at the start and end of each statement and at its jumps, a few times a row. Calls
/// outside of a transaction do not count: SQLite asks once more when COMMIT is done, and would then
/// report as broken off what is on disk.
///
/// SAFETY: the handler runs on the thread that uses the connection, inside `during`, which keeps
/// this object alive and takes the handler away before it returns.
@safe
private final class Fault {
    private var callsLeft: Int
    private var connection: OpaquePointer?

    init(_ calls: Int) { callsLeft = calls }

    private func breaksOff() -> Bool {
        guard unsafe sqlite3_get_autocommit(connection) == 0 else { return false }
        callsLeft -= 1
        // Once only: what comes after it is the way back.
        return callsLeft == 0
    }

    func during(_ queue: DatabaseQueue, _ body: () throws -> Void) rethrows {
        queue.writeWithoutTransaction { connection in
            unsafe self.connection = connection.sqliteConnection
            unsafe sqlite3_progress_handler(
                connection.sqliteConnection,
                1,
                { context in
                    guard let context = unsafe context else { return 0 }
                    let fault = unsafe Unmanaged<Fault>.fromOpaque(context).takeUnretainedValue()
                    return fault.breaksOff() ? 1 : 0
                },
                Unmanaged.passUnretained(self).toOpaque()
            )
        }
        defer {
            queue.writeWithoutTransaction { connection in
                unsafe sqlite3_progress_handler(connection.sqliteConnection, 0, nil, nil)
            }
        }
        try withExtendedLifetime(self) { try body() }
    }
}

extension StateStore {
    /// Commits, but has SQLite break off at a certain call of its progress handler.
    ///
    /// - Returns: whether the commit came through, as it was done before that.
    func commit(_ changes: Changes, brokenOffAfter calls: Int) -> Bool {
        let fault = Fault(calls)
        var error: StateError?
        fault.during(database.queue) {
            error = stateError { () throws(StateError) in
                _ = try self.commit(changes, durable: false)
            }
        }
        return error == nil
    }

    /// Lets the file grow to no more than so many pages of 4 KiB, as on a full disk.
    func limitPages(_ pages: Int) throws {
        try database.queue.writeWithoutTransaction { connection in
            try connection.execute(sql: "PRAGMA max_page_count = \(pages)")
        }
    }
}
