import Foundation
import TestSupport
import Testing

/// Each shipped alert rule against its logs: `rules/NAME/fires.log` gives just the alerts of
/// `expected.jsonl`, `quiet.log`, which holds its near misses, gives none.
@Suite struct ShippedRuleTests {
    private func log(_ rule: String, _ name: String) -> URL {
        sourceTree.appendingPathComponent("rules/\(rule)/\(name)")
    }

    @Test(arguments: ["receipt_burst"])
    func aRuleFiresOnItsLogAndNotOnNearMisses(_ rule: String) throws {
        let expected = try String(contentsOf: log(rule, "expected.jsonl"), encoding: .utf8)
        let found = try record([log(rule, "fires.log").path])
        #expect(found.alerts.joined(separator: "\n") + "\n" == expected)
        #expect(try record([log(rule, "quiet.log").path]).alerts == [])
    }
}
