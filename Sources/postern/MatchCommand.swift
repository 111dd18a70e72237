import ArgumentParser
import Detection
import LinuxIO
import Pipeline
import SafeText
import Sigma
import SystemPackage

struct MatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "match",
        abstract: "Tells which Sigma rules match which events, of any JSON lines.",
        discussion: """
            Each line of the input is one event: a JSON object. The fields of nested objects have \
            dotted names, and a field with an array matches when one of its elements does. For each \
            rule that matches an event, also one that other rules build on, one line comes out: the \
            event's number, counted from 0 over all inputs, and the rule's ID.

            Only the rules of --rules are used. Correlations go by the field @timestamp (RFC 3339, or \
            seconds or milliseconds since 1970); events may be up to 5 minutes out of order.

            Ends with status 0 whether or not anything matched; with 65 at a line that is no JSON \
            object, and with 78 when there is a mistake in the rules. Doubts about rules are told by \
            postern check.

            EXAMPLES
              postern match --rules ./rules events.jsonl
              postern events --json mail.log | postern match --rules ./rules -
              postern match --rules rule.yml --rules filter.yml a.jsonl b.jsonl
            """
    )

    @Option(name: .long, help: "Folder or file of rules. May be repeated.")
    var rules: [String]

    @Option(
        name: .long,
        help: "Settings file, for the placeholders of expand; without it none is read."
    )
    var config: String?

    @Argument(help: "Files of JSON lines, or - for standard input.")
    var inputs: [String]

    func validate() throws {
        if rules.isEmpty { throw ValidationError("--rules names the folder of the rules") }
        if inputs.count(where: { $0 == "-" }) > 1 {
            throw ValidationError("standard input can be read only once")
        }
    }

    func run() throws {
        let settings = try config.map(readSettings)
        let found = try loadCheckedRules(
            shipped: false,
            folders: rules,
            settings: settings,
            knowsEvents: false
        )
        var mistakes = found.mistakes
        guard mistakes.isEmpty else {
            throw Failure(.settings, all: mistakes.map(safeText))
        }
        var run = MatchRun(EventMatcher(found.rules, mistakes: &mistakes))
        do {
            for input in inputs { try run.read(input) }
        } catch {
            run.finish()
            throw error
        }
        run.finish()
        run.tellCounters()
    }
}

/// One pass over the events.
private struct MatchRun: ~Copyable {
    /// No line is longer.
    private static let lineBytesMax = 64 << 20
    private static let chunkByteCount = 1 << 18

    private var matcher: EventMatcher
    private var matches: [EventMatch] = []
    private var output = BufferedOutput()
    /// By rule: the end of its output line.
    private let endings: [[UInt8]]
    private var line: [UInt8] = []

    init(_ matcher: consuming EventMatcher) {
        endings = matcher.ruleIDs.map { id in
            var object = JSONObjectWriter()
            object.member("rule", id)
            return [UInt8(ascii: ",")] + object.finished().dropFirst()
        }
        self.matcher = matcher
    }

    /// Reads one input to its end.
    mutating func read(_ name: String) throws {
        let title = name == "-" ? "standard input" : shown(name)
        do {
            let calls = SystemCalls()
            let descriptor =
                name == "-" ? try calls.standardInput() : try calls.open(FilePath(name), .read)
            var buffer = [UInt8](repeating: 0, count: Self.chunkByteCount)
            var filled = 0
            var lineNumber = 0
            while true {
                if filled == buffer.count {
                    guard filled < Self.lineBytesMax else {
                        throw Failure(
                            .badData,
                            "\(title):\(lineNumber + 1):1: a line of at most "
                                + "\(Self.lineBytesMax) bytes was expected"
                        )
                    }
                    buffer += [UInt8](repeating: 0, count: buffer.count)
                }
                let count = try descriptor.read(into: &buffer, filled..<buffer.count)
                let searched = filled
                filled += count
                let isLast = count == 0
                let start = try takeLines(
                    buffer.span.extracting(0..<filled),
                    searchedFrom: searched,
                    isLast: isLast,
                    title,
                    &lineNumber
                )
                if isLast { break }
                for index in start..<filled { buffer[index - start] = buffer[index] }
                filled -= start
            }
        } catch let error as SystemCallError {
            throw Failure(
                error.cause == .noSuchFileOrDirectory ? .noInput : .failed,
                "\(title): \(error.cause)"
            )
        }
    }

    /// Takes the lines of `text`; the last one only if its end is there or nothing more comes.
    ///
    /// - Returns: where the first line begins that was not taken.
    private mutating func takeLines(
        _ text: Span<UInt8>,
        searchedFrom searched: Int,
        isLast: Bool,
        _ title: String,
        _ lineNumber: inout Int
    ) throws -> Int {
        var start = 0
        var position = searched
        while position < text.count {
            guard text[position] == UInt8(ascii: "\n") else {
                position += 1
                continue
            }
            lineNumber += 1
            try take(text.extracting(start..<position), title, lineNumber)
            position += 1
            start = position
        }
        if isLast, start < text.count {
            lineNumber += 1
            try take(text.extracting(start..<text.count), title, lineNumber)
        }
        return start
    }

    private mutating func take(
        _ line: Span<UInt8>,
        _ title: String,
        _ lineNumber: Int
    ) throws {
        // A byte order mark may stand before the first line; empty lines are no events.
        let isMarked =
            lineNumber == 1 && line.count >= 3 && line[0] == 0xEF && line[1] == 0xBB
            && line[2] == 0xBF
        let markCount = isMarked ? 3 : 0
        let text = line.extracting(markCount..<line.count)
        if text.isBlank { return }
        do throws(EventReadError) {
            try matcher.take(text, into: &matches)
        } catch {
            throw Failure(
                .badData,
                "\(title):\(lineNumber):\(markCount + error.offset + 1): "
                    + "\(error.expected) was expected"
            )
        }
        if !matches.isEmpty { write() }
    }

    private mutating func write() {
        for match in matches {
            line.removeAll(keepingCapacity: true)
            line += #"{"event":"#.utf8
            line += String(match.event).utf8
            line += endings[match.rule]
            output.writeLine(line)
        }
        matches.removeAll(keepingCapacity: true)
    }

    /// Tells what is certain once there are no more events.
    mutating func finish() {
        matcher.finish(into: &matches)
        write()
        output.flush()
    }

    /// Tells on standard error what a correlation did not see, and what was given up.
    mutating func tellCounters() {
        let counters = matcher.counters
        if counters.withoutTime > 0 {
            warn("\(counters.withoutTime) events without @timestamp: no correlation sees them")
        }
        if counters.late > 0 {
            warn(
                "\(counters.late) events are more than 5 minutes behind those before them: "
                    + "no correlation sees them; sort the input by @timestamp"
            )
        }
        if counters.windowsFull > 0 {
            warn("\(counters.windowsFull) times the oldest event left a window that was full")
        }
        if counters.groupsLeft > 0 {
            warn("\(counters.groupsLeft) groups left, since there were too many")
        }
        for (id, searches) in matcher.takeLimitedRules() {
            warn(
                "rule \(shown(id)): \(searches) searches for a regular expression were given up at "
                    + "the match limit, and so matched nothing"
            )
        }
    }
}

extension Span where Element == UInt8 {
    /// Nothing but white space.
    fileprivate var isBlank: Bool {
        for index in indices {
            switch self[index] {
            case 0x20, 0x09, 0x0D: continue
            default: return false
            }
        }
        return true
    }
}
