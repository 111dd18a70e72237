import ArgumentParser

@main
struct PosternCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "postern",
        abstract: "Tells which accounts of a mail server send read receipts for junk mail.",
        discussion: """
            Postern reads the log of a mail server, finds accounts whose Outlook answers the \
            read-receipt requests of spam with the user's own login, and keeps the proof.

            EXAMPLES
              postern replay /var/log/mail.log*
              postern replay --json --evidence ./bundles mail.log.1.gz mail.log
              postern events --json /var/log/mail.log
              postern run --config /etc/postern/postern.yml
              postern learn --config /etc/postern/postern.yml /srv/archive/mail.log.*.gz
              postern status
              postern top
              postern alerts list --open
              postern alerts silence --account alice@example.com --for 7d --reason "told her"
              postern evidence verify bundles/*.tar.zst
              postern report 4k2m --output alert.html
              postern state continuity --since 2026-03-01
              postern check
              postern match --rules ./my-rules events.jsonl

            EXIT STATUS
              0 done; 1 something failed at run time; 2 there were alerts (--fail-on-alert);
              64 wrong usage; 65 bad input data; 66 no such input; 78 bad settings or rules.
            """,
        version: Version.text,
        subcommands: [
            ReplayCommand.self, EventsCommand.self, RunCommand.self, LearnCommand.self,
            EvidenceCommand.self, StateCommand.self, ExplainCommand.self, DoctorCommand.self,
            TraceCommand.self, MatchCommand.self, CheckCommand.self, AlertsCommand.self,
            ReloadCommand.self, TuneCommand.self, SinksCommand.self, ReportCommand.self,
            StatusCommand.self, TopCommand.self,
        ]
    )

    /// Errors go to standard error in one form, with the exit status of their kind.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            failure.print()
            exit(withStatus: failure.status)
        } catch {
            exit(withError: error)
        }
    }

    private static func exit(withStatus status: ExitStatus) -> Never {
        exit(withError: ExitCode(status.rawValue))
    }
}
