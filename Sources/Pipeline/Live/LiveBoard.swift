import LinuxIO
import Synchronization

/// Where the engine's thread puts its figures, and others read them.
///
/// The lock is held for a copy of references, never for a computation or a call, so that no reader
/// makes the engine wait.
public final class LiveBoard: Sendable {
    private struct State {
        var figures = LiveFigures()
        /// Lines of this run by the time they were read: the last ten seconds and one before.
        var samples: [(nanoseconds: UInt64, lines: UInt64)] = []
        var isReady = false
        /// All accounts of the last hour, as they were when somebody asked; nil: nobody did lately.
        var accounts: LiveAccounts?
        var wake: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())
    /// Monotonic nanoseconds of the engine's last sign of life; 0 before the first.
    private let lastBeat = Atomic<UInt64>(0)
    /// Somebody waits for the accounts.
    private let areAccountsWanted = Atomic(false)

    private static let rateNanoseconds: UInt64 = 10_000_000_000
    private static let samplesMax = 64
    /// The accounts stay so long after they were taken.
    private static let accountsNanoseconds: UInt64 = 60_000_000_000

    public init() {}

    // MARK: The engine's thread

    func publish(_ figures: LiveFigures, at now: UInt64) {
        state.withLock { state in
            if let taken = state.accounts?.nanoseconds, now &- taken > Self.accountsNanoseconds {
                state.accounts = nil
            }
            state.figures = figures
            state.samples.append((now, figures.totals.linesOfRun))
            // One that is older than the time of the rate is its beginning.
            while state.samples.count > Self.samplesMax
                || state.samples.count > 1
                    && now &- state.samples[1].nanoseconds
                        >= Self.rateNanoseconds
            {
                state.samples.removeFirst()
            }
        }
    }

    /// - Parameter wake: makes the engine's thread look at ``isAsked``; called on other threads.
    func connect(_ wake: @escaping @Sendable () -> Void) { state.withLock { $0.wake = wake } }

    /// Whether somebody waits for what ``put(_:)`` takes.
    var isAsked: Bool { areAccountsWanted.load(ordering: .acquiring) }

    func put(_ accounts: LiveAccounts) {
        state.withLock { $0.accounts = accounts }
        areAccountsWanted.store(false, ordering: .releasing)
    }

    func beat(at now: UInt64) { lastBeat.store(now, ordering: .releasing) }

    /// The first cursor is placed, and lines are read.
    func ready(at now: UInt64) {
        state.withLock { state in
            state.isReady = true
            state.samples = [(now, 0)]
        }
    }

    // MARK: Readers

    /// The latest figures, and the lines read per second in the last ten.
    public func read() -> (figures: LiveFigures, linesPerSecond: Int) {
        let now = Clocks.monotonicNanoseconds()
        return state.withLock { state in
            guard let first = state.samples.first, let last = state.samples.last else {
                return (state.figures, 0)
            }
            // Nothing was published since: nothing was read either.
            let start =
                state.samples.last { now &- $0.nanoseconds >= Self.rateNanoseconds } ?? first
            let seconds = max(1, (now &- start.nanoseconds) / 1_000_000_000)
            return (state.figures, Int((last.lines &- start.lines) / seconds))
        }
    }

    /// All accounts of the last hour of the log, as they were at most so long ago; nil: the engine did
    /// not answer in two seconds.
    ///
    /// It copies them when it is asked, and never else: 20,000 take it a millisecond.
    public func accounts(within nanoseconds: UInt64) async -> LiveAccounts? {
        let start = Clocks.monotonicNanoseconds()
        func fresh(since: UInt64) -> LiveAccounts? {
            state.withLock { $0.accounts.flatMap { $0.nanoseconds >= since ? $0 : nil } }
        }
        if let known = fresh(since: start - min(start, nanoseconds)) { return known }
        areAccountsWanted.store(true, ordering: .releasing)
        let wake = state.withLock { $0.wake }
        wake?()
        for _ in 0..<200 {
            try? await Task.sleep(for: .milliseconds(10))
            if let made = fresh(since: start) { return made }
        }
        return nil
    }

    /// Whether lines are read.
    public var isReady: Bool { state.withLock { $0.isReady } }

    /// Whether the engine gave a sign of life within so many nanoseconds.
    public func isAlive(within nanoseconds: UInt64) -> Bool {
        let last = lastBeat.load(ordering: .acquiring)
        return last != 0 && Clocks.monotonicNanoseconds() &- last < nanoseconds
    }
}
