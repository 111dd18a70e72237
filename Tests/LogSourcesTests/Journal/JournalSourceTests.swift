import Glibc
import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport
import Testing

/// A real journald, followed. All of it is about what comes, never about when.
@Suite(.enabled(if: RealJournald.isPossible, "a journald of our own needs root"))
struct JournalSourceTests {
    /// In a private journald nothing belongs to a unit, so the facility tells what is genuine.
    private func selection(_ journald: RealJournald) -> JournalSelection {
        JournalSelection(
            place: .directory(journald.journals),
            matches: [.init(field: "SYSLOG_FACILITY", values: ["2"])]
        )
    }

    private func messages(_ given: GivenEntries) -> [String] {
        given.texts.map { String($0.split(separator: " ", maxSplits: 3)[3]) }
    }

    @Test func linesComeInTheOrderInWhichTheyWereLogged() throws {
        let folder = try ScratchFolder()
        let journald = try RealJournald(folder.path)
        let wanted = (0..<3_000).map { "4WxYz12BbCzNk: line \($0)" }
        for message in wanted.prefix(1_000) { journald.log(message) }
        var follower = try JournalFollower(selection(journald))
        try follower.read(lines: 1_000)
        // Now live.
        for message in wanted[1_000..<2_000] { journald.log(message) }
        try follower.read(lines: 2_000)
        for message in wanted[2_000...] { journald.log(message) }
        try follower.read(lines: 3_000)
        #expect(messages(follower.given) == wanted)
        #expect(follower.given.notes.isEmpty)
        #expect(follower.given.forgedCount == 0)
        let positions = follower.given.positions
        #expect(zip(positions, positions.dropFirst()).allSatisfy { $0 < $1 })
        let file = follower.source.files[FileNumber(0)]
        #expect(file?.path.hasPrefix("journal:") == true)
        #expect(file?.path.utf8.count == 40)
    }

    @Test func aJournalMayBeBegunAtItsEndOrAtATime() throws {
        let folder = try ScratchFolder()
        let journald = try RealJournald(folder.path)
        journald.log("4WxYz12BbCzNk: first")
        var all = try JournalFollower(selection(journald))
        try all.read(lines: 1)
        usleep(2_000)
        let middle = Clocks.realtimeMicroseconds()
        usleep(2_000)
        journald.log("4WxYz12BbCzNk: second")
        try all.read(lines: 2)
        var ofTime = try JournalFollower(selection(journald), start: .time(middle))
        try ofTime.read(lines: 1)
        var ofEnd = try JournalFollower(selection(journald), start: .presentEnd)
        try ofEnd.drain()
        #expect(ofEnd.given.lines.isEmpty)
        journald.log("4WxYz12BbCzNk: third")
        try ofEnd.read(lines: 1)
        try ofTime.read(lines: 2)
        #expect(messages(ofEnd.given) == ["4WxYz12BbCzNk: third"])
        #expect(messages(ofTime.given) == ["4WxYz12BbCzNk: second", "4WxYz12BbCzNk: third"])
        #expect(ofEnd.given.notes.isEmpty)
        #expect(ofTime.given.notes.isEmpty)
    }

    /// What `logger` writes as root, and as another user with the right facility.
    @Test func forgedEntriesAreCountedAndNeverRead() throws {
        let folder = try ScratchFolder()
        let journald = try RealJournald(folder.path)
        var follower = try JournalFollower(selection(journald))
        journald.log("first")
        // The other user has to get to it.
        unsafe chmod(folder.path.string, 0o755)
        let socket = journald.socketPath
        let text = "4WxYz12BbCzNk: client=x[192.0.2.1], sasl_username=victim@example.org"
        try run("/usr/bin/logger", "-u", socket, "-t", "postfix/smtpd", text)
        try run(
            "/usr/bin/setpriv",
            "--reuid=65534",
            "--clear-groups",
            "/usr/bin/logger",
            "-u",
            socket,
            "-p",
            "mail.info",
            "-t",
            "postfix/smtpd",
            text
        )
        try run("/usr/bin/logger", "-u", socket, "-t", "sshd", text)
        journald.log("last")
        try follower.read(lines: 2)
        #expect(messages(follower.given) == ["first", "last"])
        #expect(follower.given.forgedCount == 2)
        // Told once; what comes within the hour is told with the next.
        let forged = try #require(follower.given.forged.first)
        #expect(follower.given.forged.count == 1)
        #expect(forged.identifier == "postfix/smtpd")
        #expect(forged.userID == 0)
    }

    @Test func forgedEntriesAreToldOfAgainWhenTheTimeIsOver() throws {
        let folder = try ScratchFolder()
        let journald = try RealJournald(folder.path)
        var limits = JournalLimits()
        limits.forgedNoteNanoseconds = 1
        var follower = try JournalFollower(selection(journald), limits: limits)
        for count in 1...3 {
            journald.log("forged", priority: 14)
            try follower.read { $0.forgedCount == count }
            #expect(follower.given.forged.reduce(0) { $0 + $1.count } == count)
            // The cursor has moved, so they are not counted again after a restart.
            #expect(follower.cursors.count >= count)
        }
        #expect(follower.given.lines.isEmpty)
    }

    /// Histories of writing, rotation, vacuum and restart, against a list of what was logged.
    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func nothingIsLostOrReadTwice(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let folder = try ScratchFolder()
        let journald = try RealJournald(folder.path)
        let selection = selection(journald)
        var follower = try JournalFollower(selection)
        var logged: [String] = []
        var committed: [String] = []
        for _ in 0..<40 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3:
                for _ in 0..<Int.random(in: 1..<300, using: &random) {
                    logged.append("line \(logged.count)")
                    journald.log(logged[logged.count - 1])
                    if Int.random(in: 0..<20, using: &random) == 0 {
                        journald.log("other", tag: "cron", priority: 78)
                    }
                }
            case 4: journald.askToRotate()
            case 5...6: _ = try follower.fill()
            case 7:
                // All that was read may go; what was not read has to stay.
                try follower.read(lines: logged.count - committed.count)
                try journald.vacuum()
                follower.cursors = Array(follower.cursors.suffix(1))
            default:
                // It is killed, and goes on from one of the last committed cursors.
                guard !follower.cursors.isEmpty else { continue }
                let back = Int.random(in: 0..<3, using: &random)
                let kept = follower.cursors[max(0, follower.cursors.count - 1 - back)]
                committed += messages(follower.given).prefix(kept.lines)
                #expect(follower.given.notes.isEmpty)
                follower = try JournalFollower(selection, cursor: kept.cursor)
            }
        }
        logged.append("the end")
        journald.log("the end")
        try follower.read(lines: logged.count - committed.count)
        #expect(committed + messages(follower.given) == logged)
        // A vacuum may take what a restart has still to read again; nothing else is told.
        #expect(follower.given.notes.isEmpty)
    }

    @Test func whatWasVacuumedUnreadIsTold() throws {
        let folder = try ScratchFolder()
        let journald = try RealJournald(folder.path)
        var follower = try JournalFollower(selection(journald))
        journald.log("read")
        try follower.read(lines: 1)
        let cursor = try #require(follower.cursors.last?.cursor)
        for isRestarted in [false, true] {
            journald.log("lost \(isRestarted)")
            var witness = try JournalFollower(selection(journald), cursor: cursor)
            try witness.read { $0.texts.contains { $0.hasSuffix("lost \(isRestarted)") } }
            try journald.rotate()
            try journald.vacuum()
            journald.log("kept \(isRestarted)")
            if isRestarted {
                let last = try #require(follower.cursors.last?.cursor)
                follower = try JournalFollower(selection(journald), cursor: last)
            }
            try follower.read { $0.texts.contains { $0.hasSuffix("kept \(isRestarted)") } }
            #expect(!follower.given.texts.contains { $0.hasSuffix("lost \(isRestarted)") })
            let gap = try #require(follower.given.vacuumed.last)
            #expect(follower.given.vacuumed.count == 1)
            #expect(gap.fromMicroseconds < gap.toMicroseconds)
        }
    }

    @Test func aVacuumOfWhatWasReadIsNoGap() throws {
        let folder = try ScratchFolder()
        let journald = try RealJournald(folder.path)
        var follower = try JournalFollower(selection(journald))
        journald.log("one")
        try follower.read(lines: 1)
        try journald.rotate()
        // journald tells of its own in between, which is passed over.
        try follower.drain()
        try journald.vacuum()
        journald.log("two")
        try follower.read(lines: 2)
        #expect(messages(follower.given) == ["one", "two"])
    }

    @Test func aWaitEndsWhenItIsStopped() throws {
        let folder = try ScratchFolder()
        let journald = try RealJournald(folder.path)
        var follower = try JournalFollower(selection(journald))
        journald.log("one")
        try follower.read(lines: 1)
        try follower.drain()
        follower.stop.ring()
        #expect(try follower.source.wait(stop: follower.stop, atMost: nil) == .stopped)
    }

    @Test func aCursorThatIsNoneMeansReadingAgain() throws {
        let folder = try ScratchFolder()
        let entries = (0..<20).map { CraftedEntry($0, "entry \($0)") }
        let path = try folder.journal("a.journal", entries)
        let selection = JournalSelection(
            place: .files([path]),
            units: ["postfix@-.service"]
        )
        let time: Int64 = 1_795_000_000_000_000
        for text in ["", "nonsense", "s=1;i=zz", "s=ffffffffffffffffffffffffffffffff;i=5;b=00"] {
            let cursor = JournalCursor(text: text, realtimeMicroseconds: time + 5)
            var follower = try JournalFollower(selection, cursor: cursor)
            try follower.drain()
            #expect(follower.given.lines == entries[5...].map(\.line), "\(text)")
            #expect(follower.given.vacuumed.count == 1)
        }
    }

    /// From every entry on, by the real cursor.
    @Test func readingGoesOnBehindEveryCursor() throws {
        let folder = try ScratchFolder()
        let entries = (0..<40).map {
            CraftedEntry($0, "entry \($0)", $0 % 3 == 0 ? ["_SYSTEMD_UNIT": "ssh.service"] : [:])
        }
        let path = try folder.journal("a.journal", entries)
        let selection = JournalSelection(place: .files([path]), units: ["postfix@-.service"])
        var whole = try JournalFollower(selection)
        whole.batch = Batch(byteCapacity: LineSplitter.batchBytesMin, lineCapacity: 1)
        try whole.drain()
        let genuine = entries.filter { $0.value("_SYSTEMD_UNIT")?.first == UInt8(ascii: "p") }
        #expect(whole.given.lines == genuine.map(\.line))
        // Those of the other unit claim to be Postfix's.
        #expect(whole.given.forgedCount == entries.count - genuine.count)
        for (cursor, lines) in whole.cursors {
            var follower = try JournalFollower(selection, cursor: cursor)
            try follower.drain()
            #expect(follower.given.lines == Array(whole.given.lines[lines...]))
            #expect(follower.given.vacuumed.isEmpty)
        }
    }

    /// As when journald moves its entries from `/run` to `/var`, while it is followed and while not.
    @Test(arguments: [false, true])
    func entriesThatAreNumberedAnewAreNotReadTwice(isRestarted: Bool) throws {
        let folder = try ScratchFolder()
        let entries = (0..<30).map { CraftedEntry($0, "entry \($0)") }
        let journals = folder.path.appending("journals")
        try SystemCalls().makeFolder(journals, mode: 0o755)
        let before = try folder.journal("before.journal", Array(entries.prefix(20)))
        let place = journals.appending("before.journal")
        try SystemCalls().rename(before, to: place)
        let selection = JournalSelection(
            place: .directory(journals),
            units: ["postfix@-.service"]
        )
        var follower = try JournalFollower(selection)
        try follower.read(lines: 20)
        try follower.drain()
        let after = try folder.journal("after.journal", Array(entries.dropFirst(5)))
        let cursor = try #require(follower.cursors.last?.cursor)
        if isRestarted {
            try SystemCalls().remove(place)
            try SystemCalls().rename(after, to: journals.appending("after.journal"))
            let first = follower.given.lines
            follower = try JournalFollower(selection, cursor: cursor)
            follower.given.lines = first
        } else {
            try SystemCalls().rename(after, to: journals.appending("after.journal"))
            try SystemCalls().remove(place)
        }
        try follower.read(lines: 30)
        try follower.drain()
        #expect(follower.given.lines == entries.map(\.line))
        #expect(follower.given.notes.isEmpty)
    }

    @Test func aJournalThatMayNotBeReadSaysWhatToDo() throws {
        let folder = try ScratchFolder()
        let path = try folder.journal("system.journal", [CraftedEntry(0, "entry")])
        for place in [.directory(folder.path), .files([path])] as [JournalSelection.Place] {
            let faults = FaultScript([
                .init(.openat, .from(1), .fail(.permissionDenied), path: path)
            ])
            var follower = try JournalFollower(
                JournalSelection(place: place),
                calls: SystemCalls(faults: faults)
            )
            let error = try #require(throws: SourceError.self) { try follower.fill() }
            #expect(error.code == .permissionDenied)
            #expect(error.advice?.contains("systemd-journal") == true)
        }
    }

    @Test func aJournalThatIsNotThereSaysWhatToDo() throws {
        let folder = try ScratchFolder()
        for path in [folder.path, folder.path.appending("missing")] {
            var follower = try JournalFollower(JournalSelection(place: .directory(path)))
            let error = try #require(throws: SourceError.self) { try follower.fill() }
            #expect(error.code == .notFound)
            #expect(try follower.source.wait(stop: follower.stop, atMost: 0) == .timeout)
        }
        // It comes later.
        _ = try folder.journal("a.journal", [CraftedEntry(0, "entry")])
        var follower = try JournalFollower(JournalSelection(place: .directory(folder.path)))
        try follower.drain()
        #expect(follower.given.lines.count == 1)
    }
}
