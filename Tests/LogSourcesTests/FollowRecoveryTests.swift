import Glibc
import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import Testing

/// Single cases of what random histories do not meet, or not for sure.
@Suite struct FollowRecoveryTests {
    private let clock = ManualClock(microseconds: 1_772_323_200_000_000)

    private func follower(
        _ path: FilePath,
        cursor: FileCursor? = nil,
        backfill: Backfill = .none,
        calls: SystemCalls = SystemCalls()
    ) throws -> Follower {
        try Follower(
            path,
            cursor: cursor,
            backfill: backfill,
            limits: FollowLimits(),
            calls: calls,
            clock: Clock(manual: clock)
        )
    }

    private func losses(_ follower: borrowing Follower) -> [FileGap] {
        follower.given.notes.compactMap { if case .lost(let gap) = $0 { gap } else { nil } }
    }

    private func line(_ number: Int) -> [UInt8] {
        Array("\(number) \(String(repeating: "x", count: 80))\n".utf8)
    }

    private func numbers(_ follower: borrowing Follower) -> [Int] {
        follower.given.texts.compactMap { Int($0.prefix { $0 != " " }) }
    }

    @Test func aFirstStartReadsRotatedFilesOldestFirstIfToldTo() throws {
        let folder = try ScratchFolder()
        _ = try folder.file("mail.log.10.gz", gzip(line(1)))
        _ = try folder.file("mail.log.9.zst", zstd(line(2)))
        _ = try folder.file("mail.log.2", line(3))
        _ = try folder.file("mail.log.1", line(4))
        _ = try folder.file("mail.log.1.gz", gzip(line(4)))
        _ = try folder.file("mail.err.1", line(99))
        let path = try folder.file("mail.log", line(5))
        clock.advance(microseconds: 100_000_000_000_000)
        var all = try follower(path, backfill: .rotated)
        try all.drain()
        #expect(numbers(all) == [1, 2, 3, 4, 5])
        #expect(losses(all).isEmpty)
        // What each file says of its own time, for stamps without a year.
        let hints = (0..<5).map { all.source.files[FileNumber($0)]?.timeHint }
        for hint in hints.dropLast() {
            guard case .modified = hint else {
                Issue.record("\(String(describing: hint))")
                return
            }
        }
        #expect(hints.last == .observed)
        var present = try follower(path)
        try present.drain()
        #expect(numbers(present) == [5])
        #expect(present.given.notes.isEmpty)
    }

    @Test func whatCannotBeDecompressedIsToldAndTheNextIsRead() throws {
        let folder = try ScratchFolder()
        _ = try folder.file("mail.log.2.lzo", [0x89, 0x4c, 0x5a, 0x4f, 0, 1, 2, 3, 4, 5, 6, 7])
        _ = try folder.file("mail.log.1", line(1))
        let path = try folder.file("mail.log", line(2))
        clock.advance(microseconds: 100_000_000_000_000)
        var follower = try follower(path, backfill: .rotated)
        try follower.drain()
        #expect(numbers(follower) == [1, 2])
        #expect(losses(follower).map(\.cause) == [.unknownCompression])
    }

    @Test func aDamagedArchiveGivesItsLinesUpToTheDamage() throws {
        let folder = try ScratchFolder()
        let packed = gzip(line(1) + line(2))
        _ = try folder.file("mail.log.2.gz", Array(packed.dropLast(9)))
        _ = try folder.file("mail.log.1", line(3))
        let path = try folder.file("mail.log", line(4))
        clock.advance(microseconds: 100_000_000_000_000)
        var follower = try follower(path, backfill: .rotated)
        try follower.drain()
        #expect(numbers(follower).suffix(2) == [3, 4])
        #expect(numbers(follower).first == 1)
        guard
            case .damaged? = follower.given.notes.first(where: {
                if case .damaged = $0 { true } else { false }
            })
        else {
            Issue.record("the damage was not told")
            return
        }
    }

    @Test func permissionLostAtRotationIsWaitedFor() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", line(1))
        let faults = FaultScript([])
        var follower = try follower(path, calls: SystemCalls(faults: faults))
        try follower.drain()
        try SystemCalls().rename(path, to: folder.path.appending("mail.log.1"))
        _ = try folder.file("mail.log", line(2))
        faults.replace(with: [.init(.openat, .from(1), .fail(.permissionDenied), path: path)])
        clock.advance(microseconds: 3_600_000_000)
        try follower.drain()
        #expect(numbers(follower) == [1])
        let told = follower.given.notes.filter { if case .cannotOpen = $0 { true } else { false } }
        #expect(told.count == 1)
        try append(line(3), to: path)
        faults.replace(with: [])
        try follower.drain()
        #expect(numbers(follower) == [1, 2, 3])
        #expect(losses(follower).isEmpty)
    }

    /// What happened long ago does not keep us from what happens now.
    @Test func aRotatedFileThatMustNotBeReadIsGivenUpInTheEnd() throws {
        let folder = try ScratchFolder()
        let old = try folder.file("mail.log.1", line(1))
        let path = try folder.file("mail.log", line(2))
        let faults = FaultScript([
            .init(.openat, .from(1), .fail(.permissionDenied), path: old)
        ])
        var follower = try follower(path, backfill: .rotated, calls: SystemCalls(faults: faults))
        follower.tolerant = true
        try follower.drain()
        #expect(numbers(follower) == [])
        clock.advance(microseconds: 61_000_000)
        try follower.drain()
        #expect(numbers(follower) == [2])
        let gap = try #require(losses(follower).first)
        #expect(gap.path == old)
        #expect(gap.bytes == UInt64(line(1).count))
        #expect(losses(follower).count == 1)
    }

    @Test func siblingsAreThoseBesideTheTargetOfALink() throws {
        let folder = try ScratchFolder()
        let inner = folder.path.appending("data")
        try SystemCalls().makeFolder(inner, mode: 0o700)
        _ = try folder.file("current.1", line(99))
        let log = inner.appending("mail.log")
        try append(line(1), to: log)
        let path = folder.path.appending("current")
        let made = unsafe path.withPlatformString { unsafe symlink("data/mail.log", $0) }
        try #require(made == 0)
        var first = try follower(path)
        try first.drain()
        #expect(numbers(first) == [1])
        let cursor = try #require(first.cursors.last ?? nil)
        let calls = SystemCalls()
        try append(line(2), to: log)
        try calls.rename(log, to: inner.appending("mail.log.2"))
        try append(line(3), to: log)
        try calls.rename(log, to: inner.appending("mail.log.1"))
        try append(line(4), to: log)
        clock.advance(microseconds: 100_000_000_000_000)
        var second = try follower(path, cursor: cursor)
        try second.drain()
        #expect(numbers(second) == [2, 3, 4])
        #expect(losses(second).isEmpty)
    }

    @Test func aLogThatWasCompressedWhileNobodyLookedIsReadOnInside() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", line(1) + line(2) + line(3))
        var first = try Follower(path, lineCapacity: 1)
        try first.fill(atMost: 2)
        let cursor = try #require(first.cursors.last ?? nil)
        let calls = SystemCalls()
        try calls.remove(path)
        _ = try folder.file("mail.log.2.gz", gzip(line(1) + line(2) + line(3)))
        _ = try folder.file("mail.log.1", line(4))
        _ = try folder.file("mail.log", line(5))
        clock.advance(microseconds: 100_000_000_000_000)
        var second = try follower(path, cursor: cursor)
        try second.fill(atMost: 1)
        #expect(numbers(second) == [3])
        // The cursor of a line in the archive fits what the archive becomes.
        let inside = try #require(second.cursors.last ?? nil)
        #expect(inside.identity.headDigest == cursor.identity.headDigest)
        try calls.remove(folder.path.appending("mail.log.2.gz"))
        _ = try folder.file("mail.log.2.zst", zstd(line(1) + line(2) + line(3)))
        var third = try follower(path, cursor: inside)
        try third.drain()
        #expect(numbers(third) == [4, 5])
        var again = try follower(path, cursor: cursor)
        try again.drain()
        #expect(numbers(again) == [3, 4, 5])
    }

    /// What may be newer than the lost file is read, what is surely older is not, and it is told.
    @Test func aCursorWhoseFileIsGoneIsTold() throws {
        let folder = try ScratchFolder()
        let old = try folder.file("mail.log.2", line(1))
        try setTime(of: old, 1_772_000_000)
        let path = try folder.file("mail.log", line(2))
        try setTime(of: path, 1_772_100_000)
        var first = try follower(path)
        try first.drain()
        let cursor = try #require(first.cursors.last ?? nil)
        #expect(cursor.modifiedMicroseconds == 1_772_100_000_000_000)
        try SystemCalls().remove(path)
        try setTime(of: folder.file("mail.log.1", line(3)), 1_772_200_000)
        _ = try folder.file("mail.log", line(4))
        clock.advance(microseconds: 100_000_000_000_000)
        var second = try follower(path, cursor: cursor)
        try second.drain()
        #expect(numbers(second) == [3, 4])
        let gap = try #require(losses(second).first)
        #expect(gap.cause == .cursorFileGone)
        #expect(gap.offset == cursor.offset)
        #expect(gap.sinceMicroseconds == cursor.modifiedMicroseconds)
    }

    private func setTime(of path: FilePath, _ seconds: Int) throws {
        let both = [timespec](repeating: timespec(tv_sec: seconds, tv_nsec: 0), count: 2)
        let result = unsafe path.withPlatformString { name in
            unsafe both.withUnsafeBufferPointer {
                unsafe utimensat(AT_FDCWD, name, $0.baseAddress, 0)
            }
        }
        try #require(result == 0)
    }

    /// More events than the kernel keeps: everything is looked at again.
    @Test func lostEventsChangeNothing() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", line(1))
        var follower = try follower(path)
        try follower.drain()
        let calls = SystemCalls()
        let other = folder.path.appending("other")
        // Events of two names in turn are not merged; max_queued_events is 16,384 by default.
        for _ in 0..<9_000 {
            try append([], to: other)
            try calls.remove(other)
        }
        try calls.rename(path, to: folder.path.appending("mail.log.1"))
        try append(line(2), to: folder.path.appending("mail.log.1"))
        _ = try folder.file("mail.log", line(3))
        clock.advance(microseconds: 3_600_000_000)
        #expect(try follower.source.wait(stop: follower.stop, atMost: nil) == .changed)
        try follower.fill()
        clock.advance(microseconds: 3_600_000_000)
        try follower.drain()
        #expect(numbers(follower) == [1, 2, 3])
    }
}
