import LinuxIO
import SafeText
import Synchronization
import Testing

@testable import Pipeline

/// How often something was asked for, on whatever thread.
private final class EventCountingBox: Sendable {
    private let number = Atomic(0)

    func count() { number.add(1, ordering: .relaxed) }

    var value: Int { number.load(ordering: .relaxed) }
}

struct LiveBoardTests {
    @Test func theRateIsThatOfTheLastTenSeconds() {
        let board = LiveBoard()
        #expect(board.read().linesPerSecond == 0)
        let now = Clocks.monotonicNanoseconds()
        let second: UInt64 = 1_000_000_000
        for back in (0...30).reversed() {
            var figures = LiveFigures()
            // A thousand a second, and five hundred before.
            let age = UInt64(back)
            figures.totals.linesOfRun = age > 12 ? (30 - age) * 500 : 9_000 + (12 - age) * 1_000
            board.publish(figures, at: now - age * second)
        }
        #expect((900...1_100).contains(board.read().linesPerSecond))
        #expect(board.read().figures.totals.linesOfRun == 21_000)
    }

    @Test func whatIsOldIsNoRate() {
        let board = LiveBoard()
        let now = Clocks.monotonicNanoseconds()
        var figures = LiveFigures()
        figures.totals.linesOfRun = 5_000
        board.publish(LiveFigures(), at: now - 40_000_000_000)
        board.publish(figures, at: now - 30_000_000_000)
        #expect(board.read().linesPerSecond == 0)
    }

    @Test func aliveIsWhoGaveASignNotLongAgo() {
        let board = LiveBoard()
        #expect(!board.isAlive(within: 1_000_000_000))
        board.beat(at: Clocks.monotonicNanoseconds())
        #expect(board.isAlive(within: 60_000_000_000))
        board.beat(at: Clocks.monotonicNanoseconds() - 2_000_000_000)
        #expect(!board.isAlive(within: 1_000_000_000))
    }

    @Test func theAccountsAreThoseOfNowAndAreCopiedOnlyWhenAskedFor() async {
        let board = LiveBoard()
        #expect(!board.isAsked)
        // Nobody is there who could answer.
        #expect(await board.accounts(within: 60_000_000_000) == nil)
        #expect(board.isAsked)
        let asked = EventCountingBox()
        board.connect {
            asked.count()
            board.put(
                LiveAccounts(
                    nanoseconds: Clocks.monotonicNanoseconds(),
                    accounts: [],
                    sendsOfOthers: 7
                )
            )
        }
        let first = await board.accounts(within: 0)
        #expect(first?.sendsOfOthers == 7)
        #expect(!board.isAsked)
        #expect(await board.accounts(within: 60_000_000_000)?.nanoseconds == first?.nanoseconds)
        #expect(asked.value == 1)
        #expect(await board.accounts(within: 0)?.nanoseconds != first?.nanoseconds)
        #expect(asked.value == 2)
        // What nobody has asked for lately is let go.
        board.publish(LiveFigures(), at: Clocks.monotonicNanoseconds() + 61_000_000_000)
        _ = await board.accounts(within: 60_000_000_000)
        #expect(asked.value == 3)
    }

    /// Names of accounts are what strangers typed.
    @Test func theFiguresAreOneJSONObjectWhateverTheNames() throws {
        var figures = LiveFigures()
        figures.accounts = [
            LiveFigures.Account(
                name: "\"}\n\u{202e}</script>\u{0}",
                sends: 1,
                unseen: 0,
                receipts: 0,
                lastMicroseconds: 0
            )
        ]
        figures.notices = [Array(#"{"message":"x"}"#.utf8)]
        let json = figures.json(linesPerSecond: 3)
        #expect(!json.contains(0x0a))
        let object = try JSONObjectReader.read(json)
        #expect(object["lines_per_second"]?.integer == 3)
        #expect(
            object["accounts"]?.objects?.first?["user.name"]?.string == figures.accounts[0].name
        )
        #expect(object["notices"]?.objects?.first?["message"]?.string == "x")
    }
}
