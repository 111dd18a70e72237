import Crypto
import SafeText

/// The public half of a key that signs bundles: Ed25519 (RFC 8032).
public struct EvidenceKey: Sendable, Hashable {
    /// Its 32 bytes (RFC 8032, 5.1.5).
    public let bytes: [UInt8]

    /// Nil for what is no key.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount,
            (try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)) != nil
        else { return nil }
        self.bytes = bytes
    }

    /// Reads 64 hexadecimal digits.
    public init?(hex text: String) {
        guard let bytes = SafeText.bytes(ofHex: text) else { return nil }
        self.init(bytes: bytes)
    }

    static let byteCount = 32
    /// Bytes of a signature.
    static let signatureByteCount = 64

    /// Before the 32 bytes in a SubjectPublicKeyInfo of id-Ed25519 (RFC 8410, 4 and its example in
    /// 10.1).
    private static let publicPrefix: [UInt8] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ]

    /// Lower-case hexadecimal, as in a manifest.
    public var hex: String { SafeText.hex(bytes) }

    /// SHA-256 of the SubjectPublicKeyInfo in DER, in lower-case hexadecimal: what
    /// `openssl pkey -pubin -outform DER | sha256sum` says.
    public var fingerprint: String { digestHex(Self.publicPrefix + bytes) }

    /// `-----BEGIN PUBLIC KEY-----` (RFC 7468, 13), with a newline at its end.
    public var pem: String { pemText("PUBLIC KEY", Self.publicPrefix + bytes) }

    /// Reads what ``pem`` writes; nil of anything else.
    init?(pem: some StringProtocol) {
        guard let der = pemBytes("PUBLIC KEY", pem), der.starts(with: Self.publicPrefix) else {
            return nil
        }
        self.init(bytes: Array(der.dropFirst(Self.publicPrefix.count)))
    }

    /// Whether `signature` is this key's, of just these bytes.
    public func hasSigned(_ message: [UInt8], _ signature: [UInt8]) -> Bool {
        guard signature.count == Self.signatureByteCount,
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
        else { return false }
        return key.isValidSignature(signature, for: message)
    }
}

/// A key that signs bundles.
public struct EvidenceSigner: Sendable {
    private let key: Curve25519.Signing.PrivateKey
    public let publicKey: EvidenceKey

    /// Before the 32 bytes in a PrivateKeyInfo of id-Ed25519 (RFC 8410, 7 and its example in 10.3).
    private static let privatePrefix: [UInt8] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ]

    /// A fresh key from the system's random numbers.
    public init() {
        let fresh = Curve25519.Signing.PrivateKey()
        guard let publicKey = EvidenceKey(bytes: Array(fresh.publicKey.rawRepresentation)) else {
            preconditionFailure("a key has 32 bytes")
        }
        key = fresh
        self.publicKey = publicKey
    }

    /// The key of these 32 bytes; nil when they are not so many.
    public init?(seed: [UInt8]) {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed),
            let publicKey = EvidenceKey(bytes: Array(key.publicKey.rawRepresentation))
        else { return nil }
        self.key = key
        self.publicKey = publicKey
    }

    /// Reads what ``pem`` writes, and so what `openssl genpkey -algorithm ed25519` does.
    init?(pem: String) {
        guard let der = pemBytes("PRIVATE KEY", pem), der.starts(with: Self.privatePrefix) else {
            return nil
        }
        self.init(seed: Array(der.dropFirst(Self.privatePrefix.count)))
    }

    /// `-----BEGIN PRIVATE KEY-----` (RFC 7468, 10), with a newline at its end: a secret.
    var pem: String {
        pemText("PRIVATE KEY", Self.privatePrefix + Array(key.rawRepresentation))
    }

    /// 64 bytes. Of the same message always the same: that is how RFC 8032 (5.1.6) makes them, and
    /// BoringSSL, which swift-crypto uses on Linux, does.
    func signature(of message: [UInt8]) throws(EvidenceError) -> [UInt8] {
        do {
            return Array(try key.signature(for: message))
        } catch {
            throw .signing("\(error)")
        }
    }
}

private func pemText(_ label: String, _ der: [UInt8]) -> String {
    // Both kinds of key fit on one line of 64 characters (RFC 7468, 2).
    "-----BEGIN \(label)-----\n\(base64Text(der))\n-----END \(label)-----\n"
}

private func pemBytes(_ label: String, _ text: some StringProtocol) -> [UInt8]? {
    let lines = text.split(whereSeparator: \.isNewline)
    guard lines.count == 3, lines[0] == "-----BEGIN \(label)-----",
        lines[2] == "-----END \(label)-----"
    else { return nil }
    return base64Bytes(lines[1])
}

/// Keys that somebody trusts: given by themselves or by their fingerprints, and those that a trusted
/// key has named as its successor.
public struct TrustedKeys: Sendable {
    /// Keys and fingerprints, in hexadecimal.
    private var known: Set<String> = []
    private var rotations: [ChainLink] = []

    public init() {}

    public var isEmpty: Bool { known.isEmpty }

    /// Takes in what `postern evidence key` prints, with or without `--rotations`: keys in PEM or
    /// hexadecimal, fingerprints, and statements of rotations, each on lines of its own; lines that
    /// begin with `#` are passed over.
    ///
    /// - Returns: the number, from 1, of a line that is none of these; nil when there is none.
    public mutating func add(_ text: String) -> Int? {
        var block: [Substring] = []
        var number = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            let line = line.hasSuffix("\r") ? line.dropLast() : line
            if !block.isEmpty || line.hasPrefix("-----BEGIN ") {
                block.append(line)
                guard line.hasPrefix("-----END ") else { continue }
                guard let key = EvidenceKey(pem: block.joined(separator: "\n")) else {
                    return number
                }
                block = []
                known.insert(key.hex)
            } else if line.hasPrefix("{") {
                guard let link = ChainLink(json: Array(line.utf8)), link.isSigned else {
                    return number
                }
                rotations.append(link)
            } else if let bytes = bytes(ofHex: line), bytes.count == EvidenceKey.byteCount {
                known.insert(hex(bytes))
            } else if !line.isEmpty, !line.hasPrefix("#") {
                return number
            }
        }
        return block.isEmpty ? nil : number
    }

    /// Whether the key was given, or follows from one that was.
    public func contains(_ key: EvidenceKey) -> Bool {
        var trusted = known
        func isKnown(_ key: EvidenceKey) -> Bool {
            trusted.contains(key.hex) || trusted.contains(key.fingerprint)
        }
        // Each round takes at least one rotation in, or is the last.
        var waiting = rotations
        while !isKnown(key) {
            guard let next = waiting.firstIndex(where: { isKnown($0.key) }) else { return false }
            if case .rotated(let successor) = waiting[next].kind { trusted.insert(successor.hex) }
            waiting.remove(at: next)
        }
        return true
    }
}
