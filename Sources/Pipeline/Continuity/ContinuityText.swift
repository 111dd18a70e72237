import SafeText

extension ContinuityDay {
    /// The day as one flat JSON object: `postern.source`, `date` (in the log's zone), `bytes`,
    /// `lines`, `first` and `last` (RFC 3339 UTC, left out when no line had a stamp), `rotations`,
    /// `cut`, `late`, `forged`, `gaps` (how many).
    public func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("postern.source", source)
        object.member("date", date)
        object.member("bytes", counts.bytes)
        object.member("lines", counts.lines)
        object.member("first", counts.firstMicroseconds.map(stamp))
        object.member("last", counts.lastMicroseconds.map(stamp))
        object.member("rotations", counts.rotations)
        object.member("cut", counts.cut)
        object.member("late", counts.late)
        object.member("forged", counts.forged)
        object.member("gaps", gapCount)
        return object.finished()
    }

    /// Each gap as one flat JSON object. It has the member `gap`, the kind's name, which a day's
    /// object has not; `lines` and `bytes` stand for what is missing and are left out when that is
    /// not known; `count` says for how many gaps it stands.
    public func gapsJSON() -> [[UInt8]] {
        gaps.map { gap in
            var object = JSONObjectWriter()
            object.member("postern.source", source)
            object.member("date", date)
            object.member("gap", gap.kind.name)
            object.member("start", gap.startMicroseconds.map(stamp))
            object.member("end", gap.endMicroseconds.map(stamp))
            object.member("lines", gap.lines)
            object.member("bytes", gap.bytes)
            object.member("count", gap.count)
            object.member("detail", gap.detail.isEmpty ? nil : gap.detail)
            object.member("message", gap.sentence)
            return object.finished()
        }
    }

    /// `2026-03-01`.
    var date: String {
        let (year, month, day) = civilDate(daysSince1970: day)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }
}

extension Gap {
    /// What is missing, why and when, as one sentence without the detail.
    public var sentence: String {
        var text = count > 1 ? "\(count) gaps: " : ""
        text += amount + " " + reason
        switch (startMicroseconds, endMicroseconds) {
        case (let start?, let end?) where start == end: text += ", at \(second(start))"
        case (let start?, let end?): text += ", from \(second(start)) to \(second(end))"
        case (let start?, nil): text += ", after \(second(start))"
        case (nil, let end?): text += ", before \(second(end))"
        case (nil, nil): text += ", at a time that is not known"
        }
        return text
    }

    private var amount: String {
        let units = [(lines, "line"), (bytes, "byte")].compactMap { count, unit in
            count.map { "\($0) \(unit)\($0 == 1 ? "" : "s")" }
        }
        if !units.isEmpty { return units.joined(separator: ", ") }
        return kind.isLoss ? "an unknown number of lines" : "some lines"
    }

    private var reason: String {
        switch kind {
        case .unreadable: "could not be read"
        case .vacuumed: "left the journal before being read"
        case .suppressed: "not written, since there were too many"
        case .lost: "lost before being read"
        case .truncated: "cut off the file before being read"
        case .daemonDown: "written and gone while postern was not running"
        case .readAgain: "read again, since reading had stopped at an uncertain place"
        }
    }
}

/// What was read and what was not, for a terminal or a pipe: a line for each day of each source in
/// aligned columns, and its gaps below it.
///
/// - Parameters:
///   - days: in the order in which they are to be shown.
///   - isColoured: whether terminal colours are wanted.
/// - Returns: whole lines; safe to show.
public func continuityTable(_ days: [ContinuityDay], isColoured: Bool) -> String {
    var rows = [
        [
            "date", "source", "lines", "bytes", "first", "last", "rotations", "cut", "late",
            "forged", "gaps",
        ]
    ]
    for day in days {
        let counts = day.counts
        rows.append([
            day.date, shown(day.source), String(counts.lines), String(counts.bytes),
            counts.firstMicroseconds.map(second) ?? "-", counts.lastMicroseconds.map(second) ?? "-",
            String(counts.rotations), String(counts.cut), String(counts.late),
            String(counts.forged), String(day.gapCount),
        ])
    }
    let numbers: Set<Int> = [2, 3, 6, 7, 8, 9, 10]
    let widths = rows[0].indices.map { column in
        rows.map { $0[column].unicodeScalars.count }.max() ?? 0
    }
    func line(_ row: [String]) -> String {
        let cells = row.indices.map { column in
            let text = row[column]
            let space = String(repeating: " ", count: widths[column] - text.unicodeScalars.count)
            return numbers.contains(column) ? space + text : text + space
        }
        return cells.joined(separator: "  ")
    }
    func coloured(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }
    var text = coloured(line(rows[0]), "1") + "\n"
    for (day, row) in zip(days, rows.dropFirst()) {
        text += line(row) + "\n"
        for gap in day.gaps {
            let detail = gap.detail.isEmpty ? "" : ": " + shown(gap.detail)
            let words = "\(gap.kind.name): \(gap.sentence)\(detail)"
            text += "    " + coloured(words, gap.kind.isLoss ? "31" : "33") + "\n"
        }
    }
    return text
}

/// RFC 3339 in UTC with whole seconds.
private func second(_ microseconds: Int64) -> String {
    String(rfc3339(microseconds: microseconds).dropLast(5)) + "Z"
}

private func stamp(_ microseconds: Int64) -> String { rfc3339(microseconds: microseconds) }
