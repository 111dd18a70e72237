import Glibc

/// A few descriptors to wait on together.
///
/// It holds numbers only: whoever fills it keeps the descriptors open meanwhile. One that was
/// closed shows as ready and harms nothing else.
public struct PollSet: Sendable {
    /// Names a descriptor within its set.
    public struct Member: Hashable, Sendable {
        let index: Int
    }

    private var items: [pollfd] = []

    public init() {}

    /// Adds a descriptor that is ready when it can be read or has been hung up.
    public mutating func add(_ descriptor: borrowing Descriptor) -> Member {
        items.append(pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0))
        return Member(index: items.count - 1)
    }

    public mutating func add(_ counter: borrowing EventCounter) -> Member {
        add(counter.descriptor)
    }

    /// Adds a descriptor that a C library owns, by its number; ready as with ``add(_:)``.
    public mutating func add(libraryDescriptor number: CInt) -> Member {
        items.append(pollfd(fd: number, events: Int16(POLLIN), revents: 0))
        return Member(index: items.count - 1)
    }

    /// Adds a descriptor that is ready when it can be written or nobody reads it.
    mutating func add(forWriting number: CInt) {
        items.append(pollfd(fd: number, events: Int16(POLLOUT), revents: 0))
    }

    /// Adds a listener that is ready when somebody wants to be connected.
    public mutating func add(_ listener: borrowing UnixListener) -> Member {
        add(listener.descriptor)
    }

    /// Adds a connection that is ready when it can be read, or written, or has been hung up.
    public mutating func add(_ stream: borrowing UnixStream, forWriting: Bool) -> Member {
        let events = Int16(forWriting ? POLLOUT : POLLIN)
        items.append(pollfd(fd: stream.descriptor.number, events: events, revents: 0))
        return Member(index: items.count - 1)
    }

    public mutating func add(_ watch: borrowing FileWatch) -> Member { add(watch.descriptor) }

    public mutating func add(_ signals: borrowing SignalQueue) -> Member {
        add(signals.descriptor)
    }

    /// Waits until a member is ready or the time is over.
    ///
    /// - Parameters:
    ///   - nanoseconds: how long at most, rounded up to milliseconds and to 24 days at most; nil
    ///     waits for ever. A signal does not prolong it.
    /// - Returns: whether a member is ready.
    public mutating func wait(
        atMost nanoseconds: UInt64?,
        calls: SystemCalls = SystemCalls()
    ) throws(SystemCallError) -> Bool {
        let start = Clocks.monotonicNanoseconds()
        let ready = try calls.perform(.poll, nil) { _ in
            for index in items.indices { items[index].revents = 0 }
            var milliseconds: CInt = -1
            if let nanoseconds {
                let elapsed = Clocks.monotonicNanoseconds() - start
                let left = nanoseconds > elapsed ? nanoseconds - elapsed : 0
                // Rounded up: a wait that ends too early would only be begun again.
                milliseconds = CInt(clamping: left / 1_000_000 + (left % 1_000_000 > 0 ? 1 : 0))
            }
            return Int(unsafe Glibc.poll(&items, nfds_t(items.count), milliseconds))
        }
        return ready > 0
    }

    /// Whether the last ``wait(atMost:calls:)`` found `member` ready.
    public func isReady(_ member: Member) -> Bool { items[member.index].revents != 0 }
}
