/// What a line says that tells a delivery's outcome: `=> ADDRESS`, perhaps `(PARENT, …)`, perhaps
/// `<ORIGINAL>`, fields, and behind `: ` why it failed (deliver.c, `delivery_log`, `failure_log`,
/// `deferral_log`).
///
/// The address is what aliases made of the original one, as it is written when its quotes and
/// backslashes are taken away; for mailboxes mostly its local part alone, and for files and pipes
/// their name. So an original address with quotes gives an address that may hold anything; but then
/// the original stands behind it, and is read by its grammar.
struct EximDelivery: Equatable {
    /// What stands first.
    var address = LineFact.Piece.absent
    /// Its domain; absent if it is no address with one.
    var domain = LineFact.Piece.absent
    var isAddress: Bool { domain.isPresent }
    /// The address that ``address`` was made of last, if it is shown.
    var parent = LineFact.Piece.absent
    /// The address that the client gave, where it is another.
    var original = LineFact.Piece.absent
    /// `NAME [IP]` of the host that took it.
    var host = LineFact.Piece.absent
    /// What the host said last: within the quotes of `C=`.
    var reply = LineFact.Piece.absent
    /// Why it failed: behind the colon, to the end of the line.
    var message = LineFact.Piece.absent
    /// `T=`
    var transport = LineFact.Piece.absent

    /// A certificate's names were there: they are once, so that the work is bounded.
    private var hasDistinguishedName = false

    /// What kind of line it is.
    enum Outcome {
        /// `=>`, `->`, `>>`
        case delivered
        /// `**`
        case failed
        /// `==`
        case deferred
    }

    /// Reads a line.
    ///
    /// - Parameters:
    ///   - line: the whole of it.
    ///   - start: where the address starts.
    /// - Returns: nil if no reading leads to the end of the line, or if several do.
    static func read(_ line: Span<UInt8>, from start: Int, _ outcome: Outcome) -> Self? {
        let first = readFirstWord(line, from: start, outcome)
        let other = readText(line, from: start, behind: first, outcome)
        if first != nil { return other.found == nil ? first : nil }
        return other.isOnly ? other.found : nil
    }

    // MARK: The address

    /// The address ends before the first blank or colon: so it does, unless the original one has
    /// quotes.
    private static func readFirstWord(
        _ line: Span<UInt8>,
        from start: Int,
        _ outcome: Outcome
    ) -> Self? {
        var delivery = EximDelivery()
        var index = start
        if let (end, domain) = EximGrammar.address(line, from: start, .whole),
            EximGrammar.isEnd(line, end) || line.has(": ", at: end)
        {
            delivery.domain = LineFact.Piece(domain, end)
            index = end
        } else {
            index = line.first(UInt8(ascii: " "), from: start, to: line.count) ?? line.count
        }
        guard index > start else { return nil }
        delivery.address = LineFact.Piece(start, index)
        guard delivery.readParents(line, &index) else { return nil }
        if line.has(" <", at: index) {
            guard let end = delivery.readOriginal(line, from: index + 2) else { return nil }
            index = end
        }
        guard delivery.isAddress || delivery.original.isPresent,
            delivery.readFields(line, from: index, outcome)
        else { return nil }
        return delivery
    }

    /// The address is a text with blanks, which ends before the original one.
    ///
    /// - Parameter first: what was read when the first word was believed to be the address. Then only
    ///   a reading counts that is as good.
    /// - Returns: the reading, and whether there is no other.
    private static func readText(
        _ line: Span<UInt8>,
        from start: Int,
        behind first: Self?,
        _ outcome: Outcome
    ) -> (found: Self?, isOnly: Bool) {
        var index = start
        if let first {
            let last = first.original.isPresent ? first.original : first.address
            index = last.indices.upperBound
        }
        var best: Self?
        var bestRank = 0
        var countOfBest = 0
        var budget = 8 &* line.count
        while budget > 0,
            let bracket = line.first(UInt8(ascii: "<"), from: index, to: line.count)
        {
            index = bracket + 1
            let found = bracket - 1
            guard found > start, line[found] == UInt8(ascii: " ") else { continue }
            var delivery = EximDelivery()
            delivery.address = LineFact.Piece(start, found)
            guard let end = delivery.readOriginal(line, from: found + 2) else { continue }
            budget &-= line.count &- found
            guard delivery.readFields(line, from: end, outcome) else { continue }
            let rank = delivery.rank(line, behindOriginal: end)
            guard rank > (first == nil ? 0 : 1) else { continue }
            if rank > bestRank {
                (best, bestRank, countOfBest) = (delivery, rank, 1)
            } else if rank == bestRank {
                countOfBest += 1
            }
        }
        return (best, countOfBest == 1 && budget > 0)
    }

    /// How much speaks for this reading: 3, the text is the original address without its quotes; 2, a
    /// router or a transport follows; 1, nothing; 0, the text looks like a message.
    private func rank(_ line: Span<UInt8>, behindOriginal end: Int) -> Int {
        if isUnquoted(line) { return 3 }
        let hasRouter =
            line.has(" R=", at: end) || line.has(" T=", at: end) || line.has(" F=<", at: end)
            || line.has(" P=<", at: end) || line.has(" Q=", at: end)
        if hasRouter { return 2 }
        return line.extracting(address.indices).first(": ", from: 0) == nil ? 1 : 0
    }

    /// Whether ``address`` is ``original``, or its local part, without quotes and backslashes
    /// (deliver.c, `deliver_split_address`), which Exim mostly turns to lower case, too.
    func isUnquoted(_ line: Span<UInt8>) -> Bool {
        guard original.isPresent else { return false }
        let (text, last) = (address.indices, original.indices.upperBound)
        var index = text.lowerBound
        var other = Int(original.start)
        var isQuoted = false
        while other < last {
            var byte = line[other]
            other += 1
            if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
                continue
            }
            if byte == UInt8(ascii: "@"), !isQuoted, index == text.upperBound { return true }
            if byte == UInt8(ascii: "\\"), other < last {
                byte = line[other]
                other += 1
            }
            guard index < text.upperBound, asciiLowered(line[index]) == asciiLowered(byte) else {
                return false
            }
            index += 1
        }
        return index == text.upperBound
    }

    /// ` (PARENT, …)`, if it is there: the address's own first (`+all_parents`).
    private mutating func readParents(_ line: Span<UInt8>, _ index: inout Int) -> Bool {
        guard line.has(" (", at: index) else { return true }
        index += 2
        while let end = EximGrammar.endOfAddress(line, from: index, .orLocalPart) {
            if !parent.isPresent { parent = LineFact.Piece(index, end) }
            if line.has(")", at: end) {
                index = end + 1
                return true
            }
            guard line.has(", ", at: end) else { return false }
            index = end + 2
        }
        return false
    }

    /// `ORIGINAL>`: gives the index after it.
    private mutating func readOriginal(_ line: Span<UInt8>, from start: Int) -> Int? {
        guard let end = EximGrammar.endOfAddress(line, from: start, .orLocalPart),
            line.has(">", at: end)
        else { return nil }
        original = LineFact.Piece(start, end)
        return end + 1
    }

    // MARK: Fields

    /// Reads what stands behind the addresses, to the end of the line.
    private mutating func readFields(
        _ line: Span<UInt8>,
        from start: Int,
        _ outcome: Outcome
    ) -> Bool {
        var index = start
        while true {
            guard index < line.count else { return outcome != .deferred }
            if line[index] == UInt8(ascii: ":") {
                guard outcome == .failed, line.has(": ", at: index) else { return false }
                message = LineFact.Piece(index + 2, line.count)
                return true
            }
            guard line[index] == UInt8(ascii: " ") else { return false }
            switch readField(line, from: index + 1, outcome) {
            case .upTo(let end): index = end
            case .toTheEnd: return true
            case .none: return false
            }
        }
    }

    private enum FieldEnd {
        case upTo(Int)
        /// What follows is text.
        case toTheEnd
        case none
    }

    private mutating func readField(
        _ line: Span<UInt8>,
        from start: Int,
        _ outcome: Outcome
    ) -> FieldEnd {
        guard start < line.count else { return .none }
        switch line[start] {
        case UInt8(ascii: "H") where line.has("H=", at: start):
            return readHost(line, from: start + 2)
        case UInt8(ascii: "C") where line.has("C=\"", at: start):
            guard let end = EximGrammar.endOfQuoted(line, from: start + 2) else { return .none }
            reply = LineFact.Piece(start + 3, end - 1)
            return .upTo(end)
        case UInt8(ascii: "T") where line.has("T=", at: start):
            let end = Self.endOfDriver(line, from: start + 2)
            transport = LineFact.Piece(start + 2, end)
            return .upTo(end)
        case UInt8(ascii: "R") where line.has("R=", at: start):
            return .upTo(Self.endOfDriver(line, from: start + 2))
        case UInt8(ascii: "F") where line.has("F=<", at: start),
            UInt8(ascii: "P") where line.has("P=<", at: start):
            return Self.endOfBracketed(line, from: start + 3)
        case UInt8(ascii: "D") where line.has("DN=\"", at: start):
            guard !hasDistinguishedName else { return .none }
            hasDistinguishedName = true
            return readDistinguishedName(line, from: start + 4, outcome)
        case UInt8(ascii: "S") where line.has("ST=", at: start):
            // A shadow transport, and perhaps its error in parentheses.
            let end = Self.endOfDriver(line, from: start + 3)
            return line.has(" (", at: end) ? .toTheEnd : .upTo(end)
        case UInt8(ascii: "d") where line.has("defer (", at: start):
            return outcome == .deferred ? .toTheEnd : .none
        case UInt8(ascii: "r") where line.has("routing ", at: start),
            UInt8(ascii: "t") where line.has("transporting ", at: start):
            return Self.endOfDriverless(line, from: start, outcome)
        case UInt8(ascii: "m") where line.has("mua_wrapper forced failure", at: start):
            return outcome == .failed ? .toTheEnd : .none
        default:
            return Self.endOfOther(line, from: start)
        }
    }

    /// `NAME`, ` DS` if DNSSEC vouches for it, ` [IP]:PORT`, `*` if the connection was used before.
    private mutating func readHost(_ line: Span<UInt8>, from start: Int) -> FieldEnd {
        var index = EximGrammar.endOfToken(line, from: start)
        guard index > start else { return .none }
        if line[index - 1] == UInt8(ascii: ":"), line.has(" ", at: index) { index -= 1 }
        let address = line.has(" DS [", at: index) ? index + 4 : index + 1
        if line.has(" ", at: address - 1),
            let (_, end) = EximGrammar.endOfIPAddress(line, from: address)
        {
            index = end
        }
        host = LineFact.Piece(start, index)
        if line.has("*", at: index) { index += 1 }
        return .upTo(index)
    }

    /// Names of routers and transports; `**bypassed**` is what stands for `/dev/null`'s.
    private static func endOfDriver(_ line: Span<UInt8>, from start: Int) -> Int {
        if line.has("**bypassed**", at: start) { return start + 12 }
        var index = start
        while index < line.count,
            EximGrammar.isAlphanumeric(line[index]) || line[index] == UInt8(ascii: "_")
                || line[index] == UInt8(ascii: "-") || line[index] == UInt8(ascii: ".")
        { index += 1 }
        return index
    }

    /// An address or nothing, then `>`.
    private static func endOfBracketed(_ line: Span<UInt8>, from start: Int) -> FieldEnd {
        if line.has(">", at: start) { return .upTo(start + 1) }
        guard let end = EximGrammar.endOfAddress(line, from: start, .orLocalPart),
            line.has(">", at: end)
        else { return .none }
        return .upTo(end + 1)
    }

    /// A certificate's names may hold quotes: the first that makes sense of the rest closes them.
    private mutating func readDistinguishedName(
        _ line: Span<UInt8>,
        from start: Int,
        _ outcome: Outcome
    ) -> FieldEnd {
        var index = start
        for _ in 0..<Self.quotesMax {
            guard let quote = line.first(UInt8(ascii: "\""), from: index, to: line.count) else {
                return .none
            }
            index = quote + 1
            var delivery = self
            if delivery.readFields(line, from: index, outcome) {
                self = delivery
                return .toTheEnd
            }
        }
        return .none
    }

    /// Quotes in the names of a certificate that are tried.
    private static let quotesMax = 16

    /// Where no router or transport is to be named: `routing defer (`, `routing yielded a`.
    private static func endOfDriverless(
        _ line: Span<UInt8>,
        from start: Int,
        _ outcome: Outcome
    ) -> FieldEnd {
        guard let blank = line.first(UInt8(ascii: " "), from: start, to: line.count) else {
            return .none
        }
        switch outcome {
        case .deferred where line.has("defer (", at: blank + 1): return .toTheEnd
        case .failed where line.has("yielded a ", at: blank + 1): return .toTheEnd
        default: return .none
        }
    }

    /// Other fields: `K`, `L*`, `PRDR`, `TFO`, `DS`, and any `NAME=VALUE`.
    private static func endOfOther(_ line: Span<UInt8>, from start: Int) -> FieldEnd {
        guard line[start] &- UInt8(ascii: "A") < 26 else { return .none }
        var index = start + 1
        while index < line.count, EximGrammar.isAlphanumeric(line[index]) { index += 1 }
        if line.has("=", at: index) {
            let end = EximGrammar.endOfToken(line, from: index + 1)
            guard end > index + 1 else { return .none }
            // The colon before a failure's message is none of the value's.
            let isColon = line[end - 1] == UInt8(ascii: ":") && line.has(" ", at: end)
            return .upTo(isColon ? end - 1 : end)
        }
        if line.has("*", at: index) { index += 1 }
        guard index - start <= 5, EximGrammar.isEnd(line, index) || line.has(": ", at: index) else {
            return .none
        }
        return .upTo(index)
    }
}
