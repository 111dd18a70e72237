import Findings
import Records

/// An alert of one rule for one group, from its opening to its resolution and the silence after it.
///
/// The state machine of an alert: ``State`` says which transitions are possible; who holds it turns
/// them into findings.
struct Episode: Sendable {
    enum State: Sendable, Equatable {
        case open
        /// A match until then reopens the alert, later ones open a new one.
        case resolved(microseconds: Int64)
    }

    var state = State.open
    let id: AlertID
    /// The sequence of the last transition.
    var sequence = 0
    var start: Int64
    var end: Int64
    /// The last event after which the condition held.
    var lastMatch: Int64
    /// The last transition that told of growth.
    var lastUpdate: Int64
    /// At this count the next update is due.
    var nextUpdateCount: Int
    /// Distinct values of the episode, or events where none are counted.
    var count = 0
    var values: Set<UInt64> = []
    /// The events that are its proof; kept alive by the episode.
    var events: [HeldID] = []
    var eventsLeftOut = 0
    var degraded: [String] = []
    /// How it stood before it was reopened; nil if it never was.
    var prior: PriorEpisode?

    init(id: AlertID, start: Int64, match: Int64, threshold: Int) {
        self.id = id
        self.start = start
        end = match
        lastMatch = match
        lastUpdate = match
        nextUpdateCount = max(2, threshold * 2)
    }

    var isOpen: Bool { state == .open }

    /// When it resolves if nothing more comes; nil once resolved.
    func resolveTime(_ quiet: Int64) -> Int64? {
        isOpen ? lastMatch + quiet : nil
    }

    mutating func degrade(_ reason: String) {
        if !degraded.contains(reason) { degraded.append(reason) }
    }

    // MARK: Stored form

    func write(to writer: inout BinaryWriter) {
        switch state {
        case .open:
            writer.write(false)
        case .resolved(let microseconds):
            writer.write(true)
            writer.write(microseconds)
        }
        writer.write(id.description)
        writer.write(Int64(sequence))
        writer.write(start)
        writer.write(end)
        writer.write(lastMatch)
        writer.write(lastUpdate)
        writer.write(Int64(nextUpdateCount))
        writer.write(Int64(count))
        writer.write(UInt32(values.count))
        for value in values.sorted() { writer.write(value) }
        writer.write(UInt32(events.count))
        for event in events { writer.write(event.rawValue) }
        writer.write(Int64(eventsLeftOut))
        writer.write(UInt32(degraded.count))
        for reason in degraded { writer.write(reason) }
        writer.write(prior != nil)
        writer.write(Int64(prior?.sequence ?? 0))
        writer.write(prior?.resolvedMicroseconds ?? 0)
    }

    init(from reader: inout BinaryReader) throws(BinaryReadError) {
        var state = State.open
        if try reader.readBool() { state = .resolved(microseconds: try reader.read(Int64.self)) }
        guard let id = AlertID(try reader.readString()) else {
            throw BinaryReadError(offset: 0, expected: "an AlertID")
        }
        self.id = id
        self.state = state
        sequence = Int(try reader.read(Int64.self))
        start = try reader.read(Int64.self)
        end = try reader.read(Int64.self)
        lastMatch = try reader.read(Int64.self)
        lastUpdate = try reader.read(Int64.self)
        nextUpdateCount = Int(try reader.read(Int64.self))
        count = Int(try reader.read(Int64.self))
        for _ in 0..<(try reader.readCount(ofSize: 8)) {
            values.insert(try reader.read(UInt64.self))
        }
        for _ in 0..<(try reader.readCount(ofSize: 8)) {
            events.append(HeldID(try reader.read(UInt64.self)))
        }
        eventsLeftOut = Int(try reader.read(Int64.self))
        for _ in 0..<(try reader.readCount(ofSize: 4)) {
            degraded.append(try reader.readString())
        }
        let hasPrior = try reader.readBool()
        let priorSequence = try reader.read(Int64.self)
        let priorResolved = try reader.read(Int64.self)
        if hasPrior {
            prior = PriorEpisode(
                id: id,
                sequence: Int(priorSequence),
                resolvedMicroseconds: priorResolved
            )
        }
    }
}
