import Glibc
import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport

/// How a log is rotated, as logrotate would be told.
struct RotationStyle: Sendable {
    enum Naming: CaseIterable { case numbers, dates, datesWithSeconds, numbersBeforeExtension }
    enum Packing: CaseIterable { case none, gzip, zstd }

    var naming: Naming
    var packing: Packing
    var delaysPacking: Bool
    var copies: Bool
    /// Rotated files that are kept; nil: all.
    var keeps: Int?

    init(_ random: inout SeededGenerator, destroys: Bool) {
        naming = Naming.allCases.randomElement(using: &random) ?? .numbers
        packing = Packing.allCases.randomElement(using: &random) ?? .none
        delaysPacking = Bool.random(using: &random)
        copies = Int.random(in: 0..<3, using: &random) == 0
        keeps =
            destroys && Bool.random(using: &random) ? Int.random(in: 1...5, using: &random) : nil
    }
}

/// A log in a scratch folder with its writer, its rotations and its clock: what truly happened.
///
/// A *text* is what one file got from its creation to its end. Copies and compressed forms have the
/// same text. The lines of all texts, in the order of the texts, are what a follower has to give.
final class LogHistory {
    struct File {
        var text: Int
        /// Rotated names only: counts rotations, higher is newer.
        var rotation: Int
        var isPacked = false
    }

    let folder: ScratchFolder
    /// The followed path; a link to the log in some histories.
    let path: FilePath
    private let log: FilePath
    let clock: ManualClock
    let style: RotationStyle
    private let calls = SystemCalls()

    private(set) var texts: [[UInt8]] = []
    /// What lies beside the log, by name. The log itself has the name of `log`.
    private(set) var files: [String: File] = [:]
    private var writer: Descriptor?
    private var writerText: Int?
    private var rotationCount = 0
    private var lineCount = 0
    /// Texts that no file has any more.
    private(set) var destroyed: Set<Int> = []
    /// What happened, for the report of a failure.
    var story: [String] = []

    init(_ random: inout SeededGenerator, destroys: Bool) throws {
        folder = try ScratchFolder()
        // 2026-03-01 00:00:00 UTC.
        clock = ManualClock(microseconds: 1_772_323_200_000_000)
        style = RotationStyle(&random, destroys: destroys)
        if Int.random(in: 0..<4, using: &random) == 0 {
            let inner = folder.path.appending("data")
            try SystemCalls().makeFolder(inner, mode: 0o700)
            log = inner.appending("mail.log")
            path = folder.path.appending("current")
            let made = unsafe "data/mail.log".withCString { target in
                unsafe path.withPlatformString { unsafe symlink(target, $0) }
            }
            precondition(made == 0)
        } else {
            log = folder.path.appending("mail.log")
            path = log
        }
        story.append("\(style)")
    }

    private var logName: String { "mail.log" }

    /// Paths that were made already; making them is what takes most of the time.
    private var places: [String: FilePath] = [:]

    private func place(_ name: String) -> FilePath {
        if let made = places[name] { return made }
        let made = log.removingLastComponent().appending(name)
        places[name] = made
        return made
    }

    // MARK: Time

    func pass(_ random: inout SeededGenerator) {
        let longest: Int64 =
            [3_000, 900_000, 10_000_000, 90_000_000_000]
            .randomElement(using: &random) ?? 0
        clock.advance(microseconds: Int64.random(in: 1_000...longest, using: &random))
    }

    /// Gives a file the time that it would have if the clock were the kernel's.
    private func touch(_ path: FilePath, _ microseconds: Int64? = nil) {
        let time = microseconds ?? clock.realtimeMicroseconds
        let spec = timespec(tv_sec: Int(time / 1_000_000), tv_nsec: Int(time % 1_000_000) * 1_000)
        let both = [spec, spec]
        let result = unsafe path.withPlatformString { name in
            unsafe both.withUnsafeBufferPointer {
                unsafe utimensat(AT_FDCWD, name, $0.baseAddress, 0)
            }
        }
        precondition(result == 0)
        clock.advance(microseconds: 1)
    }

    private func modified(_ path: FilePath) throws -> Int64 {
        try calls.status(of: path).modifiedMicroseconds
    }

    // MARK: Writing

    private func write(_ string: String) throws {
        if writer == nil {
            let isThere = files[logName] != nil
            writer = try calls.open(log, [.write, .create, .append], mode: 0o644)
            if !isThere { newText() }
            writerText = files[logName]?.text
        }
        guard let text = writerText, let file = writer.take() else { return }
        let bytes = Array(string.utf8)
        try file.writeAll(bytes)
        texts[text] += bytes
        writer = consume file
        // The file may have any name by now, or none.
        if let name = files.first(where: { $0.value.text == text && !$0.value.isPacked })?.key {
            touch(place(name))
        }
    }

    private func newText() {
        texts.append([])
        files[logName] = File(text: texts.count - 1, rotation: 0)
    }

    func writeLines(_ count: Int, _ random: inout SeededGenerator) throws {
        story.append("write \(count) lines")
        var string = ""
        for _ in 0..<count {
            lineCount += 1
            let longest = [0, 30, 90, 90, 400].randomElement(using: &random) ?? 0
            let filler = String(repeating: "x", count: Int.random(in: 0...longest, using: &random))
            string += number(lineCount) + filler + "\n"
        }
        try write(string)
    }

    /// Of a fixed width, so that no text begins like another.
    private func number(_ count: Int) -> String {
        let digits = String(count)
        return String(repeating: "0", count: 6 - digits.count) + digits + " "
    }

    func writeHalf(_ random: inout SeededGenerator) throws {
        story.append("write half a line")
        lineCount += 1
        let filler = String(repeating: "y", count: Int.random(in: 0...90, using: &random))
        try write(number(lineCount) + "half " + filler)
    }

    func writeEnd() throws {
        story.append("end a line")
        lineCount += 1
        try write("\(number(lineCount))end\n")
    }

    /// The writer closes its file, and opens what the path names when it writes again.
    func reopen() {
        story.append("reopen")
        writer = nil
        writerText = nil
    }

    // MARK: What happens to files

    /// The file of `name` is gone, or has another text; the text may be in another.
    private func forget(_ name: String) {
        guard let gone = files.removeValue(forKey: name) else { return }
        if !files.values.contains(where: { $0.text == gone.text }) { destroyed.insert(gone.text) }
    }

    func remove() throws {
        guard files[logName] != nil else { return }
        story.append("remove the log")
        try calls.remove(log)
        forget(logName)
    }

    func truncate() throws {
        guard files[logName] != nil else { return }
        story.append("truncate the log")
        try calls.open(log, .write).truncate(to: 0)
        touch(log)
        forget(logName)
        newText()
        if writer != nil { writerText = writerText == nil ? nil : files[logName]?.text }
    }

    /// Rotates the log in steps, as logrotate does. `between` is called between two of them.
    func rotate(
        _ random: inout SeededGenerator,
        _ between: (inout SeededGenerator) throws -> Void
    ) throws {
        guard files[logName] != nil else { return }
        if style.naming == .dates { clock.advance(microseconds: 86_400_000_000) }
        if style.naming == .datesWithSeconds { clock.advance(microseconds: 1_000_000) }
        try shift(&random, between)
        let name = freshName()
        guard files[name] == nil else { return }
        rotationCount += 1
        if style.copies {
            try copyAndTruncate(to: name, &random, between)
        } else {
            try renameAndCreate(to: name, &random, between)
        }
        try packOthers(&random, between)
        try removeOldest(&random, between)
    }

    private func freshName() -> String {
        switch style.naming {
        case .numbers: return "mail.log.1"
        case .numbersBeforeExtension: return "mail.1.log"
        case .dates, .datesWithSeconds:
            let seconds = clock.realtimeMicroseconds / 1_000_000
            // Days of March 2026 and after, of 28 each: a calendar is not what is tried here.
            let day = seconds / 86_400 - 20_513
            let date = 20_260_301 + day % 28 + day / 28 % 10 * 100 + day / 280 * 10_000
            return "mail.log-\(date)" + (style.naming == .dates ? "" : "-\(seconds)")
        }
    }

    /// Numbers grow by one, beginning with the highest.
    private func shift(
        _ random: inout SeededGenerator,
        _ between: (inout SeededGenerator) throws -> Void
    ) throws {
        guard style.naming == .numbers || style.naming == .numbersBeforeExtension else { return }
        for number in (1...40).reversed() {
            for ending in ["", ".gz", ".zst"] {
                let old = numbered(number) + ending
                guard files[old] != nil else { continue }
                let new = numbered(number + 1) + ending
                try calls.rename(place(old), to: place(new))
                files[new] = files.removeValue(forKey: old)
                if Int.random(in: 0..<8, using: &random) == 0 { try between(&random) }
            }
        }
    }

    private func numbered(_ number: Int) -> String {
        style.naming == .numbers ? "mail.log.\(number)" : "mail.\(number).log"
    }

    private func renameAndCreate(
        to name: String,
        _ random: inout SeededGenerator,
        _ between: (inout SeededGenerator) throws -> Void
    ) throws {
        story.append("rename to \(name)")
        try calls.rename(log, to: place(name))
        files[name] = files.removeValue(forKey: logName)
        files[name]?.rotation = rotationCount
        if Bool.random(using: &random) { try between(&random) }
        // The writer has the old file still.
        if writer != nil, Bool.random(using: &random) {
            try writeLines(Int.random(in: 1...3, using: &random), &random)
        }
        if Bool.random(using: &random) {
            story.append("create")
            _ = try calls.open(log, [.write, .create, .exclusive], mode: 0o644)
            newText()
            touch(log)
        }
        if Bool.random(using: &random) { try between(&random) }
        if writer != nil, Bool.random(using: &random) {
            try writeLines(Int.random(in: 1...3, using: &random), &random)
        }
        reopen()
        if Bool.random(using: &random) { try between(&random) }
    }

    private func copyAndTruncate(
        to name: String,
        _ random: inout SeededGenerator,
        _ between: (inout SeededGenerator) throws -> Void
    ) throws {
        guard var file = files[logName] else { return }
        story.append("copy to \(name)")
        let bytes = texts[file.text]
        if bytes.count > 8_192 {
            _ = try put(Array(bytes.prefix(8_192)), name)
            try between(&random)
        }
        try put(bytes, name)
        file.rotation = rotationCount
        files[name] = file
        if Bool.random(using: &random) { try between(&random) }
        story.append("truncate it")
        try calls.open(log, .write).truncate(to: 0)
        touch(log)
        newText()
        if writer != nil { writerText = files[logName]?.text }
        if Bool.random(using: &random) { try between(&random) }
    }

    private func put(_ bytes: [UInt8], _ name: String) throws {
        let path = place(name)
        try calls.open(path, [.write, .create, .truncate], mode: 0o644).writeAll(bytes)
        touch(path)
    }

    private func packOthers(
        _ random: inout SeededGenerator,
        _ between: (inout SeededGenerator) throws -> Void
    ) throws {
        guard style.packing != .none else { return }
        let plain = files.filter { $0.key != logName && !$0.value.isPacked }
            .sorted { $0.value.rotation < $1.value.rotation }
        for (name, file) in plain where !style.delaysPacking || file.rotation < rotationCount {
            // Nobody compresses what is still written.
            guard writerText != file.text else { continue }
            try pack(name, file, &random, between)
        }
    }

    private func pack(
        _ name: String,
        _ file: File,
        _ random: inout SeededGenerator,
        _ between: (inout SeededGenerator) throws -> Void
    ) throws {
        let isGzip = style.packing == .gzip
        let text = texts[file.text]
        let packed = isGzip ? gzip(text) : zstd(text)
        let packedName = name + (isGzip ? ".gz" : ".zst")
        story.append("compress to \(packedName)")
        let time = try modified(place(name))
        if Bool.random(using: &random) {
            try put(
                Array(packed.prefix(Int.random(in: 0..<packed.count, using: &random))),
                packedName
            )
            try between(&random)
        }
        try put(packed, packedName)
        if Bool.random(using: &random) { try between(&random) }
        touch(place(packedName), time)
        try calls.remove(place(name))
        files[name] = nil
        files[packedName] = File(text: file.text, rotation: file.rotation, isPacked: true)
        if Bool.random(using: &random) { try between(&random) }
    }

    private func removeOldest(
        _ random: inout SeededGenerator,
        _ between: (inout SeededGenerator) throws -> Void
    ) throws {
        guard let keeps = style.keeps else { return }
        let rotated = files.filter { $0.key != logName }
            .sorted { $0.value.rotation < $1.value.rotation }
        for (name, _) in rotated.dropLast(keeps) {
            story.append("remove \(name)")
            try calls.remove(place(name))
            forget(name)
        }
    }

    // MARK: What is to be given

    /// The lines of a text; what stands behind its last newline is one too, once nothing can come
    /// to it any more.
    func lines(ofText index: Int) -> [String] {
        expectedLines(texts[index]).lines.map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    /// The text that the log has now, or will get.
    var presentText: Int { files[logName]?.text ?? texts.count }
}
