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

    /// The subject as a log can carry it: Exim cuts it after 100 bytes.
    func fits(_ logged: String) -> Bool {
        let plain = String(
            String.UnicodeScalarView(
                subject.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? "?" : $0 }
            )
        )
        let logged = logged.trimmingCharacters(in: .whitespaces)
        return logged == plain.trimmingCharacters(in: .whitespaces)
            || (plain.count > 60 && logged.prefix(40) == plain.prefix(40))
    }
}

/// Logs of real Exims, with the truth beside them: every event right, and nothing else.
@Suite struct EximCorpusTests {
    @Test(
        arguments: ["exim", "exim-millisec", "exim-no-recipients", "exim-all", "exim-syslog"]
    )
    func everyEventIsTheTruth(_ name: String) throws {
        var run = try EximRun()
        let log = [UInt8](try Data(contentsOf: corpus(name + ".log")))
        for line in log.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true) {
            run.take(Array(line))
        }
        let lines = run.scanner.counters
        #expect(lines.unparsed == 0)
        #expect(lines[.exim].read > 0)
        #expect(lines[.exim].lines == lines.lines)

        var events: [String: [EximEvent]] = [:]
        for event in run.finish() {
            let key = (event.messageID ?? "") + " " + event.recipient.lowercased()
            events[key, default: []].append(event)
        }
        let joined = run.assembler.counters
        #expect(joined.splitLinesUnparsed == 0)
        #expect(joined.ambiguousHeaders == 0)
        var seen: Set<String> = []
        for truth in try Truth.read(name) where seen.insert(truth.key).inserted {
            let found = events.removeValue(forKey: truth.key) ?? []
            #expect(found.count == 1, "\(truth.key)")
            guard let event = found.first else { continue }
            #expect(event.account == truth.account, "\(truth.key)")
            #expect(truth.fits(event.subject ?? ""), "\(truth.key)")
            #expect(event.receipt == truth.receipt, "\(truth.key)")
            #expect(event.delivery == truth.status, "\(truth.key)")
            #expect(!event.isAmbiguous, "\(truth.key)")
        }
        #expect(events.isEmpty, "events that nobody sent: \(events.keys.sorted().prefix(5))")
        #expect(!seen.isEmpty)
    }
}
