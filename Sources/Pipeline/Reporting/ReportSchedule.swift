public import MailLog
import SafeText

/// When a report goes to a sink, by the clock of a zone: what the settings say under `reports`.
public struct ReportSchedule: Sendable, Hashable {
    public enum Period: Sendable, Hashable {
        case day
        /// On a day of the week: 0 is Monday.
        case week(on: Int)
        /// On a day of the month: 1 to 28, which every month has.
        case month(on: Int)
    }

    /// A day on which a report goes out, and what it is about.
    public struct Turn: Sendable, Hashable {
        /// Days since 1970 in the zone.
        public var day: Int
        /// When it goes out: microseconds since 1970, UTC.
        public var dueMicroseconds: Int64
        /// The whole days before it: from the begin of the first to that of ``day``.
        public var sinceMicroseconds: Int64
        public var untilMicroseconds: Int64
    }

    /// ``Sink/name``.
    public var sink: String
    public var period: Period
    /// Minutes since midnight.
    public var minute: Int

    public init(sink: String, period: Period, minute: Int) {
        switch period {
        case .day: break
        case .week(let day): precondition((0..<7).contains(day))
        case .month(let day): precondition((1...28).contains(day))
        }
        precondition((0..<1_440).contains(minute))
        self.sink = sink
        self.period = period
        self.minute = minute
    }

    /// The last turn that is due at a time.
    ///
    /// - Parameter now: microseconds since 1970, UTC.
    public func last(at now: Int64, _ zone: ZoneRules) -> Turn {
        let now = Self.held(now)
        var day = zone.day(now) + 1
        // A month and a day have a turn of every period.
        while true {
            if isOn(day), zone.moment(ofDay: day, minute: minute) <= now {
                return turn(on: day, zone)
            }
            day -= 1
        }
    }

    /// When the first turn after a time is due: microseconds since 1970, UTC.
    public func next(after now: Int64, _ zone: ZoneRules) -> Int64 {
        let now = Self.held(now)
        var day = zone.day(now) - 1
        while true {
            if isOn(day) {
                let due = zone.moment(ofDay: day, minute: minute)
                if due > now { return due }
            }
            day += 1
        }
    }

    /// From 1970 on, for some thousands of years.
    private static func held(_ now: Int64) -> Int64 { max(0, min(now, 300_000_000_000_000_000)) }

    private func turn(on day: Int, _ zone: ZoneRules) -> Turn {
        Turn(
            day: day,
            dueMicroseconds: zone.moment(ofDay: day, minute: minute),
            sinceMicroseconds: zone.moment(ofDay: dayBefore(day), minute: 0),
            untilMicroseconds: zone.moment(ofDay: day, minute: 0)
        )
    }

    private func isOn(_ day: Int) -> Bool {
        switch period {
        case .day: true
        // 1970-01-01 was a Thursday.
        case .week(let weekday): floorDivide(Int64(day) + 3, by: 7).remainder == Int64(weekday)
        case .month(let number): civilDate(daysSince1970: day).day == number
        }
    }

    /// The day of the turn before that of a day.
    private func dayBefore(_ day: Int) -> Int {
        switch period {
        case .day: return day - 1
        case .week: return day - 7
        case .month:
            let (year, month, number) = civilDate(daysSince1970: day)
            return daysSince1970(
                year: month == 1 ? year - 1 : year,
                month: month == 1 ? 12 : month - 1,
                day: number
            )
        }
    }

    /// `day`, `week` or `month`.
    public var word: String {
        switch period {
        case .day: "day"
        case .week: "week"
        case .month: "month"
        }
    }

    /// Names the schedule in the state: another time of the day is another schedule.
    var key: String {
        let on =
            switch period {
            case .day: 0
            case .week(let day), .month(let day): day
            }
        return "\(word) \(on) \(minute) \(sink)"
    }
}

extension ZoneRules {
    private static let secondsOfDay: Int64 = 86_400
    /// What a day is held within: years that the C library's zones know, with room.
    private static let dayMax: Int64 = 4_000_000

    /// The day by the zone's clock, since 1970.
    func day(_ microseconds: Int64) -> Int {
        let seconds = floorDivide(microseconds, by: 1_000_000).quotient
        let day = floorDivide(seconds &+ secondsEast(seconds), by: Self.secondsOfDay).quotient
        return Int(max(-Self.dayMax, min(day, Self.dayMax)))
    }

    /// The first moment at which the zone's clock shows a time of a day, or a later one if it passes
    /// over it: microseconds since 1970, UTC.
    ///
    /// The clock is taken to be set at most once in three days.
    func moment(ofDay day: Int, minute: Int) -> Int64 {
        let day = max(-Self.dayMax, min(Int64(day), Self.dayMax))
        let local = day * Self.secondsOfDay + Int64(minute) * 60
        // No zone is farther from UTC than 14 hours, so that these are before and after it.
        let (early, late) = (local - 26 * 3_600, local + 26 * 3_600)
        let (before, after) = (secondsEast(early), secondsEast(late))
        if secondsEast(local - before) == before { return (local - before) * 1_000_000 }
        if secondsEast(local - after) == after { return (local - after) * 1_000_000 }
        // Passed over: the moment at which the clock was set.
        var (low, high) = (early, late)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if secondsEast(middle) == before { low = middle } else { high = middle }
        }
        return high * 1_000_000
    }
}
