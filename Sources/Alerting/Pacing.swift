public import Findings

/// When a sink may get messages: all of it off unless it is set.
public struct Pacing: Sendable, Hashable {
    /// So many in so long.
    public struct Quota: Sendable, Hashable {
        public var count: Int
        public var microseconds: Int64

        public init(count: Int, microseconds: Int64) {
            precondition(count > 0)
            precondition(microseconds > 0)
            self.count = count
            self.microseconds = microseconds
        }
    }

    /// Hours in which levels below one wait.
    public struct Quiet: Sendable, Hashable {
        /// Minutes of the day, by the clock of this machine; where the end is not later, it is that of
        /// the next day.
        public var startMinute: Int
        public var endMinute: Int
        public var below: Severity

        public init(startMinute: Int, endMinute: Int, below: Severity) {
            precondition((0..<1_440).contains(startMinute))
            precondition((0..<1_440).contains(endMinute))
            self.startMinute = startMinute
            self.endMinute = endMinute
            self.below = below
        }
    }

    /// What comes above it waits until it fits again, and goes out together.
    public var rate: Quota?
    /// All alerts of so many microseconds go out together.
    public var groupMicroseconds: Int64?
    /// When more than so many come, they and what follows wait for so long and go out together, and
    /// again as long as so many come.
    public var storm: Quota?
    public var quiet: Quiet?

    public init() {}

    public var isOff: Bool { self == Pacing() }
}

/// What was let through to one sink, as far as its ``Pacing`` needs to know. Pure: times come in.
struct PacingState: Sendable, Hashable {
    /// When the last alerts came, at most one more than a storm's number.
    private(set) var arrivals: [Int64] = []
    private(set) var stormEnd: Int64 = 0
    /// When the last messages went or are to go, at most the rate's number.
    private(set) var messages: [Int64] = []
    /// When it was last asked.
    private var last: Int64 = 0

    init() {}

    /// When an alert that comes now may go out.
    ///
    /// - Parameter secondsEast: of the machine's zone at a moment, in seconds since 1970.
    /// - Returns: µs since 1970, later than now; 0: at once.
    mutating func due(
        _ severity: Severity,
        _ pacing: Pacing,
        nowMicroseconds now: Int64,
        secondsEast: (Int64) -> Int
    ) -> Int64 {
        noteTime(now)
        var due = now
        if let quiet = pacing.quiet, severity < quiet.below {
            due = quiet.end(after: now, secondsEast)
        }
        if let storm = pacing.storm { due = max(due, waited(now, storm)) }
        if let group = pacing.groupMicroseconds {
            let (cell, _) = now.quotientAndRemainder(dividingBy: group)
            due = max(due, (cell + 1) * group)
        }
        if let rate = pacing.rate { due = slot(due, rate, now) }
        return due > now ? due : 0
    }

    /// The clock may have been set back: then all that was remembered goes back with it.
    private mutating func noteTime(_ now: Int64) {
        let step = last - now
        if step > 0 {
            arrivals = arrivals.map { $0 - step }
            messages = messages.map { $0 - step }
            stormEnd -= step
        }
        last = now
    }

    private mutating func waited(_ now: Int64, _ storm: Pacing.Quota) -> Int64 {
        arrivals.append(now)
        arrivals.removeFirst(max(0, arrivals.count - storm.count - 1))
        if now < stormEnd { return stormEnd }
        guard arrivals.count > storm.count, let first = arrivals.first,
            now - first < storm.microseconds
        else { return now }
        stormEnd = now + storm.microseconds
        return stormEnd
    }

    /// The time at which there is room for a message, which then is taken.
    private mutating func slot(
        _ wanted: Int64,
        _ rate: Pacing.Quota,
        _ now: Int64
    ) -> Int64 {
        // One that is still to go takes this alert along.
        if let last = messages.last, last >= wanted, last > now { return last }
        var time = wanted
        if messages.count >= rate.count {
            let oldest = messages[messages.count - rate.count]
            time = max(time, oldest + rate.microseconds)
        }
        messages.append(time)
        messages.removeFirst(max(0, messages.count - rate.count))
        return time
    }
}

extension Pacing.Quiet {
    /// The end of the quiet hours that `now` is in; `now` when it is in none.
    fileprivate func end(after now: Int64, _ secondsEast: (Int64) -> Int) -> Int64 {
        let seconds = now / 1_000_000
        let local = seconds + Int64(secondsEast(seconds))
        let day = local - local % 86_400
        let ofDay = Int(local % 86_400)
        let (start, end) = (startMinute * 60, endMinute * 60)
        let isOverMidnight = end <= start
        let isWithin =
            isOverMidnight ? ofDay >= start || ofDay < end : ofDay >= start && ofDay < end
        guard isWithin else { return now }
        let isNextDay = isOverMidnight && ofDay >= start
        let localEnd = day + Int64(end) + (isNextDay ? 86_400 : 0)
        // The zone at the end, where the clock was set in between.
        let guess = localEnd - Int64(secondsEast(seconds))
        return (localEnd - Int64(secondsEast(guess))) * 1_000_000
    }
}

// MARK: Stored

extension PacingState {
    /// As the state keeps it.
    func text() -> String {
        func list(_ times: [Int64]) -> String { times.map { "\($0)" }.joined(separator: ",") }
        return "\(stormEnd);\(list(arrivals));\(list(messages));\(last)"
    }

    /// Nothing was let through where the text is none of ours.
    init(text: String) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false)
        // Former versions did not keep when they were last asked.
        guard (3...4).contains(parts.count), let end = Int64(parts[0]) else { return }
        if parts.count == 4 { last = Int64(parts[3]) ?? 0 }
        stormEnd = end
        arrivals = parts[1].split(separator: ",").compactMap { Int64($0) }
        messages = parts[2].split(separator: ",").compactMap { Int64($0) }
    }
}
