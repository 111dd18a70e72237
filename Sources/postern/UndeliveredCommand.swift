import ArgumentParser
import Alerting
import Pipeline
import SafeText
import Settings
import State

struct AlertsUndelivered: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undelivered",
        abstract: "Lists what no sink has taken: what waits, and what was given up.",
        discussion: """
            An alert is given up when a sink refuses it for good, when it was not taken within the \
            sink's `expire`, when the outbox was full, and when the settings no longer name its sink. \
            What was given up is kept until `postern alerts redeliver` sends it again, or 10,000 \
            others have followed. Numbers count every dispatch of an alert's step to a sink.

            EXAMPLES
              postern alerts undelivered
              postern alerts undelivered --given-up --json | jq -r '."event.id"'
            """
    )

    @OptionGroup var folder: StateFolderOptions

    @Flag(name: .long, help: "Only what was given up.")
    var givenUp = false

    @Option(name: .long, help: "Only of this sink: its name, or the word before the colon in it.")
    var sink: String?

    @Option(name: .long, help: "At most so many.")
    var limit = 200

    @Flag(name: .long, help: "Print JSON, one object a line.")
    var json = false

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit takes a number from 1") }
    }

    func run() throws {
        let store = try readState(folder.path())
        var table = TextTable(
            ["alert", "sink", "state", "since", "attempts", "last error"],
            rightAligned: [4],
            cellMax: 100
        )
        var output = BufferedOutput()
        var count = 0
        var after: Int64 = 0
        // A name that is mistyped must not look like a sink that took everything.
        var isSinkKnown = sink == nil
        do {
            search: while true {
                let rows = try store.undelivered(after: after, limit: 500)
                guard let last = rows.last else { break }
                after = last.number
                if !isSinkKnown { isSinkKnown = rows.contains(where: isOfSink) }
                for row in rows where isWanted(row) {
                    if count == limit {
                        warn("there are more than \(limit); --limit shows more")
                        break search
                    }
                    count += 1
                    if json {
                        output.writeLine(row.undeliveredJSON())
                    } else {
                        table.add(row.cells)
                    }
                }
            }
        } catch {
            throw Failure(reading: error)
        }
        if !isSinkKnown, let sink {
            let names = try daemonSettings(folder.config).sinks.map(\.name)
            guard names.contains(where: { SinkName.isMeant($0, by: sink) }) else {
                let list = names.map { shown($0) }.joined(separator: ", ")
                throw Failure(
                    .noInput,
                    "there is no sink \(shown(sink))" + (list.isEmpty ? "" : "; sinks: \(list)")
                )
            }
        }
        if !json {
            output.write(
                table.isEmpty
                    ? "everything was taken\n"
                    : table.text(isColoured: StandardStream.output.wantsColour)
            )
        }
        output.flush()
    }

    private func isWanted(_ row: Dispatch) -> Bool {
        if givenUp, row.state != .abandoned { return false }
        return isOfSink(row)
    }

    private func isOfSink(_ row: Dispatch) -> Bool {
        SinkName.isMeant(row.sink, by: sink)
    }
}

extension Dispatch {
    fileprivate var stateName: String { state == .abandoned ? "given up" : "waits" }

    fileprivate var cells: [String] {
        [
            shown("\(alert).\(sequence)"), shown(sink), stateName, shownTime(createdMicroseconds),
            "\(attempts)", shown(error ?? ""),
        ]
    }

    fileprivate func undeliveredJSON() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("event.action", "dispatch")
        object.member("event.id", alert)
        object.member("event.sequence", sequence)
        object.member("event.severity", severity)
        object.member("event.created", rfc3339(microseconds: createdMicroseconds))
        object.member("postern.sink", sink)
        object.member("postern.dispatch", state == .abandoned ? "abandoned" : "waiting")
        object.member("postern.attempts", attempts)
        object.member("error.message", error)
        return object.finished()
    }
}

struct AlertsRedeliver: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redeliver",
        abstract: "Sends once more what was given up.",
        discussion: """
            The same bytes go out under the same ID and sequence. While no daemon runs they wait for \
            the next start.

            EXAMPLES
              postern alerts redeliver 4k2mzq7jw3d5xk2n4a6b7c2d3e
              postern alerts redeliver --all --sink ops
            """
    )

    @OptionGroup var folder: StateFolderOptions
    @OptionGroup var author: AuthorOptions

    @Flag(name: .long, help: "All that was given up.")
    var all = false

    @Option(name: .long, help: "Only to this sink: its name, or the word before the colon in it.")
    var sink: String?

    @Argument(help: "The alert's ID, as undelivered shows it, with or without its sequence.")
    var alert: String?

    func validate() throws {
        guard all == (alert == nil) else { throw ValidationError("name an alert, or --all") }
    }

    func run() throws {
        var door = ControlDoor(folder: try folder.path(), author: authorName(author.by)) {
            try daemonEngine(daemonSettings(folder.config))
        }
        let id = alert.map { $0.split(separator: ".").first.map(String.init) ?? $0 }
        try conclude(door.perform(.redeliver(.init(alert: id, sink: sink))))
    }
}
