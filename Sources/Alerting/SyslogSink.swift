import LinuxIO

/// Alerts to the local syslog daemon through its Unix datagram socket.
///
/// It never waits: while the socket is missing (rsyslog restarts), full, or without a reader, the
/// answer is a failure that is tried again. Every datagram names the socket by its path, so one
/// that was made anew is found without further ado.
public struct SyslogSink: Sink {
    public let name: String
    private let path: String
    private let line: SyslogLine
    private let clock: @Sendable () -> Int64
    private var socket: DatagramSocket?

    /// Longest path of a socket, in bytes (unix(7)).
    public static let pathBytesMax = DatagramSocket.pathBytesMax

    /// `CLOCK_REALTIME`, µs since 1970.
    public static let timeOfDay: @Sendable () -> Int64 = { Clocks.realtimeMicroseconds() }

    /// - Parameters:
    ///   - path: of the socket, as in `/dev/log`: 1 to ``pathBytesMax`` bytes without NUL.
    ///   - facility: code of RFC 3164 §4.1.1, 1…23, never that of `mail` (2): Postern would read
    ///     itself.
    ///   - clock: the time of day, µs since 1970, for the stamp.
    public init(
        name: String,
        path: String,
        facility: Int,
        clock: @escaping @Sendable () -> Int64 = SyslogSink.timeOfDay
    ) {
        precondition((1...Self.pathBytesMax).contains(path.utf8.count))
        precondition(!path.utf8.contains(0))
        precondition((1...23).contains(facility))
        precondition(facility != 2, "Postern would read itself")
        self.name = name
        self.path = path
        self.clock = clock
        line = SyslogLine(facility: facility, processID: Alerting.processID())
    }

    public mutating func send(_ alert: OutgoingAlert) -> SinkAnswer {
        let facts: AlertFacts
        do {
            facts = try AlertFacts(json: alert.body)
        } catch {
            return .refused("the alert cannot be read: \(error)")
        }
        let open: DatagramSocket
        do {
            open = try openSocket()
        } catch {
            return .failed(error.description)
        }
        let now = clock()
        let secondsEast = localSecondsEast(at: now / 1_000_000)
        for bytesMax in [SyslogLine.bytesMax, SyslogLine.bytesMin] {
            let datagram = line.datagram(
                facts,
                nowMicroseconds: now,
                secondsEast: secondsEast,
                bytesMax: bytesMax
            )
            switch open.send(datagram, to: path) {
            case .sent: return .accepted
            case .tooLong: continue
            case .failed(let error): return .failed("\(path): \(error)")
            }
        }
        return .failed("\(path): sendto: the socket takes no message of 1 KiB")
    }

    private mutating func openSocket() throws(DispatcherError) -> DatagramSocket {
        if let socket { return socket }
        let opened = try DatagramSocket()
        socket = opened
        return opened
    }
}
