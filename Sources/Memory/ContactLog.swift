import Records

struct Contact: Sendable, Equatable {
    /// Identity of the domain; 0 where none matters.
    var domain: UInt64
    var microseconds: Int64
}

/// Contacts in the order of time. One alone lies within: most accounts do one such thing in a day, and
/// each has two lists.
struct ContactList: Sendable {
    /// Its time is ``Int64/min`` when there is none.
    private var only = Contact(domain: 0, microseconds: .min)
    /// All of them, once there were several.
    private var several: [Contact] = []

    var count: Int { several.isEmpty ? (only.microseconds == .min ? 0 : 1) : several.count }

    /// - Precondition: `index` is below ``count``.
    subscript(index: Int) -> Contact { several.isEmpty ? only : several[index] }

    var last: Contact? { several.last ?? (only.microseconds == .min ? nil : only) }

    /// - Precondition: `contact` has a time, and `index` is at most ``count``.
    mutating func insert(_ contact: Contact, at index: Int) {
        guard count > 0 else {
            only = contact
            return
        }
        if several.isEmpty {
            several.reserveCapacity(3)
            several.append(only)
        } else if several.count == several.capacity {
            // What every account has may not be half empty.
            several.reserveCapacity(several.count + max(3, several.count / 4))
        }
        several.insert(contact, at: index)
    }

    /// - Precondition: there are so many.
    mutating func removeFirst(_ count: Int) {
        guard count < self.count else { return removeAll() }
        if count > 0 { several.removeFirst(count) }
    }

    mutating func remove(at index: Int) {
        if count == 1 { removeAll() } else { several.remove(at: index) }
    }

    mutating func removeAll() {
        only.microseconds = .min
        several = []
    }

    /// Makes room for all that will come.
    mutating func reserveCapacity(_ count: Int) {
        if count > 1 { several.reserveCapacity(count) }
    }
}

/// What one account did of one kind in the last day, each time once, and how much of it is ordinary
/// for the account.
///
/// Invariant: `contacts` ascend in time; those before `first` are gone, those before `learnt` are
/// part of the baseline.
struct ContactLog: Sendable {
    /// Contacts that are counted; the oldest leave.
    static let countMax = 4_096
    static let day: Int64 = 86_400_000_000
    static let hour: Int64 = 3_600_000_000
    /// What is so much older than the newest counts no more, as in the windows of rules: it may have
    /// been read before, too.
    private static let latenessMax: Int64 = 600_000_000
    /// How long contacts are kept; longer than a day, for events that come late.
    private static let kept = day + hour

    private var contacts = ContactList()
    private var first: Int32 = 0
    private var learnt: Int32 = 0
    private var baseline = Baseline()
    /// The most that the window held, in the span of its length that the newest contact lies in, and
    /// in the span before; spans are counted from 1970.
    private var peak: UInt16 = 0
    private var peakBefore: UInt16 = 0
    private var span: UInt32 = 0
    /// Who learns from old logs may read lines again: what is not later than this is known.
    private var knownUntil = Int64.min

    /// Something was done.
    ///
    /// - Parameters:
    ///   - domain: to which domain.
    ///   - microseconds: when.
    ///   - mayRepeat: whether this may be a domain that is among the contacts: each counts once, at its
    ///     newest time.
    ///   - window: the time in which the baseline counts.
    mutating func add(
        _ domain: UInt64,
        at microseconds: Int64,
        mayRepeat: Bool,
        window: Int64
    ) {
        guard microseconds > knownUntil else { return }
        if let newest = contacts.last, microseconds < newest.microseconds - Self.latenessMax {
            return
        }
        prune(until: microseconds, window: window)
        if mayRepeat, !forget(domain, before: microseconds) { return }
        makeRoom()
        var place = contacts.count
        while place > first, contacts[place - 1].microseconds > microseconds { place -= 1 }
        contacts.insert(Contact(domain: domain, microseconds: microseconds), at: place)
        if place < learnt { learnt += 1 }
        if contacts.count - Int(first) > Self.countMax {
            // What is so much is not learnt: nobody's past makes a flood ordinary.
            if learnt == first { learnt += 1 }
            first += 1
        }
        let span = UInt32(clamping: microseconds / window)
        let count = UInt16(clamping: count(in: window, endingAt: microseconds))
        if span > self.span {
            peakBefore = span == self.span + 1 ? peak : 0
            peak = count
            self.span = span
        } else if span == self.span {
            peak = max(peak, count)
        } else if span + 1 == self.span {
            peakBefore = max(peakBefore, count)
        }
    }

    /// What comes and is not later than the newest contact is known already.
    mutating func knowUntilNewest() { knownUntil = contacts.last?.microseconds ?? .min }

    /// Takes the contact with this domain out.
    ///
    /// - Returns: false if it is there with a later time, and stays.
    private mutating func forget(_ domain: UInt64, before microseconds: Int64) -> Bool {
        for index in Int(first)..<contacts.count where contacts[index].domain == domain {
            if contacts[index].microseconds > microseconds { return false }
            contacts.remove(at: index)
            if index < learnt { learnt -= 1 }
            return true
        }
        return true
    }

    /// Takes out what is gone once it is a quarter.
    private mutating func makeRoom() {
        guard first > 0, Int(first) * 4 >= contacts.count else { return }
        contacts.removeFirst(Int(first))
        learnt -= first
        first = 0
    }

    /// How many contacts there were in (t − window, t].
    func count(in window: Int64, endingAt microseconds: Int64) -> Int {
        end(of: microseconds) - end(of: microseconds - window)
    }

    /// The index after the last contact that is not later.
    private func end(of microseconds: Int64) -> Int {
        var low = Int(first)
        var high = contacts.count
        while low < high {
            let middle = (low + high) / 2
            if contacts[middle].microseconds <= microseconds {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    /// How unusual the count of the window that ends at a time is: tenths of ``Surprise``.
    mutating func surprise(at microseconds: Int64, window: Int64, ageDays: UInt32) -> UInt16 {
        let count = count(in: window, endingAt: microseconds)
        guard count > 1 else { return 0 }
        learn(until: microseconds - window, window)
        let mean = baseline.mean(hour: Self.hours(microseconds), ageDays: ageDays)
        return Surprise.tenths(count: count, mean: mean)
    }

    // MARK: Learning

    /// What lies a window back is the account's past: it goes into the baseline. What is older than a
    /// day goes.
    ///
    /// It may be done at any time: a contact teaches what the windows around it came to, and those are
    /// over.
    mutating func prune(until microseconds: Int64, window: Int64) {
        learn(until: microseconds - window, window)
        while first < learnt, contacts[Int(first)].microseconds <= microseconds - Self.kept {
            first += 1
        }
        if first == contacts.count {
            contacts.removeAll()
            first = 0
            learnt = 0
        }
    }

    private mutating func learn(until microseconds: Int64, _ window: Int64) {
        while learnt < contacts.count, contacts[Int(learnt)].microseconds <= microseconds {
            learnNext(window)
        }
    }

    /// A contact teaches the most that its windows came to: a mailing of an hour is as ordinary at its
    /// end as at its beginning.
    private mutating func learnNext(_ window: Int64) {
        let microseconds = contacts[Int(learnt)].microseconds
        let span = UInt32(clamping: microseconds / window)
        var most: UInt16 = 1
        if span == self.span { most = max(most, peak) }
        if span + 1 == self.span { most = max(most, peak, peakBefore) }
        baseline.learn(most, hour: Self.hours(microseconds))
        learnt += 1
    }

    private static func hours(_ microseconds: Int64) -> UInt32 {
        UInt32(clamping: microseconds / hour)
    }

    /// What is ordinary, as far as it was learnt; nil before.
    var knownBaseline: KnownBaseline? { baseline.known }

    /// Takes over what another host learnt, if it knows more.
    mutating func merge(_ other: KnownBaseline) {
        baseline = Baseline(baseline.known.map { $0.joined(with: other) } ?? other)
    }

    // MARK: Stored form

    func write(to writer: inout BinaryWriter) {
        baseline.write(to: &writer)
        writer.write(peak)
        writer.write(peakBefore)
        writer.write(span)
        writer.write(UInt32(learnt - first))
        writer.write(UInt32(contacts.count - Int(first)))
        for index in Int(first)..<contacts.count {
            writer.write(contacts[index].domain)
            writer.write(contacts[index].microseconds)
        }
    }

    init() {}

    init(from reader: inout BinaryReader) throws(BinaryReadError) {
        baseline = try Baseline(from: &reader)
        peak = try reader.read(UInt16.self)
        peakBefore = try reader.read(UInt16.self)
        span = try reader.read(UInt32.self)
        let learnt = try reader.read(UInt32.self)
        let count = try reader.readCount(ofSize: 16)
        guard learnt <= count, count <= Self.countMax else {
            throw BinaryReadError(offset: 0, expected: "contacts within their bound")
        }
        self.learnt = Int32(learnt)
        contacts.reserveCapacity(count)
        for _ in 0..<count {
            let domain = try reader.read(UInt64.self)
            let microseconds = try reader.read(Int64.self)
            guard microseconds > .min, microseconds >= contacts.last?.microseconds ?? .min else {
                throw BinaryReadError(offset: 0, expected: "contacts in the order of time")
            }
            contacts.insert(
                Contact(domain: domain, microseconds: microseconds),
                at: contacts.count
            )
        }
    }
}

/// The receipts of an account, and the null-sender mail that came for it after them.
struct ReceiptLog: Sendable {
    var sent = ContactLog()
    /// When such mail came, ascending: microseconds. The oldest leave.
    private(set) var returned: [Int64] = []
    private var knownUntil = Int64.min

    /// Null-sender mail came for the account.
    ///
    /// - Returns: whether that counts: a receipt left within the day before.
    mutating func returned(at microseconds: Int64) -> Bool {
        guard microseconds > knownUntil,
            sent.count(in: ContactLog.day, endingAt: microseconds) > 0
        else { return false }
        let old = microseconds - 2 * ContactLog.day
        returned.removeAll { $0 < old }
        if returned.count >= ContactLog.countMax { returned.removeFirst() }
        let place = returned.lastIndex { $0 <= microseconds }.map { $0 + 1 } ?? 0
        returned.insert(microseconds, at: place)
        return true
    }

    /// What comes and is not later than what is known is known already.
    mutating func knowUntilNewest() {
        sent.knowUntilNewest()
        knownUntil = returned.last ?? .min
    }

    /// How much came back in the day that ends at a time.
    func returnsInDay(endingAt microseconds: Int64) -> Int {
        returned.count { $0 <= microseconds && $0 > microseconds - ContactLog.day }
    }

    func write(to writer: inout BinaryWriter) {
        sent.write(to: &writer)
        writer.write(UInt32(returned.count))
        for time in returned { writer.write(time) }
    }

    init() {}

    init(from reader: inout BinaryReader) throws(BinaryReadError) {
        sent = try ContactLog(from: &reader)
        let count = try reader.readCount(ofSize: 8)
        for _ in 0..<count { returned.append(try reader.read(Int64.self)) }
    }
}
