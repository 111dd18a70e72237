import SafeText

/// What a command asks of the daemon, or does itself while none runs.
public enum ControlRequest: Sendable {
    /// Somebody has seen the alert of this ID.
    case acknowledge(alert: String, note: String?)
    /// The silence's ID, author and time of creation are the receiver's to give.
    case silence(NewSilence)
    case unsilence(id: String)
    /// Everything about the account, but sealed evidence.
    case forget(account: String)
    /// Memories of accounts and domains, to be merged with what is known.
    case remember([MemoryRecord])
    /// A fresh key is to sign evidence.
    case rotateKey
    /// Settings and rules are to be read again.
    case reload
    /// What was given up is to be sent once more.
    case redeliver(Redelivery)
    /// A test alert is to go to this sink, or to all.
    case testSinks(name: String?)
    /// How it goes: ``LiveFigures`` as JSON, in the answer's first detail.
    case status

    /// Which dispatches.
    public struct Redelivery: Sendable, Hashable {
        /// Of this alert; nil: of all.
        public var alert: String?
        /// To this sink; nil: to all.
        public var sink: String?

        public init(alert: String?, sink: String?) {
            self.alert = alert
            self.sink = sink
        }
    }

    public struct NewSilence: Sendable, Hashable {
        public var account: String?
        public var rule: String?
        public var domain: String?
        /// Microseconds since 1970, wall clock.
        public var untilMicroseconds: Int64
        public var reason: String

        public init(
            account: String?,
            rule: String?,
            domain: String?,
            untilMicroseconds: Int64,
            reason: String
        ) {
            self.account = account
            self.rule = rule
            self.domain = domain
            self.untilMicroseconds = untilMicroseconds
            self.reason = reason
        }
    }
}

/// A request with its author, as it goes over the control socket: one JSON object on a line.
///
/// ```
/// {"postern.control":1,"request":"alerts.ack","author":"root","alert":"…","note":"…"}
/// {"postern.control":1,"outcome":"done","message":"…"}
/// ```
public struct ControlCall: Sendable {
    public var request: ControlRequest
    /// Who asks, as the command says; the socket adds the user's ID.
    public var author: String

    static let version: Int64 = 1
    /// Longest line of a request, in bytes.
    public static let bytesMax = 1 << 20
    static let textBytesMax = 4_096

    public init(_ request: ControlRequest, author: String) {
        self.request = request
        self.author = author
    }

    /// Without a newline.
    public func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("postern.control", Self.version)
        switch request {
        case .acknowledge(let alert, let note):
            object.member("request", "alerts.ack")
            object.member("alert", alert)
            object.member("note", note)
        case .silence(let silence):
            object.member("request", "alerts.silence")
            object.member("account", silence.account)
            object.member("rule", silence.rule)
            object.member("domain", silence.domain)
            object.member("until", rfc3339(microseconds: silence.untilMicroseconds))
            object.member("reason", silence.reason)
        case .unsilence(let id):
            object.member("request", "alerts.unsilence")
            object.member("silence", id)
        case .forget(let account):
            object.member("request", "state.forget")
            object.member("account", account)
        case .remember(let records):
            object.member("request", "state.import")
            object.member("records", records.map { String(decoding: $0.json(), as: UTF8.self) })
        case .rotateKey:
            object.member("request", "evidence.rotate-key")
        case .reload:
            object.member("request", "reload")
        case .redeliver(let which):
            object.member("request", "alerts.redeliver")
            object.member("alert", which.alert)
            object.member("sink", which.sink)
        case .testSinks(let name):
            object.member("request", "sinks.test")
            object.member("sink", name)
        case .status:
            object.member("request", "status")
        }
        object.member("author", author)
        return object.finished()
    }

    /// Reads a line of a request.
    ///
    /// - Throws: what is wrong with it, in words; log text in them is escaped.
    public init(json line: [UInt8]) throws(ControlCallError) {
        let object: JSONObject
        do {
            object = try JSONObjectReader.read(line)
        } catch {
            throw ControlCallError(message: "the request is no JSON object: \(error)")
        }
        guard let version = object["postern.control"]?.integer else {
            throw ControlCallError(message: "`postern.control` is missing")
        }
        guard version == Self.version else {
            throw ControlCallError(
                message: "version \(version) of the control protocol is not spoken here, only "
                    + "\(Self.version): the command and the daemon are of different versions"
            )
        }
        func text(_ name: String) throws(ControlCallError) -> String? {
            guard let value = object[name] else { return nil }
            guard let text = value.string, text.utf8.count <= Self.textBytesMax else {
                throw ControlCallError(
                    message: "`\(name)` must be a text of at most \(Self.textBytesMax) bytes"
                )
            }
            return text
        }
        func needed(_ name: String) throws(ControlCallError) -> String {
            guard let text = try text(name), !text.isEmpty else {
                throw ControlCallError(message: "`\(name)` is missing")
            }
            return text
        }
        author = try needed("author")
        switch try needed("request") {
        case "alerts.ack":
            request = .acknowledge(alert: try needed("alert"), note: try text("note"))
        case "alerts.silence":
            guard let until = parseRFC3339(try needed("until")) else {
                throw ControlCallError(message: "`until` must be a time of RFC 3339")
            }
            let silence = ControlRequest.NewSilence(
                account: try text("account"),
                rule: try text("rule"),
                domain: try text("domain"),
                untilMicroseconds: until,
                reason: try needed("reason")
            )
            let texts = [silence.account, silence.rule, silence.domain]
            guard texts.contains(where: { $0 != nil }) else {
                throw ControlCallError(message: "one of `account`, `rule` and `domain` is needed")
            }
            guard texts.allSatisfy({ $0 != "" }) else {
                throw ControlCallError(message: "`account`, `rule` and `domain` must not be empty")
            }
            request = .silence(silence)
        case "alerts.unsilence": request = .unsilence(id: try needed("silence"))
        case "state.forget": request = .forget(account: try needed("account"))
        case "state.import":
            guard let lines = object["records"]?.strings else {
                throw ControlCallError(message: "`records` must be texts")
            }
            var records: [MemoryRecord] = []
            for (index, line) in lines.enumerated() {
                do {
                    records.append(try MemoryRecord(json: Array(line.utf8)))
                } catch {
                    throw ControlCallError(message: "record \(index + 1): \(error.message)")
                }
            }
            request = .remember(records)
        case "evidence.rotate-key": request = .rotateKey
        case "reload": request = .reload
        case "alerts.redeliver":
            request = .redeliver(.init(alert: try text("alert"), sink: try text("sink")))
        case "sinks.test": request = .testSinks(name: try text("sink"))
        case "status": request = .status
        case let other:
            throw ControlCallError(message: "there is no request \(shown(other))")
        }
    }
}

/// A line that is no request.
public struct ControlCallError: Error, Sendable, Hashable {
    public var message: String
}

/// What came of a request.
public struct ControlAnswer: Sendable, Hashable {
    public enum Outcome: String, Sendable, CaseIterable {
        case done
        /// There is no such alert, silence or account.
        case missing
        /// It makes no sense, or a bound forbids it.
        case refused
        /// Not now: the same request may work later.
        case busy
        /// The disk or the state failed; nothing was changed.
        case failed
    }

    public var outcome: Outcome
    /// One sentence, log text escaped.
    public var message: String
    /// More of it, as every mistake of the rules.
    public var details: [String]

    static let bytesMax = 1 << 20

    public init(_ outcome: Outcome, _ message: String, details: [String] = []) {
        self.outcome = outcome
        self.message = message
        self.details = details
    }

    /// Without a newline.
    func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("postern.control", ControlCall.version)
        object.member("outcome", outcome.rawValue)
        object.member("message", message)
        if !details.isEmpty { object.member("details", details) }
        return object.finished()
    }

    /// - Returns: nil when it is no answer.
    init?(json: [UInt8]) {
        guard let object = try? JSONObjectReader.read(json),
            object["postern.control"]?.integer == ControlCall.version,
            let outcome = object["outcome"]?.string.flatMap(Outcome.init(rawValue:)),
            let message = object["message"]?.string
        else { return nil }
        self.outcome = outcome
        self.message = message
        details = object["details"]?.strings ?? []
    }
}
