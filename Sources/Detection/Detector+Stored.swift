public import Findings
public import Records
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
            for number in groups[index].changedNumbers {
                let group = groups[index][number]
                var writer = BinaryWriter(reserving: 256)
                writer.write(UInt8(1))
                writer.write(group.serial)
                writer.write(UInt32(group.values.count))
                for value in group.values { writer.write(value) }
                group.window.write(to: &writer)
                writer.write(group.episode != nil)
                group.episode?.write(to: &writer)
                pieces.append(
                    DetectionPiece(kind: .group, key: closure + group.key, body: writer.bytes)
                )
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
            guard
                let index = correlations.firstIndex(where: { correlation in
                    piece.key.starts(with: correlation.closure)
                })
            else { return false }
            try restoreGroup(index, key: piece.key, from: &reader)
        }
        try reader.finish()
        return true
    }

    /// The alert that is open in a stored group, of whatever rule.
    public static func openAlert(inGroup body: [UInt8]) throws(BinaryReadError) -> AlertID? {
        var reader = BinaryReader(body)
        guard try reader.read(UInt8.self) == 1 else {
            throw BinaryReadError(offset: 0, expected: "a group of version 1")
        }
        _ = try reader.read(UInt64.self)
        for _ in 0..<(try reader.readCount(ofSize: 4)) { _ = try reader.readBytes() }
        _ = try Window(from: &reader, timespan: 1)
        guard try reader.readBool() else { return nil }
        let episode = try Episode(from: &reader)
        return episode.isOpen ? episode.id : nil
    }

    private mutating func restoreGroup(
        _ index: Int,
        key: [UInt8],
        from reader: inout BinaryReader
    ) throws(BinaryReadError) {
        guard try reader.read(UInt8.self) == 1 else {
            throw BinaryReadError(offset: 0, expected: "a group of version 1")
        }
        let serial = try reader.read(UInt64.self)
        var values: [[UInt8]] = []
        for _ in 0..<(try reader.readCount(ofSize: 4)) { values.append(try reader.readBytes()) }
        let window = try Window(from: &reader, timespan: correlations[index].timespan)
        let episode = try reader.readBool() ? try Episode(from: &reader) : nil
        for id in window.entries.map(\.held) + (episode?.events ?? []) {
            guard held[id] != nil else {
                throw BinaryReadError(offset: 0, expected: "the event \(id.rawValue)")
            }
            held.use(id)
        }
        let number = groups[index].insert(
            key: Array(key.dropFirst(correlations[index].closure.count)),
            values: values,
            serial: serial
        )
        groups[index].change(number) { group in
            group.window = window
            group.episode = episode
        }
    }

    /// Ends a restore: puts the groups in the order of their last events, sets the timers, and lets
    /// the events of groups go that are not there any more.
    public mutating func finishRestore() {
        for index in groups.indices {
            let numbers = groups[index].ordered.sorted { left, right in
                let (a, b) = (groups[index][left], groups[index][right])
                return (a.window.last ?? 0, a.serial) < (b.window.last ?? 0, b.serial)
            }
            for number in numbers {
                groups[index].change(number) { _ in }
                if let episode = groups[index][number].episode, episode.isOpen {
                    var alerts = OpenAlerts()
                    swap(&alerts, &openAlerts)
                    notePart(of: episode.events, index, number, in: &alerts)
                    swap(&alerts, &openAlerts)
                }
                let due = groups[index][number].due(
                    correlations[index],
                    lateness: limits.latenessMicroseconds
                )
                guard let due else { continue }
                timers.push(
                    TimerQueue.Timer(
                        due: due,
                        correlation: index,
                        group: groups[index][number].serial
                    )
                )
            }
            groups[index].clearChanges()
        }
        held.dropUnused()
    }

    // MARK: Bundles

    /// Puts the alert that was resolved before into the group of a bundle that is verified.
    public mutating func restore(prior: PriorEpisode, ruleID: String, group: [[UInt8]]) {
        guard let index = correlations.firstIndex(where: { $0.head.id == ruleID }) else { return }
        var key = BinaryWriter()
        for value in group { key.write(value) }
        let number =
            groups[index].number(key: key.bytes)
            ?? groups[index].insert(key: key.bytes, values: group)
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
