import MailEvents

@testable import MailLog

/// What stands before a program's own text, as RFC 3164, RFC 3339 and RFC 5424 say and as syslog
/// daemons, relays and containers write it.
struct ReferenceHead {
    var stamp: ReferenceStamp
    var host: Range<Int>
    var tag: Range<Int>
    /// What stands in brackets behind the tag.
    var process: String
    /// The program's own text.
    var text: Range<Int>

    private static let priority = Pattern(#"\A<(?<number>[0-9]{1,3})>"#)
    private static let structured = Pattern(
        #"\A(?<host>[^ ]+) (?<app>[^ ]+) (?<process>[^ ]+) [^ ]+ "#
            + #"(?:-|(?:\[[^ \]"=]+(?: [^ \]"=]+="(?:[^"\\]|\\.)*+")*\])+)(?: |\z)(?:\xef\xbb\xbf)?"#
    )
    private static let container = Pattern(#"\A(?:stdout|stderr) F "#)
    private static let facility =
        "(?:kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|ntp|security|console"
        + "|local[0-7]|[0-9]{1,2})"
    private static let severity =
        "(?:emerg|panic|alert|crit|err|error|warning|warn|notice|info|debug|[0-7])"
    private static let verbose = Pattern(#"\A<"# + facility + #"\."# + severity + "> +")
    private static let named = Pattern(#"\A(?<host>[^ ]+) +"#)
    private static let level = Pattern(#"\A"# + facility + #"\."# + severity + " +")
    private static let tagged = Pattern(
        #"\A(?<tag>[^ \[:]+)(?:\[(?<process>[^\]]*)\])?: (?:\[ID [0-9]+ [a-z0-9]+\.[a-z0-9]+\] )?"#
    )

    /// The head of a line from `start` on; nil if there is none.
    static func read(_ text: LineText, from start: Int = 0, depth: Int = 0) -> ReferenceHead? {
        guard depth < 4 else { return nil }
        func rest(_ place: Int) -> Range<Int> { place..<text.count }
        var place = start
        if let match = priority.match(text, rest(place)), match.number("number") <= 191 {
            place = match.whole.upperBound
        }
        if let match = Pattern(#"\A1 "#).match(text, rest(place)) {
            return readStructured(text, from: match.whole.upperBound)
        }
        guard let stamp = ReferenceStamp.read(text, from: place),
            let blank = Pattern(#"\A +"#).match(text, rest(stamp.end))
        else { return nil }
        place = blank.whole.upperBound
        if let match = container.match(text, rest(place)) { place = match.whole.upperBound }
        if let inner = read(text, from: place, depth: depth + 1) { return inner.within(stamp) }
        if place != blank.whole.upperBound { return nil }
        if let match = verbose.match(text, rest(place)) { place = match.whole.upperBound }
        guard let host = named.match(text, rest(place)) else { return nil }
        place = host.whole.upperBound
        if let inner = read(text, from: place, depth: depth + 1) { return inner.within(stamp) }
        if let match = level.match(text, rest(place)) { place = match.whole.upperBound }
        guard let tag = tagged.match(text, rest(place)), let name = tag["tag"],
            let hostName = host["host"], tag.whole.upperBound < text.count
        else { return nil }
        return ReferenceHead(
            stamp: stamp,
            host: hostName,
            tag: name,
            process: tag.text("process"),
            text: rest(tag.whole.upperBound)
        )
    }

    private static func readStructured(_ text: LineText, from start: Int) -> ReferenceHead? {
        guard let stamp = ReferenceStamp.read(text, from: start), !stamp.isYearless,
            let blank = Pattern(#"\A "#).match(text, stamp.end..<text.count),
            let match = structured.match(text, blank.whole.upperBound..<text.count),
            let host = match["host"], let app = match["app"]
        else { return nil }
        let message = match.whole.upperBound..<text.count
        if text.string(app) == "-" {
            guard let tag = tagged.match(text, message), let name = tag["tag"] else { return nil }
            return ReferenceHead(
                stamp: stamp,
                host: host,
                tag: name,
                process: tag.text("process"),
                text: tag.whole.upperBound..<text.count
            )
        }
        return message.isEmpty
            ? nil
            : ReferenceHead(
                stamp: stamp,
                host: host,
                tag: app,
                process: match.text("process"),
                text: message
            )
    }

    /// The stamp of an outer head counts if it says more.
    private func within(_ outer: ReferenceStamp) -> ReferenceHead {
        var head = self
        if outer.rank > stamp.rank { head.stamp = outer }
        return head
    }
}

/// A time stamp of any form that servers write.
struct ReferenceStamp {
    var stamp: Stamp
    var end: Int
    /// How much it says: 0 without year and zone, 1 with the year, 2 with both.
    var rank: Int
    var isYearless: Bool { rank == 0 }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let month = "(?<month>\(months.joined(separator: "|")))"
    private static let time =
        "(?<hour>[0-9][0-9]):(?<minute>[0-9][0-9]):(?<second>[0-9][0-9])"
        + "(?:[.,](?<fraction>[0-9]{1,9}))?"
    private static let forms: [Pattern] = [
        // RFC 3164, 4.1.2; syslog-ng; journalctl -o short-precise
        Pattern(#"\A"# + month + " (?<day> ?[0-9]{1,2}) (?:(?<year>[0-9]{4}) )?" + time),
        // syslog-ng's ts-format(full)
        Pattern(#"\A(?<year>[0-9]{4}) "# + month + " (?<day> ?[0-9]{1,2}) " + time),
        // RFC 3339, 5.6; journalctl -o short-iso
        Pattern(
            #"\A(?<year>[0-9]{4})-(?<number>[0-9][0-9])-(?<day>[0-9][0-9])[Tt]"# + time
                + "(?:(?<zulu>[Zz])|(?<sign>[+-])(?<hours>[0-9][0-9]):?(?<minutes>[0-9][0-9]))?"
        ),
    ]

    static func read(_ text: LineText, from start: Int) -> ReferenceStamp? {
        for form in forms {
            guard let match = form.match(text, start..<text.count) else { continue }
            return read(match)
        }
        return nil
    }

    /// Exim's own (tod.c, `tod_log`): of the log's zone, unless it names one.
    private static let exim = Pattern(
        #"\A(?<year>[0-9]{4})-(?<number>[0-9][0-9])-(?<day>[0-9][0-9]) "#
            + "(?<hour>[0-9][0-9]):(?<minute>[0-9][0-9]):(?<second>[0-9][0-9])"
            + #"(?:\.(?<fraction>[0-9]{1,6}))?"#
            + "(?: (?<sign>[+-])(?<hours>[0-9][0-9])(?<minutes>[0-9][0-9]))? "
    )

    static func readExim(_ text: LineText, from start: Int = 0) -> ReferenceStamp? {
        exim.match(text, start..<text.count).flatMap { read($0) }
    }

    private static func read(_ match: Pattern.Match) -> ReferenceStamp? {
        let end = match.whole.upperBound
        let year = match.number("year")
        let month =
            match["number"] == nil
            ? (months.firstIndex(of: match.text("month")) ?? 0) + 1 : match.number("number")
        let day = match.number("day")
        // Without a year, February has 29 days.
        guard isDate(match["year"] == nil ? 2000 : year, month, day), let second = second(match)
        else { return nil }
        if match["year"] == nil {
            let stamp = Stamp(month: month, day: day, secondOfDay: second)
            return ReferenceStamp(stamp: stamp, end: end, rank: 0)
        }
        let (hours, minutes) = (match.number("hours"), match.number("minutes"))
        guard year >= 1970, hours < 24, minutes < 60 else { return nil }
        let days =
            (1970..<year).reduce(0) { $0 + daysOfMonths($1).reduce(0, +) }
            + daysOfMonths(year)[..<(month - 1)].reduce(0, +) + day - 1
        let offset = (hours * 3_600 + minutes * 60) * (match.text("sign") == "-" ? -1 : 1)
        let microseconds = Int((match.text("fraction") + "000000").prefix(6)) ?? 0
        let moment = Int64((days * 86_400 + second - offset) * 1_000_000 + microseconds)
        let hasZone = match["sign"] != nil || match["zulu"] != nil
        return ReferenceStamp(
            stamp: hasZone ? Stamp(microseconds: moment) : Stamp(localMicroseconds: moment),
            end: end,
            rank: hasZone ? 2 : 1
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
