import Findings
import SafeText

/// The form of a syslog message.
public enum SyslogFormat: Sendable, Hashable, CaseIterable {
    /// `<PRI>Mmm dd hh:mm:ss HOST TAG[PID]: text` (RFC 3164 §4.1).
    case rfc3164
    /// `<PRI>1 TIME HOST postern PID ACTION [postern@32473 …] text` (RFC 5424 §6), the text marked as
    /// UTF-8 by a BOM.
    case rfc5424
}

/// An alert as one syslog message.
///
/// To `/dev/log` it goes in the form that glibc's syslog(3) writes: `<PRI>Mmm dd hh:mm:ss TAG[PID]: text`
/// (misc/syslog.c, `__vsyslog_internal`; RFC 3164 §4.1 without the host name, which the receiver
/// knows).
struct SyslogLine {
    /// Our own tag; every dialect passes over it.
    static let tag = "postern"
    /// rsyslog takes messages of 8,096 bytes unless told otherwise (`maxMessageSize`; seen with 8.2302,
    /// which cuts a longer datagram and gives up a stream).
    static let bytesMax = 8_000
    /// What RFC 3164 §4.1 asks every receiver to take: for one that refuses more.
    static let bytesMin = 1_024
    /// "receivers SHOULD be able to accept messages of up to and including 2048 octets" (RFC 5424 §6.1,
    /// RFC 5426 §3.2): more may be lost on the way of a datagram, and nobody would know.
    static let bytesMaxOfUDP = 2_048
    /// Bytes of one value in the fields; the rest is cut.
    static let valueBytesMax = 256
    /// SD-ID of our structured data. The number is the one that IANA keeps for examples (RFC 5612):
    /// Postern has none of its own.
    static let structuredDataID = "postern@32473"

    var facility: Int
    var processID: Int32
    var format = SyslogFormat.rfc3164
    /// This host; nil: not named, as to a daemon of this host.
    var host: String?

    /// The whole message, without the framing of a stream.
    ///
    /// When it would be longer than `bytesMax`, the sentence is shortened, `postern.shortened` says
    /// so, and the bundle, which has all, is still named.
    ///
    /// - Parameters:
    ///   - nowMicroseconds: when it is sent, µs since 1970.
    ///   - secondsEast: of the machine's zone at that moment.
    ///   - bytesMax: at least ``bytesMin``.
    func datagram(
        _ facts: AlertFacts,
        nowMicroseconds: Int64,
        secondsEast: Int,
        bytesMax: Int
    ) -> [UInt8] {
        precondition(bytesMax >= Self.bytesMin)
        // With short values when there is little room: the head, the names and these fit into 1 KiB.
        let valueMax =
            bytesMax >= Self.bytesMax
            ? Self.valueBytesMax : bytesMax >= Self.bytesMaxOfUDP ? 128 : 48
        let fields = Self.fields(facts, valueBytesMax: valueMax)
        switch format {
        case .rfc3164:
            let head =
                "<\(facility * 8 + priority(facts))>"
                + Self.stamp(nowMicroseconds: nowMicroseconds, secondsEast: secondsEast) + " "
                + (host.map { Self.hostWord($0) + " " } ?? "") + "\(Self.tag)[\(processID)]: "
                + Self.summary(facts)
            let tail = Self.words(fields)
            return message(facts, bytesMax, head: head, tail: tail, cutTail: tail + Self.cutWords)
        case .rfc5424:
            let start =
                "<\(facility * 8 + priority(facts))>1 " + rfc3339(microseconds: nowMicroseconds)
                + " \(host.map { Self.hostWord($0) } ?? "-") \(Self.tag) \(processID) "
                + Self.word(facts.action, bytesMax: 32) + " "
            let text = " \u{FEFF}" + Self.summary(facts)
            return message(
                facts,
                bytesMax,
                head: start + Self.element(fields) + text,
                cutHead: start + Self.element(fields + [("postern.shortened", "true")]) + text
            )
        }
    }

    private static let cutWords = " postern.shortened=true"

    /// Head, sentence and tail; where the whole sentence has no room, a part of it between the other
    /// two.
    private func message(
        _ facts: AlertFacts,
        _ bytesMax: Int,
        head: String,
        cutHead: String? = nil,
        tail: String = "",
        cutTail: String = ""
    ) -> [UInt8] {
        let room = bytesMax - head.utf8.count - tail.utf8.count
        if let sentence = shownWhole(facts.message, bytesMax: room) {
            return Array((head + sentence + tail).utf8)
        }
        let head = cutHead ?? head
        let cutRoom = bytesMax - head.utf8.count - cutTail.utf8.count
        let cut = shown(facts.message, bytesMax: max(3, cutRoom))
        return Array((head + cut + cutTail).utf8)
    }

    /// `opened receipt_burst: `
    private static func summary(_ facts: AlertFacts) -> String {
        word(facts.action, bytesMax: 16) + " " + word(facts.rule, bytesMax: 128) + ": "
    }

    /// HOSTNAME: visible ASCII (RFC 5424 §6), of which names of hosts have few characters.
    private static func hostWord(_ host: String) -> String {
        host.isEmpty ? "-" : word(host, bytesMax: 64)
    }

    /// syslog's severity (RFC 3164 §4.1.1). The end of an alert wakes nobody.
    private func priority(_ facts: AlertFacts) -> Int {
        if facts.isResolved { return 5 }  // notice
        return switch facts.level {
        case .critical: 2  // critical
        case .high: 3  // error
        case .medium: 4  // warning
        case .low: 5  // notice
        case .informational: 6  // informational
        }
    }

    private static func fields(
        _ facts: AlertFacts,
        valueBytesMax: Int
    ) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        func add(_ name: String, _ value: String?) {
            guard let value else { return }
            fields.append((name, shown(value, bytesMax: valueBytesMax)))
        }
        add("event.id", facts.id)
        add("event.sequence", String(facts.sequence))
        add("event.severity", String(facts.severity))
        add("@timestamp", facts.time)
        add("user.name", facts.account)
        add("postern.diagnosis", facts.diagnosis)
        add("postern.count", facts.count.map { String($0) })
        if !facts.degraded.isEmpty {
            add("postern.degraded", facts.degraded.joined(separator: "; "))
        }
        add("postern.evidence", facts.bundle)
        return fields
    }

    /// ` name=value name="a value"`
    private static func words(_ fields: [(name: String, value: String)]) -> String {
        fields.map { " \($0.name)=" + quoted($0.value) }.joined()
    }

    /// One SD-ELEMENT. In a PARAM-VALUE `"`, `\` and `]` stand behind a backslash (RFC 5424 §6.3.3).
    private static func element(_ fields: [(name: String, value: String)]) -> String {
        let parameters = fields.map { name, value in
            var escaped = ""
            for scalar in value.unicodeScalars {
                if scalar == "\"" || scalar == "\\" || scalar == "]" { escaped += "\\" }
                escaped.unicodeScalars.append(scalar)
            }
            return " \(name)=\"\(escaped)\""
        }
        return "[" + structuredDataID + parameters.joined() + "]"
    }

    /// A value that is safe to show, as it is, or in quotes with `"` as `\"` when it is not one plain
    /// word.
    private static func quoted(_ value: String) -> String {
        if !value.isEmpty, value.utf8.allSatisfy(isPlain) { return value }
        return "\""
            + value.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\\\"") + "\""
    }

    /// A name that is one word: what is not plain in it becomes `_`.
    private static func word(_ name: String, bytesMax: Int) -> String {
        let bytes = name.utf8.prefix(bytesMax).map { isPlain($0) ? $0 : UInt8(ascii: "_") }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "._:@/+-".utf8.contains(byte)
        }
    }

    /// `Mar  1 10:00:00`, the day padded with a blank.
    static func stamp(nowMicroseconds: Int64, secondsEast: Int) -> String {
        let local = floorDivide(nowMicroseconds, by: 1_000_000).quotient + Int64(secondsEast)
        let (days, ofDay) = floorDivide(local, by: 86_400)
        let date = civilDate(daysSince1970: Int(days))
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return months[date.month - 1] + (date.day < 10 ? "  " : " ") + "\(date.day) "
            + two(ofDay / 3_600) + ":" + two(ofDay / 60 % 60) + ":" + two(ofDay % 60)
    }
}
