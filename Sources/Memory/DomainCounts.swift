/// How many accounts know each domain: open addressing in one allocation, 12 bytes an entry.
///
/// Invariant: between an entry's home and its place no place is empty; at most four fifths are full.
struct DomainCounts: Sendable {
    /// In halves, so that no byte is lost to alignment.
    private struct Entry: Sendable {
        var low: UInt32 = 0
        var high: UInt32 = 0
        var count: UInt32 = 0

        /// 0: the place is empty.
        var domain: UInt64 { UInt64(high) << 32 | UInt64(low) }
    }

    private var entries = [Entry](repeating: Entry(), count: 64)
    private var used = 0

    /// A keyed hash lies evenly, so its highest part is its home.
    private func home(_ domain: UInt64) -> Int {
        Int(domain.multipliedFullWidth(by: UInt64(entries.count)).high)
    }

    /// The place of a domain, or the empty one where it would be.
    private func place(_ domain: UInt64) -> Int {
        var index = home(domain)
        while true {
            let known = entries[index].domain
            if known == domain || known == 0 { return index }
            index += 1
            if index == entries.count { index = 0 }
        }
    }

    subscript(domain: UInt64) -> UInt32 { entries[place(domain | 1)].count }

    /// One more account knows the domain.
    ///
    /// Two domains that differ in the last bit of their hash are taken for one here.
    mutating func add(_ domain: UInt64) {
        let domain = domain | 1
        var index = place(domain)
        if entries[index].domain == 0 {
            if (used + 1) * 5 > entries.count * 4 {
                grow()
                index = place(domain)
            }
            used += 1
            entries[index].low = UInt32(truncatingIfNeeded: domain)
            entries[index].high = UInt32(truncatingIfNeeded: domain >> 32)
        }
        entries[index].count += 1
    }

    /// One account less knows it. Its entry stays until the table grows.
    mutating func remove(_ domain: UInt64) {
        let index = place(domain | 1)
        if entries[index].count > 0 { entries[index].count -= 1 }
    }

    private mutating func grow() {
        let old = entries
        let live = old.count { $0.count > 0 }
        entries = [Entry](repeating: Entry(), count: max(64, live / 2 * 4))
        used = live
        for entry in old where entry.count > 0 { entries[place(entry.domain)] = entry }
    }
}
