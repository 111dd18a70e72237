import MailEvents
import Records

/// Reads rows of tables: Exchange's message tracking log, and Microsoft 365's message trace exports.
struct TableReader: Sendable {
    private var names: NameReader

    init(names: NameReader) { self.names = names }

    /// What became of a line.
    struct Row: Sendable {
        var dialect: Dialect
        /// When the row says that it was; nil for heads and comments.
        var stamp: Stamp?
        var outcome: LineOutcome
    }

    /// Appends the facts of a row; takes the head of a table in.
    ///
    /// - Returns: nil if the line is of no table that is known.
    mutating func read(
        _ text: Span<UInt8>,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> Row? { nil }
}
