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
        /// All lines so far are such that come before that one.
        var isProvisional: Bool
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
        let opens = fact.kind == .client || fact.kind == .accepted
        let isProvisional = fact.kind == .contentType || fact.kind == .receiptRequest
        if var known = entries[fact.key], !opens || joins(fact, known) {
            entries[fact.key] = nil  // so that `known` alone owns its value
            known.isOpened = known.isOpened || opens
            known.isProvisional = known.isProvisional && isProvisional
            body(&known, false)
            entries[fact.key] = known
            return
        }
        var entry = Entry(
            serial: sequence,
            isOpened: opens,
            isProvisional: isProvisional,
            value: initial()
        )
        body(&entry, true)
        entries[fact.key] = entry
        order.append((fact.key, sequence))
        if entries.count > Self.countMax { forgetFirst() }
    }

    /// Exim logs what its ACLs say of a message before the line that takes it in; Postfix writes that
    /// line first.
    private func joins(_ fact: LineFact, _ known: Entry) -> Bool {
        fact.kind == .accepted && !known.isOpened && known.isProvisional
    }

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
