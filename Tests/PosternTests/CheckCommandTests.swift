import Foundation
import TestSupport
import Testing

@Suite struct CheckCommandTests {
    /// Settings that name a folder of rules, and no other.
    private func check(
        settings: String = "",
        rules: [String: String],
        more: [String] = []
    ) throws -> (result: Program.Result, folder: String) {
        let scratch = try Scratch()
        for (name, text) in rules { _ = try scratch.write("rules/\(name)", text) }
        let config = try scratch.write(
            "postern.yml",
            settings + "rules: [\(scratch.path("rules"))]\n"
        )
        _ = try scratch.write("rules/empty.yml", "# nothing\n")
        let result = try Program().run(["check", "--config", config] + more)
        return (result, scratch.url.path + "/")
    }

    @Test func theShippedRulesAndTheDefaultsHaveNoMistake() throws {
        let result = try Program().run(["check"])
        #expect(result.status == 0, "\(result.error)")
        #expect(result.error == "")
        #expect(result.output.hasSuffix(": no mistake\n"), "\(result.output)")
    }

    @Test func allMistakesOfAllFilesAreToldAtOnce() throws {
        let head = "title: T\nlogsource: {product: postern}\nlevel: low\n"
        let (result, folder) = try check(
            settings: "timezone: Nowhere/Land\nlatenes: 5m\n",
            rules: [
                "a.yml": head
                    + "id: a\ndetection:\n    s:\n        x|contians: y\n    condition: s\n",
                "b.yml": head + "id: b\ndetection:\n    s: {x: y}\n    condition: s and t\n",
                "c.yml": head + "id: c\nname: \t{\n",
                "d.yml": head
                    + "id: d\ndetection:\n    s: {x: y}\n    s: {x: z}\n    condition: s\n",
                "e.yml": head
                    + "id: e\ncorrelation: {type: event_count, rules: nobody, timespan: 1h, condition: {gte: 2}}\n",
                "f.yml": head + "id: f\ndetection: [1, 2]\n",
            ]
        )
        #expect(result.status == 78)
        let lines = result.error.split(separator: "\n")
            .map { $0.replacingOccurrences(of: "postern: " + folder, with: "") }
            .filter { !$0.hasPrefix("postern: warning: ") }
        let expected = [
            "postern.yml:1:11: ",
            "postern.yml:2:1: unknown key `latenes`; did you mean `lateness`?",
            "rules/a.yml:7:11: there is no modifier `contians`; did you mean `contains`?",
            "rules/b.yml:7:22: there is no search `t`", "rules/c.yml:6:1: YAML:",
            "rules/d.yml:6:5: ", "rules/e.yml:5:41: there is no rule `nobody`",
            "rules/f.yml:5:12: `detection` must be a map, not a list", "postern: 8 mistakes",
        ]
        #expect(lines.count == expected.count, "\(lines.joined(separator: "\n"))")
        for (line, beginning) in zip(lines, expected) {
            #expect(line.hasPrefix(beginning), "\(line)")
        }
        #expect(result.output == "")
    }

    @Test func badExpressionsAreToldWithTheOtherMistakesInTheOrderOfTheFiles() throws {
        let head = "title: T\nlogsource: {product: postern}\n"
        let (result, folder) = try check(
            rules: [
                "a.yml": head
                    + "id: a\ndetection:\n    s:\n        x|re: 'a('\n        y|base64: 'b*'\n"
                    + "    condition: s\nlevel: hihg\n",
                "b.yml": head
                    + "id: b\ndetection:\n    s: {x|re: '[b'}\n    condition: s\nlevel: low\n",
                "c.yml": head
                    + "id: a\ndetection:\n    \"\\e[1m\": {x: y}\n    condition: t\nlevel: low\n",
            ]
        )
        #expect(result.status == 78)
        let lines = result.error.replacingOccurrences(of: "postern: " + folder, with: "")
            .split(separator: "\n").map(String.init).filter { !$0.hasPrefix("postern: warning: ") }
        #expect(
            lines == [
                "rules/a.yml:6:15: bad regular expression at offset 2: missing closing parenthesis",
                "rules/a.yml:7:19: `base64` does not take wildcards; write `\\*` or `\\?` for the"
                    + " character",
                "rules/a.yml:9:8: `level` must be one of informational, low, medium, high, critical,"
                    + " not `hihg`; did you mean `high`?",
                "rules/b.yml:5:15: bad regular expression at offset 2: missing terminating ] for"
                    + " character class",
                "rules/c.yml:3:5: the id `a` is taken by the rule at \(folder)rules/a.yml:3",
                "rules/c.yml:6:16: there is no search `t`",
                "postern: 6 mistakes",
            ],
            "\(result.error)"
        )
    }

    /// Text of a file is safe to show, and its backslashes are told as they are.
    @Test func mistakesQuoteTheFileSafely() throws {
        let rule =
            "title: T\nid: a\nlogsource: {product: postern}\nlevel: low\ndetection:\n"
            + "    s: {x: y}\n    \"a\\\\b\\e[1m\": {x: y}\n    condition: s\n"
        let (result, folder) = try check(rules: ["a.yml": rule])
        #expect(result.status == 0)
        let lines = result.error.replacingOccurrences(of: folder, with: "").split(separator: "\n")
        let wanted =
            "postern: warning: rules/a.yml:7:5: the condition does not use `a\\b\\u{1b}[1m`"
        #expect(lines.contains { $0 == wanted }, "\(result.error)")
    }

    /// Each rule is doubted, at the line and column that follow.
    @Test(arguments: [
        ("{a|exists: true, user.name: x}", "7:9", "no event has a field `a`"),
        ("{user.name: [x, y], user.name|startswith: z}", "7:28", "can never match"),
        ("{postern.receipt: notread}", "7:9", "it is one of `not-read`, `read`, `unknown`"),
        ("{postern.receipt|exists: false, postern.receipt: read}", "7:40", "can never match"),
        ("{user.name|all: [x, y]}", "7:9", "can never match"),
        (
            "{postern.domain_heard_days|gt: 5, postern.domain_heard_days|lte: 5}", "7:42",
            "can never match"
        ),
        (
            "{source.ip|cidr: 192.0.2.0/24, source.ip|cidr|all: [192.0.2.0/25, 192.0.2.128/25]}",
            "7:39", "can never match"
        ),
        ("{event.outcome: success, event.outcome|neq: success}", "7:33", "can never match"),
    ])
    func doubtsAreWarnings(search: String, place: String, words: String) throws {
        let rule =
            "title: T\nid: a\nlogsource: {product: postern}\nlevel: low\ndetection:\n"
            + "    condition: s\n    s: \(search)\n"
        let (result, folder) = try check(rules: ["a.yml": rule])
        #expect(result.status == 0, "\(result.error)")
        let line = result.error.replacingOccurrences(of: folder, with: "")
        #expect(line.hasPrefix("postern: warning: rules/a.yml:\(place): "), "\(line)")
        #expect(line.contains(words), "\(line)")
        #expect(result.output.contains(": no mistake, "))
    }

    /// What can match is not doubted.
    @Test(arguments: [
        "{user.name: [x, y], user.name|startswith: X}", "{user.name: x, user.name|re: X}",
        "{postern.domain_heard_days|gt: 5, postern.domain_heard_days|lt: 6}",
        "{postern.receipt: null}", "{postern.receipt|startswith: not}",
        "{source.ip|cidr: [192.0.2.0/24, 10.0.0.0/8], source.ip|cidr|neq: 10.0.0.0/9}",
        "[{user.name: x}, {user.name: y}]", "{user.name|contains|all: [x, y]}",
        "{user.name: abc, user.name|cased: aBc}", "{postern.domain_accounts|lte: 2}",
    ])
    func whatCanMatchIsNotDoubted(search: String) throws {
        let rule =
            "title: T\nid: a\nlogsource: {product: postern}\nlevel: low\ndetection:\n"
            + "    condition: s\n    s: \(search)\n"
        let (result, _) = try check(rules: ["a.yml": rule])
        #expect(result.status == 0)
        #expect(result.error == "")
    }

    @Test func countsThatCannotBeAreDoubted() throws {
        func correlation(_ id: String, _ condition: String) -> String {
            "---\ntitle: T\nid: \(id)\nlevel: low\ncorrelation: {type: event_count, rules: base, timespan: 1h, condition: {\(condition)}}\n"
        }
        let base =
            "title: T\nid: base\nlogsource: {product: postern}\nlevel: low\ndetection: {s: {user.name: x}, condition: s}\n"
        let (result, folder) = try check(rules: [
            "a.yml": base + correlation("a", "lt: 1") + correlation("b", "eq: 2.5")
                + correlation("c", "gte: 1000000000") + correlation("d", "gte: 100000")
                + correlation("e", "gt: 5, lt: 6") + correlation("f", "gt: 5, lt: 7")
                + correlation("g", "gt: 200000, lte: 300000")
        ])
        let lines = result.error.split(separator: "\n").map { line in
            let parts = line.replacingOccurrences(of: folder, with: "").split(separator: ":")
            return parts[3] + ":" + parts[4]
        }
        #expect(result.status == 0)
        #expect(lines == ["7:1", "12:1", "17:1", "27:1", "37:1"], "\(result.error)")
    }

    @Test func effectiveSettingsAreSettingsAgain() throws {
        let settings = """
            timezone: UTC
            placeholders: {admins: [alice, 7], "one": "x: \\"y\\""}
            fields: {my.field: a text, other: null}
            rules_off: [receipt_burst]
            sources:
                - file: /tmp/mail.log
                  backfill: none
                - journal: {units: [a.service], match: {_COMM: [x, y]}}
            dispatch_age_max: null
            sinks:
                - {stdout: {format: json}, levels: low..high}
                - syslog: {address: "udp://[2001:db8::1]:5140", format: rfc3164, size_max: 2KiB}
                - syslog: {address: tls://logs.example, ca_file: /x, timeout: 3s, facility: local4}
                - syslog: {address: tcp://logs.example}

            """
        let (first, _) = try check(settings: settings, rules: [:], more: ["--effective"])
        #expect(first.status == 0, "\(first.error)")
        for line in [
            "lateness: 5m", "    open_messages: 200000", "    \"admins\": [\"alice\", \"7\"]",
            "dispatch_age_max: null", "#   receipt_burst: informational",
        ] {
            #expect(first.output.contains(line), "\(line) in \(first.output)")
        }
        let scratch = try Scratch()
        let path = try scratch.write("again.yml", first.output)
        // The folder of rules is gone by now.
        let text = try String(contentsOfFile: path, encoding: .utf8)
            .replacingOccurrences(of: "/rules\"", with: "\"")
        _ = try scratch.write("again.yml", text)
        let folder = text.split(separator: "\n").first { $0.contains("postern-test-") } ?? ""
        let rules = folder.split(separator: "\"").dropFirst().first.map(String.init) ?? ""
        try FileManager.default.createDirectory(atPath: rules, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: rules) }
        let second = try Program().run(["check", "--effective", "--config", path])
        #expect(second.status == 0, "\(second.error)")
        #expect(second.output == text)
    }

    @Test func aMissingSettingsFileIsAMistakeOnlyWhenItIsNamed() throws {
        let result = try Program().run(["check", "--config", "/nonexistent/postern.yml"])
        #expect(result.status == 78)
        #expect(result.error.hasPrefix("postern: /nonexistent/postern.yml: "))
    }
}
