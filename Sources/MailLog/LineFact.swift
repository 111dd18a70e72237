public import MailEvents

/// What one line of a mail log says, found without knowing any other line. A line that says several
/// things gives several facts.
///
/// Reading is cut in two so that it can run on several threads: a scanner turns the lines of a batch
/// into facts, each on its own; one ``Assembler`` joins the facts in order. A fact holds places
/// within its line, never text, and no reference: it is 72 bytes of plain data.
@frozen
public struct LineFact: Sendable {
    /// When the line says it was written.
    public var stamp: Stamp
    /// Keyed hash of host name and queue ID; 0 for facts without one.
    public var key: UInt64
    /// Keyed hash of the instance (the tag up to its first `/`), and of the whole tag's service.
    public var instance: UInt32
    /// Index in ``Batch/lines``.
    public var line: UInt32
    public var kind: Kind
    public var agent: Agent
    /// For deliveries: `status=`.
    public var status: Status
    /// For headers: which one.
    public var header: Header
    /// How the text of a ``Kind/subject`` is written, or the address of a ``Kind/recipient`` or
    /// ``Kind/delivery``.
    public var form: TextForm
    public var dialect: Dialect
    /// The line allows several readings; this is the one that the rules of architecture §6 prefer.
    public var isAmbiguous: Bool
    /// For deliveries: it may come before the line that takes the message in (Exim's cutthrough), and
    /// opens the message if need be.
    public var opensMessage: Bool
    /// Where the queue ID lies in the line.
    public var queueID: Piece
    /// Where the host name lies in the line.
    public var host: Piece
    /// Pieces whose meaning depends on ``kind``, see there.
    public var a: Piece
    public var b: Piece
    public var c: Piece
    public var d: Piece
    /// Identity of the mailbox that a ``Kind/delivery`` came to (`a`, see ``NameReader``); 0 for none.
    /// Of a ``Kind/client`` the key of its session.
    public var account: UInt64
    /// Identity of the domain of `a`: the envelope sender's (``Kind/active``) or the recipient's
    /// (``Kind/delivery``); 0 for none.
    public var domain: UInt64

    /// A range of bytes within the line; empty with `start` 0 when absent.
    @frozen
    public struct Piece: Sendable, Equatable {
        public var start: UInt16
        public var count: UInt16

        @inlinable
        public init(_ start: Int, _ end: Int) {
            self.start = UInt16(truncatingIfNeeded: start)
            count = UInt16(truncatingIfNeeded: end - start)
        }

        @inlinable
        public init(_ range: Range<Int>) { self.init(range.lowerBound, range.upperBound) }

        /// The line has no such piece: no piece of a line starts at 0, where its stamp is.
        public static let absent = Piece(0, 0)

        @inlinable
        public var isPresent: Bool { start != 0 }

        @inlinable
        public var indices: Range<Int> { Int(start)..<(Int(start) + Int(count)) }
    }

    /// What the line is.
    @frozen
    public enum Kind: UInt8, Sendable {
        /// Nothing but a new time.
        case time
        /// What the daemon wrote into the log to see whether it is read: `a` its text. It is no part of
        /// any message, and moves no time.
        case canary
        /// smtpd took a message: `a` HOST[IP], `b` login, `c` `orig_queue_id`, `d` `orig_client`.
        case client
        /// cleanup logged a header: `a` the text from after the name's colon to the line's end.
        case headerLine
        /// cleanup: `a` the Message-ID with its angle brackets.
        case messageID
        /// qmgr took it into the active queue: `a` envelope sender.
        case active
        /// A delivery agent: `a` recipient, `b` `orig_to`, `c` relay, `d` the reply in parentheses.
        case delivery
        /// It is held from now on; `b` envelope sender and `c` first recipient where the line tells them
        /// without doubt.
        case held
        /// It is not held any more.
        case released
        /// The message left the queue; `agent` is ``Agent/operator`` when a person deleted it.
        case removed
        /// qmgr gave it up: it lay in the queue too long.
        case expired
        /// cleanup threw the message away, or will; `b` and `c` as above.
        case discarded

        // What other servers write on one line comes as several facts, in this order: `accepted`,
        // `sender`, `subject`, `messageID`, `recipient` for each, `queued`.

        /// A message was taken in: `a` the client's IP address, `b` login, `c` the client's verified
        /// name, `d` how many recipients it has (decimal), if no line says when it has left the
        /// queue. `account` is the key of the session that it came by; 0 for none.
        ///
        /// It opens the message, unless other lines of the same ID have already.
        case accepted
        /// With which login the message itself came: `b`; empty: without one. It opens the message if
        /// need be, and counts for more than what is known of the session.
        case messageLogin
        /// `a` envelope sender.
        case sender
        /// `a` the subject's text, all of it and no more, written as ``LineFact/form`` says.
        case subject
        /// What type the message's content is: `a` a `Content-Type` header's text, or only the
        /// `report-type`. It opens the message if need be (Exim logs it before `<=`).
        case contentType
        /// The message asks for a receipt: `a` the text of `Disposition-Notification-To`. It opens the
        /// message if need be.
        case receiptRequest
        /// `a` a recipient, as the client gave it.
        case recipient
        /// All that is known before delivery is known: the recipients so far are submitted.
        case queued
        /// A recipient got another address: `a` the new one, `b` the one before.
        case redirected
        /// A recipient `a` is a group, and its members get the copies: `d` how many (decimal).
        case expanded
        /// A connection: key of the session; `a` the client's IP address, `c` its name.
        case session
        /// A login succeeded in a session: `b` login, `a` and `c` as above or absent.
        case login
        /// A session ended.
        case sessionEnd

        // What else Postfix writes.

        /// A ``client`` line that came again (rsyslog's `message repeated`): it may be the one that is
        /// open.
        case clientAgain
        /// The message was refused after all, once its content was known: there is none.
        case refused
        /// The message goes on under another queue ID, which is this fact's: `a` the one that it had.
        case requeued
        /// pickup took a message of a program on this machine: `a` envelope sender.
        case local
        /// A line that changes nothing, but belongs to the message.
        case note
        /// smtpd took a message that it hands to a before-queue filter (`NOQUEUE: client=`): key of
        /// the session of its process; `a` HOST[IP], `b` login.
        case proxied
        /// smtpd holds the message that a session hands in, and that has no queue ID yet
        /// (`NOQUEUE: hold:`): key as above; `a` HOST[IP].
        case sessionHeld
        /// The before-queue filter answered: key as above; ``status`` says whether it took the message;
        /// `a` the queue ID that its reply ends with, `b` envelope sender.
        case proxyEnd
        // What else Exim writes.

        /// The message is given up: recipients without an outcome bounce.
        case cancelled
        /// A part of a line that was too long for syslog: key of the process; `a` the text. `domain` is
        /// which one (upper half) of how many (lower half).
        case part
        /// Some of the message's recipients go on under another ID: `a`, and its key in `account`.
        case copied
    }

    /// How a text is written in the line.
    @frozen
    public enum TextForm: UInt8, Sendable {
        /// A header's text as it was sent: encoded words (RFC 2047) or raw bytes.
        case header
        /// The same as Exim writes it between quotes: `\"`, `\\`, `\n`, `\t`, octal escapes.
        case eximQuoted
        /// Decoded text in which `""` stands for `"` (RFC 4180).
        case tableQuoted
        /// Decoded text.
        case plain
        /// A member of a list in which `''` stands for `'`; also of recipients.
        case listQuoted
        /// As Sendmail logs it, with `\\` and octal escapes; also the addresses of a sender, a recipient
        /// or a delivery.
        case sendmail
        /// A login as xtext (RFC 3461, 4): `+20` for a blank.
        case xtext
        /// A login as vis(3) writes it: `\040` for a blank.
        case visible
    }

    /// Which program wrote the line, as far as it matters.
    @frozen
    public enum Agent: UInt8, Sendable {
        case other
        case smtpd
        case cleanup
        case queueManager
        /// smtp(8): a relay elsewhere, or a filter.
        case smtp
        /// lmtp(8): a mailbox server, or a filter.
        case lmtp
        /// local(8), virtual(8), pipe(8) and transports named `dovecot`: a mailbox of this server.
        case mailbox
        /// error(8), retry, bounce(8).
        case error
        /// discard(8).
        case discard
        /// postsuper(1).
        case `operator`
        case pickup
        /// Of `accepted`: Exim's authenticator, which gave no name (spec.txt, 33.2: `server_set_id`).
        case namelessLogin
    }

    /// `status=` of a delivery line.
    @frozen
    public enum Status: UInt8, Sendable {
        case none
        case sent
        case deferred
        case bounced
        case expired
        /// The server threw the copy away.
        case discarded
        /// `deliverable` and `undeliverable` of address probes, and words not known.
        case other

        /// Whether no other outcome of this copy follows.
        var isFinal: Bool {
            switch self {
            case .sent, .bounced, .expired, .discarded: true
            case .none, .deferred, .other: false
            }
        }
    }

    /// A header that matters.
    @frozen
    public enum Header: UInt8, Sendable {
        case none
        case subject
        case contentType
        case dispositionNotificationTo
        case other
    }

    @inlinable
    init(kind: Kind, stamp: Stamp, line: Int) {
        self.kind = kind
        self.stamp = stamp
        self.line = UInt32(truncatingIfNeeded: line)
        key = 0
        instance = 0
        agent = .other
        status = .none
        header = .none
        form = .header
        dialect = .postfix
        isAmbiguous = false
        opensMessage = false
        queueID = .absent
        host = .absent
        a = .absent
        b = .absent
        c = .absent
        d = .absent
        account = 0
        domain = 0
    }
}
