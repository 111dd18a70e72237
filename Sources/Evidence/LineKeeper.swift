public import Records

/// Bounds of what ``LineKeeper`` holds.
public struct LineKeeperLimits: Sendable, Hashable {
    /// Bytes of all kept lines, each counted with ``lineOverheadBytes`` besides its own. When there
    /// are more, the lines of the oldest assemblies are left out until an eighth is free.
    public var bytesMax = 64 << 20

    /// What a kept line takes in memory besides its bytes: its place and the array's header.
    public static let lineOverheadBytes = 80

    public init() {}
}

/// Counts of what ``LineKeeper`` had to leave out, and of what should not be.
public struct LineKeeperCounters: Sendable, Hashable {
    /// Assemblies whose lines were left out for lack of room.
    public var assembliesLeftOut = 0
    /// Their lines.
    public var linesLeftOut = 0
    /// Releases of an assembly that nobody held, as after a damaged state.
    public var releasesUnmatched = 0

    public init() {}
}

/// The raw lines of every assembly of which a window or an open alert still holds an event, so that
/// a drip over seven days has its proof.
///
/// Assemblies are named by their serial number, which grows with their age. Each event that is held
/// holds the assembly that it came from once (``hold(_:)``); when the last of them lets go
/// (``release(_:)``), the lines are forgotten. How many lines an assembly has and how long they are
/// is bounded where they come from (32 of 4 KiB), how many assemblies are held by who holds them.
///
/// What it does depends on the calls alone, not on the times at which it was stored and restored.
public struct LineKeeper: Sendable {
    struct Entry: Sendable {
        /// How many events hold it; 0 only between restoring and ``dropUnheld()``.
        var holdCount: UInt32 = 0
        /// Lines were left out for lack of room.
        var isIncomplete = false
        /// In ascending order of their sequence, each sequence once.
        var lines: [KeptLine] = []
        var isHoldChanged = false
        var areLinesChanged = false
    }

    public let limits: LineKeeperLimits
    public private(set) var counters = LineKeeperCounters()
    /// Bytes of all kept lines, as ``LineKeeperLimits/bytesMax`` counts them.
    public private(set) var byteCount = 0

    var entries: [UInt64: Entry] = [:]
    /// Assemblies that changed since the last ``takeChanges()``, in the order of their first change.
    var changed: [UInt64] = []
    /// The same without order: whether one is in `changed`.
    var changedSerials: Set<UInt64> = []
    /// Assemblies that have pieces in the store.
    var storedHolds: Set<UInt64> = []
    var storedLines: Set<UInt64> = []

    public init(limits: LineKeeperLimits = LineKeeperLimits()) {
        self.limits = limits
    }

    /// How many assemblies are held.
    public var count: Int { entries.count }

    // MARK: Holding

    /// An event of the assembly is held once more.
    public mutating func hold(_ serial: UInt64) {
        var entry = entries[serial] ?? Entry()
        // A damaged state may say any count; at the top it stays, and the lines with it.
        if entry.holdCount < .max { entry.holdCount += 1 }
        entry.isHoldChanged = true
        entries[serial] = entry
        change(serial)
    }

    /// A held event of the assembly is let go; with the last of them its lines are forgotten.
    public mutating func release(_ serial: UInt64) {
        guard let holdCount = entries[serial]?.holdCount, holdCount > 0 else {
            counters.releasesUnmatched += 1
            return
        }
        if holdCount == 1 {
            forget(serial)
        } else {
            entries[serial]?.holdCount = holdCount - 1
            entries[serial]?.isHoldChanged = true
            change(serial)
        }
    }

    private mutating func forget(_ serial: UInt64) {
        guard let entry = entries.removeValue(forKey: serial) else { return }
        byteCount -= entry.lines.reduce(0) { $0 + Self.cost($1) }
        change(serial)
    }

    // MARK: Lines

    /// Keeps the lines of an assembly together with those that were kept of it before.
    ///
    /// Lines of one sequence are one line; of two that differ, the one that tells more stays. All
    /// lines of the assembly may be given each time: what is known already costs a comparison.
    ///
    /// - Returns: false when nobody holds the assembly; then nothing is kept.
    @discardableResult
    public mutating func keep(_ serial: UInt64, lines: [KeptLine]) -> Bool {
        guard let index = entries.index(forKey: serial) else { return false }
        let merged = Self.merge(entries.values[index].lines, lines)
        guard let merged else { return true }
        let before = entries.values[index].lines.reduce(0) { $0 + Self.cost($1) }
        entries.values[index].lines = merged
        entries.values[index].areLinesChanged = true
        byteCount += merged.reduce(0) { $0 + Self.cost($1) } - before
        change(serial)
        if byteCount > limits.bytesMax { leaveOutOldest() }
        return true
    }

    /// The lines of these assemblies in the order in which they were read, none twice.
    public func lines(of serials: some Sequence<UInt64>) -> [KeptLine] {
        var lines: [KeptLine] = []
        for serial in serials { lines += entries[serial]?.lines ?? [] }
        return Self.merge([], lines) ?? []
    }

    /// Whether the proof of these assemblies is incomplete: lines of one were left out, or one is not
    /// held at all.
    public func isIncomplete(_ serials: some Sequence<UInt64>) -> Bool {
        serials.contains { entries[$0]?.isIncomplete ?? true }
    }

    /// Both in ascending order of their sequence, each sequence once; nil when that is `known`.
    private static func merge(_ known: [KeptLine], _ fresh: [KeptLine]) -> [KeptLine]? {
        guard !addsNothing(fresh, to: known) else { return nil }
        // The order among lines of one sequence: the one that tells most comes first.
        let all = (known + fresh).sorted { left, right in
            if left.sequence != right.sequence { return left.sequence < right.sequence }
            if left.isShortened != right.isShortened { return right.isShortened }
            return left.bytes.count > right.bytes.count
        }
        var merged: [KeptLine] = []
        merged.reserveCapacity(all.count)
        for line in all where line.sequence != merged.last?.sequence { merged.append(line) }
        return merged
    }

    /// Whether each of `fresh` is known, in the usual case that both are in order.
    private static func addsNothing(_ fresh: [KeptLine], to known: [KeptLine]) -> Bool {
        var index = 0
        for line in fresh {
            while index < known.count, known[index].sequence < line.sequence { index += 1 }
            guard index < known.count, known[index].sequence == line.sequence,
                known[index].isShortened == line.isShortened,
                known[index].bytes.count == line.bytes.count
            else { return false }
        }
        return true
    }

    /// Forgets the lines of the oldest assemblies until an eighth of the room is free, so that the
    /// sorting is paid for by the lines that come before it is needed again.
    private mutating func leaveOutOldest() {
        let target = limits.bytesMax - limits.bytesMax / 8
        let oldestFirst = entries.filter { !$0.value.lines.isEmpty }.keys.sorted()
        for serial in oldestFirst where byteCount > target {
            guard var entry = entries[serial] else { continue }
            byteCount -= entry.lines.reduce(0) { $0 + Self.cost($1) }
            counters.assembliesLeftOut += 1
            counters.linesLeftOut += entry.lines.count
            entry.lines = []
            entry.isIncomplete = true
            entry.isHoldChanged = true
            entry.areLinesChanged = true
            entries[serial] = entry
            change(serial)
        }
    }

    static func cost(_ line: KeptLine) -> Int {
        line.bytes.count + LineKeeperLimits.lineOverheadBytes
    }

    private mutating func change(_ serial: UInt64) {
        if changedSerials.insert(serial).inserted { changed.append(serial) }
    }

    // MARK: Restored

    /// Puts what a piece said in the place of what is known of the assembly.
    mutating func restore(_ serial: UInt64, _ body: (inout Entry) -> Void) {
        var entry = entries[serial] ?? Entry()
        byteCount -= entry.lines.reduce(0) { $0 + Self.cost($1) }
        body(&entry)
        byteCount += entry.lines.reduce(0) { $0 + Self.cost($1) }
        entries[serial] = entry
    }

    /// Ends restoring: forgets lines of assemblies that nobody holds, as only a damaged state has
    /// them.
    public mutating func dropUnheld() {
        for serial in entries.filter({ $0.value.holdCount == 0 }).keys.sorted() {
            forget(serial)
        }
    }
}
