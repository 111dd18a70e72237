import Crypto
import SafeText

/// The secrets by which a receiver knows that a webhook is ours, as Standard Webhooks 1.0.0 has them
/// (`spec/standard-webhooks.md`, "Verifying webhook authenticity").
public struct WebhookSecrets: Sendable {
    private var keys: [SymmetricKey] = []

    public init() {}

    public var isEmpty: Bool { keys.isEmpty }

    /// Reads the text of a secret file: one `whsec_` and base64 a line; of several, each gives a
    /// signature, so that one can be exchanged while receivers still know the other.
    ///
    /// - Returns: nil, with the number of the line (from 1), where a line is something else or its key
    ///   is not of 24 to 64 bytes.
    public init?(_ text: String, badLine: inout Int) {
        var number = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            let line = line.hasSuffix("\r") ? line.dropLast() : line
            guard !line.isEmpty else { continue }
            guard line.hasPrefix("whsec_"), let key = base64(line.dropFirst(6)),
                (24...64).contains(key.count)
            else {
                badLine = number
                return nil
            }
            keys.append(SymmetricKey(data: key))
        }
        guard !keys.isEmpty else {
            badLine = 1
            return nil
        }
    }

    /// The headers of one attempt.
    ///
    /// - Parameters:
    ///   - id: names the message, in every attempt the same.
    ///   - seconds: when it is sent, since 1970.
    func headers(
        id: String,
        seconds: Int64,
        body: [UInt8]
    ) -> [(name: String, value: String)] {
        var headers = [(name: "webhook-id", value: id), ("webhook-timestamp", "\(seconds)")]
        guard !keys.isEmpty else { return headers }
        let content = Array("\(id).\(seconds).".utf8) + body
        let signatures = keys.map { key in
            "v1," + base64(Array(HMAC<SHA256>.authenticationCode(for: content, using: key)))
        }
        headers.append(("webhook-signature", signatures.joined(separator: " ")))
        return headers
    }
}

private let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
)

/// Base64 with padding (RFC 4648, 4).
func base64(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let count = min(3, bytes.count - start)
        var group: UInt32 = 0
        for offset in 0..<3 {
            group = group << 8 | (offset < count ? UInt32(bytes[start + offset]) : 0)
        }
        for place in 0..<4 {
            let sextet = Int(group >> UInt32(18 - place * 6) & 63)
            text.append(place <= count ? alphabet[sextet] : UInt8(ascii: "="))
        }
    }
    return String(decoding: text, as: UTF8.self)
}

/// The bytes that base64 stands for, with or without padding; nil where it is none.
func base64(_ text: Substring) -> [UInt8]? {
    var bytes: [UInt8] = []
    var group: UInt32 = 0
    var bits: UInt32 = 0
    var padding = 0
    for byte in text.utf8 {
        if byte == UInt8(ascii: "=") {
            padding += 1
            continue
        }
        guard padding == 0, let value = alphabet.firstIndex(of: byte) else { return nil }
        group = group << 6 | UInt32(value)
        bits += 6
        if bits >= 8 {
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: group >> bits))
            group &= (1 << bits) - 1
        }
    }
    return bits < 6 && padding <= 2 && group == 0 ? bytes : nil
}
