import Foundation
import MailLog
import TestSupport
import Testing

@testable import Pipeline

/// Rules of the tz database as Foundation reads them, for the tests alone.
private func zone(_ name: String) throws -> ZoneRules {
    let zone = try #require(TimeZone(identifier: name))
    return ZoneRules { seconds in
        Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds))))
    }
}

private let zones = [
    "UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kathmandu",
    "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca",
]

private func seconds(_ text: String) -> Int64 {
    Int64(ISO8601DateFormatter().date(from: text)?.timeIntervalSince1970 ?? 0)
}

private func micro(_ text: String) -> Int64 { seconds(text) * 1_000_000 }

struct ReportScheduleTests {
    /// forall days of 2010 to 2030 on which a clock is set, those around them, and some others: the
    /// moment is the first at which a walk over all minutes finds the clock that far.
    @Test(arguments: zones)
    func aMomentIsTheFirstThatAWalkFinds(name: String) throws {
        let rules = try zone(name)
        var random = SeededGenerator(seed: 7)
        for day in 14_610..<22_280 {
            let start = Int64(day) * 86_400
            let isNearChange =
                rules.secondsEast(start - 86_400) != rules.secondsEast(start + 2 * 86_400)
            guard isNearChange || Int.random(in: 0..<150, using: &random) == 0 else { continue }
            for _ in 0..<(isNearChange ? 4 : 1) {
                let minute = Int.random(in: 0..<1_440, using: &random)
                let local = start + Int64(minute) * 60
                var time = start - 30 * 3_600
                // Before the day in every zone; then to the first time at which the clock is there.
                while time + rules.secondsEast(time) < local { time += 60 }
                #expect(
                    rules.moment(ofDay: day, minute: minute) == time * 1_000_000,
                    "\(name) day \(day) minute \(minute)"
                )
            }
        }
    }

    /// forall minutes of four years: the turns are those that a walk over the minutes finds, each once,
    /// with a clock change in the night, and the periods join each other without gap or overlap.
    @Test(
        arguments: ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"],
        [
            ReportSchedule.Period.day, .week(on: 0), .week(on: 6), .month(on: 1), .month(on: 28),
        ]
    )
    func theTurnsAreThoseOfAWalk(name: String, period: ReportSchedule.Period) throws {
        let rules = try zone(name)
        let schedule = ReportSchedule(sink: "s", period: period, minute: 150)
        let (start, end) = (seconds("2010-12-27T00:00:00Z"), seconds("2014-12-27T00:00:00Z"))
        var walked: [Int64] = []
        var done: Set<Int64> = []
        for time in stride(from: start, to: end, by: 900) {
            let local = time + rules.secondsEast(time)
            // Every day up to this one whose time has come, also one that the clock passed over.
            for day in [local / 86_400 - 1, local / 86_400] where !done.contains(day) {
                guard local >= day * 86_400 + 150 * 60 else { continue }
                done.insert(day)
                let date = Calendar.utc.dateComponents(
                    [.day, .weekday],
                    from: Date(timeIntervalSince1970: Double(day * 86_400))
                )
                let isOn =
                    switch period {
                    case .day: true
                    // Foundation counts from Sunday, 1.
                    case .week(let number): date.weekday == (number + 1) % 7 + 1
                    case .month(let number): date.day == number
                    }
                if isOn, time > start + 86_400 { walked.append(time * 1_000_000) }
            }
        }
        var found: [Int64] = []
        var time = (start + 86_400) * 1_000_000
        var before: ReportSchedule.Turn?
        while true {
            time = schedule.next(after: time, rules)
            guard time < end * 1_000_000 else { break }
            found.append(time)
            let turn = schedule.last(at: time, rules)
            #expect(turn.dueMicroseconds == time)
            #expect(schedule.last(at: time - 1, rules).dueMicroseconds < time)
            #expect(turn.sinceMicroseconds < turn.untilMicroseconds || name == "Pacific/Apia")
            #expect(turn.untilMicroseconds <= time)
            if let before {
                #expect(turn.sinceMicroseconds == before.untilMicroseconds)
            }
            before = turn
        }
        #expect(found == walked)
        #expect(found.count > 40)
    }

    @Test func aWeekIsFromMidnightToMidnightByTheClockOfItsZone() throws {
        let rules = try zone("Europe/Berlin")
        let schedule = ReportSchedule(sink: "mail:ops", period: .week(on: 0), minute: 420)
        // The clock goes forward on Sunday, 29 March: the week has 167 hours.
        let turn = schedule.last(at: micro("2026-03-31T12:00:00Z"), rules)
        #expect(turn.dueMicroseconds == micro("2026-03-30T05:00:00Z"))
        #expect(turn.sinceMicroseconds == micro("2026-03-22T23:00:00Z"))
        #expect(turn.untilMicroseconds == micro("2026-03-29T22:00:00Z"))
    }

    @Test func anyTimeOfTheClockHasAnAnswer() throws {
        let schedule = ReportSchedule(sink: "s", period: .month(on: 28), minute: 0)
        for now in [Int64.min, -1, 0, 1 << 60, Int64.max] {
            #expect(schedule.last(at: now, .utc).dueMicroseconds <= max(0, now))
            #expect(schedule.next(after: now, .utc) > 0)
        }
    }
}

struct ReportTimerTests {
    private let weekly = ReportSchedule(sink: "ops", period: .week(on: 0), minute: 420)
    private let monday = micro("2026-03-09T07:00:00Z")
    private let week: Int64 = 7 * 86_400_000_000

    private func begun(_ now: Int64) -> ReportTimer {
        var timer = ReportTimer(zone: .utc)
        timer.use([weekly], now: now)
        return timer
    }

    @Test func aNewScheduleBeginsWithItsNextTurn() {
        var timer = begun(monday - 1)
        #expect(timer.due(now: monday - 1).isEmpty)
        #expect(timer.next(after: monday - 1) == monday)
        let due = timer.due(now: monday)
        #expect(due.map(\.turn.dueMicroseconds) == [monday])
        #expect(due.first?.turn.sinceMicroseconds == micro("2026-03-02T00:00:00Z"))
        #expect(due.first?.turn.untilMicroseconds == micro("2026-03-09T00:00:00Z"))
    }

    /// forall steps of time with restarts and reloads between them: each turn once.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func eachTurnComesOnceOverRestartsAndReloads(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var now = monday - 3 * 86_400_000_000
        var timer = begun(now)
        var sent: [Int64] = []
        var until = Int64.min
        for _ in 0..<600 {
            now += Int64.random(in: 0...(86_400_000_000), using: &random)
            if Int.random(in: 0..<3, using: &random) == 0 {
                let stored = timer.stored
                timer = ReportTimer(zone: .utc)
                try timer.restore(stored)
                timer.use([weekly], now: now)
            }
            if Bool.random(using: &random) { timer.use([weekly], now: now) }
            for (schedule, turn) in timer.due(now: now) {
                // Not all can be put into the outbox at once; those come again.
                guard Bool.random(using: &random) else { continue }
                if until != .min { #expect(turn.sinceMicroseconds == until) }
                until = turn.untilMicroseconds
                timer.sent(schedule, dueMicroseconds: turn.dueMicroseconds)
                sent.append(turn.dueMicroseconds)
            }
            #expect(timer.due(now: now).allSatisfy { !sent.contains($0.turn.dueMicroseconds) })
        }
        #expect(sent == Array(Set(sent)).sorted())
        #expect(sent.count > 20)
    }

    @Test func whatWasMissedIsInTheNextOne() {
        var timer = begun(monday)
        let due = timer.due(now: monday + 3 * week + 1)
        #expect(due.map(\.turn.dueMicroseconds) == [monday + 3 * week])
        #expect(due.first?.turn.sinceMicroseconds == micro("2026-03-09T00:00:00Z"))
        // Not half a year of it.
        let late = timer.due(now: monday + 40 * week)
        let turn = late.first?.turn
        #expect(
            turn?.sinceMicroseconds
                == turn.map { $0.untilMicroseconds - ReportTimer.missedMicrosecondsMax }
        )
    }

    @Test func anotherTimeOfTheDayIsAnotherSchedule() {
        var timer = begun(monday)
        let tuesday = ReportSchedule(sink: "ops", period: .week(on: 1), minute: 420)
        let wednesday = monday + 2 * 86_400_000_000
        timer.use([tuesday], now: wednesday)
        #expect(timer.due(now: wednesday).isEmpty)
        #expect(timer.next(after: wednesday) == monday + 8 * 86_400_000_000)
    }

    @Test func aClockThatWasWrongHoldsNothingUp() {
        var timer = begun(monday)
        timer.sent(weekly, dueMicroseconds: monday + 500 * week)
        // Set right again: nothing is sent at once, and the next turn is.
        #expect(timer.due(now: monday + 1).isEmpty)
        #expect(timer.due(now: monday + 1).isEmpty)
        #expect(timer.due(now: monday + week).map(\.turn.dueMicroseconds) == [monday + week])
        // An hour back repeats nothing.
        timer.sent(weekly, dueMicroseconds: monday + week)
        #expect(timer.due(now: monday + week - 3_600_000_000).isEmpty)
        #expect(timer.due(now: monday + week + 1).isEmpty)
    }

    @Test func theNameIsThatOfTheTurn() {
        let id = ReportTimer.id(weekly, dueMicroseconds: monday)
        #expect(id == ReportTimer.id(weekly, dueMicroseconds: monday))
        #expect(id != ReportTimer.id(weekly, dueMicroseconds: monday + week))
        #expect(id.hasPrefix("report-"))
    }

    @Test func bytesThatAreNoTimerAreRefused() throws {
        let stored = begun(monday).stored
        for count in 0..<stored.count {
            var timer = ReportTimer(zone: .utc)
            #expect(throws: (any Error).self) { try timer.restore(Array(stored.prefix(count))) }
        }
    }
}

extension Calendar {
    fileprivate static let utc: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar
    }()
}
