/// How the bytes of an input are to be read, told by its content.
public enum Encoding: Hashable, Sendable {
    case plain, gzip, zstd, xz, bzip2, lz4
    /// Text, but not of UTF-8.
    case utf16(ByteOrder)

    /// Which byte of a unit comes first.
    public enum ByteOrder: Hashable, Sendable {
        case little, big
    }

    /// Whether something is compressed within, rather than written in another way.
    var isCompression: Bool {
        switch self {
        case .plain, .utf16: false
        case .gzip, .zstd, .xz, .bzip2, .lz4: true
        }
    }
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

/// Decompression of one input, or its conversion into UTF-8; it does no I/O.
enum Decoder: ~Copyable, Sendable {
    case plain
    case gzip(GzipDecoder)
    case zstd(ZstdDecoder)
    case xz(XzDecoder)
    case bzip2(Bzip2Decoder)
    case lz4(Lz4Decoder)
    case utf16(UTF16Decoder)

    /// - Parameter continues: the input goes on behind other frames; only for zstd.
    init(_ encoding: Encoding, continues: Bool = false) {
        precondition(!continues || encoding == .zstd)
        self =
            switch encoding {
            case .plain: .plain
            case .gzip: .gzip(GzipDecoder())
            case .zstd: .zstd(ZstdDecoder(continues: continues))
            case .xz: .xz(XzDecoder())
            case .bzip2: .bzip2(Bzip2Decoder())
            case .lz4: .lz4(Lz4Decoder())
            case .utf16(let order): .utf16(UTF16Decoder(order))
            }
    }

    /// How much room a step needs at least, so that nothing stays inside when it fails.
    var roomMin: Int {
        switch self {
        case .plain: 1
        case .gzip: GzipDecoder.roomMin
        case .zstd: 1
        case .xz: 1
        case .bzip2: 1
        case .lz4: 1
        case .utf16: UTF16Decoder.roomMin
        }
    }

    /// Whether the input may end here: not within a member or frame.
    var mayEnd: Bool {
        switch self {
        case .plain: true
        case .gzip(let decoder): decoder.mayEnd
        case .zstd(let decoder): decoder.mayEnd
        case .xz(let decoder): decoder.mayEnd
        case .bzip2(let decoder): decoder.mayEnd
        case .lz4(let decoder): decoder.mayEnd
        case .utf16(let decoder): decoder.mayEnd
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
        case .xz(var decoder):
            let step = decoder.decode(input, source, into: &output, room)
            self = .xz(decoder)
            return step
        case .bzip2(var decoder):
            let step = decoder.decode(input, source, into: &output, room)
            self = .bzip2(decoder)
            return step
        case .lz4(var decoder):
            let step = decoder.decode(input, source, into: &output, room)
            self = .lz4(decoder)
            return step
        case .utf16(var decoder):
            let step = decoder.decode(input, source, into: &output, room)
            self = .utf16(decoder)
            return step
        }
    }
}
