/// Days since 1970-01-01 of a proleptic Gregorian date. The month counts from 1 to 12.
///
/// After Howard Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`.
@inlinable
public func daysSince1970(year: Int, month: Int, day: Int) -> Int {
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
}

/// The inverse of ``daysSince1970(year:month:day:)``.
public func civilDate(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
    let z = days + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted + (shifted < 10 ? 3 : -9)
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
}

/// RFC 3339 in UTC with milliseconds, as in `2026-03-01T10:00:00.250Z`.
///
/// - Parameter microseconds: microseconds since 1970, UTC; years outside 0…9999 are held at the
///   nearest end, since RFC 3339 has no others.
public func rfc3339(microseconds: Int64) -> String {
    let held = min(max(microseconds, -62_167_219_200_000_000), 253_402_300_799_999_999)
    let (seconds, micros) = floorDivide(held, by: 1_000_000)
    let (days, ofDay) = floorDivide(seconds, by: 86_400)
    let (year, month, day) = civilDate(daysSince1970: Int(days))
    func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
    return padded(Int64(year), 4) + "-" + padded(Int64(month), 2) + "-" + padded(Int64(day), 2)
        + "T" + padded(ofDay / 3_600, 2) + ":" + padded(ofDay / 60 % 60, 2) + ":"
        + padded(ofDay % 60, 2) + "." + padded(micros / 1_000, 3) + "Z"
}

/// Quotient rounded down, and the remainder, which is never negative. `divisor` is positive.
@inlinable
public func floorDivide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    var (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    if remainder < 0 {
        quotient -= 1
        remainder += divisor
    }
    return (quotient, remainder)
}

/// The moment of an RFC 3339 text with a whole second, an optional fraction and a zone:
/// microseconds since 1970; nil if it is none.
public func parseRFC3339(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
        bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: " "),
        bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":")
    else { return nil }
    func number(_ range: Range<Int>) -> Int? {
        var value = 0
        for index in range {
            guard index < bytes.count, bytes[index] >= UInt8(ascii: "0"),
                bytes[index] <= UInt8(ascii: "9")
            else { return nil }
            value = value * 10 + Int(bytes[index] - UInt8(ascii: "0"))
        }
        return value
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
        let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
        (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
    else { return nil }
    let days = daysSince1970(year: year, month: month, day: day)
    let date = civilDate(daysSince1970: days)
    guard date.month == month, date.day == day else { return nil }
    var index = 19
    var fraction: Int64 = 0
    if bytes[index] == UInt8(ascii: ".") {
        index += 1
        var scale: Int64 = 100_000
        let start = index
        while index < bytes.count, let digit = number(index..<(index + 1)) {
            fraction += Int64(digit) * scale
            scale /= 10
            index += 1
        }
        guard index > start else { return nil }
    }
    guard index < bytes.count else { return nil }
    var offset: Int64 = 0
    switch bytes[index] {
    case UInt8(ascii: "Z"), UInt8(ascii: "z"):
        guard index + 1 == bytes.count else { return nil }
    case UInt8(ascii: "+"), UInt8(ascii: "-"):
        guard index + 6 == bytes.count, bytes[index + 3] == UInt8(ascii: ":"),
            let hours = number((index + 1)..<(index + 3)),
            let minutes = number((index + 4)..<(index + 6)), hours < 24, minutes < 60
        else { return nil }
        offset = Int64(hours * 3_600 + minutes * 60)
        if bytes[index] == UInt8(ascii: "-") { offset = -offset }
    default:
        return nil
    }
    let seconds = Int64(days) * 86_400 + Int64(hour * 3_600 + minute * 60 + second) - offset
    return seconds * 1_000_000 + fraction
}
