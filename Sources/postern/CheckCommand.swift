import Alerting
import ArgumentParser
import Detection
import LinuxIO
import Pipeline
import SafeText
import Settings
import Sigma
import SystemPackage

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Finds every mistake of the settings and rules at once.",
        discussion: """
            Each mistake is one line on standard error: FILE:LINE:COLUMN, what is wrong, and what would \
            be right. Warnings are marked as such and do not fail: a field that no event has, a rule that can never \
            match, a condition that cannot hold. Ends with status 78 when there is a mistake.

            Without --config, the settings are those of the daemon, /etc/postern/postern.yml, or \
            the defaults when there is no such file. Rules are the shipped ones, those of the settings and those \
            of --rules.

            With --effective, all settings come out with the defaults filled in, as a settings file, and \
            behind them the rules in force. Secrets stay in their files.

            EXAMPLES
              postern check
              postern check --config ./postern.yml --rules ./my-rules
              postern check --effective > postern.yml
            """
    )

    @Option(name: .long, help: "Settings file; without it the daemon's.")
    var config: String?

    @Option(
        name: .long,
        help: "Folder or file of rules besides those of the settings. May be repeated."
    )
    var rules: [String] = []

    @Flag(name: .long, help: "Print all settings, with defaults, and the rules in force.")
    var effective = false

    static let defaultConfig = "/etc/postern/postern.yml"

    func run() throws {
        var mistakes: [String] = []
        let settings = try checkedSettings(&mistakes)
        let checked = try checkedRules(settings, &mistakes)
        for sink in settings.sinks { checkFiles(of: sink, settings, &mistakes) }
        guard mistakes.isEmpty else {
            let count = mistakes.count
            throw Failure(
                .settings,
                all: mistakes + [count == 1 ? "1 mistake" : "\(count) mistakes"]
            )
        }
        var output = BufferedOutput()
        if effective {
            output.write(settings.text())
            output.write(rulesInForce(checked.rules))
        } else {
            output.write(
                "\(checked.rules.detections.count) rules, "
                    + "\(checked.rules.correlations.count) correlations, "
                    + "\(checked.rules.filters.count) filters: no mistake"
                    + (checked.warningCount == 0
                        ? "" : ", \(checked.warningCount) warnings") + "\n"
            )
        }
        output.flush()
    }

    /// What the files of a sink say. Secrets may be for other eyes than those of who checks, and are
    /// only warned of.
    private func checkFiles(
        of sink: CheckedSettings.Sink,
        _ settings: CheckedSettings,
        _ mistakes: inout [String]
    ) {
        do {
            if case .webhook(let webhook) = sink.kind {
                do {
                    _ = try webhook.checkedTemplate()
                } catch let failure as Failure {
                    mistakes += failure.messages
                    return
                }
            }
            var made = try sink.sink(settings)
            // A program is there or is not; a server need not be there now.
            if sink.isProgram, case .failed(let why, _) = made.reach() {
                warn("warning: " + shown(why))
            }
        } catch let failure as Failure {
            for message in failure.messages { warn("warning: " + message) }
        } catch {
            warn("warning: " + shown("\(error)"))
        }
    }

    /// The settings; what is wrong in them has its default.
    private func checkedSettings(_ mistakes: inout [String]) throws -> CheckedSettings {
        let path = config ?? Self.defaultConfig
        let bytes: [UInt8]
        do {
            bytes = try readWholeFile(FilePath(path), bytesMax: 1 << 20)
        } catch {
            if config == nil, error.cause == .noSuchFileOrDirectory { return CheckedSettings() }
            throw Failure(.settings, "\(shown(path)): \(error.cause)")
        }
        let (settings, found) = CheckedSettings.readPartly(bytes, file: path)
        mistakes += found.map { shown("\($0)") }
        return settings
    }

    private func checkedRules(
        _ settings: CheckedSettings,
        _ mistakes: inout [String]
    ) throws -> (rules: RuleSet, warningCount: Int) {
        let found = try loadCheckedRules(
            shipped: true,
            folders: (settings.rules ?? [CheckedSettings.defaultRules]) + rules,
            optional: settings.rules == nil ? [CheckedSettings.defaultRules] : [],
            settings: settings
        )
        let names =
            found.rules.detections.compactMap(\.name) + found.rules.correlations.compactMap(\.name)
        mistakes += settings.mistakes(ofRulesOff: names).map { shown("\($0)") }
        mistakes += found.mistakes.map(safeText)
        for warning in found.warnings { warn("warning: " + safeText(warning)) }
        return (found.rules, found.warnings.count)
    }

    /// Every rule, with its level and what comes of its matches, as comments of a settings file.
    private func rulesInForce(_ rules: RuleSet) -> String {
        var text = "# Rules in force:\n"
        for rule in rules.detections {
            text += "#   " + shown(rule.name ?? rule.id) + ": \(rule.level.rawValue)"
            for filter in rule.filters {
                let filter = rules.filters[filter]
                text += ", filtered by " + shown(filter.name ?? filter.id)
            }
            text += " (" + shown(rule.head.place.file) + ")\n"
        }
        for rule in rules.correlations {
            text +=
                "#   " + shown(rule.name ?? rule.id) + ": \(rule.level.rawValue), "
                + "\(rule.kind.rawValue) over " + shown(rule.ruleNames.joined(separator: ", "))
                + " (" + shown(rule.head.place.file) + ")\n"
        }
        return text
    }
}
