import MailEvents
import Testing

@Suite struct EventTextTests {
    private func event(
        user: String = "alice@corp.example",
        recipient: String = "bob@shop.example",
        subject: String? = "Lunch",
        delivery: Delivery = .sent,
        receipt: Receipt = .none
    ) -> SendEvent {
        var event = SendEvent()
        event.user = event.append(Array(user.utf8).span)
        event.recipient = event.append(Array(recipient.utf8).span)
        if let subject { event.subject = event.append(Array(subject.utf8).span) }
        event.submittedMicroseconds = 1_795_601_472_123_000
        event.delivery = delivery
        event.receipt = receipt
        return event
    }

    @Test func aPipeGetsTheFieldsWithTwoBlanksBetween() {
        let text = EventText(isColoured: false, width: nil)
        #expect(text.head == "")
        #expect(
            text.line(event())
                == "2026-11-25T10:11:12.123Z  alice@corp.example  bob@shop.example  sent  Lunch\n"
        )
        #expect(
            text.line(event(subject: nil, delivery: .bounced, receipt: .notRead))
                == "2026-11-25T10:11:12.123Z  alice@corp.example  bob@shop.example  "
                + "bounced [not-read]  \n"
        )
    }

    @Test func aTerminalGetsColumnsAndACutSubject() {
        let text = EventText(isColoured: false, width: 140)
        let long = String(repeating: "x", count: 100)
        let lines = [
            text.head, text.line(event()),
            text.line(event(subject: long, delivery: .discarded, receipt: .unknown)),
        ]
        let subjects = lines.map { line in
            line.firstRange(of: "SUBJECT") ?? line.firstRange(of: "Lunch")
                ?? line.firstRange(of: "xxx")
        }
        let columns = zip(lines, subjects).map { line, subject in
            subject.map { line.distance(from: line.startIndex, to: $0.lowerBound) }
        }
        #expect(columns == [112, 112, 112])
        #expect(lines.map(\.count) == [120, 118, 141])
        #expect(lines[2].hasSuffix("x…\n"))
    }

    @Test func coloursFollowTheOutcome() {
        let text = EventText(isColoured: true, width: 200)
        #expect(text.line(event()).contains("\u{1b}[32msent"))
        #expect(text.line(event(delivery: .expired)).contains("\u{1b}[31mexpired"))
        #expect(text.line(event(delivery: .held)).contains("\u{1b}[33mheld"))
        #expect(!text.line(event(delivery: .unknown)).contains("\u{1b}"))
        #expect(text.line(event(receipt: .read)).contains("\u{1b}[1;33mread"))
    }

    /// A stranger's text moves no cursor and makes no lines.
    @Test(arguments: [nil, 120])
    func textOfALogIsEscaped(width: Int?) {
        let text = EventText(isColoured: false, width: width)
        let line = text.line(
            event(user: "a\u{1b}[2J", recipient: "b\n", subject: "\u{202e}c\r\u{7}")
        )
        #expect(line.contains("a\\u{1b}[2J"))
        #expect(line.contains("b\\u{a}"))
        #expect(line.contains("\\u{202e}c\\u{d}\\u{7}"))
        #expect(line.filter(\.isNewline).count == 1)
    }
}
