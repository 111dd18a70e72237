/// The life of one alert on its way to one sink. No I/O and no clock in here.
public enum DispatchState: Sendable, Hashable {
    /// To be sent now. Attempts count from 1.
    case due(attempt: Int)
    /// The attempt before failed; `attempt` is made at a time, µs since 1970.
    case waiting(attempt: Int, until: Int64)
    /// The sink has it.
    case acknowledged
    /// Given up after so many attempts, until somebody asks for it again.
    case abandoned(attempts: Int)

    /// What the outbox remembers of one that waits: attempts made, and when the next is due.
    public init(attempts: Int, dueMicroseconds: Int64, nowMicroseconds: Int64) {
        self =
            dueMicroseconds <= nowMicroseconds
            ? .due(attempt: attempts + 1)
            : .waiting(attempt: attempts + 1, until: dueMicroseconds)
    }

    /// What the outbox must be told.
    public enum Change: Sendable, Hashable {
        case none
        case acknowledged
        case failed(dueMicroseconds: Int64)
        case abandoned
        /// It goes out within a digest.
        case combined
    }

    /// The sink answered an attempt.
    ///
    /// - Parameters:
    ///   - retryMicroseconds: when to try again if that makes sense.
    ///   - attemptsMax: after so many failures it is given up.
    public mutating func answered(
        _ answer: SinkAnswer,
        retryMicroseconds: Int64,
        attemptsMax: Int
    ) -> Change {
        switch (self, answer) {
        case (.due, .accepted):
            self = .acknowledged
            return .acknowledged
        case (.due(let attempt), .failed) where attempt < attemptsMax:
            self = .waiting(attempt: attempt + 1, until: retryMicroseconds)
            return .failed(dueMicroseconds: retryMicroseconds)
        case (.due(let attempt), .failed), (.due(let attempt), .refused):
            self = .abandoned(attempts: attempt)
            return .abandoned

        // No attempt is under way: an answer that came twice changes nothing.
        case (.waiting, .accepted), (.waiting, .failed), (.waiting, .refused),
            (.acknowledged, .accepted), (.acknowledged, .failed), (.acknowledged, .refused),
            (.abandoned, .accepted), (.abandoned, .failed), (.abandoned, .refused):
            return .none
        }
    }

    /// When a dispatch that waits is due after a start, by a clock that may have been set back while
    /// nothing ran: what was tried before waits no longer than between two attempts, what is held back
    /// no longer than it was to be from the beginning.
    static func dueAfterStart(
        attempts: Int,
        createdMicroseconds created: Int64,
        dueMicroseconds due: Int64,
        nowMicroseconds now: Int64,
        retryMicrosecondsMax: Int64
    ) -> Int64 {
        guard attempts == 0 else { return min(due, now + retryMicrosecondsMax) }
        return created > now && due > created ? now + (due - created) : due
    }
}
