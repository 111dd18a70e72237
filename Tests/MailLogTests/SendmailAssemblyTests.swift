import MailEvents
import MailLog
import Testing

/// A line of Sendmail at a second after 16:00 on 25 November 2026.
private func line(_ second: Int, _ pid: Int, _ rest: String) -> String {
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let time = "\(two(16 + second / 3_600)):\(two(second / 60 % 60)):\(two(second % 60))"
    return "2026-11-25T\(time)Z mx1 sm-mta[\(pid)]: \(rest)"
}

/// The queue ID of a process that gave out its first so many seconds after 16:00.
private func id(_ second: Int, _ pid: Int, _ sequence: String = "4N") -> String {
    let letters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    let hour = letters[16 + second / 3_600]
    return "6AP\(hour)\(letters[second / 60 % 60])\(letters[second % 60])\(sequence)00\(pid)"
}

private func login(_ second: Int, _ pid: Int, _ user: String, _ client: String = pc) -> String {
    line(second, pid, "AUTH=server, relay=\(client), authid=\(user), mech=PLAIN, bits=0")
}

private func from(
    _ second: Int,
    _ pid: Int,
    _ id: String,
    proto: String = "ESMTP",
    count: Int = 1,
    client: String = pc
) -> String {
    line(
        second,
        pid,
        "\(id): from=<kai@hosted.example>, size=921, class=0, nrcpts=\(count), msgid=<1@pc>, "
            + "proto=\(proto), daemon=MSA, relay=\(client)"
    )
}

private func sent(_ second: Int, _ id: String, _ to: String, _ reply: String = "Ok") -> String {
    line(
        second,
        7_777,
        "\(id): to=\(to), delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=30125, "
            + "relay=mx.x.example. [203.0.113.9], dsn=2.0.0, stat=Sent (\(reply))"
    )
}

private let pc = "pc.isp.example [192.0.2.7]"

/// Which login a message came with, and which not.
@Suite struct SendmailSessionTests {
    @Test func aMessageComesWithTheLoginOfItsProcess() throws {
        let events = try serverEvents(
            login(2, 4_711, "kai+2Bhome@hosted.example"),
            from(3, 4_711, id(1, 4_711)),
            sent(4, id(1, 4_711), "<a@x.example>")
        )
        let event = try #require(events.first)
        #expect(events.count == 1)
        #expect(event.account == "kai+home@hosted.example")
        #expect(event.recipient == "a@x.example")
        #expect(event.sender == "kai@hosted.example")
        #expect(event.messageID == "<1@pc>")
        #expect(event.sourceIP == "192.0.2.7")
        #expect(event.sourceName == "pc.isp.example")
        #expect(event.queueID == id(1, 4_711))
        #expect(event.delivery == "sent")
    }

    /// All of one connection, for two hours, also after HELO.
    @Test(arguments: ["ESMTP", "ESMTPA", "ESMTPSA", "SMTP", "UTF8SMTPSA"])
    func allMessagesOfAConnectionComeWithIt(_ proto: String) throws {
        let events = try serverEvents(
            login(2, 4_711, "kai"),
            from(3, 4_711, id(1, 4_711), proto: proto),
            sent(4, id(1, 4_711), "<a@x.example>"),
            from(3_000, 4_711, id(1, 4_711, "4O"), proto: proto),
            sent(3_001, id(1, 4_711, "4O"), "<b@x.example>"),
            from(9_000, 4_711, id(1, 4_711, "4P"), proto: proto),
            sent(9_001, id(1, 4_711, "4P"), "<c@x.example>")
        )
        #expect(events.map(\.recipient) == ["a@x.example", "b@x.example", "c@x.example"])
        #expect(events.allSatisfy { $0.account == "kai" })
    }

    @Test(arguments: [
        // Another process.
        [login(2, 4_711, "kai"), from(3, 4_712, id(1, 4_712))],
        // The same number for another client.
        [
            login(2, 4_711, "kai"),
            from(3, 4_711, id(1, 4_711), client: "pc.isp.example [192.0.2.8]"),
        ],
        [login(2, 4_711, "kai"), from(3, 4_711, id(1, 4_711), client: "[192.0.2.7]")],
        [login(2, 4_711, "kai"), from(3, 4_711, id(1, 4_711), client: pc + " (may be forged)")]
            .reversed(),
        // The same number for the same client: a process that began after the login.
        [login(2, 4_711, "kai"), from(60, 4_711, id(59, 4_711))],
        [login(2, 4_711, "kai"), from(60, 4_711, id(59, 4_711), proto: "ESMTPSA")],
        // One that says that there was no login.
        [login(2, 4_711, "kai"), from(3, 4_711, id(1, 4_711), proto: "ESMTPS")],
        [login(2, 4_711, "kai"), from(3, 4_711, id(1, 4_711), proto: "UTF8SMTP")],
        // One whose connection is over, or was too long ago.
        [
            login(2, 4_711, "kai"),
            line(3, 4_711, "\(id(1, 4_711)): lost input channel from \(pc) to MSA after data"),
            from(4, 4_711, id(1, 4_711)),
        ],
        [login(2, 4_711, "kai"), from(8_000, 4_711, id(1, 4_711))],
        // No process at all.
        [
            login(2, 4_711, "kai"),
            from(3, 4_711, id(1, 4_711)).replacing("sm-mta[4711]", with: "sm-mta"),
        ],
        // A login that failed, and one of this server at another.
        [
            line(
                2,
                4_711,
                "\(id(1, 4_711)): AUTH failure (PLAIN): no (-13), user=kai@hosted.example, relay=\(pc)"
            ), from(3, 4_711, id(1, 4_711)),
        ],
        [
            line(2, 4_711, "AUTH=client, relay=\(pc), mech=PLAIN, bits=0"),
            from(3, 4_711, id(1, 4_711)),
        ],
        // A user of this machine.
        [login(2, 4_711, "kai"), from(3, 4_711, id(1, 4_711), client: "kai@localhost")],
    ]) func whatIsNotOfTheConnectionHasNoLogin(_ lines: [String]) throws {
        var run = try ServerRun()
        run.take(lines)
        run.take([
            sent(9_999, id(1, 4_711), "<a@x.example>"), sent(9_999, id(1, 4_712), "<a@x.example>"),
        ])
        run.take([sent(9_999, id(59, 4_711), "<a@x.example>")])
        #expect(run.finish().isEmpty)
    }

    /// `(may be forged)` is of the client's name, and the client the same.
    @Test func aForgedNameIsTheClientsAllTheSame() throws {
        let client = pc + " (may be forged)"
        let events = try serverEvents(
            login(2, 4_711, "kai", client),
            from(3, 4_711, id(1, 4_711), client: client),
            sent(4, id(1, 4_711), "<a@x.example>")
        )
        #expect(events.map(\.sourceName) == ["pc.isp.example"])
    }

    /// What ended a login cannot be undone by a message that would fit again.
    @Test func anotherClientEndsTheLogin() throws {
        let events = try serverEvents(
            login(2, 4_711, "kai"),
            from(3, 4_711, id(1, 4_711), client: "[192.0.2.8]"),
            from(4, 4_711, id(1, 4_711, "4O")),
            sent(5, id(1, 4_711, "4O"), "<a@x.example>")
        )
        #expect(events.isEmpty)
    }

    @Test func theNextLoginOfAProcessTakesThePlaceOfTheLast() throws {
        let events = try serverEvents(
            login(2, 4_711, "kai"),
            login(62, 4_711, "mia"),
            from(63, 4_711, id(61, 4_711)),
            sent(64, id(61, 4_711), "<a@x.example>")
        )
        #expect(events.map(\.account) == ["mia"])
    }

    /// Clocks that disagree say nothing: the queue ID is of UTC, the log of another zone.
    @Test func aQueueIDOfTheFutureSaysNothing() throws {
        let ofLater = id(7_201, 4_711)
        let events = try serverEvents(
            login(2, 4_711, "kai"),
            from(3, 4_711, ofLater),
            sent(4, ofLater, "<a@x.example>")
        )
        #expect(events.map(\.account) == ["kai"])
    }

    @Test func whatIsKnownOfAConnectionSurvivesARestart() throws {
        var run = try ServerRun()
        run.take([login(2, 4_711, "kai")])
        run.take([line(3, 4_711, "\(id(1, 4_711)): postern login=<mia> subject= Not read: x")])
        try run.restart()
        run.take([from(3, 4_711, id(1, 4_711)), from(5, 4_711, id(1, 4_711, "4O"))])
        try run.restart()
        run.take([
            sent(6, id(1, 4_711), "<a@x.example>"), sent(6, id(1, 4_711, "4O"), "<b@x.example>"),
        ])
        let events = run.finish()
        #expect(events.map(\.account) == ["mia", "kai"])
        #expect(events.map(\.subject) == ["Not read: x", nil])
    }
}

/// What the shipped header rules add.
@Suite struct SendmailHeaderTests {
    private let one = id(1, 4_711)

    private func header(_ second: Int, _ rest: String) -> String {
        line(second, 4_711, "\(one): postern " + rest)
    }

    @Test func theLoginOfTheMessageItselfCounts() throws {
        let withAnother = try serverEvents(
            login(2, 4_711, "kai"),
            header(3, "login=<mia+2Bx> subject= Not read: a"),
            from(4, 4_711, one, proto: "ESMTPSA"),
            sent(5, one, "<a@x.example>")
        )
        #expect(withAnother.map(\.account) == ["mia+x"])
        #expect(withAnother.map(\.receipt) == ["not-read"])
        let withNone = try serverEvents(
            login(2, 4_711, "kai"),
            header(3, "login=<> subject= Not read: a"),
            from(4, 4_711, one, proto: "ESMTPSA"),
            sent(5, one, "<a@x.example>")
        )
        #expect(withNone.isEmpty)
    }

    /// Mail of this machine's users was not submitted with a login, whatever was logged before.
    @Test func mailOfLocalUsersHasNone() throws {
        let events = try serverEvents(
            header(3, "login=<mia> subject= a"),
            from(4, 4_711, one, client: "kai@localhost"),
            sent(5, one, "<a@x.example>")
        )
        #expect(events.isEmpty)
    }

    @Test(arguments: [
        (" plain", "plain"), ("", ""), (" a \\\\ b", "a \\ b"), (" caf\\303\\251", "café"),
        // Bytes of 0x80 to 0x9F have a mark before them.
        (" \\346\\177\\234\\252\\350\\252\\255: x", "未読: x"),
        (" =?utf-8?B?VW5nZWxlc2VuOg==?=  =?utf-8?Q?_x?=", "Ungelesen: x"),
        (" bell\\007 end", "bell? end"), (" cut \\30", "cut "),
    ]) func theSubjectIsReadAsItWasSent(_ logged: String, _ subject: String) throws {
        let events = try serverEvents(
            header(3, "login=<kai> subject=" + logged),
            from(4, 4_711, one),
            sent(5, one, "<a@x.example>")
        )
        #expect(events.map(\.subject) == [subject])
    }

    /// The first of each counts; what is logged after the arrival is of a part of the message, or of
    /// the message that a bounce returns.
    @Test func onlyTheMessagesOwnHeaderCounts() throws {
        let events = try serverEvents(
            header(3, "login=<kai> subject= Fwd: a receipt"),
            header(3, "login=<kai> subject= Not read: again"),
            from(4, 4_711, one),
            header(5, "login=<kai> subject= Not read: attached"),
            header(
                5,
                "login=<kai> content-type= multipart/report; report-type=disposition-notification"
            ),
            sent(6, one, "<a@x.example>")
        )
        #expect(events.map(\.subject) == ["Fwd: a receipt"])
        #expect(events.map(\.receipt) == [nil])
        let report = try serverEvents(
            header(
                3,
                "login=<kai> content-type= multipart/report; report-type=disposition-notification"
            ),
            from(4, 4_711, one),
            sent(6, one, "<a@x.example>")
        )
        #expect(report.map(\.receipt) == ["unknown"])
    }

    /// A bounce is delivered without having been taken in; it is soon forgotten.
    @Test func aBounceIsNoMessageOfAnybody() throws {
        var run = try ServerRun()
        run.take([
            header(3, "login=<kai> content-type= message/rfc822"),
            header(3, "login=<kai> subject= returned"), sent(4, one, "<a@x.example>"),
        ])
        #expect(run.openCount == 1)
        run.take([from(700, 4_712, id(1, 4_712)), sent(700, id(1, 4_712), "<a@x.example>")])
        #expect(run.openCount == 0)
        #expect(run.told == ["remote"])
    }
}

@Suite struct SendmailQueueTests {
    private let one = id(1, 4_711)
    private let two = id(2, 4_712)
    private var arrival: [String] { [login(2, 4_711, "kai"), from(3, 4_711, one)] }

    private func local(_ to: String, _ extra: String = "") -> String {
        line(
            5,
            7_777,
            "\(one): to=\(to)\(extra), delay=00:00:01, mailer=local, pri=30125, dsn=2.0.0, stat=Sent"
        )
    }

    @Test func eachRecipientHasItsOutcome() throws {
        var run = try ServerRun()
        run.take([login(2, 4_711, "kai"), from(3, 4_711, one, count: 4)])
        run.take([
            sent(4, one, "<a@x.example>,<b@x.example>"),
            line(
                4,
                7_777,
                "\(one): to=<c@y.example>, delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=1, "
                    + "relay=mx. [203.0.113.9], dsn=5.1.1, reply=550 no, stat=User unknown"
            ),
            line(
                4,
                7_777,
                "\(one): to=<d@y.example>, delay=00:00:01, mailer=esmtp, pri=1, "
                    + "relay=mx. [203.0.113.9], dsn=4.7.1, stat=Deferred: 451 4.7.1 later"
            ),
        ])
        #expect(run.openCount == 1)
        run.take([sent(900, one, "<d@y.example>")])
        // All four have their outcome: no line says that the message left the queue.
        #expect(run.openCount == 0)
        let events = run.finish()
        #expect(
            events.map(\.recipient) == ["a@x.example", "b@x.example", "c@y.example", "d@y.example"]
        )
        #expect(events.map(\.delivery) == ["sent", "sent", "bounced", "sent"])
    }

    @Test func ordinaryMailStaysOpenNoLonger() throws {
        var run = try ServerRun()
        run.take([from(3, 4_711, one), local("<kai@hosted.example>")])
        #expect(run.told == ["heard"])
        #expect(run.openCount == 0)
        run.take([from(3, 4_712, two), sent(4, two, "<a@x.example>")])
        #expect(run.told == ["heard", "remote"])
        #expect(run.openCount == 0)
    }

    /// The address for which a delivery is made is the alias that the client gave, or the user whose
    /// `.forward` said so; or the sender of this machine, who is no recipient.
    @Test func theControllingAddressIsWhatTheClientGave() throws {
        let aliased = try serverEvents(
            arrival[0],
            arrival[1],
            local("mia@hosted.example", ", ctladdr=<sales@hosted.example> (8/0)")
        )
        #expect(aliased.map(\.recipient) == ["sales@hosted.example"])
        let ofSender = try serverEvents(
            arrival[0],
            arrival[1],
            line(
                5,
                7_777,
                "\(one): to=<a@x.example>, ctladdr=<KAI@hosted.example> (1001/1001), "
                    + "delay=00:00:01, mailer=esmtp, pri=1, relay=mx. [203.0.113.9], stat=Sent"
            )
        )
        #expect(ofSender.map(\.recipient) == ["a@x.example"])
    }

    /// An alias of which only the users are logged that it means gives no event, and stays not open.
    @Test func anAliasThatIsNotLoggedGivesNoEvent() throws {
        var run = try ServerRun()
        run.take(arrival + [local("mia", ", ctladdr=<kai@hosted.example> (8/0)")])
        #expect(run.openCount == 0)
        #expect(run.finish().isEmpty)
    }

    @Test func aMessageTooLongInTheQueueExpires() throws {
        var run = try ServerRun()
        run.take(
            arrival + [
                line(
                    4,
                    7_777,
                    "\(one): to=<a@x.example>, delay=00:00:01, mailer=esmtp, pri=1, "
                        + "relay=mx. [203.0.113.9], dsn=4.0.0, stat=Deferred"
                ),
                line(
                    5,
                    7_777,
                    "\(one): \(two): sender notify: Warning: could not send message for past 4 hours"
                ),
            ]
        )
        #expect(run.openCount == 1)
        run.take([line(6, 7_777, "\(one): \(two): DSN: Cannot send message for 5 days")])
        #expect(run.openCount == 0)
        #expect(run.finish().map(\.delivery) == ["expired"])
    }

    @Test func aMessageIsHeldAndReleased() throws {
        var run = try ServerRun()
        run.take(
            arrival + [
                line(
                    4,
                    4_711,
                    "\(one): to=<a@x.example>, delay=00:00:00, mailer=esmtp, pri=1, quarantine=look, "
                        + "stat=quarantined"
                )
            ]
        )
        #expect(run.told == ["submitted"])
        run.take([line(5, 9, "\(one): unquarantine"), sent(6, one, "<a@x.example>")])
        #expect(run.finish().map(\.delivery) == ["sent"])
    }

    @Test func aMessageThatWasRefusedAfterAllGivesNoEvent() throws {
        var run = try ServerRun()
        run.take(
            arrival + [
                line(
                    4,
                    4_711,
                    "\(one): to=<a@x.example>, delay=00:00:00, pri=1, stat=rejected, stat=Sent"
                )
            ]
        )
        #expect(run.openCount == 0)
        #expect(run.finish().isEmpty)
    }

    @Test func aMessageThatWasSplitIsTheSame() throws {
        let events = try serverEvents(
            login(2, 4_711, "kai"),
            line(3, 4_711, "\(one): postern login=<kai> subject= Not read: x"),
            from(3, 4_711, one, count: 2),
            line(3, 4_711, "\(one): split: maxrcpts=1, rcpts=2, count=1, id=\(two)"),
            sent(4, two, "<b@x.example>"),
            sent(5, one, "<a@x.example>")
        )
        #expect(events.map(\.recipient) == ["b@x.example", "a@x.example"])
        #expect(events.map(\.queueID) == [two, one])
        #expect(events.allSatisfy { $0.account == "kai" && $0.subject == "Not read: x" })
        // The members of a list are none of the client's recipients.
        let cloned = try serverEvents(
            arrival[0],
            arrival[1],
            line(3, 4_711, "\(one): \(two): clone: owner=owner-list"),
            sent(4, two, "<b@x.example>")
        )
        #expect(cloned.isEmpty)
    }

    private func handOver(_ reply: String, relay: String = "[127.0.0.1] [127.0.0.1]") -> String {
        line(
            9,
            7_777,
            "\(one): to=<a@x.example>, delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=30125, "
                + "relay=\(relay), dsn=2.0.0, stat=Sent (\(reply))"
        )
    }

    /// The outcome of a message that went through a filter is that of what came back from it.
    @Test(arguments: [true, false], ["%", "from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 %"])
    func aFilterIsFollowed(isLate: Bool, _ reply: String) throws {
        let inner = from(4, 4_712, two, client: "localhost [127.0.0.1]")
        let outcome = line(
            6,
            7_778,
            "\(two): to=<a@x.example>, delay=00:00:01, mailer=esmtp, pri=1, "
                + "relay=mx. [203.0.113.9], dsn=5.1.1, stat=User unknown"
        )
        let handed = handOver(
            reply.replacing("%", with: "\(two) Message accepted for delivery")
        )
        var run = try ServerRun()
        run.take(arrival + [inner] + (isLate ? [outcome, handed] : [handed, outcome]))
        #expect(run.told == ["submitted", "settled"])
        let events = run.finish()
        #expect(events.map(\.delivery) == ["bounced"])
        #expect(events.map(\.queueID) == [one])
    }

    /// Another server's words link nothing.
    @Test func onlyAFilterOnLoopbackIsFollowed() throws {
        let events = try serverEvents(
            arrival[0],
            arrival[1],
            from(4, 4_712, two, client: "localhost [127.0.0.1]"),
            handOver("\(two) Message accepted for delivery", relay: "mx. [203.0.113.9]"),
            line(
                10,
                7_778,
                "\(two): to=<a@x.example>, delay=00:00:01, mailer=esmtp, pri=1, "
                    + "relay=mx. [203.0.113.9], dsn=5.1.1, stat=User unknown"
            )
        )
        #expect(events.map(\.delivery) == ["sent"])
    }

    /// UTF-8 and backslashes of addresses are logged as escapes.
    @Test func anAddressIsReadAsItWasGiven() throws {
        let events = try serverEvents(
            login(2, 4_711, "kai"),
            line(
                3,
                4_711,
                "\(one): from=<m\\303\\274ller@b.example>, size=1, class=0, nrcpts=2, "
                    + "proto=UTF8SMTPA, daemon=MSA, relay=\(pc)"
            ),
            sent(4, one, "<\"a\\\\\"b\"@x.example>,<zo\\303\\253@x.example>"),
            sent(5, one, "<\"a\\\\\"b\"@x.example>")
        )
        #expect(events.map(\.recipient) == ["\"a\\\"b\"@x.example", "zoë@x.example"])
        #expect(events.map(\.sender) == ["müller@b.example", "müller@b.example"])
    }
}

/// Lines at whose beginning a client's own text stands: what Sendmail writes when it refuses a
/// recipient (err.c, `fmtmsg`). They come before the message is taken in.
@Suite struct SendmailHostileTests {
    private static let one = id(1, 4_711)

    @Test(arguments: [
        "to=<v@w.example>,\"delay=00:00:00, pri=1, dsn=4.0.0, stat=Deferred... Unbalanced '\"'",
        "to=<v@w.example>, delay=00:00:00, mailer=m, pri=1, dsn=4.0.0, stat=Deferred: ... User unknown",
        "to=<v@w.example>, delay=00:00:00, mailer=esmtp, pri=1, relay=mx. [203.0.113.9], stat=Sent",
        "discarded", "quarantine=x... User unknown", "unquarantine",
        "6APGpFml004712: DSN: Cannot send message for 5 days... User unknown",
        "split: count=1, id=6APGpFml004712... User unknown",
        "postern=\"x login=<ceo> subject=y\"<a@x.example>... User unknown",
    ]) func aRefusedRecipientForgesNothing(_ text: String) throws {
        let events = try serverEvents(
            login(2, 4_711, "kai"),
            line(3, 4_711, "\(Self.one): " + text),
            line(3, 4_711, "\(Self.one): postern login=<kai> subject= Not read: x"),
            line(3, 4_711, "\(Self.one): " + text),
            from(4, 4_711, Self.one),
            sent(5, Self.one, "<a@x.example>")
        )
        #expect(events.map(\.recipient) == ["a@x.example"])
        #expect(events.map(\.delivery) == ["sent"])
        #expect(events.map(\.account) == ["kai"])
        #expect(events.map(\.subject) == ["Not read: x"])
    }

    @Test(arguments: [
        "login=<ceo> subject=x",
        "AUTH=server, relay=pc [192.0.2.7], authid=ceo, mech=PLAIN, bits=0",
        "> login=<ceo> subject=y", "x\\000; from=<v@w.example>",
    ]) func aSubjectForgesNothing(_ subject: String) throws {
        let events = try serverEvents(
            line(3, 4_711, "\(Self.one): postern login=<kai> subject= " + subject),
            from(4, 4_711, Self.one),
            sent(5, Self.one, "<a@x.example>")
        )
        #expect(events.map(\.account) == ["kai"])
        #expect(events.map(\.recipient) == ["a@x.example"])
    }
}
