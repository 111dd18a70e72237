import State
import Testing

@testable import Pipeline
@testable import StatusPage

struct MetricsTests {
    private var figures: LiveFigures {
        var figures = LiveFigures()
        figures.version = "0.1.0"
        figures.logMicroseconds = 1_772_359_200_250_000
        figures.sources = [
            LiveFigures.Source(
                name: "/var/log/\"mail\"\n\\x.log",
                kind: "file",
                isCaughtUp: true,
                lastMicroseconds: 1_500_000,
                failure: "no permission"
            )
        ]
        figures.accounts = [
            LiveFigures.Account(
                name: "alice@hosted.example",
                sends: 1,
                unseen: 1,
                receipts: 1,
                lastMicroseconds: 0
            )
        ]
        figures.sinks = [
            LiveFigures.Sink(name: "mail:postmaster@hosted.example", label: "mail")
        ]
        return figures
    }

    private var text: String {
        var metrics = Metrics()
        metrics.add(figures, isAlive: true, isReady: false)
        metrics.add(levels: ["high": 2])
        var row = OutboxSink(sink: "mail:postmaster@hosted.example")
        row.waiting = 7
        row.oldestWaitingMicroseconds = 2_000_000
        metrics.add(outbox: [row, OutboxSink(sink: "gone")], labels: [row.sink: "mail"])
        return metrics.text
    }

    @Test func valuesAreThoseOfTheFigures() {
        let lines = text.split(separator: "\n")
        for line in [
            "postern_alive 1", "postern_ready 0", "postern_log_time_seconds 1772359200.250",
            "postern_alerts_open{level=\"high\"} 2", "postern_alerts_open{level=\"low\"} 0",
            "postern_outbox_waiting{sink=\"mail\"} 7", "postern_sink_up{sink=\"mail\"} 1",
            "postern_outbox_oldest_waiting_time_seconds{sink=\"mail\"} 2.000",
        ] {
            #expect(lines.contains { $0 == line }, "\(line)")
        }
    }

    @Test func nobodyIsNamedAndLabelsStayInTheirLines() {
        #expect(!text.contains("alice"))
        #expect(!text.contains("hosted.example"))
        #expect(!text.contains("gone"))
        #expect(
            text.contains(
                "postern_source_up{source=\"/var/log/\\\"mail\\\"\\\\u{a}\\\\x.log\"} 0\n"
            )
        )
        for line in text.split(separator: "\n") {
            #expect(line.hasPrefix("postern_") || line.hasPrefix("# "), "\(line)")
        }
    }
}
