import SafeText

/// By which way mail goes out.
public enum MailWay: Sendable, Hashable {
    /// `smtp://HOST[:PORT]` or `smtps://HOST[:PORT]`.
    case smtp(SMTPSettings)
    /// The path of a program that takes a message as sendmail(8) does.
    case sendmail(String)
}

public struct SMTPSettings: Sendable, Hashable {
    public var url: String
    public var user: String?
    public var password: String?
    /// Whether a connection that is not TLS may be used.
    public var allowsPlain = false
    public var transfer = TransferSettings()

    public init(url: String) { self.url = url }
}

/// Alerts as mail, one message each.
///
/// A server's 5yz (but for what it says of a login) and a program's exit status that is neither 0 nor 75
/// (`EX_TEMPFAIL`, sysexits.h) end the matter; after any other failure the same is tried again.
public struct MailSink: Sink {
    public let name: String
    private let message: MailMessage
    private let way: MailWay
    private var sender: MailTransfer?
    private var leave = SinkLeave()
    public private(set) var lastWords = ""

    /// - Parameters:
    ///   - from, to: addresses (RFC 5321) without anything around them, and without blanks.
    ///   - host: this host.
    ///   - letters: for the user, by `postern.diagnosis`.
    public init(
        name: String,
        from: String,
        to: [String],
        host: String,
        letters: [String: String] = [:],
        way: MailWay
    ) {
        precondition(!to.isEmpty)
        self.name = name
        self.way = way
        message = MailMessage(from: from, to: to, host: host, letters: letters)
    }

    public mutating func heed(_ leave: SinkLeave) { self.leave = leave }

    public mutating func send(_ alert: OutgoingAlert) -> SinkAnswer {
        lastWords = ""
        let facts: AlertFacts
        do {
            facts = try AlertFacts(json: alert.body)
        } catch {
            return .refused("the alert cannot be read: \(error)")
        }
        let bytes = message.bytes(facts)
        switch way {
        case .smtp(let settings): return send(bytes, settings)
        case .sendmail(let program): return send(bytes, program)
        }
    }

    /// Connects and logs in as for an alert, or looks whether the program may be run.
    public mutating func reach() -> SinkAnswer {
        switch way {
        case .sendmail(let path): return program(path).reach()
        case .smtp(let settings):
            do {
                try MailTransfer(settings).reach()
                return .accepted
            } catch {
                return .failed(error.description)
            }
        }
    }

    private mutating func send(_ bytes: [UInt8], _ settings: SMTPSettings) -> SinkAnswer {
        do {
            let open: MailTransfer
            if let sender {
                open = sender
            } else {
                open = try MailTransfer(settings)
            }
            sender = open
            lastWords = shown(try open.send(bytes, from: message.from, to: message.to))
            return .accepted
        } catch {
            sender = nil
            let isLogin = [530, 534, 535, 538].contains(error.code)
            return (500...599).contains(error.code) && !isLogin
                ? .refused(error.description) : .failed(error.description)
        }
    }

    private mutating func send(_ bytes: [UInt8], _ program: String) -> SinkAnswer {
        // A program of the system reads lines that end as the system's do.
        let text = bytes.filter { $0 != UInt8(ascii: "\r") }
        let end: SinkProgram.End
        do {
            end = try self.program(program).run(
                text,
                environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
            )
        } catch {
            return .failed("\(error)")
        }
        switch end.status {
        case 0:
            lastWords = end.words
            return .accepted
        case 75: return .failed("\(program): exit status 75" + end.tail)
        case .some(let status): return .refused("\(program): exit status \(status)" + end.tail)
        case nil: return .failed("\(program): it was killed, or ended by a signal" + end.tail)
        }
    }

    private func program(_ path: String) -> SinkProgram {
        SinkProgram(
            path: path,
            arguments: ["-i", "-f", message.from, "--"] + message.to,
            milliseconds: 30_000,
            leave: leave
        )
    }
}
