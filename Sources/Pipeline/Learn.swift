import Detection
import LogSources
import MailLog
import Memory
import Records
import Sigma
public import State

/// Why learning ended before its input.
public enum LearnError: Error, Sendable {
    case replay(ReplayError)
    case state(StateError)
    case stored(StoredStateError)
}

/// What was learnt.
public struct LearnSummary: Sendable {
    /// What was read. Its `alertsOpened` is 0.
    public var read = ReplaySummary()
    /// Recipients of receipts: they teach nothing.
    public var receipts = 0
    /// Accounts, and pairs of an account and a domain that it wrote to or heard from, that the
    /// memory holds now and held before. Pairs of receipts alone are not among them.
    public var accounts = 0
    public var accountsBefore = 0
    public var pairs = 0
    public var pairsBefore = 0

    public init() {}
}

/// Teaches the memory of a state from logs: who wrote to whom, who heard from whom, and which
/// domains are hosted here.
///
/// The engine runs without rules, so no alert comes of it. Nothing else of the state is read or
/// written: cursors, open messages, windows and clocks stay as they are.
public struct Learn: Sendable {
    /// Lines outside are passed over.
    public var window = TimeWindow()
    public var readBytes = ReplayLimits.readBytes
    public var tuning = FeedTuning()
    /// What was learnt is committed whenever so many bytes of text were read. Learning that was
    /// stopped can be begun again: what is known already teaches nothing new.
    public var commitBytes = 512 << 20

    public init() {}

    /// Reads the inputs to their end.
    ///
    /// - Parameters:
    ///   - chains: each the inputs of one source, in the order in which they are to be read.
    ///   - settings: those of the daemon; the rules are left out.
    ///   - store: the state, open for writing.
    ///   - output: gets notices of limits.
    ///   - progress: told after each batch how many bytes of text were read.
    public func run(
        _ chains: [InputChain],
        settings: EngineSettings,
        store: StateStore,
        output: inout some EngineOutput & ~Copyable,
        progress: (UInt64) -> Void = { _ in }
    ) throws(LearnError) -> LearnSummary {
        let tables = chains.map { _ in FileTable() }
        var engine = try engine(settings, store, chains, tables)
        let clock = try storedClock(store)
        var summary = LearnSummary()
        summary.accountsBefore = engine.detector.memory.accountCount
        summary.pairsBefore = engine.detector.memory.knownPairCount
        try read(chains, tables, into: &engine, store, clock, &summary, &output, progress)
        engine.finish(to: &output)
        try commit(&engine, store, clock)
        summary.read.lines = engine.lineCount
        summary.read.assembly = engine.assembler.counters
        summary.read.engine = engine.counters
        summary.read.submitted = engine.detector.counters.submitted
        summary.receipts = engine.detector.counters.receipts
        summary.accounts = engine.detector.memory.accountCount
        summary.pairs = engine.detector.memory.knownPairCount
        return summary
    }

    /// An engine without rules that remembers what the state does.
    private func engine(
        _ settings: EngineSettings,
        _ store: StateStore,
        _ chains: [InputChain],
        _ tables: [FileTable]
    ) throws(LearnError) -> Engine {
        var settings = settings
        settings.rules = RuleSet()
        let seed: HashSeed
        do {
            seed = try HashSeed(bytes: store.origin.hashSeed)
        } catch {
            throw .stored(StoredStateError(piece: "seed", cause: error))
        }
        var engine: Engine
        do {
            let sources = zip(chains, tables).map { LaneSource(name: $0.name, table: $1) }
            engine = try Engine(settings, sources: sources, seed: seed)
        } catch {
            throw .replay(.engine(error))
        }
        engine.window = window
        engine.detector.memory.names = DomainNames()
        for (index, chain) in chains.enumerated() {
            if let year = chain.firstYear { engine.setFirstYear(year, lane: index) }
        }
        try engine.detector.memory.restore(.horizon, from: store)
        try engine.detector.memory.restore(.account, from: store)
        try engine.detector.memory.restore(.activity, from: store, countsAnew: true)
        // Lines that were read before, here or by the daemon, must not count twice.
        try engine.detector.memory.restore(.domain, from: store, countsAnew: true)
        return engine
    }

    /// What the state holds of the memory's clock: the day on which the log was first seen.
    ///
    /// The engine begins without it, so that the first day of older logs is found.
    private func storedClock(_ store: StateStore) throws(LearnError) -> UInt16 {
        var memory = AccountMemory(seed: .constant)
        try memory.restore(.clock, from: store)
        return memory.firstDay
    }

    private func read(
        _ chains: [InputChain],
        _ tables: [FileTable],
        into engine: inout Engine,
        _ store: StateStore,
        _ clock: UInt16,
        _ summary: inout LearnSummary,
        _ output: inout some EngineOutput & ~Copyable,
        _ progress: (UInt64) -> Void
    ) throws(LearnError) {
        do {
            var feeds = try ReplayFeeds(chains, tables, engine, tuning, readBytes: readBytes)
            var committedBytes: UInt64 = 0
            while try feeds.take(into: &engine, to: &output) {
                progress(feeds.byteCount)
                guard feeds.byteCount - committedBytes >= UInt64(commitBytes) else { continue }
                committedBytes = feeds.byteCount
                do {
                    try commit(&engine, store, clock)
                } catch {
                    feeds.end()
                    throw error
                }
            }
            feeds.join()
            summary.read.notes = feeds.takeNotes()
            summary.read.scan = feeds.takeScanCounters()
        } catch let error as ReplayError {
            throw .replay(error)
        } catch let error as LearnError {
            throw error
        } catch {
            preconditionFailure("all errors are typed")
        }
    }

    // MARK: Commit

    private func commit(
        _ engine: inout Engine,
        _ store: StateStore,
        _ clock: UInt16
    ) throws(LearnError) {
        var changes = Changes()
        let isEarlier = clock == 0 || engine.detector.memory.firstDay < clock
        for piece in engine.detector.memory.takeChanges() where piece.kind != .clock || isEarlier {
            let whole = piece.kind == .domain ? try joined(piece, store) : piece
            changes.setPiece(piece.kind.pieceKind, key: whole.key.span, body: whole.body.span)
        }
        do {
            try store.commit(changes, durable: true)
        } catch {
            throw .state(error)
        }
    }
}

/// What a state knew of a domain, and what was learnt.
private func joined(
    _ piece: AccountMemory.Piece,
    _ store: StateStore
) throws(LearnError) -> AccountMemory.Piece {
    let known: [UInt8]?
    do {
        known = try store.piece(.memoryDomain, key: piece.key.span)
    } catch {
        throw .state(error)
    }
    guard let known else { return piece }
    do {
        return try AccountMemory.joined(domain: piece, with: known)
    } catch {
        throw .stored(StoredStateError(piece: "memory", cause: error))
    }
}

extension AccountMemory {
    /// Takes in the pieces of one kind.
    fileprivate mutating func restore(
        _ kind: Piece.Kind,
        from store: StateReader,
        countsAnew: Bool = false
    ) throws(LearnError) {
        var failure: BinaryReadError?
        do {
            try store.forEachPiece(kind.pieceKind) { key, body in
                do throws(BinaryReadError) {
                    try restore(
                        Piece(kind: kind, key: key.copied, body: body.copied),
                        countsAnew: countsAnew
                    )
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
        } catch {
            throw .state(error)
        }
        if let failure { throw .stored(StoredStateError(piece: "memory", cause: failure)) }
    }
}

extension AccountMemory.Piece.Kind {
    var pieceKind: PieceKind {
        switch self {
        case .account: .memoryAccount
        case .domain: .memoryDomain
        case .clock: .memoryClock
        case .activity: .memoryActivity
        case .horizon: .memoryHorizon
        case .name: .domainName
        }
    }
}
