import MailEvents
import Records

/// Rows of the message tracking log.
///
/// A message that was written in a mailbox begins with RECEIVE of the source STOREDRIVER, whose
/// `sender-address` is the mailbox that submitted it (on whose behalf, `custom-data` says). A message that a
/// client handed in with a login begins with RECEIVE of the source SMTP, whose `message-info` begins with
/// how it was authenticated: two hexadecimal digits, as in the header
/// `X-MS-Exchange-Organization-AuthMechanism`, then the first letter of `…-AuthAs`, then a colon. Its
/// account is the sender too: Exchange lets a client send only as whom it may send
/// (`5.7.60 Client does not have permissions to send as this sender`). RECEIVE rows of the same message on
/// further servers are `0c`, and of strangers' mail `00A`.
///
/// All rows of a message have one `network-message-id`, on all servers and in all copies; Exchange 2010
/// has none, there `internal-message-id` and `message-id` stand for it on one server.
extension TableReader {
    mutating func readTracking(
        _ text: Span<UInt8>,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let event = plain(.event, row), Self.isEvent(text, event),
            let source = plain(.source, row)
        else { return .unparsed(.row) }
        func isEvent(_ name: StaticString) -> Bool {
            event.count == name.utf8CodeUnitCount && text.has(name, at: event.lowerBound)
        }
        guard let row = identified(text, row) else { return .ignored }
        if isEvent("RECEIVE") { return readReceive(text, source, row, into: &facts) }
        if isEvent("DELIVER") || isEvent("DUPLICATEDELIVER") {
            return readOutcome(text, .sent, by: .mailbox, row, into: &facts)
        }
        if isEvent("SEND") || isEvent("SENDEXTERNAL") {
            guard leaves(text, row) else { return .ignored }
            return readOutcome(text, .sent, by: .smtp, row, into: &facts)
        }
        if isEvent("FAIL") {
            let status = isExpired(text, row) ? LineFact.Status.expired : .bounced
            return readOutcome(text, status, by: .error, row, into: &facts)
        }
        if isEvent("DEFER") { return readOutcome(text, .deferred, by: .other, row, into: &facts) }
        if isEvent("DROP") { return readOutcome(text, .discarded, by: .discard, row, into: &facts) }
        if isEvent("EXPAND") { return readExpand(text, row, into: &facts) }
        if isEvent("RESOLVE") {
            return readRedirect(text, from: .relatedRecipient, to: .recipients, row, into: &facts)
        }
        if isEvent("REDIRECT") {
            return readRedirect(text, from: .recipients, to: .relatedRecipient, row, into: &facts)
        }
        return .ignored
    }

    /// Event names are words in capital letters.
    private static func isEvent(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
        for index in range where text[index] &- UInt8(ascii: "A") >= 26 { return false }
        return true
    }

    /// The row with the key of its message; nil if it is of none.
    private func identified(_ text: Span<UInt8>, _ row: TableRowContext) -> TableRowContext? {
        var row = row
        if let id = networkID(text, row) {
            row.queueID = LineFact.Piece(id)
            row.key = queueKey(text.extracting(id), hostHash: row.hostHash)
        } else if let id = plain(.internalID, row), let messageID = plain(.messageID, row) {
            // A stranger may choose the one, but not the other.
            row.queueID = LineFact.Piece(id)
            row.key = queueKey(
                text.extracting(id),
                hostHash: keyedHash(text.extracting(messageID), seed: seed)
            )
        } else {
            return nil
        }
        return row
    }

    // MARK: Beginnings

    private mutating func readReceive(
        _ text: Span<UInt8>,
        _ source: Range<Int>,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        let isMailbox = source.count == 11 && text.has("STOREDRIVER", at: source.lowerBound)
        let isSMTP = source.count == 4 && text.has("SMTP", at: source.lowerBound)
        // Other sources are the server's own: rules, agents, journals, files in a folder.
        guard isMailbox || isSMTP else { return .ignored }
        let sender = senderAddress(text, row)
        let isIncoming = isField(.directionality, "Incoming", text, row)
        let isSubmission =
            sender != nil && !isIncoming && (isMailbox || isAuthenticated(text, row))
        // Without all recipients it would be another message.
        guard !isSubmission || hasWholeRecipients(text, row) else { return .unparsed(.row) }

        var row = row
        if let host = plain(.serverHostname, row) { row.host = LineFact.Piece(host) }
        var accepted = row.fact(.accepted)
        if isSubmission, let sender {
            accepted.b = LineFact.Piece(sender)
            let original = address(.originalClientIP, text, row)
            // The client of a mailbox server is the mailbox server.
            accepted.a =
                original.isPresent || isMailbox ? original : address(.clientIP, text, row)
        }
        if let count = plain(.recipientCount, row) { accepted.d = LineFact.Piece(count) }
        facts.append(accepted)

        let place = Int(row.queueID.start)
        if let returnPath = plain(.returnPath, row) {
            let isAddress = Self.isAddress(text, returnPath)
            appendSender(isAddress ? returnPath : nil, at: place, text, row, into: &facts)
        }
        if isSubmission {
            appendTexts(text, row, into: &facts)
            appendReceipt(text, row, into: &facts)
            appendRecipients(text, row, into: &facts)
        }
        facts.append(row.fact(.queued))
        return .read
    }

    /// Whether a client logged in: AUTH LOGIN with TLS (06) or without (07), NTLM (0a) or Kerberos
    /// (0b), and is taken for one of the organisation's.
    private func isAuthenticated(_ text: Span<UInt8>, _ row: TableRowContext) -> Bool {
        guard let info = plain(.messageInfo, row), info.count >= 4 else { return false }
        let start = info.lowerBound
        let isLogin =
            text.has("06", at: start) || text.has("07", at: start) || text.has("0a", at: start)
            || text.has("0b", at: start)
        return isLogin && text.has("I:", at: start + 2)
    }

    private func hasWholeRecipients(_ text: Span<UInt8>, _ row: TableRowContext) -> Bool {
        guard let list = plain(.recipients, row) else { return false }
        var members = TableMembers(list)
        var end = list.lowerBound
        while let member = members.next(in: text) {
            guard Self.isAddress(text, member.range) else { return false }
            end = member.range.upperBound
        }
        // Behind the last one may stand its apostrophe.
        return list.upperBound - end <= 1
    }

    private mutating func appendRecipients(
        _ text: Span<UInt8>,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) {
        guard let list = plain(.recipients, row) else { return }
        var members = TableMembers(list)
        while let member = members.next(in: text) {
            appendRecipient(member, text, row, into: &facts)
        }
    }

    /// The MAPI class of a message that is a report stands in `source-context`, among `MDB:…, Mailbox:…,
    /// Event:…, MessageClass:REPORT.IPM.Note.IPNNRN, CreationTime:…, ClientType:…`.
    private func appendReceipt(
        _ text: Span<UInt8>,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) {
        guard let context = plain(.sourceContext, row),
            let name = text.first(", MessageClass:REPORT.", from: context.lowerBound),
            name + 22 <= context.upperBound
        else { return }
        let start = name + 15
        let end = text.first(UInt8(ascii: ","), from: start, to: context.upperBound)
        var fact = row.fact(.contentType)
        fact.a = LineFact.Piece(start, end ?? context.upperBound)
        facts.append(fact)
    }

    // MARK: Outcomes

    /// Whether a message that was sent by SMTP left the organisation. Between its servers it goes over
    /// a connector that has the same name everywhere; what became of it there, later rows say.
    private func leaves(_ text: Span<UInt8>, _ row: TableRowContext) -> Bool {
        !isField(.directionality, "Incoming", text, row)
            && !isField(.connector, "Intra-Organization SMTP Send Connector", text, row)
    }

    /// A message that lay in the queue too long: `550 4.4.7 QUEUE.Expired; …`, said by the queue itself,
    /// since another server's reply may have those words.
    private func isExpired(_ text: Span<UInt8>, _ row: TableRowContext) -> Bool {
        guard isField(.source, "QUEUE", text, row), let status = field(.recipientStatus, row)
        else { return false }
        var start = Int(status.start)
        if text.has("'", at: start) { start += 1 }
        if text.has("[{LED=", at: start) { start += 6 }
        return text.has("550 4.4.7 QUEUE.Expired", at: start)
    }

    private mutating func readOutcome(
        _ text: Span<UInt8>,
        _ status: LineFact.Status,
        by agent: LineFact.Agent,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let field = field(.recipients, row) else { return .ignored }
        guard !field.hasDoubledQuotes else { return .unparsed(.row) }
        var members = TableMembers(field.range)
        var count = 0
        while let member = members.next(in: text) {
            guard Self.isAddress(text, member.range) else { continue }
            appendDelivery(member, status, by: agent, text, row, into: &facts)
            count += 1
        }
        return count > 0 ? .read : .unparsed(.row)
    }

    /// A distribution group gave way to its members, of whom there are `recipient-count`.
    private func readExpand(
        _ text: Span<UInt8>,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let group = plain(.relatedRecipient, row), Self.isAddress(text, group) else {
            return .ignored
        }
        var fact = row.fact(.expanded)
        fact.a = LineFact.Piece(group)
        if let count = plain(.recipientCount, row) { fact.d = LineFact.Piece(count) }
        facts.append(fact)
        return .read
    }

    private func readRedirect(
        _ text: Span<UInt8>,
        from old: TableColumn,
        to new: TableColumn,
        _ row: TableRowContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let old = plain(old, row), let new = plain(new, row), Self.isAddress(text, old),
            Self.isAddress(text, new)
        else { return .ignored }
        var fact = row.fact(.redirected)
        fact.a = LineFact.Piece(new)
        fact.b = LineFact.Piece(old)
        facts.append(fact)
        return .read
    }
}
