import CBzip2

/// Reads bzip2 of any number of streams with libbz2: directly, so that what was decoded before
/// damage comes out (see ``XzDecoder``).
///
/// It is the fence around libbz2's stream, which this value owns alone and frees at its end. Every
/// use of it is within a mutating call, so sending it to another thread is sound. Pointers to input
/// and output are in it only during a call.
@safe
struct Bzip2Decoder: ~Copyable, @unchecked Sendable {
    private enum Place {
        /// Nothing was read yet.
        case start
        case stream
        case between
    }

    private let stream: UnsafeMutablePointer<bz_stream>
    private var place = Place.start

    init() {
        unsafe stream = .allocate(capacity: 1)
        // NULL for the allocators means malloc and free.
        unsafe stream.initialize(to: bz_stream())
    }

    deinit {
        // It refuses a stream that was not begun, which is fine.
        _ = unsafe BZ2_bzDecompressEnd(stream)
        unsafe stream.deallocate()
    }

    var mayEnd: Bool { place != .stream }

    mutating func decode(
        _ input: [UInt8],
        _ source: Range<Int>,
        into output: inout [UInt8],
        _ room: Range<Int>
    ) -> DecodeStep {
        var step = DecodeStep()
        while true {
            let rest = (source.lowerBound + step.consumed)..<source.upperBound
            if place != .stream {
                guard !rest.isEmpty else { return step }
                if place == .between, input[rest.lowerBound] != UInt8(ascii: "B") {
                    step.damage = .trailingBytes
                    return step
                }
                let result = unsafe BZ2_bzDecompressInit(stream, 0, 0)
                precondition(result == BZ_OK, "out of memory")
                place = .stream
            }
            let before = step.consumed
            step.damage = decompress(input, rest, into: &output, room, &step)
            if step.damage != nil || step.produced > 0 { return step }
            if step.consumed == before, place == .stream { return step }
        }
    }

    /// One call.
    private mutating func decompress(
        _ input: [UInt8],
        _ rest: Range<Int>,
        into output: inout [UInt8],
        _ room: Range<Int>,
        _ step: inout DecodeStep
    ) -> SourceProblem.Damage? {
        var used = 0
        var produced = 0
        let result = unsafe input.withUnsafeBytes { inputBuffer in
            unsafe output.withUnsafeMutableBytes { outputBuffer in
                let inputCount = UInt32(clamping: rest.count)
                let outputCount = UInt32(clamping: room.count)
                // SAFETY: both ranges lie within their buffers, and the pointers are taken back.
                // libbz2 reads through `next_in` and does not write, although its type would allow
                // it.
                unsafe stream.pointee.next_in = UnsafeMutablePointer(
                    mutating: inputBuffer.baseAddress.map {
                        unsafe ($0 + rest.lowerBound).assumingMemoryBound(to: CChar.self)
                    }
                )
                unsafe stream.pointee.avail_in = inputCount
                unsafe stream.pointee.next_out = outputBuffer.baseAddress.map {
                    unsafe ($0 + room.lowerBound).assumingMemoryBound(to: CChar.self)
                }
                unsafe stream.pointee.avail_out = outputCount
                let result = unsafe BZ2_bzDecompress(stream)
                used = unsafe Int(inputCount - stream.pointee.avail_in)
                produced = unsafe Int(outputCount - stream.pointee.avail_out)
                unsafe stream.pointee.next_in = nil
                unsafe stream.pointee.avail_in = 0
                unsafe stream.pointee.next_out = nil
                unsafe stream.pointee.avail_out = 0
                return result
            }
        }
        step.consumed += used
        step.produced = produced
        switch result {
        case BZ_OK: return nil
        case BZ_STREAM_END:
            _ = unsafe BZ2_bzDecompressEnd(stream)
            place = .between
            return nil
        case BZ_DATA_ERROR_MAGIC: return .corrupt("no bzip2 header")
        case BZ_DATA_ERROR: return .corrupt("invalid bzip2 data or checksum")
        default: return .corrupt("libbz2 error \(result)")
        }
    }
}
