/// The header of a syslog line, for tools that show whose line it is: stamp, host name, tag and
/// process ID. What it finds is shown and compared, and is no fact.
struct SyslogHeader {
    /// Byte offsets; empty where the line has no such part.
    var host = 0..<0
    var tag = 0..<0
    var processID = 0..<0
    /// Where the program's own text begins; 0 if the line has no such header.
    var textStart = 0
    private let line: [UInt8]

    init(_ text: Span<UInt8>) {
        // The header is short; the rest of a long line does not matter.
        line = text.extracting(0..<min(text.count, 1_024)).copied
        guard let hostStart = stampEnd() else { return }
        let blank = UInt8(ascii: " ")
        guard let hostEnd = line[hostStart...].firstIndex(of: blank), hostEnd > hostStart else {
            return
        }
        let tagStart = hostEnd + 1
        var index = tagStart
        while index < line.count, !Self.isTagEnd(line[index]) { index += 1 }
        guard index > tagStart, index < line.count else { return }
        let tagEnd = index
        var process = 0..<0
        if line[index] == UInt8(ascii: "[") {
            let start = index + 1
            guard let close = line[start...].firstIndex(of: UInt8(ascii: "]")) else { return }
            process = start..<close
            index = close + 1
        }
        guard index + 1 < line.count, line[index] == UInt8(ascii: ":"), line[index + 1] == blank
        else { return }
        host = hostStart..<hostEnd
        tag = tagStart..<tagEnd
        processID = process
        textStart = index + 2
    }

    private static func isTagEnd(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "[") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: " ")
    }

    /// Behind `Mmm dd hh:mm:ss ` or `YYYY-MM-DDThh:mm:ss… `.
    private func stampEnd() -> Int? {
        guard line.count > 20 else { return nil }
        if line[0] >= UInt8(ascii: "A") { return line[15] == UInt8(ascii: " ") ? 16 : nil }
        guard line[10] == UInt8(ascii: "T"), let blank = line.firstIndex(of: UInt8(ascii: " "))
        else { return nil }
        return blank + 1
    }

    func string(_ range: Range<Int>) -> String { String(decoding: line[range], as: UTF8.self) }

    var isPresent: Bool { textStart > 0 }
}
