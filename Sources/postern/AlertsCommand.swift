import Alerting
import ArgumentParser
import Findings
import Pipeline
import SafeText
import State
import SystemPackage

struct AlertsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts",
        abstract: "What was raised, and what was done about it.",
        discussion: """
            Reading works while the daemon runs and while it does not. What changes something is done \
            by the daemon through its control socket, or, while none runs, on the state itself.

            EXAMPLES
              postern alerts list --open
              postern alerts show 4k2m
              postern alerts ack 4k2m --note "called her, Outlook 2007"
              postern alerts silence --account alice@example.com --for 7d --reason "she knows"
              postern alerts silences
              postern alerts unsilence 7d3kq2xa
              postern alerts undelivered
              postern alerts redeliver --all
            """,
        subcommands: [
            AlertsList.self, AlertsShow.self, AlertsAck.self, AlertsSilence.self,
            AlertsUnsilence.self, AlertsSilences.self, AlertsUndelivered.self,
            AlertsRedeliver.self,
        ]
    )
}

/// Who acts, as the record shall say.
struct AuthorOptions: ParsableArguments {
    @Option(name: .long, help: "Who you are. Default: your user, behind sudo the one before it.")
    var by: String?
}

struct AlertsList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists alerts, the one that changed last first.",
        discussion: """
            Times are the log's, in UTC. With --json each line is the alert as it was sent last.

            EXAMPLES
              postern alerts list --open
              postern alerts list --since 2026-03-01 --level high
              postern alerts list --account alice@example.com --json | jq .message
            """
    )

    @OptionGroup var folder: StateFolderOptions

    @Flag(name: .long, help: "Only those that are open.")
    var open = false

    @Option(
        name: .long,
        help: "Only those that changed at or after: 2026-03-01 or 2026-03-01T10:00:00Z."
    )
    var since: String?

    @Option(name: .long, help: "Only those that name this account.")
    var account: String?

    @Option(name: .long, help: "Only those of this rule, by name or ID.")
    var rule: String?

    @Option(name: .long, help: "Only those that name this recipient domain.")
    var domain: String?

    @Option(name: .long, help: "Only those of this level or above.")
    var level: String?

    @Option(name: .long, help: "At most so many.")
    var limit = 200

    @Flag(name: .long, help: "Print JSON, one object a line.")
    var json = false

    func validate() throws {
        if let since, moment(since) == nil {
            throw ValidationError("--since takes a time such as 2026-03-01 or 2026-03-01T10:00:00Z")
        }
        if let level, Severity(name: level) == nil {
            let names = Severity.allCases.map(\.name).joined(separator: ", ")
            throw ValidationError("--level takes one of \(names)")
        }
        if limit < 1 { throw ValidationError("--limit takes a number from 1") }
    }

    func run() throws {
        let store = try readState(folder.path())
        do {
            try list(store)
        } catch let error as StateError {
            throw Failure(reading: error)
        }
    }

    private func list(_ store: StateReader) throws {
        let acknowledged = try store.acknowledgements()
        let silenced = try store.silenced()
        var table = TextTable(
            ["alert", "state", "level", "changed", "rule", "account", "count", "note"],
            rightAligned: [6]
        )
        var output = BufferedOutput()
        var count = 0
        let rows = try store.alerts(
            status: open ? "open" : nil,
            changedSinceMicroseconds: since.flatMap(moment) ?? .min,
            limit: .max
        )
        for row in rows {
            guard let facts = try? AlertFacts(json: row.body), isWanted(row, facts) else {
                continue
            }
            if count == limit {
                warn("more than \(limit) alerts match; --limit shows more")
                break
            }
            count += 1
            if json {
                output.writeLine(row.body)
                continue
            }
            var notes: [String] = []
            if let last = acknowledged[row.id]?.last { notes.append("seen by \(last.author)") }
            if silenced["\(row.id).\(row.sequence)"] != nil { notes.append("silenced") }
            let who =
                facts.account
                ?? (facts.accounts.count == 1
                    ? facts.accounts[0] : "\(facts.accounts.count) accounts")
            table.add([
                shown(row.id), shown(row.status), facts.level.name,
                shownTime(row.changedMicroseconds), shown(facts.rule), shown(who),
                facts.count.map(String.init) ?? "-", shown(notes.joined(separator: ", ")),
            ])
        }
        if !json {
            output.write(
                table.isEmpty
                    ? "no alerts\n" : table.text(isColoured: StandardStream.output.wantsColour)
            )
        }
        output.flush()
    }

    private func isWanted(_ row: AlertRow, _ facts: AlertFacts) -> Bool {
        if let account {
            let wanted = canonicalAccount(account)
            guard facts.accounts.contains(where: { canonicalAccount($0) == wanted }) else {
                return false
            }
        }
        if let rule, rule != row.rule, rule != facts.rule { return false }
        if let domain {
            let wanted = canonicalDomain(domain)
            guard facts.hosts.contains(where: { canonicalDomain($0) == wanted }) else {
                return false
            }
        }
        if let level, let lowest = Severity(name: level), facts.level < lowest { return false }
        return true
    }
}

/// The ID of an alert from its first characters, as long as only one begins so.
func alertID(_ text: String, _ store: StateReader) throws -> String {
    do {
        if try store.alert(text) != nil { return text }
        let matching = try store.alerts(limit: .max).map(\.id).filter { $0.hasPrefix(text) }
        guard let first = matching.first, !text.isEmpty else {
            throw Failure(.noInput, "there is no alert \(shown(text))")
        }
        guard matching.count == 1 else {
            throw Failure(
                .usage,
                "\(matching.count) alerts begin with \(shown(text)): "
                    + matching.prefix(4).map { shown($0) }.joined(separator: ", ")
            )
        }
        return first
    } catch let error as StateError {
        throw Failure(reading: error)
    }
}

struct AlertsShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows everything about an alert.",
        discussion: """
            The alert as it stands, then each step of its life with its evidence bundle and what became \
            of it at each sink, and who has seen it. With --json: each step as it was sent, one object \
            a line, then acknowledgements ("event.action": "acknowledged") and dispatches \
            ("event.action": "dispatch").

            The first characters of an ID are enough while only one alert begins so.

            EXAMPLE
              postern alerts show 4k2m
            """
    )

    @OptionGroup var folder: StateFolderOptions

    @Flag(name: .long, help: "Print JSON, one object a line.")
    var json = false

    @Argument(help: "The alert's ID, or its beginning.")
    var alert: String

    func run() throws {
        let path = try folder.path()
        let store = try readState(path)
        let id = try alertID(alert, store)
        do {
            try show(id, store, path)
        } catch let error as StateError {
            throw Failure(reading: error)
        }
    }

    private func show(_ id: String, _ store: StateReader, _ path: FilePath) throws {
        guard let row = try store.alert(id) else {
            throw Failure(.noInput, "there is no alert \(shown(id))")
        }
        let transitions = try store.transitions(of: id)
        let dispatches = try store.dispatches(ofAlert: id)
        var digests: [String: Dispatch] = [:]
        for dispatch in dispatches {
            guard let name = dispatch.digestID else { continue }
            digests[name] = try store.dispatches(ofAlert: name).first { $0.sink == dispatch.sink }
        }
        let acknowledged = try store.acknowledgements()[id] ?? []
        let silenced = try store.silenced()
        var output = BufferedOutput()
        if json {
            for step in transitions { output.writeLine(step.body) }
            for entry in acknowledged { output.writeLine(entry.json()) }
            for dispatch in dispatches { output.writeLine(dispatch.json()) }
            for step in transitions {
                guard let silence = silenced["\(id).\(step.sequence)"] else { continue }
                output.writeLine(silence.json(ofAlert: id, sequence: step.sequence))
            }
            output.flush()
            return
        }
        guard let facts = try? AlertFacts(json: row.body) else {
            throw Failure(.failed, "alert \(shown(id)) cannot be read", wayOutOfDamage)
        }
        let text = AlertText(
            isColoured: StandardStream.output.wantsColour,
            width: StandardStream.output.columns,
            evidenceFolder: path.appending("evidence").string
        )
        output.write(text.render(facts))
        output.write("\nhistory (UTC, the log's time)\n")
        for step in transitions {
            let count = (try? AlertFacts(json: step.body))?.count
            var words = "    \(shownTime(step.timeMicroseconds))  \(shown(step.action))"
            if let count { words += ", count \(count)" }
            if let bundle = step.bundle { words += ", evidence \(shown(bundle))" }
            output.write(words + "\n")
            if let silence = silenced["\(id).\(step.sequence)"] {
                output.write(
                    "        sent to no sink: silence \(silence.id) by \(shown(silence.author)): "
                        + "\(shown(silence.reason))\n"
                )
            }
            for dispatch in dispatches where dispatch.sequence == step.sequence {
                let digest = dispatch.digestID.flatMap { digests[$0] }
                output.write("        \(dispatch.words(in: digest))\n")
            }
        }
        if !acknowledged.isEmpty { output.write("\nseen\n") }
        for entry in acknowledged {
            let note = entry.note.map { ": \(shown($0))" } ?? ""
            output.write(
                "    \(shownTime(entry.microseconds))  by \(shown(entry.author))\(note)\n"
            )
        }
        output.flush()
    }
}

extension Silence {
    /// That it kept a step of an alert from the sinks.
    fileprivate func json(ofAlert alert: String, sequence: Int64) -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("event.action", "silenced")
        object.member("event.id", alert)
        object.member("event.sequence", sequence)
        object.member("postern.silence", id)
        object.member("postern.author", author)
        object.member("event.reason", reason)
        return object.finished()
    }
}

extension Dispatch {
    /// - Parameter digest: the dispatch of the digest that it went into, if that is still known.
    fileprivate func words(in digest: Dispatch?) -> String {
        guard let digestID else { return words }
        return "\(shown(sink)): in digest \(shown(digestID))"
            + (digest.map { ", which " + $0.stateWords } ?? "")
    }

    private var stateWords: String {
        switch state {
        case .waiting: "waits"
        case .acknowledged: "was sent"
        case .abandoned: "was given up"
        }
    }

    fileprivate var words: String {
        let what =
            switch state {
            case .waiting: attempts == 0 ? "waits" : "waits after \(attempts) failed attempts"
            case .acknowledged: "sent"
            case .abandoned: "given up"
            }
        return "\(shown(sink)): \(what)" + (error.map { " (\(shown($0)))" } ?? "")
    }

    fileprivate func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("event.action", "dispatch")
        object.member("event.id", alert)
        object.member("event.sequence", sequence)
        object.member("postern.sink", sink)
        object.member("postern.dispatch", "\(state)")
        object.member("postern.attempts", attempts)
        object.member("error.message", error)
        return object.finished()
    }
}

struct AlertsAck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ack",
        abstract: "Notes that you have seen an alert.",
        discussion: """
            It changes nothing about the alert: it goes on to be updated and resolved. The note is \
            shown by list and show.

            EXAMPLE
              postern alerts ack 4k2m --note "called her, Outlook 2007"
            """
    )

    @OptionGroup var folder: StateFolderOptions
    @OptionGroup var author: AuthorOptions

    @Option(name: .long, help: "What you found or did.")
    var note: String?

    @Argument(help: "The alert's ID, or its beginning.")
    var alert: String

    func run() throws {
        let path = try folder.path()
        let id = try alertID(alert, readState(path))
        var door = ControlDoor(folder: path, author: authorName(author.by)) {
            try daemonEngine(daemonSettings(folder.config))
        }
        try conclude(door.perform(.acknowledge(alert: id, note: note)))
    }
}

struct AlertsSilence: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "silence",
        abstract: "Keeps alerts from the sinks for some time.",
        discussion: """
            Alerts that an account, rule or recipient domain covers, all of those that are named, are \
            raised and kept with their evidence as ever, and sent to no sink. An alert about others \
            too, as of a second account, is sent. What waits for a sink already is sent. The time is \
            the wall clock's at which an alert would be sent, not the log's.

            EXAMPLES
              postern alerts silence --account alice@example.com --for 7d --reason "she knows"
              postern alerts silence --account @example.com --rule receipt_drip --for 12h --reason x
              postern alerts silence --domain list.example --until 2026-04-01 --reason "our survey"
            """
    )

    @OptionGroup var folder: StateFolderOptions
    @OptionGroup var author: AuthorOptions

    @Option(name: .long, help: "Of this account, or with @DOMAIN of all accounts of a domain.")
    var account: String?

    @Option(name: .long, help: "Of this rule, by name or ID.")
    var rule: String?

    @Option(name: .long, help: "To this recipient domain.")
    var domain: String?

    @Option(name: .customLong("for"), help: "For how long: 90m, 12h, 7d, 2w.")
    var span: String?

    @Option(name: .long, help: "Until when: 2026-04-01 or 2026-04-01T10:00:00Z.")
    var until: String?

    @Option(name: .long, help: "Why; the list shows it.")
    var reason: String

    func validate() throws {
        guard account != nil || rule != nil || domain != nil else {
            throw ValidationError("name an --account, a --rule, a --domain, or several of them")
        }
        guard [account, rule, domain, reason].allSatisfy({ $0 != "" }) else {
            throw ValidationError("--account, --rule, --domain and --reason must not be empty")
        }
        guard (span == nil) != (until == nil) else {
            throw ValidationError("give either --for or --until")
        }
        if let span, postern.span(span) == nil {
            throw ValidationError("--for takes a time such as 90m, 12h, 7d or 2w")
        }
        if let until, moment(until) == nil {
            throw ValidationError("--until takes a time such as 2026-04-01T10:00:00Z")
        }
    }

    func run() throws {
        let length = span.flatMap { postern.span($0) }
        let end = length.map { wallClock() + $0 } ?? until.flatMap(moment) ?? 0
        var door = ControlDoor(folder: try folder.path(), author: authorName(author.by)) {
            try daemonEngine(daemonSettings(folder.config))
        }
        let silence = ControlRequest.NewSilence(
            account: account,
            rule: rule,
            domain: domain,
            untilMicroseconds: end,
            reason: reason
        )
        try conclude(door.perform(.silence(silence)))
    }
}

struct AlertsUnsilence: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unsilence",
        abstract: "Lifts a silence before its time.",
        discussion: "EXAMPLE\n  postern alerts unsilence 7d3kq2xa"
    )

    @OptionGroup var folder: StateFolderOptions
    @OptionGroup var author: AuthorOptions

    @Argument(help: "The silence's ID, as postern alerts silences shows it.")
    var silence: String

    func run() throws {
        var door = ControlDoor(folder: try folder.path(), author: authorName(author.by)) {
            try daemonEngine(daemonSettings(folder.config))
        }
        try conclude(door.perform(.unsilence(id: silence)))
    }
}

struct AlertsSilences: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "silences",
        abstract: "Lists the silences that hold.",
        discussion: "EXAMPLE\n  postern alerts silences --all"
    )

    @OptionGroup var folder: StateFolderOptions

    @Flag(name: .long, help: "Also those that ended within the last week.")
    var all = false

    @Flag(name: .long, help: "Print JSON, one object a line.")
    var json = false

    func run() throws {
        let store = try readState(folder.path())
        let book: SilenceBook
        do {
            book = try SilenceBook(from: store)
        } catch {
            throw Failure(reading: error)
        }
        let now = wallClock()
        let silences = book.silences.filter { all || $0.untilMicroseconds > now }
            .sorted { ($0.untilMicroseconds, $0.id) < ($1.untilMicroseconds, $1.id) }
        var output = BufferedOutput()
        if json {
            for silence in silences { output.writeLine(silence.json()) }
        } else if silences.isEmpty {
            output.write("no silences\n")
        } else {
            var table = TextTable(["silence", "until", "account", "rule", "domain", "by", "reason"])
            for silence in silences {
                table.add([
                    shown(silence.id), shownTime(silence.untilMicroseconds),
                    silence.account.map { shown($0) } ?? "any",
                    silence.rule.map { shown($0) } ?? "any",
                    silence.domain.map { shown($0) } ?? "any",
                    shown(silence.author), shown(silence.reason),
                ])
            }
            output.write(table.text(isColoured: StandardStream.output.wantsColour))
        }
        output.flush()
    }
}
