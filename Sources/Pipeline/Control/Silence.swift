import Findings
import MailText
import SafeText

/// Somebody does not want to hear of some alerts for some time. They are raised and kept with their
/// evidence all the same; they only go to no sink.
///
/// It is about the wall clock and not about the log's time: it decides what is sent, and nothing
/// that the engine does depends on it.
public struct Silence: Sendable, Hashable {
    /// Short enough to be typed.
    public var id: String
    /// In canonical form; `@DOMAIN` means every account of that domain. Nil: of whomever.
    public var account: String?
    /// Name or ID of a rule. Nil: of whatever rule.
    public var rule: String?
    /// Recipient domain in canonical form. Nil: to wherever.
    public var domain: String?
    /// Microseconds since 1970; it holds before `untilMicroseconds`.
    public var createdMicroseconds: Int64
    public var untilMicroseconds: Int64
    public var author: String
    public var reason: String

    /// Longest text of each kind, in bytes.
    public static let textBytesMax = 1_024

    /// - Parameters:
    ///   - account, domain: in any form; they are kept in their canonical one.
    public init(
        id: String,
        account: String?,
        rule: String?,
        domain: String?,
        createdMicroseconds: Int64,
        untilMicroseconds: Int64,
        author: String,
        reason: String
    ) {
        self.id = id
        self.account = account.map { canonicalAccount($0) }
        self.rule = rule
        self.domain = domain.map(canonicalDomain)
        self.createdMicroseconds = createdMicroseconds
        self.untilMicroseconds = untilMicroseconds
        self.author = author
        self.reason = reason
    }

    /// Whether nobody is to hear of the alert at this time.
    ///
    /// It must be about nothing else than what is silenced: an alert of two accounts goes out when
    /// one of them is silenced, and one of two domains likewise.
    ///
    /// - Parameter accountDomain: completes logins without a domain, here and in the alert.
    func covers(
        _ alert: AlertSubject,
        nowMicroseconds: Int64,
        accountDomain: String? = nil
    ) -> Bool {
        guard nowMicroseconds < untilMicroseconds else { return false }
        if let rule, rule != alert.ruleID, rule != alert.ruleName { return false }
        if let account {
            let meant = canonicalAccount(account, domain: accountDomain)
            let isCovered = alert.accounts.allSatisfy {
                Self.account(meant, means: canonicalAccount($0, domain: accountDomain))
            }
            guard isCovered, !alert.accounts.isEmpty else { return false }
        }
        if let domain {
            guard !alert.hosts.isEmpty, alert.hostsLeftOut == 0,
                alert.hosts.allSatisfy({ canonicalDomain($0) == domain })
            else { return false }
        }
        return true
    }

    /// Whether the silence of `pattern` is about the account; both canonical.
    static func account(_ pattern: String, means account: String) -> Bool {
        pattern.hasPrefix("@")
            ? account.utf8.count > pattern.utf8.count && account.hasSuffix(pattern)
            : account == pattern
    }

    // MARK: Stored form

    /// One JSON object: it is as rare as it is small.
    public func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("postern.silence", id)
        object.member("user.name", account)
        object.member("rule.name", rule)
        object.member("destination.domain", domain)
        object.member("event.created", rfc3339(microseconds: createdMicroseconds))
        object.member("event.end", rfc3339(microseconds: untilMicroseconds))
        object.member("postern.author", author)
        object.member("event.reason", reason)
        return object.finished()
    }

    /// - Returns: nil when it is not what ``json()`` writes.
    public init?(json: [UInt8]) {
        guard let object = try? JSONObjectReader.read(json),
            let id = object["postern.silence"]?.string,
            let created = object["event.created"]?.string.flatMap(parseRFC3339),
            let until = object["event.end"]?.string.flatMap(parseRFC3339),
            let author = object["postern.author"]?.string,
            let reason = object["event.reason"]?.string
        else { return nil }
        self.init(
            id: id,
            account: object["user.name"]?.string,
            rule: object["rule.name"]?.string,
            domain: object["destination.domain"]?.string,
            createdMicroseconds: created,
            untilMicroseconds: until,
            author: author,
            reason: reason
        )
    }
}

/// What an alert is about, as far as a silence asks.
struct AlertSubject: Sendable {
    var ruleID: String
    var ruleName: String
    var accounts: [String]
    var hosts: [String]
    var hostsLeftOut: Int

    init(_ alert: Alert) {
        ruleID = alert.ruleID
        ruleName = alert.ruleName
        accounts = alert.accounts
        hosts = alert.hosts
        hostsLeftOut = alert.hostsLeftOut
    }

    /// Of an alert as it is stored.
    init(_ object: JSONObject) {
        ruleID = object["rule.id"]?.string ?? ""
        ruleName = object["rule.name"]?.string ?? ""
        accounts = object["related.user"]?.strings ?? []
        hosts = object["related.hosts"]?.strings ?? []
        hostsLeftOut = Int(clamping: object["postern.related_hosts_left_out"]?.integer ?? 0)
    }
}

/// An account as accounts compare.
///
/// - Parameter domain: completes a login without one.
public func canonicalAccount(_ text: String, domain: String? = nil) -> String {
    var bytes: [UInt8] = []
    Canonical.account(Array(text.utf8).span, domain: Array((domain ?? "").utf8), into: &bytes)
    return String(decoding: bytes, as: UTF8.self)
}

/// A domain as domains compare.
public func canonicalDomain(_ text: String) -> String {
    var bytes: [UInt8] = []
    _ = Canonical.domain(Array(text.utf8).span, into: &bytes)
    return String(decoding: bytes, as: UTF8.self)
}
