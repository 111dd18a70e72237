/// How unusual a count is against its mean, by Poisson's law, in integers only, so that every machine
/// says the same.
///
/// −log₁₀ P(X ≥ k) with P(X = j) = e^−λ λ^j / j!: the first term by logarithms of base 2 with 32
/// binary places, the rest as a series over it. Against exact figures it is right to the tenth, but
/// for the last binary places of a half.
enum Surprise {
    /// Counts above this are taken for it.
    static let countMax = 4_096
    /// The highest answer.
    static let tenthsMax = 9_999

    /// Tenths of −log₁₀ of the chance of at least `count` where `mean` is the mean.
    ///
    /// - Parameter mean: with 16 binary places, above 0.
    /// - Returns: 0 for a count that is not above its mean; at most ``tenthsMax``.
    static func tenths(count: Int, mean: UInt32) -> UInt16 {
        let count = min(count, countMax)
        let lambda = UInt64(max(mean, 1))
        guard count > 0, UInt64(count) << 16 > lambda else { return 0 }
        // P(X ≥ k) / P(X = k) = 1 + λ/(k+1) + λ²/((k+1)(k+2)) + …; each term is smaller than the one
        // before it, since k is above λ.
        var sum: UInt64 = 1 << 32
        var term = sum
        var factor = UInt64(count)
        while term > 1 << 8 {
            factor += 1
            term = term * lambda / (factor << 16)
            sum += term
        }
        let power = Int64(count) * (log2(lambda) - 16 << 32)
        let exponent = (Int64(lambda) * log2E) >> 16
        let logarithm = power - exponent - logFactorials[count] + log2(sum) - 32 << 32
        guard logarithm < 0 else { return 0 }
        // To tenths of decimal places: 32 − 16 + 24 binary places, rounded.
        let tenths = ((-logarithm >> 16) * tenLog2 + 1 << 39) >> 40
        return UInt16(clamping: min(tenths, Int64(tenthsMax)))
    }

    /// log₂ e with 32 binary places, and 10 log₁₀ 2 with 24.
    private static let log2E: Int64 = 6_196_328_019
    private static let tenLog2: Int64 = 50_504_453

    /// log₂ n! with 32 binary places, for n up to ``countMax``.
    private static let logFactorials: [Int64] = {
        var sums: [Int64] = [0]
        for number in 1...countMax {
            sums.append(sums[number - 1] + log2(UInt64(number)))
        }
        return sums
    }()

    /// log₂ of a number above 0 with 32 binary places, bit by bit: squaring doubles the logarithm.
    static func log2(_ number: UInt64) -> Int64 {
        let places = 63 - number.leadingZeroBitCount
        // From 1 to below 2, with 63 binary places.
        var rest = number << UInt64(63 - places)
        var result = Int64(places) << 32
        for bit in stride(from: Int64(31), through: 0, by: -1) {
            // From 1 to below 4, with 62.
            let square = rest.multipliedFullWidth(by: rest).high
            if square >> 63 == 1 {
                result |= 1 << bit
                rest = square
            } else {
                rest = square << 1
            }
        }
        return result
    }
}
