import Synchronization

/// One alert to one sink, without an outbox.
public enum SinkTrial {
    /// Sends it, in a thread as sinks have one, and waits.
    ///
    /// - Returns: the answer, and what the other side said when it took it.
    /// - Throws: when the kernel has no thread left.
    public static func send(
        _ alert: OutgoingAlert,
        to sink: any Sink
    ) throws(DispatcherError) -> (answer: SinkAnswer, words: String) {
        let result = TrialResult()
        let thread = try SinkThread {
            var sink = sink
            let answer = sink.send(alert)
            let words = sink.lastWords
            result.value.withLock { $0 = (answer, words) }
        }
        thread.join()
        return result.value.withLock { $0 }
    }

    private final class TrialResult: Sendable {
        let value = Mutex<(SinkAnswer, String)>((.failed("nothing was sent"), ""))
    }
}
