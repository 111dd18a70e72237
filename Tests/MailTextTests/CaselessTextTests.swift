import TestSupport
import Testing

@testable import MailText

@Suite struct CaselessTextTests {
    /// Python's `unicodedata` and `casefold` are the oracle up to U+33FF.
    @Test func foldingAgreesWithPython() {
        var expected: [UInt32: [UInt32]] = [:]
        for entry in caseFoldingsGolden.split(whereSeparator: \.isWhitespace) {
            let sides = entry.split(separator: "=")
            let folded = sides[1].split(separator: "+").compactMap { UInt32($0, radix: 16) }
            expected[UInt32(sides[0], radix: 16) ?? 0] = folded
        }
        #expect(expected.count == 1034)
        for value in UInt32(0x80)...0x33FF where !(0x13A0...0x13FF).contains(value) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            // What Python's Unicode 14 does not know may fold by now.
            guard expected[value] != nil || isOlderThanUnicode15(scalar) else { continue }
            let want = expected[value] ?? [value]
            let got = text(caseless(bytes(String(scalar)))).unicodeScalars.map(\.value)
            #expect(got == want, "U+\(String(value, radix: 16))")
        }
    }

    private func isOlderThanUnicode15(_ scalar: Unicode.Scalar) -> Bool {
        guard let age = scalar.properties.age else { return false }
        return age.major < 15
    }

    /// forall texts of scalars that take the short way: it equals the general way.
    @Test(arguments: 1...20)
    func theShortWayEqualsTheGeneralWay(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let ranges: [ClosedRange<UInt32>] = [
            0x20...0x7E, 0x80...0x36F, 0x370...0x52F, 0x5D0...0x5EA, 0x621...0x669,
            0x2010...0x20BF, 0x3000...0x30FF, 0x4E00...0x9FFF, 0xAC00...0xD7A3, 0xFF01...0xFF20,
            0x1F300...0x1F64F, 0x1100...0x1200,
        ]
        for _ in 0..<250 {
            var text: [UInt8] = []
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                let range = ranges.randomElement(using: &random) ?? 0x20...0x7E
                text.appendScalar(UInt32.random(in: range, using: &random))
            }
            var general: [UInt8] = []
            CaselessText.appendNormalised(text.span, to: &general)
            #expect(caseless(text) == general)
        }
    }

    /// forall scalars of the short way, alone and behind any letter that could compose.
    @Test func theShortWayTakesOnlyScalarsThatNeverCompose() {
        for value in UInt32(0x80)...0x1F64F where CaselessText.simpleFolding(value) != nil {
            guard value < 0x3400 || value % 97 == 0 else { continue }
            var text: [UInt8] = []
            for before in [UInt32(0x65), 0x433, 0x3C9, 0x644, 0x304B, 0xAC00] {
                text.appendScalar(before)
                text.appendScalar(value)
            }
            var general: [UInt8] = []
            CaselessText.appendNormalised(text.span, to: &general)
            #expect(caseless(text) == general, "U+\(String(value, radix: 16))")
        }
    }

    @Test(arguments: [
        ("STRASSE", "straße"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("É", "e\u{301}"), ("\u{212B}", "å"),
        ("가", "\u{1100}\u{1161}"), ("ＡＢＣ", "ａｂｃ"), ("\u{1E9E}", "SS"), ("ﬀ", "FF"),
        ("a\u{323}\u{307}", "A\u{307}\u{323}"),
    ])
    func textsThatDifferOnlyInCaseOrCompositionAreEqual(one: String, other: String) {
        #expect(caseless(bytes(one)) == caseless(bytes(other)))
    }

    @Test func bytesThatAreNoUTF8Stay() {
        #expect(caseless([0x41, 0xFF, 0xC3, 0x42]) == [0x61, 0xFF, 0xC3, 0x62])
        #expect(caseless([0x41, 0xFF, 0xCC, 0x81, 0x45, 0xCC, 0x81]).starts(with: [0x61, 0xFF]))
    }
}
