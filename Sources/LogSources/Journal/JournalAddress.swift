import Records

/// Which entry of which journal: what its cursor says.
///
/// The cursor's text is `s=ID;i=NUMBER;b=BOOT;m=MONOTONIC;t=REALTIME;x=HASH`, in hex
/// (`sd_journal_get_cursor` in systemd's sd-journal.c, the same since its first version).
/// sd_journal_get_cursor(3) calls it opaque, so a text that is otherwise is no error: then the
/// number is 0 and whoever needs one has to count.
struct JournalAddress: Sendable {
    /// The cursor's text.
    private(set) var text: [UInt8] = []
    /// The sequence number ID: within it, numbers ascend and none comes twice.
    private(set) var sequenceID: UInt128 = 0
    /// The sequence number.
    private(set) var number: UInt64 = 0
    /// Index in ``text`` behind ID and number: the rest names the entry itself, in whatever journal
    /// file it is, as when journald moves its entries from `/run` to `/var` and numbers them anew.
    private var entryStart = 0
    /// `__REALTIME_TIMESTAMP`: microseconds since 1970, UTC.
    var realtimeMicroseconds: Int64 = 0

    init() {}

    init(_ cursor: JournalCursor) {
        set(cursor.text.utf8.span, realtimeMicroseconds: cursor.realtimeMicroseconds)
    }

    mutating func set(_ cursor: Span<UInt8>, realtimeMicroseconds: Int64) {
        text.removeAll(keepingCapacity: true)
        text.append(copying: cursor)
        self.realtimeMicroseconds = realtimeMicroseconds
        var index = 0
        sequenceID = 0
        number = 0
        entryStart = 0
        guard let id = readField(UInt8(ascii: "s"), digitsMax: 32, at: &index),
            let value = readField(UInt8(ascii: "i"), digitsMax: 16, at: &index)
        else { return }
        sequenceID = id
        number = UInt64(truncatingIfNeeded: value)
        entryStart = index
    }

    /// Reads `NAME=HEX;`.
    private func readField(_ name: UInt8, digitsMax: Int, at index: inout Int) -> UInt128? {
        guard text.count > index + 2, text[index] == name, text[index + 1] == UInt8(ascii: "=")
        else { return nil }
        index += 2
        let start = index
        var value: UInt128 = 0
        while index < text.count, let digit = hexDigit(text[index]) {
            guard index - start < digitsMax else { return nil }
            value = value << 4 | UInt128(digit)
            index += 1
        }
        guard index > start, index < text.count, text[index] == UInt8(ascii: ";") else {
            return nil
        }
        index += 1
        return value
    }

    /// Whether it follows `other` in its sequence, without another between them.
    func follows(_ other: borrowing JournalAddress) -> Bool {
        number > 0 && sequenceID == other.sequenceID && number == other.number &+ 1
    }

    /// Whether it is known to be `other`, or to stand before it.
    func isNotAfter(_ other: borrowing JournalAddress) -> Bool {
        if number > 0, sequenceID == other.sequenceID { return number <= other.number }
        return isSameEntry(as: other)
    }

    /// Whether both name one entry, in whatever journal file.
    func isSameEntry(as other: borrowing JournalAddress) -> Bool {
        entryStart > 0 && other.entryStart > 0
            && text[entryStart...] == other.text[other.entryStart...]
    }

    /// Whether it stands before `other`, as well as that can be told.
    func isBefore(_ other: borrowing JournalAddress) -> Bool {
        if number > 0, sequenceID == other.sequenceID { return number < other.number }
        return realtimeMicroseconds < other.realtimeMicroseconds
    }

    var cursor: JournalCursor {
        JournalCursor(
            text: String(decoding: text, as: UTF8.self),
            realtimeMicroseconds: realtimeMicroseconds
        )
    }
}

/// The files of journals: one for each sequence number ID, entered when its first entry comes.
struct JournalSequences: Sendable {
    private var numbers: [UInt128: FileNumber] = [:]
    private var last: (id: UInt128, file: FileNumber)?

    mutating func file(of sequenceID: UInt128, in files: FileTable) -> FileNumber {
        if let last, last.id == sequenceID { return last.file }
        let file: FileNumber
        if let known = numbers[sequenceID] {
            file = known
        } else {
            let digits = String(sequenceID, radix: 16)
            let text = String(repeating: "0", count: 32 - digits.utf8.count) + digits
            file = files.append(
                FileDescription(path: "journal:" + text, identity: nil, timeHint: .none)
            )
            numbers[sequenceID] = file
        }
        last = (sequenceID, file)
        return file
    }
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
