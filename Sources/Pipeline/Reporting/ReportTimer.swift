import Crypto
public import Findings
public import MailLog
import Records
import SafeText

/// A report that is to be made.
public struct ReportOrder: Sendable {
    /// Names it in the outbox: the same for the same turn of the same schedule.
    public var id: String
    public var schedule: ReportSchedule
    /// Microseconds since 1970, UTC.
    public var dueMicroseconds: Int64
    public var sinceMicroseconds: Int64
    public var untilMicroseconds: Int64
    /// By whose clock it is.
    public var zone: ZoneRules
    public var zoneName: String
    public var host: String
    /// Names are exchanged for these, if given.
    public var pseudonyms: Pseudonyms?
}

/// Which reports are due, each once, over restarts and reloads.
///
/// Pure: times come in. What was sent last is remembered by the schedule's ``ReportSchedule/key``, so
/// that a schedule that is new, or changed, begins with its next turn.
struct ReportTimer {
    /// A report that was not sent in time has what was missed in it, at most so much.
    static let missedMicrosecondsMax: Int64 = 92 * 86_400_000_000
    /// A clock that was wrong by more than this holds no report up once it is right again.
    private static let stepMicrosecondsMax: Int64 = 2 * 86_400_000_000

    private(set) var schedules: [ReportSchedule] = []
    private let zone: ZoneRules
    /// When the last turn of each was due, or the schedule began: microseconds.
    private var last: [String: Int64] = [:]

    init(zone: ZoneRules) { self.zone = zone }

    /// Puts the schedules of the settings in force.
    mutating func use(_ schedules: [ReportSchedule], now: Int64) {
        self.schedules = schedules
        var known: [String: Int64] = [:]
        for schedule in schedules { known[schedule.key] = last[schedule.key] ?? now }
        last = known
    }

    /// The turns that are due and were not sent: at most one of each schedule.
    mutating func due(now: Int64) -> [(schedule: ReportSchedule, turn: ReportSchedule.Turn)] {
        var due: [(ReportSchedule, ReportSchedule.Turn)] = []
        for schedule in schedules {
            guard let last = last[schedule.key] else { continue }
            if last > now &+ Self.stepMicrosecondsMax { self.last[schedule.key] = now }
            var turn = schedule.last(at: now, zone)
            guard turn.dueMicroseconds > last else { continue }
            // Turns that nobody was there for are in it too.
            let missed = zone.moment(ofDay: zone.day(last), minute: 0)
            turn.sinceMicroseconds = max(
                min(turn.sinceMicroseconds, missed),
                turn.untilMicroseconds - Self.missedMicrosecondsMax
            )
            due.append((schedule, turn))
        }
        return due
    }

    /// When something will be due, if nothing is now: microseconds; nil: never.
    func next(after now: Int64) -> Int64? {
        schedules.map { $0.next(after: now, zone) }.min()
    }

    mutating func sent(_ schedule: ReportSchedule, dueMicroseconds: Int64) {
        guard let before = last[schedule.key] else { return }
        last[schedule.key] = max(before, dueMicroseconds)
    }

    /// What the IDs of reports begin with.
    static let prefix = "report-"

    static func id(_ schedule: ReportSchedule, dueMicroseconds: Int64) -> String {
        let name = Array("\(schedule.key)\n\(dueMicroseconds)".utf8)
        return prefix + base32(Array(SHA256.hash(data: name).prefix(16)))
    }

    // MARK: Stored form

    /// Version 1.
    var stored: [UInt8] {
        var writer = BinaryWriter()
        writer.write(UInt8(1))
        writer.write(UInt32(last.count))
        for (key, time) in last.sorted(by: { $0.key < $1.key }) {
            writer.write(key)
            writer.write(time)
        }
        return writer.bytes
    }

    /// Takes in what ``stored`` gave, before schedules are put in force.
    mutating func restore(_ bytes: [UInt8]) throws(BinaryReadError) {
        var reader = BinaryReader(bytes)
        guard try reader.read(UInt8.self) == 1 else {
            throw BinaryReadError(offset: 0, expected: "version 1")
        }
        var known: [String: Int64] = [:]
        for _ in 0..<(try reader.read(UInt32.self)) {
            let key = try reader.readString()
            known[key] = try reader.read(Int64.self)
        }
        try reader.finish()
        last = known
    }
}
