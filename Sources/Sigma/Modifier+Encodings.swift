extension ModifiedValue {
    private static let base64Alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    /// Base64 with padding (RFC 4648 §4).
    static func base64(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for index in 0..<3 {
                bits = bits << 8 | (index < group.count ? UInt32(group[start + index]) : 0)
            }
            for index in 0..<4 {
                let digit = Int(bits >> UInt32(18 - 6 * index)) & 63
                text.append(index <= group.count ? base64Alphabet[digit] : UInt8(ascii: "="))
            }
        }
        return text
    }

    /// What the Base64 text of anything that contains `bytes` contains: for each of the three ways
    /// in which they can fall into its groups, the digits that depend on nothing else.
    static func base64AtOffsets(_ bytes: [UInt8]) -> [[UInt8]] {
        (0..<3).map { offset in
            let text = base64([UInt8](repeating: UInt8(ascii: " "), count: offset) + bytes)
            // The first digits also hold bits of the `offset` bytes before, the last ones (or the
            // padding) bits of what follows.
            let first = [0, 2, 3][offset]
            let dropped = [0, 3, 2][(bytes.count + offset) % 3]
            return Array(text.dropLast(dropped).dropFirst(first))
        }
    }

    /// The pattern with its literals in UTF-16. The byte order mark is that of little endian.
    static func utf16(
        _ pattern: TextPattern,
        bigEndian: Bool,
        byteOrderMark: Bool
    ) throws(Refusal) -> TextPattern {
        var result = TextPattern()
        if byteOrderMark { result.append(.literal([0xFF, 0xFE])) }
        for part in pattern.parts {
            guard case .literal(let bytes) = part else {
                result.append(part)
                continue
            }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw .value("is already encoded; a second encoding makes no sense")
            }
            var encoded: [UInt8] = []
            for unit in text.utf16 {
                let low = UInt8(truncatingIfNeeded: unit)
                let high = UInt8(truncatingIfNeeded: unit >> 8)
                encoded += bigEndian ? [high, low] : [low, high]
            }
            result.append(.literal(encoded))
        }
        return result
    }

    /// The signs by which Windows programs let an option begin: `-`, `/`, en dash, em dash and
    /// horizontal bar (Sigma specification, `windash`).
    private static let dashScalars: [Unicode.Scalar] = [
        "-", "/", "\u{2013}", "\u{2014}", "\u{2015}",
    ]
    private static let dashes = dashScalars.map { Array(String($0).utf8) }

    /// The pattern with each of the five signs that begins a word in all five forms.
    ///
    /// Begins a word: no letter, digit or `_` stands before it and one stands behind it, in the same
    /// literal (pySigma: `\B[-/]\b`; the specification converts the other three too). More than three of
    /// them are refused, as in pySigma: they would make 5⁴ values.
    ///
    /// - Parameter dashCount: how many there are before, and then with those of the pattern.
    static func dashVariants(
        of pattern: TextPattern,
        dashCount: inout Int
    ) throws(Refusal) -> [TextPattern] {
        var variants = [TextPattern()]
        for part in pattern.parts {
            guard case .literal(let bytes) = part else {
                for index in variants.indices { variants[index].append(part) }
                continue
            }
            let scalars = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
            var plain: [UInt8] = []
            for (index, scalar) in scalars.enumerated() {
                guard dashScalars.contains(scalar), index + 1 < scalars.count,
                    isWord(scalars[index + 1]), index == 0 || !isWord(scalars[index - 1])
                else {
                    plain += Array(String(scalar).utf8)
                    continue
                }
                dashCount += 1
                guard dashCount <= 3 else {
                    throw .value("`windash` takes at most three dashes; use several values")
                }
                let before = plain
                variants = variants.flatMap { variant in
                    dashes.map { dash in
                        var next = variant
                        next.append(.literal(before + dash))
                        return next
                    }
                }
                plain = []
            }
            for index in variants.indices { variants[index].append(.literal(plain)) }
        }
        return variants
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }
}
