import CLinux
import Glibc

/// A POSIX thread that runs one closure to its end.
///
/// Long-lived loops that block in the kernel do not belong on Swift's cooperative threads.
public final class WorkerThread: Sendable {
    private final class Start: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private let handle: pthread_t

    /// Starts the thread. It blocks all signals: those are the main thread's.
    public init(_ body: @escaping @Sendable () -> Void) {
        // The thread takes the reference over and lets it go when the closure has ended.
        let start = unsafe Unmanaged.passRetained(Start(body))
        var handle = pthread_t()
        var everySignal = sigset_t()
        var before = sigset_t()
        _ = unsafe sigfillset(&everySignal)
        _ = unsafe pthread_sigmask(SIG_SETMASK, &everySignal, &before)
        let result = unsafe pthread_create(
            &handle,
            nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                start.body()
                return nil
            },
            unsafe start.toOpaque()
        )
        _ = unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        precondition(result == 0, "the system gave no thread")
        self.handle = handle
    }

    /// Waits until the closure has ended. To be called once.
    public func join() {
        let result = pthread_join(handle, nil)
        precondition(result == 0, "a thread is joined once")
    }
}
