import Records
import SafeText

/// Makes the line of a journal entry: as rsyslog would have written it to a file, with a stamp in
/// full.
///
/// `YYYY-MM-DDThh:mm:ss.uuuuuu+00:00 HOST TAG[PID]: MESSAGE`. Host and tag come from fields that
/// may hold any bytes: what could end them early is replaced by `?`. Control bytes of the message
/// become `#` and three octal digits, as rsyslog does it (`global(parser.escapeControlCharacters…)`,
/// the default), so that an entry is one line; all other bytes stay.
struct EntryLine: Sendable {
    /// The line, without a newline; at most ``SourceLimits/lineBytesMax`` bytes.
    private(set) var bytes: [UInt8] = []
    /// Whether something did not fit.
    private(set) var isCut = false
    /// The date and time of the last line's second.
    private var second = Int64.min
    private var secondBytes: [UInt8] = []

    init() {
        bytes.reserveCapacity(SourceLimits.lineBytesMax)
        secondBytes.reserveCapacity(20)
    }

    /// Makes the line of `entry`, which must have a message.
    mutating func make(_ entry: borrowing JournalEntry) {
        bytes.removeAll(keepingCapacity: true)
        isCut = false
        appendStamp(entry.eventMicroseconds)
        bytes.append(UInt8(ascii: " "))
        appendWord(entry, entry.range(of: .hostName), isTag: false)
        bytes.append(UInt8(ascii: " "))
        appendWord(entry, entry.range(of: .identifier) ?? entry.range(of: .command), isTag: true)
        if let pid = entry.number(.syslogPID) ?? entry.number(.pid) {
            bytes.append(UInt8(ascii: "["))
            appendNumber(pid)
            bytes.append(UInt8(ascii: "]"))
        }
        bytes.append(UInt8(ascii: ":"))
        bytes.append(UInt8(ascii: " "))
        if let message = entry.range(of: .message) { appendMessage(entry, message) }
    }

    private mutating func appendStamp(_ microseconds: Int64) {
        let held = min(max(microseconds, 0), 253_402_300_799_999_999)
        let (moment, fraction) = held.quotientAndRemainder(dividingBy: 1_000_000)
        if moment != second { makeSecond(moment) }
        bytes.append(contentsOf: secondBytes)
        bytes.append(UInt8(ascii: "."))
        Self.append(fraction, width: 6, to: &bytes)
        bytes.append(contentsOf: "+00:00".utf8)
    }

    private mutating func makeSecond(_ moment: Int64) {
        second = moment
        secondBytes.removeAll(keepingCapacity: true)
        let (days, ofDay) = moment.quotientAndRemainder(dividingBy: 86_400)
        let (year, month, day) = civilDate(daysSince1970: Int(days))
        Self.append(Int64(year), width: 4, to: &secondBytes)
        secondBytes.append(UInt8(ascii: "-"))
        Self.append(Int64(month), width: 2, to: &secondBytes)
        secondBytes.append(UInt8(ascii: "-"))
        Self.append(Int64(day), width: 2, to: &secondBytes)
        secondBytes.append(UInt8(ascii: "T"))
        Self.append(ofDay / 3_600, width: 2, to: &secondBytes)
        secondBytes.append(UInt8(ascii: ":"))
        Self.append(ofDay / 60 % 60, width: 2, to: &secondBytes)
        secondBytes.append(UInt8(ascii: ":"))
        Self.append(ofDay % 60, width: 2, to: &secondBytes)
    }

    /// Appends `value`, which is not negative and has at most `width` digits.
    private static func append(_ value: Int64, width: Int, to bytes: inout [UInt8]) {
        let start = bytes.count
        var rest = value
        for _ in 0..<width { bytes.append(UInt8(ascii: "0")) }
        for index in (start..<(start + width)).reversed() {
            bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }

    private mutating func appendNumber(_ value: UInt64) {
        let start = bytes.count
        var rest = value
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    /// A host name or tag: at most 255 bytes, and none that ends it before its end. What is absent
    /// or empty is `-`, as in RFC 5424.
    private mutating func appendWord(
        _ entry: borrowing JournalEntry,
        _ range: Range<Int>?,
        isTag: Bool
    ) {
        guard let range, !range.isEmpty else {
            bytes.append(UInt8(ascii: "-"))
            return
        }
        if range.count > 255 { isCut = true }
        for index in range.prefix(255) {
            let byte = entry.storage[index]
            switch byte {
            case 0...32, 127:
                bytes.append(UInt8(ascii: "?"))
            case UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                bytes.append(isTag ? UInt8(ascii: "?") : byte)
            default:
                bytes.append(byte)
            }
        }
    }

    private mutating func appendMessage(_ entry: borrowing JournalEntry, _ range: Range<Int>) {
        let text = entry.storage.span
        var start = range.lowerBound
        var index = start
        var end = range.upperBound
        // A newline that only ends the message is none within it.
        if end > start, text[end - 1] == UInt8(ascii: "\n") { end -= 1 }
        while index < end {
            let byte = text[index]
            if byte < 32 || byte == 127 {
                append(text.extracting(start..<index))
                append(escaped: byte)
                start = index + 1
                if isCut { return }
            }
            index += 1
        }
        append(text.extracting(start..<end))
    }

    private mutating func append(_ span: Span<UInt8>) {
        let count = min(span.count, SourceLimits.lineBytesMax - bytes.count)
        bytes.append(copying: span.extracting(0..<count))
        if count < span.count { isCut = true }
    }

    private mutating func append(escaped byte: UInt8) {
        guard SourceLimits.lineBytesMax - bytes.count >= 4 else {
            isCut = true
            return
        }
        bytes.append(UInt8(ascii: "#"))
        bytes.append(UInt8(ascii: "0") + byte >> 6)
        bytes.append(UInt8(ascii: "0") + byte >> 3 & 7)
        bytes.append(UInt8(ascii: "0") + byte & 7)
    }
}

extension Batch {
    /// Whether it has room for one more line of any length and its newline.
    var hasRoomForLine: Bool {
        lines.count < lineCapacity && bytes.count - byteCount > SourceLimits.lineBytesMax
    }

    /// Puts a line at its end. It must have room.
    mutating func append(_ line: borrowing EntryLine, position: UInt64) {
        precondition(hasRoomForLine)
        let start = byteCount
        let end = start + line.bytes.count
        bytes.replaceSubrange(start..<end, with: line.bytes)
        bytes[end] = UInt8(ascii: "\n")
        byteCount = end + 1
        lines.append(LineRange(start: UInt32(start), length: UInt32(line.bytes.count)))
        if lines.count == 1 { firstOffset = position }
        positions.append(position)
        nextOffset = position + 1
        if line.isCut { linesCut += 1 }
    }
}
