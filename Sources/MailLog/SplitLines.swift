public import Records

/// Lines that were too long for syslog, which their writer cut into numbered parts: collects the
/// parts of each, bounded.
///
/// The parts of one line come in order, those of several processes among each other. A part that is
/// missing makes all of its line useless: half a line is never read.
struct SplitLines: Sendable {
    /// Lines that are waited for at most; at the limit the oldest is given up.
    static let countMax = 64
    /// Bytes of a line: its pieces have 16 bits.
    static let bytesMax = 60_000
    /// A part that comes later than this after the first belongs to another line: microseconds.
    static let ageMax: Int64 = 60_000_000

    /// The raw line that a part stood on.
    struct Part: Sendable, Equatable {
        var record: RecordID
        var sequence: UInt64
        var line: [UInt8]
    }

    /// A line of which parts came.
    struct Pending: Sendable, Equatable {
        /// Of the process that writes it.
        var key: UInt64
        var microseconds: Int64
        /// How many parts it has.
        var count: UInt32
        var text: [UInt8] = []
        /// What came, in order from the first.
        var parts: [Part] = []
    }

    private(set) var pending: [Pending] = []
    /// Parts that no line was made of.
    private(set) var partsLost = 0

    /// Takes a part in.
    ///
    /// - Parameters:
    ///   - part: where it was read.
    ///   - text: its text.
    ///   - number: which one it is, from 1 on, of how many (`count`).
    ///   - key: of the process.
    ///   - microseconds: its event time.
    /// - Returns: the whole line, if this was its last part.
    mutating func take(
        _ part: Part,
        _ text: Span<UInt8>,
        number: UInt32,
        of count: UInt32,
        key: UInt64,
        microseconds: Int64
    ) -> Pending? {
        let known = pending.firstIndex {
            $0.key == key && $0.parts.first?.record.source == part.record.source
        }
        var line = Pending(key: key, microseconds: microseconds, count: count)
        if let known {
            let before = pending.remove(at: known)
            let goesOn =
                number > 1 && before.parts.count == Int(number) - 1 && before.count == count
                && microseconds - before.microseconds <= Self.ageMax
            if goesOn { line = before } else { partsLost += before.parts.count }
        }
        guard line.parts.count == Int(number) - 1, line.text.count + text.count <= Self.bytesMax
        else {
            partsLost += line.parts.count + 1
            return nil
        }
        for index in text.indices { line.text.append(text[index]) }
        line.parts.append(part)
        if line.parts.count == Int(count) { return line }
        if pending.count == Self.countMax { partsLost += pending.removeFirst().parts.count }
        pending.append(line)
        return nil
    }

    // MARK: Stored form

    func write(to writer: inout BinaryWriter) {
        writer.write(UInt32(pending.count))
        for line in pending {
            writer.write(line.key)
            writer.write(line.microseconds)
            writer.write(line.count)
            writer.write(line.text)
            writer.write(UInt32(line.parts.count))
            for part in line.parts {
                writer.write(part.record.source.rawValue)
                writer.write(part.record.file.rawValue)
                writer.write(part.record.offset)
                writer.write(part.sequence)
                writer.write(part.line)
            }
        }
    }

    mutating func restore(from reader: inout BinaryReader) throws(BinaryReadError) {
        let count = try reader.readCount(ofSize: 28)
        for _ in 0..<count {
            var line = Pending(
                key: try reader.read(UInt64.self),
                microseconds: try reader.read(Int64.self),
                count: try reader.read(UInt32.self)
            )
            line.text = try reader.readBytes()
            let parts = try reader.readCount(ofSize: 26)
            for _ in 0..<parts {
                let record = RecordID(
                    source: SourceNumber(try reader.read(UInt16.self)),
                    file: FileNumber(try reader.read(UInt32.self)),
                    offset: try reader.read(UInt64.self)
                )
                let sequence = try reader.read(UInt64.self)
                let bytes = try reader.readBytes()
                line.parts.append(Part(record: record, sequence: sequence, line: bytes))
            }
            pending.append(line)
        }
    }
}

extension SplitLines.Pending {
    /// What the whole line says.
    ///
    /// - Parameters:
    ///   - part: the fact of its last part.
    ///   - host: the host's name in that line.
    ///   - seed: of the scanners.
    /// - Returns: the line's text, to which the facts refer.
    func read(
        as part: LineFact,
        host: Span<UInt8>,
        seed: HashSeed
    ) -> (text: [UInt8], facts: [LineFact], outcome: LineOutcome) {
        // As if the host's name and the text stood on one line: no piece starts at 0.
        var whole: [UInt8] = [0x20]
        for index in host.indices { whole.append(host[index]) }
        let context = LineContext(
            stamp: part.stamp,
            line: Int(part.line),
            host: 1..<whole.count,
            hostHash: keyedHash(host, seed: seed),
            agent: .other,
            instance: part.instance,
            processID: 0..<0
        )
        whole.append(0x20)
        let start = whole.count
        whole += text
        var reader = EximReader(names: NameReader(seed: seed))
        var facts: [LineFact] = []
        let outcome = reader.read(whole.span, from: start, context, into: &facts)
        return (whole, facts, outcome)
    }
}

/// Joins lines that syslog's limit had cut into parts, for whoever joins no messages.
public struct LineJoiner: Sendable {
    private let seed: HashSeed
    private var lines = SplitLines()

    /// - Parameter seed: of the scanner whose facts come in.
    public init(seed: HashSeed) { self.seed = seed }

    /// Takes a part of a line in.
    ///
    /// - Parameters:
    ///   - fact: of kind ``LineFact/Kind/part``.
    ///   - microseconds: its event time.
    /// - Returns: with the last part, the whole line behind its host's name, and its facts.
    public mutating func take(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        microseconds: Int64
    ) -> (text: [UInt8], facts: [LineFact])? {
        let whole = lines.take(
            SplitLines.Part(
                record: RecordID(source: SourceNumber(0), file: FileNumber(0), offset: 0),
                sequence: 0,
                line: []
            ),
            line.extracting(fact.a.indices),
            number: UInt32(truncatingIfNeeded: fact.domain >> 32),
            of: UInt32(truncatingIfNeeded: fact.domain),
            key: fact.key,
            microseconds: microseconds
        )
        guard let whole else { return nil }
        let read = whole.read(as: fact, host: line.extracting(fact.host.indices), seed: seed)
        return (read.text, read.facts.filter { $0.kind != .part })
    }
}
