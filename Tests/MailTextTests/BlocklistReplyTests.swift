import TestSupport
import Testing

@testable import MailText

private func list(_ reply: String) -> String? { BlocklistReply.list(in: Array(reply.utf8).span) }

/// Replies as servers on the Internet give them, and what is no blocklist's.
@Suite struct BlocklistReplyTests {
    @Test(
        arguments: [
            (
                "host mx.a.test[203.0.113.9] said: 554 5.7.1 Service unavailable; Client host "
                    + "[192.0.2.25] blocked using zen.spamhaus.org; "
                    + "https://www.spamhaus.org/query/ip/192.0.2.25 (in reply to RCPT TO command)",
                "zen.spamhaus.org"
            ),
            ("550 192.0.2.25 is listed at DNSBL.example.test.", "dnsbl.example.test"),
            (
                "451 4.7.1 rejected because 192.0.2.25 is in a black list at bl.spamcop.net",
                "bl.spamcop.net"
            ),
            (
                "550 permanent failure, see http://www.barracudacentral.org/reputation",
                "www.barracudacentral.org"
            ),
            (
                "550 5.7.1 Unfortunately, messages from [192.0.2.25] weren't sent. Please contact "
                    + "your Internet service provider since part of their network is on our block "
                    + "list (S3140).",
                "Microsoft"
            ),
            (
                "421-4.7.28 Our system has detected an unusual rate of unsolicited mail originating "
                    + "from your IP address",
                "Gmail"
            ),
            ("421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred", "Yahoo"),
            ("554 your host has a poor reputation", "unnamed"),
            ("550 blocked by our policy for spamhaus", "Spamhaus"),
        ]
    )
    func theListIsNamed(_ reply: String, _ name: String) { #expect(list(reply) == name) }

    @Test(
        arguments: [
            "", "250 2.0.0 Ok: queued as 4jY8Gq", "550 5.1.1 <a@b.test>: user unknown",
            "452 4.2.2 mailbox full", "450 4.7.1 greylisted, try again",
            "550 blocked by our policy",
            "550 5.7.1 refused by administrator",
        ]
    )
    func otherRepliesNameNone(_ reply: String) { #expect(list(reply) == nil) }

    /// Whatever a stranger writes, a name is made of a host's bytes only, and short.
    @Test(arguments: 1...20) func noTextButAHostsNameComesOut(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "blocked using ", "spamhaus", "\u{1b}[31m", "\n", "'; rm -rf /;'", ".", "-", "\u{202e}",
            "zen", "org", " ", "\0", "ü", String(repeating: "a", count: 300), "listed at ",
            "[ts03]",
        ]
        for _ in 0..<500 {
            let count = Int.random(in: 1...8, using: &random)
            let reply = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            guard let name = list(reply) else { continue }
            let isPlain = name.unicodeScalars.allSatisfy {
                $0.isASCII
                    && ($0.properties.isAlphabetic || "0123456789-. ".unicodeScalars.contains($0))
            }
            #expect(isPlain && name.utf8.count <= 80, "\(reply.debugDescription)")
        }
    }
}
