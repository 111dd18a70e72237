import MailEvents
import MailLog
import Testing

private let stamp = "2026-03-01 10:00:00 "
private let id = "1xVVVr-0007L6-1I "

/// The reading of a line by which Exim took a message in: what follows `<= `.
private func arrival(_ rest: String, id: String = id) -> EximFacts {
    EximFacts(stamp + id + "<= " + rest)
}

/// What a line that takes a message in says, by its fields.
@Suite struct EximArrivalTests {
    @Test func aSubmissionOfDebiansExim() {
        let read = arrival(
            "kira@tenant.example H=(pc23.tenant.example) [192.0.2.7] P=esmtpsa "
                + "X=TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256 CV=no "
                + "A=plain:kira S=390 id=215205433669@pc.tenant.example T=\"rehearsal the\" "
                + "for desk@soylent.example info@acme.example"
        )
        #expect(read.text(.accepted, \.a) == "192.0.2.7")
        #expect(read.text(.accepted, \.b) == "kira")
        #expect(read.text(.accepted, \.c) == nil)
        #expect(read.text(.sender, \.a) == "kira@tenant.example")
        #expect(read.text(.subject, \.a) == "rehearsal the")
        #expect(read.text(.messageID, \.a) == "215205433669@pc.tenant.example")
        #expect(read.recipients == ["desk@soylent.example", "info@acme.example"])
        #expect(
            read.facts.map(\.kind) == [
                .accepted, .sender, .subject, .messageID, .recipient, .recipient, .queued,
            ]
        )
        #expect(read.facts.allSatisfy { $0.dialect == .exim && !$0.isAmbiguous })
        #expect(Set(read.facts.map(\.key)).count == 1)
        #expect(read.facts.allSatisfy { read.text($0.queueID) == "1xVVVr-0007L6-1I" })
    }

    @Test func aSubmissionOfCPanelsExim() {
        let read = arrival(
            "kira@tenant.example H=host.tenant.example (localhost) [192.0.2.7]:53234 "
                + "P=esmtpsa X=TLS1.2:ECDHE-RSA-AES256-GCM-SHA384:256 CV=no "
                + "A=dovecot_login:kira@tenant.example S=1234 "
                + "id=00f001d128e8$1d6e32e0$584a98a0$@tenant.example T=\"RE: Test\" "
                + "from <kira@tenant.example> for cubes@acme.example"
        )
        #expect(read.text(.accepted, \.a) == "192.0.2.7")
        #expect(read.text(.accepted, \.b) == "kira@tenant.example")
        #expect(read.text(.accepted, \.c) == "host.tenant.example")
        #expect(read.text(.messageID, \.a) == "00f001d128e8$1d6e32e0$584a98a0$@tenant.example")
        #expect(read.recipients == ["cubes@acme.example"])
    }

    /// Exim 4.98 with `+all`, and what is optional besides.
    @Test func everyFieldOfEverySelectorIsStepped() {
        let read = arrival(
            "kira@tenant.example DS H=(pc7) [2001:db8::7]:49322 I=[2001:db8::1]:587 TFO* "
                + "U=some one Ci=18947 P=esmtpsa L.- X=TLS1.3:AES:256* CV=yes "
                + "DN=\"C=AT,CN=Kira \"K\" Example\" SNI=mail\\040x.example "
                + "A=plain:kira:kira@tenant.example PRDR PRX=192.0.2.99 K S=342 M8S=8 "
                + "DKIM=tenant.example ARC RT=0.001s Q=slow id=m1@pc.example T=\"plain\" "
                + "from <kira@tenant.example> for bob@acme.example",
            id: "1xWGE0-000000004vb-48Gg "
        )
        #expect(read.counters.unparsed == 0)
        #expect(read.text(.accepted, \.a) == "2001:db8::7")
        #expect(read.text(.accepted, \.b) == "kira")
        #expect(read.text(.subject, \.a) == "plain")
        #expect(read.recipients == ["bob@acme.example"])
        #expect(read.fact?.isAmbiguous == false)
        #expect(read.fact.flatMap { read.text($0.queueID) } == "1xWGE0-000000004vb-48Gg")
    }

    @Test(arguments: [
        ("H=[192.0.2.1]", "192.0.2.1", nil), ("H=(x) [192.0.2.1]", "192.0.2.1", nil),
        ("H=([192.0.2.1]) [192.0.2.1]", "192.0.2.1", nil), ("H=([]) [192.0.2.1]", "192.0.2.1", nil),
        ("H=([IPv6:2001:db8::1]) [2001:db8::1]", "2001:db8::1", nil),
        ("H=mx.example [192.0.2.1]:25", "192.0.2.1", "mx.example"),
        ("H=mx.example (other) [192.0.2.1]", "192.0.2.1", "mx.example"),
        ("H=(x (y) z) [192.0.2.1]", "192.0.2.1", nil),
    ]) func theClientIsReadFromEveryForm(_ host: String, _ address: String, _ name: String?) {
        let read = arrival("a@b.example \(host) P=esmtpa A=plain:x S=1")
        #expect(read.text(.accepted, \.a) == address)
        #expect(read.text(.accepted, \.c) == name)
        #expect(read.text(.accepted, \.b) == "x")
    }

    @Test(arguments: [
        ("A=plain:x", "x"), ("A=plain", nil), ("A=plain:", nil),
        ("A=cram_md5:a@b.example", "a@b.example"), ("A=plain:joe doe", "joe doe"),
        ("A=plain:odd \"q\" <x>, y", "odd \"q\" <x>, y"), ("A=plain:x K", "x"),
        ("A=plain:x PRDR PRX=192.0.2.2 K", "x"), ("A=plain:x:y@z.example", "x"),
        ("A=plain:x:", "x"), ("A=plain:x A=y", "x A=y"), ("A=plain:x S=7", "x S=7"),
    ]) func theLoginIsTheSecondPart(_ field: String, _ login: String?) {
        let read = arrival("a@b.example H=(pc) [192.0.2.1] P=esmtpa \(field) S=1 T=\"t\"")
        #expect(read.counters.unparsed == 0)
        #expect(read.text(.accepted, \.b) == login)
    }

    /// Until 4.93 the server's name was quoted; a client may write quotes and blanks into it.
    @Test(arguments: ["SNI=mail.b.example", "SNI=\"mail.b.example\"", "SNI=\"a b\" c\"", "SNI=\"x"])
    func theServersNameIsStepped(_ field: String) {
        let read = arrival(
            "a@b.example H=(pc) [192.0.2.1] P=esmtpsa X=c CV=no \(field) A=plain:x S=1 T=\"t\""
        )
        #expect(read.text(.accepted, \.b) == "x")
        #expect(read.fact?.isAmbiguous == false)
    }

    /// What stands behind the second colon is what the client gave as `AUTH=`: it may be anything.
    @Test func aThirdPartThatIsNoAddressIsDoubtful() {
        let plain = arrival("a@b.example H=(pc) [192.0.2.1] P=esmtpa A=plain:x:y@z.example S=1")
        #expect(plain.fact?.isAmbiguous == false)
        let odd = arrival(
            "a@b.example H=(pc) [192.0.2.1] P=esmtpa A=plain:x:y z S=1 for c@d.example"
        )
        #expect(odd.text(.accepted, \.b) == "x")
        #expect(odd.fact?.isAmbiguous == true)
        #expect(odd.recipients == [])
    }

    /// A user that Exim trusts names itself with `-oMt`, in a text that reads like the rest of a line.
    @Test func twoReadingsAreDoubtful() {
        let read = arrival(
            "a@b.example U=i P=local-esmtpa A=plain:victim S=1 for x P=local S=390 for y@z.example"
        )
        #expect(read.fact?.isAmbiguous == true)
        #expect(read.text(.accepted, \.b) == nil)
        #expect(read.recipients == [])
    }

    @Test func aMessageOfThisMachineHasNoClient() {
        let read = arrival(
            "root@tenant.example U=root P=local S=321 T=\"local <= x\" "
                + "from <root@tenant.example> for kira jan@tenant.example"
        )
        #expect(read.text(.accepted, \.a) == nil)
        #expect(read.text(.accepted, \.b) == nil)
        #expect(read.recipients == ["kira", "jan@tenant.example"])
        let withLogin = arrival(
            "kira@tenant.example U=kira P=local-esmtpa A=plain:kira S=321 id=x@y.example"
        )
        #expect(withLogin.text(.accepted, \.b) == "kira")
    }

    @Test func aBounceNamesTheMessageThatItIsOf() {
        let read = arrival(
            "<> R=1xVVVq-0007Kx-3A U=Debian-exim P=local S=1962 "
                + "T=\"Mail delivery failed: returning message to sender\" for kira@tenant.example"
        )
        #expect(read.text(.sender, \.a) == "")
        #expect(read.recipients == ["kira@tenant.example"])
        #expect(read.fact?.isAmbiguous == false)
    }

    @Test func aFakedRefusalIsASubmission() {
        let read = EximFacts(
            stamp + id + "(= kira@tenant.example H=(pc) [192.0.2.1] P=esmtpa A=plain:kira S=349"
        )
        #expect(read.text(.accepted, \.b) == "kira")
    }

    @Test func aMessageIDMayBeQuotedAndOfTheServersMaking() {
        let quoted = arrival(
            "a@b.example H=(pc) [192.0.2.1] P=esmtpa A=plain:x S=1 "
                + "id=\"x A=plain:y T=z\"@pc.test T=\"t\" for c@d.example"
        )
        #expect(quoted.text(.messageID, \.a) == "\"x A=plain:y T=z\"@pc.test")
        #expect(quoted.text(.accepted, \.b) == "x")
        let made = arrival("a@b.example U=x P=local S=1 id*=E1xWGE1-000000004vm-136W@mx2.example")
        #expect(made.text(.messageID, \.a) == "E1xWGE1-000000004vm-136W@mx2.example")
        let literal = arrival("a@b.example U=x P=local S=1 id=x@[192.0.2.1] T=\"t\"")
        #expect(literal.text(.messageID, \.a) == "x@[192.0.2.1]")
        let escaped = arrival("a@b.example U=x P=local S=1 id=x\\303\\266@y\\303\\266.example")
        #expect(escaped.text(.messageID, \.a) == "x\\303\\266@y\\303\\266.example")
    }

    @Test(arguments: ["", "x", "a \\\" b", "end \\\\", "\\303\\266", "x\\n\\t", "( ) < > =>"])
    func theSubjectEndsAtItsQuote(_ subject: String) {
        let read = arrival(
            "a@b.example H=(p) [192.0.2.1] P=esmtpa A=x:y S=1 T=\"\(subject)\" for c@d.e"
        )
        #expect(read.text(.subject, \.a) == subject)
        #expect(read.recipients == ["c@d.e"])
        #expect(read.facts.first { $0.kind == .subject }?.form == .eximQuoted)
    }

    @Test func quotedSendersAndRecipientsAreUnits() {
        let sender = "\"a b A=plain:v S=1 id=z T= for v@w.test\"@tenant.example"
        let read = arrival(
            "\(sender) H=(p) [192.0.2.1] P=esmtpa A=x:y S=1 from <\(sender)> "
                + "for \"r A=plain:x => y\"@d.example a\\ b@d.example c@d.example"
        )
        #expect(read.text(.sender, \.a) == sender)
        #expect(
            read.recipients == [
                "\"r A=plain:x => y\"@d.example", "a\\ b@d.example", "c@d.example",
            ]
        )
        #expect(read.text(.accepted, \.b) == "y")
    }

    @Test func fieldsOfLaterVersionsAreStepped() {
        let read = arrival(
            "a@b.example H=(p) [192.0.2.1] P=esmtpa Zz=1 A=x:y New9=a:b S=1 Foo=bar id=z T=\"t\""
        )
        #expect(read.text(.accepted, \.b) == "y")
    }

    /// No known Exim writes its fields in another order.
    @Test func theOrderOfTheFieldsChangesNothing() {
        let fields = [
            "H=(pc) [192.0.2.1]:25", "P=esmtpsa", "X=TLS1.3:A:256", "CV=no", "A=plain:kira",
            "S=390", "id=1@pc.example", "T=\"a \\\" b\"",
        ]
        for turn in fields.indices {
            let turned = fields[turn...] + fields[..<turn]
            let read = arrival(
                "kira@b.example " + turned.joined(separator: " ") + " for c@d.example"
            )
            #expect(read.text(.accepted, \.a) == "192.0.2.1", "\(turned)")
            #expect(read.text(.accepted, \.b) == "kira", "\(turned)")
            #expect(read.text(.subject, \.a) == "a \\\" b", "\(turned)")
            #expect(read.recipients == ["c@d.example"], "\(turned)")
        }
    }

    @Test(arguments: [
        "", "a@b.example", "a@b.example H=(x) P=esmtpa A=x:y S=1",
        "a@b.example H=(x) [192.0.2.1] A=x:y S=1", "a@b.example H=(x) [192.0.2.1] P=esmtpa A=x:y",
        "a@b.example H=(x) [192.0.2.1] P=esmtpa A=x:y S=1 for",
        "a@b.example H=(x) [192.0.2.1] P=esmtpa A=x:y S=1 for c@d.example <x>",
        "a@b.example H=(x) [192.0.2.1] P=esmtpa A=x:y S=1 for root",
        "a@b.example H=(x) [192.0.2.1] P=esmtpa A=x:y S=1 T=\"t",
        "a@b.example H=(x) [192.0.2.1] P=esmtpa A=x:y S=1 T=\"t\"x",
        "a@b.example H=(x) [192.0.2.1] P=esmtpa A=:y S=1", "a b@c.example P=local S=1",
        "a@b.example H=(x) [192.0.2.1] P=esmtpa A=x:y S=1  T=\"t\"",
        "\"a@b.example H=(x) [192.0.2.1] P=esmtpa A=x:y S=1",
    ]) func whatIsNotOfTheGrammarIsCounted(_ rest: String) {
        let read = arrival(rest)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.arrival] == 1)
    }
}
