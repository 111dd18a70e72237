import ArgumentParser
import Glibc

/// What a benchmark found: a table, or the same as one JSON object.
struct BenchReport {
    private let benchmark: String
    private var inputs: [(name: String, value: String)] = []
    private var figures: [(name: String, unit: String, spread: Spread)] = []

    /// - Parameter benchmark: the subcommand.
    init(_ benchmark: String) { self.benchmark = benchmark }

    /// Says what was measured.
    mutating func input(_ name: String, _ value: some CustomStringConvertible) {
        inputs.append((name, "\(value)"))
    }

    /// Adds a figure that was taken several times.
    mutating func add(_ name: String, _ unit: String, _ values: [Double]) {
        figures.append((name, unit, Spread(values)))
    }

    /// Adds a figure that was taken once.
    mutating func add(_ name: String, _ unit: String, _ value: some BinaryInteger) {
        add(name, unit, [Double(value)])
    }

    func text(asJSON: Bool) -> String { asJSON ? json : table }

    private var table: String {
        let nameWidth = (figures.map(\.name.count).max() ?? 0) + 2
        var lines = [
            "machine  \(Machine.processor), \(Machine.cores) cores",
            "build    \(Machine.build)",
            "input    " + inputs.map { "\($0.name) \($0.value)" }.joined(separator: ", "),
            "",
            Self.left("", nameWidth)
                + ["min", "median", "max"].map { Self.right($0, 12) }.joined(),
        ]
        for (name, unit, spread) in figures {
            // What was taken once has no spread.
            let values =
                spread.min == spread.max
                ? [nil, spread.median, nil]
                : [
                    spread.min, spread.median, spread.max,
                ]
            let cells = values.map { Self.right($0.map(Self.rounded) ?? "", 12) }.joined()
            lines.append(Self.left(name, nameWidth) + cells + "  " + unit)
        }
        return lines.joined(separator: "\n")
    }

    private var json: String {
        let inputs = inputs.map { "\(Self.quoted($0.name)):\(Self.quoted($0.value))" }
        let figures = figures.map { figure in
            #"{"name":\#(Self.quoted(figure.name)),"unit":\#(Self.quoted(figure.unit)),"#
                + #""spread":\#(figure.spread.json)}"#
        }
        return
            #"{"benchmark":\#(Self.quoted(benchmark)),"machine":\#(Self.quoted(Machine.processor)),"#
            + #""cores":\#(Machine.cores),"build":\#(Self.quoted(Machine.build)),"#
            + #""input":{\#(inputs.joined(separator: ","))},"#
            + #""figures":[\#(figures.joined(separator: ","))]}"#
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\u{0}"..<"\u{20}": quoted += " "
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// Three digits or more, of which at most two behind the point.
    private static func rounded(_ value: Double) -> String {
        guard abs(value) < 100, value != value.rounded() else {
            return Int(exactly: value.rounded()).map(String.init) ?? "\(value)"
        }
        let hundredths = Int((abs(value) * 100).rounded())
        let rest = hundredths % 100
        return "\(value < 0 ? "-" : "")\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

/// How a benchmark is printed.
struct ReportOptions: ParsableArguments {
    @Flag(help: "One JSON object instead of a table.")
    var json = false

    func print(_ report: BenchReport) { Swift.print(report.text(asJSON: json)) }
}

/// A command that was run, with its output thrown away.
struct TimedCommand {
    var seconds: Double
    var processorSeconds: Double
    /// Largest resident size, KiB.
    var kilobytes: Int

    /// It could not be run, or did not end well.
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter command: the program's path and its arguments.
    init(_ command: [String]) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for descriptor in [Int32(1), 2] {
            unsafe posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
        }
        // The strings live until posix_spawn(3) has returned.
        let words = unsafe command.map { unsafe strdup($0) }
        defer { unsafe words.forEach { unsafe free($0) } }
        var process: pid_t = 0
        let start = nanoseconds(of: CLOCK_MONOTONIC)
        let result = unsafe posix_spawn(&process, command[0], &actions, nil, words + [nil], environ)
        guard result == 0 else { throw Failed(description: "\(command[0]): error \(result)") }
        var status: Int32 = 0
        var usage = rusage()
        while unsafe wait4(process, &status, 0, &usage) < 0, errno == EINTR {}
        seconds = Double(nanoseconds(of: CLOCK_MONOTONIC) - start) / 1e9
        guard status == 0 else { throw Failed(description: "\(command[0]): wait status \(status)") }
        func value(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        processorSeconds = value(usage.ru_utime) + value(usage.ru_stime)
        kilobytes = usage.ru_maxrss
    }
}
