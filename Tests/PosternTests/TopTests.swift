import Foundation
import TestSupport
import Testing

/// `postern top` in a real terminal: tmux, 80 columns and 24 rows unless told otherwise.
private final class Terminal {
    private let socket: String
    private let scratch: Scratch

    init(
        _ daemon: Daemon,
        environment: String = "env -u NO_COLOR LC_ALL=C.UTF-8",
        columns: Int = 80
    ) async throws {
        scratch = try Scratch()
        socket = scratch.path("tmux")
        let command = "\(environment) \(try Program().path) top --config \(daemon.config)"
        let script = try scratch.write(
            "run",
            "stty -a >'\(scratch.path("before"))'\n\(command)\necho status $?\n"
                + "stty -a >'\(scratch.path("after"))'\nsleep 60\n"
        )
        try await tmux("new-session", "-d", "-x", "\(columns)", "-y", "24", "sh \(script)")
    }

    deinit {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/tmux")
        process.arguments = ["-S", socket, "kill-server"]
        process.standardError = FileHandle.nullDevice
        try? process.run()
        process.waitUntilExit()
    }

    @discardableResult
    func tmux(_ arguments: String...) async throws -> String {
        // Foundation takes a process for ended when nobody holds its descriptors any more, and tmux's
        // server, which stays, would inherit them; Python's child has none.
        let result = try await runToEnd(
            "/usr/bin/python3",
            [
                "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))",
                "/usr/bin/env", "LC_ALL=C.UTF-8", "TERM=xterm", "tmux", "-S", socket, "-f",
                "/dev/null",
            ] + arguments
        )
        #expect(result.status == 0, "\(arguments): \(result.said)")
        return result.said
    }

    func press(_ key: String) async throws { try await tmux("send-keys", key) }

    /// The rows, once they hold a text.
    func screen(with text: String, escapes: Bool = false) async throws -> [String] {
        var rows: [String] = []
        for _ in 0..<100 {
            let said =
                escapes
                ? try await tmux("capture-pane", "-p", "-e") : try await tmux("capture-pane", "-p")
            rows = said.components(separatedBy: "\n")
            if rows.contains(where: { $0.contains(text) }) { return rows }
            try await Task.sleep(for: .milliseconds(100))
        }
        Issue.record("\(text) did not come: \(rows.joined(separator: "\n"))")
        return rows
    }

    /// The terminal's settings are those from before.
    var isRestored: Bool {
        let before = try? String(contentsOfFile: scratch.path("before"), encoding: .utf8)
        let after = try? String(contentsOfFile: scratch.path("after"), encoding: .utf8)
        return before != nil && before?.contains(" icanon") == true && before == after
    }

    /// The process that runs in it.
    func processID(of daemon: Daemon) async throws -> Int32? {
        let result = try await runToEnd(
            "/usr/bin/pgrep",
            ["-f", "postern top --config \(daemon.config)"]
        )
        return result.said.split(separator: "\n").compactMap { Int32($0) }.last
    }
}

/// A daemon with three alerts, one of them of an account whose name is for the terminal.
private func daemonWithAlerts() throws -> Daemon {
    let daemon = try Daemon()
    let names = [
        "alice@hosted.example", "bob@hosted.example", "eve\u{1b}[31m\u{202e}@hosted.example",
    ]
    for (place, name) in names.enumerated() {
        for number in 0..<3 {
            try daemon.append(receipt(number + 10 * place, second: 100 * place, user: name))
        }
    }
    try daemon.start()
    #expect(eventually { daemon.alerts.count >= 3 }, "\(daemon.messages)")
    return daemon
}

@Suite(.serialized) struct TopTests {
    @Test func aTerminalOf80By24ShowsAccountsAndAlertsAndIsPutBack() async throws {
        let daemon = try daemonWithAlerts()
        let terminal = try await Terminal(daemon)
        let rows = try await terminal.screen(with: "alice@hosted.example")
        #expect(rows.count <= 25)
        #expect(rows.allSatisfy { $0.count <= 80 })
        #expect(rows[0].hasPrefix("postern "))
        let text = rows.joined(separator: "\n")
        for words in [
            "54 lines", "3 accounts", "9 receipts", "subject 100 %", "mail.log  to 2026-03-01 10:",
            "ALERTS", "ACCOUNTS of the last hour, by sends", "q quit", "live",
        ] {
            #expect(text.contains(words), "\(words): \(text)")
        }
        // Shown as what it is, and not obeyed.
        #expect(text.contains("eve\\u{1b}[31m\\u{202e}"), "\(text)")
        try await terminal.press("q")
        _ = try await terminal.screen(with: "status 0")
        #expect(eventually { terminal.isRestored })
        #expect(daemon.stop() == 0)
    }

    @Test func keysSortShowNoteAndSilence() async throws {
        let daemon = try daemonWithAlerts()
        let terminal = try await Terminal(daemon)
        _ = try await terminal.screen(with: "alice@hosted.example")
        try await terminal.press("r")
        _ = try await terminal.screen(with: "by receipts")
        try await terminal.press("?")
        _ = try await terminal.screen(with: "Ctrl-C")
        try await terminal.press("Escape")
        _ = try await terminal.screen(with: "ACCOUNTS")
        try await terminal.press("j")
        try await terminal.press("Enter")
        _ = try await terminal.screen(with: "evidence: ")
        try await terminal.press("Escape")
        try await terminal.press("k")
        try await terminal.press("a")
        _ = try await terminal.screen(with: "is acknowledged")
        _ = try await terminal.screen(with: "[seen by")
        try await terminal.press("m")
        _ = try await terminal.screen(with: "1 an hour")
        try await terminal.press("2")
        _ = try await terminal.screen(with: "silence ")
        let silences = try daemon.command("alerts", "silences")
        #expect(silences.output.contains("postern top, alert"), "\(silences.output)")
        try await terminal.tmux("resize-window", "-x", "120", "-y", "40")
        let rows = try await terminal.screen(with: "alice@hosted.example")
        #expect(rows.count > 30)
        try await terminal.press("C-c")
        _ = try await terminal.screen(with: "status 0")
        #expect(daemon.stop() == 0)
    }

    @Test(arguments: [SIGTERM, SIGHUP, SIGINT])
    func aSignalPutsTheTerminalBack(signal: Int32) async throws {
        let daemon = try daemonWithAlerts()
        let terminal = try await Terminal(daemon)
        _ = try await terminal.screen(with: "alice@hosted.example")
        let id = try #require(try await terminal.processID(of: daemon))
        kill(id, signal)
        _ = try await terminal.screen(with: "status 0")
        #expect(eventually { terminal.isRestored })
        #expect(daemon.stop() == 0)
    }

    /// The daemon ends while somebody looks.
    @Test func whenTheDaemonIsGoneItSaysSoOnAWholeTerminal() async throws {
        let daemon = try daemonWithAlerts()
        let terminal = try await Terminal(daemon)
        _ = try await terminal.screen(with: "alice@hosted.example")
        #expect(daemon.stop() == 0)
        _ = try await terminal.screen(with: "no daemon runs on")
        _ = try await terminal.screen(with: "status 1")
        #expect(eventually { terminal.isRestored })
    }

    @Test func withoutColourThereIsNone() async throws {
        let daemon = try daemonWithAlerts()
        let coloured = try await Terminal(daemon)
        let rows = try await coloured.screen(with: "alice@hosted.example", escapes: true)
        #expect(rows.joined().contains("\u{1b}[3"))
        let plain = try await Terminal(daemon, environment: "NO_COLOR=1 LC_ALL=C")
        let text = try await plain.screen(with: "alice@hosted.example", escapes: true).joined()
        #expect(!text.contains("\u{1b}[3"), "\(text)")
        let isPlain = text.utf8.allSatisfy { $0 < 0x80 }
        #expect(isPlain, "\(text)")
        #expect(daemon.stop() == 0)
    }

    @Test func aTerminalThatCannotBeAddressedGetsText() async throws {
        let daemon = try daemonWithAlerts()
        let dumb = try await Terminal(daemon, environment: "TERM=dumb")
        let rows = try await dumb.screen(with: "alice@hosted.example", escapes: true)
        #expect(!rows.joined().contains("\u{1b}"))
        let once = try daemon.command("top", "--once")
        #expect(once.status == 0)
        #expect(once.output.contains("ACCOUNTS"), "\(once.output)")
        #expect(!once.output.contains("\u{1b}"))
        #expect(daemon.stop() == 0)
        let gone = try daemon.command("top")
        #expect(gone.status == 1)
    }
}
