import Foundation
import TestSupport
import Testing

/// Prometheus Alertmanager of Debian, in a folder of its own.
private final class Alertmanager {
    let port: Int
    private let scratch: Scratch
    private let process = Process()

    init() throws {
        scratch = try Scratch()
        let listening = try ask(
            "import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); print(s.getsockname()[1])"
        )
        port = try #require(Int(listening.trimmingCharacters(in: .whitespacesAndNewlines)))
        let config = try scratch.write(
            "config.yml",
            "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
        )
        process.executableURL = URL(fileURLWithPath: "/usr/bin/prometheus-alertmanager")
        process.arguments = [
            "--config.file=\(config)", "--storage.path=\(scratch.path("data"))",
            "--web.listen-address=127.0.0.1:\(port)", "--cluster.listen-address=",
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        #expect(
            eventually {
                (try? ask(
                    "import urllib.request as r; r.urlopen(\"http://127.0.0.1:\(port)/-/ready\").read(); print(\"up\")"
                )) == "up\n"
            }
        )
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// The alerts that are active.
    var active: [[String: Any]] {
        let url = "http://127.0.0.1:\(port)/api/v2/alerts?active=true"
        let text = try? ask(
            "import urllib.request as r; print(r.urlopen(\"\(url)\").read().decode())"
        )
        let value = try? JSONSerialization.jsonObject(with: Data((text ?? "").utf8))
        return value as? [[String: Any]] ?? []
    }
}

/// What a line of Python prints.
private func ask(_ line: String) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
    process.arguments = ["-c", line]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: output, as: UTF8.self)
}

@Suite(.serialized) struct AlertmanagerTests {
    @Test func anAlertFiresAndEndsThere() throws {
        let manager = try Alertmanager()
        let url = "http://127.0.0.1:\(manager.port)/api/v2/alerts"
        let daemon = try daemon(sinks: ["webhook: {url: \"\(url)\", format: alertmanager}"])
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { !manager.active.isEmpty }, "\(daemon.messages)")
        let list = try daemon.command("alerts", "list", "--json").objects
        let ids = Set(list.compactMap { $0["event.id"] as? String })
        #expect(
            eventually {
                let labels = manager.active.compactMap { $0["labels"] as? [String: String] }
                return Set(labels.compactMap { $0["alert_id"] }) == ids
            }
        )
        let burst = manager.active.first {
            ($0["labels"] as? [String: String])?["alertname"] == "receipt_burst"
        }
        let notes = burst?["annotations"] as? [String: String]
        #expect(notes?["account"] == "alice@hosted.example")
        #expect(notes?["severity"] == "high")
        // The log goes on, and the alerts are over.
        try daemon.append("2026-03-09T12:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n")
        try daemon.append("2026-03-09T12:00:01+00:00 mx1 postfix/anvil[1]: statistics: x\n")
        try daemon.append("2026-03-09T12:00:02+00:00 mx1 postfix/anvil[1]: statistics: x\n")
        try daemon.append("2026-03-09T12:00:03+00:00 mx1 postfix/anvil[1]: statistics: x\n")
        #expect(eventually { manager.active.isEmpty }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
    }
}
