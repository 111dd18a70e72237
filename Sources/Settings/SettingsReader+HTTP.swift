// The status page: one key with a map.

extension CheckedSettings {
    /// Where the status page, metrics and the API are.
    public struct HTTP: Sendable, Hashable {
        /// Nil: nowhere.
        public var listen: HTTPAddress? = Self.defaultListen
        /// Names that a browser may know this machine by, besides `localhost`.
        public var hosts: [String] = []
        /// The file says where; what it says must then be possible.
        public var isListenSet = false

        public static let defaultListen = HTTPAddress.unix("/run/postern/http.sock")

        public init() {}
    }

    public enum HTTPAddress: Sendable, Hashable {
        /// Absolute path of a socket.
        case unix(String)
        /// An address of this machine, or `localhost`.
        case tcp(host: String, port: Int)

        /// As the settings write it.
        public var text: String {
            switch self {
            case .unix(let path): "unix:" + path
            case .tcp(let host, let port):
                "tcp:" + (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
            }
        }
    }
}

/// What the keys of `http` say.
private struct HTTPKeys {
    var listen: Placed<CheckedSettings.HTTPAddress?>?
    var hosts: [String] = []
}

extension Reading<CheckedSettings.HTTP> {
    /// `{listen: …, hosts: […]}`, or `null` for no page.
    static var http: Reading {
        let table = KeyTable<HTTPKeys>([
            Key(
                "listen",
                \.listen,
                Reading<CheckedSettings.HTTPAddress>.httpAddress.orNull().placed()
            ),
            Key("hosts", \.hosts, Reading<String>.domain.list("names of this machine")),
        ])
        return Reading { tree, reader in
            var http = CheckedSettings.HTTP()
            guard !tree.isNull else {
                http.listen = nil
                return http
            }
            var keys = HTTPKeys()
            table.read(tree, into: &keys, &reader)
            if let listen = keys.listen {
                http.listen = listen.value
                http.isListenSet = true
            }
            http.hosts = keys.hosts
            return http
        }
    }
}

extension Reading<CheckedSettings.HTTPAddress> {
    /// `unix:PATH` or `tcp:ADDRESS:PORT`. A name would have to be resolved before anything runs, and
    /// may be several addresses.
    static var httpAddress: Reading {
        let what = "unix:/run/postern/http.sock or tcp:127.0.0.1:PORT"
        let text = Reading<String>.text(what)
        return Reading { tree, reader in
            guard let address = text.read(tree, &reader) else { return nil }
            if address.hasPrefix("unix:") {
                let path = String(address.dropFirst(5))
                // sun_path has 108 bytes with the NUL (unix(7)).
                guard path.hasPrefix("/"), path.utf8.count <= 107, !path.hasSuffix("/") else {
                    reader.expected("an absolute path of at most 107 bytes after `unix:`", at: tree)
                    return nil
                }
                return .unix(path)
            }
            guard address.hasPrefix("tcp:"),
                let (host, port) = hostAndPort(address.dropFirst(4), usual: 0), port > 0,
                host == "localhost" || host.contains(":") || isIPv4(host)
            else {
                reader.expected(what, at: tree)
                return nil
            }
            return .tcp(host: host, port: port)
        }
    }

    private static func isIPv4(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count)
                    && Int(part).map { (0...255).contains($0) } ?? false
            }
    }
}
