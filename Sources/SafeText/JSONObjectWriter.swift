/// Writes one flat JSON object, member by member, in the order of the calls.
///
/// Log text is hostile: strings are UTF-8 with every invalid sequence replaced by U+FFFD, and
/// control characters, U+2028, U+2029 and bidirectional controls as `\u` escapes, so that a line of
/// output is always one line and reads on a terminal as what it is (RFC 8259 allows it).
public struct JSONObjectWriter: Sendable {
    public private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

    public init() {}

    /// The finished object, without a newline.
    public consuming func finished() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    public mutating func member(_ name: String, _ value: String?) {
        guard let value else { return }
        key(name)
        Self.append(string: value, to: &bytes)
    }

    public mutating func member(_ name: String, bytes value: some Collection<UInt8>) {
        member(name, String(decoding: value, as: UTF8.self))
    }

    public mutating func member(_ name: String, _ value: (some FixedWidthInteger)?) {
        guard let value else { return }
        key(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    public mutating func member(_ name: String, _ value: Bool?) {
        guard let value else { return }
        key(name)
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// A number of tenths, as in `12.3`.
    public mutating func member(_ name: String, tenths value: Int?) {
        guard let value else { return }
        key(name)
        bytes.append(
            contentsOf: "\(value < 0 ? "-" : "")\(abs(value) / 10).\(abs(value) % 10)".utf8
        )
    }

    public mutating func member(_ name: String, _ values: [String]) {
        key(name)
        bytes.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            Self.append(string: value, to: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// An object whose members are counts, as `postern.outcomes` is.
    public mutating func member(_ name: String, counts: [(name: String, count: Int)]) {
        key(name)
        var inner = JSONObjectWriter()
        for (name, count) in counts { inner.member(name, count) }
        bytes.append(contentsOf: inner.finished())
    }

    /// A value that is JSON already.
    public mutating func member(_ name: String, json value: [UInt8]) {
        key(name)
        bytes.append(contentsOf: value)
    }

    /// Any value, as it was read.
    public mutating func member(_ name: String, _ value: JSONValue) {
        key(name)
        Self.append(value, to: &bytes)
    }

    private static func append(_ value: JSONValue, to bytes: inout [UInt8]) {
        switch value {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .boolean(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
        case .integer(let number): bytes.append(contentsOf: String(number).utf8)
        case .number(let text): bytes.append(contentsOf: text.utf8)
        case .string(let text): append(string: text, to: &bytes)
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                append(value, to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object):
            var inner = JSONObjectWriter()
            for member in object.members { inner.member(member.name, member.value) }
            bytes.append(contentsOf: inner.finished())
        }
    }

    private mutating func key(_ name: String) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        Self.append(string: name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
    }

    /// Appends a JSON string with its quotes.
    public static func append(string: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": bytes.append(contentsOf: [0x5c, 0x22])
            case "\\": bytes.append(contentsOf: [0x5c, 0x5c])
            case "\n": bytes.append(contentsOf: [0x5c, UInt8(ascii: "n")])
            case "\r": bytes.append(contentsOf: [0x5c, UInt8(ascii: "r")])
            case "\t": bytes.append(contentsOf: [0x5c, UInt8(ascii: "t")])
            default:
                if isUnsafeToShow(scalar) {
                    for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
                        bytes.append(contentsOf: [0x5c, UInt8(ascii: "u")])
                        let hex = String(unit, radix: 16)
                        bytes.append(
                            contentsOf: repeatElement(UInt8(ascii: "0"), count: 4 - hex.utf8.count)
                        )
                        bytes.append(contentsOf: hex.utf8)
                    }
                } else {
                    bytes.append(
                        contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
                    )
                }
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
