import Glibc
import Synchronization

/// A thread with a value of its own. Tests block in it, which tasks must not.
final class Worker {
    private let thread: pthread_t

    /// Moves `value` into a new thread and runs `body` there.
    init<Value: ~Copyable & Sendable>(
        with value: consuming Value,
        _ body: @escaping @Sendable (consuming Value) -> Void
    ) {
        let handed = Handover(value)
        let start = Start { if let value = handed.take() { body(value) } }
        var thread = pthread_t()
        // SAFETY: the retain is taken over by the thread, which starts exactly once.
        let result = unsafe pthread_create(
            &thread,
            nil,
            { raw in
                if let raw = unsafe raw {
                    unsafe Unmanaged<Start>.fromOpaque(raw).takeRetainedValue().body()
                }
                return nil
            },
            Unmanaged.passRetained(start).toOpaque()
        )
        precondition(result == 0, "No thread to be had")
        self.thread = thread
    }

    /// Waits for its end. To be called once.
    func join() { pthread_join(thread, nil) }

    private final class Start: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Emptied once: an escaping closure cannot consume what it captures.
    private final class Handover<Value: ~Copyable & Sendable>: Sendable {
        private let value: Mutex<Value?>
        init(_ value: consuming Value) { self.value = Mutex(value) }
        func take() -> Value? { value.withLock { $0.take() } }
    }
}
