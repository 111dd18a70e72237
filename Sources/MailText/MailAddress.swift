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

    public var isNull: Bool { local.isEmpty && domain == nil }
}
