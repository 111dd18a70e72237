import ArgumentParser
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

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Tells whether this server logs what Postern needs, and what to add.",
        discussion: """
            Reads real lines (without INPUT: the last 64 MiB, or of a journal the last day, of what \
            the daemon would follow) and counts of how many submissions they tell account, recipient, \
            subject and outcome. Prints the exact lines that are missing from the mail server's \
            settings. Of a Postfix on this machine it asks postconf as well, changes nothing, and reads \
            the header_checks tables.

            Exit status 0: ready; 1: not ready.

            EXAMPLES
              postern doctor
              postern doctor /var/log/mail.log
              postern doctor --postconf none --year 2026 other-server.log
              postern doctor --json | jq '."postern.missing"'
            """
    )

    @OptionGroup var input: InputOptions

    @Option(
        name: .long,
        help: """
            Program that tells Postfix's settings, or none. Default: postconf, if there is one and the \
            log is of this machine.
            """
    )
    var postconf: String?

    @Flag(name: .long, help: "Print one JSON object.")
    var json = false

    @Argument(help: "Files, folders, or - for standard input. Default: what the daemon follows.")
    var inputs: [String] = []

    func run() throws {
        let settings = inputs.isEmpty ? try daemonSettings(input.config) : try input.settings()
        let engine = try input.engineSettings(settings, rules: .init())
        var walk = LogWalk(engine)
        walk.window = input.window
        var checkup: Checkup
        do {
            checkup = try Checkup(engine)
        } catch {
            throw Failure(ReplayError.engine(error))
        }
        var denied: [String] = []
        if inputs.isEmpty {
            denied = try readRecent(settings ?? CheckedSettings(), &walk, &checkup)
        } else {
            try readInputs(engine, &walk, &checkup)
        }
        checkup.finish()
        let isDamaged = inputs.isEmpty ? false : tellNotes(walk.notes)
        if !inputs.isEmpty, walk.counters.isOfNoLog {
            throw Failure(noLogIn: walk.lineCount)
        }
        var report = DoctorReport(checkup, knowledge(walk, checkup))
        report.sources.append(summary(walk, checkup))
        for words in denied { report.deny(words) }
        if json {
            StandardStream.output.write(report.json() + [UInt8(ascii: "\n")])
        } else {
            StandardStream.output.write(
                report.text(isColoured: StandardStream.output.wantsColour)
            )
        }
        if isDamaged { throw Failure(.badData) }
        if !report.isReady { throw Failure(.failed) }
    }

    // MARK: Reading

    private func readInputs(
        _ engine: EngineSettings,
        _ walk: inout LogWalk,
        _ checkup: inout Checkup
    ) throws {
        let opened = try openAll(inputs, engine)
        var bar = ProgressBar(total: opened.totalBytes)
        defer { bar.clear() }
        do {
            try walk.forEachLine(
                of: chains(of: opened, firstYear: engine.firstYear),
                firstYear: engine.firstYear,
                progress: { bar.show($0) }
            ) { text, line in
                checkup.take(text, line)
                return true
            }
        } catch {
            throw Failure(error)
        }
    }

    /// - Returns: what could not be read, in words.
    private func readRecent(
        _ settings: CheckedSettings,
        _ walk: inout LogWalk,
        _ checkup: inout Checkup
    ) throws -> [String] {
        let sources: [FollowedSource]
        do {
            sources = try followedSources(settings).sources
        } catch let failure as Failure {
            return failure.messages
        }
        guard !sources.isEmpty else { return ["no file matches the sources of the settings"] }
        var denied: [String] = []
        for source in sources {
            do throws(ReplayError) {
                try walk.forEachRecentLine(of: source, since: input.window.startIfAny) {
                    (text, line) in
                    checkup.take(text, line)
                    return true
                }
            } catch .source(let error) {
                let advice = error.advice ?? Self.advice(error)
                denied.append(
                    "\(source.name) cannot be read: \(error.cause.cause)"
                        + (advice.map { "; \($0)" } ?? "")
                )
            } catch {
                throw Failure(error)
            }
        }
        return denied
    }

    private static func advice(_ error: SourceError) -> String? {
        guard error.code == .permissionDenied else { return nil }
        return "on Debian, logs can be read by members of the group adm: "
            + "usermod --append --groups adm USER, for the user that Postern runs as"
    }

    private func summary(_ walk: LogWalk, _ checkup: borrowing Checkup) -> String {
        let names = (0..<walk.files.count).compactMap { walk.path(ofFile: $0) }
        var text = names.prefix(8).joined(separator: ", ")
        if names.count > 8 { text += " and \(names.count - 8) more" }
        if names.isEmpty { text = "nothing" }
        text += ": \(walk.lineCount) lines"
        if let first = walk.firstMicroseconds, let last = walk.lastMicroseconds {
            text += ", \(rfc3339(microseconds: first)) to \(rfc3339(microseconds: last))"
        }
        if !checkup.hosts.isEmpty {
            text += ", of " + checkup.hosts.prefix(8).joined(separator: ", ")
        }
        let dialects = Dialect.allCases.filter { walk.counters[$0].lines > 0 }
        if !dialects.isEmpty {
            text +=
                " ("
                + dialects.map { "\($0.name) \(walk.counters[$0].lines)" }
                .joined(separator: ", ") + ")"
        }
        return text
    }

    // MARK: The server's settings

    private func knowledge(_ walk: LogWalk, _ checkup: borrowing Checkup) -> ServerKnowledge {
        var server = ServerKnowledge()
        guard postconf != "none", walk.counters[.postfix].lines > 0 || walk.lineCount == 0,
            let program = postconf.map({ FilePath($0) }) ?? Self.findPostconf(),
            let main = ask(program, "-n"), let master = ask(program, "-M")
        else { return server }
        let settings = PostfixSettings(main: main, master: master)
        let here = [hostName(), settings.main["myhostname"] ?? ""].map(Self.firstLabel)
        let isOfThisMachine =
            checkup.hosts.isEmpty || checkup.hosts.contains { here.contains(Self.firstLabel($0)) }
        guard postconf != nil || isOfThisMachine else {
            warn("postconf was not asked: the log is of other machines; --postconf PROGRAM asks it")
            return server
        }
        server.postfix = settings
        for table in settings.patternTables {
            guard let path = table.path else { continue }
            do {
                let bytes = try readWholeFile(FilePath(path), bytesMax: 1 << 20)
                server.tables[path] = HeaderTable(String(decoding: bytes, as: UTF8.self))
            } catch {
                server.unreadable[path] = "\(error.cause)"
            }
        }
        return server
    }

    private static func firstLabel(_ name: String) -> String {
        String(name.prefix { $0 != "." }).lowercased()
    }

    /// `postconf` in the folders of `PATH`, or where it usually lies.
    private static func findPostconf() -> FilePath? {
        let path = variable("PATH") ?? "/usr/bin:/bin"
        let folders =
            path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/local/sbin"]
        return folders.map { FilePath($0).appending("postconf") }
            .first { (try? SystemCalls().status(of: $0))?.kind == .regular }
    }

    private static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// What the program wrote; nil if it failed or took too long.
    private func ask(_ program: FilePath, _ option: String) -> String? {
        let environment =
            ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
            + (Self.variable("MAIL_CONFIG").map { ["MAIL_CONFIG=\($0)"] } ?? [])
        do {
            let run = try ProgramRun.run(
                program,
                [option],
                environment: environment,
                milliseconds: 5_000,
                bytesMax: 1 << 20
            )
            guard run.status == 0 else {
                warn("\(shown(program.string)) \(option) failed; its settings are not known")
                return nil
            }
            return String(decoding: run.output, as: UTF8.self)
        } catch {
            warn(shown("\(error)") + "; Postfix's settings are not known")
            return nil
        }
    }
}
