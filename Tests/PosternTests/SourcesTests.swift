import Foundation
import TestSupport
import Testing

/// The daemon with several sources, and what it keeps of what it read.
@Suite(.serialized) struct SourcesTests {
    private static let two = ["file: FOLDER/a.log", "file: FOLDER/b.log"]

    /// The receipts of one account go over two hosts; together they are a burst.
    @Test func twoSourcesAreOneLog() throws {
        let daemon = try Daemon(sources: Self.two)
        try daemon.append(receipt(0, second: 0), to: "a.log")
        try daemon.append(receipt(1, second: 0), to: "b.log")
        try daemon.start()
        try daemon.append(receipt(2, second: 0), to: "b.log")
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        #expect(daemon.alerts.first?.count == 3)
        #expect(daemon.stop() == 0)
    }

    /// Killed and restarted while two files are written, with lines that wait for each other.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func killedAtAnyMomentTwoSourcesGiveTheAlertsOfTheirMerge(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let daemon = try Daemon(sources: Self.two)
        var parts = ["a.log": "", "b.log": ""]
        for name in parts.keys.sorted() { try daemon.append("", to: name) }
        try daemon.start()
        for number in 0..<9 {
            let name = Bool.random(using: &random) ? "a.log" : "b.log"
            let text = receipt(number, second: 60)
            parts[name, default: ""] += text
            var rest = Substring(text)
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...900, using: &random))
                try daemon.append(String(piece), to: name)
                rest = rest.dropFirst(piece.count)
                guard Int.random(in: 0..<9, using: &random) == 0 else { continue }
                usleep(UInt32.random(in: 0..<30_000, using: &random))
                daemon.kill()
                try daemon.start()
            }
        }
        let later = "2026-03-01T12:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n"
        for name in parts.keys.sorted() {
            try daemon.append(later, to: name)
            parts[name, default: ""] += later
        }
        let whole = (parts["a.log"] ?? "") + (parts["b.log"] ?? "")
        let sorted = whole.split(separator: "\n").sorted().joined(separator: "\n") + "\n"
        let path = try daemon.scratch.write("whole.log", sorted)
        let replay = try Program().run(["replay", "--json", "--timezone", "UTC", path])
        let expected = try replay.objects.map { object in
            "\(object["event.id"] ?? "").\(object["event.sequence"] ?? "") \(object["event.action"] ?? "")"
        }
        #expect(expected.count == 2)
        #expect(eventually { daemon.alerts.count >= expected.count }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        #expect(daemon.alerts.map { "\($0.id).\($0.sequence) \($0.action)" } == expected)
    }

    @Test func twoSourcesWithTheSameLogAreRefused() throws {
        let daemon = try Daemon(sources: Self.two)
        for name in ["a.log", "b.log"] {
            for number in 0..<40 { try daemon.append(receipt(number, second: 0), to: name) }
        }
        try daemon.start()
        #expect(daemon.exitStatus() == 78)
        #expect(daemon.messages.contains("carry the same log"))
        #expect(daemon.messages.contains("allow_duplicate"))
    }

    @Test func aSourceMayBeADuplicateWhenItIsSaidSo() throws {
        let daemon = try Daemon(sources: [
            "file: FOLDER/a.log", "{ file: FOLDER/b.log, allow_duplicate: true }",
        ])
        for name in ["a.log", "b.log"] {
            for number in 0..<40 { try daemon.append(receipt(number, second: 0), to: name) }
        }
        try daemon.start()
        #expect(eventually { !daemon.alerts.isEmpty }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
    }

    @Test func theLedgerTellsWhatWasReadAndTheRebuiltStateTheSame() throws {
        let daemon = try Daemon()
        try daemon.append((0..<9).map { receipt($0, second: 0) }.joined())
        try daemon.start()
        #expect(eventually { !daemon.alerts.isEmpty }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        let asked = ["state", "continuity", "--json", "--config", daemon.config]
        let before = try Program().run(asked)
        #expect(before.status == 0, "\(before.error)")
        let day = try #require(try before.objects.first)
        #expect(day["date"] as? String == "2026-03-01")
        #expect(day["lines"] as? Int == 9 * 6)
        let size = try Data(contentsOf: URL(fileURLWithPath: daemon.log)).count
        #expect(day["bytes"] as? Int == size)

        // A page of the state is lost.
        let file = daemon.scratch.path("state/postern.sqlite")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        bytes.replaceSubrange(0..<4_096, with: Data(repeating: 0x41, count: 4_096))
        try bytes.write(to: URL(fileURLWithPath: file))
        let refused = try Program().run(["run", "--config", daemon.config])
        #expect(refused.status == 1)
        #expect(refused.error.contains("postern state rebuild"), "\(refused.error)")

        let rebuilt = try Program().run(["state", "rebuild", "--config", daemon.config])
        #expect(rebuilt.status == 0, "\(rebuilt.error)")
        #expect(rebuilt.error.contains("set-aside-"))
        let after = try Program().run(asked)
        #expect(after.output == before.output)
        // What was raised has the IDs that it had; the daemon sends it.
        let sent = daemon.alerts.map { "\($0.id).\($0.sequence)" }
        try FileManager.default.removeItem(atPath: daemon.scratch.path("out"))
        try daemon.start()
        #expect(eventually { daemon.alerts.count >= sent.count }, "\(daemon.messages)")
        #expect(daemon.alerts.map { "\($0.id).\($0.sequence)" } == sent)
        #expect(daemon.stop() == 0)
    }
}

/// Files that match a pattern.
@Suite(.serialized) struct PatternTests {
    /// Logs that are there, one that comes later, and what rotation makes of them.
    @Test func eachMatchingFileIsASource() throws {
        let daemon = try Daemon(sources: ["file: FOLDER/mail*.log"])
        try daemon.append(receipt(0, second: 0), to: "mail-a.log")
        try daemon.start()
        try daemon.append(receipt(1, second: 0), to: "mail-a.log")
        try FileManager.default.moveItem(
            atPath: daemon.scratch.path("mail-a.log"),
            toPath: daemon.scratch.path("mail-a.log.1")
        )
        try daemon.append("", to: "mail-a.log")
        try daemon.append(receipt(2, second: 0), to: "mail-b.log")
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        #expect(daemon.alerts.first?.count == 3)
        #expect(daemon.messages.contains("mail-b.log: followed from now on"))
        #expect(!daemon.messages.contains("mail-a.log.1: followed"))
        #expect(daemon.stop() == 0)
        // What came while it was down is found by the cursor of each.
        let user = "bob@hosted.example"
        try daemon.append(receipt(3, second: 0, user: user), to: "mail-b.log")
        try daemon.append(receipt(4, second: 0, user: user), to: "mail-b.log")
        try daemon.append(receipt(5, second: 0, user: user), to: "mail-a.log")
        try daemon.start()
        #expect(eventually { daemon.alerts.count == 2 }, "\(daemon.messages)")
        #expect(daemon.alerts.last?.count == 3)
        #expect(daemon.stop() == 0)
    }
}
