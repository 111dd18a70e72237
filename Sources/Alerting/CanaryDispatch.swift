public import State

/// The end of a canary's way: through the outbox to a sink, which looks whether it could send an alert
/// (``Sink/reach()``), and sends nothing.
public enum CanaryDispatch {
    /// What its IDs begin with. Those of alerts and notices have no hyphen in their first part.
    public static let prefix = "canary-"

    /// A row for one sink, before whatever waits.
    public static func row(id: String, sink: String, nowMicroseconds: Int64) -> NewDispatch {
        precondition(id.hasPrefix(prefix))
        return NewDispatch(
            alert: id,
            sequence: 0,
            sink: sink,
            severity: 1,
            body: [],
            createdMicroseconds: nowMicroseconds,
            dueMicroseconds: -1
        )
    }

    static func covers(_ row: Dispatch) -> Bool { row.alert.hasPrefix(prefix) }
}

/// Hands a line to the syslog daemon of this machine.
public enum LocalSyslog {
    /// - Parameters:
    ///   - text: one line, without control characters.
    ///   - tag: names the program.
    ///   - socket: the path of the daemon's socket.
    /// - Returns: why it was not taken; nil: it was.
    public static func write(
        _ text: String,
        facility: Int,
        tag: String,
        socket: String,
        nowMicroseconds: Int64
    ) -> String? {
        let stamp = SyslogLine.stamp(
            nowMicroseconds: nowMicroseconds,
            secondsEast: localSecondsEast(at: nowMicroseconds / 1_000_000)
        )
        // Informational.
        let line = Array("<\(facility * 8 + 6)>\(stamp) \(tag)[\(processID())]: \(text)".utf8)
        do {
            switch try DatagramSocket().send(line, to: socket) {
            case .sent: return nil
            case .otherKind:
                try LocalStream(socket).send(line + [0], 1_000)
                return nil
            case .tooLong: return "\(socket): the socket takes no message of its length"
            case .failed(let error): return "\(socket): \(error)"
            }
        } catch {
            return "\(socket): \(error)"
        }
    }
}
