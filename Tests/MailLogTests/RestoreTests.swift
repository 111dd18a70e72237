import MailEvents
import Records
import TestSupport
import Testing

@testable import MailLog

/// Lines of one message, `Mar  1 10:00:00 mx1 postfix/` before each.
private func lines(_ texts: String...) -> [[UInt8]] {
    texts.map { Array("Mar  1 10:00:00 mx1 postfix/\($0)".utf8) }
}

/// Stored and restored at any line, the assembler goes on as if nothing had been.
@Suite struct RestoreTests {
    /// Lines of real logs, some of them changed, in runs of a few dozen: so lines of one message meet
    /// those of others with the same queue ID, times go back, and limits are reached.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func aRestoreChangesNothing(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let logs = try Logs.all().map { try Logs.lines(of: $0) }.filter { !$0.isEmpty }
        var mutator = Mutator(
            seed: seed,
            lines: try Logs.seeds.get(),
            tokens: try Tokens.all.get()
        )
        for _ in 0..<max(1, Logs.mutations / 5_000) {
            var lines: [[UInt8]] = []
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let log = logs[Int.random(in: 0..<logs.count, using: &random)]
                let start = Int.random(in: 0..<log.count, using: &random)
                lines += log[start...].prefix(Int.random(in: 1...40, using: &random))
            }
            for index in lines.indices where Int.random(in: 0..<8, using: &random) == 0 {
                lines[index] = mutator.next()
            }
            for _ in 0..<3 {
                // A queue ID that comes back.
                let from = Int.random(in: 0..<lines.count, using: &random)
                lines.insert(
                    lines[from],
                    at: Int.random(in: 0...lines.count, using: &random)
                )
            }
            try RestoreCheck.run(
                lines,
                restoreEvery: Int.random(in: 1...5, using: &random),
                openMax: Int.random(in: 1...12, using: &random)
            )
        }
    }

    /// A message from a filter, whose queue ID came back before it was linked, waits; it is not open
    /// after a restore either.
    @Test func aClosedMessageStaysClosed() throws {
        try RestoreCheck.run(
            lines(
                "smtpd[1]: 0A1B2C3D4E: client=localhost[127.0.0.1]",
                "smtpd[1]: 0A1B2C3D4E: client=localhost[127.0.0.1]",
                "cleanup[2]: 0A1B2C3D4E: message-id=<1@pc.test>",
                "qmgr[3]: 0A1B2C3D4E: from=<a@b.test>, size=1, nrcpt=1 (queue active)"
            ),
            restoreEvery: 1,
            openMax: 10
        )
    }

    /// A message whose lines came late is not idle sooner after a restore: what came last leaves last.
    @Test func theOrderOfIdlenessStays() throws {
        let opening = { (hour: String, id: String) in
            Array(
                "Mar  1 \(hour):00:00 mx1 postfix/submission/smtpd[1]: \(id): client=pc[192.0.2.1], sasl_username=a"
                    .utf8
            )
        }
        try RestoreCheck.run(
            [
                opening("12", "AAAAA"), opening("02", "BBBBB"), opening("12", "CCCCC"),
                opening("12", "DDDDD"),
            ],
            restoreEvery: 1,
            openMax: 10
        )
    }

    /// What a filter made of a message that is gone tells its outcome to nobody: not to the message
    /// that has the place of the one that is gone.
    @Test func anOutcomeIsNeverThatOfAnotherMessage() throws {
        var run = try LogRun()
        let read = lines(
            "submission/smtpd[1]: AAAAA: client=pc[192.0.2.1], sasl_username=alice",
            "smtpd[1]: BBBBB: client=localhost[127.0.0.1], orig_queue_id=AAAAA, orig_client=pc[192.0.2.1]",
            "qmgr[3]: BBBBB: from=<alice@b.test>, size=1, nrcpt=1 (queue active)",
            "postsuper[4]: AAAAA: removed",
            "submission/smtpd[1]: CCCCC: client=pc[192.0.2.2], sasl_username=bob",
            "smtp[5]: CCCCC: to=<x@y.test>, relay=none, delay=1, dsn=4.4.1, status=deferred (no route)",
            "smtp[5]: BBBBB: to=<x@y.test>, relay=mx.y.test[192.0.2.9]:25, delay=1, dsn=5.0.0, status=bounced (no)",
            "smtp[5]: CCCCC: to=<x@y.test>, relay=mx.y.test[192.0.2.9]:25, delay=2, dsn=2.0.0, status=sent (ok)"
        )
        for line in read { run.read(line) }
        run.finish()
        #expect(run.events.map(\.account) == ["bob"])
        #expect(run.events.map(\.delivery) == [.sent])
        #expect(run.violations.isEmpty)
    }
}
