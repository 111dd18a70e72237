/// Alerts to a program of the site: the JSON object, a newline behind it, on its standard input.
///
/// There is no shell, and nothing of an alert is an argument. Exit status 0 is a yes; 65 (`EX_DATAERR`,
/// sysexits.h) says that this alert will never do; after any other, a signal, or the end of its time the
/// same is tried again. What it writes is shown with that.
public struct CommandSink: Sink {
    public let name: String
    private var program: SinkProgram
    public private(set) var lastWords = ""

    /// - Parameters:
    ///   - program: an absolute path.
    ///   - milliseconds: then the program is killed, and what it started in its process group.
    public init(name: String, program: String, arguments: [String], milliseconds: Int) {
        self.name = name
        self.program = SinkProgram(
            path: program,
            arguments: arguments,
            milliseconds: milliseconds
        )
    }

    public mutating func heed(_ leave: SinkLeave) { program.leave = leave }

    public mutating func send(_ alert: OutgoingAlert) -> SinkAnswer {
        lastWords = ""
        let end: SinkProgram.End
        do {
            end = try program.run(
                alert.body + [UInt8(ascii: "\n")],
                environment: [
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "POSTERN_ATTEMPT=\(alert.attempt)",
                ]
            )
        } catch {
            return .failed("\(error)")
        }
        switch end.status {
        case 0:
            lastWords = end.words
            return .accepted
        case 65: return .refused("exit status 65" + end.tail)
        case .some(let status): return .failed("exit status \(status)" + end.tail)
        case nil: return .failed("it was killed, or ended by a signal" + end.tail)
        }
    }

    public mutating func reach() -> SinkAnswer { program.reach() }
}
