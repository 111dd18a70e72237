/// Where something stands in a rule file. Lines and columns count from 1, columns in Unicode
/// scalars, as YAML parsers and editors count them.
public struct Place: Hashable, Sendable {
    public let file: String
    public let line: Int
    public let column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// The place `count` columns further on the same line.
    func advanced(by count: Int) -> Place {
        Place(file: file, line: line, column: column + count)
    }
}

/// One thing that is wrong (or, among the warnings, doubtful) in a rule file.
///
/// Mistakes are collected and shown together, never thrown one by one: an operator who fixes a
/// rule folder wants the whole list. The order of a list of mistakes is that of the files and, in
/// a file, of the lines.
public struct Mistake: Hashable, Sendable, CustomStringConvertible {
    public let place: Place
    /// What was expected, in one sentence without a full stop.
    public let message: String

    public var file: String { place.file }
    public var line: Int { place.line }
    public var column: Int { place.column }

    public init(_ message: String, at place: Place) {
        self.message = message
        self.place = place
    }

    /// `FILE:LINE:COLUMN: message`.
    public var description: String { "\(file):\(line):\(column): \(message)" }
}

/// The mistakes and warnings found so far.
struct MistakeList {
    var mistakes: [Mistake] = []
    var warnings: [Mistake] = []

    mutating func refuse(_ message: String, at place: Place) {
        mistakes.append(Mistake(message, at: place))
    }

    mutating func warn(_ message: String, at place: Place) {
        warnings.append(Mistake(message, at: place))
    }
}

extension [Mistake] {
    /// The same mistakes in the order of `files`, then of lines and columns; equal places keep
    /// their order.
    public func inFileOrder(of files: [String]) -> [Mistake] {
        var rank: [String: Int] = [:]
        for (position, file) in files.enumerated() where rank[file] == nil {
            rank[file] = position
        }
        func key(_ mistake: Mistake, _ position: Int) -> (Int, Int, Int, Int) {
            (rank[mistake.file] ?? files.count, mistake.line, mistake.column, position)
        }
        return enumerated()
            .sorted { key($0.element, $0.offset) < key($1.element, $1.offset) }
            .map(\.element)
    }
}
