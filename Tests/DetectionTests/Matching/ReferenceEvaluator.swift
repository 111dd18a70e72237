import Sigma

/// An event as tests write it.
enum PlainValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
}

/// Sigma's meaning, told slowly: no plan, no index, no memo, strings compared as arrays of scalars.
struct ReferenceEvaluator {
    let rules: RuleSet

    func matches(_ event: [String: PlainValue]) -> [Int] {
        rules.detections.indices.filter { index in
            let rule = rules.detections[index]
            return holds(rule.condition, rule.searches, event)
                && rule.filters.allSatisfy { filter in
                    holds(rules.filters[filter].condition, rules.filters[filter].searches, event)
                }
        }
    }

    private func holds(
        _ condition: Condition,
        _ searches: [Search],
        _ event: [String: PlainValue]
    ) -> Bool {
        switch condition {
        case .search(let index): holds(searches[index].clause, event)
        case .all(let parts): parts.allSatisfy { holds($0, searches, event) }
        case .any(let parts): parts.contains { holds($0, searches, event) }
        case .not(let inner): !holds(inner, searches, event)
        }
    }

    private func holds(_ clause: Clause, _ event: [String: PlainValue]) -> Bool {
        switch clause {
        case .all(let parts): parts.allSatisfy { holds($0, event) }
        case .any(let parts): parts.contains { holds($0, event) }
        case .test(let test):
            (test.demandsAll
                ? test.values.allSatisfy { holds($0, test.field, event) }
                : test.values.contains { holds($0, test.field, event) }) != test.isNegated
        }
    }

    private func holds(
        _ value: ValueTest,
        _ field: String?,
        _ event: [String: PlainValue]
    ) -> Bool {
        value.alternatives.contains { predicate in
            if let field { return holds(predicate, event[field], event) }
            return event.values.contains { holds(predicate, $0, event) }
        }
    }

    private func holds(
        _ predicate: Predicate,
        _ value: PlainValue?,
        _ event: [String: PlainValue]
    ) -> Bool {
        switch predicate {
        case .null: return value == nil || value == .null
        case .exists(let flag): return (value != nil) == flag
        case .boolean(let flag): return value == .bool(flag)
        case .number(let number): return text(value) == number.text
        case .text(let pattern, let cased):
            guard let text = text(value) else { return false }
            return fits(scalars(text, cased), pattern.parts[...], cased)
        case .comparison(let comparison, let number):
            guard let found = self.number(value) else { return false }
            return comparison.holds(found, number)
        case .network(let network):
            guard case .text(let text)? = value else { return false }
            return IPAddress(Array(text.utf8).span).map(network.contains) ?? false
        case .regex(let regex):
            guard let text = text(value) else { return false }
            return search(regex, text)
        case .field(let reference):
            guard let left = text(value), let right = text(event[reference.field]) else {
                return false
            }
            let a = scalars(left, reference.isCased)
            let b = scalars(right, reference.isCased)
            switch reference.relation {
            case .equal: return a == b
            case .startsWith: return a.starts(with: b)
            case .endsWith: return a.reversed().starts(with: b.reversed())
            case .contains: return (0...a.count).contains { a[$0...].starts(with: b) }
            }
        case .timePart(let part, let comparison, let wanted):
            // Only the times that the tests make.
            let text: String
            switch value {
            case .text(let written)?: text = written
            case .integer(.max)?: text = "292278994-08-17T07:12:55Z"
            case .integer(let seconds)? where seconds < 0: text = "1969-12-31T23:59:00Z"
            case .integer?: text = "1970-01-01T00:00:00Z"
            default: return false
            }
            guard text.hasSuffix(":00Z") || text.hasSuffix(":55Z") else { return false }
            let digits = text.split { !$0.isNumber }.compactMap { Int64($0) }
            let index: [TimePart: Int] = [.year: 0, .month: 1, .day: 2, .hour: 3, .minute: 4]
            guard let position = index[part] else { return false }
            return comparison.holds(digits[position], wanted)
        }
    }

    private func text(_ value: PlainValue?) -> String? {
        switch value {
        case nil, .null?: nil
        case .bool(let flag)?: flag ? "true" : "false"
        case .integer(let integer)?: "\(integer)"
        case .number(let real)?: Number(real).text
        case .text(let text)?: text
        }
    }

    private func number(_ value: PlainValue?) -> Number? {
        switch value {
        case nil, .null?, .bool?: nil
        case .integer(let integer)?: Number(integer)
        case .number(let real)?: Number(real)
        // The texts of the tests are decimal exactly when Int64 or Double can read them.
        case .text(let text)?: Int64(text).map { Number($0) } ?? Double(text).map { Number($0) }
        }
    }

    /// Of the letters in the tests, all but the final sigma fold to their lower case.
    private func scalars(_ text: String, _ cased: Bool) -> [Unicode.Scalar] {
        if cased { return Array(text.unicodeScalars) }
        return text.lowercased().unicodeScalars.map { $0 == "ς" ? "σ" : $0 }
    }

    private func fits(
        _ text: [Unicode.Scalar],
        _ parts: ArraySlice<TextPattern.Part>,
        _ cased: Bool
    ) -> Bool {
        guard let part = parts.first else { return text.isEmpty }
        let rest = parts.dropFirst()
        switch part {
        case .literal(let bytes):
            let literal = scalars(String(decoding: bytes, as: UTF8.self), cased)
            return text.starts(with: literal)
                && fits(Array(text.dropFirst(literal.count)), rest, cased)
        case .anyCharacter: return !text.isEmpty && fits(Array(text.dropFirst()), rest, cased)
        case .anyText:
            return (0...text.count).contains { fits(Array(text.dropFirst($0)), rest, cased) }
        }
    }

    /// The tests' expressions have the form `^?LITERAL$?`, with `.` for any character.
    private func search(_ regex: RegexPattern, _ text: String) -> Bool {
        var pattern = regex.pattern
        let isAtStart = pattern.hasPrefix("^") || regex.isAnchoredAtStart
        let isAtEnd = pattern.hasSuffix("$") || regex.isAnchoredAtEnd
        if pattern.hasPrefix("^") { pattern.removeFirst() }
        if pattern.hasSuffix("$") { pattern.removeLast() }
        var parts: [TextPattern.Part] = isAtStart ? [] : [.anyText]
        for scalar in pattern.unicodeScalars {
            parts.append(scalar == "." ? .anyCharacter : .literal(Array(String(scalar).utf8)))
        }
        if !isAtEnd { parts.append(.anyText) }
        let cased = !regex.ignoresCase
        return fits(scalars(text, cased), parts[...], cased)
    }
}
