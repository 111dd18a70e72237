import Detection
import Evidence
import Findings
import Foundation
import LogSources
import Pipeline
import Sigma
import SystemPackage
import TestSupport
import Testing

/// Writes the lines of a Postfix, one message after the other.
private struct LogWriter {
    private(set) var text = ""
    private var number = 0

    private func stamp(_ second: Int) -> String {
        let (hours, rest) = (10 + second / 3_600, second % 3_600)
        let time = [hours, rest / 60, rest % 60].map { ($0 < 10 ? "0" : "") + String($0) }
        return "2026-03-01T\(time.joined(separator: ":"))+00:00 mx1 postfix/"
    }

    /// A receipt of an account, handed in at a second; its delivery comes a second later.
    mutating func receipt(
        _ second: Int,
        _ account: String,
        to domain: String,
        payload: String,
        status: String = "sent (250 ok)"
    ) {
        number += 1
        let id =
            "4XyZbbcd"
            + String(number + 0x1_0000, radix: 16).uppercased().filter { $0 != "A" && $0 != "E" }
            + "z" + String(number).map { "BCDFGHJKLM"[$0] }
        text +=
            stamp(second) + "submission/smtpd[7]: \(id): client=pc[192.0.2.7], "
            + "sasl_method=LOGIN, sasl_username=\(account)\n"
            + stamp(second) + "cleanup[8]: \(id): info: header Subject: Not read: \(payload) from "
            + "pc[192.0.2.7]; from=<\(account)> to=<x@\(domain)> proto=ESMTP helo=<pc>\n"
            + stamp(second)
            + "qmgr[9]: \(id): from=<\(account)>, size=700, nrcpt=1 (queue active)\n"
            + stamp(second + 1) + "smtp[10]: \(id): to=<x@\(domain)>, relay=mx.\(domain)"
            + "[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=\(status)\n"
        if !status.hasPrefix("deferred") { text += stamp(second + 1) + "qmgr[9]: \(id): removed\n" }
    }
}

extension String {
    /// The character at the place that a digit says.
    fileprivate subscript(digit: Character) -> Character {
        self[index(startIndex, offsetBy: digit.wholeNumberValue ?? 0)]
    }
}

private func alerts(_ log: LogWriter) throws -> [[String: Any]] {
    let scratch = try Scratch()
    let path = try scratch.write("mail.log", log.text)
    var output = Recording()
    let inputs = try openInputs([FilePath(path)]).inputs
    _ = try Replay().run([InputChain(inputs: inputs)], settings: testSettings(), output: &output)
    return try output.alerts.map { text in
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }
}

@Suite struct AlertLifeTests {
    private static let refusal =
        "deferred (host mx.far.test[203.0.113.9] refused to talk to me: 421 4.7.1 Client host "
        + "[192.0.2.25] blocked using zen.spamhaus.org)"

    @Test func aBlocklistRaisesTheLevelOnce() throws {
        var log = LogWriter()
        for number in 0..<3 {
            log.receipt(
                number * 10,
                "alice@hosted.example",
                to: "d\(number).test",
                payload: "pills"
            )
        }
        for number in 3..<6 {
            log.receipt(
                number * 10,
                "alice@hosted.example",
                to: "d\(number).test",
                payload: "pills",
                status: Self.refusal
            )
        }
        let found = try alerts(log)
        let actions = found.map { $0["event.action"] as? String }
        #expect(actions == ["opened", "updated"])
        #expect(found[0]["event.severity"] as? Int == 73)
        #expect(found[0]["postern.blocklists"] == nil)
        #expect(found[1]["event.severity"] as? Int == 99)
        #expect(found[1]["postern.blocklists"] as? [String] == ["zen.spamhaus.org"])
        let outcomes = found[1]["postern.outcomes"] as? [String: Int]
        #expect(outcomes == ["sent": 3, "deferred": 1, "bounced": 0, "pending": 0])
        let message = try #require(found[1]["message"] as? String)
        #expect(message.hasPrefix("Sent by the user's own Outlook, login not shown stolen: "))
        #expect(message.contains("because of a blocklist"))
    }

    /// An alert of before the resolution counts what became of its events by then.
    @Test func aResolvedAlertTellsWhatBecameOfItsEvents() throws {
        var log = LogWriter()
        for number in 0..<4 {
            let status =
                number == 3
                ? "bounced (host mx[203.0.113.9] said: 550 no such user)" : "sent (250 ok)"
            log.receipt(
                number * 10,
                "alice@hosted.example",
                to: "d\(number).test",
                payload: "pills",
                status: status
            )
        }
        log.receipt(7_300, "bob@hosted.example", to: "e.test", payload: "late")
        let last = try #require(try alerts(log).last)
        #expect(last["event.action"] as? String == "resolved")
        let outcomes = last["postern.outcomes"] as? [String: Int]
        #expect(outcomes == ["sent": 3, "deferred": 0, "bounced": 1, "pending": 0])
        #expect(last["postern.recipients"] as? Int == 4)
        #expect(last["postern.commands"] == nil)
        #expect((last["message"] as? String)?.hasSuffix("nothing more since then.") == true)
    }

    @Test func aCampaignAndItsAccountsAlertsNameEachOther() throws {
        var log = LogWriter()
        // Alice has an alert of her own before the campaign, Bob and Carol after it.
        var second = 0
        for name in ["alice", "bob", "carol"] {
            for number in 0..<3 {
                second += 5
                log.receipt(
                    second,
                    "\(name)@hosted.example",
                    to: "\(name)\(number).test",
                    payload: "Cheap pills today"
                )
            }
        }
        let found = try alerts(log)
        let opened = found.filter { $0["event.action"] as? String == "opened" }
        let names = opened.map { $0["rule.name"] as? String }
        #expect(names == ["receipt_burst", "receipt_burst", "receipt_campaign", "receipt_burst"])
        let ids = opened.compactMap { $0["event.id"] as? String }
        try #require(ids.count == 4)
        let related = opened.map { $0["postern.related_alerts"] as? [String] }
        #expect(related[0] == nil)
        #expect(related[1] == nil)
        #expect(related[2] == [ids[0], ids[1]])
        #expect(related[3] == [ids[2]])
        let message = try #require(opened[2]["message"] as? String)
        #expect(message.contains("one template, 3 mailboxes, 7 domains: 7 \"Not read:\" receipts"))
    }
}
