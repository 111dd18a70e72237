import Foundation
import TestSupport
import Testing

/// Runs `postern match` over events, with rules of some files.
private func match(
    _ rules: [String: String],
    _ events: String,
    more: [String] = []
) throws -> Program.Result {
    let scratch = try Scratch()
    for (name, text) in rules { _ = try scratch.write("rules/\(name)", text) }
    let path = try scratch.write("events.jsonl", events)
    return try Program().run(["match", "--rules", scratch.path("rules"), path] + more)
}

/// The numbers of the events that a rule with these lines of one search matches.
private func matching(_ search: String, _ events: String) throws -> [Int] {
    let lines = search.split(separator: "\n").map { "        \($0)\n" }.joined()
    let rule =
        "title: T\nid: r\nlogsource: {product: any}\nlevel: low\ndetection:\n    s:\n\(lines)"
        + "    condition: s\n"
    let result = try match(["r.yml": rule], events)
    #expect(result.status == 0, "\(result.error)")
    return try result.objects.compactMap { $0["event"] as? Int }
}

private func rule(_ name: String, _ search: String) -> String {
    "title: T\nid: \(name)\nname: \(name)\nlogsource: {product: any}\nlevel: informational\n"
        + "detection:\n    s:\n        \(search)\n    condition: s\n---\n"
}

private let bases = rule("login", "kind: login") + rule("send", "kind: send")

@Suite struct MatchCommandTests {
    @Test func everyRuleThatMatchesIsTold() throws {
        let correlation =
            "title: C\nid: burst\ncorrelation:\n    type: event_count\n    rules: send\n"
            + "    group-by: user\n    timespan: 1m\n    condition: {gte: 2}\nlevel: high\n"
        let events = """
            {"@timestamp": "2026-03-01T10:00:00Z", "kind": "send", "user": "a"}
            {"@timestamp": "2026-03-01T10:00:01Z", "kind": "send", "user": "b"}

            {"@timestamp": "2026-03-01T10:00:59.999Z", "kind": "send", "user": "a"}
            {"@timestamp": "2026-03-01T10:01:59.999Z", "kind": "send", "user": "a"}
            {"kind": "login"}
            """
        let result = try match(["a.yml": bases + correlation], events)
        #expect(result.status == 0)
        #expect(result.error == "")
        #expect(
            result.output == """
                {"event":0,"rule":"send"}
                {"event":1,"rule":"send"}
                {"event":2,"rule":"send"}
                {"event":2,"rule":"burst"}
                {"event":3,"rule":"send"}
                {"event":4,"rule":"login"}

                """
        )
    }

    @Test func nestedObjectsHaveDottedNamesAndArraysMatchByAnElement() throws {
        let events = """
            {"user": {"name": "Alice", "roles": ["admin", "staff"]}}
            {"user.name": "alice", "user.roles": []}
            {"user": [{"name": "bob"}, {"name": "alice"}], "n": [1, 20]}
            {"user": {"name": null}}
            {"user": {"name": "x", "name": "alice"}, "b": [true, "1"]}
            """
        #expect(try matching("user.name: alice", events) == [0, 1, 2, 4])
        #expect(try matching("user.roles|startswith: ADM", events) == [0])
        #expect(try matching("user.roles|all: [admin, staff]", events) == [0])
        #expect(try matching("user.roles|exists: true", events) == [0, 1])
        #expect(try matching("user.name: null", events) == [3])
        #expect(try matching("user.roles: null", events) == [2, 3, 4])
        #expect(try matching("n|gt: 19\nn|lt: 2", events) == [2])
        #expect(
            try matching("b: true\nb: 1".replacingOccurrences(of: "\nb:", with: "\nb|gte:"), events)
                == [4]
        )
        #expect(try matching("user.name|fieldref: user.name", events) == [0, 1, 2, 4])
        #expect(try matching("user|exists: true", events) == [0, 2, 3, 4])
    }

    @Test func anEventWithoutTimeOrGroupTakesNoPartInACorrelation() throws {
        let correlation =
            "title: C\nid: pair\ncorrelation:\n    type: event_count\n    rules: send\n"
            + "    group-by: user\n    timespan: 1h\n    condition: {gte: 2}\nlevel: high\n"
        let events = """
            {"@timestamp": "2026-03-01T10:00:00Z", "kind": "send", "user": "a"}
            {"kind": "send", "user": "a"}
            {"@timestamp": "yesterday", "kind": "send", "user": "a"}
            {"@timestamp": "2026-03-01T10:00:01Z", "kind": "send"}
            {"@timestamp": "2026-03-01T10:00:01Z", "kind": "send", "user": null}
            {"@timestamp": 1772359202, "kind": "send", "user": "a"}
            {"@timestamp": 1772359202500, "kind": "send", "user": "a"}
            """
        let result = try match(["a.yml": bases + correlation], events)
        let pairs = try result.objects.filter { $0["rule"] as? String == "pair" }
        #expect(pairs.compactMap { $0["event"] as? Int } == [5, 6])
        #expect(
            result.error
                == "postern: 2 events without @timestamp: no correlation sees them\n"
        )
    }

    @Test func lateEventsGoToTheirPlace() throws {
        let correlation =
            "title: C\nid: order\ncorrelation:\n    type: temporal_ordered\n"
            + "    rules: [login, send]\n    timespan: 10m\nlevel: high\n"
        let events = """
            {"@timestamp": "2026-03-01T10:04:00Z", "kind": "send"}
            {"@timestamp": "2026-03-01T10:00:00Z", "kind": "login"}
            {"@timestamp": "2026-03-01T10:06:00Z", "kind": "other"}
            {"@timestamp": "2026-03-01T11:00:00Z", "kind": "send"}
            {"@timestamp": "2026-03-01T10:54:59Z", "kind": "login"}
            """
        let result = try match(["a.yml": bases + correlation], events)
        let found = try result.objects.filter { $0["rule"] as? String == "order" }
        #expect(found.compactMap { $0["event"] as? Int } == [0])
        #expect(result.error.contains("1 events are more than 5 minutes behind"))
    }

    /// Each line is no JSON object, at the column that is told.
    @Test(arguments: [
        ("[1]", 1, "a JSON object"), (#"{"a" 1}"#, 6, "`:` after a name"),
        (#"{"a": 01}"#, 7, "a number without leading zeros"), (#"{"a": "\x"}"#, 8, "an escape"),
        (#"{"a": 1} x"#, 10, "the end of the line"), (#"{"a": [1, 2"#, 12, "`,` or `]`"),
        (#"{"a": "b"#, 9, "`\"` at the end"), (#"{"a": nul}"#, 7, "a value"), ("x", 1, "a JSON"),
        (#"{"a": 1,}"#, 9, "a name in double quotes"),
        ("{\"a\": \"\t\"}", 8, "no control character"),
        (String(repeating: #"{"a":"#, count: 65), 321, "at most 64 levels"),
    ])
    func aBadLineIsToldWithItsPlace(line: String, column: Int, expected: String) throws {
        let result = try match(["a.yml": bases], #"{"kind": "send"}"# + "\n" + line + "\n")
        #expect(result.status == 65)
        #expect(result.error.contains("events.jsonl:2:\(column): \(expected)"), "\(result.error)")
        #expect(result.output == "{\"event\":0,\"rule\":\"send\"}\n")
    }

    @Test func standardInputAndSeveralFilesAreRead() throws {
        let scratch = try Scratch()
        let rules = try scratch.write("r.yml", bases)
        let first = try scratch.write("a", "\u{FEFF}{\"kind\": \"send\"}")
        let result = try Program().run(
            ["match", "--rules", rules, first, "-", first],
            input: Data("{\"kind\":\"login\"}\r\n{\"kind\":\"LOG\\u0049N\"}\n".utf8)
        )
        #expect(result.status == 0)
        #expect(
            try result.objects.map { "\($0["event"] ?? "") \($0["rule"] ?? "")" }
                == ["0 send", "1 login", "2 login", "3 send"]
        )
        let missing = try Program().run(["match", "--rules", rules, scratch.path("none")])
        #expect(missing.status == 66)
    }

    @Test func badRulesAreToldAndEndIt() throws {
        let result = try match(
            ["a.yml": rule("x", "a|re: '(b'"), "b.yml": rule("y", "a|gt: b")],
            "{}\n"
        )
        #expect(result.status == 78)
        #expect(result.error.contains("a.yml:8:15: bad regular expression at offset 2"))
        #expect(result.error.contains("b.yml:8:15: `gt` takes a number; this is text"))
        let regex = try match(["a.yml": rule("x", "a|re: '(b'")], "{}\n")
        #expect(regex.status == 78)
        #expect(regex.error.contains("a.yml:8:15: bad regular expression at offset 2"))
    }

    @Test func placeholdersComeFromTheSettings() throws {
        let scratch = try Scratch()
        let config = try scratch.write(
            "postern.yml",
            "placeholders:\n    admins: [alice, 'b\\*b', 'c*l']\n    one: x\n"
        )
        let events =
            ["ALICE@x", "b*b@x", "bob@x", "carol@x"].map { "{\"user\":\"\($0)\"}\n" }.joined()
        let result = try match(
            ["a.yml": rule("p", "user|expand: '%admins%@%one%'")],
            events,
            more: ["--config", config]
        )
        #expect(try result.objects.compactMap { $0["event"] as? Int } == [0, 1, 3])
        let without = try match(["a.yml": rule("p", "user|expand: '%admins%'")], events)
        #expect(without.status == 78)
        #expect(without.error.contains("`%admins%` has no value in the settings"))
    }

    @Test func aSearchThatBacktracksForEverIsGivenUpAndNamed() throws {
        let events =
            "{\"a\":\"" + String(repeating: "a", count: 60) + "!\"}\n{\"a\":\"aaa\"}\n"
        let result = try match(["a.yml": rule("slow", "a|re: '^(\\w+\\s?)*$'")], events)
        #expect(result.status == 0)
        #expect(try result.objects.compactMap { $0["event"] as? Int } == [1])
        #expect(
            result.error.contains("rule slow: 1 searches for a regular expression were given up")
        )
    }

    /// 100,000 values of each kind load quickly, and a match costs no walk over them.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: ["user", "user|contains", "user|startswith", "user|endswith", "ip|cidr"]
    )
    func aRuleWith100000ValuesWorks(key: String) throws {
        let isNetwork = key.hasPrefix("ip")
        var text = "title: T\nid: many\nlogsource: {product: any}\nlevel: low\ndetection:\n"
        text += "    s:\n        \(key):\n"
        for number in 0..<100_000 {
            text +=
                isNetwork
                ? "            - 10.\(number / 512 % 256).\(number / 2 % 256).\(number % 2 * 128)/25\n"
                : "            - value\(number)@d\(number % 997).example\n"
        }
        text += "    condition: s\n"
        var events = ""
        for number in stride(from: 0, to: 200_000, by: 20) {
            let user =
                number % 40 == 0
                ? "VALUE\(number / 2)@D\(number / 2 % 997).example" : "value\(number)@x"
            let third = number % 40 == 0 ? 10 : 11
            events +=
                #"{"user":"\#(user)","ip":"\#(third).\#(number / 512 % 150).\#(number / 2 % 256).9"}"#
                + "\n"
        }
        let begun = Date()
        let result = try match(["a.yml": text], events)
        #expect(result.status == 0, "\(result.error)")
        let found = result.output.split(separator: "\n").count
        #expect(found == 5_000, "\(found)")
        #expect(Date().timeIntervalSince(begun) < 20)
    }
}
