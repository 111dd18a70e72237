import Detection
import Evidence
import MailLog
import MailText
import Memory
import Records
import State

/// What forgetting an account came to.
struct ForgottenAccount {
    var windows = ForgottenWindows()
    /// Pairs of the account and a domain that were remembered; nil: it was not known.
    var pairs: Int?
}

extension Engine {
    /// Forgets an account: what it wrote to and heard from, the messages that came to it, its windows.
    /// To be called between batches.
    ///
    /// - Parameter account: in canonical form.
    mutating func forget(_ account: String, _ changes: inout Changes) -> ForgottenAccount {
        let name = Array(account.utf8)
        let hash = detector.memory.hash(name.span)
        var forgotten = ForgottenAccount()
        if let known = detector.memory.forget(hash) {
            forgotten.pairs = known.wroteTo.count + known.heardFrom.count
            let unneeded = detector.memory.unremembered(among: Set(known.hashes))
            for domain in unneeded.sorted() {
                var key = BinaryWriter(reserving: 8)
                key.write(domain)
                changes.removePiece(.domainName, key: key.bytes.span)
            }
            detector.memory.names?.forgetRecent()
        }
        forgotten.windows = detector.forget(name)
        baits.forget(mailbox: hash)
        for serial in detector.takeReleased() { keeper.release(serial) }
        return forgotten
    }

    /// Joins what another host remembers with what is known here. To be called between batches.
    mutating func remember(_ records: [MemoryRecord]) {
        for record in records { detector.memory.merge(record) }
    }

    /// Other prefixes of receipts, from the next event on.
    mutating func replaceReceipts(_ receipts: ReceiptTable) {
        let wantsPayload = reader.wantsPayload
        reader = HeaderReader(
            receipts: receipts,
            accountDomain: Array((settings.accountDomain ?? "").utf8),
            seed: seed
        )
        reader.wantsPayload = wantsPayload
    }
}
