@testable import SafeText
import TestSupport
import Testing

@Suite struct JSONObjectReaderTests {
    /// Text as strangers type it, and as only an attacker would.
    static func text(_ random: inout SeededGenerator) -> String {
        let pieces = [
            "a", "é", "e\u{301}", "\"", "\\", "\n", "\u{1b}[31m", "\u{202e}", "\u{0}", "漢", "🦊",
            "\u{2028}", "/", "\u{7f}", "\u{fffd}", "\u{10ffff}", "{", "]", ",",
        ]
        return (0..<Int.random(in: 0..<12, using: &random))
            .map { _ in pieces.randomElement(using: &random) ?? "" }
            .joined()
    }

    /// forall members: what the writer writes, the reader reads, in the same order.
    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func whatTheWriterWritesIsReadBack(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var writer = JSONObjectWriter()
        var expected: [JSONObject.Member] = []
        for number in 0..<Int.random(in: 0..<8, using: &random) {
            let name = "\(number)" + Self.text(&random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                let text = Self.text(&random)
                writer.member(name, text)
                expected.append(.init(name: name, value: .string(text)))
            case 1:
                let integer = Int64(truncatingIfNeeded: random.next())
                writer.member(name, integer)
                expected.append(.init(name: name, value: .integer(integer)))
            case 2:
                writer.member(name, true)
                expected.append(.init(name: name, value: .boolean(true)))
            case 3:
                let texts = (0..<3).map { _ in Self.text(&random) }
                writer.member(name, texts)
                expected.append(.init(name: name, value: .array(texts.map(JSONValue.string))))
            default:
                writer.member(name, counts: [("sent", 3)])
                let counts = JSONObject(members: [.init(name: "sent", value: .integer(3))])
                expected.append(.init(name: name, value: .object(counts)))
            }
        }
        let object = try JSONObjectReader.read(writer.finished())
        #expect(object.members == expected)
        for member in expected { #expect(object[member.name] == member.value) }
    }

    /// Every prefix of an object, every byte of it changed: an error or an object, never a trap.
    @Test func damagedObjectsAreRefusedOrReadButNeverTrap() throws {
        let good = Array(
            #"{"a":"x\u00e9\ud83e\udd8a\n","b":-12.5e+3,"c":[1,null,true],"d":{"e":{}},"f":0}"#.utf8
        )
        _ = try JSONObjectReader.read(good)
        for count in 0..<good.count {
            #expect(throws: JSONReadError.self) {
                try JSONObjectReader.read(Array(good.prefix(count)))
            }
        }
        for index in good.indices {
            for byte in [0x00, 0x22, 0x5c, 0x7b, 0x7d, 0x39, 0x80, 0xc3, 0xf0, 0xff] as [UInt8] {
                var damaged = good
                damaged[index] = byte
                _ = try? JSONObjectReader.read(damaged)
            }
        }
    }

    @Test(arguments: [
        ("", 0, "`{`"),
        ("[]", 0, "`{`"),
        ("\u{feff}{}", 0, "`{`"),
        ("{} {}", 3, "the end"),
        ("{\"a\":1,}", 7, "a name"),
        ("{\"a\":1 \"b\":2}", 7, "`,` or `}`"),
        ("{\"a\" 1}", 5, "`:`"),
        ("{\"a\":[1,]}", 8, "a value"),
        ("{\"a\":[1 2]}", 8, "`,` or `]`"),
        ("{\"a\":01}", 5, "a number without leading zeros"),
        ("{\"a\":-}", 6, "a digit"),
        ("{\"a\":1.}", 7, "a digit"),
        ("{\"a\":1e}", 7, "a digit"),
        ("{\"a\":NaN}", 5, "a value"),
        ("{\"a\":nul}", 5, "a value"),
        ("{\"a\":\"\t\"}", 6, "an escape in place of a control character"),
        ("{\"a\":\"\\x\"}", 7, "an escape"),
        ("{\"a\":\"\\u12g4\"}", 10, "a hexadecimal digit"),
        ("{\"a\":\"\\ud800\"}", 12, "the second half of a surrogate pair"),
        ("{\"a\":\"\\ud800\\u0041\"}", 6, "a surrogate pair"),
        ("{\"a\":\"\\ud800\\ue000\"}", 6, "a surrogate pair"),
        ("{\"a\":\"\\udc00\"}", 6, "a surrogate pair"),
        ("{\"a\":1,\"\\u0061\":2}", 7, "a name that did not come before"),
    ])
    func whatIsNoObjectSaysWhereAndWhy(text: String, offset: Int, expected: String) {
        #expect(throws: JSONReadError(offset: offset, expected: expected)) {
            try JSONObjectReader.read(Array(text.utf8))
        }
    }

    @Test func bytesThatAreNoUTF8AreRefused() {
        let bytes = Array("{\"a\":\"".utf8) + [0xed, 0xa0, 0x80] + Array("\"}".utf8)
        #expect(throws: JSONReadError(offset: 6, expected: "UTF-8")) {
            try JSONObjectReader.read(bytes)
        }
    }

    @Test func nestingIsBounded() throws {
        func nested(_ depth: Int) -> [UInt8] {
            let inner = depth - 1
            let open = String(repeating: "[", count: inner)
            let close = String(repeating: "]", count: inner)
            return Array(("{\"a\":" + open + (inner == 0 ? "1" : "") + close + "}").utf8)
        }
        _ = try JSONObjectReader.read(nested(JSONObjectReader.depthMax))
        #expect(throws: JSONReadError.self) {
            try JSONObjectReader.read(nested(JSONObjectReader.depthMax + 1))
        }
        #expect(throws: JSONReadError.self) { try JSONObjectReader.read(nested(100_000)) }
    }

    @Test func numbersThatDoNotFitKeepTheirText() throws {
        let object = try JSONObjectReader.read(
            Array(#"{"a":9223372036854775807,"b":9223372036854775808,"c":1.5,"d":-0}"#.utf8)
        )
        #expect(object["a"] == .integer(.max))
        #expect(object["b"] == .number("9223372036854775808"))
        #expect(object["c"] == .number("1.5"))
        #expect(object["d"] == .integer(0))
    }
}
