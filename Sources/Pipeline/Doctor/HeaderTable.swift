import Detection
import Sigma

/// A `header_checks` table of Postfix, as its text says (header_checks(5), pcre_table(5),
/// regexp_table(5)): rules in order, of which the first that matches decides.
public struct HeaderTable: Sendable {
    /// `/PATTERN/FLAGS ACTION`.
    public struct Rule: Sendable, Equatable {
        /// The line of the table on which it begins, from 1.
        public var line: Int
        /// Without its delimiters.
        public var pattern: String
        /// It matches where the pattern does not (`!/PATTERN/`).
        public var isNegated: Bool
        public var ignoresCase: Bool
        var isMultiline = false
        var dotMatchesAll = false
        /// In upper case; empty for a rule that is not understood.
        public var action: String
        /// The rule lies within these, by their indices; each must match too.
        fileprivate var conditions: [Int] = []
        /// `if`: it only decides about those within.
        fileprivate var isCondition = false
    }

    /// What a table does with a header.
    public enum Answer: Sendable, Equatable {
        /// No rule matches.
        case none
        /// This rule decides.
        case rule(Rule)
        /// A rule before any that matches cannot be judged here.
        case unknown(Rule)
    }

    public private(set) var rules: [Rule] = []

    /// Reads a table of type `pcre` or `regexp`. Lines that are no rules are passed over, as Postfix
    /// passes them over with a warning.
    public init(_ text: String) {
        var open: [Int] = []
        for (number, line) in Self.logicalLines(text) {
            let words = line.split(separator: " ", maxSplits: 1)
            switch words.first?.lowercased() {
            case "endif": _ = open.popLast()
            case "if":
                guard words.count == 2 else { continue }
                var rule = Self.rule(String(words[1]), line: number)
                rule?.isCondition = true
                rule?.conditions = open
                if let rule {
                    rules.append(rule)
                    open.append(rules.count - 1)
                }
            default:
                guard var rule = Self.rule(line, line: number) else { continue }
                rule.conditions = open
                rules.append(rule)
            }
        }
    }

    /// Which rule decides about a header, given as one line.
    public func answer(to header: String) -> Answer {
        var isTrue: [Bool?] = []
        for rule in rules {
            let isWithin = rule.conditions.allSatisfy { isTrue[$0] != false }
            let isDoubtful = rule.conditions.contains { isTrue[$0] == nil }
            guard isWithin else {
                isTrue.append(false)
                continue
            }
            let matches = rule.matches(header)
            isTrue.append(isDoubtful ? (matches == false ? false : nil) : matches)
            if rule.isCondition { continue }
            guard let decides = isTrue[isTrue.count - 1] else { return .unknown(rule) }
            if decides { return .rule(rule) }
        }
        return .none
    }

    /// Lines that begin with white space go on from the one before; empty ones and comments do not
    /// count.
    private static func logicalLines(_ text: String) -> [(number: Int, line: String)] {
        var lines: [(number: Int, line: String)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let trimmed = trimmed(line)
            guard let first = trimmed.first, first != "#" else { continue }
            let isContinued = line.first == " " || line.first == "\t"
            if isContinued, !lines.isEmpty {
                lines[lines.count - 1].line += " " + trimmed
            } else {
                lines.append((index + 1, String(trimmed)))
            }
        }
        return lines
    }

    private static func rule(_ text: String, line: Int) -> Rule? {
        var rest = trimmed(text[...])
        var isNegated = false
        if rest.first == "!" {
            isNegated = true
            rest = trimmed(rest.dropFirst())
        }
        guard let delimiter = rest.first, delimiter.isPunctuation || delimiter.isSymbol else {
            return nil
        }
        var pattern = ""
        rest = rest.dropFirst()
        while let character = rest.first, character != delimiter {
            rest = rest.dropFirst()
            pattern.append(character)
            if character == "\\", let escaped = rest.first {
                rest = rest.dropFirst()
                if escaped == delimiter { pattern.removeLast() }
                pattern.append(escaped)
            }
        }
        guard rest.first == delimiter else { return nil }
        rest = rest.dropFirst()
        // Both kinds of table ignore case unless the flag `i` says otherwise; each flag toggles.
        var rule = Rule(
            line: line,
            pattern: pattern,
            isNegated: isNegated,
            ignoresCase: true,
            action: ""
        )
        while let flag = rest.first, flag.isLetter {
            rest = rest.dropFirst()
            switch flag {
            case "i": rule.ignoresCase.toggle()
            case "m": rule.isMultiline.toggle()
            case "s": rule.dotMatchesAll.toggle()
            default: break
            }
        }
        rule.action = trimmed(rest).uppercased()
        return rule
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first?.isWhitespace ?? false { text = text.dropFirst() }
        while text.last?.isWhitespace ?? false { text = text.dropLast() }
        return text
    }
}

extension HeaderTable.Rule {
    /// Whether the rule matches; nil if the pattern cannot be judged here.
    fileprivate func matches(_ header: String) -> Bool? {
        var regex = RegexPattern(pattern)
        regex.ignoresCase = ignoresCase
        regex.isMultiline = isMultiline
        regex.dotMatchesAll = dotMatchesAll
        return searchOnce(regex, in: Array(header.utf8)).map { $0 != isNegated }
    }

    /// The action without its text.
    public var verb: String { String(action.prefix { !$0.isWhitespace }) }

    /// Whether Postfix logs a header of which the rule decides: all actions but three do
    /// (`cleanup_act` in Postfix's cleanup_message.c).
    public var isLogged: Bool { !["DUNNO", "OK", "IGNORE", ""].contains(verb) }
}
