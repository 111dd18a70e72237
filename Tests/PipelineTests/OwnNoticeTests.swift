import Findings
import MailLog
import Memory
import Testing

@testable import Pipeline

private let second: Int64 = 1_000_000
private let minute = 60 * second
private let day = 1_440 * minute
/// 2026-03-02T00:00:00Z.
private let monday: Int64 = 1_772_409_600_000_000
@Suite
struct OwnNoticeTests {
    @Test
    func `A state that could not be written is told of once it can be, with the time`() {
        var health = HealthWatch()
        #expect(health.succeeded(at: monday) == nil)
        health.failed("the disk is full", at: monday + minute)
        health.failed("the disk is full", at: monday + 2 * minute)
        let notice = health.succeeded(at: monday + 3 * minute)
        #expect(notice?.name == "postern_state")
        #expect(notice?.message.contains("from 2026-03-02T00:01:00") == true)
        #expect(notice?.message.contains("the disk is full") == true)
        #expect(health.succeeded(at: monday + 4 * minute) == nil)
    }

    /// Every order of the three conditions: only when all hold is it told, once.
    @Test
    func `Reading lags when it stays behind for a minute, and by five`() {
        var health = HealthWatch()
        // What waited at the start is no lag.
        for step in 0..<100 {
            let now = monday + Int64(step) * minute
            #expect(health.saw(isCaughtUp: false, eventTime: monday - day, at: now) == nil)
        }
        func behind(for seconds: Int64, by late: Int64) -> Int {
            var health = HealthWatch()
            _ = health.saw(isCaughtUp: true, eventTime: monday, at: monday)
            return (0...seconds).count { step in
                let now = monday + step * second
                return health.saw(isCaughtUp: false, eventTime: now - late, at: now) != nil
            }
        }
        #expect(behind(for: 59, by: 10 * minute) == 0)
        #expect(behind(for: 600, by: 5 * minute - 1) == 0)
        #expect(behind(for: 60, by: 5 * minute) == 1)
        #expect(behind(for: 600, by: 10 * minute) == 1)
    }

    @Test
    func `Lag is told again after reading was at the end between`() {
        var health = HealthWatch()
        var told = 0
        for round in 0..<3 {
            let start = monday + Int64(round) * day
            _ = health.saw(isCaughtUp: true, eventTime: start, at: start)
            for step in 0..<120 {
                let now = start + Int64(step) * second
                let notice = health.saw(isCaughtUp: false, eventTime: now - day, at: now)
                if notice != nil { told += 1 }
            }
        }
        #expect(told == 3)
    }

    @Test
    func `A full memory is told of once a day while it forgets more`() {
        var watch = LimitWatch()
        var memory = MemoryCounters()
        var messages = AssemblerCounters()
        var told: [String] = []
        for hour in 0..<72 {
            // It forgets on the first and on the third day.
            if hour / 24 != 1 { memory.domainsForgotten += 1 }
            if hour == 30 { messages.closedForSpace = 7 }
            let time = monday + Int64(hour) * 60 * minute
            told += watch.take(memory, messages, at: time).map(\.id)
        }
        let first = monday / day
        #expect(
            told == [
                "postern_limit:pairs:\(first)", "postern_limit:pairs:\(first + 1)",
                "postern_limit:messages:\(first + 1)", "postern_limit:pairs:\(first + 2)",
            ]
        )
    }
}
