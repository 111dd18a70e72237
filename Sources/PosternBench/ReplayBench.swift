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

    @Flag(help: "One JSON object instead of a table.")
    var json = false

    @Argument(help: "A plain mail log.")
    var log: String

    func validate() throws {
        guard runs > 0, runs <= 1_000 else { throw ValidationError("--runs takes 1 to 1000") }
    }

    func run() throws {
        let count = ["/usr/bin/wc", "-l", log]
        let replay = [program, "replay", "--timezone", "UTC", "--year", "2026", log]
        _ = try measure(count)
        _ = try measure(replay)
        var countSeconds: [Double] = []
        var replaySeconds: [Double] = []
        var ratios: [Double] = []
        var kilobytes = 0
        for _ in 0..<runs {
            let counted = try measure(count)
            let replayed = try measure(replay)
            countSeconds.append(counted.seconds)
            replaySeconds.append(replayed.seconds)
            ratios.append(replayed.seconds / counted.seconds)
            kilobytes = max(kilobytes, replayed.kilobytes)
        }
        let rows = [
            ("wc -l, s", Spread(countSeconds)), ("postern replay, s", Spread(replaySeconds)),
            ("ratio", Spread(ratios)),
        ]
        if json {
            let figures = rows.map { #""\#($0.0)":\#($0.1.json)"# }.joined(separator: ",")
            print(#"{\#(figures),"resident_kilobytes_max":\#(kilobytes),"runs":\#(runs)}"#)
            return
        }
        print("figure              min      median   max")
        for (name, spread) in rows {
            let cells = [spread.min, spread.median, spread.max].map { value in
                padded("\((value * 1_000).rounded() / 1_000)", to: 9)
            }
            print(padded(name, to: 20) + cells.joined())
        }
        print("largest resident size: \(kilobytes / 1_024) MiB; \(runs) runs of each, in turn")
    }

    private func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private struct Run {
        var seconds: Double
        var kilobytes: Int
    }

    /// A command could not be run, or did not end well.
    private struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    /// Runs a command with its output thrown away.
    private func measure(_ command: [String]) throws -> Run {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for descriptor in [Int32(1), 2] {
            unsafe posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
        }
        // The strings live until posix_spawn(3) has returned.
        let words = unsafe command.map { unsafe strdup($0) }
        defer { unsafe words.forEach { unsafe free($0) } }
        var process: pid_t = 0
        let start = now()
        let result = unsafe posix_spawn(&process, command[0], &actions, nil, words + [nil], environ)
        guard result == 0 else { throw Failed(description: "\(command[0]): error \(result)") }
        var status: Int32 = 0
        var usage = rusage()
        while unsafe wait4(process, &status, 0, &usage) < 0, errno == EINTR {}
        let seconds = now() - start
        guard status == 0 else { throw Failed(description: "\(command[0]): wait status \(status)") }
        return Run(seconds: seconds, kilobytes: usage.ru_maxrss)
    }

    private func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
