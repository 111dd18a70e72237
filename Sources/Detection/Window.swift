import Records
import Sigma

/// One event in a group's window.
struct WindowEntry: Sendable, Equatable {
    /// Event time.
    var microseconds: Int64
    /// Which of the correlation's rules it matched.
    var rule: UInt8
    /// The event; kept alive by this entry.
    var held: HeldID
    /// Keyed hash of the counted fields' values; 0 when one is missing.
    var value: UInt64
    /// The field of `value_sum` and its kin, when it is a number.
    var number: Number?
}

/// The events of one group, in event time; events of one time in the order of the log.
///
/// The window of an event at time t is (t − timespan, t], up to and including that event (rules.md).
/// For events that come in order the figures of the two counting kinds move along; a late event goes
/// to its place, and what it changes is counted anew.
///
/// Invariant: ``entries`` ascend in time; ``low`` is the first entry in the window of the last one;
/// ``counts`` counts the values of `entries[low...]`.
struct Window: Sendable {
    private(set) var entries: [WindowEntry] = []
    private var low = 0
    private var counts: [UInt64: UInt32] = [:]
    /// It was full, and the oldest events left.
    private(set) var wasFull = false

    var count: Int { entries.count }
    var last: Int64? { entries.last?.microseconds }

    /// Puts an entry to its place.
    ///
    /// - Returns: its index, and the entries that left: those that no window can need any more, and
    ///   the oldest at the limit.
    mutating func insert(
        _ entry: WindowEntry,
        timespan: Int64,
        lateness: Int64,
        countMax: Int
    ) -> (index: Int, left: [WindowEntry]) {
        var index = entries.count
        while index > 0, entries[index - 1].microseconds > entry.microseconds { index -= 1 }
        entries.insert(entry, at: index)
        if index == entries.count - 1 {
            count(entry, by: 1)
            while entries[low].microseconds <= entry.microseconds - timespan {
                count(entries[low], by: -1)
                low += 1
            }
        } else {
            recount(timespan: timespan)
        }
        let left = removeOld(timespan: timespan, lateness: lateness, countMax: countMax)
        return (index - left.count, left)
    }

    private mutating func count(_ entry: WindowEntry, by step: Int) {
        guard entry.value != 0 else { return }
        let number = Int(counts[entry.value] ?? 0) + step
        counts[entry.value] = number == 0 ? nil : UInt32(number)
    }

    private mutating func recount(timespan: Int64) {
        counts.removeAll(keepingCapacity: true)
        low = entries.count
        guard let newest = entries.last?.microseconds else {
            low = 0
            return
        }
        while low > 0, entries[low - 1].microseconds > newest - timespan {
            low -= 1
            count(entries[low], by: 1)
        }
    }

    private mutating func removeOld(
        timespan: Int64,
        lateness: Int64,
        countMax: Int
    ) -> [WindowEntry] {
        guard let newest = entries.last?.microseconds else { return [] }
        var old = 0
        while old < low, entries[old].microseconds <= newest - timespan - lateness { old += 1 }
        let excess = entries.count - old - countMax
        if excess > 0 {
            wasFull = true
            for index in old..<(old + excess) where index >= low { count(entries[index], by: -1) }
            old += excess
        }
        guard old > 0 else { return [] }
        let left = Array(entries[0..<old])
        entries.removeSubrange(0..<old)
        low = max(0, low - old)
        return left
    }

    /// Takes entries out.
    ///
    /// - Returns: those that left.
    mutating func remove(
        timespan: Int64,
        where isGone: (WindowEntry) -> Bool
    ) -> [WindowEntry] {
        let gone = entries.filter(isGone)
        guard !gone.isEmpty else { return [] }
        entries.removeAll(where: isGone)
        recount(timespan: timespan)
        return gone
    }

    /// The indices of the window of the entry at `index`.
    func range(endingAt index: Int, timespan: Int64) -> Range<Int> {
        if index == entries.count - 1 { return low..<entries.count }
        var start = index
        while start > 0,
            entries[start - 1].microseconds > entries[index].microseconds - timespan
        {
            start -= 1
        }
        return start..<(index + 1)
    }

    /// The figure that a correlation compares, in the window of the entry at `index`; nil when the
    /// window has no value at all.
    func figure(
        _ kind: CorrelationRule.Kind,
        percentile: Int?,
        endingAt index: Int,
        timespan: Int64
    ) -> Number? {
        let range = range(endingAt: index, timespan: timespan)
        switch kind {
        case .eventCount:
            return Number(Int64(range.count))
        case .valueCount:
            if index == entries.count - 1 { return Number(Int64(counts.count)) }
            var distinct: Set<UInt64> = []
            for entry in entries[range] where entry.value != 0 { distinct.insert(entry.value) }
            return Number(Int64(distinct.count))
        case .temporal, .temporalOrdered:
            return nil
        case .valueSum:
            let numbers = numbers(in: range)
            return numbers.isEmpty ? nil : Statistics.sum(numbers)
        case .valueAverage:
            let numbers = numbers(in: range)
            return numbers.isEmpty ? nil : Statistics.average(numbers)
        case .valueMedian:
            let numbers = numbers(in: range)
            return numbers.isEmpty ? nil : Statistics.median(numbers)
        case .valuePercentile:
            let numbers = numbers(in: range)
            return numbers.isEmpty ? nil : Statistics.percentile(numbers, percentile ?? 50)
        }
    }

    private func numbers(in range: Range<Int>) -> [Number] {
        entries[range].compactMap(\.number)
    }

    /// The rules that have an event in the window of the entry at `index`.
    func rules(endingAt index: Int, timespan: Int64) -> Set<UInt8> {
        Set(entries[range(endingAt: index, timespan: timespan)].map(\.rule))
    }

    /// Whether the rules 0…`count`−1 have events in that order in the window.
    func isOrdered(_ count: Int, endingAt index: Int, timespan: Int64) -> Bool {
        var next: UInt8 = 0
        for entry in entries[range(endingAt: index, timespan: timespan)]
        where Int(next) < count && entry.rule == next {
            next += 1
        }
        return Int(next) == count
    }

    // MARK: Stored form

    func write(to writer: inout BinaryWriter) {
        writer.write(wasFull)
        writer.write(UInt32(entries.count))
        for entry in entries {
            writer.write(entry.microseconds)
            writer.write(entry.rule)
            writer.write(entry.held.rawValue)
            writer.write(entry.value)
            switch entry.number?.form {
            case nil: writer.write(UInt8(0))
            case .integer(let value):
                writer.write(UInt8(1))
                writer.write(value)
            case .real(let value):
                writer.write(UInt8(2))
                writer.write(value.bitPattern)
            }
        }
    }

    init() {}

    init(from reader: inout BinaryReader, timespan: Int64) throws(BinaryReadError) {
        wasFull = try reader.readBool()
        let count = try reader.readCount(ofSize: 26)
        for _ in 0..<count {
            let microseconds = try reader.read(Int64.self)
            let rule = try reader.read(UInt8.self)
            let held = HeldID(try reader.read(UInt64.self))
            let value = try reader.read(UInt64.self)
            var number: Number?
            switch try reader.read(UInt8.self) {
            case 0: break
            case 1: number = Number(try reader.read(Int64.self))
            default: number = Number(Double(bitPattern: try reader.read(UInt64.self)))
            }
            if let last = entries.last, last.microseconds > microseconds {
                throw BinaryReadError(offset: 0, expected: "events in the order of time")
            }
            entries.append(
                WindowEntry(
                    microseconds: microseconds,
                    rule: rule,
                    held: held,
                    value: value,
                    number: number
                )
            )
        }
        recount(timespan: timespan)
    }
}

/// Figures over numbers: exact for integers.
enum Statistics {
    static func sum(_ numbers: [Number]) -> Number {
        var total: Int64 = 0
        for number in numbers {
            guard case .integer(let value) = number.form else { return Number(realSum(numbers)) }
            let (sum, overflows) = total.addingReportingOverflow(value)
            if overflows { return Number(realSum(numbers)) }
            total = sum
        }
        return Number(total)
    }

    private static func realSum(_ numbers: [Number]) -> Double {
        numbers.reduce(0) { $0 + real($1) }
    }

    private static func real(_ number: Number) -> Double {
        switch number.form {
        case .integer(let value): Double(value)
        case .real(let value): value
        }
    }

    static func average(_ numbers: [Number]) -> Number {
        Number(real(sum(numbers)) / Double(numbers.count))
    }

    /// The median of an even count is the mean of the middle two.
    static func median(_ numbers: [Number]) -> Number {
        let sorted = numbers.sorted()
        let upper = sorted[sorted.count / 2]
        let lower = sorted[(sorted.count - 1) / 2]
        return lower == upper ? lower : Number((real(lower) + real(upper)) / 2)
    }

    /// Nearest rank.
    static func percentile(_ numbers: [Number], _ percentile: Int) -> Number {
        let sorted = numbers.sorted()
        // ⌈percentile / 100 × count⌉ without floating point.
        let rank = (percentile * sorted.count + 99) / 100
        return sorted[max(1, min(rank, sorted.count)) - 1]
    }
}
