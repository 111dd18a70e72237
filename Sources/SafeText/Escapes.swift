/// Whether a terminal, a log reader or a page may take this scalar for more than text: C0 and C1
/// controls, DEL, line and paragraph separators, bidirectional controls (Unicode TR 36, TR 9),
/// zero-width and other format characters, tags, private use and noncharacters.
public func isUnsafeToShow(_ scalar: Unicode.Scalar) -> Bool {
    let value = scalar.value
    if value < 0x7f { return value < 0x20 }
    if value < 0xa0 { return true }
    switch scalar.properties.generalCategory {
    case .format, .control, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate,
        .unassigned:
        return true
    default:
        return false
    }
}

/// Text from a log as it may be shown on a terminal or sent to syslog: what ``isUnsafeToShow(_:)``
/// names appears as `\u{…}`, a backslash as `\\`.
public func shown(_ text: String) -> String {
    var safe = ""
    safe.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
        if isUnsafeToShow(scalar) {
            safe += "\\u{" + String(scalar.value, radix: 16) + "}"
        } else if scalar == "\\" {
            safe += "\\\\"
        } else {
            safe.unicodeScalars.append(scalar)
        }
    }
    return safe
}

/// The form of a raw line in `lines.log` (architecture §9), so that one record is one line of valid
/// UTF-8: `\` as `\\`; bytes below 0x20, 0x7F and bytes of invalid UTF-8 as `\xHH`.
///
/// ``rawBytes(ofEscaped:)`` gives the bytes back exactly.
public func escapedRecord(_ raw: some Collection<UInt8>) -> [UInt8] {
    var escaped: [UInt8] = []
    escaped.reserveCapacity(raw.count + 16)
    let bytes = Array(raw)
    var index = 0
    while index < bytes.count {
        let byte = bytes[index]
        if byte == UInt8(ascii: "\\") {
            escaped.append(contentsOf: [byte, byte])
            index += 1
        } else if byte < 0x20 || byte == 0x7f {
            appendHex(of: byte, to: &escaped)
            index += 1
        } else if byte < 0x80 {
            escaped.append(byte)
            index += 1
        } else {
            let count = utf8SequenceCount(bytes, at: index)
            if count == 0 {
                appendHex(of: byte, to: &escaped)
                index += 1
            } else {
                escaped.append(contentsOf: bytes[index..<(index + count)])
                index += count
            }
        }
    }
    return escaped
}

/// The bytes that ``escapedRecord(_:)`` was given, or nil when `line` is not of that form.
public func rawBytes(ofEscaped line: some Collection<UInt8>) -> [UInt8]? {
    var raw: [UInt8] = []
    raw.reserveCapacity(line.count)
    var rest = line.makeIterator()
    while let byte = rest.next() {
        guard byte == UInt8(ascii: "\\") else {
            guard byte >= 0x20, byte != 0x7f else { return nil }
            raw.append(byte)
            continue
        }
        switch rest.next() {
        case UInt8(ascii: "\\"):
            raw.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "x"):
            guard let high = rest.next().flatMap(hexValue), let low = rest.next().flatMap(hexValue)
            else { return nil }
            raw.append(high << 4 | low)
        default:
            return nil
        }
    }
    return raw
}

private func appendHex(of byte: UInt8, to bytes: inout [UInt8]) {
    bytes.append(contentsOf: [0x5c, UInt8(ascii: "x")])
    bytes.append(hexDigits[Int(byte >> 4)])
    bytes.append(hexDigits[Int(byte & 15)])
}

private let hexDigits = Array("0123456789abcdef".utf8)

private func hexValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// Lower-case hexadecimal, two digits a byte.
public func hex(_ bytes: some Collection<UInt8>) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
        text.append(hexDigits[Int(byte >> 4)])
        text.append(hexDigits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// Lower-case base32 (RFC 4648 alphabet) without padding.
public func base32(_ bytes: some Collection<UInt8>) -> String {
    let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
    var text: [UInt8] = []
    var buffer = 0
    var bits = 0
    for byte in bytes {
        buffer = buffer << 8 | Int(byte)
        bits += 8
        while bits >= 5 {
            bits -= 5
            text.append(alphabet[buffer >> bits & 31])
        }
        buffer &= (1 << bits) - 1
    }
    if bits > 0 { text.append(alphabet[buffer << (5 - bits) & 31]) }
    return String(decoding: text, as: UTF8.self)
}

/// Length of the well-formed UTF-8 sequence of more than one byte at `index`; 0 if it is none
/// (Unicode 15, table 3-7).
func utf8SequenceCount(_ bytes: [UInt8], at index: Int) -> Int {
    func continues(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xbf) -> Bool {
        index + offset < bytes.count && range.contains(bytes[index + offset])
    }
    switch bytes[index] {
    case 0xc2...0xdf: return continues(1) ? 2 : 0
    case 0xe0: return continues(1, 0xa0...0xbf) && continues(2) ? 3 : 0
    case 0xe1...0xec, 0xee...0xef: return continues(1) && continues(2) ? 3 : 0
    case 0xed: return continues(1, 0x80...0x9f) && continues(2) ? 3 : 0
    case 0xf0: return continues(1, 0x90...0xbf) && continues(2) && continues(3) ? 4 : 0
    case 0xf1...0xf3: return continues(1) && continues(2) && continues(3) ? 4 : 0
    case 0xf4: return continues(1, 0x80...0x8f) && continues(2) && continues(3) ? 4 : 0
    default: return 0
    }
}

/// As ``shown(_:)``, for text whose backslashes are escapes already.
public func shownKeepingBackslashes(_ text: String) -> String {
    var safe = ""
    safe.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
        if isUnsafeToShow(scalar) {
            safe += "\\u{" + String(scalar.value, radix: 16) + "}"
        } else {
            safe.unicodeScalars.append(scalar)
        }
    }
    return safe
}
