public import LogSources
public import Records

/// The files of one source in all runs on one state: a record that was read before a restart keeps its file.
///
/// Numbers of the present run are those of its ``FileTable`` plus ``base``.
public struct FileList: Sendable {
    private var earlier: [UInt32: FileDescription] = [:]
    private(set) var base: UInt32 = 0
    private var stored: Set<UInt32> = []
    private(set) var table: FileTable

    public init(table: FileTable) { self.table = table }

    /// The source is read again, with a table of its own for what it reads now.
    mutating func resume(with table: FileTable) {
        precondition(self.table.count == 0)
        self.table = table
    }

    /// The number of a file of the present run.
    func number(_ file: FileNumber) -> FileNumber { FileNumber(base + file.rawValue) }

    /// What stands behind a number of any run.
    public subscript(number: FileNumber) -> FileDescription? {
        if number.rawValue >= base { return table[FileNumber(number.rawValue - base)] }
        return earlier[number.rawValue]
    }

    // MARK: Stored form

    /// The pieces of the files that are not stored yet.
    mutating func takeNewPieces(of source: SourceNumber) -> [(key: [UInt8], body: [UInt8])] {
        var pieces: [(key: [UInt8], body: [UInt8])] = []
        for index in 0..<UInt32(table.count) {
            let number = FileNumber(base + index)
            if let piece = takePiece(of: number, source) { pieces.append(piece) }
        }
        return pieces
    }

    private mutating func takePiece(
        of number: FileNumber,
        _ source: SourceNumber
    ) -> (key: [UInt8], body: [UInt8])? {
        guard stored.insert(number.rawValue).inserted, let file = self[number] else { return nil }
        var key = BinaryWriter(reserving: 6)
        key.write(source.rawValue)
        key.write(number.rawValue)
        var body = BinaryWriter()
        body.write(UInt8(1))
        body.write(file.path)
        body.write(file.identity != nil)
        body.write(file.identity?.device ?? 0)
        body.write(file.identity?.inode ?? 0)
        body.write(file.identity?.headDigest ?? 0)
        body.write(file.identity?.headByteCount ?? 0)
        return (key.bytes, body.bytes)
    }

    /// The source whose file a piece is. A key of the first version has none: there was one source.
    static func source(ofKey key: [UInt8]) throws(BinaryReadError) -> SourceNumber {
        guard key.count > 4 else { return SourceNumber(0) }
        var reader = BinaryReader(key)
        return SourceNumber(try reader.read(UInt16.self))
    }

    mutating func restore(key: [UInt8], body: [UInt8]) throws(BinaryReadError) {
        var keyReader = BinaryReader(key)
        if key.count > 4 { _ = try keyReader.read(UInt16.self) }
        let number = try keyReader.read(UInt32.self)
        try keyReader.finish()
        var reader = BinaryReader(body)
        _ = try reader.read(UInt8.self)
        let path = try reader.readString()
        let hasIdentity = try reader.readBool()
        let device = try reader.read(UInt64.self)
        let inode = try reader.read(UInt64.self)
        let digest = try reader.read(UInt64.self)
        let count = try reader.read(UInt32.self)
        earlier[number] = FileDescription(
            path: path,
            identity: hasIdentity
                ? FileIdentity(
                    device: device,
                    inode: inode,
                    headDigest: digest,
                    headByteCount: count
                ) : nil,
            timeHint: .none
        )
        stored.insert(number)
        base = max(base, number + 1)
    }
}
