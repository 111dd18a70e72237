import Sigma
import Testing

@testable import Detection
@testable import Pipeline

@Suite struct TuneGridTests {
    private func rules(_ body: String) -> RuleSet {
        let text =
            "title: T\nid: a\nname: a\nlogsource: {}\nlevel: informational\n"
            + "detection: {s: {f: 1}, condition: s}\n---\n"
            + "title: T\nid: b\nname: b\nlogsource: {}\nlevel: informational\n"
            + "detection: {s: {f: 2}, condition: s}\n---\n"
            + "title: C\nid: c\nname: c\nlevel: low\ncorrelation: {rules: [a, b], timespan: 1h, \(body)}\n"
        let reading = RuleReading([RuleFile(name: "t.yml", bytes: Array(text.utf8))])
        #expect(reading.mistakes.isEmpty, "\(reading.mistakes)")
        return reading.rules
    }

    /// The bound from below varies, and stays below the one from above.
    @Test func aRangeKeepsItsUpperBound() throws {
        let made = TuneGrid(
            rules("type: event_count, condition: {lte: 8, gt: 4}"),
            thresholds: [1, 7, 8, 9],
            timespans: [3_600]
        )
        let grid = try #require(made)
        #expect(grid.variants.values.map(\.threshold).sorted() == [1, 4, 7])
        let bounds = grid.rules.correlations.filter { $0.level > .informational }
            .compactMap(\.trigger.bounds?.text)
        #expect(bounds == ["gt: 1, lte: 8", "gt: 4, lte: 8", "gt: 7, lte: 8"])
        #expect(grid.leftOut.isEmpty)
    }

    @Test func whatHasNothingToReachIsLeftOut() {
        func reasons(_ body: String) -> [String] {
            TuneGrid(rules(body))?.leftOut.map(\.reason) ?? []
        }
        let none = ["it has no number that it must reach"]
        #expect(reasons("type: event_count, condition: {lte: 3}") == none)
        #expect(reasons("type: temporal") == none)
        #expect(
            reasons("type: temporal, condition: {gte: 1}")
                == ["it counts its rules, of which there are 2"]
        )
    }

    @Test func anExplanationTellsTheRange() {
        func words(_ range: String?) -> String {
            let state = CorrelationState(
                rule: "c",
                figure: "300",
                threshold: 101,
                range: range,
                isOpen: false
            )
            return RuleExplanation(rule: "a", matches: true, reason: "", counts: [state]).words
        }
        #expect(words(nil) == "a matches; c: 300 of 101")
        #expect(
            words("gt: 100, lte: 200") == "a matches; c: 300, wanted: gt: 100, lte: 200"
        )
    }
}
