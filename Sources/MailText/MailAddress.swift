/// Where an address divides, as ranges of the address.
public struct MailAddress: Sendable, Equatable {
    /// With its quotes, where it has them.
    public let local: Range<Int>
    /// Nil when there is no `@` outside quotes.
    public let domain: Range<Int>?

    /// Divides at the last `@` outside a quoted string (RFC 5321, 4.1.2). The null sender, empty or
    /// `<>`, has an empty local part and no domain. Angle brackets around are left out. A quote that
    /// never ends quotes nothing.
    public init(_ address: Span<UInt8>) {
        var start = 0
        var end = address.count
        if end >= 2, address[0] == UInt8(ascii: "<"), address[end - 1] == UInt8(ascii: ">") {
            start += 1
            end -= 1
        }
        if let at = Self.onlyAt(address, start, end) {
            local = start..<at
            domain = at + 1..<end
            return
        }
        // From the end: an `@` with no quote behind it is the one, whatever stands before it.
        var tail = end
        while tail > start, address[tail - 1] != UInt8(ascii: "\""),
            address[tail - 1] != UInt8(ascii: "\\")
        {
            tail -= 1
            guard address[tail] == UInt8(ascii: "@") else { continue }
            if tail > start, address[tail - 1] == UInt8(ascii: "\\") { break }
            local = start..<tail
            domain = tail + 1..<end
            return
        }
        var lastAt: Int?
        var lastUnquotedAt: Int?
        var isQuoted = false
        var index = start
        while index < end {
            switch address[index] {
            case UInt8(ascii: "\\") where isQuoted:
                index += 1
                if index < end, address[index] == UInt8(ascii: "@") { lastAt = index }
            case UInt8(ascii: "\""):
                isQuoted.toggle()
            case UInt8(ascii: "@"):
                lastAt = index
                if !isQuoted { lastUnquotedAt = index }
            default:
                break
            }
            index += 1
        }
        if let at = isQuoted ? lastAt : lastUnquotedAt {
            local = start..<at
            domain = at + 1..<end
        } else {
            local = start..<end
            domain = nil
        }
    }

    /// The index of the one `@` of an address without quotes and backslashes; nil for every other
    /// address. Eight bytes at a time.
    private static func onlyAt(_ address: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
        func marks(_ word: UInt64, _ byte: UInt8) -> UInt64 {
            // The top bit of each byte that is `byte`, and of no other (Hacker's Delight, 6-1).
            let other = word ^ UInt64(byte) &* 0x0101_0101_0101_0101
            let low: UInt64 = 0x7f7f_7f7f_7f7f_7f7f
            return ~(((other & low) &+ low) | other | low)
        }
        var found: Int?
        var index = start
        while index &+ 8 <= end {
            let word = unsafe address.bytes.unsafeLoadUnaligned(
                fromByteOffset: index,
                as: UInt64.self
            )
            guard marks(word, UInt8(ascii: "\"")) | marks(word, UInt8(ascii: "\\")) == 0 else {
                return nil
            }
            let ats = marks(word, UInt8(ascii: "@"))
            if ats != 0 {
                guard found == nil, ats & (ats &- 1) == 0 else { return nil }
                found = index &+ ats.trailingZeroBitCount >> 3
            }
            index &+= 8
        }
        if end &- start >= 8, index < end {
            // The last eight bytes, without those that were looked at already.
            let tail = unsafe address.bytes.unsafeLoadUnaligned(
                fromByteOffset: end &- 8,
                as: UInt64.self
            )
            let word = tail >> UInt64(truncatingIfNeeded: (8 &- (end &- index)) &* 8)
            guard marks(word, UInt8(ascii: "\"")) | marks(word, UInt8(ascii: "\\")) == 0 else {
                return nil
            }
            let ats = marks(word, UInt8(ascii: "@"))
            if ats != 0 {
                guard found == nil, ats & (ats &- 1) == 0 else { return nil }
                found = index &+ ats.trailingZeroBitCount >> 3
            }
            return found
        }
        while index < end {
            switch address[index] {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): return nil
            case UInt8(ascii: "@"):
                guard found == nil else { return nil }
                found = index
            default: break
            }
            index &+= 1
        }
        return found
    }

    public var isNull: Bool { local.isEmpty && domain == nil }
}
