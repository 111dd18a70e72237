public import MailEvents
public import Records

/// Bounds of what is remembered (architecture §6).
public struct MemoryLimits: Sendable, Equatable {
    /// Domains written to, of one account.
    public var domainsPerAccountMax = 5_000
    /// Domains heard from, of one account.
    public var heardPerAccountMax = 256
    /// A domain not written to for this many days is unseen again.
    public var daysMax = 400
    /// Local deliveries after which a domain counts as hosted here.
    public var localDeliveriesMin = 3

    public init() {}
}

/// Counts of what the memory had to forget.
public struct MemoryCounters: Sendable, Equatable {
    /// Domains that left an account's memory because it was full.
    public var domainsForgotten = 0
    /// The same for domains heard from.
    public var heardForgotten = 0

    public init() {}
}

/// Number of an account within one memory, in the order in which accounts were first met.
@frozen
public struct AccountNumber: Hashable, Sendable {
    public var rawValue: UInt32

    @inlinable
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// What each account wrote to and heard from, and which domains this server hosts.
///
/// Names are keyed hashes here; two names are taken for one with a chance of 2⁻⁶⁴ that nobody who
/// does not know the seed can raise. All times are days since 1970 in the log's zone.
public struct AccountMemory: Sendable {
    struct Account: Sendable {
        var nameHash: UInt64
        /// Day of the first submission; 0 before it.
        var firstDay: UInt16 = 0
        var isChanged = false
        /// It forgot domains for lack of room.
        var isForgetful = false
        var name: [UInt8]
        var wroteTo = PairSet()
        var heardFrom = PairSet()
    }

    struct Domain: Sendable {
        var nameHash: UInt64
        var localDeliveries: UInt8 = 0
        /// A copy went to another server: it is not hosted here.
        var isRemote = false
        var isChanged = false
    }

    public let seed: HashSeed
    public let limits: MemoryLimits
    public private(set) var counters = MemoryCounters()
    /// Day on which the log was first seen; 0 before.
    public internal(set) var firstDay: UInt16 = 0
    /// Names of domains on their way to the disk; nil where nobody takes the changes.
    public var names: DomainNames?

    var accounts: [Account] = []
    private(set) var numbers = HashIndex()
    var domains: [Domain] = []
    private(set) var domainNumbers = HashIndex()
    private var changedAccounts: [UInt32] = []
    private var changedDomains: [UInt32] = []
    var isFirstDayChanged = false
    /// The pieces of accounts that were forgotten.
    var forgottenKeys: [[UInt8]] = []

    public init(seed: HashSeed, limits: MemoryLimits = MemoryLimits()) {
        self.seed = seed
        self.limits = limits
    }

    public var accountCount: Int { accounts.count }

    /// Pairs of an account and a domain that are remembered.
    public var pairCount: Int {
        accounts.reduce(0) { $0 + $1.wroteTo.count + $1.heardFrom.count }
    }

    /// Those of them that make a domain seen or heard: receipts alone make a pair that does neither.
    public var knownPairCount: Int {
        accounts.reduce(0) { $0 + $1.wroteTo.seenCount + $1.heardFrom.count }
    }

    // MARK: Names

    /// The identity of a domain or account: its keyed hash.
    public func hash(_ name: Span<UInt8>) -> UInt64 { keyedHash(name, seed: seed) }

    /// The number of an account by its identity; nil if it was never met.
    ///
    /// It is mutating although it changes nothing: to lend so large a value, the compiler copies it.
    public mutating func number(_ hash: UInt64) -> AccountNumber? {
        numbers[hash].map(AccountNumber.init)
    }

    /// The number of an account; a new one if it was never met.
    ///
    /// - Parameters:
    ///   - hash: its identity.
    ///   - name: its canonical form, of which the hash is.
    public mutating func account(_ hash: UInt64, name: Span<UInt8>) -> AccountNumber {
        if let number = numbers[hash] {
            // One that was forgotten is met again.
            if accounts[Int(number)].name.isEmpty { accounts[Int(number)].name = name.copied }
            return AccountNumber(number)
        }
        let number = UInt32(accounts.count)
        accounts.append(Account(nameHash: hash, name: name.copied))
        numbers.insert(hash, number: number)
        return AccountNumber(number)
    }

    // MARK: Asking

    /// What was known of account and domain before a submission on `day`.
    ///
    /// It is mutating although it changes nothing: to lend so large a value, the compiler copies it.
    public mutating func facts(_ account: AccountNumber, domain: UInt64, day: Int) -> DerivedFacts {
        var facts = DerivedFacts()
        facts.isKnown = true
        let known = accounts[Int(account.rawValue)].wroteTo.pair(domain)
        if let known, known.lastDay > 0, day - Int(known.lastDay) <= limits.daysMax {
            facts.isDomainUnseen = false
        }
        let heard = accounts[Int(account.rawValue)].heardFrom.pair(domain)
        facts.domainHeardDays = UInt8(truncatingIfNeeded: min(heard?.note ?? 0, 255))
        facts.isDomainInternal = isInternal(domain)
        let first = Int(accounts[Int(account.rawValue)].firstDay)
        facts.accountAgeDays = first == 0 ? 0 : UInt32(max(0, day - first))
        facts.memoryDays = firstDay == 0 ? 0 : UInt32(max(0, day - Int(firstDay)))
        return facts
    }

    /// Whether this server hosts the domain, as far as deliveries have shown.
    public func isInternal(_ domain: UInt64) -> Bool {
        guard let number = domainNumbers[domain] else { return false }
        let known = domains[Int(number)]
        return !known.isRemote && Int(known.localDeliveries) >= limits.localDeliveriesMin
    }

    /// Whether the account had to forget domains, so that "unseen" may be a mistake.
    public func isForgetful(_ account: AccountNumber) -> Bool {
        accounts[Int(account.rawValue)].isForgetful
    }

    /// The same for an account by its canonical name.
    public func isKnownForgetful(_ name: Span<UInt8>) -> Bool {
        guard let number = numbers[hash(name)] else { return false }
        return accounts[Int(number)].isForgetful
    }

    // MARK: Learning

    /// The log reached this day.
    public mutating func sawDay(_ day: Int) {
        guard firstDay == 0 else { return }
        firstDay = UInt16(clamping: day)
        isFirstDayChanged = true
    }

    /// The account handed in a message to the domain. Receipts teach nothing but that they were.
    ///
    /// - Returns: whether it is the first time that is remembered.
    @discardableResult
    public mutating func wrote(
        _ account: AccountNumber,
        to domain: UInt64,
        day: Int,
        isReceipt: Bool
    ) -> Bool {
        let index = Int(account.rawValue)
        let today = UInt16(clamping: day)
        if accounts[index].firstDay == 0 || today < accounts[index].firstDay {
            accounts[index].firstDay = today
        }
        var isFirst = false
        let isEvicting = accounts[index].wroteTo.update(domain, limit: limits.domainsPerAccountMax)
        {
            isFirst = $0.isNew
            if isReceipt {
                $0.note |= Pair.receiptFlag
            } else {
                $0.lastDay = max($0.lastDay, today)
            }
        }
        if isEvicting {
            counters.domainsForgotten += 1
            accounts[index].isForgetful = true
        }
        change(account)
        return isFirst
    }

    /// Mail from the domain came to a mailbox of the account.
    ///
    /// - Returns: whether it is the first time that is remembered.
    @discardableResult
    public mutating func heard(_ account: AccountNumber, from domain: UInt64, day: Int) -> Bool {
        let index = Int(account.rawValue)
        let today = UInt16(clamping: day)
        var isNews = false
        var isFirst = false
        let isEvicting = accounts[index].heardFrom.update(domain, limit: limits.heardPerAccountMax)
        {
            isFirst = $0.isNew
            guard $0.note == 0 || $0.lastDay < today else { return }
            $0.lastDay = today
            $0.note = min($0.note + 1, 255)
            isNews = true
        }
        guard isNews else { return false }
        if isEvicting { counters.heardForgotten += 1 }
        change(account)
        return isFirst
    }

    /// A copy for the domain was delivered here, or to another server.
    public mutating func delivered(to domain: UInt64, isLocal: Bool) {
        if let number = domainNumbers[domain] {
            let known = domains[Int(number)]
            if isLocal {
                guard Int(known.localDeliveries) < limits.localDeliveriesMin else { return }
                domains[Int(number)].localDeliveries += 1
            } else {
                guard !known.isRemote else { return }
                domains[Int(number)].isRemote = true
            }
            guard !known.isChanged else { return }
            domains[Int(number)].isChanged = true
            changedDomains.append(number)
        } else if isLocal {
            let number = UInt32(domains.count)
            domains.append(Domain(nameHash: domain, localDeliveries: 1, isChanged: true))
            domainNumbers.insert(domain, number: number)
            changedDomains.append(number)
        }
    }

    mutating func change(_ account: AccountNumber) {
        guard !accounts[Int(account.rawValue)].isChanged else { return }
        accounts[Int(account.rawValue)].isChanged = true
        changedAccounts.append(account.rawValue)
    }

    /// Puts a domain in, or in place of what was known of it.
    mutating func put(_ domain: Domain) {
        var domain = domain
        domain.isChanged = true
        if let number = domainNumbers[domain.nameHash] {
            if !domains[Int(number)].isChanged { changedDomains.append(number) }
            domains[Int(number)] = domain
        } else {
            let number = UInt32(domains.count)
            domains.append(domain)
            domainNumbers.insert(domain.nameHash, number: number)
            changedDomains.append(number)
        }
    }

    // MARK: Stored form

    /// One piece of the memory in its stored form. Version 1.
    public struct Piece: Sendable, Equatable {
        public enum Kind: UInt8, Sendable {
            case account, domain, clock
            /// The name of a domain by its hash, which is never read back into the memory.
            case name
        }
        public var kind: Kind
        /// Names the piece among those of its kind.
        public var key: [UInt8]
        public var body: [UInt8]

        public init(kind: Kind, key: [UInt8], body: [UInt8]) {
            self.kind = kind
            self.key = key
            self.body = body
        }
    }

    /// The pieces that changed since the last call, in the order of their first change.
    public mutating func takeChanges() -> [Piece] {
        var pieces: [Piece] = []
        for number in changedAccounts {
            accounts[Int(number)].isChanged = false
            guard !accounts[Int(number)].name.isEmpty else { continue }
            pieces.append(piece(ofAccount: number))
        }
        for number in changedDomains {
            domains[Int(number)].isChanged = false
            pieces.append(Self.piece(of: domains[Int(number)]))
        }
        if isFirstDayChanged {
            var writer = BinaryWriter()
            writer.write(firstDay)
            pieces.append(Piece(kind: .clock, key: [], body: writer.bytes))
        }
        for (hash, name) in names?.take() ?? [] {
            var key = BinaryWriter(reserving: 8)
            key.write(hash)
            pieces.append(Piece(kind: .name, key: key.bytes, body: name))
        }
        changedAccounts.removeAll(keepingCapacity: true)
        changedDomains.removeAll(keepingCapacity: true)
        isFirstDayChanged = false
        return pieces
    }

    private func piece(ofAccount number: UInt32) -> Piece {
        let account = accounts[Int(number)]
        var key = BinaryWriter()
        key.write(account.nameHash)
        var body = BinaryWriter(
            reserving: 32 + 12 * (account.wroteTo.count + account.heardFrom.count)
        )
        body.write(UInt8(1))
        body.write(account.firstDay)
        body.write(account.isForgetful)
        body.write(account.name)
        account.wroteTo.write(to: &body)
        account.heardFrom.write(to: &body)
        return Piece(kind: .account, key: key.bytes, body: body.bytes)
    }

    private static func piece(of domain: Domain) -> Piece {
        var key = BinaryWriter()
        key.write(domain.nameHash)
        var body = BinaryWriter(reserving: 4)
        body.write(UInt8(1))
        body.write(domain.localDeliveries)
        body.write(domain.isRemote)
        return Piece(kind: .domain, key: key.bytes, body: body.bytes)
    }

    /// Takes a stored piece in; pieces may come in any order.
    ///
    /// - Parameter countsAnew: local deliveries of domains are counted from nothing, for who joins
    ///   the counts later with ``joined(domain:with:)``.
    public mutating func restore(
        _ piece: Piece,
        countsAnew: Bool = false
    ) throws(BinaryReadError) {
        var key = BinaryReader(piece.key)
        var body = BinaryReader(piece.body)
        switch piece.kind {
        case .account:
            let hash = try key.read(UInt64.self)
            try Self.readVersion(&body)
            let firstDay = try body.read(UInt16.self)
            let isForgetful = try body.readBool()
            var account = Account(nameHash: hash, name: try body.readBytes())
            account.firstDay = firstDay
            account.isForgetful = isForgetful
            account.wroteTo = try PairSet(from: &body)
            account.heardFrom = try PairSet(from: &body)
            if let number = numbers[hash] {
                accounts[Int(number)] = account
            } else {
                numbers.insert(hash, number: UInt32(accounts.count))
                accounts.append(account)
            }
        case .domain:
            let hash = try key.read(UInt64.self)
            try Self.readVersion(&body)
            var domain = Domain(nameHash: hash)
            domain.localDeliveries = try body.read(UInt8.self)
            domain.isRemote = try body.readBool()
            if countsAnew { domain.localDeliveries = 0 }
            if let number = domainNumbers[hash] {
                domains[Int(number)] = domain
            } else {
                domainNumbers.insert(hash, number: UInt32(domains.count))
                domains.append(domain)
            }
        case .clock:
            firstDay = try body.read(UInt16.self)
        case .name: return
        }
        try key.finish()
        try body.finish()
    }

    /// Joins what two memories with the same seed know of one domain.
    ///
    /// The higher count of local deliveries stays, not the sum: both may have read the same lines.
    ///
    /// - Parameter other: the body of a piece of the kind `domain` with the same key.
    /// - Precondition: `piece` is of that kind.
    public static func joined(
        domain piece: Piece,
        with other: [UInt8]
    ) throws(BinaryReadError) -> Piece {
        precondition(piece.kind == .domain)
        var memory = AccountMemory(seed: .constant)
        var domains: [Domain] = []
        for body in [piece.body, other] {
            try memory.restore(Piece(kind: .domain, key: piece.key, body: body))
            domains.append(memory.domains[0])
        }
        var both = domains[0]
        both.localDeliveries = max(both.localDeliveries, domains[1].localDeliveries)
        both.isRemote = both.isRemote || domains[1].isRemote
        return Self.piece(of: both)
    }

    private static func readVersion(_ reader: inout BinaryReader) throws(BinaryReadError) {
        guard try reader.read(UInt8.self) == 1 else {
            throw BinaryReadError(offset: 0, expected: "version 1")
        }
    }
}
