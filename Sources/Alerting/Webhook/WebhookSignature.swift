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
            guard line.hasPrefix("whsec_"), let key = Self.key(line.dropFirst(6)),
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

    /// The bytes that base64 stands for; its padding may be missing.
    private static func key(_ text: Substring) -> [UInt8]? {
        base64Bytes(text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4))
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
            "v1," + base64Text(Array(HMAC<SHA256>.authenticationCode(for: content, using: key)))
        }
        headers.append(("webhook-signature", signatures.joined(separator: " ")))
        return headers
    }
}
