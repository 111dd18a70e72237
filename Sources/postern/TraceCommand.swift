import ArgumentParser
import LinuxIO
import LogSources
import MailLog
import Pipeline
import SafeText
import Sigma
import SystemPackage

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Was this sent by us? All that the log says of a message, and what it proves.",
        discussion: """
            Finds the messages that meet all conditions, also those of strangers, follows them through \
            filters, further instances and bounces, and prints for each the verdict, the facts, and the \
            lines that prove it: sent with whose login from where, relayed without a login, come in \
            from elsewhere, or a bounce of a message that never passed here. If nothing is found, it \
            says what time the logs cover.

            The logs are read several times.

            EXAMPLES
              postern trace --message-id '<1f3a@pc.hosted.example>' /var/log/mail.log*
              postern trace --account alice@hosted.example --to @shop.test mail.log
              postern trace --subject 'Not read: Cheap' --since 2026-03-01 /var/log/mail.log
              postern trace --queue-id 4jY8GR4XpWz2NRZh --json mail.log
            """
    )

    @OptionGroup var input: InputOptions

    @Option(name: .long, help: "The login.")
    var account: String?

    @Option(name: .long, help: "A recipient, before or after aliases; or @DOMAIN.")
    var to: String?

    @Option(name: .long, help: "A part of the subject, in whatever case.")
    var subject: String?

    @Option(name: .long, help: "The Message-ID, with or without angle brackets.")
    var messageId: String?

    @Option(name: .long, help: "The server's own ID of the message.")
    var queueId: String?

    @Option(name: .long, help: "Show only so many messages, the newest.")
    var limit = 20

    @Flag(name: .long, help: "Print JSON, one object a line.")
    var json = false

    @Argument(help: "Files, folders, or - for standard input.")
    var inputs: [String]

    func validate() throws {
        if query.isEmpty {
            throw ValidationError(
                "give at least one of --account, --to, --subject, --message-id, --queue-id"
            )
        }
        for (name, value) in [
            ("account", account), ("to", to), ("subject", subject), ("message-id", messageId),
            ("queue-id", queueId),
        ] where value?.isEmpty ?? false {
            throw ValidationError("--\(name) takes a text that is not empty")
        }
        if !(1...10_000).contains(limit) {
            throw ValidationError("--limit takes a number from 1 to 10000")
        }
    }

    private var query: TraceQuery {
        var query = TraceQuery()
        query.account = account
        query.recipient = to
        query.subject = subject
        query.messageID = messageId
        query.queueID = queueId
        query.limit = limit
        return query
    }

    func run() throws {
        let settings = try input.settings()
        let engine = try input.engineSettings(settings, rules: .init())
        var tracer = Tracer(engine)
        tracer.window = input.window
        var spools: [SpooledStream] = []
        var paths: [String] = []
        for path in inputs {
            if let spool = try SpooledStream(path) {
                tracer.hintless.insert(spool.path.string)
                paths.append(spool.path.string)
                spools.append(spool)
            } else {
                paths.append(path)
            }
        }
        let opened = try openAll(paths, engine)
        var bar = ProgressBar(total: opened.totalBytes)
        let result: TraceResult
        do {
            result = try tracer.trace(query, in: chains(of: opened, firstYear: engine.firstYear)) {
                (bytes, _) in
                bar.show(bytes)
            }
        } catch {
            bar.clear()
            throw Failure(error)
        }
        bar.clear()
        for spool in spools { spool.close() }
        let isDamaged = tellNotes(result.notes)
        if result.isOfNoLog {
            throw Failure(noLogIn: result.lineCount)
        }
        show(result)
        if isDamaged { throw Failure(.badData) }
    }

    private func show(_ result: TraceResult) {
        var output = BufferedOutput()
        defer { output.flush() }
        guard !result.traces.isEmpty else {
            if json {
                output.writeLine(result.nothingFoundJSON(query))
            } else {
                output.write(shown(result.nothingFound(query)) + "\n")
            }
            return
        }
        for (index, trace) in result.traces.enumerated() {
            if json {
                for object in trace.json(result, number: index + 1) { output.writeLine(object) }
            } else {
                if index > 0 { output.write("\n") }
                output.write(
                    trace.text(result, isColoured: StandardStream.output.wantsColour)
                )
            }
        }
        let shownCount = min(limit, result.foundCount)
        if result.foundCount > shownCount {
            warn(
                "\(result.foundCount) messages were found, and the newest \(shownCount) are shown; "
                    + "--limit shows more"
            )
        }
    }
}

/// What can be read only once, copied to a file without a name, so that it can be read again.
final class SpooledStream {
    let path: FilePath
    private var file: TemporaryFile?

    /// - Returns: nil if the path names something that can be read again.
    init?(_ name: String) throws {
        let calls = SystemCalls()
        do {
            let stream: Descriptor
            if name == "-" {
                stream = try calls.standardInput()
            } else {
                let kind = try calls.status(of: FilePath(name)).kind
                guard kind != .regular, kind != .folder else { return nil }
                stream = try calls.open(FilePath(name))
            }
            if try stream.status().kind == .regular, name != "-" { return nil }
            var file = try TemporaryFile(in: "/var/tmp")
            try file.append(contentsOf: stream)
            path = file.path
            self.file = consume file
        } catch {
            throw Failure(
                error.cause == .noSuchFileOrDirectory ? .noInput : .failed,
                shown("\(error)")
            )
        }
    }

    func close() { file = nil }
}
