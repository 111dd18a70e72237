import CLz4

/// Reads the blocks of a legacy lz4 frame (LZ4 Frame Format 1.6.3, "Legacy frame"): each has its
/// compressed size in four bytes and holds at most 8 MiB of text; the frame ends with the file or
/// where another frame's magic number stands in place of a size.
///
/// Without a checksum and an end mark, a cut between two blocks cannot be told from an end.
struct Lz4LegacyFrame: Sendable {
    enum Outcome {
        /// The step is done; there may be more.
        case more
        /// These four bytes open the next frame, or are rubbish.
        case ended(next: [UInt8])
    }

    private static let blockBytesMax = 8 << 20
    /// LZ4_COMPRESSBOUND.
    private static let packedBytesMax = blockBytesMax + blockBytesMax / 255 + 16

    private var size: [UInt8] = []
    private var packed: [UInt8] = []
    private var packedCount = 0
    private var text: [UInt8] = []
    private var textStart = 0
    private var textEnd = 0

    var mayEnd: Bool { size.isEmpty && textStart == textEnd }

    mutating func begin() {
        size = []
        packed = []
    }

    mutating func decode(
        _ input: [UInt8],
        _ rest: Range<Int>,
        into output: inout [UInt8],
        _ room: Range<Int>,
        _ step: inout DecodeStep
    ) -> Outcome {
        var rest = rest
        while true {
            if textStart < textEnd {
                put(into: &output, room, &step)
                return .more
            }
            if size.count < 4 {
                take(4 - size.count, of: input, &rest, into: &size, &step)
                guard size.count == 4 else { return .more }
                packedCount = size.reversed().reduce(0) { $0 << 8 | Int($1) }
                packed = []
                if packedCount > Self.packedBytesMax {
                    let next = size
                    size = []
                    return .ended(next: next)
                }
            }
            take(packedCount - packed.count, of: input, &rest, into: &packed, &step)
            guard packed.count == packedCount else { return .more }
            size = []
            guard decodeBlock() else {
                step.damage = .corrupt("invalid lz4 block")
                return .more
            }
        }
    }

    private func take(
        _ wanted: Int,
        of input: [UInt8],
        _ rest: inout Range<Int>,
        into bytes: inout [UInt8],
        _ step: inout DecodeStep
    ) {
        let count = min(wanted, rest.count)
        bytes += input[rest.lowerBound..<(rest.lowerBound + count)]
        rest = (rest.lowerBound + count)..<rest.upperBound
        step.consumed += count
    }

    private mutating func put(
        into output: inout [UInt8],
        _ room: Range<Int>,
        _ step: inout DecodeStep
    ) {
        let count = min(textEnd - textStart, room.count)
        let target = room.lowerBound..<(room.lowerBound + count)
        output.replaceSubrange(target, with: text[textStart..<(textStart + count)])
        textStart += count
        step.produced = count
    }

    private mutating func decodeBlock() -> Bool {
        if text.isEmpty { text = [UInt8](repeating: 0, count: Self.blockBytesMax) }
        let count = unsafe packed.withUnsafeBytes { source in
            unsafe text.withUnsafeMutableBytes { target in
                // SAFETY: the counts are those of the buffers, which LZ4_decompress_safe holds to
                // whatever the input says.
                unsafe LZ4_decompress_safe(
                    source.baseAddress?.assumingMemoryBound(to: CChar.self),
                    target.baseAddress?.assumingMemoryBound(to: CChar.self),
                    CInt(source.count),
                    CInt(target.count)
                )
            }
        }
        textStart = 0
        textEnd = max(0, Int(count))
        return count >= 0
    }
}
