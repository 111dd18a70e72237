import MailEvents

@testable import MailLog

/// Finds out whose line it is and what it says, by regular expressions: a slow and obvious
/// ``LogScanner``.
enum ReferenceScanner {
    /// The ways to read a line; none if it says nothing of a message.
    ///
    /// - Throws: when there are more than anybody looks at.
    static func read(_ bytes: [UInt8]) throws -> [[Said]] {
        let text = LineText(bytes.last == 0x0d ? bytes.dropLast() : bytes)
        if let stamp = ReferenceStamp.readExim(text) {
            return try ReferenceExim.read(text, stamp.end..<text.count)
                .map { $0.map { $0.stamped(stamp.stamp, host: nil) } }
        }
        guard let head = ReferenceHead.read(text) else { return [] }
        let tag = text.string(head.tag)
        var ways: [[Said]] = []
        if tag == "exim" || tag == "exim4" {
            if let part = ReferenceExim.readPart(text, head.text) {
                return [[part.stamped(head.stamp.stamp, host: head.host)]]
            }
            // By syslog its own stamp comes too, unless `syslog_timestamp` is off.
            let own = ReferenceStamp.readExim(text, from: head.text.lowerBound)?.end
            ways = try ReferenceExim.read(text, (own ?? head.text.lowerBound)..<text.count)
        } else if tag == "sendmail" || tag.hasPrefix("sm-") && !tag.contains("/") {
            let said = ReferenceSendmail.read(text, head.text)
            ways = said.isEmpty ? [] : [said]
        } else if tag == "smtpd", case let said = ReferenceOpenSMTPD.read(text, head.text),
            !said.isEmpty
        {
            ways = [said]
        } else if let agent = postfixAgent(tag) {
            let said = ReferencePostfix.read(
                text,
                head.text,
                agent,
                hasProcess: !head.process.isEmpty
            )
            ways = said.isEmpty ? [] : [said]
        }
        return ways.map { way in
            way.map { said in
                // A login is a session's, not a message's.
                said.stamped(head.stamp.stamp, host: said.kind == .login ? nil : head.host)
            }
        }
    }

    /// master(5): the last part of the tag is the command's name, and what stands before it is
    /// anything (`syslog_name`). Nil: it is another program's.
    private static func postfixAgent(_ tag: String) -> LineFact.Agent? {
        let parts = tag.split(separator: "/", omittingEmptySubsequences: false)
        let isBare = parts.count == 1
        switch parts.last ?? "" {
        case "smtpd": return .smtpd
        case "cleanup": return .cleanup
        case "qmgr", "oqmgr", "nqmgr": return .queueManager
        case "smtp": return .smtp
        case "lmtp": return .lmtp
        case "local", "virtual", "pipe": return .mailbox
        case "dovecot" where !isBare: return .mailbox
        case "error", "bounce": return .error
        case "retry" where !isBare: return .error
        case "discard": return .discard
        case "postsuper": return .operator
        case "pickup": return .pickup
        case "MailScanner" where isBare: return .operator
        default: return !isBare && tag.hasPrefix("postfix") ? .other : nil
        }
    }
}
