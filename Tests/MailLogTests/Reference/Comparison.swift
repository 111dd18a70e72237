import MailEvents
import Records

@testable import MailLog

/// The fast scanner, held against the reference parsers line by line.
struct Comparison {
    private var scanner = LogScanner(seed: .constant)
    private var names = NameReader(seed: .constant)
    private(set) var lines = 0
    /// Lines that say something of a message.
    private(set) var linesRead = 0
    private(set) var differences: [String] = []

    /// Reads a line both ways.
    mutating func read(_ line: [UInt8]) {
        lines += 1
        var facts: [LineFact] = []
        scanner.scanLine(line.span, line: lines, into: &facts)
        // The time that a line moves is the scanner's business, not the dialect's.
        facts.removeAll { $0.kind == .time }
        let fast = facts.map { Said($0) }
        let reference = ReferenceScanner.read(line)
        if !fast.isEmpty { linesRead += 1 }
        let text = LineText(line)
        if fast != reference {
            note(text, "fast", fast, "reference", reference)
        }
        for fact in facts where !isSound(fact, line) {
            note(text, "not sound", [Said(fact)], "", [])
        }
    }

    private mutating func note(
        _ line: LineText,
        _ one: String,
        _ ones: [Said],
        _ other: String,
        _ others: [Said]
    ) {
        guard differences.count < 20 else { return }
        let lists = [(one, ones), (other, others)].map { name, said in
            "  \(name): " + said.map { $0.describe(line) }.joined(separator: "\n    ")
        }
        let shown = line.text.prefix(2_000).unicodeScalars.map { scalar in
            scalar.value < 0x20 || scalar.value > 0x7e
                ? "\\x{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
        differences.append(shown.joined() + "\n" + lists.joined(separator: "\n"))
    }

    /// What holds for facts of every dialect: pieces lie in the line; names have their identity.
    private mutating func isSound(_ fact: LineFact, _ line: [UInt8]) -> Bool {
        for piece in [fact.queueID, fact.host, fact.a, fact.b, fact.c, fact.d]
        where piece.isPresent && piece.indices.upperBound > line.count { return false }
        guard fact.line == UInt32(lines) else { return false }
        switch fact.kind {
        case .active, .sender, .recipient:
            return fact.domain == names.domain(ofAddress: line[fact.a.indices].span)
        case .delivery where fact.status != .other:
            let isOfMailbox =
                fact.status == .sent && (fact.agent == .mailbox || fact.agent == .lmtp)
            let mailbox = isOfMailbox ? names.mailbox(line[fact.a.indices].span) : 0
            return fact.domain == names.domain(ofAddress: line[fact.a.indices].span)
                && fact.account == mailbox
        default:
            return true
        }
    }
}
