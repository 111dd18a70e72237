import Alerting
public import Findings
import LinuxIO
import SafeText
import State

/// A test alert: marked as such, and about nobody.
public enum TestAlert {
    /// Its JSON, which is that of a notice.
    ///
    /// - Parameter id: names it and nothing else.
    public static func notice(id: String, host: String, microseconds: Int64) -> Notice {
        Notice(
            name: "postern_test",
            id: id,
            microseconds: microseconds,
            severity: .medium,
            message:
                "This is a test of Postern on \(host); nothing happened, and nothing is to be done."
        )
    }

    /// An ID that no other has.
    public static func newID() -> String {
        "test-" + randomName()
    }

    static func randomName() -> String {
        var random = SystemRandomNumberGenerator()
        return base32((0..<10).map { _ in UInt8.random(in: .min ... .max, using: &random) })
    }
}

/// Test alerts on their way, and who asked for them.
struct SinkTrials {
    private struct Trial {
        var id: String
        var task: ControlTask
        /// Sinks that have not answered.
        var waiting: [String]
        var lines: [String] = []
        var hasFailed = false
        var endNanoseconds: UInt64
    }
    private var trials: [Trial] = []

    /// When somebody has waited long enough: monotonic nanoseconds.
    var endNanoseconds: UInt64? { trials.map(\.endNanoseconds).min() }

    /// Less than a command waits for an answer.
    private static let nanoseconds: UInt64 = 45_000_000_000

    mutating func start(_ id: String, _ sinks: [String], _ task: ControlTask, now: UInt64) {
        trials.append(
            Trial(id: id, task: task, waiting: sinks, endNanoseconds: now + Self.nanoseconds)
        )
    }

    /// Looks for answers to test alerts. Those are not tried again and not kept.
    mutating func take(_ marks: DispatchMarks, _ changes: inout Changes) {
        guard !trials.isEmpty else { return }
        for answer in marks.answers(of: Set(trials.map(\.id))) {
            guard let index = trials.firstIndex(where: { $0.id == answer.alert }) else { continue }
            trials[index].waiting.removeAll { $0 == answer.sink }
            if answer.isTaken {
                let words = answer.words.isEmpty ? "" : ": " + answer.words
                trials[index].lines.append("\(shown(answer.sink)): took it\(words)")
            } else {
                changes.abandon(answer.number, error: answer.words)
                trials[index].hasFailed = true
                trials[index].lines.append("\(shown(answer.sink)): \(shown(answer.words))")
            }
            changes.removeAlert(answer.alert)
        }
    }

    /// Those that are answered, or have waited long enough.
    ///
    /// - Parameter withdraw: called with the ID of one whose alerts still wait.
    mutating func ended(
        now: UInt64,
        withdraw: (String) -> Void
    ) -> [(task: ControlTask, answer: ControlAnswer)] {
        var ended: [(ControlTask, ControlAnswer)] = []
        trials.removeAll { trial in
            guard trial.waiting.isEmpty || trial.endNanoseconds <= now else { return false }
            let late = trial.waiting.map { "\(shown($0)): no answer in 45 seconds" }
            if !late.isEmpty { withdraw(trial.id) }
            let isGood = !trial.hasFailed && late.isEmpty
            ended.append(
                (
                    trial.task,
                    ControlAnswer(
                        isGood ? .done : .failed,
                        isGood
                            ? "the test alert was taken"
                            : "the test alert was not taken everywhere",
                        details: trial.lines + late
                    )
                )
            )
            return true
        }
        return ended
    }
}

extension Daemon {
    /// Puts a test alert into the outbox; it goes the way of all alerts.
    mutating func startTrial(
        _ name: String?,
        _ task: ControlTask,
        _ control: ControlServer
    ) throws(StateError) {
        let sinks = configuration.sinks.map(\.name).filter { SinkName.isMeant($0, by: name) }
        guard !sinks.isEmpty else {
            let names = configuration.sinks.map { shown($0.name) }
            control.answer(
                task,
                ControlAnswer(
                    .missing,
                    name.map { "there is no sink \(shown($0))" } ?? "the settings name no sink",
                    details: names.isEmpty ? [] : ["sinks: " + names.joined(separator: ", ")]
                )
            )
            return
        }
        let id = TestAlert.newID()
        let notice = TestAlert.notice(
            id: id,
            host: configuration.host,
            microseconds: output.now
        )
        var changes = Changes()
        for sink in sinks {
            changes.addDispatch(
                NewDispatch(
                    alert: id,
                    sequence: 0,
                    sink: sink,
                    severity: notice.severity.rawValue,
                    isNotice: true,
                    body: notice.json(),
                    createdMicroseconds: output.now,
                    // Before whatever waits.
                    dueMicroseconds: -1
                )
            )
        }
        try store.commit(changes, durable: false)
        trials.start(id, sinks, task, now: Clocks.monotonicNanoseconds())
    }

    /// Answers those who asked for test alerts.
    mutating func endTrials(_ control: ControlServer) {
        guard trials.endNanoseconds != nil else { return }
        var left: [String] = []
        for (task, answer) in trials.ended(
            now: Clocks.monotonicNanoseconds(),
            withdraw: { left.append($0) }
        ) {
            control.answer(task, answer)
        }
        guard !left.isEmpty else { return }
        // A test that comes an hour later would only startle.
        var changes = Changes()
        do {
            for id in left {
                for row in try store.dispatches(ofAlert: id) where row.state == .waiting {
                    changes.abandon(row.number, error: "the test was over")
                }
                changes.removeAlert(id)
            }
            try store.commit(changes, durable: false)
        } catch {
            tell(.commitFailed(error))
        }
    }
}
