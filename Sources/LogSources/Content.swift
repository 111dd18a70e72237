/// What a file is, told by its first bytes.
enum Content: Hashable, Sendable {
    case empty
    case text(Encoding)
    /// A journal file.
    case journal
    /// No log; in words for the operator.
    case other(String)

    /// How many bytes are looked at.
    static let headBytes = 4_096

    /// - Parameter head: the first bytes of the file, ``headBytes`` unless it is shorter.
    init(head: [UInt8]) {
        if head.isEmpty {
            self = .empty
        } else if head.starts(with: [0x1f, 0x8b, 8]) {
            self = .text(.gzip)
        } else if head.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) || Self.isSkippableFrame(head) {
            self = .text(.zstd)
        } else if head.starts(with: JournalFileHead.signature) {
            self = .journal
        } else if ExportParser.isExport(head) {
            // With binary fields, it may have any bytes.
            self = .text(.plain)
        } else if let known = Self.magics.first(where: { head.starts(with: $0.0) }) {
            self = .other(known.1)
        } else if Self.isBinary(head[...]) {
            self = .other("binary data")
        } else {
            self = .text(.plain)
        }
    }

    /// RFC 8878, 3.1.2: 0x184D2A5? in little-endian order.
    private static func isSkippableFrame(_ head: [UInt8]) -> Bool {
        head.count >= 4 && head[0] & 0xf0 == 0x50 && head[1...3].elementsEqual([0x2a, 0x4d, 0x18])
    }

    private static let magics: [([UInt8], String)] = [
        (Array("\u{7f}ELF".utf8), "an ELF program"),
        ([0xfd] + Array("7zXZ".utf8) + [0], "xz"),
        (Array("BZh".utf8), "bzip2"),
        ([0x04, 0x22, 0x4d, 0x18], "lz4"),
        (Array("PK\u{3}\u{4}".utf8), "zip"),
        (Array("SQLite format 3\0".utf8), "an SQLite database"),
    ]

    /// Whether more than one byte in ten is a control character that no log line has.
    ///
    /// NUL counts as well, so a text whose start was lost and reads as zeros looks binary: see
    /// ``isLogBehindZeros(head:tail:)``.
    private static func isBinary(_ bytes: ArraySlice<UInt8>) -> Bool {
        let controls = bytes.count { byte in
            switch byte {
            case 9, 10, 11, 12, 13, 27: false
            case 0..<32, 127: true
            default: false
            }
        }
        return controls * 10 > bytes.count
    }

    /// Judges a file again by its end: after a crash, or when a writer without `O_APPEND` goes on
    /// behind a truncation, a log begins with zeros up to any length.
    static func isLogBehindZeros(head: [UInt8], tail: [UInt8]) -> Bool {
        let text = tail.drop { $0 == 0 }
        return head.allSatisfy { $0 == 0 } && !text.isEmpty && !isBinary(text)
    }
}
