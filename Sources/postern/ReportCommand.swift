import Alerting
import ArgumentParser
import Evidence
import Findings
import LinuxIO
import MailLog
import Pipeline
import Reports
import SafeText
import Settings
import State
import SystemPackage

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Makes a page of an alert and its proof, or of what happened since a time.",
        discussion: """
            The page stands for itself: no script, nothing from elsewhere, to be mailed, printed or \
            kept. It shows when it happened, which account wrote to which domain, what became of it, \
            the lines that prove it, and what to forward to the user.

            With --since it tells what happened since a time, by day: submissions and receipts, the \
            alerts, whether the log tells what is needed, and what was not read of it. The daemon sends \
            the same from time to time: reports in postern.yml(5).

            An alert is given by its ID (or its beginning, while only one begins so), from the state \
            folder; or by its bundles, on any machine. Each bundle is checked first.

            EXAMPLES
              postern report 4k2m --output alert.html
              postern report --format markdown ./bundles/ALERTID.*.tar.zst
              postern report --since 7d --output week.html
            """
    )

    @OptionGroup var names: PseudonymOptions

    enum Format: String, ExpressibleByArgument, CaseIterable { case html, markdown }

    @OptionGroup var folder: StateFolderOptions

    @Option(name: .long, help: "html or markdown.")
    var format = Format.html

    @Option(
        name: .long,
        help: ArgumentHelp("Write it there instead of to standard output.", valueName: "FILE")
    )
    var output: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What happened since: a span such as 7d, a date, or RFC 3339.",
            valueName: "T"
        )
    )
    var since: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Letters only in this language. Default: en and de.",
            valueName: "LANGUAGE"
        )
    )
    var language: String?

    @Argument(help: "An alert's ID, or its bundles.")
    var alert: [String] = []

    func validate() throws {
        guard alert.isEmpty == (since != nil) else {
            throw ValidationError("give an alert, its bundles, or --since")
        }
    }

    func run() throws {
        if let since {
            let overview = try self.overview(since)
            try write(format == .html ? overview.html() : Array(overview.markdownText().utf8))
            return
        }
        var incident = try reportedIncident(alert, folder)
        incident = try names.apply(to: incident, folder)
        incident.letters = letters(for: incident.facts.diagnosis, language: language)
        try write(format == .html ? incident.html() : Array(incident.markdownText().utf8))
    }

    private func overview(_ since: String) throws -> Overview {
        let now = Clocks.realtimeMicroseconds()
        guard let start = span(since).map({ now - $0 }) ?? moment(since) else {
            throw Failure(
                .usage,
                "--since \(shown(since)): a span such as 7d or a date was expected"
            )
        }
        let store = try readState(try folder.path())
        let settings = try folder.state == nil ? daemonSettings(folder.config) : CheckedSettings()
        guard let zone = TimeZoneSetting(settings.timezone.name) else {
            throw Failure(.settings, "there is no time zone \(shown(settings.timezone.name))")
        }
        let made = try postern.overview(
            store,
            since: start,
            until: now,
            host: store.origin.host,
            zone: Overview.Zone(name: zone.name, secondsEast: zone.rules().secondsEast),
            limit: .max
        )
        return try names.apply(to: made, folder)
    }

    private func write(_ bytes: [UInt8]) throws {
        guard let output else {
            var buffer = BufferedOutput()
            buffer.write(bytes)
            buffer.flush()
            return
        }
        do {
            // Like the alerts: for nobody but their reader.
            try SystemCalls().replaceDurably(FilePath(output), with: bytes, mode: 0o600)
        } catch {
            throw Failure(.failed, shown("\(error)"))
        }
    }
}

/// What is known of an alert: of the ID of one in the state, or of bundles that are files.
func reportedIncident(_ words: [String], _ folder: StateFolderOptions) throws -> Incident {
    guard words.count == 1, BundleName(FilePath(words[0]).lastComponent?.string ?? "") == nil else {
        return try incident(ofBundles: words)
    }
    let path = try folder.path()
    let store = try readState(path)
    let id = try alertID(words[0], store)
    do {
        guard let row = try store.alert(id), let facts = try? AlertFacts(json: row.body) else {
            throw Failure(.failed, "alert \(shown(id)) cannot be read", wayOutOfDamage)
        }
        let steps = try store.transitions(of: id)
        var bundles: [EvidenceBundle] = []
        for name in Set(steps.compactMap(\.bundle)).sorted() {
            // One that was pruned since has left a tombstone.
            let file = path.appending("evidence").appending(name)
            guard (try? SystemCalls().status(of: file)) != nil else { continue }
            bundles.append(try soundBundle(file.string))
        }
        return Incident(
            facts,
            steps: steps.map { step in
                Incident.Step(
                    action: step.action,
                    microseconds: step.timeMicroseconds,
                    count: (try? AlertFacts(json: step.body))?.count,
                    bundle: step.bundle
                )
            },
            bundles: bundles
        )
    } catch let error as StateError {
        throw Failure(reading: error)
    }
}

private func incident(ofBundles paths: [String]) throws -> Incident {
    let bundles = try paths.map { try soundBundle($0) }.sorted { $0.name < $1.name }
    guard let last = bundles.last, Set(bundles.map(\.name.alert)).count == 1 else {
        throw Failure(.usage, "the bundles are of several alerts; a report is of one")
    }
    do {
        var facts = try AlertFacts(json: last[.alert] ?? [])
        facts.bundle = last.name.description
        return Incident(facts, steps: [], bundles: bundles)
    } catch {
        throw Failure(.badData, "\(shown(last.name.description)): alert.json: \(error)")
    }
}

/// A bundle whose digests, and signature if it has one, hold.
private func soundBundle(_ path: String) throws -> EvidenceBundle {
    let bundle = try openBundle(path)
    let mismatches = bundle.check()
    guard mismatches.isEmpty else {
        throw Failure(.failed, all: mismatches.map { "\(shown(path)): \($0)" })
    }
    return bundle
}

/// The letters to the user that go with a diagnosis; none when the shipped files are not there.
func letters(for diagnosis: String?, language: String?) -> [Incident.Letter] {
    let name: String
    switch diagnosis {
    case "outlook-receipts": name = "outlook-read-receipts"
    case "stolen-login": name = "stolen-login"
    default: return []
    }
    guard let folder = shippedRulesFolder()?.appending("remediation"),
        let files = try? SystemCalls().names(inFolder: folder)
    else { return [] }
    var letters: [Incident.Letter] = []
    for file in files.map(\.string).sorted() {
        let parts = file.split(separator: ".")
        guard parts.count == 3, parts[0] == name, parts[2] == "txt",
            language == nil || language == String(parts[1]),
            let opened = try? SystemCalls().open(folder.appending(file)),
            let size = try? opened.status().size, size < 1 << 20,
            let bytes = try? opened.readFully(count: Int(size), at: 0)
        else { continue }
        letters.append(
            Incident.Letter(
                language: String(parts[1]),
                text: String(decoding: bytes, as: UTF8.self)
            )
        )
    }
    // English first.
    return letters.filter { $0.language == "en" } + letters.filter { $0.language != "en" }
}
