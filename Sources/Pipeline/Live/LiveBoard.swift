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
    }

    private let state = Mutex(State())
    /// Monotonic nanoseconds of the engine's last sign of life; 0 before the first.
    private let lastBeat = Atomic<UInt64>(0)

    private static let rateNanoseconds: UInt64 = 10_000_000_000
    private static let samplesMax = 64

    public init() {}

    // MARK: The engine's thread

    func publish(_ figures: LiveFigures, at now: UInt64) {
        state.withLock { state in
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

    /// Whether lines are read.
    public var isReady: Bool { state.withLock { $0.isReady } }

    /// Whether the engine gave a sign of life within so many nanoseconds.
    public func isAlive(within nanoseconds: UInt64) -> Bool {
        let last = lastBeat.load(ordering: .acquiring)
        return last != 0 && Clocks.monotonicNanoseconds() &- last < nanoseconds
    }
}
