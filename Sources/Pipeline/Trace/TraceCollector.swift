import MailEvents
import MailLog

/// A later pass of a trace: collects everything about the messages that are wanted, and notes others
/// whose lines name them.
struct TraceCollector: ~Copyable {
    /// Lines of one message, and bytes of each.
    static let linesMax = 2_000
    static let lineBytesMax = 4_096
    /// Messages that are collected because a line names their queue ID.
    static let tentativeMax = 256
    /// Connections and sessions that are remembered, and lines of each.
    private static let connectionsMax = 16_384
    private static let connectionLinesMax = 8

    /// By serial.
    private(set) var messages: [UInt64: TracedMessage] = [:]
    /// Messages whose lines name a wanted one, by serial, with their queue IDs: worth a look in the
    /// next pass.
    private(set) var naming: [UInt64: String] = [:]
    /// Lines of other programs, by the queue ID that they name.
    private(set) var mentions: [String: [TracedLine]] = [:]

    private let wanted: Set<UInt64>
    private let wantedIDs: Set<String>
    private let ids: TokenSet
    private var book = MessageBook<Void>()
    private var texts = FactTextReader()
    private var tentativeCount = 0
    /// Lines that say which bounce was made of which message.
    private var notifications: [(notice: NotificationText, line: TracedLine)] = []
    /// Lines of connections that may turn out to be those of wanted messages.
    private var connections: [UInt64: [TracedLine]] = [:]
    private var sessions = SessionLogins()
    /// What before-queue filters answered, and whose sessions they are.
    private var proxies: [ProxiedMessage] = []
    /// Sessions whose IDs stand on each of their lines, by the ID.
    private var sessionKeys: [[UInt8]: UInt64] = [:]
    /// Connections by which a wanted message came: what follows belongs to it.
    private var followed: [UInt64: UInt64] = [:]

    /// - Parameters:
    ///   - wanted: messages, by serial.
    ///   - queueIDs: all messages of these are collected, to be looked at; lines that name them too.
    init(wanted: Set<UInt64>, queueIDs: Set<String>) {
        self.wanted = wanted
        wantedIDs = queueIDs
        ids = TokenSet(queueIDs)
    }

    /// - Parameter path: of the line's file.
    mutating func take(_ text: Span<UInt8>, _ line: WalkedLine, path: String) {
        guard let time = line.microseconds else { return }
        var isTaken = false
        var isOfMessage = false
        for fact in line.facts {
            if fact.key != 0, fact.queueID.isPresent, fact.kind != .proxyEnd {
                isOfMessage = true
                if take(fact, text, line, time, path) { isTaken = true }
            } else {
                takeSession(fact, text, line, time, path)
            }
        }
        if !isTaken, !isOfMessage, takeConnection(text, line, time, path) { return }
        guard let queueID = ids.firstToken(in: text, 0..<text.count) else { return }
        if let notice = NotificationText(text) {
            guard notifications.count < Self.tentativeMax else { return }
            notifications.append((notice, record(text, line, time, path, .message)))
        } else if !isTaken, !isOfMessage, mentions[queueID]?.count ?? 0 < Self.linesMax {
            mentions[queueID, default: []].append(record(text, line, time, path, .mention))
        }
    }

    private func record(
        _ text: Span<UInt8>,
        _ line: WalkedLine,
        _ time: Int64,
        _ path: String,
        _ relation: TracedLine.Relation
    ) -> TracedLine {
        TracedLine(
            microseconds: time,
            sequence: line.sequence,
            path: path,
            number: path.hasPrefix("journal:") ? line.offset : UInt64(line.number),
            bytes: text.extracting(0..<min(text.count, Self.lineBytesMax)).copied,
            relation: relation
        )
    }

    // MARK: Messages

    /// - Returns: whether the line belongs to a message that is collected.
    private mutating func take(
        _ fact: LineFact,
        _ text: Span<UInt8>,
        _ line: WalkedLine,
        _ time: Int64,
        _ path: String
    ) -> Bool {
        var serial: UInt64 = 0
        var begins = false
        book.update(fact, sequence: line.sequence, initial: ()) { entry, isNew in
            serial = entry.serial
            begins = isNew
        }
        if begins {
            let queueID = text.extracting(fact.queueID.indices).copied
            let isNamed = wantedIDs.contains(String(decoding: queueID, as: UTF8.self))
            guard wanted.contains(serial) || isNamed && tentativeCount < Self.tentativeMax else {
                noteNaming(fact, text, serial)
                return false
            }
            if !wanted.contains(serial) { tentativeCount += 1 }
            messages[serial] = TracedMessage(serial: serial, queueID: queueID)
        }
        guard var message = messages[serial] else {
            noteNaming(fact, text, serial)
            return false
        }
        messages[serial] = nil  // so that `message` alone owns its lines
        if message.lines.last?.sequence != line.sequence {
            if message.lines.count < Self.linesMax {
                message.lines.append(record(text, line, time, path, .message))
            } else {
                message.linesLeftOut += 1
            }
        }
        read(fact, text, line.sequence, time, into: &message)
        if fact.opensMessage { joinConnection(fact, text, &message) }
        messages[serial] = message
        return true
    }

    /// A line of another message may name a wanted one: a delivery's reply, a filter's client, a
    /// bounce that Exim made.
    private mutating func noteNaming(_ fact: LineFact, _ text: Span<UInt8>, _ serial: UInt64) {
        guard naming.count < Self.tentativeMax else { return }
        let range: Range<Int>
        switch fact.kind {
        case .delivery where fact.d.isPresent: range = fact.d.indices
        case .client where fact.c.isPresent: range = fact.c.indices
        case .requeued, .copied: range = fact.a.indices
        case .accepted: range = fact.queueID.indices.upperBound..<text.count
        default: return
        }
        guard range.upperBound <= text.count, ids.firstToken(in: text, range) != nil else { return }
        naming[serial] = String(
            decoding: text.extracting(fact.queueID.indices).copied,
            as: UTF8.self
        )
    }

    private mutating func read(
        _ fact: LineFact,
        _ text: Span<UInt8>,
        _ sequence: UInt64,
        _ time: Int64,
        into message: inout TracedMessage
    ) {
        func string(_ piece: LineFact.Piece) -> String {
            String(decoding: text.extracting(piece.indices).copied, as: UTF8.self)
        }
        func add(_ recipient: String) {
            if !message.recipients.contains(recipient), message.recipients.count < 10_000 {
                message.recipients.append(recipient)
            }
        }
        message.dialect = fact.dialect
        if fact.host.isPresent { message.host = string(fact.host) }
        switch fact.kind {
        case .client, .clientAgain:
            let client = string(fact.a)
            message.client = text.extracting(fact.a.indices).copied
            let parts = client.split(separator: "[", maxSplits: 1)
            message.clientIP = parts.last.map { String($0.prefix { $0 != "]" }) }
            if parts.count == 2, parts[0] != "unknown" { message.clientName = String(parts[0]) }
            open(fact, text, sequence, time, &message)
            if fact.c.isPresent {
                message.links.append(
                    TraceLink(
                        kind: .outer,
                        queueID: string(fact.c),
                        microseconds: time,
                        sequence: sequence
                    )
                )
            }
        case .accepted:
            if fact.a.isPresent { message.clientIP = string(fact.a) }
            if fact.c.isPresent { message.clientName = string(fact.c) }
            open(fact, text, sequence, time, &message)
            if let bounced = EximBounce.subject(fact, text) {
                message.links.append(
                    TraceLink(
                        kind: .subject,
                        queueID: bounced,
                        microseconds: time,
                        sequence: sequence
                    )
                )
            }
        case .local:
            message.isOpened = true
            message.opening = message.opening ?? sequence
            if fact.a.isPresent { message.sender = string(fact.a) }
        case .messageLogin:
            message.login =
                fact.b.isPresent && fact.b.count > 0
                ? String(decoding: texts.login(fact, text), as: UTF8.self) : nil
            message.hasOwnLogin = true
            message.loginLine = sequence
        case .active, .sender: message.sender = string(fact.a)
        case .requeued, .copied:
            guard fact.a.isPresent else { return }
            message.links.append(
                TraceLink(
                    kind: .renamed,
                    queueID: string(fact.a),
                    microseconds: time,
                    sequence: sequence
                )
            )
        case .redirected:
            add(string(fact.b))
        case .held: message.isHeld = true
        case .released: message.isHeld = false
        case .refused: message.isRefused = true
        case .messageID: if message.messageID == nil { message.messageID = string(fact.a) }
        case .recipient: add(string(fact.a))
        case .delivery: readDelivery(fact, text, sequence, time, into: &message)
        case .subject, .headerLine:
            if TraceFinder.isSubject(fact), message.subjectLines.count < 8 {
                message.subjectLines.append((fact, text.copied))
            }
        case .removed:
            message.isRemoved = true
            if fact.agent == .operator { message.isDeleted = true }
        default: break
        }
    }

    private mutating func open(
        _ fact: LineFact,
        _ text: Span<UInt8>,
        _ sequence: UInt64,
        _ time: Int64,
        _ message: inout TracedMessage
    ) {
        message.isOpened = true
        message.opening = message.opening ?? sequence
        if !fact.a.isPresent, let client = sessions.client(of: fact), !client.isEmpty {
            message.clientIP = String(decoding: client, as: UTF8.self)
        }
        guard !message.hasOwnLogin else { return }
        if fact.b.isPresent {
            message.login = String(decoding: texts.login(fact, text), as: UTF8.self)
            message.loginLine = sequence
            message.loginMethod = LoginText.method(fact, text)
            if let version = LoginText.tls(fact, text) {
                message.tls = version
                message.encryption = sequence
            }
        } else if message.login == nil, let known = sessions.login(of: fact, text, time) {
            message.login = String(decoding: known.login, as: UTF8.self)
            message.loginMethod = known.method
        }
    }

    private func readDelivery(
        _ fact: LineFact,
        _ text: Span<UInt8>,
        _ sequence: UInt64,
        _ time: Int64,
        into message: inout TracedMessage
    ) {
        func string(_ piece: LineFact.Piece) -> String {
            piece.isPresent
                ? String(decoding: text.extracting(piece.indices).copied, as: UTF8.self) : ""
        }
        let target = string(fact.a)
        let recipient = fact.b.isPresent ? string(fact.b) : target
        if !message.recipients.contains(recipient), message.recipients.count < 10_000 {
            message.recipients.append(recipient)
        }
        let relay = string(fact.c)
        let isToHere =
            relay.contains("[127.") || relay.contains("[::1]") || relay.contains("[private/")
            || relay.contains("[public/") || relay.contains("[/") || relay.hasPrefix("127.")
            || relay == "::1"
        let outcome: TracedDelivery.Outcome =
            switch fact.status {
            case .sent: .sent
            case .deferred: .deferred
            case .bounced: .bounced
            case .expired: .expired
            case .discarded: .discarded
            case .none, .other: .other
            }
        var reply = string(fact.d)
        if reply.hasSuffix(")"),
            reply.filter({ $0 == ")" }).count > reply.filter({ $0 == "(" }).count
        {
            reply.removeLast()
        }
        message.deliveries.append(
            TracedDelivery(
                recipient: recipient,
                target: target,
                outcome: outcome,
                relay: relay,
                reply: reply,
                isLocal: fact.agent == .mailbox || fact.agent == .lmtp,
                isToHere: isToHere,
                sequence: sequence
            )
        )
        guard fact.d.isPresent, outcome == .sent else { return }
        for queueID in ReplyText.queueIDs(reply)
        where !message.links.contains(where: { $0.queueID == queueID }) {
            message.links.append(
                TraceLink(
                    kind: .handedOn(isToHere: isToHere),
                    queueID: queueID,
                    microseconds: time,
                    sequence: sequence
                )
            )
        }
    }

    // MARK: Connections

    private mutating func takeSession(
        _ fact: LineFact,
        _ text: Span<UInt8>,
        _ line: WalkedLine,
        _ time: Int64,
        _ path: String
    ) {
        guard fact.key != 0 else { return }
        switch fact.kind {
        case .session, .proxied:
            connections[fact.key] = nil
            followed[fact.key] = nil
            if sessionKeys.count >= Self.connectionsMax {
                sessionKeys.removeAll(keepingCapacity: true)
            }
            if let id = LoginText.sessionID(text) { sessionKeys[id] = fact.key }
        case .proxyEnd: takeProxyEnd(fact, text, line, time, path)
        case .login, .sessionEnd, .sessionHeld: break
        default: return
        }
        sessions.take(fact, text, time, texts)
        keepConnection(fact.key, record(text, line, time, path, .connection))
        if fact.kind == .sessionEnd {
            connections[fact.key] = nil
            followed[fact.key] = nil
        }
    }

    /// A before-queue filter took a message, and its reply names a queue ID that is looked for: the
    /// session of the client belongs to that message.
    private mutating func takeProxyEnd(
        _ fact: LineFact,
        _ text: Span<UInt8>,
        _ line: WalkedLine,
        _ time: Int64,
        _ path: String
    ) {
        guard fact.status == .sent, fact.a.isPresent, proxies.count < Self.tentativeMax else {
            return
        }
        let queueID = String(decoding: text.extracting(fact.a.indices).copied, as: UTF8.self)
        guard wantedIDs.contains(queueID) else { return }
        proxies.append(
            ProxiedMessage(
                queueID: queueID,
                host: String(decoding: text.extracting(fact.host.indices).copied, as: UTF8.self),
                login: sessions.proxied(fact, time),
                lines: (connections[fact.key] ?? [])
                    + [record(text, line, time, path, .connection)]
            )
        )
    }

    /// Lines of a server process that tell of its connection. One process has one at a time.
    private mutating func takeConnection(
        _ text: Span<UInt8>,
        _ line: WalkedLine,
        _ time: Int64,
        _ path: String
    ) -> Bool {
        let header = SyslogHeader(text)
        guard header.isPresent, !header.processID.isEmpty else { return false }
        let start = header.textStart
        if let id = LoginText.sessionID(text) {
            guard let key = sessionKeys[id], LoginText.isEncryption(text, at: start) else {
                return false
            }
            keepConnection(key, record(text, line, time, path, .connection))
            return true
        }
        let begins = text.has("connect from ", at: start)
        let ends = text.has("disconnect from ", at: start)
        guard
            begins || ends || LoginText.isEncryption(text, at: start)
                || text.has("AUTH=server", at: start)
        else { return false }
        let key = Self.processKey(header, text)
        if begins {
            connections[key] = nil
            followed[key] = nil
        }
        keepConnection(key, record(text, line, time, path, .connection))
        if ends {
            connections[key] = nil
            followed[key] = nil
        }
        return true
    }

    private mutating func keepConnection(_ key: UInt64, _ line: TracedLine) {
        if let serial = followed[key], var message = messages[serial] {
            messages[serial] = nil
            if message.lines.last?.sequence != line.sequence,
                message.lines.count < Self.linesMax
            {
                message.lines.append(line)
            }
            messages[serial] = message
        }
        if connections.count >= Self.connectionsMax {
            connections.removeAll(keepingCapacity: true)
        }
        var lines = connections[key] ?? []
        if lines.count >= Self.connectionLinesMax { lines.removeFirst() }
        lines.append(line)
        connections[key] = lines
    }

    /// What was kept of the connection by which a message came is the message's.
    private mutating func joinConnection(
        _ fact: LineFact,
        _ text: Span<UInt8>,
        _ message: inout TracedMessage
    ) {
        var keys: [UInt64] = []
        let header = SyslogHeader(text)
        if header.isPresent, !header.processID.isEmpty {
            keys.append(Self.processKey(header, text))
        }
        if fact.account != 0 { keys.append(fact.account) }
        for key in keys {
            followed[key] = message.serial
            for line in connections[key] ?? []
            where !message.lines.contains(where: { $0.sequence == line.sequence }) {
                message.lines.append(line)
                let own = SyslogHeader(line.bytes.span)
                if let version = LoginText.tls(line.bytes.span, from: own.textStart) {
                    message.tls = version
                    message.encryption = line.sequence
                }
                if message.loginMethod == nil, message.login != nil {
                    message.loginMethod = LoginText.mechanism(line.bytes.span)
                }
            }
        }
    }

    /// Host name, tag and process ID in one number. Only shown lines hang on it.
    private static func processKey(_ header: SyslogHeader, _ text: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in header.host.lowerBound..<header.processID.upperBound {
            hash = (hash ^ UInt64(text[index])) &* 0x100_0000_01b3
        }
        return hash | 1
    }
}

extension TraceCollector {
    /// What can be told once the pass is over: subjects, bounces, and the order of the lines.
    mutating func finish() -> [TracedMessage] {
        for (notice, line) in notifications { attach(notice, line) }
        for proxy in proxies { attach(proxy) }
        var finished: [TracedMessage] = []
        for serial in messages.keys.sorted() {
            guard var message = messages[serial] else { continue }
            let sender = message.sender.map { Array($0.utf8) }
            for (index, line) in message.subjectLines.enumerated() {
                let subject = texts.subject(
                    line.fact,
                    line.bytes.span,
                    client: message.client,
                    sender: sender
                )
                let text = String(decoding: subject, as: UTF8.self)
                if index == 0 {
                    message.subject = text
                } else {
                    message.attachedSubjects.append(text)
                }
            }
            message.subjectLines = []
            message.lines.sort { $0.sequence < $1.sequence }
            finished.append(message)
        }
        return finished
    }

    /// The session of a client that a before-queue filter stood behind belongs to the message that
    /// the filter passed on: the one of that queue ID, from this machine, that began last before the
    /// filter's answer.
    private mutating func attach(_ proxy: ProxiedMessage) {
        guard let end = proxy.lines.last else { return }
        let serial = messages.values
            .filter {
                $0.queueID == proxy.queueID && $0.host == proxy.host && $0.isFromHere
                    && $0.login == nil && $0.serial <= end.sequence
            }
            .map(\.serial).max()
        guard let serial, var message = messages[serial] else { return }
        message.lines += proxy.lines
        if let known = proxy.login {
            message.login = String(decoding: known.login, as: UTF8.self)
            message.loginMethod = known.method
            message.loginLine =
                proxy.lines.first { $0.bytes.span.contains(known.login.span) }?.sequence
            let client = String(decoding: known.client, as: UTF8.self)
            message.clientIP = client.split(separator: "[").last.map {
                String($0.prefix { $0 != "]" })
            }
            message.clientName = nil
        }
        messages[serial] = message
    }

    /// A line that names a message and the bounce that was made of it belongs to both.
    private mutating func attach(_ notice: NotificationText, _ line: TracedLine) {
        func nearest(_ queueID: String) -> UInt64? {
            let all = messages.values.filter { $0.queueID == queueID }.map(\.serial)
            return all.filter { $0 <= line.sequence }.max() ?? all.min()
        }
        let ends = [
            (nearest(notice.message), TraceLink.Kind.notification, notice.bounce),
            (nearest(notice.bounce), .subject, notice.message),
        ]
        for (serial, kind, other) in ends {
            guard let serial else { continue }
            if messages[serial]?.lines.contains(where: { $0.sequence == line.sequence }) == false {
                messages[serial]?.lines.append(line)
            }
            messages[serial]?.links.append(
                TraceLink(
                    kind: kind,
                    queueID: other,
                    microseconds: line.microseconds,
                    sequence: line.sequence
                )
            )
        }
    }
}

/// A session of a client whose message went through a before-queue filter.
private struct ProxiedMessage: Sendable {
    /// What the filter's answer names.
    var queueID: String
    var host: String
    var login: SessionLogins.Login?
    var lines: [TracedLine]
}
