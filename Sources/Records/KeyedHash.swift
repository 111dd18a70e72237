/// The secret of a run's hash tables: names are chosen by attackers, and without it they could
/// choose names that collide.
@frozen
public struct HashSeed: Sendable, Hashable {
    @usableFromInline let k0: UInt64
    @usableFromInline let k1: UInt64

    @inlinable
    public init(_ k0: UInt64, _ k1: UInt64) {
        self.k0 = k0
        self.k1 = k1
    }

    /// The seed of runs that keep no state: the same everywhere, so that their results are.
    public static let constant = HashSeed(0x706f_7374_6572_6e31, 0x6261_636b_2067_6174)

    /// The seed as 16 bytes, for the state.
    public var bytes: [UInt8] {
        var writer = BinaryWriter(reserving: 16)
        writer.write(k0)
        writer.write(k1)
        return writer.bytes
    }

    /// A seed from 16 bytes of the state.
    public init(bytes: [UInt8]) throws(BinaryReadError) {
        var reader = BinaryReader(bytes)
        let first = try reader.read(UInt64.self)
        let second = try reader.read(UInt64.self)
        try reader.finish()
        self.init(first, second)
    }
}

/// SipHash-1-3 with 64 bits of result (Aumasson and Bernstein, "SipHash: a fast short-input PRF";
/// one compression and three finalisation rounds, as in Rust's and Swift's own tables).
///
/// Keyed: who does not know the seed can choose no two inputs that collide.
@inlinable
public func keyedHash(_ bytes: Span<UInt8>, seed: HashSeed) -> UInt64 {
    var v0 = seed.k0 ^ 0x736f_6d65_7073_6575
    var v1 = seed.k1 ^ 0x646f_7261_6e64_6f6d
    var v2 = seed.k0 ^ 0x6c79_6765_6e65_7261
    var v3 = seed.k1 ^ 0x7465_6462_7974_6573
    let count = bytes.count
    let raw = unsafe bytes.bytes
    var offset = 0
    while offset &+ 8 <= count {
        // Any eight bytes are a number; the span checks that they are within it.
        let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        v3 ^= word
        sipRound(&v0, &v1, &v2, &v3)
        v0 ^= word
        offset &+= 8
    }
    var last = UInt64(count & 0xff) << 56
    var shift: UInt64 = 0
    while offset < count {
        last |= UInt64(bytes[offset]) << shift
        shift &+= 8
        offset &+= 1
    }
    v3 ^= last
    sipRound(&v0, &v1, &v2, &v3)
    v0 ^= last
    v2 ^= 0xff
    sipRound(&v0, &v1, &v2, &v3)
    sipRound(&v0, &v1, &v2, &v3)
    sipRound(&v0, &v1, &v2, &v3)
    return v0 ^ v1 ^ v2 ^ v3
}

/// ``keyedHash(_:seed:)`` of the text in lower case, if all of it is ASCII; nil otherwise.
///
/// Nearly every account and domain of a log is ASCII, whose caseless form is its lower case: so names
/// get their identity without a copy. It takes eight bytes at a time, as the hash does.
@inlinable
public func keyedHashLowercased(_ bytes: Span<UInt8>, seed: HashSeed) -> UInt64? {
    var v0 = seed.k0 ^ 0x736f_6d65_7073_6575
    var v1 = seed.k1 ^ 0x646f_7261_6e64_6f6d
    var v2 = seed.k0 ^ 0x6c79_6765_6e65_7261
    var v3 = seed.k1 ^ 0x7465_6462_7974_6573
    let count = bytes.count
    let raw = unsafe bytes.bytes
    var offset = 0
    var all: UInt64 = 0
    while offset &+ 8 <= count {
        // Any eight bytes are a number; the loop's condition keeps them within the span.
        let word = unsafe raw.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
        all |= word
        let lower = lowercasedASCII(word)
        v3 ^= lower
        sipRound(&v0, &v1, &v2, &v3)
        v0 ^= lower
        offset &+= 8
    }
    var rest: UInt64 = 0
    if count >= 8 {
        // The last eight bytes, without those that were taken already.
        let word = unsafe raw.unsafeLoadUnaligned(
            fromUncheckedByteOffset: count &- 8,
            as: UInt64.self
        )
        let taken = UInt64(truncatingIfNeeded: (8 &- (count &- offset)) &* 8)
        rest = word >> taken  // a shift of 64 gives 0
    } else {
        var shift: UInt64 = 0
        while offset < count {
            rest |= UInt64(bytes[offset]) << shift
            shift &+= 8
            offset &+= 1
        }
    }
    all |= rest
    guard all & 0x8080_8080_8080_8080 == 0 else { return nil }
    let last = lowercasedASCII(rest) | UInt64(count & 0xff) << 56
    v3 ^= last
    sipRound(&v0, &v1, &v2, &v3)
    v0 ^= last
    v2 ^= 0xff
    sipRound(&v0, &v1, &v2, &v3)
    sipRound(&v0, &v1, &v2, &v3)
    sipRound(&v0, &v1, &v2, &v3)
    return v0 ^ v1 ^ v2 ^ v3
}

/// Eight ASCII bytes, those from `A` to `Z` in lower case. What it gives for other bytes has no
/// meaning.
@inlinable
@inline(__always)
func lowercasedASCII(_ word: UInt64) -> UInt64 {
    // Of a byte below 0x80, adding 0x3f sets the top bit from 0x41 (`A`) on, adding 0x25 from 0x5b.
    let fromA = word &+ 0x3f3f_3f3f_3f3f_3f3f
    let beyondZ = word &+ 0x2525_2525_2525_2525
    return word | (fromA & ~beyondZ & 0x8080_8080_8080_8080) >> 2
}

/// ``keyedHash(_:seed:)`` of an array.
@inlinable
public func keyedHash(_ bytes: [UInt8], seed: HashSeed) -> UInt64 {
    keyedHash(bytes.span, seed: seed)
}

@inlinable
@inline(__always)
func sipRound(_ v0: inout UInt64, _ v1: inout UInt64, _ v2: inout UInt64, _ v3: inout UInt64) {
    v0 = v0 &+ v1
    v2 = v2 &+ v3
    v1 = (v1 << 13 | v1 >> 51) ^ v0
    v3 = (v3 << 16 | v3 >> 48) ^ v2
    v0 = v0 << 32 | v0 >> 32
    v2 = v2 &+ v1
    v0 = v0 &+ v3
    v1 = (v1 << 17 | v1 >> 47) ^ v2
    v3 = (v3 << 21 | v3 >> 43) ^ v0
    v2 = v2 << 32 | v2 >> 32
}
