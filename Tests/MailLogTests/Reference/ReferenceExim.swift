import MailEvents

@testable import MailLog

/// Exim's lines as architecture §6, the chapter "Log files" of its specification, and what
/// receive.c, deliver.c and log.c of 4.96 write, in the order in which they write it.
enum ReferenceExim {
    /// The old form, and that of 4.97 and later.
    private static let id =
        "[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})"
    private static let line = Pattern(
        #"\A(?:\[[0-9]++\] )?(?<id>"# + id + #") (?<body>.+)\z"#
    )

    private static let quoted = #""(?:[^"\\]|\\.)*+""#
    /// parse.c: words with dots between; a word is an atom or a quoted string.
    private static let atom = #"(?:[A-Za-z0-9!#-'*+/=?^_`{-~\x80-\xff-]|\\.)"#
    private static let local =
        #"(?![@ ]|\z)(?:"# + quoted + "|" + atom + #"*+)(?:\.(?:"# + quoted + "|" + atom + "*+))*+"
    private static let domain =
        #"(?:(?:[A-Za-z0-9._\x80-\xff-]|\\[0-7]{3})++|\[[!-Z^-~]*+\])"#
    /// Values that no stranger chooses the form of hold no blanks, quotes or brackets.
    private static let token = #"[A-Za-z0-9%*-/:=@\[\]_~]+(?<!:(?= ))"#
    private static let address = "(?:" + local + "@" + domain + ")"
    private static let ip = #"\[[0-9A-Fa-f.:]++\]"#

    // log.c, `write_syslog`: what was too long comes in parts, which are read when they are together;
    // with a backslash, parts end at newlines, as those of rejected messages do.
    private static let part = Pattern(
        #"\A\[[0-9]{1,6}/[0-9]{1,6}\] (?<rest>.*)\z"#
    )

    /// A part of a line that came by syslog; nil if the line came whole.
    static func readPart(_ text: LineText, _ range: Range<Int>) -> Said? {
        guard let match = part.match(text, range) else { return nil }
        var said = Said(.part, .exim)
        said.a = match["rest"]
        return said
    }

    /// The ways to read a line; none if it says nothing of a message.
    ///
    /// - Parameters:
    ///   - text: the line.
    ///   - range: what stands behind the stamp.
    static func read(_ text: LineText, _ range: Range<Int>) throws -> [[Said]] {
        guard let found = line.match(text, range), let body = found["body"] else { return [] }
        let isArrival = Pattern(#"\A[<(]= "#).match(text, body) != nil
        let ways =
            isArrival
            ? try arrivals(text, body)
            : deliveries(text, body).map { [$0] } + (readOther(text, body).map { [[$0]] } ?? [])
        return ways.map { said in
            said.map { one in
                var one = one
                one.queueID = found["id"]
                return one
            }
        }
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
        Field("reference", " R=", token),
        Field("dnssec", " DS", "(?= )"),
        Field(
            "host",
            " H=",
            #"(?:(?![(\[])"# + token + #" )?(?:\(.*\) )?"# + ip + "(?::[0-9]+)?",
            isFree: true
        ),
        Field("interface", " I=", ip + "(?::[0-9]++)?"),
        Field("fast open", #" TFO\*?"#, "(?= )"),
        Field("ident", " U=", ".+", isFree: true),
        Field("protocol", " P=", token),
        Field("pipelining", " L[*.]?-?", "(?= )"),
        Field("cipher", " X=", token),
        Field("certificate", " CV=", "(?:yes|no|dane)"),
        Field("peer", " DN=\"", ".*\"", isFree: true),
        Field("server name", " SNI=", token),
        Field("login", " A=", ".+", isFree: true),
        Field("prdr", " PRDR", "(?= )"),
        Field("proxy", " PRX=", token),
        Field("chunking", " K", "(?= )"),
        Field("size", " S=", "[0-9]++"),
        Field("8bit", " M8S=", "[0-9]++"),
        Field("dkim", " DKIM=", token),
        Field("arc", " ARC", #"(?= |\z)"#),
        Field("time", " RT=", token),
        Field("queue", " Q=", token),
        Field("id", #" id\*?="#, "(?:" + local + "(?:@" + domain + ")?)"),
        Field("subject", " T=", quoted),
        Field("from", " from ", "<(?:" + address + ")?>"),
        Field("for", " for", "(?: " + local + "(?:@" + domain + #")?)++\z"#),
    ]

    /// Where a field may begin.
    private static let begin = Pattern(#"\A (?:[A-Z]|id|from|for)"#)
    /// A field of a later version.
    private static let later = Pattern(
        #"\A (?!(?:R|H|I|U|P|X|CV|DN|SNI|A|PRX|S|M8S|DKIM|RT|Q|T)=)[A-Z][A-Za-z0-9]{0,7}="# + token
    )

    private static let sender = Pattern(
        #"\A[<(]= (?:<>|(?<sender>"# + local + "(?:@" + domain + ")?))(?= )"
    )
    private static let host = Pattern(
        #"\A(?:(?<name>[^ (\[]\S*) )?(?:\(.*\) )?\[(?<ip>[0-9A-Fa-f.:]+)\](?::[0-9]+)?\z"#
    )
    private static let login = Pattern(#"\A[A-Za-z0-9_-]+(?::(?<id>[^:]*)(?::.*)?)?\z"#)
    private static let recipient = Pattern(" (?<one>" + local + "(?:@" + domain + ")?)")

    private static let allAddresses = Pattern(#"\A(?: "# + address + #")++\z"#)

    /// What one way to read an arrival line finds.
    private struct Arrival: Hashable {
        var ip: Range<Int>?
        var name: Range<Int>?
        var login: Range<Int>?
        var isLoginNameless = false
        var id: Range<Int>?
        var subject: Range<Int>?
        var recipients: Range<Int>?
        var hasProtocol = false
        var hasSize = false
    }

    /// A line with more ways to read it than anybody looks at.
    struct TooManyReadings: Error {}

    /// All ways to read the fields from one place on to the line's end.
    private static func readings(
        _ text: LineText,
        _ rest: Range<Int>,
        _ seen: Set<Int>,
        isOrdered: Bool,
        _ arrival: Arrival,
        _ steps: inout Int
    ) throws -> Set<Arrival> {
        if rest.isEmpty {
            return arrival.hasSize && (arrival.hasProtocol || !isOrdered) ? [arrival] : []
        }
        var found: Set<Arrival> = []
        if arrival.id == nil, arrival.subject == nil, let field = later.match(text, rest) {
            let others = field.whole.upperBound..<rest.upperBound
            found = try readings(text, others, seen, isOrdered: isOrdered, arrival, &steps)
        }
        let last = seen.max() ?? -1
        for (index, field) in fields.enumerated() {
            guard isOrdered ? index > last : !seen.contains(index),
                let mark = field.mark.match(text, rest)
            else { continue }
            let start = mark.whole.upperBound
            var ends: [Int] = []
            if field.isFree {
                ends = (start...rest.upperBound).filter { end in
                    end == rest.upperBound || begin.match(text, end..<rest.upperBound) != nil
                }
            } else if let value = field.value.match(text, start..<rest.upperBound) {
                ends = [value.whole.upperBound]
            }
            for end in ends {
                steps += 1
                guard steps < 1_000 else { throw TooManyReadings() }
                if field.isFree, field.value.match(text, start..<end) == nil { continue }
                // That is how a HELO ends.
                if field.isFree, field.name != "host", text.string(start..<end).contains(") [") {
                    break
                }
                var next = arrival
                let value = start..<end
                switch field.name {
                case "host":
                    guard let host = host.match(text, value) else { continue }
                    next.ip = host["ip"]
                    next.name = host["name"]
                case "login":
                    guard let login = login.match(text, value) else { continue }
                    next.login = login["id"].flatMap { $0.isEmpty ? nil : $0 }
                    next.isLoginNameless = next.login == nil
                case "id": next.id = value
                case "subject": next.subject = (start + 1)..<(end - 1)
                case "for":
                    // A local part alone is of a program on this machine.
                    let isWhole = allAddresses.match(text, value) != nil
                    guard isWhole || arrival.ip == nil else { continue }
                    next.recipients = value
                case "size": next.hasSize = true
                case "protocol": next.hasProtocol = true
                default: break
                }
                let others = end..<rest.upperBound
                let more = try readings(
                    text,
                    others,
                    seen.union([index]),
                    isOrdered: isOrdered,
                    next,
                    &steps
                )
                found.formUnion(more)
                // What can be a field is none of the login.
                if field.name == "login", !more.isEmpty { break }
            }
        }
        return found
    }

    /// All ways to read an arrival line: those in receive.c's order; if there are none, those in any.
    private static func arrivals(_ text: LineText, _ body: Range<Int>) throws -> [[Said]] {
        guard let sender = sender.match(text, body) else { return [] }
        guard text.count < 4_000 else { throw TooManyReadings() }
        let rest = sender.whole.upperBound..<body.upperBound
        for isOrdered in [true, false] {
            var steps = 0
            let found = try readings(
                text,
                rest,
                [],
                isOrdered: isOrdered,
                Arrival(),
                &steps
            )
            if !found.isEmpty {
                return found.map { one in
                    var said = said(text, body, sender, one)
                    said[0].isAmbiguous = !isOrdered
                    return said
                }
            }
        }
        return []
    }

    private static func said(
        _ text: LineText,
        _ body: Range<Int>,
        _ sender: Pattern.Match,
        _ one: Arrival
    ) -> [Said] {
        var accepted = Said(.accepted, .exim)
        accepted.a = one.ip
        accepted.b = one.login
        accepted.c = one.name
        if one.isLoginNameless { accepted.agent = .namelessLogin }
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
            // A blank at the end is no recipient.
            guard let one = match["one"], !one.isEmpty else { continue }
            add(.recipient, one)
        }
        said.append(Said(.queued, .exim))
        return said
    }

    // MARK: Delivery

    private static let connection =
        " H=" + token + "(?: DS)?(?: " + ip + #")?(?::[0-9]+)?\*?"#
    private static let other = "(?: [A-Z][A-Za-z0-9]{0,4}\\*?| [A-Z][A-Za-z0-9]*=" + token + ")*"
    private static let security = other + #"(?: DN=".*")?"# + other
    private static let path = "<(?:" + local + "(?:@" + domain + ")?)?>"
    private static let driver = #"(?:\*\*bypassed\*\*|[A-Za-z0-9_.-]*)"#
    private static let head =
        "(?: F=" + path + ")?(?: Q=" + token + ")?(?: P=" + path + ")?(?: R=" + driver + ")?"
    /// What follows the addresses of a delivery, of a failure, and of a deferral.
    private static let tails: [String: Pattern] = [
        "sent": Pattern(
            #"\A"# + head + "(?: T=" + driver + ")?" + other + "(?<host>" + connection + ")?"
                + security + #"(?: ST="# + driver + #"(?: \(.*)?)?"# + other + "(?: C=" + quoted
                + ")?"
                + other + #"\z"#
        ),
        "bounced": Pattern(
            #"\A"# + head + "(?: T=" + driver + ")?" + other + "(?:" + connection + ")?" + security
                + #"(?:: .*|\z)"#
        ),
        "deferred": Pattern(
            #"\A(?: Q="# + token + ")?(?: R=" + driver + ")?(?: T=" + driver
                + #"| routing| transporting)? defer \("#
        ),
    ]
    private static let flag = Pattern(#"\A(?<flag>=>|->|>>|\*\*|==) (?=\S)"#)
    private static let plain = Pattern(#"\A[^ ]+"#)
    /// Addresses on the way from the one that was given, with `+all_parents`; and that one.
    private static let given = Pattern(
        #"(?: \((?<parent>"# + address + #")(?:, [^()]*)?\))? <(?<top>"# + address + ")>"
    )
    private static let isAddress = Pattern(#"\A"# + address + #"\z"#)
    /// No address, but what a filter or an alias gave: a command, a file, an answer.
    private static let action = Pattern(#"\A(?:\||/|>|:|save |discarded )"#)

    /// A quoted local part as it is without its quotes.
    private static func unquoted(_ address: String) -> String {
        guard address.hasPrefix("\""), let end = address.lastIndex(of: "\"") else { return address }
        var text = ""
        var isEscaped = false
        for character in address[..<end].dropFirst() {
            if character == "\\", !isEscaped {
                isEscaped = true
            } else {
                text.append(character)
                isEscaped = false
            }
        }
        return text + address[address.index(after: end)...]
    }

    private static func isSame(_ text: LineText, _ one: Range<Int>, _ top: Range<Int>) -> Bool {
        let (given, name) = (unquoted(text.string(top)).lowercased(), text.string(one).lowercased())
        return given == name || given.hasPrefix(name + "@")
    }

    private static func deliveries(_ text: LineText, _ body: Range<Int>) -> [Said] {
        guard let mark = flag.match(text, body) else { return [] }
        if discarded.match(text, body) != nil { return [Said(.discarded, .exim)] }
        let status: (String, LineFact.Status) =
            switch mark.text("flag") {
            case "**": ("bounced", .bounced)
            case "==": ("deferred", .deferred)
            default: ("sent", .sent)
            }
        let start = mark.whole.upperBound
        guard let tail = tails[status.0] else { return [] }
        func tailFits(from place: Int) -> Bool {
            tail.match(text, place..<body.upperBound) != nil
        }
        var found: [(Range<Int>, parent: Range<Int>?, top: Range<Int>?)] = []
        // Alone it holds no blank.
        if let end = plain.match(text, start..<body.upperBound)?.whole.upperBound {
            for end in [end, end - 1] where end > start {
                let isWhole =
                    end == body.upperBound || text.units[end] != 0x3a || end < body.upperBound
                if isWhole, tailFits(from: end) {
                    found.append((start..<end, nil, nil))
                    break
                }
            }
        }
        for match in given.matches(text, start..<body.upperBound) {
            guard let top = match["top"], match.whole.lowerBound > start,
                tailFits(from: match.whole.upperBound)
            else { continue }
            let one = start..<match.whole.lowerBound
            let isOne =
                !text.string(one).contains(" ") || action.match(text, one) != nil
                || isSame(text, one, top)
            if isOne { found.append((one, match["parent"], top)) }
        }
        return found.map { one in
            said(text, body, status.1, one.0, one.parent, one.top)
        }
    }

    private static func said(
        _ text: LineText,
        _ body: Range<Int>,
        _ status: LineFact.Status,
        _ one: Range<Int>,
        _ parent: Range<Int>?,
        _ top: Range<Int>?
    ) -> Said {
        var said = Said(.delivery, .exim)
        said.status = status
        let isWhole = isAddress.match(text, one) != nil
        if let top, !isWhole || isSame(text, one, top) {
            // A file or a pipe is known by the mailbox whose it is; another name is a mailbox's.
            let name = text.string(one)
            let isAction = action.match(text, one) != nil || name.contains(" ")
            let isOther =
                !isWhole && !isAction
                && !text.string(top).lowercased().hasPrefix(name.lowercased() + "@")
            said.a = parent ?? (isOther ? one : top)
            said.b = parent != nil || isOther ? top : nil
        } else {
            said.a = one
            said.b = top
        }
        if status == .bounced, retryTimeout.match(text, body) != nil { said.status = .expired }
        if status == .sent {
            let rest = (top.map { $0.upperBound + 1 } ?? one.upperBound)..<body.upperBound
            let isRemote = tails["sent"]?.match(text, rest)?["host"] != nil
            let isDropped =
                [":blackhole:", "discarded", "/dev/null"].contains(text.string(one))
                || Pattern(#" T=\*\*bypassed\*\*"#).match(text, rest) != nil
            said.agent = isRemote ? .smtp : isDropped ? .discard : .mailbox
        }
        return said
    }

    // retry.c
    private static let retryTimeout = Pattern(#"\A\*\* [^:]*+: retry timeout exceeded\z"#)
    // queue.c: its sender gets a bounce.
    private static let cancelled = Pattern(#"\Acancelled by (?<idle>timeout_frozen_after)?"#)
    // receive.c, queue.c, deliver.c
    private static let frozen = Pattern(#"\A(?:frozen by |Frozen(?: |\z))"#)
    private static let thawed = Pattern(#"\A[uU]nfrozen by "#)
    private static let gone = Pattern(
        #"\A(?:Completed(?: |\z)|(?<who>removed by )|Message removed because older than )"#
    )
    private static let discarded = Pattern(
        #"\A(?:=>|->|>>|\*\*|==) (?:blackhole|discarded) \([^()]*+\)"#
    )
    // The snippet for ACLs.
    private static let logged = Pattern(
        #"\A(?:report-type=(?<type>[A-Za-z0-9_-]+)|disposition-notification-to=<(?<ask>"# + address
            + #")>)\z"#
    )

    private static func readOther(_ text: LineText, _ body: Range<Int>) -> Said? {
        if let match = gone.match(text, body) {
            var said = Said(.removed, .exim)
            if match["who"] != nil { said.agent = .operator }
            return said
        }
        if let match = cancelled.match(text, body) {
            return Said(match["idle"] == nil ? .cancelled : .expired, .exim)
        }
        if frozen.match(text, body) != nil { return Said(.held, .exim) }
        if thawed.match(text, body) != nil { return Said(.released, .exim) }
        guard let match = logged.match(text, body) else { return nil }
        var said = Said(match["type"] == nil ? .receiptRequest : .contentType, .exim)
        said.a = match["type"] ?? match["ask"]
        return said
    }
}
