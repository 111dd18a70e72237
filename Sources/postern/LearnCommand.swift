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
import State
import SystemPackage

struct LearnCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "learn",
        abstract: "Teaches the memory from logs; raises no alert.",
        discussion: """
            A domain that an account wrote to in these logs is not unseen any more, and one that it \
            heard from is heard. Read receipts teach nothing. What the daemon reads of its sources \
            stays as it is; it must not run meanwhile, since it owns the state folder.

            The oldest logs come first, best before the daemon's first start: days before those that \
            are known already add nothing to what an account heard.

            Without --config and --state it takes the daemon's settings, \(RunCommand.defaultConfig). \
            Give --config along with --state when they name zones, prefixes or domains of accounts.

            EXAMPLES
              postern learn /var/log/mail.log.*.gz
              postern learn --config ./postern.yml /srv/archive/2025/
              zcat mail-2025.gz | postern learn --state ./state --year 2025 --timezone UTC -
            """
    )

    @OptionGroup var input: InputOptions

    @Option(
        name: .long,
        help: "State folder; made if it is missing. Default: that of the settings."
    )
    var state: String?

    @Argument(help: "Files, folders, or - for standard input.")
    var inputs: [String]

    func run() throws {
        let settings = try self.settings()
        let engine = try input.engineSettings(settings, rules: .init())
        let opened = try openAll(inputs, engine)
        let folder = FilePath(state ?? settings?.state ?? CheckedSettings().state)
        let store: StateStore
        do {
            store = try StateStore(
                folder: folder,
                create: StateStore.Creation(
                    nowMicroseconds: Clocks.realtimeMicroseconds(),
                    host: hostName()
                )
            )
        } catch {
            throw Failure(reading: error)
        }
        var learn = Learn()
        learn.window = input.window
        var output = LearnOutput()
        var bar = ProgressBar(total: opened.totalBytes)
        let summary: LearnSummary
        do {
            summary = try learn.run(
                chains(of: opened, firstYear: engine.firstYear),
                settings: engine,
                store: store,
                output: &output
            ) { bar.show($0) }
        } catch {
            bar.clear()
            throw Failure(error, folder)
        }
        bar.clear()
        try conclude(summary)
    }

    /// The settings that the daemon works with, since it will ask what is learnt here; none when
    /// only a state folder is named.
    private func settings() throws -> CheckedSettings? {
        if input.config == nil, state != nil { return nil }
        return try daemonSettings(input.config)
    }

    /// Tells what was learnt, and ends with the status that the input deserves.
    private func conclude(_ summary: LearnSummary) throws {
        let isDamaged = tellNotes(summary.read.notes)
        let read = summary.read
        if read.scan.isOfNoLog {
            throw Failure(noLogIn: read.lines)
        }
        StandardStream.error.write(
            "\(read.lines) lines, \(read.assembly.submissions) messages, \(read.submitted) "
                + "recipients, \(summary.receipts) of them of receipts.\n"
                + "\(summary.accounts - summary.accountsBefore) new accounts, "
                + "\(summary.pairs - summary.pairsBefore) new pairs of an account and a domain; "
                + "\(summary.accounts) accounts and \(summary.pairs) pairs are remembered now.\n"
        )
        if read.scan.unparsed > 0 || read.engine.linesCut > 0 {
            StandardStream.error.write(
                "\(read.scan.unparsed) lines were not understood, "
                    + "\(read.engine.linesCut) were cut at 64 KiB.\n"
            )
        }
        if isDamaged { throw Failure(.badData) }
    }
}

/// Nothing comes of learning but notices of limits.
private struct LearnOutput: EngineOutput {
    mutating func finished(_ event: SendEvent, record: String) {}

    mutating func changed(_ alert: Alert, bundle: BundleContents?) {}

    mutating func raised(_ notice: Notice) {
        warn("\(notice.name): \(shown(notice.message))")
    }
}

extension Failure {
    init(_ error: LearnError, _ folder: FilePath) {
        switch error {
        case .replay(let error): self.init(error)
        case .state(let error): self.init(reading: error)
        case .stored(let error):
            self.init(.failed, shown("\(folder): \(error)"), wayOutOfDamage)
        }
    }
}
