public import MailEvents

/// Why a line could not be read.
@frozen
public enum UnparsedReason: UInt8, Sendable, CaseIterable {
    /// It begins with no stamp of a known form.
    case noStamp
    /// It has a stamp, but not the host name and the tag that syslog writes after it.
    case noHeader
    /// A mail server's line that takes a message in, whose grammar did not hold to its end.
    case arrival
    /// The same for the envelope sender.
    case sender
    /// The same for the outcome of a delivery.
    case delivery
    /// A row of a table that has not the columns which its head names.
    case row

    /// The reason in words, for messages.
    public var name: String {
        switch self {
        case .noStamp: "no time stamp"
        case .noHeader: "no syslog header"
        case .arrival: "broken arrival line"
        case .sender: "broken sender"
        case .delivery: "broken delivery line"
        case .row: "broken table row"
        }
    }
}

/// What a dialect made of a line.
@frozen
public enum LineOutcome: Sendable, Equatable {
    /// It gave facts.
    case read
    /// It is understood, and says nothing of a submission.
    case ignored
    case unparsed(UnparsedReason)
}

/// Counts of what became of the lines of one dialect.
public struct DialectCounters: Sendable, Equatable {
    /// Lines that gave facts.
    public var read = 0
    /// Lines that say nothing of a submission.
    public var ignored = 0
    /// Lines that were not understood.
    public var unparsed = 0

    public var lines: Int { read + ignored + unparsed }

    static func += (left: inout Self, right: Self) {
        left.read += right.read
        left.ignored += right.ignored
        left.unparsed += right.unparsed
    }
}

/// Counts of what the scanner made of lines, for `postern explain`, status and notices.
public struct ScanCounters: Sendable, Equatable {
    /// All lines.
    public var lines = 0
    private var dialects = [DialectCounters](
        repeating: DialectCounters(),
        count: Dialect.allCases.count
    )
    /// Lines of programs that are no mail server.
    public var foreign = 0
    private var reasons = [Int](repeating: 0, count: UnparsedReason.allCases.count)

    public init() {}

    /// What became of the lines of one dialect.
    public subscript(dialect: Dialect) -> DialectCounters { dialects[dialect.index] }

    /// Lines that were not understood for this reason, of all dialects and of none.
    public subscript(reason: UnparsedReason) -> Int { reasons[Int(reason.rawValue)] }

    /// Lines that gave facts.
    public var read: Int { dialects.reduce(0) { $0 + $1.read } }

    /// Whether there were lines, and not one that stands in a log.
    public var isOfNoLog: Bool {
        lines > 0 && foreign == 0 && dialects.allSatisfy { $0.read == 0 && $0.ignored == 0 }
    }

    /// Whether the lines were of syslog, and of Postfix if of a mail server: no such line depends on
    /// one before it.
    public var isOfIndependentLines: Bool {
        dialects[Dialect.postfix.index].read > 0
            && reasons[Int(UnparsedReason.noStamp.rawValue)] == 0
            && Dialect.allCases.allSatisfy { $0 == .postfix || self[$0].lines == 0 }
    }

    /// Lines that were not understood, for whatever reason.
    public var unparsed: Int { reasons.reduce(0, +) }

    @inline(__always)
    mutating func count(_ outcome: LineOutcome, of dialect: Dialect) {
        switch outcome {
        case .read: dialects[dialect.index].read &+= 1
        case .ignored: dialects[dialect.index].ignored &+= 1
        case .unparsed(let reason):
            dialects[dialect.index].unparsed &+= 1
            reasons[Int(reason.rawValue)] &+= 1
        }
    }

    /// Counts a line of which not even the dialect is known.
    mutating func countUnparsed(_ reason: UnparsedReason) { reasons[Int(reason.rawValue)] &+= 1 }

    public static func += (left: inout ScanCounters, right: ScanCounters) {
        left.lines += right.lines
        left.foreign += right.foreign
        for index in left.dialects.indices { left.dialects[index] += right.dialects[index] }
        for index in left.reasons.indices { left.reasons[index] += right.reasons[index] }
    }
}
