import LinuxIO
import RingBuffer
import Synchronization
import SystemPackage

/// Bounds of what others can make the daemon hold, and for how long.
struct ControlLimits: Sendable {
    var clientsMax = 16
    /// To send a whole request, or the next one.
    var readNanoseconds: UInt64 = 10_000_000_000
    /// To take the whole answer.
    var writeNanoseconds: UInt64 = 10_000_000_000
}

/// A request that the engine is to answer.
struct ControlTask: Sendable {
    fileprivate var client: UInt64
    var call: ControlCall
    /// Who connected.
    var peer: PeerIdentity
}

/// Serves `control.sock` on a thread of its own: it reads requests, hands them to the engine's
/// thread, and writes the answers back.
///
/// What others do with their connections ends here: slow, silent and vanished ones lose theirs, and
/// the engine sees nothing but whole and checked requests, one of each client at a time.
final class ControlServer: Sendable {
    static let socketName: FilePath.Component = "control.sock"

    private struct Exchange {
        var tasks: [ControlTask] = []
        var answers: [(client: UInt64, answer: ControlAnswer)] = []
        var isStopping = false
    }

    private let exchange = Mutex(Exchange())
    private let hasTasks = Atomic(false)
    private let counter: EventCounter
    private let bell: Bell
    private let board: LiveBoard
    private let path: FilePath
    private let thread = Mutex<WorkerThread?>(nil)

    /// Makes the socket and starts the thread.
    ///
    /// - Parameters:
    ///   - folder: the state folder, whose lock the caller holds.
    ///   - bell: rung when there is a request.
    ///   - board: answers how it goes, without the engine.
    init(
        folder: FilePath,
        bell: Bell,
        board: LiveBoard,
        limits: ControlLimits = ControlLimits()
    ) throws(SystemCallError) {
        self.bell = bell
        self.board = board
        path = folder.appending(Self.socketName)
        counter = try EventCounter()
        let listener = Mutex<UnixListener?>(
            try UnixListener(folder: folder, name: Self.socketName, mode: 0o600)
        )
        let started = WorkerThread { [self] in
            guard let listener = listener.withLock({ $0.take() }) else { return }
            var loop = ControlLoop(listener: listener, limits: limits)
            while !exchange.withLock({ $0.isStopping }) { serve(&loop) }
        }
        thread.withLock { $0 = started }
    }

    // MARK: The engine's thread

    /// Whether a request waits.
    var isReady: Bool { hasTasks.load(ordering: .acquiring) }

    /// The requests that came, in their order.
    func take() -> [ControlTask] {
        guard hasTasks.exchange(false, ordering: .acquiringAndReleasing) else { return [] }
        return exchange.withLock { exchange in
            defer { exchange.tasks = [] }
            return exchange.tasks
        }
    }

    /// Nobody gets the answer when who asked is gone.
    func answer(_ task: ControlTask, _ answer: ControlAnswer) {
        exchange.withLock { $0.answers.append((task.client, answer)) }
        counter.ring()
    }

    /// Ends the thread, and takes the socket away. What was not answered is told so by the end of
    /// its connection.
    func stop() {
        exchange.withLock { $0.isStopping = true }
        counter.ring()
        thread.withLock({ $0.take() })?.join()
        try? SystemCalls().remove(path)
    }

    // MARK: Its own thread

    private func serve(_ loop: inout ControlLoop) {
        loop.wait(orRung: counter)
        _ = try? counter.clear()
        let answers = exchange.withLock { exchange in
            defer { exchange.answers = [] }
            return exchange.answers
        }
        for (client, answer) in answers { loop.answer(client, answer) }
        var calls: [ControlTask] = []
        for call in loop.turn() {
            if case .status = call.call.request {
                loop.answer(call.client, statusAnswer())
            } else {
                calls.append(call)
            }
        }
        guard !calls.isEmpty else { return }
        exchange.withLock { $0.tasks += calls }
        hasTasks.store(true, ordering: .releasing)
        bell.ring()
    }

    private func statusAnswer() -> ControlAnswer {
        let (figures, rate) = board.read()
        let json = figures.json(linesPerSecond: rate, accountsMax: .max)
        return ControlAnswer(
            .done,
            "postern \(figures.version) runs",
            details: [String(decoding: json, as: UTF8.self)]
        )
    }
}

/// The connections of the control socket, seen from its thread.
private struct ControlLoop: ~Copyable {
    /// One connection; in the loop's thread alone.
    private final class Client {
        enum State {
            /// Bytes of the request so far; its rest must come before the deadline.
            case reading(deadline: UInt64)
            /// The engine has the request.
            case waiting
            /// What is left of the answer; who does not listen is cut off after it.
            case writing(ArraySlice<UInt8>, deadline: UInt64, isLast: Bool)
        }

        let number: UInt64
        let stream: UnixStream
        let peer: PeerIdentity
        var state: State
        var received: [UInt8] = []

        init(number: UInt64, stream: consuming UnixStream, peer: PeerIdentity, deadline: UInt64) {
            self.number = number
            self.stream = stream
            self.peer = peer
            state = .reading(deadline: deadline)
        }
    }

    private let listener: UnixListener
    private let limits: ControlLimits
    private var clients: [Client] = []
    private var nextNumber: UInt64 = 1
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    /// Accepting failed, as when there are no descriptors: not again before this time.
    private var acceptsFrom: UInt64 = 0

    init(listener: consuming UnixListener, limits: ControlLimits) {
        self.listener = listener
        self.limits = limits
    }

    private var isFull: Bool { clients.count >= limits.clientsMax }

    /// Waits until something can be done, or a deadline is over.
    mutating func wait(orRung counter: borrowing EventCounter) {
        var set = PollSet()
        _ = set.add(counter)
        let now = Clocks.monotonicNanoseconds()
        var until = UInt64.max
        if !isFull {
            if acceptsFrom <= now { _ = set.add(listener) } else { until = acceptsFrom }
        }
        for client in clients {
            switch client.state {
            case .reading(let deadline):
                _ = set.add(client.stream, forWriting: false)
                until = min(until, deadline)
            case .waiting: break
            case .writing(_, let deadline, _):
                _ = set.add(client.stream, forWriting: true)
                until = min(until, deadline)
            }
        }
        _ = try? set.wait(atMost: until == .max ? nil : until - min(until, now))
    }

    /// Accepts, reads and writes what can be without waiting.
    ///
    /// - Returns: the requests that are whole now.
    mutating func turn() -> [ControlTask] {
        let now = Clocks.monotonicNanoseconds()
        accept(now)
        var tasks: [ControlTask] = []
        var kept: [Client] = []
        for client in clients {
            switch client.state {
            case .reading(let deadline):
                guard let call = read(client, deadline: deadline, now) else { continue }
                if let call {
                    tasks.append(ControlTask(client: client.number, call: call, peer: client.peer))
                }
            case .waiting: break
            case .writing: break
            }
            if case .writing(let rest, let deadline, let isLast) = client.state {
                guard write(rest, to: client, deadline: deadline, isLast: isLast, now) else {
                    continue
                }
            }
            kept.append(client)
        }
        clients = kept
        return tasks
    }

    private mutating func accept(_ now: UInt64) {
        guard acceptsFrom <= now else { return }
        while !isFull {
            do {
                guard let stream = try listener.accept() else { return }
                let peer = try stream.peer()
                clients.append(
                    Client(
                        number: nextNumber,
                        stream: stream,
                        peer: peer,
                        deadline: now + limits.readNanoseconds
                    )
                )
                nextNumber += 1
            } catch {
                acceptsFrom = now + 1_000_000_000
                return
            }
        }
    }

    /// - Returns: nil when the connection is over; else a request, if one is whole.
    private mutating func read(
        _ client: Client,
        deadline: UInt64,
        _ now: UInt64
    ) -> ControlCall?? {
        while true {
            let count: Int?
            do {
                count = try client.stream.read(into: &buffer, 0..<buffer.count)
            } catch {
                return .none
            }
            guard let count else { return now < deadline ? .some(nil) : .none }
            guard count > 0 else { return .none }
            let start = client.received.count
            client.received += buffer[..<count]
            if let end = client.received[start...].firstIndex(of: UInt8(ascii: "\n")) {
                guard end == client.received.count - 1 else {
                    refuse(client, "the answer must be awaited before the next request", now)
                    return .some(nil)
                }
                client.received.removeLast()
                let line = client.received
                client.received = []
                do {
                    let call = try ControlCall(json: line)
                    client.state = .waiting
                    return call
                } catch {
                    refuse(client, error.message, now)
                    return .some(nil)
                }
            }
            guard client.received.count <= ControlCall.bytesMax else {
                refuse(client, "a request has at most \(ControlCall.bytesMax) bytes", now)
                return .some(nil)
            }
        }
    }

    private func refuse(_ client: Client, _ message: String, _ now: UInt64) {
        client.received = []
        client.state = .writing(
            Self.line(ControlAnswer(.refused, message)),
            deadline: now + limits.writeNanoseconds,
            isLast: true
        )
    }

    private static func line(_ answer: ControlAnswer) -> ArraySlice<UInt8> {
        var line = answer.json()
        if line.count > ControlAnswer.bytesMax {
            var short = answer
            short.details = ["there is more than can be told here"]
            line = short.json()
        }
        return (line + [UInt8(ascii: "\n")])[...]
    }

    func answer(_ number: UInt64, _ answer: ControlAnswer) {
        guard let client = clients.first(where: { $0.number == number }) else { return }
        client.state = .writing(
            Self.line(answer),
            deadline: Clocks.monotonicNanoseconds() + limits.writeNanoseconds,
            isLast: false
        )
    }

    /// - Returns: whether the connection goes on.
    private func write(
        _ bytes: ArraySlice<UInt8>,
        to client: Client,
        deadline: UInt64,
        isLast: Bool,
        _ now: UInt64
    ) -> Bool {
        var rest = bytes
        do {
            while !rest.isEmpty {
                guard let count = try client.stream.write(rest) else {
                    client.state = .writing(rest, deadline: deadline, isLast: isLast)
                    return now < deadline
                }
                rest = rest.dropFirst(count)
            }
        } catch {
            return false
        }
        client.state = .reading(deadline: now + limits.readNanoseconds)
        return !isLast
    }
}
