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
        /// Event time of its first line.
        var microseconds: Int64

        func isBefore(_ other: Hit) -> Bool {
            (microseconds, serial) < (other.microseconds, other.serial)
        }
    }

    private struct State: Sendable {
        var met: TraceConditions.Met = []
        var client: [UInt8]?
        var sender: [UInt8]?
        var hasSubject = false
        var isSubmission = false
        var microseconds: Int64
        /// Of a message that came from this machine, perhaps from a before-queue filter.
        var queueID: [UInt8]?
    }

    private var conditions: TraceConditions
    private var book = MessageBook<State>()
    private var texts = FactTextReader()
    private var sessions = SessionLogins()
    /// Queue IDs that before-queue filters answered with, of sessions with the account that is asked
    /// for.
    private var proxied: Set<[UInt8]> = []
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
        guard let time = line.microseconds else { return }
        for fact in line.facts { take(fact, text, line.sequence, time) }
    }

    private mutating func take(
        _ fact: LineFact,
        _ text: Span<UInt8>,
        _ sequence: UInt64,
        _ time: Int64
    ) {
        guard fact.key != 0 else { return }
        guard fact.queueID.isPresent, fact.kind != .proxyEnd else {
            if fact.kind == .proxyEnd { takeProxyEnd(fact, text, time) }
            sessions.take(fact, text, time, texts)
            return
        }
        var found: Hit?
        var isFirstSubject = false
        var hasLogin = false
        let wanted = conditions.wanted
        book.update(fact, sequence: sequence, initial: State(microseconds: time)) { entry, isNew in
            let before = entry.value.met
            if isNew, wanted.contains(.queueID),
                conditions.isQueueID(text.extracting(fact.queueID.indices))
            {
                entry.value.met.insert(.queueID)
            }
            hasLogin = false
            isFirstSubject =
                Self.isSubject(fact) && !entry.value.hasSubject && entry.value.isSubmission
            Self.note(fact, text, time, &entry.value, &conditions, &texts, sessions)
            hasLogin = entry.value.isSubmission
            guard entry.value.met.isSuperset(of: wanted), !wanted.isSubset(of: before) else {
                return
            }
            found = Hit(
                serial: entry.serial,
                queueID: text.extracting(fact.queueID.indices).copied,
                isSubmission: entry.value.isSubmission,
                microseconds: entry.value.microseconds
            )
        }
        if fact.opensMessage, hasLogin { submissionCount += 1 }
        if isFirstSubject { subjectCount += 1 }
        if let found { add(found) }
    }

    /// A before-queue filter took a message; its reply may name the queue ID, under which the message
    /// was there before. The login stands on the session's line.
    private mutating func takeProxyEnd(_ fact: LineFact, _ text: Span<UInt8>, _ time: Int64) {
        guard conditions.wanted.contains(.account), fact.status == .sent, fact.a.isPresent,
            let login = sessions.proxied(fact, time)?.login, conditions.isAccount(login.span),
            proxied.count < 65_536
        else { return }
        proxied.insert(text.extracting(fact.a.indices).copied)
    }

    /// The log has ended: messages of which only a before-queue filter knows the login are found.
    mutating func finish() {
        guard !proxied.isEmpty else { return }
        let wanted = conditions.wanted
        for entry in book.all {
            guard let queueID = entry.value.queueID, proxied.contains(queueID),
                !entry.value.met.contains(.account),
                entry.value.met.union(.account).isSuperset(of: wanted)
            else { continue }
            add(
                Hit(
                    serial: entry.serial,
                    queueID: queueID,
                    isSubmission: true,
                    microseconds: entry.value.microseconds
                )
            )
        }
    }

    static func isSubject(_ fact: LineFact) -> Bool {
        fact.kind == .subject || fact.kind == .headerLine && fact.header == .subject
    }

    private static func note(
        _ fact: LineFact,
        _ text: Span<UInt8>,
        _ time: Int64,
        _ state: inout State,
        _ conditions: inout TraceConditions,
        _ texts: inout FactTextReader,
        _ sessions: SessionLogins
    ) {
        let wanted = conditions.wanted
        switch fact.kind {
        case .client, .clientAgain, .accepted:
            let login =
                fact.b.isPresent
                ? texts.login(fact, text) : sessions.login(of: fact, text, time)?.login
            if let login { note(login, &state, &conditions) }
            guard fact.kind != .accepted else { return }
            if wanted.contains(.subject) {
                state.client = text.extracting(fact.a.indices).copied
            }
            if login == nil, wanted.contains(.account), text.isLoopback(fact.a) {
                state.queueID = text.extracting(fact.queueID.indices).copied
            }
        case .messageLogin:
            guard fact.b.isPresent, fact.b.count > 0 else { return }
            note(texts.login(fact, text), &state, &conditions)
        case .redirected:
            guard wanted.contains(.recipient) else { return }
            for piece in [fact.a, fact.b]
            where piece.isPresent && conditions.isRecipient(text.extracting(piece.indices)) {
                state.met.insert(.recipient)
            }
        case .active, .sender, .local:
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

    private static func note(
        _ login: [UInt8],
        _ state: inout State,
        _ conditions: inout TraceConditions
    ) {
        state.isSubmission = true
        guard conditions.wanted.contains(.account), conditions.isAccount(login.span) else { return }
        state.met.insert(.account)
    }

    private mutating func add(_ hit: Hit) {
        foundCount += 1
        hits[hit.serial] = hit
        guard hits.count > limit else { return }
        if let oldest = hits.values.min(by: { $0.isBefore($1) }) { hits[oldest.serial] = nil }
    }
}
