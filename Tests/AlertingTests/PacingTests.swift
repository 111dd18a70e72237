import Findings
import State
import TestSupport
import Testing

@testable import Alerting

private let second: Int64 = 1_000_000
private let minute = 60 * second
private let hour = 60 * minute
/// 2026-03-02 00:00:00 UTC, a Monday.
private let midnight: Int64 = 1_772_409_600 * 1_000_000

@Suite struct PacingTests {
    private func due(
        _ state: inout PacingState,
        _ pacing: Pacing,
        at now: Int64,
        _ severity: Severity = .medium,
        east: @escaping (Int64) -> Int = { _ in 0 }
    ) -> Int64 {
        state.due(severity, pacing, nowMicroseconds: now, secondsEast: east)
    }

    @Test func withoutPacingAllGoAtOnce() {
        var state = PacingState()
        for time in 0..<100 { #expect(due(&state, Pacing(), at: Int64(time)) == 0) }
    }

    /// forall arrivals: never more than the rate's number of messages in its time, where those that
    /// are due at one moment are one message; and who is made to wait does not wait longer than its
    /// time.
    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func aRateIsNeverExceeded(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var pacing = Pacing()
        let quota = Pacing.Quota(
            count: Int.random(in: 1...5, using: &random),
            microseconds: Int64.random(in: 1...100, using: &random)
        )
        pacing.rate = quota
        var state = PacingState()
        var now: Int64 = 1_000
        var messages: [Int64] = []
        for _ in 0..<200 {
            now += Int64.random(in: 0...20, using: &random)
            // What is kept of it says all.
            state = PacingState(text: state.text())
            let due = due(&state, pacing, at: now)
            let time = due == 0 ? now : due
            #expect(time <= now + quota.microseconds)
            if due == 0 || messages.last != time { messages.append(time) }
        }
        #expect(messages == messages.sorted())
        for (index, time) in messages.enumerated().dropFirst(quota.count) {
            #expect(time - messages[index - quota.count] >= quota.microseconds)
        }
    }

    /// Also over a restart, nobody waits for the time that the clock was set back by.
    @Test(arguments: [false, true])
    func aClockThatIsSetBackHoldsNothingBack(isRestarted: Bool) {
        var pacing = Pacing()
        pacing.rate = Pacing.Quota(count: 2, microseconds: hour)
        pacing.storm = Pacing.Quota(count: 2, microseconds: 10 * minute)
        var state = PacingState()
        for _ in 0..<5 { _ = due(&state, pacing, at: midnight + 12 * hour) }
        if isRestarted { state = PacingState(text: state.text()) }
        let now = midnight + hour
        #expect(due(&state, pacing, at: now) <= now + hour)
        #expect(due(&state, pacing, at: now + 3 * hour) == 0)
    }

    @Test func alertsOfOneTimeGoOutTogether() {
        var pacing = Pacing()
        pacing.groupMicroseconds = 5 * minute
        var state = PacingState()
        let dues = [0, 1, 100, 299, 300, 301].map {
            due(&state, pacing, at: midnight + $0 * second)
        }
        let (first, next) = (midnight + 5 * minute, midnight + 10 * minute)
        #expect(dues == [first, first, first, first, next, next])
    }

    @Test func aStormIsHeldAsLongAsItGoesOn() {
        var pacing = Pacing()
        pacing.storm = Pacing.Quota(count: 3, microseconds: 10 * minute)
        var state = PacingState()
        for number in 0..<3 {
            #expect(due(&state, pacing, at: midnight + Int64(number) * second) == 0)
        }
        let end = midnight + 3 * second + 10 * minute
        #expect(due(&state, pacing, at: midnight + 3 * second) == end)
        #expect(due(&state, pacing, at: midnight + 4 * second) == end)
        #expect(due(&state, pacing, at: end - second) == end)
        #expect(due(&state, pacing, at: end - second) == end)
        #expect(due(&state, pacing, at: end - second) == end)
        // It goes on: four within ten minutes.
        #expect(due(&state, pacing, at: end + second) == end + second + 10 * minute)
        // It is over.
        #expect(due(&state, pacing, at: end + 2 * hour) == 0)
    }

    @Test(
        arguments: [
            // Time of the day in minutes, east of UTC in hours, and when it may go out.
            (21 * 60 + 59, 0, nil), (22 * 60, 0, 31 * 60), (23 * 60 + 59, 0, 31 * 60),
            (0, 0, 7 * 60), (6 * 60 + 59, 0, 7 * 60), (7 * 60, 0, nil),
            (20 * 60, 2, 29 * 60), (19 * 60, 2, nil), (4 * 60, 2, 5 * 60), (5 * 60, 2, nil),
            (3 * 60, -5, 12 * 60),
        ] as [(Int, Int, Int?)]
    )
    func lowLevelsWaitForTheMorning(minuteOfDay: Int, east: Int, expected: Int?) {
        var pacing = Pacing()
        pacing.quiet = Pacing.Quiet(startMinute: 22 * 60, endMinute: 7 * 60, below: .high)
        var state = PacingState()
        let now = midnight + Int64(minuteOfDay) * minute
        let due = due(&state, pacing, at: now, .medium) { _ in east * 3_600 }
        #expect(due == expected.map { midnight + Int64($0) * minute } ?? 0)
        #expect(self.due(&state, pacing, at: now, .high) { _ in east * 3_600 } == 0)
    }

    /// The clock is set forward in the night: 07:00 is 07:00.
    @Test func theMorningIsThatOfTheNewTime() {
        var pacing = Pacing()
        pacing.quiet = Pacing.Quiet(startMinute: 22 * 60, endMinute: 7 * 60, below: .high)
        var state = PacingState()
        let change = midnight + hour
        let due = due(&state, pacing, at: midnight, .low) {
            $0 * second < change ? 3_600 : 7_200
        }
        #expect(due == midnight + 5 * hour)
    }

    @Test(arguments: ["", ";", "x;1,2;3", "1;2", "9223372036854775808;;"])
    func whatIsKeptMayBeAnything(text: String) {
        #expect(PacingState(text: text) == PacingState())
    }
}

/// What was held back and goes out together, with a real state.
@Suite struct DigestTests {
    private struct Bench {
        let scratch: Scratch
        let store: StateStore
        let clock = ManualClock(midnight)
        let marks = Shared<DispatchMark>()
        let sent = Shared<OutgoingAlert>()
        var router: Router
        var committed = 0
        var turn: SinkTurn

        init(
            _ pacing: Pacing,
            answer: @escaping @Sendable (OutgoingAlert) -> SinkAnswer = { _ in .accepted }
        ) throws {
            scratch = try Scratch()
            store = try scratch.store()
            router = Router(
                routes: [Route(sink: "s", lowest: .low, pacing: pacing)],
                ageMicrosecondsMax: nil,
                secondsEast: { _ in 0 }
            )
            var limits = DispatchLimits()
            limits.combinesHeld = true
            let (clock, marks, folder) = (clock, marks, scratch.state)
            turn = SinkTurn(
                name: "s",
                sink: ScriptedSink(name: "s", sent: sent, answer: answer),
                queue: SinkQueue(limits: limits, seed: 1),
                surroundings: .init(
                    openOutbox: { () throws(StateError) in try StateReader(folder: folder) },
                    clock: { clock.now },
                    observe: { _ in },
                    mark: { marks.append($0) }
                )
            )
        }

        mutating func raise(
            _ number: Int,
            _ sequence: Int = 0,
            _ severity: Severity = .medium
        ) throws {
            var alert = exampleAlert()
            alert.severity = severity
            let id = alertID(number).description
            var changes = Changes()
            alert = Alert(
                id: alertID(number),
                sequence: sequence,
                action: sequence == 0 ? .opened : .updated,
                microseconds: clock.now,
                severity: severity,
                ruleID: "r",
                ruleName: number % 2 == 0 ? "even" : "odd"
            )
            alert.message = "Alert \(number)."
            for dispatch in router.dispatches(
                of: alert,
                body: alert.json(),
                nowMicroseconds: clock.now
            ) {
                #expect(dispatch.alert == id)
                changes.addDispatch(dispatch)
            }
            router.keep(in: &changes)
            try store.commit(changes, durable: false)
        }

        /// Turns and commits until nothing more is due.
        mutating func settle() throws {
            for _ in 0..<10 {
                _ = turn.run(isLast: false) { false }
                let fresh = marks.all[committed...]
                guard !fresh.isEmpty else { return }
                committed = marks.all.count
                var list = DispatchMarks()
                list.entries = fresh.map { DispatchMarks.Entry(name: "s", mark: $0) }
                var changes = Changes()
                list.add(to: &changes)
                let report = try store.commit(changes, durable: false)
                #expect(report.marksWithoutEffect == 0)
                turn.queue.confirmed(fresh.flatMap(\.numbers))
            }
        }
    }

    private var grouped: Pacing {
        var pacing = Pacing()
        pacing.groupMicroseconds = 5 * minute
        return pacing
    }

    @Test func aDigestNamesEveryAlertInIt() throws {
        var bench = try Bench(grouped)
        for number in 0..<5 { try bench.raise(number, 0, number == 3 ? .high : .medium) }
        try bench.raise(0, 1)
        try bench.settle()
        #expect(bench.sent.all.isEmpty)
        bench.clock.advance(5 * minute)
        try bench.settle()
        #expect(bench.sent.all.count == 1)
        let digest = try #require(bench.sent.all.first)
        let facts = try AlertFacts(json: digest.body)
        #expect(facts.action == "digest")
        #expect(
            facts.message
                == "6 alerts came together: 4 even, 2 odd (5 opened, 1 updated). The highest level is high."
        )
        #expect(facts.severity == 73)
        let names = (0..<5).map { "(\(alertID($0)).0)" } + ["(\(alertID(0)).1)"]
        #expect(facts.digest.count == 6)
        for (line, name) in zip(facts.digest, names) { #expect(line.hasSuffix(name)) }
        // Nothing vanished from the record.
        for number in 0..<5 {
            let rows = try bench.store.dispatches(ofAlert: alertID(number).description)
            #expect(rows.allSatisfy { $0.digestID == digest.id })
        }
        #expect(try bench.store.undelivered(limit: 9).isEmpty)
        // It fits every sink.
        let text = AlertText(isColoured: false, width: nil, evidenceFolder: nil).render(facts)
        #expect(text.split(separator: "\n").filter { $0.hasPrefix("    alert ") }.count == 6)
        for format in WebhookFormat.allCases {
            let request = format.request(
                facts,
                body: digest.body,
                url: "http://h/x",
                key: "k",
                nowMicroseconds: 0
            )
            #expect(!request.body.isEmpty)
        }
    }

    @Test func oneAlertAloneGoesAsItIs() throws {
        var bench = try Bench(grouped)
        try bench.raise(1)
        bench.clock.advance(5 * minute)
        try bench.settle()
        #expect(bench.sent.all.map(\.id) == [alertID(1).description])
    }

    /// The digest is committed before it is sent: whatever comes meanwhile, each attempt has the same
    /// bytes under the same ID.
    @Test func aDigestIsTriedAgainWithTheSameBytes() throws {
        let tries = Shared<OutgoingAlert>()
        var bench = try Bench(grouped) { alert in
            tries.append(alert)
            return tries.all.count < 3 ? .failed("x") : .accepted
        }
        try bench.raise(1)
        try bench.raise(2)
        bench.clock.advance(5 * minute)
        for number in 3..<6 {
            try bench.settle()
            try bench.raise(number)
            bench.clock.advance(10 * second)
        }
        try bench.settle()
        #expect(tries.all.count == 3)
        #expect(Set(tries.all.map(\.id)).count == 1)
        #expect(Set(tries.all.map(\.body)).count == 1)
        #expect(tries.all.first?.id.hasPrefix(AlertDigest.prefix) == true)
        bench.clock.advance(5 * minute)
        try bench.settle()
        let second = try AlertFacts(json: try #require(bench.sent.all.last).body)
        #expect(second.digest.count == 3)
    }

    @Test func whatCannotWaitTakesEarlierStepsOfItsAlertAlong() throws {
        var pacing = Pacing()
        pacing.quiet = Pacing.Quiet(startMinute: 22 * 60, endMinute: 7 * 60, below: .high)
        var bench = try Bench(pacing)
        try bench.raise(1)
        try bench.raise(2)
        try bench.raise(1, 1, .high)
        try bench.settle()
        #expect(
            bench.sent.all.map { "\($0.id).\($0.sequence)" }
                == [0, 1].map { "\(alertID(1)).\($0)" }
        )
        bench.clock.advance(7 * hour)
        try bench.settle()
        #expect(bench.sent.all.last?.id == alertID(2).description)
    }

    @Test func aStormBecomesOneMessageWithCounts() throws {
        var pacing = Pacing()
        pacing.storm = Pacing.Quota(count: 10, microseconds: 10 * minute)
        var bench = try Bench(pacing)
        for number in 0..<500 {
            try bench.raise(number)
            bench.clock.advance(second / 10)
            if number % 50 == 0 { try bench.settle() }
        }
        bench.clock.advance(10 * minute)
        try bench.settle()
        #expect(bench.sent.all.count == 11)
        let facts = try AlertFacts(json: try #require(bench.sent.all.last).body)
        #expect(
            facts.message.hasPrefix("490 alerts came together: 245 even, 245 odd (490 opened).")
        )
        #expect(facts.digest.last == "and 390 more")
        #expect(facts.count == 490)
    }

    /// What was counted is kept with the alerts: a restart does not begin anew.
    @Test func aRestartDoesNotLoosenTheRate() throws {
        var pacing = Pacing()
        pacing.rate = Pacing.Quota(count: 2, microseconds: hour)
        var bench = try Bench(pacing)
        try bench.raise(1)
        try bench.raise(2)
        var restarted = Router(
            routes: bench.router.routes,
            ageMicrosecondsMax: nil,
            secondsEast: { _ in 0 }
        )
        try restarted.restore(from: bench.store)
        bench.router = restarted
        try bench.raise(3)
        try bench.raise(4)
        try bench.settle()
        #expect(bench.sent.all.count == 2)
        bench.clock.advance(hour)
        try bench.settle()
        #expect(bench.sent.all.count == 3)
        #expect(try AlertFacts(json: try #require(bench.sent.all.last).body).digest.count == 2)
    }
}
