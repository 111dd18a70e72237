import TestSupport
import Testing

@testable import Alerting

@Suite struct DispatchStateTests {
    enum Event: CaseIterable {
        case accepted, failed, refused, second, minute
    }

    /// A row of the outbox, changed as `Outbox` in the room `State` changes it: an implementation of
    /// its own, in terms of what is stored.
    struct Row {
        enum Kind { case waiting, acknowledged, abandoned }
        var kind = Kind.waiting
        var attempts = 0
        var due: Int64 = 0

        mutating func apply(_ change: DispatchState.Change) {
            switch change {
            case .none: break
            case .acknowledged: if kind != .acknowledged { kind = .acknowledged }
            case .failed(let due):
                if kind == .waiting {
                    attempts += 1
                    self.due = due
                }
            case .abandoned: if kind == .waiting { kind = .abandoned }
            case .combined: Issue.record("an attempt combines nothing")
            }
        }
    }

    /// forall sequences of up to seven events: what the machine says to write makes the outbox
    /// remember the state that the machine is in, so a restart loses nothing.
    @Test func theOutboxAlwaysKnowsTheState() {
        var checked = 0
        func walk(_ state: DispatchState, _ row: Row, _ now: Int64, _ depth: Int) {
            checked += 1
            let isKnown =
                switch (state, row.kind) {
                case (.due, .waiting), (.waiting, .waiting):
                    state
                        == DispatchState(
                            attempts: row.attempts,
                            dueMicroseconds: row.due,
                            nowMicroseconds: now
                        )
                case (.acknowledged, .acknowledged), (.abandoned, .abandoned): true
                default: false
                }
            // Not `#expect`, which is slow a hundred thousand times.
            if !isKnown { Issue.record("\(state) but \(row)") }
            guard depth < 7 else { return }
            for event in Event.allCases {
                var state = state
                var row = row
                var now = now
                let change: DispatchState.Change
                func answer(_ answer: SinkAnswer) -> DispatchState.Change {
                    state.answered(answer, retryMicroseconds: now + 2, attemptsMax: 3)
                }
                switch event {
                case .accepted: change = answer(.accepted)
                case .failed: change = answer(.failed("x"))
                case .refused: change = answer(.refused("x"))
                case .second, .minute:
                    now += event == .second ? 1 : 60
                    change = .none
                    // As the next look into the outbox sees it.
                    if row.kind == .waiting {
                        state = DispatchState(
                            attempts: row.attempts,
                            dueMicroseconds: row.due,
                            nowMicroseconds: now
                        )
                    }
                }
                row.apply(change)
                walk(state, row, now, depth + 1)
            }
        }
        walk(.due(attempt: 1), Row(), 0, 0)
        #expect(checked > 90_000)
    }

    @Test func aDispatchThatAlwaysFailsIsGivenUpAfterItsAttempts() {
        var state = DispatchState(attempts: 0, dueMicroseconds: 0, nowMicroseconds: 5)
        for attempt in 1..<4 {
            #expect(state == .due(attempt: attempt))
            let retry = Int64(attempt * 100)
            let change = state.answered(.failed("x"), retryMicroseconds: retry, attemptsMax: 4)
            #expect(change == .failed(dueMicroseconds: retry))
            #expect(state == .waiting(attempt: attempt + 1, until: retry))
            for now in [retry - 1, retry] {
                state = DispatchState(
                    attempts: attempt,
                    dueMicroseconds: retry,
                    nowMicroseconds: now
                )
                let waiting = DispatchState.waiting(attempt: attempt + 1, until: retry)
                #expect(state == (now < retry ? waiting : .due(attempt: attempt + 1)))
            }
        }
        #expect(
            state.answered(.failed("x"), retryMicroseconds: 0, attemptsMax: 4) == .abandoned
        )
        #expect(state == .abandoned(attempts: 4))
    }
}

@Suite struct SinkQueueTests {
    func row(_ attempts: Int) -> DispatchState { .due(attempt: attempts + 1) }

    /// 1 s, 2 s, 4 s … 60 s, less at most a fifth, whatever the seed.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func waitsDoubleUpToAMinute(seed: UInt64) throws {
        var queue = SinkQueue(limits: DispatchLimits(), seed: seed)
        let seconds: [Int64] = [1, 2, 4, 8, 16, 32, 60, 60, 60]
        for (attempts, expected) in seconds.enumerated() {
            var state = row(attempts)
            _ = queue.answered(
                .failed("x"),
                &state,
                number: 1,
                createdMicroseconds: 0,
                nowMicroseconds: 1_000
            )
            guard case .waiting(let attempt, let until) = state else {
                Issue.record("\(state)")
                return
            }
            #expect(attempt == attempts + 2)
            let wait = until - 1_000
            #expect(wait <= expected * 1_000_000)
            #expect(wait >= expected * 800_000)
        }
        var state = row(9)
        _ = queue.answered(.accepted, &state, number: 1, createdMicroseconds: 0, nowMicroseconds: 0)
        var other = row(20)
        _ = queue.answered(
            .failed("x"),
            &other,
            number: 2,
            createdMicroseconds: 0,
            nowMicroseconds: 0
        )
        guard case .waiting(_, let until) = other else {
            Issue.record("\(other)")
            return
        }
        #expect(until <= 1_000_000, "after a success all begin again with a second")
    }

    @Test func aNewAlertOfADeadSinkIsTriedAgainAfterASecond() {
        var queue = SinkQueue(limits: DispatchLimits(), seed: 1)
        for number in 0..<20 {
            var state = row(50)
            _ = queue.answered(
                .failed("x"),
                &state,
                number: Int64(number),
                createdMicroseconds: 0,
                nowMicroseconds: 0
            )
        }
        var state = row(0)
        _ = queue.answered(
            .failed("x"),
            &state,
            number: 99,
            createdMicroseconds: 0,
            nowMicroseconds: 0
        )
        guard case .waiting(2, let until) = state else {
            Issue.record("\(state)")
            return
        }
        #expect(until <= 1_000_000)
    }

    @Test func theSameSeedGivesTheSameWaitsAndAnotherGivesOthers() {
        func waits(_ seed: UInt64) -> [DispatchState] {
            var queue = SinkQueue(limits: DispatchLimits(), seed: seed)
            return (0..<8).map { attempts in
                var state = row(attempts)
                _ = queue.answered(
                    .failed("x"),
                    &state,
                    number: 1,
                    createdMicroseconds: 0,
                    nowMicroseconds: 0
                )
                return state
            }
        }
        #expect(waits(3) == waits(3))
        #expect(waits(3) != waits(4))
    }

    @Test func aDeadSinkGetsOneAlertEveryHalfMinute() {
        var queue = SinkQueue(limits: DispatchLimits(), seed: 1)
        for number in 1...8 {
            #expect(queue.room(nowMicroseconds: 0) == 64)
            var state = row(0)
            _ = queue.answered(
                .failed("x"),
                &state,
                number: Int64(number),
                createdMicroseconds: 0,
                nowMicroseconds: 0
            )
        }
        #expect(queue.circuit == .open(failures: 8, probeMicroseconds: 30_000_000))
        #expect(queue.room(nowMicroseconds: 29_999_999) == 0)
        #expect(queue.room(nowMicroseconds: 30_000_000) == 1)
        var state = row(3)
        _ = queue.answered(
            .refused("bad"),
            &state,
            number: 9,
            createdMicroseconds: 0,
            nowMicroseconds: 30_000_000
        )
        #expect(queue.circuit.failures == 8, "a refusal says nothing about the sink")
        state = row(3)
        _ = queue.answered(
            .failed("x"),
            &state,
            number: 10,
            createdMicroseconds: 0,
            nowMicroseconds: 30_000_000
        )
        #expect(queue.circuit == .open(failures: 9, probeMicroseconds: 60_000_000))
        state = row(3)
        _ = queue.answered(
            .accepted,
            &state,
            number: 11,
            createdMicroseconds: 0,
            nowMicroseconds: 60_000_000
        )
        #expect(queue.circuit == .closed(failures: 0))
        #expect(queue.room(nowMicroseconds: 60_000_000) == 64)
    }

    @Test func aSinkPausesWhileTooManyAnswersAreNotInTheState() {
        var limits = DispatchLimits()
        limits.unconfirmedMax = 3
        var queue = SinkQueue(limits: limits, seed: 1)
        for number in 1...3 as ClosedRange<Int64> {
            #expect(queue.room(nowMicroseconds: 0) == 4 - Int(number))
            var state = row(0)
            _ = queue.answered(
                .accepted,
                &state,
                number: number,
                createdMicroseconds: 0,
                nowMicroseconds: 0
            )
        }
        #expect(queue.room(nowMicroseconds: 0) == 0)
        queue.confirmed([2, 77])
        #expect(queue.unconfirmed == [1, 3])
        #expect(queue.room(nowMicroseconds: 0) == 1)
    }
}
