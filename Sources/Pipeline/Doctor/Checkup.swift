public import MailEvents
import MailLog
import MailText
import Records
import SafeText

/// What a log tells of the mail that users handed in, and what it leaves out.
public struct CheckupCounts: Sendable, Equatable {
    /// Messages of users whose login was not logged: accepted by services for users, or by an
    /// authenticator that gives no name.
    public var withoutAccount = 0
    /// Messages that came with a login and were queued.
    public var submissions = 0
    public var withSubject = 0
    public var withRecipient = 0
    /// Recipients of them, and those of which the log tells what became.
    public var recipients = 0
    public var withOutcome = 0
    /// Submissions whose content type was logged. Only that of reports and the like needs to be.
    public var withContentType = 0
    /// Read receipts among the submissions.
    public var receipts = 0
    /// Messages that came from other servers, and those of them whose subject was logged.
    public var inbound = 0
    public var inboundWithSubject = 0
    /// Of them, requests for a receipt that were logged, and those that the server stripped.
    public var inboundRequests = 0
    public var stripped = 0

    public init() {}
}

/// Reads real lines of a log and counts what Postern needs of them: `postern doctor`.
///
/// It joins messages as the engine does, and knows nothing of a dialect but its facts; the rest is
/// told by the tags of the lines. Memory is bounded by the assembler's limits and
/// ``namesMax``.
public struct Checkup: ~Copyable {
    /// Accounts, hosts, tags and messages from elsewhere that are remembered at most.
    static let namesMax = 65_536
    /// Subjects of receipts with an unknown prefix that are listed.
    public static let subjectsMax = 20

    public private(set) var counts: [Dialect: CheckupCounts] = [:]
    public private(set) var hosts: [String] = []
    /// Tags of the cleanup services that handled mail of users, and of those that handled other mail.
    public private(set) var submissionCleanups: Set<String> = []
    public private(set) var inboundCleanups: Set<String> = []
    /// Subjects of receipts that are known by their content type alone, each once.
    public private(set) var unknownSubjects: [String] = []
    private var accounts: Set<[UInt8]> = []

    private var assembler: Assembler
    private var reader: HeaderReader
    private var event = SendEvent()
    private var pending: [Assembler.Happening] = []
    /// Messages that came without a login from another machine, by the keys of their queue IDs.
    private var inbound: [UInt64: Inbound] = [:]
    /// The message whose content type came last.
    private var contentTypeKey: UInt64 = 0
    /// Messages whose content type came before the line that says who handed them in.
    private var typedBefore: Set<UInt64> = []

    private struct Inbound {
        var hasSubject = false
        var hasRequest = false
    }

    /// - Parameter settings: limits, account domain and receipt prefixes; its rules do not count.
    public init(_ settings: EngineSettings) throws(EngineError) {
        assembler = Assembler(limits: settings.assembly, seed: .constant)
        do {
            reader = HeaderReader(
                receipts: try ReceiptTable(
                    notRead: settings.notReadPrefixes,
                    read: settings.readPrefixes
                ),
                accountDomain: Array((settings.accountDomain ?? "").utf8),
                seed: .constant
            )
        } catch {
            throw .prefix("\(error)")
        }
    }

    /// How many accounts handed mail in; counted to ``namesMax``.
    public var accountCount: Int { accounts.count }

    /// Takes a line in, in the order of the log.
    public mutating func take(_ text: Span<UInt8>, _ line: WalkedLine) {
        guard let time = line.microseconds else { return }
        for fact in line.facts {
            noteHost(fact, text)
            let isNews = assembler.take(
                fact,
                text,
                record: RecordID(
                    source: SourceNumber(0),
                    file: line.file,
                    offset: line.offset
                ),
                sequence: line.sequence,
                microseconds: time
            )
            note(fact, text)
            if isNews { handle() }
        }
    }

    /// The log has ended.
    public mutating func finish() {
        assembler.finish()
        handle()
    }

    // MARK: Lines

    private mutating func noteHost(_ fact: LineFact, _ text: Span<UInt8>) {
        guard fact.host.isPresent, hosts.count < 64 else { return }
        let name = String(decoding: text.extracting(fact.host.indices).copied, as: UTF8.self)
        if hosts.last != name, !hosts.contains(name) { hosts.append(name) }
    }

    /// Counts what a fact says beyond the events.
    private mutating func note(_ fact: LineFact, _ text: Span<UInt8>) {
        switch fact.kind {
        case .client, .accepted:
            let isTyped = typedBefore.remove(fact.key) != nil
            if assembler.message(of: fact, text)?.login == nil {
                noteStranger(fact, text)
            } else {
                inbound[fact.key] = nil
                if isTyped { noteContentType(fact) }
            }
        case .removed: inbound[fact.key] = nil
        default: noteInbound(fact, text)
        }
        guard fact.agent == .cleanup || fact.isContentType, fact.key != 0 else { return }
        let message = assembler.message(of: fact, text)
        let isSubmission = message?.login != nil
        if isSubmission, fact.isContentType { noteContentType(fact) }
        if message?.isProvisional ?? false, fact.isContentType {
            if typedBefore.count >= Self.namesMax { typedBefore.removeAll(keepingCapacity: true) }
            typedBefore.insert(fact.key)
        }
        guard fact.agent == .cleanup, let tag = Self.tag(text) else { return }
        if isSubmission {
            if submissionCleanups.count < 64 { submissionCleanups.insert(tag) }
        } else if inbound[fact.key] != nil, inboundCleanups.count < 64 {
            inboundCleanups.insert(tag)
        }
    }

    /// A message without a login in the log is taken in. Whether it is a user's or another server's is told by
    /// the name that the service logs under.
    private mutating func noteStranger(_ fact: LineFact, _ text: Span<UInt8>) {
        guard !Self.isFromHere(fact, text) else { return }
        if fact.agent == .namelessLogin || Self.tag(text).map(Self.isForUsers) ?? false {
            counts[fact.dialect, default: CheckupCounts()].withoutAccount += 1
            return
        }
        counts[fact.dialect, default: CheckupCounts()].inbound += 1
        if inbound.count >= Self.namesMax { inbound.removeAll(keepingCapacity: true) }
        inbound[fact.key] = Inbound()
    }

    private mutating func noteInbound(_ fact: LineFact, _ text: Span<UInt8>) {
        guard fact.key != 0, var message = inbound[fact.key] else { return }
        switch fact.kind {
        case .subject where !message.hasSubject,
            .headerLine where fact.header == .subject && !message.hasSubject:
            message.hasSubject = true
            counts[fact.dialect, default: CheckupCounts()].inboundWithSubject += 1
        case .receiptRequest where !message.hasRequest,
            .headerLine where fact.header == .dispositionNotificationTo && !message.hasRequest:
            message.hasRequest = true
            counts[fact.dialect, default: CheckupCounts()].inboundRequests += 1
            if Self.isStripped(fact, text) {
                counts[fact.dialect, default: CheckupCounts()].stripped += 1
            }
        default: return
        }
        inbound[fact.key] = message
    }

    private mutating func noteContentType(_ fact: LineFact) {
        // Parts and attached messages have types of their own.
        guard fact.key != contentTypeKey else { return }
        contentTypeKey = fact.key
        counts[fact.dialect, default: CheckupCounts()].withContentType += 1
    }

    // MARK: Events

    private mutating func handle() {
        assembler.takePending(&pending)
        for happening in pending {
            switch happening {
            case .submitted(let slot, let recipient): submitted(slot, recipient)
            case .settled(let slot, let recipient), .unsettled(let slot, let recipient):
                ended(slot, recipient)
            case .closed(let slot):
                guard let hasSubject = assembler.endedWithoutRecipient(slot: slot) else { continue }
                let dialect = assembler.dialect(slot: slot)
                counts[dialect, default: CheckupCounts()].submissions += 1
                if hasSubject { counts[dialect, default: CheckupCounts()].withSubject += 1 }
            case .deferred, .delivered, .heard, .received, .awaited: break
            }
        }
        pending.removeAll(keepingCapacity: true)
        assembler.clearHappenings()
    }

    private mutating func submitted(_ slot: Int32, _ recipient: Int) {
        assembler.lend(&event, slot: slot, recipient: recipient, reader: &reader)
        var count = counts[event.dialect] ?? CheckupCounts()
        count.recipients += 1
        // A message counts once, however many recipients it has.
        if recipient == 0 {
            count.submissions += 1
            count.withRecipient += 1
            if event.subject.isPresent { count.withSubject += 1 }
            if event.receipt != .none { count.receipts += 1 }
            if accounts.count < Self.namesMax {
                accounts.insert(Array(event.text[event.account.indices]))
            }
            noteUnknownPrefix()
        }
        counts[event.dialect] = count
        assembler.takeBack(&event, slot: slot)
    }

    private mutating func noteUnknownPrefix() {
        guard event.receipt == .unknown, let subject = event.string(event.subject),
            unknownSubjects.count < Self.subjectsMax, !unknownSubjects.contains(subject)
        else { return }
        unknownSubjects.append(subject)
    }

    /// What is held or deferred is told of as well; what is not final may still come to light.
    private mutating func ended(_ slot: Int32, _ recipient: Int) {
        assembler.lend(&event, slot: slot, recipient: recipient, reader: &reader)
        switch event.delivery {
        case .unknown, .filtered: break
        case .sent, .bounced, .deferred, .expired, .held, .discarded:
            counts[event.dialect, default: CheckupCounts()].withOutcome += 1
        }
        assembler.takeBack(&event, slot: slot)
    }

    // MARK: Tags

    /// The tag of a syslog line: what stands before `[PID]:` or `:` behind the host name.
    static func tag(_ text: Span<UInt8>) -> String? {
        let header = SyslogHeader(text)
        guard header.isPresent else { return nil }
        return String(decoding: text.extracting(header.tag).copied, as: UTF8.self)
    }

    /// Whether a service by this name is one for users (master.cf of Postfix's distribution gives
    /// them `-o syslog_name=postfix/submission` and the like).
    private static func isForUsers(_ tag: String) -> Bool {
        tag.contains("submission") || tag.contains("smtps")
    }

    /// Whether a message came from this machine: a filter's, or a program's.
    private static func isFromHere(_ fact: LineFact, _ text: Span<UInt8>) -> Bool {
        guard fact.a.isPresent else { return true }
        let client = String(decoding: text.extracting(fact.a.indices).copied, as: UTF8.self)
        let address = client.split(separator: "[").last.map(String.init) ?? client
        return address.hasPrefix("127.") || address.hasPrefix("::1")
    }

    /// Whether Postfix deleted the header that it logged (`strip:`, 3.2 and later).
    private static func isStripped(_ fact: LineFact, _ text: Span<UInt8>) -> Bool {
        let start = fact.queueID.indices.upperBound
        let mark = Array(": strip: header ".utf8)
        guard fact.kind == .headerLine, start + mark.count <= text.count else { return false }
        return mark.indices.allSatisfy { text[start + $0] == mark[$0] }
    }
}

extension LineFact {
    fileprivate var isContentType: Bool {
        kind == .contentType || kind == .headerLine && header == .contentType
    }
}
