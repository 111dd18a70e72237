import LinuxIO
import State
import Synchronization

/// What runs in a sink's thread, and the door to it for other threads.
final class SinkWorker: Sendable {
    struct Surroundings: Sendable {
        var openOutbox: @Sendable () throws(StateError) -> StateReader
        var clock: @Sendable () -> Int64
        var observe: @Sendable (SinkEvent) -> Void
        var mark: @Sendable (DispatchMark) -> Void
    }

    /// What other threads want of it.
    private struct Orders {
        var isStopping = false
        /// A failing sink is tried at once.
        var isProbing = false
        /// Dispatches whose marks were committed.
        var confirmed: [Int64] = []
    }

    let name: String
    private let firstQueue: SinkQueue
    private let surroundings: Surroundings
    private let bell: EventCounter
    private let orders = Mutex(Orders())
    private let shownCounters = Mutex(SinkCounters())

    init(
        name: String,
        queue: SinkQueue,
        surroundings: Surroundings
    ) throws(SystemCallError) {
        self.name = name
        firstQueue = queue
        self.surroundings = surroundings
        bell = try EventCounter()
    }

    var counters: SinkCounters { shownCounters.withLock { $0 } }

    func wake() { bell.ring() }

    func probe() {
        orders.withLock { $0.isProbing = true }
        bell.ring()
    }

    func confirm(_ numbers: [Int64]) {
        orders.withLock { $0.confirmed += numbers }
        bell.ring()
    }

    func stop() {
        orders.withLock { $0.isStopping = true }
        bell.ring()
    }

    /// The thread's whole life.
    func run(_ sink: any Sink) {
        var turn = SinkTurn(name: name, sink: sink, queue: firstQueue, surroundings: surroundings)
        var poll = PollSet()
        _ = poll.add(bell)
        while true {
            // Cleared first: a ring after this line ends the next wait.
            _ = try? bell.clear()
            let orders = takeOrders()
            // Before the outbox is read: what is confirmed here was committed before, so the read
            // sees it done. What is confirmed during the read is still passed over.
            turn.queue.confirmed(orders.confirmed)
            if orders.isProbing { turn.queue.probeAtOnce() }
            let next = turn.run(isLast: orders.isStopping) {
                self.orders.withLock { $0.isStopping }
            }
            let counters = turn.counters
            shownCounters.withLock { $0 = counters }
            if orders.isStopping { return }
            switch next {
            case .none: break
            case .untilWoken: wait(&poll, atMost: nil)
            case .until(let microseconds):
                let microseconds = microseconds - surroundings.clock()
                if microseconds > 0 { wait(&poll, atMost: UInt64(microseconds) * 1_000) }
            }
        }
    }

    private func takeOrders() -> Orders {
        orders.withLock { orders in
            let taken = orders
            orders.confirmed = []
            orders.isProbing = false
            return taken
        }
    }

    private func wait(_ poll: inout PollSet, atMost nanoseconds: UInt64?) {
        // poll(2) fails only without memory for one entry; then this thread looks again at once.
        _ = try? poll.wait(atMost: nanoseconds)
    }
}

/// What a sink's thread has, and what it does with it between two waits.
struct SinkTurn {
    enum Wait: Equatable {
        /// There may be more at once.
        case none
        case until(Int64)
        case untilWoken
    }

    let name: String
    var sink: any Sink
    var queue: SinkQueue
    let surroundings: SinkWorker.Surroundings
    private var reader: StateReader?
    private var isUnreadable = false
    private(set) var counters = SinkCounters()

    /// µs until the outbox is tried again after it could not be read.
    static let readRetryMicroseconds: Int64 = 5_000_000
    /// While marks wait for their commit, µs after which to look for other alerts that have
    /// become due meanwhile.
    static let unconfirmedMicroseconds: Int64 = 1_000_000

    init(name: String, sink: any Sink, queue: SinkQueue, surroundings: SinkWorker.Surroundings) {
        self.name = name
        self.sink = sink
        self.queue = queue
        self.surroundings = surroundings
    }

    /// Sends what is due.
    ///
    /// - Parameters:
    ///   - isLast: the first failure ends it.
    ///   - isStopping: asked before each alert unless `isLast`.
    mutating func run(isLast: Bool, isStopping: () -> Bool) -> Wait {
        defer {
            counters.unconfirmed = queue.unconfirmed.count
            counters.circuit = queue.circuit
        }
        do throws(StateError) {
            let wait = try sendDue(isLast: isLast, isStopping: isStopping)
            isUnreadable = false
            return wait
        } catch {
            reader = nil
            if !isUnreadable {
                isUnreadable = true
                surroundings.observe(.outboxUnreadable(sink: name, error: error.description))
            }
            return .until(surroundings.clock() + Self.readRetryMicroseconds)
        }
    }

    private mutating func sendDue(
        isLast: Bool,
        isStopping: () -> Bool
    ) throws(StateError) -> Wait {
        var now = surroundings.clock()
        let room = queue.room(nowMicroseconds: now)
        guard room > 0 else { return waitWithoutRoom() }
        let outbox = try openOutbox()
        if queue.limits.combinesHeld, let wait = try combineHeld(outbox, now) { return wait }
        let rows = try outbox.due(
            sink: name,
            nowMicroseconds: now,
            limit: room + queue.unconfirmed.count
        )
        let fresh = rows.filter { !queue.unconfirmed.contains($0.number) }.prefix(room)
        for row in fresh {
            if !isLast, isStopping() { return .none }
            guard queue.room(nowMicroseconds: now) > 0 else { return waitWithoutRoom() }
            let isAccepted = send(row, &now)
            if isLast, !isAccepted { return .none }
        }
        if fresh.count == room { return .none }
        if !queue.unconfirmed.isEmpty { return .until(now + Self.unconfirmedMicroseconds) }
        guard let next = try outbox.nextDue(sink: name) else { return .untilWoken }
        return .until(next)
    }

    /// Two or more alerts that were held back become one digest, which is sent when it is committed.
    ///
    /// - Returns: nil when there are none.
    private mutating func combineHeld(
        _ outbox: StateReader,
        _ now: Int64
    ) throws(StateError) -> Wait? {
        let rows = try outbox.held(
            sink: name,
            nowMicroseconds: now,
            limit: queue.limits.digestMax
        )
        guard rows.count > 1 else { return nil }
        // What is still unconfirmed may be an earlier step of one of them.
        guard queue.unconfirmed.isEmpty else { return .until(now + Self.unconfirmedMicroseconds) }
        let digest = AlertDigest.dispatch(of: rows, sink: name, nowMicroseconds: now)
        queue.combined(rows.map(\.number))
        var mark = DispatchMark(number: rows[0].number, change: .combined, error: "")
        mark.combined = rows.map(\.number)
        mark.digest = digest
        surroundings.mark(mark)
        return .untilWoken
    }

    private mutating func openOutbox() throws(StateError) -> StateReader {
        if let reader { return reader }
        let opened = try surroundings.openOutbox()
        reader = opened
        return opened
    }

    /// Why there is no room decides what to wait for.
    private mutating func waitWithoutRoom() -> Wait {
        if queue.unconfirmed.count >= queue.limits.unconfirmedMax {
            counters.pauses += 1
            return .untilWoken
        }
        switch queue.circuit {
        case .open(_, let probe): return .until(probe)
        case .closed: return .none
        }
    }

    /// A canary has come so far. What comes of it says nothing of alerts that wait: the circuit stays
    /// as it is, and nothing is tried again.
    private mutating func reach(_ row: Dispatch, _ now: inout Int64) -> Bool {
        let answer = sink.reach()
        now = surroundings.clock()
        surroundings.mark(queue.reached(answer, row))
        return answer == .accepted
    }

    /// One attempt. Returns whether the sink took the alert.
    private mutating func send(_ row: Dispatch, _ now: inout Int64) -> Bool {
        if CanaryDispatch.covers(row) { return reach(row, &now) }
        var state = DispatchState(
            attempts: row.attempts,
            dueMicroseconds: row.dueMicroseconds,
            nowMicroseconds: now
        )
        let answer = sink.send(
            OutgoingAlert(
                id: row.alert,
                sequence: row.sequence,
                body: row.body,
                attempt: row.attempts + 1
            )
        )
        now = surroundings.clock()
        let failuresBefore = queue.circuit.failures
        var mark = queue.answered(
            answer,
            &state,
            number: row.number,
            createdMicroseconds: row.createdMicroseconds,
            nowMicroseconds: now
        )
        mark.alert = row.alert
        if answer == .accepted { mark.error = sink.lastWords }
        surroundings.mark(mark)
        report(answer, mark, row, failuresBefore: failuresBefore)
        return answer == .accepted
    }

    private mutating func report(
        _ answer: SinkAnswer,
        _ mark: DispatchMark,
        _ row: Dispatch,
        failuresBefore: Int
    ) {
        switch answer {
        case .accepted:
            counters.accepted += 1
            if failuresBefore > 0 {
                surroundings.observe(.recovered(sink: name, failures: failuresBefore))
            }
        case .failed(let error, _):
            counters.failed += 1
            if failuresBefore == 0 { surroundings.observe(.failed(sink: name, error: error)) }
            let failures = queue.circuit.failures
            if failures == queue.limits.failuresMax {
                surroundings.observe(.dead(sink: name, failures: failures, error: error))
            }
        case .refused:
            break
        }
        if mark.change == .abandoned {
            counters.abandoned += 1
            surroundings.observe(
                .abandoned(sink: name, id: row.alert, sequence: row.sequence, error: mark.error)
            )
        }
    }
}
