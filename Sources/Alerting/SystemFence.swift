import Glibc
import LinuxIO
import Synchronization
import SystemPackage

// The only file of this room that calls the kernel: a thread, a socket, a pipe, the local time.

/// A thread of one sink.
final class SinkThread: Sendable {
    // A `pthread_t` is a number on Linux; it is joined once, by the owner.
    private let thread: pthread_t
    private let start: Start

    /// Runs `body` in a new thread, with all signals blocked: they are for the main thread, and a
    /// pipe without a reader must not end the program.
    init(_ body: @escaping @Sendable () -> Void) throws(DispatcherError) {
        let start = Start(body: body)
        var thread = pthread_t()
        let handed = unsafe Unmanaged.passRetained(start)
        // SAFETY: the retain is taken over by the thread, which starts exactly once.
        let result = unsafe pthread_create(
            &thread,
            nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
                var signals = sigset_t()
                unsafe sigfillset(&signals)
                _ = unsafe pthread_sigmask(SIG_SETMASK, &signals, nil)
                start.body()
                start.hasEnded.store(true, ordering: .releasing)
                return nil
            },
            handed.toOpaque()
        )
        guard result == 0 else {
            unsafe handed.release()
            throw DispatcherError(description: "a sink's thread: " + errorText(result))
        }
        self.thread = thread
        self.start = start
    }

    /// Waits for its end. To be called once.
    func join() { pthread_join(thread, nil) }

    /// Waits for its end until then, in monotonic nanoseconds. To be called in place of ``join()``.
    ///
    /// - Returns: false: it goes on, and nobody waits for it any more.
    func join(until nanoseconds: UInt64) -> Bool {
        while !start.hasEnded.load(ordering: .acquiring) {
            guard Clocks.monotonicNanoseconds() < nanoseconds else {
                pthread_detach(thread)
                return false
            }
            usleep(1_000)
        }
        join()
        return true
    }

    private final class Start: Sendable {
        let body: @Sendable () -> Void
        let hasEnded = Atomic(false)

        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }
}

/// A Unix datagram socket that names its receiver with every datagram, so it finds a receiver
/// that was started again.
final class DatagramSocket: Sendable {
    enum Result: Hashable {
        case sent
        /// The kernel or the receiver's buffer does not take one of this size.
        case tooLong
        /// The socket at that path is not one for datagrams.
        case otherKind
        case failed(String)
    }

    private let number: CInt

    /// Longest path: `sun_path` has 108 bytes with the NUL (unix(7)).
    static let pathBytesMax = 107

    /// - Throws: when the process or the system has no descriptor left.
    init() throws(DispatcherError) {
        number = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw DispatcherError(description: "socket: " + errorText(errno)) }
    }

    deinit { if number >= 0 { close(number) } }

    /// Sends one datagram without waiting.
    ///
    /// - Parameter path: of at most ``pathBytesMax`` bytes, not empty.
    func send(_ bytes: [UInt8], to path: String) -> Result {
        unsafe perform("sendto", path) { address, length in
            // SAFETY: the kernel reads both buffers before the call returns.
            unsafe sendto(
                number,
                bytes,
                bytes.count,
                CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL),
                address,
                length
            )
        }
    }

    /// Whether somebody listens at that path; then datagrams without an address go there.
    func connect(to path: String) -> Result {
        unsafe perform("connect", path) { address, length in
            // SAFETY: the kernel reads the address before the call returns.
            unsafe Int(Glibc.connect(number, address, length))
        }
    }

    private func perform(
        _ name: StaticString,
        _ path: String,
        _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int
    ) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        precondition(!bytes.isEmpty)
        precondition(bytes.count <= Self.pathBytesMax)
        // SAFETY: `sun_path` has 108 bytes, zero all; at most 107 are copied into it.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            unsafe field.copyBytes(from: bytes)
        }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        while true {
            // SAFETY: a `sockaddr_un` may be passed as the `sockaddr` that it begins with (unix(7)),
            // with its own size.
            let result = unsafe withUnsafePointer(to: &address) { address in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe call(address, length)
                }
            }
            if result >= 0 { return .sent }
            let cause = errno
            switch cause {
            case EINTR: continue
            case EMSGSIZE: return .tooLong
            case EPROTOTYPE: return .otherKind
            default: return .failed("\(name): " + errorText(cause))
            }
        }
    }
}

/// A connection to a Unix stream socket.
final class LocalStream: Sendable {
    private let stream: UnixStream

    /// - Parameter path: absolute.
    init(_ path: String) throws(TransferError) {
        let path = FilePath(path)
        guard let name = path.lastComponent else {
            throw TransferError(description: "\(path): this is no path of a socket")
        }
        do {
            stream = try UnixStream(folder: path.removingLastComponent(), name: name)
        } catch {
            throw TransferError(description: "\(error)")
        }
    }

    /// Writes all of it, and waits at most so long for room.
    func send(_ bytes: [UInt8], _ milliseconds: Int) throws(TransferError) {
        let end = Clocks.monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
        var rest = bytes[...]
        do {
            while !rest.isEmpty {
                if let count = try stream.write(rest) {
                    rest = rest.dropFirst(count)
                    continue
                }
                var set = PollSet()
                _ = set.add(stream, forWriting: true)
                let now = Clocks.monotonicNanoseconds()
                guard now < end, try set.wait(atMost: end - now) else {
                    throw TransferError(description: "the socket is full and nobody reads it")
                }
            }
        } catch let error as TransferError {
            throw error
        } catch {
            throw TransferError(description: "\(error)")
        }
    }
}

/// A UDP socket with one receiver, whose "port unreachable" is heard with the datagram after it.
final class NetworkDatagrams: Sendable {
    private let number: CInt
    private let madeNanoseconds: UInt64
    /// A name may lead to another address later; datagrams would never tell.
    private static let ageNanosecondsMax: UInt64 = 60_000_000_000

    /// - Throws: when the name has no address, or no descriptor is left.
    init(host: String, port: Int, _ nowNanoseconds: UInt64) throws(TransferError) {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = CInt(SOCK_DGRAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        // SAFETY: `found` is what getaddrinfo(3) fills, and is freed below.
        let code = unsafe getaddrinfo(host, "\(port)", &hints, &found)
        guard code == 0 else {
            let words = unsafe gai_strerror(code).map { unsafe String(cString: $0) } ?? "\(code)"
            throw TransferError(description: "\(host): \(words)")
        }
        defer { unsafe freeaddrinfo(found) }
        var cause = EADDRNOTAVAIL
        var next = unsafe found
        while let entry = unsafe next?.pointee {
            let kind = CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
            let opened = unsafe socket(entry.ai_family, kind, 0)
            if opened >= 0 {
                // SAFETY: address and length come from getaddrinfo(3).
                if unsafe connect(opened, entry.ai_addr, entry.ai_addrlen) == 0 {
                    number = opened
                    madeNanoseconds = nowNanoseconds
                    return
                }
                cause = errno
                close(opened)
            } else {
                cause = errno
            }
            unsafe next = entry.ai_next
        }
        throw TransferError(description: "\(host):\(port): " + errorText(cause))
    }

    deinit { close(number) }

    func isFresh(at nanoseconds: UInt64) -> Bool {
        nanoseconds &- madeNanoseconds < Self.ageNanosecondsMax
    }

    func send(_ bytes: [UInt8]) -> DatagramSocket.Result {
        while true {
            // SAFETY: `bytes` has as many bytes as it says.
            let sent = unsafe Glibc.send(
                number,
                bytes,
                bytes.count,
                CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)
            )
            if sent >= 0 { return .sent }
            let cause = errno
            switch cause {
            case EINTR: continue
            case EMSGSIZE: return .tooLong
            default: return .failed("send: " + errorText(cause))
            }
        }
    }
}

/// Waits for a TCP socket, which a library owns.
enum SocketWait {
    /// Until it can be written, or read; false when the time is over.
    static func until(_ number: CInt, writable: Bool, milliseconds: Int) -> Bool {
        var poll = pollfd(fd: number, events: Int16(writable ? POLLOUT : POLLIN), revents: 0)
        // SAFETY: one entry, as it says.
        return unsafe Glibc.poll(&poll, 1, CInt(clamping: milliseconds)) > 0
    }

    /// Bytes that the other kernel has not acknowledged (`SIOCOUTQ`, tcp(7)); nil where none can tell.
    static func unacknowledged(_ number: CInt) -> Int? {
        var count: CInt = 0
        // SAFETY: the kernel writes one int.
        return unsafe ioctl(number, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : nil
    }
}

/// Writes to a descriptor that somebody else owns and that may be a pipe whose reader is slow.
struct OutputStream: Sendable {
    enum Result: Hashable {
        /// So many bytes, at least 1.
        case wrote(Int)
        /// There was no room in time.
        case full
        case failed(String)
    }

    let number: CInt

    /// Whether somebody may read what is written.
    var isOpen: Bool {
        var poll = pollfd(fd: number, events: 0, revents: 0)
        // SAFETY: one entry, as it says. The events that are left are errors.
        return unsafe Glibc.poll(&poll, 1, 0) == 0
    }

    /// Writes a part of `bytes`, which are not empty, and waits at most so long for room.
    func write(_ bytes: ArraySlice<UInt8>, waitMilliseconds: CInt) -> Result {
        var poll = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
        // SAFETY: one entry, as it says.
        let ready = unsafe Glibc.poll(&poll, 1, waitMilliseconds)
        if ready == 0 { return .full }
        if ready < 0 { return errno == EINTR ? .full : .failed("poll: " + errorText(errno)) }
        // No more than a page: a pipe that poll(2) calls writable has room for PIPE_BUF bytes, and
        // a longer write would block (pipe(7)).
        let part = Array(bytes.prefix(4_096))
        // SAFETY: `part` has as many bytes as it says.
        let written = unsafe Glibc.write(number, part, part.count)
        if written > 0 { return .wrote(written) }
        let cause = errno
        return cause == EAGAIN || cause == EINTR ? .full : .failed("write: " + errorText(cause))
    }
}

/// Why this process may not run a program; nil: it may.
func executableError(_ path: String) -> String? {
    // SAFETY: a text is passed as one that ends with NUL.
    unsafe access(path, X_OK) == 0 ? nil : errorText(errno)
}

/// Seconds east of UTC of this machine's zone at a moment, seconds since 1970.
public func localSecondsEast(at seconds: Int64) -> Int {
    var moment = time_t(seconds)
    var parts = unsafe tm()
    // SAFETY: both live through the call, which keeps neither.
    guard unsafe localtime_r(&moment, &parts) != nil else { return 0 }
    return unsafe Int(parts.tm_gmtoff)
}

/// This process.
func processID() -> Int32 { getpid() }

/// What an errno means, in English.
func errorText(_ cause: CInt) -> String {
    var text = [CChar](repeating: 0, count: 128)
    // SAFETY: `text` has as many bytes as it says, and the last stays 0.
    guard unsafe strerror_r(cause, &text, text.count - 1) == 0 else { return "error \(cause)" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
