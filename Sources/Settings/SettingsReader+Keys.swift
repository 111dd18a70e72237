// The settings of architecture §10 that this version knows. A key stands here when something
// obeys it; the others of §10 are listed as `later`.

extension KeyTable<CheckedSettings> {
    static var settings: KeyTable {
        KeyTable(
            [
                Key("sources", \.sources, .sources),
                Key("timezone", \.timezone, .timezone),
                Key(
                    "lateness",
                    \.latenessSeconds,
                    .span(0...(7 * 86_400), named: (lowest: "0s", highest: "7d"))
                ),
                Key(
                    "merge_hold",
                    \.mergeHoldSeconds,
                    .span(0...60, named: (lowest: "0s", highest: "1m"))
                ),
                Key("account_domain", \.accountDomain, Reading<String>.domain.orNull()),
                Key("filters", \.filters, Reading<String>.filter.list("content filters")),
                Key(
                    "rules",
                    \.rules,
                    Reading<String>.text("the path of a folder").noted(under: "rules")
                        .list("folders").asOptional()
                ),
                Key(
                    "rules_off",
                    \.rulesOff,
                    Reading<String>.text("the name of a rule", bytesMax: 256).noted(
                        under: "rules_off"
                    )
                    .list("rule names")
                ),
                Key("placeholders", \.placeholders, .placeholders),
                Key(
                    "fields",
                    \.fields,
                    Reading<String>.text("the name of a field", bytesMax: 256).listOrKeys("fields")
                ),
                Key("receipts", \.receipts, .receipts),
                Key(
                    "memory",
                    \.memory,
                    KeyTable<CheckedSettings.Memory>(
                        [
                            Key("domains", \.domainDays, .days(1...36_500)),
                            Key("pairs_max", \.pairsMax, .count(1...1_000_000_000)),
                        ],
                        later: ["windows_bytes_max"]
                    )
                ),
                Key("limits", \.limits, .limits),
                Key(
                    "state",
                    \.state,
                    Reading<String>.text("the path of a folder").noted(under: "state")
                ),
                Key(
                    "evidence",
                    \.evidence,
                    KeyTable<CheckedSettings.Evidence>(
                        [
                            Key("lines_max", \.linesMax, .count(1...1_000_000)),
                            Key(
                                "keep",
                                \.keepSeconds,
                                .span(
                                    3_600...(36_500 * 86_400),
                                    named: (lowest: "1h", highest: "36500d")
                                )
                            ),
                            Key("bytes_max", \.bytesMax, .size((1 << 20)...(1 << 50))),
                        ]
                    )
                ),
                Key(
                    "pseudonyms",
                    \.pseudonyms,
                    KeyTable<CheckedSettings.Pseudonyms>(
                        [
                            Key(
                                "sinks",
                                \.sinks,
                                Reading<String>.text("the name of a sink").noted(
                                    under: "pseudonyms.sinks"
                                )
                                .list("sinks")
                            ),
                            Key(
                                "domains",
                                \.keepsDomains,
                                .choice("keep or hide", [("keep", true), ("hide", false)])
                            ),
                            Key("http", \.http, .flag),
                        ]
                    )
                ),
                Key("canary", \.canary, Reading<CheckedSettings.Canary>.canary.orNull()),
                Key(
                    "dispatch_age_max",
                    \.dispatchAgeSecondsMax,
                    Reading<Int64>.span(
                        60...(3_650 * 86_400),
                        named: (lowest: "1m", highest: "3650d")
                    )
                    .orNull()
                ),
                Key("sinks", \.sinks, .sinks),
                Key("reports", \.reports, .reports),
                Key("http", \.http, .http),
            ],
            later: ["mailboxes", "internal_domains"]
        )
    }
}

extension KeyTable<CheckedSettings.Limits> {
    static var limits: KeyTable {
        let idle = Reading<Int64>.span(
            60...(30 * 86_400),
            named: (lowest: "1m", highest: "30d")
        )
        let filterWait = Reading<Int64>.span(1...86_400, named: (lowest: "1s", highest: "24h"))
        return KeyTable([
            Key("open_messages", \.openMessages, .count(1...10_000_000)),
            Key("idle", \.idleSeconds, idle),
            Key("recipients", \.recipients, .count(1...1_000_000)),
            Key("kept_lines", \.keptLines, .count(1...1_000)),
            Key("filter_wait", \.filterWaitSeconds, filterWait),
            Key("domains_per_account", \.domainsPerAccount, .count(1...1_000_000)),
            Key("heard_per_account", \.heardPerAccount, .count(1...1_000_000)),
            Key("outbox", \.outbox, .count(1...1_000_000)),
            Key("outbox_bytes", \.outboxBytes, .size((64 << 10)...(64 << 30))),
        ])
    }
}

extension KeyTable<CheckedSettings.Receipts> {
    static var receipts: KeyTable {
        KeyTable([
            Key(
                "not_read",
                \.notRead,
                Reading<String>.receiptPrefix.noted(under: "receipts.not_read").list(
                    "subject prefixes"
                )
            ),
            Key(
                "read",
                \.read,
                Reading<String>.receiptPrefix.noted(under: "receipts.read").list("subject prefixes")
            ),
        ])
    }
}

extension Reading<[String: [String]]> {
    /// A map from names to one or more texts; numbers count as they are written.
    static var placeholders: Reading {
        let text = Reading<String>.text("a text")
        let value = Reading<String> { tree, reader in
            if let scalar = tree.scalar, scalar.value == .number { return scalar.text }
            return text.read(tree, &reader)
        }
        return Reading { tree, reader in
            guard !tree.isNull else { return nil }
            guard case .map(let pairs) = tree.content else {
                reader.expected("a map such as `{admins: [alice, bob]}`", at: tree)
                return nil
            }
            var all: [String: [String]] = [:]
            for (key, tree) in pairs {
                guard let name = key.scalar?.text, !name.isEmpty, !name.contains("%") else {
                    reader.expected("the name of a placeholder, without `%`", at: key)
                    continue
                }
                let values: [String]?
                if case .list(let items) = tree.content {
                    if items.isEmpty { reader.expected("at least one value", at: tree) }
                    values = items.compactMap { value.read($0, &reader) }
                } else {
                    values = value.read(tree, &reader).map { [$0] }
                }
                if let values { all[name] = values }
            }
            return all
        }
    }
}

extension Reading<String> {
    /// A list of such values, or the keys of a map, whose values say what they are in free words.
    func listOrKeys(_ what: String) -> Reading<[String]> {
        let list = list(what)
        return Reading<[String]> { tree, reader in
            guard case .map(let pairs) = tree.content else { return list.read(tree, &reader) }
            return pairs.compactMap { read($0.key, &reader) }
        }
    }

    /// Text with something before the colon that ends a prefix. What else makes one impossible,
    /// the table of receipts says (`CheckedSettings.mistake(_:about:under:)`).
    static var receiptPrefix: Reading {
        let text = Reading<String>.text("a subject prefix", bytesMax: 100)
        return Reading { tree, reader in
            guard let prefix = text.read(tree, &reader) else { return nil }
            let body = prefix.trimmingSpace()
            let inner = body.hasSuffix(":") || body.hasSuffix("：") ? String(body.dropLast()) : body
            guard !inner.trimmingSpace().isEmpty else {
                reader.expected("a subject prefix", at: tree)
                return nil
            }
            guard !inner.contains(":"), !inner.contains("：") else {
                reader.expected("a subject prefix with at most one colon, at its end", at: tree)
                return nil
            }
            return prefix
        }
    }

    /// An IP address or a host name as the mail log writes it, without port and brackets, or the name of
    /// a transport to pipe(8). `unknown` would be every client without a name.
    static var filter: Reading {
        let what = "the IP address, host name or transport of a filter, such as 192.0.2.40"
        let text = Reading<String>.text(what, bytesMax: 255)
        return Reading { tree, reader in
            guard let name = text.read(tree, &reader) else { return nil }
            let isName = name.unicodeScalars.allSatisfy { scalar in
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".", ":": true
                default: false
                }
            }
            guard isName, name.lowercased() != "unknown", name.lowercased() != "none" else {
                reader.expected(what, at: tree)
                return nil
            }
            return name
        }
    }

    /// A mail domain: labels of 1 to 63 bytes, at most 253 in all, without what no domain holds.
    static var domain: Reading {
        let text = Reading<String>.text("a domain such as example.com")
        return Reading { tree, reader in
            guard let name = text.read(tree, &reader) else { return nil }
            let labels = name.split(separator: ".", omittingEmptySubsequences: false)
            let isDomain =
                name.utf8.count <= 253
                && labels.allSatisfy { label in
                    (1...63).contains(label.utf8.count)
                        && label.unicodeScalars.allSatisfy(isInLabel)
                }
            guard isDomain else {
                reader.expected("a domain such as example.com", at: tree)
                return nil
            }
            return name
        }
    }

    private static func isInLabel(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.isASCII else {
            return scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                || scalar.properties.generalCategory == .nonspacingMark
                || scalar.properties.generalCategory == .spacingMark
        }
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_": return true
        default: return false
        }
    }
}

extension Reading<CheckedSettings.Zone> {
    static var timezone: Reading {
        let what = "`local`, `UTC` or a name of the tz database such as Europe/Berlin"
        return Reading { tree, reader in
            guard let scalar = tree.scalar, scalar.value == .text else {
                reader.expected(what, at: tree)
                return nil
            }
            switch scalar.text {
            case "local": return .local
            case "UTC": return .utc
            default:
                guard reader.zones.has(scalar.text) else {
                    let near = hint(for: scalar.text, among: ["local", "UTC"])
                    let folder = near.isEmpty ? "; \(reader.zones.path) has none of that name" : ""
                    reader.expected(what, at: tree, near + folder)
                    return nil
                }
                return .named(scalar.text)
            }
        }
    }
}

extension String {
    /// Without white space at both ends.
    fileprivate func trimmingSpace() -> String {
        var rest = Substring(self)
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
