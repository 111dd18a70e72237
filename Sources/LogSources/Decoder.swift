/// How the bytes of an input are to be read, told by its content.
public enum Encoding: Hashable, Sendable {
    case plain, gzip, zstd
}

/// What one step of decompression did.
struct DecodeStep {
    /// Compressed bytes used up.
    var consumed = 0
    /// Plain bytes put out.
    var produced = 0
    /// Why it cannot go on; what was put out before is good.
    var damage: SourceProblem.Damage?
}

/// Decompression of one input; it does no I/O.
enum Decoder: ~Copyable, Sendable {
    case plain
    case gzip(GzipDecoder)
    case zstd(ZstdDecoder)

    init(_ encoding: Encoding) {
        self =
            switch encoding {
            case .plain: .plain
            case .gzip: .gzip(GzipDecoder())
            case .zstd: .zstd(ZstdDecoder())
            }
    }

    /// How much room a step needs at least, so that nothing stays inside when it fails.
    var roomMin: Int {
        switch self {
        case .plain: 1
        case .gzip: GzipDecoder.roomMin
        case .zstd: 1
        }
    }

    /// Whether the input may end here: not within a member or frame.
    var mayEnd: Bool {
        switch self {
        case .plain: true
        case .gzip(let decoder): decoder.mayEnd
        case .zstd(let decoder): decoder.mayEnd
        }
    }

    /// Decodes from `input[source]` into `output[room]`; both may be used in part. It takes a step
    /// without input to put out the last that is inside.
    mutating func decode(
        _ input: [UInt8],
        _ source: Range<Int>,
        into output: inout [UInt8],
        _ room: Range<Int>
    ) -> DecodeStep {
        precondition(source.lowerBound >= 0)
        precondition(source.upperBound <= input.count)
        precondition(room.lowerBound >= 0)
        precondition(room.upperBound <= output.count)
        precondition(room.count >= roomMin)
        switch consume self {
        case .plain: preconditionFailure("plain bytes are read where they are wanted")
        case .gzip(var decoder):
            let step = decoder.decode(input, source, into: &output, room)
            self = .gzip(decoder)
            return step
        case .zstd(var decoder):
            let step = decoder.decode(input, source, into: &output, room)
            self = .zstd(decoder)
            return step
        }
    }
}
