import Foundation

/// A line's bytes as text in which each byte is one character of the same number (ISO 8859-1), so that
/// places found by a regular expression are places in the line.
struct LineText {
    let text: String
    /// The same bytes.
    let units: [UInt8]
    var count: Int { units.count }

    init(_ bytes: [UInt8]) {
        text = String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        units = bytes
    }

    var whole: Range<Int> { 0..<count }

    func string(_ range: Range<Int>) -> String {
        (text as NSString).substring(with: NSRange(range))
    }
}

/// A regular expression over the bytes of a line. `.` is any byte, also a newline.
struct Pattern: @unchecked Sendable {
    // NSRegularExpression is immutable and safe to use from several threads, says its documentation.
    private let expression: NSRegularExpression

    init(_ pattern: String) {
        do {
            expression = try NSRegularExpression(
                pattern: pattern,
                options: .dotMatchesLineSeparators
            )
        } catch { preconditionFailure("\(pattern): \(error)") }
    }

    /// An expression that matches this text and nothing else.
    static func escaped(_ text: String) -> String {
        NSRegularExpression.escapedPattern(for: text)
    }

    struct Match {
        fileprivate let result: NSTextCheckingResult
        fileprivate let line: LineText

        /// Where the group of this name matched; nil if it took no part.
        subscript(name: String) -> Range<Int>? { Range(result.range(withName: name)) }

        /// What the group matched; empty if it took no part.
        func text(_ name: String) -> String { self[name].map(line.string) ?? "" }

        /// What it matched as a number, with or without blanks before it; 0 if it took no part.
        func number(_ name: String) -> Int {
            Int(text(name).trimmingCharacters(in: .whitespaces)) ?? 0
        }

        var whole: Range<Int> { Range(result.range) ?? 0..<0 }
    }

    /// The first match within a range of the line, whose bounds count as the text's.
    func match(_ line: LineText, _ range: Range<Int>) -> Match? {
        expression.firstMatch(in: line.text, range: NSRange(range)).map {
            Match(result: $0, line: line)
        }
    }

    func match(_ line: LineText) -> Match? { match(line, line.whole) }

    /// All matches, which do not overlap.
    func matches(_ line: LineText, _ range: Range<Int>) -> [Match] {
        expression.matches(in: line.text, range: NSRange(range)).map {
            Match(result: $0, line: line)
        }
    }
}
