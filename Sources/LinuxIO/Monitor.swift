import Glibc

/// A value that several threads change one at a time, and whose change they can wait for: a mutex
/// with one condition (pthread_cond_wait(3)).
///
/// It is for long-lived threads that hand each other big buffers, where a system call a buffer
/// costs nothing; who waits sleeps in the kernel.
///
/// Sharing it is safe because `value` is touched only while the mutex is held. Mutex and condition
/// have an address of their own, which pthread requires, and are destroyed with the monitor, when
/// nobody can wait any more: who waits holds a reference.
@safe
public final class Monitor<Value: Sendable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var value: Value

    public init(_ value: Value) {
        self.value = value
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        let mutexResult = unsafe pthread_mutex_init(mutex, nil)
        precondition(mutexResult == 0)
        let conditionResult = unsafe pthread_cond_init(condition, nil)
        precondition(conditionResult == 0)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Looks at the value, or changes it, and wakes all who wait if `body` says so.
    ///
    /// - Parameter body: gives what to return, and whether others may be waiting for what it did.
    ///   It must not come back to this monitor.
    public func change<Result>(_ body: (inout Value) -> (Result, wakes: Bool)) -> Result {
        lock()
        defer { unlock() }
        let (result, wakes) = body(&value)
        if wakes { unsafe pthread_cond_broadcast(condition) }
        return result
    }

    /// Waits until `body` gives something; it is asked again after each waking change.
    ///
    /// What it gives comes with whether others may wait for what it did to the value.
    public func wait<Result>(_ body: (inout Value) -> (Result, wakes: Bool)?) -> Result {
        lock()
        defer { unlock() }
        while true {
            if let (result, wakes) = body(&value) {
                if wakes { unsafe pthread_cond_broadcast(condition) }
                return result
            }
            let waited = unsafe pthread_cond_wait(condition, mutex)
            precondition(waited == 0)
        }
    }

    private func lock() {
        let result = unsafe pthread_mutex_lock(mutex)
        precondition(result == 0)
    }

    private func unlock() {
        let result = unsafe pthread_mutex_unlock(mutex)
        precondition(result == 0)
    }
}

/// How many processors are online (sysconf(3)); at least 1.
public func onlineProcessorCount() -> Int { max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN))) }
