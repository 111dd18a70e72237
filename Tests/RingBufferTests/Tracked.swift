import Synchronization

/// Counts the lives of its elements.
///
/// By relaxed atomics: they order nothing between the threads, so they hide no race of the ring
/// from ThreadSanitizer, which in turn does not see the lock of a `Mutex` (the library's code).
final class Tracker: Sendable {
    private let lives = Atomic(0)
    private let digest = Atomic<UInt64>(0)

    /// Elements made and not yet deinitialised.
    var alive: Int { lives.load(ordering: .relaxed) }

    /// Whether the elements deinitialised are those that were made, each once. One that ended twice
    /// does not make up for another that never did.
    var isBalanced: Bool { alive == 0 && digest.load(ordering: .relaxed) == 0 }

    fileprivate func born(_ number: Int) {
        lives.wrappingAdd(1, ordering: .relaxed)
        digest.wrappingAdd(scattered(number), ordering: .relaxed)
    }

    fileprivate func died(_ number: Int) {
        lives.wrappingSubtract(1, ordering: .relaxed)
        digest.wrappingSubtract(scattered(number), ordering: .relaxed)
    }

    /// The finaliser of SplitMix64: sums of different numbers are different, as good as always.
    private func scattered(_ number: Int) -> UInt64 {
        var bits = UInt64(bitPattern: Int64(number)) &+ 0x9e37_79b9_7f4a_7c15
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }
}

/// An element that cannot be copied, and whose end is counted.
struct Tracked: ~Copyable, Sendable {
    let number: Int
    private let tracker: Tracker

    init(_ number: Int, _ tracker: Tracker) {
        self.number = number
        self.tracker = tracker
        tracker.born(number)
    }

    deinit { tracker.died(number) }
}
