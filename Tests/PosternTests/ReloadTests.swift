import Foundation
import TestSupport
import Testing

/// Settings and rules that are read again while the daemon works.
@Suite(.serialized) struct ReloadTests {
    private func rule(threshold: Int, name: String = "own_burst") -> String {
        """
        title: Own Burst
        id: 5b0e6c80-2f43-4f5e-9a6c-0d6f2d1c7a11
        name: \(name)
        correlation:
            type: value_count
            rules:
                - receipt_unseen_domain
            group-by:
                - user.name
            timespan: 1h
            condition:
                field: destination.domain
                gte: \(threshold)
        level: medium

        """
    }

    private func daemon(rule: String) throws -> Daemon {
        let daemon = try Daemon(settings: "rules: [rules]")
        _ = try daemon.scratch.write("rules/own.yml", rule)
        let text = try String(contentsOfFile: daemon.config, encoding: .utf8)
            .replacingOccurrences(of: "[rules]", with: "[\(daemon.scratch.path("rules"))]")
        _ = try daemon.scratch.write("postern.yml", text)
        return daemon
    }

    private func actions(_ daemon: Daemon, rule: String) -> [String] {
        daemon.sent.filter { $0["rule.name"] as? String == rule }.map { object in
            "\(object["event.action"] ?? "") \(object["postern.reason"] ?? "-")"
        }
    }

    /// While lines come, settings are read again and again, by signal and by command: the alerts are
    /// those of one uninterrupted replay.
    @Test func underLoadNoLineAndNoWindowIsLost() throws {
        let daemon = try Daemon()
        try daemon.start()
        var whole = ""
        for number in 0..<60 {
            let text = receipt(number, second: number * 40)
            whole += text
            try daemon.append(text)
            if number % 3 == 0 { daemon.hangUp() }
            if number % 20 == 0 { #expect(try daemon.command("reload").status == 0) }
        }
        let later = "2026-03-01T15:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n"
        whole += later
        try daemon.append(later)
        let path = try daemon.scratch.write("whole.log", whole)
        let replay = try Program().run(["replay", "--json", "--timezone", "UTC", path])
        let expected = try replay.objects.map { object in
            "\(object["event.id"] ?? "").\(object["event.sequence"] ?? "") "
                + "\(object["event.action"] ?? "") \(object["postern.count"] ?? "")"
        }
        #expect(expected.count > 1)
        #expect(eventually { daemon.alerts.count >= expected.count }, "\(daemon.messages)")
        let found = daemon.alerts.map { "\($0.id).\($0.sequence) \($0.action) \($0.count)" }
        #expect(found.sorted() == expected.sorted())
        #expect(daemon.messages.contains("settings and rules are in force"))
        #expect(daemon.stop() == 0)
    }

    @Test func rulesWithMistakesAreRefusedAndTheOldOnesStay() throws {
        let daemon = try daemon(rule: rule(threshold: 2))
        try daemon.start()
        try daemon.append(receipt(0, second: 0))
        let bad = """
            title: Bad
            name: bad
            detection:
                selection:
                    email.subject|re: '(['
                condition: selection
            level: low

            """
        let path = try daemon.scratch.write("rules/bad.yml", bad)
        let result = try daemon.command("reload")
        #expect(result.status == 78)
        #expect(result.error.contains(path + ":"), "\(result.error)")
        daemon.hangUp()
        #expect(eventually { daemon.messages.contains("refused; the old settings") })
        #expect(daemon.messages.contains(path + ":"))
        #expect(
            eventually { daemon.sent.contains { $0["rule.name"] as? String == "postern_reload" } }
        )
        // The window goes on under the old rules.
        try daemon.append(receipt(1, second: 0))
        #expect(eventually { actions(daemon, rule: "own_burst") == ["opened -"] })
        try FileManager.default.removeItem(atPath: path)
        // So do settings with a mistake.
        let settings = try String(contentsOfFile: daemon.config, encoding: .utf8)
        _ = try daemon.scratch.write("postern.yml", settings + "nonsense: 1\n")
        let refused = try daemon.command("alerts", "list")
        #expect(refused.status == 78)
        daemon.hangUp()
        #expect(eventually { daemon.messages.contains("postern.yml:") }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
    }

    /// An alert that is open under a rule that changed, or went, resolves and says why; windows of
    /// other rules go on.
    @Test(arguments: ["changed", "gone", "while stopped", "killed"])
    func anAlertOfARuleThatChangedResolves(how: String) throws {
        let daemon = try daemon(rule: rule(threshold: 2))
        try daemon.start()
        try daemon.append(receipt(0, second: 0) + receipt(1, second: 0))
        #expect(eventually { actions(daemon, rule: "own_burst") == ["opened -"] })
        if how == "while stopped" { #expect(daemon.stop() == 0) }
        if how == "gone" {
            try FileManager.default.removeItem(atPath: daemon.scratch.path("rules/own.yml"))
        } else {
            _ = try daemon.scratch.write("rules/own.yml", rule(threshold: 50))
        }
        switch how {
        case "while stopped": try daemon.start()
        case "killed":
            daemon.hangUp()
            usleep(UInt32.random(in: 0..<30_000))
            daemon.kill()
            try daemon.start()
        default: #expect(try daemon.command("reload").status == 0)
        }
        let expected = ["opened -", "resolved rule-changed"]
        #expect(eventually { actions(daemon, rule: "own_burst") == expected })
        let open = try daemon.command("alerts", "list", "--open", "--rule", "own_burst")
        #expect(open.output == "no alerts\n")
        // The shipped rule has seen two of its three.
        try daemon.append(receipt(2, second: 0))
        #expect(eventually { actions(daemon, rule: "receipt_burst") == ["opened -"] })
        #expect(daemon.stop() == 0)
    }

    @Test func changedSinksAndNewSourcesAreTakenAtOnceOthersAreNamed() throws {
        let daemon = try Daemon()
        try daemon.start()
        let old = try String(contentsOfFile: daemon.config, encoding: .utf8)
        let second = try daemon.scratch.write("second.log", "")
        let fresh =
            old
            .replacingOccurrences(
                of: "sources:\n",
                with: "sources:\n    - file: \(second)\n"
            )
            .replacingOccurrences(of: "informational..critical", with: "critical..critical")
            .replacingOccurrences(of: "timezone: UTC", with: "timezone: Europe/Berlin")
        _ = try daemon.scratch.write("postern.yml", fresh)
        let result = try daemon.command("reload")
        #expect(result.status == 0, "\(result.error)")
        #expect(result.output.contains("timezone: the change takes effect after a restart"))
        #expect(!result.output.contains("sources"))
        try daemon.append(receipt(0, second: 0) + receipt(1, second: 0), to: "second.log")
        try daemon.append(receipt(2, second: 0), to: "second.log")
        let isListed = try eventually {
            try daemon.command("alerts", "list").output.contains("receipt_burst")
        }
        #expect(isListed, "\(daemon.messages)")
        // It is not critical, and so goes nowhere now; the old levels would have sent it first.
        let back = fresh.replacingOccurrences(
            of: "critical..critical",
            with: "informational..critical"
        )
        _ = try daemon.scratch.write("postern.yml", back)
        #expect(try daemon.command("reload").status == 0)
        let later = "2026-03-01T13:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n"
        try daemon.append(later, to: "second.log")
        #expect(eventually { !daemon.alerts.isEmpty }, "\(daemon.messages)")
        #expect(daemon.alerts.map(\.action) == ["resolved"])
        // A source that is taken out waits for a restart, and is said to.
        _ = try daemon.scratch.write("postern.yml", old)
        let without = try daemon.command("reload")
        #expect(without.output.contains("sources"), "\(without.output)")
        #expect(daemon.stop() == 0)
    }
}
