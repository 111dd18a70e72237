import Foundation
import TestSupport
import Testing

/// A daemon whose time of day begins as it is told, with libfaketime (Debian's faketime).
private func start(_ daemon: Daemon, at time: String) throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib")
    let library = try #require(
        folders.map { "/usr/lib/\($0)/faketime/libfaketimeMT.so.1" }
            .first { FileManager.default.fileExists(atPath: $0) }
    )
    try daemon.start([
        "LD_PRELOAD": library, "FAKETIME": "@" + time, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    ])
}

@Suite(.serialized) struct ReportDaemonTests {
    private let settings = """
        reports:
          - { every: week, on: monday, at: "07:00", to: mail }
          - { every: day, at: "07:00", to: [hook, chat] }
        """

    /// At its time, once; not again after `kill -9`, a reload or a restart; and when the daemon was away
    /// at the time, when it is back, with what was missed.
    @Test func aReportComesAtItsTimeOnce() throws {
        let mail = try ListeningRig(rig: "smtp-receiver")
        let hook = try Receiver()
        let chat = try Receiver()
        let daemon = try daemon(
            sinks: [
                "mail: {to: ops@example.com, smtp: \"smtp://127.0.0.1:\(mail.port)\"}",
                "webhook: {url: \"http://127.0.0.1:\(hook.port)/\"}\nname: hook",
                "webhook: {url: \"http://127.0.0.1:\(chat.port)/topic\", format: ntfy}\nname: chat\n"
                    + "levels: critical",
            ],
            settings: settings
        )
        for number in 0..<3 {
            let user = "<script>alert(1)</script>@hosted.example"
            try daemon.append(receipt(number, second: 0, user: user))
        }
        try start(daemon, at: "2026-03-02 06:59:56")
        func reports() -> [[String: Any]] {
            mail.got.filter { ($0["text"] as? String ?? "").contains("# Weekly report") }
        }
        func daily() -> [[String: Any]] {
            hook.got.compactMap { request in
                (request["body"] as? String).flatMap {
                    try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
                }
            }
            .filter { $0["event.action"] as? String == "report" }
        }
        #expect(eventually { reports().count == 1 && daily().count == 1 }, "\(daemon.messages)")
        let report = try #require(reports().first)
        let headers = (report["headers"] as? [[String]] ?? []).map { ($0[0], $0[1]) }
        let subject = headers.first { $0.0 == "Subject" }?.1 ?? ""
        #expect(subject.hasPrefix("Postern: Weekly report of "), "\(subject)")
        #expect(subject.contains("2026-02-23 to 2026-03-01: 1 alert, 1 of them open"), "\(subject)")
        #expect(report["defects"] as? [String] == [])
        let text = try #require(report["text"] as? String)
        #expect(text.contains("| 3 | 3 | 3 | 3 | 1 | 0 |"), "\(text)")
        #expect(
            text.contains("Sun 2026-03-01    3 ████████████████████    3 ██████████    1 ██████")
        )
        #expect(text.contains("| submissions with a subject | 3 | 3 | 100 % |"))
        #expect(!text.contains("<script>"))
        let pages = report["attachments"] as? [[String]] ?? []
        #expect(pages.map { $0[0] } == ["postern-2026-03-02.html"])
        let page = pages.first?[1] ?? ""
        #expect(page.contains("aria-label=\"submissions by day: 3 in all, at most 3\""))
        #expect(!page.contains("<script"))
        #expect(page.contains("&lt;script&gt;alert(1)"))
        let day = try #require(daily().first)
        #expect(day["event.start"] as? String == "2026-03-01T00:00:00.000Z")
        #expect(day["event.end"] as? String == "2026-03-02T00:00:00.000Z")
        let figures = try #require(day["postern.report"] as? [String: Any])
        #expect(figures["receipts"] as? Int == 3)
        #expect(figures["lines"] as? Int == 18)
        #expect(eventually { chat.got.count == 1 })
        let message = try #require(try chat.body(0) as? [String: Any])
        #expect((message["title"] as? String ?? "").hasPrefix("Report: Daily report of "))
        #expect(
            message["message"] as? String
                == "All of it: postern report --since 2026-03-01T00:00:00.000Z"
        )
        #expect((day["postern.report_page"] as? String ?? "").hasPrefix("<!doctype html>"))

        // Nothing repeats it.
        daemon.hangUp()
        #expect(eventually { daemon.messages.contains("rules are in force") })
        daemon.kill()
        try start(daemon, at: "2026-03-02 07:10:00")
        #expect(eventually { daemon.messages.components(separatedBy: "ready:").count > 2 })
        usleep(4_000_000)
        #expect(daemon.stop() == 0)
        #expect(reports().count == 1)
        #expect(daily().count == 1)

        // Two weeks away.
        try start(daemon, at: "2026-03-17 12:00:00")
        #expect(eventually { reports().count == 2 && daily().count == 2 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        let late = reports().last?["text"] as? String ?? ""
        #expect(
            late.hasPrefix("# Weekly report of ") && late.contains(", 2026-03-02 to 2026-03-15"),
            "\(late)"
        )
        #expect(daily().last?["event.start"] as? String == "2026-03-02T00:00:00.000Z")
        #expect(daily().last?["event.end"] as? String == "2026-03-17T00:00:00.000Z")
        let result = try daemon.command("alerts", "undelivered")
        #expect(result.output == "everything was taken\n", "\(result.output)")
    }

    /// A receiver that is away gets it when it is back; a sink with pseudonyms gets no names.
    @Test func aReportWaitsInTheOutboxAndLosesItsNames() throws {
        let scratch = try Scratch()
        let program = try scratch.write(
            "program",
            "#!/bin/sh\ntest -e \(scratch.path("open")) || exit 75\ncat >>\(scratch.path("got"))\n"
        )
        unsafe chmod(program, 0o755)
        let daemon = try daemon(
            sinks: ["exec: {command: [\(program)]}\nname: own"],
            settings:
                "reports: [{every: month, to: own, at: \"00:00\"}]\npseudonyms: {\"sinks\": [own]}"
        )
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        try start(daemon, at: "2026-03-31 23:59:57")
        #expect(eventually { daemon.messages.contains("report: that of every month") })
        #expect(eventually { daemon.messages.contains("own failed and is tried again") })
        #expect(daemon.stop() == 0)
        _ = try scratch.write("open", "")
        try start(daemon, at: "2026-04-01 00:00:20")
        func got() -> [[String: Any]] {
            ((try? String(contentsOfFile: scratch.path("got"), encoding: .utf8)) ?? "")
                .split(separator: "\n").compactMap {
                    try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
                }
                .filter { $0["event.action"] as? String == "report" }
        }
        #expect(eventually { got().count == 1 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        let report = try #require(got().first)
        #expect((report["message"] as? String ?? "").hasPrefix("Monthly report of "))
        let page = report["postern.report_page"] as? String ?? ""
        let text = report["postern.report_text"] as? String ?? ""
        for form in [page, text] {
            #expect(!form.contains("alice"))
            #expect(form.contains("hosted.example"))
        }
        #expect(text.contains("| 3 | 3 | 3 | 3 | 1 | 0 |"), "\(text)")
    }

    /// What was given up is kept to be sent again, until an account is forgotten that it may name.
    @Test func aReportThatWasGivenUpIsForgottenWithAnAccount() throws {
        let scratch = try Scratch()
        let program = try scratch.write("program", "#!/bin/sh\ncat >/dev/null\nexit 65\n")
        unsafe chmod(program, 0o755)
        let daemon = try daemon(
            sinks: ["exec: {command: [\(program)]}\nname: own\nlevels: critical"],
            settings: "reports: [{every: day, to: own}]"
        )
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        try start(daemon, at: "2026-03-02 06:59:57")
        func givenUp() throws -> String {
            try daemon.command("alerts", "undelivered", "--given-up").output
        }
        #expect(try eventually { try givenUp().contains("report-") }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        let forgotten = try daemon.command("state", "forget", "alice@hosted.example")
        #expect(forgotten.status == 0, "\(forgotten.error)")
        #expect(try !givenUp().contains("report-"))
    }

    @Test func theCommandTellsOfWhatWasSentAndRead() throws {
        let daemon = try Daemon()
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        let report = try daemon.command("report", "--since", "2026-03-01", "--format", "markdown")
        #expect(report.status == 0, "\(report.error)")
        #expect(report.output.contains("| 3 | 3 | 3 | 3 | 1 | 0 |"), "\(report.output)")
        #expect(report.output.contains("mail.log | 18 | 0 |"), "\(report.output)")
        let hidden = try daemon.command("report", "--since", "2026-03-01", "--pseudonyms")
        #expect(hidden.status == 0, "\(hidden.error)")
        #expect(!hidden.output.contains("alice"))
    }
}
