import Foundation
import TestSupport
import Testing

/// What a user may hand in by mistake, and what somebody else may have prepared.
@Suite struct BadInputTests {
    private let line =
        "2026-03-01T10:00:00+00:00 mx1 postfix/smtpd[1]: ABCDEF0123: client=h[192.0.2.1]\n"

    private func replay(_ arguments: String..., input: Data? = nil) throws -> Program.Result {
        try Program().run(["replay", "--timezone", "UTC"] + arguments, input: input)
    }

    @Test func aMissingFileIs66() throws {
        let result = try replay("/nonexistent/mail.log")
        #expect(result.status == 66)
        #expect(result.error.hasPrefix("postern: /nonexistent/mail.log: "))
        #expect(result.output.isEmpty)
    }

    @Test func anEmptyFileIs65() throws {
        let scratch = try Scratch()
        let result = try replay(try scratch.write("empty.log", ""))
        #expect(result.status == 65)
        #expect(result.error.contains("empty.log: it is empty"))
    }

    @Test func aBinaryFileIs65() throws {
        let scratch = try Scratch()
        let bytes = Data((0..<4_096).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        let result = try replay(try scratch.write("binary", bytes))
        #expect(result.status == 65)
        #expect(result.error.contains("binary: it is not a log"))
    }

    @Test func aTextThatIsNoMailLogIs65() throws {
        let scratch = try Scratch()
        let result = try replay(try scratch.write("poem.txt", "roses are red\nviolets are blue\n"))
        #expect(result.status == 65)
        #expect(result.error.contains("none of the 2 lines"))
        #expect(result.error.contains("--dialect postfix"))
    }

    /// Nobody is to guess whose the lines are that stand in another program's: the message says so.
    @Test func whatComposePutBeforeTheLinesIsPassedOverWhenTheOperatorSaysWhoseTheyAre() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "compose.log",
            (0..<3).map { receipt($0, second: 0) }.joined().split(separator: "\n")
                .map { "postfix-mailcow-1  | \($0)\n" }.joined()
        )
        #expect(try replay(path).status == 65)
        let result = try Program().run([
            "replay", "--timezone", "UTC", "--dialect", "postfix", path,
        ])
        #expect(result.status == 0, "\(result.error)")
        #expect(result.error.contains("1 alert"), "\(result.error)")
    }

    @Test func aFolderWithoutLogsIs65() throws {
        let scratch = try Scratch()
        let result = try replay(scratch.url.path)
        #expect(result.status == 65)
        #expect(result.error.contains("no log"))
    }

    @Test func aStampWithoutAYearIs65AndTheMessageSaysWhatToDo() throws {
        let text = "Mar  1 10:00:00 mx1 postfix/smtpd[1]: ABCDEF0123: client=h[192.0.2.1]\n"
        let result = try replay("-", input: Data(text.utf8))
        #expect(result.status == 65)
        #expect(result.error.contains("--year"))
    }

    @Test func wrongUsageIs64() throws {
        for arguments in [
            ["replay"], ["replay", "--year", "12", "x"], ["replay", "--nonsense", "x"],
            ["nonsense"],
            ["replay", "--since", "yesterday", "x"], ["replay", "--dialect", "notes", "x"],
            ["replay", "--timezone", "Nowhere/City", "/dev/null"],
        ] {
            #expect(try Program().run(arguments).status == 64, "\(arguments)")
        }
    }

    @Test func badRulesAre78WithTheirPlace() throws {
        let scratch = try Scratch()
        let rule = try scratch.write(
            "rules/bad.yml",
            "title: x\ndetection:\n    sel:\n        a|nonsense: 1\n    condition: sel\n"
        )
        let log = try scratch.write("mail.log", line)
        let result = try replay("--rules", scratch.path("rules"), log)
        #expect(result.status == 78)
        #expect(result.error.contains("\(rule):4:"))
    }

    @Test func badSettingsAre78WithTheirPlace() throws {
        let scratch = try Scratch()
        let file = try scratch.write("postern.yml", "timezone: UTC\nlatenes: 5m\n")
        let log = try scratch.write("mail.log", line)
        let result = try replay("--config", file, log)
        #expect(result.status == 78)
        #expect(result.error.contains("\(file):2:1: "))
        #expect(result.error.contains("lateness"))
    }

    /// forall places at which a compressed log can be cut: everything readable is read, the damage is
    /// told, and the status is 65.
    @Test(arguments: ["gzip", "zstd"])
    func aCutArchiveGivesWhatCanBeRead(_ tool: String) throws {
        let scratch = try Scratch()
        let text = String(repeating: line, count: 40_000)
        let plain = try scratch.write("mail.log", text)
        let compressor = Process()
        compressor.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compressor.arguments = [tool, "-q", "-k", plain]
        try compressor.run()
        compressor.waitUntilExit()
        let packed = plain + (tool == "gzip" ? ".gz" : ".zst")
        let whole = try Data(contentsOf: URL(fileURLWithPath: packed))
        let good = try replay(packed)
        #expect(good.status == 0)
        #expect(good.error.contains("40000 lines"))
        for part in [whole.count / 3, whole.count / 2, whole.count - 1] {
            let cut = try scratch.write("cut-\(part)", whole.prefix(part))
            let result = try replay(cut)
            #expect(result.status == 65, "\(part)")
            #expect(result.error.contains("cut-\(part): at byte"))
            #expect(result.error.contains("everything before it was read"))
        }
    }

    /// Invalid UTF-8, NUL bytes, lines of 10 MB and a log that begins in the middle of messages.
    @Test func hostileBytesAreReadPast() throws {
        let scratch = try Scratch()
        var data = Data(
            "2026-03-01T10:00:00+00:00 mx1 postfix/smtp[1]: 4XyZbbcdzN9QK: to=<a@b.test>, relay=x, delay=1, dsn=2.0.0, status=sent (ok)\n"
                .utf8
        )
        data.append(Data(repeating: 0xff, count: 300))
        data.append(0x0a)
        data.append(Data(count: 3))
        data.append(0x0a)
        data.append(Data(repeating: UInt8(ascii: "x"), count: 10_000_000))
        data.append(0x0a)
        data.append(try Data(contentsOf: corpus("postfix.log")))
        let whole = try replay("--json", "--year", "2026", try scratch.write("odd.log", data))
        let plain = try replay("--json", "--year", "2026", corpus("postfix.log").path)
        #expect(whole.status == 0)
        #expect(whole.output == plain.output)
        #expect(!plain.output.isEmpty)
        let told = try replay("--year", "2026", scratch.path("odd.log"))
        #expect(told.error.contains("1 were cut at 64 KiB"))
    }

    /// Text from the log cannot reach the terminal as anything but text.
    @Test func controlAndBidirectionalCharactersAreEscaped() throws {
        let scratch = try Scratch()
        var text = ""
        for index in 0..<3 {
            let id = "4XyZbbcdzN9Q\(index)"
            let head = "2026-03-01T10:00:0\(index)+00:00 mx1 postfix/"
            let user = "ev\u{1b}[31mil\u{202e}@hosted.example"
            text +=
                head
                + "smtpd[1]: \(id): client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=\(user)\n"
            text +=
                head
                + "cleanup[1]: \(id): info: header Subject: Not read: x\u{1b}]0;y\u{7} from h[192.0.2.1]; "
                + "from=<a@hosted.example> to=<b@d\(index).test> proto=ESMTP helo=<h>\n"
            text +=
                head + "qmgr[1]: \(id): from=<a@hosted.example>, size=1, nrcpt=1 (queue active)\n"
        }
        let log = try scratch.write("mail.log", text)
        for arguments in [
            ["replay", log], ["events", log], ["replay", "--json", log], ["events", "--json", log],
        ] {
            let result = try Program().run(arguments)
            #expect(result.status == 0)
            #expect(result.output.contains("hosted.example"))
            for scalar in result.output.unicodeScalars {
                #expect(
                    scalar == "\n"
                        || scalar.value >= 0x20 && scalar.value != 0x7f && scalar != "\u{202e}"
                )
            }
        }
    }
}
