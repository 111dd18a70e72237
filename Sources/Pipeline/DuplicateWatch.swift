/// Notices that two sources carry the same log, as when rsyslog writes it to two files, or to a file
/// beside the journal: then every message would count twice.
///
/// The same host opens a message under one queue ID once, so its `client=` line stands in one source
/// only. Short IDs come back, but not one after the other in the same order.
struct DuplicateWatch: Sendable {
    /// So many messages of a source, one after the other, that another source had as well.
    static let messagesMin = 20
    /// How many messages of a source are remembered.
    private static let rememberedMax = 4_096

    private struct Source: Sendable {
        var recent: Set<UInt64> = []
        var order: [UInt64] = []
        var oldest = 0
        /// Messages in a row that the other source had before.
        var runs: [Int]
    }

    private var sources: [Source]
    /// Two sources that carry the same log, by their numbers among the lanes.
    private(set) var found: (Int, Int)?

    init(count: Int) {
        sources = (0..<count).map { _ in Source(runs: [Int](repeating: 0, count: count)) }
    }

    /// A source opened a message.
    ///
    /// - Parameter key: of host and queue ID.
    mutating func opened(_ key: UInt64, by index: Int) {
        guard sources.count > 1 else { return }
        for other in sources.indices where other != index {
            guard sources[other].recent.contains(key) else {
                // What the other has not shown yet says nothing; what it never shows ends the run.
                sources[index].runs[other] = 0
                continue
            }
            sources[index].runs[other] += 1
            if sources[index].runs[other] >= Self.messagesMin {
                found = (min(index, other), max(index, other))
            }
        }
        remember(key, index)
    }

    private mutating func remember(_ key: UInt64, _ index: Int) {
        guard sources[index].recent.insert(key).inserted else { return }
        if sources[index].order.count < Self.rememberedMax {
            sources[index].order.append(key)
            return
        }
        let oldest = sources[index].oldest
        sources[index].recent.remove(sources[index].order[oldest])
        sources[index].order[oldest] = key
        sources[index].oldest = (oldest + 1) % Self.rememberedMax
    }
}
