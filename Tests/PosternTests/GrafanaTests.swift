import Foundation
import TestSupport
import Testing

/// An environment of Python with Grafana's types, kept from one run of the tests to the next.
private let grafana = PythonEnvironment(
    "grafana",
    ["grafana-foundation-sdk==1769699379!11.6.0"]
)

@Suite(
    .enabled("PyPI can be reached, or Grafana's types were installed before") {
        if let trouble = grafana.trouble { print("Grafana's types are not there: \(trouble)") }
        return grafana.trouble == nil
    }
)
struct GrafanaTests {
    private let dashboard = sourceTree.appendingPathComponent(
        "deploy/examples/grafana-dashboard.json"
    )

    @Test func grafanaReadsTheWholeDashboard() throws {
        let result = try grafana.rig("grafana-dashboard", [dashboard.path])
        #expect(result.status == 0, "\(result.said)")
    }

    @Test(arguments: [
        ("\"gridPos\"", "\"gridPoss\""), ("\"unit\"", "\"units\""),
        ("\"legendFormat\"", "\"legend\""), ("\"timeseries\"", "\"timeserie\""),
    ])
    func whatGrafanaDoesNotKnowIsFound(known: String, unknown: String) throws {
        let text = try String(contentsOf: dashboard, encoding: .utf8)
        let scratch = try Scratch()
        let path = try scratch.write(
            "dashboard.json",
            text.replacingOccurrences(of: known, with: unknown)
        )
        #expect(try grafana.rig("grafana-dashboard", [path]).status == 1)
    }
}
