import MailEvents
import Records

/// Rows that say all of a message at once.
///
/// A message that leaves the organisation, or stays in it, was submitted by its sender. The enhanced
/// summary report says so (`directionality`: inbound 1, outbound 2); the output of `Get-MessageTraceV2` has
/// an address in `FromIP` for incoming messages only, and none for those sent from Exchange Online.
/// Members of an expanded group have rows of their own there, which nothing tells from others.
extension TableReader {
    /// The enhanced summary report: `recipient_status` lists `ADDRESS##EVENT, EVENT;…`.
    mutating func readSummary(
        _ text: Span<UInt8>,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let list = plain(.recipientStatus, row), let row = identified(text, row),
            let isIncoming = isIncoming(text, row)
        else { return .unparsed(.row) }
        var members = TableMembers(list)
        var count = 0
        var end = list.lowerBound
        while let member = members.next(in: text) {
            guard let (address, _) = Self.divide(text, member) else { return .unparsed(.row) }
            guard Self.isAddress(text, address.range) else { return .unparsed(.row) }
            count += 1
            end = member.range.upperBound
        }
        guard count > 0, list.upperBound - end <= 1 else { return .unparsed(.row) }

        begin(text, isIncoming: isIncoming, client: .originalClientIP, row, into: &facts)
        members = TableMembers(list)
        while let member = members.next(in: text) {
            guard let (address, _) = Self.divide(text, member) else { break }
            appendRecipient(address, text, row, into: &facts)
        }
        facts.append(row.fact(.queued))
        members = TableMembers(list)
        while let member = members.next(in: text) {
            guard let (address, events) = Self.divide(text, member) else { break }
            let (status, agent) = Self.outcome(text, events: events)
            if status != .none {
                appendDelivery(address, status, by: agent, text, row, into: &facts)
            }
        }
        facts.append(row.fact(.removed))
        return .read
    }

    /// The output of `Get-MessageTraceV2`: a row for each recipient.
    mutating func readTrace(
        _ text: Span<UInt8>,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let recipient = plain(.recipients, row), Self.isAddress(text, recipient),
            let row = identified(text, row)
        else { return .unparsed(.row) }
        let member = TableMembers.Member(range: recipient, hasDoubledQuotes: false)
        let isIncoming = self.isIncoming(text, row) ?? (field(.fromIP, row) != nil)
        begin(text, isIncoming: isIncoming, client: .fromIP, row, into: &facts)
        appendRecipient(member, text, row, into: &facts)
        facts.append(row.fact(.queued))
        let status = self.status(text, row)
        if isField(.status, "Quarantined", text, row) {
            facts.append(row.fact(.held))
        } else if status != .none {
            let agent: LineFact.Agent = isIncoming && status == .sent ? .mailbox : .other
            appendDelivery(member, status, by: agent, text, row, into: &facts)
        }
        facts.append(row.fact(.removed))
        return .read
    }

    /// The row with the key of its message. Each row opens and closes one, so an ID that a stranger
    /// chose joins nothing.
    private func identified(_ text: Span<UInt8>, _ row: TableRowContext) -> TableRowContext? {
        guard let id = networkID(text, row) ?? plain(.messageID, row) else { return nil }
        var row = row
        row.queueID = LineFact.Piece(id)
        row.key = queueKey(text.extracting(id), hostHash: row.hostHash)
        return row
    }

    /// Whether a message came from outside; nil if the row does not say.
    private func isIncoming(_ text: Span<UInt8>, _ row: TableRowContext) -> Bool? {
        func says(_ word: StaticString) -> Bool { isField(.directionality, word, text, row) }
        if says("1") || says("Incoming") || says("Inbound") { return true }
        if says("2") || says("Originating") || says("Outbound") { return false }
        return nil
    }

    private mutating func begin(
        _ text: Span<UInt8>,
        isIncoming: Bool,
        client: TableColumn,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) {
        let sender = senderAddress(text, row)
        var accepted = row.fact(.accepted)
        if !isIncoming, let sender {
            accepted.b = LineFact.Piece(sender)
            accepted.a = address(client, text, row)
        }
        facts.append(accepted)
        appendSender(sender, at: Int(row.queueID.start), text, row, into: &facts)
        appendTexts(text, row, into: &facts)
    }

    /// Cuts `ADDRESS##EVENTS` at the last `##`.
    private static func divide(
        _ text: Span<UInt8>,
        _ member: TableMembers.Member
    ) -> (address: TableMembers.Member, events: Range<Int>)? {
        var index = member.range.upperBound - 2
        while index > member.range.lowerBound {
            if text.has("##", at: index) {
                var address = member
                address.range = member.range.lowerBound..<index
                return (address, (index + 2)..<member.range.upperBound)
            }
            index -= 1
        }
        return nil
    }

    /// What the last event that says so made of a recipient's copy.
    private static func outcome(
        _ text: Span<UInt8>,
        events: Range<Int>
    ) -> (LineFact.Status, LineFact.Agent) {
        var result = (LineFact.Status.none, LineFact.Agent.other)
        var index = events.lowerBound
        while index < events.upperBound {
            let end =
                text.first(UInt8(ascii: ","), from: index, to: events.upperBound)
                ?? events.upperBound
            while index < end, text[index] == UInt8(ascii: " ") { index += 1 }
            func isEvent(_ name: StaticString) -> Bool {
                end - index == name.utf8CodeUnitCount && text.hasIgnoringCase(name, at: index)
            }
            if isEvent("deliver") {
                result = (.sent, .mailbox)
            } else if isEvent("send") || isEvent("sendexternal") {
                result = (.sent, .smtp)
            } else if isEvent("expand") {
                result = (.sent, .other)
            } else if isEvent("fail") {
                result = (.bounced, .error)
            } else if isEvent("drop") {
                result = (.discarded, .discard)
            } else if isEvent("defer") {
                result = (.deferred, .other)
            }
            index = end + 1
        }
        return result
    }

    /// `Status` of a trace; mail of which nothing is known yet has none.
    private func status(_ text: Span<UInt8>, _ row: TableRowContext) -> LineFact.Status {
        func says(_ word: StaticString) -> Bool { isField(.status, word, text, row) }
        if says("Delivered") || says("Expanded") { return .sent }
        if says("Failed") || says("FilteredAsSpam") { return .bounced }
        if says("Pending") { return .deferred }
        return .none
    }
}
