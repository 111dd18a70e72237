// Reports that go to sinks from time to time: a list of maps.

extension CheckedSettings {
    /// A report of the days before, and where and when it goes.
    public struct Report: Sendable, Hashable {
        public enum Period: Sendable, Hashable {
            case day
            /// 0 is Monday.
            case week(on: Int)
            /// 1 to 28.
            case month(on: Int)
        }
        public var period = Period.week(on: 0)
        /// Since midnight, by the clock of ``CheckedSettings/timezone``.
        public var minute = 7 * 60
        /// Names of sinks, or the word before the colon in them.
        public var to: [String] = []

        public static let weekdays = [
            "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
        ]
    }

    /// The sinks that a report goes to.
    public func sinks(of report: Report) -> [Sink] {
        sinks.filter { sink in report.to.contains { Self.isName($0, of: sink) } }
    }

    static func isName(_ name: String, of sink: Sink) -> Bool {
        sink.name == name || sink.name.hasPrefix(name + ":")
    }
}

/// What the keys of one item of `reports` say.
private struct ReportItem {
    enum Every { case day, week, month }
    enum On: Hashable {
        case weekday(Int)
        case number(Int)
    }
    var every = Every.week
    var on: Placed<On>?
    var minute = CheckedSettings.Report().minute
    var to: [String] = []
}

extension Reading<[CheckedSettings.Report]> {
    static var reports: Reading {
        let name = Reading<String>.text("the name of a sink").noted(under: "reports.to")
        let minute = Reading<Int> { tree, reader in
            guard let minute = (tree.scalar?.text).flatMap({ minuteOfDay($0[...]) }) else {
                reader.expected("a time of the day such as \"07:00\"", at: tree)
                return nil
            }
            return minute
        }
        let table = KeyTable<ReportItem>([
            Key(
                "every",
                \.every,
                .choice("a period", [("day", .day), ("week", .week), ("month", .month)])
            ),
            Key("on", \.on, Reading<ReportItem.On>.on.placed()),
            Key("at", \.minute, minute),
            Key("to", \.to, name.oneOrMore("sinks")),
        ])
        return Reading { tree, reader in
            guard !tree.isNull else { return nil }
            guard case .list(let items) = tree.content, items.count <= 100 else {
                reader.expected("a list of reports such as `- { every: week, to: mail }`", at: tree)
                return nil
            }
            var reports: [CheckedSettings.Report] = []
            for tree in items {
                let mistakesBefore = reader.mistakes.count
                var item = ReportItem()
                table.read(tree, into: &item, &reader)
                guard reader.mistakes.count == mistakesBefore else { continue }
                guard !item.to.isEmpty else {
                    reader.expected("`to:`, the sink that gets the report", at: tree)
                    continue
                }
                guard let period = item.period else {
                    let place = item.on?.place ?? tree.place
                    reader.refuse(item.wrongDay, at: place)
                    continue
                }
                reader.places[Mention(key: "reports", word: "\(reports.count)")] = tree.place
                reports.append(
                    CheckedSettings.Report(period: period, minute: item.minute, to: item.to)
                )
            }
            return reports
        }
    }
}

extension ReportItem {
    /// Nil when the day is not one of the period.
    var period: CheckedSettings.Report.Period? {
        switch (every, on?.value) {
        case (.day, nil): .day
        case (.week, nil): .week(on: 0)
        case (.week, .weekday(let day)): .week(on: day)
        case (.month, nil): .month(on: 1)
        case (.month, .number(let day)): .month(on: day)
        case (.day, _), (.week, .number), (.month, .weekday): nil
        }
    }

    var wrongDay: String {
        switch every {
        case .day: "no `on:` was expected with `every: day`"
        case .week: "a day of the week such as `monday` was expected with `every: week`"
        case .month: "a day of the month from 1 to 28 was expected with `every: month`"
        }
    }
}

extension Reading<ReportItem.On> {
    fileprivate static var on: Reading {
        let days = CheckedSettings.Report.weekdays
        let words = days.enumerated().map { ($0.element, ReportItem.On.weekday($0.offset)) }
        let weekday = Reading.choice("a day of the week, or of the month from 1 to 28,", words)
        return Reading { tree, reader in
            guard let scalar = tree.scalar, scalar.value == .number else {
                return weekday.read(tree, &reader)
            }
            return Reading<Int>.count(1...28).read(tree, &reader).map { .number($0) }
        }
    }
}

extension CheckedSettings {
    /// What a report and its sinks say together.
    func checkReports(_ reader: inout SettingsReader) {
        var seen: Set<String> = []
        for (index, report) in reports.enumerated() {
            for name in report.to {
                let place = reader.places[Mention(key: "reports.to", word: name)] ?? .start
                let named = sinks.filter { Self.isName(name, of: $0) }
                if named.isEmpty {
                    reader.refuse(
                        "the name of a sink was expected, found \(quoted(name)); there are "
                            + sinks.map { "`\($0.name)`" }.joined(separator: ", "),
                        at: place
                    )
                }
                for sink in named where !sink.takesReports {
                    reader.refuse(
                        "a sink that takes reports was expected, found \(quoted(sink.name)): "
                            + "`mail:`, `exec:`, and `webhook:` but for Alertmanager and PagerDuty do",
                        at: place
                    )
                }
            }
            let place = reader.places[Mention(key: "reports", word: "\(index)")] ?? .start
            for sink in sinks(of: report)
            where !seen.insert("\(report.every) \(sink.name)").inserted {
                reader.refuse(
                    "the sink \(quoted(sink.name)) has a report for every \(report.every) already",
                    at: place
                )
            }
        }
    }
}

extension CheckedSettings.Sink {
    /// Whether a page or a sentence about a week means something there.
    fileprivate var takesReports: Bool {
        switch kind {
        case .mail, .command: true
        case .webhook(let webhook):
            webhook.format != .alertmanager && webhook.format != .pagerduty
        case .syslog, .standardOutput: false
        }
    }
}

extension CheckedSettings.Report {
    /// `day`, `week` or `month`.
    var every: String {
        switch period {
        case .day: "day"
        case .week: "week"
        case .month: "month"
        }
    }
}
