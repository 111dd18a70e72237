import LinuxIO
import Records
import SystemPackage

/// An export of a journal that is read from its first entry to its last. The place of an entry is
/// the offset of its first byte in the text.
struct ExportReplay: ~Copyable, Sendable {
    let stream: any ByteStream
    private var parser: ExportParser
    private var reading: EntryReading
    private let path: FilePath
    private let file: FileNumber
    private var buffer: [UInt8]
    private let isStream: Bool

    /// - Parameter isStream: it may let us wait.
    init(
        _ stream: any ByteStream,
        _ path: FilePath,
        _ file: FileNumber,
        isStream: Bool,
        selection: JournalSelection
    ) {
        reading = EntryReading(selection, isLive: false)
        parser = ExportParser(matches: reading.trust.matches)
        buffer = [UInt8](repeating: 0, count: max(stream.roomMin, ReplayLimits.readBytes))
        self.stream = stream
        self.path = path
        self.isStream = isStream
        self.file = file
    }

    /// The line of the first entry that becomes one, if its end is in `head`.
    static func firstLine(of head: [UInt8]) -> [UInt8]? {
        var reading = EntryReading(JournalSelection(), isLive: false)
        var parser = ExportParser(matches: reading.trust.matches)
        var batch = Batch(byteCapacity: 2 * SourceLimits.lineBytesMax, lineCapacity: 1)
        parser.append(head[...])
        while batch.lines.isEmpty {
            guard parser.next() == .entry else { return nil }
            reading.take(parser.entry, position: parser.entryOffset, into: &batch)
        }
        return Array(batch.bytes[..<Int(batch.lines[0].length)])
    }

    /// Fills `batch`.
    ///
    /// - Returns: whether there is nothing more.
    mutating func fill(_ batch: inout Batch, notes: inout [SourceNote]) -> Bool {
        batch.removeAll()
        batch.file = file
        while batch.hasRoomForLine {
            switch parser.next() {
            case .entry:
                reading.take(parser.entry, position: parser.entryOffset, into: &batch)
                for suppressed in reading.takeSuppressed() { notes.append(.suppressed(suppressed)) }
            case .broken:
                end(.exportBroken, &notes)
                return true
            case .more:
                // What can be read only once may let us wait: lines that are here go on first.
                if isStream, !batch.lines.isEmpty { return false }
                if !readMore(&notes) { return true }
            }
        }
        return false
    }

    /// - Returns: false at the end.
    private mutating func readMore(_ notes: inout [SourceNote]) -> Bool {
        do {
            let count = try stream.read(into: &buffer, 0..<buffer.count)
            if count > 0 {
                parser.append(buffer[..<count])
                return true
            }
            end(parser.unfinishedBytes > 0 ? .exportBroken : nil, &notes)
        } catch {
            end(error, &notes)
        }
        return false
    }

    private mutating func end(_ damage: SourceProblem.Damage?, _ notes: inout [SourceNote]) {
        if let forged = reading.takeForged() { notes.append(.forged(forged)) }
        guard let damage else { return }
        notes.append(
            .damaged(
                SourceProblem(
                    path: path,
                    damage: damage,
                    fileOffset: stream.fileOffset,
                    textOffset: parser.offset,
                    withheldBytes: parser.unfinishedBytes
                )
            )
        )
    }
}
