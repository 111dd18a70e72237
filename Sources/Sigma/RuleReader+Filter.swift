extension RuleReader {
    mutating func readFilter(_ map: RuleMap, text: String) {
        let head = head(map, text: text)
        let logsource = logsource(map)
        guard let filter = self.map(map, "filter") else { return }
        let mentions: [Mention]?
        if filter["rules"] == nil {
            findings.refuse("`filter` has no `rules` (names, ids, or `any`)", at: filter.place)
            return
        } else if let word = filter["rules"]?.scalar?.text, word.lowercased() == "any" {
            mentions = nil
        } else {
            guard let texts = texts(filter, "rules") else { return }
            // An empty list means every rule, as in pySigma.
            mentions = texts.isEmpty ? nil : texts
        }
        guard let read = searches(of: filter, named: "filter", except: ["condition", "rules"])
        else { return }
        register(as: .filter(rules.filters.count))
        pendingFilters.append(mentions)
        rules.filters.append(
            FilterRule(
                head: head,
                logsource: logsource,
                searches: read.searches,
                condition: read.condition,
                placeholders: read.placeholders.sorted()
            )
        )
    }
}
