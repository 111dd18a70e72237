import Detection
import Evidence
import Findings
import LogSources
import MailEvents
import MailLog
import Memory
import Records
import Sigma

/// Runs the messages that a canary stands for through an engine of their own: parsing, joining, windows,
/// memory and a rule are those of every line, and what the daemon's engine knows and remembers stays as
/// it is.
enum CanaryRun {
    /// Whether the alert comes that must come.
    static func raisesAlert(_ number: UInt64) -> Bool {
        let account = "canary\(number)@postern.invalid"
        let reading = RuleReading([RuleFile(name: "canary.yml", bytes: Array(rule.utf8))])
        guard reading.mistakes.isEmpty, let zone = TimeZoneSetting("UTC") else { return false }
        var settings = EngineSettings(timeZone: zone, rules: reading.rules)
        settings.assembly.openMax = 16
        let source = LaneSource(name: "canary", table: FileTable())
        guard var engine = try? Engine(settings, sources: [source]) else { return false }
        var scanner = engine.makeScanner()
        let batch = Batch(of: lines(account).map { Array($0.utf8) })
        var facts: [LineFact] = []
        scanner.scan(batch, into: &facts)
        var output = Output()
        guard (try? engine.take(batch, facts: facts, to: &output)) != nil else { return false }
        engine.finish(to: &output)
        return output.accounts == [account]
    }

    private struct Output: EngineOutput {
        /// Of the alerts.
        var accounts: [String?] = []

        mutating func finished(_ event: SendEvent, record: String) {}
        mutating func changed(_ alert: Alert, bundle: BundleContents?) {
            accounts.append(alert.account)
        }
        mutating func raised(_ notice: Notice) {}
    }

    private static let rule = """
        title: Receipt Of A Canary
        id: 0c3c1c64-7d7c-4f0e-9c51-0d9f3a6f3a01
        name: canary_receipt
        logsource: { product: postern, category: mail }
        detection:
            receipt: { postern.receipt: not-read, postern.domain_unseen: true }
            condition: receipt
        level: informational
        ---
        title: Canary
        id: 0c3c1c64-7d7c-4f0e-9c51-0d9f3a6f3a02
        name: canary
        correlation:
            type: value_count
            rules: [canary_receipt]
            group-by: [user.name]
            timespan: 1h
            condition: { field: destination.domain, gte: 2 }
        level: high
        """

    /// Postfix's lines of two receipts, to two domains.
    private static func lines(_ account: String) -> [String] {
        (0..<2).flatMap { index in
            let id = "4XyZbbcdzN9QB\(index)"
            let address = "reader@canary\(index).invalid"
            let head = "2026-01-01T00:00:0\(index).000000+00:00 canary postfix/"
            return [
                head + "smtpd[1]: \(id): client=canary[192.0.2.1], sasl_method=PLAIN, "
                    + "sasl_username=\(account)",
                head + "cleanup[2]: \(id): info: header Subject: Not read: canary from "
                    + "canary[192.0.2.1]; from=<> to=<\(address)> proto=ESMTP helo=<canary>",
                head + "cleanup[2]: \(id): message-id=<\(index)@postern.invalid>",
                head + "qmgr[3]: \(id): from=<>, size=700, nrcpt=1 (queue active)",
                head + "smtp[4]: \(id): to=<\(address)>, relay=mx.invalid[203.0.113.1]:25, "
                    + "delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 ok)",
                head + "qmgr[3]: \(id): removed",
            ]
        }
    }
}
