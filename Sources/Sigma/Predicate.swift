/// A pattern over text, as Sigma strings write it: literals, `*` and `?`.
///
/// Normal form: no two literals and no two `*` stand side by side, and no literal is empty, so equal
/// patterns have equal parts. An empty pattern is the empty text.
public struct TextPattern: Hashable, Sendable {
    public enum Part: Hashable, Sendable {
        /// These bytes; UTF-8 unless a `wide` or `utf16` modifier made them.
        case literal([UInt8])
        /// `*`: any text, also none.
        case anyText
        /// `?`: one character (Unicode scalar).
        case anyCharacter
    }
    public private(set) var parts: [Part] = []

    public init() {}

    public init(literal bytes: [UInt8]) {
        append(.literal(bytes))
    }

    /// Reads a Sigma string: `\*`, `\?` and `\\` are literal, any other backslash stands for itself.
    ///
    /// - Parameter escapesPercent: whether `\%` is a literal percent sign, as in values with `expand`.
    public init(sigma text: String, escapesPercent: Bool = false) {
        var literal: [UInt8] = []
        var isEscaped = false
        let star = UInt8(ascii: "*")
        let question = UInt8(ascii: "?")
        let backslash = UInt8(ascii: "\\")
        for byte in text.utf8 {
            if isEscaped {
                let isPercent = escapesPercent && byte == UInt8(ascii: "%")
                if byte != star, byte != question, byte != backslash, !isPercent {
                    literal.append(backslash)
                }
                literal.append(byte)
                isEscaped = false
            } else if byte == backslash {
                isEscaped = true
            } else if byte == star || byte == question {
                append(.literal(literal))
                literal = []
                append(byte == star ? .anyText : .anyCharacter)
            } else {
                literal.append(byte)
            }
        }
        if isEscaped { literal.append(backslash) }
        append(.literal(literal))
    }

    mutating func append(_ part: Part) {
        switch (parts.last, part) {
        case (_, .literal(let bytes)) where bytes.isEmpty: break
        case (.literal(let before)?, .literal(let bytes)):
            parts[parts.count - 1] = .literal(before + bytes)
        case (.anyText?, .anyText): break
        default: parts.append(part)
        }
    }

    mutating func append(_ pattern: TextPattern) {
        for part in pattern.parts { append(part) }
    }

    /// This pattern with `*` before and behind it, as asked.
    func open(before: Bool, behind: Bool) -> TextPattern {
        var result = TextPattern()
        if before { result.append(.anyText) }
        for part in parts { result.append(part) }
        if behind { result.append(.anyText) }
        return result
    }

    /// The bytes, when the pattern has no wildcard.
    public var literal: [UInt8]? {
        switch parts.count {
        case 0: return []
        case 1:
            if case .literal(let bytes) = parts[0] { return bytes }
            return nil
        default: return nil
        }
    }
}

/// A regular expression in PCRE syntax, not yet compiled: this room knows no PCRE2.
public struct RegexPattern: Hashable, Sendable {
    public var pattern: String
    public var ignoresCase = false
    public var isMultiline = false
    public var dotMatchesAll = false
    /// `re|startswith`: a match must begin where the text begins.
    public var isAnchoredAtStart = false
    /// `re|endswith`: a match must end where the text ends.
    public var isAnchoredAtEnd = false

    public init(_ pattern: String) {
        self.pattern = pattern
    }
}

public enum Comparison: String, Hashable, Sendable, CaseIterable {
    case less = "lt"
    case lessOrEqual = "lte"
    case greater = "gt"
    case greaterOrEqual = "gte"
    case equal = "eq"
    case notEqual = "neq"

    @inlinable
    public func holds<Value: Comparable>(_ left: Value, _ right: Value) -> Bool {
        switch self {
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        case .equal: left == right
        case .notEqual: left != right
        }
    }
}

/// The parts of a point in time, in UTC.
public enum TimePart: String, Hashable, Sendable, CaseIterable {
    /// 0…59.
    case minute
    /// 0…23.
    case hour
    /// Day of the month, 1…31.
    case day
    /// ISO 8601 week, 1…53.
    case week
    /// 1…12.
    case month
    case year
}

/// What a `fieldref` asks of two fields of the same event.
public struct FieldReference: Hashable, Sendable {
    public enum Relation: Hashable, Sendable { case equal, startsWith, endsWith, contains }
    public var field: String
    public var relation = Relation.equal
    public var isCased = false

    public init(_ field: String) {
        self.field = field
    }
}

/// What one value of a rule asks of one field (or, for a keyword, of any field).
public enum Predicate: Hashable, Sendable {
    /// The field's text fits the pattern; numbers have their decimal text, booleans `true` and
    /// `false`. Ignores case by Unicode simple folding unless `cased`.
    case text(TextPattern, cased: Bool)
    /// The field is this number or its decimal text.
    case number(Number)
    /// The field is this JSON boolean.
    case boolean(Bool)
    /// The field is missing or null.
    case null
    case regex(RegexPattern)
    /// The field's text is an address in the network.
    case network(Network)
    /// Whether the event has the field at all; one that is null is there.
    case exists(Bool)
    /// The field is a number, or the decimal text of one, that compares so.
    case comparison(Comparison, Number)
    case field(FieldReference)
    /// A part of the time that the field gives (RFC 3339 text, or an integer of seconds since
    /// 1970, of milliseconds from 10^11 on), in UTC.
    case timePart(TimePart, Comparison, Int64)
}
