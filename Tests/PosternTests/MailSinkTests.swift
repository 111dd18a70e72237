import Foundation
import TestSupport
import Testing

private func headers(_ message: [String: Any]) -> [String: String] {
    var headers: [String: String] = [:]
    for pair in message["headers"] as? [[String]] ?? [] { headers[pair[0].lowercased()] = pair[1] }
    return headers
}

private func burst(_ daemon: Daemon, user: String = "alice@hosted.example") throws {
    for number in 0..<3 { try daemon.append(receipt(number, second: 0, user: user)) }
}

@Suite(.serialized) struct MailSinkTests {
    @Test func anAlertComesAsMailThatMachinesLeaveAlone() throws {
        let rig = try ListeningRig(rig: "smtp-receiver")
        let daemon = try daemon(sinks: [
            "mail:\n    to: [ops@example.com, abuse@example.com]\n    from: postern@mx1.example\n"
                + "    smtp: smtp://127.0.0.1:\(rig.port)\n    letter: de"
        ])
        try daemon.start()
        try burst(daemon)
        #expect(eventually { rig.got.count == 1 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        let message = try #require(rig.got.first)
        #expect(message["from"] as? String == "<postern@mx1.example>")
        #expect(message["to"] as? [String] == ["<ops@example.com>", "<abuse@example.com>"])
        #expect(message["defects"] as? [String] == [])
        let found = headers(message)
        #expect(found["auto-submitted"] == "auto-generated")
        #expect(found["x-postern"]?.hasSuffix(".0") == true)
        #expect(
            found["subject"] == "Postern: high, alice@hosted.example, receipt_burst opened"
        )
        #expect(found["date"] == "Sun, 01 Mar 2026 10:00:02 +0000")
        #expect(found["to"] == "ops@example.com, abuse@example.com")
        let text = try #require(message["text"] as? String)
        #expect(text.contains("own Outlook, login not shown stolen: alice@hosted.example"))
        #expect(text.contains("d0.test, d1.test, d2.test"))
        #expect(text.contains("For the user, to forward:"))
        #expect(text.contains("Was geschehen ist"))
    }

    /// Log text in every place of a message that can hold any.
    @Test func hostileTextIsNoHeaderAndNoReceipt() throws {
        let rig = try ListeningRig(rig: "smtp-receiver")
        let daemon = try daemon(sinks: [
            "mail: {to: ops@example.com, smtp: \"smtp://127.0.0.1:\(rig.port)\"}"
        ])
        try daemon.start()
        let names = [
            "Not read: x\"@hosted.example", "a b\u{1b}[31m@hosted.example",
            "ünï=?utf-8?q?x?=@hosted.example", String(repeating: "l", count: 300),
        ]
        for (index, name) in names.enumerated() {
            for number in 0..<3 {
                try daemon.append(receipt(index * 10 + number, second: 0, user: name))
            }
        }
        #expect(eventually { rig.got.count >= names.count }, "\(rig.got.count) \(daemon.messages)")
        #expect(daemon.stop() == 0)
        let known = [
            "date", "from", "to", "subject", "message-id", "in-reply-to", "references",
            "auto-submitted", "x-auto-response-suppress", "x-postern", "mime-version",
            "content-type",
            "content-transfer-encoding",
        ]
        var subjects: [String] = []
        for message in rig.got {
            let found = headers(message)
            #expect(Set(found.keys).isSubset(of: known))
            #expect(message["defects"] as? [String] == [])
            let subject = try #require(found["subject"])
            #expect(subject.hasPrefix("Postern: "))
            subjects.append(subject)
            let raw = try #require(message["raw"] as? String)
            for line in raw.components(separatedBy: "\r\n") { #expect(line.utf8.count <= 998) }
            #expect(!raw.unicodeScalars.contains { $0.value < 0x20 && $0 != "\r" && $0 != "\n" })
        }
        // Our own mail, sent by a login to many domains that it never wrote to, is no receipt.
        var log = ""
        for (index, subject) in subjects.enumerated() {
            log += receipt(index, second: 0, user: "postern@hosted.example")
                .replacingOccurrences(of: "Not read: Cheap meds", with: subject)
        }
        let path = try daemon.scratch.write("ours.log", log)
        let events = try Program().run(["events", "--json", "--timezone", "UTC", path]).objects
        #expect(events.count == subjects.count)
        let kinds = events.compactMap { $0["postern.receipt"] as? String }
        #expect(kinds.allSatisfy { $0 == "none" })
        let replay = try Program().run(["replay", "--json", "--timezone", "UTC", path])
        #expect(try replay.objects.isEmpty, "\(replay.output)")
    }

    @Test func aLoginGoesOnlyThroughTLS() throws {
        let scratch = try Scratch()
        try shell(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x "
                + "-addext subjectAltName=IP:127.0.0.1 -keyout s.key -out s.pem",
            in: scratch.url.path
        )
        let password = try scratch.write("password", "p w\n")
        unsafe chmod(password, 0o600)
        let rig = try ListeningRig(
            rig:
                "smtp-receiver",
            ["--tls", scratch.path("s.pem"), scratch.path("s.key"), "--login", "postern", "p w"]
        )
        let server = "to: ops@example.com, smtp: \"smtp://127.0.0.1:\(rig.port)\""
        let daemon = try daemon(sinks: [
            "mail: {\(server), user: postern, password_file: \(password), "
                + "ca_file: \(scratch.path("s.pem"))}"
        ])
        let good = try daemon.command("sinks", "test")
        #expect(good.status == 0, "\(good.error)")
        #expect(good.output.contains("took it: 250 2.0.0 queued as RIG1"), "\(good.output)")
        #expect(rig.got.first?["tls"] as? Bool == true)
        // Without the authority its certificate is nobody's.
        let other = try Scratch()
        let config = try String(contentsOfFile: daemon.config, encoding: .utf8)
            .replacingOccurrences(of: ", ca_file: \(scratch.path("s.pem"))", with: "")
        let path = try other.write("postern.yml", config)
        let bad = try Program().run(["sinks", "test", "--config", path])
        #expect(bad.status == 1)
        #expect((bad.output + bad.error).contains("ertificate"), "\(bad.output) \(bad.error)")
        #expect(rig.got.count == 1)
        let shown = try daemon.command("check", "--effective")
        #expect(shown.output.contains("password_file: \"\(password)\""))
        #expect(!shown.output.contains("p w"))
    }

    @Test(arguments: [("RCPT=550 no", true), ("MAIL=451 later", false), (".=554 spam", true)])
    func whatAServerRefusesForGoodIsGivenUp(_ answer: String, _ isForGood: Bool) throws {
        let rig = try ListeningRig(rig: "smtp-receiver", ["--answer", answer])
        let daemon = try daemon(sinks: [
            "mail: {to: ops@example.com, smtp: \"smtp://127.0.0.1:\(rig.port)\"}"
        ])
        try daemon.start()
        try burst(daemon)
        let words = isForGood ? "was given up for alert" : "failed and is tried again"
        #expect(eventually { daemon.messages.contains(words) }, "\(daemon.messages)")
        #expect(daemon.messages.contains(answer.split(separator: "=")[1]), "\(daemon.messages)")
        #expect(daemon.stop() == 0)
    }

    @Test func withoutAServerSendmailGetsTheMessage() throws {
        let scratch = try Scratch()
        let program = try scratch.write(
            "sendmail",
            "#!/bin/sh\nprintf '%s\\n' \"$@\" >\(scratch.path("arguments"))\n"
                + "cat >\(scratch.path("message"))\n"
        )
        unsafe chmod(program, 0o755)
        let daemon = try daemon(sinks: [
            "mail: {to: [a@example.com, b@example.com], from: p@example.com, sendmail: \(program)}"
        ])
        // By the word before the colon of the name that the settings made.
        let test = try daemon.command("sinks", "test", "mail")
        #expect(test.status == 0, "\(test.error)")
        let arguments = try String(contentsOfFile: scratch.path("arguments"), encoding: .utf8)
        #expect(arguments == "-i\n-f\np@example.com\n--\na@example.com\nb@example.com\n")
        let message = try String(contentsOfFile: scratch.path("message"), encoding: .utf8)
        #expect(message.contains("\nSubject: Postern: medium, postern_test notice\n"))
        #expect(!message.contains("\r"))
    }
}

@Suite(.serialized) struct CommandSinkTests {
    private func script(_ scratch: Scratch, _ text: String) throws -> String {
        let path = try scratch.write("hold", "#!/bin/sh\n" + text)
        unsafe chmod(path, 0o755)
        return path
    }

    @Test func aProgramGetsTheAlertOnItsInputAndNoShellSeesIt() throws {
        let scratch = try Scratch()
        let program = try script(
            scratch,
            "printf '%s\\n' \"$@\" >\(scratch.path("arguments"))\ncat >>\(scratch.path("input"))\n"
                + "echo held\n"
        )
        let daemon = try daemon(sinks: ["exec: {command: [\(program), \"$(reboot) x\", 7]}"])
        try daemon.start()
        try burst(daemon, user: "$(touch \(scratch.path("pwned")))`x`;@hosted.example")
        let input = { (try? String(contentsOfFile: scratch.path("input"), encoding: .utf8)) ?? "" }
        #expect(eventually { input().hasSuffix("}\n") }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(input().utf8)) as? [String: Any]
        )
        #expect(object["event.action"] as? String == "opened")
        let arguments = try String(contentsOfFile: scratch.path("arguments"), encoding: .utf8)
        #expect(arguments == "$(reboot) x\n7\n")
        #expect(!FileManager.default.fileExists(atPath: scratch.path("pwned")))
    }

    @Test(
        arguments: [
            ("cat >/dev/null; echo fine", 0, "took it: fine"),
            ("exec 0<&-; exit 0", 0, "took it"), ("echo no >&2; exit 3", 1, "exit status 3: no"),
            ("exit 65", 1, "exit status 65"), ("kill -9 $$", 1, "by a signal"),
        ] as [(String, Int32, String)]
    )
    func itsEndIsTheAnswer(_ text: String, _ status: Int32, _ words: String) throws {
        let scratch = try Scratch()
        let program = try script(scratch, text + "\n")
        let daemon = try daemon(sinks: ["exec: {command: [\(program)]}"])
        let result = try daemon.command("sinks", "test")
        #expect(result.status == status)
        #expect(result.output.contains(words), "\(result.output) \(result.error)")
    }

    /// What it started ends with it.
    @Test func itsTimeEndsForItsWholeGroup() throws {
        let scratch = try Scratch()
        let program = try script(
            scratch,
            "sleep 300 & echo $! >\(scratch.path("child"))\nsleep 300\n"
        )
        let daemon = try daemon(sinks: ["exec: {command: [\(program)], timeout: 1s}"])
        let result = try daemon.command("sinks", "test")
        #expect(result.status == 1)
        #expect(result.output.contains("it was killed"))
        let text = try String(contentsOfFile: scratch.path("child"), encoding: .utf8)
        let child = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(eventually(5) { !isAlive(child) })
    }

    /// Whether the process runs; one that ended and was not waited for does not.
    private func isAlive(_ process: Int32) -> Bool {
        let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        guard let stat, let end = stat.lastIndex(of: ")") else { return false }
        return !stat[end...].hasPrefix(") Z")
    }

    @Test(
        arguments: [
            ("exec: {command: hold}", "a list such as"), ("exec: {}", "`command:`"),
            ("exec: {command: [hold]}", "the absolute path of a program"),
            ("mail: {from: a@b.example}", "`to:`"),
            ("mail: {to: \"a@b.example, c@d.example\"}", "an address such as"),
            ("mail: {to: \"-oQ/tmp\"}", "an address such as"),
            ("mail: {to: a@b.example, smtp: \"http://x\"}", "a server such as"),
            ("mail: {to: a@b.example, user: x}", "`smtp:`"),
            ("mail: {to: a@b.example, smtp: \"smtp://x\", user: x}", "together"),
        ]
    )
    func aMistakeIsNamed(_ sink: String, _ words: String) throws {
        let daemon = try daemon(sinks: [sink])
        let result = try daemon.command("check")
        #expect(result.status == 78)
        #expect(result.error.contains(words), "\(result.error)")
        #expect(result.error.contains("postern.yml:9:"), "\(result.error)")
    }
}
