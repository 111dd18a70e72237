import Glibc
import Sigma
import TestSupport
import Testing

@Suite struct ValueTests {
    /// The oracle is glibc's inet_pton(3).
    private func oracle(_ text: String) -> (isVersion6: Bool, bytes: [UInt8])? {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard !text.utf8.contains(0) else { return nil }
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 { return (false, Array(bytes.prefix(4))) }
        return unsafe inet_pton(AF_INET6, text, &bytes) == 1 ? (true, bytes) : nil
    }

    private func bytes(_ address: IPAddress) -> [UInt8] {
        var all: [UInt8] = []
        for half in [address.high, address.low] {
            for shift in stride(from: 56, through: 0, by: -8) {
                all.append(UInt8(truncatingIfNeeded: half >> UInt64(shift)))
            }
        }
        return address.isVersion6 ? all : Array(all.suffix(4))
    }

    @Test(arguments: 1...64)
    func addressesAreReadAsGlibcReadsThem(seed: UInt64) {
        var random = SeededGenerator(scattered: seed)
        let pieces = [
            ":", "::", ".", "0", "1", "9", "25", "255", "256", "a", "ffff", "F", "00", "01",
            "1.2.3.4",
            "12345", "g", "%", "/", " ", "2001:db8", "0:0:0:0", "1:2:3:4:5:6:7", "192.0.2",
        ]
        for _ in 0..<300 {
            var text = ""
            for _ in 0..<Int.random(in: 0...7, using: &random) {
                text += pieces.randomElement(using: &random) ?? ""
                if Bool.random(using: &random) { text += Bool.random(using: &random) ? ":" : "." }
            }
            let found = IPAddress(Array(text.utf8).span)
            let expected = oracle(text)
            #expect(found?.isVersion6 == expected?.isVersion6, "\(text)")
            #expect(found.map(bytes) == expected?.bytes, "\(text)")
        }
    }

    @Test(arguments: [
        ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false),
        ("0.0.0.0/0", "255.255.255.255", true), ("0.0.0.0/0", "::1", false),
        ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false),
        ("2001:db8::/32", "2001:DB8:ffff::1", true), ("2001:db8::/32", "2001:db9::", false),
        ("::/0", "ffff::", true), ("2001:db8::8/125", "2001:db8::f", true),
        ("2001:db8::8/125", "2001:db8::10", false), ("2001:db8::/64", "2001:db8::1:0:0:0", true),
        ("2001:db8::/64", "2001:db8:0:1::", false), ("10.0.0.0/8", "::ffff:10.0.0.1", false),
    ])
    func networksContainTheirAddresses(network: String, address: String, isInside: Bool) throws {
        guard case .network(let network)? = predicates("a|cidr: '\(network)'").first else {
            Issue.record("no network")
            return
        }
        let read = IPAddress(Array(address.utf8).span)
        let address = try #require(read)
        #expect(network.contains(address) == isInside)
    }

    /// forall pairs of awkward numbers: the order is that of exact values.
    @Test func numbersCompareExactlyAcrossForms() {
        let integers: [Int64] = [
            .min, .min + 1, -1 << 53, -3, -1, 0, 1, 3, 1 << 53, 1 << 53 + 1, .max - 1, .max,
        ]
        let reals: [Double] = [
            -.infinity, -1e300, -0x1p63, -2.5, -0.5, -0.0, 0.5, 2.5, 0x1p53, 0x1p63, 1e300,
            .infinity,
        ]
        for integer in integers {
            for real in reals {
                let a = Number(integer)
                let b = Number(real)
                // Float80 holds both exactly.
                #expect((a < b) == (Float80(integer) < Float80(real)), "\(integer) \(real)")
                #expect((b < a) == (Float80(real) < Float80(integer)), "\(integer) \(real)")
                #expect((a == b) == (Float80(integer) == Float80(real)), "\(integer) \(real)")
            }
            #expect(!(Number(integer) < Number(.nan)))
            #expect(!(Number(.nan) < Number(integer)))
        }
    }

    @Test(arguments: [
        ("0", "0"), ("-0", "0"), ("12", "12"), ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "9.223372036854776e+18"), ("1.50", "1.5"), ("2e3", "2000"),
        ("2.5E-1", "0.25"), ("", nil), ("-", nil), ("+1", nil), (" 1", nil), ("1.", nil),
        (".5", nil),
        ("1e", nil), ("0x1", nil), ("1_0", nil), ("nan", nil), ("1e999", nil),
    ])
    func decimalTextsAreNumbers(text: String, number: String?) {
        #expect(Number(decimal: Array(text.utf8).span)?.text == number)
    }

    @Test(arguments: [
        ("user.nmae", "user.name"), ("usr.name", "user.name"), ("subject", "email.subject"),
        ("xyz", nil), ("", nil), ("USER.NAME", "user.name"),
    ])
    func theNearestNameIsAFewEditsAway(name: String, nearest: String?) {
        let known = ["email.subject", "user.name"]
        #expect(nearestName(to: name, among: known) == (name == "subject" ? nil : nearest))
    }
}
