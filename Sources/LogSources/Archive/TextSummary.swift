/// What is kept of a text that was passed: its first bytes, its last ones, and how many there were.
struct TextSummary: Hashable, Sendable {
    /// Bytes kept of the front.
    static let headBytesMax = 4_096
    /// Bytes kept of the end.
    static let tailBytesMax = 2_048

    private(set) var head: [UInt8] = []
    private(set) var tail: [UInt8] = []
    private(set) var byteCount: UInt64 = 0

    /// Takes what follows.
    mutating func append(_ bytes: ArraySlice<UInt8>) {
        byteCount += UInt64(bytes.count)
        if head.count < Self.headBytesMax {
            head += bytes.prefix(Self.headBytesMax - head.count)
        }
        if bytes.count >= Self.tailBytesMax {
            tail = Array(bytes.suffix(Self.tailBytesMax))
        } else {
            let spare = tail.count + bytes.count - Self.tailBytesMax
            if spare > 0 { tail.removeFirst(spare) }
            tail += bytes
        }
    }

    /// Takes all that is left of a stream. Damage ends it; it is told of when the text is read.
    mutating func append(contentsOf stream: any ByteStream, buffer: inout [UInt8]) {
        while let count = try? stream.read(into: &buffer, 0..<buffer.count), count > 0 {
            append(buffer[..<count])
        }
    }

    /// Lines of the head, without newlines. The last may be the beginning of one.
    var firstLines: [[UInt8]] {
        Self.lines(head[...], isWhole: byteCount <= UInt64(head.count))
    }

    /// Whole lines at the end, without newlines, in their order.
    var lastLines: [[UInt8]] {
        guard UInt64(tail.count) < byteCount else { return Self.lines(tail[...], isWhole: true) }
        guard let start = tail.firstIndex(of: newline) else { return [] }
        return Self.lines(tail[(start + 1)...], isWhole: true)
    }

    private static func lines(_ bytes: ArraySlice<UInt8>, isWhole: Bool) -> [[UInt8]] {
        var bytes = bytes
        if bytes.last == newline { bytes.removeLast() } else if bytes.isEmpty { return [] }
        return bytes.split(separator: newline, omittingEmptySubsequences: false).map(Array.init)
    }
}

let newline = UInt8(ascii: "\n")
