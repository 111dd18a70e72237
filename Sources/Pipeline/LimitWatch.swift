import Findings
import MailLog
import Memory
import Records
import SafeText

/// Tells of bounds that made the engine forget something: once a day for each, in the log's time.
struct LimitWatch: Sendable {
    private static let day: Int64 = 86_400_000_000

    /// By bound: the count that was told, and the day.
    private var told: [(count: Int, day: Int64)] = [(0, .min), (0, .min)]

    /// The notices of what was reached since they were last asked for.
    ///
    /// - Parameter microseconds: event time.
    mutating func take(
        _ memory: MemoryCounters,
        _ messages: AssemblerCounters,
        at microseconds: Int64
    ) -> [Notice] {
        let domains = memory.domainsForgotten + memory.heardForgotten
        return [
            notice(
                0,
                domains,
                at: microseconds,
                "pairs",
                "The memory of who wrote to whom is full: \(domains) pairs of account and domain were "
                    + "let go, those used longest ago, and a domain known by one of them counts as "
                    + "unseen again; raise memory.pairs_max."
            ),
            notice(
                1,
                messages.closedForSpace,
                at: microseconds,
                "messages",
                "Too many messages are open at a time: \(messages.closedForSpace) were given up "
                    + "before their outcome was known, those idle longest."
            ),
        ].compactMap { $0 }
    }

    private mutating func notice(
        _ index: Int,
        _ count: Int,
        at microseconds: Int64,
        _ what: String,
        _ message: String
    ) -> Notice? {
        let day = floorDivide(microseconds, by: Self.day).quotient
        guard count > told[index].count, day > told[index].day else { return nil }
        told[index] = (count, day)
        return Notice(
            name: "postern_limit",
            id: "postern_limit:\(what):\(day)",
            microseconds: microseconds,
            severity: .medium,
            message: message
        )
    }
}
