import Findings
import Records
import Sigma
import TestSupport
import Testing

@testable import Detection

/// The window of rules.md, in the plainest form: all events, sorted by time and then by arrival.
private struct WindowModel {
    var events: [WindowEntry] = []

    mutating func insert(_ entry: WindowEntry) -> Int {
        let index = events.lastIndex { $0.microseconds <= entry.microseconds }.map { $0 + 1 } ?? 0
        events.insert(entry, at: index)
        return index
    }

    func window(endingAt index: Int, timespan: Int64) -> ArraySlice<WindowEntry> {
        events[...index].drop { $0.microseconds <= events[index].microseconds - timespan }
    }

    func figure(_ kind: CorrelationRule.Kind, _ index: Int, _ timespan: Int64) -> Number? {
        let window = window(endingAt: index, timespan: timespan)
        switch kind {
        case .eventCount: return Number(Int64(window.count))
        case .valueCount:
            return Number(Int64(Set(window.map(\.value).filter { $0 != 0 }).count))
        case .temporal, .temporalOrdered: return nil
        case .valueSum, .valueAverage, .valueMedian, .valuePercentile:
            var numbers: [Int64] = []
            for entry in window {
                if case .integer(let value)? = entry.number?.form { numbers.append(value) }
            }
            numbers.sort()
            guard !numbers.isEmpty else { return nil }
            let sum = numbers.reduce(0, +)
            switch kind {
            case .valueSum: return Number(sum)
            case .valueAverage: return Number(Double(sum) / Double(numbers.count))
            case .valueMedian:
                let low = numbers[(numbers.count - 1) / 2]
                let high = numbers[numbers.count / 2]
                return Number(Double(low + high) / 2)
            default:
                let rank = Int((Double(numbers.count) * 0.9).rounded(.up))
                return Number(numbers[max(1, rank) - 1])
            }
        }
    }

    func holds(_ correlation: Correlation, _ index: Int) -> Bool {
        let rules = window(endingAt: index, timespan: correlation.timespan).map { Int($0.rule) }
        func isInOrder(_ wanted: [Int]) -> Bool {
            var rest = wanted[...]
            for rule in rules where rule == rest.first { rest = rest.dropFirst() }
            return rest.isEmpty
        }
        switch correlation.trigger {
        case .everyRule:
            return correlation.kind == .temporal
                ? Set(rules) == [0, 1, 2] : isInOrder([0, 1, 2])
        case .condition:
            // `a and (b or not c)`, the only condition of the tests.
            let isTrue = rules.contains(0) && (rules.contains(1) || !rules.contains(2))
            return isTrue
                && (correlation.kind == .temporal || isInOrder(Set(rules).sorted()))
        case .ruleCount(let bounds):
            return isWithin(bounds, Number(Int64(Set(rules).count)))
        case .figure(let bounds, _, _):
            guard let figure = figure(correlation.kind, index, correlation.timespan) else {
                return false
            }
            return isWithin(bounds, figure)
        }
    }
}

private func isWithin(_ bounds: FigureBounds, _ figure: Number) -> Bool {
    [bounds.first, bounds.upper].compactMap { $0 }.allSatisfy {
        $0.comparison.holds(figure, $0.number)
    }
}

/// Correlations of every kind over the rules a, b and c, by the compiler that the detector uses.
private func correlations(_ timespan: Int) -> [Correlation] {
    let bodies = [
        "type: event_count\n    condition: {gte: 4}",
        "type: event_count\n    condition: {eq: 2}",
        "type: value_count\n    condition: {field: v, gte: 3}",
        "type: value_count\n    condition: {field: v, lt: 2}",
        "type: temporal",
        "type: temporal\n    condition: a and (b or not c)",
        "type: temporal_ordered",
        "type: temporal_ordered\n    condition: a and (b or not c)",
        "type: value_sum\n    condition: {field: v, gte: 9}",
        "type: value_avg\n    condition: {field: v, gt: 2}",
        "type: value_median\n    condition: {field: v, neq: 3}",
        "type: value_percentile\n    condition: {field: v, percentile: 90, gt: 4}",
        "type: event_count\n    condition: {gt: 2, lte: 5}",
        "type: value_count\n    condition: {field: v, lt: 4, gte: 2}",
        "type: value_sum\n    condition: {field: v, gte: 3, lt: 12}",
        "type: value_avg\n    condition: {field: v, gt: 1.5, lt: 3.5}",
        "type: value_median\n    condition: {field: v, lte: 4, gt: 2}",
        "type: value_percentile\n    condition: {field: v, percentile: 90, gte: 2, lte: 6}",
        "type: temporal\n    condition: {gte: 2}",
        "type: temporal\n    condition: {lt: 2}",
        "type: temporal\n    condition: {eq: 2}",
        "type: temporal\n    condition: {neq: 2}",
        "type: temporal\n    condition: {gte: 1, lt: 3}",
    ]
    var text = ""
    for name in ["a", "b", "c"] {
        text +=
            "title: T\nid: \(name)\nlogsource: {}\nlevel: informational\n"
            + "detection: {s: {f: 1}, condition: s}\n---\n"
    }
    for (index, body) in bodies.enumerated() {
        text +=
            "title: T\nid: c\(index)\nlevel: low\ncorrelation:\n    rules: [a, b, c]\n"
            + "    group-by: u\n    timespan: \(timespan)s\n    \(body)\n---\n"
    }
    let reading = RuleReading([RuleFile(name: "t.yml", bytes: Array(text.utf8))])
    #expect(reading.mistakes.isEmpty, "\(reading.mistakes)")
    var fields = FieldTable()
    return CorrelationCompiler(rules: reading.rules, fields: &fields).correlations
}

private func key(_ name: String) -> [UInt8] {
    var writer = BinaryWriter()
    writer.write(name)
    return writer.bytes
}

@Suite struct WindowTests {
    /// forall histories of several groups with late and equal stamps: every figure and every condition
    /// at every event equals the model's, also after the groups were stored and restored.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func figuresAndConditionsEqualTheModel(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let timespan = [5, 30, 100].randomElement(using: &random) ?? 5
        for correlation in correlations(timespan) {
            try compare(correlation, &random)
        }
    }

    private func compare(_ correlation: Correlation, _ random: inout SeededGenerator) throws {
        let lateness: Int64 = 20_000_000
        let kind = correlation.kind
        var groups = CorrelationGroups(kind: kind, timespan: correlation.timespan)
        var models = [WindowModel](repeating: WindowModel(), count: 3)
        var stored: [[UInt8]: [UInt8]] = [:]
        var now: Int64 = 1_000_000_000
        for step in 0..<150 {
            now += ([0, 0, 1, 3, 10, 60].randomElement(using: &random) ?? 0) * 1_000_000
            let isLate = Int.random(in: 0..<4, using: &random) == 0
            let time = isLate ? now - Int64.random(in: 0..<lateness, using: &random) : now
            let hasFigure = Int.random(in: 0..<5, using: &random) > 0
            let figure: WindowEntry.Figure =
                !hasFigure
                ? .none
                : kind == .valueCount
                    ? .value(UInt64.random(in: 1..<30, using: &random))
                    : .number(Number(Int64.random(in: -3..<9, using: &random)))
            let entry = WindowEntry(
                microseconds: time,
                rule: Int.random(in: 0..<3, using: &random),
                held: HeldID(UInt64(step)),
                figure: figure
            )
            // Most go to one group, so that it grows.
            let which = max(0, Int.random(in: -3..<3, using: &random))
            let name = key("g\(which)")
            let number =
                groups.number(key: name, hash: UInt64(which))
                ?? groups.insert(
                    key: name,
                    hash: UInt64(which)
                )
            let expected = models[which].insert(entry)
            var left: [HeldID] = []
            let index = groups.add(
                entry,
                to: number,
                lateness: lateness,
                countMax: 1_000,
                left: &left
            )
            let gone = models[which].events.count - groups.entryCount(number)
            #expect(index == expected - gone)
            for later in index..<groups.entryCount(number) {
                let figure = groups.figure(number, percentile: 90, endingAt: later)
                let wanted = models[which].figure(kind, later + gone, correlation.timespan)
                #expect(figure == wanted, "\(kind) at step \(step)")
                let holds = groups.holds(correlation, number, endingAt: later)
                let shouldHold = models[which].holds(correlation, later + gone)
                #expect(holds == shouldHold, "\(correlation.head.id) at step \(step)")
            }
            guard step % 37 == 0 else { continue }
            for number in groups.takeChanged() {
                let (key, body) = groups.stored(number)
                stored[key] = body
            }
            let order = groups.ordered.map { groups[$0].key }
            groups = CorrelationGroups(kind: kind, timespan: correlation.timespan)
            for (key, body) in stored.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                var reader = BinaryReader(body)
                let which = UInt64(key.last ?? 0) - UInt64(UInt8(ascii: "0"))
                try groups.restore(key: key, hash: which, from: &reader) { _ in true }
                try reader.finish()
            }
            groups.finishRestore()
            let restored = groups.ordered.map { groups[$0].key }
            #expect(restored == order)
        }
    }

    @Test func aFullWindowLetsTheOldestGoAndSaysSo() {
        for kind in [CorrelationRule.Kind.valueCount, .eventCount] {
            var groups = CorrelationGroups(kind: kind, timespan: 1_000)
            let number = groups.insert(key: key("g"), hash: 1)
            var left: [HeldID] = []
            for step in 0..<100 {
                let wasFull = groups.wasFull(number)
                #expect(wasFull == (step > 40))
                let entry = WindowEntry(
                    microseconds: Int64(step),
                    rule: 0,
                    held: HeldID(UInt64(step)),
                    figure: .value(UInt64(step / 2 + 1))
                )
                _ = groups.add(entry, to: number, lateness: 0, countMax: 40, left: &left)
            }
            let (count, figure) = (
                groups.entryCount(number),
                groups.figure(number, percentile: nil, endingAt: 39)
            )
            #expect(count == 40)
            #expect(left.map(\.rawValue) == Array(0..<60))
            #expect(figure == Number(Int64(kind == .valueCount ? 20 : 40)))
        }
    }

    /// To be beyond its upper bound, a count must be able to pass it.
    @Test(arguments: [
        ("gte: 4", 1_024, 4), ("lte: 3000", 6_000, 3_000), ("gt: 100, lte: 5000", 10_000, 101),
        ("lt: 5000, gte: 2000", 10_000, 2_000), ("gte: 2000.5", 4_002, 1),
        ("gt: 9223372036854775807", 200_000, Int.max), ("gte: 1, lte: 900000", 200_000, 1),
    ])
    func aWindowHoldsWhatItsBoundsNeed(condition: String, eventsMax: Int, threshold: Int) throws {
        let text =
            "title: T\nid: a\nlogsource: {}\nlevel: low\ndetection: {s: {f: 1}, condition: s}\n"
            + "---\ntitle: C\nid: c\nlevel: low\ncorrelation: {type: event_count, rules: a,"
            + " timespan: 1h, condition: {\(condition)}}\n"
        let reading = RuleReading([RuleFile(name: "t.yml", bytes: Array(text.utf8))])
        #expect(reading.mistakes.isEmpty, "\(reading.mistakes)")
        var fields = FieldTable()
        let all = CorrelationCompiler(rules: reading.rules, fields: &fields).correlations
        let correlation = try #require(all.first)
        #expect(correlation.windowEventsMax(DetectionLimits()) == eventsMax)
        #expect(correlation.threshold == threshold)
    }

    /// forall histories of groups that come, change and go: each is found by its key, whatever hashes
    /// collide, and the idlest is the one that was longest without an event.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func groupsAreFoundAndStandInTheOrderOfTheirLastEvents(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var groups = CorrelationGroups(kind: .eventCount, timespan: 10)
        var order: [String] = []
        for step in 0..<600 {
            let name = "user\(Int.random(in: 0..<60, using: &random))@hosted.example"
            // Few hashes, so that many collide.
            let hash = UInt64(name.utf8.reduce(0) { $0 &+ Int($1) } % 7)
            let known = groups.number(key: key(name), hash: hash)
            #expect((known != nil) == order.contains(name))
            if let known, Int.random(in: 0..<3, using: &random) == 0 {
                let values = groups[known].values
                #expect(values == [Array(name.utf8)])
                groups.remove(known)
                order.removeAll { $0 == name }
            } else {
                let number = known ?? groups.insert(key: key(name), hash: hash)
                let entry = WindowEntry(
                    microseconds: Int64(step),
                    rule: 0,
                    held: HeldID(UInt64(step)),
                    figure: .none
                )
                var left: [HeldID] = []
                _ = groups.add(entry, to: number, lateness: 0, countMax: 9, left: &left)
                order.removeAll { $0 == name }
                order.append(name)
                if Int.random(in: 0..<9, using: &random) == 0 {
                    groups.change(number) { changes in
                        changes.episode = Episode(
                            id: AlertID(rule: "r", group: [], earliestMicroseconds: 0),
                            start: 0,
                            match: 0,
                            threshold: 1
                        )
                    }
                }
            }
            #expect(groups.count == order.count)
            let idlest = groups.idlest.map { groups[$0].values }
            #expect(idlest == order.first.map { [Array($0.utf8)] })
        }
        let ordered = groups.ordered.map { groups[$0].values }
        #expect(ordered == order.map { [Array($0.utf8)] })
        #expect(groups.removed.count > 20)
    }

    /// A group of the version before, with a value and a number for each event.
    @Test func groupsOfTheFirstVersionAreRead() throws {
        var writer = BinaryWriter()
        writer.write(UInt8(1))
        writer.write(UInt64(7))
        writer.write(UInt32(1))
        writer.write("alice")
        writer.write(true)
        writer.write(UInt32(2))
        for (time, value) in [(Int64(5), UInt64(11)), (9, 12)] {
            writer.write(time)
            writer.write(UInt8(1))
            writer.write(UInt64(time))
            writer.write(value)
            writer.write(UInt8(1))
            writer.write(Int64(value) * 2)
        }
        writer.write(false)
        for (kind, figure) in [(CorrelationRule.Kind.valueCount, 2), (.valueSum, 46)] {
            var groups = CorrelationGroups(kind: kind, timespan: 100)
            var reader = BinaryReader(writer.bytes)
            var held: [UInt64] = []
            try groups.restore(key: key("alice"), hash: 3, from: &reader) { id in
                held.append(id.rawValue)
                return true
            }
            try reader.finish()
            groups.finishRestore()
            let known = groups.number(key: key("alice"), hash: 3)
            let number = try #require(known)
            #expect(held == [5, 9])
            let (wasFull, last, found) = (
                groups.wasFull(number), groups.entry(number, 1),
                groups.figure(number, percentile: nil, endingAt: 1)
            )
            #expect(wasFull)
            #expect(last.rule == 1)
            #expect(found == Number(Int64(figure)))
        }
    }
}

@Suite struct TimerQueueTests {
    /// forall orders of insertion: timers come out by time, rule, group.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func timersComeInOrder(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queue = TimerQueue()
        var all: [TimerQueue.Timer] = []
        for group in 0..<60 {
            let timer = TimerQueue.Timer(
                due: Int64.random(in: 0..<20, using: &random),
                correlation: Int.random(in: 0..<3, using: &random),
                group: UInt64(group)
            )
            all.append(timer)
            queue.push(timer)
        }
        var out: [TimerQueue.Timer] = []
        while let timer = queue.pop(until: 100) { out.append(timer) }
        #expect(out == all.sorted())
    }
}
