import Sigma
import TestSupport
import Testing

@Suite struct MistakeTests {
    /// Each file has one mistake: `LINE:COLUMN: how it begins`.
    @Test(arguments: mistakes)
    func aMistakeIsToldWithItsPlace(text: String, expected: String) throws {
        let reading = read(text)
        let first = try #require(reading.mistakes.first)
        #expect("\(first)".hasPrefix("t.yml:\(expected)"), "\(reading.mistakes)")
        #expect(reading.mistakes.count == 1, "\(reading.mistakes)")
    }

    /// Each is the body of a correlation over a rule `base`; the file's lines are counted.
    @Test(arguments: correlationMistakes)
    func aMistakeInACorrelationIsToldWithItsPlace(body: String, expected: String) throws {
        let indented = body.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n")
        let base = rule("s: {a: 1}\ncondition: s", name: "base")
        let text = base + "---\nid: c\ntitle: C\ncorrelation:\n\(indented)\nlevel: low\n"
        let reading = read(text)
        let first = try #require(reading.mistakes.first)
        let place = "t.yml:\(expected)"
        #expect("\(first)".hasPrefix(place), "\(reading.mistakes)")
        #expect(reading.mistakes.count == 1, "\(reading.mistakes)")
    }

    @Test func allMistakesOfAllFilesAreToldAtOnceInTheirOrder() {
        let first =
            rule("s: {a|gt: x, b|nope: 1}\ncondition: s") + "---\n"
            + rule("s: {a: 1}\ncondition: t", id: "r2")
        let second = rule("s: {a: 1}\ncondition: s", id: "same")
        let third = rule("s: {a: 1}\ncondition: s", id: "same")
        let reading = RuleReading([
            RuleFile(name: "a", bytes: Array(first.utf8)),
            RuleFile(name: "b", bytes: [0x61, 0xFF]),
            RuleFile(name: "c", bytes: Array(second.utf8)),
            RuleFile(name: "d", bytes: Array(third.utf8)),
        ])
        #expect(
            reading.mistakes.map { "\($0.file):\($0.line):\($0.column)" }
                == ["a:5:15", "a:5:20", "a:14:16", "b:1:2", "d:2:5"]
        )
    }

    /// A mistake of one document keeps none of another back.
    @Test func aDocumentWithAMistakeKeepsItsNames() {
        let broken = rule("s: {a|gt: x, b|re: '('}\ncondition: s and t", id: "one", name: "uno")
        let text =
            broken + "---\n" + rule("s: {a: 1}\ncondition: s", id: "one") + "---\n"
            + rule("s: {a: 1}\ncondition: s", id: "two", name: "uno")
            + "---\ntitle: C\nid: c\nlevel: low\n"
            + "correlation: {type: temporal, rules: [uno, dos], timespan: 1h}\n"
            + "---\ntitle: F\nid: f\nfilter: {rules: [one], s: {a: 1}, condition: not s}\n"
        let reading = read(text)
        #expect(
            reading.mistakes.map(\.description) == [
                "t.yml:6:15: `gt` takes a number; this is text",
                "t.yml:7:22: there is no search `t`; did you mean `s`?",
                "t.yml:11:5: the id `one` is taken by the rule at t.yml:2",
                "t.yml:20:7: the name `uno` is taken by the rule at t.yml:3",
                "t.yml:30:44: there is no rule `dos`",
            ]
        )
        #expect(reading.expressions.map(\.pattern) == [RegexPattern("(")])
        #expect(reading.expressions.map(\.place.line) == [6])
    }

    @Test func twoRulesWithNothingButOneTitleAreToldSo() {
        let text = "title: Same\nlogsource: {}\ndetection: {s: {a: 1}, condition: s}\nlevel: low\n"
        #expect(
            read(text + "---\n" + text).mistakes.map(\.description) == [
                "t.yml:6:1: the title `Same` is taken by the rule at t.yml:1; give this one an `id`"
            ]
        )
        #expect(read(text + "---\n" + text + "id: x\n").mistakes == [])
        // A rule that cannot be named is no namesake of another.
        #expect(read("detection: 1\n---\ndetection: 1\n").mistakes.count == 4)
    }

    @Test func cyclesOfSeveralCorrelationsAreToldForEachOfThem() {
        func correlation(_ id: String, on base: String) -> String {
            "---\ntitle: T\nid: \(id)\nlevel: low\ncorrelation: {type: temporal, rules: \(base), timespan: 1h}\n"
        }
        let text =
            correlation("a", on: "b") + correlation("b", on: "c") + correlation("c", on: "a")
            + correlation("d", on: "a")
        #expect(read(text).mistakes.map(\.line) == [5, 10, 15])
    }

    @Test(arguments: [31, 32, 1_200, 100_000])
    func listsNestedTooDeepAreRefused(depth: Int) {
        // The document's own map is level 1.
        let text =
            "a: " + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        let mistakes = read(text).mistakes
        #expect(mistakes.count == 1)
        #expect(mistakes.first?.message.contains("nested") == (depth > 31))
    }

    @Test func conditionsNestedTooDeepAreRefused() {
        for depth in [63, 64, 10_000] {
            let condition = String(repeating: "not ", count: depth) + "s"
            let mistakes = read(rule("s: {a: 1}\ncondition: \(condition)")).mistakes
            #expect(mistakes.isEmpty == (depth < 64))
        }
    }

    @Test func aliasesThatWouldGrowWithoutBoundAreRefusedQuickly() {
        var text = "a: &a [x]\n"
        for (last, next) in zip("abcdefghijklmnopqrstuvwxy", "bcdefghijklmnopqrstuvwxyz") {
            text += "\(next): &\(next) [*\(last), *\(last), *\(last)]\n"
        }
        #expect(read(text + "? *z\n: 1\n").mistakes.map(\.line) == [1])
    }

    /// forall damaged rule files: reading ends, and every mistake has a place inside the file.
    @Test(arguments: 1...64)
    func damagedFilesNeverTrap(seed: UInt64) {
        var random = SeededGenerator(scattered: seed)
        let seeds = [
            burst, line("a|re|i: '(x'"), line("a|base64offset|contains: [x, \"y\\u00e9\"]"),
            rule(
                "s:\n    - a: [1, 2.5, null, 'x*']\n    - b|windash|all: ['-a', '/b']\ncondition: 1 of them"
            ),
        ]
        let bits = [
            "|", ": ", "\n", "- ", "*", "&a", "*a", "%", "not ", "(", ")", "[", "]", "{", "}", "'",
            "\"",
            "\\", "---\n", "...\n", "\t", "#", "!!", "? ", "1 of ", "|all", "|expand", "\u{FEFF}",
            "\r", "\u{85}",
            "|re", "|cidr", "99999999999999999999", "correlation:", "filter:", "|-\n", ">\n",
        ]
        for _ in 0..<40 {
            var bytes = Array((seeds.randomElement(using: &random) ?? burst).utf8)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let at = Int.random(in: 0...bytes.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0:
                    bytes.insert(
                        contentsOf: (bits.randomElement(using: &random) ?? "").utf8,
                        at: at
                    )
                case 1 where at < bytes.count: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 2 where at < bytes.count:
                    bytes[at] = UInt8.random(in: 32...126, using: &random)
                case 3:
                    bytes.removeSubrange(
                        at..<min(bytes.count, at + Int.random(in: 0...20, using: &random))
                    )
                default:
                    let end = min(bytes.count, at + Int.random(in: 0...60, using: &random))
                    bytes.insert(
                        contentsOf: bytes[at..<end],
                        at: Int.random(in: 0...bytes.count, using: &random)
                    )
                }
            }
            let reading = RuleReading(
                [RuleFile(name: "x", bytes: bytes)],
                placeholders: ["a": ["b"]]
            )
            // libYAML also counts lines by NEL, LS and PS, and CR alone.
            let lineCount =
                String(decoding: bytes, as: UTF8.self).unicodeScalars
                .filter { ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"].contains($0) }.count + 2
            for mistake in reading.mistakes + reading.warnings {
                #expect((1...lineCount).contains(mistake.line))
                #expect(mistake.column >= 1)
            }
        }
    }
}

/// A file and its only mistake: `LINE:COLUMN: how it begins`.
private let mistakes: [(String, String)] = [
    // YAML
    ("title: T\n\tid: x\n", "2:1: a tab cannot indent"),
    ("title: T\ntitle: U\ndetection: {}\n", "1:1: the key `title` stands here more than once"),
    ("a: &x 1\n", "1:4: YAML anchors and aliases"),
    ("a: *x\n", "1:4: YAML anchors and aliases"),
    ("a: {<<: {b: 1}}\n", "1:5: YAML merge keys"),
    ("a: !foo 1\n", "1:4: the YAML tag `!foo`"),
    ("a: [1\n", "2:1: YAML:"),
    ("a: \u{1}\n", "1:4: a control character"),
    ("- a\n", "1:1: a rule is a map, not a list"),
    ("title: T\n", "1:1: expected `detection`, `correlation` or `filter`"),
    ("[a]: 1\n", "1:1: a key must be text"),
    // Heads
    (
        "id: a\nlogsource: {}\ndetection: {s: {a: 1}, condition: s}\n",
        "1:1: the rule has no `title`"
    ),
    (rule("s: {a: 1}\ncondition: s") + "status: old\n", "8:9: `status` must be one of"),
    (rule("s: {a: 1}\ncondition: s") + "name: [a]\n", "8:7: `name` must be text, not a list"),
    (
        rule("s: {a: 1}\ncondition: s") + "postern: {silense: 1h}\n",
        "8:11: `postern` has no key `silense`; did you mean `silence`?"
    ),
    (
        rule("s: {a: 1}\ncondition: s") + "postern: {resolve: 5}\n",
        "8:20: `resolve` must be a time span"
    ),
    (
        rule("s: {a: 1}\ncondition: s") + "postern: {diagnosis: x}\n",
        "8:22: `diagnosis` must be one of"
    ),
    // Detections
    (rule("s: {a: 1}"), "5:5: `detection` has no `condition`"),
    (rule("condition: s"), "5:5: `detection` has no search"),
    (rule("s: {a: 1}\ncondition: sel"), "6:16: there is no search `sel`"),
    (rule("s: {a: 1}\ncondition: s and"), "6:21: the condition ends"),
    (rule("s: {a: 1}\ncondition: 's s'"), "6:19: expected `and`, `or` or the end"),
    (rule("s: {a: 1}\ncondition: (s"), "6:18: expected `)`"),
    (rule("s: {a: 1}\ncondition: s AND s"), "6:18: expected `and`, `or` or the end"),
    (rule("s: {a: 1}\ncondition: 2 of s*"), "6:16: expected `1 of` or `all of`"),
    (rule("s: {a: 1}\ncondition: 1 of x*"), "6:16: no search fits `x*`"),
    (rule("s: {a: 1}\ncondition: s | count() > 1"), "6:18: `|` in a condition"),
    (rule("s: {}\ncondition: s"), "5:8: an empty map"),
    (rule("s: []\ncondition: s"), "5:8: an empty list"),
    (rule("s: {a: []}\ncondition: s"), "5:12: an empty list"),
    (rule("s: {a: {b: 1}}\ncondition: s"), "5:12: a value is a scalar or a list"),
    (rule("s: null\ncondition: s"), "5:8: null needs a field"),
    // Chains
    (line("a|contain: x"), "6:11: there is no modifier `contain`; did you mean `contains`?"),
    (line("a|: x"), "6:11: a modifier is missing"),
    (line("'a|x': x"), "6:12: there is no modifier `x`"),
    (line("a|contains|contains: x"), "6:20: `contains` stands here twice"),
    (line("a|contains|endswith: x"), "6:20: `contains`, `startswith` and `endswith`"),
    (line("a|contains|re: x"), "6:20: `re` must be the first modifier"),
    (line("a|windash|re: x"), "6:19: `re` must be the first modifier"),
    (line("a|cased|re: x"), "6:17: `re` must be the first modifier"),
    (line("a|gt|cidr: x"), "6:14: `cidr` must be the first modifier"),
    (
        line("a|contains|base64: x"),
        "6:20: `base64` must stand before `contains`: write `base64|con"
    ),
    (line("a|endswith|fieldref: x"), "6:20: `fieldref` must stand before `endswith`: write `field"),
    (line("a|base64|expand: '%x%'"), "6:11: `base64` must stand behind `expand`: write `expand|b"),
    (line("a|cidr|expand: '%x%'"), "6:11: `cidr` takes networks, no placeholders"),
    (line("a|i: x"), "6:11: `i` is a flag of `re`"),
    (line("a|re|cased: x"), "6:14: `cased` makes no sense after a regular expression"),
    (line("a|cidr|contains: 10.0.0.0/8"), "6:16: `contains` makes no sense after a network"),
    (line("a|cidr: 10.0.0.1/8"), "6:17: the network has bits set"),
    (line("a|cidr: 10.0.0.0/33"), "6:17: expected a network"),
    (line("a|gt: ten"), "6:15: `gt` takes a number; this is text"),
    (line("a|gt: true"), "6:15: `gt` takes a number; this is a boolean"),
    (line("a|gt: null"), "6:15: `gt` takes a number; this is null"),
    (line("a|hour: false"), "6:17: `hour` takes a number; this is a boolean"),
    (line("a|gt|lt: 5"), "6:14: `lt` makes no sense after a comparison"),
    (line("a|contains: 5"), "6:21: `contains` takes text; this is a number"),
    (line("a|exists: 5"), "6:19: `exists` takes true or false"),
    (line("a|exists: [true, false]"), "6:11: `exists` takes one value"),
    (line("a|exists|all: true"), "6:18: `all` makes no sense with `exists`"),
    (line("a|fieldref: 'b*'"), "6:21: a field reference must be"),
    (line("a|base64: 'b*'"), "6:19: `base64` does not take wildcards"),
    (line("a|windash: '-a -b -c -d'"), "6:20: `windash` takes at most three"),
    (line("a|expand: '%who%'"), "6:19: the placeholder `%who%` has no value"),
    (line("a|hour: 1.5"), "6:17: `hour` takes a whole number"),
    (line("'|exists': true"), "6:20: a test for existence needs a field"),
]

/// The body of a correlation and its only mistake.
private let correlationMistakes: [(String, String)] = [
    (
        "type: event_count\nrules: bass\ntimespan: 1h\ncondition: {gte: 1}",
        "14:12: there is no rule `bass`; did you mean `base`?"
    ),
    (
        "type: event_count\nrules: base\ntimespan: 1x\ncondition: {gte: 1}",
        "15:15: `timespan` must be a time span"
    ),
    (
        "type: event_count\nrules: base\ncondition: {gte: 1}",
        "13:5: `correlation` has no `timespan`"
    ),
    (
        "type: event_cuont\nrules: base\ntimespan: 1h\ncondition: {gte: 1}",
        "13:11: `type` must be one of"
    ),
    ("rules: base\ntimespan: 1h\ncondition: {gte: 1}", "13:5: `correlation` has no `type`"),
    (
        "type: event_count\ntimespan: 1h\ncondition: {gte: 1}",
        "13:5: `correlation` has no `rules`"
    ),
    (
        "type: event_count\nrules: [base, base]\ntimespan: 1h\ncondition: {gte: 1}",
        "14:19: `rules` names `base` twice"
    ),
    ("type: event_count\nrules: base\ntimespan: 1h", "13:5: `correlation` has no `condition`"),
    (
        "type: event_count\nrules: base\ntimespan: 1h\ncondition: {}",
        "16:16: the condition needs one of lt, lte, gt, gte, eq, neq, or two that bound a range, such as"
    ),
    (
        "type: event_count\nrules: base\ntimespan: 1h\ncondition: {gte: 1, gt: 3}",
        "16:25: `gte` and `gt` both bound from below; a range has one bound from below and one from"
    ),
    (
        "type: event_count\nrules: base\ntimespan: 1h\ncondition: {lt: 9, gte: 1, lte: 8}",
        "16:32: `lt` and `lte` both bound from above"
    ),
    (
        "type: event_count\nrules: base\ntimespan: 1h\ncondition: {gte: 1, eq: 3}",
        "16:25: `eq` goes with no other comparison"
    ),
    (
        "type: event_count\nrules: base\ntimespan: 1h\ncondition: {lt: 3, neq: 1}",
        "16:24: `neq` goes with no other comparison"
    ),
    (
        "type: event_count\nrules: base\ntimespan: 1h\ncondition: {gt: 200, lte: 100}",
        "16:26: no number is both `gt: 200` and `lte: 100`"
    ),
    (
        "type: value_avg\nrules: base\ntimespan: 1h\ncondition: {field: a, lt: 2.5, gte: 2.5}",
        "16:36: no number is both `gte: 2.5` and `lt: 2.5`"
    ),
    (
        "type: event_count\nrules: base\ntimespan: 1h\ncondition: {gte: x}",
        "16:22: `gte` must be a number"
    ),
    (
        "type: event_count\nrules: base\ntimespan: 1h\ncondition: {gte: 1, field: a}",
        "16:25: `event_count` counts events"
    ),
    (
        "type: value_count\nrules: base\ntimespan: 1h\ncondition: {gte: 1}",
        "16:16: `value_count` needs a `field`"
    ),
    (
        "type: value_sum\nrules: base\ntimespan: 1h\ncondition: {gte: 1, field: [a, b]}",
        "16:25: `value_sum` takes one field"
    ),
    (
        "type: value_percentile\nrules: base\ntimespan: 1h\ncondition: {gte: 1, field: a}",
        "16:16: `value_percentile` needs a `percentile`"
    ),
    (
        "type: value_percentile\nrules: base\ntimespan: 1h\ncondition: {gte: 1, field: a, percentile: 101}",
        "16:47: `percentile` must be"
    ),
    (
        "type: value_sum\nrules: base\ntimespan: 1h\ncondition: {gte: 1, field: a, percentile: 5}",
        "16:35: `percentile` belongs to"
    ),
    (
        "type: temporal\nrules: base\ntimespan: 1h\ncondition: {gte: 2}",
        "16:16: `temporal` counts one rule here, and that is never `gte: 2`"
    ),
    (
        "type: temporal\nrules: base\ntimespan: 1h\ncondition: {gte: 1, field: a}",
        "16:25: `temporal` counts rules, no `field`"
    ),
    (
        "type: temporal\nrules: base\ntimespan: 1h\ncondition: base and bose",
        "16:25: `rules` does not name `bose`; did you mean `base`?"
    ),
    (
        "type: event_count\nrules: base\ntimespan: 1h\ncondition: base",
        "16:16: the condition of `event_count` must be a map"
    ),
    (
        "type: temporal\nrules: base\ntimespan: 1h\ngroupby: a",
        "16:5: `correlation` has no key `groupby`; did you mean `group-by`?"
    ),
    (
        "type: temporal\nrules: base\ntimespan: 1h\naliases: {x: {bose: y}}",
        "16:19: `rules` does not name `bose`"
    ),
    (
        "type: temporal\nrules: base\ntimespan: 1h\ngenerate: 1",
        "16:15: `generate` must be true or false"
    ),
    ("type: temporal\nrules: c\ntimespan: 1h", "14:12: builds on itself"),
]
