import ArgumentParser

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "The daemon: follows the mail log and raises alerts.",
        discussion: """
            Follows the sources of the settings, keeps its state and the evidence in the state folder, \
            and sends alerts to the sinks. SIGTERM ends it; killed at any moment, it goes on where it \
            was and raises no alert twice.

            SIGHUP (systemctl reload, or postern reload) reads settings and rules again. With any \
            mistake in them the old ones stay in force. Windows of rules that did not change go on; \
            an alert that is open under a rule that changed or went is resolved. What cannot change \
            while it runs is named, and waits for a restart.

            EXAMPLES
              postern run
              postern run --config ./postern.yml
            """
    )

    static let defaultConfig = "/etc/postern/postern.yml"

    @Option(name: .long, help: "Settings file. Default: \(defaultConfig), which may be missing.")
    var config: String?

    @Option(name: .long, help: "Folder of rules besides the shipped ones. May be repeated.")
    var rules: [String] = []

    func run() throws {
        let settings = try daemonSettings(config)
        let configuration = try daemonConfiguration(settings, ruleFolders: rules)
        let reader = SettingsReload(config: config, ruleFolders: rules, settings: settings)
        _ = try runDaemon(
            configuration,
            untilCaughtUp: false,
            status: StatusSetup(settings),
            reload: { reader.read() }
        )
    }
}
