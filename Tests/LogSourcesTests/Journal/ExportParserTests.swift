import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport
import Testing

@Suite struct ExportParserTests {
    /// What a parser gives when it is fed so.
    private func parse(_ text: [UInt8], readSize: Int) -> (steps: [String], unfinished: Int) {
        var parser = ExportParser(matches: FieldMatches([]))
        var steps: [String] = []
        var start = 0
        while true {
            switch parser.next() {
            case .entry:
                let message = parser.entry.text(.message) ?? "-"
                steps.append(
                    "\(parser.entryOffset) \(parser.entry.realtimeMicroseconds) \(message)"
                )
            case .broken:
                return (steps + ["broken"], parser.unfinishedBytes)
            case .more:
                guard start < text.count else { return (steps, parser.unfinishedBytes) }
                let end = min(text.count, start + readSize)
                parser.append(text[start..<end])
                start = end
            }
        }
    }

    private static let entries = [
        CraftedEntry(0, "plain"), CraftedEntry(1, "two\nlines"), CraftedEntry(2, [0xff, 0, 7]),
        CraftedEntry(3, ""), CraftedEntry(4, "a=b\n\n__CURSOR=x\n\n"),
    ]

    private static let text = export(entries)

    @Test func whatComesOutDoesNotDependOnHowTheReadsFall() {
        let whole = parse(Self.text, readSize: .max)
        #expect(whole.steps.count == Self.entries.count)
        #expect(whole.unfinished == 0)
        for size in 1...Self.text.count {
            let parsed = parse(Self.text, readSize: size)
            #expect(parsed.steps == whole.steps, "reads of \(size)")
        }
    }

    /// Every prefix gives the entries whose empty line it has, and no others.
    @Test func anEntryCountsOnlyWithItsEnd() {
        let whole = parse(Self.text, readSize: .max).steps
        var ends: [Int] = []
        for entry in Self.entries { ends.append((ends.last ?? 0) + entry.exported.count + 1) }
        for count in 0...Self.text.count {
            let parsed = parse(Array(Self.text.prefix(count)), readSize: 7)
            let finished = ends.count { $0 <= count }
            #expect(parsed.steps == Array(whole.prefix(finished)), "\(count)")
            let isWhole = count == 0 || ends.contains(count)
            #expect((parsed.unfinished == 0) == isWhole, "\(count)")
        }
    }

    @Test func whatIsNoFieldEndsTheReading() {
        let good = CraftedEntry(0, "good").exported + [10]
        for bad in ["lower case\n", "MESSAGE\n\u{3}\0\0\0\0\0\0\0abcX", "A B\n", "\u{1}\n"] {
            let parsed = parse(good + Array(bad.utf8) + [10] + good, readSize: 5)
            #expect(parsed.steps.count == 2, "\(bad)")
            #expect(parsed.steps.last == "broken")
        }
        // A length that no file has.
        let length = Array("MESSAGE\n".utf8) + [UInt8](repeating: 0xff, count: 8)
        let parsed = parse(good + length + good, readSize: 64)
        #expect(parsed.steps.count == 1)
        #expect(parsed.unfinished > 0)
    }

    @Test func longFieldsAreKeptUpToTheLimitOfALine() {
        let long = [UInt8](repeating: 97, count: 300_000)
        for message in [long, long + [10] + long] {
            let text = export([CraftedEntry(0, message), CraftedEntry(1, "after")])
            for size in [1_000, 70_001, 1 << 20] {
                var parser = ExportParser(matches: FieldMatches([]))
                var counts: [Int] = []
                var start = 0
                while counts.count < 2 {
                    switch parser.next() {
                    case .entry: counts.append(parser.entry.range(of: .message)?.count ?? -1)
                    case .broken: counts.append(-2)
                    case .more:
                        let end = min(text.count, start + size)
                        parser.append(text[start..<end])
                        start = end
                    }
                }
                #expect(counts == [SourceLimits.lineBytesMax + 1, 5])
            }
        }
    }

    @Test func severalEmptyLinesAreOne() {
        let text = [10, 10] + CraftedEntry(0, "one").exported + [10, 10, 10]
        #expect(parse(text, readSize: 3).steps.map { $0.split(separator: " ").last } == ["one"])
    }
}
