import ArgumentParser
import Glibc

/// Whole processes, in turn: `postern replay` of a log and `wc -l` of the same log.
struct ReplayBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Times postern replay of a log against wc -l of it, run by run.",
        discussion: """
            The log is read once before the first run, so that all runs find it in the page cache. \
            Times are from start to exit of the process; memory is its largest resident size.

            EXAMPLE
              PosternBench replay --program .build/release/postern --runs 7 big.log
            """
    )

    @Option(help: "The program.")
    var program = ".build/release/postern"

    @Option(help: "Counted runs of each.")
    var runs = 7

    @OptionGroup var report: ReportOptions

    @Argument(help: "A plain mail log.")
    var log: String

    func validate() throws {
        guard runs > 0, runs <= 1_000 else { throw ValidationError("--runs takes 1 to 1000") }
    }

    func run() throws {
        let count = ["/usr/bin/wc", "-l", log]
        let replay = [program, "replay", "--timezone", "UTC", "--year", "2026", log]
        _ = try TimedCommand(count)
        _ = try TimedCommand(replay)
        var countSeconds: [Double] = []
        var replaySeconds: [Double] = []
        var ratios: [Double] = []
        var kilobytes = 0
        for _ in 0..<runs {
            let counted = try TimedCommand(count)
            let replayed = try TimedCommand(replay)
            countSeconds.append(counted.seconds)
            replaySeconds.append(replayed.seconds)
            ratios.append(replayed.seconds / counted.seconds)
            kilobytes = max(kilobytes, replayed.kilobytes)
        }
        var result = BenchReport("replay")
        result.input("log", log)
        result.input("runs", "\(runs) of each, in turn")
        result.add("wc -l", "s", countSeconds)
        result.add("postern replay", "s", replaySeconds)
        result.add("ratio", "×", ratios)
        result.add("largest resident size", "MiB", kilobytes / 1_024)
        report.print(result)
    }
}
