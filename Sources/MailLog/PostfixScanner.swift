public import Records
import SafeText

/// Counts of what the scanner made of lines, for `postern explain`, status and notices.
public struct ScanCounters: Sendable, Equatable {
    /// All lines.
    public var lines = 0
    /// Lines that became a fact.
    public var facts = 0
    /// Lines that Postfix or another program wrote and that say nothing of a submission.
    public var ignored = 0
    /// Lines without a stamp, host and tag of a known form.
    public var noHeader = 0
    /// Postfix lines about a queue ID whose grammar did not hold, by kind.
    public var brokenClient = 0
    public var brokenActive = 0
    public var brokenDelivery = 0

    public init() {}

    /// Lines that were not understood, for whatever reason.
    public var unparsed: Int { noHeader + brokenClient + brokenActive + brokenDelivery }

    public static func += (left: inout ScanCounters, right: ScanCounters) {
        left.lines += right.lines
        left.facts += right.facts
        left.ignored += right.ignored
        left.noHeader += right.noHeader
        left.brokenClient += right.brokenClient
        left.brokenActive += right.brokenActive
        left.brokenDelivery += right.brokenDelivery
    }
}

/// Reads lines of syslog as Postfix wrote them into facts, each line on its own.
///
/// Its only memory is of what the last lines looked like, so that a stamp or a host name that comes
/// again is not read again; it never changes what a line means.
public struct PostfixScanner: Sendable {
    private let seed: HashSeed
    private var names: NameReader
    public private(set) var counters = ScanCounters()

    /// The last stamp's bytes (15 of RFC 3164, or 19 of RFC 3339) as two overlapping words.
    private var stampWords: (UInt64, UInt64) = (0, 0)
    private var stamp = Stamp(microseconds: 0)
    /// Seconds since 1970 of the first 19 bytes of the last RFC 3339 stamp, without its zone.
    private var dateTimeSeconds: Int64 = 0
    /// The last time that a fact carried, in whole seconds.
    private var lastSecond: UInt64 = .max

    private var hostBytes: [UInt8] = []
    private var hostHash: UInt64 = 0
    /// What is known of the tags that were seen last, by a hash of their length and ends.
    private var tags = [KnownTag](repeating: KnownTag(), count: 64)
    private var tagAgent = LineFact.Agent.other
    private var isTagPostfix = false
    private var tagInstance: UInt32 = 0

    /// A tag and what it says.
    private struct KnownTag: Sendable {
        var bytes: [UInt8] = []
        var agent = LineFact.Agent.other
        var isPostfix = false
        var instance: UInt32 = 0

        @inline(__always)
        func isTag(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
            text.equals(range, bytes.span, 0..<bytes.count)
        }
    }

    /// - Parameter accountDomain: `account_domain:`, which completes bare logins; empty for none.
    public init(seed: HashSeed, accountDomain: [UInt8] = []) {
        self.seed = seed
        names = NameReader(seed: seed, accountDomain: accountDomain)
    }

    /// The counters since the last call.
    public mutating func takeCounters() -> ScanCounters {
        defer { counters = ScanCounters() }
        return counters
    }

    /// Appends the facts of a batch's lines, in their order.
    public mutating func scan(_ batch: borrowing Batch, into facts: inout [LineFact]) {
        let bytes = batch.bytes.span
        let count = batch.lines.count
        for index in 0..<count {
            let range = batch.lines[index]
            let start = Int(range.start)
            scanLine(
                bytes.extracting(start..<(start + Int(range.length))),
                line: index,
                into: &facts
            )
        }
    }

    /// Appends the fact of one line, if it has one.
    ///
    /// - Parameters:
    ///   - whole: the line, without its newline; a carriage return at its end does not count.
    ///   - line: its index in the batch.
    public mutating func scanLine(
        _ whole: Span<UInt8>,
        line: Int,
        into facts: inout [LineFact]
    ) {
        counters.lines &+= 1
        var end = whole.count
        if end > 0, whole[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        let text = end == whole.count ? whole : whole.extracting(0..<end)

        var index = readStamp(text)
        guard index > 0 else {
            counters.noHeader &+= 1
            return
        }
        let before = facts.count
        defer {
            if facts.count == before {
                noteTime(line: line, into: &facts)
            } else {
                lastSecond = second
                counters.facts &+= 1
            }
        }

        // Host name.
        let hostStart = index
        var isHostKnown = false
        let known = index &+ hostBytes.count
        if known < end, text[known] == UInt8(ascii: " "), !hostBytes.isEmpty,
            text.equals(index..<known, hostBytes.span, 0..<hostBytes.count)
        {
            index = known
            isHostKnown = true
        } else {
            while index < end, text[index] != UInt8(ascii: " ") { index &+= 1 }
        }
        let hostEnd = index
        guard hostEnd > hostStart, hostEnd < end else {
            counters.noHeader &+= 1
            return
        }
        index &+= 1

        // Tag.
        let tagStart = index
        index = Self.endOfTag(text, from: index)
        let tagEnd = index
        guard tagEnd > tagStart, index < end else {
            counters.noHeader &+= 1
            return
        }
        if text[index] == UInt8(ascii: "[") {
            index &+= 1
            while index < end, isDigit(text[index]) { index &+= 1 }
            guard index < end, text[index] == UInt8(ascii: "]") else {
                counters.ignored &+= 1
                return
            }
            index &+= 1
        }
        guard index &+ 1 < end, text[index] == UInt8(ascii: ":"),
            text[index &+ 1] == UInt8(ascii: " ")
        else {
            counters.ignored &+= 1
            return
        }
        index &+= 2
        lookAtTag(text, tagStart..<tagEnd)
        guard isTagPostfix else {
            counters.ignored &+= 1
            return
        }

        // Queue ID.
        let queueStart = index
        var alphabets: UInt8 = 3
        while index < end {
            // `index` is below `end`, the span's count.
            let alphabet = PostfixGrammar.queueIDClass(unsafe text[unchecked: index])
            if alphabet == 0 { break }
            alphabets &= alphabet
            index &+= 1
        }
        let queueCount = index &- queueStart
        guard alphabets != 0, queueCount >= 5, queueCount <= 24, index &+ 2 < end,
            text[index] == UInt8(ascii: ":"), text[index &+ 1] == UInt8(ascii: " ")
        else {
            counters.ignored &+= 1
            return
        }
        let queueEnd = index
        index &+= 2

        var fact = LineFact(kind: .time, stamp: stamp, line: line)
        fact.agent = tagAgent
        guard readBody(text, from: index, into: &fact) else { return }
        if !isHostKnown { lookAtHost(text, hostStart..<hostEnd) }
        fact.key = queueKey(text.extracting(queueStart..<queueEnd), hostHash: hostHash)
        fact.instance = tagInstance
        fact.queueID = LineFact.Piece(queueStart, queueEnd)
        fact.host = LineFact.Piece(hostStart, hostEnd)
        facts.append(fact)
    }

    private var second: UInt64 { stamp.isYearless ? stamp.bits : stamp.bits / 1_000_000 }

    /// A line that says nothing else still moves the time, once a second.
    private mutating func noteTime(line: Int, into facts: inout [LineFact]) {
        guard second != lastSecond else { return }
        lastSecond = second
        facts.append(LineFact(kind: .time, stamp: stamp, line: line))
    }

    // MARK: Stamp, host, tag

    /// The index of the byte that ends a tag: `[`, `:` or a blank.
    @inline(__always)
    private static func endOfTag(_ text: Span<UInt8>, from start: Int) -> Int {
        let end = text.count
        var index = start
        while index &+ 8 <= end {
            // The loop's condition keeps the word within the span.
            let word = unsafe text.uncheckedWord(at: index)
            let marks =
                zeroBytes(word ^ 0x5b5b_5b5b_5b5b_5b5b) | zeroBytes(word ^ 0x3a3a_3a3a_3a3a_3a3a)
                | zeroBytes(word ^ 0x2020_2020_2020_2020)
            if marks != 0 { return index &+ marks.trailingZeroBitCount >> 3 }
            index &+= 8
        }
        while index < end {
            switch text[index] {
            case UInt8(ascii: "["), UInt8(ascii: ":"), UInt8(ascii: " "): return index
            default: index &+= 1
            }
        }
        return end
    }

    /// Reads the stamp and the blank after it. Gives the index of the host name, 0 if there is no
    /// stamp.
    private mutating func readStamp(_ text: Span<UInt8>) -> Int {
        guard text.count > 20 else { return 0 }
        if text[0] >= UInt8(ascii: "A") {
            guard text[15] == UInt8(ascii: " ") else { return 0 }
            let words = (text.word(at: 0), text.word(at: 7))
            if words == stampWords { return 16 }
            guard let read = Self.readTraditional(text) else { return 0 }
            stamp = read
            stampWords = words
            return 16
        }
        guard isDigit(text[0]), text.count > 26, text[10] == UInt8(ascii: "T") else { return 0 }
        let words = (text.word(at: 0) ^ text.word(at: 8), text.word(at: 11))
        if words != stampWords {
            guard let seconds = Self.readDateTime(text) else { return 0 }
            dateTimeSeconds = seconds
            stampWords = words
        }
        return readFractionAndZone(text)
    }

    /// `Mmm dd hh:mm:ss` (RFC 3164, 4.1.2); the day is padded with a blank or a zero.
    private static func readTraditional(_ text: Span<UInt8>) -> Stamp? {
        guard let month = monthNumber(text), text[3] == UInt8(ascii: " "),
            text[6] == UInt8(ascii: " ")
        else { return nil }
        let tens = text[4] == UInt8(ascii: " ") ? 0 : digit(text, 4)
        let day = tens * 10 + digit(text, 5)
        guard day >= 1, day <= daysInMonth[month - 1], let second = secondOfDay(text, at: 7) else {
            return nil
        }
        return Stamp(month: month, day: day, secondOfDay: second)
    }

    /// February has 29: whether the year is a leap year is not known here.
    private static let daysInMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

    /// A digit's value, or a number that makes every sum too large.
    @inline(__always)
    private static func digit(_ text: Span<UInt8>, _ index: Int) -> Int {
        isDigit(text[index]) ? Int(text[index] &- UInt8(ascii: "0")) : 1_000_000
    }

    private static func secondOfDay(_ text: Span<UInt8>, at index: Int) -> Int? {
        guard text[index + 2] == UInt8(ascii: ":"), text[index + 5] == UInt8(ascii: ":") else {
            return nil
        }
        let hour = digit(text, index) * 10 + digit(text, index + 1)
        let minute = digit(text, index + 3) * 10 + digit(text, index + 4)
        let second = digit(text, index + 6) * 10 + digit(text, index + 7)
        // A leap second is written as :60; it counts as the next one.
        guard hour < 24, minute < 60, second <= 60 else { return nil }
        return hour * 3_600 + minute * 60 + second
    }

    private static func monthNumber(_ text: Span<UInt8>) -> Int? {
        switch (text[0], text[1], text[2]) {
        case (UInt8(ascii: "J"), UInt8(ascii: "a"), UInt8(ascii: "n")): 1
        case (UInt8(ascii: "F"), UInt8(ascii: "e"), UInt8(ascii: "b")): 2
        case (UInt8(ascii: "M"), UInt8(ascii: "a"), UInt8(ascii: "r")): 3
        case (UInt8(ascii: "A"), UInt8(ascii: "p"), UInt8(ascii: "r")): 4
        case (UInt8(ascii: "M"), UInt8(ascii: "a"), UInt8(ascii: "y")): 5
        case (UInt8(ascii: "J"), UInt8(ascii: "u"), UInt8(ascii: "n")): 6
        case (UInt8(ascii: "J"), UInt8(ascii: "u"), UInt8(ascii: "l")): 7
        case (UInt8(ascii: "A"), UInt8(ascii: "u"), UInt8(ascii: "g")): 8
        case (UInt8(ascii: "S"), UInt8(ascii: "e"), UInt8(ascii: "p")): 9
        case (UInt8(ascii: "O"), UInt8(ascii: "c"), UInt8(ascii: "t")): 10
        case (UInt8(ascii: "N"), UInt8(ascii: "o"), UInt8(ascii: "v")): 11
        case (UInt8(ascii: "D"), UInt8(ascii: "e"), UInt8(ascii: "c")): 12
        default: nil
        }
    }

    /// `YYYY-MM-DDThh:mm:ss` as if it were UTC (RFC 3339, 5.6).
    private static func readDateTime(_ text: Span<UInt8>) -> Int64? {
        guard text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-") else { return nil }
        let year =
            digit(text, 0) * 1_000 + digit(text, 1) * 100 + digit(text, 2) * 10 + digit(text, 3)
        let month = digit(text, 5) * 10 + digit(text, 6)
        let day = digit(text, 8) * 10 + digit(text, 9)
        guard year >= 1970, year <= 9_999, month >= 1, month <= 12, day >= 1,
            day <= daysInMonth[month - 1], let second = secondOfDay(text, at: 11)
        else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        guard month != 2 || day < 29 || isLeap else { return nil }
        return Int64(daysSince1970(year: year, month: month, day: day)) * 86_400 + Int64(second)
    }

    /// What follows the first 19 bytes: a fraction of 1 to 9 digits, then `Z` or `+hh:mm`.
    private mutating func readFractionAndZone(_ text: Span<UInt8>) -> Int {
        let end = text.count
        var index = 19
        var microseconds: Int64 = 0
        if text[index] == UInt8(ascii: ".") || text[index] == UInt8(ascii: ",") {
            index &+= 1
            let start = index
            var scale: Int64 = 100_000
            while index < end, isDigit(text[index]), index &- start < 9 {
                microseconds &+= Int64(text[index] &- UInt8(ascii: "0")) &* scale
                scale /= 10
                index &+= 1
            }
            guard index > start else { return 0 }
        }
        guard index < end else { return 0 }
        var offset: Int64 = 0
        switch text[index] {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"):
            index &+= 1
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            guard index &+ 6 < end, text[index &+ 3] == UInt8(ascii: ":") else { return 0 }
            let hours = Self.digit(text, index + 1) * 10 + Self.digit(text, index + 2)
            let minutes = Self.digit(text, index + 4) * 10 + Self.digit(text, index + 5)
            guard hours < 24, minutes < 60 else { return 0 }
            offset = Int64(hours * 3_600 + minutes * 60)
            if text[index] == UInt8(ascii: "-") { offset = -offset }
            index &+= 6
        default:
            return 0
        }
        guard index < end, text[index] == UInt8(ascii: " ") else { return 0 }
        stamp = Stamp(microseconds: (dateTimeSeconds - offset) * 1_000_000 + microseconds)
        return index &+ 1
    }

    private mutating func lookAtHost(_ text: Span<UInt8>, _ range: Range<Int>) {
        if text.equals(range, hostBytes.span, 0..<hostBytes.count) { return }
        hostBytes.removeAll(keepingCapacity: true)
        for index in range { hostBytes.append(text[index]) }
        hostHash = keyedHash(hostBytes.span, seed: seed)
    }

    /// Finds out whether Postfix wrote the line, which program and which instance of it.
    private mutating func lookAtTag(_ text: Span<UInt8>, _ range: Range<Int>) {
        let slot = Self.tagSlot(text, range)
        if !tags[slot].isTag(text, range) { tags[slot] = readTag(text.extracting(range)) }
        isTagPostfix = tags[slot].isPostfix
        tagAgent = tags[slot].agent
        tagInstance = tags[slot].instance
    }

    /// One of 64 places, by a tag's ends and its length.
    private static func tagSlot(_ text: Span<UInt8>, _ range: Range<Int>) -> Int {
        let count = range.count
        var mixed = UInt64(count)
        if count >= 8 {
            mixed ^= text.word(at: range.lowerBound) &* 0x9e37_79b9_7f4a_7c15
            mixed ^= text.word(at: range.upperBound &- 8) &* 0xe703_7ed1_a0b4_28db
        } else {
            for index in range { mixed = mixed << 8 ^ UInt64(text[index]) }
        }
        return Int(truncatingIfNeeded: (mixed &* 0xd6e8_feb8_6659_fd93) >> 58)
    }

    private func readTag(_ tag: Span<UInt8>) -> KnownTag {
        var known = KnownTag()
        for index in tag.indices { known.bytes.append(tag[index]) }
        guard let slash = known.bytes.lastIndex(of: UInt8(ascii: "/")),
            let first = known.bytes.firstIndex(of: UInt8(ascii: "/"))
        else { return known }
        known.isPostfix = true
        known.agent = Self.agent(tag.extracting((slash + 1)..<tag.count))
        known.instance = UInt32(
            truncatingIfNeeded: keyedHash(tag.extracting(0..<first), seed: seed)
        )
        return known
    }

    /// Postfix's programs by the last part of their tag (master(5): the command's name).
    private static func agent(_ program: Span<UInt8>) -> LineFact.Agent {
        func named(_ name: StaticString) -> Bool {
            program.count == name.utf8CodeUnitCount && program.has(name, at: 0)
        }
        if named("smtpd") { return .smtpd }
        if named("cleanup") { return .cleanup }
        if named("qmgr") || named("oqmgr") || named("nqmgr") { return .queueManager }
        if named("smtp") { return .smtp }
        if named("lmtp") { return .lmtp }
        if named("local") || named("virtual") || named("pipe") || named("dovecot") {
            return .mailbox
        }
        if named("error") || named("retry") || named("bounce") { return .error }
        if named("discard") { return .discard }
        if named("postsuper") { return .operator }
        if named("pickup") { return .pickup }
        return .other
    }

    // MARK: Body

    private mutating func readBody(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> Bool {
        switch tagAgent {
        case .smtpd:
            if text.has("client=", at: start) {
                return readClient(text, from: start + 7, into: &fact)
            }
        case .cleanup:
            return readCleanup(text, from: start, into: &fact)
        case .queueManager:
            if text.has("from=<", at: start) {
                return readActive(text, from: start + 6, into: &fact)
            }
            if text.has("removed", at: start), start + 7 == text.count {
                fact.kind = .removed
                return true
            }
        case .smtp, .lmtp, .mailbox, .error, .discard, .other:
            if text.has("to=<", at: start) {
                return readDelivery(text, from: start + 4, into: &fact)
            }
        case .operator:
            return readOperator(text, from: start, into: &fact)
        case .pickup:
            break
        }
        counters.ignored &+= 1
        return false
    }

    private func give(_ fact: inout LineFact, _ kind: LineFact.Kind) -> Bool {
        fact.kind = kind
        return true
    }

    /// `client=HOST[IP]`, then optional fields in the order in which smtpd.c writes them.
    private mutating func readClient(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> Bool {
        guard let clientEnd = PostfixGrammar.endOfClient(text, from: start) else {
            counters.brokenClient &+= 1
            return false
        }
        fact.kind = .client
        fact.a = LineFact.Piece(start, clientEnd)
        var index = clientEnd
        if text.has(", sasl_method=", at: index) {
            index += 14
            while index < text.count, text[index] != UInt8(ascii: ","),
                text[index] != UInt8(ascii: " ")
            { index += 1 }
        }
        if text.has(", sasl_username=", at: index) {
            index += 16
            let loginEnd = PostfixGrammar.endOfLogin(text, from: index)
            // An empty login is no login.
            guard loginEnd > index else {
                counters.brokenClient &+= 1
                return false
            }
            fact.b = LineFact.Piece(index, loginEnd)
            return true
        }
        if let end = PostfixGrammar.endOfQueueField(text, from: index) {
            fact.c = LineFact.Piece(index + 16, end)
            index = end
        }
        if text.has(", orig_client=", at: index) {
            guard let end = PostfixGrammar.endOfClient(text, from: index + 14) else {
                counters.brokenClient &+= 1
                return false
            }
            index = end
        }
        guard index == text.count || text.has(", sasl_", at: index) else {
            counters.brokenClient &+= 1
            return false
        }
        return true
    }

    private mutating func readCleanup(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> Bool {
        if text.has("message-id=", at: start) {
            fact.kind = .messageID
            fact.a = LineFact.Piece(start + 11, text.count)
            return true
        }
        // `ACTION: header NAME: TEXT from …` (cleanup_message.c).
        var index = start
        while index < text.count, text[index] >= UInt8(ascii: "a"), text[index] <= UInt8(ascii: "z")
        { index += 1 }
        let actionEnd = index
        guard index > start, text.has(": ", at: index) else {
            // milter-hold:, milter-discard: (cleanup_milter.c).
            if text.has("milter-hold: ", at: start) { return give(&fact, .held) }
            if text.has("milter-discard: ", at: start) { return give(&fact, .discarded) }
            counters.ignored &+= 1
            return false
        }
        let kind: LineFact.Kind
        switch actionEnd - start {
        case 4 where text.has("info", at: start): kind = .headerLine
        case 4 where text.has("hold", at: start): kind = .held
        case 7 where text.has("discard", at: start): kind = .discarded
        case 6 where text.has("reject", at: start):
            counters.ignored &+= 1
            return false
        default: kind = .headerLine
        }
        index = actionEnd + 2
        fact.kind = kind
        guard text.has("header ", at: index) else {
            // Body checks and content: no header, but a hold or a discard all the same.
            if kind != .headerLine { return true }
            counters.ignored &+= 1
            return false
        }
        index += 7
        let nameStart = index
        while index < text.count, text[index] != UInt8(ascii: ":"), text[index] != UInt8(ascii: " ")
        { index += 1 }
        guard index < text.count, text[index] == UInt8(ascii: ":"), index > nameStart else {
            if kind != .headerLine { return true }
            counters.ignored &+= 1
            return false
        }
        switch index - nameStart {
        case 7 where text.hasIgnoringCase("subject", at: nameStart): fact.header = .subject
        case 12 where text.hasIgnoringCase("content-type", at: nameStart):
            fact.header = .contentType
        case 27 where text.hasIgnoringCase("disposition-notification-to", at: nameStart):
            fact.header = .dispositionNotificationTo
        default: fact.header = .other
        }
        fact.a = LineFact.Piece(index + 1, text.count)
        return true
    }

    /// `from=<S>, size=N, nrcpt=N (queue active)` or `from=<S>, status=expired, …`.
    private mutating func readActive(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> Bool {
        guard let end = PostfixGrammar.endOfAddress(text, from: start) else {
            counters.brokenActive &+= 1
            return false
        }
        if text.has(">, size=", at: end) {
            fact.kind = .active
            fact.a = LineFact.Piece(start, end)
            fact.domain = names.domain(ofAddress: text.extracting(start..<end))
            return true
        }
        // qmgr_active.c: `status=expired`, 3.x also `status=force-expired`.
        if text.has(">, status=expired", at: end) || text.has(">, status=force-expired", at: end) {
            fact.kind = .expired
            return true
        }
        counters.brokenActive &+= 1
        return false
    }

    /// log_adhoc.c: `to=<R>[, orig_to=<O>], relay=…[, conn_use=N], delay=…, delays=…, dsn=…,
    /// status=WORD (REPLY)`.
    private mutating func readDelivery(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> Bool {
        guard let end = PostfixGrammar.endOfAddress(text, from: start) else {
            counters.brokenDelivery &+= 1
            return false
        }
        fact.kind = .delivery
        fact.a = LineFact.Piece(start, end)
        var index = end + 1
        if text.has(", orig_to=<", at: index) {
            guard let origEnd = PostfixGrammar.endOfAddress(text, from: index + 11) else {
                counters.brokenDelivery &+= 1
                return false
            }
            fact.b = LineFact.Piece(index + 11, origEnd)
            index = origEnd + 1
        }
        guard text.has(", relay=", at: index) else {
            counters.brokenDelivery &+= 1
            return false
        }
        let relayStart = index + 8
        let comma = text.first(UInt8(ascii: ","), from: relayStart, to: text.count) ?? text.count
        index = text.first(UInt8(ascii: " "), from: relayStart, to: comma) ?? comma
        fact.c = LineFact.Piece(relayStart, index)
        while !text.has(", status=", at: index) {
            guard
                text.has(", delay", at: index) || text.has(", dsn=", at: index)
                    || text.has(", conn_use=", at: index)
            else {
                counters.brokenDelivery &+= 1
                return false
            }
            index = text.first(UInt8(ascii: ","), from: index + 2, to: text.count) ?? text.count
        }
        index += 9
        let statusStart = index
        while index < text.count, text[index] != UInt8(ascii: " ") { index += 1 }
        switch index - statusStart {
        case 4 where text.has("sent", at: statusStart): fact.status = .sent
        case 8 where text.has("deferred", at: statusStart): fact.status = .deferred
        case 7 where text.has("bounced", at: statusStart): fact.status = .bounced
        case 7 where text.has("expired", at: statusStart): fact.status = .expired
        default: fact.status = .other
        }
        if text.has(" (", at: index) {
            fact.d = LineFact.Piece(index + 2, text.count)
        }
        if fact.status != .other {
            let recipient = text.extracting(start..<end)
            fact.domain = names.domain(ofAddress: recipient)
            // Only a copy that came to a mailbox teaches whose it is.
            if fact.status == .sent, fact.agent == .lmtp || fact.agent == .mailbox {
                fact.account = names.mailbox(recipient)
            }
        }
        return true
    }

    /// postsuper.c: `QID: removed`, `placed on hold`, `released from hold`, `requeued`.
    private mutating func readOperator(
        _ text: Span<UInt8>,
        from start: Int,
        into fact: inout LineFact
    ) -> Bool {
        if text.has("removed", at: start) { return give(&fact, .removed) }
        if text.has("placed on hold", at: start) { return give(&fact, .held) }
        if text.has("released from hold", at: start) { return give(&fact, .released) }
        counters.ignored &+= 1
        return false
    }
}

extension Span where Element == UInt8 {
    /// Eight bytes at `index` as one number.
    @inline(__always)
    func word(at index: Int) -> UInt64 {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
    }

    /// The same where the caller knows that `index + 8` is at most the span's count.
    @unsafe
    @inline(__always)
    func uncheckedWord(at index: Int) -> UInt64 {
        unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
    }
}
