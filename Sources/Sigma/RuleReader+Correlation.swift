/// What a correlation says of other rules, before they are all known.
struct PendingCorrelation {
    let rules: [RuleReader.Mention]
    let aliases: [Alias]
    /// Names in place of positions in `rules`.
    let condition: ConditionParser.Expression?

    struct Alias {
        let name: String
        let place: Place
        let fields: [(rule: RuleReader.Mention, field: String)]
    }
}

extension RuleReader {
    mutating func readCorrelation(_ map: RuleMap, text: String) {
        let head = head(map, text: text)
        guard let correlation = self.map(map, "correlation") else { return }
        let mistakesBefore = findings.mistakes.count
        refuseUnknownKeys(
            of: correlation,
            named: "correlation",
            known: [
                "type", "rules", "group-by", "timespan", "condition", "aliases", "generate",
            ]
        )
        guard correlation["type"] != nil else {
            findings.refuse("`correlation` has no `type`", at: correlation.place)
            return
        }
        let kind = choice(correlation, "type", of: CorrelationRule.Kind.self)
        if correlation["timespan"] == nil {
            findings.refuse("`correlation` has no `timespan`", at: correlation.place)
        }
        let timespanSeconds = timespan(correlation, "timespan")
        let groupBy = texts(correlation, "group-by") ?? []
        refuseRepetitions(groupBy, of: "group-by")
        let generate = generate(map, correlation)
        let aliases = aliases(correlation)
        var names = texts(correlation, "rules")
        if let names { refuseRepetitions(names, of: "rules") }
        guard let kind else { return }

        var expression: ConditionParser.Expression?
        var trigger = CorrelationRule.Trigger.everyRule
        var fieldPlaces: [Place] = []
        switch correlation["condition"]?.content {
        case nil:
            if !kind.isTemporal {
                findings.refuse("`correlation` has no `condition`", at: correlation.place)
            }
        case .map(let pairs)?:
            let condition = RuleMap(pairs, at: correlation["condition"]?.place ?? correlation.place)
            if let (figure, places) = figure(condition, kind: kind, ruleCount: names?.count ?? 0) {
                trigger = figure
                fieldPlaces = places
            }
        case .scalar(let scalar)? where !scalar.isNull && kind.isTemporal:
            expression = ruleExpression(scalar, correlation, names: &names)
        case .scalar?, .list?:
            let place = correlation["condition"]?.place ?? correlation.place
            let expected = kind.isTemporal ? "text or left out" : "a map such as `gte: 3`"
            findings.refuse("the condition of `\(kind.rawValue)` must be \(expected)", at: place)
        }
        if names?.isEmpty ?? (correlation["rules"] == nil) {
            findings.refuse("`correlation` has no `rules`", at: correlation.place)
        }
        guard findings.mistakes.count == mistakesBefore, let names, let timespanSeconds else {
            return
        }
        let reference = RuleReference.correlation(rules.correlations.count)
        register(as: .rule(reference))
        pendingCorrelations.append(
            PendingCorrelation(rules: names, aliases: aliases, condition: expression)
        )
        rules.correlations.append(
            CorrelationRule(
                head: head,
                kind: kind,
                rules: [],
                ruleNames: names.map(\.name),
                groupBy: groupBy.map(\.name),
                groupByPlaces: groupBy.map(\.place),
                timespanSeconds: timespanSeconds,
                trigger: trigger,
                fieldPlaces: fieldPlaces,
                aliases: [],
                generate: generate
            )
        )
    }

    /// `generate` stands beside `correlation` (Sigma specification, Correlations, Generate) or in it.
    private mutating func generate(_ map: RuleMap, _ correlation: RuleMap) -> Bool {
        let outer = boolean(map, "generate")
        let inner = boolean(correlation, "generate")
        if let outer, let inner, outer != inner {
            findings.refuse(
                "`generate` is \(inner) here and \(outer) beside `correlation`",
                at: correlation.keyPlace("generate")
            )
        }
        return inner ?? outer ?? false
    }

    private mutating func refuseRepetitions(_ mentions: [Mention], of key: String) {
        var seen: Set<String> = []
        for mention in mentions
        where !seen.insert(key == "rules" ? mention.key : mention.name).inserted {
            findings.refuse("`\(key)` names `\(mention.name)` twice", at: mention.place)
        }
    }

    /// Reads a condition such as `field: destination.domain`, `gte: 3`.
    private mutating func figure(
        _ map: RuleMap,
        kind: CorrelationRule.Kind,
        ruleCount: Int
    ) -> (CorrelationRule.Trigger, [Place])? {
        let operators = Comparison.allCases.map(\.rawValue)
        refuseUnknownKeys(of: map, named: "condition", known: operators + ["field", "percentile"])
        guard let bounds = bounds(map),
            let (fields, percentile) = fieldsAndPercentile(map, kind: kind)
        else { return nil }
        guard kind.isTemporal else {
            return (
                .figure(bounds, fields: fields.map(\.name), percentile: percentile),
                fields.map(\.place)
            )
        }
        // Without rules there is another mistake.
        guard ruleCount > 0 else { return (.everyRule, []) }
        return countOfRules(bounds, kind, of: ruleCount, at: map.place).map { ($0, []) }
    }

    /// One comparison, or two that bound a range.
    private mutating func bounds(_ map: RuleMap) -> FigureBounds? {
        var found: [(bound: FigureBounds.Bound, place: Place)] = []
        for entry in map.entries {
            guard let comparison = Comparison(rawValue: entry.key) else { continue }
            guard case .number(let number)? = entry.value.scalar?.value else {
                findings.refuse("`\(entry.key)` must be a number", at: entry.value.place)
                return nil
            }
            found.append((FigureBounds.Bound(comparison, number), entry.keyPlace))
        }
        guard let first = found.first else {
            let operators = Comparison.allCases.map(\.rawValue).joined(separator: ", ")
            findings.refuse(
                "the condition needs one of \(operators), or two that bound a range, such as"
                    + " `gt: 100` and `lte: 200`",
                at: map.place
            )
            return nil
        }
        guard found.count > 1 else { return FigureBounds(first.bound) }
        if let other = found.first(where: { [.equal, .notEqual].contains($0.bound.comparison) }) {
            findings.refuse(
                "`\(other.bound.comparison.rawValue)` goes with no other comparison",
                at: other.place
            )
            return nil
        }
        let lower = found.filter { [.greater, .greaterOrEqual].contains($0.bound.comparison) }
        let upper = found.filter { [.less, .lessOrEqual].contains($0.bound.comparison) }
        for (bounds, side) in [(lower, "below"), (upper, "above")] where bounds.count > 1 {
            findings.refuse(
                "`\(bounds[0].bound.comparison.rawValue)` and"
                    + " `\(bounds[1].bound.comparison.rawValue)` both bound from \(side); a range"
                    + " has one bound from below and one from above",
                at: bounds[1].place
            )
            return nil
        }
        let range = FigureBounds(lower[0].bound, upper: upper[0].bound)
        guard !range.isEmptyRange else {
            findings.refuse(
                "no number is both `\(lower[0].bound.text)` and `\(upper[0].bound.text)`",
                at: found[1].place
            )
            return nil
        }
        return range
    }

    /// The condition of a temporal correlation that counts its rules (Sigma specification,
    /// Correlations, Condition: "the count of different event types (Sigma rules matching)").
    private mutating func countOfRules(
        _ bounds: FigureBounds,
        _ kind: CorrelationRule.Kind,
        of count: Int,
        at place: Place
    ) -> CorrelationRule.Trigger? {
        // The rule of the event itself is always among them.
        guard bounds.holdsForCount(from: 1, to: Int64(count)) else {
            let range = count == 1 ? "one rule" : "from 1 to \(count) rules"
            findings.refuse(
                "`\(kind.rawValue)` counts \(range) here, and that is never `\(bounds.text)`",
                at: place
            )
            return nil
        }
        if count == 1 || !bounds.holdsForCount(from: 1, to: Int64(count) - 1) { return .everyRule }
        guard kind == .temporal else {
            findings.refuse(
                "`\(kind.rawValue)` asks for every rule: the specification does not say in which"
                    + " order some of them are to come; write a boolean condition over them, or"
                    + " `type: temporal`",
                at: place
            )
            return nil
        }
        return .ruleCount(bounds)
    }

    private mutating func fieldsAndPercentile(
        _ map: RuleMap,
        kind: CorrelationRule.Kind
    ) -> (fields: [Mention], percentile: Int?)? {
        var fields: [Mention] = []
        if map["field"] != nil {
            guard let mentions = texts(map, "field") else { return nil }
            fields = mentions
        }
        refuseRepetitions(fields, of: "field")
        switch (kind, fields.count) {
        case (.eventCount, 0), (.temporal, 0), (.temporalOrdered, 0): break
        case (.eventCount, _), (.temporal, _), (.temporalOrdered, _):
            findings.refuse(
                "`\(kind.rawValue)` counts \(kind.isTemporal ? "rules" : "events"), no `field`",
                at: map.keyPlace("field")
            )
            return nil
        case (_, 0):
            findings.refuse("`\(kind.rawValue)` needs a `field`", at: map.place)
            return nil
        case (.valueCount, _), (_, 1): break
        case (_, _):
            findings.refuse("`\(kind.rawValue)` takes one field", at: map.keyPlace("field"))
            return nil
        }
        guard kind == .valuePercentile else {
            if map["percentile"] != nil {
                findings.refuse(
                    "`percentile` belongs to `value_percentile`",
                    at: map.keyPlace("percentile")
                )
                return nil
            }
            return (fields, nil)
        }
        guard let tree = map["percentile"] else {
            findings.refuse("`value_percentile` needs a `percentile`", at: map.place)
            return nil
        }
        guard case .number(let number)? = tree.scalar?.value,
            case .integer(let value) = number.form,
            (0...100).contains(value)
        else {
            findings.refuse("`percentile` must be a whole number from 0 to 100", at: tree.place)
            return nil
        }
        return (fields, Int(value))
    }

    private mutating func aliases(_ correlation: RuleMap) -> [PendingCorrelation.Alias] {
        guard let map = self.map(correlation, "aliases") else { return [] }
        var aliases: [PendingCorrelation.Alias] = []
        for entry in map.entries {
            guard case .map(let pairs) = entry.value.content else {
                findings.refuse(
                    "an alias is a map from rule to field, not \(entry.value.kindName)",
                    at: entry.value.place
                )
                continue
            }
            var fields: [(rule: Mention, field: String)] = []
            for field in RuleMap(pairs, at: entry.value.place).entries {
                guard let text = field.value.scalar, !text.isNull, !text.text.isEmpty else {
                    findings.refuse(
                        "an alias names a field, not \(field.value.kindName)",
                        at: field.value.place
                    )
                    continue
                }
                fields.append((Mention(name: field.key, place: field.keyPlace), text.text))
            }
            aliases.append(
                PendingCorrelation.Alias(name: entry.key, place: entry.keyPlace, fields: fields)
            )
        }
        return aliases
    }

    /// Parses a temporal correlation's condition. Its names must be those of `rules`; without
    /// `rules`, they are the rules, in order of appearance.
    private mutating func ruleExpression(
        _ scalar: YAMLScalar,
        _ correlation: RuleMap,
        names: inout [Mention]?
    ) -> ConditionParser.Expression? {
        let start = correlation["condition"]?.place ?? correlation.place
        func place(_ column: Int) -> Place {
            scalar.textColumnShift.map { start.advanced(by: $0 + column) } ?? start
        }
        do {
            let expression = try ConditionParser.parse(
                scalar.text,
                allowsSelections: false,
                limits: limits
            )
            var mentioned: [Mention] = []
            func visit(_ expression: ConditionParser.Expression) {
                switch expression {
                case .operand(.name(let name), let column):
                    if !mentioned.contains(where: { $0.key == identityKey(name) }) {
                        mentioned.append(Mention(name: name, place: place(column)))
                    }
                case .operand(.selection, _): break  // not allowed here
                case .all(let parts), .any(let parts): for part in parts { visit(part) }
                case .not(let inner): visit(inner)
                }
            }
            visit(expression)
            if correlation["rules"] == nil {
                names = mentioned
            } else if let names {
                let known = names.map(\.key)
                for mention in mentioned where !known.contains(mention.key) {
                    findings.refuse(
                        "`rules` does not name `\(mention.name)`"
                            + hint(for: mention.name, among: known),
                        at: mention.place
                    )
                }
                for name in names where !mentioned.contains(where: { $0.key == name.key }) {
                    findings.refuse("the condition does not use `\(name.name)`", at: name.place)
                }
            }
            return expression
        } catch {
            findings.refuse(error.message, at: place(error.column))
            return nil
        }
    }
}
