import Sigma

/// A point in time as a field gives it, in UTC.
struct FieldTime {
    /// Since 1970-01-01T00:00:00Z, leap seconds not counted.
    let epochSeconds: Int64
    /// 0…999,999; what is finer is cut off.
    let microsecond: Int64

    /// Since 1970; nil beyond the years that a rule could mean.
    var microseconds: Int64? {
        epochSeconds.magnitude < 400_000_000_000
            ? epochSeconds * 1_000_000 + microsecond : nil
    }

    /// From an integer field: seconds, or milliseconds from 10^11 on (seconds of that size lie
    /// beyond the year 5138, milliseconds of less before March 1973).
    init(epoch value: Int64) {
        if value.magnitude >= 100_000_000_000 {
            // Rounded down, so that a time before 1970 keeps its minute.
            let (quotient, remainder) = value.quotientAndRemainder(dividingBy: 1_000)
            epochSeconds = remainder < 0 ? quotient - 1 : quotient
            microsecond = (remainder < 0 ? remainder + 1_000 : remainder) * 1_000
        } else {
            epochSeconds = value
            microsecond = 0
        }
    }

    /// From RFC 3339 text; white space may stand for `T`, and a time without a zone is UTC. Nil for
    /// everything else.
    init?(_ text: Span<UInt8>) {
        func digits(_ start: Int, _ count: Int) -> Int64? {
            guard start + count <= text.count else { return nil }
            var value: Int64 = 0
            for index in start..<start + count {
                let digit = text[index] &- UInt8(ascii: "0")
                guard digit < 10 else { return nil }
                value = value * 10 + Int64(digit)
            }
            return value
        }
        func has(_ byte: UInt8, at index: Int) -> Bool { index < text.count && text[index] == byte }
        let dash = UInt8(ascii: "-")
        let colon = UInt8(ascii: ":")
        guard let year = digits(0, 4), has(dash, at: 4), let month = digits(5, 2), has(dash, at: 7),
            let day = digits(8, 2), text.count > 10,
            [UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: " ")].contains(text[10]),
            let hour = digits(11, 2), has(colon, at: 13), let minute = digits(14, 2),
            has(colon, at: 16), let second = digits(17, 2),
            (1...12).contains(month), day >= 1, day <= Self.days(inMonth: month, of: year),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        var position = 19
        var fraction: Int64 = 0
        if has(UInt8(ascii: "."), at: position) {
            position += 1
            let start = position
            var unit: Int64 = 100_000
            while position < text.count, text[position] &- UInt8(ascii: "0") < 10 {
                fraction += Int64(text[position] &- UInt8(ascii: "0")) * unit
                unit /= 10
                position += 1
            }
            guard position > start else { return nil }
        }
        microsecond = fraction
        var offsetMinutes: Int64 = 0
        if position < text.count {
            switch text[position] {
            case UInt8(ascii: "Z"), UInt8(ascii: "z"): position += 1
            case UInt8(ascii: "+"), dash:
                guard let hours = digits(position + 1, 2), has(colon, at: position + 3),
                    let minutes = digits(position + 4, 2), hours < 24, minutes < 60
                else { return nil }
                offsetMinutes = (hours * 60 + minutes) * (text[position] == dash ? -1 : 1)
                position += 6
            default: return nil
            }
        }
        guard position == text.count else { return nil }
        let days = Self.daysSinceEpoch(year: year, month: month, day: day)
        epochSeconds = days * 86_400 + (hour * 60 + minute - offsetMinutes) * 60 + min(second, 59)
    }

    func part(_ part: TimePart) -> Int64 {
        let days = Self.floorDivided(epochSeconds, by: 86_400)
        let secondOfDay = epochSeconds - days * 86_400
        switch part {
        case .minute: return secondOfDay / 60 % 60
        case .hour: return secondOfDay / 3_600
        case .day: return Self.date(days).day
        case .month: return Self.date(days).month
        case .year: return Self.date(days).year
        case .week:
            // ISO 8601: a week belongs to the year of its Thursday, and 1970-01-01 was one.
            let weekday = days + 3 - Self.floorDivided(days + 3, by: 7) * 7  // Monday 0
            let thursday = days - weekday + 3
            let year = Self.date(thursday).year
            return (thursday - Self.daysSinceEpoch(year: year, month: 1, day: 1)) / 7 + 1
        }
    }

    private static func floorDivided(_ value: Int64, by divisor: Int64) -> Int64 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    private static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    // Both directions after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"
    // (days_from_civil, civil_from_days): years begin in March, in eras of 400 years.

    private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = floorDivided(shifted, by: 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivided(shifted, by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
