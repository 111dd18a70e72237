import MailText
import TestSupport
import Testing

private func domain(_ name: String) -> (String, DomainForm) {
    var out: [UInt8] = []
    let form = Canonical.domain(bytes(name).span, into: &out)
    return (text(out), form)
}

private func account(_ login: [UInt8], domain: String = "") -> [UInt8] {
    var out: [UInt8] = []
    Canonical.account(login.span, domain: bytes(domain), into: &out)
    return out
}

@Suite struct PayloadTests {
    @Test(arguments: [
        ("Cheap meds", "cheap meds"), ("You won 1,000,000 EUR", "you won 0,0,0 eur"),
        ("  a \t\u{A0}\u{3000} b  ", "a b"), ("Müller", "mu\u{308}ller"), ("", ""), (" ", ""),
        ("V1agra c1alis", "v0agra c0alis"), ("٣٤ 𝟗𝟗x", "0 0x"),
        ("no\u{200B}thing\u{AD}", "nothing"),
        ("a 1\u{200B}2 b", "a 0 b"), ("RE: Not read: x", "re: not read: x"),
        ("one? two", "one two"), ("one??two", "one two"), ("? one", "one"), ("why?", "why?"),
        ("Grüße", "GRÜSSE"),
    ])
    func itIsCaselessAndTidy(subject: String, expected: String) {
        let expected =
            expected == "mu\u{308}ller" || expected == "GRÜSSE"
            ? text(payload(bytes(expected))) : expected
        #expect(text(payload(bytes(subject))) == expected)
    }

    @Test func itIsTheSameWhateverTheLanguageAndTheEncoding() throws {
        let table = try ReceiptTable()
        var payloads: Set<[UInt8]> = []
        for subject in [
            "Not read: Müller's 85% Offer", "=?utf-8?Q?Non_lu_=3A_M=C3=BCller's_20%_offer?=",
            "=?iso-8859-1?Q?Gelesen:_M=FCller's?=? =?iso-8859-1?Q?__1%_OFFER?=",
            "未読：Mu\u{308}ller's 85%? offer",
        ] {
            let decoded = decoded(bytes(subject))
            let start = table.classify(decoded.span)?.payloadStart ?? 0
            #expect(start > 0)
            payloads.insert(payload(decoded, from: start))
        }
        #expect(payloads == [bytes("müller's 0% offer")])
    }

    @Test(arguments: 1...30)
    func itIsTidyForAnySubject(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<100 {
            let original = EncodedSubject.all.randomElement(using: &random)?.decoded ?? ""
            let subject = random.mutated(bytes(original + " 12  \u{3000}34? 5"))
            let payload = payload(subject)
            #expect(payload.first != 0x20)
            #expect(payload.last != 0x20)
            let pairs = zip(payload, payload.dropFirst())
            #expect(!pairs.contains { $0 == 0x20 && $1 == 0x20 })
            #expect(!pairs.contains { $0 == 0x30 && $1 == 0x30 })
            #expect(!payload.contains { (0x31...0x39).contains($0) || (0x41...0x5A).contains($0) })
            #expect(isUTF8(payload) || !isUTF8(subject))
        }
    }

    @Test func itIsBounded() {
        for unit in ["a", "é", "未", "1 ", "e\u{301}", "ΐ"] {
            let long = payload(bytes(String(repeating: unit, count: 5_000)))
            #expect(long.count <= Canonical.payloadBytesMax)
            #expect(long.count > Canonical.payloadBytesMax - 4)
            #expect(isUTF8(long))
            #expect(long.last != 0x20)
        }
        #expect(payload(bytes("abc"), from: 99) == [])
        #expect(payload(bytes("abc"), from: -1) == bytes("abc"))
    }
}

@Suite struct DomainTests {
    @Test(arguments: [
        ("Example.COM", "example.com", DomainForm.name), ("example.com.", "example.com", .name),
        ("XN--MLLER-KVA.example", "xn--mller-kva.example", .name), ("", "", .name),
        ("..", "", .name), ("_dmarc.x", "_dmarc.x", .name),
        ("[192.0.2.1]", "[192.0.2.1]", .addressLiteral),
        ("[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]", .addressLiteral),
        ("MÜLLER.example", "xn--mller-kva.example", .internationalised),
        ("mu\u{308}ller.example.", "xn--mller-kva.example", .internationalised),
        ("straße.example", "xn--strae-oqa.example", .internationalised),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah", .internationalised),
        ("ｅｘａｍｐｌｅ。com", "example.com", .internationalised),
        ("пример.example", "xn--e1afmkfd.example", .internationalised),
        ("\u{301}A.example", "\u{301}a.example", .refused),
        ("É\0.example", "é\0.example", .refused),
    ])
    func itIsLowerCaseALabels(name: String, expected: String, form: DomainForm) {
        #expect(domain(name) == (expected, form))
    }

    @Test func itIsBounded() {
        let label = String(repeating: "a", count: 63) + "."
        #expect(domain(String(repeating: label, count: 4)).1 == .name)
        #expect(
            domain(String(repeating: "A", count: 256)) == (
                String(repeating: "a", count: 255), .tooLong
            )
        )
        let wide = domain(String(repeating: "ü", count: 200))
        #expect(wide == (String(repeating: "ü", count: 127), .tooLong))
        // Labels of more than 63 bytes are none.
        #expect(domain(String(repeating: "ü", count: 100)).1 == .refused)
    }

    @Test(arguments: 1...20)
    func hostileDomainsNeverTrap(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var out: [UInt8] = []
        let names = ["müller.example", "[192.0.2.1]", "例え.テスト", "a.b.c.", "xn--mller-kva.x"]
        for _ in 0..<150 {
            let name = random.mutated(bytes(names.randomElement(using: &random) ?? ""))
            let form = Canonical.domain(name.span, into: &out)
            #expect(out.count <= Canonical.domainBytesMax)
            #expect(!out.contains { (0x41...0x5A).contains($0) })
            guard form == .internationalised else { continue }
            #expect(out.allSatisfy { $0 < 0x80 })
            let once = out
            #expect(Canonical.domain(once.span, into: &out) == .name)
            #expect(out == once)
        }
    }
}

@Suite struct AddressTests {
    @Test(arguments: [
        ("kai@example.com", "kai", "example.com"), ("<kai@example.com>", "kai", "example.com"),
        ("a@b@example.com", "a@b", "example.com"),
        ("\"a@b\"@example.com", "\"a@b\"", "example.com"),
        ("\"a\\\"@b\"@example.com", "\"a\\\"@b\"", "example.com"),
        ("\"a b> to=<v@w.test\"@x.test", "\"a b> to=<v@w.test\"", "x.test"),
        ("\"open@example.com", "\"open", "example.com"), ("kai@", "kai", ""), ("@x", "", "x"),
        ("a.\"b@c\"@d", "a.\"b@c\"", "d"), ("kai@[192.0.2.1]", "kai", "[192.0.2.1]"),
    ])
    func itDividesAtTheLastUnquotedAt(address: String, local: String, domain: String) {
        let all = bytes(address)
        let parts = MailAddress(all.span)
        #expect(text(Array(all[parts.local])) == local)
        #expect(parts.domain.map { text(Array(all[$0])) } == domain)
        #expect(!parts.isNull)
    }

    @Test(arguments: ["", "<>"])
    func theNullSenderHasNoParts(address: String) {
        #expect(MailAddress(bytes(address).span).isNull)
    }

    @Test(arguments: ["root", "\"a@b\"", "<", ">", "<root>"])
    func anAddressMayHaveNoDomain(address: String) {
        let parts = MailAddress(bytes(address).span)
        #expect(parts.domain == nil)
        #expect(!parts.isNull)
    }

    @Test(arguments: 1...20)
    func anyBytesDivide(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<250 {
            let address = random.mutated(bytes("<\"a\\\"b@c\".x@example.com>"))
            let parts = MailAddress(address.span)
            #expect(parts.local.upperBound <= address.count)
            guard let domain = parts.domain else { continue }
            #expect(address[parts.local.upperBound] == UInt8(ascii: "@"))
            #expect(domain.lowerBound == parts.local.upperBound + 1)
            #expect(domain.upperBound <= address.count)
        }
    }
}

@Suite struct AccountTests {
    @Test(arguments: [
        ("JSmith", "Example.COM", "jsmith@example.com"), ("J@X.test", "example.com", "j@x.test"),
        ("JSmith", "", "jsmith"), ("", "example.com", ""), ("ÄRGER", "x.test", "ärger@x.test"),
        ("jsmith, ", "", "jsmith, "), ("DOM\\User", "", "dom\\user"), ("e\u{301}@x", "", "é@x"),
    ])
    func itIsCaselessAndComplete(login: String, domain: String, expected: String) {
        #expect(text(account(bytes(login), domain: domain)) == expected)
    }

    @Test func differentLoginsStayDifferent() {
        #expect(account([0x6D, 0xFC]) != account([0x6D, 0xF6]))
        #expect(account(bytes("kılıç")) != account(bytes("kilic")))
        #expect(
            account(bytes(String(repeating: "é", count: 900))).count <= Canonical.accountBytesMax
        )
    }
}
