import ArgumentParser
import Glibc
import LinuxIO
import LogSources
import Records
import Synchronization
import SystemPackage

/// Lines that are logged at a given rate, from the moment of the system call to where they are read.
struct JournalBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "Times entries from their writing to a journald until they are read.",
        discussion: """
            Needs a journald of its own (Tests/Rigs/journald FOLDER, as root). Lags are from before \
            the send to journald until the source has given the line; CPU is that of the thread that \
            reads.

            EXAMPLES
              PosternBench journal --rate 10000 --seconds 20 FOLDER
              PosternBench journal --replay system.journal
            """
    )

    @Option(help: "Entries a second; 0: as fast as journald takes them.")
    var rate = 10_000

    @Option(help: "How long to write.")
    var seconds = 10

    @Flag(help: "Read a journal file to its end instead.")
    var replay = false

    @OptionGroup var report: ReportOptions

    @Argument(
        help: "The folder of the rig, local for this machine's own, or with --replay a journal."
    )
    var path: String

    func validate() throws {
        guard (0...1_000_000).contains(rate) else {
            throw ValidationError("--rate takes 0 to 1000000")
        }
        guard (1...3_600).contains(seconds) else {
            throw ValidationError("--seconds takes 1 to 3600")
        }
    }

    func run() throws {
        if replay { try readFile() } else { try follow() }
    }

    private func readFile() throws {
        let opened = try openInputs([FilePath(path)])
        var source = ReplaySource(inputs: opened.inputs)
        var batch = Batch(byteCapacity: 1 << 20, lineCapacity: 16_384)
        var lines = 0
        let start = Clocks.monotonicNanoseconds()
        while try source.fill(&batch) == .lines { lines += batch.lines.count }
        let taken = Double(Clocks.monotonicNanoseconds() - start) / 1e9
        var result = BenchReport("journal")
        result.input("journal", path)
        result.add("lines", "", lines)
        result.add("reading", "s", [taken])
        result.add("lines a second", "/s", Int(Double(lines) / taken))
        report.print(result)
    }

    private func follow() throws {
        let selection = JournalSelection(
            place: path == "local" ? .local : .directory(FilePath(path + "/log/journal")),
            matches: [.init(field: "SYSLOG_FACILITY", values: ["2"])]
        )
        let total = LockedCount()
        let writer = Writer(
            path: (path == "local" ? "" : path) + "/run/systemd/journal/dev-log",
            rate: rate,
            seconds: seconds
        )
        var source = JournalSource(selection)
        var batch = Batch(byteCapacity: 512 << 10, lineCapacity: 8_192)
        let stop = try EventCounter()
        // What is there already is read first.
        while try source.fill(&batch) == .lines {}
        var thread = pthread_t()
        let work = unsafe Unmanaged.passRetained(Work(writer, total)).toOpaque()
        unsafe pthread_create(
            &thread,
            nil,
            { raw in
                let work = unsafe Unmanaged<Work>.fromOpaque(raw.unsafelyUnwrapped)
                    .takeRetainedValue()
                work.total.set(work.writer.run())
                return nil
            },
            work
        )
        var lags: [UInt64] = []
        var wakes = 0
        let cpuStart = cpuNanoseconds()
        let start = Clocks.monotonicNanoseconds()
        while total.value.map({ lags.count < $0 }) ?? true {
            if try source.fill(&batch) == .idle {
                _ = try source.wait(stop: stop, atMost: 1_000_000_000)
                wakes += 1
                continue
            }
            let now = Clocks.monotonicNanoseconds()
            for line in batch.lines {
                let end = Int(line.start + line.length)
                var sent: UInt64 = 0
                for byte in batch.bytes[(end - 20)..<end] { sent = sent * 10 + UInt64(byte & 15) }
                lags.append(now - min(now, sent))
            }
        }
        let taken = Double(Clocks.monotonicNanoseconds() - start) / 1e9
        let cpu = Double(cpuNanoseconds() - cpuStart) / 1e9
        lags.sort()
        guard !lags.isEmpty else { throw ValidationError("journald took no entry") }
        func lag(_ share: Double) -> Double {
            Double(lags[min(lags.count - 1, Int(Double(lags.count) * share))]) / 1e6
        }
        var result = BenchReport("journal")
        result.input("rate", "\(rate) a second")
        result.input("entries", "\(lags.count) in \((taken * 10).rounded() / 10) s")
        result.add("logged to read, p50", "ms", [lag(0.5)])
        result.add("logged to read, p99", "ms", [lag(0.99)])
        result.add("logged to read, max", "ms", [lag(1)])
        result.add("processor, an entry", "ns", Int(cpu * 1e9) / lags.count)
        result.add("processor, of one core", "%", [cpu / taken * 100])
        result.add("waits", "", wakes)
        report.print(result)
    }

    private func cpuNanoseconds() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

private final class LockedCount: Sendable {
    private let count = Mutex<Int?>(nil)
    var value: Int? { count.withLock { $0 } }
    func set(_ value: Int) { count.withLock { $0 = value } }
}

private final class Work: Sendable {
    let writer: Writer
    let total: LockedCount

    init(_ writer: Writer, _ total: LockedCount) {
        self.writer = writer
        self.total = total
    }
}

/// Logs lines of Postfix at a rate; each ends with the time of its sending.
private struct Writer: Sendable {
    let path: String
    let rate: Int
    let seconds: Int

    /// - Returns: how many were sent.
    func run() -> Int {
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) {
            unsafe $0.copyBytes(from: path.utf8)
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isConnected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(socket, $0, size) == 0
            }
        }
        precondition(isConnected, "no journald listens at \(path)")
        let start = Clocks.monotonicNanoseconds()
        let end = start + UInt64(seconds) * 1_000_000_000
        var count = 0
        while true {
            let now = Clocks.monotonicNanoseconds()
            if now >= end { return count }
            if rate > 0 {
                let due = Int((now - start) / 1_000 * UInt64(rate) / 1_000_000)
                if count >= due {
                    usleep(useconds_t(max(50, min(1_000, 1_000_000 / rate))))
                    continue
                }
            }
            let time = String(now)
            let text =
                "<22>postfix/smtpd[7]: 4WxYz12BbCzNk: client=client\(count % 97).example[192.0.2.7], "
                + "sasl_method=PLAIN, sasl_username=user\(count % 997)@example.org, n="
                + String(repeating: "0", count: 20 - time.utf8.count) + time
            let bytes = Array(text.utf8)
            guard unsafe send(socket, bytes, bytes.count, 0) == bytes.count else { return count }
            count += 1
        }
    }
}
