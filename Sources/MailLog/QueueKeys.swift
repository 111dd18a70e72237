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

/// A multiplication folded in two, after wyhash (Wang Yi): six times cheaper than SipHash, and
/// enough here, since the server and no stranger chooses queue IDs, and since the ID itself is
/// compared where the key is found.
func queueKey(_ queueID: Span<UInt8>, hostHash: UInt64) -> UInt64 {
    let count = queueID.count
    var first: UInt64 = 0
    var last: UInt64 = 0
    if count >= 8 {
        first = queueID.word(at: 0)
        last = queueID.word(at: count &- 8)
        if count > 16 { first ^= queueID.word(at: 8) &* 0x9e37_79b9_7f4a_7c15 }
    } else {
        for index in queueID.indices { first = first << 8 | UInt64(queueID[index]) }
    }
    let left = first ^ hostHash
    let right = last ^ (hostHash &* 0xe703_7ed1_a0b4_28db) ^ UInt64(count)
    let product = left.multipliedFullWidth(by: right | 1)
    return (product.high ^ product.low) | 1
}
