import Foundation
import Pipeline
import Sigma
import TestSupport
import Testing

/// Each shipped alert rule against its logs: `rules/NAME/fires.log` gives just the alerts of
/// `expected.jsonl`, `quiet.log`, which holds its near misses, gives none.
@Suite struct ShippedRuleTests {
    private func log(_ rule: String, _ name: String) -> URL {
        sourceTree.appendingPathComponent("rules/\(rule)/\(name)")
    }

    @Test(arguments: [
        "receipt_burst", "receipt_drip", "receipt_campaign", "receipt_magnet",
        "receipt_unknown_kind", "receipt_to_heard", "receipt_bounces", "account_fan_out",
    ])
    func aRuleFiresOnItsLogAndNotOnNearMisses(_ rule: String) throws {
        let expected = try String(contentsOf: log(rule, "expected.jsonl"), encoding: .utf8)
        let found = try record([log(rule, "fires.log").path])
        #expect(found.alerts.joined(separator: "\n") + "\n" == expected)
        #expect(try record([log(rule, "quiet.log").path]).alerts == [])
    }

    /// Nobody looks at the events, so that ordinary mail is passed over: the alerts are the same.
    @Test(arguments: ["fires.log", "quiet.log"])
    func whatIsPassedOverMakesNoDifference(_ name: String) throws {
        let rules = try FileManager.default.contentsOfDirectory(
            atPath: sourceTree.appendingPathComponent("rules").path
        )
        let logs = rules.map { log($0, name).path }.filter {
            FileManager.default.fileExists(atPath: $0)
        }
        #expect(logs.count >= 8)
        for log in logs.sorted() {
            let seen = try record([log])
            let unseen = try record([log]) { $0.showsEvents = false }
            #expect(unseen.events.isEmpty)
            #expect(unseen.alerts == seen.alerts)
        }
    }

    /// Each shipped rule that names a letter to the user has it in English and German.
    @Test func lettersAreThereInEnglishAndGerman() throws {
        let settings = try testSettings()
        let names = Set(
            settings.rules.correlations.compactMap { $0.head.postern.remediation }
        )
        #expect(names == ["outlook-read-receipts", "stolen-login"])
        for name in names {
            for language in ["en", "de"] {
                let letter = sourceTree.appendingPathComponent(
                    "rules/remediation/\(name).\(language).txt"
                )
                let text = try String(contentsOf: letter, encoding: .utf8)
                #expect(text.split(separator: "\n").count > 15)
                #expect(text.split(separator: "\n").allSatisfy { $0.count <= 130 })
            }
        }
    }
}
