/// The header of a syslog line, for tools that show whose line it is: stamp, host name, tag and
/// process ID. What it finds is shown and compared, and is no fact.
struct SyslogHeader {
    /// Byte offsets; empty where the line has no such part.
    var host = 0..<0
    var tag = 0..<0
    var processID = 0..<0
    /// Where the program's own text begins; 0 if the line has no such header.
    var textStart = 0

    var isPresent: Bool { textStart > 0 }

    /// The header is looked for in so many bytes.
    private static let bytesMax = 512

    init(_ line: Span<UInt8>) {
        let blank = UInt8(ascii: " ")
        let end = min(line.count, Self.bytesMax)
        func find(_ byte: UInt8, from start: Int) -> Int? {
            var index = start
            while index < end {
                if line[index] == byte { return index }
                index += 1
            }
            return nil
        }
        guard line.count > 20 else { return }
        let hostStart: Int
        if line[0] >= UInt8(ascii: "A") {
            // `Mmm dd hh:mm:ss `
            guard line[15] == blank else { return }
            hostStart = 16
        } else {
            // `YYYY-MM-DDThh:mm:ss… `
            guard line[10] == UInt8(ascii: "T"), let stampEnd = find(blank, from: 19) else {
                return
            }
            hostStart = stampEnd + 1
        }
        guard let hostEnd = find(blank, from: hostStart), hostEnd > hostStart else { return }
        var index = hostEnd + 1
        while index < end, line[index] != UInt8(ascii: "["), line[index] != UInt8(ascii: ":"),
            line[index] != blank
        { index += 1 }
        guard index > hostEnd + 1, index < end else { return }
        let tag = (hostEnd + 1)..<index
        var process = 0..<0
        if line[index] == UInt8(ascii: "[") {
            guard let close = find(UInt8(ascii: "]"), from: index) else { return }
            process = (index + 1)..<close
            index = close + 1
        }
        guard index + 1 < end, line[index] == UInt8(ascii: ":"), line[index + 1] == blank else {
            return
        }
        host = hostStart..<hostEnd
        self.tag = tag
        processID = process
        textStart = index + 2
    }
}
