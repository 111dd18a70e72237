import ArgumentParser
import Glibc

/// What a sink that takes nothing costs the others, and what comes when it is back.
struct DeadSinkBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-sink",
        abstract: "Queues alerts behind a dead webhook.",
        discussion: """
            Pairs of daemons read the same log, one with a webhook where nobody listens, one without: \
            time from the first line's being written to the last alert on standard output, and the \
            most memory. At the end the webhook's receiver starts, and must get all alerts in their \
            order.

            EXAMPLE
              PosternBench dead-sink --alerts 10000
            """
    )

    @Option(help: "The program.")
    var program = ".build/release/postern"

    @Option(help: "Alerts.")
    var alerts = 10_000

    @Option(help: "Pairs.")
    var pairs = 3

    @OptionGroup var report: ReportOptions

    func validate() throws {
        guard alerts > 0, alerts <= 100_000, pairs > 0, pairs <= 100 else {
            throw ValidationError("counts start at 1")
        }
    }

    func run() throws {
        var result = BenchReport("dead-sink")
        result.input("pairs", pairs)
        result.input("alerts", alerts)
        var ratios: [Double] = []
        var megabytes: [(alone: Double, dead: Double)] = []
        for pair in 0..<pairs {
            let receiver = try LoopbackReceiver(isListening: false)
            var drained: Drained?
            let alone = try measure(nil, &drained)
            let dead = try measure(receiver, &drained, drains: pair == pairs - 1)
            ratios.append(dead.seconds / alone.seconds)
            megabytes.append((Double(alone.megabytes), Double(dead.megabytes)))
            guard let drained else { continue }
            result.add("back: first alert", "s", [drained.firstSeconds])
            result.add("back: last alert", "s", [drained.lastSeconds])
            result.add("different alerts that came", "", drained.count)
            result.add("of them after a younger one", "", drained.outOfOrder)
        }
        result.add("time with a dead sink, of that without", "", ratios)
        result.add("most memory without", "MiB", megabytes.map(\.alone))
        result.add("most memory with a dead sink", "MiB", megabytes.map(\.dead))
        report.print(result)
    }

    private struct Drained {
        var firstSeconds: Double
        var lastSeconds: Double
        var count: Int
        var outOfOrder: Int
    }

    private func measure(
        _ dead: LoopbackReceiver?,
        _ drained: inout Drained?,
        drains: Bool = false
    ) throws -> (seconds: Double, megabytes: Int) {
        let sinks = dead.map { ["{ webhook: { url: \"http://127.0.0.1:\($0.port)/hook\" } }"] }
        let daemon = try FollowedDaemon(
            program: program,
            sinks: sinks ?? [],
            // Each alert is raised and resolved, for two sinks: none may be pushed out.
            settings: "limits: { outbox: \(alerts * 4 + 1_000), outbox_bytes: 4GiB }"
        )
        defer { daemon.end() }
        usleep(500_000)
        let start = FollowedDaemon.now()
        daemon.writeBursts(alerts)
        try daemon.waitForAlerts(alerts)
        let seconds = FollowedDaemon.now() - start
        let megabytes = daemon.peakMegabytes()
        if let dead, drains { drained = try drain(dead) }
        return (seconds, megabytes)
    }

    /// The receiver is back.
    private func drain(_ receiver: LoopbackReceiver) throws -> Drained {
        receiver.listen()
        let start = FollowedDaemon.now()
        var first: Double?
        var seen: [Int] = []
        try receiver.serve(seconds: 600) { body in
            if first == nil { first = FollowedDaemon.now() }
            let start = "\"user.name\":\"user"
            guard body.contains("\"opened\""), let name = body.firstRange(of: start),
                let number = Int(body[name.upperBound...].prefix { $0.isNumber })
            else { return false }
            seen.append(number)
            return seen.count == alerts
        }
        let end = FollowedDaemon.now()
        return Drained(
            firstSeconds: (first ?? end) - start,
            lastSeconds: end - start,
            count: Set(seen).count,
            outOfOrder: zip(seen, seen.dropFirst()).count { $1 < $0 }
        )
    }
}
