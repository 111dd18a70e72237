import Glibc
@testable import LinuxIO
import SystemPackage
import TestSupport
import Testing

@Suite struct LinuxIOTests {
    /// Runs `body` with a folder of its own, and removes it with the files in it.
    private func withFolder(_ body: (FilePath) throws -> Void) throws {
        let name = "postern-linuxio-\(UInt64.random(in: 0 ... .max))"
        let folder = FilePath("/tmp").appending(name)
        let calls = SystemCalls()
        try #require(try calls.makeFolder(folder, mode: 0o700))
        defer {
            for name in (try? calls.names(inFolder: folder)) ?? [] {
                try? calls.remove(folder.appending(name))
            }
            _ = unsafe folder.withPlatformString { unsafe rmdir($0) }
        }
        try body(folder)
    }

    private func contents(_ path: FilePath) throws -> [UInt8] {
        let file = try SystemCalls().open(path)
        return try file.readFully(count: Int(try file.status().size), at: 0)
    }

    // MARK: Files

    @Test(arguments: [1, 2, 1_000])
    func shortAndInterruptedWritesWriteAllTheSame(bytes: Int) throws {
        try withFolder { folder in
            let faults = FaultScript([
                .init(.write, .every(2), .fail(.interrupted)),
                .init(.write, .from(1), .shorten(to: bytes)),
            ])
            let path = folder.appending("file")
            let text = (0..<500).map { UInt8(truncatingIfNeeded: $0) }
            let file = try SystemCalls(faults: faults).open(path, [.write, .create])
            try file.writeAll(text)
            #expect(try contents(path) == text)
        }
    }

    @Test func readingAtAnOffsetLeavesThePositionAlone() throws {
        try withFolder { folder in
            let path = folder.appending("file")
            let calls = SystemCalls()
            try calls.open(path, [.write, .create]).writeAll(Array("abcdef".utf8))
            let file = try calls.open(path)
            var bytes = [UInt8](repeating: 0, count: 4)
            #expect(try file.read(into: &bytes, 1..<3, at: 4) == 2)
            #expect(bytes == [0, 101, 102, 0])
            #expect(try file.read(into: &bytes, 0..<4) == 4)
            #expect(bytes == Array("abcd".utf8))
            #expect(try file.read(into: &bytes, 0..<1, at: 6) == 0)
            #expect(try file.readFully(count: 10, at: 3) == Array("def".utf8))
        }
    }

    @Test func errorsNameCallPathAndCause() throws {
        try withFolder { folder in
            let path = folder.appending("missing")
            let missing = SystemCallError(call: .openat, path: path, cause: .noSuchFileOrDirectory)
            #expect(throws: missing) { _ = try SystemCalls().open(path).status() }
            #expect(missing.description == "\(path.string): openat: No such file or directory")
            var bytes = [UInt8](repeating: 0, count: 1)
            let opened = try SystemCalls().open(folder)
            #expect(throws: SystemCallError(call: .read, path: folder, cause: .isDirectory)) {
                try opened.read(into: &bytes, 0..<1)
            }
        }
    }

    @Test func aStatusTellsKindSizeAndPlace() throws {
        try withFolder { folder in
            let path = folder.appending("file")
            let calls = SystemCalls()
            let before = Clocks.realtimeMicroseconds()
            let file = try calls.open(path, [.write, .create], mode: 0o640)
            try file.setMode(0o640)
            try file.writeAll(Array("abc".utf8))
            let status = try file.status()
            #expect(status == (try calls.status(of: path)))
            #expect(status.kind == .regular)
            #expect(status.size == 3)
            #expect(status.mode == 0o640)
            #expect(status.linkCount == 1)
            // The kernel stamps files with the clock of its last tick.
            #expect(status.modifiedMicroseconds >= before - 100_000)
            try file.truncate(to: 1)
            #expect(try file.status().size == 1)
            #expect(try calls.status(of: folder).kind == .folder)
        }
    }

    @Test func namesAreSortedByTheirBytesAndMayBeAny() throws {
        try withFolder { folder in
            let characters = [CChar(bitPattern: 0xff), 0x61, 0]
            let odd = try #require(FilePath.Component(platformString: characters))
            let calls = SystemCalls()
            for name in ["b", "a", "B", "\u{e9}"] {
                try calls.open(folder.appending(name), [.write, .create]).sync()
            }
            try calls.open(folder.appending(odd), [.write, .create]).sync()
            let names = try calls.names(inFolder: folder)
            #expect(names.map(\.bytes) == [[66], [97], [98], [0xc3, 0xa9], [0xff, 0x61]])
        }
    }

    @Test func foldersAreMadeWithThoseAboveThem() throws {
        try withFolder { folder in
            let calls = SystemCalls()
            let deep = folder.appending("a").appending("b")
            try calls.makeFolders(deep, mode: 0o700)
            #expect(try calls.status(of: deep).mode == 0o700)
            #expect(try calls.makeFolder(deep, mode: 0o755) == false)
            try calls.makeFolders(deep, mode: 0o755)
            #expect(try calls.status(of: deep).mode == 0o700)
            for path in [deep, folder.appending("a")] {
                _ = unsafe path.withPlatformString { unsafe rmdir($0) }
            }
            let file = folder.appending("file")
            try calls.open(file, [.write, .create]).sync()
            #expect(throws: SystemCallError.self) { try calls.makeFolder(file, mode: 0o700) }
        }
    }

    @Test func aLockIsHeldByOne() throws {
        try withFolder { folder in
            let path = folder.appending("lock")
            let first = try SystemCalls().open(path, [.write, .create])
            let second = try SystemCalls().open(path, .write)
            #expect(try first.tryLock())
            #expect(try !second.tryLock())
            close(first)
            #expect(try second.tryLock())
        }
    }

    private func close(_ descriptor: consuming Descriptor) {}

    // MARK: Durable replacing

    /// Each call that it makes fails once: the path then holds the old bytes or the new ones, and
    /// what is thrown is what failed.
    @Test func replacingIsAllOrNothingWhereverItFails() throws {
        try withFolder { folder in
            let path = folder.appending("state")
            let old = Array("old".utf8)
            let new = Array("new and longer".utf8)
            let steps: [(SystemCall, Int, isNew: Bool)] = [
                (.openat, 1, false), (.chmod, 1, false), (.write, 1, false), (.write, 2, false),
                (.fsync, 1, false), (.renameat, 1, false), (.openat, 2, true), (.fsync, 2, true),
            ]
            for (call, count, isNew) in steps {
                try SystemCalls().replaceDurably(path, with: old)
                let faults = FaultScript([
                    .init(call, .nth(count), .fail(.ioError)),
                    .init(.write, .nth(1), .shorten(to: 2)),
                ])
                do throws(SystemCallError) {
                    try SystemCalls(faults: faults).replaceDurably(path, with: new)
                    Issue.record("\(call) \(count) did not fail")
                } catch {
                    #expect(error.call == call)
                    #expect(error.cause == .ioError)
                }
                #expect(try contents(path) == (isNew ? new : old))
                #expect(try SystemCalls().names(inFolder: folder).map(\.string) == ["state"])
            }
            try SystemCalls().replaceDurably(path, with: new, mode: 0o644)
            #expect(try contents(path) == new)
            #expect(try SystemCalls().status(of: path).mode == 0o644)
        }
    }

    // MARK: Faults

    @Test func faultsComeAtTheCallThatTheyAreWrittenFor() throws {
        let script = FaultScript([
            .init(.read, .nth(2), .fail(.ioError)),
            .init(.read, .every(3), .shorten(to: 1)),
            .init(.pread, .from(2), .fail(.noSpace), path: "a"),
        ])
        #expect(script.next(.read, path: nil) == .shorten(to: 1))
        #expect(script.next(.read, path: nil) == .fail(.ioError))
        #expect(script.next(.read, path: nil) == nil)
        #expect(script.next(.read, path: nil) == .shorten(to: 1))
        #expect(script.next(.pread, path: "b") == nil)
        #expect(script.next(.pread, path: "a") == nil)
        #expect(script.next(.pread, path: "b") == nil)
        #expect(script.next(.pread, path: "a") == .fail(.noSpace))
        #expect(script.givenCount == 4)
    }

    // MARK: Waiting

    @Test func aCounterWakesWhoWaitsAndIsCleared() throws {
        let counter = try EventCounter()
        let other = try EventCounter()
        var poll = PollSet()
        let member = poll.add(counter)
        let otherMember = poll.add(other)
        #expect(try !poll.wait(atMost: 0))
        counter.ring()
        counter.ring()
        #expect(try poll.wait(atMost: nil))
        #expect(poll.isReady(member))
        #expect(!poll.isReady(otherMember))
        #expect(try counter.clear())
        #expect(try !counter.clear())
        #expect(try !poll.wait(atMost: 1_000_000))
    }

    @Test func aWatchTellsWhatChanged() throws {
        try withFolder { folder in
            var watch = try FileWatch()
            let calls = SystemCalls()
            let folderID = try watch.add(folder, [.created, .movedFrom, .movedTo, .deleted])
            let path = folder.appending("log")
            let file = try calls.open(path, [.write, .create])
            let fileID = try watch.add(file, [.modified, .closedAfterWriting, .movedSelf])
            try file.writeAll([1])
            let renamed = folder.appending("log.1")
            try calls.rename(path, to: renamed)
            // The watch is on the inode, whatever its name.
            try file.writeAll([2])
            close(file)
            var events: [FileWatch.Event] = []
            try watch.takeEvents { events.append($0) }
            let name = Array("log".utf8)
            #expect(
                events == [
                    .changed(folderID, .created, name: name),
                    .changed(fileID, .modified, name: []),
                    .changed(folderID, .movedFrom, name: name),
                    .changed(folderID, .movedTo, name: Array("log.1".utf8)),
                    .changed(fileID, .movedSelf, name: []),
                    .changed(fileID, .modified, name: []),
                    .changed(fileID, .closedAfterWriting, name: []),
                ]
            )
            try calls.remove(renamed)
            events = []
            try watch.takeEvents { events.append($0) }
            #expect(events.contains(.changed(fileID, .ignored, name: [])))
        }
    }

    @Test func anOverflowIsTold() {
        // As the kernel writes it: watch −1, IN_Q_OVERFLOW, no cookie, no name.
        var bytes = [UInt8](repeating: 0, count: 16)
        bytes.replaceSubrange(0..<4, with: [255, 255, 255, 255])
        bytes[5] = 0x40
        var events: [FileWatch.Event] = []
        FileWatch.parse(bytes, count: 16) { events.append($0) }
        #expect(events == [.overflow])
        // Cut records are no events.
        for count in 0..<16 { FileWatch.parse(bytes, count: count) { events.append($0) } }
        #expect(events.count == 1)
    }

    @Test func aSignalCanBeRead() throws {
        // SIGURG is ignored by default, so nobody is harmed if another test takes the thread.
        let queue = try SignalQueue([SIGURG])
        #expect(try queue.next() == nil)
        _ = pthread_kill(pthread_self(), SIGURG)
        var poll = PollSet()
        _ = poll.add(queue)
        #expect(try poll.wait(atMost: 0))
        #expect(try queue.next() == SIGURG)
    }

    // MARK: Bytes and clocks

    @Test func searchingAgreesWithALoop() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
                UInt8.random(in: 0...20, using: &random)
            }
            let low = Int.random(in: 0...bytes.count, using: &random)
            let high = Int.random(in: low...bytes.count, using: &random)
            #expect(
                firstIndex(of: 10, in: bytes.span, low..<high)
                    == bytes[low..<high].firstIndex(of: 10)
            )
        }
    }

    @Test func clocksGoOn() {
        let first = Clocks.monotonicNanoseconds()
        #expect(Clocks.monotonicNanoseconds() >= first)
        #expect(Clocks.realtimeMicroseconds() > 1_700_000_000_000_000)
    }
}

@Suite struct FollowingCallsTests {
    @Test func twinsShareOnePositionAndCanBePutBack() throws {
        let path = FilePath("/tmp/postern-twin-\(UInt64.random(in: 0 ... .max))")
        let calls = SystemCalls()
        try calls.open(path, [.write, .create]).writeAll(Array("abcdef".utf8))
        defer { try? calls.remove(path) }
        let first = try calls.open(path)
        let second = try first.duplicate()
        var bytes = [UInt8](repeating: 0, count: 3)
        #expect(try first.read(into: &bytes, 0..<3) == 3)
        #expect(try second.read(into: &bytes, 0..<3) == 3)
        #expect(bytes == Array("def".utf8))
        try second.rewind()
        #expect(try first.read(into: &bytes, 0..<3) == 3)
        #expect(bytes == Array("abc".utf8))
    }

    @Test func aLinkSaysWhereItLeadsAndOthersSayNothing() throws {
        let calls = SystemCalls()
        #expect(try calls.linkTarget(of: "/proc/self/cwd") != nil)
        #expect(try calls.linkTarget(of: "/proc/self/status") == nil)
        #expect(throws: SystemCallError.self) { try calls.linkTarget(of: "/proc/self/none") }
    }

    @Test func namesMayBeAnyBytes() throws {
        let calls = SystemCalls()
        let folder = FilePath("/tmp/postern-names-\(UInt64.random(in: 0 ... .max))")
        try calls.makeFolder(folder, mode: 0o700)
        let name: [UInt8] = [0xff, 0x0a, 0x20, 0xc3]
        let component = try #require(FilePath.Component(bytes: name))
        _ = try calls.open(folder.appending(component), [.write, .create])
        #expect(try calls.nameBytes(inFolder: folder) == [name])
        #expect(try calls.names(inFolder: folder) == [component])
        #expect(try calls.status(ofName: name, in: folder).kind == .regular)
        #expect(FilePath.Component(bytes: Array("a/b".utf8)) == nil)
        try calls.remove(folder.appending(component))
        let result = unsafe folder.withPlatformString { unsafe rmdir($0) }
        #expect(result == 0)
    }

    @Test func aClockOfATestStandsStillUntilItIsMoved() {
        let manual = ManualClock(microseconds: 5)
        let clock = Clock(manual: manual)
        #expect(clock.realtimeMicroseconds() == 5)
        manual.advance(microseconds: 2)
        #expect(clock.realtimeMicroseconds() == 7)
        #expect(clock.monotonicNanoseconds() == 7_000)
        #expect(Clock().realtimeMicroseconds() > 1_000_000)
    }
}
