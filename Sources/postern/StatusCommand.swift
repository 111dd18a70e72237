import ArgumentParser
import LinuxIO
import Pipeline
import SafeText
import Settings
import StatusPage
import SystemPackage

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "How it goes with the daemon, and where its status page is.",
        discussion: """
            Tells what it reads and how far, whether the log says what is needed, what is open, \
            and whether the sinks take their alerts. When the page is on TCP, its link is printed, \
            with the token that opens it: keep it to yourself.

            The exit status is 0 while the daemon runs and 1 when it does not.

            EXAMPLES
              postern status
              postern status --json | jq .coverage
            """
    )

    @OptionGroup var folder: StateFolderOptions

    @Flag(name: .long, help: "Print JSON, one object.")
    var json = false

    func run() throws {
        let path = try folder.path()
        guard let reading = try liveReading(path) else {
            throw Failure(.failed, "no daemon runs on \(shown(path.string))")
        }
        if json {
            StandardStream.output.write(reading.json + "\n")
            return
        }
        var text = ""
        func row(_ name: String, _ value: String) {
            text += name + String(repeating: " ", count: max(1, 12 - name.count)) + value + "\n"
        }
        row(
            "postern",
            "\(shown(reading.text("version") ?? "")) on \(shown(reading.text("host") ?? "")), up "
                + reading.uptime
        )
        row(
            "read",
            "\(grouped(reading.number("lines"))) lines, \(grouped(reading.number("lines_per_second")))/s, "
                + (reading.isCaughtUp ? "to the end" : "still reading what was written before")
        )
        for source in reading.sources {
            let last = source.last.flatMap { parseRFC3339($0) }.map { "to \(shownTime($0))" }
            row(
                "source",
                shown(source.name) + ": " + (source.failure ?? last ?? "nothing read yet")
            )
        }
        let parts = reading.coverage.map {
            "\($0.part) \($0.words)\($0.isMissing ? " (missing)" : "")"
        }
        row("the log has", parts.joined(separator: ", "))
        row(
            "last hour",
            "\(grouped(reading.hour("sends"))) sends of "
                + "\(grouped(reading.number("active_accounts"))) accounts, "
                + "\(grouped(reading.hour("unseen"))) to unseen domains, "
                + "\(grouped(reading.hour("receipts"))) receipts"
        )
        row("alerts", "\(reading.number("open_alerts")) open")
        for sink in reading.sinks {
            row("sink", shown(sink.name) + ": " + sink.state + (sink.error.map { ", \($0)" } ?? ""))
        }
        if let failure = reading.text("commit_failure") {
            row("state", "cannot be written: \(shown(failure))")
        }
        row("page", try page(path))
        StandardStream.output.write(text)
    }

    /// Where the page is.
    private func page(_ path: FilePath) throws -> String {
        let settings = folder.state == nil ? try daemonSettings(folder.config) : CheckedSettings()
        switch settings.http.listen {
        case nil: return "off"
        case .unix(let socket)?:
            return "unix:\(shown(socket)) (curl --unix-socket \(shown(socket)) http://localhost/)"
        case .tcp(let host, let port)?:
            let name =
                settings.http.hosts.first ?? (host.contains(":") ? "[\(host)]" : host)
            guard let token = try? TokenFile.read(folder: path) else {
                return "http://\(name):\(port)/ (its token cannot be read)"
            }
            return "http://\(name):\(port)/?token=\(token.text)"
        }
    }
}
