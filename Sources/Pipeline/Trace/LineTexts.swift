import MailEvents
import MailLog

/// Words that servers put beside what is a fact, read where no stranger can put text.
enum LoginText {
    /// How the client logged in.
    ///
    /// Postfix writes `, sasl_method=` right behind the client (smtpd.c), Exim `A=METHOD:` right before
    /// the login (receive.c), Sendmail `, mech=` right behind it (srvrsmtp.c).
    static func method(_ fact: LineFact, _ text: Span<UInt8>) -> String? {
        if fact.a.isPresent, text.has(", sasl_method=", at: fact.a.indices.upperBound) {
            return word(text, from: fact.a.indices.upperBound + 14)
        }
        guard fact.b.isPresent else { return nil }
        if text.has(", mech=", at: fact.b.indices.upperBound) {
            return word(text, from: fact.b.indices.upperBound + 7)
        }
        var start = fact.b.indices.lowerBound - 1
        guard start > 0, start < text.count, text[start] == UInt8(ascii: ":") else { return nil }
        let end = start
        while start > 0, text[start - 1] != UInt8(ascii: "="), text[start - 1] != UInt8(ascii: " ")
        { start -= 1 }
        guard start >= 3, text.has(" A=", at: start - 3), end > start else { return nil }
        return String(decoding: text.extracting(start..<end).copied, as: UTF8.self)
    }

    /// The version of TLS that Exim's arrival line names, between the client's address and the login.
    static func tls(_ fact: LineFact, _ text: Span<UInt8>) -> String? {
        guard fact.a.isPresent, fact.b.isPresent else { return nil }
        var index = fact.a.indices.upperBound
        while index + 3 < min(fact.b.indices.lowerBound, text.count) {
            if text.has(" X=TLS", at: index) { return word(text, from: index + 3) }
            index += 1
        }
        return nil
    }

    /// Whether a program's text says that a connection is encrypted.
    ///
    /// `Anonymous TLS connection established from HOST[IP]: TLSv1.3 with cipher …` (Postfix's
    /// tls_misc.c), `STARTTLS=server, relay=…, version=TLSv1.3, …` (Sendmail's tls.c), `SESSION smtp
    /// tls ciphers=TLSv1.3:…` (OpenSMTPD's smtp_session.c).
    static func isEncryption(_ text: Span<UInt8>, at start: Int) -> Bool {
        if text.has("STARTTLS=server", at: start) { return true }
        var index = start
        while index < text.count, text[index] != UInt8(ascii: " ") { index += 1 }
        return text.has(" TLS connection established from ", at: index)
            || text.has(" smtp tls ciphers=", at: index)
    }

    /// The session ID that OpenSMTPD's lines begin with: 16 hexadecimal digits (smtp_session.c).
    static func sessionID(_ text: Span<UInt8>) -> [UInt8]? {
        let start = SyslogHeader(text).textStart
        guard start > 0, start + 16 < text.count, text.has(" smtp ", at: start + 16) else {
            return nil
        }
        let id = text.extracting(start..<(start + 16)).copied
        let isHex = id.allSatisfy { byte in
            byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
                || byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f")
        }
        return isHex ? id : nil
    }

    /// The version in such a text.
    static func tls(_ text: Span<UInt8>, from start: Int) -> String? {
        guard start > 0, isEncryption(text, at: start) else { return nil }
        var index = start
        while index < text.count {
            if text.has("]: TLS", at: index) { return word(text, from: index + 3) }
            if text.has(", version=", at: index) { return word(text, from: index + 10) }
            if text.has(" tls ciphers=", at: index) { return word(text, from: index + 13) }
            index += 1
        }
        return nil
    }

    /// `mech=` in a line about a login.
    static func mechanism(_ text: Span<UInt8>) -> String? {
        var index = SyslogHeader(text).textStart
        guard text.has("AUTH=server", at: index) else { return nil }
        while index < text.count {
            if text.has(", mech=", at: index) { return word(text, from: index + 7) }
            index += 1
        }
        return nil
    }

    /// Letters, digits and what versions and methods have besides.
    private static func word(_ text: Span<UInt8>, from start: Int) -> String? {
        var end = start
        while end < text.count, end - start < 32, isWordByte(text[end]) { end += 1 }
        guard end > start else { return nil }
        return String(decoding: text.extracting(start..<end).copied, as: UTF8.self)
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

/// Queue IDs that a relay's reply may name. A remote server can name anything: whether it is true is
/// for others to check.
enum ReplyText {
    static func queueIDs(_ reply: String) -> [String] {
        var found: [String] = []
        let words = reply.split { $0 == " " || $0 == "<" || $0 == ">" || $0 == "(" || $0 == ")" }
            .map(String.init)
        for (index, word) in words.enumerated() {
            // `… Ok: queued as ID` (Postfix), `OK id=ID` (Exim), `ID Message accepted for delivery`
            // (Sendmail, OpenSMTPD).
            if word == "as", index > 0, words[index - 1] == "queued", index + 1 < words.count {
                found.append(words[index + 1])
            } else if word.hasPrefix("id=") {
                found.append(String(word.dropFirst(3)))
            } else if word == "Message", index > 0, index + 1 < words.count,
                words[index + 1] == "accepted"
            {
                found.append(words[index - 1])
            }
        }
        return found.filter { (5...40).contains($0.utf8.count) }
    }
}

/// What servers say of a bounce that they made of a message.
///
/// Postfix's bounce(8): `ID: sender non-delivery notification: BOUNCE`, and the same with `delay
/// notification` and `delivery status notification` (bounce_notify_service.c and its kin). Sendmail:
/// `ID: BOUNCE: DSN: …`, and the same with `return to sender` and `postmaster notify` (savemail.c).
struct NotificationText: Equatable {
    var message: String
    var bounce: String

    init?(_ text: Span<UInt8>) {
        let header = SyslogHeader(text)
        guard header.isPresent, text.count - header.textStart < 2_048 else { return nil }
        let words = String(
            decoding: text.extracting(header.textStart..<text.count).copied,
            as: UTF8.self
        ).split(separator: " ")
        if text.has("sendmail", at: header.tag.lowerBound)
            || text.has("sm-", at: header.tag.lowerBound)
        {
            let kinds = ["DSN:", "return", "postmaster"]
            guard words.count >= 3, words[0].hasSuffix(":"), words[1].hasSuffix(":"),
                kinds.contains(String(words[2]))
            else { return nil }
            message = String(words[0].dropLast())
            bounce = String(words[1].dropLast())
            return
        }
        guard header.tag.count >= 7, text.has("/bounce", at: header.tag.upperBound - 7) else {
            return nil
        }
        // The ID, `sender`, one to three words, `notification:`, and the other ID.
        guard words.count >= 5, words.count <= 6, words[0].hasSuffix(":"), words[1] == "sender",
            words[words.count - 2] == "notification:"
        else { return nil }
        message = String(words[0].dropLast())
        bounce = String(words[words.count - 1])
    }
}

/// What Exim says of a bounce that it made: `<= <> R=ID …`, where ID is the message that it is about
/// (receive.c; `R=` stands right behind the sender).
enum EximBounce {
    static func subject(_ fact: LineFact, _ text: Span<UInt8>) -> String? {
        let start = fact.queueID.indices.upperBound
        guard fact.dialect == .exim, text.has(" <= <> R=", at: start) else { return nil }
        let first = start + 9
        var end = first
        while end < text.count, text[end] != UInt8(ascii: " ") { end += 1 }
        return String(decoding: text.extracting(first..<end).copied, as: UTF8.self)
    }
}

/// Words to be found in many lines: queue IDs.
struct TokenSet: Sendable {
    private var hashes: [UInt64: String] = [:]
    /// Bit n: one of the words has n bytes.
    private var lengths: UInt64 = 0
    private var hasDash = false

    init(_ words: Set<String>) {
        for word in words where (5...63).contains(word.utf8.count) {
            hashes[Self.hash(Array(word.utf8).span, 0..<word.utf8.count)] = word
            lengths |= 1 << UInt64(word.utf8.count)
            if word.contains("-") { hasDash = true }
        }
    }

    /// The first of the words that stands in a part of the line, neither letter nor digit beside it.
    func firstToken(in text: Span<UInt8>, _ range: Range<Int>) -> String? {
        guard lengths != 0 else { return nil }
        var index = range.lowerBound
        while index < range.upperBound {
            while index < range.upperBound, !isPart(text[index]) { index += 1 }
            let start = index
            while index < range.upperBound, isPart(text[index]) { index += 1 }
            let count = index - start
            guard count < 64, lengths & 1 << UInt64(count) != 0 else { continue }
            let found = hashes[Self.hash(text, start..<index)]
            if let found, Array(found.utf8) == text.extracting(start..<index).copied {
                return found
            }
        }
        return nil
    }

    private func isPart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "-"): hasDash
        default: false
        }
    }

    private static func hash(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in range { hash = (hash ^ UInt64(text[index])) &* 0x100_0000_01b3 }
        return hash
    }
}
