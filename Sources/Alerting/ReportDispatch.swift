import Findings
import SafeText

/// A report as a sink gets it.
public enum ReportDispatch {
    /// `event.action` of a report.
    static let action = "report"
    /// `rule.name` of a report.
    public static let ruleName = "postern_report"

    /// - Parameters:
    ///   - id: names it in the outbox.
    ///   - microseconds: when it is due.
    ///   - since, until: what it is about.
    ///   - message: all of it in one sentence.
    ///   - figures: a JSON object.
    ///   - text: Markdown.
    ///   - page: HTML that needs nothing else.
    public static func body(
        id: String,
        microseconds: Int64,
        since: Int64,
        until: Int64,
        message: String,
        figures: [UInt8],
        text: String,
        page: String
    ) -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("@timestamp", rfc3339(microseconds: microseconds))
        object.member("event.kind", "event")
        object.member("event.action", action)
        object.member("event.id", id)
        object.member("event.sequence", 0)
        object.member("event.start", rfc3339(microseconds: since))
        object.member("event.end", rfc3339(microseconds: until))
        object.member("event.severity", Severity.informational.rawValue)
        object.member("rule.name", ruleName)
        object.member("message", message)
        object.member("postern.report", json: figures)
        object.member("postern.report_text", text)
        object.member("postern.report_page", page)
        return object.finished()
    }
}
