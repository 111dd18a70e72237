/// What the mutation tests and the fuzzers put into lines: words of each grammar where they do not
/// belong, and bytes that break it.
enum Tokens {
    static let postfix: [String] = [
        ", sasl_username=", ", sasl_username=mallory@evil.test", ", sasl_method=PLAIN",
        ", sasl_sender=", ", sasl_sender=ceo@hosted.example", ", orig_queue_id=4XyZbbcdzN9QK",
        ", orig_client=", ", orig_client=x[192.0.2.9]", "client=x[192.0.2.9]", " from ",
        " from x[1.2.3.4]; from=<", " from localhost[127.0.0.1]; from=<a@b.test> to=<c@d.test>",
        "; from=<", "> to=<", " proto=ESMTP", " helo=<", ">: ", ": ", "status=sent (",
        ", status=sent (250 ok)", ", status=bounced (", ", status=deliverable (", ", relay=none",
        ", relay=", ", orig_to=<", ", dsn=2.0.0", ", delay=", ", conn_use=2", "to=<", "from=<",
        ">, size=1, nrcpt=1 (queue active)", ">, status=expired, returned to sender",
        ">, status=force-expired", "info: header Subject: ", "hold: header Subject: ",
        "discard: header ", "reject: header Subject: x", "header Content-Type: ",
        "header Disposition-Notification-To: ", "milter-hold: ", "milter-discard: ", "message-id=",
        "removed", "placed on hold", "released from hold", "queued as 4XyZbbcdzN9QK)",
        "4XyZbbcdzN9QK: ", "ABCDEF0123: ", "NOQUEUE: ", "NOQUEUE: client=", "warning: ",
        "postfix/smtpd[1]: ", "postfix/submission/smtpd[1]: ", "postfix/cleanup[2]: ",
        "postfix/qmgr[3]: ", "postfix/smtp[4]: ", "postfix/lmtp[5]: ", "postfix/local[6]: ",
        "postfix/error[7]: ", "postfix/postsuper[8]: ", "postfix/discard[9]: ", "smtpd[1]: ",
        "proxy-accept: END-OF-MESSAGE: ", "message repeated 2 times: [ ",
    ]

    static let general: [String] = [
        "\"", "\\\"", "\\", "\\\\", "\"a b\"@c.test", "<", ">", "<>", "[", "]", "(", ")", "@", ",",
        ", ", ";", " ", "  ", "=", ":", "\t", "\0", "\r", "\u{1b}[31m", "\u{202e}", "\u{200f}",
        "\u{2028}", "\u{feff}", "é", "ö@müller.example", "\u{ff20}", "=?utf-8?B?4pyT?=", "%s%n",
        "Mar  1 10:00:00 mx1 ", "Feb 29 23:59:60 ", "2026-03-01T10:00:00.5+01:00 mx2 ",
        "2026-03-01 10:00:00 ", "[1]", "127.0.0.1", "::1", "unknown[unknown]", "a@b.test",
    ]

    static let all: [[UInt8]] =
        (postfix + general).map { Array($0.utf8) }
        // No UTF-8: a lone byte, a cut sequence, a surrogate, NEL and NBSP of ISO 8859-1.
        + [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0x85], [0xa0]]
}
