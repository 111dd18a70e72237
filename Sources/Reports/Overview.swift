public import Alerting
public import Findings
import SafeText

/// What happened in a stretch of time: what was sent, every alert that changed, what the log told, and
/// what was not read of it.
public struct Overview: Sendable {
    /// Counts of an hour of the log.
    public struct Hour: Sendable, Hashable {
        /// Its begin: microseconds since 1970, UTC.
        public var microseconds: Int64
        /// Messages that a login submitted, and how many of them had a subject and a recipient.
        public var submissions = 0
        public var subjects = 0
        public var recipients = 0
        /// Each recipient of a submission by itself.
        public var sends = 0
        public var receipts = 0
        /// To a domain that the account had neither written to nor heard from.
        public var unseen = 0
        /// Sends that ended with an outcome, and without.
        public var settled = 0
        public var unsettled = 0

        public init(microseconds: Int64) { self.microseconds = microseconds }

        static func += (left: inout Hour, right: Hour) {
            left.submissions += right.submissions
            left.subjects += right.subjects
            left.recipients += right.recipients
            left.sends += right.sends
            left.receipts += right.receipts
            left.unseen += right.unseen
            left.settled += right.settled
            left.unsettled += right.unsettled
        }
    }

    /// What was read of a source on a day, and what was not.
    public struct SourceDay: Sendable, Hashable {
        public var source: String
        /// Days since 1970 by the log's clock.
        public var day: Int
        public var lines: Int
        /// Each gap in a sentence; text of whatever origin.
        public var gaps: [String]

        public init(source: String, day: Int, lines: Int, gaps: [String]) {
            self.source = source
            self.day = day
            self.lines = lines
            self.gaps = gaps
        }
    }

    /// By whose clock days are told.
    public struct Zone: Sendable {
        public var name: String
        /// At a moment in seconds since 1970, UTC.
        public var secondsEast: @Sendable (Int64) -> Int64

        public init(name: String, secondsEast: @escaping @Sendable (Int64) -> Int64) {
            self.name = name
            self.secondsEast = secondsEast
        }

        public static let utc = Zone(name: "UTC") { _ in 0 }
    }

    /// `Weekly report`; how it is called.
    public var name = "Report"
    /// The alerts as they stand, the latest first.
    public var alerts: [AlertFacts]
    /// Microseconds since 1970, UTC.
    public var since: Int64
    public var until: Int64
    public var host: String
    /// Alerts beyond those that are told.
    public var leftOut: Int
    /// There were more alerts than were read.
    public var isCut = false
    public private(set) var hours: [Hour] = []
    public private(set) var days: [SourceDay] = []
    public private(set) var zone = Zone.utc

    public static let alertsMax = 1_000
    private static let sourcesMax = 60
    private static let gapsMax = 60
    private static let accountsMax = 50

    /// - Parameters:
    ///   - hours: what is outside of the time is left out.
    ///   - days: in the order of time; what is outside is left out.
    public init(
        _ alerts: [AlertFacts],
        hours: [Hour] = [],
        days: [SourceDay] = [],
        since: Int64,
        until: Int64,
        host: String,
        zone: Zone = .utc
    ) {
        self.alerts = Array(alerts.prefix(Self.alertsMax))
        leftOut = alerts.count - self.alerts.count
        self.since = since
        self.until = max(since, until)
        self.host = host
        self.zone = zone
        let hour: Int64 = 3_600_000_000
        self.hours = hours.filter {
            $0.microseconds > since &- hour && $0.microseconds < until
        }
        let span = firstDay...lastDay
        self.days = days.filter { span.contains($0.day) }
    }

    // MARK: Figures

    private var alertCount: Int { alerts.count + leftOut }

    private var openCount: Int { alerts.count { !$0.isResolved } }

    private var sum: Hour { hours.reduce(into: Hour(microseconds: since)) { $0 += $1 } }

    private var gaps: [(day: Int, source: String, words: String)] {
        days.flatMap { day in day.gaps.map { (day.day, day.source, $0) } }
    }

    private var alertWords: String {
        guard alertCount > 0 else { return "no alerts" }
        let count = (isCut ? "at least " : "") + counted(alertCount, "alert")
        return "\(count), \(openCount) of them open"
    }

    /// All of it in one sentence.
    public var sentence: String {
        let sum = sum
        return "\(title): \(alertWords); \(counted(sum.submissions, "submission")), "
            + "\(counted(sum.receipts, "receipt")), \(counted(gaps.count, "gap")) in the log"
    }

    private func counted(_ count: Int, _ word: String) -> String {
        "\(count == 0 ? "no" : "\(count)") \(word)\(count == 1 ? "" : "s")"
    }

    private var title: String {
        let (first, last) = (date(ofDay: firstDay), date(ofDay: lastDay))
        return "\(name) of \(host), " + (first == last ? first : "\(first) to \(last)")
    }

    private var accounts: [(name: String, count: Int)] {
        var counts: [String: Int] = [:]
        for alert in alerts { for account in alert.accounts { counts[account, default: 0] += 1 } }
        return counts.map { ($0.key, $0.value) }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
    }

    private var rules: [(name: String, count: Int, open: Int)] {
        var counts: [String: (Int, Int)] = [:]
        for alert in alerts {
            let known = counts[alert.rule] ?? (0, 0)
            counts[alert.rule] = (known.0 + 1, known.1 + (alert.isResolved ? 0 : 1))
        }
        return counts.map { ($0.key, $0.value.0, $0.value.1) }
            .sorted { ($1.1, $0.0) < ($0.1, $1.0) }
    }

    /// Of what should be seen, how much was.
    private var coverage: [(name: String, had: Int, of: Int)] {
        let sum = sum
        return [
            ("submissions with a subject", sum.subjects, sum.submissions),
            ("submissions with a recipient", sum.recipients, sum.submissions),
            ("sends with an outcome", sum.settled, sum.settled + sum.unsettled),
        ]
    }

    private func percent(_ had: Int, of all: Int) -> String {
        all == 0 ? "-" : "\(had * 100 / all) %"
    }

    private var sources: [(name: String, lines: Int, gaps: Int)] {
        var order: [String] = []
        var counts: [String: (lines: Int, gaps: Int)] = [:]
        for day in days {
            if counts[day.source] == nil { order.append(day.source) }
            let known = counts[day.source] ?? (0, 0)
            counts[day.source] = (known.lines + day.lines, known.gaps + day.gaps.count)
        }
        return order.map { ($0, counts[$0]?.lines ?? 0, counts[$0]?.gaps ?? 0) }
    }

    // MARK: Time

    private var firstDay: Int { day(since) }

    /// One that ends at midnight ends with the day before.
    private var lastDay: Int { day(max(since, until - 1)) }

    private func day(_ microseconds: Int64) -> Int {
        let seconds = floorDivide(microseconds, by: 1_000_000).quotient
        return Int(floorDivide(seconds + zone.secondsEast(seconds), by: 86_400).quotient)
    }

    private func date(ofDay day: Int) -> String {
        String(rfc3339(microseconds: Int64(day) * 86_400_000_000).prefix(10))
    }

    /// Stretches of time side by side: hours where there are few days, else days, or several together.
    private struct Columns {
        var labels: [String] = []
        var values: [Hour] = []
        var alerts: [Int] = []
        var unit = "day"
    }

    private var columns: Columns {
        var columns = Columns()
        let hour: Int64 = 3_600_000_000
        let isShort = until - since <= 72 * hour
        let step = isShort ? 1 : max(1, (lastDay - firstDay) / 60 + 1)
        func place(_ time: Int64) -> Int {
            isShort
                ? Int(floorDivide(time - since, by: hour).quotient) : (day(time) - firstDay) / step
        }
        let count = min(400, place(max(since, until - 1)) + 1)
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        for index in 0..<count {
            if isShort {
                let seconds = (since + Int64(index) * hour) / 1_000_000
                let local = (seconds + zone.secondsEast(seconds)) * 1_000_000
                columns.labels.append(String(moment(local).prefix(16)))
            } else {
                let day = firstDay + index * step
                // 1970-01-01 was a Thursday.
                let weekday = Int(floorDivide(Int64(day) + 3, by: 7).remainder)
                columns.labels.append(names[weekday] + " " + date(ofDay: day))
            }
        }
        columns.unit = isShort ? "hour" : step == 1 ? "day" : "\(step) days"
        columns.values = [Hour](repeating: Hour(microseconds: since), count: count)
        columns.alerts = [Int](repeating: 0, count: count)
        for hour in hours {
            columns.values[min(max(0, place(hour.microseconds)), count - 1)] += hour
        }
        for alert in alerts {
            guard let time = parseRFC3339(alert.start ?? alert.time) else { continue }
            columns.alerts[min(max(0, place(min(max(time, since), until))), count - 1)] += 1
        }
        return columns
    }

    // MARK: HTML

    /// One page that stands for itself.
    public func html() -> [UInt8] {
        var html = HTMLText()
        let worst = alerts.map(\.level).max() ?? .informational
        html.open("header", ["class": "top \(worst.name)"])
        html.element("h1", alertWords.prefix(1).uppercased() + alertWords.dropFirst())
        html.open("div", ["class": "meta"])
        html.element("span", title)
        html.element("span", "\(moment(since)) to \(moment(until)) UTC")
        if zone.name != "UTC" { html.element("span", "days by the clock of \(zone.name)") }
        html.close("div")
        html.close("header")
        tiles(&html)
        let columns = columns
        plot(&html, "Submissions", columns, columns.values.map(\.submissions), "plain")
        plot(&html, "Receipts", columns, columns.values.map(\.receipts), "sent")
        if alertCount > 0 { plot(&html, "Alerts", columns, columns.alerts, "worst") }
        coverageTable(&html)
        continuity(&html)
        if !alerts.isEmpty {
            table(
                &html,
                "By rule",
                ["Rule", "Alerts", "Open"],
                rules.map { [$0.name, "\($0.count)", "\($0.open)"] }
            )
            table(
                &html,
                "Accounts",
                ["Account", "Alerts"],
                accounts.prefix(Self.accountsMax).map { [$0.name, "\($0.count)"] }
            )
            list(&html)
        }
        html.element("footer", "Made by Postern.")
        return htmlPage(title: title, html)
    }

    private func tiles(_ html: inout HTMLText) {
        let sum = sum
        html.open("section", ["class": "tiles"])
        for (count, words) in [
            (sum.submissions, "submissions"), (sum.sends, "recipients of them"),
            (sum.unseen, "to domains never seen"), (sum.receipts, "receipts"),
            (alertCount, "alerts"), (gaps.count, "gaps in the log"),
        ] {
            html.open("div")
            html.element("b", "\(count)")
            html.element("span", words)
            html.close("div")
        }
        html.close("section")
    }

    /// A bar for each column.
    private func plot(
        _ html: inout HTMLText,
        _ what: String,
        _ columns: Columns,
        _ bars: [Int],
        _ style: String
    ) {
        html.open("section")
        html.element("h2", "\(what) by \(columns.unit)")
        let largest = max(1, bars.max() ?? 1)
        let width = 980.0 / Double(max(1, bars.count))
        html.open(
            "svg",
            [
                "viewBox": "0 0 1000 150", "role": "img",
                "aria-label":
                    "\(what.lowercased()) by \(columns.unit): \(bars.reduce(0, +)) in all, at most "
                    + "\(bars.max() ?? 0)",
            ]
        )
        for (index, bar) in bars.enumerated() {
            let height = Double(bar) / Double(largest) * 100
            let x = 10 + Double(index) * width
            html.open(
                "rect",
                [
                    "class": style, "x": figure(x + width * 0.12), "y": figure(120 - height),
                    "width": figure(min(60, width * 0.76)), "height": figure(height),
                ]
            )
            html.element("title", "\(columns.labels[index]): \(bar)")
            html.close("rect")
            if index % max(1, (bars.count + 7) / 8) == 0 {
                html.element(
                    "text",
                    columns.labels[index],
                    ["x": figure(x + width * 0.12), "y": "138"]
                )
            }
            if bar > 0, bars.count <= 32 {
                html.element(
                    "text",
                    "\(bar)",
                    [
                        "class": "label", "x": figure(x + width * 0.12 + 2),
                        "y": figure(115 - height),
                    ]
                )
            }
        }
        html.close("svg")
        html.close("section")
    }

    private func coverageTable(_ html: inout HTMLText) {
        html.open("section")
        html.element("h2", "Can it see what it needs?")
        html.markup("<table><thead><tr><th>What the log told</th><th class=\"n\">Had it</th>")
        html.markup(
            "<th class=\"n\">Of</th><th class=\"n\">Share</th><th></th></tr></thead><tbody>"
        )
        for (name, had, all) in coverage {
            html.open("tr")
            html.element("td", name, ["class": "w"])
            html.element("td", "\(had)", ["class": "n"])
            html.element("td", "\(all)", ["class": "n"])
            html.element("td", percent(had, of: all), ["class": "n"])
            html.open("td", ["class": "bar"])
            html.open("svg", ["viewBox": "0 0 100 10", "aria-hidden": "true"])
            let share = all == 0 ? 0 : Double(had) / Double(all) * 100
            for (style, width) in [("rest", 100), ("good", share)] {
                html.open(
                    "rect",
                    ["class": style, "x": "0", "y": "0", "width": figure(width), "height": "10"]
                )
                html.close("rect")
            }
            html.close("svg")
            html.close("td")
            html.close("tr")
        }
        html.markup("</tbody></table>")
        html.close("section")
    }

    private func continuity(_ html: inout HTMLText) {
        html.open("section")
        html.element("h2", "What was read of the log")
        let sources = sources
        if sources.isEmpty { html.element("p", "Nothing was read in this time.") }
        if !sources.isEmpty {
            strip(&html, Array(sources.map(\.name).prefix(Self.sourcesMax)))
            html.markup("<table><thead><tr><th>Source</th><th class=\"n\">Lines</th>")
            html.markup("<th class=\"n\">Gaps</th></tr></thead><tbody>")
            for source in sources.prefix(Self.sourcesMax) {
                html.open("tr")
                html.element("td", source.name, ["class": "w"])
                html.element("td", "\(source.lines)", ["class": "n"])
                html.element("td", "\(source.gaps)", ["class": "n"])
                html.close("tr")
            }
            html.markup("</tbody></table>")
            if sources.count > Self.sourcesMax {
                html.element(
                    "p",
                    "\(sources.count - Self.sourcesMax) more sources.",
                    ["class": "small"]
                )
            }
        }
        let gaps = gaps
        if !gaps.isEmpty {
            html.markup("<ul>")
            for gap in gaps.suffix(Self.gapsMax) {
                html.element("li", "\(date(ofDay: gap.day)), \(gap.source): \(cut(gap.words))")
            }
            html.markup("</ul>")
            if gaps.count > Self.gapsMax {
                html.element("p", "\(gaps.count - Self.gapsMax) earlier gaps.", ["class": "small"])
            }
        }
        html.close("section")
    }

    /// A row for each source, and in it a box for each day: read, read with gaps, or nothing read.
    private func strip(_ html: inout HTMLText, _ names: [String]) {
        let (first, last) = (firstDay, lastDay)
        let step = max(1, (last - first) / 92 + 1)
        let count = (last - first) / step + 1
        var boxes: [String: [(lines: Int, gaps: Int)]] = [:]
        for day in days where day.day >= first {
            var row =
                boxes[day.source] ?? [(lines: Int, gaps: Int)](repeating: (0, 0), count: count)
            let place = min((day.day - first) / step, count - 1)
            row[place].lines += day.lines
            row[place].gaps += day.gaps.count
            boxes[day.source] = row
        }
        let width = 780.0 / Double(count)
        html.open(
            "svg",
            [
                "viewBox": "0 0 1000 \(names.count * 22 + 22)", "role": "img",
                "aria-label": "what was read of each source by day; the table has the same",
            ]
        )
        for (line, name) in names.enumerated() {
            let y = Double(line) * 22
            html.open(
                "text",
                ["class": "name", "x": "200", "y": figure(y + 14), "text-anchor": "end"]
            )
            html.element("title", name)
            html.plain(shortened(name, max: 30))
            html.close("text")
            for (index, box) in (boxes[name] ?? []).enumerated() {
                let style = box.gaps > 0 ? "worst" : box.lines > 0 ? "good" : "rest"
                let x = 212 + Double(index) * width
                html.open(
                    "rect",
                    [
                        "class": style, "x": figure(x), "y": figure(y + 2),
                        "width": figure(width * 0.92), "height": "16",
                    ]
                )
                let gaps = box.gaps > 0 ? ", " + counted(box.gaps, "gap") : ""
                html.element(
                    "title",
                    "\(date(ofDay: first + index * step)): \(counted(box.lines, "line"))\(gaps)"
                )
                html.close("rect")
                if box.gaps > 0 {
                    html.element(
                        "text",
                        "!",
                        ["class": "label", "x": figure(x + width * 0.46), "y": figure(y + 14)]
                    )
                }
            }
        }
        for index in stride(from: 0, to: count, by: max(1, (count + 7) / 8)) {
            html.element(
                "text",
                date(ofDay: first + index * step),
                [
                    "x": figure(212 + Double(index) * width),
                    "y": "\(names.count * 22 + 14)",
                ]
            )
        }
        html.close("svg")
    }

    private func table(
        _ html: inout HTMLText,
        _ title: String,
        _ head: [String],
        _ rows: [[String]]
    ) {
        html.open("section")
        html.element("h2", title)
        html.markup("<table><thead><tr>")
        for (index, name) in head.enumerated() {
            html.element("th", name, index == 0 ? [:] : ["class": "n"])
        }
        html.markup("</tr></thead><tbody>")
        for row in rows {
            html.open("tr")
            for (index, cell) in row.enumerated() {
                html.element("td", cut(cell), ["class": index == 0 ? "w" : "n"])
            }
            html.close("tr")
        }
        html.markup("</tbody></table>")
        html.close("section")
    }

    private func list(_ html: inout HTMLText) {
        html.open("section", ["class": "long"])
        html.element("h2", "Every alert")
        html.markup(
            "<table><thead><tr><th>Changed (UTC)</th><th>Verdict</th><th>Level</th><th>State</th><th>Alert</th></tr></thead><tbody>"
        )
        for alert in alerts {
            html.open("tr")
            html.element("td", alert.time.prefix(10) + " " + alert.time.dropFirst(11).prefix(5))
            html.element("td", cut(alert.message), ["class": "w"])
            html.element("td", alert.level.name)
            html.element("td", alert.isResolved ? "resolved" : "open")
            html.open("td", ["class": "w"])
            html.element("code", alert.id)
            html.close("td")
            html.close("tr")
        }
        html.markup("</tbody></table>")
        if leftOut > 0 { html.element("p", "\(leftOut) more.", ["class": "small"]) }
        html.close("section")
    }

    /// No text of a log makes a page as long as it likes.
    private func cut(_ text: String) -> String { shortened(text, max: 600) }

    // MARK: Markdown

    /// The same as Markdown, its plots as bars of text.
    public func markdownText() -> String {
        var text = "# \(markdown(title))\n\n"
        let sum = sum
        text += "\(alertWords.prefix(1).uppercased())\(alertWords.dropFirst()).\n\n"
        text += "| submissions | recipients | to unseen domains | receipts | alerts | gaps |\n"
        text += "| ---: | ---: | ---: | ---: | ---: | ---: |\n"
        text += "| \(sum.submissions) | \(sum.sends) | \(sum.unseen) | \(sum.receipts) "
        text += "| \(alertCount) | \(gaps.count) |\n\n"
        text += "## By \(columns.unit)\n\n" + markdownCode(plotText())
        text += "\n## Can it see what it needs?\n\n| the log told | had it | of | share |\n"
        text += "| --- | ---: | ---: | ---: |\n"
        for (name, had, all) in coverage {
            text += "| \(name) | \(had) | \(all) | \(percent(had, of: all)) |\n"
        }
        text += "\n## What was read of the log\n\n"
        let sources = sources
        if sources.isEmpty {
            text += "Nothing was read in this time.\n"
        } else {
            text += "| source | lines | gaps |\n| --- | ---: | ---: |\n"
            for source in sources.prefix(Self.sourcesMax) {
                text += "| \(markdown(source.name)) | \(source.lines) | \(source.gaps) |\n"
            }
            if sources.count > Self.sourcesMax {
                text += "\n\(sources.count - Self.sourcesMax) more sources.\n"
            }
        }
        let gaps = gaps
        if !gaps.isEmpty { text += "\n" }
        for gap in gaps.suffix(Self.gapsMax) {
            let words = markdown("\(gap.source): \(cut(gap.words))")
            text += "- \(date(ofDay: gap.day)), \(words)\n"
        }
        if gaps.count > Self.gapsMax { text += "\n\(gaps.count - Self.gapsMax) earlier gaps.\n" }
        if !alerts.isEmpty { alertTables(&text) }
        return text
    }

    private func alertTables(_ text: inout String) {
        text += "\n## Alerts\n\n| rule | alerts | open |\n| --- | ---: | ---: |\n"
        for rule in rules { text += "| \(markdown(rule.name)) | \(rule.count) | \(rule.open) |\n" }
        text += "\n| account | alerts |\n| --- | ---: |\n"
        for account in accounts.prefix(Self.accountsMax) {
            text += "| \(markdown(cut(account.name))) | \(account.count) |\n"
        }
        text +=
            "\n| changed (UTC) | level | state | verdict | alert |\n| --- | --- | --- | --- | --- |\n"
        for alert in alerts {
            text += "| \(alert.time.prefix(10)) \(alert.time.dropFirst(11).prefix(5)) "
            text += "| \(alert.level.name) | \(alert.isResolved ? "resolved" : "open") "
            text += "| \(markdown(cut(alert.message))) | `\(markdown(alert.id))` |\n"
        }
        if leftOut > 0 { text += "\n\(leftOut) more.\n" }
    }

    /// A line for each column: submissions, receipts and alerts, each with a bar.
    private func plotText() -> String {
        let columns = columns
        let series: [(name: String, values: [Int], width: Int)] = [
            ("submissions", columns.values.map(\.submissions), 20),
            ("receipts", columns.values.map(\.receipts), 10), ("alerts", columns.alerts, 6),
        ]
        let labelWidth = columns.labels.map(\.utf8.count).max() ?? 0
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.utf8.count)) + text
        }
        var lines = [String(repeating: " ", count: labelWidth)]
        for (name, values, width) in series {
            let digits = max(3, "\(values.max() ?? 0)".utf8.count)
            let room = digits + 1 + width
            lines[0] += "  " + name + String(repeating: " ", count: max(0, room - name.utf8.count))
        }
        for index in columns.labels.indices {
            let label = columns.labels[index]
            var line = label + String(repeating: " ", count: labelWidth - label.utf8.count)
            for (_, values, width) in series {
                let largest = values.max() ?? 0
                line += "  " + right("\(values[index])", max(3, "\(largest)".utf8.count)) + " "
                line += Self.bar(values[index], of: largest, width: width)
            }
            lines.append(line)
        }
        return lines.map { line in
            String(line.reversed().drop { $0 == " " }.reversed())
        }
        .joined(separator: "\n")
    }

    /// Eighths of a block, filled up to the width with blanks.
    private static func bar(_ value: Int, of largest: Int, width: Int) -> String {
        guard largest > 0, value > 0 else { return String(repeating: " ", count: width) }
        let eighths = max(1, Int((Double(value) / Double(largest) * Double(width * 8)).rounded()))
        let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
        let whole = min(width, eighths / 8)
        let part = whole == width ? "" : parts[eighths % 8]
        let rest = width - whole - (part.isEmpty ? 0 : 1)
        return String(repeating: "█", count: whole) + part + String(repeating: " ", count: rest)
    }

    // MARK: As a sink gets it

    /// Bytes of a page that is sent; one that is longer tells of fewer alerts.
    private static let sentBytesMax = 400_000

    /// The report for a sink: JSON with the sentence, the figures, the Markdown and the page.
    public func dispatchBody(id: String, microseconds: Int64) -> [UInt8] {
        var told = self
        told.tell(atMost: 300)
        var page = told.html()
        while page.count > Self.sentBytesMax, told.alerts.count > 10 {
            told.tell(atMost: told.alerts.count / 2)
            page = told.html()
        }
        return ReportDispatch.body(
            id: id,
            microseconds: microseconds,
            since: since,
            until: until,
            message: sentence,
            figures: figuresJSON(),
            text: told.markdownText(),
            page: String(decoding: page, as: UTF8.self)
        )
    }

    private mutating func tell(atMost count: Int) {
        leftOut += max(0, alerts.count - count)
        alerts = Array(alerts.prefix(count))
    }

    private func figuresJSON() -> [UInt8] {
        let sum = sum
        var object = JSONObjectWriter()
        object.member("submissions", sum.submissions)
        object.member("with_subject", sum.subjects)
        object.member("with_recipient", sum.recipients)
        object.member("sends", sum.sends)
        object.member("unseen", sum.unseen)
        object.member("receipts", sum.receipts)
        object.member("with_outcome", sum.settled)
        object.member("without_outcome", sum.unsettled)
        object.member("alerts", alertCount)
        object.member("open_alerts", openCount)
        object.member("lines", days.reduce(0) { $0 + $1.lines })
        object.member("gaps", gaps.count)
        return object.finished()
    }

    /// The report without names.
    public func withPseudonyms(_ pseudonyms: Pseudonyms) -> Overview {
        var other = self
        other.alerts = alerts.map { alert in
            var other = alert
            other.message = pseudonyms.sentence(alert.message, naming: alert.accounts)
            other.account = alert.account.map(pseudonyms.address)
            other.accounts = alert.accounts.map(pseudonyms.address)
            return other
        }
        return other
    }
}
