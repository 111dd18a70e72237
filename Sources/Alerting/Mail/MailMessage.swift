import Findings
import SafeText

/// An alert as a message (RFC 5322): the same bytes for the same alert, whenever it is sent.
///
/// Its subject begins with our name, so that it has the prefix of no receipt and can be the payload of
/// none; `Auto-Submitted` (RFC 3834) and `X-Postern` tell machines what it is.
struct MailMessage {
    var from: String
    var to: [String]
    /// This host, for the Message-ID and the text.
    var host: String
    /// For the user, by the diagnosis: to be forwarded.
    var letters: [String: String]

    /// Bytes of the text before its encoding.
    static let textBytesMax = 262_144

    func bytes(_ facts: AlertFacts) -> [UInt8] {
        var lines: [String] = []
        lines.append("Date: " + Self.date(facts.time))
        lines.append("From: Postern <\(from)>")
        lines.append("To: " + to.map { "<\($0)>" }.joined(separator: ",\r\n "))
        lines.append("Subject: " + Self.folded(subject(facts)))
        let id = messageID(facts, facts.sequence)
        lines.append("Message-ID: " + id)
        if facts.sequence > 0 {
            let first = messageID(facts, 0)
            lines.append("In-Reply-To: " + first)
            lines.append("References: " + first)
        }
        lines.append("Auto-Submitted: auto-generated")
        // Exchange's out-of-office answers ask for it (MS-OXCMAIL 2.2.3.2.14).
        lines.append("X-Auto-Response-Suppress: All")
        lines.append("X-Postern: \(Self.word(facts.id)).\(facts.sequence)")
        lines.append("MIME-Version: 1.0")
        let text = Array(text(facts).utf8.prefix(Self.textBytesMax))
        if let page = facts.reportPage {
            lines.append("Content-Type: multipart/mixed; boundary=\"\(Self.boundary)\"")
            lines += ["", "--" + Self.boundary]
            Self.part(["text/plain; charset=utf-8"], text, to: &lines)
            lines.append("--" + Self.boundary)
            let name = "postern-\(Self.word(String((facts.end ?? facts.time).prefix(10)))).html"
            Self.part(
                ["text/html; charset=utf-8", "attachment; filename=\"\(name)\""],
                Array(page.utf8),
                to: &lines
            )
            lines.append("--" + Self.boundary + "--")
        } else {
            Self.part(["text/plain; charset=utf-8"], text, to: &lines)
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    }

    /// `_` is no character of base64, so that no part can have it.
    private static let boundary = "=_postern_report"

    /// - Parameter kind: Content-Type, and Content-Disposition if it has one.
    private static func part(_ kind: [String], _ bytes: [UInt8], to lines: inout [String]) {
        lines.append("Content-Type: " + kind[0])
        if kind.count > 1 { lines.append("Content-Disposition: " + kind[1]) }
        lines.append("Content-Transfer-Encoding: base64")
        lines.append("")
        // 57 bytes are the 76 characters of a line (RFC 2045 §6.8).
        for start in stride(from: 0, to: bytes.count, by: 57) {
            lines.append(base64Text(Array(bytes[start..<min(start + 57, bytes.count)])))
        }
    }

    private func messageID(_ facts: AlertFacts, _ sequence: Int64) -> String {
        "<\(Self.word(facts.id)).\(sequence)@postern.\(Self.word(host))>"
    }

    /// What of a name may stand in a header without quotes.
    private static func word(_ name: String) -> String {
        let bytes = name.utf8.prefix(128).map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
                byte
            default: UInt8(ascii: "_")
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `Postern: high, alice@example.com, receipt_burst opened`
    private func subject(_ facts: AlertFacts) -> String {
        if facts.reportText != nil { return "Postern: " + shown(facts.message, bytesMax: 160) }
        let what =
            facts.digest.isEmpty
            ? [facts.account, "\(facts.rule) \(facts.action)"].compactMap(\.self)
                .joined(separator: ", ")
            : "\(facts.count ?? facts.digest.count) alerts"
        return "Postern: \(facts.level.name), " + shown(what, bytesMax: 160)
    }

    private func text(_ facts: AlertFacts) -> String {
        if let text = facts.reportText {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            return lines.joined(separator: "\r\n")
                + "\r\n-- \r\nPostern on \(shown(host)) watches this mail server's log and sent this by itself."
                + "\r\nThe page that is attached has the same with pictures.\r\n"
        }
        let body = AlertText(isColoured: false, width: 76, evidenceFolder: nil).render(facts)
        var text = body.split(separator: "\n", omittingEmptySubsequences: false)
            .joined(separator: "\r\n")
        if !facts.isResolved, let diagnosis = facts.diagnosis, let letter = letters[diagnosis] {
            let lines = letter.split(separator: "\n", omittingEmptySubsequences: false)
            text += "\r\nFor the user, to forward:\r\n\r\n" + lines.joined(separator: "\r\n")
        }
        return text
            + "\r\n-- \r\nPostern on \(shown(host)) watches this mail server's log and sent this by itself."
            + "\r\n`postern alerts show \(shown(facts.id))` tells all of it.\r\n"
    }

    /// Text for a header: encoded words (RFC 2047) of at most 75 characters where it is not ASCII, and
    /// a line for each 75.
    static func folded(_ text: String) -> String {
        if text.utf8.allSatisfy({ 0x20...0x7e ~= $0 }), !text.contains("=?") {
            var lines: [String] = []
            var line = ""
            for word in text.split(separator: " ", omittingEmptySubsequences: true) {
                if !line.isEmpty, line.utf8.count + word.utf8.count > 70 {
                    lines.append(line)
                    line = ""
                }
                line += (line.isEmpty ? "" : " ") + word
            }
            return (lines + [line]).joined(separator: "\r\n ")
        }
        var words: [String] = []
        var part: [UInt8] = []
        for scalar in text.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            // 45 bytes are 60 characters, and 12 around them.
            if part.count + bytes.count > 45 {
                words.append("=?utf-8?B?" + base64Text(part) + "?=")
                part = []
            }
            part += bytes
        }
        return (words + ["=?utf-8?B?" + base64Text(part) + "?="]).joined(separator: "\r\n ")
    }

    /// `Sun, 01 Mar 2026 10:04:10 +0000` of RFC 3339.
    static func date(_ time: String) -> String {
        let microseconds = parseRFC3339(time) ?? 0
        let (days, ofDay) = floorDivide(
            floorDivide(microseconds, by: 1_000_000).quotient,
            by: 86_400
        )
        let date = civilDate(daysSince1970: Int(days))
        let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let name = names[Int(floorDivide(days, by: 7).remainder)]
        return "\(name), \(two(Int64(date.day))) \(months[date.month - 1]) \(date.year) "
            + two(ofDay / 3_600) + ":" + two(ofDay / 60 % 60) + ":" + two(ofDay % 60) + " +0000"
    }
}
