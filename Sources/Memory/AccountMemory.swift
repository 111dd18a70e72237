public import MailEvents
public import Records

/// Bounds of what is remembered (architecture §6).
public struct MemoryLimits: Sendable, Equatable {
    /// Domains written to, of one account.
    public var domainsPerAccountMax = 5_000
    /// Domains heard from, of one account; beyond it one that was heard on one day only leaves, the
    /// longest ago, or the one heard longest ago if there is none.
    public var heardPerAccountMax = 4_096
    /// A domain not written to for this many days is unseen again.
    public var daysMax = 400
    /// Pairs of an account and a domain, of all accounts; beyond it those that were used longest ago
    /// leave.
    public var pairsMax = 10_000_000
    /// Local deliveries after which a domain counts as hosted here.
    public var localDeliveriesMin = 3
    /// Days on which mail of a domain came after which it counts as heard.
    public var heardDaysMin = 2

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
        /// One more than the index of its log; 0 for none.
        var unseenLog: UInt32 = 0
        var receiptLog: UInt32 = 0
        var isActivityChanged = false
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
    /// By domain: how many accounts have written to it within the memory. It follows from the pairs
    /// and is not stored.
    private var writers = DomainCounts()
    private var pairsHeld = 0
    /// No domain was last written to before this day.
    private var oldestDay = UInt16.max
    /// The latest day of the log.
    private var today: UInt16 = 0
    private var horizon = Horizon()
    private var unseenLogs: [ContactLog] = []
    private var receiptLogs: [ReceiptLog] = []
    private var changedAccounts: [UInt32] = []
    private var changedActivities: [UInt32] = []
    private var isHorizonChanged = false
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
    public var pairCount: Int { pairsHeld }

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

    /// What is known of account and domain on `day`.
    ///
    /// It is mutating although it changes nothing: to lend so large a value, the compiler copies it.
    public mutating func facts(_ account: AccountNumber, domain: UInt64, day: Int) -> DerivedFacts {
        var facts = DerivedFacts()
        facts.isKnown = true
        facts.isUnseenKnown = true
        let known = accounts[Int(account.rawValue)].wroteTo.pair(domain)
        facts.isDomainUnseen = isUnseen(known, day: day)
        let heard = accounts[Int(account.rawValue)].heardFrom.pair(domain)
        facts.domainHeardDays = UInt8(truncatingIfNeeded: min(heard?.note ?? 0, 255))
        facts.isDomainInternal = isInternal(domain)
        facts.domainAccounts = writers[domain]
        let first = Int(accounts[Int(account.rawValue)].firstDay)
        facts.accountAgeDays = first == 0 ? 0 : UInt32(clamping: day - first)
        facts.memoryDays = firstDay == 0 ? 0 : UInt32(clamping: day - Int(firstDay))
        return facts
    }

    private func isUnseen(_ pair: Pair?, day: Int) -> Bool {
        guard let pair, pair.lastDay > 0 else { return true }
        return day - Int(pair.lastDay) > limits.daysMax
    }

    /// How many unseen domains the account reached in the hour that ends at a time.
    public mutating func unseenDomains(of account: AccountNumber, at microseconds: Int64) -> Int {
        let log = Int(accounts[Int(account.rawValue)].unseenLog) - 1
        guard log >= 0 else { return 0 }
        return unseenLogs[log].count(in: ContactLog.hour, endingAt: microseconds)
    }

    /// Enters in the facts what the account did in the hour and the day that end at a time.
    public mutating func addActivity(
        of account: AccountNumber,
        at microseconds: Int64,
        to facts: inout DerivedFacts
    ) {
        let unseen = Int(accounts[Int(account.rawValue)].unseenLog) - 1
        if unseen >= 0 {
            let log = ContactLog.hour
            facts.unseenDomainsHour = UInt16(
                clamping: unseenLogs[unseen].count(in: log, endingAt: microseconds)
            )
            facts.unseenDomainsDay = UInt16(
                clamping: unseenLogs[unseen].count(in: ContactLog.day, endingAt: microseconds)
            )
            facts.unseenSurpriseTenths = unseenLogs[unseen].surprise(
                at: microseconds,
                window: log,
                ageDays: facts.accountAgeDays
            )
        }
        let receipts = Int(accounts[Int(account.rawValue)].receiptLog) - 1
        if receipts >= 0 {
            facts.receiptsDay = UInt16(
                clamping: receiptLogs[receipts].sent.count(
                    in: ContactLog.day,
                    endingAt: microseconds
                )
            )
            facts.receiptSurpriseTenths = receiptLogs[receipts].sent.surprise(
                at: microseconds,
                window: ContactLog.day,
                ageDays: facts.accountAgeDays
            )
            facts.returnsDay = UInt16(
                clamping: receiptLogs[receipts].returnsInDay(endingAt: microseconds)
            )
        }
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
    ///
    /// - Parameter microseconds: the time.
    public mutating func sawDay(_ day: Int, at microseconds: Int64 = 0) {
        if firstDay == 0 {
            firstDay = UInt16(clamping: day)
            isFirstDayChanged = true
        }
        guard day > Int(today) else { return }
        today = UInt16(clamping: day)
        isHorizonChanged = true
        forgetExpired()
        for index in unseenLogs.indices {
            unseenLogs[index].prune(until: microseconds, window: ContactLog.hour)
        }
        for index in receiptLogs.indices {
            receiptLogs[index].sent.prune(until: microseconds, window: ContactLog.day)
        }
    }

    /// What was known of a domain when the account wrote to it.
    public struct Contact: Sendable {
        /// The domain was unseen.
        public var isUnseen: Bool
        /// The account had sent something there, a receipt perhaps.
        public var isRepeated: Bool
    }

    /// The account handed in a message to the domain. Receipts teach nothing but that they were.
    @discardableResult
    public mutating func wrote(
        _ account: AccountNumber,
        to domain: UInt64,
        day: Int,
        isReceipt: Bool
    ) -> Contact {
        let index = Int(account.rawValue)
        let date = UInt16(clamping: day)
        if accounts[index].firstDay == 0 || date < accounts[index].firstDay {
            accounts[index].firstDay = date
        }
        change(account)
        var isUnseen = true
        var isFirst = false
        guard isRemembered(date, accounts[index].nameHash, domain) else {
            let known = accounts[index].wroteTo.pair(domain)
            return Contact(isUnseen: self.isUnseen(known, day: day), isRepeated: known != nil)
        }
        let daysMax = limits.daysMax
        let change = accounts[index].wroteTo.update(
            domain,
            limit: limits.domainsPerAccountMax,
            rank: { UInt32($0.lastDay) }
        ) {
            isUnseen = $0.lastDay == 0 || day - Int($0.lastDay) > daysMax
            if isReceipt {
                $0.note = max($0.note, date)
            } else {
                isFirst = $0.lastDay == 0
                $0.lastDay = max($0.lastDay, date)
            }
        }
        if isFirst { writers.add(domain) }
        oldestDay = min(oldestDay, date)
        if change.isNew { pairsHeld += 1 }
        if let evicted = change.evicted {
            pairsHeld -= 1
            if evicted.lastDay > 0 { writers.remove(evicted.hash) }
            counters.domainsForgotten += 1
            accounts[index].isForgetful = true
        }
        if pairsHeld > limits.pairsMax { shrink() }
        return Contact(isUnseen: isUnseen, isRepeated: !change.isNew)
    }

    /// On how many days mail of the domain came to a mailbox of the account.
    public mutating func heardDays(_ account: AccountNumber, _ domain: UInt64) -> Int {
        Int(accounts[Int(account.rawValue)].heardFrom.pair(domain)?.note ?? 0)
    }

    /// The account sent something to a domain that is neither seen nor heard.
    ///
    /// - Parameter mayRepeat: whether it sent something there before.
    public mutating func contacted(
        _ account: AccountNumber,
        _ domain: UInt64,
        at microseconds: Int64,
        mayRepeat: Bool
    ) {
        unseenLogs[logOfUnseen(Int(account.rawValue))].add(
            domain,
            at: microseconds,
            mayRepeat: mayRepeat,
            window: ContactLog.hour
        )
        changeActivity(account)
    }

    /// The account sent a not-read receipt.
    public mutating func sentReceipt(_ account: AccountNumber, at microseconds: Int64) {
        receiptLogs[logOfReceipts(Int(account.rawValue))].sent.add(
            0,
            at: microseconds,
            mayRepeat: false,
            window: ContactLog.day
        )
        changeActivity(account)
    }

    /// Null-sender mail came to a mailbox of the account, as bounces do.
    public mutating func returned(to account: AccountNumber, at microseconds: Int64) {
        let index = Int(accounts[Int(account.rawValue)].receiptLog) - 1
        guard index >= 0 else { return }
        if receiptLogs[index].returned(at: microseconds) { changeActivity(account) }
    }

    /// Mail from the domain came to a mailbox of the account.
    ///
    /// - Returns: whether it is the first time that is remembered.
    @discardableResult
    public mutating func heard(_ account: AccountNumber, from domain: UInt64, day: Int) -> Bool {
        let index = Int(account.rawValue)
        let date = UInt16(clamping: day)
        guard isRemembered(date, accounts[index].nameHash, domain) else { return false }
        var isNews = false
        let heardDaysMin = limits.heardDaysMin
        let change = accounts[index].heardFrom.update(
            domain,
            limit: limits.heardPerAccountMax,
            // A flood of senders who wrote once drives nobody out who came again.
            rank: { UInt32($0.lastDay) + (Int($0.note) >= heardDaysMin ? 65_536 : 0) }
        ) {
            guard $0.note == 0 || $0.lastDay < date else { return }
            $0.lastDay = date
            $0.note = min($0.note + 1, 255)
            isNews = true
        }
        guard isNews else { return false }
        if change.isNew { pairsHeld += 1 }
        if change.evicted != nil {
            pairsHeld -= 1
            counters.heardForgotten += 1
        }
        self.change(account)
        if pairsHeld > limits.pairsMax { shrink() }
        return change.isNew
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

    private mutating func changeActivity(_ account: AccountNumber) {
        guard !accounts[Int(account.rawValue)].isActivityChanged else { return }
        accounts[Int(account.rawValue)].isActivityChanged = true
        changedActivities.append(account.rawValue)
    }

    mutating func change(_ account: AccountNumber) {
        guard !accounts[Int(account.rawValue)].isChanged else { return }
        accounts[Int(account.rawValue)].isChanged = true
        changedAccounts.append(account.rawValue)
    }

    // MARK: Forgetting

    /// What was used before this is not remembered: pairs of days before ``day``, and of that day
    /// those whose rank is below ``rank``. It moves forward only, and is stored in place of all the
    /// accounts that it shortens.
    private struct Horizon: Sendable {
        var day: UInt16 = 0
        var rank: UInt32 = 0

        func hides(_ date: UInt16, _ account: UInt64, _ domain: UInt64) -> Bool {
            date < day || date == day && Self.rank(account, domain) < rank
        }

        /// Evenly from 0 to 65,535, so that a part of a day's pairs can leave, the same ones in
        /// whatever order they are looked at.
        static func rank(_ account: UInt64, _ domain: UInt64) -> UInt32 {
            let mixed = (account ^ domain &* 0x9e37_79b9_7f4a_7c15) &* 0xd6e8_feb8_6659_fd93
            return UInt32(truncatingIfNeeded: mixed >> 48)
        }
    }

    /// The day on which a pair was last used.
    private static func date(_ pair: Pair, isHeard: Bool) -> UInt16 {
        isHeard ? pair.lastDay : max(pair.lastDay, pair.note)
    }

    /// Whether something of this day is remembered at all.
    private func isRemembered(_ date: UInt16, _ account: UInt64, _ domain: UInt64) -> Bool {
        Int(date) + limits.daysMax >= Int(today) && !horizon.hides(date, account, domain)
    }

    /// Lets go of what was not written to within the memory.
    private mutating func forgetExpired() {
        guard Int(oldestDay) + limits.daysMax < Int(today) else { return }
        sweep()
    }

    /// More pairs than there may be: moves the horizon so far that a thirty-second part of them
    /// leaves, or at least those that are too many.
    private mutating func shrink() {
        let target = limits.pairsMax - limits.pairsMax / 32
        var days: [Int] = []
        forEachPair { date, _, _ in
            while days.count <= Int(date) { days.append(0) }
            days[Int(date)] += 1
        }
        var left = pairsHeld
        var day = 0
        while day < days.count, left - days[day] >= target {
            left -= days[day]
            day += 1
        }
        var rank = 0
        if left > target {
            var ranks = [Int](repeating: 0, count: 65_536)
            forEachPair { date, account, domain in
                if date == day { ranks[Int(Horizon.rank(account, domain))] += 1 }
            }
            while rank < ranks.count, left > target {
                left -= ranks[rank]
                rank += 1
            }
        }
        horizon = Horizon(day: UInt16(clamping: day), rank: UInt32(rank))
        isHorizonChanged = true
        sweep()
    }

    private func forEachPair(_ body: (UInt16, _ account: UInt64, _ domain: UInt64) -> Void) {
        for account in accounts {
            for pair in account.wroteTo.pairs {
                body(Self.date(pair, isHeard: false), account.nameHash, pair.hash)
            }
            for pair in account.heardFrom.pairs {
                body(Self.date(pair, isHeard: true), account.nameHash, pair.hash)
            }
        }
    }

    /// Lets go of every pair that is too old or behind the horizon.
    private mutating func sweep() {
        oldestDay = .max
        for index in accounts.indices { sweep(index) }
    }

    private mutating func sweep(_ index: Int) {
        let name = accounts[index].nameHash
        let oldest = max(0, Int(today) - limits.daysMax)
        let written = accounts[index].wroteTo.sweep(before: UInt16(clamping: oldest)) { pair in
            horizon.hides(Self.date(pair, isHeard: false), name, pair.hash)
        }
        oldestDay = min(oldestDay, written.oldest)
        for domain in written.unwritten { writers.remove(domain) }
        let heard = accounts[index].heardFrom.sweep(before: 0) { pair in
            horizon.hides(pair.lastDay, name, pair.hash)
        }
        pairsHeld -= written.count + heard.count
        counters.heardForgotten += heard.count
        if written.forgotten > 0 {
            counters.domainsForgotten += written.forgotten
            accounts[index].isForgetful = true
        }
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
            /// What an account did lately, and how much of it is ordinary.
            case activity
            /// How far the memory goes back.
            case horizon
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
        for number in changedActivities {
            accounts[Int(number)].isActivityChanged = false
            guard !accounts[Int(number)].name.isEmpty else { continue }
            pieces.append(piece(ofActivity: number))
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
        if isHorizonChanged {
            var writer = BinaryWriter()
            writer.write(UInt8(1))
            writer.write(today)
            writer.write(horizon.day)
            writer.write(horizon.rank)
            pieces.append(Piece(kind: .horizon, key: [], body: writer.bytes))
        }
        isHorizonChanged = false
        for (hash, name) in names?.take() ?? [] {
            var key = BinaryWriter(reserving: 8)
            key.write(hash)
            pieces.append(Piece(kind: .name, key: key.bytes, body: name))
        }
        changedAccounts.removeAll(keepingCapacity: true)
        changedActivities.removeAll(keepingCapacity: true)
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

    private func piece(ofActivity number: UInt32) -> Piece {
        let account = accounts[Int(number)]
        var key = BinaryWriter(reserving: 8)
        key.write(account.nameHash)
        var body = BinaryWriter(reserving: 256)
        body.write(UInt8(1))
        body.write(account.unseenLog != 0)
        if account.unseenLog != 0 { unseenLogs[Int(account.unseenLog) - 1].write(to: &body) }
        body.write(account.receiptLog != 0)
        if account.receiptLog != 0 { receiptLogs[Int(account.receiptLog) - 1].write(to: &body) }
        return Piece(kind: .activity, key: key.bytes, body: body.bytes)
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

    /// Takes a stored piece in; pieces may come in any order, but for those of the kind `activity`,
    /// which come after the accounts. It is quickest with the horizon first.
    ///
    /// - Parameter countsAnew: local deliveries of domains are counted from nothing, for who joins
    ///   the counts later with ``joined(domain:with:)``; what an account did until the newest that
    ///   is known counts no second time.
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
            take(account)
        case .activity:
            let hash = try key.read(UInt64.self)
            try Self.readVersion(&body)
            var unseen = try body.readBool() ? try ContactLog(from: &body) : nil
            var receipts = try body.readBool() ? try ReceiptLog(from: &body) : nil
            if countsAnew {
                unseen?.knowUntilNewest()
                receipts?.knowUntilNewest()
            }
            guard let number = numbers[hash] else {
                throw BinaryReadError(offset: 0, expected: "activity of a known account")
            }
            take(unseen, receipts, of: Int(number))
        case .horizon:
            try Self.readVersion(&body)
            today = max(today, try body.read(UInt16.self))
            horizon.day = try body.read(UInt16.self)
            horizon.rank = try body.read(UInt32.self)
            if !accounts.isEmpty { sweep() }
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

    /// An account as it was stored; what the horizon hides of it goes at once.
    private mutating func take(_ account: Account) {
        let index: Int
        if let known = numbers[account.nameHash] {
            index = Int(known)
            discount(index)
            var account = account
            account.unseenLog = accounts[index].unseenLog
            account.receiptLog = accounts[index].receiptLog
            accounts[index] = account
        } else {
            index = accounts.count
            numbers.insert(account.nameHash, number: UInt32(index))
            accounts.append(account)
        }
        count(index)
    }

    /// Counts what an account remembers, after letting go of what lies too far back.
    mutating func count(_ index: Int) {
        for pair in accounts[index].wroteTo.pairs where pair.lastDay > 0 { writers.add(pair.hash) }
        pairsHeld += accounts[index].wroteTo.count + accounts[index].heardFrom.count
        sweep(index)
    }

    /// Takes an account's pairs out of the counts, before they are changed as a whole.
    mutating func discount(_ index: Int) {
        for pair in accounts[index].wroteTo.pairs where pair.lastDay > 0 {
            writers.remove(pair.hash)
        }
        pairsHeld -= accounts[index].wroteTo.count + accounts[index].heardFrom.count
    }

    /// Forgets what an account did lately; its logs stay its own.
    mutating func forgetActivity(_ index: Int) {
        let (unseen, receipts) = (accounts[index].unseenLog, accounts[index].receiptLog)
        if unseen != 0 { unseenLogs[Int(unseen) - 1] = ContactLog() }
        if receipts != 0 { receiptLogs[Int(receipts) - 1] = ReceiptLog() }
    }

    private mutating func take(_ unseen: ContactLog?, _ receipts: ReceiptLog?, of index: Int) {
        if let unseen { unseenLogs[logOfUnseen(index)] = unseen }
        if let receipts { receiptLogs[logOfReceipts(index)] = receipts }
    }

    // MARK: Baselines

    func unseenBaseline(of account: Account) -> KnownBaseline? {
        account.unseenLog == 0 ? nil : unseenLogs[Int(account.unseenLog) - 1].knownBaseline
    }

    func receiptBaseline(of account: Account) -> KnownBaseline? {
        account.receiptLog == 0 ? nil : receiptLogs[Int(account.receiptLog) - 1].sent.knownBaseline
    }

    /// Joins what another host learnt to be ordinary for an account.
    mutating func mergeBaselines(
        of account: AccountNumber,
        unseen: KnownBaseline?,
        receipts: KnownBaseline?
    ) {
        let index = Int(account.rawValue)
        if let unseen {
            unseenLogs[logOfUnseen(index)].merge(unseen)
            changeActivity(account)
        }
        if let receipts {
            receiptLogs[logOfReceipts(index)].sent.merge(receipts)
            changeActivity(account)
        }
    }

    /// The index of an account's log, which it has from now on.
    private mutating func logOfUnseen(_ index: Int) -> Int {
        if accounts[index].unseenLog == 0 {
            unseenLogs.append(ContactLog())
            accounts[index].unseenLog = UInt32(unseenLogs.count)
        }
        return Int(accounts[index].unseenLog) - 1
    }

    private mutating func logOfReceipts(_ index: Int) -> Int {
        if accounts[index].receiptLog == 0 {
            receiptLogs.append(ReceiptLog())
            accounts[index].receiptLog = UInt32(receiptLogs.count)
        }
        return Int(accounts[index].receiptLog) - 1
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
