/// What stands before a program's own text in a line: the stamp, the host name, the tag.
///
/// The scanner reads the two ordinary forms itself (RFC 3164 and RFC 3339 with host name and tag);
/// what differs from them comes here.
struct LineHead: Sendable {
    var stamp: Stamp
    var host: Range<Int>
    var tag: Range<Int>
    /// Where the process ID stands, between brackets behind the tag; empty if there is none.
    var processID: Range<Int>
    /// Where the program's own text begins.
    var body: Int

    /// How many heads may stand before each other.
    private static let headsMax = 4

    /// Whether a line may begin with a head: tells at little cost what another program wrote to a
    /// file of its own.
    static func mayBegin(_ text: Span<UInt8>, seesThrough: Bool) -> Bool {
        guard text.count > 20 else { return false }
        switch text[0] {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): return seesThrough
        case UInt8(ascii: "<"), UInt8(ascii: "A")...UInt8(ascii: "Z"): return true
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            return text[4] == UInt8(ascii: " ") || text[10] | 0x20 == UInt8(ascii: "t")
                || text[1] == UInt8(ascii: " ")
        default: return false
        }
    }

    /// Reads the head of a line, whatever syslog daemon or relay wrote it:
    ///
    /// - a priority (`<22>`) before the stamp, as it travels (RFC 3164, 4.1.1);
    /// - RFC 5424: `<22>1 STAMP HOST APP PROCID MSGID SD MSG`, with a byte order mark;
    /// - `STAMP <mail.info> HOST TAG` (FreeBSD's `syslogd -v`), `STAMP HOST mail.info TAG` (BusyBox),
    ///   `TAG: [ID 197553 mail.info] TEXT` (Solaris);
    /// - another head in the place of the tag or of the host name (a relay that did not understand
    ///   the line), or behind `stdout F` (Kubernetes' CRI) or behind a stamp alone (`docker logs -t`).
    ///
    /// Of several heads the last one names host and program; its stamp counts too, unless it lacks
    /// the zone or the year that an earlier one has.
    ///
    /// - Parameter seesThrough: whether a head counts that stands where a program's own text does.
    ///   What an unknown program writes may be a stranger's text, so only when the operator said whose
    ///   lines all of them are.
    static func read(_ text: Span<UInt8>, seesThrough: Bool) -> LineHead? {
        if let head = read(text, from: 0, depth: 0, seesThrough) { return head }
        guard seesThrough else { return nil }
        // `docker compose logs`: `mailserver-1  | LINE`.
        guard let bar = afterBlanks(text, from: word(text, from: 0).upperBound),
            text.has("| ", at: bar)
        else { return nil }
        return read(text, from: bar + 2, depth: 1, seesThrough)
    }

    private static func read(
        _ text: Span<UInt8>,
        from start: Int,
        depth: Int,
        _ seesThrough: Bool
    ) -> LineHead? {
        guard depth < headsMax else { return nil }
        var index = afterPriority(text, from: start)
        if text.has("1 ", at: index), let head = readRFC5424(text, from: index + 2) {
            return through(head, text, depth: depth, seesThrough)
        }
        guard let found = StampText.read(text, at: index) else { return nil }
        let stamp = found.stamp
        guard let hostStart = afterBlanks(text, from: found.end) else { return nil }
        index = hostStart
        if text.has("stdout F ", at: index) || text.has("stderr F ", at: index) {
            index += 9
            return read(text, from: index, depth: depth + 1, seesThrough)?.later(than: stamp)
        }
        if let inner = read(text, from: index, depth: depth + 1, seesThrough) {
            return inner.later(than: stamp)
        }
        if let end = afterFacility(text, from: index) { index = end }

        let host = word(text, from: index)
        guard !host.isEmpty, let afterHost = afterBlanks(text, from: host.upperBound) else {
            return nil
        }
        index = afterHost
        if let inner = read(text, from: index, depth: depth + 1, seesThrough) {
            return inner.later(than: stamp)
        }
        if let end = afterFacilityWord(text, from: index) { index = end }
        guard let (tag, processID, body) = readTag(text, from: index) else { return nil }
        let head = LineHead(stamp: stamp, host: host, tag: tag, processID: processID, body: body)
        return through(head, text, depth: depth, seesThrough)
    }

    /// The head that stands in the text of another, if such heads count; else that one.
    private static func through(
        _ head: LineHead,
        _ text: Span<UInt8>,
        depth: Int,
        _ seesThrough: Bool
    ) -> LineHead {
        guard seesThrough,
            let inner = read(text, from: head.body, depth: depth + 1, seesThrough)
        else { return head }
        return inner.later(than: head.stamp)
    }

    /// The head with the better of two stamps: its own, unless it knows less of its moment.
    private func later(than outer: Stamp) -> LineHead {
        func knowledge(_ stamp: Stamp) -> Int { stamp.isYearless ? 0 : stamp.isLocal ? 1 : 2 }
        var head = self
        if knowledge(outer) > knowledge(stamp) { head.stamp = outer }
        return head
    }

    // MARK: Parts

    private static func word(_ text: Span<UInt8>, from start: Int) -> Range<Int> {
        guard start < text.count else { return text.count..<text.count }
        return start..<(text.first(UInt8(ascii: " "), from: start, to: text.count) ?? text.count)
    }

    /// The index behind one or more blanks; nil if there is none, or nothing behind them.
    private static func afterBlanks(_ text: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < text.count, text[index] == UInt8(ascii: " ") { index += 1 }
        return index > start && index < text.count ? index : nil
    }

    /// `<0>` to `<191>` (RFC 5424, 6.2.1); the start if there is no priority.
    private static func afterPriority(_ text: Span<UInt8>, from start: Int) -> Int {
        guard start < text.count, text[start] == UInt8(ascii: "<") else { return start }
        var index = start + 1
        while index < text.count, isDigit(text[index]), index - start <= 3 { index += 1 }
        guard index > start + 1, index < text.count, text[index] == UInt8(ascii: ">") else {
            return start
        }
        return index + 1
    }

    /// FreeBSD's `<mail.info> ` or `<2.6> ` (its syslogd(8), option `-v`, given twice or once).
    private static func afterFacility(_ text: Span<UInt8>, from start: Int) -> Int? {
        guard start < text.count, text[start] == UInt8(ascii: "<"),
            let end = endOfFacility(text, from: start + 1),
            text.has("> ", at: end)
        else { return nil }
        return end + 2
    }

    /// BusyBox's `mail.info ` between host name and tag (its sysklogd/syslogd.c,
    /// `timestamp_and_log`).
    private static func afterFacilityWord(_ text: Span<UInt8>, from start: Int) -> Int? {
        guard let end = endOfFacility(text, from: start), text.has(" ", at: end) else { return nil }
        return end + 1
    }

    /// The end of `FACILITY.SEVERITY`, names or numbers.
    private static func endOfFacility(_ text: Span<UInt8>, from start: Int) -> Int? {
        func endOfName(_ start: Int) -> Int? {
            var index = start
            while index < text.count, index - start < 10,
                isDigit(text[index]) || text[index] &- UInt8(ascii: "a") < 26
            { index += 1 }
            return index > start ? index : nil
        }
        guard let dot = endOfName(start), text.has(".", at: dot) else { return nil }
        return endOfName(dot + 1)
    }

    /// `TAG[PID]: ` or `TAG: `, and where the text behind it begins.
    static func readTag(
        _ text: Span<UInt8>,
        from start: Int
    ) -> (tag: Range<Int>, processID: Range<Int>, body: Int)? {
        var index = start
        while index < text.count, text[index] != UInt8(ascii: "["),
            text[index] != UInt8(ascii: ":"),
            text[index] != UInt8(ascii: " ")
        { index += 1 }
        let tag = start..<max(start, index)
        guard !tag.isEmpty else { return nil }
        var processID = 0..<0
        if text.has("[", at: index) {
            index += 1
            let first = index
            while index < text.count, isDigit(text[index]) { index += 1 }
            processID = first..<index
            guard text.has("]", at: index) else { return nil }
            index += 1
        }
        guard text.has(": ", at: index) else { return nil }
        return (tag, processID, index + 2)
    }

    /// The index behind Solaris' `[ID 197553 mail.info] ` (its log(4D), `msgid`); the start if there
    /// is none.
    static func afterMessageID(_ text: Span<UInt8>, from start: Int) -> Int {
        guard text.has("[ID ", at: start) else { return start }
        var index = start + 4
        while index < text.count, isDigit(text[index]) { index += 1 }
        guard index > start + 4, text.has(" ", at: index),
            let end = endOfFacility(text, from: index + 1), text.has("] ", at: end)
        else { return start }
        return end + 2
    }

    // MARK: RFC 5424

    /// What follows `<PRI>1 `: `STAMP HOST APP PROCID MSGID SD MSG` (RFC 5424, 6).
    private static func readRFC5424(_ text: Span<UInt8>, from start: Int) -> LineHead? {
        // One blank between two words: behind two, the first word is empty, which none may be.
        guard let found = StampText.read(text, at: start), text.has(" ", at: found.end) else {
            return nil
        }
        let host = word(text, from: found.end + 1)
        let tag = word(text, from: host.upperBound + 1)
        let process = word(text, from: tag.upperBound + 1)
        let message = word(text, from: process.upperBound + 1)
        guard !host.isEmpty, !tag.isEmpty, !process.isEmpty, !message.isEmpty,
            var body = afterStructuredData(text, from: message.upperBound + 1)
        else { return nil }
        let mark: [3 of UInt8] = [0xef, 0xbb, 0xbf]
        if text.count - body >= 3, mark.indices.allSatisfy({ text[body + $0] == mark[$0] }) {
            body += 3
        }
        var head = LineHead(stamp: found.stamp, host: host, tag: tag, processID: 0..<0, body: body)
        if process.allSatisfy({ isDigit(text[$0]) }) { head.processID = process }
        if tag.count == 1, text[tag.lowerBound] == UInt8(ascii: "-") {
            // No APP-NAME: who made the line left the tag in the text.
            guard let (tag, processID, afterTag) = readTag(text, from: body) else { return head }
            head.tag = tag
            head.processID = processID
            head.body = afterTag
        }
        return head
    }

    /// The index of the message behind `-` or `[ID NAME="VALUE"…]…` and a blank; within a value `"`,
    /// `\` and `]` have a backslash before them (RFC 5424, 6.3.3).
    private static func afterStructuredData(_ text: Span<UInt8>, from start: Int) -> Int? {
        if text.has("- ", at: start) { return start + 2 }
        var index = start
        while text.has("[", at: index) {
            var isQuoted = false
            index += 1
            while index < text.count, isQuoted || text[index] != UInt8(ascii: "]") {
                switch text[index] {
                case UInt8(ascii: "\\") where isQuoted: index += 2
                case UInt8(ascii: "\""):
                    isQuoted.toggle()
                    index += 1
                default: index += 1
                }
            }
            guard index < text.count else { return nil }
            index += 1
        }
        return index > start && text.has(" ", at: index) ? index + 1 : nil
    }
}
