import LinuxIO
@testable import LogSources
import SystemPackage
import Testing

@Suite struct FilePatternTests {
    private func matches(_ pattern: String, among names: [String]) throws -> [String] {
        let folder = try ScratchFolder()
        for name in names { _ = try folder.file(name, Array("x\n".utf8)) }
        let found = try FilePattern(folder.path.appending(pattern)).matches()
        #expect(found.folders == [folder.path])
        #expect(found.leftOut == 0)
        return found.files.compactMap { $0.lastComponent?.string }
    }

    @Test func aLogIsNeverMixedWithItsRotations() throws {
        let exim = [
            "mainlog", "mainlog.1", "mainlog.01", "mainlog.2.gz", "mainlog-20260301",
            "mainlog.2026-03-01.xz", "mainlog-20260301-1772409600.zst", "mainlog.old", "mainlog~",
            ".mainlog.swp", "rejectlog", "mainlog.gz",
        ]
        #expect(try matches("mainlog*", among: exim) == ["mainlog"])
        let mail = [
            "mail.log", "mail.err", "mail-in.log", "mail-2.log", "mail.log.1", "mail.1.log",
            "mail-20260301.log", "mail-in.log-20260301.gz", "mail.warn.log",
        ]
        let logs = ["mail-2.log", "mail-in.log", "mail.log", "mail.warn.log"]
        #expect(try matches("mail*.log", among: mail) == logs)
        #expect(
            try matches("mail*", among: mail) == ["mail-2.log", "mail-in.log", "mail.err"]
                + logs[2...]
        )
    }

    @Test func aRotatedFileIsNoSourceWhileItsLogIsNotThere() throws {
        #expect(try matches("mainlog*", among: ["mainlog.1"]) == [])
        #expect(try matches("mail*.log", among: ["mail-20260301.log"]) == [])
    }

    /// Where the date is the pattern's own, each day is a log.
    @Test func datedNamesThatThePatternAsksForAreLogs() throws {
        let days = ["mail-20260301.log", "mail-20260302.log", "mail-20260302.log.1"]
        #expect(try matches("mail-[0-9]*.log", among: days) == Array(days[..<2]))
        #expect(try matches("mail-20260301.log", among: days) == [days[0]])
    }

    @Test func foldersMayBePatternsAndMissingOnesMatchNothing() throws {
        let folder = try ScratchFolder()
        let calls = SystemCalls()
        for name in ["a", "b", "c"] {
            try calls.makeFolder(folder.path.appending(name), mode: 0o700)
        }
        for name in ["a/mail.log", "b/mail.log", "b/mail.log.1"] {
            try append(Array("x\n".utf8), to: folder.path.pushing(FilePath(name)))
        }
        let pattern = FilePattern(folder.path.appending("*").appending("mail*"))
        let found = try pattern.matches()
        #expect(
            found.files == ["a/mail.log", "b/mail.log"].map { folder.path.pushing(FilePath($0)) }
        )
        #expect(found.folders.count == 4)
        let none = FilePattern(folder.path.appending("none").appending("mail*"))
        #expect(try none.matches().files == [])
    }

    @Test func aWatchTellsOfFilesAndFoldersThatCome() throws {
        let folder = try ScratchFolder()
        let below = folder.path.appending("exim4")
        let stop = try EventCounter()
        var watch = PatternWatch([FilePattern(below.appending("mainlog*"))])
        #expect(try watch.matches().map(\.files) == [[]])
        // (Of a folder that is not there nothing can be told; the periodic look finds it.)
        try SystemCalls().makeFolder(below, mode: 0o700)
        #expect(try watch.matches().map(\.files) == [[]])
        try append(Array("x\n".utf8), to: below.appending("mainlog"))
        #expect(try watch.wait(stop: stop) == .changed)
        #expect(try watch.matches().map(\.files) == [[below.appending("mainlog")]])
        #expect(try watch.wait(stop: stop, atMost: 0) == .timeout)
        stop.ring()
        #expect(try watch.wait(stop: stop) == .stopped)
    }

    @Test func aPathWithoutAPatternIsNone() {
        #expect(!FilePattern("/var/log/mail.log").isPattern)
        #expect(FilePattern("/var/log/mail[.]log").isPattern)
    }
}
