import ArgumentParser
import Glibc

/// How long it takes from the daemon's start, with all that it remembers, to the alert of lines that came
/// meanwhile.
struct StartBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Starts the daemon on a filled state and times it to its first alert.",
        discussion: """
            The folder is one that `PosternBench memory FOLDER` filled. While the daemon starts, three receipts \
            of an account are logged.

            EXAMPLE
              PosternBench memory /var/tmp/pairs
              PosternBench start --program .build/release/postern /var/tmp/pairs
            """
    )

    @Option(help: "The program.")
    var program = ".build/release/postern"

    @Option(help: "Starts.")
    var runs = 5

    @OptionGroup var report: ReportOptions

    @Argument(help: "Folder of the state.")
    var folder: String

    func validate() throws {
        guard runs > 0, runs <= 1_000 else { throw ValidationError("--runs takes 1 to 1000") }
    }

    func run() throws {
        var seconds: [Double] = []
        var megabytes = 0
        for run in 0..<runs {
            let start = nanoseconds(of: CLOCK_MONOTONIC)
            // A number of this process, so that no earlier run of the benchmark had the account.
            let account = Int(getpid()) % 90_000 * 10 + run % 10
            let daemon = try FollowedDaemon(program: program, state: folder)
            defer { daemon.end() }
            daemon.writeBurst(account)
            try daemon.waitForAlert(of: "user\(account)@")
            seconds.append(Double(nanoseconds(of: CLOCK_MONOTONIC) - start) / 1e9)
            megabytes = max(megabytes, daemon.residentMegabytes())
        }
        var result = BenchReport("start")
        result.input("starts", runs)
        result.input("state", folder)
        result.add("start to first alert", "s", seconds)
        result.add("resident then", "MiB", megabytes)
        report.print(result)
    }
}
