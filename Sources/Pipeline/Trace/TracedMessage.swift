public import MailEvents
import MailLog

/// A line that tells of a traced message.
public struct TracedLine: Sendable, Equatable {
    /// How it is known to be about the message.
    public enum Relation: String, Sendable {
        /// It has the message's queue ID where the server puts it.
        case message
        /// It is of the connection by which the message came.
        case connection
        /// It names the queue ID somewhere: another program's line.
        case mention
    }

    /// Event time: microseconds since 1970, UTC.
    public var microseconds: Int64
    /// The number of the line in the whole walk.
    public var sequence: UInt64
    public var path: String
    /// Counts the lines of the file from 1; of a journal, the entry's sequence number.
    public var number: UInt64
    public var bytes: [UInt8]
    public var relation: Relation

    /// `PATH:NUMBER`.
    public var place: String { "\(path):\(number)" }
}

/// One delivery of a traced message.
public struct TracedDelivery: Sendable, Equatable {
    public enum Outcome: String, Sendable {
        case sent, deferred, bounced, expired, discarded, other
    }

    /// As the client gave it.
    public var recipient: String
    /// After aliases.
    public var target: String
    public var outcome: Outcome
    public var relay: String
    public var reply: String
    /// It went to a mailbox of this server.
    public var isLocal: Bool
    /// The relay is on this machine: a filter, perhaps.
    public var isToHere: Bool
    /// The line that says so.
    public var sequence: UInt64
}

/// All that a log says of one message under one queue ID.
public struct TracedMessage: Sendable {
    /// Names it among the messages of the walk; the number of its first line.
    public var serial: UInt64
    public var queueID: String
    public var host = ""
    public var dialect = Dialect.postfix
    /// The line that takes it in is there.
    public var isOpened = false
    /// The account; nil if nobody logged in, or it is not known.
    public var login: String?
    public var loginMethod: String?
    /// As far as a line tells: `TLSv1.3`.
    public var tls: String?
    /// The client's address, and its name if it has one.
    public var clientIP: String?
    public var clientName: String?
    /// The user ID of who handed it in on the machine itself.
    public var localUser: String?
    /// The envelope sender; empty for the null sender.
    public var sender: String?
    public var messageID: String?
    public var subject: String?
    /// Subjects of attached messages, as of the one that a bounce is about.
    public var attachedSubjects: [String] = []
    /// In the order in which they came to light, each once.
    public var recipients: [String] = []
    public var deliveries: [TracedDelivery] = []
    /// A person deleted it.
    public var isDeleted = false
    /// It is held.
    public var isHeld = false
    /// It was refused once its content was known.
    public var isRefused = false
    /// It left the queue.
    public var isRemoved = false
    public var lines: [TracedLine] = []
    public var linesLeftOut = 0

    /// The lines that say: it was taken in; and that its connection is encrypted.
    var opening: UInt64?
    var encryption: UInt64?
    /// The message's `HOST[IP]`, to tell headers from what stands behind them.
    var client: [UInt8]?
    /// The line that says with which login, if it is another than ``opening``.
    var loginLine: UInt64?
    /// A line of the message itself says with which login, and counts for more than its connection.
    var hasOwnLogin = false
    /// Queue IDs that its lines name.
    var links: [TraceLink] = []
    /// Its headers, until the sender is known.
    var subjectLines: [(fact: LineFact, bytes: [UInt8])] = []

    init(serial: UInt64, queueID: [UInt8]) {
        self.serial = serial
        self.queueID = String(decoding: queueID, as: UTF8.self)
    }

    public var firstMicroseconds: Int64 { lines.first?.microseconds ?? 0 }
    public var lastMicroseconds: Int64 { lines.last?.microseconds ?? 0 }

    /// Whether its client is this machine.
    var isFromHere: Bool {
        guard let clientIP else { return false }
        return clientIP.hasPrefix("127.") || clientIP == "::1"
    }

    /// What became of each recipient in the end: of several attempts the last.
    public var outcomes: [TracedDelivery] {
        var last: [TracedDelivery] = []
        for delivery in deliveries {
            if let known = last.firstIndex(where: {
                $0.recipient == delivery.recipient && $0.target == delivery.target
            }) {
                last[known] = delivery
            } else {
                last.append(delivery)
            }
        }
        return last
    }
}

/// A line of one message names another.
struct TraceLink: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// A relay's reply names the queue ID under which it took the message.
        case handedOn(isToHere: Bool)
        /// The message that went into a filter, of which this one came out (XFORWARD).
        case outer
        /// The bounce or other notification that was made of this message.
        case notification
        /// The message that this bounce is about.
        case subject
        /// The same message, or a part of its recipients, under another queue ID of the same server.
        case renamed
    }

    var kind: Kind
    var queueID: String
    var microseconds: Int64
    var sequence: UInt64
}
