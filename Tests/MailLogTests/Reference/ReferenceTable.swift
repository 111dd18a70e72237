import MailEvents

@testable import MailLog

/// Exchange's message tracking log and Microsoft 365's message traces, as "Message tracking", "Message
/// trace in the Exchange admin center" and "Get-MessageTraceV2" describe them, by regular expressions.
/// The head of a table is remembered, and that a field goes on in the next line.
struct ReferenceTable {
    private enum Style { case tracking, summary, trace }

    private var columns: [String: Int] = [:]
    private var count = 0
    private var style = Style.tracking
    private var dialect = Dialect.exchange
    private var time = ReferenceTableTime()
    /// Lines that may still belong to a field between quotes.
    private var openLines = 0
    /// The row that is read: its fields without the quotes around them.
    private var fields: [Range<Int>] = []

    // RFC 4180, 2
    private static let quoted = #""(?:[^"]|"")*+""#
    private static let field = "(?:" + quoted + #"|[^",]*+)"#
    private static let row = Pattern(#"\A"# + field + "(?:," + field + #")*+\z"#)
    private static let open = Pattern(#"\A(?:"# + field + #",)*+"(?:[^"]|"")*+\z"#)
    private static let one = Pattern(#"\G(?<field>"# + field + #")(?:,|\z)"#)

    private static let aliases = [
        "datetimeutc": "datetime", "origintimestamp": "datetime", "origintimestamputc": "datetime",
        "received": "datetime", "receiveddatetime": "datetime",
        "messagetraceid": "networkmessageid",
        "subject": "messagesubject",
    ]

    /// What a line says.
    mutating func read(_ bytes: [UInt8]) -> [Said] {
        let text = LineText(bytes.last == 0x0d ? bytes.dropLast() : bytes)
        let start = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        let range = start..<text.count
        if openLines > 0 {
            let quotes = bytes.filter { $0 == UInt8(ascii: "\"") }.count
            openLines = quotes % 2 == 1 ? 0 : openLines - 1
            return []
        }
        if let comment = Pattern(#"\A#(?:Fields: (?<names>.*))?"#).match(text, range) {
            if let names = comment["names"] { _ = readHead(text, names) }
            return []
        }
        if count > 0, dialect == .microsoft365, Self.open.match(text, range) != nil {
            // A subject has at most 256 characters.
            openLines = 256
            return []
        }
        guard let cut = Self.cut(text, range) else { return [] }
        guard count > 0, let place = columns["datetime"], place < cut.count,
            let stamp = time.read(text.string(cut[place]))
        else {
            _ = readHead(text, range)
            return []
        }
        guard cut.count == count else { return [] }
        fields = cut
        let said =
            switch style {
            case .tracking: readTracking(text)
            case .summary: readSummary(text)
            case .trace: readTrace(text)
            }
        return said.map { $0.stamped(stamp, host: $0.host) }
    }

    /// The fields of a row without the quotes around them; nil if it is none.
    private static func cut(_ text: LineText, _ range: Range<Int>) -> [Range<Int>]? {
        guard row.match(text, range) != nil else { return nil }
        var fields: [Range<Int>] = []
        for match in one.matches(text, range) {
            guard let field = match["field"] else { continue }
            let isQuoted = !field.isEmpty && text.units[field.lowerBound] == UInt8(ascii: "\"")
            fields.append(isQuoted ? field.lowerBound + 1..<field.upperBound - 1 : field)
            if match.whole.upperBound == field.upperBound { break }
        }
        return fields
    }

    private mutating func readHead(_ text: LineText, _ range: Range<Int>) -> Bool {
        guard let names = Self.cut(text, range) else { return false }
        var found: [String: Int] = [:]
        for (index, name) in names.enumerated() {
            let plain = text.string(name).lowercased().filter { !"-_ ".contains($0) }
            let key = Self.aliases[plain] ?? plain
            if found[key] == nil { found[key] = index }
        }
        func has(_ keys: String...) -> Bool { keys.allSatisfy { found[$0] != nil } }
        if has("datetime", "source", "eventid", "recipientaddress", "senderaddress", "messageid") {
            style = .tracking
        } else if has(
            "datetime",
            "senderaddress",
            "recipientstatus",
            "directionality",
            "messageid"
        ) {
            style = .summary
        } else if has(
            "datetime",
            "senderaddress",
            "recipientaddress",
            "status",
            "fromip",
            "messageid"
        ) {
            style = .trace
        } else {
            return false
        }
        let isOfExchange = text.string(names[found["datetime"] ?? 0]).contains("-")
        dialect = style == .tracking && isOfExchange ? .exchange : .microsoft365
        columns = found
        count = names.count
        time = ReferenceTableTime()
        return true
    }

    // MARK: Fields

    private func field(_ name: String) -> Range<Int>? {
        guard let place = columns[name], !fields[place].isEmpty else { return nil }
        return fields[place]
    }

    private func string(_ text: LineText, _ name: String) -> String {
        field(name).map(text.string) ?? ""
    }

    /// A field without doubled quotes.
    private func plain(_ text: LineText, _ name: String) -> Range<Int>? {
        field(name).flatMap { text.string($0).contains("\"") ? nil : $0 }
    }

    private static let address = Pattern(
        #"\A[^\x00-\x20\x7f<>;,"@][^\x00-\x20\x7f<>;,"@]*+@[^\x00-\x20\x7f<>;,"]++\z"#
    )
    private static let ip = Pattern(#"\A[0-9A-Fa-f.:%]{1,64}\z"#)
    private static let network = Pattern(#"\A(?![0-]*\z)[0-9A-Fa-f-]{32,36}\z"#)

    private func match(_ text: LineText, _ name: String, _ pattern: Pattern) -> Range<Int>? {
        plain(text, name).flatMap { pattern.match(text, $0) == nil ? nil : $0 }
    }

    private struct Member {
        var range: Range<Int>
        var hasDoubledQuotes: Bool
    }

    // A member with a semicolon or an apostrophe stands between apostrophes, which are doubled in it.
    private static let member = Pattern(
        #"\A(?:'(?<quoted>(?:[^']|'')*+)'|(?<bare>(?!')[^;]*+))(?<more>;|\z)"#
    )

    /// The members of a list, and whether it is whole.
    private static func members(_ text: LineText, _ list: Range<Int>) -> ([Member], isWhole: Bool) {
        var members: [Member] = []
        var place = list.lowerBound
        while let match = member.match(text, place..<list.upperBound) {
            if let range = match["quoted"] {
                let isDoubled = text.string(range).contains("''")
                members.append(Member(range: range, hasDoubledQuotes: isDoubled))
            } else if let range = match["bare"] {
                members.append(Member(range: range, hasDoubledQuotes: false))
            }
            guard match.text("more") == ";" else { return (members, true) }
            place = match.whole.upperBound
        }
        return (members, false)
    }

    // MARK: Rows

    private func said(_ kind: LineFact.Kind, _ id: Range<Int>?, _ a: Range<Int>? = nil) -> Said {
        var said = Said(kind, dialect)
        said.queueID = id
        said.a = a
        return said
    }

    private func delivery(
        _ member: Member,
        _ status: LineFact.Status,
        _ agent: LineFact.Agent,
        _ id: Range<Int>?
    ) -> Said {
        var said = said(.delivery, id, member.range)
        said.form = member.hasDoubledQuotes ? .listQuoted : .plain
        said.status = status
        said.agent = agent
        return said
    }

    private func texts(_ text: LineText, _ id: Range<Int>?) -> [Said] {
        var all: [Said] = []
        if let subject = field("messagesubject"), text.string(subject) != "[Undisclosed]" {
            var said = said(.subject, id, subject)
            said.form = text.string(subject).contains("\"") ? .tableQuoted : .plain
            all.append(said)
        }
        if let messageID = plain(text, "messageid") { all.append(said(.messageID, id, messageID)) }
        return all
    }

    private func recipient(_ member: Member, _ id: Range<Int>?) -> Said {
        var said = said(.recipient, id, member.range)
        said.form = member.hasDoubledQuotes ? .listQuoted : .plain
        return said
    }

    private func readTracking(_ text: LineText) -> [Said] {
        // On one server, where there is no ID that all have.
        var id = match(text, "networkmessageid", Self.network)
        if id == nil, plain(text, "messageid") != nil { id = plain(text, "internalmessageid") }
        guard let id, plain(text, "source") != nil else { return [] }
        let list = field("recipientaddress")
        func outcome(_ status: LineFact.Status, _ agent: LineFact.Agent) -> [Said] {
            guard let list = plain(text, "recipientaddress") else { return [] }
            return Self.members(text, list).0
                .filter { Self.address.match(text, $0.range) != nil }
                .map { delivery($0, status, agent, id) }
        }
        let isIncoming = string(text, "directionality") == "Incoming"
        switch string(text, "eventid") {
        case "RECEIVE": return readReceive(text, id, isIncoming)
        case "DELIVER", "DUPLICATEDELIVER": return outcome(.sent, .mailbox)
        case "SEND", "SENDEXTERNAL":
            let connector = string(text, "connectorid")
            let isInside = connector == "Intra-Organization SMTP Send Connector"
            return isIncoming || isInside ? [] : outcome(.sent, .smtp)
        case "FAIL":
            let isExpiry =
                string(text, "source") == "QUEUE"
                && Pattern(#"\A'?(?:\[\{LED=)?550 4\.4\.7 QUEUE\.Expired"#)
                    .match(text, field("recipientstatus") ?? 0..<0) != nil
            return outcome(isExpiry ? .expired : .bounced, .error)
        case "DEFER": return outcome(.deferred, .other)
        case "DROP": return outcome(.discarded, .discard)
        case "EXPAND":
            guard let group = match(text, "relatedrecipientaddress", Self.address) else {
                return []
            }
            var expanded = said(.expanded, id, group)
            expanded.d = plain(text, "recipientcount")
            return [expanded]
        case let event where event == "RESOLVE" || event == "REDIRECT":
            guard let one = match(text, "recipientaddress", Self.address),
                let other = match(text, "relatedrecipientaddress", Self.address), list != nil
            else { return [] }
            var redirected = said(.redirected, id, event == "RESOLVE" ? one : other)
            redirected.b = event == "RESOLVE" ? other : one
            return [redirected]
        default: return []
        }
    }

    /// A message that was written in a mailbox, or handed in with a login, is its sender's.
    private func readReceive(_ text: LineText, _ id: Range<Int>, _ isIncoming: Bool) -> [Said] {
        let source = string(text, "source")
        guard source == "STOREDRIVER" || source == "SMTP" else { return [] }
        let login = Pattern(#"\A0[67ab]I:"#)
        let isLogin = match(text, "messageinfo", login) != nil
        let sender = match(text, "senderaddress", Self.address)
        let isSubmission = sender != nil && !isIncoming && (source == "STOREDRIVER" || isLogin)
        var recipients: [Said] = []
        if isSubmission {
            guard let list = plain(text, "recipientaddress"),
                case let (members, isWhole) = Self.members(text, list), isWhole,
                members.allSatisfy({ Self.address.match(text, $0.range) != nil })
            else { return [] }
            recipients = members.map { recipient($0, id) }
        }
        var accepted = said(.accepted, id)
        accepted.d = plain(text, "recipientcount")
        if isSubmission {
            accepted.b = sender
            accepted.a = match(text, "originalclientip", Self.ip)
            if accepted.a == nil, source == "SMTP" {
                accepted.a = match(text, "clientip", Self.ip)
            }
        }
        var all = [accepted]
        if plain(text, "returnpath") != nil {
            all.append(said(.sender, id, match(text, "returnpath", Self.address)))
        }
        if isSubmission {
            all += texts(text, id)
            let report = Pattern(#"\A.*?, MessageClass:REPORT\."#)
            if let context = plain(text, "sourcecontext"), let class_ = report.match(text, context)
            {
                let start = class_.whole.upperBound - "REPORT.".count
                let end = Pattern("[^,]*+").match(text, start..<context.upperBound)?.whole
                all.append(said(.contentType, id, end))
            }
            all += recipients
        }
        all.append(said(.queued, id))
        let host = plain(text, "serverhostname")
        return all.map { said in
            var said = said
            said.host = host
            return said
        }
    }

    /// The beginning of a row that says all of a message.
    private func begin(
        _ text: LineText,
        _ id: Range<Int>,
        isIncoming: Bool,
        client: String
    ) -> [Said] {
        let sender = match(text, "senderaddress", Self.address)
        var accepted = said(.accepted, id)
        if !isIncoming, sender != nil {
            accepted.b = sender
            accepted.a = match(text, client, Self.ip)
        }
        return [accepted, said(.sender, id, sender)] + texts(text, id)
    }

    private func isIncoming(_ text: LineText) -> Bool? {
        switch string(text, "directionality") {
        case "1", "Incoming", "Inbound": true
        case "2", "Originating", "Outbound": false
        default: nil
        }
    }

    private static let summary = Pattern(#"\A(?<address>.+)##(?<events>.*?)\z"#)

    private func readSummary(_ text: LineText) -> [Said] {
        let id = match(text, "networkmessageid", Self.network) ?? plain(text, "messageid")
        guard let id, let list = plain(text, "recipientstatus"), let isIncoming = isIncoming(text),
            case let (members, isWhole) = Self.members(text, list), isWhole
        else { return [] }
        var (recipients, deliveries): ([Said], [Said]) = ([], [])
        for var member in members {
            guard let match = Self.summary.match(text, member.range),
                let address = match["address"],
                Self.address.match(text, address) != nil
            else { return [] }
            member.range = address
            recipients.append(recipient(member, id))
            let events = match.text("events").split(separator: ",").map {
                $0.trimmingPrefix(while: { $0 == " " }).lowercased()
            }
            let outcomes: [(LineFact.Status, LineFact.Agent)] = events.compactMap { event in
                switch event {
                case "deliver": (.sent, .mailbox)
                case "send", "sendexternal": (.sent, .smtp)
                case "expand": (.sent, .other)
                case "fail": (.bounced, .error)
                case "drop": (.discarded, .discard)
                case "defer": (.deferred, .other)
                default: nil
                }
            }
            if let (status, agent) = outcomes.last {
                deliveries.append(delivery(member, status, agent, id))
            }
        }
        return begin(text, id, isIncoming: isIncoming, client: "originalclientip") + recipients
            + [said(.queued, id)] + deliveries + [said(.removed, id)]
    }

    private func readTrace(_ text: LineText) -> [Said] {
        let id = match(text, "networkmessageid", Self.network) ?? plain(text, "messageid")
        guard let id, let address = match(text, "recipientaddress", Self.address) else { return [] }
        let isIncoming = isIncoming(text) ?? (field("fromip") != nil)
        let member = Member(range: address, hasDoubledQuotes: false)
        var all = begin(text, id, isIncoming: isIncoming, client: "fromip")
        all += [recipient(member, id), said(.queued, id)]
        let status: LineFact.Status? =
            switch string(text, "status") {
            case "Delivered", "Expanded": .sent
            case "Failed", "FilteredAsSpam": .bounced
            case "Pending": .deferred
            default: nil
            }
        if string(text, "status") == "Quarantined" { all.append(said(.held, id)) }
        if let status {
            let agent: LineFact.Agent = isIncoming && status == .sent ? .mailbox : .other
            all.append(delivery(member, status, agent, id))
        }
        return all + [said(.removed, id)]
    }
}

/// Times of tables, all UTC: RFC 3339, or as the culture of who exported it writes them.
struct ReferenceTableTime {
    /// What stands first between slashes, once the table has told.
    private var isMonthFirst: Bool?

    private static let clock =
        "(?<hour>[0-9]{1,2}):(?<minute>[0-9]{1,2}):(?<second>[0-9]{1,2})(?:\\.(?<fraction>[0-9]+))?"
        + #"(?:(?:\x20|\xe2\x80\xaf)(?<half>[AP])M|(?<zone>Z|[+-][0-9]{1,2}:[0-9]{1,2}))?"#
    private static let iso = Pattern(
        #"\A(?<year>[0-9]{4})(?<mark>[-/.])(?<month>[0-9]{1,2})\k<mark>(?<day>[0-9]{1,2})[T ]"#
            + clock + #"\z"#
    )
    private static let culture = Pattern(
        #"\A(?<first>[0-9]{1,2})(?<mark>[-/.])(?<then>[0-9]{1,2})\k<mark>(?<year>[0-9]{4}) "#
            + clock + #"\z"#
    )

    mutating func read(_ field: String) -> Stamp? {
        guard field.count <= 40 else { return nil }
        let text = LineText(field.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })
        if let match = Self.iso.match(text) {
            return Self.stamp(match, month: match.number("month"), day: match.number("day"))
        }
        guard let match = Self.culture.match(text) else { return nil }
        let (first, then) = (match.number("first"), match.number("then"))
        guard match.text("mark") == "/" else { return Self.stamp(match, month: then, day: first) }
        if isMonthFirst == nil {
            guard Self.second(match) != nil else { return nil }
            if first > 12 {
                isMonthFirst = false
            } else if then > 12 || match["half"] != nil && match.text("then").count == 1 {
                isMonthFirst = true
            }
        }
        guard let isMonthFirst else { return nil }
        return Self.stamp(
            match,
            month: isMonthFirst ? first : then,
            day: isMonthFirst ? then : first
        )
    }

    private static func stamp(_ match: Pattern.Match, month: Int, day: Int) -> Stamp? {
        let year = match.number("year")
        guard let second = second(match),
            let days = ReferenceStamp.days(year: year, month: month, day: day)
        else { return nil }
        let fraction = Int((match.text("fraction") + "000000").prefix(6)) ?? 0
        return Stamp(microseconds: Int64((days * 86_400 + second) * 1_000_000 + fraction))
    }

    /// The second of the day, UTC.
    private static func second(_ match: Pattern.Match) -> Int? {
        var hour = match.number("hour")
        let (minute, second) = (match.number("minute"), match.number("second"))
        guard minute < 60, second <= 60 else { return nil }
        if match["half"] != nil {
            guard (1...12).contains(hour) else { return nil }
            hour = hour % 12 + (match.text("half") == "P" ? 12 : 0)
        }
        guard hour < 24 else { return nil }
        var offset = 0
        let zone = match.text("zone")
        if zone != "", zone != "Z" {
            let parts = zone.dropFirst().split(separator: ":").compactMap { Int($0) }
            guard parts.count == 2, parts[0] < 24, parts[1] < 60 else { return nil }
            offset = (parts[0] * 3_600 + parts[1] * 60) * (zone.hasPrefix("-") ? -1 : 1)
        }
        return hour * 3_600 + minute * 60 + second - offset
    }
}
