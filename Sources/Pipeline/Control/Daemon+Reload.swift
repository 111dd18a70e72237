import Alerting
import Detection
import Findings
import LogSources
import MailText
import SafeText
import State

extension Daemon {
    /// Begins a reload that was asked for, and takes what one has read.
    mutating func goOnReloading(_ reload: @escaping @Sendable () -> Reloaded) {
        if loaded == nil, let read = reloads.take() { loaded = consume read }
        guard isReloadWanted, loaded == nil, !reloads.isBusy else { return }
        isReloadWanted = false
        reloadTasks = nextReloadTasks
        nextReloadTasks = []
        tell(.reloading)
        reloads.start(seed: engine.seed, reload)
    }

    /// Puts new settings and rules in force, if they have no mistake, as soon as all that was read
    /// under the old ones is committed.
    ///
    /// Killed between the two commits, the next start finds the windows of the old rules and does
    /// with them what is done here.
    mutating func applyReload(
        _ control: ControlServer?,
        _ merger: inout Merger,
        _ dispatcher: inout Dispatcher,
        _ stop: SourceStop
    ) throws(DaemonError) {
        guard case .read(let fresh, let receipts)? = loaded?.result else {
            guard case .refused(let mistakes)? = loaded?.result else { return }
            loaded = nil
            refuse(mistakes, control)
            return
        }
        // Not now: lines wait for others to confirm their time, or the disk is full.
        guard commit(durable: true, merger, dispatcher) else { return }
        guard var read = loaded.take(), let detector = read.detector.take() else { return }
        let abandoned: [AlertID]
        do {
            abandoned = try engine.replaceDetector(
                detector,
                settings: engine.settings.taking(fresh.configuration.engine),
                from: store,
                changes: &output.changes
            )
            for alert in abandoned {
                try output.close(alert, "rule-changed", at: engine.detector.now, store)
            }
        } catch let error as EngineRestoreError {
            switch error {
            case .state(let error): throw .state(error)
            case .stored(let error): throw .stored(error)
            }
        } catch let error as StateError {
            throw .state(error)
        } catch {
            preconditionFailure("all errors are typed")
        }
        engine.replaceReceipts(receipts)
        output.router.keep(in: &output.changes)
        output.router = fresh.configuration.router
        configuration.evidence = fresh.configuration.evidence
        configuration.pseudonyms = fresh.configuration.pseudonyms
        do {
            try output.usePseudonyms(configuration)
        } catch {
            throw .pseudonyms(error)
        }
        pruneAt = 0
        if configuration.canary != fresh.configuration.canary {
            configuration.canary = fresh.configuration.canary
            startCanary()
        }
        if fresh.hasOtherSinks {
            // One that hangs must not hold up detection: what it is at is sent again, under its ID.
            _ = dispatcher.leave(afterNanoseconds: Self.reloadLeaveNanoseconds)
            commitMarks(&merger, dispatcher)
            configuration.sinks = fresh.configuration.sinks
            configuration.sinkLabels = fresh.configuration.sinkLabels
            // What is known of them is of those that were.
            live.sinks = [:]
            configuration.dispatchLimits = fresh.configuration.dispatchLimits
            dispatcher = try startDispatcher(sinks: configuration.sinks)
            try abandonRowsOfRemovedSinks()
        }
        configuration.reports = fresh.configuration.reports
        configuration.makeReport = fresh.configuration.makeReport
        useReports()
        for source in fresh.newSources { try add(source, &merger, stop) }
        hasUncommitted = true
        commit(durable: true, merger, dispatcher)
        dispatcher.wake()
        tell(.reloaded(untilRestart: fresh.untilRestart))
        let answer = ControlAnswer(
            .done,
            fresh.untilRestart.isEmpty
                ? "settings and rules were read again and are in force"
                : "settings and rules were read again; some changes wait for a restart",
            details: fresh.untilRestart
        )
        answerReload(answer, control)
    }

    private mutating func refuse(_ mistakes: [String], _ control: ControlServer?) {
        tell(.reloadRefused(mistakes))
        let now = output.now
        let more = mistakes.count > 1 ? " (and \(mistakes.count - 1) more)" : ""
        output.raised(
            Notice(
                name: "postern_reload",
                id: base32(Array("reload:\(now)".utf8)),
                microseconds: now,
                severity: .medium,
                message: "Changed settings or rules were refused, and the old ones stay in force: "
                    + "\(mistakes.first ?? "")\(more)"
            )
        )
        answerReload(
            ControlAnswer(
                .refused,
                "settings and rules have mistakes; the old ones stay in force",
                details: mistakes
            ),
            control
        )
    }

    private mutating func answerReload(_ answer: ControlAnswer, _ control: ControlServer?) {
        for task in reloadTasks { control?.answer(task, answer) }
        reloadTasks = []
    }
}

extension EngineSettings {
    /// These with what can change while the engine runs: the rules, the lateness, the receipts'
    /// prefixes, and the lines of a bundle.
    fileprivate func taking(_ fresh: EngineSettings) -> EngineSettings {
        var settings = self
        settings.rules = fresh.rules
        settings.detection = fresh.detection
        settings.notReadPrefixes = fresh.notReadPrefixes
        settings.readPrefixes = fresh.readPrefixes
        settings.evidenceLinesMax = fresh.evidenceLinesMax
        return settings
    }
}
