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
    /// Lines of which only one of both says something, where that may be.
    private(set) var linesOfOne = 0
    private(set) var differences: [String] = []
    /// Whether lines were changed.
    private let areDamaged: Bool

    init(areDamaged: Bool = false) { self.areDamaged = areDamaged }

    /// Reads a line both ways.
    mutating func read(_ line: [UInt8]) {
        lines += 1
        var facts: [LineFact] = []
        scanner.scanLine(line.span, line: lines, into: &facts)
        // The time that a line moves is the scanner's business, not the dialect's; a note says only
        // that the line belongs to its message.
        facts.removeAll { $0.kind == .time || $0.kind == .note }
        // Sessions and the queue are not the references' matter.
        facts.removeAll { fact in
            switch fact.dialect {
            case .sendmail, .openSMTPD:
                switch fact.kind {
                case .login, .accepted, .messageLogin, .sender, .subject, .messageID, .contentType,
                    .receiptRequest, .recipient, .queued:
                    return false
                case .delivery: return fact.status == .discarded && fact.dialect == .openSMTPD
                default: return true
                }
            default: return false
            }
        }
        // What does not take a message in finds none under an ID that is none.
        facts.removeAll { fact in
            fact.dialect == .postfix && fact.kind != .client && fact.queueID.isPresent
                && !PostfixGrammar.isQueueID(line.span, fact.queueID.indices)
        }
        let fast = facts.map { Said($0) }
        if !fast.isEmpty { linesRead += 1 }
        let text = LineText(line)
        if let ways = try? ReferenceScanner.read(line), !isAgreed(fast, ways) {
            note(text, "fast", fast, "reference", ways.first ?? [])
        }
        for fact in facts where !isSound(fact, line) {
            note(text, "not sound", [Said(fact)], "", [])
        }
    }

    /// Whether what the fast scanner says is what the reference says: one of the ways to read the line,
    /// the only one, unless the fast scanner says that there are several.
    private mutating func isAgreed(_ fast: [Said], _ ways: [[Said]]) -> Bool {
        guard let first = fast.first, let way = ways.first else {
            // Of damaged lines of the other servers each side believes a little more, and a little
            // less, than the other: how a field may look that no version writes is not laid down.
            if fast.isEmpty && ways.isEmpty { return true }
            let dialect = fast.first?.dialect ?? ways.first?.first?.dialect
            guard dialect != .postfix, areDamaged else { return false }
            linesOfOne += 1
            return true
        }
        let isArrival = first.kind == .accepted
        if isArrival, first.isAmbiguous {
            // Then its recipients come from the delivery lines.
            let isDoubtful = ways.count > 1 || way[0].isAmbiguous || areDamaged
            return isDoubtful && !fast.contains { $0.kind == .recipient }
        }
        func essence(_ said: [Said]) -> [Said] {
            said.map { one in
                var one = one.essence
                if isArrival { one.isAmbiguous = false }
                return one
            }
        }
        if first.dialect == .exim, areDamaged, first.kind == .delivery, way[0].kind == .delivery {
            // A text without quotes may end before any address in brackets.
            return ways.contains { $0[0].status == first.status }
        }
        // Where a Message-ID ends is known from the fields behind it.
        func core(_ said: [Said]) -> [Said] {
            said.filter { $0.dialect != .sendmail || !areDamaged || $0.kind != .messageID }
        }
        guard ways.map({ essence(core($0)) }).contains(essence(core(fast))) else { return false }
        // The reference's own doubt: fields in an order that no version has.
        if isArrival, !way[0].isAmbiguous {
            return ways.allSatisfy {
                $0[0].a == first.a && $0[0].b == first.b && $0[0].c == first.c
            }
        }
        return isArrival || ways.count == 1 || first.dialect == .exim
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
        // An address with escapes is not the one in the line.
        case _ where fact.form == .sendmail: return true
        // To Exim, a backslash takes the `@` behind it into the local part.
        case _ where fact.dialect == .exim && line[fact.a.indices].contains(UInt8(ascii: "\\")):
            return true
        case .active, .sender, .recipient:
            return fact.domain == names.domain(ofAddress: line[fact.a.indices].span)
        case .delivery where fact.status != .other:
            let isOfMailbox =
                fact.status == .sent && (fact.agent == .mailbox || fact.agent == .lmtp)
            let mailbox =
                isOfMailbox && fact.a.isPresent ? names.mailbox(line[fact.a.indices].span) : 0
            var domain = names.domain(ofAddress: line[fact.a.indices].span)
            // A mailbox without a domain is of the domain of the address that led to it.
            if domain == 0, fact.dialect == .exim {
                domain = names.domain(ofAddress: line[fact.b.indices].span)
            }
            return fact.domain == domain && fact.account == mailbox
        default:
            return true
        }
    }
}
