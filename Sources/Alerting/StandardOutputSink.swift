/// Alerts to standard output: JSON lines for programs, or text for people.
///
/// A pipe whose reader has stopped does not hold the program: after a second without room the
/// answer is a failure. What was written of an alert by then is not written again; the next
/// attempt goes on behind it, so that a line is never broken by another.
public struct StandardOutputSink: Sink {
    public enum Format: Sendable {
        /// One JSON object a line, the bytes of the outbox.
        case json
        /// As ``AlertText`` has it, with an empty line behind each.
        case text(AlertText)
    }

    public let name: String
    private let format: Format
    private let stream: OutputStream
    private let waitMilliseconds: Int32
    /// What is left of an alert that was written in part.
    private var started: (alert: String, rest: ArraySlice<UInt8>)?
    /// Alerts whose rest was written before another one, and whose next attempt is still to come.
    /// At most ``finishedMax``; what leaves is written once more, which at-least-once allows.
    private var finished: [String] = []
    private static let finishedMax = 256

    /// - Parameters:
    ///   - descriptor: 1 for standard output; stays open and is not closed here.
    ///   - waitMilliseconds: how long to wait for room in a pipe.
    public init(
        name: String = "stdout",
        format: Format,
        descriptor: Int32 = 1,
        waitMilliseconds: Int32 = 1_000
    ) {
        self.name = name
        self.format = format
        stream = OutputStream(number: descriptor)
        self.waitMilliseconds = waitMilliseconds
    }

    public mutating func send(_ alert: OutgoingAlert) -> SinkAnswer {
        let name = "\(alert.id).\(alert.sequence)"
        if let index = finished.firstIndex(of: name) {
            finished.remove(at: index)
            return .accepted
        }
        if let begun = started, begun.alert != name {
            // Another alert was cut short: its line is finished first.
            if let failure = write(begun.rest, of: begun.alert) { return failure }
            if finished.count == Self.finishedMax { finished.removeFirst() }
            finished.append(begun.alert)
        }
        let bytes: ArraySlice<UInt8>
        if let begun = started {
            bytes = begun.rest
        } else {
            do {
                bytes = try rendered(alert)[...]
            } catch {
                return .refused("the alert cannot be read: \(error)")
            }
        }
        return write(bytes, of: name) ?? .accepted
    }

    public mutating func reach() -> SinkAnswer {
        stream.isOpen ? .accepted : .failed("\(name): nobody reads it")
    }

    private func rendered(_ alert: OutgoingAlert) throws(UnreadableAlert) -> [UInt8] {
        switch format {
        case .json: alert.body + [UInt8(ascii: "\n")]
        case .text(let text): Array((text.render(try AlertFacts(json: alert.body)) + "\n").utf8)
        }
    }

    /// Writes all of it, or remembers what is left. Returns the failure, if there was one.
    private mutating func write(
        _ bytes: ArraySlice<UInt8>,
        of alert: String
    ) -> SinkAnswer? {
        let count = bytes.count
        var rest = bytes
        while !rest.isEmpty {
            let failure: String
            switch stream.write(rest, waitMilliseconds: waitMilliseconds) {
            case .wrote(let count):
                rest = rest.dropFirst(count)
                continue
            case .full: failure = "nobody reads it"
            case .failed(let error): failure = error
            }
            // Nothing written yet, nothing to go on with.
            started = rest.count < count || started != nil ? (alert, rest) : nil
            return .failed("\(name): " + failure)
        }
        started = nil
        return nil
    }
}
