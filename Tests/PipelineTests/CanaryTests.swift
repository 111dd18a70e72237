@testable import Alerting
import Testing

@testable import Pipeline

private let second: UInt64 = 1_000_000_000

@Suite struct CanaryTests {
    private func canary() -> Canary {
        let settings = CanarySettings(everyNanoseconds: 3_600 * second, socket: "/dev/log")
        return Canary(settings, now: 0)
    }

    @Test func itsRuleRaisesItsAlert() {
        #expect(CanaryRun.raisesAlert(1))
        #expect(CanaryRun.raisesAlert(.max))
    }

    @Test func noTwoLinesAreAlikeAndNoTwoRunsWriteTheSame() {
        var (one, other) = (canary(), canary())
        let texts = [one.begin(0, microseconds: 1), other.begin(0, microseconds: 1)]
        #expect(texts[0] != texts[1])
        #expect(texts[0].dropLast(64) == texts[1].dropLast(64))
        #expect(one.begin(0, microseconds: 1) != texts[0])
    }

    @Test func aLineThatDoesNotComeIsMissedOnceUntilOneComes() {
        var canary = canary()
        #expect(!canary.isDue(9 * second))
        #expect(canary.isDue(10 * second))
        func round(_ start: UInt64, _ comes: Bool) -> (told: Bool, isWhole: Bool) {
            _ = canary.begin(start, microseconds: 1)
            #expect(canary.wakeAt == start + 120 * second)
            #expect(canary.end(start + 120 * second - 1) == nil)
            if comes { canary.dispatched("canary-x", to: [], start) }
            guard let (broken, _) = canary.end(start + (comes ? 1 : 120 * second)) else {
                Issue.record("it does not end")
                return (false, false)
            }
            let (notice, isWhole) = canary.note(broken, microseconds: 1)
            return (notice != nil, isWhole)
        }
        #expect(round(0, true) == (false, false))
        #expect(round(10_000 * second, false) == (true, false))
        #expect(round(20_000 * second, false) == (false, false))
        #expect(round(30_000 * second, true) == (false, true))
        #expect(round(40_000 * second, false) == (true, false))
    }

    @Test func sinksThatFailOrSayNothingAreNamed() {
        var canary = canary()
        _ = canary.begin(0, microseconds: 1)
        canary.dispatched("canary-x", to: ["a", "b", "c"], 0)
        func answer(_ sink: String, _ alert: String, _ isTaken: Bool) -> DispatchMarks.Answer {
            .init(alert: alert, sink: sink, number: 1, isTaken: isTaken, words: "away")
        }
        canary.answered(answer("a", "canary-x", true))
        canary.answered(answer("b", "canary-x", false))
        canary.answered(answer("c", "canary-y", true))
        #expect(canary.end(119 * second) == nil)
        let end = canary.end(120 * second)
        #expect(end?.broken == .notReached(["b (away)", "c (no answer)"]))
        #expect(end?.id == "canary-x")
        #expect(canary.state == .resting)
    }
}
