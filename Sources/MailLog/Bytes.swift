/// Small searches in a line. All indices are of the span that is given; none of them traps.
extension Span where Element == UInt8 {
    /// Whether `text` stands at `index`. With a literal, it comes down to a few comparisons.
    @inline(__always)
    func has(_ text: StaticString, at index: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard index >= 0, count <= self.count &- index else { return false }
        // Up to `index + count` the span was checked above, and up to `count` there is text.
        let here = unsafe bytes.extracting(unchecked: index..<(index &+ count))
        let there = unsafe RawSpan(_unsafeStart: text.utf8Start, byteCount: count)
        if count >= 8 {
            var offset = 0
            while offset &+ 8 < count {
                guard unsafe Self.areEqual(here, there, at: offset, UInt64.self) else {
                    return false
                }
                offset &+= 8
            }
            // The last eight overlap what was compared.
            return unsafe Self.areEqual(here, there, at: count &- 8, UInt64.self)
        }
        if count >= 4 {
            return unsafe Self.areEqual(here, there, at: 0, UInt32.self)
                && Self.areEqual(here, there, at: count &- 4, UInt32.self)
        }
        for offset in 0..<count {
            guard unsafe Self.areEqual(here, there, at: offset, UInt8.self) else { return false }
        }
        return true
    }

    /// Whether both have the same bytes from `offset` on; the caller knows that they are there.
    @unsafe
    @inline(__always)
    private static func areEqual<Word: FixedWidthInteger & BitwiseCopyable>(
        _ left: RawSpan,
        _ right: RawSpan,
        at offset: Int,
        _ word: Word.Type
    ) -> Bool {
        unsafe left.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Word.self)
            == right.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Word.self)
    }

    /// Whether `text` (in lower case) stands at `index`, without regard to case.
    func hasIgnoringCase(_ text: StaticString, at index: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard index >= 0, count <= self.count - index else { return false }
        let start = unsafe text.utf8Start
        for offset in 0..<count {
            var byte = self[index + offset]
            if byte >= UInt8(ascii: "A"), byte <= UInt8(ascii: "Z") { byte |= 0x20 }
            guard unsafe byte == start[offset] else { return false }
        }
        return true
    }

    /// The first index from `index` on that holds `byte`, below `end`. Eight bytes at a time: most of
    /// the time of reading a line goes into such searches.
    @inline(__always)
    func first(_ byte: UInt8, from index: Int, to end: Int) -> Int? {
        precondition(index >= 0 && end <= count)
        var index = index
        let pattern = UInt64(byte) &* 0x0101_0101_0101_0101
        while index &+ 8 <= end {
            let marks = zeroBytes(unsafe uncheckedWord(at: index) ^ pattern)
            if marks != 0 { return index &+ marks.trailingZeroBitCount >> 3 }
            index &+= 8
        }
        while index < end {
            // `index` is below `end`, which is at most the span's count.
            if unsafe self[unchecked: index] == byte { return index }
            index &+= 1
        }
        return nil
    }

    /// The last index from `index` on that holds `byte`.
    func last(_ byte: UInt8, from index: Int) -> Int? {
        var end = count
        while end > index {
            end -= 1
            if self[end] == byte { return end }
        }
        return nil
    }

    /// The first index from `index` on at which `text` stands.
    func first(_ text: StaticString, from index: Int) -> Int? {
        let last = count &- text.utf8CodeUnitCount
        let lead = unsafe text.utf8Start.pointee
        var index = index
        while index <= last, let candidate = first(lead, from: index, to: last &+ 1) {
            if has(text, at: candidate) { return candidate }
            index = candidate &+ 1
        }
        return nil
    }

    /// Whether a name of these bytes is in canonical form as it stands: ASCII in lower case, no dot at
    /// its end.
    var isCanonicalASCII: Bool {
        guard count > 0, self[count &- 1] != UInt8(ascii: ".") else { return false }
        var index = 0
        while index &+ 8 <= count {
            // The loop's condition keeps the word within the span.
            let word = unsafe uncheckedWord(at: index)
            // Of a byte below 0x80, adding 0x3f sets the top bit from `A` on, 0x25 beyond `Z`.
            let upper =
                (word &+ 0x3f3f_3f3f_3f3f_3f3f) & ~(word &+ 0x2525_2525_2525_2525)
            if (word | upper) & 0x8080_8080_8080_8080 != 0 { return false }
            index &+= 8
        }
        while index < count {
            // `index` is below the span's count.
            let byte = unsafe self[unchecked: index]
            if byte >= 0x80 || byte &- UInt8(ascii: "A") < 26 { return false }
            index &+= 1
        }
        return true
    }

    /// Whether all bytes at `range` are ASCII digits.
    @inline(__always)
    func areDigits(_ range: Range<Int>) -> Bool {
        let (start, end) = (range.lowerBound, range.upperBound)
        if range.count > 0, range.count <= 8, start &+ 8 <= count {
            // The condition keeps the word within the span; what is behind the range becomes zeros.
            let unused = UInt64(truncatingIfNeeded: (8 &- range.count) &* 8)
            let word = unsafe uncheckedWord(at: start) << unused
            let digits = word | (0x3030_3030_3030_3030 & ~(UInt64.max << unused))
            // The high half of a digit is 3, and stays 3 when 6 is added.
            let high: UInt64 = 0xf0f0_f0f0_f0f0_f0f0
            let six: UInt64 = 0x0606_0606_0606_0606
            return (digits & high) | (((digits &+ six) & high) >> 4) == 0x3333_3333_3333_3333
        }
        for index in start..<end where !isDigit(self[index]) { return false }
        return true
    }

    /// Whether the bytes at `range` equal those of `other` at `otherRange`. Eight at a time: names
    /// that come again are compared on every line.
    @inline(__always)
    func equals(_ range: Range<Int>, _ other: Span<UInt8>, _ otherRange: Range<Int>) -> Bool {
        let count = range.count
        guard count == otherRange.count else { return false }
        let start = range.lowerBound
        let otherStart = otherRange.lowerBound
        guard count >= 8 else {
            var offset = 0
            while offset < count {
                guard self[start &+ offset] == other[otherStart &+ offset] else { return false }
                offset &+= 1
            }
            return true
        }
        var offset = 0
        while offset &+ 8 <= count {
            guard word(at: start &+ offset) == other.word(at: otherStart &+ offset) else {
                return false
            }
            offset &+= 8
        }
        // The last eight overlap what was compared.
        return word(at: start &+ count &- 8) == other.word(at: otherStart &+ count &- 8)
    }

    /// The same without regard to ASCII case.
    func equalsIgnoringCase(
        _ range: Range<Int>,
        _ other: Span<UInt8>,
        _ otherRange: Range<Int>
    ) -> Bool {
        guard range.count == otherRange.count else { return false }
        // Mostly the case is the same, too.
        if equals(range, other, otherRange) { return true }
        for offset in 0..<range.count {
            let left = asciiLowered(self[range.lowerBound + offset])
            let right = asciiLowered(other[otherRange.lowerBound + offset])
            guard left == right else { return false }
        }
        return true
    }
}

/// The top bit of each byte that is 0, counted from the lowest; of those behind the first such byte
/// nothing is said (Hacker's Delight, 6-1).
@inline(__always)
func zeroBytes(_ word: UInt64) -> UInt64 {
    (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
}

@inline(__always)
func asciiLowered(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}

@inline(__always)
func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
