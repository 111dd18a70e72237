/// Bounds of detection (architecture §6). Each has a counter in ``DetectionCounters``.
public struct DetectionLimits: Sendable, Equatable {
    /// Events in one window of one group; the oldest leave.
    public var windowEventsMax = 1_024
    /// The same of a rule that asks for so high a count that it would never hold otherwise.
    public var largeWindowEventsMax = 200_000
    /// Groups of one rule; the one that was longest without an event leaves.
    public var groupsMax = 100_000
    /// Bytes of all events that windows and open alerts hold.
    public var heldBytesMax = 256 << 20
    /// Events that one alert keeps as its proof (`evidence.lines_max` counts lines).
    public var alertEventsMax = 2_000
    /// A line later than this enters no window: microseconds.
    public var latenessMicroseconds: Int64 = 300_000_000
    /// At most one update of an alert in this event time: microseconds.
    public var updateMicrosecondsMin: Int64 = 900_000_000

    public init() {}
}

/// How often detection met its limits, and what it saw.
public struct DetectionCounters: Sendable, Equatable {
    public var submitted = 0
    public var receipts = 0
    /// Events of which an earlier one left a window for lack of room.
    public var windowsFull = 0
    public var groupsLeft = 0
    public var lateEvents = 0
    public var alertsOpened = 0
    /// Events that an alert counts but does not keep.
    public var eventsLeftOut = 0
    /// Searches for regular expressions that were given up at their match limit.
    public var regexLimits = 0

    public init() {}
}
