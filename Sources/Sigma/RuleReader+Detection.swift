/// The searches and condition of a detection rule or filter.
struct ReadSearches {
    var searches: [Search] = []
    var condition: Condition
    var placeholders: Set<String> = []
}

extension RuleReader {
    mutating func readDetection(_ map: RuleMap, text: String) {
        let head = head(map, text: text)
        let logsource = logsource(map)
        guard let detection = self.map(map, "detection") else { return }
        guard let read = searches(of: detection, named: "detection", except: ["condition"]) else {
            return
        }
        let reference = RuleReference.detection(rules.detections.count)
        register(as: .rule(reference))
        rules.detections.append(
            DetectionRule(
                head: head,
                logsource: logsource,
                searches: read.searches,
                condition: read.condition,
                filters: [],
                placeholders: read.placeholders.sorted()
            )
        )
    }

    /// Reads every search of `map` but the keys of `except`, and the condition. Nil, with mistakes,
    /// when something is missing or wrong.
    mutating func searches(
        of map: RuleMap,
        named name: String,
        except reserved: [String]
    ) -> ReadSearches? {
        let mistakesBefore = findings.mistakes.count
        var searches: [Search] = []
        var used: Set<String> = []
        for entry in map.entries where !reserved.contains(entry.key) {
            if entry.key == "timeframe" {
                findings.warn(
                    "`timeframe` has no effect; write a correlation rule",
                    at: entry.keyPlace
                )
                continue
            }
            if let clause = clause(entry.value, used: &used) {
                searches.append(Search(name: entry.key, place: entry.keyPlace, clause: clause))
            } else {
                // The mistake is reported; the name stays known to the condition.
                let place = entry.keyPlace
                searches.append(Search(name: entry.key, place: place, clause: .all([])))
            }
        }
        guard let conditionTree = map["condition"] else {
            findings.refuse("`\(name)` has no `condition`", at: map.place)
            return nil
        }
        if searches.isEmpty {
            findings.refuse("`\(name)` has no search", at: map.place)
            return nil
        }
        var usedSearches: Set<Int> = []
        var conditions: [Condition] = []
        // A list of conditions is a rule that matches when one of them holds.
        let trees: [YAMLTree]
        if case .list(let items) = conditionTree.content {
            trees = items
        } else {
            trees = [conditionTree]
        }
        for tree in trees {
            if let condition = condition(tree, over: searches, used: &usedSearches) {
                conditions.append(condition)
            }
        }
        if trees.isEmpty { findings.refuse("`condition` is empty", at: conditionTree.place) }
        guard findings.mistakes.count == mistakesBefore, let first = conditions.first else {
            return nil
        }
        for (index, search) in searches.enumerated() where !usedSearches.contains(index) {
            findings.warn("the condition does not use `\(search.name)`", at: search.place)
        }
        return ReadSearches(
            searches: searches,
            condition: conditions.count == 1 ? first : .any(conditions),
            placeholders: used
        )
    }

    private mutating func clause(_ tree: YAMLTree, used: inout Set<String>) -> Clause? {
        switch tree.content {
        case .map(let pairs):
            let map = RuleMap(pairs, at: tree.place)
            guard !map.entries.isEmpty else {
                findings.refuse("an empty map matches nothing", at: tree.place)
                return nil
            }
            var tests: [Clause] = []
            for entry in map.entries {
                let key = ValueReader.Key(entry.key, at: entry.keyPlace, shift: entry.keyShift)
                if let test = test(key, entry.value, used: &used) { tests.append(.test(test)) }
            }
            return tests.count == map.entries.count ? .all(tests) : nil
        case .list(let items):
            guard !items.isEmpty else {
                findings.refuse("an empty list matches nothing", at: tree.place)
                return nil
            }
            if items.allSatisfy({ $0.scalar != nil }) {
                let key = ValueReader.Key("", at: tree.place, shift: nil)
                return test(key, tree, used: &used).map(Clause.test)
            }
            var clauses: [Clause] = []
            for item in items {
                if let clause = clause(item, used: &used) { clauses.append(clause) }
            }
            return clauses.count == items.count ? .any(clauses) : nil
        case .scalar:
            let key = ValueReader.Key("", at: tree.place, shift: nil)
            return test(key, tree, used: &used).map(Clause.test)
        }
    }

    private mutating func test(
        _ key: ValueReader.Key,
        _ value: YAMLTree,
        used: inout Set<String>
    ) -> FieldTest? {
        var reader = ValueReader(placeholders: placeholders, limits: limits)
        let test = reader.test(key, value)
        findings.mistakes += reader.findings.mistakes
        findings.warnings += reader.findings.warnings
        used.formUnion(reader.usedPlaceholders)
        expressions += reader.expressions
        return test
    }

    private mutating func condition(
        _ tree: YAMLTree,
        over searches: [Search],
        used: inout Set<Int>
    ) -> Condition? {
        guard let scalar = tree.scalar, !scalar.isNull else {
            findings.refuse("`condition` must be text, not \(tree.kindName)", at: tree.place)
            return nil
        }
        func place(_ column: Int) -> Place {
            scalar.textColumnShift.map { tree.place.advanced(by: $0 + column) } ?? tree.place
        }
        do {
            let expression = try ConditionParser.parse(
                scalar.text,
                allowsSelections: true,
                limits: limits
            )
            return resolve(expression, over: searches, used: &used, place: place)
        } catch {
            findings.refuse(error.message, at: place(error.column))
            return nil
        }
    }

    private mutating func resolve(
        _ expression: ConditionParser.Expression,
        over searches: [Search],
        used: inout Set<Int>,
        place: (Int) -> Place
    ) -> Condition? {
        switch expression {
        case .operand(.name(let name), let column):
            guard let index = searches.firstIndex(where: { $0.name == name }) else {
                findings.refuse(
                    "there is no search `\(name)`\(hint(for: name, among: searches.map(\.name)))",
                    at: place(column)
                )
                return nil
            }
            used.insert(index)
            return .search(index)
        case .operand(.selection(let all, let pattern), let column):
            // As in pySigma, a name that begins with `_` is meant only by a pattern that does.
            let indices = searches.indices.filter { index in
                let name = searches[index].name
                return (pattern == "them" || Self.fits(name, pattern))
                    && (!name.hasPrefix("_") || pattern.hasPrefix("_"))
            }
            guard !indices.isEmpty else {
                findings.refuse("no search fits `\(pattern)`", at: place(column))
                return nil
            }
            used.formUnion(indices)
            let conditions = indices.map(Condition.search)
            return conditions.count == 1 ? conditions[0] : all ? .all(conditions) : .any(conditions)
        case .all(let parts):
            let conditions = parts.compactMap { part in
                resolve(part, over: searches, used: &used, place: place)
            }
            return conditions.count == parts.count ? .all(conditions) : nil
        case .any(let parts):
            let conditions = parts.compactMap { part in
                resolve(part, over: searches, used: &used, place: place)
            }
            return conditions.count == parts.count ? .any(conditions) : nil
        case .not(let inner):
            return resolve(inner, over: searches, used: &used, place: place).map(Condition.not)
        }
    }

    /// Whether `name` fits a pattern with `*`. O(length of name × length of pattern).
    static func fits(_ name: String, _ pattern: String) -> Bool {
        let name = Array(name.utf8)
        let pattern = Array(pattern.utf8)
        // reach[i]: the pattern read so far fits the first i bytes of the name.
        var reach = [true] + [Bool](repeating: false, count: name.count)
        for byte in pattern {
            var next = [Bool](repeating: false, count: name.count + 1)
            if byte == UInt8(ascii: "*") {
                var isReached = false
                for index in reach.indices {
                    isReached = isReached || reach[index]
                    next[index] = isReached
                }
            } else {
                for index in name.indices where reach[index] && name[index] == byte {
                    next[index + 1] = true
                }
            }
            reach = next
        }
        return reach[name.count]
    }
}
