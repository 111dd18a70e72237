public import Findings
public import MailEvents
public import Memory
import Records
public import Sigma
import SafeText

/// One change of an alert, with what its evidence needs.
public struct Transition: Sendable {
    public var alert: Alert
    /// The events that are its proof, in the order in which they joined.
    public var events: [SendEvent]
    /// The assemblies that they came from, each once.
    public var serials: [UInt64]
    /// For a reopened alert: how it stood before.
    public var prior: PriorEpisode?
    /// The text of the rule and of all that it builds on.
    public var ruleText: String
}

/// Evaluates events: enriches them from the memory, matches the rules, moves the windows, opens,
/// updates, reopens and resolves alerts.
///
/// A pure, deterministic state machine (architecture §2.4): its time is the log's, and nothing in it
/// depends on a clock, on the order of a `Dictionary`, or on the machine.
public struct Detector: ~Copyable, Sendable {
    public let limits: DetectionLimits
    public var counters = DetectionCounters()
    public var memory: AccountMemory
    /// The log's time: the latest believed stamp.
    public private(set) var now: Int64 = 0

    private let zone: @Sendable (Int64) -> Int64
    /// The quarter of an hour and the day that ``day(_:)`` found last.
    private var lastQuarter = Int64.min
    private var lastDay = 0
    private var submittedRules: RuleMatcher
    private var settledRules: RuleMatcher
    public let hasSettledRules: Bool
    private let triage: EventTriage
    /// Whether somebody wants to see the derived facts of every event, or only the rules do.
    public var showsFacts = false
    /// The fields that rules test, and the others.
    private let testedFields: [EventField]
    private let otherFields: [EventField]
    /// Whether some rule or group needs `postern.payload` of mail that is no receipt, which costs more
    /// than other fields.
    public let usesPayload: Bool

    /// Whether somebody will ask for what changed (``takeChanges()``).
    public var notesChanges = true {
        didSet {
            held.notesChanges = notesChanges
            for index in groups.indices { groups[index].notesChanges = notesChanges }
        }
    }

    let correlations: [Correlation]
    /// By the digest of its closure: a correlation whose stored groups are still good.
    let numberOfClosure: [[UInt8]: Int]
    /// By detection rule: the correlations that it wakes, and its position in each.
    private let wokenByDetection: [[(correlation: Int, position: Int)]]
    private let wokenByCorrelation: [[(correlation: Int, position: Int)]]

    var groups: [CorrelationGroups]
    var held = HeldEvents()
    var timers = TimerQueue()
    /// By correlation: whether a timer waits for the end of its idle groups.
    private var isWaitingForIdle: [Bool]
    /// By detection rule: its name, or its ID; and those whose regular expressions met their limit.
    private let ruleNames: [String]
    private var limitedRules: Set<Int> = []
    /// By rule: the day on which it was told that its groups are too many.
    private var toldLimits: [String: Int64] = [:]
    private var left: [HeldID] = []
    var openAlerts = OpenAlerts()
    private var fields: EventFields
    /// By field of ``EventTriage/texts``: the message and the place in its text that was passed over
    /// last.
    private var passedOver: [(serial: UInt64, range: TextRange)]
    private var matches: [Int] = []
    private var keyScratch = BinaryWriter(reserving: 128)
    public private(set) var transitions: [Transition] = []
    /// Notices to be raised: a limit was met for the first time.
    public private(set) var notices: [Notice] = []

    /// - Parameters:
    ///   - rules: the checked rules.
    ///   - memory: what is remembered.
    ///   - zone: seconds east of UTC at a moment, for days.
    ///   - mistakes: gets what only compiling finds, such as a bad regular expression.
    public init(
        rules: RuleSet,
        memory: AccountMemory,
        limits: DetectionLimits = DetectionLimits(),
        zone: @escaping @Sendable (Int64) -> Int64,
        mistakes: inout [Mistake]
    ) {
        self.limits = limits
        self.memory = memory
        self.zone = zone
        var table = EventField.table
        let settledFields: Set<FieldIndex> = [EventField.outcome.index, EventField.delivery.index]
        // Which rules name the outcome is known once they are compiled.
        var ignored: [Mistake] = []
        let probe = MatchPlan(rules, fields: &table, mistakes: &ignored)
        let isSettled = rules.detections.indices.map { index in
            probe.fieldsUsed(by: index).contains { settledFields.contains($0) }
        }
        let submittedPlan = MatchPlan(
            rules,
            fields: &table,
            mistakes: &mistakes,
            only: { !isSettled[$0] },
            prefersGuard: { field in
                EventField(rawValue: field.position)?.isAlwaysKnown ?? false
            }
        )
        let settledPlan = MatchPlan(
            rules,
            fields: &table,
            mistakes: &mistakes,
            only: { isSettled[$0] },
            prefersGuard: { field in
                EventField(rawValue: field.position)?.isAlwaysKnown ?? false
            }
        )
        hasSettledRules = isSettled.contains(true)

        let compiled = CorrelationCompiler(rules: rules, fields: &table)
        correlations = compiled.correlations
        wokenByDetection = compiled.wokenByDetection
        wokenByCorrelation = compiled.wokenByCorrelation
        groups = compiled.correlations.map { correlation in
            CorrelationGroups(kind: correlation.kind, timespan: correlation.timespan)
        }
        numberOfClosure = [[UInt8]: Int](
            compiled.correlations.enumerated().map { ($0.element.closure, $0.offset) },
            uniquingKeysWith: { first, _ in first }
        )
        isWaitingForIdle = compiled.correlations.map { _ in false }
        ruleNames = rules.detections.map { $0.name ?? $0.id }

        var used = [Bool](repeating: false, count: table.count)
        for index in rules.detections.indices {
            for field in probe.fieldsUsed(by: index) { used[field.position] = true }
        }
        let usesEveryField = rules.detections.indices.contains { probe.searchesEveryField($0) }
        testedFields = EventField.allCases.filter { usesEveryField || used[$0.rawValue] }
        otherFields = EventField.allCases.filter { !usesEveryField && !used[$0.rawValue] }
        triage = EventTriage(
            rules,
            submitted: submittedPlan,
            settled: settledPlan,
            isSettled: isSettled,
            tested: testedFields,
            fields: &table
        )
        let payload = EventField.payload.index
        var needsPayload = Set(
            rules.detections.indices.filter { probe.fieldsUsed(by: $0).contains(payload) }
        )
        var usesPayload = usesEveryField
        for (index, correlation) in compiled.correlations.enumerated()
        where correlation.valueFields.contains(payload)
            || correlation.groupFields.contains(where: { $0.contains(payload) })
        {
            for rule in rules.detections.indices
            where compiled.wokenByDetection[rule].contains(where: { $0.correlation == index }) {
                needsPayload.insert(rule)
            }
            if compiled.wokenByCorrelation.contains(where: { woken in
                woken.contains { $0.correlation == index }
            }) {
                usesPayload = true
            }
        }
        // Receipts have theirs in any case.
        let payloadPlan = MatchPlan(rules, fields: &table, mistakes: &ignored) {
            needsPayload.contains($0)
        }
        if !needsPayload.isEmpty, !payloadPlan.isQuestionedOnly(by: EventField.receipt.index) {
            usesPayload = true
        }
        self.usesPayload = usesPayload
        submittedRules = RuleMatcher(submittedPlan)
        settledRules = RuleMatcher(settledPlan)
        fields = EventFields(fieldCount: table.count)
        passedOver = [(serial: UInt64, range: TextRange)](
            repeating: (.max, .absent),
            count: triage.texts.count
        )
    }

    /// Whether rules of settled events may match one that none of them awaits.
    public var settlesEveryEvent: Bool { triage.settlesEveryEvent }

    /// The day of a moment in the log's zone, counted from 1970.
    public mutating func day(_ microseconds: Int64) -> Int {
        let seconds = floorDivide(microseconds, by: 1_000_000).quotient
        let quarter = floorDivide(seconds, by: 900).quotient
        if quarter != lastQuarter {
            // Since 1973 no zone changes its offset, or its day, but at a whole quarter of an hour.
            lastQuarter = quarter
            lastDay = Int(floorDivide(seconds + zone(seconds), by: 86_400).quotient)
        }
        return lastDay
    }

    /// Forgets the transitions and notices that were taken.
    public mutating func clearFindings() {
        transitions.removeAll(keepingCapacity: true)
        notices.removeAll(keepingCapacity: true)
    }

    /// How many events are held that were not at the last call: their lines are wanted.
    public mutating func takeNewHolds() -> Int { held.takeNewCount() }

    /// The assemblies of events that are not held any more since the last call, one for each event.
    public mutating func takeReleased() -> [UInt64] { held.takeReleasedSerials() }

    // MARK: Time

    /// A believed stamp: what is due until then comes out first.
    @inline(__always)
    public mutating func moveTime(to microseconds: Int64) {
        guard microseconds > now else { return }
        now = microseconds
        if let due = timers.firstDue, due <= microseconds { fireTimers() }
    }

    private mutating func fireTimers() {
        while let timer = timers.pop(until: now) {
            let index = timer.correlation
            if timer.group == TimerQueue.Timer.idleGroups {
                isWaitingForIdle[index] = false
                expireIdleGroups(index)
                waitForIdle(index)
                continue
            }
            guard let number = groups[index].number(serial: timer.group) else { continue }
            let due = groups[index].due(
                number,
                correlations[index],
                lateness: limits.latenessMicroseconds
            )
            if due > timer.due || due > now {
                timers.push(TimerQueue.Timer(due: due, correlation: index, group: timer.group))
            } else if groups[index].hasOpenEpisode(number) {
                resolve(index, number, at: due)
                schedule(index, number)
            } else {
                remove(index, number)
            }
        }
    }

    /// Lets the groups go of which no event can come into question any more.
    private mutating func expireIdleGroups(_ index: Int) {
        while let (number, due) = groups[index].nextToExpire(
            lateness: limits.latenessMicroseconds
        ), due <= now {
            remove(index, number)
        }
    }

    /// Sets the timer of a correlation's idle groups, if it has some.
    mutating func waitForIdle(_ index: Int) {
        guard !isWaitingForIdle[index],
            let (_, due) = groups[index].nextToExpire(lateness: limits.latenessMicroseconds)
        else { return }
        isWaitingForIdle[index] = true
        timers.push(
            TimerQueue.Timer(
                due: due,
                correlation: index,
                group: TimerQueue.Timer.idleGroups
            )
        )
    }

    /// Sets the timer of a group that has an alert.
    mutating func schedule(_ index: Int, _ number: Int) {
        let due = groups[index].due(
            number,
            correlations[index],
            lateness: limits.latenessMicroseconds
        )
        timers.push(
            TimerQueue.Timer(due: due, correlation: index, group: groups[index][number].serial)
        )
    }

    mutating func remove(_ index: Int, _ number: Int) {
        for entry in 0..<groups[index].entryCount(number) {
            held.giveBack(groups[index].entry(number, entry).held)
        }
        for event in groups[index][number].episode?.events ?? [] { held.giveBack(event) }
        groups[index].remove(number)
    }

    // MARK: Events

    /// A copy of a message came to a mailbox here, or to another server.
    ///
    /// - Parameter domain: the recipient's, by the memory's hash of its canonical form.
    public mutating func delivered(to domain: UInt64, isLocal: Bool) {
        memory.delivered(to: domain, isLocal: isLocal)
    }

    /// The account of a mailbox, if the memory has met it.
    public mutating func account(_ mailbox: UInt64) -> AccountNumber? { memory.number(mailbox) }

    /// Mail came to a mailbox here.
    ///
    /// - Parameters:
    ///   - sender: domain of the envelope sender, by the memory's hash, like all of them.
    ///   - mailbox: the recipient as an account.
    ///   - domain: the recipient's domain.
    /// - Returns: whether the account heard from the sender's domain for the first time.
    public mutating func heard(
        from sender: UInt64,
        by mailbox: AccountNumber,
        domain: UInt64,
        microseconds: Int64
    ) -> Bool {
        memory.delivered(to: domain, isLocal: true)
        return memory.heard(mailbox, from: sender, day: day(microseconds))
    }

    /// Null-sender mail came to a mailbox here, as bounces do.
    public mutating func returned(to mailbox: UInt64, microseconds: Int64) {
        guard let account = memory.number(mailbox) else { return }
        memory.returned(to: account, at: microseconds)
    }

    /// The first evaluation of an event: account, subject and recipient are known.
    ///
    /// - Parameters:
    ///   - event: gets its derived facts.
    ///   - earlier: the facts of another recipient of the same message at the same domain.
    ///   - stated: the facts of a bundle that is verified, in place of the memory's.
    /// - Returns: whether a window or an alert holds the event from now on.
    public mutating func submitted(
        _ event: inout SendEvent,
        key: (serial: UInt64, recipient: UInt32),
        earlier: DerivedFacts?,
        stated: DerivedFacts?
    ) -> Bool {
        counters.submitted += 1
        event.phase = .submitted
        let day = day(event.submittedMicroseconds)
        memory.sawDay(day, at: event.submittedMicroseconds)
        if event.receipt != .none { counters.receipts += 1 }
        let account = memory.account(
            event.accountHash,
            name: event.text.span.extracting(event.account.indices)
        )
        let isUnseen = remember(event, account, day: day)
        event.facts.isDomainUnseen = (stated ?? earlier)?.isDomainUnseen ?? isUnseen
        event.facts.isUnseenKnown = true
        let isUnusual = isUnusual(event, account, stated)
        if !showsFacts, !isUnusual, event.receipt == .none,
            event.facts.isDomainUnseen ? triage.passesUnseen : triage.passesSeen,
            passesTexts(of: event, serial: key.serial)
        {
            return false
        }
        let isMatched = isMatched(&event, wantsFacts: isUnusual) {
            detector,
            event in
            detector.enrich(&event, account, day: day, earlier: earlier, stated: stated)
        }
        return isMatched && correlate(event, key)
    }

    /// Whether the account reaches so many unseen domains that rules ask about it.
    private mutating func isUnusual(
        _ event: SendEvent,
        _ account: AccountNumber,
        _ stated: DerivedFacts?
    ) -> Bool {
        guard triage.unseenDomainsMin > 0 else { return false }
        if triage.needsUnseenDomain, !event.facts.isDomainUnseen { return false }
        let count =
            stated.map { Int($0.unseenDomainsHour) }
            ?? memory.unseenDomains(of: account, at: event.submittedMicroseconds)
        return count >= triage.unseenDomainsMin
    }

    /// Teaches the memory what the account sent.
    ///
    /// - Returns: whether the domain was unseen before.
    private mutating func remember(
        _ event: SendEvent,
        _ account: AccountNumber,
        day: Int
    ) -> Bool {
        var isUnseen = true
        if event.domain.isPresent {
            let contact = memory.wrote(
                account,
                to: event.domainHash,
                day: day,
                isReceipt: event.receipt != .none
            )
            isUnseen = contact.isUnseen
            if !contact.isRepeated {
                memory.names?.note(
                    event.domainHash,
                    event.text.span.extracting(event.domain.indices)
                )
            }
            if isUnseen,
                memory.heardDays(account, event.domainHash) < memory.limits.heardDaysMin
            {
                memory.contacted(
                    account,
                    event.domainHash,
                    at: event.submittedMicroseconds,
                    mayRepeat: contact.isRepeated
                )
            }
        }
        if event.receipt == .notRead {
            memory.sentReceipt(account, at: event.submittedMicroseconds)
        }
        return isUnseen
    }

    /// Evaluates the rules of submitted events; ``matches`` has those that match.
    ///
    /// Ordinary mail brings none into question, and then nobody asks what was known of its account.
    ///
    /// - Parameters:
    ///   - wantsFacts: whether the event's facts are wanted in any case.
    ///   - enrich: gives the event its facts.
    private mutating func isMatched(
        _ event: inout SendEvent,
        wantsFacts: Bool,
        _ enrich: (inout Detector, inout SendEvent) -> Void
    ) -> Bool {
        let wantsFacts = wantsFacts || showsFacts || triage.asksAllFacts
        if wantsFacts { enrich(&self, &event) }
        fields.reset()
        for field in wantsFacts ? triage.guardFields : triage.ordinaryGuardFields {
            set(field, of: event)
        }
        let isQuestioned = submittedRules.findCandidates(fields)
        let isAwaited = hasSettledRules && settledRules.findCandidates(fields)
        guard isQuestioned || isAwaited else { return false }
        if !wantsFacts { enrich(&self, &event) }
        event.facts.isAwaited = isAwaited
        guard isQuestioned else { return false }
        for field in wantsFacts ? triage.furtherFields : triage.ordinaryFurtherFields {
            set(field, of: event)
        }
        submittedRules.evaluateCandidates(fields, into: &matches)
        if submittedRules.hasLimitedRules { tellLimited(submittedRules.takeLimitedRules()) }
        return !matches.isEmpty
    }

    /// The second evaluation: the first final outcome is known. The event carries the facts that
    /// were frozen at its submission.
    ///
    /// - Parameter blocklist: the one because of which it was refused.
    public mutating func settled(
        _ event: inout SendEvent,
        key: (serial: UInt64, recipient: UInt32),
        blocklist: String? = nil
    ) -> Bool {
        event.phase = .settled
        noteOutcome(event, key, blocklist: blocklist)
        guard hasSettledRules, settlesEveryEvent || event.facts.isAwaited else { return false }
        fill(event)
        settledRules.evaluate(fields, into: &matches)
        if settledRules.hasLimitedRules { tellLimited(settledRules.takeLimitedRules()) }
        guard !matches.isEmpty else { return false }
        return correlate(event, key)
    }

    /// What became of an event that was not settled: its latest state, for the counts of outcomes.
    ///
    /// - Parameter blocklist: the one because of which it was refused.
    public mutating func noteOutcome(
        _ event: SendEvent,
        _ key: (serial: UInt64, recipient: UInt32),
        blocklist: String? = nil
    ) {
        guard let id = held.id(serial: key.serial, recipient: key.recipient) else { return }
        held.settle(
            id,
            delivery: event.delivery,
            microseconds: event.settledMicroseconds,
            blocklist: blocklist
        )
        if blocklist != nil { raiseLevel(id, at: event.settledMicroseconds) }
    }

    /// Gives the event the facts that were known before it.
    private mutating func enrich(
        _ event: inout SendEvent,
        _ account: AccountNumber,
        day: Int,
        earlier: DerivedFacts?,
        stated: DerivedFacts?
    ) {
        var facts = memory.facts(account, domain: event.domainHash, day: day)
        if !event.text.span.extracting(event.account.indices).hasAt {
            // The mailboxes of a bare login are not known.
            facts.domainHeardDays = nil
        }
        memory.addActivity(of: account, at: event.submittedMicroseconds, to: &facts)
        facts.isDomainUnseen = event.facts.isDomainUnseen
        if let earlier, earlier.isKnown {
            facts.domainHeardDays = earlier.domainHeardDays
            facts.domainAccounts = earlier.domainAccounts
        } else if facts.isDomainUnseen, event.receipt == .none, event.domain.isPresent {
            // The memory has this very submission already.
            facts.domainAccounts = facts.domainAccounts == 0 ? 0 : facts.domainAccounts - 1
        }
        if let stated { facts = stated }
        facts.isKnown = true
        facts.isUnseenKnown = true
        event.facts = facts
    }

    // MARK: Fields

    private mutating func set(_ field: EventField, of bait: Bait, _ event: SendEvent) {
        switch field {
        case .bait:
            fields.setText(String(decoding: bait.queueID, as: UTF8.self), at: field.index)
        case .baitEvidence: fields.setText(bait.evidence.name, at: field.index)
        case .baitAgeSeconds:
            let age = bait.ageSeconds(at: event.submittedMicroseconds)
            fields.set(.integer(age), at: field.index)
        case .baitSender:
            fields.setText(String(decoding: bait.sender, as: UTF8.self), at: field.index)
        case .baitThirdParty:
            if let isThirdParty = bait.isThirdParty {
                fields.set(.bool(isThirdParty), at: field.index)
            }
        default: break
        }
    }

    private mutating func fill(_ event: SendEvent) {
        fields.reset()
        for field in testedFields { set(field, of: event) }
    }

    /// Whether no text of the event brings a rule into question, of those fields of which it depends
    /// (``EventTriage/texts``).
    private mutating func passesTexts(of event: SendEvent, serial: UInt64) -> Bool {
        for index in triage.texts.indices {
            let field = triage.texts[index].field
            guard let range = Self.text(field, of: event), range.isPresent else { continue }
            // What a message has, its other recipients had.
            let isOfMessage = field != .recipient && field != .domain
            if isOfMessage, passedOver[index].serial == serial, passedOver[index].range == range {
                continue
            }
            let text = event.text.span.extracting(range.indices)
            guard triage.texts[index].submitted?.passes(text) ?? true,
                triage.texts[index].settled?.passes(text) ?? true
            else { return false }
            if isOfMessage { passedOver[index] = (serial, range) }
        }
        return true
    }

    /// Where in the event's text a field of it stands, of those that are texts as the log has them;
    /// nil for others.
    static func text(_ field: EventField, of event: SendEvent) -> TextRange? {
        switch field {
        case .userName: event.user
        case .sourceIP: event.sourceIP
        case .sourceDomain: event.sourceDomain
        case .localID: event.queueID
        case .messageID: event.messageID
        case .sender: event.sender
        case .recipient: event.recipient
        case .domain: event.domain
        case .subject: event.subject
        case .host: event.host
        default: nil
        }
    }

    private mutating func set(_ field: EventField, of event: SendEvent) {
        switch field {
        case .timestamp: fields.setText(rfc3339(microseconds: event.microseconds), at: field.index)
        case .userName, .sourceIP, .sourceDomain, .localID, .messageID, .sender, .recipient,
            .domain, .subject, .host:
            if let range = Self.text(field, of: event) { setText(range, event, field) }
        case .outcome: fields.setText(event.delivery.outcome, at: field.index)
        case .delivery: fields.setText(event.delivery.name, at: field.index)
        case .dialect: fields.setText(event.dialect.name, at: field.index)
        case .ambiguous: fields.set(.bool(event.isAmbiguous), at: field.index)
        case .phase: fields.setText(event.phase.name, at: field.index)
        case .receipt: if let name = event.receipt.name { fields.setText(name, at: field.index) }
        case .receiptEvidence:
            if let name = event.receiptEvidence.name { fields.setText(name, at: field.index) }
        case .payload: setText(event.payload, event, field)
        case .domainUnseen: fields.set(.bool(event.facts.isDomainUnseen), at: field.index)
        case .domainHeardDays:
            if let days = event.facts.domainHeardDays {
                fields.set(.integer(Int64(days)), at: field.index)
            }
        case .domainInternal: fields.set(.bool(event.facts.isDomainInternal), at: field.index)
        case .accountAgeDays:
            fields.set(.integer(Int64(event.facts.accountAgeDays)), at: field.index)
        case .memoryDays: fields.set(.integer(Int64(event.facts.memoryDays)), at: field.index)
        case .domainAccounts: set(event.facts.domainAccounts, field)
        case .domainUnseenByServer:
            fields.set(.bool(event.facts.isDomainUnseenByServer), at: field.index)
        case .unseenDomainsHour: set(event.facts.unseenDomainsHour, field)
        case .unseenDomainsDay: set(event.facts.unseenDomainsDay, field)
        case .receiptsDay: set(event.facts.receiptsDay, field)
        case .returnsDay: set(event.facts.returnsDay, field)
        case .unseenSurprise: set(tenths: event.facts.unseenSurpriseTenths, field)
        case .receiptSurprise: set(tenths: event.facts.receiptSurpriseTenths, field)
        case .bait, .baitEvidence, .baitAgeSeconds, .baitSender, .baitThirdParty:
            if let bait = event.bait { set(field, of: bait, event) }
        }
    }

    private mutating func set(_ count: some FixedWidthInteger, _ field: EventField) {
        fields.set(.integer(Int64(clamping: count)), at: field.index)
    }

    private mutating func set(tenths: UInt16, _ field: EventField) {
        if tenths % 10 == 0 {
            set(tenths / 10, field)
        } else {
            fields.set(.number(Double(tenths) / 10), at: field.index)
        }
    }

    private mutating func setText(_ range: TextRange, _ event: SendEvent, _ field: EventField) {
        guard range.isPresent else { return }
        fields.setText(event.text.span.extracting(range.indices), at: field.index)
    }

    // MARK: Correlations

    /// Carries the matches of an event into the correlations that they wake, and theirs into those
    /// that build on them. An event wakes the same correlation once for each of its rules.
    private mutating func correlate(
        _ event: SendEvent,
        _ key: (serial: UInt64, recipient: UInt32)
    ) -> Bool {
        var woken: [(correlation: Int, position: Int)] = []
        for rule in matches { woken += wokenByDetection[rule] }
        guard !woken.isEmpty else { return false }
        woken.sort { ($0.correlation, $0.position) < ($1.correlation, $1.position) }
        // The groups and values need fields that no rule tests.
        for field in otherFields { set(field, of: event) }
        let isLate = event.microseconds < now - limits.latenessMicroseconds
        if isLate { counters.lateEvents += 1 }
        let id =
            held.id(serial: key.serial, recipient: key.recipient)
            ?? held.insert(event, serial: key.serial, recipient: key.recipient)
        var next = 0
        while next < woken.count {
            let (correlation, position) = woken[next]
            next += 1
            guard
                enter(correlation, position, event: event, id: id, isLate: isLate),
                !wokenByCorrelation[correlation].isEmpty
            else { continue }
            for further in wokenByCorrelation[correlation]
            where !woken.contains(where: { $0 == further }) {
                woken.append(further)
            }
        }
        held.dropIfUnused(id)
        return held.contains(id)
    }

    /// Puts an event into its group's window.
    ///
    /// - Returns: whether the condition holds after it.
    private mutating func enter(
        _ index: Int,
        _ position: Int,
        event: SendEvent,
        id: HeldID,
        isLate: Bool
    ) -> Bool {
        let correlation = correlations[index]
        guard let groupValues = groupValues(correlation.groupFields[position], event) else {
            return false
        }
        keyScratch.removeAll()
        for value in groupValues { keyScratch.write(value) }
        let hash = keyedHash(keyScratch.bytes, seed: memory.seed)
        expireIdleGroups(index)
        let known = groups[index].number(key: keyScratch.bytes, hash: hash)
        if isLate {
            if let known, groups[index].hasOpenEpisode(known) {
                groups[index].change(known) { $0.episode?.degrade("late") }
            }
            return false
        }
        let number: Int
        if let known {
            number = known
        } else {
            if groups[index].count >= limits.groupsMax { dropIdlestGroup(index) }
            number = groups[index].insert(key: keyScratch.bytes, hash: hash)
        }
        let entry = WindowEntry(
            microseconds: event.microseconds,
            rule: position,
            held: id,
            figure: figure(correlation, event)
        )
        held.use(id)
        left.removeAll(keepingCapacity: true)
        let entered = groups[index].add(
            entry,
            to: number,
            lateness: limits.latenessMicroseconds,
            countMax: correlation.windowEventsMax(limits),
            left: &left
        )
        for event in left { held.giveBack(event) }
        if groups[index].wasFull(number) {
            counters.windowsFull += 1
            groups[index].change(number) { $0.episode?.degrade("window-full") }
        }
        if groups[index].hasOpenEpisode(number) { join(entry, index, number) }

        var holdsAtEvent = false
        if entered >= 0 {
            for later in entered..<groups[index].entryCount(number)
            where groups[index].holds(correlation, number, endingAt: later) {
                if later == entered { holdsAtEvent = true }
                if correlation.raisesAlert { match(index, number, endingAt: later) }
            }
        }
        waitForIdle(index)
        shrinkIfNeeded(index)
        return holdsAtEvent
    }

    /// The group-by values in canonical form; nil when one is missing.
    private func groupValues(_ wanted: [FieldIndex], _ event: SendEvent) -> [[UInt8]]? {
        var values: [[UInt8]] = []
        for field in wanted {
            guard let value = canonicalValue(field, event) else { return nil }
            values.append(value)
        }
        return values
    }

    /// Accounts and domains compare in canonical form, all other fields as they are.
    private func canonicalValue(_ field: FieldIndex, _ event: SendEvent) -> [UInt8]? {
        if field == EventField.userName.index {
            return event.account.isPresent ? Array(event.text[event.account.indices]) : nil
        }
        switch fields.value(at: field.position) {
        case .absent, .null, .list: return nil
        case .bool(let value): return Array((value ? "true" : "false").utf8)
        case .integer(let value): return Array(String(value).utf8)
        case .number(let value): return Array(Number(value).text.utf8)
        case .text(let range): return Array(fields.bytes[range])
        }
    }

    /// What a correlation counts of an event, or adds up.
    private func figure(_ correlation: Correlation, _ event: SendEvent) -> WindowEntry.Figure {
        guard let first = correlation.valueFields.first else { return .none }
        guard correlation.kind == .valueCount else {
            return numberValue(first).map { .number($0) } ?? .none
        }
        let value = valueHash(correlation.valueFields, event)
        return value == 0 ? .none : .value(value)
    }

    private func valueHash(_ wanted: [FieldIndex], _ event: SendEvent) -> UInt64 {
        var writer = BinaryWriter()
        for field in wanted {
            guard let value = canonicalValue(field, event) else { return 0 }
            writer.write(value)
        }
        return keyedHash(writer.bytes, seed: memory.seed) | 1
    }

    private func numberValue(_ field: FieldIndex) -> Number? {
        switch fields.value(at: field.position) {
        case .integer(let value): Number(value)
        case .number(let value): Number(value)
        case .text(let range): Number(decimal: fields.bytes.span.extracting(range))
        case .absent, .null, .bool, .list: nil
        }
    }

    private mutating func dropIdlestGroup(_ index: Int) {
        guard let number = groups[index].idlest else { return }
        counters.groupsLeft += 1
        raiseLimitNotice(correlations[index].head.id)
        if groups[index].hasOpenEpisode(number) {
            groups[index].change(number) { $0.episode?.degrade("groups-full") }
            resolve(index, number, at: now, reason: "limit")
        }
        remove(index, number)
    }

    /// Keeps the events that are held within their bound: the idlest groups leave first.
    private mutating func shrinkIfNeeded(_ index: Int) {
        while held.byteCount > limits.heldBytesMax, groups[index].count > 1 {
            dropIdlestGroup(index)
        }
    }

    /// A bound of a rule's groups was reached: told once a day, in the log's time.
    private mutating func raiseLimitNotice(_ rule: String) {
        let day = floorDivide(now, by: 86_400_000_000).quotient
        guard toldLimits[rule] != day else { return }
        toldLimits[rule] = day
        notices.append(
            Notice(
                name: "postern_limit",
                id: base32(Array("limit:groups:\(rule):\(day)".utf8)),
                microseconds: now,
                severity: .medium,
                message:
                    "The rule \(rule) has more groups open than there is room for; the longest "
                    + "idle ones were let go, and what they counted begins anew."
            )
        )
    }

    /// Searches for regular expressions were given up: counted, and each rule is named once.
    private mutating func tellLimited(_ rules: [(rule: Int, searches: UInt64)]) {
        for (rule, searches) in rules {
            counters.regexLimits += Int(searches)
            guard limitedRules.insert(rule).inserted else { continue }
            let name = ruleNames[rule]
            notices.append(
                Notice(
                    name: "postern_limit",
                    id: base32(Array("limit:regex:\(name)".utf8)),
                    microseconds: now,
                    severity: .medium,
                    message: "A regular expression of the rule \(name) was given up at its match "
                        + "limit, and so matched nothing; write it so that it backtracks less."
                )
            )
        }
    }

    // MARK: Alerts

    /// An event joins an alert that is open.
    private mutating func join(_ entry: WindowEntry, _ index: Int, _ number: Int) {
        guard var episode = groups[index][number].episode else { return }
        count(entry, correlations[index], in: &episode)
        add(entry.held, to: &episode)
        let isHeld = episode.events.last == entry.held
        groups[index].change(number) { $0.episode = episode }
        if isHeld { noteOpen([entry.held], index, number) }
    }

    private func count(
        _ entry: WindowEntry,
        _ correlation: Correlation,
        in episode: inout Episode
    ) {
        episode.start = min(episode.start, entry.microseconds)
        episode.end = max(episode.end, entry.microseconds)
        guard correlation.kind == .valueCount else {
            episode.count += 1
            return
        }
        guard entry.value != 0, episode.values.count < 100_000 else { return }
        episode.values.insert(entry.value)
        episode.count = episode.values.count
    }

    private mutating func add(_ id: HeldID, to episode: inout Episode) {
        guard episode.events.count < limits.alertEventsMax else {
            episode.eventsLeftOut += 1
            counters.eventsLeftOut += 1
            episode.degrade("events-left-out")
            return
        }
        // One event may wake a correlation by several of its rules.
        guard episode.events.last != id else { return }
        episode.events.append(id)
        held.use(id)
    }

    /// The condition holds in the window that ends at `last`.
    private mutating func match(_ index: Int, _ number: Int, endingAt last: Int) {
        let correlation = correlations[index]
        let group = groups[index][number]
        let time = groups[index].entry(number, last).microseconds
        if var episode = group.episode {
            switch episode.state {
            case .open:
                episode.lastMatch = max(episode.lastMatch, time)
                let isDue =
                    episode.count >= episode.nextUpdateCount
                    && time - episode.lastUpdate >= limits.updateMicrosecondsMin
                if isDue {
                    while episode.nextUpdateCount <= episode.count { episode.nextUpdateCount *= 2 }
                    episode.lastUpdate = time
                    episode.sequence += 1
                }
                groups[index].change(number) { $0.episode = episode }
                if isDue { emit(.updated, index, number, at: time) }
                return
            case .resolved(let resolved):
                let id = alertID(index, number, endingAt: last)
                if time < resolved + correlation.silence || id == episode.id {
                    reopen(episode, index, number, endingAt: last)
                    return
                }
            }
        }
        let range = groups[index].range(number, endingAt: last)
        var episode = Episode(
            id: alertID(index, number, endingAt: last),
            start: groups[index].entry(number, range.lowerBound).microseconds,
            match: time,
            threshold: correlation.threshold
        )
        begin(&episode, index, number, range)
        counters.alertsOpened += 1
        groups[index].change(number) { $0.episode = episode }
        schedule(index, number)
        noteOpen(episode.events, index, number)
        emit(.opened, index, number, at: time)
    }

    private mutating func reopen(
        _ old: Episode,
        _ index: Int,
        _ number: Int,
        endingAt last: Int
    ) {
        let range = groups[index].range(number, endingAt: last)
        let time = groups[index].entry(number, last).microseconds
        var episode = old
        if case .resolved(let resolved) = old.state {
            episode.prior = PriorEpisode(
                id: old.id,
                sequence: old.sequence,
                resolvedMicroseconds: resolved
            )
        }
        episode.state = .open
        episode.sequence += 1
        episode.lastMatch = time
        episode.lastUpdate = time
        begin(&episode, index, number, range)
        groups[index].change(number) { $0.episode = episode }
        noteOpen(episode.events, index, number)
        emit(.reopened, index, number, at: time)
        schedule(index, number)
    }

    /// The events of the window are the first of the episode.
    private mutating func begin(
        _ episode: inout Episode,
        _ index: Int,
        _ number: Int,
        _ range: Range<Int>
    ) {
        for position in range {
            let entry = groups[index].entry(number, position)
            count(entry, correlations[index], in: &episode)
            add(entry.held, to: &episode)
        }
        if groups[index].wasFull(number) { episode.degrade("window-full") }
        while episode.nextUpdateCount <= episode.count { episode.nextUpdateCount *= 2 }
    }

    private mutating func alertID(_ index: Int, _ number: Int, endingAt last: Int) -> AlertID {
        let range = groups[index].range(number, endingAt: last)
        return AlertID(
            rule: correlations[index].head.id,
            group: groups[index][number].values,
            earliestMicroseconds: groups[index].entry(number, range.lowerBound).microseconds
        )
    }

    private mutating func resolve(
        _ index: Int,
        _ number: Int,
        at time: Int64,
        reason: String? = nil
    ) {
        groups[index].change(number) { group in
            group.episode?.sequence += 1
            group.episode?.state = .resolved(microseconds: time)
        }
        emit(.resolved, index, number, at: time, reason: reason)
        let events = groups[index][number].episode?.events ?? []
        let place = OpenAlerts.Place(correlation: index, group: groups[index][number].serial)
        for event in events {
            if let account = accountHash(of: event) { openAlerts.remove(account, place) }
        }
        groups[index].change(number) { group in
            group.episode?.events = []
            group.episode?.values = []
            group.episode?.count = 0
            group.episode?.eventsLeftOut = 0
            group.episode?.degraded = []
        }
        for event in events { held.giveBack(event) }
    }

    private mutating func emit(
        _ action: AlertAction,
        _ index: Int,
        _ number: Int,
        at time: Int64,
        reason: String? = nil
    ) {
        let correlation = correlations[index]
        let group = groups[index][number]
        guard let episode = group.episode else { return }
        let proof = episode.events.compactMap { held[$0] }
        let events = proof.map(\.event)
        var blocklists: [String] = []
        for case let name? in proof.map(\.blocklist)
        where !blocklists.contains(name) && blocklists.count < Self.blocklistsMax {
            blocklists.append(name)
        }
        let writer = AlertWriter(
            correlation: correlation,
            episode: episode,
            events: events,
            blocklists: blocklists,
            related: related(to: episode.events, index, group.serial)
        )
        var alert = writer.alert(action, at: time, group: group.values)
        alert.reason = reason
        if memory.counters.domainsForgotten > 0,
            events.contains(where: { event in
                memory.isKnownForgetful(event.text.span.extracting(event.account.indices))
            })
        {
            alert.degraded.append("memory-full")
        }
        var serials: [UInt64] = []
        var seen: Set<UInt64> = []
        for event in proof where seen.insert(event.serial).inserted { serials.append(event.serial) }
        transitions.append(
            Transition(
                alert: alert,
                events: events,
                serials: serials,
                prior: episode.prior,
                ruleText: correlation.closureText
            )
        )
    }

    // MARK: Related alerts

    /// Blocklists and related alerts that an alert names.
    private static let blocklistsMax = 10
    private static let relatedMax = 100

    private func accountHash(of id: HeldID) -> UInt64? {
        guard let event = held[id]?.event, event.account.isPresent else { return nil }
        return memory.hash(event.text.span.extracting(event.account.indices))
    }

    /// The accounts of the events have a part in the group's open alert.
    mutating func noteOpen(_ events: [HeldID], _ index: Int, _ number: Int) {
        let place = OpenAlerts.Place(correlation: index, group: groups[index][number].serial)
        for event in events {
            if let account = accountHash(of: event) { openAlerts.add(account, place) }
        }
    }

    /// The other open alerts of the events' accounts.
    private mutating func related(
        to events: [HeldID],
        _ index: Int,
        _ serial: UInt64
    ) -> [AlertID] {
        let own = OpenAlerts.Place(correlation: index, group: serial)
        var found: [AlertID] = []
        var seen: Set<OpenAlerts.Place> = [own]
        var accounts: Set<UInt64> = []
        for event in events {
            guard let account = accountHash(of: event), accounts.insert(account).inserted else {
                continue
            }
            for place in openAlerts.places(of: account) where seen.insert(place).inserted {
                guard found.count < Self.relatedMax else { return found }
                guard let number = groups[place.correlation].number(serial: place.group),
                    let episode = groups[place.correlation][number].episode, episode.isOpen
                else { continue }
                found.append(episode.id)
            }
        }
        return found
    }

    /// A blocklist was named for the first time in the open alerts of an event: their level rises.
    private mutating func raiseLevel(_ id: HeldID, at time: Int64) {
        guard let account = accountHash(of: id) else { return }
        for place in openAlerts.places(of: account) {
            let index = place.correlation
            guard let number = groups[index].number(serial: place.group),
                let episode = groups[index][number].episode, episode.isOpen,
                episode.events.contains(id),
                !episode.events.contains(where: { $0 != id && held[$0]?.blocklist != nil }),
                episode.sequence == 0
                    || time - episode.lastUpdate >= limits.updateMicrosecondsMin
            else { continue }
            groups[index].change(number) { group in
                group.episode?.sequence += 1
                group.episode?.lastUpdate = time
            }
            emit(.updated, index, number, at: time)
        }
    }

    // MARK: Explaining

    /// Why each rule of the event's phase matches it, or does not, and how far the correlations are
    /// that count it. To be called after the event was taken in; nothing changes by it.
    public mutating func explain(
        _ event: SendEvent,
        with explainer: inout RuleExplainer
    ) -> [RuleExplanation] {
        fields.reset()
        for field in EventField.allCases { set(field, of: event) }
        return explainer.explain(fields, event.phase).map { rule, explanation in
            var explanation = explanation
            guard explanation.matches else { return explanation }
            for (index, position) in wokenByDetection[rule] {
                explanation.counts.append(state(of: index, position, event))
            }
            return explanation
        }
    }

    private mutating func state(
        of index: Int,
        _ position: Int,
        _ event: SendEvent
    ) -> CorrelationState {
        let correlation = correlations[index]
        var state = CorrelationState(
            rule: correlation.head.name ?? correlation.head.id,
            figure: nil,
            threshold: correlation.threshold,
            range: correlation.trigger.bounds.flatMap { $0.upper == nil ? nil : $0.text },
            isOpen: false
        )
        guard let values = groupValues(correlation.groupFields[position], event) else {
            return state
        }
        var key = BinaryWriter()
        for value in values { key.write(value) }
        let hash = keyedHash(key.bytes, seed: memory.seed)
        guard let number = groups[index].number(key: key.bytes, hash: hash) else { return state }
        state.isOpen = groups[index].hasOpenEpisode(number)
        var last = groups[index].entryCount(number) - 1
        while last >= 0, groups[index].entry(number, last).microseconds > event.microseconds {
            last -= 1
        }
        guard last >= 0 else { return state }
        state.figure = groups[index].figure(correlation, number, endingAt: last)?.text
        return state
    }

    // MARK: Stored form

    mutating func restoreClock(_ microseconds: Int64) { now = microseconds }
}

extension Span where Element == UInt8 {
    /// Whether an `@` is in it.
    fileprivate var hasAt: Bool {
        for index in indices where self[index] == UInt8(ascii: "@") { return true }
        return false
    }
}
