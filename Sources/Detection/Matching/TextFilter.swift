import Sigma

/// Says of most texts, in one short look, that they bring no rule into question: neither does such a
/// text contain one of some literals, nor does it equal one of some others, nor is it an address in
/// one of some networks. It never says so wrongly.
///
/// A text is looked at in every `stride`-th place only, for parts of four bytes. Of each contained
/// literal it knows `stride` parts, one behind the other, so that one of them lies in such a place
/// wherever the literal does; of all its parts those which the fewest literals share. Parts and whole
/// texts are bits in tables, by hash; letters count without their case. Texts that are not ASCII are
/// not passed over, for folding may change their bytes.
final class TextFilter: Sendable {
    /// Bytes of a part. Literals that are shorter have none.
    private static let width = 4
    private static let strideMax = 4
    /// Sets the bit by which upper and lower case letters differ, in each byte.
    private static let caseBits: UInt64 = 0x2020_2020_2020_2020

    // A class of plain arrays: structs would be copied for each question.
    private let partBits: [UInt64]
    private let partShift: UInt64
    private let stride: Int
    private let wholeBits: [UInt64]
    private let wholeShift: UInt64
    private let networks: [NetworkSet]

    /// Nil when a literal is too short.
    ///
    /// - Parameters:
    ///   - contained: literals, folded.
    ///   - equal: whole texts, folded.
    ///   - networks: nil for none.
    init?(contained: [[UInt8]], equal: [[UInt8]], networks: NetworkSet?) {
        let shortest = contained.map(\.count).min() ?? Int.max
        guard shortest >= Self.width else { return nil }
        stride = min(shortest - Self.width + 1, Self.strideMax)
        (partBits, partShift) = Self.bits(Self.parts(contained, stride))
        (wholeBits, wholeShift) = Self.bits(equal.map { Self.key($0.span) })
        self.networks = networks.map { [$0] } ?? []
    }

    /// A table with two bits for each key, by hash; empty if there are none. A false yes is possible.
    private static func bits(_ keys: [UInt64]) -> (words: [UInt64], shift: UInt64) {
        guard !keys.isEmpty else { return ([], 0) }
        // One bit of 64 is set at most, so of 4,096 places that are looked at one seems to hit.
        var bits: UInt64 = 10
        while bits < 22, 1 << bits < keys.count * 128 { bits += 1 }
        var words = [UInt64](repeating: 0, count: 1 << Int(bits - 6))
        for key in keys {
            for bit in [first(key) >> (64 - bits), second(key) >> (64 - bits)] {
                words[Int(bit >> 6)] |= 1 << (bit & 63)
            }
        }
        return (words, 64 - bits)
    }

    private static func first(_ key: UInt64) -> UInt64 { key &* 0x9e37_79b9_7f4a_7c15 }

    private static func second(_ key: UInt64) -> UInt64 {
        (key ^ key >> 29) &* 0xbf58_476d_1ce4_e5b9
    }

    @inline(__always)
    private static func has(_ key: UInt64, _ words: [UInt64], _ shift: UInt64) -> Bool {
        isSet(first(key) >> shift, words) && isSet(second(key) >> shift, words)
    }

    @inline(__always)
    private static func isSet(_ bit: UInt64, _ words: [UInt64]) -> Bool {
        words[Int(truncatingIfNeeded: bit >> 6)] & 1 << (bit & 63) != 0
    }

    /// Of each literal, as many parts in a row as the stride.
    private static func parts(_ literals: [[UInt8]], _ stride: Int) -> [UInt64] {
        var uses: [UInt64: Int] = [:]
        let all = literals.map { literal in
            (0...literal.count - width).map { part(literal.span, $0) }
        }
        for parts in all { for part in parts { uses[part, default: 0] += 1 } }
        return all.flatMap { parts in
            let rows = (0...parts.count - stride).map { parts[$0..<$0 + stride] }
            func cost(_ row: ArraySlice<UInt64>) -> Int { row.reduce(0) { $0 + (uses[$1] ?? 0) } }
            return rows.min { cost($0) < cost($1) } ?? []
        }
    }

    @inline(__always)
    private static func part(_ text: Span<UInt8>, _ start: Int) -> UInt64 {
        let bytes = unsafe text.bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt32.self)
        return UInt64(bytes | 0x2020_2020)
    }

    /// What a whole text is known by: its length, its first and its last bytes.
    private static func key(_ text: Span<UInt8>) -> UInt64 {
        var key = UInt64(truncatingIfNeeded: text.count)
        guard text.count >= 8 else {
            for index in text.indices { key = key << 8 | UInt64(text[index] | 0x20) }
            return key
        }
        key ^= (text.word(at: 0) | caseBits) &* 0xd6e8_feb8_6659_fd93
        key ^= (text.word(at: text.count - 8) | caseBits) &* 0xff51_afd7_ed55_8ccd
        return key ^ key >> 32
    }

    /// Whether the text surely brings nothing into question.
    func passes(_ text: Span<UInt8>) -> Bool {
        guard Self.isASCII(text) else { return false }
        if !wholeBits.isEmpty, Self.has(Self.key(text), wholeBits, wholeShift) { return false }
        if !networks.isEmpty, let address = IPAddress(text), networks[0].contains(address) {
            return false
        }
        guard !partBits.isEmpty else { return true }
        var start = 0
        while start + Self.width <= text.count {
            if Self.has(Self.part(text, start), partBits, partShift) { return false }
            start += stride
        }
        return true
    }

    private static func isASCII(_ text: Span<UInt8>) -> Bool {
        guard text.count >= 8 else { return text.indices.allSatisfy { text[$0] < 0x80 } }
        var allBits = text.word(at: text.count - 8)
        var start = 0
        while start + 8 < text.count {
            allBits |= text.word(at: start)
            start += 8
        }
        return allBits & 0x8080_8080_8080_8080 == 0
    }
}
