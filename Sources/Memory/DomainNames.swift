/// Names of domains on their way to the disk. The memory knows domains by their hashes alone; their
/// names are for `postern state`, and are noted when an account meets a domain.
///
/// Bounded by what lies between two commits. A name that was noted lately is not noted again, so
/// that the one domain to which everybody writes costs nothing.
public struct DomainNames: Sendable {
    /// Direct-mapped by hash; 0 is nobody's.
    private var recent = [UInt64](repeating: 0, count: 4_096)
    private var pending: [(hash: UInt64, name: [UInt8])] = []
    /// How many were noted since the names were last compared with what is remembered.
    public var notedCount = 0

    public init() {}

    /// - Parameter name: in canonical form.
    public mutating func note(_ hash: UInt64, _ name: Span<UInt8>) {
        let place = Int(truncatingIfNeeded: hash & 4_095)
        guard recent[place] != hash else { return }
        recent[place] = hash
        pending.append((hash, name.copied))
        notedCount += 1
    }

    mutating func take() -> [(hash: UInt64, name: [UInt8])] {
        guard !pending.isEmpty else { return [] }
        defer { pending = [] }
        return pending
    }

    /// Names may have left the disk.
    public mutating func forgetRecent() {
        for index in recent.indices { recent[index] = 0 }
    }
}

extension Span<UInt8> {
    var copied: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for index in indices { bytes.append(self[index]) }
        return bytes
    }
}
