import Alerting
public import Findings
public import LinuxIO
import SafeText
import State
public import SystemPackage

/// Where a state folder keeps the key of its pseudonyms: `pseudonym.key`, mode 0600, 64 hexadecimal
/// digits.
public enum PseudonymKey {
    /// What is wrong with the key file.
    public struct Unusable: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// Opens the key, or makes it if there is none: only the one who has the folder's lock may.
    public static func open(
        folder: FilePath,
        keepsDomains: Bool,
        makesOne: Bool,
        calls: SystemCalls = SystemCalls()
    ) throws(Unusable) -> Pseudonyms? {
        let path = folder.appending("pseudonym.key")
        do {
            let file = try calls.open(path, [.read, .nonBlocking, .noFollow])
            let status = try file.status()
            guard status.kind == .regular, status.size <= 256, status.mode & 0o077 == 0 else {
                throw Unusable(description: "\(path): not a file of mode 0600 with a key")
            }
            let text = String(
                decoding: try file.readFully(count: Int(status.size), at: 0),
                as: UTF8.self
            )
            guard let key = bytes(ofHex: text.hasSuffix("\n") ? String(text.dropLast()) : text),
                let pseudonyms = Pseudonyms(key: key, keepsDomains: keepsDomains)
            else { throw Unusable(description: "\(path): 64 hexadecimal digits were expected") }
            return pseudonyms
        } catch let error as Unusable {
            throw error
        } catch let error as SystemCallError {
            guard error.cause == .noSuchFileOrDirectory else {
                throw Unusable(description: "\(error)")
            }
        } catch {
            preconditionFailure("all errors are typed")
        }
        guard makesOne else { return nil }
        var random = SystemRandomNumberGenerator()
        let key = (0..<Pseudonyms.keyByteCount).map { _ in
            UInt8.random(in: .min ... .max, using: &random)
        }
        do {
            try calls.replaceDurably(path, with: Array((hex(key) + "\n").utf8), mode: 0o600)
        } catch {
            throw Unusable(description: "\(error)")
        }
        return Pseudonyms(key: key, keepsDomains: keepsDomains)
    }
}

/// Which sinks get pseudonyms in place of names.
public struct PseudonymousSinks: Sendable, Hashable {
    /// Names of sinks, or the word before the colon of several.
    public var names: [String] = []
    public var keepsDomains = true

    public init() {}

    func covers(_ sink: String) -> Bool {
        names.contains { SinkName.isMeant(sink, by: $0) }
    }
}

extension DaemonOutput {
    /// Opens the key, or makes it, if a sink is to have pseudonyms.
    mutating func usePseudonyms(
        _ configuration: DaemonConfiguration
    ) throws(PseudonymKey.Unusable) {
        pseudonymousSinks = configuration.pseudonyms
        pseudonyms =
            pseudonymousSinks.names.isEmpty
            ? nil
            : try PseudonymKey.open(
                folder: configuration.state,
                keepsDomains: pseudonymousSinks.keepsDomains,
                makesOne: true
            )
    }

    /// What leaves the daemon for a sink: the one place where an alert or a notice loses its names.
    func outgoing(_ dispatch: NewDispatch) -> NewDispatch {
        guard pseudonymousSinks.covers(dispatch.sink), let pseudonyms else { return dispatch }
        var dispatch = dispatch
        dispatch.body = pseudonyms.alert(dispatch.body)
        return dispatch
    }
}
