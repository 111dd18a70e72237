@testable import LogSources
import TestSupport
import Testing

@Suite struct JournalTrustTests {
    static let units = ["postfix@-.service", "postfix@mx?.service", "exim*.service"]

    private func verdict(
        _ selection: JournalSelection,
        isLive: Bool,
        _ changes: [String: String?]
    ) -> JournalTrust.Verdict {
        let trust = JournalTrust(selection, isLive: isLive, userIDs: [0, 104])
        var entry = JournalEntry()
        for field in CraftedEntry(0, "text", changes).fields {
            let name = Array(field.name.utf8)
            entry.add(name: name.span, value: field.value.span, matches: trust.matches)
        }
        return trust.verdict(entry)
    }

    struct Case: Sendable {
        var changes: [String: String?]
        var live: JournalTrust.Verdict
        var file: JournalTrust.Verdict
    }

    /// Live with units, and files without: what the trusted fields say decides.
    @Test(arguments: [
        Case(changes: [:], live: .line, file: .line),
        // Live, a field that is missing counts against it.
        Case(changes: ["_SYSTEMD_UNIT": nil], live: .forged, file: .line),
        Case(changes: ["_UID": nil], live: .forged, file: .line),
        Case(changes: ["_COMM": nil], live: .line, file: .line),
        Case(
            changes: ["_SYSTEMD_UNIT": nil, "_UID": nil, "_COMM": nil],
            live: .forged,
            file: .line
        ),
        // Another unit, another user, another program.
        Case(changes: ["_SYSTEMD_UNIT": "session-3.scope"], live: .forged, file: .forged),
        Case(changes: ["_SYSTEMD_UNIT": "apache2.service"], live: .forged, file: .forged),
        Case(changes: ["_SYSTEMD_UNIT": "user@1000.service"], live: .forged, file: .forged),
        Case(changes: ["_UID": "1000"], live: .forged, file: .forged),
        Case(changes: ["_UID": "65534"], live: .forged, file: .forged),
        Case(changes: ["_UID": "-1"], live: .forged, file: .line),
        // On another machine, 105 may be Postfix; here it is not.
        Case(changes: ["_UID": "105"], live: .forged, file: .line),
        Case(changes: ["_UID": "104"], live: .line, file: .line),
        Case(changes: ["_COMM": "logger"], live: .line, file: .forged),
        Case(changes: ["_COMM": "trivial-rewrite"], live: .line, file: .line),
        // The units of the selection, with wild cards.
        Case(changes: ["_SYSTEMD_UNIT": "postfix@mx1.service"], live: .line, file: .line),
        Case(changes: ["_SYSTEMD_UNIT": "postfix@mx.service"], live: .forged, file: .line),
        Case(changes: ["_SYSTEMD_UNIT": "exim4.service"], live: .line, file: .line),
        Case(changes: ["_SYSTEMD_UNIT": "exim4.servicex"], live: .forged, file: .line),
        // What claims nothing is not forged, and is no line either.
        Case(
            changes: ["_SYSTEMD_UNIT": "ssh.service", "SYSLOG_IDENTIFIER": "sshd"],
            live: .passedOver,
            file: .passedOver
        ),
        Case(
            changes: ["_UID": "1000", "SYSLOG_IDENTIFIER": "/usr/libexec/gdm-x-session"],
            live: .passedOver,
            file: .passedOver
        ),
        // Any instance of Postfix, and the other servers.
        Case(
            changes: ["_UID": "1000", "SYSLOG_IDENTIFIER": "out/smtp"],
            live: .forged,
            file: .forged
        ),
        Case(
            changes: ["_UID": "1000", "SYSLOG_IDENTIFIER": "postfix-in/submission/smtpd"],
            live: .forged,
            file: .forged
        ),
        Case(
            changes: ["_UID": "1000", "SYSLOG_IDENTIFIER": "exim4"],
            live: .forged,
            file: .forged
        ),
        Case(
            changes: ["_UID": "1000", "SYSLOG_IDENTIFIER": "sm-mta"],
            live: .forged,
            file: .forged
        ),
        // Without an identifier, the command stands for it.
        Case(
            changes: ["_UID": "1000", "SYSLOG_IDENTIFIER": nil, "_COMM": "exim4"],
            live: .forged,
            file: .forged
        ),
        // Anybody may run these, and they log.
        Case(
            changes: [
                "_UID": "33", "_SYSTEMD_UNIT": "php.service",
                "SYSLOG_IDENTIFIER": "postfix/postdrop",
            ],
            live: .passedOver,
            file: .passedOver
        ),
        // The server's own setuid program, started by another unit.
        Case(
            changes: [
                "_UID": "104", "_SYSTEMD_UNIT": "cron.service", "SYSLOG_IDENTIFIER": "exim4",
                "_COMM": "exim4",
            ],
            live: .passedOver,
            file: .forged
        ),
        // An administrator's `postfix reload`, from a session, and somebody who says to be that.
        Case(
            changes: [
                "_UID": "0", "_SYSTEMD_UNIT": "session-3.scope",
                "SYSLOG_IDENTIFIER": "postfix/postfix-script", "_COMM": "postlog",
            ],
            live: .passedOver,
            file: .forged
        ),
        Case(
            changes: [
                "_UID": "1000", "_SYSTEMD_UNIT": "session-4.scope",
                "SYSLOG_IDENTIFIER": "postfix/postfix-script", "_COMM": "logger",
            ],
            live: .forged,
            file: .forged
        ),
        // Our own.
        Case(changes: ["SYSLOG_IDENTIFIER": "postern"], live: .passedOver, file: .passedOver),
        Case(changes: ["_SYSTEMD_UNIT": "postern.service"], live: .passedOver, file: .passedOver),
        Case(changes: ["_SYSTEMD_UNIT": "postern@a.service"], live: .passedOver, file: .passedOver),
        Case(changes: ["_SYSTEMD_UNIT": "posternx.service"], live: .forged, file: .forged),
    ])
    func theTrustedFieldsDecide(_ case: Case) {
        let live = JournalSelection(units: Self.units)
        #expect(verdict(live, isLive: true, `case`.changes) == `case`.live)
        #expect(verdict(JournalSelection(), isLive: false, `case`.changes) == `case`.file)
    }

    @Test func withoutUnitsTheMatchTakesTheirPlace() {
        let selection = JournalSelection(
            matches: [.init(field: "SYSLOG_FACILITY", values: ["2", "10"])]
        )
        func live(_ changes: [String: String?]) -> JournalTrust.Verdict {
            verdict(selection, isLive: true, changes)
        }
        #expect(live(["_SYSTEMD_UNIT": nil]) == .line)
        #expect(live(["_SYSTEMD_UNIT": "docker.service", "SYSLOG_FACILITY": "10"]) == .line)
        #expect(live(["SYSLOG_FACILITY": "1"]) == .forged)
        #expect(live(["SYSLOG_FACILITY": nil]) == .forged)
        #expect(live(["SYSLOG_FACILITY": "22"]) == .forged)
        #expect(live(["_UID": "1000"]) == .forged)
        #expect(live(["SYSLOG_FACILITY": "1", "SYSLOG_IDENTIFIER": "sshd"]) == .passedOver)
    }

    @Test func matchesOfOneFieldAreAlternativesAndOfSeveralAllMustHold() {
        let selection = JournalSelection(
            units: ["postfix@-.service"],
            matches: [
                .init(field: "PRIORITY", values: ["5", "6"]),
                .init(field: "CONTAINER", values: ["a"]),
            ]
        )
        for (priority, container, isLine) in [
            ("5", "a", true), ("6", "a", true), ("7", "a", false), ("6", "b", false),
            ("6", nil, false),
        ] as [(String, String?, Bool)] {
            let changes: [String: String?] = ["PRIORITY": priority, "CONTAINER": container]
            // With units, what is only not selected is not forged.
            #expect(verdict(selection, isLive: true, changes) == (isLine ? .line : .passedOver))
        }
    }

    @Test func aMatchOfTheUserTakesThePlaceOfTheUserTest() {
        let selection = JournalSelection(matches: [.init(field: "_UID", values: ["1000"])])
        #expect(verdict(selection, isLive: true, ["_UID": "1000"]) == .line)
        #expect(verdict(selection, isLive: true, [:]) == .forged)
    }

    @Test func anIdentifierSelectsItsPrograms() {
        let selection = JournalSelection(identifiers: ["postfix", "sm-mta"])
        for (identifier, isLine) in [
            ("postfix", true), ("postfix/smtpd", true), ("postfix/submission/smtpd", true),
            ("postfix-out/smtpd", false), ("sm-mta", true), ("sm-mtax", false), ("exim4", false),
        ] {
            let found = verdict(selection, isLive: true, ["SYSLOG_IDENTIFIER": identifier])
            #expect((found == .line) == isLine, "\(identifier)")
        }
    }

    /// Against the plain definition, over all short names and patterns.
    @Test func wildCardsMatchAsTheyAreDefined() {
        func matches(_ pattern: Substring, _ name: Substring) -> Bool {
            guard let first = pattern.first else { return name.isEmpty }
            if first == "*" {
                return matches(pattern.dropFirst(), name)
                    || !name.isEmpty && matches(pattern, name.dropFirst())
            }
            guard let letter = name.first else { return false }
            return (first == "?" || first == letter)
                && matches(pattern.dropFirst(), name.dropFirst())
        }
        func words(_ letters: [String], _ length: Int) -> [String] {
            length == 0
                ? [""] : words(letters, length - 1).flatMap { word in letters.map { word + $0 } }
        }
        for length in 0...4 {
            for pattern in words(["a", "b", "*", "?"], length) where !pattern.isEmpty {
                let selection = JournalSelection(units: [pattern])
                let trust = JournalTrust(selection, isLive: true, userIDs: [])
                for name in (1...4).flatMap({ words(["a", "b"], $0) }) {
                    #expect(trust.concerns(unit: name) == matches(pattern[...], name[...]))
                }
            }
        }
    }

    @Test func namesOfFieldsAreKnown() {
        for name in ["MESSAGE", "_UID", "__CURSOR", "A1"] {
            #expect(JournalSelection.isFieldName(name))
        }
        for name in ["", "a", "1A", "A-B", "A=B", "Ä", String(repeating: "A", count: 65)] {
            #expect(!JournalSelection.isFieldName(name))
        }
    }
}
