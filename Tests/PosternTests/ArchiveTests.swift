import Foundation
import TestSupport
import Testing

/// The program gives the same events whatever its log lies in.
@Suite struct ArchiveTests {
    private func events(_ inputs: [String], input: Data? = nil) throws -> [String] {
        let result = try Program().run(
            ["events", "--json", "--year", "2026", "--timezone", "UTC"] + inputs,
            input: input
        )
        #expect(result.status == 0, "\(inputs): \(result.error)")
        return result.output.split(separator: "\n").map { line in
            // All but where it was read.
            String(line.replacing(/"postern\.record":"[^"]*"/, with: ""))
        }
    }

    @Test func everyFormGivesTheEventsOfThePlainFile() throws {
        let scratch = try Scratch()
        let lines = try String(contentsOf: corpus("postfix.log"), encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
        let whole = lines.joined(separator: "\n")
        let plain = try scratch.write("mail.log", whole)
        let expected = try events([plain])
        #expect(expected.count > 500)
        _ = try scratch.write("cut/mail.log.2", lines[..<1_700].joined(separator: "\n") + "\n")
        _ = try scratch.write("cut/mail.log.1", lines[1_700..<3_000].joined(separator: "\n") + "\n")
        _ = try scratch.write("cut/mail.log", lines[3_000...].joined(separator: "\n"))
        try shell(
            """
            for tool in gzip xz bzip2 zstd lz4; do $tool -q -c mail.log > one.$tool; done
            gzip cut/mail.log.2
            tar cf cut.tar cut; tar czf cut.tar.gz cut; tar cJf cut.tar.xz cut; tar cjf cut.tar.bz2 cut
            zstd -q cut.tar; lz4 -q cut.tar cut.tar.lz4; zip -qr cut.zip cut
            gunzip cut/mail.log.2.gz; tar cJf x.tar.xz cut; zip -q cut2.zip x.tar.xz; gzip cut/mail.log.2
            """,
            in: scratch.url.path
        )
        let names = [
            "one.gzip", "one.xz", "one.bzip2", "one.zstd", "one.lz4", "cut", "cut.tar",
            "cut.tar.gz",
            "cut.tar.xz", "cut.tar.bz2", "cut.tar.zst", "cut.tar.lz4", "cut.zip", "cut2.zip",
        ]
        for name in names { #expect(try events([scratch.path(name)]) == expected, "\(name)") }
        for name in ["mail.log", "one.gzip", "one.xz", "one.lz4"] {
            let data = try Data(contentsOf: URL(fileURLWithPath: scratch.path(name)))
            #expect(try events(["-"], input: data) == expected, "\(name) as standard input")
        }
        // Through a pipe an archive keeps its own order.
        try shell(
            "cd cut; tar czf ../sorted.tgz mail.log.2.gz mail.log.1 mail.log",
            in: scratch.url.path
        )
        let sorted = try Data(contentsOf: URL(fileURLWithPath: scratch.path("sorted.tgz")))
        #expect(try events(["-"], input: sorted) == expected)
        let reversed = try Data(contentsOf: URL(fileURLWithPath: scratch.path("cut.tar.gz")))
        let told = try Program().run(
            ["events", "--json", "--timezone", "UTC", "-"],
            input: reversed
        )
        #expect(
            told.error.contains("mail.log.2.gz: it begins before the log that was read before it")
        )
    }

    /// A bundle gives the lines that it proves, and its other members are no logs.
    @Test func theLinesOfABundleAreReadAsALog() throws {
        let scratch = try Scratch()
        let bundles = scratch.path("bundles")
        let log = corpus("postfix.log").path
        let options = ["--timezone", "UTC", "--year", "2026"]
        let replayed = try Program().run(["replay", "--evidence", bundles] + options + [log])
        #expect(replayed.status == 0)
        let bundle = try #require(
            try FileManager.default.contentsOfDirectory(atPath: bundles).sorted().first
        )
        let result = try Program().run(["events", "--json"] + options + [bundles + "/" + bundle])
        #expect(result.status == 0, "\(result.error)")
        #expect(result.error.isEmpty)
        let events = try result.objects
        #expect(!events.isEmpty)
        #expect(
            events.allSatisfy {
                ($0["postern.record"] as? String)?.contains(bundle + "/lines.log") == true
            }
        )
    }

    /// Names of members are a stranger's, and reach the terminal as text only.
    @Test func namesOfMembersAreEscaped() throws {
        let scratch = try Scratch()
        _ = try scratch.write("x/ev\u{1b}[31mil", Data((0..<4_000).map { UInt8($0 % 7) }))
        _ = try scratch.write("x/lo\u{202e}g", try Data(contentsOf: corpus("postfix.log")))
        try shell("tar cf x.tar x", in: scratch.url.path)
        let result = try Program().run(
            ["events", "--json", "--year", "2026", "--timezone", "UTC", scratch.path("x.tar")]
        )
        #expect(result.status == 0)
        #expect(result.error.contains("ev\\u{1b}[31mil: it is not a log"))
        #expect(!result.output.isEmpty)
        #expect(!(result.output + result.error).contains("\u{202e}"))
    }
}
