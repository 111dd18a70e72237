import Findings
import Foundation
import LogSources
import SystemPackage
import TestSupport
import Testing

@testable import Pipeline

@Suite struct GapTests {
    /// A replay with a gap in the ledger; the alerts as JSON.
    private func alerts(gapFrom start: Int64, to end: Int64) throws -> [String] {
        let path = FilePath(sourceTree.appendingPathComponent("rules/receipt_burst/fires.log").path)
        let chains = [InputChain(inputs: try openInputs([path]).inputs)]
        let tables = [FileTable()]
        var engine = try Engine(
            testSettings(),
            sources: [LaneSource(name: "log", table: tables[0])]
        )
        engine.add(
            Gap(.lost, source: "log", startMicroseconds: start, endMicroseconds: end),
            microseconds: end
        )
        var output = Recording()
        _ = try Replay().run(chains, tables, &engine, &output) { _ in }
        return output.alerts
    }

    @Test func anAlertThatAGapTouchesSaysSo() throws {
        let plain = try alerts(gapFrom: 0, to: 1)
        let first = try #require(plain.first)
        #expect(!first.contains("postern.degraded"))
        let touched = try alerts(gapFrom: 0, to: .max / 2)
        #expect(touched.count == plain.count)
        #expect(touched.allSatisfy { $0.contains("\"postern.degraded\":[\"gap\"]") })
    }

    /// What was read is counted on the days of the log's zone, all of it.
    @Test func theLedgerCountsEveryLineAndByte() throws {
        let url = corpus("postfix.log")
        let chains = [InputChain(inputs: try openInputs([FilePath(url.path)]).inputs)]
        let tables = [FileTable()]
        var engine = try Engine(
            testSettings(),
            sources: [LaneSource(name: "log", table: tables[0])]
        )
        engine.keepsContinuity = true
        var output = Recording()
        _ = try Replay().run(chains, tables, &engine, &output) { _ in }
        let days = engine.continuity.allDays()
        let text = try String(contentsOf: url, encoding: .utf8)
        #expect(days.reduce(0) { $0 + $1.counts.bytes } == text.utf8.count)
        #expect(
            days.reduce(0) { $0 + $1.counts.lines } == text.utf8.count { $0 == UInt8(ascii: "\n") }
        )
        #expect(days.allSatisfy { $0.gaps.isEmpty && $0.counts.firstMicroseconds != nil })
    }
}
