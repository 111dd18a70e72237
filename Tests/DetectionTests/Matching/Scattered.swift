import TestSupport

extension SeededGenerator {
    /// Streams that lie far apart for neighbouring seeds: those of `init(seed:)` are one stream that
    /// begins one step later, so tests would see nearly the same cases again.
    init(scattered seed: UInt64) { self.init(seed: seed &* 0xd134_2543_de82_ef95) }
}
