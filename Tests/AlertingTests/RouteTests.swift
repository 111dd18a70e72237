import Findings
import State
import Testing

@testable import Alerting

@Suite struct RouteTests {
    let day: Int64 = 86_400_000_000

    @Test func eachSinkGetsItsLevels() {
        var router = Router(
            routes: [
                Route(sink: "all", lowest: .informational),
                Route(sink: "usual"),
                Route(sink: "low", lowest: .low, highest: .low),
            ],
            ageMicrosecondsMax: nil
        )
        let expected: [Severity: [String]] = [
            .informational: ["all"], .low: ["all", "low"], .medium: ["all", "usual"],
            .high: ["all", "usual"], .critical: ["all", "usual"],
        ]
        for (severity, sinks) in expected {
            var alert = exampleAlert()
            alert.severity = severity
            let rows = router.dispatches(of: alert, body: [1], nowMicroseconds: 5)
            #expect(rows.map(\.sink) == sinks)
            for row in rows {
                #expect(row.alert == alert.id.description)
                #expect(row.severity == severity.rawValue)
                #expect(row.body == [1])
                #expect(row.createdMicroseconds == 5)
                #expect(row.dueMicroseconds == 0)
            }
        }
    }

    @Test func oldAlertsAreCountedAndNotSent() {
        let alert = exampleAlert()
        var router = Router(routes: [Route(sink: "s")], ageMicrosecondsMax: day)
        func count(_ now: Int64) -> Int {
            router.dispatches(of: alert, body: [], nowMicroseconds: now).count
        }
        #expect(count(alert.microseconds - day) == 1, "a clock behind the log's")
        #expect(count(alert.microseconds + day) == 1)
        #expect(count(alert.microseconds + day + 1) == 0)
        #expect(count(.max) == 0)
        #expect(router.tooOldCount == 2)
        var open = Router(routes: [Route(sink: "s")], ageMicrosecondsMax: nil)
        #expect(open.dispatches(of: alert, body: [], nowMicroseconds: .max).count == 1)
    }

    @Test func timesAtTheEdgesDoNotTrap() {
        for time in [Int64.min, -1, 0, .max] {
            for now in [Int64.min, -1, 0, .max] {
                var alert = exampleAlert()
                alert.microseconds = time
                var router = Router(routes: [Route(sink: "s")], ageMicrosecondsMax: day)
                let rows = router.dispatches(of: alert, body: [], nowMicroseconds: now)
                #expect(rows.isEmpty == (now == .max && time <= 0 || time == .min && now >= -1))
            }
        }
    }

    @Test func noticesGoTheSameWay() {
        var router = Router(routes: [Route(sink: "s")], ageMicrosecondsMax: day)
        var notice = Notice(name: "n", id: "i", microseconds: 7, severity: .medium, message: "m")
        let rows = router.dispatches(of: notice, nowMicroseconds: 8)
        #expect(rows.map(\.alert) == ["i"])
        #expect(rows.map(\.sequence) == [0])
        #expect(rows.map(\.body) == [notice.json()])
        notice.severity = .low
        #expect(router.dispatches(of: notice, nowMicroseconds: 8).isEmpty)
    }
}
