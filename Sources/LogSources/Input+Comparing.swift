import SystemPackage

/// How the texts of two inputs are to each other.
public enum TextRelation: Hashable, Sendable {
    case different
    case same
    /// The first one's text is the beginning of the other's, as of a copy that was made before.
    case firstIsBeginning
    case secondIsBeginning
}

extension Input {
    /// Compares the texts byte by byte, up to where they differ or one ends.
    ///
    /// Of a damaged text, what can be read counts. Costs the reading of both as far as they are
    /// alike. Streams differ from everything, since they can be read only once; so do texts that
    /// differ within the first ``TextSummary/headBytesMax`` bytes, or of which one is shorter than
    /// that and the other is not.
    public func compareText(with other: Input) -> TextRelation {
        guard let head = comparableHead, head == other.comparableHead, !head.isEmpty,
            let first = try? open(readBytes: 65_536),
            let second = try? other.open(readBytes: 65_536)
        else { return .different }
        return compare(first, second)
    }

    /// The first bytes of the text, at most ``TextSummary/headBytesMax``; nil of a stream.
    public var comparableHead: [UInt8]? {
        switch place {
        case .file(let file): Self.head(of: file, encoding)
        case .member(let member): member.summary.head
        case .stream, .archiveStream, .journal: nil
        }
    }

    private func compare(_ first: any ByteStream, _ second: any ByteStream) -> TextRelation {
        var left = Window(first)
        var right = Window(second)
        while true {
            left.fill()
            right.fill()
            let count = min(left.count, right.count)
            guard count > 0 else {
                if left.count > 0 { return .secondIsBeginning }
                return right.count > 0 ? .firstIsBeginning : .same
            }
            guard left.prefix(count).elementsEqual(right.prefix(count)) else { return .different }
            left.start += count
            right.start += count
        }
    }

    /// A part of a text.
    private struct Window {
        private let stream: any ByteStream
        private var buffer: [UInt8]
        var start = 0
        private var end = 0

        init(_ stream: any ByteStream) {
            self.stream = stream
            buffer = [UInt8](repeating: 0, count: max(131_072, stream.roomMin))
        }

        var count: Int { end - start }

        mutating func fill() {
            guard start == end else { return }
            start = 0
            end = (try? stream.read(into: &buffer, 0..<buffer.count)) ?? 0
        }

        func prefix(_ count: Int) -> ArraySlice<UInt8> { buffer[start..<(start + count)] }
    }
}
