import Foundation
import MailEvents
import MailLog
import TestSupport
import Testing

/// A row of a corpus' truth: one accepted authenticated message and recipient.
private struct Truth: Decodable {
    var account: String
    var message_id: String
    var to: String
    var subject: String
    var receipt: String?
    var status: String

    static func read(_ name: String) throws -> [Truth] {
        let text = try String(contentsOf: corpus(name + ".truth.jsonl"), encoding: .utf8)
        return try text.split(separator: "\n").map {
            try JSONDecoder().decode(Truth.self, from: Data($0.utf8))
        }
    }

    /// What names the event: Message-ID and recipient.
    var key: String { message_id.trimmingCharacters(in: ["<", ">"]) + " " + to.lowercased() }

    /// The subject as the log has it: the controls otherwise, and cut if it is long.
    func fits(_ logged: String) -> Bool {
        let plain = String(
            String.UnicodeScalarView(subject.unicodeScalars.map { $0.value < 32 ? "?" : $0 })
        )
        let logged = logged.trimmingCharacters(in: .whitespaces)
        return logged == plain.trimmingCharacters(in: .whitespaces)
            || (plain.count > 60 && logged.prefix(40) == plain.prefix(40))
    }
}

private func lines(_ name: String) throws -> [String] {
    try String(contentsOf: corpus(name + ".log"), encoding: .utf8)
        .split(separator: "\n").map(String.init)
}

/// Logs of real servers, with the truth beside them: every event right, and nothing else.
@Suite struct ServerCorpusTests {
    @Test(arguments: ["sendmail", "sendmail-filter", "opensmtpd-6", "opensmtpd-7"])
    func everyEventIsTheTruth(_ name: String) throws {
        try expectTruth(of: name, in: try lines(name), hasHeaders: true)
    }

    /// Before 8.16 the word for the protocol does not say whether there was a login, and without
    /// the snippet nothing else does but the process and the client.
    @Test(arguments: ["sendmail", "sendmail-filter"])
    func anOlderSendmailWithoutTheSnippetGivesTheSameAccounts(_ name: String) throws {
        let older = try lines(name)
            .filter { !$0.contains(": postern login=<") }
            .map { line in
                line.replacing(/proto=(ESMTP|UTF8SMTP)(SA|S|A), daemon=/) {
                    "proto=\($0.output.1), daemon="
                }
            }
        try expectTruth(of: name, in: older, hasHeaders: false)
    }

    /// What strangers wrote into them makes two lines of these logs unreadable, and no more.
    @Test(arguments: [
        ("sendmail", 2), ("sendmail-filter", 2), ("opensmtpd-6", 0), ("opensmtpd-7", 0),
    ]) func nearlyAllLinesAreUnderstood(_ name: String, _ unparsed: Int) throws {
        var run = try ServerRun()
        let lines = try lines(name)
        run.take(lines)
        let counters = run.scanner.counters
        let dialect: Dialect = name.hasPrefix("sendmail") ? .sendmail : .openSMTPD
        #expect(counters[dialect].lines == counters.lines)
        #expect(counters[dialect].read > 0)
        #expect(counters.unparsed == unparsed)
        if unparsed > 0 {
            let odd = lines.filter { ServerFacts($0).counters.unparsed > 0 }
            #expect(odd.allSatisfy { $0.contains("Unbalanced '\"'") }, "\(odd)")
        }
    }

    private func expectTruth(of name: String, in lines: [String], hasHeaders: Bool) throws {
        var run = try ServerRun()
        run.take(lines)
        var events = Dictionary(grouping: run.finish()) {
            ($0.messageID ?? "").trimmingCharacters(in: ["<", ">"]) + " "
                + $0.recipient.lowercased()
        }
        var seen: Set<String> = []
        for truth in try Truth.read(name) where seen.insert(truth.key).inserted {
            let found = events.removeValue(forKey: truth.key) ?? []
            #expect(found.count == 1, "\(truth.key)")
            guard let event = found.first else { continue }
            #expect(event.account == truth.account, "\(truth.key)")
            #expect(event.delivery == truth.status, "\(truth.key)")
            guard hasHeaders else { continue }
            #expect(truth.fits(event.subject ?? ""), "\(truth.key)")
            #expect(event.receipt == truth.receipt, "\(truth.key)")
        }
        #expect(events.isEmpty, "events that nobody sent: \(events.keys.sorted().prefix(5))")
        #expect(!seen.isEmpty)
    }
}
