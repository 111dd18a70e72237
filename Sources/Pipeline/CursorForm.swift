import Records

/// The stored form of a cursor: version 2 of a file, 3 of a journal. Version 1 of a file had no time
/// of modification.
enum CursorForm {
    static func write(_ cursor: Cursor, to writer: inout BinaryWriter) {
        switch cursor {
        case .file(let cursor):
            writer.write(UInt8(2))
            writer.write(cursor.identity.device)
            writer.write(cursor.identity.inode)
            writer.write(cursor.identity.headDigest)
            writer.write(cursor.identity.headByteCount)
            writer.write(cursor.offset)
            writer.write(cursor.modifiedMicroseconds)
        case .journal(let cursor):
            writer.write(UInt8(3))
            writer.write(cursor.text)
            writer.write(cursor.realtimeMicroseconds)
        }
    }

    static func read(_ reader: inout BinaryReader) throws(BinaryReadError) -> Cursor {
        let version = try reader.read(UInt8.self)
        switch version {
        case 1, 2:
            let identity = FileIdentity(
                device: try reader.read(UInt64.self),
                inode: try reader.read(UInt64.self),
                headDigest: try reader.read(UInt64.self),
                headByteCount: try reader.read(UInt32.self)
            )
            let offset = try reader.read(UInt64.self)
            let modified = version == 1 ? 0 : try reader.read(Int64.self)
            try reader.finish()
            return .file(
                FileCursor(identity: identity, offset: offset, modifiedMicroseconds: modified)
            )
        case 3:
            let text = try reader.readString()
            let realtime = try reader.read(Int64.self)
            try reader.finish()
            return .journal(JournalCursor(text: text, realtimeMicroseconds: realtime))
        default:
            throw BinaryReadError(offset: 0, expected: "a cursor of version 1 to 3")
        }
    }
}
