import MailEvents

/// The lines that make a Postfix log what is needed: also in `deploy/snippets/postfix-header-checks`.
enum PostfixSnippet {
    static let subject = "/^Subject:/                                         INFO"
    static let contentType = "/^Content-Type:[[:space:]]*(multipart|message)\\//   INFO"
    static let request =
        "/^(Disposition-Notification-To|Return-Receipt-To|X-Confirm-Reading-To):/  INFO"
    static let strip =
        "/^(Disposition-Notification-To|Return-Receipt-To|X-Confirm-Reading-To):/  STRIP"
    /// Where our lines go when the server has no table that they can be added to.
    static let ownTable = "/etc/postfix/postern_header_checks"
    static let gateTable = "/etc/postfix/postern_gate"
}

extension DoctorReport {
    // MARK: Postfix

    mutating func judgePostfix(
        _ counts: CheckupCounts,
        _ checkup: borrowing Checkup,
        _ server: ServerKnowledge
    ) {
        guard counts.submissions + counts.inbound + counts.withoutAccount > 0 else { return }
        let isShared = judgeCleanup(counts, checkup, server)
        if let settings = server.postfix { judgeTables(settings, server) }
        if counts.lacksSubjects || counts.withContentType == 0 && counts.submissions > 0 {
            addHeaderLines(counts, server)
        }
        if counts.stripped > 0 { return }
        if isGateShut(server) {
            add("at the gate", .good, "header_checks delete receipt requests from inbound mail")
        } else {
            addGate(isShared: isShared, server.postfix)
        }
    }

    /// Whether the tables of inbound mail delete receipt requests, all of them.
    private func isGateShut(_ server: ServerKnowledge) -> Bool {
        guard let settings = server.postfix, !settings.inboundServices.isEmpty else { return false }
        return settings.inboundServices.allSatisfy { service in
            let cleanup = settings.cleanup(of: service)
            for table in settings.tables("header_checks", ofCleanup: cleanup) {
                guard let path = table.path, let rules = server.tables[path] else { continue }
                switch rules.answer(to: Probe.request.header) {
                case .none: continue
                case .unknown: return false
                case .rule(let rule): return rule.verb == "STRIP" || rule.verb == "IGNORE"
                }
            }
            return false
        }
    }

    /// Whether one cleanup service gets the mail of users and that of other servers: what can be
    /// done to inbound mail depends on it. Nil: nothing tells.
    private mutating func judgeCleanup(
        _ counts: CheckupCounts,
        _ checkup: borrowing Checkup,
        _ server: ServerKnowledge
    ) -> Bool? {
        if let isShared = server.postfix?.isCleanupShared {
            let names = server.postfix?.submissionCleanups.joined(separator: ", ") ?? "cleanup"
            add(
                "cleanup",
                .good,
                isShared
                    ? "master.cf: mail of users and inbound mail share \(names)"
                    : "master.cf: mail of users has a cleanup service of its own, \(names)"
            )
            return isShared
        }
        let users = checkup.submissionCleanups.sorted()
        let others = checkup.inboundCleanups
        guard !users.isEmpty, !others.isEmpty else { return nil }
        if users.allSatisfy({ !others.contains($0) }) {
            add(
                "cleanup",
                .good,
                "mail of users has a cleanup service of its own, \(users.joined(separator: ", "))"
            )
            return false
        }
        // One name in the log may be two services; then they have different header checks.
        if counts.withSubject > 0, counts.inbound >= 20, counts.inboundWithSubject == 0 {
            add(
                "cleanup",
                .good,
                "headers of users' mail are logged and none of \(counts.inbound) inbound messages: "
                    + "two cleanup services under one name in the log"
            )
            return false
        }
        let why =
            counts.inboundWithSubject > 0
            ? ", and headers of both are logged" : "; postconf -M tells whether it is one service"
        add(
            "cleanup",
            .good,
            "mail of users and inbound mail come by \(users.joined(separator: ", "))\(why)"
        )
        return true
    }

    /// What the tables do with the headers that matter, and whether they are asked at all.
    private mutating func judgeTables(_ settings: PostfixSettings, _ server: ServerKnowledge) {
        for service in settings.submissionServices where settings.hasNoHeaderChecks(service) {
            add(
                "header checks",
                .missing,
                "receive_override_options turns them off for the service \(service.name) "
                    + "(no_header_body_checks)"
            )
        }
        for (path, why) in server.unreadable.sorted(by: { $0.key < $1.key }) {
            add("header checks", .advice, "\(path) cannot be read: \(why)")
        }
        for cleanup in settings.submissionCleanups {
            for probe in Probe.all { judge(probe, cleanup, settings, server) }
        }
    }

    /// A header that is looked up as Postfix does: in the tables of its kind, in their order, until
    /// one has an answer.
    private struct Probe {
        var name: String
        var header: String
        var setting: String

        static let all = [
            Probe(
                name: "Subject",
                header: "Subject: Not read: Cheap meds",
                setting: "header_checks"
            ),
            // Content-Type is a MIME header wherever it stands (`cleanup_header_callback` in
            // cleanup_message.c).
            Probe(
                name: "Content-Type",
                header: "Content-Type: multipart/report; report-type=disposition-notification",
                setting: "mime_header_checks"
            ),
            request,
        ]

        static let request = Probe(
            name: "Disposition-Notification-To",
            header: "Disposition-Notification-To: <someone@example.org>",
            setting: "header_checks"
        )
    }

    private mutating func judge(
        _ probe: Probe,
        _ cleanup: String,
        _ settings: PostfixSettings,
        _ server: ServerKnowledge
    ) {
        for table in settings.tables(probe.setting, ofCleanup: cleanup) {
            guard let path = table.path, let rules = server.tables[path] else { continue }
            switch rules.answer(to: probe.header) {
            case .none: continue
            case .unknown(let rule):
                add(
                    "header checks",
                    .advice,
                    "\(path):\(rule.line): whether /\(rule.pattern)/ hides \(probe.name) cannot be "
                        + "told here; ask postmap -q '\(probe.header)' \(table.name)"
                )
                return
            case .rule(let rule):
                if !rule.isLogged {
                    add(
                        "header checks",
                        probe.name == "Subject" ? .missing : .advice,
                        "\(path):\(rule.line): /\(rule.pattern)/ \(rule.action) hides \(probe.name) "
                            + "from every rule behind it; put ours before it, or give it INFO"
                    )
                } else if probe.name == "Subject", counts.lacksSubjects {
                    add(
                        "header checks",
                        .advice,
                        "\(path):\(rule.line) logs \(probe.name), but the log has none: run postfix "
                            + "reload, or the log is older"
                    )
                }
                return
            }
        }
    }

    private mutating func addHeaderLines(_ counts: CheckupCounts, _ server: ServerKnowledge) {
        let snippet = [PostfixSnippet.subject, PostfixSnippet.contentType, PostfixSnippet.request]
        let cleanup = server.postfix?.submissionCleanups.first ?? "cleanup"
        let tables = server.postfix?.tables("header_checks", ofCleanup: cleanup) ?? []
        let title =
            counts.lacksSubjects
            ? "Log subjects, content types and receipt requests; no message is changed"
            : "Log content types; no message is changed"
        var lines: [String]
        if let last = tables.last(where: { $0.path != nil }), let path = last.path {
            lines = ["# at the end of \(path) (the first rule that matches wins)"] + snippet
        } else if server.postfix == nil {
            lines = ["# at the end of the table that postconf -h header_checks names"] + snippet
            lines += [
                "# main.cf: if it names none, of a table of its own",
                "header_checks = regexp:\(PostfixSnippet.ownTable)",
            ]
        } else {
            let own = "regexp:" + PostfixSnippet.ownTable
            let names = tables.map(\.name) + [own]
            lines = ["# \(PostfixSnippet.ownTable)"] + snippet
            lines +=
                server.postfix?.service(cleanup, "cleanup")?.overrides["header_checks"] != nil
                ? [
                    "# master.cf: under the service \(cleanup)",
                    "    -o header_checks=\(names.joined(separator: ","))",
                ] : ["# main.cf", "header_checks = \(names.joined(separator: ", "))"]
        }
        let mime = server.postfix?.tables("mime_header_checks", ofCleanup: cleanup) ?? []
        if server.postfix != nil, mime != tables {
            lines.append("# mime_header_checks has tables of its own, and they need this one too")
            lines.append(PostfixSnippet.contentType)
        }
        remedies.append(Remedy(title: title, lines: lines, commands: ["postfix reload"]))
    }

    private mutating func addGate(isShared: Bool?, _ settings: PostfixSettings?) {
        let title =
            "End the abuse at the gate: delete receipt requests from inbound mail (and log it). It "
            + "also ends receipts that people did ask for, and breaks DKIM signatures over the header"
        var tables = settings?.tables("header_checks", ofCleanup: "cleanup").map(\.name) ?? ["…"]
        let names = (["regexp:" + PostfixSnippet.gateTable] + tables).joined(separator: ", ")
        if tables.isEmpty { tables = ["regexp:" + PostfixSnippet.ownTable] }
        let own = tables.joined(separator: ",")
        var lines = [
            "# \(PostfixSnippet.gateTable) (Postfix 3.2 and later)", PostfixSnippet.strip,
            settings == nil
                ? "# main.cf: before what postconf -h header_checks says now, here …"
                : "# main.cf: before the other tables",
            "header_checks = \(names)",
        ]
        if isShared ?? true {
            let chroot = settings?.service("cleanup", "cleanup")?.chroot ?? "-"
            let services = settings?.submissionServices.map(\.name) ?? []
            let users =
                services.isEmpty ? "submission, submissions" : services.joined(separator: ", ")
            lines += [
                "# master.cf: a cleanup service for users' mail, whose own requests stay",
                "usercleanup unix n - \(chroot) - 0 cleanup", "    -o header_checks=\(own)",
                "# master.cf: under the services for users (\(users))",
                "    -o cleanup_service_name=usercleanup",
            ]
        } else if let settings {
            for name in settings.submissionCleanups
            where settings.service(name, "cleanup")?.overrides["header_checks"] == nil {
                lines += [
                    "# master.cf: under the service \(name), so that users' own requests stay",
                    "    -o header_checks=\(own)",
                ]
            }
        }
        remedies.append(Remedy(title: title, lines: lines, commands: ["postfix reload"]))
    }

    // MARK: Other servers

    mutating func adviseExim(_ counts: CheckupCounts) {
        let lacksRecipients =
            counts.submissions > 0 && counts.withRecipient * 10 < counts.submissions * 9
        if counts.lacksSubjects || lacksRecipients {
            remedies.append(
                Remedy(
                    title: "Log subjects and recipients",
                    lines: [
                        "# main section of Exim's configuration; Debian: add both words to "
                            + "MAIN_LOG_SELECTOR",
                        "log_selector = +subject +received_recipients",
                    ],
                    commands: ["systemctl reload exim4"]
                )
            )
        }
        if counts.withoutAccount > 0 {
            remedies.append(
                Remedy(
                    title: "Log who logs in: without it, A= has the authenticator alone",
                    lines: [
                        "# in each server authenticator of Exim's configuration",
                        "server_set_id = $auth1    # of LOGIN and CRAM-MD5; $auth2 of PLAIN",
                    ],
                    commands: ["systemctl reload exim4"]
                )
            )
        }
        guard counts.submissions > 0, counts.withContentType == 0 else { return }
        remedies.append(
            Remedy(
                title: "Log which mail is a receipt, and which asks for one",
                lines: [
                    "# in the ACL that acl_smtp_data names, before anything there accepts; Debian: "
                        + "the file of CHECK_DATA_LOCAL_ACL_FILE"
                ] + EximSnippet.lines,
                commands: ["systemctl reload exim4"]
            )
        )
    }

    /// Servers that need a program or a ruleset of ours to log headers.
    mutating func adviseOther(_ dialect: Dialect, _ counts: CheckupCounts) {
        guard counts.lacksSubjects || counts.submissions > 0 && counts.withContentType == 0 else {
            return
        }
        let title = "Log subjects, content types and receipt requests"
        if dialect == .sendmail {
            remedies.append(
                Remedy(
                    title: title + " (deploy/snippets/sendmail-subject.mc says more)",
                    lines: [
                        "dnl at the end of /etc/mail/sendmail.mc",
                        "include(`/usr/share/postern/snippets/sendmail-subject.mc')",
                    ],
                    commands: ["make -C /etc/mail", "systemctl restart sendmail"]
                )
            )
        } else {
            remedies.append(
                Remedy(
                    title: title + " (deploy/snippets/opensmtpd-filter is the filter)",
                    lines: [
                        "# smtpd.conf",
                        "filter \"postern\" proc-exec \"/usr/local/libexec/smtpd/postern-filter\"",
                        "# and at the end of each line for users:",
                        "listen on … filter \"postern\"",
                    ],
                    commands: ["systemctl restart opensmtpd"]
                )
            )
        }
    }
}

/// What makes Exim log the type of a report and who asks for a receipt: also in
/// `deploy/snippets/exim-acl.conf`.
enum EximSnippet {
    static let lines = [
        "  warn",
        "    condition = ${if match {$h_content-type:} {\\N(?is)^\\s*multipart/report\\s*;"
            + ".*\\breport-type\\s*=\\s*\"?disposition-notification\\b\\N}}",
        "    logwrite  = report-type=disposition-notification",
        "  warn",
        "    condition = ${if def:h_disposition-notification-to:}",
        "    logwrite  = disposition-notification-to=<${address:$h_disposition-notification-to:}>",
    ]
}
