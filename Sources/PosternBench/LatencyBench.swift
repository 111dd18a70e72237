import ArgumentParser
import Glibc

/// How long after its line an alert is with its people.
struct LatencyBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency",
        abstract: "Times alerts from the log line to a webhook's receiver.",
        discussion: """
            A daemon follows a log and has a webhook on loopback. Each alert is timed from the write of \
            the line that decides it to the last byte of its request: reading, joining, detecting, \
            sealing and signing the bundle, the commit, and HTTP. The pauses between alerts come from \
            the seed.

            EXAMPLE
              PosternBench latency --alerts 300
            """
    )

    @Option(help: "The program.")
    var program = ".build/release/postern"

    @Option(help: "Alerts of a run.")
    var alerts = 200

    @Option(help: "Runs, each with a daemon of its own.")
    var runs = 5

    @Option(help: "Seed of the pauses.")
    var seed: UInt64 = 1

    @OptionGroup var report: ReportOptions

    func validate() throws {
        guard alerts > 0, alerts <= 10_000, runs > 0, runs <= 100 else {
            throw ValidationError("counts start at 1")
        }
    }

    func run() throws {
        var random = SplitMix(state: seed)
        var parts: [[Double]] = [[], [], [], []]
        for _ in 0..<runs {
            let receiver = try LoopbackReceiver()
            let hook = "{ webhook: { url: \"http://127.0.0.1:\(receiver.port)/hook\" } }"
            let daemon = try FollowedDaemon(program: program, sinks: [hook])
            defer { daemon.end() }
            var latencies: [Double] = []
            for index in 0..<alerts {
                usleep(UInt32.random(in: 5_000...60_000, using: &random))
                latencies.append(
                    try daemon.alertLatency(index) { account in
                        try receiver.serve(seconds: 60) { $0.contains(account) }
                    }
                )
            }
            let sorted = latencies.dropFirst().sorted().map { $0 * 1e3 }
            for (part, share) in [50, 90, 99].enumerated() {
                parts[part].append(sorted[min(sorted.count - 1, sorted.count * share / 100)])
            }
            parts[3].append(sorted.last ?? 0)
        }
        var result = BenchReport("latency")
        result.input("runs", runs)
        result.input("alerts of each", alerts)
        result.input("seed", seed)
        for (name, values) in zip(["p50", "p90", "p99", "largest"], parts) {
            result.add("line written to webhook received, \(name)", "ms", values)
        }
        report.print(result)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
