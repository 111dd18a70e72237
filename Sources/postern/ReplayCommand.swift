import Alerting
import ArgumentParser
import Evidence
import Findings
import Glibc
import LinuxIO
import LogSources
import MailEvents
import MailLog
import Pipeline
import SafeText
import Settings
import Sigma
import SystemPackage

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Reads logs from beginning to end and shows the alerts.",
        discussion: """
            The same engine as the daemon's, over files, folders, .gz .xz .bz2 .zst .lz4 .tar .tar.* \
            .zip, evidence bundles, or - for standard input; what they are is told by their content. It starts from nothing and keeps nothing but the evidence it is told to.

            EXAMPLES
              postern replay /var/log/mail.log
              postern replay --json --year 2026 --timezone Europe/Berlin mail.log.2.gz mail.log.1 mail.log
              zcat archive.gz | postern replay --year 2025 --evidence ./bundles -
              postern replay --rules ./my-rules --fail-on-alert /var/log/mail/
            """
    )

    @OptionGroup var input: InputOptions

    @Option(name: .long, help: "Folder of rules besides the shipped ones. May be repeated.")
    var rules: [String] = []

    @Option(name: .long, help: "Folder for evidence bundles; made if it is missing.")
    var evidence: String?

    @Flag(name: .long, help: "Print alerts as JSON, one object a line.")
    var json = false

    @Flag(name: .long, help: "End with status 2 if an alert of medium or above was opened.")
    var failOnAlert = false

    @Argument(help: "Files, folders, or - for standard input.")
    var inputs: [String]

    func run() throws {
        let settings = try input.settings()
        let rules = try loadAllRules(
            shipped: true,
            folders: (settings?.rules ?? []) + self.rules,
            settings: settings
        )
        let engine = try input.engineSettings(settings, rules: rules)
        let opened = try openAll(inputs, engine)
        var replay = Replay()
        replay.sealsEvidence = evidence != nil
        replay.window = input.window
        var output = AlertOutput(
            json: json,
            store: evidence.map { BundleStore(folder: FilePath($0)) },
            folder: evidence
        )
        var bar = ProgressBar(total: opened.totalBytes)
        let summary: ReplaySummary
        do {
            summary = try replay.run(
                chains(of: opened, firstYear: engine.firstYear),
                settings: engine,
                output: &output
            ) { bar.show($0) }
        } catch {
            bar.clear()
            throw Failure(error)
        }
        bar.clear()
        output.buffer.flush()
        try conclude(summary, output)
    }

    /// Tells what was read, and ends with the status that it deserves.
    private func conclude(_ summary: ReplaySummary, _ output: AlertOutput) throws {
        let damage = tellNotes(summary.notes)
        for failure in output.sealFailures { warn(failure) }
        if summary.scan.isOfNoLog {
            throw Failure(noLogIn: summary.lines)
        }
        if !json {
            let alerts = summary.alertsOpened
            StandardStream.error.write(
                "\(summary.lines) lines, \(summary.assembly.submissions) submissions, "
                    + "\(summary.submitted) recipients, "
                    + "\(alerts) alert\(alerts == 1 ? "" : "s").\n"
            )
            if summary.scan.unparsed > 0 || summary.engine.linesCut > 0 {
                StandardStream.error.write(
                    "\(summary.scan.unparsed) lines were not understood, "
                        + "\(summary.engine.linesCut) were cut at 64 KiB.\n"
                )
            }
        }
        if damage { throw Failure(.badData) }
        if !output.sealFailures.isEmpty { throw Failure(.failed) }
        if failOnAlert, output.seriousCount > 0 { throw Failure(.alerts) }
    }
}

extension Failure {
    init(_ error: ReplayError) {
        switch error {
        case .engine(.rules(let mistakes)):
            self.init(.settings, all: mistakes.map { shown("\($0)") })
        case .engine(.prefix(let message)):
            self.init(.settings, "receipts: \(shown(message))")
        case .unknownYear(let path, let offset):
            self.init(
                .badData,
                "\(shown(path)): at byte \(offset): the stamp has no year, and nothing tells it; "
                    + "give the year of the first record with --year"
            )
        case .bell(let error):
            self.init(.failed, "no eventfd: \(error)")
        case .source(let error):
            self.init(.failed, shown("\(error.cause)"))
        }
    }
}

extension [Input] {
    /// Bytes on the disk, if all are known and none is compressed.
    var totalBytes: UInt64? {
        var total: UInt64 = 0
        for input in self {
            guard let size = input.size, input.encoding == .plain else { return nil }
            total += size
        }
        return total
    }
}

/// Tells the notes of sources. Gives whether some input was damaged.
func tellNotes(_ notes: [SourceNote]) -> Bool {
    var isDamaged = false
    for note in notes {
        if let words = note.journalWords { warn(words) }
        switch note {
        case .damaged(let problem):
            isDamaged = true
            warn(problem.words)
        case .leftOut, .notInTimeOrder, .expanded: warn(note.words)
        default: break
        }
    }
    return isDamaged
}

extension SourceProblem {
    /// Where what is wrong, and what was read all the same.
    fileprivate var words: String {
        switch damage {
        case .journalTruncated, .entriesUnreadable:
            "\(shown(path.string)): \(damage.words); all others were read"
        default:
            "\(shown(path.string)): at byte \(fileOffset): \(damage.words); everything before it was read"
        }
    }
}

extension SourceProblem.Damage {
    /// What is wrong, in words.
    var words: String {
        switch self {
        case .truncated: "the compressed data or the archive end before their end"
        case .corrupt(let why): "the compressed data or the archive are damaged (\(shown(why)))"
        case .trailingBytes: "something follows the compressed data or the archive"
        case .windowTooLarge: "it needs more than 128 MiB to be decompressed"
        case .unreadable(let error): "\(error.cause)"
        case .replaced: "the file was replaced while it waited to be read"
        case .journalTruncated: "the journal file is shorter than its header says"
        case .entriesUnreadable(let count): "\(count) journal entries are damaged"
        case .exportBroken: "the journal export breaks off within an entry"
        }
    }
}

/// Shows alerts as they come and seals their bundles.
struct AlertOutput: EngineOutput {
    let json: Bool
    let store: BundleStore?
    let folder: String?
    var buffer = BufferedOutput()
    private(set) var seriousCount = 0
    private(set) var sealFailures: [String] = []
    private var latest: [AlertID: SealedEvidence] = [:]
    private let text: AlertText

    init(json: Bool, store: BundleStore?, folder: String?) {
        self.json = json
        self.store = store
        self.folder = folder
        text = AlertText(
            isColoured: StandardStream.output.wantsColour,
            width: StandardStream.output.columns,
            evidenceFolder: folder
        )
    }

    mutating func finished(_ event: SendEvent, record: String) {}

    mutating func changed(_ alert: Alert, bundle: BundleContents?) {
        var alert = alert
        if alert.action == .opened || alert.action == .reopened, alert.severity >= .medium {
            seriousCount += 1
        }
        if let store, let bundle {
            do {
                latest[alert.id] = try store.seal(
                    bundle,
                    host: hostName(),
                    posternVersion: Version.text,
                    previous: nil
                )
            } catch {
                // The alert goes out all the same, marked.
                alert.degraded.append("unsealed")
                sealFailures.append("\(error)")
            }
        }
        alert.evidence = latest[alert.id]
        if alert.action == .resolved { latest[alert.id] = nil }
        if json {
            buffer.writeLine(alert.json())
        } else {
            buffer.write(text.render(alert) + "\n")
        }
        buffer.flush()
    }

    mutating func raised(_ notice: Notice) {
        warn("\(notice.name): \(shown(notice.message))")
    }
}

/// The name of this machine (gethostname(2)).
func hostName() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
    let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return String(decoding: bytes, as: UTF8.self)
}
