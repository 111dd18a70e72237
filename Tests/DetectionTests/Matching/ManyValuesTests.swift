import Sigma
import TestSupport
import Testing

@testable import Detection

@Suite struct ManyValuesTests {
    private static func text(
        _ random: inout SeededGenerator,
        _ lengths: ClosedRange<Int>
    ) -> [UInt8] {
        // Few letters, so that literals share parts and stand in texts.
        (0..<Int.random(in: lengths, using: &random)).map { _ in
            "aab".utf8.randomElement(using: &random) ?? 0x61
        }
    }

    /// forall literals of all lengths and anchors, and texts: the index finds what a walk over them
    /// finds.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func theIndexFindsWhatAWalkFinds(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let anchors = [GramIndex.Anchor.anywhere, .start, .end]
        let literals = (0..<40).map { number in
            GramIndex.Literal(
                bytes: Self.text(&random, 1...18),
                anchor: anchors.randomElement(using: &random) ?? .anywhere,
                output: Int32(number)
            )
        }
        let index = GramIndex(literals)
        for _ in 0..<60 {
            let text = Self.text(&random, 0...30)
            var expected: [UInt64] = [0]
            for literal in literals {
                let starts = text.indices.filter { text[$0...].starts(with: literal.bytes) }
                let stands =
                    switch literal.anchor {
                    case .anywhere: !starts.isEmpty
                    case .start: starts.first == 0
                    case .end: starts.contains(text.count - literal.bytes.count)
                    }
                if stands { expected[0] |= 1 << UInt64(literal.output) }
            }
            var marks: [UInt64] = [0]
            index.search(text.span, marking: &marks)
            #expect(marks == expected)
            #expect(index.isAny(in: text.span) == (expected != [0]))
        }
    }

    /// forall networks that lie in each other or not: an address is in the set when it is in one.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func anAddressIsInTheSetWhenItIsInANetwork(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var networks: [Network] = []
        for _ in 0..<30 {
            let length = Int.random(in: 20...32, using: &random)
            let address = (0..<4).map { position in
                let byte = position < 2 ? 10 : Int.random(in: 0...255, using: &random)
                let kept = max(0, min(8, length - position * 8))
                return String(byte & (0xFF << (8 - kept) & 0xFF))
            }
            let word =
                Bool.random(using: &random)
                ? address.joined(separator: ".") + "/\(length)"
                : "2001:db8:\(String(Int.random(in: 0...9, using: &random)))::/48"
            let found = read(cidr: word)
            networks.append(try #require(found))
        }
        let set = NetworkSet(networks)
        for _ in 0..<200 {
            let text =
                Bool.random(using: &random)
                ? "10.10.\(Int.random(in: 0...255, using: &random)).\(Int.random(in: 0...255, using: &random))"
                : "2001:db8:\(Int.random(in: 0...12, using: &random))::9"
            let found = IPAddress(Array(text.utf8).span)
            let address = try #require(found)
            #expect(set.contains(address) == networks.contains { $0.contains(address) }, "\(text)")
        }
        for network in networks {
            #expect(set.contains(network.address))
            #expect(set.contains(network.lastAddress))
            #expect(network.contains(network.lastAddress))
        }
    }

    private func read(cidr: String) -> Network? {
        let text = oneRule("s:\n    a|cidr: \(cidr)\ncondition: s")
        let reading = RuleReading([RuleFile(name: "t", bytes: Array(text.utf8))])
        guard case .all(let clauses)? = reading.rules.detections.first?.searches.first?.clause,
            case .test(let test)? = clauses.first,
            case .network(let network)? = test.values.first?.alternatives.first
        else { return nil }
        return network
    }

    /// A list long enough for the index means what its values mean one by one; literals that no
    /// automaton holds bring their rules into question all the same.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func longListsMeanWhatTheirValuesMean(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let modifiers = ["contains", "startswith", "endswith"]
        var long = ""
        var short = ""
        for (number, modifier) in modifiers.enumerated() {
            let values = (0..<80).map { _ in
                String(decoding: Self.text(&random, 3...9), as: UTF8.self)
            }
            long +=
                "title: L\(number)\nid: l\(number)\nlogsource: {}\nlevel: low\ndetection:\n"
                + "    s:\n        f|\(modifier): [\(values.joined(separator: ", "))]\n"
                + "    condition: s\n---\n"
            short +=
                "title: L\(number)\nid: l\(number)\nlogsource: {}\nlevel: low\ndetection:\n"
            for (index, value) in values.enumerated() {
                short += "    s\(index):\n        f|\(modifier): \(value)\n"
            }
            short += "    condition: 1 of s*\n---\n"
        }
        var limits = MatchLimits()
        var answers: [[Int]] = []
        limits.automatonCellsMax = 10
        var first = Harness(long)
        var second = Harness(short)
        var third = Harness(short, limits: limits)
        for _ in 0..<100 {
            let text = String(decoding: Self.text(&random, 0...20), as: UTF8.self).uppercased()
            let matches = first.matches(["f": .text(text)])
            #expect(second.matches(["f": .text(text)]) == matches, "\(text)")
            #expect(third.matches(["f": .text(text)]) == matches, "\(text)")
            answers.append(matches)
        }
        #expect(answers.contains { !$0.isEmpty })
        #expect(answers.contains { $0.isEmpty })
    }
}

@Suite struct EventReaderTests {
    /// `null` is a missing field or a null of JSON; what is there without a value of its own is not.
    @Test(arguments: [
        ("{}", true), (#"{"o":null}"#, true), (#"{"o":{}}"#, false), (#"{"o":{"p":1}}"#, false),
        (#"{"o":{"p":null}}"#, false), (#"{"o":[]}"#, false), (#"{"o":[null]}"#, false),
        (#"{"o":[{}]}"#, false), (#"{"o":[1,null]}"#, false), (#"{"o":""}"#, false),
        (#"{"o":false}"#, false), (#"{"o.p":1}"#, true), (#"{"o":{"p":1},"o":null}"#, true),
    ])
    func nullIsWhatIsMissingOrNull(event: String, isNull: Bool) throws {
        let text = ["o: null", "o|exists: false", "o|neq: null", "o: [null, 7]"].enumerated().map {
            "title: T\nid: r\($0)\nlogsource: {}\nlevel: low\n"
                + "detection: {s: {\($1)}, condition: s}\n---\n"
        }
        let bytes = Array(text.joined().utf8)
        let reading = RuleReading([RuleFile(name: "t", bytes: bytes)])
        var mistakes = reading.mistakes
        var matcher = EventMatcher(reading.rules, mistakes: &mistakes)
        #expect(mistakes == [])
        var matches: [EventMatch] = []
        try matcher.take(Array(event.utf8).span, into: &matches)
        matcher.finish(into: &matches)
        let isThere = event.contains(#""o":"#)
        var expected = isNull ? [0, 3] : [2]
        if !isThere { expected.append(1) }
        #expect(matches.map(\.rule) == expected.sorted(), "\(event)")
    }

    /// forall damaged objects: reading ends, and what is wrong has a place inside the text.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func damagedObjectsNeverTrap(seed: UInt64) {
        let lines = [
            #"{"a":{"b":[1,-2.5e3,{"c":"\u00e9\ud83d\ude00\n"}],"d":null},"e":[true,[false,"x"]],"f":"Ü"}"#,
            #"{"a.b":"x","a":[],"e":{},"f":12345678901234567890}"#,
        ]
        let tokens = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "1e", "-", "null", "tru",
            "[[[[", "{\"a\":", "\u{0}", "1e999",
        ]
        var mutator = Mutator(
            seed: seed,
            lines: lines.map { Array($0.utf8) },
            tokens: tokens.map { Array($0.utf8) }
        )
        var table = FieldTable(["a", "a.b", "a.b.c", "a.d", "e", "f"])
        _ = table.add("g")
        var reader = EventReader(table, keepsUnnamed: true)
        var event = EventFields(fieldCount: table.count)
        var readCount = 0
        for _ in 0..<2_000 {
            let line = mutator.next()
            do throws(EventReadError) {
                try reader.read(line.span, into: &event)
                readCount += 1
            } catch {
                #expect(error.offset >= 0)
                #expect(error.offset <= line.count)
            }
        }
        #expect(readCount > 20)
    }

    @Test func valuesAreWhatTheTextSays() throws {
        var table = FieldTable(["i", "r", "t", "l", "o.p"])
        _ = table.add("big")
        var reader = EventReader(table, keepsUnnamed: true)
        var event = EventFields(fieldCount: table.count)
        let text =
            #"{"i":-9223372036854775808,"r":1.50,"t":"\u00dc\ud83d\ude00\ud800!","big":9223372036854775808,"#
            + #""o":{"p":7.0,"q":"unnamed"},"l":[]}"#
        try reader.read(Array(text.utf8).span, into: &event)
        #expect(event.values[0] == .integer(.min))
        #expect(event.values[1] == .number(1.5))
        #expect(event.values[3] == .list(-1))
        #expect(event.values[4] == .integer(7))
        #expect(event.values[5] == .number(0x1p63))
        guard case .text(let range) = event.values[2] else {
            Issue.record("no text")
            return
        }
        #expect(String(decoding: event.bytes[range], as: UTF8.self) == "Ü😀\u{FFFD}!")
        #expect(event.unnamed.count == 1)
    }
}

@Suite struct RuleDoubtTests {
    /// Expressions are looked at whatever else is wrong with their rules.
    @Test func badExpressionsAreToldOfRulesWithOtherMistakes() {
        let text =
            oneRule(
                "s:\n    a|re: ['x(y', ok]\n    b|re: 'x(y'\nunused: {c|re: '[b'}\ncondition: t"
            )
        let reading = RuleReading([RuleFile(name: "t", bytes: Array(text.utf8))])
        #expect(reading.mistakes.map(\.message) == ["there is no search `t`; did you mean `s`?"])
        #expect(reading.rules.detections.isEmpty)
        let found = regexMistakes(in: reading.expressions).map {
            $0.line - reading.mistakes[0].line
        }
        #expect(found == [-3, -2, -1])
    }

    /// forall damaged rule files: everything that `postern check` looks at ends, and says where.
    @Test(arguments: 1...64 as ClosedRange<UInt64>)
    func damagedFilesAreCheckedToTheirEnd(seed: UInt64) {
        let parts = [
            "title: T", "id: a", "name: base", "logsource: {product: p}", "level: low",
            "detection:",
            "    s:", "        user.name|contains|all: [a, 'b*']",
            "        source.ip|cidr: 192.0.2.0/24", "        n|gte: 3", "        m|re|i: '^(a+)+$'",
            "        k|fieldref|startswith: user.name", "        x|base64offset|contains: abc",
            "    t: [{a: 1}, {b|exists: false}]", "    u: keyword",
            "    condition: s and not (t or u)", "---", "title: C", "id: c", "level: high",
            "correlation:", "    type: value_count", "    rules: base",
            "    group-by: user.name", "    timespan: 1h",
            "    condition: {field: destination.domain, gte: 3}",
        ]
        let tokens = [
            "|", ": ", "- ", "*", "&a", "*a", "%x%", "not ", "(", ")", "[", "]", "{", "}", "'",
            "\\",
            "\t", "#", "!!", "1 of ", "|all", "|expand", "|re", "|cidr", "|neq", "null", "true",
            "1e9",
            "temporal", "filter:", "rules: any", "|-", ">", "\u{85}", "99999999999999999999",
        ]
        var random = SeededGenerator(seed: seed)
        var checked = 0
        for round in 0..<50 {
            var mutator = Mutator(
                seed: seed &* 1_000 &+ UInt64(round),
                lines: parts.map { Array($0.utf8) },
                tokens: tokens.map { Array($0.utf8) }
            )
            var lines = parts.map { Array($0.utf8) }
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0..<lines.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: lines.remove(at: at)
                case 1: lines[at] = mutator.next(changesMax: 2)
                case 2: lines.insert(lines[at], at: Int.random(in: 0...lines.count, using: &random))
                default: lines[at] += tokens.randomElement(using: &random)?.utf8.map { $0 } ?? []
                }
            }
            let bytes = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
            let reading = RuleReading([RuleFile(name: "x", bytes: bytes)])
            guard reading.mistakes.isEmpty else { continue }
            let mistakes = regexMistakes(in: reading.expressions)
            guard mistakes.isEmpty else { continue }
            checked += 1
            let all =
                doubts(about: reading.rules, knowsEvents: true)
                + reading.rules.warnings(forFieldsOtherThan: eventFieldNames)
            for doubt in all {
                #expect(doubt.line >= 1)
                #expect(doubt.line <= lines.count + 1)
            }
        }
        #expect(checked > 0)
    }
}
