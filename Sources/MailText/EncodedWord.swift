/// An encoded word of RFC 2047 as it stands in a header: `=?charset*language?B?text?=`.
///
/// More is accepted than the RFC allows, because mail programs write it and mail readers show it
/// decoded: blanks and `?` in the text, words longer than 75 characters, words that touch each
/// other or plain text. All ranges are indexes of the header.
struct EncodedWord {
    /// Longest charset name that is looked at; the longest that IANA registers has 45, the longest
    /// in mail about 20.
    static let charsetBytesMax = 40

    /// The charset's name, without RFC 2231's language.
    let charset: Range<Int>
    let isBase64: Bool
    let text: Range<Int>
    /// Where the header goes on behind the word.
    let end: Int
    /// The header ends before the word's `?=`: the log cut it.
    let isCut: Bool

    /// Reads the word that begins at `start`, or nil where there is none.
    ///
    /// `terminators` makes the search for `?=` linear over all words of a header.
    init?(in header: Span<UInt8>, at start: Int, terminators: inout TerminatorSearch) {
        guard let head = Self.head(in: header, at: start), head.isWhole else { return nil }
        charset = head.charset
        isBase64 = head.isBase64
        if let terminator = terminators.next(in: header, from: head.end) {
            text = head.end..<terminator
            end = terminator + 2
            isCut = false
            return
        }
        // No end: believed only when all that follows can be the word's text. The cut may have
        // left the `?` of `?=`.
        var textEnd = header.count
        if textEnd > head.end, header[textEnd - 1] == UInt8(ascii: "?") { textEnd -= 1 }
        for index in head.end..<textEnd where !Self.isText(header[index]) { return nil }
        text = head.end..<textEnd
        end = header.count
        isCut = true
    }

    /// Whether the header ends at `start` or behind it within the first part of a word, as in
    /// `=?utf-8?`.
    static func isCutHead(in header: Span<UInt8>, at start: Int) -> Bool {
        guard let head = head(in: header, at: start) else { return false }
        return head.end == header.count
    }

    /// Appends what the word's text stands for, in the word's charset; false when it is no base64.
    ///
    /// Padding may be missing or stand inside. A cut word gives the bytes that are whole.
    func appendBytes(of header: Span<UInt8>, to out: inout [UInt8]) -> Bool {
        isBase64 ? appendBase64(of: header, to: &out) : appendQ(of: header, to: &out)
    }

    private struct Head {
        var charset: Range<Int>
        var isBase64 = false
        var end: Int
        var isWhole = false
    }

    /// `=?charset*language?B?`, or as much of it as stands at the header's end.
    private static func head(in header: Span<UInt8>, at start: Int) -> Head? {
        guard start < header.count, header[start] == UInt8(ascii: "=") else { return nil }
        guard start + 1 < header.count else { return Head(charset: start..<start, end: start + 1) }
        guard header[start + 1] == UInt8(ascii: "?") else { return nil }
        var index = start + 2
        let nameStart = index
        while index < header.count, isCharsetName(header[index]) { index += 1 }
        let charset = nameStart..<index
        guard charset.count <= charsetBytesMax else { return nil }
        if index < header.count, header[index] == UInt8(ascii: "*") {
            index += 1
            while index < header.count, isCharsetName(header[index]) { index += 1 }
            guard index - charset.upperBound <= charsetBytesMax else { return nil }
        }
        var head = Head(charset: charset, end: index)
        guard index < header.count else { return head }
        guard !charset.isEmpty, header[index] == UInt8(ascii: "?") else { return nil }
        head.end = index + 1
        guard head.end < header.count else { return head }
        switch header[head.end] {
        case UInt8(ascii: "B"), UInt8(ascii: "b"): head.isBase64 = true
        case UInt8(ascii: "Q"), UInt8(ascii: "q"): head.isBase64 = false
        default: return nil
        }
        head.end += 1
        guard head.end < header.count else { return head }
        guard header[head.end] == UInt8(ascii: "?") else { return nil }
        head.end += 1
        head.isWhole = true
        return head
    }

    /// Characters of a charset's name. No slash and no comma: glibc takes `//TRANSLIT` and the like
    /// as orders.
    private static func isCharsetName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "+"), UInt8(ascii: "-"):
            true
        default:
            false
        }
    }

    /// RFC 2047's encoded-text: printable ASCII but blank and `?`.
    private static func isText(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "?")
    }

    private func appendQ(of header: Span<UInt8>, to out: inout [UInt8]) -> Bool {
        out.append(addingCapacity: text.count) { room in
            var index = text.lowerBound
            while index < text.upperBound {
                let byte = header[index]
                index += 1
                if byte == UInt8(ascii: "_") {
                    room.append(0x20)
                } else if byte != UInt8(ascii: "=") {
                    room.append(byte)
                } else if index + 1 < text.upperBound, let high = Self.hex(header[index]),
                    let low = Self.hex(header[index + 1])
                {
                    room.append(high << 4 | low)
                    index += 2
                } else if isCut, index + 1 >= text.upperBound {
                    return
                } else {
                    room.append(byte)
                }
            }
        }
        return true
    }

    private func appendBase64(of header: Span<UInt8>, to out: inout [UInt8]) -> Bool {
        let start = out.count
        var isBroken = false
        out.append(addingCapacity: text.count) { room in
            var bits: UInt32 = 0
            var bitCount = 0
            for index in text {
                let byte = header[index]
                if let six = Self.sixBits(byte) {
                    bits = bits << 6 | six
                    bitCount += 6
                    if bitCount >= 8 {
                        bitCount -= 8
                        room.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
                    }
                } else if byte == UInt8(ascii: "=") {
                    bitCount = 0
                } else if byte != 0x20 {
                    isBroken = true
                    return
                }
            }
        }
        if isBroken { out.removeLast(out.count - start) }
        return !isBroken
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    private static func sixBits(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}

/// Where the next `?=` of one header stands, remembered, so that a header full of `=?` is searched
/// once and not once for each.
struct TerminatorSearch {
    private var found = -1

    /// The first `?=` at or behind `start`, which must not go back from call to call.
    mutating func next(in header: Span<UInt8>, from start: Int) -> Int? {
        if found < start {
            found = start
            while found + 1 < header.count,
                header[found] != UInt8(ascii: "?") || header[found + 1] != UInt8(ascii: "=")
            {
                found += 1
            }
            if found + 1 >= header.count { found = header.count }
        }
        return found < header.count ? found : nil
    }
}
