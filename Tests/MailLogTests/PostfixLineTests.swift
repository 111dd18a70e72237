import MailLog
import Records
import Testing

/// A line of one of Postfix's programs, and what it says.
struct PostfixShape: Sendable, CustomTestStringConvertible {
    var program: String
    var text: String
    /// Nil: nothing but the time.
    var kind: LineFact.Kind?
    var a: String?
    var b: String?
    var c: String?
    var d: String?
    var status = LineFact.Status.none
    var header = LineFact.Header.none
    var isAmbiguous = false

    init(
        _ program: String,
        _ text: String,
        _ kind: LineFact.Kind? = nil,
        a: String? = nil,
        b: String? = nil,
        c: String? = nil,
        d: String? = nil,
        _ status: LineFact.Status = .none,
        header: LineFact.Header = .none,
        isAmbiguous: Bool = false
    ) {
        self.program = program
        self.text = text
        self.kind = kind
        self.a = a
        self.b = b
        self.c = c
        self.d = d
        self.status = status
        self.header = header
        self.isAmbiguous = isAmbiguous
    }

    var line: String { "Mar  1 10:00:00 mx1 \(program)[77]: \(text)" }
    var testDescription: String { "\(program): \(text)" }

    /// Every shape that Postfix writes, and that matters or could be taken for one that does.
    static let all = arrival + content + decisions + queue + deliveries + internalForms + others

    private static let smtpd = "postfix/submission/smtpd"
    private static let id = "4XyZbbcdzN9QK"

    /// smtpd.c, qmqpd.c, pickup.c.
    static let arrival = [
        Self(
            smtpd,
            "\(id): client=pc.isp.test[198.51.100.7], sasl_method=PLAIN, sasl_username=ann@a.example",
            .client,
            a: "pc.isp.test[198.51.100.7]",
            b: "ann@a.example"
        ),
        // An account without a domain, with a comma at its end, with blanks and quotes.
        Self(
            smtpd,
            "\(id): client=unknown[2001:db8::7], sasl_method=LOGIN, sasl_username=ann",
            .client,
            a: "unknown[2001:db8::7]",
            b: "ann"
        ),
        Self(
            smtpd,
            "\(id): client=h[192.0.2.1]:4711, sasl_method=LOGIN, sasl_username=ann,",
            .client,
            a: "h[192.0.2.1]:4711",
            b: "ann,"
        ),
        Self(
            smtpd,
            "\(id): client=h[192.0.2.1], sasl_method=LOGIN, sasl_username=a \"b, c\" <d>@a.example",
            .client,
            a: "h[192.0.2.1]",
            b: "a \"b, c\" <d>@a.example"
        ),
        Self(
            smtpd,
            "\(id): client=h[192.0.2.1], sasl_method=LOGIN, sasl_username=ann,, sasl_sender=x",
            .client,
            a: "h[192.0.2.1]",
            b: "ann,"
        ),
        // A relay that may XFORWARD, logged in.
        Self(
            smtpd,
            "\(id): client=h[192.0.2.1], sasl_method=LOGIN, sasl_username=ann, "
                + "orig_queue_id=ABCDEF0123, orig_client=g[192.0.2.2]",
            .client,
            a: "h[192.0.2.1]",
            b: "ann",
            c: "ABCDEF0123",
            d: "g[192.0.2.2]"
        ),
        // After-queue filters with XFORWARD; `orig_client` alone comes from before-queue ones.
        Self(
            "postfix/smtpd",
            "\(id): client=localhost[127.0.0.1], orig_queue_id=ABCDEF0123, orig_client=g[192.0.2.2]",
            .client,
            a: "localhost[127.0.0.1]",
            c: "ABCDEF0123",
            d: "g[192.0.2.2]"
        ),
        Self(
            "postfix/smtpd",
            "\(id): client=localhost[127.0.0.1], orig_client=unknown[192.0.2.2]:99",
            .client,
            a: "localhost[127.0.0.1]",
            d: "unknown[192.0.2.2]:99"
        ),
        // A stranger's `AUTH=`: it names a login, an ID, a client, and is none.
        Self(
            "postfix/smtpd",
            "\(id): client=h[192.0.2.1], sasl_sender=\"x, sasl_method=PLAIN, sasl_username=ann@a.example",
            .client,
            a: "h[192.0.2.1]"
        ),
        Self(
            "postfix/smtpd",
            "\(id): client=localhost[127.0.0.1], sasl_sender=x, orig_queue_id=ABCDEF0123, "
                + "orig_client=g[192.0.2.2]",
            .client,
            a: "localhost[127.0.0.1]"
        ),
        Self(
            smtpd,
            "\(id): client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=bob, sasl_sender=x, "
                + "sasl_username=ann@a.example, orig_client=g[192.0.2.2]",
            .client,
            a: "h[192.0.2.1]",
            b: "bob"
        ),
        Self(
            smtpd,
            "message repeated 2 times: [ \(id): client=h[192.0.2.1], sasl_method=PLAIN, "
                + "sasl_username=ann@a.example]",
            .clientAgain,
            a: "h[192.0.2.1]",
            b: "ann@a.example"
        ),
        Self(
            smtpd,
            "message repeated 2 times: [\(id): client=h[192.0.2.1]]",
            .clientAgain,
            a: "h[192.0.2.1]"
        ),
        Self(smtpd, "message repeated 2 times: [ \(id): client=h[192.0.2.1], sasl_username=ann"),
        Self(smtpd, "message repeated x times: [ \(id): client=h[192.0.2.1]]"),
        // Before-queue filters.
        Self(
            smtpd,
            "NOQUEUE: client=pc[198.51.100.7], sasl_method=PLAIN, sasl_username=ann@a.example",
            .proxied,
            a: "pc[198.51.100.7]",
            b: "ann@a.example"
        ),
        Self("postfix/smtpd", "NOQUEUE: client=pc[198.51.100.7]", .proxied, a: "pc[198.51.100.7]"),
        Self(
            smtpd,
            "message repeated 3 times: [ NOQUEUE: client=pc[198.51.100.7], sasl_username=ann]",
            .proxied,
            a: "pc[198.51.100.7]",
            b: "ann"
        ),
        Self(
            smtpd,
            "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as \(id); from=<a@b.example> "
                + "to=<c@d.test> proto=ESMTP helo=<pc> sasl_username=<ann@a.example>",
            .proxyEnd,
            a: id,
            b: "a@b.example",
            .sent
        ),
        Self(
            smtpd,
            "proxy-accept: END-OF-MESSAGE: 250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: "
                + "queued as ABCDEF0123; from=<> to=<c@d.test> proto=SMTP helo=<pc>",
            .proxyEnd,
            a: "ABCDEF0123",
            b: "",
            .sent
        ),
        // The filter's reply names no ID; a stranger's sender does.
        Self(
            smtpd,
            "proxy-accept: END-OF-MESSAGE: 250 Ok; from=<\"queued as \(id); from=<x\"@b.example> "
                + "to=<c@d.test> proto=ESMTP helo=<pc>",
            .proxyEnd,
            b: "\"queued as \(id); from=<x\"@b.example",
            .sent
        ),
        Self(
            smtpd,
            "proxy-reject: END-OF-MESSAGE: 554 5.7.1 spam queued as \(id); from=<a@b.example> "
                + "to=<c@d.test> proto=ESMTP helo=<pc>",
            .proxyEnd,
            a: id,
            b: "a@b.example",
            .bounced
        ),
        Self("postfix/pickup", "\(id): uid=1000 from=<ann>", .local, a: "ann"),
        Self("postfix/pickup", "\(id): uid=0 from=<>", .local, a: ""),
        Self(
            "postfix/pickup",
            "\(id): uid=112 from=<ann@a.example> orig_id=ABCDEF0123",
            .requeued,
            a: "ABCDEF0123"
        ),
        // A local user's sender that looks like it.
        Self(
            "postfix/pickup",
            "\(id): uid=1000 from=<x> orig_id=ABCDEF0123>",
            .local,
            a: "x> orig_id=ABCDEF0123"
        ),
        Self("MailScanner", "Requeue: ABCDEF0123.A5F21 to 6A2B3C4D5E", .requeued, a: "ABCDEF0123"),
        Self("MailScanner", "Requeue: \(id).A5F21 to 4XyZbbfgzN9QK", .requeued, a: id),
        Self("MailScanner", "Requeue: 1abCde-000000-00 to 1abCde-000000-01"),
        Self("MailScanner", "Requeue: ABCDEF0123.A5F21 to 6A2B3C4D5E now"),
        Self("MailScanner", "New Batch: Scanning 1 messages, 2048 bytes"),
        Self("postfix/qmqpd", "\(id): client=list[192.0.2.5]"),
    ]

    /// cleanup_message.c, cleanup_milter.c.
    static let content = [
        Self("postfix/cleanup", "\(id): message-id=<x@b.example>", .messageID, a: "<x@b.example>"),
        Self("postfix/cleanup", "\(id): message-id=<>", .messageID, a: "<>"),
        Self("postfix/cleanup", "\(id): resent-message-id=<x@b.example>"),
        Self(
            "postfix/cleanup",
            "\(id): info: header Subject: x from h[192.0.2.1]; from=<a@b.example>",
            .headerLine,
            a: " x from h[192.0.2.1]; from=<a@b.example>",
            header: .subject
        ),
        Self(
            "postfix/authclean/cleanup",
            "\(id): info: header SUBJECT: x from local; from=<a@b.example>",
            .headerLine,
            a: " x from local; from=<a@b.example>",
            header: .subject
        ),
        Self(
            "postfix/cleanup",
            "\(id): warning: header Content-Type: multipart/report; x from h[192.0.2.1]; from=<>",
            .headerLine,
            a: " multipart/report; x from h[192.0.2.1]; from=<>",
            header: .contentType
        ),
        // `STRIP` cures the abuse at the gate, and logs it too.
        Self(
            "postfix/cleanup",
            "\(id): strip: header Disposition-Notification-To: <t@u.test> from h[192.0.2.1]; from=<>",
            .headerLine,
            a: " <t@u.test> from h[192.0.2.1]; from=<>",
            header: .dispositionNotificationTo
        ),
        Self(
            "postfix/cleanup",
            "\(id): replace: header Subject: x from h[192.0.2.1]; from=<>: Subject: y",
            .headerLine,
            a: " x from h[192.0.2.1]; from=<>: Subject: y",
            header: .subject
        ),
        Self(
            "postfix/cleanup",
            "\(id): prepend: header Subject: x from h[192.0.2.1]; from=<>: X-Y: z",
            .headerLine,
            a: " x from h[192.0.2.1]; from=<>: X-Y: z",
            header: .subject
        ),
        Self(
            "postfix/cleanup",
            "\(id): bcc: header X-Spam: x from h[192.0.2.1]; from=<>: boss@a.example",
            .headerLine,
            a: " x from h[192.0.2.1]; from=<>: boss@a.example",
            header: .other
        ),
        Self("postfix/cleanup", "\(id): info: body buy now from h[192.0.2.1]; from=<>"),
        Self("postfix/cleanup", "\(id): info: header without colon from h[192.0.2.1]; from=<>"),
        Self(
            "postfix/cleanup",
            "\(id): hold: header Received: from x by y from h[192.0.2.1]; from=<>",
            .held,
            a: " from x by y from h[192.0.2.1]; from=<>",
            header: .other
        ),
        Self("postfix/cleanup", "\(id): hold: body x from h[192.0.2.1]; from=<>", .held),
        Self(
            "postfix/cleanup",
            "\(id): discard: header Subject: x from h[192.0.2.1]; from=<>",
            .discarded,
            a: " x from h[192.0.2.1]; from=<>",
            header: .subject
        ),
        Self(
            "postfix/cleanup",
            "\(id): reject: header Subject: x from h[192.0.2.1]; from=<>: 5.7.1 no",
            .refused
        ),
        Self(
            "postfix/cleanup",
            "\(id): reject: body x from h[192.0.2.1]; from=<>: 5.7.1 no",
            .refused
        ),
        Self(
            "postfix/cleanup",
            "\(id): reject: mime-error improper use of 8-bit data: x from h[192.0.2.1]; from=<>",
            .refused
        ),
        Self(
            "postfix/cleanup",
            "\(id): milter-hold: END-OF-MESSAGE from h[192.0.2.1]: milter triggers HOLD action; "
                + "from=<a@b.example> to=<c@d.test> proto=ESMTP helo=<pc>",
            .held,
            b: "a@b.example",
            c: "c@d.test"
        ),
        Self(
            "postfix/cleanup",
            "\(id): milter-discard: END-OF-MESSAGE from h[192.0.2.1]: milter triggers DISCARD action; "
                + "from=<> to=<c@d.test> proto=SMTP",
            .discarded,
            b: "",
            c: "c@d.test"
        ),
        Self(
            "postfix/cleanup",
            "\(id): milter-hold: END-OF-MESSAGE from h[192.0.2.1]: milter triggers HOLD action; "
                + "from=<a@b.example> to=<c@d.test> proto=ESMTP helo=<pc> and more",
            .held
        ),
        Self(
            "postfix/cleanup",
            "\(id): milter-reject: END-OF-MESSAGE from h[192.0.2.1]: 5.7.1 spam; from=<a@b.example>",
            .refused
        ),
        Self(
            "postfix/cleanup",
            "\(id): milter-header-hold: header X-Spam: x]: milter triggers y; from=<v@w.test> from "
                + "h[192.0.2.1]; from=<a@b.example> to=<c@d.test>",
            .held
        ),
        Self(
            "postfix/cleanup",
            "\(id): milter-header-reject: header X: y from h[192.0.2.1]",
            .refused
        ),
        Self("postfix/cleanup", "\(id): milter-body-discard: body y from h[192.0.2.1]", .discarded),
        Self("postfix/cleanup", "\(id): milter-header-warn: header X: y from h[192.0.2.1]"),
        Self("postfix/cleanup", "warning: \(id): queue file size limit exceeded"),
    ]

    /// smtpd_check.c `log_whatsup`, smtpd.c `check_milter_reply`.
    static let decisions = [
        Self(
            "postfix/smtpd",
            "\(id): hold: RCPT from h[192.0.2.1]: <c@d.test>: Recipient address triggers HOLD action; "
                + "from=<a@b.example> to=<c@d.test> proto=ESMTP helo=<pc>",
            .held
        ),
        Self(
            "postfix/smtpd",
            "\(id): milter-hold: DATA from h[192.0.2.1]: milter triggers HOLD",
            .held
        ),
        Self("postfix/smtpd", "\(id): discard: RCPT from h[192.0.2.1]: <c@d.test>: x;", .discarded),
        Self("postfix/smtpd", "\(id): milter-discard: RCPT from h[192.0.2.1]: x;", .discarded),
        Self("postfix/smtpd", "\(id): reject: END-OF-MESSAGE from h[192.0.2.1]: 554 no;", .refused),
        Self(
            "postfix/smtpd",
            "\(id): milter-reject: END-OF-MESSAGE from h[192.0.2.1]: 554;",
            .refused
        ),
        // One recipient, or one try: the client may go on.
        Self("postfix/smtpd", "\(id): reject: RCPT from h[192.0.2.1]: 554 5.7.1 <c@d.test>: no;"),
        Self("postfix/smtpd", "\(id): milter-reject: RCPT from h[192.0.2.1]: 554 5.7.1 no;"),
        Self("postfix/smtpd", "\(id): reject: DATA from h[192.0.2.1]: 451 4.3.0 later;"),
        Self("postfix/smtpd", "\(id): filter: RCPT from h[192.0.2.1]: <c@d.test>: FILTER scan:x;"),
        Self(
            "postfix/smtpd",
            "\(id): redirect: RCPT from h[192.0.2.1]: <c@d.test>: REDIRECT e@f.test;"
        ),
        Self(
            "postfix/smtpd",
            "\(id): bcc: RCPT from h[192.0.2.1]: <c@d.test>: triggers BCC e@f.test;"
        ),
        Self("postfix/smtpd", "\(id): permit: RCPT from h[192.0.2.1]: action=permit;"),
        Self("postfix/smtpd", "NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 <c@d.test>: no;"),
        // The queue file is opened behind the first recipient: nearly all holds come before.
        Self(
            "postfix/smtpd",
            "NOQUEUE: hold: RCPT from h[192.0.2.1]: <c@d.test>: Recipient address triggers HOLD action;",
            .sessionHeld,
            a: "h[192.0.2.1]"
        ),
        Self(
            "postfix/smtpd",
            "NOQUEUE: milter-hold: MAIL from h[192.0.2.1]: milter triggers HOLD action;",
            .sessionHeld,
            a: "h[192.0.2.1]"
        ),
        Self("postfix/smtpd", "NOQUEUE: hold:  from h[192.0.2.1]: <c@d.test>: x;"),
        Self("postfix/smtpd", "NOQUEUE: hold: RCPT from <x hold: RCPT from h[192.0.2.1]: x;"),
        Self("postfix/smtpd", "NOQUEUE: discard: RCPT from h[192.0.2.1]: <c@d.test>: x;"),
    ]

    /// qmgr_active.c, postsuper.c.
    static let queue = [
        Self(
            "postfix/qmgr",
            "\(id): from=<a@b.example>, size=123, nrcpt=2 (queue active)",
            .active,
            a: "a@b.example"
        ),
        Self("postfix/qmgr", "\(id): from=<>, size=1, nrcpt=1 (queue active)", .active, a: ""),
        Self(
            "postfix-out/qmgr",
            "\(id): from=<\"a b>, size=1, nrcpt=1 (queue active)\"@b.example>, size=1, nrcpt=1 "
                + "(queue active)",
            .active,
            a: "\"a b>, size=1, nrcpt=1 (queue active)\"@b.example"
        ),
        Self(
            "postfix/qmgr",
            "\(id): from=a@b.example, size=1, nrcpt=1 (queue active)",
            .active,
            a: "a@b.example"
        ),
        Self(
            "postfix/qmgr",
            "\(id): from=<müller@b.example>, size=1, nrcpt=1 (queue active)",
            .active,
            a: "müller@b.example"
        ),
        Self(
            "postfix/qmgr",
            "\(id): from=<a@b.example>, status=expired, returned to sender",
            .expired
        ),
        Self(
            "postfix/qmgr",
            "\(id): from=<a b@c.example>, status=force-expired, returned to sender",
            .expired
        ),
        Self("postfix/qmgr", "\(id): removed", .removed),
        Self("postfix/qmgr", "\(id): removed by hand"),
        Self("postfix/qmgr", "\(id): skipped, still being delivered"),
        Self("postfix/postsuper", "\(id): removed", .removed),
        Self("postfix/postsuper", "\(id): placed on hold", .held),
        Self("postfix/postsuper", "\(id): released from hold", .released),
        Self("postfix/postsuper", "\(id): requeued", .note),
        Self("postfix/postsuper", "\(id): expired", .note),
        Self("postfix/postsuper", "Deleted: 1 message"),
        Self("postfix/bounce", "\(id): sender non-delivery notification: 4XyZbbfgzN9QK", .note),
        Self("postfix/bounce", "\(id): sender delay notification: 4XyZbbfgzN9QK", .note),
        Self("postfix/bounce", "\(id): sender delivery status notification: 4XyZbbfgzN9QK", .note),
        Self("postfix/bounce", "\(id): postmaster non-delivery notification: 4XyZbbfgzN9QK", .note),
    ]

    private static let tail =
        "relay=mx.d.test[203.0.113.1]:25, delay=1.2, delays=0.1/0/0.1/1, dsn=2.0.0, "

    /// log_adhoc.c, by every program that writes such lines.
    static let deliveries = [
        Self(
            "postfix/smtp",
            "\(id): to=<c@d.test>, \(tail)status=sent (250 2.0.0 Ok: queued as 12345)",
            .delivery,
            a: "c@d.test",
            c: "mx.d.test[203.0.113.1]:25",
            d: "250 2.0.0 Ok: queued as 12345)",
            .sent
        ),
        // A transport with a service name of its own, an alias' target, a connection used again.
        Self(
            "postfix/relay/smtp",
            "\(id): to=<c@d.test>, orig_to=<all@b.example>, relay=mx[203.0.113.1]:25, conn_use=3, "
                + "delay=1, delays=0/0/0/1, dsn=4.7.1, status=deferred (host mx said: 451 x)",
            .delivery,
            a: "c@d.test",
            b: "all@b.example",
            c: "mx[203.0.113.1]:25",
            d: "host mx said: 451 x)",
            .deferred
        ),
        // Postfix 3.11's TLS summary; Postfix before 2.3.
        Self(
            "postfix/smtp",
            "\(id): to=<c@d.test>, relay=mx[203.0.113.1]:25, delay=1, delays=0/0/0/1, "
                + "tls=dane/!(disabled:requiretls)?, dsn=2.0.0, status=sent (250 ok)",
            .delivery,
            a: "c@d.test",
            c: "mx[203.0.113.1]:25",
            d: "250 ok)",
            .sent
        ),
        Self(
            "postfix/smtp",
            "\(id): to=<c@d.test>, relay=mx[203.0.113.1], delay=1, status=sent (250 ok)",
            .delivery,
            a: "c@d.test",
            c: "mx[203.0.113.1]",
            d: "250 ok)",
            .sent
        ),
        Self(
            "postfix/smtp",
            "\(id): to=c@d.test, orig_to=all@b.example, relay=mx[203.0.113.1]:25, delay=1, "
                + "status=sent (250 ok)",
            .delivery,
            a: "c@d.test",
            b: "all@b.example",
            c: "mx[203.0.113.1]:25",
            d: "250 ok)",
            .sent
        ),
        Self(
            "postfix/lmtp",
            "\(id): to=<c@b.example>, relay=mx1[private/dovecot-lmtp], delay=1, status=sent (250 Saved)",
            .delivery,
            a: "c@b.example",
            c: "mx1[private/dovecot-lmtp]",
            d: "250 Saved)",
            .sent
        ),
        Self(
            "postfix/local",
            "\(id): to=<c@b.example>, orig_to=<root>, relay=local, delay=1, dsn=2.0.0, status=sent "
                + "(forwarded as 4XyZbbfgzN9QK)",
            .delivery,
            a: "c@b.example",
            b: "root",
            c: "local",
            d: "forwarded as 4XyZbbfgzN9QK)",
            .sent
        ),
        Self(
            "postfix/pipe",
            "\(id): to=<c@b.example>, relay=spamfilter, delay=1, dsn=2.0.0, status=sent (delivered via "
                + "spamfilter service)",
            .delivery,
            a: "c@b.example",
            c: "spamfilter",
            d: "delivered via spamfilter service)",
            .sent
        ),
        Self(
            "postfix/qmgr",
            "\(id): to=<c@d.test>, relay=none, delay=1, delays=0/1/0/0, dsn=4.3.0, status=deferred "
                + "(mail transport unavailable)",
            .delivery,
            a: "c@d.test",
            c: "none",
            d: "mail transport unavailable)",
            .deferred
        ),
        Self(
            "postfix/cleanup",
            "\(id): to=<c@d.test>, relay=none, delay=1, delays=0/0/0/0, dsn=5.4.6, status=bounced "
                + "(unreasonable virtual_alias_maps map expansion size)",
            .delivery,
            a: "c@d.test",
            c: "none",
            d: "unreasonable virtual_alias_maps map expansion size)",
            .bounced
        ),
        Self(
            "postfix/error",
            "\(id): to=<c@d.test>, relay=none, delay=1, dsn=5.0.0, status=bounced (x)",
            .delivery,
            a: "c@d.test",
            c: "none",
            d: "x)",
            .bounced
        ),
        // Address verification probes, `sendmail -bv`.
        Self(
            "postfix/smtp",
            "\(id): to=<c@d.test>, \(tail)status=deliverable (250 ok)",
            .delivery,
            a: "c@d.test",
            c: "mx.d.test[203.0.113.1]:25",
            d: "250 ok)",
            .other
        ),
        Self(
            "postfix/smtp",
            "\(id): to=<c@d.test>, \(tail)status=undeliverable (host mx said: 550 no)",
            .delivery,
            a: "c@d.test",
            c: "mx.d.test[203.0.113.1]:25",
            d: "host mx said: 550 no)",
            .other
        ),
        Self("postfix/smtp", "\(id): status=deferred (bounce failed)"),
        Self(
            "postfix/smtp",
            "\(id): host mx.d.test[203.0.113.1] said: 451 to=<x>, relay=y, status=sent"
        ),
        Self(
            "postfix/smtp",
            "\(id): enabling PIX workarounds: disable_esmtp for mx[203.0.113.1]:25"
        ),
        Self("postfix/smtp", "connect to mx.d.test[203.0.113.1]:25: Connection timed out"),
        // A remote reply that holds another line's end.
        Self(
            "postfix/smtp",
            "\(id): to=<c@d.test>, \(tail)status=bounced (host said: 550 >, relay=none, delay=1, "
                + "delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok))",
            .delivery,
            a: "c@d.test",
            c: "mx.d.test[203.0.113.1]:25",
            d:
                "host said: 550 >, relay=none, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok))",
            .bounced,
            isAmbiguous: true
        ),
        Self(
            "postfix/smtp",
            "\(id): to=<c@d.test>, \(tail)status=bounced (host said: 550 <v@w.test>, status=sent (x))",
            .delivery,
            a: "c@d.test",
            c: "mx.d.test[203.0.113.1]:25",
            d: "host said: 550 <v@w.test>, status=sent (x))",
            .bounced
        ),
    ]

    /// `info_log_address_format = internal`, and Postfix before 3.5: addresses without quotes.
    static let internalForms = [
        Self(
            "postfix/qmgr",
            "\(id): from=<a b@c.example>, size=1, nrcpt=1 (queue active)",
            .active,
            a: "a b@c.example"
        ),
        Self(
            "postfix/qmgr",
            "\(id): from=<v@w.test>, size=1, nrcpt=1 (queue active)@c.example>, size=1, nrcpt=1 "
                + "(queue active)",
            .active,
            a: "v@w.test>, size=1, nrcpt=1 (queue active)@c.example"
        ),
        Self(
            "postfix/smtp",
            "\(id): to=<a b@d.test>, \(tail)status=sent (250 ok)",
            .delivery,
            a: "a b@d.test",
            c: "mx.d.test[203.0.113.1]:25",
            d: "250 ok)",
            .sent
        ),
        Self(
            "postfix/smtp",
            "\(id): to=<a\"b@d.test>, orig_to=<x y@b.example>, \(tail)status=sent (250 \"ok>\")",
            .delivery,
            a: "a\"b@d.test",
            b: "x y@b.example",
            c: "mx.d.test[203.0.113.1]:25",
            d: "250 \"ok>\")",
            .sent
        ),
        // Whose line it is, is not to be told: it is the shorter one, and doubtful.
        Self(
            "postfix/smtp",
            "\(id): to=<v@w.test>, relay=none, delay=1, status=sent (x@d.test>, \(tail)status=bounced (no)",
            .delivery,
            a: "v@w.test",
            c: "none",
            d: "x@d.test>, \(tail)status=bounced (no)",
            .sent,
            isAmbiguous: true
        ),
    ]

    /// Lines that say nothing of a submission.
    static let others = [
        Self("postfix/postscreen", "CONNECT from [192.0.2.1]:4711 to [192.0.2.25]:25"),
        Self("postfix/postscreen", "PASS NEW [192.0.2.1]:4711"),
        Self(
            "postfix/postscreen",
            "NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 550 5.7.1 blocked; from=<a@b.test>, "
                + "to=<c@b.example>, proto=ESMTP, helo=<x>"
        ),
        Self("postfix/postscreen", "haproxy read: time limit exceeded"),
        Self("postfix/smtpd", "warning: haproxy read: EOF"),
        Self("postfix/smtpd", "connect from h[192.0.2.1]"),
        Self(
            "postfix/smtpd",
            "disconnect from h[192.0.2.1] ehlo=1 auth=1 mail=1 quit=1 commands=4"
        ),
        Self("postfix/smtpd", "lost connection after DATA (0 bytes) from h[192.0.2.1]"),
        Self(
            "postfix/smtpd",
            "warning: h[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=ann@a.example"
        ),
        Self("postfix/smtpd", "Anonymous TLS connection established from h[192.0.2.1]: TLSv1.3"),
        Self("postfix/anvil", "statistics: max connection rate 3/60s for (smtp:192.0.2.1)"),
        Self("postfix/tlsmgr", "warning: x"),
        Self("postfix/verify", "cache btree:/var/lib/postfix/verify_cache full cleanup"),
        Self("postfix/scache", "statistics: start interval Mar  1 10:00:00"),
        Self("postfix/master", "daemon started -- version 3.7.11, configuration /etc/postfix"),
        Self("postfix/postfix-script", "starting the Postfix mail system"),
        Self("postfix-out/postmulti", "fatal: instance x: no such instance"),
        Self(
            "postfix/trivial-rewrite",
            "warning: do not list domain a.example in BOTH mydestination"
        ),
    ]
}

@Suite struct PostfixLineTests {
    private func text(_ piece: LineFact.Piece, of line: [UInt8]) -> String? {
        piece.isPresent ? String(decoding: line[piece.indices], as: UTF8.self) : nil
    }

    @Test(arguments: PostfixShape.all)
    func everyShapeHasItsReading(_ shape: PostfixShape) throws {
        let line = Array(shape.line.utf8)
        var scanner = LogScanner(seed: .constant)
        var facts: [LineFact] = []
        scanner.scanLine(line.span, line: 0, into: &facts)
        #expect(scanner.counters.unparsed == 0)
        let fact = try #require(facts.first)
        #expect(facts.count == 1)
        #expect(fact.kind == shape.kind ?? .time)
        guard let kind = shape.kind else { return }
        #expect(text(fact.a, of: line) == shape.a)
        #expect(text(fact.b, of: line) == shape.b)
        #expect(text(fact.c, of: line) == shape.c)
        #expect(text(fact.d, of: line) == shape.d)
        #expect(fact.status == shape.status)
        #expect(fact.header == shape.header)
        #expect(fact.isAmbiguous == shape.isAmbiguous)
        #expect(text(fact.host, of: line) == "mx1")
        #expect(fact.key != 0)
        let isOfSession = kind == .proxied || kind == .proxyEnd || kind == .sessionHeld
        #expect(fact.queueID.isPresent == !isOfSession)
    }

    /// A line of which only the beginning is there never says what the whole one does not say of the
    /// login, and nothing traps.
    @Test(arguments: PostfixShape.all)
    func truncatedLinesSayNothingElse(_ shape: PostfixShape) {
        let line = Array(shape.line.utf8)
        for end in 0...line.count {
            var scanner = LogScanner(seed: .constant)
            var facts: [LineFact] = []
            scanner.scanLine(line.span.extracting(0..<end), line: 0, into: &facts)
            #expect(scanner.counters.lines == 1)
            for fact in facts where fact.kind == .client || fact.kind == .proxied {
                #expect(text(fact.a, of: line).map { shape.a?.hasPrefix($0) == true } ?? true)
            }
            for fact in facts where fact.kind == .delivery {
                #expect(text(fact.a, of: line) == shape.a)
            }
        }
    }

    /// forall changed bytes: no trap, and pieces lie within the line.
    @Test(arguments: PostfixShape.all)
    func noChangedByteTraps(_ shape: PostfixShape) {
        let line = Array(shape.line.utf8)
        for index in line.indices {
            for byte in [0, 0x20, 0x22, 0x2c, 0x3c, 0x3e, 0x5b, 0x5c, 0xff] as [UInt8] {
                var changed = line
                changed[index] = byte
                var scanner = LogScanner(seed: .constant)
                var facts: [LineFact] = []
                scanner.scanLine(changed.span, line: 0, into: &facts)
                for fact in facts {
                    for piece in [fact.a, fact.b, fact.c, fact.d, fact.queueID, fact.host] {
                        #expect(piece.indices.upperBound <= line.count)
                    }
                }
            }
        }
    }

    /// Without a process ID, nothing says whose answer a filter's is.
    @Test func filtersBeforeTheQueueNeedAProcess() {
        for text in [
            "NOQUEUE: client=h[192.0.2.1], sasl_username=ann",
            "proxy-accept: END-OF-MESSAGE: 250 queued as ABCDEF0123; from=<a@b.example>",
        ] {
            var scanner = LogScanner(seed: .constant)
            var facts: [LineFact] = []
            scanner.scanLine(
                Array("Mar  1 10:00:00 mx1 postfix/smtpd: \(text)".utf8).span,
                line: 0,
                into: &facts
            )
            #expect(facts.map(\.kind) == [.time])
        }
    }
}
