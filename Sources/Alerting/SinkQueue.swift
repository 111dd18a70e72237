import State

/// Bounds of dispatching. What is lost at each stands with it.
public struct DispatchLimits: Sendable, Hashable {
    /// Rows read from the outbox at a time.
    public var batchMax = 64
    /// Answers of one sink that are not in the state yet. At the limit the sink pauses, so that a
    /// crash repeats at most this many alerts.
    public var unconfirmedMax = 256
    /// Attempts before a dispatch is abandoned: a week at one a minute. It is kept for
    /// `postern alerts redeliver`.
    public var attemptsMax = 10_000
    /// A dispatch that fails so long after it was put into the outbox is abandoned.
    public var ageMicrosecondsMax: Int64 = 7 * 86_400_000_000
    /// What was held back goes out together, as one digest.
    public var combinesHeld = false
    /// Dispatches in one digest.
    public var digestMax = 1_000
    /// Wait after the first failure; doubles with each further one.
    public var retryMicrosecondsMin: Int64 = 1_000_000
    public var retryMicrosecondsMax: Int64 = 60_000_000
    /// Failures of a sink, one after the other, after which only one alert at a time is tried.
    public var failuresMax = 8
    /// The longest wait that the other side can ask for.
    public var askedSecondsMax: Int64 = 3_600
    /// Wait between these tries.
    public var probeMicroseconds: Int64 = 30_000_000

    public init() {}
}

/// Whether a sink takes alerts. No I/O and no clock in here.
public enum SinkCircuit: Sendable, Hashable {
    /// It took the last alert, or failed so many times since.
    case closed(failures: Int)
    /// It failed too often: it gets one alert to try at a time, and the next not before then.
    case open(failures: Int, probeMicroseconds: Int64)

    public var failures: Int {
        switch self {
        case .closed(let failures), .open(let failures, _): failures
        }
    }
}

/// What one sink still has to do: which alert it gets when, and what becomes of it.
///
/// Pure: rows of the outbox, answers and times come in, marks for the outbox come out. The rows
/// stay in the outbox; here is only what the outbox does not know yet, the marks on their way.
struct SinkQueue {
    let limits: DispatchLimits
    private(set) var circuit = SinkCircuit.closed(failures: 0)
    /// Dispatches that were answered and whose marks are not known to be committed. The outbox may
    /// still show them as due; they must not be sent again.
    private(set) var unconfirmed: Set<Int64> = []
    private var jitter: Jitter

    init(limits: DispatchLimits, seed: UInt64, unconfirmed: Set<Int64> = []) {
        precondition(limits.batchMax > 0)
        precondition(limits.unconfirmedMax > 0)
        precondition(limits.attemptsMax > 0)
        precondition(limits.retryMicrosecondsMin > 0)
        precondition(limits.retryMicrosecondsMax >= limits.retryMicrosecondsMin)
        self.limits = limits
        self.unconfirmed = unconfirmed
        jitter = Jitter(state: seed)
    }

    /// How many alerts the sink may get now; 0: none before something changes or time goes on.
    func room(nowMicroseconds: Int64) -> Int {
        let left = limits.unconfirmedMax - unconfirmed.count
        switch circuit {
        case .closed: return min(limits.batchMax, left)
        case .open(_, let probe): return probe <= nowMicroseconds ? min(1, left) : 0
        }
    }

    /// The next try does not wait for its time.
    mutating func probeAtOnce() {
        guard case .open(let failures, _) = circuit else { return }
        circuit = .open(failures: failures, probeMicroseconds: .min)
    }

    /// The marks on these were committed.
    mutating func confirmed(_ numbers: [Int64]) { unconfirmed.subtract(numbers) }

    /// The sink answered.
    ///
    /// - Parameters:
    ///   - state: of the dispatch, before the answer.
    ///   - number: of the dispatch.
    ///   - createdMicroseconds: when it was put into the outbox.
    /// - Returns: what to write into the outbox.
    mutating func answered(
        _ answer: SinkAnswer,
        _ state: inout DispatchState,
        number: Int64,
        createdMicroseconds: Int64,
        nowMicroseconds: Int64
    ) -> DispatchMark {
        let bound = nowMicroseconds - limits.ageMicrosecondsMax
        let isTooOld = createdMicroseconds < bound
        var retry = nowMicroseconds
        switch answer {
        case .accepted:
            circuit = .closed(failures: 0)
        case .failed(_, let afterSeconds):
            let failures = min(circuit.failures, 1 << 30) + 1
            circuit =
                failures >= limits.failuresMax
                ? .open(
                    failures: failures,
                    probeMicroseconds: nowMicroseconds + limits.probeMicroseconds
                )
                : .closed(failures: failures)
            var attempt = failures
            if case .due(let number) = state { attempt = number }
            retry += delay(afterFailure: min(attempt, failures))
            if let afterSeconds {
                let wait = min(max(afterSeconds, 0), limits.askedSecondsMax) * 1_000_000
                retry = max(retry, nowMicroseconds + wait)
                circuit = .open(failures: failures, probeMicroseconds: retry)
            }
        case .refused:
            break  // says something about the alert, nothing about the sink
        }
        let change = state.answered(
            answer,
            retryMicroseconds: retry,
            attemptsMax: isTooOld ? 0 : limits.attemptsMax
        )
        unconfirmed.insert(number)
        var mark = DispatchMark(number: number, change: change, error: answer.error)
        if isTooOld, case .failed = answer, change == .abandoned { mark.expiredBefore = bound }
        return mark
    }

    /// The sink looked whether it could send an alert.
    mutating func reached(_ answer: SinkAnswer, _ row: Dispatch) -> DispatchMark {
        unconfirmed.insert(row.number)
        return DispatchMark(
            number: row.number,
            change: answer == .accepted ? .acknowledged : .abandoned,
            error: answer.error,
            alert: row.alert
        )
    }

    /// These go out within a digest.
    mutating func combined(_ numbers: [Int64]) { unconfirmed.formUnion(numbers) }

    /// µs to wait after a failure: 1 s, 2 s, 4 s … 60 s, less up to a fifth.
    ///
    /// Counted by the failures of the alert or those of the sink since its last success, whichever
    /// are fewer: the first retry of an alert comes after a second however long the sink has been
    /// away, and after a success all begin again with a second.
    private mutating func delay(afterFailure count: Int) -> Int64 {
        var delay = limits.retryMicrosecondsMin
        for _ in 1..<max(count, 1) {
            delay *= 2
            guard delay < limits.retryMicrosecondsMax else {
                delay = limits.retryMicrosecondsMax
                break
            }
        }
        return delay - Int64.random(in: 0...(delay / 5), using: &jitter)
    }
}

/// What became of one attempt, for the outbox.
struct DispatchMark: Sendable, Equatable {
    var number: Int64
    var change: DispatchState.Change
    /// Why it failed, or what else the other side said.
    var error: String
    /// What the sink has not taken since before this time is given up with it.
    var expiredBefore: Int64?
    /// The alert that was tried.
    var alert: String?
    /// All of these go out within ``digest``, which is put into the outbox with the mark.
    var combined: [Int64] = []
    var digest: NewDispatch?

    /// The dispatches that it is about.
    var numbers: [Int64] { combined.isEmpty ? [number] : combined }
}

extension SinkAnswer {
    fileprivate var error: String {
        switch self {
        case .accepted: ""
        case .failed(let error, _), .refused(let error): error
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): waits that differ between sinks and between daemons.
private struct Jitter: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
