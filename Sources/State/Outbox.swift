import GRDB

/// The outbox within one transaction: what is put in, marked, pushed out and forgotten.
///
/// `totals` always is what `StateReader.countOutbox` would count.
struct Outbox {
    private let connection: GRDB.Database
    private(set) var totals: OutboxTotals
    private let limits: StateLimits
    private(set) var report: CommitReport

    init(
        _ connection: GRDB.Database,
        _ totals: OutboxTotals,
        _ limits: StateLimits,
        _ report: CommitReport
    ) {
        self.connection = connection
        self.totals = totals
        self.limits = limits
        self.report = report
    }

    mutating func write(_ changes: Changes) throws {
        var added: [NewDispatch] = []
        for dispatch in changes.dispatches where try add(dispatch) { added.append(dispatch) }
        for mark in changes.marks { try apply(mark) }
        for dispatch in added { try release(dispatch) }
        for forgotten in changes.forgotten { try forget(forgotten) }
        for alert in changes.removedAlerts { try forget(alert) }
        try keepLimits()
    }

    // MARK: Rows

    /// - Returns: false when it was there before.
    private mutating func add(_ dispatch: NewDispatch) throws -> Bool {
        let put = try Prepared(
            connection,
            """
            INSERT INTO outbox
                (alert, sequence, sink, severity, digest, body, created, attempts, due, state, notice)
            VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, 0, ?)
            ON CONFLICT (alert, sink, sequence) DO NOTHING
            """
        )
        try put.bind(dispatch.alert, at: 1)
        try put.bind(dispatch.sequence, at: 2)
        try put.bind(dispatch.sink, at: 3)
        try put.bind(Int64(dispatch.severity), at: 4)
        try put.bind(dispatch.digest, at: 5)
        try put.bind(dispatch.body.span, at: 6)
        try put.bind(dispatch.createdMicroseconds, at: 7)
        try put.bind(dispatch.dueMicroseconds, at: 8)
        try put.bind(dispatch.isNotice ? 1 : 0, at: 9)
        try put.run()
        guard connection.changesCount > 0 else {
            report.dispatchesRepeated += 1
            return false
        }
        report.dispatchesAdded += 1
        count(.waiting, dispatch.body.count, by: 1)
        return true
    }

    /// Earlier steps of an alert that are held back until later than its newest one go before it, so
    /// that what cannot wait does not wait behind them.
    private func release(_ dispatch: NewDispatch) throws {
        let update = try Prepared(
            connection,
            """
            UPDATE outbox SET due = ?1
            WHERE alert = ?2 AND sink = ?3 AND state = 0 AND attempts = 0 AND sequence < ?4
                AND due > ?1
            """
        )
        try update.bind(dispatch.dueMicroseconds, at: 1)
        try update.bind(dispatch.alert, at: 2)
        try update.bind(dispatch.sink, at: 3)
        try update.bind(dispatch.sequence, at: 4)
        try update.run()
    }

    private mutating func apply(_ mark: Changes.Mark) throws {
        switch mark {
        case .acknowledged(let number):
            // Also one that was pushed out while it was on its way.
            try change(
                number,
                from: [.waiting, .abandoned],
                to: .acknowledged,
                "attempts = attempts + 1, body = NULL, error = NULL"
            )
        case .failed(let number, let error, let due):
            try change(
                number,
                from: [.waiting],
                to: .waiting,
                "attempts = attempts + 1, error = ?3, due = ?4",
                error,
                due
            )
        case .rescheduled(let number, let due):
            try change(number, from: [.waiting], to: .waiting, "due = ?4", nil, due)
        case .abandoned(let number, let error):
            try change(number, from: [.waiting], to: .abandoned, "error = ?3", error)
        case .redelivered(let number, let due):
            try change(
                number,
                from: [.abandoned],
                to: .waiting,
                "attempts = 0, error = NULL, due = ?4",
                nil,
                due
            )
        case .combined(let number, let digest):
            try change(
                number,
                from: [.waiting],
                to: .acknowledged,
                "body = NULL, error = ?3",
                Dispatch.digestPrefix + digest
            )
        case .expired(let sink, let createdBefore, let error):
            let rows = try Prepared(
                connection,
                "SELECT number FROM outbox WHERE state = 0 AND sink = ? AND created < ?"
            )
            try rows.bind(sink, at: 1)
            try rows.bind(createdBefore, at: 2)
            var numbers: [Int64] = []
            while try rows.next() { numbers.append(rows.int(0)) }
            rows.reset()
            for number in numbers {
                try change(number, from: [.waiting], to: .abandoned, "error = ?3", error)
                report.dispatchesExpired += 1
            }
        }
    }

    private mutating func change(
        _ number: Int64,
        from: [Dispatch.Stage],
        to state: Dispatch.Stage,
        _ assignments: String,
        _ error: String? = nil,
        _ due: Int64? = nil
    ) throws {
        guard let (former, bytes) = try look(number), from.contains(former) else {
            report.marksWithoutEffect += 1
            return
        }
        let update = try Prepared(
            connection,
            "UPDATE outbox SET state = ?2, \(assignments) WHERE number = ?1"
        )
        try update.bind(number, at: 1)
        try update.bind(state.rawValue, at: 2)
        if let error { try update.bind(error.cut(toBytes: limits.errorBytesMax), at: 3) }
        if let due { try update.bind(due, at: 4) }
        try update.run()
        count(former, bytes, by: -1)
        count(state, bytes, by: 1)
    }

    private mutating func remove(_ number: Int64, _ state: Dispatch.Stage, _ bytes: Int) throws {
        let remove = try Prepared(connection, "DELETE FROM outbox WHERE number = ?")
        try remove.bind(number, at: 1)
        try remove.run()
        count(state, bytes, by: -1)
    }

    /// State and body bytes of a dispatch.
    private func look(_ number: Int64) throws -> (Dispatch.Stage, Int)? {
        let rows = try Prepared(
            connection,
            "SELECT state, length(body) FROM outbox WHERE number = ?"
        )
        defer { rows.reset() }
        try rows.bind(number, at: 1)
        guard try rows.next(), let state = Dispatch.Stage(rawValue: rows.int(0)) else { return nil }
        return (state, Int(rows.int(1)))
    }

    private mutating func count(_ state: Dispatch.Stage, _ bytes: Int, by sign: Int) {
        switch state {
        case .waiting:
            totals.waiting += sign
            totals.waitingBytes += sign * bytes
        case .acknowledged:
            totals.acknowledged += sign
        case .abandoned:
            totals.abandoned += sign
            totals.abandonedBytes += sign * bytes
        }
    }

    // MARK: Alerts that leave

    private mutating func forget(_ forgotten: Changes.Forgotten) throws {
        let find = try Prepared(
            connection,
            "SELECT id FROM alert WHERE status = ? AND changed < ? ORDER BY changed LIMIT ?"
        )
        try find.bind(forgotten.status, at: 1)
        try find.bind(forgotten.changedBefore, at: 2)
        try find.bind(Int64(forgotten.limit), at: 3)
        var alerts: [String] = []
        while try find.next() { alerts.append(find.text(0)) }
        find.reset()
        for alert in alerts { try forget(alert) }
    }

    private mutating func forget(_ alert: String) throws {
        let remove = try Prepared(connection, "DELETE FROM alert WHERE id = ?")
        try remove.bind(alert, at: 1)
        try remove.run()
        if connection.changesCount > 0 { report.alertsForgotten += 1 }
        let history = try Prepared(connection, "DELETE FROM transition WHERE alert = ?")
        try history.bind(alert, at: 1)
        try history.run()
        let done = try Prepared(
            connection,
            "SELECT number, state, length(body) FROM outbox WHERE alert = ? AND state <> 0"
        )
        try done.bind(alert, at: 1)
        var numbers: [(Int64, Dispatch.Stage, Int)] = []
        while try done.next() {
            guard let state = Dispatch.Stage(rawValue: done.int(1)) else { continue }
            numbers.append((done.int(0), state, Int(done.int(2))))
        }
        done.reset()
        for (number, state, bytes) in numbers { try self.remove(number, state, bytes) }
    }

    // MARK: Limits

    private mutating func keepLimits() throws {
        // What waits by sink, asked for when something must go.
        var waiting: [WaitingSink] = []
        while totals.waiting > limits.waitingMax || totals.waitingBytes > limits.waitingBytesMax {
            if waiting.isEmpty { waiting = try waitingBySink() }
            // A sink that takes nothing may not push out what others would take. Each keeps one while
            // another has several: a failing one's shows that it fails.
            let several = waiting.indices.filter { waiting[$0].count > 1 }
            let left = waiting.indices.filter { waiting[$0].count > 0 }
            let most = (several.isEmpty ? left : several).max {
                waiting[$0].staysRather(than: waiting[$1])
            }
            guard let most, let number = try mildest(of: waiting[most].sink) else { break }
            waiting[most].count -= 1
            try change(
                number,
                from: [.waiting],
                to: .abandoned,
                "error = ?3",
                "pushed out: the outbox was full"
            )
            report.dispatchesPushedOut += 1
        }
        while totals.abandoned > limits.abandonedMax
            || totals.abandonedBytes > limits.abandonedBytesMax
        {
            guard try forgetFirst(.abandoned) else { break }
            report.dispatchesForgotten += 1
        }
        while totals.acknowledged > limits.acknowledgedMax {
            guard try forgetFirst(.acknowledged) else { break }
        }
    }

    /// What waits for a sink.
    private struct WaitingSink {
        var sink: String
        var count: Int64
        /// An attempt at one of them failed: it may take nothing at all.
        var isFailing: Bool

        /// Whether the other's go first.
        func staysRather(than other: Self) -> Bool {
            isFailing == other.isFailing ? count < other.count : other.isFailing
        }
    }

    /// What waits for each sink, in the order of their names.
    private func waitingBySink() throws -> [WaitingSink] {
        let rows = try Prepared(
            connection,
            """
            SELECT sink, count(*), max(attempts) FROM outbox WHERE state = 0
            GROUP BY sink ORDER BY sink
            """
        )
        defer { rows.reset() }
        var found: [WaitingSink] = []
        while try rows.next() {
            found.append(
                WaitingSink(sink: rows.text(0), count: rows.int(1), isFailing: rows.int(2) > 0)
            )
        }
        return found
    }

    /// The oldest of the lowest level that waits for a sink: first of what no attempt was made with,
    /// so that the mark of a failing sink (see ``WaitingSink/isFailing``) does not leave with its
    /// oldest; notices only if nothing else waits.
    private func mildest(of sink: String) throws -> Int64? {
        for condition in Self.leavingOrder {
            let rows = try Prepared(
                connection,
                """
                SELECT number FROM outbox WHERE state = 0 AND sink = ? AND \(condition)
                ORDER BY severity, number LIMIT 1
                """
            )
            defer { rows.reset() }
            try rows.bind(sink, at: 1)
            if try rows.next() { return rows.int(0) }
        }
        return nil
    }

    /// Each in the order of the index `outbox_mildest`.
    private static let leavingOrder = [
        "notice = 0 AND attempts = 0", "notice = 0", "notice = 1 AND attempts = 0", "notice = 1",
    ]

    private mutating func forgetFirst(_ state: Dispatch.Stage) throws -> Bool {
        let condition = "state = \(state.rawValue) AND state <> 0 ORDER BY number"
        guard let number = try first(condition), let (state, bytes) = try look(number) else {
            return false
        }
        try remove(number, state, bytes)
        return true
    }

    private func first(_ condition: String) throws -> Int64? {
        let rows = try Prepared(
            connection,
            "SELECT number FROM outbox WHERE \(condition) LIMIT 1"
        )
        defer { rows.reset() }
        return try rows.next() ? rows.int(0) : nil
    }
}

extension String {
    /// The text, cut between characters so that its UTF-8 is not longer than `bytes`.
    func cut(toBytes bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        var end = utf8.index(startIndex, offsetBy: max(bytes, 0))
        // A scalar's bytes after its first are 0b10xx_xxxx (RFC 3629).
        while end > startIndex, utf8[end] & 0xc0 == 0x80 { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
