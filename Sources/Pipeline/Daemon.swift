public import Alerting
public import Evidence
public import Findings
public import LinuxIO
public import LogSources
import MailEvents
import MailLog
import Records
public import RingBuffer
public import State
import Synchronization
public import SystemPackage

/// What the daemon is told; all of it checked.
public struct DaemonConfiguration: Sendable {
    /// The state folder.
    public var state: FilePath
    /// The followed file, and the name under which its cursor is kept.
    public var sourcePath: FilePath
    public var sourceName: String
    public var engine: EngineSettings
    public var sinks: [any Sink]
    public var router: Router
    public var stateLimits = StateLimits()
    public var posternVersion: String
    public var host: String

    public init(
        state: FilePath,
        sourcePath: FilePath,
        sourceName: String,
        engine: EngineSettings,
        sinks: [any Sink],
        router: Router,
        posternVersion: String,
        host: String
    ) {
        self.state = state
        self.sourcePath = sourcePath
        self.sourceName = sourceName
        self.engine = engine
        self.sinks = sinks
        self.router = router
        self.posternVersion = posternVersion
        self.host = host
    }
}

/// Why the daemon cannot start or go on.
public enum DaemonError: Error, Sendable {
    case engine(EngineError)
    case state(StateError)
    case stored(StoredStateError)
    case bell(BellError)
    case system(SystemCallError)
    case dispatcher(DispatcherError)
    /// A stamp without a year, and nothing that tells it.
    case unknownYear
}

/// What the daemon tells its operator.
public enum DaemonMessage: Sendable {
    /// The first cursor is placed; lines are read from now on.
    case ready(lines: UInt64, openMessages: Int)
    case source(SourceNote)
    case sourceFailed(SourceError)
    case sink(SinkEvent)
    case sealFailed(EvidenceError)
    /// A commit failed; it is tried again with what comes.
    case commitFailed(StateError)
    case notice(Notice)
    case stopped(lines: UInt64)
}

/// The daemon: a followed file through the engine into the state, and from there to the sinks.
///
/// One thread reads and scans, one (the caller's) assembles, detects and commits, one for each sink
/// sends. Order of a commit (architecture §2.5): the bundle is sealed, then alerts, windows,
/// messages, memory and the cursor go into one transaction, and only then does the dispatcher hear
/// of it. Idle, nothing wakes up but the source's periodic look.
public struct Daemon: ~Copyable {
    private let configuration: DaemonConfiguration
    private var store: StateStore
    private var engine: Engine
    private var output: DaemonOutput
    private let tell: @Sendable (DaemonMessage) -> Void
    private let bell: Bell
    private let marksWaiting: MarkFlag
    private var cursor: [UInt8]?
    private var hasUncommitted = false
    private var uncommittedBytes = 0
    private var lastCommit: UInt64 = 0

    private static let commitNanoseconds: UInt64 = 1_000_000_000
    private static let commitBytes = 64 << 20
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
        var output = DaemonOutput(
            store: BundleStore(folder: configuration.state.appending("evidence")),
            router: configuration.router,
            host: configuration.host,
            posternVersion: configuration.posternVersion,
            tell: tell
        )
        let engine = try Self.restoredEngine(configuration, store, &output)
        self.configuration = configuration
        self.tell = tell
        self.store = store
        self.bell = bell
        self.engine = engine
        self.output = output
        marksWaiting = MarkFlag()
    }

    /// The engine as it was at the last commit.
    private static func restoredEngine(
        _ configuration: DaemonConfiguration,
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
                files: FileList(table: FileTable()),
                seed: seed,
                tracksChanges: true
            )
        } catch {
            throw .engine(error)
        }
        engine.sealsEvidence = true
        do {
            try engine.restore(from: store, changes: &output.changes)
        } catch {
            switch error {
            case .state(let error): throw .state(error)
            case .stored(let error): throw .stored(error)
            }
        }
        do {
            try output.restore(from: store)
        } catch {
            throw .state(error)
        }
        return engine
    }

    /// Follows the source until a signal comes: SIGTERM or SIGINT.
    public consuming func run(signals: borrowing SignalQueue) throws(DaemonError) {
        let table = engine.files.table
        let source = FollowSource(
            path: configuration.sourcePath,
            cursor: try storedCursor(),
            backfill: .rotated,
            files: table
        )
        let stop: SourceStop
        do {
            stop = try SourceStop()
        } catch {
            throw .system(error)
        }
        let dispatcher = try startDispatcher()
        defer { dispatcher.stop() }
        var feed: BatchFeed
        do {
            feed = try BatchFeed(
                source,
                scanner: engine.makeScanner(),
                tuning: Self.tuning,
                engineBell: bell,
                stop: stop
            )
        } catch {
            throw .bell(error)
        }
        try abandonRowsOfRemovedSinks()
        tell(.ready(lines: engine.lineCount, openMessages: engine.assembler.openCount))
        dispatcher.wake()
        var isStopping = false
        while !isStopping {
            var hadWork = false
            while !isFull, let scanned = feed.nextIfReady() {
                hadWork = true
                try take(scanned, &feed, table)
                try commitIfDue(dispatcher)
            }
            if marksWaiting.take() { commitMarks(dispatcher) }
            if !hadWork { try commitIfDue(dispatcher) }
            isStopping = hasStopSignal(signals)
            if !isStopping, isFull || !feed.isReady { park(feed, signals) }
        }
        stop.ring()
        while var rest = feed.next() {
            // What was read when the signal came is read again after the restart.
            rest.notes = []
            feed.giveBack(rest)
        }
        feed.join()
        commit(durable: true, dispatcher)
        dispatcher.stop()
        commitMarks(dispatcher)
        tell(.stopped(lines: engine.lineCount))
    }

    private static var tuning: FeedTuning {
        var tuning = FeedTuning()
        tuning.ringBatches = 4
        tuning.batchBytes = 512 << 10
        tuning.batchLines = 8_192
        return tuning
    }

    private func startDispatcher() throws(DaemonError) -> Dispatcher {
        let folder = configuration.state
        let flag = marksWaiting
        let bell = bell
        let tell = tell
        do {
            return try Dispatcher(
                sinks: configuration.sinks,
                seed: Clocks.monotonicNanoseconds(),
                openOutbox: { () throws(StateError) in try StateReader(folder: folder) },
                marksReady: {
                    flag.set()
                    bell.ring()
                },
                observe: { tell(.sink($0)) }
            )
        } catch {
            throw .dispatcher(error)
        }
    }

    /// Alerts that wait for a sink which the settings do not name any more would wait for ever.
    private func abandonRowsOfRemovedSinks() throws(DaemonError) {
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

    private func storedCursor() throws(DaemonError) -> FileCursor? {
        do {
            let rows = try store.cursors()
            guard let row = rows.first(where: { $0.source == configuration.sourceName }) else {
                return nil
            }
            var reader = BinaryReader(row.body)
            return try CursorForm.read(&reader)
        } catch let error as StateError {
            throw .state(error)
        } catch let error as BinaryReadError {
            throw .stored(StoredStateError(piece: "cursor", cause: error))
        } catch {
            preconditionFailure("all errors are typed")
        }
    }

    // MARK: Work

    private mutating func take(
        _ scanned: consuming ScannedBatch,
        _ feed: inout BatchFeed,
        _ table: FileTable
    ) throws(DaemonError) {
        var scanned = scanned
        for note in scanned.notes { tell(.source(note)) }
        if let failure = scanned.failure { tell(.sourceFailed(failure)) }
        output.now = Clocks.realtimeMicroseconds()
        do {
            try engine.take(scanned.batch, facts: scanned.facts, to: &output)
        } catch {
            throw .unknownYear
        }
        if !scanned.batch.lines.isEmpty {
            hasUncommitted = true
            uncommittedBytes += scanned.batch.byteCount
        }
        if !engine.hasDoubtfulLines, let place = table.cursor(after: scanned.batch) {
            var writer = BinaryWriter()
            CursorForm.write(place, to: &writer)
            cursor = writer.bytes
            hasUncommitted = true
        }
        scanned.notes = []
        scanned.failure = nil
        feed.giveBack(scanned)
    }

    /// At once when an alert changed, else after a second or 64 MiB.
    private mutating func commitIfDue(_ dispatcher: Dispatcher) throws(DaemonError) {
        guard hasUncommitted, !engine.hasDoubtfulLines else { return }
        let now = Clocks.monotonicNanoseconds()
        let isDue =
            output.hasFindings || uncommittedBytes >= Self.commitBytes
            || now - lastCommit >= Self.commitNanoseconds
        if isDue { commit(durable: output.hasFindings, dispatcher) }
    }

    private mutating func commit(durable: Bool, _ dispatcher: Dispatcher) {
        guard !engine.hasDoubtfulLines else { return }
        engine.takeChanges(into: &output.changes)
        if let cursor { output.changes.setCursor(configuration.sourceName, body: cursor.span) }
        let marks = dispatcher.takeMarks()
        marks.add(to: &output.changes)
        do {
            try store.commit(output.changes, durable: durable)
            output.committed()
            hasUncommitted = false
            uncommittedBytes = 0
            lastCommit = Clocks.monotonicNanoseconds()
            dispatcher.committed(marks)
            if durable { dispatcher.wake() }
        } catch {
            // The changes stay and go with the next commit; the sources wait in their files.
            tell(.commitFailed(error))
            lastCommit = Clocks.monotonicNanoseconds()
        }
    }

    /// Answers of sinks, committed on their own when nothing else is to be.
    private mutating func commitMarks(_ dispatcher: Dispatcher) {
        if hasUncommitted, !engine.hasDoubtfulLines {
            commit(durable: false, dispatcher)
            return
        }
        let marks = dispatcher.takeMarks()
        guard !marks.isEmpty else { return }
        var changes = Changes()
        marks.add(to: &changes)
        do {
            try store.commit(changes, durable: false)
            dispatcher.committed(marks)
        } catch {
            // Without the mark the alert is sent again after a restart: at least once.
            tell(.commitFailed(error))
        }
    }

    private func hasStopSignal(_ signals: borrowing SignalQueue) -> Bool {
        while let signal = try? signals.next() {
            if signal == SignalNumber.terminate || signal == SignalNumber.interrupt { return true }
        }
        return false
    }

    private func park(_ feed: borrowing BatchFeed, _ signals: borrowing SignalQueue) {
        var timeout: Int?
        if hasUncommitted {
            let elapsed = Clocks.monotonicNanoseconds() - lastCommit
            let left = elapsed >= Self.commitNanoseconds ? 1 : Self.commitNanoseconds - elapsed
            timeout = Int(left / 1_000_000) + 1
        }
        bell.park(
            unless: { feed.isReady && !isFull || marksWaiting.isSet },
            orReadable: signals.fileDescriptor,
            timeoutMilliseconds: timeout
        )
    }
}

/// Signals by their numbers (signal(7), x86 and ARM).
public enum SignalNumber {
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

/// The stored form of a cursor. Version 2; version 1 had no time of modification.
enum CursorForm {
    static func write(_ cursor: FileCursor, to writer: inout BinaryWriter) {
        writer.write(UInt8(2))
        writer.write(cursor.identity.device)
        writer.write(cursor.identity.inode)
        writer.write(cursor.identity.headDigest)
        writer.write(cursor.identity.headByteCount)
        writer.write(cursor.offset)
        writer.write(cursor.modifiedMicroseconds)
    }

    static func read(_ reader: inout BinaryReader) throws(BinaryReadError) -> FileCursor {
        let version = try reader.read(UInt8.self)
        guard (1...2).contains(version) else {
            throw BinaryReadError(offset: 0, expected: "a cursor of version 1 or 2")
        }
        let device = try reader.read(UInt64.self)
        let inode = try reader.read(UInt64.self)
        let digest = try reader.read(UInt64.self)
        let count = try reader.read(UInt32.self)
        let offset = try reader.read(UInt64.self)
        let modified = version == 1 ? 0 : try reader.read(Int64.self)
        try reader.finish()
        let identity = FileIdentity(
            device: device,
            inode: inode,
            headDigest: digest,
            headByteCount: count
        )
        return FileCursor(
            identity: identity,
            offset: offset,
            modifiedMicroseconds: modified
        )
    }
}

/// Seals bundles and collects what a commit writes of the findings.
struct DaemonOutput: EngineOutput {
    let store: BundleStore
    var router: Router
    let host: String
    let posternVersion: String
    let tell: @Sendable (DaemonMessage) -> Void
    var changes = Changes()
    /// Wall clock of the batch: microseconds.
    var now: Int64 = 0
    private(set) var hasFindings = false
    /// The newest bundle of each alert that is open, for its updates.
    private var latest: [AlertID: SealedEvidence] = [:]

    init(
        store: BundleStore,
        router: Router,
        host: String,
        posternVersion: String,
        tell: @escaping @Sendable (DaemonMessage) -> Void
    ) {
        self.store = store
        self.router = router
        self.host = host
        self.posternVersion = posternVersion
        self.tell = tell
    }

    mutating func committed() {
        changes.removeAll()
        hasFindings = false
    }

    mutating func finished(_ event: SendEvent, record: String) {}

    mutating func changed(_ alert: Alert, bundle: BundleContents?) {
        var alert = alert
        hasFindings = true
        if let bundle {
            do {
                let sealed = try store.seal(
                    bundle,
                    host: host,
                    posternVersion: posternVersion,
                    previous: nil
                )
                latest[alert.id] = sealed
                setLatest(alert.id, sealed)
            } catch {
                // Proof before the claim; but a failure marks the claim, and does not stop it.
                alert.degraded.append("unsealed")
                tell(.sealFailed(error))
            }
        }
        alert.evidence = latest[alert.id]
        let body = alert.json()
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
        for dispatch in router.dispatches(of: alert, body: body, nowMicroseconds: now) {
            changes.addDispatch(dispatch)
        }
        if alert.action == .resolved {
            latest[alert.id] = nil
            changes.removePiece(.latestBundle, key: Array(alert.id.description.utf8).span)
        }
    }

    mutating func raised(_ notice: Notice) {
        hasFindings = true
        tell(.notice(notice))
        for dispatch in router.dispatches(of: notice, nowMicroseconds: now) {
            changes.addDispatch(dispatch)
        }
    }

    private mutating func setLatest(_ id: AlertID, _ sealed: SealedEvidence) {
        var writer = BinaryWriter()
        writer.write(sealed.bundle)
        writer.write(sealed.digest)
        writer.write(sealed.chain ?? "")
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
                found.append(
                    (
                        id,
                        SealedEvidence(
                            bundle: bundle,
                            digest: digest,
                            chain: chain.isEmpty ? nil : chain
                        )
                    )
                )
            }
            return true
        }
        for (id, sealed) in found { latest[id] = sealed }
    }
}
