@_spi(_Unicode) import Swift
import TestSupport

@testable import MailText

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// What a fresh decoder makes of a header.
func decoded(_ header: [UInt8], bytesMax: Int = 16 * 1024) -> [UInt8] {
    var decoder = HeaderDecoder(bytesMax: bytesMax)
    var out: [UInt8] = []
    return decoder.decode(header.span, into: &out) == .plain ? header : out
}

func decoded(_ header: String) -> String { text(decoded(bytes(header))) }

func payload(_ subject: [UInt8], from start: Int = 0) -> [UInt8] {
    var out: [UInt8] = []
    Canonical.payload(subject.span, from: start, into: &out)
    return out
}

func caseless(_ subject: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    CaselessText.append(subject.span, to: &out)
    return out
}

func isUTF8(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

struct EncodedSubject {
    let kind: ReceiptKind
    let logged: String
    let decoded: String

    static let all: [EncodedSubject] = {
        let lines = encodedSubjectsGolden.split(separator: "\n").map(String.init)
        return stride(from: 0, to: lines.count - 2, by: 3).map { line in
            EncodedSubject(
                kind: lines[line] == "read" ? .read : .notRead,
                logged: lines[line + 1],
                decoded: lines[line + 2]
            )
        }
    }()
}

extension SeededGenerator {
    /// `original` with one to four bytes changed, left out, put in or doubled, and perhaps cut.
    mutating func mutated(_ original: [UInt8]) -> [UInt8] {
        let marks = bytes("=?_ :-@\"\\().;<>\t\n*") + [0, 0x7F, 0x80, 0xC3, 0xED, 0xF4, 0xFF]
        var mutant = original
        for _ in 0..<Int.random(in: 1...4, using: &self) where !mutant.isEmpty {
            let place = mutant.indices.randomElement(using: &self) ?? 0
            let mark =
                Bool.random(using: &self)
                ? marks.randomElement(using: &self) ?? 0 : UInt8.random(in: 0...255, using: &self)
            switch Int.random(in: 0...4, using: &self) {
            case 0: mutant[place] = mark
            case 1: mutant.remove(at: place)
            case 2: mutant.insert(mark, at: place)
            case 3: mutant.insert(contentsOf: mutant[place...].prefix(7), at: place)
            default: mutant.removeLast(mutant.count - place)
            }
        }
        return mutant
    }
}

/// `text` with its letters and marks apart, as macOS writes them (NFD).
func decomposed(_ text: String) -> String {
    String(String.UnicodeScalarView(text._nfd))
}
