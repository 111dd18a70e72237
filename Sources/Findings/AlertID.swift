import Crypto
import SafeText

/// The lasting name of an alert: the same wherever and whenever the same lines are read.
///
/// The first 128 bits of SHA-256 over rule ID, each group value in canonical form, and the event
/// time of the earliest event in the window at opening (decimal whole seconds, UTC), each with its
/// length in 4 big-endian bytes before it; written as lower-case base32 (architecture §2).
public struct AlertID: Hashable, Sendable, CustomStringConvertible {
    /// 26 letters and digits.
    public let description: String

    public init(rule: String, group: [[UInt8]], earliestMicroseconds: Int64) {
        var hash = SHA256()
        func take(_ bytes: [UInt8]) {
            let count = UInt32(bytes.count)
            hash.update(data: [
                UInt8(truncatingIfNeeded: count >> 24), UInt8(truncatingIfNeeded: count >> 16),
                UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count),
            ])
            hash.update(data: bytes)
        }
        take(Array(rule.utf8))
        for value in group { take(value) }
        let seconds = floorDivide(earliestMicroseconds, by: 1_000_000).quotient
        take(Array(String(seconds).utf8))
        description = base32(Array(hash.finalize()).prefix(16))
    }

    /// An ID that was written before; nil if it is none.
    public init?(_ text: String) {
        guard text.utf8.count == 26,
            text.utf8.allSatisfy({
                ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z"))
                    || ($0 >= UInt8(ascii: "2") && $0 <= UInt8(ascii: "7"))
            })
        else { return nil }
        description = text
    }
}
