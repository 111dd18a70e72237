import ArgumentParser
import Glibc
import LinuxIO
import LogSources
import Records
import SystemPackage

/// `LogSources` alone: reading, decompressing and cutting into lines, without an engine behind it.
struct ReadBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "read",
        abstract: "Times the reading of logs and archives, run by run.",
        discussion: """
            Opening counts too. Compare with `zstd -dc` or `gzip -dc` of the same file to /dev/null.

            EXAMPLE
              PosternBench read --threads 2 mail.log.zst
            """
    )

    @Option(help: "Threads that decompress ahead; 0: none.")
    var threads = min(onlineProcessorCount(), ReadAheadLimits.threadsMax)

    @Option(help: "Counted runs.")
    var runs = 5

    @OptionGroup var report: ReportOptions

    @Argument(help: "Files, folders, archives.")
    var inputs: [String]

    func validate() throws {
        guard runs > 0, runs <= 1_000 else { throw ValidationError("--runs takes 1 to 1000") }
        guard threads >= 0, threads <= 64 else { throw ValidationError("--threads takes 0 to 64") }
    }

    func run() throws {
        var seconds: [Double] = []
        var processorSeconds: [Double] = []
        var byteCount = 0
        for _ in 0...runs {
            let start = Clocks.monotonicNanoseconds()
            let processorStart = processorNanoseconds()
            byteCount = try read()
            processorSeconds.append(Double(processorNanoseconds() - processorStart) / 1e9)
            seconds.append(Double(Clocks.monotonicNanoseconds() - start) / 1e9)
        }
        var result = BenchReport("read")
        result.input("text", "\(byteCount) bytes")
        result.input("threads that read ahead", threads)
        result.input("runs", runs)
        // The first run only warms the cache.
        result.add("reading", "s", Array(seconds.dropFirst()))
        result.add("processor", "s", Array(processorSeconds.dropFirst()))
        report.print(result)
    }

    /// Bytes of text.
    private func read() throws -> Int {
        let opened = try openInputs(inputs.map { FilePath($0) })
        var source = ReplaySource(inputs: opened.inputs, threadCount: threads)
        var batch = Batch(byteCapacity: 1 << 20, lineCapacity: 16_384)
        var byteCount = 0
        while try source.fill(&batch) == .lines { byteCount += batch.byteCount }
        return byteCount
    }

    private func processorNanoseconds() -> Int64 {
        var time = timespec()
        let result = unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        precondition(result == 0)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
