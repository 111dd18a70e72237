import Foundation
import LinuxIO
import SystemPackage
import TestSupport
import Testing

/// What operators do about alerts and memories: through the control socket while the daemon runs, on
/// the state while it does not.
@Suite(.serialized) struct ControlTests {
    private let later = "2026-03-01T13:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n"

    private func daemonWithAnAlert() throws -> (daemon: Daemon, alert: String) {
        let daemon = try Daemon()
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        return (daemon, try #require(daemon.alerts.first?.id))
    }

    @Test(arguments: [true, false])
    func anAlertIsAcknowledgedAndShownWithIt(isRunning: Bool) throws {
        let (daemon, alert) = try daemonWithAnAlert()
        if !isRunning { #expect(daemon.stop() == 0) }
        let note = "called her\u{1b}[31m"
        let said = try daemon.command("alerts", "ack", "--by", "bob", "--note", note, alert)
        #expect(said.status == 0, "\(said.error)")
        let shown = try daemon.command("alerts", "show", String(alert.prefix(6)))
        #expect(shown.output.contains("by bob"))
        #expect(shown.output.contains("called her\\u{1b}[31m"))
        #expect(!shown.output.contains("\u{1b}"))
        #expect(shown.output.contains("\(alert).0.tar.zst"))
        let list = try daemon.command("alerts", "list", "--open")
        #expect(list.output.contains(alert))
        #expect(list.output.contains("seen by bob"))
        #expect(try daemon.command("alerts", "ack", "nosuch").status == 66)
    }

    /// Options of a silence, and whether it covers a burst of Alice's.
    private static let silences: [(options: [String], covers: Bool)] = [
        (["--account", "ALICE@hosted.example"], true),
        (["--account", "@hosted.example"], true),
        (["--rule", "receipt_burst"], true),
        (["--account", "alice@hosted.example", "--rule", "receipt_burst"], true),
        (["--account", "bob@hosted.example"], false),
        (["--account", "alice@hosted.example", "--rule", "receipt_drip"], false),
        // The alert is about other domains too.
        (["--domain", "d0.test"], false),
    ]

    @Test(arguments: 0..<7)
    func aSilencedAlertIsKeptWithItsEvidenceAndSentToNoSink(number: Int) throws {
        let (options, isSilenced) = Self.silences[number]
        let daemon = try Daemon()
        try daemon.start()
        let made = try Program().run(
            ["alerts", "silence", "--for", "2h", "--reason", "known", "--config", daemon.config]
                + options
        )
        #expect(made.status == 0, "\(made.error)")
        // It survives the process.
        daemon.kill()
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        let list = { try daemon.command("alerts", "list", "--rule", "receipt_burst", "--json") }
        #expect(try eventually { try !list().objects.isEmpty }, "\(daemon.messages)")
        let alert = try #require(try list().objects.first?["event.id"] as? String)
        let bundle = daemon.scratch.path("state/evidence/\(alert).0.tar.zst")
        #expect(FileManager.default.fileExists(atPath: bundle))
        if isSilenced {
            // What is sent after it is lifted shows that nothing else was.
            let silences = try daemon.command("alerts", "silences", "--json").objects
            let id = try #require(silences.first?["postern.silence"] as? String)
            #expect(silences.count == 1)
            #expect(silences.first?["event.reason"] as? String == "known")
            #expect(try daemon.command("alerts", "unsilence", id).status == 0)
            #expect(try daemon.command("alerts", "unsilence", id).status == 66)
            try daemon.append(later)
            #expect(eventually { !daemon.alerts.isEmpty }, "\(daemon.messages)")
            #expect(daemon.alerts.first?.action == "resolved")
            let shown = try daemon.command("alerts", "show", alert).output
            #expect(shown.contains("sent to no sink: silence \(id)"))
        } else {
            #expect(eventually { daemon.alerts.first?.action == "opened" }, "\(daemon.messages)")
        }
        #expect(daemon.stop() == 0)
    }

    @Test func silencesNeedAnEndAReasonAndSomethingToBeAbout() throws {
        let daemon = try Daemon()
        try daemon.start()
        for options in [
            ["--for", "1h", "--reason", "x"], ["--account", "a", "--reason", "x"],
            ["--account", "a", "--for", "1h"],
            ["--account", "a", "--for", "1h", "--until", "2999-01-01", "--reason", "x"],
            ["--account", "a", "--for", "soon", "--reason", "x"],
            ["--account", "a", "--until", "2001-01-01", "--reason", "x"],
            ["--account", "", "--for", "1h", "--reason", "x"],
        ] {
            let made = try Program().run(
                ["alerts", "silence", "--config", daemon.config] + options
            )
            #expect(made.status == 64, "\(options) \(made.error)")
        }
        #expect(try daemon.command("alerts", "silences").output == "no silences\n")
        #expect(daemon.stop() == 0)
    }

    @Test func theSocketIsPrivateReplacedAfterAKillAndGoneAfterAStop() throws {
        // Longer than the 107 bytes that the address of a socket has room for.
        let state = String(repeating: "a-long-name/", count: 14) + "state"
        let daemon = try Daemon(state: state)
        let socket = daemon.scratch.path(state + "/control.sock")
        try daemon.start()
        var status = stat()
        #expect(unsafe stat(socket, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o600)
        daemon.kill()
        #expect(unsafe stat(socket, &status) == 0)
        #expect(try daemon.command("reload").status == 1)
        let silence = try daemon.command(
            "alerts",
            "silence",
            "--account",
            "a",
            "--for",
            "1h",
            "--reason",
            "x"
        )
        #expect(silence.status == 0, "\(silence.error)")
        try daemon.start()
        #expect(try daemon.command("reload").status == 0)
        #expect(daemon.stop() == 0)
        #expect(unsafe stat(socket, &status) != 0)
    }

    /// Whatever others do with the socket, the daemon goes on reading, answers those who ask, and
    /// does not grow.
    @Test func slowHostileAndVanishedClientsHoldNothingUp() throws {
        let daemon = try Daemon()
        try daemon.start()
        let folder = FilePath(daemon.scratch.path("state"))
        func client(_ text: [UInt8]) throws -> UnixStream {
            let stream = try UnixStream(folder: folder, name: "control.sock")
            var rest = text[...]
            while !rest.isEmpty, let count = try stream.write(rest) { rest = rest.dropFirst(count) }
            return stream
        }
        var garbage = SeededGenerator(seed: 7)
        let request = Array(
            #"{"postern.control":1,"request":"alerts.unsilence","author":"x","silence":"y"}"#.utf8
        )
        // All of these at once would be more than there are places.
        var held: [HeldStream] = []
        for _ in 0..<5 { held.append(HeldStream(try client([]))) }
        for _ in 0..<5 { held.append(HeldStream(try client(Array(request.prefix(20))))) }
        for number in 0..<40 {
            // They are gone before they are answered.
            _ = try? client(request + [0x0a])
            _ = try? client((0..<number).map { _ in UInt8.random(in: 0...255, using: &garbage) })
            _ = try? client([0x0a])
        }
        _ = try? client([UInt8](repeating: 0x20, count: 3 << 20))
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        #expect(try daemon.command("reload").status == 0)
        let asked = try client(Array("{}\n".utf8))
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let isAnswered = try eventually {
            if let count = try asked.read(into: &buffer, 0..<4_096) { answer += buffer[..<count] }
            return answer.last == 0x0a
        }
        #expect(isAnswered)
        #expect(String(decoding: answer, as: UTF8.self).contains(#""outcome":"refused""#))
        held = []
        #expect(daemon.stop() == 0)
    }

    @Test(arguments: [true, false])
    func aForgottenAccountIsUnknownAndOthersStay(isRunning: Bool) throws {
        let (daemon, alert) = try daemonWithAnAlert()
        for number in 10..<12 {
            try daemon.append(receipt(number, second: 0, user: "bob@hosted.example"))
        }
        let show = { try daemon.command("state", "show", $0) }
        #expect(try eventually { try show("bob@hosted.example").output.contains("d11.test") })
        #expect(try show("Alice@hosted.example").output.contains("d2.test"))
        if !isRunning { #expect(daemon.stop() == 0) }
        let forgotten = try daemon.command("state", "forget", "alice@hosted.example")
        #expect(forgotten.status == 0, "\(forgotten.error)")
        #expect(forgotten.output.contains("sealed evidence"))
        #expect(try show("alice@hosted.example").status == 66)
        #expect(try daemon.command("state", "forget", "alice@hosted.example").status == 66)
        #expect(try daemon.command("alerts", "show", alert).status == 66)
        #expect(try show("bob@hosted.example").output.contains("d11.test"))
        let bundle = daemon.scratch.path("state/evidence/\(alert).0.tar.zst")
        #expect(FileManager.default.fileExists(atPath: bundle))
        if isRunning { #expect(daemon.stop() == 0) }
        // Nothing in the state names the account or what only it wrote to.
        let memory = try memoryText(of: daemon)
        #expect(!memory.contains("alice"))
        #expect(!memory.contains("d2.test"))
        #expect(memory.contains("d11.test"))
        try daemon.start()
        #expect(try show("alice@hosted.example").status == 66)
        #expect(daemon.stop() == 0)
    }

    private func memoryText(of daemon: Daemon) throws -> String {
        let file = daemon.scratch.path("memory-\(UUID().uuidString)")
        let exported = try daemon.command("state", "export", "--output", file)
        #expect(exported.status == 0, "\(exported.error)")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/zstd")
        process.arguments = ["-dcq", file]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: text, as: UTF8.self)
    }

    /// Two hosts that take in each other's memory know the same, also when it is done again, and with
    /// one of them stopped.
    @Test func memoriesOfTwoHostsBecomeOne() throws {
        let one = try Daemon()
        let other = try Daemon()
        try one.start()
        try other.start()
        for number in 0..<3 { try one.append(receipt(number, second: 0)) }
        for number in 2..<5 { try other.append(receipt(number, second: 600)) }
        try other.append(receipt(6, second: 0, user: "bob@hosted.example"))
        let show = { (daemon: Daemon, account: String) in
            try daemon.command("state", "show", account, "--json").objects.map { object in
                "\(object["postern.known"] ?? "") \(object["destination.domain"] ?? "") "
                    + "\(object["postern.last_day"] ?? "") \(object["postern.receipt"] ?? "")"
            }.filter { $0.hasPrefix("wrote") || $0.hasPrefix("account") }.sorted()
        }
        #expect(try eventually { try show(one, "alice@hosted.example").count == 4 })
        #expect(try eventually { try show(other, "bob@hosted.example").count == 2 })
        #expect(other.stop() == 0)
        let files = [one, other].map { $0.scratch.path("memory.zst") }
        #expect(try one.command("state", "export", "--output", files[0]).status == 0)
        #expect(try other.command("state", "export", "--output", files[1]).status == 0)
        for _ in 0..<2 {
            let first = try one.command("state", "import", files[1])
            #expect(first.status == 0, "\(first.error)")
            let second = try other.command("state", "import", files[0])
            #expect(second.status == 0, "\(second.error)")
            for account in ["alice@hosted.example", "bob@hosted.example"] {
                #expect(try show(one, account) == show(other, account))
            }
            #expect(try show(one, "alice@hosted.example").count == 6)
        }
        let texts = try [memoryText(of: one), memoryText(of: other)].map { text in
            Set(text.split(separator: "\n").dropFirst().dropLast())
        }
        #expect(texts[0] == texts[1])
        #expect(one.stop() == 0)
    }

    @Test func aMemoryThatIsNoneIsRefusedWithItsLineAndNothingOfItIsTaken() throws {
        let daemon = try Daemon()
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(try eventually { try !daemon.command("state", "export").output.isEmpty })
        let head = #"{"postern.memory":1,"host.name":"x"}"#
        let record =
            #"{"account":"eve@x.example","first_day":3,"wrote":[["a.example",3,0]],"heard":[]}"#
        let cases: [(String, Int, String)] = [
            ("", 1, "postern state export"), ("hello\n", 1, "postern state export"),
            (#"{"postern.memory":2}"# + "\n", 1, "version 2"),
            (head + "\n" + record + "\n", 3, "breaks off"),
            (head + "\n" + record + "\n" + #"{"postern.memory_end":4}"# + "\n", 3, "missing"),
            (head + "\n" + record + "\nx\n", 3, "was expected"),
            (
                head + "\n" + record + "\n"
                    + record.replacingOccurrences(of: "3,0]", with: "3,70000]")
                    + "\n", 3, "wrote"
            ),
            (
                head + "\n" + record + "\n"
                    + record.replacingOccurrences(of: "a.example", with: "A.example") + "\n", 3,
                "lower case"
            ),
            (
                head + "\n" + record + "\n"
                    + record.replacingOccurrences(of: #""first_day":3"#, with: #""first_day":-1"#)
                    + "\n", 3, "first_day"
            ),
        ]
        for (text, line, words) in cases {
            let file = try daemon.scratch.write("bad", text)
            let result = try daemon.command("state", "import", file)
            #expect(result.status == 65, "\(text): \(result.error)")
            #expect(result.error.contains("bad:\(line): "), "\(text): \(result.error)")
            #expect(result.error.contains(words), "\(text): \(result.error)")
        }
        // A compressed one with one changed byte is told from a whole one by its checksum.
        let whole = daemon.scratch.path("whole")
        #expect(try daemon.command("state", "export", "--output", whole).status == 0)
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: whole)))
        bytes[bytes.count / 2] ^= 0x10
        let changed = try daemon.scratch.write("changed", Data(bytes))
        #expect(try daemon.command("state", "import", changed).status == 65)
        let cut = try daemon.scratch.write("cut", Data(bytes.prefix(bytes.count / 2)))
        #expect(try daemon.command("state", "import", cut).status == 65)
        #expect(try daemon.command("state", "show", "eve@x.example").status == 66)
        #expect(daemon.stop() == 0)
    }
}

/// A stream in an array.
private final class HeldStream {
    private let stream: UnixStream

    init(_ stream: consuming UnixStream) { self.stream = stream }
}
