import Findings
import LinuxIO
import Pipeline
import SafeText
import Settings
import StatusPage
import Synchronization
import SystemPackage

/// The status page of a daemon: from the settings to the server.
final class StatusSetup: Sendable {
    /// The engine gives a sign of life so often.
    static let beatNanoseconds: UInt64 = 20_000_000_000

    let board = LiveBoard()
    private let http: CheckedSettings.HTTP
    private let pseudonyms: CheckedSettings.Pseudonyms
    private let server = Mutex<StatusServer?>(nil)

    init(_ settings: CheckedSettings) {
        http = settings.http
        pseudonyms = settings.pseudonyms
    }

    /// Serves the page from now on. Where the settings say nothing and it cannot be, that is told and
    /// the daemon goes on without.
    ///
    /// - Parameter folder: the state, whose lock the caller has.
    func start(folder: FilePath) throws {
        guard let listen = http.listen else { return }
        do {
            let address = listen.address
            var token: AccessToken?
            if case .tcp = address { token = try TokenFile.open(folder: folder) }
            let started = try StatusServer(
                at: address,
                hosts: http.hosts,
                token: token,
                folder: folder,
                board: board,
                pseudonyms: try pseudonymKey(folder),
                failed: { warn("no status page for who connected: " + shown("\($0)")) }
            )
            server.withLock { $0 = started }
            warn("status page: \(shown(address.text))")
            if !address.isLocal {
                warn(
                    "status page: it can be reached from other machines, without TLS, and asks "
                        + "everybody for the token"
                )
            }
        } catch {
            guard http.isListenSet else {
                warn("no status page, no metrics: " + shown("\(error)"))
                return
            }
            throw Failure(.failed, "http: " + shown("\(error)"))
        }
    }

    private func pseudonymKey(_ folder: FilePath) throws -> Pseudonyms? {
        guard pseudonyms.http else { return nil }
        return try PseudonymKey.open(
            folder: folder,
            keepsDomains: pseudonyms.keepsDomains,
            makesOne: true
        )
    }

    /// What the daemon tells, for the pages that listen. Never waits.
    func hear(_ message: DaemonMessage) {
        guard case .committed(let bodies) = message, let server = server.withLock({ $0 }) else {
            return
        }
        for body in bodies { server.publish(body) }
    }

    func stop() { server.withLock { $0.take() }?.stop() }
}

extension CheckedSettings.HTTPAddress {
    var address: StatusAddress {
        switch self {
        case .unix(let path): .unix(path)
        case .tcp(let host, let port): .tcp(host: host, port: port)
        }
    }
}

extension CheckedSettings {
    /// By the names of sinks, words for metrics: what kind it is, and a number if there are several.
    var sinkLabels: [String: String] {
        var labels: [String: String] = [:]
        var counts: [String: Int] = [:]
        for sink in sinks {
            let word =
                switch sink.kind {
                case .syslog: "syslog"
                case .standardOutput: "stdout"
                case .webhook: "webhook"
                case .mail: "mail"
                case .command: "exec"
                }
            counts[word, default: 0] += 1
            let count = counts[word] ?? 1
            labels[sink.name] = count == 1 ? word : "\(word)-\(count)"
        }
        return labels
    }
}
