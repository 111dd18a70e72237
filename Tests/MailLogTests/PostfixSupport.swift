import MailEvents
import MailLog
import MailText
import Records
import Testing

/// What becomes of the lines of a log, without the rooms behind this one.
struct PostfixRun {
    /// An event with its final outcome.
    struct Seen: Equatable, CustomStringConvertible {
        var account: String
        var to: String
        var subject: String?
        var outcome: Delivery
        var from: String?
        var id: String
        var source: String?
        var submitted: Int64
        var isAmbiguous: Bool
        var receipt: Receipt

        var description: String {
            "\(account) → \(to) [\(subject ?? "–")] \(outcome)\(isAmbiguous ? " ambiguous" : "")"
        }
    }

    var events: [Seen] = []
    /// Index of the line at which an event was submitted, for each, in order.
    var submittedAt: [Int] = []
    /// Domains to which a copy came, and whether to a mailbox of this server.
    var localDeliveries: [Bool] = []
    var scanned = ScanCounters()
    var counters = AssemblerCounters()
    /// Lines kept of the messages that closed.
    var kept: [[String]] = []
}

/// Runs lines through scanner and assembler.
///
/// - Parameters:
///   - storing: stores the assembler and makes it anew behind each line.
///   - finishes: whether the input ends behind the lines.
func run(
    _ lines: [String],
    filters: [String] = [],
    dialect: Dialect? = nil,
    storing: Bool = false,
    finishes: Bool = true
) throws -> PostfixRun {
    var scanner = LogScanner(seed: .constant, dialect: dialect)
    var resolver = TimeResolver(zone: .utc, firstYear: 2026)
    resolver.beginFile(.none)
    func make() -> Assembler {
        Assembler(filters: FilterList(filters), seed: .constant, tracksChanges: storing)
    }
    var assembler = make()
    var reader = HeaderReader(receipts: try ReceiptTable(), accountDomain: [], seed: .constant)
    var stored: [[UInt8]: AssemblerPiece] = [:]
    var result = PostfixRun()
    var event = SendEvent()

    func take(_ happenings: [Assembler.Happening], at line: Int) {
        for happening in happenings {
            switch happening {
            case .submitted: result.submittedAt.append(line)
            case .settled(let slot, let recipient), .unsettled(let slot, let recipient):
                assembler.lend(&event, slot: slot, recipient: recipient, reader: &reader)
                result.events.append(
                    PostfixRun.Seen(
                        account: event.string(event.user) ?? "",
                        to: event.string(event.recipient) ?? "",
                        subject: event.string(event.subject),
                        outcome: event.delivery,
                        from: event.string(event.sender),
                        id: event.string(event.queueID) ?? "",
                        source: event.string(event.sourceIP),
                        submitted: event.submittedMicroseconds / 1_000_000,
                        isAmbiguous: event.isAmbiguous,
                        receipt: event.receipt
                    )
                )
                assembler.takeBack(&event, slot: slot)
                event = SendEvent()
            case .delivered(_, let isLocal): result.localDeliveries.append(isLocal)
            case .deferred, .received, .awaited: break
            case .heard: result.localDeliveries.append(true)
            case .closed(let slot):
                let lines = assembler.lines(slot: slot)
                #expect(zip(lines, lines.dropFirst()).allSatisfy { $0.sequence <= $1.sequence })
                if !lines.isEmpty {
                    result.kept.append(lines.map { String(decoding: $0.bytes, as: UTF8.self) })
                }
            }
        }
    }

    var facts: [LineFact] = []
    for (index, line) in lines.enumerated() {
        let bytes = Array(line.utf8)
        facts.removeAll()
        scanner.scanLine(bytes.span, line: 0, into: &facts)
        for fact in facts {
            let time = resolver.resolve(fact.stamp, observed: 0) ?? 0
            let isNews = assembler.take(
                fact,
                bytes.span,
                record: RecordID(
                    source: SourceNumber(0),
                    file: FileNumber(0),
                    offset: UInt64(index)
                ),
                sequence: UInt64(index) + 1,
                microseconds: time
            )
            guard isNews else { continue }
            var pending: [Assembler.Happening] = []
            assembler.takePending(&pending)
            take(pending, at: index)
            assembler.clearHappenings()
        }
        guard storing else { continue }
        for piece in assembler.takeChanges() {
            stored[[piece.kind.rawValue] + piece.key] = piece.body == nil ? nil : piece
        }
        result.counters.submissions += assembler.counters.submissions
        assembler = make()
        try assembler.restore(Array(stored.values))
    }
    if finishes {
        assembler.finish()
        var pending: [Assembler.Happening] = []
        assembler.takePending(&pending)
        take(pending, at: lines.count)
        assembler.clearHappenings()
    }
    result.scanned = scanner.counters
    if !storing { result.counters = assembler.counters }
    return result
}
