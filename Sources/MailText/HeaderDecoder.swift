/// What `HeaderDecoder` met, counted since it was made.
public struct HeaderCounters: Sendable, Equatable {
    /// Encoded words that were decoded.
    public var decodedWords: UInt64 = 0
    /// Encoded words left as they stood: unknown charset, broken base64, or more than eight new
    /// charsets in one header.
    public var rawWords: UInt64 = 0
    /// Places that were no characters of their charset and became U+FFFD.
    public var replacements: UInt64 = 0
    /// Headers whose text was longer than `HeaderDecoder.bytesMax` and lost its end.
    public var shortened: UInt64 = 0
}

/// What became of a header's text.
public enum HeaderForm: Sendable, Equatable {
    /// The text is its own decoded form; the output was not touched.
    case plain
    /// The output holds the decoded form.
    case decoded
}

/// Decodes header text as mail servers log it: RFC 2047 with RFC 2231's language, in any charset
/// that iconv(3) knows.
///
/// - Words that stand next to each other lose the white space between them, also where Postfix wrote
///   `?` for the newline of a fold (`=?…?=? =?…?=`), and are joined before conversion when they have
///   one charset, so a character may be split between them.
/// - A word that the log cut at the very end gives its whole characters and nothing else.
/// - A word of an unknown charset, or of broken base64, stays as it stands; so does one of the ninth
///   charset that a header is the first to name.
/// - Text that is no UTF-8 becomes U+FFFD, one for each maximal subpart; a sequence cut off by the
///   end of the text is left out.
/// - Control characters (below U+0020, and U+007F) become `?`, which is what Postfix makes of those
///   that are not encoded. A newline with white space behind it is a fold and becomes one blank.
///
/// The output is always UTF-8 of at most `bytesMax` bytes. Any input is fine; the cost is linear in
/// its length.
public struct HeaderDecoder: ~Copyable, Sendable {
    /// Longest decoded text, in bytes; what is longer loses its end.
    public let bytesMax: Int
    public private(set) var counters = HeaderCounters()

    private var charsets = Charsets()
    /// Bytes of adjacent words of one charset, not converted yet.
    private var run: [UInt8] = []
    private var runCharset = 0
    private var runIsCut = false
    private var wordScratch: [UInt8] = []

    public init(bytesMax: Int = 16 * 1024) {
        self.bytesMax = max(4, bytesMax)
    }

    /// How many iconv handles are open, at most 16.
    public var openCharsetCount: Int { charsets.openCount }

    /// Whether `text` is printable ASCII without `=?`: nothing to decode.
    public static func isPlain(_ text: Span<UInt8>) -> Bool {
        let low: UInt64 = 0x0101_0101_0101_0101
        let high = low << 7
        var index = 0
        while index + 8 <= text.count {
            // SAFETY: eight bytes of the span, any of which are a UInt64; the load checks its bounds.
            let eight = unsafe text.bytes.unsafeLoadUnaligned(
                fromByteOffset: index,
                as: UInt64.self
            )
            // A high bit is left where a byte is not ASCII, below 0x20, 0x7F, or `=`. A borrow or
            // carry can only come from such a byte.
            let equal = eight ^ (low &* 0x3D)
            let odd = eight | (eight &- low &* 0x20) | (eight &+ low) | (equal &- low)
            if odd & high != 0 { return isPlain(text, from: index) }
            index += 8
        }
        return isPlain(text, from: index)
    }

    /// Byte by byte; text before `start` is plain and has no `=`.
    private static func isPlain(_ text: Span<UInt8>, from start: Int) -> Bool {
        var previous: UInt8 = 0
        for index in start..<text.count {
            let byte = text[index]
            if byte &- 0x20 > 0x5E { return false }
            if byte == UInt8(ascii: "?"), previous == UInt8(ascii: "=") { return false }
            previous = byte
        }
        return true
    }

    /// Decodes `header`, the text behind `Subject:`; `out` is replaced by the decoded text, or left
    /// alone when the answer is `.plain`. White space at the ends stays, but behind a last encoded word.
    public mutating func decode(_ header: Span<UInt8>, into out: inout [UInt8]) -> HeaderForm {
        if Self.isPlain(header) { return .plain }
        out.removeAll(keepingCapacity: true)
        charsets.beginHeader()
        var terminators = TerminatorSearch()
        var literalStart = 0
        var followsWord = false
        var index = 0
        while index < header.count, out.count <= bytesMax {
            guard header[index] == UInt8(ascii: "="),
                let word = EncodedWord(in: header, at: index, terminators: &terminators)
            else {
                index += 1
                continue
            }
            guard let charset = bytes(of: word, in: header) else {
                counters.rawWords += 1
                index += 2
                continue
            }
            let gap = header.extracting(literalStart..<index)
            let joins = followsWord && HeaderText.isFold(gap)
            if !joins || charset != runCharset { flushRun(into: &out) }
            if !joins { append(literal: gap, followsWord: followsWord, to: &out) }
            run.append(contentsOf: wordScratch)
            runCharset = charset
            runIsCut = word.isCut
            counters.decodedWords += 1
            followsWord = true
            index = word.end
            literalStart = index
        }
        flushRun(into: &out)
        let rest = header.extracting(literalStart..<header.count)
        if !followsWord || !Self.isCutRest(rest) {
            append(literal: rest, followsWord: followsWord, to: &out)
        }
        if out.shorten(toAtMost: bytesMax) { counters.shortened += 1 }
        return .decoded
    }

    /// Puts the word's bytes into `wordScratch` and returns its charset; nil when it is broken.
    private mutating func bytes(of word: EncodedWord, in header: Span<UInt8>) -> Int? {
        wordScratch.removeAll(keepingCapacity: true)
        guard word.appendBytes(of: header, to: &wordScratch) else { return nil }
        return charsets.find(header, word.charset)
    }

    private mutating func flushRun(into out: inout [UInt8]) {
        guard !run.isEmpty else { return }
        let start = out.count
        var replaced = charsets.convert(
            run,
            with: runCharset,
            isCut: runIsCut,
            bytesMax: bytesMax + 1,
            into: &out
        )
        if replaced > 0, let superset = charsets.superset(of: runCharset) {
            out.removeLast(out.count - start)
            replaced = charsets.convert(
                run,
                with: superset,
                isCut: runIsCut,
                bytesMax: bytesMax + 1,
                into: &out
            )
        }
        counters.replacements += UInt64(replaced)
        run.removeAll(keepingCapacity: true)
        runIsCut = false
    }

    private mutating func append(literal: Span<UInt8>, followsWord: Bool, to out: inout [UInt8]) {
        let skipped = followsWord ? HeaderText.foldMarkCount(atStartOf: literal) : 0
        // A tab's `?` went with the newline's; the words must not grow together.
        if skipped == 2 { out.append(0x20) }
        let replaced = HeaderText.append(
            literal.extracting(skipped..<literal.count),
            dropsCutTail: true,
            bytesMax: bytesMax + 1,
            to: &out
        )
        counters.replacements += UInt64(replaced)
    }

    /// Whether the rest of a header, behind an encoded word, is nothing but white space and the cut
    /// start of one more word.
    private static func isCutRest(_ rest: Span<UInt8>) -> Bool {
        var start = 0
        while start < rest.count, rest[start] != UInt8(ascii: "=") { start += 1 }
        let gap = rest.extracting(0..<start)
        guard HeaderText.isFold(gap) || start == 1 && rest[0] == UInt8(ascii: "?") else {
            return false
        }
        return start == rest.count || EncodedWord.isCutHead(in: rest, at: start)
    }
}

/// Pieces of header text.
enum HeaderText {
    /// Whether the text between two encoded words is only white space, or a fold as Postfix logs it:
    /// `?` for the newline right behind the word, then blanks, or `?` for tabs.
    static func isFold(_ gap: Span<UInt8>) -> Bool {
        let isLogged = gap.count > 1 && gap[0] == UInt8(ascii: "?")
        for index in gap.indices {
            switch gap[index] {
            case 0x20, 0x09, 0x0A, 0x0D: continue
            case UInt8(ascii: "?") where isLogged: continue
            default: return false
            }
        }
        return true
    }

    /// How many bytes of text behind an encoded word are what Postfix wrote for a fold. RFC 2047
    /// wants white space there, so a `?` that touches the word is nobody's question mark.
    static func foldMarkCount(atStartOf literal: Span<UInt8>) -> Int {
        guard literal.count > 0, literal[0] == UInt8(ascii: "?") else { return 0 }
        guard literal.count > 1 else { return 1 }
        if literal[1] == 0x20 { return 1 }
        return literal[1] == UInt8(ascii: "?") ? 2 : 0
    }

    /// Appends text as clean UTF-8 and returns how many U+FFFD it took; stops when `out` holds
    /// `bytesMax` bytes or a little more.
    static func append(
        _ text: Span<UInt8>,
        dropsCutTail: Bool,
        bytesMax: Int,
        to out: inout [UInt8]
    ) -> Int {
        var replaced = 0
        // The longest that a byte becomes is U+FFFD; four bytes more, so that any scalar fits.
        let capacity = min(3 * text.count, max(0, bytesMax - out.count)) + 4
        out.append(addingCapacity: capacity) { room in
            var index = 0
            while index < text.count, room.freeCapacity >= 4 {
                let scalar = UTF8Scalar(in: text, at: index)
                if scalar.value < 0x80 {
                    if let fold = foldCount(in: text, at: index) {
                        room.append(0x20)
                        index += fold
                        continue
                    }
                    let byte = text[index]
                    room.append(byte < 0x20 || byte == 0x7F ? UInt8(ascii: "?") : byte)
                } else if !scalar.isInvalid {
                    for offset in 0..<scalar.count { room.append(text[index + offset]) }
                } else if !dropsCutTail || index + scalar.count < text.count
                    || !(0xC2..<0xF5).contains(text[index])
                {
                    replaced += 1
                    for byte in UTF8Scalar.replacement { room.append(byte) }
                }
                index += scalar.count
            }
        }
        return replaced
    }

    /// The length of a fold (RFC 5322, 2.2.3) at `index`: newline and the white space behind it.
    private static func foldCount(in text: Span<UInt8>, at index: Int) -> Int? {
        var end = index
        if text[end] == 0x0D { end += 1 }
        guard end < text.count, text[end] == 0x0A else { return nil }
        end += 1
        guard end < text.count, text[end] == 0x20 || text[end] == 0x09 else { return nil }
        return end + 1 - index
    }
}
