import Foundation
import TestSupport
import Testing

private let journalMaker = "/lib/systemd/systemd-journal-remote"
private let canMakeJournals = FileManager.default.isExecutableFile(atPath: journalMaker)

/// A log gives the same events from wherever it is read: all fields but the place and the time.
@Suite(.enabled(if: canMakeJournals, "journals are made by systemd-journal-remote"))
struct JournalTests {
    /// A syslog file as an export of the journal that it would have become.
    private func export(_ log: Data) -> Data {
        var text = Data()
        for (index, line) in log.split(separator: 10).enumerated() {
            let words = line.split(separator: 32, maxSplits: 5, omittingEmptySubsequences: true)
            let tag = String(decoding: words[4], as: UTF8.self).split(separator: "[")
            let pid = tag[1].dropLast(2)
            let time = 1_795_446_000_000_000 + index * 1_000
            let fields = """
                __REALTIME_TIMESTAMP=\(time)
                __MONOTONIC_TIMESTAMP=\(time)
                _BOOT_ID=0123456789abcdef0123456789abcdef
                SYSLOG_FACILITY=2
                SYSLOG_IDENTIFIER=\(tag[0])
                SYSLOG_PID=\(pid)
                _UID=0
                _COMM=\(tag[0].split(separator: "/").last ?? "")
                _SYSTEMD_UNIT=postfix@-.service
                _HOSTNAME=\(String(decoding: words[3], as: UTF8.self))
                _TRANSPORT=syslog
                MESSAGE

                """
            text += Data(fields.utf8)
            text += Data((0..<8).map { UInt8(truncatingIfNeeded: words[5].count >> ($0 * 8)) })
            text += words[5] + Data("\n\n".utf8)
        }
        return text
    }

    private func events(_ input: String) throws -> [String] {
        let result = try Program().run([
            "events", "--json", "--year", "2026", "--timezone", "UTC", input,
        ])
        #expect(result.status == 0, "\(result.error)")
        return try result.objects.map { object in
            var object = object
            // What depends on the time differs: a journal has the times of its making.
            for name in ["@timestamp", "postern.record", "postern.bait_age_seconds"] {
                object[name] = nil
            }
            let data = try JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
            return String(decoding: data, as: UTF8.self)
        }
    }

    @Test(arguments: ["postfix", "postfix-short-ids", "postfix-content-filter"])
    func theEventsOfALogAreThoseOfItsJournal(name: String) throws {
        let scratch = try Scratch()
        let log = corpus(name + ".log")
        let expected = try events(log.path)
        #expect(!expected.isEmpty)
        let exported = try scratch.write("mail.export", export(try Data(contentsOf: log)))
        #expect(try events(exported) == expected)
        let journals = scratch.path("journal")
        try FileManager.default.createDirectory(
            atPath: journals,
            withIntermediateDirectories: true
        )
        let journal = journals + "/system.journal"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: journalMaker)
        process.arguments = ["-o", journal, exported]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(try events(journal) == expected)
        #expect(try events(journals) == expected)
    }
}
