import ArgumentParser
import Findings
import LinuxIO
import MailLog
import Pipeline
import SafeText
import Settings
import Sigma
import SystemPackage

struct TuneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Shows how many alerts a day other thresholds would have given.",
        discussion: """
            Reads logs once, as postern replay does, with every rule that counts run side by side at a \
            grid of thresholds and timespans. For each it tells the alerts, how many that is a day, and \
            which accounts would fire that do not with the rule as it is. With --budget it marks, for \
            each rule and timespan, the lowest threshold that keeps to it.

            EXAMPLES
              postern tune --budget 1/week /var/log/mail.log*
              postern tune --rule receipt_burst --thresholds 2,3,4,5 --timespans 30m,1h,1d /srv/archive/
              postern tune --json /srv/archive/ | jq -c 'select(."postern.is_chosen")'
              postern tune --budget 2/month --html thresholds.html /srv/archive/
            """
    )

    @OptionGroup var input: InputOptions

    @Option(name: .long, help: "Folder of rules besides the shipped ones. May be repeated.")
    var rules: [String] = []

    @Option(name: .long, help: "Only this rule, by name or ID. May be repeated.")
    var rule: [String] = []

    @Option(
        name: .long,
        help: "Thresholds to be tried, as in 2,3,5. Default: around each rule's own."
    )
    var thresholds: String?

    @Option(
        name: .long,
        help:
            "Timespans to be tried, as in 30m,1h,7d. Default: half, once and twice each rule's own."
    )
    var timespans: String?

    @Option(
        name: .long,
        help: "How many alerts of a rule are wanted at most: 1/week, 2/day, 1/month."
    )
    var budget: String?

    @Flag(name: .long, help: "Print JSON, one object a line.")
    var json = false

    @Option(name: .long, help: "Write a page with diagrams and all figures to this file.")
    var html: String?

    @Option(name: .long, help: "Write the diagrams to this file.")
    var svg: String?

    @Argument(help: "Files, folders, or - for standard input.")
    var inputs: [String]

    func validate() throws {
        if let budget, AlertBudget(budget) == nil {
            throw ValidationError(
                "--budget takes a number of alerts such as 1/week, 2/day or 1/month"
            )
        }
        if thresholds != nil, thresholdList == nil {
            throw ValidationError("--thresholds takes up to 50 numbers from 1, as in 2,3,5")
        }
        if timespans != nil, timespanList == nil {
            throw ValidationError("--timespans takes up to 20 times up to a year, as in 30m,1h,7d")
        }
    }

    private var thresholdList: [Int64]? {
        let words = (thresholds ?? "").split(separator: ",", omittingEmptySubsequences: false)
        let numbers = words.compactMap { Int64($0) }.filter { (1...1_000_000).contains($0) }
        return numbers.count == words.count && words.count <= 50 ? numbers : nil
    }

    private var timespanList: [Int64]? {
        let words = (timespans ?? "").split(separator: ",", omittingEmptySubsequences: false)
        let spans = words.compactMap { span(String($0)) }.map { $0 / 1_000_000 }
            .filter { $0 <= 366 * 86_400 }
        return spans.count == words.count && words.count <= 20 ? spans : nil
    }

    func run() throws {
        let settings = try input.settings()
        let rules = try loadAllRules(
            shipped: true,
            folders: (settings?.rules ?? []) + self.rules,
            settings: settings
        )
        let names = rules.correlations.flatMap { [$0.id] + ($0.name.map { [$0] } ?? []) }
        if let unknown = rule.first(where: { !names.contains($0) }) {
            throw Failure(.usage, "there is no correlation rule \(shown(unknown))")
        }
        guard
            let grid = TuneGrid(
                rules,
                names: rule,
                thresholds: thresholds == nil ? [] : thresholdList ?? [],
                timespans: timespans == nil ? [] : timespanList ?? []
            )
        else {
            throw Failure(
                .usage,
                "that makes more than \(TuneGrid.variantsMax) variants; name fewer rules, thresholds or "
                    + "timespans"
            )
        }
        for (name, reason) in grid.leftOut { warn("\(shown(name)) is left out: \(reason)") }
        guard !grid.variants.isEmpty else {
            throw Failure(.usage, "no rule is left that could be tuned")
        }
        let engine = try input.engineSettings(settings, rules: grid.rules)
        let opened = try openAll(inputs, engine)
        var replay = Replay()
        replay.window = input.window
        var output = TuneOutput(grid)
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
        for notice in output.notices { warn("\(notice.name): \(shown(notice.message))") }
        let isDamaged = tellNotes(summary.notes)
        if summary.scan.isOfNoLog {
            throw Failure(noLogIn: summary.lines)
        }
        let wanted = budget.flatMap(AlertBudget.init)
        let rows = output.rows(budget: wanted, days: summary.days)
        try write(TunePlot(rows: rows, days: summary.days, budget: wanted))
        show(rows, days: summary.days, hasBudget: wanted != nil)
        if isDamaged { throw Failure(.badData) }
    }

    private func write(_ plot: TunePlot) throws {
        for (path, text) in [(html, { plot.html() }), (svg, { plot.svg() })] {
            guard let path else { continue }
            do {
                let file = try SystemCalls().open(
                    FilePath(path),
                    [.write, .create, .truncate],
                    mode: 0o644
                )
                try file.writeAll(Array(text().utf8))
            } catch {
                throw Failure(.failed, shown("\(error)"))
            }
        }
    }

    private func show(_ rows: [TuneRow], days: Int, hasBudget: Bool) {
        var output = BufferedOutput()
        if json {
            for row in rows { output.writeLine(row.json(days: days)) }
            output.flush()
            return
        }
        var table = TextTable(
            [
                "rule", "timespan", "threshold", "alerts", "a day", "accounts", "new", "",
                "new accounts",
            ],
            rightAligned: [1, 2, 3, 4, 5, 6],
            cellMax: 80
        )
        for row in rows {
            let marks = [
                row.variant.isCurrent ? "as it is" : "", row.isChosen ? "within budget" : "",
            ]
            let more = row.newAccounts.count > 3 ? ", …" : ""
            table.add([
                shown(row.variant.ruleName), spanText(row.variant.timespanSeconds),
                "\(row.variant.threshold)", "\(row.alerts)",
                thousandths(row.perDayThousandths(days: days)), "\(row.accounts.count)",
                "\(row.newAccounts.count)", marks.filter { !$0.isEmpty }.joined(separator: ", "),
                row.newAccounts.prefix(3).map { shown($0) }.joined(separator: ", ") + more,
            ])
        }
        output.write(table.text(isColoured: StandardStream.output.wantsColour))
        output.write("\(days) day\(days == 1 ? "" : "s") of log")
        if hasBudget {
            let chosen = rows.filter { $0.isChosen }.count
            output.write(
                chosen == 0
                    ? "; nothing tried keeps to the budget"
                    : "; \(chosen) settings keep to the budget"
            )
        }
        output.write("\n")
        output.flush()
    }
}
