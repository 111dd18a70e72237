/// A JSON value.
public enum JSONValue: Sendable, Hashable {
    case null
    case boolean(Bool)
    /// A number without fraction or exponent that fits.
    case integer(Int64)
    /// Any other number, as it was written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// The text of a string, and nil of anything else; likewise below.
    public var string: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    public var integer: Int64? {
        if case .integer(let number) = self { return number }
        return nil
    }

    public var object: JSONObject? {
        if case .object(let object) = self { return object }
        return nil
    }

    /// The objects of an array of objects; nil when anything else is among them.
    public var objects: [JSONObject]? {
        guard case .array(let values) = self else { return nil }
        var objects: [JSONObject] = []
        for value in values {
            guard let object = value.object else { return nil }
            objects.append(object)
        }
        return objects
    }

    /// The texts of an array of strings; nil when anything else is among them.
    public var strings: [String]? {
        guard case .array(let values) = self else { return nil }
        var texts: [String] = []
        for value in values {
            guard let text = value.string else { return nil }
            texts.append(text)
        }
        return texts
    }
}

/// A JSON object: its members in the order in which they were written, no name twice.
public struct JSONObject: Sendable, Hashable {
    public struct Member: Sendable, Hashable {
        public let name: String
        public let value: JSONValue
    }
    public let members: [Member]

    /// The value of a member; nil when there is none of that name. O(members).
    public subscript(name: String) -> JSONValue? {
        // Names are the same when their scalars are; `==` of strings takes é for e and U+0301.
        members.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }

    /// The object as it is written, with some members changed in their places; those that it does not
    /// have come at its end.
    public func replacing(_ changes: [(name: String, value: JSONValue)]) -> [UInt8] {
        var rest = changes
        var writer = JSONObjectWriter()
        for member in members {
            if let index = rest.firstIndex(where: { $0.name == member.name }) {
                let change = rest.remove(at: index)
                writer.member(change.name, change.value)
            } else {
                writer.member(member.name, member.value)
            }
        }
        for change in rest { writer.member(change.name, change.value) }
        return writer.finished()
    }

    /// The object as it is written, without some of its members.
    public func leavingOut(_ isLeftOut: (_ name: String) -> Bool) -> [UInt8] {
        var writer = JSONObjectWriter()
        for member in members where !isLeftOut(member.name) {
            writer.member(member.name, member.value)
        }
        return writer.finished()
    }
}

/// Text that is not the JSON object that was expected.
public struct JSONReadError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Bytes before the first that cannot stand there.
    public let offset: Int
    /// What was expected there.
    public let expected: String

    public var description: String { "byte \(offset): \(expected) was expected" }
}

/// Reads one JSON object as RFC 8259 defines it, and nothing more lenient: UTF-8 without a byte
/// order mark, no name twice in an object, no half of a surrogate pair, nothing but white space
/// after the object.
///
/// Made for the flat objects that ``JSONObjectWriter`` writes; values in values are read down to
/// ``depthMax``. O(bytes); never traps, whatever the bytes.
public struct JSONObjectReader {
    /// Objects and arrays in each other, the outermost counted.
    public static let depthMax = 16

    private let bytes: [UInt8]
    private var index = 0

    /// Reads `bytes` as one object.
    public static func read(_ bytes: [UInt8]) throws(JSONReadError) -> JSONObject {
        var reader = JSONObjectReader(bytes: bytes)
        reader.skipSpace()
        guard reader.next == UInt8(ascii: "{") else { throw reader.expected("`{`") }
        let object = try reader.object(depth: 1)
        reader.skipSpace()
        guard reader.next == nil else { throw reader.expected("the end") }
        return object
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private func expected(_ what: String) -> JSONReadError {
        JSONReadError(offset: index, expected: what)
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
            index += 1
        }
    }

    /// Takes `byte`, and white space around it, if it is next.
    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard next == byte else { return false }
        index += 1
        skipSpace()
        return true
    }

    private mutating func value(depth: Int) throws(JSONReadError) -> JSONValue {
        guard let first = next else { throw expected("a value") }
        switch first {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: throw expected("a value")
        }
    }

    private mutating func word(
        _ word: String,
        _ value: JSONValue
    ) throws(JSONReadError) -> JSONValue {
        guard bytes[index...].starts(with: word.utf8) else { throw expected("a value") }
        index += word.utf8.count
        return value
    }

    private mutating func object(depth: Int) throws(JSONReadError) -> JSONObject {
        guard depth <= Self.depthMax else { throw expected("at most \(Self.depthMax) levels") }
        index += 1
        var members: [JSONObject.Member] = []
        var names: Set<[UInt8]> = []
        if take(UInt8(ascii: "}")) { return JSONObject(members: []) }
        repeat {
            guard next == UInt8(ascii: "\"") else { throw expected("a name") }
            let start = index
            let name = try string()
            guard names.insert(Array(name.utf8)).inserted else {
                throw JSONReadError(offset: start, expected: "a name that did not come before")
            }
            guard take(UInt8(ascii: ":")) else { throw expected("`:`") }
            members.append(JSONObject.Member(name: name, value: try value(depth: depth)))
        } while take(UInt8(ascii: ","))
        guard next == UInt8(ascii: "}") else { throw expected("`,` or `}`") }
        index += 1
        return JSONObject(members: members)
    }

    private mutating func array(depth: Int) throws(JSONReadError) -> [JSONValue] {
        guard depth <= Self.depthMax else { throw expected("at most \(Self.depthMax) levels") }
        index += 1
        var values: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return [] }
        repeat {
            values.append(try value(depth: depth))
        } while take(UInt8(ascii: ","))
        guard next == UInt8(ascii: "]") else { throw expected("`,` or `]`") }
        index += 1
        return values
    }

    private mutating func number() throws(JSONReadError) -> JSONValue {
        let start = index
        if next == UInt8(ascii: "-") { index += 1 }
        let whole = index
        try digits()
        guard bytes[whole] != UInt8(ascii: "0") || index == whole + 1 else {
            throw JSONReadError(offset: whole, expected: "a number without leading zeros")
        }
        var isWhole = true
        if next == UInt8(ascii: ".") {
            isWhole = false
            index += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isWhole = false
            index += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { index += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isWhole, let integer = Int64(text) { return .integer(integer) }
        return .number(text)
    }

    private mutating func digits() throws(JSONReadError) {
        let start = index
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { index += 1 }
        guard index > start else { throw expected("a digit") }
    }

    private mutating func string() throws(JSONReadError) -> String {
        index += 1
        var text: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                index += 1
                try escape(into: &text)
            case 0x20..<0x80:
                text.append(byte)
                index += 1
            case 0x80...:
                let count = utf8SequenceCount(bytes, at: index)
                guard count > 0 else { throw expected("UTF-8") }
                text.append(contentsOf: bytes[index..<(index + count)])
                index += count
            default:
                throw expected("an escape in place of a control character")
            }
        }
        throw expected("the end of a string")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONReadError) {
        guard let letter = next else { throw expected("an escape") }
        let plain: UInt8
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): plain = letter
        case UInt8(ascii: "b"): plain = 0x08
        case UInt8(ascii: "f"): plain = 0x0c
        case UInt8(ascii: "n"): plain = 0x0a
        case UInt8(ascii: "r"): plain = 0x0d
        case UInt8(ascii: "t"): plain = 0x09
        case UInt8(ascii: "u"):
            let start = index - 1
            var value = try codeUnit()
            if value >= 0xd800, value < 0xdc00 {
                guard next == UInt8(ascii: "\\"), index + 1 < bytes.count,
                    bytes[index + 1] == UInt8(ascii: "u")
                else { throw expected("the second half of a surrogate pair") }
                index += 1
                let low = try codeUnit()
                guard low >= 0xdc00, low < 0xe000 else {
                    throw JSONReadError(offset: start, expected: "a surrogate pair")
                }
                value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(value) else {
                throw JSONReadError(offset: start, expected: "a surrogate pair")
            }
            text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            return
        default: throw expected("an escape")
        }
        text.append(plain)
        index += 1
    }

    /// The four hexadecimal digits after a `u`, which is next.
    private mutating func codeUnit() throws(JSONReadError) -> UInt32 {
        index += 1
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw expected("a hexadecimal digit")
            }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }
}
