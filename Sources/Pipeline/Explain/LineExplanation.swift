public import Detection
public import Findings
public import MailEvents
public import MailLog

/// An event at one of its two evaluations, and what each rule of that phase says of it.
public struct ExplainedEvent: Sendable {
    /// With no text but its own.
    public var event: SendEvent
    public var rules: [RuleExplanation]
}

/// Everything that became of one line: what was read from where, which event it joined, which rules
/// matched and why the others did not, or why it was not understood.
public struct LineExplanation: Sendable {
    /// Something that was read in the line.
    public struct Piece: Sendable, Equatable {
        /// The field that it becomes, by its name in an event, or in words of its own.
        public var name: String
        /// Where it stands: byte offsets in the line.
        public var range: Range<Int>
        /// What was read there, as it stands or decoded.
        public var value: [UInt8]
    }

    /// To which message the line belongs.
    public enum Join: Sendable, Equatable {
        /// It says nothing of a message.
        case none
        /// Of an authenticated message, or one that a filter made of such a one.
        case submission(MessageView)
        /// Of a message that came without a login: inbound, relayed or local.
        case other(MessageView)
        /// No line says how the message began, or it is over.
        case stray
        /// It is about a connection.
        case session
        /// Its stamp lies more than a day ahead; it waits for the lines after it to agree.
        case inDoubt
    }

    public var path: String
    /// Counts the lines of the file from 1; of a journal, the entry's sequence number.
    public var number: UInt64
    /// `PATH:OFFSET`, as in an event's `postern.record`.
    public var record: String
    public var bytes: [UInt8]
    public var outcome: WalkedOutcome
    /// Event time: microseconds since 1970, UTC; nil if the line has no stamp.
    public var microseconds: Int64?
    /// What kinds of facts the line gave, in words.
    public var says: [String] = []
    public var pieces: [Piece] = []
    public var join = Join.none
    /// The recipient that the line names, if it joined a submission.
    public var recipient: [UInt8]?
    public var events: [ExplainedEvent] = []
    public var alerts: [Alert] = []
    public var notices: [Notice] = []
}

extension UnparsedReason {
    /// The reason as a sentence that tells what was looked for.
    public var sentence: String {
        switch self {
        case .noStamp:
            "it does not begin with a time stamp of a known form, and is no row of a known table"
        case .noHeader: "no host name and program name stand behind the time stamp"
        case .arrival:
            "it takes a message in, but cannot be read to its end by the server's own grammar"
        case .sender:
            "it names an envelope sender, but cannot be read by the server's own grammar"
        case .delivery:
            "it tells of a delivery, but cannot be read by the server's own grammar"
        case .row: "it has not the columns that the table's head names"
        }
    }
}

extension LineFact.Kind {
    /// What the line says, in words.
    var words: String? {
        switch self {
        case .time: nil
        case .canary: "Postern's own canary"
        case .client: "takes a message in"
        case .headerLine: "a header of the message"
        case .messageID: "the message's ID"
        case .active: "the envelope sender; the message is in the queue"
        case .delivery: "a delivery"
        case .held: "the message is held"
        case .released: "the message is held no more"
        case .removed: "the message left the queue"
        case .expired: "the message lay in the queue too long"
        case .discarded: "the message was thrown away"
        case .accepted: "takes a message in"
        case .sender: "the envelope sender"
        case .subject: "the subject"
        case .contentType: "the content type"
        case .receiptRequest: "a receipt is asked for"
        case .recipient: "a recipient"
        case .queued: "all is known that is known before delivery"
        case .session: "a connection"
        case .login: "a login"
        case .sessionEnd: "a connection ends"
        case .redirected: "a recipient goes on under another address"
        case .expanded: "a group becomes its members"
        case .clientAgain: "takes a message in, once more"
        case .refused: "the message was refused after all"
        case .requeued: "the message goes on under another queue ID"
        case .local: "a program of this machine hands a message in"
        case .sessionHeld: "what this session hands in is held"
        case .note: "a line of the message that changes nothing"
        case .proxied: "takes a message for a before-queue filter"
        case .proxyEnd: "the before-queue filter answered"
        case .cancelled: "the message is given up"
        case .part: "a part of a line that was cut"
        case .copied: "some recipients go on under another ID"
        case .messageLogin: "the login of the message"
        }
    }
}

extension LineFact.Status {
    /// What became of a delivery, in words.
    var words: String {
        switch self {
        case .none, .other: "no outcome"
        case .sent: "sent"
        case .deferred: "deferred"
        case .bounced: "bounced"
        case .expired: "expired"
        case .discarded: "discarded"
        }
    }
}
