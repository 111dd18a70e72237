import ArgumentParser
import Evidence
import Findings
import LinuxIO
import LogSources
import MailEvents
import MailLog
import Pipeline
import SafeText
import Settings
import Sigma
import SystemPackage

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Prints the sends of authenticated accounts, one per message and recipient.",
        discussion: """
            Each event is printed once, with its final outcome, when that is known; those without one \
            come at the end.

            With --follow, files are followed as they are written, through rotation, from their present \
            end, or from --since. An event is printed once it has its outcome, or once its message has \
            left the queue without one; what is still on its way when the command is ended (SIGINT, \
            SIGTERM) is not printed. INPUT is then a file, which need not be there yet, or a pattern in \
            quotes; without any, what the daemon would follow: the sources of --config, else the \
            journal if the mail server logs there, else the usual log.

            EXAMPLES
              postern events /var/log/mail.log
              postern events --json --year 2026 --timezone UTC mail.log | jq -r '."user.name"'
              postern events --follow /var/log/mail.log
              postern events --follow --json --since 2026-03-01 '/var/log/exim4/mainlog*'
              postern events MessageTracking/ trace.csv
            """
    )

    @OptionGroup var input: InputOptions

    @Flag(name: .long, help: "Print events as JSON, one object a line.")
    var json = false

    @Flag(name: .long, help: "Go on with what is written from now on, until SIGINT or SIGTERM.")
    var follow = false

    @Argument(help: "Files, folders, or - for standard input; with --follow, files and patterns.")
    var inputs: [String] = []

    func validate() throws {
        guard follow else {
            if inputs.isEmpty { throw ValidationError("name at least one INPUT, or use --follow") }
            return
        }
        if input.until != nil {
            throw ValidationError("--until and --follow exclude each other")
        }
        if inputs.contains("-") {
            throw ValidationError("standard input cannot be followed; name the file")
        }
    }

    func run() throws {
        if follow {
            try runFollowing()
        } else {
            try runToTheEnd()
        }
    }

    private func runToTheEnd() throws {
        let settings = try input.settings()
        let engine = try input.engineSettings(settings, rules: .init())
        let opened = try openAll(inputs, engine)
        var replay = Replay()
        replay.showsEvents = true
        replay.window = input.window
        var output = EventOutput(json: json)
        // Over events on a terminal it would only flicker.
        var bar =
            StandardStream.output.isTerminal ? nil : ProgressBar(total: opened.totalBytes)
        let summary: ReplaySummary
        do {
            summary = try replay.run(
                chains(of: opened, firstYear: engine.firstYear),
                settings: engine,
                output: &output
            ) { bar?.show($0) }
        } catch {
            bar?.clear()
            output.buffer.flush()
            throw Failure(error)
        }
        bar?.clear()
        output.buffer.flush()
        if tellNotes(summary.notes) { throw Failure(.badData) }
        if summary.scan.isOfNoLog {
            throw Failure(noLogIn: summary.lines)
        }
    }

    // MARK: Following

    private func runFollowing() throws {
        let settings = try input.settings()
        let engine = try input.engineSettings(settings, rules: .init())
        let (sources, patterns) = try followed(settings ?? CheckedSettings())
        let start = input.window.start
        let hold = settings?.mergeHoldSeconds ?? CheckedSettings().mergeHoldSeconds
        var output = EventOutput(json: json)
        do {
            // Before the first thread: they inherit the mask.
            let signals = try SignalQueue([SignalNumber.terminate, SignalNumber.interrupt])
            let names = sources.map(\.name) + patterns.map(\.pattern.pattern.string)
            let follower = try EventFollower(
                engine,
                sources: sources,
                patterns: patterns,
                start: start == .min ? .presentEnd : .time(start),
                holdNanoseconds: UInt64(hold) * 1_000_000_000
            ) { message in
                if case .ready = message {
                    warn("following " + names.map { shown($0) }.joined(separator: ", "))
                } else {
                    message.print()
                }
            }
            try follower.run(
                signals: signals,
                reader: StandardStream.output.isPipe ? StandardStream.output.rawValue : nil,
                output: &output
            ) { $0.buffer.flush() }
        } catch let error as DaemonError {
            throw Failure(error)
        } catch let error as SystemCallError {
            throw Failure(.failed, shown("\(error)"))
        }
    }

    /// The sources that the inputs name, or those of the settings.
    private func followed(
        _ settings: CheckedSettings
    ) throws -> (sources: [FollowedSource], patterns: [FollowedPattern]) {
        // What rotation has put aside is older than now.
        let backfill: Backfill = input.since == nil ? .none : .rotated
        guard !inputs.isEmpty else {
            var (sources, patterns) = try followedSources(settings)
            for index in sources.indices {
                guard case .file(let path, _) = sources[index].kind else { continue }
                sources[index].kind = .file(path, backfill)
            }
            for index in patterns.indices { patterns[index].backfill = .none }
            return (sources, patterns)
        }
        var sources: [FollowedSource] = []
        var patterns: [FollowedPattern] = []
        for input in inputs {
            let path = FilePath(input)
            guard path.lastComponent != nil, !isFolder(path) else {
                throw Failure(
                    .usage,
                    "\(shown(input)): a folder cannot be followed; name its files, or a pattern"
                )
            }
            let pattern = FilePattern(path)
            var files = [path]
            if pattern.isPattern {
                patterns.append(FollowedPattern(pattern: pattern, backfill: .none))
                do {
                    files = try pattern.matches().files
                } catch {
                    throw Failure(.failed, "\(shown(input)): " + shown("\(error.cause)"))
                }
            }
            for file in files where !sources.contains(where: { $0.name == file.string }) {
                sources.append(FollowedSource(name: file.string, kind: .file(file, backfill)))
            }
        }
        return (sources, patterns)
    }
}

private struct EventOutput: EngineOutput {
    private let text: EventText?
    var buffer = BufferedOutput()

    init(json: Bool) {
        guard !json else {
            text = nil
            return
        }
        let text = EventText(
            isColoured: StandardStream.output.wantsColour,
            width: StandardStream.output.columns
        )
        self.text = text
        buffer.write(text.head)
    }

    mutating func finished(_ event: SendEvent, record: String) {
        if let text {
            buffer.write(text.line(event))
        } else {
            buffer.writeLine(event.json(record: record, timestamp: event.submittedMicroseconds))
        }
    }

    mutating func changed(_ alert: Alert, bundle: BundleContents?) {}

    mutating func raised(_ notice: Notice) {
        warn("\(notice.name): \(shown(notice.message))")
    }
}
