import Sigma

/// A question about one field of an event, or for a keyword about every field. Plain data: what it
/// needs beyond itself lies in the plan's tables.
struct CompiledPredicate: Sendable {
    enum Kind: UInt8 {
        /// The text (folded unless `isCased`) is, begins with, ends with or contains `literal`.
        case textEqual, textPrefix, textSuffix, textContains
        /// Any text at all (`*`).
        case textAny
        /// `argument` is an index into `globs`.
        case textGlob
        /// The folded text is one of the literals of `literalSets[argument]`.
        case textSet
        /// One of the literals of `gramIndexes[argument]` stands in the folded text.
        case textGrams
        case boolean
        case null
        /// Indices into `regexes` and `networks`.
        case regex, network
        /// `argument` is an index into `networkSets`.
        case networkSet
        case exists
        case comparison
        /// `argument` is the other field's position.
        case fieldEqual, fieldPrefix, fieldSuffix, fieldContains
        case time
    }
    var kind: Kind
    var isCased = false
    /// What `boolean` and `exists` ask for.
    var flag = false
    var comparison = Comparison.equal
    var timePart = TimePart.minute
    /// Position of the field, or `keyword`.
    var field: Int
    /// A range of the plan's `literals`.
    var literal = 0..<0
    var argument = 0
    var number = Number(Int64(0))

    /// Stands for the field of predicates that look at every field.
    static let keyword = -1
}

/// A pattern with wildcards that is none of the simple kinds, cut at its `*`.
struct Glob: Sendable {
    /// Literals and `?` between two `*`.
    struct Segment: Sendable {
        enum Part: Sendable {
            case literal([UInt8])
            case anyCharacter
        }
        var parts: [Part] = []
    }
    /// Text before the first `*` and behind the last must stand at the text's ends.
    var segments: [Segment] = []
    var beginsOpen = false
    var endsOpen = false

    init(_ pattern: TextPattern, fold: Bool) {
        var segment = Segment()
        for (index, part) in pattern.parts.enumerated() {
            switch part {
            case .literal(let bytes):
                segment.parts.append(.literal(fold ? CaseFolding.folded(bytes) : bytes))
            case .anyCharacter: segment.parts.append(.anyCharacter)
            case .anyText:
                if index == 0 { beginsOpen = true }
                if index == pattern.parts.count - 1 { endsOpen = true }
                if !segment.parts.isEmpty { segments.append(segment) }
                segment = Segment()
            }
        }
        if !segment.parts.isEmpty { segments.append(segment) }
        hasStar = pattern.parts.contains(.anyText)
    }

    private let hasStar: Bool

    /// Whether the whole of `text` fits. Each segment is taken where it fits first, which is right
    /// because a segment fits only texts of its own number of characters, so an earlier place leaves
    /// more to the rest. O(text × pattern) at worst.
    func matches(_ text: Span<UInt8>) -> Bool {
        var start = 0
        var remaining = segments[...]
        if !hasStar {
            guard let only = remaining.first else { return text.count == 0 }
            return Self.end(of: only, in: text, at: 0) == text.count
        }
        if !beginsOpen, let first = remaining.popFirst() {
            guard let end = Self.end(of: first, in: text, at: 0) else { return false }
            start = end
        }
        let last = endsOpen ? nil : remaining.popLast()
        for segment in remaining {
            var position = start
            while true {
                if let end = Self.end(of: segment, in: text, at: position) {
                    start = end
                    break
                }
                guard position < text.count else { return false }
                position += CaseFolding.decode(text, at: position).length
            }
        }
        guard let last else { return true }
        // The last segment must end where the text ends; it fits from one place only.
        var position = start
        while position <= text.count {
            if Self.end(of: last, in: text, at: position) == text.count { return true }
            guard position < text.count else { return false }
            position += CaseFolding.decode(text, at: position).length
        }
        return false
    }

    private static func end(of segment: Segment, in text: Span<UInt8>, at start: Int) -> Int? {
        var position = start
        for part in segment.parts {
            switch part {
            case .literal(let bytes):
                guard text.hasBytes(of: bytes.span, at: position) else { return nil }
                position += bytes.count
            case .anyCharacter:
                guard position < text.count else { return nil }
                position += CaseFolding.decode(text, at: position).length
            }
        }
        return position
    }
}

/// Many literals of one field, any of which suffices: what a long list in a rule becomes.
struct LiteralSet: Sendable {
    /// Ascending by hash; the range is of the plan's `literals`.
    private let entries: [(hash: UInt64, literal: Range<Int>)]

    init(_ entries: [(hash: UInt64, literal: Range<Int>)]) {
        self.entries = entries.sorted { $0.hash < $1.hash }
    }

    /// O(log n), and the comparison of what has the same hash.
    func contains(_ text: Span<UInt8>, hash: UInt64, literals: Span<UInt8>) -> Bool {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].hash < hash { low = middle + 1 } else { high = middle }
        }
        while low < entries.count, entries[low].hash == hash {
            let literal = entries[low].literal
            if literal.count == text.count, text.hasBytes(of: literals.extracting(literal), at: 0) {
                return true
            }
            low += 1
        }
        return false
    }
}

extension Span<UInt8> {
    /// Whether `other` stands at `position`; false when it would reach beyond the end.
    func hasBytes(of other: Span<UInt8>, at position: Int) -> Bool {
        guard position <= count - other.count else { return false }
        guard other.count >= 8 else {
            for index in other.indices where self[position + index] != other[index] { return false }
            return true
        }
        var offset = 0
        while offset + 8 <= other.count {
            guard word(at: position + offset) == other.word(at: offset) else { return false }
            offset += 8
        }
        // The last eight overlap what was compared.
        return word(at: position + other.count - 8) == other.word(at: other.count - 8)
    }

    /// Eight bytes at `index` as one number.
    func word(at index: Int) -> UInt64 {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
    }

    /// Whether `other` stands anywhere. O(count × other.count) at worst.
    func contains(_ other: Span<UInt8>) -> Bool {
        guard other.count > 0 else { return true }
        guard other.count <= count else { return false }
        let first = other[0]
        for position in 0...count - other.count
        where self[position] == first && hasBytes(of: other, at: position) {
            return true
        }
        return false
    }

    /// A hash of the length and at most 24 bytes, enough to tell literals apart; whoever finds an
    /// equal hash compares. FNV-1a with a final mix, not keyed: a collision costs a comparison.
    var matchHash: UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(truncatingIfNeeded: count)
        if count <= 24 {
            for index in indices { hash = (hash ^ UInt64(self[index])) &* 0x100_0000_01b3 }
        } else {
            for index in 0..<12 { hash = (hash ^ UInt64(self[index])) &* 0x100_0000_01b3 }
            for index in count - 12..<count {
                hash = (hash ^ UInt64(self[index])) &* 0x100_0000_01b3
            }
        }
        return hash ^ hash >> 29
    }
}
