import GRDB

extension StateStore {
    /// Writes `changes` in one transaction: all of them, or, on an error, nothing.
    ///
    /// After an error the store can be used, and the same changes can be committed again.
    ///
    /// - Parameter durable: true when an alert changed: returns once the disk has this commit and
    ///   all before it. False: a power cut may take it back together with later ones; a killed
    ///   process does not.
    /// - Throws: `full`, `io`, `readOnly`, `busy`, `corrupt`, `tooLarge`, `unexpected`.
    @discardableResult
    public func commit(_ changes: Changes, durable: Bool) throws(StateError) -> CommitReport {
        guard !changes.isEmpty else { return CommitReport() }
        var outbox = outbox
        var report = CommitReport()
        let placesCursors = !cursorsPlaced && changes.cursors.contains { $0.body != nil }
        try database.write("commit", durable: durable) { connection in
            try writePieces(changes, connection)
            try writeNamed(changes, connection)
            if placesCursors {
                try StateDatabase.setMeta(connection, Self.cursorsPlacedKey, [])
            }
            try writeAlerts(changes, connection, &report)
            var shelf = Outbox(connection, outbox, limits, report)
            try shelf.write(changes)
            outbox = shelf.totals
            report = shelf.report
        }
        self.outbox = outbox
        if placesCursors { cursorsPlaced = true }
        checkpointIfDue(afterDurable: durable)
        return report
    }

    // MARK: Pieces

    private func writePieces(_ changes: Changes, _ connection: GRDB.Database) throws {
        let empty = try Prepared(connection, "DELETE FROM piece WHERE kind = ?")
        let find = try Prepared(connection, "SELECT digest FROM piece WHERE kind = ? AND key = ?")
        let remove = try Prepared(connection, "DELETE FROM piece WHERE kind = ? AND key = ?")
        let put = try Prepared(connection, "INSERT OR REPLACE INTO piece VALUES (?, ?, ?, ?)")
        // Few kinds: found by looking.
        var tallies: [(kind: Int64, tally: Tally)] = []
        for kind in changes.emptiedKinds {
            let kind = Int64(kind.rawValue)
            try empty.bind(kind, at: 1)
            try empty.run()
            guard !tallies.contains(where: { $0.kind == kind }) else { continue }
            tallies.append((kind, Tally()))
        }
        let arena = changes.arena.span
        for piece in changes.sortedPieces() {
            let kind = Int64(piece.kind.rawValue)
            var index = tallies.firstIndex { $0.kind == kind }
            if index == nil {
                tallies.append((kind, try Tally(connection, kind)))
                index = tallies.count - 1
            }
            guard let index else { continue }
            let key = arena.extracting(piece.key)

            try find.bind(kind, at: 1)
            try find.bind(key, at: 2)
            let former = try find.next() ? find.int(0) : nil
            find.reset()
            if let former { tallies[index].tally.remove(former) }

            if let range = piece.body {
                let body = arena.extracting(range)
                let digest = RowDigest.piece(kind, key, body)
                tallies[index].tally.add(digest)
                try put.bind(kind, at: 1)
                try put.bind(key, at: 2)
                try put.bind(digest, at: 3)
                try put.bind(body, at: 4)
                try put.run()
            } else if former != nil {
                try remove.bind(kind, at: 1)
                try remove.bind(key, at: 2)
                try remove.run()
            }
        }
        for (kind, tally) in tallies { try tally.save(connection, kind) }
    }

    // MARK: Cursors and named values

    private func writeNamed(_ changes: Changes, _ connection: GRDB.Database) throws {
        let arena = changes.arena.span
        for meta in changes.metas {
            guard let range = meta.body else {
                let remove = try Prepared(connection, "DELETE FROM meta WHERE key = ?")
                try remove.bind(meta.name, at: 1)
                try remove.run()
                continue
            }
            try StateDatabase.setMeta(connection, meta.name, arena.extracting(range).copied)
        }
        for cursor in changes.cursors {
            guard let range = cursor.body else {
                let remove = try Prepared(connection, "DELETE FROM cursor WHERE source = ?")
                try remove.bind(cursor.name, at: 1)
                try remove.run()
                continue
            }
            let body = arena.extracting(range)
            let put = try Prepared(connection, "INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)")
            try put.bind(cursor.name, at: 1)
            try put.bind(RowDigest.named(cursor.name, body), at: 2)
            try put.bind(body, at: 3)
            try put.run()
        }
    }

    // MARK: Alerts

    private func writeAlerts(
        _ changes: Changes,
        _ connection: GRDB.Database,
        _ report: inout CommitReport
    ) throws {
        for alert in changes.alerts {
            // Lines read again after a crash bring the alert's earlier steps once more.
            let put = try Prepared(
                connection,
                """
                INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET
                    sequence = excluded.sequence, status = excluded.status,
                    opened = excluded.opened, changed = excluded.changed,
                    severity = excluded.severity, rule = excluded.rule,
                    digest = excluded.digest, body = excluded.body
                WHERE excluded.sequence >= alert.sequence
                """
            )
            try put.bind(alert.id, at: 1)
            try put.bind(alert.sequence, at: 2)
            try put.bind(alert.status, at: 3)
            try put.bind(alert.openedMicroseconds, at: 4)
            try put.bind(alert.changedMicroseconds, at: 5)
            try put.bind(Int64(alert.severity), at: 6)
            try put.bind(alert.rule, at: 7)
            try put.bind(alert.digest, at: 8)
            try put.bind(alert.body.span, at: 9)
            try put.run()
        }
        for transition in changes.transitions {
            let put = try Prepared(
                connection,
                """
                INSERT INTO transition VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (alert, sequence) DO NOTHING
                """
            )
            try put.bind(transition.alert, at: 1)
            try put.bind(transition.sequence, at: 2)
            try put.bind(transition.timeMicroseconds, at: 3)
            try put.bind(transition.action, at: 4)
            try put.bind(transition.digest, at: 5)
            try put.bind(transition.body.span, at: 6)
            try put.bind(transition.bundle, at: 7)
            try put.run()
        }
        for seal in changes.seals {
            let name = try Prepared(
                connection,
                "UPDATE transition SET bundle = ? WHERE alert = ? AND sequence = ?"
            )
            try name.bind(seal.bundle, at: 1)
            try name.bind(seal.alert, at: 2)
            try name.bind(seal.sequence, at: 3)
            try name.run()
        }
    }
}
