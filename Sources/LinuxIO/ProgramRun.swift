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
    /// itself. Standard input and error are `/dev/null`.
    ///
    /// - Parameters:
    ///   - program: its path.
    ///   - arguments: without the program's name; bytes up to a NUL.
    ///   - environment: all that it gets, as `NAME=VALUE`.
    ///   - milliseconds: then it is killed.
    ///   - bytesMax: what it writes beyond that is read and forgotten.
    /// - Throws: when it cannot be started.
    public static func run(
        _ program: FilePath,
        _ arguments: [String],
        environment: [String],
        milliseconds: Int,
        bytesMax: Int,
        calls: SystemCalls = SystemCalls()
    ) throws(SystemCallError) -> ProgramRun {
        var ends: (CInt, CInt) = (-1, -1)
        _ = try calls.perform(.pipe, program) { _ in
            unsafe withUnsafeMutablePointer(to: &ends) { pointer in
                // SAFETY: a tuple of two CInts lies in memory as pipe2(2) wants its array.
                unsafe pointer.withMemoryRebound(to: CInt.self, capacity: 2) {
                    unsafe Int(pipe2($0, O_CLOEXEC))
                }
            }
        }
        let reading = Descriptor(owning: ends.0, calls: calls, path: program)
        let process: pid_t
        do {
            let writing = Descriptor(owning: ends.1, calls: calls, path: program)
            process = try spawn(program, arguments, environment, writing, calls)
        }
        return try collect(process, reading, milliseconds, bytesMax, calls)
    }

    private static func spawn(
        _ program: FilePath,
        _ arguments: [String],
        _ environment: [String],
        _ output: borrowing Descriptor,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        // These fail for want of memory alone; then the program is not what it should be and its
        // answer is not understood.
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output.number, 1)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
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
                    nil,
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

    /// Reads until the program has closed its output, and waits for its end; kills it when the time
    /// is over.
    private static func collect(
        _ process: pid_t,
        _ reading: borrowing Descriptor,
        _ milliseconds: Int,
        _ bytesMax: Int,
        _ calls: SystemCalls
    ) throws(SystemCallError) -> ProgramRun {
        let end = Clocks.monotonicNanoseconds() + UInt64(max(0, milliseconds)) * 1_000_000
        var run = ProgramRun(output: [], status: nil)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        do throws(SystemCallError) {
            while true {
                let now = Clocks.monotonicNanoseconds()
                guard now < end else { break }
                var poll = PollSet()
                _ = poll.add(reading)
                guard try poll.wait(atMost: end - now, calls: calls) else { break }
                let count = try reading.read(into: &buffer, 0..<buffer.count)
                if count == 0 {
                    run.status = wait(process, until: end)
                    return run
                }
                run.output += buffer[..<min(count, max(0, bytesMax - run.output.count))]
            }
        } catch {
            kill(process, SIGKILL)
            _ = wait(process, until: .max)
            throw error
        }
        kill(process, SIGKILL)
        _ = wait(process, until: .max)
        return run
    }

    /// Waits until the process has ended; kills it at `end`: monotonic nanoseconds.
    private static func wait(_ process: pid_t, until end: UInt64) -> Int32? {
        var isKilled = end == .max
        while true {
            var status: CInt = 0
            let ended = unsafe waitpid(process, &status, isKilled ? 0 : WNOHANG)
            if ended == process {
                // wait(2): WIFEXITED and WEXITSTATUS.
                return status & 0x7f == 0 ? status >> 8 & 0xff : nil
            }
            if ended < 0, errno != EINTR { return nil }
            if !isKilled, Clocks.monotonicNanoseconds() >= end {
                kill(process, SIGKILL)
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
