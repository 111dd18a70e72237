import ArgumentParser
import Detection
import Glibc
import MailEvents
import Memory
import Records
import Sigma

/// What the groups of correlations take, and what an event costs that enters them.
struct WindowsBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "windows",
        abstract: "Opens very many groups and tells bytes for each, and nanoseconds for an event.",
        discussion: """
            Each account sends one receipt, which enters a group of its own in each of the rules: counts of \
            events and of values, sums, orders, with windows from an hour to a week. Then each sends \
            some more. Memory is the growth of the resident size: the groups, the events that they hold, and \
            what is remembered of the accounts. --rules 1 tells how much of it the latter two take.

            EXAMPLE
              PosternBench windows
              PosternBench windows --accounts 10000 --rules 100
            """
    )

    @Option(help: "Accounts; each has a group in each rule.")
    var accounts = 100_000

    @Option(help: "Rules.")
    var rules = 10

    @Option(help: "Further events of each account.")
    var more = 2

    @OptionGroup var report: ReportOptions

    func validate() throws {
        guard accounts > 0, accounts <= 10_000_000, rules > 0, rules <= 1_000, more >= 0 else {
            throw ValidationError("there are one or more accounts and rules")
        }
    }

    func run() throws {
        let all = try measure(rules)
        let groups = accounts * rules
        var result = BenchReport("windows")
        result.input("accounts", accounts)
        result.input("rules", rules)
        result.input("open groups", groups)
        result.add("resident", "MiB", all.bytes >> 20)
        result.add("a group", "bytes", all.bytes / groups)
        result.add("an event that opens its groups", "ns", all.opening)
        result.add("for each rule", "ns", all.opening / rules)
        result.add("an event that enters them", "ns", all.entering)
        result.add("for each rule", "ns", all.entering / rules)
        result.add("a group that expires", "ns", all.expiring)
        report.print(result)
    }

    private static let seed = HashSeed(1, 2)

    private struct Figures {
        var bytes: Int
        var opening: Int
        var entering: Int
        var expiring: Int
    }

    private func measure(_ count: Int) throws -> Figures {
        let before = residentBytes()
        let reading = RuleReading([
            RuleFile(name: "made.yml", bytes: Array(text(count).utf8))
        ])
        var mistakes = reading.mistakes
        var limits = DetectionLimits()
        limits.groupsMax = accounts
        var detector = Detector(
            rules: reading.rules,
            memory: AccountMemory(seed: Self.seed),
            limits: limits,
            zone: { _ in 0 },
            mistakes: &mistakes
        )
        precondition(mistakes.isEmpty, "the made rules have no mistake")
        detector.notesChanges = false
        var time: Int64 = 1_772_359_200_000_000
        func send(_ round: Int) -> Double {
            let begin = now()
            for account in 0..<accounts {
                time += 10_000
                detector.moveTime(to: time)
                var event = event(account, round, time)
                _ = detector.submitted(
                    &event,
                    key: (UInt64(round * accounts + account + 1), 0),
                    earlier: nil,
                    stated: nil
                )
            }
            return (now() - begin) * 1e9 / Double(accounts)
        }
        let opening = send(0)
        let bytes = residentBytes() - before
        precondition(detector.counters.groupsLeft == 0, "all groups are open")
        var entering = 0.0
        for round in 1...max(1, more) where more > 0 { entering += send(round) / Double(more) }
        let begin = now()
        detector.moveTime(to: time + 30 * 86_400_000_000)
        let expiring = (now() - begin) * 1e9 / Double(accounts * count)
        return Figures(
            bytes: bytes,
            opening: Int(opening),
            entering: Int(entering),
            expiring: Int(expiring)
        )
    }

    private func event(
        _ account: Int,
        _ round: Int,
        _ time: Int64
    ) -> SendEvent {
        var event = SendEvent()
        let name = Array("user\(account)@hosted.example".utf8)
        let domain = Array("d\(account % 1_000 + round).example".utf8)
        event.user = event.append(name.span)
        event.account = event.user
        event.domain = event.append(domain.span)
        event.subject = event.append(Array("Not read: Cheap meds \(round)".utf8).span)
        event.accountHash = keyedHash(name, seed: Self.seed)
        event.domainHash = keyedHash(domain, seed: Self.seed)
        event.submittedMicroseconds = time
        event.settledMicroseconds = time
        event.receipt = .notRead
        event.receiptEvidence = .subject
        return event
    }

    /// Rules of several kinds that hold for nothing here.
    private func text(_ count: Int) -> String {
        var text = """
            title: Base
            id: base
            logsource: { product: postern }
            detection:
                asked: { postern.receipt: not-read }
                condition: asked
            level: informational

            """
        let conditions = [
            "type: event_count\n    condition: { gte: 1000 }",
            "type: value_count\n    condition: { field: destination.domain, gte: 1000 }",
            "type: value_sum\n    condition: { field: postern.memory_days, gte: 1000000 }",
            "type: temporal_ordered",
        ]
        let spans = ["1h", "1d", "7d"]
        for index in 0..<count {
            text += """
                ---
                title: Made \(index)
                id: made-\(index)
                level: informational
                correlation:
                    rules: base
                    group-by: user.name
                    timespan: \(spans[index % spans.count])
                    \(conditions[index % conditions.count])

                """
        }
        return text
    }

    private func residentBytes() -> Int {
        var bytes = [UInt8](repeating: 0, count: 256)
        let descriptor = unsafe open("/proc/self/statm", O_RDONLY)
        defer { close(descriptor) }
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe read(descriptor, buffer.baseAddress, buffer.count)
        }
        let words = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(
            separator: " "
        )
        return (words.count > 1 ? Int(words[1]) ?? 0 : 0) * Int(getpagesize())
    }

    /// Seconds of processor time, so that other programs do not count.
    private func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
