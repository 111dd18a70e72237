/// Seconds of a Sigma time span such as `90s`, `5m`, `6h`, `7d`, `2w`, `1M`, `1y`; nil when the
/// text is none, is zero, or is longer than a century.
///
/// The units are those of the Sigma specification; a month is 30 days and a year 365 here (pySigma
/// takes 30.44 and 365.24).
public func timespanSeconds(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    guard bytes.count >= 2, bytes.count <= 12 else { return nil }
    let unitSeconds: Int64
    switch bytes[bytes.count - 1] {
    case UInt8(ascii: "s"): unitSeconds = 1
    case UInt8(ascii: "m"): unitSeconds = 60
    case UInt8(ascii: "h"): unitSeconds = 3_600
    case UInt8(ascii: "d"): unitSeconds = 86_400
    case UInt8(ascii: "w"): unitSeconds = 7 * 86_400
    case UInt8(ascii: "M"): unitSeconds = 30 * 86_400
    case UInt8(ascii: "y"): unitSeconds = 365 * 86_400
    default: return nil
    }
    var count: Int64 = 0
    for byte in bytes.dropLast() {
        guard byte.isASCIIDigit else { return nil }
        count = count * 10 + Int64(byte - UInt8(ascii: "0"))  // at most 11 digits
    }
    let seconds = count * unitSeconds  // at most 10^11 · 3·10^7, inside Int64
    return seconds > 0 && seconds <= 100 * 365 * 86_400 ? seconds : nil
}
