import MailEvents
import MailLog
import Records
import Testing

private let rest = "1xVVVr-0007L6-1I Completed"

/// What stands before and around the text of a message's line.
@Suite struct EximLineTests {
    @Test(arguments: [
        // The same moment: 2026-03-01 10:00:00 UTC, and of a zone's clock.
        ("2026-03-01 10:00:00 +0000 ", 1_772_359_200_000_000, false),
        ("2026-03-01 11:30:00 +0130 ", 1_772_359_200_000_000, false),
        ("2026-03-01 05:00:00 -0500 [4711] ", 1_772_359_200_000_000, false),
        ("2026-03-01 10:00:00.123 +0000 [1] ", 1_772_359_200_123_000, false),
        ("2026-03-01 10:00:00 ", 1_772_359_200_000_000, true),
        ("2026-03-01 10:00:00.007 ", 1_772_359_200_007_000, true),
        ("2026-03-01 10:00:00.5 [99999] ", 1_772_359_200_500_000, true),
    ]) func everyStampIsRead(_ stamp: String, _ microseconds: Int64, _ isLocal: Bool) {
        let read = EximFacts(stamp + rest)
        #expect(read.facts.map(\.kind) == [.removed])
        #expect(read.fact?.stamp.microseconds == microseconds)
        #expect(read.fact?.stamp.isLocal == isLocal)
        #expect(read.fact?.host == .absent)
    }

    @Test(arguments: [
        "", "2026-03-01", "2026-03-01 10:00:00", "2026-02-29 10:00:00 x", "2026-03-01 24:00:00 x",
        "2026-03-01 10:00:00,123 x", "2026-03-01 10:00:00. x", "2026-03-01 10:00:00.1234567 x",
        "2026-03-01x10:00:00 x", "x026-03-01 10:00:00 x",
    ]) func whatHasNoStampIsNoLineOfExims(_ line: String) {
        let read = EximFacts(line)
        #expect(read.counters[.exim].lines == 0)
        #expect(read.counters[.noStamp] == 1)
    }

    @Test(arguments: [
        "1xVVVr-0007L6-1I", "16ZCW1-0005MB-00", "0TRIQZ-0002Q5-A0", "1xWGE0-000000004vb-48Gg",
    ]) func everyFormOfAMessageIDIsKnown(_ id: String) {
        let read = EximFacts("2026-03-01 10:00:00 \(id) Completed")
        #expect(read.fact.flatMap { read.text($0.queueID) } == id)
    }

    @Test(arguments: [
        "1xVVVr-0007L6-1", "1xVVVr-0007L6-1Ix", "1xVVV-0007L6-1I", "1xVVVr+0007L6-1I",
        "1xVVVr-0007L_-1I", "1xWGE0-000000004vb-48G", "1xWGE0-000000004vb-48Gg1",
        "1xWGE0-0000000-4vb-48Gg", "1xV:Vr-0007L6-1I", "1xV@Vr-0007L6-1I", "1xV[Vr-0007L6-1I",
        "1xV`Vr-0007L6-1I", "1xV{Vr-0007L6-1I", "1xV/Vr-0007L6-1I", "é1xVVr-0007L6-1I",
    ]) func whatIsNoMessageIDIsNoMessage(_ id: String) {
        let read = EximFacts("2026-03-01 10:00:00 \(id) Completed")
        #expect(read.facts.isEmpty)
        #expect(read.counters[.exim].ignored == 1)
    }

    @Test(arguments: [
        "Mar  1 10:00:00 mx2 exim[4711]: 2026-03-01 10:00:00 ",
        "Mar  1 10:00:00 mx2 exim[4711]: 2026-03-01 10:00:00.123 +0100 [4711] ",
        "Mar  1 10:00:00 mx2 exim: 2026-03-01 10:00:00 ", "Mar  1 10:00:00 mx2 exim4[4711]: ",
        "Mar  1 10:00:00 mx2 exim[4711]: [4711] ",
        "2026-03-01T10:00:00.123456+01:00 mx2 exim[4711]: 2026-03-01 10:00:00 ",
    ]) func aLineBySyslogHasItsStampTwiceOrNot(_ head: String) {
        let read = EximFacts(head + rest)
        #expect(read.facts.map(\.kind) == [.removed])
        #expect(read.fact.flatMap { read.text($0.host) } == "mx2")
        #expect(read.fact.flatMap { read.text($0.queueID) } == "1xVVVr-0007L6-1I")
        #expect(read.fact?.stamp == syslogStamp(head))
    }

    @Test(arguments: [
        ("Completed", LineFact.Kind.removed), ("Completed QT=5s", .removed),
        ("removed by root", .removed), ("Message removed because older than 1d", .removed),
        ("frozen by ACL", .held), ("Frozen", .held), ("Frozen (delivery error message)", .held),
        ("unfrozen by root", .released), ("Unfrozen by forced delivery", .released),
        ("Unfrozen by auto-thaw", .released), ("Unfrozen by errmsg timer", .released),
        ("cancelled by root", .cancelled), ("cancelled by system filter: no", .cancelled),
        ("cancelled by timeout_frozen_after", .expired),
        ("report-type=disposition-notification", .contentType),
        ("disposition-notification-to=<a@b.example>", .receiptRequest),
    ]) func aMessagesLifeIsFollowed(_ words: String, _ kind: LineFact.Kind) {
        let read = EximFacts("2026-03-01 10:00:00 1xVVVr-0007L6-1I \(words)")
        #expect(read.facts.map(\.kind) == [kind])
        #expect((read.fact?.agent == .operator) == (words == "removed by root"))
    }

    @Test(arguments: [
        "Message is frozen", "Spool file is locked (another process is handling this message)",
        "H=(pc) [192.0.2.1] F=<a@b.example> A=plain:x rejected after DATA: refused",
        "SMTP connection outbound 1448610553 1xVVVr-0007L6-1I b.example c@d.example",
        "DKIM: d=b.example s=x c=relaxed/relaxed a=rsa-sha256 b=2048 [verification succeeded]",
        "address <a@b.example> marked delivered by root", "Completedly", "Frozenly", "frozenby x",
        "disposition-notification-to=<>", "a@b.example: error ignored", "no immediate delivery: x",
        "unfrozen", "<=x", "=>x", "(x", "<", "=", "**** whatever",
    ]) func otherLinesSayNothing(_ words: String) {
        let read = EximFacts("2026-03-01 10:00:00 1xVVVr-0007L6-1I \(words)")
        #expect(read.facts.isEmpty)
        #expect(read.counters[.exim].ignored == 1)
    }

    /// Refused recipients, connections, the daemon: no message, whatever they name.
    @Test(arguments: [
        "H=(pc16) [192.0.2.1] F=<a@b.example> A=login:a@b.example rejected RCPT <x@y.example>: no",
        "plain authenticator failed for (pc) [192.0.2.1]: 535 Incorrect data (set_id=a@b.example)",
        "exim 4.98.2 daemon started: pid=1, -q3s, listening for SMTP on [127.0.0.1]:25",
        "Start queue run: pid=1", "no host name found for IP address 192.0.2.1",
        "cwd=/ 3 args: exim <= a@b.example A=plain:x", "<= a@b.example U=x P=local S=1",
    ]) func aLineWithoutAMessageSaysNothing(_ text: String) {
        let read = EximFacts("2026-03-01 10:00:00 " + text)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.exim].ignored == 1)
    }

    /// The text is what a stranger wrote into a header.
    @Test(arguments: [
        ("disposition-notification-to=<\"a> b\"@third.test>", "\"a> b\"@third.test"),
        ("disposition-notification-to=<a@b.example> A=plain:x", nil),
        ("disposition-notification-to=<a b@c.example>", nil),
        ("disposition-notification-to=<a@b.example", nil), ("disposition-notification-to=<", nil),
        ("disposition-notification-to=a@b.example", nil),
    ]) func aReceiptRequestNamesOneAddressOrNone(_ words: String, _ address: String?) {
        let read = EximFacts("2026-03-01 10:00:00 1xVVVr-0007L6-1I \(words)")
        #expect(read.text(.receiptRequest, \.a) == address)
        #expect(read.facts.isEmpty == (address == nil))
    }

    @Test(arguments: ["report-type=", "report-type=a b", "report-type=x\"", "report-type=x "])
    func aReportTypeIsOneWord(_ words: String) {
        let read = EximFacts("2026-03-01 10:00:00 1xVVVr-0007L6-1I \(words)")
        #expect(read.facts.isEmpty)
        #expect(read.counters[.arrival] == 1)
    }

    /// Over 8 KiB, Exim drops a line, whose message then has no beginning.
    @Test func aLineThatEximLostIsCounted() {
        let read = EximFacts(
            "2026-03-01 10:00:00 1xVVVr-0007L6-1I **** log string overflowed log buffer ****"
        )
        #expect(read.counters[.arrival] == 1)
    }

    @Test(arguments: [
        ("[1/2] ", LineOutcome.read), ("[2/2] ", .read), ("[1\\2] ", .ignored),
        ("[17/870] ", .read), ("[3/2] ", .ignored), ("[0/2] ", .ignored), ("[1/1] ", .ignored),
        ("[1/99999] ", .ignored), ("[/2] ", .ignored), ("[1/] ", .ignored), ("[1/2]", .ignored),
    ]) func aPartOfALineIsKnownByItsNumber(_ part: String, _ outcome: LineOutcome) {
        let read = EximFacts("Mar  1 10:00:00 mx2 exim[4711]: \(part)text of it")
        switch outcome {
        case .read:
            #expect(read.facts.map(\.kind) == [.part])
            #expect(read.text(.part, \.a) == "text of it")
        default:
            #expect(read.facts.isEmpty)
            #expect(read.counters[.exim].ignored == 1)
        }
    }

    /// Without the process' number, nobody knows whose part it is.
    @Test func aPartOfNoKnownProcessIsCounted() {
        let read = EximFacts("Mar  1 10:00:00 mx2 exim: [1/2] 2026-03-01 10:00:00 \(rest)")
        #expect(read.facts.isEmpty)
        #expect(read.counters[.arrival] == 1)
    }

    /// forall prefixes and single changed bytes of lines: no trap, and each line is counted once.
    @Test(arguments: [
        "2026-03-01 10:00:00.123 +0100 [4711] 1xVVVr-0007L6-1I <= \"a b\\\"\"@b.example "
            + "H=mx (x) y) [192.0.2.1]:25 I=[192.0.2.2]:1 U=u v P=esmtpsa L* X=a:b CV=no "
            + "DN=\"x\" y\" SNI=\"a b\" A=plain:l o:s@t PRDR PRX=1 K S=1 M8S=0 id=\"i d\"@x.y "
            + "T=\"t\\\\\\\" \\303\" from <s@t> for r@d.example \"q u\"@d.example",
        "2026-03-01 10:00:00 1xWGE0-000000004vb-48Gg => r a <\"r A\"@d.e> F=<s@t> P=<> R=r T=t S=1 "
            + "H=h DS [192.0.2.1]:25* X=a CV=no DN=\"d \"e\" A=x:y L K C=\"250 \\\"k\\\\\" QT=1s",
        "2026-03-01 10:00:00 1xVVVr-0007L6-1I ** k (p@q, r@s) <o@d.e> R=r T=t H=h [::1]: m <x@y> R=z",
        "2026-03-01 10:00:00 1xVVVr-0007L6-1I == |/p q <o@d.e> routing defer (-1): m",
        "Mar  1 10:00:00 mx2 exim[4711]: [12/345] 2026-03-01 10:00:00 1xVVVr-0007L6-1I Completed",
        "2026-03-01 10:00:00 1xVVVr-0007L6-1I disposition-notification-to=<\"a\\\"b\"@c.d>",
    ]) func noPrefixAndNoChangedByteTraps(_ line: String) {
        let bytes = Array(line.utf8)
        for end in 0...bytes.count {
            let read = EximFacts(Array(bytes[..<end]))
            #expect(read.counters.lines == 1)
        }
        for index in bytes.indices {
            let changes: [UInt8] = [
                0, 0x20, 0x22, 0x28, 0x29, 0x2d, 0x2f, 0x3a, 0x3c, 0x3d, 0x3e, 0x40, 0x41, 0x53,
                0x5b, 0x5c, 0x5d, 0xff,
            ]
            for byte in changes {
                var changed = bytes
                changed[index] = byte
                #expect(EximFacts(changed).counters.lines == 1)
            }
        }
    }

    @Test func everyByteIsOfItsClass() {
        for byte in UInt8.min...UInt8.max {
            let character = [byte]
            let isSpecial =
                byte <= 0x20 || byte == 0x7f || Array("()<>@,;:\\\".[]".utf8).contains(byte)
            // In the middle of a local part, of a domain, of a cipher.
            let letter =
                byte >= 0x30 && byte <= 0x39
                || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a
                    && byte >= 0x41
            func isRead(_ before: String, _ after: String) -> Bool {
                let head = "2026-03-01 10:00:00 1xVVVr-0007L6-1I <= "
                let line = Array((head + before).utf8) + character + Array(after.utf8)
                return EximFacts(line).counters[.exim].read == 1
            }
            let dotOrBackslash = byte == UInt8(ascii: ".") || byte == UInt8(ascii: "\\")
            #expect(
                isRead("a", "b@c.example P=local S=1") == (!isSpecial || dotOrBackslash),
                "\(byte) in a local part"
            )
            let isDomain = letter || byte >= 0x80 || Array("-._".utf8).contains(byte)
            // A blank ends the sender's domain.
            #expect(
                isRead("a@c", "d.example P=local S=1") == isDomain,
                "\(byte) in a domain"
            )
            let isToken = letter || Array("%*+,-./:=@[]_~".utf8).contains(byte)
            #expect(
                isRead("a@c.example P=local X=a", "b S=1") == isToken,
                "\(byte) in a cipher"
            )
        }
    }
}

/// The stamp of syslog's before a host name, read from a line of another program.
private func syslogStamp(_ head: String) -> Stamp? {
    var scanner = LogScanner(seed: .constant)
    var facts: [LineFact] = []
    let stamp = head.split(separator: "mx2").first ?? ""
    scanner.scanLine(Array("\(stamp)mx2 cron[1]: x".utf8).span, line: 0, into: &facts)
    return facts.first?.stamp
}
