import LinuxIO
import SafeText
import Synchronization
import SystemPackage

/// That the program ends: who waits for somebody else leaves at once.
public final class SinkLeave: Sendable {
    private let flag = Atomic(false)

    public init() {}

    var isSet: Bool { flag.load(ordering: .acquiring) }

    func set() { flag.store(true, ordering: .releasing) }
}

/// A program that a sink gives something to on its standard input.
struct SinkProgram: Sendable {
    let path: String
    let arguments: [String]
    /// Then it is killed, and what it started in its process group.
    let milliseconds: Int
    /// When it is set the program is killed too.
    var leave = SinkLeave()

    /// How it ended, and the last line that it wrote, safe to show, behind a colon; empty: none.
    struct End {
        /// Nil: by a signal, or killed.
        var status: Int32?
        var words: String
        var tail: String { words.isEmpty ? "" : ": " + words }
    }

    /// Bytes of its output that are kept.
    private static let outputBytesMax = 4_096

    func run(_ input: [UInt8], environment: [String]) throws(SystemCallError) -> End {
        let leave = leave
        let run = try ProgramRun.run(
            FilePath(path),
            arguments,
            environment: environment,
            input: input,
            joinsError: true,
            milliseconds: milliseconds,
            bytesMax: Self.outputBytesMax,
            isCancelled: { leave.isSet }
        )
        return End(status: run.status, words: lastLine(run.output))
    }

    /// Whether it is there and may be run.
    func reach() -> SinkAnswer {
        executableError(path).map { .failed("\(path): \($0)") } ?? .accepted
    }
}

/// The last line that is not empty of what a program wrote, safe to show.
private func lastLine(_ output: [UInt8]) -> String {
    let line = output.split(separator: UInt8(ascii: "\n")).last { line in
        line.contains { $0 > 0x20 }
    }
    return shown(String(decoding: line ?? [], as: UTF8.self), bytesMax: 200)
}
