import MailLog

/// The first pass of a trace: which messages meet the conditions. It keeps no lines.
struct TraceFinder: ~Copyable {
    /// A message that meets them all.
    struct Hit: Sendable, Equatable {
        /// The number of its first line, see ``MessageBook``.
        var serial: UInt64
        var queueID: [UInt8]
        /// It came with a login.
        var isSubmission: Bool
    }

    private struct State: Sendable {
        var met: TraceConditions.Met = []
        var client: [UInt8]?
        var sender: [UInt8]?
        var hasSubject = false
        var isSubmission = false
    }

    private var conditions: TraceConditions
    private var book = MessageBook<State>()
    private var texts = FactTextReader()
    /// Logins of connections, for servers that log them apart.
    private var logins: [UInt64: [UInt8]] = [:]
    private let limit: Int

    /// The newest that were found, by the number of their first line.
    private(set) var hits: [UInt64: Hit] = [:]
    /// How many were found.
    private(set) var foundCount = 0
    /// Messages with a login, and those of them that have a subject in the log.
    private(set) var submissionCount = 0
    private(set) var subjectCount = 0

    init(_ conditions: TraceConditions, limit: Int) {
        self.conditions = conditions
        self.limit = max(1, limit)
    }

    mutating func take(_ text: Span<UInt8>, _ line: WalkedLine) {
        for fact in line.facts { take(fact, text, line.sequence) }
    }

    private mutating func take(_ fact: LineFact, _ text: Span<UInt8>, _ sequence: UInt64) {
        switch fact.kind {
        case .session: logins[fact.key] = nil
        case .login where fact.b.isPresent:
            if logins.count >= 65_536 { logins.removeAll(keepingCapacity: true) }
            logins[fact.key] = text.extracting(fact.b.indices).copied
        case .sessionEnd: logins[fact.key] = nil
        default: break
        }
        guard fact.key != 0, fact.queueID.isPresent else { return }
        var found: Hit?
        var isFirstSubject = false
        let wanted = conditions.wanted
        book.update(fact, sequence: sequence, initial: State()) { entry, isNew in
            let before = entry.value.met
            if isNew, wanted.contains(.queueID),
                conditions.isQueueID(text.extracting(fact.queueID.indices))
            {
                entry.value.met.insert(.queueID)
            }
            isFirstSubject =
                Self.isSubject(fact) && !entry.value.hasSubject && entry.value.isSubmission
            Self.note(fact, text, &entry.value, &conditions, &texts, logins)
            guard entry.value.met.isSuperset(of: wanted), !wanted.isSubset(of: before) else {
                return
            }
            found = Hit(
                serial: entry.serial,
                queueID: text.extracting(fact.queueID.indices).copied,
                isSubmission: entry.value.isSubmission
            )
        }
        if fact.kind == .client || fact.kind == .accepted, isLogin(fact) { submissionCount += 1 }
        if isFirstSubject { subjectCount += 1 }
        if let found { add(found) }
    }

    private func isLogin(_ fact: LineFact) -> Bool {
        fact.b.isPresent || fact.account != 0 && logins[fact.account] != nil
    }

    static func isSubject(_ fact: LineFact) -> Bool {
        fact.kind == .subject || fact.kind == .headerLine && fact.header == .subject
    }

    private static func note(
        _ fact: LineFact,
        _ text: Span<UInt8>,
        _ state: inout State,
        _ conditions: inout TraceConditions,
        _ texts: inout FactTextReader,
        _ logins: [UInt64: [UInt8]]
    ) {
        let wanted = conditions.wanted
        switch fact.kind {
        case .client, .accepted:
            let ofSession = fact.account == 0 ? nil : logins[fact.account]
            let login =
                fact.b.isPresent ? text.extracting(fact.b.indices).copied : ofSession
            state.isSubmission = login != nil
            if wanted.contains(.account), let login, conditions.isAccount(login.span) {
                state.met.insert(.account)
            }
            if wanted.contains(.subject), fact.kind == .client {
                state.client = text.extracting(fact.a.indices).copied
            }
        case .active, .sender:
            if wanted.contains(.subject) { state.sender = text.extracting(fact.a.indices).copied }
        case .recipient, .delivery:
            guard wanted.contains(.recipient) else { return }
            if conditions.isRecipient(text.extracting(fact.a.indices))
                || fact.b.isPresent && fact.kind == .delivery
                    && conditions.isRecipient(text.extracting(fact.b.indices))
            {
                state.met.insert(.recipient)
            }
        case .messageID:
            if wanted.contains(.messageID),
                conditions.isMessageID(text.extracting(fact.a.indices))
            {
                state.met.insert(.messageID)
            }
        case .subject, .headerLine:
            // Those of attached messages come after the message's own.
            guard isSubject(fact), !state.hasSubject else { return }
            state.hasSubject = true
            guard wanted.contains(.subject) else { return }
            let subject = texts.subject(fact, text, client: state.client, sender: state.sender)
            if conditions.isInSubject(subject) { state.met.insert(.subject) }
        default: break
        }
    }

    private mutating func add(_ hit: Hit) {
        foundCount += 1
        hits[hit.serial] = hit
        if hits.count > limit, let oldest = hits.keys.min() { hits[oldest] = nil }
    }
}
