/// Finds which of very many literals stand in a text, at a cost for each byte of the text that does not
/// depend on their number.
///
/// For each literal it knows one part of 8, 4, 2 or 1 bytes: of all its parts that which the fewest
/// literals share. A text is looked through part by part, and only literals whose part is there are
/// compared. Unlike ``LiteralAutomaton`` it takes little memory, but some more time.
struct GramIndex: Sendable {
    /// Where the literal must stand.
    enum Anchor: UInt8, Sendable, Hashable { case anywhere, start, end }

    struct Literal: Sendable, Hashable {
        /// Not empty.
        var bytes: [UInt8]
        var anchor: Anchor
        /// What it stands for.
        var output: Int32 = 0
    }

    private struct Entry: Sendable {
        /// The part, and where in the literal it stands.
        var gram: UInt64
        var offset: Int
        /// A range of `bytes`.
        var literal: Range<Int>
        var anchor: Anchor
        var output: Int32
        /// The next one in the same slot; -1: none.
        var next: Int32
    }

    /// The literals whose part has one width.
    private struct WidthTable: Sendable {
        var width: Int
        var shift: UInt64
        /// First entry by hash of the part; -1: none.
        var heads: [Int32]
    }

    private var tables: [WidthTable] = []
    private var entries: [Entry] = []
    private var bytes: [UInt8] = []

    init(_ literals: [Literal]) {
        for width in [8, 4, 2, 1] {
            let ofWidth = literals.filter { literal in
                literal.bytes.count >= width && (width == 8 || literal.bytes.count < 2 * width)
            }
            if !ofWidth.isEmpty { add(ofWidth, width) }
        }
    }

    private mutating func add(_ literals: [Literal], _ width: Int) {
        var uses: [UInt64: Int] = [:]
        for literal in literals {
            for offset in 0...literal.bytes.count - width {
                uses[Self.gram(literal.bytes.span, offset, width), default: 0] += 1
            }
        }
        var bits: UInt64 = 4
        while 1 << bits < literals.count * 2 { bits += 1 }
        var table = WidthTable(
            width: width,
            shift: 64 - bits,
            heads: [Int32](repeating: -1, count: 1 << Int(bits))
        )
        for literal in literals {
            var best = (gram: UInt64(0), offset: 0, uses: Int.max)
            for offset in 0...literal.bytes.count - width {
                let gram = Self.gram(literal.bytes.span, offset, width)
                let count = uses[gram] ?? 0
                if count < best.uses { best = (gram, offset, count) }
            }
            let slot = Self.slot(best.gram, table.shift)
            entries.append(
                Entry(
                    gram: best.gram,
                    offset: best.offset,
                    literal: bytes.count..<bytes.count + literal.bytes.count,
                    anchor: literal.anchor,
                    output: literal.output,
                    next: table.heads[slot]
                )
            )
            table.heads[slot] = Int32(entries.count - 1)
            bytes += literal.bytes
        }
        tables.append(table)
    }

    private static func gram(_ bytes: Span<UInt8>, _ offset: Int, _ width: Int) -> UInt64 {
        var gram: UInt64 = 0
        for index in offset..<offset + width { gram = gram << 8 | UInt64(bytes[index]) }
        return gram
    }

    private static func slot(_ gram: UInt64, _ shift: UInt64) -> Int {
        Int(truncatingIfNeeded: (gram &* 0x9e37_79b9_7f4a_7c15) >> shift)
    }

    /// Whether one of the literals stands in `text`.
    func isAny(in text: Span<UInt8>) -> Bool {
        var isFound = false
        search(text) { _ in
            isFound = true
            return false
        }
        return isFound
    }

    /// Sets the bits in `marks` that the literals in `text` stand for.
    func search(_ text: Span<UInt8>, marking marks: inout [UInt64]) {
        search(text) { output in
            marks[Int(output) >> 6] |= 1 << UInt64(output & 63)
            return true
        }
    }

    /// Tells each literal in `text`, some more than once, until `body` wants no more.
    private func search(_ text: Span<UInt8>, _ body: (Int32) -> Bool) {
        for table in tables where text.count >= table.width {
            let mask = table.width == 8 ? UInt64.max : 1 << UInt64(8 * table.width) - 1
            var gram: UInt64 = 0
            for end in text.indices {
                gram = (gram << 8 | UInt64(text[end])) & mask
                guard end >= table.width - 1 else { continue }
                var next = table.heads[Self.slot(gram, table.shift)]
                while next >= 0 {
                    let index = Int(next)
                    next = entries[index].next
                    guard entries[index].gram == gram else { continue }
                    let start = end - table.width + 1 - entries[index].offset
                    guard start >= 0, stands(index, in: text, at: start) else { continue }
                    guard body(entries[index].output) else { return }
                }
            }
        }
    }

    private func stands(_ index: Int, in text: Span<UInt8>, at start: Int) -> Bool {
        let literal = entries[index].literal
        switch entries[index].anchor {
        case .anywhere: break
        case .start: guard start == 0 else { return false }
        case .end: guard start + literal.count == text.count else { return false }
        }
        return text.hasBytes(of: bytes.span.extracting(literal), at: start)
    }
}
