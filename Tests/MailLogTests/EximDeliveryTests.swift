import MailEvents
import MailLog
import Records
import Testing

private let head = "2026-03-01 10:00:00 1xVVVr-0007L6-1I "

/// The reading of a line that tells a delivery's outcome.
private func delivery(_ text: String) -> EximFacts { EximFacts(head + text) }

@Suite struct EximDeliveryTests {
    @Test func aRemoteDelivery() {
        let read = delivery(
            "=> desk@soylent.example R=remote T=out H=mx.soylent.example [203.0.113.1] "
                + "X=TLS1.3:AES:256 CV=yes DN=\"CN=mx \"1\" A=x\" A=plain:ours K "
                + "C=\"250 2.0.0 Ok: \\\"queued\\\" as F3DD8F56\" QT=1m2s DT=0.009s"
        )
        #expect(read.facts.count == 1)
        #expect(read.fact?.kind == .delivery)
        #expect(read.fact?.status == .sent)
        #expect(read.fact?.agent == .smtp)
        #expect(read.text(.delivery, \.a) == "desk@soylent.example")
        #expect(read.text(.delivery, \.b) == nil)
        #expect(read.text(.delivery, \.c) == "mx.soylent.example [203.0.113.1]")
        #expect(read.text(.delivery, \.d) == "250 2.0.0 Ok: \\\"queued\\\" as F3DD8F56")
        // `A=` is the login that we have there.
        #expect(read.fact?.account == 0)
    }

    @Test(arguments: [
        ("=> a@b.example R=r T=t H=h [192.0.2.1]", LineFact.Status.sent),
        ("-> a@b.example R=r T=t H=h [192.0.2.1]:25*", .sent),
        (">> a@b.example R=r T=t H=h DS [192.0.2.1] PRX=[192.0.2.2]:3 I=[192.0.2.3]:4 TFO*", .sent),
        ("** a@b.example R=r T=t H=h [192.0.2.1]: SMTP error: 550 no", .bounced),
        ("** a@b.example F=<> P=<> R=r T=t H=h [192.0.2.1] X=c CV=no DN=\"d\": 550 no", .bounced),
        ("** a@b.example: Unrouteable address", .bounced),
        ("** a@b.example F=<c@d.example>: Unrouteable address DT=0s", .bounced),
        ("** a@b.example R=r T=t: message with => z@y <x@w> in it", .bounced),
        ("** a@b.example routing yielded a local delivery", .bounced),
        ("** a@b.example mua_wrapper forced failure for deferred delivery", .bounced),
        ("** a@b.example: retry timeout exceeded", .expired),
        ("** a@b.example R=r T=t H=h [192.0.2.1]: 550: retry timeout exceeded", .bounced),
        ("== a@b.example R=r T=t defer (-44) H=h [192.0.2.1]: 451 => later", .deferred),
        ("== a@b.example R=r T=t defer (111): Connection refused", .deferred),
        ("== a@b.example routing defer (-51): retry time not reached", .deferred),
        ("== a@b.example R=r T=t defer (-53): retry time not reached for any host", .deferred),
        ("== a@b.example Q=slow R=r T=t defer (-1) DT=1s: x <y@z> R=w", .deferred),
    ]) func theMarkTellsTheOutcome(_ text: String, _ status: LineFact.Status) {
        let read = delivery(text)
        #expect(read.fact?.kind == .delivery)
        #expect(read.fact?.status == status)
        #expect(read.text(.delivery, \.a) == "a@b.example")
        #expect(read.text(.delivery, \.b) == nil)
        #expect(read.counters.unparsed == 0)
    }

    @Test(arguments: [
        // Address, original, what is the recipient, what it was given as, who delivers.
        ("kira <kira@b.example> R=l T=m", "kira@b.example", nil, LineFact.Agent.mailbox),
        ("Kira <kira@b.example> R=l T=m", "kira@b.example", nil, .mailbox),
        ("kira <info@b.example> R=l T=m", "kira", "info@b.example", .mailbox),
        ("kira@b.example <info@b.example> R=l T=m", "kira@b.example", "info@b.example", .mailbox),
        (
            "c@d.example <info@b.example> R=r T=t H=h [192.0.2.1]", "c@d.example", "info@b.example",
            .smtp
        ),
        ("/var/mail/x y <kira@b.example> R=l T=file", "kira@b.example", nil, .mailbox),
        (
            "/home/k/in (kira@b.example) <info@b.example> R=l T=f", "kira@b.example",
            "info@b.example",
            .mailbox
        ),
        (
            "c@d.example (k@b.example, l@b.example) <info@b.example> R=r T=t", "c@d.example",
            "info@b.example", .mailbox
        ),
        ("|/usr/bin/vacation -d k <kira@b.example> R=l T=pipe", "kira@b.example", nil, .mailbox),
        ("save in box <kira@b.example> R=l T=file", "kira@b.example", nil, .mailbox),
        (":blackhole: <hole@b.example> R=aliases", "hole@b.example", nil, .discard),
        ("discarded <low@b.example> R=userforward", "low@b.example", nil, .discard),
        ("/dev/null <kira@b.example> R=l T=**bypassed**", "kira@b.example", nil, .discard),
        (
            "user <user@b.example> F=<s@t.example> R=virtual_user T=dovecot_virtual_delivery "
                + "C=\"250 2.0.0 <user@b.example> abc Saved\"", "user@b.example", nil, .mailbox
        ),
        (
            "kira <kira@b.example> R=l T=m ST=copy (error: no <x@y> R=z)", "kira@b.example", nil,
            .mailbox
        ),
        ("a b <\"a b\"@b.example> R=l T=m", "\"a b\"@b.example", nil, .mailbox),
        (
            "r a=plain:x => y@d.example <\"r A=plain:x => y\"@d.example> R=r T=t H=h [192.0.2.1]",
            "\"r A=plain:x => y\"@d.example", nil, .smtp
        ),
        (
            ">x@y.example b@d.example <\">x@y.example b\"@d.example> R=r T=t H=h [192.0.2.1]",
            "\">x@y.example b\"@d.example", nil, .smtp
        ),
        (
            "blackhole (x@d.example <\"blackhole (x\"@d.example> R=r T=t H=h [192.0.2.1]",
            "\"blackhole (x\"@d.example", nil, .smtp
        ),
        (
            "R=x T=y <q@r>@d.example <\"R=x T=y <q@r>\"@d.example> F=<> R=r T=t H=h [192.0.2.1]",
            "\"R=x T=y <q@r>\"@d.example", nil, .smtp
        ),
    ]) func theRecipientIsTheAddressThatWasGiven(
        _ text: String,
        _ recipient: String,
        _ given: String?,
        _ agent: LineFact.Agent
    ) {
        let read = delivery("=> " + text)
        #expect(read.fact?.status == .sent)
        #expect(read.text(.delivery, \.a) == recipient)
        #expect(read.text(.delivery, \.b) == given)
        #expect(read.fact?.agent == agent)
        #expect((read.fact?.account ?? 0 != 0) == (agent == .mailbox))
        #expect(read.fact?.domain != 0)
    }

    /// Mail to a mailbox by an alias' local part counts for the alias' domain.
    @Test func theDomainIsTheRecipientsOwn() {
        let own = delivery("=> kira <kira@b.example> R=l T=m").fact?.domain
        #expect(own == delivery("=> kira <info@b.example> R=l T=m").fact?.domain)
        #expect(own == delivery("=> x@b.example R=r T=t H=h [192.0.2.1]").fact?.domain)
        #expect(own != delivery("=> x@c.example R=r T=t H=h [192.0.2.1]").fact?.domain)
        // Short and long names, which are looked up in other ways.
        let long = String(repeating: "sub.", count: 20) + "b.example"
        for domain in ["b.at", "B.AT", long] {
            let read = delivery("=> x@\(domain) R=r T=t H=h [192.0.2.1]")
            #expect(read.fact?.domain == delivery("** y@\(domain.lowercased()): no").fact?.domain)
            #expect(read.fact?.domain != 0)
        }
    }

    /// forall domains of one log: each has its own identity, the same at every place.
    @Test func domainsAreToldApart() {
        var scanner = LogScanner(seed: .constant)
        var seen: [UInt64: String] = [:]
        for round in 0..<2 {
            for number in 0..<1_000 {
                let domain = "the-prefix-\(number)-the-suffix.example"
                let line = Array((head + "=> x@\(domain) R=r T=t H=h [192.0.2.1]").utf8)
                var facts: [LineFact] = []
                scanner.scanLine(line.span, line: 0, into: &facts)
                let identity = facts.first?.domain ?? 0
                #expect(seen[identity] == (round == 0 ? nil : domain))
                seen[identity] = domain
            }
        }
        #expect(seen.count == 1_000)
    }

    @Test(arguments: [
        "=> >asker@b.example <kira@b.example> R=vacation T=reply",
        "=> x@y.example <system-filter> R=r T=t H=h [192.0.2.1]",
        "*> a@b.example R=r T=t H=h [192.0.2.1]",
        "** mua_wrapper is set but recipients cannot all be delivered in one transaction",
    ]) func whatIsNoRecipientsOutcomeGivesNone(_ text: String) {
        let read = delivery(text)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.exim].ignored == 1)
    }

    @Test(arguments: [
        "=> blackhole (DATA ACL discarded recipients)", "=> discarded (system filter)",
        "=> blackhole (RCPT ACL discarded recipients): why",
    ]) func aMessageMayBeThrownAwayAsAWhole(_ text: String) {
        #expect(delivery(text).facts.map(\.kind) == [.discarded])
    }

    @Test(arguments: [
        "=> ", "=> x", "=> kira R=l T=m", "=> a@b.example R=r T=t H=h [192.0.2.1] nonsense",
        "=> a@b.example R=r T=t C=\"250 ok", "=> a@b.example <c@d.example R=r T=t",
        "=> a@b.example (c@d.example R=r", "== a@b.example R=r T=t: no",
        "** a b c", "** x y: no <a@b.example>: text", "=> a@b.example R=r T=t: message",
    ]) func whatIsNotOfTheGrammarIsCounted(_ text: String) {
        let read = delivery(text)
        #expect(read.facts.isEmpty)
        #expect(read.counters[.delivery] == 1)
    }

    /// The original address of a quoted one is its own: nothing in a message behind it counts.
    @Test(arguments: [
        "** a b <\"a b\"@b.example> R=l T=m: no <x@y.example> R=z: no",
        "** a b@b.example <\"a b\"@b.example>: no <x@y.example>: no",
        "** A \"q\" b@b.example <\"a \\\"q\\\" b\"@b.example>: no <x@y.example> T=z: no",
    ]) func aQuotedAddressIsKnownByItsText(_ text: String) {
        let read = delivery(text)
        #expect(read.text(.delivery, \.a)?.hasSuffix("b\"@b.example") == true)
        #expect(read.fact?.status == .bounced)
    }

    /// Who sends to a quoted local part can write whole fields into a line, who answers can write a
    /// whole address: where both readings are possible, none counts.
    @Test(arguments: [
        // A recipient `"x@y.example R=a T=b: hi"@d.example` that was refused, case kept.
        "** x@y.example R=a T=b: hi@d.example <\"x@y.example R=a T=b: hi\"@d.example> "
            + "R=r T=t H=h [192.0.2.1]: 550 no",
        "=> x@y.example A=p:u@d.example <\"x@y.example A=p:u\"@d.example> R=r T=t H=h [192.0.2.1]",
        // An answer that ends like an alias of another recipient.
        "** a@b.example R=r T=t H=h [192.0.2.1]: 550 no <v@w.example> R=r T=t: no",
        "** |/bin/x <v@w.example> R=y: z <kira@b.example> R=l T=pipe: failed",
        "** |/bin/x -d <v@w.example> R=y: z <kira@b.example> R=l T=pipe: failed",
    ]) func aForgedAddressIsNeverTheRecipient(_ text: String) {
        let read = delivery(text)
        #expect(read.text(.delivery, \.a) != "x@y.example")
        #expect(read.text(.delivery, \.a) != "v@w.example")
        #expect(read.text(.delivery, \.b) != "v@w.example")
    }
}
