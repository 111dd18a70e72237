import Foundation
import Glibc
import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport
import Testing

/// A journal entry as it is written to a journal or an export.
struct CraftedEntry: Hashable {
    var fields: [Field]

    struct Field: Hashable {
        var name: String
        var value: [UInt8]
    }

    /// An entry of Postfix's smtpd, as journald stores it.
    ///
    /// - Parameters:
    ///   - number: makes its time and PID.
    ///   - changes: fields that are other than usual; nil leaves one out.
    init(_ number: Int, _ message: [UInt8], _ changes: [String: String?] = [:]) {
        let time = "\(1_795_000_000_000_000 + number)"
        let usual: [(String, String)] = [
            ("__REALTIME_TIMESTAMP", time), ("__MONOTONIC_TIMESTAMP", time),
            ("_BOOT_ID", "0123456789abcdef0123456789abcdef"), ("PRIORITY", "6"),
            ("SYSLOG_FACILITY", "2"), ("SYSLOG_IDENTIFIER", "postfix/smtpd"),
            ("SYSLOG_PID", "\(1_000 + number % 1_000)"), ("_UID", "0"), ("_COMM", "smtpd"),
            ("_SYSTEMD_UNIT", "postfix@-.service"), ("_HOSTNAME", "mail"), ("_TRANSPORT", "syslog"),
        ]
        fields = []
        for (name, value) in usual {
            guard let change = changes[name] else {
                fields.append(Field(name: name, value: Array(value.utf8)))
                continue
            }
            if let change { fields.append(Field(name: name, value: Array(change.utf8))) }
        }
        for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
            guard let value, !usual.contains(where: { $0.0 == name }) else { continue }
            fields.append(Field(name: name, value: Array(value.utf8)))
        }
        fields.append(Field(name: "MESSAGE", value: message))
    }

    init(_ number: Int, _ message: String, _ changes: [String: String?] = [:]) {
        self.init(number, Array(message.utf8), changes)
    }

    func value(_ name: String) -> [UInt8]? { fields.first { $0.name == name }?.value }

    /// As in an export, without the empty line.
    var exported: [UInt8] {
        var bytes: [UInt8] = []
        for field in fields {
            bytes += Array(field.name.utf8)
            if field.value.allSatisfy({ $0 >= 32 || $0 == 9 }) {
                bytes += [UInt8(ascii: "=")] + field.value
            } else {
                let count = UInt64(field.value.count)
                bytes.append(10)
                bytes += (0..<8).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
                bytes += field.value
            }
            bytes.append(10)
        }
        return bytes
    }

    /// The line that it must become: written anew, from the description and not from the code.
    var line: [UInt8] {
        func word(_ value: [UInt8]?, _ more: [UInt8]) -> [UInt8] {
            guard let value, !value.isEmpty else { return Array("-".utf8) }
            return value.prefix(255).map {
                $0 <= 32 || $0 == 127 || more.contains($0) ? UInt8(ascii: "?") : $0
            }
        }
        let source = value("_SOURCE_REALTIME_TIMESTAMP") ?? value("__REALTIME_TIMESTAMP") ?? []
        let microseconds = Int64(String(decoding: source, as: UTF8.self)) ?? 0
        let second = Date(timeIntervalSince1970: Double(microseconds / 1_000_000))
        let stamp =
            second.formatted(.iso8601).dropLast()
            + String(format: ".%06d+00:00 ", Int(microseconds % 1_000_000))
        var line = Array(stamp.utf8) + word(value("_HOSTNAME"), [])
        line += [32] + word(value("SYSLOG_IDENTIFIER") ?? value("_COMM"), Array("[]:".utf8))
        if let pid = value("SYSLOG_PID") ?? value("_PID") { line += [91] + pid + [93] }
        line += Array(": ".utf8)
        var message = value("MESSAGE") ?? []
        if message.last == 10 { message.removeLast() }
        for byte in message {
            let part = byte < 32 || byte == 127 ? Array(String(format: "#%03o", byte).utf8) : [byte]
            if line.count + part.count > SourceLimits.lineBytesMax { break }
            line += part
        }
        return line
    }
}

func export(_ entries: [CraftedEntry]) -> [UInt8] { entries.flatMap { $0.exported + [10] } }

var canMakeJournals: Bool {
    FileManager.default.isExecutableFile(atPath: "/lib/systemd/systemd-journal-remote")
}

extension ScratchFolder {
    /// A real journal file with these entries.
    func journal(_ name: String, _ entries: [CraftedEntry]) throws -> FilePath {
        try journal(name, export: export(entries))
    }

    func journal(_ name: String, export text: [UInt8]) throws -> FilePath {
        let exported = try file(name + ".export-in", text)
        let target = path.appending(name)
        try run("/lib/systemd/systemd-journal-remote", "-o", target.string, exported.string)
        try SystemCalls().remove(exported)
        return target
    }
}

struct CommandFailed: Error { var command: [String] }

/// Runs a command to its end.
func run(_ command: String...) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw CommandFailed(command: command) }
}

/// What a source of journal entries gave.
struct GivenEntries {
    var lines: [[UInt8]] = []
    var positions: [UInt64] = []
    var files: [UInt32] = []
    var forgedCount = 0
    var linesCut = 0
    var ends: [BatchEnd] = []
    var notes: [SourceNote] = []

    var texts: [String] { lines.map { String(decoding: $0, as: UTF8.self) } }

    /// Takes what is in `batch`, and checks what every batch promises.
    mutating func take(_ batch: borrowing Batch) {
        precondition(batch.positions.isEmpty || batch.positions.count == batch.lines.count)
        var end: UInt32 = 0
        for (index, line) in batch.lines.enumerated() {
            precondition(line.start >= end, "lines overlap")
            end = line.start + line.length
            precondition(Int(end) <= batch.byteCount, "a line is outside the batch")
            let bytes = Array(batch.bytes[Int(line.start)..<Int(end)])
            precondition(!bytes.contains(10), "a line holds a newline")
            lines.append(bytes)
            positions.append(batch.offset(ofLine: index))
            files.append(batch.file.rawValue)
        }
        forgedCount += batch.forgedCount
        linesCut += batch.linesCut
        if batch.end != .more { ends.append(batch.end) }
    }

    var damages: [SourceProblem.Damage] {
        notes.compactMap { if case .damaged(let problem) = $0 { problem.damage } else { nil } }
    }

    var forged: [ForgedEntries] {
        notes.compactMap { if case .forged(let forged) = $0 { forged } else { nil } }
    }

    var suppressed: [SuppressedMessages] {
        notes.compactMap { if case .suppressed(let note) = $0 { note } else { nil } }
    }

    var vacuumed: [VacuumedEntries] {
        notes.compactMap { if case .vacuumed(let note) = $0 { note } else { nil } }
    }
}

/// Reads journals and exports to their end.
func replayEntries(
    _ paths: [FilePath],
    _ selection: JournalSelection = JournalSelection(),
    readBytes: Int = ReplayLimits.readBytes,
    lineCapacity: Int = 1_000
) throws -> GivenEntries {
    let opened = try openInputs(paths)
    var source = ReplaySource(
        inputs: opened.inputs,
        readBytes: readBytes,
        journals: selection
    )
    var batch = Batch(byteCapacity: LineSplitter.batchBytesMin, lineCapacity: lineCapacity)
    var given = GivenEntries()
    while try source.fill(&batch) == .lines { given.take(batch) }
    given.notes = source.takeNotes()
    return given
}

/// Whether they are alike; without a listing of thousands of bytes when they are not.
func areSame(_ left: [[UInt8]], _ right: [[UInt8]]) -> Bool {
    if left == right { return true }
    let index = zip(left, right).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    Issue.record("\(left.count) and \(right.count) lines, the first other at \(index ?? -1)")
    return false
}

/// A corpus log as entries.
func corpusEntries(_ name: String) throws -> [CraftedEntry] {
    let text = Array(try Data(contentsOf: corpus(name + ".log")))
    var entries: [CraftedEntry] = []
    for (index, line) in text.split(separator: 10).enumerated() {
        let words = String(decoding: line, as: UTF8.self)
        // `Nov 23 14:58:55 mail postfix/smtpd[12]: TEXT`
        let parts = words.dropFirst(16).split(separator: " ", maxSplits: 2)
        let tag = parts[1].split(separator: "[")
        let pid = String(tag[1].dropLast(2))
        let message = Array(
            line[line.index(line.startIndex, offsetBy: line.count - parts[2].utf8.count)...]
        )
        entries.append(
            CraftedEntry(
                index,
                message,
                [
                    "SYSLOG_IDENTIFIER": String(tag[0]), "SYSLOG_PID": pid,
                    "_COMM": tag[0].split(separator: "/").last.map(String.init),
                    "_HOSTNAME": String(parts[0]),
                ]
            )
        )
    }
    return entries
}

// MARK: A live journald

/// A systemd-journald of its own: see `Tests/Rigs/journald`.
final class RealJournald {
    let folder: FilePath
    private let process = Process()
    private let socket: Int32

    /// It needs root, for a mount name space.
    static var isPossible: Bool {
        geteuid() == 0
            && FileManager.default.isExecutableFile(atPath: "/lib/systemd/systemd-journald")
    }

    struct NotStarted: Error {}

    init(_ folder: FilePath, settings: [String] = []) throws {
        self.folder = folder
        process.executableURL = sourceTree.appendingPathComponent("Tests/Rigs/journald")
        process.arguments = [folder.string] + settings
        process.standardError = FileHandle.nullDevice
        try process.run()
        let path = folder.string + "/run/systemd/journal/dev-log"
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let socket = socket
        guard eventually(30, { Self.connect(socket, path) }) else { throw NotStarted() }
        // It listens before it has a journal.
        let hasJournal = try eventually(30) { try !fileNames().isEmpty }
        guard hasJournal else { throw NotStarted() }
    }

    deinit {
        close(socket)
        process.terminate()
        process.waitUntilExit()
    }

    private static func connect(_ socket: Int32, _ path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) {
            unsafe $0.copyBytes(from: path.utf8)
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(socket, $0, size) == 0
            }
        }
    }

    /// Writes a line as syslog(3) does, facility mail; waits while journald's queue is full.
    func log(_ message: String, tag: String = "postfix/smtpd", priority: Int = 22) {
        let bytes = Array("<\(priority)>\(tag)[7]: \(message)".utf8)
        let count = unsafe send(socket, bytes, bytes.count, 0)
        precondition(count == bytes.count, "journald does not take messages")
    }

    var socketPath: String { folder.string + "/run/systemd/journal/dev-log" }

    /// The folder in which its journals lie, in one named after the machine.
    var journals: FilePath { folder.appending("log/journal") }

    /// Archives the present file and begins a new one; it happens some time later.
    func askToRotate() { kill(process.processIdentifier, SIGUSR2) }

    /// Names of the journal files.
    func fileNames() throws -> [String] {
        let calls = SystemCalls()
        return try calls.names(inFolder: journals).flatMap { machine in
            try calls.names(inFolder: journals.appending(machine)).map(\.string)
        }
    }

    /// Rotates, and waits until it has.
    func rotate() throws {
        let before = try fileNames().count
        askToRotate()
        let isDone = try eventually { try fileNames().count > before }
        precondition(isDone, "no rotation")
    }

    /// Removes all archived files.
    func vacuum() throws {
        try run("/usr/bin/journalctl", "--directory=" + journals.string, "--vacuum-files=1", "-q")
    }
}

/// Follows a journal as the daemon does, and keeps what came.
struct JournalFollower: ~Copyable {
    var source: JournalSource
    var batch = Batch(byteCapacity: LineSplitter.batchBytesMin, lineCapacity: 1_000)
    let stop: EventCounter
    var given = GivenEntries()
    /// The cursor of each batch, and how many lines had come by then.
    var cursors: [(cursor: JournalCursor, lines: Int)] = []

    init(
        _ selection: JournalSelection,
        cursor: JournalCursor? = nil,
        start: JournalStart = .firstEntry,
        limits: JournalLimits = JournalLimits(),
        calls: SystemCalls = SystemCalls()
    ) throws {
        source = JournalSource(
            selection,
            cursor: cursor,
            start: start,
            limits: limits,
            calls: calls
        )
        stop = try EventCounter()
    }

    /// - Returns: what the source said.
    @discardableResult
    mutating func fill() throws(SourceError) -> Fill {
        let fill = try source.fill(&batch)
        given.take(batch)
        given.notes += source.takeNotes()
        if fill == .lines, let cursor = batch.journalCursor {
            cursors.append((cursor, given.lines.count))
        }
        return fill
    }

    /// Reads what is there.
    mutating func drain() throws { while try fill() == .lines {} }

    /// Reads until so many lines have come. Gives up after a minute.
    mutating func read(lines count: Int) throws { try read { $0.lines.count >= count } }

    mutating func read(until isEnough: (GivenEntries) -> Bool) throws {
        let end = Clocks.monotonicNanoseconds() + 60_000_000_000
        while !isEnough(given), Clocks.monotonicNanoseconds() < end {
            if try fill() == .idle { _ = try source.wait(stop: stop, atMost: 1_000_000_000) }
        }
    }
}
