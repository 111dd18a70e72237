import Foundation
import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport
import Testing

/// A follower that can be shared with what happens to its log.
private final class Running {
    var follower: Follower
    init(_ follower: consuming Follower) { self.follower = follower }
}

/// A follower that may be killed, what was committed of what it gave, and what may be lost.
final class HistoryRun {
    let history: LogHistory
    private var running: Running?
    /// What earlier followers gave up to the cursors from which later ones went on.
    private var committed: [String] = []
    /// The cursor after each line of `committed`, where there is one.
    private var committedCursors: [FileCursor?] = []
    private var losses: [(after: Int, gap: FileGap)] = []
    /// Lines that cannot be given any more, or need not be.
    private var endangered: Set<String> = []
    private var destroyedBefore: Set<Int> = []
    private let backfill: Backfill
    private let calls: SystemCalls
    private let hasFaults: Bool
    private let destroys: Bool
    private var trouble: [SourceNote] = []

    init(_ random: inout SeededGenerator) throws {
        destroys = Int.random(in: 0..<3, using: &random) == 0
        hasFaults = Int.random(in: 0..<4, using: &random) == 0
        history = try LogHistory(&random, destroys: destroys)
        backfill = Bool.random(using: &random) ? .rotated : .none
        var rules: [FaultScript.Rule] = []
        if hasFaults {
            rules = [
                .init(.pread, .every(7), .fail(.interrupted)),
                .init(.pread, .every(2), .shorten(to: 200)),
                .init(.read, .every(3), .shorten(to: 5_000)),
            ]
            let faults: [(SystemCall, Errno)] = [
                (.pread, .ioError), (.openat, .tooManyOpenFiles), (.openat, .permissionDenied),
                (.duplicate, .tooManyOpenFiles), (.listFolder, .ioError), (.fstat, .ioError),
                (.fstatat, .noMemory), (.read, .ioError), (.lseek, .ioError),
            ]
            for (call, cause) in faults {
                for _ in 0..<8 {
                    let moment = Int.random(in: 1...1_500, using: &random)
                    rules.insert(.init(call, .nth(moment), .fail(cause)), at: 0)
                }
            }
        }
        if Int.random(in: 0..<5, using: &random) == 0 {
            history.story.append("no inotify")
            rules.append(.init(.inotifyInit, .from(1), .fail(.tooManyOpenFiles)))
        }
        calls = rules.isEmpty ? SystemCalls() : SystemCalls(faults: FaultScript(rules))
        history.story.append("backfill \(backfill), faults \(hasFaults)")
    }

    private var given: [String] { committed + (running?.follower.given.texts ?? []) }

    // MARK: The follower

    func start(cursor: FileCursor?, _ random: inout SeededGenerator) throws {
        var limits = FollowLimits()
        limits.readBytes = [20, 50, 300, 5_000].randomElement(using: &random) ?? 50
        limits.compressedReadBytes = [100, 4_096].randomElement(using: &random) ?? 100
        // What fails now and then is never given up.
        limits.drainNanosecondsMax = .max / 2
        history.story.append("start at \(cursor.map { "\($0.offset)" } ?? "the beginning")")
        if cursor == nil, backfill == .none {
            for text in 0..<min(history.presentText, history.texts.count) {
                endangered.formUnion(history.lines(ofText: text))
            }
        }
        var follower = try Follower(
            history.path,
            cursor: cursor,
            backfill: backfill,
            limits: limits,
            lineCapacity: [1, 3, 100].randomElement(using: &random) ?? 3,
            calls: calls,
            clock: Clock(manual: history.clock)
        )
        follower.tolerant = hasFaults
        // A first start is the moment of the first look.
        while !follower.source.hasBegun { try follower.fill(atMost: 1) }
        running = Running(follower)
    }

    /// Whether all that it does not give yet is on the disk, or held by it.
    func noteDestruction() {
        for text in history.destroyed.subtracting(destroyedBefore) {
            // It may be held, and then it is still given; that is not told apart here.
            let lines = Set(history.lines(ofText: text))
            endangered.formUnion(lines.subtracting(given))
        }
        destroyedBefore = history.destroyed
    }

    func kill(_ random: inout SeededGenerator) throws {
        guard let killed = running else { return }
        running = nil
        history.story.append("kill; it gave \(Self.numbers(killed.follower.given.texts))")
        history.story.append("and said \(killed.follower.given.notes)")
        collect(
            killed.follower.given.notes,
            after: committed.count + killed.follower.given.lines.count
        )
        committed += killed.follower.given.texts
        committedCursors += killed.follower.cursors
    }

    /// The numbers of lines, in ranges.
    private static func numbers(_ lines: [String]) -> String {
        var ranges: [(Int, Int)] = []
        for line in lines {
            let number = Int(line.prefix(6)) ?? -1
            if let last = ranges.last, last.1 + 1 == number {
                ranges[ranges.count - 1].1 = number
            } else {
                ranges.append((number, number))
            }
        }
        return ranges.map { $0 == $1 ? "\($0)" : "\($0)-\($1)" }.joined(separator: " ")
    }

    func collect(_ notes: [SourceNote], after count: Int) {
        for note in notes {
            switch note {
            case .lost(let gap): losses.append((count, gap))
            case .damaged, .forged, .suppressed, .vacuumed, .expanded, .leftOut, .notInTimeOrder:
                trouble.append(note)
            case .cannotOpen where !hasFaults: trouble.append(note)
            case .notWatched, .cannotOpen, .resumed, .rotated, .readsRotated, .disappeared,
                .truncated:
                break
            }
        }
    }

    /// Goes on from a committed cursor: mostly the last, sometimes any.
    func restart(_ random: inout SeededGenerator) throws {
        guard running == nil else { return }
        var kept = committed.count
        let back = [0, 0, 0, 1, 5, 1_000].randomElement(using: &random) ?? 0
        kept -= Int.random(in: 0...min(back, kept), using: &random)
        while kept > 0, committedCursors[kept - 1] == nil { kept -= 1 }
        if kept == 0, backfill == .none {
            // The next first start would begin with the file that is there then.
            kept = committedCursors.firstIndex { $0 != nil }.map { $0 + 1 } ?? 0
        }
        let cursor = kept > 0 ? committedCursors[kept - 1] : nil
        committed.removeLast(committed.count - kept)
        committedCursors.removeLast(committedCursors.count - kept)
        losses.removeAll { $0.after >= kept }
        for text in history.destroyed {
            endangered.formUnion(Set(history.lines(ofText: text)).subtracting(committed))
        }
        try start(cursor: cursor, &random)
    }

    func follow(_ random: inout SeededGenerator) throws {
        guard let running else { return }
        let count = Int.random(in: 0...4, using: &random)
        let looks = Bool.random(using: &random)
        history.story.append("\(looks ? "look, " : "")fill \(count)")
        if looks { try running.follower.look() }
        try running.follower.fill(atMost: count)
    }

    func drain() throws {
        guard let running else { return }
        history.story.append("drain")
        try running.follower.drain()
    }

    // MARK: What happens

    func step(_ random: inout SeededGenerator) throws {
        switch Int.random(in: 0..<22, using: &random) {
        case 0..<5: try history.writeLines(Int.random(in: 1...6, using: &random), &random)
        case 5: try history.writeLines(Int.random(in: 20...200, using: &random), &random)
        case 6: try history.writeHalf(&random)
        case 7: try history.writeEnd()
        case 8..<12: try rotate(&random)
        case 12 where destroys:
            if Bool.random(using: &random) {
                // (A log that is copied, truncated and removed, all unseen, leaves nothing that
                // tells in which order.)
                if history.style.copies {
                    history.clock.advance(microseconds: 10_000_000)
                    try drain()
                }
                try history.remove()
            } else {
                try history.truncate()
            }
            noteDestruction()
            if Bool.random(using: &random) { try follow(&random) }
            history.reopen()
        case 13: history.pass(&random)
        case 14..<18: try follow(&random)
        case 18: try drain()
        case 19..<21:
            try kill(&random)
            if Bool.random(using: &random) { try restart(&random) }
        default: try restart(&random)
        }
    }

    func rotate(_ random: inout SeededGenerator) throws {
        try history.rotate(&random) { random in try follow(&random) }
        noteDestruction()
    }

    /// - Returns: what is wrong, if anything is.
    func finish(_ random: inout SeededGenerator) throws -> String? {
        if running == nil { try restart(&random) }
        history.clock.advance(microseconds: 3_600_000_000)
        try history.writeLines(1, &random)
        try drain()
        history.clock.advance(microseconds: 3_600_000_000)
        try drain()
        try kill(&random)
        let all = history.texts.indices.flatMap { history.lines(ofText: $0) }
        let expected = all.filter { !endangered.contains($0) }
        let got = given
        if !trouble.isEmpty { return "notes: \(trouble)" }
        var order: [String: Int] = [:]
        for (index, line) in all.enumerated() { order[line] = index }
        var last = -1
        for line in got {
            guard let index = order[line] else { return "never written: \(line.prefix(60))" }
            if index == last { return "given twice: \(line.prefix(20))" }
            if index < last { return "out of order, or twice: \(line.prefix(20))" }
            last = index
        }
        let missing = Set(expected).subtracting(got)
        if !missing.isEmpty {
            return
                "\(missing.count) lines are missing, the first is \(missing.min()?.prefix(20) ?? "")"
        }
        if history.destroyed.isEmpty, let loss = losses.first {
            return "nothing was lost, but \(loss)"
        }
        return nil
    }
}

@Suite struct LogHistoryTests {
    private static let historyCount =
        ProcessInfo.processInfo.environment["POSTERN_HISTORIES"].flatMap { Int($0) } ?? 2_000
    private static let parts = 16

    /// Random histories of a log against what truly happened to it: writes of whole and half lines,
    /// rotations of every kind in their single steps, loss, faults, kills. Every line comes once and
    /// in order, or it is told that some may be lost.
    ///
    /// `POSTERN_HISTORIES` sets how many; `POSTERN_HISTORY` runs the one of that seed.
    @Test(arguments: 0..<parts)
    func everyLineComesOnceOrItsLossIsTold(part: Int) throws {
        if let seed = ProcessInfo.processInfo.environment["POSTERN_HISTORY"].flatMap({ UInt64($0) })
        {
            if part == 0 { try Self.run(seed) }
            return
        }
        for seed in stride(from: part, to: Self.historyCount, by: Self.parts) {
            try Self.run(UInt64(seed))
        }
    }

    private static func run(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let run = try HistoryRun(&random)
        // What was there before the first start.
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            try run.history.writeLines(Int.random(in: 1...30, using: &random), &random)
            try run.rotate(&random)
        }
        try run.start(cursor: nil, &random)
        for _ in 0..<Int.random(in: 5...40, using: &random) { try run.step(&random) }
        if let words = try run.finish(&random) {
            let story = run.history.story.joined(separator: "\n    ")
            Issue.record("POSTERN_HISTORY=\(seed): \(words)\n    \(story)")
        }
    }
}
