import MailEvents

@testable import MailLog

/// Exim's lines as architecture §6, the chapter "Log files" of its specification, and what
/// receive.c, deliver.c and log.c of 4.96 write, in the order in which they write it.
enum ReferenceExim {
    /// The old form, and that of 4.97 and later.
    private static let id = "[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})"
    private static let line = Pattern(
        #"\A(?:\[[0-9]++\] )?(?<id>"# + id + #") (?<body>.+)\z"#
    )

    private static let quoted = #""(?:[^"\\]|\\.)*+""#
    private static let local = #"(?:"# + quoted + #"|[^ "\\<>@])++"#
    private static let domain = #"(?:[A-Za-z0-9._\x80-\xff-]++|\[[^ \[\]]++\])"#
    private static let address = "(?:" + local + "@" + domain + ")"
    private static let ip = #"\[[0-9A-Fa-f.:%a-z]++\]"#

    /// What a line says.
    ///
    /// - Parameters:
    ///   - text: the line.
    ///   - range: what stands behind the stamp.
    static func read(_ text: LineText, _ range: Range<Int>) throws -> [Said] {
        guard let found = line.match(text, range), let body = found["body"] else { return [] }
        var said: [Said] = []
        if Pattern(#"\A<= "#).match(text, body) != nil {
            said = try readArrival(text, body)
        } else if let one = readDelivery(text, body) ?? readOther(text, body) {
            said = [one]
        }
        for index in said.indices { said[index].queueID = found["id"] }
        return said
    }

    // MARK: Arrival

    /// A field of an arrival line.
    private struct Field {
        var name: String
        /// What stands before the value.
        var mark: Pattern
        /// The value, from its beginning to the field's end.
        var value: Pattern
        /// Strangers choose the text: the value may end at any place where it fits.
        var isFree: Bool

        init(_ name: String, _ mark: String, _ value: String, isFree: Bool = false) {
            self.name = name
            self.mark = Pattern(#"\A"# + mark)
            self.value = Pattern(#"\A(?:"# + value + (isFree ? #")\z"# : ")"))
            self.isFree = isFree
        }
    }

    /// In receive.c's order. Each may be absent, the size excepted.
    private static let fields: [Field] = [
        Field("reference", " R=", "[^ ]++"),
        Field("dnssec", " DS", "(?= )"),
        Field("host", " H=", #"(?:[^ (\[]\S*+ )?(?:\(.*\) )?"# + ip + "(?::[0-9]+)?", isFree: true),
        Field("interface", " I=", ip + "(?::[0-9]++)?"),
        Field("fast open", #" TFO\*?"#, "(?= )"),
        Field("ident", " U=", ".+", isFree: true),
        Field("protocol", " P=", "[^ ]++"),
        Field("pipelining", " L[*.]?-?", "(?= )"),
        Field("cipher", " X=", "[^ ]++"),
        Field("certificate", " CV=", "(?:yes|no|dane)"),
        Field("peer", " DN=\"", ".*\"", isFree: true),
        Field("server name", " SNI=", "[^ ]++"),
        Field("login", " A=", ".+", isFree: true),
        Field("prdr", " PRDR", "(?= )"),
        Field("proxy", " PRX=", #"[0-9A-Fa-f.:\[\]]++"#),
        Field("chunking", " K", "(?= )"),
        Field("size", " S=", "[0-9]++"),
        Field("8bit", " M8S=", "[0-9]++"),
        Field("dkim", " DKIM=", "[^ ]++"),
        Field("arc", " ARC", #"(?= |\z)"#),
        Field("time", " RT=", "[^ ]++"),
        Field("queue", " Q=", "[^ ]++"),
        Field("id", #" id\*?="#, "(?:" + local + "@" + domain + #"|[^ "]++)"#),
        Field("subject", " T=", quoted),
        Field("from", " from ", "<(?:" + address + ")?>"),
        Field("for", " for", "(?: " + address + #")++\z"#),
    ]

    private static let sender = Pattern(
        #"\A<= (?:<>|(?<sender>(?:"# + quoted + #"|[^ "<>])++))(?= )"#
    )
    private static let host = Pattern(
        #"\A(?:(?<name>[^ (\[]\S*) )?(?:\(.*\) )?\[(?<ip>[^ \[\]]+)\](?::[0-9]+)?\z"#
    )
    private static let login = Pattern(#"\A[^: ]+(?::(?<id>[^:]+)(?::.*)?)?\z"#)
    private static let recipient = Pattern(" (?<one>" + address + ")")

    /// What one way to read an arrival line finds.
    private struct Arrival: Hashable {
        var ip: Range<Int>?
        var name: Range<Int>?
        var login: Range<Int>?
        var id: Range<Int>?
        var subject: Range<Int>?
        var recipients: Range<Int>?
        var hasSize = false
    }

    /// A line with more ways to read it than anybody looks at.
    struct TooManyReadings: Error {}

    /// All ways to read the fields from one place on to the line's end.
    private static func readings(
        _ text: LineText,
        _ rest: Range<Int>,
        from first: Int,
        _ arrival: Arrival,
        _ steps: inout Int
    ) throws -> Set<Arrival> {
        if rest.isEmpty { return arrival.hasSize ? [arrival] : [] }
        var found: Set<Arrival> = []
        for (index, field) in fields.enumerated().dropFirst(first) {
            guard let mark = field.mark.match(text, rest) else { continue }
            let start = mark.whole.upperBound
            var ends: [Int] = []
            if field.isFree {
                ends = (start...rest.upperBound).filter { end in
                    end == rest.upperBound || text.units[end] == 0x20
                }
            } else if let value = field.value.match(text, start..<rest.upperBound) {
                ends = [value.whole.upperBound]
            }
            for end in ends {
                steps += 1
                guard steps < 20_000 else { throw TooManyReadings() }
                if field.isFree, field.value.match(text, start..<end) == nil { continue }
                var next = arrival
                let value = start..<end
                switch field.name {
                case "host":
                    guard let host = host.match(text, value) else { continue }
                    next.ip = host["ip"]
                    next.name = host["name"]
                case "login":
                    guard let login = login.match(text, value) else { continue }
                    next.login = login["id"]
                case "id": next.id = value
                case "subject": next.subject = (start + 1)..<(end - 1)
                case "for": next.recipients = value
                case "size": next.hasSize = true
                default: break
                }
                let others = end..<rest.upperBound
                found.formUnion(try readings(text, others, from: index + 1, next, &steps))
            }
        }
        return found
    }

    private static func readArrival(_ text: LineText, _ body: Range<Int>) throws -> [Said] {
        guard let sender = sender.match(text, body) else { return [] }
        var steps = 0
        let found = try readings(
            text,
            sender.whole.upperBound..<body.upperBound,
            from: 0,
            Arrival(),
            &steps
        )
        guard let one = found.first else { return [] }
        var accepted = Said(.accepted, .exim)
        accepted.isAmbiguous = found.count > 1
        accepted.a = one.ip
        accepted.b = one.login
        accepted.c = one.name
        var said = [accepted]
        func add(_ kind: LineFact.Kind, _ range: Range<Int>?) {
            guard let range else { return }
            var one = Said(kind, .exim)
            one.a = range
            if kind == .subject { one.form = .eximQuoted }
            said.append(one)
        }
        let null = body.lowerBound + 4
        add(.sender, sender["sender"] ?? null..<null)
        add(.subject, one.subject)
        add(.messageID, one.id)
        for match in recipient.matches(text, one.recipients ?? 0..<0) {
            add(.recipient, match["one"])
        }
        said.append(Said(.queued, .exim))
        return said
    }

    // MARK: Delivery

    private static let connection =
        " H=[^ ]+(?: DS)?(?: " + ip + #")?(?::[0-9]+)?\*?(?: PRX=[^ ]+)?(?: I="# + ip
        + #"(?::[0-9]+)?)?(?: TFO\*?)?"#
    private static let security = #"(?: X=[^ ]+)?(?: CV=(?:yes|no|dane))?(?: DN=".*")?"#
    private static let path = "<(?:" + quoted + #"|[^ "<>])*+>"#
    private static let head = "(?: F=" + path + ")?(?: Q=[^ ]+)?(?: P=" + path + ")?(?: R=[^ ]+)?"
    /// What follows the addresses of a delivery, of a failure, and of a deferral.
    private static let tails: [String: Pattern] = [
        "sent": Pattern(
            #"\A"# + head + " T=[^ ]+(?: S=[0-9]+)?(?:" + connection + ")?" + security
                + #"(?: ST=.*)?(?: A=[^ ]+)?(?: L\*?)?(?: PRDR)?(?: K)?(?: C="# + quoted
                + #")?(?: QT=[^ ]+)?(?: DT=[^ ]+)?\z"#
        ),
        "bounced": Pattern(
            #"\A"# + head + "(?: T=[^ ]+)?(?:" + connection + ")?" + security
                + #"(?:: .*)?(?: DT=[^ ]+)?\z"#
        ),
        "deferred": Pattern(
            #"\A(?: Q=[^ ]+)?(?: R=[^ ]+)?(?: T=[^ ]+| [a-z]+)?"#
                + #" defer \(-?[0-9]+\)(?:: .*)?(?:"# + connection
                + #")?(?: DT=[^ ]+)?(?:: .*)?\z"#
        ),
    ]
    private static let flag = Pattern(#"\A(?<flag>=>|->|>>|\*\*|==) (?=\S)"#)
    private static let plain = Pattern(#"\A[^ ]+"#)
    private static let top = Pattern(" <(?<top>" + address + ")>")

    private static func readDelivery(_ text: LineText, _ body: Range<Int>) -> Said? {
        guard let mark = flag.match(text, body) else { return nil }
        let status: (String, LineFact.Status) =
            switch mark.text("flag") {
            case "**": ("bounced", .bounced)
            case "==": ("deferred", .deferred)
            default: ("sent", .sent)
            }
        let start = mark.whole.upperBound
        guard let tail = tails[status.0] else { return nil }
        var found: [(Range<Int>, top: Range<Int>?)] = []
        func tailFits(from place: Int) -> Bool {
            tail.match(text, place..<body.upperBound) != nil
        }
        // Alone it holds no blank: otherwise the address as it was given stands behind it.
        let alone = start..<(plain.match(text, start..<body.upperBound)?.whole.upperBound ?? start)
        for end in [alone.upperBound, alone.upperBound - 1] where end > start {
            let isWhole = end == alone.upperBound || text.units[end] == 0x3a
            if isWhole, tailFits(from: end) { found.append((start..<end, nil)) }
        }
        for match in top.matches(text, start..<body.upperBound) where match.whole.lowerBound > start {
            if tailFits(from: match.whole.upperBound) {
                found.append((start..<match.whole.lowerBound, match["top"]))
            }
        }
        guard let one = found.first else { return nil }
        var said = Said(.delivery, .exim)
        said.status = status.1
        said.isAmbiguous = found.count > 1
        said.a = one.0
        said.b = one.top
        return said
    }

    private static func readOther(_ text: LineText, _ body: Range<Int>) -> Said? {
        if Pattern(#"\ACompleted\b"#).match(text, body) != nil { return Said(.removed, .exim) }
        return nil
    }
}
