import Sigma

/// Why a text is no JSON object.
public struct EventReadError: Error, Sendable, Equatable {
    /// Bytes before the place.
    public let offset: Int
    /// What was expected there, without a full stop.
    public let expected: String
}

/// Reads events that are JSON objects (RFC 8259) into ``EventFields``.
///
/// The fields of nested objects have dotted names. An array is a field of several values; what holds
/// for one of them holds for the field, as in the backends of Sigma, and objects in an array give
/// such fields too. An empty array, and an object, is a field that is there without a value. Of a name
/// that stands twice in an object, the last one counts. A number keeps no more than `Double` or `Int64` holds.
///
/// Reads each byte once; allocates only when a buffer must grow.
public struct EventReader: Sendable {
    /// A slot of the table from hashes of names to fields; -1: empty.
    private struct Slot: Sendable {
        var hash: UInt64 = 0
        var field = -1
    }
    private var slots: [Slot]
    private let names: [[UInt8]]
    /// Whether fields without an index are wanted.
    private let keepsUnnamed: Bool

    /// The dotted name of the present field.
    private var path: [UInt8] = []
    /// Text with escapes, taken apart.
    private var unescaped: [UInt8] = []

    static let depthMax = 64

    /// - Parameters:
    ///   - table: the fields to be set.
    ///   - keepsUnnamed: whether keywords are searched in all other fields too.
    public init(_ table: FieldTable, keepsUnnamed: Bool) {
        names = table.names.map { Array($0.utf8) }
        self.keepsUnnamed = keepsUnnamed
        var count = 16
        while count < names.count * 2 { count *= 2 }
        slots = [Slot](repeating: Slot(), count: count)
        for (field, name) in names.enumerated() {
            let hash = name.span.matchHash
            var slot = Int(truncatingIfNeeded: hash) & (count - 1)
            while slots[slot].field >= 0 { slot = (slot + 1) & (count - 1) }
            slots[slot] = Slot(hash: hash, field: field)
        }
    }

    /// Reads an event in place of what `event` held.
    public mutating func read(
        _ text: Span<UInt8>,
        into event: inout EventFields
    ) throws(EventReadError) {
        event.reset()
        path.removeAll(keepingCapacity: true)
        var position = 0
        skipSpace(text, &position)
        guard position < text.count, text[position] == UInt8(ascii: "{") else {
            throw EventReadError(offset: position, expected: "a JSON object")
        }
        try readObject(text, &position, &event, depth: 1, isInArray: false)
        skipSpace(text, &position)
        guard position == text.count else {
            throw EventReadError(
                offset: position,
                expected: "the end of the line after the JSON object"
            )
        }
    }

    private func skipSpace(_ text: Span<UInt8>, _ position: inout Int) {
        while position < text.count {
            switch text[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func readObject(
        _ text: Span<UInt8>,
        _ position: inout Int,
        _ event: inout EventFields,
        depth: Int,
        isInArray: Bool
    ) throws(EventReadError) {
        guard depth <= Self.depthMax else {
            throw EventReadError(
                offset: position,
                expected: "at most \(Self.depthMax) levels of nesting"
            )
        }
        position += 1
        let pathCount = path.count
        skipSpace(text, &position)
        if position < text.count, text[position] == UInt8(ascii: "}") {
            position += 1
            return
        }
        while true {
            skipSpace(text, &position)
            guard position < text.count, text[position] == UInt8(ascii: "\"") else {
                throw EventReadError(offset: position, expected: "a name in double quotes")
            }
            let name = try readString(text, &position)
            path.removeLast(path.count - pathCount)
            if pathCount > 0 { path.append(UInt8(ascii: ".")) }
            append(name, text)
            skipSpace(text, &position)
            guard position < text.count, text[position] == UInt8(ascii: ":") else {
                throw EventReadError(offset: position, expected: "`:` after a name")
            }
            position += 1
            try readValue(text, &position, &event, depth: depth, isInArray: isInArray)
            skipSpace(text, &position)
            guard position < text.count else {
                throw EventReadError(offset: position, expected: "`,` or `}`")
            }
            if text[position] == UInt8(ascii: ",") {
                position += 1
            } else if text[position] == UInt8(ascii: "}") {
                position += 1
                path.removeLast(path.count - pathCount)
                return
            } else {
                throw EventReadError(offset: position, expected: "`,` or `}`")
            }
        }
    }

    /// Appends a name to the path.
    private mutating func append(_ name: StringPlace, _ text: Span<UInt8>) {
        switch name {
        case .plain(let range): for index in range { path.append(text[index]) }
        case .unescaped: path += unescaped
        }
    }

    private mutating func readArray(
        _ text: Span<UInt8>,
        _ position: inout Int,
        _ event: inout EventFields,
        depth: Int
    ) throws(EventReadError) {
        guard depth <= Self.depthMax else {
            throw EventReadError(
                offset: position,
                expected: "at most \(Self.depthMax) levels of nesting"
            )
        }
        position += 1
        skipSpace(text, &position)
        if position < text.count, text[position] == UInt8(ascii: "]") {
            position += 1
            return
        }
        while true {
            try readValue(text, &position, &event, depth: depth, isInArray: true)
            skipSpace(text, &position)
            guard position < text.count else {
                throw EventReadError(offset: position, expected: "`,` or `]`")
            }
            if text[position] == UInt8(ascii: ",") {
                position += 1
            } else if text[position] == UInt8(ascii: "]") {
                position += 1
                return
            } else {
                throw EventReadError(offset: position, expected: "`,` or `]`")
            }
        }
    }

    private mutating func readValue(
        _ text: Span<UInt8>,
        _ position: inout Int,
        _ event: inout EventFields,
        depth: Int,
        isInArray: Bool
    ) throws(EventReadError) {
        skipSpace(text, &position)
        guard position < text.count else {
            throw EventReadError(offset: position, expected: "a value")
        }
        switch text[position] {
        case UInt8(ascii: "{"):
            if let field = field() { event.beginList(at: field, keeping: isInArray) }
            try readObject(text, &position, &event, depth: depth + 1, isInArray: isInArray)
        case UInt8(ascii: "["):
            if let field = field() { event.beginList(at: field, keeping: isInArray) }
            try readArray(text, &position, &event, depth: depth + 1)
        case UInt8(ascii: "\""):
            let string = try readString(text, &position)
            let field = field()
            guard field != nil || keepsUnnamed else { return }
            let range =
                switch string {
                case .plain(let range): event.append(text.extracting(range))
                case .unescaped: event.append(unescaped.span)
                }
            set(.text(range), field, &event, isInArray)
        case UInt8(ascii: "t"):
            try readWord("true", text, &position)
            set(.bool(true), field(), &event, isInArray)
        case UInt8(ascii: "f"):
            try readWord("false", text, &position)
            set(.bool(false), field(), &event, isInArray)
        case UInt8(ascii: "n"):
            try readWord("null", text, &position)
            set(.null, field(), &event, isInArray)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let value = try readNumber(text, &position)
            set(value, field(), &event, isInArray)
        default:
            throw EventReadError(offset: position, expected: "a value")
        }
    }

    private func set(
        _ value: FieldValue,
        _ field: FieldIndex?,
        _ event: inout EventFields,
        _ isInArray: Bool
    ) {
        guard let field else {
            if keepsUnnamed { event.addUnnamed(value) }
            return
        }
        if isInArray { event.add(value, at: field) } else { event.set(value, at: field) }
    }

    /// The field of the present path, if it has an index.
    private func field() -> FieldIndex? {
        let hash = path.span.matchHash
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot].field >= 0 {
            if slots[slot].hash == hash, names[slots[slot].field] == path {
                return FieldIndex(position: slots[slot].field)
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private func readWord(
        _ word: StaticString,
        _ text: Span<UInt8>,
        _ position: inout Int
    ) throws(EventReadError) {
        let start = position
        for byte in "\(word)".utf8 {
            guard position < text.count, text[position] == byte else {
                throw EventReadError(offset: start, expected: "a value")
            }
            position += 1
        }
    }

    private func readNumber(
        _ text: Span<UInt8>,
        _ position: inout Int
    ) throws(EventReadError) -> FieldValue {
        let start = position
        func skipDigits() -> Bool {
            let first = position
            while position < text.count, text[position] &- UInt8(ascii: "0") < 10 { position += 1 }
            return position > first
        }
        func has(_ byte: UInt8) -> Bool { position < text.count && text[position] == byte }
        if has(UInt8(ascii: "-")) { position += 1 }
        let leadsWithZero = has(UInt8(ascii: "0"))
        let first = position
        guard skipDigits(), !leadsWithZero || position == first + 1 else {
            throw EventReadError(offset: start, expected: "a number without leading zeros")
        }
        var isInteger = true
        if has(UInt8(ascii: ".")) {
            isInteger = false
            position += 1
            guard skipDigits() else {
                throw EventReadError(offset: position, expected: "a digit")
            }
        }
        if has(UInt8(ascii: "e")) || has(UInt8(ascii: "E")) {
            isInteger = false
            position += 1
            if has(UInt8(ascii: "+")) || has(UInt8(ascii: "-")) { position += 1 }
            guard skipDigits() else {
                throw EventReadError(offset: position, expected: "a digit")
            }
        }
        let digits = text.extracting(start..<position)
        if isInteger, let number = Number(decimal: digits), case .integer(let value) = number.form {
            return .integer(value)
        }
        var copy = ""
        for index in digits.indices { copy.unicodeScalars.append(Unicode.Scalar(digits[index])) }
        // Too large for a Double is infinite, which compares as it should.
        let number = Number(Double(copy) ?? .infinity)
        return switch number.form {
        case .integer(let value): .integer(value)
        case .real(let value): .number(value)
        }
    }

    // MARK: Strings

    private enum StringPlace {
        /// A range of the text.
        case plain(Range<Int>)
        /// In `unescaped`.
        case unescaped
    }

    private mutating func readString(
        _ text: Span<UInt8>,
        _ position: inout Int
    ) throws(EventReadError) -> StringPlace {
        position += 1
        let start = position
        while position < text.count {
            let byte = text[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return .plain(start..<(position - 1))
            }
            if byte == UInt8(ascii: "\\") { break }
            guard byte >= 0x20 else {
                throw EventReadError(
                    offset: position,
                    expected: "no control character within a string"
                )
            }
            position += 1
        }
        unescaped.removeAll(keepingCapacity: true)
        for index in start..<position { unescaped.append(text[index]) }
        while position < text.count {
            let byte = text[position]
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return .unescaped
            case UInt8(ascii: "\\"): try readEscape(text, &position)
            case 0..<0x20:
                throw EventReadError(
                    offset: position,
                    expected: "no control character within a string"
                )
            default:
                unescaped.append(byte)
                position += 1
            }
        }
        throw EventReadError(offset: position, expected: "`\"` at the end of a string")
    }

    private mutating func readEscape(
        _ text: Span<UInt8>,
        _ position: inout Int
    ) throws(EventReadError) {
        let start = position
        guard position + 1 < text.count else {
            throw EventReadError(offset: start, expected: "a character after `\\`")
        }
        let byte = text[position + 1]
        position += 2
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(byte)
        case UInt8(ascii: "b"): unescaped.append(0x08)
        case UInt8(ascii: "f"): unescaped.append(0x0C)
        case UInt8(ascii: "n"): unescaped.append(0x0A)
        case UInt8(ascii: "r"): unescaped.append(0x0D)
        case UInt8(ascii: "t"): unescaped.append(0x09)
        case UInt8(ascii: "u"):
            guard let unit = hexadecimal(text, at: position) else {
                throw EventReadError(offset: start, expected: "four hexadecimal digits after `\\u`")
            }
            position += 4
            var scalar = unit
            if unit & 0xFC00 == 0xD800, position + 1 < text.count,
                text[position] == UInt8(ascii: "\\"), text[position + 1] == UInt8(ascii: "u"),
                let low = hexadecimal(text, at: position + 2), low & 0xFC00 == 0xDC00
            {
                position += 6
                scalar = 0x10000 + (unit & 0x3FF) << 10 + (low & 0x3FF)
            }
            // Half of a pair is no character.
            let character = Unicode.Scalar(scalar) ?? "\u{FFFD}"
            unescaped.append(contentsOf: UTF8.encode(character) ?? UTF8.encodedReplacementCharacter)
        default:
            throw EventReadError(offset: start, expected: "an escape of JSON")
        }
    }

    private func hexadecimal(_ text: Span<UInt8>, at position: Int) -> UInt32? {
        guard position + 4 <= text.count else { return nil }
        var value: UInt32 = 0
        for index in position..<position + 4 {
            let byte = text[index]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
