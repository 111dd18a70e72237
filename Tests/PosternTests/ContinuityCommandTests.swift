import Foundation
import Pipeline
import State
import SystemPackage
import TestSupport
import Testing

@Suite struct ContinuityCommandTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// A state folder whose ledger has two days and a gap.
    private func folder() throws -> String {
        let path = scratch.path("state")
        let store = try StateStore(
            folder: FilePath(path),
            create: .init(nowMicroseconds: 0, host: "mx1")
        )
        var ledger = Continuity()
        var counts = ContinuityCounts()
        counts.lines = 12
        counts.bytes = 3_456
        ledger.note(source: "mail", day: 20_513, counts)
        ledger.note(source: "mail", day: 20_514, counts)
        ledger.add(Gap(.truncated, source: "mail", bytes: 100, detail: "mail.log"), day: 20_514)
        var changes = Changes()
        ledger.takeChanges(into: &changes)
        try store.commit(changes, durable: true)
        return path
    }

    private func continuity(_ arguments: String...) throws -> Program.Result {
        try Program().run(["state", "continuity"] + arguments)
    }

    @Test func daysAndGapsArePrinted() throws {
        let path = try folder()
        let result = try continuity("--state", path)
        #expect(result.status == 0, "\(result.error)")
        let lines = result.output.split(separator: "\n").map {
            $0.split(separator: " ").joined(separator: " ")
        }
        #expect(
            lines == [
                "date source lines bytes first last rotations cut late forged gaps",
                "2026-03-01 mail 12 3456 - - 0 0 0 0 0", "2026-03-02 mail 12 3456 - - 0 0 0 0 1",
                "truncated: 100 bytes cut off the file before being read, at a time that is not "
                    + "known: mail.log",
            ]
        )
        let config = try scratch.write("postern.yml", "state: \(path)\n")
        #expect(try continuity("--config", config).output == result.output)
    }

    @Test func linesOfJSONHaveOneObjectForEachDayAndGap() throws {
        let path = try folder()
        let objects = try continuity("--state", path, "--json").objects
        #expect(
            objects.map { $0["date"] as? String } == ["2026-03-01", "2026-03-02", "2026-03-02"]
        )
        #expect(objects.map { $0["gaps"] as? Int } == [0, 1, nil])
        #expect(objects[2]["gap"] as? String == "truncated")
        #expect(objects[2]["bytes"] as? Int == 100)
    }

    @Test func sinceLeavesOutTheDaysBefore() throws {
        let path = try folder()
        for (since, count) in [("2026-03-01", 3), ("2026-03-02", 2), ("2026-03-03", 0)] {
            let result = try continuity("--state", path, "--since", since, "--json")
            #expect(try result.objects.count == count)
        }
        #expect(
            try continuity("--state", path, "--since", "2026-03-03").output
                == "nothing was read since 2026-03-03\n"
        )
    }

    @Test func mistakesHaveTheirStatus() throws {
        let missing = try continuity("--state", scratch.path("nowhere"))
        #expect(missing.status == 66)
        #expect(missing.error.hasPrefix("postern: \(scratch.path("nowhere"))/postern.sqlite: "))
        let damaged = Data((0..<5_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        _ = try scratch.write("bad/postern.sqlite", damaged)
        let bad = try continuity("--state", scratch.path("bad"))
        #expect(bad.status == 1)
        #expect(bad.error.contains("postern state rebuild"))
        #expect(try continuity("--since", "2026-02-30").status == 64)
        #expect(try continuity("--config", "a", "--state", "b").status == 64)
        #expect(try continuity("--config", scratch.path("none.yml")).status == 78)
    }
}
