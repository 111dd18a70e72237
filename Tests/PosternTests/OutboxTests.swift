import Foundation
import TestSupport
import Testing

/// A daemon with these sinks, items of `sinks:`.
func daemon(sinks: [String], settings: String = "") throws -> Daemon {
    let daemon = try Daemon(settings: settings)
    let text = try String(contentsOfFile: daemon.config, encoding: .utf8)
    let start = text.range(of: "sinks:")?.lowerBound ?? text.endIndex
    let items = sinks.map { item in
        "    - " + item.replacingOccurrences(of: "\n", with: "\n      ") + "\n"
    }
    try (text[..<start] + "sinks:\n" + items.joined())
        .write(toFile: daemon.config, atomically: true, encoding: .utf8)
    return daemon
}

@Suite(.serialized) struct OutboxCommandTests {
    private let everything = "stdout: {format: json}\nlevels: informational..critical"

    @Test func whatWasGivenUpIsListedAndSentAgainUnderTheSameID() throws {
        let receiver = try Receiver(answers: ["422", "200"])
        let hook = "webhook: {url: \"http://127.0.0.1:\(receiver.port)/a-secret-path\"}\nname: ops"
        let daemon = try daemon(sinks: [hook])
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.messages.contains("HTTP 422") }, "\(daemon.messages)")
        var listed = ""
        #expect(
            try eventually {
                listed = try daemon.command("alerts", "undelivered", "--given-up").output
                return listed.contains("given up")
            }
        )
        #expect(listed.contains("HTTP 422"))
        let json = try daemon.command("alerts", "undelivered", "--json").objects
        let id = try #require(json.first?["event.id"] as? String)
        #expect(json.first?["postern.sink"] as? String == "ops")
        let again = try daemon.command("alerts", "redeliver", "--all", "--sink", "ops")
        #expect(again.status == 0, "\(again.error)")
        // The alert, and the notice that it was given up.
        #expect(eventually { receiver.ids.contains("\(id).0") && receiver.got.count >= 3 })
        let bodies = receiver.got.filter { ($0["body"] as? String)?.contains("opened") == true }
        #expect(bodies.count == 2)
        #expect(Set(bodies.compactMap { $0["body"] as? String }).count == 1)
        let notices = receiver.got.filter {
            ($0["body"] as? String)?.contains("\"postern_sink\"") == true
        }
        #expect(notices.count == 1)
        let none = try daemon.command("alerts", "redeliver", id)
        #expect(none.status == 66)
        #expect(
            eventually {
                (try? daemon.command("alerts", "undelivered").output) == "everything was taken\n"
            }
        )
        let empty = try daemon.command("alerts", "undelivered", "--sink", "ops")
        #expect(empty.output == "everything was taken\n")
        let mistyped = try daemon.command("alerts", "undelivered", "--sink", "opps")
        #expect(mistyped.status == 66)
        #expect(mistyped.error.contains("there is no sink opps; sinks: ") && mistyped.output == "")
        // A URL's path may be a secret: it shows nowhere.
        #expect(!daemon.messages.contains("a-secret-path"))
        #expect(daemon.stop() == 0)
    }

    /// A receiver that hangs, one that nobody is: standard output gets everything at once.
    @Test func aDeadSinkDelaysNeitherDetectionNorOthers() throws {
        let receiver = try Receiver(answers: ["hang"])
        let daemon = try daemon(sinks: [
            "webhook: {url: \"http://127.0.0.1:\(receiver.port)/hook\", timeout: 60s}",
            "webhook: {url: \"http://127.0.0.1:1/hook\"}",
            "syslog: {address: \"tcp://127.0.0.1:1\"}", everything,
        ])
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { receiver.got.count == 1 })
        for account in 1..<8 {
            for number in 0..<3 {
                let user = "user\(account)@hosted.example"
                try daemon.append(receipt(account * 10 + number, second: 0, user: user))
            }
        }
        #expect(eventually { Set(daemon.alerts.map(\.id)).count >= 8 }, "\(daemon.messages)")
        // The first one hangs still.
        #expect(receiver.got.count == 1)
        daemon.kill()
    }

    @Test func aFullOutboxIsAnnounced() throws {
        let daemon = try daemon(
            sinks: ["webhook: {url: \"http://127.0.0.1:1/hook\"}", everything],
            settings: "limits: {outbox: 3}"
        )
        try daemon.start()
        for account in 0..<8 {
            for number in 0..<3 {
                let user = "user\(account)@hosted.example"
                try daemon.append(receipt(account * 10 + number, second: 0, user: user))
            }
        }
        #expect(
            eventually {
                daemon.sent.contains {
                    ($0["message"] as? String)?.contains("outbox is full") == true
                }
            },
            "\(daemon.messages)"
        )
        #expect(daemon.stop() == 0)
    }

    @Test func manyAlertsOfOneTimeAreOneMessage() throws {
        let daemon = try daemon(sinks: [everything + "\ngroup: 3s"])
        try daemon.start()
        for account in 0..<6 {
            for number in 0..<3 {
                let user = "user\(account)@hosted.example"
                try daemon.append(receipt(account * 10 + number, second: 0, user: user))
            }
        }
        #expect(
            eventually { daemon.sent.contains { $0["event.action"] as? String == "digest" } },
            "\(daemon.messages)"
        )
        // Nothing vanished: each alert is in the record, and in a digest or on its own.
        #expect(daemon.stop() == 0)
        try daemon.start()
        let list = try daemon.command("alerts", "list", "--json").objects
        let ids = Set(list.compactMap { $0["event.id"] as? String })
        #expect(ids.count >= 6)
        #expect(
            eventually {
                let told = daemon.sent.flatMap { object in
                    (object["postern.digest"] as? [String] ?? [])
                        + [object["event.id"] as? String ?? ""]
                }
                let names = Set(told.map { String($0.split(separator: ".").first ?? "") })
                return ids.isSubset(of: names)
            }
        )
        let digest = try #require(daemon.sent.first { $0["event.action"] as? String == "digest" })
        let first = try #require((digest["postern.digest"] as? [String])?.first)
        let show = try daemon.command("alerts", "show", String(first.split(separator: ".")[0]))
        #expect(show.output.contains("stdout: in digest digest-"))
        #expect(show.output.contains("which was sent"))
        #expect(daemon.stop() == 0)
    }

    /// Our own alerts lie in the same log and quote it: no dialect reads them, also when it is told to
    /// take every tag for its own.
    @Test(arguments: ["postfix", "exim", "sendmail", "opensmtpd"])
    func noDialectReadsOurOwnTag(_ dialect: String) throws {
        let bodies = [
            "1rABCD-0001Xy-Ab <= a@hosted.example H=pc [192.0.2.7] P=esmtpsa A=login:alice S=700 "
                + "T=\"Not read: x\" for v@d1.test",
            "4XyZbbcdzN9QB1: client=pc[192.0.2.7], sasl_method=LOGIN, sasl_username=alice",
            "x9ABCDEF000001: from=<a@hosted.example>, size=1, class=0, nrcpts=1, relay=pc [192.0.2.7]",
        ]
        func log(_ tag: String) -> String {
            let stamp = "2026-03-01T10:00:00+00:00 mx1 "
            return bodies.map { stamp + tag + "[7]: " + $0 + "\n" }.joined()
        }
        let scratch = try Scratch()
        func counted(_ tag: String) throws -> String {
            let path = try scratch.write("mail.log", log(tag))
            let result = try Program().run(
                ["explain", "--timezone", "UTC", "--dialect", dialect, path]
            )
            return result.output
        }
        let ours = try counted("postern")
        let others = try counted("something")
        #expect(ours != others.replacingOccurrences(of: "something", with: "postern"))
        let path = try scratch.write("mail.log", log("postern"))
        let events = try Program().run(
            ["events", "--json", "--timezone", "UTC", "--dialect", dialect, path]
        )
        #expect(try events.objects.isEmpty)
    }

    /// Each example of a sink in the README is what `postern check` takes.
    @Test func theExamplesOfTheREADMEAreRight() throws {
        let url = sourceTree.appendingPathComponent("README.md")
        let text = try String(contentsOf: url, encoding: .utf8)
        let blocks = text.components(separatedBy: "\n```yaml\n").dropFirst()
            .map { $0.components(separatedBy: "\n```")[0] + "\n" }
            .filter { $0.hasPrefix("sinks:\n") }
        #expect(blocks.count >= 3)
        // Every sink and every format of a webhook is among them.
        for kind in ["syslog:", "webhook:", "mail:", "exec:", "stdout:", "template:"] {
            #expect(blocks.contains { $0.contains(kind) }, "\(kind)")
        }
        for format in ["ecs", "alertmanager", "slack", "teams", "ntfy", "pagerduty"] {
            #expect(blocks.contains { $0.contains("format: \(format)") }, "\(format)")
        }
        let scratch = try Scratch()
        let template = try scratch.write("chat.mustache", "{\"text\": \"{{message}}\"}")
        for block in blocks {
            let settings = block.replacingOccurrences(
                of: "/etc/postern/chat.mustache",
                with: template
            )
            let path = try scratch.write("postern.yml", settings)
            let result = try Program().run(["check", "--config", path])
            #expect(result.status == 0, "\(result.error) in \(block)")
        }
    }

    @Test func aSecretMayBeACredentialOfTheService() throws {
        let scratch = try Scratch()
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        unsafe chmod(try scratch.write("hook-secret", secret), 0o600)
        let receiver = try Receiver(["--secret", secret])
        let daemon = try daemon(sinks: [
            "webhook: {url: \"http://127.0.0.1:\(receiver.port)/hook\", secret_file: hook-secret}"
        ])
        let without = try daemon.command("sinks", "test")
        #expect(without.status == 78)
        #expect(without.error.contains("LoadCredential="))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try Program().path)
        process.arguments = ["sinks", "test", "--config", daemon.config]
        process.environment = ["CREDENTIALS_DIRECTORY": scratch.url.path]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(receiver.got.first?["signed"] as? [Bool] == [true])
    }

    /// While the state cannot be written, answers of sinks wait for it as all else does: afterwards nothing
    /// is sent twice, and nothing waits for ever.
    @Test func answersThatCouldNotBeCommittedAreCommittedLater() throws {
        let receiver = try Receiver(answers: ["slow", "200"])
        let daemon = try daemon(sinks: [
            "webhook: {url: \"http://127.0.0.1:\(receiver.port)/hook\"}\nname: ops"
        ])
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { receiver.got.count == 1 })
        // Another writer is what a full disk is: no commit succeeds.
        let writer = Process()
        writer.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        writer.arguments = [
            "-c",
            "import sqlite3, sys\n"
                + "state = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                + "state.execute('BEGIN IMMEDIATE')\nsys.stdin.read()\n",
            daemon.scratch.path("state") + "/postern.sqlite",
        ]
        let pipe = Pipe()
        writer.standardInput = pipe
        try writer.run()
        #expect(
            eventually { daemon.messages.contains("could not commit") },
            "\(daemon.messages)"
        )
        try pipe.fileHandleForWriting.close()
        writer.waitUntilExit()
        #expect(
            eventually {
                (try? daemon.command("alerts", "undelivered").output) == "everything was taken\n"
            }
        )
        // A reload starts the sinks anew.
        #expect(try daemon.command("reload").status == 0)
        for number in 3..<6 {
            try daemon.append(receipt(number, second: 0, user: "bob@hosted.example"))
        }
        #expect(eventually { receiver.got.count >= 2 })
        let ids = receiver.ids
        #expect(ids.count == 2 && Set(ids).count == 2, "\(ids)")
        #expect(daemon.stop() == 0)
    }

    @Test func aTestAlertGoesTheWayOfAllAndTheAnswerComesBack() throws {
        let receiver = try Receiver(answers: ["200", "503", "200"])
        let daemon = try daemon(sinks: [
            "webhook: {url: \"http://127.0.0.1:\(receiver.port)/hook\"}\nname: ops\n"
                + "quiet: \"00:00-23:59\"\ngroup: 1h\nlevels: critical",
            everything,
        ])
        // Without a daemon it goes out from the command.
        let offline = try daemon.command("sinks", "test", "ops")
        #expect(offline.status == 0, "\(offline.error)")
        #expect(
            offline.output.contains("ops: took it: HTTP 200: ok\\u{1b}[31m"),
            "\(offline.output)"
        )
        try daemon.start()
        let failing = try daemon.command("sinks", "test")
        #expect(failing.status == 1)
        #expect(failing.error.contains("ops: HTTP 503"), "\(failing.error)")
        #expect(failing.error.contains("stdout: took it"))
        let good = try daemon.command("sinks", "test", "ops")
        #expect(good.status == 0, "\(good.error)")
        #expect(good.output.contains("ops: took it: HTTP 200"))
        #expect(receiver.got.count == 3)
        for request in 0..<3 {
            let body = try #require(try receiver.body(request) as? [String: Any])
            #expect(body["rule.name"] as? String == "postern_test")
        }
        #expect(try daemon.command("sinks", "test", "nobody").status == 66)
        // A name's beginning is none.
        #expect(try daemon.command("sinks", "test", "op").status == 66)
        // A test that failed is not tried again and not kept.
        #expect(try daemon.command("alerts", "undelivered").output == "everything was taken\n")
        #expect(daemon.stop() == 0)
    }
}

@Suite(.serialized) struct TemplateTests {
    @Test func aTemplateGivesTheBodyAndItsMistakesHaveAPlace() throws {
        let receiver = try Receiver()
        let scratch = try Scratch()
        let template = try scratch.write(
            "chat.mustache",
            "{\"text\": \"{{level}}: {{message}}\",\n \"hosts\": [{{#related.hosts}}\"{{.}}\""
                + "{{^last()}},{{/last()}}{{/related.hosts}}]}\n"
        )
        let daemon = try daemon(sinks: [
            "webhook: {url: \"http://127.0.0.1:\(receiver.port)/hook\", template: \(template)}"
        ])
        #expect(try daemon.command("check").status == 0)
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { receiver.got.count == 1 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        let body = try #require(try receiver.body(0) as? [String: Any])
        #expect(body["hosts"] as? [String] == ["d0.test", "d1.test", "d2.test"])
        #expect((body["text"] as? String)?.hasPrefix("high: ") == true)
        #expect(receiver.header("content-type", 0) == "application/json")
        _ = try scratch.write("chat.mustache", "{\n\"text\": {{message}}\n}\n")
        for command in [["check"], ["run"], ["sinks", "test"]] {
            let result = try Program().run(command + ["--config", daemon.config])
            #expect(result.status == 78)
            #expect(result.error.contains("\(template):2: "), "\(result.error)")
            #expect(result.error.contains("no valid JSON"))
        }
    }
}
