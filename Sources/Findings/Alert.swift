import SafeText

/// What changed in an alert (`event.action`).
public enum AlertAction: UInt8, Sendable, CaseIterable {
    case opened
    case updated
    case reopened
    case resolved

    public var name: String {
        switch self {
        case .opened: "opened"
        case .updated: "updated"
        case .reopened: "reopened"
        case .resolved: "resolved"
        }
    }
}

/// How the events of an alert ended so far, for `postern.outcomes`.
public struct OutcomeCounts: Sendable, Hashable {
    public var sent = 0
    public var deferred = 0
    public var bounced = 0
    public var pending = 0

    public init() {}
}

/// What a bundle adds to an alert once it is sealed.
public struct SealedEvidence: Sendable, Hashable {
    /// The bundle's file name.
    public var bundle: String
    /// SHA-256 of the bundle's manifest, in hexadecimal.
    public var digest: String
    /// The digest of the link before it in the chain; nil when there is none.
    public var chain: String?
    /// Fingerprint of the key that signed it; nil when nobody did.
    public var key: String?

    public init(bundle: String, digest: String, chain: String?, key: String? = nil) {
        self.bundle = bundle
        self.digest = digest
        self.chain = chain
        self.key = key
    }
}

/// One transition of an alert: what is shown, sent and kept (architecture §9).
public struct Alert: Sendable, Hashable {
    public var id: AlertID
    /// 0, 1, 2, … of this alert.
    public var sequence: Int
    public var action: AlertAction
    /// Event time of the transition: microseconds since 1970, UTC.
    public var microseconds: Int64
    /// Event time of the earliest and the latest event of the episode.
    public var startMicroseconds: Int64
    public var endMicroseconds: Int64
    public var severity: Severity
    public var ruleID: String
    /// The Sigma name; the title where the rule has no name.
    public var ruleName: String
    public var ruleDescription: String
    /// The account, when the group is one.
    public var account: String?
    /// All accounts, in the order of their first event.
    public var accounts: [String]
    /// All recipient domains in the order of their first event, at most ``hostsMax``.
    public var hosts: [String]
    /// Recipient domains beyond ``hostsMax``.
    public var hostsLeftOut: Int
    /// One English sentence for a tired person.
    public var message: String
    public var diagnosis: String
    public var diagnosisFacts: [String]
    /// The group-by values in canonical form.
    public var group: [String]
    public var count: Int
    public var threshold: Int
    public var outcomes: OutcomeCounts
    /// How many different addresses the events went to.
    public var recipientCount = 0
    /// The blocklists because of which servers refused some of the events, as their replies named
    /// them: the text of strangers, but no more than host names.
    public var blocklists: [String] = []
    /// Other open alerts of the same accounts: of a campaign, those of its accounts, and the other way
    /// round.
    public var related: [AlertID] = []
    /// What an operator may paste into a shell of the mail server.
    public var commands: [String] = []
    public var remediation: String?
    /// Why the alert may be incomplete.
    public var degraded: [String]
    /// Lines of its messages that are not in its bundle, for want of room.
    public var linesLeftOut = 0
    /// Why it was resolved, when that was not quiet.
    public var reason: String?
    public var evidence: SealedEvidence?

    /// How many recipient domains an alert names.
    public static let hostsMax = 100

    public init(
        id: AlertID,
        sequence: Int,
        action: AlertAction,
        microseconds: Int64,
        severity: Severity,
        ruleID: String,
        ruleName: String
    ) {
        self.id = id
        self.sequence = sequence
        self.action = action
        self.microseconds = microseconds
        startMicroseconds = microseconds
        endMicroseconds = microseconds
        self.severity = severity
        self.ruleID = ruleID
        self.ruleName = ruleName
        ruleDescription = ""
        accounts = []
        hosts = []
        hostsLeftOut = 0
        message = ""
        diagnosis = "unclear"
        diagnosisFacts = []
        group = []
        count = 0
        threshold = 0
        outcomes = OutcomeCounts()
        degraded = []
    }

    /// `ALERTID.SEQUENCE`: the name of its bundle without the suffix.
    public var bundleStem: String { "\(id).\(sequence)" }

    /// The alert as one flat JSON object without a newline.
    ///
    /// - Parameter withEvidence: false leaves the `postern.evidence_*` fields out, as in the
    ///   `alert.json` of the bundle that they describe.
    public func json(withEvidence: Bool = true) -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("@timestamp", rfc3339(microseconds: microseconds))
        object.member("event.kind", "alert")
        object.member("event.action", action.name)
        object.member("event.id", id.description)
        object.member("event.sequence", sequence)
        object.member("event.start", rfc3339(microseconds: startMicroseconds))
        object.member("event.end", rfc3339(microseconds: endMicroseconds))
        object.member("event.severity", severity.rawValue)
        object.member("rule.id", ruleID)
        object.member("rule.name", ruleName)
        object.member("rule.description", ruleDescription)
        object.member("user.name", account)
        object.member("related.user", accounts)
        object.member("related.hosts", hosts)
        if hostsLeftOut > 0 { object.member("postern.related_hosts_left_out", hostsLeftOut) }
        object.member("message", message)
        object.member("postern.diagnosis", diagnosis)
        object.member("postern.diagnosis_facts", diagnosisFacts)
        object.member("postern.group", group)
        object.member("postern.count", count)
        object.member("postern.threshold", threshold)
        object.member(
            "postern.outcomes",
            counts: [
                ("sent", outcomes.sent), ("deferred", outcomes.deferred),
                ("bounced", outcomes.bounced), ("pending", outcomes.pending),
            ]
        )
        object.member("postern.recipients", recipientCount)
        if !blocklists.isEmpty { object.member("postern.blocklists", blocklists) }
        object.member("postern.remediation", remediation)
        if !commands.isEmpty { object.member("postern.commands", commands) }
        if !related.isEmpty {
            object.member("postern.related_alerts", related.map(\.description))
        }
        if !degraded.isEmpty { object.member("postern.degraded", degraded) }
        if linesLeftOut > 0 { object.member("postern.lines_left_out", linesLeftOut) }
        object.member("postern.reason", reason)
        if withEvidence, let evidence {
            object.member("postern.evidence", evidence.bundle)
            object.member("postern.evidence_sha256", evidence.digest)
            object.member("postern.evidence_chain", evidence.chain)
            object.member("postern.evidence_key", evidence.key)
        }
        return object.finished()
    }
}

/// Something about Postern itself that somebody should know (architecture §9).
public struct Notice: Sendable, Hashable {
    /// `postern_limit`, `postern_state`, …
    public var name: String
    /// Names the occurrence, so that a receiver can drop repeats.
    public var id: String
    /// Event time: microseconds since 1970, UTC.
    public var microseconds: Int64
    public var severity: Severity
    public var message: String

    public init(
        name: String,
        id: String,
        microseconds: Int64,
        severity: Severity,
        message: String
    ) {
        self.name = name
        self.id = id
        self.microseconds = microseconds
        self.severity = severity
        self.message = message
    }

    /// The notice as one flat JSON object without a newline.
    public func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("@timestamp", rfc3339(microseconds: microseconds))
        object.member("event.kind", "event")
        object.member("event.action", "notice")
        object.member("event.id", id)
        object.member("event.severity", severity.rawValue)
        object.member("rule.name", name)
        object.member("message", message)
        return object.finished()
    }
}
