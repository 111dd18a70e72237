import Alerting
import Evidence
import Findings
import Foundation
import SafeText
import TestSupport
import Testing

@testable import Reports

private func facts(_ message: String, action: AlertAction = .opened) throws -> AlertFacts {
    var alert = Alert(
        id: AlertID(rule: "r", group: [[1]], earliestMicroseconds: 0),
        sequence: 0,
        action: action,
        microseconds: 1_772_359_200_250_000,
        severity: .high,
        ruleID: "r",
        ruleName: "receipt_burst"
    )
    alert.message = message
    alert.accounts = ["anna@example.org"]
    return AlertFacts(alert)
}

private func event(
    _ index: Int,
    account: String = "anna@example.org",
    domain: String = "d.test",
    subject: String = "Not read: x",
    delivery: String = "sent",
    stepMicroseconds: Int64 = 60_000_000
) throws -> ReportedEvent {
    var object = JSONObjectWriter()
    object.member(
        "@timestamp",
        rfc3339(microseconds: 1_772_359_200_000_000 + Int64(index) * stepMicroseconds)
    )
    object.member("user.name", account)
    object.member("email.to.address", "x\(index)@\(domain)")
    object.member("destination.domain", domain)
    object.member("email.subject", subject)
    object.member("email.local_id", "Q\(index)")
    object.member("postern.delivery", delivery)
    return try #require(ReportedEvent(JSONObjectReader.read(object.finished())))
}

private func incident(_ message: String, _ events: [ReportedEvent]) throws -> Incident {
    var incident = Incident(try facts(message), steps: [], bundles: [])
    incident.events = events
    incident.lines = [
        EvidenceLine(
            sequence: 1,
            source: "s",
            path: "/var/log/mail.log",
            identity: nil,
            offset: 0,
            bytes: Array(message.utf8) + [0x1b, 0xff],
            isShortened: false
        )
    ]
    return incident
}

/// What strangers write into subjects, addresses and log lines.
private let hostile = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "</title><h1>x</h1>",
    "</style><style>*{}</style>", "' onmouseover='x", "&lt;b&gt;", "a\u{202e}txt.exe",
    "\u{0}\u{1b}[2J",
    "]]><!--", "\u{2028}x\u{200b}", "`code` **bold** [x](http://a.test) | a | b", "# x",
    "- x", "1. x", "www.x.test x@y.test", "```\n# x",
]

@Suite struct ReportTests {
    /// Whatever a log says, a page has just the elements that this program wrote.
    @Test(arguments: hostile)
    func hostileTextStaysText(text: String) throws {
        let calm = try incident("x", [event(0, account: "x", domain: "x", subject: "x")])
        let wild = try incident(text, [event(0, account: text, domain: text, subject: text)])
        let pages = [calm, wild].map { String(decoding: $0.html(), as: UTF8.self) }
        func tags(_ page: String) -> [Substring] {
            // What makes hidden characters visible is an element too.
            page.split(separator: "<").dropFirst().map { $0.prefix { $0 != " " && $0 != ">" } }
                .filter { $0 != "b" && $0 != "/b" }
        }
        #expect(tags(pages[0]) == tags(pages[1]))
        for scalar in pages[1].unicodeScalars where scalar != "\n" {
            #expect(!isUnsafeToShow(scalar))
        }
        #expect(!pages[1].contains("<script"))
        #expect(pages[1].contains("default-src &#39;none&#39;; style-src &#39;sha256-"))
    }

    /// Markdown that CommonMark would take for more than text stands behind backslashes.
    @Test(arguments: hostile)
    func hostileTextStaysTextInMarkdown(text: String) throws {
        let calm = try incident("x", [event(0, account: "x", domain: "x", subject: "x")])
        let wild = try incident(text, [event(0, account: text, domain: text, subject: text)])
        func structure(_ text: String) -> [Character] {
            var isEscaped = false
            var fence = ""
            var marks: [Character] = []
            for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
                let run = String(line.prefix { $0 == "`" })
                if run.count >= 3 {
                    if fence.isEmpty { fence = run } else if run == fence { fence = "" }
                    continue
                }
                guard fence.isEmpty else { continue }
                for character in line {
                    if !isEscaped, "*`[]<>|~@".contains(character) { marks.append(character) }
                    isEscaped = character == "\\" && !isEscaped
                }
                isEscaped = false
            }
            return marks
        }
        #expect(structure(wild.markdownText()) == structure(calm.markdownText()))
    }

    @Test func thePageAllowsItsOwnStyleAndNothingElse() throws {
        let page = String(decoding: try incident("x", [event(0)]).html(), as: UTF8.self)
        // A style attribute would be refused by the policy.
        #expect(!page.contains(" style=\""))
        #expect(!page.contains("http://"))
        #expect(!page.contains("https://"))
        #expect(!page.contains("url("))
        #expect(page.components(separatedBy: "<style>").count == 2)
    }

    @Test func theSameIncidentGivesTheSameBytes() throws {
        let events = try (0..<40).map { try event($0, domain: "d\($0 % 7).test") }
        let one = try incident("x", events)
        #expect(one.html() == (try incident("x", events)).html())
        #expect(one.markdownText() == (try incident("x", events)).markdownText())
    }

    /// Twenty thousand messages of two hundred accounts to two thousand domains: the page stays one
    /// that a browser opens.
    @Test func aFloodGivesABoundedPage() throws {
        let events = try (0..<20_000).map { index in
            try event(
                index,
                account: "u\(index % 200)@example.org",
                domain: "d\(index % 2_000).test",
                delivery: ["sent", "deferred", "bounced", "x"][index % 4],
                stepMicroseconds: 100_000
            )
        }
        let page = try incident("x", events).html()
        #expect(page.count < 2_000_000)
        let text = String(decoding: page, as: UTF8.self)
        #expect(text.contains("188 more accounts"))
        #expect(text.contains("1800 more domains are in the bundle."))
    }

    @Test func countsOfAccountsAndDomainsAreThoseOfTheEvents() throws {
        let events = try [
            event(0, account: "a", domain: "one.test"),
            event(1, account: "b", domain: "one.test", delivery: "bounced"),
            event(2, account: "a", domain: "two.test", delivery: "expired"),
            event(3, account: "a", domain: "one.test", delivery: "deferred"),
        ]
        let rows = try incident("x", events).domainRows()
        #expect(rows.map(\.domain) == ["one.test", "two.test"])
        #expect(rows.map(\.counts) == [[2, 1], [1, 0]])
        #expect(rows[0].outcomes == [.sent: 1, .bounced: 1, .deferred: 1])
        #expect(rows[1].outcomes == [.bounced: 1])
        let text = try incident("x", events).markdownText()
        #expect(text.contains("| one.test | 2 | 1 | 3 | 1 sent, 1 deferred, 1 bounced |"))
    }

    @Test func theTimelineIsInTheOrderOfTime() throws {
        var incident = try incident("x", [event(0), event(1)])
        incident.steps = [
            .init(
                action: "opened",
                microseconds: 1_772_359_200_000_000 + 60_000_000,
                count: 2,
                bundle: "b"
            )
        ]
        #expect(
            incident.timelineText() == """
                2026-03-01 10:00:00  anna@example.org  to x0@d.test  sent  "Not read: x"
                2026-03-01 10:01:00  anna@example.org  to x1@d.test  sent  "Not read: x"
                2026-03-01 10:01:00  alert opened, count 2, evidence b

                """
        )
    }

    /// Times at the ends of what a number holds, as a damaged bundle may say them.
    @Test func timesBeyondReasonDoNoHarm() throws {
        var first = try event(0)
        var last = try event(1)
        first.microseconds = .min
        last.microseconds = .max
        #expect(!(try incident("x", [first, last])).html().isEmpty)
        last.microseconds = .min
        #expect(!(try incident("x", [first, last])).html().isEmpty)
    }

    @Test func anOverviewCountsByRuleAccountAndDay() throws {
        let alerts = [
            try facts("one <b>", action: .resolved), try facts("two"), try facts("three"),
        ]
        let overview = Overview(
            alerts,
            since: 1_772_000_000_000_000,
            until: 1_772_600_000_000_000,
            host: "mx1"
        )
        let page = String(decoding: overview.html(), as: UTF8.self)
        #expect(page.contains("3 alerts, 2 of them open"))
        #expect(page.contains("one &lt;b&gt;"))
        #expect(overview.markdownText().contains("| receipt\\_burst | 3 | 2 |"))
        for (text, escaped) in [
            ("# x", "\\# x"), ("12. x", "12\\. x"), ("-", "\\-"), ("a-1.b", "a-1.b"),
            ("www.x.test", "www\\.x.test"),
        ] {
            #expect(markdown(text) == escaped)
        }
        let nothing = Overview([], since: 0, until: 1, host: "mx1")
        #expect(String(decoding: nothing.html(), as: UTF8.self).contains("No alerts"))
    }
}
