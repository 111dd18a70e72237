import ArgumentParser
import Glibc

/// The daemon beside a log that is written: whether it keeps up, how late its alerts are, and how
/// often it wakes up for nothing.
struct LiveBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "live",
        abstract: "Runs the daemon beside a log that is written at a steady rate.",
        discussion: """
            Three measurements, with a daemon of their own in a scratch folder: alerts of single bursts \
            on an idle machine (from the write of the third receipt's line to the alert on standard \
            output); lines at a steady rate, and how long after the last one the daemon has read it; \
            wake-ups of the idle daemon.

            EXAMPLE
              PosternBench live --program .build/release/postern --rate 100000 --seconds 10
            """
    )

    @Option(help: "The program.")
    var program = ".build/release/postern"

    @Option(help: "Lines a second.")
    var rate = 100_000

    @Option(help: "Seconds of writing.")
    var seconds = 10

    @Option(help: "Alerts of the latency measurement.")
    var alerts = 50

    @Option(help: "Seconds of idleness.")
    var idle = 10

    @OptionGroup var report: ReportOptions

    func validate() throws {
        guard rate > 0, rate <= 10_000_000, seconds > 0, seconds <= 3_600, alerts > 0,
            alerts <= 10_000, idle > 0, idle <= 3_600
        else { throw ValidationError("counts start at 1") }
    }

    func run() throws {
        let daemon = try FollowedDaemon(program: program)
        defer { daemon.end() }
        var latencies: [Double] = []
        for index in 0..<alerts {
            usleep(50_000)
            latencies.append(try daemon.alertLatency(index))
        }
        let sorted = latencies.sorted()
        let p99 = sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
        var result = BenchReport("live")
        result.input("alerts", alerts)
        result.input("lines", "\(rate) a second for \(seconds) s")
        result.add("line written to alert", "ms", latencies.map { $0 * 1e3 })
        result.add("of it p99", "ms", [p99 * 1e3])
        let steady = try daemon.writeSteadily(
            linesPerSecond: rate,
            seconds: seconds,
            firstAlert: alerts
        )
        result.add("lines", "/s", Int(Double(steady.lines) / steady.writeSeconds))
        result.add("last line written to read", "ms", [steady.lagSeconds * 1e3])
        let share = steady.processorSeconds / steady.writeSeconds * 100
        result.add("processor, of one core", "%", [share])
        usleep(2_000_000)
        let before = daemon.wakeUps()
        usleep(UInt32(idle) * 1_000_000)
        let wakeUps = daemon.wakeUps() - before
        result.add("wake-ups of the idle daemon", "/s", [Double(wakeUps) / Double(idle)])
        result.add("resident", "MiB", daemon.residentMegabytes())
        report.print(result)
    }
}

/// A daemon in a scratch folder, following a log there.
final class FollowedDaemon {
    private let folder: String
    private let process: pid_t
    private let log: Int32
    private let output: Int32
    private var unread: [UInt8] = []
    /// What of ``unread`` was looked at.
    private var unreadStart = 0
    private var second = 0

    /// It could not be started, or gave no answer.
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameters:
    ///   - state: a folder of state that stays; nil: one of its own.
    ///   - sinks: items of `sinks:` besides standard output.
    ///   - settings: further lines of the settings.
    init(
        program: String,
        state: String? = nil,
        sinks: [String] = [],
        settings: String = ""
    ) throws {
        var template = Array("/tmp/postern-bench-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw Failed(description: "no scratch folder")
        }
        let bytes = template.dropLast().map { UInt8(bitPattern: $0) }
        folder = String(decoding: bytes, as: UTF8.self)
        let logPath = folder + "/mail.log"
        let configPath = folder + "/postern.yml"
        log = unsafe open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        let config = """
            sources: [{ file: \(logPath) }]
            timezone: UTC
            state: \(state ?? folder + "/state")
            dispatch_age_max: null
            \(settings)
            sinks: [\((["{ stdout: { format: json } }"] + sinks).joined(separator: ", "))]

            """
        let file = unsafe open(configPath, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        Self.write(Array(config.utf8), to: file)
        close(file)
        var ends: [Int32] = [0, 0]
        guard log >= 0, unsafe pipe(&ends) == 0 else {
            throw Failed(description: "no pipe")
        }
        output = ends[0]
        // The daemon must not hold the end that it is read from.
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        // The strings live until posix_spawn(3) has returned.
        let arguments: [String] = [program, "run", "--config", configPath]
        let words = unsafe arguments.map { unsafe strdup($0) }
        defer { unsafe words.forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let result = unsafe posix_spawn(&pid, program, &actions, nil, words + [nil], environ)
        guard result == 0 else { throw Failed(description: "\(program): error \(result)") }
        close(ends[1])
        process = pid
    }

    /// Stops the daemon and removes its folder.
    func end() {
        kill(process, SIGTERM)
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
        close(log)
        close(output)
        Self.remove(folder)
    }

    /// Removes a folder with all that is in it.
    private static func remove(_ path: String) {
        guard let stream = unsafe opendir(path) else {
            unsafe unlink(path)
            return
        }
        var names: [String] = []
        while let entry = unsafe readdir(stream) { unsafe names.append(name(entry)) }
        unsafe closedir(stream)
        for name in names where name != "." && name != ".." { remove(path + "/" + name) }
        unsafe rmdir(path)
    }

    @unsafe
    private static func name(_ entry: UnsafeMutablePointer<dirent>) -> String {
        unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                unsafe String(cString: $0)
            }
        }
    }

    /// Writes a burst of three receipts.
    func writeBurst(_ index: Int) {
        for part in 0..<3 { Self.write(receipt(index, part), to: log) }
    }

    /// Writes a burst of three receipts and waits for its alert. Seconds from the last write.
    func alertLatency(_ index: Int) throws -> Double {
        try alertLatency(index) { try waitForAlert(of: $0) }
    }

    /// The same, with somebody else who waits for the alert of an account.
    func alertLatency(_ index: Int, _ wait: (String) throws -> Void) rethrows -> Double {
        for part in 0..<2 { Self.write(receipt(index, part), to: log) }
        usleep(20_000)
        let text = receipt(index, 2)
        let start = Self.now()
        Self.write(text, to: log)
        try wait("user\(index)@")
        return Self.now() - start
    }

    /// Writes bursts of so many accounts as fast as it can.
    func writeBursts(_ count: Int) {
        var text: [UInt8] = []
        for index in 0..<count {
            for part in 0..<3 { text += receipt(index, part) }
            if text.count > 1 << 20 || index == count - 1 {
                Self.write(text, to: log)
                text = []
            }
        }
    }

    /// Waits until standard output has had the alerts of so many.
    func waitForAlerts(_ count: Int) throws {
        for _ in 0..<count { try waitForAlert(of: "user") }
    }

    /// The most memory that it ever had, in MiB (proc(5), `VmHWM`).
    func peakMegabytes() -> Int {
        let line = Self.read("/proc/\(process)/status").split(separator: "\n")
            .first { $0.hasPrefix("VmHWM") }
        let words = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }) ?? []
        return (words.compactMap { Int($0) }.first ?? 0) >> 10
    }

    struct Steady {
        var lines = 0
        var writeSeconds = 0.0
        var lagSeconds = 0.0
        var processorSeconds = 0.0
    }

    /// Writes ordinary inbound mail in slices of 10 ms, then a burst: its alert tells that all
    /// before it was read.
    func writeSteadily(linesPerSecond: Int, seconds: Int, firstAlert: Int) throws -> Steady {
        var steady = Steady()
        let processor = processorSeconds()
        let slice = max(1, linesPerSecond / 100)
        let start = Self.now()
        for turn in 0..<(seconds * 100) {
            var text: [UInt8] = []
            for line in 0..<slice { text += ordinaryLine(turn * slice + line) }
            Self.write(text, to: log)
            steady.lines += slice
            let wait = start + Double(turn + 1) / 100 - Self.now()
            if wait > 0 { usleep(UInt32(wait * 1e6)) }
        }
        steady.writeSeconds = Self.now() - start
        steady.lagSeconds = try alertLatency(firstAlert)
        // What alertLatency(_:) waits for by itself is not the daemon's.
        steady.processorSeconds = processorSeconds() - processor
        return steady
    }

    /// Voluntary context switches of all its threads (proc(5)).
    func wakeUps() -> Int {
        var total = 0
        let tasks = "/proc/\(process)/task"
        guard let stream = unsafe opendir(tasks) else { return 0 }
        defer { _ = unsafe closedir(stream) }
        while let entry = unsafe readdir(stream) {
            let name = unsafe Self.name(entry)
            guard Int(name) != nil else { continue }
            for line in Self.read(tasks + "/" + name + "/status").split(separator: "\n")
            where line.hasPrefix("voluntary_ctxt_switches") {
                total += line.split(separator: "\t").last.flatMap { Int($0) } ?? 0
            }
        }
        return total
    }

    /// Resident size (proc(5), field 2 of statm, pages).
    func residentMegabytes() -> Int {
        let pages = Self.read("/proc/\(process)/statm").split(separator: " ").dropFirst().first
        return ((pages.flatMap { Int($0) } ?? 0) * Int(getpagesize())) >> 20
    }

    /// User and system time so far, in seconds (proc(5), fields 14 and 15 of stat).
    private func processorSeconds() -> Double {
        let fields = Self.read("/proc/\(process)/stat").split(separator: ")").last?
            .split(separator: " ")
        let ticks = (fields ?? []).dropFirst(11).prefix(2).compactMap { Double($0) }.reduce(0, +)
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    // MARK: Lines

    private func stamp() -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let minute = second / 60
        return "Mar  1 \(two(minute / 60 % 24)):\(two(minute % 60)):\(two(second % 60)) mx1 "
    }

    private func receipt(_ index: Int, _ part: Int) -> [UInt8] {
        second += 1
        let letters = Array("BCDFGHJKLM")
        // Of each account its own, so that no rule finds accounts that do the same.
        let word = String(String(100_000 + index).map { letters[Int(String($0)) ?? 0] })
        let id = "4Xy" + word + "zN\(part)1"
        let domain = "\(word)\(part).test"
        let start = stamp() + "postfix/"
        return Array(
            """
            \(start)submission/smtpd[7]: \(id): client=pc[192.0.2.7], sasl_method=LOGIN, sasl_username=user\(index)@h.example
            \(start)cleanup[8]: \(id): info: header Subject: Not read: Meds by \(word) \(word) from pc[192.0.2.7]; from=<> to=<x@\(domain)> proto=ESMTP helo=<pc>
            \(start)qmgr[9]: \(id): from=<>, size=700, nrcpt=1 (queue active)

            """.utf8
        )
    }

    private func ordinaryLine(_ index: Int) -> [UInt8] {
        if index % 1_000 == 0 { second += 1 }
        return Array(
            (stamp()
                + "postfix/smtpd[41]: connect from mx\(index % 977).example.net[203.0.113.9]\n")
                .utf8
        )
    }

    // MARK: Files

    /// - Throws: when it does not come within a minute.
    func waitForAlert(of user: String) throws {
        let deadline = Self.now() + 60
        while true {
            while let newline = unread[unreadStart...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: unread[unreadStart..<newline], as: UTF8.self)
                unreadStart = newline + 1
                if line.contains("\"opened\""), line.contains(user) { return }
            }
            var entry = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            guard Self.now() < deadline, unsafe poll(&entry, 1, 1_000) >= 0 else {
                throw Failed(description: "the daemon raised no alert")
            }
            guard entry.revents != 0 else { continue }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = unsafe Glibc.read(output, &buffer, buffer.count)
            guard count > 0 else { throw Failed(description: "the daemon has ended") }
            unread.removeFirst(unreadStart)
            unreadStart = 0
            unread += buffer[..<count]
        }
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var start = 0
        while start < bytes.count {
            let rest = Array(bytes[start...])
            let count = unsafe Glibc.write(descriptor, rest, rest.count)
            guard count > 0 else { return }
            start += count
        }
    }

    private static func read(_ path: String) -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 8_192)
        let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }

    static func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
