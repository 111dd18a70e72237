import Alerting
import Detection
import Findings
import LinuxIO
import MailLog
import Records
import RingBuffer
import SafeText
import State

/// The daemon's reports: when the next is due, and the one that is being made.
struct ReportDesk: Sendable {
    var timer: ReportTimer
    let feed: ReportFeed
    /// When to look again: monotonic nanoseconds; nil: nobody wants reports.
    fileprivate(set) var wakeAt: UInt64?
    /// Since when something is due that waits for the sources: monotonic nanoseconds.
    fileprivate var dueSince: UInt64?
    /// Since when the sources are read to their ends: what they said is committed soon after.
    fileprivate var readSince: UInt64?

    init(zone: ZoneRules, bell: Bell) {
        timer = ReportTimer(zone: zone)
        feed = ReportFeed(bell: bell)
    }
}

extension Daemon {
    private static let metaKey = "reports"
    /// The time of day may be set: it is looked at so often.
    private static let lookNanoseconds: UInt64 = 300_000_000_000
    /// What old logs have to say is waited for so long.
    private static let waitNanoseconds: UInt64 = 1_800_000_000_000
    private static let waitStepNanoseconds: UInt64 = 500_000_000
    /// What is taken in is committed in this time.
    private static let settleNanoseconds: UInt64 = 2_000_000_000
    /// A log that comes as it is written is so young.
    private static let liveMicroseconds: Int64 = 10_000_000

    /// Goes on with what earlier runs sent.
    mutating func startReports() throws(DaemonError) {
        do {
            if let stored = try store.meta(Self.metaKey), !stored.isEmpty {
                try reports.timer.restore(stored)
            }
        } catch let error as StateError {
            throw .state(error)
        } catch let error as BinaryReadError {
            throw .stored(StoredStateError(piece: "reports", cause: error))
        } catch {
            preconditionFailure("all errors are typed")
        }
        useReports()
    }

    /// Puts the schedules of the settings in force.
    mutating func useReports() {
        let before = reports.timer.stored
        reports.timer.use(configuration.reports, now: Clocks.realtimeMicroseconds())
        reports.dueSince = nil
        reports.readSince = nil
        reports.wakeAt = configuration.reports.isEmpty ? nil : 0
        guard reports.timer.stored != before else { return }
        // With the next commit: lost in a crash, the schedule begins when the next run does.
        output.changes.setMeta(Self.metaKey, reports.timer.stored.span)
        hasUncommitted = true
    }

    /// Has made what is due, and puts into the outbox what was made.
    ///
    /// - Parameter isCaughtUp: whether the sources are read to their ends: what they have to say is
    ///   part of a report that is late.
    mutating func goOnWithReports(isCaughtUp: Bool, _ dispatcher: Dispatcher) {
        guard let wakeAt = reports.wakeAt else { return }
        let now = Clocks.monotonicNanoseconds()
        if reports.feed.isReady { send(reports.feed.take(), now, dispatcher) }
        guard now >= wakeAt, !reports.feed.isBusy else { return }
        let time = Clocks.realtimeMicroseconds()
        let due = reports.timer.due(now: time)
        guard !due.isEmpty, let make = configuration.makeReport else {
            reports.dueSince = nil
            reports.readSince = nil
            let next = reports.timer.next(after: time) ?? .max
            let wait = UInt64(max(0, next &- time)).multipliedReportingOverflow(by: 1_000)
            reports.wakeAt =
                now &+ min(wait.overflow ? .max : wait.partialValue, Self.lookNanoseconds)
            return
        }
        let since = reports.dueSince ?? now
        reports.dueSince = since
        let isFresh = engine.detector.now > time - Self.liveMicroseconds
        if isCaughtUp || isFresh { reports.readSince = reports.readSince ?? now }
        let isRead = reports.readSince.map { now &- $0 >= Self.settleNanoseconds } ?? false
        guard isRead || now &- since > Self.waitNanoseconds else {
            reports.wakeAt = now &+ Self.waitStepNanoseconds
            return
        }
        let orders = due.map { schedule, turn in
            ReportOrder(
                id: ReportTimer.id(schedule, dueMicroseconds: turn.dueMicroseconds),
                schedule: schedule,
                dueMicroseconds: turn.dueMicroseconds,
                sinceMicroseconds: turn.sinceMicroseconds,
                untilMicroseconds: turn.untilMicroseconds,
                zone: engine.zone,
                zoneName: configuration.engine.timeZone.name,
                host: configuration.host,
                pseudonyms: output.pseudonymousSinks.covers(schedule.sink) ? output.pseudonyms : nil
            )
        }
        reports.feed.start(orders, make)
        // If it fails.
        reports.wakeAt = now &+ Self.lookNanoseconds
    }

    private mutating func send(_ made: [ReportFeed.Made], _ now: UInt64, _ dispatcher: Dispatcher) {
        // A reload may have taken a schedule away meanwhile.
        for made in made where reports.timer.schedules.contains(made.order.schedule) {
            let schedule = made.order.schedule
            switch made.result {
            case .failure(let error):
                tell(.reportFailed(sink: schedule.sink, error: error.description))
            case .success(let body):
                var timer = reports.timer
                timer.sent(schedule, dueMicroseconds: made.order.dueMicroseconds)
                var changes = Changes()
                changes.addDispatch(
                    NewDispatch(
                        alert: made.order.id,
                        sequence: 0,
                        sink: schedule.sink,
                        severity: Severity.informational.rawValue,
                        isNotice: true,
                        body: body,
                        createdMicroseconds: Clocks.realtimeMicroseconds(),
                        dueMicroseconds: 0
                    )
                )
                changes.setMeta(Self.metaKey, timer.stored.span)
                do {
                    // Both or none: a crash neither loses nor repeats it.
                    try store.commit(changes, durable: true)
                } catch {
                    tell(.reportFailed(sink: schedule.sink, error: shown("\(error)")))
                    continue
                }
                reports.timer = timer
                reports.wakeAt = now
                dispatcher.wake()
                tell(.reportMade(sink: schedule.sink, every: schedule.word))
            }
        }
    }
}
