/// Makes lines that never were out of lines that were: what a damaged file, a stranger or a program
/// that nobody thought of might write.
public struct Mutator {
    private var random: SeededGenerator
    private let lines: [[UInt8]]
    private let tokens: [[UInt8]]
    /// A made line is cut here, as a source cuts the lines that it reads.
    public static let bytesMax = 65_536

    /// - Parameters:
    ///   - lines: what to begin with; at least one.
    ///   - tokens: what to put into them: words of the grammar, and what breaks it.
    public init(seed: UInt64, lines: [[UInt8]], tokens: [[UInt8]]) {
        precondition(!lines.isEmpty)
        precondition(!tokens.isEmpty)
        random = SeededGenerator(seed: seed)
        self.lines = lines
        self.tokens = tokens
    }

    /// A line with one to `changesMax` changes.
    public mutating func next(changesMax: Int = 4) -> [UInt8] {
        var line = lines[number(below: lines.count)]
        for _ in 0...number(below: changesMax) { change(&line) }
        if line.count > Self.bytesMax { line.removeSubrange(Self.bytesMax...) }
        return line.filter { $0 != 0x0a }
    }

    /// Like ``next()``, but once in `rarity` times a part comes again and again, to a megabyte.
    public mutating func nextOfAnyLength(rarity: Int) -> [UInt8] {
        guard number(below: rarity) == 0 else { return next() }
        var line = lines[number(below: lines.count)]
        let part = range(in: line, countMax: 8)
        let repeated = [[UInt8]](
            repeating: Array(line[part]),
            count: 1_000_000 / max(1, part.count)
        )
        line.replaceSubrange(part, with: repeated.joined())
        change(&line)
        if line.count > Self.bytesMax { line.removeSubrange(Self.bytesMax...) }
        return line.filter { $0 != 0x0a }
    }

    private mutating func number(below limit: Int) -> Int {
        Int.random(in: 0..<max(1, limit), using: &random)
    }

    private mutating func range(in line: [UInt8], countMax: Int) -> Range<Int> {
        let start = number(below: line.count + 1)
        return start..<min(line.count, start + number(below: countMax + 1))
    }

    private mutating func change(_ line: inout [UInt8]) {
        switch number(below: 10) {
        case 0:
            // Another byte.
            guard !line.isEmpty else { return }
            line[number(below: line.count)] = UInt8(truncatingIfNeeded: random.next())
        case 1:
            // One bit.
            guard !line.isEmpty else { return }
            line[number(below: line.count)] ^= 1 << UInt8(number(below: 8))
        case 2:
            // The end is gone.
            line.removeSubrange(number(below: line.count + 1)...)
        case 3:
            // A part is gone.
            line.removeSubrange(range(in: line, countMax: 12))
        case 4:
            // A part comes twice.
            let part = range(in: line, countMax: 60)
            line.insert(contentsOf: line[part], at: part.upperBound)
        case 5:
            // Two lines in one.
            let other = lines[number(below: lines.count)]
            line.removeSubrange(number(below: line.count + 1)...)
            line += other[number(below: other.count + 1)...]
        case 6:
            // A part of one line within another.
            let other = lines[number(below: lines.count)]
            line.insert(
                contentsOf: other[range(in: other, countMax: 80)],
                at: number(below: line.count + 1)
            )
        default:
            let token = tokens[number(below: tokens.count)]
            let place = placeOfToken(in: line)
            line.insert(contentsOf: token, at: place)
        }
    }

    /// Where it hurts: mostly before or after a mark of the grammar.
    private mutating func placeOfToken(in line: [UInt8]) -> Int {
        let start = number(below: line.count + 1)
        guard number(below: 4) > 0 else { return start }
        let marks = Array(" ,;:=<>()[]\"'\\@".utf8)
        guard let mark = line[start...].firstIndex(where: { marks.contains($0) }) else {
            return start
        }
        return mark + number(below: 2)
    }
}
