import CLinux
import Glibc
public import SystemPackage

/// What a program of the system wrote and how it ended.
public struct ProgramRun: Sendable, Equatable {
    /// Its standard output, as far as it was wanted.
    public var output: [UInt8]
    /// Its exit status; nil when a signal ended it, ours after the time was over among them.
    public var status: Int32?

    /// Runs a program to its end, without a shell: nothing in its arguments has a meaning but to
    /// itself. It leads a process group of its own, and begins with no signal blocked or ignored. It
    /// must be called where SIGPIPE is blocked when there is input.
    ///
    /// - Parameters:
    ///   - program: its path.
    ///   - arguments: without the program's name; bytes up to a NUL.
    ///   - environment: all that it gets, as `NAME=VALUE`.
    ///   - input: for its standard input, which is `/dev/null` without; what it does not read is left.
    ///   - joinsError: its standard error is its output too; else it is `/dev/null`.
    ///   - milliseconds: then it is killed, with its process group.
    ///   - bytesMax: what it writes beyond that is read and forgotten.
    ///   - isCancelled: asked ten times a second; then it is killed as well.
    /// - Throws: when it cannot be started.
    public static func run(
        _ program: FilePath,
        _ arguments: [String],
        environment: [String],
        input: [UInt8]? = nil,
        joinsError: Bool = false,
        milliseconds: Int,
        bytesMax: Int,
        isCancelled: () -> Bool = { false },
        calls: SystemCalls = SystemCalls()
    ) throws(SystemCallError) -> ProgramRun {
        let (output, outputEnd) = try pipe(program, calls)
        let reading = Descriptor(owning: output, calls: calls, path: program)
        let process: pid_t
        let feed: Descriptor
        do {
            // The program's ends; ours must be closed, or their end would never be seen.
            let writing = Descriptor(owning: outputEnd, calls: calls, path: program)
            let (sourceEnd, source) = try pipe(program, calls)
            let inner = Descriptor(owning: sourceEnd, calls: calls, path: program)
            feed = Descriptor(owning: source, calls: calls, path: program)
            process = try spawn(
                program,
                arguments,
                environment,
                source: input == nil ? nil : inner.number,
                output: writing.number,
                joinsError: joinsError,
                calls
            )
        }
        return try collect(
            process,
            reading,
            feed,
            input ?? [],
            milliseconds,
            bytesMax,
            isCancelled,
            calls
        )
    }

    /// A pipe's ends: to read, and to write.
    private static func pipe(
        _ program: FilePath,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> (reading: CInt, writing: CInt) {
        var ends: (CInt, CInt) = (-1, -1)
        _ = try calls.perform(.pipe, program) { _ in
            unsafe withUnsafeMutablePointer(to: &ends) { pointer in
                // SAFETY: a tuple of two CInts lies in memory as pipe2(2) wants its array.
                unsafe pointer.withMemoryRebound(to: CInt.self, capacity: 2) {
                    unsafe Int(pipe2($0, O_CLOEXEC))
                }
            }
        }
        return ends
    }

    private static func spawn(
        _ program: FilePath,
        _ arguments: [String],
        _ environment: [String],
        source: CInt?,
        output: CInt,
        joinsError: Bool,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        // These fail for want of memory alone; then the program is not what it should be and its
        // answer is not understood.
        if let source {
            unsafe posix_spawn_file_actions_adddup2(&actions, source, 0)
        } else {
            unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        if joinsError {
            unsafe posix_spawn_file_actions_adddup2(&actions, output, 2)
        } else {
            unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        let words = unsafe CStringList([program.string] + arguments)
        let variables = unsafe CStringList(environment)
        var process: pid_t = 0
        _ = try calls.perform(.spawn, program) { _ in
            // posix_spawn(3) gives the error itself.
            let error = unsafe program.withPlatformString { path in
                // SAFETY: both lists end with nil and outlive the call.
                unsafe posix_spawn(
                    &process,
                    path,
                    &actions,
                    &attributes,
                    words.pointers,
                    variables.pointers
                )
            }
            guard error != 0 else { return 0 }
            errno = error
            return -1
        }
        return process
    }

    /// How often it is looked whether nobody wants the program any more.
    private static let lookNanoseconds: UInt64 = 100_000_000

    /// Reads until the program has closed its output, and waits for its end; kills it when the time
    /// is over.
    private static func collect(
        _ process: pid_t,
        _ reading: borrowing Descriptor,
        _ feed: consuming Descriptor,
        _ input: [UInt8],
        _ milliseconds: Int,
        _ bytesMax: Int,
        _ isCancelled: () -> Bool,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> ProgramRun {
        let end = Clocks.monotonicNanoseconds() + UInt64(max(0, milliseconds)) * 1_000_000
        var run = ProgramRun(output: [], status: nil)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var rest = input[...]
        var open: Descriptor? = consume feed
        do throws(SystemCallError) {
            while true {
                if rest.isEmpty { open = nil }
                let now = Clocks.monotonicNanoseconds()
                guard now < end, !isCancelled() else { break }
                var poll = PollSet()
                let output = poll.add(reading)
                if let number = open?.number { poll.add(forWriting: number) }
                let wait = min(end - now, lookNanoseconds)
                guard try poll.wait(atMost: wait, calls: calls) else { continue }
                if let number = open?.number, poll.isReady(PollSet.Member(index: 1)) {
                    // No more than a page: what poll(2) calls writable has room for that (pipe(7)).
                    let part = Array(rest.prefix(4_096))
                    // SAFETY: `part` has as many bytes as it says.
                    let count = unsafe Glibc.write(number, part, part.count)
                    // It reads no more.
                    rest = count < 0 ? [] : rest.dropFirst(count)
                }
                guard poll.isReady(output) else { continue }
                let count = try reading.read(into: &buffer, 0..<buffer.count)
                if count == 0 {
                    run.status = Self.wait(process, until: end, isCancelled)
                    return run
                }
                run.output += buffer[..<min(count, max(0, bytesMax - run.output.count))]
            }
        } catch {
            kill(-process, SIGKILL)
            _ = Self.wait(process, until: .max, isCancelled)
            throw error
        }
        kill(-process, SIGKILL)
        _ = Self.wait(process, until: .max, isCancelled)
        return run
    }

    /// Waits until the process has ended; kills it at `end`: monotonic nanoseconds.
    private static func wait(
        _ process: pid_t,
        until end: UInt64,
        _ isCancelled: () -> Bool
    ) -> Int32? {
        var isKilled = end == .max
        while true {
            var status: CInt = 0
            let ended = unsafe waitpid(process, &status, isKilled ? 0 : WNOHANG)
            if ended == process {
                // wait(2): WIFEXITED and WEXITSTATUS.
                return status & 0x7f == 0 ? status >> 8 & 0xff : nil
            }
            if ended < 0, errno != EINTR { return nil }
            if !isKilled, Clocks.monotonicNanoseconds() >= end || isCancelled() {
                kill(-process, SIGKILL)
                isKilled = true
            } else if !isKilled {
                usleep(1_000)
            }
        }
    }
}

/// Strings as C wants a list of them: pointers to copies, the last one nil.
///
/// The copies and the list live as long as this object; nobody else frees them.
@unsafe
private final class CStringList {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        unsafe count = strings.count
        unsafe pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() {
            unsafe pointers.advanced(by: index).initialize(to: strdup(string))
        }
        unsafe pointers.advanced(by: count).initialize(to: nil)
    }

    deinit {
        for index in unsafe 0..<count { unsafe free(pointers[index]) }
        unsafe pointers.deallocate()
    }
}
