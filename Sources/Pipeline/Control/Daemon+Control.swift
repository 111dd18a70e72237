import Alerting
import Detection
import Findings
import LinuxIO
import Memory
import Records
import SafeText
import State

extension Daemon {
    /// The control socket; nil when it cannot be made, and then it is told of.
    func startControl() -> ControlServer? {
        do {
            return try ControlServer(
                folder: configuration.state,
                bell: bell,
                board: configuration.board
            )
        } catch {
            tell(.controlFailed(error))
            return nil
        }
    }

    /// Carries out what was asked since the last call, between two batches. Each answer follows its
    /// commit.
    mutating func serve(
        _ control: ControlServer,
        _ merger: borrowing Merger,
        _ dispatcher: Dispatcher
    ) {
        for task in control.take() {
            if case .reload = task.call.request {
                isReloadWanted = true
                nextReloadTasks.append(task)
                continue
            }
            output.now = Clocks.realtimeMicroseconds()
            do {
                if case .testSinks(let name) = task.call.request {
                    try startTrial(name, task, control)
                    dispatcher.probe()
                    continue
                }
                control.answer(task, try answer(task, merger, dispatcher))
            } catch {
                control.answer(task, ControlAnswer(.failed, "state: \(shown("\(error)"))"))
            }
        }
    }

    private mutating func answer(
        _ task: ControlTask,
        _ merger: borrowing Merger,
        _ dispatcher: Dispatcher
    ) throws(StateError) -> ControlAnswer {
        let editor = StateEditor(
            store: store,
            now: output.now,
            author: authorText(task.call.author, task.peer)
        )
        switch task.call.request {
        case .acknowledge(let alert, let note):
            var changes = Changes()
            let answer = try editor.acknowledge(alert, note: note, &changes)
            try store.commit(changes, durable: true)
            return answer
        case .silence(let new):
            return try changeSilences { book, changes in
                editor.silence(new, &book, &changes)
            }
        case .unsilence(let id):
            return try changeSilences { book, changes in
                editor.unsilence(id, &book, &changes)
            }
        case .forget(let account):
            guard commit(durable: true, merger, dispatcher) else { return Self.busy }
            let account = canonicalAccount(account, domain: engine.settings.accountDomain)
            var book = output.silences
            let findings = try editor.forgetFindings(
                of: account,
                accountDomain: engine.settings.accountDomain,
                &book,
                &output.changes
            )
            output.silences = book
            for alert in findings.removed {
                if let id = AlertID(alert) { output.forgetBundle(of: id) }
            }
            let forgotten = engine.forget(account, &output.changes)
            hasUncommitted = true
            guard commit(durable: true, merger, dispatcher) else { return Self.uncommitted }
            return forgottenAnswer(account, forgotten, findings)
        case .remember(let records):
            engine.remember(records)
            hasUncommitted = true
            if commit(durable: true, merger, dispatcher) {
                return ControlAnswer(.done, "\(records.count) records were merged")
            }
            return engine.hasDoubtfulLines ? Self.busy : Self.uncommitted
        case .rotateKey:
            guard commit(durable: true, merger, dispatcher) else { return Self.busy }
            return try rotateKey()
        case .redeliver(let which):
            var changes = Changes()
            let answer = try editor.redeliver(which, &changes)
            try store.commit(changes, durable: true)
            dispatcher.probe()
            return answer
        case .reload, .testSinks, .status:
            preconditionFailure("these are answered elsewhere")
        }
    }

    private mutating func changeSilences(
        _ body: (inout SilenceBook, inout Changes) -> ControlAnswer
    ) throws(StateError) -> ControlAnswer {
        var changes = Changes()
        var book = output.silences
        let answer = body(&book, &changes)
        try store.commit(changes, durable: true)
        output.silences = book
        return answer
    }

    private static var busy: ControlAnswer {
        ControlAnswer(
            .busy,
            "nothing can be committed now: lines wait for others to confirm their time, or the disk "
                + "is full"
        )
    }

    private static var uncommitted: ControlAnswer {
        ControlAnswer(
            .failed,
            "it is done in memory, but could not be committed; it goes with the next commit"
        )
    }

    // MARK: Names

    /// Takes names of domains off the disk that nobody remembers, when there are many more than
    /// pairs: senders that were forged once.
    func sweepNames() {
        do {
            let count = try store.pieceCount(.domainName)
            guard count > 100_000 + 2 * engine.detector.memory.pairCount else { return }
            var hashes: Set<UInt64> = []
            try store.forEachPiece(.domainName) { key, _ in
                var reader = BinaryReader(key.copied)
                if let hash = try? reader.read(UInt64.self) { hashes.insert(hash) }
                return true
            }
            var changes = Changes()
            for hash in engine.detector.memory.unremembered(among: hashes).sorted() {
                var key = BinaryWriter(reserving: 8)
                key.write(hash)
                changes.removePiece(.domainName, key: key.bytes.span)
            }
            try store.commit(changes, durable: false)
        } catch {
            // They are swept at the next start.
            tell(.commitFailed(error))
        }
    }
}

/// Who asked: the name that the command gave, and the user that the kernel knows.
func authorText(_ claimed: String, _ peer: PeerIdentity) -> String {
    let user = UserAccounts.name(ofUserID: peer.userID) ?? "user \(peer.userID)"
    return claimed == user ? user : "\(claimed) (as \(user))"
}

/// What forgetting came to, in words.
func forgottenAnswer(
    _ account: String,
    _ forgotten: ForgottenAccount,
    _ findings: (removed: [String], shared: Int)
) -> ControlAnswer {
    let windows = forgotten.windows
    guard
        forgotten.pairs != nil || windows.windows > 0 || windows.events > 0
            || windows.eventsKept > 0 || !findings.removed.isEmpty || findings.shared > 0
    else {
        return ControlAnswer(.missing, "nothing is known of the account \(shown(account))")
    }
    func count(_ number: Int, _ noun: String) -> String {
        "\(number) \(noun)\(number == 1 ? "" : "s")"
    }
    var details = [
        "forgotten: \(count(forgotten.pairs ?? 0, "domain")), \(count(windows.windows, "window")), "
            + "\(count(windows.events, "event")) in windows of others, "
            + "\(count(findings.removed.count, "alert"))"
    ]
    if windows.eventsKept > 0 {
        details.append(
            "kept: \(count(windows.eventsKept, "event")), proof of open alerts of several accounts "
                + "until those resolve"
        )
    }
    if findings.shared > 0 {
        details.append("kept: \(count(findings.shared, "alert")) that name other accounts too")
    }
    details.append(
        "kept: sealed evidence bundles, alerts that wait for a sink, messages that are open now, and "
            + "the logs themselves"
    )
    return ControlAnswer(.done, "the account \(shown(account)) is forgotten", details: details)
}
