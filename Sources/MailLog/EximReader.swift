import MailEvents
import Records

/// Reads lines that Exim wrote.
struct EximReader: Sendable {
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

    /// Appends the facts of a line of Exim's own log file (mainlog), which begins with its own stamp.
    ///
    /// - Returns: the stamp, and what became of the line; nil if it is no such line.
    mutating func readFileLine(
        _ text: Span<UInt8>,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> (Stamp, LineOutcome)? { nil }
}
