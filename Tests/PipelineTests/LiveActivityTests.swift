import MailEvents
import TestSupport
import Testing

@testable import Pipeline

/// What accounts did in the last hour, against a list of everything.
struct LiveActivityTests {
    private func event(_ account: Int, receipt: Bool, unseen: Bool) -> SendEvent {
        var event = SendEvent()
        event.text = Array("account\(account)@hosted.example".utf8)
        event.account = TextRange(start: 0, count: event.text.count)
        event.accountHash = UInt64(account) + 1
        event.receipt = receipt ? .notRead : .none
        event.facts.isDomainUnseen = unseen
        return event
    }

    private struct Sent {
        var minute: Int64
        var account: Int
        var isReceipt: Bool
        var isUnseen: Bool
    }

    /// forall histories: the minutes hold the last 60 of them, and accounts the last 12 slots of five.
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func theHourIsThatOfAList(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var activity = Activity()
        var all: [Sent] = []
        var minute: Int64 = 29_000_000
        for _ in 0..<400 {
            switch Int.random(in: 0..<40, using: &random) {
            case 0: minute += Int64.random(in: 50...200, using: &random)
            case 1..<8: minute += Int64.random(in: 1...9, using: &random)
            default: break
            }
            let sent = Sent(
                minute: minute,
                account: Int.random(in: 0..<12, using: &random),
                isReceipt: Bool.random(using: &random),
                isUnseen: Bool.random(using: &random)
            )
            all.append(sent)
            activity.submitted(
                event(sent.account, receipt: sent.isReceipt, unseen: sent.isUnseen),
                isFirst: true,
                at: minute * 60_000_000 + Int64.random(in: 0..<60_000_000, using: &random)
            )
            let minutes = activity.lastMinutes
            #expect(minutes.count == 60)
            for (index, tally) in minutes.enumerated() {
                let number = minute - 59 + Int64(index)
                #expect(tally.sends == UInt64(all.count { $0.minute == number }))
            }
            let since = (minute / 5 - 11) * 5
            let recent = all.filter { $0.minute >= since }
            #expect(activity.accounts.count == Set(recent.map(\.account)).count)
            for account in activity.accounts {
                let own = recent.filter { "account\($0.account)@hosted.example" == account.name }
                #expect(account.hour.sends == UInt32(own.count))
                #expect(account.hour.receipts == UInt32(own.count { $0.isReceipt }))
                #expect(account.hour.unseen == UInt32(own.count { $0.isUnseen }))
            }
        }
        #expect(activity.total.sends == 400)
    }

    @Test func theBusiestAreThoseOfEachMeasure() {
        var activity = Activity()
        let time: Int64 = 1_772_359_200_000_000
        for account in 0..<50 {
            for _ in 0...account {
                activity.submitted(
                    event(account, receipt: account == 1, unseen: account == 0),
                    isFirst: true,
                    at: time
                )
            }
        }
        let names = activity.busiest(3).map(\.name)
        #expect(
            names == [49, 48, 47, 1, 0].map { "account\($0)@hosted.example" }
        )
    }

    @Test func accountsBeyondTheBoundAreCountedTogether() {
        var activity = Activity()
        let time: Int64 = 1_772_359_200_000_000
        for account in 0..<(Activity.accountsMax + 10) {
            activity.submitted(
                event(account, receipt: false, unseen: false),
                isFirst: true,
                at: time
            )
        }
        #expect(activity.accounts.count == Activity.accountsMax)
        #expect(activity.sendsOfOthers == 10)
        #expect(activity.total.sends == UInt64(Activity.accountsMax + 10))
    }

    @Test func aClockThatGoesBackMovesNothing() {
        var activity = Activity()
        activity.submitted(
            event(1, receipt: false, unseen: false),
            isFirst: true,
            at: 7_200_000_000
        )
        activity.submitted(event(1, receipt: false, unseen: false), isFirst: false, at: 0)
        #expect(activity.accounts.first?.hour.sends == 2)
        #expect(activity.total.messages == 1)
    }
}
