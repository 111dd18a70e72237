import CLzma

/// Reads xz of any number of streams, with padding between them (The .xz File Format 1.1.0, 2), with
/// liblzma.
///
/// Not by libarchive, whose xz filter sets no limit of memory (archive_read_support_filter_xz.c,
/// LZMA_MEMLIMIT) and gives nothing of the up to 64 KiB of text that it decoded before it met
/// damage. liblzma puts out what it has before it tells of an error.
///
/// It is the fence around liblzma's stream, which this value owns alone and frees at its end. Every
/// use of it is within a mutating call, so sending it to another thread is sound. Pointers to input
/// and output are in it only during a call.
@safe
struct XzDecoder: ~Copyable, @unchecked Sendable {
    private enum Place {
        /// Nothing was read yet.
        case start
        case stream
        /// Behind a stream: zeros may fill up to a multiple of four bytes.
        case between
    }

    private let stream: UnsafeMutablePointer<lzma_stream>
    private var place = Place.start

    init() {
        unsafe stream = .allocate(capacity: 1)
        // LZMA_STREAM_INIT is all zeros.
        unsafe stream.initialize(to: lzma_stream())
    }

    deinit {
        unsafe lzma_end(stream)
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
            guard place == .stream else {
                let padding = place == .between ? input[rest].prefix { $0 == 0 }.count : 0
                step.consumed += padding
                guard padding < rest.count else { return step }
                if place == .between, input[rest.lowerBound + padding] != 0xfd {
                    step.damage = .trailingBytes
                    return step
                }
                step.damage = begin()
                if step.damage != nil { return step }
                continue
            }
            let before = step.consumed
            step.damage = code(input, rest, into: &output, room, &step)
            if step.damage != nil || step.produced > 0 || step.consumed == before { return step }
        }
    }

    private mutating func begin() -> SourceProblem.Damage? {
        let result = unsafe lzma_stream_decoder(stream, ReplayLimits.xzMemoryBytesMax, 0)
        place = .stream
        return result == LZMA_OK ? nil : .corrupt("liblzma error \(result.rawValue)")
    }

    /// One call.
    private mutating func code(
        _ input: [UInt8],
        _ rest: Range<Int>,
        into output: inout [UInt8],
        _ room: Range<Int>,
        _ step: inout DecodeStep
    ) -> SourceProblem.Damage? {
        var used = 0
        var produced = 0
        let result = unsafe input.withUnsafeBufferPointer { inputBuffer in
            unsafe output.withUnsafeMutableBufferPointer { outputBuffer in
                // SAFETY: both ranges lie within their buffers, and the pointers are taken back.
                unsafe stream.pointee.next_in = inputBuffer.baseAddress.map {
                    unsafe $0 + rest.lowerBound
                }
                unsafe stream.pointee.avail_in = rest.count
                unsafe stream.pointee.next_out = outputBuffer.baseAddress.map {
                    unsafe $0 + room.lowerBound
                }
                unsafe stream.pointee.avail_out = room.count
                let result = unsafe lzma_code(stream, LZMA_RUN)
                used = unsafe rest.count - stream.pointee.avail_in
                produced = unsafe room.count - stream.pointee.avail_out
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
        case LZMA_OK, LZMA_BUF_ERROR: return nil
        case LZMA_STREAM_END:
            place = .between
            return nil
        case LZMA_MEMLIMIT_ERROR: return .windowTooLarge
        case LZMA_FORMAT_ERROR: return .corrupt("no xz header")
        case LZMA_OPTIONS_ERROR: return .corrupt("unknown options in the xz header")
        case LZMA_DATA_ERROR: return .corrupt("invalid xz data or checksum")
        default: return .corrupt("liblzma error \(result.rawValue)")
        }
    }
}
