import Foundation
import TestSupport
import Testing

/// An environment of Python with pySigma, kept from one run of the tests to the next.
private enum PySigma {
    static let rigs = sourceTree.appendingPathComponent("Tests/Rigs").path
    static let folder =
        FileManager.default.temporaryDirectory.appendingPathComponent("postern-rigs-pysigma").path

    /// Why it is not there; nil when it is.
    static let trouble: String? = {
        guard ProcessInfo.processInfo.environment["POSTERN_OFFLINE"] == nil else {
            return "POSTERN_OFFLINE is set"
        }
        guard let result = try? run(rigs + "/pysigma-venv", [folder]) else {
            return "pysigma-venv cannot be run"
        }
        // 75: PyPI cannot be reached. Whatever else goes wrong fails the tests.
        return result.status == 75 ? "PyPI cannot be reached" : nil
    }()

    static func run(_ path: String, _ arguments: [String]) throws -> (status: Int32, said: String) {
        let scratch = try Scratch()
        let said = try scratch.write("said", "")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: said)
        process.standardError = process.standardOutput
        try process.run()
        process.waitUntilExit()
        let text = try Data(contentsOf: URL(fileURLWithPath: said))
        return (process.terminationStatus, String(decoding: text, as: UTF8.self))
    }

    /// Runs a rig of this environment.
    static func rig(_ name: String, _ arguments: [String]) throws -> (status: Int32, said: String) {
        try run(folder + "/bin/python", [rigs + "/" + name] + arguments)
    }
}

/// Sigma as pySigma reads it. With `POSTERN_NIGHTLY` set, each oracle has 1,000 seeds.
@Suite(
    .enabled("PyPI can be reached, or pySigma was installed before") {
        if let trouble = PySigma.trouble { print("pySigma is not there: \(trouble)") }
        return PySigma.trouble == nil
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
        let result = try PySigma.rig(
            name,
            ["--seeds", range] + options
                + ["--", program, "match", "--rules", "{rules}", "{events}"]
        )
        #expect(result.status == 0, "\(result.said)")
    }

    @Test func theShippedRulesLoadInPySigmaAndConvertForSplunk() throws {
        let rules = sourceTree.appendingPathComponent("rules").path
        let result = try PySigma.rig("shipped-rules", [rules])
        #expect(result.status == 0, "\(result.said)")
        #expect(result.said.contains("postern.receipt=\"not-read\""), "\(result.said)")
    }
}
