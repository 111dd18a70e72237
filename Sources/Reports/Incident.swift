public import Alerting
public import Evidence
public import SafeText

/// A message of an alert's account to one recipient, as `events.jsonl` of a bundle tells it.
public struct ReportedEvent: Sendable, Hashable {
    public enum Outcome: Int, Sendable, Hashable, CaseIterable {
        case sent, deferred, bounced, unknown

        /// For people.
        public var name: String {
            switch self {
            case .sent: "sent"
            case .deferred: "deferred"
            case .bounced: "bounced"
            case .unknown: "not known"
            }
        }
    }

    /// Event time of the submission: microseconds since 1970, UTC.
    public var microseconds: Int64
    public var account: String
    public var recipient: String
    public var domain: String
    public var subject: String?
    public var queueID: String
    public var messageID: String?
    public var client: String?
    public var sender: String?
    public var outcome: Outcome
    /// `postern.receipt`: `not-read`, `read`, `unknown` or `none`.
    public var receipt: String
    /// Who sent the message that a receipt answers.
    public var baitSender: String?

    /// Reads an object of `events.jsonl`; nil when it has no time.
    public init?(_ object: JSONObject) {
        guard let time = object["@timestamp"]?.string.flatMap({ parseRFC3339($0) }) else {
            return nil
        }
        microseconds = time
        account = object["user.name"]?.string ?? ""
        recipient = object["email.to.address"]?.string ?? ""
        domain = object["destination.domain"]?.string ?? ""
        subject = object["email.subject"]?.string
        queueID = object["email.local_id"]?.string ?? ""
        messageID = object["email.message_id"]?.string
        client = object["source.ip"]?.string
        sender = object["email.sender.address"]?.string
        receipt = object["postern.receipt"]?.string ?? "none"
        baitSender = object["postern.bait_sender"]?.string
        switch object["postern.delivery"]?.string {
        case "sent": outcome = .sent
        case "deferred": outcome = .deferred
        case "bounced", "expired": outcome = .bounced
        default: outcome = .unknown
        }
    }
}

/// An alert with its proof, as a report tells of it.
public struct Incident: Sendable {
    /// A change of the alert.
    public struct Step: Sendable, Hashable {
        public var action: String
        public var microseconds: Int64
        public var count: Int?
        /// The name of its bundle.
        public var bundle: String?

        public init(action: String, microseconds: Int64, count: Int?, bundle: String?) {
            self.action = action
            self.microseconds = microseconds
            self.count = count
            self.bundle = bundle
        }
    }

    /// What a bundle says of itself.
    public struct Seal: Sendable, Hashable {
        public var bundle: String
        public var manifestDigest: String
        public var previous: String?
        public var key: String?
        public var host: String
        public var posternVersion: String
    }

    /// A letter to the user, to be forwarded.
    public struct Letter: Sendable, Hashable {
        /// As in BCP 47: `en`, `de`.
        public var language: String
        public var text: String

        public init(language: String, text: String) {
            self.language = language
            self.text = text
        }
    }

    public var facts: AlertFacts
    public var steps: [Step]
    /// In the order of their times.
    public var events: [ReportedEvent]
    public var lines: [EvidenceLine]
    public var seals: [Seal]
    public var letters: [Letter] = []
    public var ruleDescription: String?
    /// Names were exchanged for pseudonyms, and raw lines left out.
    public internal(set) var hasPseudonyms = false

    /// - Parameters:
    ///   - facts: of the alert as it stands.
    ///   - steps: what happened to it; empty: what the bundles tell.
    ///   - bundles: of the alert, each checked; events and lines are those of all of them.
    ///   - later: events that no bundle has yet, one JSON object a line.
    public init(
        _ facts: AlertFacts,
        steps: [Step],
        bundles: [EvidenceBundle],
        later: [UInt8] = []
    ) {
        self.facts = facts
        self.steps = steps
        var known: [[String]: ReportedEvent] = [:]
        var order: [[String]] = []
        var lines: [UInt64: EvidenceLine] = [:]
        let bundles = bundles.sorted { $0.name < $1.name }
        func add(_ bytes: [UInt8]) {
            for object in Self.objects(bytes) {
                guard let event = ReportedEvent(object) else { continue }
                let key = [event.queueID, event.recipient, "\(event.microseconds)"]
                if known[key] == nil { order.append(key) }
                // What is later says of the outcome what is newer.
                known[key] = event
            }
        }
        for bundle in bundles {
            add(bundle[.events] ?? [])
            for line in (try? bundle.lines()) ?? [] { lines[line.sequence] = line }
            guard let alert = Self.object(bundle[.alert]) else { continue }
            ruleDescription = alert["rule.description"]?.string ?? ruleDescription
            if steps.isEmpty {
                self.steps.append(
                    Step(
                        action: alert["event.action"]?.string ?? "",
                        microseconds: alert["@timestamp"]?.string.flatMap { parseRFC3339($0) } ?? 0,
                        count: alert["postern.count"]?.integer.map { Int($0) },
                        bundle: bundle.name.description
                    )
                )
            }
        }
        add(later)
        events = order.compactMap { known[$0] }.sorted { $0.microseconds < $1.microseconds }
        self.lines = lines.values.sorted { $0.sequence < $1.sequence }
        seals = bundles.map { bundle in
            Seal(
                bundle: bundle.name.description,
                manifestDigest: bundle.manifestDigest,
                previous: bundle.manifest.previous,
                key: bundle.manifest.key?.fingerprint,
                host: bundle.manifest.host,
                posternVersion: bundle.manifest.posternVersion
            )
        }
    }

    private static func object(_ bytes: [UInt8]?) -> JSONObject? {
        bytes.flatMap { try? JSONObjectReader.read($0) }
    }

    static func objects(_ lines: [UInt8]) -> [JSONObject] {
        lines.split(separator: UInt8(ascii: "\n")).compactMap { object(Array($0)) }
    }

    /// The accounts of the events in the order of their first; those of the alert when there is none.
    public var accounts: [String] {
        var seen: Set<String> = []
        let found = events.map(\.account).filter { seen.insert($0).inserted }
        return found.isEmpty ? facts.accounts : found
    }

    /// What was sent to each domain by each account.
    struct DomainRow {
        var domain: String
        /// By the index of the account; the last holds all beyond ``Incident/columnsMax``.
        var counts: [Int]
        var outcomes: [ReportedEvent.Outcome: Int]
        var first: Int64
        var total: Int { counts.reduce(0, +) }
    }

    /// By total, the largest first, then by first contact.
    func domainRows() -> [DomainRow] {
        let accounts = accounts
        // More accounts than are shown are one column.
        let columns = min(accounts.count, Self.columnsMax + 1)
        var columnOf: [String: Int] = [:]
        for (index, account) in accounts.enumerated() {
            columnOf[account] = min(index, columns - 1)
        }
        var rows: [String: DomainRow] = [:]
        for event in events {
            guard let column = columnOf[event.account] else { continue }
            var row =
                rows.removeValue(forKey: event.domain)
                ?? DomainRow(
                    domain: event.domain,
                    counts: [Int](repeating: 0, count: columns),
                    outcomes: [:],
                    first: event.microseconds
                )
            row.counts[column] += 1
            row.outcomes[event.outcome, default: 0] += 1
            rows[event.domain] = row
        }
        return rows.values.sorted {
            ($1.total, $0.first, $0.domain) < ($0.total, $1.first, $1.domain)
        }
    }

    var outcomes: [(outcome: ReportedEvent.Outcome, count: Int)] {
        ReportedEvent.Outcome.allCases.map { outcome in
            (outcome, events.count { $0.outcome == outcome })
        }
    }
}
