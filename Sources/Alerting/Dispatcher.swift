import LinuxIO
public import State
import Synchronization

/// Something about a sink that the operator should hear of. Once for each change, not for each
/// attempt.
public enum SinkEvent: Sendable, Hashable {
    /// The first failure after a success. Nothing is lost: it is tried again.
    case failed(sink: String, error: String)
    /// So many failures one after the other that the sink now gets one alert at a time.
    case dead(sink: String, failures: Int, error: String)
    /// It takes alerts again.
    case recovered(sink: String, failures: Int)
    /// This alert is given up; `postern alerts redeliver` sends it again.
    case abandoned(sink: String, id: String, sequence: Int64, error: String)
    /// The outbox cannot be read; it is tried again.
    case outboxUnreadable(sink: String, error: String)
}

/// What one sink did since the start.
public struct SinkCounters: Sendable, Hashable {
    public var accepted = 0
    /// Attempts that failed.
    public var failed = 0
    /// Dispatches given up.
    public var abandoned = 0
    /// Answers whose marks are not committed yet.
    public var unconfirmed = 0
    /// Times that the sink paused because too many were not.
    public var pauses = 0
    public var circuit = SinkCircuit.closed(failures: 0)
}

/// Takes the outbox to the sinks: a thread for each, so that a slow or dead one delays no other.
///
/// Who does what:
///
/// 1. The engine's thread commits new rows of the outbox and calls ``wake()``.
/// 2. A sink's thread reads what is due through a reader of its own, sends it, and leaves the
///    answer as a mark; then it calls `marksReady`, which wakes the engine.
/// 3. The engine's thread takes the marks with ``takeMarks()``, commits them with its next turn,
///    and calls ``committed(_:)``. Until then a sink's thread passes over what it has marked,
///    though the outbox still shows it as due.
///
/// After a crash between 2 and 3 the same bytes are sent again under the same ID and sequence: at
/// least once. Order holds per alert: the outbox shows a transition as due only when all before it
/// are done.
public final class Dispatcher: Sendable {
    private let workers: [SinkWorker]
    private let threads: [SinkThread]
    private let marks = MarkBox()
    private let hasStopped = Atomic(false)
    private let leaving = SinkLeave()

    /// Starts the threads; they send what is due at once.
    ///
    /// - Parameters:
    ///   - sinks: with names of their own.
    ///   - limitsOf: of sinks that have others than `limits`.
    ///   - seed: for the jitter of the waits.
    ///   - unconfirmed: marks of the dispatcher before this one that no commit has written yet.
    ///   - openOutbox: opens the state for reading; called in the sinks' threads, again after a
    ///     failure.
    ///   - clock: µs since 1970; must not go back while the program runs.
    ///   - marksReady: called in a sink's thread when there are marks to take; must not block.
    ///   - observe: called in a sink's thread; must not block.
    /// - Throws: when the kernel has no eventfd or thread left.
    public init(
        sinks: [any Sink],
        limits: DispatchLimits = DispatchLimits(),
        limitsOf: [String: DispatchLimits] = [:],
        seed: UInt64,
        unconfirmed: DispatchMarks = DispatchMarks(),
        openOutbox: @escaping @Sendable () throws(StateError) -> StateReader,
        clock: @escaping @Sendable () -> Int64 = Dispatcher.steadyClock(),
        marksReady: @escaping @Sendable () -> Void,
        observe: @escaping @Sendable (SinkEvent) -> Void
    ) throws(DispatcherError) {
        precondition(Set(sinks.map(\.name)).count == sinks.count, "two sinks with one name")
        var workers: [SinkWorker] = []
        for (index, sink) in sinks.enumerated() {
            let marks = marks
            let surroundings = SinkWorker.Surroundings(
                openOutbox: openOutbox,
                clock: clock,
                observe: observe,
                mark: { mark in
                    marks.put(DispatchMarks.Entry(name: sink.name, mark: mark))
                    marksReady()
                }
            )
            do {
                workers.append(
                    try SinkWorker(
                        name: sink.name,
                        queue: SinkQueue(
                            limits: limitsOf[sink.name] ?? limits,
                            seed: seed &+ UInt64(index),
                            unconfirmed: Set(unconfirmed.numbers(of: sink.name))
                        ),
                        surroundings: surroundings
                    )
                )
            } catch {
                throw DispatcherError(description: "a sink's thread: \(error)")
            }
        }
        self.workers = workers
        var threads: [SinkThread] = []
        for (worker, sink) in zip(workers, sinks) {
            var sink = sink
            sink.heed(leaving)
            let heeding = sink
            do {
                threads.append(try SinkThread { worker.run(heeding) })
            } catch {
                for worker in workers { worker.stop() }
                for thread in threads { thread.join() }
                throw error
            }
        }
        self.threads = threads
    }

    deinit { stop() }

    /// There are new rows in the outbox.
    public func wake() { for worker in workers { worker.wake() } }

    /// Sinks that failed are tried at once.
    public func probe() { for worker in workers { worker.probe() } }

    /// The answers since the last call, in the order in which they came.
    public func takeMarks() -> DispatchMarks { marks.take() }

    /// These marks are committed.
    public func committed(_ marks: DispatchMarks) {
        for worker in workers {
            let numbers = marks.numbers(of: worker.name)
            if !numbers.isEmpty { worker.confirm(numbers) }
        }
    }

    /// Ends the threads, after one last look for what is due; what then fails or waits stays in the
    /// outbox. Returns when they have ended. Call ``takeMarks()`` once more after it.
    public func stop() {
        guard !hasStopped.exchange(true, ordering: .acquiringAndReleasing) else { return }
        for worker in workers { worker.stop() }
        for thread in threads { thread.join() }
    }

    /// Ends the threads since the program ends: as ``stop()``, but a sink that is still at an attempt
    /// after `nanoseconds` is left alone with it. Its alert is in the outbox, and the next run sends it
    /// again under the same ID.
    ///
    /// - Returns: the names of those sinks.
    public func leave(afterNanoseconds nanoseconds: UInt64) -> [String] {
        guard !hasStopped.exchange(true, ordering: .acquiringAndReleasing) else { return [] }
        leaving.set()
        for worker in workers { worker.stop() }
        let end = Clocks.monotonicNanoseconds() &+ nanoseconds
        return zip(workers, threads).filter { !$0.1.join(until: end) }.map(\.0.name)
    }

    /// What each sink did since the start, in the order of the sinks.
    public var counters: [(sink: String, counters: SinkCounters)] {
        workers.map { ($0.name, $0.counters) }
    }

    /// The time of day as it was at the start, and from then on a clock that never steps back: a retry
    /// comes when it should although somebody sets the time back. Set forward, it goes along: the
    /// engine dates what it has for a sink by the time of day.
    public static func steadyClock() -> @Sendable () -> Int64 {
        let monotonicStart = Clocks.monotonicNanoseconds()
        let start = Clocks.realtimeMicroseconds()
        return {
            max(
                start + Int64((Clocks.monotonicNanoseconds() - monotonicStart) / 1_000),
                Clocks.realtimeMicroseconds()
            )
        }
    }
}

/// The dispatcher could not start.
public struct DispatcherError: Error, Sendable, CustomStringConvertible {
    /// What could not be had, and why.
    public let description: String
}

/// The marks that wait for the engine.
private final class MarkBox: Sendable {
    private let marks = Mutex(DispatchMarks())

    func put(_ entry: DispatchMarks.Entry) { marks.withLock { $0.entries.append(entry) } }

    func take() -> DispatchMarks {
        marks.withLock { marks in
            let taken = marks
            marks = DispatchMarks()
            return taken
        }
    }
}
