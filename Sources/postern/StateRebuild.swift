import ArgumentParser
import Evidence
import LinuxIO
import Pipeline
import SafeText
import State
import SystemPackage

struct StateRebuild: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: "Makes the state anew from the logs, rotated ones too.",
        discussion: """
            For a state that is damaged or is not wanted any more. The daemon must be stopped. The old \
            state is set aside in a folder within the state folder, never deleted; then all sources \
            of the settings are read from their first byte to their present end, with full detection. \
            Alerts get the IDs that they had. Nothing is sent: the daemon does that when it starts, \
            and leaves out what is older than dispatch_age_max. Evidence bundles stay.

            EXAMPLES
              systemctl stop postern && postern state rebuild && systemctl start postern
              postern state rebuild --config ./postern.yml
            """
    )

    @Option(name: .long, help: "Settings file. Default: that of postern run.")
    var config: String?

    @Option(name: .long, help: "Folder of rules besides the shipped ones. May be repeated.")
    var rules: [String] = []

    func run() throws {
        // All that can be wrong with settings and rules is told before anything moves.
        var configuration = try daemonConfiguration(daemonSettings(config), ruleFolders: rules)
        let name = "set-aside-" + Self.stamp(Clocks.realtimeMicroseconds())
        let folder = configuration.state
        // The bundles stay, and with them their chain; of a state too damaged to tell it, a new one
        // begins.
        let chain = try? StateReader(folder: folder).evidenceChain()
        configuration.formerChain = chain?.map(\.link) ?? []
        do {
            try StateStore.setAside(folder, into: name)
            warn("the old state lies in \(shown(folder.appending(name).string))")
        } catch  where error.code == .missing {
            warn("there was no state in \(shown(folder.string))")
        } catch {
            throw Failure(.failed, shown("\(error)"))
        }
        let lines = try runDaemon(configuration, untilCaughtUp: true)
        print("\(lines) lines were read; the daemon goes on from there")
    }

    /// `20260301T101500Z`.
    private static func stamp(_ microseconds: Int64) -> String {
        rfc3339(microseconds: microseconds / 1_000_000 * 1_000_000)
            .prefix { $0 != "." }
            .filter { $0 != "-" && $0 != ":" && $0 != "Z" } + "Z"
    }
}
