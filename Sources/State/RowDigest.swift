/// A 64-bit digest of what one row says, kept beside it.
///
/// SQLite has no checksum on its pages: a flipped bit inside a value comes back as data. The digest
/// finds that. It is against disks, not against people: it has no key.
///
/// Each word is folded in by the upper and lower half of a 64 × 64 bit product, the mixing step of
/// wyhash (<https://github.com/wangyi-fudan/wyhash>).
struct RowDigest {
    private var state: UInt64 = 0xa076_1d64_78bd_642f

    var value: Int64 { Int64(bitPattern: state) }

    mutating func combine(_ word: UInt64) {
        let product = (state ^ word).multipliedFullWidth(by: 0xe703_7ed1_a0b4_28db)
        // The constant keeps a zero product, as rare as any collision, from hiding the next word.
        state = (product.high ^ product.low) &+ 0x8ebc_6af0_9c88_c6e3
    }

    mutating func combine(_ number: Int64) { combine(UInt64(bitPattern: number)) }

    /// Takes the length in, too: "ab", "c" differs from "a", "bc".
    mutating func combine(_ bytes: Span<UInt8>) {
        combine(UInt64(bytes.count))
        // SAFETY: a UInt8 has no padding, and any eight bytes are a UInt64; the span checks bounds.
        let raw = unsafe bytes.bytes
        let wordBytes = MemoryLayout<UInt64>.size
        var offset = 0
        while offset <= raw.byteCount - wordBytes {
            let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            combine(UInt64(littleEndian: word))
            offset += wordBytes
        }
        guard offset < raw.byteCount else { return }
        var tail: UInt64 = 0
        for index in offset..<bytes.count { tail = tail << 8 | UInt64(bytes[index]) }
        combine(tail)
    }

    mutating func combine(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in combine(unsafe utf8.span) }
    }

    static func piece(_ kind: Int64, _ key: Span<UInt8>, _ body: Span<UInt8>) -> Int64 {
        var digest = RowDigest()
        digest.combine(kind)
        digest.combine(key)
        digest.combine(body)
        return digest.value
    }

    static func named(_ name: String, _ body: Span<UInt8>) -> Int64 {
        var digest = RowDigest()
        digest.combine(name)
        digest.combine(body)
        return digest.value
    }

    static func numbered(_ name: String, _ number: Int64, _ body: Span<UInt8>) -> Int64 {
        var digest = RowDigest()
        digest.combine(name)
        digest.combine(number)
        digest.combine(body)
        return digest.value
    }
}
