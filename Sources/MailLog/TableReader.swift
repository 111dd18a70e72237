import MailEvents
import Records

/// Reads rows of tables: Exchange's message tracking log, and Microsoft 365's message trace exports.
///
/// Sources: "Message tracking" (learn.microsoft.com/exchange/mail-flow/transport-logs/message-tracking),
/// with the fields and the events of the tracking log; "Message trace in the Exchange admin center"
/// (…/monitoring/trace-an-email-message/message-trace-modern-eac) for the enhanced summary and the
/// extended report; "Get-MessageTraceV2" for its output. Where they leave something open, rows that were
/// published as samples decide, or the row is not read.
///
/// The head of a table names its columns, so it is remembered; so is that a field between quotes goes on
/// in the next line, since what stands there is a stranger's text and no row.
struct TableReader: Sendable {
    var names: NameReader
    let seed: HashSeed
    /// `--dialect`, which overrides what the head says.
    private let dialect: Dialect?
    private var head: TableHead?
    private var time = TableTime()
    var fields: [TableField] = []
    /// How many more lines may belong to a field between quotes that has not ended; 0: none is open.
    private var openLines = 0
    /// It ends where the number of quotes says; not known of a line that was cut.
    private var endIsKnown = false

    /// A subject has at most 256 characters ("Message trace in the Exchange admin center"), so that no
    /// more newlines than that can stand in it.
    private static let openLinesMax = 256

    init(names: NameReader, seed: HashSeed, dialect: Dialect? = nil) {
        self.names = names
        self.seed = seed
        self.dialect = dialect
        fields.reserveCapacity(TableRow.fieldsMax)
    }

    /// What became of a line.
    struct Row: Sendable {
        var dialect: Dialect
        /// When the row says that it was; nil for heads and comments.
        var stamp: Stamp?
        var outcome: LineOutcome
    }

    /// The lines that follow are of another file.
    mutating func beginFile() {
        head = nil
        time = TableTime()
        openLines = 0
    }

    /// Appends the facts of a row; takes the head of a table in.
    ///
    /// - Returns: nil if the line is of no table that is known.
    mutating func read(
        _ text: Span<UInt8>,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> Row? {
        if openLines > 0 { return goOn(text) }
        // U+FEFF, with which files of Windows begin.
        let start = text.has("\u{FEFF}", at: 0) ? 3 : 0
        guard start < text.count else { return nil }
        if text[start] == UInt8(ascii: "#") { return readComment(text, from: start) }
        guard let head = head ?? Self.standardHead(text, from: start) else {
            return readHead(text, from: start)
        }
        let shape = TableRow.split(text, from: start, into: &fields)
        let isCut = text.count >= SourceLimits.lineBytesMax
        if head.dialect == .microsoft365, shape == .open || isCut {
            openLines = Self.openLinesMax
            endIsKnown = !isCut
        }
        let dialect = self.dialect ?? head.dialect
        guard shape == .whole, !isCut, let timePlace = head[.time], timePlace < fields.count else {
            return self.head == nil ? nil : Row(dialect: dialect, outcome: .unparsed(.row))
        }
        guard let moment = time.read(text, fields[timePlace].range) else {
            // Tables that were put together have heads in their middle.
            return readHead(text, from: start)
                ?? (self.head == nil ? nil : Row(dialect: dialect, outcome: .unparsed(.row)))
        }
        guard let exact = self.head == nil ? Self.standardHead(count: fields.count) : head else {
            return nil
        }
        let stamp = Stamp(microseconds: moment)
        guard fields.count == exact.count else {
            return Row(dialect: dialect, stamp: stamp, outcome: .unparsed(.row))
        }
        let row = TableRowContext(
            head: exact,
            stamp: stamp,
            line: context.line,
            hostHash: context.hostHash,
            dialect: dialect
        )
        let outcome =
            switch exact.style {
            case .tracking: readTracking(text, row, into: &facts)
            case .summary: readSummary(text, row, into: &facts)
            case .trace: readTrace(text, row, into: &facts)
            }
        return Row(dialect: dialect, stamp: stamp, outcome: outcome)
    }

    // MARK: Heads

    /// `#Fields:` names the columns of a log of Exchange; the other comments say nothing that is
    /// needed. Other logs of Exchange have such heads too.
    private mutating func readComment(_ text: Span<UInt8>, from start: Int) -> Row? {
        if text.has("#Fields: ", at: start) {
            _ = TableRow.split(text, from: start + 9, into: &fields)
            head = TableHead(text, fields)
            time = TableTime()
            return head.map { Row(dialect: dialect ?? $0.dialect, outcome: .ignored) }
        }
        let isComment =
            text.has("#Software: Microsoft Exchange", at: start)
            || text.has("#Version: ", at: start)
            || text.hasIgnoringCase("#log-type: message tracking log", at: start)
            || text.has("#Date: ", at: start) || text.has("#TYPE ", at: start)
        return isComment ? Row(dialect: dialect ?? .exchange, outcome: .ignored) : nil
    }

    /// The first line of an export names the columns.
    private mutating func readHead(_ text: Span<UInt8>, from start: Int) -> Row? {
        // What begins otherwise is no name.
        let first = asciiLowered(text[start])
        guard first == UInt8(ascii: "\"") || first &- UInt8(ascii: "a") < 26,
            TableRow.split(text, from: start, into: &fields) == .whole,
            let found = TableHead(text, fields)
        else { return nil }
        head = found
        time = TableTime()
        return Row(dialect: dialect ?? found.dialect, outcome: .ignored)
    }

    /// The head of rows that were met without one, as where reading goes on in the middle of a tracking
    /// log; nil if the line cannot be such a row.
    private static func standardHead(_ text: Span<UInt8>, from start: Int) -> TableHead? {
        guard text.count - start > 24, isDigit(text[start]), text[start + 10] == UInt8(ascii: "T"),
            text[start + 23] == UInt8(ascii: "Z"), text[start + 24] == UInt8(ascii: ",")
        else { return nil }
        return TableHead.exchange2016
    }

    private static func standardHead(count: Int) -> TableHead? {
        switch count {
        case TableHead.exchange2010.count: TableHead.exchange2010
        case TableHead.exchange2013.count: TableHead.exchange2013
        case TableHead.exchange2016.count: TableHead.exchange2016
        default: nil
        }
    }

    /// A line within a field between quotes that began in an earlier line.
    private mutating func goOn(_ text: Span<UInt8>) -> Row {
        openLines -= 1
        if endIsKnown {
            var isOdd = false
            var index = 0
            while let quote = text.first(UInt8(ascii: "\""), from: index, to: text.count) {
                isOdd.toggle()
                index = quote + 1
            }
            if isOdd { openLines = 0 }
        }
        return Row(dialect: dialect ?? .microsoft365, outcome: .unparsed(.row))
    }
}

extension TableReader.Row {
    fileprivate init(dialect: Dialect, outcome: LineOutcome) {
        self.init(dialect: dialect, stamp: nil, outcome: outcome)
    }
}

/// What all facts of a row have in common.
struct TableRowContext: Sendable {
    var head: TableHead
    var stamp: Stamp
    var line: Int
    var hostHash: UInt64
    var dialect: Dialect
    var key: UInt64 = 0
    var queueID = LineFact.Piece.absent
    var host = LineFact.Piece.absent

    func fact(_ kind: LineFact.Kind) -> LineFact {
        var fact = LineFact(kind: kind, stamp: stamp, line: line)
        fact.dialect = dialect
        fact.key = key
        fact.queueID = queueID
        fact.host = host
        return fact
    }
}
