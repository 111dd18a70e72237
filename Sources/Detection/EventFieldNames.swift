/// The fields of a SendEvent that rules can name (architecture §9, rules.md).
///
/// Their positions in the field table are those of this list.
enum EventField: Int, CaseIterable {
    case timestamp, userName, sourceIP, sourceDomain, localID, messageID, sender, recipient
    case domain, subject, outcome, delivery, host, dialect, ambiguous, phase, receipt
    case receiptEvidence, payload, domainUnseen, domainHeardDays, domainInternal
    case accountAgeDays, memoryDays, bait, baitEvidence, baitAgeSeconds, baitSender, baitThirdParty
    case domainAccounts, domainUnseenByServer, unseenDomainsHour, unseenDomainsDay, receiptsDay
    case returnsDay, unseenSurprise, receiptSurprise

    var name: String {
        switch self {
        case .timestamp: "@timestamp"
        case .userName: "user.name"
        case .sourceIP: "source.ip"
        case .sourceDomain: "source.domain"
        case .localID: "email.local_id"
        case .messageID: "email.message_id"
        case .sender: "email.sender.address"
        case .recipient: "email.to.address"
        case .domain: "destination.domain"
        case .subject: "email.subject"
        case .outcome: "event.outcome"
        case .delivery: "postern.delivery"
        case .host: "host.name"
        case .dialect: "postern.dialect"
        case .ambiguous: "postern.ambiguous"
        case .phase: "postern.phase"
        case .receipt: "postern.receipt"
        case .receiptEvidence: "postern.receipt_evidence"
        case .payload: "postern.payload"
        case .domainUnseen: "postern.domain_unseen"
        case .domainHeardDays: "postern.domain_heard_days"
        case .domainInternal: "postern.domain_internal"
        case .accountAgeDays: "postern.account_age_days"
        case .memoryDays: "postern.memory_days"
        case .bait: "postern.bait"
        case .baitEvidence: "postern.bait_evidence"
        case .baitAgeSeconds: "postern.bait_age_seconds"
        case .baitSender: "postern.bait_sender"
        case .baitThirdParty: "postern.bait_third_party"
        case .domainAccounts: "postern.domain_accounts"
        case .domainUnseenByServer: "postern.domain_unseen_by_server"
        case .unseenDomainsHour: "postern.unseen_domains_1h"
        case .unseenDomainsDay: "postern.unseen_domains_24h"
        case .receiptsDay: "postern.receipts_24h"
        case .returnsDay: "postern.ndr_24h"
        case .unseenSurprise: "postern.unseen_surprise"
        case .receiptSurprise: "postern.receipt_surprise"
        }
    }

    /// Whether it is known of each event when it is submitted, without asking the memory for more
    /// than ordinary mail needs.
    var isAlwaysKnown: Bool {
        switch self {
        case .timestamp, .userName, .sourceIP, .sourceDomain, .localID, .messageID, .sender,
            .recipient, .domain, .subject, .host, .dialect, .ambiguous, .phase, .receipt,
            .receiptEvidence, .payload, .domainUnseen, .bait, .baitEvidence, .baitAgeSeconds,
            .baitSender, .baitThirdParty:
            true
        case .outcome, .delivery, .domainHeardDays, .domainInternal, .accountAgeDays,
            .memoryDays, .domainAccounts, .domainUnseenByServer, .unseenDomainsHour,
            .unseenDomainsDay, .receiptsDay, .returnsDay, .unseenSurprise, .receiptSurprise:
            false
        }
    }

    static let table = FieldTable(allCases.map(\.name))

    var index: FieldIndex { FieldIndex(position: rawValue) }
}

/// Names of all fields that an event can have, for warnings about others.
public let eventFieldNames: [String] = EventField.allCases.map(\.name)
