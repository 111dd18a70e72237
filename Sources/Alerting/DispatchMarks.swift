public import State

/// What sinks answered since the last call of ``Dispatcher/takeMarks()``: for the engine's thread
/// to commit and then to give to ``Dispatcher/committed(_:)``.
public struct DispatchMarks: Sendable {
    struct Entry: Sendable {
        /// Of the sink.
        var name: String
        var mark: DispatchMark
    }
    var entries: [Entry] = []

    public init() {}

    public mutating func append(_ later: DispatchMarks) { entries += later.entries }

    public mutating func removeAll() { entries.removeAll() }

    /// Dispatches of a sink that these answer.
    func numbers(of sink: String) -> [Int64] {
        entries.filter { $0.name == sink }.flatMap(\.mark.numbers)
    }

    public var isEmpty: Bool { entries.isEmpty }
    public var count: Int { entries.count }

    /// Adds the marks to what the next commit writes. They are lost by a crash before it, and then
    /// the same alerts are sent again: they need no durable commit.
    public func add(to changes: inout Changes) {
        for entry in entries {
            let mark = entry.mark
            switch mark.change {
            case .none: break
            case .acknowledged: changes.markAcknowledged(mark.number)
            case .failed(let due):
                changes.markFailed(mark.number, error: mark.error, dueMicroseconds: due)
            case .abandoned: changes.abandon(mark.number, error: mark.error)
            case .combined:
                guard let digest = mark.digest else { continue }
                changes.addDispatch(digest)
                for number in mark.combined { changes.combine(number, into: digest.alert) }
            }
            if let bound = mark.expiredBefore {
                changes.abandonAll(
                    of: entry.name,
                    createdBeforeMicroseconds: bound,
                    error: mark.error
                )
            }
        }
    }

    /// What came of the attempts at these alerts: whether it was taken, and what was said.
    public func answers(of alerts: Set<String>) -> [Answer] {
        entries.compactMap { entry in
            guard let alert = entry.mark.alert, alerts.contains(alert) else { return nil }
            return Answer(
                alert: alert,
                sink: entry.name,
                number: entry.mark.number,
                isTaken: entry.mark.change == .acknowledged,
                words: entry.mark.error
            )
        }
    }

    public struct Answer: Sendable, Hashable {
        public var alert: String
        public var sink: String
        public var number: Int64
        public var isTaken: Bool
        public var words: String
    }

    /// Abandons what waits for sinks that the settings no longer name; at most `limit` of them, so
    /// it is called again until nothing is left.
    ///
    /// - Returns: how many dispatches it was.
    public static func abandonOthers(
        than sinks: [String],
        in reader: StateReader,
        limit: Int = 1_000,
        to changes: inout Changes
    ) throws(StateError) -> Int {
        let known = Set(sinks)
        var count = 0
        var after: Int64 = 0
        while count < limit {
            let rows = try reader.undelivered(after: after, limit: 500)
            guard let last = rows.last else { break }
            after = last.number
            for row in rows where row.state == .waiting && !known.contains(row.sink) {
                changes.abandon(row.number, error: "the settings no longer name this sink")
                count += 1
                if count == limit { break }
            }
        }
        return count
    }

    /// Brings forward what would wait for a clock that was set back, before the sinks' threads start.
    public static func bringForward(
        in reader: StateReader,
        nowMicroseconds now: Int64,
        limits: DispatchLimits = DispatchLimits(),
        to changes: inout Changes
    ) throws(StateError) {
        var after: Int64 = 0
        while true {
            let rows = try reader.undelivered(after: after, limit: 500)
            guard let last = rows.last else { return }
            after = last.number
            for row in rows where row.state == .waiting {
                let due = DispatchState.dueAfterStart(
                    attempts: row.attempts,
                    createdMicroseconds: row.createdMicroseconds,
                    dueMicroseconds: row.dueMicroseconds,
                    nowMicroseconds: now,
                    retryMicrosecondsMax: limits.retryMicrosecondsMax
                )
                if due != row.dueMicroseconds {
                    changes.reschedule(row.number, dueMicroseconds: due)
                }
            }
        }
    }
}
