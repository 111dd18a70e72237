import MailEvents
import MailLog
import Records
import Testing

private let outer = "2026-03-01 10:00:00 1xVVVr-0007L6-1I "
private let arrival =
    "<= kira@b.example H=(pc) [192.0.2.7] P=esmtpa A=plain:kira@b.example S=390 id=1@pc.example "

@Suite struct EximAssemblyTests {
    @Test func oneMessageFromItsLines() throws {
        let events = try eximEvents(
            outer + arrival
                + "T=\"Not read: Gr\\303\\266\\303\\237e \\\"x\\\"\" for a@x.example c@y.example",
            outer + "== a@x.example R=r T=t defer (-44): later",
            outer + "** c@y.example R=r T=t H=mx [203.0.113.1]: 550 no",
            outer + "=> a@x.example R=r T=t H=mx [203.0.113.1] C=\"250 ok\"",
            outer + "Completed"
        )
        #expect(events.map(\.recipient) == ["a@x.example", "c@y.example"])
        #expect(events.map(\.delivery) == ["sent", "bounced"])
        for event in events {
            #expect(event.account == "kira@b.example")
            #expect(event.sender == "kira@b.example")
            #expect(event.subject == "Not read: Größe \"x\"")
            #expect(event.messageID == "1@pc.example")
            #expect(event.sourceIP == "192.0.2.7")
            #expect(event.receipt == "not-read")
            #expect(event.host == nil)
        }
    }

    @Test func recipientsComeFromDeliveriesWhereTheArrivalNamesNone() throws {
        var run = try EximRun()
        run.take([outer + arrival + "T=\"x\""])
        #expect(run.told == [])
        run.take([outer + "=> kira <kira@b.example> R=l T=m", outer + "** c@y.example: no"])
        #expect(run.told == ["submitted", "heard", "settled", "submitted", "settled"])
        #expect(run.finish().map(\.recipient) == ["kira@b.example", "c@y.example"])
    }

    /// An alias' deliveries are the recipient's that the client gave.
    @Test func aliasesAddNoRecipients() throws {
        let events = try eximEvents(
            outer + arrival + "for list@b.example",
            outer + "=> kira <list@b.example> R=l T=m",
            outer + "** c@y.example <list@b.example> R=r T=t H=mx [203.0.113.1]: 550 no",
            outer + "Completed"
        )
        #expect(events.map(\.recipient) == ["list@b.example"])
        #expect(events.map(\.delivery) == ["sent"])
    }

    @Test func aLogwriteLineBeforeTheArrivalBelongsToIt() throws {
        let report = outer + "report-type=disposition-notification"
        let read = try eximEvents(report, outer + arrival + "T=\"Bestätigung\" for a@x.example")
        #expect(read.map(\.receipt) == ["unknown"])
        let known = try eximEvents(report, outer + arrival + "T=\"Read: x\" for a@x.example")
        #expect(known.map(\.receipt) == ["read"])
        let other = try eximEvents(
            outer + "report-type=delivery-status",
            outer + arrival + "T=\"x\" for a@x.example"
        )
        #expect(other.map(\.receipt) == [nil])
        // Of another message.
        let foreign = try eximEvents(
            "2026-03-01 10:00:00 1xVVVr-0007L7-1I report-type=disposition-notification",
            outer + arrival + "T=\"x\" for a@x.example"
        )
        #expect(foreign.map(\.receipt) == [nil])
    }

    /// A message that is refused after its data has no further line.
    @Test func whatNeverArrivesIsForgotten() throws {
        var run = try EximRun()
        run.take([outer + "report-type=disposition-notification"])
        #expect(run.assembler.openCount == 1)
        // Each line is a second later than the last.
        run.take([String](repeating: "2026-03-01 10:00:00 1xVVVr-0009L6-1I Completed", count: 601))
        #expect(run.assembler.openCount == 0)
    }

    /// Cutthrough: the delivery is logged before the message is taken in (receive.c).
    @Test func anOutcomeMayComeBeforeTheArrival() throws {
        var run = try EximRun()
        run.take([
            outer + ">> a@x.example R=r T=t H=mx [203.0.113.1] C=\"250 ok\"",
            outer + arrival + "T=\"x\" for a@x.example",
        ])
        #expect(run.told == ["remote", "submitted", "settled"])
        run.take([outer + "Completed"])
        #expect(run.finish().map(\.delivery) == ["sent"])
    }

    @Test(arguments: [
        (["removed by root", "Completed"], "discarded"),
        (["Unfrozen by forced delivery", "cancelled by root", "Completed"], "bounced"),
        (["cancelled by timeout_frozen_after", "Completed"], "expired"),
        (["unfrozen by root", "=> a@x.example R=r T=t H=mx [203.0.113.1]", "Completed"], "sent"),
        (["Message is frozen"], "held"), (["unfrozen by root"], "unknown"),
        (["=> blackhole (DATA ACL discarded recipients)", "Completed"], "discarded"),
        (["=> :blackhole: <a@x.example> R=aliases", "Completed"], "sent"),
        (["** a@x.example: retry timeout exceeded", "Completed"], "expired"),
    ]) func aFrozenMessageEndsAsItsLinesSay(_ lines: [String], _ delivery: String) throws {
        var run = try EximRun()
        run.take([outer + arrival + "for a@x.example", outer + "frozen by ACL"])
        run.take(lines.map { outer + $0 })
        #expect(run.finish().map(\.delivery) == [delivery])
    }

    /// A content filter on loopback: what it hands back is another message, whose outcome counts.
    @Test(arguments: ["mx", "127.0.0.1"], [true, false])
    func aFilterIsFollowedOnLoopbackOnly(_ host: String, innerEndsFirst: Bool) throws {
        let inner = "2026-03-01 10:00:01 1xVVVs-0007L9-1I "
        let isLoopback = host == "127.0.0.1"
        let address = isLoopback ? "127.0.0.1" : "203.0.113.1"
        let arrived = [
            outer + arrival + "T=\"x\" for a@x.example",
            inner + "<= kira@b.example H=(localhost) [127.0.0.1] P=esmtp S=600 for a@x.example",
        ]
        let innerEnd = [
            inner + "** a@x.example R=r T=t H=mx [203.0.113.9]: 550 no", inner + "Completed",
        ]
        let outerEnd = [
            outer + "=> a@x.example R=f T=f H=\(host) [\(address)]:10024 "
                + "C=\"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 OK id=1xVVVs-0007L9-1I\"",
            outer + "Completed",
        ]
        var run = try EximRun()
        run.take(arrived)
        run.take(innerEndsFirst ? innerEnd + outerEnd : outerEnd + innerEnd)
        let events = run.finish()
        #expect(events.map(\.recipient) == ["a@x.example"])
        #expect(events.map(\.delivery) == [isLoopback ? "bounced" : "sent"])
    }

    /// Of a line whose reading is doubtful, the recipients come from the delivery lines.
    @Test func aDoubtfulLineGivesNoRecipients() throws {
        // A login with a colon, or what the client gave as `AUTH=`?
        let line = outer + arrival.replacing("plain:kira@b.example", with: "plain:kira:x y")
        var run = try EximRun()
        run.take([line + "for a@x.example"])
        #expect(run.told == [])
        #expect(run.assembler.counters.ambiguousHeaders == 1)
        run.take([outer + "=> c@x.example R=r T=t H=mx [203.0.113.1]"])
        let events = run.finish()
        #expect(events.map(\.isAmbiguous) == [true])
        #expect(events.map(\.account) == ["kira"])
        #expect(events.map(\.recipient) == ["c@x.example"])
    }

    @Test func localDeliveriesTeachWhatIsHeard() throws {
        var run = try EximRun()
        run.take([
            outer + "<= win@spam.example H=(x) [192.0.2.9] P=esmtp S=384 for kira@b.example",
            outer + "=> kira <kira@b.example> R=l T=m",
            outer + "=> c@y.example <kira@b.example> R=r T=t H=mx [203.0.113.1]",
            outer + "=> :blackhole: <hole@b.example> R=aliases",
            outer + "=> f@y.example R=f T=f H=localhost [127.0.0.1]:10024",
        ])
        #expect(run.told == ["heard", "remote"])
        #expect(run.finish() == [])
    }
}

/// Lines that were longer than syslog lets Exim write.
@Suite struct EximSplitLineTests {
    private static let head = "Mar  1 10:00:00 mx2 exim"
    private static let recipients = (0..<60).map { "r\($0)@many.example" }
    private static let text =
        "2026-03-01 10:00:00 1xVVVr-0007L6-1I " + arrival + "T=\"Not read: x\" for "
        + recipients.joined(separator: " ")

    /// The text in parts of so many bytes, as log.c, `write_syslog`, numbers them.
    private func parts(of text: String, _ count: Int = 870, process: Int = 4711) -> [String] {
        let bytes = Array(text.utf8)
        let starts = Array(stride(from: 0, to: bytes.count, by: count))
        return starts.enumerated().map { index, start in
            let part = String(
                decoding: bytes[start..<min(start + count, bytes.count)],
                as: UTF8.self
            )
            return "\(Self.head)[\(process)]: [\(index + 1)/\(starts.count)] \(part)"
        }
    }

    @Test(arguments: [870, 400, 100, 25])
    func theyAreReadAsIfTheyWereOne(_ count: Int) throws {
        var run = try EximRun()
        run.take(parts(of: Self.text, count))
        let events = run.finish()
        #expect(events.map(\.recipient) == Self.recipients)
        #expect(events.allSatisfy { $0.account == "kira@b.example" && $0.host == "mx2" })
        #expect(events.allSatisfy { $0.subject == "Not read: x" && $0.receipt == "not-read" })
        #expect(run.scanner.counters.unparsed == 0)
    }

    /// A whole line of the same message follows: both have one key.
    @Test func theirMessageIsThatOfWholeLines() throws {
        var run = try EximRun()
        run.take(parts(of: Self.text))
        run.take([
            Self.head + "[4712]: 2026-03-01 10:00:01 1xVVVr-0007L6-1I => r7@many.example R=r T=t "
                + "H=mx [203.0.113.1]"
        ])
        #expect(run.finish().map(\.delivery).filter { $0 == "sent" }.count == 1)
    }

    @Test func thePartsOfSeveralProcessesStandAmongEachOther() throws {
        let first = parts(of: Self.text, 400, process: 1)
        let second = parts(
            of: Self.text.replacing("1xVVVr-0007L6-1I", with: "1xVVVr-0007L7-1I"),
            400,
            process: 2
        )
        var run = try EximRun()
        for (one, other) in zip(first, second) { run.take([one, other]) }
        #expect(run.finish().count == 2 * Self.recipients.count)
    }

    /// Half a line is never read: not with a part lost, twice there, or of another line.
    @Test(arguments: 0..<4) func aMissingPartLosesTheLine(_ missing: Int) throws {
        let all = parts(of: Self.text, 320)
        try #require(all.count == 4)
        var lost = all
        lost.remove(at: missing)
        var run = try EximRun()
        run.take(lost)
        #expect(run.finish() == [])
        var twice = all
        twice.insert(all[missing], at: missing)
        var second = try EximRun()
        second.take(twice)
        // A first part begins anew; behind the last nothing is waited for.
        let isWhole = missing == 0 || missing == 3
        #expect(second.finish().count == (isWhole ? Self.recipients.count : 0))
        // The next line is whole again.
        var third = try EximRun()
        third.take(lost + all)
        #expect(third.finish().map(\.recipient) == Self.recipients)
    }

    @Test func aPartThatComesTooLateIsOfAnotherLine() throws {
        let all = parts(of: Self.text)
        let silence = [String](repeating: Self.head + "[9]: 2026-03-01 10:00:00 x", count: 61)
        var run = try EximRun()
        run.take([all[0]] + silence + all[1...])
        #expect(run.finish() == [])
    }

    @Test func whatMakesNoSenseWhenJoinedIsCounted() throws {
        var run = try EximRun()
        run.take(parts(of: Self.text + " <x>"))
        #expect(run.finish() == [])
        #expect(run.assembler.counters.splitLinesUnparsed == 1)
    }

    /// A stranger's text that looks like a part within a part is none.
    @Test func aPartWithinAPartIsText() throws {
        var run = try EximRun()
        run.take(parts(of: "[1/2] [1/2] [1/2] x", 6))
        #expect(run.finish() == [])
        #expect(run.assembler.openCount == 0)
    }

    /// A mailbox' name is looked up in the line that came last: not of a line in parts.
    @Test func whatTheyDeliverIsHeardOfNobody() throws {
        var run = try EximRun()
        let arrived = outer + "<= win@spam.example H=(x) [192.0.2.9] P=esmtp S=384"
        let delivered = outer + "=> kira <kira@b.example> R=l T=m"
        run.take(parts(of: arrived, 40) + parts(of: delivered, 40))
        #expect(run.told == ["local"])
    }

    /// The raw lines are the proof, not what they were joined to.
    @Test func theirRawLinesAreKept() throws {
        var run = try EximRun()
        let all = parts(of: Self.text, 400)
        run.take(all)
        let kept = run.assembler.lines(slot: 0).map { String(decoding: $0.bytes, as: UTF8.self) }
        #expect(kept == all)
    }

    /// forall places between two parts: a stop there loses nothing.
    @Test(arguments: 1..<4) func partsThatWaitAreStored(_ count: Int) throws {
        let all = parts(of: Self.text, 320)
        var stored: [AssemblerPiece] = []
        do {
            var run = try EximRun(tracksChanges: true)
            run.take(Array(all[..<count]))
            stored = run.assembler.takeChanges()
        }
        var run = try EximRun()
        try run.assembler.restore(stored)
        run.take(Array(all[count...]))
        #expect(run.finish().map(\.recipient) == Self.recipients)
    }
}
