import CLinux
import Glibc
public import SystemPackage

/// Who was at the other end when the connection was made (`SO_PEERCRED`, unix(7)).
public struct PeerIdentity: Sendable, Hashable {
    public var processID: Int32
    public var userID: UInt32

    public init(processID: Int32, userID: UInt32) {
        self.processID = processID
        self.userID = userID
    }
}

/// A Unix stream socket with a name in a folder, to which others connect. Nothing of it blocks.
///
/// The name is reached through `/proc/self/fd`, so the folder's path may be longer than the 107
/// bytes that `sun_path` has room for (unix(7)).
public struct UnixListener: ~Copyable, Sendable {
    let descriptor: Descriptor

    /// Makes the socket, in place of one that a killed process left behind.
    ///
    /// - Parameters:
    ///   - folder: must be there. Who calls owns it: a socket of that name that still is in use loses
    ///     its name.
    ///   - name: of at most 64 bytes.
    ///   - mode: of the socket file, whatever the umask allows of it; connecting needs the right to
    ///     write (unix(7)).
    public init(
        folder: FilePath,
        name: FilePath.Component,
        mode: UInt32,
        calls: SystemCalls = SystemCalls()
    ) throws(SystemCallError) {
        let path = folder.appending(name)
        do {
            try calls.remove(path)
        } catch {
            guard error.cause == .noSuchFileOrDirectory else { throw error }
        }
        let directory = try openFolder(folder, calls)
        let socket = try makeSocket(path, calls)
        // "The permissions … of the newly created socket file" come from the socket's own inode
        // (unix_bind_bsd in net/unix/af_unix.c), so it never is open to others, not for a moment.
        try socket.setMode(mode)
        var address = try unixAddress(directory.number, name, path)
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        _ = try calls.perform(.bind, path) { _ in
            // SAFETY: a `sockaddr_un` may be passed as the `sockaddr` it begins with, with its size.
            unsafe withUnsafePointer(to: &address) { address in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe Int(Glibc.bind(socket.number, address, length))
                }
            }
        }
        _ = try calls.perform(.listen, path) { _ in Int(Glibc.listen(socket.number, 16)) }
        descriptor = socket
    }

    /// Another descriptor of the same socket, for a library that closes it: the caller's.
    public func duplicate() throws(SystemCallError) -> CInt {
        CInt(
            try descriptor.calls.perform(.duplicate, descriptor.path) { _ in
                Int(fcntl(descriptor.number, F_DUPFD_CLOEXEC, 3))
            }
        )
    }

    /// The next connection that waits; nil when none does.
    public func accept() throws(SystemCallError) -> UnixStream? {
        let flags = CInt(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        do {
            let number = try descriptor.calls.perform(.accept, descriptor.path) { _ in
                Int(accept4(descriptor.number, nil, nil, flags))
            }
            return UnixStream(
                Descriptor(owning: CInt(number), calls: descriptor.calls, path: descriptor.path)
            )
        } catch  where error.cause == .wouldBlock || error.cause == .connectionAbort {
            return nil
        }
    }
}

/// A connection by a Unix stream socket. Nothing of it blocks, and no signal comes of it.
public struct UnixStream: ~Copyable, Sendable {
    let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Connects to the socket of that name in a folder.
    ///
    /// - Throws: `noSuchFileOrDirectory` and `connectionRefused` when nobody listens there;
    ///   `wouldBlock` when too many wait to be accepted: try again.
    public init(
        folder: FilePath,
        name: FilePath.Component,
        calls: SystemCalls = SystemCalls()
    ) throws(SystemCallError) {
        let path = folder.appending(name)
        let directory = try openFolder(folder, calls)
        let socket = try makeSocket(path, calls)
        var address = try unixAddress(directory.number, name, path)
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        _ = try calls.perform(.connect, path) { _ in
            // SAFETY: as in ``UnixListener``.
            unsafe withUnsafePointer(to: &address) { address in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe Int(Glibc.connect(socket.number, address, length))
                }
            }
        }
        descriptor = socket
    }

    /// Who connected, or, for who connected, who listens.
    public func peer() throws(SystemCallError) -> PeerIdentity {
        // struct ucred: pid_t, uid_t, gid_t. Declared for _GNU_SOURCE alone.
        var credentials: InlineArray<3, UInt32> = [0, 0, 0]
        var length = socklen_t(12)
        _ = try descriptor.calls.perform(.getsockopt, descriptor.path) { _ in
            // SAFETY: the kernel writes at most the 12 bytes that `length` allows.
            unsafe Int(
                Glibc.getsockopt(descriptor.number, SOL_SOCKET, SO_PEERCRED, &credentials, &length)
            )
        }
        return PeerIdentity(
            processID: Int32(bitPattern: credentials[0]),
            userID: credentials[1]
        )
    }

    /// Reads what is there; 0 when the other end is closed, nil when nothing is there now.
    public func read(
        into bytes: inout [UInt8],
        _ range: Range<Int>
    ) throws(SystemCallError) -> Int? {
        do {
            return try descriptor.read(into: &bytes, range)
        } catch  where error.cause == .wouldBlock {
            return nil
        } catch  where error.cause == .connectionReset {
            return 0
        }
    }

    /// Writes as much of `bytes` as there is room for.
    ///
    /// - Returns: how many bytes; nil when there is no room now.
    public func write(_ bytes: ArraySlice<UInt8>) throws(SystemCallError) -> Int? {
        let part = Array(bytes.prefix(65_536))
        do {
            return try descriptor.calls.perform(.send, descriptor.path, count: part.count) {
                count in
                // SAFETY: `count` is at most the array's count.
                unsafe Glibc.send(descriptor.number, part, count, CInt(MSG_NOSIGNAL))
            }
        } catch  where error.cause == .wouldBlock {
            return nil
        }
    }
}

private func openFolder(
    _ folder: FilePath,
    _ calls: SystemCalls
) throws(SystemCallError) -> Descriptor {
    try calls.open(folder, [.read, .folder])
}

private func makeSocket(
    _ path: FilePath,
    _ calls: SystemCalls
) throws(SystemCallError) -> Descriptor {
    let kind = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let number = try calls.perform(.socket, path) { _ in Int(Glibc.socket(AF_UNIX, kind, 0)) }
    return Descriptor(owning: CInt(number), calls: calls, path: path)
}

/// The address of a name in an open folder.
private func unixAddress(
    _ folder: CInt,
    _ name: FilePath.Component,
    _ path: FilePath
) throws(SystemCallError) -> sockaddr_un {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let text = Array("/proc/self/fd/\(folder)/\(name.string)".utf8)
    guard text.count <= 107 else {
        throw SystemCallError(call: .bind, path: path, cause: .fileNameTooLong)
    }
    // SAFETY: `sun_path` has 108 bytes, zero all; at most 107 are copied into it.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
        unsafe field.copyBytes(from: text)
    }
    return address
}
