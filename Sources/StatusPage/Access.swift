import Crypto
import SafeText

/// Who may see what: decided from a request's head alone.
///
/// A Unix socket is guarded by the rights of its file. On TCP every program and every page of a
/// browser on this machine can ask, so all but metrics and health want the token, and a `Host` that
/// some other name was rebound to is refused (DNS rebinding).
public struct Access: Sendable {
    public enum Place: Sendable, Hashable {
        case unixSocket
        /// Reachable from this machine alone.
        case loopback
        /// Reachable from elsewhere: nothing is shown without the token.
        case network
    }

    /// What a request says of itself.
    struct Claim: Sendable {
        var path: String
        /// The `Host`, with its port.
        var host: String?
        var authorization: String?
        var cookie: String?
        /// Value of `token` in the query.
        var queryToken: String?
    }

    enum Decision: Sendable, Hashable {
        case allowed
        /// The link with the token: its cookie is to be set, and the token to leave the address bar.
        case signsIn
        case unauthorized
        /// The name in `Host` is none of ours.
        case misdirected
    }

    let place: Place
    /// Names besides `localhost`, in lower case.
    private let hosts: Set<String>
    private let token: AccessToken?

    /// - Parameters:
    ///   - hosts: names that a browser may know the machine by.
    ///   - token: needed unless the place is a Unix socket.
    public init(place: Place, hosts: [String], token: AccessToken?) {
        precondition(token != nil || place == .unixSocket)
        self.place = place
        self.hosts = Set(hosts.map { $0.lowercased() }).union(["localhost"])
        self.token = token
    }

    static let openPaths: Set<String> = ["/metrics", "/healthz"]

    func decide(_ claim: Claim, nowSeconds: Int64) -> Decision {
        // Also at a socket: a tunnel may end there, and a browser use it. Browsers always send one.
        guard claim.host.map(isOurs) ?? (place == .unixSocket) else { return .misdirected }
        guard place != .unixSocket, let token else { return .allowed }
        if let sent = claim.queryToken {
            return token.matches(sent) ? .signsIn : .unauthorized
        }
        if let sent = claim.authorization {
            guard let bearer = Self.bearer(sent) else { return .unauthorized }
            return token.matches(bearer) ? .allowed : .unauthorized
        }
        if let session = claim.cookie.flatMap(Self.session),
            token.hasSigned(session, nowSeconds: nowSeconds)
        {
            return .allowed
        }
        return place == .loopback && Self.openPaths.contains(claim.path) ? .allowed : .unauthorized
    }

    /// The cookie's value for somebody who showed the token.
    func session(nowSeconds: Int64) -> String? { token?.session(nowSeconds: nowSeconds) }

    /// A name that is known, or an address: no name was resolved for that one.
    private func isOurs(_ host: String) -> Bool {
        var name = Substring(host.lowercased())
        if name.first == "[" {
            guard let end = name.firstIndex(of: "]") else { return false }
            let rest = name[name.index(after: end)...]
            let address = name[name.index(after: name.startIndex)..<end]
            return Self.isPort(rest) && !address.isEmpty
                && address.utf8.allSatisfy { Self.isHex($0) || $0 == 0x3a || $0 == 0x2e }
        }
        if let colon = name.lastIndex(of: ":") {
            guard Self.isPort(name[colon...]) else { return false }
            name = name[..<colon]
        }
        if name.last == "." { name.removeLast() }
        return hosts.contains(String(name)) || Self.isIPv4(name)
    }

    private static func isPort(_ text: Substring) -> Bool {
        guard !text.isEmpty else { return true }
        let digits = text.dropFirst()
        return text.first == ":" && (1...5).contains(digits.utf8.count)
            && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count)
                    && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
                    && Int(part).map { $0 < 256 } ?? false
            }
    }

    /// RFC 6750, 2.1; the scheme's case does not matter (RFC 9110, 11.1).
    private static func bearer(_ header: String) -> String? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }

    static let cookieName = "postern"

    private static func session(_ header: String) -> String? {
        for pair in header.split(separator: ";") {
            let trimmed = pair.drop { $0 == " " }
            guard let equals = trimmed.firstIndex(of: "="), trimmed[..<equals] == cookieName else {
                continue
            }
            return String(trimmed[trimmed.index(after: equals)...])
        }
        return nil
    }
}

/// The secret that opens the page, and what it signs.
public struct AccessToken: Sendable {
    /// 256 bits as lower-case base32.
    public let text: String
    private let key: SymmetricKey

    static let byteCount = 32
    /// A browser has to be shown the link again after so long.
    static let sessionSeconds: Int64 = 12 * 3_600

    /// A fresh one.
    init() {
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<Self.byteCount).map { _ in
            UInt8.random(in: .min ... .max, using: &random)
        }
        text = base32(bytes)
        key = SymmetricKey(data: Array(text.utf8))
    }

    /// Nil when it is too short or too long to be one, or holds what a header may not.
    init?(_ text: String) {
        let isWord = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte)
                || (0x41...0x5a).contains(byte) || byte == 0x2d || byte == 0x5f
        }
        guard (32...256).contains(text.utf8.count), isWord else { return nil }
        self.text = text
        key = SymmetricKey(data: Array(text.utf8))
    }

    /// Takes the same time whatever is wrong: the digests are compared, and in constant time
    /// (swift-crypto's `==` of digests).
    func matches(_ sent: String) -> Bool {
        SHA256.hash(data: Array(sent.utf8)) == SHA256.hash(data: Array(text.utf8))
    }

    /// `EXPIRY.SIGNATURE`: what a cookie holds. Cookies go to every port of a host, so it is not the
    /// token, and it ends.
    func session(nowSeconds: Int64) -> String {
        let expiry = nowSeconds + Self.sessionSeconds
        let code = HMAC<SHA256>.authenticationCode(for: Self.message(expiry), using: key)
        return "\(expiry).\(hex(Array(code)))"
    }

    func hasSigned(_ session: String, nowSeconds: Int64) -> Bool {
        let parts = session.split(separator: ".", maxSplits: 1)
        guard parts.count == 2, let expiry = Int64(parts[0]), expiry > nowSeconds,
            let code = bytes(ofHex: parts[1])
        else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(
            code,
            authenticating: Self.message(expiry),
            using: key
        )
    }

    private static func message(_ expiry: Int64) -> [UInt8] { Array("session \(expiry)".utf8) }
}
