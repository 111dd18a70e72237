import Alerting
import Findings
import Glibc
import LinuxIO
import LogSources
import Pipeline
import SafeText
import Settings
import Sigma
import State
import Synchronization
import SystemPackage

/// What the settings make of the daemon. Mistakes end the command with status 78.
///
/// - Parameter ruleFolders: besides those of the settings.
func daemonConfiguration(
    _ settings: CheckedSettings,
    ruleFolders: [String] = []
) throws -> DaemonConfiguration {
    let (sources, patterns) = try followedSources(settings)
    let engine = try daemonEngine(settings, ruleFolders: ruleFolders)
    var configuration = DaemonConfiguration(
        state: FilePath(settings.state),
        sources: sources,
        patterns: patterns,
        engine: engine,
        sinks: try settings.sinks.map { try $0.sink(settings) },
        router: Router(
            routes: settings.sinks.map(\.route),
            ageMicrosecondsMax: settings.dispatchAgeSecondsMax.map { $0 * 1_000_000 }
        ),
        posternVersion: Version.text,
        host: hostName()
    )
    configuration.pseudonyms.names = settings.pseudonyms.sinks
    configuration.pseudonyms.keepsDomains = settings.pseudonyms.keepsDomains
    configuration.evidence.keepMicroseconds = settings.evidence.keepSeconds * 1_000_000
    configuration.evidence.bytesMax = Int64(settings.evidence.bytesMax)
    configuration.canary = settings.canary.map {
        CanarySettings(everyNanoseconds: UInt64($0.every) * 1_000_000_000, socket: $0.socket)
    }
    for sink in settings.sinks { configuration.dispatchLimits[sink.name] = sink.dispatchLimits }
    configuration.sinkLabels = settings.sinkLabels
    configuration.reports = settings.reportSchedules
    let folder = configuration.state
    configuration.makeReport = { (order) throws(ReportError) in
        try postern.makeReport(order, folder: folder)
    }
    configuration.mergeHoldNanoseconds = UInt64(settings.mergeHoldSeconds) * 1_000_000_000
    configuration.stateLimits.waitingMax = settings.limits.outbox
    configuration.stateLimits.waitingBytesMax = settings.limits.outboxBytes
    return configuration
}

/// The daemon's engine: rules and what decides about its answers.
func daemonEngine(
    _ settings: CheckedSettings,
    ruleFolders: [String] = []
) throws -> EngineSettings {
    let rules = try loadAllRules(
        shipped: true,
        folders: (settings.rules ?? [CheckedSettings.defaultRules]) + ruleFolders,
        optional: settings.rules == nil ? [CheckedSettings.defaultRules] : [],
        settings: settings
    )
    let names = rules.detections.compactMap(\.name) + rules.correlations.compactMap(\.name)
    let unknown = settings.mistakes(ofRulesOff: names)
    guard unknown.isEmpty else {
        throw Failure(.settings, all: unknown.map { shown("\($0)") })
    }
    guard let zone = TimeZoneSetting(settings.timezone.name) else {
        throw Failure(.settings, "there is no time zone \(shown(settings.timezone.name))")
    }
    var engine = EngineSettings(timeZone: zone, rules: rules)
    engine.apply(settings)
    return engine
}

/// Whether sinks were left at their attempts.
private final class LeftSinks: Sendable {
    let areThere = Atomic(false)
}

/// Runs the daemon in this process.
///
/// - Parameters:
///   - status: of the page, if there is to be one.
///   - untilCaughtUp, reload: see ``Daemon/run(signals:untilCaughtUp:reload:)``.
/// - Returns: how many lines were read in all runs on its state.
func runDaemon(
    _ configuration: DaemonConfiguration,
    untilCaughtUp: Bool,
    status: StatusSetup? = nil,
    reload: (@Sendable () -> Reloaded)? = nil
) throws -> UInt64 {
    do {
        // Before the first thread: they inherit the mask.
        let signals = try SignalQueue([
            SignalNumber.terminate, SignalNumber.interrupt, SignalNumber.hangUp,
        ])
        let manager = ServiceManager()
        var configuration = configuration
        configuration.beatNanoseconds = manager.beatNanoseconds
        let leftSinks = LeftSinks()
        if let status {
            let beat = StatusSetup.beatNanoseconds
            configuration.beatNanoseconds = min(beat, configuration.beatNanoseconds ?? beat)
            configuration.board = status.board
        }
        let daemon = try Daemon(
            configuration,
            tell: {
                $0.print()
                $0.tell(manager)
                if case .sinksLeft = $0 { leftSinks.areThere.store(true, ordering: .relaxed) }
                if let status { status.hear($0) }
            }
        )
        try status?.start(folder: configuration.state)
        defer { status?.stop() }
        let lines = try daemon.run(
            signals: signals,
            untilCaughtUp: untilCaughtUp,
            reload: reload
        )
        if leftSinks.areThere.load(ordering: .relaxed) {
            // Their threads are within libraries, which an ordinary end would take down below them.
            status?.stop()
            _exit(0)
        }
        return lines
    } catch let error as DaemonError {
        throw Failure(error)
    } catch let error as SystemCallError {
        throw Failure(.failed, shown("\(error)"))
    }
}

/// What the settings name, else the journal if the mail server logs there, else the first of the usual
/// logs that is there.
func followedSources(
    _ settings: CheckedSettings
) throws -> (sources: [FollowedSource], patterns: [FollowedPattern]) {
    if let sources = settings.sources {
        let patterns = sources.compactMap(\.pattern)
        // Those that are there are read from the beginning together, so that their lines get one
        // order; the daemon finds those that come later.
        var followed = sources.filter { $0.pattern == nil }.map(\.followed)
        for pattern in patterns {
            for source in (try? pattern.sources()) ?? []
            where !followed.contains(where: { $0.name == source.name }) {
                followed.append(source)
            }
        }
        return (followed, patterns)
    }
    let journal = CheckedSettings.JournalSource()
    if journalHasEntries(ofUnits: journal.units) {
        return ([CheckedSettings.Source(kind: .journal(journal)).followed], [])
    }
    for path in CheckedSettings.defaultLogs
    where (try? SystemCalls().status(of: FilePath(path))) != nil {
        return ([FollowedSource(name: path, kind: .file(FilePath(path), .rotated))], [])
    }
    throw Failure(
        .noInput,
        "no mail server logs to the journal, or we may not read it (group systemd-journal), and none of "
            + "\(CheckedSettings.defaultLogs.joined(separator: ", ")) is there; "
            + "name the mail log in the settings: sources: [{file: PATH}]"
    )
}

extension CheckedSettings.Source {
    /// Of a file whose path is a pattern.
    var pattern: FollowedPattern? {
        guard case .file(let path, let backfill) = kind else { return nil }
        let pattern = FilePattern(FilePath(path))
        guard pattern.isPattern else { return nil }
        return FollowedPattern(
            pattern: pattern,
            backfill: backfill == .rotated ? .rotated : .none,
            allowsDuplicate: allowDuplicate
        )
    }

    fileprivate var followed: FollowedSource {
        let kind: FollowedSource.Kind
        switch self.kind {
        case .file(let path, let backfill):
            kind = .file(FilePath(path), backfill == .rotated ? .rotated : .none)
        case .journal(let journal): kind = .journal(journal.selection)
        }
        return FollowedSource(name: name, kind: kind, allowsDuplicate: allowDuplicate)
    }
}

extension CheckedSettings.JournalSource {
    fileprivate var selection: JournalSelection {
        let place: JournalSelection.Place =
            switch self.place {
            case .local: .local
            case .directory(let path): .directory(FilePath(path))
            case .files(let paths): .files(paths.map { FilePath($0) })
            case .namespace(let name): .namespace(name)
            }
        return JournalSelection(
            place: place,
            units: units,
            matches: matches.map { .init(field: $0.field, values: $0.values) },
            identifiers: identifiers
        )
    }
}

extension CheckedSettings.Sink {
    /// The sink as the dispatcher needs it.
    func sink(_ settings: CheckedSettings) throws -> any Alerting.Sink {
        switch kind {
        case .webhook(let webhook):
            try webhook.sink(named: name)
        case .mail(let mail):
            try mail.sink(named: name)
        case .command(let command):
            CommandSink(
                name: name,
                program: command.words[0],
                arguments: Array(command.words.dropFirst()),
                milliseconds: Int(command.timeout) * 1_000
            )
        case .syslog(let syslog):
            try syslog.sink(named: name)
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

    /// Alerts go to a program of this machine.
    var isProgram: Bool {
        switch kind {
        case .command: true
        case .mail(let mail): mail.smtp == nil
        case .syslog, .standardOutput, .webhook: false
        }
    }

    fileprivate var route: Route {
        Route(
            sink: name,
            lowest: Severity(name: "\(levels.lowest)") ?? .medium,
            highest: Severity(name: "\(levels.highest)") ?? .critical,
            pacing: pacing
        )
    }

    private var pacing: Pacing {
        var pacing = Pacing()
        pacing.rate = rate?.quota
        pacing.storm = storm?.quota
        pacing.groupMicroseconds = group.map { $0 * 1_000_000 }
        pacing.quiet = quiet.map {
            Pacing.Quiet(
                startMinute: $0.startMinute,
                endMinute: $0.endMinute,
                below: Severity(name: "\($0.below)") ?? .high
            )
        }
        return pacing
    }

    fileprivate var dispatchLimits: DispatchLimits {
        var limits = DispatchLimits()
        limits.ageMicrosecondsMax = expire * 1_000_000
        limits.combinesHeld = !pacing.isOff
        return limits
    }
}

extension CheckedSettings.Quota {
    fileprivate var quota: Pacing.Quota {
        Pacing.Quota(count: count, microseconds: seconds * 1_000_000)
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
        case .evidence(let error):
            self.init(.failed, "evidence: \(error)")
        case .pseudonyms(let error):
            self.init(.failed, "pseudonyms: " + shown("\(error)"))
        case .duplicateSources(let first, let second):
            self.init(
                .settings,
                "the sources \(shown(first)) and \(shown(second)) carry the same log, so that every "
                    + "message would count twice; name one of them, or set allow_duplicate: true"
            )
        case .unknownYear:
            self.init(.badData, "the log's stamps have no year, and nothing tells it")
        }
    }
}

extension DaemonMessage {
    /// One line on standard error, which is the journal under systemd.
    func print() {
        switch self {
        case .ready(let lines, let open):
            warn("ready: \(lines) lines read before, \(open) messages open")
        case .source(let name, let note):
            // A source without a name of its own has that of its file, with which most notes begin.
            let (prefix, words) = ("\(shown(name)): ", note.words)
            warn(words.hasPrefix(prefix) ? words : prefix + words)
        case .sourceFailed(let name, let error):
            warn(
                "\(shown(name)): " + shown("\(error.cause)")
                    + (error.advice.map { "; \($0)" } ?? "")
            )
        case .followed(let name): warn("\(shown(name)): followed from now on")
        case .filesLeftOut(let pattern, let count):
            warn("\(shown(pattern)): \(count) more files match than are followed")
        case .sink(let event): warn("sink: \(event.words)")
        case .evidenceKey(let fingerprint, let isNew):
            warn(
                isNew
                    ? "evidence: a new key signs it, with the fingerprint SHA-256 \(fingerprint); "
                        + "keep what postern evidence key prints on another machine"
                    : "evidence: signed by the key with the fingerprint SHA-256 \(fingerprint)"
            )
        case .sealFailed(let error, let isTriedAgain):
            warn(
                isTriedAgain
                    ? "evidence: the alert goes out without its bundle, which is tried again: \(error)"
                    : "evidence: the alert goes out without its bundle: \(error)"
            )
        case .sealedLate(let bundle):
            warn("evidence: \(shown(bundle)) is there now")
        case .pruned(let count):
            warn(
                "evidence: \(count) bundle\(count == 1 ? "" : "s") kept no more, each with a tombstone"
            )
        case .sinksLeft(let names):
            warn(
                "sink: no answer yet from \(names.map { shown($0) }.joined(separator: ", ")); what "
                    + "is on its way there is sent again by the next run"
            )
        case .reportMade(let sink, let every):
            warn("report: that of every \(every) is on its way to \(shown(sink))")
        case .reportFailed(let sink, let error):
            warn("report: that for \(shown(sink)) is tried again in five minutes: \(error)")
        case .canaryBack: warn("canary: it comes through again")
        case .evidenceOverBytes:
            warn("evidence: more bytes than bytes_max, all of them of open alerts; they stay")
        case .commitFailed(let error): warn(shown("state: \(error)"))
        case .controlFailed(let error):
            warn("no control socket, and so no postern alerts ack or reload: " + shown("\(error)"))
        case .reloading: warn("reading settings and rules again")
        case .reloaded(let untilRestart):
            for setting in untilRestart { warn("reload: \(setting)") }
            warn("reload: settings and rules are in force")
        case .reloadRefused(let mistakes):
            for mistake in mistakes { warn(mistake) }
            warn("reload: refused; the old settings and rules stay in force")
        case .notice(let notice): warn("\(notice.name): \(shown(notice.message))")
        case .beat, .committed: break
        case .stopping: warn("stopping")
        case .stopped(let lines): warn("stopped after \(lines) lines")
        }
    }

    /// The same for systemd, or whoever started us as it does. That we live it hears from the
    /// engine's beat alone: were the engine to stand still, it would end us and start us again.
    func tell(_ manager: ServiceManager) {
        switch self {
        case .ready: manager.tell([.ready, .status("reading")])
        case .beat(let pulse): manager.tell([.alive, .status(pulse.words)])
        case .reloading:
            manager.tell([.reloading(monotonicNanoseconds: Clocks.monotonicNanoseconds())])
        case .reloaded: manager.tell([.ready])
        case .reloadRefused: manager.tell([.ready])
        case .stopping: manager.tell([.stopping, .status("stopping")])
        default: break
        }
    }
}

extension ServiceManager {
    /// How often the engine is to beat: twice as often as the manager looks, so that one that comes
    /// late is none that is missing; without a watchdog often enough for the status. Nil: nobody
    /// listens.
    fileprivate var beatNanoseconds: UInt64? {
        guard isThere else { return nil }
        let statusNanoseconds: UInt64 = 30_000_000_000
        return min(watchdogNanoseconds.map { $0 / 2 } ?? .max, statusNanoseconds)
    }
}

extension DaemonPulse {
    /// For `systemctl status`.
    fileprivate var words: String {
        let failing = isCommitFailing ? "; the state cannot be written" : ""
        let count = sources == 1 ? "1 source" : "\(sources) sources"
        return "\(lines) lines read of \(count), \(openMessages) messages open\(failing)"
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
        case .readsRotated(let path):
            "\(shown(path.string)): rotated before it was read; read first"
        case .lost(let gap): gap.words
        case .rotated(let path):
            "\(shown(path.string)): rotated; the old file is read to its end first"
        case .disappeared(let path): "\(shown(path.string)): it is not there; waiting for it"
        case .truncated(let path, let truncation):
            "\(shown(path.string)): truncated after byte \(truncation.offset); read from its beginning"
                + (truncation.copy.map { ", after the rest of \(shown($0.string))" } ?? "")
        case .expanded(let path, let textBytes, let fileBytes):
            "\(shown(path.string)): \(textBytes) bytes of text came out of \(fileBytes); all of it "
                + "was read"
        case .leftOut(let skipped): skipped.words + "; left out"
        case .notInTimeOrder(let path):
            "\(shown(path.string)): it begins before the log that was read before it; an archive that "
                + "comes through a pipe is read in its own order: name the file instead"
        case .cannotOpen(let error): shown("\(error)")
        case .notWatched(let error): "no inotify, the file is looked at often: " + shown("\(error)")
        case .forged, .suppressed, .vacuumed: journalWords ?? ""
        }
    }
}

extension FileGap {
    /// What is gone, in words.
    fileprivate var words: String {
        let name = shown(path.string)
        let count = bytes.map { "at least \($0) bytes" } ?? "an unknown number of bytes"
        let gone = "\(count) after byte \(offset) are lost"
        return switch cause {
        case .cursorFileGone:
            "\(name): the file that was read before is gone; all newer ones are read; \(gone)"
        case .truncated: "\(name): no copy of it was made; \(gone)"
        case .unknownCompression: "\(name): compressed in a way that is not read here; \(gone)"
        case .unreadable(let error): "\(shown("\(error)")): given up; \(gone)"
        case .leftWhileWritten:
            "\(name): still written long after its rotation; left, what comes now is lost"
        }
    }
}
