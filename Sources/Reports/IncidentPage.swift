import Alerting
import Evidence
import Findings
import SafeText

extension Incident {
    static let withheld =
        "This report has pseudonyms in place of addresses, logins and subjects. The raw lines are in "
        + "the bundles below, by whose digests they can be checked."

    /// Lines and rows that a report shows; what is left out is counted.
    static let linesMax = 1_000
    static let rowsMax = 200
    static let columnsMax = 8

    /// One page that stands for itself: see ``htmlPage(title:language:_:)``.
    public func html() -> [UInt8] {
        var html = HTMLText()
        header(&html)
        tiles(&html)
        if !events.isEmpty {
            html.open("section")
            html.element("h2", "When it happened (UTC)")
            timeline(&html)
            legend(&html)
            html.close("section")
        }
        reasons(&html)
        if !events.isEmpty { domains(&html) }
        remediation(&html)
        proof(&html)
        integrity(&html)
        html.open("footer")
        html.plain(
            "Made by Postern from sealed evidence. Text that came from the log is shown as it was "
                + "logged; characters that would not be seen, or would change the order of reading, "
                + "stand as "
        )
        html.markup("<b class=\"c\">\\u{…}</b>.")
        html.close("footer")
        return htmlPage(title: "\(facts.message) – \(facts.id)", html)
    }

    private func header(_ html: inout HTMLText) {
        html.open("header", ["class": "top \(facts.level.name)"])
        html.open("div", ["class": "pills"])
        html.element("span", facts.level.name, ["class": facts.level.name])
        html.element(
            "span",
            facts.isResolved ? "resolved" : "open",
            ["class": facts.isResolved ? "done" : facts.level.name]
        )
        html.close("div")
        let (verdict, story) = verdict
        html.element("h1", verdict)
        if let story { html.element("p", story, ["class": "lead"]) }
        html.open("div", ["class": "meta"])
        html.element("span", span)
        html.element("span", "rule \(facts.rule)")
        if let host = seals.last?.host, !host.isEmpty { html.element("span", "server \(host)") }
        html.element("span", "alert \(facts.id)")
        html.close("div")
        html.close("header")
    }

    /// What the message says before its first colon, and what behind it.
    var verdict: (String, String?) {
        let parts = facts.message.split(separator: ": ", maxSplits: 1)
        guard parts.count == 2, let first = parts.first, let last = parts.last else {
            return (facts.message, nil)
        }
        return (String(first), String(last))
    }

    /// From the first event to the last.
    var span: String {
        let start = facts.start.flatMap { parseRFC3339($0) }
        let end = facts.end.flatMap { parseRFC3339($0) }
        guard let start, let end else { return facts.time }
        let first = moment(start)
        if start == end { return first + " UTC" }
        let last = moment(end)
        return first + " to " + (first.prefix(10) == last.prefix(10) ? clock(end) : last) + " UTC"
    }

    private func tiles(_ html: inout HTMLText) {
        html.open("section", ["class": "tiles"])
        func tile(_ number: Int, _ one: String, _ many: String) {
            html.open("div")
            html.element("b", "\(number)")
            html.element("span", number == 1 ? one : many)
            html.close("div")
        }
        tile(accounts.count, "account", "accounts")
        tile(events.count, "message", "messages")
        tile(
            max(facts.recipients ?? 0, Set(events.map(\.recipient)).count),
            "recipient",
            "recipients"
        )
        tile(
            max(facts.hosts.count + facts.hostsLeftOut, Set(events.map(\.domain)).count),
            "domain",
            "domains"
        )
        let counts = outcomes
        tile(counts.first { $0.outcome == .sent }?.count ?? 0, "left the server", "left the server")
        tile(
            counts.filter { $0.outcome == .bounced || $0.outcome == .deferred }
                .reduce(0) { $0 + $1.count },
            "bounced or deferred",
            "bounced or deferred"
        )
        html.close("section")
    }

    private func legend(_ html: inout HTMLText) {
        html.open("div", ["class": "legend"])
        for (outcome, count) in outcomes where count > 0 {
            html.open("span")
            html.markup("<svg viewBox=\"0 0 10 10\">")
            html.open("circle", ["class": outcome.style, "cx": "5", "cy": "5", "r": "5"])
            html.close("circle")
            html.markup("</svg>")
            html.plain("\(count) \(outcome.name)")
            html.close("span")
        }
        html.close("div")
    }

    private func reasons(_ html: inout HTMLText) {
        html.open("section")
        html.element("h2", "Why it is this, and nothing else")
        if !facts.diagnosisFacts.isEmpty {
            html.open("ul")
            for fact in facts.diagnosisFacts { html.element("li", fact) }
            html.close("ul")
        }
        html.open("dl")
        func row(_ label: String, _ value: String?) {
            guard let value, !value.isEmpty else { return }
            html.element("dt", label)
            html.element("dd", value)
        }
        row("Rule", facts.rule + (ruleDescription.map { ": \($0)" } ?? ""))
        if let count = facts.count {
            row("Counted", "\(count)" + (facts.threshold.map { ", the rule asks for \($0)" } ?? ""))
        }
        let clients = Set(events.compactMap(\.client)).sorted()
        row("Sent from", clients.prefix(8).joined(separator: ", ") + more(clients.count - 8))
        let subjects = events.compactMap(\.subject).reduce(into: [String]()) {
            if !$0.contains($1), $0.count < 4 { $0.append($1) }
        }
        row("Subjects", subjects.joined(separator: " · "))
        row("Blocklists", facts.blocklists.joined(separator: ", "))
        row("Related alerts", facts.related.joined(separator: ", "))
        row("Closed because", facts.reason)
        row("Incomplete", facts.degraded.joined(separator: ", "))
        html.close("dl")
        html.close("section")
    }

    private var isOfOneDay: Bool {
        guard let first = events.first, let last = events.last else { return true }
        return moment(first.microseconds).prefix(10) == moment(last.microseconds).prefix(10)
    }

    private func more(_ count: Int) -> String { count > 0 ? " and \(count) more" : "" }

    private func domains(_ html: inout HTMLText) {
        let rows = domainRows()
        let names = accounts
        let columns = names.count > 1 ? Array(names.prefix(Self.columnsMax).indices) : []
        html.open("section", ["class": "long"])
        html.element("h2", names.count > 1 ? "Accounts and domains" : "Where it went")
        html.markup("<div class=\"scroll\"><table><thead><tr><th>Domain</th>")
        for column in columns {
            html.open("th", ["class": "a", "title": names[column]])
            // It may be broken before the domain.
            let name = shortened(names[column], max: 32)
            let local = name.prefix { $0 != "@" }
            html.plain(String(local))
            html.markup("<wbr>")
            html.plain(String(name.dropFirst(local.count)))
            html.close("th")
        }
        if names.count > columns.count, !columns.isEmpty {
            html.element("th", "\(names.count - columns.count) more", ["class": "n"])
        }
        html.markup(
            "<th class=\"n\">Messages</th><th>Outcomes</th><th class=\"n\">First</th></tr></thead><tbody>"
        )
        let largest = max(1, rows.map(\.total).max() ?? 1)
        for row in rows.prefix(Self.rowsMax) {
            html.open("tr")
            html.element("td", row.domain, ["class": "w"])
            for column in columns { cell(&html, row.counts[column]) }
            if names.count > columns.count, !columns.isEmpty {
                cell(&html, row.counts.dropFirst(columns.count).reduce(0, +))
            }
            html.element("td", "\(row.total)", ["class": "n"])
            html.open("td", ["class": "bar"])
            bar(&html, row.outcomes, largest: largest)
            html.close("td")
            html.element(
                "td",
                isOfOneDay ? clock(row.first) : moment(row.first),
                ["class": "n", "title": moment(row.first)]
            )
            html.close("tr")
        }
        html.markup("</tbody></table></div>")
        if rows.count > Self.rowsMax {
            html.element(
                "p",
                "\(rows.count - Self.rowsMax) more domains are in the bundle.",
                ["class": "small"]
            )
        }
        html.close("section")
    }

    private func cell(_ html: inout HTMLText, _ count: Int) {
        html.element("td", count == 0 ? "–" : "\(count)", ["class": count == 0 ? "n zero" : "n"])
    }

    private func bar(_ html: inout HTMLText, _ counts: [ReportedEvent.Outcome: Int], largest: Int) {
        let words = ReportedEvent.Outcome.allCases.compactMap { outcome in
            counts[outcome].map { "\($0) \(outcome.name)" }
        }
        html.open(
            "svg",
            [
                "viewBox": "0 0 100 10", "preserveAspectRatio": "none", "role": "img",
                "aria-label": words.joined(separator: ", "),
            ]
        )
        html.element("title", words.joined(separator: ", "))
        var x = 0.0
        for outcome in ReportedEvent.Outcome.allCases {
            guard let count = counts[outcome] else { continue }
            let width = Double(count) / Double(largest) * 100
            html.open(
                "rect",
                [
                    "class": outcome.style, "x": figure(x), "y": "0", "width": figure(width),
                    "height": "10",
                ]
            )
            html.close("rect")
            x += width
        }
        html.close("svg")
    }

    private func remediation(_ html: inout HTMLText) {
        guard facts.remediation != nil || !facts.commands.isEmpty || !letters.isEmpty else {
            return
        }
        html.open("section", ["class": "long"])
        html.element("h2", "What to do")
        if let remediation = facts.remediation { html.element("p", remediation, ["class": "lead"]) }
        if !facts.commands.isEmpty {
            html.element("h3", "On the mail server")
            html.element("pre", facts.commands.joined(separator: "\n"))
        }
        for letter in letters {
            html.element("h3", "To forward to the user (\(letter.language))")
            html.open("pre", ["class": "letter", "lang": letter.language])
            // Its own line breaks are the only controls that mean something here.
            for (index, line) in letter.text.split(
                separator: "\n",
                omittingEmptySubsequences: false
            ).enumerated() {
                if index > 0 { html.markup("\n") }
                html.plain(String(line))
            }
            html.close("pre")
        }
        html.close("section")
    }

    private func proof(_ html: inout HTMLText) {
        if hasPseudonyms {
            html.open("section")
            html.element("h2", "The lines that prove it")
            html.element("p", Self.withheld)
            html.close("section")
        }
        guard !lines.isEmpty else { return }
        html.open("section", ["class": "long"])
        html.element("h2", "The lines that prove it")
        html.markup("<table class=\"lines\"><colgroup><col class=\"k\"><col></colgroup><tbody>")
        var place = ""
        for (index, line) in lines.prefix(Self.linesMax).enumerated() {
            if line.path != place {
                place = line.path
                html.open("tr", ["class": "place"])
                html.element("td", place, ["colspan": "2"])
                html.close("tr")
            }
            html.open("tr")
            html.element(
                "td",
                "\(index + 1)",
                ["class": "n", "title": "byte \(line.offset)"]
            )
            html.open("td")
            html.plain(String(decoding: escapedRecord(line.bytes), as: UTF8.self))
            if line.isShortened { html.markup("<b class=\"c\">shortened</b>") }
            html.close("td")
            html.close("tr")
        }
        html.markup("</tbody></table>")
        if lines.count > Self.linesMax {
            html.element(
                "p",
                "\(lines.count - Self.linesMax) more lines are in the bundle.",
                ["class": "small"]
            )
        }
        html.close("section")
    }

    private func integrity(_ html: inout HTMLText) {
        guard !seals.isEmpty else { return }
        html.open("section")
        html.element("h2", "How to check it")
        html.markup("<p class=\"small\">On any machine with Postern: ")
        html.element(
            "code",
            "postern evidence verify \(seals.map(\.bundle).joined(separator: " "))"
        )
        html.markup("</p>")
        for seal in seals {
            html.open("dl", ["class": "digest"])
            html.element("dt", "Bundle")
            html.element("dd", seal.bundle)
            html.element("dt", "Manifest")
            html.element("dd", "SHA-256 \(seal.manifestDigest)")
            html.element("dt", "Signed by")
            html.element("dd", seal.key.map { "key SHA-256 \($0)" } ?? "nobody (replay)")
            if let previous = seal.previous {
                html.element("dt", "After")
                html.element("dd", previous)
            }
            html.close("dl")
        }
        html.close("section")
    }
}
