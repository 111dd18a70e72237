import Records

/// The groups of one correlation.
///
/// Finding one is a hash lookup; the one that was longest without a new event is the first of a
/// list. No order depends on the dictionary: it is only asked, never walked.
struct CorrelationGroups: Sendable {
    struct Group: Sendable {
        /// Counts the groups of a correlation; orders timers.
        var serial: UInt64
        var key: [UInt8]
        /// The group-by values in canonical form.
        var values: [[UInt8]]
        var window = Window()
        var episode: Episode?
        var isChanged = false
        var previous = -1
        var next = -1

        /// When something is to be done about the group: the resolution of its alert, or its end.
        func due(_ correlation: Correlation, lateness: Int64) -> Int64? {
            if let time = episode?.resolveTime(correlation.resolve) { return time }
            var end = (window.last ?? .min / 2) + correlation.timespan + lateness
            if case .resolved(let resolved)? = episode?.state {
                end = max(end, resolved + max(correlation.silence, correlation.timespan))
            }
            return end
        }
    }

    private var groups: [Group?] = []
    private var free: [Int] = []
    private var numbers: [[UInt8]: Int] = [:]
    private var numberOfSerial: [UInt64: Int] = [:]
    private var first = -1
    private var last = -1
    private(set) var nextSerial: UInt64 = 1
    private(set) var changed: [Int] = []
    private(set) var removed: [[UInt8]] = []

    var count: Int { numbers.count }

    /// The group that was longest without an event.
    var idlest: Int? { first < 0 ? nil : first }

    subscript(number: Int) -> Group {
        guard let group = groups[number] else { preconditionFailure("the group is there") }
        return group
    }

    func number(key: [UInt8]) -> Int? { numbers[key] }

    func number(serial: UInt64) -> Int? { numberOfSerial[serial] }

    mutating func insert(key: [UInt8], values: [[UInt8]], serial: UInt64? = nil) -> Int {
        let group = Group(serial: serial ?? nextSerial, key: key, values: values)
        nextSerial = max(nextSerial, group.serial) + 1
        let number: Int
        if let reused = free.popLast() {
            number = reused
            groups[number] = group
        } else {
            number = groups.count
            groups.append(group)
        }
        numbers[key] = number
        numberOfSerial[group.serial] = number
        append(number)
        return number
    }

    /// Changes a group; it counts as having had an event.
    mutating func change(_ number: Int, _ body: (inout Group) -> Void) {
        // Taken out of the array while it is changed, so that nothing is copied.
        guard var group = groups[number] else { return }
        groups[number] = nil
        body(&group)
        if !group.isChanged {
            group.isChanged = true
            changed.append(number)
        }
        groups[number] = group
        if last != number {
            unlink(number)
            append(number)
        }
    }

    mutating func remove(_ number: Int) {
        guard let group = groups[number] else { return }
        unlink(number)
        numbers[group.key] = nil
        numberOfSerial[group.serial] = nil
        removed.append(group.key)
        groups[number] = nil
        free.append(number)
    }

    mutating func clearChanges() {
        for number in changed { groups[number]?.isChanged = false }
        changed.removeAll(keepingCapacity: true)
        removed.removeAll(keepingCapacity: true)
    }

    /// The numbers of the groups that changed and are still there, each once.
    var changedNumbers: [Int] {
        var seen: Set<Int> = []
        return changed.filter { groups[$0]?.isChanged ?? false && seen.insert($0).inserted }
    }

    /// All groups, the idlest first.
    var ordered: [Int] {
        var all: [Int] = []
        var number = first
        while number >= 0 {
            all.append(number)
            number = groups[number]?.next ?? -1
        }
        return all
    }

    private mutating func append(_ number: Int) {
        groups[number]?.previous = last
        groups[number]?.next = -1
        if last >= 0 { groups[last]?.next = number } else { first = number }
        last = number
    }

    private mutating func unlink(_ number: Int) {
        guard let group = groups[number] else { return }
        if group.previous >= 0 {
            groups[group.previous]?.next = group.next
        } else {
            first = group.next
        }
        if group.next >= 0 {
            groups[group.next]?.previous = group.previous
        } else {
            last = group.previous
        }
    }
}
