import Foundation
import TestSupport
import Testing

/// An environment of Python with pySigma, kept from one run of the tests to the next.
private let pySigma = PythonEnvironment(
    "pysigma",
    ["pysigma==1.5.1", "pysigma-backend-sqlite==2.0.0", "pysigma-backend-splunk==2.1.0"]
)

/// Sigma as pySigma reads it. With `POSTERN_NIGHTLY` set, each oracle has 1,000 seeds.
@Suite(
    .enabled("PyPI can be reached, or pySigma was installed before") {
        if let trouble = pySigma.trouble { print("pySigma is not there: \(trouble)") }
        return pySigma.trouble == nil
    }
)
struct RuleOracleTests {
    private static let isNightly = ProcessInfo.processInfo.environment["POSTERN_NIGHTLY"] != nil

    /// Random rules over random events: `postern match` finds what the oracle expects.
    @Test(
        .timeLimit(.minutes(60)),
        arguments: [
            ("sigma-oracle", [], 4), ("modifier-oracle", [], 4), ("correlation-oracle", [], 6),
            ("correlation-oracle", ["--shuffle"], 4),
        ] as [(String, [String], Int)]
    )
    func rulesMatchAsTheOracleExpects(name: String, options: [String], seeds: Int) throws {
        let program = try Program().path
        let range = Self.isNightly ? "1-1000" : "1-\(seeds)"
        let result = try pySigma.rig(
            name,
            ["--seeds", range] + options
                + ["--", program, "match", "--rules", "{rules}", "{events}"]
        )
        #expect(result.status == 0, "\(result.said)")
    }

    @Test func theShippedRulesLoadInPySigmaAndConvertForSplunk() throws {
        let rules = sourceTree.appendingPathComponent("rules").path
        let result = try pySigma.rig("shipped-rules", [rules])
        #expect(result.status == 0, "\(result.said)")
        #expect(result.said.contains("postern.receipt=\"not-read\""), "\(result.said)")
    }
}
