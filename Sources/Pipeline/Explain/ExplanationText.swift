import Detection
public import Findings
import MailEvents
import MailLog
import SafeText

extension LineExplanation {
    /// The line and what became of it, for a terminal or a pipe: the line itself, its pieces
    /// coloured, then a line for each thing that was read (`COLUMNS FIELD=VALUE`, columns counted in
    /// bytes from 1) or concluded.
    ///
    /// - Parameter isColoured: whether terminal colours are wanted.
    /// - Returns: whole lines; safe to show.
    public func text(isColoured: Bool) -> String {
        let palette = Palette(isColoured: isColoured)
        var text = palette.bold("\(shown(path)):\(number):") + " " + line(palette) + "\n"
        if let microseconds {
            let time = rfc3339(microseconds: microseconds)
            text += Self.row(stampColumns, "@timestamp", time)
        }
        for (index, piece) in pieces.enumerated() {
            text += Self.row(
                piece.columns,
                palette.paint(piece.name, index),
                shown(String(decoding: piece.value, as: UTF8.self))
            )
        }
        text += Self.row("", "reading", palette.outcome(outcome, reading))
        if let joined { text += Self.row("", "joins", shown(joined)) }
        for event in events { text += event.text(palette) }
        text += Self.alertText(alerts, palette)
        for notice in notices {
            text += Self.row("", "notice", shown("\(notice.name): \(notice.message)"))
        }
        return text
    }

    static func row(_ columns: String, _ name: String, _ value: String) -> String {
        let space = String(repeating: " ", count: max(1, 11 - columns.utf8.count))
        return "    " + columns + space + name + "=" + value + "\n"
    }

    static func alertText(_ alerts: [Alert], _ palette: Palette) -> String {
        alerts.map { alert in
            row(
                "",
                palette.alarm("alert"),
                shown("\(alert.action.name) \(alert.ruleName) \(alert.id): \(alert.message)")
            )
        }.joined()
    }

    /// The raw line with its pieces in colour.
    private func line(_ palette: Palette) -> String {
        var text = ""
        var position = 0
        for (index, piece) in pieces.enumerated()
        where piece.range.lowerBound >= position && piece.range.upperBound <= bytes.count {
            text += shown(bytes[position..<piece.range.lowerBound])
            text += palette.paint(shown(bytes[piece.range]), index)
            position = piece.range.upperBound
        }
        return text + shown(bytes[position...])
    }

    /// The stamp stands before the host name; where there is none, its end is not known.
    private var stampColumns: String {
        guard let host = pieces.first(where: { $0.name == "host.name" }),
            host.range.lowerBound > 1
        else { return "" }
        return "1-\(host.range.lowerBound - 1)"
    }

    /// What the scanner made of the line, in words.
    var reading: String {
        switch outcome {
        case .read(let dialect): "\(dialect.name): " + says.joined(separator: ", ")
        case .ignored(let dialect): "\(dialect.name): nothing about a submission"
        case .unparsed(let reason, let dialect):
            "not understood (\(reason.name))" + (dialect.map { ", \($0.name)" } ?? "") + ": "
                + reason.sentence
        case .foreign: "of no mail server's program"
        }
    }

    /// The message that the line joined, in words; nil if it is about none.
    var joined: String? {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        switch join {
        case .none: return nil
        case .submission(let message):
            var words = "\(text(message.queueID)) of \(text(message.login ?? []))"
            if let outer = message.outerQueueID, message.login == nil {
                words =
                    "\(text(message.queueID)), which a filter made of \(text(outer)) of "
                    + text(message.outerLogin ?? [])
            }
            return words + (recipient.map { " to " + text($0) } ?? "")
        case .other(let message):
            return text(message.queueID)
                + (message.isProvisional
                    ? ", whose arrival is not logged yet" : ", without a login in the log")
        case .stray: return "no message: this queue ID's beginning is not in the log, or it is over"
        case .session: return "its connection"
        case .inDoubt:
            return "nothing yet: more than a day ahead of the log; it waits for three more lines"
        }
    }
}

extension LineExplanation.Piece {
    /// Columns in bytes, counted from 1; of a text without bytes, the one behind it.
    var columns: String {
        range.isEmpty
            ? "\(range.lowerBound + 1)" : "\(range.lowerBound + 1)-\(range.upperBound)"
    }
}

extension ExplainedEvent {
    /// The event and what each rule says of it: whole lines, safe to show.
    func text(_ palette: Palette) -> String {
        var text = LineExplanation.row("", "event", shown(summary))
        for rule in rules {
            text += LineExplanation.row("", "rule", palette.rule(rule, shown(rule.words)))
        }
        return text
    }

    /// One line about the event.
    var summary: String {
        let user = event.string(event.user) ?? "?"
        let recipient = event.string(event.recipient) ?? "?"
        let queueID = event.string(event.queueID) ?? "?"
        let name = "\(queueID) of \(user) to \(recipient)"
        guard event.phase == .submitted else { return "\(name): \(event.delivery.name)" }
        let receipt = event.receipt.name.map { ", a receipt (\($0))" } ?? ""
        let ambiguous = event.isAmbiguous ? "; its lines can be read in several ways" : ""
        return "\(name): submitted\(receipt)\(ambiguous)"
    }
}

extension RuleExplanation {
    /// The rule and its reason, in words; not yet safe to show.
    var words: String {
        guard matches else { return "\(rule) does not match: \(reason)" }
        var text = "\(rule) matches"
        for count in counts {
            text += "; \(count.rule): "
            if let figure = count.figure {
                let wanted = count.range.map { ", wanted: \($0)" } ?? " of \(count.threshold)"
                text += figure + wanted
            } else {
                text += "takes no part"
            }
            if count.isOpen { text += ", its alert is open" }
        }
        return text
    }
}

/// Terminal colours, or none.
struct Palette {
    let isColoured: Bool

    private static let colours = ["36", "32", "33", "35", "34", "96", "92", "93", "95", "94"]

    private func wrapped(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }

    func bold(_ text: String) -> String { wrapped(text, "1") }

    /// One of the colours that pieces take turns in.
    func paint(_ text: String, _ index: Int) -> String {
        wrapped(text, Self.colours[index % Self.colours.count])
    }

    func alarm(_ text: String) -> String { wrapped(text, "31") }

    func advice(_ text: String) -> String { wrapped(text, "33") }

    func good(_ text: String) -> String { wrapped(text, "32") }

    func faint(_ text: String) -> String { wrapped(text, "2") }

    func outcome(_ outcome: WalkedOutcome, _ text: String) -> String {
        switch outcome {
        case .read: text
        case .ignored, .foreign: faint(text)
        case .unparsed: alarm(text)
        }
    }

    func rule(_ rule: RuleExplanation, _ text: String) -> String {
        rule.matches ? alarm(text) : faint(text)
    }
}

/// Log text that is safe to show.
func shown(_ bytes: some Collection<UInt8>) -> String {
    SafeText.shown(String(decoding: bytes, as: UTF8.self))
}

// MARK: JSON

extension LineExplanation {
    /// The same as one flat JSON object. Fields that were read have their names and values (an array
    /// when the line has several), `postern.columns` says where each stands.
    public func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("postern.record", record)
        object.member("postern.line", number)
        object.member("event.original", String(decoding: bytes, as: UTF8.self))
        object.member("@timestamp", microseconds.map { rfc3339(microseconds: $0) })
        object.member("postern.reading", outcome.name)
        switch outcome {
        case .read(let dialect), .ignored(let dialect):
            object.member("postern.dialect", dialect.name)
        case .unparsed(let reason, let dialect):
            object.member("postern.dialect", dialect?.name)
            object.member("postern.unparsed", reason.name)
            object.member("message", reason.sentence)
        case .foreign: break
        }
        if !says.isEmpty { object.member("postern.says", says) }
        var names: [String] = []
        for piece in pieces where !names.contains(piece.name) { names.append(piece.name) }
        for name in names {
            let values = pieces.filter { $0.name == name }
                .map { String(decoding: $0.value, as: UTF8.self) }
            if values.count == 1 {
                object.member(name, values[0])
            } else {
                object.member(name, values)
            }
        }
        if !pieces.isEmpty {
            object.member("postern.columns", pieces.map { "\($0.name) \($0.columns)" })
        }
        write(join, to: &object)
        if !events.isEmpty { object.member("postern.events", events.map(\.summary)) }
        let rules = events.flatMap(\.rules)
        if !rules.isEmpty { object.member("postern.rules", rules.map(\.words)) }
        if !alerts.isEmpty {
            object.member(
                "postern.alerts",
                alerts.map { "\($0.action.name) \($0.ruleName) \($0.id)" }
            )
        }
        return object.finished()
    }

    private func write(_ join: Join, to object: inout JSONObjectWriter) {
        object.member("postern.joins", join.name)
        switch join {
        case .submission(let message), .other(let message):
            let account = message.login ?? message.outerLogin
            object.member("postern.joined_id", String(decoding: message.queueID, as: UTF8.self))
            object.member(
                "postern.joined_user",
                account.map { String(decoding: $0, as: UTF8.self) }
            )
            object.member(
                "postern.joined_outer_id",
                message.outerQueueID.map { String(decoding: $0, as: UTF8.self) }
            )
            object.member(
                "postern.joined_to",
                recipient.map { String(decoding: $0, as: UTF8.self) }
            )
        case .none, .stray, .session, .inDoubt: break
        }
    }
}

extension LineExplanation.Join {
    fileprivate var name: String? {
        switch self {
        case .none: nil
        case .submission: "submission"
        case .other: "unauthenticated"
        case .stray: "stray"
        case .session: "session"
        case .inDoubt: "in doubt"
        }
    }
}

extension WalkedOutcome {
    /// The outcome in one word.
    public var name: String {
        switch self {
        case .read: "read"
        case .ignored: "ignored"
        case .unparsed: "unparsed"
        case .foreign: "foreign"
        }
    }
}

/// What the end of the input brought to light, for a terminal or a pipe.
///
/// - Returns: whole lines, safe to show; empty if it brought nothing.
public func explanationOfEnd(
    _ events: [ExplainedEvent],
    _ alerts: [Alert],
    isColoured: Bool
) -> String {
    guard !events.isEmpty || !alerts.isEmpty else { return "" }
    let palette = Palette(isColoured: isColoured)
    return palette.bold("end of the input:") + "\n" + events.map { $0.text(palette) }.joined()
        + LineExplanation.alertText(alerts, palette)
}
