import State
import TestSupport
import Testing

@testable import Alerting

/// A sink whose answers a test decides, and which keeps what it took.
struct ScriptedSink: Sink {
    let name: String
    let sent: Shared<OutgoingAlert>
    var reached = SinkAnswer.accepted
    let answer: @Sendable (OutgoingAlert) -> SinkAnswer

    func send(_ alert: OutgoingAlert) -> SinkAnswer {
        let answer = answer(alert)
        if answer == .accepted { sent.append(alert) }
        return answer
    }

    mutating func reach() -> SinkAnswer { reached }
}

/// The turn of a sink's thread without the thread: state, sink and time belong to the test.
@Suite struct SinkTurnTests {
    struct Bench {
        let scratch: Scratch
        var store: StateStore
        let clock = ManualClock()
        let marks = Shared<DispatchMark>()
        let sent = Shared<OutgoingAlert>()
        let events = Shared<SinkEvent>()
        var committed = 0

        init() throws {
            scratch = try Scratch()
            store = try scratch.store()
        }

        func turn(
            _ limits: DispatchLimits = DispatchLimits(),
            seed: UInt64 = 1,
            reached: SinkAnswer = .accepted,
            _ answer: @escaping @Sendable (OutgoingAlert) -> SinkAnswer
        ) -> SinkTurn {
            let clock = clock
            let marks = marks
            let events = events
            let folder = scratch.state
            return SinkTurn(
                name: "s",
                sink: ScriptedSink(name: "s", sent: sent, reached: reached, answer: answer),
                queue: SinkQueue(limits: limits, seed: seed),
                surroundings: .init(
                    openOutbox: { () throws(StateError) in try StateReader(folder: folder) },
                    clock: { clock.now },
                    observe: { events.append($0) },
                    mark: { marks.append($0) }
                )
            )
        }

        mutating func add(_ alert: String, _ sequence: Int64, sink: String = "s") throws {
            var changes = Changes()
            changes.addDispatch(newDispatch(alert, sequence, sink: sink))
            try store.commit(changes, durable: false)
        }

        /// The engine's part: commits what was marked since, and says so.
        mutating func commit(_ turn: inout SinkTurn, withoutEffect: Int = 0) throws {
            let fresh = marks.all[committed...]
            committed = marks.all.count
            var list = DispatchMarks()
            list.entries = fresh.map { DispatchMarks.Entry(name: "s", mark: $0) }
            var changes = Changes()
            list.add(to: &changes)
            let report = try store.commit(changes, durable: false)
            #expect(report.marksWithoutEffect == withoutEffect)
            turn.queue.confirmed(fresh.flatMap(\.numbers))
        }
    }

    func key(_ alert: OutgoingAlert) -> String { "\(alert.id).\(alert.sequence)" }

    /// forall histories of new alerts, answers, commits and crashes: no alert is lost, the steps of
    /// each come in order, and without a crash none comes twice.
    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func nothingIsLostAndOrderHoldsPerAlert(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var bench = try Bench()
        var limits = DispatchLimits()
        limits.batchMax = Int.random(in: 1...5, using: &random)
        limits.unconfirmedMax = Int.random(in: 1...6, using: &random)
        limits.failuresMax = Int.random(in: 2...5, using: &random)
        let isBroken = ManualClock(0)
        let clock = bench.clock
        let answer: @Sendable (OutgoingAlert) -> SinkAnswer = { alert in
            isBroken.now == 0 ? .accepted : .failed("broken at \(clock.now)")
        }
        var turn = bench.turn(limits, seed: seed, answer)
        var next: [String: Int64] = [:]
        var crashes = 0
        for _ in 0..<60 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0...2:
                let alert = "alert\(Int.random(in: 0..<5, using: &random))"
                try bench.add(alert, next[alert, default: 0])
                next[alert, default: 0] += 1
            case 3...5: _ = turn.run(isLast: false, isStopping: { false })
            case 6: try bench.commit(&turn)
            case 7: bench.clock.advance(Int64.random(in: 0...40_000_000, using: &random))
            case 8: isBroken.advance(isBroken.now == 0 ? 1 : -isBroken.now)
            default:
                guard seed % 2 == 0 else { continue }
                // The marks that were not committed are gone, and so is what the thread knew.
                bench.committed = bench.marks.all.count
                turn = bench.turn(limits, seed: seed, answer)
                crashes += 1
            }
        }
        isBroken.advance(-isBroken.now)
        var rounds = 0
        while bench.store.outbox.waiting > 0, rounds < 500 {
            _ = turn.run(isLast: false, isStopping: { false })
            try bench.commit(&turn)
            bench.clock.advance(5_000_000)
            rounds += 1
        }
        #expect(bench.store.outbox.waiting == 0)
        let sent = bench.sent.all
        var first: [String: [Int64]] = [:]
        for alert in sent where !(first[alert.id, default: []].contains(alert.sequence)) {
            first[alert.id, default: []].append(alert.sequence)
            #expect(String(decoding: alert.body, as: UTF8.self) == key(alert))
        }
        for (alert, count) in next { #expect(first[alert] == Array(0..<count)) }
        let repeated = sent.count - Set(sent.map(key)).count
        #expect(repeated <= crashes * limits.unconfirmedMax)
    }

    @Test func afterACrashBetweenSendAndMarkTheSameIsSentAgain() throws {
        var bench = try Bench()
        try bench.add("a", 0)
        var before = bench.turn { _ in .accepted }
        _ = before.run(isLast: false, isStopping: { false })
        #expect(bench.sent.all.count == 1)
        // The thread itself does not repeat it, though the outbox still shows it.
        bench.clock.advance(10_000_000)
        _ = before.run(isLast: false, isStopping: { false })
        #expect(bench.sent.all.count == 1)

        var after = bench.turn { _ in .accepted }
        _ = after.run(isLast: false, isStopping: { false })
        #expect(bench.sent.all.map(key) == ["a.0", "a.0"])
        #expect(bench.sent.all[0] == bench.sent.all[1], "same ID, sequence, bytes and attempt")
    }

    @Test func otherAlertsDoNotWaitBehindARetry() throws {
        var bench = try Bench()
        try bench.add("a", 0)
        try bench.add("a", 1)
        try bench.add("b", 0)
        var turn = bench.turn {
            $0.id == "a" && $0.sequence == 0 && $0.attempt == 1 ? .failed("x") : .accepted
        }
        _ = turn.run(isLast: false, isStopping: { false })
        #expect(bench.sent.all.map(key) == ["b.0"])
        try bench.commit(&turn)
        let wait = turn.run(isLast: false, isStopping: { false })
        #expect(bench.sent.all.map(key) == ["b.0"], "a.1 waits for a.0")
        guard case .until(let due) = wait else {
            Issue.record("\(wait)")
            return
        }
        #expect(due <= bench.clock.now + 1_000_000)
        bench.clock.advance(1_000_000)
        _ = turn.run(isLast: false, isStopping: { false })
        try bench.commit(&turn)
        _ = turn.run(isLast: false, isStopping: { false })
        try bench.commit(&turn)
        #expect(bench.sent.all.map(key) == ["b.0", "a.0", "a.1"])
        #expect(turn.run(isLast: false, isStopping: { false }) == .untilWoken)
        #expect(
            bench.events.all == [
                .failed(sink: "s", error: "x"), .recovered(sink: "s", failures: 1),
            ]
        )
    }

    @Test func aDeadSinkIsToldOfOnceAndProbed() throws {
        var bench = try Bench()
        for number in 0..<40 { try bench.add("a\(number)", 0) }
        var turn = bench.turn { _ in .failed("no route") }
        #expect(
            turn.run(isLast: false, isStopping: { false }) == .until(bench.clock.now + 30_000_000)
        )
        try bench.commit(&turn)
        #expect(turn.counters.failed == 8)
        for _ in 0..<5 {
            bench.clock.advance(30_000_000)
            _ = turn.run(isLast: false, isStopping: { false })
            try bench.commit(&turn)
        }
        #expect(turn.counters.failed == 13)
        #expect(
            bench.events.all == [
                .failed(sink: "s", error: "no route"),
                .dead(sink: "s", failures: 8, error: "no route"),
            ]
        )
        #expect(turn.counters.circuit.failures == 13)
    }

    @Test func whatASinkRefusesIsAbandonedAndTheRestGoesOn() throws {
        var bench = try Bench()
        try bench.add("a", 0)
        try bench.add("b", 0)
        var turn = bench.turn { $0.id == "a" ? .refused("no JSON") : .accepted }
        _ = turn.run(isLast: false, isStopping: { false })
        try bench.commit(&turn)
        #expect(bench.sent.all.map(key) == ["b.0"])
        #expect(bench.store.outbox.abandoned == 1)
        #expect(turn.counters.abandoned == 1)
        #expect(
            bench.events.all == [
                .abandoned(sink: "s", id: "a", sequence: 0, error: "no JSON")
            ]
        )
    }

    @Test func theLastTurnSendsWhatIsDueAndEndsAtTheFirstFailure() throws {
        var bench = try Bench()
        for number in 0..<4 { try bench.add("a\(number)", 0) }
        var turn = bench.turn { $0.id == "a2" ? .failed("x") : .accepted }
        _ = turn.run(isLast: true, isStopping: { true })
        #expect(bench.sent.all.map(key) == ["a0.0", "a1.0"])
        try bench.commit(&turn)
        #expect(bench.store.outbox.waiting == 2)
    }

    @Test func anOutboxThatCannotBeReadIsToldOfOnceAndTriedAgain() throws {
        let bench = try Bench()
        let events = bench.events
        let clock = bench.clock
        let missing = try Scratch().state
        var turn = SinkTurn(
            name: "s",
            sink: ScriptedSink(name: "s", sent: bench.sent) { _ in .accepted },
            queue: SinkQueue(limits: DispatchLimits(), seed: 1),
            surroundings: .init(
                openOutbox: { () throws(StateError) in try StateReader(folder: missing) },
                clock: { clock.now },
                observe: { events.append($0) },
                mark: { _ in }
            )
        )
        for _ in 0..<3 {
            let wait = turn.run(isLast: false, isStopping: { false })
            #expect(wait == .until(clock.now + SinkTurn.readRetryMicroseconds))
        }
        #expect(bench.events.all.count == 1)
    }

    @Test func whatWaitsForASinkThatIsGoneIsAbandoned() throws {
        var bench = try Bench()
        try bench.add("a", 0)
        try bench.add("a", 0, sink: "old")
        try bench.add("a", 1, sink: "old")
        try bench.add("b", 0, sink: "older")
        var changes = Changes()
        #expect(
            try DispatchMarks.abandonOthers(than: ["s"], in: bench.store, limit: 2, to: &changes)
                == 2
        )
        try bench.store.commit(changes, durable: false)
        changes.removeAll()
        #expect(try DispatchMarks.abandonOthers(than: ["s"], in: bench.store, to: &changes) == 1)
        try bench.store.commit(changes, durable: false)
        changes.removeAll()
        #expect(try DispatchMarks.abandonOthers(than: ["s"], in: bench.store, to: &changes) == 0)
        #expect(bench.store.outbox.waiting == 1)
        #expect(bench.store.outbox.abandoned == 3)
    }
}

/// What is not taken in time.
extension SinkTurnTests {
    @Test func whatIsNotTakenInTimeIsGivenUpAndCanBeSentAgain() throws {
        var bench = try Bench()
        var changes = Changes()
        for (number, created) in [1, 1, 500_000_000].enumerated() {
            var dispatch = newDispatch("a\(number)", 0, sink: "s")
            dispatch.createdMicroseconds = Int64(created)
            changes.addDispatch(dispatch)
        }
        try bench.store.commit(changes, durable: false)
        var limits = DispatchLimits()
        limits.ageMicrosecondsMax = 900_000_000
        let isThere = Shared<Bool>()
        var turn = bench.turn(limits) { _ in isThere.all.isEmpty ? .failed("away") : .accepted }
        _ = turn.run(isLast: false) { false }
        // The first attempt after the time was over gives both old ones up; the young one waits.
        try bench.commit(&turn, withoutEffect: 1)
        let rows = try bench.store.undelivered(limit: 9)
        #expect(rows.map(\.state) == [.abandoned, .abandoned, .waiting])
        #expect(rows.map(\.error) == ["away", "away", "away"])
        isThere.append(true)
        var again = Changes()
        for row in rows where row.state == .abandoned {
            again.redeliver(row.number, dueMicroseconds: 0)
        }
        try bench.store.commit(again, durable: false)
        bench.clock.advance(2_000_000)
        _ = turn.run(isLast: false) { false }
        try bench.commit(&turn)
        #expect(bench.sent.all.map(key).sorted() == ["a0.0", "a1.0", "a2.0"])
        #expect(try bench.store.undelivered(limit: 9).isEmpty)
    }

    /// Somebody asks for a test while the circuit is open: nobody waits for the next probe.
    @Test func aSinkThatFailedIsTriedAtOnceWhenSomebodyAsks() throws {
        var bench = try Bench()
        var turn = bench.turn { _ in .failed("away") }
        for number in 0..<8 {
            try bench.add("a\(number)", 0)
            _ = turn.run(isLast: false) { false }
        }
        #expect(turn.queue.room(nowMicroseconds: bench.clock.now) == 0)
        turn.queue.probeAtOnce()
        #expect(turn.queue.room(nowMicroseconds: bench.clock.now) == 1)
    }

    /// Ten thousand alerts behind a sink that is away: they wait on the disk, not in memory, and go out
    /// in their order when it is back.
    @Test func tenThousandAlertsBehindADeadSinkTakeNoMemory() throws {
        var bench = try Bench()
        let count = 10_000
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: 1_000)
        for start in stride(from: 0, to: count, by: 500) {
            var changes = Changes()
            for number in start..<(start + 500) {
                var dispatch = newDispatch("a\(number)", 0, sink: "s")
                dispatch.body = body
                changes.addDispatch(dispatch)
            }
            try bench.store.commit(changes, durable: false)
        }
        let isThere = Shared<Bool>()
        let taken = Shared<OutgoingAlert>()
        var turn = bench.turn { alert in
            if isThere.all.isEmpty { return .failed("away") }
            taken.append(OutgoingAlert(id: alert.id, sequence: 0, body: [], attempt: alert.attempt))
            return .accepted
        }
        func settle() throws {
            _ = turn.run(isLast: false) { false }
            // All that is in memory of what waits: one batch, and its answers.
            #expect(bench.marks.all.count <= DispatchLimits().batchMax)
            #expect(turn.queue.unconfirmed.count <= DispatchLimits().batchMax)
            try bench.commit(&turn)
            #expect(turn.queue.unconfirmed.isEmpty)
            bench.marks.removeAll()
            bench.committed = 0
            bench.sent.removeAll()
        }
        for _ in 0..<20 {
            try settle()
            bench.clock.advance(30_000_000)
        }
        for _ in 0..<200 {
            try settle()
            bench.clock.advance(30_000_000)
        }
        #expect(try bench.store.countOutbox().waiting == count)
        isThere.append(true)
        while taken.all.count < count {
            let former = taken.all.count
            try settle()
            bench.clock.advance(60_000_000)
            #expect(taken.all.count > former)
        }
        #expect(Set(taken.all.map(\.id)).count == count)
        // Those that were tried and failed come when they are due again, the others in their order.
        let others = taken.all.filter { $0.attempt == 1 }.compactMap { Int($0.id.dropFirst()) }
        #expect(others.count > 9_000)
        #expect(others == others.sorted())
    }
}

extension SinkTurnTests {
    /// It goes before what waits, sends nothing, and says nothing of the sink's alerts: however often it
    /// does not reach the sink, the circuit stays closed.
    @Test(arguments: [SinkAnswer.accepted, .failed("away")])
    func aCanaryReachesASinkAndSendsNothing(_ reached: SinkAnswer) throws {
        var bench = try Bench()
        var turn = bench.turn(reached: reached) { _ in .accepted }
        for number in 0..<20 {
            try bench.add("a\(number)", 0)
            var changes = Changes()
            let id = CanaryDispatch.prefix + "\(number)"
            changes.addDispatch(CanaryDispatch.row(id: id, sink: "s", nowMicroseconds: 1))
            try bench.store.commit(changes, durable: false)
            let before = bench.marks.all.count
            _ = turn.run(isLast: false, isStopping: { false })
            let mark = bench.marks.all[before]
            #expect(mark.alert == id)
            #expect(mark.change == (reached == .accepted ? .acknowledged : .abandoned))
            try bench.commit(&turn)
        }
        #expect(bench.sent.all.map(\.id) == (0..<20).map { "a\($0)" })
        #expect(turn.queue.circuit == .closed(failures: 0))
        #expect(turn.counters.abandoned == 0)
        #expect(bench.events.all.isEmpty)
        #expect(bench.store.outbox.waiting == 0)
    }

    /// Ten thousand behind a sink that is away for an hour come in the order in which they were raised,
    /// those that were tried among them.
    @Test func whatWaitedForASinkComesInItsOrder() throws {
        var bench = try Bench()
        let isBack = Shared<Bool>()
        var turn = bench.turn { _ in isBack.all.isEmpty ? .failed("away") : .accepted }
        for start in stride(from: 0, to: 10_000, by: 500) {
            var changes = Changes()
            for number in start..<(start + 500) {
                changes.addDispatch(newDispatch("a\(number)", 0, sink: "s"))
            }
            try bench.store.commit(changes, durable: false)
            _ = turn.run(isLast: false, isStopping: { false })
            try bench.commit(&turn)
            bench.clock.advance(180_000_000)
        }
        isBack.append(true)
        for _ in 0..<1_000 where bench.store.outbox.waiting > 0 {
            _ = turn.run(isLast: false, isStopping: { false })
            try bench.commit(&turn)
        }
        #expect(bench.sent.all.map(\.id) == (0..<10_000).map { "a\($0)" })
    }

    /// The daemon starts with a clock that was set back by a day.
    @Test func afterTheClockWasSetBackNothingWaitsForTheTimeOfBefore() throws {
        let (second, day): (Int64, Int64) = (1_000_000, 86_400_000_000)
        let bench = try Bench()
        let before = 20_000 * day
        var changes = Changes()
        for (alert, due) in [("now", 0), ("held", before + 300 * second), ("tried", 0)] {
            var dispatch = newDispatch(alert, 0, sink: "s")
            dispatch.createdMicroseconds = before
            dispatch.dueMicroseconds = due
            changes.addDispatch(dispatch)
        }
        try bench.store.commit(changes, durable: false)
        changes.removeAll()
        changes.markFailed(3, error: "x", dueMicroseconds: before + 60 * second)
        try bench.store.commit(changes, durable: false)
        changes.removeAll()
        let now = before - day
        try DispatchMarks.bringForward(in: bench.store, nowMicroseconds: now, to: &changes)
        try bench.store.commit(changes, durable: false)
        let rows = try bench.store.undelivered(limit: 9)
        #expect(rows.map(\.dueMicroseconds) == [0, now + 300 * second, now + 60 * second])
        // Again, and with a clock that goes right: nothing changes.
        for later in [now, before + second] {
            changes.removeAll()
            try DispatchMarks.bringForward(in: bench.store, nowMicroseconds: later, to: &changes)
            try bench.store.commit(changes, durable: false)
            #expect(try bench.store.undelivered(limit: 9) == rows)
        }
    }
}
