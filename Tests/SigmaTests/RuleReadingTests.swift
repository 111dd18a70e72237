import Sigma
import TestSupport
import Testing

@Suite struct RuleReadingTests {
    @Test func aFileGivesItsRulesInAnyOrderOfDocuments() throws {
        let reading = read(burst)
        #expect(reading.mistakes == [])
        #expect(reading.warnings == [])
        let rules = reading.rules
        let correlation = try #require(rules.correlations.first)
        #expect(correlation.kind == .valueCount)
        #expect(correlation.rules == [.detection(0)])
        #expect(correlation.groupBy == ["user.name"])
        #expect(correlation.timespanSeconds == 3_600)
        #expect(
            correlation.trigger
                == .figure(
                    FigureBounds(.greaterOrEqual, Number(Int64(3))),
                    fields: ["destination.domain"],
                    percentile: nil
                )
        )
        #expect(correlation.level == .high)
        #expect(correlation.head.status == .experimental)
        #expect(correlation.head.tags == ["attack.t1534"])
        #expect(correlation.head.postern.silenceSeconds == 21_600)
        #expect(correlation.head.postern.resolveSeconds == 1_800)
        #expect(correlation.head.postern.remediation == "outlook-read-receipts")
        #expect(correlation.head.postern.diagnosis == .outlookReceipts)

        let base = try #require(rules.detections.first)
        #expect(base.searches.map(\.name) == ["receipt", "known_heard", "known_internal"])
        #expect(
            base.condition
                == .all([.search(0), .not(.any([.search(1), .search(2)]))])
        )
        #expect(base.filters == [0])
        #expect(base.head.place == Place(file: "t.yml", line: 27, column: 1))
        #expect(rules.filters[0].condition == .not(.search(0)))
        // Each document keeps its own text, and together they are the file.
        let texts = [correlation.head.text, base.head.text, rules.filters[0].head.text]
        #expect(texts.joined() == burst)
        #expect(base.head.text.hasPrefix("---\n# the base\ntitle: Base\n"))
    }

    /// Editors of Windows write one.
    @Test func aByteOrderMarkIsNoPartOfTheText() {
        for start in ["", "---\n", "# a comment\n---\n"] {
            let text = start + line("a: 1")
            let reading = read("\u{FEFF}" + text)
            #expect(reading.mistakes == [])
            #expect(reading.rules.detections == read(text).rules.detections)
        }
        #expect(read("\u{FEFF}title: [\n").mistakes == read("title: [\n").mistakes)
        #expect(read("\u{FEFF}a\u{1}").mistakes.map(\.column) == [2])
        let second = "\u{FEFF}" + line("a: 1") + "\u{FEFF}---\n" + line("b: 1")
        #expect(read(second).mistakes != [])
    }

    @Test(arguments: [
        ("a", "text"), ("'1'", "text"), ("\"true\"", "text"), ("12:30", "text"),
        ("2026-01-02", "text"), ("1e3", "text"), (".inf", "text"), ("08", "text"),
        ("!!str 5", "text"),
        ("5", "5"), ("-5", "-5"), ("+5", "5"), ("1_000", "1000"), ("0x1F", "31"), ("010", "8"),
        ("0o10", "8"), ("0b101", "5"), ("2.50", "2.5"), ("3.0", "3"), ("1.5e+2", "150"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9.223372036854776e+18"),
        ("true", "true"), ("Yes", "true"), ("off", "false"),
        ("null", "null"), ("~", "null"), ("", "null"),
    ])
    func plainScalarsHaveTheTypesThatPyYAMLGivesThem(written: String, meaning: String) {
        let found =
            switch predicates("f: \(written)").first {
            case .text?: "text"
            case .number(let number)?: number.text
            case .boolean(let flag)?: "\(flag)"
            case .null?: "null"
            default: "?"
            }
        #expect(found == meaning)
    }

    @Test(arguments: [
        (#"'a\*b'"#, ["a*b"]), (#"'a\?b'"#, ["a?b"]), (#"'a\\*'"#, [#"a\"#, "*"]),
        (#"'C:\dir\*x'"#, [#"C:\dir*x"#]), (#"'end\'"#, [#"end\"#]), ("'a**b'", ["a", "*", "b"]),
        ("'?*'", ["?", "*"]), ("''", []),
    ])
    func backslashesInStringsEscapeOnlyWildcardsAndThemselves(written: String, parts: [String]) {
        guard case .text(let pattern, false)? = predicates("f: \(written)").first else {
            Issue.record("no text")
            return
        }
        let found = pattern.parts.map { part in
            switch part {
            case .literal(let bytes): String(decoding: bytes, as: UTF8.self)
            case .anyText: "*"
            case .anyCharacter: "?"
            }
        }
        #expect(found == parts)
    }

    /// Values that pySigma 2.0.1 gives for the same lines (1.5 wrote the mark of `utf16` in UTF-8).
    @Test(arguments: [
        ("f|contains: x", ["*x*"]), ("f|startswith: x", ["x*"]), ("f|endswith: x", ["*x"]),
        ("f|base64: foobar", ["Zm9vYmFy"]),
        ("f|base64offset|contains: foobar", ["*Zm9vYmFy*", "*Zvb2Jhc*", "*mb29iYX*"]),
        ("f|wide|base64: cmd", ["YwBtAGQA"]), ("f|utf16|base64: cmd", ["//5jAG0AZAA="]),
        ("f|utf16be|base64: cmd", ["AGMAbQBk"]), ("f|utf16le|base64: cmd", ["YwBtAGQA"]),
        (
            "f|windash|contains: ' -a b-c'",
            ["* -a b-c*", "* /a b-c*", "* –a b-c*", "* —a b-c*", "* ―a b-c*"]
        ),
        ("f|expand: '%who%@x'", ["ann@x", "b*@x"]),
        ("f|expand|base64: '%star%'", ["YW5u", "Yio="]),
        ("f|expand: '100% of %%'", ["100% of %%"]),
        ("f|windash: '–a'", ["-a", "/a", "–a", "—a", "―a"]),
        (
            "f|windash|contains: 'x ―a—b'",
            ["*x -a—b*", "*x /a—b*", "*x –a—b*", "*x —a—b*", "*x ―a—b*"]
        ),
        (
            "f|windash|expand: '-a %dash%'",
            ["-a -b", "/a -b", "–a -b", "—a -b", "―a -b"]
        ),
        ("f|contains|expand: '%who%'", ["*ann*", "*b*"]),
        ("f|expand|startswith: '%who%'", ["ann*", "b*"]),
        ("f|endswith|expand: 'u=%star%'", ["*u=ann", "*u=b*"]),
    ])
    func modifiersApplyFromLeftToRight(written: String, values: [String]) {
        let placeholders = [
            "who": ["ann", "b*"], "star": ["ann", "b\\*"], "dash": ["-b"], " of ": [],
        ]
        let found = literals(predicates(written, placeholders: placeholders))
        if written.contains("100%") {
            // `% of %` is a placeholder without a value: a mistake, not a guess.
            #expect(found == [])
        } else {
            #expect(found == values)
        }
    }

    /// Specification, Placeholders: a plain percent sign is escaped with a backslash.
    @Test(arguments: [
        (#"'\%plain%one%'"#, "%plain1"), (#"'\%one\%'"#, "%one%"), (#"'a\%%one%'"#, "a%1"),
        (#"'\\%one%'"#, #"\1"#), (#"'\\\%one%'"#, #"\%one%"#), (#"'%one%\'"#, #"1\"#),
        (#"'100\%'"#, "100%"), ("'%%one%'", "%1"), ("'%a*b%'", "%a*b%"), ("'50% %one%'", nil),
        (#"'C:\dir\\%one%'"#, #"C:\dir\1"#), (#"'\*%one%'"#, "*1"), ("'%one%%one%'", "11"),
    ])
    func aBackslashMakesAPercentSignPlain(written: String, text: String?) {
        let placeholders = ["one": ["1"]]
        let found = literals(predicates("f|expand: \(written)", placeholders: placeholders))
        #expect(found == (text.map { [$0] } ?? []))
        // What is not `expand` knows no percent signs.
        #expect(literals(predicates(#"f: 'a\%b'"#)) == [#"a\%b"#])
    }

    @Test(arguments: [
        (#"\%plain%one%"#, [#"\%plain1"#]), (#"\%one\%"#, [#"\%one\%"#]),
        (#"\d%one%.*"#, [#"\d1.*"#]), (#"\\%one%"#, [#"\\1"#]), ("%x%", ["a*", "b?"]),
    ])
    func placeholdersInExpressionsArePartsOfThem(written: String, patterns: [String]) {
        let found = predicates(
            "f|re|expand: '\(written)'",
            placeholders: ["one": ["1"], "x": ["a*", "b?"]]
        )
        #expect(found == patterns.map { .regex(RegexPattern($0)) })
    }

    /// Specification, Placeholders: `%Servers%` is replaced with the pattern `srv*`.
    @Test func valuesOfPlaceholdersArePatterns() {
        let placeholders = ["Servers": ["srv*"], "q": ["a?c", #"lit\*"#, #"d\\"#]]
        func found(_ line: String) -> [Predicate] { predicates(line, placeholders: placeholders) }
        func patterns(_ texts: String...) -> [Predicate] {
            texts.map { .text(TextPattern(sigma: $0), cased: false) }
        }
        #expect(found("f|expand: '%Servers%'") == patterns("srv*"))
        #expect(found("f|expand: 'x%q%*'") == patterns("xa?c*", #"xlit\**"#, #"xd\\*"#))
        #expect(found("f|contains|expand: '%q%'").count == 3)
        #expect(found("f|expand|wide: '%Servers%'").count == 1)
        #expect(
            found("f|expand|cased: '%Servers%'") == [.text(TextPattern(sigma: "srv*"), cased: true)]
        )
    }

    @Test(arguments: [
        (
            "a|expand|base64: 'x%who%'",
            "`base64` does not take wildcards; write `\\*` or `\\?` for the character; a value of the"
                + " placeholder `%who%` has some"
        ),
        (
            "a|expand|fieldref: '%who%'",
            "a field reference must be a field's name, without wildcards; a value of the placeholder"
                + " `%who%` has some"
        ),
        (
            "a|expand|base64: 'x*%one%'",
            "`base64` does not take wildcards; write `\\*` or `\\?` for the character"
        ),
    ])
    func aWildcardThatDoesNotFitNamesItsPlaceholder(written: String, message: String) {
        let reading = read(line(written), placeholders: ["who": ["ann", "b*"], "one": ["1"]])
        #expect(reading.mistakes.map(\.message) == [message])
    }

    @Test func aUUIDIsTheSameInEitherCase() throws {
        let lower = "929a690e-bef0-4204-a928-ef5e620d6fcc"
        let upper = lower.uppercased()
        let base = rule("s: {a: 1}\ncondition: s", id: lower) + "---\n"
        func correlation(_ body: String) -> String {
            base + "title: C\nid: c\nlevel: low\ncorrelation:\n    timespan: 1h\n    \(body)\n"
        }
        let count = "type: event_count\n    condition: {gte: 2}\n    rules"
        let reading = read(correlation("\(count): \(upper)"))
        #expect(reading.mistakes == [])
        #expect(reading.rules.correlations.first?.rules == [.detection(0)])
        // Reports name a rule as its author does.
        #expect(reading.rules.detections.first?.id == lower)
        let temporal = read(
            correlation(
                "type: temporal\n    rules: \(lower)\n    condition: \(upper)\n"
                    + "    aliases: {x: {\(upper): y}}\n    group-by: x"
            )
        )
        #expect(temporal.mistakes == [])
        #expect(temporal.rules.correlations.first?.trigger == .condition(.rule(0)))
        #expect(temporal.rules.correlations.first?.field(for: "x", ofRule: 0) == "y")
        #expect(
            read(correlation("\(count): [\(lower), \(upper)]")).mistakes.map(\.message)
                == ["`rules` names `\(upper)` twice"]
        )
        let twice = read(base + rule("s: {a: 1}\ncondition: s", id: upper))
        #expect(
            twice.mistakes.map(\.description)
                == ["t.yml:10:5: the id `\(upper)` is taken by the rule at t.yml:2"]
        )
        // Other names are looked at letter by letter.
        let names = read(
            rule("s: {a: 1}\ncondition: s", id: "x") + "---\n"
                + rule("s: {a: 1}\ncondition: s", id: "X")
        )
        #expect(names.mistakes == [])
    }

    @Test func metadataWithoutAValueIsMissing() {
        let text = "title: T\nid: r\nlogsource: {}\ndetection: {s: {a: 1}, condition: s}\n"
        let empty = read(text + "tags:\nauthor:\ndescription:\nstatus:\nlevel:\nreferences:\n")
        let plain = read(text)
        #expect(empty.mistakes == [])
        #expect(empty.warnings == plain.warnings)
        #expect(empty.rules.detections.first?.level == .medium)
        #expect(empty.rules.detections.first?.head.tags == [])
        #expect(empty.rules.detections.first?.head.status == nil)
        #expect(read(text + "status: ''\n").mistakes.map(\.message) == ["`status` is empty"])
    }

    /// Specification, Correlations, Generate: the key stands at the top.
    @Test func generateStandsBesideTheCorrelationOrInIt() {
        func found(_ outer: String, _ inner: String) -> (generate: Bool?, messages: [String]) {
            let reading = read(
                rule("s: {a: 1}\ncondition: s", id: "a")
                    + "---\ntitle: C\nid: c\nlevel: low\n\(outer)correlation:\n    type: temporal\n"
                    + "    rules: a\n    timespan: 1h\n\(inner)"
            )
            return (reading.rules.correlations.first?.generate, reading.mistakes.map(\.description))
        }
        #expect(found("", "").generate == false)
        #expect(found("generate: true\n", "").generate == true)
        #expect(found("", "    generate: true\n").generate == true)
        #expect(found("generate: true\n", "    generate: true\n").messages == [])
        #expect(
            found("generate: maybe\n", "").messages
                == ["t.yml:12:11: `generate` must be true or false, not text"]
        )
        #expect(
            found("generate: false\n", "    generate: true\n").messages
                == ["t.yml:17:5: `generate` is true here and false beside `correlation`"]
        )
    }

    @Test func aFilterForARuleOfAnotherLogSourceIsAWarning() {
        func filter(_ source: String) -> String {
            rule("sel: {a: 1}\ncondition: sel") + "---\ntitle: F\nid: f\nlogsource: \(source)\n"
                + "filter: {rules: [r1], s: {a: 1}, condition: not s}\n"
        }
        for source in ["{category: mail}", "{}"] {
            #expect(read(filter(source)).warnings == [])
        }
        let reading = read(filter("{category: web, product: x}"))
        #expect(reading.mistakes == [])
        #expect(reading.rules.detections[0].filters == [0])
        #expect(
            reading.warnings.map(\.description) == [
                "t.yml:12:18: the filter is for category `web`, product `x`, and `r1` is for"
                    + " category `mail`; it applies all the same"
            ]
        )
    }

    /// forall texts x and surroundings: Base64 of the whole contains one of the three variants.
    @Test(arguments: 1...200)
    func base64offsetFindsTheTextAtEveryOffset(seed: UInt64) {
        var random = SeededGenerator(scattered: seed)
        func letters(_ range: ClosedRange<Int>) -> String {
            String(
                (0..<Int.random(in: range, using: &random)).map { _ in
                    "abcXYZ019".randomElement(using: &random) ?? "a"
                }
            )
        }
        let needle = letters(1...9)
        let before = letters(0...5)
        let after = letters(0...5)
        let whole = literals(predicates("f|base64: '\(before + needle + after)'"))
        let variants = literals(predicates("f|base64offset: '\(needle)'"))
        #expect(whole.count == 1)
        #expect(variants.contains { whole[0].contains($0) })
    }

    @Test func keywordsAreFoundAnywhereInAField() {
        let reading = read(rule("words: [foo, 5]\ncondition: words"))
        guard case .test(let test)? = reading.rules.detections.first?.searches[0].clause else {
            Issue.record("no keywords")
            return
        }
        #expect(test.field == nil)
        #expect(literals(test.values.flatMap(\.alternatives)) == ["*foo*", "*5*"])
        #expect(literals(predicates("'|endswith': foo")) == ["*foo"])
    }

    @Test(arguments: [
        ("1s", 1), ("90s", 90), ("5m", 300), ("6h", 21_600), ("7d", 604_800), ("2w", 1_209_600),
        ("1M", 2_592_000), ("1y", 31_536_000),
    ])
    func timespansAreWholeSeconds(text: String, seconds: Int64) {
        #expect(timespanSeconds(text) == seconds)
    }

    @Test(arguments: [
        "", "1", "h", "0s", "-1s", "1.5h", "1 h", "1H", "101y", "99999999999999y", "1hs",
    ])
    func otherTextsAreNoTimespans(text: String) {
        #expect(timespanSeconds(text) == nil)
    }

    @Test func correlationsMayBuildOnCorrelationsAndOnConditions() throws {
        let text = """
            \(rule("sel: {a: 1}\ncondition: sel", id: "1", name: "one"))
            ---
            \(rule("sel: {a: 2}\ncondition: sel", id: "2", name: "two"))
            ---
            title: Top
            id: top
            level: high
            correlation:
                type: temporal
                group-by: account
                timespan: 5m
                aliases: {account: {one: user, inner: user.name}}
                condition: one and not inner
            ---
            title: Inner
            id: inner
            level: low
            correlation: {type: temporal_ordered, rules: [one, "2"], timespan: 1w, generate: true}
            """
        let reading = read(text)
        #expect(reading.mistakes == [])
        let top = try #require(reading.rules.correlations.first)
        #expect(top.rules == [.detection(0), .correlation(1)])
        #expect(top.trigger == .condition(.all([.rule(0), .not(.rule(1))])))
        #expect(top.field(for: "account", ofRule: 0) == "user")
        #expect(top.field(for: "account", ofRule: 1) == "user.name")
        #expect(top.field(for: "other", ofRule: 1) == "other")
        #expect(reading.rules.correlations[1].rules == [.detection(0), .detection(1)])
        #expect(reading.rules.correlations[1].trigger == .everyRule)
        #expect(reading.rules.correlations[1].generate)
        #expect(reading.rules.correlationOrder == [1, 0])
    }

    /// The trigger of a correlation over the rules a, b and c with this body; nil on a mistake.
    private func trigger(_ body: String) -> CorrelationRule.Trigger? {
        var text = ""
        for name in ["a", "b", "c"] {
            text += rule("s: {f: 1}\ncondition: s", id: name) + "---\n"
        }
        text +=
            "title: C\nid: t\nlevel: low\ncorrelation: {rules: [a, b, c], timespan: 1h, \(body)}\n"
        let reading = read(text)
        return reading.mistakes.isEmpty ? reading.rules.correlations.first?.trigger : nil
    }

    @Test func twoComparisonsBoundARangeInEitherOrder() {
        let range = FigureBounds(
            .init(.greater, Number(Int64(100))),
            upper: .init(.lessOrEqual, Number(Int64(200)))
        )
        let wanted = CorrelationRule.Trigger.figure(range, fields: [], percentile: nil)
        #expect(trigger("type: event_count, condition: {gt: 100, lte: 200}") == wanted)
        #expect(trigger("type: event_count, condition: {lte: 200, gt: 100}") == wanted)
        let held = (99...202).filter { range.holds(Number(Int64($0))) }
        #expect(held == Array(101...200))
        #expect(range.text == "gt: 100, lte: 200")
        #expect(range.countMax == 200)
        // Both bounds may be one number, and a mean may lie between two counts.
        #expect(trigger("type: event_count, condition: {gte: 3, lte: 3}") != nil)
        #expect(trigger("type: value_avg, condition: {field: v, gt: 1, lt: 2}") != nil)
    }

    /// Specification, Correlations: a temporal condition gives the count of different rules.
    @Test(arguments: [
        ("gte: 2", "gte: 2"), ("eq: 1", "eq: 1"), ("neq: 3", "neq: 3"), ("lt: 3", "lt: 3"),
        ("gte: 1, lt: 3", "gte: 1, lt: 3"), ("gt: 0", "gt: 0"), ("gte: 1.5", "gte: 1.5"),
        ("gte: 3", "every"), ("eq: 3", "every"), ("gt: 2", "every"), ("gte: 2.5", "every"),
        ("gt: 2, lte: 9", "every"), ("gte: 4", nil), ("lt: 1", nil), ("eq: 2.5", nil),
    ])
    func aTemporalConditionCountsDifferentRules(condition: String, meaning: String?) {
        func meant(_ kind: String) -> String? {
            switch trigger("type: \(kind), condition: {\(condition)}") {
            case .everyRule?: "every"
            case .ruleCount(let bounds)?: bounds.text
            case .figure?, .condition?, nil: nil
            }
        }
        #expect(meant("temporal") == meaning)
        // In which order some of the rules are to come is not specified.
        #expect(meant("temporal_ordered") == (meaning == "every" ? "every" : nil))
    }

    /// forall bounds and spans: a count is possible when one of the counts holds.
    @Test(arguments: 1...64)
    func aCountIsPossibleWhenOneHolds(seed: UInt64) {
        var random = SeededGenerator(scattered: seed)
        func number() -> Number {
            let half = Double(Int.random(in: -8...16, using: &random)) / 2
            return [Number(half), Number(Int64.max), Number(Int64.min), Number(1e300)][
                max(0, Int.random(in: -30...3, using: &random))
            ]
        }
        for _ in 0..<200 {
            var bounds = FigureBounds(
                Comparison.allCases.randomElement(using: &random) ?? .equal,
                number()
            )
            if Bool.random(using: &random) {
                let upper = [Comparison.less, .lessOrEqual].randomElement(using: &random) ?? .less
                let lower = [Comparison.greater, .greaterOrEqual].randomElement(using: &random)
                bounds.first.comparison = lower ?? .greater
                bounds.upper = FigureBounds.Bound(upper, number())
            }
            let least = Int64.random(in: 0...2, using: &random)
            let most = least + Int64.random(in: 0...6, using: &random)
            let isPossible = (least...most).contains { bounds.holds(Number($0)) }
            #expect(bounds.holdsForCount(from: least, to: most) == isPossible, "\(bounds.text)")
            #expect(!(bounds.isEmptyRange && isPossible), "\(bounds.text)")
        }
    }

    @Test func aFilterForAnyRuleAppliesWhereTheLogSourceFits() {
        func filter(_ source: String) -> String {
            "---\ntitle: F\nid: f\nlogsource: \(source)\nfilter: {rules: any, s: {a: 1}, condition: not s}\n"
        }
        let base = rule("sel: {a: 1}\ncondition: sel")
        #expect(read(base + filter("{category: mail}")).rules.detections[0].filters == [0])
        #expect(read(base + filter("{}")).rules.detections[0].filters == [0])
        #expect(read(base + filter("{category: web}")).rules.detections[0].filters == [])
    }

    @Test func aFieldThatNoEventHasIsAWarningWithTheNearestName() {
        let reading = read(line("user.nmae: x"))
        let warnings = reading.rules.warnings(forFieldsOtherThan: ["email.subject", "user.name"])
        #expect(
            warnings.map(\.description) == [
                "t.yml:6:9: no event has a field `user.nmae`; did you mean `user.name`?"
            ]
        )
    }
}
