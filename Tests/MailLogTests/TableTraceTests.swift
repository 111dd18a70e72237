import MailEvents
import MailLog
import Testing

/// Exports of Microsoft 365, after "Message trace in the Exchange admin center" (learn.microsoft.com/
/// exchange/monitoring/trace-an-email-message/message-trace-modern-eac) and "Get-MessageTraceV2".
private enum Export {
    static let summary =
        "origin_timestamp_utc,sender_address,recipient_status,message_subject,total_bytes,"
        + "message_id,network_message_id,original_client_ip,directionality,connector_id,"
        + "delivery_priority"
    static let trace =
        #""PSComputerName","RunspaceId","PSShowComputerName","Organization","MessageId","Received","#
        + #""SenderAddress","RecipientAddress","Subject","Status","ToIP","FromIP","Size","#
        + #""MessageTraceId","StartDate","EndDate","Index""#

    static func summaryRow(
        _ status: String = "bob@shop.example##Receive, Send",
        subject: String = "Lunch",
        directionality: String = "2",
        sender: String = "alice@corp.example",
        time: String = "2026-11-25T10:11:12.1230000Z",
        id: String = "1341ac7b13fb42ab4d4408cf7f55890f"
    ) -> String {
        [
            time, sender, status, subject, "4096", "<1@corp.example>", id, "192.0.2.7",
            directionality, "", "Normal",
        ].map(quoted).joined(separator: ",")
    }

    static func traceRow(
        received: String = "11/25/2026 10:11:12 AM",
        sender: String = "alice@corp.example",
        recipient: String = "bob@shop.example",
        subject: String = "Lunch",
        status: String = "Delivered",
        fromIP: String = "",
        id: String = "4d68a1db-9375-4ae8-1f6f-08dad1cb7978"
    ) -> String {
        [
            "outlook.office365.com", "1f0c", "False", "corp.onmicrosoft.com", "<1@corp.example>",
            received, sender, recipient, subject, status, "203.0.113.9", fromIP, "4096", id,
            "11/23/2026 5:08:26 PM", "11/25/2026 5:08:26 PM", "0",
        ].map { "\"" + $0.replacing("\"", with: "\"\"") + "\"" }.joined(separator: ",")
    }

    private static func quoted(_ value: String) -> String {
        guard value.contains(",") || value.contains("\"") || value.contains("\n") else {
            return value
        }
        return "\"" + value.replacing("\"", with: "\"\"") + "\""
    }
}

@Suite struct MessageTraceTests {
    @Test func aRowOfTheEnhancedSummaryIsAMessageWithAllItsRecipients() throws {
        let status =
            "bob@shop.example##Receive, Send;carol@corp.example##Receive, Deliver;"
            + "dave@nowhere.example##Receive, Fail;team@corp.example##Receive, Expand;"
            + "erin@slow.example##Receive, Defer;frank@shop.example##Receive, Defer, Send;"
            + "'o''brien@shop.example##Receive, Send';grace@shop.example##Receive"
        let reading = try read([Export.summary, Export.summaryRow(status)])
        #expect(
            reading.events.map(\.description).sorted() == [
                "alice@corp.example > bob@shop.example sent Lunch",
                "alice@corp.example > carol@corp.example sent Lunch",
                "alice@corp.example > dave@nowhere.example bounced Lunch",
                "alice@corp.example > erin@slow.example deferred Lunch",
                "alice@corp.example > frank@shop.example sent Lunch",
                "alice@corp.example > grace@shop.example unknown Lunch",
                "alice@corp.example > o'brien@shop.example sent Lunch",
                "alice@corp.example > team@corp.example sent Lunch",
            ]
        )
        let event = try #require(reading.events.first)
        #expect(event.dialect == "microsoft365")
        #expect(event.ip == "192.0.2.7")
        #expect(event.sender == "alice@corp.example")
        #expect(event.queueID == "1341ac7b13fb42ab4d4408cf7f55890f")
        #expect(event.messageID == "<1@corp.example>")
        #expect(event.microseconds == 1_795_601_472_123_000)
        #expect(reading.openCount == 0)
        #expect(reading.counters[.microsoft365].read == 1)
        #expect(reading.counters.unparsed == 0)
    }

    @Test(arguments: ["1", "Incoming", "Inbound"])
    func incomingMailHasNoAccountAndIsHeard(_ directionality: String) throws {
        let row = Export.summaryRow(
            "alice@corp.example##Receive, Deliver",
            directionality: directionality,
            sender: "news@shop.example"
        )
        let reading = try read([Export.summary, row])
        #expect(reading.events.isEmpty)
        #expect(reading.heard == ["heard alice@corp.example"])
    }

    @Test(arguments: ["", "0", "3", "Undefined"])
    func aRowWithoutADirectionIsNotRead(_ directionality: String) throws {
        let reading = try read([
            Export.summary, Export.summaryRow(directionality: directionality),
        ])
        #expect(reading.events.isEmpty)
        #expect(reading.counters[.row] == 1)
    }

    @Test(arguments: [
        ("Delivered", "sent"), ("Expanded", "sent"), ("Failed", "bounced"),
        ("FilteredAsSpam", "bounced"), ("Pending", "deferred"), ("Quarantined", "held"),
        ("GettingStatus", "unknown"), ("None", "unknown"), ("", "unknown"),
        ("status=sent Delivered", "unknown"),
    ]) func aTraceHasTheOutcomeOfOneRecipient(_ status: String, _ delivery: String) throws {
        let reading = try read([Export.trace, Export.traceRow(status: status)])
        #expect(reading.events.map(\.delivery) == [delivery])
        #expect(reading.events.map(\.user) == ["alice@corp.example"])
        #expect(reading.events.map(\.queueID) == ["4d68a1db-9375-4ae8-1f6f-08dad1cb7978"])
        #expect(reading.openCount == 0)
    }

    /// "From IP": for incoming messages only.
    @Test func aTraceWithTheAddressOfAServerIsIncoming() throws {
        let reading = try read([
            Export.trace,
            Export.traceRow(
                sender: "news@shop.example",
                recipient: "alice@corp.example",
                fromIP: "198.51.100.7"
            ),
        ])
        #expect(reading.events.isEmpty)
        #expect(reading.heard == ["heard alice@corp.example"])
    }

    /// It may be the bait of a receipt, which has the same payload however both are written.
    @Test(
        arguments: [
            "Cheap pills", #"Cheap "pills""#, "Levné léky", "=?utf-8?Q?Cheap_pills?=",
            "=cmd|' /C calc'!A0",
        ]
    )
    func whatCameToAMailboxIsFoundByItsSubject(subject: String) throws {
        let reading = try read([
            Export.trace,
            Export.traceRow(
                sender: "news@shop.example",
                recipient: "alice@corp.example",
                subject: subject,
                fromIP: "198.51.100.7"
            ),
            Export.traceRow(
                subject: "Not read: \(subject)",
                id: "4d68a1db-9375-4ae8-1f6f-08dad1cb7979"
            ),
        ])
        let inbound = try #require(reading.inbound.first)
        #expect(reading.inbound.count == 1)
        #expect(inbound.sender == "news@shop.example")
        #expect(inbound.payload != 0)
        #expect(reading.payloads == [inbound.payload])
    }

    @Test func theRecipientsOfAMessageHaveRowsOfTheirOwn() throws {
        let reading = try read([
            Export.trace, Export.traceRow(), Export.traceRow(recipient: "carol@shop.example"),
        ])
        #expect(
            reading.events.map(\.description) == [
                "alice@corp.example > bob@shop.example sent Lunch",
                "alice@corp.example > carol@shop.example sent Lunch",
            ]
        )
    }

    /// A stranger who sends with the ID of another message changes nothing of it.
    @Test func rowsAreNotJoinedByTheMessagesOwnID() throws {
        let reading = try read([
            Export.trace, Export.traceRow(status: "Pending", id: ""),
            Export.traceRow(
                sender: "mallory@evil.example",
                recipient: "bob@shop.example",
                fromIP: "198.51.100.7",
                id: ""
            ),
        ])
        #expect(
            reading.events.map(\.description) == [
                "alice@corp.example > bob@shop.example deferred Lunch"
            ]
        )
    }

    @Test func theExtendedReportIsATrackingLog() throws {
        let fields = Tracking.fields2013.replacing("-", with: "_")
            .replacing("date_time,", with: "date_time_utc,")
        func row(_ event: String, _ second: Int, _ changes: [String: String] = [:]) -> String {
            var row = Tracking(event, second: second, changes)
            row.values = Dictionary(
                uniqueKeysWithValues: row.values.map { name, value in
                    (
                        name == "date-time" ? "date_time_utc" : name.replacing("-", with: "_"),
                        value
                    )
                }
            )
            row.fields = fields
            return row.line
        }
        let reading = try read([
            fields, row("RECEIVE", 1),
            row("SENDEXTERNAL", 2, ["source": "SMTP", "connector-id": ""]),
        ])
        #expect(
            reading.events.map(\.description) == [
                "alice@corp.example > bob@shop.example sent Lunch"
            ]
        )
        #expect(reading.events.map(\.dialect) == ["microsoft365"])
    }

    // MARK: Times

    @Test(arguments: [
        "2026-11-25T10:11:12.0000000Z", "2026-11-25T10:11:12Z", "2026-11-25T10:11:12",
        "2026-11-25 10:11:12", "2026-11-25 10:11:12Z", "2026-11-25T12:11:12+02:00",
        "11/25/2026 10:11:12 AM", "11/25/2026 10:11:12\u{202F}AM", "25/11/2026 10:11:12",
        "25.11.2026 10:11:12", "25-11-2026 10:11:12", "2026/11/25 10:11:12",
    ]) func aTimeIsReadAsCulturesWriteIt(_ time: String) throws {
        let reading = try read([Export.trace, Export.traceRow(received: time)])
        #expect(reading.events.map(\.microseconds) == [1_795_601_472_000_000])
    }

    @Test(arguments: [
        "", "yesterday", "2026-13-01T10:11:12Z", "2026-11-31T10:11:12Z", "2026-02-29T10:11:12Z",
        "2026-11-25", "2026-11-25T10:11", "2026-11-25T24:00:00Z", "2026-11-25T10:61:00Z",
        "2026-11-25T10:11:12Zx", "11/25/26 10:11:12 AM", "13:11:12", "11/25/2026 13:11:12 AM",
        "11/25/2026 10:11:12 XM", "25.13.2026 10:11:12", "31/04/2026 10:11:12",
        "2026-11-25T10:11:12.Z", "=NOW()", "99999999999/1/2026 10:11:12",
    ]) func whatIsNoTimeIsNoRow(_ time: String) throws {
        let reading = try read([Export.trace, Export.traceRow(received: time)])
        #expect(reading.events.isEmpty)
        #expect(reading.counters[.row] == 1)
    }

    /// Whether 3/4 is in March or in April only other rows tell; those before them are not read.
    @Test func aDateOfTwoReadingsIsReadOnceTheTableTells() throws {
        let ambiguous = "03/04/2026 10:11:12"
        let dayFirst = try read([
            Export.trace, Export.traceRow(received: ambiguous),
            Export.traceRow(received: "25/11/2026 10:11:12"), Export.traceRow(received: ambiguous),
        ])
        #expect(dayFirst.events.count == 2)
        #expect(dayFirst.counters[.row] == 1)
        #expect(dayFirst.events.last?.microseconds == 1_775_211_072_000_000)
        let monthFirst = try read([
            Export.trace, Export.traceRow(received: "11/25/2026 10:11:12"),
            Export.traceRow(received: ambiguous), Export.traceRow(received: "25/11/2026 10:11:12"),
        ])
        #expect(monthFirst.events.count == 2)
        #expect(monthFirst.counters[.row] == 1)
        #expect(monthFirst.events.last?.microseconds == 1_772_619_072_000_000)
        // Only in the United States a day of one digit stands in the middle.
        let american = try read([
            Export.trace, Export.traceRow(received: "3/4/2026 10:11:12 AM"),
        ])
        #expect(american.events.map(\.microseconds) == [1_772_619_072_000_000])
    }

    // MARK: Heads and dialects

    @Test func twoExportsInOneFileAreReadWithTheirHeads() throws {
        let reading = try read([
            Export.summary, Export.summaryRow(), Export.trace,
            Export.traceRow(recipient: "carol@shop.example"), Export.trace, Export.traceRow(),
        ])
        #expect(
            reading.events.map(\.recipient) == [
                "bob@shop.example", "carol@shop.example", "bob@shop.example",
            ]
        )
        #expect(reading.counters.unparsed == 0)
    }

    @Test func aTypeLineAndAMarkAtTheBeginningAreNoRows() throws {
        let reading = try read([
            "\u{FEFF}#TYPE Deserialized.Microsoft.Exchange.Management.MessageTrace", Export.trace,
            Export.traceRow(),
        ])
        #expect(reading.events.count == 1)
        #expect(reading.counters.unparsed == 0)
        let marked = try read(["\u{FEFF}" + Export.trace, Export.traceRow()])
        #expect(marked.events.count == 1)
    }

    /// Other tables are none of ours, whatever stands in them.
    @Test(arguments: [
        "Date,Sender,Recipient,Subject", "received,senderaddress,recipientaddress,subject,status",
        "date_time_utc,sender_address,recipient_status,message_subject",
    ]) func aTableThatIsNotKnownIsNotRead(_ head: String) throws {
        let reading = try read([
            head, "2026-11-25T10:11:12Z,alice@corp.example,bob@shop.example,Lunch,Delivered",
        ])
        #expect(reading.events.isEmpty)
        #expect(reading.counters[.noStamp] == 2)
    }

    @Test func theDialectThatWasNamedCounts() throws {
        let lines = [Export.summary, Export.summaryRow()]
        #expect(try read(lines, dialect: .exchange).events.map(\.dialect) == ["exchange"])
        #expect(try read(lines, dialect: .postfix).events.isEmpty)
        #expect(try read(lines, dialect: .microsoft365).events.count == 1)
        #expect(try read(Tracking.head + sentByMailbox(), dialect: .exim).events.isEmpty)
    }

    // MARK: Hostile rows

    /// What stands behind a newline within quotes is a stranger's text, however much it looks like rows.
    @Test func aNewlineInASubjectMakesNoRow() throws {
        let forged = Export.summaryRow(sender: "ceo@corp.example")
        let head = "#Fields: " + Tracking.fields2016
        let subject =
            "x\n\(forged)\n\(Export.summary)\n\(head)\n" + Tracking("RECEIVE").line + "\ny"
        let row: [Substring] = Export.summaryRow(subject: subject).split(separator: "\n")
        let lines = [Export.summary] + row.map(String.init)
        let reading = try read(lines + [Export.summaryRow(subject: "After")])
        #expect(
            reading.events.map(\.description) == [
                "alice@corp.example > bob@shop.example sent After"
            ]
        )
        #expect(reading.counters[.row] == lines.count - 1)
    }

    /// A quote that is never closed, as where an export was cut, hides no more than a subject can be
    /// long.
    @Test func aQuoteThatStaysOpenEndsByItself() throws {
        let lines =
            [Export.summary, "2026-11-25T10:11:12Z,alice@corp.example,\"bob"]
            + (0..<300).map { _ in Export.summaryRow() }
        let reading = try read(lines)
        #expect(reading.events.count == 300 - 256)
        #expect(reading.counters[.row] == 257)
    }

    /// A line that was cut may have cut a field between quotes: how many quotes follow tells nothing.
    @Test func behindALineThatWasCutTheNextOnesAreDoubted() throws {
        let long = Export.summaryRow(subject: String(repeating: "a\"", count: 40_000))
        let lines =
            [Array(Export.summary.utf8), Array(long.utf8.prefix(65_536))]
            + [Array("x\",".utf8)] + (0..<300).map { _ in Array(Export.summaryRow().utf8) }
        #expect(try read(lines).events.count == 300 - 255)
    }

    @Test(arguments: [
        "bob@shop.example##Receive, Send;", "bob@shop.example", "##Receive, Send", "",
        "bob##Receive, Send", "bob@shop.example##Receive, Send;;carol@shop.example##Receive",
        "'bob@shop.example##Receive, Send", "'bob@shop.example'x##Receive",
        "bob@shop.example carol@shop.example##Receive, Send", "<bob@shop.example>##Receive",
        "\"bob\"@shop.example##Receive, Send",
    ]) func aListThatIsBrokenIsNotRead(_ status: String) throws {
        let reading = try read([Export.summary, Export.summaryRow(status)])
        #expect(reading.events.isEmpty)
        #expect(reading.counters[.row] == 1)
    }

    @Test(arguments: [
        ("a\",\"b\",\"", "a\",\"b\",\""), ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("'=1+1", "'=1+1"), ("\",\"", "\",\""), ("\"\"", "\"\""), ("+1", "+1"),
        ("@SUM(1)", "@SUM(1)"),
        ("bob@shop.example##Receive, Fail", "bob@shop.example##Receive, Fail"),
        ("a,2,b", "a,2,b"), ("tab\there", "tab?here"), ("\u{202E}evil", "\u{202E}evil"),
    ]) func aSubjectIsASubject(_ written: String, _ subject: String) throws {
        let reading = try read([
            Export.summary, Export.summaryRow(subject: written), Export.trace,
            Export.traceRow(subject: written),
        ])
        #expect(reading.events.map(\.subject) == [subject, subject])
        #expect(reading.events.map(\.delivery) == ["sent", "sent"])
        #expect(reading.events.map(\.user) == ["alice@corp.example", "alice@corp.example"])
        #expect(reading.events.map(\.recipient) == ["bob@shop.example", "bob@shop.example"])
    }

    @Test(arguments: [
        "a\"b", "\"a\"b", "\"a\" ", " \"a\"", "\"", "a,b",
    ]) func aFieldThatIsBrokenMakesTheRowUnread(_ raw: String) throws {
        let row = Export.summaryRow(subject: "SUBJECT").replacing("SUBJECT", with: raw)
        let reading = try read([Export.summary, row])
        #expect(reading.events.isEmpty)
        #expect(reading.counters[.row] == 1)
    }

    /// Whatever of a row is left, it gives the truth or nothing.
    @Test(arguments: [
        [Export.summary, Export.summaryRow(subject: "Lunch, \"today\"")],
        [Export.trace, Export.traceRow(subject: "Lunch, \"today\"")],
        [
            "#Fields: " + Tracking.fields2016,
            Tracking("RECEIVE", ["message-subject": "Lunch, \"today\""]).line,
        ],
    ]) func everyBeginningOfARowGivesTheTruthOrNothing(_ lines: [String]) throws {
        let row = Array(lines[1].utf8)
        let whole = try read(lines)
        #expect(whole.events.count == 1)
        let truth = try #require(whole.events.first)
        for count in 0..<row.count {
            let part = try read([Array(lines[0].utf8), Array(row[..<count])])
            for event in part.events {
                #expect(event.user == truth.user, "\(count)")
                #expect(event.recipient == truth.recipient, "\(count)")
                #expect(event.subject == truth.subject, "\(count)")
                #expect(event.delivery == truth.delivery, "\(count)")
            }
            let end = try read([Array(row[count...])])
            #expect(end.events.isEmpty || count == 0, "\(count)")
        }
    }

    /// Bytes that are changed at random never trap, and never make another account of a stranger's text.
    @Test(arguments: 1...40)
    func changedBytesNeverMakeAnotherAccount(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let stranger = "\",mallory@evil.example,\"\"'##;@,2,Receive, Fail\"\u{0}\r=1"
        let rows = [
            Export.summaryRow(subject: stranger), Export.traceRow(subject: stranger),
            Tracking("RECEIVE", ["message-subject": stranger]).line,
        ]
        let heads = [Export.summary, Export.trace, "#Fields: " + Tracking.fields2016]
        for _ in 0..<200 {
            let kind = Int(random.next() % 3)
            var row = Array(rows[kind].utf8)
            let subject = Array("mallory".utf8)
            let place = row.indices.first { row[$0...].starts(with: subject) } ?? 0
            // Only what the stranger wrote is changed.
            for _ in 0..<(1 + random.next() % 4) {
                let letters = Array("\",;'#\n\r\t@ab2\u{0}<>".utf8)
                row[place + Int(random.next() % 20)] =
                    letters[Int(random.next() % UInt64(letters.count))]
            }
            let lines = row.split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
            let reading = try read([Array(heads[kind].utf8)] + lines)
            for event in reading.events {
                #expect(
                    event.user == "alice@corp.example",
                    "\(String(decoding: row, as: UTF8.self))"
                )
                #expect(event.recipient == "bob@shop.example")
                #expect(["sent", "unknown"].contains(event.delivery))
            }
        }
    }
}

private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
