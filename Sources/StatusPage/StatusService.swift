import HummingbirdCore
import LinuxIO
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Answers requests, from when it is started until it is stopped.
final class StatusService: Sendable {
    enum Socket: Sendable {
        /// Taken over.
        case bound(CInt)
        case tcp(host: String, port: Int)
    }

    private struct Running: Sendable {
        let group: MultiThreadedEventLoopGroup
        let answers: Task<Void, Never>
        let beats: Task<Void, Never>

        /// The loop outlives what runs on it.
        func stop() {
            beats.cancel()
            answers.cancel()
            let (group, answers) = (group, answers)
            Task {
                await answers.value
                try? await group.shutdownGracefully()
            }
        }
    }

    private enum State: Sendable {
        case waiting, stopped
        case running(Running)
    }

    private enum Start: Sendable {
        case starting, running
        case failed(String)
    }

    private static let startNanoseconds: UInt64 = 10_000_000_000

    private let responder: StatusResponder
    private let hub: EventHub
    private let limits: StatusLimits
    private let state = Mutex(State.waiting)

    init(_ responder: StatusResponder, _ hub: EventHub, _ limits: StatusLimits) {
        self.responder = responder
        self.hub = hub
        self.limits = limits
    }

    /// Answers from now on; not after ``stop()``. After a failure it may be tried again.
    func start(on socket: Socket) throws(StatusServerError) {
        let started: EventCounter
        do {
            started = try EventCounter()
        } catch {
            throw StatusServerError(description: "\(error)")
        }
        let signal = StartSignal(started)
        let (responder, hub, limits) = (responder, hub, limits)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let answers = Task {
            do {
                try await Self.answer(on: socket, responder, group, limits) { signal.set(.running) }
                signal.set(.failed("it has ended"))
            } catch {
                signal.set(.failed("\(error)"))
            }
        }
        let pause = Duration.seconds(limits.heartbeatSeconds)
        let beats = Task {
            while (try? await Task.sleep(for: pause)) != nil {
                if hub.count > 0 { hub.send(Array(": so far\n\n".utf8)) }
            }
        }
        let running = Running(group: group, answers: answers, beats: beats)
        let isWanted = state.withLock { state in
            if case .stopped = state { return false }
            state = .running(running)
            return true
        }
        guard isWanted else {
            running.stop()
            return
        }
        let problem: String
        switch signal.wait(atMost: Self.startNanoseconds) {
        case .running: return
        case .starting: problem = "it did not start in time"
        case .failed(let cause): problem = cause
        }
        let isStopped = state.withLock { state in
            if case .stopped = state { return true }
            state = .waiting
            return false
        }
        if isStopped { return }
        running.stop()
        throw StatusServerError(description: problem)
    }

    /// Ends all connections.
    func stop() {
        let before = state.withLock { state in
            defer { state = .stopped }
            return state
        }
        if case .running(let running) = before { running.stop() }
    }

    /// Told when it runs or cannot.
    private final class StartSignal: Sendable {
        private let state = Mutex(Start.starting)
        private let counter: EventCounter

        init(_ counter: consuming EventCounter) { self.counter = counter }

        func set(_ state: Start) {
            self.state.withLock { $0 = state }
            counter.ring()
        }

        func wait(atMost nanoseconds: UInt64) -> Start {
            var set = PollSet()
            _ = set.add(counter)
            _ = try? set.wait(atMost: nanoseconds)
            return state.withLock { $0 }
        }
    }

    /// HummingbirdCore's way of a connection, on a socket that may have been bound before.
    private static func answer(
        on socket: Socket,
        _ responder: StatusResponder,
        _ group: MultiThreadedEventLoopGroup,
        _ limits: StatusLimits,
        started: () -> Void
    ) async throws {
        var configuration = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionGuard(limits)],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: limits.headerBytesMax,
                maxHeaderListSize: limits.headerBytesMax,
                maxHeaderFieldCount: 64
            )
        )
        configuration.idleTimeout = .seconds(limits.headSeconds)
        let quiet = Logger(label: "postern.http") { _ in SwiftLogNoOpLogHandler() }
        let http = HTTP1Channel(
            responder: { request, writer, _ in
                let response = await responder.respond(to: request)
                try await writer.write(response: response.head, body: response.body)
            },
            configuration: configuration
        )
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AvailableConnectionsChannelHandler(maxConnections: limits.connectionsMax)
                    )
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
        @Sendable func setUp(_ channel: any Channel) -> EventLoopFuture<HTTP1Channel.Value> {
            http.setup(channel: channel, logger: quiet)
        }
        let server =
            switch socket {
            case .bound(let number):
                try await bootstrap.bind(number, childChannelInitializer: setUp)
            case .tcp(let host, let port):
                try await bootstrap.bind(host: host, port: port, childChannelInitializer: setUp)
            }
        started()
        try await withThrowingDiscardingTaskGroup { connections in
            try await server.executeThenClose { inbound in
                for try await connection in inbound {
                    connections.addTask { await http.handle(value: connection, logger: quiet) }
                }
            }
        }
    }
}
