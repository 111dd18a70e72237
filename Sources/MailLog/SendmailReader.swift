import MailEvents
import Records

/// Reads lines that Sendmail wrote.
struct SendmailReader: Sendable {
    private var names: NameReader

    init(names: NameReader) { self.names = names }

    /// Appends the facts of a line that came by syslog.
    ///
    /// - Parameters:
    ///   - text: the line.
    ///   - start: where the program's own text begins.
    ///   - context: what stands before it.
    mutating func read(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome { .ignored }
}
