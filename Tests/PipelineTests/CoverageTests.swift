import Findings
import Records
import TestSupport
import Testing

@testable import Pipeline

private let minute: Int64 = 60_000_000
private let hour = 60 * minute
private let day = 24 * hour
/// A Monday, 2026-03-02T00:00:00Z.
private let monday: Int64 = 1_772_409_600_000_000

/// The watch, and what it told.
private struct Watch {
    var coverage = Coverage()
    var notices: [Notice] = []
    var secondsEast: (Int64) -> Int64 = { _ in 0 }

    mutating func pass(to time: Int64) {
        coverage.move(to: time, secondsEast: secondsEast(time / 1_000_000))
        notices += coverage.takeNotices()
    }

    mutating func submission(at time: Int64, subject: Bool = true, recipient: Bool = true) {
        pass(to: time)
        coverage.saw(hasSubject: subject, hasRecipient: recipient)
        notices += coverage.takeNotices()
    }
}

/// The shares as rules.md tells them, with all submissions at hand.
private struct SlowShares {
    var all: [(hour: Int64, subject: Bool)] = []
    var isBlind = false

    /// Whether this submission raises the notice.
    mutating func saw(hour: Int64, subject: Bool) -> Bool {
        all.append((hour, subject))
        guard all.count > 200 else { return false }
        let window = all.suffix(200)
        let first = window.first?.hour ?? 0
        let past = all.dropLast(200).filter { $0.hour >= first - 168 }
        let had = window.count { $0.subject }
        let before = past.count { $0.subject }
        let isWatched = past.count >= 50 && before * 4 >= past.count
        let hasFallen = isWatched && Double(had) / 200 < Double(before) / Double(past.count) / 2
        defer { isBlind = hasFallen }
        return hasFallen && !isBlind
    }
}

@Suite struct CoverageTests {
    /// Half of 200 is 100: it is told at the 101st submission without a subject, and once.
    @Test func theNoticeComesWhenTheShareFallsBelowHalfItsMean() {
        var watch = Watch()
        for index in 0..<400 { watch.submission(at: monday + Int64(index) * minute) }
        #expect(watch.notices.isEmpty)
        for index in 400..<500 {
            watch.submission(at: monday + Int64(index) * minute, subject: false)
        }
        #expect(watch.notices.isEmpty)
        for index in 500..<700 {
            watch.submission(at: monday + Int64(index) * minute, subject: false)
        }
        #expect(watch.notices.map(\.name) == ["postern_blind"])
        let notice = watch.notices[0]
        #expect(notice.severity == .high)
        #expect(
            notice.message.hasPrefix("Of the last 200 submissions, the log has the subject of 99;")
        )
        // It sees again, and is blinded again.
        for index in 700..<1_000 { watch.submission(at: monday + Int64(index) * minute) }
        for index in 1_000..<1_200 {
            watch.submission(at: monday + Int64(index) * minute, subject: false)
        }
        #expect(watch.notices.count == 2)
    }

    @Test func recipientsAreWatchedToo() {
        var watch = Watch()
        for index in 0..<600 {
            watch.submission(at: monday + Int64(index) * minute, recipient: index < 400)
        }
        #expect(watch.notices.map { $0.message.contains("the recipient of") } == [true])
    }

    /// A server that never logged subjects is the doctor's, and one of which nothing is known yet.
    @Test(arguments: [0, 10, 12]) func whatWasNeverThereIsNotMissed(before: Int) {
        var watch = Watch()
        for index in 0..<1_000 {
            watch.submission(at: monday + Int64(index) * minute, subject: index < before)
        }
        #expect(watch.notices.isEmpty)
    }

    /// forall submissions: the shares are those of all submissions at hand, also where few come in a
    /// week.
    @Test(arguments: 1...12)
    func theSharesAreThoseOfASlowModel(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var watch = Watch()
        var model = SlowShares()
        var time = monday
        let step = [minute, 20 * minute, 3 * hour].randomElement(using: &random) ?? minute
        var share = 100
        var told = 0
        for index in 0..<1_500 {
            if index % 300 == 0 {
                share = [100, 90, 60, 30, 5, 0].randomElement(using: &random) ?? 0
            }
            time += Int64.random(in: 0...2 * step, using: &random)
            let subject = Int.random(in: 0..<100, using: &random) < share
            let before = watch.notices.count { $0.message.contains("the subject of") }
            watch.submission(at: time, subject: subject)
            let after = watch.notices.count { $0.message.contains("the subject of") }
            let isDue = model.saw(hour: time / hour, subject: subject)
            #expect(after - before == (isDue ? 1 : 0), "submission \(index)")
            if isDue { told += 1 }
        }
        // The seeds include falls.
        if seed == 1 { #expect(told > 0) }
    }

    /// Office hours: 10 an hour from 8 to 18 on weekdays.
    private func office(_ watch: inout Watch, days: Range<Int>, _ extra: (Int, Int64) -> Bool) {
        for number in days where number % 7 < 5 {
            for slot in 0..<60 {
                let local = monday + Int64(number) * day + 8 * hour + Int64(slot) * 10 * minute
                let time = local - watch.secondsEast(local / 1_000_000) * 1_000_000
                guard extra(number, Int64(slot)) else { continue }
                for _ in 0..<2 { watch.submission(at: time) }
            }
        }
    }

    @Test func nightsAndWeekendsAreNoSilence() {
        var watch = Watch()
        office(&watch, days: 0..<28) { _, _ in true }
        #expect(watch.notices.isEmpty)
    }

    /// On a Tuesday of the third week nothing comes from 11 on. 120 are sent on a weekday, so of seven
    /// days the mean is 5/7 of it: the 50 are reached when 70 would have been.
    @Test func aSilenceIsToldOnceItWouldHaveHadFifty() throws {
        var watch = Watch()
        office(&watch, days: 0..<15) { _, _ in true }
        office(&watch, days: 15..<16) { _, slot in slot < 18 }
        let silent = monday + 15 * day + 11 * hour
        var told: Int64?
        for step in 0..<600 {
            watch.pass(to: silent + Int64(step) * minute)
            if told == nil, !watch.notices.isEmpty { told = Int64(step) }
        }
        #expect(watch.notices.count == 1)
        let after = try #require(told)
        // 35 tens of minutes with two each, or one slot later.
        #expect(after >= 340 && after <= 360, "\(after)")
        #expect(
            watch.notices[0].message.hasPrefix("The log has had no submission since 2026-03-17")
        )
    }

    /// A log that says nothing at all tells when it speaks again.
    @Test func aJumpOverASilenceIsTold() {
        var watch = Watch()
        office(&watch, days: 0..<15) { _, _ in true }
        watch.pass(to: monday + 15 * day + 17 * hour)
        #expect(watch.notices.count == 1)
        // Not again, however far it goes.
        watch.pass(to: monday + 400 * day)
        #expect(watch.notices.count == 1)
    }

    @Test func theFirstWeekHasNoNorm() {
        var watch = Watch()
        office(&watch, days: 0..<4) { _, _ in true }
        watch.pass(to: monday + 6 * day + 23 * hour)
        #expect(watch.notices.isEmpty)
    }

    /// Clocks go forward on 29 March 2026 and back on 25 October in Berlin; office hours go with them.
    @Test(arguments: [Int64(1_774_746_000), 1_792_890_000])
    func aClockChangeIsNoSilence(change: Int64) {
        var watch = Watch()
        let isForward = change == 1_774_746_000
        watch.secondsEast = { ($0 < change) == isForward ? 3_600 : 7_200 }
        let firstDay = Int((change * 1_000_000 - monday) / day) / 7 * 7 - 14
        // Round the clock, so that the hour that is left out has a norm.
        for slot in 0..<(28 * 288) {
            let time = monday + Int64(firstDay) * day + Int64(slot) * 5 * minute
            for _ in 0..<20 { watch.submission(at: time) }
        }
        #expect(watch.notices.isEmpty)
        office(&watch, days: (firstDay + 28)..<(firstDay + 42)) { _, _ in true }
    }

    /// forall restarts: what is told does not depend on them.
    @Test(arguments: 1...12)
    func aRestartChangesNothing(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var whole = Watch()
        var pieces: [[UInt8]: Coverage.Piece] = [:]
        var broken = Watch()
        var time = monday
        for _ in 0..<3_000 {
            time += Int64.random(in: 0...20 * minute, using: &random)
            let isQuiet = (time / day) % 5 == 4
            let subject = Int.random(in: 0..<10, using: &random) < ((time / day) % 3 == 0 ? 2 : 9)
            if isQuiet {
                whole.pass(to: time)
                broken.pass(to: time)
            } else {
                whole.submission(at: time, subject: subject)
                broken.submission(at: time, subject: subject)
            }
            guard Int.random(in: 0..<40, using: &random) == 0 else { continue }
            for piece in broken.coverage.takeChanges() {
                let key = [piece.kind.rawValue] + piece.key
                pieces[key] = piece.body == nil ? nil : piece
            }
            broken.coverage = Coverage()
            try broken.coverage.restore(Array(pieces.values))
        }
        #expect(whole.notices == broken.notices)
        #expect(!whole.notices.isEmpty)
        // Bounded: the hours of a week and of the window, seven days, and the clock.
        #expect(pieces.count <= 168 + 200 + 7 + 1)
    }

    /// forall damage: it is refused or taken, and never traps.
    @Test(arguments: 1...40)
    func damagedPiecesAreRefused(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var watch = Watch()
        for index in 0..<500 { watch.submission(at: monday + Int64(index) * minute) }
        var pieces = watch.coverage.takeChanges()
        for _ in 0..<3 {
            let index = Int.random(in: 0..<pieces.count, using: &random)
            guard var body = pieces[index].body, !body.isEmpty else { continue }
            if Bool.random(using: &random) {
                body.removeLast(Int.random(in: 1...body.count, using: &random))
            } else {
                body[Int.random(in: 0..<body.count, using: &random)] = .random(
                    in: 0...255,
                    using: &random
                )
            }
            pieces[index].body = body
        }
        var restored = Watch()
        guard (try? restored.coverage.restore(pieces)) != nil else { return }
        for index in 500..<800 { restored.submission(at: monday + Int64(index) * minute) }
        _ = restored.coverage.takeChanges()
    }
}
