import Records

/// A domain that an account wrote to or heard from.
public struct KnownDomain: Sendable, Hashable {
    public var hash: UInt64
    /// Day of the last time, counted from 1970 in the log's zone; 0 for never, as when only receipts
    /// went there.
    public var lastDay: UInt16
    /// Of one written to: the day of the last receipt, 0 for none, 1 where the day is not known. Of one
    /// heard from: on how many days.
    public var note: UInt16

    public init(hash: UInt64, lastDay: UInt16, note: UInt16) {
        self.hash = hash
        self.lastDay = lastDay
        self.note = note
    }

    init(_ pair: Pair) { self.init(hash: pair.hash, lastDay: pair.lastDay, note: pair.note) }
    var pair: Pair { Pair(hash: hash, lastDay: lastDay, note: note) }
}

/// What is remembered of one account.
public struct KnownAccount: Sendable, Hashable {
    /// In canonical form.
    public var name: [UInt8]
    /// Day of the first submission; 0 before it.
    public var firstDay: UInt16
    /// It forgot domains for lack of room.
    public var isForgetful: Bool
    /// In the order of their hashes.
    public var wroteTo: [KnownDomain]
    public var heardFrom: [KnownDomain]
    /// How many unseen domains in an hour are ordinary for it; nil before anything was learnt.
    public var unseenBaseline: KnownBaseline?
    /// The same of not-read receipts in a day.
    public var receiptBaseline: KnownBaseline?

    public init(
        name: [UInt8],
        firstDay: UInt16,
        isForgetful: Bool,
        wroteTo: [KnownDomain],
        heardFrom: [KnownDomain],
        unseenBaseline: KnownBaseline? = nil,
        receiptBaseline: KnownBaseline? = nil
    ) {
        self.name = name
        self.firstDay = firstDay
        self.isForgetful = isForgetful
        self.wroteTo = wroteTo
        self.heardFrom = heardFrom
        self.unseenBaseline = unseenBaseline
        self.receiptBaseline = receiptBaseline
    }

    /// All hashes of domains, some twice.
    public var hashes: [UInt64] { wroteTo.map(\.hash) + heardFrom.map(\.hash) }
}

/// Whether a domain is hosted here, as far as deliveries have shown.
public struct KnownHost: Sendable, Hashable {
    public var hash: UInt64
    public var localDeliveries: UInt8
    /// A copy went to another server: it is not hosted here.
    public var isRemote: Bool

    public init(hash: UInt64, localDeliveries: UInt8, isRemote: Bool) {
        self.hash = hash
        self.localDeliveries = localDeliveries
        self.isRemote = isRemote
    }
}

extension AccountMemory {
    /// What is remembered of an account, by its identity.
    public func known(_ hash: UInt64) -> KnownAccount? {
        guard let number = numbers[hash], !accounts[Int(number)].name.isEmpty else { return nil }
        return known(accounts[Int(number)])
    }

    private func known(_ account: Account) -> KnownAccount {
        KnownAccount(
            name: account.name,
            firstDay: account.firstDay,
            isForgetful: account.isForgetful,
            wroteTo: account.wroteTo.pairs.map(KnownDomain.init),
            heardFrom: account.heardFrom.pairs.map(KnownDomain.init),
            unseenBaseline: unseenBaseline(of: account),
            receiptBaseline: receiptBaseline(of: account)
        )
    }

    /// All accounts, in the order in which they were met.
    public func forEachAccount<Failure: Error>(
        _ body: (KnownAccount) throws(Failure) -> Void
    ) throws(Failure) {
        for account in accounts where !account.name.isEmpty { try body(known(account)) }
    }

    /// All domains of which deliveries told where they are hosted.
    public var knownHosts: [KnownHost] {
        domains.map {
            KnownHost(
                hash: $0.nameHash,
                localDeliveries: $0.localDeliveries,
                isRemote: $0.isRemote
            )
        }
    }

    // MARK: Merging

    /// Joins what another host remembers of an account with what is known here. It is the same
    /// whichever came first, and again is once.
    ///
    /// - Parameter other: its hashes are by this memory's seed.
    public mutating func merge(_ other: KnownAccount) {
        let number = account(hash(other.name.span), name: other.name.span)
        let index = Int(number.rawValue)
        if other.firstDay > 0 {
            let first = accounts[index].firstDay
            accounts[index].firstDay = first == 0 ? other.firstDay : min(first, other.firstDay)
        }
        discount(index)
        let isFull = accounts[index].wroteTo.merge(
            other.wroteTo.map(\.pair),
            limit: limits.domainsPerAccountMax
        )
        _ = accounts[index].heardFrom.merge(
            other.heardFrom.map(\.pair),
            limit: limits.heardPerAccountMax
        )
        count(index)
        if isFull || other.isForgetful { accounts[index].isForgetful = true }
        change(number)
        mergeBaselines(of: number, unseen: other.unseenBaseline, receipts: other.receiptBaseline)
    }

    /// The same of where a domain is hosted.
    public mutating func merge(_ other: KnownHost) {
        let known = knownHost(other.hash)
        put(
            Domain(
                nameHash: other.hash,
                localDeliveries: max(other.localDeliveries, known?.localDeliveries ?? 0),
                isRemote: other.isRemote || known?.isRemote ?? false
            )
        )
    }

    private func knownHost(_ hash: UInt64) -> Domain? {
        domainNumbers[hash].map { domains[Int($0)] }
    }

    /// The same of the day on which the log was first seen.
    public mutating func merge(firstDay other: UInt16) {
        guard other > 0, firstDay == 0 || other < firstDay else { return }
        firstDay = other
        isFirstDayChanged = true
    }

    // MARK: Forgetting

    /// Forgets an account.
    ///
    /// - Returns: what was known of it; nil for nothing.
    public mutating func forget(_ hash: UInt64) -> KnownAccount? {
        guard let known = known(hash), let number = numbers[hash] else { return nil }
        // The number stays its own: others hold it.
        let index = Int(number)
        discount(index)
        forgetActivity(index)
        let (unseen, receipts) = (accounts[index].unseenLog, accounts[index].receiptLog)
        accounts[index] = Account(nameHash: hash, name: [])
        accounts[index].unseenLog = unseen
        accounts[index].receiptLog = receipts
        var key = BinaryWriter(reserving: 8)
        key.write(hash)
        forgottenKeys.append(key.bytes)
        return known
    }

    /// The keys of the pieces of accounts that were forgotten since the last call: they are to be
    /// removed before the changes are written.
    public mutating func takeForgotten() -> [[UInt8]] {
        defer { forgottenKeys = [] }
        return forgottenKeys
    }

    /// Those of some domains that nobody remembers: their names need not be kept.
    public func unremembered(among hashes: Set<UInt64>) -> Set<UInt64> {
        var rest = hashes
        for account in accounts {
            for pair in account.wroteTo.pairs { rest.remove(pair.hash) }
            for pair in account.heardFrom.pairs { rest.remove(pair.hash) }
            if rest.isEmpty { break }
        }
        return rest
    }
}
