import GRDB

extension StateReader {
    /// Calls `body` with each piece of a kind, in the order of the keys' bytes, without a copy.
    ///
    /// The spans are SQLite's memory. `body` returns false to stop, and must not use this store. At
    /// the end of all of them their number and digests are checked against the tally.
    ///
    /// - Throws: `corrupt` when a piece is not as it was written, or one is missing; `body` has then
    ///   seen pieces that must not be used.
    public func forEachPiece(
        _ kind: PieceKind,
        _ body: (_ key: Span<UInt8>, _ body: Span<UInt8>) -> Bool
    ) throws(StateError) {
        let operation = "read the pieces of kind \(kind.rawValue)"
        try database.read(operation) { connection in
            let kind = Int64(kind.rawValue)
            var tally = try Tally(connection, kind)
            let rows = try Prepared(
                connection,
                "SELECT key, digest, body FROM piece WHERE kind = ? ORDER BY key"
            )
            defer { rows.reset() }
            try rows.bind(kind, at: 1)
            while try rows.next() {
                let digest = rows.int(1)
                tally.remove(digest)
                let goesOn = try rows.withBytes(0) { key in
                    try rows.withBytes(2) { bytes in
                        guard RowDigest.piece(kind, key, bytes) == digest else {
                            throw database.damaged(operation, "a piece changed")
                        }
                        return body(key, bytes)
                    }
                }
                guard goesOn else { return }
            }
            guard tally.isEmpty else {
                throw database.damaged(operation, "pieces are missing")
            }
        }
    }

    /// One piece, if it is there.
    ///
    /// - Throws: `corrupt` when it is not as it was written.
    public func piece(_ kind: PieceKind, key: Span<UInt8>) throws(StateError) -> [UInt8]? {
        let key = key.copied
        let operation = "read a piece of kind \(kind.rawValue)"
        return try database.read(operation) { connection in
            let kind = Int64(kind.rawValue)
            let rows = try Prepared(
                connection,
                "SELECT digest, body FROM piece WHERE kind = ? AND key = ?"
            )
            defer { rows.reset() }
            try rows.bind(kind, at: 1)
            try rows.bind(key.span, at: 2)
            guard try rows.next() else { return nil }
            let body = rows.bytes(1)
            guard RowDigest.piece(kind, key.span, body.span) == rows.int(0) else {
                throw database.damaged(operation, "a piece changed")
            }
            return body
        }
    }

    /// How many pieces of a kind there are. O(1).
    public func pieceCount(_ kind: PieceKind) throws(StateError) -> Int {
        try database.read("count the pieces") { connection in
            Int(try Tally(connection, Int64(kind.rawValue)).pieces)
        }
    }
}

/// How many pieces of one kind there are, and the wrapping sum of their digests.
struct Tally: Equatable {
    private(set) var pieces: Int64 = 0
    private(set) var digests: Int64 = 0

    init() {}

    /// What was committed; zero for a kind that never was.
    init(_ connection: GRDB.Database, _ kind: Int64) throws {
        let rows = try Prepared(connection, "SELECT pieces, digests FROM tally WHERE kind = ?")
        defer { rows.reset() }
        try rows.bind(kind, at: 1)
        guard try rows.next() else { return }
        pieces = rows.int(0)
        digests = rows.int(1)
    }

    var isEmpty: Bool { self == Tally() }

    mutating func add(_ digest: Int64) {
        pieces &+= 1
        digests &+= digest
    }

    mutating func remove(_ digest: Int64) {
        pieces &-= 1
        digests &-= digest
    }

    func save(_ connection: GRDB.Database, _ kind: Int64) throws {
        let put = try Prepared(connection, "INSERT OR REPLACE INTO tally VALUES (?, ?, ?)")
        try put.bind(kind, at: 1)
        try put.bind(pieces, at: 2)
        try put.bind(digests, at: 3)
        try put.run()
    }
}
