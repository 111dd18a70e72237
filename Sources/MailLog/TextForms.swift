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
