/// What a line says by which Exim took a message in: `<= SENDER`, fields, `from <…>`, `for …`.
///
/// The order of the fields is that of receive.c (4.96, 4.98; the same since 3.x). Strangers choose the
/// texts of several: of `H=` the HELO (which `helo_accept_junk_hosts` lets be anything), of `U=` what
/// an ident server says, of `DN=` the names in a certificate, of `SNI=` (until 4.93 with blanks) a
/// host name, of `A=` the login. Their ends are found by what follows: only a reading in which the
/// fields come in Exim's order, each at most once, with `P=` and `S=` among them, to the end of the
/// line, is believed.
struct EximArrival: Equatable {
    var sender = LineFact.Piece.absent
    /// Empty if the sender has none.
    var senderDomain = LineFact.Piece.absent
    /// The client's IP address.
    var clientIP = LineFact.Piece.absent
    /// The client's name, where Exim had verified it.
    var clientName = LineFact.Piece.absent
    var login = LineFact.Piece.absent
    /// Somebody logged in, but the authenticator gives no name to log (no `server_set_id`).
    var isLoginNameless = false
    /// Between the quotes.
    var subject = LineFact.Piece.absent
    var messageID = LineFact.Piece.absent
    /// From the first recipient to the end of the line.
    var recipients = LineFact.Piece.absent
    /// Two readings that differ in something that matters are possible; this is the likelier one.
    var isAmbiguous = false

    /// Where the size stands, which all that follows depends on.
    fileprivate var size: UInt16 = 0
    /// A login with blanks, or with a second colon that begins no address.
    fileprivate var isLoginOdd = false

    /// Whether the other reading says the same.
    fileprivate func agrees(with other: Self) -> Bool {
        clientIP == other.clientIP && clientName == other.clientName && login == other.login
            && isLoginNameless == other.isLoginNameless && size == other.size
    }

    /// Reads a line.
    ///
    /// - Parameters:
    ///   - line: the whole of it.
    ///   - start: where the sender starts.
    /// - Returns: nil if no reading, or none that can be believed, leads to the end of the line.
    static func read(_ line: Span<UInt8>, from start: Int) -> Self? {
        var arrival = EximArrival()
        let senderEnd: Int
        if line.has("<>", at: start) {
            arrival.sender = LineFact.Piece(start + 1, start + 1)
            senderEnd = start + 2
        } else {
            guard let (end, domain) = EximGrammar.address(line, from: start, .orLocalPart) else {
                return nil
            }
            arrival.sender = LineFact.Piece(start, end)
            arrival.senderDomain = LineFact.Piece(domain, end)
            senderEnd = end
        }
        var search = EximArrivalSearch(budget: 4 &* line.count &+ 1_024, isOrdered: true)
        search.walk(line, from: senderEnd, arrival)
        if search.best == nil, search.cut == nil, search.budget > 0 {
            // No known Exim writes the fields in another order; who changed that still says each once.
            search.isOrdered = false
            search.walk(line, from: senderEnd, arrival)
        }
        guard search.budget > 0, let best = search.best else { return nil }
        // A line that something cut within a text of a stranger's may end like a whole one, by that
        // text. A text that only begins behind what was read whole does not matter.
        if let cut = search.cut, cut.login != best.login, cut.isShorter(than: best) { return nil }
        return best
    }

    /// Whether the texts before its size end earlier.
    fileprivate func isShorter(than other: Self) -> Bool {
        let (start, otherStart) = (clientIP.start, other.clientIP.start)
        return start == otherStart
            ? login.indices.upperBound < other.login.indices.upperBound : start < otherStart
    }
}

/// Looks for the readings of a line.
///
/// A reading is wanted that leads to the end of the line; where a stranger's text may end at several
/// places, each is tried. The work is bounded: ordinary lines need about as many steps as they have
/// bytes.
private struct EximArrivalSearch {
    /// Steps that may still be taken.
    var budget: Int
    /// Fields are in Exim's order; otherwise they may come in any.
    var isOrdered: Bool
    var best: EximArrival?
    /// Of the readings in which the line ends within a text between quotes, the one with the shortest
    /// texts before.
    var cut: EximArrival?
    /// How many readings led to the end, and where the size stood in the last.
    private var count = 0
    private var lastSize: UInt16 = 0

    /// Fields in Exim's order.
    private enum Field: UInt8 {
        case reference, secureName, host, interface, fastOpen, ident, connection, proto, pipelining
        case cipher, verified, distinguishedName, serverName, login, recipientResponses, proxy
        case chunking, size, eightBit, dkim, arc, receiveTime, queue, messageID, subject, rawSender
        case recipients
        /// One that we do not know: of a later version.
        case unknown

        var bit: UInt32 { 1 << UInt32(rawValue) }
    }

    /// Which fields were there, and how far the order has come.
    private struct Seen {
        var bits: UInt32 = 0
        func has(_ field: Field) -> Bool { bits & field.bit != 0 }
    }

    init(budget: Int, isOrdered: Bool) {
        self.budget = budget
        self.isOrdered = isOrdered
    }

    mutating func walk(_ line: Span<UInt8>, from start: Int, _ arrival: EximArrival) {
        walk(line, from: start, arrival, Seen())
    }

    /// Reads fields from `start` on, to the end of the line.
    private mutating func walk(
        _ line: Span<UInt8>,
        from start: Int,
        _ before: EximArrival,
        _ seenBefore: Seen
    ) {
        var arrival = before
        var seen = seenBefore
        var index = start
        while budget > 0 {
            guard index < line.count else {
                if seen.has(.size), seen.has(.proto) { found(arrival) }
                return
            }
            guard line[index] == UInt8(ascii: " "),
                let (field, value) = Self.field(line, at: index &+ 1)
            else { return }
            guard take(field, &seen) else { return }
            let end: Int?
            switch field {
            case .host:
                walkHost(line, from: value, arrival, seen)
                return
            case .ident, .distinguishedName, .serverName, .login:
                walkText(line, of: field, from: value, arrival, seen)
                return
            case .recipients:
                let form: EximGrammar.AddressForm = seen.has(.host) ? .whole : .orLocalPart
                let reached = Self.endOfAddresses(line, from: value, form)
                budget &-= reached &- value
                guard reached == line.count else {
                    noteCut(line, field, from: reached, arrival)
                    return
                }
                arrival.recipients = LineFact.Piece(value, reached)
                end = reached
            case .subject:
                end = EximGrammar.endOfQuoted(line, from: value)
                if let end { arrival.subject = LineFact.Piece(value + 1, end - 1) }
            case .messageID:
                end = EximGrammar.endOfAddress(line, from: value, .orLocalPart)
                if let end { arrival.messageID = LineFact.Piece(value, end) }
            case .rawSender:
                end = Self.endOfRawSender(line, from: value)
            case .size:
                arrival.size = UInt16(truncatingIfNeeded: value)
                end = EximGrammar.endOfDigits(line, from: value)
            default:
                end = EximGrammar.endOfToken(line, from: value)
            }
            guard let end else {
                noteCut(line, field, from: value, arrival)
                return
            }
            guard end > value || Self.isFlag(field), EximGrammar.isEnd(line, end) else { return }
            budget &-= end &- index
            index = end
        }
    }

    /// Enters a field; false if it was there already or comes too late.
    private func take(_ field: Field, _ seen: inout Seen) -> Bool {
        if field == .unknown { return !seen.has(.messageID) && !seen.has(.subject) }
        let bit = field.bit
        guard isOrdered ? seen.bits < bit : seen.bits & bit == 0 else { return false }
        // Without a protocol and a size, what comes behind them is no line of Exim's.
        if isOrdered, field.rawValue > Field.size.rawValue, !seen.has(.size) { return false }
        if isOrdered, field.rawValue > Field.proto.rawValue, !seen.has(.proto) { return false }
        seen.bits |= bit
        return true
    }

    private mutating func found(_ arrival: EximArrival) {
        count &+= 1
        lastSize = arrival.size
        guard let other = best else {
            best = arrival
            return
        }
        guard !arrival.agrees(with: other) else { return }
        // "Only the final address in square brackets can be relied on" (spec, 53.6), and so with what
        // follows it: a stranger's text comes before it.
        let isLikelier =
            arrival.isLoginOdd == other.isLoginOdd
            ? (arrival.clientIP.start, arrival.size) > (other.clientIP.start, other.size)
            : other.isLoginOdd
        if isLikelier { best = arrival }
        best?.isAmbiguous = true
    }

    // MARK: Fields

    /// The field that starts at `index`, and where its value does.
    private static func field(_ line: Span<UInt8>, at index: Int) -> (Field, value: Int)? {
        guard index < line.count else { return nil }
        switch line[index] {
        case UInt8(ascii: "A"):
            if line.has("A=", at: index) { return (.login, index &+ 2) }
            if line.has("ARC", at: index) { return flag(.arc, line, index &+ 3) }
        case UInt8(ascii: "C"):
            if line.has("CV=", at: index) { return (.verified, index &+ 3) }
            if line.has("Ci=", at: index) { return (.connection, index &+ 3) }
        case UInt8(ascii: "D"):
            if line.has("DN=\"", at: index) { return (.distinguishedName, index &+ 3) }
            if line.has("DKIM=", at: index) { return (.dkim, index &+ 5) }
            if line.has("DS", at: index) { return flag(.secureName, line, index &+ 2) }
        case UInt8(ascii: "H"):
            if line.has("H=", at: index) { return (.host, index &+ 2) }
        case UInt8(ascii: "I"):
            if line.has("I=[", at: index) { return (.interface, index &+ 2) }
        case UInt8(ascii: "K"):
            return flag(.chunking, line, index &+ 1)
        case UInt8(ascii: "L"):
            // `*` and `.` tell of early pipelining, `-` that the client used none.
            var end = index &+ 1
            while end < index &+ 3,
                line.has("*", at: end) || line.has(".", at: end) || line.has("-", at: end)
            { end &+= 1 }
            return flag(.pipelining, line, end)
        case UInt8(ascii: "M"):
            if line.has("M8S=", at: index) { return (.eightBit, index &+ 4) }
        case UInt8(ascii: "P"):
            if line.has("P=", at: index) { return (.proto, index &+ 2) }
            if line.has("PRX=", at: index) { return (.proxy, index &+ 4) }
            if line.has("PRDR", at: index) { return flag(.recipientResponses, line, index &+ 4) }
        case UInt8(ascii: "Q"):
            if line.has("Q=", at: index) { return (.queue, index &+ 2) }
        case UInt8(ascii: "R"):
            if line.has("R=", at: index) { return (.reference, index &+ 2) }
            if line.has("RT=", at: index) { return (.receiveTime, index &+ 3) }
        case UInt8(ascii: "S"):
            if line.has("S=", at: index) { return (.size, index &+ 2) }
            if line.has("SNI=", at: index) { return (.serverName, index &+ 4) }
        case UInt8(ascii: "T"):
            if line.has("T=\"", at: index) { return (.subject, index &+ 2) }
            if line.has("TFO", at: index) {
                let hasData = line.has("*", at: index &+ 3)
                return flag(.fastOpen, line, index &+ (hasData ? 4 : 3))
            }
        case UInt8(ascii: "U"):
            if line.has("U=", at: index) { return (.ident, index &+ 2) }
        case UInt8(ascii: "X"):
            if line.has("X=", at: index) { return (.cipher, index &+ 2) }
        case UInt8(ascii: "f"):
            if line.has("for ", at: index) { return (.recipients, index &+ 4) }
            if line.has("from <", at: index) { return (.rawSender, index &+ 6) }
            return nil
        case UInt8(ascii: "i"):
            if line.has("id=", at: index) { return (.messageID, index &+ 3) }
            // The server made it (`+msg_id_created`).
            if line.has("id*=", at: index) { return (.messageID, index &+ 4) }
            return nil
        default:
            break
        }
        return unknownField(line, at: index)
    }

    private static func flag(_ field: Field, _ line: Span<UInt8>, _ end: Int) -> (Field, Int)? {
        EximGrammar.isEnd(line, end) ? (field, end) : nil
    }

    private static func isFlag(_ field: Field) -> Bool {
        switch field {
        case .secureName, .fastOpen, .pipelining, .recipientResponses, .chunking, .arc: true
        default: false
        }
    }

    /// `Name=value`, the name up to eight letters and digits of which the first is upper case.
    private static func unknownField(_ line: Span<UInt8>, at start: Int) -> (Field, value: Int)? {
        guard line[start] &- UInt8(ascii: "A") < 26 else { return nil }
        var index = start &+ 1
        while index < line.count, index < start &+ 8, EximGrammar.isAlphanumeric(line[index]) {
            index &+= 1
        }
        guard index < line.count, line[index] == UInt8(ascii: "=") else { return nil }
        switch line[start] {
        // Names that are known, with values of another form.
        case UInt8(ascii: "T") where index == start &+ 1: return nil
        case UInt8(ascii: "I") where index == start &+ 1: return nil
        case UInt8(ascii: "D") where line.has("DN=", at: start): return nil
        default: return (.unknown, index &+ 1)
        }
    }

    /// `from <SENDER>`, from behind the `<` on: the index after the `>`.
    private static func endOfRawSender(_ line: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        if !line.has(">", at: start) {
            guard let end = EximGrammar.endOfAddress(line, from: start, .orLocalPart) else {
                return nil
            }
            index = end
        }
        return line.has(">", at: index) ? index &+ 1 : nil
    }

    /// The line's end if all words from `start` on are addresses; else where the first starts that is
    /// none.
    private static func endOfAddresses(
        _ line: Span<UInt8>,
        from start: Int,
        _ form: EximGrammar.AddressForm
    ) -> Int {
        var index = start
        while let end = EximGrammar.endOfAddress(line, from: index, form) {
            guard end < line.count else { return end }
            guard line[end] == UInt8(ascii: " ") else { break }
            index = end &+ 1
        }
        return index
    }

    /// Notes whether the line ends within a text between quotes, so that it may have been longer.
    private mutating func noteCut(
        _ line: Span<UInt8>,
        _ field: Field,
        from start: Int,
        _ arrival: EximArrival
    ) {
        guard field == .subject || Self.isOpenAddress(line, from: start) else { return }
        budget &-= line.count &- start
        if let cut, !arrival.isShorter(than: cut) { return }
        cut = arrival
    }

    /// Whether an address opens a quote that nothing closes.
    private static func isOpenAddress(_ line: Span<UInt8>, from start: Int) -> Bool {
        var index = start
        while index < line.count, line[index] != UInt8(ascii: " ") {
            if line[index] == UInt8(ascii: "\"") {
                guard let close = EximGrammar.endOfQuoted(line, from: index) else { return true }
                index = close
            } else {
                index &+= line[index] == UInt8(ascii: "\\") ? 2 : 1
            }
        }
        return false
    }

    // MARK: Texts of strangers

    /// `[IP]`, `NAME [IP]`, `(HELO) [IP]` or `NAME (HELO) [IP]` (host.c,
    /// `host_build_sender_fullhost`). A HELO ends before each `) [IP]`.
    private mutating func walkHost(
        _ line: Span<UInt8>,
        from start: Int,
        _ before: EximArrival,
        _ seen: Seen
    ) {
        var arrival = before
        var index = start
        if index < line.count, line[index] != UInt8(ascii: "("), line[index] != UInt8(ascii: "[") {
            index = EximGrammar.endOfToken(line, from: index)
            guard index > start, line.has(" ", at: index) else { return }
            arrival.clientName = LineFact.Piece(start, index)
            index &+= 1
        }
        guard line.has("(", at: index) else {
            guard let (close, end) = EximGrammar.endOfIPAddress(line, from: index) else { return }
            arrival.clientIP = LineFact.Piece(index + 1, close)
            walk(line, from: end, arrival, seen)
            return
        }
        index &+= 1
        while budget > 0, let found = line.first(") [", from: index) {
            budget &-= 1
            if let (close, end) = EximGrammar.endOfIPAddress(line, from: found &+ 2),
                EximGrammar.isEnd(line, end)
            {
                arrival.clientIP = LineFact.Piece(found + 3, close)
                walk(line, from: end, arrival, seen)
            }
            index = found &+ 1
        }
    }

    /// A text that ends before a blank: each is tried. Of the logins before one size, the shortest is
    /// it: what can be a field, is one.
    private mutating func walkText(
        _ line: Span<UInt8>,
        of field: Field,
        from start: Int,
        _ before: EximArrival,
        _ seen: Seen
    ) {
        // What comes before such a text belongs to a HELO.
        let limit = line.first(") [", from: start) ?? line.count
        let login = field == .login ? LoginParts(line, from: start, to: limit) : nil
        if field == .login, login == nil { return }
        var arrival = before
        let first = count
        let isQuoted = field != .ident && field != .login && line.has("\"", at: start)
        var firstBlank: Int?
        var index = start
        while budget > 0, let blank = line.first(UInt8(ascii: " "), from: index, to: limit) {
            budget &-= 1
            index = blank &+ 1
            defer { firstBlank = firstBlank ?? blank }
            guard blank > start else { continue }
            // Since 4.94 the server's name has no blanks, but may begin with a quote.
            let isWord = field == .serverName && firstBlank == nil
            let isClosed = isQuoted && blank &- 1 > start && line[blank &- 1] == UInt8(ascii: "\"")
            switch field {
            case .distinguishedName where !isClosed: continue
            case .serverName where !isWord && !isQuoted: return
            case .serverName where !isWord && !isClosed: continue
            default: break
            }
            guard Self.field(line, at: index) != nil else { continue }
            if let login, !login.end(at: blank, firstBlank, &arrival) { return }
            let known = count
            walk(line, from: blank, arrival, seen)
            // In any order, what can be a field is none of the login.
            if !isOrdered, count != first || field == .login { return }
            if field == .login, count != known {
                // Another login ends before another size.
                guard let size = Self.nextSize(line, from: Int(lastSize)) else { return }
                budget &-= (size &- Int(lastSize)) / 8
                index = max(index, Int(lastSize))
            }
        }
        if field == .distinguishedName,
            line.first(UInt8(ascii: "\""), from: start &+ 1, to: line.count) == nil
        {
            noteCut(line, .subject, from: start, arrival)
        }
    }

    /// Where another field for the size may follow.
    private static func nextSize(_ line: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while let found = line.first(UInt8(ascii: "S"), from: index, to: line.count) {
            if line.has(" S=", at: found &- 1) { return found }
            index = found &+ 1
        }
        return nil
    }
}

/// `NAME`, `NAME:ID` or `NAME:ID:SENDER`: the last is what the client gave as `AUTH=` of its `MAIL`
/// command (`+smtp_mailauth`), so it may be anything; the ID has no colon.
private struct LoginParts {
    private let nameEnd: Int
    /// Where the ID starts; it does not if the line has no colon there.
    private let start: Int
    private let hasID: Bool
    /// The colon behind the ID, and where an address behind that would end.
    private let colon: Int
    private let senderEnd: Int?

    /// - Returns: nil if no name of an authenticator stands there.
    init?(_ line: Span<UInt8>, from first: Int, to limit: Int) {
        nameEnd = EximGrammar.endOfName(line, from: first)
        guard nameEnd > first, nameEnd < limit else { return nil }
        start = nameEnd + 1
        hasID = line[nameEnd] == UInt8(ascii: ":")
        guard hasID || line[nameEnd] == UInt8(ascii: " ") else { return nil }
        colon = line.first(UInt8(ascii: ":"), from: min(start, limit), to: limit) ?? limit
        senderEnd =
            colon < limit
            ? EximGrammar.endOfAddress(line, from: colon + 1, .orLocalPart) : nil
    }

    /// Sets the login of a value that ends at `end`.
    ///
    /// - Parameter firstBlank: the first blank before it, if there is one.
    /// - Returns: whether there is such a value.
    func end(at end: Int, _ firstBlank: Int?, _ arrival: inout EximArrival) -> Bool {
        let idEnd = min(colon, end)
        let isDoubtful = hasID && colon < end && senderEnd != end
        arrival.login = hasID && idEnd > start ? LineFact.Piece(start, idEnd) : .absent
        arrival.isLoginNameless = !arrival.login.isPresent
        arrival.isLoginOdd = firstBlank != nil || isDoubtful
        arrival.isAmbiguous = isDoubtful
        return hasID || end == nameEnd
    }
}
