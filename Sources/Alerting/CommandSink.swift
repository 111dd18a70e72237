import LinuxIO
import SafeText
import SystemPackage

/// Alerts to a program of the site: the JSON object, a newline behind it, on its standard input.
///
/// There is no shell, and nothing of an alert is an argument. Exit status 0 is a yes; 65 (`EX_DATAERR`,
/// sysexits.h) says that this alert will never do; after any other, a signal, or the end of its time the
/// same is tried again. What it writes is shown with that.
public struct CommandSink: Sink {
    public let name: String
    private let program: FilePath
    private let arguments: [String]
    private let milliseconds: Int
    public private(set) var lastWords = ""

    /// Bytes of its output that are kept.
    private static let outputBytesMax = 4_096

    /// - Parameters:
    ///   - program: an absolute path.
    ///   - milliseconds: then the program is killed, and what it started in its process group.
    public init(name: String, program: String, arguments: [String], milliseconds: Int) {
        self.name = name
        self.program = FilePath(program)
        self.arguments = arguments
        self.milliseconds = milliseconds
    }

    public mutating func send(_ alert: OutgoingAlert) -> SinkAnswer {
        lastWords = ""
        let run: ProgramRun
        do {
            run = try ProgramRun.run(
                program,
                arguments,
                environment: [
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "POSTERN_ATTEMPT=\(alert.attempt)",
                ],
                input: alert.body + [UInt8(ascii: "\n")],
                joinsError: true,
                milliseconds: milliseconds,
                bytesMax: Self.outputBytesMax
            )
        } catch {
            return .failed("\(error)")
        }
        let words = lastLine(run.output)
        let tail = words.isEmpty ? "" : ": " + words
        switch run.status {
        case 0:
            lastWords = words
            return .accepted
        case 65: return .refused("exit status 65" + tail)
        case .some(let status): return .failed("exit status \(status)" + tail)
        case nil: return .failed("it was killed, or ended by a signal" + tail)
        }
    }
}

/// The last line that is not empty of what a program wrote, safe to show.
func lastLine(_ output: [UInt8]) -> String {
    let line = output.split(separator: UInt8(ascii: "\n")).last { line in
        line.contains { $0 > 0x20 }
    }
    return shown(String(decoding: line ?? [], as: UTF8.self), bytesMax: 200)
}
