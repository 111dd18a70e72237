import MailLog

/// Tells the messages of a log apart by the keys of their queue IDs: a queue ID that comes back is
/// another message. All of them, also those of strangers; so of each it keeps little.
///
/// What it says depends on the lines alone, so two passes over a log give the same serials. Memory is
/// bounded: at ``countMax`` the messages that began first are forgotten.
struct MessageBook<Value: Sendable>: Sendable {
    static var countMax: Int { 262_144 }

    struct Entry: Sendable {
        /// The number of the line at which it began: names the message.
        var serial: UInt64
        /// A line says how it was taken in.
        var isOpened: Bool
        /// It left the queue.
        var isOver = false
        var value: Value
    }

    private var entries: [UInt64: Entry] = [:]
    private var order: [(key: UInt64, serial: UInt64)] = []
    private var first = 0

    /// Takes in a line's fact about a message.
    ///
    /// - Parameters:
    ///   - sequence: the number of the line.
    ///   - initial: the value of a message that begins with it.
    ///   - body: gets the message; the last argument tells whether it begins with this line.
    mutating func update(
        _ fact: LineFact,
        sequence: UInt64,
        initial: @autoclosure () -> Value,
        _ body: (inout Entry, Bool) -> Void
    ) {
        guard fact.key != 0, fact.queueID.isPresent else { return }
        let opens = fact.opensMessage
        if var known = entries[fact.key], !opens || joins(fact, known) {
            entries[fact.key] = nil  // so that `known` alone owns its value
            known.isOpened = known.isOpened || opens
            if fact.kind == .removed { known.isOver = true }
            body(&known, false)
            entries[fact.key] = known
            return
        }
        var entry = Entry(serial: sequence, isOpened: opens, value: initial())
        body(&entry, true)
        entries[fact.key] = entry
        order.append((fact.key, sequence))
        if entries.count > Self.countMax { forgetFirst() }
    }

    /// Postfix writes how a message came on its first line, and its short queue IDs come back. Other
    /// servers write some lines before that one, or several of its kind, and their IDs do not.
    private func joins(_ fact: LineFact, _ known: Entry) -> Bool {
        switch fact.kind {
        case .accepted: !known.isOver
        case .clientAgain: true
        default: false
        }
    }

    /// The messages that are not forgotten, in no order.
    var all: some Collection<Entry> { entries.values }

    private mutating func forgetFirst() {
        while entries.count > Self.countMax / 4 * 3, first < order.count {
            let (key, serial) = order[first]
            first += 1
            if entries[key]?.serial == serial { entries[key] = nil }
        }
        order.removeSubrange(0..<first)
        first = 0
    }
}

extension LineFact {
    /// The line says how a message was taken in.
    var opensMessage: Bool {
        switch kind {
        case .client, .clientAgain, .accepted, .local: true
        default: false
        }
    }
}
