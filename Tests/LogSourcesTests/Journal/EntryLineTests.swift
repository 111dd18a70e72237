@testable import LogSources
import Records
import TestSupport
import Testing

@Suite struct EntryLineTests {
    private func entry(_ crafted: CraftedEntry) -> JournalEntry {
        var entry = JournalEntry()
        for field in crafted.fields {
            if field.name == "__REALTIME_TIMESTAMP" {
                entry.realtimeMicroseconds =
                    Int64(String(decoding: field.value, as: UTF8.self)) ?? 0
            }
            let name = Array(field.name.utf8)
            entry.add(name: name.span, value: field.value.span, matches: FieldMatches([]))
        }
        return entry
    }

    private func line(_ crafted: CraftedEntry) -> String {
        var line = EntryLine()
        line.make(entry(crafted))
        return String(decoding: line.bytes, as: UTF8.self)
    }

    @Test func anEntryReadsAsALineOfSyslogWithAStampInFull() {
        let crafted = CraftedEntry(
            1,
            "4WxYz12BbCzNk: client=client.example[192.0.2.7]",
            ["_SOURCE_REALTIME_TIMESTAMP": "1772359200250001", "SYSLOG_PID": "4711"]
        )
        #expect(
            line(crafted)
                == "2026-03-01T10:00:00.250001+00:00 mail postfix/smtpd[4711]: "
                + "4WxYz12BbCzNk: client=client.example[192.0.2.7]"
        )
    }

    /// Every byte of message, host and tag.
    @Test func noByteEndsALineOrMovesAField() {
        for byte in UInt8.min...UInt8.max {
            let odd = String(decoding: [97, byte, 98], as: UTF8.self)
            let crafted = CraftedEntry(
                7,
                [97, byte, 98],
                ["_HOSTNAME": odd, "SYSLOG_IDENTIFIER": odd]
            )
            var line = EntryLine()
            line.make(entry(crafted))
            #expect(line.bytes == crafted.line)
            #expect(!line.bytes.contains(10))
            let words = line.bytes.split(separator: 32, omittingEmptySubsequences: false)
            #expect(words.count == (byte == 32 ? 5 : 4), "\(byte)")
        }
    }

    @Test func whatIsMissingIsReplacedOrLeftOut() {
        let none: [String: String?] = [
            "_HOSTNAME": nil, "SYSLOG_IDENTIFIER": nil, "SYSLOG_PID": nil, "_COMM": nil,
        ]
        #expect(line(CraftedEntry(0, "text", none)).hasSuffix("+00:00 - -: text"))
        #expect(line(CraftedEntry(0, "", ["_COMM": nil])).hasSuffix(": "))
        let command: [String: String?] = [
            "SYSLOG_IDENTIFIER": nil, "SYSLOG_PID": nil, "_PID": "12",
        ]
        #expect(line(CraftedEntry(0, "text", command)).hasSuffix(" smtpd[12]: text"))
        // What is no number is no PID.
        let odd = CraftedEntry(0, "text", ["SYSLOG_PID": "1]: x", "_PID": "12"])
        #expect(line(odd).hasSuffix(" postfix/smtpd[12]: text"))
    }

    @Test(arguments: [
        "0", "-1", "", "x", "99999999999999999999", "18446744073709551615", "253402300800000000",
    ])
    func aWildSourceTimeCountsForNothing(time: String) {
        let crafted = CraftedEntry(0, "text", ["_SOURCE_REALTIME_TIMESTAMP": time])
        #expect(line(crafted) == line(CraftedEntry(0, "text")))
    }

    /// Around the limit, with and without escapes, one byte more at a time.
    @Test func aLineIsCutAtTheLimitAndNeverWithinAnEscape() {
        let overhead = CraftedEntry(0, "").line.count
        for extra in -6...6 {
            let count = SourceLimits.lineBytesMax - overhead + extra
            for end in ["", "\u{1}", "\u{1}b"] {
                let text = String(repeating: "a", count: max(0, count - end.utf8.count)) + end
                let crafted = CraftedEntry(0, text)
                var line = EntryLine()
                line.make(entry(crafted))
                #expect(line.bytes.count <= SourceLimits.lineBytesMax)
                let full = text.utf8.count + overhead + (end.isEmpty ? 0 : 3)
                #expect(line.isCut == (full > SourceLimits.lineBytesMax), "\(extra) \(end)")
                if let hash = line.bytes.lastIndex(of: UInt8(ascii: "#")) {
                    #expect(line.bytes.count >= hash + 4)
                }
            }
        }
    }
}
