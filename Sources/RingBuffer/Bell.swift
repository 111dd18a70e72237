import CLinux
import Glibc
public import Synchronization

/// Where one thread sleeps until another has something for it: an eventfd and a flag that says
/// whether anybody listens.
///
/// A bell belongs to the one thread that parks on it, and serves any number of rings: the engine
/// has one for the rings of all sources. Any thread may ring it. While nobody is parked a ring
/// costs one exchange and no system call.
///
/// # No wake-up is lost
///
/// The thread that parks exchanges `true` into `parked` and *then* looks once more; a thread that
/// rings stores what it has (a ring's index, a flag) *first* and then exchanges `false`. Both
/// exchanges change the same variable, so one comes before the other:
///
/// 1. The ringer's comes later. It reads `true`, and writes the eventfd.
/// 2. The ringer's comes earlier. Nothing but exchanges ever changes `parked`, so the parker's one
///    reads it directly or through a chain of exchanges, and what the ringer stored before is
///    visible to the look that follows.
///
/// A ringer that comes second among several reads `false` and writes nothing: the eventfd is
/// written already or is about to be, and the parker looks at everything when it wakes. The proof
/// needs no fence, which is why ThreadSanitizer can follow it.
public final class Bell: Sendable {
    /// Why a thread that wanted to park goes on.
    @frozen
    public enum Wake: Sendable, Hashable {
        /// The last look found something to do; the thread did not sleep.
        case ready
        /// The bell was rung. Once in a while for something that an earlier look has already found.
        case rung
        /// The extra descriptor became readable, was hung up, or has an error to tell.
        case readable
        /// The time was up.
        case timedOut
        /// A signal handler ran in this thread.
        case interrupted
    }

    /// Becomes readable when the bell is rung for a parked thread. Only for waiting on it inside
    /// ``park(unless:waiting:)``; the bell reads and closes it.
    public let fileDescriptor: CInt

    @usableFromInline let paddingBeforeParked = LinePadding()
    /// True from the moment before the parker's last look until somebody rings or it wakes by
    /// itself. Changed by exchanges only; the proof above rests on it.
    @usableFromInline let parked = OwnLine(Atomic(false))

    /// A bell that nobody listens to yet.
    ///
    /// - Throws: ``BellError`` when the process or the system is out of descriptors or memory.
    public init() throws(BellError) {
        fileDescriptor = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
        if fileDescriptor < 0 { throw BellError(systemCall: "eventfd", cause: errno) }
    }

    deinit { close(fileDescriptor) }

    /// Wakes the thread that is parked here, if there is one.
    ///
    /// Call it after the store that the parked thread's condition reads.
    @inlinable
    public func ring() {
        if parked.value.exchange(false, ordering: .sequentiallyConsistent) { writeEvent() }
    }

    /// Sleeps until the bell is rung, unless the last look finds that there is something to do.
    ///
    /// May return for no visible reason, so it stands in a loop that looks at everything:
    ///
    ///     while !stopped {
    ///         for source in sources { source.drain() }
    ///         bell.park(unless: { stopped || sources.contains { $0.consumer.isReady } })
    ///     }
    ///
    /// - Parameters:
    ///   - ready: The last look, at everything that this bell is rung for. Called once.
    ///   - descriptor: Ends the sleep too when it can be read. An epoll descriptor makes many into
    ///     one. While `ready` holds it is not looked at.
    ///   - timeoutMilliseconds: The longest sleep, from 0; nil sleeps as long as it takes. More
    ///     than `CInt.max` (24 days) ends there.
    @discardableResult
    public func park(
        unless ready: () -> Bool,
        orReadable descriptor: CInt? = nil,
        timeoutMilliseconds: Int? = nil
    ) -> Wake {
        var wake = Wake.ready
        park(unless: ready) { bell in
            wake = waitUntilReadable(bell, descriptor, timeoutMilliseconds: timeoutMilliseconds)
        }
        return wake
    }

    /// Parks in the caller's own way of waiting, as on an epoll set that `fileDescriptor` is in.
    ///
    /// - Parameters:
    ///   - ready: The last look, as in ``park(unless:orReadable:timeoutMilliseconds:)``.
    ///   - wait: Called with ``fileDescriptor`` when `ready` was false. It returns when that
    ///     descriptor is readable, or earlier; it does not read it. What it throws goes on to the
    ///     caller, with the bell in order.
    /// - Returns: Whether `wait` was called.
    @discardableResult
    public func park<Failure: Error>(
        unless ready: () -> Bool,
        waiting wait: (CInt) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        let wasParked = parked.value.exchange(true, ordering: .sequentiallyConsistent)
        precondition(!wasParked, "Two threads park on one bell")
        // An exchange and not a store: see case 2 of the proof.
        defer { _ = parked.value.exchange(false, ordering: .sequentiallyConsistent) }
        if ready() { return false }
        // Also when the bell was not what ended the wait: an event left behind by a ringer that was
        // slower than an earlier `ready` would end every later wait at once.
        defer { readEvent() }
        try wait(fileDescriptor)
        return true
    }

    /// Makes `fileDescriptor` readable.
    @usableFromInline
    func writeEvent() {
        var one: UInt64 = 1
        // SAFETY: the kernel reads 8 bytes, the size of `one`, before the call returns.
        while unsafe write(fileDescriptor, &one, MemoryLayout<UInt64>.size) < 0 {
            // The count would have to reach 2^64 - 1 for EAGAIN (eventfd(2)); a parked thread is
            // rung once. What is left is a descriptor that somebody else closed.
            precondition(errno == EINTR, "The bell's eventfd cannot be written")
        }
    }

    /// Makes `fileDescriptor` unreadable again, if it was readable.
    private func readEvent() {
        var count: UInt64 = 0
        // SAFETY: the kernel writes 8 bytes, the size of `count`, before the call returns.
        while unsafe read(fileDescriptor, &count, MemoryLayout<UInt64>.size) < 0 {
            if errno == EAGAIN { return }  // nobody rang
            precondition(errno == EINTR, "The bell's eventfd cannot be read")
        }
    }
}

/// Sleeps in poll(2) until the bell or the other descriptor is readable.
private func waitUntilReadable(
    _ bell: CInt,
    _ descriptor: CInt?,
    timeoutMilliseconds: Int?
) -> Bell.Wake {
    precondition(timeoutMilliseconds ?? 0 >= 0, "A time-out cannot be negative")
    // "If this field is negative, then the corresponding events field is ignored" (poll(2)).
    var watched: InlineArray<2, pollfd> = [
        pollfd(fd: bell, events: Int16(POLLIN), revents: 0),
        pollfd(fd: descriptor ?? -1, events: Int16(POLLIN), revents: 0),
    ]
    let timeout = timeoutMilliseconds.map { CInt(clamping: $0) } ?? -1
    var span = watched.mutableSpan
    // SAFETY: the buffer is the two entries of `watched`, and poll keeps no pointer to it.
    let count = unsafe span.withUnsafeMutableBufferPointer { entries in
        unsafe poll(entries.baseAddress, nfds_t(entries.count), timeout)
    }
    if count < 0 {
        // ENOMEM is for tables of many pages; two entries stand on the kernel's stack.
        precondition(errno == EINTR, "The bell cannot be waited for")
        return .interrupted
    }
    if count == 0 { return .timedOut }
    precondition(watched[0].revents & Int16(POLLNVAL) == 0, "The bell's eventfd was closed")
    precondition(watched[1].revents & Int16(POLLNVAL) == 0, "A closed descriptor is waited for")
    return watched[0].revents != 0 ? .rung : .readable
}

/// A bell could not be made.
public struct BellError: Error, Sendable {
    /// What to do depends on this: close descriptors, or give the machine memory.
    public enum Code: Sendable, Hashable {
        /// The process (`LimitNOFILE=`) or the system has no descriptor left.
        case descriptorsExhausted
        /// The kernel has no memory left, or nowhere to put its anonymous inodes.
        case memoryExhausted
    }

    public let code: Code
    public let systemCall: StaticString
    /// The errno of the call.
    public let cause: CInt

    /// - Parameter cause: one of the errnos of eventfd(2); EINVAL can only be our own mistake.
    init(systemCall: StaticString, cause: CInt) {
        precondition(cause != EINVAL, "The kernel refuses the flags of the bell's eventfd")
        code = cause == EMFILE || cause == ENFILE ? .descriptorsExhausted : .memoryExhausted
        self.systemCall = systemCall
        self.cause = cause
    }
}
