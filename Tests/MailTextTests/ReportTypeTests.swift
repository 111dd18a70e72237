import MailText
import TestSupport
import Testing

private let receipts = [
    "multipart/report; report-type=disposition-notification; boundary=\"b\"",
    "multipart/report;? report-type=disposition-notification; boundary=\"b\"",
    "multipart/report;??report-type=disposition-notification;??boundary=b",
    "Multipart/Report;report-type=\"Disposition-Notification\"",
    " multipart / report ; report-type = disposition-notification",
    "multipart/report (a (nested) \\) comment; report-type=x); REPORT-TYPE=disposition-notification",
    "multipart/report; boundary=\"; report-type=delivery-status\"; report-type=disposition-notification",
    "multipart/report; boundary=\"a\\\"; x\"; report-type=disposition-notification",
    "multipart/report; junk; =; report-type=disposition-notification; report-type=x",
    "multipart/report; report-type*=us-ascii'en'disposition-notification",
]

@Suite struct ReportTypeTests {
    @Test(arguments: receipts)
    func aReceiptsContentTypeIsKnown(type: String) {
        #expect(ReportType(contentType: bytes(type).span) == .dispositionNotification)
    }

    @Test(arguments: [
        "", "multipart/mixed; report-type=disposition-notification", "message/rfc822",
        "message/disposition-notification", "multipart/report; report-type=delivery-status",
        "multipart/report; boundary=\"report-type=disposition-notification\"",
        "multipart/report; boundary=\"x; report-type=disposition-notification\"",
        "multipart/report; boundary=\"x\\\"; report-type=disposition-notification",
        "multipart/report; (report-type=disposition-notification)", "multipart/report",
        "multipart/reports; report-type=disposition-notification",
        "multipart/report; x-report-type=disposition-notification",
        "multipart/report; report-type=disposition-notifications",
        "multipart/report; report-type=x-disposition-notification",
        "multipart/report; report-type=delivery-status; report-type=disposition-notification",
        "multipart/report; report-type=disposition-notif", "text/plain; x=multipart/report",
        "multipart/report; report-type=", "multipart/report; report-type=\"", "(", "\"", "?",
    ])
    func otherContentTypesAreNone(type: String) {
        #expect(ReportType(contentType: bytes(type).span) == .other)
    }

    @Test func aReportTypeAloneIsReadWithoutRegardToCase() {
        #expect(
            ReportType(reportType: bytes("Disposition-Notification").span)
                == .dispositionNotification
        )
        #expect(ReportType(reportType: bytes("delivery-status").span) == .other)
        #expect(ReportType(reportType: bytes("").span) == .other)
    }

    /// forall cuts: a content type that the log cut is a receipt's only when its value is whole.
    @Test func aCutContentTypeProvesNothing() {
        for type in receipts {
            let whole = bytes(type)
            let proof = bytes("disposition-notification")
            for cut in whole.indices {
                let part = Array(whole[..<cut])
                guard ReportType(contentType: part.span) == .dispositionNotification else {
                    continue
                }
                #expect(text(part).lowercased().contains(text(proof)))
            }
        }
    }

    @Test(arguments: 1...20)
    func hostileContentTypesNeverTrap(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<250 {
            let type = random.mutated(bytes(receipts.randomElement(using: &random) ?? ""))
            _ = ReportType(contentType: type.span)
        }
    }
}

@Suite struct MessageClassTests {
    @Test(arguments: [
        ("REPORT.IPM.Note.IPNRN", ReportType.readNotification),
        ("report.ipm.note.ipnrn", .readNotification),
        ("REPORT.IPM.Note.SMIME.IPNRN", .readNotification),
        ("REPORT.IPM.Schedule.Meeting.Request.IPNNRN", .notReadNotification),
        ("REPORT.IPM.Note.IPNNRN", .notReadNotification), ("REPORT.IPM.Note.NDR", .other),
        ("REPORT.IPM.Note.DR", .other), ("IPM.Note.IPNRN", .other), ("IPM.Note", .other),
        ("REPORT.IPM.NoteIPNRN", .other), ("REPORT.IPM.Note.IPNRN ", .other), ("", .other),
        (".IPNRN", .other), ("REPORT.IPM.", .other),
    ]) func theClassOfAReceiptIsKnown(_ name: String, _ type: ReportType) {
        #expect(ReportType(messageClass: bytes(name).span) == type)
    }
}
