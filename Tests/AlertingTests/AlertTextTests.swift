import Findings
import SafeText
import TestSupport
import Testing

@testable import Alerting

@Suite struct AlertTextTests {
    let plain = AlertText(
        isColoured: false,
        width: nil,
        evidenceFolder: "/var/lib/postern/evidence"
    )

    @Test func anAlertReadsAsAVerdictAndItsFacts() {
        #expect(
            plain.render(exampleAlert()) == """
                Outlook of alice@example.com is tricked: it sends read receipts to spammers.
                    alert       opened, high
                    rule        outlook_not_read
                    account     alice@example.com
                    when        2026-03-01 10:00:00 to 10:04:10 UTC
                    count       15 (threshold 10)
                    domains     spam1.example, spam2.example, spam3.example, spam4.example, \
                spam5.example, spam6.example, spam7.example, spam8.example, spam9.example, \
                spam10.example and 5 more
                    outcomes    13 sent, 2 bounced
                    why         15 of 15 are receipts; no domain was seen before
                    evidence    /var/lib/postern/evidence/haaaaaaaaaaaaaaaaaaaaaaaaa.0.tar.zst
                    what to do  Turn off automatic read receipts in this user's Outlook.
                    alert ID    haaaaaaaaaaaaaaaaaaaaaaaaa.0

                """
        )
    }

    @Test func factsAreBrokenToTheWidthOfTheTerminal() {
        let text = AlertText(isColoured: false, width: 60, evidenceFolder: nil)
            .render(exampleAlert())
        let lines = text.split(separator: "\n")
        #expect(lines[0] == "Outlook of alice@example.com is tricked: it sends read")
        #expect(lines[1] == "receipts to spammers.")
        for line in lines where !line.contains(".tar.zst") { #expect(line.utf8.count <= 60) }
        #expect(

            text.contains(
                "\n    domains     spam1.example, spam2.example, spam3.example,"
                    + "\n                spam4.example, "
            )

        )
    }

    @Test func coloursAreOnlyThereWhenWanted() {
        let coloured = AlertText(isColoured: true, width: nil, evidenceFolder: nil)
        let lines = coloured.render(exampleAlert()).split(separator: "\n")
        #expect(lines[0].hasPrefix("\u{1b}[1;31mOutlook"))
        #expect(lines[0].hasSuffix("spammers.\u{1b}[0m"))
        #expect(lines[1] == "    \u{1b}[2malert\u{1b}[0m       opened, high")
        #expect(!plain.render(exampleAlert()).contains("\u{1b}"))
    }

    @Test func aNoticeIsShort() throws {
        let notice = Notice(
            name: "postern_limit",
            id: "x",
            microseconds: 1_772_359_450_250_000,
            severity: .medium,
            message: "Too many open messages."
        )
        let facts = try AlertFacts(json: notice.json())
        #expect(
            plain.render(facts) == """
                Too many open messages.
                    notice      medium, postern_limit
                    when        2026-03-01 10:04:10 UTC

                """
        )
    }

    /// forall alerts: the JSON of the outbox says what the alert says.
    @Test(arguments: 1...300 as ClosedRange<UInt64>)
    func theWayThroughJSONLosesNothing(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let alert = hostileAlert(&random)
        let facts = try AlertFacts(json: alert.json())
        #expect(facts == AlertFacts(alert))
        #expect(facts.message.utf8.elementsEqual(alert.message.utf8))
    }

    /// forall alerts and widths: no character of a stranger moves the terminal, and each fact
    /// stands under its label.
    @Test(arguments: 1...150 as ClosedRange<UInt64>)
    func hostileTextStaysText(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let alert = hostileAlert(&random)
        for width in [nil, 1, 40, 80] as [Int?] {
            let text = AlertText(isColoured: false, width: width, evidenceFolder: "/e")
                .render(alert)
            #expect(text.hasSuffix("\n"))
            for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
                #expect(!line.unicodeScalars.contains(where: isUnsafeToShow))
            }
        }
    }

    @Test func longTextIsCut() {
        var alert = exampleAlert()
        alert.message = String(repeating: "\u{202e}", count: 100_000)
        alert.remediation = String(repeating: "漢", count: 100_000)
        let text = plain.render(alert)
        #expect(text.utf8.count < 3 * AlertText.factBytesMax)
        #expect(text.contains("…\n"))
    }

    /// Every length around the limit, with characters and escapes of every size.
    @Test func cuttingNeverBreaksACharacterOrAnEscape() {
        let text = "aé漢🦊\u{202e}\\\u{0}b"
        let whole = shown(text)
        for bytesMax in 3...(whole.utf8.count + 2) {
            let cut = shown(text, bytesMax: bytesMax)
            #expect(cut.utf8.count <= bytesMax)
            if bytesMax >= whole.utf8.count {
                #expect(cut == whole)
            } else {
                #expect(cut.hasSuffix("…"))
                let kept = cut.dropLast()
                let isAtBoundary = (0...text.unicodeScalars.count).contains { count in
                    var head = String.UnicodeScalarView()
                    head.append(contentsOf: text.unicodeScalars.prefix(count))
                    return shown(String(head)) == kept
                }
                #expect(isAtBoundary)
            }
        }
    }

    @Test func wideLettersTakeTwoColumns() {
        #expect(terminalColumns("ab") == 2)
        #expect(terminalColumns("漢字") == 4)
        #expect(terminalColumns("e\u{301}") == 1)
        #expect(terminalColumns("é") == 1)
    }

    @Test(arguments: [
        "event.action", "event.id", "@timestamp", "event.severity", "rule.name", "message",
    ])
    func anAlertWithoutWhatItNeedsIsUnreadable(name: String) throws {
        var writer = JSONObjectWriter()
        let object = try JSONObjectReader.read(exampleAlert().json())
        for member in object.members where member.name != name {
            switch member.value {
            case .string(let text): writer.member(member.name, text)
            case .integer(let number): writer.member(member.name, number)
            default: break
            }
        }
        #expect(throws: UnreadableAlert(description: "`\(name)` is missing")) {
            try AlertFacts(json: writer.finished())
        }
    }
}
