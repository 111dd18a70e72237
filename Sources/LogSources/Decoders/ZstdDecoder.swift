import CZstd

/// Reads zstd (RFC 8878) of any number of frames, skippable ones among them, with libzstd.
///
/// It is the fence around libzstd's context, which this value owns alone and frees at its end. Every
/// use of it is within a mutating call, so sending it to another thread is sound. Pointers to input
/// and output live only during a call.
@safe
struct ZstdDecoder: ~Copyable, @unchecked Sendable {
    private let context: OpaquePointer
    /// How many bytes libzstd wants next.
    private var wanted = Self.frameStart
    /// Whether the last call was the last of a frame, or there was none.
    private(set) var mayEnd = true
    private var hasReadFrame: Bool

    /// - Parameter continues: frames stand before what it gets.
    init(continues: Bool = false) {
        hasReadFrame = continues
        guard let made = unsafe ZSTD_createDStream() else {
            preconditionFailure("out of memory")
        }
        unsafe context = made
        let result = unsafe ZSTD_DCtx_setParameter(
            context,
            ZSTD_d_windowLogMax,
            CInt(ReplayLimits.zstdWindowLogMax)
        )
        precondition(ZSTD_isError(result) == 0)
    }

    deinit {
        _ = unsafe ZSTD_freeDStream(context)
    }

    /// Magic number and the first byte of the header: what tells how long the header is (RFC 8878,
    /// 3.1.1).
    private static let frameStart = 5

    mutating func decode(
        _ input: [UInt8],
        _ source: Range<Int>,
        into output: inout [UInt8],
        _ room: Range<Int>
    ) -> DecodeStep {
        var step = DecodeStep()
        while true {
            let start = source.lowerBound + step.consumed
            let isAtFrameStart = mayEnd
            if isAtFrameStart, start == source.upperBound { return step }
            // It gets just what it asks for, so that a call is at most one block: a call that fails
            // does not tell what it put out before.
            let given = start..<min(start + wanted, source.upperBound)
            var used = 0
            var produced = 0
            let result = unsafe input.withUnsafeBytes { inputBuffer in
                unsafe output.withUnsafeMutableBytes { outputBuffer in
                    // SAFETY: both ranges lie within their buffers.
                    var from = unsafe ZSTD_inBuffer(
                        src: inputBuffer.baseAddress.map { unsafe $0 + given.lowerBound },
                        size: given.count,
                        pos: 0
                    )
                    var to = unsafe ZSTD_outBuffer(
                        dst: outputBuffer.baseAddress.map { unsafe $0 + room.lowerBound },
                        size: room.count,
                        pos: 0
                    )
                    let result = unsafe ZSTD_decompressStream(context, &to, &from)
                    used = unsafe from.pos
                    produced = unsafe to.pos
                    return result
                }
            }
            if ZSTD_isError(result) != 0 {
                step.damage = damage(of: result, isAtFrameStart: isAtFrameStart)
                return step
            }
            step.consumed += used
            step.produced = produced
            mayEnd = result == 0
            wanted = mayEnd ? Self.frameStart : result
            if mayEnd { hasReadFrame = true }
            if produced > 0 || used == 0 { return step }
        }
    }

    private func damage(of result: Int, isAtFrameStart: Bool) -> SourceProblem.Damage {
        // An error is its negated code, and "error codes _values_ are pinned down since v1.3.1"
        // (zstd_errors.h).
        switch 0 &- result {
        case 10 where isAtFrameStart && hasReadFrame: return .trailingBytes  // prefix_unknown
        case 16: return .windowTooLarge  // frameParameter_windowTooLarge
        default: break
        }
        return .corrupt(unsafe String(cString: ZSTD_getErrorName(result)))
    }
}
