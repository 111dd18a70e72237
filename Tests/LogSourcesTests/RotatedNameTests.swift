@testable import LogSources
import Testing

@Suite struct RotatedNameTests {
    private func age(_ name: String, of base: String = "mail.log") -> RotatedName.Age? {
        RotatedName(Array(name.utf8), of: Array(base.utf8))?.age
    }

    @Test func numbersDatesAndSecondsAreRead() {
        #expect(age("mail.log.1") == .number(1))
        #expect(age("mail.log.02.gz") == .number(2))
        #expect(age("mail.3.log.xz") == .number(3))
        #expect(age("mail.log-20260301") == .date(Array("20260301".utf8)))
        #expect(age("mail-20260301.log") == .date(Array("20260301".utf8)))
        #expect(age("mainlog.2026-03-01", of: "mainlog") == .date(Array("2026-03-01".utf8)))
        #expect(age("mail.log-1772409600") == .seconds(1_772_409_600))
        // Day, month, year: the files' times have to tell.
        #expect(age("mail.log-01032026") == .untold)
        #expect(age("mail.log-20102026") == .untold)
    }

    @Test func otherNamesAreNone() {
        for name in [
            "mail.log", "mail.log.", "mail.log.gz", "mail.log.1a", "mail.log-1", "mail-2.log",
            "mail.logx1", "xmail.log.1", "mail.log.1.2", "mail.err.1",
        ] {
            #expect(age(name) == nil, "\(name)")
        }
    }

    @Test func aCompressionDoesNotChangeWhichRotationItIs() throws {
        let plain = try #require(RotatedName(Array("mail.log.2".utf8), of: Array("mail.log".utf8)))
        for ending in [".gz", ".xz", ".zst", ".bz2", ".lz4"] {
            let name = Array(("mail.log.2" + ending).utf8)
            let packed = try #require(RotatedName(name, of: Array("mail.log".utf8)))
            #expect(packed.isCompressed)
            #expect(packed.age == plain.age)
            #expect(packed.plainName == plain.plainName)
        }
    }
}
