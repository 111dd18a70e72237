import Alerting
import ArgumentParser
import Findings
import LinuxIO
import LogSources
import Pipeline
import SafeText
import Settings
import Sigma
import State
import SystemPackage

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "The daemon: follows the mail log and raises alerts.",
        discussion: """
            Follows the log file of the settings, keeps its state and the evidence in the state folder, \
            and sends alerts to the sinks. SIGTERM ends it; killed at any moment, it goes on where it \
            was and raises no alert twice.

            EXAMPLES
              postern run
              postern run --config ./postern.yml
            """
    )

    private static let defaultConfig = "/etc/postern/postern.yml"

    @Option(name: .long, help: "Settings file. Default: \(defaultConfig), which may be missing.")
    var config: String?

    @Option(name: .long, help: "Folder of rules besides the shipped ones. May be repeated.")
    var rules: [String] = []

    func run() throws {
        let settings = try readSettings()
        let source = try source(settings)
        let shipped = try loadAllRules(
            shipped: true,
            folders: (settings.rules ?? [CheckedSettings.defaultRules]) + rules,
            optional: settings.rules == nil ? [CheckedSettings.defaultRules] : [],
            off: settings.rulesOff
        )
        let names = shipped.detections.compactMap(\.name) + shipped.correlations.compactMap(\.name)
        let unknown = settings.mistakes(ofRulesOff: names)
        guard unknown.isEmpty else {
            throw Failure(.settings, all: unknown.map { shown("\($0)") })
        }
        guard let zone = TimeZoneSetting(settings.timezone.name) else {
            throw Failure(.settings, "there is no time zone \(shown(settings.timezone.name))")
        }
        var engine = EngineSettings(timeZone: zone, rules: shipped)
        engine.apply(settings)
        var configuration = DaemonConfiguration(
            state: FilePath(settings.state),
            sourcePath: FilePath(source.file),
            sourceName: source.name,
            engine: engine,
            sinks: settings.sinks.map { $0.sink(settings) },
            router: Router(
                routes: settings.sinks.map(\.route),
                ageMicrosecondsMax: settings.dispatchAgeSecondsMax.map { $0 * 1_000_000 }
            ),
            posternVersion: Version.text,
            host: hostName()
        )
        configuration.stateLimits.waitingMax = settings.limits.outbox
        configuration.stateLimits.waitingBytesMax = settings.limits.outboxBytes
        do {
            // Before the first thread: they inherit the mask.
            let signals = try SignalQueue([SignalNumber.terminate, SignalNumber.interrupt])
            let daemon = try Daemon(configuration, tell: { $0.print() })
            try daemon.run(signals: signals)
        } catch let error as DaemonError {
            throw Failure(error)
        } catch let error as SystemCallError {
            throw Failure(.failed, shown("\(error)"))
        }
    }

    private func readSettings() throws -> CheckedSettings {
        if let config { return try postern.readSettings(config) }
        if (try? SystemCalls().status(of: FilePath(Self.defaultConfig))) != nil {
            return try postern.readSettings(Self.defaultConfig)
        }
        return CheckedSettings()
    }

    /// The file that the settings name, else the first of the usual ones that is there.
    private func source(_ settings: CheckedSettings) throws -> (file: String, name: String) {
        if let sources = settings.sources, let first = sources.first {
            guard sources.count == 1 else {
                throw Failure(.settings, "sources: this version follows one file")
            }
            return (first.file, first.name)
        }
        for path in CheckedSettings.defaultLogs
        where (try? SystemCalls().status(of: FilePath(path))) != nil {
            return (path, path)
        }
        throw Failure(
            .noInput,
            "neither \(CheckedSettings.defaultLogs.joined(separator: " nor ")) is there; "
                + "name the mail log in the settings: sources: [{file: PATH}]"
        )
    }
}

extension CheckedSettings.Sink {
    /// The sink as the dispatcher needs it.
    fileprivate func sink(_ settings: CheckedSettings) -> any Alerting.Sink {
        switch kind {
        case .syslog(let syslog):
            SyslogSink(name: name, path: syslog.path, facility: syslog.facility.rawValue)
        case .standardOutput(let format):
            StandardOutputSink(
                name: name,
                format: format == .json
                    ? .json
                    : .text(
                        AlertText(
                            isColoured: StandardStream.output.wantsColour,
                            width: StandardStream.output.columns,
                            evidenceFolder: settings.state + "/evidence"
                        )
                    )
            )
        }
    }

    fileprivate var route: Route {
        Route(
            sink: name,
            lowest: Severity(name: "\(levels.lowest)") ?? .medium,
            highest: Severity(name: "\(levels.highest)") ?? .critical
        )
    }
}

extension Failure {
    init(_ error: DaemonError) {
        switch error {
        case .engine(.rules(let mistakes)):
            self.init(.settings, all: mistakes.map { shown("\($0)") })
        case .engine(.prefix(let message)):
            self.init(.settings, "receipts: \(shown(message))")
        case .state(let error):
            self.init(.failed, shown("\(error)"))
        case .stored(let error):
            self.init(.failed, "state: \(error)")
        case .bell(let error):
            self.init(.failed, "no eventfd: \(error)")
        case .system(let error):
            self.init(.failed, shown("\(error)"))
        case .dispatcher(let error):
            self.init(.failed, shown("\(error)"))
        case .unknownYear:
            self.init(.badData, "the log's stamps have no year, and nothing tells it")
        }
    }
}

extension DaemonMessage {
    /// One line on standard error, which is the journal under systemd.
    fileprivate func print() {
        switch self {
        case .ready(let lines, let open):
            warn("ready: \(lines) lines read before, \(open) messages open")
        case .source(let note): warn("source: \(note.words)")
        case .sourceFailed(let error): warn("source: " + shown("\(error.cause)"))
        case .sink(let event): warn("sink: \(event.words)")
        case .sealFailed(let error):
            warn("evidence: the alert goes out without its bundle: \(error)")
        case .commitFailed(let error): warn(shown("state: \(error)"))
        case .notice(let notice): warn("\(notice.name): \(shown(notice.message))")
        case .stopped(let lines): warn("stopped after \(lines) lines")
        }
    }
}

extension SinkEvent {
    /// What happened, in words.
    fileprivate var words: String {
        switch self {
        case .failed(let sink, let error): "\(sink) failed and is tried again: \(shown(error))"
        case .dead(let sink, let failures, let error):
            "\(sink) failed \(failures) times: \(shown(error))"
        case .recovered(let sink, let failures):
            "\(sink) takes alerts again after \(failures) failures"
        case .abandoned(let sink, let id, let sequence, let error):
            "\(sink) was given up for alert \(id).\(sequence): \(shown(error))"
        case .outboxUnreadable(let sink, let error):
            "\(sink) cannot read the outbox: \(shown(error))"
        }
    }
}

extension SourceNote {
    /// What happened, in words.
    var words: String {
        switch self {
        case .damaged(let problem):
            "\(shown(problem.path.string)): \(problem.damage.words)"
        case .resumed(let path, let offset):
            "\(shown(path.string)): reading goes on at byte \(offset)"
        case .readAgain(let path):
            "\(shown(path.string)): it is not the file that was read before; read from its beginning"
        case .rotated(let path):
            "\(shown(path.string)): rotated; the old file is read to its end first"
        case .disappeared(let path): "\(shown(path.string)): it is not there; waiting for it"
        case .truncated(let path, let truncation):
            "\(shown(path.string)): truncated after byte \(truncation.offset); read from its beginning"
                + (truncation.lostBytes > 0
                    ? "; \(truncation.lostBytes) bytes of an unfinished line are lost" : "")
        case .compressedUnread(let path):
            "\(shown(path.string)): it was compressed before all of it was read"
        case .leftWhileWritten(let path):
            "\(shown(path.string)): still written long after its rotation; left"
        case .tooManyRotations(let path):
            "\(shown(path.string)): too many rotated files wait; this one is not held open"
        case .expanded(let path, let textBytes, let fileBytes):
            "\(shown(path.string)): \(textBytes) bytes of text came out of \(fileBytes); all of it "
                + "was read"
        case .leftOut(let skipped): skipped.words + "; left out"
        case .notInTimeOrder(let path):
            "\(shown(path.string)): it begins before the log that was read before it; an archive that "
                + "comes through a pipe is read in its own order: name the file instead"
        case .cannotOpen(let error): shown("\(error)")
        case .notWatched(let error): "no inotify, the file is looked at often: " + shown("\(error)")
        }
    }
}
