public import Alerting
import Findings
import SafeText

/// What happened in a stretch of time: every alert that changed in it.
public struct Overview: Sendable {
    /// The alerts as they stand, the latest first.
    public var alerts: [AlertFacts]
    /// Microseconds since 1970, UTC.
    public var since: Int64
    public var until: Int64
    public var host: String
    /// Alerts beyond those that are told.
    public var leftOut: Int

    public static let alertsMax = 1_000

    public init(
        _ alerts: [AlertFacts],
        since: Int64,
        until: Int64,
        host: String
    ) {
        self.alerts = Array(alerts.prefix(Self.alertsMax))
        leftOut = alerts.count - self.alerts.count
        self.since = since
        self.until = until
        self.host = host
    }

    private var title: String {
        "Mail abuse on \(host), \(moment(since).prefix(16)) to \(moment(until).prefix(16)) UTC"
    }

    private var summary: String {
        let count = alerts.count + leftOut
        return "\(count) alert\(count == 1 ? "" : "s"), \(openCount) of them open"
    }

    private var openCount: Int { alerts.count { !$0.isResolved } }

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

    /// One page that stands for itself.
    public func html() -> [UInt8] {
        var html = HTMLText()
        let worst = alerts.map(\.level).max() ?? .informational
        html.open("header", ["class": "top \(worst.name)"])
        html.element(
            "h1",
            alerts.isEmpty
                ? "No alerts" : summary
        )
        html.open("div", ["class": "meta"])
        html.element("span", "server \(host)")
        html.element("span", "\(moment(since)) to \(moment(until)) UTC")
        html.close("div")
        html.close("header")
        if !alerts.isEmpty {
            html.open("section")
            html.element("h2", "Alerts by day")
            days(&html)
            html.close("section")
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
                accounts.prefix(50).map { [$0.name, "\($0.count)"] }
            )
            list(&html)
        }
        html.element("footer", "Made by Postern.")
        return htmlPage(title: title, html)
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
                html.element("td", cell, ["class": index == 0 ? "w" : "n"])
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
            html.element("td", alert.message, ["class": "w"])
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

    /// A bar for each day, or for each stretch of days when there are many.
    private func days(_ html: inout HTMLText) {
        let day: Int64 = 86_400_000_000
        let first = floorDivide(since, by: day).quotient
        let last = floorDivide(until, by: day).quotient
        let stride = max(1, (last - first) / 60 + 1)
        let count = Int(min(400, max(1, (last - first) / stride + 1)))
        var bars = [Int](repeating: 0, count: count)
        for alert in alerts {
            guard let time = parseRFC3339(alert.start ?? alert.time) else { continue }
            let index = Int((floorDivide(time, by: day).quotient - first) / stride)
            bars[min(max(0, index), count - 1)] += 1
        }
        let largest = max(1, bars.max() ?? 1)
        let width = 980.0 / Double(count)
        html.open(
            "svg",
            ["viewBox": "0 0 1000 150", "role": "img", "aria-label": "alerts by day"]
        )
        for (index, bar) in bars.enumerated() {
            let height = Double(bar) / Double(largest) * 100
            let x = 10 + Double(index) * width
            html.open(
                "rect",
                [
                    "class": "sent", "x": figure(x + width * 0.12), "y": figure(120 - height),
                    "width": figure(min(60, width * 0.76)), "height": figure(height),
                ]
            )
            let date = moment((first + Int64(index) * stride) * day).prefix(10)
            html.element("title", "\(date): \(bar)")
            html.close("rect")
            if index % max(1, count / 8) == 0 {
                html.element(
                    "text",
                    String(date),
                    ["x": figure(x + width * 0.12), "y": "138"]
                )
            }
            if bar > 0, count <= 40 {
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
    }

    /// The same as Markdown.
    public func markdownText() -> String {
        var text = "# \(markdown(title))\n\n"
        guard !alerts.isEmpty else { return text + "No alerts.\n" }
        text += summary + ".\n\n"
        text += "| rule | alerts | open |\n| --- | ---: | ---: |\n"
        for rule in rules { text += "| \(markdown(rule.name)) | \(rule.count) | \(rule.open) |\n" }
        text += "\n| account | alerts |\n| --- | ---: |\n"
        for account in accounts.prefix(50) {
            text += "| \(markdown(account.name)) | \(account.count) |\n"
        }
        text +=
            "\n| changed (UTC) | level | state | verdict | alert |\n| --- | --- | --- | --- | --- |\n"
        for alert in alerts {
            text += "| \(alert.time.prefix(10)) \(alert.time.dropFirst(11).prefix(5)) "
            text += "| \(alert.level.name) | \(alert.isResolved ? "resolved" : "open") "
            text += "| \(markdown(alert.message)) | `\(markdown(alert.id))` |\n"
        }
        if leftOut > 0 { text += "\n\(leftOut) more.\n" }
        return text
    }
}
