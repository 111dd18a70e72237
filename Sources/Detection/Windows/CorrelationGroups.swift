import Findings
import Records
import Sigma

/// The groups of one correlation, each with the events of its window.
///
/// Made for very many groups with few events each: a group is a record of 48 bytes, its key and its
/// events lie in pools that all groups share, and only a group that has an alert, or many values to
/// count, has an object of its own. Finding a group is a hash lookup. No order depends on a
/// dictionary: it is only asked, never walked.
///
/// The window of an event at time t is (t − timespan, t], up to and including that event (rules.md);
/// events of one time stand in the order of the log. For events that come in order the figures of
/// the two counting kinds move along; a late event goes to its place, and what it changes is counted
/// anew.
///
/// Every method that only looks is `mutating` all the same: others would copy the whole.
struct CorrelationGroups: Sendable {
    /// What an alert needs to know of its group.
    struct Group: Sendable {
        /// Counts the groups of a correlation; orders timers.
        var serial: UInt64
        var key: [UInt8]
        /// The group-by values in canonical form.
        var values: [[UInt8]]
        var wasFull: Bool
        var episode: Episode?
    }

    /// What ``change(_:_:)`` can change.
    struct Changes {
        var episode: Episode?
    }

    private struct Flags: OptionSet {
        let rawValue: UInt8
        static let isUsed = Flags(rawValue: 1)
        /// The window was full, and the oldest events left.
        static let wasFull = Flags(rawValue: 2)
        static let isChanged = Flags(rawValue: 4)
        static let hasEpisode = Flags(rawValue: 8)
        /// Its values are counted in ``counts``.
        static let hasCounts = Flags(rawValue: 16)
    }

    /// Invariant: the entries `start..<start + count` of the block ascend in time; `low`, counted
    /// from `start`, is the first entry in the window of the last one.
    ///
    /// In 48 bytes: two counters have 48 bits each, and what counts entries 21.
    private struct Record: Sendable {
        private var serialLow: UInt32
        private var touchedLow: UInt32
        var hash: UInt32
        var keyBlock: UInt32
        var keyCount: UInt32
        var previous = none
        var next = none
        var block = none
        private var placesLow: UInt32 = 0
        private var placesHigh: UInt32 = 0
        private var serialHigh: UInt16
        private var touchedHigh: UInt16
        var sizeClass: UInt8 = 0
        var flags: Flags = .isUsed

        init(serial: UInt64, touched: UInt64, hash: UInt32, keyBlock: UInt32, keyCount: UInt32) {
            serialLow = UInt32(truncatingIfNeeded: serial)
            serialHigh = UInt16(truncatingIfNeeded: serial >> 32)
            touchedLow = UInt32(truncatingIfNeeded: touched)
            touchedHigh = UInt16(truncatingIfNeeded: touched >> 32)
            self.hash = hash
            self.keyBlock = keyBlock
            self.keyCount = keyCount
        }

        var serial: UInt64 { UInt64(serialHigh) << 32 | UInt64(serialLow) }

        /// Orders the groups by their last event.
        var touched: UInt64 {
            get { UInt64(touchedHigh) << 32 | UInt64(touchedLow) }
            set {
                touchedLow = UInt32(truncatingIfNeeded: newValue)
                touchedHigh = UInt16(truncatingIfNeeded: newValue >> 32)
            }
        }

        private var places: UInt64 {
            get { UInt64(placesHigh) << 32 | UInt64(placesLow) }
            set {
                placesLow = UInt32(truncatingIfNeeded: newValue)
                placesHigh = UInt32(truncatingIfNeeded: newValue >> 32)
            }
        }

        private func place(_ shift: UInt64) -> UInt32 {
            UInt32(truncatingIfNeeded: places >> shift & UInt64(entriesMax))
        }

        private mutating func setPlace(_ shift: UInt64, _ value: UInt32) {
            places = places & ~(UInt64(entriesMax) << shift) | UInt64(value) << shift
        }

        var start: UInt32 {
            get { place(0) }
            set { setPlace(0, newValue) }
        }

        var count: UInt32 {
            get { place(21) }
            set { setPlace(21, newValue) }
        }

        var low: UInt32 {
            get { place(42) }
            set { setPlace(42, newValue) }
        }
    }

    /// Places in the block of one group at most: more than twice as many as it has events.
    private static let entriesMax: UInt32 = 1 << 21 - 1
    /// Events of one group at most, whatever is asked.
    private static let eventsMax = 1 << 19
    /// The greatest serial, and mark of order: a million a second for nine years.
    private static let counterMax: UInt64 = 1 << 48 - 1

    /// A doubly linked list of groups, the longest idle first.
    private struct List: Sendable {
        var first = none
        var last = none
    }

    private static let none = UInt32.max
    /// From so many events in a window on, values are counted in a table of their own.
    private static let countedMin = 16

    private let kind: CorrelationRule.Kind
    /// Microseconds.
    private let timespan: Int64
    /// False: nobody asks for changes, so none are noted.
    var notesChanges = true

    private var records = ChunkedArray<Record>()
    private var freeRecords: [UInt32] = []
    private var keys = BlockPool<UInt8>(filler: 0, chunkShift: 13)
    private var entries = BlockPool<WindowEntry>(filler: .filler, chunkShift: 8)
    /// Open addressing with linear probing: a group's number + 1, or 0.
    private var slots: [UInt32] = []
    private(set) var count = 0

    private var episodes: [UInt32: Episode] = [:]
    private var numberOfSerial: [UInt64: UInt32] = [:]
    /// By group: how often each value stands in the window of the last event.
    private var counts: [UInt32: [UInt64: UInt32]] = [:]

    /// Groups without an alert, and those with one.
    private var idle = List()
    private var alerting = List()
    private var nextSerial: UInt64 = 1
    private var nextTouch: UInt64 = 1

    private var changed: [UInt32] = []
    private(set) var removed: [[UInt8]] = []

    private var numberScratch: [Number] = []
    private var valueScratch: [UInt64] = []
    private var ruleScratch: [UInt64] = []
    private var orderScratch: [UInt16] = []

    init(kind: CorrelationRule.Kind, timespan: Int64) {
        self.kind = kind
        self.timespan = timespan
    }

    // MARK: Groups

    /// The group with this key, a hash of which is `hash`.
    mutating func number(key: [UInt8], hash: UInt64) -> Int? {
        guard !slots.isEmpty else { return nil }
        let short = UInt32(truncatingIfNeeded: hash)
        var slot = Int(short) & (slots.count - 1)
        while slots[slot] != 0 {
            let number = slots[slot] - 1
            if records[Int(number)].hash == short, hasKey(number, key) { return Int(number) }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private mutating func hasKey(_ number: UInt32, _ key: [UInt8]) -> Bool {
        let (block, count) = (records[Int(number)].keyBlock, records[Int(number)].keyCount)
        guard Int(count) == key.count else { return false }
        let sizeClass = Self.keyClass(key.count)
        for index in key.indices where keys[block, sizeClass, index] != key[index] { return false }
        return true
    }

    private static func keyClass(_ count: Int) -> Int {
        max(4, BlockPool<UInt8>.sizeClass(for: count))
    }

    private mutating func key(_ number: Int) -> [UInt8] {
        let (block, count) = (records[number].keyBlock, Int(records[number].keyCount))
        let sizeClass = Self.keyClass(count)
        var key: [UInt8] = []
        key.reserveCapacity(count)
        for index in 0..<count { key.append(keys[block, sizeClass, index]) }
        return key
    }

    /// The group that has an alert of this serial.
    mutating func number(serial: UInt64) -> Int? { numberOfSerial[serial].map(Int.init) }

    subscript(number: Int) -> Group {
        mutating get {
            let record = records[number]
            let key = key(number)
            var values: [[UInt8]] = []
            var reader = BinaryReader(key)
            // The key is the values, each with its length before it.
            while let value = try? reader.readBytes() { values.append(value) }
            return Group(
                serial: record.serial,
                key: key,
                values: values,
                wasFull: record.flags.contains(.wasFull),
                episode: record.flags.contains(.hasEpisode) ? episodes[UInt32(number)] : nil
            )
        }
    }

    mutating func hasOpenEpisode(_ number: Int) -> Bool {
        records[number].flags.contains(.hasEpisode)
            && episodes[UInt32(number)]?.isOpen ?? false
    }

    mutating func wasFull(_ number: Int) -> Bool { records[number].flags.contains(.wasFull) }

    /// Makes a group for a key that has none.
    mutating func insert(
        key: [UInt8],
        hash: UInt64,
        serial: UInt64? = nil,
        touched: UInt64? = nil
    ) -> Int {
        if (count + 1) * 8 > slots.count * 7 { growSlots() }
        let sizeClass = Self.keyClass(key.count)
        let block = keys.take(sizeClass)
        for index in key.indices { keys[block, sizeClass, index] = key[index] }
        let record = Record(
            serial: serial ?? nextSerial,
            touched: touched ?? nextTouch,
            hash: UInt32(truncatingIfNeeded: hash),
            keyBlock: block,
            keyCount: UInt32(key.count)
        )
        nextSerial = max(nextSerial, record.serial + 1)
        nextTouch = max(nextTouch, record.touched + 1)
        let number: UInt32
        if let reused = freeRecords.popLast() {
            number = reused
            records[Int(number)] = record
        } else {
            number = UInt32(records.count)
            records.append(record)
        }
        place(number, record.hash)
        count += 1
        append(number)
        return Int(number)
    }

    private mutating func place(_ number: UInt32, _ hash: UInt32) {
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = number + 1
    }

    private mutating func growSlots() {
        slots = [UInt32](repeating: 0, count: max(16, slots.count * 2))
        for number in 0..<records.count where records[number].flags.contains(.isUsed) {
            place(UInt32(number), records[number].hash)
        }
    }

    mutating func remove(_ number: Int) {
        let record = records[number]
        unlink(UInt32(number))
        if notesChanges { removed.append(key(number)) }
        keys.giveBack(record.keyBlock, Self.keyClass(Int(record.keyCount)))
        if record.block != Self.none { entries.giveBack(record.block, Int(record.sizeClass)) }
        if record.flags.contains(.hasEpisode) {
            episodes[UInt32(number)] = nil
            numberOfSerial[record.serial] = nil
        }
        if record.flags.contains(.hasCounts) { counts[UInt32(number)] = nil }
        removeSlot(of: UInt32(number), record.hash)
        records[number].flags = []
        freeRecords.append(UInt32(number))
        count -= 1
    }

    /// Empties a slot and moves those behind it that would not be found any more (Knuth, TAOCP
    /// 6.4, algorithm R).
    private mutating func removeSlot(of number: UInt32, _ hash: UInt32) {
        let mask = slots.count - 1
        var hole = Int(hash) & mask
        while slots[hole] != number + 1 { hole = (hole + 1) & mask }
        var next = (hole + 1) & mask
        while slots[next] != 0 {
            let home = Int(records[Int(slots[next] - 1)].hash) & mask
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = 0
    }

    /// Changes a group's alert; the group counts as having had an event.
    mutating func change(_ number: Int, _ body: (inout Changes) -> Void) {
        let slot = UInt32(number)
        // Taken out of the dictionary while it is changed, so that nothing is copied.
        var changes = Changes(episode: episodes.removeValue(forKey: slot))
        body(&changes)
        unlink(slot)
        if let episode = changes.episode {
            episodes[slot] = episode
            if records[number].flags.insert(.hasEpisode).inserted {
                numberOfSerial[records[number].serial] = slot
            }
        } else if records[number].flags.remove(.hasEpisode) != nil {
            numberOfSerial[records[number].serial] = nil
        }
        touch(slot)
    }

    /// Puts a group that is in no list behind all others, and notes that it changed.
    private mutating func touch(_ number: UInt32) {
        records[Int(number)].touched = nextTouch
        nextTouch += 1
        if notesChanges, records[Int(number)].flags.insert(.isChanged).inserted {
            changed.append(number)
        }
        append(number)
    }

    // MARK: Order and time

    /// The group that was longest without an event.
    var idlest: Int? {
        mutating get {
            guard idle.first != Self.none else {
                return alerting.first == Self.none ? nil : Int(alerting.first)
            }
            guard alerting.first != Self.none else { return Int(idle.first) }
            let isIdle =
                records[Int(idle.first)].touched < records[Int(alerting.first)].touched
            return Int(isIdle ? idle.first : alerting.first)
        }
    }

    /// Of the groups without an alert, the one that was longest without an event, and when it can
    /// go: no event that may still come has an older one in its window. Later ones of the list go no
    /// earlier than this one, or at most by `lateness`.
    mutating func nextToExpire(lateness: Int64) -> (number: Int, due: Int64)? {
        guard idle.first != Self.none else { return nil }
        return (Int(idle.first), end(Int(idle.first), lateness: lateness))
    }

    private mutating func end(_ number: Int, lateness: Int64) -> Int64 {
        (lastMicroseconds(number) ?? .min / 2) + timespan + lateness
    }

    /// When something is to be done about a group with an alert: the alert's resolution, or the
    /// group's end.
    mutating func due(_ number: Int, _ correlation: Correlation, lateness: Int64) -> Int64 {
        let episode = episodes[UInt32(number)]
        if let time = episode?.resolveTime(correlation.resolve) { return time }
        var end = end(number, lateness: lateness)
        if case .resolved(let resolved)? = episode?.state {
            end = max(end, resolved + max(correlation.silence, timespan))
        }
        return end
    }

    /// Puts a group that is in no list behind all others of its list.
    private mutating func append(_ number: UInt32) {
        let isAlerting = records[Int(number)].flags.contains(.hasEpisode)
        let last = isAlerting ? alerting.last : idle.last
        records[Int(number)].previous = last
        records[Int(number)].next = Self.none
        if last != Self.none { records[Int(last)].next = number }
        if isAlerting {
            if last == Self.none { alerting.first = number }
            alerting.last = number
        } else {
            if last == Self.none { idle.first = number }
            idle.last = number
        }
    }

    private mutating func unlink(_ number: UInt32) {
        let (previous, next) = (records[Int(number)].previous, records[Int(number)].next)
        if previous != Self.none {
            records[Int(previous)].next = next
        } else if idle.first == number {
            idle.first = next
        } else if alerting.first == number {
            alerting.first = next
        }
        if next != Self.none {
            records[Int(next)].previous = previous
        } else if idle.last == number {
            idle.last = previous
        } else if alerting.last == number {
            alerting.last = previous
        }
    }

    // MARK: Changes

    mutating func clearChanges() {
        for number in changed { records[Int(number)].flags.remove(.isChanged) }
        changed.removeAll(keepingCapacity: true)
        removed.removeAll(keepingCapacity: true)
    }

    /// The groups that changed and are still there, each once.
    mutating func takeChanged() -> [Int] {
        var numbers: [Int] = []
        for number in changed
        where records[Int(number)].flags.contains([.isUsed, .isChanged]) {
            records[Int(number)].flags.remove(.isChanged)
            numbers.append(Int(number))
        }
        changed.removeAll(keepingCapacity: true)
        return numbers
    }

    // MARK: Events

    mutating func entryCount(_ number: Int) -> Int { Int(records[number].count) }

    mutating func entry(_ number: Int, _ index: Int) -> WindowEntry {
        let record = records[number]
        return entries[record.block, Int(record.sizeClass), Int(record.start) + index]
    }

    mutating func lastMicroseconds(_ number: Int) -> Int64? {
        let count = Int(records[number].count)
        return count == 0 ? nil : entry(number, count - 1).microseconds
    }

    /// Puts an entry to its place in a group, which counts as having had an event.
    ///
    /// - Parameters:
    ///   - lateness: how much older than the newest event one may be that still comes.
    ///   - countMax: events of one group; the oldest leave.
    ///   - left: gets the events that leave: those that no window can need any more, and the oldest
    ///     at the limit.
    /// - Returns: the entry's index; below 0 when it is among those that left.
    mutating func add(
        _ entry: WindowEntry,
        to number: Int,
        lateness: Int64,
        countMax: Int,
        left: inout [HeldID]
    ) -> Int {
        makeRoom(number)
        let (block, sizeClass) = (records[number].block, Int(records[number].sizeClass))
        let (start, count) = (Int(records[number].start), Int(records[number].count))
        var index = count
        while index > 0,
            entries[block, sizeClass, start + index - 1].microseconds > entry.microseconds
        {
            entries[block, sizeClass, start + index] =
                entries[block, sizeClass, start + index - 1]
            index -= 1
        }
        entries[block, sizeClass, start + index] = entry
        records[number].count += 1
        if index == count {
            moveWindow(number, to: entry)
        } else {
            recount(number)
        }
        let leaving = removeOld(number, lateness: lateness, countMax: countMax, left: &left)
        unlink(UInt32(number))
        touch(UInt32(number))
        return index - leaving
    }

    /// Makes room for one more entry behind the last.
    private mutating func makeRoom(_ number: Int) {
        let record = records[number]
        guard record.block != Self.none else {
            records[number].block = entries.take(0)
            return
        }
        let (block, sizeClass) = (record.block, Int(record.sizeClass))
        let (start, count) = (Int(record.start), Int(record.count))
        guard start + count == 1 << sizeClass else { return }
        if start >= max(1, count / 4) {
            // Entries that left made room before the others.
            for index in 0..<count {
                entries[block, sizeClass, index] = entries[block, sizeClass, start + index]
            }
        } else {
            let larger = entries.take(sizeClass + 1)
            for index in 0..<count {
                entries[larger, sizeClass + 1, index] =
                    entries[block, sizeClass, start + index]
            }
            entries.giveBack(block, sizeClass)
            records[number].block = larger
            records[number].sizeClass = UInt8(sizeClass + 1)
        }
        records[number].start = 0
    }

    /// The last entry is new: the window that ends at it begins later than the one before.
    private mutating func moveWindow(_ number: Int, to last: WindowEntry) {
        let isCounted = records[number].flags.contains(.hasCounts)
        if isCounted { count(last.value, number, by: 1) }
        var low = Int(records[number].low)
        while true {
            let oldest = entry(number, low)
            guard oldest.microseconds <= last.microseconds - timespan else { break }
            if isCounted { count(oldest.value, number, by: -1) }
            low += 1
        }
        records[number].low = UInt32(low)
        if !isCounted { countIfLarge(number) }
    }

    private mutating func countIfLarge(_ number: Int) {
        guard kind == .valueCount,
            Int(records[number].count - records[number].low) > Self.countedMin
        else { return }
        records[number].flags.insert(.hasCounts)
        counts[UInt32(number)] = [:]
        for index in Int(records[number].low)..<Int(records[number].count) {
            count(entry(number, index).value, number, by: 1)
        }
    }

    private mutating func count(_ value: UInt64, _ number: Int, by step: Int) {
        guard value != 0 else { return }
        let times = Int(counts[UInt32(number)]?[value] ?? 0) + step
        counts[UInt32(number), default: [:]][value] = times == 0 ? nil : UInt32(times)
    }

    /// Finds the window of the last event anew.
    private mutating func recount(_ number: Int) {
        if records[number].flags.remove(.hasCounts) != nil { counts[UInt32(number)] = nil }
        let count = Int(records[number].count)
        guard count > 0 else { return }
        let newest = entry(number, count - 1).microseconds
        var low = count
        while low > 0, entry(number, low - 1).microseconds > newest - timespan { low -= 1 }
        records[number].low = UInt32(low)
        countIfLarge(number)
    }

    private mutating func removeOld(
        _ number: Int,
        lateness: Int64,
        countMax: Int,
        left: inout [HeldID]
    ) -> Int {
        let count = Int(records[number].count)
        let low = Int(records[number].low)
        let newest = entry(number, count - 1).microseconds
        var old = 0
        while old < low, entry(number, old).microseconds <= newest - timespan - lateness {
            old += 1
        }
        let excess = count - old - min(countMax, Self.eventsMax)
        if excess > 0 {
            records[number].flags.insert(.wasFull)
            if records[number].flags.contains(.hasCounts) {
                for index in max(old, low)..<max(old + excess, low) {
                    self.count(entry(number, index).value, number, by: -1)
                }
            }
            old += excess
        }
        for index in 0..<old { left.append(entry(number, index).held) }
        records[number].start += UInt32(old)
        records[number].count -= UInt32(old)
        records[number].low = UInt32(max(0, low - old))
        return old
    }

    /// All events of a group, in the order of time.
    mutating func entries(of number: Int) -> [WindowEntry] {
        var all: [WindowEntry] = []
        for index in 0..<Int(records[number].count) { all.append(entry(number, index)) }
        return all
    }

    /// Takes entries out of a group; it does not count as having had an event.
    ///
    /// - Returns: the events that left.
    mutating func removeEntries(
        _ number: Int,
        where isGone: (WindowEntry) -> Bool
    ) -> [HeldID] {
        let all = entries(of: number)
        let kept = all.filter { !isGone($0) }
        guard kept.count < all.count else { return [] }
        let (block, sizeClass) = (records[number].block, Int(records[number].sizeClass))
        for (index, entry) in kept.enumerated() { entries[block, sizeClass, index] = entry }
        records[number].start = 0
        records[number].count = UInt32(kept.count)
        records[number].low = 0
        recount(number)
        if notesChanges, records[number].flags.insert(.isChanged).inserted {
            changed.append(UInt32(number))
        }
        return all.filter(isGone).map(\.held)
    }

    // MARK: Figures

    /// The indices of the window of the entry at `index`.
    mutating func range(_ number: Int, endingAt index: Int) -> Range<Int> {
        let count = Int(records[number].count)
        if index == count - 1 { return Int(records[number].low)..<count }
        let time = entry(number, index).microseconds
        var start = index
        while start > 0, entry(number, start - 1).microseconds > time - timespan { start -= 1 }
        return start..<(index + 1)
    }

    /// The figure that a correlation compares, in the window of the entry at `index`; nil when the
    /// window has no value at all, and for the temporal kinds.
    mutating func figure(_ number: Int, percentile: Int?, endingAt index: Int) -> Number? {
        let range = range(number, endingAt: index)
        switch kind {
        case .eventCount: return Number(Int64(range.count))
        case .valueCount:
            if index == Int(records[number].count) - 1,
                records[number].flags.contains(.hasCounts)
            {
                return Number(Int64(counts[UInt32(number)]?.count ?? 0))
            }
            return Number(Int64(distinctValues(number, range)))
        case .temporal, .temporalOrdered: return nil
        case .valueSum, .valueAverage, .valueMedian, .valuePercentile: break
        }
        numberScratch.removeAll(keepingCapacity: true)
        for index in range {
            if let value = entry(number, index).number { numberScratch.append(value) }
        }
        guard !numberScratch.isEmpty else { return nil }
        switch kind {
        case .valueSum: return Statistics.sum(numberScratch)
        case .valueAverage: return Statistics.average(numberScratch)
        case .valueMedian: return Statistics.median(&numberScratch)
        default: return Statistics.percentile(&numberScratch, percentile ?? 50)
        }
    }

    /// What a correlation compares, in the window of the entry at `index`; nil when the window has no
    /// value at all, and for conditions that compare nothing.
    mutating func figure(
        _ correlation: Correlation,
        _ number: Int,
        endingAt index: Int
    ) -> Number? {
        switch correlation.trigger {
        case .figure(_, _, let percentile):
            return figure(number, percentile: percentile, endingAt: index)
        case .ruleCount:
            let range = range(number, endingAt: index)
            return Number(Int64(notePresent(number, range, of: correlation.bases.count)))
        case .everyRule, .condition: return nil
        }
    }

    private mutating func distinctValues(_ number: Int, _ range: Range<Int>) -> Int {
        valueScratch.removeAll(keepingCapacity: true)
        for index in range {
            let value = entry(number, index).value
            if value != 0 { valueScratch.append(value) }
        }
        valueScratch.sort()
        var count = 0
        for index in valueScratch.indices
        where index == 0 || valueScratch[index] != valueScratch[index - 1] {
            count += 1
        }
        return count
    }

    /// Whether a correlation's condition holds in the window of the entry at `index`.
    mutating func holds(_ correlation: Correlation, _ number: Int, endingAt index: Int) -> Bool {
        switch correlation.trigger {
        case .figure(let bounds, _, _), .ruleCount(let bounds):
            guard let figure = figure(correlation, number, endingAt: index) else { return false }
            return bounds.holds(figure)
        case .everyRule:
            let range = range(number, endingAt: index)
            if kind == .temporalOrdered {
                orderScratch.removeAll(keepingCapacity: true)
                for rule in correlation.bases.indices {
                    orderScratch.append(UInt16(truncatingIfNeeded: rule))
                }
                return isOrdered(number, range)
            }
            return notePresent(number, range, of: correlation.bases.count)
                == correlation.bases.count
        case .condition(let condition):
            let range = range(number, endingAt: index)
            _ = notePresent(number, range, of: correlation.bases.count)
            guard holds(condition) else { return false }
            guard kind == .temporalOrdered else { return true }
            // The rules that are there came in the order in which the correlation names them.
            orderScratch.removeAll(keepingCapacity: true)
            for rule in correlation.bases.indices where isPresent(rule) {
                orderScratch.append(UInt16(truncatingIfNeeded: rule))
            }
            return isOrdered(number, range)
        }
    }

    /// Notes which rules have an event in `range`; gives how many.
    private mutating func notePresent(_ number: Int, _ range: Range<Int>, of count: Int) -> Int {
        ruleScratch.removeAll(keepingCapacity: true)
        for _ in 0..<(count + 63) / 64 { ruleScratch.append(0) }
        for index in range {
            let rule = Int(entry(number, index).rule)
            if rule < count { ruleScratch[rule >> 6] |= 1 << UInt64(rule & 63) }
        }
        return ruleScratch.reduce(0) { $0 + $1.nonzeroBitCount }
    }

    private func isPresent(_ rule: Int) -> Bool {
        ruleScratch[rule >> 6] & 1 << UInt64(rule & 63) != 0
    }

    private func holds(_ condition: RuleCondition) -> Bool {
        switch condition {
        case .rule(let position): isPresent(position)
        case .all(let parts): parts.allSatisfy { holds($0) }
        case .any(let parts): parts.contains { holds($0) }
        case .not(let part): !holds(part)
        }
    }

    /// Whether the rules of ``orderScratch`` have events in that order in `range`.
    private mutating func isOrdered(_ number: Int, _ range: Range<Int>) -> Bool {
        var next = 0
        for index in range
        where next < orderScratch.count && entry(number, index).rule == orderScratch[next] {
            next += 1
        }
        return next == orderScratch.count
    }

    // MARK: Stored form

    private static let version: UInt8 = 2

    /// The stored form, and the key under which it is kept.
    mutating func stored(_ number: Int) -> (key: [UInt8], body: [UInt8]) {
        let key = key(number)
        let record = records[number]
        var writer = BinaryWriter(reserving: 96 + 27 * Int(record.count))
        writer.write(Self.version)
        writer.write(record.serial)
        writer.write(record.touched)
        writer.write(record.flags.contains(.wasFull))
        writer.write(record.count)
        for index in 0..<Int(record.count) { entry(number, index).write(to: &writer) }
        let episode = episodes[UInt32(number)]
        writer.write(episode != nil)
        episode?.write(to: &writer)
        return (key, writer.bytes)
    }

    /// Takes a group in. ``finishRestore()`` puts the groups into their order.
    ///
    /// - Parameter use: told each event that the group holds; false when there is none such.
    mutating func restore(
        key: [UInt8],
        hash: UInt64,
        from reader: inout BinaryReader,
        use: (HeldID) -> Bool
    ) throws(BinaryReadError) {
        let version = try reader.read(UInt8.self)
        guard version == 1 || version == Self.version else {
            throw BinaryReadError(offset: 0, expected: "a group of version 1 or 2")
        }
        let serial = try reader.read(UInt64.self)
        // The first version repeats the values, which are the key, and orders by the last event.
        let touched = version == 1 ? 0 : try reader.read(UInt64.self)
        if version == 1 {
            for _ in 0..<(try reader.readCount(ofSize: 4)) { _ = try reader.readBytes() }
        }
        let wasFull = try reader.readBool()
        let count = try reader.readCount(ofSize: WindowEntry.storedByteCountMin)
        guard serial <= Self.counterMax, touched <= Self.counterMax, count <= Self.eventsMax else {
            throw BinaryReadError(offset: 0, expected: "a group within its bounds")
        }
        let number = insert(key: key, hash: hash, serial: serial, touched: touched)
        if wasFull { records[number].flags.insert(.wasFull) }
        var last = Int64.min
        for _ in 0..<count {
            let entry = try WindowEntry(
                from: &reader,
                version: version,
                countsValues: kind == .valueCount
            )
            guard entry.microseconds >= last else {
                throw BinaryReadError(offset: 0, expected: "events in the order of time")
            }
            last = entry.microseconds
            guard use(entry.held) else {
                throw BinaryReadError(offset: 0, expected: "the event \(entry.held.rawValue)")
            }
            makeRoom(number)
            entries[
                records[number].block,
                Int(records[number].sizeClass),
                Int(records[number].start + records[number].count)
            ] = entry
            records[number].count += 1
        }
        recount(number)
        guard try reader.readBool() else { return }
        let episode = try Episode(from: &reader)
        for id in episode.events {
            guard use(id) else {
                throw BinaryReadError(offset: 0, expected: "the event \(id.rawValue)")
            }
        }
        episodes[UInt32(number)] = episode
        records[number].flags.insert(.hasEpisode)
        numberOfSerial[serial] = UInt32(number)
    }

    /// Puts all groups into the order of their last events.
    mutating func finishRestore() {
        var order: [(touched: UInt64, last: Int64, serial: UInt64, number: UInt32)] = []
        for number in 0..<records.count where records[number].flags.contains(.isUsed) {
            order.append(
                (
                    records[number].touched, lastMicroseconds(number) ?? 0,
                    records[number].serial, UInt32(number)
                )
            )
        }
        order.sort { ($0.touched, $0.last, $0.serial) < ($1.touched, $1.last, $1.serial) }
        idle = List()
        alerting = List()
        for (_, _, _, number) in order { append(number) }
        clearChanges()
    }

    /// The alert that is open in a stored group.
    static func openAlert(inStored body: [UInt8]) throws(BinaryReadError) -> AlertID? {
        var groups = CorrelationGroups(kind: .eventCount, timespan: 1)
        var reader = BinaryReader(body)
        try groups.restore(key: [], hash: 0, from: &reader) { _ in true }
        let episode = groups[0].episode
        return episode?.isOpen ?? false ? episode?.id : nil
    }

    /// All groups, the one that was longest without an event first.
    var ordered: [Int] {
        mutating get {
            var numbers = alertingNumbers
            var number = idle.first
            while number != Self.none {
                numbers.append(Int(number))
                number = records[Int(number)].next
            }
            let order = numbers.map { (touched: records[$0].touched, number: $0) }
            return order.sorted { $0 < $1 }.map(\.number)
        }
    }

    /// The groups that have an alert, in the order of their last events.
    var alertingNumbers: [Int] {
        mutating get {
            var numbers: [Int] = []
            var number = alerting.first
            while number != Self.none {
                numbers.append(Int(number))
                number = records[Int(number)].next
            }
            return numbers
        }
    }
}
