/// What a domain turned out to be.
public enum DomainForm: Sendable, Hashable {
    /// ASCII names, A-labels among them.
    case name
    /// `[192.0.2.1]`, `[IPv6:…]`.
    case addressLiteral
    /// Not ASCII, and now A-labels.
    case internationalised
    /// Not ASCII, and IDNA takes it for no domain: lower case of what was written.
    case refused
    /// Longer than `Canonical.domainBytesMax`: lower case of its beginning.
    case tooLong
}

extension Canonical {
    /// Longest domain, in bytes (RFC 5321, 4.5.3.1.2).
    public static let domainBytesMax = 255

    /// Replaces `out` by the canonical form of a domain: lower case, no dot at the end, A-labels
    /// (IDNA2008 by libidn2, non-transitional, with Unicode TR46's mapping). At most `domainBytesMax`
    /// bytes come out. ASCII takes one pass and allocates nothing but the room in `out`; whether it
    /// is a possible host name is not asked.
    public static func domain(
        _ domain: Span<UInt8>,
        into out: inout [UInt8]
    ) -> DomainForm {
        out.removeAll(keepingCapacity: true)
        var count = domain.count
        while count > 0, domain[count - 1] == UInt8(ascii: ".") { count -= 1 }
        let isTooLong = count > domainBytesMax
        if isTooLong {
            count = domainBytesMax
            // Not inside a UTF-8 sequence, which has at most three such bytes.
            while count > domainBytesMax - 3, domain[count] & 0xC0 == 0x80 { count -= 1 }
        }
        out.append(addingCapacity: count) { room in
            var index = 0
            while index < count, domain[index] < 0x80 {
                room.append(CaselessText.lowercaseASCII(domain[index]))
                index += 1
            }
        }
        guard out.count == count else {
            let text = domain.extracting(0..<count)
            return domainBeyondASCII(text, isTooLong: isTooLong, into: &out)
        }
        if isTooLong { return .tooLong }
        let isLiteral = out.first == UInt8(ascii: "[") && out.last == UInt8(ascii: "]")
        return isLiteral ? .addressLiteral : .name
    }

    private static func domainBeyondASCII(
        _ domain: Span<UInt8>,
        isTooLong: Bool,
        into out: inout [UInt8]
    ) -> DomainForm {
        out.removeAll(keepingCapacity: true)
        if !isTooLong, IDNA.appendALabels(of: domain, to: &out) {
            while out.last == UInt8(ascii: ".") { out.removeLast() }
            if out.count <= domainBytesMax { return .internationalised }
            out.removeAll(keepingCapacity: true)
        }
        CaselessText.append(domain, to: &out)
        out.shorten(toAtMost: domainBytesMax)
        return isTooLong ? .tooLong : .refused
    }
}
