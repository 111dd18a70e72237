/// Which open alerts an account has a part in: finds a campaign's accounts' alerts, and the campaigns of
/// an account's alert, without a walk over all of them.
///
/// It is made anew after a restore; no order depends on the dictionary, which is only asked.
struct OpenAlerts: Sendable {
    /// Names a group of a correlation.
    struct Place: Sendable, Hashable, Comparable {
        var correlation: Int
        /// The group's serial.
        var group: UInt64

        static func < (left: Self, right: Self) -> Bool {
            (left.correlation, left.group) < (right.correlation, right.group)
        }
    }

    /// By the account's identity: places, ascending.
    private var places: [UInt64: [Place]] = [:]

    /// The account has a part in the alert.
    mutating func add(_ account: UInt64, _ place: Place) {
        var known = places[account] ?? []
        let index = known.firstIndex { $0 >= place } ?? known.count
        if index < known.count, known[index] == place { return }
        known.insert(place, at: index)
        places[account] = known
    }

    /// The alert is not open any more.
    mutating func remove(_ account: UInt64, _ place: Place) {
        guard let index = places[account]?.firstIndex(of: place) else { return }
        places[account]?.remove(at: index)
        if places[account]?.isEmpty ?? false { places[account] = nil }
    }

    /// The alerts of an account, in the order of their rules and groups.
    func places(of account: UInt64) -> [Place] { places[account] ?? [] }

    mutating func removeAll() { places.removeAll() }
}
