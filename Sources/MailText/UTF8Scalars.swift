/// One Unicode scalar of a text, and the bytes that it took.
///
/// `value` is `UTF8Scalar.invalid` when the bytes are no UTF-8; `count` is then the length of the
/// longest start of a well-formed sequence there, at least 1: Unicode's "maximal subpart"
/// (Unicode 16, section 3.9, table 3-8), so that the same bytes give the same number of U+FFFD here
/// as in Swift's `String(decoding:as:)`.
struct UTF8Scalar {
    static let invalid = UInt32.max
    static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    let value: UInt32
    let count: Int

    var isInvalid: Bool { value == Self.invalid }

    /// Reads the scalar at `index`, which must lie in `text`.
    @inline(__always)
    init(in text: Span<UInt8>, at index: Int) {
        let first = text[index]
        if first < 0x80 {
            self.init(value: UInt32(first), count: 1)
        } else {
            self.init(multibyteIn: text, at: index, first: first)
        }
    }

    private init(multibyteIn text: Span<UInt8>, at index: Int, first: UInt8) {
        // The second byte's range depends on the first: it keeps out overlong forms, surrogates and
        // values over U+10FFFF (Unicode 16, table 3-7).
        let length: Int
        var low: UInt8 = 0x80
        var high: UInt8 = 0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, low) = (3, 0xA0)
        case 0xED: (length, high) = (3, 0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, low) = (4, 0x90)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, high) = (4, 0x8F)
        default:
            self.init(value: Self.invalid, count: 1)
            return
        }
        var value = UInt32(first) & (0x7F >> UInt32(length))
        for offset in 1..<length {
            guard index + offset < text.count, (low...high).contains(text[index + offset]) else {
                self.init(value: Self.invalid, count: offset)
                return
            }
            value = value << 6 | UInt32(text[index + offset] & 0x3F)
            (low, high) = (0x80, 0xBF)
        }
        self.init(value: value, count: length)
    }

    private init(value: UInt32, count: Int) {
        self.value = value
        self.count = count
    }
}

extension [UInt8] {
    /// Appends a scalar value as UTF-8; a value that is none (a surrogate, over U+10FFFF) as U+FFFD.
    mutating func appendScalar(_ value: UInt32) {
        switch value {
        case ..<0x80:
            append(UInt8(truncatingIfNeeded: value))
        case ..<0x800:
            append(UInt8(truncatingIfNeeded: 0xC0 | value >> 6))
            append(UInt8(truncatingIfNeeded: 0x80 | value & 0x3F))
        case 0xD800..<0xE000, 0x11_0000...:
            append(contentsOf: UTF8Scalar.replacement)
        case ..<0x1_0000:
            append(UInt8(truncatingIfNeeded: 0xE0 | value >> 12))
            append(UInt8(truncatingIfNeeded: 0x80 | value >> 6 & 0x3F))
            append(UInt8(truncatingIfNeeded: 0x80 | value & 0x3F))
        default:
            append(UInt8(truncatingIfNeeded: 0xF0 | value >> 18))
            append(UInt8(truncatingIfNeeded: 0x80 | value >> 12 & 0x3F))
            append(UInt8(truncatingIfNeeded: 0x80 | value >> 6 & 0x3F))
            append(UInt8(truncatingIfNeeded: 0x80 | value & 0x3F))
        }
    }

    /// Cuts to at most `bytesMax` bytes, never inside a UTF-8 sequence; tells whether it cut.
    @discardableResult
    mutating func shorten(toAtMost bytesMax: Int) -> Bool {
        guard count > bytesMax else { return false }
        var end = bytesMax
        // A sequence has at most three continuation bytes; more of them are no UTF-8 anyway.
        while end > 0, bytesMax - end < 3, self[end] & 0xC0 == 0x80 { end -= 1 }
        removeLast(count - end)
        return true
    }
}

/// What a scalar is to the comparison of subjects.
enum ScalarClass {
    /// White_Space of the Unicode Character Database (PropList.txt): the no-break spaces U+00A0,
    /// U+2007 and U+202F and the ideographic U+3000 among them.
    case whiteSpace
    /// Not seen by a reader: zero-width characters, byte-order mark, soft hyphen, variation
    /// selectors and the marks that steer right-to-left text. Dropped before comparing.
    case invisible
    case other

    init(_ value: UInt32) {
        switch value {
        case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F,
            0x205F, 0x3000:
            self = .whiteSpace
        case 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B...0x180F, 0x200B...0x200F,
            0x202A...0x202E, 0x2060...0x206F, 0x3164, 0xFE00...0xFE0F, 0xFEFF, 0xFFA0,
            0xFFF0...0xFFF8, 0x1BCA0...0x1BCA3, 0x1D173...0x1D17A, 0xE0000...0xE0FFF:
            // Default_Ignorable_Code_Point (DerivedCoreProperties.txt).
            self = .invisible
        default:
            self = .other
        }
    }
}
