import MailEvents
import MailLog
import Testing

private let head = "2026-11-25T16:51:15Z mx1 sm-mta[4711]: "
private let id = "6APGpFml004711"

/// What each shape of line means that sendmail 8.17.1 writes (the files are named in the reader).
@Suite struct SendmailArrivalTests {
    private func arrival(_ rest: String) -> ServerFacts {
        ServerFacts(head + id + ": from=" + rest)
    }

    @Test func anArrivalIsReadToItsEnd() throws {
        let read = arrival(
            "<kai@hosted.example>, size=921, class=-60, nrcpts=12, msgid=<1@pc.example>, "
                + "bodytype=8BITMIME, proto=ESMTPSA, daemon=MSA, relay=pc.isp.example [192.0.2.7]"
        )
        #expect(read.kinds == [.accepted, .sender, .messageID])
        #expect(read.text(.accepted, \.a) == "192.0.2.7")
        #expect(read.text(.accepted, \.c) == "pc.isp.example")
        #expect(read.text(.accepted, \.d) == "12")
        #expect(read.text(.sender, \.a) == "kai@hosted.example")
        #expect(read.text(.messageID, \.a) == "<1@pc.example>")
        #expect(read.text(.accepted, \.queueID) == id)
        #expect(try #require(read.fact(.accepted)).account != 0)
    }

    @Test(arguments: [
        ("[192.0.2.7]", "192.0.2.7", nil),
        ("pc.isp.example [192.0.2.7] (may be forged)", "192.0.2.7", "pc.isp.example"),
        ("[IPv6:2001:db8::7]", "2001:db8::7", nil),
        ("pc.isp.example [IPv6:2001:db8:0:0:0:0:0:7]", "2001:db8:0:0:0:0:0:7", "pc.isp.example"),
        ("IDENT:kai@pc.isp.example [192.0.2.7]", "192.0.2.7", "pc.isp.example"),
        ("kai@[192.0.2.7] [192.0.2.7]", "192.0.2.7", nil),
        ("root@localhost", nil, nil), ("localhost", nil, nil), ("[RESPONSE]", nil, nil),
    ]) func theClientIsTheRelay(_ relay: String, _ address: String?, _ name: String?) {
        let read = arrival("<>, size=1, class=0, nrcpts=1, proto=ESMTP, daemon=MTA, relay=" + relay)
        #expect(read.kinds == [.accepted, .sender])
        #expect(read.text(.accepted, \.a) == address)
        #expect(read.text(.accepted, \.c) == name)
        // What came without a connection belongs to no session.
        #expect((read.fact(.accepted)?.account ?? 0 != 0) == (address != nil))
        #expect(read.text(.sender, \.a) == "")
    }

    /// Servers built to log more put fields before the relay; nothing else may stand there.
    @Test func furtherFieldsAreKnown() {
        let tail = ", daemon=MTA, tls_verify=NONE, tls_version=TLSv1.3, cipher=x, auth=PLAIN, "
        let read = arrival(
            "a, size=1, class=0, nrcpts=1, msgid=<i>, proto=ESMTPA" + tail + "relay=[192.0.2.7]"
        )
        #expect(read.text(.messageID, \.a) == "<i>")
        #expect(read.text(.sender, \.a) == "a")
    }

    /// An envelope without a message: aborted, or all its recipients were refused.
    @Test(arguments: [
        "<a@b.example>, size=0, class=0, nrcpts=1, proto=ESMTPA, daemon=MSA, relay=[192.0.2.7]",
        "<a@b.example>, size=9, class=0, nrcpts=0, msgid=<i>, proto=ESMTP, daemon=M, relay=[192.0.2.7]",
    ]) func anEnvelopeWithoutAMessageIsIgnored(_ rest: String) {
        let read = arrival(rest)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.sendmail].ignored == 1)
    }

    @Test func anEmptySizeWithAMessageIDIsAMessage() {
        let read = arrival(
            "<>, size=0, class=0, nrcpts=1, msgid=<i>, proto=SMTP, relay=[192.0.2.7]"
        )
        #expect(read.fact(.accepted) != nil)
    }

    /// The Message-ID is anybody's text, 100 bytes of it; the fields behind it are the server's.
    @Test func aMessageIDForgesNothing() {
        let forged = "<i>, bodytype=8BITMIME, proto=ESMTPA, daemon=MTA, relay=evil [192.0.2.66]"
        let read = arrival(
            "<a@b.example>, size=1, class=0, nrcpts=1, msgid=" + forged
                + ", proto=ESMTP, daemon=MTA, relay=pc [192.0.2.7]"
        )
        #expect(read.text(.accepted, \.a) == "192.0.2.7")
        #expect(read.text(.messageID, \.a) == forged)
    }

    @Test func aQuotedSenderForgesNothing() {
        let forged =
            "\"x>, size=9, class=0, nrcpts=9, proto=ESMTPA, relay=evil [192.0.2.66]\"@b.example"
        let read = arrival(
            "<" + forged
                + ">, size=1, class=0, nrcpts=2, proto=ESMTP, daemon=MTA, relay=[192.0.2.7]"
        )
        #expect(read.text(.sender, \.a) == forged)
        #expect(read.text(.accepted, \.d) == "2")
        #expect(read.text(.accepted, \.a) == "192.0.2.7")
    }

    /// A sender is cut after 200 bytes, and what it was is not known then.
    @Test func aSenderThatWasCutIsNotKnown() {
        let long = "<\"" + String(repeating: "x", count: 198)
        let rest = ", size=1, class=0, nrcpts=1, proto=ESMTP, daemon=MTA, relay=[192.0.2.7]"
        let read = arrival(long + rest)
        #expect(read.kinds == [.accepted])
        // One byte less, and the line is not what Sendmail writes.
        let shorter = arrival(String(long.dropLast()) + rest)
        #expect(shorter.facts.isEmpty)
        #expect(shorter.counters[.sender] == 1)
    }

    @Test(arguments: [
        "<a@b.example>", "<a@b.example>, size=1", "<a@b.example>, size=x, class=0, nrcpts=1",
        "<a(>, size=1, class=0, nrcpts=1, relay=h [192.0.2.1])@b.example>, size=1, class=0, nrcpts=1, "
            + "proto=ESMTP, daemon=MTA, relay=[192.0.2.7]",
        "<a b>, size=1, class=0, nrcpts=1, relay=[192.0.2.7]",
        "<a>, size=1, class=0, nrcpts=1, relay=[192.0.2.7] and more",
        "<a>, size=1, class=0, nrcpts=1, relay=pc [192.0.2.x]",
        "<a>, size=1, class=0, nrcpts=1, words, relay=[192.0.2.7]",
        "<a>, size=1, class=0, nrcpts=1, relay=",
    ]) func whatIsNoArrivalIsCounted(_ rest: String) {
        let read = arrival(rest)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.sender] == 1)
    }

    /// conf.c, `sm_syslog`: on some systems a line is cut at 256 bytes.
    @Test func aLineInPartsIsCounted() {
        #expect(
            ServerFacts(head + id + "[1]: from=<a@b.example>, size=1, ...").counters[.arrival] == 1
        )
        #expect(ServerFacts(head + id + "[1]: to=<a@b.example>, ...").counters[.delivery] == 1)
        #expect(ServerFacts(head + id + "[2]: stat=Sent").counters[.sendmail].ignored == 1)
    }
}

@Suite struct SendmailLoginTests {
    private func login(_ rest: String) -> ServerFacts {
        ServerFacts(head + "AUTH=server, relay=" + rest)
    }

    @Test(arguments: [
        ("pc [192.0.2.7], authid=kai, mech=PLAIN, bits=0", "kai"),
        ("[192.0.2.7], authid=a,b+3Dc@d.example, mech=CRAM-MD5, bits=256", "a,b+3Dc@d.example"),
        // Before 8.14.5 a login is written as it is.
        ("[192.0.2.7], authid=x, mech=PLAIN, bits=0, mech=LOGIN, bits=0", "x, mech=PLAIN, bits=0"),
        ("[192.0.2.7], authid=a, authid=b, mech=LOGIN, bits=0", "a, authid=b"),
    ]) func aLoginIsReadFromBothEnds(_ rest: String, _ user: String) {
        let read = login(rest)
        #expect(read.kinds == [.session, .login])
        #expect(read.text(.session, \.a) == "192.0.2.7")
        #expect(read.text(.login, \.b) == user)
    }

    @Test func anEmptyLoginIsNone() {
        #expect(login("pc [192.0.2.7], authid=, mech=EXTERNAL, bits=0").kinds == [.session])
    }

    @Test(arguments: [
        "pc [192.0.2.7], authid=kai, mech=PLAIN", "pc [192.0.2.7], authid=kai, bits=0",
        "pc [192.0.2.7], mech=PLAIN, bits=0", "pc, authid=kai, mech=PLAIN, bits=0",
        "p c [192.0.2.7], authid=kai, mech=PLAIN, bits=0",
        "pc [192.0.2.7], authid=kai, mech=PLAIN, bits=0 ",
    ]) func whatIsNoLoginIsCounted(_ rest: String) {
        let read = login(rest)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.arrival] == 1)
    }

    @Test(arguments: [
        id
            + ": AUTH failure (PLAIN): authentication failure (-13) SASL(-13): authentication failure: "
            + "Password verification failed, user=kai@hosted.example, relay=pc [192.0.2.7]",
        "AUTH=client, relay=mx.example., mech=PLAIN, bits=0", "AUTH warning: no mechanisms",
        "STARTTLS=server, relay=pc [192.0.2.7], version=TLSv1.3, verify=NO, cipher=x, bits=256/256",
        id + ": ruleset=check_rcpt, arg1=<a@b.example>, relay=pc [192.0.2.7], reject=550 5.7.1 no",
        id + ": <a@b.example>... User unknown", id + ": alias <a@b.example> => c, d",
        id + ": 6APGpFml004712: DSN: User unknown",
        "starting daemon (8.17.1.9): SMTP+queueing@00:10:00",
        id + ": 6APGpFml004712: sender notify: Warning: could not send message for past 4 hours",
        id + ": 6APGpFml004712: clone: owner=owner-list",
        "alias database /etc/aliases rebuilt by root",
        id + ": Authentication-Warning: mx1: kai set sender to x using -f",
        "runqueue: Flushing queue",
        "NOQUEUE: SYSERR(root): cannot open",
    ]) func otherLinesAreIgnored(_ rest: String) {
        let read = ServerFacts(head + rest)
        #expect(read.facts.isEmpty)
        #expect(read.counters.unparsed == 0)
    }

    /// A process that serves nobody any more, or somebody else next.
    @Test(arguments: [
        id
            + ": pc.isp.example [192.0.2.7] did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA",
        id + ": lost input channel from pc [192.0.2.7] to MSA after data",
        id + ": timeout waiting for input from pc.isp.example during server cmd read",
        "NOQUEUE: connect from pc [192.0.2.7]",
    ]) func theEndOfAConnectionIsRead(_ rest: String) {
        #expect(ServerFacts(head + rest).kinds == [.sessionEnd])
    }
}

@Suite struct SendmailHeaderRuleTests {
    private func header(_ rest: String) -> ServerFacts {
        ServerFacts(head + id + ": postern " + rest)
    }

    @Test func theRulesOfTheSnippetAreRead() throws {
        let subject = header("login=<kai+2Bx@b.example> subject= Not read: a> login=<b>")
        #expect(subject.kinds == [.messageLogin, .subject])
        #expect(subject.text(.messageLogin, \.b) == "kai+2Bx@b.example")
        #expect(subject.text(.subject, \.a) == " Not read: a> login=<b>")
        #expect(try #require(subject.fact(.subject)).form == .sendmail)

        let type = header("login=<> content-type= multipart/report; report-type=x")
        #expect(type.kinds == [.messageLogin, .contentType])
        #expect(type.text(.messageLogin, \.b) == "")
        let request = header("login=<> receipt-request= <t@u.example>")
        #expect(request.kinds == [.messageLogin, .receiptRequest])
        #expect(request.text(.receiptRequest, \.a) == " <t@u.example>")
    }

    @Test(arguments: ["login=<kai", "login=<kai> words", "login=<kai>subject=x"])
    func whatTheRulesDoNotWriteIsCounted(_ rest: String) {
        let read = header(rest)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.arrival] == 1)
    }
}

@Suite struct SendmailDeliveryTests {
    private func delivery(_ rest: String) -> ServerFacts { ServerFacts(head + id + ": to=" + rest) }
    private static let middle = ", delay=00:00:02, xdelay=00:00:01, mailer=esmtp, pri=120092, "
    private static let relay = "relay=mx.x.example. [203.0.113.9], "

    @Test func aDeliveryIsReadToItsEnd() throws {
        let read = delivery(
            "<a@x.example>, ctladdr=<kai@b.example> (1001/1001), delay=1+02:03:04, xdelay=00:00:01, "
                + "mailer=esmtp, pri=120092, \(Self.relay)dsn=2.0.0, ntries=3, stat=Sent (Ok: queued)"
        )
        let fact = try #require(read.fact(.delivery))
        #expect(read.kinds == [.delivery])
        #expect(read.text(fact.a) == "a@x.example")
        #expect(read.text(fact.b) == "kai@b.example")
        #expect(read.text(fact.c) == "203.0.113.9")
        #expect(read.text(fact.d) == "Ok: queued)")
        #expect(fact.status == .sent)
        #expect(fact.agent == .smtp)
        #expect(fact.domain != 0)
    }

    @Test(arguments: [
        ("dsn=2.0.0, stat=Sent", LineFact.Status.sent),
        ("dsn=2.0.0, stat=Sent (Ok, stat=Deferred)", .sent),
        ("dsn=4.0.0, stat=Deferred", .deferred),
        ("dsn=4.0.0, stat=Deferred: Connection refused by mx.x.example.", .deferred),
        ("dsn=4.7.1, stat=Deferred: 451 4.7.1 later, stat=Sent (250 ok)", .deferred),
        ("stat=queued", .deferred),
        ("dsn=5.1.1, stat=User unknown", .bounced),
        ("dsn=5.1.2, stat=Host unknown (Name server: x.example: host not found)", .bounced),
        ("dsn=5.0.0, stat=Service unavailable", .bounced),
        ("dsn=5.5.0, stat=Remote protocol error", .bounced),
        ("dsn=5.1.1, reply=550 5.1.1 <a@x.example>: unknown, stat=User unknown", .bounced),
        ("dsn=4.7.1, reply=451 4.7.1 x, stat=Deferred: 451 4.7.1 x", .deferred),
        // What the other server says does not decide, but for the first digit of its code.
        (
            "dsn=4.7.1, reply=451 x, stat=Sent (250 ok), stat=Deferred: 451 x, stat=Sent (250)",
            .deferred
        ),
        ("dsn=5.0.0, reply=554 x, stat=Deferred: y, stat=Service unavailable", .bounced),
        ("dsn=4.4.2, reply=250 ok, stat=Deferred: Connection reset by mx", .deferred),
    ]) func theStatusIsRead(_ rest: String, _ status: LineFact.Status) throws {
        let read = delivery("<a@x.example>" + Self.middle + Self.relay + rest)
        #expect(try #require(read.fact(.delivery)).status == status)
    }

    /// Of a failure that another server's reply makes doubtful nothing is said.
    @Test(arguments: [
        "dsn=4.4.2, reply=250 ok, stat=User unknown, stat=Deferred: Connection reset",
        "dsn=2.0.0, reply=250 ok, stat=Sent", "dsn=2.0.0, stat=Sent (cut",
        "dsn=2.0.0, stat=Sent it",
        "dsn=2.0.0, stat=", "dsn=2.0.0", "dsn=5.0.0, reply=550 x",
    ]) func whatIsInDoubtIsCounted(_ rest: String) {
        let read = delivery("<a@x.example>" + Self.middle + Self.relay + rest)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.delivery] == 1)
    }

    @Test func severalRecipientsAreSeveralDeliveries() {
        let read = delivery(
            "<a@x.example>,<\"b,<v@w.example>, stat=x\"@x.example>,c@x.example"
                + Self.middle + Self.relay + "dsn=2.0.0, stat=Sent (ok)"
        )
        #expect(
            read.facts.map { read.text($0.a) }
                == ["a@x.example", "\"b,<v@w.example>, stat=x\"@x.example", "c@x.example"]
        )
    }

    /// deliver.c: a list that is too long for a line goes on in another.
    @Test func aListThatGoesOnIsRead() {
        let read = delivery(
            "<a@x.example>,<b@x.example>, [more]" + Self.middle + Self.relay
                + "dsn=2.0.0, stat=Sent (ok)"
        )
        #expect(read.facts.map { read.text($0.a) } == ["a@x.example", "b@x.example"])
    }

    /// The text of a recipient that tells of another outcome or recipient.
    @Test(arguments: [
        "<\"r>, delay=00:00:00, mailer=esmtp, pri=1, dsn=5.0.0, stat=User unknown\"@x.example>",
        "a@\"b, dsn=5.0.0, stat=Service unavailable\"",
        // A backslash is written twice, so this is an escaped quote within a quoted string.
        "<\"r\\\\\">, delay=00:00:00, mailer=esmtp, pri=1, dsn=5.0.0, stat=User unknown\"@x.example>",
        "<a\\\\>,stat=b@x.example>",
    ]) func aRecipientForgesNothing(_ recipient: String) throws {
        let read = delivery(recipient + Self.middle + Self.relay + "dsn=2.0.0, stat=Sent (ok)")
        #expect(read.kinds == [.delivery])
        #expect(try #require(read.fact(.delivery)).status == .sent)
    }

    /// Where a comment or something else makes it doubtful, nothing is read.
    @Test(arguments: [
        "<a(>, delay=00:00:00, pri=1, stat=Sent)@x.example>", "<a b@x.example>", "<a@x.example",
        "a@x.example (>, delay=00:00:00)", "<a<b@x.example>", "<a@x.example> b", "",
        ",<a@x.example>",
    ]) func aDoubtfulRecipientIsCounted(_ recipient: String) {
        let read = delivery(recipient + Self.middle + Self.relay + "dsn=2.0.0, stat=Sent (ok)")
        #expect(read.facts.isEmpty)
        #expect(read.counters[.delivery] == 1)
    }

    /// The host of an unknown one is the sender's text too (`relay=` from `$h`).
    @Test func aRelayForgesNothing() {
        let read = delivery(
            "<a@x.example>" + Self.middle
                + "relay=\"b, dsn=2.0.0, stat=Sent (ok\", dsn=5.1.2, stat=Host unknown"
        )
        #expect(read.facts.isEmpty)
        #expect(read.counters[.delivery] == 1)
    }

    @Test func theControllingAddressIsReadWholeOnly() {
        let long = String(repeating: "y", count: 40) + "..." + String(repeating: "z", count: 40)
        let tail = Self.middle + Self.relay + "dsn=2.0.0, stat=Sent (ok)"
        #expect(delivery("<a@x.example>, ctladdr=" + long + tail).text(.delivery, \.b) == nil)
        #expect(delivery("<a@x.example>, ctladdr=" + long + tail).kinds == [.delivery])
        #expect(delivery("a, ctladdr=root (0/0)" + tail).text(.delivery, \.b) == "root")
        #expect(delivery("<a@x.example>, ctladdr=<b (0/0)" + tail).facts.isEmpty)
    }

    @Test(arguments: [
        ("local", LineFact.Agent.mailbox), ("cyrusv2", .mailbox), ("procmail", .mailbox),
        ("prog", .other), ("*file*", .other),
    ]) func theMailerTellsWhereItWent(_ mailer: String, _ agent: LineFact.Agent) throws {
        let read = delivery(
            "<kai@b.example>, delay=00:00:00, mailer=\(mailer), pri=1, dsn=2.0.0, stat=Sent"
        )
        let fact = try #require(read.fact(.delivery))
        #expect(fact.agent == agent)
        #expect((fact.account != 0) == (agent == .mailbox))
    }

    /// What an alias names on this machine is none of the client's recipients.
    @Test func aBareNameIsNoRecipient() throws {
        for name in ["kai", "\"|/usr/bin/vacation kai\"", "/var/mail/archive"] {
            let read = delivery(
                name
                    + ", delay=00:00:00, xdelay=00:00:00, mailer=local, pri=1, dsn=2.0.0, stat=Sent"
            )
            let fact = try #require(read.fact(.delivery))
            #expect(read.text(fact.a) == nil)
            #expect(fact.account == 0 && fact.domain == 0)
        }
        // The client gave this one.
        #expect(
            delivery("<kai>, delay=00:00:00, mailer=local, pri=1, stat=Sent").text(.delivery, \.a)
                == "kai"
        )
    }

    @Test func aMessageThatIsHeldIsHeld() {
        let read = delivery(
            "<a@x.example>, delay=00:00:00, mailer=esmtp, pri=1, quarantine=a, stat=Sent, stat=quarantined"
        )
        #expect(read.kinds == [.recipient, .queued, .held])
        #expect(ServerFacts(head + id + ": quarantine=by hand").kinds == [.held])
        #expect(ServerFacts(head + id + ": unquarantine").kinds == [.released])
    }

    /// srvrsmtp.c, `logundelrcpts`: nothing was tried.
    @Test func aMessageThatWasGivenUpIsRemoved() throws {
        for words in ["aborted by sender", "Message rejected as spam, stat=Sent", "queued"] {
            let read = delivery("<a@x.example>, delay=00:00:00, pri=1, stat=" + words)
            #expect(read.kinds == [.removed], "\(words)")
        }
        let discarded = delivery("<a@x.example>, delay=00:00:00, pri=1, stat=discarded")
        #expect(try #require(discarded.fact(.delivery)).status == .discarded)
        #expect(ServerFacts(head + id + ": discarded").kinds == [.discarded])
        #expect(ServerFacts(head + id + ": done; delay=00:00:01, ntries=1").kinds == [.removed])
    }

    @Test(arguments: ["DSN", "sender notify", "postmaster notify", "return to sender"])
    func aMessageThatWasTooLongInTheQueueExpires(_ label: String) {
        let tail = ": 6APGpFml004712: " + label + ": "
        #expect(
            ServerFacts(head + id + tail + "Cannot send message for 5 days").kinds
                == [.expired, .removed]
        )
        #expect(ServerFacts(head + id + tail + "User unknown").kinds.isEmpty)
    }

    @Test func aSplitMessageGoesOnUnderItsOtherIDs() {
        let read = ServerFacts(
            head + id + ": split: maxrcpts=1, rcpts=3, count=2, ids=6APGpFml004712; 6APGpFml004713"
        )
        #expect(read.facts.map { read.text($0.a) } == ["6APGpFml004712", "6APGpFml004713"])
        #expect(read.kinds == [.copied, .copied])
        #expect(ServerFacts(head + id + ": split: count=1, id=6APGpFml004712").kinds == [.copied])
        #expect(ServerFacts(head + id + ": split: count=1").kinds.isEmpty)
    }

    @Test func noSpoiltLineTraps() {
        readsEverySpoiltForm(of: [
            head
                + "AUTH=server, relay=pc [192.0.2.7] (may be forged), authid=a+20b, mech=PLAIN, bits=0",
            head + id + ": from=<\"a\\\"b\"@b.example>, size=1, class=0, nrcpts=1, msgid=<i>, "
                + "bodytype=8BITMIME, proto=ESMTPSA, daemon=M, relay=IDENT:k@pc [IPv6:2001:db8::7]",
            head + id
                + ": to=<a@x.example>,\"b, c\"@x.example, [more], ctladdr=<k@b.example> (1/2), "
                + "delay=1+00:00:00, xdelay=00:00:00, mailer=esmtp, pri=1, relay=mx. [203.0.113.9], "
                + "dsn=4.0.0, reply=451 4.7.1 x, stat=Deferred: 451 4.7.1 x",
            head + id + ": to=<a@x.example>, delay=00:00:00, mailer=local, pri=1, quarantine=a, "
                + "stat=quarantined",
            head + id + ": postern login=<kai+2Bx> subject= =?utf-8?Q?=C3?= \\303\\266 \\",
            head + id + ": split: count=2, ids=6APGpFml004712; 6APGpFml004713",
            head + id + ": 6APGpFml004712: DSN: Cannot send message for 5 days",
            head + id
                + ": pc [192.0.2.7] did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA",
        ])
    }
}
