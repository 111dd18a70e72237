import Records

/// What the log said of a connection, before or beside the messages that came by it: some servers
/// write the login on a line of the connection's own (Sendmail, OpenSMTPD).
struct Session: Sendable, Equatable {
    var key: UInt64
    /// Order of opening; tells this use of the key from earlier ones.
    var serial: UInt64
    /// When it began, or was used.
    var microseconds: Int64
    var clientIP: [UInt8] = []
    var clientName: [UInt8] = []
    /// Empty: nobody logged in.
    var login: [UInt8] = []
}

/// The open connections, bounded: at the limit the oldest leaves.
struct SessionTable: Sendable {
    /// Connections that are remembered at most.
    static let countMax = 65_536
    /// A text of a connection is cut here.
    static let textBytesMax = 1_024

    private var sessions: [UInt64: Session] = [:]
    /// Keys in the order of opening, with the serials that they had then.
    private var order: [(key: UInt64, serial: UInt64)] = []
    private var orderFirst = 0
    private var nextSerial: UInt64 = 1
    /// Keys of what is to be stored again, in the order of the changes; empty if nobody stores.
    private(set) var changed: [UInt64] = []
    private let tracksChanges: Bool

    init(tracksChanges: Bool) { self.tracksChanges = tracksChanges }

    var count: Int { sessions.count }

    /// The session of a key, unless it was used last longer ago than `ageMax`: microseconds.
    func find(_ key: UInt64, now: Int64, ageMax: Int64) -> Session? {
        guard key != 0, let session = sessions[key], now - session.microseconds <= ageMax else {
            return nil
        }
        return session
    }

    /// Enters a session, in place of an earlier one of the same key.
    mutating func open(_ key: UInt64, microseconds: Int64) {
        sessions[key] = Session(key: key, serial: nextSerial, microseconds: microseconds)
        order.append((key, nextSerial))
        nextSerial += 1
        if tracksChanges { changed.append(key) }
        while sessions.count > Self.countMax, orderFirst < order.count {
            let (oldest, serial) = order[orderFirst]
            orderFirst += 1
            if sessions[oldest]?.serial == serial { remove(oldest) }
        }
        if orderFirst > 1_024 || order.count > 4 * Self.countMax {
            order.removeSubrange(0..<orderFirst)
            orderFirst = 0
            order.removeAll { sessions[$0.key]?.serial != $0.serial }
        }
    }

    /// Changes a session; one that is not there is opened.
    mutating func update(_ key: UInt64, microseconds: Int64, _ change: (inout Session) -> Void) {
        if sessions[key] == nil { open(key, microseconds: microseconds) }
        guard let before = sessions[key] else { return }
        var session = before
        change(&session)
        guard session != before else { return }
        sessions[key] = session
        if tracksChanges { changed.append(key) }
    }

    /// Says that a session was still used, at most every ten minutes: each time it is stored again.
    mutating func touch(_ key: UInt64, microseconds: Int64) {
        guard let session = sessions[key], microseconds - session.microseconds > 600_000_000 else {
            return
        }
        update(key, microseconds: microseconds) { $0.microseconds = microseconds }
    }

    mutating func remove(_ key: UInt64) {
        guard sessions.removeValue(forKey: key) != nil else { return }
        if tracksChanges { changed.append(key) }
    }

    // MARK: Stored form

    /// The sessions that changed since the last call; without body those that are gone.
    mutating func takeChanges() -> [AssemblerPiece] {
        defer { changed.removeAll(keepingCapacity: true) }
        var seen: Set<UInt64> = []
        return changed.filter { seen.insert($0).inserted }.map { key in
            var name = BinaryWriter(reserving: 8)
            name.write(key)
            guard let session = sessions[key] else {
                return AssemblerPiece(kind: .session, key: name.bytes, body: nil)
            }
            var body = BinaryWriter(reserving: 128)
            body.write(UInt8(1))
            body.write(session.key)
            body.write(session.serial)
            body.write(session.microseconds)
            body.write(session.clientIP)
            body.write(session.clientName)
            body.write(session.login)
            return AssemblerPiece(kind: .session, key: name.bytes, body: body.bytes)
        }
    }

    mutating func restore(_ bodies: [[UInt8]]) throws(BinaryReadError) {
        var restored: [Session] = []
        for body in bodies {
            var reader = BinaryReader(body)
            guard try reader.read(UInt8.self) == 1 else {
                throw BinaryReadError(offset: 0, expected: "a session of version 1")
            }
            var session = Session(
                key: try reader.read(UInt64.self),
                serial: try reader.read(UInt64.self),
                microseconds: try reader.read(Int64.self)
            )
            session.clientIP = try reader.readBytes()
            session.clientName = try reader.readBytes()
            session.login = try reader.readBytes()
            try reader.finish()
            restored.append(session)
        }
        restored.sort { $0.serial < $1.serial }
        for session in restored {
            sessions[session.key] = session
            order.append((session.key, session.serial))
            nextSerial = max(nextSerial, session.serial &+ 1)
        }
    }
}
