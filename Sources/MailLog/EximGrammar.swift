/// The parts of Exim's lines that strangers can put text into, read by their whole grammar.
///
/// Each function gives the place where a part ends, or nil when the bytes are not of that grammar;
/// none of them guesses. Facts about Exim are from its source, 4.96 and 4.98: parse.c for addresses,
/// local_scan.h for message IDs, string.c (`string_printing2`) for escapes.
enum EximGrammar {
    /// The index after a message ID that starts at `start`: `xxxxxx-xxxxxx-xx` until 4.96,
    /// `xxxxxx-xxxxxxxxxxx-xxxx` since.
    @inline(__always)
    static func endOfMessageID(_ line: Span<UInt8>, from start: Int) -> Int? {
        guard line.count &- start >= 16, line[start &+ 6] == UInt8(ascii: "-") else { return nil }
        let first = Self.withDigit(line.word(at: start), at: 6)
        guard Self.areAlphanumeric(first) else { return nil }
        if line[start &+ 13] == UInt8(ascii: "-") {
            let second = Self.withDigit(line.word(at: start &+ 8), at: 5)
            return Self.areAlphanumeric(second) ? start &+ 16 : nil
        }
        guard line.count &- start >= 23, line[start &+ 18] == UInt8(ascii: "-"),
            Self.areAlphanumeric(line.word(at: start &+ 8)),
            Self.areAlphanumeric(Self.withDigit(line.word(at: start &+ 15), at: 3))
        else { return nil }
        return start &+ 23
    }

    /// A word of which one byte counts for a digit.
    private static func withDigit(_ word: UInt64, at index: UInt64) -> UInt64 {
        word & ~(0xff << (index &* 8)) | 0x30 << (index &* 8)
    }

    /// Whether all bytes of a word are letters and digits.
    private static func areAlphanumeric(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let lowered = word | ones &* 0x20
        // Of a byte below 0x80, adding 0x50 sets the top bit from `0` on, 0x46 beyond `9`; of a letter
        // in lower case, 0x1f from `a` on, 0x05 beyond `z`.
        let digits = (word &+ ones &* 0x50) & ~(word &+ ones &* 0x46)
        let letters = (lowered &+ ones &* 0x1f) & ~(lowered &+ ones &* 0x05)
        return (word | ~(digits | letters)) & (ones &* 0x80) == 0
    }

    // MARK: Addresses

    /// What an address may lack.
    enum AddressForm {
        /// It has a domain.
        case whole
        /// It may be a local part alone.
        case orLocalPart
    }

    /// The index after an address that starts at `start`.
    @inline(__always)
    static func endOfAddress(
        _ line: Span<UInt8>,
        from start: Int,
        _ form: AddressForm = .whole
    ) -> Int? {
        address(line, from: start, form)?.end
    }

    /// The index after an address that starts at `start`, and where its domain starts; the same if it
    /// has none.
    ///
    /// A local part is words with dots between; a word is an atom, in which a backslash takes the next
    /// byte with it, whatever that is, or a quoted string (parse.c, `read_local_part`). A domain is
    /// letters, digits and hyphens with dots between, or an address in brackets (`read_domain`).
    @inline(__always)
    static func address(
        _ line: Span<UInt8>,
        from start: Int,
        _ form: AddressForm
    ) -> (end: Int, domain: Int)? {
        // Mostly there is nothing but atoms and dots before the `@`.
        let end = line.count
        var index = start
        while index < end,
            isOf(Class.atom, unsafe line[unchecked: index]) || line[index] == UInt8(ascii: ".")
        { index &+= 1 }
        if index < end, line[index] == UInt8(ascii: "\"") || line[index] == UInt8(ascii: "\\") {
            guard let rest = endOfLocalPart(line, from: start) else { return nil }
            index = rest
        }
        guard index > start else { return nil }
        guard index < end, line[index] == UInt8(ascii: "@") else {
            return form == .whole ? nil : (index, index)
        }
        guard let last = endOfDomain(line, from: index &+ 1) else { return nil }
        return (last, index &+ 1)
    }

    /// The same for a local part with quotes or backslashes.
    private static func endOfLocalPart(_ line: Span<UInt8>, from start: Int) -> Int? {
        let end = line.count
        var index = start
        while index < end {
            if line[index] == UInt8(ascii: "\"") {
                guard let close = endOfQuoted(line, from: index) else { return nil }
                index = close
            } else {
                while index < end {
                    let byte = line[index]
                    if byte == UInt8(ascii: "\\") {
                        guard index &+ 1 < end else { return nil }
                        index &+= 2
                    } else if isOf(Class.atom, byte) {
                        index &+= 1
                    } else {
                        break
                    }
                }
            }
            guard index < end, line[index] == UInt8(ascii: ".") else { return index }
            index &+= 1
        }
        return index
    }

    /// The index after a domain that starts at `start`. In a Message-ID, bytes beyond ASCII stand as
    /// octal escapes.
    @inline(__always)
    private static func endOfDomain(_ line: Span<UInt8>, from start: Int) -> Int? {
        let end = line.count
        guard start < end else { return nil }
        var index = start
        if line[start] == UInt8(ascii: "[") {
            index &+= 1
            // Of a Message-ID: anything printable but brackets and backslashes.
            while index < end, line[index] > 0x20, line[index] < 0x7f,
                line[index] < UInt8(ascii: "[") || line[index] > UInt8(ascii: "]")
            { index &+= 1 }
            guard index < end, line[index] == UInt8(ascii: "]") else { return nil }
            return index &+ 1
        }
        while index < end {
            // `index` is below `end`, the span's count.
            let byte = unsafe line[unchecked: index]
            if isOf(Class.domain, byte) {
                index &+= 1
            } else if byte == UInt8(ascii: "\\"), isOctal(line, at: index &+ 1) {
                index &+= 4
            } else {
                break
            }
        }
        return index > start ? index : nil
    }

    private static func isOctal(_ line: Span<UInt8>, at index: Int) -> Bool {
        guard index &+ 3 <= line.count else { return false }
        return line[index] &- UInt8(ascii: "0") < 8 && line[index &+ 1] &- UInt8(ascii: "0") < 8
            && line[index &+ 2] &- UInt8(ascii: "0") < 8
    }

    // MARK: Texts

    /// The index after a text between quotes that starts at `start`; a backslash takes the next byte
    /// with it. Nil if the line ends before the text does.
    static func endOfQuoted(_ line: Span<UInt8>, from start: Int) -> Int? {
        let end = line.count
        var index = start &+ 1
        while index < end {
            switch line[index] {
            case UInt8(ascii: "\\"): index &+= 2
            case UInt8(ascii: "\""): return index &+ 1
            default: index &+= 1
            }
        }
        return nil
    }

    /// The index after an IP address in brackets, with a port behind it or not: `[192.0.2.1]:25`. The
    /// address itself ends at the bracket.
    static func endOfIPAddress(_ line: Span<UInt8>, from start: Int) -> (close: Int, end: Int)? {
        let end = line.count
        guard start < end, line[start] == UInt8(ascii: "[") else { return nil }
        var index = start &+ 1
        while index < end, isIPAddress(line[index]) { index &+= 1 }
        guard index > start &+ 1, index < end, line[index] == UInt8(ascii: "]") else { return nil }
        let close = index
        index &+= 1
        if index &+ 1 < end, line[index] == UInt8(ascii: ":"), isDigit(line[index &+ 1]) {
            index &+= 2
            while index < end, isDigit(line[index]) { index &+= 1 }
        }
        return (close, index)
    }

    /// The index after the bytes from `start` on that stand in values which no stranger chooses the
    /// form of: ciphers, times, names of queues. Blanks, quotes, parentheses, `<` and `>` do not.
    @inline(__always)
    static func endOfToken(_ line: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < line.count, isOf(Class.token, unsafe line[unchecked: index]) { index &+= 1 }
        return index
    }

    /// The index after the digits from `start` on.
    @inline(__always)
    static func endOfDigits(_ line: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < line.count, isDigit(unsafe line[unchecked: index]) { index &+= 1 }
        return index
    }

    /// The index after the letters, digits, `_` and `-` from `start` on: names of routers, transports
    /// and authenticators.
    @inline(__always)
    static func endOfName(_ line: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < line.count, isOf(Class.name, unsafe line[unchecked: index]) { index &+= 1 }
        return index
    }

    /// Whether a field may end at `index`: the line does, or a blank follows.
    @inline(__always)
    static func isEnd(_ line: Span<UInt8>, _ index: Int) -> Bool {
        index >= line.count || line[index] == UInt8(ascii: " ")
    }

    // MARK: Bytes

    @inline(__always)
    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26
    }

    /// What a byte may stand in.
    private struct Class {
        static let atom: UInt8 = 1
        static let domain: UInt8 = 2
        static let token: UInt8 = 4
        static let name: UInt8 = 8
    }

    @inline(__always)
    private static func isOf(_ mask: UInt8, _ byte: UInt8) -> Bool {
        // The table has an entry for each value of a byte.
        unsafe classes.utf8Start[Int(byte)] & mask != 0
    }

    /// By byte: the characters from `0` to `?`, whose last four bits are the classes. An atom is what
    /// macros.h, `mac_iscntrl_or_special`, leaves: no control character, blank, or one of
    /// `()<>@,;:\".[]`. A string literal is the one table that costs no check that it was made.
    private static var classes: StaticString {
        """
        000000000000000000000000000000000101151100554?65??????????400501\
        4??????????????????????????4041?1??????????????????????????11150\
        3333333333333333333333333333333333333333333333333333333333333333\
        3333333333333333333333333333333333333333333333333333333333333333
        """
    }

    @inline(__always)
    private static func isIPAddress(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 11 || (byte | 0x20) &- UInt8(ascii: "a") < 6
            || byte == UInt8(ascii: ".")
    }
}
