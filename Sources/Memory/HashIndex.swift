/// Finds numbers by keyed hashes: open addressing in one allocation. A key is its own hash, since who
/// does not know the seed cannot choose it.
///
/// Invariant: between an entry's home and its place no place is empty; at most three quarters are
/// full.
struct HashIndex: Sendable {
    private struct Entry: Sendable {
        var key: UInt64 = 0
        /// ``HashIndex/none`` when empty.
        var number = HashIndex.none
    }

    private static let none = UInt32.max

    private var entries = [Entry](repeating: Entry(), count: 64)
    private(set) var count = 0

    private var mask: Int { entries.count &- 1 }

    subscript(key: UInt64) -> UInt32? {
        var index = Int(truncatingIfNeeded: key) & mask
        while entries[index].number != Self.none {
            if entries[index].key == key { return entries[index].number }
            index = (index &+ 1) & mask
        }
        return nil
    }

    /// Enters a key that is not there yet.
    mutating func insert(_ key: UInt64, number: UInt32) {
        precondition(number != Self.none)
        if count * 4 >= entries.count * 3 { grow() }
        place(Entry(key: key, number: number))
        count += 1
    }

    /// Enters a key, or gives the one that is there another number.
    mutating func set(_ key: UInt64, number: UInt32) {
        var index = Int(truncatingIfNeeded: key) & mask
        while entries[index].number != Self.none {
            if entries[index].key == key {
                entries[index].number = number
                return
            }
            index = (index &+ 1) & mask
        }
        insert(key, number: number)
    }

    /// Removes a key; the entries behind it move up, so that no mark of a deletion is needed.
    mutating func remove(_ key: UInt64) {
        var hole = Int(truncatingIfNeeded: key) & mask
        while entries[hole].key != key || entries[hole].number == Self.none {
            guard entries[hole].number != Self.none else { return }
            hole = (hole &+ 1) & mask
        }
        count -= 1
        var next = (hole &+ 1) & mask
        while entries[next].number != Self.none {
            let home = Int(truncatingIfNeeded: entries[next].key) & mask
            if (next &- home) & mask >= (next &- hole) & mask {
                entries[hole] = entries[next]
                hole = next
            }
            next = (next &+ 1) & mask
        }
        entries[hole] = Entry()
    }

    private mutating func place(_ entry: Entry) {
        var index = Int(truncatingIfNeeded: entry.key) & mask
        while entries[index].number != Self.none { index = (index &+ 1) & mask }
        entries[index] = entry
    }

    private mutating func grow() {
        let old = entries
        entries = [Entry](repeating: Entry(), count: old.count * 2)
        for entry in old where entry.number != Self.none { place(entry) }
    }
}
