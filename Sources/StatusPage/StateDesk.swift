import Alerting
import Evidence
import Findings
import LinuxIO
import Pipeline
import Reports
import SafeText
import State
import SystemPackage

/// Reads the state for the page, on a connection of its own, one question at a time: the engine writes
/// meanwhile and waits for nothing (SQLite's WAL).
actor StateDesk {
    private let folder: FilePath
    private let pseudonyms: Pseudonyms?
    private var store: StateReader?
    /// The latest details, by alert and its sequence: bundles are opened once.
    private var details: [(key: String, bytes: [UInt8])] = []
    private var outbox: (at: UInt64, rows: [OutboxSink])?
    private var levels: (at: UInt64, counts: [String: Int])?
    private var days: (at: UInt64, rows: [[UInt8]])?

    private static let detailsMax = 8
    /// What takes more than an index is asked once in so long, however many ask.
    private static let staleNanoseconds: UInt64 = 2_000_000_000
    private static let eventsMax = 2_000
    static let pageMax = 200

    init(folder: FilePath, pseudonyms: Pseudonyms?) {
        self.folder = folder
        self.pseudonyms = pseudonyms
    }

    private func open() throws(StateError) -> StateReader {
        if let store { return store }
        let fresh = try StateReader(folder: folder)
        store = fresh
        return fresh
    }

    // MARK: Alerts

    /// One page of alerts, those that changed last first.
    ///
    /// - Parameters:
    ///   - status: `open` or `resolved`; nil: both.
    ///   - cursor: as the page before gave it.
    /// - Returns: nil when the cursor is none.
    func alerts(status: String?, cursor: String?, limit: Int) throws -> [UInt8]? {
        var after: (changed: Int64, id: String)?
        if let cursor {
            let parts = cursor.split(separator: "_", maxSplits: 1)
            guard parts.count == 2, let changed = Int64(parts[0]), AlertID(String(parts[1])) != nil
            else { return nil }
            after = (changed, String(parts[1]))
        }
        let store = try open()
        let rows = try store.alerts(status: status, after: after, limit: limit + 1)
        let acknowledged = try store.acknowledgements()
        let silenced = try store.silenced()
        let items = rows.prefix(limit).map { row in
            item(
                row,
                acknowledged: acknowledged[row.id]?.last,
                isSilenced: silenced["\(row.id).\(row.sequence)"] != nil
            )
        }
        var object = JSONObjectWriter()
        object.member("alerts", json: LiveFigures.list(items))
        if rows.count > limit, let last = rows.prefix(limit).last {
            object.member("next", "\(last.changedMicroseconds)_\(last.id)")
        }
        return object.finished()
    }

    /// The alert as it was sent last, with how it stands.
    private func item(
        _ row: AlertRow,
        acknowledged: Acknowledgement?,
        isSilenced: Bool
    ) -> [UInt8] {
        let body = pseudonyms?.alert(row.body) ?? row.body
        guard let object = try? JSONObjectReader.read(body) else { return Array("{}".utf8) }
        var notes: [(name: String, value: JSONValue)] = [
            ("postern.status", .string(row.status)),
            ("postern.opened", .string(rfc3339(microseconds: row.openedMicroseconds))),
        ]
        if let acknowledged {
            notes.append(("postern.acknowledged_by", .string(acknowledged.author)))
            if pseudonyms == nil, let note = acknowledged.note {
                notes.append(("postern.acknowledged_note", .string(note)))
            }
        }
        if isSilenced { notes.append(("postern.silenced", .boolean(true))) }
        return object.replacing(notes)
    }

    /// An alert with its history, the messages of its bundles, and the names of these; nil when there
    /// is none of that ID.
    func alert(_ id: String) throws -> [UInt8]? {
        let store = try open()
        guard let row = try store.alert(id) else { return nil }
        let steps = try store.transitions(of: id)
        let said = try store.acknowledgements()[id]?.last
        let silenced = try store.silenced()["\(row.id).\(row.sequence)"] != nil
        let names = Set(steps.compactMap(\.bundle)).sorted().filter { name in
            // One that was pruned since has left a tombstone.
            (try? SystemCalls().status(of: folder.appending("evidence").appending(name))) != nil
        }
        var object = JSONObjectWriter()
        object.member(
            "alert",
            json: item(row, acknowledged: said, isSilenced: silenced)
        )
        object.member("steps", json: LiveFigures.list(steps.map(Self.step)))
        // Bundles hold names and raw lines.
        object.member("bundles", pseudonyms == nil ? names : [])
        object.member("has_pseudonyms", pseudonyms != nil)
        let later = try AlertEvents.read(id, in: store)
        object.member("is_sealed", later.isEmpty)
        let key = "\(id) \(row.sequence) \(names.joined(separator: " "))"
        if let known = details.first(where: { $0.key == key }) {
            object.member("events", json: known.bytes)
        } else {
            let events = events(row, names, later)
            details.append((key, events))
            if details.count > Self.detailsMax { details.removeFirst() }
            object.member("events", json: events)
        }
        return object.finished()
    }

    private static func step(_ row: TransitionRow) -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("action", row.action)
        object.member("time", rfc3339(microseconds: row.timeMicroseconds))
        object.member("count", (try? AlertFacts(json: row.body))?.count)
        object.member("bundle", row.bundle)
        return object.finished()
    }

    /// - Parameter later: events that no bundle has yet.
    private func events(_ row: AlertRow, _ names: [String], _ later: [UInt8]) -> [UInt8] {
        let path = folder.appending("evidence")
        let bundles = names.compactMap { name in
            try? BundleReader().open(path.appending(name))
        }
        guard let facts = try? AlertFacts(json: row.body) else { return Array("[]".utf8) }
        var incident = Incident(facts, steps: [], bundles: bundles, later: later)
        if let pseudonyms { incident = incident.withPseudonyms(pseudonyms) }
        return LiveFigures.list(
            incident.events.suffix(Self.eventsMax).map { event in
                var object = JSONObjectWriter()
                object.member("time", rfc3339(microseconds: event.microseconds))
                object.member("user.name", event.account)
                object.member("email.to.address", event.recipient)
                object.member("email.subject", event.subject)
                object.member("outcome", event.outcome.name)
                object.member("receipt", event.receipt)
                return object.finished()
            }
        )
    }

    /// The open alerts by the names of their levels.
    func openLevels() throws -> [String: Int] {
        let now = Clocks.monotonicNanoseconds()
        if let levels, now &- levels.at < Self.staleNanoseconds { return levels.counts }
        var counts: [String: Int] = [:]
        for row in try open().openSeverities() {
            counts[Severity(rawValue: row.severity)?.name ?? "other", default: 0] += row.count
        }
        levels = (now, counts)
        return counts
    }

    // MARK: Sinks

    /// What waits for each sink, and what was given up.
    func outboxBySink() throws -> [OutboxSink] {
        let now = Clocks.monotonicNanoseconds()
        if let outbox, now &- outbox.at < Self.staleNanoseconds { return outbox.rows }
        let rows = try open().countOutboxBySink()
        outbox = (now, rows)
        return rows
    }

    /// Each sink of the settings, with its part of the outbox.
    func sinks(_ figures: LiveFigures) throws -> [UInt8] {
        let rows = try outboxBySink()
        let items = figures.sinks.map { sink in
            let row = rows.first { $0.sink == sink.name } ?? OutboxSink(sink: sink.name)
            var object = JSONObjectWriter()
            object.member("name", sink.name)
            object.member("state", sink.state.rawValue)
            object.member("failures", sink.failures)
            object.member("error", sink.error)
            object.member("waiting", row.waiting)
            object.member("acknowledged", row.acknowledged)
            object.member("abandoned", row.abandoned)
            object.member(
                "oldest_waiting",
                row.oldestWaitingMicroseconds.map { rfc3339(microseconds: $0) }
            )
            return object.finished()
        }
        var object = JSONObjectWriter()
        object.member("sinks", json: LiveFigures.list(items))
        return object.finished()
    }

    // MARK: Continuity

    /// A page of the ledger, the latest day first: each day of each source with its gaps.
    ///
    /// - Parameter offset: how many days were given before.
    func continuity(offset: Int, limit: Int) throws -> [UInt8] {
        let rows = try allDays()
        var object = JSONObjectWriter()
        let page = rows.dropFirst(offset).prefix(limit)
        object.member("days", json: LiveFigures.list(Array(page)))
        if offset + page.count < rows.count { object.member("next", "\(offset + page.count)") }
        return object.finished()
    }

    private func allDays() throws -> [[UInt8]] {
        let now = Clocks.monotonicNanoseconds()
        if let days, now &- days.at < Self.staleNanoseconds { return days.rows }
        var ledger = Continuity()
        try ledger.restore(from: try open())
        let rows = ledger.allDays().reversed().map { day in
            guard let object = try? JSONObjectReader.read(day.json()) else {
                return Array("{}".utf8)
            }
            var writer = JSONObjectWriter()
            for member in object.members { writer.member(member.name, member.value) }
            writer.member("gap_list", json: LiveFigures.list(day.gapsJSON()))
            return writer.finished()
        }
        days = (now, rows)
        return rows
    }

    /// Bytes of the state's files, and of the bundles.
    func sizes() -> (state: UInt64, evidence: UInt64) {
        func size(_ path: FilePath) -> UInt64 {
            (try? SystemCalls().status(of: path))?.size ?? 0
        }
        let names = (try? SystemCalls().names(inFolder: folder)) ?? []
        let state = names.filter { $0.string.hasPrefix("postern.sqlite") }
            .reduce(UInt64(0)) { $0 + size(folder.appending($1)) }
        let bundles = (try? BundleStore(folder: folder.appending("evidence")).list()) ?? []
        return (state, bundles.reduce(0) { $0 + $1.byteCount })
    }
}
