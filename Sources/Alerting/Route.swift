public import Findings
public import State

/// Which alerts a sink gets: those from `lowest` to `highest`.
public struct Route: Sendable, Hashable {
    /// ``Sink/name``.
    public var sink: String
    public var lowest: Severity
    public var highest: Severity
    public var pacing: Pacing

    public init(
        sink: String,
        lowest: Severity = .medium,
        highest: Severity = .critical,
        pacing: Pacing = Pacing()
    ) {
        self.sink = sink
        self.lowest = lowest
        self.highest = highest
        self.pacing = pacing
    }
}

/// Makes outbox rows of alerts: one for each sink that is to have them.
public struct Router: Sendable {
    public let routes: [Route]
    /// Alerts of events older than this are kept and shown, not sent: they come from back-fill.
    /// nil: all are sent.
    public let ageMicrosecondsMax: Int64?
    /// Alerts and notices not sent for their age.
    public private(set) var tooOldCount = 0
    /// Of each route, and which changed since they were last kept.
    private var states: [PacingState]
    private var changed: Set<Int> = []
    private let secondsEast: @Sendable (Int64) -> Int

    /// - Parameter secondsEast: of the machine's zone at a moment, seconds since 1970, for quiet hours.
    public init(
        routes: [Route],
        ageMicrosecondsMax: Int64?,
        secondsEast: @escaping @Sendable (Int64) -> Int = { localSecondsEast(at: $0) }
    ) {
        self.routes = routes
        self.ageMicrosecondsMax = ageMicrosecondsMax
        self.secondsEast = secondsEast
        states = routes.map { _ in PacingState() }
    }

    /// Goes on where the state says that sinks were.
    public mutating func restore(from store: StateReader) throws(StateError) {
        for (index, route) in routes.enumerated() where !route.pacing.isOff {
            guard let kept = try store.meta(Self.metaPrefix + route.sink) else { continue }
            states[index] = PacingState(text: String(decoding: kept, as: UTF8.self))
        }
    }

    /// Adds what changed of ``Pacing`` to what the next commit writes.
    public mutating func keep(in changes: inout Changes) {
        for index in changed.sorted() {
            changes.setMeta(
                Self.metaPrefix + routes[index].sink,
                Array(states[index].text().utf8).span
            )
        }
        changed = []
    }

    private static let metaPrefix = "pacing."

    /// The rows for one transition of an alert.
    ///
    /// - Parameters:
    ///   - body: ``Alert/json(withEvidence:)``, as it is kept.
    ///   - nowMicroseconds: µs since 1970; the age is counted to it from the event time.
    public mutating func dispatches(
        of alert: Alert,
        body: [UInt8],
        nowMicroseconds: Int64
    ) -> [NewDispatch] {
        rows(
            alert.id.description,
            Int64(alert.sequence),
            alert.severity,
            alert.microseconds,
            body,
            nowMicroseconds
        )
    }

    /// The rows for a transition by what is stored of it.
    ///
    /// - Parameters:
    ///   - severity: 1…99; a route takes it as the highest level that it reaches.
    ///   - microseconds: event time of the transition.
    public mutating func dispatches(
        ofAlert id: String,
        sequence: Int64,
        severity: Int,
        microseconds: Int64,
        body: [UInt8],
        nowMicroseconds: Int64
    ) -> [NewDispatch] {
        let level = Severity.allCases.last { $0.rawValue <= severity } ?? .informational
        return rows(id, sequence, level, microseconds, body, nowMicroseconds)
    }

    /// The rows for a notice.
    public mutating func dispatches(of notice: Notice, nowMicroseconds: Int64) -> [NewDispatch] {
        rows(
            notice.id,
            0,
            notice.severity,
            isNotice: true,
            notice.microseconds,
            notice.json(),
            nowMicroseconds
        )
    }

    private mutating func rows(
        _ id: String,
        _ sequence: Int64,
        _ severity: Severity,
        isNotice: Bool = false,
        _ microseconds: Int64,
        _ body: [UInt8],
        _ now: Int64
    ) -> [NewDispatch] {
        let (age, isBeyond) = now.subtractingReportingOverflow(microseconds)
        if let ageMicrosecondsMax, isBeyond ? microseconds < 0 : age > ageMicrosecondsMax {
            tooOldCount += 1
            return []
        }
        var dispatches: [NewDispatch] = []
        for (index, route) in routes.enumerated()
        where route.lowest <= severity && severity <= route.highest {
            // At once, also when the clock is set back meanwhile.
            var due: Int64 = 0
            if !route.pacing.isOff {
                due = states[index].due(
                    severity,
                    route.pacing,
                    nowMicroseconds: now,
                    secondsEast: secondsEast
                )
                changed.insert(index)
            }
            dispatches.append(
                NewDispatch(
                    alert: id,
                    sequence: sequence,
                    sink: route.sink,
                    severity: severity.rawValue,
                    isNotice: isNotice,
                    body: body,
                    createdMicroseconds: now,
                    dueMicroseconds: due
                )
            )
        }
        return dispatches
    }
}
