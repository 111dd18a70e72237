/// Seconds of a time span such as `90s`, `5m`, `6h`, `7d` or `2w`; nil when the text is none or is
/// longer than a century.
func spanSeconds(_ text: String) -> Int64? {
    let units: [(name: String, size: Int64)] = [
        ("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 7 * 86_400),
    ]
    guard let seconds = measure(text, units), seconds <= 100 * 365 * 86_400 else { return nil }
    return seconds
}

/// Bytes of a size such as `4096`, `64KiB`, `256MiB`, `1GiB` or `1TiB`; nil when the text is none
/// or is more than `Int64` holds.
func sizeBytes(_ text: String) -> Int64? {
    let units: [(name: String, size: Int64)] = [
        ("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
    ]
    return measure(text, units)
}

/// A whole number without sign, as in `200000` or `200_000`; nil when the text is none, or is more
/// than `Int` holds. A leading zero would be octal to YAML and is refused.
func wholeNumber(_ text: String) -> Int? {
    guard let first = text.utf8.first, isDigit(first) else { return nil }
    guard first != UInt8(ascii: "0") || text.utf8.count == 1 else { return nil }
    guard text.utf8.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: "_") }) else { return nil }
    return Int(text.filter { $0 != "_" })
}

private func measure(_ text: String, _ units: [(name: String, size: Int64)]) -> Int64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let name = text[digits.endIndex...]
    guard let count = Int64(digits), let unit = units.first(where: { $0.name == name }) else {
        return nil
    }
    let (product, isTooLarge) = count.multipliedReportingOverflow(by: unit.size)
    return isTooLarge ? nil : product
}

private func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
}
