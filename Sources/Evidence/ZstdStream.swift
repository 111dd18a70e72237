import CZstd

/// Why bytes are no zstd text.
public struct ZstdDamage: Error, Sendable, Hashable {
    public var message: String
}

/// One zstd frame with a checksum of its content; frames one behind the other are one text.
public func compressedFrame(of bytes: [UInt8]) -> [UInt8] { zstdFrame(of: bytes) }

/// Whether the bytes begin as a zstd frame does (RFC 8878, 3.1.1).
public func isZstd(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) }

/// Gives the text of one or more frames that a stranger may have made, piece by piece.
///
/// - Parameter body: throws to end it.
public func forEachPiece(
    ofZstd bytes: [UInt8],
    _ body: ([UInt8]) throws -> Void
) throws {
    guard let context = unsafe ZSTD_createDCtx() else { preconditionFailure("out of memory") }
    defer { _ = unsafe ZSTD_freeDCtx(context) }
    let status = unsafe ZSTD_DCtx_setParameter(
        context,
        ZSTD_d_windowLogMax,
        CInt(BundleLimits.zstdWindowLogMax)
    )
    precondition(ZSTD_isError(status) == 0)
    var chunk = [UInt8](repeating: 0, count: 256 << 10)
    var consumed = 0
    var isWithinFrame = false
    while consumed < bytes.count || isWithinFrame {
        var produced = 0
        let before = consumed
        let result = unsafe bytes.withUnsafeBytes { input in
            unsafe chunk.withUnsafeMutableBytes { output in
                // SAFETY: both pointers go with the counts of their buffers, and `consumed` is at
                // most the input's.
                var from = unsafe ZSTD_inBuffer(
                    src: input.baseAddress,
                    size: input.count,
                    pos: consumed
                )
                var to = unsafe ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
                let result = unsafe ZSTD_decompressStream(context, &to, &from)
                consumed = unsafe from.pos
                produced = unsafe to.pos
                return result
            }
        }
        guard ZSTD_isError(result) == 0 else {
            throw ZstdDamage(message: unsafe String(cString: ZSTD_getErrorName(result)))
        }
        isWithinFrame = result != 0
        guard produced > 0 || consumed > before else {
            throw ZstdDamage(message: "it breaks off within a zstd frame")
        }
        if produced > 0 { try body(Array(chunk[..<produced])) }
    }
}
