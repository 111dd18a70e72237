public import Findings
public import Records
import Memory
import Sigma

/// One piece of the detector's state in its stored form.
public struct DetectionPiece: Sendable, Equatable {
    public enum Kind: UInt8, Sendable { case held, group, clock }
    public var kind: Kind
    public var key: [UInt8]
    /// Nil: the piece is gone.
    public var body: [UInt8]?

    public init(kind: Kind, key: [UInt8], body: [UInt8]?) {
        self.kind = kind
        self.key = key
        self.body = body
    }
}

/// The state of an alert that was resolved before the events of a bundle: what a reopened one needs
/// to come out under its own ID.
public struct PriorEpisode: Sendable, Equatable {
    public var id: AlertID
    public var sequence: Int
    public var resolvedMicroseconds: Int64

    public init(id: AlertID, sequence: Int, resolvedMicroseconds: Int64) {
        self.id = id
        self.sequence = sequence
        self.resolvedMicroseconds = resolvedMicroseconds
    }
}

extension Detector {
    // MARK: Stored form

    /// Bytes of a digest, with which a group's key begins.
    private static let closureByteCount = 32

    /// What changed since the last call. The memory gives its changes itself.
    public mutating func takeChanges() -> [DetectionPiece] {
        var pieces: [DetectionPiece] = []
        for (id, _) in held.released {
            pieces.append(DetectionPiece(kind: .held, key: Self.key(id), body: nil))
        }
        var seen: Set<HeldID> = []
        for id in held.changed where seen.insert(id).inserted {
            var writer = BinaryWriter(reserving: 512)
            guard held.write(id, to: &writer) else { continue }
            pieces.append(DetectionPiece(kind: .held, key: Self.key(id), body: writer.bytes))
        }
        held.clearChanges()
        for index in groups.indices {
            let closure = correlations[index].closure
            for key in groups[index].removed {
                pieces.append(DetectionPiece(kind: .group, key: closure + key, body: nil))
            }
            for number in groups[index].takeChanged() {
                let (key, body) = groups[index].stored(number)
                pieces.append(DetectionPiece(kind: .group, key: closure + key, body: body))
            }
            groups[index].clearChanges()
        }
        var clock = BinaryWriter(reserving: 8)
        clock.write(now)
        pieces.append(DetectionPiece(kind: .clock, key: [], body: clock.bytes))
        return pieces
    }

    private static func key(_ id: HeldID) -> [UInt8] {
        var writer = BinaryWriter(reserving: 8)
        writer.write(id.rawValue)
        return writer.bytes
    }

    /// Takes a stored piece in. Held events come first, groups after them; then
    /// ``finishRestore()``. Groups of rules that are not there any more, or not as they were, are
    /// given back as false: they are to be removed.
    public mutating func restore(_ piece: DetectionPiece) throws(BinaryReadError) -> Bool {
        guard let body = piece.body else { return false }
        var reader = BinaryReader(body)
        switch piece.kind {
        case .held:
            var key = BinaryReader(piece.key)
            try held.restore(HeldID(try key.read(UInt64.self)), from: &reader)
        case .clock:
            restoreClock(try reader.read(Int64.self))
        case .group:
            guard let index = numberOfClosure[Array(piece.key.prefix(Self.closureByteCount))]
            else { return false }
            try restoreGroup(index, key: piece.key, from: &reader)
        }
        try reader.finish()
        return true
    }

    /// The alert that is open in a stored group, of whatever rule.
    public static func openAlert(inGroup body: [UInt8]) throws(BinaryReadError) -> AlertID? {
        try CorrelationGroups.openAlert(inStored: body)
    }

    private mutating func restoreGroup(
        _ index: Int,
        key: [UInt8],
        from reader: inout BinaryReader
    ) throws(BinaryReadError) {
        let key = Array(key.dropFirst(correlations[index].closure.count))
        let hash = keyedHash(key, seed: memory.seed)
        // Taken out of `self`, of which the groups are changed meanwhile; nothing is copied.
        var events = HeldEvents()
        swap(&events, &held)
        defer { swap(&events, &held) }
        try groups[index].restore(key: key, hash: hash, from: &reader) { events.use($0) }
    }

    /// Ends a restore: puts the groups in the order of their last events, sets the timers, and lets
    /// the events of groups go that are not there any more.
    public mutating func finishRestore() {
        for index in groups.indices {
            groups[index].finishRestore()
            for number in groups[index].alertingNumbers {
                if let episode = groups[index][number].episode, episode.isOpen {
                    noteOpen(episode.events, index, number)
                }
                schedule(index, number)
            }
            waitForIdle(index)
        }
        held.dropUnused()
    }

    // MARK: Bundles

    /// Puts the alert that was resolved before into the group of a bundle that is verified.
    public mutating func restore(prior: PriorEpisode, ruleID: String, group: [[UInt8]]) {
        guard let index = correlations.firstIndex(where: { $0.head.id == ruleID }) else { return }
        var key = BinaryWriter()
        for value in group { key.write(value) }
        let hash = keyedHash(key.bytes, seed: memory.seed)
        let number =
            groups[index].number(key: key.bytes, hash: hash)
            ?? groups[index].insert(key: key.bytes, hash: hash)
        groups[index].change(number) { entry in
            var episode = Episode(
                id: prior.id,
                start: prior.resolvedMicroseconds,
                match: prior.resolvedMicroseconds,
                threshold: correlations[index].threshold
            )
            episode.sequence = prior.sequence
            episode.state = .resolved(microseconds: prior.resolvedMicroseconds)
            entry.episode = episode
        }
    }
}
