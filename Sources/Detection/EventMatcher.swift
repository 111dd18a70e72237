public import Sigma
import Records

/// A rule that matches an event.
public struct EventMatch: Sendable, Equatable {
    /// Counts the events from 0.
    public let event: Int
    /// An index into ``EventMatcher/ruleIDs``.
    public let rule: Int
}

/// What an ``EventMatcher`` met besides matches.
public struct EventMatcherCounters: Sendable, Equatable {
    public var events = 0
    /// Events that matched a rule of a correlation and entered no window: those without `@timestamp`,
    /// and those too far behind the events before them.
    public var withoutTime = 0
    public var late = 0
    /// Events of which an earlier one left a window for lack of room, and groups that left.
    public var windowsFull = 0
    public var groupsLeft = 0

    public init() {}
}

/// Evaluates rules over any JSON objects: what `postern match` does.
///
/// Every rule is evaluated, also those that others build on; there are no phases, no derived fields
/// and no alerts. Single-event rules know no time. Correlations go by `@timestamp`: an event that is
/// late by ``latenessMicroseconds`` at most goes to its place in time, events of one time stand in
/// the order of the input, and the outcome is that of the sorted input.
public struct EventMatcher: ~Copyable, Sendable {
    /// By rule: its ID. Detection rules come first, in the order of the files.
    public let ruleIDs: [String]
    public private(set) var counters = EventMatcherCounters()
    /// How far behind the latest event one may be and still enter the windows.
    public let latenessMicroseconds: Int64

    private let limits: DetectionLimits
    private let detectionCount: Int
    private let correlations: [Correlation]
    private let wokenByDetection: [[(correlation: Int, position: Int)]]
    private let wokenByCorrelation: [[(correlation: Int, position: Int)]]
    /// By correlation: where its bases begin in `wakeStamps`.
    private var wakeOffsets: [Int] = []

    private var reader: EventReader
    private var matcher: RuleMatcher
    private var fields: EventFields
    private var found: [Int] = []
    private let timestamp: FieldIndex

    private var groups: [CorrelationGroups]
    /// By base of a correlation: the last event that woke it, counted from 1.
    private var wakeStamps: [Int] = []
    /// By correlation: the last event after which it held, counted from 1.
    private var holdStamps: [Int] = []
    private var key = BinaryWriter(reserving: 128)
    private var left: [HeldID] = []

    /// Events that wait: their matches are told in the order of the events, and a correlation looks
    /// at an event once no earlier one can come any more.
    private var waiting: [Waiting] = []
    private var spare: [Int] = []
    /// In the order of the events, from `firstInOrder` on.
    private var inOrder: [Int] = []
    private var firstInOrder = 0
    private var byTime = EventQueue()
    private var latest = Int64.min
    /// Events before this are late.
    private var watermark = Int64.min

    /// The most events that wait; beyond it the earliest one waits no longer.
    private static let waitingMax = 1_000_000

    /// An event that matched something.
    private struct Waiting: Sendable {
        var event = 0
        var microseconds: Int64 = 0
        /// Rules that matched it.
        var rules: [Int] = []
        /// The correlations that it may enter, in their order.
        var wakes: [Wake] = []
        var keys: [UInt8] = []
        var isDone = false
    }

    private struct Wake: Sendable {
        var correlation: Int
        var position: Int
        /// The correlation that must hold at this event; -1: a detection rule, which matched.
        var base: Int
        /// Where its group's key lies in `keys`; empty when the event takes no part.
        var key: Range<Int>?
        var figure: WindowEntry.Figure
    }

    /// - Parameter mistakes: gets what only compiling finds, such as a bad regular expression.
    public init(
        _ rules: RuleSet,
        latenessMicroseconds: Int64 = 300_000_000,
        mistakes: inout [Mistake]
    ) {
        self.latenessMicroseconds = latenessMicroseconds
        var limits = DetectionLimits()
        limits.windowEventsMax = 1 << 14
        limits.groupsMax = 1_000_000
        self.limits = limits
        var table = FieldTable()
        timestamp = table.add("@timestamp")
        let plan = MatchPlan(rules, fields: &table, mistakes: &mistakes)
        let compiled = CorrelationCompiler(rules: rules, alertRules: false, fields: &table)
        correlations = compiled.correlations
        wokenByDetection = compiled.wokenByDetection
        wokenByCorrelation = compiled.wokenByCorrelation
        detectionCount = rules.detections.count
        ruleIDs = rules.detections.map(\.id) + compiled.correlations.map(\.head.id)
        var baseCount = 0
        for correlation in compiled.correlations {
            wakeOffsets.append(baseCount)
            baseCount += correlation.bases.count
        }
        wakeStamps = [Int](repeating: 0, count: baseCount)
        holdStamps = [Int](repeating: 0, count: compiled.correlations.count)
        groups = compiled.correlations.map { correlation in
            var groups = CorrelationGroups(kind: correlation.kind, timespan: correlation.timespan)
            groups.notesChanges = false
            return groups
        }
        let searchesAll = rules.detections.indices.contains { plan.searchesEveryField($0) }
        reader = EventReader(table, keepsUnnamed: searchesAll)
        fields = EventFields(fieldCount: table.count)
        matcher = RuleMatcher(plan)
    }

    /// The rules of whose regular expressions a search was given up at its limit since the last call.
    public mutating func takeLimitedRules() -> [(id: String, searches: UInt64)] {
        matcher.takeLimitedRules().map { (ruleIDs[$0.rule], $0.searches) }
    }

    /// Takes the next event, one JSON object.
    ///
    /// - Parameter matches: gets matches that are certain now, in the order of the events; of one
    ///   event, in that of ``ruleIDs``.
    public mutating func take(
        _ text: Span<UInt8>,
        into matches: inout [EventMatch]
    ) throws(EventReadError) {
        try reader.read(text, into: &fields)
        matcher.evaluate(fields, into: &found)
        let event = counters.events
        counters.events += 1
        guard !found.isEmpty else { return }
        let wakes = found.contains { !wokenByDetection[$0].isEmpty }
        if !wakes, firstInOrder == inOrder.count {
            for rule in found { matches.append(EventMatch(event: event, rule: rule)) }
            return
        }
        let number = spareNumber()
        waiting[number].event = event
        waiting[number].rules += found
        inOrder.append(number)
        if wakes, let time = time() {
            enqueue(number, time)
        } else {
            if wakes { counters.withoutTime += 1 }
            waiting[number].isDone = true
        }
        tell(into: &matches)
    }

    /// There are no more events.
    public mutating func finish(into matches: inout [EventMatch]) {
        while let number = byTime.pop(until: .max) { process(number) }
        tell(into: &matches)
    }

    private mutating func spareNumber() -> Int {
        if let number = spare.popLast() { return number }
        waiting.append(Waiting())
        return waiting.count - 1
    }

    /// Tells the matches of all events before the first that still waits.
    private mutating func tell(into matches: inout [EventMatch]) {
        while firstInOrder < inOrder.count {
            let number = inOrder[firstInOrder]
            guard waiting[number].isDone else { break }
            for rule in waiting[number].rules {
                matches.append(EventMatch(event: waiting[number].event, rule: rule))
            }
            waiting[number].rules.removeAll(keepingCapacity: true)
            waiting[number].wakes.removeAll(keepingCapacity: true)
            waiting[number].keys.removeAll(keepingCapacity: true)
            waiting[number].isDone = false
            spare.append(number)
            firstInOrder += 1
        }
        if firstInOrder == inOrder.count {
            inOrder.removeAll(keepingCapacity: true)
            firstInOrder = 0
        } else if firstInOrder > 4_096, firstInOrder * 2 > inOrder.count {
            inOrder.removeSubrange(0..<firstInOrder)
            firstInOrder = 0
        }
    }

    // MARK: Time

    private func time() -> Int64? {
        matcher.microseconds(fields.value(at: timestamp.position), fields)
    }

    private mutating func enqueue(_ number: Int, _ time: Int64) {
        guard time >= watermark else {
            counters.late += 1
            waiting[number].isDone = true
            return
        }
        waiting[number].microseconds = time
        collectWakes(number)
        byTime.push(
            EventQueue.Item(
                microseconds: time,
                event: waiting[number].event,
                number: number
            )
        )
        latest = max(latest, time)
        watermark = max(watermark, latest - latenessMicroseconds)
        while let next = byTime.pop(until: watermark) { process(next) }
        while byTime.count > Self.waitingMax, let next = byTime.pop(until: .max) {
            watermark = max(watermark, waiting[next].microseconds)
            process(next)
        }
    }

    // MARK: Correlations

    /// Notes every correlation that the event may enter, with its group and what is counted.
    private mutating func collectWakes(_ number: Int) {
        let stamp = waiting[number].event + 1
        for rule in found {
            for (correlation, position) in wokenByDetection[rule] {
                addWake(number, correlation, position, base: -1, stamp)
            }
        }
        var next = 0
        while next < waiting[number].wakes.count {
            let base = waiting[number].wakes[next].correlation
            next += 1
            for (correlation, position) in wokenByCorrelation[base] {
                addWake(number, correlation, position, base: base, stamp)
            }
        }
        if waiting[number].wakes.count > 1 {
            waiting[number].wakes.sort {
                ($0.correlation, $0.position) < ($1.correlation, $1.position)
            }
        }
    }

    private mutating func addWake(
        _ number: Int,
        _ index: Int,
        _ position: Int,
        base: Int,
        _ stamp: Int
    ) {
        let offset = wakeOffsets[index] + position
        guard wakeStamps[offset] != stamp else { return }
        wakeStamps[offset] = stamp
        let correlation = correlations[index]
        key.removeAll()
        var takesPart = true
        for field in correlation.groupFields[position] {
            guard let text = canonicalText(field) else {
                takesPart = false
                break
            }
            key.write(text)
        }
        let start = waiting[number].keys.count
        if takesPart { waiting[number].keys += key.bytes }
        waiting[number].wakes.append(
            Wake(
                correlation: index,
                position: position,
                base: base,
                key: takesPart ? start..<waiting[number].keys.count : nil,
                figure: takesPart ? figure(correlation) : .none
            )
        )
    }

    /// Puts an event into the windows, at its time: no earlier event comes any more.
    private mutating func process(_ number: Int) {
        let stamp = waiting[number].event + 1
        let time = waiting[number].microseconds
        for index in waiting[number].wakes.indices {
            let wake = waiting[number].wakes[index]
            guard wake.base < 0 || holdStamps[wake.base] == stamp, let range = wake.key else {
                continue
            }
            let key = Array(waiting[number].keys[range])
            guard enter(wake, key, event: waiting[number].event, time),
                holdStamps[wake.correlation] != stamp
            else { continue }
            holdStamps[wake.correlation] = stamp
            waiting[number].rules.append(detectionCount + wake.correlation)
        }
        waiting[number].isDone = true
    }

    private mutating func enter(
        _ wake: Wake,
        _ key: [UInt8],
        event: Int,
        _ time: Int64
    ) -> Bool {
        let index = wake.correlation
        while let (number, due) = groups[index].nextToExpire(lateness: 0), due <= time {
            groups[index].remove(number)
        }
        let hash = keyedHash(key, seed: .constant)
        let number: Int
        if let known = groups[index].number(key: key, hash: hash) {
            number = known
        } else {
            if groups[index].count >= limits.groupsMax, let idlest = groups[index].idlest {
                counters.groupsLeft += 1
                groups[index].remove(idlest)
            }
            number = groups[index].insert(key: key, hash: hash)
        }
        let entry = WindowEntry(
            microseconds: time,
            rule: wake.position,
            held: HeldID(UInt64(event)),
            figure: wake.figure
        )
        left.removeAll(keepingCapacity: true)
        let entered = groups[index].add(
            entry,
            to: number,
            lateness: 0,
            countMax: correlations[index].windowEventsMax(limits),
            left: &left
        )
        if groups[index].wasFull(number) { counters.windowsFull += 1 }
        return groups[index].holds(correlations[index], number, endingAt: entered)
    }

    /// The text by which a field's values are told apart; nil when it has none. That of an array is
    /// all its elements.
    private func canonicalText(_ field: FieldIndex) -> [UInt8]? {
        var text: [UInt8] = []
        switch fields.value(at: field.position) {
        case .list(let list):
            var isEmpty = true
            var next = list
            while next >= 0 {
                let element = fields.elements[next]
                if Self.append(element.value, fields, to: &text) {
                    isEmpty = false
                    text.append(0)
                }
                next = element.next
            }
            return isEmpty ? nil : text
        case let value:
            return Self.append(value, fields, to: &text) ? text : nil
        }
    }

    private static func append(
        _ value: FieldValue,
        _ fields: borrowing EventFields,
        to text: inout [UInt8]
    ) -> Bool {
        switch value {
        case .absent, .null, .list: return false
        case .bool(let flag): text += Array((flag ? "true" : "false").utf8)
        case .integer(let value): text += Array(String(value).utf8)
        case .number(let value): text += Array(Number(value).text.utf8)
        case .text(let range): text += fields.bytes[range]
        }
        return true
    }

    private func figure(_ correlation: Correlation) -> WindowEntry.Figure {
        guard let first = correlation.valueFields.first else { return .none }
        guard correlation.kind == .valueCount else {
            return matcher.number(fields.value(at: first.position), fields).map { .number($0) }
                ?? .none
        }
        var values = BinaryWriter()
        for field in correlation.valueFields {
            guard let text = canonicalText(field) else { return .none }
            values.write(text)
        }
        return .value(keyedHash(values.bytes, seed: .constant) | 1)
    }
}

/// Events in the order of their times, and of the input.
struct EventQueue: Sendable {
    struct Item: Sendable, Comparable {
        var microseconds: Int64
        var event: Int
        var number: Int

        static func < (left: Item, right: Item) -> Bool {
            (left.microseconds, left.event) < (right.microseconds, right.event)
        }
    }

    /// A binary heap.
    private var heap: [Item] = []

    var count: Int { heap.count }

    mutating func push(_ item: Item) {
        heap.append(item)
        var index = heap.count - 1
        while index > 0, heap[index] < heap[(index - 1) / 2] {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// The first event up to `time`.
    mutating func pop(until time: Int64) -> Int? {
        guard let first = heap.first, first.microseconds <= time else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first.number }
        heap[0] = last
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            if least == index { return first.number }
            heap.swapAt(index, least)
            index = least
        }
    }
}
