public import Findings
import LinuxIO
public import Pipeline
import SafeText
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
/// The engine never waits for it. On a Unix socket nothing of it runs before somebody connects.
public final class StatusServer: Sendable {
    public let address: StatusAddress
    private let hub: EventHub
    private let pseudonyms: Pseudonyms?
    private let service: StatusService
    private let door: StatusDoor?
    private let waiter: WorkerThread?

    /// Listens, and answers from now on.
    ///
    /// - Parameters:
    ///   - hosts: names that a browser may know this machine by, besides `localhost`.
    ///   - token: needed for a TCP address.
    ///   - folder: the state.
    ///   - pseudonyms: shown in place of names, if given.
    ///   - failed: told when somebody connected and could not be answered; on a thread of its own.
    public init(
        at address: StatusAddress,
        hosts: [String],
        token: AccessToken?,
        folder: FilePath,
        board: LiveBoard,
        pseudonyms: Pseudonyms?,
        limits: StatusLimits = StatusLimits(),
        failed: @escaping @Sendable (StatusServerError) -> Void
    ) throws(StatusServerError) {
        self.address = address
        self.pseudonyms = pseudonyms
        let place: Access.Place
        switch address {
        case .unix(let path):
            place = .unixSocket
            try Self.prepare(FilePath(path))
        case .tcp:
            place = address.isLocal ? .loopback : .network
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
        let service = StatusService(responder, hub, limits)
        self.service = service
        switch address {
        case .tcp(let host, let port):
            door = nil
            waiter = nil
            do {
                try service.start(on: .tcp(host: host, port: port))
            } catch {
                throw StatusServerError(description: "\(address.text): \(error.description)")
            }
        case .unix(let path):
            let door = try StatusDoor(FilePath(path))
            self.door = door
            waiter = WorkerThread {
                while door.awaitsConnection() {
                    do throws(StatusServerError) {
                        try service.start(on: .bound(try door.socket()))
                        return
                    } catch {
                        failed(
                            StatusServerError(description: "\(address.text): \(error.description)")
                        )
                        door.refuse()
                    }
                }
            }
        }
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
        door?.stop()
        service.stop()
        waiter?.join()
        if case .unix(let path) = address { try? SystemCalls().remove(FilePath(path)) }
    }
}
