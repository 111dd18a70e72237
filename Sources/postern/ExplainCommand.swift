import ArgumentParser
import LogSources
import MailEvents
import MailLog
import Pipeline
import SafeText
import Settings

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Tells line by line what was read, what it joined, and which rules matched.",
        discussion: """
            Below each line stand the fields that were read in it with their columns (bytes, from 1), \
            its event time, the message that it joined, and, where it completes an event, each rule \
            with the first condition that failed. A line that is not understood says why.

            It is what a replay of the same lines does, with the shipped rules and those of --rules.

            EXAMPLES
              postern explain --year 2026 mail.log | less
              postern explain --unparsed /var/log/mail.log
              postern explain --queue-id 4jY8GR4XpWz2NRZh mail.log
              postern explain --json mail.log | jq -r 'select(."postern.reading" == "unparsed")'
            """
    )

    @OptionGroup var input: InputOptions

    @Option(name: .long, help: "Folder of rules besides the shipped ones. May be repeated.")
    var rules: [String] = []

    @Flag(name: .long, help: "Show only lines that were not understood.")
    var unparsed = false

    @Option(name: .long, help: "Show only lines of the message with this queue ID.")
    var queueID: String?

    @Flag(name: .long, help: "Print JSON, one object a line.")
    var json = false

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
        var walk = LogWalk(engine)
        walk.window = input.window
        walk.isThorough = true
        do {
            try explain(opened, engine, &walk)
        } catch let error as ReplayError {
            throw Failure(error)
        }
        try conclude(walk)
    }

    private func explain(
        _ opened: [Input],
        _ engine: EngineSettings,
        _ walk: inout LogWalk
    ) throws {
        let sources = chains(of: opened, firstYear: engine.firstYear)
        var explainer: Explainer
        do {
            explainer = try Explainer(engine, sources, table: walk.files)
        } catch {
            throw Failure(ReplayError.engine(error))
        }
        var output = BufferedOutput()
        let isColoured = StandardStream.output.wantsColour
        var failure: ReplayError?
        try walk.forEachLine(of: sources, firstYear: engine.firstYear) {
            (text, line) in
            do throws(ReplayError) {
                let explanation = try explainer.explain(text, line)
                guard isWanted(explanation) else { return true }
                if json {
                    output.writeLine(explanation.json())
                } else {
                    output.write(explanation.text(isColoured: isColoured))
                }
                return true
            } catch {
                failure = error
                return false
            }
        }
        if let failure {
            output.flush()
            throw failure
        }
        if !json, !unparsed, queueID == nil {
            let (events, alerts) = explainer.finish()
            output.write(explanationOfEnd(events, alerts, isColoured: isColoured))
        }
        output.flush()
    }

    private func isWanted(_ explanation: LineExplanation) -> Bool {
        if unparsed {
            guard case .unparsed = explanation.outcome else { return false }
        }
        guard let queueID else { return true }
        let wanted = Array(queueID.utf8)
        return explanation.pieces.contains { $0.name == "email.local_id" && $0.value == wanted }
    }

    /// Tells how many lines of each dialect were read, and ends with the status that the input
    /// deserves.
    private func conclude(_ walk: LogWalk) throws {
        let isDamaged = tellNotes(walk.notes)
        let counters = walk.counters
        if counters.isOfNoLog {
            throw Failure(noLogIn: walk.lineCount)
        }
        if !json {
            for dialect in Dialect.allCases where counters[dialect].lines > 0 {
                let counts = counters[dialect]
                StandardStream.error.write(
                    "\(dialect.name): \(counts.lines) lines, \(counts.read) read, "
                        + "\(counts.ignored) without a part in a submission, "
                        + "\(counts.unparsed) not understood\n"
                )
            }
            for reason in UnparsedReason.allCases where counters[reason] > 0 {
                StandardStream.error.write(
                    "not understood: \(counters[reason]) lines: \(reason.name)\n"
                )
            }
            if counters.foreign > 0 {
                StandardStream.error.write("\(counters.foreign) lines of other programs\n")
            }
        }
        if isDamaged { throw Failure(.badData) }
    }
}
