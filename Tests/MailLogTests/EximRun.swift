import Foundation
import MailEvents
import MailLog
import MailText
import Records
import Testing

/// An event, with its texts as strings.
struct EximEvent: Equatable {
    var account: String
    var recipient: String
    var sender: String?
    var subject: String?
    var messageID: String?
    var sourceIP: String?
    var host: String?
    var receipt: String?
    var delivery: String
    var isAmbiguous: Bool

    init(_ event: SendEvent) {
        func text(_ range: TextRange) -> String? {
            range.isPresent ? String(decoding: event.text[range.indices], as: UTF8.self) : nil
        }
        account = text(event.user) ?? ""
        recipient = text(event.recipient) ?? ""
        sender = text(event.sender)
        subject = text(event.subject)
        messageID = text(event.messageID)
        sourceIP = text(event.sourceIP)
        host = text(event.host)
        receipt = event.receipt.name
        delivery = event.delivery.name
        isAmbiguous = event.isAmbiguous
    }
}

/// Lines, read and joined as the engine does it.
struct EximRun: ~Copyable {
    var scanner: LogScanner
    var assembler: Assembler
    private var reader: HeaderReader
    private var pending: [Assembler.Happening] = []
    private var lineCount: UInt64 = 0
    private var settled: [Key: EximEvent] = [:]
    /// What came to light, in order.
    private(set) var told: [String] = []
    private var order: [Key] = []

    private struct Key: Hashable {
        var serial: UInt64
        var recipient: Int
    }

    init(tracksChanges: Bool = false) throws {
        scanner = LogScanner(seed: .constant)
        assembler = Assembler(seed: .constant, tracksChanges: tracksChanges)
        reader = HeaderReader(receipts: try ReceiptTable(), accountDomain: [], seed: .constant)
    }

    /// Reads a line, at a second of its own.
    mutating func take(_ line: [UInt8]) {
        var facts: [LineFact] = []
        scanner.scanLine(line.span, line: 0, into: &facts)
        lineCount += 1
        let record = RecordID(source: SourceNumber(0), file: FileNumber(0), offset: lineCount)
        for fact in facts {
            let isNews = assembler.take(
                fact,
                line.span,
                record: record,
                sequence: lineCount,
                microseconds: Int64(lineCount) * 1_000_000
            )
            if isNews { handle() }
        }
    }

    mutating func take(_ lines: [String]) { for line in lines { take(Array(line.utf8)) } }

    /// The events, each with its last outcome, in the order of their submission.
    mutating func finish() -> [EximEvent] {
        assembler.finish()
        handle()
        return order.compactMap { settled[$0] }
    }

    private mutating func handle() {
        assembler.takePending(&pending)
        for happening in pending {
            switch happening {
            case .submitted(let slot, let recipient): note(slot, recipient, "submitted")
            case .settled(let slot, let recipient): note(slot, recipient, "settled")
            case .unsettled(let slot, let recipient): note(slot, recipient, "unsettled")
            case .delivered(_, let isLocal): told.append(isLocal ? "local" : "remote")
            case .heard: told.append("heard")
            case .deferred, .received, .awaited, .closed: break
            }
        }
        pending.removeAll()
        assembler.clearHappenings()
    }

    private mutating func note(_ slot: Int32, _ recipient: Int, _ what: String) {
        var event = SendEvent()
        assembler.lend(&event, slot: slot, recipient: recipient, reader: &reader)
        let key = Key(serial: assembler.serial(slot: slot), recipient: recipient)
        if settled[key] == nil { order.append(key) }
        settled[key] = EximEvent(event)
        assembler.takeBack(&event, slot: slot)
        told.append(what)
    }
}

/// The events of some lines.
func eximEvents(_ lines: String...) throws -> [EximEvent] {
    var run = try EximRun()
    run.take(lines)
    return run.finish()
}

/// What a scanner makes of one line: the facts, and why it was not parsed.
struct EximFacts {
    var line: [UInt8]
    var facts: [LineFact]
    var counters: ScanCounters

    init(_ line: String) { self.init(Array(line.utf8)) }

    init(_ bytes: [UInt8]) {
        line = bytes
        facts = []
        var scanner = LogScanner(seed: .constant)
        scanner.scanLine(bytes.span, line: 0, into: &facts)
        counters = scanner.counters
        facts.removeAll { $0.kind == .time }
    }

    /// The text of a piece of the first fact of a kind; nil if there is no such fact or piece.
    func text(_ kind: LineFact.Kind, _ piece: KeyPath<LineFact, LineFact.Piece>) -> String? {
        facts.first { $0.kind == kind }.flatMap { text($0[keyPath: piece]) }
    }

    func text(_ piece: LineFact.Piece) -> String? {
        piece.isPresent ? String(decoding: line[piece.indices], as: UTF8.self) : nil
    }

    /// The recipients of a line that takes a message in.
    var recipients: [String] {
        facts.filter { $0.kind == .recipient }.compactMap { text($0.a) }
    }

    var fact: LineFact? { facts.first }
}
