public import Detection
import Findings
import MailEvents
import SafeText

/// What was known before the events of a bundle, as its `state.json` states it: for each event the
/// facts that were derived for it, and the alert that was resolved before, if it was reopened.
public struct StatedFacts: Sendable {
    private struct Key: Hashable {
        var queueID: String
        var recipient: String
        var microseconds: Int64
    }

    private var facts: [Key: DerivedFacts] = [:]
    private var baits: [Key: Bait] = [:]
    private var order: [Key] = []
    public var prior: PriorEpisode?
    public var firstYear: Int?

    init(events: [SendEvent], prior: PriorEpisode?, firstYear: Int?) {
        self.prior = prior
        self.firstYear = firstYear
        for event in events {
            let key = Self.key(event)
            guard facts[key] == nil else { continue }
            facts[key] = event.facts
            baits[key] = event.bait
            order.append(key)
        }
    }

    /// The facts stated for an event; nil for one that the bundle does not speak of.
    subscript(event: SendEvent) -> DerivedFacts? { facts[Self.key(event)] }

    /// The bait stated for an event.
    func bait(of event: SendEvent) -> Bait? { baits[Self.key(event)] }

    private static func key(_ event: SendEvent) -> Key {
        Key(
            queueID: event.string(event.queueID) ?? "",
            recipient: event.string(event.recipient) ?? "",
            microseconds: event.submittedMicroseconds
        )
    }

    /// `state.json`: one JSON object with an `events` array of flat objects.
    func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("version", 1)
        object.member("year", firstYear)
        if let prior {
            object.member("prior.event.id", prior.id.description)
            object.member("prior.event.sequence", prior.sequence)
            object.member("prior.resolved_microseconds", prior.resolvedMicroseconds)
        }
        var list: [UInt8] = [UInt8(ascii: "[")]
        for (index, key) in order.enumerated() {
            if index > 0 { list.append(UInt8(ascii: ",")) }
            guard let known = facts[key] else { continue }
            var entry = JSONObjectWriter()
            entry.member("email.local_id", key.queueID)
            entry.member("email.to.address", key.recipient)
            entry.member("submitted_microseconds", key.microseconds)
            entry.member("postern.domain_unseen", known.isDomainUnseen)
            entry.member("postern.domain_heard_days", known.domainHeardDays)
            entry.member("postern.domain_internal", known.isDomainInternal)
            entry.member("postern.account_age_days", known.accountAgeDays)
            entry.member("postern.memory_days", known.memoryDays)
            entry.member("postern.domain_accounts", known.domainAccounts)
            entry.member("postern.unseen_domains_1h", known.unseenDomainsHour)
            entry.member("postern.unseen_domains_24h", known.unseenDomainsDay)
            entry.member("postern.receipts_24h", known.receiptsDay)
            entry.member("postern.ndr_24h", known.returnsDay)
            entry.member("unseen_surprise_tenths", known.unseenSurpriseTenths)
            entry.member("receipt_surprise_tenths", known.receiptSurpriseTenths)
            if let bait = baits[key] {
                entry.member("postern.bait", bytes: bait.queueID)
                entry.member("postern.bait_sender", bytes: bait.sender)
                entry.member("postern.bait_evidence", bait.evidence.name)
                entry.member("bait_microseconds", bait.microseconds)
                entry.member("postern.bait_third_party", bait.isThirdParty)
            }
            list.append(contentsOf: entry.finished())
        }
        list.append(UInt8(ascii: "]"))
        object.member("events", json: list)
        return object.finished() + [UInt8(ascii: "\n")]
    }

    /// Times that a log can tell: up to the end of the year 9999, in microseconds since 1970.
    private static let times: ClosedRange<Int64> = 0...253_402_300_799_999_999
    private static let sequences: ClosedRange<Int64> = 0...(1 << 40)

    /// Reads what ``json()`` wrote, as a stranger may have written it; nil if it is something else, or
    /// says what no log does.
    init?(json bytes: [UInt8]) {
        guard let root = try? JSONObjectReader.read(bytes), root["version"]?.integer == 1,
            case .array(let events)? = root["events"]
        else { return nil }
        if let year = root["year"]?.integer {
            guard (1970...9999).contains(year) else { return nil }
            firstYear = Int(year)
        }
        if let text = root["prior.event.id"]?.string {
            guard let id = AlertID(text), let sequence = root["prior.event.sequence"]?.integer,
                let resolved = root["prior.resolved_microseconds"]?.integer,
                Self.sequences.contains(sequence), Self.times.contains(resolved)
            else { return nil }
            prior = PriorEpisode(
                id: id,
                sequence: Int(clamping: sequence),
                resolvedMicroseconds: resolved
            )
        }
        for event in events {
            guard let entry = event.object, let queueID = entry["email.local_id"]?.string,
                let recipient = entry["email.to.address"]?.string,
                let microseconds = entry["submitted_microseconds"]?.integer,
                Self.times.contains(microseconds)
            else { return nil }
            var known = DerivedFacts()
            known.isDomainUnseen = entry["postern.domain_unseen"] != .boolean(false)
            known.domainHeardDays = entry["postern.domain_heard_days"]?.integer.map {
                UInt8(clamping: $0)
            }
            known.isDomainInternal = entry["postern.domain_internal"] == .boolean(true)
            known.accountAgeDays = UInt32(
                clamping: entry["postern.account_age_days"]?.integer ?? 0
            )
            known.memoryDays = UInt32(clamping: entry["postern.memory_days"]?.integer ?? 0)
            // Bundles of versions before these fields have none of them.
            known.domainAccounts = UInt32(
                clamping: entry["postern.domain_accounts"]?.integer ?? 0
            )
            func count(_ name: String) -> UInt16 { UInt16(clamping: entry[name]?.integer ?? 0) }
            known.unseenDomainsHour = count("postern.unseen_domains_1h")
            known.unseenDomainsDay = count("postern.unseen_domains_24h")
            known.receiptsDay = count("postern.receipts_24h")
            known.returnsDay = count("postern.ndr_24h")
            known.unseenSurpriseTenths = count("unseen_surprise_tenths")
            known.receiptSurpriseTenths = count("receipt_surprise_tenths")
            let key = Key(queueID: queueID, recipient: recipient, microseconds: microseconds)
            if let bait = entry["postern.bait"]?.string,
                let evidence = (entry["postern.bait_evidence"]?.string).flatMap(
                    BaitEvidence.init(name:)
                )
            {
                let isThirdParty = entry["postern.bait_third_party"]
                let microseconds = entry["bait_microseconds"]?.integer ?? 0
                guard Self.times.contains(microseconds) else { return nil }
                baits[key] = Bait(
                    queueID: Array(bait.utf8),
                    sender: Array((entry["postern.bait_sender"]?.string ?? "").utf8),
                    evidence: evidence,
                    microseconds: microseconds,
                    isThirdParty: isThirdParty.map { $0 == .boolean(true) }
                )
            }
            facts[key] = known
            order.append(key)
        }
    }
}
