import GRDB
import GRDBSQLite

/// A prepared statement, with SQLite's own calls to bind values and read columns.
///
/// GRDB compiles and caches the statement and owns the connection; a row is read here because
/// GRDB's `Row` makes a `Data` per blob.
///
/// This file is the room's fence around pointers. It holds because
/// - the raw statement lives as long as `statement`, which is kept here, and GRDB finalizes it only
///   when the last reference goes;
/// - values are bound with `SQLITE_TRANSIENT`, so SQLite copies them before `bind` returns;
/// - a column's bytes are valid "until a type conversion occurs …, or until sqlite3_step() or
///   sqlite3_reset() or sqlite3_finalize() is called" (<https://www.sqlite.org/c3ref/column_blob.html>),
///   and they leave only as a span inside a closure, or as a copy;
/// - one connection is used by one thread at a time: all of it runs inside `DatabaseQueue`.
@safe
struct Prepared {
    private let database: GRDB.Database
    private let statement: GRDB.Statement
    private let raw: OpaquePointer

    /// Compiles `sql`, or takes the statement compiled before for the same text.
    init(_ database: GRDB.Database, _ sql: String) throws {
        self.database = database
        statement = try database.cachedStatement(sql: sql)
        unsafe raw = statement.sqliteStatement
        // Left in the middle of its rows by an error of its reader.
        _ = unsafe sqlite3_reset(raw)
    }

    // MARK: Binding, 1-based

    func bind(_ value: Int64, at index: Int32) throws {
        try check(unsafe sqlite3_bind_int64(raw, index, value))
    }

    func bind(_ bytes: Span<UInt8>, at index: Int32) throws {
        let code = unsafe bytes.withUnsafeBufferPointer { buffer in
            // A null pointer would bind NULL, and an empty span may have one.
            guard let start = buffer.baseAddress, buffer.count > 0 else {
                return unsafe sqlite3_bind_zeroblob(raw, index, 0)
            }
            return unsafe sqlite3_bind_blob64(
                raw,
                index,
                start,
                UInt64(buffer.count),
                Self.transient
            )
        }
        try check(code)
    }

    func bind(_ text: String, at index: Int32) throws {
        var text = text
        let code = text.withUTF8 { utf8 in
            // SAFETY: UInt8 and CChar have the same layout. An empty string has a pointer as well,
            // or binds as NULL, which no column of ours takes; hence the terminated literal.
            guard let start = utf8.baseAddress else {
                return unsafe sqlite3_bind_text(raw, index, "", 0, Self.transient)
            }
            return unsafe start.withMemoryRebound(to: CChar.self, capacity: utf8.count) { start in
                unsafe sqlite3_bind_text64(
                    raw,
                    index,
                    start,
                    UInt64(utf8.count),
                    Self.transient,
                    UInt8(SQLITE_UTF8)
                )
            }
        }
        try check(code)
    }

    func bind(_ text: String?, at index: Int32) throws {
        guard let text else { return try check(unsafe sqlite3_bind_null(raw, index)) }
        try bind(text, at: index)
    }

    // MARK: Running

    /// Steps to the next row; false at the end. Errors end the statement.
    func next() throws -> Bool {
        switch unsafe sqlite3_step(raw) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw failure(code)
        }
    }

    /// Runs a statement that gives no row, or whose rows nobody reads, and makes it ready to run
    /// again.
    func run() throws {
        defer { reset() }
        while try next() {}
    }

    /// Makes the statement ready to run again; its bindings stay.
    func reset() {
        // "sqlite3_reset(S) returns an appropriate error code" of the step before, which `next`
        // has thrown (<https://www.sqlite.org/c3ref/reset.html>).
        _ = unsafe sqlite3_reset(raw)
    }

    // MARK: Columns, 0-based

    func int(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(raw, column) }

    func isNull(_ column: Int32) -> Bool {
        unsafe sqlite3_column_type(raw, column) == SQLITE_NULL
    }

    func text(_ column: Int32) -> String {
        withBytes(column) { bytes in bytes.decodedText }
    }

    func bytes(_ column: Int32) -> [UInt8] {
        withBytes(column) { bytes in bytes.copied }
    }

    /// Calls `body` with the column's bytes, without a copy.
    func withBytes<Result>(
        _ column: Int32,
        _ body: (Span<UInt8>) throws -> Result
    ) rethrows
        -> Result
    {
        // The order matters: column_blob may convert, column_bytes then tells its length
        // (<https://www.sqlite.org/c3ref/column_blob.html>).
        let start = unsafe sqlite3_column_blob(raw, column)
        let count = Int(unsafe sqlite3_column_bytes(raw, column))
        guard let start = unsafe start, count > 0 else { return try body(Span()) }
        let buffer = unsafe UnsafeRawBufferPointer(start: start, count: count)
        return try unsafe buffer.withMemoryRebound(to: UInt8.self) { bytes in
            try body(unsafe bytes.span)
        }
    }

    // MARK: Errors

    private func check(_ code: Int32) throws {
        guard code != SQLITE_OK else { return }
        throw failure(code)
    }

    private func failure(_ code: Int32) -> DatabaseError {
        DatabaseError(resultCode: ResultCode(rawValue: code), message: database.lastErrorMessage)
    }

    /// `SQLITE_TRANSIENT`, a cast that Swift does not import: "SQLite makes its own private copy".
    private static var transient: sqlite3_destructor_type {
        unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    }
}

/// How many pages the write-ahead log holds after the latest commit, as SQLite tells.
///
/// Having this hook turns SQLite's own checkpoint at 1,000 pages off
/// (<https://www.sqlite.org/c3ref/wal_hook.html>), so that the store chooses its moment.
///
/// SAFETY: the counter is written by the hook only, on the thread that commits, and read by that
/// thread; it is freed after the connection, because `StateDatabase` closes first.
@safe
final class WALGauge {
    private let counter: UnsafeMutablePointer<Int32>

    init() {
        unsafe counter = .allocate(capacity: 1)
        unsafe counter.initialize(to: 0)
    }

    deinit { unsafe counter.deallocate() }

    var pages: Int { Int(unsafe counter.pointee) }

    func watch(_ database: GRDB.Database) {
        _ = unsafe sqlite3_wal_hook(
            database.sqliteConnection,
            { context, _, _, pages in
                unsafe context?.assumingMemoryBound(to: Int32.self).pointee = pages
                return SQLITE_OK
            },
            counter
        )
    }
}

extension Span<UInt8> {
    /// A copy of the bytes.
    var copied: [UInt8] {
        unsafe withUnsafeBufferPointer { buffer in unsafe Array(buffer) }
    }

    /// The bytes as text; what is not UTF-8 becomes U+FFFD.
    var decodedText: String {
        unsafe withUnsafeBufferPointer { buffer in unsafe String(decoding: buffer, as: UTF8.self) }
    }
}

extension [UInt8] {
    mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { buffer in unsafe append(contentsOf: buffer) }
    }
}
