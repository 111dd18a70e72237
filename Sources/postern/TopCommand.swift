import Alerting
import ArgumentParser
import Glibc
import LinuxIO
import Pipeline
import SafeText
import State
import SystemPackage

struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "What the daemon sees now, live in the terminal.",
        discussion: """
            Lines and sends, whether the log says what is needed, open alerts, and the accounts of \
            the last hour by sends, by sends to unseen domains, or by read receipts. An alert can be \
            shown in full, noted as seen, and its account silenced. ? tells the keys.

            Where the terminal cannot be addressed (TERM=dumb) or there is none, the same is printed \
            as text, again and again or, with --once, once.

            EXAMPLES
              postern top
              postern top --once
              postern top --interval 5
            """
    )

    @OptionGroup var folder: StateFolderOptions

    @Option(name: .long, help: "Seconds between two looks.")
    var interval = 1

    @Flag(name: .long, help: "Print it once as text.")
    var once = false

    func validate() throws {
        if !(1...3_600).contains(interval) {
            throw ValidationError("--interval takes seconds from 1 to 3600")
        }
    }

    func run() throws {
        let path = try folder.path()
        let isUnicode = RawTerminal.adoptLocale()
        let isDumb = unsafe getenv("TERM").map { unsafe String(cString: $0) == "dumb" } ?? true
        let isColoured = StandardStream.output.wantsColour && !isDumb
        var session = TopSession(
            folder: path,
            screen: TopScreen(isColoured: isColoured, isUnicode: isUnicode)
        )
        try session.look()
        do {
            if once || isDumb || !StandardStream.output.isTerminal {
                try printed(&session)
            } else {
                try interactive(&session)
            }
        } catch let error as SystemCallError {
            throw Failure(.failed, shown("\(error)"))
        }
    }

    private func printed(_ session: inout TopSession) throws {
        while true {
            let rows = max(24, session.alerts.count + session.rowCount)
            let columns = StandardStream.output.columns ?? 80
            for line in session.lines(columns: columns, rows: rows).dropLast() where !line.isEmpty {
                StandardStream.output.write(line + "\n")
            }
            if once || !StandardStream.output.isTerminal { return }
            StandardStream.output.write("\n")
            sleep(UInt32(interval))
            try session.look()
        }
    }

    private func interactive(_ session: inout TopSession) throws {
        // Before the terminal is changed: from then on no signal ends the process by itself.
        let signals = try SignalQueue([
            SignalNumber.terminate, SignalNumber.interrupt, SignalNumber.hangUp, Self.resized,
        ])
        guard var terminal = RawTerminal() else {
            throw Failure(.failed, "this terminal cannot be set; --once prints the same as text")
        }
        var last: [String] = []
        var nextLook = Clocks.monotonicNanoseconds() + UInt64(interval) * 1_000_000_000
        do {
            while true {
                draw(session, terminal, &last)
                let now = Clocks.monotonicNanoseconds()
                var set = PollSet()
                let keys = set.add(libraryDescriptor: terminal.inputDescriptor)
                _ = set.add(signals)
                _ = try set.wait(atMost: nextLook - min(nextLook, now))
                while let signal = try signals.next() {
                    if signal != Self.resized {
                        terminal.restore()
                        return
                    }
                    // The terminal may show anything now.
                    last = []
                }
                if set.isReady(keys) {
                    let typed = terminal.read()
                    guard !typed.isEmpty, try session.take(typed) else {
                        terminal.restore()
                        return
                    }
                }
                if Clocks.monotonicNanoseconds() >= nextLook {
                    nextLook =
                        Clocks.monotonicNanoseconds() + UInt64(interval) * 1_000_000_000
                    if !session.screen.isPaused { try session.look() }
                }
            }
        } catch {
            terminal.restore()
            throw error
        }
    }

    /// SIGWINCH (signal(7), x86 and ARM).
    private static let resized: Int32 = 28

    /// Only lines that changed, so that nothing flickers.
    private func draw(
        _ session: TopSession,
        _ terminal: borrowing RawTerminal,
        _ last: inout [String]
    ) {
        let (columns, rows) = terminal.size
        let lines = session.lines(columns: columns, rows: rows)
        var text = last.count == lines.count ? "" : "\u{1b}[2J"
        let isFresh = !text.isEmpty
        for (index, line) in lines.enumerated() where isFresh || line != last[index] {
            text += "\u{1b}[\(index + 1);1H\u{1b}[K\(line)"
        }
        last = lines
        if !text.isEmpty { terminal.write(Array(text.utf8)) }
    }
}

/// What is shown, and what keys do.
struct TopSession {
    let folder: FilePath
    var screen: TopScreen
    private(set) var alerts: [TopAlert] = []
    private var reading: LiveReading?
    private var store: StateReader?

    private static let alertsMax = 200

    init(folder: FilePath, screen: TopScreen) {
        self.folder = folder
        self.screen = screen
    }

    var rowCount: Int { 12 + (reading?.accounts.count ?? 0) + (reading?.sources.count ?? 0) }

    /// Asks the daemon, and reads which alerts are open.
    mutating func look() throws {
        guard let reading = try liveReading(folder) else {
            throw Failure(.failed, "no daemon runs on \(shown(folder.string))")
        }
        self.reading = reading
        let store = try self.store ?? readState(folder)
        self.store = store
        do {
            let acknowledged = try store.acknowledgements()
            let silenced = try store.silenced()
            let chosen =
                alerts.indices.contains(screen.selected) ? alerts[screen.selected].row.id : nil
            alerts = try store.alerts(status: "open", limit: Self.alertsMax).compactMap { row in
                guard let facts = try? AlertFacts(json: row.body) else { return nil }
                var note: String?
                if let last = acknowledged[row.id]?.last { note = "seen by \(last.author)" }
                if silenced["\(row.id).\(row.sequence)"] != nil { note = "silenced" }
                return TopAlert(row: row, facts: facts, note: note)
            }
            // The one that was chosen stays so, wherever it went.
            screen.selected =
                alerts.firstIndex { $0.row.id == chosen }
                ?? min(screen.selected, max(0, alerts.count - 1))
        } catch {
            throw Failure(reading: error)
        }
    }

    func lines(columns: Int, rows: Int) -> [String] {
        guard let reading else { return [] }
        return screen.lines(reading, alerts, columns: columns, rows: rows)
    }

    /// - Returns: false to quit.
    mutating func take(_ typed: [UInt8]) throws -> Bool {
        screen.message = nil
        let escape: UInt8 = 0x1b
        // A lone escape is the key; more behind it is an arrow (ctlseqs: CSI or SS3, A up, B down).
        let isArrow =
            typed.count >= 3 && typed[0] == escape
            && (typed[1] == UInt8(ascii: "[") || typed[1] == UInt8(ascii: "O"))
        let key: Character =
            isArrow
            ? typed[2] == UInt8(ascii: "A") ? "k" : typed[2] == UInt8(ascii: "B") ? "j" : " "
            : Character(Unicode.Scalar(typed[0]))
        if key == "q" || typed[0] == 3 { return false }
        if screen.overlay == .silence {
            try silence(key)
            return true
        }
        switch key {
        case "\u{1b}": screen.overlay = .none
        case "?", "h": screen.overlay = screen.overlay == .help ? .none : .help
        case "s": screen.order = .sends
        case "u": screen.order = .unseen
        case "r": screen.order = .receipts
        case "j": screen.selected = min(screen.selected + 1, max(0, alerts.count - 1))
        case "k": screen.selected = max(0, screen.selected - 1)
        case "\r", "\n":
            screen.overlay = screen.overlay == .alert || alerts.isEmpty ? .none : .alert
        case "p": screen.isPaused.toggle()
        case "a":
            guard alerts.indices.contains(screen.selected) else { break }
            let id = alerts[screen.selected].row.id
            try ask(.acknowledge(alert: id, note: nil))
        case "m":
            guard alerts.indices.contains(screen.selected) else { break }
            let facts = alerts[screen.selected].facts
            if facts.account == nil, facts.accounts.count != 1 {
                screen.message =
                    "it is of \(facts.accounts.count) accounts: postern alerts silence --rule"
            } else {
                screen.overlay = .silence
            }
        default: break
        }
        return true
    }

    private mutating func silence(_ key: Character) throws {
        screen.overlay = .none
        let hours: [Character: Int64] = ["1": 1, "2": 24, "3": 7 * 24]
        guard let hours = hours[key], alerts.indices.contains(screen.selected) else { return }
        let facts = alerts[screen.selected].facts
        let until = Clocks.realtimeMicroseconds() + hours * 3_600_000_000
        try ask(
            .silence(
                ControlRequest.NewSilence(
                    account: facts.account ?? facts.accounts.first,
                    rule: nil,
                    domain: nil,
                    untilMicroseconds: until,
                    reason: "postern top, alert \(facts.id)"
                )
            )
        )
    }

    private mutating func ask(_ request: ControlRequest) throws {
        guard let answer = try askDaemon(request, author: authorName(), folder: folder) else {
            screen.message = "the daemon does not run"
            return
        }
        screen.message = answer.message
        try look()
    }
}
