import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: canMakeJournals, "journals are made by systemd-journal-remote"))
struct JournalReplayTests {
    @Test(arguments: ["postfix", "postfix-short-ids", "postfix-content-filter"])
    func aCorpusLogReadsTheSameFromAJournalAndFromAnExport(name: String) throws {
        let folder = try ScratchFolder()
        let entries = try corpusEntries(name)
        let expected = entries.map(\.line)
        let journal = try replayEntries([try folder.journal("a.journal", entries)])
        #expect(areSame(journal.lines, expected))
        #expect(journal.positions == (1...UInt64(entries.count)).map { $0 })
        #expect(journal.ends == [.endOfInput])
        #expect(journal.notes.isEmpty)
        let path = try folder.file("a.export", export(entries))
        let exported = try replayEntries([path])
        #expect(areSame(exported.lines, expected))
        #expect(exported.notes.isEmpty)
        let compressed = try folder.file("a.export.zst", zstd(export(entries)))
        #expect(try replayEntries([compressed]).lines == expected)
    }

    /// Entries with any bytes in their fields, against the description in ``CraftedEntry/line``.
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func hostileEntriesBecomeTheLinesThatTheyShould(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let folder = try ScratchFolder()
        var entries: [CraftedEntry] = []
        for number in 0..<60 {
            let count =
                Int.random(in: 0..<9, using: &random) == 0
                ? Int.random(in: 65_000..<70_000, using: &random)
                : Int.random(in: 1..<200, using: &random)
            // journald stores no empty values, and one of only zeros is compressed to nothing.
            let message = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            var changes: [String: String?] = [:]
            for field in ["_HOSTNAME", "SYSLOG_IDENTIFIER"] where Bool.random(using: &random) {
                let scalars = (0..<Int.random(in: 1..<20, using: &random)).map { _ in
                    Character(UnicodeScalar(UInt8.random(in: 1...127, using: &random)))
                }
                changes[field] = String(scalars)
            }
            if Bool.random(using: &random) {
                changes["_SOURCE_REALTIME_TIMESTAMP"] =
                    "\(Int64.random(in: 1...250_000_000_000_000_000, using: &random))"
            }
            entries.append(CraftedEntry(number, message, changes))
        }
        let expected = entries.map(\.line)
        let journal = try folder.journal("a.journal", entries)
        let exported = try folder.file("a.export", export(entries))
        for path in [journal, exported] {
            for lineCapacity in [1, 7, 1_000] {
                let given = try replayEntries([path], lineCapacity: lineCapacity)
                #expect(areSame(given.lines, expected))
                #expect(given.notes.isEmpty)
            }
        }
    }

    @Test func forgedEntriesAreCountedAndNeverBecomeLines() throws {
        let folder = try ScratchFolder()
        let entries = [
            CraftedEntry(0, "good"),
            CraftedEntry(1, "forged", ["_UID": "1000", "_COMM": "logger"]),
            CraftedEntry(2, "another", ["_UID": "1000", "SYSLOG_IDENTIFIER": "sshd"]),
            CraftedEntry(3, "forged", ["_SYSTEMD_UNIT": "session-3.scope"]),
            CraftedEntry(4, "good", ["_UID": nil, "_SYSTEMD_UNIT": nil, "_COMM": nil]),
        ]
        let exported = try folder.file("a.export", export(entries))
        for path in [try folder.journal("a.journal", entries), exported] {
            let given = try replayEntries([path])
            #expect(given.lines == [entries[0].line, entries[4].line])
            #expect(given.forgedCount == 2)
            let forged = try #require(given.forged.first)
            #expect(given.forged.count == 1)
            #expect(forged.count == 2)
            #expect(forged.identifier == "postfix/smtpd")
            #expect(forged.userID == 1_000)
            #expect(forged.command == "logger")
            #expect(forged.unit == "postfix@-.service")
        }
    }

    @Test func whatJournaldLeftOutIsTold() throws {
        let folder = try ScratchFolder()
        let dropped: [String: String?] = [
            "MESSAGE_ID": "a596d6fe7bfa4994828e72309e95d61e", "_TRANSPORT": "driver",
            "SYSLOG_IDENTIFIER": "systemd-journald", "_COMM": "systemd-journal",
            "_SYSTEMD_UNIT": "systemd-journald.service",
        ]
        func with(_ more: [String: String?]) -> [String: String?] {
            dropped.merging(more) { $1 }
        }
        let entries = [
            CraftedEntry(
                0,
                "Suppressed 120 messages from postfix@-.service",
                with(["N_DROPPED": "120"])
            ),
            CraftedEntry(1, "Suppressed 7 messages from postfix@-.service", dropped),
            CraftedEntry(2, "Suppressed 8 messages from apache2.service", dropped),
            // Anybody can write this.
            CraftedEntry(
                3,
                "Suppressed 9 messages from postfix@-.service",
                with(["_TRANSPORT": "journal"])
            ),
            CraftedEntry(4, "line"),
        ]
        let given = try replayEntries([try folder.journal("a.journal", entries)])
        #expect(given.lines == [entries[4].line])
        #expect(given.suppressed.map(\.count) == [120, 7])
        #expect(given.suppressed.allSatisfy { $0.unit == "postfix@-.service" })
        #expect(given.suppressed.first?.microseconds == 1_795_000_000_000_000)
    }

    /// Archived files, those of users and the present one, under names that say nothing of their
    /// order.
    @Test func theFilesOfAFolderAreReadAsOneJournal() throws {
        let folder = try ScratchFolder()
        let entries = (0..<90).map { CraftedEntry($0, "entry \($0)") }
        let calls = SystemCalls()
        try calls.makeFolder(folder.path.appending("machine"), mode: 0o755)
        for part in 0..<3 {
            let name = ["b.journal", "a.journal", "c.journal~"][part]
            // Every third, so that the files interleave.
            let some = entries.enumerated().filter { $0.offset % 3 == part }.map(\.element)
            let made = try folder.journal("made.journal", some)
            try calls.rename(made, to: folder.path.appending("machine").appending(name))
        }
        _ = try folder.file("mail.log", Array("2026-01-01T00:00:00Z h postfix/qmgr[1]: x\n".utf8))
        let opened = try openInputs([folder.path])
        #expect(
            opened.inputs.map(\.path) == [
                folder.path.appending("machine"), folder.path.appending("mail.log"),
            ]
        )
        #expect(opened.inputs[0].peekFirstLines(maxBytes: 1) == [entries[0].line])
        #expect(opened.inputs[0].peekLastLines() == [entries[89].line])
        let given = try replayEntries([folder.path.appending("machine")])
        #expect(given.lines == entries.map(\.line))
        #expect(Set(given.files).count == 3)
        #expect(given.notes.isEmpty)
    }

    /// Cut anywhere, as by a copy that broke off.
    @Test func aTruncatedJournalGivesWhatIsThereAndSaysSo() throws {
        let folder = try ScratchFolder()
        let entries = (0..<400).map {
            CraftedEntry($0, "entry \($0) " + String(repeating: "x", count: 500))
        }
        let path = try folder.journal("whole.journal", entries)
        let file = try SystemCalls().open(path)
        let size = Int(try file.status().size)
        let bytes = try file.readFully(count: size, at: 0)
        let expected = entries.map(\.line)
        // The arena ends with zeros that were only reserved.
        let used = bytes.lastIndex { $0 != 0 } ?? 0
        var most = 0
        for share in 1...12 {
            let cut = Array(bytes.prefix(share == 12 ? size - 1 : used * share / 12))
            let given = try replayEntries([try folder.file("cut.journal", cut)])
            #expect(given.damages.first == .journalTruncated)
            #expect(given.ends == [.endOfInput])
            #expect(given.lines == Array(expected.prefix(given.lines.count)))
            #expect(given.lines.count >= most, "more of the file is not less of the log")
            most = given.lines.count
            let missing = UInt64(expected.count - given.lines.count)
            #expect(given.damages.contains(.entriesUnreadable(missing)) == (missing > 0))
        }
        #expect(most == expected.count)
    }

    /// Flipped bytes anywhere: the reading ends, and never stops the program.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func aDamagedJournalStopsNothing(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let folder = try ScratchFolder()
        let entries = (0..<200).map { CraftedEntry($0, "entry \($0)") }
        let good = try folder.journal("good.journal", entries)
        let file = try SystemCalls().open(good)
        var bytes = try file.readFully(count: Int(try file.status().size), at: 0)
        let used = bytes.lastIndex { $0 != 0 } ?? 0
        for _ in 0..<Int.random(in: 1...200, using: &random) {
            let index = Int.random(in: 8...used, using: &random)
            bytes[index] = UInt8.random(in: 0...255, using: &random)
        }
        let bad = try folder.file("bad.journal", bytes)
        let given = try replayEntries([bad])
        #expect(given.ends == [.endOfInput])
        // Another input beside it in the same folder is read all the same.
        let others = (200..<400).map { CraftedEntry($0, "entry \($0)") }
        let both = try replayEntries([bad, try folder.journal("other.journal", others)])
        #expect(both.ends == [.endOfInput])
        #expect(Set(both.lines).isSuperset(of: others.map(\.line)))
    }

    @Test func whatIsNoJournalIsSaid() throws {
        let folder = try ScratchFolder()
        let path = try folder.file(
            "a.journal",
            Array("LPKSHHRH".utf8) + [UInt8](repeating: 0, count: 400)
        )
        let given = try replayEntries([path])
        #expect(given.lines.isEmpty)
        #expect(given.ends == [.endOfInput])
        #expect(given.damages.count == 1)
        let short = try folder.file("b.journal", Array("LPKSHHRH".utf8))
        #expect(try replayEntries([short]).damages.count == 1)
        let packed = try folder.file("c.journal.gz", gzip(Array("LPKSHHRH".utf8) + [0, 0, 0]))
        let opened = try openInputs([packed])
        #expect(opened.inputs.isEmpty)
        #expect(opened.skipped.count == 1)
    }

    @Test func anExportThatBreaksOffIsTold() throws {
        let folder = try ScratchFolder()
        let entries = (0..<5).map { CraftedEntry($0, "entry \($0)") }
        let text = export(entries)
        let given = try replayEntries([try folder.file("a.export", text.dropLast(20))])
        #expect(given.lines == entries.dropLast().map(\.line))
        #expect(given.damages == [.exportBroken])
        let compressed = try folder.file("a.export.gz", gzip(text).dropLast(4))
        let cut = try replayEntries([compressed])
        #expect(cut.lines == entries.map(\.line))
        #expect(cut.damages == [.truncated])
    }

    @Test func linesAndEntriesFollowEachOtherAsInputs() throws {
        let folder = try ScratchFolder()
        let entries = (0..<3).map { CraftedEntry($0, "entry \($0)") }
        let log = try folder.file("mail.log", Array("a\nb".utf8))
        let paths = [
            try folder.file("a.export", export(entries)), log,
            try folder.journal("a.journal", entries),
        ]
        let given = try replayEntries(paths)
        let lines = entries.map(\.line)
        #expect(given.lines.count == 8)
        #expect(Array(given.lines.prefix(3)) == lines)
        #expect(Array(given.lines.suffix(3)) == lines)
        #expect(given.ends == [.endOfFile, .endOfFile, .endOfInput])
    }
}
