/// Reads boolean expressions: `not` binds tighter than `and`, `and` tighter than `or`.
///
/// Used for the conditions of rules and filters, where names are searches and `1 of x*` selects
/// several, and for those of temporal correlations, where names are rules.
struct ConditionParser {
    /// What an operand may be.
    enum Operand {
        case name(String)
        /// `1 of PATTERN` (any) or `all of PATTERN`.
        case selection(all: Bool, pattern: String)
    }

    indirect enum Expression {
        case operand(Operand, column: Int)
        case all([Expression])
        case any([Expression])
        case not(Expression)
    }

    struct Refusal: Error {
        let message: String
        /// Unicode scalars before the token in question.
        let column: Int
    }

    private struct Token {
        let text: String
        let column: Int
    }

    private let tokens: [Token]
    private let endColumn: Int
    private let allowsSelections: Bool
    private let depthMax: Int
    private var position = 0

    static func parse(
        _ text: String,
        allowsSelections: Bool,
        limits: RuleLimits
    ) throws(Refusal) -> Expression {
        var parser = try ConditionParser(text, allowsSelections, limits.conditionDepthMax)
        let expression = try parser.alternatives(depth: 1)
        if let token = parser.peek {
            throw Refusal(
                message: "expected `and`, `or` or the end, found `\(token.text)`",
                column: token.column
            )
        }
        return expression
    }

    private init(_ text: String, _ allowsSelections: Bool, _ depthMax: Int) throws(Refusal) {
        var tokens: [Token] = []
        var word = ""
        var column = 0
        func isWord(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_", "-", "*", ".": true
            default: false
            }
        }
        for scalar in text.unicodeScalars {
            if isWord(scalar) {
                word.unicodeScalars.append(scalar)
            } else {
                if !word.isEmpty {
                    tokens.append(Token(text: word, column: column - word.utf8.count))
                    word = ""
                }
                switch scalar {
                case "(", ")": tokens.append(Token(text: String(scalar), column: column))
                case " ", "\n", "\r", "\t": break
                case "|":
                    throw Refusal(
                        message: "`|` in a condition was replaced by correlation rules",
                        column: column
                    )
                default:
                    throw Refusal(
                        message: "`\(scalar)` has no meaning in a condition",
                        column: column
                    )
                }
            }
            column += 1
        }
        if !word.isEmpty { tokens.append(Token(text: word, column: column - word.utf8.count)) }
        self.tokens = tokens
        endColumn = column
        self.allowsSelections = allowsSelections
        self.depthMax = depthMax
    }

    private var peek: Token? { position < tokens.count ? tokens[position] : nil }

    private mutating func take(_ text: String) -> Bool {
        guard let token = peek else { return false }
        if token.text == text {
            position += 1
            return true
        }
        return false
    }

    private mutating func alternatives(depth: Int) throws(Refusal) -> Expression {
        var parts = [try conjunction(depth: depth)]
        while take("or") { parts.append(try conjunction(depth: depth)) }
        return parts.count == 1 ? parts[0] : .any(parts)
    }

    private mutating func conjunction(depth: Int) throws(Refusal) -> Expression {
        var parts = [try factor(depth: depth)]
        while take("and") { parts.append(try factor(depth: depth)) }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func factor(depth: Int) throws(Refusal) -> Expression {
        guard let token = peek else {
            throw Refusal(message: "the condition ends where a name is expected", column: endColumn)
        }
        guard depth <= depthMax else {
            throw Refusal(message: "nested deeper than \(depthMax) levels", column: token.column)
        }
        position += 1
        switch token.text {
        case "not":
            return .not(try factor(depth: depth + 1))
        case "(":
            let inner = try alternatives(depth: depth + 1)
            guard take(")") else {
                let column = peek?.column ?? endColumn
                throw Refusal(message: "expected `)`", column: column)
            }
            return inner
        case "and", "or", ")", "of":
            throw Refusal(message: "expected a name, found `\(token.text)`", column: token.column)
        default:
            return .operand(try operand(token), column: token.column)
        }
    }

    private mutating func operand(_ token: Token) throws(Refusal) -> Operand {
        if allowsSelections, peek?.text == "of" {
            guard ["1", "any", "all"].contains(token.text) else {
                throw Refusal(
                    message: "expected `1 of` or `all of`, found `\(token.text) of`",
                    column: token.column
                )
            }
            position += 1
            guard let pattern = peek, isName(pattern.text) || pattern.text.contains("*") else {
                let column = peek?.column ?? endColumn
                throw Refusal(message: "expected a name, a pattern or `them`", column: column)
            }
            position += 1
            return .selection(all: token.text == "all", pattern: pattern.text)
        }
        let lowered = token.text.lowercased()
        if lowered != token.text, ["and", "or", "not"].contains(lowered) {
            throw Refusal(message: "write `\(lowered)` in lower case", column: token.column)
        }
        guard !token.text.contains("*") else {
            throw Refusal(
                message: "a pattern needs `1 of` or `all of` before it",
                column: token.column
            )
        }
        return .name(token.text)
    }

    private func isName(_ text: String) -> Bool {
        !["and", "or", "not", "of", "(", ")"].contains(text)
    }
}
