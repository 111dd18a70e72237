import Testing

@testable import Settings

/// The sources of a file of settings that has no mistakes.
private func sources(_ text: String) throws -> [CheckedSettings.Source] {
    let (settings, mistakes) = read(text)
    #expect(mistakes == [])
    return try #require(settings?.sources)
}

private func journal(_ source: CheckedSettings.Source) throws -> CheckedSettings.JournalSource {
    guard case .journal(let journal) = source.kind else {
        throw NoJournal()
    }
    return journal
}

private struct NoJournal: Error {}

@Suite struct SourceSettingsTests {
    @Test(arguments: [
        "sources: [journal]\n", "sources: [journal: ]\n", "sources: [journal: {}]\n",
        "sources:\n    - journal\n", "sources:\n    - journal:\n          units:\n",
        "sources:\n    - journal: { match: }\n",
    ])
    func aJournalWithoutKeysIsThatOfThisMachineAndItsMailServer(text: String) throws {
        let found = try sources(text)
        #expect(found == [.init(kind: .journal(.init()), name: "journal")])
        #expect(
            try journal(found[0]).units == [
                "postfix@-.service", "postfix.service", "exim4.service",
            ]
        )
        #expect(try journal(found[0]).place == .local)
    }

    @Test(arguments: [
        ("directory: /j", CheckedSettings.JournalSource.Place.directory("/j"), "journal:/j"),
        ("file: /j/a.journal", .files(["/j/a.journal"]), "journal:/j/a.journal"),
        (
            "file: [/a.journal, /b.journal]", .files(["/a.journal", "/b.journal"]),
            "journal:/a.journal"
        ),
        ("namespace: mail", .namespace("mail"), "journal:mail"),
        ("namespace: \"*\"", .namespace("*"), "journal:*"),
    ])
    func aJournalCanLieElsewhereAndIsNamedAfterThat(
        key: String,
        place: CheckedSettings.JournalSource.Place,
        name: String
    ) throws {
        let found = try sources("sources: [journal: { \(key) }]\n")
        #expect(try journal(found[0]).place == place)
        #expect(found[0].name == name)
    }

    @Test func withoutUnitsTheMatchesDecide() throws {
        let found = try sources("sources: [journal: { units: [], match: {_COMM: exim4} }]\n")
        #expect(try journal(found[0]).units == [])
        #expect(try journal(found[0]).matches == [.init(field: "_COMM", values: ["exim4"])])
    }

    @Test func aFileMayBeFollowedTwiceWhenOneOfTheTwoSaysSo() throws {
        for (first, second) in [("true", "false"), ("no", "yes")] {
            let found = try sources(
                "sources: [{file: /a, allow_duplicate: \(first)}, "
                    + "{file: /a, name: b, allow_duplicate: \(second)}]\n"
            )
            #expect(found.map(\.name) == ["/a", "b"])
        }
    }

    @Test func twoPartsOfOneJournalAreTwoSources() throws {
        let found = try sources(
            "sources: [journal, {journal: {units: [dovecot.service]}, name: imap}]\n"
        )
        #expect(found.map(\.name) == ["journal", "imap"])
    }

    @Test func otherRoomsCanNameThePlaceOfASource() throws {
        let settings = try #require(read("sources:\n    - file: /a\n    - journal\n").settings)
        for (name, place) in [("/a", "2:7"), ("journal", "3:7")] {
            #expect(
                settings.mistake("no", about: name, under: "sources").description
                    == "p.yml:\(place): no"
            )
        }
    }

    @Test(arguments: [
        MistakeCase(
            "sources:\n    - journal: {unit: [a.service]}\n    - directory: /var/log\n"
                + "      backfil: rotated\n",
            "2:17: unknown key `unit`; did you mean `units`?",
            "3:7: unknown key `directory`; expected `file`, `journal`, `name`, `backfill`, "
                + "`allow_duplicate`",
            "4:7: unknown key `backfil`; did you mean `backfill`?"
        ),
        MistakeCase(
            "sources:\n    - /var/log/mail.log\n    - name: x\n    - file: /a\n    - file: /a\n"
                + "      name: y\n    - {file: /b, name: /a}\n",
            "2:7: a map was expected, found `/var/log/mail.log`",
            "3:7: `file: PATH` or `journal:` was expected, found a map",
            "5:7: `/a` is followed already; a second copy is refused (`allow_duplicate: true`)",
            "7:24: a name of its own was expected, `/a` is taken"
        ),
        MistakeCase(
            "sources: [journal, journal: {}, {journal: , name: x, allow_duplicate: yes}]\n",
            "1:20: this journal is followed already; a second copy is refused "
                + "(`allow_duplicate: true`)"
        ),
        MistakeCase(
            "sources: [journal, {journal: {units: [a.service]}}]\n",
            "1:20: a name of its own was expected, `journal` is taken"
        ),
        MistakeCase(
            "sources: [{file: /a, journal: {}}, {journal: {}, backfill: rotated}]\n",
            "1:11: one source for each list item was expected",
            "1:60: `backfill` is for files: a journal is read from its first entry"
        ),
        MistakeCase(
            "sources: [{file: /a, backfill: rotatd}, {file: /b, backfill: yes, "
                + "allow_duplicate: 1}]\n",
            "1:32: what to read first was expected, found `rotatd`; did you mean `rotated`?",
            "1:62: what to read first was expected, found `yes`; expected one of `rotated`, `none`",
            "1:84: `true` or `false` was expected, found `1`"
        ),
        MistakeCase(
            "sources: [journal: {directory: /a, namespace: b}]\n",
            "1:20: only one of `directory`, `file` and `namespace` was expected"
        ),
        MistakeCase(
            "sources: [journal: {units: []}, journal: {units: [], identifiers: [postfix]}]\n",
            "1:28: without units, `match: {FIELD: VALUE}` was expected: anybody can write to the "
                + "journal",
            "1:50: without units, `match: {FIELD: VALUE}` was expected: anybody can write to the "
                + "journal"
        ),
        MistakeCase(
            "sources: [journal: {units: [postfix, post fix.service, exim4.servic, 3]}]\n",
            "1:29: a systemd unit such as postfix.service was expected, found `postfix`; "
                + "did you mean `postfix.service`?",
            "1:38: a systemd unit such as postfix.service was expected, found `post fix.service`",
            "1:56: a systemd unit such as postfix.service was expected, found `exim4.servic`",
            "1:70: a systemd unit such as postfix.service was expected, found `3`; put it in "
                + "quotes if it is one"
        ),
        MistakeCase(
            "sources: [journal: {match: {_comm: x, 1A: y, _UID: [], _COMM: {}, _PID: yes}}]\n",
            "1:29: a journal field such as _COMM was expected, found `_comm`; "
                + "did you mean `_COMM`?",
            "1:39: a journal field such as _COMM was expected, found `1A`",
            "1:52: at least one of the values was expected",
            "1:63: the value of a journal field was expected, found a map",
            "1:73: the value of a journal field was expected, found `yes`; put it in quotes if it "
                + "is one"
        ),
        MistakeCase(
            "sources: [journal: {match: [a], namespace: a/b, file: []}, journal: smtpd]\n",
            "1:28: a map of journal fields such as `{_COMM: smtpd}` was expected, found a list",
            "1:44: a journal namespace was expected, found `a/b`",
            "1:55: at least one of the journal files was expected",
            "1:69: a map was expected, found `smtpd`"
        ),
        MistakeCase(
            "merge_hold: 2m\n",
            "1:13: a time span from 0s to 1m was expected, found `2m`"
        ),
    ])
    func allMistakesOfTheSourcesAreTold(one: MistakeCase) {
        let (settings, mistakes) = read(one.text)
        #expect(settings == nil)
        #expect(mistakes == one.mistakes.map { "p.yml:" + $0 })
    }

    @Test func thereAreNotMoreSourcesThanThreads() {
        let items = (0..<65).map { "{file: /\($0)}" }.joined(separator: ", ")
        #expect(read("sources: [\(items)]\n").mistakes.count == 1)
    }
}
