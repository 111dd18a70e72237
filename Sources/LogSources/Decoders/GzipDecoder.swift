import CISAL

/// Reads gzip (RFC 1952) of any number of members with ISA-L.
///
/// It is the fence around ISA-L's state. The state lies behind pointers that this value owns alone
/// and frees at its end, and every use of them is within a mutating call, so sending it to another
/// thread is sound. Pointers to input and output are in the state only during a call.
@safe
struct GzipDecoder: ~Copyable, @unchecked Sendable {
    /// When ISA-L finds damage it has already decoded up to two windows of 32 KiB and a look-ahead
    /// of 288 bytes into its own buffer, and copies that out before it says so, if there is room
    /// (igzip_inflate.c, isal_inflate).
    static let roomMin = 2 * 32_768 + 288

    private enum Place {
        /// Nothing was read yet.
        case start
        case header
        case body
        /// Behind a member.
        case between
        /// In the zeros that fill up a tape block, which gzip(1) ignores.
        case padding
    }

    private let state: UnsafeMutablePointer<inflate_state>
    private let header: UnsafeMutablePointer<isal_gzip_header>
    private var place = Place.start

    init() {
        unsafe state = .allocate(capacity: 1)
        unsafe header = .allocate(capacity: 1)
        // It sets what it reads later; the 90 KB of tables and buffers stay as they are.
        unsafe isal_inflate_init(state)
        unsafe isal_gzip_header_init(header)
    }

    deinit {
        unsafe header.deallocate()
        unsafe state.deallocate()
    }

    var mayEnd: Bool {
        switch place {
        case .start, .between, .padding: true
        case .header, .body: false
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
            switch place {
            case .start, .between, .padding:
                guard let first = rest.first else { return step }
                switch input[first] {
                case 0x1f where place != .padding: beginMember()
                case 0 where place != .start:
                    place = .padding
                    step.consumed += rest.prefix { input[$0] == 0 }.count
                default:
                    step.damage = .trailingBytes
                    return step
                }
            case .header:
                guard !rest.isEmpty else { return step }
                step.damage = readHeader(input, rest, &step)
                if step.damage != nil { return step }
            case .body:
                let free = (room.lowerBound + step.produced)..<room.upperBound
                // Out comes what there is after one call, while it is warm.
                step.damage = inflate(input, rest, into: &output, free, &step)
                if step.damage != nil || step.produced > 0 { return step }
                if rest.count == source.upperBound - source.lowerBound - step.consumed,
                    place == .body
                {
                    return step
                }
            }
        }
    }

    private mutating func beginMember() {
        unsafe isal_inflate_reset(state)
        // The header is read by a call of its own, the checksum and length behind the data are
        // verified.
        unsafe state.pointee.crc_flag = UInt32(ISAL_GZIP_NO_HDR_VER)
        unsafe isal_gzip_header_init(header)
        place = .header
    }

    /// Reads a header or a part of one; name, comment and extra field are passed over.
    private mutating func readHeader(
        _ input: [UInt8],
        _ rest: Range<Int>,
        _ step: inout DecodeStep
    ) -> SourceProblem.Damage? {
        let result = withInput(input, rest, &step) { () -> CInt in
            unsafe isal_read_gzip_header(state, header)
        }
        switch result {
        case ISAL_DECOMP_OK: place = .body
        case ISAL_END_INPUT: break
        default: return .corrupt(Self.words(for: result))
        }
        return nil
    }

    private mutating func inflate(
        _ input: [UInt8],
        _ rest: Range<Int>,
        into output: inout [UInt8],
        _ free: Range<Int>,
        _ step: inout DecodeStep
    ) -> SourceProblem.Damage? {
        var produced = 0
        let result = withInput(input, rest, &step) { () -> CInt in
            unsafe output.withUnsafeMutableBufferPointer { buffer in
                // SAFETY: `free` lies within the buffer, and the pointer is taken back below.
                unsafe state.pointee.next_out = buffer.baseAddress.map {
                    unsafe $0 + free.lowerBound
                }
                unsafe state.pointee.avail_out = UInt32(clamping: free.count)
                let result = unsafe isal_inflate(state)
                produced =
                    min(free.count, Int(UInt32.max))
                    - Int(unsafe state.pointee.avail_out)
                unsafe state.pointee.next_out = nil
                return result
            }
        }
        step.produced += produced
        guard result >= 0 else { return .corrupt(Self.words(for: result)) }
        if unsafe state.pointee.block_state == ISAL_BLOCK_FINISH {
            place = .between
        }
        return nil
    }

    /// Lends `input[rest]` to ISA-L for one call and counts what it used.
    private func withInput(
        _ input: [UInt8],
        _ rest: Range<Int>,
        _ step: inout DecodeStep,
        _ call: () -> CInt
    ) -> CInt {
        unsafe input.withUnsafeBufferPointer { buffer in
            let count = UInt32(clamping: rest.count)
            // SAFETY: `rest` lies within the buffer. ISA-L reads through `next_in` and does not
            // write, although its type would allow it; the pointer is taken back below.
            unsafe state.pointee.next_in = UnsafeMutablePointer(
                mutating: buffer.baseAddress.map { unsafe $0 + rest.lowerBound }
            )
            unsafe state.pointee.avail_in = count
            let result = call()
            step.consumed += Int(count) - Int(unsafe state.pointee.avail_in)
            unsafe state.pointee.next_in = nil
            unsafe state.pointee.avail_in = 0
            return result
        }
    }

    /// The error codes of igzip_lib.h, for the operator.
    private static func words(for result: CInt) -> String {
        switch result {
        case ISAL_INVALID_BLOCK: "invalid deflate block"
        case ISAL_INVALID_SYMBOL: "invalid deflate symbol"
        case ISAL_INVALID_LOOKBACK: "invalid look-back distance"
        case ISAL_INVALID_WRAPPER: "invalid gzip header"
        case ISAL_UNSUPPORTED_METHOD: "unknown compression method"
        case ISAL_INCORRECT_CHECKSUM: "checksum or length does not match"
        default: "ISA-L error \(result)"
        }
    }
}
