import MailEvents
import Records

/// Reads lines that Exim wrote: into its own main log, or by syslog.
///
/// Of a message that it takes in, Exim says all on one line (`<=`, see ``EximArrival``); each attempt
/// at a recipient has its own (``EximDelivery``); `Completed` is the last. What an ACL logs of a
/// message (`logwrite`) comes before `<=`.
struct EximReader: Sendable {
    private var names: NameReader
    /// The last stamp's first 19 bytes as overlapping words, and its time.
    private var stampWords: (UInt64, UInt64, UInt64) = (0, 0, 0)
    private var stampSeconds: Int64 = 0
    private var knownDomains = [KnownDomain](repeating: KnownDomain(), count: 64)

    init(names: NameReader) { self.names = names }

    /// Appends the facts of a line that came by syslog.
    ///
    /// Exim's own stamp and process number stand before the text, unless `syslog_timestamp` and
    /// `syslog_pid` are off; the line's stamp is syslog's.
    ///
    /// - Parameters:
    ///   - text: the line.
    ///   - start: where the program's own text begins.
    ///   - context: what stands before it.
    mutating func read(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        if let outcome = readPart(text, from: start, context, into: &facts) { return outcome }
        let index = Self.endOfStamp(text, from: start) ?? start
        return readText(text, from: Self.endOfProcessID(text, from: index), context, into: &facts)
    }

    /// Appends the facts of a line of Exim's own log file (mainlog), which begins with its own stamp.
    ///
    /// - Returns: the stamp, and what became of the line; nil if it is no such line.
    mutating func readFileLine(
        _ text: Span<UInt8>,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> (Stamp, LineOutcome)? {
        guard let (stamp, end) = readStamp(text) else { return nil }
        var context = context
        context.stamp = stamp
        let index = Self.endOfProcessID(text, from: end)
        return (stamp, readText(text, from: index, context, into: &facts))
    }

    /// `[1/3] ` and a part of a line: one longer than 870 bytes is cut, and one with newlines is at
    /// these (`[2\3]`), unless Exim was built with `SYSLOG_LONG_LINES` (log.c, `write_syslog`). The first
    /// kind is joined by the assembler; the others are no lines of messages.
    ///
    /// - Returns: nil if the line is none.
    private func readPart(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome? {
        guard text.has("[", at: start) else { return nil }
        let numberEnd = EximGrammar.endOfDigits(text, from: start &+ 1)
        let isCut = text.has("/", at: numberEnd)
        guard isCut || text.has("\\", at: numberEnd) else { return nil }
        let countEnd = EximGrammar.endOfDigits(text, from: numberEnd &+ 1)
        guard text.has("] ", at: countEnd),
            let number = Self.number(text, (start &+ 1)..<numberEnd),
            let count = Self.number(text, (numberEnd &+ 1)..<countEnd),
            number >= 1, number <= count, count > 1
        else { return nil }
        guard isCut else { return .ignored }
        // Without it, parts of several processes cannot be told apart.
        guard !context.processID.isEmpty else { return .unparsed(.arrival) }
        var fact = LineFact(kind: .part, stamp: context.stamp, line: context.line)
        fact.dialect = .exim
        fact.instance = context.instance
        fact.key = context.sessionKey(nil, in: text)
        fact.host = context.host.isEmpty ? .absent : LineFact.Piece(context.host)
        fact.a = LineFact.Piece(countEnd &+ 2, text.count)
        fact.domain = number << 32 | count
        facts.append(fact)
        return .read
    }

    /// A number of at most four digits.
    private static func number(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
        guard !range.isEmpty, range.count <= 4 else { return nil }
        return range.reduce(0) { $0 * 10 + UInt64(text[$1] &- UInt8(ascii: "0")) }
    }

    // MARK: Before the text

    /// `YYYY-MM-DD hh:mm:ss`, with `+millisec` a fraction, with `log_timezone` a zone (tod.c,
    /// `tod_log`), and the blank behind it: the moment, and the index after it.
    private mutating func readStamp(_ text: Span<UInt8>) -> (Stamp, end: Int)? {
        guard text.count > 20, text[10] == UInt8(ascii: " "), isDigit(text[0]) else { return nil }
        let words = (text.word(at: 0), text.word(at: 8), text.word(at: 11))
        if words != stampWords {
            guard let seconds = StampText.dateTime(text) else { return nil }
            stampSeconds = seconds
            stampWords = words
        }
        var index = 19
        var microseconds: Int64 = 0
        if text[index] == UInt8(ascii: ".") {
            let end = EximGrammar.endOfDigits(text, from: index &+ 1)
            guard end > index &+ 1, end <= index &+ 7 else { return nil }
            var scale: Int64 = 100_000
            for digit in (index &+ 1)..<end {
                microseconds &+= Int64(text[digit] &- UInt8(ascii: "0")) &* scale
                scale /= 10
            }
            index = end
        }
        guard index < text.count, text[index] == UInt8(ascii: " ") else { return nil }
        index &+= 1
        let local = stampSeconds &* 1_000_000 &+ microseconds
        guard let (east, end) = Self.readZone(text, from: index) else {
            return (Stamp(localMicroseconds: local), index)
        }
        return (Stamp(microseconds: local &- east &* 1_000_000), end)
    }

    /// `+hhmm` or `-hhmm` and the blank behind it: seconds east of UTC, and the index after it.
    private static func readZone(
        _ text: Span<UInt8>,
        from start: Int
    ) -> (secondsEast: Int64, end: Int)? {
        guard start &+ 5 < text.count, text[start &+ 5] == UInt8(ascii: " ") else { return nil }
        let isWest = text[start] == UInt8(ascii: "-")
        guard isWest || text[start] == UInt8(ascii: "+") else { return nil }
        guard EximGrammar.endOfDigits(text, from: start &+ 1) == start &+ 5 else { return nil }
        func number(_ index: Int) -> Int64 {
            Int64(text[index] &- UInt8(ascii: "0")) &* 10
                &+ Int64(text[index &+ 1] &- UInt8(ascii: "0"))
        }
        let (hours, minutes) = (number(start &+ 1), number(start &+ 3))
        guard hours < 24, minutes < 60 else { return nil }
        let seconds = hours &* 3_600 &+ minutes &* 60
        return (isWest ? -seconds : seconds, start &+ 6)
    }

    /// The index after a stamp as ``readStamp(_:)`` reads it, anywhere in a line.
    private static func endOfStamp(_ text: Span<UInt8>, from start: Int) -> Int? {
        guard start &+ 20 <= text.count, text[start &+ 4] == UInt8(ascii: "-"),
            text[start &+ 7] == UInt8(ascii: "-"), text[start &+ 10] == UInt8(ascii: " "),
            text[start &+ 13] == UInt8(ascii: ":"), text[start &+ 16] == UInt8(ascii: ":"),
            isDigit(text[start]), isDigit(text[start &+ 18])
        else { return nil }
        var index = start &+ 19
        if text[index] == UInt8(ascii: ".") {
            index = EximGrammar.endOfDigits(text, from: index &+ 1)
        }
        guard index < text.count, text[index] == UInt8(ascii: " ") else { return nil }
        index &+= 1
        return readZone(text, from: index)?.end ?? index
    }

    /// The index after `[PID] ` (`+pid`), or `start` if there is none.
    private static func endOfProcessID(_ text: Span<UInt8>, from start: Int) -> Int {
        guard text.has("[", at: start) else { return start }
        let end = EximGrammar.endOfDigits(text, from: start &+ 1)
        return end > start &+ 1 && text.has("] ", at: end) ? end &+ 2 : start
    }

    // MARK: The text

    /// Reads a message's line: what has no message ID says nothing of a submission, such as the
    /// refusal of a recipient, though it may name a login.
    private mutating func readText(
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let idEnd = EximGrammar.endOfMessageID(text, from: start), text.has(" ", at: idEnd)
        else { return .ignored }
        let id = start..<idEnd
        let index = idEnd &+ 1
        guard index &+ 1 < text.count else { return .ignored }
        switch (text[index], text[index &+ 1]) {
        case (UInt8(ascii: "<"), UInt8(ascii: "=")),
            (UInt8(ascii: "("), UInt8(ascii: "=")):
            // `(=`: taken in, though the client was told otherwise (`control = fakereject`).
            guard text.has(" ", at: index &+ 2) else { return .ignored }
            return readArrival(text, id, from: index &+ 3, context, into: &facts)
        case (UInt8(ascii: "="), UInt8(ascii: ">")),
            (UInt8(ascii: "-"), UInt8(ascii: ">")),
            (UInt8(ascii: ">"), UInt8(ascii: ">")):
            return readDelivery(text, id, from: index, .delivered, context, into: &facts)
        case (UInt8(ascii: "*"), UInt8(ascii: "*")):
            return readDelivery(text, id, from: index, .failed, context, into: &facts)
        case (UInt8(ascii: "="), UInt8(ascii: "=")):
            return readDelivery(text, id, from: index, .deferred, context, into: &facts)
        default:
            return readWords(text, id, from: index, context, into: &facts)
        }
    }

    /// Lines without a mark. (`*>` is one: with `-N`, nothing was delivered.)
    private func readWords(
        _ text: Span<UInt8>,
        _ id: Range<Int>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        var fact = context.fact(.removed, of: .exim, id, in: text)
        switch text[start] {
        case UInt8(ascii: "C"):
            guard text.has("Completed", at: start), EximGrammar.isEnd(text, start &+ 9) else {
                return .ignored
            }
        case UInt8(ascii: "c"):
            // deliver.c: by a timeout; or by an administrator or a system filter, who bounce it.
            guard text.has("cancelled by ", at: start) else { return .ignored }
            let isTimeout = text.has("timeout_frozen_after", at: start &+ 13)
            fact.kind = isTimeout ? .expired : .cancelled
        case UInt8(ascii: "r"):
            if text.has("report-type=", at: start) {
                let end = EximGrammar.endOfName(text, from: start &+ 12)
                guard end > start &+ 12, end == text.count else { return .unparsed(.arrival) }
                fact.kind = .contentType
                fact.a = LineFact.Piece(start &+ 12, end)
                break
            }
            // queue.c: by an administrator.
            guard text.has("removed by ", at: start) else { return .ignored }
            fact.agent = .operator
        case UInt8(ascii: "d"):
            let begin = start &+ 29
            guard text.has("disposition-notification-to=<", at: start) else { return .ignored }
            // Of what is no single address, `${address:…}` makes nothing.
            if begin &+ 1 == text.count, text.has(">", at: begin) { return .ignored }
            guard let end = EximGrammar.endOfAddress(text, from: begin), end &+ 1 == text.count,
                text.has(">", at: end)
            else { return .unparsed(.arrival) }
            fact.kind = .receiptRequest
            fact.a = LineFact.Piece(begin, end)
        case UInt8(ascii: "f"), UInt8(ascii: "F"):
            // receive.c, queue.c, deliver.c
            let isFrozen =
                text.has("frozen by ", at: start)
                || text.has("Frozen", at: start) && EximGrammar.isEnd(text, start &+ 6)
            guard isFrozen else { return .ignored }
            fact.kind = .held
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            guard text.has("nfrozen by ", at: start &+ 1) else { return .ignored }
            fact.kind = .released
        case UInt8(ascii: "M"):
            guard text.has("Message removed because older than ", at: start) else {
                return .ignored
            }
        case UInt8(ascii: "*"):
            // log.c: the line, of whatever kind, was longer than 8 KiB.
            let isLost = text.has("**** log string overflowed", at: start)
            return isLost ? .unparsed(.arrival) : .ignored
        default:
            return .ignored
        }
        facts.append(fact)
        return .read
    }

    private mutating func readArrival(
        _ text: Span<UInt8>,
        _ id: Range<Int>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        guard let arrival = EximArrival.read(text, from: start) else { return .unparsed(.arrival) }
        var fact = context.fact(.accepted, of: .exim, id, in: text)
        fact.isAmbiguous = arrival.isAmbiguous
        fact.a = arrival.clientIP
        fact.b = arrival.login
        fact.c = arrival.clientName
        let agent = fact.agent
        if arrival.isLoginNameless { fact.agent = .namelessLogin }
        facts.append(fact)

        fact.agent = agent
        fact.isAmbiguous = false
        fact.b = .absent
        fact.c = .absent
        fact.kind = .sender
        fact.a = arrival.sender
        fact.domain = domain(text, arrival.senderDomain.indices)
        facts.append(fact)

        fact.domain = 0
        if arrival.subject.isPresent {
            fact.kind = .subject
            fact.form = .eximQuoted
            fact.a = arrival.subject
            facts.append(fact)
            fact.form = .header
        }
        if arrival.messageID.isPresent {
            fact.kind = .messageID
            fact.a = arrival.messageID
            facts.append(fact)
        }
        // Of several readings, the recipients come from the delivery lines only.
        if arrival.recipients.isPresent, !arrival.isAmbiguous {
            var index = Int(arrival.recipients.start)
            fact.kind = .recipient
            while let (end, at) = EximGrammar.address(text, from: index, .orLocalPart) {
                fact.a = LineFact.Piece(index, end)
                fact.domain = domain(text, at..<end)
                facts.append(fact)
                index = end &+ 1
            }
            fact.domain = 0
        }
        fact.kind = .queued
        fact.a = .absent
        facts.append(fact)
        return .read
    }

    /// The identity of the domain of an address; 0 if it has none.
    private mutating func domain(ofAddress address: LineFact.Piece, _ text: Span<UInt8>) -> UInt64 {
        guard let (end, at) = EximGrammar.address(text, from: Int(address.start), .orLocalPart),
            end == address.indices.upperBound
        else { return 0 }
        return domain(text, at..<end)
    }

    /// The identity of a domain; 0 for none. Most domains come again within a few lines.
    private mutating func domain(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        let count = range.count
        guard count > 0 else { return 0 }
        guard count >= 8, count <= 32 else { return names.domain(text.extracting(range)) }
        let start = range.lowerBound
        let last = count &- 8
        var known = KnownDomain()
        known.count = count
        known.words = (
            text.word(at: start), text.word(at: start &+ min(8, last)),
            text.word(at: start &+ min(16, last)), text.word(at: start &+ last)
        )
        let slot = known.slot
        if knownDomains[slot].isSame(as: known) { return knownDomains[slot].identity }
        known.identity = names.domain(text.extracting(range))
        knownDomains[slot] = known
        return known.identity
    }

    /// A domain of 8 to 32 bytes: its words overlap where it has fewer.
    private struct KnownDomain: Sendable {
        var count = 0
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var identity: UInt64 = 0

        /// One of 64 places.
        var slot: Int {
            let mixed = words.0 &* 0x9e37_79b9_7f4a_7c15 ^ words.3 &* 0xe703_7ed1_a0b4_28db
            return Int(truncatingIfNeeded: (mixed ^ mixed >> 32) & 63)
        }

        func isSame(as other: Self) -> Bool { count == other.count && words == other.words }
    }

    // MARK: Deliveries

    private mutating func readDelivery(
        _ text: Span<UInt8>,
        _ id: Range<Int>,
        from mark: Int,
        _ outcome: EximDelivery.Outcome,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) -> LineOutcome {
        let start = mark &+ 3
        var fact = context.fact(.delivery, of: .exim, id, in: text)
        if !text.has(" ", at: start &- 1) {
            return text[mark] == UInt8(ascii: "*")
                ? readWords(text, id, from: mark, context, into: &facts) : .ignored
        }
        guard let delivery = EximDelivery.read(text, from: start, outcome) else {
            // Lines that are of no recipient. By an ACL (receive.c), by a system filter (deliver.c):
            if outcome == .delivered,
                text.has("blackhole (", at: start) || text.has("discarded (", at: start)
            {
                fact.kind = .discarded
                facts.append(fact)
                return .read
            }
            let isWrapper = text.has("mua_wrapper is set but ", at: start)
            return isWrapper ? .ignored : .unparsed(.delivery)
        }
        // What a filter sends of its own accord: an answer, or mail to who was no recipient.
        let isAnswer = text[start] == UInt8(ascii: ">") && !delivery.isUnquoted(text)
        guard !isAnswer, !delivery.original.isPresent || Self.hasDomain(text, delivery.original)
        else { return .ignored }
        switch outcome {
        case .delivered: fact.status = .sent
        case .deferred: fact.status = .deferred
        case .failed:
            // retry.c says no more than this.
            let isExpired =
                delivery.message.count == 22
                && text.has("retry timeout exceeded", at: Int(delivery.message.start))
            fact.status = isExpired ? .expired : .bounced
        }
        fact.opensMessage = text[mark] == UInt8(ascii: ">")
        fact.agent = Self.agent(text, delivery)
        fact.c = delivery.host
        fact.d = delivery.reply
        addAddresses(of: delivery, text, to: &fact)
        facts.append(fact)
        return .read
    }

    /// Local deliveries name no host.
    private static func agent(_ text: Span<UInt8>, _ delivery: EximDelivery) -> LineFact.Agent {
        if delivery.host.isPresent { return .smtp }
        func isNamed(_ name: StaticString) -> Bool {
            delivery.address.count == name.utf8CodeUnitCount
                && text.has(name, at: Int(delivery.address.start))
        }
        let isThrownAway =
            text.has("**bypassed**", at: Int(delivery.transport.start)) || isNamed(":blackhole:")
            || isNamed("discarded") || isNamed("/dev/null")
        return isThrownAway ? .discard : .mailbox
    }

    private static func hasDomain(_ text: Span<UInt8>, _ address: LineFact.Piece) -> Bool {
        EximGrammar.endOfAddress(text, from: Int(address.start)) == address.indices.upperBound
    }

    /// Sets the recipient, the address that it was given as, and whose mailbox it is.
    private mutating func addAddresses(
        of delivery: EximDelivery,
        _ text: Span<UInt8>,
        to fact: inout LineFact
    ) {
        fact.a = delivery.address
        fact.b = delivery.original
        if !delivery.isAddress {
            if delivery.parent.isPresent {
                // A file or a pipe of the mailbox that an alias named.
                fact.a = delivery.parent
            } else if fact.agent == .discard
                || !Self.isOtherMailbox(text, fact.a.indices, fact.b.indices)
            {
                fact.a = delivery.original
                fact.b = .absent
            }
        }
        fact.domain =
            delivery.isAddress
            ? domain(text, delivery.domain.indices) : domain(ofAddress: fact.a, text)
        if fact.domain == 0, fact.b.isPresent { fact.domain = domain(ofAddress: fact.b, text) }
        if fact.status == .sent, fact.agent == .mailbox {
            fact.account = names.mailbox(text.extracting(fact.a.indices))
        }
    }

    /// Whether a local part alone is the name of another mailbox than the original address'.
    private static func isOtherMailbox(
        _ text: Span<UInt8>,
        _ name: Range<Int>,
        _ original: Range<Int>
    ) -> Bool {
        let first = text[name.lowerBound]
        guard
            EximGrammar.endOfAddress(text, from: name.lowerBound, .orLocalPart) == name.upperBound,
            first != UInt8(ascii: "/"), first != UInt8(ascii: "|")
        else { return false }
        let local = original.lowerBound..<min(original.upperBound, original.lowerBound + name.count)
        return !text.equalsIgnoringCase(name, text, local)
            || text[local.upperBound] != UInt8(ascii: "@")
    }
}
