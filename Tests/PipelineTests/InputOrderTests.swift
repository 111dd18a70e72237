import Foundation
import LogSources
@testable import Pipeline
import Records
import SystemPackage
import TestSupport
import Testing

/// Pieces of one log come out as the whole, whatever they are called and lie in.
@Suite struct InputOrderTests {
    /// The lines of the inputs in their order, and what was left out.
    private func read(_ paths: [String], firstYear: Int? = nil) throws -> (String, [SkippedInput]) {
        let opened = ordered(
            try openInputs(paths.map { FilePath($0) }),
            timeZone: try #require(TimeZoneSetting("UTC")),
            firstYear: firstYear
        )
        var source = ReplaySource(inputs: opened.inputs, threadCount: 1)
        var batch = Batch(byteCapacity: 1 << 20, lineCapacity: 20_000)
        var bytes: [UInt8] = []
        while try source.fill(&batch) == .lines {
            for line in batch.lines {
                bytes += batch.bytes[Int(line.start)..<Int(line.start + line.length)]
                bytes.append(10)
            }
        }
        #expect(source.takeNotes().isEmpty)
        return (String(decoding: bytes, as: UTF8.self), opened.skipped)
    }

    private func corpusLines(_ name: String) throws -> [Substring] {
        try String(contentsOf: corpus(name), encoding: .utf8).split(separator: "\n")
    }

    private func text(_ lines: some Collection<Substring>) -> String {
        lines.map { $0 + "\n" }.joined()
    }

    /// forall cuts, also within a second and into single lines.
    @Test(arguments: ["postfix.log", "postfix-short-ids.log"])
    func aLogCutAnywhereIsReadAsTheWhole(name: String) throws {
        let lines = Array(try corpusLines(name).prefix(400))
        let whole = text(lines)
        for first in stride(from: 1, to: lines.count - 2, by: 3) {
            let scratch = try Scratch()
            let second = first + [1, 2, 5, 60][first % 4]
            guard second < lines.count else { continue }
            let pieces = [
                ("mail.log.2", lines[..<first]), ("mail.log.1", lines[first..<second]),
                ("mail.log", lines[second...]),
            ]
            for (name, piece) in pieces { _ = try scratch.write(name, text(piece)) }
            let (read, skipped) = try read([scratch.url.path])
            #expect(read == whole, "cut at \(first) and \(second)")
            #expect(skipped.isEmpty)
        }
    }

    @Test(arguments: [3, 700, 1_503, 4_000])
    func compressedPiecesAndArchivesOfThemAreReadAsTheWhole(cut: Int) throws {
        let scratch = try Scratch()
        let lines = try corpusLines("postfix.log")
        let whole = text(lines)
        _ = try scratch.write("x/mail.log.2", text(lines[..<cut]))
        _ = try scratch.write("x/mail.log.1", text(lines[cut..<(cut + 1)]))
        _ = try scratch.write("x/mail.log", text(lines[(cut + 1)...]))
        try shell(
            "gzip x/mail.log.2; xz x/mail.log.1; tar czf t.tar.gz x; zip -qr z.zip x",
            in: scratch.url.path
        )
        for input in ["x", "t.tar.gz", "z.zip"] {
            #expect(try read([scratch.path(input)]).0 == whole, "\(input)")
        }
    }

    /// Five pieces whose names say another order, cut where the second changes.
    @Test(arguments: 1...8)
    func namesDoNotDecideWhatStampsDo(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let scratch = try Scratch()
        let lines = try corpusLines("postfix.log")
        let changes = lines.indices.dropFirst().filter {
            lines[$0].prefix(19) != lines[$0 - 1].prefix(19)
        }
        let cuts = changes.shuffled(using: &random).prefix(4).sorted()
        let names = ["mail.log", "mail.log.1", "mail.log.7", "a", "mail.log-2020010\(seed)"]
            .shuffled(using: &random)
        let starts = [0] + cuts
        for (index, name) in names.enumerated() {
            let end = index < 4 ? cuts[index] : lines.count
            _ = try scratch.write(name, text(lines[starts[index]..<end]))
        }
        #expect(try read([scratch.url.path], firstYear: 2026).0 == text(lines))
    }

    /// Dates in names are believed where they can be true, as for logs of more than a year.
    @Test func logsOfMoreThanAYearKeepTheDatesOfTheirNames() throws {
        let scratch = try Scratch()
        var whole = ""
        for (date, day) in [("20250301", "Feb 27"), ("20250901", "Aug 30"), ("20260301", "Feb 27")]
        {
            let lines = yearless([(day, 3)]).map { $0 + " \(date)\n" }.joined()
            _ = try scratch.write("mail.log-\(date)", lines)
            whole += lines
        }
        let lines = yearless([("Feb 26", 2), ("Mar  1", 2)]).map { $0 + " again\n" }.joined()
        _ = try scratch.write("mail.log-20270302", lines)
        #expect(try read([scratch.url.path], firstYear: 2025).0 == whole + lines)
    }

    private func yearless(_ days: [(String, Int)]) -> [String] {
        days.flatMap { day in
            (0..<day.1).map {
                "\(day.0) 0\($0):00:00 mx postfix/qmgr[1]: 4XyZbbcdzN9Q\($0): removed"
            }
        }
    }

    /// RFC 3164 stamps: the year of each piece comes from its file, and New Year lies between.
    @Test func aYearEndsBetweenTwoPiecesOrWithinOne() throws {
        let lines = yearless([("Dec 30", 3), ("Dec 31", 3), ("Jan  1", 3), ("Jan  2", 3)])
        for cut in 1..<lines.count {
            for second in cut..<lines.count {
                let scratch = try Scratch()
                let pieces = [lines[..<cut], lines[cut..<second], lines[second...]]
                for (name, piece) in zip(["b", "c", "a"], pieces) where !piece.isEmpty {
                    let path = try scratch.write(name, piece.map { $0 + "\n" }.joined())
                    // Written some days after the last line: 10 January 2026.
                    try FileManager.default.setAttributes(
                        [.modificationDate: Date(timeIntervalSince1970: 1_768_003_200)],
                        ofItemAtPath: path
                    )
                }
                #expect(try read([scratch.url.path]).0 == lines.map { $0 + "\n" }.joined())
            }
        }
    }

    @Test func aCopyOrTheBeginningOfALogIsLeftOut() throws {
        let scratch = try Scratch()
        let lines = try corpusLines("postfix.log")
        let whole = text(lines)
        _ = try scratch.write("mail.log", whole)
        _ = try scratch.write("backup", text(lines.prefix(2_000)))
        try shell("gzip -k mail.log; tar cJf old.tar.xz backup", in: scratch.url.path)
        let (read, skipped) = try read([scratch.url.path])
        #expect(read == whole)
        let log = FilePath(scratch.path("mail.log"))
        #expect(
            Set(skipped) == [
                SkippedInput(
                    path: FilePath(scratch.path("backup")),
                    reason: .beginning(of: log),
                    isNamed: false
                ),
                SkippedInput(
                    path: FilePath(scratch.path("mail.log.gz")),
                    reason: .sameText(as: log),
                    isNamed: false
                ),
                SkippedInput(
                    path: FilePath(scratch.path("old.tar.xz/backup")),
                    reason: .beginning(of: log),
                    isNamed: false
                ),
            ]
        )
    }

    /// A flood of one line can be rotated within its second.
    @Test func equalLinesOfOneSecondAreNoCopy() throws {
        let scratch = try Scratch()
        let line = "2026-03-01T10:00:00+00:00 mx postfix/smtpd[1]: warning: the same\n"
        let piece = String(repeating: line, count: 200)
        for name in ["mail.log", "mail.log.1", "mail.log.2"] { _ = try scratch.write(name, piece) }
        let (read, skipped) = try read([scratch.url.path])
        #expect(read == String(repeating: line, count: 600))
        #expect(skipped.isEmpty)
    }
}
