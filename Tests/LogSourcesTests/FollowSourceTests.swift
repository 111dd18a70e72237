import Glibc
import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport
import Testing

/// A follower on a scratch folder, with what it gave.
struct Follower: ~Copyable {
    var source: FollowSource
    var given = Given()
    /// The cursor after each line that was given.
    var cursors: [FileCursor?] = []
    let stop: EventCounter
    /// Failures are met again, and that is all.
    var tolerant = false
    private var batch: Batch

    init(
        _ path: FilePath,
        cursor: FileCursor? = nil,
        quietNanoseconds: UInt64 = 0,
        readBytes: Int = 50,
        lineCapacity: Int = 3,
        calls: SystemCalls = SystemCalls()
    ) throws {
        var limits = FollowLimits()
        limits.quietNanoseconds = quietNanoseconds
        limits.readBytes = readBytes
        try self.init(
            path,
            cursor: cursor,
            limits: limits,
            lineCapacity: lineCapacity,
            calls: calls,
            clock: Clock()
        )
    }

    init(
        _ path: FilePath,
        cursor: FileCursor?,
        backfill: Backfill = .none,
        limits: FollowLimits,
        lineCapacity: Int = 3,
        calls: SystemCalls = SystemCalls(),
        clock: Clock
    ) throws {
        source = FollowSource(
            path: path,
            cursor: cursor,
            backfill: backfill,
            limits: limits,
            calls: calls,
            clock: clock
        )
        stop = try EventCounter()
        batch = Batch(byteCapacity: LineSplitter.batchBytesMin, lineCapacity: lineCapacity)
    }

    /// Fills at most `count` batches, until there is nothing new.
    mutating func fill(atMost count: Int = .max) throws {
        var rest = count
        while rest > 0 {
            rest -= 1
            guard let filled = try fillOnce() else { continue }
            guard filled == .lines else { break }
            take()
        }
        given.notes += source.takeNotes()
    }

    /// - Returns: nil when it failed and that is to be borne.
    private mutating func fillOnce() throws -> Fill? {
        guard tolerant else { return try source.fill(&batch) }
        return try? source.fill(&batch)
    }

    private mutating func take() {
        let lineCount = given.lines.count
        given.take(batch)
        let cursor = source.files.cursor(after: batch)
        // Within a batch the lines are committed together.
        for index in lineCount..<given.lines.count {
            cursors.append(index == given.lines.count - 1 ? cursor : nil)
        }
    }

    /// Looks at what changed, without waiting.
    mutating func look() throws {
        if tolerant {
            _ = try? source.wait(stop: stop, atMost: 0)
        } else {
            _ = try source.wait(stop: stop, atMost: 0)
        }
    }

    /// Reads all there is, however many looks it takes.
    mutating func drain() throws {
        var idleCount = 0
        while idleCount < (tolerant ? 12 : 3) {
            let count = given.lines.count
            try look()
            try fill(atMost: tolerant ? 50 : .max)
            idleCount = given.lines.count == count ? idleCount + 1 : 0
        }
    }
}

/// A log and its writer, and all lines that it ever wrote, in their order.
struct WrittenLog: ~Copyable {
    let folder: ScratchFolder
    let path: FilePath
    private var writer: Descriptor?
    /// Whole lines, and what became a line because nothing can come to it any more.
    private(set) var lines: [String] = []
    /// The line that is being written.
    private(set) var unfinished = ""
    private var count = 0
    let calls = SystemCalls()

    init() throws {
        folder = try ScratchFolder()
        path = folder.path.appending("mail.log")
    }

    mutating func write(_ text: String) throws {
        if writer == nil { writer = try open() }
        try put(text)
        var rest = unfinished + text
        while let newline = rest.firstIndex(of: "\n") {
            lines.append(String(rest[..<newline]))
            rest.removeSubrange(...newline)
        }
        unfinished = rest
    }

    private func open() throws -> Descriptor {
        try calls.open(path, [.write, .create, .append], mode: 0o644)
    }

    private mutating func put(_ text: String) throws {
        guard let file = writer.take() else { return }
        try file.writeAll(Array(text.utf8))
        writer = consume file
    }

    mutating func writeLine(_ random: inout SeededGenerator) throws {
        count += 1
        // Long enough that one line makes the file's head known for good.
        let filler = String(repeating: "x", count: Int.random(in: 64...90, using: &random))
        try write("line \(count) \(filler)\n")
    }

    mutating func writeHalf() throws {
        count += 1
        try write("half \(count) ")
    }

    /// What stands unfinished at the end of a file becomes a line.
    mutating func endFile() {
        if !unfinished.isEmpty { lines.append(unfinished) }
        unfinished = ""
    }

    /// `mail.log` becomes `mail.log.1`, that `mail.log.2`, and so on. The writer stays with its file.
    mutating func rename() throws {
        try shift()
        try calls.rename(path, to: folder.path.appending("mail.log.1"))
    }

    private func shift() throws {
        for number in (1...30).reversed() {
            let old = folder.path.appending("mail.log.\(number)")
            if (try? calls.status(of: old)) != nil {
                try calls.rename(old, to: folder.path.appending("mail.log.\(number + 1)"))
            }
        }
    }

    mutating func create() throws { _ = try open() }

    /// The writer closes its file, and opens what the path names when it writes again.
    mutating func reopen() {
        endFile()
        writer = nil
    }

    mutating func copyAndTruncate() throws {
        try shift()
        let size = try calls.status(of: path).size
        let bytes = try calls.open(path).readFully(count: Int(size), at: 0)
        _ = try folder.file("mail.log.1", bytes)
        try calls.open(path, .write).truncate(to: 0)
        endFile()
    }

    mutating func remove() throws {
        reopen()
        try calls.remove(path)
    }
}

/// Where two lists of lines differ first.
private struct Comparison: Equatable {
    var index: Int
    var given: ArraySlice<String>
    var expected: ArraySlice<String>

    init?(_ given: [String], _ expected: [String]) {
        let alike = zip(given, expected).prefix { $0 == $1 }.count
        guard alike < given.count || alike < expected.count else { return nil }
        index = alike
        self.given = given[alike...].prefix(3)
        self.expected = expected[alike...].prefix(3)
    }
}

@Suite struct FollowSourceTests {
    /// Random histories of a log against what its writer knows: every line comes once, in order,
    /// and after a restart from any committed cursor it goes on with the next one.
    @Test(arguments: 1...25 as ClosedRange<UInt64>)
    func everyLineComesOnceAndInOrder(seed: UInt64) throws {
        // Streams of neighbouring seeds overlap.
        var random = SeededGenerator(seed: seed &* 1_000_003)
        var log = try WrittenLog()
        var follower = try Follower(log.path)
        // What earlier followers gave up to the cursor from which a later one went on.
        var committed: [String] = []
        try log.writeLine(&random)
        try follower.drain()
        // Between two looks, as many files may come as are held.
        var unseenCount = 0
        func canRotate() -> Bool { unseenCount < 4 }
        for _ in 0..<60 {
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<5:
                for _ in 0..<Int.random(in: 1...6, using: &random) { try log.writeLine(&random) }
            case 5: try log.writeHalf()
            case 6: try log.write("and its end\n")
            case 7..<9 where canRotate():
                // With lines that come late to the old file, and a new one that is there or not.
                try log.writeLine(&random)
                try log.rename()
                if Bool.random(using: &random) { try log.create() }
                if Bool.random(using: &random) { try follower.look() }
                for _ in 0..<Int.random(in: 0...2, using: &random) { try log.writeLine(&random) }
                if Bool.random(using: &random) { try follower.fill() }
                log.reopen()
                try log.writeLine(&random)
                unseenCount += 1
            case 9 where canRotate():
                // A copy can only be told by a beginning that the follower has seen.
                try log.writeLine(&random)
                try follower.drain()
                unseenCount = 1
                for _ in 0..<Int.random(in: 0...3, using: &random) { try log.writeLine(&random) }
                try log.copyAndTruncate()
                if Bool.random(using: &random) { try log.writeLine(&random) }
            case 10 where committed.isEmpty:
                // (A follower that did not see the last rotation tells it by the time stamps of the
                // files only, and those of this test lie within one tick.)
                try follower.drain()
                unseenCount = 0
                try log.remove()
                if Bool.random(using: &random) { try follower.look() }
                if Bool.random(using: &random) { try follower.fill() }
                try log.writeLine(&random)
                try follower.drain()
            case 11..<16:
                try follower.look()
                try follower.fill(atMost: Int.random(in: 1...4, using: &random))
            case 16..<18:
                try follower.drain()
                unseenCount = 0
            default:
                // It is stopped, and a new one goes on from one of the last committed cursors.
                guard unseenCount < 2 else { continue }
                let count = follower.cursors.count
                let back = Int.random(in: 0..<8, using: &random)
                var kept = max(count - back, 0)
                while kept > 0, follower.cursors[kept - 1] == nil { kept -= 1 }
                guard kept > 0 else { continue }
                let cursor = follower.cursors[kept - 1]
                // Back no further than the last file: those before it could be many.
                let file = follower.given.lines[kept - 1].file
                guard follower.given.lines.last?.file == file else { continue }
                committed += follower.given.texts.prefix(kept)
                follower = try Follower(log.path, cursor: cursor)
            }
        }
        try log.write("the end\n")
        try follower.drain()
        let texts = committed + follower.given.texts
        #expect(Comparison(texts, log.lines) == nil)
        let trouble = follower.given.notes.filter {
            switch $0 {
            case .lost, .cannotOpen, .notWatched, .damaged, .forged, .suppressed, .vacuumed,
                .expanded, .leftOut, .notInTimeOrder:
                true
            case .resumed, .rotated, .readsRotated, .disappeared, .truncated: false
            }
        }
        #expect(trouble.isEmpty)
    }

    // MARK: Waiting

    @Test func aWaitEndsWhenALineIsWritten() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", Array("one\n".utf8))
        var follower = try Follower(path)
        try follower.fill()
        #expect(follower.given.texts == ["one"])
        // The event is there before the wait begins, so nothing depends on time.
        try append(Array("two\n".utf8), to: path)
        #expect(try follower.source.wait(stop: follower.stop, atMost: nil) == .changed)
        try follower.fill()
        #expect(follower.given.texts == ["one", "two"])
    }

    @Test func aWaitEndsWhenItIsToldToStop() throws {
        let folder = try ScratchFolder()
        var follower = try Follower(folder.path.appending("mail.log"))
        try follower.fill()
        follower.stop.ring()
        #expect(try follower.source.wait(stop: follower.stop, atMost: nil) == .stopped)
    }

    @Test func changesOfOtherFilesEndNoWait() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", Array("one\n".utf8))
        var follower = try Follower(path)
        try follower.fill()
        _ = try folder.file("other.log", Array("x\n".utf8))
        try SystemCalls().remove(folder.path.appending("other.log"))
        #expect(try follower.source.wait(stop: follower.stop, atMost: 1_000_000) == .timeout)
    }

    @Test func aFileThatComesLaterAndItsFolderAreWaitedFor() throws {
        let folder = try ScratchFolder()
        let path = folder.path.appending("log").appending("mail.log")
        var follower = try Follower(path)
        try follower.drain()
        #expect(follower.source.state == .absent)
        try SystemCalls().makeFolder(path.removingLastComponent(), mode: 0o700)
        try follower.drain()
        try append(Array("one\n".utf8), to: path)
        try follower.drain()
        #expect(follower.given.texts == ["one"])
        #expect(follower.given.notes.isEmpty)
    }

    // MARK: Rotation

    @Test func theOldFileIsLeftOnlyWhenItIsQuietOrClosed() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", Array("one\n".utf8))
        let calls = SystemCalls()
        let rotated = folder.path.appending("mail.log.1")
        var follower = try Follower(path, quietNanoseconds: 3_600_000_000_000)
        let writer = try calls.open(path, [.write, .append])
        try follower.drain()
        try calls.rename(path, to: rotated)
        try append(Array("three\n".utf8), to: path)
        try follower.drain()
        #expect(follower.given.texts == ["one"])
        try writer.writeAll(Array("two\n".utf8))
        try follower.drain()
        #expect(follower.given.texts == ["one", "two"])
        close(writer)
        try follower.drain()
        #expect(follower.given.texts == ["one", "two", "three"])
        #expect(follower.given.ends == [.endOfFile])
    }

    private func close(_ descriptor: consuming Descriptor) {}

    @Test func halfALineIsWaitedForAndTheCursorStaysBeforeIt() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", Array("one\nhal".utf8))
        var follower = try Follower(path)
        try follower.drain()
        #expect(follower.given.texts == ["one"])
        #expect(follower.cursors.last??.offset == 4)
        try append(Array("f\n".utf8), to: path)
        try follower.drain()
        #expect(follower.given.texts == ["one", "half"])
    }

    @Test func aLineTooLongIsCutAlsoWhenItComesInParts() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", Array("one\n".utf8))
        var follower = try Follower(path, readBytes: 30_000)
        for _ in 0..<7 {
            try append([UInt8](repeating: 97, count: 30_000), to: path)
            try follower.drain()
            #expect(follower.given.texts == ["one"])
        }
        try append(Array("\ntwo\n".utf8), to: path)
        try follower.drain()
        #expect(follower.given.lines.map(\.bytes.count) == [3, SourceLimits.lineBytesMax, 3])
        #expect(follower.given.lines.last?.offset == 4 + 210_000 + 1)
        #expect(follower.given.linesCut == 1)
        #expect(follower.cursors.last??.offset == 4 + 210_000 + 1 + 4)
    }

    @Test func aLinkIsFollowedToWhateverItNames() throws {
        let folder = try ScratchFolder()
        let first = try folder.file("first", Array("one\n".utf8))
        let second = try folder.file("second", Array("two\n".utf8))
        let path = folder.path.appending("mail.log")
        try link(first, path)
        var follower = try Follower(path)
        try follower.drain()
        try SystemCalls().remove(path)
        try link(second, path)
        try follower.drain()
        #expect(follower.given.texts == ["one", "two"])
    }

    private func link(_ target: FilePath, _ path: FilePath) throws {
        let result = unsafe target.withPlatformString { target in
            unsafe path.withPlatformString { unsafe symlink(target, $0) }
        }
        try #require(result == 0)
    }

    @Test func aFileThatWasTruncatedAndGrewPastTheOldEndIsReadAgain() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", Array("old\n".utf8))
        var follower = try Follower(path)
        try follower.drain()
        let file = try SystemCalls().open(path, [.write, .truncate])
        try file.writeAll(Array("new and longer\n".utf8))
        try follower.drain()
        #expect(follower.given.texts == ["old", "new and longer"])
        #expect(follower.given.notes.first == .truncated(path, Truncation(offset: 4, copy: nil)))
        guard case .lost(let gap)? = follower.given.notes.last else {
            Issue.record("the loss was not told")
            return
        }
        #expect(gap.cause == .truncated)
        #expect(gap.offset == 4)
        #expect(gap.bytes == nil)
        #expect(gap.sinceMicroseconds != nil)
        #expect(follower.given.lines.map(\.file) == [0, 1])
    }

    // MARK: Cursors

    /// A cursor that does not fit in one thing: the file is read again, nothing is skipped.
    @Test func aCursorInDoubtMeansReadingAgain() throws {
        let folder = try ScratchFolder()
        let text = Array("one\ntwo\nthree\n".utf8)
        let path = try folder.file("mail.log", text)
        var first = try Follower(path, lineCapacity: 1)
        try first.drain()
        let good = try #require(first.cursors[1])
        #expect(good.offset == 8)
        func texts(_ change: (inout FileCursor) -> Void) throws -> [String] {
            var cursor = good
            change(&cursor)
            var follower = try Follower(path, cursor: cursor)
            try follower.drain()
            return follower.given.texts
        }
        let all = ["one", "two", "three"]
        #expect(try texts { _ in } == ["three"])
        #expect(try texts { $0.offset = 14 } == [])
        #expect(try texts { $0.offset = 15 } == all)
        #expect(try texts { $0.offset = 9 } == all)
        #expect(try texts { $0.offset = .max } == all)
        #expect(try texts { $0.identity.inode ^= 1 } == all)
        #expect(try texts { $0.identity.device ^= 1 } == all)
        #expect(try texts { $0.identity.headDigest ^= 1 } == all)
        #expect(try texts { $0.identity.headByteCount -= 1 } == all)
        #expect(try texts { $0.identity.headByteCount = .max } == all)
    }

    // MARK: A system that fails

    @Test func interruptedAndShortReadsChangeNothing() throws {
        let folder = try ScratchFolder()
        let text = (0..<200).flatMap { Array("line \($0) of the log\n".utf8) }
        let path = try folder.file("mail.log", text)
        let faults = FaultScript([
            .init(.pread, .every(3), .fail(.interrupted)),
            .init(.pread, .from(1), .shorten(to: 7)),
            .init(.poll, .nth(1), .fail(.interrupted)),
            .init(.read, .nth(1), .fail(.interrupted)),
        ])
        var follower = try Follower(path, calls: SystemCalls(faults: faults))
        try follower.drain()
        #expect(follower.given.lines == expectedLines(text).lines)
        #expect(faults.givenCount > 100)
    }

    @Test func aReadErrorIsThrownAndTheNextFillGoesOn() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", Array("one\ntwo\n".utf8))
        let faults = FaultScript([])
        var follower = try Follower(path, calls: SystemCalls(faults: faults))
        try follower.drain()
        for call in [SystemCall.pread, .fstat] {
            try append(Array("three\n".utf8), to: path)
            try follower.look()
            faults.replace(with: [.init(call, .nth(1), .fail(.ioError))])
            let cause = SystemCallError(call: call, path: path, cause: .ioError)
            #expect(throws: SourceError(cause)) { try follower.fill() }
            try follower.drain()
        }
        #expect(follower.given.texts == ["one", "two", "three", "three"])
    }

    @Test func aPathThatCannotBeOpenedIsAnErrorAndIsTriedAgain() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", Array("one\n".utf8))
        let faults = FaultScript([.init(.openat, .nth(1), .fail(.permissionDenied))])
        var follower = try Follower(path, calls: SystemCalls(faults: faults))
        let cause = SystemCallError(call: .openat, path: path, cause: .permissionDenied)
        #expect(throws: SourceError(cause)) { try follower.fill() }
        try follower.drain()
        #expect(follower.given.texts == ["one"])
    }

    @Test func withoutInotifyThePathIsLookedAtOften() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", Array("one\n".utf8))
        for call in [SystemCall.inotifyInit, .inotifyAddWatch] {
            let faults = FaultScript([.init(call, .from(1), .fail(.noSpace))])
            var follower = try Follower(path, calls: SystemCalls(faults: faults))
            try follower.drain()
            #expect(follower.given.texts.first == "one")
            guard case .notWatched = follower.given.notes.first else {
                Issue.record("nothing was told")
                return
            }
            #expect(follower.given.notes.count == 1)
            let count = follower.given.lines.count
            try append(Array("two\n".utf8), to: path)
            try follower.drain()
            #expect(follower.given.lines.count == count + 1)
        }
    }
}
