import Findings
import LogSources
import SafeText
import SystemPackage

// What a source tells, as gaps of the ledger and as notices (architecture §9).

extension SourceNote {
    /// Whether the followed file became another one.
    var isRotation: Bool {
        switch self {
        case .rotated, .truncated: true
        default: false
        }
    }

    /// The lines that are missing, or may be.
    func gap(source: String) -> Gap? {
        switch self {
        case .damaged(let problem):
            Gap(
                .unreadable,
                source: source,
                detail: "\(problem.path.string) at byte \(problem.fileOffset)"
            )
        case .lost(let gap):
            Gap(
                gap.kind,
                source: source,
                startMicroseconds: gap.sinceMicroseconds,
                endMicroseconds: gap.untilMicroseconds,
                bytes: gap.bytes.map { Int(clamping: $0) },
                detail: "\(gap.path.string) after byte \(gap.offset)"
            )
        case .suppressed(let messages):
            Gap(
                .suppressed,
                source: source,
                endMicroseconds: messages.microseconds,
                lines: Int(clamping: messages.count),
                detail: messages.unit
            )
        case .vacuumed(let entries):
            Gap(
                .vacuumed,
                source: source,
                startMicroseconds: entries.fromMicroseconds,
                endMicroseconds: entries.toMicroseconds
            )
        case .resumed, .rotated, .readsRotated, .disappeared, .truncated, .cannotOpen, .notWatched,
            .forged, .expanded, .leftOut, .notInTimeOrder:
            nil
        }
    }

    /// What somebody should hear of.
    ///
    /// - Parameter microseconds: now, since 1970.
    func notice(source: String, microseconds: Int64) -> Notice? {
        if case .forged(let entries) = self {
            return Notice(
                name: "postern_forged",
                id: "postern_forged:\(source):\(entries.microseconds)",
                microseconds: microseconds,
                severity: .medium,
                message:
                    "\(entries.count) journal entr\(entries.count == 1 ? "y" : "ies") claimed to be "
                    + "the mail server's and w\(entries.count == 1 ? "as" : "ere") not believed: "
                    + entries.words
            )
        }
        guard let gap = gap(source: source), gap.kind.isLoss else { return nil }
        let detail = gap.detail.isEmpty ? "" : " (\(gap.detail))"
        return Notice(
            name: "postern_source_lost",
            id: "postern_source_lost:\(source):\(gap.kind.name):\(microseconds)",
            microseconds: microseconds,
            severity: .medium,
            message: "Lines of \(source) were not read: \(gap.kind.name)\(detail). "
                + "postern state continuity shows what is missing."
        )
    }
}

extension FileGap {
    fileprivate var kind: Gap.Kind {
        switch cause {
        case .cursorFileGone: .daemonDown
        case .truncated: .truncated
        case .unknownCompression, .unreadable: .unreadable
        case .leftWhileWritten: .lost
        }
    }
}

extension ForgedEntries {
    /// The first of them. Strangers chose these words: every output escapes them.
    fileprivate var words: String {
        var facts = ["identifier \(identifier)"]
        if let unit { facts.append("unit \(unit)") }
        if let userID { facts.append("user ID \(userID)") }
        if let command { facts.append("command \(command)") }
        return facts.joined(separator: ", ")
    }
}

extension SourceError {
    /// That a source cannot be read any more.
    func notice(source: String, microseconds: Int64) -> Notice {
        Notice(
            name: "postern_source_lost",
            id: "postern_source_lost:\(source):\(microseconds)",
            microseconds: microseconds,
            severity: .high,
            message: "\(source) cannot be read: \(cause)" + (advice.map { "; \($0)" } ?? "")
        )
    }
}
