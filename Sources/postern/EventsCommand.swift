import ArgumentParser
import Evidence
import Findings
import MailEvents
import MailLog
import Pipeline
import SafeText
import Sigma

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Prints the sends of authenticated accounts, one per message and recipient.",
        discussion: """
            Each event is printed once, with its final outcome, when that is known; those without one \
            come at the end.

            EXAMPLES
              postern events /var/log/mail.log
              postern events --json --year 2026 --timezone UTC mail.log | jq -r '."user.name"'
            """
    )

    @OptionGroup var input: InputOptions

    @Flag(name: .long, help: "Print events as JSON, one object a line.")
    var json = false

    @Argument(help: "Files, folders, or - for standard input.")
    var inputs: [String]

    func run() throws {
        let settings = try input.settings()
        let engine = try input.engineSettings(settings, rules: .init())
        let opened = try openAll(inputs, engine)
        var replay = Replay()
        replay.showsEvents = true
        replay.window = input.window
        var output = EventOutput(json: json)
        let summary: ReplaySummary
        do {
            summary = try replay.run(
                chains(of: opened, firstYear: engine.firstYear),
                settings: engine,
                output: &output
            )
        } catch {
            output.buffer.flush()
            throw Failure(error)
        }
        output.buffer.flush()
        if tellNotes(summary.notes) { throw Failure(.badData) }
        if summary.scan.isOfNoLog {
            throw Failure(
                .badData,
                "none of the \(summary.lines) lines is one that a mail server writes to its log"
            )
        }
    }
}

private struct EventOutput: EngineOutput {
    let json: Bool
    var buffer = BufferedOutput()

    mutating func finished(_ event: SendEvent, record: String) {
        if json {
            buffer.writeLine(event.json(record: record, timestamp: event.submittedMicroseconds))
            return
        }
        let receipt = event.receipt.name.map { " [\($0)]" } ?? ""
        buffer.write(
            rfc3339(microseconds: event.submittedMicroseconds) + "  "
                + shown(event.string(event.user) ?? "?") + "  "
                + shown(event.string(event.recipient) ?? "?") + "  " + event.delivery.name
                + receipt + "  " + shown(event.string(event.subject) ?? "") + "\n"
        )
    }

    mutating func changed(_ alert: Alert, bundle: BundleContents?) {}

    mutating func raised(_ notice: Notice) {
        warn("\(notice.name): \(shown(notice.message))")
    }
}
