/// What stands between the stamp and the process ID of lines that were read last: host name and tag.
///
/// A server has a dozen of them, so that most lines begin with one that is known; to compare it whole
/// costs less than to find out where it ends.
struct KnownHeads: Sendable {
    struct Head: Sendable {
        /// Bytes of host name, blank and tag: at most ``bytesMax``.
        var count = 0
        var hostCount = 0
        /// Whether the host is the scanner's present one.
        var isHostKnown = false
        /// The tag's place among the scanner's.
        var tag = 0
        /// The first ``bytesMax`` bytes, those behind ``count`` as 0; and masks that make them so.
        fileprivate var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        fileprivate var masks: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        /// The byte behind the tag: by it a tag is told from a longer one.
        fileprivate var terminator: UInt8 = 0
    }

    static let bytesMax = 32
    private static let headsMax = 16

    private var heads: [Head] = []
    /// The one to be replaced next, once there are ``headsMax``.
    private var next = 0

    /// The head with which the text goes on at `index`; nil if none of those that are known.
    @inline(__always)
    func find(_ text: Span<UInt8>, at index: Int) -> Head? {
        guard index &+ Self.bytesMax < text.count else { return nil }
        // Up to `index + bytesMax` the span was checked.
        let first = unsafe text.uncheckedWord(at: index)
        let second = unsafe text.uncheckedWord(at: index &+ 8)
        let third = unsafe text.uncheckedWord(at: index &+ 16)
        let fourth = unsafe text.uncheckedWord(at: index &+ 24)
        for place in heads.indices {
            // The second word differs most: the first is mostly the host's name.
            guard second & heads[place].masks.1 == heads[place].words.1,
                first & heads[place].masks.0 == heads[place].words.0,
                third & heads[place].masks.2 == heads[place].words.2,
                fourth & heads[place].masks.3 == heads[place].words.3,
                text[index &+ heads[place].count] == heads[place].terminator
            else { continue }
            return heads[place]
        }
        return nil
    }

    /// Remembers a head.
    ///
    /// - Parameters:
    ///   - range: host name, blank and tag in the text.
    ///   - hostCount: bytes of the host name.
    ///   - isHostKnown, tag: see ``Head``.
    mutating func add(
        _ text: Span<UInt8>,
        _ range: Range<Int>,
        _ hostCount: Int,
        _ isHostKnown: Bool,
        tag: Int
    ) {
        guard range.count <= Self.bytesMax, range.lowerBound &+ Self.bytesMax < text.count else {
            return
        }
        func mask(_ word: Int) -> UInt64 {
            let bytes = min(8, max(0, range.count &- word &* 8))
            return bytes == 8 ? .max : (1 << UInt64(bytes &* 8)) &- 1
        }
        var head = Head()
        head.count = range.count
        head.hostCount = hostCount
        head.isHostKnown = isHostKnown
        head.tag = tag
        head.masks = (mask(0), mask(1), mask(2), mask(3))
        head.words = (
            text.word(at: range.lowerBound) & head.masks.0,
            text.word(at: range.lowerBound &+ 8) & head.masks.1,
            text.word(at: range.lowerBound &+ 16) & head.masks.2,
            text.word(at: range.lowerBound &+ 24) & head.masks.3
        )
        head.terminator = text[range.upperBound]
        if heads.count < Self.headsMax {
            heads.append(head)
        } else {
            heads[next] = head
            next = (next + 1) % Self.headsMax
        }
    }

    /// Forgets them: the scanner's host or one of its tags is another now.
    mutating func clear() {
        heads.removeAll(keepingCapacity: true)
        next = 0
    }
}
