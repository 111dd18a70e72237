import MailEvents
import MailLog
import TestSupport
import Testing

// Small logs of one happening each. The stamp counts up, so that each line has its own second.

/// Puts a head before each text: `PROGRAM: TEXT`.
private func log(_ texts: String...) -> [String] { log(texts) }

private func log(_ texts: [String]) -> [String] {
    texts.enumerated().map { index, text in
        let colon = text.firstIndex(of: ":") ?? text.endIndex
        let program = text[..<colon]
        let name = program.contains("[") ? "\(program)" : "\(program)[7]"
        let second = index < 10 ? "0\(index)" : "\(index)"
        return "Mar  1 10:00:\(second) mx1 \(name)\(text[colon...])"
    }
}

private let login = "client=pc[198.51.100.7], sasl_method=PLAIN, sasl_username=ann@a.example"

private func subject(
    _ text: String,
    to: String = "c@d.test",
    origin: String = "pc[198.51.100.7]"
)
    -> String
{
    "info: header Subject: \(text) from \(origin); from=<ann@a.example> to=<\(to)> proto=ESMTP "
        + "helo=<pc>"
}

private let active = "from=<ann@a.example>, size=9, nrcpt=1 (queue active)"

private func delivered(
    _ to: String = "c@d.test",
    relay: String = "mx.d.test[203.0.113.1]:25",
    _ status: String = "sent (250 ok)"
) -> String {
    "to=<\(to)>, relay=\(relay), delay=1, delays=0/0/0/1, dsn=2.0.0, status=\(status)"
}

/// A log, and the events that come of it: `ACCOUNT TO [SUBJECT] OUTCOME`.
struct PostfixStory: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var lines: [String]
    var filters: [String] = []
    var events: [String]
    /// At which lines events were submitted.
    var submittedAt: [Int]

    static let all =
        plain + afterQueue + twoFilters + beforeQueue + held + moved + instances + forms

    static let plain = [
        Self(
            testDescription: "one recipient",
            lines: log(
                "postfix/submission/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/cleanup: ABCDEF0123: message-id=<1@pc>",
                "opendkim[5]: ABCDEF0123: DKIM-Signature field added (s=x, d=a.example)",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())",
                "postfix/qmgr: ABCDEF0123: removed"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [4]
        ),
        Self(
            testDescription: "an alias that expands is one recipient, settled by its first outcome",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi", to: "all@a.example"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: to=<x@d.test>, orig_to=<all@a.example>, relay=mx[203.0.113.1]"
                    + ":25, delay=1, dsn=2.0.0, status=deferred (later)",
                "postfix/local: ABCDEF0123: to=<y@a.example>, orig_to=<all@a.example>, relay=local, "
                    + "delay=1, dsn=2.0.0, status=sent (delivered to mailbox)",
                "postfix/smtp: ABCDEF0123: to=<x@d.test>, orig_to=<all@a.example>, relay=mx[203.0.113.1]"
                    + ":25, delay=1, dsn=5.0.0, status=bounced (no)",
                "postfix/qmgr: ABCDEF0123: removed"
            ),
            events: ["ann@a.example all@a.example [hi] sent"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "what the queue manager and cleanup bounce themselves",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/cleanup: ABCDEF0123: \(delivered("e@d.test", relay: "none", "bounced (loop)"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/qmgr: ABCDEF0123: \(delivered(relay: "none", "deferred (unavailable)"))",
                "postfix/qmgr: ABCDEF0123: from=<ann@a.example>, status=expired, returned to sender",
                "postfix/bounce: ABCDEF0123: sender non-delivery notification: BBCDEF0123",
                "postfix/qmgr: ABCDEF0123: removed",
                "postfix/cleanup: BBCDEF0123: message-id=<2@mx1>",
                "postfix/qmgr: BBCDEF0123: from=<>, size=9, nrcpt=1 (queue active)",
                "postfix/local: BBCDEF0123: \(delivered("ann@a.example", relay: "local"))"
            ),
            events: ["ann@a.example e@d.test [hi] bounced", "ann@a.example c@d.test [hi] expired"],
            submittedAt: [2, 4]
        ),
        Self(
            testDescription: "probes and strangers are no submissions",
            lines: log(
                "postfix/smtpd: NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 no; sasl_username=<ann>",
                "postfix/smtpd: ABCDEF0123: client=x[192.0.2.1], sasl_sender=\"x, "
                    + "sasl_method=PLAIN, sasl_username=ann@a.example",
                "postfix/cleanup: ABCDEF0123: \(subject("hi", origin: "x[192.0.2.1]"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered("deliverable (250 ok)"))",
                "postfix/qmgr: ABCDEF0123: removed"
            ),
            events: [],
            submittedAt: []
        ),
        Self(
            testDescription: "a probe of an address settles nothing",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered("c@d.test", "undeliverable (550 no)"))",
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a line that came again opens nothing twice",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/smtpd: message repeated 2 times: [ ABCDEF0123: \(login)]",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/smtpd: message repeated 2 times: [ ABCDEF0123: \(login)]",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: message repeated 2 times: [ ABCDEF0123: \(delivered())]",
                "postfix/qmgr: ABCDEF0123: removed"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [4]
        ),
        Self(
            testDescription: "a line that came again, and whose first time is in another log",
            lines: log(
                "postfix/smtpd: ABCDEF0123: client=x[192.0.2.1]",
                "postfix/smtpd: message repeated 2 times: [ ABCDEF0123: \(login)]",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [3]
        ),
        Self(
            testDescription: "always_bcc cannot be told from a recipient of the client's",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: from=<ann@a.example>, size=9, nrcpt=2 (queue active)",
                "postfix/smtp: ABCDEF0123: \(delivered())",
                "postfix/local: ABCDEF0123: \(delivered("archive@a.example", relay: "local"))"
            ),
            events: [
                "ann@a.example c@d.test [hi] sent", "ann@a.example archive@a.example [hi] sent",
            ],
            submittedAt: [2, 4]
        ),
        Self(
            testDescription: "content that is refused after all was never sent",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/cleanup: ABCDEF0123: milter-reject: END-OF-MESSAGE from pc[198.51.100.7]: 5.7.1 "
                    + "spam; from=<ann@a.example> to=<c@d.test> proto=ESMTP helo=<pc>",
                "postfix/smtpd: BBCDEF0123: \(login)",
                "postfix/cleanup: BBCDEF0123: reject: header Subject: x from pc[198.51.100.7]; "
                    + "from=<ann@a.example> to=<c@d.test> proto=ESMTP helo=<pc>: 5.7.1 no"
            ),
            events: [],
            submittedAt: []
        ),
        Self(
            testDescription: "a recipient that is refused does not end the message",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/smtpd: ABCDEF0123: reject: RCPT from pc[198.51.100.7]: 554 no; to=<x@w.test>",
                "postfix/smtpd: ABCDEF0123: milter-reject: DATA from pc[198.51.100.7]: 451 later;",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [4]
        ),
    ]

    /// What a log tells of two filters behind each other, besides the first message's arrival and the
    /// second's.
    private enum FilterStep { case firstAnswers, thirdArrives, secondAnswers, thirdLeaves }

    /// - Parameter named: the IDs that XFORWARD names for the second and the third message; none without it.
    private static func twoFilters(
        _ testDescription: String,
        naming named: [String] = [],
        _ steps: [FilterStep]
    ) -> Self {
        func arrival(_ number: Int) -> String {
            "client=localhost[127.0.0.1]"
                + (named.isEmpty
                    ? "" : ", orig_queue_id=\(named[number]), orig_client=pc[198.51.100.7]")
        }
        func answer(_ from: String, _ port: Int, _ to: String) -> [String] {
            let reply = "sent (250 2.0.0 Ok: queued as \(to))"
            return [
                "postfix/smtp: \(from): " + delivered(relay: "127.0.0.1[127.0.0.1]:\(port)", reply),
                "postfix/qmgr: \(from): removed",
            ]
        }
        let lines = [
            "postfix/smtpd: ABCDEF0123: \(login)", "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
            "postfix/qmgr: ABCDEF0123: \(active)",
            "postfix/dkim/smtpd[8]: BBCDEF0123: \(arrival(0))",
            "postfix/qmgr: BBCDEF0123: \(active)",
        ]
        let rest = steps.flatMap { step in
            switch step {
            case .firstAnswers: answer("ABCDEF0123", 10026, "BBCDEF0123")
            case .secondAnswers: answer("BBCDEF0123", 10032, "CBCDEF0123")
            case .thirdArrives:
                [
                    "postfix/amavis/smtpd[9]: CBCDEF0123: \(arrival(1))",
                    "postfix/qmgr: CBCDEF0123: \(active)",
                ]
            case .thirdLeaves:
                [
                    "postfix/smtp: CBCDEF0123: \(delivered("c@d.test", "bounced (550 no)"))",
                    "postfix/qmgr: CBCDEF0123: removed",
                ]
            }
        }
        return Self(
            testDescription: testDescription,
            lines: log(lines + rest),
            events: ["ann@a.example c@d.test [hi] bounced"],
            submittedAt: [2]
        )
    }

    static let twoFilters = [
        twoFilters(
            "two after-queue filters, one behind the other, as Zimbra has them",
            [.firstAnswers, .thirdArrives, .secondAnswers, .thirdLeaves]
        ),
        twoFilters(
            "two filters, and the first answers when the second has",
            [.thirdArrives, .secondAnswers, .firstAnswers, .thirdLeaves]
        ),
        twoFilters(
            "two filters, and the outcome is logged before the second's answer",
            [.firstAnswers, .thirdArrives, .thirdLeaves, .secondAnswers]
        ),
        twoFilters(
            "two filters that forward the ID of the first message",
            naming: ["ABCDEF0123", "ABCDEF0123"],
            [.firstAnswers, .thirdArrives, .secondAnswers, .thirdLeaves]
        ),
        twoFilters(
            "two filters that forward an ID, and the first answers late",
            naming: ["ABCDEF0123", "ABCDEF0123"],
            [.thirdArrives, .secondAnswers, .firstAnswers, .thirdLeaves]
        ),
        twoFilters(
            "two filters that forward the ID of the message before",
            naming: ["ABCDEF0123", "BBCDEF0123"],
            [.firstAnswers, .thirdArrives, .secondAnswers, .thirdLeaves]
        ),
    ]

    static let afterQueue = [
        Self(
            testDescription: "an after-queue filter whose delivery is logged before the link",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtpd[8]: BBCDEF0123: client=localhost[127.0.0.1]",
                "postfix/qmgr: BBCDEF0123: \(active)",
                "postfix/smtp[9]: BBCDEF0123: \(delivered("c@d.test", "bounced (550 no)"))",
                "postfix/qmgr: BBCDEF0123: removed",
                "postfix/smtp: ABCDEF0123: "
                    + delivered(
                        relay: "127.0.0.1[127.0.0.1]:10024",
                        "sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as "
                            + "BBCDEF0123)"
                    ),
                "postfix/qmgr: ABCDEF0123: removed"
            ),
            events: ["ann@a.example c@d.test [hi] bounced"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "soft_bounce: what would be returned stays in the queue",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered("c@d.test", "SOFTBOUNCE (550 no)"))"
            ),
            events: ["ann@a.example c@d.test [hi] deferred"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "an after-queue filter that forwards the outer ID",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtpd[8]: 4XyZbbcdzN9QK: client=localhost[127.0.0.1], orig_queue_id=ABCDEF0123, "
                    + "orig_client=pc[198.51.100.7]",
                "postfix/qmgr: 4XyZbbcdzN9QK: \(active)",
                "postfix/smtp: ABCDEF0123: "
                    + delivered(relay: "127.0.0.1[127.0.0.1]:10024", "sent (250 ok)"),
                "postfix/qmgr: ABCDEF0123: removed",
                "postfix/smtp: 4XyZbbcdzN9QK: \(delivered("c@d.test", "bounced (550 no)"))",
                "postfix/qmgr: 4XyZbbcdzN9QK: removed"
            ),
            events: ["ann@a.example c@d.test [hi] bounced"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a filter on another host that the settings name",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtpd[8]: BBCDEF0123: client=filter.a.example[192.0.2.40]",
                "postfix/qmgr: BBCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: "
                    + delivered(
                        relay: "filter.a.example[192.0.2.40]:10024",
                        "sent (250 2.0.0 Ok: queued as BBCDEF0123)"
                    ),
                "postfix/qmgr: ABCDEF0123: removed",
                "postfix/smtp: BBCDEF0123: \(delivered("c@d.test", "bounced (550 no)"))",
                "postfix/qmgr: BBCDEF0123: removed"
            ),
            filters: ["192.0.2.40"],
            events: ["ann@a.example c@d.test [hi] bounced"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a remote server's `queued as` links nothing",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtpd[8]: BBCDEF0123: client=filter.a.example[192.0.2.40]",
                "postfix/qmgr: BBCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: "
                    + delivered(
                        relay: "filter.a.example[192.0.2.40]:10024",
                        "sent (250 2.0.0 Ok: queued as BBCDEF0123)"
                    ),
                "postfix/smtp: BBCDEF0123: \(delivered("c@d.test", "bounced (550 no)"))"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a named filter of which nothing came back",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/pipe: ABCDEF0123: "
                    + delivered(relay: "spamfilter", "sent (delivered via spamfilter service)"),
                "postfix/qmgr: ABCDEF0123: removed",
                "postfix/pickup: BBCDEF0123: uid=1001 from=<ann@a.example>",
                "postfix/qmgr: BBCDEF0123: \(active)",
                "postfix/smtp: BBCDEF0123: \(delivered())",
                "postfix/qmgr: BBCDEF0123: removed"
            ),
            filters: ["spamfilter"],
            events: ["ann@a.example c@d.test [hi] filtered"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a filter that logs in is an account",
            lines: log(
                "postfix/smtpd: ABCDEF0123: client=localhost[127.0.0.1], sasl_method=PLAIN, "
                    + "sasl_username=filter, sasl_sender=ann@a.example",
                "postfix/cleanup: ABCDEF0123: \(subject("hi", origin: "localhost[127.0.0.1]"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: ["filter c@d.test [hi] sent"],
            submittedAt: [2]
        ),
    ]

    private static let noqueue = "postfix/submission/smtpd[100]: NOQUEUE: \(login)"
    private static let other = "postfix/submission/smtpd[101]: NOQUEUE: client=pc[198.51.100.7], "
    private static let forwarded = "client=localhost[127.0.0.1], orig_client=pc[198.51.100.7]"

    private static func accepted(
        _ process: Int,
        _ reply: String,
        from: String = "ann@a.example"
    )
        -> String
    {
        "postfix/submission/smtpd[\(process)]: proxy-accept: END-OF-MESSAGE: \(reply); from=<\(from)> "
            + "to=<c@d.test> proto=ESMTP helo=<pc>"
    }

    static let beforeQueue = [
        Self(
            testDescription: "a before-queue filter whose reply names the ID",
            lines: log(
                noqueue,
                "postfix/smtpd[200]: ABCDEF0123: client=localhost[127.0.0.1]",
                "postfix/cleanup: ABCDEF0123: \(subject("hi", origin: "localhost[127.0.0.1]"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                accepted(100, "250 2.0.0 Ok: queued as ABCDEF0123"),
                "postfix/smtp: ABCDEF0123: \(delivered())",
                "postfix/smtp: ABCDEF0123: \(delivered("e@d.test"))",
                "postfix/qmgr: ABCDEF0123: removed"
            ),
            events: ["ann@a.example c@d.test [hi] sent", "ann@a.example e@d.test [hi] sent"],
            submittedAt: [4, 6]
        ),
        Self(
            testDescription: "the message is gone before the filter answers",
            lines: log(
                noqueue,
                "postfix/smtpd[200]: ABCDEF0123: client=localhost[127.0.0.1]",
                "postfix/cleanup: ABCDEF0123: \(subject("hi", origin: "localhost[127.0.0.1]"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())",
                "postfix/smtp: ABCDEF0123: \(delivered("e@d.test", "bounced (550 no)"))",
                "postfix/qmgr: ABCDEF0123: removed",
                accepted(100, "250 2.0.0 Ok: queued as ABCDEF0123")
            ),
            events: ["ann@a.example c@d.test [hi] sent", "ann@a.example e@d.test [hi] bounced"],
            submittedAt: [7, 7]
        ),
        Self(
            testDescription:
                "a before-queue filter that forwards the client, in a log that says no more",
            lines: log(
                noqueue,
                "postfix/smtpd[200]: ABCDEF0123: \(forwarded)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())",
                "postfix/qmgr: ABCDEF0123: removed"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [3]
        ),
        Self(
            testDescription:
                "several messages of one session, and of two people behind one address",
            lines: log(
                noqueue,
                other + "sasl_method=PLAIN, sasl_username=bob",
                "postfix/smtpd[200]: ABCDEF0123: \(forwarded)",
                "postfix/cleanup: ABCDEF0123: \(subject("bob's"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtpd[201]: BBCDEF0123: \(forwarded)",
                "postfix/cleanup: BBCDEF0123: \(subject("ann's"))",
                accepted(101, "250 2.0.0 Ok: queued as ABCDEF0123"),
                "postfix/qmgr: BBCDEF0123: \(active)",
                accepted(100, "250 2.0.0 Ok: queued as BBCDEF0123"),
                noqueue,
                "postfix/smtpd[202]: CBCDEF0123: \(forwarded)",
                "postfix/cleanup: CBCDEF0123: \(subject("ann's second"))",
                "postfix/qmgr: CBCDEF0123: \(active)",
                accepted(100, "250 2.0.0 Ok: queued as CBCDEF0123")
            ),
            events: [
                "bob c@d.test [bob's] unknown", "ann@a.example c@d.test [ann's] unknown",
                "ann@a.example c@d.test [ann's second] unknown",
            ],
            submittedAt: [7, 9, 14]
        ),
        Self(
            testDescription:
                "two people behind one address, and a filter that names no ID: sender tells",
            lines: log(
                accepted(99, "250 earlier"),
                noqueue,
                "postfix/smtpd[200]: ABCDEF0123: \(forwarded)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                accepted(100, "250 Ok"),
                other + "sasl_method=PLAIN, sasl_username=bob",
                "postfix/smtpd[201]: BBCDEF0123: \(forwarded)",
                "postfix/cleanup: BBCDEF0123: \(subject("ho"))",
                "postfix/qmgr: BBCDEF0123: \(active)",
                accepted(101, "250 Ok")
            ),
            events: ["ann@a.example c@d.test [hi] unknown", "bob c@d.test [ho] unknown"],
            submittedAt: [5, 10]
        ),
        Self(
            testDescription: "two people behind one address at one time, and no ID: not to be told",
            lines: log(
                noqueue,
                other + "sasl_method=PLAIN, sasl_username=bob",
                "postfix/smtpd[200]: ABCDEF0123: \(forwarded)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                accepted(100, "250 Ok"),
                accepted(101, "250 Ok")
            ),
            events: [],
            submittedAt: []
        ),
        Self(
            testDescription:
                "a stranger behind the same address, and a filter that drops his message",
            lines: log(
                accepted(99, "250 earlier"),
                noqueue,
                "postfix/smtpd[101]: NOQUEUE: client=pc[198.51.100.7]",
                "postfix/smtpd[200]: ABCDEF0123: \(forwarded)",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtpd[101]: proxy-accept: END-OF-MESSAGE: 250 Ok; from=<ann@a.example> "
                    + "to=<c@d.test> proto=ESMTP helo=<pc>"
            ),
            events: [],
            submittedAt: []
        ),
        Self(
            testDescription: "nobody logged in",
            lines: log(
                "postfix/smtpd[100]: NOQUEUE: client=pc[198.51.100.7]",
                "postfix/smtpd[200]: ABCDEF0123: \(forwarded)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtpd[100]: proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as ABCDEF0123; "
                    + "from=<ann@a.example> to=<c@d.test> proto=ESMTP helo=<pc> sasl_username=<ann>"
            ),
            events: [],
            submittedAt: []
        ),
        Self(
            testDescription: "the filter refuses, the client tries again",
            lines: log(
                noqueue,
                "postfix/submission/smtpd[100]: proxy-reject: END-OF-MESSAGE: 554 5.7.1 spam; "
                    + "from=<ann@a.example> to=<c@d.test> proto=ESMTP helo=<pc>",
                noqueue,
                "postfix/smtpd[200]: ABCDEF0123: \(forwarded)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                accepted(100, "250 2.0.0 Ok: queued as ABCDEF0123"),
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [6]
        ),
        Self(
            testDescription: "an ID that a reply names, but of a message that came from elsewhere",
            lines: log(
                noqueue,
                "postfix/smtpd[200]: ABCDEF0123: client=x[192.0.2.1]",
                "postfix/cleanup: ABCDEF0123: \(subject("hi", origin: "x[192.0.2.1]"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                accepted(100, "250 2.0.0 Ok: queued as ABCDEF0123")
            ),
            events: [],
            submittedAt: []
        ),
        Self(
            testDescription: "an ID that a reply names, of a message with another client",
            lines: log(
                noqueue,
                "postfix/smtpd[200]: ABCDEF0123: client=localhost[127.0.0.1], orig_client=x[192.0.2.1]",
                "postfix/cleanup: ABCDEF0123: \(subject("hi", origin: "x[192.0.2.1]"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                accepted(100, "250 2.0.0 Ok: queued as ABCDEF0123")
            ),
            events: [],
            submittedAt: []
        ),
        Self(
            testDescription: "an ID that a reply names, of a message that was there before",
            lines: log(
                "postfix/smtpd[200]: ABCDEF0123: client=localhost[127.0.0.1]",
                noqueue,
                "postfix/cleanup: ABCDEF0123: \(subject("hi", origin: "localhost[127.0.0.1]"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                accepted(100, "250 2.0.0 Ok: queued as ABCDEF0123")
            ),
            events: [],
            submittedAt: []
        ),
        Self(
            testDescription: "an ID in the client's own sender names nothing",
            lines: log(
                accepted(99, "250 earlier"),
                other + "sasl_method=PLAIN, sasl_username=bob",
                "postfix/submission/smtpd[100]: NOQUEUE: client=g[198.51.100.8], sasl_username=ann",
                "postfix/smtpd[200]: ABCDEF0123: client=localhost[127.0.0.1]",
                "postfix/cleanup: ABCDEF0123: \(subject("hi", origin: "localhost[127.0.0.1]"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                accepted(101, "250 Ok", from: "\\\"queued as ABCDEF0123; from=<x\\\"@b.example"),
                accepted(100, "250 2.0.0 Ok: queued as ABCDEF0123")
            ),
            events: ["ann c@d.test [hi] unknown"],
            submittedAt: [7]
        ),
        Self(
            testDescription: "a filter on another host",
            lines: log(
                noqueue,
                "postfix/smtpd[200]: ABCDEF0123: client=filter.a.example[192.0.2.40]",
                "postfix/cleanup: ABCDEF0123: \(subject("hi", origin: "filter.a.example[192.0.2.40]"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                accepted(100, "250 2.0.0 Ok: queued as ABCDEF0123")
            ),
            filters: ["Filter.A.example"],
            events: ["ann@a.example c@d.test [hi] unknown"],
            submittedAt: [4]
        ),
    ]

    static let held = [
        Self(
            testDescription: "a header's hold, and a release",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: hold"
                    + subject("hi").dropFirst(4),
                "postfix/postsuper: ABCDEF0123: released from hold",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())",
                "postfix/qmgr: ABCDEF0123: removed"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [1]
        ),
        Self(
            testDescription: "smtpd's hold comes before the content",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/smtpd: ABCDEF0123: hold: RCPT from pc[198.51.100.7]: <c@d.test>: Recipient "
                    + "address triggers HOLD action; from=<ann@a.example> to=<c@d.test>",
                "postfix/cleanup: ABCDEF0123: message-id=<1@pc>",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/postsuper: ABCDEF0123: removed"
            ),
            events: ["ann@a.example c@d.test [hi] discarded"],
            submittedAt: [3]
        ),
        Self(
            testDescription: "smtpd's hold comes before the queue ID",
            lines: log(
                "postfix/smtpd[100]: NOQUEUE: hold: RCPT from pc[198.51.100.7]: <c@d.test>: Recipient "
                    + "address triggers HOLD action; from=<ann@a.example> to=<c@d.test>",
                "postfix/smtpd[101]: BBCDEF0123: \(login)",
                "postfix/smtpd[100]: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/smtpd[100]: CBCDEF0123: \(login)",
                "postfix/cleanup: CBCDEF0123: \(subject("no hold, and lost"))",
                "postfix/cleanup: BBCDEF0123: \(subject("no hold, and lost"))"
            ),
            events: ["ann@a.example c@d.test [hi] held"],
            submittedAt: [3]
        ),
        Self(
            testDescription: "the client gives up what was to be held, and sends another message",
            lines: log(
                "postfix/smtpd[100]: NOQUEUE: hold: RCPT from pc[198.51.100.7]: <c@d.test>: x;",
                "postfix/smtpd[100]: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered("e@d.test", "deferred (later)"))"
            ),
            events: [
                "ann@a.example c@d.test [hi] unknown", "ann@a.example e@d.test [hi] deferred",
            ],
            submittedAt: [2, 4]
        ),
        Self(
            testDescription: "a hold of another client's session",
            lines: log(
                "postfix/smtpd[100]: NOQUEUE: hold: RCPT from x[192.0.2.1]: <c@d.test>: x;",
                "postfix/smtpd[100]: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))"
            ),
            events: [],
            submittedAt: []
        ),
        Self(
            testDescription: "a milter's hold names the recipient where no header is logged",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: message-id=<1@pc>",
                "postfix/cleanup: ABCDEF0123: milter-hold: END-OF-MESSAGE from pc[198.51.100.7]: milter "
                    + "triggers HOLD action; from=<ann@a.example> to=<c@d.test> proto=ESMTP helo=<pc>"
            ),
            events: ["ann@a.example c@d.test [–] held"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a message that stays on hold is told of at the end",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: hold: header Received: from pc by mx1 from "
                    + "pc[198.51.100.7]; from=<ann@a.example> to=<c@d.test> proto=ESMTP helo=<pc>",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))"
            ),
            events: ["ann@a.example c@d.test [hi] held"],
            submittedAt: [3]
        ),
        Self(
            testDescription: "smtpd's discard",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/smtpd: ABCDEF0123: discard: RCPT from pc[198.51.100.7]: <c@d.test>: x;",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))"
            ),
            events: ["ann@a.example c@d.test [hi] discarded"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a milter's discard",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/cleanup: ABCDEF0123: milter-discard: END-OF-MESSAGE from pc[198.51.100.7]: "
                    + "milter triggers DISCARD action; from=<ann@a.example> to=<c@d.test> proto=ESMTP"
            ),
            events: ["ann@a.example c@d.test [hi] discarded"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "an operator's hold, release and deletion",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered("c@d.test", "deferred (later)"))",
                "postfix/bounce: ABCDEF0123: sender delay notification: BBCDEF0123",
                "postfix/postsuper: ABCDEF0123: placed on hold",
                "postfix/postsuper: ABCDEF0123: released from hold",
                "postfix/postsuper: ABCDEF0123: placed on hold",
                "postfix/postsuper: ABCDEF0123: removed",
                "postfix/postsuper: Deleted: 1 message"
            ),
            events: ["ann@a.example c@d.test [hi] discarded"],
            submittedAt: [2]
        ),
    ]

    static let moved = [
        Self(
            testDescription: "postsuper -r gives a new ID, twice",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered("c@d.test", "deferred (later)"))",
                "postfix/postsuper: ABCDEF0123: requeued",
                "postfix/pickup: BBCDEF0123: uid=112 from=<ann@a.example> orig_id=ABCDEF0123",
                "postfix/cleanup: BBCDEF0123: \(subject("hi"))",
                "postfix/qmgr: BBCDEF0123: \(active)",
                "postfix/smtpd: ABCDEF0123: client=x[192.0.2.1]",
                "postfix/postsuper: BBCDEF0123: requeued",
                "postfix/pickup: 4XyZbbcdzN9QK: uid=112 from=<ann@a.example> orig_id=BBCDEF0123",
                "postfix/qmgr: 4XyZbbcdzN9QK: \(active)",
                "postfix/smtp: 4XyZbbcdzN9QK: \(delivered())",
                "postfix/smtp: 4XyZbbcdzN9QK: \(delivered("e@d.test"))",
                "postfix/qmgr: 4XyZbbcdzN9QK: removed"
            ),
            events: ["ann@a.example c@d.test [hi] sent", "ann@a.example e@d.test [hi] sent"],
            submittedAt: [2, 13]
        ),
        Self(
            testDescription:
                "MailScanner takes a message from hold and puts it back under another ID",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: hold: header Received: from pc by mx1 from "
                    + "pc[198.51.100.7]; from=<ann@a.example> to=<c@d.test> proto=ESMTP helo=<pc>",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/cleanup: ABCDEF0123: message-id=<1@pc>",
                "MailScanner: New Batch: Scanning 1 messages, 2048 bytes",
                "MailScanner: Requeue: ABCDEF0123.A5F21 to BBCDEF0123",
                "postfix/qmgr: BBCDEF0123: \(active)",
                "postfix/smtp: BBCDEF0123: \(delivered())",
                "postfix/qmgr: BBCDEF0123: removed"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [6]
        ),
        Self(
            testDescription: "a program on this machine sends without a login",
            lines: log(
                "postfix/pickup: ABCDEF0123: uid=33 from=<www-data>",
                "postfix/cleanup: ABCDEF0123: \(subject("hi", origin: "local"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())",
                "postfix/qmgr: ABCDEF0123: removed"
            ),
            events: [],
            submittedAt: []
        ),
        Self(
            testDescription: "an ID that comes back is another message",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("one"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/pickup: ABCDEF0123: uid=33 from=<www-data>",
                "postfix/cleanup: ABCDEF0123: \(subject("two", origin: "local"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: ["ann@a.example c@d.test [one] unknown"],
            submittedAt: [2]
        ),
    ]

    static let instances = [
        Self(
            testDescription: "smtpd under a name of its own, and two instances with the same ID",
            lines: log(
                "postfix-in/qmgr: CBCDEF0123: removed",
                "postfix-out/qmgr: DBCDEF0123: removed",
                "submission/smtpd: ABCDEF0123: \(login)",
                "postfix-out/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix-in/smtpd: ABCDEF0123: client=x[192.0.2.1]",
                "postfix-in/cleanup: ABCDEF0123: \(subject("other", origin: "x[192.0.2.1]"))",
                "postfix-in/qmgr: ABCDEF0123: \(active)",
                "submission/smtpd: ABCDEF0123: milter-hold: END-OF-MESSAGE from pc[198.51.100.7]: x;",
                "postfix-out/qmgr: ABCDEF0123: \(active)",
                "postfix-in/lmtp: ABCDEF0123: \(delivered("c@d.test", "bounced (550 no)"))",
                "postfix-in/qmgr: ABCDEF0123: removed",
                "postfix-out/smtp: ABCDEF0123: \(delivered())",
                "postfix-out/qmgr: ABCDEF0123: removed"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [7]
        ),
        Self(
            testDescription:
                "smtpd under a name of its own, and a bounce of another instance with its ID",
            lines: log(
                "postfix-in/qmgr: CBCDEF0123: removed",
                "submission/smtpd: ABCDEF0123: \(login)",
                "postfix-out/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix-in/cleanup: ABCDEF0123: message-id=<1@mx1>",
                "postfix-in/qmgr: ABCDEF0123: from=<>, size=1, nrcpt=1 (queue active)",
                "postfix-in/local: ABCDEF0123: \(delivered("bob@a.example", relay: "local"))",
                "postfix-in/qmgr: ABCDEF0123: removed",
                "postfix-out/qmgr: ABCDEF0123: \(active)",
                "postfix-out/smtp: ABCDEF0123: \(delivered())",
                "postfix-out/qmgr: ABCDEF0123: removed"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [7]
        ),
        Self(
            testDescription: "one instance hands to another over loopback",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix-out/smtpd: 4XyZbbcdzN9QK: client=localhost[127.0.0.1]",
                "postfix-out/qmgr: 4XyZbbcdzN9QK: \(active)",
                "postfix/smtp: ABCDEF0123: "
                    + delivered(
                        relay: "127.0.0.1[127.0.0.1]:10026",
                        "sent (250 2.0.0 Ok: queued as 4XyZbbcdzN9QK)"
                    ),
                "postfix/qmgr: ABCDEF0123: removed",
                "postfix-out/smtp: 4XyZbbcdzN9QK: \(delivered("c@d.test", "bounced (550 no)"))",
                "postfix-out/qmgr: 4XyZbbcdzN9QK: removed"
            ),
            events: ["ann@a.example c@d.test [hi] bounced"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "tags that were cut down to the program",
            lines: log(
                "smtpd: ABCDEF0123: \(login)",
                "cleanup: ABCDEF0123: \(subject("hi"))",
                "qmgr: ABCDEF0123: \(active)",
                "smtp: ABCDEF0123: \(delivered())",
                "qmgr: ABCDEF0123: removed"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [2]
        ),
    ]

    private static func forged(by sender: String) -> String {
        "x from pc[198.51.100.7]; from=<\(sender)> to=<v@w.test> proto=ESMTP helo=<h>"
    }

    private static let internalSender = "x> to=<v@w.test> proto=ESMTP helo=<h>: y@a.example"

    static let forms = [
        Self(
            testDescription: "SMTPUTF8",
            lines: log(
                "postfix/smtpd: ABCDEF0123: client=pc[198.51.100.7], sasl_username=jürgen@müller.example",
                "postfix/cleanup: ABCDEF0123: info: header Subject: Größe from pc[198.51.100.7]; "
                    + "from=<jürgen@müller.example> to=<ö@ü.test> proto=ESMTP helo=<pc>",
                "postfix/qmgr: ABCDEF0123: from=<jürgen@müller.example>, size=9, nrcpt=1 (queue active)",
                "postfix/smtp: ABCDEF0123: \(delivered("ö@ü.test"))"
            ),
            events: ["jürgen@müller.example ö@ü.test [Größe] sent"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "addresses without brackets",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: info: header Subject: hi from pc[198.51.100.7]; "
                    + "from=ann@a.example to=c@d.test proto=ESMTP helo=pc",
                "postfix/qmgr: ABCDEF0123: from=ann@a.example, size=9, nrcpt=1 (queue active)",
                "postfix/smtp: ABCDEF0123: to=c@d.test, relay=mx[203.0.113.1]:25, delay=1, "
                    + "status=sent (250 ok)"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "addresses in internal form",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: info: header Subject: hi from pc[198.51.100.7]; "
                    + "from=<ann b@a.example> to=<c d@d.test> proto=ESMTP helo=<pc>",
                "postfix/qmgr: ABCDEF0123: from=<ann b@a.example>, size=9, nrcpt=1 (queue active)",
                "postfix/smtp: ABCDEF0123: \(delivered("c d@d.test"))"
            ),
            events: ["ann@a.example c d@d.test [hi] sent"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a sender in internal form that holds the end of a header line",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: info: header Subject: hi from pc[198.51.100.7]; "
                    + "from=<\(internalSender)> to=<c@d.test> proto=ESMTP helo=<pc>",
                "postfix/qmgr: ABCDEF0123: from=<\(internalSender)>, size=9, nrcpt=1 (queue active)",
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a recipient in internal form that holds the end of a header line",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: info: header Subject: hi from pc[198.51.100.7]; "
                    + "from=<ann b@a.example> to=<\(internalSender)> proto=ESMTP helo=<pc>",
                "postfix/qmgr: ABCDEF0123: from=<ann b@a.example>, size=9, nrcpt=1 (queue active)",
                "postfix/smtp: ABCDEF0123: \(delivered(internalSender))"
            ),
            events: ["ann@a.example \(internalSender) [hi] sent"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a subject with a whole tail: qmgr's sender decides",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject(forged(by: "a@b.test")))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: [
                "ann@a.example c@d.test [\(forged(by: "a@b.test"))] sent"
            ],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a subject with a whole tail of the same sender, and a text behind it",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject(forged(by: "ann@a.example") + ": y"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: ["ann@a.example c@d.test [\(forged(by: "ann@a.example")): y] sent"],
            submittedAt: [2]
        ),
        Self(
            testDescription: "the same from a client that said no HELO",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: info: header Subject: x from pc[198.51.100.7]; "
                    + "from=<ann@a.example> to=<v@w.test> proto=SMTP: y from pc[198.51.100.7]; "
                    + "from=<ann@a.example> to=<c@d.test> proto=SMTP",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: [
                "ann@a.example c@d.test [x from pc[198.51.100.7]; from=<ann@a.example> to=<v@w.test> "
                    + "proto=SMTP: y] sent"
            ],
            submittedAt: [2]
        ),
        Self(
            testDescription: "a header line without its end",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi").prefix(76))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: [
                "ann@a.example c@d.test [\(subject("hi").prefix(76).dropFirst(22))] sent ambiguous"
            ],
            submittedAt: [3]
        ),
        Self(
            testDescription: "a header that is replaced keeps the text that the client gave",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: replace" + subject("hi").dropFirst(4)
                    + ": Subject: ho",
                "postfix/cleanup: ABCDEF0123: strip: header Disposition-Notification-To: <t@u.test> from "
                    + "pc[198.51.100.7]; from=<ann@a.example> to=<c@d.test> proto=ESMTP helo=<pc>",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: ["ann@a.example c@d.test [hi] sent"],
            submittedAt: [3]
        ),
        Self(
            testDescription: "a remote reply that holds the end of a line makes the event doubtful",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/smtp: ABCDEF0123: "
                    + delivered(
                        "c@d.test",
                        "bounced (550 >, relay=none, delay=1, dsn=2.0.0, status=sent (x))"
                    )
            ),
            events: ["ann@a.example c@d.test [hi] bounced ambiguous"],
            submittedAt: [2]
        ),
        Self(
            testDescription:
                "a recipient in internal form that holds the end of a line is nobody else",
            lines: log(
                "postfix/smtpd: ABCDEF0123: \(login)",
                "postfix/cleanup: ABCDEF0123: \(subject("hi"))",
                "postfix/qmgr: ABCDEF0123: \(active)",
                "postfix/local: ABCDEF0123: "
                    + delivered("v@w.test>, relay=none, delay=1, status=sent (x@a.example"),
                "postfix/smtp: ABCDEF0123: \(delivered())"
            ),
            events: ["ann@a.example c@d.test [hi] sent ambiguous"],
            submittedAt: [2]
        ),
    ]
}

@Suite struct PostfixEventTests {
    private func said(_ run: PostfixRun) -> [String] {
        run.events.map {
            "\($0.account) \($0.to) [\($0.subject ?? "–")] \($0.outcome)"
                + ($0.isAmbiguous ? " ambiguous" : "")
        }
    }

    @Test(arguments: PostfixStory.all)
    func everyStoryHasItsEvents(_ story: PostfixStory) throws {
        let result = try run(story.lines, filters: story.filters)
        #expect(said(result) == story.events)
        #expect(result.submittedAt == story.submittedAt)
        #expect(result.scanned.unparsed == 0)
        // The client is the one that logged in, and the ID the one that it was told.
        for event in result.events where event.account == "ann@a.example" {
            #expect(event.source == "198.51.100.7")
        }
    }

    /// Stored and made anew behind every line, it goes on as if nothing had been.
    @Test(arguments: PostfixStory.all)
    func aRestartChangesNothing(_ story: PostfixStory) throws {
        let whole = try run(story.lines, filters: story.filters)
        let stored = try run(story.lines, filters: story.filters, storing: true)
        #expect(stored.events == whole.events)
        #expect(stored.submittedAt == whole.submittedAt)
        #expect(stored.kept == whole.kept)
    }

    /// The lines that were kept tell the same again, at the same times: that is what a bundle's proof
    /// is checked by.
    @Test(arguments: PostfixStory.all)
    func theKeptLinesAreTheProof(_ story: PostfixStory) throws {
        let whole = try run(story.lines, filters: story.filters)
        var order: [String: Int] = [:]
        for (index, line) in story.lines.enumerated() where order[line] == nil {
            order[line] = index
        }
        let kept = Set(whole.kept.flatMap { $0 }).sorted { order[$0] ?? 0 < order[$1] ?? 0 }
        let again = try run(kept, filters: story.filters)
        func facts(_ run: PostfixRun) -> Set<String> {
            Set(run.events.map { "\($0.id) \($0.account) \($0.to) \($0.submitted) \($0.outcome)" })
        }
        #expect(facts(again) == facts(whole))
    }

    /// Two stories in one log do not touch each other.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func storiesDoNotTouchEachOther(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for first in PostfixStory.all where first.filters.isEmpty {
            let others = PostfixStory.all.filter { $0.filters.isEmpty }
            guard let second = others.randomElement(using: &random) else { continue }
            // Another host, another log.
            let moved = second.lines.map { $0.replacing(" mx1 ", with: " mx2 ") }
            var lines: [String] = []
            var (left, right) = (first.lines[...], moved[...])
            while !left.isEmpty || !right.isEmpty {
                let takesLeft = right.isEmpty || !left.isEmpty && Bool.random(using: &random)
                lines.append(takesLeft ? left.removeFirst() : right.removeFirst())
            }
            let mixed = try run(lines)
            // Whether a log tells of filters' answers is a matter of the whole log.
            let tells = lines.contains { $0.contains("proxy-") }
            let expected = (first.events + second.events).sorted()
            if !tells { #expect(said(mixed).sorted() == expected) }
            for event in said(mixed) { #expect(expected.contains(event)) }
        }
    }

    /// forall cuts of all lines: no trap, and never an account that the whole log does not have.
    @Test(arguments: PostfixStory.all)
    func truncatedLinesNeverTrap(_ story: PostfixStory) throws {
        let accounts = Set(try run(story.lines, filters: story.filters).events.map(\.account))
            .union(["ann", "bob", "ann@a.example", "filter"])
        var random = SeededGenerator(seed: 1)
        for _ in 0..<60 {
            let lines = story.lines.map { line in
                Bool.random(using: &random)
                    ? line : String(line.prefix(Int.random(in: 0...line.count, using: &random)))
            }
            let result = try run(lines, filters: story.filters)
            for event in result.events {
                #expect(
                    accounts.contains { $0.hasPrefix(event.account) || event.account.hasPrefix($0) }
                )
            }
        }
    }

    @Test func theEventHasTheIDThatTheClientWasTold() throws {
        let story = try #require(PostfixStory.moved.first)
        #expect(try run(story.lines).events.map(\.id) == ["ABCDEF0123", "ABCDEF0123"])
    }

    /// A message's own lines tell when it was submitted, however late its login became known.
    @Test func aProxiedMessageWasSubmittedWhenItCameToTheQueue() throws {
        let story = try #require(PostfixStory.beforeQueue.dropFirst().first)
        let start: Int64 = 1_772_359_200
        #expect(try run(story.lines).events.map(\.submitted) == [start + 3, start + 5])
        #expect(try run(story.lines).kept.contains { $0.contains(story.lines[0]) })
    }

    @Test func aProxiedMessageThatIsGoneIsToldOfAtOnce() throws {
        let story = try #require(PostfixStory.beforeQueue.dropFirst().first)
        let result = try run(story.lines, finishes: false)
        #expect(said(result) == story.events)
        #expect(result.kept.count == 2)
    }

    /// What goes to a filter by LMTP or pipe teaches nobody whose domains are whose; what comes back
    /// does.
    @Test func handingOverIsNoLocalDelivery() throws {
        func deliveries(_ lines: [String], filters: [String] = []) throws -> [Bool] {
            try run(lines, filters: filters).localDeliveries
        }
        let head = "postfix/smtpd: ABCDEF0123: client=x[192.0.2.1]"
        #expect(
            try deliveries(
                log(
                    head,
                    "postfix/lmtp: ABCDEF0123: "
                        + delivered(
                            relay: "127.0.0.1[127.0.0.1]:10024",
                            "sent (250 2.0.0 Ok: queued as BBCDEF0123)"
                        )
                )
            ) == []
        )
        #expect(
            try deliveries(
                log(
                    head,
                    "postfix/lmtp: ABCDEF0123: "
                        + delivered(
                            relay: "mx1[private/dovecot-lmtp]",
                            "sent (250 2.0.0 <c> Saved)"
                        )
                )
            ) == [true]
        )
        let piped = log(
            head,
            "postfix/pipe: ABCDEF0123: "
                + delivered(relay: "spamfilter", "sent (delivered via spamfilter service)"),
            "postfix/pickup: BBCDEF0123: uid=1001 from=<x@w.test>",
            "postfix/smtp: BBCDEF0123: \(delivered())"
        )
        #expect(try deliveries(piped, filters: ["spamfilter"]) == [false])
        // Unknown filters look like mailboxes, until what they give back goes elsewhere.
        #expect(try deliveries(piped) == [true, false])
    }
}
