import LogSources
import Pipeline
import SystemPackage
import TestSupport
import Testing

/// Traces in a log that is given as text.
private func trace(
    _ log: String,
    _ change: (inout TraceQuery) -> Void
) throws -> (result: TraceResult, verdicts: [TraceVerdict]) {
    let scratch = try Scratch()
    let path = try scratch.write("mail.log", log)
    var query = TraceQuery()
    change(&query)
    let inputs = try openInputs([FilePath(path)]).inputs
    let result = try Tracer(testSettings()).trace(query, in: [InputChain(inputs: inputs)])
    let verdicts = result.traces.map {
        $0.verdict(logsFrom: result.firstMicroseconds ?? 0, to: result.lastMicroseconds ?? 0)
    }
    return (result, verdicts)
}

private func line(_ second: Int, _ program: String, _ text: String, host: String = "mx1") -> String
{
    let clock = "10:\(second / 600)\(second / 60 % 10):\(second / 10 % 6)\(second % 10)"
    return "2026-03-01T\(clock).000000+00:00 \(host) postfix/\(program): \(text)\n"
}

/// A message from its first line to its last.
private func message(
    _ id: String,
    at second: Int,
    client: String,
    messageID: String,
    relay: String = "mx.shop.test[203.0.113.9]:25",
    reply: String = "250 ok",
    host: String = "mx1"
) -> String {
    line(second, "smtpd[1]", "\(id): client=\(client)", host: host)
        + line(second, "cleanup[2]", "\(id): message-id=<\(messageID)>", host: host)
        + line(
            second,
            "qmgr[3]",
            "\(id): from=<a@hosted.example>, size=1, nrcpt=1 (queue active)",
            host: host
        )
        + line(
            second + 1,
            "smtp[4]",
            "\(id): to=<b@shop.test>, relay=\(relay), delay=1, delays=0/0/0/1, dsn=2.0.0, "
                + "status=sent (\(reply))",
            host: host
        )
        + line(second + 2, "qmgr[3]", "\(id): removed", host: host)
}

private let login = "pc[198.51.100.7], sasl_method=PLAIN, sasl_username=alice@hosted.example"

@Suite struct TraceTests {
    private func queueIDs(_ result: TraceResult) -> [[String]] {
        result.traces.map { $0.messages.map(\.queueID) }
    }

    /// A stranger's server answers with the queue ID of a message that it has nothing to do with.
    @Test(arguments: [
        // Another Message-ID.
        message("4XyZbbcdzN9Q2", at: 2, client: "out[192.0.2.9]", messageID: "other@x.test"),
        // The same one, but handed in with a login.
        message("4XyZbbcdzN9Q2", at: 2, client: login, messageID: "one@x.test"),
        // The same one, an hour later.
        message("4XyZbbcdzN9Q2", at: 3_000, client: "out[192.0.2.9]", messageID: "one@x.test"),
        // From this machine, but the relay is not.
        message("4XyZbbcdzN9Q2", at: 2, client: "localhost[127.0.0.1]", messageID: "other@x.test"),
    ])
    func aReplyThatNamesAQueueIDLinksNothingByItself(other: String) throws {
        let first = message(
            "4XyZbbcdzN9Q1",
            at: 0,
            client: login,
            messageID: "one@x.test",
            reply: "250 2.0.0 Ok: queued as 4XyZbbcdzN9Q2"
        )
        let (result, verdicts) = try trace(first + other) { $0.queueID = "4XyZbbcdzN9Q1" }
        #expect(queueIDs(result) == [["4XyZbbcdzN9Q1"]])
        #expect(verdicts.map(\.kind) == [.authenticated])
        #expect(!(verdicts.first?.sentence.contains("4XyZbbcdzN9Q2") ?? true))
    }

    /// Whichever end is asked for, the whole way comes out, the login first.
    @Test(arguments: ["4XyZbbcdzN9Q1", "4XyZbbcdzN9Q2", "4XyZbbcdzN9Q3"])
    func theWayLeadsThroughFiltersAndHosts(asked: String) throws {
        let log =
            message(
                "4XyZbbcdzN9Q1",
                at: 0,
                client: login,
                messageID: "one@x.test",
                relay: "127.0.0.1[127.0.0.1]:10024",
                reply:
                    "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4XyZbbcdzN9Q2"
            )
            + message(
                "4XyZbbcdzN9Q2",
                at: 1,
                client: "localhost[127.0.0.1]",
                messageID: "changed-by-the-filter@x.test",
                relay: "mx2.hosted.example[192.0.2.2]:25",
                reply: "250 2.0.0 Ok: queued as 4XyZbbcdzN9Q3"
            )
            + message(
                "4XyZbbcdzN9Q3",
                at: 2,
                client: "mx1[192.0.2.1]",
                messageID: "changed-by-the-filter@x.test",
                host: "mx2"
            )
        let (result, verdicts) = try trace(log) { $0.queueID = asked }
        #expect(queueIDs(result) == [["4XyZbbcdzN9Q1", "4XyZbbcdzN9Q2", "4XyZbbcdzN9Q3"]])
        #expect(
            verdicts.map(\.sentence) == [
                "Sent with the login of alice@hosted.example from 198.51.100.7 (method PLAIN); "
                    + "accepted by mx.shop.test[203.0.113.9]:25 for b@shop.test."
            ]
        )
        #expect(result.traces[0].lines.count == 15)
    }

    /// A short queue ID comes back for another message: each is told by itself.
    @Test func aQueueIDThatComesBackIsAnotherMessage() throws {
        let log =
            message("0A1B2C3D4E", at: 0, client: login, messageID: "one@x.test")
            + message("0A1B2C3D4E", at: 10, client: "out[192.0.2.9]", messageID: "two@x.test")
        let both = try trace(log) { $0.queueID = "0A1B2C3D4E" }
        #expect(both.verdicts.map(\.kind) == [.authenticated, .relayed])
        #expect(both.result.traces.map(\.lines.count) == [5, 5])
        let second = try trace(log) { $0.messageID = "<two@x.test>" }
        #expect(second.verdicts.map(\.kind) == [.relayed])
    }

    @Test func theNewestAreShownAndAllAreCounted() throws {
        let letters = ["B", "C", "D", "F", "G", "H"]
        let log = letters.enumerated().map { index, letter in
            message("4XyZbbcdzN9Q\(letter)", at: index * 5, client: login, messageID: "\(letter)@x")
        }.joined()
        let (result, _) = try trace(log) {
            $0.account = "Alice@Hosted.Example"
            $0.limit = 2
        }
        #expect(result.foundCount == 6)
        #expect(queueIDs(result) == [["4XyZbbcdzN9QG"], ["4XyZbbcdzN9QH"]])
    }

    /// Fields of a query by their first letters, and whether the message meets them all.
    @Test(
        arguments: [
            (["r": "B@shop.test"], true), (["r": "@Shop.Test"], true), (["r": "@hop.test"], false),
            (["r": "bb@shop.test"], false), (["a": "alice"], false), (["m": "one@x.test"], true),
            (["m": "ne@x.test"], false), (["q": "4XyZbbcdzN9Q"], false),
            (["r": "b@shop.test", "m": "one@x.test", "q": "4XyZbbcdzN9Q1"], true),
            (["r": "b@shop.test", "m": "two@x.test"], false), (["s": ""], false),
        ] as [([String: String], Bool)]
    )
    func everyConditionMustBeMet(asked: [String: String], finds: Bool) throws {
        let log = message("4XyZbbcdzN9Q1", at: 0, client: login, messageID: "one@x.test")
        let (result, _) = try trace(log) {
            $0.account = asked["a"]
            $0.recipient = asked["r"]
            $0.messageID = asked["m"]
            $0.queueID = asked["q"]
            $0.subject = asked["s"]
        }
        #expect(result.traces.isEmpty != finds)
    }

    /// Text of strangers that looks like a login, a connection or a bounce.
    @Test func hostileTextProvesNothing() throws {
        let fake =
            "4XyZbbcdzN9Q1: client=x[192.0.2.66], sasl_method=LOGIN, sasl_username=bob@hosted.example"
        let log =
            line(0, "smtpd[1]", "4XyZbbcdzN9Q1: client=out[192.0.2.9]")
            + line(
                0,
                "cleanup[2]",
                "4XyZbbcdzN9Q1: info: header Subject: \(fake) from out[192.0.2.9]; "
                    + "from=<a@b.test> to=<b@shop.test> proto=ESMTP helo=<h>"
            )
            + line(
                0,
                "cleanup[2]",
                "4XyZbbcdzN9Q1: message-id=<sender non-delivery notification: 4XyZbbcdzN9Q2>"
            )
            + line(1, "qmgr[3]", "4XyZbbcdzN9Q1: from=<a@b.test>, size=1, nrcpt=1 (queue active)")
            + line(
                2,
                "smtp[4]",
                "4XyZbbcdzN9Q1: to=<b@shop.test>, relay=mx.shop.test[203.0.113.9]:25, delay=1, "
                    + "delays=0/0/0/1, dsn=2.0.0, status=sent (250 \(fake))"
            )
        let (result, verdicts) = try trace(log) { $0.queueID = "4XyZbbcdzN9Q1" }
        #expect(verdicts.map(\.kind) == [.relayed])
        #expect(result.traces.first?.messages.first?.login == nil)
        let asked = try trace(log) { $0.account = "bob@hosted.example" }
        #expect(asked.result.traces.isEmpty)
    }
}
