import MailEvents
import MailText
import Records

@testable import MailLog

/// One recipient's copy of a message, as an event tells of it when it is over.
struct SeenEvent: Equatable, Sendable {
    var account: String
    /// Nil if the log did not say; empty for the null sender.
    var sender: String?
    var recipient: String
    var subject: String?
    var delivery: Delivery
    var isAmbiguous: Bool
    var queueID: String
    var clientIP: String
    var receipt: Receipt
}

/// Lines read on to events, as the engine reads them, with its state stored and restored on the way
/// if that is wanted.
struct LogRun: ~Copyable {
    private var scanner = LogScanner(seed: .constant)
    private var assembler: Assembler
    private var reader: HeaderReader
    private var resolver = TimeResolver(zone: .utc, firstYear: 2026)
    private let limits: AssemblyLimits
    private var line = 0
    private var stored: [PieceName: [UInt8]] = [:]
    private var pending: [Assembler.Happening] = []
    private var event = SendEvent()

    /// Where each recipient of each message that is not closed stands.
    private var phases: [UInt64: [Int: Phase]] = [:]
    private enum Phase { case submitted, over }
    private var closed: Set<UInt64> = []

    /// What came to light in an order in which it cannot: each recipient is submitted once, then over
    /// once, and a message's closing is the last of it.
    private(set) var violations: [String] = []
    /// What came to light, in words, in its order.
    private(set) var happenings: [String] = []
    /// The events that are over.
    private(set) var events: [SeenEvent] = []
    var counters: ScanCounters { scanner.counters }

    private struct PieceName: Hashable {
        var kind: AssemblerPiece.Kind
        var key: [UInt8]
    }

    init(limits: AssemblyLimits = AssemblyLimits()) throws(ReceiptPrefixError) {
        self.limits = limits
        assembler = Assembler(limits: limits, seed: .constant, tracksChanges: true)
        reader = HeaderReader(receipts: try ReceiptTable(), accountDomain: [], seed: .constant)
    }

    /// Reads a line to its happenings. A line that is too long is cut as a source cuts it.
    mutating func read(_ whole: [UInt8]) {
        let bytes =
            whole.count > SourceLimits.lineBytesMax
            ? Array(whole[..<SourceLimits.lineBytesMax]) : whole
        var facts: [LineFact] = []
        scanner.scanLine(bytes.span, line: line, into: &facts)
        line += 1
        for fact in facts {
            guard let time = resolver.resolve(fact.stamp, observed: 0) else { continue }
            let isNews = assembler.take(
                fact,
                bytes.span,
                record: RecordID(
                    source: SourceNumber(0),
                    file: FileNumber(0),
                    offset: UInt64(line)
                ),
                sequence: UInt64(line),
                microseconds: time
            )
            if isNews { takeHappenings(bytes) }
        }
    }

    /// The input has ended.
    mutating func finish() {
        assembler.finish()
        takeHappenings([])
    }

    /// Stores what changed and goes on with an assembler made of all that is stored.
    mutating func restore() throws(BinaryReadError) {
        for piece in assembler.takeChanges() {
            stored[PieceName(kind: piece.kind, key: piece.key)] = piece.body
        }
        // A store gives the pieces back in the order of their keys, whenever they were written.
        let pieces = stored.map { AssemblerPiece(kind: $0.kind, key: $0.key, body: $1) }
            .sorted { ($0.kind.rawValue, $0.key.hex) < ($1.kind.rawValue, $1.key.hex) }
        assembler = Assembler(limits: limits, seed: .constant, tracksChanges: true)
        try assembler.restore(pieces)
    }

    var openCount: Int { assembler.openCount }

    private mutating func takeHappenings(_ line: [UInt8]) {
        assembler.takePending(&pending)
        for happening in pending {
            checkOrder(happening)
            switch happening {
            case .submitted(let slot, let recipient):
                happenings.append("submitted \(look(slot, recipient))")
            case .settled(let slot, let recipient):
                events.append(look(slot, recipient))
                happenings.append("settled \(events[events.count - 1])")
            case .unsettled(let slot, let recipient):
                events.append(look(slot, recipient))
                happenings.append("unsettled \(events[events.count - 1])")
            case .deferred(let slot, let recipient):
                happenings.append("deferred \(look(slot, recipient))")
            case .delivered(let domain, let isLocal):
                happenings.append("delivered \(domain) local \(isLocal)")
            case .heard(_, let mailbox, let name, let domain, let sender, let isNews):
                let text = String(decoding: line[name.indices], as: UTF8.self)
                happenings.append("heard \(mailbox) \(text) \(domain) \(sender) \(isNews)")
            case .received(let slot, let name):
                let text = String(decoding: line[name.indices], as: UTF8.self)
                happenings.append("received \(assembler.serial(slot: slot)) \(text)")
            case .awaited(let slot):
                happenings.append("awaited \(assembler.serial(slot: slot))")
            case .closed(let slot):
                let lines = assembler.lines(slot: slot)
                happenings.append(
                    "closed \(assembler.serial(slot: slot)) \(lines.map(\.sequence)) "
                        + "\(assembler.linesLeftOut(slot: slot)) \(assembler.isProof(slot: slot))"
                )
            }
        }
        pending.removeAll()
        assembler.clearHappenings()
    }

    private mutating func checkOrder(_ happening: Assembler.Happening) {
        switch happening {
        case .submitted(let slot, let recipient):
            let serial = assembler.serial(slot: slot)
            if phases[serial, default: [:]].updateValue(.submitted, forKey: recipient) != nil {
                violations.append("\(serial).\(recipient) submitted again")
            }
        case .settled(let slot, let recipient), .unsettled(let slot, let recipient):
            let serial = assembler.serial(slot: slot)
            if phases[serial, default: [:]].updateValue(.over, forKey: recipient) != .submitted {
                violations.append("\(serial).\(recipient) over, but not submitted: \(happening)")
            }
        case .closed(let slot):
            let serial = assembler.serial(slot: slot)
            let phases = phases.removeValue(forKey: serial) ?? [:]
            if phases.values.contains(.submitted) { violations.append("\(serial) is not over") }
            if !closed.insert(serial).inserted { violations.append("\(serial) closed again") }
        case .deferred, .delivered, .heard, .received, .awaited:
            break
        }
    }

    private mutating func look(_ slot: Int32, _ recipient: Int) -> SeenEvent {
        assembler.lend(&event, slot: slot, recipient: recipient, reader: &reader)
        func text(_ range: TextRange) -> String? {
            range.isPresent ? String(decoding: event.text[range.indices], as: UTF8.self) : nil
        }
        let seen = SeenEvent(
            account: text(event.user) ?? "",
            sender: text(event.sender),
            recipient: text(event.recipient) ?? "",
            subject: text(event.subject),
            delivery: event.delivery,
            isAmbiguous: event.isAmbiguous,
            queueID: text(event.queueID) ?? "",
            clientIP: text(event.sourceIP) ?? "",
            receipt: event.receipt
        )
        assembler.takeBack(&event, slot: slot)
        return seen
    }
}

extension [UInt8] {
    /// In an order and a form in which bytes compare.
    fileprivate var hex: String {
        map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
