import MailEvents
import MailLog
import TestSupport
import Testing

/// A message that Exim took in, written as receive.c does.
private struct Written {
    var sender: String
    var helo: String
    var login: String?
    var messageID: String
    var subject: [UInt8]
    var recipients: [String]
    var hasSubject = true

    /// string.c, `string_printing2`: bytes that do not print, as escapes.
    static func printing(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { byte -> [UInt8] in
            switch byte {
            case 0x0a: Array("\\n".utf8)
            case 0x0d: Array("\\r".utf8)
            case 0x09, 0x20...0x7e: [byte]
            default:
                // Three octal digits.
                Array("\\\(byte >> 6)\(byte >> 3 & 7)\(byte & 7)".utf8)
            }
        }
    }

    var loggedMessageID: [UInt8] { Self.printing(Array(messageID.utf8)) }

    /// The subject between quotes: its first hundred bytes.
    var quotedSubject: [UInt8] {
        let quoted = subject.prefix(100).flatMap { byte -> [UInt8] in
            let needsBackslash = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
            return needsBackslash ? [UInt8(ascii: "\\"), byte] : [byte]
        }
        return Self.printing(quoted)
    }

    var line: [UInt8] {
        var line = Array("2026-03-01 10:00:00 1xVVVr-0007L6-1I <= \(sender) ".utf8)
        line += Array("H=(\(helo)) [192.0.2.7] P=\(login == nil ? "esmtp" : "esmtpa")".utf8)
        if let login { line += Array(" A=plain:\(login)".utf8) }
        line += Array(" S=390 id=".utf8) + loggedMessageID
        if hasSubject { line += Array(" T=\"".utf8) + quotedSubject + Array("\"".utf8) }
        if !recipients.isEmpty { line += Array((" for " + recipients.joined(separator: " ")).utf8) }
        return line
    }
}

/// What strangers write to forge a line, in any order.
private let pieces = [
    ") [192.0.2.9] P=esmtpa A=plain:victim S=1 id=z T=", "x) [192.0.2.9]", " P=esmtpa", " P=esmtp",
    " A=plain:victim", " S=1", " id=z", " id=", " id*=x.", " T=", "\"", "\\", "\\\"",
    " for v@w.test",
    " from <", ">", " K", " x", "@y.example", " ", "=", " H=(", ") [", "]", "[192.0.2.8]", " U=",
    " DN=", " SNI=", " DKIM=x", " Q=x", " R=x", " <a@b.example>", ": ", " => ", "(", ")", ".", "a",
    " R=r T=t", " C=", " defer (1)", " F=<>", "\u{e9}",
]

extension SeededGenerator {
    fileprivate mutating func text(of count: Int, without left: String = "") -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...count, using: &self) {
            let piece = pieces.randomElement(using: &self) ?? ""
            if !piece.contains(where: { left.contains($0) }) { text += piece }
        }
        return text
    }

    /// An address with a quoted local part that holds anything.
    fileprivate mutating func address(_ count: Int, at domain: String) -> String {
        guard Bool.random(using: &self) else {
            return "plain\(UInt8.random(in: 0...99, using: &self))@\(domain)"
        }
        let text = text(of: count).map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }
        return "\"\(text.joined())\"@\(domain)"
    }

    fileprivate mutating func message(helo: String) -> Written {
        Written(
            sender: address(4, at: "tenant.example"),
            helo: helo,
            login: Bool.random(using: &self) ? "kira" : nil,
            messageID: address(6, at: "pc.example"),
            subject: Array(text(of: 6).utf8),
            recipients: (0..<Int.random(in: 0...3, using: &self)).map { number in
                address(3, at: "to\(number).example")
            },
            hasSubject: Int.random(in: 0..<4, using: &self) > 0
        )
    }
}

/// A delivery, written as deliver.c does.
private struct Delivered {
    var mark: String
    /// As the client gave it.
    var recipient: String
    /// Whether the router keeps the case of local parts.
    var keepsCase: Bool
    /// What the other server said.
    var reply: String

    /// deliver.c, `deliver_split_address`: without quotes and backslashes.
    var address: String {
        var result = ""
        var isEscaped = false
        for character in recipient {
            if character == "\\", !isEscaped {
                isEscaped = true
            } else if character != "\"" || isEscaped {
                result.append(character)
                isEscaped = false
            }
        }
        return keepsCase ? result : result.lowercased()
    }

    var line: String {
        var line = "2026-03-01 10:00:00 1xVVVr-0007L6-1I \(mark) \(address)"
        if address != recipient { line += " <\(recipient)>" }
        switch mark {
        case "==": line += " R=r T=t defer (-44) H=mx [203.0.113.1]: \(reply)"
        case "**": line += " F=<a@b.example> R=r T=t H=mx [203.0.113.1]: \(reply)"
        default:
            let quoted = reply.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
            line += " F=<a@b.example> R=r T=t H=mx [203.0.113.1] C=\"\(quoted)\" QT=1s"
        }
        return line
    }
}

@Suite struct EximHostileTests {
    /// forall messages from clients whose HELO is a name: the reading is the truth, and certain,
    /// whatever stands in sender, Message-ID, subject and recipients.
    @Test(arguments: 1...40) func strangersCannotMakeALineAnother(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<100 {
            let message = random.message(helo: "pc7.tenant.example")
            try expectTruth(of: message)
        }
    }

    /// The same with a HELO of anything but quotes (`helo_accept_junk_hosts`).
    @Test(arguments: 1...40) func aHELOCannotEither(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<100 {
            let helo = random.text(of: 8, without: "\"")
            try expectTruth(of: random.message(helo: helo))
        }
    }

    /// With quotes in it, its text may swallow the true fields: then the reading is the truth, or
    /// doubtful, or none.
    @Test(arguments: 1...40) func whatAHELOWithQuotesMakesDoubtfulIsNeverCertain(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var countOfTrue = 0
        for _ in 0..<100 {
            let message = random.message(helo: random.text(of: 8))
            let read = EximFacts(message.line)
            guard let fact = read.fact, !fact.isAmbiguous else { continue }
            countOfTrue += 1
            #expect(
                read.text(fact.a) == "192.0.2.7",
                "\(String(decoding: read.line, as: UTF8.self))"
            )
            #expect(read.text(fact.b) == message.login)
        }
        #expect(countOfTrue > 50)
    }

    /// forall lines that something cut: the login is the message's, or the line is not read.
    @Test(arguments: 1...20) func aLineThatWasCutNamesNobodyElse(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let message = random.message(helo: "pc7.tenant.example")
            let line = message.line
            for end in 40..<line.count {
                let read = EximFacts(Array(line[..<end]))
                guard let fact = read.fact else { continue }
                #expect(read.text(fact.b) == message.login)
                #expect(read.text(fact.a) == "192.0.2.7")
            }
        }
    }

    /// A line of 64 KiB that offers a reading at every word is given up after a while.
    @Test(arguments: [
        ("<= a@b.example H=(x", ") [192.0.2.9] P=esmtpa A=plain:v S=1 id=z T=\""),
        ("<= a@b.example H=(x", ") [192.0.2.9] P=esmtpa A=plain:v S=1 for a@b"),
        ("<= a@b.example H=(x) [192.0.2.9] P=esmtpa A=plain:v", " S=1 K"),
        ("<= a@b.example U=", "x P=y A=z:w K S=1 "),
        ("<= a@b.example U=", "x U=y A=z:w S=1 id=\" "),
        ("<= a@b.example H=(x) [192.0.2.9] P=e DN=\"", "\" A=x:y S=1 id=\""),
        ("<= a@b.example H=(x) [192.0.2.9] P=e SNI=\"", "x\" A=x:y K S=1 T=\""),
        ("** ", "x <a@b> R=r: "), ("=> a@b", " DN=\"x\" K"), ("=> ", "x <\"a\"@b> DN=\"\" "),
        ("** a@b: ", " <a@b> R=r DN=\"\" "), ("=> a@b (", "a@b, "), ("== a@b", " <c@d> R=r F=<>"),
    ]) func hostileLinesCostABoundedTime(_ head: String, _ unit: String) {
        let head = "2026-03-01 10:00:00 1xVVVr-0007L6-1I " + head
        let count = (65_000 - head.utf8.count) / unit.utf8.count
        let line = Array((head + String(repeating: unit, count: count)).utf8)
        let duration = ContinuousClock().measure {
            #expect(EximFacts(line).counters.lines == 1)
        }
        // Without a bound, each takes minutes. Debug builds are slow.
        #expect(duration < .seconds(20))
    }

    /// forall subjects of a hundred bytes: what the reader makes of Exim's escapes is the subject.
    @Test(arguments: 1...40) func theEscapesOfASubjectAreUndone(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let characters = Array("ab 0123n\\\"'ö€未/=?\u{1F600}t")
        for _ in 0..<20 {
            var subject = ""
            for _ in 0..<Int.random(in: 1...24, using: &random) {
                subject.append(characters.randomElement(using: &random) ?? "x")
            }
            // What begins an encoded word is another matter.
            subject = subject.replacing("=?", with: "=")
            var message = random.message(helo: "pc")
            message.subject = Array("<\(subject)>".utf8)
            message.hasSubject = true
            message.login = "kira"
            message.recipients = ["a@b.example"]
            var run = try EximRun()
            run.take(message.line)
            #expect(run.finish().map(\.subject) == ["<\(subject)>"])
        }
    }

    /// forall deliveries: the recipient is the one that was given and the outcome is the mark's, or the
    /// line is not read, whatever who sends writes into a quoted address and who answers into a reply.
    @Test(arguments: 1...40) func nobodyForgesAnOutcome(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let marks: [(String, LineFact.Status)] = [
            ("=>", .sent), ("->", .sent), ("**", .bounced), ("==", .deferred),
        ]
        var countOfRead = 0
        for _ in 0..<100 {
            let (mark, status) = marks.randomElement(using: &random) ?? marks[0]
            let delivered = Delivered(
                mark: mark,
                recipient: random.address(5, at: "d.example"),
                keepsCase: Bool.random(using: &random),
                reply: "250 " + random.text(of: 5)
            )
            let read = EximFacts(delivered.line)
            guard let fact = read.fact else {
                #expect(read.counters[.delivery] == 1)
                // An ordinary address is lost to a reply only if that looks like another.
                let isPlain = !delivered.recipient.contains("\"")
                #expect(!isPlain || delivered.reply.contains(" <"), "\(delivered.line)")
                continue
            }
            countOfRead += 1
            let recipient = read.text(fact.b) ?? read.text(fact.a)
            #expect(recipient == delivered.recipient, "\(delivered.line)")
            #expect(fact.status == status, "\(delivered.line)")
            #expect(fact.agent == .smtp || status == .deferred)
        }
        #expect(countOfRead > 70)
    }

    private func expectTruth(of message: Written) throws {
        let line = message.line
        let shown = String(decoding: line, as: UTF8.self)
        let read = EximFacts(line)
        let fact = try #require(read.fact, "\(shown)")
        #expect(!fact.isAmbiguous, "\(shown)")
        #expect(read.text(fact.a) == "192.0.2.7", "\(shown)")
        #expect(read.text(fact.b) == message.login, "\(shown)")
        #expect(read.text(.sender, \.a) == message.sender, "\(shown)")
        let messageID = String(decoding: message.loggedMessageID, as: UTF8.self)
        #expect(read.text(.messageID, \.a) == messageID, "\(shown)")
        let subject = String(decoding: message.quotedSubject, as: UTF8.self)
        #expect(read.text(.subject, \.a) == (message.hasSubject ? subject : nil), "\(shown)")
        #expect(read.recipients == message.recipients, "\(shown)")
    }
}
