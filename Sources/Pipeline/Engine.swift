public import Detection
public import Evidence
public import Findings
import LogSources
public import MailEvents
public import MailLog
import MailText
import Memory
public import Records
import SafeText
import Sigma

/// What a user of the engine gets to see, in the order in which it came to light.
public protocol EngineOutput: ~Copyable {
    /// An event that is finished: settled, or gone without an outcome. Only if
    /// ``Engine/showsEvents`` is set.
    mutating func finished(_ event: SendEvent, record: String)
    /// A transition of an alert, with the contents of its bundle if one is due.
    mutating func changed(_ alert: Alert, bundle: BundleContents?)
    /// The events of an alert that has grown, the latest last, as ``BundleContents`` would have them:
    /// before its transition, and only if ``Engine/tellsGrowth`` is set.
    mutating func grew(_ alert: AlertID, events: [[UInt8]])
    mutating func raised(_ notice: Notice)
}

extension EngineOutput where Self: ~Copyable {
    public mutating func grew(_ alert: AlertID, events: [[UInt8]]) {}
}

/// A line whose time cannot be known: exit status 65.
public struct UnknownYear: Error, Sendable {
    public var record: RecordID
}

/// Counts of the engine.
public struct EngineCounters: Sendable, Equatable {
    public var linesCut = 0
    /// Stamps that lay far ahead and were refuted by the lines after them.
    public var jumpsRefuted = 0

    public init() {}
}

/// Assembler, memory, detection and kept lines as one deterministic machine: facts go in, findings
/// come out (architecture §2).
public struct Engine: ~Copyable, Sendable {
    public internal(set) var settings: EngineSettings
    public internal(set) var assembler: Assembler
    public internal(set) var detector: Detector
    public internal(set) var keeper = LineKeeper()
    /// What came to the mailboxes, for the receipts that answer it.
    var baits = BaitMemory()
    public private(set) var counters = EngineCounters()
    /// Whether ``EngineOutput/finished(_:record:)`` is to be called.
    public var showsEvents = false {
        didSet {
            reader.wantsPayload = showsEvents || detector.usesPayload
            detector.showsFacts = showsEvents
        }
    }
    /// Whether bundles are wanted.
    public var sealsEvidence = false
    /// Whether the events of an alert that grows are told; what it grew by is sealed with its end.
    public var tellsGrowth = false
    /// Whether what is read is entered in ``continuity``.
    public var keepsContinuity = false
    /// What was read of each source on each day, and what was not.
    public internal(set) var continuity = Continuity()
    /// Whether ``coverage`` is kept, and its notices raised.
    public var watchesCoverage = false
    /// How much of its submissions the log tells.
    var coverage = Coverage()
    /// What the canary's line says that is on its way; nil: none is, or it has come.
    var awaitedCanary: [UInt8]?
    /// Whether ``activity`` is kept.
    public var watchesActivity = false
    /// What the accounts did in the last hour of the log.
    var activity = Activity()
    /// Kept with ``coverage``, whose slots are what hours are made of.
    var hours = LogHours()
    private var limitWatch = LimitWatch()
    /// Lines outside are passed over (`--since`, `--until`).
    public var window = TimeWindow()
    /// Tells why rules match events; nil: nobody asks.
    private var explainer: RuleExplainer?
    /// What it told since it was last taken.
    private var explained: [ExplainedEvent] = []
    /// The facts that a bundle states for its events; nil in every other run.
    let stated: StatedFacts?
    private let isVerifying: Bool
    let seed: HashSeed

    /// The sources in the order of their names.
    var lanes: [Lane]
    /// Sources of earlier runs that are not read any more.
    var retired: [Lane] = []
    private var duplicates: DuplicateWatch
    /// Numbers of sources whose names the state does not have yet.
    var unstoredSources: Set<UInt16>
    let zone: ZoneRules
    var reader: HeaderReader
    private let scanner: LogScanner
    private var event = SendEvent()
    private var nameScratch: [UInt8] = []
    private var pending: [Assembler.Happening] = []
    /// Lines that were read so far, of all sources.
    private(set) var lineCount: UInt64 = 0

    private static let jumpMicroseconds: Int64 = 86_400_000_000

    /// - Parameters:
    ///   - sources: in the order of their names, each name once.
    ///   - seed: the secret of the hash tables; the constant one for runs without a state.
    ///   - tracksChanges: whether ``takeChanges(into:)`` will be called.
    public init(
        _ settings: EngineSettings,
        sources: [LaneSource],
        seed: HashSeed = .constant,
        tracksChanges: Bool = false,
        stated: StatedFacts? = nil
    ) throws(EngineError) {
        let receipts: ReceiptTable
        do {
            receipts = try ReceiptTable(
                notRead: settings.notReadPrefixes,
                read: settings.readPrefixes
            )
        } catch {
            throw .prefix("\(error)")
        }
        let zone = settings.timeZone.rules()
        var mistakes: [Mistake] = []
        let detector = Detector(
            rules: settings.rules,
            memory: AccountMemory(seed: seed, limits: settings.memory),
            limits: settings.detection,
            zone: zone.secondsEast,
            mistakes: &mistakes
        )
        guard mistakes.isEmpty else { throw .rules(mistakes) }
        self.settings = settings
        let resolver = TimeResolver(zone: zone, firstYear: settings.firstYear)
        lanes = sources.enumerated().map { index, source in
            Lane(source, number: SourceNumber(UInt16(index)), resolver: resolver)
        }
        duplicates = DuplicateWatch(count: sources.count)
        unstoredSources = Set(lanes.map(\.number.rawValue))
        self.stated = stated
        isVerifying = stated != nil
        self.seed = seed
        self.zone = zone
        let usesPayload = detector.usesPayload
        self.detector = detector
        let accountDomain = Array((settings.accountDomain ?? "").utf8)
        reader = HeaderReader(receipts: receipts, accountDomain: accountDomain, seed: seed)
        reader.wantsPayload = usesPayload
        scanner = LogScanner(
            seed: seed,
            accountDomain: accountDomain,
            dialect: settings.dialect
        )
        assembler = Assembler(
            limits: settings.assembly,
            filters: FilterList(settings.filters),
            seed: seed,
            tracksChanges: tracksChanges
        )
    }

    /// A scanner that goes with this engine: facts of any other are refused by their keys.
    public func makeScanner() -> LogScanner { scanner }

    /// From now on each event is kept with the reasons of the rules, until it is taken.
    mutating func beginExplaining() {
        explainer = RuleExplainer(settings.rules)
        showsEvents = true
    }

    /// The events that were evaluated since the last call, with the reasons of the rules.
    mutating func takeExplained() -> [ExplainedEvent] {
        defer { explained = [] }
        return explained
    }

    private mutating func explain() {
        guard var explainer = explainer.take() else { return }
        let reasons = detector.explain(event, with: &explainer)
        explained.append(ExplainedEvent(event: event.compacted(), rules: reasons))
        self.explainer = consume explainer
    }

    /// For verifying the bundle of a reopened alert: how it stood before.
    mutating func restore(prior: PriorEpisode, ruleID: String, group: [[UInt8]]) {
        detector.restore(prior: prior, ruleID: ruleID, group: group)
    }

    /// Takes a further source in, which comes at `index` in the order of the names.
    mutating func insertLane(_ source: LaneSource, at index: Int) {
        if let known = retired.firstIndex(where: { $0.name == source.name }) {
            var lane = retired.remove(at: known)
            lane.files.resume(with: source.table)
            lanes.insert(lane, at: index)
        } else {
            let used = (lanes + retired).map(\.number.rawValue).max()
            let number = used.map { $0 + 1 } ?? 0
            unstoredSources.insert(number)
            lanes.insert(
                Lane(
                    source,
                    number: SourceNumber(number),
                    resolver: TimeResolver(zone: zone, firstYear: settings.firstYear)
                ),
                at: index
            )
        }
        duplicates = DuplicateWatch(count: lanes.count)
    }

    func retiredLane(_ name: String, _ number: SourceNumber) -> Lane {
        Lane(
            LaneSource(name: name, table: FileTable()),
            number: number,
            resolver: TimeResolver(zone: zone, firstYear: nil)
        )
    }

    /// Days from the first submission to now, both counted; 1 before there was one.
    mutating func dayCount() -> Int {
        let first = Int(detector.memory.firstDay)
        return first == 0 ? 1 : max(1, detector.day(detector.now) - first + 1)
    }

    /// For the clock of the stored state.
    mutating func restore(lineCount: UInt64) { self.lineCount = lineCount }

    /// The year of the first record of a source, for stamps without one.
    mutating func setFirstYear(_ year: Int, lane index: Int) {
        lanes[index].resolver = TimeResolver(zone: zone, firstYear: year)
    }

    /// Whether a line waits for others to confirm its stamp: no cursor may pass it.
    public var hasDoubtfulLines: Bool { lanes.contains { !$0.doubtful.isEmpty } }

    // MARK: Input

    /// Takes a whole batch of the first source and its facts in: what is read with one source.
    public mutating func take(
        _ batch: borrowing Batch,
        facts: [LineFact],
        to output: inout some EngineOutput & ~Copyable
    ) throws(UnknownYear) {
        begin(batch, lane: 0)
        _ = try take(batch, facts: facts, lane: 0, from: 0, before: .max, to: &output)
    }

    /// A new batch of a source is to be taken.
    mutating func begin(_ batch: borrowing Batch, lane index: Int) {
        counters.linesCut += batch.linesCut
        lanes[index].begin(batch)
    }

    /// The event time of a fact of the batch that a source began: microseconds. Facts are asked for
    /// in their order.
    mutating func time(
        of fact: LineFact,
        _ batch: borrowing Batch,
        lane index: Int
    ) throws(UnknownYear) -> Int64 {
        let time = lanes[index].time(of: fact.stamp, observed: batch.observedMicroseconds)
        guard let time else {
            throw UnknownYear(record: lanes[index].record(batch, line: Int(fact.line)))
        }
        return time
    }

    /// Takes facts of a batch in, up to the first whose time is not before `bound`.
    ///
    /// - Parameters:
    ///   - batch: the lines; ``begin(_:lane:)`` was called with it.
    ///   - facts: what the engine's scanner found in them, all of it.
    ///   - start: index of the first fact that was not taken yet.
    /// - Returns: index of the first fact that is not taken now; the lines before it are done with.
    mutating func take(
        _ batch: borrowing Batch,
        facts: [LineFact],
        lane index: Int,
        from start: Int,
        before bound: Int64,
        to output: inout some EngineOutput & ~Copyable
    ) throws(UnknownYear) -> Int {
        let bytes = batch.bytes.span
        let firstLine = lanes[index].linesTaken
        let firstSequence = lineCount
        let number = lanes[index].number
        let file = lanes[index].file ?? FileNumber(0)
        // The last stamp that was believed, and its time. Lines of one second follow each other, and
        // what holds for the first of them holds for all.
        var believedStamp: Stamp?
        var time = Int64.min
        var isLate = false
        var next = start
        while next < facts.count {
            let fact = facts[next]
            if fact.kind == .time, fact.stamp.second == lanes[index].lastSecond {
                // Another scanner has told this second already.
                next += 1
                continue
            }
            let line = Int(fact.line)
            if fact.kind == .canary {
                // It says nothing of any message, and comes whatever its stamp is.
                let text = bytes.extracting(batch.lines[line].indices)
                if let awaitedCanary, text.extracting(fact.a.indices).equals(awaitedCanary) {
                    self.awaitedCanary = nil
                }
                next += 1
                continue
            }
            let sequence = firstSequence + UInt64(line - firstLine) + 1
            if fact.stamp != believedStamp {
                believedStamp = nil
                time = try self.time(of: fact, batch, lane: index)
                guard time < bound else { break }
                lanes[index].lastSecond = fact.stamp.second
                isLate = keepsContinuity && tally(time, batch, line: line, lane: index)
                guard time >= window.start, time < window.end else {
                    next += 1
                    continue
                }
                // The stamps of a table are those of servers, in order; an export has few rows.
                if !fact.dialect.isTable, isInDoubt(time, lane: index) {
                    let doubtful = DoubtfulLine(
                        fact: fact,
                        bytes: Array(batch.bytes[batch.lines[line].indices]),
                        record: lanes[index].record(batch, line: line),
                        sequence: sequence,
                        microseconds: time
                    )
                    let count = lanes[index].lineCount + UInt64(line - firstLine) + 1
                    next += 1
                    doubt(doubtful, number: count, lane: index, to: &output)
                    continue
                }
                lanes[index].believed = max(lanes[index].believed, time)
                detector.moveTime(to: time)
                if watchesCoverage, time >= coverage.slotEnd { watch(&output) }
                believedStamp = fact.stamp
            }
            next += 1
            if isLate { lanes[index].tally.counts.late += 1 }
            if fact.kind == .client || fact.kind == .accepted {
                duplicates.opened(fact.key, by: index)
            }
            let range = batch.lines[line].indices
            let isNews = assembler.take(
                fact,
                bytes.extracting(range),
                record: RecordID(source: number, file: file, offset: batch.offset(ofLine: line)),
                sequence: sequence,
                microseconds: time
            )
            if isNews { handleHappenings(of: bytes.extracting(range), at: time, to: &output) }
            if !detector.transitions.isEmpty { handleTransitions(to: &output) }
        }
        let lines = next == facts.count ? batch.lines.count : Int(facts[next].line)
        if keepsContinuity {
            lanes[index].tally.count(batch, to: lines)
            flushTally(lane: index)
        }
        lanes[index].linesTaken = lines
        lanes[index].lineCount += UInt64(lines - firstLine)
        lineCount += UInt64(lines - firstLine)
        return next
    }

    // MARK: Coverage

    /// The log's time has moved.
    private mutating func watch(_ output: inout some EngineOutput & ~Copyable) {
        let seconds = floorDivide(detector.now, by: 1_000_000).quotient
        let secondsEast = zone.secondsEast(seconds)
        coverage.move(to: detector.now, secondsEast: secondsEast)
        hours.move(to: detector.now, secondsEast: secondsEast)
        for notice in coverage.takeNotices() { output.raised(notice) }
        let reached = limitWatch.take(
            detector.memory.counters,
            assembler.counters,
            at: detector.now
        )
        for notice in reached { output.raised(notice) }
    }

    // MARK: Continuity

    /// Counts the lines before one whose time is known, on the day of those before it.
    ///
    /// - Returns: whether the line is later than the lateness allowed.
    private mutating func tally(
        _ time: Int64,
        _ batch: borrowing Batch,
        line: Int,
        lane index: Int
    ) -> Bool {
        if !lanes[index].tally.span.contains(time) {
            if lanes[index].tally.day != nil { lanes[index].tally.count(batch, to: line) }
            flushTally(lane: index)
            beginDay(of: time, lane: index)
        }
        lanes[index].tally.saw(time)
        return time < detector.now - settings.detection.latenessMicroseconds
    }

    private mutating func flushTally(lane index: Int) {
        let counts = lanes[index].tally.counts
        guard let day = lanes[index].tally.day, counts != ContinuityCounts() else { return }
        continuity.note(source: lanes[index].name, day: day, counts)
        lanes[index].tally.counts = ContinuityCounts()
    }

    /// A quarter of an hour is what days are made of in every zone.
    private mutating func beginDay(of time: Int64, lane index: Int) {
        let quarter: Int64 = 900_000_000
        let start = floorDivide(time, by: quarter).quotient * quarter
        lanes[index].tally.day = detector.day(time)
        lanes[index].tally.span = start..<(start + quarter)
    }

    /// Enters lines that were not read, on the day of `microseconds`.
    mutating func add(_ gap: Gap, microseconds: Int64) {
        continuity.add(gap, day: detector.day(gap.endMicroseconds ?? microseconds))
    }

    /// Enters a rotation of a source.
    mutating func noteRotation(lane index: Int, microseconds: Int64) {
        var counts = ContinuityCounts()
        counts.rotations = 1
        continuity.note(source: lanes[index].name, day: detector.day(microseconds), counts)
    }

    /// The names of two sources that carry the same log, once it is noticed.
    var duplicateSources: (String, String)? {
        duplicates.found.map { (lanes[$0.0].name, lanes[$0.1].name) }
    }

    /// The last time that a source showed, believed or not.
    func latestTime(lane index: Int) -> Int64 { lanes[index].lastTime }

    /// Lines of a source's present batch that were taken.
    func linesTaken(lane index: Int) -> Int { lanes[index].linesTaken }

    @inline(__always)
    private func isInDoubt(_ time: Int64, lane index: Int) -> Bool {
        let believed = lanes[index].believed
        return believed > 0 && time > believed + Self.jumpMicroseconds
            || !lanes[index].doubtful.isEmpty
    }

    /// The input has ended: what is open is given as it stands. Nothing resolves because of it.
    public mutating func finish(to output: inout some EngineOutput & ~Copyable) {
        // Nobody confirmed these: they count at their own time, which moves nothing else.
        for index in lanes.indices {
            for line in takeDoubtful(index) {
                process(line, at: line.microseconds, movesTime: false, to: &output)
            }
        }
        assembler.finish()
        handleHappenings(of: Span(), at: detector.now, to: &output)
        handleTransitions(to: &output)
    }

    // MARK: Doubtful stamps

    /// A jump forward of more than a day counts only when the next three records agree
    /// (architecture §6): until then its lines wait.
    ///
    /// - Parameter number: counts the lines of the source.
    private mutating func doubt(
        _ line: DoubtfulLine,
        number: UInt64,
        lane index: Int,
        to output: inout some EngineOutput & ~Copyable
    ) {
        guard let first = lanes[index].doubtful.first else {
            lanes[index].firstDoubtfulLine = number
            lanes[index].doubtful.append(line)
            return
        }
        let agrees = abs(line.microseconds - first.microseconds) <= Self.jumpMicroseconds
        if !agrees {
            refute(index, to: &output)
            if isInDoubt(line.microseconds, lane: index) {
                lanes[index].firstDoubtfulLine = number
                lanes[index].doubtful.append(line)
                return
            }
            believe([line], lane: index, to: &output)
            return
        }
        lanes[index].doubtful.append(line)
        if number >= lanes[index].firstDoubtfulLine + 3 {
            believe(takeDoubtful(index), lane: index, to: &output)
        }
    }

    private mutating func takeDoubtful(_ index: Int) -> [DoubtfulLine] {
        defer { lanes[index].doubtful.removeAll() }
        return lanes[index].doubtful
    }

    private mutating func believe(
        _ lines: [DoubtfulLine],
        lane index: Int,
        to output: inout some EngineOutput & ~Copyable
    ) {
        for line in lines {
            lanes[index].believed = max(lanes[index].believed, line.microseconds)
            process(line, at: line.microseconds, to: &output)
        }
    }

    /// The lines count, at the time that the source had before them.
    private mutating func refute(
        _ index: Int,
        to output: inout some EngineOutput & ~Copyable
    ) {
        counters.jumpsRefuted += 1
        for line in takeDoubtful(index) {
            process(line, at: lanes[index].believed, to: &output)
        }
    }

    private mutating func process(
        _ line: DoubtfulLine,
        at time: Int64,
        movesTime: Bool = true,
        to output: inout some EngineOutput & ~Copyable
    ) {
        if movesTime {
            detector.moveTime(to: time)
            if watchesCoverage { watch(&output) }
        }
        let isNews = assembler.take(
            line.fact,
            line.bytes.span,
            record: line.record,
            sequence: line.sequence,
            microseconds: time
        )
        if isNews {
            handleHappenings(of: line.bytes.span, at: time, to: &output)
        }
        if !detector.transitions.isEmpty { handleTransitions(to: &output) }
    }

    // MARK: Happenings

    /// - Parameter line: the line that brought them to light; empty at the end of the input.
    private mutating func handleHappenings(
        of line: Span<UInt8>,
        at time: Int64,
        to output: inout some EngineOutput & ~Copyable
    ) {
        // The transitions of the time that came before belong before the event.
        if !detector.transitions.isEmpty { handleTransitions(to: &output) }
        assembler.takePending(&pending)
        for happening in pending {
            switch happening {
            case .submitted(let slot, let recipient):
                submit(slot, recipient)
            case .settled(let slot, let recipient):
                if watchesActivity { activity.ended(isSettled: true) }
                if watchesCoverage { hours.ended(isSettled: true) }
                settle(slot, recipient, at: time, line, isFinal: true, to: &output)
            case .unsettled(let slot, let recipient):
                if watchesActivity { activity.ended(isSettled: false) }
                if watchesCoverage { hours.ended(isSettled: false) }
                settle(slot, recipient, at: time, Span(), isFinal: false, to: &output)
            case .deferred(let slot, let recipient):
                noteDeferral(slot, recipient, at: time, line)
            case .delivered(let domain, let isLocal):
                if !isVerifying { detector.delivered(to: domain, isLocal: isLocal) }
            case .heard(let slot, let mailbox, let name, let domain, let sender, let isNews):
                guard !isVerifying else { continue }
                if sender == 0 {
                    detector.delivered(to: domain, isLocal: true)
                    if assembler.hasNullSender(slot: slot) {
                        detector.returned(to: mailbox, microseconds: time)
                    }
                } else {
                    let number = number(of: mailbox, named: line.extracting(name.indices))
                    let isFirst = detector.heard(
                        from: sender,
                        by: number,
                        domain: domain,
                        microseconds: time
                    )
                    if isFirst { noteName(ofSender: sender, slot) }
                }
                if isNews { rememberBait(slot, mailbox, microseconds: time) }
            case .awaited(let slot):
                if !isVerifying { rememberBait(slot, nil, microseconds: time) }
            case .received(let slot, let name):
                guard !isVerifying else { continue }
                let mailbox = reader.identity(ofAddress: line.extracting(name.indices))
                rememberBait(slot, mailbox, microseconds: time)
            case .closed(let slot):
                if watchesCoverage, let hasSubject = assembler.endedWithoutRecipient(slot: slot) {
                    coverage.saw(hasSubject: hasSubject, hasRecipient: false)
                    hours.submitted(hasSubject: hasSubject, hasRecipient: false)
                }
                if assembler.isProof(slot: slot) {
                    keeper.keep(assembler.serial(slot: slot), lines: assembler.lines(slot: slot))
                }
            }
        }
        while !pending.isEmpty { pending.removeLast() }
        assembler.clearHappenings()
        if watchesCoverage {
            for notice in coverage.takeNotices() { output.raised(notice) }
        }
        // The bundle of a transition needs the lines of events that left with it.
        if detector.transitions.isEmpty {
            releaseLines()
        } else {
            handleTransitions(to: &output)
        }
    }

    private mutating func number(
        of mailbox: UInt64,
        named address: Span<UInt8>
    ) -> AccountNumber {
        if let known = detector.account(mailbox) { return known }
        Canonical.account(address, into: &nameScratch)
        // A name of its own, so that nothing of the engine is read while the memory changes.
        let name = nameScratch
        if detector.memory.names != nil {
            reader.domain(ofAddress: address, into: &nameScratch)
            let domain = nameScratch
            let hash = detector.memory.hash(domain.span)
            if !domain.isEmpty { detector.memory.names?.note(hash, domain.span) }
        }
        return detector.memory.account(mailbox, name: name.span)
    }

    /// The name of the sender's domain goes to the disk, where `state show` finds it.
    private mutating func noteName(ofSender domain: UInt64, _ slot: Int32) {
        guard detector.memory.names != nil else { return }
        assembler.readSender(slot: slot) { address in
            reader.domain(ofAddress: address, into: &nameScratch)
        }
        let name = nameScratch
        // The name of what the scanner saw, or none.
        guard detector.memory.hash(name.span) == domain else { return }
        detector.memory.names?.note(domain, name.span)
    }

    /// A message came to a mailbox: a receipt may answer it.
    ///
    /// - Parameter mailbox: as an account; nil for the message's first recipient.
    private mutating func rememberBait(_ slot: Int32, _ mailbox: UInt64?, microseconds: Int64) {
        assembler.readInbound(slot: slot) { queueID, sender, subject, form, request, first in
            baits.add(
                InboundMessage(
                    mailbox: mailbox ?? reader.identity(ofAddress: first),
                    requestedAddress: request.isEmpty ? 0 : reader.identity(ofAddress: request),
                    isThirdParty: !request.isEmpty && reader.areOfDifferentDomains(request, sender),
                    microseconds: microseconds,
                    subjectForm: form.rawValue
                ),
                queueID: queueID,
                sender: sender,
                subject: subject
            )
        }
    }

    /// The message that a receipt answers, if it is remembered.
    private mutating func findBait() -> Bait? {
        let (address, payload) = reader.identities(of: event, seed: seed)
        return baits.find(
            mailbox: event.accountHash,
            address: address,
            payload: payload,
            before: event.submittedMicroseconds
        ) { subject, form in
            reader.payload(
                ofSubject: subject,
                LineFact.TextForm(rawValue: form) ?? .plain,
                seed: seed
            )
        }
    }

    private mutating func submit(_ slot: Int32, _ recipient: Int) {
        let serial = assembler.serial(slot: slot)
        assembler.lend(&event, slot: slot, recipient: recipient, reader: &reader)
        let earlier = assembler.earlierFacts(
            slot: slot,
            recipient: recipient,
            domain: event.domainHash
        )
        var statedFacts: DerivedFacts?
        if isVerifying {
            guard let known = stated?[event] else {
                assembler.takeBack(&event, slot: slot)
                return
            }
            statedFacts = known
            event.bait = stated?.bait(of: event)
        } else if event.receipt != .none {
            event.bait = findBait()
        }
        let isHeld = detector.submitted(
            &event,
            key: (serial, UInt32(recipient)),
            earlier: earlier,
            stated: statedFacts
        )
        if explainer != nil { explain() }
        if watchesCoverage {
            if recipient == 0 {
                // A message counts once, however many recipients it has.
                coverage.saw(hasSubject: event.subject.isPresent, hasRecipient: true)
                hours.submitted(hasSubject: event.subject.isPresent, hasRecipient: true)
            }
            hours.sent(
                isReceipt: event.receipt != .none,
                isUnseen: event.facts.isDomainUnseen && (event.facts.domainHeardDays ?? 0) == 0
            )
        }
        if watchesActivity {
            activity.submitted(event, isFirst: recipient == 0, at: detector.now)
        }
        assembler.takeBack(&event, slot: slot)
        assembler.freeze(
            event.facts,
            domain: event.domainHash,
            slot: slot,
            recipient: recipient
        )
        if let bait = event.bait { assembler.freeze(bait, slot: slot, recipient: recipient) }
        if isHeld { keepLines(slot, serial) }
    }

    private mutating func settle(
        _ slot: Int32,
        _ recipient: Int,
        at time: Int64,
        _ line: Span<UInt8>,
        isFinal: Bool,
        to output: inout some EngineOutput & ~Copyable
    ) {
        let isProof = assembler.isProof(slot: slot)
        let isAwaited =
            detector.settlesEveryEvent
            || detector.hasSettledRules && assembler.isAwaited(slot: slot, recipient: recipient)
        guard showsEvents || isProof || isAwaited else { return }
        let serial = assembler.serial(slot: slot)
        assembler.lend(&event, slot: slot, recipient: recipient, reader: &reader)
        if isVerifying, stated?[event] == nil {
            assembler.takeBack(&event, slot: slot)
            return
        }
        event.settledMicroseconds = time
        var isHeld = false
        let key = (serial, UInt32(recipient))
        if isFinal {
            let blocklist = isProof ? blocklist(in: line, event.delivery) : nil
            isHeld = detector.settled(&event, key: key, blocklist: blocklist)
        } else {
            event.phase = .settled
            detector.noteOutcome(event, key)
        }
        if explainer != nil { explain() }
        if showsEvents { output.finished(event, record: place(of: event.record)) }
        assembler.takeBack(&event, slot: slot)
        if isHeld { keepLines(slot, serial) }
        if isProof { keeper.keep(serial, lines: assembler.lines(slot: slot)) }
    }

    /// What became of an event that is kept as proof, for now.
    private mutating func noteDeferral(
        _ slot: Int32,
        _ recipient: Int,
        at time: Int64,
        _ line: Span<UInt8>
    ) {
        let serial = assembler.serial(slot: slot)
        assembler.lend(&event, slot: slot, recipient: recipient, reader: &reader)
        event.settledMicroseconds = time
        let list = blocklist(in: line, event.delivery)
        detector.noteOutcome(event, (serial, UInt32(recipient)), blocklist: list)
        assembler.takeBack(&event, slot: slot)
    }

    /// The blocklist that the reply in a delivery line names.
    private func blocklist(in line: Span<UInt8>, _ delivery: Delivery) -> String? {
        let reply = assembler.reply
        guard delivery == .deferred || delivery == .bounced, reply.isPresent,
            reply.indices.upperBound <= line.count
        else { return nil }
        return BlocklistReply.list(in: line.extracting(reply.indices))
    }

    private mutating func keepLines(_ slot: Int32, _ serial: UInt64) {
        assembler.markAsProof(slot: slot)
        for _ in 0..<detector.takeNewHolds() { keeper.hold(serial) }
        keeper.keep(serial, lines: assembler.lines(slot: slot))
    }

    private mutating func releaseLines() {
        for serial in detector.takeReleased() { keeper.release(serial) }
    }

    // MARK: Findings

    private mutating func handleTransitions(to output: inout some EngineOutput & ~Copyable) {
        for transition in detector.transitions {
            var transition = transition
            let alert = transition.alert
            if continuity.hasGap(from: alert.startMicroseconds, to: alert.microseconds) {
                transition.alert.degraded.append("gap")
            }
            let isSealed = alert.action != .updated
            let bundle = sealsEvidence && isSealed ? contents(of: &transition) : nil
            if tellsGrowth, !isSealed {
                let events = transition.events.suffix(AlertEvents.countMax)
                output.grew(alert.id, events: events.map { json($0) })
            }
            output.changed(transition.alert, bundle: bundle)
        }
        for notice in detector.notices { output.raised(notice) }
        detector.clearFindings()
        releaseLines()
    }

    /// Raw bytes of the lines of one bundle: each may take four in `lines.log`, which
    /// ``BundleLimits/linesBytesMax`` bounds.
    private static let evidenceBytesMax = 40 << 20
    /// Bytes of their provenance, which ``BundleLimits/memberBytesMax`` bounds; a line's takes some
    /// 400 besides its path, of which each byte may take six.
    private static let provenanceBytesMax = 60 << 20

    /// What the bundle of a transition holds. The alert is marked when it is not all.
    private func contents(of transition: inout Transition) -> BundleContents {
        let serials = transition.serials
        if keeper.isIncomplete(serials) { transition.alert.degraded.append("lines-forgotten") }
        let kept = keeper.lines(of: serials)
        var count = 0
        var bytes = 0
        var provenanceBytes = 0
        for line in kept.prefix(settings.evidenceLinesMax) {
            let lane = lane(of: line.record)
            let path = lane?.files[line.record.file]?.path.utf8.count ?? 0
            bytes += line.bytes.count
            provenanceBytes += 400 + 6 * (path + (lane?.name.utf8.count ?? 0))
            guard bytes <= Self.evidenceBytesMax, provenanceBytes <= Self.provenanceBytesMax else {
                break
            }
            count += 1
        }
        if kept.count > count {
            transition.alert.degraded.append("lines-left-out")
            transition.alert.linesLeftOut = kept.count - count
        }
        let alert = transition.alert
        let lines = kept.prefix(count).map { line in
            EvidenceLine(
                sequence: line.sequence,
                source: lane(of: line.record)?.name ?? "",
                path: lane(of: line.record)?.files[line.record.file]?.path ?? "",
                identity: lane(of: line.record)?.files[line.record.file]?.identity,
                offset: line.record.offset,
                bytes: line.bytes,
                isShortened: line.isShortened
            )
        }
        let events = transition.events
        return BundleContents(
            alert: alert,
            lines: lines,
            events: events.map { json($0) },
            rule: Array(transition.ruleText.utf8),
            settings: settings.json(),
            state: StatedFacts(
                events: events,
                prior: transition.prior,
                firstYear: firstYear(of: lines, events)
            ).json()
        )
    }

    private func json(_ event: SendEvent) -> [UInt8] {
        event.json(record: place(of: event.record), timestamp: event.microseconds)
    }

    /// The year of the first line, which its stamp may lack.
    private func firstYear(of lines: [EvidenceLine], _ events: [SendEvent]) -> Int? {
        guard let first = events.map(\.submittedMicroseconds).min() else { return nil }
        let seconds = floorDivide(first, by: 1_000_000).quotient
        let local = seconds + zone.secondsEast(seconds)
        return civilDate(daysSince1970: Int(floorDivide(local, by: 86_400).quotient)).year
    }

    /// The readable form of a record's place: `PATH:OFFSET`.
    func place(of record: RecordID) -> String {
        "\(lane(of: record)?.files[record.file]?.path ?? "?"):\(record.offset)"
    }

    /// The path of the file that a record is of.
    func path(of record: RecordID) -> String? { lane(of: record)?.files[record.file]?.path }

    /// The source of a record; nil for one that the settings do not name any more.
    private func lane(of record: RecordID) -> Lane? {
        lanes.first { $0.number == record.source } ?? retired.first { $0.number == record.source }
    }
}

extension Span<UInt8> {
    fileprivate func equals(_ bytes: [UInt8]) -> Bool {
        guard count == bytes.count else { return false }
        for index in bytes.indices where self[index] != bytes[index] { return false }
        return true
    }
}
