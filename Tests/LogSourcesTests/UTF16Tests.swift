@testable import LogSources
import Records
import Testing

/// A text as UTF-16.
private func utf16(_ text: String, _ order: Encoding.ByteOrder, marked: Bool = true) -> [UInt8] {
    ((marked ? [0xFEFF] : []) + Array(text.utf16)).flatMap { unit in
        let bytes = [UInt8(truncatingIfNeeded: unit), UInt8(truncatingIfNeeded: unit >> 8)]
        return order == .little ? bytes : bytes.reversed()
    }
}

/// What the decoder makes of bytes that come in pieces of one size, into room of another.
private func decode(
    _ bytes: [UInt8],
    _ order: Encoding.ByteOrder,
    piece: Int,
    room: Int
) -> (text: [UInt8], mayEnd: Bool) {
    var decoder = UTF16Decoder(order)
    var text: [UInt8] = []
    var start = 0
    var output = [UInt8](repeating: 0, count: room)
    while start < bytes.count {
        let end = min(start + piece, bytes.count)
        let step = decoder.decode(bytes, start..<end, into: &output, 0..<room)
        #expect(step.damage == nil)
        #expect(step.consumed > 0)
        text += output[..<step.produced]
        start += step.consumed
    }
    return (text, decoder.mayEnd)
}

@Suite struct UTF16Tests {
    private let text = "a,é,漢,😀\r\n\u{FEFF}\u{0}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}z\n"

    /// Cut anywhere, also between the halves of a pair.
    @Test(arguments: [Encoding.ByteOrder.little, .big])
    func theTextDoesNotDependOnHowItIsCut(_ order: Encoding.ByteOrder) {
        for marked in [true, false] {
            let bytes = utf16(text, order, marked: marked)
            for piece in 1...9 {
                for room in [8, 9, 13, 64] {
                    let (decoded, mayEnd) = decode(bytes, order, piece: piece, room: room)
                    #expect(decoded == Array(text.utf8), "\(piece) \(room)")
                    #expect(mayEnd)
                }
            }
        }
    }

    @Test func halvesOfPairsBecomeReplacements() {
        // High, high, low; low; high before a letter.
        let units: [UInt16] = [0xD83D, 0xD83D, 0xDE00, 0xDE00, 0x41, 0xD800, 0x42, 0xDBFF, 0x0A]
        let bytes = units.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        let (decoded, _) = decode(bytes, .little, piece: 3, room: 8)
        #expect(String(decoding: decoded, as: UTF8.self) == "\u{FFFD}😀\u{FFFD}A\u{FFFD}B\u{FFFD}\n")
    }

    @Test func aTextMayNotEndWithinACharacter() {
        #expect(!decode([0x41, 0, 0x42], .little, piece: 8, room: 64).mayEnd)
        #expect(!decode([0x3D, 0xD8], .little, piece: 8, room: 64).mayEnd)
    }

    @Test(arguments: [Encoding.ByteOrder.little, .big])
    func theBeginningTellsUTF16(_ order: Encoding.ByteOrder) {
        let line = "origin_timestamp_utc,sender_address\r\n"
        #expect(Content(head: utf16(line, order)) == .text(.utf16(order)))
        #expect(Content(head: utf16(line, order, marked: false)) == .text(.utf16(order)))
        #expect(Content(head: utf16("漢字", order)) == .text(.utf16(order)))
        #expect(Content(head: Array(line.utf8)) == .text(.plain))
        #expect(Content(head: [0xFF, 0xFE, 0, 0, 0x41, 0, 0, 0]) != .text(.utf16(.little)))
        #expect(Content(head: [UInt8](repeating: 0, count: 64)) == .other("binary data"))
    }

    /// Alone, in a gzip file, and in an archive.
    @Test func inputsAreConvertedHoweverTheyArePacked() throws {
        let folder = try ScratchFolder()
        let line = "2026-03-01T10:00:00+00:00 mx1 postfix/smtpd[1]: Grüße 😀"
        let bytes = utf16(line + "\nx\n", .little)
        _ = try folder.file("a", bytes)
        _ = try folder.file("b.gz", gzip(bytes))
        let opened = try openInputs([folder.path])
        #expect(opened.skipped.isEmpty)
        #expect(opened.inputs.count == 2)
        for input in opened.inputs {
            let lines = input.peekFirstLines(maxBytes: 4_096)
            #expect(lines.map { String(decoding: $0, as: UTF8.self) } == [line, "x"])
        }
    }
}
