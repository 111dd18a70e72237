import MailEvents
import MailLog
import Testing

private let one = "7641df9771b4ed00"
private let two = "7641df98aabbccdd"
private let message = "1ef1c203"
private let inner = "2ab4d6e8"

private func line(_ second: Int, _ rest: String) -> String {
    "2026-11-25T16:\(second / 60 + 10):\(second % 60 + 10)Z mx1 smtpd[4711]: \(rest)"
}

private func connected(_ session: String = one, _ address: String = "192.0.2.7") -> String {
    line(0, "\(session) smtp connected address=\(address) host=pc.isp.example")
}

private func login(_ user: String, _ session: String = one) -> String {
    line(1, "\(session) smtp authentication user=\(user) result=ok")
}

private func header(_ rest: String) -> String { line(2, "postern: msgid=\(message) \(rest)") }

private func accepted(_ count: Int = 1, _ session: String = one, _ id: String = message) -> String {
    line(3, "\(session) smtp message msgid=\(id) size=608 nrcpt=\(count) proto=ESMTP")
}

private func envelope(
    _ number: Int,
    _ to: String,
    _ session: String = one,
    _ id: String = message
)
    -> String
{
    line(3, "\(session) smtp envelope evpid=\(id)0000000\(number) from=<kai@b.example> to=<\(to)>")
}

private func delivery(
    _ second: Int,
    _ number: Int,
    _ to: String,
    _ result: String = "Ok",
    rcpt: String = "-",
    relay: String = "203.0.113.9 (mx.x.example)",
    stat: String = "250 ok",
    _ id: String = message
) -> String {
    line(
        second,
        "\(two) mta delivery evpid=\(id)0000000\(number) from=<kai@b.example> to=<\(to)> rcpt=<\(rcpt)> "
            + "source=\"192.0.2.1\" relay=\"\(relay)\" delay=0s result=\"\(result)\" stat=\"\(stat)\""
    )
}

@Suite struct OpenSMTPDAssemblyTests {
    @Test func aMessageIsJoinedFromItsLines() throws {
        var run = try ServerRun()
        run.take([
            connected(), login("kai\\040b@b.example"),
            header("subject=Not read: =?utf-8?Q?=C3=A4?="),
            header("message-id=<1@pc>"), accepted(3), envelope(1, "a@x.example"),
            envelope(2, "c@y.example"), envelope(3, "s@b.example"),
        ])
        #expect(run.told == ["submitted", "submitted", "submitted"])
        run.take([
            delivery(4, 1, "a@x.example"), delivery(4, 2, "c@y.example", "TempFail"),
            delivery(4, 3, "kai@z.example", "PermFail", rcpt: "s@b.example"),
        ])
        #expect(run.openCount == 1)
        run.take([delivery(500, 2, "c@y.example")])
        #expect(run.openCount == 0)
        let events = run.finish()
        #expect(events.map(\.recipient) == ["a@x.example", "c@y.example", "s@b.example"])
        #expect(events.map(\.delivery) == ["sent", "sent", "bounced"])
        for event in events {
            #expect(event.account == "kai b@b.example")
            #expect(event.subject == "Not read: ä")
            #expect(event.receipt == "not-read")
            #expect(event.sender == "kai@b.example")
            #expect(event.messageID == "<1@pc>")
            #expect(event.sourceIP == "192.0.2.7")
            #expect(event.sourceName == "pc.isp.example")
            #expect(event.queueID == message)
        }
    }

    /// vis(3): what a login holds besides printable ASCII.
    @Test(arguments: [
        ("kai@b.example", "kai@b.example"), ("a\\040b", "a b"), ("quo\"te<x>", "quo\"te<x>"),
        ("back\\\\slash", "back\\slash"), ("Zo\\M-C\\M-+", "Zoë"), ("\\^Ax\\^?", "\u{1}x\u{7f}"),
        ("\\M^A", "\u{fffd}"), ("cut\\", "cut\\"), ("cut\\M-", "cut\\M-"), ("\\x", "\\x"),
        ("result=ok", "result=ok"),
    ]) func aLoginIsReadAsItWasGiven(_ logged: String, _ login: String) throws {
        var run = try ServerRun()
        run.take([
            connected(), line(1, "\(one) smtp authentication user=\(logged) result=ok"), accepted(),
            envelope(1, "a@x.example"),
        ])
        #expect(run.finish().map(\.account) == [login])
    }

    @Test(arguments: [
        // No login, one that failed, one of another session, one that is over.
        [connected()],
        [connected(), line(1, "\(one) smtp authentication user=kai result=permfail")],
        [connected(), connected(two), login("kai", two)],
        [connected(), login("kai"), line(2, "\(one) smtp disconnected reason=quit")],
        [connected(), login("kai"), connected()],
    ]) func withoutALoginThereIsNoEvent(_ lines: [String]) throws {
        var run = try ServerRun()
        run.take(lines)
        run.take([accepted(), envelope(1, "a@x.example"), delivery(4, 1, "a@x.example")])
        #expect(run.told == ["remote"])
        #expect(run.openCount == 0)
        #expect(run.finish().isEmpty)
    }

    @Test(arguments: [
        "smtp event=message msgid=%", "smtp event=message address=192.0.2.7 host=pc msgid=%",
    ])
    func theSecondGenerationIsJoined(_ words: String) throws {
        func message(_ to: String, _ copies: Int) -> String {
            line(
                3,
                "\(one) \(words.replacing("%", with: "1ef1c203")) from=<kai@b.example> to=<\(to)> size=9 "
                    + "ndest=\(copies) proto=ESMTP"
            )
        }
        var run = try ServerRun()
        run.take([
            line(0, "\(one) smtp event=connected address=192.0.2.7 host=pc.isp.example"),
            line(1, "\(one) smtp event=authentication user=kai result=ok"),
            message("a@x.example", 1),
            message("list@b.example", 2), message("c@y.example", 1),
            line(3, "\(one) smtp event=closed reason=quit"),
        ])
        #expect(run.told == ["submitted", "submitted", "submitted"])
        func mta(_ to: String, _ rcpt: String) -> String {
            line(
                4,
                "\(two) mta event=delivery evpid=1ef1c20300000001 from=<kai@b.example> to=<\(to)> "
                    + "rcpt=<\(rcpt)> source=\"192.0.2.1\" relay=\"203.0.113.9 (mx)\" delay=0s "
                    + "result=\"Ok\" stat=\"250 ok\""
            )
        }
        run.take([
            mta("a@x.example", "-"), mta("m@z.example", "list@b.example"), mta("c@y.example", "-"),
        ])
        #expect(run.openCount == 1)
        run.take([mta("n@z.example", "list@b.example")])
        #expect(run.openCount == 0)
        let events = run.finish()
        #expect(events.map(\.recipient) == ["a@x.example", "list@b.example", "c@y.example"])
        #expect(events.allSatisfy { $0.account == "kai" && $0.delivery == "sent" })
        #expect(events.allSatisfy { $0.sourceIP == "192.0.2.7" })
    }

    @Test func theFirstGenerationIsJoined() throws {
        let events = try serverEvents(
            line(0, "smtp-in: New session \(one) from host pc.isp.example [192.0.2.7]"),
            line(1, "smtp-in: Accepted authentication for user kai on session \(one)"),
            line(
                2,
                "smtp-in: Accepted message \(message) on session \(one): from=<kai@b.example>, "
                    + "to=<a@x.example>, size=9, ndest=1, proto=ESMTP"
            ),
            line(2, "smtp-in: Closing session \(one)"),
            line(
                3,
                "relay: TempFail for \(message)00000001: session=\(two), from=<kai@b.example>, "
                    + "to=<a@x.example>, rcpt=<->, source=-, relay=mx, delay=1s, stat=later"
            ),
            line(
                4,
                "relay: Expire for \(message)00000001: from=<kai@b.example>, to=<a@x.example>, "
                    + "rcpt=<->, delay=4d, stat=Envelope expired"
            )
        )
        #expect(events.map(\.account) == ["kai"])
        #expect(events.map(\.delivery) == ["expired"])
        #expect(events.map(\.sourceIP) == ["192.0.2.7"])
    }

    /// The filter's lines go by another process than smtpd's, and may be late.
    @Test func aSubjectThatComesLateIsTheMessages() throws {
        let events = try serverEvents(
            connected(),
            login("kai"),
            accepted(),
            envelope(1, "a@x.example"),
            header("subject=Not read: x"),
            delivery(4, 1, "a@x.example")
        )
        #expect(events.map(\.subject) == ["Not read: x"])
        #expect(events.map(\.receipt) == ["not-read"])
    }

    @Test func whatIsKnownOfAConnectionSurvivesARestart() throws {
        var run = try ServerRun()
        run.take([connected(), login("kai"), header("subject=x"), header("message-id=<1@pc>")])
        try run.restart()
        run.take([accepted(), envelope(1, "a@x.example")])
        try run.restart()
        run.take([delivery(4, 1, "a@x.example")])
        let events = run.finish()
        #expect(events.map(\.account) == ["kai"])
        #expect(events.map(\.subject) == ["x"])
        #expect(events.map(\.messageID) == ["<1@pc>"])
        #expect(events.map(\.delivery) == ["sent"])
    }

    @Test(arguments: [true, false])
    func aFilterIsFollowed(isLate: Bool) throws {
        let outcome = delivery(6, 1, "a@x.example", "PermFail", stat: "550 no", inner)
        let handed = delivery(
            5,
            1,
            "a@x.example",
            relay: "127.0.0.1 (localhost)",
            stat: "250 2.0.0 \(inner) Message accepted for delivery"
        )
        var run = try ServerRun()
        run.take([
            connected(), login("kai"), accepted(), envelope(1, "a@x.example"),
            connected(two, "127.0.0.1"), accepted(1, two, inner),
            envelope(1, "a@x.example", two, inner),
        ])
        run.take(isLate ? [outcome, handed] : [handed, outcome])
        let events = run.finish()
        #expect(events.map(\.delivery) == ["bounced"])
        #expect(events.map(\.queueID) == [message])
    }

    /// What another server says links nothing, even if it knows an ID.
    @Test func onlyAFilterOnLoopbackIsFollowed() throws {
        var run = try ServerRun()
        run.take([
            connected(), login("kai"), accepted(), envelope(1, "a@x.example"),
            connected(two, "127.0.0.1"), accepted(1, two, inner),
            envelope(1, "a@x.example", two, inner),
            delivery(5, 1, "a@x.example", stat: "250 2.0.0 \(inner) Message accepted for delivery"),
            delivery(6, 1, "a@x.example", "PermFail", stat: "550 no", inner),
        ])
        #expect(run.finish().map(\.delivery) == ["sent"])
    }

    @Test(arguments: [
        "subject=x", "subject=\" result=\"Ok\" stat=\"x",
        "subject=\(one) smtp authentication user=ceo result=ok",
    ]) func aSubjectForgesNothing(_ rest: String) throws {
        var run = try ServerRun()
        run.take([connected(), header(rest), accepted(), envelope(1, "a@x.example")])
        #expect(run.finish().isEmpty)
    }
}
