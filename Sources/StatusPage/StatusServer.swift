public import Findings
import HummingbirdCore
import LinuxIO
import Logging
import NIOCore
import NIOPosix
public import Pipeline
import SafeText
import ServiceLifecycle
import Synchronization
public import SystemPackage

/// Where the page is served.
public enum StatusAddress: Sendable, Hashable {
    /// Absolute path of a socket file.
    case unix(String)
    case tcp(host: String, port: Int)

    /// As the settings write it.
    public var text: String {
        switch self {
        case .unix(let path): "unix:" + path
        case .tcp(let host, let port):
            "tcp:" + (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
        }
    }

    /// Whether nobody but this machine can reach it.
    public var isLocal: Bool {
        switch self {
        case .unix: true
        case .tcp(let host, _):
            host == "localhost" || host == "::1" || host.hasPrefix("127.")
        }
    }
}

/// What others can make the server hold, and for how long.
public struct StatusLimits: Sendable {
    public var connectionsMax = 64
    /// Pages that hear of alerts as they come.
    public var listenersMax = 16
    public var headerBytesMax = 16 << 10
    /// For the whole head of a request; also how long a connection may be idle.
    public var headSeconds: Int64 = 15
    /// For a reader to take anything of what waits for it.
    public var writeSeconds: Int64 = 30
    /// A listener hears something at least so often.
    public var heartbeatSeconds: Int64 = 20

    public init() {}
}

/// Why there is no page.
public struct StatusServerError: Error, Sendable, CustomStringConvertible {
    public let description: String
}

/// Serves the page, the metrics and the API on a thread of its own, until it is stopped.
///
/// It reads: the board that the engine publishes on, and the state through a connection of its own.
/// The engine never waits for it.
public final class StatusServer: Sendable {
    public let address: StatusAddress
    private let hub: EventHub
    private let pseudonyms: Pseudonyms?
    private let running: Task<Void, Never>
    private let beats: Task<Void, Never>
    private let group: MultiThreadedEventLoopGroup

    private enum Start: Sendable {
        case starting, running
        case failed(String)
    }

    private static let startNanoseconds: UInt64 = 10_000_000_000

    /// Listens, and answers from now on.
    ///
    /// - Parameters:
    ///   - hosts: names that a browser may know this machine by, besides `localhost`.
    ///   - token: needed for a TCP address.
    ///   - folder: the state.
    ///   - pseudonyms: shown in place of names, if given.
    public init(
        at address: StatusAddress,
        hosts: [String],
        token: AccessToken?,
        folder: FilePath,
        board: LiveBoard,
        pseudonyms: Pseudonyms?,
        limits: StatusLimits = StatusLimits()
    ) throws(StatusServerError) {
        self.address = address
        self.pseudonyms = pseudonyms
        let place: Access.Place
        let bind: BindAddress
        switch address {
        case .unix(let path):
            place = .unixSocket
            bind = .unixDomainSocket(path: path)
            try Self.prepare(FilePath(path))
        case .tcp(let host, let port):
            place = address.isLocal ? .loopback : .network
            bind = .hostname(host, port: port)
            guard token != nil else {
                throw StatusServerError(description: "\(address.text) needs a token")
            }
        }
        hub = EventHub(listenersMax: limits.listenersMax)
        let responder = StatusResponder(
            access: Access(place: place, hosts: hosts, token: token),
            board: board,
            desk: StateDesk(folder: folder, pseudonyms: pseudonyms),
            accounts: AccountDesk(board: board, pseudonyms: pseudonyms),
            hub: hub,
            folder: folder,
            pseudonyms: pseudonyms
        )
        let started: EventCounter
        do {
            started = try EventCounter()
        } catch {
            throw StatusServerError(description: "\(error)")
        }
        let signal = StartSignal(started)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.group = group
        running = Task {
            do {
                let service = try Self.service(bind, responder, group, limits) {
                    signal.set(.running)
                }
                try await service.run()
            } catch {
                signal.set(.failed("\(error)"))
            }
        }
        let hub = hub
        let pause = Duration.seconds(limits.heartbeatSeconds)
        beats = Task {
            while (try? await Task.sleep(for: pause)) != nil {
                if hub.count > 0 { hub.send(Array(": so far\n\n".utf8)) }
            }
        }
        switch signal.wait(atMost: Self.startNanoseconds) {
        case .running: break
        case .starting:
            stop()
            throw StatusServerError(description: "\(address.text): it did not start in time")
        case .failed(let cause):
            stop()
            throw StatusServerError(description: "\(address.text): \(cause)")
        }
        guard case .unix(let path) = address else { return }
        do {
            try Self.open(FilePath(path))
        } catch {
            stop()
            throw error
        }
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

    private static func service(
        _ address: BindAddress,
        _ responder: StatusResponder,
        _ group: MultiThreadedEventLoopGroup,
        _ limits: StatusLimits,
        started: @escaping @Sendable () -> Void
    ) throws -> any Service {
        var channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionGuard(limits)],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: limits.headerBytesMax,
                maxHeaderListSize: limits.headerBytesMax,
                maxHeaderFieldCount: 64
            )
        )
        channel.idleTimeout = .seconds(limits.headSeconds)
        let quiet = Logger(label: "postern.http") { _ in SwiftLogNoOpLogHandler() }
        return try HTTPServerBuilder.http1(configuration: channel).buildServer(
            configuration: ServerConfiguration(
                address: address,
                backlog: 64,
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connectionsMax)
            ),
            eventLoopGroup: group,
            logger: quiet,
            responder: { request, writer, _ in
                let response = await responder.respond(to: request)
                try await writer.write(response: response.head, body: response.body)
            },
            onServerRunning: { _ in started() }
        )
    }

    /// Longest path of a socket: `sun_path` has 108 bytes, the last of them zero (unix(7)).
    public static let pathBytesMax = 107

    /// The folder is made, and a socket that a killed process left is out of the way; not one that
    /// somebody listens on.
    private static func prepare(_ path: FilePath) throws(StatusServerError) {
        let folder = path.removingLastComponent()
        guard let name = path.lastComponent, path.string.utf8.count <= pathBytesMax else {
            throw StatusServerError(
                description: "\(shown(path.string)): the path of a socket has at most "
                    + "\(pathBytesMax) bytes"
            )
        }
        do {
            _ = try SystemCalls().makeFolder(folder, mode: 0o750)
        } catch {
            throw StatusServerError(description: shown("\(error)"))
        }
        do {
            let kind = try SystemCalls().status(of: path).kind
            guard kind == .socket else {
                throw StatusServerError(
                    description: "\(shown(path.string)): there is a file that is no socket"
                )
            }
        } catch let error as StatusServerError {
            throw error
        } catch let error as SystemCallError {
            if error.cause == .noSuchFileOrDirectory { return }
            throw StatusServerError(description: shown("\(error)"))
        } catch {
            preconditionFailure("all errors are typed")
        }
        if (try? UnixStream(folder: folder, name: name)) != nil {
            throw StatusServerError(
                description: "\(shown(path.string)): another process listens there"
            )
        }
    }

    /// For the user and the group of the daemon; until now for the user at most (umask).
    private static func open(_ path: FilePath) throws(StatusServerError) {
        do {
            try SystemCalls().setMode(of: path, 0o660)
        } catch {
            throw StatusServerError(description: shown("\(error)"))
        }
    }

    /// Tells the pages of an alert or a notice. Never waits.
    ///
    /// - Parameter body: JSON, as sinks get it.
    public func publish(_ body: [UInt8]) {
        guard hub.count > 0 else { return }
        let json = pseudonyms?.alert(body) ?? body
        hub.send(Array("event: alert\ndata: ".utf8) + json + Array("\n\n".utf8))
    }

    /// Ends all connections and takes the socket away.
    public func stop() {
        hub.end()
        beats.cancel()
        running.cancel()
        group.shutdownGracefully { _ in }
        if case .unix(let path) = address { try? SystemCalls().remove(FilePath(path)) }
    }
}
