public import Records
import SafeText

/// The rules of a time zone, as a pure function; who calls takes them from the tz database.
public struct ZoneRules: Sendable {
    /// Seconds east of UTC at a moment given in seconds since 1970, UTC.
    public let secondsEast: @Sendable (Int64) -> Int64

    public init(secondsEast: @escaping @Sendable (Int64) -> Int64) {
        self.secondsEast = secondsEast
    }

    public static let utc = ZoneRules { _ in 0 }
}

/// Gives every stamp of one source its moment: the year that RFC 3164 leaves out, the zone, and
/// which of two passes an hour is that a clock change repeats.
///
/// Deterministic: the result depends on the stamps so far, the settings and the hint of the file,
/// never on a clock.
public struct TimeResolver: Sendable {
    private let zone: ZoneRules
    /// The year that the user gave for the first record.
    private let firstYear: Int?
    private var hint = TimeHint.none
    /// The year of the last stamp; nil before the first.
    private var year: Int?
    private var month = 0
    /// The last moment: microseconds.
    private var last: Int64 = 0
    /// A new file began: its own hint decides about the year of its first stamp.
    private var startsFile = true
    /// Within an hour that comes twice, and already in its second pass.
    private var isSecondPass = false

    private var cachedDate = -1
    private var cachedHour = -1
    /// Microseconds at the start of the cached hour.
    private var cachedBase: Int64 = 0
    private var isCacheValid = false
    /// Hours since 1970 of the zone's clock, and the moment at which that hour began.
    private var cachedLocalHour = -1
    private var cachedLocalBase: Int64 = 0

    public init(zone: ZoneRules, firstYear: Int?) {
        self.zone = zone
        self.firstYear = firstYear
    }

    /// The stamps that follow are of another file.
    public mutating func beginFile(_ hint: TimeHint) {
        self.hint = hint
        startsFile = true
    }

    /// The moment of a stamp: microseconds since 1970, UTC. Nil if its year cannot be known.
    ///
    /// - Parameter observed: when the line was read: microseconds since 1970; only for live sources.
    @inline(__always)
    public mutating func resolve(_ stamp: Stamp, observed: Int64) -> Int64? {
        if !stamp.isYearless {
            if stamp.isLocal { return resolveLocal(stamp) }
            last = stamp.microseconds
            return last
        }
        let hour = stamp.secondOfDay / 3_600
        if stamp.date == cachedDate, hour == cachedHour, isCacheValid, !startsFile {
            last = cachedBase + Int64(stamp.secondOfDay - hour * 3_600) * 1_000_000
            return last
        }
        return resolveAnew(stamp, hour: hour, observed: observed)
    }

    private mutating func resolveAnew(_ stamp: Stamp, hour: Int, observed: Int64) -> Int64? {
        guard let stampYear = year(of: stamp, observed: observed) else { return nil }
        let days = daysSince1970(year: stampYear, month: stamp.month, day: stamp.day)
        let local = Int64(days) * 86_400 + Int64(stamp.secondOfDay)
        let (seconds, isRepeated) = moment(ofLocal: local)
        cachedDate = stamp.date
        cachedHour = hour
        cachedBase = (seconds - Int64(stamp.secondOfDay - hour * 3_600)) * 1_000_000
        // Within an hour that comes twice, and where the offset changes, each stamp is looked at.
        isCacheValid = !isRepeated && isSameOffset(seconds, hourOf: stamp.secondOfDay)
        last = seconds * 1_000_000
        return last
    }

    /// A stamp that lacks nothing but its zone.
    private mutating func resolveLocal(_ stamp: Stamp) -> Int64 {
        let (local, fraction) = floorDivide(stamp.microseconds, by: 1_000_000)
        let hour = Int(local / 3_600)
        if hour == cachedLocalHour {
            last = cachedLocalBase + stamp.microseconds - Int64(hour) * 3_600_000_000
            return last
        }
        let (seconds, isRepeated) = moment(ofLocal: local)
        let second = local - Int64(hour) * 3_600
        let isSame = isSameOffset(seconds, hourOf: Int(local % 86_400))
        cachedLocalHour = !isRepeated && isSame ? hour : -1
        cachedLocalBase = (seconds - second) * 1_000_000
        last = seconds * 1_000_000 + fraction
        return last
    }

    private func isSameOffset(_ seconds: Int64, hourOf secondOfDay: Int) -> Bool {
        let start = seconds - Int64(secondOfDay % 3_600)
        return zone.secondsEast(start) == zone.secondsEast(start + 3_599)
    }

    // MARK: Year

    private mutating func year(of stamp: Stamp, observed: Int64) -> Int? {
        if startsFile {
            startsFile = false
            if let chosen = yearOfFirst(stamp, observed: observed) {
                year = chosen
                month = stamp.month
                return chosen
            }
        }
        guard let current = year else { return nil }
        // Over New Year the month falls; a late line of December after it is of the year before.
        let step = stamp.month - month
        if step <= -6 {
            year = current + 1
            month = stamp.month
            return current + 1
        }
        if step >= 6 { return current - 1 }
        month = stamp.month
        return current
    }

    /// The year of a file's first stamp: by `--year`, by earlier stamps that name theirs, by what the
    /// file says of itself (architecture §6).
    private func yearOfFirst(_ stamp: Stamp, observed: Int64) -> Int? {
        if let firstYear, year == nil { return firstYear }
        if firstYear != nil { return nil }  // goes on from the file before
        if year == nil, last != 0 { return latestYear(of: stamp, before: last / 1_000_000) }
        switch hint {
        case .nameDate(let seconds), .gzipTime(let seconds), .modified(let seconds):
            return latestYear(of: stamp, before: seconds)
        case .observed:
            return year == nil ? latestYear(of: stamp, before: observed / 1_000_000) : nil
        case .none:
            return nil
        }
    }

    /// The latest year that puts the stamp at most one day after `seconds`.
    private func latestYear(of stamp: Stamp, before seconds: Int64) -> Int {
        let limit = seconds + 86_400
        let (days, _) = floorDivide(limit, by: 86_400)
        var candidate = civilDate(daysSince1970: Int(days)).year
        for _ in 0..<9 {
            let isLeap = candidate % 4 == 0 && (candidate % 100 != 0 || candidate % 400 == 0)
            let day = daysSince1970(year: candidate, month: stamp.month, day: stamp.day)
            let local = Int64(day) * 86_400 + Int64(stamp.secondOfDay)
            if local - zone.secondsEast(local) <= limit,
                isLeap || stamp.month != 2 || stamp.day != 29
            {
                return candidate
            }
            candidate -= 1
        }
        return candidate
    }

    // MARK: Zone

    /// The moment of a local time, and whether that local time comes twice.
    ///
    /// In the hour that a clock change repeats, the second pass begins when the first would be a step
    /// back of 55 minutes or more, and lasts to the end of that hour. A local time that a change leaves out counts with the offset
    /// before the change.
    private mutating func moment(ofLocal local: Int64) -> (seconds: Int64, isRepeated: Bool) {
        let before = zone.secondsEast(local - 86_400)
        let after = zone.secondsEast(local + 86_400)
        guard before != after else {
            isSecondPass = false
            return (local - before, false)
        }
        let first = local - before
        let second = local - after
        let isFirst = zone.secondsEast(first) == before
        let isSecond = zone.secondsEast(second) == after
        switch (isFirst, isSecond) {
        case (true, true):
            if last / 1_000_000 - first >= 3_300 { isSecondPass = true }
            return (isSecondPass ? second : first, true)
        case (false, true):
            isSecondPass = false
            return (second, false)
        case (true, false), (false, false):
            isSecondPass = false
            return (first, false)
        }
    }

    // MARK: Stored form

    public func write(to writer: inout BinaryWriter) {
        writer.write(Int64(year ?? -1))
        writer.write(UInt8(month))
        writer.write(last)
        writer.write(startsFile)
        writer.write(isSecondPass)
    }

    public mutating func restore(from reader: inout BinaryReader) throws(BinaryReadError) {
        let storedYear = try reader.read(Int64.self)
        year = storedYear < 0 ? nil : Int(storedYear)
        month = Int(try reader.read(UInt8.self))
        last = try reader.read(Int64.self)
        startsFile = try reader.readBool()
        isSecondPass = try reader.readBool()
        isCacheValid = false
    }
}
