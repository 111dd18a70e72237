import Records

/// What is remembered of one account and one domain, in 12 bytes.
struct Pair: Sendable, Equatable {
    private var low: UInt32
    private var high: UInt32
    /// Day of the last time, counted from 1970 in the log's zone; 0 for never.
    var lastDay: UInt16
    /// For domains written to: the day of the last receipt, which makes the domain no less unseen; 0
    /// for none, and 1 in states of versions that did not keep the day. For domains heard from: on
    /// how many days.
    var note: UInt16

    init(hash: UInt64, lastDay: UInt16, note: UInt16) {
        low = UInt32(truncatingIfNeeded: hash)
        high = UInt32(truncatingIfNeeded: hash >> 32)
        self.lastDay = lastDay
        self.note = note
    }

    var hash: UInt64 { UInt64(high) << 32 | UInt64(low) }
}

/// The domains of one account, bounded: at the limit the one that was longest ago leaves, so an
/// account can only make itself forget.
///
/// Invariant: sorted by hash, no hash twice. Looking up is O(log n), a new domain O(n) with n at
/// most the limit.
struct PairSet: Sendable, Equatable {
    private(set) var pairs: [Pair] = []

    var count: Int { pairs.count }

    /// Pairs that something else than a receipt made.
    var seenCount: Int { pairs.count { $0.lastDay > 0 } }

    /// The index of the first pair whose hash is not below `hash`.
    ///
    /// Keyed hashes lie evenly, so the search begins where the hash would be then, and doubles its
    /// steps from there: mostly it looks at one or two cache lines.
    private func lowerBound(_ hash: UInt64) -> Int {
        let count = pairs.count
        guard count > 0 else { return 0 }
        let guess = Int(hash.multipliedFullWidth(by: UInt64(count)).high)
        var low: Int
        var high: Int
        var step = 2
        if pairs[guess].hash < hash {
            low = guess + 1
            high = low
            while high < count, pairs[high].hash < hash {
                low = high + 1
                high += step
                step *= 2
            }
            high = min(high, count)
        } else {
            high = guess
            low = high
            while low > 0, pairs[low - 1].hash >= hash {
                high = low - 1
                low = max(0, low - step)
                step *= 2
            }
        }
        while low < high {
            let middle = (low + high) / 2
            if pairs[middle].hash < hash { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func pair(_ hash: UInt64) -> Pair? {
        let index = lowerBound(hash)
        return index < pairs.count && pairs[index].hash == hash ? pairs[index] : nil
    }

    /// What came of a change.
    struct Change {
        /// There was no pair of this hash.
        var isNew = false
        /// The pair that left to make room.
        var evicted: Pair?
    }

    /// Changes the pair of a hash; a new one begins with day and note 0.
    ///
    /// - Parameter rank: of the others, at the limit, one with the lowest leaves.
    mutating func update(
        _ hash: UInt64,
        limit: Int,
        rank: (Pair) -> UInt32,
        _ change: (inout Pair) -> Void
    ) -> Change {
        let index = lowerBound(hash)
        if index < pairs.count, pairs[index].hash == hash {
            change(&pairs[index])
            return Change()
        }
        var pair = Pair(hash: hash, lastDay: 0, note: 0)
        change(&pair)
        // What every account has may not be half empty.
        if pairs.count == pairs.capacity {
            pairs.reserveCapacity(pairs.count + max(4, pairs.count / 8))
        }
        pairs.insert(pair, at: index)
        guard pairs.count > limit else { return Change(isNew: true) }
        var lowest = index == 0 ? 1 : 0
        for candidate in pairs.indices
        where candidate != index && rank(pairs[candidate]) < rank(pairs[lowest]) {
            lowest = candidate
        }
        return Change(isNew: true, evicted: pairs.remove(at: lowest))
    }

    /// What a sweep did to pairs of domains written to.
    struct Sweep {
        /// Pairs that left.
        var count = 0
        /// Those of them that the account had written to within the memory.
        var forgotten = 0
        /// Domains that count as written to no more.
        var unwritten: [UInt64] = []
        /// The earliest day on which one that stayed will be too old.
        var oldest = UInt16.max
    }

    /// Lets the pairs go that were used only before a day, and those for which `hides` holds.
    mutating func sweep(before day: UInt16, where hides: (Pair) -> Bool) -> Sweep {
        var result = Sweep()
        var changed: [Pair]?
        for index in pairs.indices {
            var pair = pairs[index]
            let isHidden = hides(pair)
            let isOld = pair.lastDay < day
            if isHidden || isOld {
                if pair.lastDay > 0 {
                    result.unwritten.append(pair.hash)
                    if !isOld { result.forgotten += 1 }
                    pair.lastDay = 0
                    if changed == nil { changed = Array(pairs[..<index]) }
                }
                if isHidden || pair.note < day {
                    result.count += 1
                    if changed == nil { changed = Array(pairs[..<index]) }
                    continue
                }
            }
            result.oldest = min(result.oldest, pair.lastDay > 0 ? pair.lastDay : pair.note)
            changed?.append(pair)
        }
        if let changed { pairs = changed }
        return result
    }

    /// Joins what two hosts know: of each pair the later day and the greater note; at the limit those
    /// that were longest ago leave. It is the same whichever comes first, and again is once.
    ///
    /// - Returns: whether pairs left.
    mutating func merge(_ other: [Pair], limit: Int) -> Bool {
        var all: [UInt64: Pair] = [:]
        for pair in pairs { all[pair.hash] = pair }
        for pair in other {
            guard let known = all[pair.hash] else {
                all[pair.hash] = pair
                continue
            }
            all[pair.hash] = Pair(
                hash: pair.hash,
                lastDay: max(pair.lastDay, known.lastDay),
                note: max(pair.note, known.note)
            )
        }
        var merged = Array(all.values)
        let isFull = merged.count > limit
        if isFull {
            merged.sort { ($0.lastDay, $0.hash) > ($1.lastDay, $1.hash) }
            merged.removeLast(merged.count - limit)
        }
        pairs = merged.sorted { $0.hash < $1.hash }
        return isFull
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(UInt32(pairs.count))
        for pair in pairs {
            writer.write(pair.hash)
            writer.write(pair.lastDay)
            writer.write(pair.note)
        }
    }

    init() {}

    init(from reader: inout BinaryReader) throws(BinaryReadError) {
        let count = try reader.readCount(ofSize: 12)
        pairs.reserveCapacity(count)
        for _ in 0..<count {
            let hash = try reader.read(UInt64.self)
            let day = try reader.read(UInt16.self)
            let note = try reader.read(UInt16.self)
            if let last = pairs.last, last.hash >= hash {
                throw BinaryReadError(offset: 0, expected: "domains in ascending order")
            }
            pairs.append(Pair(hash: hash, lastDay: day, note: note))
        }
    }
}
