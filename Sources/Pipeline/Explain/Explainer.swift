import Evidence
public import Findings
public import LogSources
import MailEvents
import MailLog
import Records

/// Runs the engine line by line and tells what became of each: `postern explain`.
///
/// The engine is the one of a replay, given the same lines one at a time, so what is told is what a
/// replay does. Its facts are those of its own scanner.
public struct Explainer: ~Copyable {
    private var engine: Engine
    private var output = LineOutput()
    private var texts = FactTextReader()
    private let table: FileTable

    /// - Parameters:
    ///   - settings: of the replay, with its rules.
    ///   - chains: those of the walk that gives the lines.
    ///   - table: where the walk enters its files.
    public init(
        _ settings: EngineSettings,
        _ chains: [InputChain],
        table: FileTable
    ) throws(EngineError) {
        engine = try Engine(
            settings,
            sources: chains.map { LaneSource(name: $0.name, table: table) }
        )
        for (index, chain) in chains.enumerated() {
            if let year = chain.firstYear { engine.setFirstYear(year, lane: index) }
        }
        engine.beginExplaining()
        self.table = table
    }

    /// Explains one line; lines are given in their order.
    ///
    /// - Throws: when the year of its stamp cannot be known.
    public mutating func explain(
        _ text: Span<UInt8>,
        _ line: WalkedLine
    ) throws(ReplayError) -> LineExplanation {
        let path = table[line.file]?.path ?? "-"
        let isJournal = path.hasPrefix("journal:")
        var explanation = LineExplanation(
            path: path,
            number: isJournal ? line.offset : UInt64(line.number),
            record: "\(path):\(line.offset)",
            bytes: text.copied,
            outcome: line.outcome,
            microseconds: line.microseconds
        )
        let before = message(line.facts, text)
        do {
            try take(text, line)
        } catch {
            throw .unknownYear(path: path, offset: line.offset)
        }
        explanation.join = join(line.facts, before: before, text)
        explanation.events = engine.takeExplained()
        explanation.alerts = output.takeAlerts()
        explanation.notices = output.takeNotices()
        describe(line.facts, text, in: &explanation)
        return explanation
    }

    /// What the end of the input brings to light: outcomes that never came.
    public mutating func finish() -> (events: [ExplainedEvent], alerts: [Alert]) {
        engine.finish(to: &output)
        return (engine.takeExplained(), output.takeAlerts())
    }

    private mutating func take(_ text: Span<UInt8>, _ line: WalkedLine) throws(UnknownYear) {
        var batch = Batch(byteCapacity: max(1, text.count), lineCapacity: 1)
        if text.count > 0 { batch.bytes = text.copied }
        batch.byteCount = text.count
        batch.lines = [LineRange(start: 0, length: UInt32(text.count))]
        batch.file = line.file
        batch.firstOffset = line.offset
        engine.begin(batch, lane: line.chain)
        _ = try engine.take(
            batch,
            facts: line.facts,
            lane: line.chain,
            from: 0,
            before: .max,
            to: &output
        )
    }

    // MARK: Joining

    private mutating func message(_ facts: [LineFact], _ text: Span<UInt8>) -> MessageView? {
        for fact in facts {
            if let message = engine.assembler.message(of: fact, text) { return message }
        }
        return nil
    }

    /// A line that opens a message joins the new one, one that ends it the old one.
    private mutating func join(
        _ facts: [LineFact],
        before: MessageView?,
        _ text: Span<UInt8>
    ) -> LineExplanation.Join {
        if engine.hasDoubtfulLines { return .inDoubt }
        if let message = message(facts, text) ?? before {
            return message.login ?? message.outerLogin != nil
                ? .submission(message) : .other(message)
        }
        if facts.contains(where: { $0.key != 0 && $0.queueID.isPresent }) { return .stray }
        let isOfSession = facts.contains { fact in
            switch fact.kind {
            case .session, .login, .sessionEnd: true
            default: false
            }
        }
        return isOfSession ? .session : .none
    }

    // MARK: Pieces

    private mutating func describe(
        _ facts: [LineFact],
        _ text: Span<UInt8>,
        in explanation: inout LineExplanation
    ) {
        var pieces: [LineExplanation.Piece] = []
        func add(_ name: String, _ piece: LineFact.Piece) {
            guard piece.isPresent, piece.indices.upperBound <= text.count else { return }
            let value = text.extracting(piece.indices).copied
            let found = LineExplanation.Piece(name: name, range: piece.indices, value: value)
            if !pieces.contains(found) { pieces.append(found) }
        }
        for fact in facts {
            add("host.name", fact.host)
            add("email.local_id", fact.queueID)
        }
        for fact in facts {
            if var words = fact.kind.words {
                if fact.kind == .delivery { words += " (\(fact.status.words))" }
                if !explanation.says.contains(words) { explanation.says.append(words) }
            }
            for (name, piece) in fact.namedPieces { add(name, piece) }
            switch fact.kind {
            case .headerLine where fact.a.isPresent: pieces.append(header(fact, text))
            case .subject: pieces.append(subject(fact, text))
            case .delivery, .recipient:
                let given = fact.b.isPresent && fact.kind == .delivery ? fact.b : fact.a
                if case .submission = explanation.join, explanation.recipient == nil {
                    explanation.recipient = given.indices.map { text[$0] }
                }
            default: break
            }
        }
        explanation.pieces = pieces.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    private mutating func header(
        _ fact: LineFact,
        _ text: Span<UInt8>
    ) -> LineExplanation.Piece {
        let start = fact.a.indices.lowerBound
        let end = engine.assembler.endOfHeader(fact, text) ?? text.count
        var piece = LineFact.Piece(start, max(start, min(end, text.count)))
        while piece.count > 0, text[Int(piece.start)] == UInt8(ascii: " ") {
            piece.start += 1
            piece.count -= 1
        }
        let name =
            switch fact.header {
            case .subject: "email.subject"
            case .contentType: "postern.content_type"
            case .dispositionNotificationTo: "postern.receipt_to"
            case .other, .none: "postern.header"
            }
        var value = text.extracting(piece.indices).copied
        if fact.header == .subject {
            var subject = fact
            subject.kind = .subject
            subject.form = .header
            subject.a = piece
            value = texts.subject(subject, text, client: nil, sender: nil)
        }
        return LineExplanation.Piece(name: name, range: piece.indices, value: value)
    }

    private mutating func subject(
        _ fact: LineFact,
        _ text: Span<UInt8>
    ) -> LineExplanation.Piece {
        LineExplanation.Piece(
            name: "email.subject",
            range: fact.a.indices,
            value: texts.subject(fact, text, client: nil, sender: nil)
        )
    }
}

extension LineFact {
    /// The pieces that stand in the line as they are meant, by the names of the fields that they
    /// become.
    fileprivate var namedPieces: [(String, LineFact.Piece)] {
        switch kind {
        case .time, .canary, .held, .released, .removed, .expired, .discarded, .queued, .sessionEnd,
            .headerLine, .subject, .refused, .note, .cancelled, .part, .sessionHeld:
            []
        case .client, .clientAgain, .proxied:
            [("source.address", a), ("user.name", b), ("postern.outer_id", c)]
        case .messageID: [("email.message_id", a)]
        case .active, .sender, .local: [("email.sender.address", a)]
        case .delivery:
            b.isPresent
                ? [
                    ("postern.delivered_to", a), ("email.to.address", b),
                    ("destination.address", c), ("postern.reply", d),
                ]
                : [("email.to.address", a), ("destination.address", c), ("postern.reply", d)]
        case .accepted:
            [("source.ip", a), ("user.name", b), ("source.domain", c), ("postern.recipients", d)]
        case .contentType: [("postern.content_type", a)]
        case .receiptRequest: [("postern.receipt_to", a)]
        case .recipient: [("email.to.address", a)]
        case .redirected: [("email.to.address", b), ("postern.delivered_to", a)]
        case .expanded: [("postern.delivered_to", a)]
        case .requeued, .copied: [("postern.other_id", a)]
        case .proxyEnd: [("postern.other_id", a), ("email.sender.address", b)]
        case .messageLogin: [("user.name", b)]
        case .session, .login: [("source.ip", a), ("user.name", b), ("source.domain", c)]
        }
    }
}

/// Keeps what a line brings to light until it is taken.
private struct LineOutput: EngineOutput {
    private var alerts: [Alert] = []
    private var notices: [Notice] = []

    mutating func takeAlerts() -> [Alert] {
        defer { alerts = [] }
        return alerts
    }

    mutating func takeNotices() -> [Notice] {
        defer { notices = [] }
        return notices
    }

    mutating func finished(_ event: SendEvent, record: String) {}

    mutating func changed(_ alert: Alert, bundle: BundleContents?) { alerts.append(alert) }

    mutating func raised(_ notice: Notice) { notices.append(notice) }
}
