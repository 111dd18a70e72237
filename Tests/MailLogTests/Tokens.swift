import Foundation
import TestSupport

/// What the mutation tests put into lines: the dictionary that the fuzzers use too.
enum Tokens {
    /// A word between quotes, in which `\\`, `\"` and `\xHH` are escapes, is a token
    /// (libFuzzer's documentation, "Dictionaries"); other lines are comments.
    static let all = Result<[[UInt8]], any Error> {
        let file = sourceTree.appendingPathComponent("Tests/Fuzz/tokens.dict")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            .filter { $0.hasPrefix("\"") && $0.hasSuffix("\"") }
            .map { unescape($0.dropFirst().dropLast()) }
    }

    private static func unescape(_ text: Substring) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
                bytes.append(byte)
                continue
            }
            if escaped == UInt8(ascii: "x") {
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                rest = rest.dropFirst(2)
                bytes.append(UInt8(digits, radix: 16) ?? 0)
            } else {
                bytes.append(escaped)
            }
        }
        return bytes
    }
}
