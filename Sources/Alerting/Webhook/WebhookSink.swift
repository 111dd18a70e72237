import Findings
import LinuxIO
import SafeText

/// Alerts to an HTTP server, one request each.
///
/// A request has the same body and `webhook-id` in every attempt, so that a receiver can drop what it
/// has already. An answer of 200 to 299 ends the matter; 400, 413 and 422 say that this body will never
/// do; after any other the same is tried again.
public struct WebhookSink: Sink {
    public let name: String
    private let url: String
    private let format: WebhookFormat
    private let secrets: WebhookSecrets
    private let headers: [(name: String, value: String)]
    private let routingKey: String?
    private let template: WebhookTemplate?
    private let settings: TransferSettings
    private let clock: @Sendable () -> Int64
    private var transfer: Transfer?
    public private(set) var lastWords = ""

    /// Bytes of a receiver's answer that are shown when it refuses.
    private static let answerShownBytesMax = 200

    /// - Parameters:
    ///   - url: http or https.
    ///   - secrets: for the signature; none: no signature.
    ///   - headers: further ones, such as `Authorization`; no control characters.
    ///   - routingKey: PagerDuty's.
    ///   - template: in place of the format.
    ///   - clock: the time of day, µs since 1970.
    public init(
        name: String,
        url: String,
        format: WebhookFormat,
        secrets: WebhookSecrets = WebhookSecrets(),
        headers: [(name: String, value: String)] = [],
        routingKey: String? = nil,
        template: WebhookTemplate? = nil,
        settings: TransferSettings = TransferSettings(),
        clock: @escaping @Sendable () -> Int64 = SyslogSink.timeOfDay
    ) {
        self.name = name
        self.url = url
        self.format = format
        self.secrets = secrets
        self.headers = headers
        self.routingKey = routingKey
        self.template = template
        self.settings = settings
        self.clock = clock
    }

    public mutating func send(_ alert: OutgoingAlert) -> SinkAnswer {
        let facts: AlertFacts
        do {
            facts = try AlertFacts(json: alert.body)
        } catch {
            return .refused("the alert cannot be read: \(error)")
        }
        let now = clock()
        var request = format.request(
            facts,
            body: alert.body,
            url: url,
            key: routingKey,
            nowMicroseconds: now
        )
        if let template {
            do {
                request = WebhookFormat.Request(url: url, body: try template.render(alert.body))
            } catch {
                return .refused("the template: " + error.message)
            }
        }
        let signed = secrets.headers(
            id: "\(alert.id).\(alert.sequence)",
            seconds: now / 1_000_000,
            body: request.body
        )
        do {
            let open = try openTransfer()
            lastWords = ""
            let answer = try open.post(
                request.body,
                to: request.url,
                headers: [("Content-Type", template?.contentType ?? "application/json")] + signed
                    + headers
            )
            return judge(answer)
        } catch {
            // A handle that failed starts anew.
            transfer = nil
            return .failed(error.description)
        }
    }

    /// Connects, with TLS as for an alert.
    public mutating func reach() -> SinkAnswer {
        do {
            try Transfer.reach(url, settings)
            return .accepted
        } catch {
            return .failed(error.description)
        }
    }

    private mutating func openTransfer() throws(TransferError) -> Transfer {
        if let transfer { return transfer }
        let opened = try Transfer(settings)
        transfer = opened
        return opened
    }

    private mutating func judge(_ answer: TransferAnswer) -> SinkAnswer {
        let said = shown(
            String(decoding: answer.body.prefix(Self.answerShownBytesMax), as: UTF8.self)
        )
        let words = "HTTP \(answer.status)" + (said.isEmpty ? "" : ": \(said)")
        switch answer.status {
        case 200..<300:
            lastWords = words
            return .accepted
        case 300..<400: return .failed("\(words) (redirects are not followed)")
        case 400, 413, 422: return .refused(words)
        default:
            return .failed(words, afterSeconds: answer.retryAfterSeconds)
        }
    }
}
