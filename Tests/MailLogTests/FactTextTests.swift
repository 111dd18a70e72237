import MailEvents
import MailLog
import Records
import Testing

/// The facts of one line.
private func facts(_ line: String) -> [LineFact] {
    var scanner = LogScanner(seed: .constant)
    var facts: [LineFact] = []
    scanner.scanLine(Array(line.utf8).span, line: 0, into: &facts)
    return facts
}

private let start = "2026-03-01T10:00:00.000000+00:00 mx1 postfix/"

@Suite struct FactTextTests {
    /// The subject of a line, as a reader tells it that knows the client.
    private func subject(
        _ line: String,
        client: String? = "pc[192.0.2.7]",
        sender: String? = nil
    )
        -> String?
    {
        let bytes = Array(line.utf8)
        var texts = FactTextReader()
        let fact = facts(line).first { $0.kind == .subject || $0.header == .subject }
        return fact.map { fact in
            let text = texts.subject(
                fact,
                bytes.span,
                client: client.map { Array($0.utf8) },
                sender: sender.map { Array($0.utf8) }
            )
            return String(decoding: text, as: UTF8.self)
        }
    }

    @Test(
        arguments: [
            ("Lunch", "Lunch"), ("=?utf-8?Q?L=C3=BCnch?=", "Lünch"),
            // A forged tail does not end at the line's end.
            (
                "x from pc[192.0.2.7]; from=<a@b.test> to=<c@d.test> proto=ESMTP helo=<h>",
                "x from pc[192.0.2.7]; from=<a@b.test> to=<c@d.test> proto=ESMTP helo=<h>"
            ),
            ("", ""),
        ] as [(String, String)]
    )
    func aHeaderEndsBeforePostfixTail(text: String, subject: String) {
        let line =
            start + "cleanup[1]: 4XyZbbcdzN9QB: info: header Subject: \(text) from pc[192.0.2.7]; "
            + "from=<alice@hosted.example> to=<b@shop.test> proto=ESMTP helo=<pc>"
        #expect(self.subject(line) == subject)
    }

    /// Without the client nothing tells the tail, and the text goes to the line's end.
    @Test func theClientTellsTheTail() {
        let line =
            start + "cleanup[1]: 4XyZbbcdzN9QB: info: header Subject: x from pc[192.0.2.7]; "
            + "from=<alice@hosted.example> to=<b@shop.test> proto=ESMTP helo=<pc>"
        #expect(subject(line, sender: "alice@hosted.example") == "x")
        #expect(subject(line, client: nil)?.hasSuffix("helo=<pc>") == true)
    }

    @Test func otherServersWriteSubjectsInFormsOfTheirOwn() {
        let exim =
            "2026-03-01 10:00:00 1xVVVq-0007Kx-3A <= a@hosted.example H=(pc) [192.0.2.7] P=esmtpsa "
            + "A=plain:a@hosted.example S=390 id=x@hosted.example T=\"a \\\"b\\\" \\303\\274\" "
            + "for b@shop.test"
        #expect(subject(exim) == "a \"b\" ü")
    }
}

/// The assembler after some lines.
private func assembler(after lines: [String]) -> Assembler {
    var assembler = Assembler(seed: .constant)
    var scanner = LogScanner(seed: .constant)
    var pending: [Assembler.Happening] = []
    for (index, line) in lines.enumerated() {
        let bytes = Array((start + line).utf8)
        var facts: [LineFact] = []
        scanner.scanLine(bytes.span, line: 0, into: &facts)
        for fact in facts {
            let isNews = assembler.take(
                fact,
                bytes.span,
                record: RecordID(
                    source: SourceNumber(0),
                    file: FileNumber(0),
                    offset: UInt64(index)
                ),
                sequence: UInt64(index + 1),
                microseconds: 1_772_359_200_000_000
            )
            guard isNews else { continue }
            assembler.takePending(&pending)
            pending.removeAll()
            assembler.clearHappenings()
        }
    }
    return assembler
}

@Suite struct MessageViewTests {
    private let client =
        "smtpd[1]: 4XyZbbcdzN9QB: client=pc[192.0.2.7], sasl_method=PLAIN, sasl_username=a@hosted.example"
    private let active =
        "qmgr[2]: 4XyZbbcdzN9QB: from=<a@hosted.example>, size=1, nrcpt=1 (queue active)"

    private func view(_ line: String, after lines: [String]) -> MessageView? {
        let bytes = Array((start + line).utf8)
        var assembler = assembler(after: lines)
        return facts(start + line).first.flatMap { assembler.message(of: $0, bytes.span) }
    }

    @Test func aLineIsOfTheOpenMessageWithItsQueueID() {
        let view = view(active, after: [client])
        #expect(view.map { String(decoding: $0.queueID, as: UTF8.self) } == "4XyZbbcdzN9QB")
        #expect(view?.login.map { String(decoding: $0, as: UTF8.self) } == "a@hosted.example")
        #expect(self.view(active, after: []) == nil)
        #expect(self.view(active, after: [client, "qmgr[2]: 4XyZbbcdzN9QB: removed"]) == nil)
        #expect(
            self.view(active, after: ["smtpd[1]: 4XyZbbcdzN9QB: client=out[203.0.113.5]"])?.login
                == nil
        )
    }

    /// What the watch over coverage counts: a submission that was queued and left without one
    /// recipient having been named.
    @Test(
        arguments: [
            ([true, true, false], false), ([true, false, false], nil), ([true, true, true], nil),
            ([false, true, false], nil),
        ] as [([Bool], Bool?)]
    )
    func aSubmissionWithoutRecipientsIsTold(parts: [Bool], hasSubject: Bool?) {
        let stranger = "smtpd[1]: 4XyZbbcdzN9QB: client=out[203.0.113.5]"
        let delivery =
            "smtp[3]: 4XyZbbcdzN9QB: to=<b@shop.test>, relay=mx.shop.test[203.0.113.9]:25, delay=1, "
            + "delays=0/0/0/1, dsn=2.0.0, status=deferred (later)"
        var lines = [parts[0] ? client : stranger]
        if parts[1] { lines.append(active) }
        if parts[2] { lines.append(delivery) }
        var assembler = assembler(after: lines)
        let bytes = Array((start + "qmgr[2]: 4XyZbbcdzN9QB: removed").utf8)
        var pending: [Assembler.Happening] = []
        for fact in facts(start + "qmgr[2]: 4XyZbbcdzN9QB: removed") {
            _ = assembler.take(
                fact,
                bytes.span,
                record: RecordID(source: SourceNumber(0), file: FileNumber(0), offset: 9),
                sequence: 9,
                microseconds: 1_772_359_200_000_000
            )
        }
        assembler.takePending(&pending)
        var told: [Bool?] = []
        for happening in pending {
            guard case .closed(let slot) = happening else { continue }
            told.append(assembler.endedWithoutRecipient(slot: slot))
        }
        #expect(told == [hasSubject])
    }
}
