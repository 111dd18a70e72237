public import Alerting
public import Evidence
public import LogSources
public import State
public import SystemPackage

/// A source that the daemon follows.
public struct FollowedSource: Sendable {
    public enum Kind: Sendable {
        case file(FilePath, Backfill)
        case journal(JournalSelection)
    }

    /// Names it in records, cursors and messages.
    public var name: String
    public var kind: Kind
    /// It may carry the same log as another source; every message then counts twice.
    public var allowsDuplicate: Bool

    public init(name: String, kind: Kind, allowsDuplicate: Bool = false) {
        self.name = name
        self.kind = kind
        self.allowsDuplicate = allowsDuplicate
    }
}

/// What the daemon is told; all of it checked.
public struct DaemonConfiguration: Sendable {
    /// The state folder.
    public var state: FilePath
    /// In the order of their names, each name once.
    public internal(set) var sources: [FollowedSource]
    /// Files that match are sources too, named by their paths; also those that come later.
    public var patterns: [FollowedPattern]
    /// How long a line waits for sources that show nothing: see ``Merger``.
    public var mergeHoldNanoseconds: UInt64 = 1_000_000_000
    public var engine: EngineSettings
    public var sinks: [any Sink]
    /// Of sinks, by their names, that have others than the usual ones.
    public var dispatchLimits: [String: DispatchLimits] = [:]
    public var router: Router
    public var stateLimits = StateLimits()
    /// How often the engine says that it moves, with ``DaemonMessage/beat(_:)``; nil: never.
    public var beatNanoseconds: UInt64?
    public var evidence = EvidenceRetention()
    /// The chain of bundles of a state that was set aside, which a new state goes on with.
    public var formerChain: [ChainLink] = []
    public var pseudonyms = PseudonymousSinks()
    /// Whether and how the whole way of an alert is tried from time to time.
    public var canary: CanarySettings?
    /// Reports that go to sinks from time to time, each schedule once.
    public var reports: [ReportSchedule] = []
    /// Makes one of them: what the sink gets, a JSON object. Called on a thread of its own.
    public var makeReport: (@Sendable (ReportOrder) throws(ReportError) -> [UInt8])?
    public var posternVersion: String
    public var host: String
    /// Where the engine publishes how it goes.
    public var board = LiveBoard()
    /// By the names of sinks: words for them that tell nothing of where they send.
    public var sinkLabels: [String: String] = [:]

    public init(
        state: FilePath,
        sources: [FollowedSource],
        patterns: [FollowedPattern] = [],
        engine: EngineSettings,
        sinks: [any Sink],
        router: Router,
        posternVersion: String,
        host: String
    ) {
        self.state = state
        // By name: what the order among sources means must not depend on the settings' order.
        self.sources = sources.sorted { $0.name < $1.name }
        self.patterns = patterns
        self.engine = engine
        self.sinks = sinks
        self.router = router
        self.posternVersion = posternVersion
        self.host = host
    }
}
