import TestSupport
import Testing

@testable import Detection
@testable import Sigma

@Suite
struct TextFilterTests {
    /// Few letters, so that literals stand in texts often, and some that fold to others.
    private static let letters = ["a", "b", "A", "B", ".", "@", "é", "É", "K"]

    private static func text(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
        (0..<count).flatMap { _ in
            Array(letters[Int.random(in: 0..<letters.count, using: &random)].utf8)
        }
    }

    private static func contains(_ text: [UInt8], _ part: [UInt8]) -> Bool {
        guard text.count >= part.count else { return false }
        return (0...text.count - part.count).contains { text[$0..<$0 + part.count] == part[...] }
    }

    @Test(arguments: 1...20)
    func `No text is passed over that holds a literal, whatever its case`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var passed = 0
        for _ in 0..<200 {
            let contained = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                CaseFolding.folded(Self.text(Int.random(in: 4...9, using: &random), &random))
            }
            let equal = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                CaseFolding.folded(Self.text(Int.random(in: 0...12, using: &random), &random))
            }
            guard let filter = TextFilter(contained: contained, equal: equal, networks: nil) else {
                Issue.record("no literal is too short")
                continue
            }
            for _ in 0..<50 {
                var text = Self.text(Int.random(in: 0...24, using: &random), &random)
                if Bool.random(using: &random),
                    let literal = contained.randomElement(using: &random)
                {
                    text += literal + Self.text(Int.random(in: 0...5, using: &random), &random)
                } else if Bool.random(using: &random),
                    let literal = equal.randomElement(using: &random)
                {
                    text = literal.map { byte in
                        let isLetter = byte &- UInt8(ascii: "a") < 26
                        return isLetter && Bool.random(using: &random) ? byte - 0x20 : byte
                    }
                }
                let folded = CaseFolding.folded(text)
                let isWanted =
                    equal.contains(folded) || contained.contains { Self.contains(folded, $0) }
                let isPassed = filter.passes(text.span)
                if isPassed { passed += 1 }
                #expect(!(isWanted && isPassed), "\(String(decoding: text, as: UTF8.self))")
            }
        }
        #expect(passed > 500, "a filter that passes nothing over would be of no use")
    }

    @Test
    func `Ordinary texts are passed over, and addresses outside of the networks`() throws {
        let filter = try #require(
            try TextFilter(
                contained: [Array("cheap meds".utf8)],
                equal: [Array("invoice".utf8)],
                networks: NetworkSet([Network("203.0.113.0/24")])
            )
        )
        for text in ["Minutes of the meeting", "", "198.51.100.7", "invoices", "Cheese and wine"] {
            let isPassed = filter.passes(Array(text.utf8).span)
            #expect(isPassed, "\(text)")
        }
        for text in ["Re: CHEAP meds!", "Invoice", "203.0.113.9", "gr\u{FC}n"] {
            let isPassed = filter.passes(Array(text.utf8).span)
            #expect(!isPassed, "\(text)")
        }
    }

    @Test
    func `A literal of three bytes makes no filter`() {
        #expect(TextFilter(contained: [Array("abc".utf8)], equal: [], networks: nil) == nil)
    }
}
