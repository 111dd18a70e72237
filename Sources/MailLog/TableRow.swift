/// One field of a table's row.
struct TableField: Sendable {
    /// What stands between two commas, or between the quotes.
    var start: Int32
    var end: Int32
    /// It has `""` for `"`.
    var hasDoubledQuotes: Bool

    var range: Range<Int> { Int(start)..<Int(end) }
}

/// Cuts rows of comma-separated values into fields (RFC 4180, 2).
///
/// A field stands between quotes or has none: `a"b` is no field. That is what Exchange writes (it puts a
/// field between quotes that has a comma or a quote, and writes newlines as `\n`) and what PowerShell's
/// `Export-Csv` writes. Blanks are part of a field.
enum TableRow {
    /// More fields than this are no row of a known table.
    static let fieldsMax = 64

    /// What a line is.
    enum Shape: Sendable, Equatable {
        case whole
        /// A field between quotes does not end in this line.
        case open
        case broken
    }

    /// Puts the fields of `text` from `start` on into `fields`, whose storage is used again.
    static func split(
        _ text: Span<UInt8>,
        from start: Int,
        into fields: inout [TableField]
    ) -> Shape {
        fields.removeAll(keepingCapacity: true)
        var index = start
        while fields.count < fieldsMax {
            var field = TableField(start: Int32(index), end: 0, hasDoubledQuotes: false)
            if index < text.count, text[index] == UInt8(ascii: "\"") {
                field.start += 1
                guard let end = endOfQuoted(text, from: index &+ 1, &field) else { return .open }
                field.end = Int32(end)
                index = end &+ 1
            } else {
                let end = text.first(UInt8(ascii: ","), from: index, to: text.count) ?? text.count
                field.end = Int32(end)
                guard text.first(UInt8(ascii: "\""), from: index, to: end) == nil else {
                    return .broken
                }
                index = end
            }
            fields.append(field)
            guard index < text.count else { return .whole }
            guard text[index] == UInt8(ascii: ",") else { return .broken }
            index &+= 1
        }
        return .broken
    }

    /// The index of the quote that ends a field; nil if none does.
    private static func endOfQuoted(
        _ text: Span<UInt8>,
        from start: Int,
        _ field: inout TableField
    ) -> Int? {
        var index = start
        while let quote = text.first(UInt8(ascii: "\""), from: index, to: text.count) {
            guard quote &+ 1 < text.count, text[quote &+ 1] == UInt8(ascii: "\"") else {
                return quote
            }
            field.hasDoubledQuotes = true
            index = quote &+ 2
        }
        return nil
    }
}

/// Walks over the members of a field that lists several, separated by semicolons.
///
/// Exchange puts a member that has a semicolon or an apostrophe between apostrophes, and doubles those
/// within it: `'o''brien@shop.example'`.
struct TableMembers: Sendable {
    private var index: Int
    private let end: Int
    private var isAtEnd: Bool

    struct Member: Sendable {
        /// Without the apostrophes around it.
        var range: Range<Int>
        /// It has `''` for `'`.
        var hasDoubledQuotes: Bool
    }

    init(_ field: Range<Int>) {
        index = field.lowerBound
        end = field.upperBound
        isAtEnd = field.isEmpty
    }

    /// The next member; nil at the end, or where the list is broken.
    mutating func next(in text: Span<UInt8>) -> Member? {
        guard !isAtEnd else { return nil }
        guard index < end, text[index] == UInt8(ascii: "'") else {
            let stop = text.first(UInt8(ascii: ";"), from: index, to: end) ?? end
            defer { step(over: stop) }
            return Member(range: index..<stop, hasDoubledQuotes: false)
        }
        let start = index &+ 1
        var hasDoubledQuotes = false
        var search = start
        while let quote = text.first(UInt8(ascii: "'"), from: search, to: end) {
            if quote &+ 1 < end, text[quote &+ 1] == UInt8(ascii: "'") {
                hasDoubledQuotes = true
                search = quote &+ 2
                continue
            }
            guard quote &+ 1 == end || text[quote &+ 1] == UInt8(ascii: ";") else { break }
            step(over: quote &+ 1)
            return Member(range: start..<quote, hasDoubledQuotes: hasDoubledQuotes)
        }
        isAtEnd = true
        return nil
    }

    private mutating func step(over separator: Int) {
        isAtEnd = separator >= end
        index = separator &+ 1
    }
}
