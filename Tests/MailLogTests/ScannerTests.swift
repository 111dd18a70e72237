import MailLog
import Records
import Testing

/// The facts of some lines, and the scanner's counters.
private func facts(_ lines: String...) -> ([LineFact], ScanCounters) {
    var scanner = LogScanner(seed: .constant)
    var facts: [LineFact] = []
    for (index, line) in lines.enumerated() {
        scanner.scanLine(Array(line.utf8).span, line: index, into: &facts)
    }
    return (facts, scanner.counters)
}

private func text(_ piece: LineFact.Piece, of line: String) -> String? {
    piece.isPresent ? String(decoding: Array(line.utf8)[piece.indices], as: UTF8.self) : nil
}

@Suite struct ClientLineTests {
    private func client(_ rest: String) -> (login: String?, host: String?, outer: String?) {
        let line = "Mar  1 10:00:00 mx1 postfix/submission/smtpd[1]: 4XyZbbcdzN9QK: client=" + rest
        let (found, _) = facts(line)
        guard let fact = found.first, fact.kind == .client else { return (nil, nil, nil) }
        return (text(fact.b, of: line), text(fact.a, of: line), text(fact.c, of: line))
    }

    @Test(arguments: [
        ("h[192.0.2.1], sasl_method=LOGIN, sasl_username=a@b.example", "a@b.example"),
        ("h[192.0.2.1], sasl_username=a@b.example", "a@b.example"),
        ("unknown[2001:db8::1], sasl_method=PLAIN, sasl_username=a b, c", "a b, c"),
        ("h[192.0.2.1]:4711, sasl_method=PLAIN, sasl_username=x", "x"),
        ("h[192.0.2.1], sasl_method=PLAIN, sasl_username=x, sasl_sender=y@z.test", "x"),
        ("h[192.0.2.1], sasl_method=PLAIN, sasl_username=x, sasl_sender=y, sasl_sender=z", "x"),
        (
            "h[192.0.2.1], sasl_method=PLAIN, sasl_username=x, orig_queue_id=4XyZbbcdzN9QK, "
                + "orig_client=g[192.0.2.2]", "x"
        ),
        // Not the grammar of the optional fields to the line's end: part of the login.
        (
            "h[192.0.2.1], sasl_method=PLAIN, sasl_username=x, orig_client=g[192.0.2.2] z",
            "x, orig_client=g[192.0.2.2] z"
        ),
        (
            "h[192.0.2.1], sasl_method=PLAIN, sasl_username=quo\"te<x>@shop.example",
            "quo\"te<x>@shop.example"
        ),
    ]) func theLoginEndsWhereTheOptionalFieldsBegin(_ rest: String, _ login: String) {
        #expect(client(rest).login == login)
    }

    @Test func aClientWithoutLoginHasNone() {
        #expect(client("h[192.0.2.1]").host == "h[192.0.2.1]")
        #expect(client("h[192.0.2.1]").login == nil)
        #expect(
            client("localhost[127.0.0.1], orig_queue_id=4XyZbbcdzN9QK, orig_client=g[192.0.2.2]")
                .outer
                == "4XyZbbcdzN9QK"
        )
    }

    @Test func aCanaryIsOfNoMessageAndMovesNoTime() {
        let (found, _) = facts("Mar  1 10:00:00 mx1 postern-canary[1]: canary 1 of today")
        #expect(found.map(\.kind) == [.canary])
        for tag in ["postern-canarY[1]", "postern-canary2[1]", "xpostern-canary[1]"] {
            let (other, _) = facts("Mar  1 10:00:00 mx1 \(tag): canary 1 of today")
            #expect(other.map(\.kind) == [.time])
        }
    }

    @Test func aFailedLoginIsNoSubmission() {
        let (found, _) = facts(
            "Mar  1 10:00:00 mx1 postfix/smtpd[1]: warning: unknown[192.0.2.9]: SASL LOGIN "
                + "authentication failed: UGFzc3dvcmQ6, sasl_username=a@b.example"
        )
        #expect(found.allSatisfy { $0.kind == .time })
    }

    @Test func whatIsNoClientIsCountedAsBroken() {
        #expect(
            facts("Mar  1 10:00:00 mx1 postfix/smtpd[1]: 4XyZbbcdzN9QK: client=h 192.0.2.1").1[
                .arrival
            ] == 1
        )
        #expect(
            facts(
                "Mar  1 10:00:00 mx1 postfix/smtpd[1]: 4XyZbbcdzN9QK: client=h[192.0.2.1], sasl_username="
            ).1[.arrival] == 1
        )
    }
}

@Suite struct DeliveryLineTests {
    private let head = "2026-03-01T10:00:00.000001+00:00 mx1 postfix/smtp[9]: ABCDEF0123: "

    @Test(arguments: [
        ("sent", LineFact.Status.sent), ("deferred", .deferred), ("bounced", .bounced),
        ("expired", .expired), ("deliverable", .other),
    ]) func theStatusIsRead(_ word: String, _ status: LineFact.Status) {
        let line =
            head
            + "to=<a@b.test>, orig_to=<c@d.test>, relay=mx.b.test[203.0.113.1]:25, conn_use=2, "
            + "delay=0.1, delays=0/0/0.05/0.05, dsn=2.0.0, status=\(word) (250 ok)"
        let (found, _) = facts(line)
        #expect(found.count == 1)
        #expect(found.first?.kind == .delivery)
        #expect(found.first?.status == status)
        #expect(found.first.flatMap { text($0.a, of: line) } == "a@b.test")
        #expect(found.first.flatMap { text($0.b, of: line) } == "c@d.test")
        #expect(found.first.flatMap { text($0.c, of: line) } == "mx.b.test[203.0.113.1]:25")
        #expect(found.first.flatMap { text($0.d, of: line) } == "250 ok)")
    }

    /// A remote server's reply, or a quoted recipient, may hold a whole second status.
    @Test func strangersTextIsNoStatus() {
        let quoted =
            head + "to=<\"a, relay=none, status=bounced (x\"@b.test>, relay=none, delay=1, "
            + "delays=0/0/0/1, dsn=4.4.1, status=deferred (status=sent (250 ok))"
        let (found, _) = facts(quoted)
        #expect(found.first?.status == .deferred)
        #expect(
            found.first.flatMap { text($0.a, of: quoted) }
                == "\"a, relay=none, status=bounced (x\"@b.test"
        )
    }

    @Test func brokenGrammarIsCountedAndGivesNoFact() {
        for rest in [
            "to=<a@c.test, relay=x, status=sent (ok)", "to=a b@c.test, relay=x, status=sent (ok)",
            "to=<a@c.test>, relay=x, status=", "to=<a@c.test>, relay=x y, status=sent (ok)",
            "to=<a@c.test>, relay=x", "to=<a@c.test>, orig_to=<b, relay=x, status=sent (ok)",
            "to=<a@c.test>, relay=x, what is this, status=sent (ok)", "to=",
        ] {
            let (found, counters) = facts(head + rest)
            #expect(found.allSatisfy { $0.kind == .time }, "\(rest)")
            #expect(counters[.delivery] == 1, "\(rest)")
        }
    }
}

@Suite struct HeaderGrammarTests {
    @Test func aQueueIDIsNoWord() {
        for word in ["warning", "statistics", "NOQUEUE", "fatal", "table"] {
            let (found, _) = facts(
                "Mar  1 10:00:00 mx1 postfix/smtpd[1]: \(word): client=h[192.0.2.1]"
            )
            #expect(found.allSatisfy { $0.kind == .time || $0.kind == .proxied }, "\(word)")
        }
        for id in ["ABCDEF0123", "4jY8GR4XpWz2NRZh", "0A1B2"] {
            let (found, _) = facts(
                "Mar  1 10:00:00 mx1 postfix/smtpd[1]: \(id): client=h[192.0.2.1]"
            )
            #expect(found.first?.kind == .client, "\(id)")
        }
    }

    @Test(arguments: [
        "Mar  1 10:00:00 mx1 postfix/smtpd[1]: ", "Mar 01 10:00:00 mx1 postfix/smtpd: ",
        "2026-03-01T10:00:00+00:00 mx1 postfix/smtpd[1]: ",
        "2026-03-01T11:00:00.123456+01:00 mx1 postfix-out/submission/smtpd[1]: ",
        "2026-03-01T10:00:00.5Z mx1 postfix/smtps/smtpd[77777]: ",
    ]) func everyFormOfAHeaderIsRead(_ head: String) {
        let (found, _) = facts(head + "ABCDEF0123: client=h[192.0.2.1]\r")
        #expect(found.first?.kind == .client)
    }

    @Test(arguments: [
        "", " ", "x", "Mar  1 10:00:00", "Mar  1 10:00:00 mx1",
        "Mar 32 10:00:00 mx1 postfix/smtpd[1]: x",
        "Foo  1 10:00:00 mx1 postfix/smtpd[1]: x: y",
        "2026-13-01T10:00:00Z mx1 postfix/smtpd[1]: x: y",
        "2026-02-29T10:00:00Z mx1 postfix/smtpd[1]: x: y",
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        "Mar  1 10:00:0", "Mar  1 25:00:00 mx1 postfix/smtpd[1]: ABCDEF0123: client=h[192.0.2.1]",
        "2026-03-01T10:00:00", "2026-03-01T10:00:00.", "2026-03-01T10:00:00+",
        "2026-03-01T10:00:00+01:0",
    ]) func whatHasNoHeaderIsCounted(_ line: String) {
        let (found, counters) = facts(line)
        #expect(found.isEmpty)
        #expect(counters[.noStamp] + counters[.noHeader] == 1)
    }

    /// forall prefixes and single changed bytes of lines: no trap.
    @Test func noPrefixAndNoChangedByteTraps() {
        let lines = [
            "Mar  1 10:00:00 mx1 postfix/submission/smtpd[1]: 4XyZbbcdzN9QK: client=h[192.0.2.1], "
                + "sasl_method=LOGIN, sasl_username=a, sasl_sender=b",
            "2026-03-01T10:00:00.000001+00:00 mx1 postfix/smtp[9]: ABCDEF0123: to=<\"a\\\"b\"@b.test>, "
                + "orig_to=<c@d.test>, relay=mx[203.0.113.1]:25, delay=0.1, dsn=2.0.0, status=sent (ok)",
            "Mar  1 10:00:00 mx1 postfix/cleanup[1]: ABCDEF0123: info: header Subject: x from "
                + "h[192.0.2.1]; from=<a@b.test> to=<c@d.test> proto=ESMTP helo=<h>",
            "Mar  1 10:00:00 mx1 postfix/qmgr[1]: ABCDEF0123: from=<a@b.test>, size=1, nrcpt=1 (queue active)",
        ]
        for line in lines {
            let bytes = Array(line.utf8)
            for end in 0...bytes.count {
                var scanner = LogScanner(seed: .constant)
                var found: [LineFact] = []
                scanner.scanLine(bytes[0..<end].span, line: 0, into: &found)
                #expect(scanner.counters.lines == 1)
            }
            for index in bytes.indices {
                for byte in [0, 0x20, 0x22, 0x3c, 0x3e, 0x5b, 0x5d, 0xff] as [UInt8] {
                    var changed = bytes
                    changed[index] = byte
                    var scanner = LogScanner(seed: .constant)
                    var found: [LineFact] = []
                    scanner.scanLine(changed.span, line: 0, into: &found)
                    #expect(scanner.counters.lines == 1)
                }
            }
        }
    }
}
