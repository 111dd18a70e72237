import Testing

@testable import Pipeline

@Suite struct HeaderTableTests {
    private let subject = "Subject: Not read: Cheap meds"
    private let type = "Content-Type: multipart/report; report-type=disposition-notification"

    /// The line of the rule that decides, and whether the header is logged.
    private func answer(_ table: String, _ header: String) -> (line: Int, isLogged: Bool)? {
        guard case .rule(let rule) = HeaderTable(table).answer(to: header) else { return nil }
        return (rule.line, rule.isLogged)
    }

    @Test func theShippedSnippetLogsWhatMatters() {
        let table = """
            \(PostfixSnippet.subject)
            \(PostfixSnippet.contentType)
            \(PostfixSnippet.request)
            """
        for (header, line) in [(subject, 1), (type, 2), ("Return-Receipt-To: x@y.test", 3)] {
            #expect(answer(table, header)?.line == line)
            #expect(answer(table, header)?.isLogged == true)
        }
        #expect(answer(table, "Content-Type: text/plain") == nil)
        #expect(answer(table, "X-Subject: y") == nil)
    }

    @Test func theFirstRuleThatMatchesDecides() {
        let table = """
            # a comment

            /^Subject:.*viagra/ REJECT no
            /^subject:/ DUNNO
            /^Subject:/ INFO
            """
        #expect(answer(table, subject)?.line == 4)
        #expect(answer(table, subject)?.isLogged == false)
        #expect(answer(table, "Subject: Viagra")?.line == 3)
        #expect(answer(table, "Subject: Viagra")?.isLogged == true)
    }

    @Test(arguments: [
        // Case counts with the flag i, which toggles.
        ("/^SUBJECT:/i INFO", false), ("/^SUBJECT:/ INFO", true), ("/^Subject:/i INFO", true),
        // Any delimiter, and an escaped one in the pattern.
        ("!^Subject:! INFO", false), ("|^Subject:| INFO", true),
        ("/^Subject:.*\\/x/ INFO", false), ("/^Subj\\ect:/ INFO", false),
        // Not this pattern.
        ("!/^Received:/ INFO", true), ("!/^Subject:/ INFO", false),
        // A rule goes on where a line begins with white space.
        ("/^Subject:/\n    INFO", true),
        // Only within the condition.
        ("if /^Subject:/\n/Not read/ INFO\nendif", true),
        ("if /^Received:/\n/Not read/ INFO\nendif", false),
        ("if !/^Received:/\n/Not read/ INFO\nendif", true),
        ("if /^Received:/\n/x/ INFO\nendif\n/^Subject:/ INFO", true),
        ("if /^Received:/\nif /Not/\n/read/ INFO\nendif\nendif", false),
        // No rules.
        ("Subject INFO", false), ("/^Subject: INFO", false), ("", false),
    ])
    func aRuleIsReadAsPostfixReadsIt(table: String, decides: Bool) {
        #expect((answer(table, subject) != nil) == decides)
    }

    @Test(arguments: [
        ("INFO", true), ("WARN", true), ("info text", true), ("HOLD", true), ("STRIP", true),
        ("FILTER smtp:x", true), ("IGNORE", false), ("DUNNO", false), ("OK", false), ("", false),
    ])
    func allActionsButThreeAreLogged(action: String, isLogged: Bool) {
        #expect(answer("/^Subject:/ \(action)", subject)?.isLogged == isLogged)
    }

    @Test func aPatternThatCannotBeReadIsNotGuessed() {
        let table = "/^Subject:(/ DUNNO\n/^Subject:/ INFO"
        guard case .unknown(let rule) = HeaderTable(table).answer(to: subject) else {
            Issue.record("it was judged")
            return
        }
        #expect(rule.line == 1)
    }
}

@Suite struct PostfixSettingsTests {
    private func settings(_ main: String, _ master: String) -> PostfixSettings {
        PostfixSettings(main: main, master: master)
    }

    private let inbound = "smtp       inet  n       -       y       -       -       smtpd\n"
    private let cleanup = "cleanup    unix  n       -       y       -       0       cleanup\n"

    @Test(arguments: [
        // Nothing tells the two apart but the service's name or its logins.
        ("submission inet n - y - - smtpd -o syslog_name=postfix/submission", true),
        ("127.0.0.1:2525 inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes", true),
        (
            "2525 inet n - y - - smtpd -o smtpd_client_restrictions=permit_sasl_authenticated,reject",
            true
        ),
        (
            "2525 inet n - y - - smtpd "
                + "-o { smtpd_client_restrictions = permit_sasl_authenticated, reject }", true
        ),
        ("submission inet n - y - - smtpd -o cleanup_service_name=users", false),
        ("[2001:db8::1]:587 inet n - y - - smtpd -o cleanup_service_name=users", false),
    ])
    func masterTellsWhetherCleanupIsShared(line: String, isShared: Bool) {
        let settings = settings("", inbound + line + "\n" + cleanup)
        #expect(settings.isCleanupShared == isShared)
        #expect(settings.submissionCleanups == [isShared ? "cleanup" : "users"])
    }

    @Test(arguments: [
        "127.0.0.1:10026 inet n - y - - smtpd -o content_filter=",
        "127.0.0.1:10026 inet n - y - - smtpd -o receive_override_options=no_header_body_checks",
        "2525 inet n - y - - smtpd -o smtpd_relay_restrictions=reject_unauth_destination,permit_sasl_authenticated",
    ])
    func aServiceThatIsNotForUsersIsNone(line: String) {
        #expect(settings("", line + "\n").submissionServices.isEmpty)
    }

    @Test func postscreenHandsInboundMailToAServiceOfTypePass() {
        let master = """
            smtp inet n - y - 1 postscreen
            smtpd pass - - y - - smtpd
            submissions inet n - y - - smtpd
            """
        #expect(settings("", master).isCleanupShared == true)
    }

    @Test func nothingIsKnownOfAServerWithoutUsersOrStrangers() {
        #expect(settings("", inbound).isCleanupShared == nil)
        #expect(settings("", "").isCleanupShared == nil)
    }

    @Test func tablesAreThoseOfTheService() {
        let main = "header_checks = pcre:/etc/postfix/a, regexp:/etc/postfix/b\nmyhostname = x\n"
        let master =
            cleanup + "users unix n - y - 0 cleanup -o header_checks=regexp:/etc/postfix/c\n"
        let settings = settings(main, master)
        #expect(
            settings.tables("header_checks", ofCleanup: "cleanup").map(\.path) == [
                "/etc/postfix/a", "/etc/postfix/b",
            ]
        )
        #expect(
            settings.tables("mime_header_checks", ofCleanup: "users").map(\.path) == [
                "/etc/postfix/c"
            ]
        )
        let own = self.settings(main + "mime_header_checks = $header_checks\n", master)
        #expect(own.tables("mime_header_checks", ofCleanup: "cleanup").count == 2)
        let none = self.settings(main + "mime_header_checks =\n", master)
        #expect(none.tables("mime_header_checks", ofCleanup: "cleanup").isEmpty)
        #expect(PostfixSettings.Table("hash:/etc/postfix/h").path == nil)
    }
}
