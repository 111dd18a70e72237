/// What one commit writes, collected over a turn of the engine.
///
/// Bytes are copied into one arena, so collecting costs no allocation per piece once it has grown.
/// What is set later wins. A value that was committed is cleared with `removeAll` and used again;
/// one whose commit failed can be committed again as it is.
public struct Changes: Sendable {
    struct Piece: Sendable {
        var kind: PieceKind
        var key: Range<Int>
        /// Nothing: the piece is removed.
        var body: Range<Int>?
        /// Grows with each piece set.
        var place: Int
    }

    struct Named: Sendable {
        var name: String
        /// Nothing: the row is removed.
        var body: Range<Int>?
    }

    enum Mark: Sendable {
        case acknowledged(number: Int64)
        case failed(number: Int64, error: String, dueMicroseconds: Int64)
        case abandoned(number: Int64, error: String)
        case redelivered(number: Int64, dueMicroseconds: Int64)
        case rescheduled(number: Int64, dueMicroseconds: Int64)
        case combined(number: Int64, digest: String)
        case expired(sink: String, createdBefore: Int64, error: String)
    }

    struct Sealed: Sendable {
        var alert: String
        var sequence: Int64
        var bundle: String
    }

    struct Forgotten: Sendable {
        var status: String
        var changedBefore: Int64
        var limit: Int
    }

    private(set) var arena: [UInt8] = []
    private(set) var emptiedKinds: [PieceKind] = []
    private(set) var pieces: [Piece] = []
    private(set) var metas: [Named] = []
    private(set) var cursors: [Named] = []
    private(set) var alerts: [AlertRow] = []
    private(set) var transitions: [TransitionRow] = []
    private(set) var seals: [Sealed] = []
    private(set) var dispatches: [NewDispatch] = []
    private(set) var marks: [Mark] = []
    private(set) var forgotten: [Forgotten] = []
    private(set) var removedAlerts: [String] = []
    /// Bytes of the bodies that the rows above bring with them.
    private var rowBytes = 0

    public init() {}

    /// Bytes collected: keys, bodies and JSON. The caller commits before this grows too large.
    public var byteCount: Int { arena.count + rowBytes }

    /// Rows to be written, removed or marked.
    public var count: Int {
        emptiedKinds.count + pieces.count + metas.count + cursors.count + alerts.count
            + transitions.count + seals.count + dispatches.count + marks.count + forgotten.count
            + removedAlerts.count
    }

    public var isEmpty: Bool { count == 0 }

    /// Starts anew, keeping the memory.
    public mutating func removeAll() {
        arena.removeAll(keepingCapacity: true)
        emptiedKinds.removeAll(keepingCapacity: true)
        pieces.removeAll(keepingCapacity: true)
        metas.removeAll(keepingCapacity: true)
        cursors.removeAll(keepingCapacity: true)
        alerts.removeAll(keepingCapacity: true)
        transitions.removeAll(keepingCapacity: true)
        seals.removeAll(keepingCapacity: true)
        dispatches.removeAll(keepingCapacity: true)
        marks.removeAll(keepingCapacity: true)
        forgotten.removeAll(keepingCapacity: true)
        removedAlerts.removeAll(keepingCapacity: true)
        rowBytes = 0
    }

    // MARK: Pieces

    /// Puts a piece in, or in place of the one with the same kind and key.
    public mutating func setPiece(_ kind: PieceKind, key: Span<UInt8>, body: Span<UInt8>) {
        pieces.append(Piece(kind: kind, key: copy(key), body: copy(body), place: pieces.count))
    }

    /// Takes a piece out, if it is there.
    public mutating func removePiece(_ kind: PieceKind, key: Span<UInt8>) {
        pieces.append(Piece(kind: kind, key: copy(key), body: nil, place: pieces.count))
    }

    /// Takes all pieces of a kind out, also those set before in these changes.
    public mutating func removeAllPieces(_ kind: PieceKind) {
        pieces.removeAll { $0.kind == kind }
        emptiedKinds.append(kind)
    }

    // MARK: Cursors and named values

    /// Where reading `source` resumes.
    public mutating func setCursor(_ source: String, body: Span<UInt8>) {
        cursors.append(Named(name: source, body: copy(body)))
    }

    public mutating func removeCursor(_ source: String) {
        cursors.append(Named(name: source, body: nil))
    }

    /// A named value of the whole folder, such as a version of a room's bytes.
    ///
    /// - Precondition: `key` does not begin with "state.", which is for this room.
    public mutating func setMeta(_ key: String, _ value: Span<UInt8>) {
        precondition(!key.hasPrefix(StateReader.ownMetaPrefix))
        metas.append(Named(name: key, body: copy(value)))
    }

    public mutating func removeMeta(_ key: String) {
        precondition(!key.hasPrefix(StateReader.ownMetaPrefix))
        metas.append(Named(name: key, body: nil))
    }

    // MARK: Alerts

    /// The alert's latest form. One with a lower sequence than the stored one is left out.
    public mutating func setAlert(_ alert: AlertRow) {
        rowBytes += alert.body.count
        alerts.append(alert)
    }

    /// A step in an alert's history. One that is there already stays as it was sent.
    public mutating func addTransition(_ transition: TransitionRow) {
        rowBytes += transition.body.count
        transitions.append(transition)
    }

    /// Names the bundle of a step whose sealing had failed at first.
    public mutating func setBundle(_ bundle: String, alert: String, sequence: Int64) {
        seals.append(Sealed(alert: alert, sequence: sequence, bundle: bundle))
    }

    /// Removes up to `limit` alerts of `status` that changed before a time, the oldest first, with
    /// their transitions and with their dispatches that are not waiting.
    public mutating func forgetAlerts(
        status: String,
        changedBeforeMicroseconds: Int64,
        limit: Int
    ) {
        precondition(limit >= 0)
        forgotten.append(
            Forgotten(status: status, changedBefore: changedBeforeMicroseconds, limit: limit)
        )
    }

    /// Removes one alert as ``forgetAlerts(status:changedBeforeMicroseconds:limit:)`` does.
    public mutating func removeAlert(_ id: String) { removedAlerts.append(id) }

    // MARK: Outbox

    /// Puts a dispatch into the outbox, unless it was ever there.
    public mutating func addDispatch(_ dispatch: NewDispatch) {
        rowBytes += dispatch.body.count
        dispatches.append(dispatch)
    }

    /// The sink's yes. Counts as an attempt.
    public mutating func markAcknowledged(_ number: Int64) {
        marks.append(.acknowledged(number: number))
    }

    /// One attempt failed; the next is due at a time.
    public mutating func markFailed(_ number: Int64, error: String, dueMicroseconds: Int64) {
        marks.append(.failed(number: number, error: error, dueMicroseconds: dueMicroseconds))
    }

    /// A waiting dispatch is due at another time.
    public mutating func reschedule(_ number: Int64, dueMicroseconds: Int64) {
        marks.append(.rescheduled(number: number, dueMicroseconds: dueMicroseconds))
    }

    /// No further attempt, until somebody asks for it with `redeliver`.
    public mutating func abandon(_ number: Int64, error: String) {
        marks.append(.abandoned(number: number, error: error))
    }

    /// No further attempt for what waits for a sink since before a time.
    public mutating func abandonAll(
        of sink: String,
        createdBeforeMicroseconds: Int64,
        error: String
    ) {
        marks.append(
            .expired(sink: sink, createdBefore: createdBeforeMicroseconds, error: error)
        )
    }

    /// An abandoned dispatch waits again, with its attempts counted anew.
    public mutating func redeliver(_ number: Int64, dueMicroseconds: Int64) {
        marks.append(.redelivered(number: number, dueMicroseconds: dueMicroseconds))
    }

    /// A waiting dispatch goes out within another one, a digest, which is added in these same
    /// changes.
    public mutating func combine(_ number: Int64, into digest: String) {
        marks.append(.combined(number: number, digest: digest))
    }

    /// The pieces in the order of their kind and key, of each the one set last.
    ///
    /// In this order a commit goes through the table's pages once. Written as they came, a million
    /// pieces in commits of 50,000 took 47 µs each, so 17 µs (2 busy cores): a page was read back
    /// for each.
    func sortedPieces() -> [Piece] {
        let arena = arena.span
        var sorted = pieces
        // The sort is stable in fact but not by contract, so the arena's order decides the rest:
        // it is the order of setting.
        sorted.sort { left, right in
            if left.kind != right.kind { return left.kind < right.kind }
            let order = arena.order(left.key, right.key)
            return order == 0 ? left.place < right.place : order < 0
        }
        var unique: [Piece] = []
        unique.reserveCapacity(sorted.count)
        for piece in sorted {
            if let last = unique.last, last.kind == piece.kind,
                arena.order(last.key, piece.key) == 0
            {
                unique[unique.count - 1] = piece
            } else {
                unique.append(piece)
            }
        }
        return unique
    }

    private mutating func copy(_ bytes: Span<UInt8>) -> Range<Int> {
        let start = arena.count
        arena.append(bytes)
        return start..<arena.count
    }
}

extension Span<UInt8> {
    /// How two stretches compare as SQLite compares blobs: byte by byte, the shorter one first.
    /// Negative, zero or positive.
    fileprivate func order(_ left: Range<Int>, _ right: Range<Int>) -> Int {
        let common = Swift.min(left.count, right.count)
        var offset = 0
        while offset < common {
            let first = self[left.lowerBound + offset]
            let second = self[right.lowerBound + offset]
            if first != second { return Int(first) - Int(second) }
            offset += 1
        }
        return left.count - right.count
    }
}
