public import Detection
public import Evidence
public import Findings
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
    mutating func raised(_ notice: Notice)
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
    public let settings: EngineSettings
    public internal(set) var assembler: Assembler
    public internal(set) var detector: Detector
    public internal(set) var keeper = LineKeeper()
    public private(set) var counters = EngineCounters()
    /// Whether ``EngineOutput/finished(_:record:)`` is to be called.
    public var showsEvents = false {
        didSet { reader.wantsPayload = showsEvents || detector.usesPayload }
    }
    /// Whether bundles are wanted.
    public var sealsEvidence = false
    /// Lines outside are passed over (`--since`, `--until`).
    public var window = TimeWindow()
    /// The facts that a bundle states for its events; nil in every other run.
    let stated: StatedFacts?
    private let isVerifying: Bool

    var files: FileList
    private let zone: ZoneRules
    private var reader: HeaderReader
    private var resolver: TimeResolver
    private let scanner: PostfixScanner
    private var event = SendEvent()
    private var nameScratch: [UInt8] = []
    private var lastFile: FileNumber?
    /// The last stamp of the file and its time: lines of one second follow each other.
    private var lastStamp: Stamp?
    private var lastTime: Int64 = 0
    /// Lines that were read so far, over all batches.
    private(set) var lineCount: UInt64 = 0
    private var doubtful: [DoubtfulLine] = []
    private var firstDoubtfulLine: UInt64 = 0

    /// A line whose stamp lies more than a day ahead, until the next three agree with it.
    private struct DoubtfulLine: Sendable {
        var fact: LineFact
        var bytes: [UInt8]
        var record: RecordID
        var sequence: UInt64
        var microseconds: Int64
    }

    private static let jumpMicroseconds: Int64 = 86_400_000_000

    /// - Parameters:
    ///   - files: where the source enters the files that it reads.
    ///   - seed: the secret of the hash tables; the constant one for runs without a state.
    ///   - tracksChanges: whether ``takeChanges(into:)`` will be called.
    public init(
        _ settings: EngineSettings,
        files: FileList,
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
        self.files = files
        self.stated = stated
        isVerifying = stated != nil
        self.zone = zone
        let usesPayload = detector.usesPayload
        self.detector = detector
        let accountDomain = Array((settings.accountDomain ?? "").utf8)
        reader = HeaderReader(receipts: receipts, accountDomain: accountDomain, seed: seed)
        reader.wantsPayload = usesPayload
        resolver = TimeResolver(zone: zone, firstYear: settings.firstYear)
        scanner = PostfixScanner(seed: seed, accountDomain: accountDomain)
        assembler = Assembler(
            limits: settings.assembly,
            seed: seed,
            tracksChanges: tracksChanges
        )
    }

    /// A scanner that goes with this engine: facts of any other are refused by their keys.
    public func makeScanner() -> PostfixScanner { scanner }

    /// For verifying the bundle of a reopened alert: how it stood before.
    mutating func restore(prior: PriorEpisode, ruleID: String, group: [[UInt8]]) {
        detector.restore(prior: prior, ruleID: ruleID, group: group)
    }

    func writeResolver(to writer: inout BinaryWriter) { resolver.write(to: &writer) }

    mutating func restoreClock(
        lineCount: UInt64,
        from reader: inout BinaryReader
    ) throws(BinaryReadError) {
        self.lineCount = lineCount
        try resolver.restore(from: &reader)
    }

    /// Whether a line waits for others to confirm its stamp: no cursor may pass it.
    public var hasDoubtfulLines: Bool { !doubtful.isEmpty }

    // MARK: Input

    /// Takes a batch and its facts in.
    ///
    /// - Parameters:
    ///   - batch: the lines.
    ///   - facts: what the engine's scanner found in them, all of it.
    public mutating func take(
        _ batch: borrowing Batch,
        facts: [LineFact],
        to output: inout some EngineOutput & ~Copyable
    ) throws(UnknownYear) {
        counters.linesCut += batch.linesCut
        let file = files.number(batch.file)
        if lastFile != file {
            lastFile = file
            lastStamp = nil
            resolver.beginFile(files[file]?.timeHint ?? .none)
        }
        let bytes = batch.bytes.span
        for index in facts.indices {
            let fact = facts[index]
            let line = Int(fact.line)
            let resolved =
                fact.stamp == lastStamp
                ? lastTime : resolver.resolve(fact.stamp, observed: batch.observedMicroseconds)
            guard let time = resolved else {
                throw UnknownYear(
                    record: RecordID(
                        source: batch.source,
                        file: file,
                        offset: batch.offset(ofLine: line)
                    )
                )
            }
            lastStamp = fact.stamp
            lastTime = time
            guard time >= window.start, time < window.end else { continue }
            let sequence = lineCount + UInt64(line) + 1
            let isAhead = detector.now > 0 && time > detector.now + Self.jumpMicroseconds
            if isAhead || !doubtful.isEmpty {
                let range = batch.lines[line]
                let start = Int(range.start)
                doubt(
                    DoubtfulLine(
                        fact: fact,
                        bytes: Array(batch.bytes[start..<(start + Int(range.length))]),
                        record: RecordID(
                            source: batch.source,
                            file: file,
                            offset: batch.offset(ofLine: line)
                        ),
                        sequence: sequence,
                        microseconds: time
                    ),
                    to: &output
                )
                continue
            }
            detector.moveTime(to: time)
            let range = batch.lines[line]
            let start = Int(range.start)
            let isNews = assembler.take(
                fact,
                bytes.extracting(start..<(start + Int(range.length))),
                record: RecordID(
                    source: batch.source,
                    file: file,
                    offset: batch.offset(ofLine: line)
                ),
                sequence: sequence,
                microseconds: time
            )
            if isNews {
                handleHappenings(
                    of: bytes.extracting(start..<(start + Int(range.length))),
                    at: time,
                    to: &output
                )
            }
            if !detector.transitions.isEmpty { handleTransitions(to: &output) }
        }
        lineCount += UInt64(batch.lines.count)
    }

    /// The input has ended: what is open is given as it stands. Nothing resolves because of it.
    public mutating func finish(to output: inout some EngineOutput & ~Copyable) {
        // Nobody confirmed these: they count at their own time, which moves nothing else.
        let lines = doubtful
        doubtful.removeAll()
        for line in lines {
            process(line, at: line.microseconds, movesTime: false, to: &output)
        }
        assembler.finish()
        handleHappenings(of: Span(), at: detector.now, to: &output)
        handleTransitions(to: &output)
    }

    // MARK: Doubtful stamps

    /// A jump forward of more than a day counts only when the next three records agree
    /// (architecture §6): until then its lines wait.
    private mutating func doubt(
        _ line: DoubtfulLine,
        to output: inout some EngineOutput & ~Copyable
    ) {
        guard let first = doubtful.first else {
            firstDoubtfulLine = line.sequence
            doubtful.append(line)
            return
        }
        let agrees = abs(line.microseconds - first.microseconds) <= Self.jumpMicroseconds
        if !agrees {
            refute(to: &output)
            if line.microseconds > detector.now + Self.jumpMicroseconds {
                firstDoubtfulLine = line.sequence
                doubtful.append(line)
                return
            }
            process(line, at: line.microseconds, to: &output)
            return
        }
        doubtful.append(line)
        if line.sequence >= firstDoubtfulLine + 3 { believe(to: &output) }
    }

    private mutating func believe(to output: inout some EngineOutput & ~Copyable) {
        let lines = doubtful
        doubtful.removeAll()
        for line in lines { process(line, at: line.microseconds, to: &output) }
    }

    /// The lines count, at the time that the log had before them.
    private mutating func refute(to output: inout some EngineOutput & ~Copyable) {
        let lines = doubtful
        doubtful.removeAll()
        counters.jumpsRefuted += 1
        for line in lines { process(line, at: detector.now, to: &output) }
    }

    private mutating func process(
        _ line: DoubtfulLine,
        at time: Int64,
        movesTime: Bool = true,
        to output: inout some EngineOutput & ~Copyable
    ) {
        if movesTime { detector.moveTime(to: time) }
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
        for happening in assembler.pending {
            switch happening {
            case .submitted(let slot, let recipient):
                submit(slot, recipient)
            case .settled(let slot, let recipient):
                settle(slot, recipient, at: time, isFinal: true, to: &output)
            case .unsettled(let slot, let recipient):
                settle(slot, recipient, at: time, isFinal: false, to: &output)
            case .delivered(let domain, let isLocal):
                if !isVerifying { detector.delivered(to: domain, isLocal: isLocal) }
            case .heard(let mailbox, let name, let domain, let sender):
                guard !isVerifying else { continue }
                let number = number(of: mailbox, named: line.extracting(name.indices))
                detector.heard(from: sender, by: number, domain: domain, microseconds: time)
            case .closed(let slot):
                if assembler.isProof(slot: slot) {
                    keeper.keep(assembler.serial(slot: slot), lines: assembler.lines(slot: slot))
                }
            }
        }
        assembler.clearHappenings()
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
        if let known = detector.memory.number(mailbox) { return known }
        Canonical.account(address, into: &nameScratch)
        // A name of its own, so that nothing of the engine is read while the memory changes.
        let name = nameScratch
        return detector.memory.account(mailbox, name: name.span)
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
        }
        let isHeld = detector.submitted(
            &event,
            key: (serial, UInt32(recipient)),
            earlier: earlier,
            stated: statedFacts
        )
        assembler.takeBack(&event, slot: slot)
        assembler.freeze(
            event.facts,
            domain: event.domainHash,
            slot: slot,
            recipient: recipient
        )
        if isHeld { keepLines(slot, serial) }
    }

    private mutating func settle(
        _ slot: Int32,
        _ recipient: Int,
        at time: Int64,
        isFinal: Bool,
        to output: inout some EngineOutput & ~Copyable
    ) {
        let isProof = assembler.isProof(slot: slot)
        guard showsEvents || isProof || detector.hasSettledRules else { return }
        let serial = assembler.serial(slot: slot)
        assembler.lend(&event, slot: slot, recipient: recipient, reader: &reader)
        if isVerifying, stated?[event] == nil {
            assembler.takeBack(&event, slot: slot)
            return
        }
        event.settledMicroseconds = time
        var isHeld = false
        if isFinal {
            isHeld = detector.settled(&event, key: (serial, UInt32(recipient)))
        } else {
            event.phase = .settled
            detector.noteOutcome(event, (serial, UInt32(recipient)))
        }
        if showsEvents { output.finished(event, record: place(of: event.record)) }
        assembler.takeBack(&event, slot: slot)
        if isHeld { keepLines(slot, serial) }
        if isProof { keeper.keep(serial, lines: assembler.lines(slot: slot)) }
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
            let isSealed = transition.alert.action != .updated
            let bundle = sealsEvidence && isSealed ? contents(of: transition) : nil
            output.changed(transition.alert, bundle: bundle)
        }
        for notice in detector.notices { output.raised(notice) }
        detector.clearFindings()
        releaseLines()
    }

    /// What the bundle of a transition holds.
    private func contents(of transition: Transition) -> BundleContents {
        var alert = transition.alert
        let serials = transition.serials
        if keeper.isIncomplete(serials) { alert.degraded.append("lines-forgotten") }
        let kept = keeper.lines(of: serials)
        if kept.count > settings.evidenceLinesMax { alert.degraded.append("lines-left-out") }
        let lines = kept.prefix(settings.evidenceLinesMax).map { line in
            EvidenceLine(
                sequence: line.sequence,
                source: "log",
                path: files[line.record.file]?.path ?? "",
                identity: files[line.record.file]?.identity,
                offset: line.record.offset,
                bytes: line.bytes,
                isShortened: line.isShortened
            )
        }
        let events = transition.events
        return BundleContents(
            alert: alert,
            lines: lines,
            events: events.map { event in
                event.json(record: place(of: event.record), timestamp: event.microseconds)
            },
            rule: Array(transition.ruleText.utf8),
            settings: settings.json(),
            state: StatedFacts(
                events: events,
                prior: transition.prior,
                firstYear: firstYear(of: lines, events)
            ).json()
        )
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
        "\(files[record.file]?.path ?? "?"):\(record.offset)"
    }
}
