/// Reads one line of a search: a key with its modifiers, and its values.
struct ValueReader {
    let placeholders: [String: [String]]
    let limits: RuleLimits
    var findings = MistakeList()
    var usedPlaceholders: Set<String> = []
    var expressions: [WrittenExpression] = []

    /// The key of a line; an empty one is that of plain keywords.
    struct Key {
        let field: String?
        let place: Place
        let modifiers: [(name: String, place: Place)]

        /// `shift`: see `YAMLScalar.textColumnShift`.
        init(_ text: String, at place: Place, shift: Int?) {
            let parts = text.split(separator: "|", omittingEmptySubsequences: false)
            field = parts[0].isEmpty ? nil : String(parts[0])
            self.place = place
            var column = parts[0].unicodeScalars.count + 1
            var modifiers: [(name: String, place: Place)] = []
            for part in parts.dropFirst() {
                let place = shift.map { place.advanced(by: $0 + column) } ?? place
                modifiers.append((String(part), place))
                column += part.unicodeScalars.count + 1
            }
            self.modifiers = modifiers
        }
    }

    init(placeholders: [String: [String]], limits: RuleLimits) {
        self.placeholders = placeholders
        self.limits = limits
    }

    /// Nil, with mistakes, when the line makes no sense.
    mutating func test(_ key: Key, _ tree: YAMLTree) -> FieldTest? {
        guard let chain = chain(key) else { return nil }
        let items: [YAMLTree]
        switch tree.content {
        case .scalar: items = [tree]
        case .list(let list): items = list
        case .map:
            findings.refuse("a value is a scalar or a list, not a map", at: tree.place)
            return nil
        }
        guard !items.isEmpty else {
            findings.refuse("an empty list matches nothing", at: tree.place)
            return nil
        }
        if items.count > 1, let exists = chain.first(where: { $0.modifier == .exists }) {
            findings.refuse("`exists` takes one value", at: exists.place)
            return nil
        }
        var values: [ValueTest] = []
        // A chain that fits no value is told once, not for every value.
        var refusals: Set<Mistake> = []
        for item in items {
            do {
                values.append(try value(item, chain, isKeyword: key.field == nil))
            } catch {
                if refusals.insert(error.mistake).inserted {
                    findings.mistakes.append(error.mistake)
                }
            }
        }
        guard values.count == items.count else { return nil }
        return FieldTest(
            field: key.field,
            place: key.place,
            demandsAll: chain.contains { $0.modifier == .all },
            isNegated: chain.contains { $0.modifier == .neq },
            values: values
        )
    }

    private mutating func chain(_ key: Key) -> [WrittenModifier]? {
        var chain: [WrittenModifier] = []
        var seen: Set<Modifier> = []
        var isRight = true
        for (name, place) in key.modifiers {
            guard let modifier = Modifier(name) else {
                let message =
                    name.isEmpty
                    ? "a modifier is missing"
                    : "there is no modifier `\(name)`\(hint(for: name, among: Modifier.names))"
                findings.refuse(message, at: place)
                isRight = false
                continue
            }
            if !seen.insert(modifier).inserted {
                findings.refuse("`\(name)` stands here twice", at: place)
                isRight = false
            }
            chain.append(WrittenModifier(modifier: modifier, name: name, place: place))
        }
        var isFirst = true
        for written in chain where isRight && written.modifier != .all && written.modifier != .neq {
            if !isFirst, [.re, .cidr, .exists].contains(written.modifier) {
                findings.refuse(
                    "`\(written.name)` must be the first modifier",
                    at: written.place
                )
                return nil
            }
            isFirst = false
        }
        let exists = chain.firstIndex { $0.modifier == .exists }
        if exists != nil, let other = chain.first(where: { $0.modifier == .all }) {
            findings.refuse("`all` makes no sense with `exists`", at: other.place)
            isRight = false
        }
        guard isRight else { return nil }
        return chain
    }

    private struct Refused: Error {
        let mistake: Mistake

        init(_ message: String, at place: Place) {
            mistake = Mistake(message, at: place)
        }
    }

    private mutating func value(
        _ tree: YAMLTree,
        _ chain: [WrittenModifier],
        isKeyword: Bool
    ) throws(Refused) -> ValueTest {
        guard let scalar = tree.scalar else {
            throw Refused("a value is a scalar, not \(tree.kindName)", at: tree.place)
        }
        let expands = chain.contains { $0.modifier == .expand }
        if expands { usedPlaceholders.formUnion(PlaceholderText.names(in: scalar.text)) }
        let kind = kind(of: scalar, isRegex: chain.contains { $0.modifier == .re })
        var value: ModifiedValue
        if expands, case .text = kind {
            value = ModifiedValue(PlaceholderText(scalar.text))
        } else {
            value = ModifiedValue(kind)
        }
        for written in chain {
            do {
                try value.apply(
                    written.modifier,
                    named: written.name,
                    placeholders: placeholders,
                    limits: limits
                )
            } catch {
                switch error {
                case .chain(let message): throw Refused(message, at: written.place)
                case .value(let message): throw Refused(message, at: tree.place)
                case .wildcards(let message):
                    let source = expands ? wildcardSource(scalar.text) : ""
                    throw Refused(message + source, at: tree.place)
                }
            }
        }
        let hasPosition = chain.contains {
            [.contains, .startsWith, .endsWith].contains($0.modifier)
        }
        var alternatives: [Predicate] = []
        var seen: Set<Predicate> = []
        for kind in value.kinds {
            if case .regex(let regex) = kind {
                expressions.append(WrittenExpression(pattern: regex, place: tree.place))
            }
            let predicate =
                isKeyword
                ? try keyword(kind, hasPosition: hasPosition, at: tree.place)
                : Self.predicate(kind)
            if seen.insert(predicate).inserted { alternatives.append(predicate) }
        }
        return ValueTest(alternatives: alternatives, place: tree.place)
    }

    /// Of a text with placeholders: which of them have a value with wildcards, as the end of a message.
    private func wildcardSource(_ text: String) -> String {
        let names = PlaceholderText.names(in: text).filter { name in
            placeholders[name]?.contains { TextPattern(sigma: $0).literal == nil } ?? false
        }
        guard let name = names.first else { return "" }
        return "; a value of the placeholder `%\(name)%` has some"
    }

    private func kind(of scalar: YAMLScalar, isRegex: Bool) -> ModifiedValue.Kind {
        switch scalar.value {
        case .text:
            isRegex
                ? .regex(RegexPattern(scalar.text))
                : .text(TextPattern(sigma: scalar.text), cased: false)
        case .number(let number): isRegex ? .regex(RegexPattern(scalar.text)) : .number(number)
        case .boolean(let boolean): .boolean(boolean)
        case .null: .null
        }
    }

    private static func predicate(_ kind: ModifiedValue.Kind) -> Predicate {
        switch kind {
        case .text(let pattern, let cased): .text(pattern, cased: cased)
        case .number(let number): .number(number)
        case .boolean(let boolean): .boolean(boolean)
        case .null: .null
        case .regex(let regex): .regex(regex)
        case .network(let network): .network(network)
        case .exists(let isThere): .exists(isThere)
        case .comparison(let comparison, let number): .comparison(comparison, number)
        case .field(let reference): .field(reference)
        case .time(let part, let comparison, let number): .timePart(part, comparison, number)
        }
    }

    /// A keyword is found anywhere in a field's text, unless a modifier says where.
    private func keyword(
        _ kind: ModifiedValue.Kind,
        hasPosition: Bool,
        at place: Place
    ) throws(Refused) -> Predicate {
        switch kind {
        case .text(let pattern, let cased):
            return .text(
                hasPosition ? pattern : pattern.open(before: true, behind: true),
                cased: cased
            )
        case .number(let number):
            let pattern = TextPattern(literal: Array(number.text.utf8))
            return .text(pattern.open(before: true, behind: true), cased: false)
        case .boolean(let boolean):
            let pattern = TextPattern(literal: Array(boolean.description.utf8))
            return .text(pattern.open(before: true, behind: true), cased: false)
        case .regex, .network: return Self.predicate(kind)
        case .null, .exists, .comparison, .field, .time:
            throw Refused("\(kind.name) needs a field", at: place)
        }
    }
}
