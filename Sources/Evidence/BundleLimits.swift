/// Bounds of a bundle, the same for sealing and reading, so that what was sealed can be opened.
///
/// Reading one takes at most about three times ``archiveBytesMax`` of memory, and one window. The
/// bounds are absolute: a bound on the ratio of compression would let a stranger who fills a log
/// with one letter make proof that cannot be opened.
public struct BundleLimits: Sendable, Hashable {
    /// Bytes of the compressed file.
    public var fileBytesMax = 256 << 20
    /// Bytes of the tar archive within it.
    public var archiveBytesMax = 256 << 20
    /// Bytes of `lines.log`. 10,000 lines of 4 KiB, every byte escaped to four, take 164 MB.
    public var linesBytesMax = 192 << 20
    /// Bytes of the alert, which is parsed as a whole: in memory it may take 30 times as many.
    public var alertBytesMax = 4 << 20
    /// Bytes of the manifest, and of its signature.
    public var manifestBytesMax = 64 << 10
    /// Bytes of each other member.
    public var memberBytesMax = 64 << 20
    /// How many mismatches a check tells before it stops looking.
    public var mismatchesMax = 100

    /// A zstd window, which the reader has to hold in memory, is at most 2 to this power: 128 MiB.
    public static let zstdWindowLogMax = 27

    public init() {}

    /// How many bytes the member may have.
    public func bytesMax(of member: BundleMember) -> Int {
        switch member {
        case .lines: linesBytesMax
        case .alert: alertBytesMax
        case .manifest, .signature: manifestBytesMax
        case .provenance, .events, .rule, .settings, .state: memberBytesMax
        }
    }
}
