import SafeText

/// What Sendmail's lines are made of. Sources: sendmail 8.17.1, whose files are named at each.
enum SendmailGrammar {
    /// Where a queue ID that starts at `start` ends; nil if there is none.
    ///
    /// queue.c, `assign_queueid`: eight letters and digits of the time, then the process ID (up to
    /// 8.9 it was `QAA12345`). Before 8.12 the process ID had five digits, now it has at least six.
    static func endOfQueueID(_ text: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < text.count, isLetterOrDigit(text[index]) { index &+= 1 }
        let count = index &- start
        guard count >= 8, count <= 24, isDigit(text[index &- 1]), isDigit(text[index &- 2]) else {
            return nil
        }
        return index
    }

    /// When the process that gave out a queue ID gave out its first, in microseconds since 1970; nil if
    /// the ID does not say.
    ///
    /// queue.c, `assign_queueid`, since 8.10: year (since 1900, modulo 60), month, day, hour, minute and
    /// second of that moment, UTC, each one of `0…9A…Za…x`. They stay the same for 3,600 IDs.
    ///
    /// - Parameter now: the time of the line, by which the year is chosen.
    static func firstTime(_ text: Span<UInt8>, _ queueID: Range<Int>, now: Int64) -> Int64? {
        guard queueID.count >= 8 else { return nil }
        var fields = InlineArray<6, Int>(repeating: 0)
        for index in 0..<6 {
            let byte = text[queueID.lowerBound &+ index]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                fields[index] = Int(byte &- UInt8(ascii: "0"))
            case UInt8(ascii: "A")...UInt8(ascii: "Z"):
                fields[index] = Int(byte &- UInt8(ascii: "A")) &+ 10
            case UInt8(ascii: "a")...UInt8(ascii: "z"):
                fields[index] = Int(byte &- UInt8(ascii: "a")) &+ 36
            default: return nil
            }
        }
        guard fields[1] < 12, fields[2] >= 1, fields[2] <= 31, fields[3] < 24, fields[4] < 60,
            fields[5] <= 61
        else { return nil }
        // The last year with this remainder that is not beyond the next.
        let nextYear = 1_971 &+ Int(now / 31_556_952_000_000)
        let year = nextYear &- (((nextYear &- 1_900 &- fields[0]) % 60 &+ 60) % 60)
        guard year >= 1_970 else { return nil }
        let day = daysSince1970(year: year, month: fields[1] &+ 1, day: fields[2])
        let second = fields[3] &* 3_600 &+ fields[4] &* 60 &+ fields[5]
        return (Int64(day) &* 86_400 &+ Int64(second)) &* 1_000_000
    }

    static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 26
    }

    static func endOfDigits(_ text: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < text.count, isDigit(text[index]) { index &+= 1 }
        return index > start ? index : nil
    }

    // MARK: Addresses

    /// What became of an address in angle brackets.
    enum Path: Equatable {
        /// Its `>` stands here.
        case closed(Int)
        /// It has none before the limit.
        case open
        /// A byte in it is none of an address'.
        case broken
    }

    /// Behind a backslash of an address and the byte that it quotes.
    ///
    /// libsm/util.c, `str2prt`: each backslash is written twice, and a byte that is not printable as a
    /// backslash and three digits. So one that is followed by no other begins such a byte, which
    /// nothing in an address depends on.
    static func afterEscape(_ text: Span<UInt8>, at index: Int) -> Int {
        guard text.has("\\\\", at: index) else { return index &+ 2 }
        return text.has("\\", at: index &+ 2) ? index &+ 4 : index &+ 3
    }

    /// Where so many bytes end that Sendmail had before it wrote escapes for some of them.
    static func endOfBytes(_ text: Span<UInt8>, from start: Int, count: Int) -> Int {
        var index = start
        for _ in 0..<count where index < text.count {
            guard text[index] == UInt8(ascii: "\\") else {
                index &+= 1
                continue
            }
            let isOctal = index &+ 1 < text.count && isDigit(text[index &+ 1])
            index &+= isOctal ? 4 : 2
        }
        return index
    }

    /// The address whose `<` is before `start`.
    ///
    /// A quoted string is one unit (RFC 5321, 4.1.2); so is a backslash with what follows. Comments,
    /// which Sendmail still takes, are refused: they may hold anything.
    static func path(_ text: Span<UInt8>, from start: Int, limit: Int) -> Path {
        let end = min(limit, text.count)
        var index = start
        var isQuoted = false
        while index < end {
            switch text[index] {
            case UInt8(ascii: "\\"):
                index = afterEscape(text, at: index)
                continue
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: ">") where !isQuoted: return .closed(index)
            case UInt8(ascii: " ") where !isQuoted, UInt8(ascii: "<") where !isQuoted,
                UInt8(ascii: "(") where !isQuoted, UInt8(ascii: ")") where !isQuoted:
                return .broken
            default: break
            }
            index &+= 1
        }
        return .open
    }

    /// Where the `>` of an address in angle brackets stands; nil if it has none.
    static func endOfPath(_ text: Span<UInt8>, from start: Int) -> Int? {
        guard case .closed(let end) = path(text, from: start, limit: text.count) else { return nil }
        return end
    }

    /// Where an address without angle brackets ends: at a comma outside quotes, or at `, size=` of
    /// its line. Aliases, programs and what users of this machine write look like that.
    static func endOfBareAddress(_ text: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        var isQuoted = false
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "\\"):
                index = afterEscape(text, at: index)
                continue
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: ",") where !isQuoted: return index > start ? index : nil
            case UInt8(ascii: "(") where !isQuoted, UInt8(ascii: ")") where !isQuoted: return nil
            default: break
            }
            index &+= 1
        }
        return nil
    }

    /// The address itself of one that may have a phrase and angle brackets around it.
    static func withoutPhrase(_ text: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        guard range.count >= 2, text[range.upperBound &- 1] == UInt8(ascii: ">") else {
            return range
        }
        var isQuoted = false
        var index = range.lowerBound
        while index < range.upperBound {
            switch text[index] {
            case UInt8(ascii: "\\"):
                index = afterEscape(text, at: index)
                continue
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: "<") where !isQuoted:
                return (index &+ 1)..<max(index &+ 1, range.upperBound &- 1)
            default: break
            }
            index &+= 1
        }
        return range
    }

    // MARK: Relays

    /// A client or a relay: `NAME [IP]`, `[IP]`, or a name alone.
    struct Relay {
        /// Without `IDENT:user@`; nil where the address stands for it.
        var name: Range<Int>?
        /// Without `IPv6:`; nil for what came from this machine without a connection.
        var address: Range<Int>?
        var end: Int
    }

    /// The relay that starts at `start`.
    ///
    /// daemon.c, `getauthinfo`: `[USER@]NAME [IP]`, then ` (may be forged)` if the name has other
    /// addresses. USER is from the client's own ident service, cut to letters, digits and
    /// ``!#$%&'*+-./^_`{|}~``; NAME is from DNS, where a blank, a quote or a comma is none of a host
    /// name's, or the address in brackets.
    static func relay(_ text: Span<UInt8>, from start: Int) -> Relay? {
        var index = start
        var at: Int?
        while index < text.count, text[index] != UInt8(ascii: " "), text[index] != UInt8(ascii: ",")
        {
            switch text[index] {
            case UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"),
                UInt8(ascii: "("), UInt8(ascii: ")"):
                return nil
            case UInt8(ascii: "@"): at = index
            default: break
            }
            index &+= 1
        }
        guard index > start else { return nil }
        var relay = Relay(end: index)
        let nameStart = at.map { $0 &+ 1 } ?? start
        if text[nameStart < index ? nameStart : start] != UInt8(ascii: "[") {
            relay.name = nameStart..<index
        } else {
            relay.address = addressInBrackets(text, from: nameStart, to: index)
        }
        if text.has(" [", at: index),
            let close = text.first(UInt8(ascii: "]"), from: index &+ 2, to: text.count)
        {
            guard let address = addressInBrackets(text, from: index &+ 1, to: close &+ 1) else {
                return nil
            }
            relay.address = address
            relay.end = close &+ 1
        }
        if text.has(" (may be forged)", at: relay.end) { relay.end &+= 16 }
        return relay
    }

    /// The IP address in `[IP]` or `[IPv6:IP]`, which must fill the range.
    private static func addressInBrackets(
        _ text: Span<UInt8>,
        from start: Int,
        to end: Int
    ) -> Range<Int>? {
        guard end &- start > 2, text[end &- 1] == UInt8(ascii: "]") else { return nil }
        let first = text.hasIgnoringCase("ipv6:", at: start &+ 1) ? start &+ 6 : start &+ 1
        guard first < end &- 1 else { return nil }
        for index in first..<(end &- 1) {
            let byte = text[index]
            guard
                isDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
                    || (byte | 0x20) &- UInt8(ascii: "a") < 6
            else { return nil }
        }
        return first..<(end &- 1)
    }

    // MARK: The end of a `from=` line

    /// The fields at the end of a `from=` line, read from the back: before them stands a Message-ID,
    /// which is anybody's text.
    struct ArrivalTail {
        var relay: Relay
        var proto: Range<Int>?
        /// Where the fields begin: at `, bodytype=`, or what is first of those behind it.
        var start: Int
    }

    /// headers.c, `logsender`: `[, bodytype=B][, proto=P][, daemon=D], relay=R`, where a server built
    /// to log more has `, tls_verify=`, `, tls_version=`, `, cipher=` and `, auth=` before the relay.
    /// No value holds a comma, and nothing follows the relay.
    static func arrivalTail(_ text: Span<UInt8>, from start: Int) -> ArrivalTail? {
        guard var fieldStart = lastField(text, from: start, to: text.count),
            text.has(", relay=", at: fieldStart),
            let relay = relay(text, from: fieldStart &+ 8), relay.end == text.count
        else { return nil }
        var tail = ArrivalTail(relay: relay, start: fieldStart)
        // In the order in which they stand, the last first.
        var next = 0
        while let before = lastField(text, from: start, to: fieldStart) {
            let step: Int
            if isExtraField(text, at: before) {
                step = 0
            } else if text.has(", daemon=", at: before) {
                step = 1
            } else if text.has(", proto=", at: before) {
                step = 2
            } else if text.has(", bodytype=", at: before) {
                step = 3
            } else {
                break
            }
            guard step == 0 ? next == 0 : step > next else { break }
            next = step
            if step == 2 { tail.proto = (before &+ 8)..<fieldStart }
            fieldStart = before
            tail.start = before
        }
        return tail
    }

    private static func isExtraField(_ text: Span<UInt8>, at index: Int) -> Bool {
        text.has(", tls_verify=", at: index) || text.has(", tls_version=", at: index)
            || text.has(", cipher=", at: index) || text.has(", auth=", at: index)
    }

    /// Where the last `, ` stands in a range.
    private static func lastField(_ text: Span<UInt8>, from start: Int, to end: Int) -> Int? {
        var index = end
        while index > start {
            index &-= 1
            if text[index] == UInt8(ascii: ","), text.has(", ", at: index) { return index }
        }
        return nil
    }

    // MARK: The end of a `to=` line

    /// conf.c, `pintvl`: `[DAYS+]HH:MM:SS`.
    static func endOfInterval(_ text: Span<UInt8>, from start: Int) -> Int? {
        guard var index = endOfDigits(text, from: start) else { return nil }
        if index < text.count, text[index] == UInt8(ascii: "+") {
            guard let end = endOfDigits(text, from: index &+ 1) else { return nil }
            index = end
        }
        for _ in 0..<2 {
            guard index < text.count, text[index] == UInt8(ascii: ":"),
                let end = endOfDigits(text, from: index &+ 1)
            else { return nil }
            index = end
        }
        return index
    }

    /// The name of a mailer (readcf.c, `makemailer`), and other words of letters, digits and some
    /// marks.
    static func endOfWord(_ text: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < text.count, text[index] > UInt8(ascii: " "), text[index] != UInt8(ascii: ","),
            text[index] != UInt8(ascii: "\"")
        { index &+= 1 }
        return index > start ? index : nil
    }

    /// How a delivery ended, by the text after `stat=`.
    ///
    /// deliver.c, `giveresponse`: `Sent`, or `Sent (REPLY)`; `Deferred`, or `Deferred: WHY`; else the
    /// words of a failure that is final (sysexmsg.c). queue.c, `queueup`: `queued`. REPLY and WHY are
    /// another server's text, which is cut at 203 bytes (`STATLEN`): in the middle, so its end stays.
    static func outcome(_ text: Span<UInt8>, from start: Int) -> LineFact.Status? {
        let count = text.count &- start
        guard count > 0 else { return nil }
        if text.has("Sent", at: start) {
            let isWhole =
                count == 4
                || text.has(" (", at: start &+ 4) && text[text.count &- 1] == UInt8(ascii: ")")
            return isWhole ? .sent : nil
        }
        if text.has("Deferred", at: start), count == 8 || text.has(": ", at: start &+ 8) {
            return .deferred
        }
        if text.has("queued", at: start), count == 6 { return .deferred }
        return .bounced
    }
}
