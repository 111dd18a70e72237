/// Bounds of the ledger.
public struct ContinuityLimits: Sendable, Equatable {
    /// Sources, those of former settings too. The one whose latest day is the oldest leaves.
    public var sourcesMax = 256
    /// Days of one source. The oldest leave.
    public var daysMax = 1_000
    /// Gaps of one source and day that are kept one by one. Each further one is merged into the
    /// latest of its kind; the first of a kind is always kept.
    public var gapsMax = 1_000
    /// Gaps of one source, over all days. Above it, the gaps of its oldest days are merged into one
    /// of each kind.
    public var gapsOfSourceMax = 10_000
    /// Bytes of one gap's detail; the rest is cut off.
    public var detailBytesMax = 1_024

    public init() {}
}

/// What was read of a source, or will have been added by ``Continuity/note(source:day:_:)``.
public struct ContinuityCounts: Sendable, Equatable {
    /// Bytes of text, without what compression saved.
    public var bytes = 0
    public var lines = 0
    /// Event time of the earliest and the latest line: µs since 1970; nil: none had a stamp.
    public var firstMicroseconds: Int64?
    public var lastMicroseconds: Int64?
    /// The file was rotated, or the journal changed its file.
    public var rotations = 0
    /// Lines that were longer than is kept.
    public var cut = 0
    /// Lines that came later than the lateness allowed.
    public var late = 0
    /// Journal entries that claimed to be the mail server's and were not.
    public var forged = 0

    public init() {}

    mutating func add(_ other: ContinuityCounts) {
        bytes = saturatingSum(bytes, other.bytes)
        lines = saturatingSum(lines, other.lines)
        rotations = saturatingSum(rotations, other.rotations)
        cut = saturatingSum(cut, other.cut)
        late = saturatingSum(late, other.late)
        forged = saturatingSum(forged, other.forged)
        if let first = other.firstMicroseconds {
            firstMicroseconds = min(firstMicroseconds ?? first, first)
        }
        if let last = other.lastMicroseconds {
            lastMicroseconds = max(lastMicroseconds ?? last, last)
        }
    }
}

/// One day of one source.
public struct ContinuityDay: Sendable, Equatable {
    public var source: String
    /// Days since 1970 in the log's zone.
    public var day: Int
    public var counts: ContinuityCounts
    /// In the order in which they came.
    public var gaps: [Gap]

    /// Gaps, also those that were merged into others.
    public var gapCount: Int { gaps.reduce(0) { saturatingSum($0, $1.count) } }
}

/// The ledger of what was read and what was not, per source and local day.
///
/// A pure value: days and times are given to it, and what it is depends on the order of the calls
/// alone. Which day a line or gap belongs to is the caller's to say, by times that it believes: a
/// day far in the future would push old ones out.
public struct Continuity: Sendable {
    struct Day: Sendable {
        var counts = ContinuityCounts()
        var gaps: [Gap] = []
        var isChanged = false
        /// Indices of gaps that differ from the stored ones.
        var changedGaps: Set<Int> = []

        /// Adds a gap, or merges it into the latest of its kind when there are so many.
        ///
        /// - Returns: the index of the gap that covers it.
        mutating func add(_ gap: Gap, day: Int, gapsMax: Int) -> Int {
            if gaps.count >= gapsMax, let latest = gaps.lastIndex(where: { $0.kind == gap.kind }) {
                gaps[latest].merge(gap, day: day)
                changedGaps.insert(latest)
                return latest
            }
            changedGaps.insert(gaps.count)
            gaps.append(gap)
            return gaps.count - 1
        }
    }

    struct Key: Hashable, Comparable, Sendable {
        var source: String
        var day: Int

        /// - Parameter day: held within what is stored of it, 32 bits.
        init(source: String, day: Int) {
            self.source = source
            self.day = Int(Int32(clamping: day))
        }

        static func < (left: Self, right: Self) -> Bool {
            (left.source, left.day) < (right.source, right.day)
        }
    }

    /// What left: gaps of a day by their indices, or the whole day with them.
    struct Removal: Sendable {
        var key: Key
        var gaps: Range<Int>
        var isWholeDay: Bool
    }

    public let limits: ContinuityLimits
    private(set) var days: [Key: Day] = [:]
    /// The days of each source in ascending order.
    private var daysOfSource: [String: [Int]] = [:]
    private var spans = GapSpans()
    private var changed: [Key] = []
    private var gapsOfSource: [String: Int] = [:]
    private var removed: [Removal] = []

    public init(limits: ContinuityLimits = ContinuityLimits()) {
        precondition(limits.sourcesMax > 0)
        precondition(limits.daysMax > 0)
        precondition(limits.gapsMax > 0)
        self.limits = limits
    }

    // MARK: Writing

    /// Adds to a day what was read. Counts are not negative.
    ///
    /// A day older than all of a full source is not kept.
    public mutating func note(source: String, day: Int, _ counts: ContinuityCounts) {
        for count in [
            counts.bytes, counts.lines, counts.rotations, counts.cut, counts.late, counts.forged,
        ] {
            precondition(count >= 0)
        }
        change(Key(source: source, day: day)) { $0.counts.add(counts) }
    }

    /// Files a gap under a day.
    ///
    /// - Parameter day: the local day on which it began or, if that is not known, was found.
    public mutating func add(_ gap: Gap, day: Int) {
        precondition(gap.lines ?? 0 >= 0)
        precondition(gap.bytes ?? 0 >= 0)
        var gap = gap
        gap.detail = prefix(of: gap.detail, bytesMax: limits.detailBytesMax)
        let key = Key(source: gap.source, day: day)
        let gapsMax = limits.gapsMax
        var added = 0
        var span = gap.span(day: key.day)
        let isKept = change(key) { entry in
            let before = entry.gaps.count
            let index = entry.add(gap, day: key.day, gapsMax: gapsMax)
            span = entry.gaps[index].span(day: key.day)
            added = entry.gaps.count - before
        }
        guard isKept else { return }
        if gap.kind.isLoss { spans.insert(span) }
        gapsOfSource[gap.source, default: 0] += added
        if gapsOfSource[gap.source] ?? 0 > limits.gapsOfSourceMax { mergeOldGaps(of: gap.source) }
    }

    /// Merges the gaps of the oldest days until a source has three quarters of what it may have.
    private mutating func mergeOldGaps(of source: String) {
        for day in daysOfSource[source] ?? [] {
            guard gapsOfSource[source] ?? 0 > limits.gapsOfSourceMax / 4 * 3 else { return }
            let key = Key(source: source, day: day)
            guard let before = days[key]?.gaps, before.count > 1 else { continue }
            change(key) { entry in
                entry.gaps = []
                for gap in before { _ = entry.add(gap, day: day, gapsMax: 0) }
                entry.changedGaps = Set(entry.gaps.indices)
            }
            let after = days[key]?.gaps ?? []
            guard after.count < before.count else { continue }
            gapsOfSource[source, default: 0] -= before.count - after.count
            removed.append(
                Removal(key: key, gaps: after.count..<before.count, isWholeDay: false)
            )
            for gap in after where gap.kind.isLoss { spans.insert(gap.span(day: day)) }
        }
    }

    /// Changes the entry of a day, which is made if it is missing. False: the day is not kept.
    @discardableResult
    private mutating func change(_ key: Key, _ body: (inout Day) -> Void) -> Bool {
        guard makeRoom(for: key) else { return false }
        var entry = days[key] ?? Day()
        days[key] = nil  // so that `entry` alone owns its gaps
        body(&entry)
        if !entry.isChanged {
            entry.isChanged = true
            changed.append(key)
        }
        days[key] = entry
        return true
    }

    private mutating func makeRoom(for key: Key) -> Bool {
        guard days[key] == nil else { return true }
        if daysOfSource[key.source] == nil, daysOfSource.count >= limits.sourcesMax {
            let idlest = daysOfSource.min {
                ($0.value.last ?? .min, $0.key) < ($1.value.last ?? .min, $1.key)
            }
            if let idlest { for day in idlest.value { remove(Key(source: idlest.key, day: day)) } }
            rebuildSpans()
        }
        var known = daysOfSource[key.source] ?? []
        if known.count >= limits.daysMax, let oldest = known.first {
            guard key.day > oldest else { return false }
            let hadGaps = !(days[Key(source: key.source, day: oldest)]?.gaps.isEmpty ?? true)
            remove(Key(source: key.source, day: oldest))
            known.removeFirst()
            if hadGaps { rebuildSpans() }
        }
        let index = known.lastIndex { $0 < key.day }.map { $0 + 1 } ?? 0
        known.insert(key.day, at: index)
        daysOfSource[key.source] = known
        return true
    }

    private mutating func remove(_ key: Key) {
        guard let entry = days.removeValue(forKey: key) else { return }
        removed.append(Removal(key: key, gaps: 0..<entry.gaps.count, isWholeDay: true))
        gapsOfSource[key.source, default: 0] -= entry.gaps.count
        daysOfSource[key.source]?.removeAll { $0 == key.day }
        if daysOfSource[key.source]?.isEmpty ?? false {
            daysOfSource[key.source] = nil
            gapsOfSource[key.source] = nil
        }
    }

    private mutating func rebuildSpans() {
        spans = GapSpans(
            days.flatMap { key, entry in
                entry.gaps.filter(\.kind.isLoss).map { $0.span(day: key.day) }
            }
        )
    }

    // MARK: Asking

    /// Whether lines of some source may be missing at a time in `from...to`: µs since 1970.
    ///
    /// O(log n). What was read again is not missing.
    public func hasGap(from: Int64, to: Int64) -> Bool {
        spans.overlaps(min(from, to)...max(from, to))
    }

    /// All days from one on, in the order of the days and, of one day, of the sources' names.
    ///
    /// - Parameter first: days since 1970 in the log's zone; nil: from the first that is kept. An
    ///   earlier day is given too if a gap is known to reach from it into this one or further: the
    ///   days between have nothing to show.
    public func allDays(since first: Int? = nil) -> [ContinuityDay] {
        let start = first.map(Gap.earliestMoment) ?? .max
        return days.filter { key, entry in
            key.day >= first ?? .min
                || entry.gaps.contains {
                    $0.kind.isLoss && $0.endMicroseconds ?? .min >= start
                }
        }
        .keys.sorted { ($0.day, $0.source) < ($1.day, $1.source) }
        .compactMap { key in
            days[key].map {
                ContinuityDay(
                    source: key.source,
                    day: key.day,
                    counts: $0.counts,
                    gaps: $0.gaps
                )
            }
        }
    }

    // MARK: Stored form

    /// The days that changed since the last call, and those that left. Empties both lists.
    mutating func takeChangedDays() -> (removed: [Removal], changed: [(key: Key, day: Day)]) {
        var entries: [(key: Key, day: Day)] = []
        for key in changed.sorted() {
            // A day that left and came back stands here twice.
            guard let entry = days[key], entry.isChanged else { continue }
            entries.append((key, entry))
            days[key]?.isChanged = false
            days[key]?.changedGaps = []
        }
        let gone = removed
        changed = []
        removed = []
        return (gone, entries)
    }

    /// Puts stored days in place of all that is here.
    mutating func replaceAll(with stored: [Key: Day]) {
        days = stored
        changed = []
        removed = []
        daysOfSource = [:]
        gapsOfSource = [:]
        for key in days.keys.sorted() {
            daysOfSource[key.source, default: []].append(key.day)
            gapsOfSource[key.source, default: 0] += days[key]?.gaps.count ?? 0
        }
        rebuildSpans()
    }
}

/// The longest beginning of a text that has at most so many bytes.
private func prefix(of text: String, bytesMax: Int) -> String {
    guard text.utf8.count > bytesMax else { return text }
    var cut = ""
    for scalar in text.unicodeScalars {
        guard cut.utf8.count + UTF8.width(scalar) <= bytesMax else { break }
        cut.unicodeScalars.append(scalar)
    }
    return cut
}
