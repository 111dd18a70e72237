import MailEvents
import MailLog
import MailText
import Records
import Testing

/// An event, with its texts as strings.
struct ServerEvent: Equatable {
    var account: String
    var recipient: String
    var sender: String?
    var subject: String?
    var messageID: String?
    var sourceIP: String?
    var sourceName: String?
    var queueID: String?
    var receipt: String?
    var delivery: String

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
        sourceName = text(event.sourceDomain)
        queueID = text(event.queueID)
        receipt = event.receipt.name
        delivery = event.delivery.name
    }
}

/// Lines of a log, read and joined as the engine does it. Stamps without a year are of 2026, UTC.
struct ServerRun: ~Copyable {
    private(set) var scanner = LogScanner(seed: .constant)
    private(set) var assembler: Assembler
    private var reader: HeaderReader
    private var pending: [Assembler.Happening] = []
    private var lineCount: UInt64 = 0
    private var resolver = TimeResolver(zone: .utc, firstYear: 2_026)
    private var events: [Key: ServerEvent] = [:]
    private var order: [Key] = []
    /// What came to light, in order.
    private(set) var told: [String] = []

    private struct Key: Hashable {
        var serial: UInt64
        var recipient: Int
    }

    init() throws {
        assembler = Assembler(seed: .constant, tracksChanges: true)
        reader = HeaderReader(receipts: try ReceiptTable(), accountDomain: [], seed: .constant)
        resolver.beginFile(.none)
    }

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
                microseconds: resolver.resolve(fact.stamp, observed: 0) ?? 0
            )
            if isNews { handle() }
        }
    }

    mutating func take(_ lines: [String]) { for line in lines { take(Array(line.utf8)) } }

    /// Goes on in an assembler that was made from what this one would have stored.
    mutating func restart() throws {
        let pieces = assembler.takeChanges().filter { $0.body != nil }
        assembler = Assembler(seed: .constant, tracksChanges: true)
        try assembler.restore(pieces)
    }

    /// How many messages are open.
    var openCount: Int { assembler.openCount }

    /// The events, each with its last outcome, in the order of their submission.
    mutating func finish() -> [ServerEvent] {
        assembler.finish()
        handle()
        return order.compactMap { events[$0] }
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
            case .received: told.append("received")
            case .deferred, .awaited, .closed: break
            }
        }
        pending.removeAll()
        assembler.clearHappenings()
    }

    private mutating func note(_ slot: Int32, _ recipient: Int, _ what: String) {
        var event = SendEvent()
        assembler.lend(&event, slot: slot, recipient: recipient, reader: &reader)
        let key = Key(serial: assembler.serial(slot: slot), recipient: recipient)
        if events[key] == nil { order.append(key) }
        events[key] = ServerEvent(event)
        assembler.takeBack(&event, slot: slot)
        told.append(what)
    }
}

/// The events of some lines.
func serverEvents(_ lines: String...) throws -> [ServerEvent] {
    var run = try ServerRun()
    run.take(lines)
    return run.finish()
}

/// What a scanner makes of one line.
struct ServerFacts {
    let line: [UInt8]
    private(set) var facts: [LineFact] = []
    let counters: ScanCounters

    init(_ line: String) { self.init(Array(line.utf8)) }

    init(_ bytes: [UInt8]) {
        line = bytes
        var scanner = LogScanner(seed: .constant)
        scanner.scanLine(bytes.span, line: 0, into: &facts)
        counters = scanner.counters
        facts.removeAll { $0.kind == .time }
    }

    var kinds: [LineFact.Kind] { facts.map(\.kind) }

    func text(_ piece: LineFact.Piece) -> String? {
        piece.isPresent ? String(decoding: line[piece.indices], as: UTF8.self) : nil
    }

    /// The text of a piece of the first fact of a kind; nil if there is no such fact or piece.
    func text(_ kind: LineFact.Kind, _ piece: KeyPath<LineFact, LineFact.Piece>) -> String? {
        facts.first { $0.kind == kind }.flatMap { text($0[keyPath: piece]) }
    }

    func fact(_ kind: LineFact.Kind) -> LineFact? { facts.first { $0.kind == kind } }
}

/// Reads every prefix of some lines, and every line with one byte changed: whatever they are, they
/// are read, and every piece of a fact is a part of its line.
func readsEverySpoiltForm(of lines: [String]) {
    for line in lines {
        let bytes = Array(line.utf8)
        for end in 0...bytes.count { expectSound(Array(bytes[..<end])) }
        for index in bytes.indices {
            for byte in [0, 0x20, 0x22, 0x28, 0x2c, 0x3c, 0x3e, 0x5b, 0x5c, 0x5d, 0xff] as [UInt8] {
                var changed = bytes
                changed[index] = byte
                expectSound(changed)
            }
        }
    }
}

private func expectSound(_ line: [UInt8]) {
    let read = ServerFacts(line)
    #expect(read.counters.lines == 1)
    for fact in read.facts {
        for piece in [fact.a, fact.b, fact.c, fact.d, fact.queueID, fact.host] {
            #expect(piece.indices.upperBound <= line.count)
        }
    }
}
