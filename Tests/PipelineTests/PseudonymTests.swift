import Findings
import SafeText
import TestSupport
import Testing

private func pseudonyms(_ byte: UInt8 = 1, keepsDomains: Bool = true) throws -> Pseudonyms {
    try #require(
        Pseudonyms(key: [UInt8](repeating: byte, count: 32), keepsDomains: keepsDomains)
    )
}

private func alert() -> Alert {
    var alert = Alert(
        id: AlertID(rule: "r", group: [[1]], earliestMicroseconds: 0),
        sequence: 0,
        action: .opened,
        microseconds: 1_772_359_200_250_000,
        severity: .high,
        ruleID: "r",
        ruleName: "receipt_burst"
    )
    alert.account = "Anna.Berg@Firma.example"
    alert.accounts = ["Anna.Berg@Firma.example", "bert"]
    alert.hosts = ["spam.test", "other.test"]
    alert.group = ["anna.berg@firma.example", "cheap meds"]
    alert.message =
        "Tricked: Anna.Berg@Firma.example sent 3 receipts; answered mail from x@spam.test. And "
        + "bert, too: bert."
    alert.diagnosisFacts = ["all came from 192.0.2.7", "bertram is another word"]
    alert.commands = ["postsuper -h Q1 Anna.Berg@Firma.example"]
    alert.evidence = SealedEvidence(bundle: "b", digest: "d", chain: "c", key: "k")
    return alert
}

@Suite struct PseudonymTests {
    @Test func aNameHasOnePseudonymForOneKey() throws {
        let one = try pseudonyms()
        #expect(one.address("a@x.test") == one.address("A@X.test").replacingDomain("x.test"))
        #expect(one.address("a@x.test") != one.address("b@x.test"))
        #expect(try one.address("a@x.test") != pseudonyms(2).address("a@x.test"))
        #expect(one.address("a@x.test").hasSuffix("@x.test"))
        let hiding = try pseudonyms(keepsDomains: false)
        #expect(hiding.address("a@x.test").hasSuffix(".invalid"))
        #expect(hiding.domain("x.test") != "x.test")
        // The same word as an address, a domain and a subject has three.
        #expect(Set([hiding.address("x"), hiding.domain("x"), hiding.subject("x")]).count == 3)
        #expect(Pseudonyms(key: [1, 2], keepsDomains: true) == nil)
    }

    @Test(arguments: [true, false])
    func anAlertGoesOutWithoutNames(keepsDomains: Bool) throws {
        let key = try pseudonyms(keepsDomains: keepsDomains)
        let sent = key.alert(alert().json())
        let text = String(decoding: sent, as: UTF8.self).lowercased()
        for name in ["anna", "berg", "\"bert\"", " bert,", " bert.", "cheap", "x@spam"] {
            #expect(!text.contains(name), "\(name): \(text)")
        }
        #expect(text.contains("spam.test") == keepsDomains)
        #expect(text.contains("firma") == keepsDomains)
        #expect(text.contains("bertram is another word"))
        let object = try JSONObjectReader.read(sent)
        let whole = try JSONObjectReader.read(alert().json())
        for name in [
            "event.id", "event.sequence", "rule.name", "postern.evidence", "postern.evidence_key",
            "postern.evidence_sha256", "postern.evidence_chain", "postern.count", "@timestamp",
        ] {
            #expect(object[name] == whole[name], "\(name)")
        }
        #expect(object["postern.commands"] == nil)
        #expect(
            object["user.name"]?.string
                == key.address("anna.berg@firma.example").withDomain(
                    of: object["user.name"]?.string
                )
        )
        // The same alert again: the same bytes.
        #expect(key.alert(alert().json()) == sent)
    }

    /// Whatever text comes, no word with an `@` goes out as it was.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func noAddressStaysInASentence(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let key = try pseudonyms(keepsDomains: false)
        let pieces = [
            "a@b.test", "ä@ö.example", " ", ",", "<", ">", ".", ":", "word", "x@", "@y", "\u{202e}",
            "\"", "@",
        ]
        for _ in 0..<200 {
            let text = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }.joined()
            let sent = key.sentence(text, naming: [])
            for name in ["a@b", "b.test", "ä@ö", "ö.example"] {
                #expect(!sent.contains(name), "\(text): \(sent)")
            }
        }
    }

    /// Where users sit is theirs: no IP address goes out, in whatever form a sentence has it. What only
    /// looks a little like one stays.
    @Test func noAddressOfAComputerStaysInASentence() throws {
        let key = try pseudonyms()
        let client = key.client("192.0.2.7")
        let other = key.client("2001:db8::7")
        for (text, sent) in [
            ("all came from 192.0.2.7.", "all came from \(client)."),
            (
                "from 192.0.2.7, [192.0.2.7]:25 and (192.0.2.7)",
                "from \(client), [\(client)]:25 and (\(client))"
            ),
            (
                "192.0.2.7:587 ip=192.0.2.7; 192.0.2.7/32",
                "\(client):587 ip=\(client); \(client)/32"
            ),
            ("from 2001:db8::7: three", "from \(other): three"),
            ("[IPv6:2001:db8::7]", "[IPv6:\(other)]"),
            ("at ::ffff:192.0.2.7", "at \(key.client("::ffff:192.0.2.7"))"),
            ("net 2001:db8::", "net \(key.client("2001:db8::"))"),
            ("1:2:3:4:5:6:7:8", key.client("1:2:3:4:5:6:7:8")),
        ] {
            #expect(key.sentence(text, naming: []) == sent, "\(text)")
        }
        for text in [
            "at 10:00:00", "version 1.2.3", "1.2.3.4.5", "256.1.1.1", "2026-03-01T10:00:00.000000Z",
            "mx-192.0.2.7x", "dead:beef", "a::b::c", "1:2:3:4:5:6:7", "fade", "4.7.1", "25:", "...",
        ] {
            #expect(key.sentence(text, naming: []) == text, "\(text)")
        }
    }

    @Test func whatIsNoAlertComesToNothing() throws {
        #expect(try pseudonyms().alert(Array("anna@x.test".utf8)) == Array("{}".utf8))
    }
}

extension String {
    fileprivate func replacingDomain(_ domain: String) -> String {
        prefix { $0 != "@" } + "@" + domain
    }

    /// The name before the `@` with the domain of another address.
    fileprivate func withDomain(of other: String?) -> String? {
        guard let other, let at = other.firstIndex(of: "@") else { return nil }
        return prefix { $0 != "@" } + String(other[at...])
    }
}
