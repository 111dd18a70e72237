import MailEvents
import MailLog
import MailText
import Records
import Testing

/// An event as a table gave it, in words.
struct Sent: Equatable, CustomStringConvertible {
    var user: String
    var recipient: String
    var delivery: String
    var subject: String?
    var receipt: String?
    var evidence: String?
    var ip: String?
    var sender: String?
    var queueID: String?
    var messageID: String?
    var host: String?
    var microseconds: Int64
    var dialect: String
    var lines: Int

    var description: String {
        "\(user) > \(recipient) \(delivery)" + (receipt.map { " [\($0)]" } ?? "")
            + (subject.map { " \($0)" } ?? "")
    }
}

/// What came of the lines of a log.
struct Reading {
    var events: [Sent] = []
    /// `heard MAILBOX` and `local DOMAIN` or `remote DOMAIN` in the order of the lines, by the address.
    var heard: [String] = []
    /// What came to mailboxes, which a receipt may answer: its ID, its sender, and the identity of the
    /// payload that a receipt for it would have.
    var inbound: [(queueID: String, sender: String, payload: UInt64)] = []
    /// The identities of the events' payloads.
    var payloads: [UInt64] = []
    var counters = ScanCounters()
    var facts: [LineFact] = []
    /// Messages that were open at the end.
    var openCount = 0
}

/// Reads lines as the engine would, without memory and rules.
///
/// - Parameter facts: changes the facts of a line before they are taken.
func read(_ lines: [String], dialect: Dialect? = nil) throws -> Reading {
    try read(lines.map { Array($0.utf8) }, dialect: dialect)
}

func read(_ lines: [[UInt8]], dialect: Dialect? = nil) throws -> Reading {
    var scanner = LogScanner(seed: .constant, dialect: dialect)
    var assembler = Assembler(seed: .constant)
    var reader = HeaderReader(
        receipts: try ReceiptTable(notRead: [], read: []),
        accountDomain: [],
        seed: .constant
    )
    var reading = Reading()
    var pending: [Assembler.Happening] = []
    var facts: [LineFact] = []
    var event = SendEvent()

    func empty(_ line: Span<UInt8>, at microseconds: Int64) {
        assembler.takePending(&pending)
        for happening in pending {
            switch happening {
            case .submitted, .deferred, .received, .awaited, .closed: continue
            case .delivered(_, let isLocal): reading.heard.append(isLocal ? "local" : "remote")
            case .heard(let slot, _, let name, _, _, let isNews):
                reading.heard.append("heard " + String(bytes: line.extracting(name.indices)))
                guard isNews else { continue }
                assembler.readInbound(slot: slot) { queueID, sender, subject, form, _, _ in
                    let payload = reader.payload(ofSubject: subject, form, seed: .constant)
                    reading.inbound.append(
                        (String(bytes: queueID), String(bytes: sender), payload)
                    )
                }
            case .settled(let slot, let recipient), .unsettled(let slot, let recipient):
                assembler.lend(&event, slot: slot, recipient: recipient, reader: &reader)
                var sent = Sent(event)
                reading.payloads.append(reader.identities(of: event, seed: .constant).payload)
                assembler.takeBack(&event, slot: slot)
                sent.lines = assembler.lines(slot: slot).count
                reading.events.append(sent)
            }
        }
        pending.removeAll()
        assembler.clearHappenings()
    }

    for (index, line) in lines.enumerated() {
        facts.removeAll()
        scanner.scanLine(line.span, line: index, into: &facts)
        for fact in facts {
            let time = fact.stamp.isYearless ? 0 : fact.stamp.microseconds
            let record = RecordID(
                source: SourceNumber(0),
                file: FileNumber(0),
                offset: UInt64(index)
            )
            let isNews = assembler.take(
                fact,
                line.span,
                record: record,
                sequence: UInt64(index + 1),
                microseconds: time
            )
            if isNews { empty(line.span, at: time) }
        }
        reading.facts += facts
    }
    reading.openCount = assembler.openCount
    assembler.finish()
    empty(Span(), at: 0)
    reading.counters = scanner.counters
    return reading
}

extension String {
    fileprivate init(bytes: Span<UInt8>) {
        var copy: [UInt8] = []
        for index in bytes.indices { copy.append(bytes[index]) }
        self = String(decoding: copy, as: UTF8.self)
    }
}

extension Sent {
    fileprivate init(_ event: SendEvent) {
        user = event.string(event.user) ?? "?"
        recipient = event.string(event.recipient) ?? "?"
        delivery = event.delivery.name
        subject = event.string(event.subject)
        receipt = event.receipt.name
        evidence = event.receiptEvidence.name
        ip = event.string(event.sourceIP)
        sender = event.string(event.sender)
        queueID = event.string(event.queueID)
        messageID = event.string(event.messageID)
        host = event.string(event.host)
        microseconds = event.submittedMicroseconds
        dialect = event.dialect.name
        lines = 0
    }
}

/// A row of Exchange's message tracking log, written as Exchange writes it.
struct Tracking {
    static let fields2010 =
        "date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,"
        + "connector-id,source,event-id,internal-message-id,message-id,recipient-address,"
        + "recipient-status,total-bytes,recipient-count,related-recipient-address,reference,"
        + "message-subject,sender-address,return-path,message-info,directionality,tenant-id,"
        + "original-client-ip,original-server-ip,custom-data"
    static let fields2013 = fields2010.replacing(
        ",message-id,recipient",
        with: ",message-id,network-message-id,recipient"
    )
    static let fields2016 = fields2013 + ",transport-traffic-type,log-id,schema-version"

    static let head = [
        "\u{FEFF}#Software: Microsoft Exchange Server", "#Version: 15.02.1544.004",
        "#Log-type: Message Tracking Log", "#Date: 2026-11-25T10:00:00.000Z",
        "#Fields: " + fields2016,
    ]

    var values: [String: String]
    var fields = fields2016

    /// A message that was written in a mailbox.
    init(_ event: String, second: Int = 12, _ values: [String: String] = [:]) {
        let base = [
            "date-time": "2026-11-25T10:11:\(second < 10 ? "0" : "")\(second).123Z",
            "client-ip": "fe80::1%3", "client-hostname": "EX1.corp.example",
            "server-ip": "fe80::2%3", "server-hostname": "EX1", "source": "STOREDRIVER",
            "event-id": event, "internal-message-id": "73014444033",
            "message-id": "<4867a3d78a50438bad95c0f6d072fca5@ex1.corp.example>",
            "network-message-id": "6a638d20-1e63-493a-80a2-08da9a4ff8da",
            "recipient-address": "bob@shop.example", "recipient-status": "To",
            "total-bytes": "4096", "recipient-count": "1", "message-subject": "Lunch",
            "sender-address": "alice@corp.example", "return-path": "alice@corp.example",
            "message-info": "04I: ", "directionality": "Originating",
            "original-client-ip": "192.0.2.7", "original-server-ip": "fe80::2%3",
            "custom-data": "S:DeliveryPriority=Normal;S:AccountForest=corp.example",
            "transport-traffic-type": "Email",
            "log-id": "12345678-3232-2323-1111-12345679988", "schema-version": "15.02.1544.004",
            "source-context": "MDB:12345678-3232-2323-1111-12345679987, "
                + "Mailbox:33345678-3232-2323-1111-08da9fd00918, Event:63779422, "
                + "MessageClass:IPM.Note, CreationTime:2026-11-25T10:11:12.001Z, ClientType:MOMT",
        ]
        self.values = base.merging(values) { $1 }
    }

    /// A row as Exchange writes it: a field is quoted for a comma or a quote.
    var line: String {
        fields.split(separator: ",").map { name in
            let value = values[String(name)] ?? ""
            guard value.contains(",") || value.contains("\"") else { return value }
            return "\"" + value.replacing("\"", with: "\"\"") + "\""
        }
        .joined(separator: ",")
    }

    func with(_ changes: [String: String]) -> Tracking {
        var copy = self
        copy.values.merge(changes) { $1 }
        return copy
    }

    func inOrder(of fields: String) -> Tracking {
        var copy = self
        copy.fields = fields
        return copy
    }
}

/// The whole way of a message from a mailbox to another server, with the rows between.
func sentByMailbox(
    _ changes: [String: String] = [:],
    to recipient: String = "bob@shop.example"
)
    -> [String]
{
    let changes = changes.merging(["recipient-address": recipient]) { $1 }
    return [
        Tracking(
            "NOTIFYMAPI",
            second: 10,
            [
                "network-message-id": "", "message-id": "", "internal-message-id": "",
                "recipient-address": "", "message-subject": "", "return-path": "",
            ]
        ).line, Tracking("RECEIVE", second: 11, changes).line,
        Tracking("SUBMIT", second: 12, changes).line,
        Tracking("HAREDIRECT", second: 12, changes.merging(["source": "SMTP"]) { $1 }).line,
        Tracking(
            "RECEIVE",
            second: 12,
            changes.merging(["source": "SMTP", "message-info": "0cI: ", "server-hostname": "EX2"]) {
                $1
            }
        ).line, Tracking("AGENTINFO", second: 13, changes.merging(["source": "AGENT"]) { $1 }).line,
        Tracking(
            "SENDEXTERNAL",
            second: 14,
            changes.merging([
                "source": "SMTP", "connector-id": "To the Internet",
                "recipient-status": "250 2.0.0 Ok: queued as 4jY8Gq5M1Bz2NRpQ",
            ]) { $1 }
        ).line,
    ]
}
