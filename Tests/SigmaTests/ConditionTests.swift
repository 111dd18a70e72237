import Sigma
import TestSupport
import Testing

@Suite struct ConditionTests {
    /// An expression as the test builds it, with its text and its truth for each choice of searches.
    private indirect enum Model {
        case search(Int), not(Model), and(Model, Model), or(Model, Model)

        func holds(_ bits: Int) -> Bool {
            switch self {
            case .search(let index): bits >> index & 1 == 1
            case .not(let inner): !inner.holds(bits)
            case .and(let left, let right): left.holds(bits) && right.holds(bits)
            case .or(let left, let right): left.holds(bits) || right.holds(bits)
            }
        }

        private var rank: Int {
            switch self {
            case .or: 0
            case .and: 1
            case .not, .search: 2
            }
        }

        /// With no more parentheses than `not` > `and` > `or` needs.
        func text(atLeast wanted: Int = 0) -> String {
            let plain =
                switch self {
                case .search(let index): "s\(index)"
                case .not(let inner): "not " + inner.text(atLeast: 2)
                case .and(let left, let right):
                    left.text(atLeast: 1) + " and " + right.text(atLeast: 1)
                case .or(let left, let right): left.text() + " or " + right.text()
                }
            return rank < wanted ? "(" + plain + ")" : plain
        }

        static func random(_ depth: Int, _ random: inout SeededGenerator) -> Model {
            guard depth > 0 else { return .search(Int.random(in: 0..<4, using: &random)) }
            switch Int.random(in: 0..<4, using: &random) {
            case 0: return .search(Int.random(in: 0..<4, using: &random))
            case 1: return .not(.random(depth - 1, &random))
            case 2: return .and(.random(depth - 1, &random), .random(depth - 1, &random))
            default: return .or(.random(depth - 1, &random), .random(depth - 1, &random))
            }
        }
    }

    private func holds(_ condition: Condition, _ bits: Int) -> Bool {
        switch condition {
        case .search(let index): bits >> index & 1 == 1
        case .not(let inner): !holds(inner, bits)
        case .all(let parts): parts.allSatisfy { holds($0, bits) }
        case .any(let parts): parts.contains { holds($0, bits) }
        }
    }

    private func condition(_ text: String, searches: [String]) -> Condition? {
        let lines = searches.map { "\($0): {a: 1}\n" }.joined()
        let reading = read(rule(lines + "condition: \(text)"))
        return reading.mistakes.isEmpty ? reading.rules.detections.first?.condition : nil
    }

    @Test(arguments: 1...200)
    func conditionsMeanWhatTheirPrecedenceSays(seed: UInt64) throws {
        var random = SeededGenerator(scattered: seed)
        let model = Model.random(4, &random)
        let found = condition(model.text(), searches: ["s0", "s1", "s2", "s3"])
        let condition = try #require(found, "\(model.text())")
        for bits in 0..<16 {
            #expect(holds(condition, bits) == model.holds(bits), "\(model.text())")
        }
    }

    @Test func selectionsTakeTheSearchesThatFit() {
        let names = ["sel_a", "sel_b", "other", "_hidden"]
        func found(_ text: String) -> Condition? { condition(text, searches: names) }
        #expect(found("1 of sel_*") == .any([.search(0), .search(1)]))
        #expect(found("any of sel_*") == .any([.search(0), .search(1)]))
        #expect(found("all of sel_*") == .all([.search(0), .search(1)]))
        #expect(found("1 of *e*_a") == .search(0))
        #expect(found("all of them") == .all([.search(0), .search(1), .search(2)]))
        #expect(found("1 of _*") == .search(3))
        #expect(
            found("not 1 of sel_* and other")
                == .all([.not(.any([.search(0), .search(1)])), .search(2)])
        )
        #expect(found("[other, sel_a]") == .any([.search(2), .search(0)]))
    }

    @Test func namesMayBeginWithOperators() {
        #expect(
            condition("notes or android", searches: ["notes", "android"])
                == .any([.search(0), .search(1)])
        )
    }
}
