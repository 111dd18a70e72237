import Foundation
import TestSupport
import Testing

/// The rig `webhook-receiver`, and the requests that it got.
final class Receiver: ListeningRig {
    init(_ arguments: [String] = [], answers: [String] = []) throws {
        try super.init(
            rig: "webhook-receiver",
            answers.flatMap { ["--answer", $0] } + arguments
        )
    }

    /// `webhook-id` of each.
    var ids: [String] {
        got.compactMap { ($0["headers"] as? [String: String])?["webhook-id"] }
    }

    func header(_ name: String, _ request: Int) -> String? {
        (got[request]["headers"] as? [String: String])?[name]
    }

    func body(_ request: Int) throws -> Any {
        let text = try #require(got[request]["body"] as? String)
        return try JSONSerialization.jsonObject(with: Data(text.utf8))
    }
}

/// A daemon with one webhook as its sink, and a log of three receipts in its log.
private func daemon(_ webhook: String) throws -> Daemon {
    let daemon = try Daemon()
    let text = try String(contentsOfFile: daemon.config, encoding: .utf8)
    let sinks = text.range(of: "sinks:")?.lowerBound ?? text.endIndex
    let settings = text[..<sinks] + "sinks:\n    - webhook:\n" + webhook
    try settings.write(toFile: daemon.config, atomically: true, encoding: .utf8)
    return daemon
}

private func alert(_ daemon: Daemon, from first: Int = 0) throws {
    for number in first..<(first + 3) { try daemon.append(receipt(number, second: 0)) }
}

private func item(_ receiver: Receiver, _ lines: [String] = [], path: String = "/hook") -> String {
    (["url: http://127.0.0.1:\(receiver.port)\(path)"] + lines)
        .map { "          \($0)\n" }.joined()
}

private let secrets = [
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_dGhlLXNlY3JldC1vZi1hbm90aGVyLXRpbWU=",
]

@Suite(.serialized) struct WebhookTests {
    @Test func anAlertComesSignedByEverySecretAndOnce() throws {
        let receiver = try Receiver(secrets.flatMap { ["--secret", $0] })
        let scratch = try Scratch()
        let file = try scratch.write("secret", secrets.joined(separator: "\n") + "\n")
        unsafe chmod(file, 0o600)
        let daemon = try daemon(item(receiver, ["secret_file: \(file)"]))
        try daemon.start()
        try alert(daemon)
        #expect(eventually { receiver.got.count == 1 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        #expect(receiver.got.count == 1)
        let body = try #require(try receiver.body(0) as? [String: Any])
        #expect(body["event.action"] as? String == "opened")
        #expect(receiver.got[0]["signed"] as? [Bool] == [true, true])
        let id = "\(body["event.id"] ?? "").\(body["event.sequence"] ?? "")"
        #expect(receiver.header("webhook-id", 0) == id)
        #expect(receiver.header("user-agent", 0)?.hasPrefix("Postern/") == true)
        #expect(receiver.header("expect", 0) == nil)
        // Secrets show nowhere.
        for secret in secrets { #expect(!daemon.messages.contains(secret)) }
    }

    /// Whatever a receiver does first, the same bytes come again under the same ID until it takes them.
    @Test(arguments: ["503", "429:1", "500", "404", "break", "redirect"])
    func whatIsNotTakenComesAgain(_ answer: String) throws {
        let receiver = try Receiver(answers: [answer, "200"])
        let daemon = try daemon(item(receiver))
        try daemon.start()
        try alert(daemon)
        #expect(eventually { receiver.got.count == 2 }, "\(daemon.messages)")
        #expect(receiver.got.map { $0["path"] as? String } == ["/hook", "/hook"])
        #expect(receiver.header("webhook-id", 0) == receiver.header("webhook-id", 1))
        #expect(receiver.got[0]["body"] as? String == receiver.got[1]["body"] as? String)
        let times = receiver.got.compactMap { $0["time"] as? Double }
        // The first wait is a second, less a fifth at most.
        #expect(times[1] - times[0] > 0.7)
        // What a receiver says cannot move a terminal's cursor.
        #expect(!daemon.messages.contains("\u{1b}"))
        #expect(daemon.stop() == 0)
        #expect(receiver.got.count == 2)
    }

    /// The end of the daemon does not wait for a receiver or a program that hangs; what was on its way
    /// comes again under the same ID.
    @Test func anEndDoesNotWaitForThoseThatHang() throws {
        let receiver = try Receiver(answers: ["hang", "200"])
        let daemon = try daemon(item(receiver, ["timeout: 60s"]))
        let script = try daemon.scratch.write(
            "hangs",
            "#!/bin/sh\necho $$ >>\(daemon.scratch.path("pids"))\nexec sleep 600\n"
        )
        unsafe chmod(script, 0o700)
        let settings = try String(contentsOfFile: daemon.config, encoding: .utf8)
        let command = "    - exec: {command: [\(script)], timeout: 60s}\n"
        try (settings + command).write(toFile: daemon.config, atomically: true, encoding: .utf8)
        try daemon.start()
        try alert(daemon)
        let pids = daemon.scratch.path("pids")
        #expect(eventually { receiver.got.count == 1 }, "\(daemon.messages)")
        #expect(eventually { FileManager.default.fileExists(atPath: pids) })
        let start = Date()
        #expect(daemon.stop() == 0)
        // A second is the target; a busy machine has a few more, and the time-outs a minute.
        #expect(-start.timeIntervalSinceNow < 10)
        #expect(daemon.messages.contains("no answer yet from webhook:"), "\(daemon.messages)")
        let text = try String(contentsOfFile: pids, encoding: .utf8)
        let pid = try #require(Int32(text.trimmingCharacters(in: .newlines)))
        #expect(eventually { kill(pid, 0) != 0 })
        try daemon.start()
        #expect(eventually { receiver.got.count == 2 }, "\(daemon.messages)")
        #expect(receiver.header("webhook-id", 0) == receiver.header("webhook-id", 1))
        #expect(receiver.got[0]["body"] as? String == receiver.got[1]["body"] as? String)
        #expect(daemon.stop() == 0)
    }

    @Test func aReceiverThatHangsIsLeftInTime() throws {
        let receiver = try Receiver(answers: ["hang", "200"])
        let daemon = try daemon(item(receiver, ["timeout: 1s"]))
        try daemon.start()
        try alert(daemon)
        #expect(eventually { receiver.got.count == 2 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
    }

    @Test func whatIsRefusedForGoodIsNotTriedAgain() throws {
        let receiver = try Receiver(answers: ["422", "200"])
        let daemon = try daemon(item(receiver))
        try daemon.start()
        try alert(daemon)
        #expect(eventually { daemon.messages.contains("HTTP 422") }, "\(daemon.messages)")
        sleep(2)
        // What else comes is the notice of it.
        let id = try #require(receiver.ids.first)
        #expect(receiver.ids.count { $0 == id } == 1)
        #expect(receiver.got.count <= 2)
        #expect(daemon.stop() == 0)
    }

    @Test func aLongAnswerIsCutOff() throws {
        let receiver = try Receiver(answers: ["long"])
        let daemon = try daemon(item(receiver))
        try daemon.start()
        try alert(daemon)
        #expect(eventually { receiver.got.count == 1 }, "\(daemon.messages)")
        sleep(2)
        #expect(receiver.got.count == 1)
        #expect(daemon.stop() == 0)
    }

    @Test func everyFormIsWhatItsReceiverReads() throws {
        let receiver = try Receiver()
        let scratch = try Scratch()
        let key = try scratch.write("key", "R0UT1NGKEY\n")
        unsafe chmod(key, 0o600)
        var bodies: [String: Any] = [:]
        let forms = ["ecs", "alertmanager", "slack", "teams", "ntfy", "pagerduty"]
        for (number, form) in forms.enumerated() {
            let keys = form == "pagerduty" ? ["key_file: \(key)"] : []
            let daemon = try daemon(item(receiver, ["format: \(form)"] + keys, path: "/a/topic"))
            try daemon.start()
            try alert(daemon)
            #expect(eventually { receiver.got.count == number + 1 }, "\(daemon.messages)")
            #expect(daemon.stop() == 0)
            bodies[form] = try receiver.body(number)
        }
        let ecs = try #require(bodies["ecs"] as? [String: Any])
        let id = try #require(ecs["event.id"] as? String)

        let manager = try #require((bodies["alertmanager"] as? [[String: Any]])?.first)
        let labels = manager["labels"] as? [String: String]
        #expect(labels == ["alertname": "receipt_burst", "alert_id": id, "service": "postern"])

        let slack = try #require(bodies["slack"] as? [String: Any])
        let blocks = try #require(slack["blocks"] as? [[String: Any]])
        let kinds = blocks.compactMap { ($0["text"] as? [String: Any])?["type"] as? String }
        #expect(kinds.count == blocks.count && kinds.allSatisfy { $0 == "plain_text" })
        let texts = blocks.compactMap { ($0["text"] as? [String: Any])?["text"] as? String }
        #expect(texts.contains("Domains: d0[.]test, d1[.]test, d2[.]test"))

        let teams = try #require(bodies["teams"] as? [String: Any])
        let card = (teams["attachments"] as? [[String: Any]])?.first?["content"] as? [String: Any]
        #expect(card?["type"] as? String == "AdaptiveCard")

        let ntfy = try #require(bodies["ntfy"] as? [String: Any])
        #expect(ntfy["topic"] as? String == "topic")
        #expect(receiver.got[4]["path"] as? String == "/a/")
        #expect(ntfy["priority"] as? Int == 4)

        let duty = try #require(bodies["pagerduty"] as? [String: Any])
        #expect(duty["routing_key"] as? String == "R0UT1NGKEY")
        #expect(duty["dedup_key"] as? String == id)
        #expect(duty["event_action"] as? String == "trigger")
        let payload = try #require(duty["payload"] as? [String: Any])
        #expect(payload["severity"] as? String == "error")
        #expect((payload["custom_details"] as? [String: Any])?["event.id"] as? String == id)
    }

    @Test func aServersCertificateMustBeTrustedAndOursIsShown() throws {
        let scratch = try Scratch()
        func certificate(_ name: String, _ subject: String, _ names: String) throws {
            let made = try run(
                "/usr/bin/openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes",
                    "-days", "2", "-subj", "/CN=\(subject)", "-addext", "subjectAltName=\(names)",
                    "-keyout", scratch.path(name + ".key"), "-out", scratch.path(name + ".pem"),
                ]
            )
            #expect(made == 0)
        }
        try certificate("server", "localhost", "IP:127.0.0.1")
        try certificate("other", "localhost", "IP:127.0.0.1")
        try certificate("client", "postern", "DNS:postern.example")
        let receiver = try Receiver([
            "--tls", scratch.path("server.pem"), scratch.path("server.key"), "--client-ca",
            scratch.path("client.pem"),
        ])
        let own = [
            "certificate_file: \(scratch.path("client.pem"))",
            "certificate_key_file: \(scratch.path("client.key"))",
        ]
        let secure = item(receiver).replacingOccurrences(of: "http:", with: "https:")
        let distrusting = try daemon(
            secure + ("ca_file: \(scratch.path("other.pem"))" |> own)
        )
        try distrusting.start()
        try alert(distrusting)
        #expect(
            eventually { distrusting.messages.contains("certificate") },
            "\(distrusting.messages)"
        )
        #expect(distrusting.stop() == 0)
        #expect(receiver.got.isEmpty)
        let trusting = try daemon(secure + ("ca_file: \(scratch.path("server.pem"))" |> own))
        try trusting.start()
        try alert(trusting)
        #expect(eventually { receiver.got.count == 1 }, "\(trusting.messages)")
        #expect(trusting.stop() == 0)
    }

    @Test(
        arguments: [
            ("url: http://alerts.example/x", "https URL was expected"),
            ("url: http://127.0.0.1.alerts.example/x", "https URL was expected"),
            ("url: https://a:b@alerts.example/x", "URL without a login"),
            ("url: ftp://alerts.example/x", "a URL such as"),
            ("format: ecs", "`url:`"),
            ("url: https://alerts.example/x\n          format: slak", "slack"),
            ("url: https://alerts.example/x\n          format: pagerduty", "key_file"),
            ("url: https://alerts.example/x\n          secret_file: /nowhere", "/nowhere"),
        ]
    )
    func aMistakeIsNamed(_ lines: String, _ words: String) throws {
        let daemon = try daemon("          \(lines)\n")
        let result = try Program().run(["run", "--config", daemon.config])
        #expect(result.status == 78)
        #expect(result.error.contains(words), "\(result.error)")
    }

    @Test func aSecretThatOthersMayReadIsRefused() throws {
        let scratch = try Scratch()
        let file = try scratch.write("secret", secrets[0])
        unsafe chmod(file, 0o644)
        let lines = "          url: https://alerts.example/\n          secret_file: \(file)\n"
        let daemon = try daemon(lines)
        let result = try Program().run(["run", "--config", daemon.config])
        #expect(result.status == 78)
        #expect(result.error.contains("others may read"))
    }
}

infix operator |> : AdditionPrecedence
/// Further lines of a list item.
private func |> (line: String, others: [String]) -> String {
    ([line] + others).map { "          \($0)\n" }.joined()
}

private func run(_ path: String, _ arguments: [String]) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
}
