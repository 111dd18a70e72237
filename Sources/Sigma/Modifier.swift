/// Sigma's value modifiers, each with all of its spellings.
enum Modifier: Hashable {
    case contains, startsWith, endsWith
    case all, neq, cased
    case re, ignoreCase, multiline, dotAll
    case cidr, exists, expand, fieldRef, windash
    case base64, base64Offset
    case utf16LE, utf16BE, utf16
    case compare(Comparison)
    case time(TimePart)

    static let spellings: [(name: String, modifier: Modifier)] = [
        ("contains", .contains), ("startswith", .startsWith), ("endswith", .endsWith),
        ("all", .all), ("neq", .neq), ("cased", .cased),
        ("re", .re), ("i", .ignoreCase), ("ignorecase", .ignoreCase), ("m", .multiline),
        ("multiline", .multiline), ("s", .dotAll), ("dotall", .dotAll),
        ("cidr", .cidr), ("exists", .exists), ("expand", .expand), ("fieldref", .fieldRef),
        ("windash", .windash), ("base64", .base64), ("base64offset", .base64Offset),
        ("wide", .utf16LE), ("utf16le", .utf16LE), ("utf16be", .utf16BE), ("utf16", .utf16),
        ("gt", .compare(.greater)), ("gte", .compare(.greaterOrEqual)),
        ("lt", .compare(.less)), ("lte", .compare(.lessOrEqual)),
        ("minute", .time(.minute)), ("hour", .time(.hour)), ("day", .time(.day)),
        ("week", .time(.week)), ("month", .time(.month)), ("year", .time(.year)),
    ]

    private static let byName = [String: Modifier](
        uniqueKeysWithValues: spellings.map { ($0.name, $0.modifier) }
    )

    init?(_ name: String) {
        guard let modifier = Self.byName[name] else { return nil }
        self = modifier
    }

    static var names: [String] { spellings.map(\.name) }
}

/// A modifier as a rule writes it.
struct WrittenModifier {
    let modifier: Modifier
    let name: String
    let place: Place
}

/// A value on its way through a chain of modifiers, which apply from left to right.
///
/// Each modifier takes values of some kinds and makes one of some kind; what does not fit is a chain
/// that makes no sense. That is how pySigma types its modifiers, and with the exceptions named at
/// their cases the same chains are accepted.
struct ModifiedValue {
    enum Kind {
        case text(TextPattern, cased: Bool)
        case number(Number)
        case boolean(Bool)
        case null
        case regex(RegexPattern)
        case network(Network)
        case exists(Bool)
        case comparison(Comparison, Number)
        case field(FieldReference)
        case time(TimePart, Comparison, Int64)

        var name: String {
            switch self {
            case .text: "text"
            case .number: "a number"
            case .boolean: "a boolean"
            case .null: "null"
            case .regex: "a regular expression"
            case .network: "a network"
            case .exists: "a test for existence"
            case .comparison: "a comparison"
            case .field: "a field reference"
            case .time: "a part of a time"
            }
        }
    }

    /// Why a chain or a value is refused.
    enum Refusal: Error {
        /// The modifier does not fit what stands before it; the message goes to its own place.
        case chain(String)
        /// The value does not fit the modifier; the message goes to the value's place.
        case value(String)
        /// The same because the value has wildcards, which may come from a placeholder.
        case wildcards(String)
    }
    typealias Placeholders = [String: [String]]

    /// One, or what `windash`, `base64offset` and `expand` made of it.
    private(set) var kinds: [Kind]
    /// A text until `expand` puts the values of its placeholders in; ``kinds`` is empty so long.
    private var template: PlaceholderText?
    /// The modifier that says how the search's text stands in the field; two of these in a row make
    /// no sense.
    private var position: String?

    init(_ kind: Kind) {
        kinds = [kind]
    }

    /// A value of a chain that has `expand`.
    init(_ template: PlaceholderText) {
        kinds = []
        self.template = template
    }

    /// Applies one modifier.
    mutating func apply(
        _ modifier: Modifier,
        named name: String,
        placeholders: Placeholders,
        limits: RuleLimits
    ) throws(Refusal) {
        switch modifier {
        case .contains, .startsWith, .endsWith:
            guard position == nil else {
                throw .chain("`contains`, `startswith` and `endswith` exclude each other")
            }
            position = name
        case .base64, .base64Offset, .fieldRef:
            if let position {
                throw .chain(
                    "`\(name)` must stand before `\(position)`: write `\(name)|\(position)`"
                )
            }
        default: break
        }
        var results: [Kind] = []
        if var text = template {
            guard modifier == .expand else {
                try text.apply(modifier, named: name)
                template = text
                return
            }
            template = nil
            let isCased = text.isCased
            results = try text.expanded(placeholders).map { .text($0, cased: isCased) }
            guard results.count <= limits.alternativesMax else {
                throw .value("stands for more than \(limits.alternativesMax) values")
            }
        }
        for kind in kinds {
            let made = try Self.apply(modifier, named: name, to: kind, placeholders: placeholders)
            guard results.count + made.count <= limits.alternativesMax else {
                throw .value("stands for more than \(limits.alternativesMax) values")
            }
            results += made
        }
        kinds = results
    }

    private static func apply(
        _ modifier: Modifier,
        named name: String,
        to kind: Kind,
        placeholders: Placeholders
    ) throws(Refusal) -> [Kind] {
        switch (modifier, kind) {
        case (.all, _), (.neq, _): return [kind]  // of the whole line, not of a value

        case (.contains, .text(let pattern, let cased)):
            return [.text(pattern.open(before: true, behind: true), cased: cased)]
        case (.startsWith, .text(let pattern, let cased)):
            return [.text(pattern.open(before: false, behind: true), cased: cased)]
        case (.endsWith, .text(let pattern, let cased)):
            return [.text(pattern.open(before: true, behind: false), cased: cased)]

        // A regular expression is searched unanchored anyway, so `contains` changes nothing.
        case (.contains, .regex): return [kind]
        case (.startsWith, .regex(var regex)):
            regex.isAnchoredAtStart = true
            return [.regex(regex)]
        case (.endsWith, .regex(var regex)):
            regex.isAnchoredAtEnd = true
            return [.regex(regex)]

        case (.contains, .field(var reference)):
            reference.relation = .contains
            return [.field(reference)]
        case (.startsWith, .field(var reference)):
            reference.relation = .startsWith
            return [.field(reference)]
        case (.endsWith, .field(var reference)):
            reference.relation = .endsWith
            return [.field(reference)]

        case (.cased, .text(let pattern, cased: false)): return [.text(pattern, cased: true)]
        // pySigma 2.0 refuses `cased` on a field reference; two fields can be compared both ways.
        case (.cased, .field(var reference)) where !reference.isCased:
            reference.isCased = true
            return [.field(reference)]
        case (.cased, .text), (.cased, .field): throw .chain("`cased` stands here twice")

        case (.re, .regex): return [kind]  // made from the raw text by `ValueReader`
        case (.ignoreCase, .regex(var regex)):
            regex.ignoresCase = true
            return [.regex(regex)]
        case (.multiline, .regex(var regex)):
            regex.isMultiline = true
            return [.regex(regex)]
        case (.dotAll, .regex(var regex)):
            regex.dotMatchesAll = true
            return [.regex(regex)]

        case (.cidr, .text(let pattern, _)): return [.network(try network(pattern))]
        case (.exists, .boolean(let isThere)): return [.exists(isThere)]

        case (.fieldRef, .text(let pattern, let cased)):
            guard let bytes = pattern.literal, !bytes.isEmpty else {
                throw .wildcards("a field reference must be a field's name, without wildcards")
            }
            var reference = FieldReference(String(decoding: bytes, as: UTF8.self))
            reference.isCased = cased
            return [.field(reference)]

        case (.compare(let comparison), .number(let number)):
            return [.comparison(comparison, number)]
        // pySigma 2.0 knows time parts for equality only; `hour|gte: 18` has a plain meaning.
        case (.compare(let comparison), .time(let part, .equal, let number)):
            return [.time(part, comparison, number)]
        case (.compare, .time): throw .chain("two comparisons exclude each other")
        case (.time(let part), .number(let number)):
            guard case .integer(let value) = number.form else {
                throw .value("`\(name)` takes a whole number")
            }
            return [.time(part, .equal, value)]

        case (.base64, .text(let pattern, let cased)):
            let bytes = try literal(of: pattern, for: name)
            return [.text(TextPattern(literal: base64(bytes)), cased: cased)]
        case (.base64Offset, .text(let pattern, let cased)):
            let bytes = try literal(of: pattern, for: name)
            return base64AtOffsets(bytes).map { .text(TextPattern(literal: $0), cased: cased) }
        case (.utf16LE, .text(let pattern, let cased)):
            return [.text(try utf16(pattern, bigEndian: false, byteOrderMark: false), cased: cased)]
        case (.utf16BE, .text(let pattern, let cased)):
            return [.text(try utf16(pattern, bigEndian: true, byteOrderMark: false), cased: cased)]
        case (.utf16, .text(let pattern, let cased)):
            return [.text(try utf16(pattern, bigEndian: false, byteOrderMark: true), cased: cased)]

        case (.windash, .text(let pattern, let cased)):
            var dashCount = 0
            return try dashVariants(of: pattern, dashCount: &dashCount).map {
                .text($0, cased: cased)
            }
        case (.expand, .regex(let regex)):
            return try PlaceholderText.expanded(regex, placeholders).map { .regex($0) }

        case (.ignoreCase, _), (.multiline, _), (.dotAll, _):
            throw .chain("`\(name)` is a flag of `re` and must follow it")
        case (.compare, .text), (.compare, .boolean), (.compare, .null), (.time, .text),
            (.time, .boolean), (.time, .null):
            throw .value("`\(name)` takes a number; this is \(kind.name)")
        case (.exists, _): throw .value("`exists` takes true or false")
        case (_, .number), (_, .boolean), (_, .null):
            throw .value("`\(name)` takes text; this is \(kind.name)")
        case (_, .text): throw .value("`\(name)` does not take text")
        case (_, .regex), (_, .network), (_, .exists), (_, .comparison), (_, .field), (_, .time):
            throw .chain("`\(name)` makes no sense after \(kind.name)")
        }
    }

    private static func network(_ pattern: TextPattern) throws(Refusal) -> Network {
        guard let bytes = pattern.literal else {
            throw .wildcards("a network is written as in `192.0.2.0/24`, without wildcards")
        }
        do {
            return try Network(String(decoding: bytes, as: UTF8.self))
        } catch {
            switch error {
            case .notANetwork:
                throw .value("expected a network such as `192.0.2.0/24` or `2001:db8::/32`")
            case .hostBits:
                throw .value("the network has bits set beyond its prefix length")
            }
        }
    }

    private static func literal(
        of pattern: TextPattern,
        for name: String
    ) throws(Refusal) -> [UInt8] {
        guard let bytes = pattern.literal else {
            throw .wildcards(
                "`\(name)` does not take wildcards; write `\\*` or `\\?` for the character"
            )
        }
        return bytes
    }
}
