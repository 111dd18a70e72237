/// The archives whose members are read.
enum ArchiveFormat: Hashable, Sendable {
    case tar, zip
}

/// What a file is, told by its first bytes.
enum Content: Hashable, Sendable {
    case empty
    case text(Encoding)
    /// A journal file.
    case journal
    case archive(ArchiveFormat)
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
        } else if head.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) {
            self = .text(.zstd)
        } else if head.starts(with: JournalFileHead.signature) {
            self = .journal
        } else if ExportParser.isExport(head) {
            // With binary fields, it may have any bytes.
            self = .text(.plain)
        } else if Self.isSkippableFrame(head) {
            self = .text(Self.encodingBehindSkippableFrames(head))
        } else if head.starts(with: [0xfd] + Array("7zXZ".utf8) + [0]) {
            self = .text(.xz)
        } else if Self.isBzip2(head) {
            self = .text(.bzip2)
        } else if head.starts(with: Lz4Decoder.frameMagic)
            || head.starts(with: Lz4Decoder.legacyMagic)
        {
            self = .text(.lz4)
        } else if Self.isZip(head) {
            self = .archive(.zip)
        } else if Self.isTar(head) {
            self = .archive(.tar)
        } else if let order = Self.utf16(head) {
            self = .text(.utf16(order))
        } else if let known = Self.magics.first(where: { head.starts(with: $0.0) }) {
            self = .other(known.1)
        } else if Self.isBinary(head[...]) {
            self = .other("binary data")
        } else {
            self = .text(.plain)
        }
    }

    /// Whether the first bytes of a stream tell what it is, although more may come: a slow writer
    /// need not fill a head. A tar has no newline in its first block.
    static func isDecided(by head: [UInt8]) -> Bool {
        guard head.count >= 4 else { return false }
        switch Content(head: head) {
        case .empty: return false
        case .text(.plain): return head.contains(newline) || head.count >= tarHeaderBytes
        case .text, .archive, .journal: return true
        case .other: return head.count >= tarHeaderBytes
        }
    }

    /// RFC 8878, 3.1.2: 0x184D2A5? in little-endian order; lz4 has the same.
    private static func isSkippableFrame(_ head: some RandomAccessCollection<UInt8>) -> Bool {
        head.count >= 4 && head.prefix(1).allSatisfy { $0 & 0xf0 == 0x50 }
            && head.dropFirst().prefix(3).elementsEqual([0x2a, 0x4d, 0x18])
    }

    /// What follows skippable frames, as far as the head shows it; zstd if it does not.
    private static func encodingBehindSkippableFrames(_ head: [UInt8]) -> Encoding {
        var rest = head[...]
        while isSkippableFrame(rest), rest.count >= 8 {
            let size = rest.dropFirst(4).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(8 + size)
        }
        return rest.starts(with: Lz4Decoder.frameMagic) ? .lz4 : .zstd
    }

    /// `BZh`, a level, and the mark of a block or of the end.
    private static func isBzip2(_ head: [UInt8]) -> Bool {
        guard head.starts(with: Array("BZh".utf8)), head.count > 3 else { return false }
        let marks: [[UInt8]] = [
            [0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90],
        ]
        let rest = head[4...].prefix(6)
        return (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(head[3])
            && marks.contains { $0.starts(with: rest) }
    }

    /// A member's header, or the end of an archive without members (APPNOTE.TXT, 4.3.7 and 4.3.16).
    private static func isZip(_ head: [UInt8]) -> Bool {
        ["PK\u{3}\u{4}", "PK\u{5}\u{6}"].contains { head.starts(with: Array($0.utf8)) }
    }

    /// Bytes of a tar header; a head that is shorter cannot be one.
    static let tarHeaderBytes = 512

    /// A header block whose checksum holds: "the sum of all bytes in the header block, with those of
    /// the checksum taken as blanks" (POSIX pax, "ustar Interchange Format"). Old archives have no
    /// other mark. A few programs summed signed bytes.
    private static func isTar(_ head: [UInt8]) -> Bool {
        guard head.count >= tarHeaderBytes else { return false }
        let digits = head[148..<156].drop { $0 == UInt8(ascii: " ") }
            .prefix { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }
        guard !digits.isEmpty, head[0] != 0 else { return false }
        let expected = digits.reduce(0) { $0 << 3 | Int($1 - UInt8(ascii: "0")) }
        var sum = 8 * 32
        var signedSum = sum
        for index in 0..<tarHeaderBytes where !(148..<156).contains(index) {
            sum += Int(head[index])
            signedSum += Int(Int8(bitPattern: head[index]))
        }
        return expected == sum || expected == signedSum
    }

    /// Text of UTF-16: by its mark, or since every other byte of its beginning is zero, as reports of
    /// Microsoft 365 may come without one.
    private static func utf16(_ head: [UInt8]) -> Encoding.ByteOrder? {
        // With two zeros behind it, the mark is that of UTF-32.
        if head.starts(with: [0xff, 0xfe]), head.count < 4 || head[2] != 0 || head[3] != 0 {
            return .little
        }
        if head.starts(with: [0xfe, 0xff]) { return .big }
        let units = head.prefix(64)
        guard units.count >= 16 else { return nil }
        func isText(_ offset: Int) -> Bool {
            units.indices.allSatisfy { index in
                let byte = units[index]
                return index % 2 == offset ? byte >= 0x09 && byte < 0x7f : byte == 0
            }
        }
        return isText(0) ? .little : isText(1) ? .big : nil
    }

    private static let magics: [([UInt8], String)] = [
        (Array("\u{7f}ELF".utf8), "an ELF program"),
        (Array("SQLite format 3\0".utf8), "an SQLite database"),
        (Array("7z".utf8) + [0xbc, 0xaf, 0x27, 0x1c], "a 7z archive"),
        (Array("Rar!".utf8) + [0x1a, 0x07], "a RAR archive"),
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
