/// A number of a rule or an event.
///
/// The same number has one form only: a floating-point number without a fraction that an `Int64`
/// holds is an `integer`. So `==` compares as numbers compare.
public struct Number: Hashable, Sendable {
    public enum Form: Hashable, Sendable {
        case integer(Int64)
        case real(Double)
    }
    public let form: Form

    public init(_ value: Int64) {
        form = .integer(value)
    }

    public init(_ value: Double) {
        // `Int64(exactly:)` is nil for a fraction, an infinity, NaN and what lies outside Int64.
        form = Int64(exactly: value).map(Form.integer) ?? .real(value)
    }

    /// The decimal text of this number: what a text field equal to it says.
    public var text: String {
        switch form {
        case .integer(let value): value.description
        case .real(let value): value.description
        }
    }

    /// Reads plain decimal text: a sign, digits, a fraction, an exponent; nothing else.
    ///
    /// Nil for everything that is not a number in that form. Never allocates for integers.
    public init?(decimal text: Span<UInt8>) {
        let count = text.count
        var position = 0
        let isNegative = count > 0 && text[0] == UInt8(ascii: "-")
        if isNegative { position = 1 }
        let firstDigit = position
        var value: Int64 = 0
        var overflows = false
        while position < count, text[position].isASCIIDigit {
            let digit = Int64(text[position] &- UInt8(ascii: "0"))
            let (product, productOverflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflows) =
                isNegative
                ? product.subtractingReportingOverflow(digit)
                : product.addingReportingOverflow(digit)
            overflows = overflows || productOverflows || sumOverflows
            value = sum
            position += 1
        }
        guard position > firstDigit else { return nil }
        if position == count, !overflows {
            self.init(value)
            return
        }
        guard count <= 64, Self.isFractionAndExponent(text, from: position) else { return nil }
        var copy = ""
        for index in 0..<count { copy.unicodeScalars.append(Unicode.Scalar(text[index])) }
        guard let real = Double(copy), real.isFinite else { return nil }
        self.init(real)
    }

    private static func isFractionAndExponent(_ text: Span<UInt8>, from start: Int) -> Bool {
        var position = start
        func skipDigits() -> Bool {
            let first = position
            while position < text.count, text[position].isASCIIDigit { position += 1 }
            return position > first
        }
        if position < text.count, text[position] == UInt8(ascii: ".") {
            position += 1
            guard skipDigits() else { return false }
        }
        if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < text.count,
                text[position] == UInt8(ascii: "+") || text[position] == UInt8(ascii: "-")
            {
                position += 1
            }
            guard skipDigits() else { return false }
        }
        return position == text.count
    }
}

extension Number: Comparable {
    /// Compares exactly, also where a `Double` could not hold the integer. NaN is below nothing.
    public static func < (left: Number, right: Number) -> Bool {
        switch (left.form, right.form) {
        case (.integer(let a), .integer(let b)): a < b
        case (.real(let a), .real(let b)): a < b
        case (.integer(let a), .real(let b)): isBelow(a, b)
        case (.real(let a), .integer(let b)): isAbove(b, a)
        }
    }

    private static func isBelow(_ integer: Int64, _ real: Double) -> Bool {
        // Every Double from 2^63 on is above every Int64, every one below -2^63 is below.
        if real >= 0x1p63 { return true }
        guard real >= -0x1p63 else { return false }  // also NaN
        // integer < real holds when integer < ceil(real): between them lies no integer.
        let ceiling = real.rounded(.up)
        return ceiling >= 0x1p63 || integer < Int64(ceiling)
    }

    private static func isAbove(_ integer: Int64, _ real: Double) -> Bool {
        if real < -0x1p63 { return true }
        guard real < 0x1p63 else { return false }  // also NaN
        return integer > Int64(real.rounded(.down))
    }
}

extension UInt8 {
    @inlinable var isASCIIDigit: Bool { self &- UInt8(ascii: "0") < 10 }
}
