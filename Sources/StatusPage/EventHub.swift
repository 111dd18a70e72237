import Synchronization

/// Hands each alert to all who listen. A listener that does not keep up is let go: its page connects
/// again and reads what it missed.
final class EventHub: Sendable {
    private struct State {
        var listeners: [UInt64: AsyncStream<[UInt8]>.Continuation] = [:]
        var nextNumber: UInt64 = 0
        var isOver = false
    }

    private let state = Mutex(State())
    private let listenersMax: Int
    private let waitingMax: Int

    /// - Parameters:
    ///   - listenersMax: at one time.
    ///   - waitingMax: messages that a listener may be behind.
    init(listenersMax: Int, waitingMax: Int = 64) {
        self.listenersMax = listenersMax
        self.waitingMax = waitingMax
    }

    /// Messages from now on; nil when too many listen. The stream ends when its reader is too slow.
    func listen() -> AsyncStream<[UInt8]>? {
        let (stream, continuation) = AsyncStream.makeStream(
            of: [UInt8].self,
            bufferingPolicy: .bufferingOldest(waitingMax)
        )
        let number = state.withLock { state -> UInt64? in
            guard !state.isOver, state.listeners.count < listenersMax else { return nil }
            state.nextNumber += 1
            state.listeners[state.nextNumber] = continuation
            return state.nextNumber
        }
        guard let number else { return nil }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners.removeValue(forKey: number) }
        }
        return stream
    }

    /// Never waits.
    func send(_ message: [UInt8]) {
        let listeners = state.withLock { Array($0.listeners.values) }
        for listener in listeners {
            switch listener.yield(message) {
            case .dropped, .terminated: listener.finish()
            case .enqueued: break
            @unknown default: listener.finish()
            }
        }
    }

    /// Lets all go, and takes nobody any more.
    func end() {
        let listeners = state.withLock { state in
            state.isOver = true
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.finish() }
    }

    var count: Int { state.withLock { $0.listeners.count } }
}
