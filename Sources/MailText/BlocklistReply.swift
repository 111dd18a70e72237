/// Finds out from a server's reply whether it refused mail because the sending host is on a
/// blocklist, and on which.
///
/// A reply is a stranger's text: only the bytes of a host name are ever taken from it.
public enum BlocklistReply {
    /// What is given where the reply names no list.
    public static let unnamed = "unnamed"
    /// Bytes of a reply that are looked at, and of a name that is given.
    private static let bytesMax = 1_024
    private static let nameBytesMax = 80

    /// - Parameter reply: the text of an SMTP reply, as logged.
    /// - Returns: the list as the reply names it, in lower case, such as `zen.spamhaus.org`; the
    ///   operator's name where no host stands there; ``unnamed`` where words say no more than that
    ///   there is one; nil for any other reply.
    public static func list(in reply: Span<UInt8>) -> String? {
        var text: [UInt8] = []
        text.reserveCapacity(min(reply.count, bytesMax))
        for index in 0..<min(reply.count, bytesMax) {
            let byte = reply[index]
            text.append(byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte)
        }
        for (word, name) in operators {
            guard let place = first(word, in: text) else { continue }
            return host(around: place, in: text) ?? name
        }
        for words in leads {
            guard let place = first(words, in: text) else { continue }
            let start = place + words.utf8CodeUnitCount
            if let name = host(from: start, in: text), name.contains(".") { return name }
        }
        for words in signs where first(words, in: text) != nil { return unnamed }
        return nil
    }

    /// Parts of the names of lists' zones and pages, as of their own documentation (2026), and who
    /// runs them.
    private static let operators: [(word: StaticString, name: String)] = [
        ("spamhaus", "Spamhaus"), ("spamcop", "SpamCop"), ("barracudacentral", "Barracuda"),
        ("barracudabrts", "Barracuda"), ("sorbs.net", "SORBS"), ("uceprotect", "UCEPROTECT"),
        ("abuseat.org", "CBL"), ("mailspike", "Mailspike"), ("senderscore", "Sender Score"),
        ("invaluement", "invaluement"), ("psbl.org", "PSBL"), ("surriel.com", "PSBL"),
        ("truncate.gbudb", "GBUdb"), ("blocklist.de", "blocklist.de"), ("nixspam", "NiX Spam"),
        ("manitu.net", "NiX Spam"), ("s5h.net", "S5H"),
        ("ipcheck.proofpoint", "Proofpoint"), ("csi.cloudmark", "Cloudmark"),
        ("spfbl.net", "SPFBL"), ("0spam.org", "0spam"), ("backscatterer", "Backscatterer"),
        ("junkemailfilter", "Junk Email Filter"), ("abusix", "Abusix"), ("spamrats", "SpamRATS"),
        ("wpbl.info", "WPBL"), ("anonmails", "Anonmails"), ("dronebl", "DroneBL"),
        // Exchange Online Protection and Outlook.com: support articles on S3140, S3150.
        ("s3140", "Microsoft"), ("s3150", "Microsoft"), ("delist.messaging.microsoft", "Microsoft"),
        ("banned sending ip", "Microsoft"),
        // Gmail's and Yahoo's own pages on bulk senders.
        ("unusual rate of unsolicited mail", "Gmail"), ("[ts03]", "Yahoo"), ("[tss04]", "Yahoo"),
    ]

    /// Words that stand before a list's name, as in Postfix' own reply (`default_rbl_reply`: `blocked
    /// using $rbl_domain`), Exim's examples (`is in a black list at`), and others.
    private static let leads: [StaticString] = [
        "blocked using ", "blocked by ", "rejected using ", "listed at ", "listed in ",
        "listed by ", "listed on ", "found in ", "black list at ", "blacklisted at ",
        "blacklisted by ", "blocklisted by ", "refused by ",
    ]

    private static let signs: [StaticString] = [
        "blocklist", "block list", "block-list", "blacklist", "black list", "dnsbl", " rbl",
        "poor reputation", "bad reputation", "low reputation", "reputation is too low",
    ]

    /// Where `words` first stand.
    private static func first(_ words: StaticString, in text: [UInt8]) -> Int? {
        let count = words.utf8CodeUnitCount
        guard count <= text.count else { return nil }
        let start = unsafe words.utf8Start
        for place in 0...(text.count - count) {
            var offset = 0
            // `offset` is below the count of the literal.
            while offset < count, unsafe text[place + offset] == start[offset] { offset += 1 }
            if offset == count { return place }
        }
        return nil
    }

    /// The host name within which a place lies; nil if what is there has no dot.
    private static func host(around place: Int, in text: [UInt8]) -> String? {
        var start = place
        while start > 0, isHostByte(text[start - 1]) { start -= 1 }
        guard let name = host(from: start, in: text), name.contains(".") else { return nil }
        return name
    }

    /// The host name that begins at a place, without dots around it.
    private static func host(from place: Int, in text: [UInt8]) -> String? {
        var start = place
        while start < text.count, text[start] == UInt8(ascii: ".") { start += 1 }
        var end = start
        while end < text.count, isHostByte(text[end]) { end += 1 }
        while end > start, text[end - 1] == UInt8(ascii: ".") { end -= 1 }
        guard end > start, end - start <= nameBytesMax else { return nil }
        return String(decoding: text[start..<end], as: UTF8.self)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
}
