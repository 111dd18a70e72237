import MailLog
import Records
import Testing

/// Central Europe in 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC.
private let berlin = ZoneRules { seconds in
    seconds >= 1_774_746_000 && seconds < 1_792_890_000 ? 7_200 : 3_600
}

private func moments(
    _ stamps: [(Int, Int, Int)],
    zone: ZoneRules = .utc,
    year: Int?,
    hint: TimeHint = .none
) -> [Int64?] {
    var resolver = TimeResolver(zone: zone, firstYear: year)
    resolver.beginFile(hint)
    return stamps.map { month, day, second in
        resolver.resolve(Stamp(month: month, day: day, secondOfDay: second), observed: 0)
            .map { $0 / 1_000_000 }
    }
}

@Suite struct TimeResolverTests {
    @Test func theYearGoesOnOverNewYear() {
        let found = moments([(12, 31, 86_399), (1, 1, 0), (12, 31, 86_398), (1, 1, 1)], year: 2025)
        #expect(found == [1_767_225_599, 1_767_225_600, 1_767_225_598, 1_767_225_601])
    }

    @Test func withoutAnyHintThereIsNoYear() {
        #expect(moments([(3, 1, 0)], year: nil) == [nil])
    }

    /// The latest year that puts the first stamp at most a day after the file's own time.
    @Test(arguments: [
        (1_772_359_200 as Int64, 3, 1, 36_000, 1_772_359_200 as Int64),
        (1_767_225_600, 12, 28, 0, 1_766_880_000),
        (1_767_225_600, 1, 1, 43_200, 1_767_268_800),
    ]) func theFilesTimeGivesTheYear(
        _ hint: Int64,
        _ month: Int,
        _ day: Int,
        _ second: Int,
        _ expected: Int64
    ) {
        #expect(moments([(month, day, second)], year: nil, hint: .modified(hint)) == [expected])
    }

    @Test func anHourThatComesTwiceIsReadTwice() {
        // 25 October 2026: 02:30 comes at 00:30 UTC and at 01:30 UTC.
        let found = moments(
            [
                (10, 25, 9_000), (10, 25, 10_799), (10, 25, 7_200), (10, 25, 9_000),
                (10, 25, 10_800),
            ],
            zone: berlin,
            year: 2026
        )
        let first = 1_792_888_200 as Int64  // 00:30 UTC
        #expect(found == [first, first + 1_799, first + 1_800, first + 3_600, first + 5_400])
    }

    @Test func aStampThatNamesItsMomentNeedsNoYear() {
        var resolver = TimeResolver(zone: berlin, firstYear: nil)
        #expect(resolver.resolve(Stamp(microseconds: 5), observed: 0) == 5)
    }

    /// Stored and restored at any point, it goes on as if nothing had been.
    @Test func aRestoreChangesNothing() throws {
        let stamps = (0..<400).map { day in
            Stamp(month: day / 31 % 12 + 1, day: day % 28 + 1, secondOfDay: day)
        }
        var whole = TimeResolver(zone: berlin, firstYear: 2025)
        whole.beginFile(.none)
        var cut = whole
        for stamp in stamps {
            var writer = BinaryWriter()
            cut.write(to: &writer)
            var next = TimeResolver(zone: berlin, firstYear: 2025)
            var reader = BinaryReader(writer.bytes)
            try next.restore(from: &reader)
            cut = next
            #expect(cut.resolve(stamp, observed: 0) == whole.resolve(stamp, observed: 0))
        }
    }
}
