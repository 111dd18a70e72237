import MailEvents
import Records

/// What the fields of a row hold, and the facts that rows of all styles have.
extension TableReader {
    /// The field of a column; nil if the table has none, or if it is empty.
    func field(_ column: TableColumn, _ row: TableRowContext) -> TableField? {
        guard let place = row.head[column], place < fields.count else { return nil }
        let field = fields[place]
        // No piece of a line starts at 0, see ``LineFact/Piece``.
        return field.start > 0 && field.start < field.end ? field : nil
    }

    /// The same where it is as it stands between its quotes.
    func plain(_ column: TableColumn, _ row: TableRowContext) -> Range<Int>? {
        guard let field = field(column, row), !field.hasDoubledQuotes else { return nil }
        return field.range
    }

    /// Whether the field of a column is this text.
    func isField(
        _ column: TableColumn,
        _ value: StaticString,
        _ text: Span<UInt8>,
        _ row: TableRowContext
    ) -> Bool {
        guard let range = plain(column, row) else { return false }
        return range.count == value.utf8CodeUnitCount && text.has(value, at: range.lowerBound)
    }

    /// An address with a domain, and nothing in it that no address has outside quotes.
    static func isAddress(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard
            let at = text.first(
                UInt8(ascii: "@"),
                from: range.lowerBound,
                to: range.upperBound
            ), at > range.lowerBound, at + 1 < range.upperBound
        else { return false }
        for index in range {
            switch text[index] {
            case 0...0x20, 0x7f, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: ";"),
                UInt8(ascii: ","), UInt8(ascii: "\""):
                return false
            default: continue
            }
        }
        return true
    }

    /// The sender's address; nil for the null sender.
    func senderAddress(_ text: Span<UInt8>, _ row: TableRowContext) -> Range<Int>? {
        guard let range = plain(.sender, row), Self.isAddress(text, range) else { return nil }
        return range
    }

    /// An address of IPv4 or IPv6, also with a zone (`fe80::1%3`).
    func address(
        _ column: TableColumn,
        _ text: Span<UInt8>,
        _ row: TableRowContext
    ) -> LineFact.Piece {
        guard let range = plain(column, row), range.count <= 64 else { return .absent }
        for index in range {
            switch text[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "."), UInt8(ascii: ":"),
                UInt8(ascii: "%"):
                continue
            default: return .absent
            }
        }
        return LineFact.Piece(range)
    }

    /// The ID of a message that Microsoft's servers gave it: a GUID with or without hyphens.
    func networkID(_ text: Span<UInt8>, _ row: TableRowContext) -> Range<Int>? {
        guard let range = plain(.networkID, row), range.count >= 32, range.count <= 36 else {
            return nil
        }
        var isZero = true
        for index in range {
            switch text[index] {
            case UInt8(ascii: "0"), UInt8(ascii: "-"): continue
            case UInt8(ascii: "1")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                UInt8(ascii: "A")...UInt8(ascii: "F"):
                isZero = false
            default: return nil
            }
        }
        return isZero ? nil : range
    }

    // MARK: Facts

    /// The envelope sender, or the null sender for anything that is no address.
    mutating func appendSender(
        _ address: Range<Int>?,
        at place: Int,
        _ text: Span<UInt8>,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) {
        var fact = row.fact(.sender)
        fact.a = LineFact.Piece(address ?? place..<place)
        if let address { fact.domain = names.domain(ofAddress: text.extracting(address)) }
        facts.append(fact)
    }

    /// Subject and Message-ID, where the row has them.
    func appendTexts(
        _ text: Span<UInt8>,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) {
        // What Exchange writes where subjects are not to be logged
        // (`MessageTrackingLogSubjectLoggingEnabled`).
        if let subject = field(.subject, row), !isField(.subject, "[Undisclosed]", text, row) {
            var fact = row.fact(.subject)
            fact.a = LineFact.Piece(subject.range)
            fact.form = subject.hasDoubledQuotes ? .tableQuoted : .plain
            facts.append(fact)
        }
        if let messageID = plain(.messageID, row) {
            var fact = row.fact(.messageID)
            fact.a = LineFact.Piece(messageID)
            facts.append(fact)
        }
    }

    mutating func appendRecipient(
        _ member: TableMembers.Member,
        _ text: Span<UInt8>,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) {
        var fact = row.fact(.recipient)
        fact.a = LineFact.Piece(member.range)
        fact.form = member.hasDoubledQuotes ? .listQuoted : .plain
        fact.domain = names.domain(ofAddress: text.extracting(member.range))
        facts.append(fact)
    }

    mutating func appendDelivery(
        _ member: TableMembers.Member,
        _ status: LineFact.Status,
        by agent: LineFact.Agent,
        _ text: Span<UInt8>,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) {
        let recipient = text.extracting(member.range)
        var fact = row.fact(.delivery)
        fact.a = LineFact.Piece(member.range)
        fact.form = member.hasDoubledQuotes ? .listQuoted : .plain
        fact.status = status
        fact.agent = agent
        fact.domain = names.domain(ofAddress: recipient)
        // The identity of an address with `''` is not that of the text in the line.
        if status == .sent, agent == .mailbox, !member.hasDoubledQuotes {
            fact.account = names.mailbox(recipient)
        }
        facts.append(fact)
    }
}
