// Where lines come from: a list whose items are a file or a journal each.

/// What the keys of one item of `sources` say.
private struct SourceItem {
    var file: Placed<String>?
    var journal: CheckedSettings.JournalSource?
    var name: Placed<String>?
    var backfill: Placed<CheckedSettings.Backfill>?
    var allowDuplicate = false
}

extension Reading<[CheckedSettings.Source]?> {
    /// Each source has a thread and buffers of its own.
    private static var countMax: Int { 64 }

    static var sources: Reading {
        let backfills = CheckedSettings.Backfill.allCases.map { ($0.rawValue, $0) }
        let table = KeyTable<SourceItem>([
            Key("file", \.file, Reading<String>.text("the path of a log file").placed()),
            Key("journal", \.journal, Reading<CheckedSettings.JournalSource>.journal.asOptional()),
            Key("name", \.name, Reading<String>.text("a name", bytesMax: 256).placed()),
            Key(
                "backfill",
                \.backfill,
                Reading<CheckedSettings.Backfill>.choice("what to read first", backfills).placed()
            ),
            Key("allow_duplicate", \.allowDuplicate, .flag),
        ])
        return Reading { tree, reader in
            guard !tree.isNull else { return nil }
            guard case .list(let items) = tree.content, !items.isEmpty else {
                reader.expected("a list of sources such as `- file: /var/log/mail.log`", at: tree)
                return nil
            }
            guard items.count <= countMax else {
                reader.refuse("a list of at most \(countMax) sources was expected", at: tree.place)
                return nil
            }
            var sources: [CheckedSettings.Source] = []
            for tree in items {
                let mistakesBefore = reader.mistakes.count
                var item = SourceItem()
                if tree.scalar?.text == "journal" {
                    item.journal = CheckedSettings.JournalSource()
                } else {
                    table.read(tree, into: &item, &reader)
                }
                guard reader.mistakes.count == mistakesBefore,
                    let source = source(of: item, at: tree, &reader)
                else { continue }
                if sources.contains(where: { $0.isRefused(besides: source) }) {
                    reader.refuse(source.whySecondCopyIsRefused, at: tree.place)
                } else if sources.contains(where: { $0.name == source.name }) {
                    let message = "a name of its own was expected, \(quoted(source.name)) is taken"
                    reader.refuse(message, at: item.name?.place ?? tree.place)
                } else {
                    reader.places[Mention(key: "sources", word: source.name)] = tree.place
                    sources.append(source)
                }
            }
            return sources
        }
    }

    /// The source of an item whose keys are right each for itself.
    private static func source(
        of item: SourceItem,
        at tree: YAMLTree,
        _ reader: inout SettingsReader
    ) -> CheckedSettings.Source? {
        let kind: CheckedSettings.Source.Kind
        switch (item.file, item.journal) {
        case (nil, nil):
            reader.expected("`file: PATH` or `journal:`", at: tree)
            return nil
        case (.some, .some):
            reader.refuse("one source for each list item was expected", at: tree.place)
            return nil
        case (let file?, nil):
            kind = .file(path: file.value, backfill: item.backfill?.value ?? .rotated)
        case (nil, let journal?):
            if let backfill = item.backfill {
                let message = "`backfill` is for files: a journal is read from its first entry"
                reader.refuse(message, at: backfill.place)
                return nil
            }
            kind = .journal(journal)
        }
        return CheckedSettings.Source(
            kind: kind,
            name: item.name?.value,
            allowDuplicate: item.allowDuplicate
        )
    }
}

extension CheckedSettings.Source {
    /// Whether another source carries the same log and neither says that it may.
    fileprivate func isRefused(besides other: CheckedSettings.Source) -> Bool {
        kind.isSameLog(as: other.kind) && !allowDuplicate && !other.allowDuplicate
    }

    fileprivate var whySecondCopyIsRefused: String {
        let log =
            switch kind {
            case .file(let path, _): quoted(path)
            case .journal: "this journal"
            }
        return "\(log) is followed already; a second copy is refused (`allow_duplicate: true`)"
    }
}

// MARK: The journal

/// What the keys under `journal` say.
private struct JournalItem {
    var units: Placed<[String]>?
    var matches: [CheckedSettings.JournalSource.Match] = []
    var identifiers: [String] = []
    var journals: [CheckedSettings.JournalSource.Place] = []

    // Properties for the keys of the table; each adds to `journals`.
    var directory: String {
        get { "" }
        set { journals.append(.directory(newValue)) }
    }
    var files: [String] {
        get { [] }
        set { journals.append(.files(newValue)) }
    }
    var namespace: String {
        get { "" }
        set { journals.append(.namespace(newValue)) }
    }
}

extension Reading<CheckedSettings.JournalSource> {
    fileprivate static var journal: Reading {
        let file = Reading<String>.text("the path of a journal file")
        let table = KeyTable<JournalItem>([
            Key("units", \.units, Reading<String>.unit.list("units").placed()),
            Key("match", \.matches, .matches),
            Key(
                "identifiers",
                \.identifiers,
                Reading<String>.text("a syslog identifier such as postfix", bytesMax: 256)
                    .list("syslog identifiers")
            ),
            Key("directory", \.directory, .text("the path of a folder")),
            Key("file", \.files, file.oneOrMore("journal files")),
            Key("namespace", \.namespace, .namespace),
        ])
        return Reading { tree, reader in
            var journal = CheckedSettings.JournalSource()
            guard !tree.isNull else { return journal }
            let mistakesBefore = reader.mistakes.count
            var item = JournalItem()
            table.read(tree, into: &item, &reader)
            guard item.journals.count <= 1 else {
                let message = "only one of `directory`, `file` and `namespace` was expected"
                reader.refuse(message, at: tree.place)
                return nil
            }
            guard reader.mistakes.count == mistakesBefore else { return nil }
            if let units = item.units {
                guard !units.value.isEmpty || !item.matches.isEmpty else {
                    let message = "without units, `match: {FIELD: VALUE}` was expected: anybody "
                    reader.refuse(message + "can write to the journal", at: units.place)
                    return nil
                }
                journal.units = units.value
            }
            if let place = item.journals.first { journal.place = place }
            journal.matches = item.matches
            journal.identifiers = item.identifiers
            return journal
        }
    }
}

extension Reading<[CheckedSettings.JournalSource.Match]> {
    /// A map of field names to a value or a list of values.
    fileprivate static var matches: Reading {
        let values = Reading<String>.fieldValue.oneOrMore("values")
        let countMax = CheckedSettings.JournalSource.matchesMax
        return Reading { tree, reader in
            guard !tree.isNull else { return nil }
            guard case .map(let pairs) = tree.content else {
                reader.expected("a map of journal fields such as `{_COMM: smtpd}`", at: tree)
                return nil
            }
            guard pairs.count <= countMax else {
                reader.refuse("at most \(countMax) fields were expected", at: tree.place)
                return nil
            }
            var matches: [CheckedSettings.JournalSource.Match] = []
            for (key, value) in pairs {
                guard let field = key.scalar?.text, isFieldName(field) else {
                    let upper = key.scalar.map { $0.text.uppercased() } ?? ""
                    let near = isFieldName(upper) ? "; did you mean `\(upper)`?" : ""
                    reader.expected("a journal field such as _COMM", at: key, near)
                    continue
                }
                guard let values = values.read(value, &reader) else { continue }
                matches.append(CheckedSettings.JournalSource.Match(field: field, values: values))
            }
            return matches
        }
    }

    /// Upper-case letters, digits and underscores, at most 64 and no digit in front
    /// (`journal_field_valid` in systemd; sd_journal_print(3)).
    private static func isFieldName(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= 64 else { return false }
        guard !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        return name.utf8.allSatisfy {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "_")
        }
    }
}

extension Reading<String> {
    /// A systemd unit with its suffix, as `_SYSTEMD_UNIT` has it, or a pattern.
    fileprivate static var unit: Reading {
        // UNIT_NAME_MAX of systemd is 256 with the NUL.
        let what = "a systemd unit such as postfix.service"
        let text = Reading<String>.text(what, bytesMax: 255)
        // The suffixes of systemd.unit(5).
        let suffixes = [
            "service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer",
            "slice", "scope",
        ]
        return Reading { tree, reader in
            guard let unit = text.read(tree, &reader) else { return nil }
            let isWhole = suffixes.contains { unit.hasSuffix("." + $0) } || unit.hasSuffix("*")
            guard isWhole, !unit.contains("/"), !unit.contains(" ") else {
                let named = unit.contains("/") || unit.contains(" ") || unit.contains(".")
                let near = named ? "" : "; did you mean `\(unit).service`?"
                reader.expected(what, at: tree, near)
                return nil
            }
            return unit
        }
    }

    /// The value of a journal field: text, or a number as it is written.
    fileprivate static var fieldValue: Reading {
        let text = Reading<String>.text("the value of a journal field")
        return Reading { tree, reader in
            if let scalar = tree.scalar, scalar.value == .number { return scalar.text }
            return text.read(tree, &reader)
        }
    }

    /// A journal namespace (`LogNamespace=` in systemd.exec(5)), or `*` for all.
    fileprivate static var namespace: Reading {
        let what = "a journal namespace"
        let text = Reading<String>.text(what, bytesMax: 255)
        return Reading { tree, reader in
            guard let name = text.read(tree, &reader) else { return nil }
            guard !name.contains("/"), !name.contains(" ") else {
                reader.expected(what, at: tree)
                return nil
            }
            return name
        }
    }
}
