import Alerting
import Evidence
import Findings
import SafeText

/// Text of whatever origin in Markdown: what means something there stands behind a backslash
/// (CommonMark 0.31, 2.4), what cannot be seen as `\u{…}`.
func markdown(_ text: String) -> String {
    var out = ""
    let scalars = Array(text.unicodeScalars)
    // What begins a line may make it a heading, a rule, or an item of a list.
    let digits = scalars.prefix { ("0"..."9").contains($0) }.count
    for (index, scalar) in scalars.enumerated() {
        if isUnsafeToShow(scalar) {
            out += "\\\\u{" + String(scalar.value, radix: 16) + "}"
            continue
        }
        let isEscaped =
            switch scalar {
            case "\\", "`", "*", "_", "[", "]", "<", ">", "|", "~", "&": true
            // Of addresses: they shall not become links.
            case "@", ":": true
            case "#", "+", "-", "=": index == 0
            case ".", ")":
                index == digits && digits > 0
                    || index >= 3
                        && scalars[(index - 3)..<index].allSatisfy { $0 == "w" || $0 == "W" }
            default: false
            }
        if isEscaped { out += "\\" }
        out.unicodeScalars.append(scalar)
    }
    return out
}

/// A code block whose fence is longer than any in the text.
func markdownCode(_ text: String) -> String {
    var longest = 0
    var run = 0
    for byte in text.utf8 {
        run = byte == UInt8(ascii: "`") ? run + 1 : 0
        longest = max(longest, run)
    }
    let fence = String(repeating: "`", count: max(3, longest + 1))
    return "\(fence)text\n\(text)\n\(fence)\n"
}

extension Incident {
    /// The same as ``html()``, as CommonMark with tables.
    public func markdownText() -> String {
        var text = "# \(markdown(facts.message))\n\n"
        text += "**\(facts.level.name)**, \(facts.isResolved ? "resolved" : "open") · "
        text += "\(markdown(span)) · rule \(markdown(facts.rule)) · alert \(markdown(facts.id))\n\n"
        let counts = outcomes.filter { $0.count > 0 }.map { "\($0.count) \($0.outcome.name)" }
        text += "| accounts | messages | domains | outcomes |\n| ---: | ---: | ---: | --- |\n"
        text += "| \(accounts.count) | \(events.count) | \(Set(events.map(\.domain)).count) | "
        text += counts.joined(separator: ", ") + " |\n\n"
        text += "## Why it is this, and nothing else\n\n"
        for fact in facts.diagnosisFacts { text += "- \(markdown(fact))\n" }
        if let ruleDescription { text += "- Rule: \(markdown(ruleDescription))\n" }
        if let count = facts.count {
            text += "- Counted: \(count)"
            text += (facts.threshold.map { ", the rule asks for \($0)" } ?? "") + "\n"
        }
        for mark in facts.degraded { text += "- Incomplete: \(markdown(mark))\n" }
        text += "\n## When it happened (UTC)\n\n```text\n\(timelineText())```\n"
        domainTable(&text)
        if let remediation = facts.remediation {
            text += "\n## What to do\n\n\(markdown(remediation))\n"
        }
        if !facts.commands.isEmpty {
            let commands = facts.commands.map { shownKeepingBackslashes($0) }
            text += "\n" + markdownCode(commands.joined(separator: "\n"))
        }
        for letter in letters {
            text += "\n### To forward to the user (\(letter.language))\n\n"
            text += markdownCode(letter.text)
        }
        if hasPseudonyms {
            text += "\n## The lines that prove it\n\n\(markdown(Self.withheld))\n"
        }
        if !lines.isEmpty {
            text += "\n## The lines that prove it\n\n"
            let shown = lines.prefix(Self.linesMax).map { line in
                shownKeepingBackslashes(
                    String(decoding: escapedRecord(line.bytes), as: UTF8.self)
                )
            }
            text += markdownCode(shown.joined(separator: "\n"))
            if lines.count > Self.linesMax {
                text += "\n\(lines.count - Self.linesMax) more lines are in the bundle.\n"
            }
        }
        if !seals.isEmpty { text += "\n## How to check it\n\n" }
        for seal in seals {
            text += "- \(markdown(seal.bundle)): manifest SHA-256 `\(seal.manifestDigest)`, "
            text += seal.key.map { "signed by key SHA-256 `\($0)`" } ?? "unsigned (replay)"
            text += "\n"
        }
        return text
    }

    private func domainTable(_ text: inout String) {
        guard !events.isEmpty else { return }
        let names = accounts
        let columns = names.count > 1 ? Array(names.prefix(Self.columnsMax).indices) : []
        text += "\n## Accounts and domains\n\n| domain |"
        for column in columns { text += " \(markdown(names[column])) |" }
        text += " messages | outcomes | first |\n| --- |"
        for _ in columns { text += " ---: |" }
        text += " ---: | --- | --- |\n"
        let rows = domainRows()
        for row in rows.prefix(Self.rowsMax) {
            text += "| \(markdown(row.domain)) |"
            for column in columns { text += " \(row.counts[column]) |" }
            let counts = ReportedEvent.Outcome.allCases.compactMap { outcome in
                row.outcomes[outcome].map { "\($0) \(outcome.name)" }
            }
            text += " \(row.total) | \(counts.joined(separator: ", ")) | \(moment(row.first)) |\n"
        }
        if rows.count > Self.rowsMax {
            text += "\n\(rows.count - Self.rowsMax) more domains are in the bundle.\n"
        }
    }

    /// What happened, one line each, in the order of time; safe for a terminal.
    public func timelineText() -> String {
        var rows: [(time: Int64, order: Int, text: String)] = []
        for event in events {
            var words =
                "\(shown(event.account))  to \(shown(event.recipient))  \(event.outcome.name)"
            if let subject = event.subject {
                words += "  \"\(shown(shortened(subject, max: 80)))\""
            }
            if let client = event.client { words += "  from \(shown(client))" }
            rows.append((event.microseconds, 0, words))
        }
        for step in steps {
            var words = "alert \(shown(step.action))"
            if let count = step.count { words += ", count \(count)" }
            if let bundle = step.bundle { words += ", evidence \(shown(bundle))" }
            rows.append((step.microseconds, 1, words))
        }
        rows.sort { ($0.time, $0.order) < ($1.time, $1.order) }
        return rows.map { "\(moment($0.time))  \($0.text)\n" }.joined()
    }
}
