import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct KillTests {
    /// `kill -9` two hundred times, also while it starts, while the log is written and rotated, by
    /// rename and by copy, and compressed: the alerts are those of one uninterrupted replay.
    ///
    /// `POSTERN_KILLS` sets how many.
    @Test func twoHundredKillsAndRotationsChangeNoAlert() throws {
        var random = SeededGenerator(seed: 200)
        let daemon = try Daemon()
        let kills = Int(ProcessInfo.processInfo.environment["POSTERN_KILLS"] ?? "") ?? 200
        var whole = ""
        var rest = Substring()
        var number = 0
        for _ in 0..<kills {
            if Int.random(in: 0..<4, using: &random) == 0 { try daemon.rotate(&random) }
            try daemon.spawn()
            usleep(UInt32.random(in: 0..<60_000, using: &random))
            if rest.isEmpty, number < 80 {
                rest = Substring(receipt(number, second: 60))
                whole += rest
                number += 1
            }
            let piece = rest.prefix(Int.random(in: 1...700, using: &random))
            try daemon.append(String(piece))
            rest = rest.dropFirst(piece.count)
            if Int.random(in: 0..<8, using: &random) == 0 { try daemon.rotate(&random) }
            usleep(UInt32.random(in: 0..<40_000, using: &random))
            daemon.kill()
        }
        try daemon.start()
        try daemon.append(String(rest))
        let later = "2026-03-01T12:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n"
        try daemon.append(later)
        let path = try daemon.scratch.write("whole.log", whole + later)
        let replay = try Program().run(["replay", "--json", "--timezone", "UTC", path])
        let expected = try replay.objects.map { object in
            "\(object["event.id"] ?? "").\(object["event.sequence"] ?? "") "
                + "\(object["event.action"] ?? "")"
        }
        #expect(expected.count >= 2)
        let isThere = eventually { daemon.alerts.count >= expected.count }
        #expect(isThere, "\(daemon.messages.suffix(600))")
        #expect(daemon.stop() == 0)
        #expect(daemon.alerts.map { "\($0.id).\($0.sequence) \($0.action)" } == expected)
    }
}

extension KillTests {
    /// `kill -9` two hundred times, at any moment of commit, seal and dispatch, with a receiver that
    /// fails now and then: every step of every alert of the uninterrupted run arrives, under the same
    /// ID and with the same bytes each time, and nothing else does.
    @Test func twoHundredKillsLoseNoAlertOnItsWay() throws {
        var random = SeededGenerator(seed: 201)
        let answers = (0..<400).map { _ in
            ["200", "200", "200", "503", "break"].randomElement(using: &random) ?? "200"
        }
        let receiver = try Receiver(answers: answers + ["200"])
        let daemon = try daemon(sinks: [
            "webhook: {url: \"http://127.0.0.1:\(receiver.port)/hook\"}\n"
                + "levels: informational..critical"
        ])
        let kills = Int(ProcessInfo.processInfo.environment["POSTERN_KILLS"] ?? "") ?? 200
        var whole = ""
        for kill in 0..<kills {
            try daemon.spawn()
            usleep(UInt32.random(in: 0..<50_000, using: &random))
            // Every third kill an account begins; three receipts make its alert.
            let account = kill / 3
            if account < 30 {
                let user = "user\(account)@hosted.example"
                let line = receipt(account * 3 + kill % 3, second: 10 * kill, user: user)
                whole += line
                try daemon.append(line)
            }
            usleep(UInt32.random(in: 0..<70_000, using: &random))
            daemon.kill()
        }
        try daemon.start()
        let later = "2026-03-01T14:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n"
        try daemon.append(later)
        let path = try daemon.scratch.write("whole.log", whole + later)
        let replay = try Program().run(["replay", "--json", "--timezone", "UTC", path])
        let expected = Set(
            try replay.objects.map { "\($0["event.id"] ?? "").\($0["event.sequence"] ?? "")" }
        )
        #expect(expected.count >= min(30, kills / 3))
        #expect(
            eventually { expected.isSubset(of: receiver.ids) },
            "\(daemon.messages.suffix(900))"
        )
        #expect(daemon.stop() == 0)
        var bodies: [String: String] = [:]
        for (id, request) in zip(receiver.ids, receiver.got) {
            let body = try #require(request["body"] as? String)
            // Notices are about Postern, of which an uninterrupted run has others.
            if body.contains("\"event.action\":\"notice\"") { continue }
            #expect(expected.contains(id), "\(id)")
            #expect(bodies[id] == nil || bodies[id] == body)
            bodies[id] = body
        }
        #expect(bodies.count == expected.count)
        // The proof of each is there, as it says, and the chain of all of them holds.
        let verified = try daemon.command("evidence", "verify")
        #expect(verified.status == 0, "\(verified.error)")
        #expect(verified.output.contains("the chain holds"), "\(verified.output)")
        for body in bodies.values {
            let object = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
            let bundle = try #require(object?["postern.evidence"] as? String, "\(body)")
            let digest = try #require(object?["postern.evidence_sha256"] as? String)
            let shown = try Program().run(
                ["evidence", "show", daemon.scratch.path("state/evidence/\(bundle)")]
            )
            #expect(shown.output.contains("manifest sha256 \(digest)"), "\(bundle)")
        }
    }
}

extension Daemon {
    /// Rotates the log by rename or by copy, if it ends with a whole line (one that is rotated in
    /// two halves is two lines, to everybody); the one before may be compressed.
    fileprivate func rotate(_ random: inout SeededGenerator) throws {
        let files = FileManager.default
        let text = try Data(contentsOf: URL(fileURLWithPath: log))
        guard text.last == UInt8(ascii: "\n") else { return }
        for number in (1...300).reversed() {
            for ending in ["", ".gz"] where files.fileExists(atPath: "\(log).\(number)\(ending)") {
                try files.moveItem(
                    atPath: "\(log).\(number)\(ending)",
                    toPath: "\(log).\(number + 1)\(ending)"
                )
            }
        }
        if Bool.random(using: &random) {
            try files.moveItem(atPath: log, toPath: log + ".1")
            _ = try scratch.write("mail.log", "")
        } else {
            try files.copyItem(atPath: log, toPath: log + ".1")
            let handle = try #require(FileHandle(forWritingAtPath: log))
            try handle.truncate(atOffset: 0)
            try handle.close()
        }
        if Bool.random(using: &random), files.fileExists(atPath: log + ".2") {
            let gzip = Process()
            gzip.executableURL = URL(fileURLWithPath: "/usr/bin/gzip")
            gzip.arguments = [log + ".2"]
            try gzip.run()
            gzip.waitUntilExit()
        }
    }
}
