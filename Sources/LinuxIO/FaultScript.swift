import Synchronization
public import SystemPackage

/// Which system calls go wrong, and how: the double that tests put behind ``SystemCalls``.
///
/// It counts the calls that each of its rules speaks of, over all descriptors and threads that
/// share it, so the same program meets the same fault in every run.
public final class FaultScript: Sendable {
    public enum Fault: Hashable, Sendable {
        /// The call is not made and fails. `EINTR` is repeated like a real one.
        case fail(Errno)
        /// Moves at most this many bytes (at least 1); for calls that move bytes.
        case shorten(to: Int)
    }

    public enum Moment: Hashable, Sendable {
        /// Only the n-th call, counted from 1.
        case nth(Int)
        /// The n-th call and all after it.
        case from(Int)
        /// The first call, the one after `period` more, and so on.
        case every(Int)
    }

    public struct Rule: Hashable, Sendable {
        public var call: SystemCall
        public var moment: Moment
        public var fault: Fault
        /// Only calls about this path count; nil: all calls count.
        public var path: FilePath?

        public init(_ call: SystemCall, _ moment: Moment, _ fault: Fault, path: FilePath? = nil) {
            self.call = call
            self.moment = moment
            self.fault = fault
            self.path = path
        }
    }

    private struct State {
        var rules: [Rule]
        /// How many calls each rule has seen.
        var counts: [Int]
        /// How many faults were given.
        var given = 0
    }

    private let state: Mutex<State>

    public init(_ rules: [Rule]) {
        state = Mutex(State(rules: rules, counts: Array(repeating: 0, count: rules.count)))
    }

    /// How many faults were given so far: a test whose fault never came has shown nothing.
    public var givenCount: Int { state.withLock { $0.given } }

    /// Replaces the rules and begins to count again.
    public func replace(with rules: [Rule]) {
        state.withLock {
            $0.rules = rules
            $0.counts = Array(repeating: 0, count: rules.count)
        }
    }

    /// What happens to the call that is about to be made: the first rule that speaks wins.
    func next(_ call: SystemCall, path: FilePath?) -> Fault? {
        state.withLock { state in
            var fault: Fault?
            for index in state.rules.indices {
                let rule = state.rules[index]
                guard rule.call == call, rule.path == nil || rule.path == path else { continue }
                state.counts[index] += 1
                let count = state.counts[index]
                let hit =
                    switch rule.moment {
                    case .nth(let n): count == n
                    case .from(let n): count >= n
                    case .every(let period): (count - 1) % max(period, 1) == 0
                    }
                if hit, fault == nil { fault = rule.fault }
            }
            if fault != nil { state.given += 1 }
            return fault
        }
    }
}
