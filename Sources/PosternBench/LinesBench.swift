import ArgumentParser
import Glibc

/// What a line costs by what it is: whole processes, without their start.
struct LinesBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lines",
        abstract: "Tells what a line of each kind costs, of processor time.",
        discussion: """
            Tests/Rigs/bench-log makes a short and a long log of each kind; what a replay of the long one takes \
            more is divided by its further lines. All kinds are run in turn. For counts of \
            instructions and allocations, which no other program disturbs: Tests/Rigs/budget.

            EXAMPLE
              PosternBench lines --program .build/release/postern --runs 7 /var/tmp
            """
    )

    @Option(help: "The program.")
    var program = ".build/release/postern"

    @Option(help: "Counted runs of each log.")
    var runs = 7

    @Option(help: "Megabytes of the short logs; the long ones have three times as many.")
    var megabytes = 30

    @Option(help: "Seed of the logs.")
    var seed = 1

    @OptionGroup var report: ReportOptions

    @Argument(help: "A folder for the logs, which stay there.")
    var folder: String

    func validate() throws {
        guard runs > 0, runs <= 1_000, megabytes > 0, megabytes <= 1_000 else {
            throw ValidationError("--runs and --megabytes take 1 to 1000")
        }
    }

    private static let kinds: [(name: String, arguments: [String])] = [
        ("of no message", ["--kinds", "foreign"]),
        ("of mail from outside", ["--kinds", "inbound"]),
        ("of submissions", ["--kinds", "sends"]), ("of receipts", ["--kinds", "receipts"]),
        ("of a provider's Postfix", ["--kinds", "all"]),
        ("of a provider's Exim", ["--kinds", "all", "--format", "exim"]),
    ]

    private struct Log {
        var path: String
        var lines: Int
        var bytes: Int
    }

    func run() throws {
        let logs = try Self.kinds.enumerated().map { index, kind in
            try [1, 3].map { times in
                let path = "\(folder)/lines-\(index)-\(seed)-\(megabytes * times).log"
                return try makeLog(path, "\(megabytes * times)M", kind.arguments)
            }
        }
        var costs = Self.kinds.map { _ in [Double]() }
        for run in 0...runs {
            for (index, pair) in logs.enumerated() {
                let seconds = try pair.map { try replay($0.path).processorSeconds }
                if run > 0 { costs[index].append(seconds[1] - seconds[0]) }
            }
        }
        var result = BenchReport("lines")
        result.input("runs", runs)
        result.input("logs", "\(megabytes) and \(megabytes * 3) MB")
        result.input("seed", seed)
        for (index, kind) in Self.kinds.enumerated() {
            let (short, long) = (logs[index][0], logs[index][1])
            let lines = Double(long.lines - short.lines)
            let bytes = Double(long.bytes - short.bytes)
            result.add("a line \(kind.name)", "ns", costs[index].map { $0 * 1e9 / lines })
            result.add("a byte of it", "ns", costs[index].map { $0 * 1e9 / bytes })
        }
        report.print(result)
    }

    private func replay(_ path: String) throws -> TimedCommand {
        try TimedCommand([program, "replay", "--timezone", "UTC", "--year", "2026", path])
    }

    private func makeLog(_ path: String, _ size: String, _ arguments: [String]) throws -> Log {
        if unsafe access(path, R_OK) != 0 {
            let rig = "Tests/Rigs/bench-log"
            _ = try TimedCommand([rig, path, "--bytes", size, "--seed", "\(seed)"] + arguments)
        }
        guard let file = unsafe fopen(path, "re") else {
            throw ValidationError("\(path) cannot be read")
        }
        defer { unsafe fclose(file) }
        var log = Log(path: path, lines: 0, bytes: 0)
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            // fread writes at most as many bytes as the array has.
            let count = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe fread(buffer.baseAddress, 1, buffer.count, file)
            }
            guard count > 0 else { return log }
            log.bytes += count
            log.lines += bytes[..<count].count { $0 == UInt8(ascii: "\n") }
        }
    }
}
