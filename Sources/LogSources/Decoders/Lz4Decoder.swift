import CLz4

/// Reads lz4 frames of any number, skippable ones among them (LZ4 Frame Format 1.6.3), with liblz4:
/// directly, so that what was decoded before damage comes out (see ``XzDecoder``). Frames of the
/// legacy format, as of the Linux kernel and of `lz4 -l`, are read too.
///
/// It is the fence around liblz4's context, which this value owns alone and frees at its end. Every
/// use of it is within a mutating call, so sending it to another thread is sound. Pointers to input
/// and output live only during a call.
@safe
struct Lz4Decoder: ~Copyable, @unchecked Sendable {
    private enum Place {
        /// Nothing was read yet, or a frame has ended.
        case between
        case frame
        case legacy
    }

    private let context: OpaquePointer
    private var legacy = Lz4LegacyFrame()
    private var place = Place.between
    private var hasReadFrame = false
    /// The first bytes of a frame, before it is known which format it has.
    private var magic: [UInt8] = []
    /// How many bytes liblz4 wants next.
    private var wanted = 0

    init() {
        var made: OpaquePointer?
        let result = unsafe LZ4F_createDecompressionContext(&made, UInt32(LZ4F_VERSION))
        precondition(LZ4F_isError(result) == 0, "out of memory")
        guard let made = unsafe made else { preconditionFailure("out of memory") }
        unsafe context = made
    }

    deinit {
        _ = unsafe LZ4F_freeDecompressionContext(context)
    }

    var mayEnd: Bool {
        switch place {
        case .between: magic.isEmpty
        case .frame: false
        case .legacy: legacy.mayEnd
        }
    }

    mutating func decode(
        _ input: [UInt8],
        _ source: Range<Int>,
        into output: inout [UInt8],
        _ room: Range<Int>
    ) -> DecodeStep {
        var step = DecodeStep()
        while true {
            let rest = (source.lowerBound + step.consumed)..<source.upperBound
            let before = step.consumed
            switch place {
            case .between:
                if rest.isEmpty { return step }
                begin(input, rest, &output, room, &step)
                if step.damage != nil { return step }
            case .frame:
                decompress(input, rest, into: &output, room, &step)
                if step.damage != nil || step.produced > 0 || step.consumed == before {
                    return step
                }
            case .legacy:
                switch legacy.decode(input, rest, into: &output, room, &step) {
                case .more: return step
                case .ended(let next):
                    place = .between
                    magic = next
                    hasReadFrame = true
                    beginWithMagic(&output, room, &step)
                    if step.damage != nil { return step }
                }
            }
        }
    }

    /// Reads the four bytes that tell the format.
    private mutating func begin(
        _ input: [UInt8],
        _ rest: Range<Int>,
        _ output: inout [UInt8],
        _ room: Range<Int>,
        _ step: inout DecodeStep
    ) {
        let count = min(4 - magic.count, rest.count)
        magic += input[rest.lowerBound..<(rest.lowerBound + count)]
        step.consumed += count
        guard magic.count == 4 else { return }
        beginWithMagic(&output, room, &step)
        // What is no frame was not used.
        if step.damage == .trailingBytes { step.consumed -= count }
    }

    private mutating func beginWithMagic(
        _ output: inout [UInt8],
        _ room: Range<Int>,
        _ step: inout DecodeStep
    ) {
        let isSkippable = magic[0] & 0xf0 == 0x50 && magic[1...3].elementsEqual([0x2a, 0x4d, 0x18])
        if magic == Self.legacyMagic {
            legacy.begin()
            place = .legacy
        } else if magic == Self.frameMagic || isSkippable {
            place = .frame
            var own = DecodeStep()
            decompress(magic, 0..<4, into: &output, room, &own)
            step.damage = own.damage
        } else {
            step.damage = hasReadFrame ? .trailingBytes : .corrupt("no lz4 header")
        }
        magic = []
    }

    static let frameMagic: [UInt8] = [0x04, 0x22, 0x4d, 0x18]
    static let legacyMagic: [UInt8] = [0x02, 0x21, 0x4c, 0x18]

    /// One call. It gets just what it asks for, so that it decodes at most one block: a call that
    /// fails does not tell what it put out before.
    private mutating func decompress(
        _ input: [UInt8],
        _ rest: Range<Int>,
        into output: inout [UInt8],
        _ room: Range<Int>,
        _ step: inout DecodeStep
    ) {
        var used = min(max(wanted, 4), rest.count)
        var produced = room.count
        let result = unsafe input.withUnsafeBytes { inputBuffer in
            unsafe output.withUnsafeMutableBytes { outputBuffer in
                // SAFETY: both ranges lie within their buffers, and the counts go with them.
                unsafe LZ4F_decompress(
                    context,
                    outputBuffer.baseAddress.map { unsafe $0 + room.lowerBound },
                    &produced,
                    inputBuffer.baseAddress.map { unsafe $0 + rest.lowerBound },
                    &used,
                    nil
                )
            }
        }
        if LZ4F_isError(result) != 0 {
            step.damage = .corrupt(unsafe String(cString: LZ4F_getErrorName(result)))
            return
        }
        step.consumed += used
        step.produced = produced
        wanted = result
        if result == 0 {
            place = .between
            hasReadFrame = true
        }
    }
}
