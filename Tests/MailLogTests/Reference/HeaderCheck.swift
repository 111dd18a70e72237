import MailText

/// What holds for every header, however broken.
enum HeaderCheck {
    /// What did not hold.
    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    static func run(_ header: [UInt8]) throws {
        for bytesMax in [16 * 1_024, 40] {
            var decoder = HeaderDecoder(bytesMax: bytesMax)
            var text: [UInt8] = []
            let form = decoder.decode(header.span, into: &text)
            if HeaderDecoder.isPlain(header.span), header.count <= bytesMax {
                guard form == .plain || text == header else {
                    throw Violation(description: "a plain header was changed")
                }
            }
            guard form == .decoded else { continue }
            guard text.count <= max(4, bytesMax) else {
                throw Violation(description: "\(text.count) bytes, of at most \(bytesMax)")
            }
            guard String(validating: text, as: UTF8.self) != nil else {
                throw Violation(description: "no UTF-8: \(text)")
            }
            guard text.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
                throw Violation(description: "control characters: \(text)")
            }
            // The same decoder, with whatever it keeps, says the same again.
            var again: [UInt8] = []
            guard decoder.decode(header.span, into: &again) == form, again == text else {
                throw Violation(description: "another text the second time")
            }
            guard decoder.openCharsetCount <= 16 else {
                throw Violation(description: "\(decoder.openCharsetCount) open charsets")
            }
        }
    }
}
