import Glibc
import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import Testing

func makePipe(_ path: FilePath) throws {
    let result = unsafe path.withPlatformString { unsafe mkfifo($0, 0o600) }
    try #require(result == 0)
}

@Suite struct OpenInputsTests {
    let log = Array("Mar  1 00:00:00 mx postfix/smtpd[1]: connect\n".utf8)

    @Test func aFolderIsReadWithAllBelowItInTheOrderOfItsNames() throws {
        let folder = try ScratchFolder()
        try SystemCalls().makeFolders(folder.path.appending("b").appending("deep"), mode: 0o700)
        _ = try folder.file("c", log)
        _ = try folder.file("b/z", log)
        _ = try folder.file("b/deep/log", gzip(log))
        _ = try folder.file("a", zstd(log))
        _ = try folder.file("empty", [])
        _ = try folder.file("program", Array("\u{7f}ELF".utf8) + log)
        _ = try folder.file("binary", (0..<5_000).map { UInt8(truncatingIfNeeded: $0 % 17) })
        _ = try folder.file("twice.gz", gzip(gzip(log)))
        _ = try folder.file("tar.gz", gzip([UInt8](repeating: 0, count: 600)))
        try makePipe(folder.path.appending("pipe"))
        let opened = try openInputs([folder.path])
        let base = folder.path
        func name(_ path: FilePath) -> String {
            String(path.string.dropFirst(base.string.count + 1))
        }
        #expect(opened.inputs.map { name($0.path) } == ["a", "b/deep/log", "b/z", "c", "twice.gz"])
        #expect(opened.inputs.map(\.encoding) == [.zstd, .gzip, .plain, .plain, .gzip])
        #expect(
            opened.skipped.map { name($0.path) }
                == ["binary", "empty", "pipe", "program", "tar.gz"]
        )
        #expect(opened.skipped.allSatisfy { !$0.isNamed })
        #expect(opened.skipped[1].reason == .empty)
        #expect(opened.skipped[2].reason == .notAFile)
    }

    @Test func aLinkToAFileIsFollowedAndOneToAFolderIsNot() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("real", log)
        try link(path, folder.path.appending("same"))
        try link(folder.path, folder.path.appending("ring"))
        let opened = try openInputs([folder.path])
        #expect(opened.inputs.map(\.path) == [path])
        #expect(
            opened.skipped.map(\.reason) == [.linkedFolder, .duplicate(of: path)]
        )
    }

    private func link(_ target: FilePath, _ path: FilePath) throws {
        let result = unsafe target.withPlatformString { target in
            unsafe path.withPlatformString { unsafe symlink(target, $0) }
        }
        try #require(result == 0)
    }

    @Test func whatIsNamedAndEmptyOrNoLogIsToldAsSuch() throws {
        let folder = try ScratchFolder()
        let empty = try folder.file("empty", [])
        let program = try folder.file("program", Array("\u{7f}ELF".utf8))
        let opened = try openInputs([empty, program])
        #expect(opened.inputs.isEmpty)
        #expect(
            opened.skipped == [
                SkippedInput(path: empty, reason: .empty, isNamed: true),
                SkippedInput(path: program, reason: .notALog("an ELF program"), isNamed: true),
            ]
        )
    }

    @Test func aLogWhoseStartWasLostToZerosIsALog() throws {
        let folder = try ScratchFolder()
        let zeros = [UInt8](repeating: 0, count: 20_000)
        let path = try folder.file("log", zeros + [10] + log)
        #expect(try openInputs([path]).inputs.count == 1)
        let other = try folder.file("zeros", zeros)
        #expect(try openInputs([other]).skipped.first?.reason == .notALog("binary data"))
    }

    @Test func whatCannotBeOpenedIsAnErrorWithPathAndCause() throws {
        let folder = try ScratchFolder()
        let missing = folder.path.appending("missing")
        #expect(
            throws: SourceError(
                SystemCallError(call: .fstatat, path: missing, cause: .noSuchFileOrDirectory)
            )
        ) { try openInputs([missing]) }
        let secret = try folder.file("secret", log)
        let faults = FaultScript([.init(.openat, .from(1), .fail(.permissionDenied), path: secret)])
        let denied = SystemCallError(call: .openat, path: secret, cause: .permissionDenied)
        #expect(throws: SourceError(denied)) {
            try openInputs([secret], calls: SystemCalls(faults: faults))
        }
        #expect(SourceError(denied).code == .permissionDenied)
        // Below a folder it is left out, and said.
        _ = try folder.file("open", log)
        let opened = try openInputs([folder.path], calls: SystemCalls(faults: faults))
        #expect(opened.inputs.count == 1)
        #expect(opened.skipped.map(\.reason) == [.unreadable(denied)])
    }

    // MARK: Hints and heads

    @Test func timeHintsComeFromTheNameThenFromGzipThenFromTheFile() throws {
        let folder = try ScratchFolder()
        let dated = try folder.file("mail.log-20260301.gz", gzip(log, time: 77))
        let timed = try folder.file("mail.log.2.gz", gzip(log + [10], time: 1_700_000_000))
        let untimed = try folder.file("mail.log.3.gz", gzip(log, time: 0))
        let hints = try openInputs([dated, timed, untimed]).inputs.map(\.timeHint)
        #expect(hints[0] == .nameDate(1_772_409_600))
        #expect(hints[1] == .gzipTime(1_700_000_000))
        let modified = try SystemCalls().status(of: untimed).modifiedMicroseconds / 1_000_000
        #expect(hints[2] == .modified(modified))
    }

    @Test(arguments: [
        ("mail.log-20260301", 1_772_409_600 as Int64?),
        ("mail.log.2026-03-01", 1_772_409_600),
        ("mail.log-20260301-1700000000.gz", 1_772_409_600),
        ("20260301", 1_772_409_600),
        ("mainlog_2026.03.01_x", 1_772_409_600),
        ("mail-2024-02-29.log", 1_709_251_200),
        ("mail-19991231-20260301.log", 1_772_409_600),
        ("mail-2026-03.01", nil),
        ("mail-20260229", nil),
        ("mail-20261301", nil),
        ("mail-1700000000", nil),
        ("mail-202603012", nil),
        ("mail.log.1", nil),
        ("mail-00000000", nil),
    ])
    func aDateInANameMeansTheEndOfThatDay(name: String, seconds: Int64?) {
        #expect(endOfDay(inName: FilePath("/var/log").appending(name)) == seconds)
    }

    @Test(arguments: [1990, 2000, 2024, 2099])
    func everyDayOfAYearIsOneDayAfterTheOneBefore(year: Int) {
        func name(_ year: Int, _ month: Int, _ day: Int) -> FilePath {
            FilePath("x-\(year)\(month < 10 ? "0" : "")\(month)\(day < 10 ? "0" : "")\(day)")
        }
        var ends: [Int64] = []
        for month in 1...12 {
            for day in 1...31 {
                if let end = endOfDay(inName: name(year, month, day)) { ends.append(end) }
            }
        }
        let isLeapYear = [2000, 2024].contains(year)
        #expect(ends.count == (isLeapYear ? 366 : 365))
        #expect(zip(ends, ends.dropFirst()).allSatisfy { $1 - $0 == 86_400 })
        let starts = [1990: 631_152_000, 2000: 946_684_800, 2024: 1_704_067_200] as [Int: Int64]
        if let start = starts[year] { #expect(ends[0] == start + 86_400) }
        if year == 2099 { #expect(ends.last == 4_102_444_800) }
        #expect(endOfDay(inName: name(1989, 12, 31)) == nil)
        #expect(endOfDay(inName: name(2100, 1, 1)) == nil)
    }

    @Test func headsAndTailsCanBeSeenWithoutReadingTheRest() throws {
        let folder = try ScratchFolder()
        let text = Array("one\n\ntwo\nthree".utf8)
        let long = text + [UInt8](repeating: 120, count: 300_000)
        for (name, bytes) in [("plain", text), ("gz", gzip(text)), ("zst", zstd(text))] {
            let input = try #require(try openInputs([try folder.file(name, bytes)]).inputs.first)
            let lines = ["one", "", "two", "three"].map { Array($0.utf8) }
            #expect(input.peekFirstLines(maxBytes: 1_000) == lines)
            #expect(input.peekFirstLines(maxBytes: 6) == Array(lines.prefix(2)))
            #expect(input.peekFirstLines(maxBytes: 2) == [])
            #expect(input.peekLastLines() == lines)
        }
        let input = try #require(try openInputs([try folder.file("long", long)]).inputs.first)
        #expect(input.peekFirstLines(maxBytes: 1_000).count == 3)
        #expect(input.peekLastLines() == [])
        let other = try #require(
            try openInputs([try folder.file("ended", long + [10, 97, 10])]).inputs.first
        )
        #expect(other.peekLastLines() == [[97]])
    }

    @Test func thePeekedHeadOfAPipeIsReadAgain() throws {
        let folder = try ScratchFolder()
        let path = folder.path.appending("fifo")
        try makePipe(path)
        let writer = try SystemCalls().open(path, .readWrite)
        let text = (0..<1_000).flatMap { Array("line \($0)\n".utf8) }
        try writer.writeAll(text)
        let input = try #require(try openInputs([path]).inputs.first)
        #expect(input.peekFirstLines(maxBytes: 5_000).first == Array("line 0".utf8))
        var source = ReplaySource(inputs: [input])
        var batch = Batch(byteCapacity: LineSplitter.batchBytesMin, lineCapacity: 10_000)
        var given = Given()
        while given.lines.count < 1_000, try source.fill(&batch) == .lines { given.take(batch) }
        #expect(given.lines == expectedLines(text).lines)
    }
}
