import MailEvents
import Sigma
import TestSupport
import Testing

@testable import Detection

/// Runs rules over events through a plan.
struct Harness: ~Copyable {
    let rules: RuleSet
    let mistakes: [Mistake]
    private(set) var fields: FieldTable
    private(set) var matcher: RuleMatcher
    private var event: EventFields
    private var found: [Int] = []

    init(_ text: String, fields names: [String] = [], limits: MatchLimits = MatchLimits()) {
        let reading = RuleReading([RuleFile(name: "t.yml", bytes: Array(text.utf8))])
        var mistakes = reading.mistakes
        var fields = FieldTable(names)
        let plan = MatchPlan(
            reading.rules,
            fields: &fields,
            mistakes: &mistakes,
            limits: limits
        )
        rules = reading.rules
        self.mistakes = mistakes
        self.fields = fields
        matcher = RuleMatcher(plan)
        event = EventFields(fieldCount: fields.count)
    }

    mutating func matches(_ values: [String: PlainValue]) -> [Int] {
        event.reset()
        for (name, value) in values {
            let fieldValue: FieldValue =
                switch value {
                case .null: .null
                case .bool(let flag): .bool(flag)
                case .integer(let integer): .integer(integer)
                case .number(let real): .number(real)
                case .text(let text): .text(event.append(text))
                }
            if let field = fields.index(of: name) {
                event.set(fieldValue, at: field)
            } else {
                event.addUnnamed(fieldValue)
            }
        }
        matcher.evaluate(event, into: &found)
        return found
    }
}

func oneRule(_ detection: String) -> String {
    let lines = detection.split(separator: "\n").map { "    \($0)\n" }.joined()
    return "title: T\nid: r\nlogsource: {}\nlevel: low\ndetection:\n\(lines)"
}

@Suite struct RuleMatcherTests {
    private static let names = ["user", "subject", "domain", "ip", "size", "flag", "when", "other"]
    private static let texts = [
        "Not read: x", "not READ: plan", "Über façade", "ÜBER", "über", "a*b?c", "back\\slash", "",
        "3", "10",
        "2.5", "true", "mail.example", "MAIL.Example", "x@mail.example", "192.0.2.7", "2001:db8::1",
        "2026-03-01T17:30:00Z", "σίσυφος", "longer text than four and twenty bytes, Ü",
    ]

    private static func value(_ random: inout SeededGenerator) -> PlainValue? {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: nil
        case 1: .null
        case 2: .bool(Bool.random(using: &random))
        case 3, 4: .integer([0, 1, 3, 10, -5, .max].randomElement(using: &random) ?? 0)
        case 5: .number([2.5, 3, -0.5, 1e300].randomElement(using: &random) ?? 0)
        default: .text(texts.randomElement(using: &random) ?? "")
        }
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.replacing("'", with: "''") + "'"
    }

    /// A line of a search, `field|modifiers: value`.
    private static func line(_ random: inout SeededGenerator) -> String {
        func escaped(_ text: String) -> String {
            text.replacing("\\", with: "\\\\").replacing("*", with: "\\*").replacing(
                "?",
                with: "\\?"
            )
        }
        func text() -> String { texts.randomElement(using: &random) ?? "" }
        func piece() -> String {
            let scalars = Array(text().unicodeScalars)
            guard !scalars.isEmpty else { return "e" }
            let start = Int.random(in: 0..<scalars.count, using: &random)
            let end = Int.random(in: start..<scalars.count, using: &random) + 1
            var result = String.UnicodeScalarView()
            result.append(contentsOf: scalars[start..<end])
            return String(result)
        }
        let field = names.randomElement(using: &random) ?? "user"
        let cased = Int.random(in: 0..<4, using: &random) == 0 ? "|cased" : ""
        let number = ["0", "3", "10", "2.5", "-5"].randomElement(using: &random) ?? "0"
        let position =
            ["|contains", "|startswith", "|endswith"].randomElement(using: &random) ?? ""
        switch Int.random(in: 0..<18, using: &random) {
        case 0, 1: return "\(field)\(cased): \(quoted(escaped(text())))"
        case 2, 3: return "\(field)\(position)\(cased): \(quoted(escaped(piece())))"
        case 4:
            let wild = ["*", "?", "**", "?*"].randomElement(using: &random) ?? "*"
            let pattern =
                escaped(piece()) + wild + (Bool.random(using: &random) ? escaped(piece()) : "")
            return "\(field)\(cased): \(quoted((Bool.random(using: &random) ? "*" : "") + pattern))"
        case 5, 6:
            let count = Int.random(in: 1...7, using: &random)
            let list = (0..<count).map { _ in quoted(escaped(text())) }.joined(separator: ", ")
            return "\(field)\(Bool.random(using: &random) ? "|neq" : ""): [\(list), \(number)]"
        case 7:
            return
                "\(field)|contains|all: [\(quoted(escaped(piece()))), \(quoted(escaped(piece())))]"
        case 8: return "\(field): \(number)"
        case 9:
            let comparison = ["gt", "gte", "lt", "lte"].randomElement(using: &random) ?? "gt"
            return "\(field)|\(comparison): \(number)"
        case 10:
            return
                "\(field): \(["null", "true", "false", "'*'"].randomElement(using: &random) ?? "null")"
        case 11: return "\(field)|exists: \(Bool.random(using: &random))"
        case 12:
            let flag = Bool.random(using: &random) ? "|i" : ""
            let regex =
                ["read", "^not", "e$", "^...$", "2.5", "^$", "MAIL"].randomElement(using: &random)
                ?? ""
            let place =
                ["", "|startswith", "|endswith", "|contains"].randomElement(using: &random) ?? ""
            return "\(field)|re\(flag)\(place): \(quoted(regex))"
        case 13:
            let network = ["192.0.2.0/24", "2001:db8::/32", "10.0.0.0/8"].randomElement(
                using: &random
            )
            return "\(field)|cidr: \(quoted(network ?? ""))"
        case 14:
            let relation = ["", position].randomElement(using: &random) ?? ""
            return
                "\(field)|fieldref\(relation)\(cased): \(names.randomElement(using: &random) ?? "user")"
        case 15:
            let part = [
                "hour: 17", "hour|gte: 18", "day: 1", "month: 3", "year|lt: 2030", "minute: 30",
            ]
            return "when|\(part.randomElement(using: &random) ?? "")"
        case 16: return "'\(position)': \(quoted(escaped(piece())))"
        default:
            return "'|re': \(quoted(["read", "^10$", "über"].randomElement(using: &random) ?? ""))"
        }
    }

    private static func rules(_ random: inout SeededGenerator, count: Int) -> String {
        let conditions = [
            "a", "a and b", "a or b", "a and not b", "not a", "1 of them", "all of them",
            "(a or b) and not c",
            "a or b and c", "not (a or b)", "not (a and b) and c", "a or not (b and c)",
        ]
        var documents: [String] = []
        for index in 0..<count {
            let condition = conditions.randomElement(using: &random) ?? "a"
            var body = ""
            for name in ["a", "b", "c"] {
                body += "    \(name):\n"
                switch Int.random(in: 0..<5, using: &random) {
                case 0:
                    body += "        - \(line(&random))\n        - \(line(&random))\n"
                case 1:
                    body += "        - \(quoted("read"))\n        - \(quoted("a\\*b"))\n"
                default:
                    // Two lines may have the same key; then one must do.
                    let first = line(&random)
                    let second = line(&random)
                    body += "        \(first)\n"
                    if first.split(separator: ":")[0] != second.split(separator: ":")[0] {
                        body += "        \(second)\n"
                    }
                }
            }
            documents.append(
                "title: R\nid: r\(index)\nlogsource: {}\nlevel: low\ndetection:\n\(body)    condition: \(condition)\n"
            )
        }
        let filter = line(&random)
        documents.append(
            "title: F\nid: f\nlogsource: {}\nfilter:\n    rules: [r0, r1]\n    s:\n        \(filter)\n    condition: not s\n"
        )
        return documents.joined(separator: "---\n")
    }

    /// forall rules and events: the plan finds what the reference evaluator finds.
    @Test(arguments: 1...40)
    func aPlanMeansWhatItsRulesSay(seed: UInt64) {
        var random = SeededGenerator(scattered: seed)
        let text = Self.rules(&random, count: 25)
        // Half of the time some fields have no index before the plan is made.
        var harness = Harness(text, fields: seed % 2 == 0 ? Self.names : ["domain"])
        #expect(harness.mistakes == [], "\(text)")
        let reference = ReferenceEvaluator(rules: harness.rules)
        for _ in 0..<20 {
            var event: [String: PlainValue] = [:]
            for name in Self.names + ["unnamed"] { event[name] = Self.value(&random) }
            let found = harness.matches(event)
            let expected = reference.matches(event)
            #expect(found == expected, "\(event)")
            for rule in Set(found).symmetricDifference(expected).prefix(1) {
                Issue.record("\(harness.rules.detections[rule].head.text)")
            }
        }
    }

    /// forall rules and events: an explanation says "matches" when the reference evaluator does, and
    /// otherwise gives a reason.
    @Test(arguments: 1...20)
    func anExplanationAgreesWithTheMatch(seed: UInt64) {
        var random = SeededGenerator(scattered: seed)
        let text = Self.rules(&random, count: 15)
        let rules = RuleReading([RuleFile(name: "t.yml", bytes: Array(text.utf8))]).rules
        let reference = ReferenceEvaluator(rules: rules)
        var explainer = RuleExplainer(rules)
        for _ in 0..<20 {
            var event: [String: PlainValue] = [:]
            for name in Self.names { event[name] = Self.value(&random) }
            var fields = EventFields(fieldCount: explainer.table.count)
            for (name, value) in event {
                let fieldValue: FieldValue =
                    switch value {
                    case .null: .null
                    case .bool(let flag): .bool(flag)
                    case .integer(let integer): .integer(integer)
                    case .number(let real): .number(real)
                    case .text(let text): .text(fields.append(text))
                    }
                if let field = explainer.table.index(of: name) {
                    fields.set(fieldValue, at: field)
                } else {
                    fields.addUnnamed(fieldValue)
                }
            }
            let explanations = explainer.explain(fields, .submitted)
            #expect(explanations.map(\.rule) == Array(rules.detections.indices))
            let found = explanations.filter(\.explanation.matches).map(\.rule)
            #expect(found == reference.matches(event), "\(text)\n\(event)")
            for (_, explanation) in explanations {
                #expect(explanation.matches == explanation.reason.isEmpty)
            }
        }
    }

    @Test(
        arguments: [
            // What failed first, with what the event has.
            (
                "s:\n    user.name: x\n    email.subject|contains: y\ncondition: s",
                "s: user.name is a, wanted: x"
            ),
            (
                "s:\n    user.name: a\n    host.name: [b, c]\ncondition: s",
                "s: host.name is missing, wanted: b or c"
            ),
            (
                "s:\n    - user.name: x\n    - user.name: y\ncondition: s",
                "s: user.name is a, wanted: x; nor user.name is a, wanted: y"
            ),
            (
                "s:\n    user.name: x\nt:\n    user.name|gte: 2\ncondition: s or t",
                "s: user.name is a, wanted: x; nor t: user.name is a, wanted: 2 or more"
            ),
            // What excludes it.
            ("s:\n    user.name: a\ncondition: not s", "excluded: s: user.name is a"),
            (
                "s:\n    user.name: '*'\nt:\n    user.name|exists: true\ncondition: s and not 1 of t*",
                "excluded: t: user.name is a"
            ),
            (
                "s:\n    user.name|cidr: 192.0.2.0/24\ncondition: s",
                "s: user.name is a, wanted: in 192.0.2.0/24"
            ),
            (
                "s:\n    user.name|re: '^b'\ncondition: s",
                "s: user.name is a, wanted: text that matches /^b/"
            ),
            ("s:\n    user.name|neq: a\ncondition: s", "s: user.name is a, wanted: not a"),
            ("s: [needle]\ncondition: s", "s: the words stand in no field, wanted: *needle*"),
        ] as [(String, String)]
    )
    func aReasonNamesTheFirstConditionThatFailed(detection: String, reason: String) {
        let text = oneRule(detection)
        let rules = RuleReading([RuleFile(name: "t.yml", bytes: Array(text.utf8))]).rules
        var explainer = RuleExplainer(rules)
        var fields = EventFields(fieldCount: explainer.table.count)
        fields.setText("a", at: EventField.userName.index)
        let explanations = explainer.explain(fields, .submitted)
        #expect(explanations.map(\.explanation.reason) == [reason])
    }

    @Test(
        arguments: [
            // A number equals its decimal text, in both directions.
            ("size: 3", PlainValue.text("3"), true), ("size: 3", .integer(3), true),
            ("size: 3", .number(3), true),
            ("size: '3'", .integer(3), true), ("size: 3", .text("3.0"), false),
            ("size: 3", .text("03"), false),
            ("size: 2.5", .text("2.5"), true), ("size|contains: '.5'", .number(2.5), true),
            ("size|gt: 9", .text("10"), true), ("size|gt: 9", .text("x10"), false),
            ("size|gt: 9", .bool(true), false),
            ("size|gte: 9007199254740993", .integer(9_007_199_254_740_992), false),
            // Booleans are JSON's.
            ("size: true", .bool(true), true), ("size: true", .text("true"), false),
            ("size: false", .null, false),
            // Null, the empty text and existence.
            ("size: null", .null, true), ("size: ''", .null, false), ("size: ''", .text(""), true),
            ("size: null", .text(""), false), ("size|exists: true", .null, true),
            ("size: '*'", .text(""), true),
            ("size: '*'", .null, false), ("size|neq: 5", .null, true),
            ("size|neq: 5", .integer(5), false),
            // Case, by simple folding: one letter stands for one letter.
            ("size: ÜBER", .text("über"), true), ("size: 'ΣΊΣΥΦΟΣ'", .text("σίσυφος"), true),
            ("size: K", .text("\u{212A}"), true), ("size: straße", .text("STRASSE"), false),
            ("size: straße", .text("STRAẞE"), true), ("size|cased: über", .text("Über"), false),
            ("size: '?'", .text("ß"), true), ("size: '??'", .text("ß"), false),
            ("size: 'a?c'", .text("aÜc"), true),
            // Regular expressions know Unicode and are not anchored.
            ("size|re: '^\\w+$'", .text("über"), true), ("size|re: ber", .text("über"), true),
            ("size|re: ÜBER", .text("über"), false), ("size|re|i: ÜBER", .text("über"), true),
            ("size|re: '^b'", .text("a\nb"), false), ("size|re|m: '^b'", .text("a\nb"), true),
            ("size|re: 'a.b'", .text("a\nb"), false), ("size|re|s: 'a.b'", .text("a\nb"), true),
            ("size|re: '(?:[^\\W\\d_].*?){8}'", .text("a b-c d e f g 1 h"), true),
            ("size|re: '^$'", .text(""), true), ("size|re: '^10$'", .integer(10), true),
            // Times in UTC.
            ("size|hour: 22", .text("2026-03-01T00:30:00+02:00"), true),
            ("size|day: 28", .text("2026-03-01T00:30:00+02:00"), true),
            ("size|hour: 0", .integer(0), true), ("size|year: 2001", .integer(1_000_000_000), true),
            ("size|year: 2001", .integer(1_000_000_000_000), true),
            ("size|week: 53", .text("2021-01-03 12:00:00.5Z"), true),
            ("size|hour|gte: 18", .text("2026-03-01T17:59:59Z"), false),
            ("size|year: 2026", .text("2026-02-30T00:00:00Z"), false),
        ] as [(String, PlainValue, Bool)]
    )
    func aValueIsWhatTheRuleAsksFor(line: String, value: PlainValue, matches: Bool) {
        var harness = Harness(oneRule("s:\n    \(line)\ncondition: s"))
        #expect(harness.mistakes == [])
        #expect(harness.matches(["size": value]) == (matches ? [0] : []))
    }

    @Test func anAbsentFieldIsNullAndDoesNotExist() {
        for (line, matches) in [
            ("a: null", true), ("a|exists: false", true), ("a: ''", false), ("a|neq: x", true),
        ] {
            var harness = Harness(oneRule("s:\n    \(line)\ncondition: s"))
            #expect(harness.matches(["b": .text("x")]) == (matches ? [0] : []), "\(line)")
        }
    }

    @Test func aKeywordIsSoughtInEveryFieldNamedOrNot() {
        var harness = Harness(oneRule("s: [needle, 587]\ncondition: s"), fields: ["a"])
        #expect(harness.matches(["a": .text("a NEEDLE here")]) == [0])
        #expect(harness.matches(["elsewhere": .text("a NEEDLE here")]) == [0])
        #expect(harness.matches(["elsewhere": .integer(15_870)]) == [0])
        #expect(harness.matches(["a": .text("hay"), "b": .null]) == [])
    }

    @Test func aBadExpressionIsAMistakeWithItsPlaceAndOffset() {
        let harness = Harness(oneRule("s:\n    a|re: ['ok', 'x(y']\ncondition: s"))
        #expect(
            harness.mistakes.map(\.description) == [
                "t.yml:7:22: bad regular expression at offset 3: missing closing parenthesis"
            ]
        )
    }

    @Test(arguments: [
        "(?C1)a", "a\\Cb", "(?<n>a)(?P=n)", "\\p{L}+\\X", "(*LIMIT_MATCH=9999999)a", "(?R)",
        "[[:<:]]x", "a{0,65535}", "(((a{1,999}){1,999}){1,9})",
    ])
    func strangeExpressionsAreRefusedOrRun(pattern: String) {
        var harness = Harness(oneRule("s:\n    a|re: '\(pattern)'\ncondition: s"))
        _ = harness.matches(["a": .text("aaa b"), "b": .text("")])
        _ = harness.matches(["a": .text("")])
    }

    @Test func anExpressionThatReachesTheLimitMatchesNothingAndIsCounted() {
        var limits = MatchLimits()
        limits.regexMatchLimit = 1_000
        var harness = Harness(oneRule("s:\n    a|re: '^(a+)+$'\ncondition: s"), limits: limits)
        #expect(harness.matches(["a": .text("aaaa")]) == [0])
        #expect(harness.matcher.regexLimitCount == 0)
        #expect(harness.matches(["a": .text(String(repeating: "a", count: 60) + "b")]) == [])
        #expect(harness.matcher.regexLimitCount == 1)
        #expect(harness.matcher.regexLimitCount(ofRule: 0) == 1)
    }

    @Test func bytesThatAreNoTextAreSearchedAroundThem() {
        let harness = Harness(
            oneRule("s:\n    a|re: 'wor?ld'\n    a|contains: WORLD\ncondition: s")
        )
        var event = EventFields(fieldCount: harness.fields.count)
        var matcher = RuleMatcher(harness.matcher.plan)
        var found: [Int] = []
        let bytes: [UInt8] = [0xFF, 0xC3] + Array("world".utf8) + [0xE2, 0x82]
        event.setText(bytes.span, at: FieldIndex(position: 0))
        matcher.evaluate(event, into: &found)
        #expect(found == [0])
    }

    @Test func aPlanTellsWhichFieldsARuleNames() {
        let text =
            oneRule("s:\n    a: 1\n    b|fieldref: c\nt: [x]\ncondition: s or t")
            + "---\ntitle: F\nid: f\nlogsource: {}\nfilter: {rules: r, s: {d: 1}, condition: not s}\n"
        let harness = Harness(text, fields: ["x", "d"])
        let plan = harness.matcher.plan
        #expect(
            plan.fieldsUsed(by: 0).map { harness.fields.names[$0.position] } == [
                "d", "a", "b", "c",
            ]
        )
        #expect(plan.searchesEveryField(0))
    }

    @Test func rulesThatAreLeftOutKeepTheirIndices() {
        let text =
            oneRule("s: {a: 1}\ncondition: s") + "---\n"
            + oneRule("s: {a: 1}\ncondition: s").replacing("id: r", with: "id: q")
        let reading = RuleReading([RuleFile(name: "t", bytes: Array(text.utf8))])
        var fields = FieldTable()
        var mistakes: [Mistake] = []
        let plan = MatchPlan(reading.rules, fields: &fields, mistakes: &mistakes) { $0 == 1 }
        var matcher = RuleMatcher(plan)
        var event = EventFields(fieldCount: fields.count)
        var found: [Int] = []
        event.set(.integer(1), at: FieldIndex(position: 0))
        matcher.evaluate(event, into: &found)
        #expect(found == [1])
        #expect(plan.ruleCount == 2)
    }
}
