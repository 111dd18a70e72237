import Records
import State
import SystemPackage
import TestSupport
import Testing

@testable import Pipeline

struct LogHoursTests {
    private func store() throws -> (scratch: Scratch, store: StateStore) {
        let scratch = try Scratch()
        let store = try StateStore(
            folder: FilePath(scratch.path("state")),
            create: StateStore.Creation(nowMicroseconds: 0, host: "mx1")
        )
        return (scratch, store)
    }

    /// forall histories with restarts: the hours are those of a list of everything.
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func theHoursAreThoseOfAList(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (scratch, store) = try store()
        defer { withExtendedLifetime(scratch) {} }
        // Half an hour off, as in Newfoundland.
        let east: Int64 = -12_600
        var hours = LogHours()
        var all: [Int64: LogHour] = [:]
        var time: Int64 = 1_772_359_200_000_000
        for _ in 0..<400 {
            if Int.random(in: 0..<4, using: &random) == 0 {
                time += Int64.random(in: 0...9_000_000_000, using: &random)
            }
            hours.move(to: time, secondsEast: east)
            let local = time + east * 1_000_000
            let start = local - local % 3_600_000_000 - east * 1_000_000
            var expected = all[start] ?? LogHour(startMicroseconds: start)
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                let (subject, recipient) = (
                    Bool.random(using: &random), Bool.random(using: &random)
                )
                hours.submitted(hasSubject: subject, hasRecipient: recipient)
                expected.submissions += 1
                expected.subjects += subject ? 1 : 0
                expected.recipients += recipient ? 1 : 0
            case 1:
                let (receipt, unseen) = (Bool.random(using: &random), Bool.random(using: &random))
                hours.sent(isReceipt: receipt, isUnseen: unseen)
                expected.sends += 1
                expected.receipts += receipt ? 1 : 0
                expected.unseen += unseen ? 1 : 0
            case 2:
                hours.ended(isSettled: true)
                expected.settled += 1
            default:
                hours.ended(isSettled: false)
                expected.unsettled += 1
            }
            all[start] = expected
            var changes = Changes()
            if Int.random(in: 0..<9, using: &random) == 0 {
                hours.takeChanges(into: &changes)
                try store.commit(changes, durable: false)
                if Bool.random(using: &random) {
                    changes.removeAll()
                    hours = LogHours()
                    try hours.restore(from: store, changes: &changes)
                }
            }
        }
        var changes = Changes()
        hours.takeChanges(into: &changes)
        try store.commit(changes, durable: false)
        let stored = try LogHour.all(in: store)
        #expect(stored == all.values.sorted { $0.startMicroseconds < $1.startMicroseconds })
        #expect(stored.count > 20)
    }

    @Test func whatIsOlderThanFourHundredDaysLeaves() throws {
        let (scratch, store) = try store()
        defer { withExtendedLifetime(scratch) {} }
        var hours = LogHours()
        let hour: Int64 = 3_600_000_000
        let start = 1_772_359_200_000_000 / hour * hour
        for step in [0, 1, 5, 400 * 24, 400 * 24 + 3] as [Int64] {
            hours.move(to: start + step * hour, secondsEast: 0)
            hours.sent(isReceipt: false, isUnseen: false)
            var changes = Changes()
            hours.takeChanges(into: &changes)
            try store.commit(changes, durable: false)
        }
        // The first left when the hour came that is 400 days later; another is found by a restart.
        func steps() throws -> [Int64] {
            try LogHour.all(in: store).map { ($0.startMicroseconds - start) / hour }
        }
        #expect(try steps() == [1, 5, 9_600, 9_603])
        var changes = Changes()
        hours = LogHours()
        try hours.restore(from: store, changes: &changes)
        try store.commit(changes, durable: false)
        #expect(try steps() == [5, 9_600, 9_603])
    }

    @Test func beforeTheFirstTimeThereIsNoHour() throws {
        let (scratch, store) = try store()
        defer { withExtendedLifetime(scratch) {} }
        var hours = LogHours()
        hours.ended(isSettled: true)
        hours.move(to: .max, secondsEast: 3_600)
        var changes = Changes()
        hours.takeChanges(into: &changes)
        try store.commit(changes, durable: false)
        #expect(try LogHour.all(in: store).isEmpty)
    }
}
