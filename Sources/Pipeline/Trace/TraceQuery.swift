import MailLog
import MailText

/// Which messages are asked for: those that meet every condition that is set.
public struct TraceQuery: Sendable, Equatable {
    /// The login, with or without the domain that completes bare ones.
    public var account: String?
    /// A recipient, before or after aliases; `@DOMAIN` for all of a domain.
    public var recipient: String?
    /// A part of the subject, without regard to case.
    public var subject: String?
    /// With or without its angle brackets.
    public var messageID: String?
    public var queueID: String?
    /// The subject must be this, and not only contain it.
    var wantsWholeSubject = false
    /// Messages that are shown: the newest.
    public var limit = 20

    public init() {}

    public var isEmpty: Bool {
        account == nil && recipient == nil && subject == nil && messageID == nil && queueID == nil
    }

    /// The conditions in words, as in `to v@mail.test with the subject "Lunch"`.
    public var words: String {
        var parts: [String] = []
        if let queueID { parts.append("with the queue ID \(queueID)") }
        if let messageID { parts.append("with the Message-ID \(messageID)") }
        if let account { parts.append("of the account \(account)") }
        if let recipient { parts.append("to \(recipient)") }
        if let subject { parts.append("with \"\(subject)\" in its subject") }
        return parts.joined(separator: " ")
    }
}

/// The conditions of a query in the forms in which they are compared.
struct TraceConditions: Sendable {
    /// One bit for each condition that is set.
    struct Met: OptionSet, Sendable {
        let rawValue: UInt8
        static let account = Met(rawValue: 1)
        static let recipient = Met(rawValue: 2)
        static let subject = Met(rawValue: 4)
        static let messageID = Met(rawValue: 8)
        static let queueID = Met(rawValue: 16)
    }

    let wanted: Met
    private let account: [UInt8]
    private let accountDomain: [UInt8]
    private let recipient: [UInt8]
    private let subject: String
    private let wantsWholeSubject: Bool
    private let messageID: [UInt8]
    private let queueID: [UInt8]
    private var scratch: [UInt8] = []

    init(_ query: TraceQuery, accountDomain: String?) {
        var wanted: Met = []
        self.accountDomain = Array((accountDomain ?? "").utf8)
        var account: [UInt8] = []
        if let login = query.account {
            wanted.insert(.account)
            Canonical.account(Array(login.utf8).span, domain: self.accountDomain, into: &account)
        }
        self.account = account
        if query.recipient != nil { wanted.insert(.recipient) }
        recipient = Array((query.recipient ?? "").utf8).map(Self.lowered)
        if query.subject != nil { wanted.insert(.subject) }
        subject = (query.subject ?? "").lowercased()
        wantsWholeSubject = query.wantsWholeSubject
        if query.messageID != nil { wanted.insert(.messageID) }
        messageID = Self.withoutBrackets(Array((query.messageID ?? "").utf8))
        if query.queueID != nil { wanted.insert(.queueID) }
        queueID = Array((query.queueID ?? "").utf8)
        self.wanted = wanted
    }

    mutating func isAccount(_ login: Span<UInt8>) -> Bool {
        Canonical.account(login, domain: accountDomain, into: &scratch)
        return scratch == account
    }

    func isRecipient(_ address: Span<UInt8>) -> Bool {
        let isDomain = recipient.first == UInt8(ascii: "@")
        guard isDomain ? address.count > recipient.count : address.count == recipient.count else {
            return false
        }
        let start = address.count - recipient.count
        return recipient.indices.allSatisfy { Self.lowered(address[start + $0]) == recipient[$0] }
    }

    func isInSubject(_ decoded: [UInt8]) -> Bool {
        let whole = String(decoding: decoded, as: UTF8.self).lowercased()
        if wantsWholeSubject { return whole == subject }
        let text = Array(whole.utf8)
        return text.span.contains(Array(subject.utf8).span)
    }

    func isMessageID(_ id: Span<UInt8>) -> Bool {
        Self.withoutBrackets(id.copied) == messageID
    }

    func isQueueID(_ id: Span<UInt8>) -> Bool {
        id.count == queueID.count && queueID.indices.allSatisfy { id[$0] == queueID[$0] }
    }

    private static func lowered(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    static func withoutBrackets(_ id: [UInt8]) -> [UInt8] {
        guard id.count >= 2, id.first == UInt8(ascii: "<"), id.last == UInt8(ascii: ">") else {
            return id
        }
        return Array(id.dropFirst().dropLast())
    }
}

extension Span<UInt8> {
    /// Whether `other` stands anywhere.
    func contains(_ other: Span<UInt8>) -> Bool {
        guard other.count <= count else { return false }
        for position in 0...(count - other.count) {
            var offset = 0
            while offset < other.count, self[position + offset] == other[offset] { offset += 1 }
            if offset == other.count { return true }
        }
        return false
    }

    /// Whether `text` stands at `position`.
    func has(_ text: StaticString, at position: Int) -> Bool {
        let length = text.utf8CodeUnitCount
        guard position >= 0, position + length <= count else { return false }
        for index in 0..<length {
            // SAFETY: `index` is below the literal's length.
            guard unsafe text.utf8Start[index] == self[position + index] else { return false }
        }
        return true
    }
}

extension Span<UInt8> {
    /// Whether a client, `HOST[IP]`, is this machine (RFC 6890: 127.0.0.0/8 and ::1).
    func isLoopback(_ client: LineFact.Piece) -> Bool {
        guard client.isPresent else { return false }
        for index in client.indices where index < count && self[index] == UInt8(ascii: "[") {
            return has("127.", at: index + 1) || has("::1]", at: index + 1)
        }
        return false
    }
}
