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
        let isOld = line[start &+ 13] == UInt8(ascii: "-")
        let end = start &+ (isOld ? 16 : 23)
        guard end <= line.count, isOld || line[start &+ 18] == UInt8(ascii: "-") else { return nil }
        let dash = start &+ (isOld ? 13 : 18)
        var index = start
        while index < end {
            // Up to `end` the span was checked above.
            let byte = unsafe line[unchecked: index]
            guard isAlphanumeric(byte) || index == start &+ 6 || index == dash else { return nil }
            index &+= 1
        }
        return end
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
    ///
    /// A local part is words with dots between; a word is an atom, in which a backslash takes the next
    /// byte with it, whatever that is, or a quoted string (parse.c, `read_local_part`). A domain is
    /// letters, digits and hyphens with dots between, or an address in brackets (`read_domain`).
    @inline(__always)
    static func endOfAddress(
        _ line: Span<UInt8>,
        from start: Int,
        _ form: AddressForm = .whole
    ) -> Int? {
        // Mostly there is nothing but atoms and dots before the `@`.
        let end = line.count
        var index = start
        while index < end, isAtom(unsafe line[unchecked: index]) || line[index] == UInt8(ascii: ".")
        {
            index &+= 1
        }
        if index < end, line[index] == UInt8(ascii: "\"") || line[index] == UInt8(ascii: "\\") {
            guard let rest = endOfLocalPart(line, from: start) else { return nil }
            index = rest
        }
        guard index > start else { return nil }
        guard index < end, line[index] == UInt8(ascii: "@") else {
            return form == .whole ? nil : index
        }
        return endOfDomain(line, from: index &+ 1)
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
                    } else if isAtom(byte) {
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
            if isDomain(byte) {
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
        while index < line.count, isToken(unsafe line[unchecked: index]) { index &+= 1 }
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
        while index < line.count {
            let byte = unsafe line[unchecked: index]
            guard isAlphanumeric(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
            else {
                break
            }
            index &+= 1
        }
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

    /// macros.h, `mac_iscntrl_or_special`: not a control character, blank, or one of
    /// `()<>@,;:\".[]`.
    @inline(__always)
    private static func isAtom(_ byte: UInt8) -> Bool {
        if isAlphanumeric(byte) || byte >= 0x80 { return true }
        switch byte {
        case UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"), UInt8(ascii: "*"),
            UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "="),
            UInt8(ascii: "?"), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"),
            UInt8(ascii: "{")...UInt8(ascii: "~"):
            return true
        default: return false
        }
    }

    @inline(__always)
    private static func isDomain(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_") || byte >= 0x80
    }

    @inline(__always)
    private static func isIPAddress(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 11 || (byte | 0x20) &- UInt8(ascii: "a") < 6
            || byte == UInt8(ascii: ".")
    }

    @inline(__always)
    private static func isToken(_ byte: UInt8) -> Bool {
        if isAlphanumeric(byte) { return true }
        switch byte {
        case UInt8(ascii: "%"), UInt8(ascii: "*")...UInt8(ascii: "/"), UInt8(ascii: ":"),
            UInt8(ascii: "="), UInt8(ascii: "@"), UInt8(ascii: "["), UInt8(ascii: "]"),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            return true
        default: return false
        }
    }
}
