/// Makes UTF-8 of UTF-16, as reports of Microsoft 365 and many programs of Windows are written in.
///
/// A mark at the beginning (U+FEFF) is left out; a surrogate without its other half becomes U+FFFD. Units
/// and pairs may be cut anywhere.
struct UTF16Decoder: Sendable {
    private let order: Encoding.ByteOrder
    /// The first byte of a unit whose other byte has not come.
    private var firstByte: UInt8?
    /// The first half of a pair whose other half has not come.
    private var highSurrogate: UInt32?
    private var isAtStart = true

    init(_ order: Encoding.ByteOrder) { self.order = order }

    /// One unit can end a broken pair, and be a character itself.
    static let roomMin = 8

    var mayEnd: Bool { firstByte == nil && highSurrogate == nil }

    mutating func decode(
        _ input: [UInt8],
        _ source: Range<Int>,
        into output: inout [UInt8],
        _ room: Range<Int>
    ) -> DecodeStep {
        var index = source.lowerBound
        var place = room.lowerBound
        while index < source.upperBound, room.upperBound - place >= Self.roomMin {
            let byte = input[index]
            index += 1
            guard let first = firstByte else {
                firstByte = byte
                continue
            }
            firstByte = nil
            let unit =
                order == .little
                ? UInt32(byte) << 8 | UInt32(first) : UInt32(first) << 8 | UInt32(byte)
            take(unit, into: &output, &place)
        }
        return DecodeStep(
            consumed: index - source.lowerBound,
            produced: place - room.lowerBound,
            damage: nil
        )
    }

    private mutating func take(_ unit: UInt32, into output: inout [UInt8], _ place: inout Int) {
        defer { isAtStart = false }
        if isAtStart, unit == 0xFEFF { return }
        if let high = highSurrogate {
            highSurrogate = nil
            if unit & 0xFC00 == 0xDC00 {
                let scalar = 0x10000 + (high & 0x3FF) << 10 + unit & 0x3FF
                put(scalar, into: &output, &place)
                return
            }
            put(0xFFFD, into: &output, &place)
        }
        switch unit & 0xFC00 {
        case 0xD800: highSurrogate = unit
        case 0xDC00: put(0xFFFD, into: &output, &place)
        default: put(unit, into: &output, &place)
        }
    }

    private func put(_ scalar: UInt32, into output: inout [UInt8], _ place: inout Int) {
        func append(_ byte: UInt32) {
            output[place] = UInt8(truncatingIfNeeded: byte)
            place += 1
        }
        switch scalar {
        case 0..<0x80:
            append(scalar)
        case 0x80..<0x800:
            append(0xC0 | scalar >> 6)
            append(0x80 | scalar & 0x3F)
        case 0x800..<0x10000:
            append(0xE0 | scalar >> 12)
            append(0x80 | scalar >> 6 & 0x3F)
            append(0x80 | scalar & 0x3F)
        default:
            append(0xF0 | scalar >> 18)
            append(0x80 | scalar >> 12 & 0x3F)
            append(0x80 | scalar >> 6 & 0x3F)
            append(0x80 | scalar & 0x3F)
        }
    }
}
