import GRDB

extension StateReader {
    /// Dispatches that `sink` should get now, at most `limit`: tests, then what was tried before, then
    /// the longest due. So what a sink that was away did not take goes before what came later.
    ///
    /// Order holds per alert: of one alert, only the waiting dispatch with the lowest sequence can
    /// be due, so a later step never overtakes one that is being tried again. Other alerts do not
    /// wait behind it.
    public func due(
        sink: String,
        nowMicroseconds: Int64,
        limit: Int
    ) throws(StateError) -> [Dispatch] {
        precondition(limit >= 0)
        var found: [Dispatch] = []
        // The index on due times gives each part without looking at the others.
        for part in [
            "due < 0 ORDER BY due, number",
            "due >= 0 AND attempts > 0 ORDER BY number",
            "due >= 0 AND attempts = 0 ORDER BY due, number",
        ] where found.count < limit {
            found += try dispatches(
                """
                WHERE state = 0 AND sink = ?1 AND due <= ?2 AND \(Self.isFirstOfItsAlert)
                    AND \(part) LIMIT ?3
                """
            ) { rows in
                try rows.bind(sink, at: 1)
                try rows.bind(nowMicroseconds, at: 2)
                try rows.bind(Int64(limit - found.count), at: 3)
            }
        }
        return found
    }

    /// Dispatches to `sink` that were held back at first and are due now, in the order of their numbers,
    /// at most `limit`. None of them is behind another that waits.
    public func held(
        sink: String,
        nowMicroseconds: Int64,
        limit: Int
    ) throws(StateError) -> [Dispatch] {
        precondition(limit >= 0)
        let isHeld = { (row: String) in
            "(\(row).due <= ?2 AND \(row).attempts = 0 AND \(row).due > \(row).created)"
        }
        return try dispatches(
            """
            WHERE state = 0 AND sink = ?1 AND \(isHeld("outbox")) AND NOT EXISTS (
                SELECT 1 FROM outbox AS earlier
                WHERE earlier.alert = outbox.alert AND earlier.sink = outbox.sink
                    AND earlier.sequence < outbox.sequence AND earlier.state = 0
                    AND NOT \(isHeld("earlier"))
            )
            ORDER BY number LIMIT ?3
            """
        ) { rows in
            try rows.bind(sink, at: 1)
            try rows.bind(nowMicroseconds, at: 2)
            try rows.bind(Int64(limit), at: 3)
        }
    }

    /// When `due` will next have something for `sink`, µs since 1970; nothing if none waits.
    public func nextDue(sink: String) throws(StateError) -> Int64? {
        try database.read("read the outbox") { connection in
            let rows = try Prepared(
                connection,
                """
                SELECT due FROM outbox
                WHERE state = 0 AND sink = ?1 AND \(Self.isFirstOfItsAlert)
                ORDER BY due LIMIT 1
                """
            )
            defer { rows.reset() }
            try rows.bind(sink, at: 1)
            return try rows.next() ? rows.int(0) : nil
        }
    }

    /// One dispatch, in whatever state, if it is remembered.
    public func dispatch(_ number: Int64) throws(StateError) -> Dispatch? {
        try dispatches("WHERE number = ?1") { rows in try rows.bind(number, at: 1) }.first
    }

    /// Dispatches that no sink has acknowledged, waiting or abandoned, the oldest first: at most
    /// `limit` with numbers above `after`.
    public func undelivered(after: Int64 = 0, limit: Int) throws(StateError) -> [Dispatch] {
        precondition(limit >= 0)
        return try dispatches("WHERE number > ?1 AND state <> 1 ORDER BY number LIMIT ?2") { rows in
            try rows.bind(after, at: 1)
            try rows.bind(Int64(limit), at: 2)
        }
    }

    /// The dispatches of one alert, step by step.
    public func dispatches(ofAlert alert: String) throws(StateError) -> [Dispatch] {
        try dispatches("WHERE alert = ?1 ORDER BY sequence, sink") { rows in
            try rows.bind(alert, at: 1)
        }
    }

    /// How full the outbox is. O(rows), which `StateLimits` bounds; `StateStore` knows it in O(1).
    public func countOutbox() throws(StateError) -> OutboxTotals {
        try database.read("count the outbox") { connection in
            // length() of a blob reads its header, not its bytes.
            let rows = try Prepared(
                connection,
                "SELECT state, count(*), total(length(body)) FROM outbox GROUP BY state"
            )
            defer { rows.reset() }
            var totals = OutboxTotals()
            while try rows.next() {
                let count = Int(rows.int(1))
                let bytes = Int(rows.int(2))
                switch Dispatch.Stage(rawValue: rows.int(0)) {
                case .waiting:
                    totals.waiting = count
                    totals.waitingBytes = bytes
                case .acknowledged:
                    totals.acknowledged = count
                case .abandoned:
                    totals.abandoned = count
                    totals.abandonedBytes = bytes
                case nil:
                    throw database.damaged("count the outbox", "a dispatch changed")
                }
            }
            return totals
        }
    }

    /// The same for each sink that has any, in the order of their names. O(rows).
    public func countOutboxBySink() throws(StateError) -> [OutboxSink] {
        try database.read("count the outbox") { connection in
            let rows = try Prepared(
                connection,
                """
                SELECT sink, state, count(*), min(created) FROM outbox
                GROUP BY sink, state ORDER BY sink
                """
            )
            defer { rows.reset() }
            var sinks: [OutboxSink] = []
            while try rows.next() {
                let name = rows.text(0)
                if sinks.last?.sink != name { sinks.append(OutboxSink(sink: name)) }
                let last = sinks.count - 1
                let count = Int(rows.int(2))
                switch Dispatch.Stage(rawValue: rows.int(1)) {
                case .waiting:
                    sinks[last].waiting = count
                    sinks[last].oldestWaitingMicroseconds = rows.int(3)
                case .acknowledged: sinks[last].acknowledged = count
                case .abandoned: sinks[last].abandoned = count
                case nil: throw database.damaged("count the outbox", "a dispatch changed")
                }
            }
            return sinks
        }
    }

    /// No dispatch of the same alert to the same sink waits with a lower sequence.
    private static let isFirstOfItsAlert = """
        NOT EXISTS (
            SELECT 1 FROM outbox AS earlier
            WHERE earlier.alert = outbox.alert AND earlier.sink = outbox.sink
                AND earlier.sequence < outbox.sequence AND earlier.state = 0
        )
        """

    private func dispatches(
        _ condition: String,
        _ bind: (Prepared) throws -> Void
    ) throws(StateError) -> [Dispatch] {
        try database.read("read the outbox") { connection in
            let rows = try Prepared(
                connection,
                """
                SELECT number, alert, sequence, sink, severity, digest, body, created, attempts,
                    due, state, error, notice
                FROM outbox \(condition)
                """
            )
            defer { rows.reset() }
            try bind(rows)
            var dispatches: [Dispatch] = []
            while try rows.next() {
                guard let state = Dispatch.Stage(rawValue: rows.int(10)) else {
                    throw database.damaged("read the outbox", "dispatch \(rows.int(0)) changed")
                }
                let row = Dispatch(
                    number: rows.int(0),
                    alert: rows.text(1),
                    sequence: rows.int(2),
                    sink: rows.text(3),
                    severity: Int(rows.int(4)),
                    isNotice: rows.int(12) != 0,
                    body: rows.bytes(6),
                    createdMicroseconds: rows.int(7),
                    attempts: Int(rows.int(8)),
                    dueMicroseconds: rows.int(9),
                    state: state,
                    error: rows.isNull(11) ? nil : rows.text(11)
                )
                guard state == .acknowledged || row.digest == rows.int(5) else {
                    throw database.damaged("read the outbox", "dispatch \(row.number) changed")
                }
                dispatches.append(row)
            }
            return dispatches
        }
    }
}

extension Dispatch {
    /// What never changes of a dispatch that has its body.
    var digest: Int64 {
        NewDispatch(
            alert: alert,
            sequence: sequence,
            sink: sink,
            severity: severity,
            isNotice: isNotice,
            body: body,
            createdMicroseconds: createdMicroseconds,
            dueMicroseconds: dueMicroseconds
        ).digest
    }
}

extension NewDispatch {
    /// Without the due time, which moves with every attempt.
    var digest: Int64 {
        var digest = RowDigest()
        digest.combine(alert)
        digest.combine(sequence)
        digest.combine(sink)
        digest.combine(Int64(severity))
        digest.combine(body.span)
        digest.combine(createdMicroseconds)
        // Rows of version 1 have none.
        if isNotice { digest.combine(Int64(1)) }
        return digest.value
    }
}
