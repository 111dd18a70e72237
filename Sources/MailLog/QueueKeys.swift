import Records

/// Keys of queue IDs that a line only mentions: an inner one that a filter's reply names, or the
/// outer one of `orig_queue_id=`.
struct QueueKeys: Sendable {
    let seed: HashSeed

    /// - Parameter hostBytes: the host name of the line.
    func key(_ queueID: Span<UInt8>, hostBytes: Span<UInt8>) -> UInt64 {
        queueKey(queueID, hostHash: keyedHash(hostBytes, seed: seed))
    }

    /// The key of a client in the lines of a host. Strangers choose their names, so the hash is a keyed
    /// one.
    func clientKey(_ client: Span<UInt8>, hostBytes: Span<UInt8>) -> UInt64 {
        queueKey(client, hostHash: keyedHash(hostBytes, seed: seed)) ^ keyedHash(client, seed: seed)
            | 1
    }
}

/// A queue ID or another short text as numbers, by which it is hashed and compared: up to 24 bytes,
/// they say all of it.
struct ShortTextWords: Sendable, Equatable {
    var first: UInt64 = 0
    var middle: UInt64 = 0
    var last: UInt64 = 0
    var count = 0

    init() {}

    @inline(__always)
    init(_ line: Span<UInt8>, _ range: Range<Int>) {
        count = range.count
        if count >= 8 {
            first = line.word(at: range.lowerBound)
            last = line.word(at: range.upperBound &- 8)
            if count > 16 { middle = line.word(at: range.lowerBound &+ 8) }
        } else {
            for index in range { first = first << 8 | UInt64(line[index]) }
        }
    }

    /// The text; of a longer one than the words say, what they do. Not for hot paths.
    var bytes: [UInt8] {
        func byte(_ word: UInt64, _ index: Int) -> UInt8 {
            UInt8(truncatingIfNeeded: word >> UInt64(truncatingIfNeeded: index * 8))
        }
        guard count >= 8 else { return (0..<count).map { byte(first, count - 1 - $0) } }
        return (0..<min(count, 24)).map { index in
            if index >= count - 8 { return byte(last, index - (count - 8)) }
            return index < 8 ? byte(first, index) : byte(middle, index - 8)
        }
    }

    /// Whether equal words mean equal texts.
    var isWhole: Bool { count <= 24 }

    /// A multiplication folded in two, after wyhash (Wang Yi): six times cheaper than SipHash, and
    /// enough here, since the server and no stranger chooses queue IDs, and since the ID itself is
    /// compared where the key is found.
    @inline(__always)
    func key(hostHash: UInt64) -> UInt64 {
        let left = (middle &* 0x9e37_79b9_7f4a_7c15) ^ first ^ hostHash
        let right = last ^ (hostHash &* 0xe703_7ed1_a0b4_28db) ^ UInt64(truncatingIfNeeded: count)
        let product = left.multipliedFullWidth(by: right | 1)
        return (product.high ^ product.low) | 1
    }
}

/// The key of a queue ID of a host.
func queueKey(_ queueID: Span<UInt8>, hostHash: UInt64) -> UInt64 {
    ShortTextWords(queueID, 0..<queueID.count).key(hostHash: hostHash)
}
