import ArgumentParser
import Glibc
import LinuxIO
import LogSources
import MailEvents
import MailLog
import Records
import SystemPackage

/// `MailLog`'s scanner alone, dialect by dialect: what reading a line costs.
struct DialectBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dialects",
        abstract: "Times the parsing of each dialect's lines, run by run.",
        discussion: """
            Each log is read into memory once and scanned again and again, to --megabytes a run, on \
            one thread: from lines to facts, without reading, joining or detecting. Times are of the \
            processor. The logs of Tests/Corpus are real servers', ordinary and hostile lines in the \
            mixture of a test; those of gen-maillog are a provider's.

            EXAMPLE
              PosternBench dialects
              PosternBench dialects --json /var/log/mail.log /var/log/exim4/mainlog
            """
    )

    @Option(help: "Counted runs of each log.")
    var runs = 9

    @Option(help: "Megabytes scanned in a run.")
    var megabytes = 32

    @Flag(help: "One JSON object instead of a table.")
    var json = false

    @Argument(help: "Logs; by default one of each dialect from Tests/Corpus.")
    var logs = [
        "postfix.log", "exim.log", "exim-all.log", "sendmail.log", "opensmtpd-7.log",
        "exchange/MSGTRK2026112510-1.LOG", "microsoft365-trace.csv",
    ].map { "Tests/Corpus/" + $0 }

    func validate() throws {
        guard runs > 0, runs <= 1_000 else { throw ValidationError("--runs takes 1 to 1000") }
        guard megabytes > 0, megabytes <= 10_000 else {
            throw ValidationError("--megabytes takes 1 to 10000")
        }
    }

    private struct Figure {
        var log: String
        var dialect: String
        var lines: Int
        var bytes: Int
        var facts: Int
        var unparsed: Int
        var nanosecondsPerLine: Spread
        var nanosecondsPerByte: Spread
        var megabytesPerSecond: Spread
    }

    func run() throws {
        let figures = try logs.map { try measure($0) }
        print(json ? jsonText(figures) : plainText(figures))
    }

    private func measure(_ log: String) throws -> Figure {
        let opened = try openInputs([FilePath(log)])
        var source = ReplaySource(inputs: opened.inputs, threadCount: 0)
        var batch = Batch(byteCapacity: 8 << 20, lineCapacity: 1 << 17)
        guard try source.fill(&batch) == .lines else {
            throw ValidationError("\(log) has no lines")
        }
        let bytes = batch.byteCount
        let rounds = max(1, megabytes * 1_000_000 / bytes)
        var scanner = LogScanner(seed: .constant)
        var facts: [LineFact] = []
        var factCount = 0
        var nanosecondsOfRuns: [Double] = []
        // The first run only warms the caches.
        for _ in 0...runs {
            let start = nanoseconds(of: CLOCK_PROCESS_CPUTIME_ID)
            for _ in 0..<rounds {
                facts.removeAll(keepingCapacity: true)
                scanner.scan(batch, into: &facts)
            }
            factCount = facts.count
            let nanoseconds = nanoseconds(of: CLOCK_PROCESS_CPUTIME_ID) - start
            nanosecondsOfRuns.append(Double(nanoseconds) / Double(rounds))
        }
        let counters = scanner.counters
        let dialect = Dialect.allCases.max { counters[$0].lines < counters[$1].lines }
        let spread = Spread(Array(nanosecondsOfRuns.dropFirst()))
        let lines = batch.lines.count
        return Figure(
            log: log,
            dialect: dialect?.name ?? "none",
            lines: lines,
            bytes: bytes,
            facts: factCount,
            unparsed: counters.unparsed / ((runs + 1) * rounds),
            nanosecondsPerLine: spread.scaled(by: 1 / Double(lines)),
            nanosecondsPerByte: spread.scaled(by: 1 / Double(bytes)),
            megabytesPerSecond: Spread(
                nanosecondsOfRuns.dropFirst().map { Double(bytes) * 1_000 / $0 }
            )
        )
    }

    private func plainText(_ figures: [Figure]) -> String {
        let head =
            "machine  \(Machine.processor), \(Machine.cores) cores\n"
            + "build    \(Machine.build); \(runs) runs of about \(megabytes) MB each, one thread\n\n"
            + "dialect       ns/line: min  median    max   ns/byte  MB/s  bytes/line  facts/line  unparsed  log"
        return figures.reduce(head) { text, figure in
            let lines = Double(figure.lines)
            let cells = [
                padded(rounded(figure.nanosecondsPerLine.min, 1), 12),
                padded(rounded(figure.nanosecondsPerLine.median, 1), 8),
                padded(rounded(figure.nanosecondsPerLine.max, 1), 7),
                padded(rounded(figure.nanosecondsPerByte.median, 3), 10),
                padded(rounded(figure.megabytesPerSecond.median, 0), 6),
                padded(rounded(Double(figure.bytes) / lines, 0), 12),
                padded(rounded(Double(figure.facts) / lines, 2), 12),
                padded("\(figure.unparsed)", 10),
            ]
            let name = figure.dialect + padded("", max(0, 14 - figure.dialect.count))
            return text + "\n" + name + cells.joined() + "  " + figure.log
        }
    }

    private func jsonText(_ figures: [Figure]) -> String {
        let rows = figures.map {
            #"{"dialect":"\#($0.dialect)","log":"\#(FilePath($0.log).lastComponent?.string ?? "")","#
                + #""lines":\#($0.lines),"bytes":\#($0.bytes),"facts":\#($0.facts),"#
                + #""unparsed":\#($0.unparsed),"ns_per_line":\#($0.nanosecondsPerLine.json),"#
                + #""ns_per_byte":\#($0.nanosecondsPerByte.json),"#
                + #""megabytes_per_second":\#($0.megabytesPerSecond.json)}"#
        }
        return
            #"{"benchmark":"dialects","machine":"\#(Machine.processor)","cores":\#(Machine.cores),"#
            + #""build":"\#(Machine.build)","runs":\#(runs),"megabytes":\#(megabytes),"#
            + #""dialects":[\#(rows.joined(separator: ","))]}"#
    }

    private func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    /// With this many decimal places.
    private func rounded(_ value: Double, _ places: Int) -> String {
        let factor = (0..<places).reduce(1) { factor, _ in factor * 10 }
        let number = Int((value * Double(factor)).rounded())
        guard places > 0 else { return "\(number)" }
        let rest = "\(number % factor)"
        return "\(number / factor)." + String(repeating: "0", count: places - rest.count) + rest
    }
}
