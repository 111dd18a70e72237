/// What becomes due in event time: the resolution of alerts, the end of the silence after it, and the
/// end of idle groups. The latter have one timer for all groups of a correlation, since the one that
/// was longest idle is always known.
///
/// A binary heap; among timers of one time the order is that of rule and group, so that it is the
/// same in every run.
struct TimerQueue: Sendable {
    struct Timer: Sendable, Comparable {
        var due: Int64
        var correlation: Int
        /// Serial of the group, or ``idleGroups``; a group that is gone has none.
        var group: UInt64

        /// Stands for all groups of the correlation that have no alert.
        static let idleGroups: UInt64 = 0

        static func < (left: Timer, right: Timer) -> Bool {
            (left.due, left.correlation, left.group) < (right.due, right.correlation, right.group)
        }
    }

    private var heap: [Timer] = []

    var firstDue: Int64? { heap.first?.due }

    mutating func push(_ timer: Timer) {
        heap.append(timer)
        var index = heap.count - 1
        while index > 0, heap[index] < heap[(index - 1) / 2] {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// The first timer that is due at `time`.
    mutating func pop(until time: Int64) -> Timer? {
        guard let first = heap.first, first.due <= time else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            if least == index { return first }
            heap.swapAt(index, least)
            index = least
        }
    }
}
