/// An IPv4 or IPv6 address as its bits in network order; IPv4 in the low 32 bits.
///
/// Read by the rules of inet_pton(3): four decimal numbers without leading zeros, or RFC 4291 text,
/// which may end in dotted decimal. No zone, no prefix, no brackets.
public struct IPAddress: Hashable, Sendable {
    public let isVersion6: Bool
    public let high: UInt64
    public let low: UInt64

    var bitCount: Int { isVersion6 ? 128 : 32 }

    /// Reads the whole of `text`; nil when it is no address.
    public init?(_ text: Span<UInt8>) {
        // The longest text is 45 bytes: six groups of four and a dotted quad.
        guard text.count >= 2, text.count <= 45 else { return nil }
        var hasColon = false
        for index in 0..<min(text.count, 5) where text[index] == UInt8(ascii: ":") {
            hasColon = true
        }
        if hasColon {
            self.init(version6: text)
        } else {
            guard let bits = Self.dottedQuad(text, from: 0) else { return nil }
            self.init(isVersion6: false, high: 0, low: UInt64(bits))
        }
    }

    private init?(version6 text: Span<UInt8>) {
        var groups = InlineArray<8, UInt16>(repeating: 0)
        var groupCount = 0
        var gapAt: Int?
        var position = 0
        if text[0] == UInt8(ascii: ":") {
            guard text[1] == UInt8(ascii: ":") else { return nil }
            gapAt = 0
            position = 2
        }
        while position < text.count {
            guard groupCount < 8 else { return nil }
            let start = position
            var value: UInt32 = 0
            while position < text.count, let digit = Self.hexDigit(text[position]) {
                guard position - start < 4 else { return nil }
                value = value << 4 | UInt32(digit)
                position += 1
            }
            if position < text.count, text[position] == UInt8(ascii: ".") {
                guard groupCount <= 6 else { return nil }
                guard let bits = Self.dottedQuad(text, from: start) else { return nil }
                groups[groupCount] = UInt16(truncatingIfNeeded: bits >> 16)
                groups[groupCount + 1] = UInt16(truncatingIfNeeded: bits)
                groupCount += 2
                break
            }
            guard position > start else { return nil }
            groups[groupCount] = UInt16(truncatingIfNeeded: value)
            groupCount += 1
            guard position < text.count else { break }
            guard text[position] == UInt8(ascii: ":") else { return nil }
            position += 1
            guard position < text.count else { return nil }  // ends in a single colon
            if text[position] == UInt8(ascii: ":") {
                guard gapAt == nil else { return nil }
                gapAt = groupCount
                position += 1
            }
        }
        if let gapAt {
            // inet_pton(3) of glibc lets `::` stand for at least one group.
            guard groupCount < 8 else { return nil }
            let moved = groupCount - gapAt
            for step in 0..<moved {
                groups[7 - step] = groups[groupCount - 1 - step]
                groups[groupCount - 1 - step] = 0
            }
        } else {
            guard groupCount == 8 else { return nil }
        }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for index in 0..<4 {
            high = high << 16 | UInt64(groups[index])
            low = low << 16 | UInt64(groups[index + 4])
        }
        self.init(isVersion6: true, high: high, low: low)
    }

    fileprivate init(isVersion6: Bool, high: UInt64, low: UInt64) {
        self.isVersion6 = isVersion6
        self.high = high
        self.low = low
    }

    /// In decimal, or in hexadecimal groups without the abbreviation of RFC 5952.
    public var text: String {
        guard isVersion6 else {
            return [24, 16, 8, 0].map { String(low >> $0 & 0xff) }.joined(separator: ".")
        }
        return [high, low].flatMap { half in
            [48, 32, 16, 0].map { String(half >> $0 & 0xffff, radix: 16) }
        }.joined(separator: ":")
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Four decimal numbers up to 255, without leading zeros, to the end of `text`.
    private static func dottedQuad(_ text: Span<UInt8>, from start: Int) -> UInt32? {
        var bits: UInt32 = 0
        var position = start
        for part in 0..<4 {
            if part > 0 {
                guard position < text.count, text[position] == UInt8(ascii: ".") else { return nil }
                position += 1
            }
            let first = position
            var value: UInt32 = 0
            while position < text.count, text[position].isASCIIDigit {
                guard position - first < 3 else { return nil }
                value = value * 10 + UInt32(text[position] - UInt8(ascii: "0"))
                position += 1
            }
            guard position > first, value <= 255 else { return nil }
            guard position - first == 1 || text[first] != UInt8(ascii: "0") else { return nil }
            bits = bits << 8 | value
        }
        return position == text.count ? bits : nil
    }
}

/// A network in CIDR notation.
public struct Network: Hashable, Sendable {
    public let address: IPAddress
    /// Leading bits that belong to the network, 0…32 or 0…128.
    public let prefixLength: Int
    private let highMask: UInt64
    private let lowMask: UInt64

    enum Unreadable: Error {
        case notANetwork
        /// Bits to the right of the prefix are set, as in `10.0.0.1/8`: which was meant?
        case hostBits
    }

    /// Reads `ADDRESS/LENGTH`, or an address alone as the network of that one address.
    init(_ text: String) throws(Unreadable) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let addressBytes = Array(parts[0].utf8)
        guard let address = IPAddress(addressBytes.span) else { throw .notANetwork }
        var prefixLength = address.bitCount
        if parts.count == 2 {
            let digits = parts[1].utf8
            guard (1...3).contains(digits.count), digits.allSatisfy(\.isASCIIDigit),
                let length = Int(parts[1]), length <= address.bitCount
            else { throw .notANetwork }
            prefixLength = length
        }
        self.address = address
        self.prefixLength = prefixLength
        // Shifting by the width or more gives 0: the smart shifts of Swift define it so.
        if address.isVersion6 {
            highMask = prefixLength == 0 ? 0 : UInt64.max << (64 - min(prefixLength, 64))
            lowMask = prefixLength <= 64 ? 0 : UInt64.max << (128 - prefixLength)
        } else {
            highMask = 0
            lowMask = (UInt64.max << (32 - prefixLength)) & 0xFFFF_FFFF
        }
        guard address.high & ~highMask == 0, address.low & ~lowMask == 0 else { throw .hostBits }
    }

    /// The highest address of the network.
    public var lastAddress: IPAddress {
        IPAddress(
            isVersion6: address.isVersion6,
            high: address.isVersion6 ? address.high | ~highMask : 0,
            low: address.low | (address.isVersion6 ? ~lowMask : ~lowMask & 0xFFFF_FFFF)
        )
    }

    /// Whether `candidate` is of this family and lies in this network. An IPv4-mapped IPv6 address
    /// is an IPv6 address.
    public func contains(_ candidate: IPAddress) -> Bool {
        candidate.isVersion6 == address.isVersion6 && candidate.high & highMask == address.high
            && candidate.low & lowMask == address.low
    }
}
