import ArgumentParser
import Detection
import Findings
import LinuxIO
import Memory
import Pipeline
import SafeText
import State
import SystemPackage

struct StateShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows what is remembered of an account.",
        discussion: """
            When it was first seen, what is usual for it, the domains that it wrote to and heard from \
            with their last day, the windows that hold something of it, silences that name it, and its open alerts. Days are \
            in the log's zone. It shows what was committed last, a second ago at most.

            With --json: a line for the account ("postern.known": "account"), and one for each domain \
            ("wrote", "heard"), window ("window"), silence ("silence") and open alert ("alert").

            EXAMPLES
              postern state show alice@example.com
              postern state show alice@example.com --json | jq -c 'select(."postern.known"=="wrote")'
            """
    )

    @OptionGroup var folder: StateFolderOptions

    @Flag(name: .long, help: "Print JSON, one object a line.")
    var json = false

    @Argument(help: "The account.")
    var account: String

    func run() throws {
        let path = try folder.path()
        let store = try readState(path)
        let engine = try daemonEngine(daemonSettings(folder.config))
        let sheet: AccountSheet
        do {
            sheet = try AccountSheet(of: account, in: store, engine)
        } catch let error as StateError {
            throw Failure(reading: error)
        } catch let error as StoredStateError {
            throw Failure(.failed, shown("\(path): \(error)"), wayOutOfDamage)
        } catch {
            throw Failure(.failed, shown("\(error)"))
        }
        guard !sheet.isEmpty else {
            throw Failure(.noInput, "nothing is known of the account \(shown(sheet.account))")
        }
        var output = BufferedOutput()
        if json {
            for line in sheet.json() { output.writeLine(line) }
        } else {
            output.write(sheet.text(isColoured: StandardStream.output.wantsColour))
        }
        output.flush()
    }
}

extension AccountSheet {
    fileprivate func text(isColoured: Bool) -> String {
        var text = "account     \(shown(account))\n"
        if let known {
            text += "first seen  \(known.firstDay == 0 ? "never sent" : date(known.firstDay))\n"
            if known.isForgetful {
                text += "            it has too many domains: the oldest were forgotten\n"
            }
            if let usual = known.unseenBaseline {
                text +=
                    "usual       \(usual.text) unseen domains in its busy hours, learnt from "
                    + "\(usual.learnt)\n"
            }
            if let usual = known.receiptBaseline {
                text +=
                    "usual       \(usual.text) not-read receipts on days with any, learnt from "
                    + "\(usual.learnt)\n"
            }
            text += domains(
                "wrote to",
                known.wroteTo.map { domain in
                    [
                        name(domain.hash), domain.lastDay == 0 ? "never" : date(domain.lastDay),
                        domain.note == 0
                            ? ""
                            : "a receipt" + (domain.note > 1 ? " on \(date(domain.note))" : ""),
                    ]
                },
                ["domain", "last day", ""],
                isColoured
            )
            text += domains(
                "heard from",
                known.heardFrom.map {
                    [name($0.hash), date($0.lastDay), "\($0.note) day\($0.note == 1 ? "" : "s")"]
                },
                ["domain", "last day", "on"],
                isColoured
            )
        } else {
            text += "            nothing is remembered of it\n"
        }
        if !windows.isEmpty {
            var table = TextTable(
                ["rule", "group", "events", "own", "figure", "threshold", "last", "open alert"],
                rightAligned: [2, 3, 4, 5]
            )
            for window in windows {
                table.add([
                    shown(window.rule), shown(window.group.joined(separator: ", ")),
                    "\(window.events)", "\(window.eventsOfAccount)", window.figure ?? "-",
                    "\(window.threshold)", shownTime(window.last),
                    window.alert?.description ?? "-",
                ])
            }
            text += "\nwindows (UTC)\n" + indented(table.text(isColoured: isColoured))
        }
        if !silences.isEmpty {
            var table = TextTable(["silence", "until", "by", "reason"])
            for silence in silences {
                table.add([
                    shown(silence.id), shownTime(silence.untilMicroseconds),
                    shown(silence.author), shown(silence.reason),
                ])
            }
            text += "\nsilences (UTC)\n" + indented(table.text(isColoured: isColoured))
        }
        if !openAlerts.isEmpty {
            var table = TextTable(["alert", "changed", "message"], cellMax: 200)
            for row in openAlerts {
                let message = (try? JSONObjectReader.read(row.body))?["message"]?.string
                table.add([
                    shown(row.id), shownTime(row.changedMicroseconds), shown(message ?? ""),
                ])
            }
            text += "\nopen alerts (UTC)\n" + indented(table.text(isColoured: isColoured))
        }
        return text
    }

    private func domains(
        _ title: String,
        _ rows: [[String]],
        _ head: [String],
        _ isColoured: Bool
    ) -> String {
        guard !rows.isEmpty else { return "\n\(title): no domain\n" }
        var table = TextTable(head)
        for row in rows.sorted(by: { ($1[1], $0[0]) < ($0[1], $1[0]) }) { table.add(row) }
        return "\n\(title) \(rows.count) domain\(rows.count == 1 ? "" : "s")\n"
            + indented(table.text(isColoured: isColoured))
    }

    private func name(_ hash: UInt64) -> String {
        names[hash].map { shown($0) } ?? "(name not kept)"
    }

    private func indented(_ text: String) -> String {
        text.split(separator: "\n").map { "    \($0)\n" }.joined()
    }
}

struct StateForget: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Forgets an account.",
        discussion: """
            What it wrote to and heard from, the messages that came to it, its windows, its events in \
            windows of others, its alerts with their history, and silences that name it. What stays is \
            said: sealed evidence bundles, alerts that name other accounts too with their proof, alerts \
            that wait for a sink, messages that are open at the moment, and the logs themselves. Mail \
            that it sends later is learnt as that of a new account.

            EXAMPLE
              postern state forget alice@example.com
            """
    )

    @OptionGroup var folder: StateFolderOptions
    @OptionGroup var author: AuthorOptions

    @Argument(help: "The account.")
    var account: String

    func run() throws {
        var door = ControlDoor(folder: try folder.path(), author: authorName(author.by)) {
            try daemonEngine(daemonSettings(folder.config))
        }
        try conclude(door.perform(.forget(account: account)))
    }
}

struct StateExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes the memory to a file that another host can take in.",
        discussion: """
            Accounts, the domains that they wrote to and heard from, what is usual for them, and hosted \
            domains, by name: zstd-compressed JSON lines (zstd -dc shows them). It works while the \
            daemon runs. Windows, alerts and cursors are not in it. Pairs whose domain name is not known, as those of states \
            before names were kept, are left out and counted.

            EXAMPLES
              postern state export > memory.zst
              ssh mx2 postern state export | postern state import -
            """
    )

    @OptionGroup var folder: StateFolderOptions

    @Option(
        name: .shortAndLong,
        help: "The file, which must not be there. Default: standard output."
    )
    var output: String?

    func run() throws {
        let path = try folder.path()
        let store = try readState(path)
        if output == nil, StandardStream.output.isTerminal {
            throw Failure(.usage, "the memory is compressed: send it to a file, or give --output")
        }
        var file: Descriptor?
        if let output {
            do {
                file = try SystemCalls().open(
                    FilePath(output),
                    [.write, .create, .exclusive],
                    mode: 0o600
                )
            } catch {
                throw Failure(.failed, shown("\(error)"))
            }
        }
        let summary: MemoryFile.Summary
        do {
            summary = try MemoryFile.export(store, createdMicroseconds: wallClock()) { bytes in
                if file != nil {
                    try file?.writeAll(bytes)
                } else {
                    StandardStream.output.write(bytes)
                }
            }
            try file?.sync()
        } catch let error as StateError {
            throw Failure(reading: error)
        } catch let error as StoredStateError {
            throw Failure(.failed, shown("\(path): \(error)"), wayOutOfDamage)
        } catch {
            throw Failure(.failed, shown("\(error)"))
        }
        StandardStream.error.write(
            "\(summary.accounts) accounts, \(summary.pairs) pairs of an account and a domain, "
                + "\(summary.domains) domains of which deliveries told where they are hosted\n"
        )
        if summary.pairsWithoutName > 0 || summary.accountsWithoutName > 0 {
            warn(
                "left out: \(summary.pairsWithoutName) pairs whose domain has no name in the state, "
                    + "\(summary.accountsWithoutName) accounts whose name is no UTF-8"
            )
        }
    }
}

struct StateImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Merges the memory of another host into this one.",
        discussion: """
            Of each pair of an account and a domain the later day stays, of each account the earlier \
            first day, and what is usual for it from where more was learnt; so it does not matter in \
            which order memories are merged, nor how often. The whole file is checked first; with a \
            mistake in it nothing is taken, and the line is named.

            EXAMPLES
              postern state import memory.zst
              ssh mx2 postern state export | postern state import -
            """
    )

    @OptionGroup var folder: StateFolderOptions
    @OptionGroup var author: AuthorOptions

    @Argument(help: "A file that postern state export wrote, or - for standard input.")
    var file: String

    func run() throws {
        let path = try folder.path()
        let bytes = try readMemoryFile(file)
        var accounts = 0
        var pairs = 0
        do {
            try MemoryFile.read(bytes) { record in
                guard case .account(let account) = record else { return }
                accounts += 1
                pairs += account.wroteTo.count + account.heardFrom.count
            }
        } catch let error as MemoryFileError {
            throw Failure(.badData, "\(shown(file)):\(error.line): \(error.message)")
        }
        var door = ControlDoor(folder: path, author: authorName(author.by)) {
            try daemonEngine(daemonSettings(folder.config))
        }
        var batch: [MemoryRecord] = []
        var byteCount = 0
        func send() throws {
            guard !batch.isEmpty else { return }
            let answer = try door.perform(.remember(batch))
            guard answer.outcome == .done else { return try conclude(answer) }
            batch = []
            byteCount = 0
        }
        try MemoryFile.read(bytes) { record in
            // Within a request every quotation mark is escaped once more.
            let count = record.json().count * 5 / 4 + record.json().count { $0 == 0x22 } + 8
            if byteCount + count > ControlCall.bytesMax / 2 { try send() }
            batch.append(record)
            byteCount += count
        }
        try send()
        StandardStream.output.write(
            "\(accounts) records of accounts with \(pairs) pairs were merged\n"
        )
    }
}

/// The bytes of a file or of standard input, `-`.
private func readMemoryFile(_ path: String) throws -> [UInt8] {
    do {
        let calls = SystemCalls()
        let descriptor =
            path == "-" ? try calls.standardInput() : try calls.open(FilePath(path), [.read])
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = try descriptor.read(into: &buffer, 0..<buffer.count)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= MemoryFile.bytesMax else {
                throw Failure(.badData, "\(shown(path)): it has more than 2 GiB")
            }
        }
    } catch let error as SystemCallError {
        throw Failure(
            error.cause == .noSuchFileOrDirectory ? .noInput : .failed,
            shown("\(error)")
        )
    }
}

/// Microseconds since 1970.
func wallClock() -> Int64 { Clocks.realtimeMicroseconds() }
