import MailEvents
import Records

/// Before-queue filters (Postfix' SMTPD_PROXY_README): the smtpd that the client talks to has no queue
/// and no queue ID; it hands the message to a filter, which hands it to a second smtpd.
///
/// The login stands on the first one's `NOQUEUE: client=` line, everything else under the ID that the
/// second one gives. What joins them is the first one's `proxy-accept:` line: its process had the
/// login, and the filter's reply names the ID, if the filter passes on what the second smtpd said. So
/// a session is kept like a message until then, under the key of its process.
///
/// Where the reply names none, the client that both name joins them (XFORWARD's `orig_client=`), but
/// only if one session had that client when the message came: several people may sit behind one
/// address. Logs without any such line are joined so as soon as the message comes.
///
/// A message that is found so was submitted when its lines say: at the queue manager's line, and not
/// when the login became known.
extension Assembler {
    mutating func takeProxy(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ record: RecordID,
        _ microseconds: Int64
    ) {
        let known = table.find(fact.key) { slot in
            slots[Int(slot)].isProxied && slots[Int(slot)].state == .open
                && slots[Int(slot)].instance == fact.instance
        }
        guard fact.kind == .proxyEnd else {
            // A session has one message at a time.
            if let known { giveUp(known) }
            if fact.kind == .proxied {
                openProxied(fact, line, record, microseconds)
            } else {
                openHolding(fact, line, record, microseconds)
            }
            return
        }
        tellsProxyEnds = true
        guard let known else {
            counters.strayLines &+= 1
            return
        }
        _ = keep(line, record, in: Int(known))
        if fact.status == .sent, let inner = proxiedMessage(fact, line, of: known) {
            adopt(inner, from: known)
        }
        giveUp(known)
    }

    private mutating func openProxied(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ record: RecordID,
        _ microseconds: Int64
    ) {
        let slot = openAssembly(fact, line, microseconds)
        let index = Int(slot)
        slots[index].isProxied = true
        // Marks it as worth keeping before its line is kept.
        slots[index].isSubmission = fact.b.isPresent
        let base = keep(line, record, in: index)
        if fact.b.isPresent { slots[index].login = place(of: fact.b, line, base, in: index) }
        slots[index].client = place(of: fact.a, line, base, in: index)
        enter(slot, line.extracting(fact.host.indices), line.extracting(fact.a.indices))
    }

    /// A session will hand in a message that is to be held.
    private mutating func openHolding(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        _ record: RecordID,
        _ microseconds: Int64
    ) {
        let index = Int(openAssembly(fact, line, microseconds))
        slots[index].isProxied = true
        slots[index].decided = .held
        slots[index].isProvisional = true
        holdingCount += 1
        let base = keep(line, record, in: index)
        slots[index].client = place(of: fact.a, line, base, in: index)
    }

    /// Takes the hold of the session by which a message came, with its line.
    mutating func takeHold(_ fact: LineFact, _ line: Span<UInt8>, in index: Int) {
        let session = table.find(fact.account) { slot in
            slots[Int(slot)].isHolding && slots[Int(slot)].state == .open
                && slots[Int(slot)].instance == fact.instance
        }
        guard let session else { return }
        let holding = slots[Int(session)]
        if holding.text.span.equals(holding.client.indices, line, fact.a.indices) {
            slots[index].isHeld = true
            slots[index].decided = .held
            if slots[index].keepsLines { slots[index].takeLines(of: holding) }
        }
        giveUp(session)
    }

    /// A message came from a filter that forwarded its client, and no outer message's ID.
    mutating func awaitProxy(_ slot: Int32, _ host: Span<UInt8>, _ client: Span<UInt8>) {
        enter(slot, host, client)
        guard let session = onlySession(of: slot) else { return }
        slots[Int(slot)].session = slots[Int(session)].serial
        guard !tellsProxyEnds, slots[Int(session)].isSubmission else { return }
        adopt(slot, from: session)
        giveUp(session)
    }

    private mutating func enter(_ slot: Int32, _ host: Span<UInt8>, _ client: Span<UInt8>) {
        let key = queueKeys.clientKey(client, hostBytes: host)
        slots[Int(slot)].clientKey = key
        clients.insert(key, slot: slot)
    }

    /// The message that an accepted session's filter made of it.
    private mutating func proxiedMessage(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        of session: Int32
    ) -> Int32? {
        let index = Int(session)
        guard slots[index].isSubmission else { return nil }
        if fact.a.isPresent {
            let queueID = line.extracting(fact.a.indices)
            let key = queueKeys.key(queueID, hostBytes: line.extracting(fact.host.indices))
            guard let inner = slotOpen(key, queueID, isOuter: false),
                slots[Int(inner)].serial > slots[index].serial,
                // A forwarded client must be this one.
                slots[Int(inner)].clientKey == 0 || hasSameClient(inner, session)
            else { return nil }
            return inner
        }
        return only(slots[index].clientKey) { slot in
            slots[Int(slot)].session == slots[index].serial && isAwaiting(slot)
                && (!fact.b.isPresent || slots[Int(slot)].mayHaveSender(line, fact.b.indices))
        }
    }

    /// The one session that has a message's client, now that it comes; nil if there are several.
    private func onlySession(of message: Int32) -> Int32? {
        only(slots[Int(message)].clientKey) { slot in
            slots[Int(slot)].isProxied && slots[Int(slot)].state == .open
                && hasSameClient(slot, message)
        }
    }

    /// The one slot of a client for which it holds; nil if it holds for several.
    private func only(_ clientKey: UInt64, where matches: (Int32) -> Bool) -> Int32? {
        var found: Int32?
        var isOnly = true
        _ = clients.find(clientKey) { slot in
            guard matches(slot) else { return false }
            isOnly = found == nil
            found = slot
            return !isOnly
        }
        return isOnly ? found : nil
    }

    /// Whether it is a message from a filter that nothing explains yet.
    private func isAwaiting(_ slot: Int32) -> Bool {
        let index = Int(slot)
        return slots[index].isFromLoopback && outer(of: index) < 0
            && (slots[index].state == .open || slots[index].state == .unlinked)
    }

    private func hasSameClient(_ left: Int32, _ right: Int32) -> Bool {
        let (left, right) = (slots[Int(left)], slots[Int(right)])
        return left.clientKey == right.clientKey
            && left.text.span.equals(left.client.indices, right.text.span, right.client.indices)
    }

    /// Makes a message the submission of a session.
    private mutating func adopt(_ message: Int32, from session: Int32) {
        let index = Int(message)
        counters.submissions += 1
        markChanged(message)
        slots[index].take(from: slots[Int(session)])
        for recipient in slots[index].recipients.indices {
            let (record, microseconds) = (
                slots[index].recipients[recipient].record,
                slots[index].recipients[recipient].microseconds
            )
            submit(recipient, record, microseconds, in: index)
            if slots[index].recipients[recipient].isSettled {
                happenings.append(.settled(slot: message, recipient: recipient))
            }
        }
        if slots[index].state == .unlinked { giveUp(message) }
    }
}

extension Assembly {
    /// Whether its sender is the bytes at `range`, or not known.
    fileprivate func mayHaveSender(_ line: Span<UInt8>, _ range: Range<Int>) -> Bool {
        !sender.isPresent || text.span.equals(sender.indices, line, range)
    }

    /// Takes login, client and lines of a session.
    fileprivate mutating func take(from session: Assembly) {
        isFromLoopback = false
        isRead = false
        login = append(session.text.span.extracting(session.login.indices))
        setClient(append(session.text.span.extracting(session.client.indices)))
        takeLines(of: session)
    }

    /// Takes the lines of a session, which come before its own or between them.
    fileprivate mutating func takeLines(of session: Assembly) {
        for line in session.lines {
            var line = line
            line.place = append(session.text.span.extracting(line.place.indices))
            let later = lines.firstIndex { $0.sequence > line.sequence } ?? lines.endIndex
            lines.insert(line, at: later)
        }
    }
}
