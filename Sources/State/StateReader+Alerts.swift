extension StateReader {
    /// An alert's latest form, if there is one of that ID.
    public func alert(_ id: String) throws(StateError) -> AlertRow? {
        try alerts("WHERE id = ?") { rows in try rows.bind(id, at: 1) }.first
    }

    /// Alerts by the time of their latest transition, the latest first.
    ///
    /// - Parameters:
    ///   - status: only those of this status, if given.
    ///   - changedSinceMicroseconds: only those that changed at this time or later.
    ///   - limit: at most so many.
    public func alerts(
        status: String? = nil,
        changedSinceMicroseconds: Int64 = .min,
        limit: Int
    ) throws(StateError) -> [AlertRow] {
        precondition(limit >= 0)
        let condition = status == nil ? "" : "AND status = ?3"
        return try alerts("WHERE changed >= ?1 \(condition) ORDER BY changed DESC, id LIMIT ?2") {
            rows in
            try rows.bind(changedSinceMicroseconds, at: 1)
            try rows.bind(Int64(limit), at: 2)
            if let status { try rows.bind(status, at: 3) }
        }
    }

    /// A page of the alerts by the time of their latest transition, the latest first.
    ///
    /// - Parameters:
    ///   - after: time and ID of the last alert of the page before.
    ///   - limit: at most so many.
    public func alerts(
        status: String?,
        after: (changed: Int64, id: String)?,
        limit: Int
    ) throws(StateError) -> [AlertRow] {
        precondition(limit >= 0)
        let condition = status == nil ? "" : "AND status = ?4"
        return try alerts(
            """
            WHERE (changed < ?1 OR (changed = ?1 AND id > ?2)) \(condition)
            ORDER BY changed DESC, id LIMIT ?3
            """
        ) { rows in
            try rows.bind(after?.changed ?? .max, at: 1)
            try rows.bind(after?.id ?? "", at: 2)
            try rows.bind(Int64(limit), at: 3)
            if let status { try rows.bind(status, at: 4) }
        }
    }

    /// How many alerts of each severity are open.
    public func openSeverities() throws(StateError) -> [(severity: Int, count: Int)] {
        try database.read("count the open alerts") { connection in
            let rows = try Prepared(
                connection,
                "SELECT severity, count(*) FROM alert WHERE status = 'open' GROUP BY severity"
            )
            defer { rows.reset() }
            var counts: [(severity: Int, count: Int)] = []
            while try rows.next() { counts.append((Int(rows.int(0)), Int(rows.int(1)))) }
            return counts
        }
    }

    /// An alert's history, from its opening.
    public func transitions(of alert: String) throws(StateError) -> [TransitionRow] {
        let operation = "read the history of alert \(alert)"
        return try database.read(operation) { connection in
            let rows = try Prepared(
                connection,
                """
                SELECT sequence, time, action, digest, body, bundle FROM transition
                WHERE alert = ? ORDER BY sequence
                """
            )
            defer { rows.reset() }
            try rows.bind(alert, at: 1)
            var transitions: [TransitionRow] = []
            while try rows.next() {
                let row = TransitionRow(
                    alert: alert,
                    sequence: rows.int(0),
                    timeMicroseconds: rows.int(1),
                    action: rows.text(2),
                    body: rows.bytes(4),
                    bundle: rows.isNull(5) ? nil : rows.text(5)
                )
                guard row.digest == rows.int(3) else {
                    throw database.damaged(operation, "step \(row.sequence) changed")
                }
                transitions.append(row)
            }
            return transitions
        }
    }

    private func alerts(
        _ condition: String,
        _ bind: (Prepared) throws -> Void
    ) throws(StateError) -> [AlertRow] {
        try database.read("read the alerts") { connection in
            let rows = try Prepared(
                connection,
                """
                SELECT id, sequence, status, opened, changed, severity, rule, digest, body
                FROM alert \(condition)
                """
            )
            defer { rows.reset() }
            try bind(rows)
            var alerts: [AlertRow] = []
            while try rows.next() {
                let row = AlertRow(
                    id: rows.text(0),
                    sequence: rows.int(1),
                    status: rows.text(2),
                    openedMicroseconds: rows.int(3),
                    changedMicroseconds: rows.int(4),
                    severity: Int(rows.int(5)),
                    rule: rows.text(6),
                    body: rows.bytes(8)
                )
                guard row.digest == rows.int(7) else {
                    throw database.damaged("read the alerts", "alert \(row.id) changed")
                }
                alerts.append(row)
            }
            return alerts
        }
    }
}

extension AlertRow {
    var digest: Int64 {
        var digest = RowDigest()
        digest.combine(id)
        digest.combine(sequence)
        digest.combine(status)
        digest.combine(openedMicroseconds)
        digest.combine(changedMicroseconds)
        digest.combine(Int64(severity))
        digest.combine(rule)
        digest.combine(body.span)
        return digest.value
    }
}

extension TransitionRow {
    /// Without the bundle, which may be named later.
    var digest: Int64 {
        var digest = RowDigest()
        digest.combine(alert)
        digest.combine(sequence)
        digest.combine(timeMicroseconds)
        digest.combine(action)
        digest.combine(body.span)
        return digest.value
    }
}
