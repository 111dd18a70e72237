public import Alerting
import Crypto
import Detection
public import Evidence
public import Findings
public import LinuxIO
public import LogSources
import MailEvents
import MailLog
import Memory
import Records
public import RingBuffer
import SafeText
public import State
import Synchronization
import SystemPackage

/// Why the daemon cannot start or go on.
public enum DaemonError: Error, Sendable {
    case engine(EngineError)
    case state(StateError)
    case stored(StoredStateError)
    case bell(BellError)
    case system(SystemCallError)
    case dispatcher(DispatcherError)
    case evidence(EvidenceError)
    case pseudonyms(PseudonymKey.Unusable)
    /// A stamp without a year, and nothing that tells it.
    case unknownYear
    /// Two sources carry the same log.
    case duplicateSources(String, String)
}

/// What the daemon tells its operator.
public enum DaemonMessage: Sendable {
    /// The first cursor is placed; lines are read from now on.
    case ready(lines: UInt64, openMessages: Int)
    case source(String, SourceNote)
    case sourceFailed(String, SourceError)
    /// A file that matches a pattern is a source from now on.
    case followed(String)
    /// More files match a pattern than are followed.
    case filesLeftOut(String, Int)
    case sink(SinkEvent)
    /// The key that signs bundles, by its fingerprint.
    case evidenceKey(String, isNew: Bool)
    /// A bundle could not be made; whether it will be tried again.
    case sealFailed(EvidenceError, isTriedAgain: Bool)
    /// One that could not be made at first is there now.
    case sealedLate(String)
    /// Bundles that are kept no more were removed.
    case pruned(Int)
    /// The canary comes through again.
    case canaryBack
    /// A report is on its way to a sink.
    case reportMade(sink: String, every: String)
    /// One could not be made, or not be put into the outbox; it is tried again.
    case reportFailed(sink: String, error: String)
    /// There are more bytes of bundles than the settings allow, all of them of open alerts.
    case evidenceOverBytes
    /// A commit failed; it is tried again with what comes.
    case commitFailed(StateError)
    /// There is no control socket in this run.
    case controlFailed(SystemCallError)
    /// Settings and rules are being read again.
    case reloading
    /// They are in force now, but for these settings, which wait for a restart.
    case reloaded(untilRestart: [String])
    /// They have these mistakes, and the old ones stay in force.
    case reloadRefused([String])
    case notice(Notice)
    /// Alerts and notices that are committed now: JSON, with names.
    case committed([[UInt8]])
    /// The engine moves: told by its own thread, between two looks at what there is to do.
    case beat(DaemonPulse)
    /// It was asked to end, and begins to.
    case stopping
    /// These sinks were still at an attempt, and were left. What it was comes again.
    case sinksLeft([String])
    case stopped(lines: UInt64)
}

/// How it goes with the daemon, in a few figures.
public struct DaemonPulse: Sendable, Hashable {
    /// Lines read in all runs on this state.
    public var lines: UInt64
    public var sources: Int
    /// Messages of which not all lines came yet.
    public var openMessages: Int
    /// The last commit failed, as on a full disk: nothing is lost, and nothing is sent.
    public var isCommitFailing: Bool
}

/// The daemon: a followed file through the engine into the state, and from there to the sinks.
///
/// One thread reads and scans, one (the caller's) assembles, detects and commits, one for each sink
/// sends. Order of a commit (architecture §2.5): the bundle is sealed, then alerts, windows,
/// messages, memory and the cursor go into one transaction, and only then does the dispatcher hear
/// of it. Idle, nothing wakes up but the source's periodic look.
public struct Daemon: ~Copyable {
    var configuration: DaemonConfiguration
    let store: StateStore
    var engine: Engine
    var output: DaemonOutput
    let tell: @Sendable (DaemonMessage) -> Void
    let bell: Bell
    /// Reads settings and rules again, on a thread of its own.
    let reloads: ReloadFeed
    /// Somebody asked for a reload that has not begun.
    var isReloadWanted = false
    /// What was read, until a commit lets it be applied.
    var loaded: LoadedConfiguration?
    /// Who is to hear what became of the reload that goes on, and of the next.
    var reloadTasks: [ControlTask] = []
    var nextReloadTasks: [ControlTask] = []
    private let marksWaiting: MarkFlag
    private let sinkEvents = SinkEventBox()
    /// Test alerts whose answers somebody waits for.
    var trials = SinkTrials()
    /// Tries the whole way of an alert from time to time; nil: nobody wants it.
    var canary: Canary?
    /// Sends reports from time to time.
    var reports: ReportDesk
    /// Where each source enters its files.
    private var tables: [FileTable]
    /// The cursors as they were committed last.
    private var cursors: [[UInt8]?]
    /// What was last told of a source that failed, by its name.
    private var failures: [String: ToldFailure] = [:]
    var hasUncommitted = false
    /// Answers of sinks in ``DaemonOutput/changes`` that no commit has written yet: the sinks pass over
    /// what they are of until one has.
    private var unconfirmed = DispatchMarks()
    /// Those that are committed on their own.
    private var ownMarks = (changes: Changes(), marks: DispatchMarks())
    private var health = HealthWatch()
    /// For those who look.
    var live = LiveNotes()
    /// ``Merger/byteCount`` at the last commit.
    private var committedBytes: UInt64 = 0
    private var lastCommit: UInt64 = 0
    /// When the next ``DaemonMessage/beat(_:)`` is due: monotonic nanoseconds.
    private var nextBeat: UInt64 = 0
    /// Monotonic nanoseconds of the next look for bundles that are kept no more.
    var pruneAt: UInt64 = 0
    /// It was told that there are more bytes of bundles than allowed.
    var isOverBytes = false

    private struct ToldFailure {
        var error: SourceError
        var microseconds: Int64
    }

    /// How long an attempt of a sink is waited for at the end.
    private static let leaveNanoseconds: UInt64 = 500_000_000
    /// The same at a reload: longer than standard output waits for its reader.
    static let reloadLeaveNanoseconds: UInt64 = 2_000_000_000
    private static let failureMicroseconds: Int64 = 3_600_000_000
    private static let commitNanoseconds: UInt64 = 1_000_000_000
    private static let commitBytes: UInt64 = 64 << 20
    /// With so much uncommitted, as on a full disk, nothing more is read: the log file waits.
    private static let uncommittedBytesMax = 256 << 20

    private var isFull: Bool { output.changes.byteCount > Self.uncommittedBytesMax }

    /// Opens the state and puts the engine where it was.
    ///
    /// - Parameter tell: called on several threads; must not block for long.
    public init(
        _ configuration: DaemonConfiguration,
        tell: @escaping @Sendable (DaemonMessage) -> Void
    ) throws(DaemonError) {
        let store: StateStore
        do {
            store = try StateStore(
                folder: configuration.state,
                create: StateStore.Creation(
                    nowMicroseconds: Clocks.realtimeMicroseconds(),
                    host: configuration.host
                ),
                limits: configuration.stateLimits
            )
        } catch {
            throw .state(error)
        }
        let bell: Bell
        do {
            bell = try Bell()
        } catch {
            throw .bell(error)
        }
        var isNewKey = false
        var changes = Changes()
        let sealer: EvidenceSealer
        do {
            sealer = try EvidenceSealer(
                folder: configuration.state,
                host: configuration.host,
                posternVersion: configuration.posternVersion,
                state: store,
                former: configuration.formerChain,
                changes: &changes,
                isNewKey: &isNewKey
            )
        } catch {
            switch error {
            case .state(let error): throw .state(error)
            case .evidence(let error): throw .evidence(error)
            }
        }
        tell(.evidenceKey(sealer.signer.publicKey.fingerprint, isNew: isNewKey))
        var output = DaemonOutput(sealer: sealer, router: configuration.router, tell: tell)
        output.changes = changes
        do {
            try output.usePseudonyms(configuration)
        } catch {
            throw .pseudonyms(error)
        }
        let tables = configuration.sources.map { _ in FileTable() }
        let engine = try Self.restoredEngine(configuration, tables, store, &output)
        self.configuration = configuration
        self.tables = tables
        cursors = configuration.sources.map { _ in nil }
        self.tell = tell
        self.store = store
        self.bell = bell
        self.engine = engine
        self.output = output
        marksWaiting = MarkFlag()
        reloads = ReloadFeed(bell: bell)
        reports = ReportDesk(zone: self.engine.zone, bell: bell)
        live.startedMicroseconds = Clocks.realtimeMicroseconds()
        live.linesBefore = self.engine.lineCount
    }

    /// Why the last commit failed; nil when it did not.
    var healthFailure: String? { health.failure }

    /// The engine as it was at the last commit.
    private static func restoredEngine(
        _ configuration: DaemonConfiguration,
        _ tables: [FileTable],
        _ store: StateStore,
        _ output: inout DaemonOutput
    ) throws(DaemonError) -> Engine {
        let seed: HashSeed
        do {
            seed = try HashSeed(bytes: store.origin.hashSeed)
        } catch {
            throw .stored(StoredStateError(piece: "seed", cause: error))
        }
        var engine: Engine
        do {
            engine = try Engine(
                configuration.engine,
                sources: zip(configuration.sources, tables).map {
                    LaneSource(name: $0.name, table: $1)
                },
                seed: seed,
                tracksChanges: true
            )
        } catch {
            throw .engine(error)
        }
        engine.sealsEvidence = true
        engine.keepsContinuity = true
        engine.watchesCoverage = true
        engine.watchesActivity = true
        engine.tellsGrowth = true
        engine.detector.memory.names = DomainNames()
        let abandoned: [AlertID]
        do {
            abandoned = try engine.restore(from: store, changes: &output.changes)
        } catch {
            switch error {
            case .state(let error): throw .state(error)
            case .stored(let error): throw .stored(error)
            }
        }
        do {
            try output.restore(from: store)
            try output.router.restore(from: store)
            output.silences = try SilenceBook(from: store)
            output.silences.accountDomain = configuration.engine.accountDomain
            output.now = Clocks.realtimeMicroseconds()
            for alert in abandoned {
                try output.close(alert, "rule-changed", at: engine.detector.now, store)
            }
        } catch {
            throw .state(error)
        }
        return engine
    }

    /// Follows the sources until a signal comes: SIGTERM or SIGINT.
    ///
    /// - Parameter untilCaughtUp: end as well once all that is there was read; the sinks get nothing
    ///   then, and what is to go to them waits for the next run.
    ///   - reload: reads settings and rules again, after SIGHUP or when the control socket asks for
    ///     it; called on a thread of its own. Nil: nothing is ever read again.
    /// - Returns: how many lines were read in all runs on this state.
    @discardableResult
    public consuming func run(
        signals: borrowing SignalQueue,
        untilCaughtUp: Bool = false,
        reload: (@Sendable () -> Reloaded)? = nil
    ) throws(DaemonError) -> UInt64 {
        let stored = try storedCursors()
        let stop: SourceStop
        do {
            stop = try SourceStop()
        } catch {
            throw .system(error)
        }
        if !untilCaughtUp {
            try removeOldCanary()
            try bringRowsForward()
        }
        var dispatcher = try startDispatcher(sinks: untilCaughtUp ? [] : configuration.sinks)
        // Also when it ends with an error.
        defer { _ = dispatcher.leave(afterNanoseconds: Self.leaveNanoseconds) }
        let control = untilCaughtUp ? nil : startControl()
        defer { control?.stop() }
        let patterns = PatternFeed()
        var merger = try startFeeds(stored, stop)
        if !configuration.patterns.isEmpty {
            patterns.start(configuration.patterns.map(\.pattern), stop: stop, bell: bell)
        }
        if !untilCaughtUp {
            try abandonRowsOfRemovedSinks()
            startCanary()
            try startReports()
        }
        sweepNames()
        let bell = bell
        configuration.board.connect { bell.ring() }
        configuration.board.ready(at: Clocks.monotonicNanoseconds())
        tell(.ready(lines: engine.lineCount, openMessages: engine.assembler.openCount))
        ProgramCode.release()
        dispatcher.wake()
        var isStopping = false
        while !isStopping {
            if let look = patterns.take() { try take(look, &merger, stop) }
            let rest = try work(&merger, dispatcher, control)
            if marksWaiting.take() {
                takeSinkEvents()
                commitMarks(&merger, dispatcher)
            }
            if let control { endTrials(control) }
            goOnWithCanary(isCaughtUp: merger.isCaughtUp, dispatcher)
            goOnWithReports(isCaughtUp: merger.isCaughtUp, dispatcher)
            watchLag(merger)
            keepEvidence()
            commitIfDue(merger, dispatcher)
            if let control { serve(control, merger, dispatcher) }
            beatIfDue()
            publishIfDue(merger)
            answerBoard()
            isStopping = takeSignals(signals) || untilCaughtUp && merger.isCaughtUp
            if let reload { goOnReloading(reload) }
            if loaded != nil, !isStopping {
                try applyReload(control, &merger, &dispatcher, stop)
            }
            // One that was asked for while the last went on begins at once.
            let isReloadDue =
                reload != nil && isReloadWanted && loaded == nil && !reloads.isBusy
            if !isStopping, !isReloadDue, case .until(let wait) = rest {
                park(merger, patterns, control, signals, until: wait, looksOften: untilCaughtUp)
            }
        }
        tell(.stopping)
        stop.ring()
        control?.stop()
        reloads.join()
        reports.feed.join()
        output.sealWaiting()
        commit(durable: true, merger, dispatcher)
        merger.join()
        patterns.join()
        let left = dispatcher.leave(afterNanoseconds: Self.leaveNanoseconds)
        if !left.isEmpty { tell(.sinksLeft(left)) }
        commitMarks(&merger, dispatcher)
        tell(.stopped(lines: engine.lineCount))
        return engine.lineCount
    }

    private func startFeeds(
        _ stored: [Cursor?],
        _ stop: SourceStop
    ) throws(DaemonError) -> Merger {
        let hold = configuration.mergeHoldNanoseconds
        do throws(BellError) {
            return try Merger(tables, holdNanoseconds: hold) { (index) throws(BellError) in
                try startFeed(index, stored[index], stop)
            }
        } catch {
            throw .bell(error)
        }
    }

    private func startFeed(
        _ index: Int,
        _ cursor: Cursor?,
        _ stop: SourceStop
    ) throws(BellError) -> BatchFeed {
        try configuration.sources[index].feed(
            cursor,
            tables[index],
            scanner: engine.makeScanner(),
            tuning: FeedTuning.live,
            engineBell: bell,
            stop: stop
        )
    }

    func startDispatcher(sinks: [any Sink]) throws(DaemonError) -> Dispatcher {
        var allUnconfirmed = unconfirmed
        allUnconfirmed.append(ownMarks.marks)
        let folder = configuration.state
        let flag = marksWaiting
        let bell = bell
        let tell = tell
        let events = sinkEvents
        do {
            return try Dispatcher(
                sinks: sinks,
                limitsOf: configuration.dispatchLimits,
                seed: Clocks.monotonicNanoseconds(),
                unconfirmed: allUnconfirmed,
                openOutbox: { () throws(StateError) in try StateReader(folder: folder) },
                marksReady: {
                    flag.set()
                    bell.ring()
                },
                observe: {
                    tell(.sink($0))
                    events.put($0)
                    flag.set()
                    bell.ring()
                }
            )
        } catch {
            throw .dispatcher(error)
        }
    }

    /// The clock may have been set back since alerts were put off.
    private func bringRowsForward() throws(DaemonError) {
        do {
            var changes = Changes()
            try DispatchMarks.bringForward(
                in: store,
                nowMicroseconds: Clocks.realtimeMicroseconds(),
                to: &changes
            )
            if !changes.isEmpty { try store.commit(changes, durable: false) }
        } catch {
            throw .state(error)
        }
    }

    /// Alerts that wait for a sink which the settings do not name any more would wait for ever.
    func abandonRowsOfRemovedSinks() throws(DaemonError) {
        let names = configuration.sinks.map(\.name)
        do {
            while true {
                var changes = Changes()
                let count = try DispatchMarks.abandonOthers(
                    than: names,
                    in: store,
                    limit: 1_000,
                    to: &changes
                )
                guard count > 0 else { return }
                try store.commit(changes, durable: false)
            }
        } catch {
            throw .state(error)
        }
    }

    private func storedCursors() throws(DaemonError) -> [Cursor?] {
        do {
            let rows = try store.cursors()
            return try configuration.sources.map { source in
                guard let row = rows.first(where: { $0.source == source.name }) else { return nil }
                var reader = BinaryReader(row.body)
                return try CursorForm.read(&reader)
            }
        } catch let error as StateError {
            throw .state(error)
        } catch let error as BinaryReadError {
            throw .stored(StoredStateError(piece: "cursor", cause: error))
        } catch {
            preconditionFailure("all errors are typed")
        }
    }

    // MARK: Patterns

    /// Files that match and are no source yet become one.
    private mutating func take(
        _ look: PatternLook,
        _ merger: inout Merger,
        _ stop: SourceStop
    ) throws(DaemonError) {
        let matches: [FilePattern.Matches]
        switch look {
        case .failed(let error):
            tell(.sourceFailed("sources", error))
            return
        case .matches(let found): matches = found
        }
        for (pattern, found) in zip(configuration.patterns, matches) {
            for source in pattern.sources(found.files) { try add(source, &merger, stop) }
            if found.leftOut > 0 {
                tell(.filesLeftOut(pattern.pattern.pattern.string, found.leftOut))
            }
        }
    }

    mutating func add(
        _ source: FollowedSource,
        _ merger: inout Merger,
        _ stop: SourceStop
    ) throws(DaemonError) {
        guard !configuration.sources.contains(where: { $0.name == source.name }) else { return }
        let index =
            configuration.sources.firstIndex { $0.name > source.name }
            ?? configuration.sources.count
        let table = FileTable()
        configuration.sources.insert(source, at: index)
        tables.insert(table, at: index)
        cursors.insert(nil, at: index)
        engine.insertLane(LaneSource(name: source.name, table: table), at: index)
        let cursor = try storedCursors()[index]
        do throws(BellError) {
            merger.insert(try startFeed(index, cursor, stop), table, at: index)
        } catch {
            throw .bell(error)
        }
        tell(.followed(source.name))
    }

    // MARK: Work

    /// What is left when ``work(_:_:_:)`` returns.
    private enum Rest {
        /// There is more to be taken, and something else to be looked at before.
        case more
        /// Nothing, until then: monotonic nanoseconds, when a line waits for other sources.
        case until(UInt64?)
    }

    /// However much there is to be read, signals and requests are looked at so often.
    private static let workNanoseconds: UInt64 = 200_000_000

    /// Takes what is there, and commits what is due.
    private mutating func work(
        _ merger: inout Merger,
        _ dispatcher: Dispatcher,
        _ control: ControlServer?
    ) throws(DaemonError) -> Rest {
        let start = Clocks.monotonicNanoseconds()
        while !isFull {
            let now = Moment.now
            output.now = now.realtimeMicroseconds
            let turn: Merger.Turn
            do {
                turn = try merger.turn(&engine, now: now, to: &output)
            } catch {
                throw .unknownYear
            }
            for report in merger.takeReports() { take(report) }
            switch turn {
            case .took:
                if let (first, second) = engine.duplicateSources,
                    !mayBeDuplicate(first), !mayBeDuplicate(second)
                {
                    throw .duplicateSources(first, second)
                }
                hasUncommitted = true
                live.isStale = true
                commitIfDue(merger, dispatcher)
                if control?.isReady ?? false || reloads.isReady
                    || now.monotonicNanoseconds &- start > Self.workNanoseconds
                {
                    return .more
                }
            case .holding(let until): return .until(until)
            case .idle, .ended: return .until(nil)
            }
        }
        return .until(nil)
    }

    private func mayBeDuplicate(_ name: String) -> Bool {
        configuration.sources.contains { $0.name == name && $0.allowsDuplicate }
    }

    /// What a source told goes to the operator, into the ledger, and as a notice to the sinks.
    private mutating func take(_ report: SourceReport) {
        let name = configuration.sources[report.lane].name
        let now = output.now
        for note in report.notes {
            tell(.source(name, note))
            if let gap = note.gap(source: name) {
                engine.add(gap, microseconds: now)
                hasUncommitted = true
            }
            if note.isRotation {
                engine.noteRotation(lane: report.lane, microseconds: now)
                hasUncommitted = true
            }
            if let notice = note.notice(source: name, microseconds: now) { output.raised(notice) }
        }
        if let failure = report.failure { take(failure, of: report.lane) }
    }

    /// A source failed. It is tried again every second; it is told of once an hour, and when the cause
    /// is another.
    private mutating func take(_ failure: SourceError, of lane: Int) {
        let name = configuration.sources[lane].name
        noteLive(failure, ofSource: name)
        let now = output.now
        if let last = failures[name], last.error == failure,
            now - last.microseconds < Self.failureMicroseconds
        {
            return
        }
        failures[name] = ToldFailure(error: failure, microseconds: now)
        tell(.sourceFailed(name, failure))
        output.raised(failure.notice(source: name, microseconds: now))
    }

    private mutating func watchLag(_ merger: borrowing Merger) {
        raise(
            health.saw(
                isCaughtUp: merger.isCaughtUp,
                eventTime: engine.detector.now,
                at: Clocks.realtimeMicroseconds()
            )
        )
    }

    mutating func raise(_ notice: Notice?) {
        guard let notice else { return }
        output.raised(notice)
        hasUncommitted = true
    }

    /// At once when an alert changed, else after a second or 64 MiB.
    private mutating func commitIfDue(_ merger: borrowing Merger, _ dispatcher: Dispatcher) {
        // Also lines that say nothing move the cursors.
        let bytes = merger.byteCount - committedBytes
        guard hasUncommitted || bytes > 0 || output.hasFindings, !engine.hasDoubtfulLines else {
            return
        }
        let now = Clocks.monotonicNanoseconds()
        let isDue =
            output.hasFindings || bytes >= Self.commitBytes
            || now - lastCommit >= Self.commitNanoseconds
        if isDue { commit(durable: output.hasFindings, merger, dispatcher) }
    }

    /// - Returns: whether all that was taken in is committed.
    @discardableResult
    mutating func commit(
        durable: Bool,
        _ merger: borrowing Merger,
        _ dispatcher: Dispatcher
    ) -> Bool {
        guard !engine.hasDoubtfulLines else { return false }
        engine.takeChanges(into: &output.changes)
        for (index, source) in configuration.sources.enumerated() {
            guard let cursor = merger.cursor(index, engine) else { continue }
            var writer = BinaryWriter()
            CursorForm.write(cursor, to: &writer)
            guard cursors[index] != writer.bytes else { continue }
            cursors[index] = writer.bytes
            output.changes.setCursor(source.name, body: writer.bytes.span)
        }
        let marks = dispatcher.takeMarks()
        marks.add(to: &output.changes)
        trials.take(marks, &output.changes)
        takeCanaryAnswers(marks)
        unconfirmed.append(marks)
        output.router.keep(in: &output.changes)
        do {
            let report = try store.commit(output.changes, durable: durable)
            let fresh = output.committed()
            if !fresh.isEmpty { tell(.committed(fresh)) }
            live.isStale = true
            noteFullOutbox(report)
            hasUncommitted = false
            committedBytes = merger.byteCount
            lastCommit = Clocks.monotonicNanoseconds()
            raise(health.succeeded(at: Clocks.realtimeMicroseconds()))
            dispatcher.committed(unconfirmed)
            unconfirmed.removeAll()
            if durable { dispatcher.wake() }
            commitOwnMarks(dispatcher)
            return true
        } catch {
            // The changes stay and go with the next commit; the sources wait in their files.
            tell(.commitFailed(error))
            live.commitsFailed &+= 1
            live.isStale = true
            health.failed(error.description, at: Clocks.realtimeMicroseconds())
            lastCommit = Clocks.monotonicNanoseconds()
            return false
        }
    }

    /// Answers of sinks, committed on their own when nothing else is to be.
    mutating func commitMarks(_ merger: inout Merger, _ dispatcher: Dispatcher) {
        if hasUncommitted, !engine.hasDoubtfulLines {
            commit(durable: false, merger, dispatcher)
            return
        }
        let marks = dispatcher.takeMarks()
        marks.add(to: &ownMarks.changes)
        trials.take(marks, &ownMarks.changes)
        takeCanaryAnswers(marks)
        ownMarks.marks.append(marks)
        commitOwnMarks(dispatcher)
    }

    private mutating func commitOwnMarks(_ dispatcher: Dispatcher) {
        guard !ownMarks.marks.isEmpty else { return }
        do {
            noteFullOutbox(try store.commit(ownMarks.changes, durable: false))
            dispatcher.committed(ownMarks.marks)
            ownMarks.changes.removeAll()
            ownMarks.marks.removeAll()
        } catch {
            // They stay, and go with the next commit. Were they lost, a sink would wait for ever to be
            // told, and all be sent again after a restart.
            tell(.commitFailed(error))
            lastCommit = Clocks.monotonicNanoseconds()
            hasUncommitted = true
        }
    }

    // MARK: Sinks

    /// What sinks did that somebody should hear of becomes a notice, to the other sinks too.
    private mutating func takeSinkEvents() {
        output.now = Clocks.realtimeMicroseconds()
        for event in sinkEvents.take() {
            noteLive(event)
            if let notice = event.notice(microseconds: output.now) { output.raised(notice) }
        }
    }

    /// The outbox had no room, and alerts were taken out of it.
    private mutating func noteFullOutbox(_ report: CommitReport) {
        guard report.dispatchesPushedOut > 0 else { return }
        let hour = output.now / 3_600_000_000
        output.raised(
            Notice(
                name: "postern_limit",
                id: base32(Array("outbox:\(hour)".utf8)),
                microseconds: output.now,
                severity: .high,
                message:
                    "The outbox is full (limits: outbox, outbox_bytes), and of a sink that fails, "
                    + "else of the one for which the most alerts wait, the oldest of the lowest level "
                    + "were given up: \(report.dispatchesPushedOut) now. They are kept: postern alerts "
                    + "undelivered."
            )
        )
    }

    /// - Returns: whether the daemon is to end.
    private mutating func takeSignals(_ signals: borrowing SignalQueue) -> Bool {
        while let signal = try? signals.next() {
            switch signal {
            case SignalNumber.terminate, SignalNumber.interrupt: return true
            case SignalNumber.hangUp: isReloadWanted = true
            default: break
            }
        }
        return false
    }

    private mutating func beatIfDue() {
        guard let pause = configuration.beatNanoseconds else { return }
        let now = Clocks.monotonicNanoseconds()
        guard now >= nextBeat else { return }
        nextBeat = now &+ pause
        configuration.board.beat(at: now)
        tell(
            .beat(
                DaemonPulse(
                    lines: engine.lineCount,
                    sources: configuration.sources.count,
                    openMessages: engine.assembler.openCount,
                    isCommitFailing: health.isFailing
                )
            )
        )
    }

    private func park(
        _ merger: borrowing Merger,
        _ patterns: PatternFeed,
        _ control: ControlServer?,
        _ signals: borrowing SignalQueue,
        until wait: UInt64?,
        looksOften: Bool
    ) {
        var until = wait
        if output.sealer.isWaiting { until = min(until ?? .max, output.sealer.retryAt) }
        if let canary { until = min(until ?? .max, canary.wakeAt) }
        if let wake = reports.wakeAt { until = min(until ?? .max, wake) }
        if let end = trials.endNanoseconds { until = min(until ?? .max, end) }
        if looksOften { until = min(until ?? .max, Clocks.monotonicNanoseconds() + 20_000_000) }
        if hasUncommitted || merger.byteCount > committedBytes {
            until = min(until ?? .max, lastCommit + Self.commitNanoseconds)
        }
        if configuration.beatNanoseconds != nil { until = min(until ?? .max, nextBeat) }
        if live.isStale { until = min(until ?? .max, live.nextPublish) }
        let now = Clocks.monotonicNanoseconds()
        let timeout = until.map { Int(($0 - min($0, now)) / 1_000_000) + 1 }
        bell.park(
            unless: {
                merger.isReady && !isFull || marksWaiting.isSet || patterns.isReady
                    || control?.isReady ?? false || reloads.isReady || reports.feed.isReady
                    || configuration.board.isAsked
            },
            orReadable: signals.fileDescriptor,
            timeoutMilliseconds: timeout
        )
    }
}

/// Signals by their numbers (signal(7), x86 and ARM).
public enum SignalNumber {
    public static let hangUp: Int32 = 1
    public static let interrupt: Int32 = 2
    public static let terminate: Int32 = 15
}

/// That answers of sinks wait for the engine.
private final class MarkFlag: Sendable {
    private let flag = Atomic(false)

    func set() { flag.store(true, ordering: .releasing) }

    var isSet: Bool { flag.load(ordering: .acquiring) }

    func take() -> Bool { flag.exchange(false, ordering: .acquiringAndReleasing) }
}

/// What happened to sinks and the engine's thread has not heard of yet.
private final class SinkEventBox: Sendable {
    private let events = Mutex<[SinkEvent]>([])
    /// A sink tells of each alert that it gives up, so there is a bound; what is beyond it is in the
    /// outbox.
    private static let countMax = 1_000

    func put(_ event: SinkEvent) {
        events.withLock { if $0.count < Self.countMax { $0.append(event) } }
    }

    func take() -> [SinkEvent] {
        events.withLock { events in
            defer { events = [] }
            return events
        }
    }
}

extension SinkEvent {
    /// For those events of which the operator should hear by other ways than the log.
    fileprivate func notice(microseconds: Int64) -> Notice? {
        switch self {
        case .failed, .recovered, .outboxUnreadable: nil
        case .dead(let sink, let failures, let error):
            Notice(
                name: "postern_sink",
                id: base32(Array("sink:\(sink):\(microseconds)".utf8).digest),
                microseconds: microseconds,
                severity: .high,
                message:
                    "The sink \(sink) takes no alerts; \(failures) attempts failed, one after the "
                    + "other: \(error). Nothing is lost: it is tried every 30 seconds."
            )
        case .abandoned(let sink, let id, let sequence, let error):
            // One an hour and sink: its own refusal may be what is refused next.
            Notice(
                name: "postern_sink",
                id: base32(
                    Array("abandoned:\(sink):\(microseconds / 3_600_000_000)".utf8).digest
                ),
                microseconds: microseconds,
                severity: .high,
                message:
                    "Alert \(id).\(sequence) was given up for the sink \(sink): \(error). It is "
                    + "kept, and others may be: postern alerts undelivered."
            )
        }
    }
}

extension [UInt8] {
    /// Sixteen bytes that stand for these.
    fileprivate var digest: [UInt8] { Array(SHA256.hash(data: self).prefix(16)) }
}

/// Seals bundles and collects what a commit writes of the findings.
struct DaemonOutput: EngineOutput {
    var sealer: EvidenceSealer
    var router: Router
    let tell: @Sendable (DaemonMessage) -> Void
    var changes = Changes()
    /// Whether a tombstone is among the changes.
    var hasPruned = false
    /// Wall clock of the batch: microseconds.
    var now: Int64 = 0
    var hasFindings = false
    /// Which sinks get no names, and what they get in their place.
    var pseudonymousSinks = PseudonymousSinks()
    var pseudonyms: Pseudonyms?
    /// Which alerts go to no sink now.
    var silences = SilenceBook()
    /// The newest bundle of each alert that is open, for its updates.
    var latest: [AlertID: SealedEvidence] = [:]
    /// The alerts that are open, whether they have a bundle or not.
    private(set) var open: Set<AlertID> = []
    /// What came to light since the last commit, as sinks get it.
    private var fresh: [[UInt8]] = []
    /// Of this run: changes of alerts by their words, and notices by their names.
    private(set) var alertCounts: [String: UInt64] = [:]
    private(set) var noticeCounts: [String: UInt64] = [:]
    /// JSON, the newest first.
    private(set) var lastNotices: [[UInt8]] = []
    private static let lastNoticesMax = 20
    private static let freshMax = 1_000

    init(
        sealer: EvidenceSealer,
        router: Router,
        tell: @escaping @Sendable (DaemonMessage) -> Void
    ) {
        self.sealer = sealer
        self.router = router
        self.tell = tell
    }

    /// - Returns: the alerts and notices that are committed with this, at most ``freshMax``.
    mutating func committed() -> [[UInt8]] {
        defer { fresh = [] }
        changes.removeAll()
        hasFindings = false
        if hasPruned { sealer.removePruned() }
        hasPruned = false
        return fresh
    }

    private mutating func note(_ body: [UInt8]) {
        if fresh.count < Self.freshMax { fresh.append(body) }
    }

    mutating func finished(_ event: SendEvent, record: String) {}

    mutating func grew(_ alert: AlertID, events: [[UInt8]]) {
        AlertEvents.set(events, of: alert, in: &changes)
    }

    mutating func changed(_ alert: Alert, bundle: BundleContents?) {
        var alert = alert
        hasFindings = true
        open.insert(alert.id)
        if let bundle, seal(bundle) == nil {
            // Proof before the claim; but a failure marks the claim, and does not stop it.
            alert.degraded.append(Self.unsealed)
        }
        alert.evidence = latest[alert.id]
        let body = alert.json()
        alertCounts[alert.action.name, default: 0] &+= 1
        note(body)
        changes.setAlert(
            AlertRow(
                id: alert.id.description,
                sequence: Int64(alert.sequence),
                status: alert.action == .resolved ? "resolved" : "open",
                openedMicroseconds: alert.startMicroseconds,
                changedMicroseconds: alert.microseconds,
                severity: alert.severity.rawValue,
                rule: alert.ruleID,
                body: body
            )
        )
        changes.addTransition(
            TransitionRow(
                alert: alert.id.description,
                sequence: Int64(alert.sequence),
                timeMicroseconds: alert.microseconds,
                action: alert.action.name,
                body: body,
                bundle: alert.evidence?.bundle
            )
        )
        if !isSilenced(AlertSubject(alert), alert.id, Int64(alert.sequence)) {
            send(router.dispatches(of: alert, body: body, nowMicroseconds: now))
        }
        if alert.action == .resolved { forgetBundle(of: alert.id) }
    }

    /// Whether somebody does not want to hear of a transition; then it is noted who.
    private mutating func isSilenced(
        _ subject: AlertSubject,
        _ id: AlertID,
        _ sequence: Int64
    ) -> Bool {
        guard let silence = silences.first(covering: subject, nowMicroseconds: now) else {
            return false
        }
        changes.setPiece(
            .silenced,
            key: Array("\(id).\(sequence)".utf8).span,
            body: silence.json().span
        )
        return true
    }

    private mutating func send(_ dispatches: [NewDispatch]) {
        for dispatch in dispatches { changes.addDispatch(outgoing(dispatch)) }
    }

    /// Resolves an alert that is open in the state and that the engine does not have any more.
    ///
    /// - Parameters:
    ///   - reason: for `postern.reason`.
    ///   - microseconds: the log's time.
    mutating func close(
        _ id: AlertID,
        _ reason: String,
        at microseconds: Int64,
        _ store: StateReader
    ) throws(StateError) {
        guard let row = try store.alert(id.description), row.status == "open",
            let object = try? JSONObjectReader.read(row.body)
        else { return }
        hasFindings = true
        let time = max(microseconds, row.changedMicroseconds)
        let sequence = row.sequence + 1
        let body = sealClosing(
            object.replacing([
                ("@timestamp", .string(rfc3339(microseconds: time))),
                ("event.action", .string(AlertAction.resolved.name)),
                ("event.sequence", .integer(sequence)),
                ("postern.reason", .string(reason)),
            ]),
            BundleName(alert: id, sequence: Int(sequence)),
            at: time
        )
        alertCounts[AlertAction.resolved.name, default: 0] &+= 1
        note(body)
        var closed = row
        closed.sequence = sequence
        closed.status = "resolved"
        closed.changedMicroseconds = time
        closed.body = body
        changes.setAlert(closed)
        changes.addTransition(
            TransitionRow(
                alert: row.id,
                sequence: sequence,
                timeMicroseconds: time,
                action: AlertAction.resolved.name,
                body: body,
                bundle: latest[id]?.bundle
            )
        )
        if !isSilenced(AlertSubject(object), id, sequence) {
            send(
                router.dispatches(
                    ofAlert: row.id,
                    sequence: sequence,
                    severity: row.severity,
                    microseconds: time,
                    body: body,
                    nowMicroseconds: now
                )
            )
        }
        forgetBundle(of: id)
    }

    /// The alert has ended, or is forgotten.
    mutating func forgetBundle(of id: AlertID) {
        latest[id] = nil
        open.remove(id)
        changes.removePiece(.latestBundle, key: Array(id.description.utf8).span)
        AlertEvents.remove(id.description, in: &changes)
    }

    mutating func raised(_ notice: Notice) {
        hasFindings = true
        tell(.notice(notice))
        let body = notice.json()
        note(body)
        noticeCounts[notice.name, default: 0] &+= 1
        lastNotices.insert(body, at: 0)
        if lastNotices.count > Self.lastNoticesMax { lastNotices.removeLast() }
        send(router.dispatches(of: notice, nowMicroseconds: now))
    }

    mutating func setLatest(_ id: AlertID, _ sealed: SealedEvidence) {
        var writer = BinaryWriter()
        writer.write(sealed.bundle)
        writer.write(sealed.digest)
        writer.write(sealed.chain ?? "")
        writer.write(sealed.key ?? "")
        changes.setPiece(
            .latestBundle,
            key: Array(id.description.utf8).span,
            body: writer.bytes.span
        )
    }

    mutating func restore(from store: StateReader) throws(StateError) {
        var found: [(AlertID, SealedEvidence)] = []
        try store.forEachPiece(.latestBundle) { key, body in
            var keyBytes: [UInt8] = []
            for index in key.indices { keyBytes.append(key[index]) }
            var bytes: [UInt8] = []
            for index in body.indices { bytes.append(body[index]) }
            var reader = BinaryReader(bytes)
            if let id = AlertID(String(decoding: keyBytes, as: UTF8.self)),
                let bundle = try? reader.readString(), let digest = try? reader.readString(),
                let chain = try? reader.readString()
            {
                // States of versions that did not sign have no key.
                let key = (try? reader.readString()) ?? ""
                let sealed = SealedEvidence(
                    bundle: bundle,
                    digest: digest,
                    chain: chain.isEmpty ? nil : chain,
                    key: key.isEmpty ? nil : key
                )
                found.append((id, sealed))
            }
            return true
        }
        for (id, sealed) in found { latest[id] = sealed }
        open = Set(try store.alerts(status: "open", limit: .max).compactMap { AlertID($0.id) })
    }
}
