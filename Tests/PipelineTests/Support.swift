import Evidence
import Findings
import Foundation
import LogSources
import MailEvents
import Pipeline
import Sigma
import SystemPackage
import TestSupport

/// Everything that an engine gave, in order.
struct Recording: EngineOutput {
    var events: [String] = []
    var alerts: [String] = []
    var sealed: [(alert: Alert, contents: BundleContents)] = []

    var bundles: [BundleContents] { sealed.map(\.contents) }

    mutating func finished(_ event: SendEvent, record: String) {
        let json = event.json(record: record, timestamp: event.submittedMicroseconds)
        events.append(String(decoding: json, as: UTF8.self))
    }

    mutating func changed(_ alert: Alert, bundle: BundleContents?) {
        alerts.append(String(decoding: alert.json(), as: UTF8.self))
        if let bundle { sealed.append((alert, bundle)) }
    }

    mutating func raised(_ notice: Notice) {}
}

/// The settings of a test: UTC, 2026, the shipped rules.
func testSettings() throws -> EngineSettings {
    let folder = FilePath(sourceTree.appendingPathComponent("rules").path)
    let loaded = try loadRules(from: [folder])
    guard let zone = TimeZoneSetting("UTC"), loaded.mistakes.isEmpty else { throw BadRules() }
    var settings = EngineSettings(timeZone: zone, rules: loaded.rules)
    settings.firstYear = 2026
    return settings
}

struct BadRules: Error {}

/// A whole replay of some files.
func record(
    _ paths: [String],
    settings: EngineSettings? = nil,
    _ change: (inout Replay) -> Void = { _ in }
) throws -> Recording {
    var output = Recording()
    var replay = Replay()
    replay.showsEvents = true
    replay.sealsEvidence = true
    change(&replay)
    let inputs = try openInputs(paths.map { FilePath($0) }).inputs
    let settings = try settings ?? testSettings()
    _ = try replay.run([InputChain(inputs: inputs)], settings: settings, output: &output)
    return output
}
