import Alerting
import Findings
import LinuxIO
import SafeText
import State

/// An alert as `postern top` lists it.
struct TopAlert {
    var row: AlertRow
    var facts: AlertFacts
    /// Somebody has seen it, or its account is silenced.
    var note: String?
}

/// What `postern top` shows: a pure function from figures to lines. Nothing in it is trusted: names
/// and sentences are escaped, and no line is longer than the terminal is wide.
struct TopScreen {
    enum Order: Int, CaseIterable {
        case sends, unseen, receipts

        var name: String {
            switch self {
            case .sends: "sends"
            case .unseen: "unseen domains"
            case .receipts: "receipts"
            }
        }
    }

    enum Overlay: Equatable {
        case none, help
        /// The alert that is chosen, in full.
        case alert
        /// For how long its account is to be silenced.
        case silence
    }

    var order = Order.sends
    var overlay = Overlay.none
    var selected = 0
    var isPaused = false
    /// What came of the last key.
    var message: String?
    let isColoured: Bool
    /// Whether the terminal shows more than ASCII.
    let isUnicode: Bool

    enum Style: String {
        case plain = "0"
        case strong = "1"
        case soft = "2"
        case bad = "31"
        case warning = "33"
        case good = "32"
        case bar = "7"
    }

    // MARK: Lines

    func lines(
        _ reading: LiveReading,
        _ alerts: [TopAlert],
        columns: Int,
        rows: Int
    ) -> [String] {
        switch overlay {
        case .help: return framed(help, columns, rows)
        case .alert:
            guard alerts.indices.contains(selected) else { break }
            return framed(detail(alerts[selected], columns), columns, rows)
        case .none, .silence: break
        }
        var lines = head(reading, columns)
        lines += sources(reading, columns, max: rows > 30 ? 6 : 2)
        let rest = rows - lines.count - 1
        // A title and a line of each at least; the accounts get what the alerts do not need.
        let alertRows = min(max(1, alerts.count), max(1, (rest - 2) / 2))
        lines += alertTable(alerts, columns, rows: alertRows)
        lines += accountTable(reading, columns, rows: rows - lines.count - 1)
        return framed(lines, columns, rows)
    }

    /// With the keys at the bottom.
    private func framed(_ lines: [String], _ columns: Int, _ rows: Int) -> [String] {
        var out = Array(lines.prefix(max(0, rows - 1)))
        while out.count < rows - 1 { out.append("") }
        out.append(footer(columns))
        return out
    }

    private func footer(_ columns: Int) -> String {
        let text: String
        switch overlay {
        case .silence: text = "silence this account for  1 an hour  2 a day  3 a week  Esc no"
        case .help, .alert: text = "Esc back  q quit"
        case .none:
            text =
                message ?? "q quit  ? help  s u r order  j k choose  Enter show  a seen  m silence"
        }
        return styled(padded(" " + text, columns), .bar)
    }

    private func head(_ reading: LiveReading, _ columns: Int) -> [String] {
        let log = reading.text("log_time").flatMap { parseRFC3339($0) }.map { shownTime($0) + "Z" }
        let left =
            "postern \(shown(reading.text("version") ?? ""))  \(shown(reading.text("host") ?? ""))  up "
            + reading.uptime
        let right = (isPaused ? "paused  " : "") + "log " + (log ?? "has no line yet")
        let state =
            reading.text("commit_failure") != nil
            ? styled("state cannot be written", .bad)
            : reading.isCaughtUp
                ? styled("live", .good) : styled("still reading what was written before", .warning)
        return [
            styled(spread(left, right, columns), .strong),
            cut(
                "\(grouped(reading.number("lines"))) lines  "
                    + "\(grouped(reading.number("lines_per_second")))/s  "
                    + "\(grouped(reading.number("open_messages"))) messages open  ",
                columns - 38
            ) + state,
            cut(
                "last hour  \(grouped(reading.hour("sends"))) sends  "
                    + "\(grouped(reading.number("active_accounts"))) accounts  "
                    + "\(grouped(reading.hour("unseen"))) to unseen domains  "
                    + "\(grouped(reading.hour("receipts"))) receipts",
                columns
            ),
            chart(reading, columns),
            coverage(reading, columns),
        ]
    }

    /// Sends by minute.
    private func chart(_ reading: LiveReading, _ columns: Int) -> String {
        let values = reading.series("sends_by_minute")
        let most = max(1, values.max() ?? 1)
        let steps = isUnicode ? Array(" ▁▂▃▄▅▆▇█") : Array(" .:-=+*#%")
        let bars = values.suffix(max(0, min(60, columns - 20))).map { value in
            String(steps[value == 0 ? 0 : max(1, value * (steps.count - 1) / most)])
        }
        return styled("sends a minute ", .soft) + bars.joined() + styled(" \(most)", .soft)
    }

    private func coverage(_ reading: LiveReading, _ columns: Int) -> String {
        let parts = reading.coverage.map { part in
            styled("\(part.part) \(part.words)", part.isMissing ? .bad : .plain)
        }
        return styled("the log has    ", .soft) + parts.joined(separator: ", ")
    }

    private func sources(_ reading: LiveReading, _ columns: Int, max: Int) -> [String] {
        var lines = reading.sources.prefix(max).map { source in
            let last = source.last.flatMap { parseRFC3339($0) }.map { shownTime($0) }
            let words = source.failure.map { shown($0) } ?? last.map { "to \($0)" } ?? "no line yet"
            let mark = isUnicode ? "●" : "*"
            let style: Style =
                source.failure != nil ? .bad : source.isCaughtUp ? .good : .warning
            return styled(mark, style) + cut(" \(shown(source.name))  \(words)", columns - 2)
        }
        if reading.sources.count > max {
            lines.append(styled("  and \(reading.sources.count - max) more sources", .soft))
        }
        for sink in reading.sinks where sink.state != "working" {
            lines.append(
                styled(
                    cut(
                        "! sink \(shown(sink.name)): \(sink.state) \(shown(sink.error ?? ""))",
                        columns
                    ),
                    .bad
                )
            )
        }
        return lines
    }

    private func alertTable(_ alerts: [TopAlert], _ columns: Int, rows: Int) -> [String] {
        var lines = [title("ALERTS  \(alerts.count) open", columns)]
        guard !alerts.isEmpty else { return lines + [styled("  none", .good)] }
        let first = max(0, min(selected - rows + 1, alerts.count - rows))
        for (index, alert) in alerts.enumerated().dropFirst(first).prefix(rows) {
            let facts = alert.facts
            let who =
                facts.account ?? (facts.accounts.count == 1 ? facts.accounts[0] : nil)
                ?? "\(facts.accounts.count) accounts"
            let text =
                (index == selected ? "> " : "  ") + fit(facts.level.name, 9)
                + fit(String(shownTime(alert.row.changedMicroseconds).suffix(8)), 10)
                + fit(shown(who), max(16, min(32, columns / 3))) + " "
                + (alert.note.map { "[\(shown($0))] " } ?? "") + shown(facts.message)
            let style: Style =
                index == selected ? .strong : facts.severity >= 73 ? .bad : .warning
            lines.append(styled(cut(text, columns), style))
        }
        return lines
    }

    private func accountTable(_ reading: LiveReading, _ columns: Int, rows: Int) -> [String] {
        let accounts = reading.accounts.sorted { left, right in
            let (a, b) = (value(left), value(right))
            return a != b ? a > b : left.name < right.name
        }
        let width = max(16, columns - 36)
        var lines = [
            title(
                fit("ACCOUNTS of the last hour, by \(order.name)", width)
                    + right("sends", 8) + right("unseen", 8) + right("receipts", 10)
                    + right("last", 10),
                columns
            )
        ]
        for account in accounts.prefix(max(0, rows - 1)) {
            let last = parseRFC3339(account.last).map { shownTime($0).suffix(8) } ?? ""
            let text =
                fit("  " + shown(account.name), width) + right(grouped(account.sends), 8)
                + right(grouped(account.unseen), 8) + right(grouped(account.receipts), 10)
                + right(String(last), 10)
            let style: Style = account.receipts > 0 ? .warning : .plain
            lines.append(styled(cut(text, columns), style))
        }
        if accounts.isEmpty { lines.append(styled("  nobody sent anything", .soft)) }
        return lines
    }

    private func value(_ account: LiveReading.Account) -> Int {
        switch order {
        case .sends: account.sends
        case .unseen: account.unseen
        case .receipts: account.receipts
        }
    }

    private func detail(_ alert: TopAlert, _ columns: Int) -> [String] {
        let facts = alert.facts
        var lines = [
            styled("\(facts.level.name)  \(shown(facts.rule))  \(shown(facts.id))", .strong), "",
        ]
        func add(_ text: String) { lines += wrapped(text, columns - 2).map { "  " + $0 } }
        add(shown(facts.message))
        if let note = alert.note { add("[\(shown(note))]") }
        lines.append("")
        for fact in facts.diagnosisFacts { add("- " + shown(fact)) }
        if !facts.hosts.isEmpty {
            add("domains: " + facts.hosts.prefix(12).map { shown($0) }.joined(separator: ", "))
        }
        if let bundle = facts.bundle { add("evidence: " + shown(bundle)) }
        if let remediation = facts.remediation {
            lines.append("")
            add(shown(remediation))
        }
        if !facts.commands.isEmpty {
            lines.append("")
            for command in facts.commands { add("$ " + shownKeepingBackslashes(command)) }
        }
        return lines
    }

    private var help: [String] {
        [
            styled("postern top", .strong), "",
            "  q, Ctrl-C    quit", "  ?            this help",
            "  s            accounts by sends", "  u            by sends to unseen domains",
            "  r            by read receipts", "  j k, arrows  choose an alert",
            "  Enter        show it in full", "  a            note that you have seen it",
            "  m            silence its account: no sink hears of it for a while",
            "  p            pause, and go on", "",
            "  Accounts are those of the last hour of the log, alerts those that are open. A",
            "  domain is unseen when the account had neither written to nor heard from it.",
        ]
    }

    // MARK: Text

    private func title(_ text: String, _ columns: Int) -> String {
        styled(cut(text, columns), .strong)
    }

    private func styled(_ text: String, _ style: Style) -> String {
        guard isColoured, style != .plain else { return text }
        return "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m"
    }

    /// At most so many columns of it. What the terminal cannot show is a question mark.
    private func cut(_ text: String, _ columns: Int) -> String { measured(text, columns).text }

    private func measured(_ text: String, _ columns: Int) -> (text: String, width: Int) {
        var out = String.UnicodeScalarView()
        var width = 0
        for scalar in text.unicodeScalars {
            let isShown = scalar.isASCII || isUnicode
            let own = isShown ? RawTerminal.columns(of: scalar) : nil
            guard width + (own ?? 1) <= columns else { break }
            out.append(own == nil ? "?" : scalar)
            width += own ?? 1
        }
        return (String(out), width)
    }

    private func padded(_ text: String, _ columns: Int) -> String {
        let (text, width) = measured(text, columns)
        return text + String(repeating: " ", count: max(0, columns - width))
    }

    /// Exactly so many columns, the last of them a blank.
    private func fit(_ text: String, _ columns: Int) -> String {
        let (cut, width) = measured(text, columns - 1)
        let isWhole = cut.unicodeScalars.count == text.unicodeScalars.count
        guard !isWhole, width > 1 else {
            return cut + String(repeating: " ", count: columns - width)
        }
        let (less, lessWidth) = measured(text, columns - 2)
        return less + (isUnicode ? "…" : "~")
            + String(repeating: " ", count: columns - lessWidth - 1)
    }

    private func right(_ text: String, _ columns: Int) -> String {
        String(repeating: " ", count: max(0, columns - text.unicodeScalars.count)) + text
    }

    private func spread(_ left: String, _ right: String, _ columns: Int) -> String {
        let (text, width) = measured(right, columns)
        return padded(left, columns - width) + text
    }

    private func wrapped(_ text: String, _ columns: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            var rest = String(word)
            if !line.isEmpty, measured(line + " " + rest, .max).width <= columns {
                line += " " + rest
                continue
            }
            if !line.isEmpty { lines.append(line) }
            while measured(rest, .max).width > columns, columns > 4 {
                let part = cut(rest, columns)
                lines.append(part)
                rest = String(rest.unicodeScalars.dropFirst(part.unicodeScalars.count))
            }
            line = rest
        }
        lines.append(line)
        return lines
    }
}
