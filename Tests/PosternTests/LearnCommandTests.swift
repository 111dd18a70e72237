import Foundation
import TestSupport
import Testing

/// A message of Alice to a domain: a receipt, or mail as people write it.
private func message(_ number: Int, isReceipt: Bool, minute: Int, hour: String = "10") -> String {
    let letters = ["B", "C", "D", "F", "G", "H", "J", "K"]
    let id = "4XyZbbcdzN9Q\(letters[number])\(isReceipt ? 1 : 2)"
    let sender = isReceipt ? "" : "alice@hosted.example"
    let subject = isReceipt ? "Not read: Cheap meds" : "Lunch"
    let stamp =
        "2026-03-01T\(hour):\(String(format: "%02d", minute)):0\(number).000000+00:00 mx1 postfix/"
    return stamp
        + "submission/smtpd[7]: \(id): client=pc[192.0.2.7], sasl_method=LOGIN, "
        + "sasl_username=alice@hosted.example\n"
        + stamp
        + "cleanup[8]: \(id): info: header Subject: \(subject) from pc[192.0.2.7]; "
        + "from=<\(sender)> to=<x@d\(number).test> proto=ESMTP helo=<pc>\n"
        + stamp + "qmgr[9]: \(id): from=<\(sender)>, size=700, nrcpt=1 (queue active)\n"
        + stamp + "smtp[10]: \(id): to=<x@d\(number).test>, "
        + "relay=mx.d\(number).test[203.0.113.9]:25, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, "
        + "status=sent (250 ok)\n"
        + stamp + "qmgr[9]: \(id): removed\n"
}

/// A state folder that was taught, and the daemon on it.
private final class Site {
    let scratch: Scratch
    let config: String
    let log: String
    private var process: Process?

    init() throws {
        scratch = try Scratch()
        log = scratch.path("mail.log")
        config = try scratch.write(
            "postern.yml",
            """
            sources:
                - file: \(scratch.path("mail.log"))
            timezone: UTC
            state: \(scratch.path("state"))
            dispatch_age_max: null
            sinks:
                - stdout: { format: json }
                  levels: informational..critical

            """
        )
    }

    deinit { process?.terminate() }

    func learn(_ text: String) throws -> Program.Result {
        try Program().run(["learn", "--config", config, try scratch.write("old.log", text)])
    }

    /// Starts the daemon on a log and waits for the first alert.
    func firstAlert(of text: String) throws -> [String: Any] {
        _ = try scratch.write("mail.log", text)
        try start()
        var first: [String: Any] = [:]
        let isThere = eventually {
            let output = (try? String(contentsOfFile: scratch.path("out"), encoding: .utf8)) ?? ""
            guard let end = output.firstIndex(of: "\n") else { return false }
            let object = try? JSONSerialization.jsonObject(with: Data(output[..<end].utf8))
            first = object as? [String: Any] ?? [:]
            return true
        }
        #expect(isThere)
        stop()
        return first
    }

    func start() throws {
        let process = try Program().start(
            ["run", "--config", config],
            output: scratch.path("out"),
            error: scratch.path("err")
        )
        self.process = process
        let isReady = eventually {
            let messages = try? String(contentsOfFile: scratch.path("err"), encoding: .utf8)
            return messages?.contains("ready:") ?? false
        }
        #expect(isReady)
    }

    func stop() {
        process?.terminate()
        process?.waitUntilExit()
        process = nil
    }
}

@Suite(.serialized) struct LearnCommandTests {
    private var receipts: String {
        (0..<4).map { message($0, isReceipt: true, minute: $0) }.joined()
    }

    private func domains(_ alert: [String: Any]) -> [String] {
        (alert["related.hosts"] as? [String] ?? []).sorted()
    }

    /// Three unseen domains make the alert: those of the first three receipts, unless one of them
    /// was learnt.
    @Test func aLearntDomainIsNotUnseenToTheDaemon() throws {
        let site = try Site()
        let result = try site.learn(message(1, isReceipt: false, minute: 0, hour: "09"))
        #expect(result.status == 0)
        #expect(result.output.isEmpty)
        #expect(
            result.error == """
                5 lines, 1 messages, 1 recipients, 0 of them of receipts.
                1 new accounts, 1 new pairs of an account and a domain; 1 accounts and 1 pairs are \
                remembered now.

                """
        )
        let alert = try site.firstAlert(of: receipts)
        #expect(domains(alert) == ["d0.test", "d2.test", "d3.test"])
    }

    @Test func receiptsInALearntLogTeachNothing() throws {
        let site = try Site()
        let result = try site.learn(receipts)
        #expect(result.status == 0)
        #expect(result.error.contains("4 recipients, 4 of them of receipts"))
        #expect(result.error.contains("0 pairs are remembered"))
        let alert = try site.firstAlert(of: receipts)
        #expect(domains(alert) == ["d0.test", "d1.test", "d2.test"])
    }

    @Test func aRunningDaemonKeepsItsStateToItself() throws {
        let site = try Site()
        _ = try site.scratch.write("mail.log", receipts)
        try site.start()
        let result = try site.learn(receipts)
        #expect(result.status == 1)
        #expect(result.error.contains("stop process"))
        let continuity = try Program().run(["state", "continuity", "--config", site.config])
        #expect(continuity.status == 0, "\(continuity.error)")
        site.stop()
        #expect(try site.learn(receipts).status == 0)
    }

    @Test func mistakesHaveTheirStatus() throws {
        let scratch = try Scratch()
        let state = scratch.path("state")
        func learn(_ arguments: String...) throws -> Int32 {
            try Program().run(["learn", "--state", state] + arguments).status
        }
        #expect(try learn() == 64)
        #expect(try learn("/nonexistent/mail.log") == 66)
        #expect(!FileManager.default.fileExists(atPath: state))
        #expect(try learn(try scratch.write("poem.txt", "roses are red\nviolets are blue\n")) == 65)
        #expect(try learn("--config", scratch.path("none.yml"), corpus("postfix.log").path) == 78)
        #expect(try learn("--year", "2026", corpus("postfix.log").path) == 0)
    }
}
