@_spi(_Unicode) import Swift

// Swift has Unicode's canonical composition inside (its string comparison rests on it) and shows it
// as the SPI `String._nfc` and `_nfd`, which swift-foundation uses too. It costs no further library,
// where Foundation would cost 15 MB resident. This file is the only place that names it; the tests
// compare it with Python's `unicodedata`.

/// Canonical caseless text: two texts that differ in case or in composition (`é` as one scalar or as
/// two) come out as the same bytes.
///
/// It is Unicode's full case folding between canonical normalisations (Unicode 16, D145), given in
/// NFC. Folding is lower case of upper case of lower case, which equals CaseFolding.txt but for
/// Cherokee (consistently lower case here). The Turkish dotless `ı` stays apart from `i`, as in
/// CaseFolding.txt without its `T` lines.
enum CaselessText {
    /// Appends the caseless form of `text`. Bytes that are no UTF-8 are appended as they are.
    ///
    /// Text without a scalar that could compose or reorder takes one pass and allocates nothing but
    /// the room in `out`; other text goes through a `String`.
    static func append(_ text: Span<UInt8>, to out: inout [UInt8]) {
        let start = out.count
        var index = 0
        while index < text.count {
            if text[index] < 0x80 {
                out.append(addingCapacity: text.count - index) { room in
                    while index < text.count, text[index] < 0x80 {
                        room.append(lowercaseASCII(text[index]))
                        index += 1
                    }
                }
                continue
            }
            let scalar = UTF8Scalar(in: text, at: index)
            if scalar.isInvalid {
                for offset in 0..<scalar.count { out.append(text[index + offset]) }
            } else if scalar.value == 0xDF {  // ß, the one common letter that folds to two
                out.append(UInt8(ascii: "s"))
                out.append(UInt8(ascii: "s"))
            } else if let folded = simpleFolding(scalar.value) {
                out.appendScalar(folded)
            } else {
                out.removeLast(out.count - start)
                appendNormalised(text, to: &out)
                return
            }
            index += scalar.count
        }
    }

    @inline(__always)
    static func lowercaseASCII(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// The folding of a scalar that stands in NFC wherever it stands and folds to one scalar; nil for
    /// all others.
    static func simpleFolding(_ value: UInt32) -> UInt32? {
        switch value {
        case ..<0x300, 0x388..<0x483, 0x48A..<0x530:
            let folded = foldings[Int(value)]
            return folded == 0 ? nil : UInt32(folded)
        case 0x5D0...0x5EA, 0x621...0x64A, 0x660...0x669, 0x6F0...0x6F9,  // Hebrew, Arabic
            0x2010...0x2027, 0x2030...0x205E, 0x20A0...0x20BF,  // punctuation, currencies
            0x3000...0x3029, 0x3041...0x3096, 0x309B...0x30FF,  // Japanese
            0x3400...0x4DBF, 0x4E00...0x9FFF, 0xAC00...0xD7A3,  // ideographs, Hangul syllables
            0xFF01...0xFF20, 0x1F300...0x1F5FF, 0x1F600...0x1F64F:  // wide punctuation, pictures
            return value
        default:
            return nil
        }
    }

    /// Foldings of the scalars below U+0530 that have a single one; 0 where `simpleFolding` must
    /// say nil. 2,656 bytes, made at first use.
    private static let foldings: [UInt16] = (0..<0x530).map { value in
        guard let scalar = Unicode.Scalar(UInt32(value)) else { return 0 }
        let folded = Array(folding(of: scalar))
        let text = String(String.UnicodeScalarView(folded))
        guard folded.count == 1, Array(text._nfc) == folded else { return 0 }
        return UInt16(exactly: folded[0].value) ?? 0
    }

    /// Full case folding of one scalar.
    private static func folding(of scalar: Unicode.Scalar) -> String.UnicodeScalarView {
        if scalar.value == 0x131 { return String(scalar).unicodeScalars }
        var folded = String.UnicodeScalarView()
        for low in scalar.properties.lowercaseMapping.unicodeScalars {
            for up in low.properties.uppercaseMapping.unicodeScalars {
                folded.append(contentsOf: up.properties.lowercaseMapping.unicodeScalars)
            }
        }
        return folded
    }

    /// The general way, right for any text: each stretch of well-formed UTF-8 is decomposed, folded and composed.
    static func appendNormalised(_ text: Span<UInt8>, to out: inout [UInt8]) {
        var stretch = String.UnicodeScalarView()
        var index = 0
        while index < text.count {
            let scalar = UTF8Scalar(in: text, at: index)
            if let valid = Unicode.Scalar(scalar.value), !scalar.isInvalid {
                stretch.append(valid)
            } else {
                flush(&stretch, to: &out)
                for offset in 0..<scalar.count { out.append(text[index + offset]) }
            }
            index += scalar.count
        }
        flush(&stretch, to: &out)
    }

    private static func flush(_ stretch: inout String.UnicodeScalarView, to out: inout [UInt8]) {
        guard !stretch.isEmpty else { return }
        var folded = String.UnicodeScalarView()
        for scalar in String(stretch)._nfd {
            if scalar.value < 0x80 {
                let byte = UInt8(truncatingIfNeeded: scalar.value)
                folded.append(Unicode.Scalar(lowercaseASCII(byte)))
            } else if let simple = simpleFolding(scalar.value), let one = Unicode.Scalar(simple) {
                folded.append(one)
            } else {
                folded.append(contentsOf: folding(of: scalar))
            }
        }
        for scalar in String(folded)._nfc { out.appendScalar(scalar.value) }
        stretch.removeAll(keepingCapacity: true)
    }
}

extension CaselessText {
    /// Tidies `text` from `start` to its end in place: runs of white space become one blank, at the
    /// ends none; invisible characters go; with `digits`, each run of decimal digits of any script
    /// becomes one `0`.
    ///
    /// With `folds`, a `?` before a blank and a run of them count as white space: Postfix writes
    /// `?` for each control character, so a folded header reads `one? two` or, folded by a tab,
    /// `one??two`, and the same subject folded elsewhere must not read otherwise.
    static func tidy(_ text: inout [UInt8], from start: Int, digits: Bool, folds: Bool) {
        var tidying = Tidying(start: start, digits: digits, folds: folds)
        while tidying.read < text.count {
            var bytes = text.mutableSpan
            tidying.takeASCII(&bytes)
            guard tidying.read < text.count else { break }
            let scalar = UTF8Scalar(in: text.span, at: tidying.read)
            bytes = text.mutableSpan
            tidying.take(scalar, &bytes)
        }
        text.removeLast(text.count - tidying.write)
    }

    /// The two positions of `tidy`; `write` never passes `read`.
    private struct Tidying {
        let start: Int
        let digits: Bool
        let folds: Bool
        private(set) var read: Int
        private(set) var write: Int
        private var blankPending = false
        private var inDigits = false

        init(start: Int, digits: Bool, folds: Bool) {
            self.start = start
            self.digits = digits
            self.folds = folds
            read = start
            write = start
        }

        /// Takes what is ASCII, up to the first other byte.
        mutating func takeASCII(_ text: inout MutableSpan<UInt8>) {
            while read < text.count {
                let byte = text[read]
                if byte >= 0x80 { return }
                if byte == 0x20 || byte &- 0x09 < 5 {
                    takeBlank(count: 1)
                } else if folds, byte == UInt8(ascii: "?"), let count = foldCount(text) {
                    takeBlank(count: count)
                } else if digits, byte &- 0x30 < 10 {
                    takeDigit(count: 1, &text)
                } else {
                    take(count: 1, &text)
                }
            }
        }

        /// Takes one scalar, which stands at `read`.
        mutating func take(_ scalar: UTF8Scalar, _ text: inout MutableSpan<UInt8>) {
            switch ScalarClass(scalar.value) {
            case .invisible: read += scalar.count
            case .whiteSpace: takeBlank(count: scalar.count)
            case .other where digits && isDecimalDigit(scalar.value):
                takeDigit(count: scalar.count, &text)
            case .other: take(count: scalar.count, &text)
            }
        }

        /// The length of the run of `?` at `read` when it stands for white space.
        private func foldCount(_ text: borrowing MutableSpan<UInt8>) -> Int? {
            var next = read + 1
            while next < text.count, text[next] == UInt8(ascii: "?") { next += 1 }
            let count = next - read
            return count > 1 || next < text.count && text[next] == 0x20 ? count : nil
        }

        private mutating func takeBlank(count: Int) {
            blankPending = write > start
            inDigits = false
            read += count
        }

        private mutating func takeDigit(count: Int, _ text: inout MutableSpan<UInt8>) {
            if !inDigits {
                writeBlank(&text)
                text[write] = UInt8(ascii: "0")
                write += 1
            }
            inDigits = true
            read += count
        }

        private mutating func take(count: Int, _ text: inout MutableSpan<UInt8>) {
            writeBlank(&text)
            inDigits = false
            for _ in 0..<count {
                text[write] = text[read]
                write += 1
                read += 1
            }
        }

        private mutating func writeBlank(_ text: inout MutableSpan<UInt8>) {
            guard blankPending else { return }
            text[write] = 0x20
            write += 1
            blankPending = false
        }
    }

    fileprivate static func isDecimalDigit(_ value: UInt32) -> Bool {
        if value < 0x660 { return value &- 0x30 < 10 }
        switch value {
        case 0x3000...0xA61F, 0xAC00...0xD7A3: return false  // no digits there: ideographs, Hangul
        default:
            return Unicode.Scalar(value)?.properties.generalCategory == .decimalNumber
        }
    }
}
