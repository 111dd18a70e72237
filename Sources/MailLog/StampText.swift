import SafeText

/// Time stamps as servers write them, read byte by byte; none of these traps on any text.
enum StampText {
    /// A stamp and the index behind it.
    typealias Found = (stamp: Stamp, end: Int)

    /// Reads a stamp of any known form at `index`.
    ///
    /// - `Mmm dd hh:mm:ss` (RFC 3164, 4.1.2); the day padded with a blank, with a zero or not at all,
    ///   a year behind it (`Mar  1 2026 10:00:00`), a fraction (syslog-ng's `frac-digits()`,
    ///   `journalctl -o short-precise`).
    /// - `yyyy Mmm dd hh:mm:ss`, with or without a fraction: syslog-ng's `ts-format(full)`.
    /// - `yyyy-mm-ddThh:mm:ss` (RFC 3339, 5.6), with or without a fraction; `Z`, `+hh:mm`, `+hhmm`
    ///   (`journalctl -o short-iso`) or no zone.
    ///
    /// Names of months in other languages are not read: which language it is would be a guess.
    static func read(_ text: Span<UInt8>, at index: Int) -> Found? {
        guard text.count - index >= 15 else { return nil }
        guard isDigit(text[index]) else { return traditional(text, at: index) }
        if text[index + 4] == UInt8(ascii: " ") { return full(text, at: index) }
        return internet(text, at: index)
    }

    private static func traditional(_ text: Span<UInt8>, at start: Int) -> Found? {
        guard let (month, day, afterDay) = date(text, at: start) else { return nil }
        var index = afterDay
        var year: Int?
        if let number = self.number(text, at: index, digits: 4), byte(text, index + 4) == 0x20 {
            year = number
            index += 5
        }
        guard let (second, afterTime) = time(text, at: index) else { return nil }
        let (microseconds, end) = fraction(text, at: afterTime)
        guard let year else {
            return (Stamp(month: month, day: day, secondOfDay: second), end)
        }
        guard let days = days(year, month, day) else { return nil }
        return (local(days, second, microseconds), end)
    }

    private static func full(_ text: Span<UInt8>, at start: Int) -> Found? {
        guard let year = number(text, at: start, digits: 4),
            let (month, day, afterDay) = date(text, at: start + 5),
            let days = days(year, month, day),
            let (second, afterTime) = time(text, at: afterDay)
        else { return nil }
        let (microseconds, end) = fraction(text, at: afterTime)
        return (local(days, second, microseconds), end)
    }

    private static func internet(_ text: Span<UInt8>, at start: Int) -> Found? {
        guard text.count - start >= 19,
            text[start + 10] | 0x20 == UInt8(ascii: "t"),
            let seconds = dateTime(text.extracting(start..<(start + 19)))
        else { return nil }
        let (microseconds, index) = fraction(text, at: start + 19)
        let moment = seconds * 1_000_000 + microseconds
        switch byte(text, index) {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"):
            return (Stamp(microseconds: moment), index + 1)
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            guard let hours = number(text, at: index + 1, digits: 2), hours < 24 else { return nil }
            let colon = byte(text, index + 3) == UInt8(ascii: ":") ? 1 : 0
            guard let minutes = number(text, at: index + 3 + colon, digits: 2), minutes < 60 else {
                return nil
            }
            let east = Int64(hours * 3_600 + minutes * 60) * 1_000_000
            let isWest = text[index] == UInt8(ascii: "-")
            return (Stamp(microseconds: isWest ? moment + east : moment - east), index + 5 + colon)
        default:
            return (Stamp(localMicroseconds: moment), index)
        }
    }

    // MARK: Parts

    /// `Mmm dd `: month, day, and the index behind the blank.
    private static func date(_ text: Span<UInt8>, at start: Int) -> (Int, Int, Int)? {
        guard text.count - start >= 6, let month = monthNumber(text, at: start),
            text[start + 3] == UInt8(ascii: " ")
        else { return nil }
        var index = start + 4
        if text[index] == UInt8(ascii: " ") { index += 1 }
        var day = 0
        let first = index
        while index - first < 2, let digit = number(text, at: index, digits: 1) {
            day = day * 10 + digit
            index += 1
        }
        guard index > first, byte(text, index) == 0x20, day >= 1, day <= daysInMonth(month) else {
            return nil
        }
        return (month, day, index + 1)
    }

    /// `hh:mm:ss`: the second of the day, and the index behind it.
    private static func time(_ text: Span<UInt8>, at start: Int) -> (Int, Int)? {
        guard text.count - start >= 8, let second = secondOfDay(text, at: start) else { return nil }
        return (second, start + 8)
    }

    /// `.ffffff` or `,fff`: microseconds, and the index behind it; 0 if there is none.
    private static func fraction(_ text: Span<UInt8>, at start: Int) -> (Int64, Int) {
        guard let mark = byte(text, start), mark == UInt8(ascii: ".") || mark == UInt8(ascii: ","),
            number(text, at: start + 1, digits: 1) != nil
        else { return (0, start) }
        var index = start + 1
        var microseconds: Int64 = 0
        var scale: Int64 = 100_000
        while index - start <= 9, let digit = number(text, at: index, digits: 1) {
            microseconds += Int64(digit) * scale
            scale /= 10
            index += 1
        }
        return (microseconds, index)
    }

    private static func byte(_ text: Span<UInt8>, _ index: Int) -> UInt8? {
        index < text.count ? text[index] : nil
    }

    /// The number of exactly so many digits at `start`.
    private static func number(_ text: Span<UInt8>, at start: Int, digits: Int) -> Int? {
        guard text.count - start >= digits else { return nil }
        var value = 0
        for index in start..<(start + digits) {
            guard isDigit(text[index]) else { return nil }
            value = value * 10 + Int(text[index] - UInt8(ascii: "0"))
        }
        return value
    }

    private static func local(_ days: Int, _ second: Int, _ microseconds: Int64) -> Stamp {
        Stamp(
            localMicroseconds: (Int64(days) * 86_400 + Int64(second)) * 1_000_000 + microseconds
        )
    }

    /// Days since 1970 of a date that exists.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int? {
        guard year >= 1970, year <= 9_999, month >= 1, month <= 12, day >= 1,
            day <= daysInMonth(month)
        else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        guard month != 2 || day < 29 || isLeap else { return nil }
        return daysSince1970(year: year, month: month, day: day)
    }

    /// February has 29: whether the year is a leap year is not known here.
    static func daysInMonth(_ month: Int) -> Int {
        switch month {
        case 2: 29
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// A digit's value, or a number that makes every sum too large.
    @inline(__always)
    static func digit(_ text: Span<UInt8>, _ index: Int) -> Int {
        isDigit(text[index]) ? Int(text[index] &- UInt8(ascii: "0")) : 1_000_000
    }

    /// `hh:mm:ss` at `index`; the text must have eight bytes there.
    static func secondOfDay(_ text: Span<UInt8>, at index: Int) -> Int? {
        guard text[index + 2] == UInt8(ascii: ":"), text[index + 5] == UInt8(ascii: ":") else {
            return nil
        }
        let hour = digit(text, index) * 10 + digit(text, index + 1)
        let minute = digit(text, index + 3) * 10 + digit(text, index + 4)
        let second = digit(text, index + 6) * 10 + digit(text, index + 7)
        // A leap second is written as :60; it counts as the next one.
        guard hour < 24, minute < 60, second <= 60 else { return nil }
        return hour * 3_600 + minute * 60 + second
    }

    /// The month that three letters at `index` name in English (RFC 3164, 4.1.2); the text must have
    /// them.
    static func monthNumber(_ text: Span<UInt8>, at index: Int) -> Int? {
        switch (text[index], text[index + 1], text[index + 2]) {
        case (UInt8(ascii: "J"), UInt8(ascii: "a"), UInt8(ascii: "n")): 1
        case (UInt8(ascii: "F"), UInt8(ascii: "e"), UInt8(ascii: "b")): 2
        case (UInt8(ascii: "M"), UInt8(ascii: "a"), UInt8(ascii: "r")): 3
        case (UInt8(ascii: "A"), UInt8(ascii: "p"), UInt8(ascii: "r")): 4
        case (UInt8(ascii: "M"), UInt8(ascii: "a"), UInt8(ascii: "y")): 5
        case (UInt8(ascii: "J"), UInt8(ascii: "u"), UInt8(ascii: "n")): 6
        case (UInt8(ascii: "J"), UInt8(ascii: "u"), UInt8(ascii: "l")): 7
        case (UInt8(ascii: "A"), UInt8(ascii: "u"), UInt8(ascii: "g")): 8
        case (UInt8(ascii: "S"), UInt8(ascii: "e"), UInt8(ascii: "p")): 9
        case (UInt8(ascii: "O"), UInt8(ascii: "c"), UInt8(ascii: "t")): 10
        case (UInt8(ascii: "N"), UInt8(ascii: "o"), UInt8(ascii: "v")): 11
        case (UInt8(ascii: "D"), UInt8(ascii: "e"), UInt8(ascii: "c")): 12
        default: nil
        }
    }

    /// `YYYY-MM-DDThh:mm:ss` at the beginning of a text as if it were UTC (RFC 3339, 5.6); the text
    /// must have 19 bytes.
    static func dateTime(_ text: Span<UInt8>) -> Int64? {
        guard text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-") else { return nil }
        let year =
            digit(text, 0) * 1_000 + digit(text, 1) * 100 + digit(text, 2) * 10 + digit(text, 3)
        let month = digit(text, 5) * 10 + digit(text, 6)
        let day = digit(text, 8) * 10 + digit(text, 9)
        guard let days = days(year, month, day), let second = secondOfDay(text, at: 11) else {
            return nil
        }
        return Int64(days) * 86_400 + Int64(second)
    }
}
