import Records
import State
import SystemPackage
import TestSupport
import Testing

@testable import Pipeline

/// The ledger as a plain list of what was told to it, and what of it must be kept.
private struct Model {
    struct Place: Hashable {
        var source: String
        var day: Int
    }

    let limits: ContinuityLimits
    var counts: [Place: ContinuityCounts] = [:]
    /// Every gap of a day that is kept, none merged.
    var gaps: [Place: [Gap]] = [:]

    private func days(of source: String) -> [Int] {
        counts.keys.filter { $0.source == source }.map(\.day).sorted()
    }

    private var sources: Set<String> { Set(counts.keys.map(\.source)) }

    private mutating func forget(_ place: Place) {
        counts[place] = nil
        gaps[place] = nil
    }

    /// Whether the day is kept.
    private mutating func open(_ place: Place) -> Bool {
        guard counts[place] == nil else { return true }
        if !sources.contains(place.source), sources.count == limits.sourcesMax {
            let idlest = sources.min {
                (self.days(of: $0).last ?? 0, $0) < (self.days(of: $1).last ?? 0, $1)
            }
            for old in counts.keys where old.source == idlest { forget(old) }
        }
        let days = days(of: place.source)
        if days.count == limits.daysMax, let oldest = days.first {
            guard place.day > oldest else { return false }
            forget(Place(source: place.source, day: oldest))
        }
        counts[place] = ContinuityCounts()
        return true
    }

    mutating func note(_ place: Place, lines: Int, first: Int64, last: Int64) {
        guard open(place) else { return }
        let old = counts[place] ?? ContinuityCounts()
        var new = old
        new.lines += lines
        new.bytes += 100 * lines
        new.late += 1
        new.firstMicroseconds = min(old.firstMicroseconds ?? first, first)
        new.lastMicroseconds = max(old.lastMicroseconds ?? last, last)
        counts[place] = new
    }

    mutating func add(_ gap: Gap, _ place: Place) {
        guard open(place) else { return }
        gaps[place, default: []].append(gap)
    }
}

private let hour: Int64 = 3_600_000_000

private func randomGap(
    _ source: String,
    _ day: Int,
    _ random: inout SeededGenerator
) -> Gap {
    let start = Int64(day) * 24 * hour + Int64.random(in: -hour...(25 * hour), using: &random)
    let end = start + Int64.random(in: -1_000...hour, using: &random)
    return Gap(
        Gap.Kind.allCases.randomElement(using: &random) ?? .lost,
        source: source,
        startMicroseconds: Bool.random(using: &random) ? start : nil,
        endMicroseconds: Bool.random(using: &random) ? end : nil,
        lines: Bool.random(using: &random) ? Int.random(in: 0..<50, using: &random) : nil,
        bytes: Bool.random(using: &random) ? Int.random(in: 0..<5_000, using: &random) : nil,
        detail: ["", "/var/log/mail.log.1", "é\u{1b}[31m"].randomElement(using: &random) ?? ""
    )
}

@Suite struct ContinuityTests {
    private static var smallLimits: ContinuityLimits {
        var limits = ContinuityLimits()
        limits.sourcesMax = 3
        limits.daysMax = 4
        limits.gapsMax = 5
        limits.gapsOfSourceMax = 24
        return limits
    }

    /// forall histories: the counts are the model's, every gap of a kept day lies in a gap that is
    /// kept, and what is stored, restored at any moment, says the same.
    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func whatItSaysEqualsTheModel(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let limits = Self.smallLimits
        var ledger = Continuity(limits: limits)
        var model = Model(limits: limits)
        var disk: [[UInt8]: Continuity.Piece] = [:]
        var today = 20_000
        for _ in 0..<400 {
            if Int.random(in: 0..<12, using: &random) == 0 { today += 1 }
            let day = today - Int.random(in: 0...6, using: &random) / 3
            let source = ["a", "b", "c", "d"].randomElement(using: &random) ?? "a"
            let place = Model.Place(source: source == "d" && seed % 2 == 0 ? "a" : source, day: day)
            if Bool.random(using: &random) {
                let first = Int64(day) * 24 * hour + Int64.random(in: 0..<hour, using: &random)
                var counts = ContinuityCounts()
                counts.lines = Int.random(in: 0..<1_000, using: &random)
                counts.bytes = 100 * counts.lines
                counts.late = 1
                counts.firstMicroseconds = first
                counts.lastMicroseconds = first + 5
                ledger.note(source: place.source, day: day, counts)
                model.note(place, lines: counts.lines, first: first, last: first + 5)
            } else {
                let gap = randomGap(place.source, day, &random)
                ledger.add(gap, day: day)
                model.add(gap, place)
            }
            if Int.random(in: 0..<6, using: &random) == 0 {
                for piece in ledger.takeChanges() {
                    let name = [piece.kind.rawValue] + piece.key
                    disk[name] = piece.body == nil ? nil : piece
                }
                #expect(ledger.takeChanges().isEmpty)
                var restored = Continuity(limits: limits)
                try restored.restore(disk.values.shuffled(using: &random))
                #expect(restored.allDays() == ledger.allDays())
                #expect(restored.takeChanges().isEmpty)
                for _ in 0..<5 {
                    let from = Int64(today - 3) * 24 * hour
                    let start = from + Int64.random(in: 0..<(96 * hour), using: &random)
                    let end = start + Int64.random(in: 0..<hour, using: &random)
                    let has = ledger.hasGap(from: start, to: end)
                    #expect(restored.hasGap(from: start, to: end) == has)
                }
                if Bool.random(using: &random) { ledger = restored }
            }
        }
        check(ledger, model, &random)
    }

    private func check(_ ledger: Continuity, _ model: Model, _ random: inout SeededGenerator) {
        let days = ledger.allDays()
        #expect(days.count == model.counts.count)
        for day in days {
            let place = Model.Place(source: day.source, day: day.day)
            #expect(day.counts == model.counts[place])
            let told = model.gaps[place] ?? []
            #expect(day.gapCount == told.count)
            #expect(day.gaps.count <= 5 + Gap.Kind.allCases.count)
            for gap in told {
                let span = gap.span(day: day.day)
                let isCovered = day.gaps.contains {
                    let other = $0.span(day: day.day)
                    return $0.kind == gap.kind && other.lowerBound <= span.lowerBound
                        && other.upperBound >= span.upperBound
                }
                #expect(isCovered)
            }
        }
        let losses = days.flatMap { day in
            day.gaps.filter(\.kind.isLoss).map { $0.span(day: day.day) }
        }
        let last = days.last?.day ?? 0
        for _ in 0..<300 {
            let start =
                Int64(last - 7) * 24 * hour + Int64.random(in: 0..<240, using: &random) * hour
            let end = start + Int64.random(in: 0..<hour, using: &random)
            #expect(
                ledger.hasGap(from: start, to: end)
                    == losses.contains { $0.lowerBound <= end && $0.upperBound >= start }
            )
        }
    }

    @Test func gapsOfOldDaysAreMergedWhenASourceHasTooMany() {
        var ledger = Continuity(limits: Self.smallLimits)
        for day in 1...4 {
            for minute in 0..<5 {
                let at = Int64(day) * 24 * hour + Int64(minute) * 60_000_000
                ledger.add(
                    Gap(
                        .suppressed,
                        source: "a",
                        startMicroseconds: at,
                        endMicroseconds: at,
                        lines: 2
                    ),
                    day: day
                )
            }
        }
        #expect(ledger.allDays().map(\.gaps.count) == [5, 5, 5, 5])
        var limits = Self.smallLimits
        limits.gapsOfSourceMax = 12
        var small = Continuity(limits: limits)
        for day in ledger.allDays() { for gap in day.gaps { small.add(gap, day: day.day) } }
        #expect(small.allDays().map(\.gapCount) == [5, 5, 5, 5])
        #expect(small.allDays().map(\.gaps.count) == [1, 1, 5, 5])
        #expect(small.allDays()[0].gaps[0].lines == 10)
    }

    @Test func aLedgerOfManyGapsIsAskedInNoTime() {
        var ledger = Continuity()
        for day in 0..<900 {
            for second in 0..<20 {
                let at = Int64(day) * 24 * hour + Int64(second) * 1_000_000
                ledger.add(
                    Gap(.lost, source: "a", startMicroseconds: at, endMicroseconds: at + 10),
                    day: day
                )
            }
        }
        #expect(ledger.hasGap(from: 899 * 24 * hour, to: 899 * 24 * hour + 1))
        #expect(!ledger.hasGap(from: 899 * 24 * hour + 11, to: 899 * 24 * hour + 999_999))
        #expect(ledger.allDays().reduce(0) { $0 + $1.gaps.count } <= 10_001)
    }

    @Test func whatWasReadAgainIsNotMissing() {
        var ledger = Continuity()
        ledger.add(Gap(.readAgain, source: "a", startMicroseconds: 5, endMicroseconds: 9), day: 0)
        #expect(!ledger.hasGap(from: 0, to: 10))
        ledger.add(Gap(.truncated, source: "a", startMicroseconds: 20, endMicroseconds: 30), day: 0)
        for (from, to, has) in [(0, 19, false), (0, 20, true), (25, 25, true), (31, 40, false)]
            as [(Int64, Int64, Bool)]
        {
            #expect(ledger.hasGap(from: from, to: to) == has)
        }
    }

    @Test func aGapWithoutTimesTouchesItsWholeDayInEveryZone() {
        var ledger = Continuity()
        ledger.add(Gap(.unreadable, source: "a"), day: 100)
        for (time, has) in [
            (100 * 24 - 15, false), (100 * 24 - 14, true), (101 * 24 + 12, true),
            (101 * 24 + 13, false),
        ] as [(Int64, Bool)] {
            #expect(ledger.hasGap(from: time * hour, to: time * hour) == has)
        }
    }

    @Test func aGapOfManyDaysIsShownFromEachOfThemOn() {
        var ledger = Continuity()
        ledger.note(source: "a", day: 9, ContinuityCounts())
        ledger.add(
            Gap(
                .vacuumed,
                source: "a",
                startMicroseconds: 10 * 24 * hour,
                endMicroseconds: 15 * 24 * hour
            ),
            day: 10
        )
        ledger.note(source: "a", day: 15, ContinuityCounts())
        ledger.note(source: "a", day: 18, ContinuityCounts())
        for (since, days) in [
            (9, [9, 10, 15, 18]), (10, [10, 15, 18]), (15, [10, 15, 18]), (16, [18]), (19, []),
        ] {
            #expect(
                ledger.allDays(since: since).map(\.day) == days
            )
        }
        #expect(ledger.allDays(since: .max).isEmpty)
        #expect(ledger.allDays(since: .min).count == 4)
    }

    @Test func extremeDaysAndTimesAreTaken() throws {
        var ledger = Continuity()
        for day in [Int.min, -1, 0, Int.max] {
            ledger.add(Gap(.lost, source: "a"), day: day)
            ledger.add(Gap(.lost, source: "a", startMicroseconds: .max), day: day)
            ledger.add(Gap(.lost, source: "a", endMicroseconds: .min, lines: .max), day: day)
            var counts = ContinuityCounts()
            counts.bytes = .max
            counts.firstMicroseconds = .min
            ledger.note(source: "a", day: day, counts)
            ledger.note(source: "a", day: day, counts)
        }
        var restored = Continuity()
        try restored.restore(ledger.takeChanges())
        #expect(restored.allDays() == ledger.allDays())
        #expect(!continuityTable(restored.allDays(), isColoured: true).isEmpty)
        for day in restored.allDays() { #expect(day.gapsJSON().count == day.gaps.count) }
    }

    @Test func longDetailsAreCutAtACharacter() {
        var ledger = Continuity()
        let detail = String(repeating: "é", count: 2_000)
        ledger.add(Gap(.lost, source: "a", detail: detail), day: 1)
        let kept = ledger.allDays()[0].gaps[0].detail
        #expect(kept.utf8.count == 1_024)
        #expect(detail.hasPrefix(kept))
    }

    /// forall changed bytes of a stored piece: an error or a piece, never a trap.
    @Test func damagedPiecesDoNotTrap() throws {
        var ledger = Continuity()
        var counts = ContinuityCounts()
        counts.lines = 5
        counts.firstMicroseconds = 7
        ledger.note(source: "mail", day: 20_000, counts)
        ledger.add(
            Gap(.lost, source: "mail", startMicroseconds: 3, lines: 4, detail: "x"),
            day: 20_000
        )
        let pieces = ledger.takeChanges()
        #expect(pieces.count == 2)
        for (number, piece) in pieces.enumerated() {
            let body = piece.body ?? []
            for index in 0..<(piece.key.count + body.count) {
                for byte in [0, 1, 0x7f, 0x80, 0xff] as [UInt8] {
                    var changed = pieces
                    if index < piece.key.count {
                        changed[number].key[index] = byte
                    } else {
                        changed[number].body?[index - piece.key.count] = byte
                    }
                    var other = Continuity()
                    if (try? other.restore(changed)) != nil {
                        _ = continuityTable(other.allDays(), isColoured: false)
                        _ = other.hasGap(from: 0, to: .max)
                    } else {
                        #expect(other.allDays().isEmpty)
                    }
                }
            }
            for count in body.indices {
                var short = pieces
                short[number].body = Array(body[..<count])
                var other = Continuity()
                #expect(throws: BinaryReadError.self) { try other.restore(short) }
            }
        }
        var orphan = Continuity()
        #expect(throws: BinaryReadError.self) { try orphan.restore([pieces[1]]) }
    }

    /// Through the state's file, while it is open for writing.
    @Test func theStateKeepsTheLedger() throws {
        let scratch = try Scratch()
        let folder = FilePath(scratch.path("state"))
        let store = try StateStore(folder: folder, create: .init(nowMicroseconds: 0, host: "mx1"))
        var limits = ContinuityLimits()
        limits.daysMax = 2
        var ledger = Continuity(limits: limits)
        for day in 1...4 {
            ledger.note(source: "mail", day: day, ContinuityCounts())
            ledger.add(Gap(.vacuumed, source: "mail", lines: day), day: day)
            var changes = Changes()
            ledger.takeChanges(into: &changes)
            try store.commit(changes, durable: false)
            var restored = Continuity(limits: limits)
            try restored.restore(from: StateReader(folder: folder))
            #expect(restored.allDays() == ledger.allDays())
        }
        #expect(ledger.allDays().map(\.day) == [3, 4])
        #expect(try store.pieceCount(.gap) == 2)
    }

    @Test func theTableIsAlignedAndHasGapsBelowTheirDay() {
        var ledger = Continuity()
        let noon = (Int64(daysOfMarch) * 24 + 12) * hour
        var counts = ContinuityCounts()
        counts.lines = 1_200
        counts.bytes = 98_765
        counts.firstMicroseconds = noon
        counts.lastMicroseconds = noon + hour
        counts.rotations = 1
        counts.forged = 2
        ledger.note(source: "/var/log/mail.log", day: daysOfMarch, counts)
        ledger.note(source: "journal", day: daysOfMarch + 1, ContinuityCounts())
        ledger.add(
            Gap(
                .vacuumed,
                source: "journal",
                startMicroseconds: noon,
                endMicroseconds: noon + hour,
                detail: "evil\u{1b}[2J"
            ),
            day: daysOfMarch + 1
        )
        ledger.add(
            Gap(.suppressed, source: "journal", endMicroseconds: noon, lines: 1),
            day: daysOfMarch + 1
        )
        #expect(
            continuityTable(ledger.allDays(), isColoured: false) == """
                date        source             lines  bytes  first                 last                  rotations  cut  late  forged  gaps
                2026-03-01  /var/log/mail.log   1200  98765  2026-03-01T12:00:00Z  2026-03-01T13:00:00Z          1    0     0       2     0
                2026-03-02  journal                0      0  -                     -                             0    0     0       0     2
                    vacuumed: an unknown number of lines left the journal before being read, from 2026-03-01T12:00:00Z to 2026-03-01T13:00:00Z: evil\\u{1b}[2J
                    suppressed: 1 line not written, since there were too many, before 2026-03-01T12:00:00Z

                """
        )
        let objects = ledger.allDays(since: daysOfMarch + 1).flatMap { [$0.json()] + $0.gapsJSON() }
        #expect(
            objects.map { String(decoding: $0, as: UTF8.self) } == [
                #"{"postern.source":"journal","date":"2026-03-02","bytes":0,"lines":0,"#
                    + #""rotations":0,"cut":0,"late":0,"forged":0,"gaps":2}"#,
                #"{"postern.source":"journal","date":"2026-03-02","gap":"vacuumed","#
                    + #""start":"2026-03-01T12:00:00.000Z","end":"2026-03-01T13:00:00.000Z","#
                    + #""count":1,"detail":"evil\u001b[2J","message":"an unknown number of lines "#
                    + #"left the journal before being read, from 2026-03-01T12:00:00Z to "#
                    + #"2026-03-01T13:00:00Z"}"#,
                #"{"postern.source":"journal","date":"2026-03-02","gap":"suppressed","#
                    + #""end":"2026-03-01T12:00:00.000Z","lines":1,"count":1,"message":"1 line not "#
                    + #"written, since there were too many, before 2026-03-01T12:00:00Z"}"#,
            ]
        )
    }

    /// 2026-03-01.
    private var daysOfMarch: Int { 20_513 }
}
