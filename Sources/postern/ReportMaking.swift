import Alerting
import LinuxIO
import MailLog
import Pipeline
import Reports
import SafeText
import Settings
import State
import SystemPackage

/// What a state has of a stretch of time.
///
/// - Parameter limit: alerts that are read; those beyond it are not counted.
func overview(
    _ store: StateReader,
    since: Int64,
    until: Int64,
    host: String,
    zone: Overview.Zone,
    limit: Int
) throws -> Overview {
    var days: [Overview.SourceDay] = []
    var hours: [Overview.Hour] = []
    var ledger = Pipeline.Continuity()
    do {
        try ledger.restore(from: store)
        hours = try LogHour.all(in: store).map(Overview.Hour.init)
    } catch {
        switch error {
        case .state(let error): throw Failure(reading: error)
        case .stored(let error):
            throw Failure(.failed, shown("\(store.folder): \(error)"), wayOutOfDamage)
        }
    }
    for day in ledger.allDays() {
        days.append(
            Overview.SourceDay(
                source: day.source,
                day: day.day,
                lines: day.counts.lines,
                gaps: day.gaps.filter(\.kind.isLoss).map { gap in
                    "\(gap.kind.name): \(gap.sentence)"
                        + (gap.detail.isEmpty ? "" : ": " + gap.detail)
                }
            )
        )
    }
    do {
        let rows = try store.alerts(changedSinceMicroseconds: since, limit: limit)
        // One that began later is the next report's.
        let alerts = rows.filter { $0.openedMicroseconds < until }
            .compactMap { try? AlertFacts(json: $0.body) }
        var overview = Overview(
            alerts,
            hours: hours,
            days: days,
            since: since,
            until: until,
            host: host,
            zone: zone
        )
        overview.isCut = rows.count == limit
        return overview
    } catch {
        throw Failure(reading: error)
    }
}

extension Overview.Hour {
    fileprivate init(_ hour: LogHour) {
        self.init(microseconds: hour.startMicroseconds)
        submissions = Int(clamping: hour.submissions)
        subjects = Int(clamping: hour.subjects)
        recipients = Int(clamping: hour.recipients)
        sends = Int(clamping: hour.sends)
        receipts = Int(clamping: hour.receipts)
        unseen = Int(clamping: hour.unseen)
        settled = Int(clamping: hour.settled)
        unsettled = Int(clamping: hour.unsettled)
    }
}

/// Makes the daemon's reports of what its state has.
///
/// - Returns: what the sink gets.
func makeReport(_ order: ReportOrder, folder: FilePath) throws(ReportError) -> [UInt8] {
    do {
        var overview = try overview(
            try readState(folder),
            since: order.sinceMicroseconds,
            until: order.untilMicroseconds,
            host: order.host,
            zone: Overview.Zone(name: order.zoneName, secondsEast: order.zone.secondsEast),
            limit: reportedAlertsMax
        )
        overview.name =
            switch order.schedule.period {
            case .day: "Daily report"
            case .week: "Weekly report"
            case .month: "Monthly report"
            }
        if let pseudonyms = order.pseudonyms { overview = overview.withPseudonyms(pseudonyms) }
        return overview.dispatchBody(id: order.id, microseconds: order.dueMicroseconds)
    } catch let failure as Failure {
        throw ReportError(description: failure.messages.joined(separator: "; "))
    } catch {
        throw ReportError(description: shown("\(error)"))
    }
}

/// Alerts that a report reads at most: a flood of them takes no memory that the daemon has not.
private let reportedAlertsMax = 5_000

extension CheckedSettings {
    /// The reports as the daemon needs them: one schedule for each sink.
    var reportSchedules: [ReportSchedule] {
        reports.flatMap { report in
            let period: ReportSchedule.Period =
                switch report.period {
                case .day: .day
                case .week(let day): .week(on: day)
                case .month(let day): .month(on: day)
                }
            return sinks(of: report).map {
                ReportSchedule(sink: $0.name, period: period, minute: report.minute)
            }
        }
    }
}
