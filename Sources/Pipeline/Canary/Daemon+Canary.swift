import Alerting
import Findings
import LinuxIO
import SafeText
import State

extension Daemon {
    /// The canary's ID that is in the outbox, for a run that finds it there.
    private static let metaKey = "canary"
    /// `mail`: to the log that the mail server's lines go to.
    private static let facility = 2

    /// Takes the canary of a former run out of the outbox: nobody waits for it.
    func removeOldCanary() throws(DaemonError) {
        do {
            guard let id = try store.meta(Self.metaKey), !id.isEmpty else { return }
            try withdrawCanary(String(decoding: id, as: UTF8.self))
        } catch {
            throw .state(error)
        }
    }

    private func withdrawCanary(_ id: String) throws(StateError) {
        var changes = Changes()
        for row in try store.dispatches(ofAlert: id) where row.state == .waiting {
            changes.abandon(row.number, error: "the canary was over")
        }
        changes.removeAlert(id)
        changes.setMeta(Self.metaKey, [UInt8]().span)
        try store.commit(changes, durable: false)
    }

    /// Sets the canary up as the settings say, from now on.
    mutating func startCanary() {
        if case .dispatched(let id, _, _)? = canary?.state { try? withdrawCanary(id) }
        engine.awaitedCanary = nil
        canary = configuration.canary.map { Canary($0, now: Clocks.monotonicNanoseconds()) }
    }

    /// Does what is to be done about the canary now.
    ///
    /// - Parameter isCaughtUp: whether the sources are read to their ends: a line that is written while
    ///   old logs are read comes late, and says nothing.
    mutating func goOnWithCanary(isCaughtUp: Bool, _ dispatcher: Dispatcher) {
        guard canary != nil else { return }
        let now = Clocks.monotonicNanoseconds()
        if case .written? = canary?.state, engine.awaitedCanary == nil {
            dispatchCanary(now, dispatcher)
        }
        if let (broken, id) = canary?.end(now) {
            engine.awaitedCanary = nil
            do {
                if let id { try withdrawCanary(id) }
            } catch {
                tell(.commitFailed(error))
            }
            note(broken)
        }
        if isCaughtUp, canary?.isDue(now) ?? false { writeCanary(now) }
    }

    private mutating func writeCanary(_ now: UInt64) {
        let microseconds = Clocks.realtimeMicroseconds()
        guard let text = canary?.begin(now, microseconds: microseconds) else { return }
        engine.awaitedCanary = Array(text.utf8)
        let failure = LocalSyslog.write(
            text,
            facility: Self.facility,
            tag: Canary.tag,
            socket: configuration.canary?.socket ?? "",
            nowMicroseconds: microseconds
        )
        guard let failure else { return }
        engine.awaitedCanary = nil
        canary?.fail()
        note(.notWritten(failure))
    }

    /// The line has come: now the messages that it stands for, and the sinks.
    private mutating func dispatchCanary(_ now: UInt64, _ dispatcher: Dispatcher) {
        guard let number = canary?.number else { return }
        guard CanaryRun.raisesAlert(number) else {
            canary?.fail()
            note(.notRaised)
            return
        }
        let id = CanaryDispatch.prefix + TestAlert.randomName()
        let sinks = configuration.sinks.map(\.name)
        var changes = Changes()
        for sink in sinks {
            changes.addDispatch(
                CanaryDispatch.row(
                    id: id,
                    sink: sink,
                    nowMicroseconds: Clocks.realtimeMicroseconds()
                )
            )
        }
        changes.setMeta(Self.metaKey, Array(id.utf8).span)
        do {
            try store.commit(changes, durable: false)
        } catch {
            // The state cannot be written, of which there is another notice.
            tell(.commitFailed(error))
            canary?.fail()
            return
        }
        canary?.dispatched(id, to: sinks, now)
        dispatcher.wake()
    }

    private mutating func note(_ broken: Canary.Break?) {
        output.now = Clocks.realtimeMicroseconds()
        guard let (notice, isWhole) = canary?.note(broken, microseconds: output.now) else { return }
        if isWhole { tell(.canaryBack) }
        raise(notice)
    }

    /// Looks for answers to the canary.
    mutating func takeCanaryAnswers(_ marks: DispatchMarks) {
        guard case .dispatched(let id, _, _)? = canary?.state else { return }
        for answer in marks.answers(of: [id]) { canary?.answered(answer) }
    }
}
