import Alerting
import ArgumentParser
import Findings
import LinuxIO
import Pipeline
import SafeText
import Settings
import SystemPackage

struct SinksCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sinks",
        abstract: "Where alerts go.",
        discussion: """
            EXAMPLES
              postern sinks test
              postern sinks test webhook
            """,
        subcommands: [SinksTest.self]
    )
}

struct SinksTest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Sends a test alert and tells what the other side answered.",
        discussion: """
            The alert has the rule postern_test and the level medium, and says what it is. The daemon \
            sends it on the way of all alerts, through its outbox, but past levels, silences, rate, \
            group, quiet and storm. It is tried once. While no daemon runs it is sent from here, with \
            the settings as they are. Ends with status 1 when a sink did not take it.

            EXAMPLES
              postern sinks test
              postern sinks test webhook
              postern sinks test syslog:unix:/dev/log
            """
    )

    @OptionGroup var folder: StateFolderOptions

    @Argument(help: "The sink, by its name or the word before the colon in it; without one, all.")
    var name: String?

    func run() throws {
        if let answer = try askDaemon(
            .testSinks(name: name),
            author: authorName(),
            folder: try folder.path()
        ) {
            return try conclude(answer)
        }
        let settings = try daemonSettings(folder.config)
        let chosen = settings.sinks.filter { SinkName.isMeant($0.name, by: name) }
        guard !chosen.isEmpty else {
            let names = settings.sinks.map { shown($0.name) }.joined(separator: ", ")
            throw Failure(
                .noInput,
                (name.map { "there is no sink \(shown($0))" } ?? "the settings name no sink")
                    + (names.isEmpty ? "" : "; sinks: \(names)")
            )
        }
        let sinks = try chosen.map { try $0.sink(settings) }
        var failed = false
        for sink in sinks {
            let id = TestAlert.newID()
            let notice = TestAlert.notice(id: id, host: hostName(), microseconds: wallClock())
            let alert = OutgoingAlert(id: id, sequence: 0, body: notice.json(), attempt: 1)
            let (answer, words) = try SinkTrial.send(alert, to: sink)
            var line = shown(sink.name)
            switch answer {
            case .accepted: line += ": took it" + (words.isEmpty ? "" : ": " + words)
            case .failed(let error, _), .refused(let error):
                line += ": " + shown(error)
                failed = true
            }
            StandardStream.output.write(line + "\n")
        }
        if failed { throw Failure(.failed, "the test alert was not taken everywhere") }
    }
}
