import LinuxIO
public import SystemPackage

/// The date in a file's name: the last `YYYYMMDD`, or `YYYY`, `MM` and `DD` with the same `-`, `.`
/// or `_` between them, that has no digit beside it and is a day of the calendar from 1990 to 2099.
///
/// As in `mail.log-20260301.gz`, `mainlog.2026-03-01`, `mail.log-20260301-1772409600`.
///
/// - Returns: seconds since 1970 at the end of that day, UTC.
public func endOfDay(inName path: FilePath) -> Int64? {
    path.lastComponent.flatMap { endOfDay(inName: $0.bytes) }
}

/// As ``endOfDay(inName:)-(FilePath)``, of the name itself.
func endOfDay(inName name: [UInt8]) -> Int64? {
    for start in name.indices.reversed() {
        guard start == 0 || !isDigit(name[start - 1]) else { continue }
        if let date = date(in: name[start...]) { return date }
    }
    return nil
}

private func isDigit(_ byte: UInt8) -> Bool {
    UInt8(ascii: "0") <= byte && byte <= UInt8(ascii: "9")
}

/// The end of the day whose date stands at the front of `text`, with no digit behind it.
private func date(in text: ArraySlice<UInt8>) -> Int64? {
    var rest = text
    func number(_ count: Int) -> Int64? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy(isDigit) else { return nil }
        rest.removeFirst(count)
        return digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }
    guard let year = number(4), let separator = rest.first else { return nil }
    let isSeparated = "-._".utf8.contains(separator)
    if isSeparated { rest.removeFirst() }
    guard let month = number(2) else { return nil }
    if isSeparated {
        guard rest.first == separator else { return nil }
        rest.removeFirst()
    }
    guard let day = number(2), rest.first.map(isDigit) != true else { return nil }
    guard (1990...2099).contains(year), (1...12).contains(month) else { return nil }
    let isLeapYear = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let lengths: [Int64] = [31, isLeapYear ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard (1...lengths[Int(month - 1)]).contains(day) else { return nil }
    // Days since 1970: whole years with their leap days, whole months, then the day itself, at
    // whose end we are. From 1970 to 2099 every fourth year is a leap year.
    let years = (year - 1970) * 365 + (year - 1969) / 4
    let months = lengths.prefix(Int(month - 1)).reduce(0, +)
    return (years + months + day) * 86_400
}
