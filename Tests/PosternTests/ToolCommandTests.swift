import Foundation
import TestSupport
import Testing

/// A log of `Tests/Golden`.
private func golden(_ name: String) -> String {
    sourceTree.appendingPathComponent("Tests/Golden/\(name)").path
}

/// Runs a command whose output is to be what a file says. Folders of this machine are left out of it.
private func check(
    _ arguments: [String],
    _ file: String,
    status: Int32 = 0,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let result = try Program().run(arguments)
    #expect(result.status == status, "\(result.error)", sourceLocation: sourceLocation)
    let folder = sourceTree.appendingPathComponent("Tests/").path
    let output = result.output.replacingOccurrences(of: folder + "/", with: "")
    if ProcessInfo.processInfo.environment["POSTERN_WRITE_GOLDEN"] != nil {
        try Data(output.utf8).write(to: URL(fileURLWithPath: golden(file)))
        return
    }
    let expected = try String(contentsOfFile: golden(file), encoding: .utf8)
    #expect(output == expected, "\(file)", sourceLocation: sourceLocation)
}

private let time = ["--year", "2026", "--timezone", "UTC"]

@Suite struct ExplainCommandTests {
    @Test func eachLineTellsWhatWasReadAndWhatItJoined() throws {
        try check(["explain"] + time + [golden("explain/postfix.log")], "explain/postfix.txt")
        try check(
            ["explain", "--json"] + time + [golden("explain/postfix.log")],
            "explain/postfix.jsonl"
        )
    }

    /// The shapes of lines that `architecture.md` §6 and the corpora's README name, one of each.
    @Test func eachShapeOfALineIsReadAsItIsMeant() throws {
        try check(["explain"] + time + [golden("explain/shapes.log")], "explain/shapes.txt")
    }

    /// The corpora are read to their last line, and the counts say so.
    @Test(arguments: [
        ("postfix", "postfix"), ("postfix-short-ids", "postfix"),
        ("postfix-content-filter", "postfix"), ("exim", "exim"), ("exim-all", "exim"),
        ("opensmtpd-7", "opensmtpd"),
    ])
    func noLineOfACorpusIsNotUnderstood(name: String, dialect: String) throws {
        let log = corpus(name + ".log")
        let count = try Data(contentsOf: log).count { $0 == UInt8(ascii: "\n") }
        let result = try Program().run(["explain", "--unparsed"] + time + [log.path])
        #expect(result.status == 0)
        #expect(result.output.isEmpty)
        #expect(result.error.hasPrefix("\(dialect): \(count) lines, "), "\(result.error)")
        #expect(result.error.hasSuffix(" 0 not understood\n"))
    }

    /// What is explained is what a replay does: the same alerts, and the same submissions.
    @Test(arguments: [
        "postfix", "postfix-short-ids", "postfix-content-filter", "exim", "exim-syslog", "sendmail",
        "opensmtpd-7",
    ])
    func anExplanationDoesWhatAReplayDoes(name: String) throws {
        let log = corpus(name + ".log").path
        let lines = try Program().run(["explain", "--json"] + time + [log]).objects
        let replayed = try Program().run(["replay", "--json"] + time + [log]).objects
        let events = try Program().run(["events", "--json"] + time + [log]).objects
        let alerts = lines.flatMap { $0["postern.alerts"] as? [String] ?? [] }
        let expected = replayed.map { alert in
            let words = ["event.action", "rule.name", "event.id"].map { alert[$0] as? String ?? "" }
            return words.joined(separator: " ")
        }
        #expect(alerts == expected)
        let submitted = lines.flatMap { $0["postern.events"] as? [String] ?? [] }
            .filter { $0.contains(": submitted") }
        #expect(submitted.count == events.count)
        // Lines that joined nothing are of mail that no client handed in: bounces.
        guard name == "postfix" || name == "postfix-content-filter" else { return }
        let strays = lines.filter { $0["postern.joins"] as? String == "stray" }
            .compactMap { $0["email.local_id"] as? String }
        let ids = events.compactMap { $0["email.local_id"] as? String }
        #expect(Set(strays).isDisjoint(with: ids))
    }

    @Test func oneMessageCanBeAskedFor() throws {
        let result = try Program().run(
            ["explain", "--json", "--queue-id", "4jY8GR4XpWz2NRZh"] + time
                + [golden("explain/postfix.log")]
        )
        let ids = try result.objects.compactMap { $0["email.local_id"] as? String }
        #expect(Set(ids) == ["4jY8GR4XpWz2NRZh"])
        #expect(ids.count == 6)
    }

    @Test func linesOutsideTheWindowAreNotShown() throws {
        let result = try Program().run(
            ["explain", "--json", "--since", "2026-11-23T15:00:00Z"] + time
                + [golden("explain/postfix.log")]
        )
        #expect(try result.objects.first?["postern.line"] as? Int == 29)
    }

    @Test func mistakesHaveTheirStatus() throws {
        let scratch = try Scratch()
        func status(_ arguments: String...) throws -> Int32 {
            try Program().run(["explain"] + arguments).status
        }
        #expect(try status() == 64)
        #expect(try status("/nonexistent/mail.log") == 66)
        #expect(
            try status(try scratch.write("poem.txt", "roses are red\nviolets are blue\n")) == 65
        )
        #expect(try status("--config", scratch.path("none.yml"), corpus("postfix.log").path) == 78)
        let bad = try scratch.write("bad.yml", "title: x\n")
        _ = bad
        #expect(try status("--rules", scratch.url.path, corpus("postfix.log").path) == 78)
    }

    /// Text in a line never reaches a terminal as it is.
    @Test func controlCharactersAreEscaped() throws {
        let scratch = try Scratch()
        let log = try scratch.write(
            "mail.log",
            "2026-03-01T10:00:00Z mx1 postfix/smtpd[1]: 4XyZbbcdzN9QB: client=h[192.0.2.1], "
                + "sasl_method=PLAIN, sasl_username=a\u{1b}[31m\u{202e}b\n"
        )
        let result = try Program().run(["explain", log])
        #expect(result.output.contains("user.name=a\\u{1b}[31m\\u{202e}b\n"))
        #expect(!result.output.contains("\u{1b}"))
        #expect(!result.output.contains("\u{202e}"))
    }
}

@Suite struct TraceCommandTests {
    @Test(arguments: ["B", "C", "D", "G", "H", "J", "K"])
    func aTraceTellsItsVerdictAndTheLinesThatProveIt(letter: String) throws {
        try check(
            ["trace", "--queue-id", "4XyZbbcdzN9Q\(letter)", golden("trace/mixed.log")],
            "trace/mixed-\(letter).txt"
        )
    }

    @Test func aTraceIsGivenAsJSON() throws {
        try check(
            [
                "trace", "--json", "--message-id", "lunch@pc.hosted.example",
                golden("trace/mixed.log"),
            ],
            "trace/mixed-B.jsonl"
        )
    }

    @Test func theWayLeadsThroughInstancesAndHosts() throws {
        let logs = [golden("trace/mx2.log"), golden("trace/mx1.log")]
        try check(["trace", "--message-id", "two@pc.hosted.example"] + logs, "trace/hosts.txt")
    }

    /// One message of each server, as its log tells it.
    @Test(arguments: [
        ("exim", "1xVVVq-0007Kx-3A"), ("sendmail", "6API0HNe000111"), ("opensmtpd-7", "78e4f317"),
    ])
    func aMessageOfEachServerIsTold(name: String, queueID: String) throws {
        try check(
            ["trace", "--queue-id", queueID] + time + [corpus(name + ".log").path],
            "trace/\(name).txt"
        )
    }

    @Test func theWayLeadsThroughAFilter() throws {
        try check(
            ["trace", "--queue-id", "4jY8Gq51lZz2NRnf"] + time
                + [corpus("postfix-content-filter.log").path],
            "trace/filter.txt"
        )
    }

    @Test func whatNeverPassedIsSaidWithTheTimeOfTheLogs() throws {
        let arguments = ["trace", "--to", "nobody@elsewhere.test", golden("trace/mixed.log")]
        try check(arguments, "trace/nothing.txt")
        let json = try Program().run(arguments + ["--json"]).objects
        #expect(json.first?["postern.verdict"] as? String == "not-found")
        #expect(json.first?["event.start"] as? String == "2026-03-02T09:00:01.100Z")
        #expect(json.first?["event.end"] as? String == "2026-03-02T09:50:00.410Z")
    }

    /// Every submission of the truth is found by its Message-ID, with the account that sent it.
    @Test(arguments: [
        "postfix", "postfix-short-ids", "postfix-content-filter", "exim", "exim-all", "exim-syslog",
        "sendmail", "sendmail-filter", "opensmtpd-6", "opensmtpd-7",
    ])
    func theTruthIsTraced(name: String) throws {
        struct Truth: Decodable {
            var account: String
            var message_id: String
        }
        let text = try String(contentsOf: corpus(name + ".truth.jsonl"), encoding: .utf8)
        let rows = try text.split(separator: "\n").map {
            try JSONDecoder().decode(Truth.self, from: Data($0.utf8))
        }
        for row in rows.enumerated().filter({ $0.offset % 40 == 0 }).map(\.element) {
            let result = try Program().run(
                ["trace", "--json", "--message-id", row.message_id] + time
                    + [corpus(name + ".log").path]
            )
            let verdicts = try result.objects.filter { $0["postern.verdict"] != nil }
            #expect(verdicts.count == 1, "\(row.message_id)")
            #expect(verdicts.first?["postern.verdict"] as? String == "authenticated")
            #expect(verdicts.first?["user.name"] as? String == row.account)
        }
    }

    @Test func aPipeIsReadTwiceToo() throws {
        let log = try Data(contentsOf: URL(fileURLWithPath: golden("trace/mixed.log")))
        let result = try Program().run(["trace", "--queue-id", "4XyZbbcdzN9QD", "-"], input: log)
        #expect(result.status == 0)
        #expect(result.output.hasPrefix("Handed in without a login on the machine itself"))
        // Without a year there is nothing to guess it from.
        let yearless = Data(
            "Mar  1 10:00:00 mx1 postfix/qmgr[1]: 4XyZbbcdzN9QD: removed\n".utf8
        )
        #expect(
            try Program().run(["trace", "--queue-id", "4XyZbbcdzN9QD", "-"], input: yearless).status
                == 65
        )
    }

    @Test func theLimitKeepsTheNewest() throws {
        let result = try Program().run([
            "trace", "--json", "--to", "alice@hosted.example", "--limit", "2",
            golden("trace/mixed.log"),
        ])
        let verdicts = try result.objects.compactMap { $0["postern.verdict"] as? String }
        #expect(verdicts == ["bounce-of-ours", "received"])
        #expect(result.error.contains("4 messages were found, and the newest 2 are shown"))
    }

    @Test func mistakesHaveTheirStatus() throws {
        let scratch = try Scratch()
        let log = golden("trace/mixed.log")
        func status(_ arguments: String...) throws -> Int32 {
            try Program().run(["trace"] + arguments).status
        }
        #expect(try status(log) == 64)
        #expect(try status("--to", "a@b.test") == 64)
        #expect(try status("--to", "a@b.test", "--limit", "0", log) == 64)
        #expect(try status("--to", "a@b.test", "/nonexistent/mail.log") == 66)
        #expect(try status("--to", "a@b.test", try scratch.write("poem.txt", "roses\nred\n")) == 65)
    }

    @Test func controlCharactersAreEscaped() throws {
        let scratch = try Scratch()
        let log = try scratch.write(
            "mail.log",
            "2026-03-01T10:00:00Z mx1 postfix/smtpd[1]: 4XyZbbcdzN9QB: client=h[192.0.2.1], "
                + "sasl_method=PLAIN, sasl_username=a\u{1b}[31m\u{202e}b\n"
        )
        let result = try Program().run(["trace", "--queue-id", "4XyZbbcdzN9QB", log])
        #expect(result.output.hasPrefix("Sent with the login of a\\u{1b}[31m\\u{202e}b from"))
        #expect(!result.output.contains("\u{1b}"))
    }
}

@Suite struct TraceUsageTests {
    @Test(arguments: ["account", "to", "subject", "message-id", "queue-id"])
    func aConditionThatIsEmptyIsAMistake(name: String) throws {
        let log = corpus("postfix.log").path
        let result = try Program().run(["trace", "--\(name)", ""] + time + [log])
        #expect(result.status == 64)
        #expect(result.error.contains("--\(name) takes a text that is not empty"))
    }
}

@Suite struct DoctorCommandTests {
    /// The corpus as its server would have written it without header_checks.
    private func logWithoutHeaders(_ scratch: Scratch) throws -> String {
        let text = try String(contentsOf: corpus("postfix.log"), encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.contains(": info: header ") }
        return try scratch.write("mail.log", lines.joined(separator: "\n"))
    }

    @Test func aServerThatLogsWhatIsNeededIsReady() throws {
        try check(
            ["doctor", "--postconf", "none"] + time + [corpus("postfix.log").path],
            "doctor/ready.txt"
        )
        try check(
            ["doctor", "--json", "--postconf", "none"] + time + [corpus("postfix.log").path],
            "doctor/ready.jsonl"
        )
    }

    @Test func aServerWithoutSubjectsIsToldWhatToAdd() throws {
        let scratch = try Scratch()
        let log = try logWithoutHeaders(scratch)
        let result = try Program().run(["doctor", "--postconf", "none"] + time + [log])
        #expect(result.status == 1)
        let snippet = try String(
            contentsOf: sourceTree.appendingPathComponent("deploy/snippets/postfix-header-checks"),
            encoding: .utf8
        )
        let rules = snippet.split(separator: "\n").filter { $0.hasPrefix("/") }
        #expect(rules.count == 3)
        for rule in rules { #expect(result.output.contains("    " + rule + "\n")) }
        #expect(result.output.contains("subject        MISSING: 0 of 437 (0 %)"))
        #expect(result.output.contains("Not ready: subject missing."))
    }

    /// An Exim whose ACL logs nothing is told the lines of the snippet that comes with it.
    @Test func anEximWithoutReportTypesIsToldTheSnippet() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "mainlog",
            "2026-03-01 10:00:00 1xVVVq-0007Kx-3A <= a@hosted.example H=(pc) [198.51.100.7] P=esmtpsa "
                + "A=plain:a@hosted.example S=390 id=x@hosted.example for b@shop.test\n"
                + "2026-03-01 10:00:01 1xVVVq-0007Kx-3A => b@shop.test R=dnslookup T=remote_smtp "
                + "H=mx.shop.test [203.0.113.9] C=\"250 ok\"\n"
                + "2026-03-01 10:00:01 1xVVVq-0007Kx-3A Completed\n"
        )
        let result = try Program().run(["doctor", "--timezone", "UTC", path])
        #expect(result.status == 1)
        #expect(result.output.contains("    log_selector = +subject +received_recipients\n"))
        let snippet = try String(
            contentsOf: sourceTree.appendingPathComponent("deploy/snippets/exim-acl.conf"),
            encoding: .utf8
        )
        let lines = snippet.split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines.count == 6)
        for line in lines { #expect(result.output.contains("    " + line + "\n"), "\(line)") }
    }

    /// A program that answers as postconf does.
    private func postconf(_ scratch: Scratch, main: String, master: String) throws -> String {
        let path = try scratch.write(
            "postconf",
            """
            #!/bin/sh
            case $1 in
            -n) cat <<'EOF'
            \(main)
            EOF
            ;;
            -M) cat <<'EOF'
            \(master)
            EOF
            ;;
            esac

            """
        )
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return path
    }

    @Test func anEarlierPatternThatHidesOursIsNamed() throws {
        let scratch = try Scratch()
        let table = try scratch.write("checks", "# ours\n/^Subject:/ DUNNO\n/^Subject:/ INFO\n")
        let program = try postconf(
            scratch,
            main: "header_checks = regexp:\(table)",
            master: "smtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd\n"
                + "cleanup unix n - y - 0 cleanup"
        )
        let log = try logWithoutHeaders(scratch)
        let result = try Program().run(["doctor", "--postconf", program] + time + [log])
        #expect(result.status == 1)
        #expect(result.output.contains("\(table):2: /^Subject:/ DUNNO hides Subject"))
        #expect(result.output.contains("master.cf: mail of users and inbound mail share cleanup"))
        #expect(result.output.contains("    # at the end of \(table)"))
        #expect(result.output.contains("    usercleanup unix n - y - 0 cleanup\n"))
        #expect(result.output.contains("under the services for users (submission)"))
    }

    @Test func aCleanupServiceForUsersIsToldApart() throws {
        let scratch = try Scratch()
        let table = try scratch.write("checks", "/^Subject:/ INFO\n")
        let program = try postconf(
            scratch,
            main: "header_checks = hash:/etc/postfix/old",
            master: "smtp inet n - y - - smtpd\n"
                + "submission inet n - y - - smtpd -o cleanup_service_name=users "
                + "-o receive_override_options=no_header_body_checks\n"
                + "users unix n - y - 0 cleanup -o header_checks=regexp:\(table)"
        )
        let log = try logWithoutHeaders(scratch)
        let result = try Program().run(["doctor", "--postconf", program] + time + [log])
        #expect(result.status == 1)
        #expect(result.output.contains("mail of users has a cleanup service of its own, users"))
        #expect(result.output.contains("turns them off for the service submission"))
        #expect(result.output.contains("\(table):1 logs Subject, but the log has none"))
        #expect(!result.output.contains("usercleanup"))
        #expect(
            result.output.contains(
                "header_checks = regexp:/etc/postfix/postern_gate, hash:/etc/postfix/old\n"
            )
        )
    }

    @Test(arguments: ["STRIP", "IGNORE", "INFO"])
    func aGateThatIsShutIsNotToldOf(action: String) throws {
        let scratch = try Scratch()
        let table = try scratch.write("gate", "/^Disposition-Notification-To:/ \(action)\n")
        let program = try postconf(
            scratch,
            main: "header_checks = regexp:\(table)",
            master: "smtp inet n - y - - smtpd\n"
                + "submission inet n - y - - smtpd -o cleanup_service_name=users\n"
                + "users unix n - y - 0 cleanup -o header_checks="
        )
        let result = try Program().run(
            ["doctor", "--postconf", program] + time + [corpus("postfix.log").path]
        )
        #expect(result.status == 0)
        let isShut = action != "INFO"
        #expect(result.output.contains("header_checks delete receipt requests") == isShut)
        #expect(result.output.contains("End the abuse at the gate") != isShut)
    }

    /// A program that fails, or is not there, costs its answers and nothing else.
    @Test func aPostconfThatFailsIsToldOf() throws {
        let scratch = try Scratch()
        for program in ["/bin/false", scratch.path("none")] {
            let result = try Program().run(
                ["doctor", "--postconf", program] + time + [corpus("postfix.log").path]
            )
            #expect(result.status == 0)
            #expect(result.error.contains(program))
        }
    }

    /// One message of a user, one of a stranger.
    private func log(inbound tag: String, strip: Bool) -> String {
        let start = "2026-03-01T10:00:00.000000+00:00 mx1 postfix/"
        let tail =
            " from pc[198.51.100.7]; from=<a@hosted.example> to=<b@shop.test> proto=ESMTP helo=<p>\n"
        let other =
            " from out[203.0.113.5]; from=<x@spam.test> to=<a@hosted.example> proto=ESMTP helo=<s>\n"
        return start
            + "submission/smtpd[1]: 4XyZbbcdzN9QB: client=pc[198.51.100.7], sasl_method=PLAIN, "
            + "sasl_username=a@hosted.example\n"
            + start + "users/cleanup[2]: 4XyZbbcdzN9QB: info: header Subject: Gelezen?: x" + tail
            + start + "users/cleanup[2]: 4XyZbbcdzN9QB: info: header Content-Type: "
            + "multipart/report; report-type=disposition-notification" + tail
            + start
            + "qmgr[3]: 4XyZbbcdzN9QB: from=<a@hosted.example>, size=1, nrcpt=1 (queue active)\n"
            + start
            + "smtp[4]: 4XyZbbcdzN9QB: to=<b@shop.test>, relay=mx.shop.test[203.0.113.9]:25, "
            + "delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
            + start + "smtpd[5]: 4XyZbbcdzN9QC: client=out[203.0.113.5]\n"
            + start + "\(tag)[6]: 4XyZbbcdzN9QC: \(strip ? "strip" : "info"): header "
            + "Disposition-Notification-To: <t@target.test>" + other
            + start + "qmgr[3]: 4XyZbbcdzN9QC: from=<x@spam.test>, size=1, nrcpt=1 (queue active)\n"
    }

    @Test func theLogTellsOneCleanupServiceFromTwo() throws {
        let scratch = try Scratch()
        for (tag, words) in [
            ("cleanup", "mail of users has a cleanup service of its own, postfix/users/cleanup"),
            ("users/cleanup", "mail of users and inbound mail come by postfix/users/cleanup"),
        ] {
            let path = try scratch.write("mail.log", log(inbound: tag, strip: false))
            let result = try Program().run(["doctor", "--postconf", "none", path])
            #expect(result.status == 0)
            #expect(result.output.contains(words), "\(result.output)")
            #expect(result.output.contains("1 of 1 inbound messages asked for a receipt"))
            #expect(result.output.contains("End the abuse at the gate"))
        }
    }

    @Test func whatIsStrippedAtTheGateIsSeen() throws {
        let scratch = try Scratch()
        let path = try scratch.write("mail.log", log(inbound: "cleanup", strip: true))
        let result = try Program().run(["doctor", "--postconf", "none", path])
        #expect(result.output.contains("receipt requests are stripped from inbound mail: 1"))
        #expect(!result.output.contains("End the abuse at the gate"))
    }

    @Test func receiptsWithAnUnknownPrefixAreListed() throws {
        let scratch = try Scratch()
        let path = try scratch.write("mail.log", log(inbound: "cleanup", strip: false))
        let result = try Program().run(["doctor", "--json", "--postconf", "none", path])
        let object = try #require(try result.objects.first)
        #expect(object["postern.unknown_prefixes"] as? [String] == ["Gelezen?: x"])
        // With the prefix in the settings it is known.
        let config = try scratch.write("p.yml", "receipts: { read: ['Gelezen?'] }\n")
        let known = try Program().run([
            "doctor", "--json", "--postconf", "none", "--config", config, path,
        ])
        #expect(try known.objects.first?["postern.unknown_prefixes"] as? [String] == [])
    }

    /// Without an input, what the daemon would follow is read.
    @Test func theSourcesOfTheSettingsAreRead() throws {
        let scratch = try Scratch()
        _ = try scratch.write("mail.log.1", log(inbound: "cleanup", strip: false))
        let path = try scratch.write("mail.log", "")
        let config = try scratch.write("p.yml", "sources:\n    - file: \(path)\n")
        let result = try Program().run(["doctor", "--postconf", "none", "--config", config])
        #expect(result.status == 0, "\(result.output)\(result.error)")
        #expect(result.output.contains("mail.log.1"))
        #expect(result.output.contains("1 messages of 1 accounts"))

        let missing = try scratch.write("q.yml", "sources:\n    - file: \(scratch.path("none"))\n")
        let none = try Program().run(["doctor", "--postconf", "none", "--config", missing])
        #expect(none.status == 1)
        #expect(
            none.output.contains("rights         MISSING: \(scratch.path("none")) cannot be read")
        )
    }

    @Test func aLogWithoutUsersIsNotReady() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "mail.log",
            "2026-03-01T10:00:00Z mx1 postfix/smtpd[5]: 4XyZbbcdzN9QC: client=out[203.0.113.5]\n"
                + "2026-03-01T10:00:00Z mx1 postfix/submission/smtpd[5]: 4XyZbbcdzN9QD: "
                + "client=pc[198.51.100.7]\n"
        )
        let result = try Program().run(["doctor", "--postconf", "none", path])
        #expect(result.status == 1)
        #expect(
            result.output.contains(
                "no message came with a login in the log, and 1 came from users without one"
            )
        )
    }

    /// An authenticator without `server_set_id` (Exim's specification, 33.2).
    @Test func whatEximDoesNotSayOfLoginsIsAskedFor() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "mainlog",
            "2026-03-01 10:00:00 1xVVVr-0007L6-1I <= a@hosted.example H=(pc) [198.51.100.7] "
                + "P=esmtpsa CV=no A=plain_login S=700 id=1@pc T=\"Hello\" for b@example.net\n"
        )
        let result = try Program().run(["doctor", path])
        #expect(result.status == 1)
        #expect(result.output.contains("1 came from users without one"))
        #expect(result.output.contains("server_set_id = $auth1"))
        #expect(!result.output.contains("inbound messages"))
        #expect(try Program().run(["events", "--json", path]).output == "")
    }

    @Test func mistakesHaveTheirStatus() throws {
        let scratch = try Scratch()
        func status(_ arguments: String...) throws -> Int32 {
            try Program().run(["doctor"] + arguments).status
        }
        #expect(try status("/nonexistent/mail.log") == 66)
        #expect(
            try status(try scratch.write("poem.txt", "roses are red\nviolets are blue\n")) == 65
        )
        #expect(try status("--config", scratch.path("none.yml")) == 78)
        #expect(try status("--nonsense") == 64)
    }
}

@Suite(.serialized) struct BlindDaemonTests {
    /// A message whose subject is logged, or is not.
    private func message(_ number: Int, hasSubject: Bool) -> String {
        let consonants = Array("BCDFGHJKLM")
        let id =
            "4XyZbbcdz" + String([100, 10, 1].map { consonants[number / $0 % 10] })
            + String(consonants[number / 1_000 % 10])
        let time = String(format: "%02d:%02d", number / 60, number % 60)
        let start = "2026-03-01T\(time):00.000000+00:00 mx1 postfix/"
        let header =
            "cleanup[2]: \(id): info: header Subject: Lunch from pc[192.0.2.7]; "
            + "from=<alice@hosted.example> to=<b@shop.test> proto=ESMTP helo=<pc>\n"
        return start + "submission/smtpd[1]: \(id): client=pc[192.0.2.7], sasl_method=LOGIN, "
            + "sasl_username=alice@hosted.example\n"
            + (hasSubject ? start + header : "")
            + start
            + "qmgr[3]: \(id): from=<alice@hosted.example>, size=1, nrcpt=1 (queue active)\n"
            + start + "smtp[4]: \(id): to=<b@shop.test>, relay=mx.shop.test[203.0.113.9]:25, "
            + "delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
            + start + "qmgr[3]: \(id): removed\n"
    }

    /// The subjects vanish from the log, and the sinks hear of it, once, also over a restart in
    /// between.
    @Test func theSinksHearThatTheSubjectsAreGone() throws {
        let daemon = try Daemon()
        try daemon.append((0..<300).map { message($0, hasSubject: true) }.joined())
        try daemon.append((300..<350).map { message($0, hasSubject: false) }.joined())
        try daemon.start()
        let stored = eventually {
            let days = try? Program().run([
                "state", "continuity", "--json", "--config", daemon.config,
            ]).objects
            return days?.first?["lines"] as? Int == 300 * 5 + 50 * 4
        }
        #expect(stored)
        #expect(daemon.sent.isEmpty)
        #expect(daemon.stop() == 0)
        try daemon.start()
        try daemon.append((350..<520).map { message($0, hasSubject: false) }.joined())
        let isTold = eventually { !daemon.sent.isEmpty }
        #expect(isTold)
        #expect(daemon.stop() == 0)
        #expect(daemon.sent.map { $0["rule.name"] as? String } == ["postern_blind"])
        let notice = daemon.sent.first ?? [:]
        #expect(notice["event.action"] as? String == "notice")
        let words = "Of the last 200 submissions, the log has the subject of 99"
        #expect((notice["message"] as? String)?.hasPrefix(words) ?? false)
        #expect(daemon.messages.contains("postern_blind: \(words)"))
    }
}
