import SafeText

extension DoctorReport {
    /// The report for a terminal or a pipe.
    ///
    /// - Parameter isColoured: whether terminal colours are wanted.
    /// - Returns: whole lines; safe to show.
    public func text(isColoured: Bool) -> String {
        let palette = Palette(isColoured: isColoured)
        var text = ""
        for source in sources { text += "read           \(shown(source))\n" }
        for finding in findings { text += line(finding, palette) }
        for subject in unknownSubjects { text += "                   \(shown(subject))\n" }
        text += "\n" + verdict(palette) + "\n"
        for remedy in remedies {
            text += "\n" + palette.bold(shown(remedy.title)) + ":\n"
            if !remedy.lines.isEmpty { text += "\n" }
            for line in remedy.lines {
                let line = "    " + shownKeepingBackslashes(line)
                text += (line.hasPrefix("    #") ? palette.faint(line) : line) + "\n"
            }
            if !remedy.commands.isEmpty {
                text += "\n    then: \(remedy.commands.joined(separator: "; "))\n"
            }
        }
        return text
    }

    private func line(_ finding: Finding, _ palette: Palette) -> String {
        let name = finding.name + String(repeating: " ", count: max(1, 15 - finding.name.count))
        let share = finding.share.map { "\($0.have) of \($0.of) (\($0.percent) %): " } ?? ""
        let words = share + shownKeepingBackslashes(finding.words)
        switch finding.standing {
        case .good: return name + words + "\n"
        case .advice: return palette.advice(name + words) + "\n"
        case .missing: return palette.alarm(name + "MISSING: " + words) + "\n"
        }
    }

    private func verdict(_ palette: Palette) -> String {
        guard !isReady else { return palette.good("Ready: the log says what Postern needs.") }
        let names = findings.filter { $0.standing == .missing }.map(\.name)
        return palette.alarm("Not ready: \(names.joined(separator: ", ")) missing.")
    }

    /// The report as one flat JSON object.
    public func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("postern.ready", isReady)
        object.member("postern.sources", sources)
        object.member(
            "postern.missing",
            findings.filter { $0.standing == .missing }.map(\.name)
        )
        object.member("postern.submissions", counts.submissions)
        object.member("postern.accounts", accountCount)
        object.member("postern.without_account", counts.withoutAccount)
        object.member("postern.with_subject", counts.withSubject)
        object.member("postern.with_recipient", counts.withRecipient)
        object.member("postern.recipients", counts.recipients)
        object.member("postern.with_outcome", counts.withOutcome)
        object.member("postern.with_content_type", counts.withContentType)
        object.member("postern.receipts", counts.receipts)
        object.member("postern.inbound", counts.inbound)
        object.member("postern.inbound_with_subject", counts.inboundWithSubject)
        object.member("postern.inbound_requests", counts.inboundRequests)
        object.member("postern.stripped", counts.stripped)
        object.member(
            "postern.findings",
            findings.map { "\($0.name): \($0.standing.rawValue): \($0.words)" }
        )
        object.member("postern.unknown_prefixes", unknownSubjects)
        object.member(
            "postern.remedies",
            remedies.map { ([$0.title + ":"] + $0.lines + $0.commands).joined(separator: "\n") }
        )
        return object.finished()
    }
}
