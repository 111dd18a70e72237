import ArgumentParser
import LinuxIO
import Pipeline
import SafeText
import Settings
import State
import SystemPackage

struct StateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "state",
        abstract: "Shows what the state folder holds, moves it, and makes it anew.",
        discussion: """
            EXAMPLES
              postern state show alice@example.com
              postern state forget alice@example.com
              postern state export > memory.zst
              postern state import memory.zst
              postern state continuity
              postern state continuity --since 2026-03-01 --json
              postern state rebuild
            """,
        subcommands: [
            StateShow.self, StateForget.self, StateExport.self, StateImport.self,
            Continuity.self, StateRebuild.self,
        ]
    )

    struct Continuity: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows what was read of each source on each day, and what was not.",
            discussion: """
                One line for each day and source: lines and bytes read, the first and the last stamp, \
                rotations, lines that were cut, came late or were forged; and below it each gap that \
                began there, with what is missing and why. What no gap touches was read whole. It \
                works while the daemon runs.

                With --since, an earlier day is shown too if a gap reaches from it past that day.

                With --json, a gap is a line of its own, which has the member "gap".

                EXAMPLES
                  postern state continuity
                  postern state continuity --since 2026-03-01
                  postern state continuity --state /var/lib/postern --json | jq -c 'select(.gap)'
                """
        )

        @OptionGroup var folder: StateFolderOptions

        @Option(name: .long, help: "Leave out the days before this one, as in 2026-03-01.")
        var since: String?

        @Flag(name: .long, help: "Print JSON, one object a line.")
        var json = false

        func validate() throws {
            if let since, dayNumber(since) == nil {
                throw ValidationError("--since takes a day such as 2026-03-01")
            }
        }

        func run() throws {
            let store = try readState(folder.path())
            var ledger = Pipeline.Continuity()
            do {
                try ledger.restore(from: store)
            } catch .state(let error) {
                throw Failure(reading: error)
            } catch .stored(let error) {
                throw Failure(
                    .failed,
                    shown("\(store.folder): \(error)"),
                    wayOutOfDamage
                )
            }
            let days = ledger.allDays(since: since.flatMap(dayNumber))
            var output = BufferedOutput()
            if json {
                for day in days {
                    output.writeLine(day.json())
                    for gap in day.gapsJSON() { output.writeLine(gap) }
                }
            } else if days.isEmpty {
                output.write("nothing was read\(since.map { " since \($0)" } ?? "")\n")
            } else {
                let isColoured = StandardStream.output.wantsColour
                output.write(continuityTable(days, isColoured: isColoured))
            }
            output.flush()
        }
    }
}

/// Which state folder a command is about.
struct StateFolderOptions: ParsableArguments {
    @Option(
        name: .long,
        help: "Settings file that names the state folder. Default: that of postern run."
    )
    var config: String?

    @Option(name: .long, help: "State folder; no settings file is read.")
    var state: String?

    func validate() throws {
        if config != nil, state != nil {
            throw ValidationError("--config and --state exclude each other")
        }
    }

    func path() throws -> FilePath { FilePath(try state ?? daemonSettings(config).state) }
}

/// The settings of the daemon: those of the named file, else of the default one, which may be
/// missing.
func daemonSettings(_ config: String?) throws -> CheckedSettings {
    if let config { return try readSettings(config) }
    if (try? SystemCalls().status(of: FilePath(RunCommand.defaultConfig))) != nil {
        return try readSettings(RunCommand.defaultConfig)
    }
    return CheckedSettings()
}

/// Opens a state folder for reading: status 66 if there is none, 1 if it cannot be read.
func readState(_ folder: FilePath) throws -> StateReader {
    do {
        return try StateReader(folder: folder)
    } catch {
        throw Failure(reading: error)
    }
}

let wayOutOfDamage = "postern state rebuild makes a new state from the logs"

extension Failure {
    /// A state folder could not be read.
    init(reading error: StateError) {
        switch error.code {
        case .missing: self.init(.noInput, shown("\(error)"))
        case .corrupt, .foreign: self.init(.failed, shown("\(error)"), wayOutOfDamage)
        default: self.init(.failed, shown("\(error)"))
        }
    }
}

/// Days since 1970 of a date such as `2026-03-01`; nil if there is no such day.
private func dayNumber(_ text: String) -> Int? {
    guard text.utf8.count == 10, let moment = parseRFC3339(text + "T00:00:00Z") else { return nil }
    return Int(moment / 86_400_000_000)
}
