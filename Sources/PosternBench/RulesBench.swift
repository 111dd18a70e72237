import ArgumentParser
import Detection
import Glibc
import LinuxIO
import Sigma
import SystemPackage

/// What an event costs, by the number of rules.
struct RulesBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Times the evaluation of events by 1, 10, 100 and 1,000 rules.",
        discussion: """
            Rules and events are made from a seed: each rule asks for two or three of subject, domain, \
            recipient, client, account and receipt, as rules for mail do, and excludes something. The \
            time is that of setting an event's fields and evaluating it.

            --write puts the rules into a folder, so that a replay can be timed with them.

            EXAMPLE
              PosternBench rules
              PosternBench rules --counts 100 --write /tmp/rules100
            """
    )

    @Option(help: "Numbers of rules.")
    var counts = "1,10,100,1000"

    @Option(help: "Seed of rules and events.")
    var seed: UInt64 = 1

    @Option(help: "Events that are evaluated again and again.")
    var events = 20_000

    @Option(help: "Counted passes over them.")
    var runs = 15

    @Option(help: "Folder to write the rules of the largest number to.")
    var write: String?

    @OptionGroup var report: ReportOptions

    func validate() throws {
        guard events > 0, runs > 0, !numbers.isEmpty else {
            throw ValidationError("numbers start at 1")
        }
    }

    private var numbers: [Int] {
        counts.split(separator: ",").compactMap { Int($0) }.filter { $0 > 0 && $0 <= 100_000 }
    }

    func run() throws {
        if let write {
            let text = RuleMaker(seed: seed).rules(numbers.max() ?? 1)
            let calls = SystemCalls()
            try calls.makeFolders(FilePath(write), mode: 0o755)
            let file = try calls.open(
                FilePath(write).appending("made.yml"),
                [.write, .create, .truncate],
                mode: 0o644
            )
            try file.writeAll(Array(text.utf8))
        }
        var result = BenchReport("rules")
        result.input("events", events)
        result.input("seed", seed)
        result.input("runs", runs)
        for number in numbers { try measure(number, into: &result) }
        report.print(result)
    }

    private func measure(_ number: Int, into result: inout BenchReport) throws {
        let text = RuleMaker(seed: seed).rules(number)
        let begin = now()
        let reading = RuleReading([RuleFile(name: "made.yml", bytes: Array(text.utf8))])
        var table = FieldTable(eventFieldNames)
        var mistakes = reading.mistakes
        let plan = MatchPlan(reading.rules, fields: &table, mistakes: &mistakes)
        let loaded = now() - begin
        precondition(mistakes.isEmpty, "the made rules have no mistake")
        var matcher = RuleMatcher(plan)
        var maker = EventMaker(seed: seed, table)
        let made = (0..<events).map { _ in maker.next() }
        var fields = EventFields(fieldCount: table.count)
        var found: [Int] = []
        var nanoseconds: [Double] = []
        var matchCount = 0
        var candidateCount = 0
        for run in 0...runs {
            matchCount = 0
            candidateCount = 0
            let begin = now()
            for event in made {
                fields.reset()
                for (field, text) in event { fields.setText(text.span, at: field) }
                if matcher.findCandidates(fields) {
                    candidateCount += 1
                    matcher.evaluateCandidates(fields, into: &found)
                    matchCount += found.count
                }
            }
            // The first pass grows the buffers.
            if run > 0 { nanoseconds.append((now() - begin) * 1e9 / Double(made.count)) }
        }
        result.add("\(number) rules, an event", "ns", nanoseconds)
        let count = Double(made.count)
        result.add("events in question", "%", [Double(candidateCount) * 100 / count])
        result.add("matches of an event", "", [Double(matchCount) / count])
        result.add("loading", "ms", [loaded * 1e3])
    }

    /// Seconds of processor time, so that other programs do not count.
    private func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// The same numbers on every machine (SplitMix64).
struct BenchRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }
}

/// Rules for mail, made from a seed.
private struct RuleMaker {
    private var random: BenchRandom

    init(seed: UInt64) { random = BenchRandom(seed: seed &* 2 &+ 1) }

    func rules(_ count: Int) -> String {
        var maker = self
        return (0..<count).map { maker.rule($0) }.joined(separator: "---\n")
    }

    private mutating func word() -> String {
        let syllables = [
            "ra", "ve", "lo", "mi", "tan", "ker", "sol", "bu", "din", "pex", "zo", "fa",
        ]
        return (0..<3).map { _ in random.pick(syllables) }.joined()
    }

    private mutating func test() -> String {
        switch random.below(8) {
        case 0: "email.subject|contains: '\(word())'"
        case 1: "email.subject|contains|all: ['\(word())', '\(word())']"
        case 2: "email.subject|startswith: ['\(word())', 'Re: \(word())']"
        case 3: "destination.domain: ['\(word()).example', '\(word()).test', '\(word()).example']"
        case 4: "destination.domain|endswith: '.\(word()).example'"
        case 5: "email.to.address|startswith: '\(word())@'"
        case 6: "source.ip|cidr: 203.0.\(random.below(256)).0/24"
        default: "user.name: '\(word())@hosted.example'"
        }
    }

    private mutating func rule(_ number: Int) -> String {
        var tests = [test()]
        let other = test()
        if other.split(separator: ":")[0] != tests[0].split(separator: ":")[0] {
            tests.append(other)
        }
        if random.below(3) == 0 { tests.append("postern.receipt: not-read") }
        let lines = tests.map { "        \($0)\n" }.joined()
        return """
            title: Made rule \(number)
            id: made-\(number)
            logsource: { product: postern }
            detection:
                asked:
            \(lines)    left_out:
                    destination.domain|endswith: '\(word()).example'
                condition: asked and not left_out
            level: informational

            """
    }
}

/// Ordinary mail, made from a seed.
private struct EventMaker {
    private var random: BenchRandom
    private let fields: [String: FieldIndex]

    init(seed: UInt64, _ table: FieldTable) {
        random = BenchRandom(seed: seed &* 2)
        var fields: [String: FieldIndex] = [:]
        for name in table.names { fields[name] = table.index(of: name) }
        self.fields = fields
    }

    private mutating func word() -> String {
        let syllables = [
            "ra", "ve", "lo", "mi", "tan", "ker", "sol", "bu", "din", "pex", "zo", "fa",
        ]
        return (0..<3).map { _ in random.pick(syllables) }.joined()
    }

    mutating func next() -> [(FieldIndex, [UInt8])] {
        let domain = "\(word()).example"
        var subject = random.below(4) == 0 ? "Re: " : ""
        for index in 0..<5 { subject += (index == 0 ? "" : " ") + word() }
        let texts = [
            ("user.name", "\(word())@hosted.example"),
            ("source.ip", "203.0.\(random.below(256)).\(random.below(256))"),
            ("email.sender.address", "\(word())@hosted.example"),
            ("email.to.address", "\(word())@\(domain)"), ("destination.domain", domain),
            ("email.subject", subject), ("host.name", "mx1"), ("postern.dialect", "postfix"),
            ("postern.phase", "submitted"),
        ]
        return texts.compactMap { name, text in fields[name].map { ($0, Array(text.utf8)) } }
    }
}
