import LinuxIO

/// Where a syslog daemon listens.
public enum SyslogAddress: Sendable, Hashable {
    /// The path of a Unix socket, as in `/dev/log`: 1 to ``SyslogSink/pathBytesMax`` bytes without NUL,
    /// absolute.
    case unix(String)
    /// Datagrams (RFC 5426).
    case udp(host: String, port: Int)
    /// A stream with octet counting (RFC 6587 §3.4.1).
    case tcp(host: String, port: Int)
    /// The same within TLS (RFC 5425).
    case tls(host: String, port: Int)
}

/// Alerts to a syslog daemon.
///
/// A Unix socket is one of datagrams, as `/dev/log` is, or of a stream, where messages end with a NUL as
/// syslog(3) has it. Nothing is waited for there: while the socket is missing (rsyslog restarts), full,
/// or without a reader, the answer is a failure that is tried again. Every datagram names the socket by
/// its path, so one that was made anew is found without further ado.
///
/// Syslog has no answers. On a stream over the network an alert counts as taken when the other kernel
/// has acknowledged its bytes and the connection still stands; a datagram when it was sent. A daemon that
/// dies with alerts unread in its socket takes them along.
public struct SyslogSink: Sink {
    public let name: String
    private let address: SyslogAddress
    private let line: SyslogLine
    private let bytesMax: Int
    private let settings: TransferSettings
    private let clock: @Sendable () -> Int64
    private var datagrams: DatagramSocket?
    private var stream: LocalStream?
    private var network: NetworkDatagrams?
    private var connection: Connection?

    /// Longest path of a socket, in bytes (unix(7)).
    public static let pathBytesMax = DatagramSocket.pathBytesMax
    /// Shortest and longest limit of a message.
    public static let bytesMaxRange = SyslogLine.bytesMin...65_000

    /// `CLOCK_REALTIME`, µs since 1970.
    public static let timeOfDay: @Sendable () -> Int64 = { Clocks.realtimeMicroseconds() }

    /// - Parameters:
    ///   - facility: code of RFC 3164 §4.1.1, 1…23, never that of `mail` (2): Postern would read
    ///     itself.
    ///   - format: nil: RFC 3164 to a Unix socket, which local daemons expect, RFC 5424 elsewhere.
    ///   - host: this host's name, for the network.
    ///   - bytesMax: of a message, within ``bytesMaxRange``; a longer one is shortened. Nil: 8,000, by
    ///     UDP 2 KiB.
    ///   - settings: times; for TLS also certificates.
    ///   - clock: the time of day, µs since 1970, for the stamp.
    public init(
        name: String,
        address: SyslogAddress,
        facility: Int,
        format: SyslogFormat? = nil,
        host: String? = nil,
        bytesMax: Int? = nil,
        settings: TransferSettings = TransferSettings(),
        clock: @escaping @Sendable () -> Int64 = SyslogSink.timeOfDay
    ) {
        precondition((1...23).contains(facility))
        precondition(facility != 2, "Postern would read itself")
        self.name = name
        self.address = address
        self.settings = settings
        self.clock = clock
        var isLocal = false
        var usual = SyslogLine.bytesMax
        switch address {
        case .unix(let path):
            precondition((1...Self.pathBytesMax).contains(path.utf8.count))
            precondition(!path.utf8.contains(0))
            isLocal = true
        case .udp: usual = SyslogLine.bytesMaxOfUDP
        case .tcp, .tls: break
        }
        self.bytesMax = bytesMax ?? usual
        precondition(Self.bytesMaxRange.contains(self.bytesMax))
        let format = format ?? (isLocal ? .rfc3164 : .rfc5424)
        line = SyslogLine(
            facility: facility,
            processID: Alerting.processID(),
            format: format,
            host: isLocal && format == .rfc3164 ? nil : host
        )
    }

    public mutating func send(_ alert: OutgoingAlert) -> SinkAnswer {
        let facts: AlertFacts
        do {
            facts = try AlertFacts(json: alert.body)
        } catch {
            return .refused("the alert cannot be read: \(error)")
        }
        do {
            switch address {
            case .unix(let path): return try send(facts, toSocket: path)
            case .udp(let host, let port): return try send(facts, byDatagramTo: host, port)
            case .tcp(let host, let port):
                return try send(facts, byStreamTo: host, port, isSecure: false)
            case .tls(let host, let port):
                return try send(facts, byStreamTo: host, port, isSecure: true)
            }
        } catch {
            connection = nil
            stream = nil
            network = nil
            return .failed(error.description)
        }
    }

    public mutating func reach() -> SinkAnswer {
        do {
            switch address {
            case .unix(let path): return try reach(path)
            case .udp(let host, let port):
                // Nobody answers; but the name has an address, and there is a way to it.
                _ = try NetworkDatagrams(host: host, port: port, Clocks.monotonicNanoseconds())
            case .tcp(let host, let port):
                _ = try Connection(settings, host: host, port: port, isSecure: false)
            case .tls(let host, let port):
                _ = try Connection(settings, host: host, port: port, isSecure: true)
            }
            return .accepted
        } catch {
            return .failed(error.description)
        }
    }

    private func reach(_ path: String) throws(TransferError) -> SinkAnswer {
        let socket: DatagramSocket
        do {
            socket = try DatagramSocket()
        } catch {
            return .failed(error.description)
        }
        switch socket.connect(to: path) {
        case .sent: return .accepted
        case .otherKind:
            _ = try LocalStream(path)
            return .accepted
        case .tooLong: return .failed("\(path): connect")
        case .failed(let error): return .failed("\(path): \(error)")
        }
    }

    private func message(_ facts: AlertFacts, bytesMax: Int) -> [UInt8] {
        let now = clock()
        return line.datagram(
            facts,
            nowMicroseconds: now,
            secondsEast: localSecondsEast(at: now / 1_000_000),
            bytesMax: bytesMax
        )
    }

    // MARK: A Unix socket

    private mutating func send(
        _ facts: AlertFacts,
        toSocket path: String
    ) throws(TransferError) -> SinkAnswer {
        if stream != nil { return try send(facts, byStreamTo: path) }
        let open: DatagramSocket
        if let datagrams {
            open = datagrams
        } else {
            do {
                open = try DatagramSocket()
            } catch {
                return .failed(error.description)
            }
        }
        datagrams = open
        for bytesMax in [bytesMax, SyslogLine.bytesMin] {
            switch open.send(message(facts, bytesMax: bytesMax), to: path) {
            case .sent: return .accepted
            case .tooLong: continue
            case .otherKind: return try send(facts, byStreamTo: path)
            case .failed(let error): return .failed("\(path): \(error)")
            }
        }
        return .failed("\(path): sendto: the socket takes no message of 1 KiB")
    }

    private mutating func send(
        _ facts: AlertFacts,
        byStreamTo path: String
    ) throws(TransferError) -> SinkAnswer {
        let open: LocalStream
        if let stream {
            open = stream
        } else {
            open = try LocalStream(path)
        }
        stream = open
        // "the terminating NUL byte as a record terminator" (misc/syslog.c of glibc 2.36).
        try open.send(message(facts, bytesMax: bytesMax) + [0], settings.wholeMilliseconds)
        return .accepted
    }

    // MARK: The network

    private mutating func send(
        _ facts: AlertFacts,
        byDatagramTo host: String,
        _ port: Int
    ) throws(TransferError) -> SinkAnswer {
        let now = Clocks.monotonicNanoseconds()
        let open: NetworkDatagrams
        if let network, network.isFresh(at: now) {
            open = network
        } else {
            open = try NetworkDatagrams(host: host, port: port, now)
        }
        network = open
        for bytesMax in [bytesMax, SyslogLine.bytesMin] {
            switch open.send(message(facts, bytesMax: bytesMax)) {
            case .sent: return .accepted
            case .tooLong: continue
            case .otherKind: break
            case .failed(let error): throw TransferError(description: "\(host):\(port): \(error)")
            }
        }
        return .failed("\(host):\(port): the network takes no message of 1 KiB")
    }

    private mutating func send(
        _ facts: AlertFacts,
        byStreamTo host: String,
        _ port: Int,
        isSecure: Bool
    ) throws(TransferError) -> SinkAnswer {
        // One that the other side has ended meanwhile is made anew.
        if let connection, !connection.isOpen() { self.connection = nil }
        let open: Connection
        if let connection {
            open = connection
        } else {
            open = try Connection(settings, host: host, port: port, isSecure: isSecure)
        }
        connection = open
        let message = message(facts, bytesMax: bytesMax)
        try open.send(Array("\(message.count) ".utf8) + message)
        return .accepted
    }
}
