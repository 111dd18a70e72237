import MailEvents
import Records

@testable import MailLog

/// The fast reader of tables, held against the reference parser row by row.
struct TableComparison {
    private var fast: TableReader
    private var reference = ReferenceTable()
    private var names = NameReader(seed: .constant)
    private(set) var rowsRead = 0
    /// Rows of which only one of both says something, where that may be.
    private(set) var rowsOfOne = 0
    private(set) var differences: [String] = []

    init() { fast = TableReader(names: names, seed: .constant) }

    /// The rows that follow are of another table.
    mutating func beginTable() {
        fast.beginFile()
        reference = ReferenceTable()
    }

    /// - Parameter isDamaged: whether each side may say nothing of it: what a time or a list may look
    ///   like that nobody writes is not laid down.
    mutating func read(_ whole: [UInt8], isDamaged: Bool = false) {
        let line = whole.last == UInt8(ascii: "\r") ? whole.dropLast() : whole
        let context = LineContext(
            stamp: Stamp(microseconds: 0),
            line: 0,
            host: 0..<0,
            hostHash: 0,
            agent: .other,
            instance: 0,
            processID: 0..<0
        )
        var facts: [LineFact] = []
        let text = LineText(line)
        _ = fast.read(line.span, context, into: &facts)
        let ours = facts.map { Self.essence(Said($0)) }
        let theirs = reference.read(line).map(Self.essence)
        if !ours.isEmpty { rowsRead += 1 }
        guard ours == theirs else {
            if isDamaged, ours.isEmpty || theirs.isEmpty {
                rowsOfOne += 1
            } else {
                note(text, ours, theirs)
            }
            return
        }
        if !facts.allSatisfy({ isSound($0, line) }) { note(text, ours, []) }
    }

    private static func essence(_ said: Said) -> Said {
        var said = said.essence
        // Nobody's address.
        if said.kind == .sender, said.a?.isEmpty ?? false { said.a = nil }
        return said
    }

    /// Pieces lie in the line; names have their identity.
    private mutating func isSound(_ fact: LineFact, _ line: [UInt8]) -> Bool {
        for piece in [fact.queueID, fact.host, fact.a, fact.b, fact.c, fact.d]
        where piece.isPresent && piece.indices.upperBound > line.count { return false }
        let address = line[fact.a.indices].span
        switch fact.kind {
        case .sender, .recipient: return fact.domain == names.domain(ofAddress: address)
        case .delivery:
            let isOfMailbox =
                fact.status == .sent && fact.agent == .mailbox && fact.form != .listQuoted
            return fact.domain == names.domain(ofAddress: address)
                && fact.account == (isOfMailbox ? names.mailbox(address) : 0)
        default: return true
        }
    }

    private mutating func note(_ line: LineText, _ ours: [Said], _ theirs: [Said]) {
        guard differences.count < 20 else { return }
        func list(_ said: [Said]) -> String {
            said.map { $0.describe(line) }.joined(separator: "\n    ")
        }
        differences.append(
            "\(line.text.prefix(2_000).debugDescription)\n  fast: \(list(ours))\n"
                + "  reference: \(list(theirs))"
        )
    }
}
