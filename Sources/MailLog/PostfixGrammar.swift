/// The parts of Postfix's lines that strangers can put text into, read by their whole grammar.
///
/// Each function gives the place where a part ends, or nil when the bytes are not of that grammar;
/// none of them guesses.
enum PostfixGrammar {
    /// The index of the `>` that closes an address which starts at `start`.
    ///
    /// Postfix 3.5 and later logs addresses in external form (postconf(5),
    /// `info_log_address_format = external`): blanks, `<` and `>` stand only within a quoted local
    /// part, where `"` and `\` have a backslash before them (RFC 5321, 4.1.2).
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
            case UInt8(ascii: "\""): return endOfQuotedAddress(line, from: index)
            case UInt8(ascii: " "), UInt8(ascii: "<"): return nil
            default: index &+= 1
            }
        }
        return nil
    }

    /// The same from the first quote on.
    private static func endOfQuotedAddress(_ line: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        var isQuoted = false
        while index < line.count {
            let byte = line[index]
            if isQuoted {
                if byte == UInt8(ascii: "\\") {
                    index += 1
                } else if byte == UInt8(ascii: "\"") {
                    isQuoted = false
                }
            } else {
                switch byte {
                case UInt8(ascii: ">"): return index
                case UInt8(ascii: "\""): isQuoted = true
                case UInt8(ascii: " "), UInt8(ascii: "<"): return nil
                default: break
                }
            }
            index += 1
        }
        return nil
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
    private static func isHostByte(_ byte: UInt8) -> Bool {
        // The table has an entry for each value of a byte.
        unsafe hostBytes.utf8Start[Int(byte)] == UInt8(ascii: "1")
    }

    /// By byte, `1` for those of host names: letters, digits, `-`, `.`, `:`, `_`, and all beyond
    /// ASCII.
    private static var hostBytes: StaticString {
        """
        0000000000000000000000000000000000000000000001101111111111100000\
        0111111111111111111111111110000101111111111111111111111111100000\
        1111111111111111111111111111111111111111111111111111111111111111\
        1111111111111111111111111111111111111111111111111111111111111111
        """
    }

    /// An IPv4 or IPv6 address, with a zone, or `unknown`.
    private static func isAddressByte(_ byte: UInt8) -> Bool {
        isHostByte(byte) && byte < 0x80 || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "/")
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
    /// `<>()\";@` by `?`.
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
        var tails = HeaderTails()
        var index = start > 0 ? start - 1 : start
        while tails.count < 16, let candidate = line.first(" from ", from: index) {
            index = candidate + 1
            let originStart = candidate + 6
            let originEnd = originStart + origin.count
            guard originEnd < line.count,
                line.equals(originStart..<originEnd, origin, 0..<origin.count),
                line.has("; from=<", at: originEnd),
                let tail = headerTail(
                    line,
                    textEnd: max(candidate, start),
                    from: originEnd + 8
                )
            else { continue }
            if tails.count == 0 { tails.first = tail }
            tails.count += 1
            guard let sender, line.equals(tail.sender, sender, 0..<sender.count) else { continue }
            if tails.countOfSender == 0 { tails.firstOfSender = tail }
            tails.countOfSender += 1
        }
        return tails
    }

    private static func headerTail(
        _ line: Span<UInt8>,
        textEnd: Int,
        from start: Int
    ) -> HeaderTail? {
        guard let senderEnd = endOfAddress(line, from: start) else { return nil }
        var index = senderEnd + 1
        var recipient: Range<Int>?
        if line.has(" to=<", at: index) {
            guard let end = endOfAddress(line, from: index + 5) else { return nil }
            recipient = (index + 5)..<end
            index = end + 1
        }
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
        }
        guard index == line.count || line.has(": ", at: index) else { return nil }
        return HeaderTail(textEnd: textEnd, sender: start..<senderEnd, recipient: recipient)
    }
}
