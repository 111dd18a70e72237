import MailEvents
import MailLog
import Records
import Testing

/// The moment of `2026-03-01T10:00:00Z`.
private let tenOClock: Int64 = 1_772_359_200

/// What a line says first, if it says more than the time; its host and its second.
private func reading(
    _ line: String,
    dialect: Dialect? = nil
) -> (fact: LineFact, host: String, seconds: Int64)? {
    var scanner = LogScanner(seed: .constant, dialect: dialect)
    var facts: [LineFact] = []
    let bytes = Array(line.utf8)
    scanner.scanLine(bytes.span, line: 0, into: &facts)
    guard let fact = facts.first, fact.kind != .time else { return nil }
    var resolver = TimeResolver(zone: .utc, firstYear: 2026)
    resolver.beginFile(.none)
    let time = resolver.resolve(fact.stamp, observed: 0) ?? 0
    return (fact, String(decoding: bytes[fact.host.indices], as: UTF8.self), time / 1_000_000)
}

private let client =
    "ABCDEF0123: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=ann@a.example"

@Suite struct SyslogHeaderTests {
    /// Every form of a head, with what a mail server wrote at ten o'clock behind it.
    @Test(arguments: [
        // RFC 3164, its day padded with a blank, a zero, or not at all.
        "Mar  1 10:00:00 mx1 postfix/smtpd[1]: ",
        "Mar 01 10:00:00 mx1 postfix/smtpd[1]: ",
        "Mar 1 10:00:00 mx1 postfix/smtpd[1]: ",
        "Mar  1 10:00:00 mx1 postfix/smtpd: ",
        // With a fraction (`journalctl -o short-precise`, syslog-ng), with a year.
        "Mar 01 10:00:00.123456 mx1 postfix/smtpd[1]: ",
        "Mar  1 2026 10:00:00 mx1 postfix/smtpd[1]: ",
        "2026 Mar  1 10:00:00.123 mx1 postfix/smtpd[1]: ",
        "2026 Mar 01 10:00:00 mx1 postfix/smtpd[1]: ",
        // RFC 3339 and its relatives.
        "2026-03-01T10:00:00Z mx1 postfix/smtpd[1]: ",
        "2026-03-01T10:00:00.5z mx1 postfix/smtpd: ",
        "2026-03-01T11:00:00.123456+01:00 mx1 postfix/smtpd[1]: ",
        "2026-03-01T04:30:00-05:30 mx1 postfix/smtpd[1]: ",
        "2026-03-01T11:00:00+0100 mx1 postfix/smtpd[1]: ",
        "2026-03-01T10:00:00 mx1 postfix/smtpd[1]: ",
        "2026-03-01T10:00:00.123 mx1 postfix/smtpd[1]: ",
        "2026-03-01t10:00:00.123Z mx1 postfix/smtpd[1]: ",
        // RFC 5424.
        "<22>1 2026-03-01T10:00:00.003Z mx1 postfix/smtpd 1 - - ",
        "<22>1 2026-03-01T10:00:00+00:00 mx1 postfix/smtpd 1 - - \u{feff}",
        "<22>1 2026-03-01T10:00:00Z mx1 postfix/smtpd - ID47 [a@1 b=\"x]\\\"\\\\\" c=\"\"][d] ",
        "<22>1 2026-03-01T10:00:00Z mx1 - - - - postfix/smtpd[1]: ",
        "1 2026-03-01T10:00:00Z mx1 postfix/smtpd 1 - - ",
        // A priority as it travels.
        "<22>Mar  1 10:00:00 mx1 postfix/smtpd[1]: ",
        "<22>2026-03-01T10:00:00Z mx1 postfix/smtpd[1]: ",
        // FreeBSD's syslogd -v -v and -v, BusyBox, Solaris.
        "Mar  1 10:00:00 <mail.info> mx1 postfix/smtpd[1]: ",
        "Mar  1 10:00:00 <2.6> mx1 postfix/smtpd[1]: ",
        "Mar  1 10:00:00 mx1 mail.info postfix/smtpd[1]: ",
        "Mar  1 10:00:00 mx1 postfix/smtpd[1]: [ID 197553 mail.info] ",
        "Mar  1 10:00:00 <mail.info> mx1 postfix/smtpd[1]: [ID 197553 mail.info] ",
        // Relays that did not understand the line.
        "Mar  1 10:00:01 relay Mar  1 10:00:00 mx1 postfix/smtpd[1]: ",
        "Mar 1 10:00:01 relay Mar 1 10:00:00 mx1 postfix/smtpd[1]: ",
        "2026-03-01T10:00:01Z relay 2026-03-01T10:00:00Z mx1 postfix/smtpd[1]: ",
        "2026-03-01T10:00:00Z relay Mar  1 10:00:07 mx1 postfix/smtpd[1]: ",
        "Mar  1 10:00:07 relay <22>2026-03-01T10:00:00Z mx1 postfix/smtpd[1]: ",
        "Mar  1 10:00:07 a Mar  1 10:00:03 b <22>Mar  1 10:00:00 mx1 postfix/smtpd[1]: ",
        "<22>1 2026-03-01T10:00:00Z mx1 postfix/smtpd 77 - - ",
        // Containers.
        "2026-03-01T10:00:00.123456789Z Mar  1 10:00:03 mx1 postfix/smtpd[1]: ",
        "2026-03-01T10:00:00.123456789Z stdout F Mar 01 10:00:03 mx1 postfix/smtpd[1]: ",
        "2026-03-01T10:00:03.123456789Z stderr F 2026-03-01T10:00:00Z mx1 postfix/smtpd[1]: ",
        // As LogSources/Journal makes it.
        "2026-03-01T10:00:00.000000+00:00 mx1 postfix/submission/smtpd[1]: ",
        // Any syslog_name.
        "Mar  1 10:00:00 mx1 postfix-out/smtpd[1]: ",
        "Mar  1 10:00:00 mx1 postfix/submission/smtpd[1]: ",
        "Mar  1 10:00:00 mx1 postfix/amavisd/smtpd[1]: ",
        "Mar  1 10:00:00 mx1 mailout.example.com/smtpd[1]: ",
        "Mar  1 10:00:00 mx1 smtpd[1]: ",
    ]) func everyFormOfAHeadIsRead(_ head: String) throws {
        let read = try #require(reading(head + client))
        #expect(read.fact.kind == .client)
        #expect(read.host == "mx1")
        #expect(read.seconds == tenOClock)
        // The carriage return of a log that came by way of Windows.
        #expect(reading(head + client + "\r")?.fact.b == read.fact.b)
    }

    /// A tag that something cut down to the program's name.
    @Test(arguments: [
        ("cleanup[1]", "message-id=<a@b.example>", LineFact.Kind.messageID),
        ("qmgr[1]", "from=<a@b.example>, size=1, nrcpt=1 (queue active)", .active),
        ("nqmgr", "removed", .removed),
        ("smtp", "to=<a@b.example>, relay=none, delay=1, status=deferred (no)", .delivery),
        ("local[1]", "to=<a@b.example>, relay=local, delay=1, status=sent (yes)", .delivery),
        ("lmtp[1]", "to=<a@b.example>, relay=x[private/l], delay=1, status=sent (yes)", .delivery),
        ("virtual[1]", "to=<a@b.example>, relay=virtual, delay=1, status=sent (yes)", .delivery),
        ("pipe[1]", "to=<a@b.example>, relay=dovecot, delay=1, status=sent (yes)", .delivery),
        ("error[1]", "to=<a@b.example>, relay=none, delay=1, status=bounced (no)", .delivery),
        ("discard[1]", "to=<a@b.example>, relay=none, delay=1, status=sent (x)", .delivery),
        ("postsuper[1]", "released from hold", .released),
        ("pickup[1]", "uid=0 from=<root>", .local),
    ]) func bareTagsAreThoseOfPostfix(_ tag: String, _ text: String, _ kind: LineFact.Kind) {
        #expect(reading("Mar  1 10:00:00 mx1 \(tag): ABCDEF0123: \(text)")?.fact.kind == kind)
    }

    /// Names of months in other languages, dates that are none, words that are no stamp.
    @Test(arguments: [
        "Mär  1 10:00:00 mx1 ", "Mai  1 10:00:00 mx1 ", "mar  1 10:00:00 mx1 ",
        "MAR  1 10:00:00 mx1 ",
        "Mrt  1 10:00:00 mx1 ", "Dez  1 10:00:00 mx1 ", "März  1 10:00:00 mx1 ",
        "Mar 32 10:00:00 mx1 ", "Mar  0 10:00:00 mx1 ", "Feb 30 10:00:00 mx1 ",
        "Apr 31 10:00:00 mx1 ",
        "Mar  1 24:00:00 mx1 ", "Mar  1 10:60:00 mx1 ", "Mar  1 10:00:61 mx1 ",
        "2026 Feb 29 10:00:00 mx1 ", "Feb 29 2026 10:00:00 mx1 ", "2026-02-29T10:00:00 mx1 ",
        "2026-03-01T10:00:00+24:00 mx1 ", "2026-03-01T10:00:00+01:60 mx1 ",
        "2026-03-01T10:00:00+1 mx1 ", "2026-03-01 10:00:00 mx1 ", "2026/03/01T10:00:00Z mx1 ",
        "<22> Mar  1 10:00:00 mx1 ", "<2222>Mar  1 10:00:00 mx1 ", "<>Mar  1 10:00:00 mx1 ",
        "<22>1 - mx1 postfix/smtpd 1 - - ", "<22>1 2026-03-01T10:00:00Z mx1 postfix/smtpd 1 - [x ",
        "<22>1 2026-03-01T10:00:00Z mx1 postfix/smtpd 1 - ", "<22>2 2026-03-01T10:00:00Z mx1 ",
        "2026-03-01T10:00:00Z stdout P Mar  1 10:00:00 mx1 ",
    ]) func whatIsNoHeadIsNotGuessed(_ head: String) {
        #expect(reading(head + "postfix/smtpd[1]: " + client) == nil)
    }

    /// What an unknown program writes may be a stranger's text: a head in it counts only when the
    /// operator says that all lines are of one server.
    @Test(arguments: [
        "Mar  1 10:00:07 dockerhost 3f2a9c1d7e4b[812]: Mar  1 10:00:00 mx1 postfix/smtpd[1]: ",
        "2026-03-01T10:00:07Z node webapp[7]: Mar  1 10:00:00 mx1 postfix/smtpd[1]: ",
        "<22>1 2026-03-01T10:00:07Z node webapp 7 - - 2026-03-01T10:00:00Z mx1 postfix/smtpd[1]: ",
        "mailserver-1  | Mar  1 10:00:00 mx1 postfix/smtpd[1]: ",
    ]) func headsInTheTextOfOthersNeedTheOperatorsWord(_ head: String) throws {
        #expect(reading(head + client) == nil)
        let read = try #require(reading(head + client, dialect: .postfix))
        #expect(read.fact.kind == .client)
        #expect(read.host == "mx1")
    }

    /// Programs that write queue IDs, and are not Postfix: opendkim, milters, amavis, dovecot, tags of
    /// containers.
    @Test(arguments: [
        "opendkim[600]", "opendmarc[7]", "amavis[9]", "dovecot", "sieve", "postgrey[1]",
        "rspamd[1]",
        "spamass-milter[3]", "docker/app[5]", "k8s/web", "policyd-spf[1]", "retry[1]",
        "sshd[1]", "last", "postfix",
    ]) func otherProgramsAreForeign(_ tag: String) throws {
        for text in [
            client, "ABCDEF0123: to=<a@b.example>, relay=x, delay=1, status=sent (x)",
            "ABCDEF0123: DKIM-Signature field added (s=x, d=a.example)",
            "NOQUEUE: client=x[192.0.2.1]",
        ] {
            let result = try run(["Mar  1 10:00:00 mx1 \(tag): \(text)"])
            #expect(result.scanned.foreign == 1, "\(tag)")
            #expect(result.scanned.read == 0)
        }
    }

    /// BSD's and syslog-ng's notes on lines that came again say nothing new.
    @Test func notesOfSyslogItselfAreNoLinesOfTheServer() throws {
        let result = try run([
            "Mar  1 10:00:00 mx1 last message repeated 3 times",
            "Mar  1 10:00:00 mx1 -- MARK --",
            "Mar  1 10:00:00 mx1 postfix/smtpd[1]: Last message '\(client)' repeated 2 times, "
                + "suppressed by syslog-ng on mx1",
        ])
        #expect(result.scanned.unparsed == 0)
        #expect(result.counters.submissions == 0)
    }

    /// The stamp of the innermost head counts, unless an outer one knows more.
    @Test func theLastHeadTellsHostAndTime() throws {
        let line =
            "2026-03-01T12:00:00.5+02:00 relay Feb 28 09:00:00 mx1 postfix/smtpd[1]: " + client
        #expect(reading(line)?.seconds == tenOClock)
        let other = "Mar  3 10:00:00 relay Mar  1 10:00:00 mx1 postfix/smtpd[1]: " + client
        #expect(reading(other)?.seconds == tenOClock)
    }

    /// A stamp of a rare form must not stand for one of the ordinary form that looks the same.
    @Test func rareAndOrdinaryFormsMix() throws {
        var scanner = LogScanner(seed: .constant)
        var facts: [LineFact] = []
        for (index, head) in [
            "Mar  1 10:00:00 mx1", "Mar  1 10:00:00 relay Mar  2 10:00:00 mx1",
            "Mar  1 10:00:00 mx1", "2026-03-01T10:00:00 mx1", "2026-03-01T10:00:00Z mx1",
        ].enumerated() {
            scanner.scanLine(
                Array("\(head) postfix/smtpd[1]: \(client)".utf8).span,
                line: index,
                into: &facts
            )
        }
        #expect(facts.map(\.kind) == Array(repeating: .client, count: 5))
        #expect(facts[0].stamp == Stamp(month: 3, day: 1, secondOfDay: 36_000))
        #expect(facts[1].stamp == Stamp(month: 3, day: 2, secondOfDay: 36_000))
        #expect(facts[2].stamp == facts[0].stamp)
        #expect(facts[3].stamp == Stamp(localMicroseconds: tenOClock * 1_000_000))
        #expect(facts[4].stamp == Stamp(microseconds: tenOClock * 1_000_000))
    }

    /// forall heads: no prefix and no changed byte traps.
    @Test(arguments: [
        "<22>1 2026-03-01T10:00:00.003Z mx1 postfix/smtpd 1 - [a@1 b=\"x\\]\"] \u{feff}",
        "<22>Mar  1 10:00:00 mx1 postfix/smtpd[1]: [ID 197553 mail.info] ",
        "2026 Mar  1 10:00:00.123 mx1 mail.info postfix/smtpd[1]: ",
        "Mar  1 2026 10:00:00 <mail.info> mx1 postfix/smtpd[1]: ",
        "2026-03-01T10:00:00+0100 stdout F Mar 01 10:00:03 relay <22>Mar  1 10:00:00 mx1 smtpd[1]: ",
        "mailserver-1  | 2026-03-01T10:00:00.123 node x[1]: Mar  1 10:00:00 mx1 postfix/smtpd[1]: ",
        "Mar  1 10:00:00 mx1 postfix/smtpd[1]: message repeated 2 times: [ ",
    ]) func noPrefixAndNoChangedByteTraps(_ head: String) {
        let bytes = Array((head + client).utf8)
        for dialect in [nil, Dialect.postfix] {
            for end in 0...bytes.count {
                var scanner = LogScanner(seed: .constant, dialect: dialect)
                var found: [LineFact] = []
                scanner.scanLine(bytes[0..<end].span, line: 0, into: &found)
                #expect(scanner.counters.lines == 1)
            }
            for index in bytes.indices {
                for byte in [0, 0x20, 0x22, 0x31, 0x3c, 0x3e, 0x5b, 0x5c, 0x5d, 0xff] as [UInt8] {
                    var changed = bytes
                    changed[index] = byte
                    var scanner = LogScanner(seed: .constant, dialect: dialect)
                    var found: [LineFact] = []
                    scanner.scanLine(changed.span, line: 0, into: &found)
                    #expect(scanner.counters.lines == 1)
                }
            }
        }
    }
}
