import Glibc
import LinuxIO
import Pipeline
import SafeText
import Settings
import State
import SystemPackage

/// Asks the daemon that has the state folder; nil when none runs.
///
/// What it cannot do just now it is asked again for ten seconds.
func askDaemon(
    _ request: ControlRequest,
    author: String,
    folder: FilePath
) throws -> ControlAnswer? {
    let call = ControlCall(request, author: author)
    let deadline = Clocks.monotonicNanoseconds() + 10_000_000_000
    while true {
        do {
            guard let client = try ControlClient.connect(to: folder) else { return nil }
            let answer = try client.ask(call)
            guard answer.outcome == .busy, Clocks.monotonicNanoseconds() < deadline else {
                return answer
            }
        } catch {
            throw Failure(.failed, shown(error.message))
        }
        usleep(200_000)
    }
}

/// Has requests carried out: by the daemon, or on the state itself while none runs.
struct ControlDoor {
    let folder: FilePath
    let author: String
    /// What the engine of the daemon would be made of; asked for only when there is no daemon.
    let engine: () throws -> EngineSettings
    private var offline: OfflineState?

    init(folder: FilePath, author: String, engine: @escaping () throws -> EngineSettings) {
        self.folder = folder
        self.author = author
        self.engine = engine
    }

    private func openOffline() throws -> OfflineState {
        do {
            return try OfflineState(folder: folder)
        } catch {
            throw Failure(reading: error)
        }
    }

    mutating func perform(_ request: ControlRequest) throws -> ControlAnswer {
        if offline == nil,
            let answer = try askDaemon(request, author: author, folder: folder)
        {
            return answer
        }
        let state = try offline ?? openOffline()
        offline = state
        do {
            return try state.perform(ControlCall(request, author: author), engine: engine)
        } catch let error as StateError {
            throw Failure(reading: error)
        } catch let error as StoredStateError {
            throw Failure(.failed, shown("\(folder): \(error)"), wayOutOfDamage)
        }
    }
}

/// Prints what came of a request, and ends the command with its status.
func conclude(_ answer: ControlAnswer) throws {
    switch answer.outcome {
    case .done:
        StandardStream.output.write(answer.message + "\n")
        for detail in answer.details { StandardStream.output.write("  \(detail)\n") }
    case .missing: throw Failure(.noInput, all: [answer.message] + answer.details)
    case .refused: throw Failure(.usage, all: [answer.message] + answer.details)
    case .busy, .failed: throw Failure(.failed, all: [answer.message] + answer.details)
    }
}

/// Who types this: behind sudo the user that called it.
func authorName(_ named: String? = nil) -> String {
    if let named { return named }
    if let user = unsafe getenv("SUDO_USER") {
        let name = unsafe String(cString: user)
        if !name.isEmpty { return name }
    }
    return UserAccounts.name(ofUserID: geteuid()) ?? "user \(geteuid())"
}

/// Columns of text, aligned; the last one is not padded. Cells must be safe to show.
struct TextTable {
    private var rows: [[String]]
    private let rightAligned: Set<Int>
    /// Scalars of one cell on a terminal; the rest is cut.
    private let cellMax: Int

    init(_ head: [String], rightAligned: Set<Int> = [], cellMax: Int = 64) {
        rows = [head]
        self.rightAligned = rightAligned
        self.cellMax = cellMax
    }

    var isEmpty: Bool { rows.count == 1 }

    mutating func add(_ row: [String]) {
        rows.append(
            row.map { cell in
                let scalars = cell.unicodeScalars
                guard scalars.count > cellMax else { return cell }
                return String(String.UnicodeScalarView(scalars.prefix(cellMax - 1))) + "…"
            }
        )
    }

    /// Whole lines.
    func text(isColoured: Bool) -> String {
        let widths = rows[0].indices.map { column in
            rows.map { $0[column].unicodeScalars.count }.max() ?? 0
        }
        var text = ""
        for (index, row) in rows.enumerated() {
            var line = ""
            for (column, cell) in row.enumerated() {
                if column > 0 { line += "  " }
                let space = String(
                    repeating: " ",
                    count: widths[column] - cell.unicodeScalars.count
                )
                if rightAligned.contains(column) {
                    line += space + cell
                } else {
                    line += column == row.count - 1 ? cell : cell + space
                }
            }
            text += index == 0 && isColoured ? "\u{1b}[1m\(line)\u{1b}[0m\n" : line + "\n"
        }
        return text
    }
}

/// `2026-03-01 10:00:00`, UTC.
func shownTime(_ microseconds: Int64) -> String {
    let text = rfc3339(microseconds: microseconds)
    return text.prefix(10) + " " + text.dropFirst(11).prefix(8)
}

/// Microseconds since 1970 of `2026-03-01` or of RFC 3339; nil of anything else.
func moment(_ text: String) -> Int64? {
    parseRFC3339(text.utf8.count == 10 ? text + "T00:00:00Z" : text)
}

/// Microseconds of a span such as `90m`, `12h`, `7d` or `2w`; nil of anything else.
func span(_ text: String) -> Int64? {
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
    guard let unit = text.last.flatMap({ units[$0] }),
        text.utf8.dropLast().allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
        let count = Int64(text.dropLast()), count > 0, count <= 100_000_000 / unit * 60
    else { return nil }
    return count * unit * 1_000_000
}
