import Testing

@testable import Memory

@Suite struct SurpriseTests {
    /// Tenths of −log₁₀ P(X ≥ count), with 60 decimal digits by another program (Python's decimal,
    /// term by term), for a mean with 16 binary places.
    private static let exact: [(count: Int, mean: UInt32, tenths: UInt16)] = [
        (1, 1, 48),
        (3, 1, 152),
        (28, 1, 1643),
        (40, 1, 2406),
        (60, 1, 3709),
        (1100, 1, 9999),
        (4096, 1, 9999),
        (1, 3_277, 13),
        (60, 3_277, 1600),
        (100, 3_277, 2881),
        (400, 3_277, 9999),
        (1100, 3_277, 9999),
        (3060, 3_277, 9999),
        (3500, 3_277, 9999),
        (3, 65_536, 11),
        (28, 65_536, 299),
        (400, 65_536, 8692),
        (1100, 65_536, 9999),
        (28, 131_072, 219),
        (40, 131_072, 367),
        (60, 131_072, 647),
        (100, 131_072, 1287),
        (400, 131_072, 7493),
        (1001, 131_072, 9999),
        (1, 163_840, 0),
        (2, 163_840, 0),
        (10, 163_840, 36),
        (60, 163_840, 591),
        (1, 327_680, 0),
        (2, 327_680, 0),
        (3, 327_680, 0),
        (28, 327_680, 120),
        (40, 327_680, 221),
        (1001, 327_680, 9999),
        (1100, 327_680, 9999),
        (4096, 327_680, 9999),
        (2, 1_000_000, 0),
        (5, 1_000_000, 0),
        (60, 1_000_000, 174),
        (1001, 1_000_000, 9999),
        (1100, 1_000_000, 9999),
        (3500, 1_000_000, 9999),
        (1, 6_553_600, 0),
        (3, 6_553_600, 0),
        (5, 6_553_600, 0),
        (40, 6_553_600, 0),
        (100, 6_553_600, 0),
        (1100, 6_553_600, 7131),
        (3500, 6_553_600, 9999),
        (40, 65_536_000, 0),
        (60, 65_536_000, 0),
        (400, 65_536_000, 0),
        (3060, 65_536_000, 5936),
        (2, 200_000_000, 0),
        (5, 200_000_000, 0),
        (40, 200_000_000, 0),
        (60, 200_000_000, 0),
        (100, 200_000_000, 0),
        (400, 200_000_000, 0),
        (3500, 200_000_000, 149),
    ]

    @Test func itIsThatOfPoissonsLaw() {
        for row in Self.exact {
            let found = Surprise.tenths(count: row.count, mean: row.mean)
            #expect(found == row.tenths, "\(row)")
        }
    }

    /// forall means: it never falls when the count grows, and is 0 up to the mean.
    @Test(arguments: [1, 40_000, 65_536, 700_000, 90_000_000] as [UInt32])
    func itGrowsWithTheCount(mean: UInt32) {
        var last: UInt16 = 0
        for count in 0...5_000 {
            let tenths = Surprise.tenths(count: count, mean: mean)
            #expect(tenths >= last)
            if UInt64(count) << 16 <= UInt64(mean) { #expect(tenths == 0) }
            last = tenths
        }
        #expect(last <= 9_999)
    }

    /// A sender of circulars is used to them, and is not any more when half a year has passed.
    @Test func whatWasLearntIsOrdinaryUntilItIsForgotten() {
        var baseline = Baseline()
        let unknown = baseline.mean(hour: 0, ageDays: 100)
        #expect(unknown == 2 << 16)
        #expect(baseline.mean(hour: 0, ageDays: 0) == 5 << 16)
        for hour in 0..<100 as Range<UInt32> { baseline.learn(300, hour: 1_000 + hour) }
        let known = baseline.mean(hour: 1_100, ageDays: 100) >> 16
        #expect((280...300).contains(known))
        // After 14 days, half of what was learnt weighs still: 100 contacts, a little decayed.
        let later = baseline.mean(hour: 1_100 + 336, ageDays: 100) >> 16
        #expect((270...known).contains(later))
        #expect(baseline.mean(hour: 1_100 + 400 * 24, ageDays: 100) < 3 << 16)
    }

    /// After 14 days, what was learnt before weighs half as much against what is learnt then.
    @Test func theHalfLifeIsFourteenDays() {
        var baseline = Baseline()
        for _ in 0..<1_000 { baseline.learn(100, hour: 7) }
        for _ in 0..<500 { baseline.learn(400, hour: 7 + 336) }
        // 500 of the old and 500 of the new, and four of what is taken for ordinary.
        let mean = baseline.mean(hour: 7 + 336, ageDays: 100) >> 16
        #expect((248...250).contains(mean))
    }
}
