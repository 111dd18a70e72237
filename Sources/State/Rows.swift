/// Which room's bytes a piece holds: assemblies, windows, memory, kept lines, the engine's clock.
///
/// `State` does not know the kinds; `Pipeline` gives each its number, which is on disk for good.
public struct PieceKind: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static func < (left: PieceKind, right: PieceKind) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// What a state folder is: made once, never changed.
public struct StateOrigin: Sendable, Equatable {
    /// Secret, 16 random bytes: the key of the hash tables that hold names chosen by strangers.
    public let hashSeed: [UInt8]
    /// When the folder was made, µs since 1970.
    public let createdMicroseconds: Int64
    /// The host name it was made on.
    public let host: String
}

/// How an alert stands: its latest form.
public struct AlertRow: Sendable, Equatable {
    public var id: String
    /// `event.sequence` of `body`; a row never goes back to a lower one.
    public var sequence: Int64
    /// As the engine calls it, `open` or `resolved`.
    public var status: String
    /// Event time, µs since 1970.
    public var openedMicroseconds: Int64
    /// Event time of the latest transition, µs since 1970.
    public var changedMicroseconds: Int64
    /// ECS `event.severity`, 1…99.
    public var severity: Int
    public var rule: String
    /// The alert's latest JSON.
    public var body: [UInt8]

    public init(
        id: String,
        sequence: Int64,
        status: String,
        openedMicroseconds: Int64,
        changedMicroseconds: Int64,
        severity: Int,
        rule: String,
        body: [UInt8]
    ) {
        self.id = id
        self.sequence = sequence
        self.status = status
        self.openedMicroseconds = openedMicroseconds
        self.changedMicroseconds = changedMicroseconds
        self.severity = severity
        self.rule = rule
        self.body = body
    }
}

/// One step in an alert's life, with the JSON as it was sent.
public struct TransitionRow: Sendable, Equatable {
    public var alert: String
    public var sequence: Int64
    /// Event time, µs since 1970.
    public var timeMicroseconds: Int64
    /// `event.action`.
    public var action: String
    public var body: [UInt8]
    /// File name of the evidence bundle, once it is sealed.
    public var bundle: String?

    public init(
        alert: String,
        sequence: Int64,
        timeMicroseconds: Int64,
        action: String,
        body: [UInt8],
        bundle: String?
    ) {
        self.alert = alert
        self.sequence = sequence
        self.timeMicroseconds = timeMicroseconds
        self.action = action
        self.body = body
        self.bundle = bundle
    }
}

/// One alert or notice for one sink, to be put into the outbox.
///
/// (`alert`, `sequence`, `sink`) is its identity: putting it in again changes nothing.
public struct NewDispatch: Sendable, Equatable {
    /// AlertID, or the event ID of a notice.
    public var alert: String
    public var sequence: Int64
    public var sink: String
    /// ECS `event.severity`, 1…99: the lowest leave first when the outbox is full.
    public var severity: Int
    /// A notice of ours. It leaves a full outbox only when nothing else waits for its sink: what it
    /// tells (that the outbox is full, that a sink is dead) is true just then, and is told once.
    public var isNotice: Bool
    /// The bytes that every attempt sends.
    public var body: [UInt8]
    /// µs since 1970.
    public var createdMicroseconds: Int64
    /// Not to be sent earlier, µs since 1970.
    public var dueMicroseconds: Int64

    public init(
        alert: String,
        sequence: Int64,
        sink: String,
        severity: Int,
        isNotice: Bool = false,
        body: [UInt8],
        createdMicroseconds: Int64,
        dueMicroseconds: Int64
    ) {
        self.alert = alert
        self.sequence = sequence
        self.sink = sink
        self.severity = severity
        self.isNotice = isNotice
        self.body = body
        self.createdMicroseconds = createdMicroseconds
        self.dueMicroseconds = dueMicroseconds
    }
}

/// One alert or notice on its way to one sink.
public struct Dispatch: Sendable, Equatable {
    public enum Stage: Int64, Sendable, Hashable {
        /// To be sent when due.
        case waiting = 0
        /// The sink acknowledged it. The row stays, without its body, so that the same alert,
        /// found once more after a crash, is not sent once more.
        case acknowledged = 1
        /// Given up, or pushed out of a full outbox. Kept with its body for `redeliver`.
        case abandoned = 2
    }

    /// Grows with every new dispatch and is never used twice.
    public var number: Int64
    public var alert: String
    public var sequence: Int64
    public var sink: String
    public var severity: Int
    public var isNotice: Bool
    /// Empty once acknowledged.
    public var body: [UInt8]
    /// µs since 1970.
    public var createdMicroseconds: Int64
    public var attempts: Int
    /// µs since 1970.
    public var dueMicroseconds: Int64
    public var state: Stage
    /// The latest failure, at most `StateLimits.errorBytesMax` bytes of UTF-8; of one that went into a
    /// digest ``digestPrefix`` and the digest's ID.
    public var error: String?

    static let digestPrefix = "digest: "

    /// The digest that it went into, whose dispatch tells what became of both.
    public var digestID: String? {
        guard state == .acknowledged, let error, error.hasPrefix(Self.digestPrefix) else {
            return nil
        }
        return String(error.dropFirst(Self.digestPrefix.count))
    }
}

/// How full the outbox is.
public struct OutboxTotals: Sendable, Equatable {
    public var waiting = 0
    /// Bytes of the waiting bodies.
    public var waitingBytes = 0
    public var acknowledged = 0
    public var abandoned = 0
    /// Bytes of the abandoned bodies.
    public var abandonedBytes = 0
}

/// What the outbox holds for one sink.
public struct OutboxSink: Sendable, Equatable {
    public var sink: String
    public var waiting = 0
    public var acknowledged = 0
    public var abandoned = 0
    /// When the one that waits longest was put in, µs since 1970.
    public var oldestWaitingMicroseconds: Int64?

    public init(sink: String) { self.sink = sink }
}

/// Bounds of the state folder. What a bound costs is counted in the `CommitReport`.
public struct StateLimits: Sendable, Equatable {
    /// Waiting dispatches. Over it, of a sink at which attempts failed, else of the one for which the
    /// most wait, the oldest of the lowest severity are abandoned, tried ones after those that were
    /// not, notices last, and no sink's last: one that takes nothing pushes out nothing that others
    /// would take.
    public var waitingMax = 10_000
    /// Bytes of waiting bodies. Over it the same are abandoned.
    public var waitingBytesMax = 64 << 20
    /// Abandoned dispatches kept for `redeliver`. Over it the oldest are forgotten; the alert
    /// itself stays in its history.
    public var abandonedMax = 10_000
    /// Bytes of abandoned bodies. Over it the oldest are forgotten.
    public var abandonedBytesMax = 64 << 20
    /// Acknowledged dispatches remembered, without body. Over it the oldest are forgotten, which
    /// costs nothing: cursors moved past their lines long ago.
    public var acknowledgedMax = 10_000
    /// Bytes kept of a sink's error text; the rest is cut.
    public var errorBytesMax = 512

    public init() {}
}

/// What a commit did besides what it was asked.
public struct CommitReport: Sendable, Equatable {
    /// Dispatches newly in the outbox.
    public var dispatchesAdded = 0
    /// Dispatches that were there already: the same alert found again after a crash.
    public var dispatchesRepeated = 0
    /// Waiting dispatches abandoned because the outbox was full.
    public var dispatchesPushedOut = 0
    /// Waiting dispatches abandoned because they were too old.
    public var dispatchesExpired = 0
    /// Abandoned dispatches forgotten because there were too many.
    public var dispatchesForgotten = 0
    /// Marks on a dispatch that was not there, or not in a state to take the mark.
    public var marksWithoutEffect = 0
    /// Alerts (with their transitions) removed by `forgetAlerts`.
    public var alertsForgotten = 0

    public init() {}
}
