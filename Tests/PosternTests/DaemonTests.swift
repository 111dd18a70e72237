import Foundation
import TestSupport
import Testing

/// Log lines of one account's receipts, each to a domain of its own.
private func receipt(_ number: Int, second: Int, user: String = "alice@hosted.example") -> String {
    let id =
        "4XyZbbcdzN9Q" + ["B", "C", "D", "F", "G", "H", "J", "K", "L", "M"][number % 10]
        + ["1", "2", "3", "4", "5", "6", "7", "8", "9"][number / 10 % 9]
    let stamp = { (part: Int) in
        let whole = second + number
        return
            "2026-03-01T10:\(String(format: "%02d", whole / 60)):\(String(format: "%02d", whole % 60)).00000\(part)+00:00"
    }
    let tail = " from pc[192.0.2.7]; from=<> to=<x@d\(number).test> proto=ESMTP helo=<pc>\n"
    return stamp(1)
        + " mx1 postfix/submission/smtpd[7]: \(id): client=pc[192.0.2.7], sasl_method=LOGIN, "
        + "sasl_username=\(user)\n"
        + stamp(2) + " mx1 postfix/cleanup[8]: \(id): info: header Subject: Not read: Cheap meds"
        + tail
        + stamp(3) + " mx1 postfix/cleanup[8]: \(id): message-id=<\(number)@pc>\n"
        + stamp(4) + " mx1 postfix/qmgr[9]: \(id): from=<>, size=700, nrcpt=1 (queue active)\n"
        + stamp(5)
        + " mx1 postfix/smtp[10]: \(id): to=<x@d\(number).test>, relay=mx.d\(number).test[203.0.113.9]:25, "
        + "delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 ok)\n"
        + stamp(6) + " mx1 postfix/qmgr[9]: \(id): removed\n"
}

/// A daemon in a scratch folder, following a log there.
private final class Daemon {
    let scratch: Scratch
    let log: String
    private let config: String
    private let program: Program
    private var process: Process?

    init() throws {
        program = try Program()
        scratch = try Scratch()
        log = try scratch.write("mail.log", "")
        config = try scratch.write(
            "postern.yml",
            """
            sources:
                - file: \(log)
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

    func start() throws {
        process = try program.start(
            ["run", "--config", config],
            output: scratch.path("out"),
            error: scratch.path("err")
        )
        let begun = messages.count
        let isReady = eventually { messages.count > begun && messages.contains("ready:") }
        #expect(isReady, "\(messages)")
    }

    /// Starts it and does not wait until it is ready.
    func spawn() throws {
        process = try program.start(
            ["run", "--config", config],
            output: scratch.path("out"),
            error: scratch.path("err")
        )
    }

    func kill() {
        guard let process else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
    }

    /// Ends it as systemd does; gives the exit status.
    func stop() -> Int32 {
        guard let process else { return -1 }
        process.terminate()
        process.waitUntilExit()
        self.process = nil
        return process.terminationStatus
    }

    func append(_ text: String) throws {
        let handle = try #require(FileHandle(forWritingAtPath: log))
        handle.seekToEndOfFile()
        handle.write(Data(text.utf8))
        handle.closeFile()
    }

    /// Rotates the log, at a line's end, by rename or by copy; the one before is compressed.
    func rotate(_ random: inout SeededGenerator) throws {
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

    var messages: String {
        (try? String(contentsOfFile: scratch.path("err"), encoding: .utf8)) ?? ""
    }

    /// The alerts that the sink got, each transition once: a repeat has the same ID and sequence.
    var alerts: [(id: String, sequence: Int, action: String, count: Int)] {
        let text = (try? String(contentsOfFile: scratch.path("out"), encoding: .utf8)) ?? ""
        var seen: Set<String> = []
        return text.split(separator: "\n").compactMap { line in
            guard
                let object = try? JSONSerialization.jsonObject(with: Data(line.utf8))
                    as? [String: Any],
                let id = object["event.id"] as? String,
                let sequence = object["event.sequence"] as? Int,
                seen.insert("\(id).\(sequence)").inserted
            else { return nil }
            return (
                id, sequence, object["event.action"] as? String ?? "",
                object["postern.count"] as? Int ?? 0
            )
        }
    }
}

@Suite(.serialized) struct DaemonTests {
    @Test func aGrowingLogRaisesTheAlertAndTheBundleVerifies() throws {
        let daemon = try Daemon()
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        #expect(daemon.alerts.first?.action == "opened")
        #expect(daemon.alerts.first?.count == 3)
        #expect(daemon.stop() == 0)
        let folder = daemon.scratch.path("state/evidence")
        let bundles = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(bundles.count == 1)
        let result = try Program().run(["evidence", "verify", folder + "/" + (bundles.first ?? "")])
        #expect(result.status == 0, "\(result.error)")
    }

    /// Killed and restarted at any moment, the alerts are those of one uninterrupted replay: none is
    /// lost, none comes under two IDs.
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func killedAtAnyMomentNothingIsLostOrRaisedTwice(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let daemon = try Daemon()
        try daemon.start()
        var whole = ""
        for number in 0..<9 {
            let text = receipt(number, second: 60)
            whole += text
            // In pieces that end anywhere, also within a line.
            var rest = Substring(text)
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...700, using: &random))
                try daemon.append(String(piece))
                rest = rest.dropFirst(piece.count)
                if Int.random(in: 0..<9, using: &random) == 0 {
                    usleep(UInt32.random(in: 0..<30_000, using: &random))
                    daemon.kill()
                    try daemon.start()
                }
            }
        }
        // A line an hour later resolves the alert; a jump of a day would wait for others.
        let later = "2026-03-01T12:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n"
        try daemon.append(later)
        whole += later
        let path = try daemon.scratch.write("whole.log", whole)
        let replay = try Program().run(["replay", "--json", "--timezone", "UTC", path])
        let expected = try replay.objects.map { object in
            "\(object["event.id"] ?? "").\(object["event.sequence"] ?? "") \(object["event.action"] ?? "")"
        }
        #expect(expected.count == 2)
        #expect(eventually { daemon.alerts.count >= expected.count }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        #expect(daemon.alerts.map { "\($0.id).\($0.sequence) \($0.action)" } == expected)
    }

    /// `kill -9` two hundred times, also while it starts, while the log is written and rotated, by
    /// rename and by copy, and compressed: the alerts are those of one uninterrupted replay.
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
            // A line that was rotated in two halves is two lines, to everybody.
            if rest.isEmpty || piece.last == "\n", Int.random(in: 0..<8, using: &random) == 0 {
                try daemon.rotate(&random)
            }
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
            "\(object["event.id"] ?? "").\(object["event.sequence"] ?? "") \(object["event.action"] ?? "")"
        }
        #expect(expected.count >= 2)
        #expect(eventually { daemon.alerts.count >= expected.count }, "\(daemon.messages.suffix(600))")
        #expect(daemon.stop() == 0)
        #expect(daemon.alerts.map { "\($0.id).\($0.sequence) \($0.action)" } == expected)
    }

    @Test func aRotatedLogIsReadToItsEndAndThenTheNewOne() throws {
        let daemon = try Daemon()
        try daemon.start()
        try daemon.append(receipt(0, second: 0))
        try daemon.append(receipt(1, second: 0))
        try FileManager.default.moveItem(atPath: daemon.log, toPath: daemon.log + ".1")
        _ = try daemon.scratch.write("mail.log", receipt(2, second: 0))
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
    }

    @Test func aSecondDaemonOnTheSameStateIsRefused() throws {
        let daemon = try Daemon()
        try daemon.start()
        let second = try Program().run(["run", "--config", daemon.scratch.path("postern.yml")])
        #expect(second.status == 1)
        #expect(second.error.contains("state"))
        #expect(daemon.stop() == 0)
    }
}
