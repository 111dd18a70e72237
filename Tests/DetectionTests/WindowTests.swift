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
}

@Suite struct WindowTests {
    /// forall histories with late and equal stamps: every figure at every event equals the model's,
    /// also after the window was stored and restored.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func figuresEqualTheModel(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let timespan: Int64 = [5, 30, 100].randomElement(using: &random) ?? 5
        let lateness: Int64 = 20
        var window = Window()
        var model = WindowModel()
        var now: Int64 = 1_000
        for step in 0..<250 {
            now += [0, 0, 1, 3, 10, 60].randomElement(using: &random) ?? 0
            let isLate = Int.random(in: 0..<4, using: &random) == 0
            let entry = WindowEntry(
                microseconds: isLate ? now - Int64.random(in: 0..<lateness, using: &random) : now,
                rule: UInt8.random(in: 0..<3, using: &random),
                held: HeldID(UInt64(step)),
                value: UInt64.random(in: 0..<5, using: &random),
                number: Bool.random(using: &random)
                    ? Number(Int64.random(in: -3..<9, using: &random)) : nil
            )
            let expectedIndex = model.insert(entry)
            let (index, left) = window.insert(
                entry,
                timespan: timespan,
                lateness: lateness,
                countMax: 1_000
            )
            let gone = model.events.count - window.count
            #expect(index == expectedIndex - gone)
            // Nothing leaves that a late event could still need.
            #expect(left.allSatisfy { $0.microseconds <= now - timespan - lateness + lateness })
            if step % 37 == 0 {
                var writer = BinaryWriter()
                window.write(to: &writer)
                var reader = BinaryReader(writer.bytes)
                window = try Window(from: &reader, timespan: timespan)
            }
            for later in index..<window.count {
                for kind in CorrelationRule.Kind.allCases {
                    #expect(
                        window.figure(kind, percentile: 90, endingAt: later, timespan: timespan)
                            == model.figure(kind, later + gone, timespan),
                        "\(kind) at step \(step)"
                    )
                }
                #expect(
                    window.rules(endingAt: later, timespan: timespan)
                        == Set(model.window(endingAt: later + gone, timespan: timespan).map(\.rule))
                )
            }
        }
    }

    @Test func aFullWindowLetsTheOldestGoAndSaysSo() {
        var window = Window()
        for step in 0..<10 {
            let entry = WindowEntry(
                microseconds: Int64(step),
                rule: 0,
                held: HeldID(UInt64(step)),
                value: UInt64(step + 1),
                number: nil
            )
            _ = window.insert(entry, timespan: 1_000, lateness: 0, countMax: 4)
        }
        #expect(window.count == 4)
        #expect(window.wasFull)
        #expect(
            window.figure(.valueCount, percentile: nil, endingAt: 3, timespan: 1_000)
                == Number(Int64(4))
        )
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
