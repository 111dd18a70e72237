import Foundation
import TestSupport
import Testing

/// The daemon beside a real journald of its own: `Tests/Rigs/journald`.
@Suite(
    .serialized,
    .enabled(
        if: geteuid() == 0
            && FileManager.default.isExecutableFile(atPath: "/lib/systemd/systemd-journald"),
        "a journald of our own needs root"
    )
)
struct JournalDaemonTests {
    private static let source =
        "journal: { directory: FOLDER/j/log/journal, units: [], match: { _TRANSPORT: syslog } }"

    private final class Journald {
        let folder: String
        private let process = Process()

        init(_ scratch: Scratch) throws {
            folder = scratch.path("j")
            // Others may log to it too.
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755],
                ofItemAtPath: scratch.url.path
            )
            process.executableURL = sourceTree.appendingPathComponent("Tests/Rigs/journald")
            process.arguments = [folder]
            process.standardError = FileHandle.nullDevice
            try process.run()
            let isThere = eventually {
                FileManager.default.fileExists(atPath: socket)
                    && (try? FileManager.default.subpathsOfDirectory(atPath: folder + "/log"))?
                        .contains { $0.hasSuffix(".journal") } ?? false
            }
            try #require(isThere)
        }

        deinit {
            process.terminate()
            process.waitUntilExit()
        }

        var socket: String { folder + "/run/systemd/journal/dev-log" }

        /// Logs lines of syslog, without their stamps: the journal has its own.
        func log(_ lines: String, as user: String? = nil) throws {
            for line in lines.split(separator: "\n") {
                let parts = line.split(separator: " ", maxSplits: 3)
                let tag = parts[2].prefix { $0 != "[" }
                let command = ["logger", "-u", socket, "-p", "mail.info", "-t", String(tag), "--"]
                let run = Process()
                run.executableURL = URL(fileURLWithPath: "/usr/bin/env")
                let become = user.map { ["setpriv", "--reuid", $0, "--clear-groups"] } ?? []
                run.arguments = become + command + [String(parts[3])]
                try run.run()
                run.waitUntilExit()
                #expect(run.terminationStatus == 0)
            }
        }
    }

    /// Our own unit's entries are not read, but a canary is, whatever units are asked for.
    @Test func aCanaryComesBackByTheJournal() throws {
        let daemon = try Daemon(
            sources: [
                "journal: { directory: FOLDER/j/log/journal, units: [postfix.service] }"
            ],
            settings: "canary: { every: 10s, socket: SOCKET }"
        )
        let journald = try Journald(daemon.scratch)
        let settings = try String(contentsOfFile: daemon.config, encoding: .utf8)
        try settings.replacingOccurrences(of: "SOCKET", with: journald.socket)
            .write(toFile: daemon.config, atomically: true, encoding: .utf8)
        try daemon.start()
        func canaries() throws -> Int {
            try shell(
                "journalctl -q -D j/log/journal -t postern-canary -o cat >found",
                in: daemon.scratch.url.path
            )
            let found = try String(contentsOfFile: daemon.scratch.path("found"), encoding: .utf8)
            return found.split(separator: "\n").count
        }
        #expect(try eventually { try canaries() == 2 }, "\(daemon.messages)")
        #expect(!daemon.messages.contains("postern_canary"), "\(daemon.messages)")
        #expect(daemon.sent.isEmpty)
        #expect(daemon.stop() == 0)
    }

    @Test func receiptsInTheJournalRaiseTheAlertAlsoAfterAKill() throws {
        let daemon = try Daemon(sources: [Self.source])
        let journald = try Journald(daemon.scratch)
        try daemon.start()
        try journald.log(receipt(0, second: 0))
        try journald.log(receipt(1, second: 0))
        daemon.kill()
        try journald.log(receipt(2, second: 0))
        try daemon.start()
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        #expect(daemon.alerts.first?.count == 3)
        #expect(daemon.stop() == 0)
        let ledger = try Program().run(["state", "continuity", "--json", "--config", daemon.config])
        let lines = try ledger.objects.reduce(0) { $0 + ($1["lines"] as? Int ?? 0) }
        #expect(lines == 3 * 6)
    }

    /// Somebody who may write to the journal cannot frame an account.
    @Test func forgedEntriesAreToldAndNotBelieved() throws {
        let daemon = try Daemon(sources: [Self.source])
        let journald = try Journald(daemon.scratch)
        try daemon.start()
        for number in 0..<3 { try journald.log(receipt(number, second: 0), as: "65534") }
        #expect(
            eventually { daemon.sent.contains { $0["rule.name"] as? String == "postern_forged" } },
            "\(daemon.messages)"
        )
        let notice = daemon.sent.first { $0["rule.name"] as? String == "postern_forged" }
        #expect(notice?["event.kind"] as? String == "event")
        #expect(notice?["event.action"] as? String == "notice")
        // What comes after them has been read when this alert is there.
        for number in 3..<6 {
            try journald.log(receipt(number, second: 0, user: "bob@hosted.example"))
        }
        #expect(eventually { !daemon.alerts.isEmpty }, "\(daemon.messages)")
        let users = daemon.sent.compactMap { $0["user.name"] as? String }
        #expect(users == ["bob@hosted.example"])
        #expect(daemon.stop() == 0)
    }
}
