import MailEvents
import MailLog
import Testing

private let head = "2026-11-25T16:51:15Z mx1 smtpd[4711]: "
private let session = "7641df9771b4ed00"
private let message = "1ef1c203"
private let envelope = "1ef1c203cc576e5d"

private func read(_ rest: String) -> ServerFacts { ServerFacts(head + rest) }

/// What each shape of line means that OpenSMTPD writes, in three generations of wording (the sources
/// are named in the reader).
@Suite struct OpenSMTPDSessionLineTests {
    @Test(arguments: [
        "\(session) smtp connected address=192.0.2.7 host=pc.isp.example",
        "\(session) smtp event=connected address=192.0.2.7 host=pc.isp.example",
        "smtp-in: New session \(session) from host pc.isp.example [192.0.2.7]",
    ]) func aConnectionBegins(_ rest: String) {
        let read = read(rest)
        #expect(read.kinds == [.session])
        #expect(read.text(.session, \.a) == "192.0.2.7")
        #expect(read.text(.session, \.c) == "pc.isp.example")
    }

    @Test(arguments: [
        ("\(session) smtp connected address=[2001:db8::7] host=<unknown>", "2001:db8::7", nil)
            as (String, String?, String?),
        (
            "\(session) smtp connected address=local host=mx1.hosted.example", nil,
            "mx1.hosted.example"
        ),
        ("smtp-in: New session \(session) from host mx1 [local]", nil, "mx1"),
        ("smtp-in: New session \(session) from host pc [IPv6:2001:db8::7]", "2001:db8::7", "pc"),
    ]) func theClientIsAsTheServerKnowsIt(_ rest: String, _ address: String?, _ name: String?) {
        let read = read(rest)
        #expect(read.kinds == [.session])
        #expect(read.text(.session, \.a) == address)
        #expect(read.text(.session, \.c) == name)
    }

    @Test(arguments: [
        "\(session) smtp authentication user=kai@b.example result=ok",
        "\(session) smtp event=authentication user=kai@b.example result=ok",
        "\(session) smtp event=authentication user=kai@b.example address=192.0.2.7 host=pc result=ok",
        "smtp-in: Accepted authentication for user kai@b.example on session \(session)",
    ]) func aLoginIsRead(_ rest: String) throws {
        let read = read(rest)
        #expect(read.kinds == [.login])
        #expect(read.text(.login, \.b) == "kai@b.example")
        #expect(try #require(read.fact(.login)).form == .visible)
    }

    @Test(arguments: [
        "\(session) smtp authentication user=kai@b.example result=permfail",
        "\(session) smtp authentication user=kai@b.example result=tempfail",
        "\(session) smtp authentication user=kai@b.example result=okay",
        "\(session) smtp event=authentication user=kai address=192.0.2.7 host=pc result=permfail",
        "smtp-in: Authentication failed for user kai@b.example on session \(session)",
        "smtp-in: Authentication temporarily failed for user kai@b.example on session \(session)",
        "\(session) smtp failed-command command=\"AUTH PLAIN (...)\" result=\"535 Authentication failed\"",
        "\(session) smtp failed-command command=\"RCPT TO:<smtp authentication user=x result=ok>\" "
            + "result=\"550 no\"",
        "\(session) smtp tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256",
        "\(session) mta connecting address=smtp://203.0.113.9:25 host=mx.x.example",
        "\(session) mta connected", "\(session) mta error reason=Connection timeout",
        "smtp-in: Failed command on session \(session): \"x\" => 550 no",
        "smtp-in: Started TLS on session \(session): version=TLSv1.2",
        "smtp-out: Enabling route [] <-> 203.0.113.9", "info: OpenSMTPD 6.8.0p2 starting",
        "warn: purge_task: opendir: No such file or directory", "debug: smtp: new session",
    ]) func otherLinesAreIgnored(_ rest: String) {
        let read = read(rest)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.openSMTPD].ignored == 1)
    }

    @Test(arguments: [
        "\(session) smtp disconnected reason=quit",
        "\(session) smtp disconnected reason=\"io-error: error:0A080006:SSL routines::EVP lib\"",
        "\(session) smtp event=closed reason=quit",
        "\(session) smtp event=closed address=192.0.2.7 host=pc reason=disconnect",
        "smtp-in: Closing session \(session)",
        "smtp-in: Received disconnect from session \(session)",
        "smtp-in: Disconnecting session \(session): session timeout",
    ]) func aConnectionEnds(_ rest: String) {
        #expect(read(rest).kinds == [.sessionEnd])
    }

    /// Postfix's smtpd has the same tag where something cut it down; its lines are its own.
    @Test func linesOfPostfixAreLeftToIt() {
        let line = ServerFacts(head + "4XyZbbcdzN9QK: client=pc[192.0.2.7], sasl_username=kai")
        #expect(line.kinds == [.client])
        #expect(line.counters[.openSMTPD].lines == 0)
        for rest in [
            "connect from pc[192.0.2.7]", "warning: x", "rspamd: x", "7641df9771b4ed0 smtp x",
        ] {
            #expect(read(rest).counters[.openSMTPD].lines == 0, "\(rest)")
        }
    }
}

@Suite struct OpenSMTPDMessageLineTests {
    @Test func aMessageIsTakenIn() throws {
        let read = read("\(session) smtp message msgid=\(message) size=608 nrcpt=3 proto=ESMTP")
        #expect(read.kinds == [.accepted])
        #expect(read.text(.accepted, \.queueID) == message)
        #expect(read.text(.accepted, \.d) == "3")
        #expect(try #require(read.fact(.accepted)).account != 0)
    }

    @Test(arguments: [
        "\(session) smtp event=message msgid=\(message) from=<k@b.example> to=<a@x.example> size=608 "
            + "ndest=2 proto=ESMTP",
        "\(session) smtp event=message address=192.0.2.7 host=pc msgid=\(message) "
            + "from=<k@b.example> to=<a@x.example> size=608 ndest=2 proto=ESMTP",
        "smtp-in: Accepted message \(message) on session \(session): from=<k@b.example>, "
            + "to=<a@x.example>, size=608, ndest=2, proto=ESMTP",
    ]) func anOldMessageIsTakenInWithItsRecipient(_ rest: String) {
        let read = read(rest)
        #expect(read.kinds == [.accepted, .sender, .recipient, .queued])
        #expect(read.text(.accepted, \.d) == "2")
        #expect(read.text(.sender, \.a) == "k@b.example")
        #expect(read.text(.recipient, \.a) == "a@x.example")
        #expect(read.text(.queued, \.queueID) == message)
    }

    @Test func theOldestNamesNoRecipient() {
        let read = read(
            "smtp-in: Accepted message \(message) on session \(session): from=<>, size=1, nrcpts=2, "
                + "proto=ESMTP"
        )
        #expect(read.kinds == [.accepted, .sender])
    }

    @Test func anEnvelopeIsTheMessages() throws {
        let read = read("\(session) smtp envelope evpid=\(envelope) from=<> to=<a@x.example>")
        #expect(read.kinds == [.sender, .recipient, .queued])
        #expect(read.text(.recipient, \.queueID) == message)
        #expect(read.text(.sender, \.a) == "")
        #expect(try #require(read.fact(.recipient)).domain != 0)
    }

    @Test func theFiltersLinesAreRead() {
        for (name, kind) in [
            ("subject", LineFact.Kind.subject), ("message-id", .messageID),
            ("content-type", .contentType), ("disposition-notification-to", .receiptRequest),
        ] {
            let read = read("postern: msgid=\(message) \(name)=a=b <c>")
            #expect(read.kinds == [kind])
            #expect(read.text(kind, \.a) == "a=b <c>")
            #expect(read.text(kind, \.queueID) == message)
        }
    }

    @Test(arguments: [
        "\(session) smtp message msgid=\(message) size=608 nrcpt=3",
        "\(session) smtp message msgid=1ef1c2 size=608 nrcpt=3 proto=ESMTP",
        "\(session) smtp message msgid=\(message) size=608 nrcpt=3 proto=ESMTP x",
        "\(session) smtp event=message msgid=\(message) from=<k b@b.example> to=<a@x.example> size=1 "
            + "ndest=1 proto=ESMTP",
        "\(session) smtp envelope evpid=\(message) from=<> to=<a@x.example>",
        "\(session) smtp envelope evpid=\(envelope) from=<> to=<a@x.example> to=<b@x.example>",
        "\(session) smtp envelope evpid=\(envelope) from=<\"a b\"@b.example> to=<a@x.example>",
        "\(session) smtp connected address=192.0.2.7",
        "\(session) smtp authentication user=kai b result=ok",
        "smtp-in: New session \(session) from host pc 192.0.2.7",
        "smtp-in: Accepted authentication for user kai on session 7641",
        "smtp-in: Accepted message \(message) on session \(session): from=<k>, size=1, proto=ESMTP",
        "postern: msgid=\(message) words", "postern: msgid=1ef1c203c subject=x",
    ]) func whatIsNoneOfTheseIsCounted(_ rest: String) {
        let read = read(rest)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.openSMTPD].unparsed == 1)
    }
}

@Suite struct OpenSMTPDDeliveryLineTests {
    private static let mta =
        "\(session) mta delivery evpid=\(envelope) from=<k@b.example> to=<a@x.example> "

    private func remote(_ result: String, _ stat: String, rcpt: String = "-") -> ServerFacts {
        read(
            Self.mta + "rcpt=<\(rcpt)> source=\"192.0.2.1\" relay=\"203.0.113.9 (mx.x.example)\" "
                + "delay=1h2m3s result=\"\(result)\" stat=\"\(stat)\""
        )
    }

    @Test(arguments: [
        ("Ok", LineFact.Status.sent), ("TempFail", .deferred), ("PermFail", .bounced),
    ]) func aRemoteDeliveryIsRead(_ result: String, _ status: LineFact.Status) throws {
        let read = remote(
            result,
            "250 2.0.0 ok\" result=\"PermFail\" stat=\"x",
            rcpt: "s@b.example"
        )
        let fact = try #require(read.fact(.delivery))
        #expect(fact.status == status)
        #expect(fact.agent == .smtp)
        #expect(read.text(fact.a) == "a@x.example")
        #expect(read.text(fact.b) == "s@b.example")
        #expect(read.text(fact.c) == "203.0.113.9")
        #expect(read.text(fact.queueID) == message)
    }

    @Test func withoutAnAliasTheRecipientIsTheGivenOne() {
        #expect(remote("Ok", "250 ok").text(.delivery, \.b) == nil)
    }

    @Test func aLineThatSyslogCutIsReadAsFarAsItTells() throws {
        let cut =
            Self.mta
            + "rcpt=<-> source=\"-\" relay=\"x.example\" delay=0s result=\"TempFail\" stat=\"No"
        #expect(try #require(read(cut).fact(.delivery)).status == .deferred)
    }

    @Test(arguments: [
        (
            "delivery evpid=\(envelope) from=<> to=<kai@b.example> rcpt=<info@b.example> user=kai delay=0s "
                + "result=Ok stat=Delivered", "info@b.example"
        ) as (String, String?),
        (
            "event=delivery evpid=\(envelope) from=<> to=<kai@b.example> user=kai method=maildir delay=0s "
                + "result=Ok stat=Delivered", nil
        ),
    ]) func aLocalDeliveryIsRead(_ rest: String, _ given: String?) throws {
        let read = read("\(session) mda " + rest)
        let fact = try #require(read.fact(.delivery))
        #expect(fact.status == .sent)
        #expect(fact.agent == .mailbox)
        #expect(read.text(fact.a) == "kai@b.example")
        #expect(read.text(fact.b) == given)
        #expect(fact.account != 0)
    }

    @Test func aLocalFailureForgesNothing() throws {
        let read = read(
            "\(session) mda delivery evpid=\(envelope) from=<> to=<kai@b.example> user=kai delay=0s "
                + "result=PermFail stat=Error (\"x result=Ok stat=Delivered\")"
        )
        #expect(try #require(read.fact(.delivery)).status == .bounced)
    }

    @Test(arguments: [
        (
            "relay: Ok for \(envelope): session=\(session), from=<k@b.example>, to=<a@x.example>, "
                + "rcpt=<->, source=192.0.2.1, relay=203.0.113.9 (mx), delay=1s, stat=250 ok",
            LineFact.Status.sent, LineFact.Agent.smtp
        ),
        (
            "relay: TempFail for \(envelope): from=<k@b.example>, to=<a@x.example>, "
                + "relay=203.0.113.9 (mx) delay=1s, stat=451 x, stat=250 ok", .deferred, .smtp
        ),
        (
            "relay: PermFail for \(envelope): from=<k@b.example>, to=<a@x.example>, rcpt=<s@b.example>, "
                + "source=-, relay=x.example, delay=1s, stat=550 no", .bounced, .smtp
        ),
        (
            "relay: Expire for \(envelope): from=<k@b.example>, to=<a@x.example>, rcpt=<->, "
                + "delay=4d1s, stat=Envelope expired", .expired, .smtp
        ),
        (
            "relay: Remove for \(envelope): from=<@>, to=<a@x.example>, rcpt=<->, delay=1s, "
                + "stat=Removed by administrator", .discarded, .smtp
        ),
        (
            "delivery: Ok for \(envelope): from=<k@b.example>, to=<a@x.example>, user=a, method=mbox, "
                + "delay=0s, stat=Delivered", .sent, .mailbox
        ),
    ]) func theQueuesLinesAreRead(
        _ rest: String,
        _ status: LineFact.Status,
        _ agent: LineFact.Agent
    ) throws {
        let read = read(rest)
        let fact = try #require(read.fact(.delivery))
        #expect(fact.status == status)
        #expect(fact.agent == agent)
        #expect(read.text(fact.a) == "a@x.example")
        #expect(read.text(fact.queueID) == message)
    }

    @Test(arguments: [
        mta + "rcpt=<-> source=\"-\" relay=\"x\" delay=0s result=\"Okay\" stat=\"x\"",
        mta + "rcpt=<-> source=\"-\" relay=\"x\" result=\"Ok\" stat=\"x\"",
        mta + "rcpt=<-> source=\"-\" relay=\"x\" delay=0s result=\"Ok",
        mta + "rcpt=<a b> source=\"-\" relay=\"x\" delay=0s result=\"Ok\" stat=\"x\"",
        "\(session) mda delivery evpid=\(envelope) from=<> to=<a@b.example> delay=0s result=Ok stat=x",
        "\(session) mta delivery evpid=\(message) from=<> to=<a@b.example>",
        "relay: Ok for \(message): from=<>, to=<a@x.example>, stat=x", "relay: Ok", "delivery: x",
    ]) func whatIsNoDeliveryIsCounted(_ rest: String) {
        let read = read(rest)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.delivery] == 1)
    }

    @Test func noSpoiltLineTraps() {
        readsEverySpoiltForm(of: [
            head + "\(session) smtp connected address=[2001:db8::7] host=pc.isp.example",
            head
                + "\(session) smtp event=authentication user=k\\040b address=192.0.2.7 host=pc result=ok",
            head + "\(session) smtp event=message address=192.0.2.7 host=pc msgid=\(message) "
                + "from=<k@b.example> to=<a@x.example> size=608 ndest=2 proto=ESMTP",
            head + "\(session) smtp message msgid=\(message) size=608 nrcpt=3 proto=ESMTP",
            head + "\(session) smtp envelope evpid=\(envelope) from=<k@b.example> to=<a@x.example>",
            head + Self.mta + "rcpt=<-> source=\"192.0.2.1\" relay=\"[2001:db8::9] (mx)\" delay=0s "
                + "result=\"Ok\" stat=\"250 \(message) Message accepted for delivery\"",
            head
                + "\(session) mda delivery evpid=\(envelope) from=<> to=<a@b.example> rcpt=<b@b.example> "
                + "user=a delay=0s result=Ok stat=Delivered",
            head + "relay: Ok for \(envelope): session=\(session), from=<k@b.example>, "
                + "to=<a@x.example>, rcpt=<->, source=192.0.2.1, relay=203.0.113.9 (mx), delay=1s, stat=x",
            head
                + "smtp-in: Accepted message \(message) on session \(session): from=<k@b.example>, "
                + "to=<a@x.example>, size=608, ndest=2, proto=ESMTP",
            head + "smtp-in: New session \(session) from host pc.isp.example [192.0.2.7]",
            head + "postern: msgid=\(message) subject=x",
        ])
    }
}
