/// Where something stands in a settings file. Lines and columns count from 1, columns in Unicode
/// scalars, as YAML parsers and editors count them.
struct Place: Hashable, Sendable {
    var line: Int
    var column: Int

    static let start = Place(line: 1, column: 1)
}

/// One thing that is wrong in a settings file.
public struct Mistake: Hashable, Sendable, CustomStringConvertible {
    public let file: String
    /// Counts from 1.
    public let line: Int
    /// Counts from 1, in Unicode scalars.
    public let column: Int
    /// What was expected, in one sentence without a full stop. What it quotes from the file is cut
    /// and free of control characters.
    public let message: String

    init(_ message: String, file: String, at place: Place) {
        self.file = file
        line = place.line
        column = place.column
        self.message = message
    }

    /// `FILE:LINE:COLUMN: message`.
    public var description: String { "\(file):\(line):\(column): \(message)" }
}

/// A word of the file as a message shows it: between backticks, at most 60 characters, with
/// whatever is not visible written as `\u{…}`.
func quoted(_ text: String) -> String {
    var safe = ""
    for (count, scalar) in text.unicodeScalars.enumerated() {
        if count == 60 {
            safe += "…"
            break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate,
            .unassigned:
            safe += "\\u{" + String(scalar.value, radix: 16) + "}"
        default:
            safe.unicodeScalars.append(scalar)
        }
    }
    return "`" + safe + "`"
}
