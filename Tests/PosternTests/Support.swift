import Foundation
import TestSupport
import Testing

/// Log lines of one account's receipts, each to a domain of its own.
func receipt(_ number: Int, second: Int, user: String = "alice@hosted.example") -> String {
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
final class Daemon {
    let scratch: Scratch
    let log: String
    let config: String
    private let program: Program
    private var process: Process?

    /// - Parameters:
    ///   - sources: items of `sources:`, in which `FOLDER` is the scratch folder; nil: the log.
    ///   - settings: further lines of the settings; without `http:` in them there is no status page.
    ///   - state: name of the state folder.
    init(
        sources: [String]? = nil,
        settings: String = "",
        state: String = "state"
    ) throws {
        program = try Program()
        scratch = try Scratch()
        log = try scratch.write("mail.log", "")
        let folder = scratch.url.path
        let items = (sources ?? ["file: FOLDER/mail.log"])
            .map { "    - " + $0.replacingOccurrences(of: "FOLDER", with: folder) }
        config = try scratch.write(
            "postern.yml",
            """
            sources:
            \(items.joined(separator: "\n"))
            timezone: UTC
            \(settings)
            \(settings.contains("http: { listen") ? "" : "http: null")
            state: \(scratch.path(state))
            dispatch_age_max: null
            sinks:
                - stdout: { format: json }
                  levels: informational..critical

            """
        )
    }

    deinit { process?.terminate() }

    /// - Parameter environment: besides the usual one.
    func start(_ environment: [String: String] = [:]) throws {
        process = try program.start(
            ["run", "--config", config],
            output: scratch.path("out"),
            error: scratch.path("err"),
            environment: environment
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

    /// Tells it to read its settings and rules again, as `systemctl reload` does.
    func hangUp() {
        guard let process else { return }
        Foundation.kill(process.processIdentifier, SIGHUP)
    }

    /// Runs a command on its state.
    func command(_ arguments: String...) throws -> Program.Result {
        try program.run(arguments + ["--config", config])
    }

    /// Ends it as systemd does; gives the exit status.
    func stop() -> Int32 {
        guard let process else { return -1 }
        process.terminate()
        process.waitUntilExit()
        self.process = nil
        return process.terminationStatus
    }

    /// Waits for it to end by itself.
    func exitStatus() -> Int32? {
        let hasEnded = eventually { !(process?.isRunning ?? false) }
        return hasEnded ? process?.terminationStatus : nil
    }

    func append(_ text: String, to name: String = "mail.log") throws {
        let path = scratch.path(name)
        if !FileManager.default.fileExists(atPath: path) { _ = try scratch.write(name, "") }
        let handle = try #require(FileHandle(forWritingAtPath: path))
        handle.seekToEndOfFile()
        handle.write(Data(text.utf8))
        handle.closeFile()
    }

    var messages: String {
        (try? String(contentsOfFile: scratch.path("err"), encoding: .utf8)) ?? ""
    }

    /// What the sink got, each line as an object.
    var sent: [[String: Any]] {
        let text = (try? String(contentsOfFile: scratch.path("out"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        }
    }

    /// The alerts that the sink got, each transition once: a repeat has the same ID and sequence.
    var alerts: [(id: String, sequence: Int, action: String, count: Int)] {
        var seen: Set<String> = []
        return sent.compactMap { object in
            guard let id = object["event.id"] as? String,
                object["event.kind"] as? String == "alert",
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

/// Runs a program to its end without holding up other tests.
func runToEnd(
    _ path: String,
    _ arguments: [String]
) async throws -> (status: Int32, said: String) {
    let scratch = try Scratch()
    let said = try scratch.write("said", "")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: said)
    process.standardError = process.standardOutput
    let status: Int32 = try await withCheckedThrowingContinuation { ended in
        process.terminationHandler = { ended.resume(returning: $0.terminationStatus) }
        do { try process.run() } catch { ended.resume(throwing: error) }
    }
    let text = try Data(contentsOf: URL(fileURLWithPath: said))
    return (status, String(decoding: text, as: UTF8.self))
}
