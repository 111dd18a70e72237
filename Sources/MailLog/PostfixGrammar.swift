/// The parts of Postfix's lines that strangers can put text into, read by their whole grammar.
///
/// Each function gives the place where a part ends, or nil when the bytes are not of that grammar;
/// none of them guesses.
enum PostfixGrammar {
    /// The index of the `>` that closes an address in external form which starts at `start`.
    ///
    /// Postfix 3.5 and later logs addresses in external form (postconf(5),
    /// `info_log_address_format = external`): blanks, `<` and `>` stand only within a quoted local
    /// part, where `"` and `\` have a backslash before them (RFC 5321, 4.1.2); quotes stand around a
    /// whole local part (quote_822_local.c).
    static func endOfAddress(_ line: Span<UInt8>, from start: Int) -> Int? {
        // Mostly there is no quote, blank or `<` before the first `>`.
        let end = line.count
        var index = start
        while index &+ 8 <= end {
            // The loop's condition keeps the word within the span.
            let word = unsafe line.uncheckedWord(at: index)
            let marks =
                zeroBytes(word ^ 0x3e3e_3e3e_3e3e_3e3e) | zeroBytes(word ^ 0x2222_2222_2222_2222)
                | zeroBytes(word ^ 0x2020_2020_2020_2020) | zeroBytes(word ^ 0x3c3c_3c3c_3c3c_3c3c)
            if marks != 0 {
                index &+= marks.trailingZeroBitCount >> 3
                break
            }
            index &+= 8
        }
        while index < end {
            switch line[index] {
            case UInt8(ascii: ">"): return index
            case UInt8(ascii: "\""):
                return index == start ? endOfQuotedAddress(line, from: index) : nil
            case UInt8(ascii: " "), UInt8(ascii: "<"): return nil
            default: index &+= 1
            }
        }
        return nil
    }

    /// The same for an address that begins with a quote.
    private static func endOfQuotedAddress(_ line: Span<UInt8>, from start: Int) -> Int? {
        var index = start + 1
        while index < line.count, line[index] != UInt8(ascii: "\"") {
            index += line[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        index += 1
        while index < line.count {
            switch line[index] {
            case UInt8(ascii: ">"): return index
            case UInt8(ascii: " "), UInt8(ascii: "<"), UInt8(ascii: "\""): return nil
            default: index += 1
            }
        }
        return nil
    }

    /// Where an address without angle brackets ends that starts at `start`, as logs have it from which
    /// something took them; nil if it is empty or quoted. The text of an action stands behind `: `.
    private static func endOfBareAddress(_ line: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        scan: while index < line.count {
            switch line[index] {
            case UInt8(ascii: " "), UInt8(ascii: ","): break scan
            case UInt8(ascii: ":") where line.has(" ", at: index + 1): break scan
            case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "("),
                UInt8(ascii: ")"), UInt8(ascii: ";"), UInt8(ascii: ":"), UInt8(ascii: "\\"):
                return nil
            default: index += 1
            }
        }
        return index > start ? index : nil
    }

    /// The index after `HOST[ADDRESS]` or `HOST[ADDRESS]:PORT`, which starts at `start`.
    ///
    /// Names come from DNS; Postfix logs only those that valid_hostname(3) accepts, else `unknown`.
    static func endOfClient(_ line: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < line.count, isHostByte(line[index]) { index += 1 }
        guard index > start, index < line.count, line[index] == UInt8(ascii: "[") else {
            return nil
        }
        let addressStart = index + 1
        index = addressStart
        while index < line.count, isAddressByte(line[index]) { index += 1 }
        guard index > addressStart, index < line.count, line[index] == UInt8(ascii: "]") else {
            return nil
        }
        index += 1
        // smtpd_client_port_logging
        if index + 1 < line.count, line[index] == UInt8(ascii: ":"), isDigit(line[index + 1]) {
            index += 1
            while index < line.count, isDigit(line[index]) { index += 1 }
        }
        return index
    }

    @inline(__always)
    private static func isHostByte(_ byte: UInt8) -> Bool { clientClass(byte) & 1 != 0 }

    /// An IPv4 or IPv6 address, with a zone, or `unknown`.
    @inline(__always)
    private static func isAddressByte(_ byte: UInt8) -> Bool { clientClass(byte) & 2 != 0 }

    @inline(__always)
    static func clientClass(_ byte: UInt8) -> UInt8 {
        // The table has an entry for each value of a byte.
        unsafe clientClasses.utf8Start[Int(byte)] & 3
    }

    /// By byte: 1 for what a host name may hold (`-`, `.`, `:`, `_`, letters, digits, bytes from 0x80
    /// on), 2 for what an address may (the same of ASCII, `%`, `/`).
    private static var clientClasses: StaticString {
        """
        0000000000000000000000000000000000000200000003323333333333300000\
        0333333333333333333333333330000303333333333333333333333333300000\
        1111111111111111111111111111111111111111111111111111111111111111\
        1111111111111111111111111111111111111111111111111111111111111111
        """
    }

    /// Where the login of a `client=` line ends: at the line's end, or before the longest suffix that
    /// is made of the optional fields to the line's end.
    ///
    /// smtpd_sasl_glue.c and smtpd.c (Postfix 3.x) write, in this order, `sasl_sender=` (the
    /// client's `AUTH=`, any text), then `orig_queue_id=` and `orig_client=` (XFORWARD).
    static func endOfLogin(_ line: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while let comma = line.first(", ", from: index) {
            if isLoginSuffix(line, from: comma) { return comma }
            index = comma + 1
        }
        return line.count
    }

    private static func isLoginSuffix(_ line: Span<UInt8>, from start: Int) -> Bool {
        if line.has(", sasl_sender=", at: start) { return true }
        var index = start
        if let end = endOfQueueField(line, from: index) { index = end }
        if line.has(", orig_client=", at: index) {
            guard let end = endOfClient(line, from: index + 14) else { return false }
            index = end
        }
        return index > start && index == line.count
    }

    /// The index after `, orig_queue_id=ID` at `start`.
    static func endOfQueueField(_ line: Span<UInt8>, from start: Int) -> Int? {
        guard line.has(", orig_queue_id=", at: start) else { return nil }
        var index = start + 16
        while index < line.count, queueIDClass(line[index]) != 0 { index += 1 }
        return index > start + 16 ? index : nil
    }

    /// How many bytes a queue ID may have.
    static let queueIDCounts = 5...24

    /// Where a queue ID ends that starts at `start`: the start, if there is none.
    static func endOfQueueID(_ line: Span<UInt8>, from start: Int) -> Int {
        var index = start
        var alphabets: UInt8 = 3
        while index < line.count, queueIDClass(line[index]) & alphabets != 0 {
            alphabets &= queueIDClass(line[index])
            index += 1
        }
        return index
    }

    /// The queue ID with which a reply ends, as in `… queued as 4jY8Gq5M1Bz2NRpQ` (smtpd.c).
    static func queuedAs(_ line: Span<UInt8>, in reply: Range<Int>) -> Range<Int>? {
        let end = min(reply.upperBound, line.count)
        var start = end
        while start > reply.lowerBound, queueIDClass(line[start - 1]) != 0 { start -= 1 }
        guard queueIDCounts.contains(end - start), start - reply.lowerBound >= 10,
            line.has("queued as ", at: start - 10), endOfQueueID(line, from: start) == end
        else { return nil }
        return start..<end
    }

    /// Which alphabets of queue IDs a byte belongs to: 1 for the short form (upper-case
    /// hexadecimal), 2 for the long one.
    ///
    /// postconf(5), `enable_long_queue_ids`: long IDs use digits and consonants only, which is also
    /// what tells them from words such as `warning` or `statistics`.
    @inline(__always)
    static func queueIDClass(_ byte: UInt8) -> UInt8 {
        // The table has an entry for each value of a byte.
        unsafe queueIDClasses.utf8Start[Int(byte)] & 3
    }

    /// Whether the bytes are of one of the two alphabets.
    static func isQueueID(_ line: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var alphabets: UInt8 = 3
        for index in range { alphabets &= queueIDClass(line[index]) }
        return alphabets != 0
    }

    /// By byte: the digits 0 to 3, whose last two bits are the alphabets. A string literal is the
    /// one table that costs no check that it was made.
    private static var queueIDClasses: StaticString {
        """
        0000000000000000000000000000000000000000000000003333333333000000\
        0133313220222220222220222220000000222022202222202222202222200000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000
        """
    }

    // MARK: Queue

    /// The sender of `from=<S>, size=N, nrcpt=N (queue active)`.
    ///
    /// What stands behind the sender is Postfix's own to the line's end, so the sender is known
    /// whatever it holds: also in internal form (before Postfix 3.5, or `info_log_address_format =
    /// internal`), where blanks, quotes and brackets stand as they are.
    ///
    /// - Parameter start: the index behind `from=`.
    static func activeSender(_ line: Span<UInt8>, from start: Int) -> Range<Int>? {
        guard start < line.count, line[start] == UInt8(ascii: "<") else {
            guard let end = endOfBareAddress(line, from: start), isActiveTail(line, from: end)
            else {
                return nil
            }
            return start..<end
        }
        if let end = endOfAddress(line, from: start + 1), isActiveTail(line, from: end + 1) {
            return (start + 1)..<end
        }
        // The last `>` of the line closes the address.
        guard let end = line.last(UInt8(ascii: ">"), from: start), isActiveTail(line, from: end + 1)
        else { return nil }
        return (start + 1)..<end
    }

    /// Whether `, size=N, nrcpt=N (queue active)` is all that follows: it holds no `>`.
    @inline(__always)
    private static func isActiveTail(_ line: Span<UInt8>, from start: Int) -> Bool {
        guard line.has(", size=", at: start) else { return false }
        var index = start + 7
        while index < line.count, isDigit(line[index]) { index += 1 }
        guard line.has(", nrcpt=", at: index) else { return false }
        index += 8
        while index < line.count, isDigit(line[index]) { index += 1 }
        return index + 15 == line.count && line.has(" (queue active)", at: index)
    }

    /// Whether the line is `from=<S>, status=expired, returned to sender`.
    static func isExpiry(_ line: Span<UInt8>, from start: Int) -> Bool {
        let end = line.count - 20
        guard end > start, line.has(", returned to sender", at: end) else { return false }
        return line.has(", status=expired", at: end - 16)
            || line.has(", status=force-expired", at: end - 22)
    }

    /// What a delivery line says before its reply.
    struct Delivery {
        var recipient: Range<Int>
        /// `orig_to=`.
        var original: Range<Int>?
        var relay: Range<Int>
        var status: Range<Int>
        /// There is another place at which the addresses could end.
        var isAmbiguous = false
    }

    /// Reads `to=<R>[, orig_to=<O>], relay=…, status=WORD (REPLY)`.
    ///
    /// The reply is a stranger's, and so is an address in internal form; either may hold the whole
    /// rest of such a line. The addresses end where they first can, in external form if they can be of
    /// that; where they could end later too, the line is ambiguous.
    ///
    /// - Parameter start: the index behind `to=`.
    @inline(__always)
    static func delivery(_ line: Span<UInt8>, from start: Int) -> Delivery? {
        guard start < line.count, line[start] == UInt8(ascii: "<"),
            var found = externalDelivery(line, from: start + 1)
        else { return rareDelivery(line, from: start) }
        found.isAmbiguous = endsAgain(line, from: found.status.upperBound)
        return found
    }

    private static func rareDelivery(_ line: Span<UInt8>, from start: Int) -> Delivery? {
        line.has("<", at: start)
            ? internalDelivery(line, from: start + 1) : bareDelivery(line, from: start)
    }

    @inline(__always)
    private static func externalDelivery(_ line: Span<UInt8>, from start: Int) -> Delivery? {
        guard let end = endOfAddress(line, from: start) else { return nil }
        var original: Range<Int>?
        var index = end + 1
        if line.has(", orig_to=<", at: index) {
            guard let originalEnd = endOfAddress(line, from: index + 11) else { return nil }
            original = (index + 11)..<originalEnd
            index = originalEnd + 1
        }
        guard let (relay, status) = hotDeliveryTail(line, from: index) else { return nil }
        return Delivery(recipient: start..<end, original: original, relay: relay, status: status)
    }

    private static func bareDelivery(_ line: Span<UInt8>, from start: Int) -> Delivery? {
        guard let end = endOfBareAddress(line, from: start) else { return nil }
        var original: Range<Int>?
        var index = end
        if line.has(", orig_to=", at: index) {
            guard let originalEnd = endOfBareAddress(line, from: index + 10) else { return nil }
            original = (index + 10)..<originalEnd
            index = originalEnd
        }
        guard let (relay, status) = deliveryTail(line, from: index) else { return nil }
        return Delivery(recipient: start..<end, original: original, relay: relay, status: status)
    }

    /// Places at which an address could end are tried up to this many.
    private static let endsMax = 32

    private static func internalDelivery(_ line: Span<UInt8>, from start: Int) -> Delivery? {
        var index = start
        var original: Int?
        var recipientEnd = start
        for _ in 0..<endsMax {
            guard let end = line.first(">, ", from: index) else { return nil }
            index = end + 1
            if let (relay, status) = deliveryTail(line, from: index) {
                var found = Delivery(
                    recipient: start..<(original == nil ? end : recipientEnd),
                    original: original.map { $0..<end },
                    relay: relay,
                    status: status
                )
                found.isAmbiguous = endsAgain(line, from: status.upperBound)
                return found
            }
            if original == nil, line.has(", orig_to=<", at: index) {
                recipientEnd = end
                original = index + 11
            }
        }
        return nil
    }

    /// Whether an address could end behind `start`, so that all before were part of it.
    @inline(__always)
    private static func endsAgain(_ line: Span<UInt8>, from start: Int) -> Bool {
        var index = start
        while let end = line.first(UInt8(ascii: ">"), from: index, to: line.count) {
            index = end + 1
            if line.has(", relay=", at: index), deliveryTail(line, from: index) != nil {
                return true
            }
        }
        return false
    }

    private static func deliveryTail(
        _ line: Span<UInt8>,
        from start: Int
    ) -> (relay: Range<Int>, status: Range<Int>)? { hotDeliveryTail(line, from: start) }

    /// `, relay=R`, fields that Postfix writes itself, `, status=WORD` at `start`.
    @inline(__always)
    private static func hotDeliveryTail(
        _ line: Span<UInt8>,
        from start: Int
    ) -> (relay: Range<Int>, status: Range<Int>)? {
        guard line.has(", relay=", at: start) else { return nil }
        let relayStart = start + 8
        let relayEnd = endOfValue(line, from: relayStart)
        var index = relayEnd
        while true {
            guard line.has(", ", at: index) else { return nil }
            if line.has("status=", at: index + 2) { break }
            // log_adhoc.c: `delay=`, `delays=`, `dsn=`, `conn_use=`, and what a later release may add.
            var nameEnd = index + 2
            while nameEnd < line.count, line[nameEnd] &- 0x5f <= 0x1b { nameEnd += 1 }
            guard nameEnd > index + 2, line.has("=", at: nameEnd) else { return nil }
            index = endOfValue(line, from: nameEnd + 1)
        }
        let statusStart = index + 9
        index = statusStart
        while index < line.count, line[index] != UInt8(ascii: " ") { index += 1 }
        guard index > statusStart, index == line.count || line.has(" (", at: index) else {
            return nil
        }
        return (relayStart..<relayEnd, statusStart..<index)
    }

    /// The index of the next comma or blank, or the line's end.
    @inline(__always)
    private static func endOfValue(_ line: Span<UInt8>, from start: Int) -> Int {
        let end = line.count
        var index = start
        while index &+ 8 <= end {
            // The loop's condition keeps the word within the span.
            let word = unsafe line.uncheckedWord(at: index)
            let marks =
                zeroBytes(word ^ 0x2c2c_2c2c_2c2c_2c2c) | zeroBytes(word ^ 0x2020_2020_2020_2020)
            if marks != 0 { return index &+ marks.trailingZeroBitCount >> 3 }
            index &+= 8
        }
        while index < end, line[index] != UInt8(ascii: ","), line[index] != UInt8(ascii: " ") {
            index &+= 1
        }
        return index
    }

    // MARK: Headers

    /// The one address in the text of a `Disposition-Notification-To` header (RFC 8098, 2.1): that in
    /// angle brackets, or all of the text; nil if there are several.
    static func requestedAddress(_ line: Span<UInt8>, _ text: Range<Int>) -> Range<Int>? {
        var start = text.lowerBound
        var end = text.upperBound
        while start < end, line[start] == 0x20 || line[start] == 0x09 { start += 1 }
        while start < end, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
        guard start < end else { return nil }
        if line[end - 1] == UInt8(ascii: ">") {
            var open = end - 1
            while open > start, line[open] != UInt8(ascii: "<") { open -= 1 }
            guard line[open] == UInt8(ascii: "<"),
                endOfAddress(line, from: open + 1) == end - 1
            else { return nil }
            start = open + 1
            end -= 1
        }
        guard line.first(UInt8(ascii: "@"), from: start, to: end) != nil,
            line.first(UInt8(ascii: ","), from: start, to: end) == nil,
            line.first(UInt8(ascii: " "), from: start, to: end) == nil
        else { return nil }
        return start..<end
    }

    /// The tail of a logged header: ` from HOST[IP]; from=<S> to=<R> proto=P helo=<H>`.
    struct HeaderTail: Equatable {
        /// Where the header's text ends and the tail begins.
        var textEnd: Int
        var sender: Range<Int>
        /// Absent when cleanup did not know it, as for mail from `pickup`.
        var recipient: Range<Int>?
    }

    /// The readings of a logged header as text and tail that consume the line to its end.
    struct HeaderTails: Equatable {
        /// How many there are, counted to 16.
        var count = 0
        /// The one with the shortest text.
        var first: HeaderTail?
        /// How many have the sender that was asked for.
        var countOfSender = 0
        var firstOfSender: HeaderTail?
    }

    /// All readings of a logged header.
    ///
    /// cleanup_message.c, `cleanup_act_log`: `%s: %s: %s %.200s from %s;` with the origin
    /// `HOST[IP]` or `local`, then ` from=<%s>`, and, where known, ` to=<%s>`, ` proto=%s`,
    /// ` helo=<%s>`, then `: TEXT` when the action has a text. In HELO Postfix replaces blanks and
    /// `<>()\";@` by `?`. Addresses in internal form, or without brackets, are read only where there is
    /// no reading with external ones.
    ///
    /// - Parameters:
    ///   - line: the line.
    ///   - start: where the header's text starts.
    ///   - origin: `HOST[IP]` as the message's `client=` line has it.
    ///   - sender: the sender that qmgr logged; nil when it is not known.
    static func headerTails(
        _ line: Span<UInt8>,
        from start: Int,
        origin: Span<UInt8>,
        sender: Span<UInt8>?
    ) -> HeaderTails {
        var tails = headerTails(line, from: start, origin: origin, sender: sender, .external)
        if tails.count > 0 { return tails }
        tails = headerTails(line, from: start, origin: origin, sender: sender, .bare)
        // An address in internal form is no more than a guess until another line names it.
        guard tails.count == 0, sender != nil else { return tails }
        return headerTails(line, from: start, origin: origin, sender: sender, .internal)
    }

    private static func headerTails(
        _ line: Span<UInt8>,
        from start: Int,
        origin: Span<UInt8>,
        sender: Span<UInt8>?,
        _ form: AddressForm
    ) -> HeaderTails {
        var tails = HeaderTails()
        // Semicolons are rarer than blanks: the origin is looked for from its end.
        let originBytes = 6 &+ origin.count
        var index = max(0, start &- 1) &+ originBytes
        while tails.count < 16, index < line.count,
            let originEnd = line.first(UInt8(ascii: ";"), from: index, to: line.count)
        {
            index = originEnd &+ 1
            let candidate = originEnd &- originBytes
            guard line.has("; from=", at: originEnd),
                line.has(" from ", at: candidate),
                line.equals(candidate &+ 6..<originEnd, origin, 0..<origin.count),
                let envelope = envelope(line, from: originEnd &+ 7, form, sender: sender)
            else { continue }
            let tail = HeaderTail(
                textEnd: max(candidate, start),
                sender: envelope.sender,
                recipient: envelope.recipient
            )
            if tails.count == 0 { tails.first = tail }
            tails.count += 1
            guard let sender, line.equals(tail.sender, sender, 0..<sender.count) else { continue }
            if tails.countOfSender == 0 { tails.firstOfSender = tail }
            tails.countOfSender += 1
        }
        return tails
    }

    /// How addresses are written.
    private enum AddressForm {
        /// In angle brackets, with quotes where they are needed.
        case external
        /// Without brackets.
        case bare
        /// In angle brackets and without quotes: anything may stand in them.
        case `internal`
    }

    /// `<S>[ to=<R>][ proto=P][ helo=<H>]` in external form, from `start` to the line's end.
    static func envelope(
        _ line: Span<UInt8>,
        from start: Int
    ) -> (sender: Range<Int>, recipient: Range<Int>?)? {
        envelope(line, from: start, .external, sender: nil)
    }

    private static func envelope(
        _ line: Span<UInt8>,
        from start: Int,
        _ form: AddressForm,
        sender: Span<UInt8>?
    ) -> (sender: Range<Int>, recipient: Range<Int>?)? {
        if form == .internal { return internalEnvelope(line, from: start, sender: sender) }
        guard let from = address(line, from: start, form) else { return nil }
        var index = from.end
        var recipient: Range<Int>?
        if line.has(" to=", at: index) {
            guard let to = address(line, from: index + 4, form) else { return nil }
            recipient = to.address
            index = to.end
        }
        guard let end = endOfProtocolAndHelo(line, from: index, form) else { return nil }
        index = end
        if index == line.count { return (from.address, recipient) }
        // The action's own text, which is the operator's and has no such tail.
        guard line.has(": ", at: index), line.first(" proto=", from: index) == nil,
            line.first(" helo=", from: index) == nil
        else { return nil }
        return (from.address, recipient)
    }

    /// The index behind `[ proto=P][ helo=<H>]`; nil if one of them is not of the grammar.
    private static func endOfProtocolAndHelo(
        _ line: Span<UInt8>,
        from start: Int,
        _ form: AddressForm
    ) -> Int? {
        var index = start
        if line.has(" proto=", at: index) {
            index += 7
            let protocolStart = index
            while index < line.count, line[index] != UInt8(ascii: " "),
                line[index] != UInt8(ascii: ":")
            { index += 1 }
            guard index > protocolStart else { return nil }
        }
        if line.has(" helo=<", at: index) {
            index += 7
            while index < line.count, line[index] != UInt8(ascii: ">") {
                switch line[index] {
                case UInt8(ascii: " "), UInt8(ascii: "<"): return nil
                default: index += 1
                }
            }
            guard index < line.count else { return nil }
            index += 1
        } else if form == .bare, line.has(" helo=", at: index) {
            index = endOfValue(line, from: index + 6)
        }
        return index
    }

    /// The same in internal form, for a sender that another line names. What stands behind the
    /// recipient is Postfix's own to the line's end, and holds no `> proto=`, so the recipient is known
    /// too, whatever it holds.
    private static func internalEnvelope(
        _ line: Span<UInt8>,
        from start: Int,
        sender: Span<UInt8>?
    ) -> (sender: Range<Int>, recipient: Range<Int>?)? {
        guard let sender, line.has("<", at: start) else { return nil }
        let from = (start + 1)..<(start + 1 + sender.count)
        guard from.upperBound < line.count, line.equals(from, sender, 0..<sender.count),
            line.has("> to=<", at: from.upperBound)
        else { return nil }
        let recipientStart = from.upperBound + 6
        var end: Int?
        while let next = line.first("> proto=", from: (end ?? recipientStart - 1) + 1) {
            end = next
        }
        guard let end else { return nil }
        guard endOfProtocolAndHelo(line, from: end + 1, .external) == line.count else {
            return nil
        }
        return (from, recipientStart..<end)
    }

    /// An address of the form, and the index behind it.
    private static func address(
        _ line: Span<UInt8>,
        from start: Int,
        _ form: AddressForm
    ) -> (address: Range<Int>, end: Int)? {
        if form == .bare {
            return endOfBareAddress(line, from: start).map { (start..<$0, $0) }
        }
        guard line.has("<", at: start) else { return nil }
        return endOfAddress(line, from: start + 1).map { ((start + 1)..<$0, $0 + 1) }
    }
}
