import Glibc
public import SystemPackage

/// An open file, pipe or kernel object, closed when this value ends.
///
/// It is the fence around file descriptors: the number never leaves the room, there is one owner,
/// and buffers are arrays whose bounds are checked before the kernel writes into them.
///
/// Closing reports nothing: what must be on disk is synced before (``sync()``).
public struct Descriptor: ~Copyable, Sendable {
    let number: CInt
    let calls: SystemCalls
    /// As it was named when it was opened, for errors; absent for kernel objects.
    public let path: FilePath?

    /// Takes over an open descriptor.
    init(owning number: CInt, calls: SystemCalls, path: FilePath?) {
        self.number = number
        self.calls = calls
        self.path = path
    }

    deinit { close(number) }

    /// Reads what is there, at most `range.count` bytes, at the descriptor's position.
    ///
    /// - Parameters:
    ///   - bytes: storage of the caller.
    ///   - range: where in `bytes` to put it; not empty.
    /// - Returns: how many bytes were read: at least 1, or 0 at the end.
    public func read(
        into bytes: inout [UInt8],
        _ range: Range<Int>
    ) throws(SystemCallError) -> Int {
        precondition(!range.isEmpty)
        precondition(range.lowerBound >= 0)
        precondition(range.upperBound <= bytes.count)
        return try calls.perform(.read, path, count: range.count) { count in
            unsafe bytes.withUnsafeMutableBytes { buffer in
                // SAFETY: `range` lies within the buffer and `count` is at most its count.
                unsafe Glibc.read(
                    number,
                    buffer.baseAddress.map { unsafe $0 + range.lowerBound },
                    count
                )
            }
        }
    }

    /// Reads at `offset` and leaves the position alone; otherwise like ``read(into:_:)``.
    public func read(
        into bytes: inout [UInt8],
        _ range: Range<Int>,
        at offset: UInt64
    ) throws(SystemCallError) -> Int {
        precondition(!range.isEmpty)
        precondition(range.lowerBound >= 0)
        precondition(range.upperBound <= bytes.count)
        precondition(offset <= UInt64(Int64.max))
        return try calls.perform(.pread, path, count: range.count) { count in
            unsafe bytes.withUnsafeMutableBytes { buffer in
                // SAFETY: as above.
                unsafe pread(
                    number,
                    buffer.baseAddress.map { unsafe $0 + range.lowerBound },
                    count,
                    off_t(offset)
                )
            }
        }
    }

    /// Reads up to `count` bytes at `offset`, fewer only at the end of the file.
    public func readFully(count: Int, at offset: UInt64) throws(SystemCallError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = try read(into: &bytes, filled..<count, at: offset + UInt64(filled))
            if got == 0 { break }
            filled += got
        }
        bytes.removeLast(count - filled)
        return bytes
    }

    /// Writes all of `bytes` at the descriptor's position, in as many calls as it takes.
    ///
    /// When it throws, a part may have been written.
    public func writeAll(_ bytes: some Collection<UInt8>) throws(SystemCallError) {
        let bytes = Array(bytes)
        var written = 0
        while written < bytes.count {
            written += try calls.perform(.write, path, count: bytes.count - written) { count in
                unsafe bytes.withUnsafeBytes { buffer in
                    // SAFETY: `written + count` is at most the buffer's count.
                    unsafe write(number, buffer.baseAddress.map { unsafe $0 + written }, count)
                }
            }
        }
    }

    /// What the kernel says of it now.
    public func status() throws(SystemCallError) -> FileStatus {
        var raw = stat()
        _ = try calls.perform(.fstat, path) { _ in unsafe Int(fstat(number, &raw)) }
        return FileStatus(raw)
    }

    /// Waits until data and metadata are on the disk.
    public func sync() throws(SystemCallError) {
        _ = try calls.perform(.fsync, path) { _ in Int(fsync(number)) }
    }

    /// Waits until the data, and what is needed to read it, is on the disk.
    public func syncData() throws(SystemCallError) {
        _ = try calls.perform(.fdatasync, path) { _ in Int(fdatasync(number)) }
    }

    /// Cuts or extends the file to `size` bytes.
    public func truncate(to size: UInt64) throws(SystemCallError) {
        _ = try calls.perform(.ftruncate, path) { _ in
            Int(ftruncate(number, off_t(clamping: size)))
        }
    }

    /// Sets the permission bits, whatever the umask.
    public func setMode(_ mode: UInt32) throws(SystemCallError) {
        _ = try calls.perform(.chmod, path) { _ in Int(fchmod(number, mode)) }
    }

    /// Takes the exclusive `flock`, which the kernel gives back when the process ends, however it
    /// ends.
    ///
    /// - Returns: false when another open file description holds it.
    public func tryLock() throws(SystemCallError) -> Bool {
        do {
            _ = try calls.perform(.flock, path) { _ in Int(flock(number, LOCK_EX | LOCK_NB)) }
            return true
        } catch  where error.cause == .wouldBlock {
            return false
        }
    }

    /// Another descriptor of the same open file: both have one position (dup(2)).
    public func duplicate() throws(SystemCallError) -> Descriptor {
        let number = try calls.perform(.duplicate, path) { _ in
            Int(fcntl(self.number, F_DUPFD_CLOEXEC, 3))
        }
        return Descriptor(owning: CInt(number), calls: calls, path: path)
    }

    /// Puts the position, at which ``read(into:_:)`` reads, back to the first byte.
    public func rewind() throws(SystemCallError) {
        _ = try calls.perform(.lseek, path) { _ in Int(lseek(number, 0, SEEK_SET)) }
    }

    /// Tells the kernel that the file is read once from front to back; a hint that cannot fail in
    /// a way that matters.
    public func willReadSequentially() {
        _ = posix_fadvise(number, 0, 0, POSIX_FADV_SEQUENTIAL)
    }
}
