import Foundation
import MailEvents

@testable import MailLog

/// Finds out whose line it is and what it says, by regular expressions: a slow and obvious
/// ``LogScanner``.
enum ReferenceScanner {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    // RFC 3164, 4.1.2
    private static let traditional = Pattern(
        "\\A(?<month>\(months.joined(separator: "|"))) (?<day>[ 0-9][0-9]) "
            + "(?<hour>[0-9][0-9]):(?<minute>[0-9][0-9]):(?<second>[0-9][0-9]) "
    )
    // RFC 3339, 5.6
    private static let complete = Pattern(
        "\\A(?<year>[0-9]{4})-(?<month>[0-9][0-9])-(?<day>[0-9][0-9])T"
            + "(?<hour>[0-9][0-9]):(?<minute>[0-9][0-9]):(?<second>[0-9][0-9])"
            + "(?:[.,](?<fraction>[0-9]{1,9}))?"
            + "(?:[Zz]|(?<sign>[+-])(?<hours>[0-9][0-9]):(?<minutes>[0-9][0-9])) "
    )
    private static let header = Pattern(
        #"\A(?<host>[^ ]+) (?<tag>[^ \[:]+)(?:\[(?<pid>[0-9]*)\])?: (?<rest>.+)\z"#
    )

    /// What a line says; nothing if it says nothing of a message.
    static func read(_ bytes: [UInt8]) -> [Said] {
        let text = LineText(bytes.last == 0x0d ? bytes.dropLast() : bytes)
        guard let (stamp, end) = stamp(text) else { return [] }
        guard let found = header.match(text, end..<text.count), let tag = found["tag"],
            let rest = found["rest"]
        else { return [] }
        var said: [Said] = []
        let name = text.string(tag)
        if name.contains("/") || name == "smtpd" {
            said = ReferencePostfix.read(text, rest, postfixAgent(name))
        }
        for index in said.indices {
            said[index].stamp = stamp
            said[index].host = found["host"]
            if said[index].dialect == .postfix { said[index].agent = postfixAgent(name) }
        }
        return said
    }

    /// master(5): the last part of the tag is the command's name.
    private static func postfixAgent(_ tag: String) -> LineFact.Agent {
        switch tag.split(separator: "/", omittingEmptySubsequences: false).last ?? "" {
        case "smtpd": .smtpd
        case "cleanup": .cleanup
        case "qmgr", "oqmgr", "nqmgr": .queueManager
        case "smtp": .smtp
        case "lmtp": .lmtp
        case "local", "virtual", "pipe", "dovecot": .mailbox
        case "error", "retry", "bounce": .error
        case "discard": .discard
        case "postsuper": .operator
        case "pickup": .pickup
        default: .other
        }
    }

    private static func stamp(_ text: LineText) -> (Stamp, end: Int)? {
        if let match = traditional.match(text) {
            let month = (months.firstIndex(of: match.text("month")) ?? 0) + 1
            let day = match.number("day")
            // The year is not known: February has 29 days.
            guard isDate(2000, month, day), let second = second(match) else { return nil }
            return (Stamp(month: month, day: day, secondOfDay: second), match.whole.upperBound)
        }
        guard let match = complete.match(text) else { return nil }
        let (year, month, day) = (match.number("year"), match.number("month"), match.number("day"))
        let (hours, minutes) = (match.number("hours"), match.number("minutes"))
        guard year >= 1970, isDate(year, month, day), let second = second(match), hours < 24,
            minutes < 60
        else { return nil }
        let days =
            (1970..<year).reduce(0) { $0 + daysOfMonths($1).reduce(0, +) }
            + daysOfMonths(year)[..<(month - 1)].reduce(0, +) + day - 1
        let offset = (hours * 3_600 + minutes * 60) * (match.text("sign") == "-" ? -1 : 1)
        let microseconds = Int((match.text("fraction") + "000000").prefix(6)) ?? 0
        return (
            Stamp(
                microseconds: Int64((days * 86_400 + second - offset) * 1_000_000 + microseconds)
            ),
            match.whole.upperBound
        )
    }

    private static func daysOfMonths(_ year: Int) -> [Int] {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    }

    private static func isDate(_ year: Int, _ month: Int, _ day: Int) -> Bool {
        (1...12).contains(month) && (1...daysOfMonths(year)[month - 1]).contains(day)
    }

    /// The second of the day; a leap second is the next one.
    private static func second(_ match: Pattern.Match) -> Int? {
        let (hour, minute) = (match.number("hour"), match.number("minute"))
        let second = match.number("second")
        guard hour < 24, minute < 60, second <= 60 else { return nil }
        return hour * 3_600 + minute * 60 + second
    }
}
