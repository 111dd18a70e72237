import ArgumentParser
import Pipeline
import SafeText
import SystemPackage

struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Has the daemon read its settings and rules again.",
        discussion: """
            As SIGHUP does, and waits for what comes of it: with any mistake the old settings and rules \
            stay in force, every mistake is shown here as well, and the status is 78. What changed \
            and waits for a restart is named.

            EXAMPLES
              postern reload
              postern reload --state /var/lib/postern
            """
    )

    @OptionGroup var folder: StateFolderOptions

    func run() throws {
        let path = try folder.path()
        guard let answer = try askDaemon(.reload, author: authorName(), folder: path) else {
            throw Failure(.failed, "no daemon runs on \(shown(path.string))")
        }
        if answer.outcome == .refused {
            throw Failure(.settings, all: answer.details + [answer.message])
        }
        try conclude(answer)
    }
}
