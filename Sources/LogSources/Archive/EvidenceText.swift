import Records
import SafeText

/// The raw lines of a bundle's `lines.log` (architecture §9), made from their escaped form.
///
/// A line that is not of that form is given as it stands: it is somebody's text all the same. One
/// that is longer than four times what a line may have cannot be of that form.
final class EvidenceText: ByteStream, @unchecked Sendable {
    private static let escapedBytesMax = 4 * SourceLimits.lineBytesMax

    private let upstream: any ByteStream
    private var buffer: [UInt8]
    /// A line whose end was not read yet.
    private var line: [UInt8] = []
    /// The beginning of this line was given, since it was too long.
    private var isLineBegun = false
    /// What was not given yet: `ready[readyStart...]`.
    private var ready: [UInt8] = []
    private var readyStart = 0
    private var damage: SourceProblem.Damage?
    private var isAtEnd = false

    init(_ upstream: any ByteStream, readBytes: Int) {
        self.upstream = upstream
        buffer = [UInt8](repeating: 0, count: max(readBytes, upstream.roomMin))
    }

    var roomMin: Int { 1 }
    var isRaw: Bool { false }
    var fileOffset: UInt64 { upstream.fileOffset }

    func read(
        into output: inout [UInt8],
        _ room: Range<Int>
    ) throws(SourceProblem.Damage) -> Int {
        while readyStart == ready.count {
            if let found = damage {
                damage = nil
                throw found
            }
            if isAtEnd { return 0 }
            ready.removeAll(keepingCapacity: true)
            readyStart = 0
            fill()
        }
        let count = min(ready.count - readyStart, room.count)
        let target = room.lowerBound..<(room.lowerBound + count)
        output.replaceSubrange(target, with: ready[readyStart..<(readyStart + count)])
        readyStart += count
        return count
    }

    private func fill() {
        var count = 0
        do {
            count = try upstream.read(into: &buffer, 0..<buffer.count)
        } catch {
            damage = error
            isAtEnd = true
        }
        if count == 0 {
            isAtEnd = true
            giveLine()
            return
        }
        var rest = buffer[..<count]
        while let end = rest.firstIndex(of: newline) {
            line += rest[..<end]
            giveLine()
            ready.append(newline)
            isLineBegun = false
            rest = rest[(end + 1)...]
        }
        line += rest
        if line.count > Self.escapedBytesMax {
            giveLine()
            isLineBegun = true
        }
    }

    private func giveLine() {
        ready += (isLineBegun ? nil : rawBytes(ofEscaped: line)) ?? line
        line.removeAll(keepingCapacity: true)
    }
}
