import Alerting
import Findings
import Memory
import Records
import SafeText
import State

/// Carries requests out that only change what is stored beside the engine: acknowledgements and
/// silences. The daemon and the commands without a daemon do it alike.
struct StateEditor {
    let store: StateReader
    /// Wall clock, microseconds since 1970.
    let now: Int64
    /// As it is kept: who says to be, and the user that the kernel tells.
    let author: String

    func acknowledge(
        _ alert: String,
        note: String?,
        _ changes: inout Changes
    ) throws(StateError) -> ControlAnswer {
        guard try store.alert(alert) != nil else {
            return ControlAnswer(.missing, "there is no alert \(shown(alert))")
        }
        let said = try store.acknowledgements()[alert] ?? []
        guard said.count < Acknowledgement.countMax else {
            return ControlAnswer(
                .refused,
                "the alert was acknowledged \(said.count) times; more is not kept"
            )
        }
        // One at a time: the time names it among those of its alert.
        let time = max(now, (said.last?.microseconds ?? .min) + 1)
        let entry = Acknowledgement(alert: alert, microseconds: time, author: author, note: note)
        changes.setPiece(.acknowledgement, key: entry.key.span, body: entry.json().span)
        return ControlAnswer(.done, "alert \(shown(alert)) is acknowledged")
    }

    /// Puts what was given up back among what waits.
    func redeliver(
        _ which: ControlRequest.Redelivery,
        _ changes: inout Changes
    ) throws(StateError) -> ControlAnswer {
        var count = 0
        var after: Int64 = 0
        while true {
            let rows = try store.undelivered(after: after, limit: 500)
            guard let last = rows.last else { break }
            after = last.number
            for row in rows where row.state == .abandoned {
                guard which.alert == nil || which.alert == row.alert,
                    SinkName.isMeant(row.sink, by: which.sink)
                else { continue }
                // Due since ever: nothing that is held back.
                changes.redeliver(row.number, dueMicroseconds: 0)
                count += 1
            }
        }
        guard count > 0 else {
            return ControlAnswer(.missing, "nothing of that was given up")
        }
        return ControlAnswer(.done, "\(count) dispatch\(count == 1 ? " waits" : "es wait") again")
    }

    func silence(
        _ new: ControlRequest.NewSilence,
        _ book: inout SilenceBook,
        _ changes: inout Changes
    ) -> ControlAnswer {
        guard new.untilMicroseconds > now else {
            return ControlAnswer(.refused, "the silence would be over before it begins")
        }
        var random = SystemRandomNumberGenerator()
        var id: String
        repeat {
            id = base32((0..<5).map { _ in UInt8.random(in: .min ... .max, using: &random) })
        } while book[id] != nil
        let silence = Silence(
            id: id,
            account: new.account,
            rule: new.rule,
            domain: new.domain,
            createdMicroseconds: now,
            untilMicroseconds: new.untilMicroseconds,
            author: author,
            reason: new.reason
        )
        guard book.add(silence, to: &changes) else {
            return ControlAnswer(
                .refused,
                "there are \(SilenceBook.countMax) silences already; lift some first"
            )
        }
        return ControlAnswer(
            .done,
            "silence \(id) holds until \(rfc3339(microseconds: silence.untilMicroseconds))"
        )
    }

    func unsilence(
        _ id: String,
        _ book: inout SilenceBook,
        _ changes: inout Changes
    ) -> ControlAnswer {
        guard book[id] != nil else {
            return ControlAnswer(.missing, "there is no silence \(shown(id))")
        }
        book.remove(id, &changes)
        return ControlAnswer(.done, "silence \(shown(id)) is lifted")
    }

    /// Removes what is stored of an account beside the engine: its alerts with their history and what
    /// was said of them, and silences that name it. Alerts of several accounts stay.
    ///
    /// - Returns: the alerts that are gone, and how many name others too.
    func forgetFindings(
        of account: String,
        accountDomain: String?,
        _ book: inout SilenceBook,
        _ changes: inout Changes
    ) throws(StateError) -> (removed: [String], shared: Int) {
        var removed: [String] = []
        var shared = 0
        for row in try store.alerts(limit: .max) {
            guard let object = try? JSONObjectReader.read(row.body) else { continue }
            let users = (object["related.user"]?.strings ?? []).map {
                canonicalAccount($0, domain: accountDomain)
            }
            guard users.contains(account) else { continue }
            guard users.allSatisfy({ $0 == account }) else {
                shared += 1
                try AlertEvents.forget(
                    account,
                    accountDomain: accountDomain,
                    of: row.id,
                    in: store,
                    &changes
                )
                continue
            }
            removed.append(row.id)
            changes.removeAlert(row.id)
            changes.removePiece(.latestBundle, key: Array(row.id.utf8).span)
            AlertEvents.remove(row.id, in: &changes)
        }
        let gone = Set(removed)
        for (alert, said) in try store.acknowledgements().sorted(by: { $0.key < $1.key })
        where gone.contains(alert) {
            for entry in said { changes.removePiece(.acknowledgement, key: entry.key.span) }
        }
        for key in try store.silenced().keys.sorted()
        where gone.contains(String(key.prefix { $0 != "." })) {
            changes.removePiece(.silenced, key: Array(key.utf8).span)
        }
        try forgetReports(&changes)
        for silence in book.silences where silence.account == account {
            book.remove(silence.id, &changes)
        }
        return (removed, shared)
    }

    /// Reports that were given up may name the account; `postern report` makes them anew.
    private func forgetReports(_ changes: inout Changes) throws(StateError) {
        var after: Int64 = 0
        while true {
            let rows = try store.undelivered(after: after, limit: 50)
            guard let last = rows.last else { return }
            after = last.number
            for row in rows
            where row.state == .abandoned && row.alert.hasPrefix(ReportTimer.prefix) {
                changes.removeAlert(row.alert)
            }
        }
    }
}
