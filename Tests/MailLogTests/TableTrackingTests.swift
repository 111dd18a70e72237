import MailEvents
import MailLog
import Testing

/// Exchange's message tracking log, after "Message tracking" (learn.microsoft.com/exchange/mail-flow/
/// transport-logs/message-tracking) and rows that were published.
@Suite struct TrackingLogTests {
    @Test func aMessageFromAMailboxIsASubmissionOfItsOwner() throws {
        let reading = try read(Tracking.head + sentByMailbox())
        let event = try #require(reading.events.first)
        #expect(reading.events.count == 1)
        #expect(event.user == "alice@corp.example")
        #expect(event.recipient == "bob@shop.example")
        #expect(event.delivery == "sent")
        #expect(event.subject == "Lunch")
        #expect(event.ip == "192.0.2.7")
        #expect(event.sender == "alice@corp.example")
        #expect(event.queueID == "6a638d20-1e63-493a-80a2-08da9a4ff8da")
        #expect(event.messageID == "<4867a3d78a50438bad95c0f6d072fca5@ex1.corp.example>")
        #expect(event.host == "EX1")
        #expect(event.dialect == "exchange")
        #expect(event.microseconds == 1_795_601_471_123_000)
        #expect(event.receipt == nil)
        #expect(reading.openCount == 0)
        #expect(reading.counters[.exchange].unparsed == 0)
        #expect(reading.counters[.exchange].read == 3)
        #expect(reading.counters[.exchange].ignored == 9)
    }

    /// A client of SMTP that logged in: how is told by `message-info`.
    @Test(arguments: ["06I: NTS:", "07I: ", "0aI: NTS:", "0bI: "])
    func aMessageFromAClientWithALoginIsASubmission(_ info: String) throws {
        let row = Tracking(
            "RECEIVE",
            [
                "source": "SMTP", "message-info": info, "client-ip": "192.0.2.9",
                "connector-id": #"EX1\Client Proxy EX1"#, "original-client-ip": "",
                "source-context": "08DE000000000002;2026-11-25T10:11:12.000Z;0",
                "return-path": "<>", "message-subject": "Not read: Offer",
            ]
        )
        let reading = try read(Tracking.head + [row.line])
        let event = try #require(reading.events.first)
        #expect(event.user == "alice@corp.example")
        #expect(event.ip == "192.0.2.9")
        #expect(event.sender == "")
        #expect(event.receipt == "not-read")
        #expect(event.evidence == "subject")
    }

    /// Whatever a stranger writes as its sender, and what another server of the organisation hands on, is
    /// no submission.
    @Test(arguments: [
        ["message-info": "00A: NTS:"], ["message-info": "00A: "], ["message-info": "0cI: "],
        ["message-info": "06A: "], ["message-info": "10I: "], ["message-info": ""],
        ["message-info": "06I"], ["message-info": "11a: 06I: "], ["message-info": "x06I: "],
        ["message-info": "06I: ", "directionality": "Incoming"],
        ["message-info": "06I: ", "sender-address": "<>"],
        ["message-info": "06I: ", "sender-address": "nobody"],
        ["message-info": "06I: ", "sender-address": ""],
    ]) func otherMailOfSMTPHasNoAccount(_ changes: [String: String]) throws {
        let row = Tracking("RECEIVE", ["source": "SMTP"].merging(changes) { $1 })
        let sent = Tracking("SENDEXTERNAL", second: 13, ["source": "SMTP"])
        let reading = try read(Tracking.head + [row.line, sent.line])
        #expect(reading.events.isEmpty)
        #expect(reading.openCount == 0)
    }

    @Test(arguments: [
        "AGENT", "MAILBOXRULE", "DSN", "PICKUP", "ADMIN", "GATEWAY", "APPROVAL", "ROUTING",
        "BOOTLOADER", "MEETINGMESSAGEPROCESSOR", "ORAR", "SAFETYNET", "PUBLICFOLDER", "REDUNDANCY",
    ]) func mailOfTheServersOwnHasNoAccount(_ source: String) throws {
        let row = Tracking("RECEIVE", ["source": source])
        let reading = try read(Tracking.head + [row.line])
        #expect(reading.events.isEmpty)
        #expect(reading.counters[.exchange].unparsed == 0)
    }

    // MARK: Outcomes

    @Test(arguments: [
        ("SENDEXTERNAL", "SMTP", "250 2.0.0 OK", "To the Internet", "sent"),
        // Exchange 2013 and before have no other event.
        ("SEND", "SMTP", "250 2.0.0 OK", "To the Internet", "sent"),
        ("SEND", "SMTP", "250 2.1.5 OK", "Intra-Organization SMTP Send Connector", "unknown"),
        ("DELIVER", "STOREDRIVER", "", "", "sent"),
        ("DUPLICATEDELIVER", "STOREDRIVER", "", "", "sent"),
        ("FAIL", "ROUTING", "550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found", "", "bounced"),
        ("FAIL", "SMTP", "550 5.7.1 no", "To the Internet", "bounced"),
        ("FAIL", "DNS", "", "", "bounced"), ("FAIL", "QUEUE", "", "", "bounced"),
        ("FAIL", "QUEUE", "'550 4.4.7 QUEUE.Expired; message expired'", "", "expired"),
        ("FAIL", "QUEUE", "'[{LED=550 4.4.7 QUEUE.Expired; message expired}]'", "", "expired"),
        // What another server says is not what the queue says.
        ("FAIL", "SMTP", "550 4.4.7 QUEUE.Expired; message expired", "", "bounced"),
        ("FAIL", "QUEUE", "550 5.0.0 said: 550 4.4.7 QUEUE.Expired", "", "bounced"),
        ("DEFER", "SMTP", "451 4.7.1 Greylisted", "To the Internet", "deferred"),
        ("DROP", "AGENT", "", "", "discarded"), ("DSN", "DSN", "", "", "unknown"),
        ("TRANSFER", "ROUTING", "", "", "unknown"), ("SUBMIT", "STOREDRIVER", "", "", "unknown"),
        ("SUBMITDEFER", "STOREDRIVER", "", "", "unknown"),
        ("SUBMITFAIL", "STOREDRIVER", "", "", "unknown"),
        ("HADISCARD", "SMTP", "", "", "unknown"), ("HARECEIVE", "SMTP", "", "", "unknown"),
        ("HAREDIRECT", "SMTP", "", "", "unknown"), ("HAREDIRECTFAIL", "SMTP", "", "", "unknown"),
        ("AGENTINFO", "AGENT", "", "", "unknown"), ("BADMAIL", "AGENT", "", "", "unknown"),
        ("POISONMESSAGE", "QUEUE", "", "", "unknown"), ("THROTTLE", "SMTP", "", "", "unknown"),
        ("RESUBMIT", "REDUNDANCY", "", "", "unknown"), ("LOAD", "BOOTLOADER", "", "", "unknown"),
        ("PROCESS", "STOREDRIVER", "", "", "unknown"),
        ("PROCESSMEETINGMESSAGE", "MEETINGMESSAGEPROCESSOR", "", "", "unknown"),
        ("NOTIFYSHADOW", "STOREDRIVER", "", "", "unknown"),
        ("INITMESSAGECREATED", "APPROVAL", "", "", "unknown"),
        ("MODERATORREJECT", "APPROVAL", "", "", "unknown"),
        ("DUPLICATEEXPAND", "ROUTING", "", "", "unknown"),
        ("DUPLICATEREDIRECT", "ROUTING", "", "", "unknown"),
        ("SUPPRESSED", "QUEUE", "", "", "unknown"),
    ]) func anEventSaysWhatBecameOfACopy(
        _ event: String,
        _ source: String,
        _ status: String,
        _ connector: String,
        _ delivery: String
    ) throws {
        let row = Tracking(
            event,
            second: 20,
            ["source": source, "recipient-status": status, "connector-id": connector]
        )
        let reading = try read(Tracking.head + [Tracking("RECEIVE").line, row.line])
        #expect(reading.events.map(\.delivery) == [delivery])
        #expect(reading.counters[.exchange].unparsed == 0)
        let isFinal = delivery != "unknown" && delivery != "deferred"
        #expect(reading.openCount == (isFinal ? 0 : 1))
    }

    @Test func eachRecipientHasItsOwnOutcome() throws {
        let all = "bob@shop.example;carol@corp.example;dave@nowhere.example;erin@slow.example"
        let reading = try read(
            Tracking.head + [
                Tracking(
                    "RECEIVE",
                    second: 1,
                    [
                        "recipient-address": all, "recipient-status": "To;To;Cc;Bcc",
                        "recipient-count": "4",
                    ]
                ).line,
                Tracking("DELIVER", second: 2, ["recipient-address": "carol@corp.example"]).line,
                Tracking(
                    "DEFER",
                    second: 3,
                    [
                        "recipient-address": "erin@slow.example;bob@shop.example",
                        "recipient-count": "2",
                    ]
                ).line,
                Tracking("FAIL", second: 4, ["recipient-address": "dave@nowhere.example"]).line,
                Tracking("SENDEXTERNAL", second: 5, ["recipient-address": "BOB@shop.example"]).line,
            ]
        )
        #expect(
            reading.events.map(\.description).sorted() == [
                "alice@corp.example > bob@shop.example sent Lunch",
                "alice@corp.example > carol@corp.example sent Lunch",
                "alice@corp.example > dave@nowhere.example bounced Lunch",
                "alice@corp.example > erin@slow.example deferred Lunch",
            ]
        )
        #expect(reading.openCount == 1)
    }

    /// The address that a directory lookup gave is the same recipient; members of a group are none.
    @Test func aliasesAndGroupsMakeNoEvents() throws {
        let reading = try read(
            Tracking.head + [
                Tracking(
                    "RECEIVE",
                    second: 1,
                    [
                        "recipient-address": "info@corp.example;all@corp.example;old@corp.example",
                        "recipient-count": "3",
                    ]
                ).line,
                Tracking(
                    "RESOLVE",
                    second: 2,
                    [
                        "source": "ROUTING", "recipient-address": "carol@corp.example",
                        "related-recipient-address": "info@corp.example",
                    ]
                ).line,
                Tracking(
                    "EXPAND",
                    second: 2,
                    [
                        "source": "ROUTING",
                        "recipient-address": "dave@corp.example;erin@corp.example",
                        "related-recipient-address": "all@corp.example", "recipient-count": "2",
                        "recipient-status":
                            "250 2.1.5 RESOLVER.GRP.Expanded; distribution list expanded",
                    ]
                ).line,
                Tracking(
                    "REDIRECT",
                    second: 2,
                    [
                        "source": "ROUTING", "recipient-address": "old@corp.example",
                        "related-recipient-address": "new@shop.example",
                    ]
                ).line,
                Tracking("DELIVER", second: 3, ["recipient-address": "dave@corp.example"]).line,
                Tracking("DELIVER", second: 3, ["recipient-address": "carol@corp.example"]).line,
                Tracking("FAIL", second: 3, ["recipient-address": "erin@corp.example"]).line,
                Tracking("SENDEXTERNAL", second: 4, ["recipient-address": "new@shop.example"]).line,
            ]
        )
        #expect(
            reading.events.map(\.description) == [
                "alice@corp.example > all@corp.example sent Lunch",
                "alice@corp.example > info@corp.example sent Lunch",
                "alice@corp.example > old@corp.example sent Lunch",
            ]
        )
        #expect(reading.openCount == 0)
    }

    /// What comes later from other servers of the organisation neither opens the message again nor adds
    /// to it.
    @Test func aSecondServerAddsNothing() throws {
        let hop = Tracking(
            "RECEIVE",
            second: 13,
            [
                "source": "SMTP", "message-info": "0cI: ", "server-hostname": "EX2",
                "recipient-address": "mallory@shop.example", "message-subject": "Forged",
                "sender-address": "mallory@corp.example", "internal-message-id": "8",
            ]
        )
        let again = Tracking("RECEIVE", second: 13, ["message-subject": "Again"])
        let reading = try read(
            Tracking.head + [
                Tracking("RECEIVE").line, hop.line, again.line,
                Tracking("SENDEXTERNAL", second: 14).line,
            ]
        )
        #expect(
            reading.events.map(\.description) == [
                "alice@corp.example > bob@shop.example sent Lunch"
            ]
        )
    }

    /// The row of the hand-over may come before the one of the submission, from another file.
    @Test func theSubmissionMayComeBehindTheHandOver() throws {
        let hop = Tracking("RECEIVE", ["source": "SMTP", "message-info": "0cI: "])
        let reading = try read(
            Tracking.head + [
                hop.line, Tracking("RECEIVE").line, Tracking("SENDEXTERNAL", second: 14).line,
            ]
        )
        #expect(
            reading.events.map(\.description) == [
                "alice@corp.example > bob@shop.example sent Lunch"
            ]
        )
    }

    /// A mailbox hears from the envelope sender of what is delivered to it.
    @Test func deliveriesTellWhoHeardFromWhom() throws {
        let inbound = [
            "source": "SMTP", "message-info": "00A: NTS:", "directionality": "Incoming",
            "sender-address": "news@shop.example", "return-path": "bounce@mail.shop.example",
            "recipient-address": "alice@corp.example;team@corp.example", "recipient-count": "2",
        ]
        let reading = try read(
            Tracking.head + [
                Tracking("RECEIVE", second: 1, inbound).line,
                Tracking(
                    "EXPAND",
                    second: 2,
                    [
                        "source": "ROUTING",
                        "recipient-address": "dave@corp.example;erin@corp.example",
                        "related-recipient-address": "team@corp.example", "recipient-count": "2",
                    ]
                ).line,
                Tracking(
                    "SEND",
                    second: 3,
                    ["source": "SMTP", "connector-id": "Intra-Organization SMTP Send Connector"]
                        .merging(inbound.filter { $0.key != "source" }) { a, _ in a }
                ).line,
                Tracking(
                    "DELIVER",
                    second: 4,
                    ["recipient-address": "alice@corp.example;dave@corp.example"]
                ).line,
                Tracking("DELIVER", second: 5, ["recipient-address": "erin@corp.example"]).line,
            ]
        )
        #expect(reading.events.isEmpty)
        #expect(
            reading.heard == [
                "heard alice@corp.example", "heard dave@corp.example", "heard erin@corp.example",
            ]
        )
        #expect(reading.openCount == 0)
    }

    // MARK: Receipts

    /// A message that is a report has a MAPI class that says of which kind.
    @Test(arguments: [
        ("REPORT.IPM.Note.IPNNRN", "Irgendwas: Angebot", "not-read", "content-type"),
        ("REPORT.IPM.Note.IPNRN", "Irgendwas: Angebot", "read", "content-type"),
        ("REPORT.IPM.NOTE.IPNNRN", "Not read: Offer", "not-read", "both"),
        ("REPORT.IPM.Note.SMIME.IPNRN", "Read: Offer", "read", "both"),
        // The class tells, the subject is what somebody wrote.
        ("REPORT.IPM.Note.IPNNRN", "Read: Offer", "not-read", "both"),
        ("REPORT.IPM.Note.NDR", "Undeliverable: Offer", nil, nil),
        ("IPM.Note", "Lunch", nil, nil), ("IPM.Note.IPNNRN", "Lunch", nil, nil),
    ]) func theClassOfAReportTellsItsKind(
        _ name: String,
        _ subject: String,
        _ receipt: String?,
        _ evidence: String?
    ) throws {
        let context =
            "MDB:1, Mailbox:2, Event:3, MessageClass:\(name), "
            + "CreationTime:2026-11-25T10:11:12.001Z, ClientType:OWA"
        let reading = try read(
            Tracking.head + [
                Tracking("RECEIVE", ["source-context": context, "message-subject": subject]).line
            ]
        )
        #expect(reading.events.map(\.receipt) == [receipt])
        #expect(reading.events.map(\.evidence) == [evidence])
        #expect(reading.events.map(\.subject) == [subject])
    }

    @Test(arguments: [
        ("Quote: \"free\", and more", "Quote: \"free\", and more"),
        ("\"", "\""), ("\"\"\"", "\"\"\""), ("=cmd|'/C calc'!A0", "=cmd|'/C calc'!A0"),
        ("Nicht gelesen: Grüße", "Nicht gelesen: Grüße"), (" a , b ", "a , b"),
        ("[Undisclosed]", nil), ("", nil),
        (
            "a\",\"mallory@shop.example\",\"250 2.1.5 OK\"",
            "a\",\"mallory@shop.example\",\"250 2.1.5 OK\""
        ),
    ]) func theSubjectIsWhatStandsBetweenTheQuotes(_ written: String, _ subject: String?) throws {
        let reading = try read(
            Tracking.head + [Tracking("RECEIVE", ["message-subject": written]).line]
        )
        #expect(reading.events.map(\.subject) == [subject])
        #expect(reading.events.map(\.user) == ["alice@corp.example"])
        #expect(reading.events.map(\.recipient) == ["bob@shop.example"])
    }

    /// Exchange doubles apostrophes within a list, and puts such an address between apostrophes.
    @Test func addressesWithApostrophesAreReadFromLists() throws {
        let reading = try read(
            Tracking.head + [
                Tracking(
                    "RECEIVE",
                    [
                        "recipient-address": "'o''brien@shop.example';bob@shop.example",
                        "recipient-count": "2",
                    ]
                ).line,
                Tracking(
                    "DELIVER",
                    second: 13,
                    ["recipient-address": "bob@shop.example;'O''Brien@shop.example'"]
                ).line,
            ]
        )
        #expect(
            reading.events.map(\.description) == [
                "alice@corp.example > bob@shop.example sent Lunch",
                "alice@corp.example > o'brien@shop.example sent Lunch",
            ]
        )
        #expect(reading.openCount == 0)
    }

    // MARK: Heads

    @Test(arguments: [
        (Tracking.fields2010, "73014444033"),
        (Tracking.fields2013, "6a638d20-1e63-493a-80a2-08da9a4ff8da"),
        (Tracking.fields2016, "6a638d20-1e63-493a-80a2-08da9a4ff8da"),
    ]) func rowsAreReadWithAndWithoutTheirHead(_ fields: String, _ queueID: String) throws {
        let rows = [
            Tracking("RECEIVE").inOrder(of: fields).line,
            Tracking("SENDEXTERNAL", second: 13).inOrder(of: fields).line,
        ]
        for lines in [["#Fields: " + fields] + rows, rows] {
            let reading = try read(lines)
            #expect(
                reading.events.map(\.description) == [
                    "alice@corp.example > bob@shop.example sent Lunch"
                ]
            )
            #expect(reading.events.map(\.queueID) == [queueID])
            #expect(reading.openCount == 0)
        }
    }

    @Test func theHeadNamesTheColumnsInAnyOrder() throws {
        let names = Tracking.fields2016.split(separator: ",")
        let turned = (names[1...].reversed() + names[..<1]).joined(separator: ",")
        let reading = try read(
            ["#Fields: " + turned, Tracking("RECEIVE").inOrder(of: turned).line]
        )
        #expect(reading.events.map(\.user) == ["alice@corp.example"])
    }

    @Test func otherLogsOfExchangeAreNoMailLog() throws {
        let reading = try read([
            "#Software: Microsoft Exchange Server", "#Version: 15.0.0.0",
            "#Log-type: SMTP Receive Protocol Log", "#Date: 2026-11-25T10:11:12.123Z",
            "#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,"
                + "remote-endpoint,event,data,context",
            #"2026-11-25T10:11:12.123Z,EX1\Default EX1,08DE,1,192.0.2.1:25,192.0.2.2:5,>,"220 a, b","#,
        ])
        #expect(reading.events.isEmpty)
        #expect(reading.counters[.noStamp] == 3)
    }

    /// On one server of Exchange 2010 the message's own ID is not enough: a stranger chooses it.
    @Test func aStrangersMessageIDJoinsNothing() throws {
        let stranger = [
            "source": "SMTP", "message-info": "00A: ", "directionality": "Incoming",
            "internal-message-id": "73014444034", "sender-address": "mallory@evil.example",
            "return-path": "mallory@evil.example", "recipient-address": "carol@corp.example",
        ]
        func row(_ event: String, _ second: Int, _ changes: [String: String]) -> String {
            Tracking(event, second: second, changes).inOrder(of: Tracking.fields2010).line
        }
        let reading = try read([
            row("RECEIVE", 1, [:]), row("RECEIVE", 2, stranger),
            row(
                "DELIVER",
                3,
                [
                    "internal-message-id": "73014444034",
                    "recipient-address": "carol@corp.example;bob@shop.example",
                ]
            ),
            row("FAIL", 4, [:]),
        ])
        #expect(
            reading.events.map(\.description) == [
                "alice@corp.example > bob@shop.example bounced Lunch"
            ]
        )
    }
}
