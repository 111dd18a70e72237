@testable import State

/// What a state folder should hold: dictionaries, and the rules of `Changes` in their plainest
/// form.
struct Model: Equatable {
    struct TransitionKey: Hashable {
        var alert: String
        var sequence: Int64
    }

    var pieces: [UInt16: [[UInt8]: [UInt8]]] = [:]
    var metas: [String: [UInt8]] = [:]
    var cursors: [String: [UInt8]] = [:]
    var alerts: [String: AlertRow] = [:]
    var transitions: [TransitionKey: TransitionRow] = [:]
    /// In the order of their numbers.
    var outbox: [Dispatch] = []

    static let kinds: [UInt16] = [0, 1, 7, 65_535]
    static let alertIDs = (0..<4).map { "alert-\($0)" }
    static let metaKeys = ["window-format", "é"]

    /// All that a store says it holds.
    init(reading store: StateReader) throws(StateError) {
        for kind in Self.kinds {
            let pieces = try store.pieces(kind)
            if !pieces.isEmpty { self.pieces[kind] = pieces }
        }
        for key in Self.metaKeys { metas[key] = try store.meta(key) }
        for (source, body) in try store.cursors() { cursors[source] = body }
        for alert in try store.alerts(limit: .max) { alerts[alert.id] = alert }
        for alert in Self.alertIDs {
            for transition in try store.transitions(of: alert) {
                let key = TransitionKey(alert: alert, sequence: transition.sequence)
                transitions[key] = transition
            }
        }
        let numbers = try store.database.read("list the outbox") { connection in
            var numbers: [Int64] = []
            let rows = try Prepared(connection, "SELECT number FROM outbox ORDER BY number")
            defer { rows.reset() }
            while try rows.next() { numbers.append(rows.int(0)) }
            return numbers
        }
        for number in numbers {
            if let dispatch = try store.dispatch(number) { outbox.append(dispatch) }
        }
    }

    init() {}

    /// What is told apart, one line each.
    func differences(from other: Model) -> [String] {
        var differences: [String] = []
        func compare<Value: Equatable>(_ name: String, _ path: KeyPath<Model, Value>) {
            guard self[keyPath: path] != other[keyPath: path] else { return }
            differences.append("\(name): \(self[keyPath: path]), not \(other[keyPath: path])")
        }
        compare("pieces", \.pieces)
        compare("metas", \.metas)
        compare("cursors", \.cursors)
        compare("alerts", \.alerts)
        compare("transitions", \.transitions)
        compare("outbox", \.outbox)
        return differences
    }

    // MARK: Changes

    /// Carries out what `Changes` was told, step by step as it was told.
    mutating func apply(_ step: Step, _ limits: StateLimits) {
        switch step {
        case .setPiece(let kind, let key, let body):
            pieces[kind, default: [:]][key] = body
        case .removePiece(let kind, let key):
            pieces[kind]?[key] = nil
            if pieces[kind]?.isEmpty == true { pieces[kind] = nil }
        case .removeAllPieces(let kind):
            pieces[kind] = nil
        case .setMeta(let key, let value):
            metas[key] = value
        case .setCursor(let source, let body):
            cursors[source] = body
        case .setAlert(let alert):
            if let former = alerts[alert.id], former.sequence > alert.sequence { return }
            alerts[alert.id] = alert
        case .addTransition(let row):
            let key = TransitionKey(alert: row.alert, sequence: row.sequence)
            if transitions[key] == nil { transitions[key] = row }
        case .setBundle(let alert, let sequence, let bundle):
            transitions[TransitionKey(alert: alert, sequence: sequence)]?.bundle = bundle
        case .addDispatch(let new):
            add(new)
        case .acknowledge(let number):
            change(number, in: [.waiting, .abandoned]) { row in
                row.state = .acknowledged
                row.attempts += 1
                row.body = []
                row.error = nil
            }
        case .fail(let number, let due):
            change(number, in: [.waiting]) { row in
                row.attempts += 1
                row.error = "no route to host"
                row.dueMicroseconds = due
            }
        case .abandon(let number):
            change(number, in: [.waiting]) { row in
                row.state = .abandoned
                row.error = "too old"
            }
        case .redeliver(let number, let due):
            change(number, in: [.abandoned]) { row in
                row.state = .waiting
                row.attempts = 0
                row.error = nil
                row.dueMicroseconds = due
            }
        }
    }

    /// Dispatches that this commit adds.
    private var added: [NewDispatch] = []

    private mutating func add(_ new: NewDispatch) {
        let isKnown = outbox.contains { row in
            row.alert == new.alert && row.sequence == new.sequence && row.sink == new.sink
        }
        guard !isKnown else { return }
        added.append(new)
        outbox.append(
            Dispatch(
                number: .max,
                alert: new.alert,
                sequence: new.sequence,
                sink: new.sink,
                severity: new.severity,
                isNotice: new.isNotice,
                body: new.body,
                createdMicroseconds: new.createdMicroseconds,
                attempts: 0,
                dueMicroseconds: new.dueMicroseconds,
                state: .waiting,
                error: nil
            )
        )
    }

    private mutating func change(
        _ number: Int64,
        in states: [Dispatch.Stage],
        _ body: (inout Dispatch) -> Void
    ) {
        for index in outbox.indices where outbox[index].number == number {
            if states.contains(outbox[index].state) { body(&outbox[index]) }
        }
    }

    /// What a commit does at its end.
    mutating func keepLimits(_ limits: StateLimits) {
        for new in added {
            for index in outbox.indices {
                let row = outbox[index]
                if row.alert == new.alert, row.sink == new.sink, row.sequence < new.sequence,
                    row.state == .waiting, row.attempts == 0
                {
                    outbox[index].dueMicroseconds = min(row.dueMicroseconds, new.dueMicroseconds)
                }
            }
        }
        added = []
        let failing = Set(outbox.filter { $0.state == .waiting && $0.attempts > 0 }.map(\.sink))
        while true {
            let waiting = outbox.filter { $0.state == .waiting }
            let bytes = waiting.reduce(0) { $0 + $1.body.count }
            guard waiting.count > limits.waitingMax || bytes > limits.waitingBytesMax else { break }
            // Of sinks for which several wait, else of all; of those at which attempts failed, else of
            // all: of the one for which the most wait (of several, the first by name) the first of the
            // lowest severity, what was tried after what was not, notices last; new rows have no
            // number yet, but come in order.
            let all = Dictionary(grouping: waiting, by: \.sink).mapValues(\.count)
            let several = all.filter { $0.value > 1 }
            let candidates = several.isEmpty ? all : several
            let ofFailing = candidates.filter { failing.contains($0.key) }
            let counts = ofFailing.isEmpty ? candidates : ofFailing
            let most = counts.values.max()
            guard let sink = counts.keys.filter({ counts[$0] == most }).min() else { break }
            let its = waiting.filter { $0.sink == sink }
            let alerts = its.filter { !$0.isNotice }
            let likely = alerts.isEmpty ? its : alerts
            let untried = likely.filter { $0.attempts == 0 }
            let ofSink = untried.isEmpty ? likely : untried
            guard let lowest = ofSink.map(\.severity).min() else { break }
            let index = outbox.firstIndex {
                $0.state == .waiting && $0.sink == sink && $0.severity == lowest
                    && $0.isNotice == alerts.isEmpty && ($0.attempts == 0 || untried.isEmpty)
            }
            guard let index else { break }
            outbox[index].state = .abandoned
            outbox[index].error = "pushed out: the outbox was full"
        }
        forget(.abandoned, limits.abandonedMax)
        forget(.acknowledged, limits.acknowledgedMax)
    }

    private mutating func forget(_ state: Dispatch.Stage, _ max: Int) {
        while outbox.count(where: { $0.state == state }) > max {
            guard let index = outbox.firstIndex(where: { $0.state == state }) else { break }
            outbox.remove(at: index)
        }
    }

    /// The same with numbers as the store gave them, after checking that all else agrees.
    mutating func takeNumbers(from store: Model) {
        guard outbox.count == store.outbox.count else { return }
        for index in outbox.indices where outbox[index].number == .max {
            outbox[index].number = store.outbox[index].number
        }
    }

    var totals: OutboxTotals {
        var totals = OutboxTotals()
        for row in outbox {
            switch row.state {
            case .waiting:
                totals.waiting += 1
                totals.waitingBytes += row.body.count
            case .acknowledged:
                totals.acknowledged += 1
            case .abandoned:
                totals.abandoned += 1
                totals.abandonedBytes += row.body.count
            }
        }
        return totals
    }

    /// What `StateReader.due` should give.
    func due(_ sink: String, now: Int64) -> [Dispatch] {
        let waiting = outbox.filter { $0.sink == sink && $0.state == .waiting }
        let first = waiting.filter { row in
            !waiting.contains { $0.alert == row.alert && $0.sequence < row.sequence }
        }
        return first.filter { $0.dueMicroseconds <= now }
            .sorted { order($0) < order($1) }
    }

    /// Tests; then what was tried, by number; then the rest, by when it is due.
    private func order(_ row: Dispatch) -> (Int, Int64, Int64) {
        if row.dueMicroseconds < 0 { return (0, row.dueMicroseconds, row.number) }
        if row.attempts > 0 { return (1, 0, row.number) }
        return (2, row.dueMicroseconds, row.number)
    }

    // MARK: Steps

    enum Step {
        case setPiece(UInt16, [UInt8], [UInt8])
        case removePiece(UInt16, [UInt8])
        case removeAllPieces(UInt16)
        case setMeta(String, [UInt8])
        case setCursor(String, [UInt8])
        case setAlert(AlertRow)
        case addTransition(TransitionRow)
        case setBundle(String, Int64, String)
        case addDispatch(NewDispatch)
        case acknowledge(Int64)
        case fail(Int64, Int64)
        case abandon(Int64)
        case redeliver(Int64, Int64)
    }

    /// Any step, on few names so that steps meet.
    func anyStep(_ random: inout SeededRandom) -> Step {
        let kind = Self.kinds.randomElement(using: &random) ?? 0
        let key = random.bytes(Int.random(in: 0...2, using: &random)).map { $0 & 3 }
        let alert = Self.alertIDs.randomElement(using: &random) ?? ""
        let sequence = Int64.random(in: 0..<4, using: &random)
        let time = Int64.random(in: 0..<100, using: &random)
        // A number that was never given out marks nothing.
        let number = outbox.randomElement(using: &random)?.number ?? -1
        // Some bodies reach over pages.
        let size = Int.random(in: 0..<8, using: &random) == 0 ? 9_000 : 40
        let body = random.bytes(Int.random(in: 0...size, using: &random))
        switch Int.random(in: 0..<24, using: &random) {
        case 0..<8: return .setPiece(kind, key, body)
        case 8..<10: return .removePiece(kind, key)
        case 10: return .removeAllPieces(kind)
        case 11: return .setMeta(Self.metaKeys.randomElement(using: &random) ?? "", body)
        case 12: return .setCursor("/var/log/mail.log\u{0}\(sequence)", body)
        case 13, 14:
            return .setAlert(
                AlertRow(
                    id: alert,
                    sequence: sequence,
                    status: time % 2 == 0 ? "open" : "resolved",
                    openedMicroseconds: time,
                    changedMicroseconds: time + sequence,
                    severity: 47,
                    rule: "",
                    body: body
                )
            )
        case 15, 16:
            return .addTransition(
                TransitionRow(
                    alert: alert,
                    sequence: sequence,
                    timeMicroseconds: time,
                    action: "opened",
                    body: body,
                    bundle: time % 2 == 0 ? nil : "a.0.tar.zst"
                )
            )
        case 17: return .setBundle(alert, sequence, "b.0.tar.zst")
        case 18, 19:
            return .addDispatch(
                NewDispatch(
                    alert: alert,
                    sequence: sequence,
                    sink: time % 3 == 0 ? "webhook" : "syslog",
                    severity: [1, 21, 47, 73, 99].randomElement(using: &random) ?? 1,
                    isNotice: Int.random(in: 0..<4, using: &random) == 0,
                    body: body,
                    createdMicroseconds: time,
                    dueMicroseconds: time
                )
            )
        case 20: return .acknowledge(number)
        case 21: return .fail(number, time)
        case 22: return .abandon(number)
        default: return .redeliver(number, time)
        }
    }
}

extension Changes {
    mutating func add(_ step: Model.Step) {
        switch step {
        case .setPiece(let kind, let key, let body): setPiece(kind, key, body)
        case .removePiece(let kind, let key):
            removePiece(PieceKind(rawValue: kind), key: key.span)
        case .removeAllPieces(let kind): removeAllPieces(PieceKind(rawValue: kind))
        case .setMeta(let key, let value): setMeta(key, value.span)
        case .setCursor(let source, let body): setCursor(source, body: body.span)
        case .setAlert(let alert): setAlert(alert)
        case .addTransition(let row): addTransition(row)
        case .setBundle(let alert, let sequence, let bundle):
            setBundle(bundle, alert: alert, sequence: sequence)
        case .addDispatch(let dispatch): addDispatch(dispatch)
        case .acknowledge(let number): markAcknowledged(number)
        case .fail(let number, let due):
            markFailed(number, error: "no route to host", dueMicroseconds: due)
        case .abandon(let number): abandon(number, error: "too old")
        case .redeliver(let number, let due): redeliver(number, dueMicroseconds: due)
        }
    }
}
