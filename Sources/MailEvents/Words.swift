/// The program whose log it is.
@frozen
public enum Dialect: UInt8, Sendable, CaseIterable {
    case postfix
    case exim
    case sendmail
    case openSMTPD
    /// Exchange's message tracking log.
    case exchange
    /// Message trace exports of Microsoft 365.
    case microsoft365

    /// Its name in settings, options and `postern.dialect`.
    public var name: String {
        switch self {
        case .postfix: "postfix"
        case .exim: "exim"
        case .sendmail: "sendmail"
        case .openSMTPD: "opensmtpd"
        case .exchange: "exchange"
        case .microsoft365: "microsoft365"
        }
    }

    public init?(name: String) {
        guard let named = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = named
    }

    @inlinable
    public var index: Int { Int(rawValue) }

    /// Its log is a table, in which several servers may write of one message.
    @inlinable
    public var isTable: Bool { self == .exchange || self == .microsoft365 }
}

/// What became of one recipient's copy (`postern.delivery`).
public enum Delivery: UInt8, Sendable, CaseIterable {
    /// Nothing was logged yet, or nothing that says.
    case unknown
    case deferred
    case held
    case sent
    case bounced
    case expired
    /// Accepted, then thrown away by the server's own rules.
    case discarded
    /// Handed to a content filter of which nothing came back.
    case filtered

    public var name: String {
        switch self {
        case .unknown: "unknown"
        case .deferred: "deferred"
        case .held: "held"
        case .sent: "sent"
        case .bounced: "bounced"
        case .expired: "expired"
        case .discarded: "discarded"
        case .filtered: "filtered"
        }
    }

    /// Nothing later changes it.
    public var isFinal: Bool {
        switch self {
        case .sent, .bounced, .expired, .discarded: true
        case .unknown, .deferred, .held, .filtered: false
        }
    }

    /// `event.outcome` (ECS) of it.
    public var outcome: String {
        switch self {
        case .sent: "success"
        case .bounced, .expired: "failure"
        case .unknown, .deferred, .held, .discarded, .filtered: "unknown"
        }
    }
}

/// What kind of read receipt a message is (`postern.receipt`).
public enum Receipt: UInt8, Sendable, CaseIterable {
    /// Ordinary mail.
    case none
    /// The message was deleted without having been displayed.
    case notRead
    case read
    /// A receipt by its content type, with a subject of no known prefix.
    case unknown

    /// The field's value; nil for ordinary mail, whose events lack the field.
    public var name: String? {
        switch self {
        case .none: nil
        case .notRead: "not-read"
        case .read: "read"
        case .unknown: "unknown"
        }
    }
}

/// What showed that it is a receipt (`postern.receipt_evidence`).
public enum ReceiptEvidence: UInt8, Sendable, CaseIterable {
    case none
    case subject
    case contentType
    case both

    public var name: String? {
        switch self {
        case .none: nil
        case .subject: "subject"
        case .contentType: "content-type"
        case .both: "both"
        }
    }
}

/// Which of its two evaluations an event is in (architecture §2).
public enum Phase: UInt8, Sendable {
    case submitted
    case settled

    public var name: String {
        switch self {
        case .submitted: "submitted"
        case .settled: "settled"
        }
    }
}
