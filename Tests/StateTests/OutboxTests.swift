import Testing

@testable import State

/// Single examples of what `StateModelTests` tries at large.
@Suite struct OutboxTests {
    @Test func anAlertFoundAgainIsNeitherLostNorSentTwice() throws {
        let scratch = try Scratch()
        var store: StateStore? = try open(scratch.folder())
        var changes = Changes()
        changes.addDispatch("a", 0)
        changes.addDispatch("a", 0, to: "webhook")
        #expect(try #require(store).commit(changes, durable: true).dispatchesAdded == 2)
        let sent = try #require(
            store?.due(sink: "syslog", nowMicroseconds: 0, limit: 9).first
        )
        var marks = Changes()
        marks.markAcknowledged(sent.number)
        try #require(store).commit(marks, durable: false)

        store = nil
        store = try open(scratch.folder())
        let report = try #require(store).commit(changes, durable: true)
        #expect(report.dispatchesRepeated == 2)
        #expect(try #require(store).due(sink: "syslog", nowMicroseconds: 9, limit: 9) == [])
        let webhook = try #require(store).due(sink: "webhook", nowMicroseconds: 9, limit: 9)
        #expect(webhook.map(\.body) == [Array("a.0".utf8)])
    }

    @Test func aLaterStepWaitsForItsAlertAndNotForOthers() throws {
        let scratch = try Scratch()
        let store = try open(scratch.folder())
        var changes = Changes()
        for alert in ["a", "b"] {
            changes.addDispatch(alert, 0)
            changes.addDispatch(alert, 1)
        }
        try store.commit(changes, durable: true)
        let first = try store.due(sink: "syslog", nowMicroseconds: 0, limit: 9)
        #expect(first.map(\.sequence) == [0, 0])

        var marks = Changes()
        marks.markFailed(first[0].number, error: "refused", dueMicroseconds: 60)
        marks.markAcknowledged(first[1].number)
        try store.commit(marks, durable: false)
        let second = try store.due(sink: "syslog", nowMicroseconds: 0, limit: 9)
        #expect(second.map(\.alert) == ["b"])
        #expect(second.map(\.sequence) == [1])
        #expect(try store.nextDue(sink: "syslog") == 0)
        marks.removeAll()
        marks.markAcknowledged(second[0].number)
        try store.commit(marks, durable: false)
        // Not 0, where step 1 of "a" is due: a dispatcher would spin until step 0 is.
        #expect(try store.nextDue(sink: "syslog") == 60)
    }

    @Test func aSinkThatTakesNothingPushesOutNothingOfOthers() throws {
        let scratch = try Scratch()
        var limits = StateLimits()
        limits.waitingMax = 3
        let store = try open(scratch.folder(), limits: limits)
        var changes = Changes()
        // The dead one's are of a higher level.
        for alert in ["a", "b", "c"] {
            changes.addDispatch(alert, 0, to: "dead", severity: 99)
        }
        changes.addDispatch("a", 0, to: "syslog", severity: 1)
        #expect(try store.commit(changes, durable: true).dispatchesPushedOut == 1)
        let waiting = try store.due(sink: "syslog", nowMicroseconds: 0, limit: 9)
        #expect(waiting.map(\.alert) == ["a"])
        let dead = try store.due(sink: "dead", nowMicroseconds: 0, limit: 9)
        #expect(dead.map(\.alert) == ["b", "c"])
    }

    @Test func whatADeadSinkLeavesGoesBeforeWhatASlowOneHasNotTakenYet() throws {
        let scratch = try Scratch()
        var limits = StateLimits()
        limits.waitingMax = 6
        let store = try open(scratch.folder(), limits: limits)
        var changes = Changes()
        for alert in ["a", "b"] { changes.addDispatch(alert, 0, to: "dead", severity: 99) }
        for alert in ["a", "b", "c"] { changes.addDispatch(alert, 0, severity: 1) }
        try store.commit(changes, durable: true)
        let first = try #require(store.due(sink: "dead", nowMicroseconds: 0, limit: 1).first)
        changes.removeAll()
        changes.markFailed(first.number, error: "refused", dueMicroseconds: 60)
        for alert in ["c", "d"] { changes.addDispatch(alert, 0, to: "dead", severity: 99) }
        changes.addDispatch("d", 0, severity: 1)
        #expect(try store.commit(changes, durable: true).dispatchesPushedOut == 2)
        let slow = try store.due(sink: "syslog", nowMicroseconds: 0, limit: 9)
        #expect(slow.map(\.alert) == ["a", "b", "c", "d"])
        // What was tried stays longest: without it the sink would not be known for a failing one, and the slow one's would go.
        let dead = try store.due(sink: "dead", nowMicroseconds: 99, limit: 9)
        #expect(dead.map(\.alert) == ["a", "d"])
        changes.removeAll()
        changes.addDispatch("e", 0, to: "dead", severity: 99)
        changes.addDispatch("e", 0, severity: 1)
        #expect(try store.commit(changes, durable: true).dispatchesPushedOut == 2)
        let late = try store.due(sink: "syslog", nowMicroseconds: 0, limit: 9)
        #expect(late.map(\.alert) == ["a", "b", "c", "d", "e"])

        // It keeps its last even now, or each of its next would cost the slow one another.
        changes.removeAll()
        for alert in ["f", "g"] { changes.addDispatch(alert, 0, to: "dead", severity: 99) }
        changes.addDispatch("f", 0, severity: 1)
        #expect(try store.commit(changes, durable: true).dispatchesPushedOut == 3)
        let last = try store.due(sink: "syslog", nowMicroseconds: 0, limit: 9)
        #expect(last.map(\.alert) == ["b", "c", "d", "e", "f"])
        #expect(try store.due(sink: "dead", nowMicroseconds: 99, limit: 9).map(\.alert) == ["a"])
    }

    @Test func aNoticeLeavesAFullOutboxLast() throws {
        let scratch = try Scratch()
        var limits = StateLimits()
        limits.waitingMax = 2
        let store = try open(scratch.folder(), limits: limits)
        var changes = Changes()
        changes.addDispatch("outbox is full", 0, severity: 1, isNotice: true)
        for alert in ["a", "b", "c"] { changes.addDispatch(alert, 0, severity: 99) }
        #expect(try store.commit(changes, durable: true).dispatchesPushedOut == 2)
        let waiting = try store.due(sink: "syslog", nowMicroseconds: 0, limit: 9)
        #expect(waiting.map(\.alert) == ["outbox is full", "c"])
        #expect(waiting.map(\.isNotice) == [true, false])

        // Where only notices wait the bound holds too.
        changes.removeAll()
        for notice in ["lag", "blind"] { changes.addDispatch(notice, 0, isNotice: true) }
        #expect(try store.commit(changes, durable: true).dispatchesPushedOut == 2)
        let left = try store.due(sink: "syslog", nowMicroseconds: 0, limit: 9)
        #expect(left.map(\.alert) == ["lag", "blind"])
    }

    @Test func aFullOutboxLetsTheMildestAndOldestGoAndSaysSo() throws {
        let scratch = try Scratch()
        var limits = StateLimits()
        limits.waitingMax = 3
        limits.abandonedMax = 2
        let store = try open(scratch.folder(), limits: limits)
        var changes = Changes()
        for (alert, severity) in [("a", 73), ("b", 21), ("c", 99), ("d", 21), ("e", 47)] {
            changes.addDispatch(alert, 0, severity: severity)
        }
        let report = try store.commit(changes, durable: true)
        #expect(report.dispatchesAdded == 5)
        #expect(report.dispatchesPushedOut == 2)
        let waiting = try store.due(sink: "syslog", nowMicroseconds: 0, limit: 9)
        #expect(waiting.map(\.alert) == ["a", "c", "e"])
        let abandoned = try store.undelivered(limit: 9).filter { $0.state == .abandoned }
        #expect(abandoned.map(\.alert) == ["b", "d"])
        #expect(abandoned.allSatisfy { $0.error == "pushed out: the outbox was full" })

        // One that was on its way when it was pushed out has arrived all the same.
        var marks = Changes()
        marks.markAcknowledged(abandoned[0].number)
        marks.redeliver(abandoned[1].number, dueMicroseconds: 5)
        marks.markFailed(999, error: "", dueMicroseconds: 0)
        let after = try store.commit(marks, durable: false)
        #expect(after.marksWithoutEffect == 1)
        #expect(after.dispatchesPushedOut == 1)
        #expect(store.outbox.acknowledged == 1)

        changes.removeAll()
        for alert in ["f", "g"] { changes.addDispatch(alert, 0, severity: 1) }
        #expect(try store.commit(changes, durable: true).dispatchesForgotten == 1)
        #expect(store.outbox.abandoned == 2)
    }

    @Test func anErrorTextIsCutBetweenCharacters() throws {
        let scratch = try Scratch()
        var limits = StateLimits()
        limits.errorBytesMax = 8
        let store = try open(scratch.folder(), limits: limits)
        var changes = Changes()
        changes.addDispatch("a", 0)
        try store.commit(changes, durable: false)
        changes.removeAll()
        changes.markFailed(1, error: "gänzlich", dueMicroseconds: 1)
        try store.commit(changes, durable: false)
        #expect(try store.dispatch(1)?.error == "gänzlic")
        for length in 0...9 {
            let cut = "é€𝄞".cut(toBytes: length)
            #expect(cut.utf8.count <= length)
            #expect("é€𝄞".hasPrefix(cut))
        }
    }

    @Test func forgottenAlertsLeaveWithTheirHistoryButNotWhileADispatchWaits() throws {
        let scratch = try Scratch()
        let store = try open(scratch.folder())
        var changes = Changes()
        for (index, id) in ["old", "older", "open", "new"].enumerated() {
            let time: Int64 = id == "new" ? 100 : id == "older" ? 1 : 2
            changes.setAlert(
                AlertRow(
                    id: id,
                    sequence: 1,
                    status: id == "open" ? "open" : "resolved",
                    openedMicroseconds: time,
                    changedMicroseconds: time,
                    severity: 47,
                    rule: "r",
                    body: [UInt8(index)]
                )
            )
            changes.addTransition(
                TransitionRow(
                    alert: id,
                    sequence: 0,
                    timeMicroseconds: time,
                    action: "opened",
                    body: [],
                    bundle: nil
                )
            )
            changes.addDispatch(id, 0)
            changes.addDispatch(id, 1)
        }
        try store.commit(changes, durable: true)
        changes.removeAll()
        let dispatches = try store.undelivered(limit: 99)
        for row in dispatches where row.sequence == 0 { changes.markAcknowledged(row.number) }
        changes.forgetAlerts(status: "resolved", changedBeforeMicroseconds: 50, limit: 1)
        #expect(try store.commit(changes, durable: true).alertsForgotten == 1)
        #expect(try store.alert("older") == nil)
        #expect(try store.transitions(of: "older") == [])
        #expect(try store.undelivered(limit: 99).filter { $0.alert == "older" }.count == 1)
        #expect(try store.countOutbox() == store.outbox)

        changes.removeAll()
        changes.forgetAlerts(status: "resolved", changedBeforeMicroseconds: 50, limit: 99)
        #expect(try store.commit(changes, durable: true).alertsForgotten == 1)
        let left = try store.alerts(limit: 9)
        #expect(left.map(\.id) == ["new", "open"])
        #expect(try store.alerts(status: "open", limit: 9).map(\.id) == ["open"])
        #expect(try store.alerts(changedSinceMicroseconds: 50, limit: 9).map(\.id) == ["new"])
    }

    @Test func aStepIsKeptAsItWasSentAndItsBundleMayComeLater() throws {
        let scratch = try Scratch()
        let store = try open(scratch.folder())
        var changes = Changes()
        var row = TransitionRow(
            alert: "a",
            sequence: 0,
            timeMicroseconds: 5,
            action: "opened",
            body: Array("as sent".utf8),
            bundle: nil
        )
        changes.addTransition(row)
        try store.commit(changes, durable: true)
        changes.removeAll()
        row.body = Array("found again".utf8)
        changes.addTransition(row)
        changes.setBundle("a.0.tar.zst", alert: "a", sequence: 0)
        try store.commit(changes, durable: true)
        row.body = Array("as sent".utf8)
        row.bundle = "a.0.tar.zst"
        #expect(try store.transitions(of: "a") == [row])
    }
}
