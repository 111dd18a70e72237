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

    /// Those of the dialects that have a reference parser: Postfix and Exim.
    static func withReference() throws -> [URL] {
        try all().filter { url in
            !["sendmail", "opensmtpd"].contains { url.lastPathComponent.hasPrefix($0) }
        }
    }

    private static func files(below folder: URL) throws -> [URL] {
        let paths = try FileManager.default.subpathsOfDirectory(
            atPath: folder.resolvingSymlinksInPath().path
        )
        return paths.sorted().map { folder.appendingPathComponent($0) }
            .filter { $0.pathExtension == "log" || $0.lastPathComponent == "mainlog" }
            .filter { FileManager.default.isReadableFile(atPath: $0.path) }
    }

    /// Lines of all logs to begin mutations with, at most two of each shape: what is rare in a log is
    /// as frequent here as what is not.
    static let seeds = Result<[[UInt8]], any Error> {
        var seen: [String: Int] = [:]
        return try withReference().flatMap { try lines(of: $0) }.filter { line in
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
        for log in try Logs.withReference() {
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
        // A mutator that breaks every line tests nothing.
        #expect(comparison.linesRead > comparison.lines / 10)
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
        #expect(found > Logs.mutations / 200)
    }
}
