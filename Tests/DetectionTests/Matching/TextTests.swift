import Glibc
import Sigma
import TestSupport
import Testing

@testable import Detection

@Suite struct TextTests {
    /// forall scalars of Unicode 14: folding is done once, and letters that the standard library
    /// maps to each other one to one fold alike.
    @Test func foldingAgreesWithTheCaseMappingsOfTheStandardLibrary() {
        for value in UInt32(0)...0x1FFFF {
            guard let scalar = Unicode.Scalar(value), let age = scalar.properties.age,
                age.major <= 14
            else { continue }
            let folded = CaseFolding.fold(value)
            #expect(CaseFolding.fold(folded) == folded)
            let lower = scalar.properties.lowercaseMapping.unicodeScalars
            if lower.count == 1, let first = lower.first {
                #expect(CaseFolding.fold(first.value) == folded, "U+\(String(value, radix: 16))")
            }
            if lower.count == 1, lower.first == scalar,
                scalar.properties.uppercaseMapping == String(scalar)
            {
                #expect(folded == value, "U+\(String(value, radix: 16))")
            }
        }
    }

    @Test(arguments: 1...50)
    func foldedBytesAreTheFoldedScalars(seed: UInt64) {
        var random = SeededGenerator(scattered: seed)
        for _ in 0..<50 {
            let letters = ["a", "Z", "Ü", "Σ", "K", "𐐀", "ẞ", "日", "\u{0}"]
            let text = (0..<Int.random(in: 0...9, using: &random))
                .map { _ in letters.randomElement(using: &random) ?? "" }.joined()
            let expected = text.unicodeScalars.compactMap {
                Unicode.Scalar(CaseFolding.fold($0.value))
            }
            var view = String.UnicodeScalarView()
            view.append(contentsOf: expected)
            #expect(CaseFolding.folded(Array(text.utf8)) == Array(String(view).utf8))
            // Bytes at random: nothing is lost but case, and decoding agrees with the standard library.
            let bytes = (0..<8).map { _ in
                [0x41, 0xC3, 0x9C, 0xE2, 0x84, 0xAA, 0xF0, 0xED, 0xA0, 0x80].randomElement(
                    using: &random
                ) ?? UInt8(0)
            }
            let length = CaseFolding.decode(bytes.span, at: 0).length
            let isValid = String(validating: bytes.prefix(length), as: UTF8.self) != nil
            #expect(isValid == (CaseFolding.decode(bytes.span, at: 0).scalar != nil))
        }
    }

    /// Every pattern up to five signs over `a`, `b`, `*`, `?` against every text up to five letters.
    @Test func globsMeanWhatBacktrackingFinds() {
        func words(_ letters: [Character], upTo length: Int) -> [String] {
            var all = [""]
            var last = [""]
            for _ in 0..<length {
                last = last.flatMap { word in letters.map { word + String($0) } }
                all += last
            }
            return all
        }
        func fits(_ text: Substring, _ pattern: Substring) -> Bool {
            guard let sign = pattern.first else { return text.isEmpty }
            let rest = pattern.dropFirst()
            if sign == "*" {
                return fits(text, rest) || (!text.isEmpty && fits(text.dropFirst(), pattern))
            }
            guard let letter = text.first else { return false }
            return (sign == "?" || sign == letter) && fits(text.dropFirst(), rest)
        }
        let texts = words(["a", "b"], upTo: 5).map { ($0, Array($0.utf8)) }
        for pattern in words(["a", "b", "*", "?"], upTo: 4) {
            let glob = Glob(TextPattern(sigma: pattern), fold: true)
            for (text, bytes) in texts
            where glob.matches(bytes.span) != fits(text[...], pattern[...]) {
                Issue.record("\(pattern) \(text)")
            }
        }
    }

    @Test(arguments: 1...60)
    func theAutomatonFindsWhatSearchingOneByOneFinds(seed: UInt64) throws {
        var random = SeededGenerator(scattered: seed)
        func word(_ range: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: range, using: &random)).map { _ in
                UInt8.random(in: 97...99, using: &random)
            }
        }
        let literals = (0..<40).map { _ in word(1...5) }
        let numbered = literals.enumerated().map {
            (bytes: $0.element, outputs: [Int32($0.offset)])
        }
        let automaton = try #require(LiteralAutomaton(numbered, cellsMax: 100_000))
        #expect(LiteralAutomaton(numbered, cellsMax: 20) == nil)
        for _ in 0..<20 {
            let text = word(0...30)
            var marks: [UInt64] = [0]
            automaton.search(text.span, marking: &marks)
            for (index, literal) in literals.enumerated() {
                #expect((marks[0] >> UInt64(index) & 1 == 1) == text.span.contains(literal.span))
            }
        }
    }

    /// What glibc says of a time: minute, hour, day, month and year; the week; the text after the year.
    private static func broken(_ seconds: time_t) -> (parts: [Int64], week: Int64?, rest: String) {
        var seconds = seconds
        var broken = unsafe tm()
        _ = unsafe gmtime_r(&seconds, &broken)
        func formatted(_ format: String) -> String {
            var buffer = [CChar](repeating: 0, count: 64)
            let count = unsafe strftime(&buffer, 64, format, &broken)
            return String(
                decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) },
                as: UTF8.self
            )
        }
        let parts = unsafe [
            broken.tm_min, broken.tm_hour, broken.tm_mday, broken.tm_mon + 1,
            broken.tm_year + 1_900,
        ]
        return (parts.map(Int64.init), Int64(formatted("%V")), formatted("-%m-%dT%H:%M:%SZ"))
    }

    /// The oracle is glibc: gmtime_r(3) and strftime(3) with `%V`.
    @Test(arguments: 1...50)
    func partsOfATimeAreThoseOfGlibc(seed: UInt64) {
        var random = SeededGenerator(scattered: seed)
        for _ in 0..<40 {
            let seconds = time_t.random(in: -62_000_000_000...90_000_000_000, using: &random)
            let expected = Self.broken(seconds)
            let time = FieldTime(epoch: Int64(seconds))
            let parts = [TimePart.minute, .hour, .day, .month, .year].map(time.part)
            #expect(parts == expected.parts)
            #expect(time.part(.week) == expected.week)
            // And back, for years of four digits.
            guard (0...9_999).contains(time.part(.year)) else { continue }
            let year = String(time.part(.year))
            let text = String(repeating: "0", count: 4 - year.count) + year + expected.rest
            #expect(FieldTime(Array(text.utf8).span)?.epochSeconds == Int64(seconds), "\(text)")
        }
    }

    @Test(arguments: [
        "", "2026-03-01", "2026-03-01T17:30", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T17:30:00.Z", "2026-03-01T17:30:00+0200", "2026-03-01T17:30:00Zx",
        "2026-03-01x17:30:00Z",
    ])
    func otherTextsAreNoTimes(text: String) {
        #expect(FieldTime(Array(text.utf8).span) == nil)
    }
}
