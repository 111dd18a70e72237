extension RuleReader {
    /// Resolves what rules say of each other, once all files are read.
    mutating func resolve() {
        let targets = uniqueTargets()
        for position in rules.correlations.indices {
            resolveCorrelation(position, targets)
        }
        resolveFilters(targets)
        orderCorrelations()
    }

    /// Every id and name with its rule; a second use is a mistake, since nobody could tell which
    /// rule is meant. Ids and names share one space: `rules` takes both.
    private mutating func uniqueTargets() -> [String: Target] {
        var targets: [String: Target] = [:]
        var places: [String: Place] = [:]
        for identity in identities {
            let key = identityKey(identity.text)
            if let place = places[key] {
                let remedy = identity.kind == .title ? "; give this one an `id`" : ""
                findings.refuse(
                    "the \(identity.kind.rawValue) `\(identity.text)` is taken by the rule at"
                        + " \(place.file):\(place.line)\(remedy)",
                    at: identity.place
                )
            } else {
                targets[key] = identity.target
                places[key] = identity.place
            }
        }
        return targets
    }

    private mutating func refuseMissing(_ mention: Mention, _ targets: [String: Target]) {
        let names = targets.keys.sorted()
        findings.refuse(
            "there is no rule `\(mention.name)`\(hint(for: mention.name, among: names))",
            at: mention.place
        )
    }

    private mutating func resolveCorrelation(_ position: Int, _ targets: [String: Target]) {
        let pending = pendingCorrelations[position]
        var references: [RuleReference] = []
        for mention in pending.rules {
            switch targets[mention.key] {
            case .unread?: break  // it has mistakes of its own
            case .rule(let reference)?:
                if references.contains(reference) {
                    findings.refuse("this rule stands here twice", at: mention.place)
                }
                references.append(reference)
            case .filter?:
                findings.refuse("`\(mention.name)` is a filter, not a rule", at: mention.place)
            case nil:
                refuseMissing(mention, targets)
            }
        }
        // On a mistake the correlation stays without its rules; nothing of it comes into force.
        guard references.count == pending.rules.count else { return }
        rules.correlations[position].rules = references
        let names = pending.rules.map(\.key)
        rules.correlations[position].aliases = pending.aliases.map { alias in
            var fields = [String?](repeating: nil, count: references.count)
            for (rule, field) in alias.fields {
                let known: Int? =
                    names.firstIndex(of: rule.key)
                    ?? {
                        guard case .rule(let reference)? = targets[rule.key] else { return nil }
                        return references.firstIndex(of: reference)
                    }()
                if let known {
                    fields[known] = field
                } else {
                    findings.refuse(
                        "`rules` does not name `\(rule.name)`\(hint(for: rule.name, among: names))",
                        at: rule.place
                    )
                }
            }
            return FieldAlias(name: alias.name, fields: fields, place: alias.place)
        }
        if let expression = pending.condition {
            let condition = resolved(expression, names)
            rules.correlations[position].trigger = condition.map { .condition($0) } ?? .everyRule
        }
    }

    private func resolved(
        _ expression: ConditionParser.Expression,
        _ names: [String]
    ) -> RuleCondition? {
        switch expression {
        case .operand(.name(let name), _):
            return names.firstIndex(of: identityKey(name)).map(RuleCondition.rule)
        case .operand(.selection, _): return nil
        case .all(let parts): return .all(parts.compactMap { resolved($0, names) })
        case .any(let parts): return .any(parts.compactMap { resolved($0, names) })
        case .not(let inner): return resolved(inner, names).map(RuleCondition.not)
        }
    }

    private mutating func resolveFilters(_ targets: [String: Target]) {
        for (filter, mentions) in pendingFilters.enumerated() {
            guard let mentions else {
                for index in rules.detections.indices
                where rules.filters[filter].logsource.covers(rules.detections[index].logsource) {
                    rules.detections[index].filters.append(filter)
                }
                continue
            }
            for mention in mentions {
                switch targets[mention.key] {
                case .unread?: break  // it has mistakes of its own
                case .rule(.detection(let index))?:
                    warnOfOtherLogSource(mention, filter, index)
                    if rules.detections[index].filters.last != filter {
                        rules.detections[index].filters.append(filter)
                    }
                case .rule(.correlation)?:
                    findings.refuse("a filter applies to no correlation", at: mention.place)
                case .filter?:
                    findings.refuse("a filter applies to no filter", at: mention.place)
                case nil:
                    refuseMissing(mention, targets)
                }
            }
        }
    }

    /// A filter that names its rules applies to them all the same; whoever wrote it may have meant
    /// another.
    private mutating func warnOfOtherLogSource(_ mention: Mention, _ filter: Int, _ rule: Int) {
        let wanted = rules.filters[filter].logsource
        let found = rules.detections[rule].logsource
        guard !wanted.covers(found) else { return }
        findings.warn(
            "the filter is for \(wanted.words), and `\(mention.name)` is for \(found.words); it"
                + " applies all the same",
            at: mention.place
        )
    }

    /// Sorts the correlations so that each stands after those it builds on, and refuses cycles.
    ///
    /// Repeatedly takes, in file order, what builds on nothing that is left (Kahn's algorithm over a
    /// queue). What is never taken is in a cycle or builds on one; each of the former is reported.
    private mutating func orderCorrelations() {
        let count = rules.correlations.count
        var waitsFor = [Int](repeating: 0, count: count)
        var dependants = [[Int]](repeating: [], count: count)
        for (position, rule) in rules.correlations.enumerated() {
            for case .correlation(let base) in rule.rules {
                waitsFor[position] += 1
                dependants[base].append(position)
            }
        }
        var order = (0..<count).filter { waitsFor[$0] == 0 }
        var next = 0
        while next < order.count {
            for dependant in dependants[order[next]] {
                waitsFor[dependant] -= 1
                if waitsFor[dependant] == 0 { order.append(dependant) }
            }
            next += 1
        }
        for position in 0..<count where waitsFor[position] > 0 && reachesItself(position) {
            let names = rules.correlations[position].ruleNames
            let place = pendingCorrelations[position].rules.first?.place
            findings.refuse(
                "builds on itself (through \(names.map { "`\($0)`" }.joined(separator: ", ")))",
                at: place ?? rules.correlations[position].head.place
            )
        }
        rules.correlationOrder = order.count == count ? order : Array(0..<count)
    }

    private func reachesItself(_ start: Int) -> Bool {
        var seen: Set<Int> = []
        var waiting = [start]
        while let position = waiting.popLast() {
            for case .correlation(let base) in rules.correlations[position].rules {
                if base == start { return true }
                if seen.insert(base).inserted { waiting.append(base) }
            }
        }
        return false
    }
}
