import MailEvents
import SafeText

/// What the accounts did in the last hour of the log: for people who look, and for nothing else.
///
/// No finding depends on it, it is not stored, and a restart begins anew. An event costs one look-up;
/// memory is bounded by ``accountsMax``.
struct Activity: Sendable {
    /// Events of a minute, an hour or a run.
    struct Tally: Sendable, Hashable {
        /// Submissions, each recipient of a message by itself.
        var sends: UInt64 = 0
        var messages: UInt64 = 0
        var receipts: UInt64 = 0
        /// To a domain that the account had neither written to nor heard from.
        var unseen: UInt64 = 0
        /// Events that ended with an outcome, and without.
        var settled: UInt64 = 0
        var unsettled: UInt64 = 0

        static func += (left: inout Tally, right: Tally) {
            left.sends &+= right.sends
            left.messages &+= right.messages
            left.receipts &+= right.receipts
            left.unseen &+= right.unseen
            left.settled &+= right.settled
            left.unsettled &+= right.unsettled
        }
    }

    /// What one account did in five minutes, or in the hour.
    struct Counts: Sendable, Hashable {
        var sends: UInt32 = 0
        var unseen: UInt32 = 0
        var receipts: UInt32 = 0

        var isEmpty: Bool { sends == 0 }
    }

    struct Account: Sendable {
        var hash: UInt64
        var name: String
        /// Five minutes each, by their numbers modulo their count.
        var slots: [Counts]
        /// The sum of them.
        var hour = Counts()
        var lastMicroseconds: Int64
    }

    /// Accounts that are told apart within an hour; what others do is counted all the same.
    static let accountsMax = 20_000
    static let minuteCount = 60
    private static let slotCount = 12
    private static let minuteMicroseconds: Int64 = 60_000_000
    private static let minutesOfSlot: Int64 = 5

    /// Since the start.
    private(set) var total = Tally()
    /// By the number of the minute modulo ``minuteCount``.
    private var minutes = [Tally](repeating: Tally(), count: minuteCount)
    /// Minutes since 1970 of the latest time; nil before the first.
    private var minute: Int64?
    private(set) var accounts: [Account] = []
    private var places: [UInt64: Int] = [:]
    /// Sends of the last five minutes of accounts for which there was no room.
    private(set) var sendsOfOthers: UInt64 = 0

    // MARK: What happens

    /// An event was submitted, at the log's present time.
    mutating func submitted(_ event: borrowing SendEvent, isFirst: Bool, at time: Int64) {
        move(to: time)
        let isUnseen = event.facts.isDomainUnseen && (event.facts.domainHeardDays ?? 0) == 0
        let isReceipt = event.receipt != .none
        var tally = Tally()
        tally.sends = 1
        tally.messages = isFirst ? 1 : 0
        tally.receipts = isReceipt ? 1 : 0
        tally.unseen = isUnseen ? 1 : 0
        add(tally)
        guard let place = place(of: event, at: time) else {
            sendsOfOthers &+= 1
            return
        }
        let slot = Self.slot((minute ?? 0) / Self.minutesOfSlot)
        accounts[place].slots[slot].sends &+= 1
        accounts[place].hour.sends &+= 1
        if isUnseen {
            accounts[place].slots[slot].unseen &+= 1
            accounts[place].hour.unseen &+= 1
        }
        if isReceipt {
            accounts[place].slots[slot].receipts &+= 1
            accounts[place].hour.receipts &+= 1
        }
        accounts[place].lastMicroseconds = max(accounts[place].lastMicroseconds, time)
    }

    /// An event ended.
    mutating func ended(isSettled: Bool) {
        var tally = Tally()
        if isSettled { tally.settled = 1 } else { tally.unsettled = 1 }
        add(tally)
    }

    private mutating func add(_ tally: Tally) {
        total += tally
        guard let minute else { return }
        minutes[Self.place(ofMinute: minute)] += tally
    }

    private mutating func place(of event: borrowing SendEvent, at time: Int64) -> Int? {
        if let known = places[event.accountHash] { return known }
        guard accounts.count < Self.accountsMax, let name = event.string(event.account) else {
            return nil
        }
        accounts.append(
            Account(
                hash: event.accountHash,
                name: name,
                slots: [Counts](repeating: Counts(), count: Self.slotCount),
                lastMicroseconds: time
            )
        )
        places[event.accountHash] = accounts.count - 1
        return accounts.count - 1
    }

    // MARK: Time

    /// The log's time has moved; what is older than an hour leaves.
    mutating func move(to time: Int64) {
        let next = floorDivide(time, by: Self.minuteMicroseconds).quotient
        guard let minute else {
            self.minute = next
            return
        }
        guard next > minute else { return }
        let steps = next - minute
        if steps >= Int64(Self.minuteCount) {
            minutes = [Tally](repeating: Tally(), count: Self.minuteCount)
        } else {
            for number in (minute + 1)...next { minutes[Self.place(ofMinute: number)] = Tally() }
        }
        let (old, new) = (minute / Self.minutesOfSlot, next / Self.minutesOfSlot)
        if new > old { leave(from: old, to: new) }
        self.minute = next
    }

    private mutating func leave(from old: Int64, to new: Int64) {
        sendsOfOthers = 0
        guard new - old < Int64(Self.slotCount) else {
            accounts = []
            places = [:]
            return
        }
        let leaving = ((old + 1)...new).map(Self.slot)
        var kept = 0
        for index in accounts.indices {
            for slot in leaving {
                let counts = accounts[index].slots[slot]
                accounts[index].hour.sends &-= counts.sends
                accounts[index].hour.unseen &-= counts.unseen
                accounts[index].hour.receipts &-= counts.receipts
                accounts[index].slots[slot] = Counts()
            }
            guard !accounts[index].hour.isEmpty else {
                places[accounts[index].hash] = nil
                continue
            }
            if kept != index {
                accounts.swapAt(kept, index)
                places[accounts[kept].hash] = kept
            }
            kept += 1
        }
        accounts.removeLast(accounts.count - kept)
    }

    private static func place(ofMinute minute: Int64) -> Int {
        Int(floorDivide(minute, by: Int64(minuteCount)).remainder)
    }

    private static func slot(_ number: Int64) -> Int {
        Int(floorDivide(number, by: Int64(slotCount)).remainder)
    }

    // MARK: What is shown

    /// The last hour, minute by minute; the present one is the last.
    var lastMinutes: [Tally] {
        guard let minute else { return minutes }
        return (0..<Int64(Self.minuteCount)).map { back in
            minutes[Self.place(ofMinute: minute - Int64(Self.minuteCount) + 1 + back)]
        }
    }

    /// The accounts with the most sends, unseen domains and receipts of the hour: at most three times
    /// `count`, by sends. O(accounts).
    func busiest(_ count: Int) -> [Account] {
        var chosen: Set<Int> = []
        let measures: [(Counts) -> UInt32] = [{ $0.sends }, { $0.unseen }, { $0.receipts }]
        for measure in measures {
            // The least of those chosen is last; what is below it is looked at once.
            var best: [(value: UInt32, index: Int)] = []
            for index in accounts.indices {
                let value = measure(accounts[index].hour)
                guard value > 0, best.count < count || value > best[best.count - 1].value else {
                    continue
                }
                let place = best.firstIndex { $0.value < value } ?? best.count
                best.insert((value, index), at: place)
                if best.count > count { best.removeLast() }
            }
            chosen.formUnion(best.map(\.index))
        }
        return chosen.map { accounts[$0] }.sorted {
            ($1.hour.sends, $0.name) < ($0.hour.sends, $1.name)
        }
    }
}
