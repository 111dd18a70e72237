import TestSupport
import Testing

@testable import MailText

private let table: ReceiptTable = {
    do { return try ReceiptTable() } catch { preconditionFailure("\(error)") }
}()

private func kind(_ subject: String) -> ReceiptKind? {
    table.classify(bytes(subject).span)?.kind
}

/// What the table says by Swift's own string comparison: the text before the first colon, its white
/// space squeezed, lower case, canonically equal to a prefix.
private func modelKind(_ subject: String) -> ReceiptKind? {
    let scalars = subject.unicodeScalars
    guard let colon = scalars.firstIndex(where: { $0 == ":" || $0 == "\u{FF1A}" }) else {
        return nil
    }
    let head = scalars[..<colon].split { $0.properties.isWhitespace }
        .map { String(String.UnicodeScalarView($0)) }
        .joined(separator: " ").lowercased()
    for row in ReceiptPrefixes.rows {
        if row.notRead.contains(where: { $0.lowercased() == head }) { return .notRead }
        if row.read.contains(where: { $0.lowercased() == head }) { return .read }
    }
    return nil
}

@Suite struct ReceiptTableTests {
    @Test(arguments: ReceiptPrefixes.rows.map(\.language))
    func everyPrefixIsKnownInEveryForm(language: String) {
        for row in ReceiptPrefixes.rows where row.language == language {
            for (prefixes, kind) in [(row.notRead, ReceiptKind.notRead), (row.read, .read)] {
                #expect(!prefixes.isEmpty)
                for prefix in prefixes { expectKnown(prefix, kind) }
            }
        }
    }

    private func expectKnown(_ prefix: String, _ kind: ReceiptKind) {
        let apart = decomposed(prefix)
        let spacious = prefix.split(separator: " ").joined(separator: " \u{A0} ")
        let forms = [
            prefix, prefix.uppercased(), prefix.lowercased(), apart, apart.uppercased(), spacious,
            "  " + prefix, "? " + prefix, "\u{200F}" + prefix, "\u{FEFF}" + prefix,
        ]
        let colons = [
            ":", " :", "\u{A0}:", "\u{202F}:", "\u{2009}:", "\u{3000}\u{FF1A}", "\u{FF1A}",
            "\u{200E}:",
        ]
        for form in forms {
            for colon in colons {
                for (gap, rest) in [(" ", "Cheap meds: 5"), ("", "x"), ("\u{A0} ", "é"), (" ", "")]
                {
                    let subject = form + colon + gap + rest
                    let found = table.classify(bytes(subject).span)
                    #expect(found?.kind == kind, "\(subject)")
                    #expect(found?.needsContentType == false)
                    let start = found?.payloadStart ?? 0
                    #expect(text(Array(bytes(subject)[start...])) == rest, "\(subject)")
                }
            }
            #expect(table.classify(bytes("Re: " + form + ": x").span) == nil)
            #expect(table.classify(bytes("a " + form + ": x").span) == nil)
            #expect(table.classify(bytes(form + " x: y").span) == nil)
            #expect(table.classify(bytes(form + " x").span) == nil)
            #expect(table.classify(bytes(form).span) == nil)
        }
    }

    @Test func encodedSubjectsAreKnown() {
        for subject in EncodedSubject.all {
            #expect(kind(decoded(subject.logged)) == subject.kind, "\(subject.decoded)")
        }
    }

    @Test(arguments: [
        "Re: Not read: the plan", "RE: Not read: x", "Fwd: Read: x", "AW: Gelesen: x",
        "Why was this Not read: twice", "Not read", "Not read yet: the plan", "Notread: x",
        "Not-read: x", "Read the plan: now", "Already read: x", "Ready: x", "Read - x",
        "Undeliverable: Not read: x", "Delivery Status Notification (Failure)", "Accepted: lunch",
        "Declined: lunch", "Abgelehnt: lunch", "Abwesend: Not read: x", "", ":", "?", "? ", ": x",
        "：x", "\"Not read: x", "[Not read: x", "未", "未读书: x", "Übelesen: x",
        "Automatic reply: Read: x",
        "Return Receipt", "Disposition notifications for all", "Disposition notification policy: x",
    ])
    func otherSubjectsAreNoReceipts(subject: String) {
        #expect(kind(subject) == nil)
    }

    @Test func otherProgramsFormsAreReadReceipts() {
        for subject in [
            "Return Receipt (displayed) - Re: plan", "return receipt (displayed)  - plan",
            "Return Receipt (displayed)-x", "Return Receipt (displayed): x",
            "Disposition notification", "Disposition notification: x", "DISPOSITION NOTIFICATION ",
            "Disposition notification - x", "Disposition\u{A0}notification:",
        ] {
            let found = table.classify(bytes(subject).span)
            #expect(found?.kind == .read, "\(subject)")
            #expect(found?.needsContentType == false)
        }
        let dashed = "Return Receipt (displayed) - Re: plan"
        let start = table.classify(bytes(dashed).span)?.payloadStart ?? 0
        #expect(text(Array(bytes(dashed)[start...])) == "Re: plan")
        #expect(table.classify(bytes("Receipt: your order").span)?.needsContentType == true)
        #expect(kind("Receipt - your order") == nil)
    }

    @Test(arguments: 1...20)
    func itAgreesWithSwiftsStringComparison(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let prefixes = ReceiptPrefixes.rows.flatMap { $0.notRead + $0.read }
        // No Turkish: upper-case letters fold together there, which `lowercased()` does not see.
        let words =
            prefixes.filter { !$0.hasSuffix("ı") }.flatMap { $0.split(separator: " ") }
            .map(String.init) + ["Re", "x", "Ж", "é", "e\u{301}", "notes"]
        let spaces = [" ", " ", " ", "  ", "\u{A0}", "\u{3000}", ""]
        for _ in 0..<250 {
            var subject = ""
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let word = words.randomElement(using: &random) ?? ""
                subject += Bool.random(using: &random) ? word : word.uppercased()
                subject += spaces.randomElement(using: &random) ?? ""
            }
            subject += [":", ": x", "\u{FF1A}", "", "- x: y"].randomElement(using: &random) ?? ""
            #expect(kind(subject) == modelKind(subject), "\(subject)")
        }
    }

    @Test(arguments: 1...20)
    func hostileSubjectsNeverTrap(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<250 {
            let original = EncodedSubject.all.randomElement(using: &random)?.decoded ?? ""
            let subject = random.mutated(bytes(original))
            let start = table.classify(subject.span)?.payloadStart ?? 0
            #expect((0...subject.count).contains(start))
            #expect(payload(subject, from: start).count <= Canonical.payloadBytesMax)
        }
    }

    @Test func settingsAddPrefixes() throws {
        let added = try ReceiptTable(
            notRead: ["Nelasīts :", " Neperskaityta"],
            read: ["E-Mail gelesen", "Ungelesen"]
        )
        #expect(added.classify(bytes("NELASĪTS: x").span)?.kind == .notRead)
        #expect(added.classify(bytes("Neperskaityta: x").span)?.kind == .notRead)
        #expect(added.classify(bytes("e-mail  gelesen : x").span)?.kind == .read)
        #expect(added.classify(bytes("Ungelesen: x").span)?.kind == .read, "settings win")
        #expect(added.classify(bytes("Not read: x").span)?.kind == .notRead)
        #expect(kind("Nelasīts: x") == nil)
    }

    @Test(arguments: [
        (" : ", ReceiptPrefixError.Code.empty), ("a:b", .colonInside), ("a：b:", .colonInside),
        (String(repeating: "é", count: 51), .tooLong), ("", .empty), ("::", .colonInside),
    ])
    func impossiblePrefixesAreRefused(prefix: String, code: ReceiptPrefixError.Code) {
        let error = #expect(throws: ReceiptPrefixError.self) {
            _ = try ReceiptTable(notRead: [prefix])
        }
        #expect(error?.code == code)
        #expect(error?.prefix == prefix)
        #expect(throws: ReceiptPrefixError(code: .contradicting, prefix: "A")) {
            _ = try ReceiptTable(notRead: ["a:"], read: ["A"])
        }
    }

    @Test func theContentTypeAddsEvidenceAndTakesNoneAway() {
        func verdict(_ subject: String, _ type: ReportType?) -> (ReceiptKind, ReceiptEvidence)? {
            let found = table.classify(bytes(subject).span)
            return ReceiptVerdict(subject: found, reportType: type).map { ($0.kind, $0.evidence) }
        }
        for type in [nil, ReportType.other] {
            #expect(verdict("Not read: x", type) ?? (.unknown, .both) == (.notRead, .subject))
            #expect(verdict("Read: x", type) ?? (.unknown, .both) == (.read, .subject))
            #expect(verdict("Receipt: x", type) == nil)
            #expect(verdict("x", type) == nil)
        }
        let type = ReportType.dispositionNotification
        #expect(verdict("Not read: x", type) ?? (.unknown, .subject) == (.notRead, .both))
        #expect(verdict("Receipt: x", type) ?? (.unknown, .subject) == (.read, .both))
        #expect(verdict("Nelasīts: x", type) ?? (.read, .subject) == (.unknown, .contentType))
        #expect(ReceiptVerdict(subject: nil, reportType: type)?.payloadStart == 0)
        // A class that says which kind it is says more than a subject.
        let read = ReportType.readNotification
        let notRead = ReportType.notReadNotification
        #expect(verdict("x", read) ?? (.unknown, .subject) == (.read, .contentType))
        #expect(verdict("x", notRead) ?? (.unknown, .subject) == (.notRead, .contentType))
        #expect(verdict("Read: x", notRead) ?? (.unknown, .subject) == (.notRead, .both))
        #expect(verdict("Not read: x", read) ?? (.unknown, .subject) == (.read, .both))
    }
}
