/// Which messages are collected, and which of them belong together.
///
/// A line that names a queue ID proves nothing by itself: a stranger's server can answer what it
/// likes. So each link must hold (see ``holds(_:from:to:)``), and what no link that holds ties to a
/// message that was asked for is left out.
struct TraceGroups {
    private let hits: Set<UInt64>
    private var wanted: Set<UInt64>
    private var queueIDs: Set<String>
    private var messages: [UInt64: TracedMessage] = [:]
    private var mentions: [String: [TracedLine]] = [:]
    /// Messages that named a wanted one, and were looked at.
    private var looked: Set<UInt64>
    private(set) var needsAnotherPass = false

    /// A message is taken over within this time: microseconds. And a line of another program may come
    /// so long before the message, or behind it.
    private static let handOverMicroseconds: Int64 = 120_000_000
    private static let filterMicroseconds: Int64 = 86_400_000_000
    private static let mentionBefore: Int64 = 5_000_000
    private static let mentionBehind: Int64 = 3_600_000_000

    init(hits: [UInt64: TraceFinder.Hit]) {
        self.hits = Set(hits.keys)
        wanted = Set(hits.keys)
        looked = Set(hits.keys)
        queueIDs = Set(hits.values.map { String(decoding: $0.queueID, as: UTF8.self) })
    }

    func collector() -> TraceCollector { TraceCollector(wanted: wanted, queueIDs: queueIDs) }

    /// Takes in what a pass found.
    mutating func take(_ collector: inout TraceCollector) {
        var all: [UInt64: TracedMessage] = [:]
        for message in collector.finish() { all[message.serial] = message }
        mentions = collector.mentions
        let kept = component(of: hits, in: all)
        messages = all.filter { kept.contains($0.key) }
        var names = queueIDs
        for message in messages.values {
            names.insert(message.queueID)
            for link in message.links { names.insert(link.queueID) }
        }
        let naming = collector.naming.filter { !looked.contains($0.key) }
        needsAnotherPass = names != queueIDs || !naming.isEmpty
        looked.formUnion(naming.keys)
        queueIDs = names.union(naming.values)
        wanted = kept.union(naming.keys)
    }

    // MARK: Links

    /// The messages that links tie to some of them.
    private func component(
        of first: Set<UInt64>,
        in all: [UInt64: TracedMessage]
    ) -> Set<UInt64> {
        let edges = edges(all)
        var reached = first.filter { all[$0] != nil }
        var open = Array(reached)
        while let serial = open.popLast() {
            for next in edges[serial] ?? [] where reached.insert(next).inserted {
                open.append(next)
            }
        }
        return reached
    }

    private func edges(_ all: [UInt64: TracedMessage]) -> [UInt64: Set<UInt64>] {
        var byID: [String: [UInt64]] = [:]
        for message in all.values { byID[message.queueID, default: []].append(message.serial) }
        var edges: [UInt64: Set<UInt64>] = [:]
        for message in all.values {
            for link in message.links {
                for serial in byID[link.queueID] ?? [] where serial != message.serial {
                    guard let other = all[serial], Self.holds(link, from: message, to: other) else {
                        continue
                    }
                    edges[message.serial, default: []].insert(serial)
                    edges[serial, default: []].insert(message.serial)
                }
            }
        }
        return edges
    }

    /// Whether two messages are what a line of the first says of them.
    static func holds(
        _ link: TraceLink,
        from message: TracedMessage,
        to other: TracedMessage
    ) -> Bool {
        let begins = other.firstMicroseconds
        switch link.kind {
        case .handedOn(let isToHere):
            // It came without a login, while the first was on its way; over loopback, or with the
            // same Message-ID.
            guard other.isOpened, other.login == nil,
                begins >= message.firstMicroseconds - handOverMicroseconds,
                begins <= link.microseconds + handOverMicroseconds
            else { return false }
            let isHere = isToHere && other.isFromHere && other.host == message.host
            return isHere || message.messageID != nil && message.messageID == other.messageID
        case .outer:
            return other.host == message.host && message.isFromHere && message.login == nil
                && begins <= link.microseconds && begins >= link.microseconds - filterMicroseconds
        case .notification:
            return other.host == message.host && other.login == nil
                && begins >= message.firstMicroseconds
                && abs(begins - link.microseconds) <= handOverMicroseconds
        case .subject:
            return other.host == message.host && begins <= link.microseconds
        case .renamed:
            return other.host == message.host
                && abs(begins - link.microseconds) <= filterMicroseconds * 8
        }
    }

    // MARK: Traces

    /// The messages that were asked for, each with all that belong to it.
    func traces() -> [Trace] {
        var left = hits.filter { messages[$0] != nil }
        var traces: [Trace] = []
        while let first = left.min() {
            let serials = component(of: [first], in: messages)
            left.subtract(serials)
            let members = serials.compactMap { messages[$0] }.sorted { $0.isBefore($1) }
            traces.append(Trace(messages: Self.rootFirst(members), mentions: mentions(of: members)))
        }
        return traces.sorted { $0.lastMicroseconds < $1.lastMicroseconds }
    }

    /// The message that was handed in comes first: the one that no other was handed on to or is the
    /// subject of.
    private static func rootFirst(_ members: [TracedMessage]) -> [TracedMessage] {
        func isMade(_ message: TracedMessage) -> Bool {
            members.contains { other in
                other.serial != message.serial
                    && (other.links.contains { link in
                        switch link.kind {
                        case .handedOn, .notification:
                            link.queueID == message.queueID
                                && holds(link, from: other, to: message)
                        case .outer, .subject, .renamed: false
                        }
                    }
                        || message.links.contains { link in
                            switch link.kind {
                            case .outer, .subject:
                                link.queueID == other.queueID
                                    && holds(link, from: message, to: other)
                            case .handedOn, .notification, .renamed: false
                            }
                        })
            }
        }
        guard let root = members.firstIndex(where: { !isMade($0) }) else { return members }
        var ordered = members
        ordered.insert(ordered.remove(at: root), at: 0)
        return ordered
    }

    /// Other programs' lines within the time of the messages, on their host.
    private func mentions(of members: [TracedMessage]) -> [TracedLine] {
        var lines: [TracedLine] = []
        for message in members {
            for line in mentions[message.queueID] ?? []
            where line.microseconds >= message.firstMicroseconds - Self.mentionBefore
                && line.microseconds <= message.lastMicroseconds + Self.mentionBehind
                && line.isOf(host: message.host)
            {
                lines.append(line)
            }
        }
        return lines
    }
}

extension TracedMessage {
    fileprivate func isBefore(_ other: TracedMessage) -> Bool {
        (firstMicroseconds, serial) < (other.firstMicroseconds, other.serial)
    }
}

extension TracedLine {
    /// Whether the line was written on a host; true where it does not say.
    fileprivate func isOf(host: String) -> Bool {
        let header = SyslogHeader(bytes.span)
        guard header.isPresent, !host.isEmpty else { return true }
        return Array(host.utf8) == Array(bytes[header.host])
    }
}

extension Trace {
    public var firstMicroseconds: Int64 { lines.first?.microseconds ?? 0 }
    public var lastMicroseconds: Int64 { lines.last?.microseconds ?? 0 }

    /// A bounce that another server sent here, or something that looks like one.
    var isBounceFromElsewhere: Bool {
        let message = messages[0]
        return message.isOpened && message.login == nil && message.sender == ""
            && !message.isFromHere && !message.links.contains { $0.kind == .subject }
    }
}
