import SafeText

/// Reads the times that tables have. All of them are UTC, as Microsoft says of the tracking log
/// ("Message tracking", `date-time`) and of message traces ("Get-MessageTraceV2": "The time stamps on the
/// output are in UTC time format").
///
/// Reports write RFC 3339. `Export-Csv` writes a time as the culture of whoever exported it has it:
/// `11/25/2026 9:11:12 AM`, `25/11/2026 09:11:12`, `25.11.2026 09:11:12`. What is the day and what the
/// month between slashes, only the whole table tells; until it has, such a row is not read.
struct TableTime: Sendable {
    private enum SlashOrder: Sendable {
        case unknown, monthFirst, dayFirst
    }

    /// What the rows so far said of dates with slashes.
    private var order = SlashOrder.unknown

    /// The time in a field: microseconds since 1970, UTC; nil if it is none, or could be two.
    mutating func read(_ text: Span<UInt8>, _ field: Range<Int>) -> Int64? {
        var reader = FieldReader(text, field)
        guard let first = reader.number(digitsMax: 4), let separator = reader.byte(),
            let second = reader.number(digitsMax: 2), reader.byte() == separator,
            let third = reader.number(digitsMax: 4)
        else { return nil }
        let isISO = first.digits == 4
        guard isISO || third.digits == 4 else { return nil }
        let blank = reader.byte()
        guard blank == UInt8(ascii: " ") || isISO && blank == UInt8(ascii: "T") else { return nil }
        guard let clock = reader.clock() else { return nil }
        if isISO {
            guard third.digits <= 2 else { return nil }
            return Self.moment(first.value, second.value, third.value, clock)
        }
        switch separator {
        case UInt8(ascii: "."), UInt8(ascii: "-"):
            return Self.moment(third.value, second.value, first.value, clock)
        case UInt8(ascii: "/"):
            guard learn(first, second, isTwelveHour: clock.isTwelveHour) else { return nil }
            return order == .monthFirst
                ? Self.moment(third.value, first.value, second.value, clock)
                : Self.moment(third.value, second.value, first.value, clock)
        default:
            return nil
        }
    }

    /// Finds out what stands first; false if that is not known.
    private mutating func learn(
        _ first: FieldReader.Number,
        _ second: FieldReader.Number,
        isTwelveHour: Bool
    ) -> Bool {
        guard order == .unknown else { return true }
        if first.value > 12 {
            order = .dayFirst
        } else if second.value > 12 || isTwelveHour && second.digits == 1 {
            // Only the culture of the United States has a day of one digit in the middle.
            order = .monthFirst
        }
        return order != .unknown
    }

    private static let daysInMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

    private static func moment(
        _ year: Int,
        _ month: Int,
        _ day: Int,
        _ clock: FieldReader.Clock
    ) -> Int64? {
        guard year >= 1970, month >= 1, month <= 12, day >= 1, day <= daysInMonth[month - 1] else {
            return nil
        }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        guard month != 2 || day < 29 || isLeap else { return nil }
        let days = Int64(daysSince1970(year: year, month: month, day: day))
        let seconds = days * 86_400 + Int64(clock.second - clock.offset)
        return seconds * 1_000_000 + clock.microsecond
    }
}

/// Walks through a time.
private struct FieldReader {
    private var index: Int
    private let end: Int
    private var text = InlineArray<40, UInt8>(repeating: 0)

    struct Number {
        var value: Int
        var digits: Int
    }

    struct Clock {
        /// Of the day.
        var second: Int
        var microsecond: Int64 = 0
        /// Seconds east of UTC.
        var offset = 0
        var isTwelveHour = false
    }

    init(_ text: Span<UInt8>, _ field: Range<Int>) {
        index = 0
        // A longer field holds no time.
        end = field.count <= 40 ? field.count : 0
        // A copy, since a span cannot be kept.
        for offset in 0..<end { self.text[offset] = text[field.lowerBound + offset] }
    }

    mutating func byte() -> UInt8? {
        guard index < end else { return nil }
        index += 1
        return text[index - 1]
    }

    mutating func number(digitsMax: Int) -> Number? {
        var number = Number(value: 0, digits: 0)
        while index < end, number.digits < digitsMax, isDigit(text[index]) {
            number.value = number.value * 10 + Int(text[index] - UInt8(ascii: "0"))
            number.digits += 1
            index += 1
        }
        return number.digits == 0 ? nil : number
    }

    /// `hh:mm:ss` with what may follow, up to the field's end.
    mutating func clock() -> Clock? {
        guard let hour = number(digitsMax: 2), byte() == UInt8(ascii: ":"),
            let minute = number(digitsMax: 2), byte() == UInt8(ascii: ":"),
            let second = number(digitsMax: 2), minute.value < 60, second.value <= 60
        else { return nil }
        var clock = Clock(second: minute.value * 60 + second.value)
        if index < end, text[index] == UInt8(ascii: ".") {
            index += 1
            guard readFraction(into: &clock) else { return nil }
        }
        switch byte() {
        case nil:
            break
        case UInt8(ascii: "Z"):
            guard index == end else { return nil }
        case UInt8(ascii: "+"):
            guard readOffset(into: &clock, sign: 1) else { return nil }
        case UInt8(ascii: "-"):
            guard readOffset(into: &clock, sign: -1) else { return nil }
        case UInt8(ascii: " "):
            return twelveHours(hour.value, clock)
        case 0xE2:
            // U+202F, as newer libraries write it.
            guard byte() == 0x80, byte() == 0xAF else { return nil }
            return twelveHours(hour.value, clock)
        default:
            return nil
        }
        guard hour.value < 24 else { return nil }
        clock.second += hour.value * 3_600
        return clock
    }

    private mutating func readFraction(into clock: inout Clock) -> Bool {
        var scale: Int64 = 100_000
        var digits = 0
        while index < end, isDigit(text[index]) {
            clock.microsecond += Int64(text[index] - UInt8(ascii: "0")) * scale
            scale /= 10
            digits += 1
            index += 1
        }
        return digits > 0
    }

    private mutating func readOffset(into clock: inout Clock, sign: Int) -> Bool {
        guard let hours = number(digitsMax: 2), byte() == UInt8(ascii: ":"),
            let minutes = number(digitsMax: 2), hours.value < 24, minutes.value < 60, index == end
        else { return false }
        clock.offset = sign * (hours.value * 3_600 + minutes.value * 60)
        return true
    }

    private mutating func twelveHours(_ hour: Int, _ clock: Clock) -> Clock? {
        guard let half = byte(), byte() == UInt8(ascii: "M"), index == end, hour >= 1, hour <= 12,
            half == UInt8(ascii: "A") || half == UInt8(ascii: "P")
        else { return nil }
        var clock = clock
        clock.second += (hour % 12 + (half == UInt8(ascii: "P") ? 12 : 0)) * 3_600
        clock.isTwelveHour = true
        return clock
    }
}
