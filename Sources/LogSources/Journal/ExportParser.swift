import Records

/// Takes the journal export format apart, as `journalctl --output=export` writes it.
///
/// An entry is fields, one after the other, up to an empty line. A field is `NAME=VALUE` and a
/// newline, or, if its value has control characters, `NAME`, a newline, the value's length in 8
/// bytes, little endian, the value, and a newline (systemd.io/JOURNAL_EXPORT_FORMATS).
///
/// What is not in that form ends the reading. To look for the next empty line would be to look within
/// values, in which anybody may have written what looks like an entry with trusted fields. For the
/// same reason the last entry counts only with the empty line behind it, which journalctl writes:
/// without it, trusted fields may be missing.
///
/// No I/O: bytes come in as they were read, entries come out; which ones does not depend on how the
/// reads fall. It holds no more than one field, and of that no more than a line can have.
struct ExportParser: Sendable {
    /// What ``next(_:)`` found.
    enum Step: Hashable, Sendable {
        /// ``entry`` is whole.
        case entry
        /// What comes is no entry; nothing more can be read.
        case broken
        /// More bytes are needed.
        case more
    }

    private enum State: Hashable, Sendable {
        /// At the start of a line.
        case field
        /// The name of a field was read, of which the length comes next.
        case length(nameCount: Int)
        /// In a value of which so many bytes are left that are not kept.
        case skipping(UInt64)
        /// At the newline behind a value.
        case valueEnd
        /// In the rest of a line too long to keep.
        case skippingLine
        /// At something that is no field.
        case broken
    }

    /// The entry that was read last.
    private(set) var entry = JournalEntry()
    /// Where in the text it begins.
    private(set) var entryOffset: UInt64 = 0
    private let matches: FieldMatches
    private var state = State.field
    private var hasFields = false
    /// What was not used yet: `buffer[start...]`.
    private var buffer: [UInt8] = []
    private var start = 0
    /// Where in the text `buffer[start]` stands.
    private(set) var offset: UInt64 = 0
    /// How far a newline was looked for.
    private var searched = 0
    /// The name of a binary field, while its value is read.
    private var name: [UInt8] = []

    /// A name has at most 64 bytes (sd_journal_print(3)); with it, a line that is kept whole.
    static let fieldBytesMax = SourceLimits.lineBytesMax + 128

    init(matches: FieldMatches) { self.matches = matches }

    /// Whether a text that begins so is an export. Journalctl's begin with the first; other writers
    /// begin with another address field.
    static func isExport(_ head: some Collection<UInt8>) -> Bool {
        marks.contains { head.starts(with: $0) }
    }

    /// Whether more bytes could make an export of a text that begins so.
    static func mayBecomeExport(_ head: some Collection<UInt8>) -> Bool {
        marks.contains { $0.count > head.count && $0.starts(with: head) }
    }

    /// So many first bytes tell whether a text is an export.
    static let markBytesMax = 64

    private static let marks = ["__CURSOR=", "__REALTIME_TIMESTAMP=", "__MONOTONIC_TIMESTAMP="]
        .map { Array($0.utf8) }

    /// Takes in what was read.
    mutating func append(_ bytes: ArraySlice<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            searched -= start
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// Bytes of an entry whose end has not come.
    var unfinishedBytes: Int {
        hasFields ? Int(clamping: offset + UInt64(buffer.count - start) - entryOffset) : 0
    }

    /// Goes on to the next entry.
    mutating func next() -> Step {
        while true {
            if let step = advance() { return step }
        }
    }

    /// Reads one field or part of one. Nil: go on.
    private mutating func advance() -> Step? {
        switch state {
        case .field: readLine()
        case .length(let nameCount): readLength(nameCount)
        case .skipping(let count): skip(count)
        case .valueEnd: readValueEnd()
        case .skippingLine: skipLine()
        case .broken: .broken
        }
    }

    private mutating func use(_ count: Int) {
        start += count
        offset += UInt64(count)
        searched = start
    }

    /// Index of the newline that ends the line at `start`.
    private mutating func lineEnd() -> Int? {
        let from = max(searched, start)
        let found = buffer[from...].firstIndex(of: UInt8(ascii: "\n"))
        searched = found ?? buffer.count
        return found
    }

    private mutating func readLine() -> Step? {
        if !hasFields, start < buffer.count, buffer[start] != UInt8(ascii: "\n") {
            entry.removeAll()
            entryOffset = offset
            hasFields = true
        }
        guard let end = lineEnd() else {
            guard buffer.count - start > Self.fieldBytesMax else { return .more }
            takeLongText()
            return nil
        }
        if end == start {
            use(1)
            return endOfEntry()
        }
        if end - start > Self.fieldBytesMax {
            takeLongText()
            return nil
        }
        if buffer[start..<end].contains(UInt8(ascii: "=")) {
            takeText(end)
        } else if isName(start..<end) {
            name = Array(buffer[start..<end])
            state = .length(nameCount: name.count)
        } else {
            state = .broken
            return nil
        }
        use(end + 1 - start)
        return nil
    }

    /// Takes what is kept of a text field that is longer.
    private mutating func takeLongText() {
        let end = start + Self.fieldBytesMax
        if buffer[start..<end].contains(UInt8(ascii: "=")) {
            takeText(end)
            state = .skippingLine
        } else {
            state = .broken
        }
    }

    /// Several empty lines are one.
    private mutating func endOfEntry() -> Step? {
        guard hasFields else { return nil }
        hasFields = false
        return .entry
    }

    private func isName(_ range: Range<Int>) -> Bool {
        range.count <= 64
            && buffer[range].allSatisfy {
                (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 == UInt8(ascii: "_")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            }
    }

    /// Takes the text field in `buffer[start..<end]`.
    private mutating func takeText(_ end: Int) {
        // A reference of its own to the bytes, since the entry changes while they are looked at.
        let bytes = buffer
        let line = bytes.span.extracting(start..<end)
        guard let equals = line.indices.first(where: { line[$0] == UInt8(ascii: "=") }) else {
            return
        }
        let value = line.extracting((equals + 1)..<line.count)
        let fieldName = line.extracting(0..<equals)
        if fieldName.hasBytes(Self.realtime) {
            entry.realtimeMicroseconds = Self.number(value) ?? 0
        } else {
            entry.add(name: fieldName, value: value, matches: matches)
        }
    }

    private static let realtime = Array("__REALTIME_TIMESTAMP".utf8)

    private static func number(_ digits: Span<UInt8>) -> Int64? {
        guard digits.count <= 18 else { return nil }
        var value: Int64 = 0
        for index in digits.indices {
            let byte = digits[index]
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        return value
    }

    /// Reads a binary field's length, and as much of its value as is kept.
    private mutating func readLength(_ nameCount: Int) -> Step? {
        guard buffer.count - start >= 8 else { return .more }
        var length: UInt64 = 0
        for byte in buffer[start..<(start + 8)].reversed() { length = length << 8 | UInt64(byte) }
        let kept = Int(min(length, UInt64(SourceLimits.lineBytesMax + 1)))
        guard buffer.count - start >= 8 + kept else { return .more }
        let (bytes, fieldName) = (buffer, name)
        entry.add(
            name: fieldName.span,
            value: bytes.span.extracting((start + 8)..<(start + 8 + kept)),
            matches: matches
        )
        use(8 + kept)
        state = .skipping(length - UInt64(kept))
        return nil
    }

    private mutating func skip(_ count: UInt64) -> Step? {
        let here = Int(min(count, UInt64(buffer.count - start)))
        use(here)
        if UInt64(here) < count {
            state = .skipping(count - UInt64(here))
            return .more
        }
        state = .valueEnd
        return nil
    }

    private mutating func readValueEnd() -> Step? {
        guard start < buffer.count else { return .more }
        guard buffer[start] == UInt8(ascii: "\n") else {
            state = .broken
            return nil
        }
        use(1)
        state = .field
        return nil
    }

    private mutating func skipLine() -> Step? {
        guard let end = lineEnd() else {
            use(buffer.count - start)
            return .more
        }
        use(end + 1 - start)
        state = .field
        return nil
    }
}
