/// Finds assemblies by the keyed hash of host and queue ID: open addressing in one allocation.
///
/// Several entries may have the same key (an ID that came back, or two instances); the caller tells
/// them apart. Invariant: between an entry's home and its place no place is empty.
struct QueueTable: Sendable {
    private struct Entry: Sendable {
        /// 0 when empty: keys are odd.
        var key: UInt64
        var slot: Int32
    }

    private var entries: [Entry]
    private(set) var count = 0

    init() {
        entries = [Entry](repeating: Entry(key: 0, slot: -1), count: 1_024)
    }

    private var mask: Int { entries.count &- 1 }

    @inline(__always)
    private func home(_ key: UInt64) -> Int { Int(truncatingIfNeeded: key >> 20) & mask }

    /// Calls `body` with each slot of the key until it says that it found what it looked for.
    @inline(__always)
    func find(_ key: UInt64, where matches: (Int32) -> Bool) -> Int32? {
        var index = home(key)
        while entries[index].key != 0 {
            if entries[index].key == key, matches(entries[index].slot) {
                return entries[index].slot
            }
            index = (index &+ 1) & mask
        }
        return nil
    }

    mutating func insert(_ key: UInt64, slot: Int32) {
        precondition(key != 0)
        if count &* 4 >= entries.count &* 3 { grow() }
        var index = home(key)
        while entries[index].key != 0 { index = (index &+ 1) & mask }
        entries[index] = Entry(key: key, slot: slot)
        count += 1
    }

    /// Removes the entry; the entries behind it move up, so that no mark of a deletion is needed.
    mutating func remove(_ key: UInt64, slot: Int32) {
        var index = home(key)
        while entries[index].key != key || entries[index].slot != slot {
            guard entries[index].key != 0 else { return }
            index = (index &+ 1) & mask
        }
        count -= 1
        var hole = index
        var next = (hole &+ 1) & mask
        while entries[next].key != 0 {
            let distance = (next &- home(entries[next].key)) & mask
            if distance >= (next &- hole) & mask {
                entries[hole] = entries[next]
                hole = next
            }
            next = (next &+ 1) & mask
        }
        entries[hole] = Entry(key: 0, slot: -1)
    }

    private mutating func grow() {
        let old = entries
        entries = [Entry](repeating: Entry(key: 0, slot: -1), count: old.count * 2)
        for entry in old where entry.key != 0 {
            var index = home(entry.key)
            while entries[index].key != 0 { index = (index &+ 1) & mask }
            entries[index] = entry
        }
    }
}
