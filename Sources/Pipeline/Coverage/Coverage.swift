public import Findings
import MailEvents
import SafeText

/// How much of its submissions the log tells, watched as time goes by: what raises `postern_blind`
/// (rules.md).
///
/// Two things mean that Postern has become blind. One is that fewer submissions have a subject, or
/// a recipient, than before: their share of the last ``windowCount`` is below half its mean of the
/// seven days before those. The other is that there are none: not one in a time that had
/// ``silenceCount`` a week ago, and on the mean of the seven days. That is also how a log shows that
/// it has lost its logins, since what has no login is no submission.
///
/// A pure state machine over log time: what it is depends on the order of the calls alone. Its
/// memory is bounded: the last submissions, and no more hours and slots than the days have.
public struct Coverage: Sendable {
    /// Submissions whose share is compared with the days before them.
    public static let windowCount = 200
    /// Fewer submissions in the days before tell no mean.
    static let pastCountMin: UInt32 = 50
    /// What fewer than one in so many submissions had is not watched: chance alone halves it.
    static let shareMin: UInt32 = 4
    /// Submissions that a silence must have had at other times.
    public static let silenceCount = 50
    static let hoursOfMean: Int64 = 7 * 24
    /// A day has 288 slots of five minutes.
    static let slotMicroseconds: Int64 = 300_000_000
    static let slotsOfDay: Int64 = 288
    static let slotCount = 7 * 288

    /// What is watched of a submission.
    enum Part: Int, CaseIterable, Sendable {
        case subject, recipient

        var name: String {
            switch self {
            case .subject: "subject"
            case .recipient: "recipient"
            }
        }
    }

    /// How many submissions there were, and how many had each part.
    struct Counts: Sendable, Equatable {
        var submissions: UInt32 = 0
        var parts: [UInt32] = [0, 0]

        mutating func add(_ other: Counts, sign: Int32 = 1) {
            func moved(_ value: UInt32, _ step: UInt32) -> UInt32 {
                sign > 0 ? value &+ step : value &- step
            }
            submissions = moved(submissions, other.submissions)
            for index in parts.indices { parts[index] = moved(parts[index], other.parts[index]) }
        }
    }

    /// One submission of the window.
    struct Entry: Sendable, Equatable {
        /// Hours since 1970, UTC.
        var hour: Int64
        /// One bit for each part that it had.
        var parts: UInt8

        var counts: Counts {
            Counts(submissions: 1, parts: Part.allCases.map { UInt32(parts >> $0.rawValue & 1) })
        }
    }

    /// The last submissions, as a ring whose oldest is at `oldest` once it is full.
    var window: [Entry] = []
    var oldest = 0
    var windowCounts = Counts()
    /// By hour, ascending: the submissions before the window, of the seven days before its first.
    /// Only hours that had some.
    var past: [(hour: Int64, counts: Counts)] = []
    var pastCounts = Counts()
    /// By part: its share has fallen, and that was told.
    var isBlind = [false, false]

    /// Submissions of each slot of the last seven days, by the log's clock.
    var slots = [UInt32](repeating: 0, count: Self.slotCount)
    /// The present slot, counted from 1970 by the log's clock and by UTC; nil before the first time.
    var slot: (local: Int64, utc: Int64)?
    /// Seven times what the present slot has at other times.
    var slotNorm: UInt64 = 0
    /// Seven times what the slots since the last submission have at other times.
    var silence: UInt64 = 0
    var silenceIsTold = false
    /// Start of the slot of the last submission: microseconds; nil before the first.
    var lastSubmission: Int64?

    /// The time from which on ``move(to:secondsEast:)`` has something to do: microseconds.
    public internal(set) var slotEnd = Int64.min
    private(set) var notices: [Notice] = []

    var changes = Changed()

    /// What is to be stored again.
    struct Changed: Sendable {
        var isClock = false
        var hours: Set<Int64> = []
        /// Days of ``slots``.
        var days: Set<Int> = []
    }

    public init() {}

    /// The notices since the last call.
    public mutating func takeNotices() -> [Notice] {
        defer { notices = [] }
        return notices
    }

    // MARK: Submissions

    /// A submission came, at the present time.
    public mutating func saw(hasSubject: Bool, hasRecipient: Bool) {
        guard let slot else { return }
        changes.isClock = true
        let place = Self.place(of: slot.local)
        slots[place] = slots[place] == .max ? .max : slots[place] + 1
        changes.days.insert(place / Int(Self.slotsOfDay))
        silence = 0
        silenceIsTold = false
        lastSubmission = slot.utc * Self.slotMicroseconds

        var entry = Entry(hour: slot.utc / 12, parts: 0)
        if hasSubject { entry.parts |= 1 << Part.subject.rawValue }
        if hasRecipient { entry.parts |= 1 << Part.recipient.rawValue }
        windowCounts.add(entry.counts)
        if window.count < Self.windowCount {
            window.append(entry)
            return
        }
        let left = window[oldest]
        window[oldest] = entry
        oldest = (oldest + 1) % Self.windowCount
        windowCounts.add(left.counts, sign: -1)
        addToPast(left)
        for part in Part.allCases { compare(part, at: slot.utc * Self.slotMicroseconds) }
    }

    private mutating func addToPast(_ entry: Entry) {
        if past.last?.hour != entry.hour { past.append((entry.hour, Counts())) }
        past[past.count - 1].counts.add(entry.counts)
        pastCounts.add(entry.counts)
        changes.hours.insert(entry.hour)
        let first = window[oldest].hour - Self.hoursOfMean
        var old = 0
        while old < past.count, past[old].hour < first {
            pastCounts.add(past[old].counts, sign: -1)
            changes.hours.insert(past[old].hour)
            old += 1
        }
        if old > 0 { past.removeSubrange(0..<old) }
    }

    /// Tells it when the share of a part has fallen below half its mean.
    private mutating func compare(_ part: Part, at microseconds: Int64) {
        let had = UInt64(windowCounts.parts[part.rawValue])
        let before = UInt64(pastCounts.parts[part.rawValue])
        let all = UInt64(pastCounts.submissions)
        let isWatched =
            all >= Self.pastCountMin && before * UInt64(Self.shareMin) >= all
        let hasFallen = isWatched && 2 * had * all < UInt64(Self.windowCount) * before
        defer { isBlind[part.rawValue] = hasFallen }
        guard hasFallen, !isBlind[part.rawValue] else { return }
        raise(
            "\(part.name)",
            at: microseconds,
            "Of the last \(Self.windowCount) submissions, the log has the \(part.name) of \(had); "
                + "of 100 in the 7 days before them it had \(before * 100 / all)."
        )
    }

    // MARK: Time

    /// Time has moved on; nothing happens before ``slotEnd``.
    ///
    /// - Parameters:
    ///   - microseconds: since 1970, UTC.
    ///   - secondsEast: of the log's zone then, a multiple of five minutes.
    public mutating func move(to microseconds: Int64, secondsEast: Int64) {
        guard microseconds >= slotEnd else { return }
        let utc = floorDivide(microseconds, by: Self.slotMicroseconds).quotient
        let local = utc + floorDivide(secondsEast, by: 300).quotient
        defer { slotEnd = (utc + 1) * Self.slotMicroseconds }
        changes.isClock = true
        guard let last = slot else {
            begin(local)
            slot = (local, utc)
            return
        }
        // An hour that a clock change repeats counts as one; one that it leaves out is passed over.
        slot = (max(last.local, local), utc)
        guard local > last.local else { return }
        if slots[Self.place(of: last.local)] == 0 { silence += slotNorm }
        let passed = min(utc - last.utc, local - last.local, Int64(Self.slotCount))
        var next = local - passed + 1
        while next < local {
            begin(next)
            silence += slotNorm
            next += 1
        }
        begin(local)
        tellSilence(at: microseconds)
    }

    /// A slot begins: what is known of it at other times is looked up, and its count begins anew.
    private mutating func begin(_ local: Int64) {
        let place = Self.place(of: local)
        var sum: UInt64 = 0
        for day in 1...7 {
            sum += UInt64(slots[Self.place(of: local - Int64(day) * Self.slotsOfDay)])
        }
        slotNorm = min(sum, 7 * UInt64(slots[place]))
        guard slots[place] != 0 else { return }
        slots[place] = 0
        changes.days.insert(place / Int(Self.slotsOfDay))
    }

    private static func place(of local: Int64) -> Int {
        Int(floorDivide(local, by: Int64(slotCount)).remainder)
    }

    private mutating func tellSilence(at microseconds: Int64) {
        guard silence >= 7 * UInt64(Self.silenceCount), !silenceIsTold, let lastSubmission else {
            return
        }
        silenceIsTold = true
        raise(
            "silence",
            at: microseconds,
            "The log has had no submission since \(rfc3339(microseconds: lastSubmission)); at other "
                + "times it has \(silence / 7) in so long."
        )
    }

    private mutating func raise(_ what: String, at microseconds: Int64, _ message: String) {
        notices.append(
            Notice(
                name: "postern_blind",
                id: "postern_blind:\(what):\(microseconds)",
                microseconds: microseconds,
                severity: .high,
                message: message + " postern doctor tells what is missing and how to get it back."
            )
        )
    }
}
