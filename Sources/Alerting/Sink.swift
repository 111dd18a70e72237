/// One alert or notice as a sink gets it.
public struct OutgoingAlert: Sendable, Hashable {
    /// AlertID, or the event ID of a notice. With ``sequence`` it names the transition: a receiver
    /// drops what it has under the same two, since after a crash the same may come again.
    public var id: String
    /// `event.sequence`.
    public var sequence: Int64
    /// The ECS JSON object, the same bytes in every attempt.
    public var body: [UInt8]
    /// Counts from 1.
    public var attempt: Int

    public init(id: String, sequence: Int64, body: [UInt8], attempt: Int) {
        self.id = id
        self.sequence = sequence
        self.body = body
        self.attempt = attempt
    }
}

/// What a sink made of an alert. Texts are for the operator, in one line, without log text.
public enum SinkAnswer: Sendable, Hashable {
    /// The sink has it.
    case accepted
    /// Not now; later it may. If the other side named a time, the sink gets nothing before it.
    case failed(String, afterSeconds: Int64? = nil)
    /// Not in this form, however often it is tried.
    case refused(String)
}

/// A place where alerts go.
///
/// A sink belongs to one thread of its own, so it may block. When the program stops, it waits half a
/// second for the attempt under way, then leaves it.
public protocol Sink: Sendable {
    /// Names it in the outbox. No two sinks share one, and a restart does not change it.
    var name: String { get }

    /// Sends one alert, once.
    mutating func send(_ alert: OutgoingAlert) -> SinkAnswer

    /// Goes as far as it can without sending anything: whether the other side is there, is who it must
    /// be, and lets us in.
    mutating func reach() -> SinkAnswer

    /// Told before anything is sent: what to look at while waiting. Those that start programs must.
    mutating func heed(_ leave: SinkLeave)

    /// What the other side said when it took the last alert, in one line that is safe to show; empty
    /// where it says nothing.
    var lastWords: String { get }
}

extension Sink {
    public var lastWords: String { "" }

    public mutating func heed(_ leave: SinkLeave) {}
}
