/// Exim's texts between quotes, as `string_printing2()` of its string.c writes them.
enum EximText {
    /// Undoes the escapes: `\\"`, `\\\\`, `\\n`, `\\t` and the like, and octal ones (`\\303`). An escape that
    /// the line's limit cut in the middle is left out.
    static func unescape(_ text: Span<UInt8>, into result: inout [UInt8]) {
        result.removeAll(keepingCapacity: true)
        var index = 0
        while index < text.count {
            let byte = text[index]
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            guard index < text.count else { return }
            let escaped = text[index]
            index += 1
            switch escaped {
            case UInt8(ascii: "n"): result.append(0x0a)
            case UInt8(ascii: "r"): result.append(0x0d)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "v"): result.append(0x0b)
            case UInt8(ascii: "f"): result.append(0x0c)
            case UInt8(ascii: "0")...UInt8(ascii: "7"):
                guard index + 1 < text.count else { return }
                let (second, third) = (text[index], text[index + 1])
                guard isOctal(second), isOctal(third) else {
                    result.append(byte)
                    result.append(escaped)
                    continue
                }
                index += 2
                let value =
                    UInt32(escaped & 7) << 6 | UInt32(second & 7) << 3 | UInt32(third & 7)
                result.append(UInt8(truncatingIfNeeded: value))
            default: result.append(escaped)
            }
        }
    }

    private static func isOctal(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "7")
    }
}

/// Fields of a table between quotes (RFC 4180, 2.7).
enum TableText {
    /// Appends the text of a list's member, with `'` for each `''`.
    static func unquoteMember(_ text: Span<UInt8>, into result: inout [UInt8]) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            result.append(byte)
            index += 1
            if byte == UInt8(ascii: "'"), index < text.count, text[index] == UInt8(ascii: "'") {
                index += 1
            }
        }
    }

    /// Gives `"` for each `""`.
    static func unquote(_ text: Span<UInt8>, into result: inout [UInt8]) {
        result.removeAll(keepingCapacity: true)
        var index = 0
        while index < text.count {
            let byte = text[index]
            result.append(byte)
            index += 1
            if byte == UInt8(ascii: "\""), index < text.count, text[index] == UInt8(ascii: "\"") {
                index += 1
            }
        }
    }
}

/// Texts as Sendmail logs them.
enum SendmailText {
    /// Undoes `str2prt()` (libsm/util.c): `\\`, `\t`, `\n`, `\r`, and `\303` for a byte that is not
    /// printable ASCII. The byte 0xFF, by which Sendmail tells bytes of 0x80 to 0x9F from its own
    /// marks (sendmail.h, `METAQUOTE`), comes as 0x7F: fmtmsg() and rulesets drop the top bit.
    static func unescape(_ text: Span<UInt8>, into result: inout [UInt8]) {
        EximText.unescape(text, into: &result)
        var kept = 0
        for index in result.indices {
            let isMark =
                result[index] >= 0x7f && (result[index] == 0x7f || result[index] == 0xff)
                && index + 1 < result.count && result[index + 1] &- 0x80 < 0x20
            if isMark { continue }
            result[kept] = result[index]
            kept += 1
        }
        result.removeLast(result.count - kept)
    }
}

/// Logins, of which a log shows another form than the client gave.
enum LoginText {
    /// Longer logins are cut here.
    static let bytesMax = 1_024

    /// The login as the client gave it; as it stands, where it is not of the form.
    static func plain(_ text: Span<UInt8>, _ form: LineFact.TextForm) -> [UInt8] {
        let text = text.count > bytesMax ? text.extracting(0..<bytesMax) : text
        switch form {
        case .xtext: return fromXtext(text) ?? asItStands(text)
        case .visible: return fromVisible(text)
        default: return asItStands(text)
        }
    }

    private static func asItStands(_ text: Span<UInt8>) -> [UInt8] { text.indices.map { text[$0] } }

    /// RFC 3461, 4: `+` and two upper-case digits for what is no printable ASCII, for `+` and `=`; no
    /// blank. Nil if the text is something else.
    private static func fromXtext(_ text: Span<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var index = 0
        while index < text.count {
            let byte = text[index]
            guard byte > 0x20, byte < 0x7f else { return nil }
            index += 1
            guard byte == UInt8(ascii: "+") else {
                result.append(byte)
                continue
            }
            guard index + 1 < text.count, let high = hexDigit(text[index]),
                let low = hexDigit(text[index + 1])
            else { return nil }
            result.append(high << 4 | low)
            index += 2
        }
        return result
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// vis(3) without VIS_CSTYLE: `\\`, octal `\040`, `\^C`, and `\M-x` or `\M^C` for bytes from 0x80
    /// on.
    private static func fromVisible(_ text: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < text.count {
            let (byte, end) = visibleByte(text, at: index)
            result.append(byte)
            index = end
        }
        return result
    }

    private static func visibleByte(_ text: Span<UInt8>, at start: Int) -> (UInt8, end: Int) {
        func control(_ byte: UInt8) -> UInt8 { byte == UInt8(ascii: "?") ? 0x7f : byte & 0x1f }
        let count = text.count - start
        guard text[start] == UInt8(ascii: "\\"), count > 1 else { return (text[start], start + 1) }
        let kind = text[start + 1]
        if kind == UInt8(ascii: "\\") { return (kind, start + 2) }
        if kind == UInt8(ascii: "^"), count > 2 { return (control(text[start + 2]), start + 3) }
        if kind == UInt8(ascii: "M"), count > 3 {
            let byte = text[start + 3]
            if text[start + 2] == UInt8(ascii: "-") { return (byte | 0x80, start + 4) }
            if text[start + 2] == UInt8(ascii: "^") { return (control(byte) | 0x80, start + 4) }
        }
        if count > 3, let byte = octal(text, at: start + 1) { return (byte, start + 4) }
        return (text[start], start + 1)
    }

    private static func octal(_ text: Span<UInt8>, at start: Int) -> UInt8? {
        var value: UInt32 = 0
        for index in start..<(start + 3) {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit < 8 else { return nil }
            value = value << 3 | UInt32(digit)
        }
        return UInt8(truncatingIfNeeded: value)
    }
}
