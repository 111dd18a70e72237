import LinuxIO

/// Finds where the frames of a zstd file end, without decompressing them (RFC 8878, 3.1.1 and
/// 3.1.2): it reads the headers of frames and blocks, and jumps over what is between.
struct ZstdFrames: ~Copyable {
    private let file: SharedFile
    private var buffer = [UInt8](repeating: 0, count: 18)

    init(_ file: SharedFile) { self.file = file }

    /// The end of the frame that begins at `start`.
    ///
    /// - Returns: nil if there is none, if the file ends within it, if it is longer than `bytesMax`,
    ///   or if it cannot be read: then a decoder is to find out.
    mutating func end(ofFrameAt start: UInt64, bytesMax: UInt64) -> UInt64? {
        let count = read(18, at: start)
        guard count >= 8 else { return nil }
        if buffer[0] & 0xf0 == 0x50, buffer[1...3].elementsEqual([0x2a, 0x4d, 0x18]) {
            return within(start + 8 + number(4, at: 4))
        }
        guard buffer[0...3].elementsEqual([0x28, 0xb5, 0x2f, 0xfd]) else { return nil }
        let descriptor = buffer[4]
        let isSingleSegment = descriptor & 0x20 != 0
        let contentSizeBytes: [UInt64] = [isSingleSegment ? 1 : 0, 2, 4, 8]
        let dictionaryBytes: [UInt64] = [0, 1, 2, 4]
        var position = start + 5 + (isSingleSegment ? 0 : 1)
        position += contentSizeBytes[Int(descriptor >> 6)] + dictionaryBytes[Int(descriptor & 3)]
        while position - start <= bytesMax {
            guard read(3, at: position) == 3 else { return nil }
            let header = number(3, at: 0)
            let size = header >> 3
            switch header >> 1 & 3 {
            case 0, 2: position += 3 + size
            case 1: position += 4
            default: return nil
            }
            if header & 1 == 1 {
                return within(position + (descriptor & 4 != 0 ? 4 : 0))
            }
        }
        return nil
    }

    private func within(_ end: UInt64) -> UInt64? { end <= file.size ? end : nil }

    /// Reads to the front of the buffer. Gives how many bytes there are.
    private mutating func read(_ count: Int, at offset: UInt64) -> Int {
        var filled = 0
        while filled < count {
            let place = offset + UInt64(filled)
            guard place < file.size,
                let got = try? file.descriptor.read(into: &buffer, filled..<count, at: place),
                got > 0
            else { break }
            filled += got
        }
        return filled
    }

    /// A little-endian number in the buffer.
    private func number(_ count: Int, at index: Int) -> UInt64 {
        buffer[index..<(index + count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
