import Foundation
import TestSupport
import Testing

/// A row of a corpus' truth: one accepted authenticated message and recipient.
private struct Truth: Decodable {
    var account: String
    var message_id: String
    var to: String
    var domain: String
    var subject: String
    var receipt: String?
    var status: String
    var scenario: String
    var time: String

    static func read(_ name: String) throws -> [Truth] {
        let text = String(
            decoding: try Data(contentsOf: corpus(name + ".truth.jsonl")),
            as: UTF8.self
        )
        return try text.split(separator: "\n").map {
            try JSONDecoder().decode(Truth.self, from: Data($0.utf8))
        }
    }

    /// What names the event: Message-ID and recipient.
    var key: String { message_id.trimmingCharacters(in: ["<", ">"]) + " " + to.lowercased() }

    /// The subject as a log can carry it.
    func fits(_ logged: String) -> Bool {
        let plain = String(
            String.UnicodeScalarView(subject.unicodeScalars.map { $0.value < 32 ? "?" : $0 })
        )
        let logged = logged.trimmingCharacters(in: .whitespaces)
        return logged == plain.trimmingCharacters(in: .whitespaces)
            || (plain.count > 60 && logged.prefix(40) == plain.prefix(40))
    }
}

/// Real logs, with the truth beside them: every event right, and nothing else.
@Suite struct CorpusTests {
    @Test(
        arguments: [
            "postfix", "postfix-short-ids", "postfix-content-filter", "postfix-before-queue",
            "postfix-before-queue-mute", "postfix-operator", "postfix-internal-addresses",
            "sendmail",
            "sendmail-filter", "opensmtpd-6", "opensmtpd-7",
        ]
    )
    func everyEventIsTheTruth(_ name: String) throws {
        let result = try Program().run([
            "events", "--json", "--year", "2026", "--timezone", "UTC", corpus(name + ".log").path,
        ])
        #expect(result.status == 0)
        var events: [String: [[String: Any]]] = [:]
        for event in try result.objects {
            let id = (event["email.message_id"] as? String ?? "").trimmingCharacters(in: ["<", ">"])
            let to = (event["email.to.address"] as? String ?? "").lowercased()
            events[id + " " + to, default: []].append(event)
        }
        var seen: Set<String> = []
        for truth in try Truth.read(name) where seen.insert(truth.key).inserted {
            let found = events.removeValue(forKey: truth.key) ?? []
            #expect(found.count == 1, "\(truth.key)")
            guard let event = found.first else { continue }
            #expect(event["user.name"] as? String == truth.account, "\(truth.key)")
            #expect(truth.fits(event["email.subject"] as? String ?? ""), "\(truth.key)")
            #expect(event["postern.receipt"] as? String == truth.receipt, "\(truth.key)")
            #expect(event["postern.delivery"] as? String == truth.status, "\(truth.key)")
        }
        #expect(events.isEmpty, "events that nobody sent: \(events.keys.sorted().prefix(5))")
        #expect(!seen.isEmpty)
    }

    /// Whose victim sends reach three unseen domains within the hour is alerted, at the third;
    /// nobody is whose not-read receipts reach fewer than three domains new to the account. Every
    /// bundle verifies.
    @Test(arguments: ["postfix", "postfix-short-ids", "postfix-content-filter"])
    func theVictimsAreAlertedAtTheThirdDomain(_ name: String) throws {
        let scratch = try Scratch()
        let bundles = scratch.path("bundles")
        let result = try Program().run([
            "replay", "--json", "--year", "2026", "--timezone", "UTC", "--evidence", bundles,
            corpus(name + ".log").path,
        ])
        #expect(result.status == 0)
        var victims: [String: Set<String>] = [:]
        var possible: [String: Set<String>] = [:]
        var written: [String: Set<String>] = [:]
        for truth in try Truth.read(name) {
            if truth.receipt == "not-read" {
                possible[truth.account, default: []].insert(truth.domain)
                if truth.scenario == "victim",
                    !(written[truth.account]?.contains(truth.domain) ?? false)
                {
                    victims[truth.account, default: []].insert(truth.domain)
                }
            } else if truth.receipt == nil {
                written[truth.account, default: []].insert(truth.domain)
            }
        }
        let due = Set(victims.filter { $0.value.count >= 3 }.keys)
        let opened = try result.objects.filter { $0["event.action"] as? String == "opened" }
        let bursts = opened.filter { $0["rule.name"] as? String == "receipt_burst" }
        let alerted = bursts.compactMap { $0["user.name"] as? String }
        #expect(Set(alerted).isSuperset(of: due))
        #expect(alerted.count == Set(alerted).count)
        for alert in bursts {
            let account = try #require(alert["user.name"] as? String)
            #expect((possible[account]?.count ?? 0) >= 3, "\(account)")
            #expect(alert["postern.count"] as? Int == 3)
            #expect((alert["related.hosts"] as? [String])?.count == 3)
        }
        // Whatever else is raised is about receipts of these accounts, or of several.
        for alert in opened {
            let accounts = try #require(alert["related.user"] as? [String])
            #expect(accounts.allSatisfy { possible[$0] != nil }, "\(accounts)")
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: bundles).map {
            bundles + "/" + $0
        }
        #expect(files.count == opened.count)
        let verified = try Program().run(["evidence", "verify"] + files)
        #expect(verified.status == 0, "\(verified.error)")
        #expect(verified.output.split(separator: "\n").count == files.count)
    }
}
