public import Findings
import SafeText

/// An alert as people read it: the verdict, then the facts, one below the other.
///
/// ```
/// Outlook of alice@example.com is tricked: it sends read receipts to spammers.
///     alert       opened, high
///     account     alice@example.com
///     when        2026-03-01 10:00:00 to 10:04:10 UTC
///     …
/// ```
///
/// Whatever came from a log is escaped; the text never moves a terminal's cursor.
public struct AlertText: Sendable {
    /// Colour of the verdict by its severity, and dim labels (ECMA-48 SGR).
    public var isColoured: Bool
    /// Columns after which facts are broken at a blank; nil: one line each, for pipes.
    public var width: Int?
    /// The folder of the evidence bundles; nil: only their names are shown.
    public var evidenceFolder: String?

    /// Recipient domains and accounts shown; the number of the others is told.
    public static let namesMax = 10
    /// Bytes of one fact; the rest is cut.
    public static let factBytesMax = 2_048

    public init(isColoured: Bool, width: Int?, evidenceFolder: String?) {
        self.isColoured = isColoured
        self.width = width
        self.evidenceFolder = evidenceFolder
    }

    /// - Returns: lines that each end with a newline.
    public func render(_ alert: Alert) -> String { render(AlertFacts(alert)) }

    /// - Returns: lines that each end with a newline.
    public func render(_ facts: AlertFacts) -> String {
        var text = ""
        let verdict = shown(facts.message, bytesMax: Self.factBytesMax)
        let style = isColoured ? colour(facts) : ""
        for line in broken(verdict, indent: 0, first: 0) {
            text += style.isEmpty ? line + "\n" : style + line + "\u{1b}[0m\n"
        }
        for (label, value) in self.facts(facts) {
            text += labelled(label, shown(value, bytesMax: Self.factBytesMax))
        }
        // Whole and unescaped but for what could harm a terminal: they are there to be copied.
        for command in facts.commands {
            text += labelled("command", shownKeepingBackslashes(command), breaks: false)
        }
        return text
    }

    private static let labelColumns = 12
    private static let indent = 4

    private func colour(_ facts: AlertFacts) -> String {
        if facts.isResolved { return "\u{1b}[1;32m" }
        return switch facts.level {
        case .critical, .high: "\u{1b}[1;31m"
        case .medium: "\u{1b}[1;33m"
        case .low, .informational: "\u{1b}[1m"
        }
    }

    private func facts(_ facts: AlertFacts) -> [(label: String, value: String)] {
        var lines: [(label: String, value: String)] = []
        func add(_ label: String, _ value: String?) {
            if let value, !value.isEmpty { lines.append((label, value)) }
        }
        if !facts.digest.isEmpty {
            add("digest", "\(facts.count ?? facts.digest.count) alerts, \(facts.level.name)")
            add("when", when(facts))
            for line in facts.digest { add("alert", line) }
            return lines
        }
        if facts.action == "notice" {
            add("notice", "\(facts.level.name), \(facts.rule)")
            add("when", moment(facts.time) + " UTC")
            return lines
        }
        add("alert", "\(facts.action), \(facts.level.name)")
        add("rule", facts.rule)
        if let account = facts.account {
            add("account", account)
        } else {
            add("accounts", names(facts.accounts, leftOut: 0))
        }
        add("when", when(facts))
        if let count = facts.count {
            add("count", "\(count)" + (facts.threshold.map { " (threshold \($0))" } ?? ""))
        }
        add("domains", names(facts.hosts, leftOut: facts.hostsLeftOut))
        if let recipients = facts.recipients, recipients > 0 { add("recipients", "\(recipients)") }
        add("outcomes", facts.outcomes.map(outcomes))
        add("blocklists", facts.blocklists.joined(separator: ", "))
        add("why", facts.diagnosisFacts.joined(separator: "; "))
        add("closed", facts.reason)
        add("incomplete", facts.degraded.joined(separator: "; "))
        add("evidence", facts.bundle.map(path))
        add("what to do", facts.remediation)
        add("related", names(facts.related, leftOut: 0))
        add("alert ID", "\(facts.id).\(facts.sequence)")
        return lines
    }

    private func names(_ names: [String], leftOut: Int) -> String {
        var text = names.prefix(Self.namesMax).joined(separator: ", ")
        let others = max(0, names.count - Self.namesMax) + min(leftOut, Int.max - names.count)
        if others > 0 { text += " and \(others) more" }
        return text
    }

    private func outcomes(_ counts: OutcomeCounts) -> String {
        let parts = [
            (counts.sent, "sent"), (counts.deferred, "deferred"), (counts.bounced, "bounced"),
            (counts.pending, "pending"),
        ]
        let named = parts.filter { $0.0 != 0 }.map { "\($0.0) \($0.1)" }
        return named.joined(separator: ", ")
    }

    private func path(_ bundle: String) -> String {
        guard let evidenceFolder else { return bundle }
        return evidenceFolder.hasSuffix("/")
            ? evidenceFolder + bundle : evidenceFolder + "/" + bundle
    }

    /// `2026-03-01 10:00:00 to 10:04:10 UTC`; the second day only when it is another.
    private func when(_ facts: AlertFacts) -> String {
        let start = moment(facts.start ?? facts.time)
        let end = moment(facts.end ?? facts.start ?? facts.time)
        if start == end { return start + " UTC" }
        let isSameDay = start.prefix(10) == end.prefix(10)
        return start + " to " + (isSameDay ? String(end.dropFirst(11)) : end) + " UTC"
    }

    /// `2026-03-01T10:00:00.250Z` without its fraction and letters.
    private func moment(_ stamp: String) -> String {
        guard stamp.utf8.count >= 19, stamp.utf8.allSatisfy({ $0 < 0x80 }) else { return stamp }
        return String(stamp.prefix(10)) + " " + String(stamp.dropFirst(11).prefix(8))
    }

    private func labelled(_ label: String, _ value: String, breaks: Bool = true) -> String {
        let margin = String(repeating: " ", count: Self.indent)
        let gap = String(repeating: " ", count: max(1, Self.labelColumns - label.utf8.count))
        let hanging = Self.indent + Self.labelColumns
        let shownLabel = isColoured ? "\u{1b}[2m" + label + "\u{1b}[0m" : label
        var text = ""
        let lines = breaks ? broken(value, indent: hanging, first: hanging) : [value]
        for (index, line) in lines.enumerated() {
            text += index == 0 ? margin + shownLabel + gap : String(repeating: " ", count: hanging)
            text += line + "\n"
        }
        return text
    }

    /// Cuts text at blanks so that each part fits beside `indent` columns; a longer word stays
    /// whole, so that an address can be copied.
    private func broken(_ text: String, indent: Int, first: Int) -> [String] {
        guard let width else { return [text] }
        let room = max(20, width - indent)
        var lines: [String] = []
        var line = ""
        var used = 0
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            let columns = terminalColumns(word)
            if used > 0, used + 1 + columns > room {
                lines.append(line)
                line = String(word)
                used = columns
            } else {
                line += used > 0 || !line.isEmpty ? " " + word : String(word)
                used += columns + (used > 0 ? 1 : 0)
            }
        }
        lines.append(line)
        return lines
    }
}

/// How many columns of a terminal a text takes: none for a mark that combines with the letter
/// before it, two for what East Asian Width (UAX 11) calls wide, roughly by blocks.
func terminalColumns(_ text: some StringProtocol) -> Int {
    var columns = 0
    for scalar in text.unicodeScalars {
        if scalar.value < 0x300 {
            columns += 1
            continue
        }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: break
        default:
            switch scalar.value {
            case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
                0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF,
                0x20000...0x3FFFD:
                columns += 2
            default: columns += 1
            }
        }
    }
    return columns
}

/// ``shown(_:)``, cut between characters of the original so that it has at most `bytesMax` bytes;
/// what is cut ends with `…`. O(`bytesMax`), however long the text is.
func shown(_ text: String, bytesMax: Int) -> String {
    shownWhole(text, bytesMax: bytesMax) ?? shownStart(text, bytesMax: bytesMax)
}

/// ``shown(_:)`` if it has at most `bytesMax` bytes.
func shownWhole(_ text: String, bytesMax: Int) -> String? {
    // Escaping never makes text shorter.
    guard text.utf8.count <= bytesMax else { return nil }
    let whole = shown(text)
    return whole.utf8.count <= bytesMax ? whole : nil
}

/// The start of ``shown(_:)`` with `…` behind it, together at most `bytesMax` bytes, which are at
/// least 3.
private func shownStart(_ text: String, bytesMax: Int) -> String {
    let mark = "…"
    var start = ""
    for scalar in text.unicodeScalars {
        let piece = shown(String(scalar))
        guard start.utf8.count + piece.utf8.count + mark.utf8.count <= bytesMax else { break }
        start += piece
    }
    return start + mark
}
