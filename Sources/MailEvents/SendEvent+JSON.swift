import SafeText

extension SendEvent {
    /// The event as one flat JSON object (architecture §9), without a newline.
    ///
    /// - Parameters:
    ///   - record: `postern.record`, the readable form of ``record``.
    ///   - timestamp: which stamp `@timestamp` shows. `postern events` prints the submission's,
    ///     rules see the one of the phase.
    public func json(record: String, timestamp: Int64) -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("@timestamp", rfc3339(microseconds: timestamp))
        object.member("user.name", string(user))
        object.member("source.ip", string(sourceIP))
        object.member("source.domain", string(sourceDomain))
        object.member("email.local_id", string(queueID))
        object.member("email.message_id", string(messageID))
        object.member("email.sender.address", string(sender))
        object.member("email.to.address", string(recipient))
        object.member("destination.domain", string(domain))
        object.member("email.subject", string(subject))
        object.member("event.outcome", delivery.outcome)
        object.member("postern.delivery", delivery.name)
        object.member("host.name", string(host))
        object.member("postern.dialect", dialect.name)
        object.member("postern.record", record)
        object.member("postern.ambiguous", isAmbiguous)
        object.member("postern.phase", phase.name)
        object.member("postern.receipt", receipt.name)
        object.member("postern.receipt_evidence", receiptEvidence.name)
        object.member("postern.payload", string(payload))
        object.member("postern.domain_unseen", facts.isDomainUnseen)
        object.member("postern.domain_heard_days", facts.domainHeardDays)
        object.member("postern.domain_accounts", facts.domainAccounts)
        object.member("postern.domain_unseen_by_server", facts.isDomainUnseenByServer)
        object.member("postern.domain_internal", facts.isDomainInternal)
        if let bait {
            object.member("postern.bait", String(decoding: bait.queueID, as: UTF8.self))
            object.member("postern.bait_evidence", bait.evidence.name)
            object.member("postern.bait_age_seconds", bait.ageSeconds(at: submittedMicroseconds))
            object.member("postern.bait_sender", String(decoding: bait.sender, as: UTF8.self))
            object.member("postern.bait_third_party", bait.isThirdParty)
        }
        object.member("postern.account_age_days", facts.accountAgeDays)
        object.member("postern.memory_days", facts.memoryDays)
        object.member("postern.unseen_domains_1h", facts.unseenDomainsHour)
        object.member("postern.unseen_domains_24h", facts.unseenDomainsDay)
        object.member("postern.receipts_24h", facts.receiptsDay)
        object.member("postern.ndr_24h", facts.returnsDay)
        object.member("postern.unseen_surprise", tenths: Int(facts.unseenSurpriseTenths))
        object.member("postern.receipt_surprise", tenths: Int(facts.receiptSurpriseTenths))
        return object.finished()
    }
}
