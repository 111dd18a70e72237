@testable import MailLog
import MailText
import Records
import TestSupport
import Testing

/// Text in which what the searches look for is frequent, at every place of a word.
private func text(_ random: inout SeededGenerator, of alphabet: [UInt8], upTo count: Int) -> [UInt8]
{
    (0..<Int.random(in: 0...count, using: &random)).map { _ in
        alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
    }
}

/// What reads eight bytes at a time says the same as what reads one.
@Suite struct WordAtATimeTests {
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func namesHaveTheHashOfTheirCanonicalForm(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let alphabets: [[UInt8]] = [
            Array("ABZaz@[`{09.-".utf8), Array(0...255), Array("Öß@.ü".utf8),
        ]
        var completing = NameReader(seed: .constant, accountDomain: Array("Example.ORG".utf8))
        var plain = NameReader(seed: .constant)
        var canonical: [UInt8] = []
        for round in 0..<2_000 {
            let name = text(&random, of: alphabets[round % alphabets.count], upTo: 40)
            Canonical.account(name.span, into: &canonical)
            #expect(plain.account(name.span) == keyedHash(canonical, seed: .constant))
            #expect(plain.mailbox(name.span) == keyedHash(canonical, seed: .constant))
            Canonical.account(name.span, domain: Array("Example.ORG".utf8), into: &canonical)
            #expect(completing.account(name.span) == keyedHash(canonical, seed: .constant))
            _ = Canonical.domain(name.span, into: &canonical)
            let expected = canonical.isEmpty ? 0 : keyedHash(canonical, seed: .constant)
            #expect(plain.domain(name.span) == expected)
            if name.span.isCanonicalASCII { #expect(canonical == name) }
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func searchesFindTheFirstPlace(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            let bytes = text(&random, of: Array(" from,@\u{80}\u{1}\0".utf8), upTo: 40)
            let start = Int.random(in: 0...bytes.count, using: &random)
            let comma = bytes[start...].firstIndex(of: UInt8(ascii: ","))
            #expect(
                bytes.span.first(UInt8(ascii: ","), from: start, to: bytes.count) == comma
            )
            let from = bytes.indices[start...].first { bytes[$0...].starts(with: " from ".utf8) }
            #expect(bytes.span.first(" from ", from: start) == from)
        }
    }

    /// The grammar of RFC 5321 read byte by byte, as the model; quotes stand only around a whole local
    /// part.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func addressesEndWhereTheirGrammarSays(seed: UInt64) {
        func end(_ bytes: [UInt8]) -> Int? {
            var isQuoted = false
            var isEscaped = false
            for (index, byte) in bytes.enumerated() {
                if isEscaped {
                    isEscaped = false
                } else if isQuoted {
                    if byte == UInt8(ascii: "\\") { isEscaped = true }
                    if byte == UInt8(ascii: "\"") { isQuoted = false }
                } else if byte == UInt8(ascii: ">") {
                    return index
                } else if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "<") {
                    return nil
                } else if byte == UInt8(ascii: "\"") {
                    guard index == 0 else { return nil }
                    isQuoted = true
                }
            }
            return nil
        }
        var random = SeededGenerator(seed: seed)
        for round in 0..<4_000 {
            let alphabet = round % 2 == 0 ? "abc@.de>" : "ab@\"\\> <c"
            let bytes = text(&random, of: Array(alphabet.utf8), upTo: 30)
            #expect(PostfixGrammar.endOfAddress(bytes.span, from: 0) == end(bytes))
        }
    }

    /// Dividing at the last `@` outside quotes; without quotes and backslashes, at the last `@`.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func plainAddressesDivideAtTheLastAt(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<4_000 {
            let bytes = text(&random, of: Array("abcdefgh@.".utf8), upTo: 24)
            let at = bytes.lastIndex(of: UInt8(ascii: "@"))
            let address = MailAddress(bytes.span)
            #expect(address.domain == at.map { $0 + 1..<bytes.count })
            #expect(address.local == 0..<(at ?? bytes.count))
        }
    }

    @Test func alphabetsOfQueueIDsAreThoseOfPostconf() {
        for byte in UInt8.min...UInt8.max {
            let scalar = Character(Unicode.Scalar(byte))
            let isHex = "0123456789ABCDEF".contains(scalar)
            let isLong =
                scalar.isASCII && (scalar.isNumber || scalar.isLetter)
                && !"AEIOUaeiou".contains(scalar)
            #expect(
                PostfixGrammar.queueIDClass(byte) == (isHex ? 1 : 0) | (isLong ? 2 : 0),
                "byte \(byte)"
            )
        }
    }

    @Test func clientsHoldWhatNamesAndAddressesDo() {
        for byte in UInt8.min...UInt8.max {
            let scalar = Character(Unicode.Scalar(byte))
            let isLetterOrDigit = scalar.isASCII && (scalar.isNumber || scalar.isLetter)
            let isHost = isLetterOrDigit || "-._:".contains(scalar) || byte >= 0x80
            let isAddress = byte < 0x80 && (isHost || "%/".contains(scalar))
            #expect(
                PostfixGrammar.clientClass(byte) == (isHost ? 1 : 0) | (isAddress ? 2 : 0),
                "byte \(byte)"
            )
        }
    }
}

/// Digits are told eight bytes at a time: the same answer as one by one, wherever they stand.
@Suite struct DigitTests {
    @Test(arguments: 0...12)
    func onlyDigitsAreDigits(count: Int) {
        for byte in UInt8.min...UInt8.max {
            for place in 0..<max(count, 1) {
                var text = [UInt8](repeating: UInt8(ascii: "7"), count: count)
                if count > 0 { text[place] = byte }
                for tail in [0, 9] {
                    let whole = text + [UInt8](repeating: UInt8(ascii: "]"), count: tail)
                    let isDigit = count == 0 || (0x30...0x39).contains(byte)
                    #expect(whole.span.areDigits(0..<count) == isDigit)
                }
            }
        }
    }
}
