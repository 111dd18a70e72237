/// Random numbers from a seed (SplitMix64), the same on every machine and in every run.
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    /// Neighbouring seeds give streams that have nothing in common.
    public init(seed: UInt64) {
        state = seed
        state = next() ^ seed &* 0xd6e8_feb8_6659_fd93
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
