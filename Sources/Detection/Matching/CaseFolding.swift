/// Unicode simple case folding: how Sigma strings compare when they ignore case.
///
/// The table holds the mappings of status C and S of CaseFolding.txt (Unicode 14.0, read through
/// Perl's `Unicode::UCD::casefold`), without the ASCII letters. Simple folding maps one scalar to
/// one, so `?` means the same before and after.
enum CaseFolding {
    /// Appends the folded form of `text` to `output`. Bytes that are not UTF-8 stay as they are.
    ///
    /// One pass over ASCII, two over anything else; allocates only when `output` must grow.
    static func fold(_ text: Span<UInt8>, into output: inout [UInt8]) {
        let start = output.count
        output.append(contentsOf: repeatElement(0, count: text.count))
        var all = output.mutableSpan
        if foldASCII(text, into: &all, at: start) { return }
        output.removeLast(text.count)
        foldUnicode(text, into: &output)
    }

    /// Folds into `output` from `start` on; false, with nothing of use there, when not all is ASCII.
    private static func foldASCII(
        _ text: Span<UInt8>,
        into output: inout MutableSpan<UInt8>,
        at start: Int
    ) -> Bool {
        precondition(start >= 0, "a text begins inside the buffer")
        precondition(start <= output.count - text.count, "the buffer has room for the text")
        var allBits: UInt8 = 0
        // Without branches, so that it becomes vector code.
        for index in 0..<text.count {
            let byte = text[index]
            allBits |= byte
            output[start &+ index] = byte | (byte &- UInt8(ascii: "A") < 26 ? 0x20 : 0)
        }
        return allBits < 0x80
    }

    private static func foldUnicode(_ text: Span<UInt8>, into output: inout [UInt8]) {
        var position = 0
        while position < text.count {
            let byte = text[position]
            if byte < 0x80 {
                output.append(byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte)
                position += 1
                continue
            }
            let (scalar, length) = decode(text, at: position)
            let folded = scalar.map(fold)
            if let folded, folded != scalar {
                append(folded, to: &output)
            } else {
                for index in position..<position + length { output.append(text[index]) }
            }
            position += length
        }
    }

    static func folded(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        fold(bytes.span, into: &output)
        return output
    }

    /// The scalar that stands for `scalar` when case is ignored.
    static func fold(_ scalar: UInt32) -> UInt32 {
        if scalar < 0x80 {
            return scalar &- 0x41 < 26 ? scalar | 0x20 : scalar
        }
        // Binary search for the last range that begins at or before `scalar`.
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].first <= scalar { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return scalar }
        let range = ranges[low - 1]
        guard scalar <= range.last, (scalar - range.first) % range.step == 0 else { return scalar }
        return UInt32(truncatingIfNeeded: Int64(scalar) + Int64(range.offset))
    }

    /// The scalar that begins at `position` and how many bytes it takes; nil and one byte when
    /// there is none (Unicode 15.0, table 3-7, well-formed UTF-8).
    static func decode(_ text: Span<UInt8>, at position: Int) -> (scalar: UInt32?, length: Int) {
        let lead = text[position]
        let length: Int
        var lowest: UInt8 = 0x80
        var highest: UInt8 = 0xBF
        switch lead {
        case 0x00...0x7F: return (UInt32(lead), 1)
        case 0xC2...0xDF: length = 2
        case 0xE0...0xEF:
            length = 3
            if lead == 0xE0 { lowest = 0xA0 }
            if lead == 0xED { highest = 0x9F }
        case 0xF0...0xF4:
            length = 4
            if lead == 0xF0 { lowest = 0x90 }
            if lead == 0xF4 { highest = 0x8F }
        default: return (nil, 1)
        }
        guard position + length <= text.count else { return (nil, 1) }
        var scalar = UInt32(lead) & (0x7F >> UInt32(length))
        for index in 1..<length {
            let byte = text[position + index]
            guard byte >= lowest, byte <= highest else { return (nil, 1) }
            lowest = 0x80
            highest = 0xBF
            scalar = scalar << 6 | UInt32(byte & 0x3F)
        }
        return (scalar, length)
    }

    private static func append(_ scalar: UInt32, to output: inout [UInt8]) {
        // What the table gives is never a surrogate.
        guard let scalar = Unicode.Scalar(scalar) else { return }
        output.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    /// `first...last` in steps of `step`, each folding to itself plus `offset`.
    private struct FoldRange {
        let first: UInt32
        let last: UInt32
        let step: UInt32
        let offset: Int32

        init(_ first: UInt32, _ last: UInt32, _ step: UInt32, _ offset: Int32) {
            self.first = first
            self.last = last
            self.step = step
            self.offset = offset
        }
    }

    /// Ascending and disjoint.
    private static let ranges: [FoldRange] = [
        .init(0x00B5, 0x00B5, 1, 775),
        .init(0x00C0, 0x00D6, 1, 32),
        .init(0x00D8, 0x00DE, 1, 32),
        .init(0x0100, 0x012E, 2, 1),
        .init(0x0132, 0x0136, 2, 1),
        .init(0x0139, 0x0147, 2, 1),
        .init(0x014A, 0x0176, 2, 1),
        .init(0x0178, 0x0178, 1, -121),
        .init(0x0179, 0x017D, 2, 1),
        .init(0x017F, 0x017F, 1, -268),
        .init(0x0181, 0x0181, 1, 210),
        .init(0x0182, 0x0184, 2, 1),
        .init(0x0186, 0x0186, 1, 206),
        .init(0x0187, 0x0187, 1, 1),
        .init(0x0189, 0x018A, 1, 205),
        .init(0x018B, 0x018B, 1, 1),
        .init(0x018E, 0x018E, 1, 79),
        .init(0x018F, 0x018F, 1, 202),
        .init(0x0190, 0x0190, 1, 203),
        .init(0x0191, 0x0191, 1, 1),
        .init(0x0193, 0x0193, 1, 205),
        .init(0x0194, 0x0194, 1, 207),
        .init(0x0196, 0x0196, 1, 211),
        .init(0x0197, 0x0197, 1, 209),
        .init(0x0198, 0x0198, 1, 1),
        .init(0x019C, 0x019C, 1, 211),
        .init(0x019D, 0x019D, 1, 213),
        .init(0x019F, 0x019F, 1, 214),
        .init(0x01A0, 0x01A4, 2, 1),
        .init(0x01A6, 0x01A6, 1, 218),
        .init(0x01A7, 0x01A7, 1, 1),
        .init(0x01A9, 0x01A9, 1, 218),
        .init(0x01AC, 0x01AC, 1, 1),
        .init(0x01AE, 0x01AE, 1, 218),
        .init(0x01AF, 0x01AF, 1, 1),
        .init(0x01B1, 0x01B2, 1, 217),
        .init(0x01B3, 0x01B5, 2, 1),
        .init(0x01B7, 0x01B7, 1, 219),
        .init(0x01B8, 0x01B8, 1, 1),
        .init(0x01BC, 0x01BC, 1, 1),
        .init(0x01C4, 0x01C4, 1, 2),
        .init(0x01C5, 0x01C5, 1, 1),
        .init(0x01C7, 0x01C7, 1, 2),
        .init(0x01C8, 0x01C8, 1, 1),
        .init(0x01CA, 0x01CA, 1, 2),
        .init(0x01CB, 0x01DB, 2, 1),
        .init(0x01DE, 0x01EE, 2, 1),
        .init(0x01F1, 0x01F1, 1, 2),
        .init(0x01F2, 0x01F4, 2, 1),
        .init(0x01F6, 0x01F6, 1, -97),
        .init(0x01F7, 0x01F7, 1, -56),
        .init(0x01F8, 0x021E, 2, 1),
        .init(0x0220, 0x0220, 1, -130),
        .init(0x0222, 0x0232, 2, 1),
        .init(0x023A, 0x023A, 1, 10795),
        .init(0x023B, 0x023B, 1, 1),
        .init(0x023D, 0x023D, 1, -163),
        .init(0x023E, 0x023E, 1, 10792),
        .init(0x0241, 0x0241, 1, 1),
        .init(0x0243, 0x0243, 1, -195),
        .init(0x0244, 0x0244, 1, 69),
        .init(0x0245, 0x0245, 1, 71),
        .init(0x0246, 0x024E, 2, 1),
        .init(0x0345, 0x0345, 1, 116),
        .init(0x0370, 0x0372, 2, 1),
        .init(0x0376, 0x0376, 1, 1),
        .init(0x037F, 0x037F, 1, 116),
        .init(0x0386, 0x0386, 1, 38),
        .init(0x0388, 0x038A, 1, 37),
        .init(0x038C, 0x038C, 1, 64),
        .init(0x038E, 0x038F, 1, 63),
        .init(0x0391, 0x03A1, 1, 32),
        .init(0x03A3, 0x03AB, 1, 32),
        .init(0x03C2, 0x03C2, 1, 1),
        .init(0x03CF, 0x03CF, 1, 8),
        .init(0x03D0, 0x03D0, 1, -30),
        .init(0x03D1, 0x03D1, 1, -25),
        .init(0x03D5, 0x03D5, 1, -15),
        .init(0x03D6, 0x03D6, 1, -22),
        .init(0x03D8, 0x03EE, 2, 1),
        .init(0x03F0, 0x03F0, 1, -54),
        .init(0x03F1, 0x03F1, 1, -48),
        .init(0x03F4, 0x03F4, 1, -60),
        .init(0x03F5, 0x03F5, 1, -64),
        .init(0x03F7, 0x03F7, 1, 1),
        .init(0x03F9, 0x03F9, 1, -7),
        .init(0x03FA, 0x03FA, 1, 1),
        .init(0x03FD, 0x03FF, 1, -130),
        .init(0x0400, 0x040F, 1, 80),
        .init(0x0410, 0x042F, 1, 32),
        .init(0x0460, 0x0480, 2, 1),
        .init(0x048A, 0x04BE, 2, 1),
        .init(0x04C0, 0x04C0, 1, 15),
        .init(0x04C1, 0x04CD, 2, 1),
        .init(0x04D0, 0x052E, 2, 1),
        .init(0x0531, 0x0556, 1, 48),
        .init(0x10A0, 0x10C5, 1, 7264),
        .init(0x10C7, 0x10C7, 1, 7264),
        .init(0x10CD, 0x10CD, 1, 7264),
        .init(0x13F8, 0x13FD, 1, -8),
        .init(0x1C80, 0x1C80, 1, -6222),
        .init(0x1C81, 0x1C81, 1, -6221),
        .init(0x1C82, 0x1C82, 1, -6212),
        .init(0x1C83, 0x1C84, 1, -6210),
        .init(0x1C85, 0x1C85, 1, -6211),
        .init(0x1C86, 0x1C86, 1, -6204),
        .init(0x1C87, 0x1C87, 1, -6180),
        .init(0x1C88, 0x1C88, 1, 35267),
        .init(0x1C90, 0x1CBA, 1, -3008),
        .init(0x1CBD, 0x1CBF, 1, -3008),
        .init(0x1E00, 0x1E94, 2, 1),
        .init(0x1E9B, 0x1E9B, 1, -58),
        .init(0x1E9E, 0x1E9E, 1, -7615),
        .init(0x1EA0, 0x1EFE, 2, 1),
        .init(0x1F08, 0x1F0F, 1, -8),
        .init(0x1F18, 0x1F1D, 1, -8),
        .init(0x1F28, 0x1F2F, 1, -8),
        .init(0x1F38, 0x1F3F, 1, -8),
        .init(0x1F48, 0x1F4D, 1, -8),
        .init(0x1F59, 0x1F5F, 2, -8),
        .init(0x1F68, 0x1F6F, 1, -8),
        .init(0x1F88, 0x1F8F, 1, -8),
        .init(0x1F98, 0x1F9F, 1, -8),
        .init(0x1FA8, 0x1FAF, 1, -8),
        .init(0x1FB8, 0x1FB9, 1, -8),
        .init(0x1FBA, 0x1FBB, 1, -74),
        .init(0x1FBC, 0x1FBC, 1, -9),
        .init(0x1FBE, 0x1FBE, 1, -7173),
        .init(0x1FC8, 0x1FCB, 1, -86),
        .init(0x1FCC, 0x1FCC, 1, -9),
        .init(0x1FD8, 0x1FD9, 1, -8),
        .init(0x1FDA, 0x1FDB, 1, -100),
        .init(0x1FE8, 0x1FE9, 1, -8),
        .init(0x1FEA, 0x1FEB, 1, -112),
        .init(0x1FEC, 0x1FEC, 1, -7),
        .init(0x1FF8, 0x1FF9, 1, -128),
        .init(0x1FFA, 0x1FFB, 1, -126),
        .init(0x1FFC, 0x1FFC, 1, -9),
        .init(0x2126, 0x2126, 1, -7517),
        .init(0x212A, 0x212A, 1, -8383),
        .init(0x212B, 0x212B, 1, -8262),
        .init(0x2132, 0x2132, 1, 28),
        .init(0x2160, 0x216F, 1, 16),
        .init(0x2183, 0x2183, 1, 1),
        .init(0x24B6, 0x24CF, 1, 26),
        .init(0x2C00, 0x2C2F, 1, 48),
        .init(0x2C60, 0x2C60, 1, 1),
        .init(0x2C62, 0x2C62, 1, -10743),
        .init(0x2C63, 0x2C63, 1, -3814),
        .init(0x2C64, 0x2C64, 1, -10727),
        .init(0x2C67, 0x2C6B, 2, 1),
        .init(0x2C6D, 0x2C6D, 1, -10780),
        .init(0x2C6E, 0x2C6E, 1, -10749),
        .init(0x2C6F, 0x2C6F, 1, -10783),
        .init(0x2C70, 0x2C70, 1, -10782),
        .init(0x2C72, 0x2C72, 1, 1),
        .init(0x2C75, 0x2C75, 1, 1),
        .init(0x2C7E, 0x2C7F, 1, -10815),
        .init(0x2C80, 0x2CE2, 2, 1),
        .init(0x2CEB, 0x2CED, 2, 1),
        .init(0x2CF2, 0x2CF2, 1, 1),
        .init(0xA640, 0xA66C, 2, 1),
        .init(0xA680, 0xA69A, 2, 1),
        .init(0xA722, 0xA72E, 2, 1),
        .init(0xA732, 0xA76E, 2, 1),
        .init(0xA779, 0xA77B, 2, 1),
        .init(0xA77D, 0xA77D, 1, -35332),
        .init(0xA77E, 0xA786, 2, 1),
        .init(0xA78B, 0xA78B, 1, 1),
        .init(0xA78D, 0xA78D, 1, -42280),
        .init(0xA790, 0xA792, 2, 1),
        .init(0xA796, 0xA7A8, 2, 1),
        .init(0xA7AA, 0xA7AA, 1, -42308),
        .init(0xA7AB, 0xA7AB, 1, -42319),
        .init(0xA7AC, 0xA7AC, 1, -42315),
        .init(0xA7AD, 0xA7AD, 1, -42305),
        .init(0xA7AE, 0xA7AE, 1, -42308),
        .init(0xA7B0, 0xA7B0, 1, -42258),
        .init(0xA7B1, 0xA7B1, 1, -42282),
        .init(0xA7B2, 0xA7B2, 1, -42261),
        .init(0xA7B3, 0xA7B3, 1, 928),
        .init(0xA7B4, 0xA7C2, 2, 1),
        .init(0xA7C4, 0xA7C4, 1, -48),
        .init(0xA7C5, 0xA7C5, 1, -42307),
        .init(0xA7C6, 0xA7C6, 1, -35384),
        .init(0xA7C7, 0xA7C9, 2, 1),
        .init(0xA7D0, 0xA7D0, 1, 1),
        .init(0xA7D6, 0xA7D8, 2, 1),
        .init(0xA7F5, 0xA7F5, 1, 1),
        .init(0xAB70, 0xABBF, 1, -38864),
        .init(0xFF21, 0xFF3A, 1, 32),
        .init(0x10400, 0x10427, 1, 40),
        .init(0x104B0, 0x104D3, 1, 40),
        .init(0x10570, 0x1057A, 1, 39),
        .init(0x1057C, 0x1058A, 1, 39),
        .init(0x1058C, 0x10592, 1, 39),
        .init(0x10594, 0x10595, 1, 39),
        .init(0x10C80, 0x10CB2, 1, 64),
        .init(0x118A0, 0x118BF, 1, 32),
        .init(0x16E40, 0x16E5F, 1, 32),
        .init(0x1E900, 0x1E921, 1, 34),
    ]
}
