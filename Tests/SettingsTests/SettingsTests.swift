import TestSupport
import Testing

@testable import Settings

/// Every key that this version knows, away from its default.
let everyKey = """
    sources:
        - file: /var/log/mail.log
          name: mail
        - { file: /srv/relay/mail.log }
        - file: /var/log/exim4/mainlog*
          backfill: none
          allow_duplicate: true
        - journal
        - journal:
              directory: /srv/journal
              units: [postfix@*.service]
              match: { _UID: [0, "105"], _COMM: smtpd }
              identifiers: [postfix]
          name: relay
    timezone: Europe/Berlin
    lateness: 90s
    merge_hold: 2s
    account_domain: example.com
    filters: [192.0.2.40, "2001:db8::40", filter.example.com, spamfilter]
    rules: [/etc/postern/rules, /srv/rules]
    rules_off: [outlook_not_read_slow]
    receipts: { not_read: ["Ikke åpnet:"], read: [Apnet] }
    memory: { domains: 30d }
    limits:
        open_messages: 50_000
        idle: 2h
        recipients: 500
        kept_lines: 16
        filter_wait: 30s
        domains_per_account: 100
        heard_per_account: 20
        outbox: 100
        outbox_bytes: 1MiB
    state: /srv/postern
    evidence: { lines_max: 500 }
    dispatch_age_max: 2d
    sinks:
        - syslog: { address: "unix:/run/systemd/journal/dev-log", facility: local3 }
          levels: low..high
        - stdout: { format: json }
          levels: critical
    http: { listen: "tcp:[::1]:8025", hosts: [mx1.example.com] }

    """

func read(_ text: String) -> (settings: CheckedSettings?, mistakes: [String]) {
    let (settings, mistakes) = CheckedSettings.read(Array(text.utf8), file: "p.yml")
    return (settings, mistakes.map(\.description))
}

@Suite struct SettingsTests {
    @Test(arguments: ["", "\n", "# nothing\n", "---\n", "{}\n", "sources:\nsinks:\nlimits:\n"])
    func aFileThatSaysNothingGivesTheDefaults(text: String) throws {
        let (settings, mistakes) = read(text)
        #expect(mistakes == [])
        let found = try #require(settings)
        #expect(found.sources == nil)
        #expect(
            CheckedSettings.defaultLogs == [
                "/var/log/mail.log", "/var/log/maillog", "/var/log/exim4/mainlog",
            ]
        )
        #expect(found.mergeHoldSeconds == 1)
        #expect(found.timezone == .local)
        #expect(found.latenessSeconds == 300)
        #expect(found.accountDomain == nil)
        #expect(found.filters == [])
        #expect(found.rules == nil)
        #expect(CheckedSettings.defaultRules == "/etc/postern/rules")
        #expect(found.rulesOff == [])
        #expect(found.receipts == CheckedSettings.Receipts())
        #expect(found.memory.domainDays == 400)
        #expect(found.limits == CheckedSettings.Limits())
        #expect(found.state == "/var/lib/postern")
        #expect(found.evidence.linesMax == 10_000)
        #expect(found.dispatchAgeSecondsMax == 86_400)
        #expect(found.sinks.map(\.name) == ["syslog:unix:/dev/log"])
        let syslog = CheckedSettings.Syslog()
        #expect(found.sinks.first?.kind == .syslog(syslog))
        #expect(found.sinks.first?.levels == .init(lowest: .medium, highest: .critical))
    }

    private var relayJournal: CheckedSettings.JournalSource {
        var journal = CheckedSettings.JournalSource()
        journal.place = .directory("/srv/journal")
        journal.units = ["postfix@*.service"]
        journal.matches = [
            .init(field: "_UID", values: ["0", "105"]), .init(field: "_COMM", values: ["smtpd"]),
        ]
        journal.identifiers = ["postfix"]
        return journal
    }

    @Test func everyKeyReachesItsValue() throws {
        let (settings, mistakes) = read(everyKey)
        #expect(mistakes == [])
        let found = try #require(settings)
        #expect(
            found.sources == [
                .init(kind: .file(path: "/var/log/mail.log", backfill: .rotated), name: "mail"),
                .init(
                    kind: .file(path: "/srv/relay/mail.log", backfill: .rotated),
                    name: "/srv/relay/mail.log"
                ),
                .init(
                    kind: .file(path: "/var/log/exim4/mainlog*", backfill: .none),
                    name: "/var/log/exim4/mainlog*",
                    allowDuplicate: true
                ),
                .init(kind: .journal(.init()), name: "journal"),
                .init(kind: .journal(relayJournal), name: "relay"),
            ]
        )
        #expect(found.mergeHoldSeconds == 2)
        #expect(found.timezone == .named("Europe/Berlin"))
        #expect(found.latenessSeconds == 90)
        #expect(found.accountDomain == "example.com")
        #expect(
            found.filters == ["192.0.2.40", "2001:db8::40", "filter.example.com", "spamfilter"]
        )
        #expect(found.rules == ["/etc/postern/rules", "/srv/rules"])
        #expect(found.rulesOff == ["outlook_not_read_slow"])
        #expect(found.receipts == .init(notRead: ["Ikke åpnet:"], read: ["Apnet"]))
        #expect(found.memory.domainDays == 30)
        #expect(
            found.limits
                == .init(
                    openMessages: 50_000,
                    idleSeconds: 7_200,
                    recipients: 500,
                    keptLines: 16,
                    filterWaitSeconds: 30,
                    domainsPerAccount: 100,
                    heardPerAccount: 20,
                    outbox: 100,
                    outboxBytes: 1 << 20
                )
        )
        #expect(found.http.listen == .tcp(host: "::1", port: 8_025))
        #expect(found.http.listen?.text == "tcp:[::1]:8025")
        #expect(found.http.hosts == ["mx1.example.com"])
        #expect(found.http.isListenSet)
        #expect(found.state == "/srv/postern")
        #expect(found.evidence.linesMax == 500)
        #expect(found.dispatchAgeSecondsMax == 172_800)
        #expect(
            found.sinks == [
                .init(
                    kind: .syslog(
                        .init(
                            address: .unix("/run/systemd/journal/dev-log"),
                            facility: .local3
                        )
                    ),
                    levels: .init(lowest: .low, highest: .high)
                ),
                .init(
                    kind: .standardOutput(.json),
                    levels: .init(lowest: .critical, highest: .critical)
                ),
            ]
        )
        #expect(found.sinks[0].name == "syslog:unix:/run/systemd/journal/dev-log")
        #expect(CheckedSettings.Facility.local3.rawValue == 19)
    }

    /// Any key of the example can be left out, and then has its default; the others stay.
    @Test func keysDoNotDependOnEachOther() {
        let lines = everyKey.split(separator: "\n", omittingEmptySubsequences: false)
        let starts = lines.indices.filter { !lines[$0].isEmpty && !lines[$0].hasPrefix(" ") }
        for (index, start) in starts.enumerated() {
            let end = index + 1 < starts.count ? starts[index + 1] : lines.endIndex
            let rest = lines[..<start] + lines[end...]
            #expect(read(rest.joined(separator: "\n")).mistakes == [])
        }
    }

    @Test func nullMeansAllWhereAnAgeCouldBeAndNoDomainWhereOneCould() throws {
        let found = try #require(read("dispatch_age_max: null\naccount_domain: ~\n").settings)
        #expect(found.dispatchAgeSecondsMax == nil)
        #expect(found.accountDomain == nil)
    }

    @Test func thePageHasAPlaceUnlessItIsTurnedOff() throws {
        let defaults = CheckedSettings().http
        #expect(defaults.listen == .unix("/run/postern/http.sock"))
        #expect(!defaults.isListenSet)
        for text in ["http: null\n", "http: { listen: null }\n"] {
            #expect(try #require(read(text).settings).http.listen == nil, "\(text)")
        }
        let named = try #require(read("http: { hosts: [mx1.example] }\n").settings).http
        #expect(named.listen == defaults.listen)
        #expect(!named.isListenSet)
    }

    @Test func reportsHaveADayAndATimeOfTheirPeriod() throws {
        let sinks = "sinks: [{mail: {to: a@b.example}}, {exec: {command: [/bin/x]}, name: x}]\n"
        let text = """
            \(sinks)reports:
                - to: mail
                - { every: week, on: friday, at: 23:05, to: x }
                - { every: month, to: [mail, x] }
                - { every: day, at: "00:00", to: "mail:a@b.example" }

            """
        let (settings, mistakes) = read(text)
        #expect(mistakes == [])
        let found = try #require(settings)
        #expect(
            found.reports == [
                .init(period: .week(on: 0), minute: 420, to: ["mail"]),
                .init(period: .week(on: 4), minute: 23 * 60 + 5, to: ["x"]),
                .init(period: .month(on: 1), minute: 420, to: ["mail", "x"]),
                .init(period: .day, minute: 0, to: ["mail:a@b.example"]),
            ]
        )
        #expect(found.sinks(of: found.reports[2]).map(\.name) == ["mail:a@b.example", "x"])
        // What `--effective` prints gives the same again.
        let again = try #require(read(found.text()).settings)
        #expect(again.reports == found.reports)
    }

    @Test func anEmptyListOfSinksIsNoSink() throws {
        #expect(try #require(read("sinks: []\n").settings).sinks == [])
    }

    @Test func aSinkKeepsItsNameWhereverItStands() throws {
        let one = try #require(read("sinks: [{stdout: }, {syslog: }]\n").settings)
        let other = try #require(read("sinks: [{syslog: {facility: user}}, {stdout: }]\n").settings)
        #expect(one.sinks.map(\.name) == ["stdout", "syslog:unix:/dev/log"])
        #expect(Set(one.sinks.map(\.name)) == Set(other.sinks.map(\.name)))
    }

    @Test(arguments: [
        ("local", CheckedSettings.Zone.local), ("UTC", .utc), ("Etc/GMT+5", .named("Etc/GMT+5")),
        ("America/Argentina/Ushuaia", .named("America/Argentina/Ushuaia")),
    ])
    func zonesOfTheDatabaseAreKnown(name: String, zone: CheckedSettings.Zone) throws {
        #expect(try #require(read("timezone: \(name)\n").settings).timezone == zone)
    }

    @Test func aZoneNameNeverLeavesTheFolder() {
        let folder = ZoneFolder(path: "/usr/share/zoneinfo/Europe")
        #expect(folder.has("Berlin"))
        for name in ["../UTC", "./Berlin", "/Berlin", "Berlin/", "", "..", "Berlin/../Berlin"] {
            #expect(!folder.has(name))
        }
    }

    @Test(arguments: [
        ("0s", 0), ("5m", 300), ("90s", 90), ("6h", 21_600), ("7d", 604_800), ("1w", 604_800),
    ])
    func timeSpansHaveUnits(text: String, seconds: Int64) throws {
        #expect(try #require(read("lateness: \(text)\n").settings).latenessSeconds == seconds)
    }

    @Test(arguments: [
        ("0", 0), ("4096", 4_096), ("64KiB", 65_536), ("256MiB", 268_435_456),
        ("1GiB", 1_073_741_824), ("2TiB", 2_199_023_255_552), ("9223372036854775807", Int64.max),
    ])
    func sizesHaveUnits(text: String, bytes: Int64) { #expect(sizeBytes(text) == bytes) }

    @Test(arguments: [
        "", "GiB", "1GB", "1 GiB", "-1", "1.5GiB", "9223372036854775808", "8388608TiB", "１MiB",
    ])
    func whatIsNoSizeIsNone(text: String) { #expect(sizeBytes(text) == nil) }

    @Test func otherRoomsCanNameThePlaceOfAMistake() throws {
        let text = "rules_off:\n    - outlook_not_raed\nreceipts: {read: [Lu]}\n"
        let settings = try #require(read(text).settings)
        #expect(
            settings.mistakes(ofRulesOff: ["outlook_not_read", "other"]).map(\.description) == [
                "p.yml:2:7: the name of a shipped rule was expected, found `outlook_not_raed`; "
                    + "did you mean `outlook_not_read`?"
            ]
        )
        #expect(settings.mistakes(ofRulesOff: ["outlook_not_raed"]) == [])
        #expect(
            settings.mistake("no", about: "Lu", under: "receipts.read").description
                == "p.yml:3:19: no"
        )
        #expect(settings.mistake("no", about: "x", under: "rules").description == "p.yml:1:1: no")
    }

    @Test func filesOfWindowsEditorsAreRead() {
        let text = "\u{feff}" + everyKey.split(separator: "\n").joined(separator: "\r\n")
        #expect(read(text).mistakes == [])
        #expect(read("\u{feff}state: /x\r\nlatenes: 1m\r\n").mistakes.count == 1)
    }

    // MARK: Robustness

    /// forall changes of a valid file: settings or mistakes, never both, never neither, no trap.
    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func aDamagedFileIsReadOrRefusedButNeverTraps(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let good = Array(everyKey.utf8)
        let words = [
            "null", "[", "]", "{", "}", "&a ", "*a", "!!int ", "!x ", "- ", ": ", "\t", "\"", "'",
            "|\n", ">\n", "%YAML 9\n", "---\n", "...\n", "? ", "<<: ", "-1", "1e999", "0x7fffffff",
            "99999999999999999999d", "\u{0}", "\u{feff}", "\u{2028}", "..", "unix:", "~",
        ].map { Array($0.utf8) }
        for _ in 0..<40 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeSubrange(at..<min(bytes.count, at + 1 + at % 9))
                case 2: bytes.insert(contentsOf: words.randomElement(using: &random) ?? [], at: at)
                case 3:
                    let from = Int.random(in: 0..<bytes.count, using: &random)
                    bytes.insert(contentsOf: bytes[from...].prefix(40), at: at)
                default: bytes.removeSubrange(at...)
                }
                if bytes.isEmpty { bytes = [0x20] }
            }
            let (settings, mistakes) = CheckedSettings.read(bytes, file: "p.yml")
            #expect((settings == nil) != mistakes.isEmpty)
            for mistake in mistakes {
                #expect(mistake.line >= 1)
                #expect(mistake.column >= 1)
                #expect(mistake.message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
            }
        }
    }

    /// A key made of aliases of aliases would take exponential time to compare.
    @Test func laughingKeysEndAtOnce() {
        var text = "a0: &a0 [x, x]\n"
        for level in 1...40 {
            text += "a\(level): &a\(level) {*a\(level - 1) : *a\(level - 1)}\n"
        }
        #expect(read(text).mistakes.count == 1)
    }

    @Test func nestingIsBounded() {
        for depth in [33, 900, 5_000, 100_000] {
            let text = "rules: " + String(repeating: "[", count: depth)
            #expect(!read(text + String(repeating: "]", count: depth)).mistakes.isEmpty)
            #expect(!read(text).mistakes.isEmpty)
        }
    }

    @Test func aFileThatIsTooLongIsRefused() {
        let (settings, mistakes) = CheckedSettings.read(
            Array(repeating: UInt8(ascii: "#"), count: (1 << 20) + 1),
            file: "p.yml"
        )
        #expect(settings == nil)
        #expect(mistakes.map(\.message) == ["a file of at most 1048576 bytes was expected"])
    }
}
