extension RuleReader {
    /// Reads what all kinds of documents have in common. Keys that are not known are left alone:
    /// Sigma allows them.
    mutating func head(_ document: RuleMap, text: String) -> RuleHead {
        let map = document.ignoringEmpty(["description", "author", "status", "level", "tags"])
        let title = self.text(map, "title")
        if map["title"] == nil { findings.refuse("the rule has no `title`", at: map.place) }
        let name = self.text(map, "name")
        let id = self.text(map, "id")
        announce(id: id, name: name, title: title, map)
        if id == nil, map["id"] == nil, name == nil {
            findings.warn(
                "the rule has neither `id` nor `name`; its title stands for them",
                at: map.place
            )
        }
        var level = Level.medium
        if map["level"] != nil {
            level = choice(map, "level", of: Level.self) ?? .medium
        } else if map["filter"] == nil {
            findings.warn("the rule has no `level`; `medium` is assumed", at: map.place)
        }
        return RuleHead(
            id: id ?? name ?? title ?? "",
            name: name,
            title: title ?? "",
            description: self.text(map, "description"),
            level: level,
            status: choice(map, "status", of: Status.self),
            author: self.text(map, "author"),
            tags: texts(map, "tags")?.map(\.name) ?? [],
            postern: posternKeys(map),
            place: map.place,
            text: text
        )
    }

    /// The text under `key`; numbers and booleans count as they are written, since a title may be
    /// `2026`. Nil, with a mistake, for anything else and for what is empty.
    mutating func text(_ map: RuleMap, _ key: String) -> String? {
        guard let value = map[key] else { return nil }
        guard let scalar = value.scalar, !scalar.isNull else {
            findings.refuse("`\(key)` must be text, not \(value.kindName)", at: value.place)
            return nil
        }
        guard !scalar.text.isEmpty else {
            if key != "description" && key != "author" {
                findings.refuse("`\(key)` is empty", at: value.place)
            }
            return nil
        }
        return scalar.text
    }

    /// A text or a list of texts under `key`; nil when it is missing or, with a mistake, wrong.
    mutating func texts(_ map: RuleMap, _ key: String) -> [Mention]? {
        guard let value = map[key] else { return nil }
        switch value.content {
        case .scalar(let scalar) where !scalar.isNull && !scalar.text.isEmpty:
            return [Mention(name: scalar.text, place: value.place)]
        case .list(let items):
            var mentions: [Mention] = []
            for item in items {
                if let scalar = item.scalar, !scalar.isNull, !scalar.text.isEmpty {
                    mentions.append(Mention(name: scalar.text, place: item.place))
                } else {
                    findings.refuse("`\(key)` takes texts, not \(item.kindName)", at: item.place)
                }
            }
            return mentions
        case .scalar, .map:
            findings.refuse(
                "`\(key)` must be a text or a list of texts, not \(value.kindName)",
                at: value.place
            )
            return nil
        }
    }

    /// One of the words of `Choice` under `key`, without regard to case.
    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ map: RuleMap,
        _ key: String,
        of type: Choice.Type
    ) -> Choice? where Choice.RawValue == String {
        guard let value = map[key], let text = text(map, key) else { return nil }
        if let choice = Choice(rawValue: text.lowercased()) { return choice }
        let words = Choice.allCases.map(\.rawValue)
        let list = words.joined(separator: ", ")
        findings.refuse(
            "`\(key)` must be one of \(list), not `\(text)`\(hint(for: text, among: words))",
            at: value.place
        )
        return nil
    }

    mutating func boolean(_ map: RuleMap, _ key: String) -> Bool? {
        guard let value = map[key] else { return nil }
        if case .boolean(let boolean)? = value.scalar?.value { return boolean }
        findings.refuse("`\(key)` must be true or false, not \(value.kindName)", at: value.place)
        return nil
    }

    mutating func timespan(_ map: RuleMap, _ key: String) -> Int64? {
        guard let value = map[key] else { return nil }
        if let scalar = value.scalar, let seconds = Sigma.timespanSeconds(scalar.text) {
            return seconds
        }
        let found = value.scalar.map { "`\($0.text)`" } ?? value.kindName
        findings.refuse(
            "`\(key)` must be a time span such as `90s`, `5m`, `6h`, `7d`, `2w`, `1M` or `1y`, not"
                + " \(found)",
            at: value.place
        )
        return nil
    }

    /// A map under `key`; nil, with a mistake, for anything else.
    mutating func map(_ map: RuleMap, _ key: String) -> RuleMap? {
        guard let value = map[key] else { return nil }
        if case .map(let pairs) = value.content { return RuleMap(pairs, at: value.place) }
        findings.refuse("`\(key)` must be a map, not \(value.kindName)", at: value.place)
        return nil
    }

    /// Refuses every key of `map` that is not among `known`.
    mutating func refuseUnknownKeys(of map: RuleMap, named name: String, known: [String]) {
        for entry in map.entries where !known.contains(entry.key) {
            findings.refuse(
                "`\(name)` has no key `\(entry.key)`\(hint(for: entry.key, among: known))",
                at: entry.keyPlace
            )
        }
    }

    private mutating func posternKeys(_ map: RuleMap) -> PosternKeys {
        var keys = PosternKeys()
        guard let map = self.map(map, "postern") else { return keys }
        refuseUnknownKeys(
            of: map,
            named: "postern",
            known: ["silence", "resolve", "remediation", "diagnosis"]
        )
        keys.silenceSeconds = timespan(map, "silence")
        keys.resolveSeconds = timespan(map, "resolve")
        keys.remediation = text(map, "remediation")
        keys.diagnosis = choice(map, "diagnosis", of: Diagnosis.self)
        return keys
    }

    mutating func logsource(_ map: RuleMap) -> LogSource {
        var logsource = LogSource()
        guard map["logsource"] != nil else {
            findings.warn("the rule has no `logsource`; `sigma check` wants one", at: map.place)
            return logsource
        }
        guard let map = self.map(map, "logsource") else { return logsource }
        logsource.category = text(map, "category")
        logsource.product = text(map, "product")
        logsource.service = text(map, "service")
        return logsource
    }
}
