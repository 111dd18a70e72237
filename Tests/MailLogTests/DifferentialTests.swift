import Foundation
import MailEvents
import Records
import TestSupport
import Testing

@testable import MailLog

/// What the differential tests read: logs of this tree, and more if the environment names them.
enum Logs {
    static func lines(of url: URL) throws -> [[UInt8]] {
        try Data(contentsOf: url).split(separator: 0x0a).map(Array.init)
    }

    /// The logs beside the tests, and those of `POSTERN_CORPUS`, a folder with any number of logs.
    static func all() throws -> [URL] {
        var found = try files(below: sourceTree.appendingPathComponent("Tests/Corpus"))
        found += try files(below: sourceTree.appendingPathComponent("Tests/Samples"))
        if let folder = ProcessInfo.processInfo.environment["POSTERN_CORPUS"] {
            found += try files(below: URL(fileURLWithPath: folder))
        }
        return found
    }

    private static func files(below folder: URL, areTables: Bool = false) throws -> [URL] {
        let paths = try FileManager.default.subpathsOfDirectory(
            atPath: folder.resolvingSymlinksInPath().path
        )
        let extensions = areTables ? ["csv", "LOG"] : ["log"]
        return paths.sorted().map { folder.appendingPathComponent($0) }
            .filter {
                extensions.contains($0.pathExtension)
                    || !areTables && $0.lastPathComponent == "mainlog"
            }
            .filter { FileManager.default.isReadableFile(atPath: $0.path) }
    }

    /// The tables beside the tests: a head, then rows.
    static func tables() throws -> [(url: URL, lines: [[UInt8]])] {
        var found = try ["Tests/Corpus", "Tests/Samples"].flatMap {
            try files(below: sourceTree.appendingPathComponent($0), areTables: true)
        }
        if let folder = ProcessInfo.processInfo.environment["POSTERN_CORPUS"] {
            found += try files(below: URL(fileURLWithPath: folder), areTables: true)
        }
        return try found.map { url in
            var data = try Data(contentsOf: url)
            // As a source reads it.
            if data.starts(with: [0xff, 0xfe]), let text = String(data: data, encoding: .utf16) {
                data = Data(text.utf8)
            }
            return (url, data.split(separator: 0x0a).map(Array.init))
        }
    }

    /// Lines of all logs to begin mutations with, at most two of each shape: what is rare in a log is
    /// as frequent here as what is not.
    static let seeds = Result<[[UInt8]], any Error> {
        var seen: [String: Int] = [:]
        return try all().flatMap { try lines(of: $0) }.filter { line in
            let shape = LineText(line).text
                .replacingOccurrences(of: "[0-9A-Za-z]+", with: "x", options: .regularExpression)
            seen[shape, default: 0] += 1
            return seen[shape, default: 0] <= 2
        }
    }

    /// How many lines the mutation tests make: 50,000, or `POSTERN_MUTATIONS`.
    static var mutations: Int {
        ProcessInfo.processInfo.environment["POSTERN_MUTATIONS"].flatMap { Int($0) } ?? 50_000
    }
}

/// The fast scanner and the slow, obvious reference parsers say the same of every line.
@Suite struct DifferentialTests {
    @Test func bothParsersAgreeOnEveryLineOfTheLogs() throws {
        for log in try Logs.all() {
            var comparison = Comparison()
            for line in try Logs.lines(of: log) { comparison.read(line) }
            #expect(comparison.linesRead > 0, "\(log.path): no line says anything")
            #expect(
                comparison.differences.isEmpty,
                "\(log.path):\n\(comparison.differences.joined(separator: "\n"))"
            )
        }
    }

    /// The lines of all logs, changed at random: 50,000 of them, more if `POSTERN_MUTATIONS` says so.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func bothParsersAgreeOnMutatedLines(seed: UInt64) throws {
        var mutator = Mutator(seed: seed, lines: try Logs.seeds.get(), tokens: try Tokens.all.get())
        var comparison = Comparison(areDamaged: true)
        for _ in 0..<(Logs.mutations / 10) {
            comparison.read(mutator.nextOfAnyLength(rarity: 1_000))
        }
        // Where one side says nothing, nothing is compared.
        #expect(comparison.linesOfOne < comparison.linesRead / 10)
        // A mutator that breaks every line tests nothing.
        #expect(comparison.linesRead > comparison.lines / 10)
        #expect(
            comparison.differences.isEmpty,
            "\(comparison.differences.joined(separator: "\n"))"
        )
    }

    @Test func bothParsersAgreeOnEveryRowOfTheTables() throws {
        for (url, lines) in try Logs.tables() {
            var comparison = TableComparison()
            for line in lines { comparison.read(line) }
            #expect(comparison.rowsRead > 0, "\(url.path): no row says anything")
            #expect(
                comparison.differences.isEmpty,
                "\(url.path):\n\(comparison.differences.joined(separator: "\n"))"
            )
        }
    }

    /// Some rows of a table, one after the other, since a field may go on in the next line.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func bothParsersAgreeOnMutatedRows(seed: UInt64) throws {
        let tokens = try Tokens.all.get()
        let tables = try Logs.tables().map { $0.lines }
        let headCounts = tables.map { lines in
            let names = lines.firstIndex { line in
                let text = LineText(line).text
                return text.hasPrefix("#Fields") || !text.contains("#")
            }
            return (names ?? 0) + 1
        }
        var mutators = zip(tables, headCounts).map { lines, headCount in
            Mutator(seed: seed, lines: Array(lines[headCount...]), tokens: tokens)
        }
        var comparison = TableComparison()
        let count = Logs.mutations / 30
        var table = 0
        for round in 0..<count {
            if round % 5 == 0 {
                table = round / 5 % tables.count
                comparison.beginTable()
                for line in tables[table][..<headCounts[table]] { comparison.read(line) }
            }
            let row = mutators[table].nextOfAnyLength(rarity: 1_000)
            // A source cuts longer lines; what follows is doubted then.
            guard row.count < Mutator.bytesMax else { continue }
            comparison.read(row, isDamaged: true)
        }
        #expect(comparison.rowsRead > count / 10)
        #expect(comparison.rowsOfOne < comparison.rowsRead / 10)
        #expect(
            comparison.differences.isEmpty,
            "\(comparison.differences.joined(separator: "\n"))"
        )
    }

    /// Where the text of a logged header ends depends on the message's client and sender: the same
    /// readings in the same order, whatever stands in the line.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func bothParsersFindTheSameTailsOfHeaders(seed: UInt64) throws {
        let origins = ["localhost[127.0.0.1]", "pc.isp.test[198.51.100.7]"]
        let senders = ["alice@hosted.example", "", #""a b> to=<v@w.test"@hosted.example"#]
        let lines = try Logs.seeds.get().filter { LineText($0).text.contains(": header ") }
        let tokens = (0..<8).flatMap { _ in
            origins.map { Array(" from \($0); from=<".utf8) } + senders.map { Array($0.utf8) }
        }
        var mutator = Mutator(seed: seed, lines: lines, tokens: try Tokens.all.get() + tokens)
        var found = 0
        for round in 0..<(Logs.mutations / 20) {
            let line = mutator.next(changesMax: 2)
            let text = LineText(line)
            guard let said = (try? ReferenceScanner.read(line))?.first?.first, said.header != .none,
                let start = said.a?.lowerBound
            else { continue }
            let origin = origins[round % origins.count]
            let sender = senders[round % senders.count]
            let tails = ReferencePostfix.tails(
                text,
                from: start,
                origin: origin,
                sender: sender
            )
            let ofSender = tails.filter { text.string($0.sender) == sender }
            let fast = PostfixGrammar.headerTails(
                line.span,
                from: start,
                origin: Array(origin.utf8).span,
                sender: Array(sender.utf8).span
            )
            guard tails.count < 16 else { continue }
            found += tails.count
            #expect(fast.count == tails.count, "\(text.text)")
            #expect(fast.first.map(ReferencePostfix.Tail.init) == tails.first, "\(text.text)")
            #expect(fast.countOfSender == ofSender.count, "\(text.text)")
            #expect(
                fast.firstOfSender.map(ReferencePostfix.Tail.init) == ofSender.first,
                "\(text.text)"
            )
        }
        #expect(found > Logs.mutations / 400)
    }
}
