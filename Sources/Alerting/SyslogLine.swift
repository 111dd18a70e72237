import Findings
import SafeText

/// An alert as one syslog message, in the form that glibc's syslog(3) writes to `/dev/log`:
/// `<PRI>Mmm dd hh:mm:ss TAG[PID]: text` (misc/syslog.c, `__vsyslog_internal`; RFC 3164 §4.1 without
/// the host name, which the receiver knows).
struct SyslogLine {
    /// Our own tag; every dialect passes over it.
    static let tag = "postern"
    /// rsyslog takes messages of 8 KiB unless told otherwise (`maxMessageSize`, rsyslog.conf(5)).
    static let bytesMax = 8_192
    /// What RFC 3164 §4.1 asks every receiver to take: for one that refuses more.
    static let bytesMin = 1_024
    /// Bytes of one value in the fields; the rest is cut.
    static let valueBytesMax = 256

    var facility: Int
    var processID: Int32

    /// The whole datagram.
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
        let head =
            "<\(facility * 8 + priority(facts))>"
            + Self.stamp(nowMicroseconds: nowMicroseconds, secondsEast: secondsEast)
            + " \(Self.tag)[\(processID)]: "
            + Self.word(facts.action, bytesMax: 16) + " "
            + Self.word(facts.rule, bytesMax: 128) + ": "
        // With short values when there is little room: the head, the names and these fit into 1 KiB.
        let valueMax = bytesMax < Self.bytesMax ? 48 : Self.valueBytesMax
        let fields = Self.fields(facts, valueBytesMax: valueMax)
        let room = bytesMax - head.utf8.count - fields.utf8.count
        if let sentence = shownWhole(facts.message, bytesMax: room) {
            return Array((head + sentence + fields).utf8)
        }
        let flag = " postern.shortened=true"
        let cut = shown(facts.message, bytesMax: max(3, room - flag.utf8.count))
        return Array((head + cut + fields + flag).utf8)
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

    private static func fields(_ facts: AlertFacts, valueBytesMax: Int) -> String {
        var text = ""
        func add(_ name: String, _ value: String?) {
            guard let value else { return }
            text += " " + name + "=" + quoted(value, bytesMax: valueBytesMax)
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
        return text
    }

    /// A value as it is, or in quotes with `"` as `\"` when it is not one plain word.
    private static func quoted(_ value: String, bytesMax: Int) -> String {
        if !value.isEmpty, value.utf8.count <= bytesMax, value.utf8.allSatisfy(isPlain) {
            return value
        }
        // Quotes count twice, and there may be nothing else.
        let text = shown(value, bytesMax: bytesMax)
        return "\""
            + text.split(separator: "\"", omittingEmptySubsequences: false)
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
