import MailText
import TestSupport
import Testing

@Suite struct HeaderDecoderTests {
    @Test func encodedSubjectsDecodeAsPythonDecodesThem() {
        #expect(EncodedSubject.all.count == 180)
        var decoder = HeaderDecoder()
        var out: [UInt8] = []
        for subject in EncodedSubject.all {
            #expect(decoder.decode(bytes(subject.logged).span, into: &out) == .decoded)
            #expect(text(out) == subject.decoded)
        }
        #expect(decoder.counters.rawWords == 0)
        #expect(decoder.counters.replacements == 0)
        #expect(decoder.openCharsetCount <= 16)
    }

    /// Python 3.11's `email.header.decode_header`, its parts decoded and joined.
    @Test(arguments: [
        ("=?utf-8?q?a?=", "a"),
        ("x =?utf-8?Q?M=C3=BCller?= y", "x Müller y"),
        ("=?iso-8859-1?q?=e4=f6?==?iso-8859-1?q?=fc?=", "äöü"),
        ("=?utf-8?B?w7w=?= =?iso-8859-1?B?/A==?=", "üü"),
        ("=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "ü"),
        ("=?utf-8?B?w7?= tail", "\u{FFFD} tail"),
        ("a=?utf-8?Q?b?=c", "abc"),
        ("=?utf-8?Q?a b c?=", "a b c"),
        ("=?utf-8?Q?a?b?=", "a?b"),
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("=?utf-8?Q??=", ""),
        ("=?utf-8?Q?=ZZ=4?=", "=ZZ=4"),
        ("=?utf-8?Q?1?=   =?utf-8?Q?2?=  3", "12  3"),
        ("=?koi8-r?B?8NLJ18XU?= =?koi8-r?Q?_=CD=C9=D2?=", "Привет мир"),
        ("no words = ? at all", "no words = ? at all"),
        ("= ?utf-8?Q?x?=", "= ?utf-8?Q?x?="),
        ("=?utf-8?B?YWJj?==?utf-8?B?ZGVm?=", "abcdef"),
        ("=?utf-8?B?8J+YgA==?=", "😀"),
        ("=?big5?B?pKSk5Q==?=", "中文"),
        ("=?utf-8?Q?=5F=3D=3F?=", "_=?"),
        ("=?utf-8?q?=FF=FE?=", "\u{FFFD}\u{FFFD}"),
    ])
    func headersDecodeAsPythonDecodesThem(header: String, expected: String) {
        #expect(decoded(header) == expected)
    }

    @Test(arguments: [
        // What Python does not take, or takes otherwise.
        ("=?UTF-8*en?Q?M=C3=BC?= x", "Mü x"),
        ("=?x-nonsense?Q?abc?=", "=?x-nonsense?Q?abc?="),
        ("=?utf-8//IGNORE?Q?abc?=", "=?utf-8//IGNORE?Q?abc?="),
        ("=?utf-8,TRANSLIT?Q?abc?=", "=?utf-8,TRANSLIT?Q?abc?="),
        ("=??Q?abc?=", "=??Q?abc?="),
        ("=?utf-8?B?a*b?= =?utf-8?Q?c?=", "=?utf-8?B?a*b?= c"),
        ("=?utf-8?B?YQ==Yg==?=", "ab"),
        ("=?unknown-8bit?Q?M=C3=BC?=", "Mü"),
        ("=?us-ascii?Q?M=C3=BC?=", "Mü"),
        ("=?ks_c_5601-1987?B?wMzAvQ==?=", "이음"),
        ("=?gb2312?B?g7Y=?=", "兌"),  // only in GBK
        ("=?iso-2022-jp?B?GyRCTCQbKEI=?= =?iso-2022-jp?B?GyRCRkkbKEI=?=", "未読"),
        // Folds as they are logged, or as they are.
        ("=?utf-8?Q?a?=? =?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?=??=?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?=?   =?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?=\n =?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?=\r\n\t=?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?=? b", "a b"),
        ("=?utf-8?Q?a?=??b", "a b"),
        ("=?utf-8?Q?a?= ? =?utf-8?Q?b?=", "a ? b"),
        ("what? =?utf-8?Q?b?=", "what? b"),
        ("one\r\n two\n\tthree", "one two three"),
        // Control characters.
        ("=?utf-8?Q?a=0D=0ABcc:_x=00=7F?=", "a??Bcc: x??"),
        ("tab\there", "tab?here"),
        // Cut at the end.
        ("=?utf-8?Q?Gr=C3=BC=C3?", "Grü"),
        ("=?utf-8?Q?Gr=C3=BC=C", "Grü"),
        ("=?utf-8?Q?Gr=C3=BC=", "Grü"),
        ("=?utf-8?B?R3LDvMO", "Grü"),
        ("=?utf-8?Q?a?= =?utf-8?Q?", "a"),
        ("=?utf-8?Q?a?= =?utf", "a"),
        ("=?utf-8?Q?a?=? =", "a"),
        ("=?utf-8?Q?a?=?", "a"),
        ("plain words and =?utf", "plain words and =?utf"),
        ("is =?utf-8?Q?not cut", "is =?utf-8?Q?not cut"),
        ("raw Gr\u{FC}", "raw Grü"),
    ])
    func oddHeadersDecode(header: String, expected: String) {
        #expect(decoded(header) == expected)
    }

    @Test func textThatIsNoUTF8BecomesReplacementCharactersAsInSwift() {
        for seed in 1...300 {
            var random = SeededGenerator(seed: UInt64(seed))
            let noise = (0..<12).map { _ in
                let byte = UInt8.random(in: 0x80...0xFF, using: &random)
                return Bool.random(using: &random) ? byte : UInt8(ascii: "x")
            }
            // A whole letter at the end: what is cut off there is left out instead.
            let header = noise + [UInt8(ascii: ".")]
            #expect(decoded(header) == bytes(text(header)))
        }
        #expect(decoded(bytes("Gr") + [0xC3]) == bytes("Gr"))
        #expect(decoded([0xE2, 0x82]) == [])
        #expect(decoded([0xFF]) == bytes("\u{FFFD}"))
    }

    /// forall cuts: a logged subject that is cut decodes to a beginning of what it would have been.
    @Test func aCutLeavesNoGarbage() {
        for subject in EncodedSubject.all {
            let whole = bytes(subject.logged)
            let first = subject.logged.utf8.count { $0 == UInt8(ascii: "?") }
            guard first >= 4 else { continue }
            var marks = 0
            for cut in whole.indices {
                if whole[cut] == UInt8(ascii: "?") { marks += 1 }
                guard marks >= 4 || marks == 3 && whole[cut] != UInt8(ascii: "?") else { continue }
                let text = text(decoded(Array(whole[...cut])))
                #expect(
                    bytes(subject.decoded).starts(with: bytes(text)),
                    "\(subject.logged) \(cut)"
                )
            }
        }
    }

    /// forall places to split: two words of one charset read as one.
    @Test(arguments: [
        ("utf-8", bytes("Не прочитано: 未読")), ("koi8-r", [0xEE, 0xC5, 0x20, 0xD0]),
        ("shift_jis", [0x96, 0xA2, 0x93, 0xC7]), ("gb18030", [0xCE, 0xB4, 0xB6, 0xC1]),
    ])
    func aCharacterMayBeSplitBetweenWords(charset: String, content: [UInt8]) {
        func word(_ part: ArraySlice<UInt8>) -> String {
            let hex = part.map { byte in
                let digits = String(byte, radix: 16, uppercase: true)
                return "=" + (digits.count < 2 ? "0" : "") + digits
            }
            return "=?\(charset)?Q?\(hex.joined())?="
        }
        let whole = decoded(word(content[...]))
        for split in content.indices {
            #expect(decoded(word(content[..<split]) + " " + word(content[split...])) == whole)
            #expect(decoded(word(content[..<split]) + "? " + word(content[split...])) == whole)
        }
    }

    @Test(arguments: 1...40)
    func hostileHeadersGiveCleanBoundedText(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var reused = HeaderDecoder(bytesMax: 90)
        var out: [UInt8] = []
        for _ in 0..<120 {
            let first = bytes(EncodedSubject.all.randomElement(using: &random)?.logged ?? "")
            let second = bytes(EncodedSubject.all.randomElement(using: &random)?.logged ?? "")
            let header = random.mutated(first + random.mutated(second))
            let form = reused.decode(header.span, into: &out)
            #expect((form == .plain) == HeaderDecoder.isPlain(header.span))
            guard form == .decoded else { continue }
            #expect(isUTF8(out))
            #expect(out.count <= 90)
            #expect(!out.contains { $0 < 0x20 || $0 == 0x7F })
            #expect(out == decoded(header, bytesMax: 90), "what came before does not matter")
        }
        #expect(reused.openCharsetCount <= 16)
    }

    /// forall headers of up to 20 bytes from few bytes that matter: plain means what it says.
    @Test(arguments: 1...20)
    func plainIsPrintableASCIIWithoutWords(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<400 {
            let count = Int.random(in: 0...20, using: &random)
            let header = (0..<count).map { _ in
                bytes("aaaaaaa ~=?").randomElement(using: &random) ?? 0
            }
            let odd = [0x1F, 0x7F, 0x80, 0xFF, 0x00, 0x3D].randomElement(using: &random) ?? 0
            let spoilt = count > 0 && Int.random(in: 0...3, using: &random) == 0
            var mixed = header
            if spoilt { mixed[Int.random(in: 0..<count, using: &random)] = UInt8(odd) }
            let isPlain =
                mixed.allSatisfy { (0x20...0x7E).contains($0) }
                && !zip(mixed, mixed.dropFirst()).contains { $0 == 0x3D && $1 == 0x3F }
            #expect(HeaderDecoder.isPlain(mixed.span) == isPlain, "\(mixed)")
        }
    }

    @Test func aPlainHeaderLeavesTheOutputAlone() {
        var decoder = HeaderDecoder()
        var out = bytes("before")
        #expect(decoder.decode(bytes("Re: plan = ?").span, into: &out) == .plain)
        #expect(out == bytes("before"))
    }

    @Test func strangersCannotOpenManyConverters() {
        var decoder = HeaderDecoder()
        var out: [UInt8] = []
        let names = (1250...1258).map { "cp\($0)" } + (2...9).map { "iso-8859-\($0)" }
        let header = names.map { "=?\($0)?Q?=41?=" }.joined(separator: " ")
        _ = decoder.decode(bytes(header).span, into: &out)
        #expect(decoder.counters.decodedWords == 8)
        #expect(decoder.counters.rawWords == UInt64(names.count - 8))
        for _ in 0..<4 { _ = decoder.decode(bytes(header).span, into: &out) }
        #expect(decoder.openCharsetCount <= 16)
        for number in 0..<100 {
            _ = decoder.decode(bytes("=?nonsense-\(number)?Q?=41?=").span, into: &out)
        }
        #expect(decoder.openCharsetCount == 0)
        _ = decoder.decode(bytes("=?cp1251?Q?=CF?=").span, into: &out)
        #expect(text(out) == "П")
    }

    @Test(arguments: ["IBM1364", "cp1390", "ISO-2022-CN-EXT", "UCS-4", "internal", "wchar_t"])
    func convertersThatFailedOnHostileTextStayShut(charset: String) {
        #expect(decoded("=?\(charset)?Q?=41?=") == "=?\(charset)?Q?=41?=")
    }

    @Test func decodedTextIsBounded() {
        // TSCII makes up to three characters of nine bytes from one.
        for charset in ["tscii", "utf-8", "big5-hkscs", "iso-8859-1", "utf-7"] {
            var decoder = HeaderDecoder(bytesMax: 100)
            var out: [UInt8] = []
            let header = "=?\(charset)?Q?" + String(repeating: "=AA", count: 20_000) + "?="
            #expect(decoder.decode(bytes(header).span, into: &out) == .decoded)
            #expect(out.count <= 100)
            #expect(isUTF8(out))
            #expect(decoder.counters.shortened == 1)
        }
        for unit in ["=?", "=?a?b?", "=?a?q?x", "=?utf-8?q?", "=?utf-8?q?a?= "] {
            let header = String(repeating: unit, count: 65_536 / unit.utf8.count)
            #expect(decoded(bytes(header), bytesMax: 100).count <= 100)
        }
    }
}
