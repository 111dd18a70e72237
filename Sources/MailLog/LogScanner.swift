public import MailEvents
public import Records
import SafeText

/// Reads lines of mail logs into facts, each line on its own: finds out whose line it is and asks the
/// reader of that dialect.
///
/// Its only memory is of what the last lines looked like, so that a stamp or a host name that comes
/// again is not read again, and of the head of a table; neither changes what another line means.
public struct LogScanner: Sendable {
    private let seed: HashSeed
    /// `--dialect`: every line is of this one; nil: each line tells.
    private let dialect: Dialect?
    private var postfix: PostfixReader
    private var exim: EximReader
    private var sendmail: SendmailReader
    private var openSMTPD: OpenSMTPDReader
    private var tables: TableReader
    public private(set) var counters = ScanCounters()
    /// The file of the last batch: the head of a table is of one file.
    private var file: FileNumber?

    /// The last stamp's bytes (15 of RFC 3164, or 19 of RFC 3339) as two overlapping words.
    private var stampWords: (UInt64, UInt64) = (0, 0)
    private var stamp = Stamp(microseconds: 0)
    /// Seconds since 1970 of the first 19 bytes of the last RFC 3339 stamp, without its zone.
    private var dateTimeSeconds: Int64 = 0
    /// The last time that a fact carried, in whole seconds.
    private var lastSecond: UInt64 = .max

    private var hostBytes: [UInt8] = []
    private var hostHash: UInt64
    /// Hash of the host name of lines that have none.
    private let noHostHash: UInt64
    /// Digits between the brackets behind a tag.
    private static let processIDBytesMax = 20

    /// What is known of the tags that were seen last, by a hash of their length and ends.
    private var tags = [KnownTag](repeating: KnownTag(), count: 64)

    /// Host names with tags that were seen last.
    private var heads = KnownHeads()

    /// Whose lines a tag stands on.
    private enum Program: UInt8, Sendable {
        case other
        case postfix
        case exim
        case sendmail
        /// OpenSMTPD's, or Postfix's where something cut its tags down to the last part.
        case bareSMTPD
        /// Postfix's only because `--dialect` says so.
        case assumedPostfix
        /// Our own, with which the daemon tries whether what is logged is read.
        case canary
    }

    /// A tag and what it says.
    private struct KnownTag: Sendable {
        var words = ShortTextWords()
        var bytes: [UInt8] = []
        var agent = LineFact.Agent.other
        var program = Program.other
        /// Only `--dialect` says that it is this server's.
        var isAssumed = false
        var instance: UInt32 = 0

        @inline(__always)
        func isTag(_ words: ShortTextWords, _ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
            words == self.words
                && (words.isWhole || text.equals(range, bytes.span, 0..<bytes.count))
        }
    }

    /// - Parameters:
    ///   - seed: of the engine that gets the facts.
    ///   - accountDomain: `account_domain:`, which completes bare logins; empty for none.
    ///   - dialect: whose lines all of them are; nil to find out.
    public init(seed: HashSeed, accountDomain: [UInt8] = [], dialect: Dialect? = nil) {
        self.seed = seed
        self.dialect = dialect
        let names = NameReader(seed: seed, accountDomain: accountDomain)
        postfix = PostfixReader(names: names)
        exim = EximReader(names: names)
        sendmail = SendmailReader(names: names)
        openSMTPD = OpenSMTPDReader(names: names)
        tables = TableReader(names: names, seed: seed, dialect: dialect)
        noHostHash = keyedHash([UInt8]().span, seed: seed)
        hostHash = noHostHash
    }

    /// The counters since the last call.
    public mutating func takeCounters() -> ScanCounters {
        defer { counters = ScanCounters() }
        return counters
    }

    /// Appends the facts of a batch's lines, in their order.
    public mutating func scan(_ batch: borrowing Batch, into facts: inout [LineFact]) {
        if file != batch.file {
            file = batch.file
            tables.beginFile()
        }
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

        if tables.isWithinField {
            readWithinField(text, line: line, into: &facts)
            return
        }
        let before = facts.count
        let index = readStamp(text)
        guard index > 0 || readUnusual(text, line: line, into: &facts) else { return }
        if index > 0 { readSyslog(text, from: index, line: line, into: &facts) }
        if facts.count == before {
            noteTime(line: line, into: &facts)
        } else if facts[before].kind != .canary {
            lastSecond = second
        }
    }

    /// Reads what follows a syslog stamp in the ordinary form: host name, tag, process ID, and the
    /// program's own text.
    private mutating func readSyslog(
        _ text: Span<UInt8>,
        from hostStart: Int,
        line: Int,
        into facts: inout [LineFact]
    ) {
        let end = text.count
        var index = hostStart
        var isHostKnown = false
        var hostEnd = hostStart
        var tagStart = hostStart
        var tag = -1
        if let known = heads.find(text, at: hostStart) {
            isHostKnown = known.isHostKnown
            hostEnd = hostStart &+ known.hostCount
            tagStart = hostEnd &+ 1
            tag = known.tag
            index = hostStart &+ known.count
        } else {
            let known = index &+ hostBytes.count
            if known < end, text[known] == UInt8(ascii: " "), !hostBytes.isEmpty,
                text.equals(index..<known, hostBytes.span, 0..<hostBytes.count)
            {
                index = known
                isHostKnown = true
            } else {
                while index < end, text[index] != UInt8(ascii: " ") { index &+= 1 }
            }
            hostEnd = index
            guard hostEnd > hostStart, hostEnd < end else {
                readRare(text, else: .noHeader, line: line, into: &facts)
                return
            }
            tagStart = index &+ 1
            index = Self.endOfTag(text, from: tagStart)
            guard index > tagStart, index < end else {
                readRare(text, else: .noHeader, line: line, into: &facts)
                return
            }
        }
        let tagEnd = index
        var processID = 0..<0
        if text[index] == UInt8(ascii: "[") {
            index &+= 1
            let limit = min(end, index &+ Self.processIDBytesMax &+ 1)
            guard let close = text.first(UInt8(ascii: "]"), from: index, to: limit),
                text.areDigits(index..<close)
            else {
                readRare(text, else: nil, line: line, into: &facts)
                return
            }
            processID = index..<close
            index = close &+ 1
        }
        guard index &+ 1 < end, text[index] == UInt8(ascii: ":"),
            text[index &+ 1] == UInt8(ascii: " ")
        else {
            readRare(text, else: nil, line: line, into: &facts)
            return
        }
        index &+= 2

        if tag < 0 {
            tag = lookAtTag(text, tagStart..<tagEnd)
            if isHostKnown || tags[tag].program == .other {
                let hostCount = hostEnd &- hostStart
                heads.add(text, hostStart..<tagEnd, hostCount, isHostKnown, tag: tag)
            }
        }
        let program = tags[tag].program
        if program == .other {
            counters.foreign &+= 1
            return
        }
        var outcome: LineOutcome?
        if program == .postfix {
            if !isHostKnown { lookAtHost(text, hostStart..<hostEnd) }
            let context = LineContext(
                stamp: stamp,
                line: line,
                host: hostStart..<hostEnd,
                hostHash: hostHash,
                agent: tags[tag].agent,
                instance: tags[tag].instance,
                processID: processID
            )
            outcome = postfix.readWithID(text, from: index, context, into: &facts)
        }
        if let outcome {
            counters.count(outcome, of: .postfix)
        } else if program == .postfix, !PostfixReader.mayBeRead(text, from: index) {
            counters.count(.ignored, of: .postfix)
        } else {
            let head = LineHead(
                stamp: stamp,
                host: hostStart..<hostEnd,
                tag: tagStart..<tagEnd,
                processID: processID,
                body: index
            )
            if tags[tag].isAssumed {
                // It may have a head of the server's in its text.
                readRare(text, else: nil, line: line, into: &facts)
            } else {
                readProgram(text, head, line: line, into: &facts)
            }
        }
    }

    /// Asks the reader of a program's dialect.
    private mutating func ask(
        _ program: Program,
        _ text: Span<UInt8>,
        from start: Int,
        _ context: LineContext,
        into facts: inout [LineFact]
    ) {
        switch program {
        case .other:
            counters.foreign &+= 1
        case .canary:
            counters.foreign &+= 1
            var fact = LineFact(kind: .canary, stamp: context.stamp, line: context.line)
            fact.a = LineFact.Piece(start, text.count)
            facts.append(fact)
        case .postfix, .assumedPostfix:
            counters.count(postfix.read(text, from: start, context, into: &facts), of: .postfix)
        case .exim:
            counters.count(exim.read(text, from: start, context, into: &facts), of: .exim)
        case .sendmail:
            counters.count(sendmail.read(text, from: start, context, into: &facts), of: .sendmail)
        case .bareSMTPD:
            if let outcome = openSMTPD.read(text, from: start, context, into: &facts) {
                counters.count(outcome, of: .openSMTPD)
            } else {
                counters.count(
                    postfix.read(text, from: start, context, into: &facts),
                    of: .postfix
                )
            }
        }
    }

    // MARK: Rare forms

    /// Reads a line that does not begin with an ordinary stamp.
    ///
    /// - Returns: whether it has a head.
    private mutating func readUnusual(
        _ text: Span<UInt8>,
        line: Int,
        into facts: inout [LineFact]
    ) -> Bool {
        guard let head = readRareHead(text) else {
            readBare(text, line: line, into: &facts)
            return false
        }
        readProgram(text, head, line: line, into: &facts)
        return true
    }

    /// Reads the head of a line that has not the ordinary form.
    private mutating func readRareHead(_ text: Span<UInt8>) -> LineHead? {
        guard LineHead.mayBegin(text, seesThrough: dialect != nil),
            let head = LineHead.read(text, seesThrough: dialect != nil)
        else { return nil }
        stamp = head.stamp
        // The words that stand for the stamp belong to a line of the ordinary form.
        stampWords = (0, 0)
        return head
    }

    /// Reads a line that begins in the ordinary form and does not go on so.
    ///
    /// - Parameter reason: why it counts as not understood, if it has no other form; nil: it counts
    ///   as that of another program.
    private mutating func readRare(
        _ text: Span<UInt8>,
        else reason: UnparsedReason?,
        line: Int,
        into facts: inout [LineFact]
    ) {
        if let head = readRareHead(text) {
            readProgram(text, head, line: line, into: &facts)
        } else if let reason {
            counters.countUnparsed(reason)
        } else {
            counters.foreign &+= 1
        }
    }

    /// Reads a program's own text behind a head of a rare form.
    private mutating func readProgram(
        _ text: Span<UInt8>,
        _ head: LineHead,
        line: Int,
        into facts: inout [LineFact]
    ) {
        let tag = lookAtTag(text, head.tag)
        lookAtHost(text, head.host)
        let context = LineContext(
            stamp: head.stamp,
            line: line,
            host: head.host,
            hostHash: hostHash,
            agent: tags[tag].agent,
            instance: tags[tag].instance,
            processID: head.processID
        )
        let start = LineHead.afterMessageID(text, from: head.body)
        ask(tags[tag].program, text, from: start, context, into: &facts)
    }

    /// Reads a line that no syslog daemon wrote: Exim's own log files, and tables.
    private mutating func readBare(
        _ text: Span<UInt8>,
        line: Int,
        into facts: inout [LineFact]
    ) {
        let context = bareContext(line: line)
        let before = facts.count
        var dialect = Dialect.postfix
        if let (bareStamp, outcome) = exim.readFileLine(text, context, into: &facts) {
            stamp = bareStamp
            dialect = .exim
            counters.count(outcome, of: .exim)
        } else if readsTables, let row = tables.read(text, context, into: &facts) {
            stamp = row.stamp ?? stamp
            dialect = row.dialect
            counters.count(row.outcome, of: row.dialect)
            if row.stamp == nil { return }
        } else {
            counters.countUnparsed(.noStamp)
            return
        }
        // The words that stand for the stamp are no syslog stamp's.
        stampWords = (0, 0)
        if facts.count == before {
            noteTime(line: line, of: dialect, into: &facts)
        } else {
            lastSecond = second
        }
    }

    /// Reads a line in the middle of a table's field: a stranger's text, whatever line of a log it
    /// looks like.
    private mutating func readWithinField(
        _ text: Span<UInt8>,
        line: Int,
        into facts: inout [LineFact]
    ) {
        let context = bareContext(line: line)
        guard let row = tables.read(text, context, into: &facts) else { return }
        counters.count(row.outcome, of: row.dialect)
    }

    private func bareContext(line: Int) -> LineContext {
        LineContext(
            stamp: stamp,
            line: line,
            host: 0..<0,
            hostHash: noHostHash,
            agent: .other,
            instance: 0,
            processID: 0..<0
        )
    }

    private var second: UInt64 { stamp.second }

    /// Whether a row may be one that counts (`--dialect`).
    private var readsTables: Bool { dialect?.isTable ?? true }

    /// A line that says nothing else still moves the time, once a second.
    private mutating func noteTime(
        line: Int,
        of dialect: Dialect = .postfix,
        into facts: inout [LineFact]
    ) {
        guard second != lastSecond else { return }
        lastSecond = second
        var fact = LineFact(kind: .time, stamp: stamp, line: line)
        fact.dialect = dialect
        facts.append(fact)
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
            guard let seconds = StampText.dateTime(text) else { return 0 }
            dateTimeSeconds = seconds
            stampWords = words
        }
        return readFractionAndZone(text)
    }

    /// `Mmm dd hh:mm:ss` (RFC 3164, 4.1.2); the day is padded with a blank or a zero.
    private static func readTraditional(_ text: Span<UInt8>) -> Stamp? {
        guard let month = StampText.monthNumber(text, at: 0), text[3] == UInt8(ascii: " "),
            text[6] == UInt8(ascii: " ")
        else { return nil }
        let tens = text[4] == UInt8(ascii: " ") ? 0 : StampText.digit(text, 4)
        let day = tens * 10 + StampText.digit(text, 5)
        guard day >= 1, day <= StampText.daysInMonth(month),
            let second = StampText.secondOfDay(text, at: 7)
        else { return nil }
        return Stamp(month: month, day: day, secondOfDay: second)
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
            let hours = StampText.digit(text, index + 1) * 10 + StampText.digit(text, index + 2)
            let minutes = StampText.digit(text, index + 4) * 10 + StampText.digit(text, index + 5)
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
        heads.clear()
        hostBytes.removeAll(keepingCapacity: true)
        for index in range { hostBytes.append(text[index]) }
        hostHash = keyedHash(hostBytes.span, seed: seed)
    }

    /// Finds out which program wrote the line, and which instance of it: gives the tag's place in
    /// ``tags``.
    @inline(__always)
    private mutating func lookAtTag(_ text: Span<UInt8>, _ range: Range<Int>) -> Int {
        let words = ShortTextWords(text, range)
        let slot = Int(truncatingIfNeeded: words.key(hostHash: 0) >> 58)
        if !tags[slot].isTag(words, text, range) {
            heads.clear()
            tags[slot] = readTag(text.extracting(range))
            tags[slot].words = words
        }
        return slot
    }

    private func readTag(_ tag: Span<UInt8>) -> KnownTag {
        var known = KnownTag()
        for index in tag.indices { known.bytes.append(tag[index]) }
        let slash = known.bytes.lastIndex(of: UInt8(ascii: "/"))
        let first = known.bytes.firstIndex(of: UInt8(ascii: "/")) ?? 0
        known.agent = Self.agent(
            tag.extracting((slash.map { $0 + 1 } ?? 0)..<tag.count),
            isBare: slash == nil
        )
        known.program = Self.program(tag, isBare: slash == nil, agent: known.agent)
        if tag.count == 14, tag.has("postern-canary", at: 0) {
            known.program = .canary
            return known
        }
        // Our own alerts quote what others log: they are nobody's, also with `--dialect`.
        let isOurs = tag.count == 7 && tag.has("postern", at: 0)
        if let dialect, !isOurs {
            known.isAssumed = known.program == .other
            known.program = Self.program(known.program, of: dialect)
        }
        switch known.program {
        case .postfix, .assumedPostfix, .bareSMTPD: break
        case .other, .exim, .sendmail, .canary: return known
        }
        known.instance = UInt32(
            truncatingIfNeeded: keyedHash(tag.extracting(0..<first), seed: seed)
        )
        return known
    }

    /// With `--dialect`, unknown tags are that server's too, and those of others count for nothing.
    private static func program(_ found: Program, of dialect: Dialect) -> Program {
        switch dialect {
        case .postfix:
            found == .other
                ? .assumedPostfix : found == .bareSMTPD ? .postfix : only(.postfix, found)
        case .exim: found == .other ? .exim : only(.exim, found)
        case .sendmail: found == .other ? .sendmail : only(.sendmail, found)
        case .openSMTPD: found == .other ? .bareSMTPD : only(.bareSMTPD, found)
        case .exchange, .microsoft365: .other
        }
    }

    private static func only(_ wanted: Program, _ found: Program) -> Program {
        found == wanted ? found : .other
    }

    /// A tag that ends in `/` and the name of one of Postfix's programs is Postfix's, whatever stands
    /// before it (`syslog_name`); and so is the name alone, where something cut the tag.
    private static func program(
        _ tag: Span<UInt8>,
        isBare: Bool,
        agent: LineFact.Agent
    ) -> Program {
        func begins(_ name: StaticString) -> Bool { tag.has(name, at: 0) }
        func isNamed(_ name: StaticString) -> Bool {
            tag.count == name.utf8CodeUnitCount && begins(name)
        }
        guard isBare else { return agent != .other || begins("postfix") ? .postfix : .other }
        if isNamed("exim") || isNamed("exim4") { return .exim }
        if isNamed("sendmail") || begins("sm-") { return .sendmail }
        if isNamed("smtpd") { return .bareSMTPD }
        if agent != .other { return .postfix }
        return .other
    }

    /// Postfix's programs by the last part of their tag (master(5): the command's name), and
    /// MailScanner, which moves messages in Postfix's queue.
    private static func agent(_ program: Span<UInt8>, isBare: Bool) -> LineFact.Agent {
        func named(_ name: StaticString) -> Bool {
            program.count == name.utf8CodeUnitCount && program.has(name, at: 0)
        }
        if named("smtpd") { return .smtpd }
        if named("cleanup") { return .cleanup }
        if named("qmgr") || named("oqmgr") || named("nqmgr") { return .queueManager }
        if named("smtp") { return .smtp }
        if named("lmtp") { return .lmtp }
        if named("local") || named("virtual") || named("pipe") { return .mailbox }
        if named("error") || named("bounce") { return .error }
        if named("discard") { return .discard }
        if named("postsuper") { return .operator }
        if named("pickup") { return .pickup }
        // Names that alone are those of other programs.
        if isBare { return named("MailScanner") ? .operator : .other }
        if named("dovecot") { return .mailbox }
        if named("retry") { return .error }
        return .other
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
